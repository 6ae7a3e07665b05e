"""The helpers of the checkout form: numbers, brands, codes and dates of cards."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.vocabulary import CardBrand
from portal.gateways.cards import (
    card_brand,
    expires_before,
    luhn_valid,
    normalise_number,
    security_code_length,
    without_separators,
)


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("4242 4242 4242 4242", "4242424242424242"),
        ("4242-4242-4242-4242", "4242424242424242"),
        (" 4242\u00a04242\u202f4242\u20094242\t", "4242424242424242"),
        ("4242\u20114242\u20134242\uff0d4242", "4242424242424242"),
        ("\uff14\uff12\uff14\uff12\u30004242 4242 4242", "4242424242424242"),
        ("4242.4242.4242.4242", "4242424242424242"),
        ("4242/4242 / 4242\u20444242", "4242424242424242"),
        ("4242_4242·4242\uff0e4242", "4242424242424242"),
        ("\u200e4242\u200b4242\u2060424\u00ad2\ufeff4242\u202c", "4242424242424242"),
        ("4242\u20144242\r\n4242\u20284242", "4242424242424242"),
        ("Card number: 4242 4242 4242 4242", "4242424242424242"),
        ("N° de carte\u00a0: 4242 4242 4242 4242", "4242424242424242"),
        ("Visa, 4242-4242-4242-4242", "4242424242424242"),
        ("CB 4242 4242 4242 4242.", "4242424242424242"),
        ("Numéro:\u200e4242424242424242", "4242424242424242"),
        ("カード番号：\uff14242424242424242", "4242424242424242"),
        ("CVV: 123", "123"),
        ("x4242", "x4242"),
        ("Card number", "Cardnumber"),
        ("4242 abcd 4242 4242", "4242abcd42424242"),
        ("4242 4242 4242 4242 Visa", "4242424242424242Visa"),
        ("\u2022\u2022\u2022\u2022 4242", "\u2022\u2022\u2022\u20224242"),
        ("\u0664\u0662", "\u0664\u0662"),
        ("\u00b2", "\u00b2"),
        ("", ""),
    ],
)
def test_a_typed_number_loses_its_grouping_and_the_words_before_it(typed, number):
    assert normalise_number(typed) == number


BETWEEN = st.text(alphabet=" .-/\u00a0\u2013\u200b\u00ad", max_size=3)
GROUPS = st.lists(st.tuples(BETWEEN, st.text("0123456789", min_size=1, max_size=6)), min_size=1, max_size=8)


@given(
    label=st.sampled_from(["", "Card number: ", "N° de carte\u00a0: ", "American Express "]), groups=GROUPS
)
def test_however_a_number_is_grouped_its_digits_are_the_same(label, groups):
    typed = label + "".join(between + digits for between, digits in groups)
    assert normalise_number(typed) == "".join(digits for _between, digits in groups)


def test_an_iban_keeps_its_letters_however_it_is_grouped():
    assert without_separators("DE 11.9999-9999\u20090000 0001/19") == "DE11999999990000000119"


@pytest.mark.parametrize(
    "number",
    ["4242424242424242", "5555555555554444", "378282246310005", "3566002020360505", "6011111111111117"],
)
def test_the_check_digit_is_right(number):
    assert luhn_valid(number)


@pytest.mark.parametrize(
    "number",
    [
        "4242424242424241",
        "",
        "0",
        "00000000000",
        "42424242424242424242",
        "4242 4242 4242 4242",
        "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
        "424242424242424²",
        "-424242424242424",
        "4" * 1_000_000,
    ],
)
def test_the_check_digit_or_the_shape_is_wrong(number):
    assert not luhn_valid(number)


@given(number=st.from_regex(r"[0-9]{11,18}", fullmatch=True))
def test_exactly_one_check_digit_is_right(number):
    assert sum(luhn_valid(f"{number}{digit}") for digit in range(10)) == 1


@given(number=st.from_regex(r"[0-9]{12,19}", fullmatch=True), data=st.data())
def test_one_mistyped_digit_is_always_found(number, data):
    place = data.draw(st.integers(0, len(number) - 1))
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != number[place]]))
    mistyped = number[:place] + digit + number[place + 1 :]
    assert not (luhn_valid(number) and luhn_valid(mistyped))


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("4242424242424242", CardBrand.VISA),
        ("4222222222222", CardBrand.VISA),
        ("5555555555554444", CardBrand.MASTERCARD),
        ("2221000000000009", CardBrand.MASTERCARD),
        ("2720990000000007", CardBrand.MASTERCARD),
        ("378282246310005", CardBrand.AMEX),
        ("341111111111111", CardBrand.AMEX),
        ("3566002020360505", CardBrand.JCB),
        ("6011111111111117", CardBrand.DISCOVER),
        ("6500000000000002", CardBrand.DISCOVER),
        ("2220990000000000", None),
        ("2721000000000000", None),
        ("37828224631000", None),
        ("3782822463100055", None),
        ("3527000000000000", None),
        ("9999999999999995", None),
        ("4", None),
        ("", None),
        ("42424242x4242424", None),
    ],
)
def test_the_brand_follows_from_prefix_and_length(number, brand):
    assert card_brand(number) is brand


@given(st.text())
def test_no_text_upsets_the_helpers(text):
    number = normalise_number(text)
    assert luhn_valid(number) in (True, False)
    assert card_brand(number) is None or number.isdigit()


def test_the_security_code_of_an_american_express_card_is_longer():
    assert {brand: security_code_length(brand) for brand in (*CardBrand, None)} == {
        CardBrand.VISA: 3,
        CardBrand.MASTERCARD: 3,
        CardBrand.AMEX: 4,
        CardBrand.JCB: 3,
        CardBrand.DISCOVER: 3,
        None: 3,
    }


@pytest.mark.parametrize(
    ("on", "is_over"),
    [
        (date(2028, 1, 31), False),
        (date(2028, 2, 1), False),
        (date(2028, 2, 29), False),
        (date(2028, 3, 1), True),
        (date(2029, 1, 1), True),
        (date(2027, 12, 31), False),
    ],
)
def test_a_card_is_good_until_the_last_day_of_its_month(on, is_over):
    assert expires_before(2, 2028, on) is is_over


@pytest.mark.parametrize("month", [0, 13, -1])
def test_a_month_that_does_not_exist_is_refused(month):
    with pytest.raises(ValueError, match="month"):
        expires_before(month, 2028, date(2026, 11, 21))
