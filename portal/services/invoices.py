"""Invoices: numbered at issue, without a gap, as a frozen copy of every printed fact."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from ..documents.notes import notes_of
from ..domain.invoicing import invoice_facts
from ..domain.pricing import facts_hash
from ..domain.vocabulary import DocumentKind
from ..models import Invoice, NumberSeries, Order, Payment
from ..runtime import current
from . import audit

PREFIXES = {DocumentKind.INVOICE: "INV", DocumentKind.CREDIT_NOTE: "CN"}


def issue_for(order: Order, *, payment: Payment, now: datetime) -> Invoice:
    """The invoice of a paid order. Inside the transaction that marks it paid; one per order."""
    settings = current().settings
    issued_on = sellers_day(now)
    series, sequence = take_number(DocumentKind.INVOICE, issued_on)
    number = f"{series}-{sequence:06d}"
    facts = invoice_facts(
        number=number,
        issued_on=issued_on,
        quote=order.quote,
        notes=notes_of(order.quote),
        details=order.details,
        seller_name=settings.seller.name,
        seller_address=settings.seller.address,
        seller_country=settings.seller.country,
        seller_vat_number=settings.seller.vat_number,
        iban=settings.seller.iban,
        bic=settings.seller.bic,
        workspace_name=order.workspace.name,
        customer_number=order.workspace.customer_number,
        order_number=order.number,
        language=order.workspace.language,
        method_kind=payment.method_kind,
        method_brand=payment.brand,
        method_last4=payment.last4,
        paid_on=issued_on,
        processor=current().gateways[payment.gateway].capabilities().processor_name,
    )
    invoice = Invoice.create(
        workspace=order.workspace,
        order=order,
        series=series,
        sequence=sequence,
        number=number,
        issued_on=issued_on,
        issued_at=now,
        currency=order.currency,
        net_minor=order.net_minor,
        tax_minor=order.tax_minor,
        total_minor=order.total_minor,
        facts=facts,
        facts_hash=facts_hash(facts),
    )
    audit.record(
        "invoice.issued",
        workspace=order.workspace,
        subject=number,
        changes={"order": order.number, "total_minor": order.total_minor, "currency": order.currency},
        now=now,
    )
    return invoice


def take_number(kind: DocumentKind, issued_on: date) -> tuple[str, int]:
    """The next number of the kind's series for that year, e.g. ("INV-2026", 1).

    The series' row stays locked until the transaction ends and goes back if it fails: no gap.
    """
    series = f"{PREFIXES[kind]}-{issued_on.year}"
    NumberSeries.insert(name=series).on_conflict_ignore().execute()
    taken = (
        NumberSeries.update(next_number=NumberSeries.next_number + 1)
        .where(NumberSeries.name == series)
        .returning(NumberSeries.next_number)
        .execute()
    )
    return series, next(iter(taken)).next_number - 1


def sellers_day(now: datetime) -> date:
    """The day at the seller's own place: it decides the date and the year of a document."""
    return now.astimezone(ZoneInfo(current().settings.seller.time_zone)).date()
