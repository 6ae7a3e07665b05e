from datetime import date, timedelta
from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.errors import MissingVatRate
from portal.domain.money import Money
from portal.domain.tax import Buyer, decide_tax, tax_facts, tax_of, vat_prefix
from portal.domain.vat_rates import (
    EU_MEMBER_STATES,
    TERRITORY_RULES,
    VAT_RATES,
    TaxPlace,
    Territory,
    TerritoryRule,
    standard_rate,
    tax_place_of,
)
from portal.domain.vocabulary import TaxCategory, TaxReason, VatStatus

TODAY = date(2026, 11, 21)
S, AE, O = TaxCategory.STANDARD, TaxCategory.REVERSE_CHARGE, TaxCategory.OUTSIDE_SCOPE  # noqa: E741
property_test = settings(deadline=None)


def a_consumer(country, postal_code=None):
    return Buyer(country, postal_code, is_business=False, vat_number=None, vat_status=VatStatus.NONE)


def a_business(country, vat_number=None, vat_status=VatStatus.VALID, postal_code=None):
    status = vat_status if vat_number else VatStatus.NONE
    return Buyer(country, postal_code, is_business=True, vat_number=vat_number, vat_status=status)


def decide(buyer, *, seller="FR", on=TODAY, unchecked_counts_as_valid=False, rates=VAT_RATES):
    return decide_tax(
        seller_country=seller,
        buyer=buyer,
        on=on,
        unchecked_counts_as_valid=unchecked_counts_as_valid,
        rates=rates,
    )


# --- the table of rates ------------------------------------------------------------------------------

STANDARD_TODAY = {
    "AT": 2000, "BE": 2100, "BG": 2000, "CY": 1900, "CZ": 2100, "DE": 1900, "DK": 2500, "EE": 2400,
    "ES": 2100, "FI": 2550, "FR": 2000, "GR": 2400, "HR": 2500, "HU": 2700, "IE": 2300, "IT": 2200,
    "LT": 2100, "LU": 1700, "LV": 2100, "MT": 1800, "NL": 2100, "PL": 2300, "PT": 2300, "RO": 2100,
    "SE": 2500, "SI": 2200, "SK": 2300,
}  # fmt: skip

CHANGES = {
    "Estonia, last day of 20 %": ("EE", "2023-12-31", 2000),
    "Estonia, first day of 22 %": ("EE", "2024-01-01", 2200),
    "Estonia, last day of 22 %": ("EE", "2025-06-30", 2200),
    "Estonia, first day of 24 %": ("EE", "2025-07-01", 2400),
    "Slovakia, last day of 20 %": ("SK", "2024-12-31", 2000),
    "Slovakia, first day of 23 %": ("SK", "2025-01-01", 2300),
    "Romania, last day of 19 %": ("RO", "2025-07-31", 1900),
    "Romania, first day of 21 %": ("RO", "2025-08-01", 2100),
    "Finland, last day of 24 %": ("FI", "2024-08-31", 2400),
    "Finland, first day of 25.5 %": ("FI", "2024-09-01", 2550),
    "Luxembourg before its cheaper year": ("LU", "2022-12-31", 1700),
    "Luxembourg in it": ("LU", "2023-06-30", 1600),
    "Luxembourg after it": ("LU", "2024-01-01", 1700),
    "Ireland in its cheaper half-year": ("IE", "2021-02-28", 2100),
    "Ireland after it": ("IE", "2021-03-01", 2300),
    "Germany after its own": ("DE", "2021-01-01", 1900),
}


def test_the_standard_rates_of_today():
    assert {c: standard_rate(c, TODAY).rate_bp for c in EU_MEMBER_STATES} == STANDARD_TODAY


def test_today_agrees_with_the_published_data_set():
    data = pytest.importorskip("eu_vat_rates_data")
    published = {country: data.get_standard_rate(country) for country in EU_MEMBER_STATES}
    ours = {country: standard_rate(country, TODAY).rate_bp for country in EU_MEMBER_STATES}
    assert ours == {country: int(str(percent * 100).split(".")[0]) for country, percent in published.items()}


@pytest.mark.parametrize(("country", "on", "rate_bp"), CHANGES.values(), ids=CHANGES)
def test_a_rate_changes_on_its_day(country, on, rate_bp):
    assert standard_rate(country, date.fromisoformat(on)).rate_bp == rate_bp


