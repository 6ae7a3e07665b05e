"""A year of documents that were never made: two workers and the archive, beside two processes of bare typst.

`python -m bench.year_documents year COUNT ROUNDS` prints as JSON the seconds that each document takes. It
runs two of `… ours` and two of `… bare COUNT`, which do their share for each line that comes, and then say
how many seconds of the processor it took.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.figures import Figure, Ratio
from bench.pdf import Bare
from bench.places import ROOT, run_module

PROCESSES = 2


def figures(engine: str, environment: dict[str, str], *, quick: bool) -> Iterator[Figure]:
    """Documents a second beside bare ones, by the clock and by the processor time of the two processes."""
    count, rounds = ("60", "2") if quick else ("500", "3")
    said = json.loads(run_module("bench.year_documents", "year", count, rounds, environment=environment))
    for name, what in (("documents of a year, made", "wall"), ("documents of a year, made, CPU time", "cpu")):
        bare, ours = ([each[what] for each in said[who]] for who in ("bare", "ours"))
        ratio = Ratio.of(bare, ours)
        more = {who: [round(1000 * each[what], 1) for each in said[who]] for who in ("ours", "bare")}
        yield Figure(
            f"{name} / bare typst", ratio.value, "×", (">=", 0.75), engine, count, ratio.spread, {"ms": more}
        )


def year(count: int, rounds: int) -> None:
    from bench import histories
    from portal.database import connecting as database
    from portal.models import Document, OutboxMessage, Workspace
    from portal.runtime import current
    from portal.services.invoices import year_archives

    # The tests, whose helpers fill the database, let go of what it says of Portal.
    environment = dict(os.environ)
    with histories.begun().app_context(), database.connection():
        histories.fill("year", count)
        workspace, locales = Workspace.get(Workspace.slug == "year"), current().settings.locales
        this_year, documents = current().clock.now().year, count * len(locales)
        found: dict[str, list[dict[str, float]]] = {"ours": [], "bare": []}
        share = documents // PROCESSES
        with _processes(environment, "ours") as ours, _processes(environment, "bare", share) as bare:
            for _round in range(rounds):
                OutboxMessage.delete().execute()
                Document.delete().execute()
                began = time.perf_counter()
                year_archives.promise_missing(workspace.id, this_year, locales[0])
                cpu = _do_their_share(ours)
                assert year_archives.make_part(workspace, this_year, locales[0], part=1) is not None
                took = time.perf_counter() - began
                assert Document.select().where(Document.locale << locales).count() == documents
                found["ours"].append({"wall": took / documents, "cpu": cpu / documents})
                began = time.perf_counter()
                cpu = _do_their_share(bare)
                took = time.perf_counter() - began
                found["bare"].append({"wall": took / documents, "cpu": cpu / documents})
    print(json.dumps(found))


@contextlib.contextmanager
def _processes(environment: dict[str, str], *arguments: object) -> Iterator[list[subprocess.Popen]]:
    """Ready and warm; they end with their input."""
    command = [sys.executable, "-m", "bench.year_documents", *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    options = {"cwd": ROOT, "env": environment, **pipes}
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(subprocess.Popen(command, **options)) for _ in range(PROCESSES)]
        for each in started:
            assert each.stdout.readline().strip() == "ready", "see its error above"
        yield started


def _do_their_share(processes: list[subprocess.Popen]) -> float:
    """Seconds of the processor, of all of them."""
    for each in processes:
        print(file=each.stdin, flush=True)
    return sum(float(each.stdout.readline()) for each in processes)


def ours() -> None:
    """Keep whatever is promised, as the worker does."""
    from bench.pdf import facts
    from portal import create_app
    from portal.database.connecting import connection
    from portal.documents.pdf import render_invoice
    from portal.runtime import current
    from portal.worker import jobs

    with create_app().app_context(), connection():
        for locale in current().settings.locales:
            render_invoice(facts("INV-2026-000000"), locale=locale)
        for _turn in _turns():
            while jobs.drain_outbox(current(), limit=jobs.DRAIN_LIMIT).delivered:
                pass


def bare(count: int) -> None:
    compiler = Bare()
    compiler.compile("INV-2026-000000")
    for _turn in _turns():
        for number in range(count):
            compiler.compile(f"INV-2026-{number:06d}")


def _turns() -> Iterator[None]:
    print("ready", flush=True)
    for _line in sys.stdin:
        began = time.process_time()
        yield
        print(time.process_time() - began, flush=True)


if __name__ == "__main__":
    WHAT = {"year": year, "ours": ours, "bare": bare}
    WHAT[sys.argv[1]](*map(int, sys.argv[2:]))
