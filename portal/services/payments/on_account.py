"""What is paid by bank transfer: given at once or invoiced ahead, its invoice open until it is covered.

Nothing can be asked of a bank, so that this is no gateway: an open invoice is settled by whatever covers it,
a transfer, a card, a credit note (docs/adr/0034). Whoever lets money be kept in the balance calls
`pay_from_balance` in the same transaction: nothing is kept beside an invoice that it could pay (0038).
"""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import cast

from peewee import ModelSelect, fn

from portal.database import rows
from portal.database.connecting import require_transaction, transaction, write_postponed
from portal.database.prepared import Parameter, Prepared
from portal.domain import open_invoices
from portal.domain.errors import PortalError
from portal.domain.money import Money, total
from portal.domain.pricing import Quote
from portal.domain.vocabulary import OrderState, PaymentMethodKind
from portal.models import (
    Invoice,
    Order,
    OrderLine,
    Payment,
    Person,
    Plan,
    Product,
    Subscription,
    Workspace,
)
from portal.outbox import JSON
from portal.runtime import current
from portal.services import audit, ledger, letters, orders
from portal.services.invoices import issuing, pay_links
from portal.services.subscriptions import agreement, next_charge

from . import giving

A_DAY = timedelta(days=1)


class TransfersNotOffered(PortalError):
    """Not to this workspace, not for these products, or not by this installation."""


def is_offered(workspace: Workspace, products: Iterable[Product]) -> bool:
    """Whether all of these may be paid by bank transfer here. Without a query."""
    return (
        bool(current().settings.seller.iban)
        and not workspace.transfers_withheld
        and all(product.bank_transfer for product in products)
    )


def is_offered_for(order: Order) -> bool:
    """As `is_offered`, of everything that is ordered. One query."""
    bought = OrderLine.select(Plan.product).join(Plan).where(OrderLine.order == order)
    return is_offered(order.workspace, Product.select().where(Product.id << bought))


# --- taking an order on account -------------------------------------------------------------------


def accept(order: Order, *, person: Person, now: datetime) -> Invoice:
    """Give what the order buys, and issue its open invoice. In the workspace's lock, as `place_order`.

    What is kept for the workspace covers a part of it, as the quote has said. Raises TransfersNotOffered.
    """
    require_transaction()
    if not is_offered_for(order):
        raise TransfersNotOffered()
    orders.read_lines([order])
    order.person, order.auto_renewal = person, False
    order.state = OrderState.INVOICED
    order.save()
    orders.take_along(order)
    agreement.read_subscriptions(order.lines)
    giving.give(order, payment=None, method=None, now=now)
    rows.save_later(order)
    notes = giving.give_back(order, now=now)
    begins_on = min(line.start_on for line in order.lines)
    invoice = _invoice(order, begins_on=begins_on, now=now)
    if order.from_balance_minor:
        settle_covered(order.workspace, now=now)
        pay_from_balance(order.workspace, order.currency, now=now)
    giving.confirm(order, [invoice, *notes], [], now=now)
    return invoice


def invoice_ahead(
    subscription: Subscription, quote: Quote, details: dict[str, object], *, payer: Person, now: datetime
) -> Invoice:
    """The open invoice of the next period, which is given once it is paid. In the run's transaction.

    `quote` is beside the balance. One that the balance covers is paid, and given, at once.
    """
    require_transaction()
    order = Order(
        number=orders.new_order_number(),
        workspace=subscription.workspace,
        person=payer,
        state=OrderState.INVOICED,
        display_currency=quote.currency,
        method_kind=PaymentMethodKind.BANK_TRANSFER,
        details=details,
        created_at=now,
    )
    orders.freeze(order, quote, [subscription], renews_on=subscription.due_on)
    write_postponed()
    for line in order.lines:
        line.subscription = subscription
    begins_on = order.lines[0].start_on
    invoice = _invoice(order, begins_on=begins_on, now=now)
    if settle_covered(subscription.workspace, now=now):
        return invoice
    letters.send(
        "invoice_ahead",
        to=letters.billing_people(subscription.workspace),
        workspace=subscription.workspace,
        key=f"invoice-ahead-{invoice.number}",
        context={
            "plan_names": dict(order.lines[0].plan.names),
            "licences": order.frozen_lines[0].licences,
            "line_licences": [order.frozen_lines[0].licences],
            **_what_is_open(invoice),
        },
        attachments=[invoice],
    )
    return invoice


