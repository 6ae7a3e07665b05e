"""What is due now, in one amount: a renewal that failed, or the next period of what is late or blocked.

The workspace plan's is shown above every page, that of licences on their card, and paid from there: with a
saved method at once, else through the checkout.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, cast

from peewee import Expression

from portal.database.connecting import transaction
from portal.domain.choices import Choice
from portal.domain.errors import NothingDue, PortalError, QuoteChanged
from portal.domain.money import Money
from portal.domain.plans import PlanNotOffered
from portal.domain.pricing import Quote
from portal.domain.vocabulary import OrderState, PaymentMethodKind, PaymentState, Right
from portal.models import Order, OrderLine, Payment, PaymentMethod, Person, Plan, Product, Subscription
from portal.services import audit, exchange_rates, ledger, orders, places
from portal.services.open_money import refuse_beside_open_money
from portal.services.payments import asking
from portal.services.places import Place
from portal.services.renewals import placing
from portal.services.subscriptions import agreement, charged_methods, next_charge
from portal.services.subscriptions.agreement import SubscriptionStatus

from . import ordering, quoting


@dataclass(frozen=True, slots=True)
class AmountDue:
    """`quote` is what is paid for `choice`, tax included. `is_renewal`: the automatic charge that failed.

    `method` is the saved one that pays what the balance does not at once; None: there is none that could.
    """

    quote: Quote
    plan: Plan
    choice: Choice
    details: dict[str, object]
    is_renewal: bool
    method: PaymentMethod | None


def amount_due(place: Place, status: SubscriptionStatus, *, now: datetime) -> AmountDue | None:
    """What `place`'s person may pay now, of their workspace's `status`; None where there is no one amount.

    None too while a payment or a refund is open, for whoever may not buy or not use saved methods, and where
    a plan has to be chosen first: after a trial, while another plan waits, once the own is sold no more or
    too small. Licences that wait for the due date are those that are due.
    """
    return amounts_due(place, [status], now=now).get(status.subscription.id)


def amounts_due(
    place: Place, statuses: Iterable[SubscriptionStatus], *, now: datetime
) -> dict[int, AmountDue]:
    """As `amount_due`, by the id of the subscription. Mostly four queries, however many are due."""
    due = [status for status in statuses if _has_one_amount(place, status)]
    if not due:
        return {}
    try:
        details = next_charge.details_of(place.workspace)
    except next_charge.NoBillingDetails:
        return {}
    methods = _usable_methods([status.subscription for status in due], now=now)
    kept: dict[str, Money] = {}
    found = {}
    for status in due:
        subscription = status.subscription
        method = methods.get(subscription.id)
        try:
            quote = _quote(status, details, method_kind=_kind_of(method), now=now)
        except PortalError:
            # It stands above every page, and must never cost one.
            continue
        if quote.currency not in kept:
            kept[quote.currency] = ledger.kept(place.workspace, quote.currency)
        found[subscription.id] = AmountDue(
            quote=quote.beside_balance(kept[quote.currency]),
            plan=next_charge.next_terms(subscription)[0],
            choice=next_charge.next_period(subscription),
            details=details,
            is_renewal=subscription.renewal_has_failed,
            method=method,
        )
    return found


def may_order(place: Place, status: SubscriptionStatus, *, now: datetime) -> bool:
    """Whether the person may order the next period of licences, and pay with what they type.

    Mostly without a query.
    """
    is_due = status.is_to_be_paid and not status.subscription.has_open_money
    return Right.BUY in place.may and is_due and is_still_sold(status, now=now)


def is_still_sold(status: SubscriptionStatus, *, now: datetime) -> bool:
    """Whether the next period of licences can be ordered by hand. Mostly without a query."""
    try:
        next_charge.offer_of_what_is_due(status, now=now)
    except PlanNotOffered:
        return False
    return True


def _has_one_amount(place: Place, status: SubscriptionStatus) -> bool:
    subscription = status.subscription
    if not {Right.BUY, Right.USE_SAVED_METHODS, Right.SEE_BILLING_DETAILS} <= place.may:
        return False
    if not status.is_to_be_paid or subscription.has_open_money:
        return False
    scheduled = subscription.scheduled_plan
    if scheduled is None or agreement.is_licensed(subscription):
        return True
    return subscription.renewal_has_failed and not scheduled.free


def _quote(
    status: SubscriptionStatus,
    details: dict[str, object],
    *,
    method_kind: PaymentMethodKind,
    now: datetime,
) -> Quote:
    """Beside no balance: of the renewal that failed, else of whoever orders the next period by hand.

    Raises as the renewal and the checkout do.
    """
    if status.subscription.renewal_has_failed:
        quote = next_charge.upcoming(status.subscription, details=details, is_charged_today=True, now=now)
        exchange_rates.require_for(quote.tax_amount, now=now)
        return quote
    return quoting.quote_of_next_period(status, details=details, method_kind=method_kind, now=now)


def _kind_of(method: PaymentMethod | None) -> PaymentMethodKind:
    return PaymentMethodKind(method.kind) if method else PaymentMethodKind.CARD


def _usable_methods(subscriptions: Sequence[Subscription], *, now: datetime) -> dict[int, PaymentMethod]:
    """By the id of the subscription the first method that may still pay for it: neither over nor stopped,
    nor refused for good since its due date. Two queries.
    """
    workspace = subscriptions[0].workspace
    saved = charged_methods.saved_of(workspace)
    if not saved:
        return {}
    declined = (
        Payment.select(Payment, OrderLine.subscription.alias("subscription_id"))
        .join(Order)
        .join(OrderLine)
        .where(
            Payment.workspace == workspace,
            Payment.method << [method.id for method in saved],
            Payment.state == PaymentState.DECLINED,
            reduce(or_, (_is_about_what_is_due(each) for each in subscriptions)),
        )
        .objects()
    )
    refused = {
        (payment.subscription_id, payment.method_id)
        for payment in cast("Iterable[Any]", declined)
        if charged_methods.was_refused_for_good(payment)
    }
    today, found = workspace.day(now), {}
    for subscription in subscriptions:
        method = charged_methods.first_charged(
            (
                each
                for each in charged_methods.in_order(saved, subscription)
                if (subscription.id, each.id) not in refused
            ),
            on=today,
            currency=charged_methods.currency_of(subscription),
        )
        if method is not None:
            found[subscription.id] = method
    return found


def _is_about_what_is_due(subscription: Subscription) -> Expression:
    """Of an order that renews it; of one by hand, if it was made since the due date."""
    assert subscription.due_on is not None, "what is due has its date"
    is_since = Order.created_at >= agreement.first_moment(subscription.workspace, subscription.due_on)
    is_renewal = OrderLine.renews_on == subscription.due_on
    return (OrderLine.subscription == subscription) & (is_renewal | is_since)


def pay(
    place: Place,
    person: Person,
    *,
    product: Product | None = None,
    method_id: str,
    shown_quote_hash: str,
    return_url: Callable[[str], str],
    now: datetime,
) -> Payment:
    """Charge the saved method at once with what was shown; what it pays for is decided under the lock.

    `product`: the licensed one whose period is paid; None for the workspace plan. `method_id` as it was sent.
    `return_url` gives the absolute address of an order's result, by its number.
    The payment is `created` still where the gateway takes its time (payments/asking.py). Raises GatewayBusy;
    NothingDue; OrderAlreadyPlaced while other money is on its way; QuoteChanged where the amount, or the
    method that pays it, is no longer what was shown. Nothing is charged then.
    """
    asking.refuse_when_busy()
    workspace = place.workspace
    with transaction(lock=workspace):
        status = _status_under_lock(place, product, now=now)
        refuse_beside_open_money(workspace, [status.subscription.product])
        due = _as_shown(place, status, shown_quote_hash, now=now)
        if not places.may_still(place, Right.USE_SAVED_METHODS):
            # Taken from them while the click waited for the lock: no method is theirs to use.
            raise QuoteChanged(shown=shown_quote_hash, current=due.quote.hash)
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


def order_for_another_card(
    place: Place, person: Person, *, product: Product | None = None, shown_quote_hash: str, now: datetime
) -> Order:
    """An open order for the next period, with the details that are known: a card is typed at its review.

    Raises NothingDue, OrderAlreadyPlaced, QuoteChanged, and what the checkout does.
    """
    with transaction(lock=place.workspace):
        status = _status_under_lock(place, product, now=now)
        refuse_beside_open_money(place.workspace, [status.subscription.product])
        due = _as_shown(place, status, shown_quote_hash, now=now)
        card = PaymentMethodKind.CARD
        quote = quoting.quote_of_next_period(status, details=due.details, method_kind=card, now=now)
        quote = ledger.beside_balance(quote, place.workspace)
        return _order_of(status, due, quote, method_kind=card, person=person, now=now)


def order_by_oneself(place: Place, *, product: Product, now: datetime) -> Order:
    """An open order for the next period of licences, for whoever pays with a card and details of their own.

    Raises NothingDue, OrderAlreadyPlaced, and what the checkout does.
    """
    with transaction(lock=place.workspace):
        status = _status_under_lock(place, product, now=now)
        refuse_beside_open_money(place.workspace, [product])
        subscription = status.subscription
        if not status.is_to_be_paid or subscription.price is None:
            raise NothingDue()
        choice, currency = next_charge.next_period(subscription), subscription.price.currency
        return ordering.open_order(place, choices=[choice], currency=currency, now=now)


def _status_under_lock(place: Place, product: Product | None, *, now: datetime) -> SubscriptionStatus:
    subscription = agreement.of_product_or_plan(place.workspace, product)
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
            OrderLine.plan == due.plan,
            OrderLine.interval == due.choice.interval,
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
        changes={"plan": due.plan.code, "interval": due.choice.interval.value, "currency": order.currency},
        now=now,
    )
    return order
