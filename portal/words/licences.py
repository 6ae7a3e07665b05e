"""Licences of a product and what they cost, in words. All amounts are without VAT."""

from flask_babel import ngettext

from portal.domain.money import Money
from portal.domain.vocabulary import Interval, PriceUnit
from portal.domain.volume_price import VolumePrice

from . import formatting
from .i18n import gettext as _


def licences_words(number: int) -> str:
    """`1 licence`, `10 licences`."""
    return ngettext("%(count)s licence", "%(count)s licences", number, count=formatting.number(number))


def assigned_words(assigned: int, paid: int) -> str:
    """`3 of 12 assigned`."""
    return ngettext(
        "%(num)d of %(paid)s assigned", "%(num)d of %(paid)s assigned", assigned, paid=formatting.number(paid)
    )


def rate_words(price: VolumePrice, interval: Interval, quantity: int = 1) -> str:
    """What each licence costs in an order of `quantity`; a flat price is that of all of them."""
    amount = formatting.money(price.unit_amount(quantity))
    if price.unit is PriceUnit.FLAT:
        return amount_words(price.list_amount, interval)
    if interval is Interval.YEAR:
        return _("%(amount)s per licence a year", amount=amount)
    return _("%(amount)s per licence a month", amount=amount)


def amount_words(amount: Money, interval: Interval) -> str:
    """`€130.00 a month`."""
    if interval is Interval.YEAR:
        return _("%(amount)s a year", amount=formatting.money(amount))
    return _("%(amount)s a month", amount=formatting.money(amount))


def tier_words(price: VolumePrice) -> tuple[str, ...]:
    """From how many licences on each of them costs something else, the fewest first."""
    if price.unit is PriceUnit.FLAT:
        return ()
    return tuple(
        _(
            "%(number)s or more: %(amount)s each",
            number=formatting.number(tier.from_licences),
            amount=formatting.money(Money(tier.amount_minor, price.list_amount.currency)),
        )
        for tier in sorted(price.tiers, key=lambda tier: tier.from_licences)
    )
