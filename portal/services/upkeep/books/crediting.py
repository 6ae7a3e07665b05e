"""Partial credit notes: which lines of which invoice they credit, and never above them."""

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from peewee import JOIN, fn

from portal.domain.invoice_lines import document_lines
from portal.domain.partial_credits import is_of_its_lines
from portal.models import CreditedLine, Invoice, OrderLine, Refund

from .reading import Queries, counted, pages_of


@counted
def credits_never_exceed_their_invoice_lines() -> Queries:
    """Net and tax of all credits of a line, and of all credit notes of an invoice, whole ones too."""
    by_line = (
        CreditedLine.select(CreditedLine.invoice, CreditedLine.position)
        .join_from(CreditedLine, Invoice, on=CreditedLine.invoice)
        .join_from(
            Invoice,
            OrderLine,
            JOIN.LEFT_OUTER,
            on=((OrderLine.order == Invoice.order) & (OrderLine.position == CreditedLine.position)),
        )
        .group_by(CreditedLine.invoice, CreditedLine.position, OrderLine.net_minor, OrderLine.tax_minor)
        .having(
            OrderLine.net_minor.is_null()
            | (fn.SUM(CreditedLine.net_minor) > OrderLine.net_minor)
            | (fn.SUM(CreditedLine.tax_minor) > OrderLine.tax_minor)
        )
    )
    credit_note = Invoice.alias()
    by_invoice = (
        Invoice.select(Invoice.id)
        .join(credit_note, on=((credit_note.credits == Invoice.id) & (credit_note.order == Invoice.order)))
        .group_by(Invoice.id, Invoice.net_minor, Invoice.tax_minor)
        .having(
            (fn.SUM(credit_note.net_minor) > Invoice.net_minor)
            | (fn.SUM(credit_note.tax_minor) > Invoice.tax_minor)
        )
    )
    return by_line, by_invoice


@counted
def partial_credit_notes_have_all_their_lines() -> Queries:
    """In amount, and of the one invoice that they credit. Of each line the other question is asked."""
    return (
        Invoice.select(Invoice.id)
        .join(CreditedLine, on=(CreditedLine.credit_note == Invoice.id))
        .group_by(Invoice.id, Invoice.credits, Invoice.net_minor, Invoice.tax_minor)
        .having(
            Invoice.credits.is_null()
            | (fn.MIN(CreditedLine.invoice) != Invoice.credits)
            | (fn.MAX(CreditedLine.invoice) != Invoice.credits)
            | (fn.SUM(CreditedLine.net_minor) != Invoice.net_minor)
            | (fn.SUM(CreditedLine.tax_minor) != Invoice.tax_minor)
        )
    )


class LineOfCreditNote(NamedTuple):
    """A credited line beside the two documents, and what earlier ones had credited of the same line.

    `sent_back_minor` of the credit note went back with its refund; None: it is of none.
    """

    credit_note_facts: dict[str, Any]
    invoice_facts: dict[str, Any]
    position: int
    start_on: date
    net_minor: int
    tax_minor: int
    sent_back_minor: int | None
    net_before: int
    tax_before: int
    from_before: object


def lines_of_credit_notes() -> Iterator[LineOfCreditNote]:
    credit_note, invoice, earlier = Invoice.alias(), Invoice.alias(), CreditedLine.alias()
    of_the_same = (
        (earlier.invoice == CreditedLine.invoice)
        & (earlier.position == CreditedLine.position)
        & (earlier.id < CreditedLine.id)
    )
    before = (fn.COALESCE(fn.SUM(amount), 0) for amount in (earlier.net_minor, earlier.tax_minor))
    query = (
        CreditedLine.select(
            CreditedLine.id,
            credit_note.facts,
            invoice.facts,
            CreditedLine.position,
            CreditedLine.start_on,
            CreditedLine.net_minor,
            CreditedLine.tax_minor,
            Refund.amount_minor,
            *(earlier.select(figure).where(of_the_same) for figure in before),
            earlier.select(fn.MIN(earlier.start_on)).where(of_the_same),
        )
        .join_from(CreditedLine, credit_note, on=(CreditedLine.credit_note == credit_note.id))
        .join_from(CreditedLine, invoice, on=(CreditedLine.invoice == invoice.id))
        .join_from(credit_note, Refund, JOIN.LEFT_OUTER, on=(Refund.credit_note == credit_note.id))
    )
    return (LineOfCreditNote(*row) for row in pages_of(query, CreditedLine))


def partial_credit_notes_are_of_their_lines(credited: LineOfCreditNote) -> bool:
    """What they print is of their invoice's lines, as those stood then, and the credited line repeats it."""
    facts, invoice = credited.credit_note_facts, credited.invoice_facts
    [line] = [
        each
        for each in document_lines(facts)
        if each.credits is not None and each.credits.position == credited.position
    ]
    before = line.credits
    assert before is not None
    ended_on = credited.from_before or before.period.end
    return not is_of_its_lines(facts, invoice, sent_back_minor=credited.sent_back_minor) or (
        line.period.start,
        line.period.end.isoformat(),
        line.net.minor,
        line.tax.minor,
        before.net.minor,
        before.tax.minor,
    ) != (
        credited.start_on,
        str(ended_on),
        credited.net_minor,
        credited.tax_minor,
        int(credited.net_before),
        int(credited.tax_before),
    )
