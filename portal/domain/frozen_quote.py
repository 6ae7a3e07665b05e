"""A quote as it was frozen on its order, read again whatever the version of its facts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from .money import Money
from .periods import Period, period_from
from .tax import BASIS_POINTS
from .vocabulary import Interval, OrderKind


@dataclass(frozen=True, slots=True)
class DayShare:
    """A share of `price`: what `days` of the `base_days` that it pays for cost."""

    price: Money
    days: int
    base_days: int

    @property
    def amount(self) -> Money:
        """Its only rounding, half up."""
        return self.price.split(part=self.days, whole=self.base_days)

    @property
    def facts(self) -> dict[str, int]:
        return {"price_minor": self.price.minor, "days": self.days, "base_days": self.base_days}


@dataclass(frozen=True, slots=True)
class FrozenLine:
    """One line of the facts of a quote (pricing.py), as values.

    Its period is [start_on, due_on), of which the price pays for the days before `base_end_on`. `rate_bp` is
    None where the buyer was not known yet. A whole period costs `unit` times `billed_quantity`: a flat price
    is billed once, whatever the `quantity` of licences. `share` is None where that is charged; else the
    line's facts have `days` and `base_days`. `extension`: the six figures of a change, as they were frozen.
    """

    kind: OrderKind
    plan_code: str
    plan_names: Mapping[str, str]
    is_licensed: bool
    interval: Interval
    price_id: int
    quantity: int
    billed_quantity: int
    unit: Money
    net: Money
    rate_bp: int | None
    tax: Money
    start_on: date
    base_end_on: date
    due_on: date
    anchor_day: int
    extension: Mapping[str, Any] | None
    share: DayShare | None = None

    @property
    def licences(self) -> int | None:
        """How many of a licensed product; None for the workspace plan."""
        return self.quantity if self.is_licensed else None

    @property
    def price(self) -> Money:
        """Of one whole period, without VAT."""
        return self.unit * self.billed_quantity

    @property
    def tax_on_price(self) -> Money:
        """Of one whole period; nothing while the buyer is not known."""
        return self.price.split(part=self.rate_bp or 0, whole=BASIS_POINTS)

    @property
    def price_with_tax(self) -> Money:
        """Of one whole period: what comes next, where the line has charged a share of one."""
        return self.price + self.tax_on_price

    @property
    def changes_licences(self) -> bool:
        """Licences that run become those of the line."""
        return self.is_licensed and self.kind is OrderKind.CHANGE

    @property
    def prolongs_licences(self) -> bool:
        """It pays by hand for the period of licences that was due."""
        return self.is_licensed and self.kind is OrderKind.PROLONG

    @property
    def reckoned_net(self) -> Money:
        """What `net` has to be."""
        return self.share.amount if self.share else self.price


@dataclass(frozen=True, slots=True)
class FrozenCredit:
    """What a quote gives back of one line of an invoice: `unused_days` of its `days`.

    `line` is that of partial_credits.line_key; `charged` was its net. Net and tax are what comes back.
    """

    line: str
    unused_on: Period
    days: int
    charged: Money
    credited_before: Money
    net: Money
    tax: Money

    @property
    def unused_days(self) -> int:
        return self.unused_on.days

    @property
    def gross(self) -> Money:
        return self.net + self.tax

    @property
    def invoice(self) -> str:
        """The number of the invoice of the line."""
        return self.line.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class FrozenBalance:
    """What pays a quote beside a gateway, which is asked for `due`: `used` of the total.

    That is what is `credited` with it, as far as the total goes, and else what was kept before.
    """

    credits: tuple[FrozenCredit, ...]
    credited: Money
    used: Money
    due: Money

    @property
    def kept_before(self) -> Money:
        """How much of what is used had been kept before."""
        return self.used - min(self.credited, self.used)

    @property
    def kept_on(self) -> Money:
        """How much of what is given back stays in the balance."""
        return self.credited - min(self.credited, self.used)


def frozen_balance(facts: Mapping[str, Any]) -> FrozenBalance | None:
    """None where a gateway is asked for the whole total. Raises KeyError, ValueError for no facts."""
    balance, currency = facts.get("balance"), facts["currency"]
    if balance is None:
        return None
    return FrozenBalance(
        credits=tuple(_frozen_credit(credit, currency) for credit in balance["credits"]),
        credited=Money(balance["credited_minor"], currency),
        used=Money(balance["used_minor"], currency),
        due=Money(balance["due_minor"], currency),
    )


def _frozen_credit(credit: Mapping[str, Any], currency: str) -> FrozenCredit:
    unused = (date.fromisoformat(credit[name]) for name in ("unused_start_on", "unused_end_on"))
    return FrozenCredit(
        line=credit["line"],
        unused_on=Period(*unused),
        days=credit["days"],
        charged=Money(credit["charged_minor"], currency),
        credited_before=Money(credit["credited_before_minor"], currency),
        net=Money(credit["net_minor"], currency),
        tax=Money(credit["tax_minor"], currency),
    )


def frozen_lines(facts: Mapping[str, Any]) -> tuple[FrozenLine, ...]:
    """The lines of `Quote.facts`, one at least. Raises KeyError, TypeError, ValueError for anything else.

    Version 1, of orders made before an order had lines, is one line of one flat price.
    """
    if "version" in facts:
        lines = tuple(_frozen_line(line, facts["currency"]) for line in facts["lines"])
        if not lines:
            raise ValueError("a quote without a line")
        return lines
    rate_bp = facts["tax"]["rate_bp"] if facts["tax"] else None
    unit_minor = facts["net_minor"]
    one = {"is_licensed": False, "quantity": 1, "billed_quantity": 1, "unit_minor": unit_minor}
    return (_frozen_line({**facts, **one, "rate_bp": rate_bp}, facts["currency"]),)


def begun_on(facts: Mapping[str, Any], positions: Collection[int], day: date) -> dict[str, Any]:
    """The same facts, whose lines at `positions`, from 1, are for a whole period from that day on.

    Of a line without an extension or a share, whose days follow from its first one.
    """
    lines = []
    for position, line in enumerate(facts["lines"], start=1):
        if position in positions:
            period = period_from(day, Interval(line["interval"]))
            end_on = period.end.isoformat()
            days = {"start_on": day.isoformat(), "base_end_on": end_on, "due_on": end_on}
            line = {**line, **days, "anchor_day": day.day}
        lines.append(line)
    return {**facts, "lines": lines}


def _frozen_line(line: Mapping[str, Any], currency: str) -> FrozenLine:
    unit, billed_quantity = Money(line["unit_minor"], currency), line["billed_quantity"]
    share = None
    if line.get("days") != line.get("base_days"):
        share = DayShare(unit * billed_quantity, line["days"], line["base_days"])
    return FrozenLine(
        kind=OrderKind(line["kind"]),
        plan_code=line["plan"],
        plan_names=line["plan_names"],
        is_licensed=line["is_licensed"],
        interval=Interval(line["interval"]),
        price_id=line["price_id"],
        quantity=line["quantity"],
        billed_quantity=billed_quantity,
        unit=unit,
        net=Money(line["net_minor"], currency),
        rate_bp=line["rate_bp"],
        tax=Money(line["tax_minor"], currency),
        start_on=date.fromisoformat(line["start_on"]),
        base_end_on=date.fromisoformat(line["base_end_on"]),
        due_on=date.fromisoformat(line["due_on"]),
        anchor_day=line["anchor_day"],
        extension=line["extension"],
        share=share,
    )
