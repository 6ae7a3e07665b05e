from datetime import date, timedelta
from fractions import Fraction
from math import floor

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from portal.domain.errors import CurrencyMismatch, ExtensionTooLong
from portal.domain.extension import LATEST_DUE_ON, PaidPeriod, extend
from portal.domain.money import Money
from portal.domain.periods import Period, next_period, period_from
from portal.domain.vocabulary import Interval

MONTH, YEAR = Interval.MONTH, Interval.YEAR
property_test = settings(deadline=None)


def day(text):
    return date.fromisoformat(text)


def usd(dollars):
    return Money(dollars * 100, "USD")


def paid(start, dollars, interval=MONTH, *, due=None):
    """A paid period; `due` when extra days were added to it."""
    base = period_from(day(start), interval)
    period = Period(base.start, day(due)) if due else base
    return PaidPeriod(period, base.days, usd(dollars))


def change(*periods, to, on, interval=MONTH):
    return extend(paid=periods, new_price=usd(to), interval=interval, on=day(on))


def test_the_published_example_with_its_six_figures():
    """sources/1 (« Comment la date finale de la nouvelle période payée est-elle calculée ? »).

    18 USD on 1 January, 30 USD on 3 January: 31 - 3 = 28 unused days; 28 × 18/31 ÷ (30/31) = 16.8 days;
    3 February + 16 = 19 February. The page prints 0.96, 16.24 and 16.9, from truncated rates.
    """
    found = change(paid("2026-01-01", 18), to=30, on="2026-01-03")
    assert found.old_price_per_day == Fraction(1800, 31)
    assert found.new_price_per_day == Fraction(3000, 31)
    assert found.unused_days == 28
    assert found.money_left == Fraction(50_400, 31)
    assert found.extra_days == 16
    assert found.due_on == day("2026-02-19")

    assert found.old_price_per_day_shown == Money(58, "USD")
    assert found.new_price_per_day_shown == Money(97, "USD")
    assert found.money_left_shown == Money(1626, "USD")
    assert found.extra_days_exact == Fraction(168, 10)
    assert found.base == Period(day("2026-01-03"), day("2026-02-03"))
    assert found.period == Period(day("2026-01-03"), day("2026-02-19"))
    assert found.anchor_day == 19


