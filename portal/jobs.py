"""The alarm clock and the threads. All due work stands in the database; a lost task costs nothing.

Huey delivers at most once and fires a periodic task in each consumer, so a task only says "look
whether something is due". Three things set off a drain of the outbox: `wake()` right after a
request that promised something, the consumer's ticker within a second or two when that call was
lost, and, where the queue itself is away, the ticker drains on its own.
"""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey, crontab
from huey.consumer import Consumer, Scheduler
from huey.serializer import SignedSerializer

from . import outbox
from .database import connection
from .handlers import HANDLERS
from .runtime import Runtime, current
from .services import housekeeping, payments
from .settings import SettingsError

DRAIN_LIMIT = 100
LOOK_UP_LIMIT = 200
RUN_LIMIT = 1000
CONNECT_SECONDS = 2
STOP_SECONDS = 25
"""How long a stopping consumer waits for its tasks: less than a container's 30."""

log = logging.getLogger(__name__)


# --- tasks ----------------------------------------------------------------------------------------


def drain() -> None:
    """Keep the promises that are due."""
    with at_work() as runtime:
        drain_outbox(runtime, limit=DRAIN_LIMIT)


def look_up_due_payments() -> None:
    """Ask about payments whose result is not known."""
    with at_work() as runtime:
        payments.look_up_due(limit=LOOK_UP_LIMIT, now=runtime.clock.now())


def run_due() -> None:
    """Renewals, scheduled changes, reminders, blocking: whatever is due."""
    from .services import renewals

    with at_work() as runtime:
        renewals.run_due(now=runtime.clock.now(), limit=RUN_LIMIT)


def sweep() -> None:
    """Throw away what is over."""
    with at_work() as runtime:
        housekeeping.sweep(wall=runtime.clock.wall())


def drain_outbox(runtime: Runtime, *, limit: int) -> outbox.DrainReport:
    """One drain with this process's settings, given up early when its consumer is told to stop."""
    return outbox.drain(
        wall=runtime.clock.wall,
        lease_seconds=runtime.settings.lease_seconds,
        handlers=HANDLERS,
        limit=limit,
        is_stopping=_is_stopping,
    )


# --- where tasks run ------------------------------------------------------------------------------

_app: Flask | None = None
_consumer: Consumer | None = None


def register(app: Flask) -> None:
    """Tasks of this process run in `app`; each of its requests that promised something wakes a worker."""
    global _app
    _app = app
    if "portal-jobs" in app.extensions:
        return
    app.extensions["portal-jobs"] = True

    @app.teardown_request
    def wake_if_promised(error: BaseException | None) -> None:
        if outbox.take_promised():
            wake()


@contextmanager
def at_work() -> Iterator[Runtime]:
    """The application's context and a database connection for one task."""
    if _app is None:
        raise RuntimeError("jobs.register(app) has not run in this process")
    with _app.app_context(), connection():
        yield current()


def wake() -> None:
    """Ask a worker to drain the outbox now. Call after the commit; never raises."""
    try:
        _queue().drain()
    except Exception:  # noqa: BLE001
        # The boundary: the promise is in the database, the ticker finds it without us.
        log.warning("the queue is not reachable; the outbox waits for the ticker")


def _is_stopping() -> bool:
    return _consumer is not None and bool(_consumer.stop_flag.is_set())


# --- the queue ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Queue:
    """Huey on its storage, with our tasks known to it. `drain()` enqueues a drain."""

    url: str
    huey: Huey
    drain: Callable[[], Any]


_opened: Queue | None = None


def _queue() -> Queue:
    """This process's queue, opened at its first use."""
    global _opened
    settings = current().settings
    if _opened is None or _opened.url != settings.queue_url:
        if _opened is not None:
            _opened.huey.storage.close()
        _opened = open_queue(settings.queue_url, secret_key=settings.secret_key)
    return _opened


def open_queue(url: str, *, secret_key: str) -> Queue:
    """The queue at a sqlite:///, postgresql:// or redis:// URL. Raises SettingsError for another one."""
    # Huey's own serializer would run code for whoever can write to the queue.
    huey = _storage(url, serializer=SignedSerializer(secret=secret_key, salt="portal-queue"))
    for when, task in (
        (crontab(), look_up_due_payments),
        (crontab(minute="*/5"), run_due),
        (crontab(minute="17"), sweep),
    ):
        huey.periodic_task(when)(task)
    return Queue(url=url, huey=huey, drain=huey.task()(drain))


def _storage(url: str, *, serializer: SignedSerializer) -> Huey:
    options: dict[str, Any] = {"results": False, "serializer": serializer}
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return SqliteHuey("portal", filename=rest.removeprefix("/"), **options)
    if scheme in ("postgresql", "postgres"):
        return PostgresHuey("portal", dsn=url, connect_timeout=CONNECT_SECONDS, **options)
    if scheme in ("redis", "rediss"):
        joint = "&" if "?" in url else "?"
        return RedisHuey("portal", url=f"{url}{joint}socket_connect_timeout={CONNECT_SECONDS}", **options)
    raise SettingsError("PORTAL_QUEUE_URL must start with sqlite:///, postgresql:// or redis://.")


# --- the consumer ---------------------------------------------------------------------------------


class Ticker(Scheduler):
    """Huey's scheduler, looping once a second, which also looks into the outbox."""

    def loop(self, now: Any = None) -> None:
        super().loop(now)
        try:
            self._tick()
        except Exception:  # The boundary: a database that is away for a while must not end this thread.
            log.exception("the ticker could not look into the outbox")
            self.stop_flag.wait(5)

    def _tick(self) -> None:
        with at_work() as runtime:
            if not outbox.is_due(runtime.clock.wall()):
                return
            try:
                if self.huey.pending_count() == 0:
                    _queue().drain()
            except Exception:  # noqa: BLE001
                # The boundary: with the queue away, promises are kept from here.
                log.warning("the queue is not reachable; the ticker drains the outbox")
                drain_outbox(runtime, limit=DRAIN_LIMIT)


class PortalConsumer(Consumer):
    """The worker: threads, ticker, and a stop that lets running tasks end."""

    scheduler_class = Ticker

    def __init__(self, queue: Queue, *, threads: int) -> None:
        global _consumer
        super().__init__(
            queue.huey,
            workers=threads,
            worker_type="thread",
            max_delay=1.0,
            shutdown_timeout=STOP_SECONDS,
        )
        # SIGTERM is what systemd and containers send: by default Huey drops the running task at it.
        for number in (signal.SIGTERM, signal.SIGINT):
            self._signal_actions[number] = (False, True)
        _consumer = self

    def stop(self, graceful: bool = False) -> None:
        global _consumer
        super().stop(graceful=graceful)
        _consumer = None


class EmbeddedConsumer(PortalConsumer):
    """The worker's threads inside a web process, whose server keeps the signals for itself."""

    def _set_signal_handlers(self) -> None:
        pass


def consumer(*, threads: int) -> PortalConsumer:
    """The worker of this process; `run()` blocks until a signal."""
    return PortalConsumer(_queue(), threads=threads)


def embedded_consumer(*, threads: int) -> EmbeddedConsumer:
    """The worker inside a web process: `start()`, and `stop(graceful=True)` at its end."""
    return EmbeddedConsumer(_queue(), threads=threads)
