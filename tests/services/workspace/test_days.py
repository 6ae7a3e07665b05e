"""The workspace's own days: one instant is two dates, and no clock change takes or adds one."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.choices import Choice
from portal.domain.extension import PaidPeriod, extend
from portal.domain.lifecycle import subscription_state
from portal.domain.money import Money
from portal.domain.periods import Period, period_from
from portal.domain.vocabulary import Interval, SubscriptionState
from portal.models import Workspace
from portal.services.payments import refund_quotes, refunds
from portal.services.renewals import run
from portal.services.subscriptions import agreement, free_plan, scheduled_change
from portal.services.workspace import settings as workspace_settings
from tests.books import assert_books_clean
from tests.paying import an_order, pay

ZONES = [
    "UTC", "Europe/Paris", "America/Montreal", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Auckland",
    "Pacific/Kiritimati", "Pacific/Pago_Pago", "Africa/Cairo", "America/Santiago", "Australia/Lord_Howe",
]  # fmt: skip


def the_day(zone, instant):
    return Workspace(time_zone=zone).day(datetime.fromisoformat(instant))


DAYS = {
    # Paris is at +1 in winter: 23:30 UTC is half past midnight there.
    "before midnight in London": ("UTC", "2026-01-31T23:30:00+00:00", "2026-01-31"),
    "after midnight in Paris": ("Europe/Paris", "2026-01-31T23:30:00+00:00", "2026-02-01"),
    "still the evening in Montreal": ("America/Montreal", "2026-02-01T04:59:59+00:00", "2026-01-31"),
    "midnight in Montreal": ("America/Montreal", "2026-02-01T05:00:00+00:00", "2026-02-01"),
    "a quarter to six ahead": ("Asia/Kathmandu", "2026-01-31T18:15:00+00:00", "2026-02-01"),
    # +14 and -11: 25 hours apart, two dates apart for an hour.
    "the first place of the day": ("Pacific/Kiritimati", "2026-02-01T10:30:00+00:00", "2026-02-02"),
    "the last": ("Pacific/Pago_Pago", "2026-02-01T10:30:00+00:00", "2026-01-31"),
    # 29 March 2026: 01:00 UTC is 03:00 in Paris, a day of 23 hours; 22:00 UTC is midnight already.
    "spring, its first second": ("Europe/Paris", "2026-03-28T23:00:00+00:00", "2026-03-29"),
    "spring, its last second": ("Europe/Paris", "2026-03-29T21:59:59+00:00", "2026-03-29"),
    "spring, the day after": ("Europe/Paris", "2026-03-29T22:00:00+00:00", "2026-03-30"),
    # 25 October 2026: a day of 25 hours.
    "autumn, its first second": ("Europe/Paris", "2026-10-24T22:00:00+00:00", "2026-10-25"),
    "autumn, its last second": ("Europe/Paris", "2026-10-25T22:59:59+00:00", "2026-10-25"),
    "autumn, the day after": ("Europe/Paris", "2026-10-25T23:00:00+00:00", "2026-10-26"),
    # The clock goes from 00:00 to 01:00 on 24 April 2026: that day has no midnight.
    "a day without midnight": ("Africa/Cairo", "2026-04-23T22:00:00+00:00", "2026-04-24"),
}


@pytest.mark.parametrize(("zone", "instant", "expected"), DAYS.values(), ids=DAYS)
def test_the_day_at_an_instant(zone, instant, expected):
    assert the_day(zone, instant) == date.fromisoformat(expected)


# 03:00 UTC on 11 January 2026: 04:00 in Paris, still 22:00 on the 10th in Montreal.
ON_BOTH_SIDES = {
    # 31 - 11 = 20; 20 × 18 ÷ 30 = 12; 11 February + 12.
    "Europe/Paris": ("2026-01-11", 20, "2026-02-23"),
    "Pacific/Kiritimati": ("2026-01-11", 20, "2026-02-23"),
    # 31 - 10 = 21; 21 × 18 ÷ 30 = 12.6; 10 February + 12.
    "America/Montreal": ("2026-01-10", 21, "2026-02-22"),
    "Pacific/Pago_Pago": ("2026-01-10", 21, "2026-02-22"),
}


@pytest.mark.parametrize("zone", ON_BOTH_SIDES)
def test_a_change_counts_the_days_of_the_place(zone):
    on, unused, due = ON_BOTH_SIDES[zone]
    today = the_day(zone, "2026-01-11T03:00:00+00:00")
    january = PaidPeriod(Period(date(2026, 1, 1), date(2026, 2, 1)), 31, Money(1800, "USD"))
    found = extend(paid=[january], new_price=Money(3000, "USD"), interval=Interval.MONTH, on=today)
    assert (today, found.unused_days) == (date.fromisoformat(on), unused)
    assert found.due_on == date.fromisoformat(due)


def test_at_one_instant_the_due_date_is_over_in_one_place_and_usable_in_another():
    """23:30 UTC on the due date, 31 January."""

    def state(zone):
        return subscription_state(
            plan_is_trial=False,
            plan_is_free=False,
            due_on=date(2026, 1, 31),
            grace_days=0,
            today=the_day(zone, "2026-01-31T23:30:00+00:00"),
        )

    assert state("America/Montreal") is SubscriptionState.PAID
    assert state("Europe/Paris") is SubscriptionState.BLOCKED


CLOCK_CHANGES = {
    # 29 March → 29 April: 31 days, though 743 hours; 25 October → 25 November: 31, 745 hours.
    "spring": ("2026-03-28T23:00:00+00:00", "2026-04-28T22:00:00+00:00", 31, 743),
    "autumn": ("2026-10-24T22:00:00+00:00", "2026-11-24T23:00:00+00:00", 31, 745),
}


@pytest.mark.parametrize(("begins", "ends", "days", "hours"), CLOCK_CHANGES.values(), ids=CLOCK_CHANGES)
def test_a_period_over_a_clock_change_has_the_days_of_its_months(begins, ends, days, hours):
    length = datetime.fromisoformat(ends) - datetime.fromisoformat(begins)
    assert length == timedelta(hours=hours)
    period = period_from(the_day("Europe/Paris", begins), Interval.MONTH)
    assert period.end == the_day("Europe/Paris", ends)
    assert period.days == days


seconds_since = st.integers(0, 12 * 365 * 24 * 3600)


@settings(deadline=None)
@given(st.sampled_from(ZONES), seconds_since, st.integers(0, 24 * 3600))
def test_days_follow_each_other_and_none_is_left_out(zone, since, seconds):
    workspace = Workspace(time_zone=zone)
    instant = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=since)
    today, later = workspace.day(instant), workspace.day(instant + timedelta(seconds=seconds))
    assert later - today in (timedelta(0), timedelta(days=1), timedelta(days=2))
    # A day has 23 hours at least: only from its very end may a day of 24 hours reach the next but one.
    if seconds <= 23 * 3600:
        assert later - today <= timedelta(days=1)
    assert workspace.day(datetime.combine(today, time(12), tzinfo=ZoneInfo(zone))) == today


@settings(deadline=None)
@given(
    st.sampled_from(ZONES),
    st.lists(st.tuples(st.sampled_from(ZONES), st.integers(0, 40 * 3600)), max_size=6),
    seconds_since,
)
def test_the_days_of_a_workspace_never_go_back_wherever_it_moves(zone, moves, since):
    """Each move is told as the settings do: the day that was reached in the zone before is kept."""
    workspace = Workspace(time_zone=zone)
    instant = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=since)
    lived = [workspace.day(instant)]
    for moved_to, seconds in moves:
        instant += timedelta(seconds=seconds)
        lived.append(workspace.day(instant))
        workspace.day_reached, workspace.time_zone = workspace.day(instant), moved_to
        lived.append(workspace.day(instant))
    assert lived == sorted(lived)
    there = instant.astimezone(ZoneInfo(workspace.time_zone)).date()
    assert lived[-1] - there <= timedelta(days=2)
    # A day or two later the calendar of the place has caught up.
    later = instant + timedelta(days=2)
    assert workspace.day(later) == later.astimezone(ZoneInfo(workspace.time_zone)).date()


# At 11:30 UTC it is the next day already in Auckland, and the same day for another twelve hours in the west.
@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(
    ("east", "west"),
    [("Pacific/Auckland", "America/Los_Angeles"), ("Pacific/Kiritimati", "Pacific/Pago_Pago")],
)
@pytest.mark.parametrize("hour", [0, 11, 18])
@pytest.mark.parametrize("act", ["larger", "smaller", "free", "prolong", "refund"])
def test_a_move_to_the_west_on_the_day_of_a_purchase_hinders_nothing(place, clock, east, west, hour, act):
    clock.set(datetime(2026, 11, 21, hour, 30, tzinfo=UTC))
    move(place, east, clock)
    pay(an_order(place, "business-5"))
    day = place.workspace.day(clock.now())
    move(place, west, clock)
    place = replace(place, workspace=Workspace.get_by_id(place.workspace.id))
    assert place.workspace.day(clock.now()) == day
    match act:
        case "larger":
            pay(an_order(place, "business-20"))
        case "smaller":
            shown = scheduled_change.preview(
                place.workspace, Choice("business-3", Interval.MONTH), now=clock.now()
            )
            assert shown.begins_on > day
        case "free":
            status = agreement.status_of(agreement.of_workspace(place.workspace), today=day)
            assert free_plan.free_plan_for(place.workspace, status).begins_on > day
        case "prolong":
            pay(an_order(place, "business-5"))
        case "refund":
            payment = refund_quotes.refundable(place.workspace, now=clock.now()).payment
            shown = refund_quotes.preview(payment, now=clock.now())
            refunds.ask_refund(place, payment, shown_hash=shown.hash, now=clock.now())
    run.run_due(now=clock.now())
    assert_books_clean()


def move(place, zone, clock):
    """As the owner does on the settings page."""
    shown = workspace_settings.settings_of(Workspace.get_by_id(place.workspace.id))
    workspace_settings.change(
        place.workspace, replace(shown, time_zone=zone), shown_version=shown.version, now=clock.now()
    )
