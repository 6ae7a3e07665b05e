"""The names of payment methods."""

import pytest
from flask_babel import force_locale

from portal.domain.vocabulary import PaidWith
from portal.words.methods import card_name, method_words

pytestmark = pytest.mark.engine("sqlite")


@pytest.mark.parametrize(
    ("locale", "method", "said"),
    [
        ("en", (PaidWith.CARD, "visa", "4242"), "Visa\u00a0••••\u00a04242"),
        ("en", (PaidWith.CARD, "amex", "0005"), "American Express\u00a0••••\u00a00005"),
        ("en", (PaidWith.CARD, "visa", ""), "Visa"),
        ("fr", (PaidWith.CARD, "", "4242"), "Carte\u00a0••••\u00a04242"),
        ("fr", (PaidWith.SEPA_DEBIT, "", "3201"), "Prélèvement SEPA\u00a0••••\u00a03201"),
        ("en", (PaidWith.SEPA_DEBIT, "", ""), "SEPA direct debit"),
    ],
)
def test_no_line_breaks_before_the_digits(app, locale, method, said) -> None:
    with app.app_context(), force_locale(locale):
        assert method_words(*method) == said


def test_documents_keep_their_bytes() -> None:
    assert card_name("visa", "4242", brandless="Card") == "Visa •••• 4242"
