"""The history, each statement page, and the documents."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, Response, abort, make_response, request, url_for
from flask_babel import ngettext
from flask_login import current_user

from portal.documents.labels import language_of
from portal.documents.notes import line_number, share_notes
from portal.domain.invoice_lines import document_lines
from portal.domain.invoicing import why_no_e_invoice
from portal.domain.legal_numbers import legal_number_name
from portal.domain.money import Money, total
from portal.domain.partial_credits import is_partial
from portal.domain.tax_numbers import tax_number_label
from portal.domain.vocabulary import DocumentKind, HistoryKind, NoEInvoice, OrderState, Right
from portal.models import Document, Invoice
from portal.runtime import current
from portal.services.invoices import history, movements, pay_links, pdfs
from portal.services.invoices.movements import Cursor
from portal.services.payments import on_account, refund_quotes
from portal.services.payments.refund_quotes import LastPayment
from portal.services.places import Place
from portal.web import limits
from portal.web.access import limited, workspace_right
from portal.web.htmx import render
from portal.web.place import status_here, today_here
from portal.web.security import DOCUMENT_POLICY
from portal.web.to_pay import ToPay, to_pay_of
from portal.words import formatting
from portal.words.arithmetic import document_line_words
from portal.words.history import KIND_WORDS
from portal.words.i18n import gettext as _
from portal.words.i18n import locale_code
from portal.words.money import tax_words
from portal.words.plans import change_rows

from .movement_rows import Row, history_rows
from .rows import method_shown

blueprint = Blueprint("history", __name__, url_prefix="/w/<slug>")
ROWS_OF_A_PAGE = 50
PREPARED_IN_SECONDS = 2
CURSOR = re.compile(r"([0-9]{1,10})-([0-9]{1,10})", re.ASCII)


@dataclass(frozen=True, slots=True)
class HistoryIndex:
    """`older` is the address of the next page, empty on the last one. `year` and `kind`: what was chosen.

    `years` and `kinds` are those to choose from, with what they are called.
    """

    rows: list[Row]
    older: str
    years: list[str]
    kinds: list[tuple[str, str]]
    year: str
    kind: str
    is_first: bool
    month: str
    refund_note: str
    sees_payers: bool
    may_download: bool


@blueprint.get("/history")
@workspace_right(Right.SEE_HISTORY)
def index(place: Place) -> Response:
    """What moved the balance and what changed, of all years or one, of every kind or one."""
    status_here(place)
    today, kind, before = today_here(place), _wanted_kind(), _cursor()
    years = list(range(today.year, first_year(place) - 1, -1))
    year = wanted_year(years)
    last = refund_quotes.last_payment(place.workspace) if Right.REFUND in place.may else None
    found = movements.page_of(place.workspace, size=ROWS_OF_A_PAGE, kind=kind, year=year, before=before)
    return render(
        "invoices/history.html",
        HistoryIndex(
            rows=history_rows(place, found.rows, _to_refund(place, last)),
            older=_address_of_older(place, found.older, kind, year),
            years=[str(each) for each in years],
            kinds=[(each.value, str(KIND_WORDS[each])) for each in HistoryKind],
            year=str(year or ""),
            kind=kind.value if kind else "",
            is_first=before is None,
            month=f"{today:%Y-%m}",
            refund_note=_refund_note(place, last),
            sees_payers=Right.SEE_BILLING_DETAILS in place.may,
            may_download=Right.DOWNLOAD_DOCUMENTS in place.may,
        ),
    )


def first_year(place: Place) -> int:
    """The workspace's own, of its beginning; not after today's, wherever it has moved since."""
    return min(place.workspace.day(place.workspace.created_at).year, today_here(place).year)


def wanted_year(years: list[int]) -> int | None:
    """`?year=`, of those to choose from; None for all of them, and for nonsense."""
    text = request.args.get("year", "")
    return next((year for year in years if str(year) == text), None)


def _wanted_kind() -> HistoryKind | None:
    text = request.args.get("kind", "")
    return next((kind for kind in HistoryKind if kind.value == text), None)


def _cursor() -> Cursor | None:
    """`?before=12-7`, as a page's link to older rows gave it; None for the first page, and for nonsense."""
    found = CURSOR.fullmatch(request.args.get("before", ""))
    return Cursor(*(min(int(part), movements.AFTER_ALL) for part in found.groups())) if found else None


