"""Numbers, invoices, credit notes and the printed documents."""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, cast

from peewee import JOIN, fn

from portal.domain.invoicing import adds_up, is_of_the_sale, mirrors
from portal.domain.partial_credits import is_partial
from portal.domain.pricing import facts_hash
from portal.domain.tax import Buyer, decide_tax, tax_facts
from portal.domain.vocabulary import DocumentKind, PaidWith, PaymentState
from portal.models import Document, Invoice, NumberSeries, Order, OutboxMessage, Payment, Workspace
from portal.services.invoices import issuing

from .reading import Queries, counted, pages_of, rows_of

A_DAY = timedelta(days=1)


def numbers_have_no_gap() -> int:
    """Each series runs 1, 2, 3, … up to one below its next number."""
    next_numbers = dict(
        cast(
            "list[tuple[str, int]]",
            list(NumberSeries.select(NumberSeries.name, NumberSeries.next_number).tuples()),
        )
    )
    issued = {
        series: (count, highest)
        for series, count, highest in cast(
            "list[tuple[str, int, int]]",
            list(
                Invoice.select(Invoice.series, fn.COUNT(Invoice.id), fn.MAX(Invoice.sequence))
                .group_by(Invoice.series)
                .tuples()
            ),
        )
    }
    return sum(
        issued.get(series, (0, 0)) != (next_numbers.get(series, 0) - 1,) * 2
        for series in issued.keys() | next_numbers.keys()
    )


def numbers_follow_the_order_of_issue() -> int:
    """And are those of the document's kind and year."""
    highest: dict[str, int] = {}
    broken = 0
    columns = (Invoice.kind, Invoice.series, Invoice.sequence, Invoice.number, Invoice.issued_on)
    for kind, series, sequence, number, issued_on in rows_of(Invoice, *columns):
        broken += (
            sequence <= highest.get(series, 0)
            or number != issuing.document_number(series, sequence)
            or series != issuing.series_of(kind, issued_on)
        )
        highest[series] = max(sequence, highest.get(series, 0))
    return broken


class IssuedDocument(NamedTuple):
    """An invoice or credit note with its order, its payment, and the invoice that it credits.

    `corrected` details are those of an invoice that replaces another.
    """

    kind: DocumentKind
    number: str
    issued_on: date
    issued_at: datetime
    currency: str
    net_minor: int
    tax_minor: int
    total_minor: int
    facts: dict[str, Any]
    facts_hash: str
    invoice_facts: dict[str, Any] | None
    quote: dict[str, Any]
    details: dict[str, Any]
    corrected: dict[str, Any] | None
    order_number: str
    given_at: datetime | None
    created_at: datetime
    due_on: date | None
    customer_number: str
    method_kind: PaidWith | None
    brand: str | None
    last4: str | None


def issued_documents() -> Iterator[IssuedDocument]:
    invoice = Invoice.alias()
    query = (
        Invoice.select(
            Invoice.id,
            Invoice.kind,
            Invoice.number,
            Invoice.issued_on,
            Invoice.issued_at,
            Invoice.currency,
            Invoice.net_minor,
            Invoice.tax_minor,
            Invoice.total_minor,
            Invoice.facts,
            Invoice.facts_hash,
            invoice.facts,
            Order.quote,
            Order.details,
            Invoice.details,
            Order.number,
            Order.given_at,
            Order.created_at,
            Invoice.due_on,
            Workspace.customer_number,
            Payment.method_kind,
            Payment.brand,
            Payment.last4,
        )
        .join_from(Invoice, Order)
        .join_from(Order, Workspace)
        .join_from(
            Order,
            Payment,
            JOIN.LEFT_OUTER,
            on=((Payment.order == Order.id) & (Payment.state == PaymentState.SUCCEEDED)),
        )
        .join_from(
            Invoice,
            invoice,
            JOIN.LEFT_OUTER,
            # Of another order: asked by refunds_have_their_credit_note.
            on=((invoice.id == Invoice.credits) & (invoice.order == Invoice.order)),
        )
    )
    return (IssuedDocument(*row) for row in pages_of(query, Invoice))


