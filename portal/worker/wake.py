"""Waking a worker after a request that promised something."""

import logging

from flask import Flask

from portal import outbox

from . import jobs

log = logging.getLogger(__name__)


def register(app: Flask) -> None:
    """Tasks of this process run in `app`; each of its requests that promised something wakes a worker."""
    jobs.run_in(app)
    if "portal-wake" in app.extensions:
        return
    app.extensions["portal-wake"] = True

    @app.teardown_request
    def wake_if_promised(error: BaseException | None) -> None:
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
