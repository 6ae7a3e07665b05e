"""What the next automatic charge will be: one function for the notice, the pages and the charge itself.

What was told of it is its ceiling. `tell` writes that down, and nothing else may: on a page where somebody
agrees to it, or in a letter that comes in time.
"""

from dataclasses import replace
from datetime import date, datetime

from portal.domain.billing_details import Details
from portal.domain.choices import Choice
from portal.domain.errors import CannotBeInvoiced, PortalError
from portal.domain.money import Money
from portal.domain.plans import PlanNotOffered, PlanTooSmall, Usage
from portal.domain.price_lock import PriceLock, renewal_price
from portal.domain.pricing import Offer, PresentTerms, Quote, WantedLine, make_quote
from portal.domain.tax import Buyer
from portal.domain.vocabulary import Interval, OrderKind, PaymentMethodKind
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
    is_charged_today: bool = False,
    now: datetime,
) -> Quote:
    """The next automatic charge as it would be made today: of the scheduled plan, else of the current one.

    `details` and `usage` if they were read already. `is_charged_today`: somebody pays before its day, so that
    prices and taxes are those of today.

    Its period begins on the due date, or today once access is blocked. Its price is never above the one that
    was told; its total is, where the tax rose. Raises PlanNotOffered (sold no more, and not locked),
    PlanTooSmall (the scheduled plan no longer fits), NoBillingDetails, MissingVatRate.
    """
    return _quote(
        subscription,
        details=details,
        usage=usage,
        told=told_price(subscription),
        is_charged_today=is_charged_today,
        now=now,
    )


def offer_of_what_is_due(status: agreement.SubscriptionStatus, *, now: datetime) -> Offer:
    """The price of the period that is due, for whoever pays it today: one price, on every way (ADR 0021).

    That of the automatic charge that failed, so what was told of it and what is guaranteed are ceilings; the
    list price without automatic renewal. Mostly without a query. Raises PlanNotOffered.
    """
    told = told_price(status.subscription)
    return _offer(status, sale_day=plans.sale_day(now), told=told)


def at_list_price(subscription: Subscription, *, now: datetime) -> Quote:
    """What it would be had nothing been told: a rise that is to be mailed. Raises as `upcoming` does."""
    return _quote(subscription, told=None, now=now)


def told_price(subscription: Subscription) -> Money | None:
    """The price, without VAT, that was last told of the next charge; None where none was."""
    if not subscription.auto_renewal or subscription.announced_net_minor is None:
        return None
    return Money(subscription.announced_net_minor, _paid_price(subscription).currency)


def told_total(subscription: Subscription) -> Money | None:
    """The total, tax included, that was last told of the next charge: no more than that is taken."""
    if not subscription.auto_renewal or subscription.announced_minor is None:
        return None
    return Money(subscription.announced_minor, _paid_price(subscription).currency)


def told_tax(subscription: Subscription) -> Money | None:
    """The VAT in `told_total`; None where nobody was told how much of that is the price."""
    total, price = told_total(subscription), told_price(subscription)
    return None if total is None or price is None else total - price


def exceeds_what_was_told(subscription: Subscription, quote: Quote) -> bool:
    return subscription.announced_minor is None or quote.total.minor > subscription.announced_minor


def tell(subscription: Subscription, quote: Quote) -> None:
    """`quote` was shown to somebody who agreed, or is told in a letter. Whoever calls saves the row."""
    subscription.announced_minor, subscription.announced_net_minor = quote.total.minor, quote.net.minor


def tell_nothing(subscription: Subscription) -> None:
    """There is no next charge, or another one that nobody was told of yet."""
    subscription.announced_minor = subscription.announced_net_minor = None


def take_lower_price(subscription: Subscription, *, now: datetime) -> None:
    """Where the list price fell below what was told, that is charged: it is the ceiling from then on.

    Not where the total rose all the same, with its tax: that is announced anew. Without a query where the
    price did not fall. Whoever calls saves the row.
    """
    told, scheduled = told_price(subscription), subscription.scheduled_plan
    if told is None or (scheduled is not None and scheduled.free):
        return
    plan, interval = next_terms(subscription)
    on = max(plans.sale_day(now), subscription.renew_on or date.min)
    listed = plans.listed_price(subscription.product, plan, interval, told.currency, on=on)
    if listed is None or listed.volume_price.amount(next_quantity(subscription)) >= told:
        return
    try:
        quote = upcoming(subscription, now=now)
    except (PlanNotOffered, PlanTooSmall, NoBillingDetails, CannotBeInvoiced):
        return
    if not exceeds_what_was_told(subscription, quote):
        tell(subscription, quote)


