"""What the workspaces have is what they were sold."""

from datetime import date, datetime
from typing import cast

from peewee import JOIN, Case, Expression, fn

from portal.domain.vocabulary import DocumentKind, MemberStatus, OrderState
from portal.models import Invoice, Member, Order, Plan, Subscription, SubscriptionPeriod, Workspace

from .money import PAID_ONCE
from .reading import rows_of

LAST_DAY = date(9999, 12, 31)


def paid_orders_gave_what_was_quoted() -> int:
    """Each paid order has its period: the quoted first day, base and extra days, for the quoted price.

    A later order may have cut the period short, never made it longer. That of a refunded order is empty.
    """
    columns = (
        Order.state,
        Order.quote,
        Order.plan,
        SubscriptionPeriod.plan,
        SubscriptionPeriod.price,
        SubscriptionPeriod.start_on,
        SubscriptionPeriod.base_end_on,
        SubscriptionPeriod.end_on,
        SubscriptionPeriod.net_minor,
        SubscriptionPeriod.currency,
    )
    broken = 0
    rows = rows_of(Order, *columns, where=Order.state << PAID_ONCE, beside=SubscriptionPeriod)
    for state, quote, ordered_plan, plan, price, start_on, base_end_on, end_on, *paid in rows:
        if start_on is None:
            broken += 1
            continue
        due_on = date.fromisoformat(quote["due_on"])
        extra_days = quote["extension"]["extra_days"] if quote["extension"] else 0
        gave = [plan, price, start_on.isoformat(), base_end_on.isoformat(), *paid]
        promised = [ordered_plan, quote["price_id"], quote["start_on"], quote["base_end_on"]]
        broken += (
            gave != [*promised, quote["net_minor"], quote["currency"]]
            or end_on > (start_on if state == OrderState.REFUNDED else due_on)
            or (due_on - base_end_on).days != extra_days
        )
    return broken


def periods_never_overlap() -> int:
    """A period that was cut before it began is empty and lies nowhere."""
    ends_on = fn.COALESCE(SubscriptionPeriod.end_on, LAST_DAY)
    in_order = (
        SubscriptionPeriod.select(
            SubscriptionPeriod.start_on,
            fn.LAG(ends_on)
            .over(
                partition_by=[SubscriptionPeriod.subscription],
                order_by=[SubscriptionPeriod.start_on, SubscriptionPeriod.id],
            )
            .alias("before_ends_on"),
        )
        .where(_is_not_empty())
        .alias("in_order")
    )
    return (
        SubscriptionPeriod.select(in_order.c.start_on)
        .from_(in_order)
        .where(in_order.c.before_ends_on > in_order.c.start_on)
        .count()
    )


def subscriptions_are_as_their_last_period() -> int:
    """The due date is the end of all periods, the plan that of the newest one.

    Unless a refund gave back what was past already: that fell due on the day of the refund.
    """
    last = (
        SubscriptionPeriod.select(
            SubscriptionPeriod.subscription,
            fn.MAX(SubscriptionPeriod.end_on).alias("end_on"),
            fn.MAX(SubscriptionPeriod.id).alias("newest"),
        )
        .where(_is_not_empty())
        .group_by(SubscriptionPeriod.subscription)
        .alias("last")
    )
    newest = SubscriptionPeriod.alias()
    only_later = (newest.plan == Subscription.plan) & (Subscription.due_on > last.c.end_on)
    differing = (
        Subscription.select(Subscription.workspace, Subscription.due_on, Case(None, [(only_later, 1)], 0))
        .join(last, JOIN.LEFT_OUTER, on=(last.c.subscription_id == Subscription.id))
        .join(newest, JOIN.LEFT_OUTER, on=(newest.id == last.c.newest))
        .where(
            newest.id.is_null()
            | (newest.plan != Subscription.plan)
            | (
                Subscription.due_on.is_null(False)
                & (last.c.end_on.is_null() | (last.c.end_on != Subscription.due_on))
            )
        )
    )
    return sum(
        not (falls_later and _was_refunded_on(due_on, workspace_id))
        for workspace_id, due_on, falls_later in cast("list[tuple[int, date, int]]", list(differing.tuples()))
    )


def _was_refunded_on(day: date, workspace_id: int) -> bool:
    workspace = Workspace.get_by_id(workspace_id)
    issued = Invoice.select(Invoice.issued_at).where(
        Invoice.workspace == workspace, Invoice.kind == DocumentKind.CREDIT_NOTE
    )
    return any(workspace.day(at) == day for (at,) in cast("list[tuple[datetime]]", list(issued.tuples())))


def _is_not_empty() -> Expression:
    return SubscriptionPeriod.end_on.is_null() | (SubscriptionPeriod.end_on > SubscriptionPeriod.start_on)


def active_users_fit_their_plan() -> int:
    """Workspaces with more active users than their plan holds.

    Unless their newest document is a credit note: that refund may have given a small plan back.
    """
    newest = Invoice.select(fn.MAX(Invoice.id)).group_by(Invoice.workspace)
    just_refunded = Invoice.select(Invoice.workspace).where(
        Invoice.id << newest, Invoice.kind == DocumentKind.CREDIT_NOTE
    )
    return (
        Member.select(Member.workspace)
        .join(Subscription, on=(Subscription.workspace == Member.workspace))
        .join(Plan, on=(Subscription.plan == Plan.id))
        .where(
            Member.status == MemberStatus.ACTIVE,
            Plan.max_users.is_null(False),
            Member.workspace.not_in(just_refunded),
        )
        .group_by(Member.workspace, Plan.id, Plan.max_users)
        .having(fn.COUNT(Member.id) > Plan.max_users)
        .count()
    )
