"""Purchase requests: how long one stands open, and how far members buy without asking.

Whoever may not buy alone asks; whoever may approve orders what was asked for, at the prices of that day.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .errors import PortalError
from .money import Money
from .periods import Period
from .vocabulary import RequestState

REQUEST_DAYS = 14
MOST_OPEN = 10
"""Requests of one person that wait at the same time: each is mailed to whoever decides."""
LONGEST_NOTE = 1000
"""Characters of a note, and of the reason of a refusal."""


class AlreadyDecided(PortalError):
    """Nothing can be decided about the request any more: it is `state` (RequestState)."""

    state: RequestState


class TooManyRequests(PortalError):
    """The person has `most` requests that nobody has decided yet."""

    most: int


class BeingOrdered(PortalError):
    """Another approver has opened it as an order, or pays it: `by` is their name."""

    by: str


class AboveCeiling(PortalError):
    """`amount` is more than the `left` that members may still spend this month without asking."""

    amount: Money
    left: Money


def expires_at(asked_at: datetime) -> datetime:
    """The first moment at which nobody can approve it any more."""
    return asked_at + timedelta(days=REQUEST_DAYS)


def state_at(
    stored: RequestState, *, ends_at: datetime, is_being_paid: bool = False, now: datetime
) -> RequestState:
    """How it stands at `now`, whether or not the run has come by since its end.

    While the order that an approver made of it is being paid it stays open: that payment decides.
    """
    if stored is RequestState.OPEN and now >= ends_at and not is_being_paid:
        return RequestState.EXPIRED
    return stored


def month_of(day: date) -> Period:
    """The calendar month around `day`."""
    first = day.replace(day=1)
    return Period(first, (first + timedelta(days=31)).replace(day=1))


@dataclass(frozen=True, slots=True)
class Allowance:
    """What members may spend together in a calendar month without asking, and have spent; tax included."""

    ceiling: Money
    spent: Money

    @property
    def left(self) -> Money:
        """Never less than nothing: the ceiling may have been lowered since."""
        return max(self.ceiling - self.spent, Money.zero(self.ceiling.currency))

    def covers(self, amount: Money) -> bool:
        """Exactly the ceiling is not above it. An amount in another currency cannot be compared: it is."""
        return amount.currency == self.ceiling.currency and amount <= self.left
