"""Correcting whom an issued invoice names: what it says beside what a new one would say, and the act."""

from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, request, url_for
from flask_login import current_user

from portal.domain.corrections import Difference
from portal.domain.legal_numbers import legal_number_name
from portal.domain.tax_numbers import tax_number_label
from portal.domain.vocabulary import DocumentKind, Right
from portal.models import Invoice
from portal.runtime import current
from portal.services.invoices import corrections
from portal.services.invoices.corrections import (
    Correction,
    CorrectionChanged,
    CorrectionRefused,
    NotCorrectable,
)
from portal.services.places import Place
from portal.web import limits
from portal.web.access import limited, workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.place import status_here
from portal.words import formatting
from portal.words.i18n import gettext as _

from .history import invoice_or_404

blueprint = Blueprint("corrections", __name__, url_prefix="/w/<slug>/invoices")


@blueprint.route("/<number>/correction", methods=["GET", "POST"])
@workspace_right(Right.BILLING_SETTINGS)
@limited("correction")
def show(place: Place, number: str) -> Response:
    """The GET says what differs and what happens; the POST does what was shown."""
    invoice = invoice_or_404(place, number)
    if invoice.kind != DocumentKind.INVOICE:
        abort(404)
    status_here(place)
    if request.method == "POST":
        return _correct(place, invoice)
    try:
        planned = corrections.preview(place.workspace, invoice, now=current().clock.now())
    except CorrectionRefused as refusal:
        return _impossible(invoice, refusal, status=200)
    return _page(planned)


def _correct(place: Place, invoice: Invoice) -> Response:
    limits.count("correction", account=current_user.id)
    try:
        newer = corrections.correct(
            place.workspace,
            invoice,
            shown_hash=request.form.get("shown", ""),
            now=current().clock.now(),
        )
    except CorrectionChanged as changed:
        problem = _(
            "Nothing was corrected. Something has changed since you saw this page: please check it again."
        )
        return _page(changed.current, problem=problem, status=409)
    except CorrectionRefused as refusal:
        return _impossible(invoice, refusal, status=409)
    flash(
        _(
            "Invoice %(newer)s replaces invoice %(number)s. Both documents are mailed.",
            newer=newer.number,
            number=invoice.number,
        ),
        "done",
    )
    return redirect_after_write(url_for("history.statement", slug=place.workspace.slug, number=newer.number))


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """`before` and `after` in lines; none where the document says nothing of it."""

    label: str
    before: list[str]
    after: list[str]


@dataclass(frozen=True, slots=True)
class CorrectionPage:
    """What differs, and what correcting does in sentences. `shown` is what the form sends.

    `impossible`: why it cannot be corrected, else empty, with the number of the invoice that has replaced it.
    """

    number: str
    rows: list[ComparedRow]
    effects: list[str]
    shown: str
    problem: str
    impossible: str
    newer: str


def _page(planned: Correction, *, problem: str = "", status: int = 200) -> Response:
    return render(
        "invoices/correction.html",
        CorrectionPage(
            number=planned.invoice.number,
            rows=[_row(each, planned) for each in planned.differences],
            effects=_effects(planned),
            shown=planned.hash,
            problem=problem,
            impossible="",
            newer="",
        ),
        status=status,
    )


def _impossible(invoice: Invoice, refusal: CorrectionRefused, *, status: int) -> Response:
    page = CorrectionPage(invoice.number, [], [], "", "", _why_not(refusal), refusal.newer)
    return render("invoices/correction.html", page, status=status)


def _row(difference: Difference, planned: Correction) -> ComparedRow:
    country, number = str(planned.details["country"]), difference.after or difference.before
    label = {
        "name": _("Billed to"),
        "contact": _("Contact"),
        "address": _("Address"),
        "email": _("E-mail"),
        "legal_number": legal_number_name(country, number) or _("Company number"),
        "vat_number": _("VAT number"),
        "tax_number": tax_number_label(country) or _("Tax number"),
        "electronic_address": _("Electronic address for e-invoices"),
        "purchase_order": _("Additional remarks"),
    }[difference.name]
    return ComparedRow(label, difference.before.splitlines(), difference.after.splitlines())


def _effects(planned: Correction) -> list[str]:
    """The amounts stay, so that only what is still to be paid differs."""
    total = formatting.money(planned.invoice.total)
    sentences = [
        _(
            "A credit note for %(total)s cancels invoice %(number)s in full.",
            total=total,
            number=planned.invoice.number,
        ),
        _(
            "A new invoice for %(total)s replaces it, with a number of its own and today’s date.",
            total=total,
        ),
        _("Nothing is charged and nothing is sent back."),
    ]
    if planned.left.minor and planned.invoice.due_on:
        sentences.append(
            _(
                "What is to be paid stays the same: %(left)s by %(date)s.",
                left=formatting.money(planned.left),
                date=formatting.day(planned.invoice.due_on),
            )
        )
    return [*sentences, _("Both documents are mailed to everybody who gets billing mail.")]


def _why_not(refusal: CorrectionRefused) -> str:
    return {
        NotCorrectable.CORRECTED: _("This invoice was corrected already."),
        NotCorrectable.REFUNDED: _("This invoice was refunded, so it is not corrected any more."),
        NotCorrectable.CREDITED: _(
            "A part of this invoice was credited already, or all of it. Please contact us."
        ),
        NotCorrectable.MONEY_IS_OPEN: _(
            "A payment or a refund for this invoice is being confirmed. Please try again once its result is "
            "known."
        ),
        NotCorrectable.DISPUTED: _(
            "The payment of this invoice was disputed, so it cannot be corrected here. Please contact us."
        ),
        NotCorrectable.ISSUED_BEFORE: _(
            "This invoice was issued before we made e-invoices, so it cannot be corrected here. Please "
            "contact us."
        ),
        NotCorrectable.NO_DETAILS: _("The billing settings do not say yet whom to invoice."),
        NotCorrectable.TAX_CHANGES: _(
            "With these details another VAT would apply, so the amount would change. Please contact us."
        ),
    }[refusal.reason]
