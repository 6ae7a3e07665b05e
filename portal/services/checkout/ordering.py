"""From a chosen plan to a payment asked for: the order, its details, its review, its placing.

`place` is where money begins to move. It holds the workspace's lock while it makes the quote anew
and records the intent; the gateway is asked by services/payments/charging.py after the commit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import cast

from peewee import JOIN, ModelSelect, fn

from portal.database import rows
from portal.database.connecting import require_transaction, transaction, write_postponed
from portal.database.prepared import Parameter, Prepared
from portal.domain.billing_details import Details
from portal.domain.buying import AlreadySubscribed, check_licences
from portal.domain.choices import Choice
from portal.domain.errors import (
    CurrencyMismatch,
    NothingDue,
    OrderAlreadyPlaced,
    QuoteChanged,
    SmallerPlanWaits,
    TooEarlyToProlong,
)
from portal.domain.money import Money
from portal.domain.plans import PlanNotOffered, has_days_left, is_prolongable
from portal.domain.pricing import (
    ChangedLicences,
    Offer,
    PresentTerms,
    Quote,
    WantedLine,
    make_quote,
    order_kind,
)
from portal.domain.tax import Buyer
from portal.domain.vocabulary import (
    OrderKind,
    OrderState,
    PaymentMethodKind,
    PriceUnit,
    ProductKind,
    RenewalDay,
    Right,
    SubscriptionState,
)
from portal.gateways.base import CardData
from portal.models import (
    BillingDetails,
    Order,
    Payment,
    PaymentMethod,
    Person,
    Plan,
    Product,
    Subscription,
    Workspace,
)
from portal.runtime import current
from portal.services import audit, plans
from portal.services.open_money import refuse_beside_open_money
from portal.services.orders import freeze, new_order_number, read_lines, take_along
from portal.services.payments import asking, charging
from portal.services.places import Place
from portal.services.subscriptions import agreement, charged_methods, next_charge, present_licences
from portal.services.subscriptions.auto_renewal import methods_of

from . import wanted_plans
from .ceiling import keep_to_ceiling


def open_order(place: Place, *, choices: Sequence[Choice], currency: str, now: datetime) -> Order:
    """An order with a frozen quote, for today's prices: a line for each choice. Raises as `current_quote`."""
    workspace = place.workspace
    with transaction(lock=workspace):
        wanted = wanted_lines(workspace, choices, currency=currency, now=now)
        quote = _quote_of(workspace, wanted, now=now)
        order = Order(
            number=new_order_number(),
            workspace=workspace,
            person=place.member.person_id,
            display_currency=currency,
            created_at=now,
        )
        freeze(order, quote, wanted.subscriptions)
        audit.record(
            "order.opened",
            workspace=workspace,
            subject=order.number,
            changes={
                "plan": ", ".join(choice.plan_code for choice in choices),
                "interval": ", ".join(choice.interval for choice in choices),
                "currency": currency,
            },
            now=now,
        )
    return order


def quote_of_change(place: Place, choice: Choice, *, currency: str, now: datetime) -> Quote:
    """What a change of licences that run costs now and gives back, for the workspace's own details.

    Writes nothing. Raises as `current_quote`, and NoBillingDetails.
    """
    workspace = place.workspace
    wanted = wanted_lines(workspace, [choice], currency=currency, now=now)
    return _quote_of(workspace, wanted, details=next_charge.details_of(workspace), now=now)


def open_change(place: Place, choice: Choice, *, currency: str, now: datetime) -> Order:
    """An order for a change of licences that run. It has the workspace's own details, where there are some
    that the buyer may see: then it is ready to be reviewed. Raises as `current_quote`.
    """
    with transaction(lock=place.workspace):
        order = open_order(place, choices=[choice], currency=currency, now=now)
        known = BillingDetails.get_or_none(BillingDetails.workspace == place.workspace)
        if known is None or Right.SEE_BILLING_DETAILS not in place.may:
            return order
        write_postponed()
        return save_details(
            order,
            place=place,
            details=Details.of(known),
            method_kind=PaymentMethodKind.CARD,
            currency=order.currency,
            display_currency=order.currency,
            now=now,
        )


def refuse_what_cannot_be_ordered(
    place: Place, *, choices: Sequence[Choice], currency: str, now: datetime
) -> None:
    """Raise what `open_order` would raise, and make nothing."""
    wanted = wanted_lines(place.workspace, choices, currency=currency, now=now)
    _quote_of(place.workspace, wanted, now=now)


def find_order(workspace: Workspace, number: str) -> Order | None:
    """The workspace's order with its buyer; another workspace's is None.

    `newest_payment` is the last attempt to pay it, or None.
    """
    order = _order_with_payment.first(workspace=workspace.id, number=number)
    if order is not None:
        order.workspace = workspace
        if order.newest_payment is not None:
            order.newest_payment.workspace = workspace
            order.newest_payment.order = order
            rows.take_as_read(order.newest_payment)
        rows.take_as_read(order)
    return cast("Order | None", order)


