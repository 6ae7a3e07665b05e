import json
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from portal.domain.errors import CurrencyMismatch
from portal.domain.licence_terms import Begins, LicenceTerms
from portal.domain.money import Money, exponent, total
from portal.domain.periods import Period, next_period, period_from
from portal.domain.prorated_lines import CreditLine, RateSum, RunningLine
from portal.domain.proration import NothingChanges, PresentLicences, first_period, prorate
from portal.domain.tax import TaxDecision
from portal.domain.vocabulary import Interval, PriceUnit, RenewalDay, TaxCategory, TaxReason

MONTH, YEAR = Interval.MONTH, Interval.YEAR
KEEP, CHANGE = RenewalDay.KEEP, RenewalDay.CHANGE
FRANCE = TaxDecision(2000, TaxCategory.STANDARD, TaxReason.SELLER_COUNTRY, "FR")
GERMANY = TaxDecision(1900, TaxCategory.STANDARD, TaxReason.EU_CONSUMER, "DE")
REVERSED = TaxDecision(0, TaxCategory.REVERSE_CHARGE, TaxReason.EU_BUSINESS_REVERSE_CHARGE, "DE")
ABROAD = TaxDecision(0, TaxCategory.OUTSIDE_SCOPE, TaxReason.OUTSIDE_EU, "US")
JAPAN = TaxDecision(1000, TaxCategory.STANDARD, TaxReason.SELLER_COUNTRY, "JP")
property_test = settings(deadline=None)


def day(text):
    return date.fromisoformat(text)


def money(amount, currency="EUR"):
    """`15.48` as it is written, in the minor unit of its currency."""
    minor = Fraction(amount) * 10 ** exponent(currency)
    assert minor.denominator == 1
    return Money(int(minor), currency)


def terms(quantity, unit="10.00", *, tier=1, interval=MONTH, currency="EUR", price_unit=PriceUnit.LICENCE):
    return LicenceTerms(f"tier-{tier}", tier, interval, quantity, money(unit, currency), price_unit)


def line(start, end, quantity=3, unit="10.00", *, net="30.00", tax=FRANCE, credited=None, key="A",
         credited_from=None, currency="EUR"):  # fmt: skip
    """`credited`: net and tax given back, for the days from `credited_from` on or for another reason."""
    credited_net, credited_tax = credited or ("0", "0")
    return RunningLine(
        key=key,
        period=Period(day(start), day(end)),
        quantity=quantity,
        unit=money(unit, currency),
        net=money(net, currency),
        tax=tax,
        credited_net=money(credited_net, currency),
        credited_tax=money(credited_tax, currency),
        credited_from=day(credited_from) if credited_from else None,
    )


THREE = terms(3)


def standing(*lines, has=THREE, due=None, anchor=None):
    """Due where the last line ends, which is on the anchor."""
    due_on = day(due) if due else lines[-1].period.end
    return PresentLicences(has, due_on, anchor or due_on.day, lines)


JANUARY = line("2026-01-01", "2026-02-01")
FEBRUARY = line("2026-02-01", "2026-03-01", key="B")
BY_THE_YEAR = terms(3, "100.00", interval=YEAR)


