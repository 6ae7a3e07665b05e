"""Sentences about money that several pages say: the tax and its reason, the method, a decline."""

from collections.abc import Mapping
from typing import Any

from portal.domain.addresses import country_name
from portal.domain.vocabulary import PaymentMethodKind, TaxCategory, TaxReason
from portal.gateways.base import DeclineCode

from .i18n import gettext as _
from .i18n import locale_code

BRANDS = {
    "visa": "Visa",
    "mastercard": "Mastercard",
    "amex": "American Express",
    "jcb": "JCB",
    "discover": "Discover",
}


def method_words(kind: str, brand: str, last4: str) -> str:
    """`Visa •••• 4242`, `PayPal`, …"""
    if kind == PaymentMethodKind.CARD:
        return f"{BRANDS.get(brand, brand) or _('Card')} •••• {last4}" if last4 else _("Card")
    if kind == PaymentMethodKind.PAYPAL:
        return "PayPal"
    if kind == PaymentMethodKind.SEPA_DEBIT:
        return _("SEPA direct debit •••• %(last4)s", last4=last4)
    return _("Bank transfer")


def tax_words(tax: Mapping[str, Any]) -> str:
    """`VAT 20 %`, or why there is none."""
    if tax["category"] == TaxCategory.STANDARD:
        return _("VAT %(rate)s", rate=_percent(tax["rate_bp"]))
    if tax["category"] == TaxCategory.REVERSE_CHARGE:
        return _("VAT – reverse charge")
    return _("VAT – not applicable")


def tax_reason(tax: Mapping[str, Any]) -> str:
    """Why this rate and no other, in one line."""
    country = country_name(tax["country"], locale_code())
    return {
        TaxReason.SELLER_COUNTRY: _("The rate of the seller’s country, %(country)s.", country=country),
        TaxReason.EU_CONSUMER: _("The rate of your country, %(country)s.", country=country),
        TaxReason.EU_BUSINESS_REVERSE_CHARGE: _(
            "You owe the tax yourself in your country (reverse charge, article 196 of directive 2006/112/EC)."
        ),
        TaxReason.OUTSIDE_EU: _("No VAT is due outside the European Union."),
        TaxReason.SPECIAL_TERRITORY: _("A special territory: its own rule applies."),
    }[TaxReason(tax["reason"])]


def _percent(rate_bp: int) -> str:
    # Exact text of a basis-point rate (8.5 %, 25.5 %): Babel reads the digits, no float in between.
    whole, rest = divmod(rate_bp, 100)
    digits = f"{whole}.{rest:02d}".rstrip("0").rstrip(".")
    separator = "," if locale_code() == "fr" else "."
    space = "\N{NO-BREAK SPACE}" if locale_code() == "fr" else ""
    return f"{digits.replace('.', separator)}{space}%"


def decline_sentence(code: str) -> str:
    """What happened and what to do about it."""
    sentences: dict[str, str] = {
        DeclineCode.DECLINED: _("Your bank declined the payment. Use another card, or ask your bank why."),
        DeclineCode.INSUFFICIENT_FUNDS: _(
            "There is not enough money on the account. Try again later, or use another card."
        ),
        DeclineCode.EXPIRED_CARD: _("The card has expired. Use another card."),
        DeclineCode.MANDATE_EXPIRED: _("The debit mandate has expired. Use another method."),
        DeclineCode.INVALID_SECURITY_CODE: _("The security code is wrong. Check it and try again."),
        DeclineCode.AUTHENTICATION_FAILED: _(
            "You did not confirm the payment with your bank. Nothing was charged; you can try again."
        ),
        DeclineCode.REFUSED_BY_PAYER: _(
            "You did not confirm the payment. Nothing was charged; you can try again."
        ),
        DeclineCode.CARD_NOT_ACCEPTED: _("This card is not accepted. Use another card."),
        DeclineCode.ACCOUNT_NOT_ACCEPTED: _("This account is not accepted. Use another one."),
        DeclineCode.METHOD_GONE: _("This method is no longer there. Use another one."),
        DeclineCode.UNSUPPORTED_CURRENCY: _(
            "The method cannot pay in this currency. Choose another currency."
        ),
        DeclineCode.WITHDRAWN: _(
            "You left the payment before it was confirmed. Nothing was charged; you can try again."
        ),
    }
    return sentences.get(code) or _(
        "The payment did not arrive at the bank. Nothing was charged; you can try again."
    )
