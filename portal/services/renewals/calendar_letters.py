"""The letters that the calendar makes due: what each says and to whom.

Called by one_subscription.py inside its transaction. Each says whether there was something to write; what
stays unwritten may be due on a later day.
"""

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta

from portal.domain import plans as plan_rules
from portal.domain.errors import CannotBeInvoiced
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.pricing import Quote
from portal.domain.timeline import (
    DAYS_OF_WARNING,
    PRICE_RISE_DAYS,
    SubscriptionDates,
    deletion_warning_on,
)
from portal.domain.vocabulary import Interval, NoticeKind
from portal.models import Invoice, Subscription
from portal.outbox import JSON
from portal.services import ledger, letters, plans
from portal.services.subscriptions import agreement, charged_methods, next_charge
from portal.services.subscriptions.next_charge import NoBillingDetails

NO_QUOTE = (PlanTooSmall, PlanNotOffered, NoBillingDetails, CannotBeInvoiced)

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
    if dates.trial_until is not None:
        return _product_trial_letter("product_trial_ending", subscription, dates.trial_until)
    usage = plans.usage_of(subscription.workspace)
    on_sale = plans.plans_on_sale(subscription.product, on=plans.sale_day(now))
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
    if dates.trial_until is not None:
        return _product_trial_letter("product_trial_last_day", subscription, dates.trial_until)
    return _letter("trial_last_day", subscription, {"due_on": _iso(dates.due_on)})


def _trial_over(subscription: Subscription, dates: SubscriptionDates, now: datetime) -> bool:
    if dates.trial_until is not None:
        return _product_trial_letter("product_trial_over", subscription, dates.trial_until)
    return _letter(
        "trial_over",
        subscription,
        {"due_on": _iso(dates.due_on), "warned_on": _iso(_warning_day(dates))},
    )


def _product_trial_letter(template: str, subscription: Subscription, trial_until: date) -> bool:
    """Of a licensed product, whose trial ends without anything else of the workspace."""
    return _letter(
        template,
        subscription,
        {"product_names": dict(subscription.product.names), "trial_until": trial_until.isoformat()},
    )


def _price_rise(subscription: Subscription, dates: SubscriptionDates, now: datetime) -> bool:
    """Said only of a price that does rise; until then the letter stays unwritten and may be due later.

    From then on the new price is the one that was told, in time. A charge that was moved to a later day,
    since its tax rose, keeps the price that its letter named.
    """
    if subscription.renew_on != subscription.due_on:
        return False
    told = next_charge.told_price(subscription)
    try:
        quote = next_charge.at_list_price(subscription, now=now)
    except NO_QUOTE:
        return False
    if told is None or quote.net <= told:
        return False
    tell_rise(subscription, quote)
    return True


