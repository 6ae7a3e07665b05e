"""The bytes of an invoice: rendered once per language in the worker, stored, then served as they are."""

import hashlib

from portal import outbox
from portal.database.connecting import transaction
from portal.models import Document, Invoice
from portal.runtime import current


def prepare(invoice_id: int) -> None:
    """Render and store what is missing of an invoice's PDFs. Safe to repeat, and from two workers at once."""
    for locale in current().settings.locales:
        pdf_of(invoice_id, locale)


def pdf_of(invoice_id: int, locale: str) -> bytes:
    """The stored PDF, made first if need be. Loads typst: for the worker, never for a web process."""
    stored = find(invoice_id, locale)
    if stored is not None:
        return stored
    from portal.documents.pdf import render_invoice

    invoice = Invoice.get_by_id(invoice_id)
    content = render_invoice(invoice.facts, locale=locale)
    with transaction():
        Document.insert(
            invoice=invoice,
            locale=locale,
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            created_at=current().clock.wall(),
        ).on_conflict(action="NOTHING", conflict_target=[Document.invoice, Document.locale]).execute()
    kept = find(invoice_id, locale)
    assert kept is not None
    return kept


def promise(invoice: Invoice) -> None:
    """Ask the worker for a document that was never made, such as those of demo data."""
    with transaction():
        outbox.publish(
            "prepare_documents",
            key=f"{invoice.number}-asked",
            payload={"invoice_id": invoice.id},
            now=current().clock.wall(),
        )


def find(invoice_id: int, locale: str) -> bytes | None:
    """The stored bytes, or None while they are being prepared."""
    row = (
        Document.select(Document.content)
        .where(Document.invoice == invoice_id, Document.locale == locale)
        .tuples()
        .first()
    )
    return bytes(row[0]) if row else None
