"""Paid by bank transfer: given at once, its invoice open; late, blocked; the next one 30 days ahead."""

from datetime import date, timedelta

import pytest

from portal.domain.choices import Choice
from portal.domain.errors import InvoiceIsOpen, NothingDue, QuoteChanged
from portal.domain.money import Money
from portal.domain.vocabulary import (
    Interval,
    OrderKind,
    OrderState,
    PaymentMethodKind,
    PaymentState,
    SubscriptionState,
)
from portal.models import Invoice, Order, Payment, PaymentMethod, Subscription
from portal.runtime import current
from portal.services import ledger
from portal.services.checkout import open_invoices, ordering
from portal.services.invoices import history
from portal.services.payments import on_account
from portal.services.subscriptions import agreement, auto_renewal, cancellation
from tests import paying
from tests.books import assert_books_clean
from tests.crediting import credit
from tests.factories import letters
from tests.licensed import bought
from tests.passing import pass_days

pytestmark = pytest.mark.both_engines

YEARLY = 17900 + 3580
"""One licence of Remote in euros, with 20 % VAT."""
BOUGHT = date(2026, 11, 21)
PAY_BY = date(2026, 12, 21)
A_YEAR_LATER = date(2027, 11, 21)


def ordered(place, *, quantity=1, plan="remote-licence"):
    """Remote or another, ordered to be paid by bank transfer and confirmed."""
    opened = ordering.open_order(
        place,
        choices=[Choice(plan, Interval.YEAR, quantity)],
        currency="EUR",
        now=current().clock.now(),
    )
    order = paying.with_details(opened, place, method_kind=PaymentMethodKind.BANK_TRANSFER)
    assert paying.pay(order, None) is None, "nobody is asked for money"
    return paying.reloaded(order)


def the_subscription():
    return (
        Subscription.select().where(Subscription.price.is_null(False)).order_by(Subscription.id.desc()).get()
    )


def state(place):
    subscription = agreement.of_product(place.workspace, the_subscription().product)
    return agreement.status_of(subscription, today=place.workspace.day(current().clock.now())).state


def the_invoice(order):
    invoice = history.invoice_of(order)
    invoice.workspace = order.workspace
    return invoice


def paid_by_card(place, invoice, *, number=paying.PAID, shown=None):
    left = on_account.open_part(invoice)
    return open_invoices.pay(
        place.workspace,
        invoice.number,
        person=place.member.person,
        card=paying.a_card(number),
        method=None,
        shown=shown or open_invoices.shown_as(left),
        return_url=paying.RETURN_URL,
        now=current().clock.now(),
    )


def test_what_is_ordered_is_given_at_once_and_its_invoice_is_open(place):
    order = ordered(place)
    subscription, invoice = the_subscription(), the_invoice(order)
    assert (order.state, order.given_at) == (OrderState.INVOICED, current().clock.now())
    assert (subscription.due_on, subscription.unpaid_on) == (A_YEAR_LATER, PAY_BY)
    assert subscription.pays_by_transfer
    assert (invoice.due_on, invoice.total_minor) == (PAY_BY, YEARLY)
    assert invoice.facts["payment"] is None
    assert invoice.facts["reference"] == invoice.reference == "RF94INV2026000001"
    assert on_account.open_part(invoice) == Money(YEARLY, "EUR")
    assert ledger.balance_of(place.workspace, "EUR") == Money(-YEARLY, "EUR")
    assert state(place) is SubscriptionState.PAID
    assert Payment.select().count() == 0
    [letter] = letters("order_confirmed")[-1:]
    assert letter["attachments"] == [{"invoice_id": invoice.id, "locale": "en"}]
    assert_books_clean()


def test_a_card_pays_what_is_open(place):
    order = ordered(place)
    payment = paid_by_card(place, the_invoice(order))
    assert (payment.state, payment.amount_minor) == (PaymentState.SUCCEEDED, YEARLY)
    assert paying.reloaded(order).state == OrderState.PAID
    assert the_subscription().unpaid_on is None
    assert on_account.open_of(place.workspace) == []
    assert ledger.balance_of(place.workspace, "EUR") == Money(0, "EUR")
    [letter] = letters("invoice_paid")
    assert letter["context"]["total_minor"] == YEARLY
    assert [each.kind for each in Invoice.select()] == ["invoice"], "no second invoice is issued"
    assert_books_clean()


