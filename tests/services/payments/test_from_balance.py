"""What is kept for a workspace pays what it orders next, once: by hand, by itself, before any gateway."""

from datetime import date

import pytest

from portal.domain.errors import QuoteChanged
from portal.domain.frozen_quote import frozen_balance
from portal.domain.money import Money
from portal.domain.vocabulary import OrderState, PaidWith, PaymentMethodKind, PaymentState
from portal.models import Invoice, Order, Payment, PaymentMethod, Refund, Subscription
from portal.services import ledger
from portal.services.checkout import ordering
from portal.services.payments import charging, refund_quotes, refunds
from portal.services.renewals import run
from portal.services.subscriptions import agreement, auto_renewal
from portal.services.subscriptions.auto_renewal import NoSuchMethod
from tests import licensed, paying
from tests.books import assert_books_clean
from tests.conftest import TODAY
from tests.crediting import credit
from tests.factories import letters
from tests.paying import DECLINED, a_place, an_order, paid_charges, pay, reloaded, the_sandbox

pytestmark = pytest.mark.both_engines

# Meetings Essential is 11.00 a licence and month, business-5 28.00 a month, each + 20 %.


def keep(place, clock, *, days=15, licences=2):
    """Give back what is unused after so many of 30 days: of 2 licences 26.40, half of it is kept."""
    licensed.bought(place, quantity=licences)
    invoice = Invoice.select().order_by(Invoice.id.desc()).get()
    clock.advance(days=days)
    credit(invoice, clock.now().date())
    return balance(place)


def balance(place):
    return ledger.balance_of(place.workspace, "EUR").minor


def charged():
    return [charge.amount_minor for charge in paid_charges()]


@pytest.fixture
def kept(place, clock):
    return keep(place, clock)


def test_the_balance_pays_a_part_and_the_card_the_rest(place, clock, kept):
    order = an_order(place, "business-5")
    before = charged()
    payment = pay(reloaded(order))
    order = reloaded(order)
    assert kept == 1320
    assert (order.from_balance_minor, order.due.minor) == (kept, order.total_minor - kept)
    assert payment.amount_minor == order.total_minor - kept
    assert charged() == [*before, order.total_minor - kept]
    assert balance(place) == 0
    invoice = Invoice.select().order_by(Invoice.id.desc()).get()
    assert invoice.total_minor == order.total_minor
    assert invoice.facts["payment"]["from_balance_minor"] == kept
    assert_books_clean()


def test_where_it_pays_the_whole_nobody_is_asked(place, clock):
    keep(place, clock, days=0, licences=10)
    before, kept = charged(), balance(place)
    order = an_order(place, "business-5")
    payment = pay(reloaded(order), None)
    order = reloaded(order)
    assert (payment.state, payment.method_kind, payment.gateway) == (
        PaymentState.SUCCEEDED,
        PaidWith.BALANCE,
        "balance",
    )
    assert (order.state, order.due.minor) == (OrderState.PAID, 0)
    assert charged() == before
    assert balance(place) == kept - order.total_minor
    [letter] = letters("order_confirmed")[-1:]
    assert letter["attachments"]
    invoice = Invoice.select().order_by(Invoice.id.desc()).get()
    assert invoice.facts["payment"]["method"] == "balance"
    assert invoice.facts["payment"]["processor"] == ""
    assert_books_clean()


def test_what_the_balance_has_paid_is_not_sent_back(place, clock):
    keep(place, clock, days=0, licences=10)
    pay(reloaded(an_order(place, "business-5")), None)
    refusal = refund_quotes.refundable(place.workspace, now=clock.now())
    assert refusal.reason == refund_quotes.RefusalReason.NOT_OFFERED


def test_two_orders_never_count_on_the_same_money(place, clock, kept):
    """The first waits for its debit; the second is due in full, and shows so."""
    first = reloaded(an_order(place, "business-5", method_kind=PaymentMethodKind.PAYPAL))
    waiting = ordering.place_order(
        first,
        person=place.member.person,
        card=None,
        auto_renewal=False,
        shown_quote_hash=first.quote_hash,
        return_url=paying.RETURN_URL,
        now=clock.now(),
    )
    assert waiting.is_open
    assert ledger.kept(place.workspace, "EUR") == Money(0, "EUR")
    assert balance(place) == kept
    other = paying.with_details(
        ordering.open_order(
            place,
            choices=[licensed.Choice("webinar-standard", licensed.Interval.MONTH, 1)],
            currency="EUR",
            now=clock.now(),
        ),
        place,
    )
    assert reloaded(other).from_balance_minor == 0
    pay(reloaded(other))
    assert_books_clean()
    charging.give_up(waiting, now=clock.now())
    assert ledger.kept(place.workspace, "EUR") == Money(kept, "EUR")
    assert_books_clean()


