"""The names of states."""

import pytest
from flask_babel import force_locale

from portal.domain.vocabulary import DeclineCode, PaymentState, SubscriptionState
from portal.words.states import payment_words, state_words

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


@pytest.mark.parametrize(
    ("locale", "state", "said"),
    [
        ("en", SubscriptionState.CANCELLED, "Cancellation pending"),
        ("en", SubscriptionState.ENDED, "Ended"),
        ("fr", SubscriptionState.CANCELLED, "Résiliation en attente"),
        ("fr", SubscriptionState.ENDED, "Terminé"),
    ],
)
def test_what_was_cancelled_is_called_so_until_it_has_ended(app, locale, state, said) -> None:
    with app.app_context(), force_locale(locale):
        assert state_words(state) == said


def test_every_state_has_a_name_of_its_own(app) -> None:
    with app.app_context(), force_locale("en"):
        assert len({state_words(state) for state in SubscriptionState}) == len(SubscriptionState)
