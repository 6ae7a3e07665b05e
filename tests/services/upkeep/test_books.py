"""The books answer 0 after every scenario; and each question finds what it is there for, and only it does."""

import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from portal.database.connecting import connection
from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, OrderState, PaymentMethodKind, PaymentState, RefundState
from portal.gateways.base import ChargeRequest, RefundRequest
from portal.models import Dispute, Document, Invoice, Order, Payment, Refund, Workspace
from portal.runtime import Runtime, current, install
from portal.services.checkout import cart
from portal.services.payments import refund_quotes, refunds
from portal.services.upkeep import books
from portal.services.upkeep.books import gateways, reading
from tests.books import assert_books_clean, broken_books
from tests.conftest import ENGINES, TODAY
from tests.corruptions import (
    CORRUPTIONS,
    a_past_of_everything,
    correct_details,
    give_credits,
    make_balances_anew,
)
from tests.crediting import credit
from tests.factories import owner_of, seen_by
from tests.licensed import bought
from tests.matrix import share
from tests.paying import (
    ASKS_ONCE,
    DECLINED,
    RETURN_URL,
    a_card,
    a_place,
    an_order,
    apply_catalogue,
    as_seen_by,
    buy,
    pay,
    the_sandbox,
)
from tests.services.payments.test_on_account import ordered
from tests.services.renewals.test_promises import sells_at

pytestmark = pytest.mark.both_engines


@pytest.fixture
def shop(place, runtime, database, tmp_path):
    """Acme has paid twice; Other has two open orders, each declined once. The gateway keeps no list."""
    buy(place)
    buy(place, "business-10")
    as_seen_by(place, "Paul Petit")
    other = a_place("Other", owner="Otto Other")
    for _ in range(2):
        pay(an_order(other), DECLINED)
    assert_books_clean()
    install(Runtime(runtime.settings, runtime.clock, {}))
    return Shop(runtime, database, tmp_path / "sandbox.sqlite")


class TakenBack(Exception):
    """Ends a transaction that must not last."""


def named_after(corrupt, database, *, of_balances=False):
    """What the books say after the corruption, which is taken back then.

    `of_balances`: balances stay as they are; else each is still the sum of the entries up to it.
    """
    named = {}
    with contextlib.suppress(TakenBack), database.atomic():
        corrupt()
        if not of_balances:
            make_balances_anew(database)
        named = broken_books()
        raise TakenBack
    return set(named)


class Shop:
    def __init__(self, runtime, database, ledger):
        self.runtime, self.database, self.ledger = runtime, database, ledger

    def sql(self, *statements):
        for statement in statements:
            assert self.database.execute_sql(statement).rowcount != 0, statement

    def named_after(self, *statements, of_balances=False):
        """What the books say after the statements, which are taken back then."""
        return named_after(lambda: self.sql(*statements), self.database, of_balances=of_balances)

    def ask_the_gateway(self):
        install(self.runtime)


FIRST_OF_ACME = "(SELECT min(id) FROM audit_entry WHERE workspace_id IS NOT NULL)"
SETTLED = {"ask_again_at": None, "settled_at": TODAY}
IS_OPEN = "settled_at = NULL, look_up_at = created_at"
ONE_DECLINED = "id = (SELECT min(id) FROM payment WHERE state = 'declined')"
ITS_ORDER = f"id = (SELECT order_id FROM payment WHERE {ONE_DECLINED})"
NEWEST_PAID = "id = (SELECT max(id) FROM purchase_order WHERE state = 'paid')"
OF_NEWEST = "order_id = (SELECT max(id) FROM purchase_order WHERE state = 'paid')"
PAYMENT_OF_NEWEST = f"(SELECT id FROM payment WHERE {OF_NEWEST})"
ENTRY_OF_PAYMENT = f"(SELECT id FROM balance_entry WHERE payment_id = {PAYMENT_OF_NEWEST})"
PAYMENT_OUT_OF_THE_LEDGER = (
    f"DELETE FROM allocation WHERE entry_id = {ENTRY_OF_PAYMENT}",
    f"DELETE FROM balance_entry WHERE payment_id = {PAYMENT_OF_NEWEST}",
)
REFUND_OUT_OF_THE_LEDGER = (
    "DELETE FROM allocation WHERE refund_id IS NOT NULL",
    "DELETE FROM balance_entry WHERE refund_id IS NOT NULL",
)
BALANCES = "balances_follow_from_their_entries"
OF_ITS_LINE = f"line_id = (SELECT id FROM order_line WHERE {OF_NEWEST})"


