"""What is due now, in one amount: a renewal that failed, or the next period of a late or blocked plan.

Shown above every page and paid from there: with a saved method at once, else through the checkout.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from portal.database.connecting import transaction
from portal.domain.errors import CurrencyMismatch, MissingVatRate, PortalError, QuoteChanged
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.pricing import Quote
from portal.domain.vocabulary import (
    Interval,
    OrderState,
    PaymentMethodKind,
    PaymentState,
    Right,
    SubscriptionState,
)
from portal.models import Order, Payment, PaymentMethod, Person, Plan, Subscription
from portal.services import orders
from portal.services.open_money import refuse_beside_open_money
from portal.services.payments import asking
from portal.services.places import Place
from portal.services.renewals import placing
from portal.services.subscriptions import agreement, charged_methods, next_charge
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.services.subscriptions.next_charge import NoBillingDetails

from . import ordering


class NothingDue(PortalError):
    """It was paid meanwhile, or nobody can say any more what it costs."""


@dataclass(frozen=True, slots=True)
class AmountDue:
    """`quote` is what is paid, tax included. `is_renewal`: it is the automatic charge that failed.

    `method` is the saved one that pays at once; None: there is none that could.
    """

    quote: Quote
    plan: Plan
    interval: Interval
    details: dict[str, object]
    is_renewal: bool
    method: PaymentMethod | None

    @property
    def method_kind(self) -> PaymentMethodKind:
        return PaymentMethodKind(self.method.kind) if self.method else PaymentMethodKind.CARD


def amount_due(place: Place, status: SubscriptionStatus, *, now: datetime) -> AmountDue | None:
    """What `place`'s person may pay now, of their workspace's `status`; None where there is no one amount.

    None too for whoever may not buy or not use saved methods, and where a plan has to be chosen first: after
    a trial, while another plan waits, or once the own plan is sold no more or too small.
    """
    subscription = status.subscription
    has_failed = subscription.auto_renewal and subscription.renewal_failed_on is not None
    if not {Right.BUY, Right.USE_SAVED_METHODS, Right.SEE_BILLING_DETAILS} <= place.may:
        return None
    if not has_failed and status.state not in (SubscriptionState.LATE, SubscriptionState.BLOCKED):
        return None
    scheduled = subscription.scheduled_plan
    if subscription.price is None or (scheduled is not None and (scheduled.free or not has_failed)):
        return None
    plan, interval = next_charge.next_terms(subscription)
    method = _usable_method(subscription, now=now)
    try:
        details = next_charge.details_of(place.workspace)
        if has_failed:
            quote = next_charge.upcoming(subscription, details=details, now=now)
        else:
            quote, _plan = ordering.quote_of_terms(
                place.workspace,
                plan_code=plan.code,
                interval=interval,
                currency=subscription.price.currency,
                details=details,
                method_kind=PaymentMethodKind(method.kind) if method else PaymentMethodKind.CARD,
                now=now,
            )
    except (PlanNotOffered, PlanTooSmall, NoBillingDetails, MissingVatRate, CurrencyMismatch):
        return None
    return AmountDue(quote, plan, interval, details, has_failed, method)


def _usable_method(subscription: Subscription, *, now: datetime) -> PaymentMethod | None:
    """The first that may still pay: neither over nor stopped, nor refused for good since the due date."""
    workspace = subscription.workspace
    methods = charged_methods.methods_of(subscription)
    if not methods or subscription.due_on is None:
        return None
    since = agreement.first_moment(workspace, subscription.due_on)
    declined = (
        Payment.select()
        .join(Order)
        .where(
            Payment.workspace == workspace,
            Payment.method << [method.id for method in methods],
            Payment.state == PaymentState.DECLINED,
            Order.created_at >= since,
        )
    )
    refused = {payment.method_id for payment in declined if charged_methods.was_refused_for_good(payment)}
    today = workspace.day(now)
    usable = (each for each in methods if charged_methods.may_be_charged(each, on=today))
    return next((each for each in usable if each.id not in refused), None)


def pay(
    place: Place,
    person: Person,
    *,
    method_id: int,
    shown_quote_hash: str,
    return_url: Callable[[str], str],
    now: datetime,
) -> Payment:
    """Charge the saved method at once with what was shown; what it pays for is decided under the lock.

    `return_url` gives the absolute address of an order's result, by its number. The payment is `created`
    still where the gateway takes its time (payments/asking.py). Raises GatewayBusy; NothingDue;
    OrderAlreadyPlaced while other money is on its way; QuoteChanged where the amount, or the method that
    pays it, is no longer what was shown. Nothing is charged then.
    """
    asking.refuse_when_busy()
    workspace = place.workspace
    with transaction(lock=workspace):
        refuse_beside_open_money(workspace)
        subscription = agreement.of_workspace(workspace)
        due = _due_under_lock(place, subscription, shown_quote_hash=shown_quote_hash, now=now)
        if due.method is None or due.method.id != method_id:
            raise QuoteChanged(shown=shown_quote_hash, current=due.quote.hash)
        if due.is_renewal:
            # What was shown, and agreed to by the click, may be more than a letter said.
            payment = placing.place(
                subscription,
                due.quote,
                due.details,
                placing.begun_renewal(subscription),
                method=due.method,
                payer=person,
                tried_on=None,
                now=now,
            )
        else:
            order = _order_for(place, due, person=person, state=OrderState.PLACED, now=now)
            payment = ordering.record_placed(order, person=person, method=due.method, now=now)
    return ordering.ask(payment, card=None, save=False, return_url=return_url(payment.order.number), now=now)


def open_order(place: Place, person: Person, *, shown_quote_hash: str, now: datetime) -> Order:
    """The order for what is due, with the workspace's details, to be reviewed and paid with a card.

    Raises NothingDue, OrderAlreadyPlaced, QuoteChanged.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        refuse_beside_open_money(workspace)
        subscription = agreement.of_workspace(workspace)
        due = _due_under_lock(place, subscription, shown_quote_hash=shown_quote_hash, now=now)
        return _order_for(place, due, person=person, state=OrderState.OPEN, now=now)


def _due_under_lock(
    place: Place, subscription: Subscription, *, shown_quote_hash: str, now: datetime
) -> AmountDue:
    status = agreement.status_of(subscription, today=place.workspace.day(now))
    due = amount_due(place, status, now=now)
    if due is None:
        raise NothingDue()
    if due.quote.hash != shown_quote_hash:
        raise QuoteChanged(shown=shown_quote_hash, current=due.quote.hash)
    return due


def _order_for(place: Place, due: AmountDue, *, person: Person, state: OrderState, now: datetime) -> Order:
    """A new order, or the person's newest one for the same that was never paid: each click makes no other."""
    workspace = place.workspace
    order = (
        Order.select()
        .where(
            Order.workspace == workspace,
            Order.person == person,
            Order.state == OrderState.OPEN,
            Order.plan == due.plan,
            Order.interval == due.interval,
            Order.renews_on.is_null(),
        )
        .order_by(Order.id.desc())
        .first()
    )
    if order is None:
        order = Order(
            number=orders.new_order_number(),
            workspace=workspace,
            person=person,
            plan=due.plan,
            interval=due.interval,
            created_at=now,
        )
    order.workspace, order.plan = workspace, due.plan
    order.state = state
    order.details = due.details
    order.method_kind = due.method_kind
    order.display_currency = due.quote.total.currency
    order.auto_renewal = False
    orders.freeze(order, due.quote)
    order.save(force_insert=order.id is None)
    return order