def test_a_card_that_is_declined_leaves_it_open(place):
    order = ordered(place)
    payment = paid_by_card(place, the_invoice(order), number="4000000000000002")
    assert payment.state == PaymentState.DECLINED
    assert paying.reloaded(order).state == OrderState.INVOICED
    assert the_subscription().unpaid_on == PAY_BY
    assert_books_clean()
    assert paid_by_card(place, the_invoice(order)).state == PaymentState.SUCCEEDED
    assert_books_clean()


def test_nothing_is_charged_twice_and_nothing_but_what_was_shown(place):
    order = ordered(place)
    invoice = the_invoice(order)
    with pytest.raises(QuoteChanged):
        paid_by_card(place, invoice, shown="1 EUR")
    paid_by_card(place, invoice)
    with pytest.raises(NothingDue):
        paid_by_card(place, invoice, shown=f"{YEARLY} EUR")
    assert [charge.amount_minor for charge in paying.paid_charges()] == [YEARLY]


def test_what_is_kept_covers_a_part_of_it(place):
    kept = something_kept(place)
    order = ordered(place)
    invoice = the_invoice(order)
    left = Money(YEARLY, "EUR") - kept
    assert order.due == on_account.open_part(invoice) == left
    assert_books_clean()
    assert paid_by_card(place, invoice).amount == left
    assert paying.reloaded(order).state == OrderState.PAID
    assert_books_clean()


def something_kept(place):
    """In the balance, left over from licences that were given back; less than a licence of Remote costs."""
    subscription = bought(place, "meetings-essential", quantity=5)
    line = subscription.order_lines.get()
    invoice = Invoice.get(Invoice.order == line.order_id)
    credit(invoice, place.workspace.day(current().clock.now()))
    kept = ledger.kept(place.workspace, "EUR")
    assert 0 < kept.minor < YEARLY
    return kept


def test_what_another_order_gives_back_pays_that_order_and_not_an_older_open_invoice(place):
    bought(place, "meetings-essential", quantity=9, interval=Interval.YEAR)
    order = ordered(place)
    choice = Choice("meetings-professional", Interval.YEAR, 12, OrderKind.CHANGE)
    now = current().clock.now()
    changed = paying.with_details(
        ordering.open_order(place, choices=[choice], currency="EUR", now=now), place
    )
    assert changed.from_balance_minor > 0
    paying.pay(changed)
    assert on_account.open_part(the_invoice(order)) == Money(YEARLY, "EUR")
    assert on_account.open_part(the_invoice(changed)) == Money(0, "EUR")
    assert ledger.balance_of(place.workspace, "EUR") == Money(-YEARLY, "EUR")
    assert_books_clean()


def test_while_it_is_open_nothing_else_of_the_product_is_bought(place):
    ordered(place)
    with pytest.raises(InvoiceIsOpen):
        ordering.open_order(
            place,
            choices=[Choice("remote-licence", Interval.YEAR, 2)],
            currency="EUR",
            now=current().clock.now(),
        )


def test_nor_does_it_renew_itself(place):
    ordered(place)
    product = the_subscription().product
    with pytest.raises(auto_renewal.NotRenewable) as refused:
        auto_renewal.next_charge(place.workspace, product=product, now=current().clock.now())
    assert refused.value.owes_invoice


def test_unpaid_it_is_told_late_and_blocked_and_a_payment_opens_it_again(place, clock):
    order = ordered(place)
    pass_days(clock, 30)
    assert state(place) is SubscriptionState.PAID, "the last day to pay is a day in time"
    pass_days(clock, 1)
    assert state(place) is SubscriptionState.LATE
    pass_days(clock, 13)
    assert state(place) is SubscriptionState.LATE, "the last of the dunning days"
    pass_days(clock, 1)
    assert state(place) is SubscriptionState.BLOCKED
    told = letters("invoice_reminder")
    assert [each["context"]["is_late"] for each in told] == [False, True, True, True, True]
    assert told[1]["context"]["blocked_on"] == (PAY_BY + timedelta(days=15)).isoformat()
    assert [each["context"]["plan_names"]["en"] for each in letters("blocked")] == ["Remote licence"]
    assert letters("late") == [], "its reminders say so"
    assert_books_clean()
    paid_by_card(place, the_invoice(order))
    assert state(place) is SubscriptionState.PAID
    assert the_subscription().due_on == A_YEAR_LATER
    assert_books_clean()


