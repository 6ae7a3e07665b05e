"""`make bench`: one JSON line for each figure, then a table with goals.

    python -m bench [--quick] [--only NAME]… [--engine sqlite|postgresql] [--size S|M|L] [--beside COMMIT]

Absolute figures belong to the machine; the ratios are what to read. Loopback only.
"""

import argparse
import compileall
import contextlib
import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import measures
from bench.figures import Figure, table
from bench.places import ROOT, Filled, fill
from tests.postgres import PostgreSQL
from tools.setup import apt_install, postgresql_binaries

NAMES = (
    "demo",
    "pages",
    "queries",
    "memory",
    "visit",
    "cold",
    "pdf",
    "swap",
    "renewals",
    "transfers",
    "beside",
    "history",
    "year",
)
WITHOUT_PAGES = {"pdf", "renewals", "transfers", "beside", "history", "year"}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure Portal beside the bare stack."
    )
    parser.add_argument("--quick", action="store_true", help="size S and short rounds, for a first look")
    parser.add_argument("--only", action="append", choices=NAMES, help="this figure; may be repeated")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), help="one engine instead of both")
    parser.add_argument("--size", action="append", choices=("S", "M", "L"), help="S and L without it")
    parser.add_argument("--beside", help="renewals turn by turn with those of this commit")
    chosen = parser.parse_args()
    only = set(chosen.only or NAMES)
    sizes = chosen.size or (["S"] if chosen.quick else ["S", "L"])
    compile_bytecode()
    if "pages" in only and shutil.which("wrk") is None:
        apt_install("wrk")
    figures = []
    with engines(chosen.engine) as urls:
        for figure in measure(urls, sizes, only, beside=chosen.beside, quick=chosen.quick):
            print(figure.line(), flush=True)
            figures.append(figure)
    print(f"\n{table(figures)}")
    return 0


@contextlib.contextmanager
def engines(only: str | None) -> Iterator[dict]:
    """For each engine, a function from a folder to the address of a new database."""
    urls = {}
    if only != "postgresql":
        urls["sqlite"] = lambda folder: f"sqlite:///{folder / 'portal.sqlite'}"
    binaries = postgresql_binaries()
    server = None
    if only != "sqlite" and binaries is not None:
        server = PostgreSQL(binaries)
        urls["postgresql"] = lambda _folder: server.create_database()
    elif only != "sqlite":
        print("PostgreSQL is not installed: its figures are left out.")
    try:
        yield urls
    finally:
        if server is not None:
            server.stop()


def measure(
    urls: dict, sizes: list[str], only: set[str], *, beside: str | None, quick: bool
) -> Iterator[Figure]:
    rounds, seconds = (2, 1) if quick else (3, 5)
    if "pdf" in only:
        yield from measures.pdf(count=30 if quick else 150)
    if "renewals" in only:
        runs = importlib.import_module("bench.renewals")
        for engine, url in urls.items():
            yield from runs.renewals(engine, url, quick=quick)
    if "transfers" in only:
        statements = importlib.import_module("bench.transfers")
        for engine, url in urls.items():
            yield from statements.transfers(engine, url, quick=quick)
    for name, module in (("history", "bench.histories"), ("year", "bench.year_documents")):
        if name not in only:
            continue
        for engine, url in urls.items():
            with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
                environment = {
                    "PORTAL_DATABASE_URL": url(Path(folder)),
                    "PORTAL_DATA_DIR": folder,
                    "PORTAL_SECRET_KEY": "only-for-the-bench-" * 3,
                }
                yield from importlib.import_module(module).figures(engine, environment, quick=quick)
    if beside is not None and "beside" in only:
        earlier = importlib.import_module("bench.beside")
        for engine, url in urls.items():
            yield from earlier.renewals_beside(
                beside, engine, url, sizes=(1_000,) if quick else (1_000, 100_000), turns=8 if quick else 40
            )
    if only <= WITHOUT_PAGES:
        return
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
            places = []
            for engine, url in urls.items():
                own = Path(folder) / engine
                own.mkdir()
                places.append(fill(engine, size, database_url=url(own), folder=own))
            if "demo" in only:
                yield from (demo_figure(place) for place in places)
            if "pages" in only:
                yield from measures.pages(places, rounds=rounds, seconds=seconds)
            yield from of_each_place(places, only, quick=quick, is_first=size == sizes[0])


def of_each_place(places: list[Filled], only: set[str], *, quick: bool, is_first: bool) -> Iterator[Figure]:
    """What does not need the engines side by side; start and weight of a page do not depend on the size."""
    for place in places:
        if "queries" in only:
            yield from measures.queries(place)
        if "memory" in only:
            yield from measures.memory(place)
        if "visit" in only and place is places[0]:
            yield from measures.visit(place)
        if "cold" in only and is_first:
            yield from measures.cold_start(place, rounds=3 if quick else 7)
        if "swap" in only:
            clicks = importlib.import_module("bench.clicks")
            yield from clicks.swap(place, clicks=10 if quick else 30, rounds=3)


def demo_figure(place: Filled) -> Figure:
    goal = ("<=", 300.0) if place.size == "L" else None
    return Figure("demo data", place.fill_seconds, "s", goal, place.engine, place.size)


def compile_bytecode() -> None:
    """As `make` leaves it: without bytecode every start would measure the compiler."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for folder in ("portal", "bench"):
        compileall.compile_dir(ROOT / folder, quiet=2)


if __name__ == "__main__":
    raise SystemExit(main())
