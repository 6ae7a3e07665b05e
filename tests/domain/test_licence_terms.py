from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.errors import CurrencyMismatch
from portal.domain.licence_terms import Begins, LicenceTerms, change_begins
from portal.domain.money import Money
from portal.domain.vocabulary import Interval, PriceUnit

MONTH, YEAR = Interval.MONTH, Interval.YEAR
NOW, ON_DUE_DATE = Begins.NOW, Begins.ON_DUE_DATE
POSITIONS = {"essential": 10, "professional": 20, "enterprise": 30}


def terms(quantity, plan, euros, interval=MONTH):
    return LicenceTerms(plan, POSITIONS[plan], interval, quantity, Money(euros * 100, "EUR"))


# What runs, what is wanted, when it begins. Amounts are those of one licence, by the month unless said.
CASES = {
    "more licences": (terms(5, "essential", 11), terms(6, "essential", 11), NOW),
    "fewer licences": (terms(5, "essential", 11), terms(4, "essential", 11), ON_DUE_DATE),
    # 10 × 9 = 90 is less than 9 × 11 = 99, and is more all the same.
    "ten that cost less than nine": (terms(9, "essential", 11), terms(10, "essential", 9), NOW),
    "nine that cost more than ten": (terms(10, "essential", 9), terms(9, "essential", 11), ON_DUE_DATE),
    "a dearer tier": (terms(5, "essential", 11), terms(5, "enterprise", 20), NOW),
    "a cheaper tier": (terms(5, "enterprise", 20), terms(5, "essential", 11), ON_DUE_DATE),
    # The order of the plans decides, as in the table; a campaign may turn the prices round.
    "a higher tier that is cheaper today": (terms(5, "essential", 11), terms(5, "enterprise", 8), NOW),
    "a dearer tier and more licences": (terms(5, "essential", 11), terms(6, "enterprise", 20), NOW),
    "a cheaper tier and fewer licences": (terms(5, "enterprise", 20), terms(4, "essential", 11), ON_DUE_DATE),
    # 3 × 20 = 60 against 5 × 11 = 55.
    "a dearer tier with fewer licences costs more": (
        terms(5, "essential", 11), terms(3, "enterprise", 20), NOW),
    # 2 × 20 = 40 against 55.
    "a dearer tier with fewer licences costs less": (
        terms(5, "essential", 11), terms(2, "enterprise", 20), ON_DUE_DATE),
    # 11 × 20 = 20 × 11: nothing would be given back.
    "a dearer tier with fewer licences costs the same": (
        terms(20, "essential", 11), terms(11, "enterprise", 20), NOW),
    # 6 × 11 = 66 against 3 × 20 = 60.
    "a cheaper tier with more licences costs more": (
        terms(3, "enterprise", 20), terms(6, "essential", 11), NOW),
    # 5 × 11 = 55 against 60.
    "a cheaper tier with more licences costs less": (
        terms(3, "enterprise", 20), terms(5, "essential", 11), ON_DUE_DATE),
    "from months to years": (terms(5, "essential", 11), terms(5, "essential", 110, YEAR), NOW),
    "from years to months": (terms(5, "essential", 110, YEAR), terms(5, "essential", 11), NOW),
    "to years, with more licences": (terms(5, "essential", 11), terms(6, "essential", 110, YEAR), NOW),
    "to months, with a dearer tier": (terms(5, "essential", 110, YEAR), terms(5, "enterprise", 20), NOW),
    # A year of 4 is dearer than a month of 5, and is less all the same.
    "to years, with fewer licences": (
        terms(5, "essential", 11), terms(4, "essential", 110, YEAR), ON_DUE_DATE),
    "to months, with fewer licences": (
        terms(5, "essential", 110, YEAR), terms(4, "essential", 11), ON_DUE_DATE),
    "to months, with a cheaper tier": (
        terms(5, "enterprise", 200, YEAR), terms(5, "essential", 11), ON_DUE_DATE),
    # A year: 3 × 20 × 12 = 720 against 5 × 110 = 550.
    "to months, dearer tier, fewer licences, more a year": (
        terms(5, "essential", 110, YEAR), terms(3, "enterprise", 20), NOW),
    # A year: 2 × 20 × 12 = 480 against 550.
    "to months, dearer tier, fewer licences, less a year": (
        terms(5, "essential", 110, YEAR), terms(2, "enterprise", 20), ON_DUE_DATE),
    # A year: 3 × 200 = 600 against 5 × 11 × 12 = 660, though one payment of it is far more.
    "to years, dearer tier, fewer licences, less a year": (
        terms(5, "essential", 11), terms(3, "enterprise", 200, YEAR), ON_DUE_DATE),
}  # fmt: skip


@pytest.mark.parametrize(("present", "wanted", "begins"), CASES.values(), ids=CASES)
def test_more_begins_now_and_less_on_the_due_date(present, wanted, begins):
    assert change_begins(present=present, wanted=wanted) is begins


def test_a_mix_in_two_currencies_cannot_be_compared():
    wanted = replace(terms(3, "enterprise", 20), unit=Money(2000, "USD"))
    with pytest.raises(CurrencyMismatch):
        change_begins(present=terms(5, "essential", 11), wanted=wanted)


def test_a_flat_price_is_billed_once():
    flat = replace(terms(5, "essential", 30), price_unit=PriceUnit.FLAT)
    assert (flat.billed_quantity, flat.price) == (1, Money(3000, "EUR"))
    assert (terms(5, "essential", 30).billed_quantity, terms(5, "essential", 30).price) == (
        5,
        Money(15_000, "EUR"),
    )


def test_twelve_months_are_a_year():
    assert terms(2, "essential", 11).price_per_year == Money(26_400, "EUR")
    assert terms(2, "essential", 110, YEAR).price_per_year == Money(22_000, "EUR")


def test_another_price_is_no_other_choice():
    assert terms(5, "essential", 11).is_same_choice(terms(5, "essential", 12))


@pytest.mark.parametrize(
    "other",
    [terms(6, "essential", 11), terms(5, "professional", 11), terms(5, "essential", 11, YEAR)],
    ids=["licences", "plan", "interval"],
)
def test_another_choice(other):
    assert not terms(5, "essential", 11).is_same_choice(other)


@pytest.mark.parametrize("quantity", [0, -1, True, 1.0, "5"])
def test_licences_are_a_whole_number_from_one_on(quantity):
    with pytest.raises(ValueError, match="number of licences"):
        terms(quantity, "essential", 11)


def test_licences_never_cost_less_than_nothing():
    with pytest.raises(ValueError, match="cannot cost"):
        terms(1, "essential", -1)


CHOICES = st.builds(
    terms,
    st.integers(1, 30),
    st.sampled_from(sorted(POSITIONS)),
    st.integers(0, 300),
    st.sampled_from(Interval),
)


@given(CHOICES, CHOICES)
def test_there_or_back_one_way_begins_now(one, other):
    """And both only where nobody gives anything up: the same size, or a mix of one price."""
    there, back = change_begins(present=one, wanted=other), change_begins(present=other, wanted=one)
    assert NOW in {there, back}
    if there is back:
        same_size = (one.position, one.quantity) == (other.position, other.quantity)
        assert same_size or one.price_per_year == other.price_per_year