def _order_and_payment() -> "ModelSelect[Order]":
    other = Payment.alias()
    newest = other.select(fn.MAX(other.id)).where(other.order == Order.id)
    return (
        Order.select(Order, Person, Payment)
        .join_from(Order, Person)
        .join_from(Order, Payment, JOIN.LEFT_OUTER, on=(Payment.id == newest), attr="newest_payment")
        .where(Order.workspace == Parameter("workspace"), Order.number == Parameter("number"))
    )


_order_with_payment = Prepared(_order_and_payment)


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
        wanted = wanted_again(order, currency=currency, now=now)
        quote = _quote_again(order, wanted, now=now)
        freeze(order, quote, wanted.subscriptions)
        _remember_details(place, details)
        audit.record("order.details", workspace=workspace, subject=order.number, now=now)
    return order


def current_quote(order: Order, *, now: datetime) -> Quote:
    """What the order costs now.

    Raises PlanNotOffered, PlanTooSmall, SmallerPlanWaits, TooEarlyToProlong, LicencesOutOfRange,
    LicencesBelowAssigned, AlreadySubscribed, CurrencyMismatch, ExtensionTooLong, MissingVatRate; of licences
    that run NotChangeable, NothingChanges, ChangeWaits; of those that are due NothingDue.
    """
    return _quote_again(order, wanted_again(order, currency=order.currency, now=now), now=now)


def refresh_quote(order: Order, *, now: datetime) -> Order:
    """Freeze what the order costs now, because it will be shown. Raises as `current_quote` does."""
    with transaction(lock=order.workspace):
        order = _reload(order)
        if order.state == OrderState.OPEN:
            wanted = wanted_again(order, currency=order.currency, now=now)
            freeze(order, _quote_again(order, wanted, now=now), wanted.subscriptions)
    return order


def place_order(
    order: Order,
    *,
    person: Person,
    card: CardData | None,
    method: PaymentMethod | None = None,
    auto_renewal: bool,
    shown_quote_hash: str,
    return_url: str,
    now: datetime,
) -> Payment:
    """Record the intent to pay, then ask the gateway, once. `card` is None for a hosted page.

    `method`: a saved card that pays, read from `payable_methods`.

    Nobody is asked where the balance pays. The payment is `created` still where the gateway takes its time
    (payments/asking.py). Raises GatewayBusy
    before anything is recorded; OrderAlreadyPlaced when a payment of this workspace is paid for this order or
    still open (`order` names whose result to show); QuoteChanged when what was shown is no longer true: the
    order then holds the new quote and nothing was charged; AboveCeiling for a member who has to ask first.
    """
    asking.refuse_when_busy()
    changed: QuoteChanged | None = None
    with transaction(lock=order.workspace):
        order = _reload(order)
        _refuse_if_placed(order)
        refuse_beside_open_money(order.workspace, [line.plan.product_id for line in order.lines])
        wanted = wanted_again(order, currency=order.currency, now=now)
        quote = _quote_again(order, wanted, now=now)
        is_gone = method is not None and method not in methods_of(order.workspace)
        if quote.hash != shown_quote_hash or quote.tax is None or is_gone:
            changed = QuoteChanged(shown=shown_quote_hash, current=quote.hash)
            freeze(order, quote, wanted.subscriptions)
        else:
            keep_to_ceiling(order, person=person, now=now)
            order.auto_renewal = auto_renewal
            payment = record_placed(order, person=person, method=method, now=now)
    if changed is not None:
        raise changed
    return ask(payment, card=card, save=auto_renewal, return_url=return_url, now=now)


def payable_methods(place: Place, order: Order, *, now: datetime) -> list[PaymentMethod]:
    """The saved cards that may pay the order at once, the one that is charged first before the others.

    None for whoever may not use them, and for an order that is not paid by card. One query.
    """
    if Right.USE_SAVED_METHODS not in place.may or order.method_kind != PaymentMethodKind.CARD:
        return []
    today = place.workspace.day(now)
    return [
        each
        for each in methods_of(place.workspace)
        if each.kind == PaymentMethodKind.CARD and charged_methods.may_be_charged(each, on=today)
    ]


def record_placed(
    order: Order, *, person: Person, method: PaymentMethod | None = None, now: datetime
) -> Payment:
    """The order is placed, with the intent to pay it; `method` is the saved one that is to be charged.

    Paid at once where the balance pays the whole. Inside the workspace's lock, once what was shown is known
    to be true.
    """
    require_transaction()
    order.state = OrderState.PLACED
    order.person = person
    order.save()
    take_along(order)
    payment = charging.begin_payment(order, person=person, method=method, now=now)
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """The lines to be quoted, each with the subscription that it pays for; None for a first purchase.

    `kept`: what was kept for the workspace when they were read.
    """

    lines: Sequence[WantedLine]
    subscriptions: Sequence[Subscription | None]
    kept: Money


