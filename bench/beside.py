"""The cost of a renewal beside that of an earlier commit, turn by turn in one run.

Both trees run bench/turns.py of this one, each in processes and databases of its own, with the packages that
are installed here.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.figures import Figure, Ratio
from bench.places import ROOT, clean_environment
from bench.renewals import UNLIMITED, new_folder

EACH = 250
WARM_UP = 2
ROUNDS = 4


def renewals_beside(
    commit: str, engine: str, url: Callable[[Path], str], *, sizes: tuple[int, ...], turns: int
) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as name, tree_of(commit, Path(name)) as earlier:
        for size in sizes:
            ours, theirs = _turns([ROOT, earlier], url, Path(name), size=size, turns=turns)
            for what in ("cpu", "wall"):
                ratio = Ratio.of(_rounds(ours, what), _rounds(theirs, what))
                more = {
                    "turns": turns,
                    "ms": _milliseconds(ours, what),
                    "theirs": _milliseconds(theirs, what),
                }
                said = f"cost of a renewal at {size} / {commit}, {what}"
                yield Figure(said, ratio.value, "×", ("<=", 1.1), engine, spread=ratio.spread, more=more)


def _rounds(turns: list[dict[str, float]], what: str) -> list[float]:
    """The sums of every ROUNDSth turn: what else the machine does falls on each of them."""
    return [sum(turn[what] for turn in turns[start::ROUNDS]) for start in range(ROUNDS)]


def _milliseconds(turns: list[dict[str, float]], what: str) -> float:
    return round(statistics.median(turn[what] for turn in turns) / EACH * 1000, 3)


@contextlib.contextmanager
def tree_of(commit: str, folder: Path) -> Iterator[Path]:
    """The files of that commit. Raises CalledProcessError where this is no clone that knows it."""
    tree = folder / "earlier"
    subprocess.run(["git", "worktree", "add", "--detach", "--quiet", tree, commit], cwd=ROOT, check=True)
    try:
        yield tree
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)


def _turns(
    trees: list[Path], url: Callable[[Path], str], folder: Path, *, size: int, turns: int
) -> list[list[dict[str, float]]]:
    """What each turn took in each tree, without the first ones."""
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(_renewing(tree, url(new_folder(folder)), size)) for tree in trees]
        took: list[list[dict[str, float]]] = [[] for _ in trees]
        for turn in range(WARM_UP + turns):
            for process, mine in zip(processes, took, strict=True):
                print(file=process.stdin, flush=True)
                said = json.loads(process.stdout.readline())
                if turn >= WARM_UP:
                    mine.append(said)
    return took


@contextlib.contextmanager
def _renewing(tree: Path, database_url: str, size: int) -> Iterator[subprocess.Popen]:
    """bench/turns.py over the modules of `tree`, filled and ready; it ends with its input."""
    with tempfile.TemporaryDirectory() as own:
        environment = {
            "PYTHONPATH": str(tree),
            "PORTAL_DATABASE_URL": database_url,
            "PORTAL_DATA_DIR": own,
            "PORTAL_SECRET_KEY": "only-for-the-bench-" * 3,
            "PORTAL_GATEWAY_RATE": str(UNLIMITED),
        }
        # -P: the folder of the script must not stand before the tree.
        command = [sys.executable, "-P", str(ROOT / "bench/turns.py"), str(size), str(EACH)]
        with subprocess.Popen(
            command,
            cwd=tree,
            env=clean_environment(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout.readline().strip() == "ready", "see its error above"
            yield process