def a_charge_that_nobody_asked_for(shop):
    shop.ask_the_gateway()
    the_sandbox().charge(
        ChargeRequest(
            "k", 100, "EUR", "?", {}, a_card(), save=False, return_url=RETURN_URL, off_session=False
        )
    )


def a_charge_that_the_gateway_forgot(shop):
    ledger = sqlite3.connect(shop.ledger)
    ledger.execute("DELETE FROM attempt WHERE seq = (SELECT min(seq) FROM attempt WHERE state = 'succeeded')")
    ledger.commit()
    ledger.close()
    shop.ask_the_gateway()


def a_document_of_other_bytes(shop):
    Document.create(invoice=Invoice.get(), locale="fr", content=b"%PDF", sha256="0" * 64, created_at=TODAY)


def the_owner_of_acme():
    acme = Workspace.get(Workspace.name == "Acme")
    return seen_by(owner_of(acme), acme)


def after_a_refund(*statements):
    """The newest payment of Acme is refunded, then the breach."""

    def breach(shop):
        shop.ask_the_gateway()
        owner = the_owner_of_acme()
        last = refund_quotes.last_payment(owner.workspace).payment
        now = current().clock.now()
        refunds.ask_refund(owner, last, shown_hash=refund_quotes.preview(last, now=now).hash, now=now)
        assert_books_clean()
        install(Runtime(shop.runtime.settings, shop.runtime.clock, {}))
        shop.sql(*statements)

    return breach


def after_credits(*statements):
    """Some days of the newest invoice of Acme are given back, then the breach."""

    def breach(shop):
        credit(Invoice.select().order_by(Invoice.id.desc()).get(), date(2026, 12, 1))
        assert_books_clean()
        shop.sql(*statements)

    return breach


def an_order_for_a_plan_that_is_too_small(shop):
    """Acme waits for its bank about a larger plan, which somebody makes smaller than the present one."""
    shop.ask_the_gateway()
    pay(an_order(the_owner_of_acme(), "business-20"), ASKS_ONCE)
    assert_books_clean()
    shop.sql("UPDATE plan SET max_users = 1 WHERE code = 'business-20'")


def a_cart_in_two_currencies(shop):
    owner, now = the_owner_of_acme(), current().clock.now()
    for plan in ("meetings-essential", "webinar-standard"):
        cart.add(owner, choice=Choice(plan, Interval.MONTH), currency="EUR", now=now)
    assert_books_clean()
    shop.sql(
        """UPDATE cart_line SET currency = 'USD', price_id = (
             SELECT id FROM price WHERE price.plan_id = cart_line.plan_id AND price.currency = 'USD'
               AND price.interval = 'month')
           WHERE id = (SELECT min(id) FROM cart_line)"""
    )


def money_that_pays_nothing(shop):
    """A credit note leaves something in the balance, and nobody asks what it could pay."""
    paid, owner = Invoice.select().order_by(Invoice.id.desc()).get(), the_owner_of_acme()
    ordered(owner)
    assert_books_clean()
    credit(paid, date(2026, 12, 1))


def a_refund_of_a_declined_payment(shop):
    a_refund_row(Payment.get(Payment.state == PaymentState.DECLINED), **SETTLED, state=RefundState.REFUSED)


def two_open_refunds(shop):
    for payment in Payment.select().where(Payment.state == PaymentState.SUCCEEDED):
        a_refund_row(payment)


def a_refund_row(payment, **changed):
    facts = {
        "key": f"refund of {payment.id}",
        "workspace": payment.workspace,
        "payment": payment,
        "person": payment.order.person,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "ask_again_at": TODAY,
        "created_at": TODAY,
    }
    Refund.create(**facts | changed)


def a_refund_that_nobody_asked_for(shop):
    shop.ask_the_gateway()
    charge = Payment.get(Payment.state == PaymentState.SUCCEEDED).reference
    the_sandbox().refund(RefundRequest("k", charge, 100))


