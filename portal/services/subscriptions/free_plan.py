"""The way to a plan that costs nothing: its checklist, taking it, and its beginning on the due date."""

from dataclasses import dataclass
from datetime import date, datetime

from portal.database.connecting import require_transaction, transaction
from portal.domain.errors import QuoteChanged
from portal.domain.plans import (
    Condition,
    ExceededLimit,
    PlanNotOffered,
    PlanTooSmall,
    conditions,
    exceeded_limits,
    has_days_left,
)
from portal.domain.vocabulary import SubscriptionState
from portal.models import Plan, Subscription, SubscriptionPeriod, Workspace
from portal.services import open_money, plans
from portal.services.places import Place

from . import agreement, changing, next_charge, scheduled_change
from .agreement import SubscriptionStatus


@dataclass(frozen=True, slots=True)
class FreePlan:
    """What the free plan asks of the workspace. `begins_on` None: at once, nothing that was paid is left."""

    plan: Plan
    checklist: tuple[Condition, ...]
    begins_on: date | None

    @property
    def is_open(self) -> bool:
        return all(condition.is_met for condition in self.checklist)


def free_plan_for(workspace: Workspace, status: SubscriptionStatus) -> FreePlan:
    """The free plan as the workspace stands to it. Raises PlanNotOffered: none on sale, or had already."""
    plan = plans.free_plan_of(plans.plans_on_sale(status.subscription.product, on=status.today))
    if plan is None or status.state == SubscriptionState.FREE:
        raise PlanNotOffered(wanted=("free", None, None))
    waits = has_days_left(status.state, status.due_on, today=status.today)
    return FreePlan(
        plan=plan,
        checklist=conditions(plans.limits_of(plan), plans.usage_of(workspace)),
        begins_on=status.due_on if waits else None,
    )


def take(place: Place, *, shown_begins_on: str, now: datetime) -> FreePlan:
    """Begin the free plan, or schedule it for the due date where something paid is left; pays nothing back.

    Automatic renewal ends with it: there is nothing more to charge. `shown_begins_on` is the day that the
    person was shown, empty for at once; another one raises QuoteChanged. Raises PlanNotOffered,
    PlanTooSmall while its conditions are not met, and OrderAlreadyPlaced beside an open payment.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        subscription = agreement.of_workspace(workspace)
        open_money.refuse_beside_open_money(workspace, [subscription.product])
        status = agreement.status_of(subscription, today=workspace.day(now))
        found = free_plan_for(workspace, status)
        if not found.is_open:
            raise PlanTooSmall(
                plan_code=found.plan.code,
                plan_names=found.plan.names,
                exceeded_limits=_obstacles(workspace, found.plan),
            )
        begins_on = found.begins_on.isoformat() if found.begins_on else ""
        if begins_on != shown_begins_on:
            raise QuoteChanged(shown=shown_begins_on, current=begins_on)
        if found.begins_on is None:
            begin_free_plan(subscription, found.plan, now)
        elif subscription.scheduled_plan_id != found.plan.id:
            subscription.scheduled_plan, subscription.scheduled_interval = found.plan, None
            _end_auto_renewal(subscription)
            scheduled_change.save_schedule(subscription, found.plan, interval=None, now=now)
    return found


def begin_scheduled(subscription: Subscription, now: datetime) -> bool:
    """Begin the free plan that waited for the due date; False, and nothing changes, while it does not fit.

    Inside the transaction of the run, which holds the workspace's lock.
    """
    require_transaction()
    plan = subscription.scheduled_plan
    assert plan is not None, "a free plan waits"
    if _obstacles(subscription.workspace, plan):
        return False
    begin_free_plan(subscription, plan, now)
    return True


def begin_free_plan(subscription: Subscription, plan: Plan, now: datetime) -> None:
    """From today on, without a price and without an end. Inside a transaction with the lock; tells it."""
    require_transaction()
    workspace = subscription.workspace
    today = workspace.day(now)
    agreement.cut_periods(subscription, at=today)
    SubscriptionPeriod.create(subscription=subscription, plan=plan, start_on=today, created_at=now)
    before = subscription.plan.code
    subscription.plan, subscription.price = plan, None
    subscription.started_on, subscription.due_on, subscription.anchor_day = today, None, today.day
    subscription.scheduled_plan = subscription.scheduled_interval = None
    subscription.renewal_failed_on = None
    subscription.locked_price_minor = subscription.locked_until = None
    _end_auto_renewal(subscription)
    changing.save(subscription, now=now)
    changing.record("plan.free_begun", subscription, {"plan": plan.code, "before": before}, now=now)
    changing.tell("plan_begun", subscription, {"plan_names": dict(plan.names)})


def _obstacles(workspace: Workspace, plan: Plan) -> tuple[ExceededLimit, ...]:
    return exceeded_limits(plans.limits_of(plan), plans.usage_of(workspace))


def _end_auto_renewal(subscription: Subscription) -> None:
    subscription.auto_renewal = False
    subscription.renew_on = None
    next_charge.tell_nothing(subscription)