def tell_rise(subscription: Subscription, quote: Quote) -> None:
    """Mail that the charge of `renew_on`, PRICE_RISE_DAYS away or more, is higher than was told: `quote`."""
    told = next_charge.told_price(subscription)
    next_charge.tell(subscription, quote)
    letters.send(
        "price_rise",
        to=letters.billing_people(subscription.workspace),
        workspace=subscription.workspace,
        key=f"price-rise-{subscription.id}-{subscription.due_on}-{subscription.renew_on}",
        context={
            **_terms(subscription),
            "renew_on": _iso(subscription.renew_on),
            "old_minor": told.minor if told else None,
            "new_minor": quote.net.minor,
            "total_minor": quote.total.minor,
            "tax_minor": quote.tax_amount.minor,
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
    except (CannotBeInvoiced, NoBillingDetails) as fault:
        log.error("subscription %s: no quote for the next renewal: %r", subscription.id, fault)
        return False
    if quote is not None:
        today = subscription.workspace.day(now)
        return announce(subscription, quote, renew_on=subscription.renew_on, today=today)
    return _ahead_letter(subscription, None, problem=problem, limits=limits)


def _free_plan_ahead(subscription: Subscription) -> bool:
    """A free plan begins without a charge: there is something to say only where it no longer fits."""
    assert subscription.scheduled_plan is not None, "a free plan waits"
    try:
        plans.refuse_if_too_small(subscription.scheduled_plan, plans.usage_of(subscription.workspace))
    except PlanTooSmall as refusal:
        return _ahead_letter(subscription, None, problem="too_small", limits=_limits(refusal))
    return False


def announce(subscription: Subscription, quote: Quote, *, renew_on: date | None, today: date) -> bool:
    """Tell date, amount and card; no more than that is charged. False where it is not for this week.

    A charge that would be higher than what was told (its tax rose) waits until that was told in time; nobody
    is late meanwhile.
    """
    if subscription.announced_minor is not None and next_charge.exceeds_what_was_told(subscription, quote):
        subscription.renew_on = today + timedelta(days=PRICE_RISE_DAYS)
        subscription.renewal_failed_on = None
        tell_rise(subscription, quote)
        return False
    next_charge.tell(subscription, quote)
    subscription.renew_on = renew_on
    _ahead_letter(subscription, quote, problem=None, limits=[])
    return True


def _ahead_letter(
    subscription: Subscription, quote: Quote | None, *, problem: str | None, limits: list[JSON]
) -> bool:
    workspace = subscription.workspace
    renew_on = subscription.renew_on or subscription.due_on
    assert renew_on is not None, "what is renewed has a due date"
    methods = charged_methods.methods_of(subscription)
    method = charged_methods.asked_next(subscription, methods, on=renew_on)
    expiring = None if method else charged_methods.first_expiring(methods, on=renew_on)
    quote = ledger.beside_balance(quote, workspace) if quote else None
    if quote is not None and not quote.due.minor:
        method = expiring = None
    elif method is None:
        problem = problem or ("expires" if expiring else "no_method")
    letters.send(
        "renewal_ahead",
        to=letters.billing_people(workspace),
        workspace=workspace,
        key=f"renewal-ahead-{subscription.id}-{subscription.due_on}-{subscription.renew_on}",
        context={
            **_terms(subscription),
            "instead_of": _replaced(subscription),
            "renew_on": _iso(renew_on),
            "total_minor": quote.total.minor if quote else None,
            "tax_minor": quote.tax_amount.minor if quote else None,
            "currency": quote.total.currency if quote else None,
            "from_balance_minor": quote.from_balance.minor if quote else 0,
            "method": letters.method_facts(method),
            "expiring": letters.method_facts(expiring),
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
            **_what_runs(subscription),
            "due_on": _iso(dates.due_on),
            "blocked_on": _iso(dates.blocked_on),
        },
    )


def _blocked(subscription: Subscription, dates: SubscriptionDates, now: datetime) -> bool:
    return _letter(
        "blocked",
        subscription,
        {
            **_what_runs(subscription),
            "due_on": _iso(dates.due_on),
            "warned_on": _iso(_warning_day(dates)),
        },
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
    except NO_QUOTE:
        return None


def _terms(subscription: Subscription) -> dict[str, JSON]:
    """Of the next period."""
    waiting = subscription.scheduled_plan
    if waiting is not None and waiting.free:
        return {"plan_names": dict(waiting.names), "licences": None, "interval": None}
    plan, interval = next_charge.next_terms(subscription)
    licences = next_charge.next_licences(subscription)
    return {"plan_names": dict(plan.names), "licences": licences, "interval": interval.value}


def _what_runs(subscription: Subscription) -> dict[str, JSON]:
    """Of the period that is over, or about to be."""
    return {
        "plan_names": dict(subscription.plan.names),
        "licences": agreement.licences_of(subscription),
    }


def _replaced(subscription: Subscription) -> JSON:
    """The names of the plan that another one takes the place of; None where it goes on."""
    is_another = subscription.scheduled_plan_id not in (None, subscription.plan_id)
    return dict(subscription.plan.names) if is_another else None


def _warning_day(dates: SubscriptionDates) -> date | None:
    return deletion_warning_on(dates.due_on) if dates.due_on else None


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
