"""Sentences about money that several pages say: the tax and its reason."""

from collections.abc import Mapping
from typing import Any

from portal.domain.addresses import country_name
from portal.domain.errors import CannotBeInvoiced
from portal.domain.exchange_rates import MissingExchangeRate
from portal.domain.vocabulary import TaxCategory, TaxReason

from .formats import rate_text
from .i18n import gettext as _
from .i18n import locale_code


def tax_words(tax: Mapping[str, Any]) -> str:
    """`VAT 20 %`, or why there is none."""
    if tax["category"] == TaxCategory.STANDARD:
        return _("VAT %(rate)s", rate=rate_text(tax["rate_bp"], locale_code()))
    if tax["category"] == TaxCategory.REVERSE_CHARGE:
        return _("VAT – reverse charge")
    return _("VAT – not applicable")


def total_words(*, has_vat: bool) -> str:
    """The label of a total; that VAT is in it only where there is some."""
    return _("Total including VAT") if has_vat else _("Total")


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


def not_invoiced_words(refusal: CannotBeInvoiced) -> str:
    """Why something cannot be ordered that could not be invoiced as the law asks."""
    if isinstance(refusal, MissingExchangeRate):
        return _(
            "We cannot invoice in %(currency)s at the moment: the exchange rate for its VAT is missing. "
            "Nothing was charged. Try again later, or contact us.",
            currency=refusal.currency,
        )
    return _("We do not know the VAT rate of this country yet. Please contact us.")
