"""The books: every invariant of trust.md §2.4 as a question whose answer must be 0.

Run after each scenario of the tests, by `portal check`, and daily in production.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol, cast, runtime_checkable

from peewee import JOIN, Case, Expression, fn

from ..domain.pricing import facts_hash
from ..domain.vocabulary import DocumentKind, MemberStatus, OrderState, PaymentState, RefundState
from ..models import (
    AuditEntry,
    Document,
    Invoice,
    Member,
    Model,
    NumberSeries,
    Order,
    OutboxMessage,
    Payment,
    Plan,
    Refund,
    Subscription,
    SubscriptionPeriod,
    Workspace,
)
from ..runtime import current
from . import audit

ROWS_AT_ONCE = 1000
SETTLED = (PaymentState.SUCCEEDED, PaymentState.DECLINED)
PAID_ONCE = (OrderState.PAID, OrderState.REFUNDED)
REFUND_WAITS = (RefundState.CREATED, RefundState.UNKNOWN)
CHARGED = "succeeded"
LAST_DAY = date(9999, 12, 31)


class ListedCharge(Protocol):
    """One charge as its gateway has it; `state` is "succeeded" once the money is ours."""

    @property
    def key(self) -> str: ...
    @property
    def amount_minor(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def refunded_minor(self) -> int: ...


@runtime_checkable
class ListsCharges(Protocol):
    """A gateway that can list every charge it ever made for us."""

    def charges(self) -> Sequence[ListedCharge]: ...


@dataclass(frozen=True, slots=True)
class BookResult:
    """An invariant by name and how many rows break it."""

    name: str
    broken: int


def check() -> list[BookResult]:
    return [BookResult(name=question.__name__, broken=question()) for question in QUESTIONS]


def paid_orders_have_one_succeeded_payment() -> int:
    """A paid order, refunded since or not, has exactly one succeeded payment, of its own total."""
    succeeded = (
        Payment.select(
            Payment.order, fn.COUNT(Payment.id).alias("times"), fn.SUM(Payment.amount_minor).alias("paid")
        )
        .where(Payment.state == PaymentState.SUCCEEDED)
        .group_by(Payment.order)
        .alias("succeeded")
    )
    return (
        Order.select(Order.id)
        .join(succeeded, JOIN.LEFT_OUTER, on=(succeeded.c.order_id == Order.id))
        .where(
            Order.state << PAID_ONCE,
            succeeded.c.times.is_null() | (succeeded.c.times != 1) | (succeeded.c.paid != Order.total_minor),
        )
        .count()
    )


def succeeded_payments_belong_to_paid_orders() -> int:
    return (
        Payment.select(Payment.id)
        .join(Order)
        .where(Payment.state == PaymentState.SUCCEEDED, Order.state.not_in(PAID_ONCE))
        .count()
    )


def placed_orders_have_a_waiting_payment() -> int:
    return (
        Order.select(Order.id)
        .join(Payment, JOIN.LEFT_OUTER, on=((Payment.order == Order.id) & Payment.state.not_in(SETTLED)))
        .where(Order.state == OrderState.PLACED, Payment.id.is_null())
        .count()
    )


def waiting_payments_belong_to_placed_orders() -> int:
    """While a payment may still succeed its order is closed, so that nobody pays it a second time."""
    return (
        Payment.select(Payment.id)
        .join(Order)
        .where(Payment.state.not_in(SETTLED), Order.state != OrderState.PLACED)
        .count()
    )


def workspaces_wait_for_one_payment_at_most() -> int:
    return (
        Payment.select(Payment.workspace)
        .where(Payment.state.not_in(SETTLED))
        .group_by(Payment.workspace)
        .having(fn.COUNT(Payment.id) > 1)
        .count()
    )


def paid_orders_have_their_invoice() -> int:
    return _orders_without_their(DocumentKind.INVOICE, states=PAID_ONCE)


def refunded_orders_have_their_credit_note() -> int:
    """It credits the order's own invoice, in full."""
    invoice = Invoice.alias()
    of_another = (
        Invoice.select(Invoice.id)
        .join(invoice, on=(Invoice.credits == invoice.id))
        .where(
            (invoice.kind != DocumentKind.INVOICE)
            | (invoice.order != Invoice.order)
            | (invoice.total_minor != Invoice.total_minor)
        )
        .count()
    )
    return of_another + _orders_without_their(DocumentKind.CREDIT_NOTE, states=(OrderState.REFUNDED,))