def _invoice(order: Order, *, begins_on: date, now: datetime) -> Invoice:
    """Issued open, covered as far as the balance pays, and written on the subscriptions that owe it."""
    pay_by = open_invoices.pay_by(issuing.sellers_day(now), begins_on=begins_on)
    invoice = issuing.issue_for(order, payment=None, pay_by=pay_by, now=now)
    if order.from_balance_minor:
        ledger.cover_from_balance(invoice, order.from_balance)
    for line in order.lines:
        subscription = line.subscription
        assert subscription is not None, "what is invoiced has begun, or is renewed"
        subscription.pays_by_transfer = True
        subscription.unpaid_on = pay_by
        agreement.look_soon(subscription, now=now)
        rows.save_later(subscription)
    audit.record(
        "order.invoiced",
        workspace=order.workspace,
        subject=order.number,
        changes={
            "invoice": invoice.number,
            "total_minor": order.total_minor,
            "currency": order.currency,
            "due_on": pay_by.isoformat(),
        },
        now=now,
    )
    return invoice


# --- what covers it -------------------------------------------------------------------------------


def open_part(invoice: Invoice) -> Money:
    """What is still to be paid of it; 0 where it is covered. One query."""
    return invoice.total - ledger.covered_of([invoice])[invoice.id]


@dataclass(frozen=True, slots=True)
class CoveredInvoice:
    """How much of an invoice some money covers, and what is `left` to pay of it then, each 0 or more."""

    invoice: Invoice
    covered: Money
    left: Money


def told(covered: Iterable[CoveredInvoice]) -> list[JSON]:
    """What a letter says of them."""
    return [
        {"number": each.invoice.number, "covered_minor": each.covered.minor, "left_minor": each.left.minor}
        for each in covered
    ]


def would_pay(workspace: Workspace, amount: Money) -> list[CoveredInvoice]:
    """Which open invoices `amount` would pay, were it kept for the workspace now: the oldest due first."""
    return _covered_invoices(ledger.would_cover(workspace, amount), is_done=False)


def pay_from_balance(
    workspace: Workspace, currency: str, *, tell: bool = True, now: datetime
) -> list[CoveredInvoice]:
    """Let what is kept, and no placed order counts on, pay what is open, the oldest due first.

    Inside the workspace's lock, after whatever let it be kept was recorded. `tell`: its people get one letter
    about all of it. Of a deleted workspace nothing is paid. Returns what it paid, wholly or in part.
    """
    require_transaction()
    if Workspace.select().where(Workspace.id == workspace.id, Workspace.deleted_at.is_null(False)).exists():
        return []
    paid = _covered_invoices(ledger.cover_open_invoices(workspace, currency), is_done=True)
    if not paid:
        return []
    used = total((each.covered for each in paid), currency)
    audit.record(
        "balance.used",
        workspace=workspace,
        subject=", ".join(each.invoice.number for each in paid),
        changes={"amount_minor": used.minor, "currency": currency},
        now=now,
    )
    settle_covered(workspace, tell=False, now=now)
    if tell:
        letters.send(
            "paid_from_balance",
            to=letters.billing_people(workspace),
            workspace=workspace,
            key=f"paid-from-balance-{uuid.uuid4().hex}",
            context={"used_minor": used.minor, "currency": currency, "covered": told(paid)},
        )
    return paid


