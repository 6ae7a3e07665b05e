"""Looking at one subscription on one day: the letters that are due, and the acts.

domain/timeline.py says what is due; this carries it out, inside the transaction of services/due.py that holds
the workspace's lock. Nobody is asked here: a renewal ends with its intent recorded.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ..domain import plans as plan_rules
from ..domain.errors import MissingVatRate, PlanNotOffered, PlanTooSmall
from ..domain.lifecycle import blocked_on
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
from ..domain.vocabulary import Interval, NoticeKind, OrderKind, OrderState, PaymentState
from ..models import (
    Notice,
    Order,
    Payment,
    PaymentMethod,
    Price,
    Subscription,
    SubscriptionPeriod,
    Workspace,
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

MOST_STEPS = 12
"""More than one look can ever take; a step that changes nothing would otherwise be taken for ever."""
WAIT_FOR_MONEY = timedelta(minutes=5)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Look:
    """What came of looking at one subscription. `payment`: an intent that is to be asked for."""

    steps: list[Step]
    payment: Payment | None = None
    to_close: Payment | None = None


def look_at(subscription: Subscription, *, now: datetime) -> Look:
    """Take every step that is due today, and write down when to look again.

    `subscription` is loaded with workspace, product, plan and price, as they are under the lock.
    """
    workspace = subscription.workspace
    today = workspace.day(now)
    look = Look(steps=[])
    again_at: datetime | None = None
    for _ in range(MOST_STEPS):
        course = course_of(subscription, today=today)
        step = next((step for step in steps_due(course, today=today) if step not in look.steps), None)
        if step is None:
            break
        look.steps.append(step)
        if step is Act.RENEW:
            again_at = _renew(subscription, look, now=now, today=today)
        elif step is Act.BEGIN_FREE_PLAN:
            if not free_plan.begin_scheduled(subscription, now):
                subscription.renewal_failed_on = subscription.renewal_failed_on or today
        elif step is Act.DELETE:
            deletion.delete_for_not_paying(workspace, now=now)
            return look
        elif LETTERS[step](subscription, course, today):
            _said(subscription, step, today)
    course = course_of(subscription, today=today)
    day = look_again_on(course, today=today)
    subscription.look_at = again_at or (_first_moment(workspace, day) if day else None)
    subscription.save()
    return look


def course_of(subscription: Subscription, *, today: date) -> Course:
    """The subscription as domain/timeline.py sees it. One query, for what was said about this due date."""
    status = subscriptions.status_of(subscription, today=today)
    said = Notice.select(Notice.kind, Notice.said_on).where(
        Notice.subscription == subscription, Notice.about_on == subscription.due_on
    )
    scheduled = subscription.scheduled_plan
    return Course(
        state=status.state,
        due_on=subscription.due_on,
        blocked_on=_blocked_on(subscription),
        plan_is_trial=subscription.plan.trial,
        renew_on=subscription.renew_on if subscription.auto_renewal else None,
        renewal_failed_on=subscription.renewal_failed_on,
        free_plan_waits=scheduled is not None and scheduled.free,
        said={notice.kind: notice.said_on for notice in said} if subscription.due_on else {},
    )


def _blocked_on(subscription: Subscription) -> date | None:
    if subscription.due_on is None:
        return None
    return blocked_on(
        subscription.due_on,
        subscriptions.grace_days(subscription),
        renewal_failed_on=subscription.renewal_failed_on,
        dunning_days=current().settings.dunning_days,
    )


def _first_moment(workspace: Workspace, day: date) -> datetime:
    """When that day begins at the workspace's own place."""
    return datetime.combine(day, time(0), tzinfo=ZoneInfo(workspace.time_zone)).astimezone(UTC)


# --- the charge -----------------------------------------------------------------------------------