def _orders_without_their(kind: DocumentKind, *, states: Sequence[OrderState]) -> int:
    """Orders in these states that lack a document of this kind over their own amounts."""
    return (
        Order.select(Order.id)
        .join(Invoice, JOIN.LEFT_OUTER, on=((Invoice.order == Order.id) & (Invoice.kind == kind)))
        .where(
            Order.state << states,
            Invoice.id.is_null()
            | (Invoice.net_minor != Order.net_minor)
            | (Invoice.tax_minor != Order.tax_minor)
            | (Invoice.currency != Order.currency)
            | (Invoice.workspace != Order.workspace),
        )
        .count()
    )


def invoices_are_of_paid_orders() -> int:
    """And credit notes of refunded ones."""
    return (
        Invoice.select(Invoice.id)
        .join(Order)
        .where(
            Order.state.not_in(PAID_ONCE)
            | ((Invoice.kind == DocumentKind.CREDIT_NOTE) & (Order.state != OrderState.REFUNDED))
        )
        .count()
    )


def refunded_orders_were_paid_back_once() -> int:
    """A refunded order has exactly one succeeded refund, of its own total; no other order has one."""
    sent_back = (
        Payment.select(
            Payment.order, fn.COUNT(Refund.id).alias("times"), fn.SUM(Refund.amount_minor).alias("refunded")
        )
        .join(Refund)
        .where(
            Refund.state == RefundState.SUCCEEDED,
            Refund.currency == Payment.currency,
            Refund.workspace == Payment.workspace,
        )
        .group_by(Payment.order)
        .alias("sent_back")
    )
    is_refunded = Order.state == OrderState.REFUNDED
    return (
        Order.select(Order.id)
        .join(sent_back, JOIN.LEFT_OUTER, on=(sent_back.c.order_id == Order.id))
        .where(
            (
                is_refunded
                & (
                    sent_back.c.times.is_null()
                    | (sent_back.c.times != 1)
                    | (sent_back.c.refunded != Order.total_minor)
                )
            )
            | (~is_refunded & sent_back.c.times.is_null(False))
        )
        .count()
    )


def refunds_are_of_succeeded_payments() -> int:
    """Whatever their state, and never of more than was paid."""
    return (
        Refund.select(Refund.id)
        .join(Payment)
        .where(
            (Payment.state != PaymentState.SUCCEEDED)
            | (Refund.amount_minor > Payment.amount_minor)
            | (Refund.currency != Payment.currency)
            | (Refund.workspace != Payment.workspace)
        )
        .count()
    )


def nothing_is_charged_beside_an_open_refund() -> int:
    """Workspaces with an open refund that wait for a payment, or for a refund more."""
    refunds = (
        Refund.select(Refund.workspace)
        .where(Refund.state << REFUND_WAITS)
        .group_by(Refund.workspace)
        .having(fn.COUNT(Refund.id) > 1)
        .count()
    )
    return refunds + (
        Payment.select(Payment.id)
        .join(Refund, on=(Refund.workspace == Payment.workspace))
        .where(Refund.state << REFUND_WAITS, Payment.state.not_in(SETTLED))
        .count()
    )


def payments_ask_for_what_their_order_costs() -> int:
    """Amount, currency and workspace. A declined one may be of an order that was quoted anew since."""
    return (
        Payment.select(Payment.id)
        .join(Order)
        .where(
            Payment.state != PaymentState.DECLINED,
            (Payment.amount_minor != Order.total_minor)
            | (Payment.currency != Order.currency)
            | (Payment.workspace != Order.workspace),
        )
        .count()
    )


def orders_are_as_they_were_quoted() -> int:
    """The quote is the one that its hash names, and the columns repeat its amounts."""
    columns = (
        Order.quote,
        Order.quote_hash,
        Order.net_minor,
        Order.tax_minor,
        Order.total_minor,
        Order.currency,
    )
    return sum(
        facts_hash(quote) != kept_hash
        or amounts != [quote["net_minor"], quote["tax_minor"], quote["total_minor"], quote["currency"]]
        for quote, kept_hash, *amounts in _rows(Order, *columns)
    )


