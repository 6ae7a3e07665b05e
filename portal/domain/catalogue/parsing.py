"""From the text of `catalogue.toml` to a `Catalogue`, or to every reason why not.

A key that has a default may be left out; a limit must be written, if only as "unlimited", because a
forgotten limit would give everything away. Amounts are in minor units, and `storage_gb` counts units of
1024³ bytes, as the source systems do.
"""

import re
import tomllib
from datetime import date
from typing import Final

from portal.domain.vocabulary import ChangePolicy, Interval, PriceUnit, ProductKind, Service

from . import rules
from .declared import Catalogue, DeclaredPlan, DeclaredPrice, DeclaredProduct, DeclaredTier, Links
from .faults import CatalogueFault, CatalogueInvalid, FaultList
from .reading import TableReader
from .toml_lines import Path, lines_of

BYTES_PER_GB: Final = 1024**3
MAX_DAYS: Final = 3_660
MAX_PEOPLE: Final = 100_000_000
MAX_GUESTS_PER_USER: Final = 1_000
MAX_POSITION: Final = 1_000_000
MAX_STORAGE_GB: Final = 1_000_000_000

_WORKSPACE_LIMITS: Final = ("max_users", "guests_per_user", "max_administrators", "storage_gb", "services")


def parse_catalogue(text: str, *, filename: str, today: date) -> Catalogue:
    """Raise `CatalogueInvalid`, and nothing else, with every fault of the text at once.

    What is on sale `today` must be such that pages can say it: each plan on sale has a price, and those of
    one product share a currency.

    A text that is not TOML has one fault, where the TOML breaks.
    """
    document, lines = _parse_toml(text.removeprefix("\ufeff"), filename=filename)
    faults = FaultList(filename, lines)
    root = TableReader(faults, (), document)
    links = _read_links(root.table("links"))
    products: list[tuple[TableReader, DeclaredProduct]] = []
    plans: list[tuple[TableReader, DeclaredPlan]] = []
    for table in root.tables("products", required=True):
        product, its_plans = _read_product(table, today=today)
        products.append((table, product))
        plans.extend(its_plans)
    root.finish()
    rules.check_codes(products, plans)
    rules.check_one_workspace_plan_product(root, products)
    rules.check_new_workspaces_can_begin(products)
    if found := faults.in_order():
        raise CatalogueInvalid(faults=found)
    return Catalogue(products=tuple(product for _, product in products), links=links)


