"""Billing details before anybody typed them."""

import pytest

from portal.domain.billing_details import first_and_last


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Jeanne Martin", "Jeanne", "Martin"),
        ("  Ludwig  van\u00a0Beethoven ", "Ludwig", "van Beethoven"),
        ("Jean-Paul Sartre", "Jean-Paul", "Sartre"),
        ("Cher", "Cher", ""),
        ("", "", ""),
        ("jeanne@acme.test", "", ""),
    ],
)
def test_a_name_is_its_first_word_and_the_rest(name, first, last):
    assert first_and_last(name) == (first, last)