def test_the_next_invoice_comes_30_days_ahead_and_the_period_with_its_payment(place, clock):
    paid_by_card(place, the_invoice(ordered(place)))
    pass_days(clock, 334)
    assert Order.select().count() == 1
    pass_days(clock, 1)
    ahead = Order.select().order_by(Order.id.desc()).get()
    ahead.workspace = place.workspace
    invoice = the_invoice(ahead)
    assert (ahead.state, ahead.given_at) == (OrderState.INVOICED, None)
    assert (invoice.issued_on, invoice.due_on) == (A_YEAR_LATER - timedelta(days=30), A_YEAR_LATER)
    assert the_subscription().due_on == A_YEAR_LATER
    assert [each["context"]["due_on"] for each in letters("invoice_ahead")] == ["2027-11-21"]
    assert letters("due_soon") == []
    assert_books_clean()
    paid_by_card(place, invoice)
    assert (the_subscription().due_on, the_subscription().unpaid_on) == (date(2028, 11, 21), None)
    assert_books_clean()
    pass_days(clock, 40)
    assert state(place) is SubscriptionState.PAID
    assert Order.select().count() == 2


def test_unpaid_the_next_period_is_late_then_blocked_and_begins_where_the_last_one_ended(place, clock):
    paid_by_card(place, the_invoice(ordered(place)))
    pass_days(clock, 365)
    assert state(place) is SubscriptionState.PAID
    pass_days(clock, 1)
    assert state(place) is SubscriptionState.LATE
    pass_days(clock, 14)
    assert state(place) is SubscriptionState.BLOCKED
    assert_books_clean()
    [(invoice, _left)] = on_account.open_of(place.workspace)
    invoice.workspace = place.workspace
    paid_by_card(place, invoice)
    assert state(place) is SubscriptionState.PAID
    assert the_subscription().due_on == date(2028, 11, 21)
    assert_books_clean()


def test_cancelled_before_it_begins_its_invoice_is_credited(place, clock):
    paid_by_card(place, the_invoice(ordered(place)))
    pass_days(clock, 340)
    [(invoice, _left)] = on_account.open_of(place.workspace)
    subscription = agreement.of_product(place.workspace, the_subscription().product)
    cancellation.cancel(subscription, shown_ends_on=A_YEAR_LATER.isoformat(), now=clock.now())
    pass_days(clock, 1)
    assert on_account.open_of(place.workspace) == []
    order = Order.get_by_id(invoice.order_id)
    assert (order.state, order.given_at) == (OrderState.WITHDRAWN, None)
    assert ledger.balance_of(place.workspace, "EUR") == Money(0, "EUR")
    [letter] = letters("invoice_withdrawn")
    assert letter["context"]["is_cancelled"]
    assert_books_clean()
    subscription = agreement.of_product(place.workspace, the_subscription().product)
    cancellation.take_back(subscription, now=clock.now())
    pass_days(clock, 1)
    [(again, _left)] = on_account.open_of(place.workspace)
    assert again.id != invoice.id
    assert_books_clean()


def test_withheld_it_is_paid_by_hand_again(place, clock):
    paid_by_card(place, the_invoice(ordered(place)))
    place.workspace.transfers_withheld = True
    place.workspace.save()
    pass_days(clock, 360)
    assert on_account.open_of(place.workspace) == []
    assert not the_subscription().pays_by_transfer
    assert len(letters("due_soon")) == 1


def test_a_method_that_is_saved_pays_it(place):
    payment = paying.pay(paying.an_order(place), auto_renewal=True)
    assert payment.state == PaymentState.SUCCEEDED
    invoice = the_invoice(ordered(place))
    method = PaymentMethod.get()
    paid = open_invoices.pay(
        place.workspace,
        invoice.number,
        person=place.member.person,
        card=None,
        method=method,
        shown=f"{YEARLY} EUR",
        return_url=paying.RETURN_URL,
        now=current().clock.now(),
    )
    assert (paid.state, paid.method) == (PaymentState.SUCCEEDED, method)
    assert_books_clean()


def test_without_an_account_of_the_seller_or_a_product_that_takes_them_none_is_offered(place):
    meetings = ordering.open_order(
        place,
        choices=[Choice("meetings-essential", Interval.MONTH, 1)],
        currency="EUR",
        now=current().clock.now(),
    )
    assert not on_account.is_offered_for(meetings)
    order = paying.with_details(meetings, place, method_kind=PaymentMethodKind.BANK_TRANSFER)
    with pytest.raises(on_account.TransfersNotOffered):
        paying.pay(order, None)
    assert paying.reloaded(order).state == OrderState.OPEN
