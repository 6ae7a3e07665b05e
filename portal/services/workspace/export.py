"""What a workspace may take away: every document in every language, and lists of what it paid, has and asked.

An archive holds a bounded number of documents, so that none takes long or fills the memory; a workspace with
more of them has several. The lists are in the first one.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from peewee import JOIN, fn

from portal.database.connecting import transaction
from portal.domain.money import Money, major_string, total
from portal.domain.vocabulary import PaymentState, RefundState, TransferState
from portal.models import (
    BalanceEntry,
    BankTransfer,
    Contact,
    Document,
    Invoice,
    Licence,
    LicenceKey,
    Member,
    Order,
    Payment,
    Person,
    Product,
    PurchaseRequest,
    PurchaseRequestLine,
    Refund,
    Subscription,
    Workspace,
)
from portal.runtime import current
from portal.services import ledger, request_ends
from portal.services.invoices import pdfs

DOCUMENTS_OF_A_PART = 200
ROWS_AT_ONCE = 500
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
PAYMENT_COLUMNS = (
    "at", "order", "plan", "interval", "state", "amount", "currency", "method", "brand", "last4",
    "payer_name", "payer_email", "invoice", "refunded",
)  # fmt: skip
BALANCE_COLUMNS = ("at", "kind", "document", "order", "amount", "currency", "balance", "reason")
TRANSFER_COLUMNS = (
    "booked_on", "payer_name", "payer_iban", "reference", "text", "amount", "currency", "state", "invoices",
)  # fmt: skip
KEY_COLUMNS = ("product", "made_at", "activated_at", "replaced_at")
REQUEST_COLUMNS = (
    "at", "asked_by", "what", "net", "currency", "note", "state", "decided_by", "decided_at", "reason",
    "order",
)  # fmt: skip
CONTACT_COLUMNS = ("email", "language", "added_at", "added_by", "confirmed_at", "came_back_at", "reason")
MEMBER_COLUMNS = ("name", "email", "role", "status", "billing_access", "invited_at", "joined_at", "licences")


def count_parts(workspace: Workspace) -> int:
    """How many archives hold everything; at least one."""
    documents_issued = Invoice.select(fn.COUNT(Invoice.id)).where(Invoice.workspace == workspace).scalar()
    return max(1, -(-int(documents_issued) // DOCUMENTS_OF_A_PART))


def promise_missing(workspace: Workspace, *, part: int) -> int:
    """Ask the worker for those documents of the part that were never made. How many invoices wait for one."""
    invoices = _invoices_of(workspace, part)
    locales = current().settings.locales
    made = set(
        Document.select(Document.invoice, Document.locale)
        .where(Document.invoice << [invoice.id for invoice in invoices])
        .tuples()
    )
    missing = [invoice for invoice in invoices if any((invoice.id, locale) not in made for locale in locales)]
    if missing:
        with transaction():
            for invoice in missing:
                pdfs.promise(invoice)
    return len(missing)


@dataclass(frozen=True, slots=True)
class SpreadsheetSigns:
    """What the spreadsheets of a language expect between cells, and between units and decimals."""

    between_cells: str
    decimal: str


SIGNS = {"en": SpreadsheetSigns(",", "."), "fr": SpreadsheetSigns(";", ",")}


def make_part(workspace: Workspace, *, part: int, language: str, now: datetime) -> bytes:
    """A ZIP; a document is about 43 KB in each language and its XML 9 KB: a full part is some 19 MB.

    The lists open in a spreadsheet of the reader's `language`.
    """
    signs = SIGNS[language]
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_STORED) as archive:
        if part == 1:
            _write_list(archive, "payments.csv", PAYMENT_COLUMNS, _payments(workspace), signs=signs, now=now)
            _write_list(archive, "balance.csv", BALANCE_COLUMNS, _movements(workspace), signs=signs, now=now)
            _write_list(
                archive, "transfers.csv", TRANSFER_COLUMNS, _transfers(workspace), signs=signs, now=now
            )
            _write_list(archive, "members.csv", MEMBER_COLUMNS, _members(workspace), signs=signs, now=now)
            _write_list(archive, "contacts.csv", CONTACT_COLUMNS, _contacts(workspace), signs=signs, now=now)
            _write_list(
                archive, "licence_keys.csv", KEY_COLUMNS, _licence_keys(workspace), signs=signs, now=now
            )
            _write_list(archive, "requests.csv", REQUEST_COLUMNS, _requests(workspace), signs=signs, now=now)
        for invoice in _invoices_of(workspace, part):
            stored = (
                Document.select(Document.locale, Document.content)
                .where(Document.invoice == invoice)
                .order_by(Document.locale)
            )
            for document in stored:
                name = f"documents/{invoice.number}-{document.locale}.pdf"
                if document.locale == Document.E_INVOICE:
                    name = f"documents/{invoice.number}.xml"
                # PDFs are compressed already.
                archive.writestr(_entry(name, invoice), bytes(document.content))
    return content.getvalue()


def _invoices_of(workspace: Workspace, part: int) -> list[Invoice]:
    """Invoices and credit notes of that part, in the order of issue."""
    return list(
        Invoice.select(Invoice.id, Invoice.number, Invoice.issued_at)
        .where(Invoice.workspace == workspace)
        .order_by(Invoice.id)
        .offset((part - 1) * DOCUMENTS_OF_A_PART)
        .limit(DOCUMENTS_OF_A_PART)
    )


def _entry(name: str, invoice: Invoice) -> ZipInfo:
    return ZipInfo(name, date_time=invoice.issued_at.timetuple()[:6])


# --- lists ----------------------------------------------------------------------------------------


def cell(value: object, signs: SpreadsheetSigns) -> str:
    """Money as a number that may be added up; all else as text."""
    if isinstance(value, Money):
        return major_string(value).replace(".", signs.decimal)
    return safe_cell(value)


def safe_cell(value: object) -> str:
    """Text that no spreadsheet takes for a formula (CWE-1236): an apostrophe goes before one."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _write_list(
    archive: ZipFile,
    name: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    signs: SpreadsheetSigns,
    now: datetime,
) -> None:
    """CSV in UTF-8 with the mark that Excel knows it by; each cell in quotes, whatever separates."""
    entry = ZipInfo(name, date_time=now.timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    with (
        archive.open(entry, "w", force_zip64=True) as raw,
        io.TextIOWrapper(raw, "utf-8-sig", errors="replace", newline="") as text,
    ):
        writer = csv.writer(text, delimiter=signs.between_cells, quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        for row in rows:
            writer.writerow([cell(value, signs) for value in row])


def _payments(workspace: Workspace) -> Iterator[Sequence[object]]:
    """Every attempt to pay, the oldest first; amounts in the currency's own unit."""
    newest = 0
    sent_back = Refund.select(fn.SUM(Refund.amount_minor)).where(
        Refund.payment == Payment.id, Refund.state == RefundState.SUCCEEDED
    )
    while True:
        query = (
            Payment.select(
                Payment,
                Order,
                Invoice,
                sent_back.alias("sent_back_minor"),
                # What the balance paid alone moved nothing.
                fn.COALESCE(BalanceEntry.made_at, Order.given_at).alias("paid_at"),
            )
            .join_from(Payment, Order)
            .join_from(Payment, BalanceEntry, JOIN.LEFT_OUTER, on=(BalanceEntry.payment == Payment.id))
            .join_from(
                Payment,
                Invoice,
                JOIN.LEFT_OUTER,
                on=(
                    (Invoice.order == Payment.order)
                    & Invoice.is_current()
                    & (Payment.state == PaymentState.SUCCEEDED)
                ),
                attr="invoice",
            )
            .where(Payment.workspace == workspace, Payment.id > newest)
            .order_by(Payment.id)
            .limit(ROWS_AT_ONCE)
        )
        rows = list(query)
        for payment in rows:
            newest = payment.id
            invoice, refunded_minor = getattr(payment, "invoice", None), cast(Any, payment).sent_back_minor
            yield (
                _when_made(payment),
                payment.order.number,
                ", ".join(line.plan_code for line in payment.order.frozen_lines),
                ", ".join(line.interval for line in payment.order.frozen_lines),
                payment.state,
                payment.amount,
                payment.currency,
                payment.method_kind,
                payment.brand,
                payment.last4,
                payment.payer_name,
                payment.payer_email,
                invoice.number if invoice else "",
                Money(int(refunded_minor), payment.currency) if refunded_minor else "",
            )
        if len(rows) < ROWS_AT_ONCE:
            return


def _when_made(payment: Payment) -> str:
    """By business time, as all the lists: when it was paid, or the day of an automatic try that was not.

    Of any other attempt only the machine's time is known.
    """
    if payment.state == PaymentState.SUCCEEDED:
        return str(cast(Any, payment).paid_at.isoformat())
    return (payment.tried_on or payment.created_at).isoformat()


def _movements(workspace: Workspace) -> Iterator[Sequence[object]]:
    """Every movement of the balance, the oldest first, each with the balance in its currency after it."""
    for moved in ledger.movements_of(workspace, at_once=ROWS_AT_ONCE):
        yield (
            moved.made_at.isoformat(),
            moved.kind,
            moved.document,
            moved.order,
            moved.amount,
            moved.amount.currency,
            moved.balance,
            moved.reason,
        )


def _transfers(workspace: Workspace) -> Iterator[Sequence[object]]:
    """What came by bank transfer and what the bank took back, the oldest first, with the invoices paid."""
    newest = 0
    while True:
        query = (
            BankTransfer.select()
            .where(
                BankTransfer.workspace == workspace,
                BankTransfer.state << [TransferState.MATCHED, TransferState.RETURNED],
                BankTransfer.id > newest,
            )
            .order_by(BankTransfer.id)
            .limit(ROWS_AT_ONCE)
        )
        rows = list(query)
        covering = ledger.covered_by(rows) if rows else {}
        for transfer in rows:
            newest = transfer.id
            yield (
                transfer.booked_on.isoformat(),
                transfer.payer_name,
                transfer.payer_iban,
                transfer.reference,
                " ".join(transfer.texts),
                -transfer.amount if transfer.is_debit else transfer.amount,
                transfer.currency,
                transfer.state,
                ", ".join(each.number for each in covering.get(transfer.id, ())),
            )
        if len(rows) < ROWS_AT_ONCE:
            return


def _requests(workspace: Workspace) -> Iterator[Sequence[object]]:
    """Every purchase request, the oldest first; amounts without VAT, as they were shown to whoever asked."""
    newest, decider = 0, Person.alias()
    while True:
        query = (
            PurchaseRequest.select(PurchaseRequest, Person, decider, Order)
            .join_from(PurchaseRequest, Person, JOIN.LEFT_OUTER, on=PurchaseRequest.asker)
            .join_from(
                PurchaseRequest, decider, JOIN.LEFT_OUTER, on=(PurchaseRequest.decided_by == decider.id)
            )
            .join_from(PurchaseRequest, Order, JOIN.LEFT_OUTER)
            .where(PurchaseRequest.workspace == workspace, PurchaseRequest.id > newest)
            .order_by(PurchaseRequest.id)
            .limit(ROWS_AT_ONCE)
        )
        rows = list(query)
        lines: dict[int, list[PurchaseRequestLine]] = {}
        for line in request_ends.lines_of(rows):
            lines.setdefault(line.request_id, []).append(line)
        for request in rows:
            newest = request.id
            asked_for = lines.get(request.id, [])
            yield (
                request.created_at.isoformat(),
                request.asker.email if request.asker else "",
                ", ".join(f"{line.plan.code} {line.interval} × {line.quantity}" for line in asked_for),
                total((line.net for line in asked_for), request.currency),
                request.currency,
                request.note,
                request.state,
                request.decided_by.email if request.decided_by else "",
                request.decided_at.isoformat() if request.decided_at else "",
                request.reason,
                request.order.number if request.order else "",
            )
        if len(rows) < ROWS_AT_ONCE:
            return


def _members(workspace: Workspace) -> Iterator[Sequence[object]]:
    """Everybody, the oldest first. A name is shown once its owner has joined: it is theirs to tell."""
    newest = 0
    while True:
        query = (
            Member.select(Member, Person)
            .join(Person)
            .where(Member.workspace == workspace, Member.id > newest)
            .order_by(Member.id)
            .limit(ROWS_AT_ONCE)
        )
        rows = list(query)
        held = _products_held([member.id for member in rows])
        for member in rows:
            newest = member.id
            joined_at = member.joined_at
            yield (
                member.person.name if joined_at else "",
                member.person.email,
                member.role,
                member.status,
                "yes" if member.is_upgrader else "no",
                member.created_at.isoformat(),
                joined_at.isoformat() if joined_at else "",
                ", ".join(held.get(member.id, ())),
            )
        if len(rows) < ROWS_AT_ONCE:
            return


def _contacts(workspace: Workspace) -> Iterator[Sequence[object]]:
    """Who gets the letters about money in copy, the oldest first: a few dozen at most."""
    contacts = list(Contact.with_people(workspace))
    adders = Person.select(Person.id, Person.email).where(
        Person.id << [each.added_by_id for each in contacts]
    )
    added_by = {person.id: person.email for person in adders}
    for each in contacts:
        yield (
            each.address,
            each.reads_in(workspace),
            each.created_at.isoformat(),
            added_by.get(each.added_by_id or 0, ""),
            each.confirmed_at.isoformat() if each.confirmed_at else "",
            each.came_back_at.isoformat() if each.came_back_at else "",
            each.came_back_because,
        )


def _products_held(member_ids: Sequence[int]) -> dict[int, list[str]]:
    """The codes of the products of which each member has a licence."""
    held: dict[int, list[str]] = {}
    query = (
        Licence.select(Licence, Subscription, Product)
        .join_from(Licence, Subscription)
        .join_from(Subscription, Product)
        .where(Licence.member << list(member_ids))
        .order_by(Product.position, Product.id)
    )
    for licence in query:
        held.setdefault(licence.member_id, []).append(licence.subscription.product.code)
    return held


def _licence_keys(workspace: Workspace) -> Iterator[Sequence[object]]:
    """When each was made, activated and replaced. The keys themselves stand on their own page alone."""
    query = (
        LicenceKey.select(LicenceKey, Subscription, Product)
        .join_from(LicenceKey, Subscription)
        .join_from(Subscription, Product)
        .where(Subscription.workspace == workspace)
        .order_by(LicenceKey.id)
    )
    for key in query:
        moments = (key.made_at, key.activated_at, key.replaced_at)
        yield key.subscription.product.code, *(at.isoformat() if at else "" for at in moments)