def _address_of_older(place: Place, older: Cursor | None, kind: HistoryKind | None, year: int | None) -> str:
    if older is None:
        return ""
    before = f"{older.entry}-{older.event}"
    return url_for(".index", slug=place.workspace.slug, kind=kind, year=year, before=before)


def _to_refund(place: Place, last: LastPayment | None) -> LastPayment | None:
    """The payment with something to ask or to follow: refundable today, or its refund is not known yet."""
    if last is None:
        return None
    if last.refund is not None:
        return last if last.refund.is_open else None
    if last.is_out_of_the_question:
        return None
    return last if today_here(place) <= last.last_day else None


def _refund_note(place: Place, last: LastPayment | None) -> str:
    """Until when the last payment can be sent back, or could."""
    if last is None or last.refund is not None or last.is_out_of_the_question:
        return ""
    date = formatting.day(last.last_day)
    if today_here(place) <= last.last_day:
        return _("The last payment can be refunded until %(date)s.", date=date)
    return _("The last payment could be refunded until %(date)s.", date=date)


@dataclass(frozen=True, slots=True)
class StatementLine:
    """`rate` says how many licences there are at how much each, where there are several.

    `notes` say of how many days the amount is, and on a partial credit note of which line.
    `why`: how the amount is reckoned.
    """

    description: str
    period: str
    rate: str
    notes: list[str]
    net: str
    why: list[str]


@dataclass(frozen=True, slots=True)
class PayLinkOfInvoice:
    """The links that read and pay an invoice without a sign-in. `address` of one that was just made, else
    empty. `works`: there is one, in a letter or elsewhere. `may_make`: there is something to pay.
    """

    address: str
    works: bool
    may_make: bool


@dataclass(frozen=True, slots=True)
class StatementPage:
    """One document. `others`: the numbers of the one that it credits, or of those that credit it.

    `is_whole`: what is credited is all of the invoice; else `credited` is how much of it was, on the invoice.
    `figures` are those of a change of plan, each with its mark. `to_pay`: what is open of it, None for
    nothing. `pay_link`: None for who has nothing to do with it. `replaced_by` is the number of the invoice
    that replaces an invoice, or what a credit note credits; `replaces` that of the older one: "" for none.
    """

    invoice: Invoice
    is_credit_note: bool
    others: list[str]
    is_whole: bool
    credited: str
    facts: list[tuple[str, str]]
    lines: list[StatementLine]
    figures: list[tuple[str, str, str]]
    to_pay: ToPay | None
    pay_link: PayLinkOfInvoice | None
    totals: list[tuple[str, str]]
    may_download: bool
    has_e_invoice: bool
    replaced_by: str
    replaces: str
    may_correct: bool


@blueprint.get("/invoices/<number>")
@workspace_right(Right.SEE_HISTORY)
def statement(place: Place, number: str) -> Response:
    """One document on a page; members without a right to billing details see no name, address or digits."""
    return statement_page(place, invoice_or_404(place, number))


def statement_page(place: Place, invoice: Invoice, *, pay_link: str = "") -> Response:
    """`pay_link` is the address of one that was just made, which is shown once."""
    status_here(place)
    facts, currency = invoice.facts, invoice.currency
    is_credit_note = invoice.kind == DocumentKind.CREDIT_NOTE
    rows = [(_("Number"), invoice.number), (_("Customer number"), facts["customer_number"])]
    if Right.SEE_BILLING_DETAILS in place.may:
        buyer = facts["buyer"]
        rows += [
            (_("Billed to"), buyer["name"]),
            (_("Address"), ", ".join(buyer["address"])),
            (_("E-mail"), buyer["email"]),
        ]
        if number := buyer.get("legal_number"):
            rows.append((legal_number_name(buyer["country"], number), number))
        if buyer["vat_number"]:
            rows.append((_("VAT number"), buyer["vat_number"]))
        if buyer.get("tax_number"):
            rows.append((tax_number_label(buyer["country"]) or _("Tax number"), buyer["tax_number"]))
    rows += _how_it_was_paid(place, facts["payment"], invoice, is_credit_note=is_credit_note)
    disputed_on = None if is_credit_note else history.disputed_on(invoice, place.workspace)
    if disputed_on is not None:
        rows.append((_("Disputed on"), formatting.day(disputed_on)))
    figures = [
        row
        for line in facts["lines"]
        for row in change_rows(line["extension"], due_on=line["period"]["end"], currency=currency)
    ]
    notes = [] if is_credit_note else history.credit_notes_of(invoice)
    to_pay = _to_pay(place, invoice)
    return render(
        "invoices/statement.html",
        StatementPage(
            invoice=invoice,
            is_credit_note=is_credit_note,
            others=[facts["corrects"]["number"]] if is_credit_note else [note.number for note in notes],
            is_whole=not is_partial(facts if is_credit_note or not notes else notes[0].facts),
            credited=formatting.money(total((note.total for note in notes), currency)),
            facts=rows,
            lines=lines_of(invoice),
            figures=figures,
            to_pay=to_pay,
            pay_link=_pay_link(place, invoice, pay_link, is_open=to_pay is not None),
            totals=totals_of(invoice),
            may_download=Right.DOWNLOAD_DOCUMENTS in place.may,
            has_e_invoice=why_no_e_invoice(facts) is None,
            replaced_by=invoice.replaced_by.number if invoice.replaced_by else facts.get("replaced_by", ""),
            replaces=facts.get("replaces", {}).get("number", ""),
            may_correct=Right.BILLING_SETTINGS in place.may and _stands(invoice),
        ),
    )


