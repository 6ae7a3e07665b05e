"""The exchange rates that operators keep: what holds for an invoice of today, and what is missing for one.

In the sandbox a make-believe rate stands in for a missing one: its clock may stand on any day.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast

from peewee import JOIN

from portal.database.connecting import transaction
from portal.database.prepared import Parameter, Prepared
from portal.domain.exchange_rates import (
    VALID_FOR,
    ExchangeRate,
    MissingExchangeRate,
    rate_on,
    sandbox_rate,
)
from portal.domain.invoicing import needs_exchange_rate
from portal.domain.money import Money
from portal.models import ExchangeRate as KeptRate
from portal.models import Person, Price
from portal.runtime import current
from portal.services import audit, letters
from portal.settings import Settings

WARN_AHEAD = timedelta(days=2)
"""Whoever keeps the rates is told so many days before an order would be refused."""

log = logging.getLogger(__name__)

_newest = Prepared(
    lambda: (
        KeptRate.select(KeptRate.rate_on, KeptRate.millionths, KeptRate.source)
        .where(
            KeptRate.base == Parameter("base"),
            KeptRate.currency == Parameter("currency"),
            KeptRate.rate_on <= Parameter("on"),
        )
        .order_by(KeptRate.rate_on.desc(), KeptRate.id.desc())
        .limit(1)
        .tuples()
    )
)


def require_for(tax: Money, *, now: datetime) -> None:
    """Refuse what could not be invoiced today: VAT in a currency whose rate is not known.

    Nothing is asked where no rate is needed. Raises MissingExchangeRate.
    """
    if not _is_needed(tax):
        return
    settings = current().settings
    on = _sellers_day(settings, now)
    if _holding(settings, tax.currency, on, last=_last(settings, tax.currency, on)) is None:
        log.error("no exchange rate of %s for %s: an order is refused", tax.currency, on)
        raise MissingExchangeRate(currency=tax.currency, on=on)


def for_issue(tax: Money, *, on: date) -> ExchangeRate | None:
    """The rate for an invoice issued on that day; None where none is needed.

    Its order was accepted while a rate held (`require_for`). Money that was long on its way may find it grown
    old since: then the last one before the day is told, with its date. None too where there is none at all,
    as for an order from before rates were kept: what was paid is invoiced, without that figure.
    """
    if not _is_needed(tax):
        return None
    settings = current().settings
    last = _last(settings, tax.currency, on)
    rate = _holding(settings, tax.currency, on, last=last) or last
    if rate is None:
        log.error("no exchange rate of %s for %s: an invoice goes without one", tax.currency, on)
    return rate


def _is_needed(tax: Money) -> bool:
    seller_currency = current().settings.seller.currency
    return needs_exchange_rate(tax.currency, tax_minor=tax.minor, seller_currency=seller_currency)


def _holding(
    settings: Settings, currency: str, on: date, *, last: ExchangeRate | None
) -> ExchangeRate | None:
    """What holds on the day where `last` is the newest that was kept."""
    holding = rate_on([last] if last else [], on)
    if holding is None and settings.sandbox_only:
        return sandbox_rate(settings.seller.currency, currency, on)
    return holding


def _last(settings: Settings, currency: str, on: date) -> ExchangeRate | None:
    """The newest on or before the day, whatever its age. One query."""
    base = settings.seller.currency
    found = _newest.rows(base=base, currency=currency, on=on)
    return ExchangeRate(base, currency, *found[0]) if found else None


def _sellers_day(settings: Settings, now: datetime) -> date:
    return now.astimezone(settings.seller.zone).date()


# --- for operators --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CurrencyNeed:
    """A currency that something is sold in beside the seller's own, and until when its rate holds.

    `last_day`: the last one on which orders in it are accepted; None: none are today. `is_pretended`: by a
    make-believe rate of the sandbox.
    """

    currency: str
    rate: ExchangeRate | None
    last_day: date | None
    is_pretended: bool
    today: date

    @property
    def is_urgent(self) -> bool:
        return self.last_day is None or (not self.is_pretended and self.last_day < self.today + WARN_AHEAD)


def needs(settings: Settings, *, now: datetime) -> list[CurrencyNeed]:
    """Of every currency in the catalogue of today but the seller's own. One query."""
    today, own = _sellers_day(settings, now), settings.seller.currency
    other = KeptRate.alias()
    last = (
        other.select(other.id)
        .where(other.base == own, other.currency == Price.currency, other.rate_on <= today)
        .order_by(other.rate_on.desc(), other.id.desc())
        .limit(1)
    )
    on_sale = (
        Price.select(Price.currency, KeptRate.rate_on, KeptRate.millionths, KeptRate.source)
        .distinct()
        .join(KeptRate, JOIN.LEFT_OUTER, on=KeptRate.id == last)
        .where(
            Price.currency != own,
            Price.amount_minor > 0,
            Price.valid_until.is_null() | (Price.valid_until > today),
        )
        .order_by(Price.currency)
        .tuples()
    )
    return [
        _need(settings, currency, today, last=ExchangeRate(own, currency, *kept) if kept[0] else None)
        for currency, *kept in cast("Iterable[tuple[Any, ...]]", on_sale)
    ]


def currencies() -> list[str]:
    """Every one that something is sold in, or was, beside the seller's own: people keep what they bought."""
    own = current().settings.seller.currency
    found = Price.select(Price.currency).distinct().where(Price.currency != own).order_by(Price.currency)
    return [price.currency for price in found]


def _need(settings: Settings, currency: str, today: date, *, last: ExchangeRate | None) -> CurrencyNeed:
    rate = _holding(settings, currency, today, last=last)
    is_pretended = rate is not None and rate != last
    last_day = rate.on + VALID_FOR if rate else None
    return CurrencyNeed(currency, rate or last, last_day, is_pretended, today)


def count_urgent(*, now: datetime) -> int:
    return sum(need.is_urgent for need in needs(current().settings, now=now))


def newest(*, size: int, before: int | None = None) -> list[KeptRate]:
    """The rates as they were added, the last one first. One query."""
    found = KeptRate.select(KeptRate, Person).left_outer_join(Person).order_by(KeptRate.id.desc()).limit(size)
    return list(found if before is None else found.where(KeptRate.id < before))


def add(rate: ExchangeRate, *, by: Person | None, now: datetime) -> None:
    """One more row; none is ever changed, and of two for one day this one counts."""
    with transaction():
        KeptRate.create(
            base=rate.base,
            currency=rate.currency,
            rate_on=rate.on,
            millionths=rate.millionths,
            source=rate.source,
            added_by=by,
            added_at=now,
        )
        audit.record(
            "exchange_rate.added",
            workspace=None,
            subject=f"{rate.base}/{rate.currency}",
            changes={"on": rate.on.isoformat(), "millionths": rate.millionths, "source": rate.source},
            now=now,
        )


def tell_operators(*, now: datetime) -> None:
    """A letter to each operator about the rates that are missing or soon will be, once a day."""
    urgent: Sequence[CurrencyNeed] = [need for need in needs(current().settings, now=now) if need.is_urgent]
    if not urgent:
        return
    currencies = ", ".join(need.currency for need in urgent)
    with transaction():
        for operator in Person.select().where(Person.is_operator).order_by(Person.id):
            letters.promise(
                "exchange_rates_missing",
                key=f"exchange-rates-{urgent[0].today}-{operator.id}",
                to=operator.email,
                locale=letters.mail_locale(operator),
                context={"name": operator.name, "currencies": currencies},
            )
