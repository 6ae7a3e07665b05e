"""Paying what is due from the banner above every page: a saved method at once, or another card."""

from flask import Blueprint, Response, flash, request, url_for
from flask_login import current_user

from portal.domain.errors import OrderAlreadyPlaced, QuoteChanged
from portal.domain.vocabulary import PaymentState, Right
from portal.runtime import current
from portal.services.checkout import amount_due
from portal.services.checkout.amount_due import NothingDue
from portal.services.payments import method_setups
from portal.services.places import Place
from portal.web import limits, patience
from portal.web.access import limited, workspace_right
from portal.web.htmx import redirect_after_write
from portal.web.place import status_here
from portal.words.i18n import gettext as _

blueprint = Blueprint("amount_due", __name__, url_prefix="/w/<slug>/checkout")


@blueprint.post("/amount-due")
@workspace_right(Right.USE_SAVED_METHODS)
@limited("payment")
def pay(place: Place) -> Response:
    """Charge the saved method that was shown; without one, or for another card, to where a card is typed."""
    shown, method = request.form.get("quote", ""), request.form.get("method", "")
    try:
        if method.isdecimal() and "another" not in request.form:
            return _charge(place, method_id=int(method), shown=shown)
        return _ask_for_a_card(place, shown=shown)
    except OrderAlreadyPlaced as placed:
        return _to_result(place, placed.order)
    except QuoteChanged:
        flash(
            _("Nothing was charged. The amount has changed since you saw it: please check it again."), "error"
        )
    except NothingDue:
        flash(_("Nothing more was charged: nothing is due now."), "done")
    return redirect_after_write(url_for("plans.show", slug=place.workspace.slug))


def _charge(place: Place, *, method_id: int, shown: str) -> Response:
    limits.count("payment", account=current_user.id)
    payment = amount_due.pay(
        place,
        current_user._get_current_object(),
        method_id=method_id,
        shown_quote_hash=shown,
        return_url=lambda number: _result(place, number, external=True),
        now=current().clock.now(),
    )
    if payment.state == PaymentState.ACTION_REQUIRED:
        return redirect_after_write(payment.action_url)
    if payment.state == PaymentState.CREATED:
        patience.follow(payment.key)
    return _to_result(place, payment.order.number)


def _ask_for_a_card(place: Place, *, shown: str) -> Response:
    """A failed renewal is charged to a card as soon as it is added; anything else is an order to review."""
    now = current().clock.now()
    if method_setups.waits_for_a_method(status_here(place).subscription):
        return redirect_after_write(
            url_for("payment_methods.show", slug=place.workspace.slug, _anchor="adding")
        )
    order = amount_due.open_order(place, current_user._get_current_object(), shown_quote_hash=shown, now=now)
    return redirect_after_write(url_for("checkout.review", slug=place.workspace.slug, number=order.number))


def _result(place: Place, number: str, *, external: bool = False) -> str:
    return url_for("checkout.result", slug=place.workspace.slug, number=number, _external=external)


def _to_result(place: Place, number: str) -> Response:
    return redirect_after_write(_result(place, number))