# Tax is 20 % unless said. Where it stands, what is wanted on which day; what is given back and what is
# charged, each as (net, tax); what is left to pay, or below 0 kept, with tax; the next due date.
KEPT = {
    # 16 of 31 days: 30 × 16/31 = 15.483…, tax 3.096; 50 × 16/31 = 25.806…, tax 5.162. 30.97 - 18.58.
    "the example of ADR 0003": (
        standing(JANUARY), terms(5), "2026-01-16",
        [("15.48", "3.10")], [("25.81", "5.16")], "12.39", "2026-02-01"),
    # All 31 days are unused: 60.00 - 36.00.
    "on the first day": (
        standing(JANUARY), terms(5), "2026-01-01",
        [("30.00", "6.00")], [("50.00", "10.00")], "24.00", "2026-02-01"),
    # 1 of 31: 0.967…, tax 0.194; 1.612…, tax 0.322. 1.93 - 1.16.
    "on the last covered day": (
        standing(JANUARY), terms(5), "2026-01-31",
        [("0.97", "0.19")], [("1.61", "0.32")], "0.77", "2026-02-01"),
    # Nothing is left: a whole period begins where the old one ends.
    "on the due date": (
        standing(JANUARY), terms(5), "2026-02-01", [], [("50.00", "10.00")], "60.00", "2026-03-01"),
    # 14 of 28 days is half: 30.00 - 18.00.
    "28 days": (
        standing(line("2026-02-01", "2026-03-01")), terms(5), "2026-02-15",
        [("15.00", "3.00")], [("25.00", "5.00")], "12.00", "2026-03-01"),
    # 15 of 29: 15.517…, tax 3.104; 25.862…, tax 5.172. 31.03 - 18.62.
    "29 days, a leap year": (
        standing(line("2024-02-01", "2024-03-01")), terms(5), "2024-02-15",
        [("15.52", "3.10")], [("25.86", "5.17")], "12.41", "2024-03-01"),
    # 15 of 30 is half again.
    "30 days": (
        standing(line("2026-04-01", "2026-05-01")), terms(5), "2026-04-16",
        [("15.00", "3.00")], [("25.00", "5.00")], "12.00", "2026-05-01"),
    # 31 January → 28 February has 28 days: 14 of them are half.
    "from the 31st into February": (
        standing(line("2026-01-31", "2026-02-28"), anchor=31), terms(5), "2026-02-14",
        [("15.00", "3.00")], [("25.00", "5.00")], "12.00", "2026-02-28"),
    # 28 February → 31 March has 31: 15 left, 14.516…, tax 2.904; 24.193…, tax 4.838. 29.03 - 17.42.
    "from February back to the 31st": (
        standing(line("2026-02-28", "2026-03-31"), anchor=31), terms(5), "2026-03-16",
        [("14.52", "2.90")], [("24.19", "4.84")], "11.61", "2026-03-31"),
    # 30 January → 28 February has 29: 10 left, 10.344…, tax 2.068; 17.241…, tax 3.448. 20.69 - 12.41.
    "from the 30th into February": (
        standing(line("2026-01-30", "2026-02-28"), anchor=30), terms(5), "2026-02-18",
        [("10.34", "2.07")], [("17.24", "3.45")], "8.28", "2026-02-28"),
    # 366 days, 184 left: 300 × 184/366 = 150.819…, tax 30.164; 251.366…, tax 50.274. 301.64 - 180.98.
    "a leap year": (
        standing(line("2024-01-01", "2025-01-01", unit="100.00", net="300.00"), has=BY_THE_YEAR),
        terms(5, "100.00", interval=YEAR), "2024-07-01",
        [("150.82", "30.16")], [("251.37", "50.27")], "120.66", "2025-01-01"),
    # 29 February 2024 → 28 February 2025 has 365 days, 73 left are a fifth: 120.00 - 72.00.
    "a year from 29 February": (
        standing(line("2024-02-29", "2025-02-28", unit="100.00", net="300.00"), has=BY_THE_YEAR, anchor=29),
        terms(5, "100.00", interval=YEAR), "2024-12-17",
        [("60.00", "12.00")], [("100.00", "20.00")], "48.00", "2025-02-28"),
    # 3 × 16.00 = 48.00: 48 × 16/31 = 24.774…, tax 4.954. 29.72 - 18.58.
    "a dearer tier": (
        standing(JANUARY), terms(3, "16.00", tier=2), "2026-01-16",
        [("15.48", "3.10")], [("24.77", "4.95")], "11.14", "2026-02-01"),
    # 4 × 8.00 = 32.00 is more than 30.00: 32 × 16/31 = 16.516…, tax 3.304. 19.82 - 18.58.
    "a lower tier with more licences that cost more": (
        standing(JANUARY, has=terms(3, tier=2)), terms(4, "8.00", tier=1), "2026-01-16",
        [("15.48", "3.10")], [("16.52", "3.30")], "1.24", "2026-02-01"),
    # Of the first line nothing is left. That of the first change pays for 16 days, 8 are left: 25.81 × 8/16 =
    # 12.905, half up, tax 2.582. A share of the whole period: 70 × 8/31 = 18.064…, tax 3.612. 21.67 - 15.49.
    "the second change of a period": (
        standing(
            line("2026-01-01", "2026-02-01", credited=("15.48", "3.10"), credited_from="2026-01-16"),
            line("2026-01-16", "2026-02-01", 5, net="25.81", key="B"), has=terms(5)),
        terms(7), "2026-01-24", [("12.91", "2.58")], [("18.06", "3.61")], "6.18", "2026-02-01"),
    # The line of the first change comes back whole. 70 × 16/31 = 36.129…, tax 7.226; 43.36 - 30.97.
    "the second change of a day": (
        standing(
            line("2026-01-01", "2026-02-01", credited=("15.48", "3.10"), credited_from="2026-01-16"),
            line("2026-01-16", "2026-02-01", 5, net="25.81", key="B"), has=terms(5)),
        terms(7), "2026-01-16", [("25.81", "5.16")], [("36.13", "7.23")], "12.39", "2026-02-01"),
    # 90 × 16/31 = 46.451…, tax 9.29; 80 × 16/31 = 41.290…, tax 8.258. 49.55 - 55.74.
    "ten that cost less than nine": (
        standing(line("2026-01-01", "2026-02-01", 9, net="90.00"), has=terms(9)),
        terms(10, "8.00"), "2026-01-16",
        [("46.45", "9.29")], [("41.29", "8.26")], "-6.19", "2026-02-01"),
    # The flat price is that of the plan: the same comes back and is charged.
    "more licences at a flat price": (
        standing(line("2026-01-01", "2026-02-01", 1, "30.00"),
                 has=terms(3, "30.00", price_unit=PriceUnit.FLAT)),
        terms(5, "30.00", price_unit=PriceUnit.FLAT), "2026-01-16",
        [("15.48", "3.10")], [("15.48", "3.10")], "0", "2026-02-01"),
    # 15.48 at the 19 % of its invoice: 2.9412. 30.97 - 18.42.
    "the rate has risen since": (
        standing(line("2026-01-01", "2026-02-01", tax=GERMANY)), terms(5), "2026-01-16",
        [("15.48", "2.94")], [("25.81", "5.16")], "12.55", "2026-02-01"),
    # No tax was charged, none comes back: 30.97 - 15.48.
    "reverse charge until now": (
        standing(line("2026-01-01", "2026-02-01", tax=REVERSED)), terms(5), "2026-01-16",
        [("15.48", "0")], [("25.81", "5.16")], "15.49", "2026-02-01"),
    "credited already, all of it": (
        standing(line("2026-01-01", "2026-02-01", credited=("30.00", "6.00"))), terms(5), "2026-01-16",
        [], [("25.81", "5.16")], "30.97", "2026-02-01"),
    # 10.00 of the 15.48 are left, and 2.00 of the tax. 30.97 - 12.00.
    "credited already, more than what was used": (
        standing(line("2026-01-01", "2026-02-01", credited=("20.00", "4.00"))), terms(5), "2026-01-16",
        [("10.00", "2.00")], [("25.81", "5.16")], "18.97", "2026-02-01"),
    # 6 of its 31 days are left until then: 30 × 6/31 = 5.806…; tax of 21.29 is 4.258, 3.10 of it came back.
    "given back from a later day on": (
        standing(line("2026-01-01", "2026-02-01", credited=("15.48", "3.10"), credited_from="2026-01-16")),
        terms(5), "2026-01-10", [("5.81", "1.16")], [("35.48", "7.10")], "35.61", "2026-02-01"),
    # 25.00 are left, enough; tax of 20.48 is 4.096, 1.00 of it came back.
    "credited already, a little": (
        standing(line("2026-01-01", "2026-02-01", credited=("5.00", "1.00"))), terms(5), "2026-01-16",
        [("15.48", "3.10")], [("25.81", "5.16")], "12.39", "2026-02-01"),
    # All of February comes back and is charged anew: 30.97 + 60.00 - 18.58 - 36.00.
    "a prepaid month follows": (
        standing(JANUARY, FEBRUARY), terms(5), "2026-01-16",
        [("15.48", "3.10"), ("30.00", "6.00")], [("25.81", "5.16"), ("50.00", "10.00")],
        "36.39", "2026-03-01"),
    # January is over: only February comes back, 28 of 28.
    "on the first day of the prepaid month": (
        standing(JANUARY, FEBRUARY), terms(5), "2026-02-01",
        [("30.00", "6.00")], [("50.00", "10.00")], "24.00", "2026-03-01"),
    # 20 × 16/31 = 10.322…, tax 2.064; 10 × 16/31 = 5.161…, tax 1.032. 30.97 - 12.38 - 6.19.
    "two lines for the same days": (
        standing(line("2026-01-01", "2026-02-01", 2, net="20.00"),
                 line("2026-01-01", "2026-02-01", 1, net="10.00", key="B")),
        terms(5), "2026-01-16",
        [("10.32", "2.06"), ("5.16", "1.03")], [("25.81", "5.16")], "12.40", "2026-02-01"),
    "after a price of nothing": (
        standing(line("2026-01-01", "2026-02-01", unit="0", net="0"), has=terms(3, "0")),
        terms(5), "2026-01-16",
        [], [("25.81", "5.16")], "30.97", "2026-02-01"),
    # Half a cent, 0.01 × 14/28, is a cent; all of it that there is. Tax 0.002.
    "a cent": (
        standing(line("2026-02-01", "2026-03-01", 1, "0.01", net="0.01"), has=terms(1, "0.01")),
        terms(3, "0.01"), "2026-02-15", [("0.01", "0")], [("0.02", "0")], "0.01", "2026-03-01"),
    # 13/28 of a cent is none: a credit note has no line of nothing.
    "less than half a cent": (
        standing(line("2026-02-01", "2026-03-01", 1, "0.01", net="0.01"), has=terms(1, "0.01")),
        terms(3, "0.01"), "2026-02-16", [], [("0.01", "0")], "0.01", "2026-03-01"),
}  # fmt: skip


