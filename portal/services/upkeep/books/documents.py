"""Numbers, invoices and the printed documents."""

import hashlib
from typing import cast

from peewee import JOIN, fn

from portal.domain.pricing import facts_hash
from portal.models import Document, Invoice, NumberSeries, OutboxMessage

from .reading import rows_of


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
    highest: dict[str, int] = {}
    broken = 0
    for series, sequence, number in rows_of(Invoice, Invoice.series, Invoice.sequence, Invoice.number):
        broken += sequence <= highest.get(series, 0) or number != f"{series}-{sequence:06d}"
        highest[series] = max(sequence, highest.get(series, 0))
    return broken


def issued_invoices_are_unchanged() -> int:
    """The hash is that of the facts, and the columns repeat what the facts print."""
    columns = (
        Invoice.facts,
        Invoice.facts_hash,
        Invoice.number,
        Invoice.currency,
        Invoice.net_minor,
        Invoice.tax_minor,
        Invoice.total_minor,
    )
    return sum(
        facts_hash(facts) != kept_hash
        or repeated
        != [
            facts["number"],
            facts["currency"],
            facts["totals"]["net_minor"],
            facts["totals"]["tax_minor"],
            facts["totals"]["gross_minor"],
        ]
        for facts, kept_hash, *repeated in rows_of(Invoice, *columns)
    )


def documents_are_unchanged() -> int:
    rows = rows_of(Document, Document.content, Document.sha256, at_once=20)
    return sum(hashlib.sha256(bytes(content)).hexdigest() != sha256 for content, sha256 in rows)


def invoices_promised_their_documents() -> int:
    """Every invoice has an outbox row for its documents."""
    return (
        Invoice.select(Invoice.id)
        .join(
            OutboxMessage,
            JOIN.LEFT_OUTER,
            on=((OutboxMessage.topic == "prepare_documents") & (OutboxMessage.key == Invoice.number)),
        )
        .where(OutboxMessage.id.is_null())
        .count()
    )
