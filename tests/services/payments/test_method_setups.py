"""Methods of every kind: saved without a charge, by card, on PayPal's page, and with a mandate for debits."""

from datetime import date, timedelta

import pytest

from portal.domain.vocabulary import Interval, PaymentMethodKind, PaymentState, SetupState, SubscriptionState
from portal.gateways.base import DebitAccount
from portal.gateways.sandbox import attempts
from portal.models import MethodSetup, Payment, PaymentMethod, Subscription, Workspace
from portal.runtime import current
from portal.services.payments import mandates, method_setups
from portal.services.payments import methods as payments_methods
from portal.services.payments.mandates import MandateChanged
from portal.services.payments.methods import MethodGone
from portal.services.renewals import run
from portal.services.subscriptions import agreement, auto_renewal, charged_methods
from portal.services.subscriptions.auto_renewal import NoSuchMethod
from tests.books import assert_books_clean
from tests.factories import letters
from tests.licensed import bought
from tests.paying import DECLINED_WHEN_CHARGED, PAID, an_order, paid_charges, pay, the_sandbox
from tests.services.payments.test_concurrency import at_once
from tests.services.payments.test_methods import JCB, MASTERCARD, added, order_of

CARD, PAYPAL, DEBIT = PaymentMethodKind.CARD, PaymentMethodKind.PAYPAL, PaymentMethodKind.SEPA_DEBIT
IBAN = "DE46999999990000004242"
IBAN_DECLINED = "DE66999999990000000002"
IBAN_EXPIRED = "DE03999999990000000069"
IBAN_DECLINED_WHEN_CHARGED = "DE31999999990000000341"
IBAN_ASKS = "DE04999999990000003155"


def begin(place, clock, kind, source=None, *, mandate=None):
    if mandate is None:
        mandate = mandates.next_mandate(place.workspace) if kind == DEBIT else ""
    return method_setups.begin_adding(
        place,
        source,
        kind=kind,
        mandate=mandate,
        result_address=lambda key: f"http://127.0.0.1:8000/back/{key}",
        now=clock.now(),
    )


def debit(place, clock, iban=IBAN, **given):
    return begin(place, clock, DEBIT, DebitAccount(iban=iban, holder="Jeanne Martin"), **given)


def answered(setup, email="paid@paypal.example", *, confirmed=True):
    """On PayPal's page, which makes the portal look the set-up up."""
    reference = setup.action_url.rpartition("/")[2]
    the_sandbox().answer_hosted(reference, email=email, confirmed=confirmed)
    method_setups.look_up_reference("sandbox", reference, now=current().clock.now())
    return MethodSetup.get_by_id(setup.id)


# --- every kind -----------------------------------------------------------------------------------


def test_whatever_can_be_charged_by_itself_is_offered_and_bank_transfer_never(place):
    assert method_setups.kinds_on_offer(agreement.of_workspace(place.workspace)) == [CARD, PAYPAL, DEBIT]


def test_debits_are_offered_only_where_euros_are_paid(place):
    Workspace.update(currency="USD").execute()
    place.workspace.currency = "USD"
    assert method_setups.kinds_on_offer(agreement.of_workspace(place.workspace)) == [CARD, PAYPAL]
    pay(an_order(place))
    assert method_setups.kinds_on_offer(agreement.of_workspace(place.workspace)) == [CARD, PAYPAL, DEBIT]


def test_an_account_is_saved_with_its_mandate_and_without_a_charge(place, clock):
    setup = debit(place, clock)
    assert (setup.state, setup.kind) == (SetupState.DONE, DEBIT)
    method = PaymentMethod.get()
    number = place.workspace.customer_number
    assert (method.kind, method.last4, method.holder) == (DEBIT, "4242", "Jeanne Martin")
    assert (method.mandate_reference, method.mandate_on) == (f"{number}-M1", date(2026, 11, 21))
    assert (method.is_preferred, Subscription.get().payment_method_id) == (True, method.id)
    assert the_sandbox().charges() == []
    assert_books_clean()


