"""What was told of a coming charge is its ceiling, unless a rise was mailed 30 days ahead (product.md §4)."""

from datetime import date, timedelta

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, MemberStatus, Role
from portal.models import BillingDetails, Member, Subscription
from portal.services import plans
from portal.services.payments.coming_charge import coming_charge
from portal.services.renewals import run
from portal.services.subscriptions import agreement, auto_renewal, next_charge, scheduled_change
from tests import factories
from tests.books import assert_books_clean, broken_books
from tests.factories import letters
from tests.passing import pass_days
from tests.paying import an_order, apply_catalogue, as_seen_by, paid_charges, pay

DUE_ON = date(2026, 12, 21)
"""Bought on 21 November 2026 by the month."""


def live_until(place, clock, day):
    pass_days(clock, (day - place.workspace.day(clock.now())).days)


def subscription_of(place):
    return agreement.of_workspace(place.workspace)


def told(place):
    found = subscription_of(place)
    return found.announced_net_minor, found.announced_minor


def sells_at(plan, amount_minor, *, interval="month", currency="EUR"):
    """The demo catalogue with another amount for one plan."""
    head, mark, tail = factories.CATALOGUE.read_text().partition(f'code = "{plan}"')
    start = f'interval = "{interval}", currency = "{currency}", amount_minor = '
    before, found, after = tail.partition(start)
    assert mark and found
    return head + mark + before + found + str(amount_minor) + after[after.index(" }") :]


def assert_books_clean_but_for_the_lock():
    """The guarantee was cut short by hand, so that the list price counts."""
    assert set(broken_books()) == {"price_locks_are_of_a_payment"}


def schedule(place, clock, plan="business-3", interval=Interval.MONTH):
    shown = scheduled_change.preview(place.workspace, Choice(plan, interval), now=clock.now())
    scheduled_change.schedule(place, Choice(plan, interval), shown_hash=shown.hash, now=clock.now())
    return shown


@pytest.fixture
def renewed(place):
    """On Business 10, renewed by itself."""
    pay(an_order(place, "business-10"), auto_renewal=True)
    return place


@pytest.fixture
def unlocked(place):
    """On Business 5 for 28.00 EUR a month, renewed by itself, the price not guaranteed any more."""
    pay(an_order(place), auto_renewal=True)
    Subscription.update(locked_until=date(2026, 11, 21)).execute()
    return place


def test_a_smaller_plan_that_waits_costs_what_its_page_said(renewed, clock):
    """20.40 were shown; ten days before the charge its list price rises to 20.00, with VAT 24.00."""
    shown = schedule(renewed, clock)
    assert shown.charge.total.minor == 2040
    pass_days(clock, 20)
    apply_catalogue(sells_at("business-3", 2000))
    live_until(renewed, clock, DUE_ON)
    assert paid_charges()[-1].amount_minor == 2040
    assert subscription_of(renewed).plan.code == "business-3"
    assert_books_clean()


def test_the_notice_names_the_plan_that_begins_and_the_one_that_ends(renewed, clock):
    schedule(renewed, clock)
    live_until(renewed, clock, DUE_ON - timedelta(days=7))
    [letter] = letters("renewal_ahead")
    facts = letter["context"]
    assert (facts["plan_names"]["en"], facts["instead_of"]["en"], facts["total_minor"]) == (
        "Business 3",
        "Business 10",
        2040,
    )


def test_the_letter_of_the_change_says_what_it_will_cost(renewed, clock):
    schedule(renewed, clock)
    [letter] = letters("plan_scheduled")
    facts = letter["context"]
    assert (facts["total_minor"], facts["tax_minor"], facts["currency"]) == (2040, 340, "EUR")
    assert facts["renew_on"] == "2026-12-21"


def test_a_rise_that_comes_too_late_to_be_mailed_waits_for_the_next_charge(unlocked, clock):
    """28.00 rise to 40.00 five days before the charge: that one stays, the one a month later is 48.00."""
    live_until(unlocked, clock, date(2026, 12, 16))
    apply_catalogue(sells_at("business-5", 4000))
    live_until(unlocked, clock, DUE_ON)
    assert [charge.amount_minor for charge in paid_charges()] == [3360, 3360]
    [letter] = letters("price_rise")
    facts = letter["context"]
    assert (facts["renew_on"], facts["old_minor"], facts["new_minor"], facts["total_minor"]) == (
        "2027-01-21",
        2800,
        4000,
        4800,
    )
    live_until(unlocked, clock, date(2027, 1, 21))
    assert paid_charges()[-1].amount_minor == 4800
    assert_books_clean_but_for_the_lock()


@pytest.mark.parametrize(("days_ahead", "charged"), [(30, 4800), (29, 3360)])
def test_thirty_days_are_enough_and_twenty_nine_are_not(place, clock, days_ahead, charged):
    """By the year, so that the day of the rise can be chosen; unlocked after the first period."""
    pay(an_order(place, "business-5", Interval.YEAR), auto_renewal=True)
    Subscription.update(locked_until=date(2026, 11, 21)).execute()
    due_on = subscription_of(place).due_on
    clock.advance(days=(due_on - place.workspace.day(clock.now())).days - days_ahead)
    apply_catalogue(sells_at("business-5", 40000, interval="year"))
    pass_days(clock, 0)
    run.run_due(now=clock.now())
    live_until(place, clock, due_on)
    assert paid_charges()[-1].amount_minor == charged * 10
    assert_books_clean_but_for_the_lock()


