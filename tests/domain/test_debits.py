"""In which currency a method may be charged."""

import pytest

from portal.domain.debits import is_charged_in
from portal.domain.vocabulary import PaymentMethodKind


@pytest.mark.parametrize("kind", PaymentMethodKind)
def test_every_method_pays_euros(kind):
    assert is_charged_in(kind, "EUR")


@pytest.mark.parametrize("currency", ["USD", "CHF", "GBP", "DKK", "BGN"])
@pytest.mark.parametrize("kind", PaymentMethodKind)
def test_direct_debits_pay_nothing_else(kind, currency):
    assert is_charged_in(kind, currency) == (kind != PaymentMethodKind.SEPA_DEBIT)
