"""Dates and amounts as the reader's language writes them; no line breaks inside one."""

from datetime import UTC, date, datetime

import pytest
from babel.numbers import list_currencies
from flask_babel import force_locale
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.money import Money, exponent
from portal.words import formatting
from portal.words.formats import money_text

pytestmark = pytest.mark.engine("sqlite")

FIRST, LATER = date(2027, 1, 1), date(2026, 11, 21)
NOON = datetime(2027, 1, 1, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("locale", "written"),
    [
        ("en", ["1 January 2027", "21 November 2026", "1 January", "1 Jan 2027, 12:00"]),
        ("fr", ["1er janvier 2027", "21 novembre 2026", "1er janvier", "1er janv. 2027, 12:00"]),
    ],
)
def test_a_date_is_written_whole(app, locale, written):
    with app.app_context(), force_locale(locale):
        dates = [
            formatting.day(FIRST),
            formatting.day(LATER),
            formatting.day_of_any_year(FIRST),
            formatting.instant(NOON, "Europe/Paris").replace(", ", ",_"),
        ]
    assert not any(" " in each for each in dates)
    assert [each.replace("\N{NO-BREAK SPACE}", " ").replace("_", " ") for each in dates] == written


@pytest.mark.parametrize(("locale", "written"), [("en", "−€33.60"), ("fr", "−33,60_€")])
def test_what_goes_back_has_a_true_minus(app, locale, written):
    with app.app_context(), force_locale(locale):
        assert formatting.money(Money(-3360, "EUR")).replace("\N{NO-BREAK SPACE}", "_") == written


@pytest.mark.parametrize(
    ("minor", "currency", "english"),
    [
        # CLDR would round these away: a page that says less than is charged.
        (199040, "RSD", "RSD_1,990.40"),
        (238848, "RSD", "RSD_2,388.48"),
        (2500, "HUF", "HUF_25.00"),
        (2550, "COP", "COP_25.50"),
        (1800, "EUR", "€18.00"),
        (500, "JPY", "¥500"),
        (3000, "KWD", "KWD_3.000"),
    ],
)
def test_a_page_shows_the_digits_of_iso_4217(app, minor, currency, english):
    with app.app_context(), force_locale("en"):
        assert formatting.money(Money(minor, currency)).replace("\N{NO-BREAK SPACE}", "_") == english


@given(
    st.sampled_from(sorted(list_currencies())), st.sampled_from(["en", "fr"]), st.integers(-(10**15), 10**15)
)
def test_no_amount_loses_a_digit_in_any_currency(currency, locale, minor):
    written = "".join(sign for sign in money_text(minor, currency, locale) if sign.isdigit())
    assert len(written) > exponent(currency)
    assert int(written) == abs(minor)
