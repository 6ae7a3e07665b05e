"""Bank statements: lines a second from the file to the ledger, and whether that stays so as they grow."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from bench.figures import Figure, Ratio
from bench.places import run_module

SIZES = (1_000, 10_000)
WORKSPACES = 50
INVOICES_OF_EACH = 10
"""So that of the large statement, too, few lines pay one invoice, as in life."""


def transfers(engine: str, url: Callable[[Path], str], *, quick: bool) -> Iterator[Figure]:
    """A large statement beside a small one in one database, in turns."""
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as name:
        folder = Path(name)
        environment = {
            "PORTAL_DATABASE_URL": url(folder),
            "PORTAL_DATA_DIR": str(folder),
            "PORTAL_SECRET_KEY": "only-for-the-bench-" * 3,
        }
        said = run_module("bench.transfers", "1" if quick else "3", environment=environment)
    found = json.loads(said.splitlines()[-1])
    # By processor time what the ratio would be on a machine that does nothing else.
    for name, what in (("statement lines/s", "wall"), ("statement lines/s, CPU time", "cpu")):
        small, large = ([each[what] for each in found[str(size)]] for size in SIZES)
        ratio = Ratio.of(large, small)
        more = {"of 1 000": [round(each) for each in small], "of 10 000": [round(each) for each in large]}
        yield Figure(
            f"{name}, of 10 000 / of 1 000",
            ratio.value,
            "×",
            (">=", 0.75),
            engine,
            spread=ratio.spread,
            more=more,
        )


def main(rounds: int) -> None:
    from portal import runtime
    from portal.clock import SystemClock
    from portal.database import connecting, migrating
    from portal.settings import read_settings
    from tests.factories import a_catalogue
    from tests.paying import a_place, make_runtime
    from tests.transferring import Line, an_open_invoice, camt, paying

    settings, clock = read_settings(os.environ), SystemClock()
    runtime.install(make_runtime(settings, clock))
    connecting.bind(settings.database_url)
    migrating.migrate()
    with connecting.connection():
        a_catalogue()
        names = [f"W{number}" for number in range(WORKSPACES)]
        places = [a_place(name, owner=f"Owner {name}") for name in names]
        invoices = [an_open_invoice(place) for place in places * INVOICES_OF_EACH]
        found: dict[int, list[dict[str, float]]] = {size: [] for size in SIZES}
        for turn in range(rounds):
            for size in SIZES:
                lines: list[Line] = []
                for place in range(size):
                    # Nine of ten are matched; the tenth names nothing.
                    named = paying(invoices[place % len(invoices)], 1)
                    lines.append(named if place % 10 else Line(1, texts=[f"Thank you {place}"], iban=""))
                content = camt(*lines, number=f"S-{turn}-{size}")
                took = _seconds(content, f"{turn}-{size}.xml")
                found[size].append({what: size / seconds for what, seconds in took.items()})
        print(json.dumps(found))


def _cpu_seconds() -> float:
    """Of this process, and of the server's that answers it."""
    from portal.database import connecting

    seconds = time.process_time()
    if connecting.is_postgresql():
        [backend] = connecting.database.execute_sql("SELECT pg_backend_pid()").fetchone()
        times = psutil.Process(backend).cpu_times()
        seconds += times.user + times.system
    return seconds


def _seconds(content: bytes, name: str) -> dict[str, float]:
    from portal.runtime import current
    from portal.services.payments import bank_statements, matching

    now = current().clock.now()
    begun, cpu_begun = time.perf_counter(), _cpu_seconds()
    imported = bank_statements.take_file(content, file_name=name, now=now)
    assert isinstance(imported, bank_statements.Imported)
    assert matching.match_received([each.id for each in imported.statements], now=now) == 0
    return {"wall": time.perf_counter() - begun, "cpu": _cpu_seconds() - cpu_begun}


if __name__ == "__main__":
    main(int(sys.argv[1]))
