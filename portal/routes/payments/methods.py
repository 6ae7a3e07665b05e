"""The saved payment methods: which is charged and when, and choosing, ordering, removing them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, abort, flash, request, url_for

from portal.domain.vocabulary import PaymentMethodKind, Right
from portal.forms.cards import NewCardForm
from portal.models import PaymentMethod, Subscription
from portal.routes.plans.view import renewal_of
from portal.routes.subscriptions.page import next_payment
from portal.runtime import current
from portal.services import ledger
from portal.services.payments import charging, expiring, method_setups
from portal.services.payments import methods as payments_methods
from portal.services.payments.coming_charge import coming_charge
from portal.services.payments.methods import MethodExpired, MethodGone, MethodNeeded, MethodStopped
from portal.services.places import Place
from portal.services.subscriptions import agreement, charged_methods, scheduled_change
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.web.access import limited, workspace_right
from portal.web.banners import Banner
from portal.web.htmx import redirect_after_write, render
from portal.web.navigation import sandbox_cards_url
from portal.web.place import status_here, today_here, usage_here
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words

from . import new_method
from .expiring import banner as expiring_banner

blueprint = Blueprint("payment_methods", __name__, url_prefix="/w/<slug>/payment-methods")
METHOD = f"/<int(max={2**31 - 1}):method_id>"


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One saved method. `mark` ends its data-testids; `expires` is empty for what has no date.

    `up` and `down` are the places that its buttons move it to, None without a button. `mandate`: the lines
    about the one of a debit. `expires_soon`: while something is charged to it. `is_first` is
    the chosen one, `is_charged_first` the first that may be charged today. `pays_for`: the products that
    have it as their own while others have another.
    """

    method_id: int
    mark: str
    name: str
    holder: str
    expires: str
    is_expired: bool
    expires_soon: bool
    is_stopped: bool
    is_first: bool
    is_charged_first: bool
    up: int | None
    down: int | None
    mandate: tuple[str, ...]
    pays_for: str


@dataclass(frozen=True, slots=True)
class MethodsPage:
    """`charge`: what is charged next; `total`: what a card is charged at once when added, if anything, for so
    many `renewals`.

    `expiring`: mark and banner of each card that expires soon while it pays for something.
    `renewing`: each licensed product that renews itself, with its next payment. `renewals_of`: label and
    address of the page on which the method of one subscription is chosen.
    `balance`: what is kept for the workspace and pays first, in a sentence; empty where nothing is.
    """

    form: NewCardForm
    offers: new_method.Offers
    rows: list[MethodRow]
    expiring: list[tuple[str, Banner]]
    charge: str
    renewing: tuple[tuple[str, str], ...]
    total: str
    renewals: int
    balance: str
    renewals_of: list[tuple[str, str]]
    takes_card: bool
    processor: str
    sandbox_cards: str


# --- the list, and adding a card from it ----------------------------------------------------------


@blueprint.route("", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_PAYMENT_METHODS)
@limited("payment")
def show(place: Place) -> Response:
    form = NewCardForm(today=today_here(place))
    if not form.validate_on_submit():
        return _page(place, form, status=422 if form.is_submitted() else 200)
    return new_method.save(
        place, PaymentMethodKind.CARD, form, or_show=lambda: _page(place, form, status=422)
    )


def _page(place: Place, form: NewCardForm, *, status: int) -> Response:
    standing = status_here(place)
    methods = charged_methods.methods_of(standing.subscription)
    subscriptions = agreement.all_of(place.workspace)
    soon = expiring.expiring(subscriptions, methods, today=standing.today)
    renewing = _renewing(subscriptions, standing) if methods else ()
    # That nothing is charged by itself is said only where it is true of all.
    says_plan = standing.subscription.auto_renewal or not renewing
    capabilities = charging.gateway_for(PaymentMethodKind.CARD).capabilities()
    charges = method_setups.charged_at_once(subscriptions, now=current().clock.now())
    return render(
        "payments/methods.html",
        MethodsPage(
            form=form,
            offers=new_method.offers_of(place, subscriptions, methods),
            rows=_rows(subscriptions, methods, soon, today=standing.today) if methods else [],
            expiring=[
                (each.last4, expiring_banner(each, soon[each.id], methods))
                for each in methods
                if each.id in soon
            ],
            charge=_next_charge(place, standing, methods) if says_plan else "",
            renewing=renewing,
            total=new_method.together(charges),
            renewals=len(charges),
            balance=_balance(place),
            renewals_of=_renewals_of(place, subscriptions),
            takes_card=capabilities.takes_card_here,
            processor=capabilities.processor_name,
            sandbox_cards=sandbox_cards_url(),
        ),
        status=status,
    )


