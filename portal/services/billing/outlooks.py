"""Subscriptions as domain/forecast.py sees them: what the renewal reads of each, read for all at once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, cast

from peewee import JOIN

from portal.database.rows import one_of
from portal.domain.debits import is_charged_in
from portal.domain.forecast import ChargedTerms, ListedPrice, Outlook, SavedMethod
from portal.domain.plans import Usage, exceeded_limits
from portal.domain.price_lock import PriceLock
from portal.domain.vocabulary import Interval
from portal.models import PaymentMethod, Plan, Price, Subscription
from portal.services import plans
from portal.services.subscriptions import agreement, charged_methods, next_charge
from portal.services.subscriptions.agreement import SubscriptionStatus


def read_scheduled_plans(subscriptions: Iterable[Subscription], *, on: date) -> None:
    """Each gets the plan that is to begin. Mostly without a query, as `outlook_of`."""
    found = list(subscriptions)
    known = _plans(found, on=on)
    for subscription in found:
        if subscription.scheduled_plan_id is not None:
            subscription.scheduled_plan = known[subscription.scheduled_plan_id][0]


def outlooks(
    statuses: Iterable[SubscriptionStatus],
    *,
    methods: Sequence[PaymentMethod],
    usage: Usage | None,
    on: date,
) -> list[Outlook]:
    """Of subscriptions whose scheduled plans were read; `on` is the seller's day.

    `usage` is what the workspace holds, where a plan of it is scheduled. One query, then none until a
    catalogue is applied.
    """
    statuses = list(statuses)
    known = _plans([status.subscription for status in statuses], on=on)
    return [_outlook(status, known, methods=methods, usage=usage) for status in statuses]


def _outlook(
    status: SubscriptionStatus,
    known: Mapping[int, tuple[Plan, tuple[Price, ...]]],
    *,
    methods: Sequence[PaymentMethod],
    usage: Usage | None,
) -> Outlook:
    subscription, price = status.subscription, status.subscription.price
    scheduled, is_licensed = subscription.scheduled_plan, agreement.is_licensed(subscription)
    in_turn = [
        each
        for each in charged_methods.in_order(methods, subscription)
        if each.stopped_at is None and (price is None or is_charged_in(each.kind, price.currency))
    ]
    present = later = None
    if price is not None:
        present = _terms(
            subscription,
            known[subscription.plan_id],
            Interval(price.interval),
            subscription.quantity,
            lock=agreement.lock_of(subscription),
        )
    if price is not None and scheduled is not None and not scheduled.free:
        plan, interval = next_charge.next_terms(subscription)
        later = _terms(
            subscription,
            known[plan.id],
            interval,
            next_charge.next_quantity(subscription),
            lock=next_charge.lock_of_next(subscription, plan, interval),
        )
    is_too_small = False
    if scheduled is not None and not is_licensed and usage is not None:
        is_too_small = bool(exceeded_limits(plans.limits_of(scheduled), usage))
    return Outlook(
        id=subscription.id,
        state=status.state,
        due_on=subscription.due_on,
        anchor_day=subscription.anchor_day,
        present=present,
        scheduled=later,
        free_plan_names=scheduled.names if scheduled is not None and scheduled.free else None,
        is_too_small=is_too_small,
        trial_until=subscription.trial_until if is_licensed else None,
        renew_on=subscription.renew_on if subscription.auto_renewal else None,
        has_failed=subscription.renewal_has_failed,
        told=next_charge.told_price(subscription) if price is not None else None,
        told_total=next_charge.told_total(subscription) if price is not None else None,
        methods=tuple(SavedMethod(each.id, charged_methods.last_day_of(each)) for each in in_turn),
        is_open=subscription.has_open_money,
    )


def _terms(
    subscription: Subscription,
    plan_and_prices: tuple[Plan, tuple[Price, ...]],
    interval: Interval,
    quantity: int,
    *,
    lock: PriceLock | None,
) -> ChargedTerms:
    plan, prices = plan_and_prices
    assert subscription.price is not None, "only a plan with a price is renewed"
    currency = subscription.price.currency
    return ChargedTerms(
        plan_code=plan.code,
        plan_names=plan.names,
        interval=interval,
        quantity=quantity,
        listed=tuple(
            ListedPrice(price.volume_price.amount(quantity), price.valid_from, price.valid_until)
            for price in prices
            if (price.interval, price.currency) == (interval, currency)
        ),
        lock=lock,
        is_licensed=agreement.is_licensed(subscription),
    )


def _plans(
    subscriptions: Sequence[Subscription], *, on: date
) -> Mapping[int, tuple[Plan, tuple[Price, ...]]]:
    """By id the plans that run or are to begin, each with its prices of that day and later."""
    running = {each.plan_id for each in subscriptions}
    scheduled = {each.scheduled_plan_id for each in subscriptions if each.scheduled_plan_id is not None}
    revisions = {(each.product.id, each.product.revision) for each in subscriptions}
    return _read_plans(tuple(sorted(running | scheduled)), tuple(sorted(revisions)), on)


@lru_cache(maxsize=64)
def _read_plans(
    plan_ids: tuple[int, ...], _revisions: tuple[tuple[int, str], ...], on: date
) -> Mapping[int, tuple[Plan, tuple[Price, ...]]]:
    """`_revisions` say which catalogue is in force. What is hidden or withdrawn is on no list."""
    lasts = Price.valid_until.is_null() | (Price.valid_until > on)
    query = (
        Plan.select(Plan, Price)
        .join(Price, JOIN.LEFT_OUTER, on=((Price.plan == Plan.id) & lasts), attr="one_price")
        .where(one_of(Plan.id, list(plan_ids)))
        .order_by(Plan.id, Price.valid_from, Price.id)
    )
    found: dict[int, tuple[Plan, tuple[Price, ...]]] = {}
    for row in cast("Iterable[Any]", query):
        plan, prices = found.get(row.id, (row, ()))
        price = getattr(row, "one_price", None)
        if price is not None and price.id is not None and not plan.hidden and not plan.withdrawn:
            prices = (*prices, price)
        found[row.id] = (plan, prices)
    return found