def test_a_decline_leaves_the_balance_as_it_was(place, clock, kept):
    order = an_order(place, "business-5")
    assert pay(reloaded(order), DECLINED).state == PaymentState.DECLINED
    assert balance(place) == kept
    assert ledger.kept(place.workspace, "EUR") == Money(kept, "EUR")
    pay(reloaded(order))
    assert balance(place) == 0
    assert_books_clean()


def test_an_order_that_counted_on_more_than_is_left_is_shown_anew(place, clock, kept):
    order = reloaded(an_order(place, "business-5"))
    shown = order.quote_hash
    other = paying.with_details(
        ordering.open_order(
            place,
            choices=[licensed.Choice("webinar-standard", licensed.Interval.MONTH, 1)],
            currency="EUR",
            now=clock.now(),
        ),
        place,
    )
    pay(reloaded(other))
    before = charged()
    with pytest.raises(QuoteChanged):
        pay(order, shown=shown)
    assert charged() == before
    left = frozen_balance(reloaded(order).quote)
    assert (left.used.minor if left else 0) == balance(place)
    assert_books_clean()


def test_a_refund_sends_back_what_was_charged_and_keeps_the_rest(place, clock, kept):
    order = an_order(place, "business-5")
    payment = pay(reloaded(order))
    paid = refund_quotes.find_payment(place.workspace, payment.key)
    preview = refund_quotes.preview(paid, now=clock.now())
    refunds.ask_refund(place, paid, shown_hash=preview.hash, now=clock.now())
    assert Refund.get().amount_minor == payment.amount_minor
    assert balance(place) == kept
    assert_books_clean()


# --- renewals ------------------------------------------------------------------------------------


def renewing(place, clock):
    """The plan is renewed by itself on 21 December."""
    payment = pay(an_order(place), auto_renewal=True)
    assert payment.state == PaymentState.SUCCEEDED
    return Subscription.get(Subscription.workspace == place.workspace)


def test_a_renewal_takes_the_balance_first(place, clock):
    subscription = renewing(place, clock)
    due_on = subscription.due_on
    kept = keep(place, clock)
    clock.set(TODAY.replace(month=12, day=due_on.day, hour=12))
    run.run_due(now=clock.now())
    renewal = Order.select().order_by(Order.id.desc()).get()
    assert renewal.is_renewal
    assert (renewal.state, renewal.from_balance_minor) == (OrderState.PAID, kept)
    assert charged()[-1] == renewal.total_minor - kept
    assert balance(place) == 0
    assert_books_clean()


def test_two_renewals_of_one_run_take_the_balance_once(place, clock):
    """Both are looked at in one batch, in which one question told that something is kept."""
    subscription = renewing(place, clock)
    licensed.bought(place, "training-standard", renews_with=PaymentMethod.get())
    kept = keep(place, clock)
    clock.set(TODAY.replace(month=12, day=subscription.due_on.day, hour=12))
    run.run_due(now=clock.now())
    first, second = [order for order in Order.select().order_by(Order.id) if order.is_renewal]
    assert (first.from_balance_minor, second.from_balance_minor) == (kept, 0)
    assert sorted(charged()[-2:]) == sorted([first.total_minor - kept, second.total_minor])
    assert balance(place) == 0
    assert_books_clean()


def test_a_renewal_that_the_balance_pays_needs_no_card(place, clock):
    subscription = renewing(place, clock)
    keep(place, clock, days=1, licences=10)
    PaymentMethod.update(removed_at=clock.now()).execute()
    clock.set(TODAY.replace(month=12, day=subscription.due_on.day, hour=12))
    before = charged()
    run.run_due(now=clock.now())
    again = Subscription.get_by_id(subscription.id)
    assert again.due_on > subscription.due_on
    assert again.renewal_failed_on is None
    assert charged() == before
    renewal = Order.select().order_by(Order.id.desc()).get()
    payment = Payment.get(Payment.order == renewal)
    assert (payment.method_kind, payment.tried_on) == (PaidWith.BALANCE, clock.now().date())
    [letter] = letters("renewed")
    assert letter["context"]["method"]["method"] == "balance"
    assert not letters("renewal_failed")
    assert_books_clean()
    run.run_due(now=clock.now())
    assert Order.select().count() == 3


