"""Dates and amounts as the reader's language writes them; no line breaks inside one."""

from datetime import UTC, date, datetime

import pytest
from flask_babel import force_locale

from portal.domain.money import Money
from portal.words import formatting

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
