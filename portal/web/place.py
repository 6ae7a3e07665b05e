"""The workspace that a request is about."""

from dataclasses import dataclass
from datetime import date
from typing import cast

from flask import abort, g, request, url_for

from portal.domain.plans import Usage
from portal.domain.time_zones import usual_zone
from portal.domain.vocabulary import Right
from portal.models import Order, Payment, Product, Refund, Subscription
from portal.runtime import current
from portal.services import open_money, plans
from portal.services.places import Place
from portal.services.plans import PlanOffers
from portal.services.subscriptions import agreement
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.words.i18n import locale_code


def status_here(place: Place) -> SubscriptionStatus:
    """The workspace plan's status today, read once for the page, its banner and its access. One query."""
    if "status" not in g:
        g.status = agreement.status_of(agreement.of_workspace(place.workspace), today=today_here(place))
    return g.status


def product_or_404(code: str) -> Product:
    """A licensed product, withdrawn ones too: whoever has one keeps it. The workspace plan has other ways."""
    product = agreement.licensed_product(code)
    if product is None:
        abort(404)
    return product


def subscription_or_404(place: Place, code: str) -> Subscription:
    """The workspace's own. Another workspace's, and what it never had, answer like an unknown product."""
    subscription = agreement.of_product(place.workspace, product_or_404(code))
    if subscription is None:
        abort(404)
    return subscription


def status_or_404(place: Place, code: str) -> SubscriptionStatus:
    """Today's, of the licensed product with that code; of the workspace plan for none."""
    if not code:
        return status_here(place)
    return agreement.status_of(subscription_or_404(place, code), today=today_here(place))


def know_status(status: SubscriptionStatus) -> None:
    """The workspace plan's status, for a page that has read it already: its banner reads it no more."""
    g.status = status


def is_blocked_here(place: Place) -> bool:
    """Whether the workspace is: its plan is, and nothing else that it subscribes to may be used.

    One query more, only where the plan is blocked.
    """
    if "is_blocked" not in g:
        status = status_here(place)
        g.is_blocked = status.is_blocked and not agreement.has_another_in_good_standing(
            status.subscription, today=status.today
        )
    return bool(g.is_blocked)


def usage_here(place: Place) -> Usage:
    """What the workspace holds, read once for the page and its banner. One query."""
    if "usage" not in g:
        g.usage = plans.usage_of(place.workspace)
    return cast(Usage, g.usage)


def know_usage(usage: Usage) -> None:
    """What the workspace holds, for a page that has read it already."""
    g.usage = usage


def open_payment_here(place: Place) -> Payment | None:
    """The payment for the workspace plan that waits for its result, with its order.

    Read once for the page and its banner. One query, only while there is one.
    """
    if "open_payment" not in g:
        is_open = status_here(place).subscription.open_payment_state is not None
        g.open_payment = open_money.open_payment(place.workspace, _own_product(place)) if is_open else None
    return cast("Payment | None", g.open_payment)


def open_refund_here(place: Place) -> Refund | None:
    """The refund of the workspace plan that waits for its result, with its payment.

    One query, only while there is one.
    """
    is_open = status_here(place).subscription.open_refund_state is not None
    return open_money.open_refund(place.workspace, _own_product(place)) if is_open else None


def _own_product(place: Place) -> list[Product]:
    return [status_here(place).subscription.product]


def may_open_order(place: Place, order: Order) -> bool:
    """The buyer's own. It shows billing details, so others need the right to those; else it is a 404."""
    return order.person_id == place.member.person_id or Right.SEE_BILLING_DETAILS in place.may


@dataclass(frozen=True, slots=True)
class CorporateContact:
    """Who sells to a corporate workspace; each is empty where an operator said nothing.

    `faq` is the vendor's page for such workspaces.
    """

    adviser: str
    adviser_email: str
    portal: str
    service_email: str
    service_phone: str
    faq: str


def corporate_here(place: Place) -> CorporateContact | None:
    """None where the workspace buys here. One query, only of a corporate one."""
    workspace = place.workspace
    if not workspace.is_corporate:
        return None
    if "corporate" not in g:
        has_faq = bool(plans.vendor_address("corporate"))
        g.corporate = CorporateContact(
            adviser=workspace.adviser_name or "",
            adviser_email=workspace.adviser_email or "",
            portal=workspace.corporate_portal_url or "",
            service_email=workspace.account_service_email or "",
            service_phone=workspace.account_service_phone or "",
            faq=url_for("public.vendor_link", name="corporate") if has_faq else "",
        )
    return cast(CorporateContact, g.corporate)


def proposed_time_zone() -> str:
    """For a workspace that is not made yet, from the reader's languages; scripts know the browser's own."""
    wanted = [tag for tag, _quality in request.accept_languages if tag.partition("-")[0] == locale_code()]
    return usual_zone([*wanted, locale_code()])


def on_sale_here(place: Place) -> tuple[PlanOffers, ...]:
    """The plans that the workspace may be sold now."""
    return plans.plans_on_sale(
        status_here(place).subscription.product, on=plans.sale_day(current().clock.now())
    )


def today_here(place: Place) -> date:
    return place.workspace.day(current().clock.now())