def test_another_workspace_has_another_balance(place, clock, kept):
    other = a_place("Bravo", owner="Bo Berg")
    order = reloaded(an_order(other, "business-5"))
    assert order.from_balance_minor == 0
    assert the_sandbox() is not None


def test_the_letter_before_a_renewal_that_the_balance_pays_asks_for_no_card(place, clock):
    renewing(place, clock)
    keep(place, clock, days=1, licences=10)
    PaymentMethod.update(removed_at=clock.now()).execute()
    clock.advance(days=23)
    run.run_due(now=clock.now())
    [letter] = letters("renewal_ahead")
    told = letter["context"]
    assert (told["problem"], told["method"], told["from_balance_minor"]) == (None, None, told["total_minor"])


def test_the_letter_before_a_renewal_says_how_much_of_it_the_balance_pays(place, clock):
    renewing(place, clock)
    kept = keep(place, clock, days=15)
    clock.advance(days=9)
    run.run_due(now=clock.now())
    [letter] = letters("renewal_ahead")
    assert (letter["context"]["from_balance_minor"], letter["context"]["problem"]) == (kept, None)
    assert letter["context"]["method"] is not None


# --- automatic renewal without a card -------------------------------------------------------------


def late_without_a_card(place, clock, *, licences=3):
    """Business 5 at 33.60 was due yesterday; 13.20 is kept for each licence that was given back at once."""
    pay(reloaded(an_order(place, "business-5")))
    keep(place, clock, days=0, licences=licences)
    assert PaymentMethod.select().count() == 0
    clock.advance(days=31)
    return auto_renewal.next_charge(place.workspace, now=clock.now())


def switch_on(place, clock, charge, *, method=None):
    return auto_renewal.switch_on(place, method_id=method, shown_hash=charge.hash, now=clock.now())


@pytest.mark.settings(PORTAL_GRACE_DAYS="5")
def test_what_is_late_is_renewed_from_a_balance_that_is_enough_without_a_card(place, clock):
    charge = late_without_a_card(place, clock)
    assert (charge.needs_method, charge.quote.total.minor, balance(place)) == (False, 3360, 3960)
    before = charged()
    switch_on(place, clock, charge)
    found = agreement.of_workspace(place.workspace)
    assert (found.auto_renewal, found.payment_method_id, found.renew_on) == (True, None, date(2026, 12, 22))
    [letter] = letters("auto_renewal_on")
    assert (letter["context"]["from_balance_minor"], letter["context"]["method"]) == (3360, None)
    run.run_due(now=clock.now())
    found = agreement.of_workspace(place.workspace)
    assert (found.due_on, found.auto_renewal) == (date(2027, 1, 21), True)
    assert (charged(), balance(place)) == (before, 600)
    assert_books_clean()


@pytest.mark.settings(PORTAL_GRACE_DAYS="5")
def test_a_balance_that_is_not_enough_needs_a_card(place, clock):
    charge = late_without_a_card(place, clock, licences=2)
    assert (charge.needs_method, charge.from_balance.minor, charge.due.minor) == (True, 2640, 720)
    with pytest.raises(NoSuchMethod):
        switch_on(place, clock, charge)
    assert not agreement.of_workspace(place.workspace).auto_renewal


@pytest.mark.settings(PORTAL_GRACE_DAYS="5")
def test_a_balance_that_was_used_meanwhile_is_shown_anew(place, clock):
    """What is left no longer suffices, and before that the page was another."""
    charge = late_without_a_card(place, clock, licences=9)
    licensed.bought(place, "webinar-standard")
    assert not auto_renewal.next_charge(place.workspace, now=clock.now()).needs_method
    switch_on(place, clock, auto_renewal.next_charge(place.workspace, now=clock.now()))
    auto_renewal.switch_off(place, now=clock.now())
    licensed.bought(place, "training-standard")
    with pytest.raises((QuoteChanged, NoSuchMethod)):
        switch_on(place, clock, charge)
    assert not agreement.of_workspace(place.workspace).auto_renewal
