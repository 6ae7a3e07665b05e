"""What the calendar's letters know of the workspace, and what a run counts of them."""

import pytest

from portal.domain.vocabulary import Interval
from portal.models import Payment, PaymentMethod, Plan, Product
from portal.services.renewals import run
from portal.services.subscriptions import auto_renewal
from tests import factories
from tests.factories import letters, waiting_notices
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


# --- the method that will be asked ----------------------------------------------------------------


def expires(last4, *, on):
    year, month = on
    PaymentMethod.update(exp_year=year, exp_month=month).where(PaymentMethod.last4 == last4).execute()


def a_second_card(place):
    [first] = PaymentMethod.select()
    facts = {**first.__data__, "reference": "another", "last4": "4444", "brand": "mastercard"}
    del facts["id"]
    return PaymentMethod.create(**facts | {"is_preferred": False})


@pytest.mark.parametrize(
    ("own", "second", "method", "problem", "expiring"),
    [
        ((2026, 12), None, "4242", None, None),
        # The charge is on 21 December.
        ((2026, 11), None, None, "expires", "4242"),
        ((2026, 11), (2030, 1), "4444", None, None),
        ((2026, 11), (2026, 11), None, "expires", "4242"),
        ((2026, 12), (2026, 11), "4242", None, None),
    ],
)
def test_the_notice_names_the_card_that_is_asked_on_the_day(
    place, clock, own, second, method, problem, expiring
):
    pay(an_order(place), auto_renewal=True)
    expires("4242", on=own)
    if second is not None:
        a_second_card(place)
        expires("4444", on=second)
    live(clock, 23)
    [letter] = letters("renewal_ahead")
    facts = letter["context"]
    last4s = [each and each["last4"] for each in (facts["method"], facts["expiring"])]
    assert (*last4s, facts["problem"]) == (method, expiring, problem)


def test_a_card_that_is_over_is_not_asked(place, clock):
    pay(an_order(place), auto_renewal=True)
    expires("4242", on=(2026, 11))
    live(clock, 30)
    assert Payment.select().where(Payment.tried_on.is_null(False)).count() == 0
    [letter] = letters("renewal_failed")
    assert letter["context"]["reason"] == "no_method"


def test_the_mail_of_switching_on_names_the_card_of_the_day(place, clock):
    """By the year: the card of today is over by then."""
    payment = pay(an_order(place, interval=Interval.YEAR), auto_renewal=True)
    assert payment.last4 == "4242"
    [letter] = letters("auto_renewal_on")
    assert letter["context"]["method"]["last4"] == "4242"
    auto_renewal.switch_off(place, now=clock.now())
    expires("4242", on=(2027, 3))
    shown = auto_renewal.next_charge(place.workspace, now=clock.now())
    [method] = auto_renewal.methods_of(place.workspace, "EUR")
    auto_renewal.switch_on(place, method_id=method.id, shown_hash=shown.hash, now=clock.now())
    [waiting] = waiting_notices("auto_renewal_on")
    facts = waiting["context"]
    assert (facts["method"], facts["expiring"]["last4"]) == (None, "4242")
