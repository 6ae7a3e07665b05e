"""Invoices and credit notes: numbered at issue, without a gap, as a frozen copy of every printed fact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from portal import outbox
from portal.database import rows
from portal.database.connecting import require_transaction, transaction
from portal.database.prepared import Parameter, Prepared
from portal.documents.notes import notes_of
from portal.domain import open_invoices
from portal.domain.check_codes import new_code
from portal.domain.corrections import replacing_facts
from portal.domain.creditor_reference import rf_reference
from portal.domain.invoicing import Paid, credit_note_facts, invoice_facts
from portal.domain.money import Money
from portal.domain.partial_credits import partial_credit_note_facts
from portal.domain.pricing import facts_hash
from portal.domain.prorated_lines import CreditLine
from portal.domain.vocabulary import DocumentKind, PaidWith
from portal.models import CreditedLine, Invoice, NumberSeries, Order, OrderLine, Payment
from portal.runtime import current
from portal.services import audit, exchange_rates, ledger

from . import crediting

PREFIXES = {DocumentKind.INVOICE: "INV", DocumentKind.CREDIT_NOTE: "CN"}


def issue_for(order: Order, *, payment: Payment | None, pay_by: date | None = None, now: datetime) -> Invoice:
    """The invoice of an order: paid with `payment`, or open, to be paid until `pay_by`. One per order.

    Inside the transaction that marks the order paid or invoiced.
    """
    require_transaction()
    issued_on = sellers_day(now)
    taken = take_number(DocumentKind.INVOICE, issued_on)
    facts = invoice_facts(
        number=document_number(*taken),
        issued_on=issued_on,
        due_on=pay_by or issued_on,
        quote=order.quote,
        notes=[notes_of(line) for line in order.frozen_lines],
        details=order.details,
        seller=current().settings.seller.facts,
        workspace_name=order.workspace.name,
        customer_number=order.workspace.customer_number,
        order_number=order.number,
        language=order.workspace.language,
        paid=_paid(order, payment, on=issued_on),
        exchange_rate=exchange_rates.for_issue(
            Money(order.quote["tax_minor"], order.quote["currency"]), on=issued_on
        ),
        purchase_order=order.details.get("purchase_order", ""),
    )
    return _issue(
        DocumentKind.INVOICE,
        order,
        facts,
        taken=taken,
        issued_on=issued_on,
        pay_by=pay_by,
        now=now,
    )


def _paid(order: Order, payment: Payment | None, *, on: date) -> Paid | None:
    """With what it is paid already: an open invoice with the balance, None where that pays nothing of it."""
    if payment is None and not order.from_balance_minor:
        return None
    if payment is None:
        return paid_from_balance(order.from_balance_minor, on=on)
    return paid_by(payment, on=on, from_balance_minor=order.from_balance_minor)


def paid_by(payment: Payment, *, on: date, from_balance_minor: int) -> Paid:
    return Paid(
        payment.method_kind, payment.brand, payment.last4, on, _processor(payment), from_balance_minor
    )


def paid_from_balance(minor: int, *, on: date) -> Paid:
    return Paid(PaidWith.BALANCE, brand="", last4="", on=on, processor="", from_balance_minor=minor)


def _processor(payment: Payment) -> str:
    """Who processed it; nobody where the balance has paid."""
    if payment.method_kind == PaidWith.BALANCE:
        return ""
    return current().gateways[payment.gateway].capabilities().processor_name


def issue_credit_note(order: Order, *, now: datetime) -> Invoice:
    """The credit note of a refunded order, for the whole of its invoice. Inside the refund's transaction.

    Raises InvoicePartlyCredited: a part of it would be given back twice.
    """
    require_transaction()
    invoice = Invoice.of_order(order)
    invoice.order = order
    if Invoice.select().where(Invoice.credits == invoice).exists():
        raise crediting.InvoicePartlyCredited(invoice=invoice.number)
    issued_on = sellers_day(now)
    taken = take_number(DocumentKind.CREDIT_NOTE, issued_on)
    return _credit_all(invoice, taken=taken, issued_on=issued_on, now=now)


def _credit_all(
    invoice: Invoice, *, taken: tuple[str, int], issued_on: date, replaced_by: str = "", now: datetime
) -> Invoice:
    """The credit note over all of the invoice, which the one numbered `replaced_by` replaces, if any."""
    facts = credit_note_facts(
        invoice.facts, number=document_number(*taken), issued_on=issued_on, replaced_by=replaced_by
    )
    return _issue(
        DocumentKind.CREDIT_NOTE,
        invoice.order,
        facts,
        taken=taken,
        issued_on=issued_on,
        credited=invoice,
        now=now,
    )


def issue_credit_note_of_line(line: OrderLine, *, sent_back: Money, now: datetime) -> Invoice:
    """The credit note for all of one line of a paid order, of which so much goes back the way it was paid.

    Inside the refund's transaction. Raises what crediting.by_position raises, ValueError for a line that
    something was credited of.
    """
    require_transaction()
    invoice = Invoice.of_order(line.order)
    running = crediting.running_lines(invoice)[line.position - 1]
    whole = CreditLine(running, running.period.days)
    return issue_partial_credit_note(
        invoice, [whole], kept_minor=whole.gross.minor - sent_back.minor, now=now
    )


def issue_partial_credit_note(
    invoice: Invoice,
    credit_lines: Sequence[CreditLine],
    *,
    kept_minor: int | None = None,
    now: datetime,
) -> Invoice:
    """The credit note for shares of some lines of the invoice, at its rate. Inside the change's transaction.

    `credit_lines` are of its `crediting.running_lines`, read since that transaction locked the workspace. It
    belongs to the order of the invoice. `kept_minor` is that of partial_credit_note_facts. Raises what
    crediting.by_position raises; nothing is written then.
    """
    require_transaction()
    with transaction(lock=invoice.workspace):
        credited = crediting.by_position(invoice, credit_lines)
        issued_on = sellers_day(now)
        taken = take_number(DocumentKind.CREDIT_NOTE, issued_on)
        number = document_number(*taken)
        credit_note = _issue(
            DocumentKind.CREDIT_NOTE,
            invoice.order,
            partial_credit_note_facts(
                invoice.facts, credited, number=number, issued_on=issued_on, kept_minor=kept_minor
            ),
            taken=taken,
            issued_on=issued_on,
            credited=invoice,
            now=now,
        )
        for position, credit in credited.items():
            CreditedLine.create(
                credit_note=credit_note,
                invoice=invoice,
                position=position,
                start_on=credit.period.start,
                net_minor=credit.net.minor,
                tax_minor=credit.tax_amount.minor,
            )
    return credit_note


def issue_replacing(
    invoice: Invoice, *, details: Mapping[str, Any], paid: Paid | None, now: datetime
) -> tuple[Invoice, Invoice]:
    """The credit note over all of the invoice, and the one that replaces it with these details of its buyer.

    Inside the correction's transaction, in the workspace's lock. `paid` is that of replacing_facts. What had
    covered the invoice still does: ledger.hand_over is to follow.
    """
    require_transaction()
    issued_on = sellers_day(now)
    # In this order, as everybody takes them: two transactions must not wait for each other.
    for_credit_note = take_number(DocumentKind.CREDIT_NOTE, issued_on)
    for_newer = take_number(DocumentKind.INVOICE, issued_on)
    number = document_number(*for_newer)
    credit_note = _credit_all(
        invoice, taken=for_credit_note, issued_on=issued_on, replaced_by=number, now=now
    )
    # An order has one invoice that stands: this one gives way, to its credit note, before the other can come.
    remind_on, invoice.remind_on = invoice.remind_on, None
    invoice.replaced_by = credit_note
    rows.save(invoice)
    newer = _issue(
        DocumentKind.INVOICE,
        invoice.order,
        replacing_facts(invoice.facts, number=number, issued_on=issued_on, details=details, paid=paid),
        taken=for_newer,
        issued_on=issued_on,
        pay_by=invoice.due_on,
        replaces=Replaces(details, remind_on=remind_on, reminded_on=invoice.reminded_on),
        now=now,
    )
    invoice.replaced_by = newer
    rows.save(invoice)
    return credit_note, newer


@dataclass(frozen=True, slots=True)
class Replaces:
    """What an invoice that replaces another has beside its facts: the details, and the days of reminders."""

    details: Mapping[str, Any]
    remind_on: date | None
    reminded_on: date | None


def _issue(
    kind: DocumentKind,
    order: Order,
    facts: Mapping[str, Any],
    *,
    taken: tuple[str, int],
    issued_on: date,
    credited: Invoice | None = None,
    pay_by: date | None = None,
    replaces: Replaces | None = None,
    now: datetime,
) -> Invoice:
    """A row of frozen facts, with its entry of the ledger and the promise of its files."""
    series, sequence = taken
    address = f"{current().settings.base_url}/check"
    facts = {**facts, "check": {"code": new_code(), "address": address}}
    totals = facts["totals"]
    document = Invoice(
        workspace=order.workspace,
        order=order,
        credits=credited,
        kind=kind,
        series=series,
        sequence=sequence,
        number=facts["number"],
        issued_on=issued_on,
        issued_at=now,
        currency=facts["currency"],
        net_minor=totals["net_minor"],
        tax_minor=totals["tax_minor"],
        total_minor=totals["gross_minor"],
        facts=facts,
        facts_hash=facts_hash(facts),
        due_on=pay_by,
        reference=rf_reference(facts["number"]) if pay_by else None,
    )
    if replaces is not None:
        document.details = dict(replaces.details)
        document.remind_on, document.reminded_on = replaces.remind_on, replaces.reminded_on
    elif pay_by is not None:
        document.remind_on = open_invoices.next_reminder(
            pay_by, after=issued_on, dunning_days=current().settings.dunning_days
        )
    rows.save(document)
    ledger.record_document(document)
    audit.record(
        f"{kind}.issued",
        workspace=order.workspace,
        subject=document.number,
        changes={
            "order": order.number,
            "total_minor": document.total_minor,
            "currency": document.currency,
            **({"credits": credited.number} if credited else {}),
        },
        now=now,
    )
    outbox.publish(
        "prepare_documents",
        key=document.number,
        payload={"invoice_id": document.id},
        now=current().clock.wall(),
    )
    return document


def take_number(kind: DocumentKind, issued_on: date) -> tuple[str, int]:
    """The next number of the kind's series for that year, e.g. ("INV-2026", 1).

    The series' row stays locked until the transaction ends and goes back if it fails: no gap.
    """
    series = series_of(kind, issued_on)
    taken = _take(series)
    if not taken:
        NumberSeries.insert(name=series).on_conflict_ignore().execute()
        taken = _take(series)
    return series, taken[0]


def _take(series: str) -> tuple[int, ...]:
    """The number, or nothing where the series has none yet."""
    return tuple(row.next_number - 1 for row in _take_one.rows(series=series))


_take_one = Prepared(
    lambda: (
        NumberSeries.update(next_number=NumberSeries.next_number + 1)
        .where(NumberSeries.name == Parameter("series"))
        .returning(NumberSeries.next_number)
    )
)


def series_of(kind: DocumentKind, issued_on: date) -> str:
    return f"{PREFIXES[kind]}-{issued_on.year}"


def document_number(series: str, sequence: int) -> str:
    return f"{series}-{sequence:06d}"


def sellers_day(now: datetime) -> date:
    """The day at the seller's own place: it decides the date and the year of a document."""
    return now.astimezone(current().settings.seller.zone).date()
