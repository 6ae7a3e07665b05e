"""What tests of services that move money start from."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from portal import database as portal_database
from portal import runtime as portal_runtime
from portal.clock import FixedClock
from portal.models import table_names
from portal.settings import read_settings
from tests.conftest import TODAY, migrate_at
from tests.factories import a_catalogue
from tests.paying import a_place, make_runtime


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
        server = request.getfixturevalue("postgresql")
        url = server.create_database(server.template_database("migrated", migrate_at))
        yield url
        server.drop_database(url)


@pytest.fixture(scope="session")
def postgresql_shop(postgresql) -> "Iterator[PostgresqlShop]":
    url = postgresql.create_database()
    fill_shop_at(url)
    yield PostgresqlShop(url)
    postgresql.drop_database(url)


class PostgresqlShop:
    """One database for all these tests: to copy one takes PostgreSQL ten times as long as to tidy it up."""

    tables = tuple(f'"{name}"' for name in table_names())

    def __init__(self, url: str) -> None:
        self.url = url
        with psycopg.connect(url) as connection:
            connection.execute("CREATE SCHEMA kept")
            for table in self.tables:
                connection.execute(f"CREATE TABLE kept.{table} AS TABLE public.{table}")

    def tidy_up(self) -> None:
        """Every row as it was, and every sequence; whoever a test left connected is cut off."""
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            for table in reversed(self.tables):
                connection.execute(f"DELETE FROM {table}")
            for table in self.tables:
                connection.execute(f"INSERT INTO {table} SELECT * FROM kept.{table}")
                connection.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'),"
                    f" coalesce(max(id), 0) + 1, false) FROM {table}"
                )


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
