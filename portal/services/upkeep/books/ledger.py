"""The ledger says what the documents, payments and refunds say, and covers nothing twice.

Each entry is compared with its cause, so that every balance is what those give: credit notes and payments
less invoices and refunds. A sum alone would not see two faults that cancel each other out.
"""

from typing import Any

from peewee import JOIN, Case, fn

from portal.domain.vocabulary import BalanceEntryKind, DocumentKind, PaidWith, PaymentState, RefundState
from portal.models import Allocation, BalanceEntry, Invoice, Order, Payment, Refund

from .money import PAID_ONCE
from .reading import Queries, counted


@counted
def every_document_and_payment_has_its_entry() -> Queries:
    """And every refund; but for payments from the balance, which moved no money.

    The other way round is asked of each entry.
    """
    return (
        _without_entry(Invoice, BalanceEntry.invoice),
        _without_entry(Payment, BalanceEntry.payment).where(
            Payment.state == PaymentState.SUCCEEDED, Payment.method_kind != PaidWith.BALANCE
        ),
        _without_entry(Refund, BalanceEntry.refund).where(Refund.state == RefundState.SUCCEEDED),
    )


@counted
def entries_repeat_their_cause() -> Queries:
    """Workspace, currency, amount with its sign; a document's kind and moment; money that really moved."""
    is_another_document = (BalanceEntry.kind != Invoice.kind) | (BalanceEntry.made_at != Invoice.issued_at)
    return (
        _unlike(Invoice, BalanceEntry.invoice, Invoice.total_minor, or_else=is_another_document),
        _unlike(
            Payment,
            BalanceEntry.payment,
            Payment.amount_minor,
            or_else=(Payment.state != PaymentState.SUCCEEDED) | (Payment.method_kind == PaidWith.BALANCE),
        ),
        _unlike(
            Refund, BalanceEntry.refund, Refund.amount_minor, or_else=Refund.state != RefundState.SUCCEEDED
        ),
    )


@counted
def allocations_cover_no_more_than_both_sides() -> Queries:
    """No entry gives more than it has, nothing gets more than it is, and both are of one workspace."""
    given = _sums(Allocation.entry)
    of_entries = (
        BalanceEntry.select(BalanceEntry.id)
        .join(given, on=(given.c.owner_id == BalanceEntry.id))
        # What takes has a negative amount: whatever it gives is too much.
        .where(given.c.amount > BalanceEntry.amount_minor)
    )
    return (
        of_entries,
        _allocated_beside(Invoice).where(Invoice.kind != DocumentKind.INVOICE),
        *(_allocated_beside(model).where(_is_of_another(model)) for model in (Invoice, Refund)),
        _covered(Invoice, Allocation.invoice, lambda sums: sums > Invoice.total_minor),
        _covered(Refund, Allocation.refund, lambda sums: sums > Refund.amount_minor),
    )


@counted
def paid_invoices_are_allocated_in_full() -> Queries:
    """Those of orders that were paid, paid back since or not: a credit note takes no allocation away."""
    return (
        _covered(Invoice, Allocation.invoice, lambda sums: sums < Invoice.total_minor)
        .join_from(Invoice, Order)
        .where(Invoice.kind == DocumentKind.INVOICE, Order.state << PAID_ONCE)
    )


@counted
def refunds_are_allocated_in_full() -> Queries:
    """Nothing was sent back that had not been kept."""
    return _covered(Refund, Allocation.refund, lambda sums: sums < Refund.amount_minor).where(
        Refund.state == RefundState.SUCCEEDED
    )


def _without_entry(model: Any, cause: Any) -> Any:
    entries = model.select(model.id).join(BalanceEntry, JOIN.LEFT_OUTER, on=(cause == model.id))
    return entries.where(BalanceEntry.id.is_null())


def _unlike(model: Any, cause: Any, amount: Any, *, or_else: Any) -> Any:
    takes = BalanceEntry.kind << (BalanceEntryKind.INVOICE, BalanceEntryKind.REFUND)
    signed = Case(None, [(takes, amount * -1)], amount)
    return (
        BalanceEntry.select(BalanceEntry.id)
        .join(model, on=(cause == model.id))
        .where(_is_of_another(model) | (BalanceEntry.amount_minor != signed) | or_else)
    )


def _is_of_another(model: Any) -> Any:
    return (BalanceEntry.workspace != model.workspace) | (BalanceEntry.currency != model.currency)


def _allocated_beside(model: Any) -> Any:
    return Allocation.select(Allocation.id).join_from(Allocation, BalanceEntry).join_from(Allocation, model)


def _sums(owner: Any) -> Any:
    """What is allocated from or to each owner."""
    return (
        Allocation.select(owner.alias("owner_id"), fn.SUM(Allocation.amount_minor).alias("amount"))
        .where(owner.is_null(False))
        .group_by(owner)
        .alias("sums")
    )


def _covered(model: Any, owner: Any, breaks: Any) -> Any:
    """Rows of the model of whose allocated sum `breaks` is true; nothing allocated is a sum of 0."""
    sums = _sums(owner)
    joined = model.select(model.id).join(sums, JOIN.LEFT_OUTER, on=(sums.c.owner_id == model.id))
    return joined.where(breaks(fn.COALESCE(sums.c.amount, 0)))
