"""A real browser on a real server: Chromium, and the application in a thread of the test process.

The test and the server share the process, so a test may arrange rows with factories and move the
clock while a page is open. Pages are asked with `page.goto("/sign-in")`.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask_babel import force_locale, get_translations, gettext
from playwright.sync_api import BrowserContext, Page, expect
from werkzeug.serving import make_server

from portal.domain.money import Money
from portal.words import formatting
from tests.books import broken_books
from tests.browser.reader import Reader, share_out
from tests.browser.watch import Watch
from tests.conftest import TODAY
from tests.factories import a_catalogue
from tools.setup import chromium_for_tests

# The machine may be busy with other tests; what is right appears at once all the same.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)

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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:], left = share_out(items)
    if left:
        config.hook.pytest_deselected(items=left)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The machine's Chromium where there is one, else Playwright's own; it reaches this machine only."""
    path = chromium_for_tests()
    return {
        **browser_type_launch_args,
        **({"executable_path": path} if path else {}),
        "args": list(QUIET_BROWSER),
    }


@pytest.fixture
def reader(request: pytest.FixtureRequest) -> Reader:
    """Who looks at the pages: `@read_by(Reader("fr", width=360))` chooses."""
    return getattr(request, "param", Reader())


@pytest.fixture
def browser_context_args(
    browser_context_args: dict[str, Any], live_server: str, reader: Reader
) -> dict[str, Any]:
    return {**browser_context_args, "base_url": live_server, **reader.context_options}


@pytest.fixture(autouse=True)
def watch(live_server: str) -> Iterator[Watch]:
    """Sees every browser of the test; fails it for an error on a console or a stray request."""
    watching = Watch(live_server)
    yield watching
    watching.assert_nothing_wrong()


@pytest.fixture
def context(new_context: Callable[..., BrowserContext], watch: Watch) -> BrowserContext:
    return patient(watch.over(new_context()))


@pytest.fixture
def another_browser(new_context: Callable[..., BrowserContext], watch: Watch) -> Callable[..., Page]:
    """A page in a browser of its own, with cookies of its own; options are those of a browser context."""
    return lambda **options: patient(watch.over(new_context(**options))).new_page()


def patient(context: BrowserContext) -> BrowserContext:
    context.set_default_timeout(2 * PATIENCE_MS)
    return context


@pytest.fixture
def say(app: Any, reader: Reader) -> Callable[..., str]:
    """A sentence as the reader's pages say it. Fails for one that has no French."""

    def in_their_language(message: str, **values: object) -> str:
        with app.app_context(), force_locale(reader.language):
            # Some words are the same in both: what counts is that somebody gave them.
            known = reader.language == "en" or message in get_translations()._catalog
            said = gettext(message, **values)
        assert known, f"no French for {message!r}"
        return said

    return in_their_language


@pytest.fixture
def written(app: Any, reader: Reader) -> Callable[[date | Money], str]:
    """A day or an amount as the reader's pages write it."""

    def in_their_language(value: date | Money) -> str:
        with app.app_context(), force_locale(reader.language):
            return formatting.day(value) if isinstance(value, date) else formatting.money(value)

    return in_their_language


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
    from portal.worker import jobs, queue, wake

    # An error is a page here, as for everybody; the `app` fixture still fails the test for it.
    app.testing = False
    wake.register(app)
    worker = queue.embedded_consumer(threads=1)
    worker.start()
    with jobs.at_work():
        a_catalogue()
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="live-server")
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    thread.join()
    server.server_close()
    worker.stop(graceful=True)
    with jobs.at_work():
        assert broken_books() == {}


@pytest.fixture
def acme(live_server: str) -> Any:
    """A workspace on trial. Its owner is `owner`."""
    from portal.worker import jobs
    from tests.factories import a_person, a_workspace

    with jobs.at_work():
        return a_workspace("Acme", owner=a_person(language=None))


@pytest.fixture
def owner(acme: Any) -> Any:
    from portal.worker import jobs
    from tests.factories import owner_of

    with jobs.at_work():
        return owner_of(acme)


@pytest.fixture
def place(acme: Any, owner: Any) -> Any:
    """Acme as its owner sees it."""
    from portal.worker import jobs
    from tests.factories import seen_by

    with jobs.at_work():
        return seen_by(owner, acme)
