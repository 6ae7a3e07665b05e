"""Cancelling a licensed subscription at the end of what is paid, and taking that back: ask first, then tell.

Right.AUTO_RENEWAL, and not Right.BUY: whoever cancels ends a renewal that others have arranged, and whoever
takes it back lets a saved payment method be charged again. Any full member may buy with a method of their
own (product.md §2), which is neither.
"""

from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, flash, request, url_for
from flask_babel import ngettext

from portal.domain.errors import OrderAlreadyPlaced, QuoteChanged
from portal.domain.lifecycle import CANCELLABLE
from portal.domain.vocabulary import Right, SubscriptionState
from portal.models import Subscription
from portal.runtime import current
from portal.services.places import Place
from portal.services.subscriptions import agreement, cancellation
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.services.subscriptions.cancellation import CancellationOver, NothingToCancel, WhatGoesOn
from portal.web.access import workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.place import subscription_or_404, today_here
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words
from portal.words.renewal import amount_charged
from portal.words.states import state_words

from .licensed import buying_page, nothing_to_do, subscriptions_page

blueprint = Blueprint("cancellation", __name__, url_prefix="/w/<slug>/subscriptions/<product>")


# --- cancelling -----------------------------------------------------------------------------------


@blueprint.get("/cancel")
@workspace_right(Right.AUTO_RENEWAL)
def ask(place: Place, product: str) -> Response:
    """The question; of what is cancelled already, what that means."""
    return _cancel_page(place, subscription_or_404(place, product))


@blueprint.post("/cancel")
@workspace_right(Right.AUTO_RENEWAL)
def cancel(place: Place, product: str) -> Response:
    subscription = subscription_or_404(place, product)
    try:
        cancellation.cancel(
            subscription, shown_ends_on=request.form.get("ends_on", ""), now=current().clock.now()
        )
    except QuoteChanged:
        problem = _("Nothing was changed: the last day is no longer the one you saw. Please check it again.")
        return _cancel_page(place, subscription_or_404(place, product), problem=problem)
    except OrderAlreadyPlaced:
        # It was opened meanwhile: the page says what waits.
        return _cancel_page(place, subscription_or_404(place, product), status=409)
    except NothingToCancel:
        return _not_cancellable(place, _status_of(place, subscription_or_404(place, product)))
    after = _status_of(place, subscription_or_404(place, product))
    if after.state is SubscriptionState.CANCELLED:
        return redirect_after_write(
            url_for("cancellation.ask", slug=place.workspace.slug, product=after.subscription.product.code)
        )
    flash(_("%(product)s is cancelled and has ended.", product=_name(after)), "done")
    return redirect_after_write(subscriptions_page(place)[1])


@dataclass(frozen=True, slots=True)
class CancelPage:
    """`ends_on`: the last usable day; None: it ends at once. `later`: why it cannot be cancelled now.

    `back`: label and address.
    """

    product: str
    name: str
    facts: tuple[tuple[str, str, str], ...]
    ends_on: date | None
    sentences: tuple[str, ...]
    problem: str
    later: str
    back: tuple[str, str]


def _cancel_page(
    place: Place, subscription: Subscription, *, problem: str = "", status: int = 200
) -> Response:
    standing = _status_of(place, subscription)
    if standing.state is SubscriptionState.CANCELLED:
        return _cancelled_page(place, standing)
    if standing.state not in CANCELLABLE:
        return _not_cancellable(place, standing)
    ends_on = cancellation.ends_on(standing)
    return render(
        "subscriptions/cancel.html",
        CancelPage(
            product=subscription.product.code,
            name=_name(standing),
            facts=_facts(standing, ends_on),
            ends_on=ends_on,
            sentences=tuple(_consequences(standing, ends_on)),
            problem=problem,
            later=_later(subscription),
            back=subscriptions_page(place),
        ),
        status=409 if problem else status,
    )


def _facts(status: SubscriptionStatus, ends_on: date | None) -> tuple[tuple[str, str, str], ...]:
    return (
        (_("Plan"), translated(status.plan.names), "cancel-plan"),
        (_("Licences"), str(status.subscription.quantity), "cancel-licences"),
        (_("Last day"), formatting.day(ends_on) if ends_on else _("Today, at once"), "cancel-ends-on"),
    )


def _consequences(status: SubscriptionStatus, ends_on: date | None) -> list[str]:
    subscription = status.subscription
    sentences = []
    if ends_on is None:
        due_on = formatting.day(status.due_on) if status.due_on else ""
        sentences.append(
            _(
                "What was paid ended on %(date)s, so the subscription ends at once and nobody can use it. "
                "This cannot be taken back; you can buy licences again.",
                date=due_on,
            )
        )
        sentences.append(_("Nothing more is charged for it."))
    else:
        sentences.append(
            ngettext(
                "Until the end of %(date)s everything works as before, with %(num)d licence. After that day "
                "nobody can use it.",
                "Until the end of %(date)s everything works as before, with %(num)d licences. After that day "
                "nobody can use it.",
                subscription.quantity,
                date=formatting.day(ends_on),
            )
        )
        sentences.append(_("Nothing more is charged for it, and nothing is refunded."))
        sentences.append(_("You can take the cancellation back until that day."))
    if subscription.scheduled_plan_id is not None or subscription.scheduled_quantity is not None:
        sentences.append(_("The change that was scheduled will not begin, and does not come back."))
    if subscription.locked_until is not None and status.today <= subscription.locked_until:
        sentences.append(_("Your price guarantee ends with the subscription."))
    return sentences


def _later(subscription: Subscription) -> str:
    if not subscription.has_open_money:
        return ""
    if subscription.waits_for_refund:
        return _("You can cancel once the result of the refund is known.")
    return _("You can cancel once the result of the payment is known.")


