"""The numbers under which countries register businesses, and their legal forms."""

import pytest

from portal.domain.legal_numbers import (
    SCHEMES,
    LegalNumberFault,
    LegalNumberInvalid,
    check_legal_number,
    legal_number_example,
    legal_number_label,
    legal_number_name,
    legal_statuses,
    number_in_vat_number,
    register_of,
    siren_of,
    takes_legal_number,
)


@pytest.mark.parametrize("country", SCHEMES)
def test_each_country_names_its_number_with_an_example_that_checks_and_its_legal_forms(country):
    assert check_legal_number(country, legal_number_example(country))
    assert (
        legal_number_label(country) and len(set(legal_statuses(country))) == len(legal_statuses(country)) > 1
    )
    assert all(len(status) <= 40 for status in legal_statuses(country))


READ = {
    "a SIREN with blanks": ("FR", "732 829 320", "732829320"),
    "a SIRET": ("FR", "732 829 320 00074", "73282932000074"),
    "no-break blanks": ("FR", "732\u202f829\u00a0320", "732829320"),
    "full-width digits": ("FR", "７３２８２９３２０", "732829320"),
    "overseas in the French register": ("RE", "732829320", "732829320"),
    "an Italian company": ("IT", "00743110157", "00743110157"),
    "an Italian person": ("IT", "RCCMNL83S18D969H", "RCCMNL83S18D969H"),
}
REFUSED = {
    "a wrong digit": ("FR", "732829321", LegalNumberFault.CHECKSUM),
    "a SIRET with a wrong digit": ("FR", "73282932000075", LegalNumberFault.CHECKSUM),
    "letters": ("FR", "ABCDEFGHI", LegalNumberFault.FORMAT),
    "too short": ("FR", "7328", LegalNumberFault.FORMAT),
    "too long": ("FR", "7" * 41, LegalNumberFault.FORMAT),
    "no register that we know": ("US", "12-3456789", LegalNumberFault.COUNTRY),
}


@pytest.mark.parametrize("case", READ)
def test_a_number_is_kept_without_blanks(case):
    country, typed, number = READ[case]
    assert check_legal_number(country, typed) == number


@pytest.mark.parametrize("case", REFUSED)
def test_a_number_that_is_none_is_refused_for_its_reason(case):
    country, typed, reason = REFUSED[case]
    with pytest.raises(LegalNumberInvalid) as refusal:
        check_legal_number(country, typed)
    assert refusal.value.reason == reason


def test_where_nobody_asks_for_a_number_there_is_none_to_name():
    assert not takes_legal_number("US") and takes_legal_number("FR")
    assert (legal_number_label("US"), legal_number_example("US"), legal_statuses("US")) == ("", "", ())
    assert (register_of("US"), register_of("PL"), register_of("FR"), register_of("GP")) == (
        "",
        "",
        "0002",
        "0002",
    )


def test_a_french_number_is_called_what_it_is():
    assert legal_number_name("FR", "732829320") == "SIREN"
    assert legal_number_name("FR", "73282932000074") == "SIRET"
    assert legal_number_name("SE", "1234567897") == "organisationsnummer"
    assert (siren_of("73282932000074"), siren_of("732829320"), siren_of("7328")) == (
        "732829320",
        "732829320",
        "",
    )


@pytest.mark.parametrize(
    ("country", "vat_number", "siren"),
    [
        ("FR", "FR40303265045", "303265045"),
        ("FR", "FR4Z123456782", "123456782"),
        ("FR", "FR40303265046", ""),
        ("FR", "", ""),
        ("MC", "FR53000004605", ""),
        ("DE", "DE136695976", ""),
    ],
)
def test_the_siren_is_the_end_of_a_french_vat_number(country, vat_number, siren):
    assert number_in_vat_number(country, vat_number) == siren
