"""Automatic renewal in one sentence, the same on every page and in every letter."""

from collections.abc import Mapping
from datetime import date

from portal.domain.money import Money
from portal.domain.vocabulary import Interval

from . import formatting
from .i18n import gettext as _
from .plans import priced_name


def renewal_sentence(
    *,
    on: date,
    total: Money,
    has_vat: bool,
    plan_names: Mapping[str, str],
    interval: Interval | str,
    method: str,
    licences: int | None = None,
) -> str:
    """When, how much, with what and what for. `method` in words; empty while it is not known.

    `total` is what is charged; it is said to include VAT only where it does. `licences` is
    None for the workspace plan.
    """
    words = {
        "date": formatting.day(on),
        "total": amount_charged(total, has_vat=has_vat),
        "plan": priced_name(plan_names, Interval(interval), licences),
    }
    if not method:
        return _("Automatic renewal: %(total)s on %(date)s, for %(plan)s.", **words)
    return _(
        "Automatic renewal: %(total)s on %(date)s with %(method)s, for %(plan)s.", method=method, **words
    )


def amount_charged(total: Money, *, has_vat: bool) -> str:
    """`€24.00 including VAT`; the bare amount where no VAT is in it."""
    amount = formatting.money(total)
    return _("%(total)s including VAT", total=amount) if has_vat else amount
