"""The way to the free plan: its conditions, at once or on the due date."""

from datetime import date

import pytest

from portal.database.connecting import transaction
from portal.domain.errors import OrderAlreadyPlaced, QuoteChanged
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.vocabulary import MemberStatus, Role, Service, SubscriptionState
from portal.models import AuditEntry, Member, SubscriptionPeriod, Workspace
from portal.services.subscriptions import agreement, free_plan
from tests.books import assert_books_clean
from tests.factories import CATALOGUE, a_member, letters
from tests.paying import SILENT_CHARGED, a_buyer, an_order, apply_catalogue, as_seen_by, buy, pay

GB = 1024**3
DUE_ON = date(2026, 12, 21)


def status_of(place, clock):
    today = place.workspace.day(clock.now())
    return agreement.status_of(agreement.of_workspace(place.workspace), today=today)


def offered(place, clock):
    return free_plan.free_plan_for(place.workspace, status_of(place, clock))


def take(place, clock, *, shown=None):
    if shown is None:
        begins_on = offered(place, clock).begins_on
        shown = begins_on.isoformat() if begins_on else ""
    return free_plan.take(place, shown_begins_on=shown, now=clock.now())


def periods_of(place):
    rows = SubscriptionPeriod.select().where(
        SubscriptionPeriod.subscription == agreement.of_workspace(place.workspace)
    )
    return [(row.plan.code, row.start_on, row.end_on) for row in rows.order_by(SubscriptionPeriod.id)]


def begin_scheduled(place, clock) -> bool:
    """As the run does it on the due date."""
    with transaction(lock=place.workspace):
        return free_plan.begin_scheduled(agreement.of_workspace(place.workspace), clock.now())


def test_from_a_trial_it_begins_at_once_and_has_no_end(place, clock):
    clock.advance(days=3)
    found = take(place, clock)
    assert found.begins_on is None
    status = status_of(place, clock)
    assert (status.plan.code, status.state, status.due_on, status.interval) == (
        "startup",
        SubscriptionState.FREE,
        None,
        None,
    )
    assert periods_of(place) == [
        ("trial", date(2026, 11, 21), date(2026, 11, 24)),
        ("startup", date(2026, 11, 24), None),
    ]
    [letter] = letters("plan_begun")
    assert letter["context"]["plan_names"]["en"] == "Startup"
    assert_books_clean()


@pytest.mark.parametrize("days", [31, 200], ids=["the trial is over", "long over"])
def test_after_the_trial_it_brings_the_access_back(place, clock, days):
    clock.advance(days=days)
    assert status_of(place, clock).is_blocked
    take(place, clock)
    assert status_of(place, clock).state == SubscriptionState.FREE
    assert_books_clean()


@pytest.mark.settings(PORTAL_GRACE_DAYS="5")
@pytest.mark.parametrize(("days", "state"), [(32, "late"), (40, "blocked")])
def test_when_late_or_blocked_it_begins_at_once(place, clock, days, state):
    buy(place, "business-3")
    clock.advance(days=days)
    assert status_of(place, clock).state == state
    assert take(place, clock).begins_on is None
    assert status_of(place, clock).state == SubscriptionState.FREE
    assert_books_clean()


def test_what_is_paid_lasts_first(place, clock):
    pay(an_order(place, "business-3"), auto_renewal=True)
    assert take(place, clock).begins_on == DUE_ON
    subscription = agreement.of_workspace(place.workspace)
    assert (subscription.plan.code, subscription.scheduled_plan.code, subscription.scheduled_interval) == (
        "business-3",
        "startup",
        None,
    )
    assert (subscription.auto_renewal, subscription.renew_on, subscription.announced_minor) == (
        False,
        None,
        None,
    )
    [letter] = letters("plan_scheduled")
    assert (letter["context"]["plan_names"]["en"], letter["context"]["due_on"]) == ("Startup", "2026-12-21")
    # Twice is told once.
    take(place, clock)
    assert len(letters("plan_scheduled")) == 1

    clock.advance(days=30)
    assert begin_scheduled(place, clock)
    assert status_of(place, clock).state == SubscriptionState.FREE
    assert periods_of(place)[-2:] == [
        ("business-3", date(2026, 11, 21), DUE_ON),
        ("startup", DUE_ON, None),
    ]
    assert len(letters("plan_begun")) == 1
    assert_books_clean()


