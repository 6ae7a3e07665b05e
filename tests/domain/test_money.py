from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.errors import CurrencyMismatch
from portal.domain.money import EXPONENTS, Money, exponent, major_string, total

MINORS = st.integers(-(10**15), 10**15)
property_test = settings(deadline=None)


def eur(minor):
    return Money(minor, "EUR")


SPLITS = {
    "exact": (1800, 2000, 10_000, 360),
    "20 % of 0.02 is 0.004": (2, 2000, 10_000, 0),
    "20 % of 0.03 is 0.006": (3, 2000, 10_000, 1),
    "half a cent goes up: 5 % of 0.10 is 0.005": (10, 500, 10_000, 1),
    "half a cent of a credit goes away from zero, as its invoice did": (-10, 500, 10_000, -1),
    "2.5 goes to 3, not to the even 2": (5, 1, 2, 3),
    "just under a half": (4999, 1, 10_000, 0),
    "25.5 % of 9.99 is 2.54745": (999, 2550, 10_000, 255),
    "8.5 % of 18.00 is 1.53": (1800, 850, 10_000, 153),
    "18 / 31 = 0.5806…": (1800, 1, 31, 58),
    "30 / 31 = 0.9677…": (3000, 1, 31, 97),
    "part may exceed whole": (100, 3, 2, 150),
    "nothing of it": (100, 0, 31, 0),
    "beyond a float: 10^18 + 1, its half up": (10**18 + 1, 1, 2, (10**18 + 2) // 2),
}


@pytest.mark.parametrize(("minor", "part", "whole", "expected"), SPLITS.values(), ids=SPLITS)
def test_split_rounds_half_up_away_from_zero(minor, part, whole, expected):
    assert eur(minor).split(part=part, whole=whole) == eur(expected)


@property_test
@given(MINORS, st.integers(0, 10_000), st.integers(1, 10_000))
def test_split_is_the_nearest_and_a_credit_mirrors_its_invoice(minor, part, whole):
    share = eur(minor).split(part=part, whole=whole)
    exact = Fraction(minor * part, whole)
    assert abs(share.minor - exact) <= Fraction(1, 2)
    if abs(share.minor - exact) == Fraction(1, 2):
        assert abs(share.minor) > abs(exact)
    assert eur(-minor).split(part=part, whole=whole) == -share


@property_test
@given(st.integers(0, 10**12), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_greater_part_is_never_a_smaller_amount(minor, one, other):
    lesser, greater = sorted((one, other))
    amount = eur(minor)
    assert amount.split(part=lesser, whole=10_000) <= amount.split(part=greater, whole=10_000)


ALLOCATIONS = {
    "even": (900, [1, 1, 1], [300, 300, 300]),
    "the first wins a tie: 100 / 3": (100, [1, 1, 1], [34, 33, 33]),
    "largest remainder: 6.25, 3.75": (10, [5, 3], [6, 4]),
    "two cents over: 33.3 + 33.3 + 33.3": (101, [1, 1, 1], [34, 34, 33]),
    "a weight of nothing gets nothing": (5, [0, 1, 0, 1], [0, 3, 0, 2]),
    "negative, share by share": (-100, [1, 1, 1], [-34, -33, -33]),
    "zero": (0, [7, 11], [0, 0]),
    "less money than shares": (2, [1, 1, 1], [1, 1, 0]),
}


@pytest.mark.parametrize(("minor", "weights", "expected"), ALLOCATIONS.values(), ids=ALLOCATIONS)
def test_allocate_by_largest_remainder(minor, weights, expected):
    assert eur(minor).allocate(weights) == [eur(share) for share in expected]


@property_test
@given(MINORS, st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(any))
def test_allocated_shares_sum_to_the_amount_and_each_is_within_one_unit(minor, weights):
    shares = eur(minor).allocate(weights)
    assert total(shares, "EUR") == eur(minor)
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share.minor - Fraction(minor * weight, sum(weights))) < 1


@pytest.mark.parametrize("weights", [[], [0, 0], [3, -1], [-1]])
def test_weights_that_mean_nothing_are_refused(weights):
    with pytest.raises(ValueError, match="weights"):
        eur(100).allocate(weights)


def test_arithmetic_within_a_currency():
    assert eur(1800) + eur(360) == eur(2160)
    assert eur(1800) - eur(2160) == -eur(360)
    assert eur(900) * 3 == 3 * eur(900) == eur(2700)
    assert eur(1) < eur(2) <= eur(2) and eur(2) > eur(1) >= eur(1)
    assert not eur(2) < eur(2) and not eur(2) > eur(2)
    assert not eur(2) <= eur(1) and not eur(1) >= eur(2)
    assert max(eur(1), eur(3), eur(2)) == eur(3)
    assert eur(-1).is_negative and not eur(0).is_negative
    assert total([eur(1), eur(2)], "EUR") == eur(3)
    assert total([], "EUR") == Money.zero("EUR") == eur(0)


MIXES = {
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: a - b,
    "less": lambda a, b: a < b,
    "at most": lambda a, b: a <= b,
    "more": lambda a, b: a > b,
    "at least": lambda a, b: a >= b,
    "total": lambda a, b: total([a, b], "EUR"),
    "total of another currency": lambda a, b: total([b], "EUR"),
}


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_two_currencies_never_meet(mix):
    with pytest.raises(CurrencyMismatch) as refusal:
        mix(eur(1), Money(1, "USD"))
    assert (refusal.value.left, refusal.value.right) == ("EUR", "USD")


def test_equal_means_amount_and_currency():
    assert Money(1, "EUR") != Money(1, "USD")
    assert len({eur(1), eur(1), Money(1, "USD")}) == 2


@pytest.mark.parametrize("minor", [1.0, True, "1", None, Fraction(1)])
def test_minor_units_are_an_int(minor):
    with pytest.raises(TypeError):
        Money(minor, "EUR")


@pytest.mark.parametrize("currency", ["", "eur", "EU", "EURO", "€€€", "E1R"])
def test_a_currency_is_three_capitals(currency):
    with pytest.raises(ValueError, match="currency"):
        Money(1, currency)


@pytest.mark.parametrize("factor", [1.5, True, Fraction(1, 2), "2"])
def test_only_an_int_multiplies(factor):
    with pytest.raises(TypeError):
        eur(2) * factor


@pytest.mark.parametrize("other", [0, 1.0, None])
def test_only_money_is_added(other):
    with pytest.raises(TypeError):
        eur(2) + other
    with pytest.raises(TypeError):
        eur(2) - other


MAJORS = {
    "two places": (1800, "EUR", "18.00"),
    "cents alone": (5, "EUR", "0.05"),
    "zero": (0, "USD", "0.00"),
    "negative cents": (-5, "EUR", "-0.05"),
    "negative": (-123_456, "EUR", "-1234.56"),
    "yen have no decimals": (18, "JPY", "18"),
    "no yen": (0, "JPY", "0"),
    "negative won": (-18, "KRW", "-18"),
    "dinars have three": (1250, "KWD", "1.250"),
    "one fils": (1, "BHD", "0.001"),
    "unidad de fomento has four": (12_345, "CLF", "1.2345"),
    "beyond a float": (10**18 + 1, "EUR", "10000000000000000.01"),
}


@pytest.mark.parametrize(("minor", "currency", "expected"), MAJORS.values(), ids=MAJORS)
def test_the_machine_form_has_the_decimals_of_the_currency(minor, currency, expected):
    assert major_string(Money(minor, currency)) == expected


@property_test
@given(MINORS, st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_the_machine_form_loses_nothing(minor, currency):
    text = major_string(Money(minor, currency))
    assert Fraction(text) * 10 ** exponent(currency) == minor


def test_exponents_of_iso_4217():
    assert [exponent(c) for c in ("JPY", "KRW", "VND", "CLP", "ISK")] == [0] * 5
    assert [exponent(c) for c in ("KWD", "BHD", "OMR", "JOD", "TND")] == [3] * 5
    assert [exponent(c) for c in ("EUR", "USD", "GBP", "HUF", "TRY")] == [2] * 5
    assert set(EXPONENTS.values()) == {0, 3, 4}