def amounts(lines):
    return [(each.net, each.tax_amount) for each in lines]


def written(pairs, currency="EUR"):
    return [(money(net, currency), money(tax, currency)) for net, tax in pairs]


@pytest.mark.parametrize(
    ("present", "wanted", "on", "back", "charged", "due", "next_due"), KEPT.values(), ids=KEPT
)
def test_the_period_is_kept(present, wanted, on, back, charged, due, next_due):
    found = prorate(present=present, wanted=wanted, renewal_day=KEEP, tax=FRANCE, on=day(on))
    assert found.begins is Begins.NOW
    assert amounts(found.credits) == written(back)
    assert amounts(found.charges) == written(charged)
    assert found.due_now - found.to_balance == money(due)
    assert (found.period, found.next_due_on) == (Period(day(on), day(next_due)), day(next_due))
    assert (found.anchor_day, found.next_charge) == (present.anchor_day, wanted.price)


# As above, with whether the product keeps or changes its day, and the anchor from then on.
RESTARTED = {
    # 50.00 + 10.00 for a month from today, - 18.58.
    "the product changes its day": (
        standing(JANUARY), terms(5), CHANGE, "2026-01-16",
        [("15.48", "3.10")], ("50.00", "10.00"), "41.42", "2026-02-16", 16),
    "on the first day": (
        standing(JANUARY), terms(5), CHANGE, "2026-01-01",
        [("30.00", "6.00")], ("50.00", "10.00"), "24.00", "2026-02-01", 1),
    # 31 January → 28 February, then 31 March: 60.00 - 1.16.
    "on the 31st": (
        standing(JANUARY), terms(5), CHANGE, "2026-01-31",
        [("0.97", "0.19")], ("50.00", "10.00"), "58.84", "2026-02-28", 31),
    # Both months come back: 60.00 - 18.58 - 36.00.
    "a prepaid month follows": (
        standing(JANUARY, FEBRUARY), terms(5), CHANGE, "2026-01-16",
        [("15.48", "3.10"), ("30.00", "6.00")], ("50.00", "10.00"), "5.42", "2026-02-16", 16),
    # 90 × 30/31 = 87.096…, tax 17.42; 80.00 + 16.00 - 104.52.
    "ten that cost less than nine": (
        standing(line("2026-01-01", "2026-02-01", 9, net="90.00"), has=terms(9)),
        terms(10, "8.00"), CHANGE, "2026-01-02",
        [("87.10", "17.42")], ("80.00", "16.00"), "-8.52", "2026-02-02", 2),
    # 3 × 100.00 = 300.00, tax 60.00, - 18.58.
    "from months to years": (
        standing(JANUARY), BY_THE_YEAR, KEEP, "2026-01-16",
        [("15.48", "3.10")], ("300.00", "60.00"), "341.42", "2027-01-16", 16),
    "to years on 29 February": (
        standing(line("2024-02-29", "2024-03-29")), BY_THE_YEAR, KEEP, "2024-02-29",
        [("30.00", "6.00")], ("300.00", "60.00"), "324.00", "2025-02-28", 29),
    # 184 of 365 days: 300 × 184/365 = 151.232…, tax 30.246. 36.00 - 181.48.
    "from years to months": (
        standing(line("2025-01-01", "2026-01-01", unit="100.00", net="300.00"), has=BY_THE_YEAR),
        terms(3), KEEP, "2025-07-01",
        [("151.23", "30.25")], ("30.00", "6.00"), "-145.48", "2025-08-01", 1),
    # A year that was prepaid comes back whole. 30.00 × 16/31 and 300.00; 36.00 - 18.58 - 360.00.
    "from years to months, with a prepaid year": (
        standing(JANUARY, line("2026-02-01", "2027-02-01", unit="100.00", net="300.00", key="B"),
                 has=BY_THE_YEAR),
        terms(3), KEEP, "2026-01-16",
        [("15.48", "3.10"), ("300.00", "60.00")], ("30.00", "6.00"), "-342.58", "2026-02-16", 16),
    # Due on 28 February with the 31st as its anchor: the next due date returns to it …
    "on a due date in February, kept": (
        standing(line("2026-01-31", "2026-02-28"), anchor=31), terms(5), KEEP, "2026-02-28",
        [], ("50.00", "10.00"), "60.00", "2026-03-31", 31),
    # … unless the day of the change is the new one.
    "on a due date in February, changed": (
        standing(line("2026-01-31", "2026-02-28"), anchor=31), terms(5), CHANGE, "2026-02-28",
        [], ("50.00", "10.00"), "60.00", "2026-03-28", 28),
    "on a due date, to years": (
        standing(line("2026-01-31", "2026-02-28"), anchor=31), BY_THE_YEAR, KEEP, "2026-02-28",
        [], ("300.00", "60.00"), "360.00", "2027-02-28", 28),
    # Nothing is left to wait for.
    "fewer licences on the due date": (
        standing(JANUARY), terms(2), KEEP, "2026-02-01", [], ("20.00", "4.00"), "24.00", "2026-03-01", 1),
    "when late": (
        standing(JANUARY), terms(5), KEEP, "2026-02-10", [], ("50.00", "10.00"), "60.00", "2026-03-10", 10),
    "fewer licences when late": (
        standing(JANUARY), terms(2), KEEP, "2026-02-10", [], ("20.00", "4.00"), "24.00", "2026-03-10", 10),
}  # fmt: skip


