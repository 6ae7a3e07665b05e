"""A plan with how it is paid, as the pages name it, and what becomes of it when it is changed."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask_babel import ngettext

from portal.domain.money import Money
from portal.domain.plans import yearly_saving
from portal.domain.vocabulary import Interval, Service

from . import formatting
from .i18n import Sentence, translated
from .i18n import gettext as _
from .i18n import lazy_gettext as _l


def priced_name(
    names: Mapping[str, str], interval: Interval | str | None, licences: int | None = None
) -> str:
    """`Business 5, monthly`; `Meetings Professional, 10 licences, monthly`; a free plan has its name alone.

    `names` are the catalogue's, by language; `licences` is None for the workspace plan.
    """
    name = translated(names)
    if licences is not None:
        name = _("%(plan)s, %(licences)s", plan=name, licences=_licences(licences))
    return _each_period(name, interval)


def subscription_title(workspace: str, names: Mapping[str, str], licences: int | None) -> str:
    """What a heading is about: `Acme`, which stands for its plan, or `Meetings Professional (Acme)`."""
    if licences is None:
        return workspace
    return _("%(plan)s (%(workspace)s)", plan=translated(names), workspace=workspace)


def licensed_subject(
    workspace: str, names: Mapping[str, str], interval: Interval | str | None, licences: int
) -> str:
    """What a sentence begins with: `Meetings Professional for the workspace Acme (10 licences, monthly)`."""
    return _(
        "%(plan)s for the workspace %(workspace)s (%(licences)s)",
        plan=translated(names),
        workspace=workspace,
        licences=_each_period(_licences(licences), interval),
    )


def _licences(number: int) -> str:
    return ngettext("%(num)d licence", "%(num)d licences", number)


def _each_period(name: str, interval: Interval | str | None) -> str:
    if interval is None:
        return name
    if interval == Interval.YEAR:
        return _("%(plan)s, yearly", plan=name)
    return _("%(plan)s, monthly", plan=name)


def saving_words(*, monthly: Money, yearly: Money) -> str:
    """What paying by the year costs less than twelve months; empty where that is nothing."""
    saving = yearly_saving(monthly=monthly, yearly=yearly)
    if saving is None:
        return ""
    amount = formatting.money(saving.amount)
    if saving.months is None:
        return _("You save %(amount)s a year", amount=amount)
    return ngettext(
        "%(num)d month free: you save %(amount)s a year",
        "%(num)d months free: you save %(amount)s a year",
        saving.months,
        amount=amount,
    )


def order_later(*, refund: bool = False) -> str:
    """Nothing is ordered beside a payment whose result is open, or beside a `refund`."""
    if refund:
        return _("You can order once the result of the refund is known.")
    return _("You can order once the result of the payment is known.")


def change_later(*, refund: bool = False) -> str:
    """Nor is another plan begun, scheduled or withdrawn."""
    if refund:
        return _("You can change the plan once the result of the refund is known.")
    return _("You can change the plan once the result of the payment is known.")


def cancelled_change(names: dict[str, str], *, on: date | None) -> str:
    """Said before an order that takes the place of a scheduled plan; `on` None: its day has passed."""
    name = translated(names)
    if on is None:
        return _("The change to %(plan)s is cancelled by this order.", plan=name)
    return _(
        "The change to %(plan)s on %(date)s is cancelled by this order.", plan=name, date=formatting.day(on)
    )


def change_rows(
    figures: Mapping[str, Any] | None, *, due_on: str, currency: str
) -> list[tuple[str, str, str]]:
    """The six figures of a change (product.md §4), each with its mark; none where nothing became days.

    `figures` are those that a quote or a line of an invoice has frozen (domain/pricing.py, extension_facts),
    `due_on` the due date that they led to, as ISO text. Nothing is computed here.
    """
    if figures is None:
        return []

    def money(name: str) -> str:
        return formatting.money(Money(figures[name], currency))

    return [
        (_("Price per day of the old plan"), money("rate_old_minor"), "quote-rate-old"),
        (_("Price per day of the new plan"), money("rate_new_minor"), "quote-rate-new"),
        (_("Unused days"), str(figures["unused_days"]), "quote-unused"),
        (_("Money left"), money("money_left_minor"), "quote-credit"),
        (_("Extra days"), str(figures["extra_days"]), "quote-days"),
        (_("New due date"), formatting.day(date.fromisoformat(due_on)), "quote-due"),
    ]


SERVICE_WORDS: dict[Service, Sentence] = {
    Service.LDAP: _l("LDAP directory"),
    Service.SSO: _l("Single sign-on"),
    Service.AUTOMATIC_BACKUP: _l("Automatic backup"),
    Service.CUSTOM_DNS: _l("Custom domain name (DNS)"),
    Service.EXTERNAL_SERVICES: _l("External services"),
}
