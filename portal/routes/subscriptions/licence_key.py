"""The licence key of a subscription: shown to whoever manages licences, and replaced after a question.

Right.MANAGE_MEMBERS, which owners and administrators have: a key is to the products that have one what
assigning is to the others (product.md §2, "members, licences, services").
"""

from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, request, url_for
from flask_login import current_user

from portal.domain import licence_keys as written
from portal.domain.lifecycle import WITHOUT_ACCESS
from portal.domain.vocabulary import Right, SubscriptionState
from portal.models import LicenceKey, Subscription
from portal.runtime import current
from portal.services.places import Place
from portal.services.subscriptions import agreement, licence_keys
from portal.services.subscriptions.licence_keys import KeyChanged
from portal.web.access import workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import whole_number
from portal.web.place import subscription_or_404, today_here
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.states import state_words

from .licensed import subscriptions_page

blueprint = Blueprint("licence_key", __name__, url_prefix="/w/<slug>/subscriptions/<product>/licence-key")


# --- the key --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KeyPage:
    """`groups` are the key as it is shown; empty where there is none yet, or none that can be shown.

    `is_made`: there is one. `obstacle`: why it does not work now, or empty. `back`: label and address.
    """

    product: str
    name: str
    groups: tuple[str, ...]
    is_made: bool
    facts: tuple[tuple[str, str, str], ...]
    obstacle: str
    try_at: str
    back: tuple[str, str]


@blueprint.get("")
@workspace_right(Right.MANAGE_MEMBERS)
def show(place: Place, product: str) -> Response:
    subscription = _keyed_or_404(place, product)
    state = agreement.status_of(subscription, today=today_here(place)).state
    key = licence_keys.live_key(subscription)
    text = licence_keys.text_of(key) if key else None
    facts = ((_("Subscription"), state_words(state), "key-state"), *(_facts(place, key) if key else ()))
    return render(
        "subscriptions/licence_key.html",
        KeyPage(
            product=product,
            name=translated(subscription.product.names),
            groups=tuple(written.grouped(text).split("-")) if text else (),
            is_made=key is not None,
            facts=facts,
            obstacle=_obstacle(state),
            try_at=url_for("sandbox.licence_key") if current().settings.sandbox_only else "",
            back=subscriptions_page(place),
        ),
    )


@blueprint.post("")
@workspace_right(Right.MANAGE_MEMBERS)
def make(place: Place, product: str) -> Response:
    """For whoever had the product before it had keys, and comes before the run that makes them."""
    licence_keys.make(_keyed_or_404(place, product), now=current().clock.now())
    return redirect_after_write(_address(place, product))


def _keyed_or_404(place: Place, product: str) -> Subscription:
    """Of a product that is activated by a key; any other is like one that does not exist."""
    subscription = subscription_or_404(place, product)
    if not subscription.product.licence_keys:
        abort(404)
    return subscription


def _address(place: Place, product: str) -> str:
    return url_for("licence_key.show", slug=place.workspace.slug, product=product)


def _facts(place: Place, key: LicenceKey) -> tuple[tuple[str, str, str], ...]:
    zone = place.workspace.time_zone
    activation = _("Not activated yet")
    if key.activated_at is not None:
        activation = _("Activated on %(moment)s", moment=formatting.instant(key.activated_at, zone))
    return (
        (_("Activation"), activation, "key-activation"),
        (_("Key made on"), formatting.instant(key.made_at, zone), "key-made"),
    )


def _obstacle(state: SubscriptionState) -> str:
    if state not in WITHOUT_ACCESS:
        return ""
    if state is SubscriptionState.BLOCKED:
        return _("The key does not work at the moment: the subscription is blocked until it is paid.")
    return _("The key no longer works: the subscription has ended. It works again once you subscribe again.")


# --- replacing it ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReplacePage:
    """`shown`: the id of the key that would be replaced. `back`: the address of the key."""

    product: str
    name: str
    shown: int
    was_activated: bool
    facts: tuple[tuple[str, str, str], ...]
    problem: str
    back: str


@blueprint.get("/replace")
@workspace_right(Right.MANAGE_MEMBERS)
def ask(place: Place, product: str) -> Response:
    return _replace_page(place, _keyed_or_404(place, product))


@blueprint.post("/replace")
@workspace_right(Right.MANAGE_MEMBERS)
def replace(place: Place, product: str) -> Response:
    subscription = _keyed_or_404(place, product)
    try:
        licence_keys.replace(
            subscription, shown=_shown(), by=current_user._get_current_object(), now=current().clock.now()
        )
    except KeyChanged as refusal:
        return _replace_page(place, subscription, problem=_was_replaced(place, refusal.replaced))
    name = translated(subscription.product.names)
    flash(_("%(product)s has a new licence key. The old one no longer works.", product=name), "done")
    return redirect_after_write(_address(place, product))


def _was_replaced(place: Place, key: LicenceKey | None) -> str:
    """With the key that was shown and when it ended, as far as it is known."""
    ending = _ending(key) if key else ""
    if key is None or key.replaced_at is None or not ending:
        return _("Nothing was changed: you were shown another key. The one below is the key that works now.")
    return _(
        "Nothing was changed: the key ending in %(ending)s, which you were shown, was replaced on "
        "%(moment)s. The one below is the key that works now.",
        ending=ending,
        moment=formatting.instant(key.replaced_at, place.workspace.time_zone),
    )


def _ending(key: LicenceKey) -> str:
    """Its last group; empty where it cannot be shown."""
    text = licence_keys.text_of(key)
    return text[-written.GROUP :] if text else ""


def _shown() -> int:
    """The id of the key that the page showed; 0, which none has, for anything else."""
    return whole_number(request.form.get("key", ""), digits=9) or 0


def _replace_page(place: Place, subscription: Subscription, *, problem: str = "") -> Response:
    code = subscription.product.code
    key = licence_keys.live_key(subscription)
    if key is None:
        return redirect_after_write(_address(place, code))
    ending = _ending(key)
    return render(
        "subscriptions/replace_licence_key.html",
        ReplacePage(
            product=code,
            name=translated(subscription.product.names),
            shown=key.id,
            was_activated=key.activated_at is not None,
            facts=(*(((_("Key ending in"), ending, "key-ending"),) if ending else ()), *_facts(place, key)),
            problem=problem,
            back=_address(place, code),
        ),
        status=409 if problem else 200,
    )