def _renew(subscription: Subscription, look: Look, *, now: datetime, today: date) -> datetime | None:
    """Record the intent to charge, or say why that cannot be. When to look again, if not by the calendar."""
    waiting = _open_payment(subscription)
    if waiting is not None:
        if waiting.state == PaymentState.ACTION_REQUIRED and waiting.tried_on and waiting.tried_on < today:
            look.to_close = waiting
        return now + WAIT_FOR_MONEY
    order = _order_of(subscription)
    try:
        quote = renewal_quotes.upcoming(subscription, now=now)
    except (PlanTooSmall, PlanNotOffered, NoBillingDetails) as refusal:
        reason, limits = _why(refusal)
        renewal_outcomes.fail_without_asking(
            subscription, subscription.workspace, reason=reason, limits=limits, today=today
        )
        return None
    except MissingVatRate:
        log.error("subscription %s: no VAT rate, the renewal waits", subscription.id)  # noqa: TRY400
        return now + timedelta(days=1)
    if subscription.announced_minor is None or quote.total.minor > subscription.announced_minor:
        _announce(subscription, quote, renew_on=today + timedelta(days=NOTICE_DAYS))
        return None
    methods = renewal_outcomes.round_of(subscription, order, today=today).left
    if not methods:
        renewal_outcomes.fail_without_asking(
            subscription, subscription.workspace, reason="no_method", order=order, today=today
        )
        return None
    look.payment = _place(subscription, quote, order, method=methods[0], now=now, today=today)
    # Nobody is late while their bank is being asked.
    subscription.renewal_failed_on = None
    return None


def _place(
    subscription: Subscription, quote: Quote, order: Order | None, *, method: PaymentMethod, now: datetime, today: date
) -> Payment:
    workspace = subscription.workspace
    plan, interval = renewal_quotes.next_terms(subscription)
    if order is None:
        order = Order(
            number=checkout.new_order_number(),
            workspace=workspace,
            person=method.added_by_id,
            plan=plan,
            interval=interval,
            display_currency=quote.total.currency,
            subscription=subscription,
            renews_on=subscription.due_on,
            auto_renewal=True,
            created_at=now,
        )
    order.plan, order.interval = plan, interval
    order.person = method.added_by_id
    order.details = renewal_quotes.details_of(workspace)
    order.method_kind = method.kind
    order.state = OrderState.PLACED
    checkout.freeze(order, quote)
    order.save()
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


def _open_payment(subscription: Subscription) -> Payment | None:
    """Money of this workspace whose result is open: nothing else is charged beside it (trust.md §1, 3)."""
    found = (
        Payment.select()
        .where(Payment.workspace == subscription.workspace_id, Payment.state << payments.WAITING)
        .first()
    )
    if found is not None:
        found.workspace = subscription.workspace
    return found


def _order_of(subscription: Subscription) -> Order | None:
    """The renewal of this due date, if one was begun."""
    return Order.get_or_none(
        Order.subscription == subscription,
        Order.renews_on == subscription.due_on,
        Order.state != OrderState.REFUNDED,
    )


def _why(refusal: Exception) -> tuple[str, list[JSON]]:
    if isinstance(refusal, PlanTooSmall):
        return "too_small", limits_of(refusal)
    return ("not_sold" if isinstance(refusal, PlanNotOffered) else "no_method"), []


def limits_of(refusal: PlanTooSmall) -> list[JSON]:
    exceeded: tuple[plan_rules.Violation, ...] = refusal.violations  # type: ignore[attr-defined]
    return [
        {"limit": each.limit.value, "allowed": each.allowed, "used": each.used} for each in exceeded
    ]


# --- the letters ----------------------------------------------------------------------------------


def _said(subscription: Subscription, kind: NoticeKind, today: date) -> None:
    Notice.create(subscription=subscription, kind=kind, about_on=subscription.due_on, said_on=today)


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
    quote, problem, limits = None, None, []
    try:
        quote = renewal_quotes.upcoming(subscription, now=current().clock.now())
    except (PlanTooSmall, PlanNotOffered, NoBillingDetails) as refusal:
        problem, limits = _why(refusal)
    except MissingVatRate:
        log.error("subscription %s: no VAT rate for the next renewal", subscription.id)  # noqa: TRY400
        return False
    if quote is not None:
        _announce(subscription, quote, renew_on=subscription.renew_on)
        return True
    return _ahead_letter(subscription, None, problem=problem, limits=limits)


def _free_plan_ahead(subscription: Subscription) -> bool:
    """A free plan begins without a charge: there is something to say only where it no longer fits."""
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
    plan, interval = renewal_quotes.next_terms(subscription)
    return {"plan_names": dict(plan.names), "interval": interval.value}


def _warning_day(course: Course) -> date | None:
    return deletion_warning_on(course.due_on) if course.due_on else None


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
