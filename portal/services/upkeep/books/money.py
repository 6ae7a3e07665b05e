"""Orders, payments and refunds agree with each other."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

from peewee import JOIN, Case, Expression, fn

from portal.domain.frozen_quote import FrozenBalance, frozen_balance, frozen_lines
from portal.domain.lifecycle import OPEN_SETUP_STATES
from portal.domain.money import Money
from portal.domain.pricing import facts_hash
from portal.domain.refunds import shares_of_lines
from portal.domain.tax import BASIS_POINTS
from portal.domain.vocabulary import (
    DocumentKind,
    OrderKind,
    OrderState,
    PaidWith,
    PaymentMethodKind,
    PaymentState,
    RefundState,
)
from portal.models import (
    CreditedLine,
    Dispute,
    Invoice,
    MethodSetup,
    Order,
    OrderLine,
    Payment,
    PaymentMethod,
    Plan,
    Refund,
    Subscription,
)

from .reading import Queries, counted, pages_of

SETTLED = (PaymentState.SUCCEEDED, PaymentState.DECLINED)
PAID_ONCE = (OrderState.PAID, OrderState.REFUNDED)
INVOICED_ONCE = (*PAID_ONCE, OrderState.INVOICED, OrderState.WITHDRAWN)
REFUND_SETTLED = (RefundState.SUCCEEDED, RefundState.REFUSED)
REFUND_WAITS = (RefundState.CREATED, RefundState.UNKNOWN)


@counted
def paid_orders_have_one_succeeded_payment() -> Queries:
    """A paid order, refunded since or not, has exactly one succeeded payment, of what it asks for.

    One with an open invoice has one at most: whatever else has covered it is the ledger's.
    """
    succeeded = (
        Payment.select(Payment.order, fn.COUNT(Payment.id).alias("times"), fn.SUM(_moved()).alias("paid"))
        .where(Payment.state == PaymentState.SUCCEEDED)
        .group_by(Payment.order)
        .alias("succeeded")
    )
    return (
        Order.select(Order.id)
        .join(succeeded, JOIN.LEFT_OUTER, on=(succeeded.c.order_id == Order.id))
        .where(
            Case(
                None,
                [(Order.id << orders_on_account(), succeeded.c.times > 1)],
                (Order.state << PAID_ONCE)
                & (
                    succeeded.c.times.is_null()
                    | (succeeded.c.times != 1)
                    | (succeeded.c.paid != Order.total_minor - Order.from_balance_minor)
                ),
            )
        )
    )


def orders_on_account() -> Any:
    """The ids of those whose invoice was issued open."""
    return Invoice.select(Invoice.order).where(Invoice.due_on.is_null(False))


def _moved() -> Any:
    """The money that a payment moves: none where the balance has paid."""
    return Case(None, [(Payment.method_kind == PaidWith.BALANCE, 0)], Payment.amount_minor)


@counted
def succeeded_payments_belong_to_paid_orders() -> Queries:
    return (
        Payment.select(Payment.id)
        .join(Order)
        .where(Payment.state == PaymentState.SUCCEEDED, Order.state.not_in((*PAID_ONCE, OrderState.INVOICED)))
    )


@counted
def placed_orders_have_a_waiting_payment() -> Queries:
    return (
        Order.select(Order.id)
        .join(Payment, JOIN.LEFT_OUTER, on=((Payment.order == Order.id) & Payment.state.not_in(SETTLED)))
        .where(Order.state == OrderState.PLACED, Payment.id.is_null())
    )


@counted
def waiting_payments_belong_to_placed_orders() -> Queries:
    """While a payment may still succeed its order is closed, so that nobody pays it a second time.

    An open invoice may be covered by a transfer meanwhile.
    """
    return (
        Payment.select(Payment.id)
        .join(Order)
        .where(
            Payment.state.not_in(SETTLED),
            Order.state != OrderState.PLACED,
            Order.id.not_in(orders_on_account()),
        )
    )


@counted
def products_wait_for_one_payment_at_most() -> Queries:
    """In each workspace, of each product: subscribed to, or about to be."""
    return (
        Payment.select(Payment.workspace)
        .join(OrderLine, on=(OrderLine.order == Payment.order))
        .join(Plan)
        .where(Payment.state.not_in(SETTLED))
        .group_by(Payment.workspace, Plan.product)
        .having(fn.COUNT(Payment.id.distinct()) > 1)
    )


@counted
def paid_orders_have_their_invoice() -> Queries:
    """Over its own amounts."""
    return (
        Order.select(Order.id)
        .join(
            Invoice,
            JOIN.LEFT_OUTER,
            on=((Invoice.order == Order.id) & Invoice.is_current()),
        )
        .where(
            Order.state << INVOICED_ONCE,
            Invoice.id.is_null() | _is_unlike_its_order(),
        )
    )


def _is_unlike_its_order() -> Expression:
    """Whether a document is over other amounts than all of its order."""
    return (
        (Invoice.net_minor != Order.net_minor)
        | (Invoice.tax_minor != Order.tax_minor)
        | (Invoice.currency != Order.currency)
        | (Invoice.workspace != Order.workspace)
    )


@counted
def refunds_have_their_credit_note() -> Queries:
    """It credits the order's own invoice, in full. So does a partial one, but not in full.

    Each refund that succeeded has one: partial where it is of one line, over the whole order else.
    """
    invoice = Invoice.alias()
    of_another = (
        Invoice.select(Invoice.id)
        .join(invoice, on=(Invoice.credits == invoice.id))
        .where(
            (invoice.kind != DocumentKind.INVOICE)
            | (invoice.order != Invoice.order)
            | ((invoice.total_minor != Invoice.total_minor) & Invoice.id.not_in(partial_credit_notes()))
        )
    )
    is_of_a_line = Refund.line.is_null(False)
    unlike_the_line = CreditedLine.id.is_null() | (
        (Invoice.net_minor != OrderLine.net_minor) | (Invoice.tax_minor != OrderLine.tax_minor)
    )
    of_refunds = (
        Refund.select(Refund.id)
        .join_from(Refund, Payment)
        .join_from(Payment, Order)
        .join_from(Refund, Invoice, JOIN.LEFT_OUTER, on=Refund.credit_note)
        .join_from(Refund, OrderLine, JOIN.LEFT_OUTER, on=Refund.line)
        .join_from(
            Invoice,
            CreditedLine,
            JOIN.LEFT_OUTER,
            on=((CreditedLine.credit_note == Invoice.id) & (CreditedLine.position == OrderLine.position)),
        )
        .where(
            ((Refund.state == RefundState.SUCCEEDED) != Refund.credit_note.is_null(False))
            | (
                Refund.credit_note.is_null(False)
                & (
                    (Invoice.kind != DocumentKind.CREDIT_NOTE)
                    | (Invoice.order != Order.id)
                    | (~is_of_a_line & (_is_unlike_its_order() | Invoice.id.in_(partial_credit_notes())))
                    | (is_of_a_line & unlike_the_line)
                )
            )
        )
    )
    return of_another, of_refunds


@counted
def invoices_are_of_paid_orders() -> Queries:
    """Or of those that are to be paid. Credit notes are of refunded or withdrawn ones, unless partial, or of
    an invoice that was replaced.
    """
    replaced = Invoice.alias()
    return (
        Invoice.select(Invoice.id)
        .join(Order)
        .where(
            Order.state.not_in(INVOICED_ONCE)
            | ((Order.state == OrderState.INVOICED) & Order.id.not_in(orders_on_account()))
            | (
                (Invoice.kind == DocumentKind.CREDIT_NOTE)
                & Order.state.not_in((OrderState.REFUNDED, OrderState.WITHDRAWN))
                & Invoice.id.not_in(partial_credit_notes())
                & Invoice.credits.not_in(
                    replaced.select(replaced.id).where(replaced.replaced_by.is_null(False))
                )
            )
        )
    )


def partial_credit_notes() -> Any:
    """The ids of those that name lines."""
    return CreditedLine.select(CreditedLine.credit_note)


@counted
def refunded_lines_were_paid_back_once() -> Queries:
    """A line that was refunded has exactly one succeeded refund, its own or that of all; no other has one.

    An order is refunded exactly once all its lines are.
    """
    sent_back = (
        Refund.select(fn.COUNT(Refund.id))
        .join(Payment)
        .where(
            Payment.order == OrderLine.order, Refund.state == RefundState.SUCCEEDED, Refund.undoes(OrderLine)
        )
    )
    should_be = Case(None, [(OrderLine.refunded_at.is_null(False), 1)], 0)
    lines = (
        OrderLine.select(OrderLine.id)
        .join(Order)
        .where(sent_back != should_be, Order.state != OrderState.WITHDRAWN)
    )
    kept = OrderLine.select(OrderLine.order).where(OrderLine.refunded_at.is_null())
    orders = Order.select(Order.id).where(
        ((Order.state == OrderState.REFUNDED) & (Order.id << kept))
        | ((Order.state == OrderState.PAID) & Order.id.not_in(kept))
    )
    return lines, orders


class RefundOfLines(NamedTuple):
    """A refund with the quote of its order, what its payment was, and the place of its line, None for all."""

    amount_minor: int
    currency: str
    position: int | None
    paid_minor: int
    quote: dict[str, Any]


def refunds() -> Iterator[RefundOfLines]:
    query = (
        Refund.select(
            Refund.id,
            Refund.amount_minor,
            Refund.currency,
            OrderLine.position,
            Payment.amount_minor,
            Order.quote,
        )
        .join_from(Refund, Payment)
        .join_from(Payment, Order)
        .join_from(Refund, OrderLine, JOIN.LEFT_OUTER, on=Refund.line)
    )
    return (RefundOfLines(*row) for row in pages_of(query, Refund))


def refunds_are_of_what_their_lines_cost(refund: RefundOfLines) -> bool:
    """Whatever their state: all that was paid, or the share of it that one line had cost."""
    if refund.position is None:
        return refund.amount_minor != refund.paid_minor
    lines = [line.net + line.tax for line in frozen_lines(refund.quote)]
    shares = shares_of_lines(Money(refund.paid_minor, refund.currency), lines)
    return shares[refund.position - 1].minor != refund.amount_minor


@counted
def refunds_are_of_succeeded_payments() -> Queries:
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
    )


@counted
def nothing_is_charged_beside_an_open_refund() -> Queries:
    """Subscriptions that an open refund undoes, and that wait for a payment, or for a refund more."""
    undone, paid = OrderLine.alias(), OrderLine.alias()
    refunds = (
        Refund.select(undone.subscription)
        .join(Payment)
        .join(undone, on=((undone.order == Payment.order) & Refund.undoes(undone)))
        .where(Refund.state << REFUND_WAITS)
    )
    several = refunds.group_by(undone.subscription).having(fn.COUNT(Refund.id) > 1)
    payments = (
        Payment.select(Payment.id)
        .join(paid, on=(paid.order == Payment.order))
        .where(paid.subscription << refunds, Payment.state.not_in(SETTLED))
    )
    return several, payments


@counted
def payments_ask_for_what_their_order_costs() -> Queries:
    """Amount, currency and workspace. A declined one may be of an order that was quoted anew since; one for
    an open invoice is of what was open of it.

    One from the balance is of the whole total, all of which the balance pays; no gateway was asked for it.
    """
    from_balance = Payment.method_kind == PaidWith.BALANCE
    return (
        Payment.select(Payment.id)
        .join(Order)
        .where(
            Payment.state != PaymentState.DECLINED,
            (
                (_moved() != Order.total_minor - Order.from_balance_minor)
                & Order.id.not_in(orders_on_account())
            )
            | (_moved() > Order.total_minor - Order.from_balance_minor)
            | (
                from_balance
                & (
                    (Payment.amount_minor != Order.total_minor)
                    | (Payment.gateway != PaidWith.BALANCE.value)
                    | (Payment.state != PaymentState.SUCCEEDED)
                )
            )
            | (Payment.currency != Order.currency)
            | (Payment.workspace != Order.workspace),
        )
    )


@counted
def open_money_is_asked_about() -> Queries:
    """What is open has a next look-up, and what is settled has its moment and none."""
    broken = []
    for model, settled, ask_at in (
        (Payment, SETTLED, Payment.look_up_at),
        (Refund, REFUND_SETTLED, Refund.ask_again_at),
    ):
        is_settled = model.state << settled
        rightly_settled = model.settled_at.is_null(False) & ask_at.is_null()
        rightly_open = model.settled_at.is_null() & ask_at.is_null(False)
        broken.append(
            model.select(model.id).where((is_settled & ~rightly_settled) | (~is_settled & ~rightly_open))
        )
    waits = MethodSetup.state << list(OPEN_SETUP_STATES)
    return *broken, MethodSetup.select(MethodSetup.id).where(waits & MethodSetup.look_up_at.is_null())


@counted
def payments_charge_methods_of_their_workspace() -> Queries:
    return (
        Payment.select(Payment.id)
        .join(PaymentMethod)
        .where((PaymentMethod.workspace != Payment.workspace) | (PaymentMethod.gateway != Payment.gateway))
    )


@counted
def disputed_methods_are_stopped() -> Queries:
    """Nothing is charged by itself to a method whose holder disputed a payment, while it is saved."""
    return (
        Dispute.select(Dispute.id)
        .join(Payment)
        .join(PaymentMethod)
        .where(PaymentMethod.stopped_at.is_null(), PaymentMethod.removed_at.is_null())
    )


class Quoted(NamedTuple):
    """An order with what it was quoted."""

    quote: dict[str, Any]
    quote_hash: str
    net_minor: int
    tax_minor: int
    total_minor: int
    from_balance_minor: int
    reserved_minor: int
    currency: str
    details: dict[str, Any] | None
    method_kind: PaymentMethodKind
    state: OrderState
    given_at: datetime | None


def quoted_orders() -> Iterator[Quoted]:
    query = Order.select(
        Order.id,
        Order.quote,
        Order.quote_hash,
        Order.net_minor,
        Order.tax_minor,
        Order.total_minor,
        Order.from_balance_minor,
        Order.reserved_minor,
        Order.currency,
        Order.details,
        Order.method_kind,
        Order.state,
        Order.given_at,
    )
    return (Quoted(*row) for row in pages_of(query, Order))


def orders_are_as_they_were_quoted(order: Quoted) -> bool:
    """The quote is the one that its hash names, and the columns repeat its amounts and details."""
    quote, reviewed = order.quote, order.quote["reviewed"]
    if reviewed is not None and order.details is not None and reviewed not in _may_be_reviewed(order):
        return True
    return facts_hash(quote) != order.quote_hash or (
        order.net_minor,
        order.tax_minor,
        order.total_minor,
        (order.from_balance_minor, order.reserved_minor),
        order.currency,
    ) != (
        *(quote[name] for name in ("net_minor", "tax_minor", "total_minor")),
        _from_balance(quote),
        quote["currency"],
    )


def _from_balance(quote: dict[str, Any]) -> tuple[int, int]:
    """How much of the total, and how much of that was kept before."""
    balance = frozen_balance(quote)
    return (balance.used.minor, balance.kept_before.minor) if balance else (0, 0)


def _may_be_reviewed(order: Quoted) -> list[str]:
    """A renewal is quoted before it is decided which method is asked."""
    is_renewal = all(line.kind is OrderKind.RENEWAL for line in frozen_lines(order.quote))
    kinds = {order.method_kind, PaymentMethodKind.CARD if is_renewal else order.method_kind}
    return [facts_hash({"details": order.details, "method_kind": kind.value}) for kind in kinds]


def quotes_add_up(order: Quoted) -> bool:
    """Each line's net follows from quantity, price and days, its tax from net and rate.

    The totals are their sums. Without a buyer there is no tax yet. What pays beside a gateway is no more than
    the total, and all of it where more is given back.
    """
    quote, balance = order.quote, frozen_balance(order.quote)
    if balance is not None and not _balance_adds_up(balance, quote["total_minor"]):
        return True
    rate_bp = quote["tax"]["rate_bp"] if quote["tax"] else None
    net_minor = tax_minor = 0
    for line in frozen_lines(quote):
        tax = line.net.split(part=line.rate_bp or 0, whole=BASIS_POINTS)
        if (line.net, line.tax, line.rate_bp) != (line.reckoned_net, tax, rate_bp):
            return True
        net_minor, tax_minor = net_minor + line.net.minor, tax_minor + line.tax.minor
    return [quote[name] for name in ("net_minor", "tax_minor", "total_minor")] != [
        net_minor,
        tax_minor,
        net_minor + tax_minor,
    ]


def _balance_adds_up(balance: FrozenBalance, total_minor: int) -> bool:
    credited = sum(credit.gross.minor for credit in balance.credits)
    return (
        balance.credited.minor == credited
        and min(credited, total_minor) <= balance.used.minor <= total_minor
        and balance.used.minor + balance.due.minor == total_minor
    )


class LineOfOrder(NamedTuple):
    """A line beside the quote of its order and the workspace of its subscription."""

    quote: dict[str, Any]
    state: OrderState
    workspace: int
    position: int
    kind: OrderKind
    plan: str
    price: int
    interval: str
    quantity: int
    start_on: date
    base_end_on: date
    end_on: date
    anchor_day: int
    net_minor: int
    tax_minor: int
    renews_on: date | None
    refunded_at: datetime | None
    subscribed: int | None


def lines_of_orders() -> Iterator[LineOfOrder]:
    query = (
        OrderLine.select(
            OrderLine.id,
            Order.quote,
            Order.state,
            Order.workspace,
            OrderLine.position,
            OrderLine.kind,
            Plan.code,
            OrderLine.price,
            OrderLine.interval,
            OrderLine.quantity,
            OrderLine.start_on,
            OrderLine.base_end_on,
            OrderLine.end_on,
            OrderLine.anchor_day,
            OrderLine.net_minor,
            OrderLine.tax_minor,
            OrderLine.renews_on,
            OrderLine.refunded_at,
            Subscription.workspace,
        )
        .join_from(OrderLine, Order)
        .join_from(OrderLine, Plan)
        .join_from(OrderLine, Subscription, JOIN.LEFT_OUTER)
    )
    return (LineOfOrder(*row) for row in pages_of(query, OrderLine))


def order_lines_repeat_their_quote(line: LineOfOrder) -> bool:
    """Terms, period and amounts; for a subscription of the order's workspace; a renewal has its due date."""
    quoted = frozen_lines(line.quote)[line.position - 1]
    is_for_another = line.subscribed is not None and line.subscribed != line.workspace
    has_due_date = line.renews_on is not None
    is_refunded = line.refunded_at is not None
    return (
        is_for_another
        or has_due_date != (line.kind is OrderKind.RENEWAL)
        or (is_refunded and line.state not in (*PAID_ONCE, OrderState.WITHDRAWN))
        or (
            line.kind,
            line.plan,
            line.price,
            line.interval,
            line.quantity,
            line.start_on,
            line.base_end_on,
            line.end_on,
            line.anchor_day,
            line.net_minor,
            line.tax_minor,
        )
        != (
            quoted.kind,
            quoted.plan_code,
            quoted.price_id,
            quoted.interval,
            quoted.quantity,
            quoted.start_on,
            quoted.base_end_on,
            quoted.due_on,
            quoted.anchor_day,
            quoted.net.minor,
            quoted.tax.minor,
        )
    )


@counted
def orders_have_all_their_lines() -> Queries:
    """In number, from 1 on, and in amount. Of each line the other question is asked."""
    sums = (
        OrderLine.select(
            OrderLine.order,
            fn.COUNT(OrderLine.id).alias("lines"),
            fn.MAX(OrderLine.position).alias("last"),
            fn.SUM(OrderLine.net_minor).alias("net"),
            fn.SUM(OrderLine.tax_minor).alias("tax"),
        )
        .group_by(OrderLine.order)
        .alias("sums")
    )
    return (
        Order.select(Order.id)
        .join(sums, JOIN.LEFT_OUTER, on=(sums.c.order_id == Order.id))
        .where(
            sums.c.lines.is_null()
            | (sums.c.lines != sums.c.last)
            | (sums.c.net != Order.net_minor)
            | (sums.c.tax != Order.tax_minor)
        )
    )


def orders_say_when_they_were_given(order: Quoted) -> bool:
    """What was paid was given; what is invoiced may be given before."""
    if order.state == OrderState.INVOICED:
        return False
    return (order.state in PAID_ONCE) != (order.given_at is not None)
