"""What is due now, in one amount: a renewal that failed, or the next period of a late or blocked plan.

Shown above every page and paid from there: with a saved method at once, else through the checkout.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from peewee import Expression

from portal.database.connecting import transaction
from portal.domain.choices import Choice
from portal.domain.errors import PortalError, QuoteChanged
from portal.domain.pricing import Quote
from portal.domain.vocabulary import (
    Interval,
    OrderState,
    PaymentMethodKind,
    PaymentState,
    Right,
    SubscriptionState,
)
from portal.models import Order, OrderLine, Payment, PaymentMethod, Person, Plan, Subscription
from portal.services import audit, ledger, orders
from portal.services.open_money import refuse_beside_open_money
from portal.services.payments import asking
from portal.services.places import Place
from portal.services.renewals import placing
from portal.services.subscriptions import agreement, charged_methods, next_charge
from portal.services.subscriptions.agreement import SubscriptionStatus

from . import ordering


class NothingDue(PortalError):
    """It was paid meanwhile, or nobody can say any more what it costs."""


@dataclass(frozen=True, slots=True)
class AmountDue:
    """`quote` is what is paid, tax included. `is_renewal`: it is the automatic charge that failed.

    `method` is the saved one that pays what the balance does not at once; None: there is none that could.
    """

    quote: Quote
    plan: Plan
    interval: Interval
    details: dict[str, object]
    is_renewal: bool
    method: PaymentMethod | None


def amount_due(place: Place, status: SubscriptionStatus, *, now: datetime) -> AmountDue | None:
    """What `place`'s person may pay now, of their workspace's `status`; None where there is no one amount.

    None too while a payment or a refund is open, for whoever may not buy or not use saved methods, and where
    a plan has to be chosen first: after a trial, while another plan waits, once the own is sold no more or
    too small.
    """
    subscription = status.subscription
    is_renewal = subscription.renewal_has_failed
    if not {Right.BUY, Right.USE_SAVED_METHODS, Right.SEE_BILLING_DETAILS} <= place.may:
        return None
    if not is_renewal and status.state not in (SubscriptionState.LATE, SubscriptionState.BLOCKED):
        return None
    scheduled = subscription.scheduled_plan
    plan_waits = scheduled is not None and (scheduled.free or not is_renewal)
    if subscription.price is None or plan_waits or subscription.has_open_money:
        return None
    plan, interval = next_charge.next_terms(subscription)
    method = _usable_method(subscription, now=now)
    try:
        details = next_charge.details_of(place.workspace)
        if is_renewal:
            quote = next_charge.upcoming(subscription, details=details, is_charged_today=True, now=now)
            quote = ledger.beside_balance(quote, place.workspace)
        else:
            quote = _ordered_by_hand(status, details, method_kind=_kind_of(method), now=now)
    except PortalError:
        # It stands above every page, and must never cost one.
        return None
    return AmountDue(quote, plan, interval, details, is_renewal, method)


def _ordered_by_hand(
    status: SubscriptionStatus,
    details: dict[str, object],
    *,
    method_kind: PaymentMethodKind,
    now: datetime,
) -> Quote:
    """What the period to be paid costs whoever orders it by hand. Raises as the checkout does."""
    subscription = status.subscription
    assert subscription.price is not None, "only a plan with a price is due"
    plan, interval = next_charge.next_terms(subscription)
    return ordering.quote_of_plan(
        status,
        Choice(plan.code, interval),
        currency=subscription.price.currency,
        details=details,
        method_kind=method_kind,
        now=now,
    )


def _kind_of(method: PaymentMethod | None) -> PaymentMethodKind:
    return PaymentMethodKind(method.kind) if method else PaymentMethodKind.CARD


def _usable_method(subscription: Subscription, *, now: datetime) -> PaymentMethod | None:
    """The first that may still pay: neither over nor stopped, nor refused for good since the due date."""
    workspace = subscription.workspace
    methods = charged_methods.methods_of(subscription)
    if not methods or subscription.due_on is None:
        return None
    declined = (
        Payment.select()
        .join(Order)
        .join(OrderLine)
        .where(
            Payment.workspace == workspace,
            Payment.method << [method.id for method in methods],
            Payment.state == PaymentState.DECLINED,
            OrderLine.subscription == subscription,
            (OrderLine.renews_on == subscription.due_on) | _is_about_what_is_due(subscription),
        )
    )
    refused = {payment.method_id for payment in declined if charged_methods.was_refused_for_good(payment)}
    today = workspace.day(now)
    usable = (each for each in methods if charged_methods.may_be_charged(each, on=today))
    return next((each for each in usable if each.id not in refused), None)


def _is_about_what_is_due(subscription: Subscription) -> Expression:
    """Of an order by hand: made since the due date."""
    assert subscription.due_on is not None, "what is due has its date"
    return Order.created_at >= agreement.first_moment(subscription.workspace, subscription.due_on)


def pay(
    place: Place,
    person: Person,
    *,
    method_id: str,
    shown_quote_hash: str,
    return_url: Callable[[str], str],
    now: datetime,
) -> Payment:
    """Charge the saved method at once with what was shown; what it pays for is decided under the lock.

    `method_id` as it was sent. `return_url` gives the absolute address of an order's result, by its number.
    The payment is `created` still where the gateway takes its time (payments/asking.py). Raises GatewayBusy;
    NothingDue; OrderAlreadyPlaced while other money is on its way; QuoteChanged where the amount, or the
    method that pays it, is no longer what was shown. Nothing is charged then.
    """
    asking.refuse_when_busy()
    workspace = place.workspace
    with transaction(lock=workspace):
        status = _status_under_lock(place, now=now)
        refuse_beside_open_money(workspace, [status.subscription.product])
        due = _as_shown(place, status, shown_quote_hash, now=now)
        is_charged = due.quote.due.minor > 0
        if is_charged and (due.method is None or str(due.method.id) != method_id):
            raise QuoteChanged(shown=shown_quote_hash, current=due.quote.hash)
        if due.is_renewal:
            # Not told (next_charge.tell): a click that is declined must not raise the ceiling of the rounds.
            payment = placing.place(
                status.subscription,
                due.quote,
                due.details,
                charged_methods.begun_renewal(status.subscription),
                method=due.method if is_charged else None,
                by_hand=person,
                now=now,
            )
        else:
            order = _order_of(
                status, due, due.quote, method_kind=_kind_of(due.method), person=person, now=now
            )
            method = due.method if is_charged else None
            payment = ordering.record_placed(order, person=person, method=method, now=now)
    return ordering.ask(payment, card=None, save=False, return_url=return_url(payment.order.number), now=now)


def order_for_another_card(place: Place, person: Person, *, shown_quote_hash: str, now: datetime) -> Order:
    """An open order for the next period, with the details that are known: a card is typed at its review.

    Raises NothingDue, OrderAlreadyPlaced, QuoteChanged, and what the checkout does.
    """
    with transaction(lock=place.workspace):
        status = _status_under_lock(place, now=now)
        refuse_beside_open_money(place.workspace, [status.subscription.product])
        due = _as_shown(place, status, shown_quote_hash, now=now)
        quote = _ordered_by_hand(status, due.details, method_kind=PaymentMethodKind.CARD, now=now)
        return _order_of(status, due, quote, method_kind=PaymentMethodKind.CARD, person=person, now=now)


def _status_under_lock(place: Place, *, now: datetime) -> SubscriptionStatus:
    subscription = agreement.of_workspace(place.workspace)
    return agreement.status_of(subscription, today=place.workspace.day(now))


def _as_shown(place: Place, status: SubscriptionStatus, shown_quote_hash: str, *, now: datetime) -> AmountDue:
    due = amount_due(place, status, now=now)
    if due is None:
        raise NothingDue()
    if due.quote.hash != shown_quote_hash:
        raise QuoteChanged(shown=shown_quote_hash, current=due.quote.hash)
    return due


def _order_of(
    status: SubscriptionStatus,
    due: AmountDue,
    quote: Quote,
    *,
    method_kind: PaymentMethodKind,
    person: Person,
    now: datetime,
) -> Order:
    """An order for the next period; the person's own that was not paid yet, so that clicks make no others."""
    subscription = status.subscription
    order = (
        Order.select()
        .join(OrderLine)
        .where(
            Order.workspace == subscription.workspace,
            Order.person == person,
            Order.state == OrderState.OPEN,
            OrderLine.subscription == subscription,
            OrderLine.plan == due.plan,
            OrderLine.interval == due.interval,
            OrderLine.renews_on.is_null(),
            _is_about_what_is_due(subscription),
        )
        .order_by(Order.id.desc())
        .first()
    )
    is_new = order is None
    if order is None:
        order = Order(number=orders.new_order_number(), person=person, created_at=now)
    order.workspace = subscription.workspace
    order.details, order.method_kind = due.details, method_kind
    order.display_currency = quote.currency
    order.auto_renewal = False
    orders.freeze(order, quote, [subscription])
    audit.record(
        "order.opened" if is_new else "order.details",
        workspace=subscription.workspace,
        subject=order.number,
        changes={"plan": due.plan.code, "interval": due.interval.value, "currency": order.currency},
        now=now,
    )
    return order