def charges_are_in_the_books() -> int:
    """Each charge of a gateway that lists them is one payment of that amount, succeeded or still waiting."""
    payments = {
        key: (state, amount_minor, currency)
        for key, state, amount_minor, currency in _rows(
            Payment, Payment.key, Payment.state, Payment.amount_minor, Payment.currency
        )
    }
    broken = 0
    for _name, charges in _listed_charges():
        for charge in charges:
            state, *asked = payments.get(charge.key, (PaymentState.DECLINED,))
            broken += state == PaymentState.DECLINED or asked != [charge.amount_minor, charge.currency]
    return broken


def succeeded_payments_are_charges() -> int:
    """Each payment that a gateway took is one that it lists, where it can."""
    broken = 0
    for name, charges in _listed_charges():
        keys = {charge.key for charge in charges}
        succeeded = (Payment.gateway == name) & (Payment.state == PaymentState.SUCCEEDED)
        broken += sum(key not in keys for (key,) in _rows(Payment, Payment.key, where=succeeded))
    return broken


def refunds_are_as_the_gateway_has_them() -> int:
    """Each charge sent back what our refunds say; one whose result is open may have gone back or not."""
    sent_back: dict[str, int] = {}
    may_have_gone: dict[str, int] = {}
    states = (RefundState.SUCCEEDED, *REFUND_WAITS)
    rows = _rows(
        Refund, Payment.key, Refund.state, Refund.amount_minor, where=Refund.state << states, beside=Payment
    )
    for key, state, amount_minor in rows:
        sums = sent_back if state == RefundState.SUCCEEDED else may_have_gone
        sums[key] = sums.get(key, 0) + amount_minor
    return sum(
        charge.refunded_minor
        not in (ours := sent_back.get(charge.key, 0), ours + may_have_gone.get(charge.key, 0))
        for _name, charges in _listed_charges()
        for charge in charges
    )


def _listed_charges() -> Iterator[tuple[str, list[ListedCharge]]]:
    for name, gateway in current().gateways.items():
        if isinstance(gateway, ListsCharges):
            yield name, [charge for charge in gateway.charges() if charge.state == CHARGED]


def numbers_have_no_gap() -> int:
    """Each series runs 1, 2, 3, … up to one below its next number."""
    next_numbers = dict(_pairs(NumberSeries.select(NumberSeries.name, NumberSeries.next_number)))
    issued = {
        series: (count, highest)
        for series, count, highest in cast(
            "list[tuple[str, int, int]]",
            list(
                Invoice.select(Invoice.series, fn.COUNT(Invoice.id), fn.MAX(Invoice.sequence))
                .group_by(Invoice.series)
                .tuples()
            ),
        )
    }
    return sum(
        issued.get(series, (0, 0)) != (next_numbers.get(series, 0) - 1,) * 2
        for series in issued.keys() | next_numbers.keys()
    )


def numbers_follow_the_order_of_issue() -> int:
    highest: dict[str, int] = {}
    broken = 0
    for series, sequence, number in _rows(Invoice, Invoice.series, Invoice.sequence, Invoice.number):
        broken += sequence <= highest.get(series, 0) or number != f"{series}-{sequence:06d}"
        highest[series] = max(sequence, highest.get(series, 0))
    return broken


def issued_invoices_are_unchanged() -> int:
    """The hash is that of the facts, and the columns repeat what the facts print."""
    columns = (
        Invoice.facts,
        Invoice.facts_hash,
        Invoice.number,
        Invoice.currency,
        Invoice.net_minor,
        Invoice.tax_minor,
        Invoice.total_minor,
    )
    return sum(
        facts_hash(facts) != kept_hash
        or repeated
        != [
            facts["number"],
            facts["currency"],
            facts["totals"]["net_minor"],
            facts["totals"]["tax_minor"],
            facts["totals"]["gross_minor"],
        ]
        for facts, kept_hash, *repeated in _rows(Invoice, *columns)
    )


