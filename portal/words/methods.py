"""Names of payment methods, the same on pages, in letters and on documents."""

from portal.domain.vocabulary import PaidWith, PaymentMethodKind

from .i18n import gettext as _

BRAND_NAMES = {
    "visa": "Visa",
    "mastercard": "Mastercard",
    "amex": "American Express",
    "american_express": "American Express",
    "jcb": "JCB",
    "discover": "Discover",
    "diners": "Diners Club",
    "unionpay": "UnionPay",
    "cartes_bancaires": "CB",
}
"""As the schemes write themselves, by the codes that gateways tell."""


def card_name(brand: str, last4: str, *, brandless: str) -> str:
    """`Visa •••• 4242`; `brandless` is the word for a card whose scheme nobody told."""
    name = BRAND_NAMES.get(brand, brand.title()) or brandless
    return f"{name} •••• {last4}" if last4 else name


def method_words(kind: str, brand: str, last4: str) -> str:
    """`Visa •••• 4242`, `PayPal`, `SEPA direct debit •••• 4242`, …"""
    if kind == PaymentMethodKind.CARD:
        return card_name(brand, last4, brandless="" if brand else _("Card"))
    if kind == PaymentMethodKind.PAYPAL:
        return "PayPal"
    if kind == PaidWith.BALANCE:
        return _("Balance")
    if kind == PaymentMethodKind.SEPA_DEBIT:
        return _("SEPA direct debit •••• %(last4)s", last4=last4) if last4 else _("SEPA direct debit")
    return _("Bank transfer")
