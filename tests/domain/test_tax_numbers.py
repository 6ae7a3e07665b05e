"""Tax numbers outside the EU: by the country's own name, judged where its rule is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.addresses import countries
from portal.domain.tax_numbers import (
    LONGEST,
    SCHEMES,
    TaxNumberFault,
    TaxNumberInvalid,
    check_tax_number,
    takes_tax_number,
    tax_number_label,
)
from portal.domain.vat_numbers import takes_vat_number


@pytest.mark.parametrize("country", SCHEMES)
def test_the_example_of_a_country_is_written_as_it_is_stored(country):
    scheme = SCHEMES[country]
    assert check_tax_number(country, scheme.example) == scheme.example
    assert len(scheme.example) <= LONGEST
    assert takes_tax_number(country)


@pytest.mark.parametrize(
    ("country", "typed", "stored"),
    [
        ("US", "911144442", "91-1144442"),
        ("US", " 91 1144442 ", "91-1144442"),
        ("PR", "91-1144442", "91-1144442"),
        ("AU", "83914571673", "83 914 571 673"),
        ("CA", "12302 6635 RT 0001", "123026635RT0001"),
        ("JP", "５８３５６７８２５６２４６", "5-8356-7825-6246"),
        ("IN", "27aapfu0939f1zv", "27AAPFU0939F1ZV"),
        ("NG", "  TIN  1234-5678 ", "TIN 1234-5678"),
        ("HK", "12345678-000", "12345678-000"),
    ],
)
def test_a_number_is_stored_as_the_country_writes_it(country, typed, stored):
    assert check_tax_number(country, typed) == stored


@pytest.mark.parametrize(
    ("country", "typed", "reason"),
    [
        ("US", "07-1144442", TaxNumberFault.FORMAT),
        ("US", "12", TaxNumberFault.FORMAT),
        ("AU", "83 914 571 674", TaxNumberFault.CHECKSUM),
        ("JP", "4-8356-7825-6246", TaxNumberFault.CHECKSUM),
        ("IN", "27AAPFU0939F1ZO", TaxNumberFault.CHECKSUM),
        ("NG", "--", TaxNumberFault.FORMAT),
        ("NG", "1" * (LONGEST + 1), TaxNumberFault.FORMAT),
    ],
)
def test_what_is_no_number_of_the_country_is_refused_with_the_reason(country, typed, reason):
    with pytest.raises(TaxNumberInvalid) as refused:
        check_tax_number(country, typed)
    assert refused.value.reason is reason


def test_a_country_asks_for_a_vat_number_or_for_a_tax_number_and_never_for_both():
    for country, _ in countries("en"):
        assert takes_tax_number(country) is not takes_vat_number(country)
    assert not takes_tax_number("")
    assert (tax_number_label("US"), tax_number_label("JP"), tax_number_label("NG")) == ("EIN", "法人番号", "")


@given(country=st.sampled_from([*SCHEMES, "NG", "HK", ""]), text=st.text(max_size=60))
def test_any_text_is_stored_short_or_refused(country, text):
    try:
        stored = check_tax_number(country, text)
    except TaxNumberInvalid:
        return
    assert 0 < len(stored) <= LONGEST * 4
