"""Which workspace and invoices a transfer is for: what its texts name, and how sure that is.

Surest first: the reference of an invoice, whose check digits are right; the number of an invoice beside the
number of its customer; both put money into the ledger at once. Less than that is proposed, and an operator
confirms. What fits nothing is parked for somebody to look at: money that came is never lost, and never given
to a workspace by chance.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from .bank_files.lines import BankLine, is_meaningful
from .creditor_reference import (
    compact,
    customer_numbers,
    cut_references,
    invoice_numbers,
    referenced_numbers,
)
from .money import Money
from .vocabulary import TransferReason, TransferState

LONGEST_LOOKED_THROUGH = 2000


@dataclass(frozen=True, slots=True)
class Named:
    """What the texts of a transfer may name, each once, in their order: numbers as documents print them.

    `referenced` stand there with right check digits, `cut` are the invoices that each reference without its
    end can have been; `invoices` and `customers` are plain numbers, of which many may be chance.
    """

    referenced: tuple[str, ...] = ()
    cut: tuple[tuple[str, ...], ...] = ()
    invoices: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()

    @property
    def all_invoices(self) -> set[str]:
        return {*self.referenced, *self.invoices, *(number for each in self.cut for number in each)}


@dataclass(frozen=True, slots=True)
class KnownInvoice:
    """An invoice, and how much of it is `open`. `is_deleted`: its workspace is gone."""

    id: int
    number: str
    workspace: int
    customer_number: str
    open: Money
    is_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What we know beside the transfer. `invoices` by number: those of `Named.all_invoices` that exist.

    `paid_from` are the workspaces that the payer's account has paid for before, `customers` those whose
    number is named; `still_open` holds the open invoices of either, the oldest first.
    """

    invoices: Mapping[str, KnownInvoice] = field(default_factory=dict)
    paid_from: frozenset[int] = frozenset()
    customers: frozenset[int] = frozenset()
    still_open: Sequence[KnownInvoice] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a transfer, and the ids of the invoices that it covers, in this order."""

    state: TransferState
    reason: TransferReason
    workspace: int | None = None
    invoices: tuple[int, ...] = ()


def named_by(line: BankLine) -> Named:
    """Looks through the structured reference, the texts as if they were one, and the payer's own reference.

    Banks cut the texts into lines wherever a line ends, so what they name may go over two of them.
    """
    texts = "".join(line.texts)[:LONGEST_LOOKED_THROUGH]
    plain = [compact(each) for each in (line.reference, texts, line.end_to_end_id)]
    referenced = _once(number for each in plain for number in referenced_numbers(each))
    cut = (found.numbers for each in plain for found in cut_references(each))
    return Named(
        referenced=referenced,
        cut=tuple(dict.fromkeys(numbers for numbers in cut if numbers)),
        invoices=_once(number for each in plain for number in invoice_numbers(each)),
        customers=_once(number for each in plain for number in customer_numbers(each)),
    )


def decide(line: BankLine, named: Named, known: Known) -> Decision:
    """What becomes of money that came. Of a debit, and of what goes back, see `decide_without_invoices`."""
    certain = _found(named.referenced, known)
    if certain:
        return _matched(line, certain, TransferReason.REFERENCE, named, known)
    cut = [_found(numbers, known) for numbers in named.cut]
    if any(len(each) == 1 for each in cut):
        return _of_cut(line, [each[0] for each in cut if len(each) == 1])
    numbered = _found(named.invoices, known)
    with_customer = [each for each in numbered if each.customer_number in named.customers]
    if with_customer:
        return _matched(line, with_customer, TransferReason.NUMBERS, named, known)
    if numbered:
        return _proposed(line, numbered, TransferReason.INVOICE_NUMBER)
    for workspaces, reason in (
        (known.customers, TransferReason.CUSTOMER_AND_AMOUNT),
        (known.paid_from, TransferReason.ACCOUNT_AND_AMOUNT),
    ):
        fitting = [
            each for each in known.still_open if each.workspace in workspaces and each.open == line.amount
        ]
        if len({each.workspace for each in fitting}) == 1:
            return _proposed(line, fitting[:1], reason)
    return Decision(TransferState.PARKED, TransferReason.UNKNOWN)


def decide_without_invoices(line: BankLine) -> Decision | None:
    """What a line is by itself; None for money that came, and for what takes an earlier transfer back."""
    if line.amount.minor == 0:
        return Decision(TransferState.IGNORED, TransferReason.NOTHING)
    if line.is_debit:
        return None if line.goes_back else Decision(TransferState.IGNORED, TransferReason.DEBIT)
    if line.goes_back:
        return Decision(TransferState.PARKED, TransferReason.SENT_BACK_TO_US)
    if line.is_batch:
        return Decision(TransferState.PARKED, TransferReason.BATCH)
    return None


def _matched(
    line: BankLine, found: Sequence[KnownInvoice], reason: TransferReason, named: Named, known: Known
) -> Decision:
    """For those that are certain, and whatever else the same text names of that workspace."""
    [first, *_others] = found
    beside = [each for each in _found(named.invoices, known) if each.workspace == first.workspace]
    return _for(line, [*found, *beside], TransferState.MATCHED, reason)


def _proposed(line: BankLine, found: Sequence[KnownInvoice], reason: TransferReason) -> Decision:
    return _for(line, found, TransferState.TO_CONFIRM, reason)


def _of_cut(line: BankLine, found: Sequence[KnownInvoice]) -> Decision:
    """A reference without its end is as good as a whole one where the amount is what is open."""
    is_exact = len(found) == 1 and found[0].open == line.amount
    state = TransferState.MATCHED if is_exact else TransferState.TO_CONFIRM
    return _for(line, found, state, TransferReason.CUT_REFERENCE)


def _for(
    line: BankLine, found: Sequence[KnownInvoice], state: TransferState, reason: TransferReason
) -> Decision:
    """In the order of issue, unless something about the invoices keeps anybody from saying so."""
    workspaces = {each.workspace for each in found}
    if len(workspaces) > 1:
        return Decision(TransferState.PARKED, TransferReason.SEVERAL_WORKSPACES)
    [workspace] = workspaces
    if any(each.is_deleted for each in found):
        return Decision(TransferState.PARKED, TransferReason.WORKSPACE_DELETED, workspace)
    if any(each.open.currency != line.amount.currency for each in found):
        return Decision(TransferState.PARKED, TransferReason.WRONG_CURRENCY, workspace)
    return Decision(state, reason, workspace, tuple(sorted({each.id for each in found})))


def _found(numbers: Iterable[str], known: Known) -> list[KnownInvoice]:
    return [known.invoices[number] for number in numbers if number in known.invoices]


def _once(numbers: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(numbers))


# --- what goes back -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EarlierTransfer:
    """A credit of the same amount that nobody has taken back yet."""

    id: int
    booked_on: date
    bank_reference: str
    end_to_end_id: str
    reference: str
    payer_iban: str
    texts: tuple[str, ...]


def taken_back(line: BankLine, earlier: Sequence[EarlierTransfer]) -> int | None:
    """The id of the transfer that the bank takes back by `line`; None where that is not certain.

    By what names it best: the bank's own reference, the payer's, the structured one, then the payer's account
    with the same words. Two that fit equally well are for somebody to look at.
    """
    before = [each for each in earlier if each.booked_on <= line.booked_on]
    for is_it in (
        _same_bank_reference,
        _same_end_to_end,
        _same_reference,
        _same_payer_and_words,
        _same_payer,
    ):
        fitting = [each for each in before if is_it(line, each)]
        if fitting:
            return fitting[0].id if len(fitting) == 1 else None
    return None


def _same_bank_reference(line: BankLine, earlier: EarlierTransfer) -> bool:
    own = compact(line.bank_reference)
    return is_meaningful(own) and own == compact(earlier.bank_reference)


def _same_end_to_end(line: BankLine, earlier: EarlierTransfer) -> bool:
    return is_meaningful(line.end_to_end_id) and line.end_to_end_id == earlier.end_to_end_id


def _same_reference(line: BankLine, earlier: EarlierTransfer) -> bool:
    own = compact(line.reference)
    return is_meaningful(own) and own == compact(earlier.reference)


def _same_payer_and_words(line: BankLine, earlier: EarlierTransfer) -> bool:
    """The bank may add words of its own."""
    words = compact("".join(earlier.texts))
    return _same_payer(line, earlier) and bool(words) and words in compact("".join(line.texts))


def _same_payer(line: BankLine, earlier: EarlierTransfer) -> bool:
    return bool(line.payer_iban) and line.payer_iban == earlier.payer_iban


SIGNS = (_same_bank_reference, _same_end_to_end, _same_reference, _same_payer_and_words, _same_payer)
"""Of a transfer that goes back, the best first."""
