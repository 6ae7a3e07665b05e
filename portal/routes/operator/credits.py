"""The vendor's staff gives a workspace money with a reason, and takes back what was a mistake."""

import secrets
from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, redirect, url_for

from portal.domain.money import Money
from portal.forms.operator import CreditForm, TakeCreditBackForm
from portal.models import Workspace
from portal.runtime import current
from portal.services import ledger
from portal.services.payments import given_credits, on_account
from portal.services.payments.given_credits import FormUsed, GivenCredit, WithdrawalChanged, WorkspaceGone
from portal.services.payments.on_account import CoveredInvoice
from portal.web.access import operators_only
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import whole_number
from portal.words import formatting
from portal.words.i18n import gettext as _

from .workspaces import workspace_or_404

blueprint = Blueprint("operator_credits", __name__, url_prefix="/operator/workspaces/<slug>/credits")
CREDITS_SHOWN = 50
KEY_BYTES = 15


@dataclass(frozen=True, slots=True)
class CreditRow:
    """A credit that was given. `state` says what became of it, `url` leads to taking back what is unused."""

    date: str
    amount: str
    reason: str
    state: str
    url: str


@dataclass(frozen=True, slots=True)
class CreditsPage:
    """`balances` is what is kept and owed now, empty for neither."""

    form: CreditForm
    slug: str
    workspace_name: str
    balances: str
    rows: list[CreditRow]


@blueprint.get("")
@operators_only
def index(slug: str) -> Response:
    workspace = workspace_or_404(slug)
    return _page(workspace, _form(workspace))


@blueprint.post("")
@operators_only
def give(slug: str) -> Response:
    """What was shown once more is given; the key of its form lets it be given once."""
    workspace = workspace_or_404(slug)
    form = _form(workspace)
    if not form.validate_on_submit() or not form.key.data:
        return _page(workspace, form, status=422)
    amount = _amount(form)
    try:
        given_credits.give(
            workspace,
            amount=amount,
            reason=form.reason.data,
            key=form.key.data,
            now=current().clock.now(),
        )
    except WorkspaceGone:
        abort(404)
    except FormUsed:
        form.add_error(None, _("This form was used for another credit already. Please check it again."))
        return _page(workspace, form, status=409)
    flash(_("The credit of %(amount)s was given.", amount=formatting.money(amount)), "done")
    return redirect_after_write(url_for("operator_credits.index", slug=slug))


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """What the credit does. `waits` says why it would not be used soon, empty where it is."""

    form: CreditForm
    slug: str
    workspace_name: str
    amount: str
    facts: list[tuple[str, str, str]]
    waits: str


@blueprint.route("/review", methods=["GET", "POST"])
@operators_only
def review(slug: str) -> Response:
    """The credit once more, before it is given."""
    workspace = workspace_or_404(slug)
    form = _form(workspace)
    if not form.is_submitted():
        # Nothing of it stands in the address: whoever changes the language here begins again.
        return redirect(url_for("operator_credits.index", slug=slug), 303)  # type: ignore[return-value]
    if not form.validate():
        return _page(workspace, form, status=422)
    form.key.data = secrets.token_urlsafe(KEY_BYTES)
    amount = _amount(form)
    before = ledger.balance_of(workspace, amount.currency)
    paid = on_account.would_pay(workspace, amount)
    return render(
        "operator/credit_review.html",
        ReviewPage(
            form=form,
            slug=slug,
            workspace_name=workspace.name,
            amount=formatting.money(amount),
            facts=[
                (_("Amount"), formatting.money(amount), "credit-amount"),
                (_("Reason"), form.reason.data, "credit-reason"),
                (_("Balance now"), formatting.money(before), "credit-before"),
                (_("Balance afterwards"), formatting.money(before + amount), "credit-after"),
                *((each.invoice.number, _pays(each), "credit-pays") for each in paid),
            ],
            waits=_why_it_waits(workspace, amount),
        ),
    )


def _pays(each: CoveredInvoice) -> str:
    if each.left.minor:
        return _(
            "%(amount)s of it is paid, %(left)s stays open",
            amount=formatting.money(each.covered),
            left=formatting.money(each.left),
        )
    return _("%(amount)s is paid, and nothing stays open", amount=formatting.money(each.covered))


