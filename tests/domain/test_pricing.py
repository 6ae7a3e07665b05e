"""The quote: one computation for what is shown and for what is charged."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.errors import CurrencyMismatch, MissingVatRate
from portal.domain.extension import PaidPeriod
from portal.domain.money import EXPONENTS, Money
from portal.domain.periods import Period
from portal.domain.pricing import Offer, PresentTerms, WantedLine, facts_hash, make_quote, order_kind
from portal.domain.tax import Buyer
from portal.domain.vocabulary import Interval, OrderKind, PriceUnit, SubscriptionState, VatStatus

TODAY = date(2026, 11, 21)
PERSON_FR = Buyer("FR", "75002", is_business=False, vat_number=None, vat_status=VatStatus.NONE)
ON_TRIAL = PresentTerms("trial", None, SubscriptionState.TRIAL, date(2026, 12, 21), 21)


PLAN_IDS = {"business-3": 3, "business-5": 5, "business-10": 10}


def by_licence(*args, **options):
    return replace(an_offer(*args, **options), unit=PriceUnit.LICENCE)


def an_offer(minor=2800, currency="EUR", *, plan="business-5", interval=Interval.MONTH, price_id=7):
    return Offer(PLAN_IDS[plan], plan, {"en": plan, "fr": plan}, interval, price_id, Money(minor, currency))


def paid_standing(
    *,
    start=date(2026, 11, 1),
    days=30,
    minor=1700,
    currency="EUR",
    plan="business-3",
    state=SubscriptionState.PAID,
):
    """One month of `plan`, paid on `start`."""
    end = start + timedelta(days=days)
    part = PaidPeriod(Period(start, end), days, Money(minor, currency))
    return PresentTerms(plan, Interval.MONTH, state, end, start.day, (part,) if state == "paid" else ())


def a_quote(present=ON_TRIAL, offer=None, *, buyer=PERSON_FR, on=TODAY, renews=False, **options):
    return quote_of([WantedLine(present, offer or an_offer(), renews=renews)], buyer=buyer, on=on, **options)


def quote_of(wanted, *, buyer=PERSON_FR, on=TODAY, **options):
    return make_quote(
        wanted,
        buyer=buyer,
        seller_country="FR",
        unchecked_counts_as_valid=True,
        on=on,
        **options,
    )


# --- which kind -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("present", "plan", "interval", "kind"),
    [
        (ON_TRIAL, "business-5", Interval.MONTH, OrderKind.BUY),
        (replace(ON_TRIAL, state=SubscriptionState.BLOCKED), "business-5", Interval.MONTH, OrderKind.BUY),
        (
            PresentTerms("startup", None, SubscriptionState.FREE, None, 1),
            "business-5",
            Interval.YEAR,
            OrderKind.BUY,
        ),
        (paid_standing(), "business-3", Interval.MONTH, OrderKind.PROLONG),
        (paid_standing(), "business-3", Interval.YEAR, OrderKind.CHANGE),
        (paid_standing(), "business-5", Interval.MONTH, OrderKind.CHANGE),
        (paid_standing(state=SubscriptionState.LATE), "business-3", Interval.MONTH, OrderKind.PROLONG),
        (paid_standing(state=SubscriptionState.BLOCKED), "business-5", Interval.MONTH, OrderKind.CHANGE),
        (paid_standing(state=SubscriptionState.CANCELLED), "business-3", Interval.MONTH, OrderKind.PROLONG),
        (paid_standing(state=SubscriptionState.ENDED), "business-3", Interval.MONTH, OrderKind.BUY),
        (paid_standing(state=SubscriptionState.ENDED), "business-5", Interval.YEAR, OrderKind.BUY),
    ],
)
def test_the_kind_of_an_order(present, plan, interval, kind):
    assert order_kind(present, plan_code=plan, interval=interval) == kind


# --- periods --------------------------------------------------------------------------------------


def periods(quote):
    line = quote.only_line
    return line.period.start, line.period.end, line.due_on, line.anchor_day


def test_buying_begins_today():
    assert periods(a_quote()) == (TODAY, date(2026, 12, 21), date(2026, 12, 21), 21)


def test_buying_on_the_31st_remembers_it():
    assert periods(a_quote(on=date(2027, 1, 31)))[1:] == (date(2027, 2, 28), date(2027, 2, 28), 31)


def test_a_year_from_29_february_ends_on_the_28th():
    quote = a_quote(offer=an_offer(interval=Interval.YEAR), on=date(2028, 2, 29))
    assert periods(quote) == (date(2028, 2, 29), date(2029, 2, 28), date(2029, 2, 28), 29)


def test_what_has_ended_is_bought_from_today_on():
    quote = a_quote(
        paid_standing(state=SubscriptionState.ENDED), an_offer(plan="business-3"), on=date(2027, 3, 31)
    )
    assert periods(quote) == (date(2027, 3, 31), date(2027, 4, 30), date(2027, 4, 30), 31)


@pytest.mark.parametrize(
    "state", [SubscriptionState.PAID, SubscriptionState.CANCELLED, SubscriptionState.LATE]
)
def test_prolonging_begins_at_the_due_date(state):
    present = paid_standing(state=state)
    quote = a_quote(present, an_offer(plan="business-3"), on=date(2026, 11, 28))
    assert periods(quote) == (date(2026, 12, 1), date(2027, 1, 1), date(2027, 1, 1), 1)


def test_prolonging_when_blocked_begins_on_the_day_of_the_payment():
    present = paid_standing(state=SubscriptionState.BLOCKED)
    quote = a_quote(present, an_offer(plan="business-3"), on=date(2027, 3, 31))
    assert periods(quote) == (date(2027, 3, 31), date(2027, 4, 30), date(2027, 4, 30), 31)


@pytest.mark.parametrize(
    ("case", "state", "due_on", "anchor", "interval", "on", "start", "end"),
    [
        ("late", "late", "2026-12-21", 21, "month", "2026-12-23", "2026-12-21", "2027-01-21"),
        (
            "late by more than it pays for",
            "late",
            "2026-10-21",
            21,
            "month",
            "2026-12-23",
            "2026-10-21",
            "2026-11-21",
        ),
        ("blocked", "blocked", "2026-12-21", 21, "month", "2026-12-31", "2026-12-31", "2027-01-31"),
        (
            "late, anchored on the 31st",
            "late",
            "2027-02-28",
            31,
            "month",
            "2027-03-02",
            "2027-02-28",
            "2027-03-31",
        ),
        (
            "blocked, a leap day",
            "blocked",
            "2028-01-15",
            15,
            "year",
            "2028-02-29",
            "2028-02-29",
            "2029-02-28",
        ),
        (
            "its renewal failed today",
            "paid",
            "2026-12-21",
            21,
            "month",
            "2026-12-21",
            "2026-12-21",
            "2027-01-21",
        ),
    ],
)
def test_licences_that_are_due_are_prolonged_by_hand(case, state, due_on, anchor, interval, on, start, end):
    """Nine at 15.00 are 135.00, and 27.00 of tax; what waited for the due date is what `present` names."""
    present = PresentTerms(
        "business-5", Interval(interval), SubscriptionState(state), date.fromisoformat(due_on), anchor
    )
    offer = by_licence(1500, interval=Interval(interval))
    quote = quote_of([WantedLine(present, offer, 9)], on=date.fromisoformat(on))
    line = quote.only_line
    assert (line.kind, line.quantity, line.extension) == (OrderKind.PROLONG, 9, None)
    assert (line.period.start.isoformat(), line.due_on.isoformat()) == (start, end)
    assert (quote.net.minor, quote.total.minor) == (13500, 16200)


def test_prolonging_in_february_returns_to_the_anchor_day():
    present = replace(paid_standing(start=date(2027, 1, 31), days=28), anchor_day=31)
    quote = a_quote(present, an_offer(plan="business-3"), on=date(2027, 2, 20))
    assert periods(quote) == (date(2027, 2, 28), date(2027, 3, 31), date(2027, 3, 31), 31)


def test_a_due_date_off_the_anchor_becomes_the_anchor():
    """Nothing of ours leads there; whoever moved the due date by hand moved the anchor too."""
    present = replace(paid_standing(start=date(2027, 1, 3), days=28), anchor_day=5)
    quote = a_quote(present, an_offer(plan="business-3"), on=date(2027, 1, 20))
    assert periods(quote) == (date(2027, 1, 31), date(2027, 2, 28), date(2027, 2, 28), 31)


def test_the_published_example_of_a_change():
    """18 → 30 USD on 3 January: 28 × 18/31 ÷ 30/31 = 16.8 → 16 days; 3 February + 16 = 19 February."""
    present = paid_standing(start=date(2027, 1, 1), days=31, minor=1800, currency="USD")
    quote = a_quote(present, an_offer(3000, "USD"), on=date(2027, 1, 3))
    assert periods(quote) == (date(2027, 1, 3), date(2027, 2, 3), date(2027, 2, 19), 19)
    figures = quote.only_line.facts["extension"]
    # 1800/31 = 58.06…, 3000/31 = 96.77…, 28 × 1800/31 = 50400/31 = 1625.8…
    assert (figures["rate_old_minor"], figures["rate_new_minor"]) == (58, 97)
    assert (figures["unused_days"], figures["money_left_minor"], figures["extra_days"]) == (28, 1626, 16)
    assert (figures["rate_old_exact"], figures["money_left_exact"]) == ("1800/31", "50400/31")
    assert quote.net == Money(3000, "USD")


@pytest.mark.parametrize("state", [SubscriptionState.LATE, SubscriptionState.BLOCKED])
def test_a_change_when_late_or_blocked_has_no_money_left(state):
    quote = a_quote(paid_standing(state=state), an_offer(), on=date(2026, 12, 20))
    assert quote.only_line.extension is None
    assert quote.only_line.period.start == date(2026, 12, 20)


@pytest.mark.parametrize("plan", ["business-3", "business-5"])
def test_a_running_period_keeps_its_currency(plan):
    with pytest.raises(CurrencyMismatch):
        a_quote(paid_standing(), an_offer(3000, "USD", plan=plan))


def test_a_change_reckons_without_vat_on_both_sides():
    """source-systems.md §3.5: 20 % or none, the money left and the extra days are the same."""
    present = paid_standing(start=date(2027, 1, 1), days=31, minor=1800, currency="USD")
    taxed = a_quote(present, an_offer(3000, "USD"), on=date(2027, 1, 3))
    untaxed = a_quote(
        present, an_offer(3000, "USD"), on=date(2027, 1, 3), buyer=replace(PERSON_FR, country="US")
    )
    assert (taxed.total.minor, untaxed.total.minor) == (3600, 3000)
    assert taxed.only_line.extension == untaxed.only_line.extension


def test_two_changes_on_one_day():
    """The first gives 3 January → 19 February, 47 days; of these the second leaves 46, at 30/31 a day.

    46 × 30/31 ÷ (60/31) = 23; 3 February + 23 = 26 February. The first 18 USD count once, in those 46 days.
    """
    on = date(2027, 1, 3)
    first = a_quote(
        paid_standing(start=date(2027, 1, 1), days=31, minor=1800, currency="USD"),
        an_offer(3000, "USD"),
        on=on,
    ).only_line
    present = PresentTerms(
        "business-5",
        Interval.MONTH,
        SubscriptionState.PAID,
        first.due_on,
        first.anchor_day,
        (PaidPeriod(Period(on, first.due_on), first.period.days, first.net),),
    )
    second = a_quote(present, an_offer(6000, "USD", plan="business-10"), on=on)
    extension = second.only_line.extension
    assert (extension.unused_days, extension.extra_days) == (46, 23)
    assert periods(second) == (on, date(2027, 2, 3), date(2027, 2, 26), 26)


# --- renewals -------------------------------------------------------------------------------------


def due(text, *, anchor_day=None, state=SubscriptionState.PAID, plan="business-3"):
    """A monthly subscription due on that day, nothing of it left."""
    due_on = date.fromisoformat(text)
    return PresentTerms(plan, Interval.MONTH, state, due_on, anchor_day or due_on.day)


YEAR = Interval.YEAR
LATE, BLOCKED = SubscriptionState.LATE, SubscriptionState.BLOCKED
# standing, what is renewed, day of the charge, first day, end, anchor day.
RENEWALS = {
    "on the due date": (due("2027-01-15"), {}, "2027-01-15", "2027-01-15", "2027-02-15", 15),
    "by the year": (due("2027-01-15"), {"interval": YEAR}, "2027-01-15", "2027-01-15", "2028-01-15", 15),
    # 31 January → 28 February → 31 March.
    "anchor 31, into February": (due("2027-01-31"), {}, "2027-01-31", "2027-01-31", "2027-02-28", 31),
    "anchor 31, out of February": (
        due("2027-02-28", anchor_day=31), {}, "2027-02-28", "2027-02-28", "2027-03-31", 31),
    "anchor 31, into April": (
        due("2027-03-31", anchor_day=31), {}, "2027-03-31", "2027-03-31", "2027-04-30", 31),
    "anchor 30, in a leap year": (due("2028-01-30"), {}, "2028-01-30", "2028-01-30", "2028-02-29", 30),
    "28 February is its own anchor": (due("2027-02-28"), {}, "2027-02-28", "2027-02-28", "2027-03-28", 28),
    "a year from 29 February": (
        due("2028-02-29"), {"interval": YEAR}, "2028-02-29", "2028-02-29", "2029-02-28", 29),
    "the leap day comes back": (
        due("2031-02-28", anchor_day=29), {"interval": YEAR}, "2031-02-28", "2031-02-28", "2032-02-29", 29),
    # The published change ended on 19 February: that day is the anchor now.
    "after extra days": (due("2027-02-19"), {}, "2027-02-19", "2027-02-19", "2027-03-19", 19),
    "a due date off its anchor": (
        due("2027-02-19", anchor_day=3), {}, "2027-02-19", "2027-02-19", "2027-03-19", 19),
    # Reckoned for the notice of 8 January, and when the run came late: the period is the same.
    "seven days ahead": (due("2027-01-15"), {}, "2027-01-08", "2027-01-15", "2027-02-15", 15),
    "charged late by us": (due("2027-01-15"), {}, "2027-03-01", "2027-01-15", "2027-02-15", 15),
    "in dunning": (due("2027-01-15", state=LATE), {}, "2027-01-29", "2027-01-15", "2027-02-15", 15),
    # Blocked days are not paid for.
    "blocked: from the day of the payment": (
        due("2027-01-15", state=BLOCKED), {}, "2027-03-31", "2027-03-31", "2027-04-30", 31),
    "a scheduled smaller plan": (
        due("2027-01-31", plan="business-10"), {}, "2027-01-31", "2027-01-31", "2027-02-28", 31),
    "a scheduled plan by the year": (
        due("2027-02-28", plan="business-10", anchor_day=31), {"interval": YEAR},
        "2027-02-28", "2027-02-28", "2028-02-29", 31),
}  # fmt: skip


@pytest.mark.parametrize(
    ("present", "offer", "on", "start", "end", "anchor"), RENEWALS.values(), ids=RENEWALS
)
def test_a_renewal_follows_what_was_paid(present, offer, on, start, end, anchor):
    quote = a_quote(present, an_offer(plan="business-3", **offer), on=date.fromisoformat(on), renews=True)
    line = quote.only_line
    assert line.kind is OrderKind.RENEWAL
    assert line.extension is None
    assert [each.isoformat() for each in (line.period.start, line.period.end)] == [start, end]
    assert (line.due_on, line.anchor_day) == (line.period.end, anchor)


def test_a_renewal_keeps_the_currency_of_what_is_running():
    with pytest.raises(CurrencyMismatch):
        a_quote(paid_standing(), an_offer(3000, "USD", plan="business-3"), renews=True)


def test_a_renewal_is_taxed_by_the_day_of_the_charge():
    with pytest.raises(MissingVatRate):
        a_quote(due("2027-01-15"), an_offer(), on=date(1999, 1, 1), renews=True)


def test_renewing_and_prolonging_give_the_same_and_are_told_apart():
    present, offer = due("2027-01-31"), an_offer(plan="business-3")
    prolonged, renewed = a_quote(present, offer), a_quote(present, offer, renews=True)
    assert periods(prolonged) == periods(renewed)
    assert prolonged.total == renewed.total
    assert prolonged.hash != renewed.hash


@given(
    start=st.dates(date(2025, 1, 1), date(2029, 12, 31)),
    intervals=st.lists(st.sampled_from(Interval), min_size=1, max_size=24),
    delays=st.lists(st.integers(0, 14), min_size=24, max_size=24),
)
def test_renewals_tile_whatever_day_they_are_charged_on(start, intervals, delays):
    """In time or in dunning: no day is paid twice, none is left out, the anchor is never lost."""
    present = PresentTerms("business-3", Interval.MONTH, SubscriptionState.PAID, start, start.day)
    for interval, delay in zip(intervals, delays, strict=False):
        line = a_quote(
            replace(present, state=LATE if delay else SubscriptionState.PAID),
            an_offer(plan="business-3", interval=interval),
            on=present.due_on + timedelta(days=delay),
            buyer=None,
            renews=True,
        ).only_line
        assert line.period.start == present.due_on
        assert line.anchor_day == start.day
        present = replace(present, interval=interval, due_on=line.due_on, anchor_day=line.anchor_day)


# --- tax ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("buyer", "net", "tax"),
    [
        (PERSON_FR, 2800, 560),  # 28.00 × 20 %
        (PERSON_FR, 1, 0),  # 0.2 → 0
        (PERSON_FR, 3, 1),  # 0.6 → 1
        (replace(PERSON_FR, country="DE"), 2800, 532),  # 28.00 × 19 %
        (replace(PERSON_FR, country="FI"), 2750, 701),  # 27.50 × 25.5 % = 7.0125 → 7.01
        (replace(PERSON_FR, country="US"), 2800, 0),
        (Buyer("DE", "10115", True, "DE136695976", VatStatus.UNCHECKED), 2800, 0),
        (Buyer("DE", "10115", True, "DE136695976", VatStatus.INVALID), 2800, 532),
    ],
)
def test_tax_is_rounded_once_half_up(buyer, net, tax):
    quote = a_quote(offer=an_offer(net), buyer=buyer)
    assert (quote.tax_amount.minor, quote.total.minor) == (tax, net + tax)


def test_without_a_buyer_there_is_no_tax_and_no_reason():
    quote = a_quote(buyer=None)
    assert (quote.tax, quote.facts["tax"], quote.total.minor) == (None, None, 2800)


def test_an_unknown_rate_stops_the_quote():
    with pytest.raises(MissingVatRate):
        a_quote(on=date(1999, 1, 1))


# --- several lines --------------------------------------------------------------------------------


def test_an_order_of_several_lines_is_their_sum_and_each_is_rounded_by_itself():
    """3 × 0.03 and 0.03 at 20 %: 0.018 → 0.02 and 0.006 → 0.01. Together 0.024 would be 0.02."""
    wanted = [
        WantedLine(ON_TRIAL, by_licence(3), quantity=3),
        WantedLine(ON_TRIAL, an_offer(3, plan="business-10", interval=Interval.YEAR)),
    ]
    quote = quote_of(wanted)
    assert [(line.net.minor, line.tax_amount.minor) for line in quote.lines] == [(9, 2), (3, 1)]
    assert (quote.net.minor, quote.tax_amount.minor, quote.total.minor) == (12, 3, 15)
    assert quote.facts["by_rate"] == [{"rate_bp": 2000, "net_minor": 12, "tax_minor": 3}]
    assert [line.due_on for line in quote.lines] == [date(2026, 12, 21), date(2027, 11, 21)]


def test_a_flat_price_is_billed_once_whatever_the_licences():
    [line] = quote_of([WantedLine(ON_TRIAL, an_offer(3), quantity=5)]).lines
    assert (line.quantity, line.facts["billed_quantity"], line.net.minor) == (5, 1, 3)


def test_one_order_has_one_currency():
    with pytest.raises(CurrencyMismatch):
        quote_of([WantedLine(ON_TRIAL, an_offer()), WantedLine(ON_TRIAL, an_offer(currency="USD"))])


def test_the_only_line_is_asked_of_no_order_of_several():
    quote = quote_of([WantedLine(ON_TRIAL, an_offer()), WantedLine(ON_TRIAL, an_offer(plan="business-10"))])
    with pytest.raises(ValueError, match="unpack"):
        _ = quote.only_line


@pytest.mark.parametrize(
    "lines",
    [
        [WantedLine(ON_TRIAL, by_licence(), quantity=2)],
        [WantedLine(ON_TRIAL, an_offer()), WantedLine(ON_TRIAL, an_offer())],
        [WantedLine(ON_TRIAL, an_offer(), renews=True)],
    ],
)
def test_quantity_number_and_kind_of_the_lines_count_in_the_hash(lines):
    assert quote_of(lines).hash != a_quote().hash


# --- properties -----------------------------------------------------------------------------------

CURRENCIES = sorted({*EXPONENTS, "EUR", "USD", "GBP"})
buyers = st.builds(
    Buyer,
    country=st.sampled_from(["FR", "DE", "FI", "LU", "HU", "US", "CH"]),
    postal_code=st.none(),
    is_business=st.booleans(),
    vat_number=st.none(),
    vat_status=st.just(VatStatus.NONE),
)
days = st.dates(date(2025, 1, 1), date(2029, 12, 31))
offers = st.builds(
    lambda minor, currency, interval, plan: an_offer(minor, currency, interval=interval, plan=plan),
    st.integers(1, 10**12),
    st.sampled_from(CURRENCIES),
    st.sampled_from(Interval),
    st.sampled_from(["business-3", "business-5"]),
)
# A balance of thousands of years of the new plan has no due date in the calendar.
old_prices = st.integers(1, 3_000)


@given(offer=offers, buyer=buyers, on=days)
def test_net_and_tax_are_the_total_in_every_currency(offer, buyer, on):
    quote = a_quote(offer=offer, buyer=buyer, on=on)
    facts = quote.facts
    assert quote.net + quote.tax_amount == quote.total
    assert facts["net_minor"] + facts["tax_minor"] == facts["total_minor"]
    rate = quote.tax.rate_bp
    # Half up, once: the tax is within half a unit of the exact one.
    assert abs(facts["tax_minor"] * 10_000 - facts["net_minor"] * rate) <= 5_000


@given(
    offer=offers,
    on=days,
    age=st.integers(0, 30),
    minor=old_prices,
    state=st.sampled_from([SubscriptionState.PAID, SubscriptionState.LATE, SubscriptionState.BLOCKED]),
)
def test_the_preview_is_the_act(offer, on, age, minor, state):
    """The same inputs give the same facts and hash, also after a stay in the database as JSON."""
    present = paid_standing(
        start=on - timedelta(days=age), days=30, minor=minor, currency=offer.amount.currency, state=state
    )
    preview, act = a_quote(present, offer, on=on), a_quote(present, offer, on=on)
    assert (preview.facts, preview.hash) == (act.facts, act.hash)
    assert facts_hash(json.loads(json.dumps(preview.facts))) == act.hash


@given(offer=offers, on=days, age=st.integers(0, 30), minor=old_prices, buyer=st.none() | buyers)
def test_a_quote_always_gives_at_least_what_its_price_buys(offer, on, age, minor, buyer):
    """However the past stands, the due date is never before the end of one full interval."""
    present = paid_standing(
        start=on - timedelta(days=age), days=31, minor=minor, currency=offer.amount.currency
    )
    quote = a_quote(present, offer, on=on, buyer=buyer)
    line = quote.only_line
    assert line.period.start >= on
    assert line.due_on >= line.period.end > line.period.start
    assert quote.net == offer.amount


@given(first=offers, second=offers, on=days, other_day=days)
def test_two_quotes_have_one_hash_only_if_they_say_the_same(first, second, on, other_day):
    one, other = a_quote(offer=first, on=on), a_quote(offer=second, on=other_day)
    assert (one.hash == other.hash) == (one.facts == other.facts)


@pytest.mark.parametrize(
    "other",
    [
        {"offer": an_offer(2801)},
        {"offer": an_offer(currency="USD")},
        {"offer": an_offer(interval=Interval.YEAR)},
        {"offer": an_offer(plan="business-10")},
        {"offer": an_offer(price_id=8)},
        {"on": date(2026, 11, 22)},
        {"buyer": replace(PERSON_FR, country="DE")},
        {"buyer": None},
        {"present": paid_standing()},
        {"reviewed": {"details": {"email": "a@b.example"}, "method_kind": "card"}},
    ],
    ids=str,
)
def test_whatever_is_shown_counts_in_the_hash(other):
    assert a_quote(**other).hash != a_quote().hash


@pytest.mark.parametrize("changed", [{"email": "c@d.example"}, {"address_lines": ["x"]}, {"vat_number": "X"}])
def test_the_reviewed_details_count_in_the_hash(changed):
    details = {"email": "a@b.example", "address_lines": [], "vat_number": ""}
    shown = a_quote(reviewed={"details": details, "method_kind": "card"})
    assert a_quote(reviewed={"details": details | changed, "method_kind": "card"}).hash != shown.hash
    assert a_quote(reviewed={"details": details, "method_kind": "paypal"}).hash != shown.hash
    assert shown.total == a_quote().total


def test_the_hash_does_not_depend_on_the_order_of_keys():
    assert facts_hash({"a": 1, "b": [2, {"c": 3, "d": "é"}]}) == facts_hash(
        {"b": [2, {"d": "é", "c": 3}], "a": 1}
    )
