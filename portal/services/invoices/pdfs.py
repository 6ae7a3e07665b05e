"""The bytes of an invoice, a PDF per language and one XML: made once in the worker, stored, then served."""

import hashlib
import logging
from collections.abc import Callable

from portal import outbox
from portal.database.connecting import transaction
from portal.domain.invoicing import why_no_e_invoice
from portal.models import Document, Invoice
from portal.runtime import current

SVG = "image/svg+xml"

log = logging.getLogger(__name__)


def prepare(invoice_id: int) -> None:
    """Make and store what is missing of an invoice. Safe to repeat, and from two workers at once."""
    for locale in current().settings.locales:
        pdf_of(invoice_id, locale)


def pdf_of(invoice_id: int, locale: str) -> bytes:
    """The stored PDF, made first if need be, with the stored XML in it.

    Loads typst: for the worker, never for a web process.
    """
    return _stored(invoice_id, locale, lambda invoice: _render(invoice, locale))


def xml_of(invoice_id: int) -> bytes | None:
    """The stored e-invoice, made first if need be; None for a document that has none."""
    from portal.documents.e_invoice import e_invoice

    facts = Invoice.get_by_id(invoice_id).facts
    if why_no_e_invoice(facts):
        return None
    return _stored(invoice_id, Document.E_INVOICE, lambda invoice: e_invoice(invoice.facts))


def _stored(invoice_id: int, locale: str, make: Callable[[Invoice], bytes]) -> bytes:
    stored = find(invoice_id, locale)
    if stored is not None:
        return stored
    content = make(Invoice.get_by_id(invoice_id))
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

    brand, xml = current().settings.brand, xml_of(invoice.id)
    if not brand.is_vendors:
        return render_invoice(invoice.facts, locale=locale, e_invoice=xml)
    logo = brand.logo
    letterhead = Letterhead(
        name=brand.name,
        logo=logo.content if logo else None,
        is_svg=logo is not None and logo.media_type == SVG,
    )
    try:
        return render_invoice(invoice.facts, locale=locale, letterhead=letterhead, e_invoice=xml)
    except RuntimeError:
        log.exception("the logo of PORTAL_BRAND_LOGO cannot be printed; %s goes without", invoice.number)
        return render_invoice(invoice.facts, locale=locale, e_invoice=xml)


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
    """The stored bytes, or None while they are being prepared. `locale` may be Document.E_INVOICE."""
    row = (
        Document.select(Document.content)
        .where(Document.invoice == invoice_id, Document.locale == locale)
        .tuples()
        .first()
    )
    return bytes(row[0]) if row else None
