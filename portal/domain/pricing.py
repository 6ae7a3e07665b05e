"""The quote: what an order costs and what it gives, computed one way for the preview and for the act.

A quote is frozen as `facts` (plain JSON) on its order. Its `hash` identifies everything that the
person was shown: when a quote made anew has another hash, nothing is charged (product.md §4).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from .errors import CurrencyMismatch
from .extension import Extension, PaidPeriod, extend
from .money import Money
from .periods import Period, anchor_at, period_from
from .tax import Buyer, TaxDecision, decide_tax, tax_facts
from .vocabulary import Interval, OrderKind, SubscriptionState

Facts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Offer:
    """One price of one plan, as the catalogue has it today."""

    plan_code: str
    plan_names: Mapping[str, str]
    interval: Interval
    price_id: int
    amount: Money


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
class Quote:
    """Net + tax = total. `tax` is None until the buyer is known; such a quote cannot be placed.

    `reviewed` is the hash of what the buyer reviews beside the amounts: details and payment method.
    """

    kind: OrderKind
    offer: Offer
    on: date
    period: Period
    anchor_day: int
    tax: TaxDecision | None
    tax_amount: Money
    extension: Extension | None
    reviewed: str | None = None

    @property
    def net(self) -> Money:
        return self.offer.amount

    @property
    def total(self) -> Money:
        return self.net + self.tax_amount

    @property
    def due_on(self) -> date:
        return self.extension.due_on if self.extension else self.period.end

    @property
    def facts(self) -> Facts:
        """Everything shown, as JSON: dates as ISO text, amounts in minor units, fractions as text."""
        return {
            "kind": self.kind.value,
            "plan": self.offer.plan_code,
            "plan_names": dict(self.offer.plan_names),
            "interval": self.offer.interval.value,
            "price_id": self.offer.price_id,
            "currency": self.net.currency,
            "net_minor": self.net.minor,
            "tax_minor": self.tax_amount.minor,
            "total_minor": self.total.minor,
            "start_on": self.period.start.isoformat(),
            "base_end_on": self.period.end.isoformat(),
            "due_on": self.due_on.isoformat(),
            "anchor_day": self.anchor_day,
            "tax": tax_facts(self.tax),
            "extension": extension_facts(self.extension),
            "reviewed": self.reviewed,
        }

    @property
    def hash(self) -> str:
        return facts_hash(self.facts)


def order_kind(present: PresentTerms, *, plan_code: str, interval: Interval) -> OrderKind:
    """Trial and free plans are bought from; the same plan and interval is prolonged; the rest is a change."""
    if present.state in (SubscriptionState.TRIAL, SubscriptionState.FREE) or present.interval is None:
        return OrderKind.BUY
    if (present.plan_code, present.interval) == (plan_code, interval):
        return OrderKind.PROLONG
    return OrderKind.CHANGE


def make_quote(
    *,
    present: PresentTerms,
    offer: Offer,
    buyer: Buyer | None,
    seller_country: str,
    unchecked_counts_as_valid: bool,
    on: date,
    reviewed: Facts | None = None,
    renews: bool = False,
) -> Quote:
    """What `offer` costs and gives if it is taken on the day `on`, with what else is `reviewed`.

    Prolonging begins at the due date, unless access is blocked: then on the day of the payment, as
    do purchases. So does a renewal (`renews`), also one that begins a scheduled plan. A change keeps the
    money left as extra days (extension.py); late and blocked subscriptions have none left.
    Raises CurrencyMismatch, ExtensionTooLong, MissingVatRate.
    """
    kind = (
        OrderKind.RENEWAL
        if renews
        else order_kind(present, plan_code=offer.plan_code, interval=offer.interval)
    )
    follows = kind in (OrderKind.PROLONG, OrderKind.RENEWAL) and present.state != SubscriptionState.BLOCKED
    extension: Extension | None = None
    if follows and present.due_on:
        _refuse_other_currency(present.paid, offer.amount)
        anchor_day = anchor_at(present.due_on, anchor_day=present.anchor_day)
        period = period_from(present.due_on, offer.interval, anchor_day=anchor_day)
    elif kind == OrderKind.CHANGE and present.state == SubscriptionState.PAID and present.paid:
        extension = extend(paid=present.paid, new_price=offer.amount, interval=offer.interval, on=on)
        period, anchor_day = extension.base, extension.anchor_day
    else:
        period, anchor_day = period_from(on, offer.interval), on.day
    tax = None
    if buyer is not None:
        tax = decide_tax(
            seller_country=seller_country,
            buyer=buyer,
            on=on,
            unchecked_counts_as_valid=unchecked_counts_as_valid,
        )
    return Quote(
        kind=kind,
        offer=offer,
        on=on,
        period=period,
        anchor_day=anchor_day,
        tax=tax,
        tax_amount=tax.tax_on(offer.amount) if tax else Money.zero(offer.amount.currency),
        extension=extension,
        reviewed=facts_hash(reviewed) if reviewed else None,
    )


def facts_hash(facts: Facts) -> str:
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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
