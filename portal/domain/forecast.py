"""The forecast: what the next twelve months charge, as each renewal would be made if nothing is changed.

It takes the steps of the run (services/renewals) with the functions of the run: renewal_price and the lock
after each payment, make_quote with the tax of its day, renewal_day, a rise that is mailed in time or waits
for the next charge, a charge that its tax makes dearer than was told and so comes later. Nothing here
promises anything: what was told of a charge stays its ceiling (docs/adr/0018, 0037).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby

from . import ledger
from .errors import MissingVatRate
from .lifecycle import OVERDUE
from .money import Money, total
from .periods import Period, add_months
from .price_lock import PriceLock, lock_after_payment, renewal_price
from .pricing import Offer, PresentTerms, Quote, WantedLine, make_quote
from .tax import Buyer
from .timeline import NOTICE_DAYS, PRICE_RISE_DAYS, renewal_day
from .vocabulary import Interval, SubscriptionState

MONTHS_AHEAD = 12


class MilestoneKind(StrEnum):
    TRIAL_ENDS = "trial_ends"
    ENDS = "ends"
    PAID_UNTIL = "paid_until"
    PLAN_BEGINS = "plan_begins"
    FREE_PLAN_BEGINS = "free_plan_begins"
    TOO_SMALL = "too_small"
    NOT_SOLD = "not_sold"
    TAX_UNKNOWN = "tax_unknown"
    GUARANTEE_ENDS = "guarantee_ends"
    CARD_EXPIRES = "card_expires"
    INVOICE_DUE = "invoice_due"


@dataclass(frozen=True, slots=True)
class ListedPrice:
    """What some licences cost for a whole period by the list, without VAT; `valid_until` is excluded."""

    amount: Money
    valid_from: date
    valid_until: date | None = None

    def holds(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_until is None or on < self.valid_until)


@dataclass(frozen=True, slots=True)
class ChargedTerms:
    """What a charge pays for. `listed` are its list prices from today on, in one currency.

    `lock` is what is guaranteed for these very terms. `licences` is None for the workspace plan.
    """

    plan_code: str
    plan_names: Mapping[str, str]
    interval: Interval
    quantity: int
    listed: tuple[ListedPrice, ...]
    lock: PriceLock | None = None
    is_licensed: bool = False

    @property
    def licences(self) -> int | None:
        return self.quantity if self.is_licensed else None

    def list_price(self, on: date) -> Money | None:
        return next((each.amount for each in self.listed if each.holds(on)), None)


@dataclass(frozen=True, slots=True)
class SavedMethod:
    """`last_day` is the last one of a card; None: it has no date."""

    id: int
    last_day: date | None

    def may_be_charged(self, on: date) -> bool:
        return self.last_day is None or on <= self.last_day


@dataclass(frozen=True, slots=True)
class Outlook:
    """A subscription as the forecast sees it today.

    `renew_on` is the day of the next automatic charge, None where none comes by itself; `has_failed`: it was
    tried in vain, and that is its next try. `scheduled` begins on the due date in place of `present`, or a
    free plan of these names does. `is_too_small`: what is scheduled no longer fits. `told` and `told_total`
    are what was told of the next charge, without VAT and with it. `methods` are those that are charged by
    themselves, in their order. `is_open`: money is on its way, so nobody can say what comes next.
    """

    id: int
    state: SubscriptionState
    due_on: date | None
    anchor_day: int
    present: ChargedTerms | None = None
    scheduled: ChargedTerms | None = None
    free_plan_names: Mapping[str, str] | None = None
    is_too_small: bool = False
    trial_until: date | None = None
    renew_on: date | None = None
    has_failed: bool = False
    told: Money | None = None
    told_total: Money | None = None
    methods: tuple[SavedMethod, ...] = ()
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class UnpaidInvoice:
    """An open invoice: `left` is still to be paid of it, and `subscription` is the first that it is for."""

    number: str
    due_on: date
    left: Money
    subscription: int


@dataclass(frozen=True, slots=True)
class Taxation:
    """Whom the charges are invoiced to, and by whom: what a tax decision needs beside its day."""

    buyer: Buyer
    seller_country: str
    unchecked_counts_as_valid: bool


@dataclass(frozen=True, slots=True)
class Charge:
    """A renewal of `subscription` on the day `on`, for `period`.

    `from_balance` is what the balance pays of `total`. `method` is the id of the one that pays the rest: None
    where nothing is left to pay, or where none can be charged (`lacks_method`). `expiring` is the id of the
    one that only its date keeps from it. `dearer_than` is the price, without VAT, of the charge before it
    where this one is higher.
    """

    subscription: int
    on: date
    terms: ChargedTerms
    period: Period
    net: Money
    total: Money
    from_balance: Money
    method: int | None = None
    expiring: int | None = None
    dearer_than: Money | None = None
    is_retry: bool = False

    @property
    def due(self) -> Money:
        return self.total - self.from_balance

    @property
    def has_tax(self) -> bool:
        return self.total != self.net

    @property
    def lacks_method(self) -> bool:
        return self.method is None and self.due.minor > 0


@dataclass(frozen=True, slots=True)
class Milestone:
    """A day on which something happens that is no charge. `method`: the card whose last day it is.

    `terms` and `names` say of what: what was to be charged, or the free plan. `price`, without VAT, is what a
    period costs once a guarantee is over; None where it is not sold then. `invoice` is what falls due.
    """

    kind: MilestoneKind
    subscription: int
    on: date
    terms: ChargedTerms | None = None
    names: Mapping[str, str] | None = None
    price: Money | None = None
    method: int | None = None
    invoice: UnpaidInvoice | None = None


@dataclass(frozen=True, slots=True)
class ForecastMonth:
    """`first` is the first day of the calendar month; `totals` are one for each currency, tax included."""

    first: date
    entries: tuple[Charge | Milestone, ...]

    @property
    def totals(self) -> tuple[Money, ...]:
        return totals_of(each for each in self.entries if isinstance(each, Charge))


@dataclass(frozen=True, slots=True)
class Forecast:
    """From `first` to `last`, both included: the same day a year ahead. Both lists in the order of days."""

    first: date
    last: date
    charges: tuple[Charge, ...]
    milestones: tuple[Milestone, ...]

    @property
    def is_empty(self) -> bool:
        return not self.charges and not self.milestones

    @property
    def totals(self) -> tuple[Money, ...]:
        return totals_of(self.charges)

    @property
    def next_day(self) -> tuple[Charge, ...]:
        """Everything that is charged on the next day on which anything is."""
        return tuple(each for each in self.charges if each.on == self.charges[0].on)

    def next_of(self, subscription: int) -> Charge | None:
        return next((each for each in self.charges if each.subscription == subscription), None)

    @property
    def months(self) -> tuple[ForecastMonth, ...]:
        """Every calendar month that it touches, those without anything too."""
        entries: list[Charge | Milestone] = sorted(
            [*self.milestones, *self.charges], key=lambda each: each.on
        )
        by_month = {
            first: tuple(each) for first, each in groupby(entries, key=lambda each: each.on.replace(day=1))
        }
        start = self.first.replace(day=1)
        firsts = (add_months(start, n, anchor_day=1) for n in range(MONTHS_AHEAD + 1))
        return tuple(ForecastMonth(first, by_month.get(first, ())) for first in firsts)


def forecast(
    outlooks: Iterable[Outlook],
    *,
    taxation: Taxation | None,
    kept: Mapping[str, Money],
    today: date,
    sale_day: date,
    unpaid: Iterable[UnpaidInvoice] = (),
) -> Forecast:
    """What the subscriptions charge until this day next year. `kept`: what is in the balance, by currency.

    `taxation` None: the workspace has no billing details, so that nothing can be charged. `sale_day` is the
    seller's day, which says what the list costs now (services/plans.py). An invoice that is overdue stands on
    today.
    """
    last = add_months(today, MONTHS_AHEAD, anchor_day=today.day)
    charges: list[Charge] = []
    milestones = [
        Milestone(MilestoneKind.INVOICE_DUE, each.subscription, max(each.due_on, today), invoice=each)
        for each in unpaid
    ]
    methods: dict[int, Sequence[SavedMethod]] = {}
    for each in outlooks:
        methods[each.id] = each.methods
        for found in _entries_of(each, taxation=taxation, today=today, sale_day=sale_day, last=last):
            if not today <= found.on <= last:
                continue
            if isinstance(found, Charge):
                charges.append(found)
            else:
                milestones.append(found)
    # As the run does: by day, and on one day the oldest subscription first.
    charges.sort(key=lambda each: (each.on, each.subscription))
    paid = tuple(_paid(charges, methods=methods, kept=dict(kept)))
    milestones += _cards_that_expire(paid, methods)
    milestones.sort(key=lambda each: (each.on, each.subscription))
    return Forecast(
        first=today,
        last=last,
        charges=paid,
        milestones=tuple(each for each in milestones if today <= each.on <= last),
    )


def _entries_of(
    each: Outlook, *, taxation: Taxation | None, today: date, sale_day: date, last: date
) -> Iterator[Charge | Milestone]:
    if each.is_open or each.due_on is None:
        return
    if each.state is SubscriptionState.TRIAL:
        yield Milestone(MilestoneKind.TRIAL_ENDS, each.id, each.trial_until or each.due_on)
    elif each.state is SubscriptionState.CANCELLED:
        yield Milestone(MilestoneKind.ENDS, each.id, each.due_on, each.present)
    elif each.state in OVERDUE or each.state is SubscriptionState.PAID:
        yield from _of_a_paid_one(
            each, due_on=each.due_on, taxation=taxation, today=today, sale_day=sale_day, last=last
        )


def _of_a_paid_one(
    each: Outlook, *, due_on: date, taxation: Taxation | None, today: date, sale_day: date, last: date
) -> Iterator[Charge | Milestone]:
    terms = each.scheduled or each.present
    if each.is_too_small:
        yield Milestone(MilestoneKind.TOO_SMALL, each.id, due_on, each.scheduled, each.free_plan_names)
    elif each.free_plan_names is not None:
        yield Milestone(MilestoneKind.FREE_PLAN_BEGINS, each.id, due_on, names=each.free_plan_names)
    elif terms is None:
        return
    elif each.renew_on is None:
        yield Milestone(MilestoneKind.PAID_UNTIL, each.id, due_on, terms)
    elif taxation is not None:
        yield from _renewals(each, terms, taxation=taxation, today=today, sale_day=sale_day, last=last)


@dataclass(frozen=True, slots=True)
class _Step:
    """Where a subscription stands before one of its charges. `since`: the day on which it was left so."""

    state: SubscriptionState
    due_on: date
    anchor_day: int
    renew_on: date
    since: date
    lock: PriceLock | None
    told: Money | None
    told_total: Money | None
    has_failed: bool

    def rise_is_told_in_time(self) -> bool:
        """The letter of a rise goes PRICE_RISE_DAYS ahead or not at all; a charge that was moved has none."""
        is_early_enough = self.since <= self.renew_on - timedelta(days=PRICE_RISE_DAYS)
        return is_early_enough and self.renew_on == self.due_on and not self.has_failed


def _renewals(
    each: Outlook, terms: ChargedTerms, *, taxation: Taxation, today: date, sale_day: date, last: date
) -> Iterator[Charge | Milestone]:
    """One after the other, each from where the one before has left the subscription."""
    assert each.due_on is not None, "what is renewed has a due date"
    assert each.renew_on is not None, "and a day of its next charge"
    step = _Step(
        state=each.state,
        due_on=each.due_on,
        anchor_day=each.anchor_day,
        renew_on=max(each.renew_on, today),
        since=today,
        lock=terms.lock,
        told=each.told,
        told_total=each.told_total,
        has_failed=each.has_failed,
    )
    paid, lock_of_paid, before = each.present, each.present.lock if each.present else None, each.told
    guaranteed = True
    while step.renew_on <= last:
        on = step.renew_on
        begins_on = on if step.state is SubscriptionState.BLOCKED else step.due_on
        list_price = terms.list_price(on if on > today else sale_day)
        price = renewal_price(list_price=list_price, lock=step.lock, on=begins_on)
        if price is None:
            yield Milestone(MilestoneKind.NOT_SOLD, each.id, on, terms)
            return
        told = step.told
        if told is not None and price > told and step.rise_is_told_in_time():
            step = replace(step, told=None, told_total=None)
        elif told is not None:
            price = min(price, told)
        try:
            quote = _quote(step, terms, price, taxation=taxation, on=on)
        except MissingVatRate:
            yield Milestone(MilestoneKind.TAX_UNKNOWN, each.id, on, terms)
            return
        if (later := _told_first(step, quote, is_known=each.told_total is not None)) is not None:
            step = later
            continue
        if paid is each.present and each.scheduled is not None:
            yield Milestone(MilestoneKind.PLAN_BEGINS, each.id, each.due_on, terms)
        if guaranteed and step.lock is not None and today < step.lock.until <= begins_on:
            guaranteed = False
            yield Milestone(MilestoneKind.GUARANTEE_ENDS, each.id, step.lock.until, terms, price=quote.net)
        yield Charge(
            subscription=each.id,
            on=on,
            terms=terms,
            period=quote.only_line.period,
            net=quote.net,
            total=quote.total,
            from_balance=Money.zero(quote.currency),
            dearer_than=before if before is not None and before < quote.net else None,
            is_retry=step.has_failed,
        )
        lock_of_paid = lock_after_payment(
            before=lock_of_paid,
            same_terms=paid is not None and _goes_on(paid, terms),
            same_quantity=paid is not None and paid.quantity == terms.quantity,
            auto_renewal=True,
            charged=quote.net,
            paid_on=on,
            interval=terms.interval,
        )
        paid, before = terms, quote.net
        step = _after(step, quote, lock_of_paid, on=on)
    if guaranteed and step.lock is not None and today < step.lock.until <= step.due_on:
        # The first charge without it comes later than the forecast looks.
        price = terms.list_price(step.due_on)
        yield Milestone(MilestoneKind.GUARANTEE_ENDS, each.id, step.lock.until, terms, price=price)


def _told_first(step: _Step, quote: Quote, *, is_known: bool) -> "_Step | None":
    """The later day of a charge that has to be told before it is made; None: it is made on its day.

    One that its tax makes dearer than was told waits PRICE_RISE_DAYS from its letter, one that nobody was
    told of (not `is_known`) NOTICE_DAYS.
    """
    on = step.renew_on
    if step.told_total is not None and quote.total > step.told_total:
        letter_on = on if step.has_failed else max(step.since, on - timedelta(days=NOTICE_DAYS))
        later = letter_on + timedelta(days=PRICE_RISE_DAYS)
    elif step.told_total is None and not is_known and on <= step.since:
        later = on + timedelta(days=NOTICE_DAYS)
    else:
        return None
    return replace(step, renew_on=later, told=quote.net, told_total=quote.total, has_failed=False)


def _quote(step: _Step, terms: ChargedTerms, price: Money, *, taxation: Taxation, on: date) -> Quote:
    """As the renewal makes it. Raises MissingVatRate."""
    present = PresentTerms(
        plan_code=terms.plan_code,
        interval=terms.interval,
        state=step.state,
        due_on=step.due_on,
        anchor_day=step.anchor_day,
    )
    offer = Offer(
        plan_id=0,
        plan_code=terms.plan_code,
        plan_names=terms.plan_names,
        interval=terms.interval,
        price_id=0,
        amount=price,
    )
    return make_quote(
        [WantedLine(present, offer, renews=True)],
        buyer=taxation.buyer,
        seller_country=taxation.seller_country,
        unchecked_counts_as_valid=taxation.unchecked_counts_as_valid,
        on=on,
    )


def _after(step: _Step, quote: Quote, lock: PriceLock | None, *, on: date) -> _Step:
    """Where the charge of that day leaves the subscription: what was paid is what is known of the next."""
    line = quote.only_line
    return _Step(
        state=SubscriptionState.PAID,
        due_on=line.due_on,
        anchor_day=line.anchor_day,
        renew_on=renewal_day(due_on=line.due_on, last_renewed_on=on),
        since=on,
        lock=lock,
        told=quote.net,
        told_total=quote.total,
        has_failed=False,
    )


def _goes_on(paid: ChargedTerms, terms: ChargedTerms) -> bool:
    return (paid.plan_code, paid.interval) == (terms.plan_code, terms.interval)


def _paid(
    charges: Iterable[Charge], *, methods: Mapping[int, Sequence[SavedMethod]], kept: dict[str, Money]
) -> Iterator[Charge]:
    """Each with what pays it: the balance first, then the first method that may be charged on that day."""
    for charge in charges:
        currency = charge.total.currency
        left = kept.get(currency, Money.zero(currency))
        from_balance = ledger.usable(charge.total, left)
        kept[currency] = left - from_balance
        charge = replace(charge, from_balance=from_balance)
        if charge.due.minor:
            own = methods[charge.subscription]
            method = next((each for each in own if each.may_be_charged(charge.on)), None)
            expired = next((each for each in own if not each.may_be_charged(charge.on)), None)
            if method is not None and expired is not None and own.index(method) < own.index(expired):
                # Another one comes before it anyway.
                expired = None
            charge = replace(
                charge, method=method.id if method else None, expiring=expired.id if expired else None
            )
        yield charge


def _cards_that_expire(
    charges: Iterable[Charge], methods: Mapping[int, Sequence[SavedMethod]]
) -> Iterator[Milestone]:
    """The last day of each card that a charge would ask after it, once for each."""
    seen: set[int] = set()
    for charge in charges:
        for each in methods[charge.subscription]:
            if each.id == charge.expiring and each.id not in seen and each.last_day is not None:
                seen.add(each.id)
                yield Milestone(
                    MilestoneKind.CARD_EXPIRES,
                    charge.subscription,
                    each.last_day,
                    charge.terms,
                    method=each.id,
                )


def totals_of(charges: Iterable[Charge]) -> tuple[Money, ...]:
    """One for each currency, tax included: amounts of two are never added."""
    amounts = [each.total for each in charges]
    currencies = sorted({amount.currency for amount in amounts})
    return tuple(
        total((amount for amount in amounts if amount.currency == currency), currency)
        for currency in currencies
    )
