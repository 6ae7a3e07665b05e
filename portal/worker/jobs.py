"""The alarm clock and the threads. All due work stands in the database; a lost task costs nothing.

Huey delivers at most once and fires a periodic task in each consumer, so a task only says "look
whether something is due". Three things set off a drain of the outbox: `wake()` right after a
request that promised something, the consumer's ticker within a second or two when that call was
lost, and, where the queue itself is away, the ticker drains on its own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask

from portal import outbox
from portal.database.connecting import connection
from portal.runtime import Runtime, current
from portal.services import exchange_rates
from portal.services.payments import charging
from portal.services.upkeep import housekeeping

DRAIN_LIMIT = 100
LOOK_UP_LIMIT = 200


# --- tasks ----------------------------------------------------------------------------------------


def drain() -> None:
    """Keep the promises that are due."""
    with at_work() as runtime:
        drain_outbox(runtime, limit=DRAIN_LIMIT)


def look_up_due_payments() -> None:
    """Ask about payments, refunds and set-ups whose result is not known."""
    from portal.services.payments import method_setups, refunds

    with at_work() as runtime:
        now = runtime.clock.now()
        charging.look_up_due(limit=LOOK_UP_LIMIT, now=now)
        refunds.look_up_due_refunds(limit=LOOK_UP_LIMIT, now=now)
        method_setups.look_up_due_setups(limit=LOOK_UP_LIMIT, now=now)


def run_due() -> None:
    """Renewals, scheduled changes, reminders, blocking: whatever is due."""
    from portal.services.renewals import run

    with at_work() as runtime:
        run.run_due(now=runtime.clock.now(), is_stopping=is_stopping)


def sweep() -> None:
    """Throw away what is over, and tell operators what will be missing."""
    with at_work() as runtime:
        housekeeping.sweep(wall=runtime.clock.wall())
        exchange_rates.tell_operators(now=runtime.clock.now())


def drain_outbox(runtime: Runtime, *, limit: int) -> outbox.DrainReport:
    """One drain with this process's settings, given up early when its consumer is told to stop."""
    # What sends letters and matches transfers: a web worker, which only wakes others, does without.
    from .handlers import HANDLERS

    return outbox.drain(
        wall=runtime.clock.wall,
        lease_seconds=runtime.settings.lease_seconds,
        handlers=HANDLERS,
        limit=limit,
        is_stopping=is_stopping,
    )


# --- where tasks run ------------------------------------------------------------------------------

_app: Flask | None = None
_stopping: Callable[[], bool] | None = None


def stop_when(is_told: Callable[[], bool] | None) -> None:
    """How tasks learn that this process's consumer was told to stop; None when it has ended."""
    global _stopping
    _stopping = is_told


def is_stopping() -> bool:
    return _stopping is not None and _stopping()


def run_in(app: Flask) -> None:
    """Tasks of this process run in `app`."""
    global _app
    _app = app


@contextmanager
def at_work() -> Iterator[Runtime]:
    """The application's context and a database connection for one task."""
    if _app is None:
        raise RuntimeError("jobs.run_in(app) has not run in this process")
    with _app.app_context(), connection():
        yield current()
