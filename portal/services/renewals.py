"""Looking at one subscription on one day: the letters that are due, and the acts.

domain/timeline.py says what is due; this carries it out, inside the transaction of services/due.py that holds
the workspace's lock. Nobody is asked here: a renewal ends with its intent recorded.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .. import rows
from ..domain import plans as plan_rules
from ..domain.errors import MissingVatRate, PlanNotOffered, PlanTooSmall
from ..domain.pricing import Quote
from ..domain.timeline import (
    DAYS_OF_WARNING,
    NOTICE_DAYS,
    Act,
    Course,
    Step,
    deletion_warning_on,
    look_again_on,
    steps_due,
)
from ..domain.vocabulary import Interval, NoticeKind, OrderState, PaymentState
from ..models import (
    Notice,
    Order,
    Payment,
    PaymentMethod,
    Price,
    Subscription,
    SubscriptionPeriod,
)
from ..outbox import JSON
from ..runtime import current
from . import (
    audit,
    checkout,
    deletion,
    free_plan,
    letters,
    payments,
    plans,
    renewal_outcomes,
    renewal_quotes,
    subscriptions,
)
from .renewal_quotes import NoBillingDetails
from .surroundings import Surroundings

WAIT_FOR_MONEY = timedelta(minutes=5)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Look:
    """What came of looking at one subscription. `payment`: an intent that is to be asked for."""

    steps: list[Step]
    payment: Payment | None = None
    to_close: Payment | None = None


def look_at(subscription: Subscription, around: Surroundings, *, now: datetime) -> Look:
    """Take every step that is due today, and write down when to look again.

    `subscription` is loaded with workspace, product, plan and price, as they are under the lock.
    """
    workspace = subscription.workspace
    today = workspace.day(now)
    look = Look(steps=[])
    again_at: datetime | None = None
    course = subscriptions.course_of(subscription, said=around.said, today=today)
    # No step is taken twice, so this ends.
    while step := next((each for each in steps_due(course, today=today) if each not in look.steps), None):
        look.steps.append(step)
        if step is Act.RENEW:
            again_at = _renew(subscription, around, look, now=now, today=today)
        elif step is Act.BEGIN_FREE_PLAN:
            if not free_plan.begin_scheduled(subscription, now):
                subscription.renewal_failed_on = subscription.renewal_failed_on or today
        elif step is Act.DELETE:
            deletion.delete_for_not_paying(workspace, now=now)
            return look
        elif LETTERS[step](subscription, course, today):
            notice = Notice(subscription=subscription, kind=step, about_on=course.due_on, said_on=today)
            rows.save_later(notice)
            around.said[step] = today
        course = subscriptions.course_of(subscription, said=around.said, today=today)
    day = look_again_on(course, today=today)
    subscription.look_at = again_at or (subscriptions.first_moment(workspace, day) if day else None)
    rows.save_later(subscription)
    return look


# --- the charge -----------------------------------------------------------------------------------


def _renew(
    subscription: Subscription, around: Surroundings, look: Look, *, now: datetime, today: date
) -> datetime | None:
    """Record the intent to charge, or say why that cannot be. When to look again, if not by the calendar."""
    waiting = around.open_payment
    if waiting is not None:
        if waiting.state == PaymentState.ACTION_REQUIRED and waiting.tried_on and waiting.tried_on < today:
            waiting.workspace = subscription.workspace
            look.to_close = waiting
        return now + WAIT_FOR_MONEY
    if around.refund_is_open:
        return now + WAIT_FOR_MONEY
    order = around.renewal
    try:
        details = renewal_quotes.details_of(subscription.workspace, around.billing_details)
        quote = renewal_quotes.upcoming(subscription, details=details, now=now)
    except (PlanTooSmall, PlanNotOffered) as refusal:
        reason, limits = _why(refusal)
        renewal_outcomes.fail_without_asking(
            subscription, subscription.workspace, reason=reason, limits=limits, today=today
        )
        return None
    except (MissingVatRate, NoBillingDetails) as fault:
        # Ours to mend: nobody is late for it.
        log.error("subscription %s: the renewal waits: %r", subscription.id, fault)
        return now + timedelta(days=1)
    if subscription.announced_minor is None or quote.total.minor > subscription.announced_minor:
        _announce(subscription, quote, renew_on=today + timedelta(days=NOTICE_DAYS))
        return None
    methods = renewal_outcomes.in_order(around.methods, subscription)
    left = renewal_outcomes.round_of(methods, around.declined, today=today).left
    if not left:
        renewal_outcomes.fail_without_asking(
            subscription, subscription.workspace, reason="no_method", order=order, today=today
        )
        return None
    look.payment = _place(subscription, quote, details, order, method=left[0], now=now, today=today)
    # Nobody is late while their bank is being asked.
    subscription.renewal_failed_on = None
    return None


def _place(
    subscription: Subscription,
    quote: Quote,
    details: dict[str, object],
    order: Order | None,
    *,
    method: PaymentMethod,
    now: datetime,
    today: date,
) -> Payment:
    workspace = subscription.workspace
    plan, interval = renewal_quotes.next_terms(subscription)
    if order is None:
        order = Order(
            number=checkout.new_order_number(),
            workspace=workspace,
            display_currency=quote.total.currency,
            subscription=subscription,
            renews_on=subscription.due_on,
            auto_renewal=True,
            created_at=now,
        )
    order.plan, order.interval = plan, interval
    order.person = method.added_by
    order.details = details
    order.method_kind = method.kind
    order.state = OrderState.PLACED
    checkout.freeze(order, quote)
    rows.save(order)
    order.workspace = workspace
    payment = payments.record_intent(
        order, person=method.added_by, method=method, tried_on=today, wall=current().clock.wall()
    )
    audit.record(
        "renewal.placed",
        workspace=workspace,
        subject=order.number,
        changes={
            "payment": payment.key,
            "total_minor": order.total_minor,
            "currency": order.currency,
            "renews_on": str(order.renews_on),
        },
        now=now,
    )
    return payment


def _why(refusal: Exception) -> tuple[str, list[JSON]]:
    if isinstance(refusal, PlanTooSmall):
        return "too_small", limits_of(refusal)
    return "not_sold", []


def limits_of(refusal: PlanTooSmall) -> list[JSON]:
    exceeded: tuple[plan_rules.Violation, ...] = refusal.violations  # type: ignore[attr-defined]
    return [{"limit": each.limit.value, "allowed": each.allowed, "used": each.used} for each in exceeded]


# --- the letters ----------------------------------------------------------------------------------


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


def _trial_ending(subscription: Subscription, course: Course, today: date) -> bool:
    usage = plans.usage_of(subscription.workspace)
    on_sale = plans.plans_on_sale(subscription.product, on=today)
    offers = [
        plan_rules.Offer(sold.limits, Interval(price.interval)) for sold in on_sale for price in sold.prices
    ]
    recommended = plan_rules.recommended(offers, usage)
    names = {sold.plan.code: dict(sold.plan.names) for sold in on_sale}
    return _letter(
        "trial_ending",
        subscription,
        {
            "due_on": _iso(course.due_on),
            "users": usage.active_users,
            "recommended": names[recommended.plan.code] if recommended else None,
        },
    )


def _trial_last_day(subscription: Subscription, course: Course, today: date) -> bool:
    return _letter("trial_last_day", subscription, {"due_on": _iso(course.due_on)})


def _trial_over(subscription: Subscription, course: Course, today: date) -> bool:
    return _letter(
        "trial_over",
        subscription,
        {"due_on": _iso(course.due_on), "warned_on": _iso(_warning_day(course))},
    )


def _price_rise(subscription: Subscription, course: Course, today: date) -> bool:
    """Said only of a price that does rise; until then the letter stays unwritten and may be due later."""
    price = subscription.price
    quote = _quote_or_none(subscription)
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


def _renewal_ahead(subscription: Subscription, course: Course, today: date) -> bool:
    if course.free_plan_waits:
        return _free_plan_ahead(subscription)
    quote, problem = None, None
    limits: list[JSON] = []
    try:
        quote = renewal_quotes.upcoming(subscription, now=current().clock.now())
    except (PlanTooSmall, PlanNotOffered) as refusal:
        problem, limits = _why(refusal)
    except (MissingVatRate, NoBillingDetails) as fault:
        log.error("subscription %s: no quote for the next renewal: %r", subscription.id, fault)
        return False
    if quote is not None:
        _announce(subscription, quote, renew_on=subscription.renew_on)
        return True
    return _ahead_letter(subscription, None, problem=problem, limits=limits)


def _free_plan_ahead(subscription: Subscription) -> bool:
    """A free plan begins without a charge: there is something to say only where it no longer fits."""
    assert subscription.scheduled_plan is not None, "a free plan waits"
    try:
        plans.refuse_if_too_small(subscription.scheduled_plan, plans.usage_of(subscription.workspace))
    except PlanTooSmall as refusal:
        return _ahead_letter(subscription, None, problem="too_small", limits=limits_of(refusal))
    return False


def _announce(subscription: Subscription, quote: Quote, *, renew_on: date | None) -> None:
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
            "currency": quote.total.currency if quote else None,
            "method": letters.method_facts(methods[0] if methods else None),
            "problem": problem,
            "limits": limits,
        },
    )
    return True


def _due_soon(subscription: Subscription, course: Course, today: date) -> bool:
    return _letter("due_soon", subscription, {**_terms(subscription), "due_on": _iso(course.due_on)})


def _late(subscription: Subscription, course: Course, today: date) -> bool:
    return _letter(
        "late",
        subscription,
        {
            "plan_names": dict(subscription.plan.names),
            "due_on": _iso(course.due_on),
            "blocked_on": _iso(course.blocked_on),
        },
    )


def _blocked(subscription: Subscription, course: Course, today: date) -> bool:
    return _letter(
        "blocked",
        subscription,
        {"due_on": _iso(course.due_on), "warned_on": _iso(_warning_day(course))},
    )


def _deletion_ahead(subscription: Subscription, course: Course, today: date) -> bool:
    return _letter(
        "deletion_ahead",
        subscription,
        {"due_on": _iso(course.due_on), "delete_on": _iso(today + timedelta(days=DAYS_OF_WARNING))},
        to_owners_only=True,
    )


LETTERS: dict[NoticeKind, Callable[[Subscription, Course, date], bool]] = {
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


def _quote_or_none(subscription: Subscription) -> Quote | None:
    try:
        return renewal_quotes.upcoming(subscription, now=current().clock.now())
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
    plan, interval = renewal_quotes.next_terms(subscription)
    return {"plan_names": dict(plan.names), "interval": interval.value}


def _warning_day(course: Course) -> date | None:
    return deletion_warning_on(course.due_on) if course.due_on else None


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
