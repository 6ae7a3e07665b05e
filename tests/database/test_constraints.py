"""What the database itself refuses, whoever writes: the same verdict on SQLite and on PostgreSQL."""

from datetime import date

import pytest
from peewee import DataError, IntegrityError

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, RefundState
from portal.models import (
    CreditedLine,
    Document,
    Invoice,
    OrderLine,
    Payment,
    Refund,
    Subscription,
    SubscriptionPeriod,
)
from portal.services.checkout import cart
from tests.conftest import TODAY
from tests.crediting import credit
from tests.paying import DECLINED, an_order, buy, pay, reloaded

pytestmark = pytest.mark.both_engines

REFUSALS = (IntegrityError, DataError)


@pytest.fixture
def paid(place):
    """A paid order with everything that follows from it."""
    order = an_order(place)
    pay(order, auto_renewal=True)
    return reloaded(order)


def refuses(database, sql):
    try:
        with database.atomic() as attempt:
            database.execute_sql(sql)
            attempt.rollback()
    except REFUSALS:
        return
    pytest.fail(f"accepted: {sql}")


def refuses_each(database, columns, values):
    for table, column in columns:
        for value in values:
            refuses(database, f"UPDATE {table} SET {column} = {value}")


AMOUNTS = [
    ("purchase_order", "net_minor"),
    ("purchase_order", "tax_minor"),
    ("purchase_order", "total_minor"),
    ("order_line", "net_minor"),
    ("order_line", "tax_minor"),
    ("payment", "amount_minor"),
    ("invoice", "net_minor"),
    ("invoice", "tax_minor"),
    ("invoice", "total_minor"),
    ("subscription_period", "net_minor"),
    ("price", "amount_minor"),
]


def test_an_amount_is_a_whole_number(paid, database):
    refuses_each(database, AMOUNTS, ["'abc'", "''", "'12abc'", "'1e400'", "'NaN'", "NULL"])


def test_an_amount_is_not_negative(paid, database):
    columns = [pair for pair in AMOUNTS if pair[0] != "invoice"]
    refuses_each(database, [*columns, ("subscription", "locked_price_minor")], ["-1"])


def test_a_number_of_licences_is_whole_and_above_zero(runtime, database):
    columns = [("product", "max_licences"), ("product", "trial_licences")]
    refuses_each(database, columns, ["0", "-1", "'abc'", "'1e400'"])
    refuses(database, "UPDATE product SET trial_licences = NULL")
    refuses(database, "UPDATE product SET features = NULL")


def test_a_cart_holds_each_product_once_and_something_of_it(place, database):
    for plan in ("meetings-essential", "webinar-standard"):
        choice = Choice(plan, Interval.MONTH)
        cart.add(place, choice=choice, currency="EUR", now=TODAY)
    refuses_each(database, [("cart_line", "quantity")], ["0", "-1", "'abc'", "NULL"])
    refuses_each(database, [("cart_line", "unit_minor")], ["-1", "'abc'", "NULL"])
    refuses_each(database, [("cart_line", "currency")], ["'eur'", "'EU'", "NULL"])
    refuses_each(database, [("cart_line", "interval")], ["'week'", "NULL"])
    refuses(database, "UPDATE cart_line SET product_id = (SELECT min(product_id) FROM cart_line)")


def test_a_payment_moves_something(paid, database):
    refuses(database, "UPDATE payment SET amount_minor = 0")


WORDS = [
    ("purchase_order", "state"),
    ("order_line", "kind"),
    ("order_line", "interval"),
    ("purchase_order", "method_kind"),
    ("payment", "state"),
    ("payment", "method_kind"),
    ("invoice", "kind"),
    ("price", "interval"),
    ("price", "unit"),
    ("member", "role"),
    ("member", "status"),
    ("workspace", "who_may_buy"),
    ("payment_method", "kind"),
    ("billing_details", "vat_status"),
    ("product", "kind"),
    ("product", "change_policy"),
    ("product", "renewal_day"),
]
CURRENCIES = [
    ("purchase_order", "currency"),
    ("purchase_order", "display_currency"),
    ("payment", "currency"),
    ("invoice", "currency"),
    ("subscription_period", "currency"),
    ("price", "currency"),
    ("workspace", "currency"),
]
TEXTS = [
    ("purchase_order", "quote_hash", 64),
    ("purchase_order", "number", 20),
    ("payment", "key", 40),
    ("payment", "reference", 200),
    ("payment", "payer_name", 200),
    ("payment", "payer_email", 254),
    ("payment", "last4", 4),
    ("invoice", "number", 30),
    ("workspace", "name", 200),
    ("person", "name", 200),
    ("billing_details", "company_name", 200),
    ("outbox_message", "topic", 60),
    ("audit_entry", "subject", 120),
]


