"""The bytes of an invoice: rendered once per language in the worker, stored, then served as they are."""

import hashlib
import logging

from portal import outbox
from portal.database.connecting import transaction
from portal.models import Document, Invoice
from portal.runtime import current

SVG = "image/svg+xml"

log = logging.getLogger(__name__)


def prepare(invoice_id: int) -> None:
    """Render and store what is missing of an invoice's PDFs. Safe to repeat, and from two workers at once."""
    for locale in current().settings.locales:
        pdf_of(invoice_id, locale)


def pdf_of(invoice_id: int, locale: str) -> bytes:
    """The stored PDF, made first if need be. Loads typst: for the worker, never for a web process."""
    stored = find(invoice_id, locale)
    if stored is not None:
        return stored
    content = _render(Invoice.get_by_id(invoice_id), locale)
    with transaction():
        Document.insert(
            invoice=invoice_id,
            locale=locale,
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            created_at=current().clock.wall(),
        ).on_conflict(action="NOTHING", conflict_target=[Document.invoice, Document.locale]).execute()
    kept = find(invoice_id, locale)
    assert kept is not None
    return kept


def _render(invoice: Invoice, locale: str) -> bytes:
    """With the vendor's mark, and without it rather than not at all: somebody has paid for this invoice."""
    from portal.documents.pdf import Letterhead, render_invoice

    brand = current().settings.brand
    if not brand.is_vendors:
        return render_invoice(invoice.facts, locale=locale)
    logo = brand.logo
    letterhead = Letterhead(
        name=brand.name,
        logo=logo.content if logo else None,
        is_svg=logo is not None and logo.media_type == SVG,
    )
    try:
        return render_invoice(invoice.facts, locale=locale, letterhead=letterhead)
    except RuntimeError:
        log.exception("the logo of PORTAL_BRAND_LOGO cannot be printed; %s goes without", invoice.number)
        return render_invoice(invoice.facts, locale=locale)


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
