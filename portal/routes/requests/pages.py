"""Purchase requests: asking for the cart, the list, one request, and what is decided about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, g, url_for
from flask_babel import ngettext
from flask_login import current_user

from portal.domain.cart import CartNotAsShown
from portal.domain.errors import OrderAlreadyPlaced
from portal.domain.plans import PlanTooSmall
from portal.domain.requests import AlreadyDecided, BeingOrdered, TooManyRequests
from portal.domain.vocabulary import OrderState, ProductKind, RequestState, Right
from portal.forms.requests import AskForm, DeclineForm
from portal.models import Person, PurchaseRequestLine
from portal.routes.checkout.cart import (
    cart_page,
    deciders_of,
    line_difference,
    line_rate,
    line_sentence,
    line_title,
)
from portal.routes.checkout.pages import asking_page, not_orderable, order_or_404
from portal.routes.plans.page import CANNOT_BE_ORDERED, REFUSALS, refused
from portal.runtime import current
from portal.services import requests
from portal.services.checkout.cart import ReadLine
from portal.services.places import Place
from portal.services.requests import ReadRequest
from portal.web.access import workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import page_cursor
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.people import somebody
from portal.words.plans import order_later, priced_name
from portal.words.requests import request_words

blueprint = Blueprint("requests", __name__, url_prefix="/w/<slug>/requests")
ROWS_OF_A_PAGE = 50


# --- asking ---------------------------------------------------------------------------------------


@blueprint.post("")
@workspace_right(Right.ASK)
def ask(place: Place) -> Response:
    """Ask for everything in the cart, if it and its prices are what was shown."""
    form = AskForm()
    if not form.validate_on_submit():
        return cart_page(place, asking=form, status=422)
    try:
        request = requests.ask(place, shown=form.shown.data, note=form.note.data, now=current().clock.now())
    except CartNotAsShown:
        said = _("Nothing was asked for. The cart or a price has changed since you saw it: please check it.")
        return cart_page(place, asking=form, news=[said], status=409)
    except TooManyRequests as refusal:
        return cart_page(place, asking=form, news=[too_many(refusal)], status=409)
    except OrderAlreadyPlaced:
        return cart_page(place, asking=form, news=[order_later()], status=409)
    except REFUSALS:
        said = _("Nothing was asked for: something in the cart cannot be ordered.")
        return cart_page(place, asking=form, news=[said], status=422)
    return asked(place, request.number)


@blueprint.post("/orders/<order>")
@workspace_right(Right.BUY)
def ask_for_order(place: Place, order: str) -> Response:
    """Ask for what an order is for that costs more than a member buys without asking."""
    wanted = order_or_404(place, order)
    form = AskForm()
    if wanted.state != OrderState.OPEN:
        return redirect_after_write(url_for("checkout.result", slug=place.workspace.slug, number=order))
    if wanted.details is None:
        return redirect_after_write(url_for("checkout.details", slug=place.workspace.slug, number=order))
    if any(line.changes_licences for line in wanted.frozen_lines):
        said = _("Only these people can change running licences: %(names)s.", names=deciders_of(place))
        return asking_page(place, order, form, problem=said, status=409)
    if any(line.prolongs_licences for line in wanted.frozen_lines):
        said = _("What is due for licences is paid by these people: %(names)s.", names=deciders_of(place))
        return asking_page(place, order, form, problem=said, status=409)
    if not form.validate_on_submit():
        return asking_page(place, order, form, status=422)
    try:
        request = requests.ask_for_order(place, wanted, note=form.note.data, now=current().clock.now())
    except TooManyRequests as refusal:
        return asking_page(place, order, form, problem=too_many(refusal), status=409)
    except PlanTooSmall as refusal:
        return refused(place, refusal, wanted="", currency=wanted.currency)
    except CANNOT_BE_ORDERED as refusal:
        return not_orderable(place, wanted, refusal)
    return asked(place, request.number)


def asked(place: Place, number: str) -> Response:
    """To the request that was made."""
    flash(_("Your request is sent. You get an e-mail once it is decided."), "done")
    return redirect_after_write(_address(place, number))


def too_many(refusal: TooManyRequests) -> str:
    return ngettext(
        "You have %(num)d request that nobody has decided yet. Withdraw it, or wait.",
        "You have %(num)d requests that nobody has decided yet. Withdraw one of them, or wait.",
        refusal.most,
    )


# --- all of them ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RequestRow:
    number: str
    asker: str
    what: str
    asked_at: str
    net: str
    state: str


@dataclass(frozen=True, slots=True)
class RequestsPage:
    """`sees_all`: the reader decides about requests, and sees those of others. `older` is the next cursor."""

    rows: list[RequestRow]
    sees_all: bool
    deciders: str
    older: int | None
    is_first: bool


@blueprint.get("")
@workspace_right(Right.ASK)
def index(place: Place) -> Response:
    cursor, now = page_cursor(), current().clock.now()
    found = requests.list_requests(place, before=cursor, size=ROWS_OF_A_PAGE + 1, now=now)
    rows = found[:ROWS_OF_A_PAGE]
    sees_all = Right.APPROVE in place.may
    page = RequestsPage(
        rows=[_row(place, each) for each in rows],
        sees_all=sees_all,
        deciders="" if sees_all else deciders_of(place),
        older=rows[-1].request.id if len(found) > ROWS_OF_A_PAGE else None,
        is_first=cursor is None,
    )
    return render("requests/index.html", page)


def _row(place: Place, each: ReadRequest) -> RequestRow:
    request = each.request
    return RequestRow(
        number=request.number,
        asker=_name(request.asker),
        what=", ".join(_what(line) for line in each.lines),
        asked_at=formatting.instant(request.created_at, place.workspace.time_zone),
        net=formatting.money(each.net),
        state=request_words(each.state),
    )


def _what(line: PurchaseRequestLine) -> str:
    is_licensed = line.product.kind == ProductKind.LICENSED
    return priced_name(line.plan.names, line.interval, line.quantity if is_licensed else None)


def _name(person: Person | None) -> str:
    return somebody(person.name if person is not None else "")


# --- one of them ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RequestLine:
    """What is asked for of one product. `seen` is what the asker was shown, `today` what it costs now.

    `today` is empty where it cannot be bought any more, and `problem` says why. `difference`: another price.
    """

    name: str
    title: str
    rate: str
    seen: str
    today: str
    difference: str
    problem: str


@dataclass(frozen=True, slots=True)
class RequestPage:
    """One request, ready to print.

    `deciders` while it waits and the reader does not decide; `ordered_by` has opened it as an order.
    `decline_form` None: the reader decides nothing. `may_order`: everything can still be bought.
    """

    number: str
    news: list[str]
    state: str
    asker: str
    asked_at: str
    until: str
    note: list[str]
    lines: list[RequestLine]
    net_seen: str
    net_today: str
    decision: str
    reason: list[str]
    deciders: str
    ordered_by: str
    may_order: bool
    gone: str
    decline_form: DeclineForm | None
    may_withdraw: bool
    order_address: str


@blueprint.get("/<number>")
@workspace_right(Right.ASK)
def show(place: Place, number: str) -> Response:
    return _page(place, _request_or_404(place, number))


@blueprint.post("/<number>/approve")
@workspace_right(Right.APPROVE)
def approve(place: Place, number: str) -> Response:
    """Open it as an order at today's quote; paying that order approves it."""
    _request_or_404(place, number)
    if place.workspace.is_corporate:
        return _approve_for_adviser(place, number)
    try:
        order = requests.open_as_order(place, number, now=current().clock.now())
    except (AlreadyDecided, BeingOrdered) as refusal:
        return _refused(place, number, refusal)
    except OrderAlreadyPlaced:
        return _page(place, _request_or_404(place, number), news=[order_later()], status=409)
    except REFUSALS:
        said = _("Nothing was ordered: something in the request can no longer be bought.")
        return _page(place, _request_or_404(place, number), news=[said], status=422)
    return redirect_after_write(url_for("checkout.details", slug=place.workspace.slug, number=order.number))


