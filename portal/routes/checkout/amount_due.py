"""Paying what is due from the banner above every page: a saved method at once, or another card."""

from flask import Blueprint, Response, flash, request, url_for
from flask_login import current_user

from portal.domain.errors import OrderAlreadyPlaced, PortalError, QuoteChanged
from portal.domain.plans import PlanTooSmall
from portal.domain.vocabulary import Right
from portal.routes.plans.page import CANNOT_BE_ORDERED, refused
from portal.runtime import current
from portal.services.checkout import amount_due
from portal.services.checkout.amount_due import NothingDue
from portal.services.payments import method_setups
from portal.services.places import Place
from portal.web import limits
from portal.web.access import limited, workspace_right
from portal.web.htmx import redirect_after_write
from portal.web.place import status_here
from portal.words.i18n import gettext as _

from .pages import adding_a_card, address, after_asking, not_orderable

REFUSALS = (OrderAlreadyPlaced, QuoteChanged, NothingDue)

blueprint = Blueprint("amount_due", __name__, url_prefix="/w/<slug>/checkout")


@blueprint.post("/amount-due")
@workspace_right(Right.USE_SAVED_METHODS)
@limited("payment")
def pay(place: Place) -> Response:
    """Charge the saved method that was shown, with what was shown."""
    limits.count("payment", account=current_user.id)
    try:
        payment = amount_due.pay(
            place,
            current_user._get_current_object(),
            method_id=request.form.get("method", ""),
            shown_quote_hash=request.form.get("quote", ""),
            return_url=lambda number: address("result", place, number, external=True),
            now=current().clock.now(),
        )
    except REFUSALS as refusal:
        return _refused(place, refusal)
    return after_asking(place, payment)


@blueprint.post("/amount-due/another-card")
@workspace_right(Right.USE_SAVED_METHODS)
def with_another_card(place: Place) -> Response:
    """To where a card is typed: for a failed renewal the page that adds and charges it, else an order."""
    now = current().clock.now()
    if method_setups.waiting_renewal(status_here(place).subscription, now=now) is not None:
        return redirect_after_write(adding_a_card(place))
    try:
        order = amount_due.order_for_another_card(
            place,
            current_user._get_current_object(),
            shown_quote_hash=request.form.get("quote", ""),
            now=now,
        )
    except REFUSALS as refusal:
        return _refused(place, refusal)
    except PlanTooSmall as refusal:
        return refused(place, refusal, wanted="", currency="")
    except CANNOT_BE_ORDERED as refusal:
        return not_orderable(place, None, refusal)
    return redirect_after_write(address("review", place, order.number))


def _refused(place: Place, refusal: PortalError) -> Response:
    """Nothing was charged: why not, on the page that shows how things stand now."""
    if isinstance(refusal, OrderAlreadyPlaced):
        return redirect_after_write(address("result", place, refusal.order))
    if isinstance(refusal, QuoteChanged):
        said = _("Nothing was charged. The amount or the card has changed since you saw it: please check it.")
        flash(said, "error")
    else:
        flash(_("Nothing more was charged: nothing is due now."), "done")
    return redirect_after_write(url_for("plans.show", slug=place.workspace.slug))
