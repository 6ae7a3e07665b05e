"""Why an amount is what it is: its arithmetic in words, from the figures that were frozen with it."""

from portal.domain.frozen_quote import DayShare, FrozenCredit, FrozenLine
from portal.domain.invoice_lines import DocumentLine
from portal.domain.money import Money

from . import formatting
from .formats import rate_text
from .i18n import gettext as _
from .i18n import locale_code


def quoted_line_words(line: FrozenLine) -> list[str]:
    """Of a line of an order."""
    words = _charge_words(line.billed_quantity, line.unit, line.share, line.net)
    if line.extension is not None:
        words.append(_("A new period is charged in full; what was left of the old plan becomes days."))
    return [*words, *_tax_words(line.net, line.rate_bp, line.tax)]


def credit_words(credit: FrozenCredit) -> list[str]:
    """Of what an order gives back."""
    share = DayShare(credit.charged, credit.unused_days, credit.days)
    return _credit_words(share, credit.credited_before, credit.net, credit.tax)


def document_line_words(line: DocumentLine) -> list[str]:
    """Of a line of an invoice or credit note."""
    if line.credits is not None and line.share is not None:
        return _credit_words(line.share, line.credits.net, line.net, line.tax)
    words = _charge_words(line.quantity, line.unit, line.share, line.net)
    return [*words, *_tax_words(line.net, line.rate_bp, line.tax)]


def _charge_words(quantity: int, unit: Money, share: DayShare | None, net: Money) -> list[str]:
    price = formatting.money(unit * quantity)
    if quantity == 1:
        words = [_("%(price)s for the whole period, excluding VAT.", price=price)]
    else:
        words = [
            _(
                "%(quantity)s × %(unit)s = %(price)s for the whole period, excluding VAT.",
                quantity=formatting.number(quantity),
                unit=formatting.money(unit),
                price=price,
            )
        ]
    if share is not None:
        words.append(
            _(
                "For %(days)s of its %(base_days)s days: %(price)s × %(days)s ÷ %(base_days)s = %(net)s.",
                net=formatting.money(net),
                **_share(share),
            )
        )
    return words


def _tax_words(net: Money, rate_bp: int | None, tax: Money) -> list[str]:
    if not rate_bp:
        return []
    return [
        _(
            "VAT: %(net)s × %(rate)s = %(tax)s.",
            net=formatting.money(net),
            rate=rate_text(rate_bp, locale_code()),
            tax=formatting.money(tax),
        )
    ]


def _credit_words(share: DayShare, before: Money, net: Money, tax: Money) -> list[str]:
    words = [
        _(
            "%(price)s was charged for %(base_days)s days, excluding VAT. It comes back for %(days)s of "
            "them: %(price)s × %(days)s ÷ %(base_days)s = %(amount)s.",
            amount=formatting.money(share.amount),
            **_share(share),
        )
    ]
    if before.minor:
        words.append(_("%(before)s of it had been given back before.", before=formatting.money(before)))
    if net != share.amount:
        words.append(_("What is left of it is given back: %(net)s.", net=formatting.money(net)))
    if tax.minor:
        words.append(
            _(
                "With the VAT that was charged on it, %(tax)s: %(gross)s.",
                tax=formatting.money(tax),
                gross=formatting.money(net + tax),
            )
        )
    return words


def _share(share: DayShare) -> dict[str, str]:
    return {
        "price": formatting.money(share.price),
        "days": formatting.number(share.days),
        "base_days": formatting.number(share.base_days),
    }
