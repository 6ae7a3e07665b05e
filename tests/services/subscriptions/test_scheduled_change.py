"""A smaller plan for the due date: previewed, scheduled, replaced, withdrawn."""

from datetime import date

import pytest

from portal.domain.choices import Choice
from portal.domain.errors import OrderAlreadyPlaced, QuoteChanged, SmallerPlanWaits
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.vocabulary import Interval, Role
from portal.models import AuditEntry, Subscription
from portal.services import plans
from portal.services.checkout import ordering
from portal.services.subscriptions import agreement, scheduled_change
from portal.services.subscriptions.scheduled_change import NothingWaits
from tests.books import assert_books_clean
from tests.factories import letters, waiting_notices
from tests.paying import SILENT_CHARGED, an_order, as_seen_by, buy, pay

MONTH, YEAR = Interval.MONTH, Interval.YEAR
# Bought on 21 November 2026 by the month.
DUE_ON = date(2026, 12, 21)


def subscription_of(place) -> Subscription:
    return agreement.of_workspace(place.workspace)


def preview(place, clock, plan="business-3", interval=MONTH):
    return scheduled_change.preview(place.workspace, Choice(plan, interval), now=clock.now())


def schedule(place, clock, plan="business-3", interval=MONTH, *, shown=None):
    shown = shown or preview(place, clock, plan, interval).hash
    return scheduled_change.schedule(place, Choice(plan, interval), shown_hash=shown, now=clock.now())


def waiting(place):
    found = subscription_of(place)
    return found.scheduled_plan and found.scheduled_plan.code, found.scheduled_interval


@pytest.fixture
def on_business_10(place):
    """Paid by the month until 21 December, without automatic renewal."""
    buy(place, "business-10")
    return place


@pytest.fixture
def renewed(place):
    """The same with automatic renewal."""
    pay(an_order(place, "business-10"), auto_renewal=True)
    return place


def test_a_smaller_plan_begins_on_the_due_date_and_nothing_is_paid_now(on_business_10, clock):
    found = preview(on_business_10, clock)
    assert (found.plan.code, found.begins_on, found.charge, found.charged_on) == (
        "business-3",
        DUE_ON,
        None,
        None,
    )
    schedule(on_business_10, clock)
    assert waiting(on_business_10) == ("business-3", MONTH)
    assert (subscription_of(on_business_10).plan.code, subscription_of(on_business_10).due_on) == (
        "business-10",
        DUE_ON,
    )
    assert_books_clean()


def test_with_automatic_renewal_the_next_charge_is_that_of_the_smaller_plan(renewed, clock):
    """17.00 EUR by the month and 20 % of it."""
    found = preview(renewed, clock)
    assert (found.charge.total.minor, found.charged_on) == (2040, DUE_ON)
    assert subscription_of(renewed).announced_minor == 6120
    schedule(renewed, clock)
    assert subscription_of(renewed).announced_minor == 2040
    # By the year it is a smaller plan all the same, though the next charge is a larger one: 170.00 and 20 %.
    schedule(renewed, clock, "business-3", YEAR)
    assert subscription_of(renewed).announced_minor == 20400


def test_a_new_schedule_takes_the_place_of_the_old_one(on_business_10, clock):
    schedule(on_business_10, clock)
    schedule(on_business_10, clock, "business-5")
    assert waiting(on_business_10) == ("business-5", MONTH)
    told = [*letters("plan_scheduled"), *waiting_notices("plan_scheduled")]
    assert [letter["context"]["plan_names"]["en"] for letter in told] == ["Business 3", "Business 5"]


def test_the_same_schedule_twice_is_told_once(on_business_10, clock):
    schedule(on_business_10, clock)
    schedule(on_business_10, clock)
    [letter] = letters("plan_scheduled")
    assert letter["context"]["due_on"] == "2026-12-21"
    assert AuditEntry.select().where(AuditEntry.action == "plan.scheduled").count() == 1


def test_everybody_who_pays_is_told(on_business_10, clock):
    as_seen_by(on_business_10, "Bruno Facturier", role=Role.BILLING_MANAGER)
    as_seen_by(on_business_10, "Mona Membre")
    schedule(on_business_10, clock)
    assert [letter["to"] for letter in letters("plan_scheduled")] == [
        "jeanne.martin@acme.example",
        "bruno.facturier@acme.example",
    ]


def test_a_plan_that_does_not_fit_is_refused_with_both_figures(on_business_10, clock):
    for name in ("Anna A", "Boris B", "Chloe C"):
        as_seen_by(on_business_10, name)
    with pytest.raises(PlanTooSmall) as refused:
        preview(on_business_10, clock)
    assert [(each.limit, each.allowed, each.used) for each in refused.value.exceeded_limits] == [
        ("users", 3, 4)
    ]
    assert waiting(on_business_10) == (None, None)


