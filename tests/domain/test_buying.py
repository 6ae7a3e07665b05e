from dataclasses import replace
from datetime import date

import pytest

from portal.domain.buying import (
    AlreadySubscribed,
    AlreadyTried,
    LicencesBelowAssigned,
    LicencesOutOfRange,
    ProductStanding,
    TrialNotOffered,
    buy,
    check_licences,
    start_trial,
)
from portal.domain.licence_terms import Begins, LicenceTerms
from portal.domain.money import Money
from portal.domain.periods import Period
from portal.domain.tax import TaxDecision
from portal.domain.vocabulary import Interval, TaxCategory, TaxReason

MONTH, YEAR = Interval.MONTH, Interval.YEAR
FRANCE = TaxDecision(2000, TaxCategory.STANDARD, TaxReason.SELLER_COUNTRY, "FR")
NEW = ProductStanding("meetings", trial_days=14)
ON_TRIAL = replace(NEW, was_tried=True)
SUBSCRIBED = replace(NEW, is_subscribed=True)
NOT_TO_TRY = replace(NEW, trial_days=0)


def day(text):
    return date.fromisoformat(text)


def terms(quantity, euros, interval=MONTH):
    return LicenceTerms("meetings-essential", 10, interval, quantity, Money(euros * 100, "EUR"))


def bought(standing=NEW, *, licences=5, interval=MONTH, on="2026-01-16", most=100, assigned=0):
    wanted = terms(licences, 11, interval)
    return buy(standing, wanted=wanted, most=most, assigned=assigned, tax=FRANCE, on=day(on))


# Interval, day of the purchase, end of the first period: a whole one from that day.
FIRST_PERIODS = {
    "a month": (MONTH, "2026-01-16", "2026-02-16"),
    "a year": (YEAR, "2026-01-16", "2027-01-16"),
    "from the 31st": (MONTH, "2026-01-31", "2026-02-28"),
    "from the 30th": (MONTH, "2026-01-30", "2026-02-28"),
    "from the 29th, in a leap year": (MONTH, "2024-01-29", "2024-02-29"),
    "a year from 29 February": (YEAR, "2024-02-29", "2025-02-28"),
}


@pytest.mark.parametrize(("interval", "on", "end"), FIRST_PERIODS.values(), ids=FIRST_PERIODS)
def test_a_purchase_begins_today_and_today_is_the_anchor(interval, on, end):
    found = bought(interval=interval, on=on)
    assert (found.begins, found.before, found.credits) == (Begins.NOW, None, ())
    assert (found.period, found.anchor_day) == (Period(day(on), day(end)), day(on).day)
    assert found.next_due_on == day(end)


def test_a_purchase_is_charged_whole():
    """5 × 11.00 = 55.00, 20 % of it 11.00."""
    found = bought()
    [line] = found.charges
    assert (line.net, line.tax_amount, line.gross) == tuple(Money(n, "EUR") for n in (5500, 1100, 6600))
    assert (line.period, line.base) == (found.period, found.period)
    assert (found.due_now, found.to_balance) == (Money(6600, "EUR"), Money(0, "EUR"))
    assert found.next_charge == Money(5500, "EUR")


@pytest.mark.parametrize("standing", [NEW, ON_TRIAL, NOT_TO_TRY], ids=["new", "tried", "not to try"])
def test_a_trial_is_in_nobodys_way(standing):
    """Running or over: its days are not added, the period begins today."""
    assert standing.may_be_bought
    assert bought(standing).period == Period(day("2026-01-16"), day("2026-02-16"))


def test_no_second_subscription_of_one_product():
    assert not SUBSCRIBED.may_be_bought
    with pytest.raises(AlreadySubscribed) as refused:
        bought(SUBSCRIBED)
    assert refused.value.product_code == "meetings"


def test_a_purchase_holds_the_licences_that_were_assigned_in_the_trial():
    assert bought(ON_TRIAL, licences=5, assigned=5).due_now == Money(6600, "EUR")
    with pytest.raises(LicencesBelowAssigned):
        bought(ON_TRIAL, licences=4, assigned=5)


def test_no_more_is_bought_than_is_sold():
    with pytest.raises(LicencesOutOfRange):
        bought(licences=101, most=100)


@pytest.mark.parametrize(("wanted", "most"), [(1, 100), (100, 100), (1, 1), (1_000_000, None)])
def test_licences_in_range(wanted, most):
    check_licences(wanted, most=most)


@pytest.mark.parametrize(("wanted", "most"), [(0, 100), (-1, 100), (101, 100), (0, None), (-1, None)])
def test_licences_out_of_range_are_refused_with_both_figures(wanted, most):
    with pytest.raises(LicencesOutOfRange) as refused:
        check_licences(wanted, most=most)
    assert (refused.value.wanted, refused.value.most) == (wanted, most)


def test_as_many_licences_as_are_assigned_are_enough():
    check_licences(5, most=100, assigned=5)


def test_licences_below_those_assigned_are_refused_with_both_figures():
    with pytest.raises(LicencesBelowAssigned) as refused:
        check_licences(4, most=100, assigned=5)
    assert (refused.value.wanted, refused.value.assigned) == (4, 5)


def test_a_trial_lasts_its_days_from_today():
    assert NEW.may_be_tried
    found = start_trial(NEW, licences=3, most=3, on=day("2026-01-16"))
    assert found == Period(day("2026-01-16"), day("2026-01-30"))


REFUSED_TRIALS = {
    "tried before": (ON_TRIAL, AlreadyTried),
    "bought": (SUBSCRIBED, AlreadySubscribed),
    "bought after the trial": (replace(SUBSCRIBED, was_tried=True), AlreadySubscribed),
    "not given to try": (NOT_TO_TRY, TrialNotOffered),
}


@pytest.mark.parametrize(("standing", "refusal"), REFUSED_TRIALS.values(), ids=REFUSED_TRIALS)
def test_one_trial_of_a_product_and_workspace(standing, refusal):
    assert not standing.may_be_tried
    with pytest.raises(refusal) as refused:
        start_trial(standing, licences=1, most=3, on=day("2026-01-16"))
    assert refused.value.product_code == "meetings"


@pytest.mark.parametrize("licences", [0, 4])
def test_a_trial_has_a_number_of_licences_of_its_own(licences):
    with pytest.raises(LicencesOutOfRange):
        start_trial(NEW, licences=licences, most=3, on=day("2026-01-16"))
