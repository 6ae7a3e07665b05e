"""What time brings to a subscription: which letters and acts are due today, and on which day to look again.

One table of windows. A letter is written once about one due date, while its window is open: after an absence
what is still true is said and what is past is left out. An act has no last day, so that an absence delays it
and loses nothing. The services carry the steps out (services/renewals/one_subscription.py).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from .periods import add_months
from .vocabulary import NoticeKind, SubscriptionState

TRIAL_WARNING_DAYS = 5
TRIAL_OVER_DAYS = 7
NOTICE_DAYS = 7
PRICE_RISE_DAYS = 30
"""How long before the charge a rise is mailed at the latest: after that the price that was told stays."""
PRICE_RISE_FIRST_DAYS = 45
"""How long before it is mailed at the earliest: a worker that was away has days to spare."""
INVOICE_AHEAD_DAYS = 30
"""How long before a period its invoice is issued, where it is paid by bank transfer."""
BLOCKED_LETTER_DAYS = 30
MONTHS_BEFORE_DELETION = 6
DAYS_OF_WARNING = 7


class Act(StrEnum):
    RENEW = "renew"
    INVOICE_AHEAD = "invoice_ahead"
    BEGIN_FREE_PLAN = "begin_free_plan"
    DELETE = "delete"


Step = NoticeKind | Act


@dataclass(frozen=True, slots=True)
class SubscriptionDates:
    """A subscription as the timeline sees it on one day of its workspace.

    `blocked_on` is the first day without access; it counts for nothing while a renewal is untried or its
    result unknown (`renew_on` without `renewal_failed_on`). `renew_on` is the day of the next automatic
    charge, None when there is none. `free_plan_waits`: a free plan begins on the due date, in place of any
    charge. `said` are the letters about this due date with the day each was written.

    `pays_by_transfer`: the next period is invoiced ahead. `owes_invoice`: an invoice for it is open, which
    has reminders of its own.

    `is_licensed`: of a licensed product, for which no workspace is deleted. `trial_until` is the last usable
    day of its trial, None once something was bought.
    """

    state: SubscriptionState
    due_on: date | None
    blocked_on: date | None
    plan_is_trial: bool = False
    renew_on: date | None = None
    renewal_failed_on: date | None = None
    free_plan_waits: bool = False
    is_licensed: bool = False
    pays_by_transfer: bool = False
    owes_invoice: bool = False
    trial_until: date | None = None
    said: Mapping[NoticeKind, date] = field(default_factory=dict)

    @property
    def access_ends_on(self) -> date | None:
        """Our trouble is never the customer's: nothing ends before a renewal has failed (product.md §5)."""
        untried = self.renew_on is not None and self.renewal_failed_on is None
        return None if untried else self.blocked_on


class _Window(NamedTuple):
    """`first` is the first day of `step`, `until` the first day on which it comes too late; None: never."""

    step: Step
    first: date
    until: date | None

    def holds(self, day: date) -> bool:
        return self.first <= day and (self.until is None or day < self.until)


def steps_due(dates: SubscriptionDates, *, today: date) -> tuple[Step, ...]:
    """The steps of today in the order in which to take them.

    Each changes the course, so ask again after one. One that could not be taken stays due: a letter as long
    as its window is open, an act for ever.
    """
    return tuple(window.step for window in _open_windows(dates) if window.holds(today))


def look_again_on(dates: SubscriptionDates, *, today: date) -> date | None:
    """The next day on which a step falls due; tomorrow while an act is due and not done.

    None: nothing is to come.
    """
    days = [window.first for window in _open_windows(dates) if window.first > today]
    if any(isinstance(step, Act) for step in steps_due(dates, today=today)):
        days.append(today + _days(1))
    return min(days, default=None)


def _open_windows(dates: SubscriptionDates) -> Iterator[_Window]:
    return (window for window in _windows(dates) if window.step not in dates.said)


