"""What the matching of transfers has to know: read for many of them at once."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

from peewee import JOIN

from portal.database import rows
from portal.domain.bank_files.lines import BankLine
from portal.domain.money import Money
from portal.domain.transfer_matching import EarlierTransfer, Known, KnownInvoice, Named
from portal.domain.vocabulary import TransferState
from portal.models import BankTransfer, Invoice, Workspace
from portal.services import ledger


def line_of(transfer: BankTransfer) -> BankLine:
    """As the bank told it."""
    return BankLine(
        amount=transfer.amount,
        is_debit=transfer.is_debit,
        booked_on=transfer.booked_on,
        bank_reference=transfer.bank_reference,
        part=transfer.part,
        payer_name=transfer.payer_name,
        payer_iban=transfer.payer_iban,
        end_to_end_id=transfer.end_to_end_id,
        reference=transfer.reference,
        texts=tuple(transfer.texts),
        is_batch=transfer.is_batch,
        goes_back=transfer.goes_back,
    )


def known_invoices(named: Iterable[Named]) -> dict[str, KnownInvoice]:
    """Those of all the numbers that exist, by number; of one that was replaced, the one that stands now.

    Two queries for each 500 numbers.
    """
    numbers = sorted({number for each in named for number in each.all_invoices})
    newer = {old: new for part in rows.chunks(numbers) for old, new in _replaced(part)}
    wanted = sorted({*numbers, *newer.values()})
    found = {each.number: each for part in rows.chunks(wanted) for each in _invoices(Invoice.number << part)}
    return found | {old: found[new] for old, new in newer.items()}


def _replaced(numbers: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Those of the numbers whose invoice was replaced, with the number of the one that stands. One query."""
    standing = Invoice.alias()
    query = (
        Invoice.select(Invoice.number, standing.number)
        .join(standing, on=((standing.order == Invoice.order) & Invoice.is_current(standing)))
        .where(Invoice.number << list(numbers), Invoice.replaced_by.is_null(False))
        .tuples()
    )
    return cast("Iterable[tuple[str, str]]", query)


def known_beside(line: BankLine, named: Named, invoices: dict[str, KnownInvoice], beside: "Beside") -> Known:
    """What is known for one of the lines that `beside` was read for."""
    paid_from = beside.paid_from.get(line.payer_iban, frozenset()) if line.payer_iban else frozenset()
    customers = frozenset(
        beside.customers[number] for number in named.customers if number in beside.customers
    )
    return Known(
        invoices=invoices,
        paid_from=paid_from,
        customers=customers,
        still_open=[each for key in sorted(paid_from | customers) for each in beside.still_open.get(key, ())],
    )


class Beside:
    """Who paid before from which account, which customers are named, and what is open of either.

    Four queries for all of the lines.
    """

    def __init__(self, lines: Sequence[BankLine], named: Sequence[Named]) -> None:
        self.paid_from = _paid_from({line.payer_iban for line in lines} - {""})
        self.customers = _customers({number for each in named for number in each.customers})
        workspaces = {each for payers in self.paid_from.values() for each in payers}
        self.still_open = _still_open(workspaces | {*self.customers.values()}, lines)


def _paid_from(ibans: Collection[str]) -> dict[str, frozenset[int]]:
    """The workspaces that each account has paid for, those that are gone left out."""
    found: dict[str, set[int]] = {}
    for part in rows.chunks(sorted(ibans)):
        query = (
            BankTransfer.select(BankTransfer.payer_iban, BankTransfer.workspace)
            .join(Workspace)
            .where(
                BankTransfer.payer_iban << part,
                BankTransfer.state == TransferState.MATCHED,
                ~BankTransfer.is_debit,
                Workspace.deleted_at.is_null(),
            )
            .distinct()
            .tuples()
        )
        for iban, workspace in cast("Iterable[tuple[str, int]]", query):
            found.setdefault(iban, set()).add(workspace)
    return {iban: frozenset(workspaces) for iban, workspaces in found.items()}


def _customers(numbers: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in rows.chunks(sorted(numbers)):
        query = Workspace.select(Workspace.customer_number, Workspace.id).where(
            Workspace.customer_number << part, Workspace.deleted_at.is_null()
        )
        found |= dict(cast("Iterable[tuple[str, int]]", query.tuples()))
    return found


def _still_open(workspaces: Collection[int], lines: Sequence[BankLine]) -> dict[int, list[KnownInvoice]]:
    """What is open of each workspace, the oldest first, of the amounts of these lines alone."""
    amounts = sorted({line.amount.minor for line in lines})
    found: dict[int, list[KnownInvoice]] = {}
    for part in rows.chunks(sorted(workspaces)):
        for each in _invoices(rows.one_of(Invoice.workspace, part), open_minor=amounts):
            found.setdefault(each.workspace, []).append(each)
    return found


def _invoices(which: Any, *, open_minor: Sequence[int] | None = None) -> list[KnownInvoice]:
    """With what is open of them, the oldest first; those alone of which so much is open. One query.

    Without those that were replaced.
    """
    left = Invoice.total_minor - ledger.sum_covered(Invoice)
    query = (
        Invoice.select(
            Invoice.id,
            Invoice.number,
            Invoice.workspace,
            Workspace.customer_number,
            left,
            Invoice.currency,
            Workspace.deleted_at,
        )
        .join_from(Invoice, Workspace)
        .where(which, Invoice.is_current())
        .order_by(Invoice.id)
    )
    if open_minor is not None:
        query = query.where(left << list(open_minor))
    return [
        KnownInvoice(
            id=invoice_id,
            number=number,
            workspace=workspace,
            customer_number=customer_number,
            open=Money(int(still_open), currency),
            is_deleted=deleted_at is not None,
        )
        for invoice_id, number, workspace, customer_number, still_open, currency, deleted_at in cast(
            "Any", query.tuples()
        )
    ]


def earlier_transfers(taking: BankTransfer, *, most: int = 100) -> list[BankTransfer]:
    """The credits of the same amount that nobody has taken back, the newest first. One query."""
    return list(
        BankTransfer.select(BankTransfer, Workspace)
        .join(Workspace, JOIN.LEFT_OUTER)
        .where(
            BankTransfer.amount_minor == taking.amount_minor,
            BankTransfer.currency == taking.currency,
            BankTransfer.account == taking.account,
            ~BankTransfer.is_debit,
            BankTransfer.state != TransferState.RETURNED,
            BankTransfer.booked_on <= taking.booked_on,
        )
        .order_by(BankTransfer.booked_on.desc(), BankTransfer.id.desc())
        .limit(most)
    )


def as_earlier(transfer: BankTransfer) -> EarlierTransfer:
    return EarlierTransfer(
        id=transfer.id,
        booked_on=transfer.booked_on,
        bank_reference=transfer.bank_reference,
        end_to_end_id=transfer.end_to_end_id,
        reference=transfer.reference,
        payer_iban=transfer.payer_iban,
        texts=tuple(transfer.texts),
    )
