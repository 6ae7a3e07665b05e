"""Paying back: until when, and what is left (source-systems.md §2.4, product.md §4)."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.money import Money
from portal.domain.periods import period_from
from portal.domain.refunds import GivenPeriod, last_refund_day, replay, shares_of_lines
from portal.domain.vocabulary import Interval

MONTH, YEAR = Interval.MONTH, Interval.YEAR
property_test = settings(deadline=None)


def day(text):
    return date.fromisoformat(text)


# payment, interval, end of the base period (excluded), last day on which it can be paid back.
LAST_DAYS = {
    # 1 January + 30.
    "yearly: day 30 included": ("2026-01-01", YEAR, "2027-01-01", "2026-01-31"),
    "yearly, over the end of a month": ("2026-01-31", YEAR, "2027-01-31", "2026-03-02"),
    "yearly, in a leap year": ("2028-01-31", YEAR, "2029-01-31", "2028-03-01"),
    # Paid on 20 December for the year from 31 January: counted from the payment.
    "yearly, prolonged early": ("2026-12-20", YEAR, "2028-01-31", "2027-01-19"),
    "monthly: the last day of the paid month": ("2026-01-01", MONTH, "2026-02-01", "2026-01-31"),
    # 3 January → 3 February, 16 extra days until the 19th: they were not paid for by this payment.
    "monthly, extended: without the extra days": ("2026-01-03", MONTH, "2026-02-03", "2026-02-02"),
    "monthly, clamped": ("2026-01-31", MONTH, "2026-02-28", "2026-02-27"),
    # Paid on 20 January for the month from 1 February.
    "monthly, prolonged early: until the end of that month": (
        "2026-01-20", MONTH, "2026-03-01", "2026-02-28"),
    # Paid on 15 February, in dunning, for the month from the 1st.
    "monthly, paid late": ("2026-02-15", MONTH, "2026-03-01", "2026-02-28"),
}  # fmt: skip


@pytest.mark.parametrize(("paid", "interval", "base_end", "expected"), LAST_DAYS.values(), ids=LAST_DAYS)
def test_the_last_day_to_pay_back(paid, interval, base_end, expected):
    found = last_refund_day(paid_on=day(paid), interval=interval, base_end_on=day(base_end))
    assert found == day(expected)


def test_day_30_is_in_and_day_31_is_out():
    paid_on = day("2026-05-01")
    last = last_refund_day(paid_on=paid_on, interval=YEAR, base_end_on=day("2027-05-01"))
    assert paid_on + timedelta(days=30) <= last < paid_on + timedelta(days=31)


# --- what is left ---------------------------------------------------------------------------------


def given_periods(*texts):
    """« 2026-01-01/2026-02-01 », in the order in which they were paid; an empty end never comes."""
    found = []
    for key, text in enumerate(texts, start=1):
        start, until = text.split("/")
        found.append(GivenPeriod(key, day(start), day(until) if until else None))
    return found


def spans(periods):
    return [f"{each.start}/{each.until or ''}" for each in periods]


REPLAYS = {
    "one": (["2026-01-01/2026-02-01"], ["2026-01-01/2026-02-01"]),
    "prolonged: they touch, nothing is cut": (
        ["2026-01-01/2026-02-01", "2026-02-01/2026-03-01"],
        ["2026-01-01/2026-02-01", "2026-02-01/2026-03-01"]),
    "bought from a trial: the trial ends there": (
        ["2026-01-01/2026-01-31", "2026-01-10/2026-02-10"],
        ["2026-01-01/2026-01-10", "2026-01-10/2026-02-10"]),
    "bought from a free plan, which had no end": (
        ["2026-01-01/", "2026-03-05/2026-04-05"], ["2026-01-01/2026-03-05", "2026-03-05/2026-04-05"]),
    "the published change": (
        ["2026-01-01/2026-02-01", "2026-01-03/2026-02-19"],
        ["2026-01-01/2026-01-03", "2026-01-03/2026-02-19"]),
    # The prepaid February had not begun: it is empty, its money went into the new period.
    "a change with a prepaid month": (
        ["2026-01-01/2026-02-01", "2026-02-01/2026-03-01", "2026-01-03/2026-03-10"],
        ["2026-01-01/2026-01-03", "2026-02-01/2026-02-01", "2026-01-03/2026-03-10"]),
    "two changes on one day": (
        ["2026-01-01/2026-02-01", "2026-01-03/2026-02-19", "2026-01-03/2026-02-26"],
        ["2026-01-01/2026-01-03", "2026-01-03/2026-01-03", "2026-01-03/2026-02-26"]),
    "a change on the day of purchase": (
        ["2026-01-01/2026-02-01", "2026-01-01/2026-02-19"],
        ["2026-01-01/2026-01-01", "2026-01-01/2026-02-19"]),
    "paid after a gap": (
        ["2026-01-01/2026-02-01", "2026-05-10/2026-06-10"],
        ["2026-01-01/2026-02-01", "2026-05-10/2026-06-10"]),
    "a free plan after a paid one": (
        ["2026-01-01/2026-02-01", "2026-02-01/"], ["2026-01-01/2026-02-01", "2026-02-01/"]),
    "nothing": ([], []),
}  # fmt: skip


@pytest.mark.parametrize(("texts", "expected"), REPLAYS.values(), ids=REPLAYS)
def test_later_periods_cut_earlier_ones(texts, expected):
    assert spans(replay(given_periods(*texts))) == expected


UNDONE = {
    "an upgrade: the plan before, with its own due date": (
        ["2026-01-01/2026-02-01", "2026-01-03/2026-02-19"], ["2026-01-01/2026-02-01"]),
    "the first purchase: the trial again": (
        ["2026-01-01/2026-01-31", "2026-01-10/2026-02-10"], ["2026-01-01/2026-01-31"]),
    "a purchase from the free plan: no end again": (
        ["2026-01-01/", "2026-03-05/2026-04-05"], ["2026-01-01/"]),
    "a change that took a prepaid month": (
        ["2026-01-01/2026-02-01", "2026-02-01/2026-03-01", "2026-01-03/2026-03-10"],
        ["2026-01-01/2026-02-01", "2026-02-01/2026-03-01"]),
    "the second change of a day": (
        ["2026-01-01/2026-02-01", "2026-01-03/2026-02-19", "2026-01-03/2026-02-26"],
        ["2026-01-01/2026-01-03", "2026-01-03/2026-02-19"]),
}  # fmt: skip


@pytest.mark.parametrize(("texts", "expected"), UNDONE.values(), ids=UNDONE)
def test_without_the_last_payment(texts, expected):
    assert spans(replay(given_periods(*texts)[:-1])) == expected


class Rows:
    """The stored periods, cut in place as services/subscriptions._cut_periods does with its two updates."""

    def __init__(self):
        self.rows = []

    def pay(self, period):
        at = period.start
        for row in self.rows:
            if row["start"] <= at and (row["end"] is None or row["end"] > at):
                row["end"] = at
        for row in self.rows:
            if row["start"] > at:
                row["end"] = row["start"]
        self.rows.append({"key": period.key, "start": period.start, "end": period.until})

    @property
    def spans(self):
        return [(row["key"], row["start"], row["end"]) for row in self.rows]


@st.composite
def histories(draw):
    """Payments in order: prolonged at the due date, or bought on a later day; some with extra days."""
    today = draw(st.dates(date(2024, 1, 1), date(2028, 12, 31)))
    periods, due_on = [], None
    for key in range(1, draw(st.integers(1, 8)) + 1):
        today += timedelta(days=draw(st.sampled_from([0, 0, 1, 10, 31, 90])))
        prolongs = due_on is not None and due_on >= today and draw(st.booleans())
        base = period_from(due_on if prolongs else today, draw(st.sampled_from(Interval)))
        until = base.end + timedelta(days=draw(st.integers(0, 40)))
        due_on = None if draw(st.sampled_from([True, False, False, False])) else until
        periods.append(GivenPeriod(key, base.start, due_on))
    return periods


@property_test
@given(histories())
def test_replaying_is_what_the_stored_rows_went_through(periods):
    stored = Rows()
    for period in periods:
        stored.pay(period)
    assert [(each.key, each.start, each.until) for each in replay(periods)] == stored.spans


@property_test
@given(histories())
def test_without_the_last_everything_is_as_it_was_before_it(periods):
    before = Rows()
    for period in periods[:-1]:
        before.pay(period)
    assert [(each.key, each.start, each.until) for each in replay(periods[:-1])] == before.spans


@property_test
@given(histories())
def test_what_lasts_never_overlaps_and_the_last_payment_is_whole(periods):
    lasting = replay(periods)
    assert lasting[-1] == periods[-1]
    alive = sorted((each for each in lasting if each.until != each.start), key=lambda each: each.start)
    for earlier, later in pairwise(alive):
        assert earlier.until is not None and earlier.until <= later.start


# --- what each line of an order had cost ----------------------------------------------------------

# What a gateway moved, the lines with their tax; what was moved for each.
SHARES = {
    "one line is all of it": (3360, [3360], [3360]),
    "without a balance each line is its own": (7320, [3360, 3960], [3360, 3960]),
    # 13.20 of 141.60 from the balance: 33.60 × 128.40 ÷ 141.60 = 30.468, 108.00 × … = 97.932.
    "the balance has paid its part of each": (12840, [3360, 10800], [3047, 9793]),
    # 1.00 ÷ 3 = 33.33 each: the unit that is left goes to the first.
    "what is left over goes to one of them": (100, [100, 100, 100], [34, 33, 33]),
    "a line that was free": (1200, [0, 1200], [0, 1200]),
    "so small that nothing was moved for one": (1, [1, 1000], [0, 1]),
    "all of them free": (0, [0, 0], [0, 0]),
    "the balance has paid everything": (0, [500, 700], [0, 0]),
}


@pytest.mark.parametrize("name", SHARES)
def test_each_line_has_its_share_of_what_was_moved(name):
    moved, lines, shares = SHARES[name]
    found = shares_of_lines(Money(moved, "EUR"), [Money(line, "EUR") for line in lines])
    assert [share.minor for share in found] == shares


@property_test
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20), st.data())
def test_all_shares_are_what_was_moved_and_none_is_above_its_line(lines, data):
    moved = data.draw(st.integers(0, sum(lines)))
    shares = shares_of_lines(Money(moved, "EUR"), [Money(line, "EUR") for line in lines])
    assert sum(share.minor for share in shares) == moved
    assert all(0 <= share.minor <= line for share, line in zip(shares, lines, strict=True))
