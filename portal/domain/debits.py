"""SEPA direct debits are made in euros, whatever account they debit (SEPA Core rulebook, EPC016-06)."""

from .vocabulary import PaymentMethodKind

CURRENCY_OF_DEBITS = "EUR"


def is_charged_in(kind: PaymentMethodKind, currency: str) -> bool:
    """Whether a method of this kind can pay an amount in this currency."""
    return kind != PaymentMethodKind.SEPA_DEBIT or currency == CURRENCY_OF_DEBITS
