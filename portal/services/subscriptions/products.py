"""What a workspace has of every product, and what it may buy or try of those on sale."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, cast

from peewee import JOIN, fn

from portal.database.prepared import Parameter, Prepared
from portal.database.rows import one_of
from portal.domain.buying import ProductStanding
from portal.domain.lifecycle import WITHOUT_ACCESS
from portal.domain.vocabulary import ProductKind, Right, SubscriptionState
from portal.models import (
    Invoice,
    Licence,
    Order,
    OrderLine,
    PaymentMethod,
    Plan,
    Price,
    Product,
    Subscription,
    Workspace,
)
from portal.services import open_money, plans
from portal.services.places import Place
from portal.services.plans import PlanOffers

from . import agreement, charged_methods, product_trials
from .agreement import SubscriptionStatus

DOCUMENTS_OF_A_CARD = 3


@dataclass(frozen=True, slots=True)
class OwnProduct:
    """A product and where the workspace stands with it.

    `status` is that of its subscription today, None while there is none. `order_being_paid` is the number of
    an order for it whose payment waits for its result, empty for none. `assigned`: how many of its licences
    members hold.
    """

    product: Product
    status: SubscriptionStatus | None
    order_being_paid: str
    assigned: int

    @property
    def is_workspace_plan(self) -> bool:
        return bool(self.product.kind == ProductKind.WORKSPACE_PLAN)

    @property
    def has_ended(self) -> bool:
        """It was tried or bought, and is over; the workspace plan never is, it is blocked."""
        return self.status is not None and self.status.state is SubscriptionState.ENDED

    @property
    def is_being_paid(self) -> bool:
        """A payment or a refund for it waits for its result."""
        return bool(self.order_being_paid) or (
            self.status is not None and self.status.subscription.has_open_money
        )

    @property
    def is_bought(self) -> bool:
        """What it has, or had last, was not only tried."""
        if self.status is None:
            return False
        if self.is_workspace_plan:
            return not self.status.plan.trial
        return self.status.plan.free or agreement.is_bought(self.status.subscription)

    @property
    def trial_until(self) -> date | None:
        """The last day of its trial, running or over, where that is all that it has; usable."""
        if self.status is None or self.is_bought:
            return None
        return self.status.due_on if self.is_workspace_plan else self.status.subscription.trial_until

    @property
    def has_licences_to_assign(self) -> bool:
        """Members hold its licences, and may be given them today; those with keys are not assigned."""
        if self.status is None or self.is_workspace_plan or self.product.licence_keys:
            return False
        return self.status.state not in WITHOUT_ACCESS

    @property
    def standing(self) -> ProductStanding:
        """Of a licensed product."""
        return product_trials.standing_of(self.product, self.status)

    @property
    def may_be_tried(self) -> bool:
        return not self.order_being_paid and self.standing.may_be_tried


@dataclass(frozen=True, slots=True)
class OwnSubscription:
    """A card of the subscriptions page. `method`: which saved one the next automatic charge asks, if any.

    `documents` are its newest ones, where the reader may see the history.
    """

    own: OwnProduct
    method: PaymentMethod | None
    documents: tuple[Invoice, ...]


@dataclass(frozen=True, slots=True)
class ProductForSale:
    """A licensed product with its plans that have a price today, smallest first."""

    own: OwnProduct
    plans: tuple[PlanOffers, ...]

    @property
    def product(self) -> Product:
        return self.own.product

    @property
    def currencies(self) -> list[str]:
        return plans.currencies_of(self.plans)


def subscriptions_of(place: Place, *, now: datetime) -> tuple[OwnSubscription, ...]:
    """What the workspace has, had, or is paying for; the workspace plan first. At most three queries."""
    had = products_had(place.workspace, now=now)
    methods = _methods_of(place, had)
    documents = _documents_of(had) if Right.SEE_HISTORY in place.may else {}
    return tuple(
        OwnSubscription(
            own=own,
            method=_next_method(own, methods),
            documents=tuple(documents.get(own.status.subscription.id, ())) if own.status else (),
        )
        for own in had
    )


def products_had(workspace: Workspace, *, now: datetime) -> list[OwnProduct]:
    """What the workspace has, had, or is paying for; the workspace plan first. One query."""
    had = (own for own in _own_products(workspace, now=now) if own.status or own.order_being_paid)
    return sorted(had, key=lambda own: not own.is_workspace_plan)


def products_for_sale(place: Place, *, now: datetime) -> tuple[ProductForSale, ...]:
    """The licensed products on sale today, in the order of the catalogue. One query, mostly."""
    licensed = [
        own
        for own in _own_products(place.workspace, now=now)
        if not own.is_workspace_plan and not own.product.withdrawn
    ]
    sold = _plans_sold(tuple((own.product.id, own.product.revision) for own in licensed), plans.sale_day(now))
    return tuple(ProductForSale(own, sold[own.product.id]) for own in licensed if sold.get(own.product.id))


def _own_products(workspace: Workspace, *, now: datetime) -> list[OwnProduct]:
    """Every product that is on sale or had. One query."""
    found = _products_and_subscriptions.rows(workspace=workspace.id)
    return [_own_product(product, workspace, today=workspace.day(now)) for product in found]


def _own_product(row: Any, workspace: Workspace, *, today: date) -> OwnProduct:
    """A row of the query below; `own` is a subscription without an id where there is none."""
    subscription = getattr(row, "own", None)
    status = None
    if subscription is not None and subscription.id is not None:
        subscription.workspace, subscription.product = workspace, row
        subscription.open_payment_state = row.open_payment_state
        subscription.open_refund_state = row.open_refund_state
        if subscription.price_id is None:
            subscription.price = None
        status = agreement.status_of(subscription, today=today)
    return OwnProduct(row, status, row.order_being_paid or "", int(row.assigned_licences))


_products_and_subscriptions = Prepared(
    lambda: (
        Product.select(
            Product,
            Subscription,
            Plan,
            Price,
            open_money.state_of_open_payment(Parameter("workspace")).alias("open_payment_state"),
            open_money.state_of_open_refund(Parameter("workspace")).alias("open_refund_state"),
            open_money.number_of_order_being_paid(Parameter("workspace")).alias("order_being_paid"),
            Licence.select(fn.COUNT(Licence.id))
            .where(Licence.subscription == Subscription.id)
            .alias("assigned_licences"),
        )
        .join_from(
            Product,
            Subscription,
            JOIN.LEFT_OUTER,
            on=((Subscription.product == Product.id) & (Subscription.workspace == Parameter("workspace"))),
            attr="own",
        )
        .join_from(Subscription, Plan, JOIN.LEFT_OUTER, on=Subscription.plan)
        .join_from(Subscription, Price, JOIN.LEFT_OUTER, on=Subscription.price)
        .where(~Product.withdrawn | Subscription.id.is_null(False))
        .order_by(Product.position, Product.id)
    )
)


@lru_cache(maxsize=16)
def _plans_sold(products: tuple[tuple[int, str], ...], on: date) -> dict[int, tuple[PlanOffers, ...]]:
    """By product, each given with its revision: its plans that are sold that day. One query, then none."""
    by_plan: dict[int, tuple[Plan, list[Price]]] = {}
    for price in _prices_of([product_id for product_id, _revision in products], on=on):
        by_plan.setdefault(price.plan_id, (price.plan, []))[1].append(price)
    by_product: dict[int, list[PlanOffers]] = defaultdict(list)
    for plan, prices in by_plan.values():
        by_product[plan.product_id].append(PlanOffers(plan, plans.limits_of(plan), tuple(prices)))
    return {product_id: tuple(sold) for product_id, sold in by_product.items()}


def _prices_of(product_ids: Sequence[int], *, on: date) -> Iterable[Price]:
    return cast(
        "Iterable[Price]",
        Price.select(Price, Plan)
        .join(Plan)
        .where(
            Plan.product << list(product_ids),
            ~Plan.hidden,
            ~Plan.free,
            ~Plan.trial,
            ~Plan.withdrawn,
            Price.valid_from <= on,
            Price.valid_until.is_null() | (Price.valid_until > on),
        )
        .order_by(Plan.position, Price.interval, Price.currency),
    )


def _methods_of(place: Place, had: Iterable[OwnProduct]) -> list[PaymentMethod]:
    """The saved methods, where one is charged by itself and the reader may know which. One query."""
    renewed = any(own.status and own.status.renews_by_itself for own in had)
    if not renewed or Right.USE_SAVED_METHODS not in place.may:
        return []
    return charged_methods.saved_of(place.workspace)


def _next_method(own: OwnProduct, methods: Sequence[PaymentMethod]) -> PaymentMethod | None:
    if own.status is None or not own.status.renews_by_itself:
        return None
    subscription = own.status.subscription
    on = max(subscription.renew_on or own.status.today, own.status.today)
    in_turn = charged_methods.in_order(methods, subscription)
    return charged_methods.first_charged(in_turn, on=on, currency=charged_methods.currency_of(subscription))


def _documents_of(had: Iterable[OwnProduct]) -> dict[int, list[Invoice]]:
    """Kind and number of the newest documents of each licensed subscription, by its id. One query.

    Those of the workspace plan may be thousands, and are what the history is for.
    """
    ids = [own.status.subscription.id for own in had if own.status and not own.is_workspace_plan]
    if not ids:
        return {}
    newest_first = fn.ROW_NUMBER().over(partition_by=[OrderLine.subscription], order_by=[Invoice.id.desc()])
    ranked = (
        Invoice.select(
            Invoice.id, OrderLine.subscription.alias("subscription_id"), newest_first.alias("place")
        )
        .join(Order)
        .join(OrderLine, on=(OrderLine.order == Order.id))
        .where(one_of(OrderLine.subscription, ids))
    )
    query = (
        Invoice.select(
            Invoice.id, Invoice.kind, Invoice.number, ranked.c.subscription_id.alias("subscription_id")
        )
        .join(ranked, on=(ranked.c.id == Invoice.id))
        .where(ranked.c.place <= DOCUMENTS_OF_A_CARD)
        .order_by(Invoice.id.desc())
        .objects()
    )
    found: dict[int, list[Invoice]] = defaultdict(list)
    for invoice in cast("Iterable[Any]", query):
        found[invoice.subscription_id].append(invoice)
    return found
