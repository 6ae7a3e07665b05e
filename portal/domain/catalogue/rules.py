"""What must hold between the keys of a catalogue, once each of them could be read.

A rule looks only at keys without a fault of their own, so that one mistake is told once. Pairs are
(the table as written, what it declares), in the order of the file.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import pairwise

from portal.domain.vocabulary import ChangePolicy, PriceUnit, ProductKind
from portal.domain.volume_price import VolumeTier

from .declared import DeclaredFeature, DeclaredPlan, DeclaredPrice, DeclaredProduct
from .reading import LANGUAGES, TableReader
from .toml_lines import Path

FeaturePairs = Sequence[tuple[TableReader, DeclaredFeature]]
PlanPairs = Sequence[tuple[TableReader, DeclaredPlan]]
PricePairs = Sequence[tuple[TableReader, DeclaredPrice]]
ProductPairs = Sequence[tuple[TableReader, DeclaredProduct]]
TierPairs = Sequence[tuple[TableReader, VolumeTier]]


TAKEN_IN_ADDRESSES = frozenset({"new", "trial"})
"""Words that stand where the address of a subscription's page has the code of its product."""


def check_codes(products: ProductPairs, plans: PlanPairs) -> None:
    """Codes differ in the whole file, those of plans too: a page names a plan by its code alone."""
    for table, product in products:
        if table.sound("code") and product.code in TAKEN_IN_ADDRESSES:
            table.fault("code", f'The portal has a page of its own at "{product.code}": choose another code.')
    _check_all_differ("code", ((table, product.code) for table, product in products), owner="products")
    _check_all_differ("code", ((table, plan.code) for table, plan in plans), owner="plans of the catalogue")


def check_positions(plans: PlanPairs) -> None:
    _check_all_differ(
        "position", ((table, plan.position) for table, plan in plans), owner="plans of a product"
    )


def check_one_workspace_plan_product(root: TableReader, products: ProductPairs) -> None:
    """A workspace has one workspace plan, so the catalogue has one product that sells it."""
    tables = [table for table, product in products if product.kind is ProductKind.WORKSPACE_PLAN]
    kinds_are_known = all(table.sound("kind") for table, _ in products)
    if products and not tables and kinds_are_known:
        root.fault("products", 'No product has kind = "workspace_plan": a new workspace would have no plan.')
    for second in tables[1:]:
        if kinds_are_known:
            second.fault(
                "kind", f"One product sells the workspace plan: the one of line {tables[0].line('kind')}."
            )


def check_change_policy(table: TableReader, product: DeclaredProduct) -> None:
    """Unused time stands in for money where one plan is sold whole, not where licences are (ADR 0003)."""
    if not table.sound("change"):
        return
    if product.kind is ProductKind.WORKSPACE_PLAN and product.change is not ChangePolicy.EXTEND:
        table.fault(
            "change", 'Money left of a workspace plan becomes days of the new one: write change = "extend".'
        )
    if product.kind is ProductKind.LICENSED and product.change is not ChangePolicy.PRORATE:
        table.fault(
            "change",
            'Licences are bought by number, where days cannot stand in for money: write change = "prorate".',
        )


def check_licence_numbers(table: TableReader, product: DeclaredProduct, plans: PlanPairs) -> None:
    """What may be tried can be bought, and every tier can be reached."""
    if table.has("trial_licences") and table.sound("trial_licences", "trial_days") and not product.trial_days:
        table.fault("trial_licences", "The product has no trial_days: say how long its trial lasts.")
    most = product.max_licences
    if most is None or not table.sound("max_licences"):
        return
    if product.trial_licences > most and table.sound("trial_licences"):
        table.fault("trial_licences", f"More may be tried than bought: max_licences is {most}.")
    for plan_table, plan in plans:
        if plan_table.sound("prices"):
            for place, tier in _tiers_of(plan):
                if tier.from_licences > most:
                    plan_table.faults.add(
                        (*plan_table.path, *place, "from_licences"),
                        f"No order reaches this tier: max_licences is {most}.",
                    )


def check_feature_names(features: FeaturePairs) -> None:
    """Each row of a compare table has a name of its own in each language."""
    first: dict[tuple[str, str], TableReader] = {}
    for table, feature in features:
        if not table.sound("names"):
            continue
        names = [(language, feature.names[language]) for language in LANGUAGES]
        for name in names:
            if name in first:
                line = first[name].line("names")
                table.fault(
                    "names", f"Two features of a product cannot share a name: it is taken on line {line}."
                )
                break
        for name in names:
            first.setdefault(name, table)