def a_dispute_that_the_gateway_does_not_know(shop):
    shop.ask_the_gateway()
    payment = Payment.get(Payment.state == PaymentState.SUCCEEDED)
    Dispute.create(
        workspace=payment.workspace,
        payment=payment,
        event_id="e",
        payload="{}",
        opened_at=TODAY,
        created_at=TODAY,
    )


BREACHES = {
    "succeeded_payments_belong_to_paid_orders": [
        f"""INSERT INTO balance_entry
              (workspace_id, currency, amount_minor, after_minor, kind, payment_id, made_at)
            SELECT workspace_id, currency, amount_minor, 0, 'payment', id, created_at
            FROM payment WHERE {ONE_DECLINED}""",
        f"UPDATE payment SET state = 'succeeded' WHERE {ONE_DECLINED}",
    ],
    "placed_orders_have_a_waiting_payment": [f"UPDATE purchase_order SET state = 'placed' WHERE {ITS_ORDER}"],
    "waiting_payments_belong_to_placed_orders": [
        f"UPDATE payment SET state = 'unknown', {IS_OPEN} WHERE {ONE_DECLINED}"
    ],
    "products_wait_for_one_payment_at_most": [
        "UPDATE purchase_order SET state = 'placed' WHERE state = 'open'",
        f"UPDATE payment SET state = 'unknown', {IS_OPEN} WHERE state = 'declined'",
    ],
    "every_document_and_payment_has_its_entry": [
        "DELETE FROM balance_entry WHERE id = (SELECT min(id) FROM balance_entry WHERE kind = 'invoice')"
    ],
    "entries_repeat_their_cause": [
        """UPDATE balance_entry SET amount_minor = amount_minor - 1
           WHERE id = (SELECT min(id) FROM balance_entry WHERE kind = 'invoice')"""
    ],
    "allocations_cover_no_more_than_both_sides": [
        "UPDATE allocation SET amount_minor = amount_minor + 1 WHERE id = (SELECT min(id) FROM allocation)"
    ],
    "paid_invoices_are_allocated_in_full": [
        "UPDATE allocation SET amount_minor = amount_minor - 1 WHERE id = (SELECT min(id) FROM allocation)"
    ],
    BALANCES: [
        """UPDATE balance_entry SET after_minor = after_minor + 1
           WHERE id = (SELECT min(id) FROM balance_entry WHERE kind = 'payment')"""
    ],
    "invoiced_orders_are_not_covered": [
        "UPDATE invoice SET remind_on = '2026-12-01' WHERE id = (SELECT min(id) FROM invoice)"
    ],
    "nothing_is_kept_beside_what_it_could_pay": money_that_pays_nothing,
    "subscriptions_owe_what_is_open": [
        "UPDATE subscription SET unpaid_on = '2026-12-01' WHERE id = (SELECT min(id) FROM subscription)"
    ],
    "refunds_are_allocated_in_full": after_a_refund(REFUND_OUT_OF_THE_LEDGER[0]),
    "charges_are_in_the_books": a_charge_that_nobody_asked_for,
    "succeeded_payments_are_charges": a_charge_that_the_gateway_forgot,
    "orders_have_all_their_lines": [
        "DELETE FROM order_line WHERE order_id = (SELECT min(id) FROM purchase_order WHERE state = 'open')"
    ],
    "order_lines_repeat_their_quote": [f"UPDATE order_line SET quantity = 2 WHERE {OF_NEWEST}"],
    "orders_are_as_they_were_quoted": [f"UPDATE purchase_order SET quote_hash = '0' WHERE {NEWEST_PAID}"],
    "paid_orders_have_their_invoice": [
        f"DELETE FROM allocation WHERE entry_id = {ENTRY_OF_PAYMENT}",
        f"DELETE FROM balance_entry WHERE invoice_id = (SELECT id FROM invoice WHERE {OF_NEWEST})",
        f"DELETE FROM invoice WHERE {OF_NEWEST}",
        "UPDATE number_series SET next_number = 2",
    ],
    "invoices_are_of_paid_orders": [
        *PAYMENT_OUT_OF_THE_LEDGER,
        f"UPDATE payment SET state = 'unknown', {IS_OPEN} WHERE {OF_NEWEST}",
        f"UPDATE purchase_order SET state = 'placed', given_at = NULL WHERE {NEWEST_PAID}",
    ],
    "refunds_are_of_what_their_lines_cost": after_a_refund(
        "UPDATE refund SET amount_minor = 1",
        "UPDATE balance_entry SET amount_minor = -1 WHERE refund_id IS NOT NULL",
        "UPDATE allocation SET amount_minor = 1 WHERE refund_id IS NOT NULL",
    ),
    "refunds_have_their_credit_note": after_a_refund(
        "UPDATE invoice SET credits_id = (SELECT min(id) FROM invoice) WHERE kind = 'credit_note'"
    ),
    "refunds_are_of_succeeded_payments": a_refund_of_a_declined_payment,
    "refunds_are_as_the_gateway_has_them": a_refund_that_nobody_asked_for,
    "disputes_are_as_the_gateway_has_them": a_dispute_that_the_gateway_does_not_know,
    "nothing_is_charged_beside_an_open_refund": two_open_refunds,
    "numbers_have_no_gap": ["UPDATE number_series SET next_number = 4"],
    "numbers_follow_the_order_of_issue": [
        "UPDATE invoice SET sequence = 99 WHERE sequence = 1",
        "UPDATE invoice SET sequence = 1 WHERE sequence = 2",
        "UPDATE invoice SET sequence = 2 WHERE sequence = 99",
    ],
    "issued_invoices_are_unchanged": [f"UPDATE invoice SET facts_hash = '0' WHERE {OF_NEWEST}"],
    "documents_are_unchanged": a_document_of_other_bytes,
    "paid_orders_gave_what_was_quoted": [f"UPDATE subscription_period SET net_minor = 1 WHERE {OF_ITS_LINE}"],
    "periods_touch_and_never_overlap": [
        """UPDATE subscription_period SET end_on = '2026-11-30'
           WHERE id = (SELECT min(id) FROM subscription_period)"""
    ],
    "subscriptions_are_as_their_last_period": [
        "UPDATE subscription SET due_on = '2027-06-01' WHERE price_id IS NOT NULL"
    ],
    "carts_hold_each_product_once_in_one_currency": a_cart_in_two_currencies,
    "requests_are_approved_by_paid_orders": [
        """INSERT INTO purchase_request (number, workspace_id, note, currency, fingerprint, state, created_at,
                                         expires_at, order_id, reason)
           SELECT 'asked', min(workspace_id), '', 'EUR', '', 'open', min(created_at), min(created_at),
                  min(id), '' FROM purchase_order WHERE state = 'paid'"""
    ],
    "active_users_fit_their_plan": ["UPDATE plan SET max_users = 1 WHERE code = 'business-10'"],
    "users_fit_the_plan_being_paid": an_order_for_a_plan_that_is_too_small,
    "licences_are_of_members_and_no_more_than_paid": [
        """INSERT INTO licence (subscription_id, member_id, assigned_at)
           SELECT min(subscription.id), min(member.id), min(member.created_at) FROM subscription, member"""
    ],
    "invoices_promised_their_documents": [
        """DELETE FROM outbox_message
           WHERE id = (SELECT min(id) FROM outbox_message WHERE topic = 'prepare_documents')"""
    ],
    "promises_are_kept_or_tried_again": [
        """UPDATE outbox_message SET parked_at = created_at
           WHERE id = (SELECT min(id) FROM outbox_message)"""
    ],
    "audit_entries_are_chained": [
        "UPDATE audit_entry SET subject = 'another' WHERE id = (SELECT max(id) FROM audit_entry)"
    ],
    "partial_credit_notes_are_of_their_lines": after_credits(
        "UPDATE credited_line SET start_on = '2026-12-02'"
    ),
}
ACTS = [question for question, breach in BREACHES.items() if callable(breach)]
"""More than statements: the gateway takes part."""