@pytest.mark.parametrize(
    ("present", "wanted", "renewal_day", "on", "back", "charged", "due", "next_due", "anchor"),
    RESTARTED.values(),
    ids=RESTARTED,
)
def test_a_whole_period_begins_today(present, wanted, renewal_day, on, back, charged, due, next_due, anchor):
    found = prorate(present=present, wanted=wanted, renewal_day=renewal_day, tax=FRANCE, on=day(on))
    assert found.begins is Begins.NOW
    assert amounts(found.credits) == written(back)
    assert amounts(found.charges) == written([charged])
    assert found.charges[0].period == found.charges[0].base == Period(day(on), day(next_due))
    assert found.due_now - found.to_balance == money(due)
    assert (found.next_due_on, found.anchor_day) == (day(next_due), anchor)


# What runs until 1 February, what is wanted on 16 January, and the end of the first period of it.
SCHEDULED = {
    "fewer licences": (terms(3), terms(2), "2026-03-01"),
    "a cheaper tier": (terms(3, "16.00", tier=2), terms(3), "2026-03-01"),
    # 1 × 16.00 against 3 × 10.00.
    "a dearer tier with fewer licences that cost less": (terms(3), terms(1, "16.00", tier=2), "2026-03-01"),
    "fewer licences, by the year": (terms(3), terms(2, "100.00", interval=YEAR), "2027-02-01"),
    "nine that cost more than ten": (terms(10, "8.00"), terms(9), "2026-03-01"),
}


@pytest.mark.parametrize("renewal_day", RenewalDay)
@pytest.mark.parametrize(("has", "wanted", "end"), SCHEDULED.values(), ids=SCHEDULED)
def test_less_waits_for_the_due_date_and_moves_no_money(has, wanted, end, renewal_day):
    found = prorate(
        present=standing(JANUARY, has=has),
        wanted=wanted,
        renewal_day=renewal_day,
        tax=FRANCE,
        on=day("2026-01-16"),
    )
    assert found.begins is Begins.ON_DUE_DATE
    assert (found.credits, found.charges) == ((), ())
    assert (found.due_now, found.to_balance) == (money("0"), money("0"))
    assert (found.period, found.next_due_on) == (Period(day("2026-02-01"), day(end)), day("2026-02-01"))
    assert (found.anchor_day, found.next_charge) == (1, wanted.price)


def test_less_waits_for_the_end_of_what_is_prepaid_and_keeps_the_anchor():
    prepaid = standing(line("2026-01-31", "2026-02-28"), line("2026-02-28", "2026-03-31", key="B"), anchor=31)
    found = prorate(present=prepaid, wanted=terms(2), renewal_day=KEEP, tax=FRANCE, on=day("2026-02-01"))
    assert found.period == Period(day("2026-03-31"), day("2026-04-30"))
    assert (found.next_due_on, found.anchor_day) == (day("2026-03-31"), 31)


# Currency, tax, what was charged for 3, then as above: 3 to 5 licences on 16 January, 16 of 31 days.
CURRENCIES = {
    # 3000 × 16/31 = 1548.38…, tax 154.8; 5000 × 16/31 = 2580.64…, tax 258.1. 2839 - 1703.
    "yen, no decimals": ("JPY", JAPAN, "1000", [("1548", "155")], [("2581", "258")], "1136"),
    # 9.999 × 16/31 = 5.1607…; 16.665 × 16/31 = 8.6012….
    "dinars, three decimals": ("KWD", ABROAD, "3.333", [("5.161", "0")], [("8.601", "0")], "3.440"),
    "dollars": ("USD", ABROAD, "10.00", [("15.48", "0")], [("25.81", "0")], "10.33"),
}


