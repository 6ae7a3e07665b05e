"""Other processes on the test's database and ledger: several at once, or one that is killed.

Each is forked from a nursery: a process that has imported the portal and has no connection to anything. To
begin Python and the portal anew would take a second of the processor for each of them.
"""

import contextlib
import io
import json
import multiprocessing
import traceback
from collections.abc import Iterator, Mapping
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Far more than any script takes, on a machine that is busy with other things.
LONGEST_SECONDS = 300
IMPORTED = [
    "portal.database.migrating",
    "portal.services.payments.refunds",
    "portal.services.renewals.run",
    "psycopg",
    "tests.conftest",
    "tests.paying",
    "tests.processes",
]

# What each process begins with; its script follows, and finds `facts`, `clock` and a connection.
BEGINNING = """
import json, sys
from portal.models import *
from tests.paying import *
from portal import runtime
from portal.database import connecting as database
from portal.clock import FixedClock
from portal.settings import read_settings
from tests.conftest import TODAY
clock = FixedClock(TODAY)
runtime.install(make_runtime(read_settings(facts["environment"]), clock))
database.bind(facts["environment"]["PORTAL_DATABASE_URL"])
database.database.connect()
if not database.is_postgresql():
    # On a busy machine the last of four writers may wait for longer than the portal would.
    database.database.execute_sql("PRAGMA busy_timeout = 60000")
"""

# For scripts that are killed at `facts["point"]`: nothing in the product helps.
DYING = """
import os, signal
from portal.runtime import current

def die(*args, **options):
    os.kill(os.getpid(), signal.SIGKILL)

class Killer:
    def __init__(self, sandbox, dying):
        self.sandbox = sandbox
        self.dying = dying
    def __getattr__(self, name):
        real = getattr(self.sandbox, name)
        def ask(request):
            if facts["point"] == "before the gateway reads":
                die()
            outcome = real(request)
            if facts["point"].startswith("after the gateway"):
                die()
            return outcome
        return ask if name == self.dying else real

def die_in(call):
    killer = Killer(current().gateways["sandbox"], call)
    runtime.install(runtime.Runtime(current().settings, clock, {"sandbox": killer}))
"""


class Ended(Exception):
    """The process did not end as it should; the text is what it said."""


def in_processes(count: int, script: str, environment: Mapping[str, str], **facts: Any) -> list[Any]:
    """The script in so many processes, let go together; the JSON that each prints last.

    `facts["share"]` tells them apart: 0, 1, 2, …
    """
    ended = _let_go_together(count, script, environment, facts)
    for code, _out, fault in ended:
        if code:
            raise Ended(fault)
    return [json.loads(out.splitlines()[-1]) for _code, out, _fault in ended]


def exit_codes_of(count: int, script: str, environment: Mapping[str, str], **facts: Any) -> list[int]:
    """How so many processes end that are let go together; -9 for a killed one. Raises Ended for a fault."""
    ended = _let_go_together(count, script, environment, facts)
    for code, out, fault in ended:
        if code > 0:
            raise Ended(out + fault)
    return [code for code, _out, _fault in ended]


def exit_code_of(script: str, environment: Mapping[str, str], **facts: Any) -> int:
    """How one process ends; -9 when it was killed. Raises Ended when it ends with an exception."""
    return exit_codes_of(1, script, environment, **facts)[0]


def _let_go_together(
    count: int, script: str, environment: Mapping[str, str], facts: Mapping[str, Any]
) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of each process."""
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(_started(script, {"environment": environment, "share": share, **facts}))
            for share in range(count)
        ]
        for _process, line in running:
            begun = _next_of(line)
            if begun != READY:
                raise Ended(str(begun))
        for _process, line in running:
            line.send("go")
        said = [_next_of(line) for _process, line in running]
        for process, _line in running:
            process.join(LONGEST_SECONDS)
        return [(process.exitcode, *each) for (process, _line), each in zip(running, said, strict=True)]


READY = ("ready", "")


def _next_of(line: Connection) -> tuple[str, str]:
    """What the process says next, output and errors; nothing where it was killed."""
    if not line.poll(LONGEST_SECONDS):
        raise Ended("it is still at work")
    try:
        return line.recv()
    except EOFError:
        return "", ""


@contextlib.contextmanager
def _started(script: str, facts: Mapping[str, Any]) -> Iterator[tuple[Any, Connection]]:
    """The process and the line to it; it does not outlive the block."""
    ours, theirs = multiprocessing.Pipe()
    process = _nursery().Process(target=_live, args=(script, json.dumps(facts), theirs))
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.join()
        process.close()
        ours.close()


@cache
def _nursery() -> Any:
    """Where processes are forked; it ends with this one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    # Python 3.11 does not tell it where to find what it imports.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        forkserver.ensure_running()
    return context


def _live(script: str, facts: str, line: Connection) -> None:
    """In the new process: get ready, wait for the word, go through the script, say how it went."""
    output = io.StringIO()
    names: dict[str, Any] = {"facts": json.loads(facts)}
    try:
        with contextlib.redirect_stdout(output):
            exec(BEGINNING, names)
            line.send(READY)
            line.recv()
            exec(script, names)
    except BaseException:  # noqa: BLE001
        line.send((output.getvalue(), traceback.format_exc()))
        raise SystemExit(1) from None
    line.send((output.getvalue(), ""))
