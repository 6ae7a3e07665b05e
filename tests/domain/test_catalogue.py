import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.domain.catalogue import (
    Catalogue,
    CatalogueInvalid,
    DeclaredFeature,
    DeclaredPrice,
    parse_catalogue,
)
from portal.domain.vocabulary import ChangePolicy, Interval, PriceUnit, ProductKind, RenewalDay, Service
from portal.domain.volume_price import MAX_LICENCES, VolumeTier

SHIPPED = (Path(__file__).parents[2] / "catalogue.toml").read_text(encoding="utf-8")

TODAY = date(2026, 11, 30)
SMALL = """
[links]
help = "https://example.com/help"
contact = "mailto:sales@example.com"
editors = "https://example.com/editors"
education = "https://example.com/education"
nonprofit = "https://example.com/nonprofit"

[[products]]  # The office.
code = "office"
names = { en = "Office", fr = "Bureau" }
kind = "workspace_plan"
change = "extend"
trial_days = 30

[[products.plans]]  # The trial.
code = "trial"
names = { en = "Trial", fr = "Essai" }
position = 0
hidden = true
trial = true
max_users = "unlimited"
guests_per_user = 2
max_administrators = "unlimited"
storage_gb = 10

[[products.plans]]  # The small one.
code = "small"
names = { en = "Small", fr = "Petit" }
position = 1
max_users = 3
guests_per_user = 2
max_administrators = 2
storage_gb = 5
services = ["sso", "ldap"]
prices = [
  { interval = "month", currency = "EUR", amount_minor = 1800 },
  { interval = "year", currency = "EUR", amount_minor = 18000 },
]

[[products.plans]]  # The large one.
code = "large"
names = { en = "Large", fr = "Grand" }
position = 2
max_users = 10
guests_per_user = 2
max_administrators = "unlimited"
storage_gb = 50
prices = [{ interval = "year", currency = "EUR", amount_minor = 50000 }]

[[products]]  # The calls.
code = "calls"
names = { en = "Calls", fr = "Appels" }
kind = "licensed"
change = "prorate"
trial_days = 14
grace_days = 3
bank_transfer = true
max_licences = 200
trial_licences = 5
licence_keys = true
renewal_day = "change"

[[products.plans]]  # The first one of the calls.
code = "calls-basic"
names = { en = "Basic", fr = "Base" }
position = 1
prices = [
  { interval = "month", currency = "JPY", amount_minor = 900, tiers = [
    { from_licences = 10, amount_minor = 800 },
    { from_licences = 50, amount_minor = 700 },
  ] },
]

[[products.plans]]  # The second one of the calls.
code = "calls-plus"
names = { en = "Plus", fr = "Plus" }
position = 3
prices = [{ interval = "month", currency = "JPY", amount_minor = 1500 }]

[[products.features]]  # The recording.
names = { en = "Recording", fr = "Enregistrement" }
plans.calls-basic = false
plans.calls-plus = { en = "Kept for 30 days", fr = "Conservé 30 jours" }

[[products.features]]  # The screen.
names = { en = "Screen sharing", fr = "Partage d’écran" }
plans = { calls-basic = true, calls-plus = true }
"""
LICENSED_KEYS = ("trial_days = 14", "max_licences", "trial_licences", "licence_keys", "renewal_day")


def faults_of(text):
    with pytest.raises(CatalogueInvalid) as caught:
        parse_catalogue(text, filename="shop.toml", today=TODAY)
    assert all(fault.filename == "shop.toml" for fault in caught.value.faults)
    return caught.value.faults


def test_a_small_catalogue_is_read_whole():
    catalogue = parse_catalogue(SMALL, filename="shop.toml", today=TODAY)
    office, calls = catalogue.products
    trial, small, large = office.plans
    assert catalogue.links.contact == "mailto:sales@example.com"
    assert (office.code, office.names) == ("office", {"en": "Office", "fr": "Bureau"})
    assert (office.kind, office.change) == (ProductKind.WORKSPACE_PLAN, ChangePolicy.EXTEND)
    assert (office.trial_days, office.grace_days, office.bank_transfer) == (30, None, False)
    assert (calls.trial_days, calls.grace_days, calls.bank_transfer) == (14, 3, True)
    assert (calls.max_licences, calls.trial_licences, calls.licence_keys) == (200, 5, True)
    assert calls.renewal_day is RenewalDay.CHANGE
    assert calls.features == (
        DeclaredFeature(
            names={"en": "Recording", "fr": "Enregistrement"},
            plans={
                "calls-basic": False,
                "calls-plus": {"en": "Kept for 30 days", "fr": "Conservé 30 jours"},
            },
        ),
        DeclaredFeature(
            names={"en": "Screen sharing", "fr": "Partage d’écran"},
            plans={"calls-basic": True, "calls-plus": True},
        ),
    )
    assert (trial.max_users, trial.max_administrators, trial.hidden, trial.trial) == (None, None, True, True)
    assert (small.position, small.max_users, small.guests_per_user, small.max_administrators) == (1, 3, 2, 2)
    assert small.storage_bytes == 5 * 1024 * 1024 * 1024
    assert small.services == (Service.LDAP, Service.SSO), "in the order of the vocabulary"
    assert small.prices[1] == DeclaredPrice(Interval.YEAR, "EUR", PriceUnit.FLAT, 18000, (), None, None)
    assert large.prices == (DeclaredPrice(Interval.YEAR, "EUR", PriceUnit.FLAT, 50000, (), None, None),)
    assert calls.plans[0].max_users is None
    assert calls.plans[0].prices[0].unit is PriceUnit.LICENCE
    assert calls.plans[0].prices[0].tiers == (VolumeTier(10, 800), VolumeTier(50, 700))