def _rows(
    subscriptions: list[Subscription],
    methods: list[PaymentMethod],
    soon: Mapping[int, list[Subscription]],
    *,
    today: date,
) -> list[MethodRow]:
    last = sum(method.stopped_at is None for method in methods) - 1
    own = _own_of_products(subscriptions, methods)
    charged_first = charged_methods.first_charged(
        methods, on=today, currency=charged_methods.currency_of(subscriptions[0])
    )
    rows = []
    for place_in_order, method in enumerate(methods):
        has_date = method.exp_month is not None and method.exp_year is not None
        is_backup = 0 < place_in_order <= last
        mandate: tuple[str, ...] = ()
        if method.mandate_on is not None:
            mandate = (
                _("Mandate %(reference)s", reference=method.mandate_reference),
                _("Given on %(date)s", date=formatting.day(method.mandate_on)),
            )
        rows.append(
            MethodRow(
                method_id=method.id,
                mark=method.last4 or method.kind,
                name=_name(method),
                holder=method.holder,
                expires=f"{method.exp_month:02}/{method.exp_year}" if has_date else "",
                is_expired=charged_methods.is_expired(method, on=today),
                expires_soon=method.id in soon,
                is_stopped=method.stopped_at is not None,
                is_first=place_in_order == 0,
                is_charged_first=method is charged_first,
                up=place_in_order - 1 if is_backup and place_in_order > 1 else None,
                down=place_in_order + 1 if is_backup and place_in_order < last else None,
                mandate=mandate,
                pays_for=", ".join(own.get(method.id, ())),
            )
        )
    return rows


def _own_of_products(
    subscriptions: Iterable[Subscription], methods: list[PaymentMethod]
) -> dict[int, list[str]]:
    """By method the products that are charged to it first, where that is not the first of the list."""
    found: dict[int, list[str]] = {}
    for each in subscriptions:
        if each.payment_method_id not in (None, methods[0].id):
            found.setdefault(each.payment_method_id, []).append(translated(each.product.names))
    return found


def _next_charge(place: Place, status: SubscriptionStatus, methods: list[PaymentMethod]) -> str:
    """What is charged next and when; the sentence above the list, empty while the list is."""
    subscription = status.subscription
    if not methods:
        return ""
    if not subscription.auto_renewal:
        return _("Nothing is charged automatically: automatic renewal is off.")
    if subscription.open_payment_state is not None:
        # The banner says which.
        return renewal_of(None, names_method=False)
    waiting = scheduled_change.waiting_plan(status)
    if waiting is not None and waiting.plan.free:
        return _("Nothing is charged on the due date: a free plan begins then.")
    charge = coming_charge(status, usage_here(place), now=current().clock.now())
    if charge is not None and charge.method is not None:
        return renewal_of(charge, names_method=True)
    charged_on = max(subscription.renew_on or status.today, status.today)
    method = charged_methods.asked_next(subscription, methods, on=charged_on)
    expiring = charged_methods.first_expiring(methods, on=charged_on)
    if method is None and subscription.renew_on is not None and expiring is not None:
        return _(
            "%(method)s will have expired by %(date)s, when the plan is due for renewal. Add another "
            "card before then.",
            method=_name(expiring),
            date=formatting.day(charged_on),
        )
    if method is None and subscription.renewal_failed_on is None:
        return _("None of these can be charged automatically. Add a card before the plan is due for renewal.")
    if subscription.renew_on is None or method is None:
        return _(
            "We will not try the payment again automatically. Add a card and we will try it with that one."
        )
    return _(
        "%(method)s is charged on %(date)s.",
        method=_name(method),
        date=formatting.day(charged_on),
    )


def _renewing(subscriptions: list[Subscription], plan: SubscriptionStatus) -> tuple[tuple[str, str], ...]:
    licensed = (each for each in subscriptions if agreement.is_licensed(each))
    found = (agreement.status_of(each, today=plan.today) for each in licensed)
    return tuple(
        (translated(status.subscription.product.names), next_payment(status))
        for status in found
        if status.renews_by_itself
    )


