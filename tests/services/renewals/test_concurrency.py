"""Two who press a button at once, or a person and the run: one of them wins, and the books know which."""

import psycopg
import pytest

from portal.database.connecting import transaction
from portal.domain.choices import Choice
from portal.domain.errors import PortalError
from portal.domain.vocabulary import Interval, OrderState, PaymentMethodKind
from portal.models import AuditEntry, Order, PaymentMethod, Subscription, SubscriptionPeriod
from portal.services.renewals import run
from portal.services.subscriptions import (
    agreement,
    auto_renewal,
    cancellation,
    free_plan,
    scheduled_change,
)
from tests.books import assert_books_clean
from tests.factories import letters, waiting_notices
from tests.licensed import bought
from tests.paying import an_order, buy, paid_charges, pay
from tests.renewing import many_renewing, renewal_orders
from tests.services.payments.test_concurrency import at_once, faults_of

pytestmark = pytest.mark.both_engines

TIMES = 8


def test_switching_on_twice_at_once_is_done_and_told_once(place, clock):
    buy(place)
    method = PaymentMethod.create(
        workspace=place.workspace,
        added_by=place.member.person_id,
        gateway="sandbox",
        reference="saved",
        kind=PaymentMethodKind.CARD,
        created_at=clock.now(),
    )
    shown = auto_renewal.next_charge(place.workspace, now=clock.now()).hash

    def switch_on():
        return auto_renewal.switch_on(place, method_id=method.id, shown_hash=shown, now=clock.now())

    results = at_once([switch_on] * TIMES)
    assert faults_of(results) == []
    assert not [each for each in results if isinstance(each, PortalError)]
    assert len(letters("auto_renewal_on")) == 1
    assert AuditEntry.select().where(AuditEntry.action == "auto_renewal.on").count() == 1


def test_on_and_off_at_once_leave_one_of_the_two(place, clock):
    pay(an_order(place), auto_renewal=True)
    method = PaymentMethod.get()
    shown = auto_renewal.next_charge(place.workspace, now=clock.now()).hash

    def switch_on():
        return auto_renewal.switch_on(place, method_id=method.id, shown_hash=shown, now=clock.now())

    def switch_off():
        return auto_renewal.switch_off(place, now=clock.now())

    assert faults_of(at_once([switch_on, switch_off] * 4)) == []
    found = agreement.of_workspace(place.workspace)
    assert found.auto_renewal == (found.renew_on is not None) == (found.announced_minor is not None)


def test_a_schedule_is_withdrawn_or_begun_and_never_both(place, clock):
    buy(place, "business-3")
    free_plan.take(place, shown_begins_on="2026-12-21", now=clock.now())
    clock.advance(days=30)

    def begin():
        with transaction(lock=place.workspace):
            subscription = agreement.of_workspace(place.workspace)
            if subscription.scheduled_plan_id is None:
                return False
            return free_plan.begin_scheduled(subscription, clock.now())

    def withdraw():
        return scheduled_change.withdraw(place, now=clock.now())

    results = at_once([begin, withdraw] * 4)
    assert faults_of(results) == []
    assert len([each for each in results if each]) == 1
    begun = agreement.of_workspace(place.workspace).plan.code == "startup"
    assert (len(letters("plan_begun")), len(letters("plan_schedule_withdrawn"))) == (
        int(begun),
        int(not begun),
    )
    assert SubscriptionPeriod.select().where(SubscriptionPeriod.end_on.is_null()).count() == int(begun)
    assert_books_clean()


def test_two_schedules_at_once_leave_one(place, clock):
    buy(place, "business-10")
    shown = {
        plan: scheduled_change.preview(place.workspace, Choice(plan, Interval.MONTH), now=clock.now()).hash
        for plan in ("business-3", "business-5")
    }

    def schedule(plan):
        return lambda: scheduled_change.schedule(
            place, Choice(plan, Interval.MONTH), shown_hash=shown[plan], now=clock.now()
        )

    assert faults_of(at_once([schedule("business-3"), schedule("business-5")])) == []
    assert agreement.of_workspace(place.workspace).scheduled_plan.code in shown
    assert (len(letters("plan_scheduled")), len(waiting_notices("plan_scheduled"))) == (1, 1)


def test_cancelled_and_taken_back_at_once_leave_one_of_the_two(place, clock):
    pay(an_order(place), auto_renewal=True)
    auto_renewal.switch_off(place, now=clock.now())
    meetings = bought(place, renews_with=PaymentMethod.get())

    def cancel():
        return cancellation.cancel(meetings, shown_ends_on="2026-12-21", now=clock.now())

    def take_back():
        return cancellation.take_back(meetings, now=clock.now())

    results = at_once([cancel, take_back] * 4)
    assert faults_of(results) == []
    found = Subscription.get_by_id(meetings.id)
    assert (found.cancelled_at is None) == found.auto_renewal
    assert found.renew_on == found.due_on
    told = len(letters("cancelled")), len(letters("cancellation_taken_back"))
    assert told[0] - told[1] == int(found.cancelled_at is not None)
    assert sum(map(bool, results)) == sum(told)


# --- runs -----------------------------------------------------------------------------------------


@pytest.fixture
def due(runtime, clock, monkeypatch):
    """Five renewals that are due, the longest waiting first, which a run looks at by twos."""
    monkeypatch.setattr(run, "BATCH", 2)
    many_renewing(5)
    clock.advance(days=30)
    clock.advance_wall(days=30)
    return list(run.subscriptions_due(clock.now()).select(Subscription.id, Subscription.workspace))


def renewals_paid():
    return renewal_orders().where(Order.state == OrderState.PAID).count()


@pytest.mark.engine("postgresql")
@pytest.mark.parametrize("changed", [2, 3, 5])
def test_a_run_goes_on_behind_those_that_somebody_else_is_changing(due, clock, database_url, changed):
    workspaces = [subscription.workspace_id for subscription in due]
    with psycopg.connect(database_url) as other:
        other.execute("SELECT id FROM workspace WHERE id = ANY(%s) FOR UPDATE", [workspaces[:changed]])
        run.run_due(now=clock.now())
        assert (renewals_paid(), run.count_due(clock.now())) == (5 - changed, changed)
        other.rollback()
    run.run_due(now=clock.now())
    assert (renewals_paid(), run.count_due(clock.now())) == (5, 0)
    assert len(paid_charges()) == 10
    assert_books_clean()


def test_runs_at_once_settle_all_that_is_due_once(due, clock):
    assert faults_of(at_once([lambda: run.run_due(now=clock.now())] * 4)) == []
    assert (renewals_paid(), run.count_due(clock.now())) == (5, 0)
    assert len(paid_charges()) == 10
    assert_books_clean()