def test_a_question_finds_its_breach_and_no_other_does(shop):
    """Those that are statements; each is taken back before the next."""
    found = {
        question: shop.named_after(*BREACHES[question], of_balances=question == BALANCES)
        for question in BREACHES
        if question not in ACTS
    }
    assert found == {question: {question} for question in found}
    assert_books_clean()


@pytest.mark.parametrize("question", ACTS)
def test_a_question_finds_what_was_done_past_the_books(shop, question):
    BREACHES[question](shop)
    make_balances_anew(shop.database)
    assert set(broken_books()) == {question}


def test_every_question_has_its_breach():
    careful = {name for _corrupt, named in CORRUPTIONS.values() for name in named}
    assert set(BREACHES) | careful == set(books.questions())


def test_the_books_of_an_empty_database_are_clean(runtime):
    assert_books_clean()
    assert [result.name for result in books.check()] == books.questions()
    assert {type(result.broken) for result in books.check()} == {int}


REFUNDED = "(SELECT id FROM order_line WHERE refunded_at IS NOT NULL)"


@pytest.mark.parametrize(
    ("breach", "question"),
    [
        (
            ["UPDATE invoice SET currency = 'USD' WHERE kind = 'credit_note'"],
            "refunds_have_their_credit_note",
        ),
        (
            ["UPDATE purchase_order SET state = 'paid' WHERE state = 'refunded'"],
            "invoices_are_of_paid_orders",
        ),
        (
            ["UPDATE purchase_order SET state = 'paid' WHERE state = 'refunded'"],
            "refunded_lines_were_paid_back_once",
        ),
        ([*REFUND_OUT_OF_THE_LEDGER, "DELETE FROM refund"], "refunded_lines_were_paid_back_once"),
        (
            [f"UPDATE subscription_period SET end_on = '2026-12-01' WHERE line_id = {REFUNDED}"],
            "periods_touch_and_never_overlap",
        ),
        (
            ["UPDATE subscription SET due_on = '2027-06-01' WHERE price_id IS NOT NULL"],
            "subscriptions_are_as_their_last_period",
        ),
    ],
)
def test_breaches_after_a_refund_are_found_too(shop, breach, question):
    after_a_refund(*breach)(shop)
    assert question in broken_books()


