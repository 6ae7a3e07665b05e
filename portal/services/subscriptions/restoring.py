"""A subscription as it would be had its line of an order never been paid: once for preview and act."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from peewee import JOIN

from portal.database.connecting import require_transaction
from portal.domain.refunds import GivenPeriod, replay
from portal.domain.vocabulary import OrderKind
from portal.models import OrderLine, Plan, Price, Subscription, SubscriptionPeriod

from . import agreement, changing, next_charge


@dataclass(frozen=True, slots=True)
class Restored:
    """What applies again without the line.

    `newest` is the period that the subscription follows then. It ends on `ends_on`, or never (None);
    `due_on` is that day, or today where it is past: due now. The trial of a licensed product is not due once
    it is past: it has ended, as have licences that were cancelled and bought anew by the line. Nothing is
    left where the line began a licensed subscription: `newest` and both days are None. `quantity`: of
    licences, 1 of the workspace plan. `has_ended`: nobody may use the licensed product then.
    `changed_ends`: periods by id whose end becomes another.
    """

    newest: SubscriptionPeriod | None
    ends_on: date | None
    due_on: date | None
    quantity: int
    has_ended: bool
    changed_ends: Mapping[int, date | None]

    @property
    def is_due_now(self) -> bool:
        return self.due_on != self.ends_on


def periods_of(subscriptions: Iterable[Subscription]) -> dict[int, list[SubscriptionPeriod]]:
    """Every period of each, by the id of its subscription, in the order of their payments. One query."""
    found: dict[int, list[SubscriptionPeriod]] = {subscription.id: [] for subscription in subscriptions}
    query = (
        SubscriptionPeriod.select(SubscriptionPeriod, OrderLine, Plan, Price)
        .join_from(SubscriptionPeriod, OrderLine, JOIN.LEFT_OUTER)
        .join_from(SubscriptionPeriod, Plan, on=SubscriptionPeriod.plan)
        .join_from(SubscriptionPeriod, Price, JOIN.LEFT_OUTER)
        .where(SubscriptionPeriod.subscription << list(found))
        .order_by(SubscriptionPeriod.id)
    )
    for period in query:
        found[period.subscription_id].append(period)
    return found


def without(
    undone: OrderLine, *, subscription: Subscription, periods: Sequence[SubscriptionPeriod], today: date
) -> Restored:
    """Without a query. The subscription is that of the line, with its product; `periods` as `periods_of`."""
    kept = {row.id: row for row in periods if _still_gives(row, undone)}
    lasting = replay([GivenPeriod(row.id, row.start_on, _given_until(row)) for row in kept.values()])
    newest, ends_on = (kept[lasting[-1].key], lasting[-1].until) if lasting else (None, None)
    is_past = ends_on is not None and ends_on < today
    was_bought = newest is not None and newest.line is not None
    # Licences are bought anew only where those before had ended; what is paid afterwards goes on from them.
    is_over = undone.kind is OrderKind.BUY if was_bought else newest is None or is_past
    has_ended = agreement.is_licensed(subscription) and is_over
    return Restored(
        newest=newest,
        ends_on=ends_on,
        due_on=today if is_past and not has_ended else ends_on,
        quantity=_quantity(subscription, newest, has_ended=has_ended),
        has_ended=has_ended,
        changed_ends={each.key: each.until for each in lasting if each.until != kept[each.key].end_on},
    )


def _quantity(subscription: Subscription, newest: SubscriptionPeriod | None, *, has_ended: bool) -> int:
    """What was bought with the period; of a trial that runs again no more than may be tried.

    What has ended keeps its number: nobody uses it, and nobody has to return anything.
    """
    if has_ended or not agreement.is_licensed(subscription):
        return int(subscription.quantity)
    if newest is not None and newest.line is not None:
        return int(newest.line.quantity)
    return int(min(subscription.quantity, subscription.product.trial_licences))


def restore(subscription: Subscription, undone: OrderLine, restored: Restored, *, now: datetime) -> None:
    """Write it down, with auto-renewal, its price lock and what was scheduled ended. Inside a transaction.

    What was cancelled stays so while something that was paid is left; what was cancelled, had ended and was
    bought anew has ended again.
    """
    require_transaction()
    SubscriptionPeriod.update(end_on=SubscriptionPeriod.start_on).where(
        SubscriptionPeriod.line == undone
    ).execute()
    for period_id, ends_on in restored.changed_ends.items():
        SubscriptionPeriod.update(end_on=ends_on).where(SubscriptionPeriod.id == period_id).execute()
    newest = restored.newest
    if newest is None:
        subscription.price = None
    else:
        subscription.plan = newest.plan
        subscription.price = newest.price
        subscription.started_on = newest.start_on
        subscription.anchor_day = newest.line.anchor_day if newest.line else newest.start_on.day
    subscription.due_on, subscription.quantity = restored.due_on, restored.quantity
    if subscription.price is None:
        subscription.cancelled_at = None
    elif restored.has_ended:
        subscription.cancelled_at = now
    subscription.auto_renewal = False
    subscription.renew_on = subscription.renewal_failed_on = None
    next_charge.tell_nothing(subscription)
    subscription.scheduled_plan = subscription.scheduled_interval = subscription.scheduled_quantity = None
    subscription.locked_price_minor = subscription.locked_until = None
    changing.save(subscription, now=now)


def _still_gives(period: SubscriptionPeriod, undone: OrderLine) -> bool:
    line = period.line
    return line is None or (line.id != undone.id and line.refunded_at is None)


def _given_until(period: SubscriptionPeriod) -> date | None:
    """Its end before later ones cut it. What no order paid for was given to its base end, or for ever."""
    return period.base_end_on if period.line is None else period.line.end_on