def test_rows_follow_one_another_without_gap_from_2021_on():
    def place(rate):
        return rate.country, rate.territory or ""

    rows = {key: list(group) for key, group in groupby(sorted(VAT_RATES, key=place), key=place)}
    for key, history in rows.items():
        history.sort(key=lambda rate: rate.valid_from)
        assert history[0].valid_from <= date(2021, 1, 1), key
        assert [earlier.valid_until for earlier in history[:-1]] == [r.valid_from for r in history[1:]], key
        assert all(a.rate_bp != b.rate_bp for a, b in pairwise(history)), key
        assert history[-1].valid_until is None, key
        assert all(r.source.endswith("European Commission, TEDB") for r in history), key
    own_rates = {TerritoryRule.REGIONAL_RATE, TerritoryRule.HOME_REGIONAL_RATE}
    with_rows = {territory for _, territory in rows if territory}
    assert with_rows == {t for t, rule in TERRITORY_RULES.items() if rule in own_rates}
    assert set(TERRITORY_RULES) == set(Territory)
    assert {country for country, _ in rows} == EU_MEMBER_STATES


def test_there_are_27_member_states_and_greece_is_gr():
    assert len(EU_MEMBER_STATES) == 27
    assert "GR" in EU_MEMBER_STATES and "EL" not in EU_MEMBER_STATES and "GB" not in EU_MEMBER_STATES


@pytest.mark.parametrize(
    ("country", "on", "territory"),
    [
        ("US", TODAY, None),
        ("", TODAY, None),
        ("DE", date(2020, 12, 31), None),
        ("ES", TODAY, Territory.CANARY_ISLANDS),
        ("DE", TODAY, Territory.MADEIRA),
    ],
)
def test_a_missing_rate_is_an_error_and_never_zero(country, on, territory):
    with pytest.raises(MissingVatRate) as refusal:
        standard_rate(country, on, territory)
    assert (refusal.value.country, refusal.value.on) == (country, on)


# --- decisions, seller in France unless said -------------------------------------------------------

DE_NUMBER, FR_NUMBER, EL_NUMBER = "DE136695976", "FR40303265045", "EL094259216"

