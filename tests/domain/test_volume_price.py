"""Volume tiers, product.md §3: the licences of the whole order decide, so ten may cost less than nine."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.catalogue import DeclaredPrice
from portal.domain.catalogue.reading import MAX_AMOUNT_MINOR
from portal.domain.money import Money
from portal.domain.vocabulary import Interval, PriceUnit
from portal.domain.volume_price import MAX_LICENCES, VolumePrice, VolumeTier


def by_licence(amount_minor, *tiers, currency="EUR"):
    return VolumePrice(
        PriceUnit.LICENCE, Money(amount_minor, currency), tuple(VolumeTier(*tier) for tier in tiers)
    )


PLAIN = by_licence(2000)
ONE_TIER = by_licence(2000, (10, 1500))
TWO_TIERS = by_licence(2000, (10, 1500), (100, 900))
WHOLE = VolumePrice(PriceUnit.FLAT, Money(2000, "EUR"))

# The price, the licences of the order, what each of them costs, and all of them.
CASES = {
    "no tier": (PLAIN, 9, 2000, 18000),
    "one licence": (ONE_TIER, 1, 2000, 2000),
    "below the tier": (ONE_TIER, 9, 2000, 18000),  # 9 × 20.00 = 180.00
    "ten cost less than nine": (ONE_TIER, 10, 1500, 15000),  # 10 × 15.00 = 150.00
    "all in the tier": (ONE_TIER, 11, 1500, 16500),
    "the last of the first tier": (TWO_TIERS, 99, 1500, 148500),
    "the first of the second tier": (TWO_TIERS, 100, 900, 90000),
    "tiers in any order": (by_licence(2000, (100, 900), (10, 1500)), 100, 900, 90000),
    "a currency without hundredths": (by_licence(900, (10, 800), currency="JPY"), 10, 800, 8000),
    "a flat price": (WHOLE, 1, 2000, 2000),
    "a flat price of many": (WHOLE, 50, 2000, 2000),
    "as many as there may be": (PLAIN, MAX_LICENCES, 2000, 2_000_000_000),
}


@pytest.mark.parametrize(("price", "licences", "each", "together"), CASES.values(), ids=CASES)
def test_what_a_number_of_licences_costs(price, licences, each, together):
    currency = price.list_amount.currency
    assert price.unit_amount(licences) == Money(each, currency)
    assert price.amount(licences) == Money(together, currency)


@pytest.mark.parametrize("price", [ONE_TIER, WHOLE], ids=["by licence", "flat"])
@pytest.mark.parametrize(
    ("licences", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (MAX_LICENCES + 1, ValueError),
        (10**30, ValueError),
        (True, TypeError),
        (9.0, TypeError),
        ("9", TypeError),
        (None, TypeError),
    ],
)
def test_what_is_no_number_of_licences_costs_nothing(price, licences, error):
    with pytest.raises(error):
        price.amount(licences)
    with pytest.raises(error):
        price.unit_amount(licences)


def test_a_declared_price_says_what_a_number_costs():
    declared = DeclaredPrice(
        interval=Interval.MONTH,
        currency="EUR",
        unit=PriceUnit.LICENCE,
        amount_minor=2000,
        tiers=(VolumeTier(10, 1500),),
        valid_from=date(2026, 11, 30),
        valid_until=None,
    )
    assert declared.volume_price == ONE_TIER


def test_no_order_of_a_catalogue_leaves_the_columns_of_the_database():
    dearest = VolumePrice(PriceUnit.LICENCE, Money(MAX_AMOUNT_MINOR, "EUR"))
    assert 2 * dearest.amount(MAX_LICENCES).minor < 2**63, "net and as much tax again"


@st.composite
def tiered_prices(draw):
    """As `catalogue check` lets them through: each tier begins later and is cheaper."""
    starts = sorted(draw(st.sets(st.integers(2, MAX_LICENCES), max_size=5)))
    amounts = draw(
        st.sets(
            st.integers(1, MAX_AMOUNT_MINOR),
            min_size=len(starts) + 1,
            max_size=len(starts) + 1,
        )
    )
    first, *others = sorted(amounts, reverse=True)
    return by_licence(
        first, *zip(starts, others, strict=True), currency=draw(st.sampled_from(["EUR", "JPY"]))
    )


numbers = st.integers(1, MAX_LICENCES)


@given(tiered_prices(), numbers, numbers)
def test_every_licence_of_an_order_costs_the_same_and_never_more_in_a_larger_one(price, one, other):
    fewer, more = sorted((one, other))
    assert price.amount(more) == price.unit_amount(more) * more
    assert price.unit_amount(more) <= price.unit_amount(fewer) <= price.list_amount
    listed = {price.list_amount.minor, *(tier.amount_minor for tier in price.tiers)}
    assert price.unit_amount(more).minor in listed, "an amount of the catalogue, never one between"


@given(tiered_prices(), numbers)
def test_the_last_tier_that_is_reached_decides(price, licences):
    """Told another way: walk up the tiers and stop before the first that begins later."""
    expected = price.list_amount.minor
    for tier in price.tiers:
        if tier.from_licences > licences:
            break
        expected = tier.amount_minor
    assert price.unit_amount(licences).minor == expected


@given(st.integers(1, MAX_AMOUNT_MINOR), numbers)
def test_a_flat_price_is_the_same_for_any_number(amount_minor, licences):
    price = VolumePrice(PriceUnit.FLAT, Money(amount_minor, "USD"))
    assert price.amount(licences) == price.unit_amount(licences) == Money(amount_minor, "USD")
