"""More days for a trial: counted from its end, or from today where it is over."""

from datetime import date

import pytest

from portal.domain.vocabulary import SubscriptionState
from portal.models import AuditEntry, SubscriptionPeriod
from portal.services.renewals import run
from portal.services.subscriptions import agreement, trials
from portal.services.subscriptions.trials import NotOnTrial, TrialChanged
from tests import paying
from tests.books import assert_books_clean
from tests.factories import letters


def extend(place, clock, days, *, shown=None):
    shown = shown or agreement.of_workspace(place.workspace).due_on.isoformat()
    return trials.extend(place.workspace, days=days, shown_due_on=shown, now=clock.now())


def state_of(place, clock):
    today = place.workspace.day(clock.now())
    return agreement.status_of(agreement.of_workspace(place.workspace), today=today).state


def test_days_are_added_to_the_end_of_a_running_trial(place, clock):
    assert extend(place, clock, 14) == date(2027, 1, 4)  # 21 December and 14 days.
    periods = [(period.start_on, period.end_on) for period in SubscriptionPeriod.select()]
    assert periods == [
        (date(2026, 11, 21), date(2026, 12, 21)),
        (date(2026, 12, 21), date(2027, 1, 4)),
    ]
    [letter] = letters("trial_extended")
    assert letter["context"]["due_on"] == "2027-01-04"
    assert AuditEntry.get(AuditEntry.action == "trial.extended").changes == {
        "days": 14,
        "due_on.before": "2026-12-21",
        "due_on.after": "2027-01-04",
    }
    assert_books_clean()


def test_a_trial_that_is_over_goes_on_from_today_and_access_is_back(place, clock):
    clock.advance(days=60)  # 20 January: over since 21 December.
    assert state_of(place, clock) == SubscriptionState.BLOCKED
    assert extend(place, clock, 10) == date(2027, 1, 30)
    assert state_of(place, clock) == SubscriptionState.TRIAL
    assert_books_clean()


def test_the_letters_before_the_end_are_written_for_the_new_end(place, clock):
    for day in range(1, 45):
        clock.advance(days=1)
        run.run_due(now=clock.now())
        if day == 27:
            assert len(letters("trial_ending")) == 1
            extend(place, clock, 14)
    assert [letter["context"]["due_on"] for letter in letters("trial_ending")] == ["2026-12-21", "2027-01-04"]
    assert len(letters("trial_last_day")) == 1


def test_on_its_last_day_it_simply_goes_on(place, clock):
    clock.advance(days=30)
    assert extend(place, clock, 1) == date(2026, 12, 22)
    assert_books_clean()


def test_a_plan_is_no_trial(place, clock):
    paying.buy(place)
    with pytest.raises(NotOnTrial):
        extend(place, clock, 14)
    assert letters("trial_extended") == []


def test_what_somebody_else_extended_is_not_extended_again(place, clock):
    extend(place, clock, 14)
    with pytest.raises(TrialChanged):
        extend(place, clock, 14, shown="2026-12-21")
    assert len(letters("trial_extended")) == 1


def test_a_trial_is_bought_from_after_it_was_extended(place, clock):
    extend(place, clock, 14)
    clock.advance(days=35)
    paying.buy(place)
    assert state_of(place, clock) == SubscriptionState.PAID
    assert_books_clean()
