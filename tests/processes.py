"""Other processes on the test's database and ledger: several at once, or one that is killed."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Far more than any script takes, on a machine that is busy with other things.
LONGEST_SECONDS = 300

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
facts = json.loads(sys.argv[1])
clock = FixedClock(TODAY)
runtime.install(make_runtime(read_settings(facts["environment"]), clock))
database.bind(facts["environment"]["PORTAL_DATABASE_URL"])
database.database.connect()
print("ready", flush=True)
sys.stdin.readline()
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


def _let_go_together(
    count: int, script: str, environment: Mapping[str, str], facts: Mapping[str, Any]
) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of each process."""
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(started(script, {"environment": environment, "share": share, **facts}))
            for share in range(count)
        ]
        try:
            for process in running:
                if _of(process.stdout).readline() != "ready\n":
                    raise Ended(_of(process.stderr).read())
            for process in running:
                _of(process.stdin).write("go\n")
                _of(process.stdin).flush()
            said = [process.communicate(timeout=LONGEST_SECONDS) for process in running]
        finally:
            for process in running:
                process.kill()
    return [(process.returncode, *each) for process, each in zip(running, said, strict=True)]


def exit_code_of(script: str, environment: Mapping[str, str], **facts: Any) -> int:
    """How one process ends; -9 when it was killed. Raises Ended when it ends with an exception."""
    with started(script, {"environment": environment, **facts}) as process:
        out, fault = process.communicate("go\n", timeout=LONGEST_SECONDS)
    if process.returncode > 0:
        raise Ended(out + fault)
    return process.returncode


def started(script: str, facts: Mapping[str, Any]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", BEGINNING + script, json.dumps(facts)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )


def _of(pipe: Any) -> Any:
    assert pipe is not None
    return pipe