def test_a_catalogue_of_before_licences_had_keys_stays_as_it_was():
    """Without the keys of licensed products: no maximum, one licence to try, no keys, nothing to compare."""
    old = "".join(
        row
        for row in SMALL[: SMALL.index("[[products.features]]")].splitlines(keepends=True)
        if not row.startswith(LICENSED_KEYS)
    )
    office, calls = parse_catalogue(old, filename="shop.toml", today=TODAY).products
    for product in (office, calls):
        assert (product.max_licences, product.trial_licences, product.licence_keys) == (None, 1, False)
        assert (product.renewal_day, product.features) == (RenewalDay.KEEP, ())
    assert calls.trial_days == 0


def test_the_shipped_catalogue_is_the_one_of_the_product_page():
    catalogue = parse_catalogue(SHIPPED, filename="catalogue.toml", today=TODAY)
    office, meetings, webinar, training, remote = catalogue.products
    plans = {plan.code: plan for plan in office.plans}
    assert [code for code, plan in plans.items() if not plan.hidden] == [
        "startup",
        *(f"business-{users}" for users in (3, 5, 10, 20, 50, 100)),
    ]
    assert (plans["trial"].max_users, plans["trial"].storage_bytes) == (None, 10 * 1024**3)
    assert set(plans["trial"].services) == set(Service)
    startup = plans["startup"]
    assert (startup.free, startup.max_users, startup.max_administrators) == (True, 5, 1)
    assert (startup.guests_per_user, startup.storage_bytes, startup.services) == (0, 2 * 1024**3, ())
    nonprofit = plans["nonprofit"]
    assert (nonprofit.hidden, nonprofit.free, nonprofit.nonprofit) == (True, True, True)
    assert (nonprofit.max_users, nonprofit.storage_bytes) == (1000, 2 * 1024**3)
    assert (office.trial_days, office.change) == (30, ChangePolicy.EXTEND)

    def amount(code, interval, currency):
        wanted = (interval, currency)
        return next(p.amount_minor for p in plans[code].prices if (p.interval, p.currency) == wanted)

    assert amount("business-3", Interval.MONTH, "USD") == 1800
    assert amount("business-3", Interval.YEAR, "USD") == 18000
    assert amount("business-5", Interval.MONTH, "USD") == 3000
    assert {price.interval for price in plans["business-100"].prices} == {Interval.YEAR}
    assert [(len(p.plans), p.trial_days) for p in (meetings, webinar, training)] == [
        (3, 14),
        (2, 14),
        (1, 14),
    ]
    limits = [(p.max_licences, p.trial_licences, p.renewal_day) for p in (meetings, webinar, training)]
    assert limits == [
        (500, 5, RenewalDay.KEEP),
        (100, 2, RenewalDay.CHANGE),
        (None, 1, RenewalDay.KEEP),
    ]
    assert [(len(p.features), p.licence_keys) for p in (meetings, webinar, training)] == [
        (6, False),
        (5, False),
        (0, False),
    ]
    assert (remote.bank_transfer, remote.licence_keys, remote.trial_days) == (True, True, 0)
    assert {price.interval for price in remote.plans[0].prices} == {Interval.YEAR}


def test_every_plan_of_the_shipped_compare_tables_says_something_in_both_languages():
    for product in parse_catalogue(SHIPPED, filename="catalogue.toml", today=TODAY).products:
        for feature in product.features:
            assert list(feature.plans) == [plan.code for plan in product.plans]
            for said in (feature.names, *feature.plans.values()):
                assert isinstance(said, bool) or all(said[language] for language in ("en", "fr"))


def test_ten_professional_meetings_cost_less_than_nine():
    """The shipped catalogue shows what tiers do: 9 × 15.00 = 135.00, 10 × 13.00 = 130.00."""
    meetings = parse_catalogue(SHIPPED, filename="catalogue.toml", today=TODAY).products[1]
    price = next(
        price.volume_price
        for price in meetings.plans[1].prices
        if (price.interval, price.currency) == (Interval.MONTH, "EUR")
    )
    assert (price.amount(9).minor, price.amount(10).minor) == (13500, 13000)


def test_every_sold_plan_of_the_shipped_catalogue_has_both_currencies():
    for product in parse_catalogue(SHIPPED, filename="catalogue.toml", today=TODAY).products:
        for plan in product.plans:
            by_interval = {price.interval: set() for price in plan.prices}
            for price in plan.prices:
                by_interval[price.interval].add(price.currency)
            assert plan.is_sold == bool(by_interval), plan.code
            assert all(currencies == {"USD", "EUR"} for currencies in by_interval.values()), plan.code


@dataclass
class Case:
    """`old` of the small catalogue becomes `new`; the fault is on the line marked "# HERE", or on `line`."""

    rule: str
    old: str
    new: str
    key: str
    says: str
    line: str = "# HERE"


MONTHLY_LINE = '  { interval = "month", currency = "EUR", amount_minor = 1800 },'
FROM_JANUARY = '  { interval = "month", currency = "EUR", amount_minor = 1900, valid_from = 2027-01-01 },'

