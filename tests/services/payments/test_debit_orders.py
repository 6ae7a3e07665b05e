"""Orders that are paid by SEPA direct debit: given when the bank has paid, and not a day before."""

from datetime import date, timedelta

import pytest

from portal.domain.choices import Choice
from portal.domain.errors import OrderAlreadyPlaced
from portal.domain.vocabulary import (
    Interval,
    OrderState,
    PaymentMethodKind,
    PaymentState,
    SubscriptionState,
)
from portal.gateways.base import DebitAccount
from portal.gateways.sandbox import attempts
from portal.models import Invoice, Order, Payment, PaymentMethod, Subscription
from portal.runtime import current
from portal.services.checkout import ordering
from portal.services.members import roster
from portal.services.payments import charging, mandates
from portal.services.payments.mandates import MandateChanged, NotInEuros
from portal.services.renewals import run
from portal.services.subscriptions import agreement
from tests.books import assert_books_clean
from tests.factories import letters
from tests.paying import RETURN_URL, an_order, line_of, paid_charges, pay, reloaded, with_details
from tests.services.payments.test_concurrency import at_once
from tests.services.payments.test_method_setups import IBAN, IBAN_ASKS, IBAN_DECLINED
from tests.services.payments.test_method_setups import debit as saved_account

DEBIT = PaymentMethodKind.SEPA_DEBIT
FIVE_DAYS = timedelta(days=5)


@pytest.fixture
def slow(monkeypatch):
    """The bank takes five days, as banks do."""
    monkeypatch.setattr(attempts, "DEBIT_TAKES", FIVE_DAYS)


def ordered(place, **options):
    return an_order(place, method_kind=DEBIT, **options)


def licences(place, quantity=3):
    opened = ordering.open_order(
        place,
        choices=[Choice("meetings-essential", Interval.MONTH, quantity)],
        currency="EUR",
        now=current().clock.now(),
    )
    return with_details(opened, place, method_kind=DEBIT)


def place_with(order, iban=IBAN, *, mandate=None, auto_renewal=False, method=None):
    return ordering.place_order(
        order,
        person=order.person,
        card=None if method else DebitAccount(iban=iban, holder="Jeanne Martin"),
        method=method,
        mandate=mandates.next_mandate(order.workspace) if mandate is None else mandate,
        auto_renewal=auto_renewal,
        shown_quote_hash=order.quote_hash,
        return_url=RETURN_URL,
        now=current().clock.now(),
    )


def days_later(clock, days):
    clock.advance(days=days)
    clock.advance_wall(days=days)
    charging.look_up_due(limit=10, now=clock.now())
    run.run_due(now=clock.now())


def state_of_plan(place, clock):
    today = place.workspace.day(clock.now())
    return agreement.status_of(agreement.of_workspace(place.workspace), today=today).state


def test_a_first_plan_begins_on_the_day_on_which_the_debit_is_paid(place, clock, slow):
    order = ordered(place)
    payment = place_with(order)
    assert (payment.state, reloaded(order).state) == (PaymentState.PENDING, OrderState.PLACED)
    for _day in range(4):
        days_later(clock, 1)
        assert (Payment.get().state, state_of_plan(place, clock)) == ("pending", SubscriptionState.TRIAL)
        assert Invoice.select().count() == 0
    days_later(clock, 1)
    assert (Payment.get().state, state_of_plan(place, clock)) == ("succeeded", SubscriptionState.PAID)
    plan = Subscription.get()
    assert (plan.started_on, plan.due_on, plan.anchor_day) == (date(2026, 11, 26), date(2026, 12, 26), 26)
    period = Invoice.get().facts["lines"][0]["period"]
    assert (period["start"], period["end"]) == ("2026-11-26", "2026-12-26")
    assert (len(paid_charges()), len(letters("order_confirmed"))) == (1, 2), "to the buyer and the contact"
    assert_books_clean()


def test_licences_and_a_plan_of_one_order_begin_together(place, clock, slow):
    opened = ordering.open_order(
        place,
        choices=[Choice("business-5", Interval.MONTH), Choice("meetings-essential", Interval.YEAR, 2)],
        currency="EUR",
        now=clock.now(),
    )
    place_with(with_details(opened, place, method_kind=DEBIT))
    assert Subscription.select().count() == 1
    days_later(clock, 5)
    days = [(each.started_on, each.due_on) for each in Subscription.select().order_by(Subscription.id)]
    assert days == [(date(2026, 11, 26), date(2026, 12, 26)), (date(2026, 11, 26), date(2027, 11, 26))]
    assert_books_clean()


def test_what_follows_a_period_that_runs_follows_it_still(place, clock, slow):
    pay(an_order(place))
    clock.advance(days=20)
    order = ordered(place)
    assert line_of(order).start_on == date(2026, 12, 21)
    place_with(order)
    days_later(clock, 5)
    assert Subscription.get().due_on == date(2027, 1, 21)
    assert_books_clean()


def test_a_change_has_the_days_that_were_shown_with_its_credit(place, clock, slow):
    pay(an_order(place))
    clock.advance(days=10)
    order = ordered(place, plan="business-10")
    place_with(order)
    days_later(clock, 5)
    plan = Subscription.get()
    assert (plan.plan.code, plan.started_on, plan.due_on) == (
        "business-10",
        date(2026, 12, 1),
        line_of(order).due_on,
    )
    assert_books_clean()


