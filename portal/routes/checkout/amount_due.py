"""Paying what is due from where it is shown: with a saved method at once, or with another card.

The workspace plan's stands in the banner above every page, that of licences on their card.
"""

from flask import Blueprint, Response, flash, request, url_for
from flask_login import current_user

from portal.domain.errors import NothingDue, OrderAlreadyPlaced, PortalError, QuoteChanged
from portal.domain.plans import PlanTooSmall
from portal.domain.vocabulary import Right
from portal.routes.plans.page import CANNOT_BE_ORDERED, refusal_sentence, refused
from portal.runtime import current
from portal.services.checkout import amount_due
from portal.services.payments import method_setups
from portal.services.places import Place
from portal.web import limits
from portal.web.access import limited, workspace_right
from portal.web.htmx import redirect_after_write
from portal.web.place import status_or_404, subscription_or_404
from portal.words.i18n import gettext as _

from .pages import adding_a_card, address, after_asking, not_orderable

REFUSALS = (OrderAlreadyPlaced, QuoteChanged, NothingDue)

blueprint = Blueprint("amount_due", __name__, url_prefix="/w/<slug>/checkout/amount-due")
of_licences = Blueprint("licences_due", __name__, url_prefix="/w/<slug>/subscriptions/<product>/amount-due")


@blueprint.post("")
@of_licences.post("")
@workspace_right(Right.USE_SAVED_METHODS)
@limited("payment")
def pay(place: Place, product: str = "") -> Response:
    """Charge the saved method that was shown, with what was shown."""
    limits.count("payment", account=current_user.id)
    status = status_or_404(place, product)
    try:
        payment = amount_due.pay(
            place,
            current_user._get_current_object(),
            product=status.licensed_product,
            method_id=request.form.get("method", ""),
            shown_quote_hash=request.form.get("quote", ""),
            return_url=lambda number: address("result", place, number, external=True),
            now=current().clock.now(),
        )
    except REFUSALS as refusal:
        return _refused(place, product, refusal)
    return after_asking(place, payment)


@blueprint.post("/another-card")
@of_licences.post("/another-card")
@workspace_right(Right.USE_SAVED_METHODS)
def with_another_card(place: Place, product: str = "") -> Response:
    """To where a card is typed: for a failed renewal the page that adds and charges it, else an order."""
    now, status = current().clock.now(), status_or_404(place, product)
    if method_setups.waiting_renewal(status.subscription, now=now) is not None:
        return redirect_after_write(adding_a_card(place))
    try:
        order = amount_due.order_for_another_card(
            place,
            current_user._get_current_object(),
            product=status.licensed_product,
            shown_quote_hash=request.form.get("quote", ""),
            now=now,
        )
    except REFUSALS as refusal:
        return _refused(place, product, refusal)
    except PlanTooSmall as refusal:
        return refused(place, refusal, wanted="", currency="")
    except CANNOT_BE_ORDERED as refusal:
        return _not_orderable(place, product, refusal)
    return redirect_after_write(address("review", place, order.number))


@of_licences.post("/order")
@workspace_right(Right.BUY)
def order(place: Place, product: str) -> Response:
    """To the details of an order for the period, for whoever pays with a card of their own."""
    subscription = subscription_or_404(place, product)
    try:
        order = amount_due.order_by_oneself(place, product=subscription.product, now=current().clock.now())
    except REFUSALS as refusal:
        return _refused(place, product, refusal)
    except CANNOT_BE_ORDERED as refusal:
        return _not_orderable(place, product, refusal)
    return redirect_after_write(address("details", place, order.number))


def _refused(place: Place, product: str, refusal: PortalError) -> Response:
    """Nothing was charged: why not, on the page that shows how things stand now."""
    if isinstance(refusal, OrderAlreadyPlaced):
        return redirect_after_write(address("result", place, refusal.order))
    if isinstance(refusal, QuoteChanged):
        said = _("Nothing was charged. The amount or the card has changed since you saw it: please check it.")
        flash(said, "error")
    else:
        flash(_("Nothing more was charged: nothing is due now."), "done")
    return redirect_after_write(_shown_on(place, product))


def _not_orderable(place: Place, product: str, refusal: PortalError) -> Response:
    if not product:
        return not_orderable(place, None, refusal)
    flash(refusal_sentence(refusal), "error")
    return redirect_after_write(_shown_on(place, product))


def _shown_on(place: Place, product: str) -> str:
    """Where the amount stands."""
    slug = place.workspace.slug
    if not product:
        return url_for("plans.show", slug=slug)
    return url_for("subscriptions.show", slug=slug, _anchor=f"subscription-{product}")
