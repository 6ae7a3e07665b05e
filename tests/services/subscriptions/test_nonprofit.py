"""Non-profit organisations: asking, deciding once, and the plan with its limits."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from portal.database.connecting import connection
from portal.domain.errors import PlanFull, PortalError
from portal.domain.plans import PlanTooSmall
from portal.domain.vocabulary import MemberStatus, NonprofitState, Role, SubscriptionState
from portal.models import AuditEntry, Member, NonprofitRequest, Person, Workspace
from portal.services import operator, plans
from portal.services.members import roster
from portal.services.open_money import MoneyOnItsWay
from portal.services.renewals import run
from portal.services.subscriptions import agreement, nonprofit
from portal.services.subscriptions.nonprofit import AlreadyDecided, NoSuchWorkspace
from tests import paying
from tests.books import assert_books_clean
from tests.factories import a_nonprofit_request, a_person, letters, plan_of

GIGABYTE = 1024**3


@pytest.fixture
def staff(runtime):
    return a_person("staff@vendor.test", name="Sam Staff", operator=True)


def accept(request, place, staff, clock):
    return nonprofit.accept(request, slug=place.workspace.slug, by=staff, now=clock.now())


# --- asking ---------------------------------------------------------------------------------------


def test_both_sides_are_told(staff, place):
    request = a_nonprofit_request(workspace=place.workspace)
    [received], [to_decide] = letters("nonprofit_received"), letters("nonprofit_to_decide")
    assert (received["to"], received["context"]["slug"]) == ("claire@canal.test", "acme")
    assert (to_decide["to"], to_decide["context"]["request_id"]) == ("staff@vendor.test", request.id)
    assert AuditEntry.get(AuditEntry.action == "nonprofit.asked").subject == str(request.id)


def test_the_same_request_twice_is_one(staff):
    assert a_nonprofit_request() == a_nonprofit_request()
    assert NonprofitRequest.select().count() == len(letters("nonprofit_received")) == 1
    a_nonprofit_request("Another")
    assert NonprofitRequest.select().count() == 2


# --- deciding -------------------------------------------------------------------------------------


def test_accepted_it_has_the_plan_at_once_without_price_and_end(staff, place, clock):
    request = accept(a_nonprofit_request(), place, staff, clock)
    assert (request.state, request.decided_by) == (NonprofitState.ACCEPTED, staff)
    subscription = agreement.of_workspace(place.workspace)
    assert (subscription.plan.code, subscription.price, subscription.due_on) == ("nonprofit", None, None)
    status = agreement.status_of(subscription, today=place.workspace.day(clock.now()))
    assert status.state == SubscriptionState.FREE
    assert letters("nonprofit_accepted")[0]["context"]["slug"] == "acme"
    assert_books_clean()


def test_accepting_ends_automatic_renewal_and_nothing_is_charged_any_more(staff, place, clock):
    paying.pay(paying.an_order(place), auto_renewal=True)
    accept(a_nonprofit_request(), place, staff, clock)
    for _ in range(3):
        clock.advance(days=31)
        run.run_due(now=clock.now())
    assert len(paying.paid_charges()) == 1
    assert not agreement.of_workspace(place.workspace).auto_renewal
    assert_books_clean()


def test_it_brings_a_blocked_workspace_back(staff, place, clock):
    clock.advance(days=90)
    accept(a_nonprofit_request(), place, staff, clock)
    today = place.workspace.day(clock.now())
    assert not agreement.status_of(agreement.of_workspace(place.workspace), today=today).is_blocked


def test_refused_nothing_changes_and_the_reason_is_told(staff, place, clock):
    request = a_nonprofit_request(workspace=place.workspace)
    nonprofit.refuse(request, reason="The register\nhas no such number.", by=staff, now=clock.now())
    assert plan_of(place.workspace).trial
    assert letters("nonprofit_refused")[0]["context"]["reason"] == "The register\nhas no such number."


def test_it_is_decided_once(staff, place, clock):
    request = a_nonprofit_request(workspace=place.workspace)
    nonprofit.refuse(request, reason="No.", by=staff, now=clock.now())
    with pytest.raises(AlreadyDecided):
        accept(request, place, staff, clock)
    assert plan_of(place.workspace).trial
    assert letters("nonprofit_accepted") == []


def test_two_who_decide_at_once_decide_once(staff, place, clock):
    request = a_nonprofit_request(workspace=place.workspace)

    def decide(number):
        with connection():
            asked = nonprofit.find(request.id)
            try:
                if number % 2:
                    accept(asked, place, staff, clock)
                else:
                    nonprofit.refuse(asked, reason="No.", by=staff, now=clock.now())
            except PortalError as refusal:
                return refusal
        return None

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(decide, range(6)))
    assert sum(result is None for result in results) == 1
    assert len(letters("nonprofit_accepted")) + len(letters("nonprofit_refused")) == 1
    accepted = nonprofit.find(request.id).state == NonprofitState.ACCEPTED
    assert (plan_of(place.workspace).code == "nonprofit") == accepted


def test_a_workspace_that_is_not_there_cannot_get_it(staff, place, clock):
    request = a_nonprofit_request()
    with pytest.raises(NoSuchWorkspace):
        nonprofit.accept(request, slug="nobody", by=staff, now=clock.now())
    Workspace.update(deleted_at=clock.now()).execute()
    with pytest.raises(NoSuchWorkspace):
        accept(request, place, staff, clock)


def test_an_open_payment_has_to_end_first(staff, place, clock):
    paying.pay(paying.an_order(place), paying.SILENT_CHARGED)
    with pytest.raises(MoneyOnItsWay):
        accept(a_nonprofit_request(), place, staff, clock)


# --- its limits -----------------------------------------------------------------------------------


def fill(place, count):
    """The workspace with so many active users, its owner among them."""
    now = place.workspace.created_at
    people = [{"email": f"n{n}@acme.test", "name": f"N {n}", "created_at": now} for n in range(count - 1)]
    for first in range(0, len(people), 200):
        Person.insert_many(people[first : first + 200]).execute()
    rows = [
        {"workspace": place.workspace, "person": person.id, "role": Role.MEMBER, "created_at": now}
        for person in Person.select().where(Person.email.startswith("n"))
    ]
    for first in range(0, len(rows), 200):
        Member.insert_many(rows[first : first + 200]).execute()


def test_the_thousand_and_first_user_is_refused(staff, place, clock):
    accept(a_nonprofit_request(), place, staff, clock)
    fill(place, 999)
    roster.refuse_if_full(place.workspace, Role.MEMBER)
    Member.create(
        workspace=place.workspace,
        person=a_person("last@acme.test"),
        status=MemberStatus.ACTIVE,
        created_at=clock.now(),
    )
    with pytest.raises(PlanFull) as refusal:
        roster.refuse_if_full(place.workspace, Role.MEMBER)
    assert (refusal.value.limit, refusal.value.used) == (1000, 1000)


def test_who_is_larger_than_the_plan_cannot_get_it(staff, place, clock):
    operator.set_used_storage(place.workspace, used_bytes=2 * GIGABYTE + 1, now=clock.now())
    with pytest.raises(PlanTooSmall) as refusal:
        accept(a_nonprofit_request(), place, staff, clock)
    assert [violation.limit for violation in refusal.value.exceeded_limits] == ["storage"]
    operator.set_used_storage(place.workspace, used_bytes=2 * GIGABYTE, now=clock.now())
    accept(a_nonprofit_request(), place, staff, clock)
    limits = plans.limits_of(plan_of(place.workspace))
    assert (limits.max_users, limits.storage_bytes, len(limits.services)) == (1000, 2 * GIGABYTE, 5)
