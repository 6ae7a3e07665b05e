"""What the next automatic charge will be: one function for the notice, the pages and the charge itself."""

from datetime import date, datetime

from portal.domain.billing_details import Details
from portal.domain.errors import PortalError
from portal.domain.plans import PlanNotOffered, Usage
from portal.domain.price_lock import renewal_price
from portal.domain.pricing import Offer, PresentTerms, Quote, make_quote
from portal.domain.tax import Buyer
from portal.domain.vocabulary import Interval, PaymentMethodKind
from portal.models import BillingDetails, Plan, Price, Subscription, Workspace
from portal.runtime import current
from portal.services import plans

from . import agreement


class NoBillingDetails(PortalError):
    """The workspace has none yet: whom to invoice is not known."""


def upcoming(
    subscription: Subscription,
    *,
    details: dict[str, object] | None = None,
    usage: Usage | None = None,
    now: datetime,
) -> Quote:
    """The next automatic charge as it would be made today: of the scheduled plan, else of the current one.

    `details` and `usage` if they were read already.

    Its period begins on the due date, or today once access is blocked. Raises PlanNotOffered (sold no more,
    and not locked), PlanTooSmall (the scheduled plan no longer fits), NoBillingDetails, MissingVatRate.
    """
    workspace = subscription.workspace
    today = workspace.day(now)
    status = agreement.status_of(subscription, today=today)
    plan, interval = next_terms(subscription)
    if subscription.scheduled_plan_id is not None:
        plans.refuse_if_too_small(plan, usage or plans.usage_of(workspace))
    charged_on = max(today, subscription.renew_on or today)
    assert subscription.due_on is not None, "what is renewed has a due date"
    begins_on = today if status.is_blocked else subscription.due_on
    price = _price(subscription, plan, interval, charged_on=charged_on, begins_on=begins_on)
    details = details or details_of(workspace)
    return make_quote(
        present=PresentTerms(
            plan_code=status.plan.code,
            interval=status.interval,
            state=status.state,
            due_on=subscription.due_on,
            anchor_day=subscription.anchor_day,
        ),
        offer=Offer(
            plan_code=plan.code,
            plan_names=plan.names,
            interval=interval,
            price_id=price.id,
            amount=price.amount,
        ),
        buyer=Buyer.of(details),
        seller_country=current().settings.seller.country,
        unchecked_counts_as_valid=current().settings.unchecked_vat_counts,
        on=charged_on,
        reviewed={"details": details, "method_kind": PaymentMethodKind.CARD.value},
        renews=True,
    )


def next_terms(subscription: Subscription) -> tuple[Plan, Interval]:
    """The plan and interval that the next charge pays for."""
    if subscription.scheduled_plan is not None:
        return subscription.scheduled_plan, Interval(subscription.scheduled_interval)
    return subscription.plan, _paid_price(subscription).interval


def details_of(workspace: Workspace, known: BillingDetails | None = None) -> dict[str, object]:
    """The workspace's billing details in the shape that orders keep; `known` if they were read already.

    Raises NoBillingDetails.
    """
    known = known or BillingDetails.get_or_none(BillingDetails.workspace == workspace)
    if known is None:
        raise NoBillingDetails()
    return Details.of(known).as_ordered(workspace.language)


def _price(
    subscription: Subscription, plan: Plan, interval: Interval, *, charged_on: date, begins_on: date
) -> Price:
    """The list price of the day of the charge, or the locked one if that is lower. Raises PlanNotOffered."""
    paid = _paid_price(subscription)
    currency = paid.currency
    on_sale = plans.plans_on_sale(subscription.product, on=charged_on)
    listed = next(
        (offer.price(interval, currency) for offer in on_sale if offer.plan.code == plan.code), None
    )
    lock = None if subscription.scheduled_plan_id is not None else agreement.lock_of(subscription)
    amount = renewal_price(list_price=listed.amount if listed else None, lock=lock, on=begins_on)
    if amount is None:
        raise PlanNotOffered(wanted=(plan.code, interval, currency))
    if listed is not None and listed.amount == amount:
        return listed
    if (paid.plan_id, paid.interval, paid.amount) == (plan.id, interval, amount):
        return paid
    return Price.get(
        Price.plan == plan,
        Price.interval == interval,
        Price.currency == currency,
        Price.amount_minor == amount.minor,
    )


def _paid_price(subscription: Subscription) -> Price:
    assert subscription.price is not None, "only a plan with a price is renewed"
    return subscription.price
