"""The saved payment methods: which is charged and when, and adding, choosing, removing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, abort, flash, request, url_for
from flask_login import current_user

from portal.domain.money import Money, total
from portal.domain.vocabulary import PaymentMethodKind, Right, SetupState
from portal.forms.cards import NewCardForm
from portal.gateways.base import CardData
from portal.models import MethodSetup, PaymentMethod
from portal.routes.plans.view import renewal_of
from portal.routes.subscriptions.page import next_payment
from portal.runtime import current
from portal.services import ledger
from portal.services.payments import charging, method_setups
from portal.services.payments import methods as payments_methods
from portal.services.payments.coming_charge import coming_charge
from portal.services.payments.methods import MethodExpired, MethodGone, MethodNeeded, MethodStopped
from portal.services.places import Place
from portal.services.subscriptions import agreement, charged_methods, scheduled_change
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.web import limits, patience
from portal.web.access import limited, workspace_right
from portal.web.htmx import htmx, redirect_after_write, render
from portal.web.navigation import sandbox_cards_url
from portal.web.place import status_here, today_here, usage_here
from portal.words import formatting
from portal.words.declines import decline_sentence
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words

blueprint = Blueprint("payment_methods", __name__, url_prefix="/w/<slug>/payment-methods")
METHOD = f"/<int(max={2**31 - 1}):method_id>"
REFRESH_SECONDS = 3


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One saved method. `mark` ends its data-testids; `expires` is empty for what has no date."""

    method_id: int
    mark: str
    name: str
    holder: str
    expires: str
    is_expired: bool
    is_stopped: bool
    is_first: bool


@dataclass(frozen=True, slots=True)
class MethodsPage:
    """`charge`: what is charged next; `total`: what a card is charged at once when added, if anything, for so
    many `renewals`.

    `renewing`: each licensed product that renews itself, with its next payment.
    `balance`: what is kept for the workspace and pays first, in a sentence; empty where nothing is.
    """

    form: NewCardForm
    rows: list[MethodRow]
    charge: str
    renewing: tuple[tuple[str, str], ...]
    total: str
    renewals: int
    balance: str
    auto_renewal_is_on: bool
    takes_card: bool
    processor: str
    sandbox_cards: str


# --- the list, and adding -------------------------------------------------------------------------


@blueprint.route("", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_PAYMENT_METHODS)
@limited("payment")
def show(place: Place) -> Response:
    form = NewCardForm(today=today_here(place))
    if not form.validate_on_submit():
        return _page(place, form, status=422 if form.is_submitted() else 200)
    limits.count("payment", account=current_user.id)
    setup = method_setups.begin_adding(
        place,
        CardData(
            number=form.number.data,
            exp_month=int(form.exp_month.data),
            exp_year=int(form.exp_year.data),
            security_code=form.security_code.data,
            holder=form.holder.data,
        ),
        result_address=lambda key: url_for(
            "payment_methods.result", slug=place.workspace.slug, key=key, _external=True
        ),
        now=current().clock.now(),
    )
    match setup.state:
        case SetupState.DONE:
            flash(_saved_words(setup), "done")
            return _to_list(place)
        case SetupState.ACTION_REQUIRED:
            return redirect_after_write(setup.action_url)
        case SetupState.DECLINED:
            form.add_error("number", decline_sentence(setup.decline_code))
            return _page(place, form, status=422)
    if setup.state == SetupState.CREATED:
        patience.follow(setup.key)
    return redirect_after_write(url_for("payment_methods.result", slug=place.workspace.slug, key=setup.key))


def _page(place: Place, form: NewCardForm, *, status: int) -> Response:
    standing = status_here(place)
    methods = charged_methods.methods_of(standing.subscription)
    renewing = _renewing(place, standing) if methods else ()
    # That nothing is charged by itself is said only where it is true of all.
    says_plan = standing.subscription.auto_renewal or not renewing
    capabilities = charging.gateway_for(PaymentMethodKind.CARD).capabilities()
    charges = method_setups.charged_at_once(place.workspace, now=current().clock.now())
    return render(
        "payments/methods.html",
        MethodsPage(
            form=form,
            rows=[
                _row(method, is_first=place_in_order == 0, today=standing.today)
                for place_in_order, method in enumerate(methods)
            ],
            charge=_next_charge(place, standing, methods) if says_plan else "",
            renewing=renewing,
            total=_together(charges),
            renewals=len(charges),
            balance=_balance(place),
            auto_renewal_is_on=standing.subscription.auto_renewal,
            takes_card=capabilities.takes_card_here,
            processor=capabilities.processor_name,
            sandbox_cards=sandbox_cards_url(),
        ),
        status=status,
    )


