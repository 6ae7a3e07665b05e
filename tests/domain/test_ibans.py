"""IBANs: ISO 13616 check digits and lengths, and the area that a SEPA debit reaches."""

import pytest

from portal.domain.ibans import SEPA_COUNTRIES, IbanFault, IbanInvalid, read_iban

WRONG, OUTSIDE = IbanFault.WRONG, IbanFault.OUTSIDE_SEPA


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("DE46 9999 9999 0000 0042 42", "DE46999999990000004242"),
        ("fr76 3000 6000 0112 3456 7890 189", "FR7630006000011234567890189"),
        ("IBAN: GB82 WEST 1234 5698 7654 32", "GB82WEST12345698765432"),
        ("DE４６999999990000004242", "DE46999999990000004242"),
        ("BE68\u00a05390\u202f0754-7034", "BE68539007547034"),
    ],
)
def test_an_iban_is_read_as_it_is_written_on_paper(typed, read):
    assert read_iban(typed) == read


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("DE46 9999 9999 0000 0042 43", WRONG),
        ("DE46 9999 9999 0000 0042 4", WRONG),
        ("4242 4242 4242 4242", WRONG),
        ("XX46999999990000004242", WRONG),
        ("IBAN", WRONG),
        ("TR33 0006 1005 1978 6457 8413 26", OUTSIDE),
        ("BR97 0036 0305 0000 1000 9795 493P 1", OUTSIDE),
    ],
)
def test_what_no_debit_reaches_is_refused(typed, fault):
    with pytest.raises(IbanInvalid) as refused:
        read_iban(typed)
    assert refused.value.reason == fault


def test_the_area_has_its_41_countries():
    """EPC409-09 of 2025; Åland, the Azores and so on have the IBANs of their states."""
    assert len(SEPA_COUNTRIES) == 42  # Gibraltar, which counts as the United Kingdom, has IBANs of its own.
