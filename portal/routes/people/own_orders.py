"""What a person ordered in their workspaces."""

from dataclasses import dataclass

from flask import Blueprint, Response, request, url_for
from flask_babel import ngettext
from flask_login import current_user

from portal.domain.vocabulary import OrderProgress
from portal.services.people import own_orders
from portal.services.people.own_orders import OwnOrder
from portal.web.access import signed_in
from portal.web.htmx import render
from portal.web.lists import page_cursor
from portal.words import formatting
from portal.words.declines import decline_reason
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.states import progress_words

blueprint = Blueprint("own_orders", __name__, url_prefix="/me")
ROWS_OF_A_PAGE = 50
SHOW = "show"
WITHOUT_MONEY = (OrderProgress.NOT_CONFIRMED, OrderProgress.DECLINED, OrderProgress.NOT_PAID)


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order ready to print. `reason`: why no money moved, where that is known; `document`: its invoice."""

    number: str
    url: str
    workspace: str
    plan: str
    is_renewal: bool
    date: str
    state: OrderProgress
    state_label: str
    reason: str
    amount: str
    document: str
    document_url: str


@dataclass(frozen=True, slots=True)
class OrdersPage:
    """`note` tells of the orders that nobody finished, `switch` is the link (label, address) that shows or
    hides them; both empty where there are none. `older`: the address of the next page, empty for none.
    """

    rows: list[OrderRow]
    note: str
    switch: tuple[str, str]
    older: str


@blueprint.get("/orders")
@signed_in
def index() -> Response:
    cursor, shows_all = page_cursor(), request.args.get("unfinished") == SHOW
    found = own_orders.orders_of(
        current_user._get_current_object(), size=ROWS_OF_A_PAGE, before=cursor, with_not_finished=shows_all
    )
    return render(
        "people/orders.html",
        OrdersPage(
            rows=[_row(order) for order in found.rows],
            note="" if shows_all else _hidden_note(found.not_finished),
            switch=_switch(found.not_finished, shows_all=shows_all, cursor=cursor),
            older=_address(found.older, shows_all=shows_all) if found.older is not None else "",
        ),
    )


def _hidden_note(count: int) -> str:
    if not count:
        return ""
    return ngettext(
        "%(num)d order that you did not finish is hidden.",
        "%(num)d orders that you did not finish are hidden.",
        count,
    )


def _switch(count: int, *, shows_all: bool, cursor: int | None) -> tuple[str, str]:
    """Stays on the same stretch of orders."""
    if shows_all:
        return _("Hide orders that you did not finish"), _address(cursor, shows_all=False)
    label = ngettext("Show it", "Show them", count) if count else ""
    return label, _address(cursor, shows_all=True)


def _address(before: int | None, *, shows_all: bool) -> str:
    return url_for("own_orders.index", before=before, unfinished=SHOW if shows_all else None)


def _row(order: OwnOrder) -> OrderRow:
    document = order.invoice_number
    has_reason = order.progress in WITHOUT_MONEY and order.decline_code
    return OrderRow(
        number=order.number,
        url=url_for("checkout.result", slug=order.slug, number=order.number),
        workspace=order.workspace_name,
        plan=", ".join(translated(names) for names in order.names),
        is_renewal=order.is_renewal,
        date=formatting.instant(order.created_at, order.time_zone),
        state=order.progress,
        state_label=progress_words(order.progress),
        reason=decline_reason(order.decline_code) if has_reason else "",
        amount=formatting.money(order.total) if order.total is not None else "–",
        document=document,
        document_url=url_for("history.pdf", slug=order.slug, number=document) if document else "",
    )
