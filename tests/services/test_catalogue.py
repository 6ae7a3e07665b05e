"""The catalogue file made true in the database: all of it or nothing, and no price is ever edited."""

import re
import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from portal.domain.catalogue import CatalogueInvalid
from portal.domain.plans import PlanNotOffered
from portal.domain.vocabulary import Interval, RenewalDay
from portal.domain.volume_price import MAX_LICENCES
from portal.models import AuditEntry, Plan, Price, Product, Workspace
from portal.services import catalogue, plans
from portal.services.subscriptions import agreement, auto_renewal
from tests.books import assert_books_clean
from tests.factories import CATALOGUE
from tests.paying import an_open_order, an_order, apply_catalogue, line_of, pay, reloaded

pytestmark = pytest.mark.both_engines

DEMO = CATALOGUE.read_text()
OLD, NEW = 'currency = "EUR", amount_minor = 2800 }', 'currency = "EUR", amount_minor = 2900 }'


def amounts(plan_code="business-5", interval=Interval.MONTH, currency="EUR"):
    rows = (
        Price.select()
        .join(Plan)
        .where(Plan.code == plan_code, Price.interval == interval, Price.currency == currency)
    )
    return [(row.amount_minor, row.valid_from, row.valid_until) for row in rows.order_by(Price.id)]


def on_sale(on):
    return [offer.plan.code for offer in plans.plans_on_sale(agreement.workspace_product(), on=on)]


def test_the_whole_demo_catalogue_is_on_sale(runtime):
    assert on_sale(date(2026, 11, 21)) == [
        "startup",
        *(f"business-{n}" for n in (3, 5, 10, 20, 50, 100)),
    ]
    assert Product.select().count() == 5


def test_the_same_file_again_changes_nothing(runtime, clock):
    before = list(Price.select().order_by(Price.id).tuples())
    report = catalogue.apply(DEMO, filename="catalogue.toml", now=clock.now())
    assert (report.prices_added, report.prices_closed) == (0, 0)
    clock.advance(days=400)
    report = catalogue.apply(DEMO, filename="catalogue.toml", now=clock.now())
    assert (report.prices_added, report.prices_closed) == (0, 0)
    assert list(Price.select().order_by(Price.id).tuples()) == before


def all_but_the_revisions():
    products = Product.select().order_by(Product.id).dicts()
    return [{key: value for key, value in row.items() if key != "revision"} for row in products]


def test_the_same_file_again_leaves_every_product_as_it_was(runtime, clock):
    before = all_but_the_revisions()
    clock.advance(days=400)
    apply_catalogue(DEMO)
    assert all_but_the_revisions() == before


def test_what_a_licensed_product_declares_is_kept(runtime):
    kept = {
        product.code: (
            product.max_licences,
            product.most_licences,
            product.trial_licences,
            product.licence_keys,
            product.renewal_day,
        )
        for product in Product.select()
    }
    assert kept == {
        "office": (None, MAX_LICENCES, 1, False, RenewalDay.KEEP),
        "meetings": (500, 500, 5, False, RenewalDay.KEEP),
        "webinar": (100, 100, 2, False, RenewalDay.CHANGE),
        "training": (None, MAX_LICENCES, 1, False, RenewalDay.KEEP),
        "remote": (None, MAX_LICENCES, 1, True, RenewalDay.KEEP),
    }


def test_the_compare_table_is_kept_as_it_was_written_in_both_languages(runtime):
    written = tomllib.loads(DEMO)["products"]
    for declared in written:
        product = Product.get(Product.code == declared["code"])
        assert product.features == declared.get("features", [])
    attendees = Product.get(Product.code == "webinar").features[0]
    assert attendees == {
        "names": {"en": "Attendees", "fr": "Participants"},
        "plans": {
            "webinar-standard": {"en": "Up to 250", "fr": "250 au maximum"},
            "webinar-pro": {"en": "Up to 1,000", "fr": "1\u202f000 au maximum"},
        },
    }


def test_any_sign_of_a_feature_comes_back(runtime):
    odd = '« 50\u202f% » "d’une" réunion \\ 会議 🎥'
    quoted = odd.replace("\\", "\\\\").replace('"', '\\"')
    apply_catalogue(
        DEMO.replace('{ en = "Up to 250", fr = "250 au maximum" }', f'{{ en = "x", fr = "{quoted}" }}')
    )
    [says] = {
        row["plans"]["webinar-standard"]["fr"]
        for row in Product.get(Product.code == "webinar").features
        if row["names"]["en"] == "Attendees"
    }
    assert says == odd