@dataclass(frozen=True, slots=True)
class CancelledPage:
    """`back`: label and address."""

    product: str
    name: str
    last_day: str
    facts: tuple[tuple[str, str, str], ...]
    back: tuple[str, str]


def _cancelled_page(place: Place, status: SubscriptionStatus) -> Response:
    assert status.due_on is not None, "what was bought has its end"
    last_day = formatting.day(status.due_on)
    return render(
        "subscriptions/cancelled.html",
        CancelledPage(
            product=status.subscription.product.code,
            name=_name(status),
            last_day=last_day,
            facts=(
                (_("Status"), state_words(status.state), "cancelled-state"),
                *_facts(status, status.due_on),
            ),
            back=subscriptions_page(place),
        ),
    )


# --- taking back ----------------------------------------------------------------------------------


@blueprint.get("/take-back")
@workspace_right(Right.AUTO_RENEWAL)
def ask_to_take_back(place: Place, product: str) -> Response:
    status = _status_of(place, subscription_or_404(place, product))
    if status.state is SubscriptionState.ENDED:
        return _too_late(place, status)
    if status.state is not SubscriptionState.CANCELLED:
        return _not_cancelled(place, status)
    then = cancellation.what_goes_on(status.subscription)
    return render(
        "subscriptions/take_back.html",
        TakeBackPage(
            product=status.subscription.product.code,
            name=_name(status),
            facts=_facts_of_going_on(status, then),
            sentences=_sentences_of_going_on(status, then),
        ),
    )


@blueprint.post("/take-back")
@workspace_right(Right.AUTO_RENEWAL)
def take_back(place: Place, product: str) -> Response:
    subscription = subscription_or_404(place, product)
    try:
        was_cancelled = cancellation.take_back(subscription, now=current().clock.now())
    except CancellationOver:
        return _too_late(place, _status_of(place, subscription_or_404(place, product)))
    status = _status_of(place, subscription_or_404(place, product))
    if not was_cancelled:
        return _not_cancelled(place, status)
    flash(_("The cancellation is taken back: %(product)s goes on.", product=_name(status)), "done")
    return redirect_after_write(subscriptions_page(place)[1])


@dataclass(frozen=True, slots=True)
class TakeBackPage:
    """What goes on once the cancellation is taken back."""

    product: str
    name: str
    facts: tuple[tuple[str, str, str], ...]
    sentences: tuple[str, ...]


def _facts_of_going_on(status: SubscriptionStatus, then: WhatGoesOn) -> tuple[tuple[str, str, str], ...]:
    rows = [
        (_("Plan"), translated(status.plan.names), "resumed-plan"),
        (_("Licences"), str(status.subscription.quantity), "resumed-licences"),
    ]
    if then.total is not None and then.tax is not None and then.charged_on is not None:
        total = amount_charged(then.total, has_vat=then.tax.minor > 0)
        day = formatting.day(max(then.charged_on, status.today))
        rows.append((_("Next payment"), _("%(total)s on %(date)s", total=total, date=day), "next-payment"))
        if then.method is not None:
            method = method_words(then.method.kind, then.method.brand, then.method.last4)
            rows.append((_("Paid with"), method, "resumed-method"))
    return tuple(rows)


def _sentences_of_going_on(status: SubscriptionStatus, then: WhatGoesOn) -> tuple[str, ...]:
    due_on = formatting.day(status.due_on) if status.due_on else ""
    if not then.renews:
        return (
            _(
                "It is paid for until the end of %(date)s. Automatic renewal stays off: to keep working "
                "after that day, switch it on.",
                date=due_on,
            ),
        )
    if then.total is None:
        return (
            _(
                "Automatic renewal is switched on again. We will write to you with date and amount before "
                "anything is charged."
            ),
        )
    on_again = _(
        "The subscription goes on after %(date)s, and is renewed automatically as before.", date=due_on
    )
    if then.method is None:
        return on_again, _("No saved method can be charged.")
    return (on_again,)


# --- what cannot be -------------------------------------------------------------------------------


def _not_cancellable(place: Place, status: SubscriptionStatus) -> Response:
    name, action = _name(status), None
    if status.state is SubscriptionState.TRIAL:
        day = formatting.day(status.subscription.trial_until or status.today)
        why = _("It is a free trial, which ends by itself on %(date)s. Nothing is charged.", date=day)
        if Right.BUY in place.may:
            address = url_for(
                "product_trial.show",
                slug=place.workspace.slug,
                product=status.subscription.product.code,
            )
            action = _("See your trial"), address
    elif status.state is SubscriptionState.ENDED:
        why = _("The subscription has ended. Nothing more is charged for it.")
    else:
        why = _("It costs nothing, and nothing is charged for it.")
    heading = _("There is nothing to cancel for %(product)s", product=name)
    return nothing_to_do(place, heading, why, action)


def _too_late(place: Place, status: SubscriptionStatus) -> Response:
    product = status.subscription.product
    action = None
    if Right.BUY in place.may and not product.withdrawn:
        action = _("Subscribe now"), buying_page(place, product)
    why = _("The subscription has ended, so the cancellation can no longer be taken back.")
    return nothing_to_do(place, _("%(product)s has ended", product=_name(status)), why, action)


def _not_cancelled(place: Place, status: SubscriptionStatus) -> Response:
    flash(_("%(product)s is not cancelled: there is nothing to take back.", product=_name(status)), "done")
    return redirect_after_write(subscriptions_page(place)[1])


def _status_of(place: Place, subscription: Subscription) -> SubscriptionStatus:
    return agreement.status_of(subscription, today=today_here(place))


def _name(status: SubscriptionStatus) -> str:
    return translated(status.subscription.product.names)
