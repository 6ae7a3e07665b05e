"""What a workspace was charged and given back, newest first. Keyset pages: no count, any length."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from peewee import JOIN, fn

from portal.database.prepared import Parameter, Prepared
from portal.domain.money import Money
from portal.domain.vocabulary import (
    DocumentKind,
    OrderState,
    PaymentMethodKind,
    PaymentState,
    RefundState,
)
from portal.models import Dispute, Invoice, Order, Payment, Refund, Workspace

AFTER_ALL = 2**62
"""Above every id: the first page is the one before it."""


class HistoryRow(NamedTuple):
    """One issued document with how it was paid. The total of a credit note is negative here.

    `is_refunded`: all that was paid of its order was sent back; `is_partly_refunded`: that of some lines.
    `is_kept`: of a credit note whose money was not sent back, but is kept for the workspace. `is_shared`: the
    balance paid a part of an invoice beside the method. `is_open`: an invoice that is to be paid. One that no
    payment has paid has no method, payer and key. `is_replaced`: its details were corrected by a new invoice,
    which has what is said of the order and its payment.

    A tuple, as a page makes fifty: a frozen dataclass takes four times as long.
    """

    invoice_id: int
    kind: DocumentKind
    number: str
    issued_at: datetime
    total: Money
    is_refunded: bool
    is_partly_refunded: bool
    is_disputed: bool
    is_kept: bool
    is_shared: bool
    is_open: bool
    is_replaced: bool
    method_kind: PaymentMethodKind | None
    brand: str | None
    last4: str | None
    payer_name: str | None
    payer_email: str | None
    payment_key: str | None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """`older` is the cursor of the next page, None on the last one."""

    rows: Sequence[HistoryRow]
    older: int | None


def page_of(workspace: Workspace, *, size: int, before: int | None = None) -> HistoryPage:
    """The newest `size` documents, or those issued before the document whose id is `before`. One query."""
    cursor = AFTER_ALL if before is None else before
    found = _documents.rows(workspace=workspace.id, before=cursor, size=size + 1)
    rows = [_row(*each) for each in found]
    return HistoryPage(rows=rows[:size], older=rows[size - 1].invoice_id if len(rows) > size else None)


def _row(
    invoice_id: int,
    kind: DocumentKind,
    number: str,
    issued_at: datetime,
    total_minor: int,
    currency: str,
    order_state: OrderState,
    is_disputed: int,
    was_sent_back: int,
    has_refunds: int,
    from_balance_minor: int,
    replaced_by: int | None,
    *paid: Any,
) -> HistoryRow:
    total, is_replaced = Money(total_minor, currency), replaced_by is not None
    is_refunded = order_state == OrderState.REFUNDED and not is_replaced
    is_kept = kind == DocumentKind.CREDIT_NOTE and not was_sent_back
    is_shared = kind == DocumentKind.INVOICE and 0 < from_balance_minor < total_minor
    is_partly_refunded = bool(has_refunds) and order_state != OrderState.REFUNDED and not is_replaced
    if kind == DocumentKind.CREDIT_NOTE:
        total = -total
    return HistoryRow(
        invoice_id,
        kind,
        number,
        issued_at,
        total,
        is_refunded,
        is_partly_refunded,
        bool(is_disputed) and not is_replaced,
        is_kept,
        is_shared,
        kind == DocumentKind.INVOICE and order_state == OrderState.INVOICED and not is_replaced,
        is_replaced,
        *paid,
    )


_shown = Invoice.alias()
_sent_back = Refund.select(Refund.id).where(Refund.state == RefundState.SUCCEEDED)
_documents = Prepared(
    lambda: (
        Invoice.select(
            Invoice.id,
            Invoice.kind,
            Invoice.number,
            Invoice.issued_at,
            Invoice.total_minor,
            Invoice.currency,
            Order.state,
            Dispute.id.is_null(False),
            fn.EXISTS(_sent_back.where(Refund.credit_note == Invoice.id)),
            fn.EXISTS(_sent_back.where(Refund.payment == Payment.id)),
            Order.from_balance_minor,
            Invoice.replaced_by,
            Payment.method_kind,
            Payment.brand,
            Payment.last4,
            Payment.payer_name,
            Payment.payer_email,
            Payment.key,
        )
        .join(
            Payment,
            JOIN.LEFT_OUTER,
            on=((Payment.order == Invoice.order) & (Payment.state == PaymentState.SUCCEEDED)),
        )
        .join_from(Invoice, Order)
        .join_from(Payment, Dispute, JOIN.LEFT_OUTER)
        .where(
            # Chosen first: without statistics PostgreSQL would join every document with every payment.
            Invoice.id
            << _shown.select(_shown.id)
            .where(_shown.workspace == Parameter("workspace"), _shown.id < Parameter("before"))
            .order_by(_shown.id.desc())
            .limit(Parameter("size"))
        )
        .order_by(Invoice.id.desc())
        .tuples()
    )
)


def invoice_of(order: Order) -> Invoice | None:
    """The order's own invoice that stands, once it is paid; never its credit note."""
    return Invoice.get_or_none(Invoice.order == order, Invoice.is_current())


def credit_notes_of(invoice: Invoice) -> list[Invoice]:
    """For the whole of it, or for parts, in the order of issue."""
    return list(Invoice.select().where(Invoice.credits == invoice).order_by(Invoice.id))


def find_invoice(workspace: Workspace, number: str) -> Invoice | None:
    """The workspace's document with its order; another workspace's is None."""
    return (
        Invoice.select(Invoice, Order)
        .join(Order)
        .where(Invoice.workspace == workspace, Invoice.number == number)
        .first()
    )


def disputed_on(invoice: Invoice, workspace: Workspace) -> date | None:
    """The workspace's day on which the payment of the invoice was disputed. One query."""
    dispute = Dispute.select().join(Payment).where(Payment.order == invoice.order_id).first()
    return workspace.day(dispute.opened_at) if dispute is not None else None