@pytest.mark.parametrize(
    ("currency", "tax", "unit", "back", "charged", "due"), CURRENCIES.values(), ids=CURRENCIES
)
def test_each_currency_is_rounded_to_its_own_unit(currency, tax, unit, back, charged, due):
    net = str(3 * Fraction(unit).limit_denominator(1000))
    paid = line("2026-01-01", "2026-02-01", unit=unit, net=net, tax=tax, currency=currency)
    found = prorate(
        present=standing(paid, has=terms(3, unit, currency=currency)),
        wanted=terms(5, unit, currency=currency),
        renewal_day=KEEP,
        tax=tax,
        on=day("2026-01-16"),
    )
    assert amounts(found.credits) == written(back, currency)
    assert amounts(found.charges) == written(charged, currency)
    assert found.due_now == money(due, currency)


# --- what a line is ------------------------------------------------------------------------------


def test_a_credit_names_its_line_and_its_days():
    found = prorate(
        present=standing(JANUARY, FEBRUARY),
        wanted=terms(5),
        renewal_day=KEEP,
        tax=GERMANY,
        on=day("2026-01-16"),
    )
    assert [(each.line.key, each.unused_days, each.line.period.days) for each in found.credits] == [
        ("A", 16, 31),
        ("B", 28, 28),
    ]
    assert [each.period for each in found.credits] == [
        Period(day("2026-01-16"), day("2026-02-01")),
        Period(day("2026-02-01"), day("2026-03-01")),
    ]
    assert {each.tax for each in found.credits} == {FRANCE}
    assert {each.tax for each in found.charges} == {GERMANY}


def test_days_that_were_given_back_do_not_come_back():
    cut = line("2026-01-01", "2026-02-01", credited=("15.48", "3.10"), credited_from="2026-01-16")
    assert CreditLine(cut, cut.days_left(day("2026-01-10"))).period == Period(
        day("2026-01-10"), day("2026-01-16")
    )


def test_a_charge_is_a_share_of_a_whole_period():
    """The line of an earlier change pays for 16 days; 8 more are still 8 of 31."""
    present, wanted, on = KEPT["the second change of a period"][:3]
    [charge] = prorate(present=present, wanted=wanted, renewal_day=KEEP, tax=FRANCE, on=day(on)).charges
    assert charge.base == Period(day("2026-01-01"), day("2026-02-01"))
    assert charge.period == Period(day("2026-01-24"), day("2026-02-01"))
    assert (charge.terms.billed_quantity, charge.terms.unit) == (7, money("10.00"))


# Net and tax rate of a line of some days, how many of them come back one after the other, the tax of each.
TAX_IN_PARTS = {
    # Tax of 30.00 is 6.00: of 10.00, 20.00, 30.00 it is 2.00, 4.00, 6.00.
    "even": ("30.00", 2000, 3, [1, 1, 1], ["2.00", "2.00", "2.00"]),
    # Tax of 0.03 is 0.006, a cent; of 0.01 and 0.02 it is 0.002 and 0.004.
    "none of it comes back before its time": ("0.03", 2000, 3, [1, 1, 1], ["0", "0", "0.01"]),
    # Tax of 0.04 is a cent; of 0.02 it is half a cent, a cent too.
    "none of it comes back twice": ("0.04", 2500, 2, [1, 1], ["0.01", "0"]),
    # Of 33.33, 66.66, 99.99 it is 6.3327, 12.6654, 18.9981: 6.33, 12.67, 19.00.
    "thirds": ("99.99", 1900, 3, [1, 1, 1], ["6.33", "6.34", "6.33"]),
    "reverse charge": ("30.00", 0, 3, [1, 2], ["0", "0"]),
}


@pytest.mark.parametrize(
    ("net", "rate_bp", "days", "parts", "taxes"), TAX_IN_PARTS.values(), ids=TAX_IN_PARTS
)
def test_the_tax_given_back_in_all_is_that_on_the_net_given_back_in_all(net, rate_bp, days, parts, taxes):
    paid = line("2026-01-01", f"2026-01-0{1 + days}", net=net, tax=replace(FRANCE, rate_bp=rate_bp))
    found = []
    for unused_days in parts:
        credit = CreditLine(paid, unused_days)
        found.append(credit.tax_amount)
        paid = replace(
            paid,
            credited_net=paid.credited_net + credit.net,
            credited_tax=paid.credited_tax + credit.tax_amount,
        )
    assert found == [money(each) for each in taxes]
    assert (paid.credited_net, paid.credited_tax) == (paid.net, paid.tax_amount)


DAYS_LEFT = {
    "before it begins": (JANUARY, "2025-12-20", 31),
    "its first day": (JANUARY, "2026-01-01", 31),
    "the day after": (JANUARY, "2026-01-02", 30),
    "its last day": (JANUARY, "2026-01-31", 1),
    "its end": (JANUARY, "2026-02-01", 0),
    "long after": (JANUARY, "2027-01-01", 0),
    "given back from that day on": (replace(JANUARY, credited_from=day("2026-01-16")), "2026-01-16", 0),
    "given back from a later day on": (replace(JANUARY, credited_from=day("2026-01-16")), "2026-01-10", 6),
    "given back whole": (replace(JANUARY, credited_from=day("2026-01-01")), "2025-12-20", 0),
}


@pytest.mark.parametrize(("paid", "on", "left"), DAYS_LEFT.values(), ids=DAYS_LEFT)
def test_the_day_of_the_change_is_left(paid, on, left):
    assert paid.days_left(day(on)) == left


def test_a_line_that_lasts_beyond_the_due_date_comes_back_whole_and_is_charged_until_then():
    """Years to months gave a shorter period; what nobody gave back of the year is still the customer's."""
    year = line("2026-01-01", "2027-01-01", net="365.00", unit="365.00", quantity=1)
    present = standing(year, has=terms(3), due="2026-02-01")
    found = prorate(present=present, wanted=terms(5), renewal_day=KEEP, tax=FRANCE, on=day("2026-01-16"))
    assert amounts(found.credits) == written([("350.00", "70.00")])
    assert amounts(found.charges) == written([("25.81", "5.16")])