OTHER_BREACHES = [
    (f"UPDATE payment SET currency = 'USD' WHERE {OF_NEWEST}", "payments_ask_for_what_their_order_costs"),
    (f"UPDATE payment SET currency = 'USD' WHERE {OF_NEWEST}", "entries_repeat_their_cause"),
    (
        f"UPDATE payment SET amount_minor = 1 WHERE {OF_NEWEST}",
        "paid_orders_have_one_succeeded_payment",
    ),
    (f"UPDATE invoice SET currency = 'USD' WHERE {OF_NEWEST}", "paid_orders_have_their_invoice"),
    (f"UPDATE invoice SET currency = 'USD' WHERE {OF_NEWEST}", "issued_invoices_are_unchanged"),
    ("DELETE FROM number_series", "numbers_have_no_gap"),
    (f"DELETE FROM subscription_period WHERE {OF_ITS_LINE}", "paid_orders_gave_what_was_quoted"),
    (
        f"UPDATE subscription_period SET end_on = '2028-01-01' WHERE {OF_ITS_LINE}",
        "periods_touch_and_never_overlap",
    ),
    (
        "UPDATE subscription SET plan_id = (SELECT min(id) FROM plan)",
        "subscriptions_are_as_their_last_period",
    ),
    (
        "UPDATE purchase_order SET net_minor = 1, tax_minor = 0, total_minor = 1",
        "orders_are_as_they_were_quoted",
    ),
]


def test_other_breaches_are_found_too(shop):
    missed = [
        (breach, question) for breach, question in OTHER_BREACHES if question not in shop.named_after(breach)
    ]
    assert missed == []
    assert_books_clean()


def test_an_audit_entry_that_was_taken_out_shows(shop):
    shop.sql(
        f"DELETE FROM audit_trace WHERE entry_id = {FIRST_OF_ACME}",
        f"DELETE FROM audit_entry WHERE id = {FIRST_OF_ACME}",
    )
    assert set(broken_books()) == {"audit_entries_are_chained"}


def test_a_charge_whose_payment_still_waits_is_no_breach(place):
    """Unknown is what it is; reconcile settles it."""
    pay(an_order(place), "4000000000000119")
    assert Payment.get().state == PaymentState.UNKNOWN
    assert_books_clean()


