"""Waking a worker after a request that promised something."""

import logging

from flask import Flask

from portal import outbox
from portal.services.payments import asking

from . import jobs

log = logging.getLogger(__name__)


def register(app: Flask) -> None:
    """Tasks of this process run in `app`; each of its requests that promised something wakes a worker."""
    jobs.run_in(app)
    if "portal-wake" in app.extensions:
        return
    app.extensions["portal-wake"] = True

    asking.after_each(wake_if_promised)

    @app.teardown_request
    def after_request(error: BaseException | None) -> None:
        wake_if_promised()


def wake_if_promised() -> None:
    """For a thread that may have promised something."""
    if outbox.take_promised():
        wake()


def wake() -> None:
    """Ask a worker to drain the outbox now. Call after the commit; never raises."""
    try:
        # Huey brings every client it knows: a process that promises nothing does without.
        from . import queue

        queue.opened().drain()
    except Exception:  # noqa: BLE001
        # The boundary: the promise is in the database, the ticker finds it without us.
        log.warning("the queue is not reachable; the outbox waits for the ticker")