def _covered_invoices(covered: Mapping[int, Money], *, is_done: bool) -> list[CoveredInvoice]:
    """In their order. Two queries; `is_done` where the ledger has it already."""
    if not covered:
        return []
    found = in_order(covered)
    before = ledger.covered_of(found)
    lefts = [each.total - before[each.id] for each in found]
    return [
        CoveredInvoice(each, covered[each.id], left if is_done else left - covered[each.id])
        for each, left in zip(found, lefts, strict=True)
    ]


def in_order(ids: Collection[int]) -> list[Invoice]:
    """The invoices of these ids, in their order. One query, none where there is none."""
    found = {each.id: each for each in Invoice.select().where(Invoice.id << list(ids))} if ids else {}
    return [found[each] for each in ids]


def settle_payment(payment: Payment, *, now: datetime) -> None:
    """A card, or another method, has paid the invoice of its order. In the transaction of the answer.

    Where something else has covered it meanwhile, what it paid is kept, and pays what else is open.
    """
    require_transaction()
    order = payment.order
    invoice = Invoice.of_order(order)
    ledger.record_payment(payment, invoice, now=now)
    audit.record(
        "payment.succeeded",
        workspace=order.workspace,
        subject=payment.key,
        changes={
            "invoice": invoice.number,
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
        },
        now=now,
    )
    settle_covered(order.workspace, paid_with=payment, now=now)
    pay_from_balance(order.workspace, payment.currency, now=now)


def settle_covered(
    workspace: Workspace, *, paid_with: Payment | None = None, tell: bool = True, now: datetime
) -> list[Invoice]:
    """The open invoices that are covered by now: their orders are paid, and given where they were not yet.

    Inside the workspace's lock, after whatever has covered them was recorded. `tell`: its people get a letter
    about each. Returns those invoices.
    """
    require_transaction()
    write_postponed()
    settled: list[Invoice] = _covered.rows(workspace=workspace.id)
    for invoice in settled:
        _settle(invoice, workspace, paid_with=paid_with, now=now)
        if tell:
            _tell_paid(invoice, workspace, paid_with=paid_with)
    return settled


def _settle(invoice: Invoice, workspace: Workspace, *, paid_with: Payment | None, now: datetime) -> None:
    order = invoice.order
    order.workspace = workspace
    orders.read_lines([order])
    agreement.read_subscriptions(order.lines)
    order.state = OrderState.PAID
    is_ahead = order.given_at is None
    if is_ahead:
        giving.give(order, payment=paid_with, method=None, now=now)
    order.save()
    invoice.remind_on = None
    invoice.save()
    write_postponed()
    pay_links.end_after_settling(invoice, now=now)
    for line in order.lines:
        assert line.subscription is not None, "what is invoiced has begun, or is renewed"
        _owe_what_is_open(line.subscription, now=now)
    audit.record(
        "invoice.paid",
        workspace=workspace,
        subject=invoice.number,
        changes={"order": order.number, "total_minor": invoice.total_minor, "currency": invoice.currency},
        now=now,
    )


def _tell_paid(invoice: Invoice, workspace: Workspace, *, paid_with: Payment | None) -> None:
    letters.send(
        "invoice_paid",
        to=letters.billing_people(workspace),
        workspace=workspace,
        key=f"invoice-paid-{invoice.number}",
        context={
            "number": invoice.number,
            "total_minor": invoice.total_minor,
            "currency": invoice.currency,
            "method": letters.paid_with(paid_with) if paid_with else None,
            "until": max(line.end_on for line in invoice.order.lines).isoformat(),
        },
    )


def _owe_what_is_open(subscription: Subscription, *, now: datetime) -> None:
    """Let its row say until when the oldest of its open invoices can be paid in time."""
    oldest = (
        Invoice.select(fn.MIN(Invoice.due_on))
        .join(Order)
        .join(OrderLine)
        .where(
            OrderLine.subscription == subscription,
            Order.state == OrderState.INVOICED,
            Invoice.is_current(),
        )
        .scalar()
    )
    subscription.unpaid_on = oldest
    agreement.look_soon(subscription, now=now)
    rows.save(subscription)


