"""The ledger: what every issued document and every moved amount did to the balance of its workspace.

Append-only: nothing here changes or deletes a row, and nobody else writes one. An entry is written with its
cause, in the same transaction; how far an invoice is paid, and the balance, are reckoned from the rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from peewee import JOIN, SQL, ModelSelect, fn

from portal.database import rows
from portal.database.connecting import postpone, require_transaction, write_postponed
from portal.database.prepared import Parameter, Parameters, Prepared
from portal.domain import ledger
from portal.domain.ledger import Part, Share
from portal.domain.money import Money, total
from portal.domain.pricing import Quote
from portal.domain.vocabulary import BalanceEntryKind, DocumentKind, InvoiceStatus
from portal.models import (
    Allocation,
    BalanceEntry,
    BankTransfer,
    Credit,
    Invoice,
    Order,
    Payment,
    Price,
    Refund,
    Workspace,
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A new entry, and the invoices that it covers as far as they are open, in this order.

    `sends_back` a refund: the money is the credit note's, beside it only that of the refunded payment.
    `takes_back` a transfer: its money is gone from wherever it was. `withdraws` is what an operator takes of
    the credit that it names.
    """

    entry: BalanceEntry
    covers: Sequence[Invoice] = ()
    sends_back: tuple[Refund, Invoice | None] | None = None
    takes_back: BankTransfer | None = None
    withdraws: Credit | None = None


# --- writing --------------------------------------------------------------------------------------


def record_document(document: Invoice) -> None:
    """An invoice takes, a credit note gives: first to the invoice that it credits, where that is open.

    Inside the transaction that issues it. The entry has no id before the commit.
    """
    covers = [document.credits] if document.credits is not None else []
    kind = BalanceEntryKind(document.kind)
    _record(kind, document, document.total, covers=covers, made_at=document.issued_at, invoice=document)


def record_payment(payment: Payment, invoice: Invoice, *, now: datetime) -> None:
    """What arrived covers `invoice` as far as it is open; more than that is kept for the workspace.

    Inside the transaction that marks it succeeded.
    """
    _record(BalanceEntryKind.PAYMENT, payment, payment.amount, covers=[invoice], made_at=now, payment=payment)


def record_transfer(transfer: BankTransfer, *, covers: Sequence[Invoice], now: datetime) -> None:
    """What came by bank transfer covers these invoices in their order, as far as they are open.

    More than that is kept for its workspace, whose they are. Inside the transaction that marks it matched,
    in the workspace's lock.
    """
    kind = BalanceEntryKind.TRANSFER
    _record(kind, transfer, transfer.amount, covers=covers, made_at=now, transfer=transfer)


def record_transfer_return(taking: BankTransfer, *, taken: BankTransfer, now: datetime) -> None:
    """The bank took `taken` back by `taking`: what it covered is open again, and nothing of it is kept.

    What else is kept then covers what is open. Inside the transaction that marks both, in the workspace's
    lock. The two are of one amount.
    """
    kind = BalanceEntryKind.TRANSFER_RETURN
    _record(kind, taking, taking.amount, takes_back=taken, made_at=now, transfer=taking)


def record_match_undone(transfer: BankTransfer, *, now: datetime) -> None:
    """An operator takes the transfer from its workspace: as if the bank took it back, by itself.

    Inside the transaction that makes it nobody's, before it does, in the workspace's lock.
    """
    kind = BalanceEntryKind.TRANSFER_RETURN
    _record(kind, transfer, transfer.amount, takes_back=transfer, made_at=now, transfer=transfer)


def record_refund(refund: Refund, *, credit_note: Invoice | None, now: datetime) -> None:
    """What is sent back is no longer kept: it is the money of the credit note, then of the payment.

    Inside the transaction that marks it succeeded.
    """
    _record(
        BalanceEntryKind.REFUND,
        refund,
        refund.amount,
        sends_back=(refund, credit_note),
        made_at=now,
        refund=refund,
    )


def record_credit(credit: Credit) -> None:
    """What an operator gives is kept for the workspace; what they take back is no longer.

    Inside the transaction that writes it, which holds the workspace's lock and saw that so much is left.
    """
    if credit.takes_back_id is None:
        _record(BalanceEntryKind.CREDIT, credit, credit.amount, made_at=credit.made_at, credit=credit)
        return
    _record(
        BalanceEntryKind.WITHDRAWAL,
        credit,
        credit.amount,
        withdraws=credit,
        made_at=credit.made_at,
        credit=credit,
    )


