"""From a chosen plan to a payment asked for: the order, its details, its review, its placing.

`place` is where money begins to move. It holds the workspace's lock while it makes the quote anew
and records the intent; the gateway is asked by services/payments/charging.py after the commit.
"""

from dataclasses import asdict
from datetime import datetime

from portal.database.connecting import require_transaction, transaction
from portal.domain.billing_details import Details
from portal.domain.errors import OrderAlreadyPlaced, QuoteChanged, SmallerPlanWaits, TooEarlyToProlong
from portal.domain.plans import PlanNotOffered, has_days_left, is_prolongable
from portal.domain.pricing import Quote, WantedLine, make_quote, order_kind
from portal.domain.tax import Buyer
from portal.domain.vocabulary import (
    Interval,
    OrderKind,
    OrderState,
    PaymentMethodKind,
    Right,
    SubscriptionState,
)
from portal.gateways.base import CardData
from portal.models import BillingDetails, Order, Payment, PaymentMethod, Person, Plan, Subscription, Workspace
from portal.runtime import current
from portal.services import audit, plans
from portal.services.open_money import refuse_beside_open_money
from portal.services.orders import freeze, new_order_number
from portal.services.payments import asking, charging
from portal.services.places import Place
from portal.services.subscriptions import agreement


def open_order(place: Place, *, plan_code: str, interval: Interval, currency: str, now: datetime) -> Order:
    """An order with a frozen quote, for today's price. Raises what `current_quote` does."""
    workspace = place.workspace
    with transaction(lock=workspace):
        subscription = agreement.of_workspace(workspace)
        quote = quote_of_terms(
            subscription, plan_code=plan_code, interval=interval, currency=currency, details=None, now=now
        )
        order = Order(
            number=new_order_number(),
            workspace=workspace,
            person=place.member.person_id,
            display_currency=currency,
            created_at=now,
        )
        freeze(order, quote, [subscription])
        audit.record(
            "order.opened",
            workspace=workspace,
            subject=order.number,
            changes={"plan": plan_code, "interval": interval.value, "currency": currency},
            now=now,
        )
    return order


def refuse_what_cannot_be_ordered(
    place: Place, *, plan_code: str, interval: Interval, currency: str, now: datetime
) -> None:
    """Raise what `open_order` would raise, and make nothing."""
    subscription = agreement.of_workspace(place.workspace)
    quote_of_terms(
        subscription, plan_code=plan_code, interval=interval, currency=currency, details=None, now=now
    )


def find_order(workspace: Workspace, number: str) -> Order | None:
    """The workspace's order with its buyer; another workspace's is None."""
    order = (
        Order.select(Order, Person)
        .join(Person)
        .where(Order.workspace == workspace, Order.number == number)
        .first()
    )
    if order is not None:
        order.workspace = workspace
    return order


def remembered_details(workspace: Workspace) -> dict[str, object] | None:
    """The workspace's own billing details, by the names of their fields; None while there are none."""
    known = BillingDetails.select().where(BillingDetails.workspace == workspace).dicts().first()
    return dict(known) if known else None


