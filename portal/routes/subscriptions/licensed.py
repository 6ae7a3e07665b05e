"""What the pages of one licensed subscription share: who may change it, and where they lead."""

from dataclasses import dataclass
from typing import Any

from flask import Response, url_for

from portal.domain.vocabulary import Right
from portal.models import Product, Subscription
from portal.services.places import Place
from portal.services.subscriptions import scheduled_change
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.web.htmx import render
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.plans import priced_name


def right_to_change(subscription: Subscription) -> Right:
    """While it renews itself, other licences are another charge on the saved method.

    Whoever buys no further than the ceiling does not decide which licences come after either.
    """
    return Right.AUTO_RENEWAL if subscription.auto_renewal else Right.APPROVE


def may_change(place: Place, subscription: Subscription) -> bool:
    """Whether the person may change the licences here, which nobody of a corporate workspace does."""
    needed = {Right.BUY, right_to_change(subscription)}
    return needed <= place.may and not place.workspace.is_corporate


def what_waits(status: SubscriptionStatus) -> str:
    """What is to begin on the due date, in a sentence; empty where it goes on as it is."""
    subscription = status.subscription
    if subscription.scheduled_plan_id is None or status.due_on is None:
        return ""
    names = scheduled_change.waiting_names(status)
    words = priced_name(names, subscription.scheduled_interval, subscription.scheduled_quantity)
    return _("From %(date)s you will have: %(plan)s.", date=formatting.day(status.due_on), plan=words)


def subscriptions_page(place: Place) -> tuple[str, str]:
    """The label and the address of where all subscriptions stand."""
    return _("Back to the subscriptions"), url_for("subscriptions.show", slug=place.workspace.slug)


def buying_page(place: Place, product: Product, had: SubscriptionStatus | None = None) -> str:
    """Where licences of the product are bought; it begins with as many of the plan as were `had`."""
    same: dict[str, Any] = {}
    if had is not None:
        same = {"plan": had.plan.code, "licences": had.subscription.quantity, "step": "licences"}
    return url_for(
        "add_subscription.show", slug=place.workspace.slug, product=product.code, how="buy", **same
    )


@dataclass(frozen=True, slots=True)
class NothingPage:
    """`action` and `back`: label and address; no `action` where there is nothing better to do."""

    heading: str
    why: str
    action: tuple[str, str] | None
    back: tuple[str, str]


def nothing_to_do(place: Place, heading: str, why: str, action: tuple[str, str] | None) -> Response:
    """A page instead of one on which nothing can be done: why, and what can be done first."""
    page = NothingPage(heading=heading, why=why, action=action, back=subscriptions_page(place))
    return render("subscriptions/nothing_to_do.html", page, status=409)
