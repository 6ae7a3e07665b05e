"""The extend rule: money left of what was paid becomes whole days of the new plan (docs/adr/0003).

The new plan applies at once and its full price is charged. Everything is an exact fraction until one floor
at the end, so that no plan is too cheap to have a price per day and no rounding costs the customer a day. The
published example (18 → 30 USD on 3 January, due 19 February) prints truncated rates; the dates agree.
Prices are without VAT on both sides; `price` is what was really charged, not today's list.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

from .errors import CurrencyMismatch, ExtensionTooLong
from .money import Money
from .periods import Period, period_from
from .vocabulary import Interval

LATEST_DUE_ON = date(9998, 12, 31)
"""The calendar ends a year later: there is room for a period more, and for the days of grace after it."""

WORTH_DAYS = 7
"""A change that moves the due date by less gains little: that is said before anybody pays."""


@dataclass(frozen=True, slots=True)
class PaidPeriod:
    """A period that was paid for: running, or prepaid and yet to come.

    `base_days` are those that `price` bought, without the extra days that an earlier change brought:
    a month of 31 days extended by 16 has a `period` of 47 days and a price per day of price/31.
    """

    period: Period
    base_days: int
    price: Money

    def __post_init__(self) -> None:
        if not 0 < self.base_days <= self.period.days:
            raise ValueError(f"{self.base_days} base days in a period of {self.period.days}")
        if self.price.is_negative:
            raise ValueError(f"a period cannot cost {self.price}")

    @property
    def price_per_day(self) -> Fraction:
        """Minor units, exact."""
        return Fraction(self.price.minor, self.base_days)


@dataclass(frozen=True, slots=True)
class DaysLeft:
    """What one paid period still holds on the day of a change."""

    paid: PaidPeriod
    unused_days: int

    @property
    def money_left(self) -> Fraction:
        """Minor units, exact; may exceed `price`, because extra days were paid for too, before it."""
        return self.unused_days * self.paid.price_per_day


@dataclass(frozen=True, slots=True)
class Extension:
    """The six figures that are shown before payment, stored on the order and repeated on the invoice.

    Fractions are minor units of `currency`, exact; the properties that return Money are those figures rounded
    half up, to be shown and never to be reckoned with. `base` is what the new price pays for, `period` is
    `base` and the extra days.
    """

    currency: str
    left: tuple[DaysLeft, ...]
    old_price_per_day: Fraction
    new_price_per_day: Fraction
    unused_days: int
    money_left: Fraction
    extra_days: int
    base: Period

    @property
    def due_on(self) -> date:
        return self.base.end + timedelta(days=self.extra_days)

    @property
    def period(self) -> Period:
        return Period(self.base.start, self.due_on)

    @property
    def anchor_day(self) -> int:
        """Anchor of the periods to come: the new due day once days were added, else the day of the change."""
        return self.due_on.day if self.extra_days else self.base.start.day

    @property
    def old_due_on(self) -> date:
        """The end of what was paid before the change; the day of the change where nothing was."""
        return self.left[-1].paid.period.end if self.left else self.base.start

    @property
    def gained_days(self) -> int:
        """Days by which the due date moves; below 0 it comes earlier, though more is paid."""
        return (self.due_on - self.old_due_on).days

    @property
    def gains_little(self) -> bool:
        """Whether a whole new price is paid for less than WORTH_DAYS more.

        Annual 180 to monthly 18 on 1 July 2024: 18 USD for 2 days (source-systems §3.6).
        """
        return bool(self.left) and self.gained_days < WORTH_DAYS

    @property
    def extra_days_exact(self) -> Fraction:
        """Extra days before the floor: 16.8 in the published example."""
        return self.money_left / self.new_price_per_day

    @property
    def old_price_per_day_shown(self) -> Money:
        return Money.nearest(self.old_price_per_day, self.currency)

    @property
    def new_price_per_day_shown(self) -> Money:
        return Money.nearest(self.new_price_per_day, self.currency)

    @property
    def money_left_shown(self) -> Money:
        return Money.nearest(self.money_left, self.currency)


def extend(*, paid: Sequence[PaidPeriod], new_price: Money, interval: Interval, on: date) -> Extension:
    """The period that `new_price` buys on the day `on`, with the money left in `paid` as extra days.

    `paid` is the running period and those prepaid after it, in order; empty for a trial or a free plan. What
    is over counts for nothing. The day of the change is used by the old plan; the due date is never an unused
    day. The old price per day is the running period's (0 when nothing was paid).
    Raises CurrencyMismatch: a running period's currency cannot be changed; ExtensionTooLong: the due date
    would lie after LATEST_DUE_ON. A free plan has no end date, so a `new_price` of 0 is the caller's mistake.
    """
    if new_price.minor <= 0:
        raise ValueError("only a plan with a price is extended")
    for before, after in pairwise(paid):
        if before.period.end > after.period.start:
            raise ValueError(f"paid twice: {before.period} and {after.period}")
    for part in paid:
        if part.price.currency != new_price.currency:
            raise CurrencyMismatch(left=part.price.currency, right=new_price.currency)
    base = period_from(on, interval)
    left = tuple(DaysLeft(part, part.period.days_unused(on)) for part in paid)
    money_left = sum((part.money_left for part in left), start=Fraction(0))
    new_price_per_day = Fraction(new_price.minor, base.days)
    extra_days = math.floor(money_left / new_price_per_day)
    if extra_days > (LATEST_DUE_ON - base.end).days:
        raise ExtensionTooLong(latest=LATEST_DUE_ON)
    return Extension(
        currency=new_price.currency,
        left=left,
        old_price_per_day=_running(paid, on).price_per_day if paid else Fraction(0),
        new_price_per_day=new_price_per_day,
        unused_days=sum(part.unused_days for part in left),
        money_left=money_left,
        extra_days=extra_days,
        base=base,
    )


def _running(paid: Sequence[PaidPeriod], on: date) -> PaidPeriod:
    """The last period that has begun by `on`: on the due date still the old one, if nothing follows it."""
    begun = [part for part in paid if part.period.start <= on]
    if not begun:
        raise ValueError(f"nothing of what was paid has begun on {on}")
    return begun[-1]