def cover_open_invoices(workspace: Workspace, currency: str) -> dict[int, Money]:
    """Let what is kept in `currency` beside placed orders cover what is open, the oldest due first.

    Of each invoice that it covers, by id and in this order, how much. Inside the workspace's lock, after the
    documents and payments of the act were recorded.
    """
    require_transaction()
    write_postponed()
    shares = _shares_of_open(workspace, currency, new=[])
    rows.insert_all([_of_invoice(share.source, share.target, share.amount) for share in shares])
    return _sums_by_target(shares)


def would_cover(workspace: Workspace, amount: Money) -> dict[int, Money]:
    """As `cover_open_invoices`, if so much more were kept. Four queries at most."""
    return _sums_by_target(_shares_of_open(workspace, amount.currency, new=[Part(0, amount)]))


def _shares_of_open(workspace: Workspace, currency: str, *, new: Sequence[Part]) -> list[Share]:
    debts = open_parts(workspace, currency)
    if not debts:
        return []
    reserved = _reserved(workspace, currency)
    kept = [*_kept_parts(workspace.id, currency), *new]
    return ledger.allocate(ledger.beside_reserved(kept, reserved), debts)


def _sums_by_target(shares: Iterable[Share]) -> dict[int, Money]:
    sums: dict[int, Money] = {}
    for share in shares:
        sums[share.target] = sums.get(share.target, Money.zero(share.amount.currency)) + share.amount
    return sums


def cover_from_balance(invoice: Invoice, amount: Money) -> None:
    """Let so much of what is kept for its workspace cover the invoice, and nothing else that is open.

    What its quote promised: an older invoice that is open stays so, and other orders count on the rest.
    Inside the workspace's lock, after the documents and payments of the act were recorded.
    """
    require_transaction()
    write_postponed()
    shares = ledger.allocate(_kept_parts(invoice.workspace_id, invoice.currency), [Part(invoice.id, amount)])
    rows.insert_all([_of_invoice(share.source, share.target, share.amount) for share in shares])


def hand_over(invoice: Invoice, *, to: Invoice, credit_note: Invoice) -> None:
    """Whatever had covered the invoice covers the one that replaces it, and the credit note all of this one.

    Each amount stands against the old one with the other sign, so that a refund, a bank or an operator that
    takes money back finds what it covers now. In the correction's transaction, after both were recorded.
    """
    require_transaction()
    write_postponed()
    credited = BalanceEntry.get(BalanceEntry.invoice == credit_note)
    freed, moved = Money.zero(invoice.currency), []
    for entry_id, amount in _covering_now(invoice):
        if entry_id != credited.id:
            freed += amount
            moved += [_of_invoice(entry_id, invoice.id, -amount), _of_invoice(entry_id, to.id, amount)]
    if freed.minor:
        moved.append(_of_invoice(credited.id, invoice.id, freed))
    rows.insert_all(moved)


def _covering_now(invoice: Invoice) -> list[tuple[int, Money]]:
    """The entries by which the invoice is covered or was uncovered, with their sums. One query."""
    amount = fn.SUM(Allocation.amount_minor)
    found = (
        Allocation.select(Allocation.entry, amount)
        .where(Allocation.invoice == invoice)
        .group_by(Allocation.entry)
        .having(amount != 0)
        .order_by(Allocation.entry)
        .tuples()
    )
    return [
        (entry_id, Money(int(minor), invoice.currency))
        for entry_id, minor in cast("Iterable[tuple[int, int]]", found)
    ]


def _kept_parts(workspace_id: int, currency: str) -> list[Part]:
    """What is left of each entry that gives, the oldest first. One query."""
    of_these = (BalanceEntry.workspace == workspace_id) & (BalanceEntry.currency == currency)
    return [Part(entry.id, left) for entry, left in _left_of(of_these)]


def _record(
    kind: BalanceEntryKind,
    cause: Invoice | Payment | Refund | Credit | BankTransfer,
    amount: Money,
    *,
    covers: Sequence[Invoice] = (),
    sends_back: tuple[Refund, Invoice | None] | None = None,
    takes_back: BankTransfer | None = None,
    withdraws: Credit | None = None,
    made_at: datetime,
    **cause_column: Any,
) -> None:
    require_transaction()
    entry = BalanceEntry(
        workspace=cause.workspace_id,
        currency=amount.currency,
        amount_minor=ledger.signed(kind, amount).minor,
        kind=kind,
        made_at=made_at,
        **cause_column,
    )
    postpone(
        _write,
        Recorded(entry, covers=covers, sends_back=sends_back, takes_back=takes_back, withdraws=withdraws),
    )