def test_days_that_no_line_pays_for_are_charged_too():
    found = prorate(
        present=standing(due="2026-02-01"),
        wanted=terms(5),
        renewal_day=KEEP,
        tax=FRANCE,
        on=day("2026-01-16"),
    )
    assert (found.credits, amounts(found.charges)) == ((), written([("25.81", "5.16")]))


def test_a_due_date_off_the_anchor_is_its_own():
    """Extra days lead there, where the product had the extend rule once: 10 January → 10 February."""
    found = prorate(
        present=standing(due="2026-02-10", anchor=1),
        wanted=terms(5),
        renewal_day=KEEP,
        tax=FRANCE,
        on=day("2026-01-16"),
    )
    [charge] = found.charges
    assert (charge.base, charge.period.days) == (Period(day("2026-01-10"), day("2026-02-10")), 25)
    assert found.anchor_day == 10


# --- sums ----------------------------------------------------------------------------------------


def test_sums_are_kept_apart_by_rate_and_category():
    """15.48 at 20 % and 30.00 under reverse charge come back; abroad is 0 % too, and is not the same."""
    present = standing(
        JANUARY, replace(FEBRUARY, tax=REVERSED), line("2026-03-01", "2026-04-01", tax=ABROAD, key="C"),
        line("2026-03-01", "2026-04-01", net="1.00", key="D"),
    )  # fmt: skip
    found = prorate(present=present, wanted=terms(5), renewal_day=CHANGE, tax=GERMANY, on=day("2026-01-16"))
    assert found.credited_by_rate == (
        RateSum(2000, TaxCategory.STANDARD, money("16.48"), money("3.30")),
        RateSum(0, TaxCategory.REVERSE_CHARGE, money("30.00"), money("0")),
        RateSum(0, TaxCategory.OUTSIDE_SCOPE, money("30.00"), money("0")),
    )
    assert found.charged_by_rate == (RateSum(1900, TaxCategory.STANDARD, money("50.00"), money("9.50")),)
    assert (found.credited_net, found.credited_gross) == (money("76.48"), money("79.78"))
    assert (found.charged_net, found.charged_gross) == (money("50.00"), money("59.50"))
    assert (found.due_now, found.to_balance) == (money("0"), money("20.28"))


def test_without_a_buyer_there_is_no_tax_yet():
    found = prorate(
        present=standing(JANUARY), wanted=terms(5), renewal_day=KEEP, tax=None, on=day("2026-01-16")
    )
    assert amounts(found.charges) == written([("25.81", "0")])
    assert (found.charged_by_rate, found.facts["tax"]) == ((), None)


def test_the_facts_tell_why():
    """Of the example: 16 of 31 days of 30.00 come back, 16 of 31 days of 5 × 10.00 are charged."""
    found = prorate(
        present=standing(JANUARY), wanted=terms(5), renewal_day=KEEP, tax=FRANCE, on=day("2026-01-16")
    )
    tax = {"rate_bp": 2000, "category": "S", "reason": "seller_country", "country": "FR", "territory": None}
    assert found.facts == {
        "begins": "now",
        "on": "2026-01-16",
        "currency": "EUR",
        "before": {
            "plan": "tier-1",
            "interval": "month",
            "quantity": 3,
            "billed_quantity": 3,
            "unit_minor": 1000,
            "price_minor": 3000,
        },
        "terms": {
            "plan": "tier-1",
            "interval": "month",
            "quantity": 5,
            "billed_quantity": 5,
            "unit_minor": 1000,
            "price_minor": 5000,
        },
        "start_on": "2026-01-16",
        "end_on": "2026-02-01",
        "anchor_day": 1,
        "tax": tax,
        "credits": [
            {
                "line": "A",
                "start_on": "2026-01-01",
                "end_on": "2026-02-01",
                "days": 31,
                "quantity": 3,
                "unit_minor": 1000,
                "charged_minor": 3000,
                "credited_before_minor": 0,
                "tax": tax,
                "unused_start_on": "2026-01-16",
                "unused_end_on": "2026-02-01",
                "unused_days": 16,
                "share_minor": 1548,
                "net_minor": 1548,
                "tax_minor": 310,
                "gross_minor": 1858,
            }
        ],
        "charges": [
            {
                "start_on": "2026-01-16",
                "end_on": "2026-02-01",
                "days": 16,
                "base_days": 31,
                "quantity": 5,
                "unit_minor": 1000,
                "price_minor": 5000,
                "net_minor": 2581,
                "tax_minor": 516,
                "gross_minor": 3097,
            }
        ],
        "credited_by_rate": [
            {"rate_bp": 2000, "category": "S", "net_minor": 1548, "tax_minor": 310, "gross_minor": 1858}
        ],
        "charged_by_rate": [
            {"rate_bp": 2000, "category": "S", "net_minor": 2581, "tax_minor": 516, "gross_minor": 3097}
        ],
        "credited_net_minor": 1548,
        "credited_gross_minor": 1858,
        "charged_net_minor": 2581,
        "charged_gross_minor": 3097,
        "due_now_minor": 1239,
        "to_balance_minor": 0,
        "next_due_on": "2026-02-01",
        "next_charge_minor": 5000,
    }
    assert json.loads(json.dumps(found.facts)) == found.facts


def test_the_facts_say_what_was_credited_before_and_what_is_left():
    present, wanted, on = KEPT["credited already, more than what was used"][:3]
    found = prorate(present=present, wanted=wanted, renewal_day=KEEP, tax=FRANCE, on=day(on))
    [credit] = found.facts["credits"]
    assert (credit["charged_minor"], credit["credited_before_minor"]) == (3000, 2000)
    assert (credit["share_minor"], credit["net_minor"]) == (1548, 1000)


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", ["2026-01-16", "2026-02-01", "2026-02-10"])
def test_a_change_that_changes_nothing_is_refused(on):
    """At another price too: what runs is at the price that was charged, and is prolonged at another."""
    with pytest.raises(NothingChanges):
        prorate(present=standing(JANUARY), wanted=terms(3, "12.00"), renewal_day=KEEP, tax=FRANCE, on=day(on))