def documents_are_unchanged() -> int:
    rows = _rows(Document, Document.content, Document.sha256, at_once=20)
    return sum(hashlib.sha256(bytes(content)).hexdigest() != sha256 for content, sha256 in rows)


def paid_orders_gave_what_was_quoted() -> int:
    """Each paid order has its period: the quoted first day, base and extra days, for the quoted price.

    A later order may have cut the period short, never made it longer. That of a refunded order is empty.
    """
    columns = (
        Order.state,
        Order.quote,
        Order.plan,
        SubscriptionPeriod.plan,
        SubscriptionPeriod.price,
        SubscriptionPeriod.start_on,
        SubscriptionPeriod.base_end_on,
        SubscriptionPeriod.end_on,
        SubscriptionPeriod.net_minor,
        SubscriptionPeriod.currency,
    )
    broken = 0
    rows = _rows(Order, *columns, where=Order.state << PAID_ONCE, beside=SubscriptionPeriod)
    for state, quote, ordered_plan, plan, price, start_on, base_end_on, end_on, *paid in rows:
        if start_on is None:
            broken += 1
            continue
        due_on = date.fromisoformat(quote["due_on"])
        extra_days = quote["extension"]["extra_days"] if quote["extension"] else 0
        gave = [plan, price, start_on.isoformat(), base_end_on.isoformat(), *paid]
        promised = [ordered_plan, quote["price_id"], quote["start_on"], quote["base_end_on"]]
        broken += (
            gave != [*promised, quote["net_minor"], quote["currency"]]
            or end_on > (start_on if state == OrderState.REFUNDED else due_on)
            or (due_on - base_end_on).days != extra_days
        )
    return broken


def periods_never_overlap() -> int:
    """A period that was cut before it began is empty and lies nowhere."""
    ends_on = fn.COALESCE(SubscriptionPeriod.end_on, LAST_DAY)
    in_order = (
        SubscriptionPeriod.select(
            SubscriptionPeriod.start_on,
            fn.LAG(ends_on)
            .over(
                partition_by=[SubscriptionPeriod.subscription],
                order_by=[SubscriptionPeriod.start_on, SubscriptionPeriod.id],
            )
            .alias("before_ends_on"),
        )
        .where(_is_not_empty())
        .alias("in_order")
    )
    return (
        SubscriptionPeriod.select(in_order.c.start_on)
        .from_(in_order)
        .where(in_order.c.before_ends_on > in_order.c.start_on)
        .count()
    )


def subscriptions_are_as_their_last_period() -> int:
    """The due date is the end of all periods, the plan that of the newest one.

    Unless a refund gave back what was past already: that fell due on the day of the refund.
    """
    last = (
        SubscriptionPeriod.select(
            SubscriptionPeriod.subscription,
            fn.MAX(SubscriptionPeriod.end_on).alias("end_on"),
            fn.MAX(SubscriptionPeriod.id).alias("newest"),
        )
        .where(_is_not_empty())
        .group_by(SubscriptionPeriod.subscription)
        .alias("last")
    )
    newest = SubscriptionPeriod.alias()
    only_later = (newest.plan == Subscription.plan) & (Subscription.due_on > last.c.end_on)
    differing = (
        Subscription.select(Subscription.workspace, Subscription.due_on, Case(None, [(only_later, 1)], 0))
        .join(last, JOIN.LEFT_OUTER, on=(last.c.subscription_id == Subscription.id))
        .join(newest, JOIN.LEFT_OUTER, on=(newest.id == last.c.newest))
        .where(
            newest.id.is_null()
            | (newest.plan != Subscription.plan)
            | (
                Subscription.due_on.is_null(False)
                & (last.c.end_on.is_null() | (last.c.end_on != Subscription.due_on))
            )
        )
    )
    return sum(
        not (falls_later and _was_refunded_on(due_on, workspace_id))
        for workspace_id, due_on, falls_later in cast("list[tuple[int, date, int]]", list(differing.tuples()))
    )


