"""The card's form: one sentence per mistake, and no digit comes back."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.forms.cards import CardForm, NewCardForm, PlaceOrderForm
from tests.forms.conftest import sentences

TODAY = date(2026, 11, 21)
VISA = {
    "number": "4242 4242 4242 4242",
    "exp_month": "11",
    "exp_year": "2026",
    "security_code": "123",
    "holder": "Jeanne Martin",
    "quote": "abc",
}
AMEX = VISA | {"number": "3782 822463 10005", "security_code": "1234"}


@pytest.fixture
def card(submit):
    def check(fields):
        with submit(fields):
            form = CardForm(today=TODAY)
            form.validate_on_submit()
            shown = "".join(field() for field in form)
            return form, sentences(form), shown

    return check


@pytest.mark.parametrize(
    "fields", [VISA, AMEX, VISA | {"number": "N° de carte\u00a0: 4242-4242\u00a04242.4242\u200b"}]
)
def test_a_good_card(card, fields):
    form, errors, _shown = card(fields)

    assert errors == {}
    assert form.number.data == "".join(sign for sign in fields["number"] if sign.isdigit())
    assert form.auto_renewal.data is False


WRONG_CARDS = {
    "no number": ({"number": ""}, {"number": "Enter the number of your card."}),
    "letters": (
        {"number": "4242 abcd 4242 4242"},
        {"number": "Enter the card number using digits only; spaces are allowed."},
    ),
    "check digit": (
        {"number": "4242 4242 4242 4243"},
        {"number": "Check the card number: one of its digits is wrong."},
    ),
    "unknown scheme": (
        {"number": "6304000000000000"},
        {"number": "Enter a Visa, Mastercard, American Express, JCB or Discover card number."},
    ),
    "expired last month": (
        {"exp_month": "10"},
        {"exp_month": "This card has expired: check the date, or use another card."},
    ),
    "no month": ({"exp_month": ""}, {"exp_month": "Choose the month in which your card expires."}),
    "13th month": ({"exp_month": "13"}, {"exp_month": "Choose an option from the list."}),
    "far year": ({"exp_year": "2042"}, {"exp_year": "Choose an option from the list."}),
    "no code": ({"security_code": ""}, {"security_code": "Enter the security code of your card."}),
    "4 digits for Visa": (
        {"security_code": "1234"},
        {"security_code": "Enter the 3 digits of the security code."},
    ),
    "3 digits for American Express": (
        {"number": AMEX["number"]},
        {"security_code": "Enter the 4 digits of the security code."},
    ),
    "no holder": ({"holder": " "}, {"holder": "Enter the name as it appears on the card."}),
    "number as holder": (
        {"holder": "4242 4242 4242 4242"},
        {"holder": "Enter the name on the card here, not its number."},
    ),
}


@pytest.mark.parametrize(("change", "expected"), WRONG_CARDS.values(), ids=WRONG_CARDS)
def test_a_wrong_card_has_one_sentence_per_mistake(card, change, expected):
    _form, errors, _shown = card(VISA | change)

    assert errors == {name: [sentence] for name, sentence in expected.items()}


def test_a_card_is_good_until_the_last_day_of_its_month(submit):
    with submit(VISA):
        assert CardForm(today=date(2026, 11, 30)).validate_on_submit()
    with submit(VISA):
        assert not CardForm(today=date(2026, 12, 1)).validate_on_submit()


def test_no_digit_of_a_card_comes_back(card):
    _form, errors, shown = card(AMEX | {"number": "3782 822463 10006", "holder": "378282246310005"})

    assert set(errors) == {"number", "holder"}
    assert "3782" not in shown and "1234" not in shown
    assert '<option selected value="2026">' in shown


def test_years_run_from_this_one_for_fifteen_more(in_request):
    form = CardForm(today=TODAY)

    assert form.exp_year.offered[0] == "2026"
    assert form.exp_year.offered[-1] == "2041"
    assert len(form.exp_month.offered) == 12
    assert form.auto_renewal.data is False


def test_paypal_needs_no_card_field(submit):
    with submit({"quote": "abc", "auto_renewal": "y"}):
        form = PlaceOrderForm()

        assert form.validate_on_submit()
        assert (form.quote.data, form.auto_renewal.data) == ("abc", True)


@settings(deadline=None)
@given(text=st.text(max_size=60))
def test_no_text_in_a_card_raises(forms_app, text):
    fields = dict.fromkeys(VISA, text.encode("utf-8", "replace").decode())
    with forms_app.test_request_context("/", method="POST", data=fields):
        form = CardForm(today=TODAY)
        assert not form.validate_on_submit()
        "".join(field() for field in form).encode()


def test_a_card_to_keep_has_no_order(in_request):
    assert {"quote", "auto_renewal"}.isdisjoint(field.name for field in NewCardForm(today=TODAY))