def test_a_licensed_product_may_lose_its_keys_again(runtime):
    """Left out is what the file says now, not what it said before."""
    without = DEMO.split("[[products]]")
    meetings = next(part for part in without if 'code = "meetings"' in part)
    plain = meetings[: meetings.index("[[products.features]]")]
    for line in ("max_licences = 500\n", "trial_licences = 5\n"):
        plain = plain.replace(line, "")
    apply_catalogue(
        DEMO.replace(meetings, plain + "\n")
        .replace("licence_keys = true\n", "")
        .replace('renewal_day = "change"\n', "")
    )
    product = Product.get(Product.code == "meetings")
    assert (product.max_licences, product.trial_licences, product.features) == (None, 1, [])
    assert not Product.get(Product.code == "remote").licence_keys
    assert Product.get(Product.code == "webinar").renewal_day == RenewalDay.KEEP


def test_a_price_says_what_a_number_of_licences_costs(runtime):
    """9 × 15.00 = 135.00, 10 × 13.00 = 130.00; a workspace plan costs the same for any number."""
    prices = Price.select().join(Plan).where(Price.interval == Interval.MONTH, Price.currency == "EUR")
    professional = prices.where(Plan.code == "meetings-professional").get().volume_price
    assert (professional.amount(9).minor, professional.amount(10).minor) == (13500, 13000)
    assert (professional.unit_amount(9).minor, professional.unit_amount(10).minor) == (1500, 1300)
    assert prices.where(Plan.code == "meetings-essential").get().volume_price.amount(10).minor == 11000
    assert prices.where(Plan.code == "business-5").get().volume_price.amount(10).minor == 2800


def test_other_tiers_are_another_price(runtime, clock):
    """An order that took ten licences at 13.00 keeps its row; the tiers are part of the price."""
    clock.advance(days=10)
    apply_catalogue(
        DEMO.replace("from_licences = 10, amount_minor = 1300 }", "from_licences = 20, amount_minor = 1300 }")
    )
    rows = amounts("meetings-professional")
    assert rows == [(1500, date(2026, 11, 21), date(2026, 12, 1)), (1500, date(2026, 12, 1), None)]
    before, after = (
        Price.select()
        .join(Plan)
        .where(
            Plan.code == "meetings-professional", Price.interval == Interval.MONTH, Price.currency == "EUR"
        )
        .order_by(Price.id)
    )
    assert [price.volume_price.unit_amount(10).minor for price in (before, after)] == [1300, 1500]


def test_a_new_amount_is_a_new_price_and_the_old_one_ends_that_day(runtime, clock):
    clock.advance(days=10)
    apply_catalogue(DEMO.replace(OLD, NEW))
    assert amounts() == [
        (2800, date(2026, 11, 21), date(2026, 12, 1)),
        (2900, date(2026, 12, 1), None),
    ]


def test_an_amount_that_comes_back_is_a_third_price(runtime, clock):
    for text in (DEMO.replace(OLD, NEW), DEMO):
        clock.advance(days=10)
        apply_catalogue(text)
    assert [amount for amount, _, _ in amounts()] == [2800, 2900, 2800]
    assert [until for _, _, until in amounts()] == [date(2026, 12, 1), date(2026, 12, 11), None]


def test_a_price_may_be_corrected_on_its_first_day(runtime):
    for text in (DEMO.replace(OLD, NEW), DEMO, DEMO.replace(OLD, NEW)):
        apply_catalogue(text)
    [current] = [amount for amount, begun, until in amounts() if until is None or until > begun]
    assert current == 2900


def test_an_order_keeps_the_price_that_it_took(place, clock):
    order = an_order(place)
    pay(order)
    clock.advance(days=10)
    apply_catalogue(DEMO.replace(OLD, NEW))
    assert Price.get_by_id(line_of(reloaded(order)).price_id).amount_minor == 2800
    assert agreement.of_workspace(place.workspace).price.amount_minor == 2800
    assert_books_clean()


def test_what_the_file_no_longer_names_is_withdrawn_and_kept(place, clock):
    parts = DEMO.split("[[products.plans]]")
    apply_catalogue("[[products.plans]]".join(part for part in parts if 'code = "business-5"' not in part))
    assert "business-5" not in on_sale(date(2026, 11, 21))
    assert Plan.get(Plan.code == "business-5").withdrawn
    with pytest.raises(PlanNotOffered):
        an_open_order(place)
    apply_catalogue(DEMO)
    assert an_open_order(place).net_minor == 2800


