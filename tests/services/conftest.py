"""What tests of services that move money start from."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal import runtime as portal_runtime
from portal.clock import FixedClock
from portal.database import connecting as portal_database
from portal.models import table_names
from portal.settings import read_settings
from tests.conftest import TODAY, migrate_at
from tests.factories import a_catalogue
from tests.paying import a_place, make_runtime
from tests.postgres import ReusedDatabase


@pytest.fixture
def database_url(engine, tmp_path, request) -> Iterator[str]:
    """As everywhere; a test with a `runtime` finds the demo catalogue applied, which takes a while."""
    on_sale = "runtime" in request.fixturenames
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
def postgresql_shop(postgresql) -> Iterator[ReusedDatabase]:
    url = postgresql.create_database()
    fill_shop_at(url)
    yield ReusedDatabase(url, table_names())
    postgresql.drop_database(url)


@pytest.fixture(scope="session")
def sqlite_shop(sqlite_template, tmp_path_factory) -> Path:
    """A migrated SQLite file with the demo catalogue, to be copied."""
    path = tmp_path_factory.mktemp("template") / "for-sale.sqlite"
    shutil.copy(sqlite_template, path)
    fill_shop_at(f"sqlite:///{path}")
    return path


def fill_shop_at(url: str) -> None:
    migrate_at(url)
    settings = read_settings({"PORTAL_DATABASE_URL": url, "PORTAL_SECRET_KEY": "only-for-tests-" * 4})
    bound = portal_database.bind(url)
    portal_runtime.install(portal_runtime.Runtime(settings, FixedClock(TODAY), {}))
    with portal_database.connection():
        a_catalogue()
    bound.close_all()


@pytest.fixture
def runtime(database, settings, clock):
    """An installed runtime with the sandbox on a ledger of its own, and the demo catalogue on sale."""
    installed = make_runtime(settings, clock)
    portal_runtime.install(installed)
    return installed


@pytest.fixture
def place(runtime):
    """The workspace Acme on the first day of its trial, as its owner sees it."""
    return a_place()
