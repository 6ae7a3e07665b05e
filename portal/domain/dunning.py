"""After a failed automatic charge: when it is tried again, and with which methods.

A round tries the methods in their order until one pays. A temporary decline (`soft`) is tried again in the
next round; a hard one is not: another card is asked for. What was not confirmed is asked for again as well.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from .vocabulary import DeclineCode

NOT_CONFIRMED = frozenset(
    {DeclineCode.WITHDRAWN, DeclineCode.AUTHENTICATION_FAILED, DeclineCode.REFUSED_BY_PAYER}
)
"""The bank asked for the payer, who did not come or said no: no bank refused anything."""


def next_round_on(*, failed_on: date, today: date, days: Sequence[int]) -> date | None:
    """The next day of `days` after the first failure `failed_on`, None once they are over."""
    later = [day for day in (failed_on + timedelta(days=n) for n in sorted(days)) if day > today]
    return later[0] if later else None


def last_usable_day(failed_on: date, days: Sequence[int]) -> date:
    """How long access lasts after the first failure, whatever the grace days are."""
    return failed_on + timedelta(days=max(days, default=0))


def was_not_confirmed(decline_code: str) -> bool:
    return decline_code in NOT_CONFIRMED


def request_stands_until(*, asked_on: date, failed_on: date, last_usable: date, days: Sequence[int]) -> date:
    """The last day on which a payer can confirm what a round asked on `asked_on`.

    Until the next round asks anew; the last one's stands as long as access does (`last_usable`).
    `failed_on` is the day of the first request.
    """
    following = next_round_on(failed_on=failed_on, today=asked_on, days=days)
    return max(asked_on, last_usable if following is None else following - timedelta(days=1))


def methods_left(
    methods: Sequence[int], *, refused_for_good: Iterable[int], tried_today: Iterable[int]
) -> list[int]:
    """The ids of `methods` that this round may still ask, in their order."""
    spent = {*refused_for_good, *tried_today}
    return [method for method in methods if method not in spent]
