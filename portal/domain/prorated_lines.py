"""The lines of a change of licences: what was charged, what of it is given back, and what is charged anew.

Each line is rounded once, half up, and so is its tax; sums are sums of lines (docs/adr/0001, docs/adr/0023).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from .licence_terms import LicenceTerms
from .money import Money
from .periods import Period
from .tax import TaxDecision, tax_facts
from .vocabulary import TaxCategory


@dataclass(frozen=True, slots=True)
class RunningLine:
    """An invoice line of the subscription that pays for days to come, and what was given back of it since.

    `key` names it and is not looked into. `net` was charged for `period`: `quantity` times `unit`, or a share
    of that; `tax` is the decision of its invoice. `credited_from` is the first day that an earlier change
    has given back: from there on it pays for nothing. None: no change did.
    Raises CurrencyMismatch for amounts of two currencies.
    """

    key: str
    period: Period
    quantity: int
    unit: Money
    net: Money
    tax: TaxDecision
    credited_net: Money
    credited_tax: Money
    credited_from: date | None = None

    def __post_init__(self) -> None:
        zero = Money.zero(self.net.currency)
        if not zero <= self.credited_net <= self.net or not zero <= self.credited_tax <= self.tax_amount:
            raise ValueError(f"credited more than was charged: {self}")
        if self.credited_from is not None and not self.period.start <= self.credited_from <= self.period.end:
            raise ValueError(f"credited from a day that it does not pay for: {self}")

    @property
    def tax_amount(self) -> Money:
        return self.tax.tax_on(self.net)

    @property
    def until(self) -> date:
        """The first day that it does not pay for, or no longer."""
        return self.credited_from or self.period.end

    def days_left(self, on: date) -> int:
        """Days that it pays for from `on`, that day included."""
        return max(0, (self.until - max(on, self.period.start)).days)

    @property
    def facts(self) -> dict[str, object]:
        return {
            "line": self.key,
            "start_on": self.period.start.isoformat(),
            "end_on": self.period.end.isoformat(),
            "days": self.period.days,
            "quantity": self.quantity,
            "unit_minor": self.unit.minor,
            "charged_minor": self.net.minor,
            "credited_before_minor": self.credited_net.minor,
            "tax": tax_facts(self.tax),
        }


@dataclass(frozen=True, slots=True)
class CreditLine:
    """What comes back of one invoice line: a line of a credit note that names it. Never negative."""

    line: RunningLine
    unused_days: int

    @property
    def period(self) -> Period:
        """The days that are given back; its start is `credited_from` of the line from then on."""
        return Period(self.line.until - timedelta(days=self.unused_days), self.line.until)

    @property
    def share(self) -> Money:
        """The unused share of what was charged, before anybody asks what is left of it."""
        return self.line.net.split(part=self.unused_days, whole=self.line.period.days)

    @property
    def net(self) -> Money:
        """The share, at most what is left; all that is left with the last day that the line pays for."""
        left = self.line.net - self.line.credited_net
        begins_with_the_line = self.line.until - timedelta(days=self.unused_days) == self.line.period.start
        return left if self.unused_days and begins_with_the_line else min(self.share, left)

    @property
    def tax_amount(self) -> Money:
        """What brings the tax given back in all to that on the net given back in all.

        So that the tax of no line comes back twice, and all of it once its whole net has. It is the tax on
        `net`, rounded, for a first credit; for a later one it may be a minor unit more or less.
        """
        in_all = self.line.tax.tax_on(self.line.credited_net + self.net)
        return max(in_all - self.line.credited_tax, Money.zero(in_all.currency))

    @property
    def gross(self) -> Money:
        return self.net + self.tax_amount

    @property
    def tax(self) -> TaxDecision:
        return self.line.tax

    @property
    def facts(self) -> dict[str, object]:
        return {
            **self.line.facts,
            "unused_start_on": self.period.start.isoformat(),
            "unused_end_on": self.period.end.isoformat(),
            "unused_days": self.unused_days,
            "share_minor": self.share.minor,
            "net_minor": self.net.minor,
            "tax_minor": self.tax_amount.minor,
            "gross_minor": self.gross.minor,
        }


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """An invoice line for the new terms: `period` is all of `base` or what of it is still to come.

    `tax` is None until the buyer is known, as on a quote.
    """

    terms: LicenceTerms
    base: Period
    period: Period
    tax: TaxDecision | None

    @property
    def net(self) -> Money:
        return self.terms.price.split(part=self.period.days, whole=self.base.days)

    @property
    def tax_amount(self) -> Money:
        return self.tax.tax_on(self.net) if self.tax else Money.zero(self.net.currency)

    @property
    def gross(self) -> Money:
        return self.net + self.tax_amount

    @property
    def facts(self) -> dict[str, object]:
        return {
            "start_on": self.period.start.isoformat(),
            "end_on": self.period.end.isoformat(),
            "days": self.period.days,
            "base_days": self.base.days,
            "quantity": self.terms.billed_quantity,
            "unit_minor": self.terms.unit.minor,
            "price_minor": self.terms.price.minor,
            "net_minor": self.net.minor,
            "tax_minor": self.tax_amount.minor,
            "gross_minor": self.gross.minor,
        }


@dataclass(frozen=True, slots=True)
class RateSum:
    """The sums of all lines of one tax rate and category."""

    rate_bp: int
    category: TaxCategory
    net: Money
    tax_amount: Money

    @property
    def gross(self) -> Money:
        return self.net + self.tax_amount

    @property
    def facts(self) -> dict[str, object]:
        return {
            "rate_bp": self.rate_bp,
            "category": self.category.value,
            "net_minor": self.net.minor,
            "tax_minor": self.tax_amount.minor,
            "gross_minor": self.gross.minor,
        }


def sums_by_rate(lines: Sequence[CreditLine] | Sequence[ChargeLine]) -> tuple[RateSum, ...]:
    """In the order in which the rates first appear."""
    sums: dict[tuple[int, TaxCategory], RateSum] = {}
    for line in lines:
        if line.tax is None:
            continue
        key = line.tax.rate_bp, line.tax.category
        zero = Money.zero(line.net.currency)
        before = sums.get(key, RateSum(*key, zero, zero))
        sums[key] = RateSum(*key, before.net + line.net, before.tax_amount + line.tax_amount)
    return tuple(sums.values())
