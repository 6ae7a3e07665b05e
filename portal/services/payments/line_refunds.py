"""What the vendor's staff may send back of a payment: one line of its order, or all, and what that undoes.

The rule is that of product.md §4 for each line: the last payment of its subscription, within the days of its
interval. A line is undone whole. What a gateway was asked for it goes back, and what the balance had paid of
it stays in the balance, by the same credit note (docs/adr/0032).
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from peewee import JOIN, fn

from portal.domain.frozen_quote import frozen_balance
from portal.domain.money import Money, total
from portal.domain.pricing import facts_hash
from portal.domain.refunds import last_refund_day, shares_of_lines
from portal.domain.vocabulary import PaymentState
from portal.models import (
    CreditedLine,
    Dispute,
    Invoice,
    Licence,
    Order,
    OrderLine,
    Payment,
    Plan,
    Price,
    Product,
    Refund,
    Subscription,
    Workspace,
)
from portal.runtime import current
from portal.services import open_money, orders
from portal.services.subscriptions import agreement, restoring
from portal.services.subscriptions.restoring import Restored

from .refund_quotes import NotRefundable, RefundImpossible, RefusalReason


@dataclass(frozen=True, slots=True)
class UndoneLine:
    """A line of the order that goes back, and its subscription as it is then (`restored`).

    `sent_back` is what a gateway was asked for the line, tax included. `last_day` is included. `assigned`
    licences are held by members. `line` has its plan, the subscription its product, plan and price.
    """

    line: OrderLine
    subscription: Subscription
    sent_back: Money
    last_day: date
    assigned: int
    restored: Restored

    @property
    def total(self) -> Money:
        """Of the credit note: tax included."""
        return Money(self.line.total_minor, self.sent_back.currency)

    @property
    def kept(self) -> Money:
        """What the balance had paid, and keeps."""
        return self.total - self.sent_back

    @property
    def facts(self) -> dict[str, object]:
        """Everything that the person is shown of it."""
        newest, subscription = self.restored.newest, self.subscription
        scheduled = subscription.scheduled_plan
        return {
            "position": self.line.position,
            "total_minor": self.total.minor,
            "sent_back_minor": self.sent_back.minor,
            "before": [subscription.plan.code, subscription.quantity, _text(subscription.due_on)],
            "after": [
                newest.plan.code if newest else None,
                self.restored.quantity,
                _text(self.restored.due_on),
                _text(self.restored.ends_on),
            ],
            "has_ended": self.restored.has_ended,
            "ends_auto_renewal": subscription.auto_renewal,
            "unscheduled": [
                scheduled.code if scheduled else None,
                subscription.scheduled_interval,
                subscription.scheduled_quantity,
            ],
        }


@dataclass(frozen=True, slots=True)
class LinesPreview:
    """What a refund would do today. `line` None: of the whole order. `invoice` is the one it credits."""

    payment: Payment
    line: OrderLine | None
    invoice: Invoice
    undone: tuple[UndoneLine, ...]

    @property
    def amount(self) -> Money:
        """What a gateway sends back."""
        return total((each.sent_back for each in self.undone), self.payment.currency)

    @property
    def kept(self) -> Money:
        return total((each.kept for each in self.undone), self.payment.currency)

    @property
    def total(self) -> Money:
        """Of the credit note."""
        return self.amount + self.kept

    @property
    def last_day(self) -> date:
        return min(each.last_day for each in self.undone)

    @property
    def hash(self) -> str:
        return facts_hash(
            {
                "payment": self.payment.key,
                "line": self.line.position if self.line else None,
                "lines": [each.facts for each in self.undone],
            }
        )


@dataclass(frozen=True, slots=True)
class RefundableLine:
    """A line of a paid order, None for all, with what its refund would do, or why there is none."""

    line: OrderLine | None
    found: LinesPreview | NotRefundable


@dataclass(frozen=True, slots=True)
class RefundablePayment:
    """A payment that succeeded. `asked` are its refunds, refused ones too, each with its credit note.

    `lines`: each of the order by itself, in their order; then all of several, while none has gone back.
    """

    payment: Payment
    asked: tuple[Refund, ...]
    lines: tuple[RefundableLine, ...]


def of_payment(slug: str, key: str, *, now: datetime) -> RefundablePayment | None:
    """The workspace's payment as it is now; another workspace's, and one that never succeeded, is None.

    Five queries, however many lines it paid for.
    """
    payment = _read_payment(key)
    if payment is None or payment.workspace.slug != slug or payment.workspace.deleted_at is not None:
        return None
    looked_at = _LookedAt(payment, now=now)
    wanted: list[OrderLine | None] = list(looked_at.lines)
    if len(wanted) > 1 and not any(line.refunded_at for line in looked_at.lines):
        wanted.append(None)
    lines = tuple(RefundableLine(line, looked_at.preview(line)) for line in wanted)
    return RefundablePayment(payment, tuple(looked_at.asked), lines)


def preview(payment: Payment, line: OrderLine | None, *, now: datetime) -> LinesPreview:
    """What refunding the line would do now, None for the whole order. Raises RefundImpossible."""
    as_it_is = _read_payment(payment.key)
    assert as_it_is is not None, "what has succeeded stays so"
    found = _LookedAt(as_it_is, now=now).preview(line)
    if isinstance(found, NotRefundable):
        raise RefundImpossible(refusal=found)
    return found


def chosen_line(payment: Payment, position: int | None) -> OrderLine | None:
    """The line at that place of the order, None for all; the only line of an order is all of it.

    Raises LookupError where there is no such line.
    """
    if position is None:
        return None
    orders.read_lines([payment.order])
    lines = payment.order.lines
    if not 0 < position <= len(lines):
        raise LookupError(position)
    return lines[position - 1] if len(lines) > 1 else None


def lines_undone(refund: Refund) -> list[OrderLine]:
    """Those of the order of its payment that go back with it, each with its subscription; two queries."""
    order = refund.payment.order
    orders.read_lines([order])
    agreement.read_subscriptions(order.lines)
    return [line for line in order.lines if refund.line_id in (None, line.id)]


def _read_payment(key: str) -> Payment | None:
    """One that succeeded, with its order, workspace and `invoice`, and the `dispute` of it or None."""
    return (
        Payment.select(Payment, Order, Workspace, Invoice, Dispute)
        .join_from(Payment, Order)
        .join_from(Payment, Workspace)
        .join_from(
            Payment,
            Invoice,
            on=(Invoice.order == Payment.order) & Invoice.is_current(),
            attr="invoice",
        )
        .join_from(Payment, Dispute, JOIN.LEFT_OUTER, attr="dispute")
        .where(Payment.key == key, Payment.state == PaymentState.SUCCEEDED)
        .first()
    )


def _read_lines(payment: Payment) -> list[OrderLine]:
    """Of its order, each with its subscription and all that a page says of it.

    `is_credited`: a credit note has given back a part of it. `assigned` licences are held by members.
    """
    order, plan, scheduled = payment.order, Plan.alias(), Plan.alias()
    credited = CreditedLine.select(CreditedLine.id).where(
        CreditedLine.invoice == cast(Any, payment).invoice, CreditedLine.position == OrderLine.position
    )
    assigned = Licence.select(fn.COUNT(Licence.id)).where(Licence.subscription == Subscription.id)
    lines = list(
        OrderLine.select(
            OrderLine,
            Plan,
            Subscription,
            Product,
            plan,
            scheduled,
            Price,
            fn.EXISTS(credited).alias("is_credited"),
            assigned.alias("assigned"),
        )
        .join_from(OrderLine, Plan)
        .join_from(OrderLine, Subscription)
        .join_from(Subscription, Product)
        .join_from(Subscription, plan, on=(Subscription.plan == plan.id))
        .join_from(Subscription, scheduled, JOIN.LEFT_OUTER, on=(Subscription.scheduled_plan == scheduled.id))
        .join_from(Subscription, Price, JOIN.LEFT_OUTER)
        .where(OrderLine.order == order)
        .order_by(OrderLine.position)
    )
    for line in lines:
        line.order = order
        _subscription_of(line).workspace = payment.workspace
    return lines


def _read_refunds(payment: Payment) -> list[Refund]:
    """All of them, refused ones too, each with its credit note, the oldest first."""
    return list(
        Refund.select(Refund, Invoice)
        .join_from(Refund, Invoice, JOIN.LEFT_OUTER, on=Refund.credit_note)
        .where(Refund.payment == payment)
        .order_by(Refund.id)
    )


class _LookedAt:
    """A payment and all that decides about the refunds of its lines, read once: four queries."""

    def __init__(self, payment: Payment, *, now: datetime) -> None:
        self.payment, self.order, self.workspace = payment, payment.order, payment.workspace
        self.order.workspace = self.workspace
        self.today = self.workspace.day(now)
        self.lines = _read_lines(payment)
        self.order.lines = self.lines
        self.asked = _read_refunds(payment)
        self._periods = restoring.periods_of(_subscription_of(line) for line in self.lines)
        self._in_the_way = open_money.orders_in_the_way(self.workspace)
        self._never = self._why_never()
        self._undone: dict[int, UndoneLine] = {}

    def _why_never(self) -> RefusalReason | None:
        """Why nothing of the payment goes back, whichever line it is."""
        if cast(Any, self.payment).dispute is not None:
            return RefusalReason.DISPUTED
        gateway = current().gateways.get(self.payment.gateway)
        if gateway is None or not gateway.capabilities().refunds:
            return RefusalReason.NOT_OFFERED
        balance = frozen_balance(self.order.quote)
        if balance is not None and balance.credits:
            return RefusalReason.GAVE_BACK
        return None

    def preview(self, line: OrderLine | None) -> LinesPreview | NotRefundable:
        # As they are now that the lock is held.
        wanted = [self.lines[line.position - 1]] if line is not None else self.lines
        undone = []
        for each in wanted:
            if (reason := self._why_not(each)) is not None:
                return NotRefundable(reason)
            found = self._undone.get(each.id) or self._undone.setdefault(each.id, self._undo(each))
            if self.today > found.last_day:
                return NotRefundable(RefusalReason.TOO_LATE, found.last_day)
            left = found.restored.quantity
            if found.assigned > left and not found.restored.has_ended:
                return NotRefundable(RefusalReason.LICENCES_ASSIGNED, assigned=found.assigned, left=left)
            undone.append(found)
        if any(each.subscription.product_id in self._in_the_way for each in undone):
            return NotRefundable(RefusalReason.MONEY_IS_OPEN)
        if not any(each.sent_back.minor for each in undone):
            is_together = line is not None and isinstance(self.preview(None), LinesPreview)
            return NotRefundable(RefusalReason.ONLY_TOGETHER if is_together else RefusalReason.NOTHING_PAID)
        # Of an order with one line that one is all of it.
        only = line if len(self.lines) > 1 else None
        return LinesPreview(self.payment, only, cast(Any, self.payment).invoice, tuple(undone))

    def _why_not(self, line: OrderLine) -> RefusalReason | None:
        if line.refunded_at is not None:
            return RefusalReason.REFUNDED
        if any(refund.is_open for refund in self.asked):
            return RefusalReason.BEING_REFUNDED
        if self._never is not None:
            return self._never
        if cast(Any, line).is_credited:
            return RefusalReason.PARTLY_CREDITED
        if line.id != self._paid_last(_subscription_of(line)):
            return RefusalReason.NOT_LAST
        return None

    def _paid_last(self, subscription: Subscription) -> int | None:
        """The id of the line that was, refunded since or not."""
        paid = [period.line for period in self._periods[subscription.id] if period.line is not None]
        return paid[-1].id if paid else None

    def _share(self, line: OrderLine) -> Money:
        moved = Money(self.payment.amount_minor, self.payment.currency)
        lines = [Money(each.total_minor, moved.currency) for each in self.lines]
        return shares_of_lines(moved, lines)[line.position - 1]

    def _undo(self, line: OrderLine) -> UndoneLine:
        subscription = _subscription_of(line)
        return UndoneLine(
            line=line,
            subscription=subscription,
            sent_back=self._share(line),
            last_day=last_refund_day(
                paid_on=self.workspace.day(self.order.given_at),
                interval=line.interval,
                base_end_on=line.base_end_on,
            ),
            assigned=int(cast(Any, line).assigned),
            restored=restoring.without(
                line, subscription=subscription, periods=self._periods[subscription.id], today=self.today
            ),
        )


def _subscription_of(line: OrderLine) -> Subscription:
    assert line.subscription is not None, "what was paid has its subscription"
    return line.subscription


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