def test_on_its_day_it_does_not_begin_while_it_does_not_fit(place, clock):
    buy(place, "business-3")
    take(place, clock)
    as_seen_by(place, "Ada Admin", role=Role.ADMIN)
    clock.advance(days=30)
    assert not begin_scheduled(place, clock)
    subscription = agreement.of_workspace(place.workspace)
    assert (subscription.plan.code, subscription.scheduled_plan.code, subscription.due_on) == (
        "business-3",
        "startup",
        DUE_ON,
    )
    Member.update(role=Role.MEMBER).where(Member.role == Role.ADMIN).execute()
    clock.advance(days=1)
    assert begin_scheduled(place, clock)
    assert periods_of(place)[-1] == ("startup", date(2026, 12, 22), None)


def five_more(place):
    for name in ("Anna A", "Boris B", "Chloe C", "Dora D", "Emil E"):
        as_seen_by(place, name)


def a_guest(place):
    a_member(place.workspace, a_buyer("Gina Guest"), status=MemberStatus.GUEST)


def an_administrator(place):
    as_seen_by(place, "Ada Admin", role=Role.ADMIN)


def much_storage(place):
    Workspace.update(used_storage_bytes=2 * GB + 1).execute()


def switched_on(service):
    def switch(place):
        Workspace.update(services=[service.value]).execute()

    return switch


OBSTACLES = {
    "users": (five_more, ("users", 5, 6)),
    "guests": (a_guest, ("guests", 0, 1)),
    "administrators": (an_administrator, ("administrators", 1, 2)),
    "storage": (much_storage, ("storage", 2 * GB, 2 * GB + 1)),
    **{service.value: (switched_on(service), (service.value, 0, 1)) for service in Service},
}


@pytest.mark.parametrize(("obstacle", "expected"), OBSTACLES.values(), ids=OBSTACLES)
def test_each_condition_that_is_not_met_is_named_and_refused(place, clock, obstacle, expected):
    obstacle(place)
    found = offered(place, clock)
    assert [(each.limit, each.allowed, each.used) for each in found.checklist if not each.is_met] == [
        expected
    ]
    assert len(found.checklist) == 9
    with pytest.raises(PlanTooSmall) as refused:
        take(place, clock)
    assert [(each.limit, each.allowed, each.used) for each in refused.value.exceeded_limits] == [expected]
    assert status_of(place, clock).plan.code == "trial"
    assert letters("plan_begun") == []


def test_it_is_tested_again_when_the_person_confirms(place, clock):
    assert offered(place, clock).is_open
    a_guest(place)
    with pytest.raises(PlanTooSmall):
        take(place, clock, shown="")


def test_whoever_saw_another_day_is_asked_again(place, clock):
    buy(place, "business-3")
    with pytest.raises(QuoteChanged):
        take(place, clock, shown="")
    assert agreement.of_workspace(place.workspace).scheduled_plan is None


def test_who_has_it_is_offered_it_no_more(place, clock):
    take(place, clock)
    with pytest.raises(PlanNotOffered):
        offered(place, clock)
    with pytest.raises(PlanNotOffered):
        take(place, clock, shown="")


def test_where_none_is_on_sale_there_is_none(place, clock):
    text = CATALOGUE.read_text()
    apply_catalogue(
        "[[products.plans]]".join(
            part for part in text.split("[[products.plans]]") if '"startup"' not in part
        )
    )
    with pytest.raises(PlanNotOffered):
        offered(place, clock)


def test_beside_an_open_payment_nothing_begins(place, clock):
    pay(an_order(place, "business-3"), SILENT_CHARGED)
    with pytest.raises(OrderAlreadyPlaced):
        take(place, clock)


def test_the_act_is_written_down(place, clock):
    take(place, clock)
    entry = AuditEntry.get(AuditEntry.action == "plan.free_begun")
    assert entry.changes == {"plan": "startup", "before": "trial"}
