"""Licensed subscriptions that read as facts: `bought(place, plan="meetings-essential", quantity=1)`.

What is bought is ordered and paid. The rows of a trial are written here, as its beginning leaves them.
"""

from datetime import date, timedelta
from typing import Any

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, PaymentState
from portal.models import PaymentMethod, Plan, Subscription, SubscriptionPeriod
from portal.runtime import current
from portal.services.checkout import ordering
from portal.services.places import Place
from tests import paying

TRIAL_DAYS = 14


def bought(
    place: Place,
    plan: str = "meetings-essential",
    *,
    quantity: int = 1,
    interval: Interval = Interval.MONTH,
    renews_with: PaymentMethod | None = None,
    **columns: Any,
) -> Subscription:
    """Bought today for one interval; renewed by itself with that method. VAT is 20 %."""
    opened = ordering.open_order(
        place, choices=[Choice(plan, interval, quantity)], currency="EUR", now=current().clock.now()
    )
    order = paying.with_details(opened, place)
    payment = paying.pay(order)
    assert payment.state == PaymentState.SUCCEEDED
    [line] = paying.reloaded(order).lines
    if renews_with is not None:
        columns = {
            "auto_renewal": True,
            "payment_method": renews_with,
            "renew_on": line.end_on,
            "announced_minor": line.total_minor,
            "announced_net_minor": line.net_minor,
            **columns,
        }
    if columns:
        Subscription.update(**columns).where(Subscription.id == line.subscription_id).execute()
    return Subscription.get_by_id(line.subscription_id)


def tried(place: Place, plan: str = "meetings-essential", *, quantity: int = 1) -> Subscription:
    """On trial from today for TRIAL_DAYS."""
    now = current().clock.now()
    today = place.workspace.day(now)
    trial_until = today + timedelta(days=TRIAL_DAYS)
    found = Plan.get(Plan.code == plan)
    subscription = _begin(
        place, found, quantity=quantity, due_on=trial_until, trial_until=trial_until, today=today
    )
    SubscriptionPeriod.create(
        subscription=subscription,
        plan=found,
        start_on=today,
        base_end_on=trial_until,
        end_on=trial_until,
        created_at=now,
    )
    return subscription


def _begin(place: Place, plan: Plan, *, today: date, **columns: Any) -> Subscription:
    now = current().clock.now()
    created = Subscription.create(
        workspace=place.workspace,
        product=plan.product,
        plan=plan,
        started_on=today,
        anchor_day=today.day,
        look_at=now,
        created_at=now,
        **columns,
    )
    return Subscription.get_by_id(created.id)
