"""A promise is kept at least once, by one worker at a time, whatever becomes of the worker."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from peewee import IntegrityError

from portal import outbox
from portal.database.connecting import transaction
from portal.models import OutboxMessage

WALL = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LEASE_SECONDS = 60

pytestmark = [pytest.mark.usefixtures("database"), pytest.mark.both_engines]


def at(wall, handlers, **options):
    return outbox.drain(wall=lambda: wall, lease_seconds=LEASE_SECONDS, handlers=handlers, **options)


def keep(kept):
    return {"note": lambda delivery: kept.append(delivery.key)}


def fail(delivery):
    raise ValueError("no such workspace")


def promise(key, **options):
    outbox.publish("note", key=key, payload={"n": 1}, now=WALL, **options)


def the_message(key):
    return OutboxMessage.get(OutboxMessage.key == key)


# --- promises -------------------------------------------------------------------------------------


def test_a_promise_is_kept_once():
    kept = []
    promise("a")
    assert at(WALL, keep(kept)) == outbox.DrainReport(delivered=1)
    assert at(WALL, keep(kept)) == outbox.DrainReport()
    assert kept == ["a"]
    assert the_message("a").done_at == WALL


def test_the_same_promise_twice_is_one():
    promise("a")
    promise("a")
    outbox.publish("other", key="a", payload={}, now=WALL)
    assert OutboxMessage.select().count() == 2


def test_a_promise_kept_long_ago_is_not_made_again():
    promise("a")
    at(WALL, keep([]))
    promise("a")
    assert at(WALL + timedelta(days=1), keep([])) == outbox.DrainReport()


def test_a_promise_that_the_columns_cannot_hold_is_an_error_not_silence():
    with pytest.raises(Exception, match=r"length|too long") as refused:
        promise("x" * 121)
    assert isinstance(refused.value, IntegrityError) or "too long" in str(refused.value)


def test_a_rolled_back_promise_was_never_made(database):
    with pytest.raises(RuntimeError), database.atomic():
        promise("a")
        raise RuntimeError
    assert at(WALL, keep([])) == outbox.DrainReport()


def test_a_promise_for_later_waits():
    promise("later", run_at=WALL + timedelta(hours=1))
    assert not outbox.is_due(WALL)
    assert at(WALL, keep([])) == outbox.DrainReport()
    assert at(WALL + timedelta(hours=1), keep([])) == outbox.DrainReport(delivered=1)


def test_the_oldest_due_promise_comes_first():
    kept = []
    promise("second", run_at=WALL - timedelta(minutes=1))
    promise("first", run_at=WALL - timedelta(minutes=2))
    assert outbox.oldest_due_at(WALL) == WALL - timedelta(minutes=2)
    at(WALL, keep(kept))
    assert kept == ["first", "second"]


def test_a_handler_runs_outside_any_transaction(database):
    def look(delivery):
        assert not database.in_transaction()

    promise("a")
    assert at(WALL, {"note": look}).delivered == 1


def test_a_thread_knows_that_it_promised_something():
    outbox.take_promised()
    promise("a")
    assert outbox.take_promised()
    assert not outbox.take_promised()


def test_secrets_are_wiped_once_the_promise_is_kept():
    seen = []
    outbox.publish("note", key="a", payload={"to": "x", "secrets": {"path": "/token"}}, now=WALL)
    at(WALL, {"note": lambda delivery: seen.append(delivery.payload["secrets"])})
    assert seen == [{"path": "/token"}]
    assert the_message("a").payload == {"to": "x"}


# --- faults ---------------------------------------------------------------------------------------


def test_a_failed_try_comes_again_later_and_later():
    """30 s, 2 min, 8 min, 32 min, 2 h 8, 8 h 32, 34 h 8; each up to a tenth longer."""
    promise("a")
    wall, waits = WALL, []
    for _ in range(outbox.PATIENCE.most_tries - 1):
        assert at(wall, {"note": fail}) == outbox.DrainReport(failed=1)
        run_at = the_message("a").run_at
        waits.append((run_at - wall).total_seconds())
        assert at(run_at - timedelta(seconds=1), {"note": fail}) == outbox.DrainReport()
        wall = run_at
    for wait, least in zip(waits, (30, 120, 480, 1920, 7680, 30720, 122880), strict=True):
        assert least <= wait <= least * 1.1


def test_a_poison_message_is_parked_and_the_others_go_on(caplog):
    kept = []
    outbox.publish("poison", key="p", payload={"secrets": {"path": "/token"}}, now=WALL)
    wall = WALL
    for attempt in range(outbox.PATIENCE.most_tries):
        promise(f"good-{attempt}", run_at=wall)
        report = at(wall, keep(kept) | {"poison": fail})
        assert report.delivered == 1
        wall = the_message("p").run_at
    assert report.parked == 1
    parked = the_message("p")
    assert parked.attempts == 8
    assert parked.parked_at is not None
    assert parked.last_error == "ValueError: no such workspace"
    assert parked.payload == {"secrets_wiped": True}
    assert at(wall + timedelta(days=365), {"poison": fail}) == outbox.DrainReport()
    assert len(kept) == 8
    assert "no such workspace" not in caplog.text


def test_an_unknown_topic_fails_like_any_other():
    outbox.publish("of_tomorrow", key="a", payload={}, now=WALL)
    assert at(WALL, keep([])) == outbox.DrainReport(failed=1)
    assert the_message("a").last_error == "KeyError: 'of_tomorrow'"


def test_an_error_that_the_database_could_not_store_is_stored_without():
    def fail_strangely(delivery):
        raise ValueError("NUL \x00, half a pair \ud800" + "x" * 5000)

    promise("a")
    assert at(WALL, {"note": fail_strangely}).failed == 1
    assert the_message("a").last_error.startswith("ValueError: NUL , half a pair ?xxx")
    assert len(the_message("a").last_error) == outbox.LONGEST_ERROR


def test_a_worker_that_lost_its_lease_does_not_mark_the_message_of_another():
    def overtaken(delivery):
        kept_by_another = []
        later = WALL + timedelta(seconds=LEASE_SECONDS)
        assert at(later, {"note": lambda other: kept_by_another.append(other.attempt)}).delivered == 1
        assert kept_by_another == [2]
        raise ValueError("too late")

    promise("a")
    assert at(WALL, {"note": overtaken}) == outbox.DrainReport()
    message = the_message("a")
    assert message.done_at == WALL + timedelta(seconds=LEASE_SECONDS)
    assert message.last_error == ""


def test_a_message_that_kills_its_worker_is_parked_too():
    class Killed(BaseException):
        pass

    def die(delivery):
        raise Killed

    promise("a")
    wall = WALL
    for _ in range(outbox.PATIENCE.most_tries):
        with pytest.raises(Killed):
            at(wall, {"note": die})
        assert at(wall, keep([])) == outbox.DrainReport()
        wall += timedelta(seconds=LEASE_SECONDS)
    assert at(wall, {"note": die}) == outbox.DrainReport(parked=1)


def test_a_worker_told_to_stop_takes_nothing_more():
    kept = []
    promise("a")
    promise("b")
    assert at(WALL, keep(kept), is_stopping=lambda: len(kept) == 1).delivered == 1
    assert at(WALL, keep(kept), limit=5).delivered == 1


# --- real processes -------------------------------------------------------------------------------

WORKER = """
import sys
from datetime import UTC, datetime, timedelta
from portal import outbox
from portal.database import connecting as database

