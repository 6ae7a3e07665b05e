"""What a subscription's past must look like, reckoned anew from what was sold and given back.

Each period ends what runs on its first day, and its quote rests on what was running then, as when it was paid
(services/subscriptions/agreement.py). The books repeat years of it (services/upkeep/books/history.py).
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from .errors import PortalError
from .extension import PaidPeriod, extend
from .frozen_quote import DayShare, FrozenLine
from .money import Money
from .periods import MONTHS, Period, add_months, anchor_at, period_from
from .price_lock import LOCK_MONTHS
from .pricing import extension_facts
from .refunds import GivenPeriod, replay
from .vocabulary import Interval, OrderKind
from .volume_price import VolumePrice

NO_END = date.max
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A price of the catalogue with the days `[valid_from, valid_until)` on which it was on sale."""

    plan: int
    interval: Interval
    price: VolumePrice
    valid_from: date
    valid_until: date | None

    def was_on_sale(self, days: Period) -> bool:
        return self.valid_from < days.end and (self.valid_until is None or self.valid_until > days.start)


@dataclass(frozen=True, slots=True)
class Sale:
    """The line of a paid order behind a period. `price` None: the catalogue has no such row.

    `days` are those between the opening and the payment of the order, the seller's and the workspace's, a day
    more on either side, since the workspace may have moved to another time zone. `sold` and `undone` are the
    places of the invoice and of its credit note in the order of issue; `undone_on` is the day of the latter.
    """

    line: FrozenLine
    price: PriceRow | None
    days: Period
    sold: int
    undone: int | None = None
    undone_on: date | None = None

    @property
    def kind(self) -> OrderKind:
        return self.line.kind

    @property
    def interval(self) -> Interval:
        return self.line.interval

    @property
    def net(self) -> Money:
        return self.line.net

    @property
    def price_of_period(self) -> Money:
        """Of a whole period: a change of licences may have charged a share of that."""
        return self.line.price

    @property
    def start_on(self) -> date:
        return self.line.start_on

    @property
    def base_end_on(self) -> date:
        return self.line.base_end_on

    @property
    def due_on(self) -> date:
        return self.line.due_on


@dataclass(frozen=True, slots=True)
class PastPeriod:
    """A row of a subscription's periods, as it stands. `sale` None: a trial, or a plan without a price."""

    key: int
    plan: int
    price: int | None
    start_on: date
    base_end_on: date | None
    end_on: date | None
    sale: Sale | None


@dataclass(frozen=True, slots=True)
class PresentSubscription:
    """The subscription's own row: what it says of its newest period. `locked_minor` is without VAT.

    `is_licensed`: to a licensed product, which is bought anew once it has ended.
    """

    plan: int
    price: int | None
    started_on: date
    due_on: date | None
    anchor_day: int
    locked_minor: int | None
    locked_until: date | None
    is_licensed: bool = False


class Fault(StrEnum):
    """What is not as it follows from the past. The words are the names of the books' questions."""

    QUOTE = "quotes_follow_from_what_was_running"
    LENGTH = "periods_are_as_long_as_was_sold"
    END = "periods_touch_and_never_overlap"
    PRICE = "orders_cost_a_price_of_their_day"
    PRESENT = "subscriptions_are_as_their_last_period"
    LOCK = "price_locks_are_of_a_payment"


@dataclass(frozen=True, slots=True)
class _Given:
    """What is remembered of a period: as it was given, without its quote."""

    key: int
    plan: int
    price: int | None
    start_on: date
    base_end_on: date | None
    until: date
    net: Money | None
    interval: Interval | None
    anchor_day: int

    @classmethod
    def of(cls, period: PastPeriod) -> "_Given":
        sale = period.sale
        until = sale.due_on if sale else period.base_end_on
        return cls(
            key=period.key,
            plan=period.plan,
            price=period.price,
            start_on=period.start_on,
            base_end_on=period.base_end_on,
            until=until or NO_END,
            net=sale.price_of_period if sale else None,
            interval=sale.interval if sale else None,
            anchor_day=sale.line.anchor_day if sale else period.start_on.day,
        )