def _renewals_of(place: Place, subscriptions: list[Subscription]) -> list[tuple[str, str]]:
    slug = place.workspace.slug
    return [
        (
            _("Automatic renewal: %(product)s", product=translated(each.product.names)),
            url_for("licence_renewal.show", slug=slug, product=each.product.code)
            if agreement.is_licensed(each)
            else url_for("auto_renewal.show", slug=slug),
        )
        for each in subscriptions
        if each.auto_renewal or not agreement.is_licensed(each)
    ]


def _balance(place: Place) -> str:
    kept = [formatting.money(each) for each in ledger.balances(place.workspace) if each.minor > 0]
    if not kept:
        return ""
    return _("In your balance: %(amounts)s. It pays for what you order next.", amounts=", ".join(kept))


# --- choosing and removing ------------------------------------------------------------------------


@blueprint.post(f"{METHOD}/use")
@workspace_right(Right.MANAGE_PAYMENT_METHODS)
def choose(place: Place, method_id: int) -> Response:
    method = _method_or_404(place, method_id)
    try:
        payments_methods.choose(place, method, now=current().clock.now())
    except MethodGone:
        abort(404)
    except MethodStopped:
        flash(
            _("%(method)s is no longer charged automatically: a payment was disputed.", method=_name(method)),
            "error",
        )
    except MethodExpired:
        flash(_("%(method)s has expired. Choose another one.", method=_name(method)), "error")
    else:
        flash(_("From now on %(method)s is charged first.", method=_name(method)), "done")
    return _to_list(place)


@blueprint.post(f"{METHOD}/move")
@workspace_right(Right.MANAGE_PAYMENT_METHODS)
def move(place: Place, method_id: int) -> Response:
    """To the place among the others that the button names."""
    method = _method_or_404(place, method_id)
    try:
        to = int(request.form.get("to", ""))
        payments_methods.move(place, method, to=to, now=current().clock.now())
    except MethodGone:
        abort(404)
    except ValueError:
        abort(400)
    flash(_("The order is changed: %(method)s has another place in it.", method=_name(method)), "done")
    return _to_list(place)


@blueprint.route(f"{METHOD}/remove", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_PAYMENT_METHODS)
def remove(place: Place, method_id: int) -> Response:
    method = _method_or_404(place, method_id)
    if request.method != "POST":
        return _ask_to_remove(place, method)
    try:
        instead = payments_methods.remove(place, method, now=current().clock.now())
    except MethodGone:
        abort(404)
    except MethodNeeded:
        return _ask_to_remove(place, method, status=422)
    flash(_removed_words(place, method, instead), "done")
    return _to_list(place)


def _ask_to_remove(place: Place, method: PaymentMethod, *, status: int = 200) -> Response:
    """The question, or why it cannot be removed."""
    standing = status_here(place)
    needs_it, instead = None, None
    try:
        subscriptions = agreement.all_of(place.workspace)
        charged = payments_methods.all_charged_instead(subscriptions, method, on=standing.today)
        instead = charged[standing.subscription.id]
    except MethodNeeded:
        needs_it = _needs_it(place, standing)
    return render(
        "payments/remove_method.html",
        status=status,
        method=method,
        mark=method.last4 or method.kind,
        name=_name(method),
        instead=_name(instead) if instead else "",
        needs_it=needs_it,
    )


def _needs_it(place: Place, plan: SubscriptionStatus) -> tuple[str, str]:
    """Label and address of where the renewal that needs a method is switched off."""
    slug = place.workspace.slug
    if plan.subscription.auto_renewal:
        return _("Automatic renewal"), url_for("auto_renewal.show", slug=slug)
    return _("See the subscriptions"), url_for("subscriptions.show", slug=slug)


def _removed_words(place: Place, method: PaymentMethod, instead: PaymentMethod | None) -> str:
    if instead is None:
        return _("%(method)s has been removed.", method=_name(method))
    return _(
        "%(method)s has been removed. %(other)s is now charged first.",
        method=_name(method),
        other=_name(instead),
    )


def _method_or_404(place: Place, method_id: int) -> PaymentMethod:
    method = payments_methods.find_method(place.workspace, method_id)
    if method is None:
        abort(404)
    return method


def _name(method: PaymentMethod) -> str:
    return method_words(method.kind, method.brand, method.last4)


def _to_list(place: Place) -> Response:
    return redirect_after_write(url_for("payment_methods.show", slug=place.workspace.slug))
