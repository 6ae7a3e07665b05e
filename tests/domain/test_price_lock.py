"""« La garantie d'un prix fixe » : source-systems.md §2.3, product.md §4."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.errors import CurrencyMismatch
from portal.domain.money import Money
from portal.domain.periods import add_months, period_from
from portal.domain.price_lock import LOCK_MONTHS, PriceLock, lock_after_payment, renewal_price
from portal.domain.vocabulary import Interval

MONTH, YEAR = Interval.MONTH, Interval.YEAR
property_test = settings(deadline=None)


def day(text):
    return date.fromisoformat(text)


def usd(dollars):
    return None if dollars is None else Money(dollars * 100, "USD")


def a_lock(dollars=18, until="2027-01-15"):
    return PriceLock(amount=usd(dollars), until=day(until))


def after_payment(before=None, *, same_terms=True, auto_renewal=True, charged=18, on, interval=MONTH):
    return lock_after_payment(
        before=before,
        same_terms=same_terms,
        auto_renewal=auto_renewal,
        charged=usd(charged),
        paid_on=day(on),
        interval=interval,
    )


LOCKS = {
    "twelve months by the month": (None, {"on": "2026-01-15"}, a_lock(18, "2027-01-15")),
    "twenty-four by the year": (
        None, {"on": "2026-01-15", "charged": 180, "interval": YEAR}, a_lock(180, "2028-01-15")),
    # 29 February + 12 months: 28 February 2029, the first day of the thirteenth period.
    "from 29 February": (None, {"on": "2028-02-29"}, a_lock(18, "2029-02-28")),
    "from 29 February to the next leap year but two": (
        None, {"on": "2028-02-29", "charged": 180, "interval": YEAR}, a_lock(180, "2030-02-28")),
    "kept by a renewal": (a_lock(), {"on": "2026-06-15"}, a_lock()),
    "kept though a lower price was charged": (a_lock(), {"on": "2026-06-15", "charged": 15}, a_lock()),
    "counted from the first payment, not from the last": (a_lock(), {"on": "2026-12-15"}, a_lock()),
    # The promise is made once: when it is over, renewals follow the list.
    "not made anew when it is over": (a_lock(), {"on": "2027-01-15", "charged": 20}, a_lock()),
    "another plan begins another": (
        a_lock(), {"on": "2026-06-15", "charged": 30, "same_terms": False}, a_lock(30, "2027-06-15")),
    "so does the yearly price of the same plan": (
        a_lock(), {"on": "2026-06-15", "charged": 180, "same_terms": False, "interval": YEAR},
        a_lock(180, "2028-06-15")),
    "another plan after one that is over": (
        a_lock(), {"on": "2027-06-15", "charged": 30, "same_terms": False}, a_lock(30, "2028-06-15")),
    "none without auto-renewal": (None, {"on": "2026-01-15", "auto_renewal": False}, None),
    "ended by a payment without it": (a_lock(), {"on": "2026-06-15", "auto_renewal": False}, None),
    "begun anew once it is on again": (None, {"on": "2026-08-15", "charged": 20}, a_lock(20, "2027-08-15")),
}  # fmt: skip


@pytest.mark.parametrize(("before", "payment", "expected"), LOCKS.values(), ids=LOCKS)
def test_the_lock_after_a_payment(before, payment, expected):
    assert after_payment(before, **payment) == expected


# list price, locked price, day on which the period begins, what it costs; the lock ends on 15 January 2027.
PRICES = {
    "the list price rose": (20, 18, "2026-06-15", 18),
    "the list price is the same": (18, 18, "2026-06-15", 18),
    "a lower list price wins": (15, 18, "2026-06-15", 15),
    "it rose again: the locked one": (20, 18, "2026-07-15", 18),
    "the last period of the lock": (20, 18, "2026-12-15", 18),
    "the day before the lock ends": (20, 18, "2027-01-14", 18),
    "on the day itself": (20, 18, "2027-01-15", 20),
    "after it, lower": (15, 18, "2027-02-15", 15),
    "nothing locked": (20, None, "2026-06-15", 20),
    "withdrawn from sale, locked": (None, 18, "2026-06-15", 18),
    "withdrawn from sale, lock over": (None, 18, "2027-01-15", None),
    "withdrawn from sale, nothing locked": (None, None, "2026-06-15", None),
    # A price of 0 is a price.
    "free of charge on the list": (0, 18, "2026-06-15", 0),
    "locked at nothing": (20, 0, "2026-06-15", 0),
    "locked at nothing, withdrawn": (None, 0, "2026-06-15", 0),
}


@pytest.mark.parametrize(("listed", "locked", "on", "expected"), PRICES.values(), ids=PRICES)
def test_what_a_renewal_costs(listed, locked, on, expected):
    lock = None if locked is None else a_lock(locked)
    assert renewal_price(list_price=usd(listed), lock=lock, on=day(on)) == usd(expected)


# list price, locked price, told price, what it costs: the lock holds.
TOLD = {
    "the list price rose since": (20, None, 17, 17),
    "the list price fell since": (15, None, 17, 15),
    "a lower lock wins": (20, 16, 17, 16),
    "told before the lock": (20, 18, 17, 17),
    "a rise that was mailed": (20, None, 20, 20),
    "told, and sold no more": (None, None, 17, None),
    "told, sold no more, but locked": (None, 18, 17, 17),
    "told at nothing": (20, None, 0, 0),
}


@pytest.mark.parametrize(("listed", "locked", "told", "expected"), TOLD.values(), ids=TOLD)
def test_what_was_told_is_the_ceiling(listed, locked, told, expected):
    lock = None if locked is None else a_lock(locked)
    found = renewal_price(list_price=usd(listed), lock=lock, told=usd(told), on=day("2026-06-15"))
    assert found == usd(expected)


def test_two_currencies_are_never_compared():
    with pytest.raises(CurrencyMismatch):
        renewal_price(list_price=Money(1500, "EUR"), lock=a_lock(), on=day("2026-06-15"))


@property_test
@given(
    st.dates(date(2024, 1, 1), date(2032, 12, 31)),
    st.sampled_from(Interval),
    st.lists(st.integers(1, 100), min_size=40, max_size=40),
)
def test_twelve_monthly_or_two_yearly_periods_never_cost_more_than_the_first(start, interval, list_prices):
    """Paid on the day it begins and renewed on each due date, whatever the list says meanwhile."""
    lock, period, charged = None, period_from(start, interval), []
    for listed in list_prices[: 30 if interval is MONTH else 5]:
        price = renewal_price(list_price=usd(listed), lock=lock, on=period.start)
        charged.append(price)
        assert price <= usd(listed)
        lock = lock_after_payment(
            before=lock,
            same_terms=True,
            auto_renewal=True,
            charged=price,
            paid_on=period.start,
            interval=interval,
        )
        period = period_from(period.end, interval, anchor_day=start.day)
    guaranteed = 12 if interval is MONTH else 2
    first = charged[0]
    assert charged[:guaranteed] == [min(first, usd(listed)) for listed in list_prices[:guaranteed]]
    assert charged[guaranteed:] == [usd(listed) for listed in list_prices[guaranteed : len(charged)]]


@property_test
@given(st.dates(date(2024, 1, 1), date(2032, 12, 31)), st.sampled_from(Interval))
def test_the_date_shown_is_the_first_day_without_the_lock(paid_on, interval):
    lock = lock_after_payment(
        before=None, same_terms=False, auto_renewal=True, charged=usd(18), paid_on=paid_on, interval=interval
    )
    assert lock.until == add_months(paid_on, LOCK_MONTHS[interval], anchor_day=paid_on.day)
    assert lock.holds(lock.until - timedelta(days=1)) and not lock.holds(lock.until)
