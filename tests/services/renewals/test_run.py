"""The run as a whole: in bounded batches, at the gateway's pace, whatever goes wrong with one of many."""

import threading

import pytest

from portal import runtime as portal_runtime
from portal.database.connecting import connection, database, is_postgresql, transaction
from portal.domain.vocabulary import OrderState, PaymentState
from portal.gateways.base import RateLimited, Succeeded
from portal.models import GatewayPace, Order, Payment, Person, Subscription, Workspace
from portal.runtime import current
from portal.services.payments import pace
from portal.services.renewals import run
from tests.books import assert_books_clean
from tests.paying import paid_charges
from tests.processes import in_processes
from tests.renewing import many_renewing, renewal_orders

pytestmark = pytest.mark.both_engines

RATE = 50
IN_FLIGHT = 32


class Wrapped:
    """The sandbox, but for what a test makes of it."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def __getattr__(self, name):
        return getattr(self.sandbox, name)


def use(gateway):
    """From now on charges go to a gateway of that class, made around the sandbox."""
    made = gateway(current().gateways["sandbox"])
    portal_runtime.install(portal_runtime.Runtime(current().settings, current().clock, {"sandbox": made}))
    return made


def due_today(clock, count):
    """So many workspaces whose plan is due today, with a card that pays."""
    many_renewing(count)
    clock.advance(days=30)
    clock.advance_wall(days=30)


def renewals_paid():
    return renewal_orders().where(Order.state == OrderState.PAID).count()


# --- batches --------------------------------------------------------------------------------------


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(run, "BATCH", 2)


def test_a_run_without_work_does_nothing(runtime, clock):
    report = run.run_due(now=clock.now())
    assert not any(report.values())


def test_all_that_is_due_is_settled_batch_after_batch_and_told(runtime, clock, small_batches):
    due_today(clock, 5)
    told = []
    report = run.run_due(now=clock.now(), progress=told.append)
    assert (report["renew"], report["payments_settled"], renewals_paid()) == (5, 5, 5)
    assert (sum(told), max(told)) == (5, 2)
    assert run.count_due(clock.now()) == 0
    assert_books_clean()


def test_a_limit_leaves_the_rest_for_the_next_run(runtime, clock, small_batches):
    due_today(clock, 5)
    run.run_due(now=clock.now(), limit=3)
    assert (renewals_paid(), run.count_due(clock.now())) == (3, 2)
    run.run_due(now=clock.now())
    assert renewals_paid() == 5


def test_a_run_that_is_told_to_stop_writes_down_what_it_began(runtime, clock, small_batches):
    due_today(clock, 5)
    told = []
    run.run_due(now=clock.now(), progress=told.append, is_stopping=lambda: bool(told))
    assert (renewals_paid(), run.count_due(clock.now())) == (2, 3)
    assert Payment.select().where(Payment.state == PaymentState.CREATED).count() == 0
    assert_books_clean()


def test_one_subscription_that_cannot_be_settled_keeps_nobody_waiting(runtime, clock):
    due_today(clock, 5)
    broken = Workspace.select().order_by(Workspace.id).offset(2).first()
    Workspace.update(time_zone="Nowhere/Land").where(Workspace.id == broken.id).execute()
    assert run.run_due(now=clock.now())["faults"] == 1
    assert renewals_paid() == 4
    waits = Subscription.get(Subscription.workspace == broken)
    assert waits.look_at == clock.now() + run.AFTER_A_FAULT
    Workspace.update(time_zone="Europe/Paris").where(Workspace.id == broken.id).execute()
    clock.advance(hours=1)
    assert "faults" not in run.run_due(now=clock.now())
    assert renewals_paid() == 5
    assert_books_clean()


def test_one_answer_that_cannot_be_written_keeps_no_other_from_being_written(runtime, clock):
    class Talkative(Wrapped):
        said = False

        def charge(self, request):
            outcome = self.sandbox.charge(request)
            if self.said:
                return outcome
            self.said = True
            return Succeeded(
                reference="more than the column holds" * 20,
                amount_minor=outcome.amount_minor,
                currency=outcome.currency,
                at=outcome.at,
                method=None,
            )

    due_today(clock, 5)
    use(Talkative)
    run.run_due(now=clock.now())
    assert renewals_paid() == 4
    clock.advance_wall(minutes=5)
    run.run_due(now=clock.now())
    assert renewals_paid() == 5
    assert len(paid_charges()) == 10
    assert_books_clean()


def test_what_is_due_is_found_by_the_index(runtime, clock):
    sql, values = run.subscriptions_due(clock.now()).limit(run.BATCH).sql()
    with transaction():
        if is_postgresql():
            # Of a table without rows PostgreSQL would read all.
            database.execute_sql("SET LOCAL enable_seqscan = off")
            database.execute_sql("SET LOCAL enable_bitmapscan = off")
        explain = "EXPLAIN" if is_postgresql() else "EXPLAIN QUERY PLAN"
        plan = str(database.execute_sql(f"{explain} {sql}", values).fetchall())
    assert "subscription_look_at_id" in plan
    assert "sort" not in plan.lower()
    assert "temp b-tree" not in plan.lower()


# --- the gateway ----------------------------------------------------------------------------------


def test_many_requests_are_in_flight_and_others_can_write_meanwhile(runtime, clock):
    """Each call waits until so many are on their way together and somebody else has written."""

    class Slow(Wrapped):
        def __init__(self, sandbox):
            super().__init__(sandbox)
            self.all_here = threading.Barrier(IN_FLIGHT, action=write_from_elsewhere, timeout=30)

        def charge(self, request):
            self.all_here.wait()
            return self.sandbox.charge(request)

    def write_from_elsewhere():
        with connection():
            Person.update(name="Written meanwhile").execute()

    due_today(clock, IN_FLIGHT)
    use(Slow)
    run.run_due(now=clock.now())
    assert renewals_paid() == IN_FLIGHT
    assert Person.select().where(Person.name != "Written meanwhile").count() == 0


def test_too_many_requests_slow_the_run_down_and_each_renewal_is_charged_once(runtime, clock):
    class Strict(Wrapped):
        refused = 0
        lock = threading.Lock()

        def charge(self, request):
            with self.lock:
                self.refused += 1
                refuses = self.refused <= 3
            if refuses:
                raise RateLimited(0.01)
            return self.sandbox.charge(request)

    due_today(clock, 8)
    strict = use(Strict)
    run.run_due(now=clock.now())
    assert strict.refused == 8 + 3
    assert (renewals_paid(), len(paid_charges())) == (8, 16)
    wall_us = clock.wall().timestamp() * 1_000_000
    assert GatewayPace.get().slow_until_us >= wall_us + pace.SLOW_SECONDS * 1_000_000
    assert_books_clean()


# --- the pace -------------------------------------------------------------------------------------


def most_in_a_second(turns):
    ordered = sorted(turns)
    return max(sum(turn <= other < turn + 1 for other in ordered) for turn in ordered)


def test_turns_are_handed_out_no_faster_than_the_rate(runtime, clock):
    turns = []
    for count in (1, 7, 30, 3, 60):
        turns += pace.take_turns("sandbox:charge", count=count, per_second=RATE, wall=clock.wall())
        clock.advance_wall(milliseconds=17 * count)
    assert turns == sorted(turns)
    assert most_in_a_second(turns) == RATE


def test_nobody_gets_a_turn_that_has_passed(runtime, clock):
    pace.take_turns("sandbox:charge", count=1, per_second=RATE, wall=clock.wall())
    clock.advance_wall(hours=1)
    [turn] = pace.take_turns("sandbox:charge", count=1, per_second=RATE, wall=clock.wall())
    assert turn == clock.wall().timestamp()


def test_after_too_many_requests_nothing_leaves_for_a_while_and_then_at_half_the_pace(runtime, clock):
    pace.slow_down("sandbox:charge", seconds=2, wall=clock.wall())
    wall = clock.wall().timestamp()
    turns = pace.take_turns("sandbox:charge", count=RATE, per_second=RATE, wall=clock.wall())
    assert turns[0] == wall + 2
    assert turns[1] - turns[0] == pytest.approx(pace.SLOW_FACTOR / RATE)
    clock.advance_wall(seconds=2 + pace.SLOW_SECONDS)
    again = pace.take_turns("sandbox:charge", count=2, per_second=RATE, wall=clock.wall())
    assert again[1] - again[0] == pytest.approx(1 / RATE)


def test_each_endpoint_has_a_pace_of_its_own(runtime, clock):
    first = pace.take_turns("sandbox:charge", count=9, per_second=RATE, wall=clock.wall())
    other = pace.take_turns("stripe:charge", count=9, per_second=RATE, wall=clock.wall())
    assert first == other


TAKE = """
from portal.services.payments import pace
turns = []
for _ in range(30):
    turns += pace.take_turns("sandbox:charge", count=4, per_second=50, wall=clock.wall())
print(json.dumps(turns))
"""


def test_processes_share_one_pace(runtime, environment, clock):
    taken = in_processes(3, TAKE, environment)
    turns = [turn for each in taken for turn in each]
    assert len(set(turns)) == 3 * 30 * 4
    assert most_in_a_second(turns) == RATE
    assert max(turns) - min(turns) == pytest.approx((len(turns) - 1) / RATE, abs=0.001)