def test_net_and_tax_are_the_total(paid, database):
    for table in ("purchase_order", "invoice"):
        for column in ("net_minor", "tax_minor", "total_minor"):
            refuses(database, f"UPDATE {table} SET {column} = {column} + 1")


def test_a_word_is_one_of_the_list(paid, database):
    refuses_each(database, WORDS, ["'won'", "'PAID'", "''", "NULL", "'refunded and more'"])


def test_a_currency_is_three_capitals(paid, database):
    refuses_each(database, CURRENCIES, ["'eur'", "'EURO'", "'EU'", "''"])


def test_a_text_is_no_longer_than_its_column(paid, database):
    for table, column, longest in TEXTS:
        newest = f"(SELECT max(id) FROM {table})"
        database.execute_sql(f"UPDATE {table} SET {column} = '{'é' * longest}' WHERE id = {newest}")
        refuses(database, f"UPDATE {table} SET {column} = '{'é' * (longest + 1)}' WHERE id = {newest}")


def copy_of(row, **changed):
    return type(row).create(**{name: value for name, value in row.__data__.items() if name != "id"} | changed)


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize("state", ["created", "action_required", "pending", "unknown", "succeeded"])
def test_an_order_has_one_live_payment(paid, database, state):
    with pytest.raises(IntegrityError), database.atomic():
        copy_of(Payment.get(), key="another", state=state)
    copy_of(Payment.get(), key="another", state="declined")


def test_a_declined_payment_does_not_come_back_beside_a_live_one(place, database):
    order = an_order(place)
    pay(order, DECLINED)
    pay(reloaded(order))
    refuses(database, "UPDATE payment SET state = 'unknown' WHERE state = 'declined'")


def test_a_key_is_used_once(paid, database):
    with pytest.raises(IntegrityError), database.atomic():
        copy_of(Payment.get(), state="declined")


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize("changed", [{"number": "INV-2026-000002"}, {"sequence": 2}, {"series": "INV-2027"}])
def test_an_order_has_one_invoice_and_a_number_one_document(paid, database, changed):
    with pytest.raises(IntegrityError), database.atomic():
        copy_of(Invoice.get(), **changed)


def test_a_sequence_is_used_once_in_a_series(place, database):
    buy(place)
    buy(place, "business-10")
    refuses(database, "UPDATE invoice SET sequence = 1")
    refuses(database, "UPDATE invoice SET sequence = 0")


def test_a_line_of_an_order_gives_one_period(paid, database):
    [line] = paid.lines
    given = SubscriptionPeriod.get(SubscriptionPeriod.line == line)
    with pytest.raises(IntegrityError), database.atomic():
        copy_of(given)


def test_an_order_has_each_line_once(paid, database):
    [line] = paid.lines
    with pytest.raises(IntegrityError), database.atomic():
        copy_of(line)
    copy_of(line, position=2)


def test_a_due_date_is_renewed_once_unless_it_was_paid_back(paid, database):
    [line] = paid.lines
    first = copy_of(line, position=2, renews_on=line.end_on)
    with pytest.raises(IntegrityError), database.atomic():
        copy_of(line, position=3, renews_on=line.end_on)
    OrderLine.update(refunded_at=TODAY).where(OrderLine.id == first.id).execute()
    copy_of(line, position=3, renews_on=line.end_on)


def test_nothing_is_refunded_twice(paid, database):
    """One refund at a time, one of the whole, one of each line; what was refused is asked for again."""
    [line] = paid.lines
    payment, key = Payment.get(), iter("abcdefgh")

    def a_refund(**columns):
        return Refund.create(
            key=next(key),
            workspace=payment.workspace_id,
            payment=payment,
            person=paid.person_id,
            amount_minor=1,
            currency="EUR",
            created_at=TODAY,
            **columns,
        )

    a_refund(state=RefundState.REFUSED)
    first = a_refund()
    for again in ({}, {"line": line}):
        with pytest.raises(IntegrityError), database.atomic():
            a_refund(**again)
    Refund.update(state=RefundState.SUCCEEDED).where(Refund.id == first.id).execute()
    with pytest.raises(IntegrityError), database.atomic():
        a_refund()
    a_refund(line=line, state=RefundState.SUCCEEDED)
    with pytest.raises(IntegrityError), database.atomic():
        a_refund(line=line)


