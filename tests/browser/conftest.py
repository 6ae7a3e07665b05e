"""A real browser on a real server: Chromium, and the application in a thread of the test process.

The test and the server share the process, so a test may arrange rows with factories and move the
clock while a page is open. Pages are asked with `page.goto("/sign-in")`.
"""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests.conftest import TODAY
from tools.setup import chromium

QUIET_BROWSER = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The machine's Chromium where there is one, else Playwright's own; it reaches this machine only."""
    path = chromium()
    return {
        **browser_type_launch_args,
        **({"executable_path": path} if path else {}),
        "args": list(QUIET_BROWSER),
    }


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any], live_server: str) -> dict[str, Any]:
    return {**browser_context_args, "base_url": live_server, "locale": "en-GB", "timezone_id": "Europe/Paris"}


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def environment(environment: dict[str, str], port: int) -> dict[str, str]:
    """Links in mails lead to the server of this test."""
    return {"PORTAL_BASE_URL": f"http://127.0.0.1:{port}", **environment}


@pytest.fixture
def clock(tmp_path: Path) -> Any:
    """Starts like the clock of other tests, but runs: leases, polling and back-off need a wall clock."""
    from portal.clock import ShiftedClock

    shifted = ShiftedClock(tmp_path / "clock.json")
    shifted.set(TODAY)
    return shifted


@pytest.fixture
def live_server(app: Any, port: int) -> Iterator[str]:
    """The address of the application, served with its worker until the test ends."""
    from portal import jobs

    # An error is a page here, as for everybody; the `app` fixture still fails the test for it.
    app.testing = False
    jobs.register(app)
    worker = jobs.embedded_consumer(threads=1)
    worker.start()
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="live-server")
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    thread.join()
    server.server_close()
    worker.stop(graceful=True)
