from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.periods import Period, add_months, next_period, period_from
from portal.domain.vocabulary import Interval

MONTH, YEAR = Interval.MONTH, Interval.YEAR
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
INTERVALS = st.sampled_from(Interval)
property_test = settings(deadline=None)


def day(text):
    return date.fromisoformat(text)


def period(start, end):
    return Period(day(start), day(end))


ADDED = {
    "plain": ("2026-01-15", 1, 15, "2026-02-15"),
    "over the year": ("2026-12-15", 1, 15, "2027-01-15"),
    "31 January has no 31 February": ("2026-01-31", 1, 31, "2026-02-28"),
    "29 in a leap year": ("2024-01-31", 1, 31, "2024-02-29"),
    "the anchor comes back": ("2026-02-28", 1, 31, "2026-03-31"),
    "30 days in April": ("2026-03-31", 1, 31, "2026-04-30"),
    "without the anchor it would stay 28": ("2026-02-28", 1, 28, "2026-03-28"),
    "anchor 30 in February": ("2026-01-30", 1, 30, "2026-02-28"),
    "a year from 29 February": ("2024-02-29", 12, 29, "2025-02-28"),
    "four years from 29 February": ("2024-02-29", 48, 29, "2028-02-29"),
    "the leap day comes back": ("2027-02-28", 12, 29, "2028-02-29"),
    "2100 is no leap year": ("2096-02-29", 48, 29, "2100-02-28"),
    "2000 is one": ("1996-02-29", 48, 29, "2000-02-29"),
    "no month at all": ("2026-02-28", 0, 31, "2026-02-28"),
    "backwards": ("2026-03-31", -1, 31, "2026-02-28"),
    "backwards over the year": ("2026-01-31", -2, 31, "2025-11-30"),
    "six months to deletion": ("2026-08-31", 6, 31, "2027-02-28"),
}


@pytest.mark.parametrize(("start", "n", "anchor_day", "expected"), ADDED.values(), ids=ADDED)
def test_months_clamp_to_the_end_and_remember_the_anchor(start, n, anchor_day, expected):
    assert add_months(day(start), n, anchor_day=anchor_day) == day(expected)


@pytest.mark.parametrize("anchor_day", [0, 32, -1])
def test_an_anchor_is_a_day_of_a_month(anchor_day):
    with pytest.raises(ValueError, match="day of a month"):
        add_months(day("2026-01-31"), 1, anchor_day=anchor_day)


PERIODS = {
    "a month from the 1st has that month's days": ("2026-01-01", MONTH, None, "2026-02-01", 31),
    "so has one from the 15th": ("2026-01-15", MONTH, None, "2026-02-15", 31),
    "February": ("2026-02-01", MONTH, None, "2026-03-01", 28),
    "February of a leap year": ("2024-02-01", MONTH, None, "2024-03-01", 29),
    "clamped": ("2024-01-31", MONTH, None, "2024-02-29", 29),
    "after the clamp, back to 31": ("2024-02-29", MONTH, 31, "2024-03-31", 31),
    "a year": ("2026-01-01", YEAR, None, "2027-01-01", 365),
    "a leap year": ("2024-01-01", YEAR, None, "2025-01-01", 366),
    "from 29 February: 365, and no 29th": ("2024-02-29", YEAR, None, "2025-02-28", 365),
    "to 29 February": ("2027-02-28", YEAR, 29, "2028-02-29", 366),
    "month across new year": ("2026-12-31", MONTH, None, "2027-01-31", 31),
}


@pytest.mark.parametrize(("start", "interval", "anchor_day", "end", "days"), PERIODS.values(), ids=PERIODS)
def test_a_period_from_its_start(start, interval, anchor_day, end, days):
    found = period_from(day(start), interval, anchor_day=anchor_day)
    assert found == period(start, end)
    assert found.days == days


def test_a_start_off_the_anchor_is_our_mistake():
    with pytest.raises(ValueError, match="not the day 31"):
        period_from(day("2026-01-05"), MONTH, anchor_day=31)