def _windows(dates: SubscriptionDates) -> Iterator[_Window]:
    if dates.due_on is None or dates.state is SubscriptionState.FREE:
        return
    if dates.trial_until is not None:
        yield from _windows_of_a_trial(dates.trial_until)
        return
    if dates.state in (SubscriptionState.CANCELLED, SubscriptionState.ENDED):
        # Nothing comes of what was cancelled, and nobody is asked to pay for it.
        return
    due_on, failed = dates.due_on, dates.renewal_failed_on is not None
    if dates.free_plan_waits:
        yield _Window(Act.BEGIN_FREE_PLAN, due_on, None)
    if dates.plan_is_trial:
        yield from _windows_of_a_trial(due_on)
    elif dates.free_plan_waits:
        yield _Window(NoticeKind.RENEWAL_AHEAD, due_on - _days(NOTICE_DAYS), due_on)
    elif dates.renew_on is not None:
        yield _Window(Act.RENEW, dates.renew_on, None)
        if not failed:
            ahead = dates.renew_on - _days(NOTICE_DAYS)
            too_late = dates.renew_on - _days(PRICE_RISE_DAYS - 1)
            yield _Window(NoticeKind.PRICE_RISE, dates.renew_on - _days(PRICE_RISE_FIRST_DAYS), too_late)
            yield _Window(NoticeKind.RENEWAL_AHEAD, ahead, dates.renew_on)
    elif dates.owes_invoice:
        pass
    elif dates.pays_by_transfer:
        yield _Window(Act.INVOICE_AHEAD, due_on - _days(INVOICE_AHEAD_DAYS), None)
    elif not failed:
        yield _Window(NoticeKind.DUE_SOON, due_on - _days(NOTICE_DAYS), due_on + _days(1))
    if dates.access_ends_on is not None:
        yield from _windows_of_not_paying(dates, due_on=due_on, blocked_on=dates.access_ends_on)


def _windows_of_a_trial(last_day: date) -> Iterator[_Window]:
    yield _Window(NoticeKind.TRIAL_ENDING, last_day - _days(TRIAL_WARNING_DAYS), last_day)
    yield _Window(NoticeKind.TRIAL_LAST_DAY, last_day, last_day + _days(1))
    yield _Window(NoticeKind.TRIAL_OVER, last_day + _days(1), last_day + _days(1 + TRIAL_OVER_DAYS))


def _windows_of_not_paying(dates: SubscriptionDates, *, due_on: date, blocked_on: date) -> Iterator[_Window]:
    if not dates.plan_is_trial:
        # Each failed charge has a letter of its own.
        if not dates.owes_invoice and (dates.free_plan_waits or dates.renewal_failed_on is None):
            yield _Window(NoticeKind.LATE, due_on + _days(1), blocked_on)
        yield _Window(NoticeKind.BLOCKED, blocked_on, blocked_on + _days(BLOCKED_LETTER_DAYS))
    if dates.is_licensed:
        # Whoever does not pay for one product keeps the workspace.
        return
    # Nobody who may still work is told of deletion, however long the grace.
    yield _Window(NoticeKind.DELETION_AHEAD, max(deletion_warning_on(due_on), blocked_on), None)
    warned_on = dates.said.get(NoticeKind.DELETION_AHEAD)
    if warned_on is not None:
        yield _Window(Act.DELETE, warned_on + _days(DAYS_OF_WARNING), None)


def deletion_warning_on(due_on: date) -> date:
    """Six months after the due date: the owner is warned then."""
    return add_months(due_on, MONTHS_BEFORE_DELETION, anchor_day=due_on.day)


def renewal_day(*, due_on: date, last_renewed_on: date | None) -> date:
    """The day of the next automatic charge: the due date, or seven days after the last one if that is later.

    The catch-up rule. Whoever was away for months charges one overdue renewal and announces the next one:
    never two charges at once, and no second one without its notice.
    """
    if last_renewed_on is None:
        return due_on
    return max(due_on, last_renewed_on + _days(NOTICE_DAYS))


def _days(n: int) -> timedelta:
    return timedelta(days=n)
