"""Until when an open invoice is to be paid, and on which days it is told again."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.open_invoices import next_reminder, pay_by, reminder_days, reminder_due

DUNNING = (1, 3, 7, 14)
DUE = date(2026, 12, 21)


PAY_BY = {
    "bought today: 30 days": (date(2026, 11, 21), date(2026, 11, 21), date(2026, 12, 21)),
    "a change of what runs: 30 days": (date(2026, 11, 21), date(2026, 11, 1), date(2026, 12, 21)),
    "invoiced 30 days ahead: by the day it begins": (date(2026, 11, 21), date(2026, 12, 21), DUE),
    "over a leap day": (date(2028, 2, 10), date(2028, 2, 10), date(2028, 3, 11)),
    "ahead, but late through our absence: a week": (
        date(2026, 12, 19),
        date(2026, 12, 21),
        date(2026, 12, 26),
    ),
    "at the turn of the year": (date(2026, 12, 15), date(2026, 12, 15), date(2027, 1, 14)),
}


@pytest.mark.parametrize(("issued_on", "begins_on", "day"), PAY_BY.values(), ids=PAY_BY)
def test_until_when_it_is_to_be_paid(issued_on, begins_on, day):
    assert pay_by(issued_on, begins_on=begins_on) == day


def test_it_is_told_a_week_ahead_and_on_the_dunning_days():
    assert reminder_days(DUE, DUNNING) == [
        date(2026, 12, 14),
        date(2026, 12, 22),
        date(2026, 12, 24),
        date(2026, 12, 28),
        date(2027, 1, 4),
    ]


ISSUED = date(2026, 11, 21)
REMINDERS = {
    "two weeks ahead: not yet": (None, date(2026, 12, 7), None),
    "a week ahead": (None, date(2026, 12, 14), date(2026, 12, 14)),
    "told: not again the day after": (date(2026, 12, 14), date(2026, 12, 15), None),
    "a day late with the first one": (None, date(2026, 12, 15), date(2026, 12, 14)),
    "on the last day: that one still": (None, DUE, date(2026, 12, 14)),
    "the day after: overdue": (date(2026, 12, 14), date(2026, 12, 22), date(2026, 12, 22)),
    "after an absence: one, the newest": (date(2026, 12, 14), date(2026, 12, 29), date(2026, 12, 28)),
    "never 'soon' of a day that is over": (None, date(2026, 12, 22), date(2026, 12, 22)),
    "all are said": (date(2027, 1, 4), date(2027, 2, 1), None),
}


@pytest.mark.parametrize(("reminded_on", "today", "about"), REMINDERS.values(), ids=REMINDERS)
def test_which_reminder_is_due(reminded_on, today, about):
    found = reminder_due(DUE, issued_on=ISSUED, reminded_on=reminded_on, today=today, dunning_days=DUNNING)
    assert found == about


def test_whoever_gets_the_invoice_a_week_ahead_is_not_reminded_the_same_day():
    issued = DUE - timedelta(days=7)
    assert reminder_due(DUE, issued_on=issued, reminded_on=None, today=issued, dunning_days=DUNNING) is None


def test_without_dunning_days_it_is_told_ahead_alone():
    assert (
        reminder_due(DUE, issued_on=ISSUED, reminded_on=None, today=DUE + timedelta(days=1), dunning_days=())
        is None
    )


@given(
    days=st.lists(st.integers(1, 60), max_size=5, unique=True),
    looks=st.lists(st.integers(0, 120), max_size=20),
)
def test_however_often_one_looks_each_reminder_is_sent_once_and_in_order(days, looks):
    sent, reminded = [], None
    for look in sorted(looks):
        today = ISSUED + timedelta(days=look)
        about = reminder_due(DUE, issued_on=ISSUED, reminded_on=reminded, today=today, dunning_days=days)
        if about is not None:
            sent.append(about)
            reminded = about
    assert sent == sorted(set(sent))
    assert set(sent) <= set(reminder_days(DUE, days))


@given(days=st.lists(st.integers(1, 60), max_size=5, unique=True), after=st.integers(0, 120))
def test_the_next_reminder_is_a_day_to_come(days, after):
    today = ISSUED + timedelta(days=after)
    coming = next_reminder(DUE, after=today, dunning_days=days)
    assert coming is None or (coming > today and coming in reminder_days(DUE, days))
