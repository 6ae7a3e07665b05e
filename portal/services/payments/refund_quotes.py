"""What may be sent back, until when, and what that undoes: the same answers for the page and for the act."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from peewee import JOIN, ModelSelect, fn

from portal.database.prepared import Parameter, Prepared
from portal.domain.errors import PortalError
from portal.domain.lifecycle import blocked_on
from portal.domain.money import Money
from portal.domain.plans import ExceededLimit, exceeded_limits
from portal.domain.pricing import facts_hash
from portal.domain.refunds import last_refund_day
from portal.domain.vocabulary import Interval, PaymentState, ProductKind, RefundState
from portal.models import Dispute, Order, OrderLine, Payment, Plan, Price, Product, Refund, Workspace
from portal.runtime import current
from portal.services import open_money, plans
from portal.services.invoices import crediting
from portal.services.subscriptions import agreement, restoring


class RefusalReason(StrEnum):
    NOTHING_PAID = "nothing_paid"
    ONLY_TOGETHER = "only_together"
    NOT_LAST = "not_last"
    REFUNDED = "refunded"
    BEING_REFUNDED = "being_refunded"
    TOO_LATE = "too_late"
    MONEY_IS_OPEN = "money_is_open"
    NOT_OFFERED = "not_offered"
    DISPUTED = "disputed"
    PARTLY_CREDITED = "partly_credited"
    SEVERAL_PRODUCTS = "several_products"
    GAVE_BACK = "gave_back"
    LICENCES_ASSIGNED = "licences_assigned"


@dataclass(frozen=True, slots=True)
class Refundable:
    """`last_day` is included."""

    payment: Payment
    last_day: date


@dataclass(frozen=True, slots=True)
class NotRefundable:
    """`reason`, and the `last_day` on which it was possible where that is past.

    `assigned` licences are held by members where only so many would be `left`.
    """

    reason: RefusalReason
    last_day: date | None = None
    assigned: int = 0
    left: int = 0


class RefundImpossible(PortalError):
    """Nothing may be sent back, for the reason that `refusal` has."""

    refusal: NotRefundable

    @property
    def reason(self) -> RefusalReason:
        return self.refusal.reason


@dataclass(frozen=True, slots=True)
class LastPayment:
    """The newest successful payment for the workspace plan.

    `refund` is that of the plan that succeeded or may still. `is_disputed`: its payer has the money back from
    the bank. `is_partly_credited`: credit notes have given back a part of its invoice. `is_of_several`: it
    was for other products too.
    """

    payment: Payment
    refund: Refund | None
    last_day: date
    is_disputed: bool
    is_partly_credited: bool
    is_of_several: bool

    @property
    def is_out_of_the_question(self) -> bool:
        """Whatever the day: nothing of it is sent back by those who paid it."""
        return self.is_disputed or self.is_partly_credited or self.is_of_several


@dataclass(frozen=True, slots=True)
class Preview:
    """What a refund would do today, with what a page needs to say it.

    `ended_on`: what was paid before is past since then, and due now. `blocked_on`: the first day without
    access then, None unless it is due now. `exceeded`: limits of the earlier plan that today's use is above.
    """

    payment: Payment
    last_day: date
    plan: Plan
    interval: Interval | None
    due_on: date | None
    plan_after: Plan
    interval_after: Interval | None
    due_on_after: date | None
    ended_on: date | None
    blocked_on: date | None
    days_lost: int
    exceeded: tuple[ExceededLimit, ...]
    ends_auto_renewal: bool
    unscheduled: Plan | None

    @property
    def amount(self) -> Money:
        return self.payment.amount

    @property
    def hash(self) -> str:
        """Of everything that the person is shown."""
        return facts_hash(
            {
                "payment": self.payment.key,
                "plan": self.plan.code,
                "interval": self.interval,
                "due_on": _text(self.due_on),
                "plan_after": self.plan_after.code,
                "interval_after": self.interval_after,
                "due_on_after": _text(self.due_on_after),
                "ended_on": _text(self.ended_on),
                "blocked_on": _text(self.blocked_on),
                "days_lost": self.days_lost,
                "exceeded": [[each.limit, each.allowed, each.used] for each in self.exceeded],
                "ends_auto_renewal": self.ends_auto_renewal,
                "unscheduled": self.unscheduled.code if self.unscheduled else None,
            }
        )


def last_payment(workspace: Workspace) -> LastPayment | None:
    """The only payment that its owner may ever have refunded, or None before the first. One query.

    Licensed products are not refunded by those who bought them: they are cancelled (product.md §4).
    """
    payment = _newest_success.first(workspace=workspace.id)
    if payment is None:
        return None
    payment.workspace = payment.order.workspace = workspace
    order, refund = payment.order, getattr(payment, "live_refund", None)
    line = order.plan_line
    assert line is not None, "the payment was for the workspace plan"
    last_day = last_refund_day(
        paid_on=workspace.day(order.given_at), interval=line.interval, base_end_on=line.base_end_on
    )
    dispute = getattr(payment, "dispute", None)
    return LastPayment(
        payment,
        refund if refund is not None and refund.id else None,
        last_day,
        is_disputed=dispute is not None and bool(dispute.id),
        is_partly_credited=bool(payment.is_partly_credited),
        is_of_several=len(order.frozen_lines) > 1,
    )


_newest_success = Prepared(
    lambda: (
        Payment.select(
            Payment,
            Order,
            Refund,
            Dispute,
            fn.EXISTS(crediting.credited_lines_of(Payment.order)).alias("is_partly_credited"),
        )
        .join_from(Payment, Order)
        .join_from(
            Payment,
            Refund,
            JOIN.LEFT_OUTER,
            on=(
                (Refund.payment == Payment.id)
                & (Refund.state != RefundState.REFUSED)
                & (Refund.line.is_null() | (Refund.line << _lines_of_the_plan(OrderLine.id)))
            ),
            attr="live_refund",
        )
        .join_from(Payment, Dispute, JOIN.LEFT_OUTER, attr="dispute")
        .where(
            Payment.workspace == Parameter("workspace"),
            Payment.state == PaymentState.SUCCEEDED,
            Payment.order << _lines_of_the_plan(OrderLine.order),
        )
        .order_by(Payment.id.desc())
        .limit(1)
    )
)


def _lines_of_the_plan(column: Any) -> "ModelSelect[OrderLine]":
    """Those of the payment's own order: a list of the workspace's would be read whole, however long."""
    return (
        OrderLine.select(column)
        .join_from(OrderLine, Plan)
        .join_from(Plan, Product)
        .where(OrderLine.order == Payment.order, Product.kind == ProductKind.WORKSPACE_PLAN)
    )


def refundable(workspace: Workspace, *, now: datetime) -> Refundable | NotRefundable:
    """Whether the last payment can be sent back today, and until when."""
    last = last_payment(workspace)
    if last is None:
        return NotRefundable(RefusalReason.NOTHING_PAID)
    if last.refund is not None:
        is_over = last.refund.state == RefundState.SUCCEEDED
        return NotRefundable(RefusalReason.REFUNDED if is_over else RefusalReason.BEING_REFUNDED)
    if last.is_disputed:
        return NotRefundable(RefusalReason.DISPUTED)
    if workspace.day(now) > last.last_day:
        return NotRefundable(RefusalReason.TOO_LATE, last.last_day)
    if last.is_partly_credited:
        return NotRefundable(RefusalReason.PARTLY_CREDITED)
    if last.is_of_several:
        return NotRefundable(RefusalReason.SEVERAL_PRODUCTS)
    gateway = current().gateways.get(last.payment.gateway)
    if gateway is None or not gateway.capabilities().refunds:
        return NotRefundable(RefusalReason.NOT_OFFERED)
    if open_money.open_payment(workspace, [agreement.of_workspace(workspace).product]) is not None:
        return NotRefundable(RefusalReason.MONEY_IS_OPEN)
    return Refundable(last.payment, last.last_day)


def find_payment(workspace: Workspace, key: str) -> Payment | None:
    """The workspace's payment with its order; another workspace's, and one that never succeeded, is None."""
    payment = (
        Payment.select(Payment, Order)
        .join(Order)
        .where(Payment.workspace == workspace, Payment.key == key, Payment.state == PaymentState.SUCCEEDED)
        .first()
    )
    if payment is not None:
        payment.workspace = payment.order.workspace = workspace
    return payment


def preview(payment: Payment, *, now: datetime) -> Preview:
    """What refunding `payment` would do now. Raises RefundImpossible."""
    workspace = payment.workspace
    possible = refundable(workspace, now=now)
    if isinstance(possible, NotRefundable):
        raise RefundImpossible(refusal=possible)
    if possible.payment.id != payment.id:
        raise RefundImpossible(refusal=NotRefundable(RefusalReason.NOT_LAST))
    today = workspace.day(now)
    subscription = agreement.of_workspace(workspace)
    [line] = payment.order.lines
    [periods] = restoring.periods_of([subscription]).values()
    restored = restoring.without(line, subscription=subscription, periods=periods, today=today)
    assert restored.newest is not None, "every workspace began with a trial"
    plan_after, price_after = restored.newest.plan, restored.newest.price
    grace_days = 0 if plan_after.trial else agreement.grace_days(subscription)
    return Preview(
        payment=possible.payment,
        last_day=possible.last_day,
        plan=subscription.plan,
        interval=_interval(subscription.price),
        due_on=subscription.due_on,
        plan_after=plan_after,
        interval_after=_interval(price_after),
        due_on_after=restored.due_on,
        ended_on=restored.ends_on if restored.is_due_now else None,
        blocked_on=blocked_on(today, grace_days) if restored.is_due_now else None,
        days_lost=_days_lost(subscription.due_on, restored.due_on, today=today),
        exceeded=exceeded_limits(plans.limits_of(plan_after), plans.usage_of(workspace)),
        ends_auto_renewal=subscription.auto_renewal,
        unscheduled=subscription.scheduled_plan,
    )


def _interval(price: Price | None) -> Interval | None:
    return price.interval if price is not None else None


def _days_lost(due_on: date | None, due_on_after: date | None, *, today: date) -> int:
    """Paid days between the two due dates. Where nothing ends afterwards, those that were still paid."""
    if due_on is None:
        return 0
    return max(0, (due_on - (due_on_after or today)).days)


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
