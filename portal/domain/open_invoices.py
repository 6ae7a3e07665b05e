"""An invoice that is to be paid by bank transfer: until when, and on which days a reminder is due."""

from collections.abc import Sequence
from datetime import date, timedelta

from .timeline import NOTICE_DAYS

DAYS_TO_PAY = 30
"""From the day of issue on, for what begins at once."""


def pay_by(issued_on: date, *, begins_on: date) -> date:
    """The last day to pay an invoice in time, of a period that begins on `begins_on`.

    Of a period that runs already, or begins on the day, there are DAYS_TO_PAY. What is invoiced ahead is to
    be paid by the day on which it begins, and after an absence of ours within a week.
    """
    if begins_on <= issued_on:
        return issued_on + timedelta(days=DAYS_TO_PAY)
    return max(begins_on, issued_on + timedelta(days=NOTICE_DAYS))


def reminder_days(due_on: date, dunning_days: Sequence[int]) -> list[date]:
    """A week ahead, and then on each dunning day after the last day to pay; the earliest first."""
    return [
        due_on - timedelta(days=NOTICE_DAYS),
        *(due_on + timedelta(days=each) for each in sorted(dunning_days)),
    ]


def reminder_due(
    due_on: date, *, issued_on: date, reminded_on: date | None, today: date, dunning_days: Sequence[int]
) -> date | None:
    """The reminder to be sent today, named by its day; None for none.

    After an absence the newest one alone, and none that says "soon" of a day that is over. Whoever got the
    invoice that day needs no reminder of it.
    """
    last = issued_on if reminded_on is None else reminded_on
    days = [day for day in reminder_days(due_on, dunning_days) if last < day <= today]
    if not days or (days[-1] < due_on < today):
        return None
    return days[-1]


def next_reminder(due_on: date, *, after: date, dunning_days: Sequence[int]) -> date | None:
    """The first day after `after` on which a reminder may be due; None once all are past."""
    return next((day for day in reminder_days(due_on, dunning_days) if day > after), None)