def test_every_mandate_has_a_reference_of_its_own(place, clock):
    """Also where nothing came of one: it was shown to somebody."""
    number = place.workspace.customer_number
    debit(place, clock, IBAN_DECLINED)
    with pytest.raises(MandateChanged):
        debit(place, clock, mandate=f"{number}-M1")
    with pytest.raises(MandateChanged):
        debit(place, clock, mandate="")
    assert MethodSetup.select().count() == 1
    assert debit(place, clock, mandate=f"{number}-M2").state == SetupState.DONE
    added(place, clock)
    assert mandates.next_mandate(place.workspace) == f"{number}-M3"


def test_two_tabs_that_tick_one_mandate_give_it_once(place, clock):
    mandate = mandates.next_mandate(place.workspace)
    outcomes = at_once([lambda: debit(place, clock, mandate=mandate)] * 2)
    assert sum(isinstance(each, MandateChanged) for each in outcomes) == 1
    assert MethodSetup.select().where(MethodSetup.mandate_reference == mandate).count() == 1


@pytest.mark.parametrize(
    ("iban", "code"),
    [(IBAN_DECLINED, "declined"), (IBAN_EXPIRED, "mandate_expired"), ("FR76", "account_not_accepted")],
)
def test_an_account_that_is_refused_is_not_saved(place, clock, iban, code):
    setup = debit(place, clock, iban)
    assert (setup.state, setup.decline_code) == (SetupState.DECLINED, code)
    assert PaymentMethod.select().count() == 0


def test_an_account_that_asks_is_saved_once_its_mandate_is_confirmed(place, clock):
    setup = debit(place, clock, IBAN_ASKS)
    assert (setup.state, PaymentMethod.select().count()) == (SetupState.ACTION_REQUIRED, 0)
    reference = setup.action_url.rpartition("/")[2]
    the_sandbox().answer_challenge(reference, confirmed=True)
    method_setups.look_up_reference("sandbox", reference, now=clock.now())
    assert PaymentMethod.get().mandate_reference == setup.mandate_reference


def test_paypal_is_saved_once_it_is_confirmed_on_its_own_page(place, clock):
    setup = begin(place, clock, PAYPAL)
    assert (setup.state, PaymentMethod.select().count()) == (SetupState.ACTION_REQUIRED, 0)
    assert "/sandbox/paypal/" in setup.action_url
    assert answered(setup).state == SetupState.DONE
    method = PaymentMethod.get()
    assert (method.kind, method.holder, method.mandate_reference) == (PAYPAL, "paid@paypal.example", "")
    assert the_sandbox().charges() == []


@pytest.mark.parametrize(
    ("email", "confirmed", "code"),
    [
        ("paid@paypal.example", False, "refused_by_payer"),
        ("declined@paypal.example", True, "declined"),
        ("nobody@paypal.example", True, "account_not_accepted"),
    ],
)
def test_paypal_that_is_refused_is_not_saved(place, clock, email, confirmed, code):
    setup = answered(begin(place, clock, PAYPAL), email, confirmed=confirmed)
    assert (setup.state, setup.decline_code) == (SetupState.DECLINED, code)
    assert PaymentMethod.select().count() == 0


def test_a_window_of_paypal_that_is_closed_leaves_nothing(place, clock):
    begin(place, clock, PAYPAL)
    clock.advance_wall(days=2)
    method_setups.look_up_due_setups(limit=10, now=clock.now())
    assert (MethodSetup.get().state, PaymentMethod.select().count()) == (SetupState.DECLINED, 0)


@pytest.mark.parametrize("kind", [PAYPAL, DEBIT])
def test_what_was_added_is_charged_for_the_next_period(place, clock, kind):
    pay(an_order(place), auto_renewal=True)
    setup = answered(begin(place, clock, PAYPAL)) if kind == PAYPAL else debit(place, clock)
    method = setup.method
    payments_methods.choose(place, method, now=clock.now())
    clock.advance(days=30)
    run.run_due(now=clock.now())
    payment = Payment.select().order_by(Payment.id.desc()).get()
    state = PaymentState.SUCCEEDED if kind == PAYPAL else PaymentState.PENDING
    assert (payment.method_id, payment.method_kind, payment.state) == (method.id, kind, state)


