"""What the plans page decides: the workspace's use, the offers on sale, and whether a plan fits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from peewee import JOIN, Case, ModelSelect, fn

from portal.database.prepared import Parameter, Prepared
from portal.domain.choices import Choice
from portal.domain.money import Money
from portal.domain.plans import (
    ExceededLimit,
    PlanCell,
    PlanLimits,
    PlanNotOffered,
    PlanTooSmall,
    Usage,
    exceeded_limits,
    user_range,
)
from portal.domain.pricing import Offer
from portal.domain.vocabulary import Interval, MemberStatus, ProductKind, Role, Service
from portal.models import Member, Plan, Price, Product, VendorLink, Workspace
from portal.runtime import current


def usage_of(workspace: Workspace) -> Usage:
    """Users, guests, administrators (the owners count), storage and services, as they are now. One query."""
    row = _usage.first(workspace=workspace.id)
    return Usage(
        active_users=row["active_users"] or 0,
        guests=row["guests"] or 0,
        administrators=row["administrators"] or 0,
        storage_bytes=row["storage_bytes"] or 0,
        services=frozenset(Service(code) for code in Workspace.services.python_value(row["services"]) or ()),
    )


def _usage_query() -> "ModelSelect[Member]":
    active = Member.status == MemberStatus.ACTIVE
    administers = active & (Member.role << [Role.OWNER, Role.ADMIN])
    return (
        Member.select(
            fn.SUM(Case(None, [(active, 1)], 0)).alias("active_users"),
            fn.SUM(Case(None, [(Member.status == MemberStatus.GUEST, 1)], 0)).alias("guests"),
            fn.SUM(Case(None, [(administers, 1)], 0)).alias("administrators"),
            # Not what was read with the workspace: a quote is made anew once the lock is held.
            Workspace.select(Workspace.used_storage_bytes)
            .where(Workspace.id == Parameter("workspace"))
            .alias("storage_bytes"),
            Workspace.select(Workspace.services)
            .where(Workspace.id == Parameter("workspace"))
            .alias("services"),
        )
        # Those who left may be many; the index of the statuses passes them by.
        .where(
            Member.workspace == Parameter("workspace"),
            Member.status << [MemberStatus.ACTIVE, MemberStatus.GUEST],
        )
        .dicts()
    )


_usage = Prepared(_usage_query)


def limits_of(plan: Plan) -> PlanLimits:
    return PlanLimits(
        code=plan.code,
        position=plan.position,
        max_users=plan.max_users,
        guests_per_user=plan.guests_per_user,
        max_administrators=plan.max_administrators,
        storage_bytes=plan.storage_bytes,
        services=frozenset(Service(code) for code in plan.services),
        free=plan.free,
        hidden=plan.hidden,
        trial=plan.trial,
    )


@dataclass(frozen=True, slots=True)
class PlanOffers:
    """A plan of the table with its prices of today, by interval and currency."""

    plan: Plan
    limits: PlanLimits
    prices: tuple[Price, ...]

    def price(self, interval: Interval, currency: str) -> Price | None:
        for price in self.prices:
            if price.interval == interval and price.currency == currency:
                return price
        return None


def sale_day(now: datetime) -> date:
    """The day that decides what is on sale now, for everybody: the seller's, whose prices they are.

    By the buyer's own day a price would be on sale in the east before it is in the west, and one that begins
    "today" hidden where yesterday is not over.
    """
    return now.astimezone(current().settings.seller.zone).date()


def plans_on_sale(product: Product, *, on: date) -> tuple[PlanOffers, ...]:
    """The plans of the table, free ones too, smallest first, with the prices valid on that `sale_day`.

    One query, whose answer is kept for the product's revision: `product` as read in this transaction
    says which catalogue is in force, in every process.
    """
    return _read_plans_on_sale(product.id, product.revision, on)


@lru_cache(maxsize=64)
def _read_plans_on_sale(product_id: int, revision: str, on: date) -> tuple[PlanOffers, ...]:
    by_plan: dict[int, tuple[Plan, list[Price]]] = {}
    for plan in _on_sale.rows(product=product_id, on=on):
        price = getattr(plan, "one_price", None)
        _, prices = by_plan.setdefault(plan.id, (plan, []))
        if price is not None and price.id is not None:
            prices.append(price)
    return tuple(PlanOffers(plan, limits_of(plan), tuple(prices)) for plan, prices in by_plan.values())


_on_sale = Prepared(
    lambda: (
        Plan.select(Plan, Product, Price)
        .join_from(Plan, Product)
        .join_from(
            Plan,
            Price,
            JOIN.LEFT_OUTER,
            on=(
                (Price.plan == Plan.id)
                & (Price.valid_from <= Parameter("on"))
                & (Price.valid_until.is_null() | (Price.valid_until > Parameter("on")))
            ),
            attr="one_price",
        )
        .where(Plan.product == Parameter("product"), ~Plan.hidden, ~Plan.withdrawn)
        .order_by(Plan.position, Price.interval, Price.currency)
    )
)


@dataclass(frozen=True, slots=True)
class ListedPlan:
    """A row of the table. `users`: how many active users it is for, as user_range has them.

    `amounts` in the table's currency; `has_prices`: whether it is sold today in any.
    """

    plan: Plan
    limits: PlanLimits
    users: tuple[int, int | None]
    amounts: Mapping[Interval, Money]
    has_prices: bool


@dataclass(frozen=True, slots=True, eq=False)
class PriceList:
    """The table in one currency, alike for everybody that day. `cells`: each plan and interval with a price.

    One is made for each day, currency and revision of the catalogue, and told apart by being itself.
    """

    currency: str
    rows: tuple[ListedPlan, ...]
    cells: tuple[PlanCell, ...]

    def row(self, plan_code: str) -> ListedPlan:
        return next(row for row in self.rows if row.plan.code == plan_code)


def price_list(product: Product, *, on: date, currency: str) -> PriceList:
    """The plans on sale that day, with their prices in the currency. Mostly without a query."""
    return _make_price_list(product.id, product.revision, on, currency)


@lru_cache(maxsize=64)
def _make_price_list(product_id: int, revision: str, on: date, currency: str) -> PriceList:
    on_sale = _read_plans_on_sale(product_id, revision, on)
    amounts = {
        sold.plan.code: {price.interval: price.amount for price in sold.prices if price.currency == currency}
        for sold in on_sale
    }
    cells = tuple(PlanCell(sold.limits, interval) for sold in on_sale for interval in amounts[sold.plan.code])
    return PriceList(
        currency=currency,
        rows=tuple(
            ListedPlan(
                plan=sold.plan,
                limits=sold.limits,
                users=user_range(sold.limits, _widest_interval(sold.plan, amounts[sold.plan.code]), cells),
                amounts=amounts[sold.plan.code],
                has_prices=bool(sold.prices),
            )
            for sold in on_sale
        ),
        cells=cells,
    )


def _widest_interval(plan: Plan, amounts: Mapping[Interval, Money]) -> Interval | None:
    """The column whose smaller plans say where the range of users begins."""
    if plan.free:
        return None
    return Interval.MONTH if Interval.MONTH in amounts else Interval.YEAR


def listed_price(
    product: Product, plan: Plan, interval: Interval, currency: str, *, on: date
) -> Price | None:
    """What the plan is sold for on that `sale_day`; None where it is not sold like that."""
    for offer in plans_on_sale(product, on=on):
        if offer.plan.id == plan.id:
            return offer.price(interval, currency)
    return None


def currencies_of(offers: Iterable[PlanOffers]) -> list[str]:
    """The currencies that every sold plan has a price in are the ones to choose from.

    Prices may have run out since the catalogue was applied: where none is shared any more, every currency
    is offered, and the table says which plan is not sold in it.
    """
    sold = [{price.currency for price in offer.prices} for offer in offers if offer.prices]
    if not sold:
        return []
    return sorted(set.intersection(*sold) or set.union(*sold))


def offer_of(
    offers: Sequence[PlanOffers], *, plan_code: str, interval: Interval, currency: str, quantity: int = 1
) -> Offer:
    """Today's price of the wanted plan, for so many licences. Raises PlanNotOffered."""
    for candidate in offers:
        price = candidate.price(interval, currency)
        if candidate.plan.code == plan_code and price is not None:
            return Offer(
                plan_id=candidate.plan.id,
                plan_code=plan_code,
                plan_names=candidate.plan.names,
                interval=interval,
                price_id=price.id,
                amount=price.volume_price.unit_amount(quantity),
                unit=price.unit,
                is_licensed=candidate.plan.product.kind == ProductKind.LICENSED,
            )
    raise PlanNotOffered(wanted=(plan_code, interval, currency))