def check_trial_plan(product_table: TableReader, plans: PlanPairs, *, trial_days: int) -> None:
    trials = [table for table, plan in plans if plan.trial]
    for second in trials[1:]:
        second.fault("trial", f"A product has one trial plan: the one of line {trials[0].line('trial')}.")
    if not product_table.sound("trial_days"):
        return
    if trials and trial_days == 0:
        trials[0].fault("trial", "The product has no trial_days: say how long its trial lasts.")
    flags_are_known = plans and all(table.sound("trial") for table, _ in plans)
    if trial_days > 0 and not trials and flags_are_known:
        product_table.fault("trial_days", "The product has trial days but no plan with trial = true.")


def check_new_workspaces_can_begin(products: ProductPairs) -> None:
    """Every new workspace begins with the trial plan of the product that sells the workspace plan."""
    tables = [(table, product) for table, product in products if product.kind is ProductKind.WORKSPACE_PLAN]
    for table, product in tables[:1]:
        has_none = not any(plan.trial for plan in product.plans)
        if has_none and table.sound("kind", "plans", "trial_days"):
            table.fault(
                "plans",
                "The product has no plan with trial = true: every new workspace begins with it, so nobody "
                "could sign up. Add one, and say how long it lasts with trial_days.",
            )


def check_prices_of_today(plans: PlanPairs, *, today: date) -> None:
    """A plan on sale can be bought today."""
    for table, plan in _priced(plans):
        if plan.currencies_on(today):
            continue
        to_come = [price.valid_from for price in plan.prices if price.valid_from and price.valid_from > today]
        begins = min(to_come, default=None)
        why = f"the first one begins on {begins}" if begins else "the day of each is over"
        table.fault(
            "prices",
            f"This plan is on sale but has no price today, {today}: {why}. Add a price of today, or "
            "hidden = true.",
        )


def check_shared_currency(plans: PlanPairs, *, today: date) -> None:
    """The table of a product shows one currency at a time, so the plans in it have one in common."""
    shared: frozenset[str] | None = None
    for table, plan in _priced(plans):
        currencies = plan.currencies_on(today)
        if not currencies:
            continue
        both = currencies if shared is None else shared & currencies
        if not both:
            table.fault(
                "prices",
                f"This plan has no price in {' or '.join(sorted(shared or ()))}, as the plans before it "
                "have: the table of a product shows all its plans in one currency.",
            )
            return
        shared = both


def check_one_nonprofit_plan(plans: PlanPairs) -> None:
    nonprofits = [table for table, plan in plans if plan.nonprofit]
    for second in nonprofits[1:]:
        line = nonprofits[0].line("nonprofit")
        second.fault(
            "nonprofit", f"A product has one plan for non-profit organisations: the one of line {line}."
        )


def check_capacity_grows(plans: PlanPairs) -> None:
    """From one sold plan to the next, users rise and storage does not fall, so "smaller" means one thing."""
    keys = ("position", "max_users", "storage_gb", "hidden", "free", "trial")
    sold = [(table, plan) for table, plan in plans if plan.is_sold and table.sound(*keys)]
    sold.sort(key=lambda pair: pair[1].position)
    for (smaller_table, smaller), (table, larger) in pairwise(sold):
        before = f"the plan at position {smaller.position} (line {smaller_table.line('position')})"
        if not _is_less(smaller.max_users, larger.max_users):
            table.fault("max_users", f"A plan of a later position holds more users than {before}.")
        if _is_less(larger.storage_bytes, smaller.storage_bytes):
            table.fault("storage_gb", f"A plan of a later position holds no less storage than {before}.")


