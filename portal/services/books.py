"""The books: every invariant of trust.md §2.4 as a question whose answer must be 0.

Run after each scenario of the tests, by `portal check`, and daily in production.
"""

from collections.abc import Callable
from dataclasses import dataclass

from peewee import JOIN, fn

from ..domain.pricing import facts_hash
from ..domain.vocabulary import OrderState, PaymentState
from ..models import (
    AuditEntry,
    Invoice,
    NumberSeries,
    Order,
    OutboxMessage,
    Payment,
    Subscription,
    SubscriptionPeriod,
)
from . import audit


@dataclass(frozen=True, slots=True)
class BookResult:
    """An invariant by name and how many rows break it."""

    name: str
    broken: int


def check() -> list[BookResult]:
    return [BookResult(name=question.__name__, broken=question()) for question in QUESTIONS]


def paid_orders_have_one_succeeded_payment() -> int:
    """A paid order has exactly one succeeded payment, of its own total."""
    succeeded = (
        Payment.select(Payment.order, fn.COUNT(Payment.id).alias("times"), fn.SUM(Payment.amount_minor).alias("paid"))
        .where(Payment.state == PaymentState.SUCCEEDED)
        .group_by(Payment.order)
        .alias("succeeded")
    )
    return (
        Order.select(Order.id)
        .join(succeeded, JOIN.LEFT_OUTER, on=(succeeded.c.order_id == Order.id))
        .where(
            Order.state == OrderState.PAID,
            succeeded.c.times.is_null() | (succeeded.c.times != 1) | (succeeded.c.paid != Order.total_minor),
        )
        .count()
    )


def succeeded_payments_belong_to_paid_orders() -> int:
    return (
        Payment.select(Payment.id)
        .join(Order)
        .where(Payment.state == PaymentState.SUCCEEDED, Order.state != OrderState.PAID)
        .count()
    )


def placed_orders_have_a_waiting_payment() -> int:
    settled = [PaymentState.SUCCEEDED, PaymentState.DECLINED]
    return (
        Order.select(Order.id)
        .join(Payment, JOIN.LEFT_OUTER, on=((Payment.order == Order.id) & Payment.state.not_in(settled)))
        .where(Order.state == OrderState.PLACED, Payment.id.is_null())
        .count()
    )


def paid_orders_have_their_invoice() -> int:
    return (
        Order.select(Order.id)
        .join(Invoice, JOIN.LEFT_OUTER)
        .where(
            Order.state == OrderState.PAID,
            Invoice.id.is_null()
            | (Invoice.net_minor != Order.net_minor)
            | (Invoice.tax_minor != Order.tax_minor)
            | (Invoice.currency != Order.currency),
        )
        .count()
    )


def invoices_are_of_paid_orders() -> int:
    return Invoice.select(Invoice.id).join(Order).where(Order.state != OrderState.PAID).count()


def payments_keep_the_currency_of_their_order() -> int:
    return Payment.select(Payment.id).join(Order).where(Payment.currency != Order.currency, Order.state != OrderState.OPEN).count()


def numbers_have_no_gap() -> int:
    """Each series runs 1, 2, 3, … up to one below its next number."""
    broken = 0
    for series in NumberSeries.select():
        row = (
            Invoice.select(fn.COUNT(Invoice.id), fn.COALESCE(fn.MAX(Invoice.sequence), 0))
            .where(Invoice.series == series.name)
            .tuples()
            .get()
        )
        broken += row != (series.next_number - 1, series.next_number - 1)
    return broken


def issued_invoices_are_unchanged() -> int:
    rows = Invoice.select(Invoice.facts, Invoice.facts_hash).tuples().iterator()
    return sum(facts_hash(facts) != kept for facts, kept in rows)


def periods_never_overlap() -> int:
    earlier = SubscriptionPeriod.alias()
    return (
        SubscriptionPeriod.select(SubscriptionPeriod.id)
        .join(
            earlier,
            on=(
                (earlier.subscription == SubscriptionPeriod.subscription)
                & (earlier.id < SubscriptionPeriod.id)
                & (earlier.end_on.is_null() | (earlier.end_on > SubscriptionPeriod.start_on))
                & (SubscriptionPeriod.end_on.is_null() | (SubscriptionPeriod.end_on > earlier.start_on))
                & (earlier.end_on.is_null() | (earlier.end_on > earlier.start_on))
            ),
        )
        .count()
    )


def due_dates_are_the_end_of_the_last_period() -> int:
    last = (
        SubscriptionPeriod.select(
            SubscriptionPeriod.subscription, fn.MAX(SubscriptionPeriod.end_on).alias("end_on")
        )
        .group_by(SubscriptionPeriod.subscription)
        .alias("last")
    )
    return (
        Subscription.select(Subscription.id)
        .join(last, JOIN.LEFT_OUTER, on=(last.c.subscription_id == Subscription.id))
        .where(Subscription.due_on.is_null(False), last.c.end_on.is_null() | (last.c.end_on != Subscription.due_on))
        .count()
    )


def paid_orders_promised_their_mail() -> int:
    """Every invoice has an outbox row for its documents, done or with a try to come."""
    return (
        Invoice.select(Invoice.id)
        .join(
            OutboxMessage,
            JOIN.LEFT_OUTER,
            on=((OutboxMessage.topic == "prepare_documents") & (OutboxMessage.key == Invoice.number)),
        )
        .where(OutboxMessage.id.is_null())
        .count()
    )


def audit_entries_are_chained() -> int:
    """Each entry of a workspace follows the one before it, and its digest is what its facts give."""
    broken = 0
    before: dict[int | None, AuditEntry] = {}
    rows = AuditEntry.select().order_by(AuditEntry.workspace, AuditEntry.sequence).iterator()
    for entry in rows:
        previous = before.get(entry.workspace_id)
        expected_sequence = previous.sequence + 1 if previous else 1
        expected = audit.digest(entry, previous=previous.digest if previous else "")
        broken += entry.sequence != expected_sequence or entry.digest != expected
        before[entry.workspace_id] = entry
    return broken


QUESTIONS: tuple[Callable[[], int], ...] = (
    paid_orders_have_one_succeeded_payment,
    succeeded_payments_belong_to_paid_orders,
    placed_orders_have_a_waiting_payment,
    paid_orders_have_their_invoice,
    invoices_are_of_paid_orders,
    payments_keep_the_currency_of_their_order,
    numbers_have_no_gap,
    issued_invoices_are_unchanged,
    periods_never_overlap,
    due_dates_are_the_end_of_the_last_period,
    paid_orders_promised_their_mail,
    audit_entries_are_chained,
)
