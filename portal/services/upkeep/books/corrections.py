"""Invoices whose details were corrected: the credit note, the new invoice, and what covers which."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from peewee import JOIN, fn

from portal.domain.corrections import is_replaced_by
from portal.domain.invoicing import buyer_facts
from portal.domain.partial_credits import is_partial
from portal.models import Allocation, BalanceEntry, Invoice

from .reading import Queries, counted, pages_of


@counted
def replaced_invoices_are_credited_whole_at_once() -> Queries:
    """By one credit note over all of it, of the moment at which its replacement was issued."""
    newer, credit_note = Invoice.alias(), Invoice.alias()
    return (
        Invoice.select(Invoice.id)
        .join_from(Invoice, newer, on=(newer.id == Invoice.replaced_by))
        .join_from(Invoice, credit_note, JOIN.LEFT_OUTER, on=(credit_note.credits == Invoice.id))
        .group_by(Invoice.id, Invoice.net_minor, Invoice.tax_minor, newer.issued_at)
        .having(
            (fn.COUNT(credit_note.id) != 1)
            | (fn.MIN(credit_note.issued_at) != newer.issued_at)
            | (fn.SUM(credit_note.net_minor) != Invoice.net_minor)
            | (fn.SUM(credit_note.tax_minor) != Invoice.tax_minor)
        )
    )


@counted
def replaced_invoices_are_covered_by_their_credit_note() -> Queries:
    """In full and by nothing else: what had covered one was handed over to its replacement."""
    credit_note = Invoice.alias()
    of_it = (
        Allocation.select(
            Allocation.invoice.alias("invoice_id"),
            Allocation.entry.alias("entry_id"),
            fn.SUM(Allocation.amount_minor).alias("amount"),
        )
        .join(Invoice, on=Allocation.invoice)
        .where(Invoice.replaced_by.is_null(False))
        .group_by(Allocation.invoice, Allocation.entry)
        .alias("of_it")
    )
    its_own = (
        Invoice.select(Invoice.id)
        .join(credit_note, on=(credit_note.credits == Invoice.id))
        .join(BalanceEntry, on=(BalanceEntry.invoice == credit_note.id))
        .join(
            of_it,
            JOIN.LEFT_OUTER,
            on=((of_it.c.invoice_id == Invoice.id) & (of_it.c.entry_id == BalanceEntry.id)),
        )
        .where(Invoice.replaced_by.is_null(False), fn.COALESCE(of_it.c.amount, 0) != Invoice.total_minor)
    )
    beside = (
        Invoice.select(Invoice.id)
        .join(of_it, on=(of_it.c.invoice_id == Invoice.id))
        .join(BalanceEntry, on=(BalanceEntry.id == of_it.c.entry_id))
        .join(credit_note, JOIN.LEFT_OUTER, on=(credit_note.id == BalanceEntry.invoice))
        .where(
            of_it.c.amount != 0,
            credit_note.credits.is_null() | (credit_note.credits != Invoice.id),
        )
    )
    return its_own, beside


class Link(NamedTuple):
    """An invoice that replaces another, or should, with the one that says so and the credit note over that.

    None: nothing says so.
    """

    invoice_id: int
    order: int
    due_on: object
    facts: dict[str, Any]
    details: dict[str, Any] | None
    older_id: int | None
    older_order: int | None
    older_due_on: object
    older_facts: dict[str, Any] | None
    credit_note_facts: dict[str, Any] | None


def links() -> Iterator[Link]:
    """Of every invoice that has details of its own, or that an older one names as its replacement."""
    older, credit_note = Invoice.alias(), Invoice.alias()
    query = (
        Invoice.select(
            Invoice.id,
            Invoice.id,
            Invoice.order,
            Invoice.due_on,
            Invoice.facts,
            Invoice.details,
            older.id,
            older.order,
            older.due_on,
            older.facts,
            credit_note.facts,
        )
        .join_from(Invoice, older, JOIN.LEFT_OUTER, on=(older.replaced_by == Invoice.id))
        .join_from(older, credit_note, JOIN.LEFT_OUTER, on=(credit_note.credits == older.id))
        .where(older.id.is_null(False) | Invoice.details.is_null(False))
    )
    return (Link(*row) for row in pages_of(query, Invoice))


def replacing_invoices_say_what_they_replace(link: Link) -> bool:
    """Both ways, in the order of issue so that no circle is made, of one order, and otherwise the same.

    What is corrected is what its own details say; its credit note names it and sends nothing back.
    """
    if link.older_facts is None or link.older_id is None or link.details is None:
        return True
    corrected = {
        "buyer": buyer_facts(link.details),
        "purchase_order": link.details.get("purchase_order") or None,
    }
    return (
        link.invoice_id <= link.older_id
        or (link.order, link.due_on) != (link.older_order, link.older_due_on)
        or not is_replaced_by(link.older_facts, link.facts)
        or {name: link.facts[name] for name in corrected} != corrected
        or link.credit_note_facts is None
        or is_partial(link.credit_note_facts)
        or link.credit_note_facts.get("replaced_by") != link.facts["number"]
    )
