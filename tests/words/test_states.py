"""The names of states."""

import pytest
from flask_babel import force_locale

from portal.domain.vocabulary import DeclineCode, PaymentState
from portal.words.states import payment_words

pytestmark = pytest.mark.engine("sqlite")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (DeclineCode.INSUFFICIENT_FUNDS, "Declined"),
        (DeclineCode.AUTHENTICATION_FAILED, "Not confirmed"),
        (DeclineCode.WITHDRAWN, "Not confirmed"),
    ],
)
def test_what_was_not_confirmed_is_called_so(app, code, said) -> None:
    with app.app_context(), force_locale("en"):
        assert payment_words(PaymentState.DECLINED, code) == said