def _quote(
    subscription: Subscription,
    *,
    details: dict[str, object] | None = None,
    usage: Usage | None = None,
    told: Money | None,
    is_charged_today: bool = False,
    now: datetime,
) -> Quote:
    workspace = subscription.workspace
    today = workspace.day(now)
    status = agreement.status_of(subscription, today=today)
    if subscription.scheduled_plan_id is not None and not agreement.is_licensed(subscription):
        plans.refuse_if_too_small(next_terms(subscription)[0], usage or plans.usage_of(workspace))
    charged_on = today if is_charged_today else max(today, subscription.renew_on or today)
    sale_day = charged_on if charged_on > today else plans.sale_day(now)
    offer = _offer(status, sale_day=sale_day, told=told)
    details = details or details_of(workspace)
    present = PresentTerms(
        plan_code=status.plan.code,
        interval=status.interval,
        state=status.state,
        due_on=subscription.due_on,
        anchor_day=subscription.anchor_day,
    )
    return make_quote(
        [WantedLine(present, offer, next_quantity(subscription), renews=True)],
        buyer=Buyer.of(details),
        seller_country=current().settings.seller.country,
        unchecked_counts_as_valid=current().settings.unchecked_vat_counts,
        on=charged_on,
        reviewed={"details": details, "method_kind": PaymentMethodKind.CARD.value},
    )


def _offer(status: agreement.SubscriptionStatus, *, sale_day: date, told: Money | None) -> Offer:
    """Of the next period: from the due date on, or from today once access is blocked.

    Raises PlanNotOffered.
    """
    subscription = status.subscription
    plan, interval = next_terms(subscription)
    assert subscription.due_on is not None, "what is renewed has a due date"
    begins_on = status.today if status.is_blocked else subscription.due_on
    price = _price(subscription, plan, interval, sale_day=sale_day, told=told, begins_on=begins_on)
    return Offer(
        plan_id=plan.id,
        plan_code=plan.code,
        plan_names=plan.names,
        interval=interval,
        price_id=price.id,
        amount=price.volume_price.unit_amount(next_quantity(subscription)),
        unit=price.unit,
        is_licensed=agreement.is_licensed(subscription),
    )


def next_terms(subscription: Subscription) -> tuple[Plan, Interval]:
    """The plan and interval that the next charge pays for."""
    if subscription.scheduled_plan is not None:
        return subscription.scheduled_plan, Interval(subscription.scheduled_interval)
    return subscription.plan, _paid_price(subscription).interval


def next_quantity(subscription: Subscription) -> int:
    """The licences that the next charge pays for; 1 of the workspace plan."""
    return int(subscription.scheduled_quantity or subscription.quantity)


def next_licences(subscription: Subscription) -> int | None:
    """As `next_quantity`, of a licensed product; None of the workspace plan."""
    return next_quantity(subscription) if agreement.is_licensed(subscription) else None


def next_period(subscription: Subscription) -> Choice:
    """What the next charge pays for, to be paid by hand."""
    plan, interval = next_terms(subscription)
    return Choice(plan.code, interval, next_quantity(subscription), OrderKind.PROLONG)


def details_of(workspace: Workspace, known: BillingDetails | None = None) -> dict[str, object]:
    """The workspace's billing details in the shape that orders keep; `known` if they were read already.

    Raises NoBillingDetails.
    """
    known = known or BillingDetails.get_or_none(BillingDetails.workspace == workspace)
    if known is None:
        raise NoBillingDetails()
    return Details.of(known).as_ordered(workspace.language)


def _price(
    subscription: Subscription,
    plan: Plan,
    interval: Interval,
    *,
    sale_day: date,
    told: Money | None,
    begins_on: date,
) -> Price:
    """The lowest of the list price on the day of the charge, the locked and the told one, for its licences.

    Raises PlanNotOffered.
    """
    paid = _paid_price(subscription)
    currency = paid.currency
    listed = plans.listed_price(subscription.product, plan, interval, currency, on=sale_day)
    lock = lock_of_next(subscription, plan, interval)
    quantity = next_quantity(subscription)
    list_price = listed.volume_price.amount(quantity) if listed else None
    amount = renewal_price(list_price=list_price, lock=lock, told=told, on=begins_on)
    if amount is None:
        raise PlanNotOffered(wanted=(plan.code, interval, currency))
    if listed is not None and list_price == amount:
        return listed
    if (paid.plan_id, paid.interval, paid.volume_price.amount(quantity)) == (plan.id, interval, amount):
        return paid
    # What was locked or told was a price once: prices are never edited.
    were_listed = Price.select().where(
        Price.plan == plan, Price.interval == interval, Price.currency == currency
    )
    newest_first = were_listed.order_by(Price.id.desc())
    found = next((each for each in newest_first if each.volume_price.amount(quantity) == amount), None)
    if found is None:
        raise PlanNotOffered(wanted=(plan.code, interval, currency))
    return found


def lock_of_next(subscription: Subscription, plan: Plan, interval: Interval) -> PriceLock | None:
    """The guaranteed price, where plan and interval go on; of the licences that the next charge pays for."""
    lock, paid = agreement.lock_of(subscription), _paid_price(subscription)
    if lock is None or subscription.scheduled_plan_id is None:
        return lock
    if (paid.plan_id, paid.interval) != (plan.id, interval):
        return None
    if paid.volume_price.amount(subscription.quantity) != lock.amount:
        return None
    return replace(lock, amount=paid.volume_price.amount(next_quantity(subscription)))


def _paid_price(subscription: Subscription) -> Price:
    assert subscription.price is not None, "only a plan with a price is renewed"
    return subscription.price
