"""What the calendar's letters know of the workspace, and what a run counts of them."""

import pytest

from portal.domain.vocabulary import Interval
from portal.models import Plan, Product
from portal.services.renewals import run
from tests import factories
from tests.factories import letters
from tests.paying import an_order, apply_catalogue, buy, pay

pytestmark = pytest.mark.engine("sqlite")


def live(clock, days, *, step=1):
    """Let days pass with a run after each `step`; what the runs counted."""
    reports = []
    for _ in range(0, days, step):
        clock.advance(days=step)
        clock.advance_wall(days=step)
        reports.append(run.run_due(now=clock.now()))
    return reports


@pytest.mark.parametrize(("interval", "net"), [(Interval.MONTH, 2800), (Interval.YEAR, 28000)])
def test_whoever_prolongs_by_hand_is_told_the_price(place, clock, interval, net):
    buy(place, interval=interval)
    live(clock, 30 if interval == Interval.MONTH else 364, step=1 if interval == Interval.MONTH else 28)
    [letter] = letters("due_soon")
    facts = letter["context"]
    assert (facts["interval"], facts["net_minor"], facts["currency"]) == (interval, net, "EUR")


def test_the_price_told_is_the_one_that_the_next_period_costs(place, clock):
    buy(place)
    apply_catalogue(factories.CATALOGUE.read_text().replace("amount_minor = 2800", "amount_minor = 2900"))
    live(clock, 30)
    [letter] = letters("due_soon")
    assert letter["context"]["net_minor"] == 2900


def test_a_plan_that_is_no_longer_sold_is_due_without_a_price(place, clock):
    buy(place)
    Plan.update(withdrawn=True).where(Plan.code == "business-5").execute()
    Product.update(revision="another").execute()
    live(clock, 30)
    [letter] = letters("due_soon")
    assert (letter["context"]["net_minor"], letter["context"]["currency"]) == (None, None)


@pytest.mark.parametrize("has_paid", [False, True])
def test_documents_are_spoken_of_where_there_are_any(place, clock, has_paid):
    if has_paid:
        buy(place)
    live(clock, 217, step=7)
    assert {letter["context"]["has_documents"] for letter in letters("deletion_ahead")} == {has_paid}


def test_a_run_counts_what_it_did(place, clock):
    """The price does not rise: that was looked at on each day, and nobody was written to."""
    pay(an_order(place), auto_renewal=True)
    reports = live(clock, 23)
    assert not any("price_rise" in report for report in reports)
    assert [report["renewal_ahead"] for report in reports if "renewal_ahead" in report] == [1]
