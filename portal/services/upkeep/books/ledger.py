"""The ledger says what the documents, payments and refunds say, and covers nothing twice.

Each entry is compared with its cause, so that every balance is what those give: credit notes, payments and
transfers and credits less invoices, refunds, withdrawals and transfers that the bank took back. A sum alone
would not see two faults that cancel each other out.
"""

from typing import Any

from peewee import JOIN, Case, fn

from portal.domain.vocabulary import (
    BalanceEntryKind,
    DocumentKind,
    PaidWith,
    PaymentState,
    RefundState,
    TransferState,
)
from portal.models import Allocation, BalanceEntry, BankTransfer, Credit, Invoice, Order, Payment, Refund

from .money import PAID_ONCE
from .reading import Queries, counted

GIVEN_TO_SOMEBODY = (TransferState.MATCHED, TransferState.RETURNED)
IS_CAUSE = BalanceEntry.transfer == BankTransfer.id
IS_RETURN = BalanceEntry.kind == BalanceEntryKind.TRANSFER_RETURN


@counted
def every_document_and_payment_has_its_entry() -> Queries:
    """And every refund, transfer and credit; but for payments from the balance, which moved no money.

    The other way round is asked of each entry.
    """
    return (
        _without_entry(Invoice, BalanceEntry.invoice),
        _without_entry(Payment, BalanceEntry.payment).where(
            Payment.state == PaymentState.SUCCEEDED, Payment.method_kind != PaidWith.BALANCE
        ),
        _without_entry(Refund, BalanceEntry.refund).where(Refund.state == RefundState.SUCCEEDED),
        BankTransfer.select(BankTransfer.id)
        .join(
            BalanceEntry,
            JOIN.LEFT_OUTER,
            on=IS_CAUSE & (BalanceEntry.workspace == BankTransfer.workspace),
        )
        .where(
            BankTransfer.state << GIVEN_TO_SOMEBODY,
            BankTransfer.workspace.is_null(False),
            BalanceEntry.id.is_null(),
        ),
        _without_entry(Credit, BalanceEntry.credit),
    )


@counted
def entries_repeat_their_cause() -> Queries:
    """Workspace, currency, signed amount; kind and moment of documents and credits; money that moved."""
    is_given = BalanceEntry.kind == BalanceEntryKind.CREDIT
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
        _unlike(
            BankTransfer,
            BalanceEntry.transfer,
            BankTransfer.amount_minor,
            or_else=BankTransfer.is_debit & ~IS_RETURN,
            wherever=True,
        ),
        *_transfers_are_where_they_are(),
        _unlike(
            Credit,
            BalanceEntry.credit,
            Credit.amount_minor,
            or_else=(BalanceEntry.made_at != Credit.made_at)
            | (is_given & Credit.takes_back.is_null(False))
            | (~is_given & Credit.takes_back.is_null()),
        ),
    )


def _transfers_are_where_they_are() -> tuple[Any, Any]:
    """A transfer that is somebody's is in the ledger of that workspace once, and in none that it was taken
    from: what gave it there and what took it are the same amount.
    """
    signed = Case(None, [(BankTransfer.is_debit, BankTransfer.amount_minor * -1)], BankTransfer.amount_minor)
    is_there = (BankTransfer.workspace == BalanceEntry.workspace) & BankTransfer.state.in_(GIVEN_TO_SOMEBODY)
    by_place = (
        BalanceEntry.select(BalanceEntry.transfer)
        .join(BankTransfer, on=IS_CAUSE)
        .group_by(BalanceEntry.transfer, BalanceEntry.workspace, BankTransfer.id)
        .having(fn.SUM(BalanceEntry.amount_minor) != Case(None, [(is_there, signed)], 0))
    )
    later = BalanceEntry.alias()
    # What takes it away comes after what gave it.
    taken_first = (
        BalanceEntry.select(BalanceEntry.id)
        .join(BankTransfer, on=IS_CAUSE)
        .where(
            IS_RETURN,
            ~BankTransfer.is_debit,
            ~fn.EXISTS(
                later.select(later.id).where(
                    later.transfer == BalanceEntry.transfer,
                    later.workspace == BalanceEntry.workspace,
                    later.id < BalanceEntry.id,
                )
            ),
        )
    )
    return by_place, taken_first


