"""The letters that the calendar makes due: what each says and to whom.

Called by one_subscription.py inside its transaction. Each says whether there was something to write; what
stays unwritten may be due on a later day.
"""

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta

from portal.domain import plans as plan_rules
from portal.domain.errors import MissingVatRate
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.pricing import Quote
from portal.domain.timeline import DAYS_OF_WARNING, SubscriptionDates, deletion_warning_on
from portal.domain.vocabulary import Interval, NoticeKind
from portal.models import Invoice, Price, Subscription, SubscriptionPeriod
from portal.outbox import JSON
from portal.services import letters, plans
from portal.services.payments import renewal_outcomes
from portal.services.subscriptions import next_charge
from portal.services.subscriptions.next_charge import NoBillingDetails

log = logging.getLogger(__name__)


def why_not(refusal: PlanTooSmall | PlanNotOffered) -> tuple[str, list[JSON]]:
    """What a letter says of a refusal: its word and the limits that are exceeded."""
    if isinstance(refusal, PlanTooSmall):
        return "too_small", _limits(refusal)
    return "not_sold", []


def _limits(refusal: PlanTooSmall) -> list[JSON]:
    exceeded: tuple[plan_rules.ExceededLimit, ...] = refusal.exceeded_limits
    return [{"limit": each.limit.value, "allowed": each.allowed, "used": each.used} for each in exceeded]


def _letter(
    template: str, subscription: Subscription, context: dict[str, JSON], *, to_owners_only: bool = False
) -> bool:
    workspace = subscription.workspace
    people = letters.owners(workspace) if to_owners_only else letters.billing_people(workspace)
    letters.send(
        template,
        to=people,
        workspace=workspace,
        key=f"{template}-{subscription.id}-{subscription.due_on}",
        context=context,
    )
    return True


def _trial_ending(subscription: Subscription, dates: SubscriptionDates, now: datetime) -> bool:
    usage = plans.usage_of(subscription.workspace)
    on_sale = plans.plans_on_sale(subscription.product, on=subscription.workspace.day(now))
    offers = [
        plan_rules.PlanCell(sold.limits, Interval(price.interval))
        for sold in on_sale
        for price in sold.prices
    ]
    recommended = plan_rules.recommended(offers, usage)
    names = {sold.plan.code: dict(sold.plan.names) for sold in on_sale}
    return _letter(
        "trial_ending",
        subscription,
        {
            "due_on": _iso(dates.due_on),
            "users": usage.active_users,
            "recommended": names[recommended.plan.code] if recommended else None,
        },
    )


def _trial_last_day(subscription: Subscription, dates: SubscriptionDates, now: datetime) -> bool:
    return _letter("trial_last_day", subscription, {"due_on": _iso(dates.due_on)})


def _trial_over(subscription: Subscription, dates: SubscriptionDates, now: datetime) -> bool:
    return _letter(
        "trial_over",
        subscription,
        {"due_on": _iso(dates.due_on), "warned_on": _iso(_warning_day(dates))},
    )


def _price_rise(subscription: Subscription, dates: SubscriptionDates, now: datetime) -> bool:
    """Said only of a price that does rise; until then the letter stays unwritten and may be due later."""
    price = subscription.price
    quote = _quote_or_none(subscription, now)
    if price is None or quote is None or subscription.scheduled_plan_id is not None:
        return False
    paid = _last_paid_net(subscription, price)
    if quote.net.minor <= paid:
        return False
    return _letter(
        "price_rise",
        subscription,
        {
            **_terms(subscription),
            "renew_on": _iso(subscription.renew_on),
            "old_minor": paid,
            "new_minor": quote.net.minor,
            "currency": quote.net.currency,
        },
    )


def _renewal_ahead(subscription: Subscription, dates: SubscriptionDates, now: datetime) -> bool:
    if dates.free_plan_waits:
        return _free_plan_ahead(subscription)
    quote, problem = None, None
    limits: list[JSON] = []
    try:
        quote = next_charge.upcoming(subscription, now=now)
    except (PlanTooSmall, PlanNotOffered) as refusal:
        problem, limits = why_not(refusal)
    except (MissingVatRate, NoBillingDetails) as fault:
        log.error("subscription %s: no quote for the next renewal: %r", subscription.id, fault)
        return False
    if quote is not None:
        announce(subscription, quote, renew_on=subscription.renew_on)
        return True
    return _ahead_letter(subscription, None, problem=problem, limits=limits)


def _free_plan_ahead(subscription: Subscription) -> bool:
    """A free plan begins without a charge: there is something to say only where it no longer fits."""
    assert subscription.scheduled_plan is not None, "a free plan waits"
    try:
        plans.refuse_if_too_small(subscription.scheduled_plan, plans.usage_of(subscription.workspace))
    except PlanTooSmall as refusal:
        return _ahead_letter(subscription, None, problem="too_small", limits=_limits(refusal))
    return False


