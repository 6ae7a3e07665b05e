"""The daily run over many renewals: beside plain SQL, beside the gateway's limit, and as the shop grows."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.figures import Figure, Ratio
from bench.places import run_module

UNLIMITED = 1_000_000
RATE = 100
SIZES = (1_000, 10_000, 100_000)
QUICK_SIZES = (1_000, 10_000)


def renewals(engine: str, url: Callable[[Path], str], *, quick: bool) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as name:
        folder = Path(name)
        yield at_once(engine, url, folder, quick=quick)
        yield from paced(engine, url, folder, seconds=10 if quick else 60)
        yield weight(engine, url, folder, count=3_000 if quick else 10_000)
        yield from growth(
            engine, url, folder, sizes=QUICK_SIZES if quick else SIZES, rounds=3 if quick else 7
        )


def at_once(engine: str, url: Callable[[Path], str], folder: Path, *, quick: bool) -> Figure:
    count, rounds = (500, 3) if quick else (1_000, 5)
    found = measured(folder, "at-once", str(count), str(rounds), url=url)
    ratio = Ratio.of(found["ours"], found["raw"])
    return Figure(
        "renewals / raw SQL, two commits each",
        ratio.value,
        "",
        (">=", 0.4),
        engine,
        spread=ratio.spread,
        more={"renewals/s": rounded(found["ours"]), "raw/s": rounded(found["raw"])},
    )


def paced(engine: str, url: Callable[[Path], str], folder: Path, *, seconds: int) -> Iterator[Figure]:
    found = measured(folder, "paced", str(seconds), url=url, rate=RATE)
    name = f"share of the gateway's limit, {seconds} s"
    yield Figure(name, found["share"], "", (">=", 0.95), engine, more={"in flight": found["in_flight"]})
    yield Figure("most requests within a second", found["in_a_second"], "", ("<=", RATE), engine)


def weight(engine: str, url: Callable[[Path], str], folder: Path, *, count: int) -> Figure:
    found = measured(folder, "weight", str(count), url=url)
    growth = found["most"] / found["warm"]
    return Figure(
        f"memory of a run of {count}", growth, "x", ("<=", 1.05), engine, more={"MB": found["most"]}
    )


def growth(
    engine: str, url: Callable[[Path], str], folder: Path, *, sizes: tuple[int, ...], rounds: int
) -> Iterator[Figure]:
    places = [f"{size}={url(new_folder(folder))}" for size in sizes]
    found = measured(folder, "growth", str(rounds), *places, url=url)
    small = str(sizes[0])
    for size in map(str, sizes[1:]):
        for name in ("renewals", "scans"):
            ratio = Ratio.of(found[name][size], found[name][small])
            said = f"{name[:-1]} at {size} / at {small} subscriptions"
            yield Figure(said, ratio.value, "x", ("<=", 1.3), engine, spread=ratio.spread)


def measured(
    folder: Path, what: str, *arguments: str, url: Callable[[Path], str], rate: int = UNLIMITED
) -> dict[str, Any]:
    """What bench.billing_run finds in a process and a database of its own."""
    own = new_folder(folder)
    environment = {
        "PORTAL_DATABASE_URL": url(own),
        "PORTAL_DATA_DIR": str(own),
        "PORTAL_SECRET_KEY": "only-for-the-bench-" * 3,
        "PORTAL_GATEWAY_RATE": str(rate),
    }
    said = run_module("bench.billing_run", what, *arguments, environment=environment)
    return json.loads(said.splitlines()[-1])


def new_folder(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


def rounded(values: list[float]) -> list[int]:
    return [round(value) for value in values]
