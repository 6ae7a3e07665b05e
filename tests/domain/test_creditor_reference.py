"""The reference of a transfer: ISO 11649, made from the number of the invoice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iso11649

from portal.domain.creditor_reference import rf_reference


@pytest.mark.parametrize(
    ("number", "reference"),
    [
        # The example of the standard's national guides.
        ("539007547034", "RF18539007547034"),
        ("INV-2026-000001", "RF94INV2026000001"),
        ("inv-2026-000001", "RF94INV2026000001"),
    ],
)
def test_the_check_digits_are_those_of_the_standard(number, reference):
    assert rf_reference(number) == reference


@given(st.integers(2020, 2099), st.integers(1, 999_999))
def test_every_number_of_an_invoice_has_a_valid_one(year, sequence):
    assert iso11649.is_valid(rf_reference(f"INV-{year}-{sequence:06d}"))


def test_a_number_that_is_too_long_has_none():
    with pytest.raises(ValueError, match="no creditor reference"):
        rf_reference("X" * 22)
