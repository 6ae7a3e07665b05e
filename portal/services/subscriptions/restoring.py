"""The subscription as it would be had an order never been paid: computed once for preview and act."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from peewee import JOIN

from portal.database.connecting import require_transaction
from portal.domain.refunds import GivenPeriod, replay
from portal.domain.vocabulary import OrderState
from portal.models import Order, OrderLine, Plan, Price, Subscription, SubscriptionPeriod

from . import changing, next_charge


@dataclass(frozen=True, slots=True)
class Restored:
    """What applies again without the order.

    `newest` is the period that the subscription follows then. It ends on `ends_on`, or never (None);
    `due_on` is that day, or today where it is past: due now. `changed_ends`: periods by id whose end becomes
    another.
    """

    newest: SubscriptionPeriod
    ends_on: date | None
    due_on: date | None
    changed_ends: Mapping[int, date | None]

    @property
    def is_due_now(self) -> bool:
        return self.due_on != self.ends_on


def without(order: Order, *, subscription: Subscription, today: date) -> Restored:
    """Reads only, one query. Every subscription began with a trial, so that something is left."""
    rows = list(
        SubscriptionPeriod.select(SubscriptionPeriod, OrderLine, Order.id, Order.state, Plan, Price)
        .join_from(SubscriptionPeriod, OrderLine, JOIN.LEFT_OUTER)
        .join_from(OrderLine, Order, JOIN.LEFT_OUTER)
        .join_from(SubscriptionPeriod, Plan, on=SubscriptionPeriod.plan)
        .join_from(SubscriptionPeriod, Price, JOIN.LEFT_OUTER)
        .where(SubscriptionPeriod.subscription == subscription)
        .order_by(SubscriptionPeriod.id)
    )
    kept = {row.id: row for row in rows if _still_gives(row, order)}
    lasting = replay([GivenPeriod(row.id, row.start_on, _given_until(row)) for row in kept.values()])
    ends_on = lasting[-1].until
    return Restored(
        newest=kept[lasting[-1].key],
        ends_on=ends_on,
        due_on=None if ends_on is None else max(ends_on, today),
        changed_ends={each.key: each.until for each in lasting if each.until != kept[each.key].end_on},
    )


def restore(subscription: Subscription, order: Order, restored: Restored, *, now: datetime) -> None:
    """Write it down, with auto-renewal, its price lock and what was scheduled ended. Inside a transaction."""
    require_transaction()
    lines = OrderLine.select(OrderLine.id).where(OrderLine.order == order)
    SubscriptionPeriod.update(end_on=SubscriptionPeriod.start_on).where(
        SubscriptionPeriod.line << lines
    ).execute()
    for period_id, ends_on in restored.changed_ends.items():
        SubscriptionPeriod.update(end_on=ends_on).where(SubscriptionPeriod.id == period_id).execute()
    newest = restored.newest
    subscription.plan = newest.plan
    subscription.price = newest.price
    subscription.started_on = newest.start_on
    subscription.due_on = restored.due_on
    subscription.anchor_day = newest.line.anchor_day if newest.line else newest.start_on.day
    subscription.auto_renewal = False
    subscription.renew_on = subscription.renewal_failed_on = None
    next_charge.tell_nothing(subscription)
    subscription.scheduled_plan = subscription.scheduled_interval = subscription.scheduled_quantity = None
    subscription.locked_price_minor = subscription.locked_until = None
    changing.save(subscription, now=now)


def _still_gives(period: SubscriptionPeriod, undone: Order) -> bool:
    line = period.line
    return line is None or (line.order_id != undone.id and line.order.state == OrderState.PAID)


def _given_until(period: SubscriptionPeriod) -> date | None:
    """Its end before later ones cut it. What no order paid for was given to its base end, or for ever."""
    return period.base_end_on if period.line is None else period.line.end_on
