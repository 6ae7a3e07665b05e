"""The alarm clock: what wakes a worker, and what happens when it is away or lied to."""

import dataclasses
import pickle
import time
from datetime import UTC, datetime

import pytest
from flask import Flask

from portal import outbox, runtime
from portal.clock import SystemClock
from portal.database.connecting import connection
from portal.models import OutboxMessage
from portal.worker import handlers, jobs, queue, wake

WALL = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PATIENCE_SECONDS = 20


@pytest.fixture
def kept(monkeypatch):
    """The keys of the promises of topic `note` that were kept."""
    keys = []
    monkeypatch.setitem(handlers.HANDLERS, "note", lambda delivery: keys.append(delivery.key))
    return keys


@pytest.fixture
def app(settings, database):
    """An application with one page, whose opening promises something."""
    runtime.install(runtime.Runtime(settings, SystemClock(), {}))
    app = Flask("portal")
    wake.register(app)
    wake.register(app)

    @app.get("/promise")
    def promise():
        outbox.publish("note", key="a", payload={}, now=WALL)
        return "promised"

    @app.get("/nothing")
    def nothing():
        return "nothing"

    return app


@pytest.fixture
def consumer(app):
    """The worker's threads, as `portal serve --embedded` runs them."""
    consumer = queue.embedded_consumer(threads=1)
    consumer.start()
    yield consumer
    consumer.stop(graceful=True)


def use_queue(url):
    settings = dataclasses.replace(runtime.current().settings, queue_url=url)
    runtime.install(runtime.Runtime(settings, SystemClock(), {}))


def wait_for(condition):
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up_at, "it never happened"
        time.sleep(0.05)


def test_a_request_that_promised_something_wakes_a_worker_once(app, database_url):
    if database_url.startswith("postgresql"):
        use_queue(database_url)
    opened = queue.opened()
    outbox.take_promised()
    app.test_client().get("/nothing")
    assert opened.huey.pending_count() == 0
    app.test_client().get("/promise")
    assert opened.huey.pending_count() == 1
    opened.huey.storage.close()


@pytest.mark.engine("sqlite")
def test_a_woken_worker_keeps_the_promise(app, kept):
    app.test_client().get("/promise")
    task = queue.opened().huey.dequeue()
    queue.opened().huey.execute(task)
    assert kept == ["a"]


@pytest.mark.engine("sqlite")
def test_a_page_is_answered_though_the_queue_is_away(app, caplog):
    use_queue("redis://127.0.0.1:9/0")
    assert app.test_client().get("/promise").status_code == 200
    assert OutboxMessage.select().count() == 1
    assert "queue is not reachable" in caplog.text


@pytest.mark.engine("sqlite")
def test_the_ticker_finds_a_promise_that_nobody_was_woken_for(consumer, kept):
    outbox.publish("note", key="lost call", payload={}, now=WALL)
    wait_for(lambda: kept == ["lost call"])


@pytest.mark.engine("sqlite")
def test_the_ticker_keeps_promises_itself_while_the_queue_is_away(app, kept, monkeypatch):
    def away():
        raise ConnectionError("no queue")

    monkeypatch.setattr(queue.opened().huey, "pending_count", away)
    consumer = queue.embedded_consumer(threads=1)
    consumer.start()
    outbox.publish("note", key="without a queue", payload={}, now=WALL)
    wait_for(lambda: kept == ["without a queue"])
    consumer.stop(graceful=True)


class AwayForAWhile:
    """The storage of a queue that answers nobody until it is back."""

    blocking = False

    def __init__(self, storage):
        self._storage, self.is_away, self.refused = storage, True, 0

    def __getattr__(self, name):
        if self.is_away:
            self.refused += 1
            raise ConnectionError("nobody listens")
        return getattr(self._storage, name)


@pytest.mark.engine("sqlite")
def test_a_queue_that_is_away_is_said_once_and_once_more_when_it_is_back(app, kept, caplog):
    huey = queue.opened().huey
    huey.storage = storage = AwayForAWhile(huey.storage)
    consumer = queue.embedded_consumer(threads=2)
    consumer.start()
    outbox.publish("note", key="without it", payload={}, now=WALL)
    wait_for(lambda: kept == ["without it"] and storage.refused > 8)
    said = [record for record in caplog.records if record.levelname != "INFO"]
    assert [(record.name, record.exc_info) for record in said] == [("portal.worker.queue", None)]
    assert said[0].getMessage().startswith("the queue is away (nobody listens): ")
    storage.is_away = False
    wait_for(lambda: caplog.messages.count("the queue is back") == 1)
    huey.storage = storage._storage
    outbox.publish("note", key="with it", payload={}, now=WALL)
    wait_for(lambda: kept == ["without it", "with it"])
    consumer.stop(graceful=True)
    assert len([record for record in caplog.records if record.levelname != "INFO"]) == 2


def test_a_queue_that_is_away_is_asked_less_and_less_often(monkeypatch):
    passed = iter([100, 100, 103, 190, 200, 201])
    monkeypatch.setattr(queue.time, "monotonic", lambda: next(passed))
    absence = queue.Absence()
    pauses = [absence.pause_after(ConnectionError()) for _ in range(4)]
    assert pauses == [queue.SHORTEST_PAUSE_SECONDS, queue.SHORTEST_PAUSE_SECONDS, 3, 10]
    absence.end()
    assert absence.pause_after(ConnectionError()) == queue.SHORTEST_PAUSE_SECONDS


class Exploit:
    def __reduce__(self):
        return (pytest.fail, ("code from the queue was run",))


@pytest.mark.engine("sqlite")
def test_what_is_not_signed_is_never_read(consumer, kept, caplog):
    consumer.huey.storage.enqueue(pickle.dumps(Exploit()))
    wait_for(lambda: consumer.huey.pending_count() == 0)
    outbox.publish("note", key="after it", payload={}, now=WALL)
    wait_for(lambda: kept == ["after it"])


@pytest.mark.engine("sqlite")
def test_a_worker_that_stops_ends_its_task_first(consumer, monkeypatch):
    ended = []

    def slow(delivery):
        time.sleep(1)
        ended.append(delivery.key)

    monkeypatch.setitem(handlers.HANDLERS, "note", slow)
    outbox.publish("note", key="a", payload={}, now=WALL)
    outbox.publish("note", key="b", payload={}, now=WALL)
    wait_for(lambda: OutboxMessage.select().where(OutboxMessage.lease_until.is_null(False)).exists())
    consumer.stop(graceful=True)
    assert ended == ["a"]
    with connection():
        assert [message.key for message in OutboxMessage.select().where(OutboxMessage.done_at.is_null())] == [
            "b"
        ]


@pytest.mark.engine("sqlite")
def test_each_task_runs_on_its_own(app):
    jobs.drain()
    jobs.sweep()
    jobs.look_up_due_payments()
