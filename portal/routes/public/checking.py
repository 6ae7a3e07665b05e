"""Checking a document: whether its number, date, total and account are ours. For anybody who holds one."""

from dataclasses import dataclass

from flask import Blueprint, Response, request

from portal.domain.vocabulary import DocumentKind
from portal.forms.public import CheckForm
from portal.services.invoices import checking
from portal.services.invoices.checking import CheckedDocument
from portal.web import limits
from portal.web.access import limited, public
from portal.web.htmx import render
from portal.words import formatting
from portal.words.i18n import gettext as _

blueprint = Blueprint("checking", __name__)


@dataclass(frozen=True, slots=True)
class CheckPage:
    """`rows` are what is true of the document; `verdict` in a sentence, empty before anything was asked."""

    form: CheckForm
    verdict: str
    advice: str
    is_ours: bool
    rows: list[tuple[str, str]]


@blueprint.get("/check")
@public
@limited("token")
def check() -> Response:
    """The form, and what is known of the document that was asked about. Nothing is written."""
    is_asked = "number" in request.args or "code" in request.args
    form = CheckForm(request.args if is_asked else None)
    if not is_asked:
        return render("public/check.html", CheckPage(form, "", "", False, []))
    if not form.validate():
        return render("public/check.html", CheckPage(form, "", "", False, []), status=422)
    limits.count("token")
    found = checking.check(form.number.data, form.code.data)
    if found is None:
        verdict = _("We issued no document with this number and this code.")
        advice = _(
            "Check both for typing mistakes. If they are as printed and the document asks for money, do not "
            "pay it: ask us first."
        )
        return render("public/check.html", CheckPage(form, verdict, advice, False, []), status=404)
    return render("public/check.html", CheckPage(form, _verdict(found), _advice(found), True, _rows(found)))


def _verdict(found: CheckedDocument) -> str:
    if found.kind == DocumentKind.CREDIT_NOTE:
        return _("We issued this credit note.")
    if found.replaced_by:
        return _(
            "We issued this invoice, and invoice %(number)s has replaced it since.", number=found.replaced_by
        )
    if found.left.minor > 0:
        return _("We issued this invoice, and it is to be paid.")
    return _("We issued this invoice, and there is nothing to pay.")


def _advice(found: CheckedDocument) -> str:
    if found.iban_changed:
        return _("Our account has changed since it was issued. Ask us before you transfer anything.")
    if found.replaced_by:
        return _("Do not pay this one. What is still to be paid stands on the new invoice.")
    if found.left.minor > 0:
        return _("Pay it to this account and to no other, whatever the paper in your hand says.")
    return _("If the paper in your hand says something else, it is not what we issued.")


def _rows(found: CheckedDocument) -> list[tuple[str, str]]:
    rows = [
        (_("Number"), found.number),
        (_("Date of issue"), formatting.day(found.issued_on)),
        (_("Total"), formatting.money(found.total)),
    ]
    if found.left.minor > 0 and found.due_on is not None:
        rows += [(_("To pay"), formatting.money(found.left)), (_("Pay by"), formatting.day(found.due_on))]
    if found.iban:
        rows.append(("IBAN", formatting.in_fours(found.iban)))
    return rows