def _write(recorded: list[Recorded]) -> None:
    """Every entry of a transaction in one statement, and then what covers what.

    Each with the balance after it: the locks of their workspaces let nobody else write one between.
    """
    ids = rows.take_ids(BalanceEntry, len(recorded))
    balances = _newest_balances({(each.entry.workspace_id, each.entry.currency) for each in recorded})
    for each, entry_id in zip(recorded, ids, strict=True):
        entry = each.entry
        whose = entry.workspace_id, entry.currency
        entry.after_minor = balances[whose] = balances.get(whose, 0) + entry.amount_minor
        entry.id = entry_id
    rows.insert_all([each.entry for each in recorded])
    rows.insert_all(list(_covering(recorded)))
    for each in recorded:
        if each.sends_back is not None:
            rows.insert_all(list(_sent_back(*each.sends_back)))
        if each.takes_back is not None:
            rows.insert_all(list(_transfer_taken_back(each.entry, each.takes_back)))
        if each.withdraws is not None:
            rows.insert_all([_withdrawn(each.withdraws)])


def _newest_balances(whose: set[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """In minor units, of these workspaces and currencies; none where is no entry. A query a currency."""
    found: dict[tuple[int, str], int] = {}
    for currency in {currency for _workspace, currency in whose}:
        workspaces = [workspace for workspace, its in whose if its == currency]
        for workspace, minor in _newest_of_each.rows(workspaces=workspaces, currency=currency):
            found[workspace, currency] = minor
    return found


def _newest_of_each_query() -> "ModelSelect[BalanceEntry]":
    """For each workspace one look at the index, however many entries it has."""
    other = BalanceEntry.alias()
    newest = other.select(fn.MAX(other.id)).where(
        other.workspace == Workspace.id, other.currency == Parameter("currency")
    )
    return (
        BalanceEntry.select(BalanceEntry.workspace, BalanceEntry.after_minor)
        .where(BalanceEntry.id << Workspace.select(newest).where(Workspace.id << Parameters("workspaces")))
        .tuples()
    )


_newest_of_each = Prepared(_newest_of_each_query)


def _covering(recorded: Sequence[Recorded]) -> Iterator[Allocation]:
    """What is covered by what gives; nothing covers yet what was issued in this transaction."""
    new = {each.entry.invoice_id for each in recorded}
    named = [invoice for each in recorded for invoice in each.covers]
    known = {invoice.id: invoice for invoice in named if invoice.id not in new}
    covered = covered_of(known.values()) if known else {}
    for each in recorded:
        left = each.entry.amount
        for invoice in each.covers:
            before = covered.get(invoice.id, Money.zero(invoice.currency))
            amount = min(left, invoice.total - before)
            covered[invoice.id] = before + amount
            if amount.minor > 0:
                left -= amount
                yield _of_invoice(each.entry.id, invoice.id, amount)


def _sent_back(refund: Refund, credit_note: Invoice | None) -> Iterator[Allocation]:
    gives = BalanceEntry.payment == refund.payment_id
    if credit_note is not None:
        gives |= BalanceEntry.invoice == credit_note
    # A credit note is written when money goes back: what the payment has left was never invoiced.
    kept = sorted(_left_of(gives), key=lambda each: each[0].kind != BalanceEntryKind.CREDIT_NOTE)
    for share in ledger.allocate(
        [Part(entry.id, left) for entry, left in kept], [Part(refund.id, refund.amount)]
    ):
        yield _allocation(share.source, share.amount, refund=share.target)


def _transfer_taken_back(entry: BalanceEntry, taken: BankTransfer) -> Iterator[Allocation]:
    """Of each invoice what `taken` covered of it, and of `taken` what was kept."""
    gave = _giving_entry(taken)
    used = Money.zero(entry.currency)
    total_minor = fn.SUM(Allocation.amount_minor)
    covering = (
        Allocation.select(Allocation.invoice, total_minor)
        .where(Allocation.entry == gave)
        .group_by(Allocation.invoice)
        # Of an invoice that was replaced nothing is left.
        .having(total_minor != 0)
        .order_by(Allocation.invoice)
    )
    for invoice_id, minor in cast("Iterable[tuple[int, int]]", covering.tuples()):
        amount = Money(int(minor), entry.currency)
        used += amount
        yield _of_invoice(entry.id, invoice_id, -amount)
    if (kept := gave.amount - used).minor > 0:
        yield _allocation(gave.id, kept, transfer=entry.transfer_id)


def _giving_entry(transfer: BankTransfer) -> BalanceEntry:
    """The one by which it was given to whoever has it, or had it last. One query."""
    gives = BalanceEntry.kind == BalanceEntryKind.TRANSFER
    of_transfer = BalanceEntry.select().where(BalanceEntry.transfer == transfer, gives)
    return of_transfer.order_by(BalanceEntry.id.desc()).get()


def _withdrawn(withdrawal: Credit) -> Allocation:
    entry = BalanceEntry.get(BalanceEntry.credit == withdrawal.takes_back_id)
    return _allocation(entry.id, withdrawal.amount, withdrawal=withdrawal.id)


def _of_invoice(entry_id: int, invoice_id: int, amount: Money) -> Allocation:
    return _allocation(entry_id, amount, invoice=invoice_id)


def _allocation(entry_id: int, amount: Money, **target: int | None) -> Allocation:
    """Every column is said, as many are inserted at once."""
    targets = {"invoice": None, "refund": None, "withdrawal": None, "transfer": None} | target
    return Allocation(entry=entry_id, amount_minor=amount.minor, **targets)


# --- reading --------------------------------------------------------------------------------------


def balance_of(workspace: Workspace, currency: str) -> Money:
    """More than 0 is kept for the workspace, less is owed. Without what this transaction postponed."""
    return Money(newest_balance(workspace, currency).scalar() or 0, currency)


def balances(workspace: Workspace) -> list[Money]:
    """As `balance_of`, in every currency that there are entries in. One query."""
    sold = _currencies_of(workspace)
    newest = newest_balance(workspace, sold.c.currency)
    query = Price.select(sold.c.currency, newest).from_(sold).order_by(sold.c.currency).tuples()
    found = cast("Iterable[tuple[str, int | None]]", query)
    return [Money(minor, currency) for currency, minor in found if minor is not None]


def kept(workspace: Workspace, currency: str) -> Money:
    """What is kept for the workspace and no placed order counts on; 0 where it owes. One query.

    Whoever relies on it holds the workspace's lock. What this transaction has postponed is written first.
    """
    write_postponed()
    figures = (
        Workspace.select(newest_balance(workspace, currency), sum_reserved(workspace, currency))
        .where(Workspace.id == workspace.id)
        .tuples()
    )
    [(entered, reserved)] = cast("list[tuple[int | None, int | None]]", list(figures))
    return Money(kept_minor(entered, reserved), currency)


def kept_in_each_currency(workspace: Workspace) -> dict[str, Money]:
    """As `kept`, by currency, of those in which something is. One query."""
    found = ((currency, kept_minor(*figures)) for currency, *figures in _kept.rows(workspace=workspace.id))
    return {currency: Money(minor, currency) for currency, minor in found if minor}


def _kept_query() -> "ModelSelect[Price]":
    workspace = Parameter("workspace")
    sold = _currencies_of(workspace)
    newest, reserved = newest_balance(workspace, sold.c.currency), sum_reserved(workspace, sold.c.currency)
    return Price.select(sold.c.currency, newest, reserved).from_(sold).tuples()


_kept = Prepared(_kept_query)


def _currencies_of(workspace: Workspace | Parameter) -> Any:
    """All that its balance may be in: nothing is sold or given in one that no price had, but a transfer may
    come in any."""
    came = BankTransfer.select(BankTransfer.currency).where(BankTransfer.workspace == workspace)
    return Price.select(Price.currency).union(came).alias("sold")


def newest_balance(workspace: Any, currency: Any) -> "ModelSelect[BalanceEntry]":
    """In minor units, as a part of another query; none where there is no entry."""
    return (
        BalanceEntry.select(BalanceEntry.after_minor)
        .where(BalanceEntry.workspace == workspace, BalanceEntry.currency == currency)
        .order_by(BalanceEntry.id.desc())
        .limit(1)
    )


def sum_reserved(workspace: Any, currency: Any) -> "ModelSelect[Order]":
    """Of what is kept, how much placed orders count on; as `newest_balance`."""
    return Order.select(fn.SUM(Order.reserved_minor)).where(
        Order.workspace == workspace,
        Order.currency == currency,
        # In words: SQLite knows its index of these by nothing that is bound.
        Order.state == SQL("'placed'"),
        Order.reserved_minor > SQL("0"),
    )


def _reserved(workspace: Workspace, currency: str) -> Money:
    # PostgreSQL sums to a decimal.
    return Money(int(sum_reserved(workspace, currency).scalar() or 0), currency)


def kept_minor(entered: int | None, reserved: int | None) -> int:
    """As `kept`, of the two figures."""
    return max(int(entered or 0) - int(reserved or 0), 0)


def where_something_is_kept(workspaces: Sequence[int]) -> set[tuple[int, str]]:
    """Those of these ids, with the currency, in whose balance more than 0 is kept. One query for them all.

    Whether placed orders count on it is not asked: `kept` says that of each.
    """
    positive = (
        BalanceEntry.select(BalanceEntry.workspace, BalanceEntry.currency)
        .where(rows.one_of(BalanceEntry.workspace, workspaces))
        .group_by(BalanceEntry.workspace, BalanceEntry.currency)
        .having(fn.SUM(BalanceEntry.amount_minor) > 0)
        .tuples()
    )
    return set(cast("Iterable[tuple[int, str]]", positive))


def beside_balance(quote: Quote, workspace: Workspace) -> Quote:
    """The same, where what is kept for the workspace pays first. As `kept`."""
    return quote.beside_balance(kept(workspace, quote.currency))


def covered_of(invoices: Iterable[Invoice]) -> dict[int, Money]:
    """What is allocated to each invoice, by its id. One query."""
    nothing = {invoice.id: Money.zero(invoice.currency) for invoice in invoices}
    found = _covered.rows(invoices=list(nothing))
    return nothing | {each: Money(int(minor), nothing[each].currency) for each, minor in found}


_covered = Prepared(
    lambda: (
        Allocation.select(Allocation.invoice, fn.SUM(Allocation.amount_minor))
        .where(Allocation.invoice << Parameters("invoices"))
        .group_by(Allocation.invoice)
        .tuples()
    )
)


def sum_covered(invoice: type[Invoice]) -> "ModelSelect[Allocation]":
    """As `covered_of`, of the row of another query that this becomes a part of; in minor units."""
    return Allocation.select(fn.COALESCE(fn.SUM(Allocation.amount_minor), 0)).where(
        Allocation.invoice == invoice.id
    )


@dataclass(frozen=True, slots=True)
class Covering:
    """So much of a transfer covers the invoice of this number."""

    number: str
    amount: Money


def covered_by(transfers: Iterable[BankTransfer]) -> dict[int, list[Covering]]:
    """Which invoices each transfer covered when it came or since, by its id, the oldest first. One query.

    Those that it covered where it was by mistake are left out.
    """
    found: dict[int, list[Covering]] = {}
    undone = BalanceEntry.alias()
    query = (
        Allocation.select(
            BalanceEntry.transfer, Invoice.number, BalanceEntry.currency, fn.SUM(Allocation.amount_minor)
        )
        .join_from(Allocation, BalanceEntry)
        .join_from(Allocation, Invoice, on=Allocation.invoice)
        .where(
            rows.one_of(BalanceEntry.transfer, [each.id for each in transfers]),
            BalanceEntry.kind == BalanceEntryKind.TRANSFER,
            ~fn.EXISTS(
                undone.select(undone.id).where(
                    undone.transfer == BalanceEntry.transfer, undone.id > BalanceEntry.id
                )
            ),
        )
        .group_by(BalanceEntry.transfer, Invoice.id, Invoice.number, BalanceEntry.currency)
        .having(fn.SUM(Allocation.amount_minor) > 0)
        .order_by(Invoice.id)
        .tuples()
    )
    for transfer_id, number, currency, minor in cast("Iterable[tuple[int, str, str, int]]", query):
        found.setdefault(transfer_id, []).append(Covering(number, Money(int(minor), currency)))
    return found


@dataclass(frozen=True, slots=True)
class TransferUse:
    """Where the money of a transfer is: `covers` what was open when it came, by the id of the invoice, the
    oldest due first; `left` covers nothing yet. The rest is `spent` since: on what was bought or invoiced
    later, or sent back, or a placed order counts on it.
    """

    covers: dict[int, Money]
    left: Money
    spent: Money


def use_of(transfer: BankTransfer, workspace: Workspace) -> TransferUse:
    """Of a transfer that `workspace` has, in its lock where somebody relies on it. Four queries."""
    gave, invoiced, first = _giving_entry(transfer), BalanceEntry.alias(), Invoice.alias()
    nothing, total_minor = Money.zero(gave.currency), fn.SUM(Allocation.amount_minor)
    # One that replaces another is as old as the first of its order.
    first_entry = (
        invoiced.select(fn.MIN(invoiced.id))
        .join(first, on=(invoiced.invoice == first.id))
        .where(first.order == Invoice.order, first.kind == DocumentKind.INVOICE)
    )
    query = (
        Allocation.select(Allocation.invoice, Invoice.due_on, first_entry, total_minor)
        .join_from(Allocation, Invoice, JOIN.LEFT_OUTER, on=Allocation.invoice)
        .where(Allocation.entry == gave)
        .group_by(Allocation.invoice, Invoice.due_on, Invoice.order)
        .having(total_minor != 0)
        .order_by(Invoice.due_on, Allocation.invoice)
        .tuples()
    )
    covers, spent, left = {}, nothing, gave.amount
    for invoice_id, due_on, entry_id, minor in cast("Iterable[tuple[Any, ...]]", query):
        amount = Money(int(minor), gave.currency)
        left -= amount
        if due_on is not None and entry_id < gave.id:
            covers[invoice_id] = amount
        else:
            spent += amount
    free = free_beside_orders(workspace, gave.currency)
    return TransferUse(covers, left, spent + max(nothing, left - free))


def free_beside_orders(workspace: Workspace, currency: str) -> Money:
    """What covers nothing yet, whatever is owed, and no placed order counts on. Two queries."""
    kept = total((part.amount for part in _kept_parts(workspace.id, currency)), currency)
    return max(Money.zero(currency), kept - _reserved(workspace, currency))


def paid_by(transfer: BankTransfer) -> list[int]:
    """The ids of the invoices that it covers a part of where it is, the oldest first. Two queries."""
    found = (
        Allocation.select(Allocation.invoice)
        .where(Allocation.entry == _giving_entry(transfer), Allocation.invoice.is_null(False))
        .group_by(Allocation.invoice)
        .having(fn.SUM(Allocation.amount_minor) != 0)
        .order_by(Allocation.invoice)
        .tuples()
    )
    return [invoice_id for (invoice_id,) in cast("Iterable[tuple[int]]", found)]


def entries_covering(invoice: Invoice) -> list[BalanceEntry]:
    """Those that cover a part of it now, in the order in which they were made. One query."""
    found = (
        BalanceEntry.select(BalanceEntry)
        .join(Allocation, on=(Allocation.entry == BalanceEntry.id))
        .where(Allocation.invoice == invoice)
        .group_by(BalanceEntry.id)
        .having(fn.SUM(Allocation.amount_minor) > 0)
        .order_by(BalanceEntry.id)
    )
    return list(cast("Iterable[BalanceEntry]", found))


def status_of(invoice: Invoice) -> InvoiceStatus:
    return ledger.status(invoice.total, covered_of([invoice])[invoice.id])


def entries_of(workspace: Workspace, currency: str) -> list[BalanceEntry]:
    """The oldest first, each with the balance after it. One query."""
    found = (
        BalanceEntry.select()
        .where(BalanceEntry.workspace == workspace, BalanceEntry.currency == currency)
        .order_by(BalanceEntry.id)
    )
    return list(cast("Iterable[BalanceEntry]", found))


def left_of_credits(given_credits: Iterable[Credit]) -> dict[int, Money]:
    """How much of each, by its id, covers nothing yet and was not taken back. One query."""
    given = {credit.id: credit.amount for credit in given_credits}
    used = fn.COALESCE(fn.SUM(Allocation.amount_minor), 0)
    found = (
        BalanceEntry.select(BalanceEntry.credit, used)
        .join(Allocation, JOIN.LEFT_OUTER, on=(Allocation.entry == BalanceEntry.id))
        .where(BalanceEntry.credit << list(given), BalanceEntry.kind == BalanceEntryKind.CREDIT)
        .group_by(BalanceEntry.credit)
        .tuples()
    )
    return {
        credit_id: given[credit_id] - Money(int(minor), given[credit_id].currency)
        for credit_id, minor in cast("Iterable[tuple[int, int]]", found)
    }


@dataclass(frozen=True, slots=True)
class Movement:
    """An entry with what it is about, and the `balance` in its currency after it.

    `document`: the number of the invoice or credit note, of a refund that of its credit note; empty for a
    payment, a credit and a transfer. `order` is the number of their order, which a credit and a transfer have
    none of; `reason` is what an operator said of a credit.
    """

    entry_id: int
    made_at: datetime
    kind: BalanceEntryKind
    document: str
    order: str
    reason: str
    amount: Money
    balance: Money


def movements_of(
    workspace: Workspace, *, at_once: int, after: int = 0, until: int | None = None, currency: str = ""
) -> Iterator[Movement]:
    """In every currency or in one, the oldest first; so many rows in memory at a time.

    Those after the entry whose id is `after`, to that of `until`, included.
    """
    newest = after
    document = fn.COALESCE(BalanceEntry.invoice, Refund.credit_note)
    query = (
        BalanceEntry.select(
            BalanceEntry,
            Invoice.number.alias("document"),
            Order.number.alias("order"),
            Credit.reason.alias("reason"),
        )
        .join_from(BalanceEntry, Payment, JOIN.LEFT_OUTER, on=BalanceEntry.payment)
        .join_from(BalanceEntry, Refund, JOIN.LEFT_OUTER, on=BalanceEntry.refund)
        .join_from(BalanceEntry, Credit, JOIN.LEFT_OUTER, on=BalanceEntry.credit)
        .join_from(BalanceEntry, Invoice, JOIN.LEFT_OUTER, on=(Invoice.id == document))
        .join_from(
            BalanceEntry, Order, JOIN.LEFT_OUTER, on=(Order.id == fn.COALESCE(Invoice.order, Payment.order))
        )
        .where(BalanceEntry.workspace == workspace)
        .order_by(BalanceEntry.id)
        .limit(at_once)
        .objects()
    )
    if until is not None:
        query = query.where(BalanceEntry.id <= until)
    if currency:
        query = query.where(BalanceEntry.currency == currency)
    while True:
        found: list[Any] = list(query.where(BalanceEntry.id > newest))
        for entry in found:
            newest = entry.id
            yield Movement(
                entry_id=entry.id,
                made_at=entry.made_at,
                kind=entry.kind,
                document=entry.document or "",
                order=entry.order or "",
                reason=entry.reason or "",
                amount=entry.amount,
                balance=entry.after,
            )
        if len(found) < at_once:
            return


def open_parts(workspace: Workspace, currency: str) -> list[Part]:
    """What is open of the workspace's invoices, the oldest due first. One query.

    An invoice that was paid at once was due on its day: it is open again where a bank took money back.
    """
    covered = fn.COALESCE(fn.SUM(Allocation.amount_minor), 0)
    found = (
        Invoice.select(Invoice.id, Invoice.total_minor - covered)
        .join(Allocation, JOIN.LEFT_OUTER, on=(Allocation.invoice == Invoice.id))
        .where(
            Invoice.workspace == workspace,
            Invoice.currency == currency,
            Invoice.is_current(),
        )
        .group_by(Invoice.id, Invoice.total_minor, Invoice.due_on, Invoice.issued_on)
        .having(covered < Invoice.total_minor)
        .order_by(fn.COALESCE(Invoice.due_on, Invoice.issued_on), Invoice.id)
        .tuples()
    )
    return [Part(each, Money(int(left), currency)) for each, left in cast("Iterable[tuple[int, int]]", found)]


def _left_of(which: Any) -> list[tuple[BalanceEntry, Money]]:
    """The entries that give and are not used up, the oldest first, with what is left of each. One query."""
    used = fn.COALESCE(fn.SUM(Allocation.amount_minor), 0)
    entries = (
        BalanceEntry.select(BalanceEntry, used.alias("used"))
        .join(Allocation, JOIN.LEFT_OUTER, on=(Allocation.entry == BalanceEntry.id))
        .where(which)
        .group_by(BalanceEntry.id)
        # What takes has a negative amount, and nothing of it is used.
        .having(used < BalanceEntry.amount_minor)
        .order_by(BalanceEntry.id)
        .objects()
    )
    return [(entry, entry.amount - Money(int(entry.used), entry.currency)) for entry in cast("Any", entries)]
