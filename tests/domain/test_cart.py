"""What has become of a cart since it was shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.cart import PriceDifference, fingerprint, price_difference, version_of
from portal.domain.choices import Choice
from portal.domain.money import Money
from portal.domain.vocabulary import Interval

CODES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=60)
CHOICES = st.builds(Choice, CODES, st.sampled_from(Interval), st.integers(1, 1_000_000))
PRICES = st.none() | st.builds(Money, st.integers(0, 10**12), st.just("EUR"))
CARTS = st.lists(st.tuples(CHOICES, PRICES), max_size=5)


def eur(minor):
    return Money(minor, "EUR")


def test_another_price_is_a_difference_and_the_same_one_is_none():
    assert price_difference(eur(1_100), eur(1_200)) == PriceDifference(seen=eur(1_100), now=eur(1_200))
    assert price_difference(eur(1_100), eur(1_100)) is None


def test_a_cart_has_one_currency():
    with pytest.raises(ValueError, match="EUR and USD"):
        price_difference(eur(1_100), Money(1_100, "USD"))


@given(CHOICES, CHOICES)
def test_two_choices_have_one_version_where_they_are_one(one, other):
    assert (version_of(one) == version_of(other)) == (one == other)


@given(CARTS, CARTS)
def test_whatever_differs_is_seen_by_the_fingerprint(one, other):
    def of(lines):
        return fingerprint((version_of(choice), price) for choice, price in lines)

    assert of(one) == of(list(one))
    assert (of(one) == of(other)) == (one == other)