@counted
def balances_follow_from_their_entries() -> Queries:
    """What each entry says of the balance after it is the sum of all up to it."""
    own = BalanceEntry.alias()
    after = fn.SUM(own.amount_minor).over(partition_by=[own.workspace, own.currency], order_by=[own.id])
    sums = own.select(own.id, after.alias("minor")).alias("sums")
    return (
        BalanceEntry.select(BalanceEntry.id)
        .join(sums, on=(sums.c.id == BalanceEntry.id))
        .where(sums.c.minor != BalanceEntry.after_minor)
    )


@counted
def allocations_cover_no_more_than_both_sides() -> Queries:
    """No entry gives more than it has, nothing gets more than it is, and both are of one workspace."""
    given = _sums(Allocation.entry)
    of_entries = (
        BalanceEntry.select(BalanceEntry.id)
        .join(given, on=(given.c.owner_id == BalanceEntry.id))
        # What takes has a negative amount: whatever it gives is too much. What takes back uncovers so much.
        .where(
            (~IS_RETURN & (given.c.amount > BalanceEntry.amount_minor))
            | (IS_RETURN & (given.c.amount < BalanceEntry.amount_minor))
        )
    )
    return (
        of_entries,
        # What had covered an invoice that was replaced stands against it with the other sign.
        Allocation.select(Allocation.id)
        .join_from(Allocation, BalanceEntry)
        .join_from(Allocation, Invoice, JOIN.LEFT_OUTER, on=Allocation.invoice)
        .where((Allocation.amount_minor < 0) != IS_RETURN, Invoice.replaced_by.is_null()),
        _allocated_beside(Invoice, Allocation.invoice).where(Invoice.kind != DocumentKind.INVOICE),
        *(
            _allocated_beside(model, cause).where(_is_of_another(model))
            for model, cause in (
                (Invoice, Allocation.invoice),
                (Refund, Allocation.refund),
                (Credit, Allocation.withdrawal),
            )
        ),
        _allocated_beside(BankTransfer, Allocation.transfer).where(
            (BalanceEntry.currency != BankTransfer.currency) | ~_took_it_from_there()
        ),
        _covered(Invoice, Allocation.invoice, lambda sums: sums > Invoice.total_minor),
        _covered(Refund, Allocation.refund, lambda sums: sums > Refund.amount_minor),
        _covered(Credit, Allocation.withdrawal, lambda sums: sums > Credit.amount_minor),
    )


def _took_it_from_there() -> Any:
    """An entry by which the transfer of an allocation took what was kept in the workspace of its entry."""
    took = BalanceEntry.alias()
    return fn.EXISTS(
        took.select(took.id).where(
            took.transfer == BankTransfer.id,
            took.workspace == BalanceEntry.workspace,
            took.kind == BalanceEntryKind.TRANSFER_RETURN,
        )
    )


@counted
def paid_invoices_are_allocated_in_full() -> Queries:
    """Those of orders that were paid, paid back since or not: a credit note takes no allocation away.

    A transfer that the bank took back does: what it had covered may be open again.
    """
    uncovered = (
        Allocation.select(Allocation.invoice)
        .join(BalanceEntry)
        .where(IS_RETURN, Allocation.invoice.is_null(False))
    )
    return (
        _covered(Invoice, Allocation.invoice, lambda sums: sums < Invoice.total_minor)
        .join_from(Invoice, Order)
        .where(Invoice.kind == DocumentKind.INVOICE, Order.state << PAID_ONCE, Invoice.id.not_in(uncovered))
    )


@counted
def refunds_are_allocated_in_full() -> Queries:
    """Nothing was sent back that had not been kept."""
    return _covered(Refund, Allocation.refund, lambda sums: sums < Refund.amount_minor).where(
        Refund.state == RefundState.SUCCEEDED
    )


