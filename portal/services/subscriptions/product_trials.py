"""Trying a licensed product: begun by one act, without payment details, and ended by itself.

The row stays for ever, and its `trial_until` with it: one trial of a product and workspace, whoever asks.
"""

from datetime import datetime

from portal.database.connecting import require_transaction, transaction
from portal.domain import buying
from portal.domain.buying import ProductStanding, TrialNotOffered
from portal.domain.errors import PortalError
from portal.domain.periods import Period
from portal.domain.plans import PlanNotOffered
from portal.domain.vocabulary import SubscriptionState
from portal.models import Plan, Product, Subscription, SubscriptionPeriod, Workspace
from portal.services import audit, letters, open_money, plans
from portal.services.places import Place
from portal.services.plans import PlanOffers

from . import agreement, licence_keys, next_charge
from .agreement import SubscriptionStatus


class PlanIsBlocked(PortalError):
    """The workspace plan comes first: nobody could use what is tried, and a trial is no way out."""


def standing_of(product: Product, status: SubscriptionStatus | None) -> ProductStanding:
    """How a workspace stands to a licensed `product`, by the status of its subscription; None: never had.

    What was withdrawn from sale is not given to try.
    """
    trial_days = 0 if product.withdrawn else product.trial_days
    if status is None:
        return ProductStanding(product_code=product.code, trial_days=trial_days)
    return ProductStanding(
        product_code=product.code,
        trial_days=trial_days,
        is_subscribed=status.state not in (SubscriptionState.TRIAL, SubscriptionState.ENDED),
        was_tried=status.subscription.trial_until is not None,
    )


def plans_to_try(product: Product, *, now: datetime) -> tuple[PlanOffers, ...]:
    """Those of the product that are sold now, smallest first: what cannot be kept is not tried."""
    return tuple(sold for sold in plans.plans_on_sale(product, on=plans.sale_day(now)) if sold.prices)


def start(place: Place, *, product_code: str, plan_code: str, licences: int, now: datetime) -> Subscription:
    """The trial of a licensed product from today, which costs nothing and ends by itself.

    Locks the workspace, and tells its billing people and whoever asked. Raises AlreadySubscribed,
    AlreadyTried, TrialNotOffered, LicencesOutOfRange, PlanNotOffered for a plan that is not one of
    `plans_to_try`, PlanIsBlocked, and OrderAlreadyPlaced beside an open payment or refund: what is paid is
    given, and only then is it known whether there is something to try.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        today = workspace.day(now)
        product = agreement.licensed_product(product_code)
        if product is None or Workspace.get_by_id(workspace.id).deleted_at is not None:
            raise TrialNotOffered(product_code=product_code)
        before = agreement.of_product(workspace, product)
        days = buying.start_trial(
            standing_of(product, agreement.status_of(before, today=today) if before else None),
            licences=licences,
            most=product.trial_licences,
            on=today,
        )
        open_money.refuse_beside_open_money(workspace, [product])
        if agreement.status_of(agreement.of_workspace(workspace), today=today).is_blocked:
            raise PlanIsBlocked()
        plan = _plan_to_try(product, plan_code, now=now)
        subscription = before or Subscription(workspace=workspace, product=product, created_at=now)
        _begin(subscription, plan, days, licences=licences, now=now)
        licence_keys.give(subscription, now=now)
        audit.record(
            "trial.started",
            workspace=workspace,
            subject=workspace.slug,
            changes={
                "product": product.code,
                "plan": plan.code,
                "quantity": licences,
                "trial_until": days.end.isoformat(),
            },
            now=now,
        )
        letters.send(
            "product_trial_started",
            to=[*letters.billing_people(workspace), place.member.person],
            workspace=workspace,
            # There is no second one.
            key=f"product-trial-started-{subscription.id}",
            context={
                "product": product.code,
                "product_names": dict(product.names),
                "plan_names": dict(plan.names),
                "quantity": licences,
                "trial_until": days.end.isoformat(),
                "assigns_licences": not product.licence_keys,
            },
        )
    return subscription


def _plan_to_try(product: Product, plan_code: str, *, now: datetime) -> Plan:
    for sold in plans_to_try(product, now=now):
        if sold.plan.code == plan_code:
            return sold.plan
    raise PlanNotOffered(wanted=(plan_code, None, None))


def _begin(subscription: Subscription, plan: Plan, days: Period, *, licences: int, now: datetime) -> None:
    """Nothing stays on the row of whoever had bought the product before and let it end."""
    require_transaction()
    is_new = subscription.id is None
    subscription.plan, subscription.price, subscription.quantity = plan, None, licences
    subscription.started_on, subscription.due_on = days.start, days.end
    subscription.trial_until, subscription.anchor_day = days.end, days.start.day
    subscription.auto_renewal, subscription.payment_method, subscription.renew_on = False, None, None
    subscription.renewal_failed_on = subscription.cancelled_at = None
    next_charge.tell_nothing(subscription)
    subscription.locked_price_minor = subscription.locked_until = None
    subscription.scheduled_plan = subscription.scheduled_interval = subscription.scheduled_quantity = None
    agreement.look_soon(subscription, now=now)
    if not is_new:
        subscription.version += 1
        agreement.cut_periods(subscription, at=days.start)
    subscription.save()
    SubscriptionPeriod.create(
        subscription=subscription,
        plan=plan,
        start_on=days.start,
        base_end_on=days.end,
        end_on=days.end,
        created_at=now,
    )
