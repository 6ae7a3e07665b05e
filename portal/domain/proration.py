"""The prorate rule: what a change of licences gives back and what it charges (docs/adr/0023).

Days are half-open: the day of the change belongs to the new price. The unused days of what was charged are
given back, each invoice line by itself and at its own tax rate; the new terms are charged for the same days,
or for a whole period from today. No line is negative.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from .errors import CurrencyMismatch, PortalError
from .licence_terms import Begins, LicenceTerms, change_begins
from .money import Money, total
from .periods import MONTHS, Period, add_months, anchor_at, period_from
from .prorated_lines import ChargeLine, CreditLine, RateSum, RunningLine, sums_by_rate
from .tax import TaxDecision, tax_facts
from .vocabulary import Interval, RenewalDay


class NothingChanges(PortalError):
    """Plan, interval and licences are those that run already."""


@dataclass(frozen=True, slots=True)
class PresentLicences:
    """Where a licensed subscription stands on the day of a change.

    `terms` are at the price in force, which may be a locked one. `lines` pay for days to come, running or
    prepaid; one that is over or was given back does no harm. Nothing is given back for days until `due_on`
    that no line pays for. Raises CurrencyMismatch for a line in another currency than the terms.
    """

    terms: LicenceTerms
    due_on: date
    anchor_day: int
    lines: tuple[RunningLine, ...] = ()

    def __post_init__(self) -> None:
        for line in self.lines:
            _refuse_other_currency(self.terms.unit, line.net)
        if len({line.key for line in self.lines}) < len(self.lines):
            raise ValueError(f"a line stands here twice: {[line.key for line in self.lines]}")


@dataclass(frozen=True, slots=True)
class Proration:
    """What a purchase or a change of licences gives back and charges on the day `on`, and what is due next.

    `period` is what the new terms begin with: from `on` to the due date, or the period after the due date
    for a scheduled change, which moves no money. `before` is None for a purchase.
    """

    begins: Begins
    on: date
    before: LicenceTerms | None
    terms: LicenceTerms
    period: Period
    anchor_day: int
    tax: TaxDecision | None
    credits: tuple[CreditLine, ...] = ()
    charges: tuple[ChargeLine, ...] = ()

    @property
    def currency(self) -> str:
        return self.terms.unit.currency

    @property
    def credited_net(self) -> Money:
        return total((line.net for line in self.credits), self.currency)

    @property
    def credited_gross(self) -> Money:
        return total((line.gross for line in self.credits), self.currency)

    @property
    def charged_net(self) -> Money:
        return total((line.net for line in self.charges), self.currency)

    @property
    def charged_gross(self) -> Money:
        return total((line.gross for line in self.charges), self.currency)

    @property
    def credited_by_rate(self) -> tuple[RateSum, ...]:
        return sums_by_rate(self.credits)

    @property
    def charged_by_rate(self) -> tuple[RateSum, ...]:
        """Empty until the buyer is known."""
        return sums_by_rate(self.charges)

    @property
    def due_now(self) -> Money:
        """To pay today, tax included; never below nothing."""
        return max(self.charged_gross - self.credited_gross, Money.zero(self.currency))

    @property
    def to_balance(self) -> Money:
        """What was given back beyond the charge, tax included: kept for the workspace, not paid out."""
        return max(self.credited_gross - self.charged_gross, Money.zero(self.currency))

    @property
    def next_due_on(self) -> date:
        return self.period.end if self.begins is Begins.NOW else self.period.start

    @property
    def next_charge(self) -> Money:
        """Of a whole period at the new terms, without VAT, at the price of today."""
        return self.terms.price

    @property
    def facts(self) -> Mapping[str, object]:
        """Everything that tells why, as JSON: dates as ISO text, amounts in minor units of `currency`."""
        return {
            "begins": self.begins.value,
            "on": self.on.isoformat(),
            "currency": self.currency,
            "before": self.before.facts if self.before else None,
            "terms": self.terms.facts,
            "start_on": self.period.start.isoformat(),
            "end_on": self.period.end.isoformat(),
            "anchor_day": self.anchor_day,
            "tax": tax_facts(self.tax),
            "credits": [line.facts for line in self.credits],
            "charges": [line.facts for line in self.charges],
            "credited_by_rate": [rate.facts for rate in self.credited_by_rate],
            "charged_by_rate": [rate.facts for rate in self.charged_by_rate],
            "credited_net_minor": self.credited_net.minor,
            "credited_gross_minor": self.credited_gross.minor,
            "charged_net_minor": self.charged_net.minor,
            "charged_gross_minor": self.charged_gross.minor,
            "due_now_minor": self.due_now.minor,
            "to_balance_minor": self.to_balance.minor,
            "next_due_on": self.next_due_on.isoformat(),
            "next_charge_minor": self.next_charge.minor,
        }


def prorate(
    *,
    present: PresentLicences,
    wanted: LicenceTerms,
    renewal_day: RenewalDay,
    tax: TaxDecision | None,
    on: date,
) -> Proration:
    """What the change to `wanted` on the day `on` gives back and charges.

    A smaller choice waits for the due date and moves no money (`change_begins`). Any other begins now: with
    `keep` and the same interval it is charged for the days until the due date, which stays; else for a whole
    period from `on`, whose day is the anchor then. Once nothing is left every choice begins now with a whole
    period: on the due date itself on the remembered anchor, later on that day.
    Raises NothingChanges; CurrencyMismatch: what runs in one currency is not changed to another.
    """
    if wanted.is_same_choice(present.terms):
        raise NothingChanges
    _refuse_other_currency(present.terms.unit, wanted.unit)
    has_days_left = on < present.due_on
    anchor_day = anchor_at(present.due_on, anchor_day=present.anchor_day)
    if has_days_left and change_begins(present=present.terms, wanted=wanted) is Begins.ON_DUE_DATE:
        return Proration(
            begins=Begins.ON_DUE_DATE,
            on=on,
            before=present.terms,
            terms=wanted,
            period=period_from(present.due_on, wanted.interval, anchor_day=anchor_day),
            anchor_day=anchor_day,
            tax=tax,
        )
    keeps = renewal_day == RenewalDay.KEEP and wanted.interval == present.terms.interval
    if keeps and has_days_left:
        bases = _periods_until(present.due_on, wanted.interval, anchor_day=anchor_day, not_over_on=on)
    else:
        anchor_day = anchor_day if keeps and on == present.due_on else on.day
        bases = [period_from(on, wanted.interval, anchor_day=anchor_day)]
    return Proration(
        begins=Begins.NOW,
        on=on,
        before=present.terms,
        terms=wanted,
        period=Period(on, bases[-1].end),
        anchor_day=anchor_day,
        tax=tax,
        credits=tuple(_credits(present.lines, on)),
        charges=tuple(ChargeLine(wanted, base, Period(max(on, base.start), base.end), tax) for base in bases),
    )


def first_period(*, wanted: LicenceTerms, tax: TaxDecision | None, on: date) -> Proration:
    """What a purchase charges: a whole period from `on`, whose day is the anchor from then on."""
    base = period_from(on, wanted.interval)
    return Proration(
        begins=Begins.NOW,
        on=on,
        before=None,
        terms=wanted,
        period=base,
        anchor_day=on.day,
        tax=tax,
        charges=(ChargeLine(wanted, base, base, tax),),
    )


def _credits(lines: Iterable[RunningLine], on: date) -> Iterator[CreditLine]:
    """Of each line that something is left of; a credit note has no line of nothing."""
    for line in lines:
        credit = CreditLine(line, line.days_left(on))
        if credit.net.minor > 0:
            yield credit


def _periods_until(due_on: date, interval: Interval, *, anchor_day: int, not_over_on: date) -> list[Period]:
    """The whole periods that end on `due_on` one after the other, the earliest the one with `not_over_on`.

    More than one where a following period is prepaid. An earlier change may have begun its line in the middle
    of one: a share of the price is still one of the whole period.
    """
    ends = [due_on]
    while ends[-1] > not_over_on:
        ends.append(add_months(due_on, -MONTHS[interval] * len(ends), anchor_day=anchor_day))
    return [Period(start, end) for start, end in pairwise(reversed(ends))]


def _refuse_other_currency(one: Money, other: Money) -> None:
    if one.currency != other.currency:
        raise CurrencyMismatch(left=one.currency, right=other.currency)
