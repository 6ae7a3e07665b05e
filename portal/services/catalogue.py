"""The catalogue file made true in the database: all of it or nothing."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from portal.database.connecting import hold, transaction
from portal.documents.printable import unprintable_letters
from portal.domain.catalogue import (
    Catalogue,
    CatalogueInvalid,
    DeclaredFeature,
    DeclaredPlan,
    DeclaredPrice,
    DeclaredProduct,
    Links,
    parse_catalogue,
)
from portal.domain.catalogue.faults import FaultList
from portal.domain.catalogue.toml_lines import Path, lines_of
from portal.models import Plan, Price, Product, Subscription, VendorLink, Workspace

from . import audit
from .plans import sale_day


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """What changed: prices are only ever added or closed."""

    products: int
    plans: int
    prices_added: int
    prices_closed: int


def read(text: str, *, filename: str, today: date) -> Catalogue:
    """What `text` says on `today`, a `sale_day`. Raises CatalogueInvalid with every fault.

    Invoices print the names, so each letter has to be in one of their fonts.
    """
    declared = parse_catalogue(text, filename=filename, today=today)
    faults = FaultList(filename, lines_of(text.removeprefix("\ufeff")))
    for path, name in _printed_names(declared):
        if letters := unprintable_letters(name):
            faults.add(path, f"Invoices cannot show {', '.join(letters)}. Write the name without.")
    if found := faults.in_order():
        raise CatalogueInvalid(faults=found)
    return declared


def _printed_names(declared: Catalogue) -> Iterator[tuple[Path, str]]:
    """The names of products and plans in every language, each with its place in the file."""
    for index, product in enumerate(declared.products):
        for language, name in product.names.items():
            yield ("products", index, "names", language), name
        for place, plan in enumerate(product.plans):
            for language, name in plan.names.items():
                yield ("products", index, "plans", place, "names", language), name


def apply(text: str, *, filename: str, now: datetime) -> ApplyReport:
    """Make the database say what `text` says, from now on. Raises CatalogueInvalid with every fault.

    A new amount is a new price; the old row is closed today and stays with the orders that took it.
    What the file no longer names is withdrawn from sale, never deleted.
    """
    declared = read(text, filename=filename, today=sale_day(now))
    added = closed = 0
    with transaction():
        hold("catalogue")
        Product.update(withdrawn=True, revision=secrets.token_hex(16)).where(
            Product.code.not_in([p.code for p in declared.products])
        ).execute()
        codes = [plan.code for product in declared.products for plan in product.plans]
        Plan.update(withdrawn=True).where(Plan.code.not_in(codes)).execute()
        for position, declared_product in enumerate(declared.products):
            product = _save_product(declared_product, position=position, now=now)
            for declared_plan in declared_product.plans:
                plan = _save_plan(product, declared_plan)
                plan_added, plan_closed = _save_prices(plan, declared_plan.prices, now=now)
                added += plan_added
                closed += plan_closed
        _save_links(declared.links)
        audit.record(
            "catalogue.applied",
            workspace=None,
            subject=filename,
            changes={"prices_added": added, "prices_closed": closed},
            now=now,
        )
    return ApplyReport(
        products=len(declared.products), plans=len(codes), prices_added=added, prices_closed=closed
    )


def _save_product(declared: DeclaredProduct, *, position: int, now: datetime) -> Product:
    product = Product.get_or_none(Product.code == declared.code) or Product(code=declared.code)
    product.names = dict(declared.names)
    product.kind = declared.kind
    product.change_policy = declared.change
    product.trial_days = declared.trial_days
    product.grace_days = declared.grace_days
    product.bank_transfer = declared.bank_transfer
    product.max_licences = declared.max_licences
    product.trial_licences = declared.trial_licences
    gains_keys = declared.licence_keys and not product.licence_keys
    product.licence_keys = declared.licence_keys
    product.renewal_day = declared.renewal_day
    product.features = [_feature(row) for row in declared.features]
    product.position = position
    product.withdrawn = False
    product.revision = secrets.token_hex(16)
    product.save()
    if gains_keys:
        _look_at_all_who_have(product, now=now)
    return product


def _save_plan(product: Product, declared: DeclaredPlan) -> Plan:
    plan = Plan.get_or_none(Plan.code == declared.code) or Plan(code=declared.code)
    plan.product = product
    plan.names = dict(declared.names)
    plan.position = declared.position
    plan.hidden = declared.hidden
    plan.free = declared.free
    plan.trial = declared.trial
    plan.nonprofit = declared.nonprofit
    plan.max_users = declared.max_users
    plan.guests_per_user = declared.guests_per_user
    plan.max_administrators = declared.max_administrators
    plan.storage_bytes = declared.storage_bytes
    plan.services = [service.value for service in declared.services]
    plan.withdrawn = False
    plan.save()
    return plan


def _save_prices(plan: Plan, declared: tuple[DeclaredPrice, ...], *, now: datetime) -> tuple[int, int]:
    """Close what is no longer declared, then add what is new. Returns (added, closed).

    A price that is closed on its first day keeps its row, valid on no day, for the orders that took it.
    """
    today = sale_day(now)
    rows = list(Price.select().where(Price.plan == plan).order_by(Price.id.desc()))
    known = [_known_price(rows, wanted, today=today) for wanted in declared]
    kept = [price.id for price in known if price is not None]
    closed = (
        Price.update(valid_until=today)
        .where(
            Price.plan == plan,
            Price.id.not_in(kept) if kept else True,
            Price.valid_until.is_null() | (Price.valid_until > today),
        )
        .execute()
    )
    added = 0
    for wanted, price in zip(declared, known, strict=True):
        if price is None:
            Price.create(
                plan=plan,
                interval=wanted.interval,
                currency=wanted.currency,
                unit=wanted.unit,
                amount_minor=wanted.amount_minor,
                tiers=_tiers(wanted),
                valid_from=wanted.valid_from or today,
                valid_until=wanted.valid_until,
            )
            added += 1
        elif price.valid_until != wanted.valid_until:
            Price.update(valid_until=wanted.valid_until).where(Price.id == price.id).execute()
    if added or closed:
        _look_at_renewals_of(plan, now=now)
    return added, closed


def _look_at_all_who_have(product: Product, *, now: datetime) -> None:
    """They get their licence key with the next run."""
    lives_on = Workspace.select(Workspace.id).where(Workspace.deleted_at.is_null())
    Subscription.update(look_at=now).where(
        Subscription.product == product, Subscription.workspace << lives_on
    ).execute()


def _look_at_renewals_of(plan: Plan, *, now: datetime) -> None:
    """Whoever renews it may have to be told of a rise: the next run looks at them."""
    Subscription.update(look_at=now).where(
        (Subscription.plan == plan) | (Subscription.scheduled_plan == plan), Subscription.auto_renewal
    ).execute()


def _known_price(rows: Sequence[Price], wanted: DeclaredPrice, *, today: date) -> Price | None:
    """The newest of the plan's rows that already says the same; without `valid_from`, one that is still open.

    A price that was closed is not opened again: that would rewrite what was on sale in between.
    """
    for price in rows:
        says_the_same = (price.interval, price.currency, price.unit, price.amount_minor, price.tiers) == (
            wanted.interval,
            wanted.currency,
            wanted.unit,
            wanted.amount_minor,
            _tiers(wanted),
        )
        is_open = price.valid_until is None or price.valid_until > today
        if says_the_same and (
            is_open if wanted.valid_from is None else price.valid_from == wanted.valid_from
        ):
            return price
    return None


def _tiers(price: DeclaredPrice) -> list[dict[str, int]] | None:
    if not price.tiers:
        return None
    return [{"from_licences": tier.from_licences, "amount_minor": tier.amount_minor} for tier in price.tiers]


def _feature(row: DeclaredFeature) -> dict[str, object]:
    """A row of the compare table as the product keeps it."""
    says = {code: said if isinstance(said, bool) else dict(said) for code, said in row.plans.items()}
    return {"names": dict(row.names), "plans": says}


def _save_links(links: Links) -> None:
    VendorLink.delete().where(VendorLink.name == "corporate").execute()
    for name in ("help", "contact", "editors", "education", "nonprofit", "corporate"):
        if not getattr(links, name):
            continue
        VendorLink.insert(name=name, url=getattr(links, name)).on_conflict(
            conflict_target=[VendorLink.name], update={VendorLink.url: getattr(links, name)}
        ).execute()
