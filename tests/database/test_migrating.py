"""The migrations make what models.py declares, on each engine, whoever runs them and however they end."""

import re
import signal
import sqlite3
from datetime import date

import pytest
from peewee import OperationalError

from portal.database import connecting as portal_database
from portal.database import migrating
from portal.domain.vocabulary import RenewalDay
from portal.models import ALL_MODELS, Invoice, Payment, Product, Subscription, Workspace
from tests.processes import exit_code_of, in_processes


@pytest.fixture
def empty_url(engine, tmp_path, request):
    """The address of a database without a table."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite'}"
        return
    server = request.getfixturevalue("postgresql")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def empty_environment(empty_url, tmp_path):
    return {
        "PORTAL_DATABASE_URL": empty_url,
        "PORTAL_DATA_DIR": str(tmp_path),
        "PORTAL_SECRET_KEY": "only-for-tests-" * 4,
    }


def on(url, act):
    """What `act` returns on a database of its own; the models stay bound to it."""
    bound = portal_database.bind(url)
    try:
        with portal_database.connection():
            return act()
    finally:
        bound.close_all()


def listing():
    """Every column, constraint and index, as the engine itself tells it."""
    rows = postgresql_listing() if portal_database.is_postgresql() else sqlite_listing()
    return sorted(row for row in rows if "schema_migration" not in row)


def sqlite_listing():
    query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    for (sql,) in portal_database.database.execute_sql(query).fetchall():
        plain = re.sub(r"\s+", " ", sql.replace("IF NOT EXISTS ", ""))
        yield re.sub(r" ?([(),]) ?", r"\1", plain)


def postgresql_listing():
    queries = [
        """SELECT 'column', table_name, column_name, data_type, character_maximum_length, is_nullable,
                  column_default, is_identity
           FROM information_schema.columns WHERE table_schema = 'public'""",
        # Without its name: of two that would be named alike, the later one is numbered.
        """SELECT 'constraint', conrelid::regclass, contype, pg_get_constraintdef(oid)
           FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
        "SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'",
    ]
    for query in queries:
        for row in portal_database.database.execute_sql(query).fetchall():
            yield " ".join(map(str, row))


def test_the_migrations_make_what_the_models_declare(database_url, empty_url):
    migrated = on(database_url, listing)
    declared = on(empty_url, lambda: portal_database.database.create_tables(ALL_MODELS) or listing())
    assert migrated == declared
    assert len(migrated) > len(ALL_MODELS)


def test_no_migration_is_pending(database):
    assert migrating.pending_migrations() == []
    migrating.require_current_schema()
    assert migrating.migrate() == []


def test_an_old_schema_is_not_served(empty_url):
    with pytest.raises(migrating.SchemaOutdated, match=r"portal migrate.*0001_initial"):
        on(empty_url, migrating.require_current_schema)


def test_four_processes_migrating_at_once_apply_each_migration_once(
    empty_url, empty_environment, database_url
):
    script = "from portal.database import migrating\nprint(json.dumps(migrating.migrate()))"
    applied = in_processes(4, script, empty_environment)
    names = on(empty_url, lambda: sorted(migrating.migration_files()))
    assert sorted(name for each in applied for name in each) == names
    assert on(empty_url, listing) == on(database_url, listing)


KILLED = """
import os, signal
from portal.database import migrating
execute, seen = database.database.obj.execute_sql, 0
def execute_and_die(sql, params=None):
    global seen
    seen += sql.lstrip().startswith("CREATE")
    if seen == facts["statement"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(sql, params)
database.database.obj.execute_sql = execute_and_die
migrating.migrate()
"""


@pytest.mark.parametrize("statement", [2, 9, 40])
def test_killed_in_the_middle_of_a_migration_the_next_run_succeeds(
    empty_url, empty_environment, database_url, statement
):
    assert exit_code_of(KILLED, empty_environment, statement=statement) == -signal.SIGKILL
    with pytest.raises(migrating.SchemaOutdated):
        on(empty_url, migrating.require_current_schema)
    on(empty_url, migrating.migrate)
    assert on(empty_url, listing) == on(database_url, listing)


@pytest.mark.engine("sqlite")
def test_sqlite_waits_for_every_commit_to_reach_the_disk(database):
    """trust.md §5.6; what the pragmas say on a connection of the pool."""
    pragmas = {
        name: database.execute_sql(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "trusted_schema")
    }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "trusted_schema": 0,
    }