def test_an_account_is_asked_for_euros_alone(place, clock):
    """It was chosen to be charged first; what renews in dollars is charged to the card all the same."""
    account = debit(place, clock).method
    clock.advance_wall(minutes=1)
    pay(an_order(place, currency="USD"), auto_renewal=True)
    card = PaymentMethod.get(PaymentMethod.kind == CARD)
    payments_methods.choose(place, account, now=clock.now())
    subscription = agreement.of_workspace(place.workspace)
    assert charged_methods.next_asked(subscription, today=date(2026, 11, 21)) == card
    assert auto_renewal.methods_for(subscription) == [card]
    with pytest.raises(NoSuchMethod):
        auto_renewal.pay_with(place, method_id=account.id, now=clock.now())
    with pytest.raises(payments_methods.MethodNeeded):
        payments_methods.remove(place, card, now=clock.now())
    clock.advance(days=30)
    run.run_due(now=clock.now())
    renewal = Payment.select().order_by(Payment.id.desc()).get()
    assert (renewal.method_id, renewal.state) == (card.id, PaymentState.SUCCEEDED)
    assert Payment.select().count() == 2, "nobody was asked in vain"
    assert_books_clean()


# --- a debit that waits ---------------------------------------------------------------------------


def renewing_by_debit(place, clock, iban=IBAN):
    """Due on 21 December 2026, and asked for on that day."""
    pay(an_order(place), auto_renewal=True)
    clock.advance_wall(minutes=1)
    method = debit(place, clock, iban).method
    payments_methods.choose(place, method, now=clock.now())
    payments_methods.remove(place, PaymentMethod.get(PaymentMethod.kind == CARD), now=clock.now())
    clock.advance(days=30)
    run.run_due(now=clock.now())
    return Payment.select().order_by(Payment.id.desc()).get()


def a_day_later(clock):
    clock.advance(days=1)
    clock.advance_wall(days=1)
    run.run_due(now=clock.now())


def standing(place, clock):
    return agreement.status_of(
        agreement.of_workspace(place.workspace), today=place.workspace.day(clock.now())
    )


def test_a_renewal_whose_debit_waits_for_days_is_not_late(place, clock, monkeypatch):
    monkeypatch.setattr(attempts, "DEBIT_TAKES", timedelta(days=5))
    payment = renewing_by_debit(place, clock)
    for _day in range(4):
        a_day_later(clock)
        assert Payment.get_by_id(payment.id).state == PaymentState.PENDING
        assert standing(place, clock).state == SubscriptionState.PAID
    assert not letters("late") and not letters("renewal_failed") and not letters("blocked")
    a_day_later(clock)
    assert Payment.get_by_id(payment.id).state == PaymentState.SUCCEEDED
    assert Subscription.get().due_on == date(2027, 1, 21)
    assert len(letters("renewed")) == 1
    assert len(paid_charges()) == 2
    assert_books_clean()


def test_a_debit_that_comes_back_is_a_renewal_that_failed(place, clock):
    payment = renewing_by_debit(place, clock, IBAN_DECLINED_WHEN_CHARGED)
    assert standing(place, clock).state == SubscriptionState.PAID
    a_day_later(clock)
    assert Payment.get_by_id(payment.id).state == PaymentState.DECLINED
    assert (Subscription.get().due_on, len(letters("renewal_failed"))) == (date(2026, 12, 21), 1)
    assert paid_charges()[-1].amount_minor == 3360, "the first period, and nothing since"
    assert len(paid_charges()) == 1
    assert_books_clean()


# --- their order ----------------------------------------------------------------------------------


def three(place, clock):
    return [added(place, clock, number) for number in (PAID, MASTERCARD, JCB)]


