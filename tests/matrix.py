"""How much of the matrix a run goes through: engines, readers of the browser's stories, looks of a page,
hostile values, simulated worlds, days on which nothing waits.

`make test` takes each rule once and shares out the rest by turns that never depend on chance; with the
environment variable FULL=1 everything meets everything.
"""

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("FULL", "") not in ("", "0")


def taking_turns(choices: Sequence[T], turn: int, *, at_least: int = 1) -> list[T]:
    """Those whose turn it is, so many of them; all with FULL=1."""
    if FULL:
        return list(choices)
    return [choices[(turn + place) % len(choices)] for place in range(min(at_least, len(choices)))]


SHARES = 7


def share(values: Sequence[T], turn: int, *, shares: int = SHARES) -> list[T]:
    """Every seventh of the values, beginning with the turn's, and never none; all with FULL=1.

    Seven turns in a row have had each of them. `shares` may be another number than seven.
    """
    return list(values) if FULL else list(values[turn % min(shares, max(len(values), 1)) :: shares])