def test_what_was_blocked_begins_again_when_the_debit_is_paid(place, clock, slow):
    pay(an_order(place))
    clock.advance(days=60)
    run.run_due(now=clock.now())
    assert state_of_plan(place, clock) == SubscriptionState.BLOCKED
    place_with(ordered(place))
    assert state_of_plan(place, clock) == SubscriptionState.BLOCKED
    days_later(clock, 5)
    assert state_of_plan(place, clock) == SubscriptionState.PAID
    assert Subscription.get().started_on == place.workspace.day(clock.now())
    assert_books_clean()


def test_a_debit_that_comes_back_gives_nothing_and_may_be_paid_another_way(place, clock):
    order = ordered(place)
    place_with(order, IBAN_DECLINED)
    days_later(clock, 1)
    assert (Payment.get().state, reloaded(order).state) == (PaymentState.DECLINED, OrderState.OPEN)
    assert state_of_plan(place, clock) == SubscriptionState.TRIAL
    assert len(letters("payment_failed")) == 1
    order = with_details(reloaded(order), place)
    assert pay(order).state == PaymentState.SUCCEEDED
    assert len(paid_charges()) == 1
    assert_books_clean()


def test_nothing_else_of_the_product_is_bought_while_a_debit_is_on_its_way(place, clock):
    other = an_order(place, plan="business-10")
    order = ordered(place)
    place_with(order)
    with pytest.raises(OrderAlreadyPlaced):
        place_with(order)
    with pytest.raises(OrderAlreadyPlaced):
        pay(other)
    assert place_with(licences(place)).state == PaymentState.PENDING, "another product is free"
    days_later(clock, 1)
    assert len(paid_charges()) == 2
    assert_books_clean()


@pytest.mark.engine("sqlite", "postgresql")
def test_two_tabs_place_one_order_and_give_one_mandate(place):
    order, mandate = ordered(place), mandates.next_mandate(place.workspace)
    outcomes = at_once([lambda: place_with(order, mandate=mandate)] * 2)
    assert sum(isinstance(each, OrderAlreadyPlaced) for each in outcomes) == 1
    assert Payment.select().count() == 1


def test_a_mandate_is_given_once_and_stands_with_the_payment(place, clock):
    number = place.workspace.customer_number
    order = ordered(place)
    saved_account(place, clock)
    with pytest.raises(MandateChanged):
        place_with(order, mandate=f"{number}-M1")
    assert (Payment.select().count(), reloaded(order).state) == (0, OrderState.OPEN)
    payment = place_with(order, mandate=f"{number}-M2")
    assert (payment.mandate_reference, payment.mandate_on) == (f"{number}-M2", date(2026, 11, 21))
    assert mandates.next_mandate(place.workspace) == f"{number}-M3"


def test_automatic_renewal_saves_the_account_with_its_mandate(place, clock):
    place_with(ordered(place), auto_renewal=True)
    days_later(clock, 1)
    method, plan = PaymentMethod.get(), Subscription.get()
    assert (method.kind, method.last4) == (DEBIT, "4242")
    assert (method.mandate_reference, method.mandate_on) == (
        f"{place.workspace.customer_number}-M1",
        date(2026, 11, 21),
    )
    assert (plan.auto_renewal, plan.payment_method_id) == (True, method.id)
    assert (plan.renew_on, plan.announced_minor) == (date(2026, 12, 22), 3360)
    assert_books_clean()


def test_a_saved_account_pays_and_gives_no_second_mandate(place, clock):
    method = saved_account(place, clock).method
    order = ordered(place)
    assert ordering.payable_methods(place, order, now=clock.now()) == [method]
    assert ordering.payable_methods(place, an_order(place), now=clock.now()) == [], "it is no card"
    payment = place_with(order, method=method)
    assert (payment.method_id, payment.method_kind, payment.mandate_reference) == (method.id, DEBIT, "")
    days_later(clock, 1)
    assert state_of_plan(place, clock) == SubscriptionState.PAID
    assert_books_clean()


def test_an_account_that_asks_is_debited_once_it_is_confirmed(place, clock):
    payment = place_with(ordered(place), IBAN_ASKS)
    assert payment.state == PaymentState.ACTION_REQUIRED
    sandbox = current().gateways["sandbox"]
    sandbox.answer_challenge(payment.action_url.rpartition("/")[2], confirmed=True)
    assert charging.look_up(Payment.get(), now=clock.now()).state == PaymentState.PENDING
    days_later(clock, 1)
    assert state_of_plan(place, clock) == SubscriptionState.PAID


def test_invitations_keep_to_the_smaller_of_the_plan_and_the_one_on_its_way(place, clock):
    """A trial has many seats; the plan that is paid for may begin at any moment."""
    before = roster.capacity_now(place.workspace).max_users
    place_with(ordered(place))
    assert roster.capacity_now(place.workspace).max_users == 5 != before


def test_other_currencies_are_not_debited(place):
    with pytest.raises(NotInEuros):
        an_order(place, currency="USD", method_kind=DEBIT)
    assert Order.get().method_kind == PaymentMethodKind.CARD