def wanted_lines(workspace: Workspace, choices: Iterable[Choice], *, currency: str, now: datetime) -> Wanted:
    """The choices at today's prices, each as the workspace may have it. Raises as `current_quote`."""
    choices = list(choices)
    known = wanted_plans.read(workspace, [each.plan_code for each in choices], currency=currency)
    lines, subscriptions = [], []
    for choice in choices:
        of_plan = known.get(choice.plan_code)
        subscription = of_plan.subscription if of_plan else None
        if of_plan is not None and of_plan.plan.product.kind == ProductKind.LICENSED:
            line = _wanted_licences(of_plan, choice, currency=currency, today=workspace.day(now), now=now)
        elif of_plan is None or subscription is None:
            raise PlanNotOffered(wanted=(choice.plan_code, choice.interval, currency))
        else:
            status = agreement.status_of(subscription, today=workspace.day(now))
            line = _wanted_plan(status, choice, currency=currency, now=now)
        lines.append(line)
        subscriptions.append(subscription)
    # What is no currency was refused with the plan. Every plan says what is kept.
    return Wanted(lines, subscriptions, Money(next(iter(known.values())).kept_minor, currency))


def _wanted_plan(
    status: agreement.SubscriptionStatus, choice: Choice, *, currency: str, now: datetime
) -> WantedLine:
    """The workspace plan that is chosen."""
    subscription = status.subscription
    on_sale = plans.plans_on_sale(subscription.product, on=plans.sale_day(now))
    offer = plans.offer_of(on_sale, plan_code=choice.plan_code, interval=choice.interval, currency=currency)
    plan = next(candidate.plan for candidate in on_sale if candidate.plan.code == choice.plan_code)
    if plan.free:
        raise PlanNotOffered(wanted=(choice.plan_code, choice.interval, currency))
    plans.refuse_if_too_small(plan, plans.usage_of(subscription.workspace))
    present = agreement.present_terms_of(status)
    kind = order_kind(present, plan_code=choice.plan_code, interval=choice.interval)
    _refuse_what_must_wait(status, plan, kind=kind)
    return WantedLine(present, offer)


def _wanted_licences(
    of_plan: wanted_plans.WantedPlan, choice: Choice, *, currency: str, today: date, now: datetime
) -> WantedLine:
    """Licences of a product: prolonged or changed where they run; else bought, from today on.

    During a trial it ends the trial. Licences that members hold of it, or held when it ended, stay theirs.
    """
    product, subscription, held = of_plan.plan.product, of_plan.subscription, of_plan.assigned
    status = agreement.status_of(subscription, today=today) if subscription is not None else None
    if choice.kind is OrderKind.PROLONG:
        return _prolonged_licences(status, choice, currency=currency, now=now)
    if choice.kind is OrderKind.CHANGE:
        return _changed_licences(status, choice, currency=currency, assigned=held, now=now)
    refuse_licences(product, choice, subscription=subscription, assigned=held, today=today)
    offer = plans.offer_now(product, choice, currency=currency, now=now)
    if status is None:
        never = PresentTerms(choice.plan_code, None, SubscriptionState.TRIAL, None, today.day)
        return WantedLine(never, offer, choice.quantity)
    return WantedLine(agreement.present_terms_of(status), offer, choice.quantity)


def _prolonged_licences(
    status: agreement.SubscriptionStatus | None, choice: Choice, *, currency: str, now: datetime
) -> WantedLine:
    """The period of licences that is due: of what runs, or of what was to begin with that period.

    Without a query. Raises NothingDue where another one is due by now, or none; PlanNotOffered.
    """
    if status is None or not status.is_to_be_paid:
        raise NothingDue()
    subscription = status.subscription
    if choice != next_charge.next_period(subscription):
        raise NothingDue()
    if subscription.price is not None and subscription.price.currency != currency:
        # What is guaranteed, and what was told, is in that of the price that was paid.
        raise CurrencyMismatch(left=subscription.price.currency, right=currency)
    offer = plans.offer_now(subscription.product, choice, currency=currency, now=now)
    # What waited for the due date is what goes on from there. Of what was paid no day is left.
    present = PresentTerms(
        plan_code=choice.plan_code,
        interval=choice.interval,
        state=status.state,
        due_on=subscription.due_on,
        anchor_day=subscription.anchor_day,
    )
    return WantedLine(present, offer, choice.quantity)


