"""From the text of `catalogue.toml` to a `Catalogue`, or to every reason why not.

A key that has a default may be left out; a limit must be written, if only as "unlimited", because a
forgotten limit would give everything away. For the same reason one licence may be tried where the file
does not say how many. Amounts are in minor units, and `storage_gb` counts units of 1024³ bytes, as the
source systems do.
"""

import re
import tomllib
from datetime import date
from typing import Final

from portal.domain.vocabulary import ChangePolicy, Interval, PriceUnit, ProductKind, RenewalDay, Service
from portal.domain.volume_price import MAX_LICENCES, VolumeTier

from . import rules
from .declared import Catalogue, DeclaredFeature, DeclaredPlan, DeclaredPrice, DeclaredProduct, Links
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
# Each key of licensed products alone, and why a workspace plan has none.
_LICENSED_KEYS: Final = {
    "max_licences": "A workspace plan is sold whole: its capacity is the max_users of each plan.",
    "trial_licences": "A workspace plan is sold whole: what may be tried stands in its trial plan.",
    "licence_keys": "A workspace plan is sold whole: it has no licence that a key could activate.",
    "renewal_day": "Money left of a workspace plan becomes days, so a change always begins a new period.",
    "features": "The table of a workspace plan compares limits and services: give each plan its own.",
}


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
        corporate=table.optional_link("corporate"),
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
    is_licensed = known_kind is ProductKind.LICENSED
    product = DeclaredProduct(
        code=table.code("code"),
        names=table.names("names"),
        kind=kind,
        change=table.word("change", ChangePolicy),
        trial_days=table.integer("trial_days", low=0, high=MAX_DAYS, default=0),
        grace_days=table.optional_integer("grace_days", low=0, high=MAX_DAYS),
        bank_transfer=table.flag("bank_transfer"),
        plans=tuple(plan for _, plan in plans),
        max_licences=table.optional_integer("max_licences", low=1, high=MAX_LICENCES)
        if is_licensed
        else None,
        trial_licences=table.integer("trial_licences", low=1, high=MAX_LICENCES, default=1)
        if is_licensed
        else 1,
        licence_keys=is_licensed and table.flag("licence_keys"),
        renewal_day=table.word("renewal_day", RenewalDay, default=RenewalDay.KEEP)
        if is_licensed
        else RenewalDay.KEEP,
        features=_read_features(table, plans) if is_licensed else (),
    )
    if known_kind is ProductKind.WORKSPACE_PLAN:
        for key, reason in _LICENSED_KEYS.items():
            table.refuse(key, because=reason)
    elif known_kind is None:
        table.ignore(*_LICENSED_KEYS)
    table.finish()
    rules.check_positions(plans)
    rules.check_prices_of_today(plans, today=today)
    rules.check_shared_currency(plans, today=today)
    if known_kind is not None:
        rules.check_change_policy(table, product)
    if is_licensed:
        rules.check_licence_numbers(table, product, plans)
    if known_kind is ProductKind.WORKSPACE_PLAN:
        rules.check_trial_plan(table, plans, trial_days=product.trial_days)
        rules.check_one_nonprofit_plan(plans)
        rules.check_capacity_grows(plans)
    return product, plans


def _read_features(table: TableReader, plans: rules.PlanPairs) -> tuple[DeclaredFeature, ...]:
    """The rows of the compare table. Where a plan's code could not be read, nothing is said of the plans."""
    codes = [plan.code for _, plan in plans]
    codes_are_known = bool(plans) and all(plan_table.sound("code") for plan_table, _ in plans)
    features = []
    for feature_table in table.tables("features", required=False):
        says = feature_table.table("plans")
        feature = DeclaredFeature(
            names=feature_table.names("names"),
            plans={code: says.flag_or_text(code) for code in dict.fromkeys(codes) if codes_are_known},
        )
        if codes_are_known:
            says.finish()
        feature_table.finish()
        features.append((feature_table, feature))
    rules.check_feature_names(features)
    return tuple(feature for _, feature in features)


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


def _read_tier(table: TableReader) -> VolumeTier:
    tier = VolumeTier(
        from_licences=table.integer("from_licences", low=2, high=MAX_LICENCES),
        amount_minor=table.amount_minor("amount_minor"),
    )
    table.finish()
    return tier