def open_again(workspace: Workspace, invoice_ids: Sequence[int], *, now: datetime) -> None:
    """Money that had covered these invoices went back to its bank: they are owed again. What was given stays
    given. Inside the workspace's lock, once the ledger says so; what is covered all the same stays paid.
    """
    require_transaction()
    write_postponed()
    paid = (
        Invoice.select(Invoice, Order)
        .join(Order)
        .where(
            Invoice.id << list(invoice_ids),
            Invoice.workspace == workspace,
            Invoice.due_on.is_null(False),
            Order.state == OrderState.PAID,
        )
    )
    for invoice in paid:
        if open_part(invoice).minor > 0:
            _open_again(invoice, workspace, now=now)


def _open_again(invoice: Invoice, workspace: Workspace, *, now: datetime) -> None:
    order = invoice.order
    order.workspace = workspace
    assert invoice.due_on is not None, "an open invoice has its day"
    order.state = OrderState.INVOICED
    order.save()
    today = issuing.sellers_day(now)
    invoice.remind_on = open_invoices.next_reminder(
        invoice.due_on, after=today, dunning_days=current().settings.dunning_days
    )
    invoice.save()
    orders.read_lines([order])
    agreement.read_subscriptions(order.lines)
    for line in order.lines:
        assert line.subscription is not None, "what was given has begun"
        _owe_what_is_open(line.subscription, now=now)


# --- what is no longer wanted ---------------------------------------------------------------------


def withdraw_if_changed(subscription: Subscription, *, now: datetime) -> Invoice | None:
    """Credit the open invoice of a period that was not given, once the next one is to be another, or none.

    In the run's transaction. What was paid of it is kept for the workspace. Returns the credit note, None
    where there is nothing to credit.
    """
    require_transaction()
    workspace = subscription.workspace
    for invoice in _open_of(workspace):
        if invoice.order.given_at is not None:
            continue
        order = invoice.order
        order.workspace = workspace
        orders.read_lines([order])
        [line] = order.lines
        if line.subscription_id == subscription.id and not _is_wanted(subscription, line):
            return _withdraw(invoice, line, subscription, now=now)
    return None


def _is_wanted(subscription: Subscription, line: OrderLine) -> bool:
    if subscription.cancelled_at is not None:
        return False
    plan, interval = next_charge.next_terms(subscription)
    wanted = (plan.id, interval, next_charge.next_quantity(subscription))
    return wanted == (line.plan_id, line.interval, line.quantity)


def _withdraw(invoice: Invoice, line: OrderLine, subscription: Subscription, *, now: datetime) -> Invoice:
    order = line.order
    credit_note = issuing.issue_credit_note(order, now=now)
    order.state = OrderState.WITHDRAWN
    order.save()
    # The due date is free for another renewal.
    line.refunded_at = now
    line.save()
    invoice.remind_on = None
    invoice.save()
    write_postponed()
    pay_links.end_after_settling(invoice, now=now)
    _owe_what_is_open(subscription, now=now)
    letters.send(
        "invoice_withdrawn",
        to=letters.billing_people(order.workspace),
        workspace=order.workspace,
        key=f"invoice-withdrawn-{invoice.number}",
        context={
            "number": invoice.number,
            "credit_note": credit_note.number,
            "plan_names": dict(line.plan.names),
            "licences": order.frozen_lines[0].licences,
            "is_cancelled": subscription.cancelled_at is not None,
        },
        attachments=[credit_note],
    )
    pay_from_balance(order.workspace, order.currency, now=now)
    return credit_note


# --- reading --------------------------------------------------------------------------------------


