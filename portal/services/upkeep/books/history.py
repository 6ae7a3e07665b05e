"""The past of each subscription, reckoned anew (domain/subscription_history.py)."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, cast
from zoneinfo import ZoneInfo

from peewee import JOIN

from portal.database.rows import chunks
from portal.domain.frozen_quote import frozen_lines
from portal.domain.periods import Period
from portal.domain.subscription_history import (
    Fault,
    PastPeriod,
    PresentSubscription,
    PriceRow,
    Sale,
    faults_of,
)
from portal.domain.vocabulary import DocumentKind, Interval, PaymentState, ProductKind, RefundState
from portal.models import (
    Invoice,
    Order,
    OrderLine,
    Payment,
    Price,
    Product,
    Refund,
    Subscription,
    SubscriptionPeriod,
    Workspace,
)
from portal.services.plans import sale_day

from .reading import pages_of

A_DAY = timedelta(days=1)
QUESTIONS = tuple(fault.value for fault in Fault)


def answers() -> dict[str, int]:
    """Each question with its count; a few hundred subscriptions are looked at together."""
    broken: Counter[str] = Counter(dict.fromkeys(QUESTIONS, 0))
    prices = {price.id: _price_row(price) for price in Price.select()}
    for batch in chunks(_subscriptions()):
        present = dict(batch)
        for subscription_id, periods in _periods_of(list(present), prices):
            try:
                broken.update(fault.value for fault in faults_of(periods, present.pop(subscription_id)))
            except (ArithmeticError, LookupError, TypeError, ValueError):
                # What is not even a quote tells no length.
                broken[Fault.LENGTH] += 1
        # Without any period there is nothing that the row could follow from.
        broken[Fault.PRESENT] += len(present)
    return dict(broken)


def _subscriptions() -> Iterator[tuple[int, PresentSubscription]]:
    query = Subscription.select(
        Subscription.id,
        Subscription.id,
        Subscription.plan,
        Subscription.price,
        Subscription.started_on,
        Subscription.due_on,
        Subscription.anchor_day,
        Subscription.locked_price_minor,
        Subscription.locked_until,
        Product.kind == ProductKind.LICENSED,
    ).join(Product)
    for subscription_id, *terms in pages_of(query, Subscription):
        yield subscription_id, PresentSubscription(*terms)


def _periods_of(
    subscriptions: list[int], prices: Mapping[int, PriceRow]
) -> Iterator[tuple[int, Iterator[PastPeriod]]]:
    """Those of each subscription, in the order in which they were given.

    Their ids are read first, so that whole rows are only ever read by id, a bounded number at a time.
    """
    mine = SubscriptionPeriod.select(SubscriptionPeriod.subscription, SubscriptionPeriod.id).where(
        SubscriptionPeriod.subscription << subscriptions
    )
    ids = sorted(cast("list[tuple[int, int]]", list(mine.tuples())))
    for subscription_id, group in groupby(_rows(ids), key=itemgetter(0)):
        yield subscription_id, (_past_period(row, prices) for _subscription, row in group)


def _rows(ids: list[tuple[int, int]]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    note = Invoice.alias()
    query = (
        SubscriptionPeriod.select(
            SubscriptionPeriod.id,
            SubscriptionPeriod.plan,
            SubscriptionPeriod.price,
            SubscriptionPeriod.start_on,
            SubscriptionPeriod.base_end_on,
            SubscriptionPeriod.end_on,
            Workspace.time_zone,
            OrderLine.refunded_at,
            Order.quote,
            OrderLine.position,
            Order.created_at,
            Order.given_at,
            Invoice.id,
            note.id,
            note.issued_at,
        )
        .join_from(SubscriptionPeriod, Subscription)
        .join_from(Subscription, Workspace)
        .join_from(SubscriptionPeriod, OrderLine, JOIN.LEFT_OUTER)
        .join_from(OrderLine, Order, JOIN.LEFT_OUTER)
        .join_from(
            Order,
            Invoice,
            JOIN.LEFT_OUTER,
            on=((Invoice.order == Order.id) & (Invoice.kind == DocumentKind.INVOICE)),
        )
        .join_from(
            Order,
            Payment,
            JOIN.LEFT_OUTER,
            on=((Payment.order == Order.id) & (Payment.state == PaymentState.SUCCEEDED)),
        )
        .join_from(
            Payment,
            Refund,
            JOIN.LEFT_OUTER,
            on=(
                (Refund.payment == Payment.id)
                & (Refund.state == RefundState.SUCCEEDED)
                & Refund.undoes(OrderLine)
            ),
        )
        .join_from(Refund, note, JOIN.LEFT_OUTER, on=(Refund.credit_note == note.id))
    )
    for part in chunks(ids):
        found = query.where(SubscriptionPeriod.id << [period_id for _subscription, period_id in part])
        by_id = {row[0]: row for row in cast("list[tuple[Any, ...]]", list(found.tuples()))}
        for subscription_id, period_id in part:
            yield subscription_id, by_id[period_id]


def _past_period(row: tuple[Any, ...], prices: Mapping[int, PriceRow]) -> PastPeriod:
    key, plan, price, start_on, base_end_on, end_on, zone, refunded_at, quote, *sold = row
    return PastPeriod(
        key=key,
        plan=plan,
        price=price,
        start_on=start_on,
        base_end_on=base_end_on,
        end_on=end_on,
        sale=_sale(refunded_at, quote, *sold, zone=ZoneInfo(zone), prices=prices)
        if quote is not None
        else None,
    )


def _sale(
    refunded_at: datetime | None,
    quote: Mapping[str, Any],
    position: int,
    created_at: datetime,
    given_at: datetime | None,
    invoice: int | None,
    note: int | None,
    noted_at: datetime | None,
    *,
    zone: ZoneInfo,
    prices: Mapping[int, PriceRow],
) -> Sale:
    opened_on, paid_on = (at.astimezone(zone).date() for at in (created_at, given_at or created_at))
    # What is on sale goes by the seller's day, which the workspace's may be ahead of.
    began_on = min(opened_on, paid_on, sale_day(created_at))
    is_undone = refunded_at is not None
    line = frozen_lines(quote)[position - 1]
    return Sale(
        line=line,
        price=prices.get(line.price_id),
        days=Period(began_on - A_DAY, paid_on + 2 * A_DAY),
        sold=invoice or 0,
        # Where a document lacks, documents' own questions say so.
        undone=(note or invoice or 0) if is_undone else None,
        undone_on=noted_at.astimezone(zone).date() if is_undone and noted_at else None,
    )


def _price_row(price: Price) -> PriceRow:
    return PriceRow(
        plan=price.plan_id,
        interval=Interval(price.interval),
        price=price.volume_price,
        valid_from=price.valid_from,
        valid_until=price.valid_until,
    )
