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


NO_BREAK_SPACE = "\u00a0"


def card_name(brand: str, last4: str, *, brandless: str) -> str:
    """`Visa •••• 4242` as documents print it; `brandless` is the word for a card whose scheme nobody told."""
    return _with_digits(_scheme_name(brand) or brandless, last4, space=" ")


def method_words(kind: str, brand: str, last4: str) -> str:
    """`Visa •••• 4242`, `PayPal`, `SEPA direct debit •••• 4242`, …: no line breaks before the digits."""
    if kind == PaymentMethodKind.CARD:
        return _with_digits(_scheme_name(brand) or _("Card"), last4, space=NO_BREAK_SPACE)
    if kind == PaymentMethodKind.PAYPAL:
        return "PayPal"
    if kind == PaidWith.BALANCE:
        return _("Balance")
    if kind == PaymentMethodKind.SEPA_DEBIT:
        return _with_digits(_("SEPA direct debit"), last4, space=NO_BREAK_SPACE)
    return _("Bank transfer")


def kind_words(kind: str) -> str:
    """The kind alone, as somebody chooses it."""
    return _("Card") if kind == PaymentMethodKind.CARD else method_words(kind, "", "")


def _scheme_name(brand: str) -> str:
    return BRAND_NAMES.get(brand, brand.title())


def _with_digits(name: str, last4: str, *, space: str) -> str:
    return f"{name}{space}••••{space}{last4}" if last4 else name