def issued_invoices_are_unchanged(issued: IssuedDocument) -> bool:
    """The hash is that of the facts, and the columns repeat what the facts print."""
    facts, totals = issued.facts, issued.facts["totals"]
    return facts_hash(facts) != issued.facts_hash or (
        issued.kind,
        issued.number,
        issued.issued_on.isoformat(),
        issued.currency,
        issued.net_minor,
        issued.tax_minor,
        issued.total_minor,
    ) != (
        facts["kind"],
        facts["number"],
        facts["issued_on"],
        facts["currency"],
        totals["net_minor"],
        totals["tax_minor"],
        totals["gross_minor"],
    )


def invoices_add_up(issued: IssuedDocument) -> bool:
    """Lines, tax by rate and totals follow from quantities, unit prices and rates."""
    return not adds_up(issued.facts)


def invoices_are_of_their_sale(issued: IssuedDocument) -> bool:
    """Plan, period, rate, buyer and payment are those of the order, and the day is that of its payment."""
    if issued.kind != DocumentKind.INVOICE:
        return False
    if issued.method_kind is None or issued.due_on is not None:
        # Asked by paid_orders_have_one_succeeded_payment; what covered an open invoice came later.
        return False
    return not is_of_the_sale(
        issued.facts,
        quote=issued.quote,
        details=issued.corrected or issued.details,
        order_number=issued.order_number,
        customer_number=issued.customer_number,
        method_kind=issued.method_kind,
        method_brand=issued.brand or "",
        method_last4=issued.last4 or "",
    )


def invoices_are_of_their_day(issued: IssuedDocument) -> bool:
    """An invoice is issued at the moment of the payment, unless it was open or replaces another; each is
    dated as it was at the seller's then.

    A day more or less: the installation may have moved to another time zone since.
    """
    is_invoice = issued.kind == DocumentKind.INVOICE and issued.due_on is None and not issued.corrected
    is_late = is_invoice and issued.given_at is not None and issued.issued_at != issued.given_at
    return is_late or abs(issued.issued_on - issued.issued_at.date()) > A_DAY


def taxes_are_as_the_law_says(issued: IssuedDocument) -> bool:
    """The tax decision, made anew from the frozen buyer and the rates of the days of the order."""
    if issued.kind != DocumentKind.INVOICE:
        return False
    decided = [
        tax_facts(
            decide_tax(
                seller_country=issued.facts["seller"]["country"],
                buyer=Buyer.of(issued.corrected or issued.details),
                on=on,
                unchecked_counts_as_valid=counts,
            )
        )
        for on in (issued.created_at.date() - A_DAY, issued.issued_at.date() + A_DAY)
        # What counted then was a setting.
        for counts in (True, False)
    ]
    return issued.quote["tax"] not in decided


def credit_notes_mirror_their_invoice(issued: IssuedDocument) -> bool:
    """Everything that its invoice said, but for what a credit note says of itself; partial ones do not."""
    if issued.kind != DocumentKind.CREDIT_NOTE or issued.invoice_facts is None or is_partial(issued.facts):
        return False
    return not mirrors(issued.facts, issued.invoice_facts)


def documents_are_unchanged() -> int:
    rows = rows_of(Document, Document.content, Document.sha256, at_once=20)
    return sum(hashlib.sha256(bytes(content)).hexdigest() != sha256 for content, sha256 in rows)


@counted
def invoices_promised_their_documents() -> Queries:
    """Every invoice has an outbox row for its documents."""
    return (
        Invoice.select(Invoice.id)
        .join(
            OutboxMessage,
            JOIN.LEFT_OUTER,
            on=((OutboxMessage.topic == "prepare_documents") & (OutboxMessage.key == Invoice.number)),
        )
        .where(OutboxMessage.id.is_null())
    )