def test_the_published_figures_come_from_truncated_rates_and_give_the_same_day():
    old, new = 1800 // 31, 3000 // 31
    assert (old, new, 28 * old) == (58, 96, 1624)
    assert floor(Fraction(28 * old, new) * 10) == 169
    assert day("2026-02-03") + timedelta(days=28 * old // new) == day("2026-02-19")


# source-systems.md §3.2–3.6: periods, new price, day of the change, unused days, exact days, new due date.
CASES = {
    # 30 × 18/30 = 18 exactly: a rounded rate would give 17.
    "change on the day of purchase": ([paid("2026-01-01", 18)], 30, "2026-01-01", 30, "18", "2026-02-19"),
    # 0 unused: the last covered day is used, the due date is never counted.
    "change on the last covered day": ([paid("2026-01-01", 18)], 30, "2026-01-31", 0, "0", "2026-02-28"),
    "change on the due date": ([paid("2026-01-01", 18)], 30, "2026-02-01", 0, "0", "2026-03-01"),
    "change when late": ([paid("2026-01-01", 18)], 30, "2026-02-10", 0, "0", "2026-03-10"),
    # 25 × 18/28 ÷ (30/28) = 15 exactly; truncated rates give 14.
    "February": ([paid("2023-02-01", 18)], 30, "2023-02-03", 25, "15", "2023-03-18"),
    # 26 × 18/29 ÷ (30/29) = 15.6.
    "February of a leap year": ([paid("2024-02-01", 18)], 30, "2024-02-03", 26, "78/5", "2024-03-18"),
    # (15 Feb - 3 Feb) - 1 = 11; 11 × 18/31 ÷ (30/28) = 5.96…
    "from the middle of a month": ([paid("2023-01-15", 18)], 30, "2023-02-03", 11, "924/155", "2023-03-08"),
    # Old and new month of one length: it cancels, 28 × 18 ÷ 30 = 16.8 in any of them.
    "28 unused days of April": ([paid("2026-04-01", 18)], 30, "2026-04-02", 28, "84/5", "2026-05-18"),
    "28 unused days of August": ([paid("2026-08-01", 18)], 30, "2026-08-03", 28, "84/5", "2026-09-19"),
    "28 unused days of February 2024": ([paid("2024-02-01", 18)], 30, "2024-02-01", 28, "84/5", "2024-03-17"),
    # 31 Jan 2024 → 29 Feb: 29 days; (29 - 10) - 1 = 18; 18 × 18/29 ÷ (30/29) = 10.8.
    "from the 31st, clamped": ([paid("2024-01-31", 18)], 30, "2024-02-10", 18, "54/5", "2024-03-20"),
    # 31 Jan + 1 month = 29 Feb, 29 real days: 14 × 18/31 ÷ (30/29) = 7.858…, not 8.4.
    "to the 31st, clamped": ([paid("2024-01-15", 18)], 30, "2024-01-31", 14, "1218/155", "2024-03-07"),
    # $10 → $18, 30 days: 9 × 10/30 ÷ (18/30) = 5 exactly; truncated rates give 4.95.
    "exact where truncated rates lose a day": (
        [paid("2026-04-01", 10)], 18, "2026-04-21", 9, "5", "2026-05-26"),
    # 8 × 30/31 ÷ (60/29) = 3.74…: the price per day is 30/31, not money over 47 days.
    "second change inside an extended period": (
        [paid("2024-01-03", 30, due="2024-02-19")], 60, "2024-02-10", 8, "116/31", "2024-03-13"),
    # The first change of the day gave 3 Jan → 19 Feb, 47 days; less the day itself 46: 46 × 30/60 = 23.
    "second change on the same day": (
        [paid("2026-01-03", 30, due="2026-02-19")], 60, "2026-01-03", 46, "23", "2026-02-26"),
    # Locked at 15 while the list says 18, what was charged counts: 28 × 15/31 ÷ (30/31) = 14.
    "after a locked or lower price": ([paid("2026-01-01", 15)], 30, "2026-01-03", 28, "14", "2026-02-17"),
    # 28 × 18/31 ÷ (18/31): a larger plan at the same price keeps every unused day.
    "same price": ([paid("2026-01-01", 18)], 18, "2026-01-03", 28, "28", "2026-03-03"),
    # Old plan free or trial: nothing was paid, nothing is left.
    "after a trial": ([], 30, "2026-01-03", 0, "0", "2026-02-03"),
    "after a price of nothing": ([paid("2026-01-01", 0)], 30, "2026-01-03", 28, "0", "2026-02-03"),
    # Prepaid February counts whole: 28 × 18/31 + 28 × 18/28; ÷ (30/31) = 16.8 + 18.6 = 35.4.
    "a prepaid month follows": (
        [paid("2026-01-01", 18), paid("2026-02-01", 18)], 30, "2026-01-03", 56, "177/5", "2026-03-10"),
    # On the last covered day January has 0 left, February all its 28: 28 × 18/28 ÷ (30/28) = 16.8.
    "on the last day, a prepaid month follows": (
        [paid("2026-01-01", 18), paid("2026-02-01", 18)], 30, "2026-01-31", 28, "84/5", "2026-03-16"),
    # On the due date February has begun and its first day is used: 27 × 18/28 ÷ (30/28) = 16.2.
    "on the due date, the prepaid month has begun": (
        [paid("2026-01-01", 18), paid("2026-02-01", 18)], 30, "2026-02-01", 27, "81/5", "2026-03-17"),
    # What is over counts for nothing, also across a gap.
    "old periods are over": (
        [paid("2025-06-01", 99), paid("2026-01-01", 18)], 30, "2026-01-03", 28, "84/5", "2026-02-19"),
}  # fmt: skip


@pytest.mark.parametrize(("periods", "to", "on", "unused", "exact", "due"), CASES.values(), ids=CASES)
def test_a_monthly_plan_is_changed(periods, to, on, unused, exact, due):
    found = change(*periods, to=to, on=on)
    assert found.unused_days == unused
    assert found.extra_days_exact == Fraction(exact)
    assert found.extra_days == floor(Fraction(exact))
    assert found.due_on == day(due)


INTERVAL_CHANGES = {
    # 366 days: (1 Jan - 1 Jul) - 1 = 183; 183 × 180/366 = 90.00; ÷ (18/31) = 155; 1 Aug + 155.
    "yearly to monthly, leap year": (
        paid("2024-01-01", 180, YEAR), 18, MONTH, "2024-07-01", 183, 9000, "155", "2025-01-03"),
    # 365 days: 183 × 180/365 = 90.2466; ÷ (18/31) = 155.42…
    "yearly to monthly": (
        paid("2025-01-01", 180, YEAR), 18, MONTH, "2025-07-01", 183, 9025, "11346/73", "2026-01-03"),
    # 28 × 18/31 = 16.258; ÷ (180/366): 3 Jan 2024 → 3 Jan 2025 has 366 days: 33.058…; + 33.
    "monthly to yearly": (
        paid("2024-01-01", 18), 180, YEAR, "2024-01-03", 28, 1626, "5124/155", "2025-02-05"),
    # Base 29 Feb 2024 → 28 Feb 2025, 365 days: 14 × 18/31 ÷ (180/365) = 16.48…; 28 Feb + 16.
    "to yearly on 29 February": (
        paid("2024-02-15", 18), 180, YEAR, "2024-02-29", 14, 869, "511/29", "2025-03-17"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("old", "to", "interval", "on", "unused", "left_minor", "exact", "due"),
    INTERVAL_CHANGES.values(),
    ids=INTERVAL_CHANGES,
)
def test_the_interval_is_changed(old, to, interval, on, unused, left_minor, exact, due):
    found = change(old, to=to, on=on, interval=interval)
    assert found.unused_days == unused
    assert found.money_left_shown == Money(left_minor, "USD")
    assert found.extra_days_exact == Fraction(exact)
    assert found.due_on == day(due)


# What is paid for, the days by which the due date moves, and whether a page must warn.
GAINS = {
    # 1 Jan 2025 → 3 Jan 2025: 18 USD for 2 days (source-systems §3.6).
    "yearly to monthly": (
        [paid("2024-01-01", 180, YEAR)], 18, MONTH, "2024-07-01", 2, True),
    # 333 unused: 333 × 180/366 ÷ (18/29) = 263.8…: 2 Mar + 263 = 20 Nov 2024, 42 days before 1 Jan 2025.
    "yearly to monthly, early: the due date comes nearer": (
        [paid("2024-01-01", 180, YEAR)], 18, MONTH, "2024-02-02", -42, True),
    # 1 unused: 180/366 ÷ (18/31) = 0.84…: 0 days, 30 Dec + 1 month = 30 Jan, 29 days after 1 Jan.
    "yearly to monthly, at the end": (
        [paid("2024-01-01", 180, YEAR)], 18, MONTH, "2024-12-30", 29, False),
    # The published example: 1 Feb → 19 Feb.
    "a larger plan": ([paid("2026-01-01", 18)], 30, MONTH, "2026-01-03", 18, False),
    # 28 × 18/31 ÷ (100/31) = 5.04: 3 Feb + 5 = 8 Feb, 7 days after 1 Feb: just worth it.
    "a week more is no warning": ([paid("2026-01-01", 18)], 100, MONTH, "2026-01-03", 7, False),
    # 28 × 18/31 ÷ (120/31) = 4.2: 3 Feb + 4 = 7 Feb.
    "a day less than a week is one": ([paid("2026-01-01", 18)], 120, MONTH, "2026-01-03", 6, True),
    "monthly to yearly": ([paid("2024-01-01", 18)], 180, YEAR, "2024-01-03", 370, False),
    # (28 × 18/31 + 28 × 18/28) ÷ (100/31) = 10.6…: 3 Feb + 10 = 13 Feb, 16 days before 1 Mar.
    "with a month prepaid": (
        [paid("2026-01-01", 18), paid("2026-02-01", 18)], 100, MONTH, "2026-01-03", -16, True),
    "nothing was paid before": ([], 18, MONTH, "2026-01-03", 31, False),
}  # fmt: skip


@pytest.mark.parametrize(("before", "to", "interval", "on", "gained", "little"), GAINS.values(), ids=GAINS)
def test_a_change_that_moves_the_due_date_by_less_than_a_week_gains_little(
    before, to, interval, on, gained, little
):
    found = change(*before, to=to, on=on, interval=interval)
    assert (found.gained_days, found.gains_little) == (gained, little)


def test_from_a_year_to_months_pays_more_and_gains_two_days():
    """source-systems.md §3.6, remark: 183 days at 180/366 = 0.49 buy 155 days at 18/31 = 0.58."""
    year = paid("2024-01-01", 180, YEAR)
    found = change(year, to=18, on="2024-07-01")
    assert (found.unused_days, found.extra_days) == (183, 155)
    assert (found.old_price_per_day_shown, found.new_price_per_day_shown) == (
        Money(49, "USD"),
        Money(58, "USD"),
    )
    assert found.due_on - year.period.end == timedelta(days=2)


def test_there_and_back_again_on_one_day():
    """Year → month: 365 days, 364 unused × 180/365 ÷ (18/31) = 309.15 → 1 Feb 2025 + 309 = 7 Dec 2025.

    Month → year at once: 340 - 1 = 339 unused × 18/31 ÷ (180/365) = 399.14; 1 January 2026 + 399.
    """
    monthly = change(paid("2025-01-01", 180, YEAR), to=18, on="2025-01-01")
    assert (monthly.extra_days, monthly.due_on) == (309, day("2025-12-07"))
    again = PaidPeriod(monthly.period, monthly.base.days, usd(18))
    yearly = change(again, to=180, on="2025-01-01", interval=YEAR)
    assert (yearly.unused_days, yearly.extra_days, yearly.due_on) == (339, 399, day("2027-02-04"))


def test_the_floor_costs_less_than_a_day_of_the_new_plan():
    # 16.8 - 16 = 0.8 of a day at 30/31: 24/31 = 0.77 USD in the published example.
    found = change(paid("2026-01-01", 18), to=30, on="2026-01-03")
    assert found.money_left - found.extra_days * found.new_price_per_day == Fraction(2400, 31)


def test_the_parts_of_what_is_left_are_told_apart():
    found = change(paid("2026-01-01", 18), paid("2026-02-01", 20), to=30, on="2026-01-03")
    assert [(part.unused_days, part.money_left) for part in found.left] == [
        (28, Fraction(28 * 1800, 31)),
        (28, Fraction(2000)),
    ]
    assert found.old_price_per_day == Fraction(1800, 31)


RUNNING = {
    "before the prepaid month": ("2026-01-31", Fraction(1800, 31)),
    "once it has begun": ("2026-02-01", Fraction(2000, 28)),
    "after it": ("2026-03-05", Fraction(2000, 28)),
}


@pytest.mark.parametrize(("on", "expected"), RUNNING.values(), ids=RUNNING)
def test_the_old_price_per_day_is_that_of_the_running_period(on, expected):
    found = change(paid("2026-01-01", 18), paid("2026-02-01", 20), to=30, on=on)
    assert found.old_price_per_day == expected


def test_without_extra_days_the_day_of_the_change_is_the_anchor():
    found = change(paid("2024-01-01", 18), to=30, on="2024-01-31")
    assert (found.extra_days, found.due_on, found.anchor_day) == (0, day("2024-02-29"), 31)
    assert next_period(found.period, MONTH, anchor_day=found.anchor_day).end == day("2024-03-31")


def test_with_extra_days_the_new_due_day_is_the_anchor():
    found = change(paid("2026-01-01", 18), to=30, on="2026-01-03")
    assert next_period(found.period, MONTH, anchor_day=found.anchor_day).end == day("2026-03-19")


def test_a_plan_too_cheap_for_a_cent_a_day_divides_nothing_by_zero():
    # 0.18 to 0.30 USD: both truncated rates are 0.00 a day; exactly it is the published example again.
    old = PaidPeriod(period_from(day("2026-01-01"), MONTH), 31, Money(18, "USD"))
    found = extend(paid=[old], new_price=Money(30, "USD"), interval=MONTH, on=day("2026-01-03"))
    assert found.due_on == day("2026-02-19")
    assert found.old_price_per_day_shown == Money(1, "USD")


def test_after_a_trial_every_old_figure_is_zero():
    found = change(to=30, on="2026-01-03")
    assert (found.left, found.old_price_per_day, found.unused_days, found.money_left) == ((), 0, 0, 0)
    assert found.period == found.base


def test_the_smallest_price_and_the_shortest_base_period():
    # One day for 0.01 USD, then six extra days: 5 × 1 ÷ (1/31) = 155 days; 2 February + 155.
    old = PaidPeriod(Period(day("2026-01-01"), day("2026-01-08")), 1, Money(1, "USD"))
    found = extend(paid=[old], new_price=Money(1, "USD"), interval=MONTH, on=day("2026-01-02"))
    assert (found.unused_days, found.extra_days, found.due_on) == (5, 155, day("2026-07-07"))


def test_a_currency_cannot_be_changed_in_the_middle_of_a_period():
    with pytest.raises(CurrencyMismatch):
        extend(
            paid=[paid("2026-01-01", 18)],
            new_price=Money(3000, "EUR"),
            interval=MONTH,
            on=day("2026-01-03"),
        )


@pytest.mark.parametrize("to", [0, -1])
def test_a_free_plan_has_no_end_to_extend(to):
    with pytest.raises(ValueError, match="with a price"):
        change(paid("2026-01-01", 18), to=to, on="2026-01-03")


def test_what_is_left_never_leads_out_of_the_calendar():
    """28 unused days of p/31 pay, at a cent a month of 31 days, for 28 × p days."""
    base_end = day("2026-02-03")
    most = (LATEST_DUE_ON - base_end).days // 28

    def changed_after_paying(minor):
        january = Period(day("2026-01-01"), day("2026-02-01"))
        return extend(
            paid=[PaidPeriod(january, 31, Money(minor, "USD"))],
            new_price=Money(1, "USD"),
            interval=MONTH,
            on=day("2026-01-03"),
        )

    assert changed_after_paying(most).due_on == base_end + timedelta(days=28 * most)
    with pytest.raises(ExtensionTooLong) as refused:
        changed_after_paying(most + 1)
    assert refused.value.latest == LATEST_DUE_ON


def test_a_day_is_never_left_twice():
    with pytest.raises(ValueError, match="paid twice"):
        change(paid("2026-01-01", 18), paid("2026-01-31", 18), to=30, on="2026-01-03")


def test_what_has_not_begun_cannot_be_changed():
    with pytest.raises(ValueError, match="begun"):
        change(paid("2026-01-01", 18), to=30, on="2025-12-31")


@pytest.mark.parametrize("base_days", [0, -1, 32])
def test_base_days_are_days_of_the_period(base_days):
    with pytest.raises(ValueError, match="base days"):
        PaidPeriod(period_from(day("2026-01-01"), MONTH), base_days, usd(18))


def test_a_period_never_costs_less_than_nothing():
    with pytest.raises(ValueError, match="cannot cost"):
        paid("2026-01-01", -1)


@st.composite
def changes(draw):
    start = draw(st.dates(date(2020, 1, 1), date(2030, 12, 31)))
    periods, end = [], start
    for _ in range(draw(st.integers(1, 3))):
        base = period_from(end, draw(st.sampled_from(Interval)))
        extra = draw(st.integers(0, 40))
        end = base.end + timedelta(days=extra)
        price = Money(draw(st.integers(0, 10**6)), "EUR")
        periods.append(PaidPeriod(Period(base.start, end), base.days, price))
    on = start + timedelta(days=draw(st.integers(0, (end - start).days + 40)))
    new_price = Money(draw(st.integers(1000, 10**6)), "EUR")
    return periods, new_price, draw(st.sampled_from(Interval)), on


@property_test
@given(changes())
def test_no_money_is_made_and_less_than_a_day_is_lost(facts):
    periods, new_price, interval, on = facts
    found = extend(paid=periods, new_price=new_price, interval=interval, on=on)
    lost = found.money_left - found.extra_days * found.new_price_per_day
    assert 0 <= lost < found.new_price_per_day
    assert found.unused_days == max(0, (periods[-1].period.end - on).days - 1)
    assert found.money_left == sum(part.money_left for part in found.left)
    assert found.period.days == found.base.days + found.extra_days
    assert found.due_on.day == found.anchor_day or not found.extra_days


@property_test
@given(changes(), st.integers(1, 400))
def test_waiting_never_leaves_more(facts, days):
    periods, new_price, interval, on = facts
    today = extend(paid=periods, new_price=new_price, interval=interval, on=on)
    later = extend(paid=periods, new_price=new_price, interval=interval, on=on + timedelta(days=days))
    assert later.money_left <= today.money_left


@property_test
@given(changes(), st.integers(1, 10**6))
def test_a_dearer_plan_never_brings_more_days(facts, more):
    periods, new_price, interval, on = facts
    assume(any(part.price.minor for part in periods))
    one = extend(paid=periods, new_price=new_price, interval=interval, on=on)
    dearer = Money(new_price.minor + more, "EUR")
    other = extend(paid=periods, new_price=dearer, interval=interval, on=on)
    assert other.extra_days <= one.extra_days
    assert other.money_left == one.money_left


@property_test
@given(changes(), st.integers(1, 10**12))
def test_the_new_period_ends_in_the_calendar_or_the_change_is_refused_by_name(facts, price):
    periods, _, interval, on = facts
    try:
        found = extend(paid=periods, new_price=Money(price, "EUR"), interval=interval, on=on)
    except ExtensionTooLong:
        return
    assert found.base.end <= found.due_on <= LATEST_DUE_ON
    assert next_period(found.period, YEAR, anchor_day=found.anchor_day).end > found.due_on