def test_a_second_rise_after_the_letter_is_not_in_it(place, clock):
    pay(an_order(place, "business-5", Interval.YEAR), auto_renewal=True)
    Subscription.update(locked_until=date(2026, 11, 21)).execute()
    due_on = subscription_of(place).due_on
    clock.advance(days=(due_on - place.workspace.day(clock.now())).days - 40)
    for amount in (40000, 50000):
        apply_catalogue(sells_at("business-5", amount, interval="year"))
        run.run_due(now=clock.now())
    live_until(place, clock, due_on)
    assert len(letters("price_rise")) == 1
    assert paid_charges()[-1].amount_minor == 48000


def test_a_lower_price_is_charged_and_is_the_ceiling_from_then_on(unlocked, clock):
    """28.00 fall to 20.00, as the pages then say, and rise again to 28.00 before the charge."""
    pass_days(clock, 5)
    apply_catalogue(sells_at("business-5", 2000))
    run.run_due(now=clock.now())
    assert told(unlocked) == (2000, 2400)
    apply_catalogue(factories.CATALOGUE.read_text())
    live_until(unlocked, clock, DUE_ON)
    assert paid_charges()[-1].amount_minor == 2400
    assert_books_clean_but_for_the_lock()


def test_a_lower_price_with_a_tax_that_rose_above_what_was_told_is_announced_first(place, clock):
    """28.00 without VAT was told; 26.00 and 20 % are 31.20, which nobody has seen yet."""
    pay(an_order(place, country="US", is_business=False, company_name=""), auto_renewal=True)
    pass_days(clock, 25)
    assert told(place) == (2800, 2800)
    apply_catalogue(sells_at("business-5", 2600))
    BillingDetails.update(country="FR").execute()
    pass_days(clock, 5)
    assert [charge.amount_minor for charge in paid_charges()] == [2800]
    told_since = [*letters("renewal_ahead"), *letters("price_rise")]
    assert 3120 in [letter["context"]["total_minor"] for letter in told_since]
    assert_books_clean()


def test_the_page_shows_what_was_told_whatever_the_list_says(unlocked, clock):
    for amount in (4000, 2000):
        apply_catalogue(sells_at("business-5", amount))
        found = auto_renewal.next_charge(unlocked.workspace, now=clock.now())
        assert found.total.minor == 3360


def test_a_change_that_is_withdrawn_leaves_the_price_that_was_paid(renewed, clock):
    schedule(renewed, clock)
    apply_catalogue(sells_at("business-10", 9000))
    scheduled_change.withdraw(renewed, now=clock.now())
    assert told(renewed) == (5100, 6120)
    live_until(renewed, clock, DUE_ON)
    assert paid_charges()[-1].amount_minor == 6120
    assert_books_clean()


def test_what_was_told_of_one_plan_is_no_price_of_another(renewed, clock):
    """Business 3 by the year costs more than Business 10 by the month; it is shown, and charged."""
    shown = schedule(renewed, clock, "business-3", Interval.YEAR)
    assert shown.charge.total.minor == 20400
    assert told(renewed) == (17000, 20400)
    live_until(renewed, clock, DUE_ON)
    assert paid_charges()[-1].amount_minor == 20400


def test_the_same_plan_scheduled_again_keeps_what_was_told(renewed, clock):
    schedule(renewed, clock)
    apply_catalogue(sells_at("business-3", 2000))
    assert schedule(renewed, clock).charge.total.minor == 2040
    schedule(renewed, clock, "business-5")
    assert schedule(renewed, clock).charge.total.minor == 2400


def test_a_tax_that_rose_is_told_thirty_days_ahead_and_charged_then(unlocked, clock):
    """Sold from France to Germany: 19 % as told, then 20 % after a move: 33.60 instead of 33.32."""
    BillingDetails.update(country="DE", is_business=False).execute()
    Subscription.update(announced_minor=3332).execute()
    BillingDetails.update(country="FR").execute()
    live_until(unlocked, clock, date(2026, 12, 14))
    [letter] = letters("price_rise")
    assert (letter["context"]["renew_on"], letter["context"]["total_minor"]) == ("2027-01-13", 3360)
    live_until(unlocked, clock, date(2027, 1, 12))
    assert len(paid_charges()) == 1
    status = agreement.status_of(subscription_of(unlocked), today=date(2027, 1, 12))
    assert not status.is_blocked and status.state == "paid"
    pass_days(clock, 1)
    assert paid_charges()[-1].amount_minor == 3360
    assert [each["context"]["renew_on"] for each in letters("renewal_ahead")] == ["2027-01-13"]
    assert_books_clean_but_for_the_lock()


