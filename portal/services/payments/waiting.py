"""What a payment, a refund and a set-up have in common while their gateway's answer is open."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from portal.models import MethodSetup, Payment, Refund
from portal.runtime import current

LOOK_UP_AFTER = (
    timedelta(minutes=1),
    timedelta(minutes=1),
    timedelta(minutes=3),
    timedelta(minutes=5),
    timedelta(hours=1),
    timedelta(days=1),
)
ABANDONED_AFTER = timedelta(days=1)

Waiting = TypeVar("Waiting", Payment, Refund, MethodSetup)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """How many were asked about, whose result is known now, and that could not be asked about."""

    asked: int
    settled: int
    failed: int = 0


class LooksUpLater(Protocol):
    """What is asked for now and looked up at `look_up_at`, if no answer comes."""

    look_up_at: datetime


def settle_each(
    waiting: Iterable[Waiting],
    act: Callable[[Waiting], Waiting],
    *,
    record_silence: Callable[[Waiting], Waiting],
    still_open: Sequence[str],
) -> ReconcileReport:
    """`act` on each; whatever it raises is written down as silence. `still_open`: the states that wait."""
    asked = settled = failed = 0
    for each in list(waiting):
        asked += 1
        try:
            answered = act(each)
        except Exception:
            # The boundary: one that cannot be settled must not keep the others unknown.
            log.exception("%s %s cannot be settled", type(each).__name__, each.key)
            failed += 1
            answered = record_silence(each)
        settled += answered.state not in still_open
    return ReconcileReport(asked=asked, settled=settled, failed=failed)


def next_look(after: Sequence[timedelta], tries: int) -> timedelta:
    """How long to wait after so many tries: later and later, for ever the last of `after`."""
    return after[min(tries, len(after) - 1)]


def longest_answer() -> timedelta:
    """How long the gateway is waited for."""
    return timedelta(seconds=current().settings.gateway_timeout_seconds)


def longest_on_its_way() -> timedelta:
    """How long a request may still be on its way: longer than the time-out, and never less than a minute."""
    return max(timedelta(minutes=1), 2 * longest_answer())


def may_have_been_looked_up(asked: LooksUpLater) -> bool:
    """Whether the request would be sent so late that somebody may have looked it up meanwhile."""
    return current().clock.wall() > asked.look_up_at - longest_answer()