@pytest.mark.engine("sqlite")
def test_a_transaction_on_sqlite_takes_the_write_lock_at_once(database, database_url):
    """trust.md §0, fact 1: a deferred one would fail at its first write, after it has read."""
    other = sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)
    with portal_database.transaction(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.close()


@pytest.mark.engine("postgresql")
def test_postgresql_gives_up_waiting_in_time(database):
    shown = {
        name: database.execute_sql(f"SHOW {name}").fetchone()[0]
        for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    }
    assert shown == {
        "lock_timeout": "5s",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
    }
    with pytest.raises(OperationalError, match="statement timeout"), database.atomic():
        database.execute_sql("SET LOCAL statement_timeout = '20ms'")
        database.execute_sql("SELECT pg_sleep(5)")


BEFORE_TIME_MOVED = {
    "product": {"id": 1, "code": "office", "names": "{}", "kind": "workspace_plan", "change_policy": "extend",
                "trial_days": 30, "bank_transfer": False, "position": 1, "withdrawn": False, "revision": "r"},
    "plan": {"id": 1, "product_id": 1, "code": "business-5", "names": "{}", "position": 1, "hidden": False,
             "free": False, "trial": False, "nonprofit": False, "guests_per_user": 2, "services": "[]",
             "withdrawn": False},
    "price": {"id": 1, "plan_id": 1, "interval": "month", "currency": "EUR", "unit": "flat",
              "amount_minor": 2800, "valid_from": "2026-01-01"},
    "person": {"id": 1, "email": "jeanne@acme.test", "name": "Jeanne", "is_operator": False,
               "skips_buy_dialog": False, "created_at": "2026-11-01 09:00:00"},
    "workspace": {"id": 1, "slug": "acme", "name": "Acme", "customer_number": "C-000001",
                  "time_zone": "Europe/Paris", "language": "fr", "currency": "EUR",
                  "who_may_buy": "any_member",
                  "hides_plans_from_members": False, "used_storage_bytes": 0,
                  "created_at": "2026-11-01 09:00:00"},
    "payment_method": {"id": 1, "workspace_id": 1, "added_by_id": 1, "gateway": "sandbox", "reference": "m1",
                       "kind": "card", "brand": "visa", "last4": "4242", "holder": "Jeanne",
                       "is_preferred": True, "created_at": "2026-11-01 09:00:00"},
    "subscription": {"id": 1, "workspace_id": 1, "product_id": 1, "plan_id": 1, "price_id": 1, "quantity": 1,
                     "started_on": "2026-11-01", "due_on": "2026-12-01", "anchor_day": 1,
                     "auto_renewal": True, "payment_method_id": 1, "version": 2,
                     "created_at": "2026-11-01 09:00:00"},
    "purchase_order": {"id": 1, "number": "abc", "workspace_id": 1, "person_id": 1, "kind": "buy",
                       "state": "paid", "plan_id": 1, "interval": "month", "display_currency": "EUR",
                       "currency": "EUR", "method_kind": "card", "quote": "{}", "quote_hash": "h",
                       "net_minor": 2800, "tax_minor": 560, "total_minor": 3360, "auto_renewal": True,
                       "created_at": "2026-11-01 09:00:00", "paid_at": "2026-11-01 09:00:00"},
    "payment": {"id": 1, "key": "k", "workspace_id": 1, "order_id": 1, "gateway": "sandbox",
                "amount_minor": 3360, "currency": "EUR", "state": "succeeded", "decline_code": "",
                "reference": "c1", "action_url": "", "method_kind": "card", "brand": "visa", "last4": "4242",
                "payer_name": "Jeanne", "payer_email": "jeanne@acme.test", "look_ups": 0,
                "created_at": "2026-11-01 09:00:00"},
    "invoice": {"id": 1, "workspace_id": 1, "order_id": 1, "kind": "invoice", "series": "INV-2026",
                "sequence": 1, "number": "INV-2026-000001", "issued_on": "2026-11-01",
                "issued_at": "2026-11-01 09:00:00", "currency": "EUR", "net_minor": 2800, "tax_minor": 560,
                "total_minor": 3360, "facts": "{}", "facts_hash": "h"},
}  # fmt: skip


def apply_first_migration():
    database = portal_database.database
    name, sql = next(iter(migrating.migration_files().items()))
    with database.atomic():
        for statement in sql.split("\n;\n"):
            database.execute_sql(statement)
        database.execute_sql("CREATE TABLE schema_migration (name VARCHAR(200) PRIMARY KEY)")
        database.execute_sql(f"INSERT INTO schema_migration VALUES ({database.param})", (name,))
        for table, row in BEFORE_TIME_MOVED.items():
            columns = ", ".join(f'"{column}"' for column in row)
            values = ", ".join([database.param] * len(row))
            database.execute_sql(f'INSERT INTO "{table}" ({columns}) VALUES ({values})', tuple(row.values()))


def test_what_was_bought_before_time_moved_renews_after_the_migration(empty_url):
    """0002 makes tables anew on SQLite: nothing is lost, and a running agreement knows its next charge."""

    def read():
        [subscription] = Subscription.select()
        return (
            subscription.renew_on,
            subscription.announced_minor,
            subscription.look_at is not None,
            Payment.get().order.number,
            Invoice.get().workspace.slug,
            Workspace.get().services,
            Subscription.get().product.code,
        )

    on(empty_url, apply_first_migration)
    on(empty_url, migrating.migrate)
    assert on(empty_url, read) == (
        date(2026, 12, 1), 3360, True, "abc", "acme", [], "office",
    )  # fmt: skip


def test_a_product_of_before_licences_had_keys_sells_as_it_did(empty_url):
    """0011 makes the table anew on SQLite: what is new says nothing until the file does."""

    def read():
        [product] = Product.select()
        return (
            (product.max_licences, product.trial_licences, product.licence_keys),
            (product.renewal_day, product.features),
            (product.code, product.trial_days, product.revision, product.withdrawn),
        )

    on(empty_url, apply_first_migration)
    on(empty_url, migrating.migrate)
    assert on(empty_url, read) == ((None, 1, False), (RenewalDay.KEEP, []), ("office", 30, "r", False))
