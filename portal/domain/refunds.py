"""What may be paid back, until when, and what the subscription is afterwards (source-systems §2.4).

Only the last payment of each subscription. Paying back undoes it: the periods are what they would be had it
never been made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from .money import Money
from .vocabulary import Interval

YEARLY_REFUND_DAYS = 30


@dataclass(frozen=True, slots=True)
class GivenPeriod:
    """A period as its payment gave it, before later ones cut it. `until` None: it never ends."""

    key: int
    start: date
    until: date | None


def last_refund_day(*, paid_on: date, interval: Interval, base_end_on: date) -> date:
    """The last day on which the payment can be paid back, included.

    By the year 30 days after the payment; by the month the last day of the paid month, without extra days.
    """
    if interval is Interval.YEAR:
        return paid_on + timedelta(days=YEARLY_REFUND_DAYS)
    return base_end_on - timedelta(days=1)


def shares_of_lines(moved: Money, lines: Sequence[Money]) -> list[Money]:
    """How much of what a gateway has moved each line of an order has cost, tax included, in their order.

    In proportion to the lines, so that all of them together are all of it and none is above its line: the
    balance has paid the rest of each. Nothing for lines that were all free.
    """
    weights = [line.minor for line in lines]
    return moved.allocate(weights) if any(weights) else [Money.zero(moved.currency) for _line in lines]


def replay(given: Sequence[GivenPeriod]) -> list[GivenPeriod]:
    """The periods in the order in which they were given, each cut by those after it.

    A later one ends what runs on its first day there, and empties what had not begun.
    """
    lasting: list[GivenPeriod] = []
    for newest in given:
        lasting = [_cut(period, at=newest.start) for period in lasting]
        lasting.append(newest)
    return lasting


def _cut(period: GivenPeriod, *, at: date) -> GivenPeriod:
    if period.start > at:
        return replace(period, until=period.start)
    if period.until is None or period.until > at:
        return replace(period, until=at)
    return period