def _open_of(workspace: Workspace | Parameter) -> "ModelSelect[Invoice]":
    """The open invoices of the workspace with their orders, the oldest first."""
    return (
        Invoice.select(Invoice, Order)
        .join(Order)
        .where(
            Invoice.workspace == workspace,
            Order.state == OrderState.INVOICED,
            Invoice.is_current(),
        )
        .order_by(Invoice.id)
    )


# Asked for each line of a statement.
_covered = Prepared(
    lambda: _open_of(Parameter("workspace")).where(ledger.sum_covered(Invoice) >= Invoice.total_minor)
)
"""Those of `_open_of` of which nothing is open any more."""


def open_of(workspace: Workspace) -> list[tuple[Invoice, Money]]:
    """What is to be paid, the oldest first, each with what is open of it. Two queries."""
    found = list(_open_of(workspace))
    covered = ledger.covered_of(found) if found else {}
    return [(invoice, invoice.total - covered[invoice.id]) for invoice in found]


def _what_is_open(invoice: Invoice) -> dict[str, JSON]:
    """What a letter about it says."""
    assert invoice.due_on is not None, "an open invoice has its day"
    left = open_part(invoice)
    return {
        "number": invoice.number,
        "reference": invoice.reference,
        "open_minor": left.minor,
        "currency": left.currency,
        "due_on": invoice.due_on.isoformat(),
    }


# --- reminders ------------------------------------------------------------------------------------


def remind_due(*, limit: int, now: datetime) -> int:
    """Send the reminders of open invoices that are due, of at most `limit` invoices. Returns how many.

    Safe to repeat and to run twice at once: each is sent once about its day.
    """
    # It may be tomorrow already where the workspace is.
    due = _to_remind_of.rows(latest=now.date() + A_DAY, limit=limit)
    return sum(_remind(invoice, now=now) for invoice in due)


_to_remind_of = Prepared(
    lambda: (
        Invoice.select(Invoice, Workspace)
        .join(Workspace)
        .where(Invoice.remind_on <= Parameter("latest"))
        .order_by(Invoice.remind_on, Invoice.id)
        .limit(Parameter("limit"))
    )
)


def _remind(invoice: Invoice, *, now: datetime) -> bool:
    workspace, days = invoice.workspace, current().settings.dunning_days
    today = workspace.day(now)
    if invoice.remind_on is None or invoice.remind_on > today:
        return False
    with transaction(lock=workspace):
        fresh = _open_of(workspace).where(Invoice.id == invoice.id).first()
        if fresh is None or fresh.remind_on is None:
            return False
        fresh.workspace = workspace
        about = open_invoices.reminder_due(
            fresh.due_on,
            issued_on=fresh.issued_on,
            reminded_on=fresh.reminded_on,
            today=today,
            dunning_days=days,
        )
        fresh.remind_on = open_invoices.next_reminder(fresh.due_on, after=today, dunning_days=days)
        if about is not None:
            fresh.reminded_on = about
            _tell_reminder(fresh, about, today=today)
        fresh.save()
    return about is not None


def _tell_reminder(invoice: Invoice, about: date, *, today: date) -> None:
    workspace = invoice.workspace
    invoice.order.workspace = workspace
    orders.read_lines([invoice.order])
    agreement.read_subscriptions(invoice.order.lines)
    ends = [
        day
        for line in invoice.order.lines
        if line.subscription is not None
        and (day := agreement.status_of(line.subscription, today=today).blocked_on) is not None
    ]
    letters.send(
        "invoice_reminder",
        to=letters.billing_people(workspace),
        workspace=workspace,
        key=f"invoice-reminder-{invoice.number}-{about}",
        context={
            **_what_is_open(invoice),
            "is_late": today > cast("date", invoice.due_on),
            "blocked_on": min(ends).isoformat() if ends else None,
            "is_blocked": bool(ends) and min(ends) <= today,
        },
        attachments=[invoice],
    )
