"""Licensed subscriptions that read as facts: `bought(place, plan="meetings-essential", quantity=1)`.

Their rows are written here, as a paid order or the beginning of a trial leaves them.
"""

from datetime import date, timedelta
from typing import Any

from portal.domain.periods import period_from
from portal.domain.vocabulary import Interval
from portal.models import PaymentMethod, Plan, Price, Subscription, SubscriptionPeriod
from portal.runtime import current
from portal.services.places import Place

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
    now = current().clock.now()
    today = place.workspace.day(now)
    found = Plan.get(Plan.code == plan)
    price = Price.get(Price.plan == found, Price.interval == interval, Price.currency == "EUR")
    net = price.volume_price.amount(quantity).minor
    period = period_from(today, interval)
    if renews_with is not None:
        columns = {
            "auto_renewal": True,
            "payment_method": renews_with,
            "renew_on": period.end,
            "announced_minor": net * 120 // 100,
            "announced_net_minor": net,
            **columns,
        }
    subscription = _begin(
        place, found, price=price, quantity=quantity, due_on=period.end, today=today, **columns
    )
    SubscriptionPeriod.create(
        subscription=subscription,
        plan=found,
        price=price,
        start_on=today,
        base_end_on=period.end,
        end_on=period.end,
        net_minor=net,
        currency="EUR",
        created_at=now,
    )
    return subscription


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