TRIAL_PLAN, SMALL_PLAN, LARGE_PLAN = (f"products[0].plans[{index}]" for index in range(3))
CALLS_PLAN = "products[1].plans[0]"
SMALL_PRICE, LARGE_PRICE, CALLS_PRICE = (f"{plan}.prices[0]" for plan in (SMALL_PLAN, LARGE_PLAN, CALLS_PLAN))
MONTHLY_PRICE = 'currency = "EUR", amount_minor = 1800 },'
LARGE_PRICES = 'prices = [{ interval = "year", currency = "EUR", amount_minor = 50000 }]'
SMALL_NAMES = '{ en = "Small", fr = "Petit" }'
CALLS = SMALL[SMALL.index("[[products]]  # The calls.") :]
OFFICE_TO_TRIAL = SMALL[SMALL.index("trial_days = 30") : SMALL.index('max_users = "unlimited"')]
OFFICE = SMALL[SMALL.index("[[products]]  # The office.") : -len(CALLS)]
CALLS_PLANS = SMALL[SMALL.index("[[products.plans]]  # The first one") :]
CALLS_FEATURES = SMALL[SMALL.index("[[products.features]]  # The recording.") :]
RECORDING, SCREEN = ("products[1].features[0]", "products[1].features[1]")
ON_BASIC = "plans.calls-basic = false"
ON_PLUS = 'plans.calls-plus = { en = "Kept for 30 days", fr = "Conservé 30 jours" }'
RECORDING_NAMES = '{ en = "Recording", fr = "Enregistrement" }'
SCREEN_NAMES = '{ en = "Screen sharing", fr = "Partage d’écran" }'
SCREEN_PLANS = "plans = { calls-basic = true, calls-plus = true }"
NO_SUCH_LICENCES = f"Write a whole number from 1 to {MAX_LICENCES}"
SECOND_OFFICE = """\
[[products]]
code = "other"
names = { en = "Other", fr = "Autre" }
kind = "workspace_plan" # HERE
change = "extend"

[[products.plans]]
code = "other-free"
names = { en = "Free", fr = "Gratuit" }
position = 0
free = true
max_users = 1
guests_per_user = 0
max_administrators = 1
storage_gb = 1
"""