def test_a_plan_that_a_refund_made_too_small_is_no_breach_until_the_next_payment(shop):
    too_small = "UPDATE plan SET max_users = 1 WHERE max_users > 1"
    after_a_refund(too_small)(shop)
    assert broken_books() == {}
    shop.ask_the_gateway()
    shop.sql("UPDATE plan SET max_users = 10 WHERE max_users = 1")
    buy(the_owner_of_acme(), "business-10")
    assert_books_clean()
    shop.sql(too_small)
    assert broken_books() == {"active_users_fit_their_plan": 1}


def test_a_plan_that_a_refund_made_too_small_is_no_breach_after_licences_were_bought(shop):
    after_a_refund("UPDATE plan SET max_users = 1 WHERE max_users > 1")(shop)
    shop.ask_the_gateway()
    bought(the_owner_of_acme(), "meetings-essential")
    assert_books_clean()


def test_a_plan_that_is_too_small_is_a_breach_though_the_newest_document_is_a_partial_credit_note(shop):
    after_credits("UPDATE plan SET max_users = 1 WHERE code = 'business-10'")(shop)
    assert broken_books() == {"active_users_fit_their_plan": 1}


def test_a_hosted_page_that_nobody_answered_is_no_breach(place):
    pay(an_order(place, method_kind=PaymentMethodKind.PAYPAL), None)
    assert Order.get().state == OrderState.PLACED
    assert_books_clean()


def test_a_price_that_ends_on_the_day_of_the_order_is_no_breach_where_it_is_tomorrow_already(place, clock):
    """Paris is the seller's; in Auckland the next day has begun when the order is paid and prices change."""
    Workspace.update(time_zone="Pacific/Auckland").execute()
    place.workspace.time_zone = "Pacific/Auckland"
    clock.advance(days=5, hours=4)
    assert place.workspace.day(clock.now()) > clock.now().date()
    pay(an_order(place))
    clock.advance(hours=1)
    apply_catalogue(sells_at("business-5", 2000))
    assert_books_clean()


def test_more_rows_than_one_batch_are_all_asked(shop, monkeypatch):
    monkeypatch.setattr(reading, "ROWS_AT_ONCE", 1)
    assert broken_books() == {}
    shop.sql("UPDATE invoice SET facts_hash = '0'")
    assert broken_books() == {"issued_invoices_are_unchanged": 2}


def test_each_careful_corruption_is_named_by_its_questions(runtime, database, clock, engine):
    """Half of them on each engine."""
    a_past_of_everything(clock)
    give_credits(clock)
    correct_details(clock)
    assert_books_clean()
    tried = dict(share([*CORRUPTIONS.items()], ENGINES.index(engine), shares=len(ENGINES)))
    found = {name: named_after(corrupt, database) for name, (corrupt, _named) in tried.items()}
    assert found == {name: named for name, (_corrupt, named) in tried.items()}
    assert_books_clean()


# --- people go on paying --------------------------------------------------------------------------


def test_the_books_are_asked_as_they_are_at_one_moment(place, monkeypatch):
    def somebody_pays():
        before = Invoice.select().count()

        def elsewhere():
            with connection():
                buy(place)

        with ThreadPoolExecutor(1) as others:
            others.submit(elsewhere).result()
        return Invoice.select().count() - before

    first, *others = books.ALONE
    monkeypatch.setattr(books, "ALONE", (first, somebody_pays, *others))
    assert broken_books() == {}
    assert Invoice.select().count() == 1


def test_a_gateway_that_is_ahead_or_behind_is_no_fault(place, monkeypatch, clock):
    listed = gateways._listed_charges

    def pay_and_have_it_back():
        paid = buy(place)
        refunds.ask_refund(
            place, paid, shown_hash=refund_quotes.preview(paid, now=clock.now()).hash, now=clock.now()
        )

    def meanwhile():
        pay_and_have_it_back()
        charges = list(listed())
        pay_and_have_it_back()
        return charges

    monkeypatch.setattr(gateways, "_listed_charges", meanwhile)
    for question in books.BESIDE_GATEWAYS:
        assert question() == 0, question.__name__
    assert Refund.select().count() == 2 * len(books.BESIDE_GATEWAYS)
    assert_books_clean()
