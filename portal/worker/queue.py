"""The queue behind the alarm clock, and the consumer that answers it: all that knows Huey."""

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey, crontab
from huey.consumer import Consumer, Scheduler, Worker
from huey.serializer import SignedSerializer

from portal import outbox
from portal.database.connecting import make_private
from portal.runtime import current
from portal.settings import SettingsError

from . import jobs

CONNECT_SECONDS = 2
SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0
"""For how long a queue that is away is left alone."""
STOP_SECONDS = 25
"""How long a stopping consumer waits for its tasks: less than a container's 30."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Queue:
    """Huey on its storage, with our tasks known to it. `drain()` enqueues a drain."""

    url: str
    huey: Huey
    drain: Callable[[], Any]


_opened: Queue | None = None


def opened() -> Queue:
    """This process's queue, opened at its first use."""
    global _opened
    settings = current().settings
    if _opened is None or _opened.url != settings.queue_url:
        if _opened is not None:
            _opened.huey.storage.close()
        _opened = open_queue(settings.queue_url, secret_key=settings.secret_key)
    return _opened


def open_queue(url: str, *, secret_key: str) -> Queue:
    """The queue at a sqlite:///, postgresql:// or redis:// URL. Raises SettingsError."""
    # Huey's own serializer would run code for whoever can write to the queue.
    serializer = SignedSerializer(secret=secret_key, salt="portal-queue")
    try:
        huey = _storage(url, serializer=serializer)
    except Exception as error:
        # The boundary: each kind of queue has errors of its own.
        raise SettingsError(
            f"The queue of PORTAL_QUEUE_URL cannot be used ({error}); nothing is lost if it is made anew."
        ) from error
    for when, task in (
        (crontab(), jobs.look_up_due_payments),
        (crontab(minute="*/5"), jobs.run_due),
        (crontab(minute="17"), jobs.sweep),
    ):
        huey.periodic_task(when)(task)
    return Queue(url=url, huey=huey, drain=huey.task()(jobs.drain))


def _storage(url: str, *, serializer: SignedSerializer) -> Huey:
    options: dict[str, Any] = {"results": False, "serializer": serializer}
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        file = Path(rest.removeprefix("/"))
        make_private(file)
        return SqliteHuey("portal", filename=str(file), **options)
    if scheme in ("postgresql", "postgres"):
        return PostgresHuey("portal", dsn=url, connect_timeout=CONNECT_SECONDS, **options)
    if scheme in ("redis", "rediss"):
        joint = "&" if "?" in url else "?"
        return RedisHuey("portal", url=f"{url}{joint}socket_connect_timeout={CONNECT_SECONDS}", **options)
    raise ValueError("it is none of sqlite:///, postgresql:// and redis://")


# --- the consumer ---------------------------------------------------------------------------------


class Absence:
    """Of the queue: said once, whichever of a consumer's threads sees it first, and once when it is back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: float | None = None

    def pause_after(self, error: Exception) -> float:
        """How many seconds to leave it alone: as long as it has been away already, within bounds."""
        now = time.monotonic()
        with self._lock:
            if self._since is None:
                self._since = now
                log.warning(
                    "the queue is away (%s): promises are kept without it, periodic work waits for it", error
                )
            return min(max(now - self._since, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)

    def end(self) -> None:
        """It has answered."""
        if self._since is None:
            return
        with self._lock:
            if self._since is not None:
                self._since = None
                log.warning("the queue is back")


class QueueWorker(Worker):
    """Huey's worker, but for a queue that is away."""

    absence: Absence

    def loop(self, now: Any = None) -> None:
        storage = self.huey.storage
        try:
            waiting = storage.dequeue()
        except Exception as error:  # noqa: BLE001
            # The boundary: each kind of queue has errors of its own.
            self.stop_flag.wait(self.absence.pause_after(error))
            return
        self.absence.end()
        if waiting is not None:
            self.delay = self.default_delay
            try:
                self.huey.execute(self.huey.deserialize_task(waiting), now)
            except Exception:  # The boundary: no task, and nothing that is none, ends this thread.
                log.exception("what stood in the queue could not be done")
        elif not storage.blocking:
            self.sleep()


class Ticker(Scheduler):
    """Huey's scheduler, looping once a second, which also looks into the outbox."""

    absence: Absence
    _ask_again_at = 0.0

    def loop(self, now: Any = None) -> None:
        is_there = self._queue_is_there()
        if is_there:
            super().loop(now)
        else:
            self.stop_flag.wait(self.interval)
        try:
            self._tick(is_there=is_there)
        except Exception:  # The boundary: a database that is away for a while must not end this thread.
            log.exception("the ticker could not look into the outbox")
            self.stop_flag.wait(5)

    def _queue_is_there(self) -> bool:
        if time.monotonic() < self._ask_again_at:
            return False
        try:
            self.huey.pending_count()
        except Exception as error:  # noqa: BLE001
            # The boundary: each kind of queue has errors of its own.
            self._ask_again_at = time.monotonic() + self.absence.pause_after(error)
            return False
        self.absence.end()
        return True

    def _tick(self, *, is_there: bool) -> None:
        with jobs.at_work() as runtime:
            if not outbox.is_due(runtime.clock.wall()):
                return
            try:
                if is_there and self.huey.pending_count() == 0:
                    opened().drain()
            except Exception as error:  # noqa: BLE001
                # The boundary: each kind of queue has errors of its own.
                self.absence.pause_after(error)
                is_there = False
            if not is_there:
                # Promises are kept from here.
                jobs.drain_outbox(runtime, limit=jobs.DRAIN_LIMIT)


class PortalConsumer(Consumer):
    """The worker: threads, ticker, and a stop that lets running tasks end."""

    scheduler_class = Ticker
    worker_class = QueueWorker

    def __init__(self, queue: Queue, *, threads: int) -> None:
        self._absence = Absence()
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
        jobs.stop_when(self.stop_flag.is_set)

    def _create_worker(self) -> QueueWorker:
        return self._knowing(super()._create_worker())

    def _create_scheduler(self) -> Ticker:
        return self._knowing(super()._create_scheduler())

    def _knowing(self, process: Any) -> Any:
        process.absence = self._absence
        return process

    def stop(self, graceful: bool = False) -> None:
        super().stop(graceful=graceful)
        jobs.stop_when(None)


class EmbeddedConsumer(PortalConsumer):
    """The worker's threads inside a web process, whose server keeps the signals for itself."""

    def _set_signal_handlers(self) -> None:
        pass


def consumer(*, threads: int) -> PortalConsumer:
    """The worker of this process; `run()` blocks until a signal."""
    return PortalConsumer(opened(), threads=threads)


def embedded_consumer(*, threads: int) -> EmbeddedConsumer:
    """The worker inside a web process: `start()`, and `stop(graceful=True)` at its end."""
    return EmbeddedConsumer(opened(), threads=threads)
