"""A smaller plan, or fewer licences, begin when what is paid is over: previewed, scheduled, withdrawn.

Every act holds the workspace's lock. Nothing is charged here: one_subscription.py does what is scheduled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from portal.database.connecting import require_transaction, transaction
from portal.domain.buying import check_licences
from portal.domain.choices import Choice
from portal.domain.errors import CannotBeInvoiced, PortalError, QuoteChanged
from portal.domain.licence_terms import Begins, change_begins
from portal.domain.plans import (
    ExceededLimit,
    PlanNotOffered,
    PlanTooSmall,
    Usage,
    exceeded_limits,
    has_days_left,
)
from portal.domain.pricing import Offer, Quote, facts_hash
from portal.domain.vocabulary import Interval
from portal.models import Plan, Product, Subscription, Workspace
from portal.services import open_money, plans
from portal.services.places import Place

from . import agreement, changing, next_charge
from . import licences as licences_held
from .present_licences import refuse_unless_changeable, terms_of


class NothingWaits(PortalError):
    """The plan is not smaller, or nothing that was paid is left: it begins as soon as it is paid."""


@dataclass(frozen=True, slots=True)
class ScheduledChange:
    """What will be from `begins_on` on.

    `charge` is the automatic one of the day `charged_on`; None where the person pays by hand. `quantity` is
    that of the licences.
    """

    plan: Plan
    offer: Offer
    quantity: int
    begins_on: date
    charged_on: date | None
    charge: Quote | None

    @property
    def hash(self) -> str:
        """Identifies everything that the person was shown."""
        return facts_hash(
            {
                "plan": self.plan.code,
                "interval": self.offer.interval.value,
                "quantity": self.quantity,
                "begins_on": self.begins_on.isoformat(),
                "charged_on": self.charged_on.isoformat() if self.charged_on else None,
                "total_minor": self.charge.total.minor if self.charge else None,
                "price_id": self.offer.price_id,
            }
        )


def preview(
    workspace: Workspace, choice: Choice, *, product: Product | None = None, now: datetime
) -> ScheduledChange:
    """What scheduling the choice would bring, in the currency that is paid: of licences of a `product`.

    Raises PlanNotOffered, NothingWaits, PlanTooSmall, and what the next charge may (next_charge.upcoming); of
    licences NotChangeable, LicencesOutOfRange, LicencesBelowAssigned.
    """
    return _preview(agreement.of_product_or_plan(workspace, product), choice, now=now)


def schedule(
    place: Place, choice: Choice, *, product: Product | None = None, shown_hash: str, now: datetime
) -> ScheduledChange:
    """Let the choice begin on the due date, in the place of what was scheduled before. Safe to repeat.

    With auto-renewal on, no more than the charge that was shown is taken on that day. Raises what `preview`
    does, QuoteChanged when that is not what was shown, and OrderAlreadyPlaced beside an open payment.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        subscription = agreement.of_product_or_plan(workspace, product)
        open_money.refuse_beside_open_money(workspace, [subscription.product])
        before = (*_scheduled(subscription), subscription.announced_minor)
        change = _preview(subscription, choice, now=now)
        if change.hash != shown_hash:
            raise QuoteChanged(shown=shown_hash, current=change.hash)
        if change.charge is not None:
            next_charge.tell(subscription, change.charge)
        if before != (*_scheduled(subscription), subscription.announced_minor):
            save_schedule(subscription, change.plan, interval=choice.interval, charge=change.charge, now=now)
    return change


def _scheduled(subscription: Subscription) -> tuple[int | None, Interval | None, int | None]:
    return (
        subscription.scheduled_plan_id,
        subscription.scheduled_interval,
        subscription.scheduled_quantity,
    )