def test_a_retry_is_never_dearer_than_the_first_try(unlocked, clock):
    quote = next_charge.upcoming(subscription_of(unlocked), now=clock.now())
    Subscription.update(renewal_failed_on=DUE_ON, renew_on=DUE_ON + timedelta(days=1)).execute()
    apply_catalogue(sells_at("business-5", 4000))
    clock.advance(days=31)
    run.run_due(now=clock.now())
    assert paid_charges()[-1].amount_minor == quote.total.minor


def test_a_charge_that_waits_for_its_higher_tax_keeps_the_price_of_that_letter(place, clock):
    """Told with German tax; by its day tax is French, the list price higher. One letter; that is charged."""
    pay(an_order(place, country="DE", vat_number=""), auto_renewal=True)
    Subscription.update(locked_price_minor=None, locked_until=None).execute()
    live_until(place, clock, date(2026, 12, 10))
    BillingDetails.update(country="FR").execute()
    apply_catalogue(sells_at("business-5", 4000))
    live_until(place, clock, date(2026, 12, 22))
    [letter] = letters("price_rise")
    facts = letter["context"]
    assert (facts["old_minor"], facts["new_minor"], facts["total_minor"]) == (2800, 2800, 3360)
    assert told(place) == (2800, 3360)
    live_until(place, clock, date.fromisoformat(facts["renew_on"]))
    assert [charge.amount_minor for charge in paid_charges()][-1] == 3360


# --- prolonged by hand before a smaller plan ------------------------------------------------------


def on_page(place, clock):
    """What the plans page says of the next charge."""
    status = agreement.status_of(subscription_of(place), today=place.workspace.day(clock.now()))
    return coming_charge(status, plans.usage_of(place.workspace), now=clock.now())


@pytest.fixture
def waits(place, clock):
    """On Business 10, paid by hand, with Business 3 scheduled for the due date: nobody was told an amount."""
    pay(an_order(place, "business-10"))
    schedule(place, clock)
    assert told(place) == (None, None)
    return place


def prolonged(place):
    """By hand, with automatic renewal ticked: paid until 21 January."""
    return pay(an_order(place, "business-10"), auto_renewal=True)


@pytest.mark.parametrize("later_price", [1700, 4000, 1500])
def test_what_is_prolonged_before_a_smaller_plan_tells_what_that_one_costs(waits, clock, later_price):
    """17.00 and 20 %, unless the list says less by then; 61.20 was the larger plan's."""
    prolonged(waits)
    assert told(waits) == (1700, 2040)
    shown = on_page(waits, clock)
    assert (shown.total.minor, shown.plan_names["en"], shown.on) == (2040, "Business 3", date(2027, 1, 21))
    [letter] = letters("auto_renewal_on")
    facts = letter["context"]
    assert (facts["total_minor"], facts["tax_minor"], facts["plan_names"]["en"]) == (2040, 340, "Business 3")
    assert (facts["renew_on"], facts["interval"]) == ("2027-01-21", "month")
    # Too late for a letter that comes 30 days ahead.
    live_until(waits, clock, date(2027, 1, 2))
    apply_catalogue(sells_at("business-3", later_price))
    assert on_page(waits, clock).total.minor <= 2040
    live_until(waits, clock, date(2027, 1, 21))
    charged = paid_charges()[-1].amount_minor
    assert (len(paid_charges()), charged) == (3, min(2040, later_price * 6 // 5))
    assert_books_clean()


def test_a_smaller_plan_by_the_year_is_told_with_its_own_larger_total(place, clock):
    """170.00 and 20 %: no page said less of that charge."""
    pay(an_order(place, "business-10"))
    schedule(place, clock, interval=Interval.YEAR)
    prolonged(place)
    assert told(place) == (17000, 20400)
    assert on_page(place, clock).total.minor == 20400
    assert letters("auto_renewal_on")[0]["context"]["total_minor"] == 20400
    live_until(place, clock, date(2027, 1, 21))
    assert paid_charges()[-1].amount_minor == 20400
    assert_books_clean()


def test_where_the_smaller_plan_cannot_be_reckoned_the_larger_total_stays_the_ceiling(waits, clock):
    """It is too small by then, and no page names an amount; the first letter that can keeps below it."""
    for name in ("Anna A", "Boris B", "Chloe C"):
        as_seen_by(waits, name)
    prolonged(waits)
    assert told(waits) == (None, 6120)
    assert on_page(waits, clock) is None
    Member.update(status=MemberStatus.DISABLED).where(Member.role == Role.MEMBER).execute()
    live_until(waits, clock, date(2027, 1, 21))
    assert paid_charges()[-1].amount_minor == 2040
    assert_books_clean()


def test_switched_off_and_ticked_again_it_is_told_anew(renewed, clock):
    schedule(renewed, clock)
    auto_renewal.switch_off(renewed, now=clock.now())
    assert told(renewed) == (None, None)
    prolonged(renewed)
    assert told(renewed) == (1700, 2040)
    assert on_page(renewed, clock).total.minor == 2040