def test_who_became_too_many_since_the_preview_is_refused_at_the_confirmation(on_business_10, clock):
    shown = preview(on_business_10, clock).hash
    for name in ("Anna A", "Boris B", "Chloe C"):
        as_seen_by(on_business_10, name)
    with pytest.raises(PlanTooSmall):
        schedule(on_business_10, clock, shown=shown)


@pytest.mark.parametrize(
    ("plan", "interval"),
    [("business-10", YEAR), ("business-10", MONTH), ("business-20", MONTH), ("startup", MONTH)],
)
def test_only_a_smaller_plan_with_a_price_waits(on_business_10, clock, plan, interval):
    with pytest.raises((NothingWaits, PlanNotOffered)):
        preview(on_business_10, clock, plan, interval)


def test_what_is_not_sold_is_refused(on_business_10, clock):
    with pytest.raises(PlanNotOffered):
        preview(on_business_10, clock, "business-4")


def test_on_trial_on_the_due_date_and_when_late_nothing_waits(place, clock):
    with pytest.raises(NothingWaits):
        preview(place, clock)
    buy(place, "business-10")
    clock.advance(days=29)
    assert preview(place, clock).begins_on == DUE_ON
    clock.advance(days=1)
    with pytest.raises(NothingWaits):
        preview(place, clock)
    clock.advance(days=1)
    with pytest.raises(NothingWaits):
        preview(place, clock)


def test_on_the_due_date_the_smaller_plan_can_be_bought(on_business_10, clock):
    clock.advance(days=30)
    order = an_order(on_business_10, "business-3")
    pay(order)
    assert (subscription_of(on_business_10).plan.code, subscription_of(on_business_10).due_on) == (
        "business-3",
        date(2027, 1, 21),
    )
    assert_books_clean()


def test_what_is_confirmed_is_what_was_shown(renewed, clock):
    shown = preview(renewed, clock, "business-5").hash
    with pytest.raises(QuoteChanged):
        schedule(renewed, clock, "business-3", shown=shown)
    assert waiting(renewed) == (None, None)


def test_beside_an_open_payment_nothing_is_scheduled(on_business_10, clock):
    open_payment = pay(an_order(on_business_10, "business-20"), SILENT_CHARGED)
    with pytest.raises(OrderAlreadyPlaced) as refused:
        schedule(on_business_10, clock)
    assert refused.value.order == open_payment.order.number


def test_withdrawn_the_present_plan_goes_on_at_its_own_price(renewed, clock):
    schedule(renewed, clock)
    assert scheduled_change.withdraw(renewed, now=clock.now()).code == "business-3"
    assert waiting(renewed) == (None, None)
    assert subscription_of(renewed).announced_minor == 6120
    [letter] = waiting_notices("plan_schedule_withdrawn")
    assert (letter["context"]["plan_names"]["en"], letter["context"]["due_on"]) == (
        "Business 3",
        "2026-12-21",
    )


def test_withdrawing_twice_is_told_once(on_business_10, clock):
    schedule(on_business_10, clock)
    assert scheduled_change.withdraw(on_business_10, now=clock.now()) is not None
    assert scheduled_change.withdraw(on_business_10, now=clock.now()) is None
    assert len(waiting_notices("plan_schedule_withdrawn")) == 1


def test_prolonging_moves_the_schedule_to_the_new_due_date(on_business_10, clock):
    schedule(on_business_10, clock)
    buy(on_business_10, "business-10")
    assert waiting(on_business_10) == ("business-3", MONTH)
    assert preview(on_business_10, clock, "business-5").begins_on == date(2027, 1, 21)


def test_a_larger_plan_ends_the_schedule(on_business_10, clock):
    schedule(on_business_10, clock)
    buy(on_business_10, "business-20")
    assert waiting(on_business_10) == (None, None)


def test_the_obstacles_are_those_of_today(on_business_10, clock):
    schedule(on_business_10, clock)
    status = agreement.status_of(subscription_of(on_business_10), today=DUE_ON)
    found = scheduled_change.waiting_plan(status)
    assert (found.plan.code, found.interval) == ("business-3", MONTH)
    assert scheduled_change.obstacles(found, plans.usage_of(on_business_10.workspace)) == ()
    for name in ("Anna A", "Boris B", "Chloe C"):
        as_seen_by(on_business_10, name)
    [obstacle] = scheduled_change.obstacles(found, plans.usage_of(on_business_10.workspace))
    assert (obstacle.limit, obstacle.allowed, obstacle.used) == ("users", 3, 4)


def test_the_checkout_still_refuses_a_smaller_plan_that_must_wait(on_business_10, clock):
    with pytest.raises(SmallerPlanWaits):
        ordering.open_order(
            on_business_10, choices=[Choice("business-3", MONTH)], currency="EUR", now=clock.now()
        )
