"""Half-open spans of days, and the anchor day that survives short months (docs/adr/0002).

All days are the workspace's own dates; what time it is there is decided above the domain.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from .vocabulary import Interval

MONTHS: Mapping[Interval, int] = MappingProxyType({Interval.MONTH: 1, Interval.YEAR: 12})


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The days from `start` to `end`, `end` excluded; never empty.

    What one invoice line pays for. `end` is the due date, a day that stays usable though it is not in here.
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"a period ends after it starts: {self.start} – {self.end}")

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    def contains(self, day: date) -> bool:
        return self.start <= day < self.end

    def days_unused(self, on: date) -> int:
        """Whole days of the period after `on`; all of them before it starts, 0 once it is over.

        Extend rule: the day of the change is used (28 in the published example, docs/adr/0003).
        """
        return min(self.days, max(0, (self.end - on).days - 1))


def add_months(day: date, n: int, *, anchor_day: int) -> date:
    """The `anchor_day` of the month `n` months from that of `day`, or that month's last day if shorter.

    31 January → 28 February → 31 March, with anchor 31 all the way. `n` may be negative.
    """
    if not 1 <= anchor_day <= 31:
        raise ValueError(f"not a day of a month: {anchor_day}")
    years, month0 = divmod(day.month - 1 + n, 12)
    year, month = day.year + years, month0 + 1
    return date(year, month, min(anchor_day, monthrange(year, month)[1]))


def anchor_at(due_on: date, *, anchor_day: int) -> int:
    """The remembered anchor day; a due date that does not lie on it is its own anchor."""
    return anchor_day if add_months(due_on, 0, anchor_day=anchor_day) == due_on else due_on.day


def period_from(start: date, interval: Interval, *, anchor_day: int | None = None) -> Period:
    """One `interval` from `start`, which lies on the anchor; `anchor_day` None means the day of `start`.

    29 February + 1 year = 28 February, and 29 again four years on: the month stays, the anchor day returns.
    """
    anchor_day = start.day if anchor_day is None else anchor_day
    if start != add_months(start, 0, anchor_day=anchor_day):
        raise ValueError(f"{start} is not the day {anchor_day} of its month")
    return Period(start, add_months(start, MONTHS[interval], anchor_day=anchor_day))


def next_period(period: Period, interval: Interval, *, anchor_day: int) -> Period:
    """The period that begins where `period` ends. `interval` is the new one's."""
    return period_from(period.end, interval, anchor_day=anchor_day)
