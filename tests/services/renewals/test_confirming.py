"""A renewal that the bank wants confirmed: asked for in each round, with its last day, and no decline."""

from datetime import date

import pytest

from portal.domain.vocabulary import PaymentMethodKind, PaymentState, SubscriptionState
from portal.models import Order, Payment, PaymentMethod
from portal.services.checkout import ordering
from portal.services.payments import charging
from portal.services.renewals import run
from portal.services.subscriptions import agreement, auto_renewal
from tests.books import assert_books_clean
from tests.factories import letters
from tests.passing import pass_days
from tests.paying import (
    ASKS_ALWAYS,
    PAID,
    an_order,
    kept_at_the_gateway,
    paid_charges,
    pay,
    reloaded,
    the_sandbox,
)

DUE_ON = date(2026, 12, 21)


def state_of(place, clock):
    found = agreement.of_workspace(place.workspace)
    return agreement.status_of(found, today=place.workspace.day(clock.now())).state


def tries():
    return list(Payment.select().where(Payment.tried_on.is_null(False)).order_by(Payment.id))


def answer(payment, clock, *, confirmed):
    """The payer comes back from their bank."""
    the_sandbox().answer_challenge(payment.action_url.rpartition("/")[2], confirmed=confirmed)
    return charging.look_up(Payment.get_by_id(payment.id), now=clock.now())


@pytest.fixture
def asked(place, clock):
    """Business 5, due today; its card, confirmed when it was saved, asks for the payer each time."""
    pay(an_order(place), auto_renewal=True)
    facts = kept_at_the_gateway(ASKS_ALWAYS)
    PaymentMethod.update(reference=facts.reference, last4=facts.last4).execute()
    pass_days(clock, 30)
    return place


def test_the_first_letter_says_until_when(asked):
    """21 December and 14 days."""
    [letter] = letters("renewal_to_confirm")
    assert letter["context"]["confirm_until"] == "2027-01-04"
    assert letter["context"]["order"] == tries()[0].order.number


def test_each_round_asks_again_and_no_letter_speaks_of_a_decline(asked, clock):
    pass_days(clock, 14)
    assert [payment.tried_on for payment in tries()] == [
        date(2026, 12, 21),
        date(2026, 12, 22),
        date(2026, 12, 24),
        date(2026, 12, 28),
        date(2027, 1, 4),
    ]
    assert {letter["context"]["confirm_until"] for letter in letters("renewal_to_confirm")} == {"2027-01-04"}
    assert len(letters("renewal_to_confirm")) == 5
    assert letters("renewal_failed") == []
    assert state_of(asked, clock) == SubscriptionState.PAID
    assert_books_clean()


@pytest.mark.parametrize("day", [0, 1, 2, 6, 13, 14])
def test_it_can_be_confirmed_on_every_day_until_then(asked, clock, day):
    pass_days(clock, day)
    waiting = tries()[-1]
    assert waiting.state == PaymentState.ACTION_REQUIRED
    assert answer(waiting, clock, confirmed=True).state == PaymentState.SUCCEEDED
    assert agreement.of_workspace(asked.workspace).due_on == date(2027, 1, 21)
    assert len(paid_charges()) == 2
    assert_books_clean()


def test_after_the_last_day_access_stops_and_the_letter_says_what_to_do(asked, clock):
    pass_days(clock, 15)
    assert state_of(asked, clock) == SubscriptionState.BLOCKED
    [letter] = letters("renewal_failed")
    facts = letter["context"]
    assert (facts["reason"], facts["next_try_on"], facts["asks_new_card"]) == ("not_confirmed", None, False)
    assert not any(payment.is_open for payment in tries())
    pass_days(clock, 20)
    assert len(tries()) == 5
    assert_books_clean()


def test_whoever_says_no_to_their_bank_is_asked_in_the_next_round(asked, clock):
    assert answer(tries()[0], clock, confirmed=False).state == PaymentState.DECLINED
    [letter] = letters("renewal_failed")
    facts = letter["context"]
    assert (facts["reason"], facts["next_try_on"], facts["asks_new_card"]) == (
        "not_confirmed",
        "2026-12-22",
        False,
    )
    pass_days(clock, 1)
    assert tries()[-1].state == PaymentState.ACTION_REQUIRED


def test_another_method_is_asked_once_the_request_is_over(asked, clock):
    PaymentMethod.create(
        workspace=asked.workspace,
        added_by=asked.member.person_id,
        gateway="sandbox",
        reference=kept_at_the_gateway("5555555555554444").reference,
        kind=PaymentMethodKind.CARD,
        brand="mastercard",
        last4="4444",
        exp_month=12,
        exp_year=2030,
        created_at=clock.now(),
    )
    pass_days(clock, 1)
    assert paid_charges()[-1].amount_minor == 3360 and len(paid_charges()) == 2
    assert [letter["context"]["method"]["last4"] for letter in letters("renewed")] == ["4444"]
    assert_books_clean()


def test_a_request_is_not_given_up_by_the_real_clock_while_it_stands(asked, clock):
    pass_days(clock, 1)
    waiting = tries()[-1]
    clock.advance_wall(days=3)
    assert charging.give_up_abandoned(limit=10, now=clock.now()) == 0
    assert Payment.get_by_id(waiting.id).state == PaymentState.ACTION_REQUIRED


def test_a_request_without_renewal_is_given_up_after_a_day(asked, clock):
    auto_renewal.switch_off(asked, now=clock.now())
    clock.advance_wall(days=2)
    assert charging.give_up_abandoned(limit=10, now=clock.now()) == 1
    assert letters("renewal_failed") == []


def test_after_an_absence_it_is_asked_for_once_more(asked, clock):
    clock.advance(days=40)
    clock.advance_wall(days=40)
    run.run_due(now=clock.now())
    run.run_due(now=clock.now())
    assert [payment.tried_on for payment in tries()] == [DUE_ON, date(2027, 1, 30)]
    pass_days(clock, 3)
    assert len(tries()) == 2
    assert_books_clean()


def test_it_can_be_paid_another_way(asked, clock):
    """From the page of the order: the request is closed, and the same order is paid with another card."""
    order = Order.get_by_id(tries()[0].order_id)
    order.workspace = asked.workspace
    waiting = tries()[0]
    waiting.workspace = asked.workspace
    charging.give_up(waiting, now=clock.now())
    order = ordering.refresh_quote(order, now=clock.now())
    assert pay(reloaded(order), PAID).state == PaymentState.SUCCEEDED
    assert agreement.of_workspace(asked.workspace).due_on == date(2027, 1, 21)
    pass_days(clock, 10)
    assert len(paid_charges()) == 2
    assert_books_clean()
