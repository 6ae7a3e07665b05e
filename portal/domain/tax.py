"""Which VAT an invoice bears, and why.

The rule is for services supplied electronically (Directive 2006/112/EC art. 44, 58, 196): business buyers are
taxed where they are established, consumers where they live. Consumers abroad pay their own country's rate
from the first euro; the option of art. 59c (below €10,000 a year, the seller's rate) is not taken.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from .errors import MissingVatRate
from .money import Money
from .vat_rates import (
    EU_MEMBER_STATES,
    TERRITORY_RULES,
    VAT_RATES,
    TaxPlace,
    Territory,
    TerritoryRule,
    VatRate,
    standard_rate,
    tax_place_of,
)
from .vocabulary import TaxCategory, TaxReason, VatStatus

BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who is invoiced: ISO 3166 country, post code as typed, compact VAT number with its prefix ("EL…")."""

    country: str
    postal_code: str | None
    is_business: bool
    vat_number: str | None
    vat_status: VatStatus

    @classmethod
    def of(cls, details: Mapping[str, object]) -> "Buyer":
        """The buyer that billing details name, as an order keeps them."""
        return cls(
            country=str(details["country"]),
            postal_code=str(details["postal_code"]) or None,
            is_business=bool(details["is_business"]),
            vat_number=str(details["vat_number"]) or None,
            vat_status=VatStatus(str(details["vat_status"])),
        )


@dataclass(frozen=True, slots=True)
class TaxDecision:
    """Rate in basis points (2000 = 20 %), its category and reason, and the country whose VAT law it rests on.

    `territory` is the special territory that decided it, for the sentence on the page; else None.
    """

    rate_bp: int
    category: TaxCategory
    reason: TaxReason
    country: str
    territory: Territory | None = None

    def tax_on(self, net: Money) -> Money:
        """Tax of one line, its only rounding (half up). Gross is net + tax; totals are sums of lines."""
        return net.split(part=self.rate_bp, whole=BASIS_POINTS)


def tax_facts(tax: TaxDecision | None) -> dict[str, object] | None:
    """The decision as a quote keeps it."""
    if tax is None:
        return None
    return {
        "rate_bp": tax.rate_bp,
        "category": tax.category.value,
        "reason": tax.reason.value,
        "country": tax.country,
        "territory": tax.territory.value if tax.territory else None,
    }


def tax_of(facts: Mapping[str, Any]) -> TaxDecision:
    """The decision that `tax_facts` wrote."""
    return TaxDecision(
        rate_bp=facts["rate_bp"],
        category=TaxCategory(facts["category"]),
        reason=TaxReason(facts["reason"]),
        country=facts["country"],
        territory=Territory(facts["territory"]) if facts.get("territory") else None,
    )


def vat_prefix(country: str) -> str:
    """The letters that begin a VAT number of `country`: EL for Greece, FR for Monaco, else the ISO code."""
    country = tax_place_of(country, None).country
    return "EL" if country == "GR" else country


def decide_tax(
    *,
    seller_country: str,
    buyer: Buyer,
    on: date,
    unchecked_counts_as_valid: bool,
    rates: Iterable[VatRate] = VAT_RATES,
) -> TaxDecision:
    """The one tax decision for a whole order, on its tax point `on` (product.md §4).

    `unchecked_counts_as_valid` is the seller's setting for numbers that the register has not answered for.
    The seller is taken to be on its country's mainland. Raises MissingVatRate when the rate that would
    apply is unknown, also for a country that is not two capital letters: never 0 % by accident.
    """
    for country in (seller_country, buyer.country):
        if not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()):
            raise MissingVatRate(country=country, on=on)
    home = tax_place_of(seller_country, None).country
    place = tax_place_of(buyer.country, buyer.postal_code)
    if place.territory is not None:
        rule = TERRITORY_RULES[place.territory]
        if rule is not TerritoryRule.REGIONAL_RATE:
            return _outside_the_vat_area(place, rule, is_home=place.country == home, on=on, rates=rates)
    if place.country != home:
        if place.country not in EU_MEMBER_STATES:
            return TaxDecision(0, TaxCategory.OUTSIDE_SCOPE, TaxReason.OUTSIDE_EU, place.country)
        if _owes_the_tax_itself(buyer, unchecked_counts_as_valid=unchecked_counts_as_valid):
            reason = TaxReason.EU_BUSINESS_REVERSE_CHARGE
            return TaxDecision(0, TaxCategory.REVERSE_CHARGE, reason, place.country)
    reason = TaxReason.SELLER_COUNTRY if place.country == home else TaxReason.EU_CONSUMER
    return _standard(place, reason, on=on, rates=rates)


def _outside_the_vat_area(
    place: TaxPlace, rule: TerritoryRule, *, is_home: bool, on: date, rates: Iterable[VatRate]
) -> TaxDecision:
    if is_home and rule is TerritoryRule.HOME_RATE:
        return _standard(TaxPlace(place.country, None), TaxReason.SELLER_COUNTRY, on=on, rates=rates)
    if is_home and rule is TerritoryRule.HOME_REGIONAL_RATE:
        return _standard(place, TaxReason.SPECIAL_TERRITORY, on=on, rates=rates)
    reason = TaxReason.SPECIAL_TERRITORY
    return TaxDecision(0, TaxCategory.OUTSIDE_SCOPE, reason, place.country, place.territory)


def _standard(place: TaxPlace, reason: TaxReason, *, on: date, rates: Iterable[VatRate]) -> TaxDecision:
    rate = standard_rate(place.country, on, place.territory, rates=rates)
    if place.territory is not None:
        reason = TaxReason.SPECIAL_TERRITORY
    return TaxDecision(rate.rate_bp, TaxCategory.STANDARD, reason, place.country, place.territory)


def _owes_the_tax_itself(buyer: Buyer, *, unchecked_counts_as_valid: bool) -> bool:
    """A business with a valid number of its own country: one of another country proves nothing here."""
    if not buyer.is_business or not buyer.vat_number:
        return False
    if not buyer.vat_number.startswith(vat_prefix(buyer.country)):
        return False
    if buyer.vat_status is VatStatus.UNCHECKED:
        return unchecked_counts_as_valid
    return buyer.vat_status is VatStatus.VALID
