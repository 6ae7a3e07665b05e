"""Requests for the non-profit plan: the vendor's staff decides."""

from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, request, url_for
from flask_login import current_user

from portal.domain import addresses
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.vocabulary import NonprofitState
from portal.forms.operator import AcceptForm, RefuseForm
from portal.models import NonprofitRequest, Person
from portal.routes.plans.refusals import refusals_of
from portal.runtime import current
from portal.services.open_money import MoneyOnItsWay
from portal.services.subscriptions import agreement, nonprofit
from portal.services.subscriptions.nonprofit import AlreadyDecided, NoSuchWorkspace
from portal.web.access import operators_only
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import page_cursor
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import locale_code
from portal.words.people import somebody

blueprint = Blueprint("nonprofit_requests", __name__, url_prefix="/operator/nonprofit")
ROWS_OF_A_PAGE = 50
REQUEST = f"/<int(max={2**31 - 1}):request_id>"


@blueprint.get("")
@operators_only
def index() -> Response:
    """Those that wait for a decision, or all of them."""
    shows_all = request.args.get("show") == "all"
    cursor = page_cursor()
    found = nonprofit.requests(
        state=None if shows_all else NonprofitState.RECEIVED, before=cursor, size=ROWS_OF_A_PAGE + 1
    )
    rows = found[:ROWS_OF_A_PAGE]
    return render(
        "operator/nonprofit_requests.html",
        rows=[(row, addresses.country_name(row.country, locale_code()), state_words(row)) for row in rows],
        older=rows[-1].id if len(found) > ROWS_OF_A_PAGE else None,
        shows_all=shows_all,
        is_first=cursor is None,
    )


@blueprint.get(REQUEST)
@operators_only
def show(request_id: int) -> Response:
    return _page(_request_or_404(request_id))


@blueprint.post(f"{REQUEST}/accept")
@operators_only
def accept(request_id: int) -> Response:
    asked = _request_or_404(request_id)
    form = _accept_form(asked)
    if not form.validate_on_submit():
        return _page(asked, accept_form=form, status=422)
    try:
        nonprofit.accept(asked, slug=form.slug.data, by=_me(), now=current().clock.now())
    except AlreadyDecided:
        return _decided_before(asked)
    except NoSuchWorkspace:
        form.add_error("slug", _("There is no workspace at this address."))
    except MoneyOnItsWay:
        form.add_error("slug", _("Wait: a payment or refund for this workspace is not confirmed yet."))
    except PlanTooSmall as refusal:
        form.add_error("slug", _too_small(refusal))
    except PlanNotOffered:
        form.add_error(None, _("The catalogue has no plan for non-profit organisations."))
    else:
        flash(_("The request is accepted. The plan has begun, and the organisation has been told."), "done")
        return redirect_after_write(url_for("nonprofit_requests.show", request_id=request_id))
    return _page(asked, accept_form=form, status=422)


@blueprint.post(f"{REQUEST}/refuse")
@operators_only
def refuse(request_id: int) -> Response:
    asked = _request_or_404(request_id)
    form = RefuseForm()
    if not form.validate_on_submit():
        return _page(asked, refuse_form=form, status=422)
    try:
        nonprofit.refuse(asked, reason=form.reason.data, by=_me(), now=current().clock.now())
    except AlreadyDecided:
        return _decided_before(asked)
    flash(_("The request is refused, and the organisation has been told why."), "done")
    return redirect_after_write(url_for("nonprofit_requests.show", request_id=request_id))


@dataclass(frozen=True, slots=True)
class RequestPage:
    """One request, and the forms that decide it."""

    asked: NonprofitRequest
    country: str
    state_label: str
    decision: str
    is_undecided: bool
    status_today: agreement.SubscriptionStatus | None
    accept_form: AcceptForm
    refuse_form: RefuseForm


def _page(
    asked: NonprofitRequest,
    *,
    accept_form: AcceptForm | None = None,
    refuse_form: RefuseForm | None = None,
    status: int = 200,
) -> Response:
    workspace = asked.workspace
    status_today = None
    if workspace is not None and asked.state == NonprofitState.RECEIVED:
        today = workspace.day(current().clock.now())
        status_today = agreement.status_of(agreement.of_workspace(workspace), today=today)
    return render(
        "operator/nonprofit_request.html",
        RequestPage(
            asked=asked,
            country=addresses.country_name(asked.country, locale_code()),
            state_label=state_words(asked),
            decision=_decision(asked),
            is_undecided=asked.state == NonprofitState.RECEIVED,
            status_today=status_today,
            accept_form=accept_form or _accept_form(asked),
            refuse_form=refuse_form or RefuseForm(formdata=None),
        ),
        status=status,
    )


def _decided_before(asked: NonprofitRequest) -> Response:
    """Somebody else was faster: the page says who, and what they decided."""
    found = _request_or_404(asked.id)
    flash(_("Nothing was changed: this request has already been decided."), "error")
    return _page(found, accept_form=AcceptForm(formdata=None), status=409)


def _accept_form(asked: NonprofitRequest) -> AcceptForm:
    return AcceptForm(data={"slug": asked.workspace.slug if asked.workspace else ""})


def _too_small(refusal: PlanTooSmall) -> str:
    """Each limit with both figures."""
    figures = [f"{limit.allowed} {limit.used}" for limit in refusals_of(refusal.exceeded_limits)]
    return " ".join([_("The workspace is too large for this plan."), *figures])


def _decision(asked: NonprofitRequest) -> str:
    """Who decided what, and when; empty while nobody has."""
    if asked.decided_at is None or asked.decided_by is None:
        return ""
    words = {"by": somebody(asked.decided_by.name), "at": formatting.instant(asked.decided_at, "UTC")}
    if asked.state == NonprofitState.ACCEPTED:
        return _("%(by)s accepted this request on %(at)s UTC.", **words)
    return _("%(by)s refused this request on %(at)s UTC.", **words)


def state_words(asked: NonprofitRequest) -> str:
    return {
        NonprofitState.RECEIVED: _("To decide"),
        NonprofitState.ACCEPTED: _("Accepted"),
        NonprofitState.REFUSED: _("Refused"),
    }[asked.state]


def _request_or_404(request_id: int) -> NonprofitRequest:
    asked = nonprofit.find(request_id)
    if asked is None:
        abort(404)
    return asked


def _me() -> Person:
    return current_user._get_current_object()
