"""Which long numbers in a text are a card's, and which are something else that people write."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.domain.card_numbers import check_digit_holds, holds_card_number, without_card_numbers

CARDS = {
    "Visa": "4242424242424242",
    "Visa in fours": "4242 4242 4242 4242",
    "Visa of 13 digits": "4222222222222",
    "Mastercard with hyphens": "5555-5555-5555-4444",
    "Mastercard of the second range": "2223003122003222",
    "American Express": "3782 822463 10005",
    "JCB": "3566002020360505",
    "Discover": "6011111111111117",
    "UnionPay": "6200 0000 0000 0005",
    "Diners": "3056 930902 5904",
    "Maestro": "6759 6498 2643 8453",
    "digit by digit": "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
    "with dots": "4242.4242.4242.4242",
    "with no-break spaces": "4242\u00a04242\u202f4242\u20094242",
    "with marks that nobody sees": "4242\u200b4242\u200b4242\u20604242",
    "in full-width digits": "\uff14\uff12" * 8,
    "in Arabic digits": "\u0664\u0662" * 8,
    "after words": "my card is 4242424242424242, thanks",
    "stuck to a word": "CB4242424242424242",
    "with its date and code": "4242 4242 4242 4242 12/28 123",
    "after a house number": "12 4242 4242 4242 4242",
    "over two lines": "4242 4242\n4242 4242",
    "two of them": "4242424242424242 5555555555554444",
}
OTHERS = {
    "nothing": "",
    "an address": "12 bis rue de la Paix, 75002 Paris",
    "one digit wrong": "4242 4242 4242 4241",
    "a SIREN": "303 265 045",
    "a SIRET": "732 829 320 00074",
    "a SIRET that begins like a Diners card": "30326504500017",
    "a French VAT number": "FR40303265045",
    "a Swedish VAT number": "SE556703748501",
    "a French IBAN": "FR76 3000 6000 0112 3456 7890 189",
    "an IBAN before words": "IBAN FR7630006000011234567890189 chez BNP Paribas",
    "a British IBAN": "GB29 NWBK 6016 1331 9268 19",
    "a German IBAN": "DE89 3704 0044 0532 0130 00",
    "a phone number": "+33 6 12 34 56 78",
    "a long phone number, whose digits would do": "+4222222222222",
    "the same in brackets": "(+4222222222222)",
    "two phone numbers": "06 12 34 56 78 / 06 98 76 54 32",
    "a Brazilian CNPJ": "36.789.012/0001-95",
    "an order's number": "k7q2m9xd3f4g",
    "an invoice's number": "INV-2026-000001",
    "a customer's number": "C-000042",
    "a point in time": "2026-11-30 12:30:45.123456",
    "a hash with many digits": "a4242424242424242b9c8d7e6f5a4b3c2",
    "twenty digits": "42424242424242424242",
    "twelve digits": "424242424242",
    "zeros": "0000 0000 0000 0000",
    "an EAN": "3 017620 422003",
}


@pytest.mark.parametrize("text", CARDS.values(), ids=CARDS)
def test_a_card_number_is_found_and_taken_out(text):
    assert holds_card_number(text)
    left = without_card_numbers(text)
    assert not holds_card_number(left)
    assert sum(sign.isdigit() for sign in left) < 10


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_other_numbers_are_left_alone(text):
    assert not holds_card_number(text)
    assert without_card_numbers(text) == text


def test_only_the_number_is_taken_out():
    assert without_card_numbers("Flat 7, 4242 4242 4242 4242, Leeds") == "Flat 7, , Leeds"


VISA = st.text("0123456789", min_size=14, max_size=14).map(lambda digits: with_check_digit("4" + digits))
BETWEEN = st.sampled_from(["", " ", "-", ".", " - ", "\u00a0"])


def with_check_digit(digits):
    return next(digits + last for last in "0123456789" if check_digit_holds(digits + last))


@settings(deadline=None)
@given(VISA, st.lists(BETWEEN, min_size=15, max_size=15))
def test_every_visa_number_is_found_whatever_stands_between_its_digits(number, between):
    text = number[0] + "".join(sign + digit for sign, digit in zip(between, number[1:], strict=True))
    assert holds_card_number(f"x {text} x")
    assert without_card_numbers(text) == ""


@settings(deadline=None)
@given(st.text("0123456789 -.+FRx\n", max_size=80))
@example("4" * 3000)
@example("FR76" * 2000)
@example("4 " * 2000)
@example("4242 " * 2000)
def test_what_is_left_holds_none_and_nothing_is_added(text):
    left = without_card_numbers(text)
    assert holds_card_number(text) == (left != text)
    signs = iter(text)
    assert all(sign in signs for sign in left), "what is left stands in the text in its order"