class _Kept:
    """What was given and not taken back, each with its end as it is by now."""

    def __init__(self) -> None:
        self.given: dict[int, _Given] = {}
        self.until: dict[int, date] = {}
        self.again_due_on: date | None = None
        self._running: list[tuple[int, int]] = []

    @property
    def newest(self) -> _Given | None:
        return next(reversed(self.given.values()), None)

    def running_after(self, day: date) -> list[tuple[_Given, date]]:
        """What is not over on that day, in order, each with its end."""
        later = []
        while self._running and -self._running[0][0] > day.toordinal():
            later.append(heapq.heappop(self._running))
        for each in later:
            heapq.heappush(self._running, each)
        found = [(self.given[key], self.until[key]) for _ordinal, key in later]
        return sorted(found, key=lambda each: (each[0].start_on, each[0].key))

    def cut(self, at: date) -> None:
        """End what runs on that day there. One that has not begun is empty for good."""
        ended = []
        while self._running and -self._running[0][0] > at.toordinal():
            _ordinal, key = heapq.heappop(self._running)
            self.until[key] = max(at, self.given[key].start_on)
            ended.append(key)
        for key in ended:
            if self.given[key].start_on < at:
                self._run(key)

    def give(self, period: _Given) -> None:
        self.given[period.key], self.until[period.key] = period, period.until
        self.again_due_on = None
        self._run(period.key)

    def take_back(self, key: int, on: date | None) -> None:
        """As if it had never been given: what it cut runs on. What is over by then is due that day."""
        del self.given[key]
        lasting = replay([GivenPeriod(each.key, each.start_on, each.until) for each in self.given.values()])
        self.until = {each.key: each.until or NO_END for each in lasting}
        self._running = []
        for each in self.given:
            self._run(each)
        self.again_due_on = on

    def _run(self, key: int) -> None:
        heapq.heappush(self._running, (-self.until[key].toordinal(), key))


@dataclass(frozen=True, slots=True)
class _Terms:
    """What a quote gives. `figures` None: no money left became days."""

    base_end_on: date
    due_on: date
    anchor_day: int
    figures: Mapping[str, object] | None = None

    @classmethod
    def plain(cls, period: Period, anchor_day: int) -> "_Terms":
        return cls(period.end, period.end, anchor_day)

    def are_quoted_by(self, sale: Sale) -> bool:
        quoted = sale.line.extension
        if (self.base_end_on, self.due_on, self.anchor_day) != (
            sale.base_end_on,
            sale.due_on,
            sale.line.anchor_day,
        ):
            return False
        if self.figures is None or quoted is None:
            return self.figures is None and quoted is None
        # A quote keeps the figures that were known in its days.
        return all(self.figures.get(name) == value for name, value in quoted.items())


class _Locks:
    """The price locks that payments may have begun: by plan and interval the amount and its last day."""

    def __init__(self) -> None:
        self._begun: dict[tuple[int, Interval | None], set[tuple[int, date]]] = {}

    def begin(self, plan: int, sale: Sale) -> None:
        """With another number of licences, those that were begun before go on at what they cost."""
        minor = sale.price_of_period.minor
        begun = self._begun.setdefault((plan, sale.interval), set())
        if sale.line.is_licensed:
            begun |= {(minor, until) for _minor, until in begun}
        paid_on = sale.days.end - 2 * A_DAY
        begun.add((minor, add_months(paid_on, LOCK_MONTHS[sale.interval], anchor_day=paid_on.day)))

    def hold(self, plan: int, sale: Sale) -> bool:
        return any(
            minor == sale.price_of_period.minor and sale.start_on < until + A_DAY
            for minor, until in self._begun.get((plan, sale.interval), ())
        )

    def know(self, plan: int, interval: Interval | None, locked_minor: int, locked_until: date) -> bool:
        return any(
            minor == locked_minor and abs(until - locked_until) <= A_DAY
            for minor, until in self._begun.get((plan, interval), ())
        )