def _approve_for_adviser(place: Place, number: str) -> Response:
    """Nothing is bought here: whoever approves orders it from the adviser."""
    try:
        requests.approve_without_order(place, number, by=_me(), now=current().clock.now())
    except (AlreadyDecided, BeingOrdered) as refusal:
        return _refused(place, number, refusal)
    flash(_("The request is approved. Now order it from your adviser."), "done")
    return redirect_after_write(_address(place, number))


@blueprint.post("/<number>/decline")
@workspace_right(Right.APPROVE)
def decline(place: Place, number: str) -> Response:
    read = _request_or_404(place, number)
    form = DeclineForm()
    if not form.validate_on_submit():
        return _page(place, read, decline_form=form, status=422)
    try:
        requests.decline(place, number, by=_me(), reason=form.reason.data, now=current().clock.now())
    except (AlreadyDecided, BeingOrdered) as refusal:
        return _refused(place, number, refusal)
    flash(_("The request is declined, and %(name)s is told.", name=_name(read.request.asker)), "done")
    return redirect_after_write(_address(place, number))


@blueprint.post("/<number>/withdraw")
@workspace_right(Right.ASK)
def withdraw(place: Place, number: str) -> Response:
    """By who asked; others decline it."""
    read = _request_or_404(place, number)
    if read.request.asker_id != place.member.person_id:
        g.missing_right = Right.APPROVE
        abort(403)
    try:
        requests.withdraw(place, number, by=_me(), now=current().clock.now())
    except (AlreadyDecided, BeingOrdered) as refusal:
        return _refused(place, number, refusal)
    flash(_("Your request is withdrawn."), "done")
    return redirect_after_write(_address(place, number))