def _changed_licences(
    status: agreement.SubscriptionStatus | None,
    choice: Choice,
    *,
    currency: str,
    assigned: int,
    now: datetime,
) -> WantedLine:
    """Licences that run, changed today. Raises NotChangeable, and as `current_quote` does."""
    if status is None:
        raise present_licences.NotChangeable(state=SubscriptionState.ENDED)
    subscription, product = status.subscription, status.subscription.product
    present = present_licences.present_licences(status)
    check_licences(choice.quantity, most=product.most_licences, assigned=assigned)
    on_sale = plans.plans_on_sale(product, on=plans.sale_day(now))
    offer = plans.offer_of(
        on_sale,
        plan_code=choice.plan_code,
        interval=choice.interval,
        currency=currency,
        quantity=choice.quantity,
    )
    plan = next(candidate.plan for candidate in on_sale if candidate.plan.code == choice.plan_code)
    return WantedLine(
        PresentTerms(
            plan_code=status.plan.code,
            interval=status.interval,
            state=status.state,
            due_on=status.due_on,
            anchor_day=subscription.anchor_day,
        ),
        _guaranteed(offer, status, quantity=choice.quantity),
        choice.quantity,
        changes=ChangedLicences(present, plan.position, RenewalDay(product.renewal_day)),
    )


def _guaranteed(offer: Offer, status: agreement.SubscriptionStatus, *, quantity: int) -> Offer:
    """The price that was paid, while it is guaranteed and the list has risen: for more licences too."""
    subscription, paid = status.subscription, status.subscription.price
    lock = agreement.lock_of(subscription)
    if paid is None or lock is None or not lock.holds(status.today):
        return offer
    same_terms = (subscription.plan.code, paid.interval) == (offer.plan_code, offer.interval)
    is_locked = paid.volume_price.amount(subscription.quantity) == lock.amount
    if not same_terms or not is_locked or paid.volume_price.amount(quantity) >= offer.price(quantity):
        return offer
    return replace(
        offer, price_id=paid.id, amount=paid.volume_price.unit_amount(quantity), unit=PriceUnit(paid.unit)
    )


def refuse_licences(
    product: Product, choice: Choice, *, subscription: Subscription | None, assigned: int, today: date
) -> None:
    """Whatever they cost, so many licences beside what the workspace has of the product. Without a query.

    `assigned`: how many of the subscription members hold. Raises LicencesOutOfRange, LicencesBelowAssigned,
    AlreadySubscribed.
    """
    if (
        subscription is not None
        and agreement.is_bought(subscription)
        and agreement.status_of(subscription, today=today).state != SubscriptionState.ENDED
    ):
        raise AlreadySubscribed(product_code=product.code)
    check_licences(choice.quantity, most=product.most_licences, assigned=assigned)


def wanted_again(order: Order, *, currency: str, now: datetime) -> Wanted:
    """What the order is for, at the prices of this moment. Raises as `current_quote`."""
    choices = [Choice(line.plan_code, line.interval, line.quantity, line.kind) for line in order.frozen_lines]
    return wanted_lines(order.workspace, choices, currency=currency, now=now)


def _quote_again(order: Order, wanted: Wanted, *, now: datetime) -> Quote:
    return _quote_of(order.workspace, wanted, details=order.details, method_kind=order.method_kind, now=now)


def quote_of_next_period(
    status: agreement.SubscriptionStatus,
    *,
    details: dict[str, object],
    method_kind: PaymentMethodKind,
    now: datetime,
) -> Quote:
    """What the period to be paid costs now, tax included, ordered by hand; beside no balance.

    Raises as `current_quote`.
    """
    subscription = status.subscription
    assert subscription.price is not None, "only what has a price is due"
    choice, currency = next_charge.next_period(subscription), subscription.price.currency
    find = _prolonged_licences if agreement.is_licensed(subscription) else _wanted_plan
    line = find(status, choice, currency=currency, now=now)
    return _quote_alone(subscription.workspace, [line], details=details, method_kind=method_kind, now=now)


def _quote_of(
    workspace: Workspace,
    wanted: Wanted,
    *,
    details: dict[str, object] | None = None,
    method_kind: PaymentMethodKind = PaymentMethodKind.CARD,
    now: datetime,
) -> Quote:
    """What the lines cost together now; without tax, and beside no balance, while `details` are not known."""
    quote = _quote_alone(workspace, wanted.lines, details=details, method_kind=method_kind, now=now)
    return quote.beside_balance(wanted.kept) if details else quote


def _quote_alone(
    workspace: Workspace,
    lines: Sequence[WantedLine],
    *,
    details: dict[str, object] | None,
    method_kind: PaymentMethodKind,
    now: datetime,
) -> Quote:
    settings = current().settings
    return make_quote(
        lines,
        buyer=Buyer.of(details) if details else None,
        seller_country=settings.seller.country,
        unchecked_counts_as_valid=settings.unchecked_vat_counts,
        on=workspace.day(now),
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
    read_lines([fresh])
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