def announce(subscription: Subscription, quote: Quote, *, renew_on: date | None) -> None:
    """Tell date, amount and card; no more than that is charged."""
    subscription.announced_minor = quote.total.minor
    subscription.renew_on = renew_on
    methods = renewal_outcomes.methods_of(subscription)
    _ahead_letter(subscription, quote, problem=None if methods else "no_method", limits=[])


def _ahead_letter(
    subscription: Subscription, quote: Quote | None, *, problem: str | None, limits: list[JSON]
) -> bool:
    methods = renewal_outcomes.methods_of(subscription)
    workspace = subscription.workspace
    letters.send(
        "renewal_ahead",
        to=letters.billing_people(workspace),
        workspace=workspace,
        key=f"renewal-ahead-{subscription.id}-{subscription.due_on}-{subscription.renew_on}",
        context={
            **_terms(subscription),
            "renew_on": _iso(subscription.renew_on or subscription.due_on),
            "total_minor": quote.total.minor if quote else None,
            "tax_minor": quote.tax_amount.minor if quote else None,
            "currency": quote.total.currency if quote else None,
            "method": letters.method_facts(methods[0] if methods else None),
            "problem": problem,
            "limits": limits,
        },
    )
    return True


def _due_soon(subscription: Subscription, dates: SubscriptionDates, now: datetime) -> bool:
    quote = _quote_or_none(subscription, now)
    return _letter(
        "due_soon",
        subscription,
        {
            **_terms(subscription),
            "due_on": _iso(dates.due_on),
            "net_minor": quote.net.minor if quote else None,
            "currency": quote.net.currency if quote else None,
        },
    )


def _late(subscription: Subscription, dates: SubscriptionDates, now: datetime) -> bool:
    return _letter(
        "late",
        subscription,
        {
            "plan_names": dict(subscription.plan.names),
            "due_on": _iso(dates.due_on),
            "blocked_on": _iso(dates.blocked_on),
        },
    )


def _blocked(subscription: Subscription, dates: SubscriptionDates, now: datetime) -> bool:
    return _letter(
        "blocked",
        subscription,
        {"due_on": _iso(dates.due_on), "warned_on": _iso(_warning_day(dates))},
    )


def _deletion_ahead(subscription: Subscription, dates: SubscriptionDates, now: datetime) -> bool:
    return _letter(
        "deletion_ahead",
        subscription,
        {
            "due_on": _iso(dates.due_on),
            "delete_on": _iso(subscription.workspace.day(now) + timedelta(days=DAYS_OF_WARNING)),
            "has_documents": Invoice.select().where(Invoice.workspace == subscription.workspace).exists(),
        },
        to_owners_only=True,
    )


LETTERS: dict[NoticeKind, Callable[[Subscription, SubscriptionDates, datetime], bool]] = {
    NoticeKind.TRIAL_ENDING: _trial_ending,
    NoticeKind.TRIAL_LAST_DAY: _trial_last_day,
    NoticeKind.TRIAL_OVER: _trial_over,
    NoticeKind.PRICE_RISE: _price_rise,
    NoticeKind.RENEWAL_AHEAD: _renewal_ahead,
    NoticeKind.DUE_SOON: _due_soon,
    NoticeKind.LATE: _late,
    NoticeKind.BLOCKED: _blocked,
    NoticeKind.DELETION_AHEAD: _deletion_ahead,
}


def _quote_or_none(subscription: Subscription, now: datetime) -> Quote | None:
    try:
        return next_charge.upcoming(subscription, now=now)
    except (PlanTooSmall, PlanNotOffered, NoBillingDetails, MissingVatRate):
        return None


def _last_paid_net(subscription: Subscription, price: Price) -> int:
    """What the running period cost without VAT: a locked price may be lower than its row says."""
    last = (
        SubscriptionPeriod.select(SubscriptionPeriod.net_minor)
        .where(SubscriptionPeriod.subscription == subscription, SubscriptionPeriod.net_minor > 0)
        .order_by(SubscriptionPeriod.id.desc())
        .first()
    )
    return int(last.net_minor) if last is not None else price.amount_minor


def _terms(subscription: Subscription) -> dict[str, JSON]:
    waiting = subscription.scheduled_plan
    if waiting is not None and waiting.free:
        return {"plan_names": dict(waiting.names), "interval": None}
    plan, interval = next_charge.next_terms(subscription)
    return {"plan_names": dict(plan.names), "interval": interval.value}


def _warning_day(dates: SubscriptionDates) -> date | None:
    return deletion_warning_on(dates.due_on) if dates.due_on else None


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
