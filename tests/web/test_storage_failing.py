"""PostgreSQL without room, or gone in the middle of an act: 503 in words, and nothing is half written."""

import sqlite3

import peewee
import pytest

from portal.database.connecting import connection, database, storage_failed
from portal.models import AuditEntry, Order
from tests.attackers import Attacker
from tests.books import assert_books_clean
from tests.factories import a_workspace, owner_of
from tests.visiting import facts

pytestmark = pytest.mark.both_engines

FULL = "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'"
GONE = "PERFORM pg_terminate_backend(pg_backend_pid())"
PLAN = {"price": "business-5:month", "currency": "EUR", "confirmed": "y"}


def fail_at_the_end_of_an_act(how: str) -> None:
    """The audit log is the last that is written."""
    database.execute_sql(
        f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {how}; RETURN NEW; END $$"
    )
    database.execute_sql(
        "CREATE TRIGGER fails BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION fail()"
    )


@pytest.mark.engine("postgresql")
@pytest.mark.parametrize("how", [FULL, GONE], ids=["no room", "gone"])
def test_postgresql_that_fails_in_an_act_is_said_and_leaves_nothing_behind(app, caplog, how):
    with facts(app):
        owner = Attacker(app, owner_of(a_workspace()))
    assert owner.token
    try:
        with facts(app):
            before = (Order.select().count(), AuditEntry.select().count())
            fail_at_the_end_of_an_act(how)
        answer = owner.post("/w/acme/plans", PLAN)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        [line] = [record for record in caplog.records if record.name == "portal.web.errors"]
        assert line.exc_info is None
        assert line.args[0] in answer.text
        with facts(app):
            assert (Order.select().count(), AuditEntry.select().count()) == before
        assert owner.get("/w/acme/plans").status_code == 200
    finally:
        with app.app_context(), connection():
            database.execute_sql("DROP FUNCTION fail CASCADE")
    assert owner.post("/w/acme/plans", PLAN).status_code == 303
    with facts(app):
        assert_books_clean()


def raised(act):
    try:
        act()
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError("nothing was raised")


def of_sqlite(code):
    error = sqlite3.OperationalError("said by SQLite")
    error.sqlite_errorcode = code
    return error


def behind(first):
    """A rollback that fails in its turn."""
    try:
        raise first
    except sqlite3.OperationalError:
        raise peewee.OperationalError("cannot rollback - no transaction is active")  # noqa: B904


@pytest.mark.parametrize("code", [5, 8, 10, 11, 13, 14, 26, 10 | (3 << 8)])
def test_a_file_that_cannot_be_used_is_the_storage(code):
    assert storage_failed(of_sqlite(code))
    assert storage_failed(raised(lambda: behind(of_sqlite(code))))


@pytest.mark.parametrize("number", [28, 30, 5, 122])
def test_a_disk_that_refuses_is_the_storage(number):
    assert storage_failed(OSError(number, "no"))


@pytest.mark.engine("sqlite")
def test_a_mistake_of_ours_is_none_of_the_storage(database):
    assert not storage_failed(raised(lambda: database.execute_sql("SELECT nothing FROM nowhere")))
    assert not storage_failed(of_sqlite(1))
    assert not storage_failed(ValueError("x"))
    assert not storage_failed(FileNotFoundError(2, "no"))
    assert not storage_failed(peewee.IntegrityError("x"))


def test_a_connection_that_is_gone_is_the_storage():
    assert storage_failed(peewee.InterfaceError("the connection is closed"))
    assert storage_failed(peewee.OperationalError("terminating connection"))
