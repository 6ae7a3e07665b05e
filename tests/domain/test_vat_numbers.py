"""VAT numbers: what is accepted for each country, in which form it is stored, and why one is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.vat_numbers import (
    SCHEMES,
    VatNumberFault,
    VatNumberInvalid,
    check_vat_number,
    normalise,
    takes_vat_number,
    vat_example,
    vat_label,
    vat_prefix,
)

EU = {
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
}  # fmt: skip

# A second number of each country, from the examples of python-stdnum's documentation and of the
# countries' own notices, with one digit changed so that the check fails.
WRONG_CHECK_DIGIT = {
    "AT": "ATU13585626", "BE": "BE0431150351", "BG": "BG175074751", "CY": "CY10259033Z",
    "CZ": "CZ25123890", "DE": "DE136695978", "DK": "DK13585627", "EE": "EE100594103",
    "ES": "ESA13585626", "FI": "FI20774741", "FR": "FR84323140391", "GR": "EL123456781",
    "HR": "HR33392005962", "HU": "HU12892313", "IE": "IE6433435E", "IT": "IT00743110158",
    "LT": "LT100001919018", "LU": "LU15027443", "LV": "LV40003521601", "MT": "MT11679113",
    "NL": "NL123456789B90", "PL": "PL8567346216", "PT": "PT501964842", "RO": "RO18547291",
    "SE": "SE123456789101", "SI": "SI50223055", "SK": "SK2022749618",
    "GB": "GB802311781", "CH": "CHE107787578", "NO": "NO995525829MVA",
}  # fmt: skip


def reason_of(country, text):
    with pytest.raises(VatNumberInvalid) as refusal:
        check_vat_number(country, text)
    return refusal.value.reason


def test_the_countries_are_the_27_and_three_neighbours():
    assert set(SCHEMES) == EU | {"GB", "CH", "NO"}


@pytest.mark.parametrize("country", SCHEMES)
def test_a_right_number_is_stored_with_its_prefix(country):
    number = vat_example(country)

    assert check_vat_number(country, number) == number
    assert number.startswith(vat_prefix(country))
    assert len(number) <= 20


@pytest.mark.parametrize("country", SCHEMES)
def test_prefix_case_and_separators_are_free(country):
    number = vat_example(country)
    without_prefix = number.removeprefix(vat_prefix(country))

    for typed in (
        number.lower(),
        without_prefix,
        f" {number[:2]} {number[2:]}\u00a0",
        ".".join(number),
        "\u202f".join(without_prefix),
        number.replace("0", "\uff10"),
    ):
        assert check_vat_number(country, typed) == number


@pytest.mark.parametrize("country", WRONG_CHECK_DIGIT)
def test_a_wrong_check_digit_is_told_apart(country):
    assert reason_of(country, WRONG_CHECK_DIGIT[country]) == VatNumberFault.CHECKSUM


@pytest.mark.parametrize("country", SCHEMES)
def test_too_short_is_a_matter_of_format(country):
    assert reason_of(country, vat_prefix(country) + "1") == VatNumberFault.FORMAT


@pytest.mark.parametrize(
    ("country", "text"),
    [("FR", "DE136695976"), ("DE", "ATU13585627"), ("GR", "FR40303265045"), ("CH", "FR40303265045")],
)
def test_a_number_of_another_country_is_told_apart(country, text):
    assert reason_of(country, text) == VatNumberFault.COUNTRY


@pytest.mark.parametrize("typed", ["EL094259216", "GR 094259216", "el 094 259 216", "094259216"])
def test_greece_is_el_whatever_was_typed(typed):
    assert vat_prefix("GR") == "EL"
    assert check_vat_number("GR", typed) == "EL094259216"


def test_northern_ireland_keeps_its_prefix():
    assert check_vat_number("GB", "xi 980 7806 84") == "XI980780684"
    assert check_vat_number("GB", "980780684") == "GB980780684"
    assert reason_of("GB", "XI980780685") == VatNumberFault.CHECKSUM


@pytest.mark.parametrize(
    "typed", ["CHE-107.787.577 MWST", "CHE107787577TVA", "107.787.577 IVA", "CHE-107.787.577"]
)
def test_a_swiss_number_loses_its_ending(typed):
    assert check_vat_number("CH", typed) == "CHE107787577"


@pytest.mark.parametrize("typed", ["NO 995 525 828 MVA", "995525828", "no995525828mva"])
def test_a_norwegian_number_always_has_its_ending(typed):
    assert check_vat_number("NO", typed) == "NO995525828MVA"


def test_an_old_french_key_may_have_letters():
    assert check_vat_number("FR", "FR K7 399 859 412") == "FRK7399859412"
    assert check_vat_number("FR", "K7399859412") == "FRK7399859412"


def test_monaco_and_man_use_their_neighbours_numbers():
    assert vat_prefix("MC") == "FR"
    assert check_vat_number("MC", "FR53000004605") == "FR53000004605"
    assert vat_prefix("IM") == "GB"


@pytest.mark.parametrize("country", ["US", "JP", "", "EL", "XX", "fr"])
def test_other_countries_take_none(country):
    assert not takes_vat_number(country)
    assert (vat_prefix(country), vat_label(country), vat_example(country)) == ("", "", "")
    assert reason_of(country, "FR40303265045") == VatNumberFault.COUNTRY


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "FR",
        "FR\x00",
        "FR40303265045'--",
        "FR" + "1" * 500,
        "FR٤٠٣٠٣٢٦٥٠٤٥",
        "\u202eFR40303265045",
        "<b>",
    ],
)
def test_hostile_text_is_a_matter_of_format(text):
    assert reason_of("FR", text) == VatNumberFault.FORMAT


def test_normalising_leaves_capitals_and_digits():
    assert normalise(" fr-40.303/265 045\u00a0") == "FR40303265045"


@given(country=st.sampled_from(sorted(SCHEMES)), text=st.text(max_size=60))
def test_no_text_raises_anything_else(country, text):
    try:
        number = check_vat_number(country, text)
    except VatNumberInvalid:
        return
    assert check_vat_number(country, number) == number


@given(
    country=st.sampled_from(sorted(SCHEMES)),
    text=st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+*", max_size=16),
)
def test_no_letters_and_digits_raise_anything_else(country, text):
    test_no_text_raises_anything_else.hypothesis.inner_test(country, vat_prefix(country) + text)
