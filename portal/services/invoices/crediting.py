"""What partial credit notes have given back of an invoice, line by line, and what is left of each line."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple, cast

from peewee import ModelSelect, fn

from portal.domain.errors import PortalError
from portal.domain.frozen_quote import FrozenCredit
from portal.domain.invoice_lines import DocumentLine, document_lines
from portal.domain.lifecycle import OPEN_REFUND_STATES
from portal.domain.money import Money
from portal.domain.partial_credits import running_line
from portal.domain.prorated_lines import CreditLine, RunningLine
from portal.models import CreditedLine, Invoice, OrderLine, Payment, Refund


class CreditExceedsLine(PortalError):
    """More would be credited of the line at `position` of the invoice than the `left_minor` without VAT."""

    invoice: str
    position: int
    left_minor: int


class LineCreditedSince(PortalError):
    """The line at `position` of the invoice was credited after the credit of it was reckoned."""

    invoice: str
    position: int


class InvoiceUndone(PortalError):
    """What was paid for its lines was sent back, or may be at any moment: nothing is left to credit."""

    invoice: str


class InvoicePartlyCredited(PortalError):
    """Credit notes have given back a part of the invoice, or all: the whole of it cannot be any more."""

    invoice: str


class _Credited(NamedTuple):
    position: int
    net_minor: int
    tax_minor: int
    start_on: date


def running_lines(invoice: Invoice) -> tuple[RunningLine, ...]:
    """The lines of the invoice as they stand now, in their order. One query."""
    sums = (
        CreditedLine.select(
            CreditedLine.position,
            fn.SUM(CreditedLine.net_minor),
            fn.SUM(CreditedLine.tax_minor),
            fn.MIN(CreditedLine.start_on),
        )
        .where(CreditedLine.invoice == invoice)
        .group_by(CreditedLine.position)
        .tuples()
    )
    found = cast("list[tuple[int, int, int, date]]", list(sums))
    credited = {row[0]: _Credited(*row) for row in found}
    return tuple(
        _running(invoice, line, credited.get(line.position)) for line in document_lines(invoice.facts)
    )


def _running(invoice: Invoice, line: DocumentLine, credited: _Credited | None) -> RunningLine:
    return running_line(
        invoice.facts,
        line,
        credited_net=Money(int(credited.net_minor) if credited else 0, invoice.currency),
        credited_tax=Money(int(credited.tax_minor) if credited else 0, invoice.currency),
        credited_from=credited.start_on if credited else None,
    )


def as_frozen(invoice: Invoice, frozen: Sequence[FrozenCredit]) -> list[CreditLine]:
    """The credits that a quote has told of lines of the invoice, or of the one that it replaces, as they are
    issued now: the same lines at the same places.

    Raises LineCreditedSince where a line no longer stands as it was told: nobody may be given back anything
    else than what they agreed to.
    """
    lines = running_lines(invoice)
    as_now = []
    for told in frozen:
        position = int(told.line.rpartition("/")[2])
        credit = CreditLine(lines[position - 1], told.unused_days)
        if (credit.period, credit.net, credit.tax_amount) != (told.unused_on, told.net, told.tax):
            raise LineCreditedSince(invoice=invoice.number, position=position)
        as_now.append(credit)
    return as_now


def by_position(invoice: Invoice, given_back: Sequence[CreditLine]) -> dict[int, CreditLine]:
    """The credits by the position of their line, each as the line stands now; inside the lock.

    Raises CreditExceedsLine, LineCreditedSince, InvoiceUndone; ValueError for a line that is not the
    invoice's, or twice, and for none at all: mistakes of ours.
    """
    lines = running_lines(invoice)
    positions = {line.key: position for position, line in enumerate(lines, start=1)}
    keys = [credit.line.key for credit in given_back]
    if not keys or len({*keys}) < len(keys) or not {*keys} <= {*positions}:
        raise ValueError(f"no lines of {invoice.number}, each once: {keys}")
    if _are_undone(invoice, [positions[key] for key in keys]):
        raise InvoiceUndone(invoice=invoice.number)
    for credit in given_back:
        position = positions[credit.line.key]
        line = lines[position - 1]
        left = line.net - line.credited_net
        if credit.net > left or credit.tax_amount > line.tax_amount - line.credited_tax:
            raise CreditExceedsLine(invoice=invoice.number, position=position, left_minor=left.minor)
        if credit.line != line:
            raise LineCreditedSince(invoice=invoice.number, position=position)
        if credit.net.minor <= 0:
            raise ValueError(f"a credit of nothing: {credit}")
    return {positions[credit.line.key]: credit for credit in given_back}


def _are_undone(invoice: Invoice, positions: Sequence[int]) -> bool:
    being_refunded = (
        Refund.select(Refund.id)
        .join(Payment)
        .where(Payment.order == OrderLine.order, Refund.state << OPEN_REFUND_STATES, Refund.undoes(OrderLine))
    )
    undone = OrderLine.select().where(
        OrderLine.order == invoice.order_id,
        OrderLine.position << list(positions),
        OrderLine.refunded_at.is_null(False) | fn.EXISTS(being_refunded),
    )
    return bool(undone.exists())


def credited_lines_of(order: object) -> "ModelSelect[CreditedLine]":
    """What was given back of the lines of an order's invoice; `order` may be a column of another query."""
    return (
        CreditedLine.select(CreditedLine.id)
        .join(Invoice, on=CreditedLine.invoice)
        .where(Invoice.order == order)
    )