def check_plan(table: TableReader, plan: DeclaredPlan) -> None:
    if not table.sound("hidden", "free", "trial", "nonprofit"):
        return
    if plan.trial and plan.nonprofit:
        table.fault(
            "nonprofit", "One plan cannot be both the trial and the one for non-profit organisations."
        )
    if plan.trial and plan.free:
        table.fault("free", "The trial plan costs nothing during its days only: leave free out.")
    if plan.trial and not plan.hidden:
        table.fault("trial", "The trial plan is never chosen from the table: add hidden = true.")
    if plan.nonprofit and not plan.hidden:
        table.fault(
            "nonprofit", "The plan for non-profit organisations is given, not chosen: add hidden = true."
        )
    if plan.nonprofit and not plan.free:
        table.fault("nonprofit", "The plan for non-profit organisations costs nothing: add free = true.")
    if plan.prices and (plan.free or plan.trial):
        table.fault("prices", f"A {'free' if plan.free else 'trial'} plan has no price.")
    if plan.is_sold and not plan.prices and table.sound("prices"):
        table.fault("prices", "A plan on sale has a price: add one, or else hidden = true or free = true.")


def check_price_unit(table: TableReader, price: DeclaredPrice, *, kind: ProductKind) -> None:
    if not table.sound("unit"):
        return
    if price.unit is PriceUnit.LICENCE and kind is ProductKind.WORKSPACE_PLAN:
        table.fault("unit", 'A workspace plan is sold whole, by its limit of users: its unit is "flat".')
    elif price.unit is PriceUnit.FLAT and price.tiers:
        table.fault("tiers", 'Only a price by licence has tiers, and the unit of this one is "flat".')


def check_validity(table: TableReader, price: DeclaredPrice) -> None:
    if price.valid_from and price.valid_until and price.valid_from >= price.valid_until:
        table.fault(
            "valid_until",
            f"This price would never be sold: valid_until, the first day without it, must come after "
            f"valid_from, which is {price.valid_from}.",
        )


def check_price_tiers(table: TableReader, price: DeclaredPrice, tiers: TierPairs) -> None:
    """Each tier begins at more licences than the one before, and a licence costs less in it."""
    if not table.sound("amount_minor", "tiers"):
        return
    licences, amount_minor = 1, price.amount_minor
    for tier_table, tier in tiers:
        if tier.from_licences <= licences:
            tier_table.fault("from_licences", f"Tiers go up: this one must begin above {licences} licences.")
        if tier.amount_minor >= amount_minor:
            tier_table.fault(
                "amount_minor", f"Tiers get cheaper: a licence must cost less than {amount_minor}."
            )
        licences, amount_minor = tier.from_licences, tier.amount_minor


def check_one_price_a_day(prices: PricePairs) -> None:
    """On any day a plan has at most one price for an interval and a currency."""
    keys = ("interval", "currency", "valid_from", "valid_until")
    sound = [(table, price) for table, price in prices if table.sound(*keys)]
    for index, (table, price) in enumerate(sound):
        for earlier_table, earlier in sound[:index]:
            if _meet(price, earlier):
                table.fault(
                    "valid_from" if price.valid_from else "currency",
                    f"The plan already has a price by {price.interval} in {price.currency} on some of these "
                    f"days (line {earlier_table.line('currency')}): end that one with valid_until first.",
                )
                break


def _priced(plans: PlanPairs) -> PlanPairs:
    """The plans on sale whose prices could all be read."""
    keys = ("hidden", "free", "trial", "prices")
    return [(table, plan) for table, plan in plans if plan.is_sold and plan.prices and table.sound(*keys)]


def _tiers_of(plan: DeclaredPlan) -> Iterator[tuple[Path, VolumeTier]]:
    """Each tier of a plan whose prices could all be read, with its place below the plan."""
    for price_index, price in enumerate(plan.prices):
        for tier_index, tier in enumerate(price.tiers):
            yield ("prices", price_index, "tiers", tier_index), tier


def _meet(one: DeclaredPrice, other: DeclaredPrice) -> bool:
    return (
        (one.interval, one.currency) == (other.interval, other.currency)
        and _starts_before_end(one, other)
        and _starts_before_end(other, one)
    )


def _starts_before_end(one: DeclaredPrice, other: DeclaredPrice) -> bool:
    return one.valid_from is None or other.valid_until is None or one.valid_from < other.valid_until


def _is_less(one: int | None, other: int | None) -> bool:
    """None is no limit: nothing is above it."""
    return one is not None and (other is None or one < other)


def _check_all_differ(key: str, values: Iterable[tuple[TableReader, object]], *, owner: str) -> None:
    first: dict[object, TableReader] = {}
    for table, value in values:
        if not table.sound(key):
            continue
        if value in first:
            table.fault(
                key, f"Two {owner} cannot share this {key}: it is taken on line {first[value].line(key)}."
            )
        first.setdefault(value, table)
