"""The pay links of a workspace, as the vendor's staff withdraws them."""

from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, url_for

from portal.runtime import current
from portal.services.invoices import history, pay_links
from portal.web.access import operators_only
from portal.web.htmx import redirect_after_write, render
from portal.words import formatting
from portal.words.i18n import gettext as _

from .workspaces import workspace_or_404

blueprint = Blueprint("operator_pay_links", __name__, url_prefix="/operator/workspaces/<slug>/pay-links")


@dataclass(frozen=True, slots=True)
class PayLinksPage:
    """`rows`: number, day of issue and amount of each invoice that some link leads to."""

    slug: str
    workspace_name: str
    rows: list[tuple[str, str, str]]


@blueprint.get("")
@operators_only
def index(slug: str) -> Response:
    workspace = workspace_or_404(slug)
    linked = pay_links.invoices_with_living(workspace, now=current().clock.now())
    rows = [(each.number, formatting.day(each.issued_on), formatting.money(each.total)) for each in linked]
    return render("operator/pay_links.html", PayLinksPage(slug, workspace.name, rows))


@blueprint.post("/<number>/withdraw")
@operators_only
def withdraw(slug: str, number: str) -> Response:
    """No link to the invoice works any more, whoever has one."""
    workspace = workspace_or_404(slug)
    invoice = history.find_invoice(workspace, number)
    if invoice is None:
        abort(404)
    if pay_links.withdraw(workspace, invoice, now=current().clock.now()):
        flash(_("No link to this invoice works any more."), "done")
    return redirect_after_write(url_for(".index", slug=slug))
