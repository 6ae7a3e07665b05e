"""The figures, each a function from a place to results."""

import contextlib
import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from bench import load
from bench.figures import STEADY_SPREAD, Figure, Ratio
from bench.places import Filled, Server, Visitor, run_module, serving, start, stop, wait_for

PORTAL = "wsgi:app"
PAGES = ("plans", "history")
MANY_PAGES = ("subscriptions, 40 products", "order, 20 lines")
REPEATS = 2
SIGN_INS = 8
MIXED_REQUESTS = 2000
MEGABYTE = 1024 * 1024
KILOBYTE = 1024


# --- pages a second -------------------------------------------------------------------------------


def pages(places: list[Filled], *, rounds: int, seconds: float) -> Iterator[Figure]:
    """Pages of signed-in owners beside a bare view of the same bytes, in interleaved rounds.

    `places` are the engines of one size; each page is asked on all of them within each round.
    """
    with contextlib.ExitStack() as stack:
        servers: dict[str, dict[str, Asked]] = {name: {} for name in (*PAGES, *MANY_PAGES)}
        recorded = []
        for place in places:
            server = stack.enter_context(serving(PORTAL, place.environment, ready="/sign-in"))
            for whose, paths in page_paths(place):
                visitor = Visitor(server.address)
                visitor.sign_in(whose)
                for name, path in paths.items():
                    answer, bare_path = visitor.get(path), f"/{len(recorded)}"
                    servers[name][place.engine] = Asked(place, server, visitor.cookie, path, bare_path)
                    recorded.append((bare_path, answer.read(), answer.headers))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        environment = record(Path(folder), recorded)
        bare = stack.enter_context(serving("bench.bare:recordings()", environment, ready="/0"))
        for name, asked in servers.items():
            yield from _page(name, asked, bare, rounds=rounds, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Asked:
    """A page on one engine, and where the bare server answers the same bytes."""

    place: Filled
    server: Server
    cookie: str
    path: str
    bare_path: str


def page_paths(place: Filled) -> list[tuple[Filled, dict[str, str]]]:
    """The pages that are measured, by name, and whose they are."""
    many = place.many
    assert many is not None
    many_paths = (many.page("subscriptions"), many.page(f"checkout/{many.order}/review"))
    return [
        (place, {name: place.page(name) for name in PAGES}),
        (many, dict(zip(MANY_PAGES, many_paths, strict=True))),
    ]


def _page(
    name: str, servers: dict[str, Asked], bare: Server, *, rounds: int, seconds: float
) -> Iterator[Figure]:
    """Rounds until the ratios are steady, or as often as is reasonable."""
    for _ in range(1 + REPEATS):
        ours: dict[str, list[load.Round]] = {engine: [] for engine in servers}
        floor: list[load.Round] = []
        for _round in range(rounds):
            for engine, asked in servers.items():
                ours[engine].append(timed(asked.server, asked.path, asked.cookie, seconds))
            floor.append(timed(bare, next(iter(servers.values())).bare_path, "", seconds))
        speeds = {engine: [each.rps for each in done] for engine, done in ours.items()}
        ratios = {engine: Ratio.of(speed, [each.rps for each in floor]) for engine, speed in speeds.items()}
        if all(ratio.spread <= STEADY_SPREAD for ratio in ratios.values()):
            break
    floor_cpu = [each.cpu_ms for each in floor]
    for engine, asked in servers.items():
        known = {"engine": engine, "size": asked.place.size}
        p50 = statistics.median(each.p50_ms for each in ours[engine])
        p99 = statistics.median(each.p99_ms for each in ours[engine])
        more = {
            "rps": round(statistics.median(speeds[engine]), 1),
            "bare_rps": round(statistics.median(each.rps for each in floor), 1),
            "p50_ms": round(p50, 1),
            "p99_ms": round(p99, 1),
            "cpu_ms": round(statistics.median(each.cpu_ms for each in ours[engine]), 2),
            "bare_cpu_ms": round(statistics.median(floor_cpu), 2),
            "load": load.generator(),
        }
        # On PostgreSQL the goal is set beside SQLite, below.
        goal = (">=", 0.085) if engine == "sqlite" and name in PAGES else None
        ratio = ratios[engine]
        yield Figure(
            f"{name} page / bare Flask", ratio.value, "×", goal, spread=ratio.spread, more=more, **known
        )
        # What the first ratio would be on a machine that does nothing else.
        by_cpu = Ratio.of(floor_cpu, [each.cpu_ms for each in ours[engine]])
        yield Figure(f"{name} page / bare, CPU time", by_cpu.value, "×", goal, spread=by_cpu.spread, **known)
        yield Figure(f"{name} page p99 / p50", p99 / p50, "×", ("<=", 2.0), **known)
    if len(servers) > 1:
        ratio = Ratio.of(speeds["postgresql"], speeds["sqlite"])
        size = asked.place.size
        yield Figure(
            f"{name} page PostgreSQL / SQLite", ratio.value, "×", (">=", 0.6), size=size, spread=ratio.spread
        )


def timed(server: Server, path: str, cookie: str, seconds: float) -> load.Round:
    before = server.cpu_seconds()
    done = load.run(server.address + path, cookie=cookie, seconds=seconds)
    server_ms = (server.cpu_seconds() - before) / max(1, done.requests) * 1000
    return replace(done, cpu_ms=done.cpu_ms + server_ms)


def record(folder: Path, answers: list[tuple[str, bytes, object]]) -> dict[str, str]:
    """Keep what Portal answered for bench/bare.py; returns the environment that makes it find them."""
    index = []
    for place, (key, content, headers) in enumerate(answers):
        (folder / str(place)).write_bytes(content)
        index.append({"key": key, "file": str(place), "content_type": headers["Content-Type"]})
    (folder / "index.json").write_text(json.dumps(index))
    return {"BENCH_RECORDINGS": str(folder)}


# --- queries and memory ---------------------------------------------------------------------------


def queries(place: Filled) -> Iterator[Figure]:
    paths = [place.page("plans"), place.page("history"), place.page("members")]
    if place.size != "S":
        paths.append(place.page(f"invoices/{_newest_invoice(place)}"))
    said = run_module("bench.queries", place.owner, place.password, *paths, environment=place.environment)
    for path, count in json.loads(said).items():
        name = path.split("/")[3].replace("invoices", "statement")
        yield Figure(f"{name} page queries", count, "", ("<=", 6), place.engine, place.size)
    [_own, (many, named)] = page_paths(place)
    said = run_module(
        "bench.queries", many.owner, many.password, *named.values(), environment=place.environment
    )
    for name, count in zip(named, json.loads(said).values(), strict=True):
        yield Figure(f"{name} page queries", count, "", ("<=", 6), place.engine, place.size)


def _newest_invoice(place: Filled) -> str:
    with serving(PORTAL, place.environment, ready="/sign-in") as server:
        visitor = Visitor(server.address)
        visitor.sign_in(place)
        found = re.search(r"/invoices/([A-Z]+-\d{4}-\d+)", visitor.get(place.page("history")).read().decode())
    assert found, "the history has no document"
    return found[1]


def memory(place: Filled) -> Iterator[Figure]:
    """Of the larger web worker, after as many sign-ins and mixed pages as a quiet hour brings."""
    with serving(PORTAL, place.environment, ready="/sign-in") as server:
        for _ in range(SIGN_INS):
            visitor = Visitor(server.address)
            visitor.sign_in(place)
        paths = ["/pricing", "/me", *map(place.page, ("plans", "history", "members", "plans?lang=en"))]
        load.ask_mixed(
            [server.address + path for path in paths], cookie=visitor.cookie, requests=MIXED_REQUESTS
        )
        sizes = [worker.memory_full_info() for worker in server.workers()]
    pss = max(getattr(size, "pss", 0) for size in sizes)
    yield Figure(
        "web worker RSS",
        max(size.rss for size in sizes) / MEGABYTE,
        "MB",
        ("<=", 62),
        place.engine,
        place.size,
        more={"pss_mb": round(pss / MEGABYTE, 1), "requests": MIXED_REQUESTS},
    )


# --- first visit ----------------------------------------------------------------------------------


def visit(place: Filled) -> Iterator[Figure]:
    """Everything that a browser with an empty cache loads for a page, compressed as it is sent."""
    with serving(PORTAL, place.environment, ready="/sign-in") as server:
        visitor = Visitor(server.address)
        visitor.sign_in(place)
        for name, path, guest in (
            ("pricing", "/pricing", Visitor(server.address)),
            ("plans", place.page("plans"), visitor),
        ):
            parts = dict(_parts(guest, path))
            scripts = sum(size for url, size in parts.items() if urlsplit(url).path.endswith(".js"))
            known = {"engine": place.engine, "size": place.size}
            yield Figure(
                f"first visit of {name}, all", sum(parts.values()) / KILOBYTE, "KB", ("<=", 60), **known
            )
            yield Figure(f"first visit of {name}, requests", len(parts), "", ("<=", 6), **known)
            yield Figure(f"first visit of {name}, scripts", scripts / KILOBYTE, "KB", ("<=", 18), **known)


def _parts(visitor: Visitor, path: str) -> Iterator[tuple[str, int]]:
    """Address and compressed bytes, the headers of the answer included, of the page and what it loads."""
    import gzip

    waiting, seen = [path], {path}
    while waiting:
        url = waiting.pop(0)
        answer = visitor.get(url, {"Accept-Encoding": "gzip", "Accept": "text/html"})
        content = answer.read()
        yield url, len(content) + len(str(answer.headers).encode())
        text = gzip.decompress(content) if answer.headers.get("Content-Encoding") == "gzip" else content
        if answer.headers["Content-Type"].startswith(("text/html", "text/css")):
            for link in _loaded_by(text.decode()):
                target = urljoin(url, link)
                if target not in seen and not target.startswith("data:"):
                    seen.add(target)
                    waiting.append(target)


def _loaded_by(text: str) -> list[str]:
    tags = re.findall(r"<(?:link|script|img|source)\b[^>]*>", text)
    loading = [
        tag
        for tag in tags
        if not tag.startswith("<link") or re.search(r"stylesheet|icon|preload|manifest", tag)
    ]
    links = [found[1] for tag in loading if (found := re.search(r'(?:href|src)="([^"]+)"', tag))]
    return links + re.findall(r"url\([\"']?([^\"')]+)", text)


# --- cold start -----------------------------------------------------------------------------------


def cold_start(place: Filled, *, rounds: int) -> Iterator[Figure]:
    """From the start of the process to the first page, beside an empty Flask and Peewee application."""
    ours, floor = [], []
    with tempfile.TemporaryDirectory() as folder:
        empty = {"BENCH_DATABASE": f"{folder}/empty.sqlite"}
        for _ in range(rounds):
            floor.append(_start_seconds("bench.bare:empty()", empty, "/"))
            ours.append(_start_seconds(PORTAL, place.environment, "/sign-in"))
    ratio = Ratio.of(ours, floor)
    more = {"seconds": round(statistics.median(ours), 2), "bare_seconds": round(statistics.median(floor), 2)}
    yield Figure(
        "cold start / empty Flask + Peewee",
        ratio.value,
        "×",
        ("<=", 2.3),
        place.engine,
        place.size,
        spread=ratio.spread,
        more=more,
    )


def _start_seconds(application: str, environment: dict[str, str], path: str) -> float:
    began = time.perf_counter()
    server = start(application, environment)
    try:
        wait_for(server, path)
        return time.perf_counter() - began
    finally:
        stop(server)


# --- documents ------------------------------------------------------------------------------------


def pdf(*, count: int) -> Iterator[Figure]:
    took = json.loads(run_module("bench.pdf", str(count), environment={}))
    ours, floor = statistics.median(took["ours"]), statistics.median(took["bare"])
    thirds = [slice(part * count // 3, (part + 1) * count // 3) for part in range(3)]
    ratio = Ratio.of(*([statistics.median(took[name][part]) for part in thirds] for name in ("ours", "bare")))
    more = {"ms": round(ours, 1), "bare_ms": round(floor, 1)}
    yield Figure("invoice PDF / bare typst", ratio.value, "×", ("<=", 1.5), spread=ratio.spread, more=more)