def test_a_backup_is_moved_to_a_place_and_stays_there(place, clock):
    _visa, mastercard, jcb = three(place, clock)
    payments_methods.move(place, jcb, to=1, now=clock.now())
    assert order_of(place) == ["[4242]", "0505", "4444"]
    payments_methods.move(place, jcb, to=1, now=clock.now())
    assert order_of(place) == ["[4242]", "0505", "4444"], "the same click twice"
    payments_methods.move(place, jcb, to=2, now=clock.now())
    assert order_of(place) == ["[4242]", "4444", "0505"]
    payments_methods.move(place, mastercard, to=99, now=clock.now())
    assert order_of(place) == ["[4242]", "0505", "4444"]


def test_who_is_first_is_chosen_and_not_moved(place, clock):
    visa, _mastercard, jcb = three(place, clock)
    payments_methods.move(place, visa, to=2, now=clock.now())
    payments_methods.move(place, jcb, to=0, now=clock.now())
    assert order_of(place) == ["[4242]", "0505", "4444"]
    payments_methods.choose(place, jcb, now=clock.now())
    assert order_of(place) == ["[0505]", "4242", "4444"]


def test_a_new_one_comes_last_whatever_was_moved(place, clock):
    _visa, _mastercard, jcb = three(place, clock)
    payments_methods.move(place, jcb, to=1, now=clock.now())
    debit(place, clock)
    assert order_of(place) == ["[4242]", "0505", "4444", "4242"]


def test_the_same_card_added_anew_keeps_its_place(place, clock):
    _visa, mastercard, jcb = three(place, clock)
    payments_methods.move(place, jcb, to=1, now=clock.now())
    added(place, clock, JCB)
    assert order_of(place) == ["[4242]", "0505", "4444"]
    with pytest.raises(MethodGone):
        payments_methods.move(place, jcb, to=2, now=clock.now())
    assert mastercard.rank == 0


def test_dunning_follows_the_order(place, clock):
    """The first is declined; on that same day the next in order is asked."""
    pay(an_order(place), auto_renewal=True)
    clock.advance_wall(minutes=1)
    bad = added(place, clock, DECLINED_WHEN_CHARGED)
    mastercard = added(place, clock, MASTERCARD)
    payments_methods.choose(place, bad, now=clock.now())
    payments_methods.move(place, mastercard, to=1, now=clock.now())
    clock.advance(days=30)
    run.run_due(now=clock.now())
    asked = Payment.select().where(Payment.tried_on.is_null(False)).order_by(Payment.id)
    assert [payment.last4 for payment in asked] == ["0341", "4444"]
    assert_books_clean()


# --- one for a subscription, or for all -----------------------------------------------------------


def test_one_subscription_has_a_method_of_its_own_until_one_is_chosen_for_all(place, clock):
    pay(an_order(place), auto_renewal=True)
    clock.advance_wall(minutes=1)
    visa = PaymentMethod.get()
    licences = bought(place, quantity=2, interval=Interval.YEAR, renews_with=visa)
    mastercard = added(place, clock, MASTERCARD)
    auto_renewal.pay_with(place, product=licences.product, method_id=mastercard.id, now=clock.now())

    def first_of(subscription):
        fresh = next(each for each in agreement.all_of(place.workspace) if each.id == subscription.id)
        return charged_methods.methods_of(fresh)[0].last4

    plan = agreement.of_workspace(place.workspace)
    assert (first_of(plan), first_of(licences)) == ("4242", "4444")
    payments_methods.remove(place, visa, now=clock.now())
    assert (first_of(plan), first_of(licences)) == ("4444", "4444")
    again = added(place, clock)
    payments_methods.choose(place, again, now=clock.now())
    assert (first_of(plan), first_of(licences)) == ("4242", "4242")
    assert_books_clean()


def test_a_method_that_cannot_be_charged_is_not_chosen_for_one(place, clock):
    pay(an_order(place), auto_renewal=True)
    expired = added(place, clock, MASTERCARD)
    PaymentMethod.update(exp_year=2026, exp_month=10).where(PaymentMethod.id == expired.id).execute()
    for method_id in (expired.id, 999_999):
        with pytest.raises(NoSuchMethod):
            auto_renewal.pay_with(place, method_id=method_id, now=clock.now())