CASES = [
    # Keys.
    Case(
        "unknown key",
        "position = 1\n",
        "position = 1\nhiden = false # HERE\n",
        f"{SMALL_PLAN}.hiden",
        '"hidden"?',
    ),
    Case(
        "misspelt key",
        "amount_minor = 1800 },",
        "amont_minor = 1800 }, # HERE",
        f"{SMALL_PRICE}.amont_minor",
        'mean "amount_minor"?',
    ),
    Case(
        "strange key",
        "trial_days = 30",
        'trial_days = 30\n"a [b]\\u0000" = 1 # HERE',
        'products[0]."a [b]\\u0000"',
        "Known here: kind, plans, code",
    ),
    Case("unknown table", "[links]", "[shop] # HERE\n[links]", "shop", "Known here: links, products."),
    Case("missing key", 'change = "extend"\n', "", "products[0].change", "missing", line="# The office."),
    Case(
        "missing key of an inline table",
        MONTHLY_PRICE,
        "amount_minor = 1800 }, # HERE",
        f"{SMALL_PRICE}.currency",
        "missing",
    ),
    Case(
        "a limit is never forgotten",
        'max_users = "unlimited"\n',
        "",
        f"{TRIAL_PLAN}.max_users",
        "missing",
        line="# The trial.",
    ),
    Case("misspelt flag", "hidden = true", "hiddn = true # HERE", f"{TRIAL_PLAN}.hiddn", '"hidden"?'),
    # Values.
    Case(
        "a code with a capital",
        'code = "small"',
        'code = "Small" # HERE',
        f"{SMALL_PLAN}.code",
        "small letters",
    ),
    Case(
        "a code that a page has",
        'code = "office"',
        'code = "new" # HERE',
        "products[0].code",
        "page of its own",
    ),
    Case("a code that is a number", 'code = "office"', "code = 7 # HERE", "products[0].code", "this is 7"),
    Case(
        "a code too long",
        'code = "office"',
        f'code = "{"a" * 61}" # HERE',
        "products[0].code",
        "60 characters",
    ),
    Case("no French name", SMALL_NAMES, '{ en = "Small" } # HERE', f"{SMALL_PLAN}.names.fr", "missing"),
    Case(
        "another language",
        SMALL_NAMES,
        '{ en = "S", fr = "P", de = "K" } # HERE',
        f"{SMALL_PLAN}.names.de",
        "no key",
    ),
    Case(
        "an empty name",
        SMALL_NAMES,
        '{ en = "Small", fr = "  " } # HERE',
        f"{SMALL_PLAN}.names.fr",
        "1 to 100 visible",
    ),
    Case(
        "a name with a direction mark",
        'en = "Small", fr = "Petit" }',
        'en = "Sm\\u202Eall", fr = "Petit" } # HERE',
        f"{SMALL_PLAN}.names.en",
        "visible",
    ),
    Case("names that are a text", SMALL_NAMES, '"Small" # HERE', f"{SMALL_PLAN}.names", "Write a table"),
    Case(
        "an unknown kind",
        'kind = "licensed"',
        'kind = "license" # HERE',
        "products[1].kind",
        'mean "licensed"?',
    ),
    Case(
        "an unknown interval",
        'interval = "month", currency = "EUR", amount_minor = 1800 },',
        'interval = "monthly", currency = "EUR", amount_minor = 1800 }, # HERE',
        f"{SMALL_PRICE}.interval",
        'mean "month"?',
    ),
    Case(
        "an unknown service",
        '["sso", "ldap"]',
        '[\n"sso",\n"ldpa", # HERE\n]',
        f"{SMALL_PLAN}.services[1]",
        'mean "ldap"?',
    ),
    Case(
        "a service twice", '["sso", "ldap"]', '["sso", "sso"] # HERE', f"{SMALL_PLAN}.services[1]", "already"
    ),
    Case(
        "services that are a text",
        '["sso", "ldap"]',
        '"sso" # HERE',
        f"{SMALL_PLAN}.services",
        "square brackets",
    ),
    Case(
        "a flag in quotes", "hidden = true", 'hidden = "true" # HERE', f"{TRIAL_PLAN}.hidden", "true or false"
    ),
    Case(
        "a flag that is a number",
        "hidden = true",
        "hidden = 1 # HERE",
        f"{TRIAL_PLAN}.hidden",
        "true or false",
    ),
    Case(
        "a number in quotes",
        "trial_days = 30",
        'trial_days = "30" # HERE',
        "products[0].trial_days",
        'in place of "30"',
    ),
    Case(
        "a number that is a flag",
        "position = 1\nmax",
        "position = true # HERE\nmax",
        f"{SMALL_PLAN}.position",
        "whole number",
    ),
    Case("negative days", "grace_days = 3", "grace_days = -3 # HERE", "products[1].grace_days", "from 0"),
    Case(
        "no user at all",
        "max_users = 3",
        "max_users = 0 # HERE",
        f"{SMALL_PLAN}.max_users",
        'from 1 to 100000000, or "unlimited"',
    ),
    Case(
        "more than the database holds",
        "storage_gb = 5\n",
        f"storage_gb = {10**20} # HERE\n",
        f"{SMALL_PLAN}.storage_gb",
        "1000000000",
    ),
    Case(
        "a number with 10000 digits",
        "storage_gb = 5\n",
        f"storage_gb = 0x{'f' * 10000} # HERE\n",
        f"{SMALL_PLAN}.storage_gb",
        "far too large",
    ),
    Case(
        "a link without https",
        "https://example.com/help",
        "http://example.com/help",
        "links.help",
        "https:// or mailto:",
        line="help =",
    ),
    Case(
        "a link that runs",
        '"https://example.com/help"',
        '"javascript:alert(1)" # HERE',
        "links.help",
        "https:// or mailto:",
    ),
    Case(
        "a link with a quote",
        '"https://example.com/help"',
        "'https://example.com/\"><b>' # HERE",
        "links.help",
        "https:// or mailto:",
    ),
    Case(
        "plans that are a text",
        CALLS_PLANS,
        'plans = "basic" # HERE',
        "products[1].plans",
        "one or more tables",
    ),
    Case("a price that is a number", "prices = [{", "prices = [ 7, # HERE\n{", LARGE_PRICE, "Write a table"),
    # Money.
    Case(
        "an amount with a point",
        "amount_minor = 1800 },",
        "amount_minor = 18.00 }, # HERE",
        f"{SMALL_PRICE}.amount_minor",
        "(18.00 is 1800), in place of 18.0",
    ),
    Case(
        "an amount in quotes",
        "amount_minor = 1800 },",
        'amount_minor = "1800" }, # HERE',
        f"{SMALL_PRICE}.amount_minor",
        "minor units, without quotes",
    ),
    Case(
        "an amount that is a flag",
        "amount_minor = 1800 },",
        "amount_minor = true }, # HERE",
        f"{SMALL_PRICE}.amount_minor",
        "minor units",
    ),
    Case(
        "an amount below zero",
        "amount_minor = 1800 },",
        "amount_minor = -1800 }, # HERE",
        f"{SMALL_PRICE}.amount_minor",
        "this is -1800",
    ),
    Case(
        "an amount of zero",
        "amount_minor = 1800 },",
        "amount_minor = 0 }, # HERE",
        f"{SMALL_PRICE}.amount_minor",
        "free = true",
    ),
    Case(
        "an amount too large",
        "amount_minor = 1800 },",
        "amount_minor = 1_000_000_000_001 }, # HERE",
        f"{SMALL_PRICE}.amount_minor",
        "from 1 to",
    ),
    Case(
        "an unknown currency",
        MONTHLY_PRICE,
        'currency = "EUX", amount_minor = 1800 }, # HERE',
        f"{SMALL_PRICE}.currency",
        "ISO 4217",
    ),
    Case(
        "a small currency",
        MONTHLY_PRICE,
        'currency = "eur", amount_minor = 1800 }, # HERE',
        f"{SMALL_PRICE}.currency",
        "capital letters",
    ),
    Case(
        "a currency of the past",
        MONTHLY_PRICE,
        'currency = "FRF", amount_minor = 1800 }, # HERE',
        f"{SMALL_PRICE}.currency",
        "ISO 4217",
    ),
    # Prices of a plan.
    Case(
        "a sold plan without a price",
        LARGE_PRICES,
        "",
        f"{LARGE_PLAN}.prices",
        "A plan on sale has a price",
        line="# The large one.",
    ),
    Case(
        "an empty list of prices",
        '[{ interval = "year", currency = "EUR", amount_minor = 50000 }]',
        "[] # HERE",
        f"{LARGE_PLAN}.prices",
        "A plan on sale has a price",
    ),
    Case(
        "a free plan with a price",
        "position = 2\n",
        "position = 2\nfree = true\n",
        f"{LARGE_PLAN}.prices",
        "free plan has no price",
        line="prices = [{",
    ),
    Case(
        "a trial plan with a price",
        "storage_gb = 10",
        'storage_gb = 10\nprices = [{ interval = "year", currency = "EUR", amount_minor = 1 }] # HERE',
        f"{TRIAL_PLAN}.prices",
        "trial plan has no price",
    ),
    Case(
        "a price by licence for a workspace plan",
        "amount_minor = 50000 }]",
        'amount_minor = 50000, unit = "licence" }] # HERE',
        f"{LARGE_PRICE}.unit",
        "sold whole",
    ),
    Case(
        "tiers of a flat price",
        "amount_minor = 50000 }]",
        "amount_minor = 50000, tiers = [{ from_licences = 2, amount_minor = 1 }] }] # HERE",
        f"{LARGE_PRICE}.tiers",
        "by licence",
    ),
    Case(
        "the same price twice",
        MONTHLY_LINE,
        f"{MONTHLY_LINE}\n{MONTHLY_LINE} # HERE",
        f"{SMALL_PLAN}.prices[1].currency",
        "already has a price by month in EUR",
    ),
    Case(
        "a price inside the days of another",
        MONTHLY_LINE,
        f"{MONTHLY_LINE}\n{FROM_JANUARY} # HERE",
        f"{SMALL_PLAN}.prices[1].valid_from",
        "end that one with valid_until",
    ),
    Case(
        "prices that share one day",
        MONTHLY_LINE,
        MONTHLY_LINE.replace(" }", ", valid_until = 2027-01-02 }") + f"\n{FROM_JANUARY} # HERE",
        f"{SMALL_PLAN}.prices[1].valid_from",
        "some of these days",
    ),
    Case(
        "a price never sold",
        "amount_minor = 50000 }]",
        "amount_minor = 50000, valid_from = 2027-01-01, valid_until = 2027-01-01 }] # HERE",
        f"{LARGE_PRICE}.valid_until",
        "never be sold",
    ),
    Case(
        "a day in quotes",
        "amount_minor = 50000 }]",
        'amount_minor = 50000, valid_from = "2027-01-01" }] # HERE',
        f"{LARGE_PRICE}.valid_from",
        "Write a day such as",
    ),
    Case(
        "a day with a time",
        "amount_minor = 50000 }]",
        "amount_minor = 50000, valid_from = 2027-01-01 00:00:00 }] # HERE",
        f"{LARGE_PRICE}.valid_from",
        "without quotes or time",
    ),
    Case(
        "tiers that do not go up",
        "from_licences = 50",
        "from_licences = 10",
        f"{CALLS_PRICE}.tiers[1].from_licences",
        "above 10",
        line="amount_minor = 700",
    ),
    Case(
        "tiers that get dearer",
        "amount_minor = 700 },",
        "amount_minor = 800 }, # HERE",
        f"{CALLS_PRICE}.tiers[1].amount_minor",
        "less than 800",
    ),
    Case(
        "a tier from the first licence",
        "from_licences = 10,",
        "from_licences = 1,",
        f"{CALLS_PRICE}.tiers[0].from_licences",
        "from 2",
        line="amount_minor = 800",
    ),
    Case(
        "a tier that no order reaches",
        "from_licences = 50",
        "from_licences = 1000001",
        f"{CALLS_PRICE}.tiers[1].from_licences",
        "to 1000000",
        line="amount_minor = 700",
    ),
    # Plans of a product.
    Case(
        "a product code twice",
        'code = "calls"',
        'code = "office" # HERE',
        "products[1].code",
        "taken on line 10",
    ),
    Case(
        "a plan code twice, in another product",
        CALLS,
        CALLS.replace('code = "calls-basic"', 'code = "small" # HERE').replace("calls-basic", "small"),
        f"{CALLS_PLAN}.code",
        "cannot share this code",
    ),
    Case(
        "a position twice",
        "position = 2\n",
        "position = 1 # HERE\n",
        f"{LARGE_PLAN}.position",
        "cannot share this position",
    ),
    Case(
        "a trial plan in the table",
        "hidden = true\n",
        "",
        f"{TRIAL_PLAN}.trial",
        "add hidden = true",
        line="trial = true",
    ),
    Case(
        "a free trial plan",
        "trial = true",
        "trial = true\nfree = true # HERE",
        f"{TRIAL_PLAN}.free",
        "leave free out",
    ),
    Case(
        "trial days without a trial plan",
        "hidden = true\ntrial = true",
        "hidden = true",
        "products[0].trial_days",
        "no plan with trial",
        line="trial_days = 30",
    ),
    Case(
        "neither trial days nor a trial plan",
        OFFICE_TO_TRIAL,
        OFFICE_TO_TRIAL.replace("trial_days = 30\n", "").replace("trial = true\n", ""),
        "products[0].plans",
        "nobody could sign up",
        line="# The trial.",
    ),
    Case(
        "a plan whose prices are over",
        LARGE_PRICES,
        LARGE_PRICES.replace(" }]", ", valid_until = 2026-11-30 }] # HERE"),
        f"{LARGE_PLAN}.prices",
        "no price today, 2026-11-30: the day of each is over",
    ),
    Case(
        "a plan whose first price is to come",
        LARGE_PRICES,
        LARGE_PRICES.replace(" }]", ", valid_from = 2026-12-01 }] # HERE"),
        f"{LARGE_PLAN}.prices",
        "the first one begins on 2026-12-01",
    ),
    Case(
        "plans that share no currency",
        LARGE_PRICES,
        LARGE_PRICES.replace("EUR", "USD") + " # HERE",
        f"{LARGE_PLAN}.prices",
        "no price in EUR",
    ),
    Case(
        "plans that share no currency today",
        LARGE_PRICES,
        LARGE_PRICES.replace("]", ', { interval = "year", currency = "USD", amount_minor = 1 }]').replace(
            "50000 }", "50000, valid_until = 2026-11-01 }"
        )
        + " # HERE",
        f"{LARGE_PLAN}.prices",
        "no price in EUR",
    ),
    Case(
        "a trial plan without trial days",
        "trial_days = 30\n",
        "",
        f"{TRIAL_PLAN}.trial",
        "how long its trial lasts",
        line="trial = true",
    ),
    Case(
        "a non-profit plan in the table",
        LARGE_PRICES,
        "free = true\nnonprofit = true # HERE",
        f"{LARGE_PLAN}.nonprofit",
        "add hidden",
    ),
    Case(
        "a non-profit plan on sale",
        LARGE_PRICES,
        f"{LARGE_PRICES}\nhidden = true\nnonprofit = true # HERE",
        f"{LARGE_PLAN}.nonprofit",
        "add free",
    ),
    Case(
        "larger but for fewer users",
        "max_users = 10",
        "max_users = 3 # HERE",
        f"{LARGE_PLAN}.max_users",
        "holds more users than the plan at position 1",
    ),
    Case(
        "larger after an unlimited one",
        "max_users = 3",
        'max_users = "unlimited"',
        f"{LARGE_PLAN}.max_users",
        "holds more users",
        line="max_users = 10",
    ),
    Case(
        "larger with less storage",
        "storage_gb = 50",
        "storage_gb = 4 # HERE",
        f"{LARGE_PLAN}.storage_gb",
        "holds no less storage",
    ),
    # Kinds.
    Case(
        "a limit of a licensed product",
        'fr = "Base" }',
        'fr = "Base" }\nmax_users = 5 # HERE',
        f"{CALLS_PLAN}.max_users",
        "its capacity is its licences",
    ),
    Case(
        "a trial plan of a licensed product",
        'fr = "Base" }',
        'fr = "Base" }\ntrial = true # HERE',
        f"{CALLS_PLAN}.trial",
        "trial_days instead",
    ),
    Case(
        "a workspace plan that is prorated",
        'change = "extend"',
        'change = "prorate" # HERE',
        "products[0].change",
        'write change = "extend"',
    ),
    Case(
        "a licensed product that extends",
        'change = "prorate"',
        'change = "extend" # HERE',
        "products[1].change",
        'write change = "prorate"',
    ),
    *(
        Case(
            f"{key} of a workspace plan",
            "trial_days = 30",
            f"trial_days = 30\n{key} = {value} # HERE",
            f"products[0].{key}",
            says,
        )
        for key, value, says in [
            ("max_licences", 5, "max_users"),
            ("trial_licences", 1, "its trial plan"),
            ("licence_keys", "false", "no licence"),
            ("renewal_day", '"keep"', "always begins a new period"),
            ("features", "[]", "limits and services"),
        ]
    ),
    # Licences.
    *(
        Case(
            f"{key} = {value}",
            f"{key} = {usual}",
            f"{key} = {value} # HERE",
            f"products[1].{key}",
            f"{NO_SUCH_LICENCES}, in place of {shown}.",
        )
        for key, usual in [("max_licences", 200), ("trial_licences", 5)]
        for value, shown in [
            ("0", "0"),
            ("-1", "-1"),
            ("1.0", "1.0"),
            ("true", "true"),
            ('"5"', '"5"'),
            ('"unlimited"', '"unlimited"'),
            ("[]", "a list"),
            (MAX_LICENCES + 1, MAX_LICENCES + 1),
            ("9" * 400, "a number far too large"),
        ]
    ),
    Case(
        "more to try than to buy",
        "trial_licences = 5",
        "trial_licences = 201 # HERE",
        "products[1].trial_licences",
        "max_licences is 200",
    ),
    Case(
        "licences to try without days",
        "trial_days = 14",
        "trial_days = 0",
        "products[1].trial_licences",
        "no trial_days",
        line="trial_licences",
    ),
    Case(
        "a tier that no order reaches",
        "max_licences = 200",
        "max_licences = 49",
        f"{CALLS_PRICE}.tiers[1].from_licences",
        "max_licences is 49",
        line="from_licences = 50",
    ),
    Case(
        "licence keys in quotes",
        "licence_keys = true",
        'licence_keys = "yes" # HERE',
        "products[1].licence_keys",
        "true or false",
    ),
    Case(
        "an unknown renewal day",
        'renewal_day = "change"',
        'renewal_day = "changed" # HERE',
        "products[1].renewal_day",
        'mean "change"?',
    ),
    # Features.
    Case(
        "features that are a table",
        CALLS_FEATURES,
        "[products.features] # HERE",
        "products[1].features",
        "one or more tables",
    ),
    Case(
        "a code of a compared plan that cannot be read",
        'code = "calls-plus"',
        'code = "calls+" # HERE',
        "products[1].plans[1].code",
        "small letters",
    ),
    Case(
        "a feature without a name",
        f"names = {RECORDING_NAMES}",
        "",
        f"{RECORDING}.names",
        "missing",
        line="# The recording.",
    ),
    Case(
        "a feature without French",
        RECORDING_NAMES,
        '{ en = "Recording" } # HERE',
        f"{RECORDING}.names.fr",
        "missing",
    ),
    Case("a feature without plans", SCREEN_PLANS, "", f"{SCREEN}.plans", "missing", line="# The screen."),
    Case(
        "plans of a feature that are a list",
        SCREEN_PLANS,
        "plans = [true, true] # HERE",
        f"{SCREEN}.plans",
        "Write a table",
    ),
    Case(
        "a feature that forgets a plan",
        ON_BASIC,
        "",
        f"{RECORDING}.plans.calls-basic",
        "missing",
        line="plans.calls-plus",
    ),
    Case(
        "a feature of an unknown plan",
        ON_BASIC,
        f"{ON_BASIC}\nplans.business-5 = true # HERE",
        f"{RECORDING}.plans.business-5",
        "Known here: calls-basic, calls-plus.",
    ),
    Case(
        "a feature of a misspelt plan",
        ON_BASIC,
        "plans.calls-basics = false # HERE",
        f"{RECORDING}.plans.calls-basics",
        'mean "calls-basic"?',
    ),
    Case(
        "a feature of another product's plan",
        ON_BASIC,
        f"{ON_BASIC}\nplans.small = true # HERE",
        f"{RECORDING}.plans.small",
        "no key",
    ),
    Case(
        "a feature that says a number",
        ON_PLUS,
        "plans.calls-plus = 30 # HERE",
        f"{RECORDING}.plans.calls-plus",
        "Write true, false or a text in both languages",
    ),
    Case(
        "a feature in one language",
        ON_PLUS,
        'plans.calls-plus = "30 days" # HERE',
        f"{RECORDING}.plans.calls-plus",
        'fr = "Mensuel"',
    ),
    Case(
        "a feature without its French text",
        ON_PLUS,
        'plans.calls-plus = { en = "30 days" } # HERE',
        f"{RECORDING}.plans.calls-plus.fr",
        "missing",
    ),
    Case(
        "a feature with an empty text",
        ON_PLUS,
        'plans.calls-plus = { en = "", fr = "30 jours" } # HERE',
        f"{RECORDING}.plans.calls-plus.en",
        "1 to 100 visible",
    ),
    Case(
        "a feature with a long text",
        ON_PLUS,
        f'plans.calls-plus = {{ en = "{"x" * 101}", fr = "30 jours" }} # HERE',
        f"{RECORDING}.plans.calls-plus.en",
        "1 to 100 visible",
    ),
    Case(
        "a feature with a key of its own",
        ON_BASIC,
        f"{ON_BASIC}\nicon = 1 # HERE",
        f"{RECORDING}.icon",
        "no key",
    ),
    Case(
        "two features of one name",
        SCREEN_NAMES,
        '{ en = "Screen", fr = "Enregistrement" } # HERE',
        f"{SCREEN}.names",
        "cannot share a name",
    ),
    Case("two products of workspace plans", CALLS, SECOND_OFFICE, "products[1].kind", "the one of line 12"),
    Case(
        "no workspace plan", OFFICE, "", "products", "a new workspace would have no plan", line="# The calls."
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_one_mistake_is_told_once_with_its_line_and_key(case):
    assert SMALL.count(case.old) >= 1
    text = SMALL.replace(case.old, case.new, 1)
    (fault,) = faults_of(text)
    marked = [number for number, row in enumerate(text.splitlines(), 1) if case.line in row]
    assert (fault.key, fault.line) == (case.key, marked[0])
    assert case.says in fault.sentence
    assert fault.sentence.endswith((".", "?"))


def test_features_that_are_no_tables():
    text = SMALL.replace(CALLS_FEATURES, "").replace(
        "max_licences = 200", 'features = ["Recording", true]\nmax_licences = 200'
    )
    assert [(fault.key, fault.sentence.split(",")[0]) for fault in faults_of(text)] == [
        ("products[1].features[0]", "Write a table of keys and values"),
        ("products[1].features[1]", "Write a table of keys and values"),
    ]


@pytest.mark.parametrize(
    "twice", ["plans.calls-basic = true", "plans = { calls-basic = true, calls-basic = true }"]
)
def test_a_feature_names_each_plan_once(twice):
    """Two keys of one name are no TOML: the line is told, and nothing else is read."""
    text = SMALL.replace(ON_BASIC, f"{ON_BASIC}\n{twice}" if "{" not in twice else twice).replace(ON_PLUS, "")
    [fault] = faults_of(text)
    assert text.splitlines()[fault.line - 1] == twice
    assert "not valid TOML" in fault.sentence


def test_of_an_unknown_kind_nothing_is_said_about_licences():
    text = SMALL.replace('kind = "licensed"', 'kind = "license"').replace(
        "max_licences = 200", "max_licences = 0"
    )
    text = text.replace(ON_BASIC, "plans.nothing = 7")
    assert [fault.key for fault in faults_of(text)] == ["products[1].kind"]


def test_of_many_plans_a_hint_names_the_first_ones():
    plan = SMALL[SMALL.index("[[products.plans]]  # The second one") : SMALL.index("[[products.features]]")]
    more = "".join(
        plan.replace("calls-plus", f"p{n}").replace("position = 3", f"position = {n}") for n in range(10, 40)
    )
    says = ", ".join(f"p{n} = true" for n in range(10, 40))
    text = SMALL.replace(CALLS_FEATURES, more + CALLS_FEATURES)
    text = text.replace(SCREEN_PLANS, f"plans = {{ calls-basic = true, calls-plus = true, {says}, zzz = 1 }}")
    text = text.replace(
        f"{ON_BASIC}\n{ON_PLUS}", f"plans = {{ calls-basic = true, calls-plus = true, {says} }}"
    )
    [fault] = faults_of(text)
    assert fault.sentence.endswith("p22, p23 and 16 more.")


TEXT_OF_A_FEATURE = st.text(st.characters(blacklist_categories=["C"]), min_size=1, max_size=100).filter(
    str.strip
)
BOTH_LANGUAGES = st.fixed_dictionaries({"en": TEXT_OF_A_FEATURE, "fr": TEXT_OF_A_FEATURE})


@given(st.lists(st.tuples(BOTH_LANGUAGES, st.booleans() | BOTH_LANGUAGES, st.booleans() | BOTH_LANGUAGES)))
def test_what_a_vendor_writes_of_features_is_read_in_both_languages(rows):
    def written(value):
        if isinstance(value, bool):
            return f"{value}".lower()
        # A text of JSON is one of TOML.
        return (
            "{ "
            + ", ".join(f"{key} = {json.dumps(text, ensure_ascii=False)}" for key, text in value.items())
            + " }"
        )

    def read(value):
        return value if isinstance(value, bool) else {key: text.strip() for key, text in value.items()}

    rows = [
        ({key: f"{number} {text}" for key, text in names.items()}, *says)
        for number, (names, *says) in enumerate(rows)
    ]
    assume(all(len(text) <= 100 for names, *_ in rows for text in names.values()))
    text = SMALL.replace(CALLS_FEATURES, "") + "".join(
        f"[[products.features]]\nnames = {written(names)}\nplans.calls-basic = {written(basic)}\n"
        f"plans.calls-plus = {written(plus)}\n"
        for names, basic, plus in rows
    )
    features = parse_catalogue(text, filename="shop.toml", today=TODAY).products[1].features
    assert [(feature.names, *feature.plans.values()) for feature in features] == [
        tuple(map(read, row)) for row in rows
    ]


def test_every_fault_is_told_at_once_in_the_order_of_the_lines():
    text = SMALL.replace('change = "extend"', 'change = "days"').replace(
        "amount_minor = 50000", "amount_minor = 500.0"
    )
    text = text.replace('contact = "mailto:sales@example.com"\n', "").replace(
        "trial_days = 30", "trial_dayz = 30"
    )
    faults = faults_of(text)
    assert [fault.key for fault in faults] == [
        "links.contact",
        "products[0].change",
        "products[0].trial_dayz",
        "products[0].plans[2].prices[0].amount_minor",
    ]
    lines = [fault.line for fault in faults]
    assert lines == sorted(lines)


def test_the_error_prints_as_a_compiler_would():
    with pytest.raises(CatalogueInvalid) as caught:
        text = SMALL.replace("grace_days = 3", "grace_days = 3.5")
        parse_catalogue(text, filename="shop.toml", today=TODAY)
    line = SMALL.splitlines().index("grace_days = 3") + 1
    assert str(caught.value) == (
        f"shop.toml:{line}: products[1].grace_days: Write a whole number from 0 to 3660, in place of 3.5."
    )


def test_a_price_may_follow_another_on_the_day_it_ends():
    until_january = MONTHLY_LINE.replace(" }", ", valid_until = 2027-01-01 }")
    catalogue = parse_catalogue(
        SMALL.replace(MONTHLY_LINE, until_january + FROM_JANUARY), filename="shop.toml", today=TODAY
    )
    old, new, _ = catalogue.products[0].plans[1].prices
    assert (old.valid_from, old.valid_until) == (None, date(2027, 1, 1))
    assert (new.valid_from, new.valid_until) == (date(2027, 1, 1), None)


def test_two_trial_plans_and_two_nonprofit_plans_are_one_too_many():
    special = "position = 2\nhidden = true\nfree = {free}\n{flag} = true\n"
    trial = SMALL.replace("position = 2\n", special.format(free="false", flag="trial"))
    trial = trial.replace(LARGE_PRICES, "")
    assert [fault.key for fault in faults_of(trial)] == ["products[0].plans[2].trial"]
    nonprofit = SMALL.replace("hidden = true\ntrial = true", "hidden = true\nfree = true\nnonprofit = true")
    nonprofit = nonprofit.replace("position = 2\n", special.format(free="true", flag="nonprofit"))
    nonprofit = nonprofit.replace(LARGE_PRICES, "")
    nonprofit = nonprofit.replace("trial_days = 30\n", "")
    assert [fault.key for fault in faults_of(nonprofit)] == ["products[0].plans[2].nonprofit"]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[links]\nhelp = \n", 2, "not valid TOML: Invalid value"),
        ("a = 1\nb = 2\na = 3\n", 3, "not valid TOML: Cannot overwrite a value"),
        ("a = 1\nb = [1,\n2", 3, "not valid TOML"),
        ("a = 2026-02-30", 1, "not valid TOML: Invalid date"),
        ("\n\na = " + "[" * 100_000, 1, "too deep"),
        ("a = 1\nb = " + "9" * 5_000, 2, "too long"),
        ("a = 1\rb = 2", 1, "not valid TOML"),
        ("\x00", 1, "not valid TOML"),
    ],
    ids=[
        "no value",
        "key twice",
        "end of text",
        "no such day",
        "deep",
        "long number",
        "carriage return",
        "NUL",
    ],
)
def test_a_text_that_is_not_toml_says_where_it_breaks(text, line, says):
    (fault,) = faults_of(text)
    assert (fault.line, fault.key) == (line, "")
    assert says in fault.sentence