def save_details(
    order: Order,
    *,
    place: Place,
    details: Details,
    method_kind: PaymentMethodKind,
    currency: str,
    display_currency: str,
    now: datetime,
) -> Order:
    """Keep the details and freeze the quote that they lead to, tax included.

    Raises OrderAlreadyPlaced, PlanNotOffered, PlanTooSmall, CurrencyMismatch, MissingVatRate.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        order = _reload(order)
        _refuse_if_placed(order)
        order.details = details.as_ordered(workspace.language)
        order.method_kind = method_kind
        order.display_currency = display_currency
        subscription = agreement.of_workspace(workspace)
        quote = _quote_of(order, subscription, currency=currency, now=now)
        freeze(order, quote, [subscription])
        _remember_details(place, details)
        audit.record("order.details", workspace=workspace, subject=order.number, now=now)
    return order


def current_quote(order: Order, *, now: datetime) -> Quote:
    """What the order costs now. Raises PlanNotOffered, PlanTooSmall, CurrencyMismatch."""
    subscription = agreement.of_workspace(order.workspace)
    return _quote_of(order, subscription, currency=order.currency, now=now)


def refresh_quote(order: Order, *, now: datetime) -> Order:
    """Freeze what the order costs now, because it will be shown. Raises as `current_quote` does."""
    with transaction(lock=order.workspace):
        order = _reload(order)
        if order.state == OrderState.OPEN:
            subscription = agreement.of_workspace(order.workspace)
            quote = _quote_of(order, subscription, currency=order.currency, now=now)
            freeze(order, quote, [subscription])
    return order


def place_order(
    order: Order,
    *,
    person: Person,
    card: CardData | None,
    auto_renewal: bool,
    shown_quote_hash: str,
    return_url: str,
    now: datetime,
) -> Payment:
    """Record the intent to pay, then ask the gateway, once. `card` is None for a hosted page.

    The payment is `created` still where the gateway takes its time (payments/asking.py). Raises GatewayBusy
    before anything is recorded; OrderAlreadyPlaced when a payment of this workspace is paid for this order or
    still open (`order` names whose result to show); QuoteChanged when what was shown is no longer true: the
    order then holds the new quote and nothing was charged.
    """
    asking.refuse_when_busy()
    changed: QuoteChanged | None = None
    with transaction(lock=order.workspace):
        order = _reload(order)
        _refuse_if_placed(order)
        subscription = agreement.of_workspace(order.workspace)
        refuse_beside_open_money(order.workspace, [subscription.product])
        quote = _quote_of(order, subscription, currency=order.currency, now=now)
        if quote.hash != shown_quote_hash or quote.tax is None:
            changed = QuoteChanged(shown=shown_quote_hash, current=quote.hash)
            freeze(order, quote, [subscription])
        else:
            order.auto_renewal = auto_renewal
            payment = record_placed(order, person=person, now=now)
    if changed is not None:
        raise changed
    return ask(payment, card=card, save=auto_renewal, return_url=return_url, now=now)


def record_placed(
    order: Order, *, person: Person, method: PaymentMethod | None = None, now: datetime
) -> Payment:
    """The order is placed, with the intent to pay it; `method` is the saved one that is to be charged.

    Inside the workspace's lock, once what was shown is known to be true.
    """
    require_transaction()
    order.state = OrderState.PLACED
    order.person = person
    order.save()
    payment = charging.record_intent(order, person=person, method=method, wall=current().clock.wall())
    audit.record(
        "order.placed",
        workspace=order.workspace,
        subject=order.number,
        changes={"payment": payment.key, "total_minor": order.total_minor, "currency": order.currency},
        now=now,
    )
    return payment


def ask(payment: Payment, *, card: CardData | None, save: bool, return_url: str, now: datetime) -> Payment:
    """Ask the gateway for what the intent says, once. `created` still where it takes its time."""
    return asking.in_time(
        lambda request: charging.ask(
            payment,
            card=card,
            save=save,
            return_url=return_url,
            is_awaited=request.is_awaited,
            now=now,
        ),
        otherwise=lambda: Payment.get_by_id(payment.id),
    )


def _quote_of(order: Order, subscription: Subscription, *, currency: str, now: datetime) -> Quote:
    [line] = order.frozen_lines
    return quote_of_terms(
        subscription,
        plan_code=line.plan_code,
        interval=line.interval,
        currency=currency,
        details=order.details,
        method_kind=order.method_kind,
        now=now,
    )


def quote_of_terms(
    subscription: Subscription,
    *,
    plan_code: str,
    interval: Interval,
    currency: str,
    details: dict[str, object] | None,
    method_kind: PaymentMethodKind = PaymentMethodKind.CARD,
    status: agreement.SubscriptionStatus | None = None,
    now: datetime,
) -> Quote:
    """What a plan costs the subscription's workspace now; without tax while `details` are not known.

    `status` if it was reckoned already. Raises PlanNotOffered, PlanTooSmall, SmallerPlanWaits,
    TooEarlyToProlong, CurrencyMismatch, ExtensionTooLong, MissingVatRate.
    """
    settings = current().settings
    workspace = subscription.workspace
    today = workspace.day(now)
    status = status or agreement.status_of(subscription, today=today)
    on_sale = plans.plans_on_sale(subscription.product, on=plans.sale_day(now))
    offer = plans.offer_of(on_sale, plan_code=plan_code, interval=interval, currency=currency)
    plan = next(candidate.plan for candidate in on_sale if candidate.plan.code == plan_code)
    if plan.free:
        raise PlanNotOffered(wanted=(plan_code, interval, currency))
    plans.refuse_if_too_small(plan, plans.usage_of(workspace))
    present = agreement.present_terms_of(status)
    _refuse_what_must_wait(status, plan, kind=order_kind(present, plan_code=plan_code, interval=interval))
    return make_quote(
        [WantedLine(present, offer)],
        buyer=Buyer.of(details) if details else None,
        seller_country=settings.seller.country,
        unchecked_counts_as_valid=settings.unchecked_vat_counts,
        on=today,
        reviewed={"details": details, "method_kind": method_kind.value} if details else None,
    )


def _refuse_what_must_wait(status: agreement.SubscriptionStatus, plan: Plan, *, kind: OrderKind) -> None:
    """While a plan is paid: nothing smaller before its end, and no prolonging long ahead or twice."""
    if status.state != SubscriptionState.PAID:
        return
    waits = has_days_left(status.state, status.due_on, today=status.today)
    if kind == OrderKind.CHANGE and waits and status.due_on and plan.position < status.plan.position:
        raise SmallerPlanWaits(due_on=status.due_on)
    prolongable = is_prolongable(status.due_on, today=status.today, on_trial=False)
    if kind == OrderKind.PROLONG and (status.renews_by_itself or not prolongable):
        raise TooEarlyToProlong(due_on=status.due_on, auto_renewal=status.renews_by_itself)


def _reload(order: Order) -> Order:
    """The order as it is now that the lock is held."""
    fresh = find_order(order.workspace, order.number)
    assert fresh is not None
    return fresh


def _refuse_if_placed(order: Order) -> None:
    if order.state != OrderState.OPEN:
        raise OrderAlreadyPlaced(order=order.number)


def _remember_details(place: Place, details: Details) -> None:
    """They become the workspace's own when the buyer may change those, or when there are none yet."""
    values = asdict(details)
    known = BillingDetails.get_or_none(BillingDetails.workspace == place.workspace)
    if known is None:
        BillingDetails.create(workspace=place.workspace, **values)
    elif Right.BILLING_SETTINGS in place.may:
        BillingDetails.update(**values).where(BillingDetails.id == known.id).execute()
