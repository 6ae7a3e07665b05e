"""What every test is built on: a database on either engine, settings, a clock that stands still.

A test that takes `engine`, directly or through another fixture, runs once on SQLite and once on
PostgreSQL; if it is told of several cases, they take turns, so that it runs on both and each case once.
`@pytest.mark.engine("sqlite", "postgresql")` runs each case on both, as a race or a rule of the database
needs; `@pytest.mark.engine("sqlite")` chooses one; where nothing moves money or waits for a lock,
`@pytest.mark.either_engine` lets the two take turns without cases too. Pages in a browser are looked at on
SQLite alone unless the mark says otherwise. Each test has a database of its own, copied from a migrated
template, so that real commits happen in it.
"""

import gc
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import hypothesis
import pytest
from jinja2 import Undefined, UndefinedError
from jinja2.utils import missing

from tests.judges import MISSING as JUDGES_MISSING
from tests.matrix import FULL, taking_turns
from tests.pages import PageClient
from tests.postgres import PostgreSQL, ReusedDatabase
from tools.setup import postgresql_binaries

ENGINES = ("sqlite", "postgresql")
TODAY = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
LOOPBACK = ("127.", "::1", "localhost")
POSTGRESQL_MISSING = "PostgreSQL's programs (initdb, postgres) are not installed"
EXIM_MISSING = "exim4 is not installed, or the tests do not run as root"

# Whoever runs the tests may have settings of their own; no test reads them.
for _name in [name for name in os.environ if name.startswith("PORTAL_")]:
    del os.environ[_name]

# SQLite waits for the disk at every commit, so the files of tests are kept in memory where there is room.
MEMORY = Path("/dev/shm")
ROOM_BYTES = 1 << 30
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


# So many objects, where Python would look after 700.
GARBAGE = 20_000
MOST_PROCESSES = 4