@pytest.mark.parametrize("licences", [5, 2])
@pytest.mark.parametrize("on", ["2026-01-16", "2026-02-01"])
def test_a_currency_cannot_be_changed(licences, on):
    wanted = terms(licences, currency="USD")
    with pytest.raises(CurrencyMismatch):
        prorate(present=standing(JANUARY), wanted=wanted, renewal_day=KEEP, tax=FRANCE, on=day(on))


def test_no_line_is_in_another_currency_than_the_terms():
    with pytest.raises(CurrencyMismatch):
        standing(JANUARY, line("2026-02-01", "2026-03-01", key="B", currency="USD"))


def test_no_line_is_in_two_currencies():
    with pytest.raises(CurrencyMismatch):
        replace(JANUARY, credited_net=money("0", "USD"))


def test_no_line_stands_there_twice():
    with pytest.raises(ValueError, match="twice"):
        standing(JANUARY, JANUARY)


@pytest.mark.parametrize("credited", [("30.01", "0"), ("-0.01", "0"), ("0", "6.01"), ("0", "-0.01")])
def test_no_more_was_credited_than_was_charged(credited):
    with pytest.raises(ValueError, match="credited more"):
        line("2026-01-01", "2026-02-01", credited=credited)


@pytest.mark.parametrize("credited_from", ["2025-12-31", "2026-02-02"])
def test_only_days_that_a_line_pays_for_were_given_back(credited_from):
    with pytest.raises(ValueError, match="does not pay for"):
        line("2026-01-01", "2026-02-01", credited_from=credited_from)


# --- whole histories -----------------------------------------------------------------------------


class Licensed:
    """A subscription with the lines of its documents, and what each of its days costs exactly."""

    def __init__(self, bought):
        self.lines, self.cost_per_day = {}, {}
        self.charged = 0
        self._begin(bought)

    @property
    def present(self):
        return PresentLicences(self.terms, self.due_on, self.anchor_day, tuple(self.lines.values()))

    @property
    def overcharge(self):
        """Minor units: what was charged and not given back, less what all days until the due date cost."""
        kept = sum(each.net.minor - each.credited_net.minor for each in self.lines.values())
        return kept - sum(self.cost_per_day.values())

    def take(self, change):
        for credit in change.credits:
            before = credit.line
            self.lines[before.key] = replace(
                before,
                credited_net=before.credited_net + credit.net,
                credited_tax=before.credited_tax + credit.tax_amount,
                credited_from=credit.period.start,
            )
        if change.begins is Begins.NOW:
            self.cost_per_day = {on: cost for on, cost in self.cost_per_day.items() if on < change.on}
            self._begin(change)

    def _begin(self, change):
        self.terms, self.due_on, self.anchor_day = change.terms, change.next_due_on, change.anchor_day
        none = Money.zero(change.currency)
        for charge in change.charges:
            self.charged += 1
            key, quantity = str(self.charged), charge.terms.billed_quantity
            self.lines[key] = RunningLine(
                key, charge.period, quantity, charge.terms.unit, charge.net, charge.tax, none, none
            )
            for n in range(charge.period.days):
                on = charge.period.start + timedelta(days=n)
                self.cost_per_day[on] = Fraction(charge.terms.price.minor, charge.base.days)


CURRENCY = st.sampled_from(["EUR", "JPY", "KWD"])
TAXES = st.sampled_from(
    [FRANCE, GERMANY, REVERSED, replace(FRANCE, rate_bp=2700), replace(GERMANY, rate_bp=550)]
)
FIRST_DAYS = st.dates(date(2023, 1, 1), date(2028, 12, 31)) | st.sampled_from(
    [date(2024, 1, 29), date(2024, 2, 29), date(2026, 1, 30), date(2026, 1, 31), date(2027, 12, 31)]
)


def choices(currency, interval=None):
    """Any price for any tier and number: often less for more, as with volume tiers."""
    intervals = st.sampled_from(Interval) if interval is None else st.just(interval)
    return st.builds(
        lambda tier, quantity, minor, interval: LicenceTerms(
            f"tier-{tier}", tier, interval, quantity, Money(minor, currency)
        ),
        st.integers(1, 3),
        st.integers(1, 20),
        st.integers(0, 40) | st.integers(0, 10**6),
        intervals,
    )


@st.composite
def purchases(draw, *, prepaid=1):
    wanted = draw(choices(draw(CURRENCY)))
    subscription = Licensed(first_period(wanted=wanted, tax=draw(TAXES), on=draw(FIRST_DAYS)))
    for _ in range(draw(st.integers(0, prepaid))):
        follows = next_period(
            Period(subscription.due_on - timedelta(days=1), subscription.due_on),
            subscription.terms.interval,
            anchor_day=subscription.anchor_day,
        )
        once_more = first_period(wanted=subscription.terms, tax=draw(TAXES), on=follows.start)
        charge = replace(once_more.charges[0], base=follows, period=follows)
        subscription._begin(
            replace(once_more, period=follows, anchor_day=subscription.anchor_day, charges=(charge,))
        )
    return subscription


def changed(data, subscription, *, on, renewal_day, interval=None):
    """The next change of the history, or None where nothing would change."""
    wanted = data.draw(choices(subscription.terms.unit.currency, interval))
    facts = {"present": subscription.present, "wanted": wanted, "renewal_day": renewal_day}
    facts |= {"tax": data.draw(TAXES), "on": on}
    try:
        found = prorate(**facts)
    except NothingChanges:
        assert wanted.is_same_choice(subscription.terms)
        return None
    again = prorate(**facts)
    assert found == again and found.facts == again.facts
    return found