def faults_of(periods: Iterable[PastPeriod], present: PresentSubscription) -> Iterator[Fault]:
    """What does not follow from the past, once for each row where it shows.

    `periods` are all those of one subscription in the order in which they were given.
    """
    kept, locks = _Kept(), _Locks()
    undone: list[tuple[int, int, date | None]] = []
    ends: dict[int, tuple[date, date | None]] = {}
    for period in periods:
        sale = period.sale
        ends[period.key] = (period.start_on, period.end_on)
        while sale is not None and undone and undone[0][0] < sale.sold:
            _place, key, on = heapq.heappop(undone)
            kept.take_back(key, on)
        if sale is not None:
            yield from _faults_of_sale(period, sale, kept, locks, is_licensed=present.is_licensed)
            if sale.undone is not None:
                heapq.heappush(undone, (sale.undone, period.key, sale.undone_on))
        elif period.price is not None or not _is_a_trial_or_free(period):
            yield Fault.LENGTH
        kept.cut(period.start_on)
        kept.give(_Given.of(period))
    while undone:
        _place, key, on = heapq.heappop(undone)
        kept.take_back(key, on)
    for key, (start_on, end_on) in ends.items():
        # What was paid back is empty, wherever it began.
        if (end_on or NO_END) != kept.until.get(key, start_on):
            yield Fault.END
    if not _is_as_its_newest(present, kept):
        yield Fault.PRESENT
    if not _lock_was_begun(present, kept, locks):
        yield Fault.LOCK


def _is_a_trial_or_free(period: PastPeriod) -> bool:
    return period.base_end_on is None or period.base_end_on > period.start_on


def _faults_of_sale(
    period: PastPeriod, sale: Sale, kept: _Kept, locks: _Locks, *, is_licensed: bool
) -> Iterator[Fault]:
    before = kept.newest
    is_over = before is not None and is_licensed and kept.until[before.key] <= sale.start_on
    try:
        if sale.kind != _kind_after(before, period, sale, is_over=is_over):
            yield Fault.QUOTE
        elif not (_is_the_right_share(sale, before) and _has_right_terms(sale, before, kept)):
            yield Fault.LENGTH
    except (PortalError, ValueError):
        # Nobody could have been quoted this.
        yield Fault.LENGTH
    if not _has_its_price(period, sale, kept, locks):
        yield Fault.PRICE


def _has_right_terms(sale: Sale, before: _Given | None, kept: _Kept) -> bool:
    return any(terms.are_quoted_by(sale) for terms in _right_terms(sale, before, kept))


def _kind_after(before: _Given | None, period: PastPeriod, sale: Sale, *, is_over: bool) -> OrderKind:
    """As pricing.order_kind; a renewal is told from a prolonging by nothing but its word.

    So is what is bought anew, once what was before `is_over`. Licences are prolonged, by hand too, as what
    was to begin on their due date.
    """
    if before is None or before.interval is None or (is_over and sale.kind is OrderKind.BUY):
        return OrderKind.BUY
    if sale.kind is OrderKind.RENEWAL or sale.line.prolongs_licences:
        return sale.kind
    is_same = (before.plan, before.interval) == (period.plan, sale.interval)
    if is_same and not sale.line.changes_licences:
        # Of licences that is a change of their number.
        return OrderKind.PROLONG
    return OrderKind.CHANGE


def _right_terms(sale: Sale, before: _Given | None, kept: _Kept) -> Iterator[_Terms]:
    """What may have been quoted; nothing for a day that is neither the due date nor one of the order."""
    start_on = sale.start_on
    if before is None:
        # A first purchase: a licensed product is not tried before.
        if sale.days.contains(start_on):
            yield _Terms.plain(period_from(start_on, sale.interval), start_on.day)
        return
    due_on = kept.until[before.key]
    if sale.line.changes_licences and start_on <= due_on:
        yield from _terms_of_changed_licences(sale, before, due_on)
        return
    follows = sale.kind in (OrderKind.PROLONG, OrderKind.RENEWAL)
    again = kept.again_due_on
    is_due_again = again is not None and abs(start_on - again) <= A_DAY and start_on > due_on
    if follows and (start_on == due_on or is_due_again):
        anchor_day = anchor_at(start_on, anchor_day=before.anchor_day)
        yield _Terms.plain(period_from(start_on, sale.interval, anchor_day=anchor_day), anchor_day)
    if not sale.days.contains(start_on) or (follows and start_on <= due_on):
        return
    paid = () if follows else _paid_on(start_on, kept)
    if sale.kind is OrderKind.CHANGE and paid:
        extension = extend(paid=paid, new_price=sale.net, interval=sale.interval, on=start_on)
        yield _Terms(extension.base.end, extension.due_on, extension.anchor_day, extension_facts(extension))
    else:
        yield _Terms.plain(period_from(start_on, sale.interval), start_on.day)