def offer_now(product: Product, choice: Choice, *, currency: str, now: datetime) -> Offer:
    """As `offer_of`, of what is on sale at that moment."""
    return offer_of(
        plans_on_sale(product, on=sale_day(now)),
        plan_code=choice.plan_code,
        interval=choice.interval,
        currency=currency,
        quantity=choice.quantity,
    )


def find_plan(plan_id: int, *, product: Product, on: date) -> Plan:
    """The plan, mostly without a query: of those on sale, else as it was when it still was."""
    for offer in plans_on_sale(product, on=on):
        if offer.plan.id == plan_id:
            return offer.plan
    return Plan.get_by_id(plan_id)


def plans_of(product: Product) -> list[Plan]:
    """Every plan that is not withdrawn, smallest first, hidden ones and the trial too. One query."""
    return list(Plan.select().where(Plan.product == product, ~Plan.withdrawn).order_by(Plan.position))


def free_plan_of(offers: Sequence[PlanOffers]) -> Plan | None:
    """The smallest free plan of the table, if the vendor offers one."""
    return next((offer.plan for offer in offers if offer.plan.free), None)


def refuse_if_too_small(plan: Plan, usage: Usage) -> None:
    """Raises PlanTooSmall with both figures of each limit that the workspace exceeds."""
    exceeded: tuple[ExceededLimit, ...] = exceeded_limits(limits_of(plan), usage)
    if exceeded:
        raise PlanTooSmall(plan_code=plan.code, plan_names=plan.names, exceeded_limits=exceeded)


def vendor_address(name: str) -> str:
    """The vendor's own page of that name, as the catalogue file gives it; empty where it gives none."""
    link = VendorLink.get_or_none(VendorLink.name == name)
    return link.url if link is not None else ""