def _stands(invoice: Invoice) -> bool:
    return invoice.kind == DocumentKind.INVOICE and invoice.replaced_by_id is None


def lines_of(invoice: Invoice) -> list[StatementLine]:
    """What is charged or credited, in the reader's language."""
    facts, currency, locale = invoice.facts, invoice.currency, locale_code()
    return [
        StatementLine(
            description=_described(line, facts, locale),
            period=_(
                "%(start)s to %(end)s",
                start=formatting.day(date.fromisoformat(line["period"]["start"])),
                end=formatting.day(date.fromisoformat(line["period"]["end"])),
            ),
            rate="" if invoice.kind == DocumentKind.CREDIT_NOTE else _rate(line, currency),
            notes=share_notes(line, facts, language_of(locale)),
            net=formatting.money(Money(line["net_minor"], currency)),
            why=document_line_words(reckoned),
        )
        for line, reckoned in zip(facts["lines"], document_lines(facts), strict=True)
    ]


def totals_of(invoice: Invoice) -> list[tuple[str, str]]:
    """The total last."""
    facts, currency = invoice.facts, invoice.currency
    return [
        (_("Net amount"), formatting.money(Money(invoice.net_minor, currency))),
        (tax_words(facts["tax"]), formatting.money(Money(invoice.tax_minor, currency))),
        *_tax_in_seller_currency(facts.get("tax_in_seller_currency")),
        (_("Total"), formatting.money(invoice.total)),
    ]


def _pay_link(place: Place, invoice: Invoice, address: str, *, is_open: bool) -> PayLinkOfInvoice | None:
    """For whoever says who gets billing mail, while there is something to pay or to withdraw."""
    if Right.BILLING_SETTINGS not in place.may or invoice.due_on is None:
        return None
    works = pay_links.have_living(invoice, now=current().clock.now())
    return PayLinkOfInvoice(address, works=works, may_make=is_open) if works or is_open else None


def _to_pay(place: Place, invoice: Invoice) -> ToPay | None:
    """What is open of an invoice, for whoever may see to whom it is sent."""
    if invoice.order.state != OrderState.INVOICED or not _stands(invoice):
        return None
    if Right.SEE_BILLING_DETAILS not in place.may:
        return None
    invoice.workspace = place.workspace
    return to_pay_of(invoice, on_account.open_part(invoice), place=place)