def test_a_workspace_subscribes_to_a_product_once(paid, database):
    with pytest.raises(IntegrityError), database.atomic():
        copy_of(Subscription.get())


def test_a_period_does_not_end_before_it_starts(paid, database):
    refuses(database, "UPDATE subscription_period SET end_on = '2020-01-01'")
    refuses(database, "UPDATE subscription SET due_on = started_on")


def test_a_figure_stays_in_its_bounds(paid, database):
    refuses(database, "UPDATE subscription SET quantity = 0")
    refuses(database, "UPDATE subscription SET scheduled_quantity = 0")
    refuses(database, "UPDATE order_line SET quantity = 0")
    refuses(database, "UPDATE order_line SET position = 0")
    refuses(database, "UPDATE order_line SET end_on = start_on")
    refuses(database, "UPDATE subscription SET anchor_day = 32")
    refuses(database, "UPDATE subscription SET anchor_day = 0")
    refuses(database, "UPDATE number_series SET next_number = 0")
    refuses(database, "UPDATE workspace SET used_storage_bytes = -1")
    refuses(database, "UPDATE person SET email = 'Upper@acme.example'")


def test_nothing_that_was_paid_loses_its_owner(paid, database):
    Document.create(invoice=Invoice.get(), locale="fr", content=b"%PDF", sha256="0", created_at=TODAY)
    subscription = Subscription.get()
    owners = {
        "workspace": paid.workspace_id,
        "person": paid.person.id,
        "product": subscription.product.id,
        "plan": subscription.plan_id,
        "price": subscription.price_id,
        "purchase_order": paid.id,
        "order_line": paid.lines[0].id,
        "subscription": subscription.id,
        "payment_method": subscription.payment_method.id,
        "invoice": Invoice.get().id,
    }
    for table, row_id in owners.items():
        refuses(database, f"DELETE FROM {table} WHERE id = {row_id}")


@pytest.fixture
def credited(paid):
    """A line of its invoice, of which a part was given back."""
    credit(Invoice.get(), date(2026, 12, 1))
    return CreditedLine.get()


def test_a_credited_line_is_of_a_place_and_of_something(credited, database):
    columns = [("credited_line", "position"), ("credited_line", "net_minor")]
    refuses_each(database, columns, ["0", "-1", "NULL"])
    refuses(database, "UPDATE credited_line SET net_minor = 'abc'")
    refuses_each(database, [("credited_line", "tax_minor")], ["-1", "'abc'", "NULL"])
    refuses_each(database, [("credited_line", "start_on")], ["NULL"])
    refuses_each(database, [("credited_line", "invoice_id")], ["NULL", "999999", "credit_note_id"])
    refuses_each(database, [("credited_line", "credit_note_id")], ["NULL", "999999", "invoice_id"])


def test_a_line_is_credited_once_from_a_day_and_once_by_a_note(credited, database):
    again = (
        "INSERT INTO credited_line (credit_note_id, invoice_id, position, start_on, net_minor, tax_minor) "
        "SELECT credit_note_id, invoice_id, position{}, {}, 1, 0 FROM credited_line"
    )
    refuses(database, again.format("", "'2026-11-30'"))
    database.execute_sql(again.format(" + 1", "start_on"))
    refuses(database, "UPDATE credited_line SET position = 1")


def test_what_credits_and_is_credited_stays(credited, database):
    refuses(database, "DELETE FROM invoice WHERE kind = 'credit_note'")
    refuses(database, "DELETE FROM invoice WHERE kind = 'invoice'")


def test_an_order_has_one_invoice_though_it_may_have_several_credit_notes(credited, database):
    credit(Invoice.get(Invoice.kind == "invoice"), date(2026, 11, 25))
    assert Invoice.select().where(Invoice.kind == "credit_note").count() == 2
    refuses(database, "UPDATE invoice SET kind = 'invoice', credits_id = NULL")
