"""What the fixtures promise: a fresh database for each test, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tools.setup import postgresql_binaries

KEEPS_A_SERVER = """
import time
from pathlib import Path
from tests.postgres import PostgreSQL
server = PostgreSQL(Path({binaries!r}))
print(server.create_database(), flush=True)
time.sleep(60)
"""


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize("turn", ["first", "second"])
def test_a_test_finds_its_database_migrated_and_empty(database, turn: str) -> None:
    """Whatever the other turn wrote is not here."""
    assert database.execute_sql("SELECT count(*) FROM schema_migration").fetchone()[0] > 0
    assert database.execute_sql("SELECT count(*) FROM limit_bucket").fetchone()[0] == 0
    from portal.models import LimitBucket
    from tests.conftest import TODAY

    LimitBucket.create(key=turn, tries=1, ends_at=TODAY)


@pytest.mark.parametrize(
    "left",
    [
        "INSERT INTO limit_bucket (key, tries, ends_at) VALUES ('left', 1, now())",
        "UPDATE product SET code = code || '-changed'",
        "DELETE FROM price",
        "SELECT nextval(pg_get_serial_sequence('person', 'id'))",
        "CREATE TABLE stray AS SELECT 1",
    ],
    ids=["a row", "a change", "rows gone", "a number taken", "a table"],
)
def test_whatever_a_test_left_in_a_shop_is_tidied_up(postgresql_shop, left: str) -> None:
    before = contents(postgresql_shop.url)
    for _turn in ("first", "second"):
        with psycopg.connect(postgresql_shop.url) as connection:
            connection.execute(left)
        assert contents(postgresql_shop.url) != before
        postgresql_shop.tidy_up()
        assert contents(postgresql_shop.url) == before


def test_whoever_a_test_left_connected_is_cut_off(postgresql_shop) -> None:
    with psycopg.connect(postgresql_shop.url) as connection:
        connection.execute("SELECT * FROM plan FOR UPDATE")
        postgresql_shop.tidy_up()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def contents(url: str) -> dict[str, object]:
    """Every row of every table, and where the numbers of rows stand."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = {name: sorted(map(str, connection.execute(f'SELECT * FROM "{name}"'))) for (name,) in tables}
        numbers = connection.execute("SELECT sequencename, last_value FROM pg_sequences").fetchall()
    return {**rows, "numbers": sorted(map(str, numbers))}


@pytest.mark.skipif(postgresql_binaries() is None, reason="PostgreSQL is not installed")
def test_a_killed_test_run_leaves_no_server_behind() -> None:
    script = KEEPS_A_SERVER.format(binaries=str(postgresql_binaries()))
    root = Path(__file__).resolve().parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment
    ) as run:
        url = run.stdout.readline().strip()
        psycopg.connect(url).close()
        run.send_signal(signal.SIGKILL)
    give_up_at = time.monotonic() + 10
    while time.monotonic() < give_up_at:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if "refused" in str(error):
                return
        time.sleep(0.05)
    pytest.fail("the server still answers")


def test_tests_stay_on_this_machine() -> None:
    import socket

    with pytest.raises(RuntimeError, match="stay on this machine"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(RuntimeError, match="stay on this machine"):
        socket.getaddrinfo("example.org", 443)