def _tax_in_seller_currency(told: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if told is None:
        return []
    tax = Money(told["tax_minor"], told["currency"])
    return [(_("That VAT in %(currency)s", currency=tax.currency), formatting.money(tax))]


def _rate(line: Mapping[str, Any], currency: str) -> str:
    """How many licences at how much each, where it is more than one."""
    quantity, each = line["quantity"], formatting.money(Money(line["unit_minor"], currency))
    if quantity == 1:
        return ""
    return ngettext("%(num)d licence at %(each)s", "%(num)d licences at %(each)s each", quantity, each=each)


def _described(line: Mapping[str, Any], facts: Mapping[str, Any], locale: str) -> str:
    text = line["description"].get(locale) or line["description"]["en"]
    return f"{line_number(line, facts)} {text}".lstrip()


def _how_it_was_paid(
    place: Place, payment: Mapping[str, Any] | None, invoice: Invoice, *, is_credit_note: bool
) -> list[tuple[str, str]]:
    """By what, and how much of it by the balance where that was not all."""
    if invoice.replaced_by_id is not None:
        return [(_("State"), _("Corrected"))]
    if invoice.due_on is not None and invoice.order.state == OrderState.INVOICED and not is_credit_note:
        return [
            (_("State"), _("To be paid by bank transfer")),
            (_("Due date"), formatting.day(invoice.due_on)),
        ]
    if invoice.due_on is not None and not is_credit_note:
        return [(_("State"), _("Paid"))]
    if payment is None:
        return [(_("Credited to"), _("Balance"))]
    method = method_shown(place, payment["method"], payment["brand"], payment["last4"])
    kept = Money(payment.get("from_balance_minor", 0), invoice.currency)
    if kept.minor and kept != invoice.total:
        method = _(
            "%(method)s: %(rest)s; balance: %(kept)s",
            method=method,
            rest=formatting.money(invoice.total - kept),
            kept=formatting.money(kept),
        )
    return [(_("Refunded to") if is_credit_note else _("Paid with"), method)]


@blueprint.get("/invoices/<number>.pdf")
@workspace_right(Right.DOWNLOAD_DOCUMENTS)
@limited("document")
def pdf(place: Place, number: str) -> Response:
    """The stored bytes; a document that was never made is promised to the worker and asked for again."""
    limits.count("document", account=current_user.id)
    return pdf_of(invoice_or_404(place, number), back=_page_of(place, number))


def pdf_of(invoice: Invoice, *, back: str) -> Response:
    """`back` leads to the page that it was asked for on."""
    return _download(
        invoice, locale_code(), name=f"{invoice.number}.pdf", media_type="application/pdf", back=back
    )


def _page_of(place: Place, number: str) -> str:
    return url_for(".statement", slug=place.workspace.slug, number=number)


@blueprint.get("/invoices/<number>.xml")
@workspace_right(Right.DOWNLOAD_DOCUMENTS)
@limited("document")
def e_invoice(place: Place, number: str) -> Response:
    """The XML that is in the PDF too; 404 with the reason for a document that has none."""
    limits.count("document", account=current_user.id)
    return xml_of(invoice_or_404(place, number), back=_page_of(place, number))


def xml_of(invoice: Invoice, *, back: str) -> Response:
    """As `pdf_of`."""
    if reason := why_no_e_invoice(invoice.facts):
        page = NoEInvoicePage(invoice=invoice, sentence=_why_no_e_invoice(reason), back=back)
        return render("invoices/no_e_invoice.html", page, status=404)
    return _download(
        invoice,
        Document.E_INVOICE,
        name=f"{invoice.number}.xml",
        media_type="application/xml",
        back=back,
    )


@dataclass(frozen=True, slots=True)
class NoEInvoicePage:
    """A document without XML, and why. `back` leads to its page."""

    invoice: Invoice
    sentence: str
    back: str


def _why_no_e_invoice(reason: NoEInvoice) -> str:
    return {
        NoEInvoice.ISSUED_BEFORE: _(
            "This document was issued before we made e-invoices. Its PDF is the original and stays valid."
        ),
        NoEInvoice.TOO_MANY_DECIMALS: _(
            "The European standard for e-invoices has no amounts with three decimals, as in this currency. "
            "The PDF of this document is the original and stays valid."
        ),
        NoEInvoice.NO_EXCHANGE_RATE: _(
            "No exchange rate was known when this document was issued, and an e-invoice must state its VAT "
            "in our currency. Its PDF is the original and stays valid."
        ),
    }[reason]


def _download(invoice: Invoice, locale: str, *, name: str, media_type: str, back: str) -> Response:
    content = pdfs.find(invoice.id, locale)
    if content is None:
        return _being_prepared(invoice, back=back)
    response = make_response(content)
    response.headers["Content-Type"] = media_type
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Security-Policy"] = DOCUMENT_POLICY
    return response


def _being_prepared(invoice: Invoice, *, back: str) -> Response:
    pdfs.promise(invoice)
    is_credit_note = invoice.kind == DocumentKind.CREDIT_NOTE
    response = render("invoices/preparing.html", status=202, back=back, is_credit_note=is_credit_note)
    response.headers["Refresh"] = f"{PREPARED_IN_SECONDS}"
    return response


def invoice_or_404(place: Place, number: str) -> Invoice:
    invoice = history.find_invoice(place.workspace, number)
    if invoice is None:
        abort(404)
    return invoice
