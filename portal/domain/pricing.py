"""The quote: what an order costs and what it gives, computed one way for the preview and for the act.

A quote has a line for each subscription that it pays for. It is frozen as `facts` (plain JSON) on its
order, which frozen_quote.py reads. Its `hash` identifies everything that the person was shown: when a
quote made anew has another hash, nothing is charged (product.md §4).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from . import ledger
from .errors import CurrencyMismatch, PortalError
from .extension import Extension, PaidPeriod, extend
from .frozen_quote import DayShare
from .licence_terms import Begins, LicenceTerms
from .money import Money, total
from .periods import Period, anchor_at, period_from
from .prorated_lines import CreditLine
from .proration import PresentLicences, Proration, prorate
from .tax import Buyer, TaxDecision, decide_tax, tax_facts
from .vocabulary import Interval, OrderKind, PriceUnit, RenewalDay, SubscriptionState

Facts = Mapping[str, object]


class ChangeWaits(PortalError):
    """The change of licences is to a smaller choice: it begins on `due_on`, with the renewal."""

    due_on: date


_spelling = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)

FACTS_VERSION = 2
"""How `Quote.facts` are laid out. Version 1, without this key, is read by frozen_quote.py too."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One price of one plan, as the catalogue has it today.

    `amount` is that of the whole plan, or of one licence where so many are taken (volume_price.py): `unit`
    says which. `is_licensed`: of a licensed product, not of the workspace plan.
    """

    plan_id: int
    plan_code: str
    plan_names: Mapping[str, str]
    interval: Interval
    price_id: int
    amount: Money
    unit: PriceUnit = PriceUnit.FLAT
    is_licensed: bool = False

    def billed(self, quantity: int) -> int:
        """How many times the amount stands on an order of `quantity` licences."""
        return 1 if self.unit is PriceUnit.FLAT else quantity

    def price(self, quantity: int) -> Money:
        """Of one whole period, without VAT."""
        return self.amount * self.billed(quantity)

    def licence_terms(self, quantity: int, *, position: int) -> LicenceTerms:
        """Of so many licences of a plan at `position` in its product."""
        return LicenceTerms(
            plan_code=self.plan_code,
            position=position,
            interval=self.interval,
            quantity=quantity,
            unit=self.amount,
            price_unit=self.unit,
        )


@dataclass(frozen=True, slots=True)
class PresentTerms:
    """Where the subscription stands on the day of the order; all that a quote needs to know of the past.

    `paid` is what was paid and is not over, in order: the running period and those prepaid after it.
    """

    plan_code: str
    interval: Interval | None
    state: SubscriptionState
    due_on: date | None
    anchor_day: int
    paid: tuple[PaidPeriod, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangedLicences:
    """Licences that run and are changed by the prorate rule, to a plan at `position` in its product."""

    present: PresentLicences
    position: int
    renewal_day: RenewalDay


@dataclass(frozen=True, slots=True)
class WantedLine:
    """What is to be quoted of one subscription, whose `present` terms it follows.

    `renews`: it is the next automatic charge. `changes`: licences that run become those of the offer.
    """

    present: PresentTerms
    offer: Offer
    quantity: int = 1
    renews: bool = False
    changes: ChangedLicences | None = None


@dataclass(frozen=True)
class QuotedLine:
    """What one line costs and gives. `net` is the price times what is billed of it, once or by licence.

    Of a change in the middle of a period it is a `share` of that. `tax_amount` is rounded half up on the
    line; 0 until the buyer is known, as `rate_bp` is None.

    No slots: what is asked for again and again is reckoned once.
    """

    kind: OrderKind
    offer: Offer
    quantity: int
    period: Period
    anchor_day: int
    rate_bp: int | None
    tax_amount: Money
    extension: Extension | None
    share: DayShare | None = None

    @cached_property
    def net(self) -> Money:
        return self.share.amount if self.share else self.offer.price(self.quantity)

    @property
    def due_on(self) -> date:
        return self.extension.due_on if self.extension else self.period.end

    @property
    def facts(self) -> Facts:
        return {
            "kind": self.kind.value,
            "plan": self.offer.plan_code,
            "plan_names": dict(self.offer.plan_names),
            "is_licensed": self.offer.is_licensed,
            "interval": self.offer.interval.value,
            "price_id": self.offer.price_id,
            "quantity": self.quantity,
            "billed_quantity": self.offer.billed(self.quantity),
            "unit_minor": self.offer.amount.minor,
            "net_minor": self.net.minor,
            "rate_bp": self.rate_bp,
            "tax_minor": self.tax_amount.minor,
            "start_on": self.period.start.isoformat(),
            "base_end_on": self.period.end.isoformat(),
            "due_on": self.due_on.isoformat(),
            "anchor_day": self.anchor_day,
            "extension": extension_facts(self.extension),
            **({"days": self.share.days, "base_days": self.share.base_days} if self.share else {}),
        }


@dataclass(frozen=True)
class Quote:
    """Net + tax = total, each the sum of its lines', of which there is one at least, in one currency.

    `tax` is None until the buyer is known; such a quote cannot be placed. `reviewed` is the hash of what the
    buyer reviews beside the amounts: details and payment method.

    `credits` are given back with it, by credit notes, and `kept` was kept for the workspace before: both pay
    as much of the total as they can, and `due` is the rest. No slots, as QuotedLine.
    """

    lines: tuple[QuotedLine, ...]
    on: date
    tax: TaxDecision | None
    reviewed: str | None = None
    credits: tuple[CreditLine, ...] = ()
    kept: Money | None = None

    @property
    def only_line(self) -> QuotedLine:
        """Of a quote for one subscription. Raises ValueError where there are several."""
        [line] = self.lines
        return line

    @cached_property
    def currency(self) -> str:
        return self.lines[0].net.currency

    @cached_property
    def net(self) -> Money:
        return total((line.net for line in self.lines), self.currency)

    @cached_property
    def tax_amount(self) -> Money:
        return total((line.tax_amount for line in self.lines), self.currency)

    @cached_property
    def total(self) -> Money:
        return self.net + self.tax_amount

    @cached_property
    def credited(self) -> Money:
        """What is given back, tax included."""
        return total((credit.gross for credit in self.credits), self.currency)

    @cached_property
    def from_balance(self) -> Money:
        """How much of the total is paid by what is given back and by what was kept before."""
        kept = self.kept or Money.zero(self.currency)
        return ledger.usable(self.total, kept + self.credited)

    @property
    def reserved(self) -> Money:
        """How much of what the balance pays was kept before, and is not given back with it."""
        return self.from_balance - min(self.credited, self.from_balance)

    @property
    def due(self) -> Money:
        """What is charged now, tax included. Of nothing nobody is asked."""
        return self.total - self.from_balance

    def beside_balance(self, kept: Money) -> "Quote":
        """The same, where `kept` is in the balance of the workspace and no other order counts on it."""
        return replace(self, kept=kept)

    @cached_property
    def facts(self) -> Facts:
        """Everything shown, as JSON: dates as ISO text, amounts in minor units, fractions as text.

        What pays beside the gateway is told only where something does.
        """
        return {
            "version": FACTS_VERSION,
            "currency": self.currency,
            "lines": [line.facts for line in self.lines],
            "net_minor": self.net.minor,
            "tax_minor": self.tax_amount.minor,
            "total_minor": self.total.minor,
            "by_rate": [
                {"rate_bp": rate_bp, "net_minor": net.minor, "tax_minor": tax.minor}
                for rate_bp, net, tax in self._by_rate()
            ],
            "tax": tax_facts(self.tax),
            "reviewed": self.reviewed,
            **self._balance_facts(),
        }

    def _balance_facts(self) -> Facts:
        if not self.credits and not self.from_balance.minor:
            return {}
        return {
            "balance": {
                "credits": [credit.facts for credit in self.credits],
                "credited_minor": self.credited.minor,
                "used_minor": self.from_balance.minor,
                "due_minor": self.due.minor,
            }
        }

    @cached_property
    def hash(self) -> str:
        return facts_hash(self.facts)

    def _by_rate(self) -> list[tuple[int, Money, Money]]:
        """Net and tax of each rate, in the order of the lines; none until the buyer is known."""
        rates = dict.fromkeys(line.rate_bp for line in self.lines)
        return [
            (
                rate_bp,
                total((line.net for line in self.lines if line.rate_bp == rate_bp), self.currency),
                total((line.tax_amount for line in self.lines if line.rate_bp == rate_bp), self.currency),
            )
            for rate_bp in rates
            if rate_bp is not None
        ]


def order_kind(present: PresentTerms, *, plan_code: str, interval: Interval) -> OrderKind:
    """On trial, free or ended: a purchase; the same plan and interval is prolonged; the rest is a change."""
    bought_from = (SubscriptionState.TRIAL, SubscriptionState.FREE, SubscriptionState.ENDED)
    if present.state in bought_from or present.interval is None:
        return OrderKind.BUY
    if (present.plan_code, present.interval) == (plan_code, interval):
        return OrderKind.PROLONG
    return OrderKind.CHANGE


def make_quote(
    wanted: Sequence[WantedLine],
    *,
    buyer: Buyer | None,
    seller_country: str,
    unchecked_counts_as_valid: bool,
    on: date,
    reviewed: Facts | None = None,
) -> Quote:
    """What the wanted lines cost and give if they are taken on the day `on`, with what else is `reviewed`.

    Raises CurrencyMismatch, ExtensionTooLong, MissingVatRate; NothingChanges, ChangeWaits for licences.
    """
    tax = None
    if buyer is not None:
        tax = decide_tax(
            seller_country=seller_country,
            buyer=buyer,
            on=on,
            unchecked_counts_as_valid=unchecked_counts_as_valid,
        )
    lines: list[QuotedLine] = []
    given_back: list[CreditLine] = []
    for each in wanted:
        if each.changes is None:
            lines.append(_quote_line(each, tax=tax, on=on))
        else:
            proration = proration_of(each, each.changes, tax=tax, on=on)
            lines.append(_changed_line(each, proration))
            given_back += proration.credits
    for line in lines:
        if line.net.currency != lines[0].net.currency:
            raise CurrencyMismatch(left=lines[0].net.currency, right=line.net.currency)
    return Quote(
        lines=tuple(lines),
        on=on,
        tax=tax,
        reviewed=facts_hash(reviewed) if reviewed else None,
        credits=tuple(given_back),
    )


def proration_of(
    wanted: WantedLine, changes: ChangedLicences, *, tax: TaxDecision | None, on: date
) -> Proration:
    """What the change of running licences gives back and charges. Raises NothingChanges, CurrencyMismatch."""
    terms = wanted.offer.licence_terms(wanted.quantity, position=changes.position)
    return prorate(present=changes.present, wanted=terms, renewal_day=changes.renewal_day, tax=tax, on=on)


def _changed_line(wanted: WantedLine, proration: Proration) -> QuotedLine:
    """What a change is charged with. Raises ChangeWaits where it moves no money before its day."""
    if proration.begins is Begins.ON_DUE_DATE:
        raise ChangeWaits(due_on=proration.period.start)
    # Licences are never prepaid for more than the running period.
    [charge] = proration.charges
    share = None
    if charge.period != charge.base:
        share = DayShare(charge.terms.price, charge.period.days, charge.base.days)
    return QuotedLine(
        kind=OrderKind.CHANGE,
        offer=wanted.offer,
        quantity=wanted.quantity,
        period=charge.period,
        anchor_day=proration.anchor_day,
        rate_bp=charge.tax.rate_bp if charge.tax else None,
        tax_amount=charge.tax_amount,
        extension=None,
        share=share,
    )


def _quote_line(wanted: WantedLine, *, tax: TaxDecision | None, on: date) -> QuotedLine:
    """Prolonging begins at the due date, unless access is blocked: then on the day of the payment, as
    do purchases. So does a renewal, also one that begins a scheduled plan. A change keeps the money left as
    extra days (extension.py); late and blocked subscriptions have none left.
    """
    present, offer = wanted.present, wanted.offer
    kind = (
        OrderKind.RENEWAL
        if wanted.renews
        else order_kind(present, plan_code=offer.plan_code, interval=offer.interval)
    )
    net = offer.price(wanted.quantity)
    follows = kind in (OrderKind.PROLONG, OrderKind.RENEWAL) and present.state != SubscriptionState.BLOCKED
    extension: Extension | None = None
    if follows and present.due_on:
        _refuse_other_currency(present.paid, net)
        anchor_day = anchor_at(present.due_on, anchor_day=present.anchor_day)
        period = period_from(present.due_on, offer.interval, anchor_day=anchor_day)
    elif kind == OrderKind.CHANGE and present.state == SubscriptionState.PAID and present.paid:
        extension = extend(paid=present.paid, new_price=net, interval=offer.interval, on=on)
        period, anchor_day = extension.base, extension.anchor_day
    else:
        period, anchor_day = period_from(on, offer.interval), on.day
    return QuotedLine(
        kind=kind,
        offer=offer,
        quantity=wanted.quantity,
        period=period,
        anchor_day=anchor_day,
        rate_bp=tax.rate_bp if tax else None,
        tax_amount=tax.tax_on(net) if tax else Money.zero(net.currency),
        extension=extension,
    )


def facts_hash(facts: Facts) -> str:
    return hashlib.sha256(in_one_spelling(facts)).hexdigest()


def in_one_spelling(facts: object) -> bytes:
    """As JSON, the same bytes for equal facts: what is hashed, and what the digests of the audit are of."""
    return _spelling.encode(facts).encode("utf-8", "surrogatepass")


def _refuse_other_currency(paid: Sequence[PaidPeriod], amount: Money) -> None:
    for part in paid:
        if part.price.currency != amount.currency:
            raise CurrencyMismatch(left=part.price.currency, right=amount.currency)


def extension_facts(extension: Extension | None) -> dict[str, object] | None:
    """The six figures as a quote keeps them: amounts in minor units, exact ones as fractions in text."""
    if extension is None:
        return None
    return {
        "rate_old_minor": extension.old_price_per_day_shown.minor,
        "rate_new_minor": extension.new_price_per_day_shown.minor,
        "rate_old_exact": str(extension.old_price_per_day),
        "rate_new_exact": str(extension.new_price_per_day),
        "unused_days": extension.unused_days,
        "money_left_minor": extension.money_left_shown.minor,
        "money_left_exact": str(extension.money_left),
        "extra_days": extension.extra_days,
        "old_due_on": extension.old_due_on.isoformat(),
        "gains_little": extension.gains_little,
    }