@property_test
@given(purchases(), st.data())
def test_up_and_down_in_one_period_never_bills_a_day_twice(subscription, data):
    """What was charged and not given back is the price in force of each day, to a minor unit a line."""
    on, due_on, anchor_day = min(subscription.cost_per_day), subscription.due_on, subscription.anchor_day
    for _ in range(data.draw(st.integers(1, 8))):
        on += timedelta(days=data.draw(st.sampled_from([0, 0, 1, 3, 8, 30])))
        if on >= due_on:
            break
        found = changed(data, subscription, on=on, renewal_day=KEEP, interval=subscription.terms.interval)
        if found is None:
            continue
        subscription.take(found)
        assert (subscription.due_on, subscription.anchor_day) == (due_on, anchor_day)
        assert abs(subscription.overcharge) <= subscription.charged


@property_test
@given(purchases(), st.data())
def test_nor_does_a_history_of_new_periods(subscription, data):
    on = min(subscription.cost_per_day)
    for _ in range(data.draw(st.integers(1, 8))):
        on += timedelta(days=data.draw(st.sampled_from([0, 1, 8, 31, 150])))
        found = changed(data, subscription, on=on, renewal_day=data.draw(st.sampled_from(RenewalDay)))
        if found is None:
            continue
        begun = found.begins is Begins.NOW
        subscription.take(found)
        assert abs(subscription.overcharge) <= subscription.charged
        assert not begun or subscription.due_on > on


@property_test
@given(purchases(), st.data())
def test_nothing_comes_back_that_was_not_charged_and_no_line_is_negative(subscription, data):
    on = min(subscription.cost_per_day)
    for _ in range(data.draw(st.integers(1, 8))):
        on += timedelta(days=data.draw(st.sampled_from([0, 1, 8, 31])))
        found = changed(data, subscription, on=on, renewal_day=data.draw(st.sampled_from(RenewalDay)))
        if found is None:
            continue
        for each in (*found.credits, *found.charges):
            assert not each.net.is_negative and not each.tax_amount.is_negative
            assert each.gross == each.net + each.tax_amount
        subscription.take(found)
        for each in subscription.lines.values():
            # RunningLine refuses more than its net and its tax: so it holds for the gross amount.
            assert each.credited_tax == each.tax.tax_on(each.credited_net)


@st.composite
def credited_lines(draw):
    """A line of which any part was given back before, by whole credits of its own or in a lump."""
    currency = draw(CURRENCY)
    tax = draw(TAXES)
    net = Money(draw(st.integers(0, 50) | st.integers(0, 10**7)), currency)
    credited_net = Money(draw(st.integers(0, net.minor)), currency)
    most = tax.tax_on(net).minor
    in_proportion = tax.tax_on(credited_net).minor
    credited_tax = Money(min(most, max(0, in_proportion + draw(st.integers(-1, 1)))), currency)
    period = period_from(draw(FIRST_DAYS), draw(st.sampled_from(Interval)))
    return RunningLine("A", period, 1, net, net, tax, credited_net, credited_tax)


@property_test
@given(credited_lines(), st.integers(-5, 400))
def test_whatever_was_given_back_before_no_more_than_the_rest_comes_back(paid, days):
    credit = CreditLine(paid, paid.days_left(paid.period.start + timedelta(days=days)))
    assert Money.zero(paid.net.currency) <= credit.net <= credit.share <= paid.net
    assert credit.net + paid.credited_net <= paid.net
    assert not credit.tax_amount.is_negative
    assert credit.tax_amount + paid.credited_tax <= paid.tax_amount
    if credit.net + paid.credited_net == paid.net:
        assert credit.tax_amount + paid.credited_tax == paid.tax_amount


@property_test
@given(credited_lines(), st.integers(0, 400), st.integers(1, 400))
def test_waiting_never_gives_more_back(paid, days, more):
    on = paid.period.start + timedelta(days=days)
    today = CreditLine(paid, paid.days_left(on))
    later = CreditLine(paid, paid.days_left(on + timedelta(days=more)))
    assert later.net <= today.net


@property_test
@given(purchases(prepaid=2), st.data())
def test_sums_are_sums_of_lines(subscription, data):
    on = min(subscription.cost_per_day) + timedelta(days=data.draw(st.integers(0, 40)))
    found = changed(data, subscription, on=on, renewal_day=data.draw(st.sampled_from(RenewalDay)))
    assume(found is not None)
    currency = found.currency
    for lines, rates, net, gross in (
        (found.credits, found.credited_by_rate, found.credited_net, found.credited_gross),
        (found.charges, found.charged_by_rate, found.charged_net, found.charged_gross),
    ):
        assert total((rate.net for rate in rates), currency) == net
        assert total((rate.gross for rate in rates), currency) == gross
        assert total((each.net + each.tax_amount for each in lines), currency) == gross
        assert len({(rate.rate_bp, rate.category) for rate in rates}) == len(rates)
    assert found.due_now - found.to_balance == found.charged_gross - found.credited_gross
    assert 0 in {found.due_now.minor, found.to_balance.minor}
    assert json.loads(json.dumps(found.facts)) == found.facts


@property_test
@given(purchases(prepaid=2), st.data())
def test_charges_cover_the_days_until_the_due_date_once(subscription, data):
    on = min(subscription.cost_per_day) + timedelta(days=data.draw(st.integers(0, 80)))
    found = changed(data, subscription, on=on, renewal_day=data.draw(st.sampled_from(RenewalDay)))
    assume(found is not None and found.begins is Begins.NOW)
    days = [charge.period for charge in found.charges]
    assert days[0].start == on and days[-1].end == found.next_due_on
    assert all(one.end == other.start for one, other in pairwise(days))
    for charge in found.charges:
        assert charge.base.start <= charge.period.start and charge.base.end == charge.period.end
    assert all(charge.base == charge.period for charge in found.charges[1:])