@counted
def returned_transfers_are_taken_back_in_full() -> Queries:
    """Once, by a transfer of the same amount; and nothing of it covers anything, or is kept, any more."""
    taking, its_transfer, gave = BankTransfer.alias(), BankTransfer.alias(), BalanceEntry.alias()
    uncovered, kept = _sums(Allocation.entry), Allocation.alias()
    # The last one by which it was given: of what it takes back, or of its own where an operator undid that.
    entry_that_gave = gave.select(fn.MAX(gave.id)).where(
        gave.kind == BalanceEntryKind.TRANSFER,
        gave.transfer == fn.COALESCE(its_transfer.takes_back, its_transfer.id),
        gave.id < BalanceEntry.id,
    )
    taken = kept.select(fn.SUM(kept.amount_minor)).where(
        kept.transfer == BalanceEntry.transfer, kept.entry == entry_that_gave
    )
    back = fn.COALESCE(uncovered.c.amount, 0) - fn.COALESCE(taken, 0)
    is_unlike = (
        (BankTransfer.state != TransferState.RETURNED)
        | (taking.state != TransferState.MATCHED)
        | (BankTransfer.amount_minor != taking.amount_minor)
        | (BankTransfer.currency != taking.currency)
        | (fn.COALESCE(BankTransfer.workspace, 0) != fn.COALESCE(taking.workspace, 0))
    )
    pairs = BankTransfer.select(BankTransfer.id)
    return (
        pairs.join(taking, on=(taking.takes_back == BankTransfer.id)).where(is_unlike),
        pairs.join(taking, JOIN.LEFT_OUTER, on=(taking.takes_back == BankTransfer.id)).where(
            BankTransfer.state == TransferState.RETURNED, taking.id.is_null()
        ),
        BalanceEntry.select(BalanceEntry.id)
        .join(uncovered, JOIN.LEFT_OUTER, on=(uncovered.c.owner_id == BalanceEntry.id))
        .join_from(BalanceEntry, its_transfer, on=(BalanceEntry.transfer == its_transfer.id))
        .where(IS_RETURN, back != BalanceEntry.amount_minor),
    )


@counted
def withdrawals_take_back_their_own_credit() -> Queries:
    """All that each takes is of the credit that it names, so that no credit is taken back beyond itself."""
    return (
        _covered(Credit, Allocation.withdrawal, lambda sums: sums < Credit.amount_minor).where(
            Credit.takes_back.is_null(False)
        ),
        _allocated_beside(Credit, Allocation.withdrawal).where(
            BalanceEntry.credit.is_null() | (BalanceEntry.credit != Credit.takes_back)
        ),
        Credit.select(Credit.id)
        .join(_given, on=(Credit.takes_back == _given.id))
        .where(
            (_given.workspace != Credit.workspace)
            | (_given.currency != Credit.currency)
            | _given.takes_back.is_null(False)
        ),
    )


_given = Credit.alias()


def _without_entry(model: Any, cause: Any) -> Any:
    entries = model.select(model.id).join(BalanceEntry, JOIN.LEFT_OUTER, on=(cause == model.id))
    return entries.where(BalanceEntry.id.is_null())


def _unlike(model: Any, cause: Any, amount: Any, *, or_else: Any, wherever: bool = False) -> Any:
    """`wherever`: it may be another workspace's by now."""
    takes = BalanceEntry.kind << (
        BalanceEntryKind.INVOICE,
        BalanceEntryKind.REFUND,
        BalanceEntryKind.WITHDRAWAL,
        BalanceEntryKind.TRANSFER_RETURN,
    )
    signed = Case(None, [(takes, amount * -1)], amount)
    return (
        BalanceEntry.select(BalanceEntry.id)
        .join(model, on=(cause == model.id))
        .where(
            (BalanceEntry.currency != model.currency if wherever else _is_of_another(model))
            | (BalanceEntry.amount_minor != signed)
            | or_else
        )
    )


def _is_of_another(model: Any) -> Any:
    return (BalanceEntry.workspace != model.workspace) | (BalanceEntry.currency != model.currency)


def _allocated_beside(model: Any, cause: Any) -> Any:
    allocated = Allocation.select(Allocation.id).join_from(Allocation, BalanceEntry)
    return allocated.join_from(Allocation, model, on=(cause == model.id))


def _sums(owner: Any) -> Any:
    """What is allocated from or to each owner."""
    return (
        Allocation.select(owner.alias("owner_id"), fn.SUM(Allocation.amount_minor).alias("amount"))
        .where(owner.is_null(False))
        .group_by(owner)
        .alias(f"sums_of_{owner.name}")
    )


def _covered(model: Any, owner: Any, breaks: Any) -> Any:
    """Rows of the model of whose allocated sum `breaks` is true; nothing allocated is a sum of 0."""
    sums = _sums(owner)
    joined = model.select(model.id).join(sums, JOIN.LEFT_OUTER, on=(sums.c.owner_id == model.id))
    return joined.where(breaks(fn.COALESCE(sums.c.amount, 0)))