def _why_it_waits(workspace: Workspace, amount: Money) -> str:
    _sold, charged = given_credits.currencies(workspace)
    if not charged or amount.currency in charged:
        return ""
    return _(
        "This workspace is charged in %(charged)s: a credit in %(currency)s waits until something is paid "
        "in that currency.",
        charged=", ".join(charged),
        currency=amount.currency,
    )


@dataclass(frozen=True, slots=True)
class TakeBackPage:
    """`amount` is what is unused of the credit, all of which is taken back."""

    form: TakeCreditBackForm
    slug: str
    workspace_name: str
    amount: str
    facts: list[tuple[str, str]]


@blueprint.route("/<key>/take-back", methods=["GET", "POST"])
@operators_only
def take_back(slug: str, key: str) -> Response:
    """What is unused of a credit, and why it goes."""
    workspace = workspace_or_404(slug)
    given = given_credits.find(workspace, key)
    if given is None:
        abort(404)
    form = TakeCreditBackForm(data={"shown": str(given.left.minor), "key": given.next_key})
    if not form.validate_on_submit() or not form.key.data:
        return _take_back_page(workspace, given, form, status=422 if form.is_submitted() else 200)
    shown = whole_number(form.shown.data, digits=15) or 0
    try:
        withdrawal = given_credits.take_back(
            given.credit,
            shown=Money(shown, given.credit.currency),
            reason=form.reason.data,
            key=form.key.data,
            now=current().clock.now(),
        )
    except (WithdrawalChanged, FormUsed):
        fresh = given_credits.find(workspace, key)
        assert fresh is not None, "no credit is ever deleted"
        form.shown.data, form.key.data = str(fresh.left.minor), fresh.next_key
        form.add_error(
            None,
            _(
                "Nothing was taken back. Something has changed since you saw this page: please check it "
                "again."
            ),
        )
        return _take_back_page(workspace, fresh, form, status=409)
    flash(_("%(amount)s was taken back.", amount=formatting.money(withdrawal.amount)), "done")
    return redirect_after_write(url_for("operator_credits.index", slug=slug))


def _take_back_page(
    workspace: Workspace, given: GivenCredit, form: TakeCreditBackForm, *, status: int
) -> Response:
    credit = given.credit
    return render(
        "operator/credit_take_back.html",
        TakeBackPage(
            form=form,
            slug=workspace.slug,
            workspace_name=workspace.name,
            amount=formatting.money(given.left) if given.left.minor else "",
            facts=[
                (_("Given on"), formatting.day(workspace.day(credit.made_at))),
                (_("Amount"), formatting.money(credit.amount)),
                (_("Reason"), credit.reason),
                (_("Unused"), formatting.money(given.left)),
            ],
        ),
        status=status,
    )


def _page(workspace: Workspace, form: CreditForm, *, status: int = 200) -> Response:
    form.key.data = ""
    return render(
        "operator/credits.html",
        CreditsPage(
            form=form,
            slug=workspace.slug,
            workspace_name=workspace.name,
            balances=", ".join(formatting.money(each) for each in ledger.balances(workspace) if each.minor),
            rows=[
                _row(workspace, each) for each in given_credits.of_workspace(workspace, most=CREDITS_SHOWN)
            ],
        ),
        status=status,
    )


def _row(workspace: Workspace, given: GivenCredit) -> CreditRow:
    credit = given.credit
    return CreditRow(
        date=formatting.instant(credit.made_at, workspace.time_zone),
        amount=formatting.money(credit.amount),
        reason=credit.reason,
        state=_what_became_of_it(given),
        url=url_for("operator_credits.take_back", slug=workspace.slug, key=credit.key)
        if given.left.minor
        else "",
    )


def _what_became_of_it(given: GivenCredit) -> str:
    if given.taken_back.minor:
        return _("%(amount)s was taken back", amount=formatting.money(given.taken_back))
    if given.left == given.credit.amount:
        return _("Unused")
    if given.left.minor:
        return _("%(amount)s is unused", amount=formatting.money(given.left))
    return _("Used")


def _form(workspace: Workspace) -> CreditForm:
    """In the currency that the workspace is charged in, unless another one is chosen."""
    sold, charged = given_credits.currencies(workspace)
    usual = next((each for each in (*charged, workspace.currency) if each in sold), "")
    return CreditForm(currencies=sold, data={"currency": usual})


def _amount(form: CreditForm) -> Money:
    assert form.amount.minor is not None, "the amount was validated"
    return Money(form.amount.minor, form.currency.data)
