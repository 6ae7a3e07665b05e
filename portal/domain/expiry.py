"""When somebody is told that a card expires: a month and a week before its last day, once each."""

from datetime import date, timedelta

from .periods import add_months
from .vocabulary import MethodNoticeKind

A_MONTH_DAYS = 30
A_WEEK_DAYS = 7


def last_day(*, month: int, year: int) -> date:
    """The last day on which a card with this date may be charged."""
    return add_months(date(year, month, 1), 1, anchor_day=1) - timedelta(days=1)


def expires_soon(last: date, *, today: date) -> bool:
    """From a month before its last day on, to that day."""
    return notice_due(last, today=today) is not None


def notice_due(last: date, *, today: date) -> MethodNoticeKind | None:
    """What is to be said today of a card with this last day; after an absence what is still true, alone."""
    days_left = (last - today).days
    if not 0 <= days_left <= A_MONTH_DAYS:
        return None
    if days_left <= A_WEEK_DAYS:
        return MethodNoticeKind.EXPIRES_IN_A_WEEK
    return MethodNoticeKind.EXPIRES_IN_A_MONTH


def look_on(last: date, *, today: date, is_said: bool) -> date | None:
    """The next day on which there may be something to say: None once it is over.

    While what is due today was not said, since nothing would be charged to the card, that may change.
    """
    a_month, a_week = (last - timedelta(days=days) for days in (A_MONTH_DAYS, A_WEEK_DAYS))
    if today < a_month:
        return a_month
    if today >= last or (is_said and today >= a_week):
        return None
    return a_week if is_said else today + timedelta(days=1)
