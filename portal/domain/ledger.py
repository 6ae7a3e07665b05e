"""What a workspace owes and what is kept for it: the sum of its entries, and which money covers which debt.

The sign, once for all: an entry is positive where the workspace gets (a payment or transfer arrived, a credit
note was issued, an operator gave a credit) and negative where it owes or takes (an invoice was issued, a
refund was sent back, a credit was taken back, the bank took a transfer back). So a positive balance is money
kept for the workspace, and a negative one is what it owes. Amounts are minor units of one currency; whoever
asks does so for each currency.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from .money import Money, total
from .vocabulary import BalanceEntryKind, InvoiceStatus

GIVES = (
    BalanceEntryKind.PAYMENT,
    BalanceEntryKind.CREDIT_NOTE,
    BalanceEntryKind.CREDIT,
    BalanceEntryKind.TRANSFER,
)


@dataclass(frozen=True, slots=True)
class Part:
    """What is left of an entry, or still open of an invoice, refund or withdrawal: never below 0."""

    key: int
    amount: Money

    def __post_init__(self) -> None:
        if self.amount.is_negative:
            raise ValueError(f"a part of {self.amount} cannot be left")


@dataclass(frozen=True, slots=True)
class Share:
    """So much of the entry `source` covers the debt `target`: always more than 0."""

    source: int
    target: int
    amount: Money


def signed(kind: BalanceEntryKind, amount: Money) -> Money:
    """The amount of an entry for a document, payment, refund or credit of `amount`, which is 0 or more."""
    return amount if kind in GIVES else -amount


def balance(entries: Iterable[Money], currency: str) -> Money:
    return total(entries, currency)


def running_balance(entries: Iterable[Money], currency: str) -> list[Money]:
    """The balance after each entry."""
    return list(accumulate(entries, initial=Money.zero(currency)))[1:]


def status(invoiced: Money, covered: Money) -> InvoiceStatus:
    """`covered`: the sum of what is allocated to the invoice. One of nothing is paid from the first."""
    if covered >= invoiced:
        return InvoiceStatus.PAID
    return InvoiceStatus.PART_PAID if covered > Money.zero(covered.currency) else InvoiceStatus.OPEN


def usable(amount: Money, kept: Money) -> Money:
    """How much of an invoice of `amount` the balance `kept` may cover.

    What is owed for older invoices is in the balance already, so that they come first.
    """
    nothing = Money.zero(amount.currency)
    return max(nothing, min(amount, kept))


def beside_reserved(kept: Sequence[Part], reserved: Money) -> list[Part]:
    """What is left of `kept`, the oldest first, once the newest of it is set aside for placed orders."""
    free = total((part.amount for part in kept), reserved.currency) - reserved
    parts = []
    for part in kept:
        if free <= Money.zero(free.currency):
            break
        parts.append(Part(part.key, min(part.amount, free)))
        free -= part.amount
    return parts


def withdrawable(given_left: Money, kept: Money) -> Money:
    """How much of a credit may be taken back: what is unused of it, and still kept for the workspace.

    `given_left` is what covers nothing yet; `kept` what no placed order counts on.
    """
    return max(Money.zero(kept.currency), min(given_left, kept))


def allocate(kept: Sequence[Part], owed: Sequence[Part]) -> list[Share]:
    """Let what is left cover what is open, each in the order given: the oldest first.

    As much as there is on both sides, and no unit more than each part holds.
    """
    shares = []
    sources = iter(kept)
    source = next(sources, None)
    for debt in owed:
        missing = debt.amount
        while source is not None and missing > Money.zero(missing.currency):
            taken = min(source.amount, missing)
            if taken > Money.zero(taken.currency):
                shares.append(Share(source.key, debt.key, taken))
            missing -= taken
            left = source.amount - taken
            source = Part(source.key, left) if left > Money.zero(left.currency) else next(sources, None)
    return shares