def _refused(place: Place, number: str, refusal: AlreadyDecided | BeingOrdered) -> Response:
    """Somebody was quicker, or the time is over: the page says how the request stands now."""
    match refusal:
        case BeingOrdered():
            said = _("Nothing was changed: %(name)s is ordering this.", name=refusal.by)
        case AlreadyDecided(state=RequestState.APPROVED):
            said = _("Nothing was changed: this request is already approved.")
        case AlreadyDecided(state=RequestState.DECLINED):
            said = _("Nothing was changed: this request is already declined.")
        case AlreadyDecided(state=RequestState.WITHDRAWN):
            said = _("Nothing was changed: this request was withdrawn.")
        case _:
            said = _("Nothing was changed: this request has expired. Ask again if it is still needed.")
    return _page(place, _request_or_404(place, number), news=[said], status=409)


def _page(
    place: Place,
    read: ReadRequest,
    *,
    news: Sequence[str] = (),
    decline_form: DeclineForm | None = None,
    status: int = 200,
) -> Response:
    request, zone = read.request, place.workspace.time_zone
    decides = read.is_open and Right.APPROVE in place.may
    today = requests.todays(place, read, now=current().clock.now()) if read.is_open else None
    lines = [
        _line(line, today.lines[position] if today else None) for position, line in enumerate(read.lines)
    ]
    is_same = today is not None and today.is_orderable and today.net == read.net
    page = RequestPage(
        number=request.number,
        news=list(news),
        state=request_words(read.state),
        asker=_name(request.asker),
        asked_at=formatting.instant(request.created_at, zone),
        until=formatting.instant(request.expires_at, zone) if read.is_open else "",
        note=request.note.splitlines(),
        lines=lines,
        net_seen=formatting.money(read.net),
        net_today="" if today is None or is_same else formatting.money(today.net),
        decision=_decision(read, zone),
        reason=request.reason.splitlines(),
        deciders=deciders_of(place) if read.is_open and not decides else "",
        ordered_by=read.ordered_by,
        may_order=today is not None and today.is_orderable,
        gone=", ".join(line.name for line in lines if line.problem),
        decline_form=(decline_form or DeclineForm(formdata=None)) if decides else None,
        may_withdraw=read.is_open and request.asker_id == place.member.person_id,
        order_address=_order_address(place, read),
    )
    return render("requests/show.html", page, status=status)


def _line(line: PurchaseRequestLine, today: ReadLine | None) -> RequestLine:
    is_licensed = line.product.kind == ProductKind.LICENSED
    has_problem = today is not None and today.refusal is not None
    return RequestLine(
        name=translated(line.product.names),
        title=line_title(line.plan, line.interval, line.quantity, licensed=is_licensed),
        rate=line_rate(today) if today is not None else "",
        seen=formatting.money(line.net),
        today=formatting.money(today.net) if today is not None and today.net is not None else "",
        difference=line_difference(today) if today is not None and not has_problem else "",
        problem=line_sentence(today.refusal, line.product) if today is not None and today.refusal else "",
    )


def _decision(read: ReadRequest, zone: str) -> str:
    """What became of it, when, and by whom; empty while it waits."""
    request = read.request
    if read.state is RequestState.EXPIRED:
        return _("Nobody decided before %(at)s.", at=formatting.instant(request.expires_at, zone))
    if request.decided_at is None:
        return ""
    words = {"by": _name(request.decided_by), "at": formatting.instant(request.decided_at, zone)}
    return {
        RequestState.APPROVED: _("%(by)s approved it on %(at)s.", **words),
        RequestState.DECLINED: _("%(by)s declined it on %(at)s.", **words),
        RequestState.WITHDRAWN: _("%(by)s withdrew it on %(at)s.", **words),
    }[read.state]


def _order_address(place: Place, read: ReadRequest) -> str:
    """Of the order that it became, for whoever may see that."""
    order = read.request.order
    may_see = order is not None and (
        order.person_id == place.member.person_id or Right.SEE_BILLING_DETAILS in place.may
    )
    if not may_see or order is None or Right.BUY not in place.may:
        return ""
    return url_for("checkout.result", slug=place.workspace.slug, number=order.number)


def _request_or_404(place: Place, number: str) -> ReadRequest:
    read = requests.find(place, number, now=current().clock.now())
    if read is None:
        abort(404)
    return read


def _address(place: Place, number: str) -> str:
    return url_for("requests.show", slug=place.workspace.slug, number=number)


def _me() -> Person:
    return current_user._get_current_object()
