"""The lines of an issued document, read again whatever the version of its facts, with their arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from .frozen_quote import DayShare
from .money import Money
from .periods import Period
from .tax import BASIS_POINTS


@dataclass(frozen=True, slots=True)
class CreditedBefore:
    """What a line of a partial credit note credits: an invoice line, and how it stood until then.

    `net` and `tax` are what earlier credit notes had given back of it.
    """

    position: int
    period: Period
    charged: Money
    net: Money
    tax: Money

    @property
    def left(self) -> Money:
        """Without VAT."""
        return self.charged - self.net

    @property
    def facts(self) -> dict[str, int | str]:
        return {
            "position": self.position,
            "start": self.period.start.isoformat(),
            "end": self.period.end.isoformat(),
            "charged_minor": self.charged.minor,
            "credited_net_minor": self.net.minor,
            "credited_tax_minor": self.tax.minor,
        }


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """A line of an invoice or credit note; `position` counts from 1 and names it within its document.

    `share`: what is charged or credited is that of some days. `credits`: only on partial credit notes.
    """

    position: int
    period: Period
    quantity: int
    unit: Money
    net: Money
    rate_bp: int
    tax: Money
    share: DayShare | None
    credits: CreditedBefore | None

    @property
    def adds_up(self) -> bool:
        """Whether its net follows from quantity, price and days, and its tax from net and rate."""
        if self.share and self.share.days != self.period.days:
            return False
        if self.credits is None:
            price = self.unit * self.quantity
            if self.share is None:
                return (self.net, self.tax) == (price, _tax(self.net, self.rate_bp))
            return (self.share.price, self.net, self.tax) == (
                price,
                self.share.amount,
                _tax(self.net, self.rate_bp),
            )
        return self.share is not None and self._credit_adds_up(self.share, self.credits)

    def _credit_adds_up(self, share: DayShare, before: CreditedBefore) -> bool:
        """As CreditLine of prorated_lines.py reckons it."""
        is_whole_rest = self.period.start == before.period.start
        net = before.left if is_whole_rest else min(share.amount, before.left)
        tax = max(_tax(before.net + net, self.rate_bp) - before.tax, Money.zero(net.currency))
        return (
            (share.price, share.base_days) == (before.charged, before.period.days)
            and before.period.start <= self.period.start
            and self.period.end <= before.period.end
            and net.minor > 0
            and (self.net, self.tax) == (net, tax)
        )


def document_lines(facts: Mapping[str, Any]) -> tuple[DocumentLine, ...]:
    """In their order. Raises KeyError, TypeError, ValueError for what are no facts of a document.

    Version 1, without this key, has lines of whole prices that say neither position nor tax. A credit note
    for a whole invoice has the version of its invoice.
    """
    currency = facts["currency"]
    lines = []
    for position, line in enumerate(facts["lines"], start=1):
        net, rate_bp = Money(line["net_minor"], currency), line["rate_bp"]
        tax = _tax(net, rate_bp)
        if "version" in facts:
            if line["position"] != position:
                raise ValueError(f"a line is not where it says: {line['position']}, not {position}")
            tax = Money(line["tax_minor"], currency)
        lines.append(
            DocumentLine(
                position=position,
                period=_period(line["period"]),
                quantity=line["quantity"],
                unit=Money(line["unit_minor"], currency),
                net=net,
                rate_bp=rate_bp,
                tax=tax,
                share=_share(line.get("share"), currency),
                credits=_credited(line.get("credits"), currency),
            )
        )
    return tuple(lines)


def _tax(net: Money, rate_bp: int) -> Money:
    return net.split(part=rate_bp, whole=BASIS_POINTS)


def _period(facts: Mapping[str, str]) -> Period:
    return Period(date.fromisoformat(facts["start"]), date.fromisoformat(facts["end"]))


def _share(facts: Mapping[str, int] | None, currency: str) -> DayShare | None:
    if facts is None:
        return None
    return DayShare(Money(facts["price_minor"], currency), facts["days"], facts["base_days"])


def _credited(facts: Mapping[str, Any] | None, currency: str) -> CreditedBefore | None:
    if facts is None:
        return None
    return CreditedBefore(
        position=facts["position"],
        period=_period(facts),
        charged=Money(facts["charged_minor"], currency),
        net=Money(facts["credited_net_minor"], currency),
        tax=Money(facts["credited_tax_minor"], currency),
    )