def _terms_of_changed_licences(sale: Sale, before: _Given, due_on: date) -> Iterator[_Terms]:
    """By the prorate rule: until the due date, which stays, or a whole period from the day of the change."""
    if not sale.days.contains(sale.start_on):
        return
    anchor_day = anchor_at(due_on, anchor_day=before.anchor_day)
    if sale.line.share is not None:
        yield _Terms(due_on, due_on, anchor_day)
        return
    yield _Terms.plain(period_from(sale.start_on, sale.interval), sale.start_on.day)
    if sale.interval == before.interval:
        # On the first day of a period its whole price is charged, and nothing moves.
        yield _Terms(due_on, due_on, anchor_day)


def _is_the_right_share(sale: Sale, before: _Given | None) -> bool:
    """Of the whole period that ends on the due date; nothing but a change of licences has one."""
    share, anchor_day = sale.line.share, sale.line.anchor_day
    if share is None:
        return True
    if before is None or sale.kind is not OrderKind.CHANGE or sale.interval != before.interval:
        return False
    begins_on = add_months(sale.due_on, -MONTHS[sale.interval], anchor_day=anchor_day)
    return share == DayShare(
        sale.price_of_period, (sale.due_on - sale.start_on).days, (sale.due_on - begins_on).days
    )


def _paid_on(day: date, kept: _Kept) -> tuple[PaidPeriod, ...]:
    """What was paid for and is not over on that day."""
    return tuple(
        PaidPeriod(
            period=Period(each.start_on, until),
            base_days=(each.base_end_on - each.start_on).days,
            price=each.net,
        )
        for each, until in kept.running_after(day)
        if each.net is not None and each.base_end_on is not None and each.net.minor
    )


def _has_its_price(period: PastPeriod, sale: Sale, kept: _Kept, locks: _Locks) -> bool:
    """One on sale that day; of what was due it may be locked, or what was shown since the last payment.

    What was shown of a plan that waited stays its ceiling, and is guaranteed from its first payment on.
    """
    price, before = sale.price, kept.newest
    if price is None or (price.plan, price.interval) != (period.plan, sale.interval):
        return False
    if price.price.amount(sale.line.quantity) != sale.price_of_period:
        return False
    if price.was_on_sale(sale.days):
        locks.begin(period.plan, sale)
        return True
    if before is None:
        return False
    if sale.line.is_licensed and before.price == period.price:
        # What is guaranteed is guaranteed for any number of licences.
        locks.begin(period.plan, sale)
        return True
    if not _pays_what_was_due(sale, due_on=kept.until[before.key]):
        return False
    paid_the_same = (before.plan, before.interval, before.net) == (
        period.plan,
        sale.interval,
        sale.price_of_period,
    )
    shown = Period(min(before.start_on, sale.days.start), sale.days.end)
    if price.was_on_sale(shown):
        locks.begin(period.plan, sale)
        return True
    return paid_the_same or locks.hold(period.plan, sale)


def _pays_what_was_due(sale: Sale, *, due_on: date) -> bool:
    """A renewal, or what may be one that failed: paid by hand it costs the same, from the due date on."""
    if sale.kind is OrderKind.RENEWAL:
        return True
    may_be_one = sale.kind is not OrderKind.BUY and not sale.line.changes_licences
    return may_be_one and due_on < sale.days.end


def _is_as_its_newest(present: PresentSubscription, kept: _Kept) -> bool:
    """The due date is the end of the newest period, or the day on which a refund let it be due again.

    Nothing is left of a licensed product whose only payment went back.
    """
    newest = kept.newest
    if newest is None:
        return present.is_licensed and (present.price, present.due_on) == (None, None)
    until, due_on = kept.until[newest.key], present.due_on or NO_END
    again = kept.again_due_on
    is_due_again = again is not None and due_on > until and abs(due_on - again) <= A_DAY
    is_sold = newest.interval is not None
    return (
        (present.plan, present.price) == (newest.plan, newest.price)
        and (due_on == until or is_due_again)
        # A trial that was prolonged keeps its first day, and its anchor is nobody's.
        and (present.started_on == newest.start_on if is_sold else present.started_on <= newest.start_on)
        and (present.anchor_day == newest.anchor_day or not is_sold)
    )


def _lock_was_begun(present: PresentSubscription, kept: _Kept, locks: _Locks) -> bool:
    if present.locked_minor is None or present.locked_until is None:
        return present.locked_minor is None and present.locked_until is None
    newest = kept.newest
    return newest is not None and locks.know(
        newest.plan, newest.interval, present.locked_minor, present.locked_until
    )