def withdraw(place: Place, *, product: Product | None = None, now: datetime) -> Plan | None:
    """Let what there is go on; the plan that will not begin, or None when nothing was scheduled any more.

    With auto-renewal on, the next charge is that of the present plan, at the price that was last paid for it
    or a lower one: nobody was shown another. Raises OrderAlreadyPlaced while the scheduled plan is paid.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        subscription = agreement.of_product_or_plan(workspace, product)
        withdrawn, licences = subscription.scheduled_plan, subscription.scheduled_quantity
        if withdrawn is None:
            return None
        open_money.refuse_beside_open_money(workspace, [subscription.product])
        subscription.scheduled_plan = subscription.scheduled_interval = subscription.scheduled_quantity = None
        if subscription.auto_renewal:
            _tell_as_paid(subscription, now=now)
        changing.save(subscription, now=now)
        changing.record(
            "plan.schedule_withdrawn", subscription, {"plan": withdrawn.code, "licences": licences}, now=now
        )
        changing.tell(
            "plan_schedule_withdrawn",
            subscription,
            {
                "plan_names": dict(withdrawn.names),
                "licences": licences,
                "due_on": subscription.due_on.isoformat() if subscription.due_on else None,
                "renews": subscription.auto_renewal,
            },
        )
    return withdrawn


def save_schedule(
    subscription: Subscription,
    plan: Plan,
    *,
    interval: Interval | None,
    charge: Quote | None = None,
    now: datetime,
) -> None:
    """Write down that `plan` begins on the due date, and tell it. Inside the lock; free_plan.py's too."""
    require_transaction()
    due_on = cast(date, subscription.due_on)
    changing.save(subscription, now=now)
    changing.record(
        "plan.scheduled",
        subscription,
        {
            "plan": plan.code,
            "interval": interval.value if interval else None,
            "licences": subscription.scheduled_quantity,
            "begins_on": due_on.isoformat(),
        },
        now=now,
    )
    changing.tell(
        "plan_scheduled",
        subscription,
        {
            "plan_names": dict(plan.names),
            "interval": interval.value if interval else None,
            "licences": subscription.scheduled_quantity,
            "due_on": due_on.isoformat(),
            "total_minor": charge.total.minor if charge else None,
            "tax_minor": charge.tax_amount.minor if charge else None,
            "currency": charge.total.currency if charge else None,
            "renew_on": (subscription.renew_on or due_on).isoformat() if charge else None,
        },
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """The plan that is to begin on the due date. `interval` is None for a free one."""

    plan: Plan
    interval: Interval | None


def waiting_plan(status: agreement.SubscriptionStatus) -> Waiting | None:
    """What is scheduled, mostly without a query."""
    subscription = status.subscription
    if subscription.scheduled_plan_id is None:
        return None
    return Waiting(
        plan=plans.find_plan(subscription.scheduled_plan_id, product=subscription.product, on=status.today),
        interval=subscription.scheduled_interval,
    )


def waiting_names(status: agreement.SubscriptionStatus) -> Mapping[str, str]:
    """The names of the plan that is to begin, by language; mostly without a query."""
    subscription = status.subscription
    assert subscription.scheduled_plan_id is not None, "something waits"
    plan = plans.find_plan(subscription.scheduled_plan_id, product=subscription.product, on=status.today)
    return cast(Mapping[str, str], plan.names)


def obstacles(waiting: Waiting, usage: Usage) -> tuple[ExceededLimit, ...]:
    """What keeps the scheduled plan from beginning as things are now."""
    return exceeded_limits(plans.limits_of(waiting.plan), usage)


def _preview(subscription: Subscription, choice: Choice, *, now: datetime) -> ScheduledChange:
    """Puts the choice on `subscription`, unsaved: the next charge is then reckoned as it will be."""
    workspace, interval = subscription.workspace, choice.interval
    today = workspace.day(now)
    status = agreement.status_of(subscription, today=today)
    if subscription.price is None or not has_days_left(status.state, subscription.due_on, today=today):
        raise NothingWaits()
    product, currency = subscription.product, subscription.price.currency
    offer = plans.offer_now(product, choice, currency=currency, now=now)
    plan = plans.find_plan(offer.plan_id, product=product, on=plans.sale_day(now))
    licences = None
    if agreement.is_licensed(subscription):
        _refuse_unless_licences_wait(status, plan, offer, quantity=choice.quantity)
        licences = choice.quantity
    else:
        if plan.free or plan.position >= status.plan.position:
            raise NothingWaits()
        plans.refuse_if_too_small(plan, plans.usage_of(workspace))
    if _scheduled(subscription) != (plan.id, interval, licences):
        # What was told is about other terms.
        next_charge.tell_nothing(subscription)
    subscription.scheduled_plan, subscription.scheduled_interval = plan, interval
    subscription.scheduled_quantity = licences
    renews, begins_on = subscription.auto_renewal, cast(date, subscription.due_on)
    return ScheduledChange(
        plan=plan,
        offer=offer,
        quantity=choice.quantity,
        begins_on=begins_on,
        charged_on=subscription.renew_on or begins_on if renews else None,
        charge=next_charge.upcoming(subscription, now=now) if renews else None,
    )


def _refuse_unless_licences_wait(
    status: agreement.SubscriptionStatus, plan: Plan, offer: Offer, *, quantity: int
) -> None:
    """Raises NothingWaits where the change begins at once."""
    refuse_unless_changeable(status)
    subscription = status.subscription
    check_licences(
        quantity, most=subscription.product.most_licences, assigned=licences_held.assigned(subscription)
    )
    wanted = offer.licence_terms(quantity, position=plan.position)
    if change_begins(present=terms_of(subscription), wanted=wanted) is not Begins.ON_DUE_DATE:
        raise NothingWaits()


def _tell_as_paid(subscription: Subscription, *, now: datetime) -> None:
    """Nothing is told where there is no next charge: the run says why when its time comes."""
    assert subscription.price is not None, "only what has a price is renewed"
    price = subscription.price.volume_price.amount(subscription.quantity)
    subscription.announced_minor, subscription.announced_net_minor = None, price.minor
    try:
        quote = next_charge.upcoming(subscription, now=now)
    except (PlanNotOffered, PlanTooSmall, next_charge.NoBillingDetails, CannotBeInvoiced):
        return
    next_charge.tell(subscription, quote)