DECISIONS = {
    "consumer at home": (a_consumer("FR", "75011"), 2000, S, "seller_country", "FR"),
    "business at home, number or not": (a_business("FR", FR_NUMBER), 2000, S, "seller_country", "FR"),
    "business at home without number": (a_business("FR"), 2000, S, "seller_country", "FR"),
    "consumer in Germany": (a_consumer("DE", "10115"), 1900, S, "eu_consumer", "DE"),
    "consumer in Finland": (a_consumer("FI", "00100"), 2550, S, "eu_consumer", "FI"),
    "consumer in Hungary": (a_consumer("HU", "1051"), 2700, S, "eu_consumer", "HU"),
    "business in Germany, valid number": (
        a_business("DE", DE_NUMBER), 0, AE, "eu_business_reverse_charge", "DE"),
    "business in Germany without number": (a_business("DE"), 1900, S, "eu_consumer", "DE"),
    "business in Germany, number refused": (
        a_business("DE", DE_NUMBER, VatStatus.INVALID), 1900, S, "eu_consumer", "DE"),
    "business in Germany, empty number": (
        Buyer("DE", None, is_business=True, vat_number="", vat_status=VatStatus.VALID),
        1900, S, "eu_consumer", "DE"),
    "business in Germany with a French number": (
        a_business("DE", FR_NUMBER), 1900, S, "eu_consumer", "DE"),
    "business in Greece: GR, number EL": (
        a_business("GR", EL_NUMBER), 0, AE, "eu_business_reverse_charge", "GR"),
    "business in Greece, country written EL": (
        a_business("EL", EL_NUMBER), 0, AE, "eu_business_reverse_charge", "GR"),
    "business in Greece, number written GR": (
        a_business("GR", "GR094259216"), 2400, S, "eu_consumer", "GR"),
    "a person with somebody's number": (
        Buyer("DE", None, is_business=False, vat_number=DE_NUMBER, vat_status=VatStatus.VALID),
        1900, S, "eu_consumer", "DE"),
    "consumer in the USA": (a_consumer("US", "94105"), 0, O, "outside_eu", "US"),
    "business in Switzerland": (a_business("CH", "CHE116281710"), 0, O, "outside_eu", "CH"),
    "consumer in Norway": (a_consumer("NO", "0150"), 0, O, "outside_eu", "NO"),
    "consumer in Great Britain": (a_consumer("GB", "SW1A 1AA"), 0, O, "outside_eu", "GB"),
    "Northern Ireland by post code: services are outside": (
        a_consumer("GB", "BT1 5GS"), 0, O, "outside_eu", "GB"),
    "Northern Ireland with its XI number, which is for goods": (
        a_business("GB", "XI123456789", postal_code="BT1 5GS"), 0, O, "outside_eu", "GB"),
    "Northern Ireland written XI": (a_consumer("XI", "BT1 5GS"), 0, O, "outside_eu", "GB"),
    "Monaco is France": (a_consumer("MC", "98000"), 2000, S, "seller_country", "FR"),
    "Monaco, business": (a_business("MC", FR_NUMBER), 2000, S, "seller_country", "FR"),
    "Monaco by its post code": (a_consumer("FR", "98000"), 2000, S, "seller_country", "FR"),
    "Corsica is France": (a_consumer("FR", "20000"), 2000, S, "seller_country", "FR"),
    "San Marino": (a_consumer("SM", "47890"), 0, O, "outside_eu", "SM"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("buyer", "rate_bp", "category", "reason", "country"), DECISIONS.values(), ids=DECISIONS
)
def test_a_seller_in_france(buyer, rate_bp, category, reason, country):
    decision = decide(buyer)
    assert (decision.rate_bp, decision.category, decision.reason, decision.country) == (
        rate_bp,
        category,
        reason,
        country,
    )
    assert decision.territory is None


@pytest.mark.parametrize("counts", [True, False])
def test_an_unchecked_number_follows_the_sellers_setting(counts):
    buyer = a_business("DE", DE_NUMBER, VatStatus.UNCHECKED)
    decision = decide(buyer, unchecked_counts_as_valid=counts)
    assert decision.category is (AE if counts else S)
    assert decision.rate_bp == (0 if counts else 1900)


@pytest.mark.parametrize("status", [VatStatus.NONE, VatStatus.INVALID])
def test_the_setting_helps_only_unchecked_numbers(status):
    buyer = Buyer("DE", None, is_business=True, vat_number=DE_NUMBER, vat_status=status)
    assert decide(buyer, unchecked_counts_as_valid=True).category is S


def test_the_rate_is_that_of_the_tax_point():
    buyer = a_consumer("EE", "10111")
    assert decide(buyer, on=date(2025, 6, 30)).rate_bp == 2200
    assert decide(buyer, on=date(2025, 7, 1)).rate_bp == 2400


# Seller at home = of the same member state. None: Outside the EU's area, category O and 0.
TERRITORIES = {
    # buyer: country, post code, territory, rate from a home seller, rate from a French or German one
    "Las Palmas": ("ES", "35001", "canary_islands", None, None),
    "Santa Cruz de Tenerife": ("ES", "38001", "canary_islands", None, None),
    "Canary Islands, written IC": ("IC", "", "canary_islands", None, None),
    "Ceuta": ("ES", "51001", "ceuta", None, None),
    "Melilla": ("ES", "52006", "melilla", None, None),
    "Guadeloupe": ("FR", "97110", "guadeloupe", 850, None),
    "Guadeloupe, own ISO code": ("GP", "97110", "guadeloupe", 850, None),
    "Guadeloupe, written with letters and spaces": ("FR", "F-97 110 CEDEX", "guadeloupe", 850, None),
    "Guadeloupe, full-width digits": ("FR", "９７１１０", "guadeloupe", 850, None),
    "Martinique": ("FR", "97200", "martinique", 850, None),
    "Martinique, own ISO code": ("MQ", None, "martinique", 850, None),
    "Réunion": ("FR", "97400", "reunion", 850, None),
    "Réunion, own ISO code": ("RE", "97400", "reunion", 850, None),
    "French Guiana": ("FR", "97300", "french_guiana", None, None),
    "French Guiana, own ISO code": ("GF", "97300", "french_guiana", None, None),
    "Mayotte": ("FR", "97600", "mayotte", None, None),
    "Mayotte, own ISO code": ("YT", "97600", "mayotte", None, None),
    "Saint-Martin, with a code of Guadeloupe": ("FR", "97150", "saint_martin", None, None),
    "Saint-Martin, own ISO code": ("MF", "97150", "saint_martin", None, None),
    "Saint-Barthélemy, old code": ("FR", "97133", "french_collectivity", None, None),
    "Saint-Pierre-et-Miquelon": ("FR", "97500", "french_collectivity", None, None),
    "New Caledonia": ("FR", "98800", "french_collectivity", None, None),
    "Åland, foreign seller": ("AX", "22100", "aland", 2550, None),
    "Åland by post code": ("FI", "22100", "aland", 2550, None),
    "Heligoland": ("DE", "27498", "heligoland", None, None),
    "Büsingen": ("DE", "78266", "busingen", None, None),
    "Livigno": ("IT", "23041", "livigno", None, None),
    "Campione d'Italia": ("IT", "22061", "campione", None, None),
    "Mount Athos": ("GR", "630 86", "mount_athos", None, None),
    "Greenland under a Danish code": ("DK", "3900", "greenland", None, None),
    "Madeira": ("PT", "9000-123", "madeira", 2200, 2200),
    "Azores": ("PT", "9500-321", "azores", 1600, 1600),
}

ABROAD = {"FR": "DE"}


@pytest.mark.parametrize("buyer_kind", [a_consumer, a_business])
@pytest.mark.parametrize(
    ("country", "postal_code", "territory", "home_bp", "abroad_bp"), TERRITORIES.values(), ids=TERRITORIES
)
def test_special_territories(buyer_kind, country, postal_code, territory, home_bp, abroad_bp):
    buyer = buyer_kind(country, postal_code=postal_code)
    state = tax_place_of(country, postal_code).country
    for seller, rate_bp in ((state, home_bp), (ABROAD.get(state, "FR"), abroad_bp)):
        decision = decide(buyer, seller=seller)
        assert decision.country == state
        if territory == "aland" and seller == "FI":  # The mainland's rate: nothing special about it.
            assert decision.reason is TaxReason.SELLER_COUNTRY
            assert decision.territory is None
        else:
            assert decision.reason is TaxReason.SPECIAL_TERRITORY
            assert decision.territory == territory
        assert decision.category is (O if rate_bp is None else S)
        assert decision.rate_bp == (rate_bp or 0)


def test_a_business_outside_the_vat_area_is_outside_with_or_without_a_number():
    tenerife = a_business("ES", "ESB38123456", postal_code="38001")
    assert decide(tenerife).category is O


def test_a_business_on_madeira_has_a_portuguese_number_and_owes_the_tax_itself():
    funchal = a_business("PT", "PT500278725", postal_code="9000-123")
    assert decide(funchal).category is AE
    assert decide(funchal, seller="PT").rate_bp == 2200


ORDINARY = {
    "Barcelona": ("ES", "08035"),
    "Valencia, 35 inside": ("ES", "46035"),
    "Paris": ("FR", "75097"),
    "Ardèche": ("FR", "07100"),
    "Lisbon": ("PT", "1990-095"),
    "Como, next to Campione": ("IT", "22100"),
    "Sondrio, next to Livigno": ("IT", "23100"),
    "Konstanz, next to Büsingen": ("DE", "78462"),
    "Turku, next to Åland": ("FI", "20100"),
    "Jungholz: 19 % is for its own businesses": ("AT", "6691"),
    "Copenhagen": ("DK", "1050"),
    "Chalkidiki, next to Athos": ("GR", "63075"),
    "no post code": ("ES", None),
    "not a post code": ("ES", "؟؟؟"),
}


@pytest.mark.parametrize(("country", "postal_code"), ORDINARY.values(), ids=ORDINARY)
def test_neighbours_of_special_territories_are_ordinary(country, postal_code):
    assert tax_place_of(country, postal_code) == TaxPlace(country, None)


def test_a_seller_in_another_member_state():
    assert decide(a_consumer("FR", "75011"), seller="DE").country == "FR"
    assert decide(a_consumer("MC", "98000"), seller="DE").rate_bp == 2000
    assert decide(a_business("MC", FR_NUMBER), seller="DE").category is AE
    assert decide(a_consumer("GR", "10431"), seller="EL").reason is TaxReason.SELLER_COUNTRY
    assert decide(a_consumer("FR", "75011"), seller="MC").reason is TaxReason.SELLER_COUNTRY


def test_a_seller_outside_the_union():
    assert decide(a_consumer("DE", "10115"), seller="US").rate_bp == 1900
    assert decide(a_business("DE", DE_NUMBER), seller="US").category is AE
    assert decide(a_consumer("CA"), seller="US").category is O
    with pytest.raises(MissingVatRate):  # Its own country's tax is not in the table: no invoice at 0 %.
        decide(a_consumer("US", "94105"), seller="US")


@pytest.mark.parametrize("country", ["", "de", "D", "DEU", "D1", "ÄÖ", "D\x00", " DE"])
def test_what_is_no_country_is_not_outside_the_union(country):
    with pytest.raises(MissingVatRate):
        decide(a_consumer(country))
    with pytest.raises(MissingVatRate):
        decide(a_consumer("FR"), seller=country)


@pytest.mark.parametrize("country", sorted(EU_MEMBER_STATES))
def test_deleting_a_countrys_rates_stops_its_invoices_and_no_other(country):
    others = [rate for rate in VAT_RATES if rate.country != country]
    with pytest.raises(MissingVatRate):
        decide(a_consumer(country), rates=others)
    neighbour = "BE" if country == "FR" else "FR"
    assert decide(a_consumer(neighbour), rates=others).rate_bp == STANDARD_TODAY[neighbour]


def test_the_prefix_of_a_vat_number():
    assert [vat_prefix(c) for c in ("FR", "GR", "EL", "MC", "DE")] == ["FR", "EL", "EL", "FR", "DE"]


COUNTRIES = st.sampled_from([*sorted(EU_MEMBER_STATES), "MC", "GB", "US", "CH", "RE", "AX", "IC", "XI", "EL"])
BUYERS = st.builds(
    Buyer,
    country=COUNTRIES,
    postal_code=st.none() | st.from_regex(r"[0-9]{5}", fullmatch=True) | st.text(max_size=10),
    is_business=st.booleans(),
    vat_number=st.none() | COUNTRIES.map(lambda country: country + "123456789"),
    vat_status=st.sampled_from(VatStatus),
)


@property_test
@given(
    seller=st.sampled_from(sorted(EU_MEMBER_STATES)),
    buyer=BUYERS,
    days=st.integers(0, 2000),
    setting=st.booleans(),
    minor=st.integers(-(10**12), 10**12),
    currency=st.sampled_from(["EUR", "USD", "JPY", "KWD"]),
)
def test_every_decision_is_consistent(seller, buyer, days, setting, minor, currency):
    on = date(2021, 6, 1) + timedelta(days=days)
    decision = decide(buyer, seller=seller, on=on, unchecked_counts_as_valid=setting)
    assert (decision.rate_bp > 0) == (decision.category is S)
    assert (decision.category is AE) == (decision.reason is TaxReason.EU_BUSINESS_REVERSE_CHARGE)
    if decision.category is AE:
        assert buyer.is_business and buyer.vat_number and decision.country != seller
    if decision.category is O:
        assert decision.country not in EU_MEMBER_STATES or decision.territory is not None
    if decision.reason is TaxReason.SELLER_COUNTRY:
        assert decision.country == seller and decision.category is S
    net = Money(minor, currency)
    tax = decision.tax_on(net)
    gross = net + tax
    assert gross - tax == net and gross - net == tax
    assert decision.tax_on(-net) == -tax
    # Half up: |tax - net × rate| is at most half a minor unit.
    assert abs(2 * (tax.minor * 10_000 - minor * decision.rate_bp)) <= 10_000


@pytest.mark.parametrize(
    "buyer",
    [
        a_consumer("FR"),
        a_consumer("AT"),
        a_consumer("ES", "35001"),
        a_business("DE", "DE136695976"),
        a_consumer("US"),
    ],
    ids=str,
)
def test_a_decision_is_read_again_as_it_was_written(buyer):
    decision = decide(buyer)
    assert tax_of(tax_facts(decision)) == decision