url, kept_file, behaviour = sys.argv[1:]

def note(delivery):
    with open(kept_file, "a") as file:
        file.write(delivery.key + "\\n")
    if behaviour == "hang":
        print("holding", flush=True)
        sys.stdin.read()

database.bind(url)
with database.connection():
    print("ready", flush=True)
    sys.stdin.readline()
    wall = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    outbox.drain(wall=lambda: wall, lease_seconds=60, handlers={"note": note}, limit=1000)
"""


def a_worker(database_url, kept_file, behaviour="keep"):
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, database_url, str(kept_file), behaviour],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert worker.stdout.readline() == "ready\n"
    return worker


def test_four_processes_keep_each_promise_once(database_url, tmp_path):
    keys = [f"promise-{number}" for number in range(60)]
    for key in keys:
        promise(key)
    workers = [a_worker(database_url, tmp_path / "kept") for _ in range(4)]
    for worker in workers:
        worker.stdin.write("\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate(timeout=60)
        assert worker.returncode == 0
    assert sorted((tmp_path / "kept").read_text().split()) == sorted(keys)
    assert (
        OutboxMessage.select().where(OutboxMessage.attempts == 1, OutboxMessage.done_at == WALL).count() == 60
    )


def test_a_killed_worker_loses_its_lease_and_another_keeps_the_promise(database_url, tmp_path):
    promise("a")
    worker = a_worker(database_url, tmp_path / "kept", "hang")
    worker.stdin.write("\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "holding\n"
    worker.send_signal(signal.SIGKILL)
    worker.communicate(timeout=60)

    kept = []
    assert at(WALL + timedelta(seconds=LEASE_SECONDS - 1), keep(kept)) == outbox.DrainReport()
    assert at(WALL + timedelta(seconds=LEASE_SECONDS), keep(kept)) == outbox.DrainReport(delivered=1)
    assert kept == ["a"]
    assert the_message("a").attempts == 2


# --- what keeps failing ---------------------------------------------------------------------------


def fail_often(key: str, *, tries: int, payload=None, topic: str = "note", error=fail) -> None:
    outbox.publish(topic, key=key, payload=payload or {}, now=WALL)
    wall = WALL
    for _ in range(tries):
        at(wall, {topic: error})
        wall = the_message(key).run_at


def fail_otherwise(delivery) -> None:
    raise OSError("no route to the mail server")


def test_what_failed_a_few_times_is_nobodys_business_yet():
    fail_often("a", tries=outbox.TRIES_THAT_TELL - 1)
    assert outbox.failing(WALL) == []
    assert outbox.count_failing(WALL) == 0


def test_what_keeps_failing_is_told_by_topic_and_reason():
    fail_often("parked", tries=outbox.PATIENCE.most_tries)
    fail_often("waits", tries=outbox.TRIES_THAT_TELL)
    fail_often("other", tries=outbox.TRIES_THAT_TELL, error=fail_otherwise)
    promise("fine")
    most, least = outbox.failing(WALL + timedelta(days=3))
    assert (most.topic, most.last_error) == ("note", "ValueError: no such workspace")
    assert (most.count, most.parked, most.since) == (2, 1, WALL)
    assert (least.last_error, least.count, least.parked) == ("OSError: no route to the mail server", 1, 0)
    assert most.group != least.group
    assert outbox.count_failing(WALL + timedelta(days=3)) == 3


def test_tried_again_it_is_kept_at_once():
    fail_often("parked", tries=outbox.PATIENCE.most_tries)
    fail_often("waits", tries=outbox.TRIES_THAT_TELL)
    later = WALL + timedelta(days=3)
    [group] = outbox.failing(later)
    outbox.take_promised()
    with transaction():
        assert outbox.try_again(group.ids, wall=later) == (2, 0)
    assert outbox.take_promised()
    kept = []
    assert at(later, keep(kept)).delivered == 2
    assert outbox.failing(later) == []
    with transaction():
        assert outbox.try_again(group.ids, wall=later) == (0, 0)
    assert at(later, keep(kept)) == outbox.DrainReport()


def test_a_letter_whose_link_is_gone_is_given_up_instead():
    """Sent again, it would lead nowhere."""
    fail_often("link", tries=outbox.PATIENCE.most_tries, payload={"secrets": {"path": "/token"}})
    later = WALL + timedelta(days=3)
    [group] = outbox.failing(later)
    with transaction():
        assert outbox.try_again(group.ids, wall=later) == (0, 1)
    assert outbox.failing(later) == []
    assert at(later, keep([])) == outbox.DrainReport()
    assert the_message("link").last_error == "ValueError: no such workspace"


def test_what_is_being_kept_at_this_moment_is_left_alone():
    fail_often("waits", tries=outbox.TRIES_THAT_TELL)
    run_at = the_message("waits").run_at
    seen = []

    def meddle(delivery) -> None:
        with transaction():
            seen.append(outbox.try_again([the_message("waits").id], wall=run_at))

    at(run_at, {"note": meddle})
    assert seen == [(0, 0)]
    assert the_message("waits").done_at is not None
