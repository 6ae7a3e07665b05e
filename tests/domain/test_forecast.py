"""The forecast: a year of charges from frozen facts: named cases with their arithmetic, what always holds."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.forecast import (
    ChargedTerms,
    ListedPrice,
    MilestoneKind,
    Outlook,
    SavedMethod,
    Taxation,
    UnpaidInvoice,
    forecast,
)
from portal.domain.money import Money
from portal.domain.periods import add_months
from portal.domain.price_lock import PriceLock
from portal.domain.tax import Buyer
from portal.domain.vocabulary import Interval, SubscriptionState, VatStatus

MONTH, YEAR = Interval.MONTH, Interval.YEAR
TODAY = date(2026, 12, 1)
LONG_AGO = date(2020, 1, 1)
PAID = SubscriptionState.PAID
# A consumer: no VAT outside the EU, 20 % in France.
ABROAD = Taxation(Buyer("US", None, False, None, VatStatus.NONE), "FR", False)
FRENCH = Taxation(Buyer("FR", "75002", False, None, VatStatus.NONE), "FR", False)
ESTONIAN = Taxation(Buyer("EE", None, False, None, VatStatus.NONE), "FR", False)


def day(text):
    return date.fromisoformat(text)


def eur(minor):
    return Money(minor, "EUR")


def listed(*steps, currency="EUR"):
    """`(1000, None), (1200, "2027-03-01")`: an amount and the day from which it is on the list."""
    starts = [day(start) if start else LONG_AGO for _minor, start in steps] + [None]
    return tuple(
        ListedPrice(Money(minor, currency), start, end)
        for (minor, _start), (start, end) in zip(steps, pairwise(starts), strict=True)
    )


def terms(*steps, code="business-5", interval=MONTH, quantity=1, lock=None, currency="EUR", licensed=False):
    prices = listed(*(steps or ((1000, None),)), currency=currency)
    return ChargedTerms(code, {"en": code}, interval, quantity, prices, lock, licensed)


def some_outlook(present=None, *, number=1, due="2026-12-15", told=1000, **facts):
    """Ten euros a month, renewed by itself on the 15th; `told` is also the total, as there is no VAT."""
    present, due_on = present or terms(), day(due)
    currency = present.listed[0].amount.currency if present.listed else "EUR"
    told = None if told is None else Money(told, currency)
    known = {
        "state": PAID,
        "anchor_day": due_on.day,
        "renew_on": due_on,
        "told": told,
        "told_total": told,
        "methods": (SavedMethod(7, None),),
    }
    return Outlook(id=number, due_on=due_on, present=present, **{**known, **facts})


def foretell(*outlooks, taxation=ABROAD, kept=(), today=TODAY, unpaid=()):
    return forecast(
        outlooks,
        taxation=taxation,
        kept={each.currency: each for each in kept},
        today=today,
        sale_day=today,
        unpaid=unpaid,
    )


def days_and_totals(found):
    return [(f"{each.on}", each.total.minor) for each in found.charges]


def milestones(found):
    return [(each.kind.value, f"{each.on}") for each in found.milestones]


# --- days -----------------------------------------------------------------------------------------


def test_a_month_end_is_remembered_through_short_months():
    found = foretell(some_outlook(due="2026-12-31"))
    days = [f"{each.on}" for each in found.charges]
    assert days[:4] == ["2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31"]
    assert (len(days), days[-1]) == (12, "2027-11-30")


def test_a_leap_february_has_its_29th():
    found = foretell(some_outlook(due="2027-12-30"), today=day("2027-12-01"))
    assert [f"{each.on}" for each in found.charges][:4] == [
        "2027-12-30",
        "2028-01-30",
        "2028-02-29",
        "2028-03-30",
    ]


def test_a_leap_day_is_a_year_later_on_the_28th():
    found = foretell(some_outlook(terms(interval=YEAR), due="2028-02-29"), today=day("2028-02-29"))
    assert [f"{each.on}" for each in found.charges] == ["2028-02-29", "2029-02-28"]
    assert f"{found.last}" == "2029-02-28"


def test_what_was_bought_today_for_a_year_is_charged_on_the_last_day():
    found = foretell(some_outlook(terms((12_000, None), interval=YEAR), due="2027-12-01", told=12_000))
    assert days_and_totals(found) == [("2027-12-01", 12_000)]
    assert found.last == day("2027-12-01")


def test_yearly_and_monthly_stand_in_the_order_of_their_days():
    yearly = some_outlook(terms((12_000, None), interval=YEAR), number=2, due="2027-02-15", told=12_000)
    found = foretell(yearly, some_outlook())
    assert [(each.subscription, f"{each.on}") for each in found.charges][:4] == [
        (1, "2026-12-15"),
        (1, "2027-01-15"),
        (1, "2027-02-15"),
        (2, "2027-02-15"),
    ]
    # Twelve of 10.00 and one of 120.00.
    assert found.totals == (eur(24_000),)
    february = found.months[2]
    assert (february.first, february.totals) == (day("2027-02-01"), (eur(13_000),))


def test_thirteen_calendar_months_are_touched_and_those_without_anything_are_there():
    found = foretell(some_outlook(terms((12_000, None), interval=YEAR), due="2027-05-15", told=12_000))
    assert [f"{each.first:%Y-%m}" for each in found.months][:2] == ["2026-12", "2027-01"]
    assert len(found.months) == 13
    assert [bool(each.entries) for each in found.months] == [False] * 5 + [True] + [False] * 7


def test_what_is_overdue_since_the_run_was_away_is_charged_today():
    """And the next one comes a week later at the earliest (timeline.renewal_day)."""
    found = foretell(some_outlook(due="2026-11-05"))
    assert [f"{each.on}" for each in found.charges][:3] == ["2026-12-01", "2026-12-08", "2027-01-05"]


def test_a_retry_is_charged_on_its_day_and_said_to_be_one():
    outlook = some_outlook(
        due="2026-11-28", state=SubscriptionState.LATE, renew_on=day("2026-12-05"), has_failed=True
    )
    first, second, *_ = foretell(outlook).charges
    assert (f"{first.on}", first.is_retry, f"{first.period.start}") == ("2026-12-05", True, "2026-11-28")
    assert (f"{second.on}", second.is_retry) == ("2026-12-28", False)


def test_what_is_blocked_and_tried_again_begins_on_the_day_of_the_charge():
    outlook = some_outlook(due="2026-10-15", state=SubscriptionState.BLOCKED, renew_on=TODAY, has_failed=True)
    first = foretell(outlook).charges[0]
    assert (f"{first.period.start}", f"{first.period.end}") == ("2026-12-01", "2027-01-01")


# --- prices ---------------------------------------------------------------------------------------

OVER = PriceLock(eur(1000), LONG_AGO)
"""Whoever had a guarantee gets no second one; without any the first charge begins one."""

PRICES = {
    "stays": (terms((1000, None)), 1000, [1000] * 12),
    "a list price that was lower than what was told wins": (terms((900, None)), 1000, [900] * 12),
    # On the list from 1 April: told on 15 March, 31 days before 15 April.
    "a rise that is mailed in time": (
        terms((1000, None), (1200, "2027-04-01"), lock=OVER),
        1000,
        [1000] * 4 + [1200] * 8,
    ),
    # It was 10.00 when it was told, 12.00 today: 15 December is 14 days away, 15 January 31 days after it.
    "a rise that comes too late for the next charge": (
        terms((1200, None), lock=OVER),
        1000,
        [1000] + [1200] * 11,
    ),
    # From 15 February it is 28 days to the next charge, which keeps its price; the one after has 31.
    "a rise on a day that leaves no 30 days": (
        terms((1000, None), (1200, "2027-03-15"), lock=OVER),
        1000,
        [1000] * 4 + [1200] * 8,
    ),
    "a fall": (terms((1000, None), (800, "2027-06-15"), lock=OVER), 1000, [1000] * 6 + [800] * 6),
    "a fall and a rise": (
        terms((1000, None), (800, "2027-06-15"), (1100, "2027-07-15"), lock=OVER),
        1000,
        [1000] * 6 + [800] + [1100] * 5,
    ),
    # Guaranteed until 15 May (excluded): the charges of 15 December to 15 April.
    "a guarantee that ends in the middle": (
        terms((1400, None), lock=PriceLock(eur(1000), day("2027-05-15"))),
        1000,
        [1000] * 5 + [1400] * 7,
    ),
    "a list price below the guarantee": (
        terms((700, None), lock=PriceLock(eur(1000), day("2027-05-15"))),
        1000,
        [700] * 12,
    ),
    # 15 December begins a guarantee of twelve months, which the rise in June does not touch.
    "a first charge begins a guarantee": (terms((1000, None), (1200, "2027-06-01")), 1000, [1000] * 12),
    "a guarantee of what is sold no more": (
        replace(terms(), listed=(), lock=PriceLock(eur(1000), day("2027-05-15"))),
        1000,
        [1000] * 5,
    ),
}


@pytest.mark.parametrize("case", PRICES.values(), ids=PRICES)
def test_each_charge_has_the_price_of_its_day(case):
    present, told, expected = case
    outlook = some_outlook(present, told=told)
    assert [each.net.minor for each in foretell(outlook).charges] == expected


def test_a_rise_names_the_price_before_it():
    found = foretell(some_outlook(terms((1000, None), (1200, "2027-04-01"), lock=OVER)))
    assert [(f"{each.on}", each.dearer_than) for each in found.charges if each.dearer_than] == [
        ("2027-04-15", eur(1000))
    ]


def test_a_guarantee_that_ends_says_what_comes_after():
    """Of a yearly plan it may end half a year before the charge that it no longer holds for."""
    present = terms((12_000, None), interval=YEAR, lock=PriceLock(eur(9_000), day("2027-03-15")))
    found = foretell(some_outlook(present, due="2027-09-15", told=9_000))
    assert days_and_totals(found) == [("2027-09-15", 12_000)]
    [ends] = found.milestones
    assert (ends.kind, f"{ends.on}", ends.price) == (
        MilestoneKind.GUARANTEE_ENDS,
        "2027-03-15",
        eur(12_000),
    )


def test_a_guarantee_that_ends_before_the_last_day_is_told_though_no_charge_follows():
    present = terms((12_000, None), interval=YEAR, lock=PriceLock(eur(9_000), day("2027-06-15")))
    found = foretell(some_outlook(present, due="2027-01-15", told=9_000))
    assert days_and_totals(found) == [("2027-01-15", 9_000)]
    assert [(each.kind, each.price) for each in found.milestones] == [
        (MilestoneKind.GUARANTEE_ENDS, eur(12_000))
    ]


def test_what_is_sold_no_more_is_said_and_ends_the_charges():
    found = foretell(
        some_outlook(replace(terms(lock=OVER), listed=(ListedPrice(eur(1000), LONG_AGO, day("2027-02-01")),)))
    )
    assert [f"{each.on}" for each in found.charges] == ["2026-12-15", "2027-01-15"]
    assert milestones(found) == [("not_sold", "2027-02-15")]


def test_what_nobody_was_told_of_is_told_a_week_before():
    found = foretell(some_outlook(due="2026-12-01", told=None))
    assert [f"{each.on}" for each in found.charges][:2] == ["2026-12-08", "2027-01-01"]


# --- tax ------------------------------------------------------------------------------------------


def test_each_charge_has_the_tax_of_its_day_and_a_dearer_one_waits_for_its_letter():
    """Estonia: 22 %, from 1 July 2025 24 %. 12.20 were told; 12.40 are told on 8 July, charged on 7 August.

    The period begins where the one before has ended; the next charge, on 15 August, is a week later.
    """
    outlook = some_outlook(due="2025-06-15", told_total=eur(1220))
    found = foretell(outlook, taxation=ESTONIAN, today=day("2025-06-01"))
    assert days_and_totals(found)[:4] == [
        ("2025-06-15", 1220),
        ("2025-08-07", 1240),
        ("2025-08-15", 1240),
        ("2025-09-15", 1240),
    ]
    assert f"{found.charges[1].period.start}" == "2025-07-15"


def test_vat_is_in_the_total():
    charge = foretell(some_outlook(told_total=eur(1200)), taxation=FRENCH).charges[0]
    assert (charge.net, charge.total, charge.has_tax) == (eur(1000), eur(1200), True)


def test_a_rate_that_nobody_knows_ends_the_charges():
    unknown = Taxation(Buyer("XX1", None, False, None, VatStatus.NONE), "FR", False)
    found = foretell(some_outlook(), taxation=unknown)
    assert (found.charges, milestones(found)) == ((), [("tax_unknown", "2026-12-15")])


def test_without_billing_details_nothing_can_be_charged():
    assert foretell(some_outlook(), taxation=None).is_empty


# --- what is not charged --------------------------------------------------------------------------

NOT_CHARGED = {
    "cancelled": (
        {"state": SubscriptionState.CANCELLED, "renew_on": None},
        [("ends", "2026-12-15")],
    ),
    "trial": (
        {"state": SubscriptionState.TRIAL, "present": None, "renew_on": None},
        [("trial_ends", "2026-12-15")],
    ),
    "trial of a product": (
        {
            "state": SubscriptionState.TRIAL,
            "present": None,
            "renew_on": None,
            "trial_until": day("2026-12-14"),
        },
        [("trial_ends", "2026-12-14")],
    ),
    "automatic renewal off": ({"renew_on": None}, [("paid_until", "2026-12-15")]),
    "paid until later than a year": ({"renew_on": None, "due_on": day("2028-02-01")}, []),
    "a free plan begins": (
        {"free_plan_names": {"en": "Startup"}},
        [("free_plan_begins", "2026-12-15")],
    ),
    "what is to begin is too small": (
        {"scheduled": terms((500, None), code="business-3"), "is_too_small": True},
        [("too_small", "2026-12-15")],
    ),
    "free": ({"state": SubscriptionState.FREE, "present": None, "due_on": None}, []),
    "ended": ({"state": SubscriptionState.ENDED}, []),
    "late and not tried again": (
        {"state": SubscriptionState.LATE, "due_on": day("2026-11-20"), "renew_on": None},
        [],
    ),
    "blocked": (
        {"state": SubscriptionState.BLOCKED, "due_on": day("2026-09-20"), "renew_on": None},
        [],
    ),
    "money is on its way": ({"is_open": True}, []),
}


@pytest.mark.parametrize("case", NOT_CHARGED.values(), ids=NOT_CHARGED)
def test_what_does_not_renew_is_not_charged(case):
    facts, expected = case
    found = foretell(replace(some_outlook(), **facts))
    assert (found.charges, milestones(found)) == ((), expected)


# --- scheduled changes ----------------------------------------------------------------------------


def test_what_is_scheduled_begins_on_the_due_date_and_goes_on():
    outlook = some_outlook(terms((2000, None)), told=600, scheduled=terms((600, None), code="business-3"))
    found = foretell(outlook)
    assert [each.net.minor for each in found.charges] == [600] * 12
    assert milestones(found) == [("plan_begins", "2026-12-15")]
    assert found.charges[0].terms.plan_code == "business-3"


def test_a_scheduled_year_is_charged_once():
    outlook = some_outlook(told=6000, scheduled=terms((6000, None), interval=YEAR))
    assert days_and_totals(foretell(outlook)) == [("2026-12-15", 6000)]


def test_fewer_licences_keep_the_end_of_the_guarantee():
    """Ten at 9.00 guaranteed until 15 March, then eight; the list says 12.00 each."""
    until = day("2027-03-15")
    present = terms((12_000, None), quantity=10, lock=PriceLock(eur(9_000), until), licensed=True)
    fewer = terms((9_600, None), quantity=8, lock=PriceLock(eur(7_200), until), licensed=True)
    found = foretell(some_outlook(present, told=7_200, scheduled=fewer))
    # 15 March begins without the guarantee; 28 days after 15 February nobody can be told, so 15 April rises.
    assert [each.net.minor for each in found.charges] == [7_200] * 4 + [9_600] * 8
    assert milestones(found) == [("plan_begins", "2026-12-15"), ("guarantee_ends", "2027-03-15")]


def test_another_plan_begins_another_guarantee():
    """It is promised for twelve months from the first charge: a later list price does not count in them."""
    later = terms((600, None), (900, "2027-06-01"), code="business-3")
    found = foretell(some_outlook(told=600, scheduled=later))
    assert [each.net.minor for each in found.charges] == [600] * 12


# --- what pays ------------------------------------------------------------------------------------


def test_the_balance_pays_first_and_the_oldest_subscription_first():
    found = foretell(some_outlook(number=2), some_outlook(number=1), kept=[eur(1500)])
    assert [(each.subscription, each.from_balance.minor, each.method) for each in found.charges][:3] == [
        (1, 1000, None),
        (2, 500, 7),
        (1, 0, 7),
    ]
    assert not any(each.lacks_method for each in found.charges)


def test_a_balance_pays_in_its_own_currency():
    dollars = some_outlook(terms((1000, None), currency="USD"), number=2)
    found = foretell(some_outlook(), dollars, kept=[Money(400, "USD")])
    assert [each.from_balance.minor for each in found.charges][:3] == [0, 400, 0]


def test_two_currencies_are_two_sums_and_never_one():
    dollars = some_outlook(terms((1000, None), currency="USD"), number=2)
    found = foretell(some_outlook(), dollars)
    assert found.totals == (eur(12_000), Money(12_000, "USD"))
    assert found.months[0].totals == (eur(1000), Money(1000, "USD"))


def test_a_card_that_expires_is_named_once_and_the_next_one_takes_its_place():
    methods = (SavedMethod(7, day("2027-02-28")), SavedMethod(8, None))
    found = foretell(some_outlook(methods=methods))
    assert [each.method for each in found.charges] == [7] * 3 + [8] * 9
    assert milestones(found) == [("card_expires", "2027-02-28")]
    assert not any(each.lacks_method for each in found.charges)


def test_a_backup_that_expires_first_is_nobody_s_trouble():
    methods = (SavedMethod(7, None), SavedMethod(8, day("2027-02-28")))
    assert foretell(some_outlook(methods=methods)).milestones == ()


def test_where_no_other_method_is_left_the_charge_says_so():
    found = foretell(some_outlook(methods=(SavedMethod(7, day("2027-02-28")),)))
    lacking = [each for each in found.charges if each.lacks_method]
    assert ([f"{each.on}" for each in lacking][:1], lacking[0].expiring) == (["2027-03-15"], 7)
    assert len(lacking) == 9


def test_without_any_method_every_charge_lacks_one():
    assert all(each.lacks_method for each in foretell(some_outlook(methods=())).charges)


# --- what always holds ----------------------------------------------------------------------------

amounts = st.integers(min_value=100, max_value=50_000)
days_of_a_year = st.dates(min_value=day("2026-12-01"), max_value=day("2027-11-30"))


@st.composite
def some_lives(draw):
    """A subscription whose list price changes on two days, guaranteed or not."""
    changes = sorted(draw(st.sets(days_of_a_year, min_size=2, max_size=2)))
    prices = draw(st.lists(amounts, min_size=3, max_size=3))
    steps = list(zip(prices, [None, *(f"{each}" for each in changes)], strict=True))
    interval = draw(st.sampled_from([MONTH, YEAR]))
    until = draw(st.none() | days_of_a_year)
    told = draw(amounts)
    lock = PriceLock(eur(told), until) if until else None
    due = f"{draw(days_of_a_year)}"
    return some_outlook(terms(*steps, interval=interval, lock=lock), due=due, told=told)


@settings(max_examples=150)
@given(outlook=some_lives(), kept=st.integers(min_value=0, max_value=100_000))
def test_whatever_the_prices_do(outlook, kept):
    """Nobody pays more than the list, or more than before without 30 days; periods touch; a balance ends."""
    found = foretell(outlook, kept=[eur(kept)])
    assert outlook.present is not None
    told, since = outlook.told, TODAY
    for charge in found.charges:
        guaranteed = outlook.present.lock
        in_force = [outlook.present.list_price(charge.on)]
        if guaranteed and guaranteed.holds(charge.period.start):
            in_force.append(guaranteed.amount)
        assert charge.net <= min(each for each in in_force if each)
        if told is not None and told < charge.net:
            assert (charge.on - since).days >= 30
        told, since = charge.net, charge.on
    for one, next_one in pairwise(found.charges):
        assert one.period.end == next_one.period.start
        assert one.on < next_one.on
    assert sum(each.from_balance.minor for each in found.charges) <= kept
    in_months = [each.minor for month in found.months for each in month.totals]
    assert sum(in_months) == sum(each.total.minor for each in found.charges)


@settings(max_examples=100)
@given(outlook=some_lives())
def test_a_day_later_the_forecast_says_the_same_of_what_is_still_to_come(outlook):
    """As long as nothing is changed and nothing was charged or told meanwhile."""
    if outlook.renew_on is None or outlook.renew_on <= TODAY + timedelta(days=31):
        return
    first, later = foretell(outlook), foretell(outlook, today=TODAY + timedelta(days=1))
    shared = add_months(TODAY, 12, anchor_day=TODAY.day)
    assert [each for each in later.charges if each.on <= shared] == list(first.charges)


def test_an_open_invoice_is_due_on_its_day_and_on_today_once_it_is_over():
    soon = UnpaidInvoice("INV-2027-000019", day("2027-01-31"), eur(35_800), subscription=1)
    late = UnpaidInvoice("INV-2026-000007", TODAY - timedelta(days=3), eur(900), subscription=1)
    found = foretell(unpaid=(soon, late))
    assert [(each.kind, each.on, each.invoice) for each in found.milestones] == [
        (MilestoneKind.INVOICE_DUE, TODAY, late),
        (MilestoneKind.INVOICE_DUE, soon.due_on, soon),
    ]
    assert found.totals == ()