# --- the run as a whole -------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "engine(*names): the database engines the test runs on, both by default"
    )
    config.addinivalue_line(
        "markers", "both_engines: what moves money or takes a lock; else one of both, whose turn it is"
    )
    config.addinivalue_line(
        "markers", "postgresql: set on each test that runs on PostgreSQL; -m 'not postgresql'"
    )
    config.addinivalue_line("markers", "settings(**variables): PORTAL_… variables of the test's settings")
    config.addinivalue_line("markers", "at_least(count): set by read_by: readers of a story in each run")
    config.addinivalue_line("markers", "nothing_on_sale: the database has no catalogue, even with an app")
    config.addinivalue_line("markers", "faults_expected: the application may answer 500 in this test")
    if getattr(config.option, "lf", False) and config.option.tracing == "off":
        # To record what the browser sees takes a quarter of its time, so it is done where a test had failed.
        config.option.tracing = "retain-on-failure"
    # One run is like another, on every machine; FULL=1 looks for cases that nobody has thought of.
    hypothesis.settings.register_profile(
        "each_run_alike",
        derandomize=not FULL,
        database=None,
        # How long a case takes says how busy the machine is.
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("each_run_alike")
    sys.addaudithook(refuse_other_machines)
    if os.environ.get("CI") == "true" and postgresql_binaries() is None:
        raise pytest.UsageError(f"{POSTGRESQL_MISSING}: with CI=true its tests may not be skipped.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("engine")
    everywhere = ENGINES[:1] if "live_server" in metafunc.fixturenames else ENGINES
    chosen = marker.args if marker else everywhere
    metafunc.parametrize(
        "engine",
        [pytest.param(name, marks=pytest.mark.postgresql if name == "postgresql" else ()) for name in chosen],
        indirect=True,
    )


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: each waits for a while, for a browser, a server or another process."""
    return min((os.cpu_count() or 1) + 1, MOST_PROCESSES)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays to the end: the garbage collector looks at what tests make, and not at that."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE, 10, 10)
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no process is alone with it in the end."""
    left = of_the_other_engine(items)
    if left:
        config.hook.pytest_deselected(items=[item for item in items if item in left])
        items[:] = [item for item in items if item not in left]
    places = {name: place for place, name in enumerate(longest_tests())}
    items.sort(key=lambda item: places.get(item.nodeid.partition("[")[0], len(places)))


def of_the_other_engine(items: list[pytest.Item]) -> set[pytest.Item]:
    """The tests whose engine's turn it is not. One asked for by its engine has it, and one that names both.

    The cases of a test take turns; tests without cases too, unless they are marked `both_engines`.
    """
    cases_of: dict[str, dict[str, list[pytest.Item]]] = {}
    for item in items:
        engine = item.callspec.params.get("engine") if hasattr(item, "callspec") else None
        if engine is not None and item.get_closest_marker("engine") is None:
            cases = cases_of.setdefault(item.nodeid.partition("[")[0], {})
            cases.setdefault(item.nodeid.replace(engine, ""), []).append(item)
    left = set()
    for test, cases in cases_of.items():
        [first, *others] = cases.values()
        if others or not first[0].get_closest_marker("both_engines"):
            for turn, on_each in enumerate(cases.values(), crc32(test.encode())):
                left |= {*on_each} - {*taking_turns(on_each, turn)}
    return left


def longest_tests() -> list[str]:
    """By `pytest --durations=60`, the longest first: write it anew when a run ends with one process alone."""
    return (Path(__file__).parent / "longest.txt").read_text().split()


NEEDED_BY_TESTS = (
    ("PostgreSQL", POSTGRESQL_MISSING),
    ("exim", EXIM_MISSING),
    ("E-invoices by others", JUDGES_MISSING),
)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for name, reason in NEEDED_BY_TESTS:
        skipped = [
            report for report in terminalreporter.getreports("skipped") if reason in str(report.longrepr)
        ]
        if skipped:
            terminalreporter.write_sep("!", f"{name} NOT TESTED", red=True, bold=True)
            terminalreporter.write_line(f"{len(skipped)} tests were skipped: {reason}.", red=True)


def refuse_other_machines(event: str, arguments: tuple[Any, ...]) -> None:
    """Fail a test that looks up or connects to anything but this machine (an audit hook)."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        host = arguments[1][0] if isinstance(arguments[1], tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if host and not str(host).startswith(LOOPBACK):
        raise RuntimeError(f"tests stay on this machine, and this one asked for {host!r} ({event})")


# --- databases ----------------------------------------------------------------------------------


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """`sqlite` or `postgresql`."""
    return request.param


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """The server of this test process; skips, loudly, where PostgreSQL is not installed."""
    binaries = postgresql_binaries()
    if binaries is None:
        pytest.skip(POSTGRESQL_MISSING)
    server = PostgreSQL(binaries)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "migrated.sqlite"
    migrate_at(f"sqlite:///{path}")
    return path


def migrate_at(url: str) -> None:
    """Bring the database at `url` to the newest schema and let go of it."""
    from portal.database import connecting as database
    from portal.database import migrating

    bound = database.bind(url)
    migrating.migrate()
    bound.close_all()


@pytest.fixture(scope="session")
def postgresql_migrated(postgresql: PostgreSQL, shared: dict[str, Any]) -> Iterator[ReusedDatabase]:
    """A migrated PostgreSQL database, empty again after each test."""
    with reused_database(postgresql, shared, fill=migrate_at) as reused:
        yield reused


@pytest.fixture
def database_url(engine, tmp_path, request) -> Iterator[str]:
    """The address of a fresh, migrated database that only this test knows.

    It is empty; but a test with a `runtime` or an `app` finds the demo catalogue applied, which takes long,
    unless it is marked `nothing_on_sale`.
    """
    on_sale = {"runtime", "app"} & {*request.fixturenames}
    on_sale = on_sale and request.node.get_closest_marker("nothing_on_sale") is None
    if engine == "sqlite":
        path = tmp_path / "portal.sqlite"
        shutil.copy(request.getfixturevalue("sqlite_shop" if on_sale else "sqlite_template"), path)
        yield f"sqlite:///{path}"
    elif on_sale:
        shop = request.getfixturevalue("postgresql_shop")
        yield shop.url
        shop.tidy_up()
    else:
        empty = request.getfixturevalue("postgresql_migrated")
        yield empty.url
        empty.tidy_up()


@pytest.fixture(scope="session")
def postgresql_shop(postgresql: PostgreSQL, shared: dict[str, Any]) -> Iterator[ReusedDatabase]:
    """As it is with the demo catalogue on sale."""
    with reused_database(postgresql, shared, fill=fill_shop_at) as reused:
        yield reused


@contextmanager
def reused_database(
    server: PostgreSQL, shared: dict[str, Any], *, fill: Callable[[str], None]
) -> Iterator[ReusedDatabase]:
    from portal.database.connecting import make_database
    from portal.models import table_names

    url = server.create_database()
    fill(url)
    reused = ReusedDatabase(url, table_names())
    shared[url] = make_database(url)
    yield reused
    shared.pop(url).close_all()
    reused.close()
    server.drop_database(url)


@pytest.fixture(scope="session", autouse=True)
def shared() -> Iterator[dict[str, Any]]:
    """The PostgreSQL databases that tests use one after another, by URL; their connections outlive a test.

    A new connection reads the server's catalogue anew, which takes longer than the queries of most tests.
    """
    from portal.database import connecting

    known: dict[str, Any] = {}
    make = connecting.make_database
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connecting, "make_database", lambda url: known.get(url) or make(url))
        yield known


def let_go(bound: Any, shared: dict[str, Any]) -> None:
    """After a test: close its connections, or lay those that the next one will use back."""
    bound.close()
    # A thread that has ended may have kept one.
    if bound not in shared.values() or bound._in_use:
        bound.close_all()


@pytest.fixture(scope="session")
def sqlite_shop(sqlite_template, tmp_path_factory) -> Path:
    """A migrated SQLite file with the demo catalogue, to be copied."""
    path = tmp_path_factory.mktemp("template") / "for-sale.sqlite"
    shutil.copy(sqlite_template, path)
    fill_shop_at(f"sqlite:///{path}")
    return path


def fill_shop_at(url: str) -> None:
    migrate_at(url)
    from portal import runtime
    from portal.clock import FixedClock
    from portal.database import connecting
    from portal.settings import read_settings
    from tests.factories import a_catalogue

    settings = read_settings({"PORTAL_DATABASE_URL": url, "PORTAL_SECRET_KEY": "only-for-tests-" * 4})
    bound = connecting.bind(url)
    runtime.install(runtime.Runtime(settings, FixedClock(TODAY), {}))
    with connecting.connection():
        a_catalogue()
    bound.close_all()


@pytest.fixture
def database(database_url: str, shared: dict[str, Any]) -> Iterator[Any]:
    """The models bound to the fresh database, connected, for tests that need no application."""
    from portal.database import connecting as portal_database

    bound = portal_database.bind(database_url)
    with portal_database.connection():
        yield bound
    let_go(bound, shared)


@pytest.fixture
def runtime(database, settings, clock):
    """An installed runtime with the sandbox on a ledger of its own, and the demo catalogue on sale."""
    from portal import runtime as portal_runtime
    from tests.paying import make_runtime

    installed = make_runtime(settings, clock)
    portal_runtime.install(installed)
    return installed


@pytest.fixture
def place(runtime):
    """The workspace Acme on the first day of its trial, as its owner sees it."""
    from tests.paying import a_place

    return a_place()


# --- the application ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a template is kept that was compiled once, for every site and every command of the run."""
    of_this_process = tmp_path_factory.getbasetemp()
    whole_run = of_this_process.parent if "PYTEST_XDIST_WORKER" in os.environ else of_this_process
    folder = whole_run / "compiled"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[dict[str, Any]]:
    """Hashes that are made in no time, and a list of common passwords that is read once.

    `real_passwords` has them as they are.
    """
    from argon2 import PasswordHasher

    from portal.services.people import passwords

    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    of_tests = {
        "_hasher": quick,
        "HASH_OF_NOBODY": quick.hash("nobody knows"),
        "_common_passwords": cache(passwords._common_passwords),
    }
    real = {name: getattr(passwords, name) for name in of_tests}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in of_tests.items():
            patch.setattr(passwords, name, value)
        yield real


@pytest.fixture
def real_passwords(quick_passwords: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords are hashed in this test as they are for people."""
    from portal.services.people import passwords

    for name, value in quick_passwords.items():
        monkeypatch.setattr(passwords, name, value)


@pytest.fixture
def environment(
    database_url: str, tmp_path: Path, compiled_templates: Path, request: pytest.FixtureRequest
) -> dict[str, str]:
    """The PORTAL_… variables of this test; `@pytest.mark.settings(PORTAL_LIMITS="1")` adds to them."""
    (tmp_path / "templates").symlink_to(compiled_templates)
    variables = {
        "PORTAL_DATABASE_URL": database_url,
        "PORTAL_QUEUE_URL": f"sqlite:///{tmp_path / 'queue.sqlite'}",
        "PORTAL_DATA_DIR": str(tmp_path),
        "PORTAL_SECRET_KEY": "only-for-tests-" * 4,
        # Requests take turns by the wall clock, which stands still here.
        "PORTAL_GATEWAY_RATE": "1000000",
    }
    for marker in reversed(list(request.node.iter_markers("settings"))):
        variables |= marker.kwargs
    return variables


@pytest.fixture
def settings(environment: dict[str, str]) -> Any:
    from portal.settings import read_settings

    return read_settings(environment)


@pytest.fixture
def clock() -> Any:
    """Saturday 21 November 2026, 9:00 UTC, until the test says `clock.advance(days=31)`."""
    from portal.clock import FixedClock

    return FixedClock(TODAY)


@pytest.fixture(scope="session")
def bare_site() -> Any:
    """The templates and languages of the application without a page. Its letters are compiled once."""
    from flask import Flask

    from portal.words import i18n

    bare = Flask("portal")
    i18n.register(bare)
    return bare


@pytest.fixture
def at_work(settings: Any, clock: Any, database: Any, bare_site: Any) -> Iterator[Any]:
    """The settings of a worker: letters can be written, and there is no request anywhere."""
    from portal import runtime

    runtime.install(runtime.Runtime(settings, clock, {}))
    with bare_site.app_context():
        yield settings


@pytest.fixture(scope="session")
def sites() -> dict[Any, Any]:
    """The sites of this test process by what they are made from: to make one takes longer than most tests."""
    return {}


def kind_of_site(settings: Any) -> Any:
    """The settings without what a site finds anew for each request."""
    scheme = settings.base_url.partition("://")[0]
    nowhere = Path()
    return replace(
        settings, database_url="", queue_url="", data_dir=nowhere, clock_file=nowhere, base_url=scheme
    )


class EntryOfAPage(Undefined):
    """A template that asks an object of ours for what it lacks is wrong: it would print nothing, unseen."""

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: str | None = None, *rest: Any
    ) -> None:
        if is_dataclass(obj):
            raise UndefinedError(f"{type(obj).__name__} has no {name}")
        super().__init__(hint, obj, name, *rest)


@pytest.fixture
def app(
    settings: Any, clock: Any, sites: dict[Any, Any], shared: dict[str, Any], request: pytest.FixtureRequest
) -> Iterator[Any]:
    """The application on a fresh database. A fault that became an error page fails the test."""
    from portal import make_site, run_with
    from portal.database.connecting import database
    from portal.worker import wake

    faults = Faults()
    logger = logging.getLogger("portal")
    logger.addHandler(faults)
    run_with(settings, clock)
    kind = kind_of_site(settings)
    application = sites.get(kind) or sites.setdefault(kind, make_site(settings))
    # Its tasks: another site may have been made since.
    wake.register(application)
    application.testing = True
    application.jinja_env.undefined = EntryOfAPage
    application.test_client_class = PageClient
    yield application
    logger.removeHandler(faults)
    let_go(database.obj, shared)
    if faults.texts and request.node.get_closest_marker("faults_expected") is None:
        pytest.fail("The application had a fault:\n" + "\n".join(faults.texts), pytrace=False)


@pytest.fixture
def client(app: Any) -> Any:
    """A browser without a session. Forms need the CSRF token of their page, as in real life."""
    return app.test_client()


class Faults(logging.Handler):
    """Keeps the traceback of every exception that the application logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.texts.append(logging.Formatter().format(record))
