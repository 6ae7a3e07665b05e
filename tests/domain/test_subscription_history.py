"""A subscription's past reckoned anew: what was really sold is never a fault, anything else is."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.extension import PaidPeriod
from portal.domain.frozen_quote import frozen_lines
from portal.domain.money import Money
from portal.domain.periods import Period
from portal.domain.pricing import Offer, PresentTerms, WantedLine, make_quote
from portal.domain.subscription_history import (
    Fault,
    PastPeriod,
    PresentSubscription,
    PriceRow,
    Sale,
    faults_of,
)
from portal.domain.vocabulary import Interval, OrderKind, PriceUnit, SubscriptionState
from portal.domain.volume_price import VolumePrice

FIRST = date(2026, 1, 31)
A_DAY = timedelta(days=1)
PRICES = {
    (plan, interval): Money(plan * (1_000 if interval is Interval.MONTH else 10_000) + 99, "EUR")
    for plan in (1, 2, 3)
    for interval in Interval
}


def flat(amount):
    return VolumePrice(PriceUnit.FLAT, amount)


class Shop:
    """Sells as the portal does: quotes of domain/pricing.py, periods cut where the next one begins."""

    def __init__(self):
        self.periods = [PastPeriod(1, 9, None, FIRST, FIRST + 30 * A_DAY, FIRST + 30 * A_DAY, None)]
        self.plan, self.interval, self.due_on, self.anchor_day = "9", None, FIRST + 30 * A_DAY, FIRST.day

    def sell(self, plan, interval, on, *, renews=False):
        state = SubscriptionState.TRIAL if self.interval is None else self._state(on)
        present = PresentTerms(
            str(self.plan), self.interval, state, self.due_on, self.anchor_day, self._paid(on)
        )
        offer = Offer(plan, str(plan), {"en": "A plan"}, interval, 10 * plan, PRICES[plan, interval])
        quote = make_quote(
            [WantedLine(present, offer, renews=renews)],
            buyer=None,
            seller_country="FR",
            unchecked_counts_as_valid=True,
            on=on,
        )
        [line] = frozen_lines(quote.facts)
        price = PriceRow(plan, interval, flat(PRICES[plan, interval]), FIRST - 9 * A_DAY, None)
        place = len(self.periods) + 1
        sale = Sale(line, price, Period(on - A_DAY, on + 2 * A_DAY), place)
        start = line.start_on
        self.periods = [_cut(period, start) for period in self.periods]
        self.periods.append(PastPeriod(place, plan, 10 * plan, start, line.base_end_on, line.due_on, sale))
        self.plan, self.interval = plan, interval
        self.due_on, self.anchor_day = line.due_on, line.anchor_day

    def _state(self, on):
        return SubscriptionState.PAID if on <= self.due_on else SubscriptionState.BLOCKED

    def _paid(self, on):
        return tuple(
            PaidPeriod(
                Period(each.start_on, each.end_on), (each.base_end_on - each.start_on).days, each.sale.net
            )
            for each in self.periods
            if each.sale and each.end_on > max(on, each.start_on)
        )

    @property
    def present(self):
        newest = self.periods[-1]
        return PresentSubscription(
            newest.plan, newest.price, newest.start_on, self.due_on, self.anchor_day, None, None
        )

    def faults(self):
        return list(faults_of(self.periods, self.present))


def _cut(period, at):
    if period.end_on <= at:
        return period
    return replace(period, end_on=max(at, period.start_on))


PURCHASES = st.lists(
    st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from(list(Interval)), st.integers(0, 70)),
    min_size=1,
    max_size=12,
)


def a_shop(purchases):
    shop, day = Shop(), FIRST
    for plan, interval, days in purchases:
        day += days * A_DAY
        shop.sell(plan, interval, day)
    return shop


@given(PURCHASES)
@settings(deadline=None)
def test_whatever_was_sold_has_no_fault(purchases):
    assert a_shop(purchases).faults() == []


@given(PURCHASES, st.data())
@settings(deadline=None)
def test_a_period_that_ends_on_another_day_is_a_fault(purchases, data):
    shop = a_shop(purchases)
    place = data.draw(st.integers(0, len(shop.periods) - 1))
    present, days = shop.present, data.draw(st.sampled_from([-3, -1, 1, 40]))
    period = shop.periods[place]
    shop.periods[place] = replace(period, end_on=period.end_on + days * A_DAY)
    assert list(faults_of(shop.periods, present)) == [Fault.END]


@given(PURCHASES, st.data())
@settings(deadline=None)
def test_a_quote_of_other_terms_is_a_fault(purchases, data):
    shop = a_shop(purchases)
    place = data.draw(st.integers(1, len(shop.periods) - 1))
    name, value = data.draw(st.sampled_from([("base_end_on", date(2040, 1, 1)), ("kind", "other")]))
    period, present = shop.periods[place], shop.present
    kinds = {"buy": "change", "change": "prolong", "prolong": "buy"}
    other = OrderKind(kinds[period.sale.kind]) if name == "kind" else value
    line = replace(period.sale.line, **{name: other})
    shop.periods[place] = replace(period, sale=replace(period.sale, line=line))
    fault = Fault.QUOTE if name == "kind" else Fault.LENGTH
    assert list(faults_of(shop.periods, present)) == [fault]


def test_a_renewal_after_a_hole_needs_a_day_of_its_order():
    shop = Shop()
    shop.sell(1, Interval.MONTH, FIRST)
    shop.sell(1, Interval.MONTH, date(2026, 3, 20), renews=True)
    assert shop.faults() == []
    late = shop.periods[-1]
    days = Period(date(2026, 3, 10), date(2026, 3, 13))
    shop.periods[-1] = replace(late, sale=replace(late.sale, days=days))
    assert Fault.LENGTH in shop.faults()


@pytest.mark.parametrize(
    ("kind_of_row", "is_right"),
    [
        ({}, True),
        ({"valid_until": date(2026, 1, 20)}, False),
        ({"valid_from": date(2026, 2, 20)}, False),
        ({"price": flat(Money(1, "EUR"))}, False),
        ({"price": flat(Money(1099, "USD"))}, False),
        ({"interval": Interval.YEAR}, False),
        ({"plan": 2}, False),
    ],
)
def test_a_sale_has_a_price_of_its_day(kind_of_row, is_right):
    shop = Shop()
    shop.sell(1, Interval.MONTH, FIRST)
    sold = shop.periods[-1]
    price = replace(sold.sale.price, **kind_of_row)
    shop.periods[-1] = replace(sold, sale=replace(sold.sale, price=price))
    assert shop.faults() == ([] if is_right else [Fault.PRICE])


def test_what_was_paid_back_gave_nothing_and_lets_the_one_before_run_on():
    shop = Shop()
    shop.sell(1, Interval.MONTH, FIRST)
    before, present = shop.periods[-1], shop.present
    shop.sell(2, Interval.MONTH, FIRST + 5 * A_DAY)
    undone = shop.periods[-1]
    sale = replace(undone.sale, undone=9, undone_on=FIRST + 6 * A_DAY)
    shop.periods[1:] = [before, replace(undone, sale=sale, end_on=undone.start_on)]
    assert list(faults_of(shop.periods, present)) == []
    shop.periods[-1] = replace(undone, sale=sale, end_on=undone.start_on + A_DAY)
    assert list(faults_of(shop.periods, present)) == [Fault.END]


def test_a_lock_is_the_price_of_a_payment_for_a_year():
    shop = Shop()
    shop.sell(1, Interval.MONTH, FIRST)
    locked = replace(shop.present, locked_minor=1099, locked_until=date(2027, 1, 31))
    assert list(faults_of(shop.periods, locked)) == []
    for other in (
        replace(locked, locked_minor=999),
        replace(locked, locked_until=date(2028, 1, 31)),
        replace(locked, locked_until=None),
        replace(locked, locked_minor=None),
    ):
        assert list(faults_of(shop.periods, other)) == [Fault.LOCK]


@pytest.mark.parametrize(
    ("case", "kind", "paid_days_after", "is_right"),
    [
        ("a renewal", OrderKind.RENEWAL, 0, True),
        ("one that failed, by hand", OrderKind.PROLONG, 0, True),
        ("prolonged while it was paid", OrderKind.PROLONG, -9, False),
        ("bought", OrderKind.BUY, 0, False),
    ],
)
def test_what_was_due_may_cost_what_is_locked_and_no_other_order_may(case, kind, paid_days_after, is_right):
    shop = Shop()
    shop.sell(1, Interval.MONTH, FIRST)
    shop.sell(2, Interval.MONTH, shop.due_on, renews=True)
    shop.sell(1, Interval.MONTH, shop.due_on, renews=True)
    shop.sell(1, Interval.MONTH, shop.due_on, renews=True)
    renewal = shop.periods[-1]
    paid_on = renewal.start_on + paid_days_after * A_DAY
    sale = replace(
        renewal.sale,
        price=replace(renewal.sale.price, valid_until=FIRST + A_DAY),
        line=replace(renewal.sale.line, kind=kind),
        days=Period(paid_on - A_DAY, paid_on + 2 * A_DAY),
    )
    shop.periods[-1] = replace(renewal, sale=sale)
    assert (Fault.PRICE not in shop.faults()) is is_right