def _parse_toml(text: str, *, filename: str) -> tuple[dict[str, object], dict[Path, int]]:
    try:
        return tomllib.loads(text), lines_of(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        sentence = f"This is not valid TOML: {str(error)[: place.start() if place else None]}."
    except RecursionError:
        line, sentence = 1, "Lists and tables are nested too deep to be read."
    except ValueError:
        # Python refuses to read a decimal number of thousands of digits.
        number = re.search(r"[\d_]{4000}", text)
        line = text.count("\n", 0, number.start()) + 1 if number else 1
        sentence = "A number is far too long to be read."
    raise CatalogueInvalid(faults=(CatalogueFault(filename, line, "", sentence),))


def _read_links(table: TableReader) -> Links:
    links = Links(
        help=table.link("help"),
        contact=table.link("contact"),
        editors=table.link("editors"),
        education=table.link("education"),
        nonprofit=table.link("nonprofit"),
    )
    table.finish()
    return links


def _read_product(
    table: TableReader, *, today: date
) -> tuple[DeclaredProduct, list[tuple[TableReader, DeclaredPlan]]]:
    kind = table.word("kind", ProductKind)
    known_kind = kind if table.sound("kind") else None
    plans = [
        (plan_table, _read_plan(plan_table, kind=known_kind))
        for plan_table in table.tables("plans", required=True)
    ]
    product = DeclaredProduct(
        code=table.code("code"),
        names=table.names("names"),
        kind=kind,
        change=table.word("change", ChangePolicy),
        trial_days=table.integer("trial_days", low=0, high=MAX_DAYS, default=0),
        grace_days=table.optional_integer("grace_days", low=0, high=MAX_DAYS),
        bank_transfer=table.flag("bank_transfer"),
        plans=tuple(plan for _, plan in plans),
    )
    table.finish()
    rules.check_positions(plans)
    rules.check_prices_of_today(plans, today=today)
    rules.check_shared_currency(plans, today=today)
    if known_kind is ProductKind.WORKSPACE_PLAN:
        rules.check_trial_plan(table, plans, trial_days=product.trial_days)
        rules.check_one_nonprofit_plan(plans)
        rules.check_capacity_grows(plans)
    return product, plans


def _read_plan(table: TableReader, *, kind: ProductKind | None) -> DeclaredPlan:
    """`kind` None: it could not be read, so nothing is said about what depends on it."""
    has_limits = kind is ProductKind.WORKSPACE_PLAN
    if kind is ProductKind.LICENSED:
        _refuse_workspace_keys(table)
    elif kind is None:
        table.ignore(*_WORKSPACE_LIMITS, "trial", "nonprofit")
    prices = [
        (price_table, _read_price(price_table, kind=kind))
        for price_table in table.tables("prices", required=False)
    ]
    storage_gb = table.limit("storage_gb", high=MAX_STORAGE_GB) if has_limits else None
    plan = DeclaredPlan(
        code=table.code("code"),
        names=table.names("names"),
        position=table.integer("position", low=0, high=MAX_POSITION),
        hidden=table.flag("hidden"),
        free=table.flag("free"),
        trial=has_limits and table.flag("trial"),
        nonprofit=has_limits and table.flag("nonprofit"),
        max_users=table.limit("max_users", high=MAX_PEOPLE) if has_limits else None,
        guests_per_user=table.integer("guests_per_user", low=0, high=MAX_GUESTS_PER_USER)
        if has_limits
        else 0,
        max_administrators=table.limit("max_administrators", high=MAX_PEOPLE) if has_limits else None,
        storage_bytes=None if storage_gb is None else storage_gb * BYTES_PER_GB,
        services=table.words("services", Service) if has_limits else (),
        prices=tuple(price for _, price in prices),
    )
    table.finish()
    if kind is not None:
        rules.check_plan(table, plan)
    rules.check_one_price_a_day(prices)
    return plan


def _refuse_workspace_keys(table: TableReader) -> None:
    for limit in _WORKSPACE_LIMITS:
        table.refuse(limit, because="A licensed product has no such limit: its capacity is its licences.")
    table.refuse(
        "trial", because="Every plan of a licensed product may be tried: give the product trial_days instead."
    )
    table.refuse("nonprofit", because="Only a workspace plan can be the one for non-profit organisations.")


def _read_price(table: TableReader, *, kind: ProductKind | None) -> DeclaredPrice:
    tiers = [(tier_table, _read_tier(tier_table)) for tier_table in table.tables("tiers", required=False)]
    usual_unit = PriceUnit.LICENCE if kind is ProductKind.LICENSED else PriceUnit.FLAT
    price = DeclaredPrice(
        interval=table.word("interval", Interval),
        currency=table.currency("currency"),
        unit=table.word("unit", PriceUnit, default=usual_unit),
        amount_minor=table.amount_minor("amount_minor"),
        tiers=tuple(tier for _, tier in tiers),
        valid_from=table.day("valid_from"),
        valid_until=table.day("valid_until"),
    )
    table.finish()
    if kind is not None:
        rules.check_price_unit(table, price, kind=kind)
    rules.check_validity(table, price)
    rules.check_price_tiers(table, price, tiers)
    return price


def _read_tier(table: TableReader) -> DeclaredTier:
    tier = DeclaredTier(
        from_licences=table.integer("from_licences", low=2, high=MAX_PEOPLE),
        amount_minor=table.amount_minor("amount_minor"),
    )
    table.finish()
    return tier