@pytest.mark.parametrize(
    "fault",
    [
        ("amount_minor = 2800 }", "amount_minor = -1 }"),
        ("amount_minor = 2800 }", "amount_minor = 28.00 }"),
        ("amount_minor = 2800 }", "amount_minor = 0 }"),
        ('currency = "EUR", amount_minor = 2800', 'currency = "EURO", amount_minor = 2800'),
        ('code = "business-5"', 'code = "business-3"'),
        ("max_licences = 500", "max_licences = 5000000"),
        ("plans.webinar-pro = {", "plans.webinar = {"),
        ("[[products]]", "[[products"),
    ],
)
def test_a_fault_applies_nothing(runtime, clock, fault):
    before = [list(model.select().order_by(model.id).tuples()) for model in (Product, Plan, Price)]
    changed = DEMO.replace("amount_minor = 1800 }", "amount_minor = 1900 }").replace(*fault, 1)
    assert changed != DEMO
    clock.advance(days=1)
    with pytest.raises(CatalogueInvalid):
        apply_catalogue(changed)
    after = [list(model.select().order_by(model.id).tuples()) for model in (Product, Plan, Price)]
    assert after == before
    assert AuditEntry.select().where(AuditEntry.action == "catalogue.applied").count() == 1


# --- what is on sale today ------------------------------------------------------------------------

# Evening in London and past midnight in Paris, where the seller is; still the 20th in the far west.
MOMENTS = [(21, 9, 0), (21, 22, 30), (21, 23, 30), (22, 0, 30), (22, 10, 30), (22, 11, 30)]
ZONES = ["UTC", "Europe/Paris", "America/Los_Angeles", "Pacific/Auckland", "Pacific/Pago_Pago"]


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("zone", ZONES)
def test_what_was_applied_is_on_sale_at_once_wherever_the_buyer_is(place, clock, zone, moment):
    day, hour, minute = moment
    clock.set(datetime(2026, 11, day, hour, minute, tzinfo=UTC))
    Workspace.update(time_zone=zone).execute()
    here = replace(place, workspace=Workspace.get_by_id(place.workspace.id))
    apply_catalogue(DEMO.replace(OLD, NEW))
    assert an_open_order(here).net_minor == 2900
    assert pay(an_order(here), auto_renewal=True).amount_minor == 3480
    assert auto_renewal.next_charge(here.workspace, now=clock.now()).quote.net.minor == 2900


@pytest.mark.engine("sqlite")
def test_a_price_with_a_day_begins_on_the_day_of_the_seller_for_everybody(place, clock):
    """From 1 December on: at 23:30 UTC on 30 November it is that day in Paris, and nowhere in America."""
    dated = DEMO.replace(
        'currency = "EUR", amount_minor = 2800 }',
        'currency = "EUR", amount_minor = 2800, valid_until = 2026-12-01 },\n'
        '  { interval = "month", currency = "EUR", amount_minor = 2900, valid_from = 2026-12-01 }',
    )
    assert dated != DEMO
    Workspace.update(time_zone="America/Los_Angeles").execute()
    here = replace(place, workspace=Workspace.get_by_id(place.workspace.id))
    apply_catalogue(dated)
    clock.set(datetime(2026, 11, 30, 22, 30, tzinfo=UTC))
    assert an_open_order(here).net_minor == 2800
    clock.set(datetime(2026, 11, 30, 23, 30, tzinfo=UTC))
    assert an_open_order(here).net_minor == 2900


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(("hour", "is_accepted"), [(22, False), (23, True)])
def test_a_file_is_judged_on_the_day_of_the_seller(runtime, clock, hour, is_accepted):
    """Every price from 1 December on: in Paris that day begins at 23:00 UTC."""
    dated = re.sub(r"({ interval = .*) }(,?)$", r"\1, valid_from = 2026-12-01 }\2", DEMO, flags=re.MULTILINE)
    clock.set(datetime(2026, 11, 30, hour, 30, tzinfo=UTC))
    if is_accepted:
        apply_catalogue(dated)
        return
    with pytest.raises(CatalogueInvalid):
        apply_catalogue(dated)


@pytest.mark.engine("sqlite")
def test_names_that_invoices_cannot_show_are_named_with_their_place(runtime, clock):
    unprintable = DEMO.replace('en = "Business 3"', 'en = "Business 𓀀𒀀"').replace(
        'fr = "Formation"', 'fr = "Formation 𓀀"'
    )
    with pytest.raises(CatalogueInvalid) as refusal:
        apply_catalogue(unprintable)
    lines = unprintable.splitlines()
    told = [(fault.key.rpartition(".")[2], fault.sentence) for fault in refusal.value.faults]
    assert told == [
        ("en", "Invoices cannot show 𓀀, 𒀀. Write the name without."),
        # The product's and its plan's.
        *[("fr", "Invoices cannot show 𓀀. Write the name without.")] * 2,
    ]
    assert all("𓀀" in lines[fault.line - 1] for fault in refusal.value.faults)
    assert Plan.get(Plan.code == "business-3").names["en"] == "Business 3"
