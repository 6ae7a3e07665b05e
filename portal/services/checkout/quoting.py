"""What is to be ordered and what it costs now: found out one way for the preview and for the act.

Whether the workspace may have it that way, with which subscription, and beside which balance.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from portal.domain.buying import AlreadySubscribed, check_licences
from portal.domain.choices import Choice
from portal.domain.errors import (
    CurrencyMismatch,
    InvoiceIsOpen,
    NothingDue,
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
    PaymentMethodKind,
    PriceUnit,
    ProductKind,
    RenewalDay,
    SubscriptionState,
)
from portal.models import Order, Plan, Product, Subscription, Workspace
from portal.runtime import current
from portal.services import exchange_rates, plans
from portal.services.subscriptions import agreement, next_charge, present_licences

from . import wanted_plans


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
        if subscription is not None and subscription.unpaid_on is not None:
            raise InvoiceIsOpen(product_code=subscription.product.code)
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
    if _is_the_renewal_that_failed(subscription, choice, currency=currency):
        offer = next_charge.offer_of_what_is_due(status, now=now)
    else:
        offer = plans.offer_now(subscription.product, choice, currency=currency, now=now)
    plan = plans.find_plan(offer.plan_id, product=subscription.product, on=plans.sale_day(now))
    if plan.free:
        raise PlanNotOffered(wanted=(choice.plan_code, choice.interval, currency))
    plans.refuse_if_too_small(plan, plans.usage_of(subscription.workspace))
    present = agreement.present_terms_of(status)
    kind = order_kind(present, plan_code=choice.plan_code, interval=choice.interval)
    _refuse_what_must_wait(status, plan, kind=kind)
    return WantedLine(present, offer)


def _is_the_renewal_that_failed(subscription: Subscription, choice: Choice, *, currency: str) -> bool:
    """Whether the choice pays by hand, in its currency, what automatic renewal could not charge."""
    scheduled, price = subscription.scheduled_plan, subscription.price
    if not subscription.renewal_has_failed or (scheduled is not None and scheduled.free):
        return False
    due = next_charge.next_period(subscription)
    is_same = (choice.plan_code, choice.interval) == (due.plan_code, due.interval)
    return is_same and price is not None and price.currency == currency


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

    Mostly without a query. Raises NothingDue where another one is due by now, or none; PlanNotOffered.
    """
    if status is None or not status.is_to_be_paid:
        raise NothingDue()
    subscription = status.subscription
    if choice != next_charge.next_period(subscription):
        raise NothingDue()
    if subscription.price is not None and subscription.price.currency != currency:
        # What is guaranteed, and what was told, is in that of the price that was paid.
        raise CurrencyMismatch(left=subscription.price.currency, right=currency)
    offer = next_charge.offer_of_what_is_due(status, now=now)
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
    offer = plans.offer_now(product, choice, currency=currency, now=now)
    plan = plans.find_plan(offer.plan_id, product=product, on=plans.sale_day(now))
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


def quote_again(order: Order, wanted: Wanted, *, now: datetime) -> Quote:
    return quote_of(order.workspace, wanted, details=order.details, method_kind=order.method_kind, now=now)


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


def quote_of(
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
    quote = make_quote(
        lines,
        buyer=Buyer.of(details) if details else None,
        seller_country=settings.seller.country,
        unchecked_counts_as_valid=settings.unchecked_vat_counts,
        on=workspace.day(now),
        reviewed={"details": details, "method_kind": method_kind.value} if details else None,
    )
    exchange_rates.require_for(quote.tax_amount, now=now)
    return quote


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