def _was_refunded_on(day: date, workspace_id: int) -> bool:
    workspace = Workspace.get_by_id(workspace_id)
    issued = Invoice.select(Invoice.issued_at).where(
        Invoice.workspace == workspace, Invoice.kind == DocumentKind.CREDIT_NOTE
    )
    return any(workspace.day(at) == day for (at,) in cast("list[tuple[datetime]]", list(issued.tuples())))


def _is_not_empty() -> Expression:
    return SubscriptionPeriod.end_on.is_null() | (SubscriptionPeriod.end_on > SubscriptionPeriod.start_on)


def active_users_fit_their_plan() -> int:
    """Workspaces with more active users than their plan holds; a refund may have given a small one back."""
    return (
        Member.select(Member.workspace)
        .join(Subscription, on=(Subscription.workspace == Member.workspace))
        .join(Plan, on=(Subscription.plan == Plan.id))
        .where(
            Member.status == MemberStatus.ACTIVE,
            Plan.max_users.is_null(False),
            Member.workspace.not_in(
                Refund.select(Refund.workspace).where(Refund.state == RefundState.SUCCEEDED)
            ),
        )
        .group_by(Member.workspace, Plan.id, Plan.max_users)
        .having(fn.COUNT(Member.id) > Plan.max_users)
        .count()
    )


def invoices_promised_their_documents() -> int:
    """Every invoice has an outbox row for its documents."""
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


def promises_are_kept_or_tried_again() -> int:
    """Parked ones wait for an operator: somebody was told nothing, or has no document."""
    return OutboxMessage.select().where(OutboxMessage.parked_at.is_null(False)).count()


def audit_entries_are_chained() -> int:
    """Each entry of a workspace follows the one before it, and its digest is what its facts give."""
    broken = 0
    before: tuple[int | None, int, str] | None = None
    rows = AuditEntry.select().order_by(AuditEntry.workspace, AuditEntry.sequence, AuditEntry.id)
    for entry in rows.iterator():
        if before is None or before[0] != entry.workspace_id:
            before = (entry.workspace_id, 0, "")
        broken += entry.sequence != before[1] + 1 or not audit.holds(entry, previous=before[2])
        before = (entry.workspace_id, entry.sequence, entry.digest)
    return broken


def _rows(
    model: type[Model],
    *columns: Any,
    where: Any = None,
    beside: type[Model] | None = None,
    at_once: int = ROWS_AT_ONCE,
) -> Iterator[tuple[Any, ...]]:
    """The columns of every row, by id, a bounded number of rows in memory at a time."""
    newest = 0
    while True:
        query = model.select(model.id, *columns).where(model.id > newest).order_by(model.id).limit(at_once)
        if beside is not None:
            query = query.join(beside, JOIN.LEFT_OUTER)
        if where is not None:
            query = query.where(where)
        batch = cast("list[tuple[Any, ...]]", list(query.tuples()))
        for row_id, *row in batch:
            newest = row_id
            yield tuple(row)
        if len(batch) < at_once:
            return


def _pairs(query: Any) -> list[tuple[str, int]]:
    return list(query.tuples())


QUESTIONS: tuple[Callable[[], int], ...] = (
    paid_orders_have_one_succeeded_payment,
    succeeded_payments_belong_to_paid_orders,
    placed_orders_have_a_waiting_payment,
    waiting_payments_belong_to_placed_orders,
    workspaces_wait_for_one_payment_at_most,
    payments_ask_for_what_their_order_costs,
    charges_are_in_the_books,
    succeeded_payments_are_charges,
    orders_are_as_they_were_quoted,
    paid_orders_have_their_invoice,
    invoices_are_of_paid_orders,
    refunded_orders_were_paid_back_once,
    refunded_orders_have_their_credit_note,
    refunds_are_of_succeeded_payments,
    refunds_are_as_the_gateway_has_them,
    nothing_is_charged_beside_an_open_refund,
    numbers_have_no_gap,
    numbers_follow_the_order_of_issue,
    issued_invoices_are_unchanged,
    documents_are_unchanged,
    paid_orders_gave_what_was_quoted,
    periods_never_overlap,
    subscriptions_are_as_their_last_period,
    active_users_fit_their_plan,
    invoices_promised_their_documents,
    promises_are_kept_or_tried_again,
    audit_entries_are_chained,
)
