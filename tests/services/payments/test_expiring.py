"""Cards that expire: told a month and a week before, where something is charged to them, else to nobody."""

from datetime import UTC, date, datetime

import pytest

from portal.domain.vocabulary import Interval
from portal.models import MethodNotice, PaymentMethod
from portal.services.payments import expiring
from portal.services.payments import methods as payments_methods
from portal.services.renewals import run
from portal.services.subscriptions import auto_renewal
from tests.books import assert_books_clean
from tests.factories import letters
from tests.licensed import bought
from tests.paying import an_order, pay
from tests.services.payments.test_concurrency import at_once
from tests.services.payments.test_methods import JCB, MASTERCARD, added

A_MONTH_BEFORE = datetime(2030, 11, 30, 23, tzinfo=UTC)
"""When the first of December begins in Paris."""


@pytest.fixture
def yearly(place, clock):
    """A year is paid until 21 November 2027, and the card expires with January 2027."""
    pay(an_order(place, interval=Interval.YEAR), auto_renewal=True)
    clock.advance_wall(minutes=1)
    expires("4242", 2027, 1)
    return place


def expires(last4, year, month):
    PaymentMethod.update(
        exp_year=year, exp_month=month, expiry_look_at=datetime(2026, 11, 21, tzinfo=UTC)
    ).where(PaymentMethod.last4 == last4).execute()


def come_to(clock, day):
    """With a run on each day until then."""
    while clock.now().date() < day:
        clock.advance(days=1)
        run.run_due(now=clock.now())


def told():
    return [
        (each["context"]["method"]["last4"], each["context"]["last_day"])
        for each in letters("method_expiring")
    ]


def test_it_is_told_a_month_and_a_week_before_and_never_again(yearly, clock):
    come_to(clock, date(2026, 12, 31))
    assert told() == []
    come_to(clock, date(2027, 1, 1))
    [letter] = letters("method_expiring")
    facts = letter["context"]
    assert (facts["last_day"], facts["charged_on"]) == ("2027-01-31", "2027-11-21")
    assert [each["interval"] for each in facts["paid"]] == ["year"]
    assert (facts["instead"], facts["nothing_left"]) == (None, True)
    come_to(clock, date(2027, 1, 23))
    assert len(told()) == 1
    come_to(clock, date(2027, 2, 20))
    assert told() == [("4242", "2027-01-31")] * 2
    assert PaymentMethod.get().expiry_look_at is None
    assert_books_clean()


def test_a_card_is_looked_at_on_the_day_on_which_something_may_be_said(place, clock):
    assert added(place, clock).expiry_look_at == A_MONTH_BEFORE
    run.run_due(now=clock.now())
    assert PaymentMethod.get().expiry_look_at == A_MONTH_BEFORE


def test_after_an_absence_what_is_still_true_is_told_once(yearly, clock):
    clock.set(datetime(2027, 1, 28, 9, tzinfo=UTC))
    run.run_due(now=clock.now())
    run.run_due(now=clock.now())
    assert [each.kind for each in MethodNotice.select()] == ["expires_in_a_week"]
    assert len(told()) == 1


def test_the_one_that_is_charged_instead_is_named(yearly, clock):
    added(yearly, clock, MASTERCARD)
    come_to(clock, date(2027, 1, 1))
    [letter] = letters("method_expiring")
    assert letter["context"]["instead"]["last4"] == "4444"
    assert not letter["context"]["nothing_left"]


def test_what_nothing_is_charged_to_is_no_news(yearly, clock):
    """A backup, and the first one once automatic renewal is off; from the day on which it is on, it is."""
    added(yearly, clock, JCB)
    expires("0505", 2027, 1)
    auto_renewal.switch_off(yearly, now=clock.now())
    come_to(clock, date(2027, 1, 10))
    assert told() == []
    charge = auto_renewal.next_charge(yearly.workspace, now=clock.now())
    method = PaymentMethod.get(PaymentMethod.last4 == "0505")
    auto_renewal.switch_on(yearly, method_id=method.id, shown_hash=charge.hash, now=clock.now())
    come_to(clock, date(2027, 1, 11))
    assert told() == [("0505", "2027-01-31")]


def test_a_removed_card_is_no_news(yearly, clock):
    added(yearly, clock, MASTERCARD)
    payments_methods.remove(yearly, PaymentMethod.get(PaymentMethod.last4 == "4242"), now=clock.now())
    come_to(clock, date(2027, 2, 1))
    assert told() == []


def test_one_letter_names_all_that_is_charged_to_it(yearly, clock):
    bought(yearly, quantity=2, renews_with=PaymentMethod.get())
    come_to(clock, date(2027, 1, 1))
    [letter] = letters("method_expiring")
    facts = letter["context"]
    assert [each["licences"] for each in facts["paid"]] == [None, 2]
    # The licences are renewed each month: on 21 January still with it.
    assert facts["charged_on"] == "2027-11-21"


def test_two_runs_at_once_tell_it_once(yearly, clock):
    now = datetime(2027, 1, 2, 9, tzinfo=UTC)
    assert sum(at_once([lambda: expiring.tell_due(limit=10, now=now)] * 2)) == 1
    assert len(told()) == 1