def test_an_empty_text_lacks_everything():
    assert [(fault.line, fault.key) for fault in faults_of("")] == [(1, "links"), (1, "products")]


def test_a_text_from_a_windows_editor_is_read():
    from_windows = "\ufeff" + SMALL.replace("\n", "\r\n")
    assert parse_catalogue(from_windows, filename="x", today=TODAY) == parse_catalogue(
        SMALL, filename="x", today=TODAY
    )


def parses_or_says_why(text):
    try:
        assert isinstance(parse_catalogue(text, filename="any.toml", today=TODAY), Catalogue)
    except CatalogueInvalid as invalid:
        assert invalid.faults
        for fault in invalid.faults:
            assert 1 <= fault.line <= text.count("\n") + 1
            assert fault.sentence.isprintable()
            assert len(fault.sentence) < 400
            assert fault.key.isascii()


@given(st.text() | st.text(alphabet="[]{}=.,\"'\\#\n ab1-_\x00"))
def test_no_text_does_anything_but_parse_or_say_why(text):
    parses_or_says_why(text)


ODD_VALUES = """
1 -1 0 10 1.5 nan inf true 2027-01-31 07:32:00 2027-01-31T00:00:00Z [] {} [1] [{}] [[]] [{},1] {a=1} '' "x"
"unlimited" "month" "\\u0000" "é"
"""
odd_keys = st.sampled_from(["plans", "prices", "features", "names.en", '""'])
values = st.sampled_from([*ODD_VALUES.split(), "0x" + "f" * 5000, f'"{"x" * 5000}"'])


@given(st.data())
def test_no_edit_of_a_catalogue_does_anything_but_parse_or_say_why(data):
    rows = SMALL.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(rows) - 1))
        match data.draw(st.sampled_from(["drop", "double", "value", "inner value", "odd key"])):
            case "drop":
                rows[at] = ""
            case "double":
                rows.insert(data.draw(st.integers(0, len(rows))), rows[at])
            case "value":
                rows[at] = f"{rows[at].partition('=')[0]}= {data.draw(values)}"
            case "inner value":
                rows[at] = rows[at].replace("1", data.draw(values), 1).replace('"EUR"', data.draw(values), 1)
            case "odd key":
                rows[at] = f"{data.draw(odd_keys)} = 1"
    parses_or_says_why("\n".join(rows))