def test_a_year_of_months_from_31_january():
    found = [period_from(day("2026-01-31"), MONTH)]
    while len(found) < 12:
        found.append(next_period(found[-1], MONTH, anchor_day=31))
    assert [p.end.isoformat()[5:] for p in found] == [
        "02-28", "03-31", "04-30", "05-31", "06-30", "07-31",
        "08-31", "09-30", "10-31", "11-30", "12-31", "01-31",
    ]  # fmt: skip


def test_another_interval_may_follow():
    january = period_from(day("2026-01-31"), MONTH)
    assert next_period(january, YEAR, anchor_day=31) == period("2026-02-28", "2027-02-28")


@property_test
@given(DAYS, st.lists(INTERVALS, min_size=1, max_size=30))
def test_periods_tile_without_gap_and_the_anchor_returns(start, intervals):
    anchor_day = start.day
    end = start
    for interval in intervals:
        found = period_from(end, interval, anchor_day=anchor_day)
        assert found.start == end
        is_last_of_its_month = (found.end + timedelta(days=1)).day == 1
        assert found.end.day == anchor_day or (found.end.day < anchor_day and is_last_of_its_month)
        assert 28 <= found.days <= 31 if interval is MONTH else 365 <= found.days <= 366
        assert next_period(found, interval, anchor_day=anchor_day).start == found.end
        end = found.end


@property_test
@given(DAYS, st.integers(-240, 240), st.integers(-240, 240))
def test_months_add_up_in_any_order(start, one, other):
    at_once = add_months(start, one + other, anchor_day=start.day)
    in_two_steps = add_months(add_months(start, one, anchor_day=start.day), other, anchor_day=start.day)
    assert at_once == in_two_steps


@property_test
@given(DAYS, DAYS, st.integers(0, 24))
def test_a_later_start_never_ends_earlier(one, other, n):
    earlier, later = sorted((one, other))
    assert add_months(earlier, n, anchor_day=earlier.day) <= add_months(later, n, anchor_day=later.day)


JANUARY = period("2026-01-01", "2026-02-01")
UNUSED = {
    "before it starts: all": ("2025-12-25", 31),
    "the day before": ("2025-12-31", 31),
    "on the day of purchase: the first day is lost on purpose": ("2026-01-01", 30),
    "the published example: 31 - 3": ("2026-01-03", 28),
    "one day left": ("2026-01-30", 1),
    "on the last covered day": ("2026-01-31", 0),
    "on the due date": ("2026-02-01", 0),
    "afterwards": ("2026-06-01", 0),
}


@pytest.mark.parametrize(("on", "expected"), UNUSED.values(), ids=UNUSED)
def test_the_day_of_the_change_is_used(on, expected):
    assert JANUARY.days_unused(day(on)) == expected


def test_days_unused_in_a_period_from_the_middle_of_a_month():
    # (15 Feb - 3 Feb) - 1 = 11; the literal "28 - 3 = 25" of the help page holds from the 1st only.
    assert period("2023-01-15", "2023-02-15").days_unused(day("2023-02-03")) == 11


@property_test
@given(DAYS, INTERVALS, st.integers(-400, 800))
def test_unused_days_are_some_of_the_days(start, interval, offset):
    found = period_from(start, interval)
    on = start + timedelta(days=offset)
    unused = found.days_unused(on)
    assert 0 <= unused <= found.days
    if found.contains(on):
        used = (on - found.start).days + 1
        assert used + unused == found.days


@property_test
@given(DAYS, INTERVALS, INTERVALS, st.integers(0, 800))
def test_touching_periods_leave_what_their_union_leaves(start, first, second, offset):
    one = period_from(start, first)
    two = next_period(one, second, anchor_day=start.day)
    on = start + timedelta(days=offset)
    assert one.days_unused(on) + two.days_unused(on) == Period(one.start, two.end).days_unused(on)


def test_a_period_contains_its_start_and_not_its_end():
    assert JANUARY.contains(day("2026-01-01")) and JANUARY.contains(day("2026-01-31"))
    assert not JANUARY.contains(day("2026-02-01")) and not JANUARY.contains(day("2025-12-31"))


@pytest.mark.parametrize("end", ["2026-01-01", "2025-12-31"])
def test_a_period_is_never_empty(end):
    with pytest.raises(ValueError, match="ends after it starts"):
        period("2026-01-01", end)