def _together(charges: Sequence[Money]) -> str:
    """Their sum; where they are in several currencies, one for each. Empty for none."""
    currencies = dict.fromkeys(charge.currency for charge in charges)
    sums = (total((each for each in charges if each.currency == one), one) for one in currencies)
    return " + ".join(formatting.money(each) for each in sums)


def _row(method: PaymentMethod, *, is_first: bool, today: date) -> MethodRow:
    has_date = method.exp_month is not None and method.exp_year is not None
    return MethodRow(
        method_id=method.id,
        mark=method.last4 or method.kind,
        name=_name(method),
        holder=method.holder,
        expires=f"{method.exp_month:02}/{method.exp_year}" if has_date else "",
        is_expired=charged_methods.is_expired(method, on=today),
        is_stopped=method.stopped_at is not None,
        is_first=is_first,
    )


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


def _renewing(place: Place, plan: SubscriptionStatus) -> tuple[tuple[str, str], ...]:
    """One query."""
    licensed = (each for each in agreement.all_of(place.workspace) if agreement.is_licensed(each))
    found = (agreement.status_of(each, today=plan.today) for each in licensed)
    return tuple(
        (translated(status.subscription.product.names), next_payment(status))
        for status in found
        if status.renews_by_itself
    )


def _balance(place: Place) -> str:
    kept = [formatting.money(each) for each in ledger.balances(place.workspace) if each.minor > 0]
    if not kept:
        return ""
    return _("In your balance: %(amounts)s. It pays for what you order next.", amounts=", ".join(kept))


@dataclass(frozen=True, slots=True)
class SetupPage:
    """What is known of a card that is being saved."""

    setup: MethodSetup
    waits: bool
    needs_action: bool
    is_done: bool
    heading: str
    lead: str


# --- the result of adding -------------------------------------------------------------------------


@blueprint.get("/setups/<key>")
@workspace_right(Right.MANAGE_PAYMENT_METHODS)
def result(place: Place, key: str) -> Response:
    """What is known of the set-up. Only shows; asking the gateway is the worker's work."""
    setup = method_setups.find_setup(place.workspace, key)
    if setup is None:
        abort(404)
    waits = setup.state in (SetupState.CREATED, SetupState.UNKNOWN)
    needs_action = setup.state == SetupState.ACTION_REQUIRED
    if needs_action and patience.has_followed(setup.key):
        return redirect_after_write(setup.action_url)
    heading, lead = _outcome(setup)
    response = render(
        "payments/method_result.html",
        SetupPage(
            setup=setup,
            waits=waits,
            needs_action=needs_action,
            is_done=setup.state == SetupState.DONE,
            heading=heading,
            lead=lead,
        ),
    )
    if waits:
        response.headers["Refresh"] = str(REFRESH_SECONDS)
    elif htmx:
        # Settled while the page was polling: its title changes too, so the whole page is loaded.
        response.headers["HX-Redirect"] = request.path
    return response


def _outcome(setup: MethodSetup) -> tuple[str, str]:
    """Heading and lead: what is known, and nothing more."""
    now = current().clock.now()
    match setup.state:
        case SetupState.DONE if method_setups.is_being_charged(setup, now=now):
            return _("The card is saved"), _(
                "We are trying the renewal that was waiting with %(method)s. We will e-mail you the result.",
                method=_saved(setup),
            )
        case SetupState.DONE:
            return _("The card is saved"), _("%(method)s was not charged.", method=_saved(setup))
        case SetupState.ACTION_REQUIRED:
            return _("Your bank asks you to confirm"), _("The card is not saved until you do.")
        case SetupState.DECLINED:
            return _("The card was not saved"), decline_sentence(setup.decline_code)
    if method_setups.charged_at_once(setup.workspace, now=now):
        return _("Your card is being saved"), _(
            "The bank has not answered yet. You do not need to do anything: this page will show the "
            "result. Once the card is saved, the renewal that is waiting is charged to it."
        )
    return _("Your card is being saved"), _(
        "The bank has not answered yet. You do not need to do anything and nothing is charged. This "
        "page will show the result."
    )


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


def _saved(setup: MethodSetup) -> str:
    assert setup.method is not None, "a set-up that is done has saved a method"
    return _name(setup.method)


def _saved_words(setup: MethodSetup) -> str:
    if method_setups.is_being_charged(setup, now=current().clock.now()):
        return _("%(method)s is saved. The payment is being made.", method=_saved(setup))
    return _("%(method)s is saved. It was not charged.", method=_saved(setup))


def _to_list(place: Place) -> Response:
    return redirect_after_write(url_for("payment_methods.show", slug=place.workspace.slug))
