"""Asking for purchases, told as facts: what a member asks for, and how far members buy alone."""

from typing import Any

from portal.domain.choices import Choice
from portal.domain.vocabulary import Role, WhoMayBuy
from portal.models import Person, PurchaseRequest, Workspace
from portal.runtime import current
from portal.services import requests
from portal.services.checkout import cart
from portal.services.places import Place
from tests import factories, paying


def only_billing_buys(workspace: Workspace, *, ceiling_minor: int | None = None) -> None:
    """Members ask, or buy as far as the ceiling."""
    Workspace.update(who_may_buy=WhoMayBuy.BILLING, ceiling_minor=ceiling_minor).where(
        Workspace.id == workspace.id
    ).execute()
    workspace.who_may_buy, workspace.ceiling_minor = WhoMayBuy.BILLING, ceiling_minor


def a_member_of(place: Place, name: str = "Amir Asker", *, role: Role = Role.MEMBER) -> Place:
    """The same workspace as one more member sees it, who asks."""
    return paying.as_seen_by(place, name, role=role)


def again(place: Place) -> Place:
    """The place with the rights of this moment."""
    return factories.seen_by(Person.get_by_id(place.member.person_id), place.workspace)


def a_request(
    place: Place, *choices: Choice, note: str = "", currency: str = "EUR", **changed: Any
) -> PurchaseRequest:
    """What the person asks for, out of the cart."""
    now = current().clock.now()
    for choice in choices:
        cart.add(place, choice=choice, currency=currency, now=now)
    shown = cart.read(place, now=now).fingerprint
    return requests.ask(place, **{"shown": shown, "note": note, "now": now, **changed})
