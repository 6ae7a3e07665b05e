"""The migrations make what models.py declares, on each engine, whoever runs them and however they end."""

import json
import re
import signal
import sqlite3
from datetime import UTC, date, datetime

import pytest
from peewee import IntegrityError, OperationalError, sort_models
from psycopg.types.json import Jsonb

from portal.database import connecting as portal_database
from portal.database import migrating
from portal.domain.money import Money
from portal.domain.vocabulary import RenewalDay
from portal.models import (
    ALL_MODELS,
    Allocation,
    BalanceEntry,
    CreditedLine,
    Invoice,
    LicenceKey,
    Order,
    OrderLine,
    Payment,
    Product,
    Subscription,
    SubscriptionPeriod,
    Workspace,
    table_names,
)
from portal.services.upkeep.books import ledger as ledger_books
from tests.books import assert_books_clean, broken_books
from tests.corruptions import a_past_of_everything
from tests.processes import exit_code_of, in_processes

pytestmark = pytest.mark.both_engines


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


def test_a_migration_takes_as_long_as_its_rows_need(database, engine):
    """A page that waits gives up after seconds."""
    asked = {
        "sqlite": ("PRAGMA busy_timeout", "PRAGMA foreign_keys"),
        "postgresql": ("SHOW statement_timeout", "SHOW lock_timeout"),
    }[engine]

    def limits():
        return [str(database.execute_sql(sql).fetchone()[0]) for sql in asked]

    of_pages = limits()
    with migrating._migration_lock():
        while_migrating = limits()
    assert limits() == of_pages
    assert (of_pages, while_migrating) == {
        "sqlite": (["5000", "1"], ["3600000", "0"]),
        "postgresql": (["30s", "5s"], ["0", "5s"]),
    }[engine]


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


@pytest.mark.engine("sqlite", "postgresql")
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


QUOTE = {"kind": "buy", "plan": "business-5", "plan_names": {}, "interval": "month", "price_id": 1,
         "currency": "EUR", "net_minor": 2800, "tax_minor": 560, "total_minor": 3360,
         "start_on": "2026-11-01", "base_end_on": "2026-12-01", "due_on": "2026-12-01", "anchor_day": 1,
         "tax": None, "extension": None}  # fmt: skip
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
                       "currency": "EUR", "method_kind": "card", "quote": json.dumps(QUOTE),
                       "quote_hash": "h",
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


def apply_until(last):
    """The pending migrations as far as `last`, a number such as "0009"."""
    database = portal_database.database
    if not portal_database.is_postgresql():
        database.execute_sql("PRAGMA foreign_keys = OFF")
    with database.atomic():
        database.execute_sql("CREATE TABLE IF NOT EXISTS schema_migration (name VARCHAR(200) PRIMARY KEY)")
        for name in migrating.pending_migrations():
            if name[:4] <= last:
                for statement in migrating.migration_files()[name].split("\n;\n"):
                    database.execute_sql(statement)
                database.execute_sql(f"INSERT INTO schema_migration VALUES ({database.param})", (name,))


def write(rows):
    """By table, one row or a list of them, as text and numbers."""
    database = portal_database.database
    with database.atomic():
        for table, found in rows.items():
            for row in found if isinstance(found, list) else [found]:
                columns = ", ".join(f'"{column}"' for column in row)
                values = ", ".join([database.param] * len(row))
                database.execute_sql(
                    f'INSERT INTO "{table}" ({columns}) VALUES ({values})', tuple(row.values())
                )


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

    on(empty_url, lambda: apply_until("0001"))
    on(empty_url, lambda: write(BEFORE_TIME_MOVED))
    on(empty_url, migrating.migrate)
    assert on(empty_url, read) == (
        date(2026, 12, 1), 3360, True, "abc", "acme", [], "office",
    )  # fmt: skip


ORDER = BEFORE_TIME_MOVED["purchase_order"]
RENEWED = {
    **QUOTE,
    "kind": "renewal",
    "start_on": "2026-12-01",
    "base_end_on": "2027-01-01",
    "due_on": "2027-01-01",
}
CHANGED = {**QUOTE, "kind": "change", "base_end_on": "2026-12-10", "due_on": "2026-12-24", "anchor_day": 24}
PERIOD = {"subscription_id": 1, "plan_id": 1, "price_id": 1, "net_minor": 2800, "currency": "EUR",
          "created_at": "2026-11-01 09:00:00"}  # fmt: skip
# Bought; renewed and paid back; renewed again; being changed.
BEFORE_LINES = {
    "subscription_period": [
        {**PERIOD, "id": 4, "start_on": "2026-10-01", "base_end_on": "2026-11-01", "end_on": "2026-11-01",
         "order_id": None, "price_id": None, "net_minor": 0, "currency": None},
        {**PERIOD, "id": 5, "order_id": 1, "start_on": "2026-11-01", "base_end_on": "2026-12-01",
         "end_on": "2026-12-01"},
        {**PERIOD, "id": 6, "order_id": 8, "start_on": "2026-12-01", "base_end_on": "2027-01-01",
         "end_on": "2027-01-01"},
    ],
    "purchase_order": [
        {**ORDER, "id": 7, "number": "back", "kind": "renewal", "state": "refunded", "subscription_id": 1,
         "renews_on": "2026-12-01", "quote": json.dumps(RENEWED), "quote_hash": "b"},
        {**ORDER, "id": 8, "number": "again", "kind": "renewal", "subscription_id": 1,
         "renews_on": "2026-12-01", "quote": json.dumps(RENEWED), "quote_hash": "a"},
        {**ORDER, "id": 9, "number": "open", "kind": "change", "state": "open", "paid_at": None,
         "quote": json.dumps(CHANGED), "quote_hash": "o"},
    ],
    "invoice": [{**BEFORE_TIME_MOVED["invoice"], "id": 2, "order_id": 7, "kind": "credit_note",
                 "credits_id": 1, "series": "CN-2026", "number": "CN-2026-000001",
                 "issued_at": "2026-12-02 10:00:00"}],
}  # fmt: skip


def test_an_order_from_before_lines_has_the_one_line_that_its_quote_says(empty_url):
    def read():
        lines = OrderLine.select(OrderLine, Order).join(Order).order_by(OrderLine.id)
        return [
            (
                line.order.number,
                line.kind,
                line.subscription_id,
                (line.plan_id, line.price_id, line.interval, line.quantity),
                (line.start_on, line.base_end_on, line.end_on, line.anchor_day),
                (line.net_minor, line.tax_minor, line.position),
                line.renews_on,
                line.refunded_at,
            )
            for line in lines
        ]

    on(empty_url, lambda: apply_until("0001"))
    on(empty_url, lambda: write(BEFORE_TIME_MOVED))
    on(empty_url, lambda: apply_until("0009"))
    before = {"purchase_order": BEFORE_LINES["purchase_order"]}
    on(empty_url, lambda: write({**before, **BEFORE_LINES}))
    on(empty_url, migrating.migrate)
    sold, amounts = (1, 1, "month", 1), (2800, 560, 1)
    november, december, january = date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1)
    paid_back_at = datetime(2026, 12, 2, 10, tzinfo=UTC)
    assert on(empty_url, read) == [
        ("abc", "buy", 1, sold, (november, december, december, 1), amounts, None, None),
        ("back", "renewal", 1, sold, (december, january, january, 1), amounts, december, paid_back_at),
        ("again", "renewal", 1, sold, (december, january, january, 1), amounts, december, None),
        (
            "open",
            "change",
            1,
            sold,
            (november, date(2026, 12, 10), date(2026, 12, 24), 24),
            amounts,
            None,
            None,
        ),
    ]
    paid_by = on(empty_url, lambda: [each.line and each.line.order.number for each in periods()])
    assert paid_by == [None, "abc", "again"]
    hashes = on(empty_url, lambda: [(each.quote_hash, each.quote["price_id"]) for each in orders()])
    assert hashes == [("h", 1), ("b", 1), ("a", 1), ("o", 1)]


def periods():
    return SubscriptionPeriod.select().order_by(SubscriptionPeriod.id)


def orders():
    return Order.select().order_by(Order.id)


def test_a_product_of_before_licences_had_keys_sells_as_it_did(empty_url):
    """0011 makes the table anew on SQLite: what is new says nothing until the file does."""

    def read():
        [product] = Product.select()
        return (
            (product.max_licences, product.trial_licences, product.licence_keys),
            (product.renewal_day, product.features),
            (product.code, product.trial_days, product.revision, product.withdrawn),
        )

    on(empty_url, lambda: apply_until("0001"))
    on(empty_url, lambda: write(BEFORE_TIME_MOVED))
    on(empty_url, migrating.migrate)
    assert on(empty_url, read) == ((None, 1, False), (RenewalDay.KEEP, []), ("office", 30, "r", False))


def test_a_subscription_of_before_cancellation_goes_on_as_it_did(empty_url):
    """0013 adds columns: nothing was cancelled, and no product was tried."""

    def read():
        [subscription] = Subscription.select()
        return (
            (subscription.trial_until, subscription.cancelled_at, subscription.scheduled_quantity),
            (subscription.due_on, subscription.renew_on, subscription.auto_renewal, subscription.quantity),
            [each.end_on for each in periods()],
        )

    on(empty_url, lambda: apply_until("0001"))
    on(empty_url, lambda: write(BEFORE_TIME_MOVED))
    on(empty_url, lambda: apply_until("0012"))
    [period] = [
        {**PERIOD, "id": 5, "start_on": "2026-11-01", "base_end_on": "2026-12-01", "end_on": "2026-12-01"}
    ]
    on(empty_url, lambda: write({"subscription_period": period}))
    on(empty_url, migrating.migrate)
    december = date(2026, 12, 1)
    assert on(empty_url, read) == ((None, None, None), (december, december, True, 1), [december])


def test_whoever_had_a_product_before_it_had_keys_is_looked_at_after_the_migration(empty_url):
    """0018 makes the table of keys, and lets the run give one to each subscription that misses it."""
    remote = {"id": 2, "code": "remote", "kind": "licensed", "change_policy": "prorate", "revision": "s"}
    again = {"id": 2, "slug": "gone", "name": "Gone", "customer_number": "C-000002"}
    before = BEFORE_TIME_MOVED
    more = {
        "product": before["product"] | remote,
        "plan": before["plan"] | {"id": 2, "product_id": 2, "code": "remote-licence"},
        "workspace": before["workspace"] | again,
        "subscription": [
            before["subscription"] | {"id": 2, "product_id": 2, "plan_id": 2},
            before["subscription"] | {"id": 3, "product_id": 2, "plan_id": 2, "workspace_id": 2},
        ],
    }

    def arrange():
        execute = portal_database.database.execute_sql
        execute('UPDATE "product" SET "licence_keys" = ("id" = 2)')
        execute('UPDATE "workspace" SET "deleted_at" = \'2026-11-20 09:00:00\' WHERE "id" = 2')
        execute('UPDATE "subscription" SET "look_at" = NULL')

    on(empty_url, lambda: apply_until("0001"))
    on(empty_url, lambda: write(before))
    on(empty_url, lambda: write(more))
    on(empty_url, lambda: apply_until("0016"))
    on(empty_url, arrange)
    on(empty_url, migrating.migrate)
    found = on(empty_url, lambda: [each.look_at for each in Subscription.select().order_by(Subscription.id)])
    assert found == [None, datetime(2026, 11, 1, 9, tzinfo=UTC), None]
    assert on(empty_url, lambda: LicenceKey.select().count()) == 0


def test_documents_of_before_credit_notes_named_lines_stay_and_may_be_credited_in_part(empty_url):
    """0014: the same rows and hashes; then an invoice may have two credit notes, but an order one invoice."""

    def issued():
        columns = (Invoice.id, Invoice.number, Invoice.credits, Invoice.facts, Invoice.facts_hash)
        return list(Invoice.select(*columns).order_by(Invoice.id).tuples())

    note = {**BEFORE_LINES["invoice"][0], "order_id": 1}
    on(empty_url, lambda: apply_until("0001"))
    on(empty_url, lambda: write(BEFORE_TIME_MOVED))
    on(empty_url, lambda: apply_until("0011"))
    on(empty_url, lambda: write({"invoice": note}))
    before = on(empty_url, issued)
    on(empty_url, migrating.migrate)
    assert on(empty_url, issued) == before
    assert on(empty_url, CreditedLine.select().count) == 0
    second = {**note, "id": 3, "sequence": 2, "number": "CN-2026-000002"}
    on(empty_url, lambda: write({"invoice": second}))
    assert len(on(empty_url, issued)) == 3
    another = {**BEFORE_TIME_MOVED["invoice"], "id": 4, "sequence": 2, "number": "INV-2026-000002"}
    with pytest.raises(IntegrityError):
        on(empty_url, lambda: write({"invoice": another}))


PAID_AT, BACK_AT = datetime(2026, 11, 1, 9, tzinfo=UTC), datetime(2026, 12, 2, 10, tzinfo=UTC)
FIRST_LINE = {"position": 1, "kind": "buy", "subscription_id": 1, "plan_id": 1, "price_id": 1,
              "interval": "month", "quantity": 1, "start_on": "2026-11-01", "base_end_on": "2026-12-01",
              "end_on": "2026-12-01", "anchor_day": 1, "net_minor": 2800, "tax_minor": 560}  # fmt: skip
PLACED = {key: value for key, value in ORDER.items() if key not in ("kind", "plan_id", "interval")}
ANSWER = BEFORE_TIME_MOVED["payment"]
ISSUED = BEFORE_TIME_MOVED["invoice"]
# Besides the first purchase: one paid back whose refund was refused first, one declined, one on its way.
BEFORE_THE_LEDGER = {
    "purchase_order": [
        {**PLACED, "id": 7, "number": "back", "state": "refunded", "paid_at": "2026-12-01 09:00:00"},
        {**PLACED, "id": 8, "number": "declined", "state": "open", "paid_at": None},
        {**PLACED, "id": 9, "number": "waits", "state": "placed", "paid_at": None},
    ],
    "order_line": [{**FIRST_LINE, "order_id": 7, "refunded_at": "2026-12-02 10:00:00"}],
    "payment": [
        {**ANSWER, "id": 7, "key": "k7", "order_id": 7, "currency": "USD", "may_work_later": False,
         "created_at": "2026-12-01 08:59:00"},
        {**ANSWER, "id": 8, "key": "k8", "order_id": 8, "state": "declined", "may_work_later": False},
        {**ANSWER, "id": 9, "key": "k9", "order_id": 9, "state": "unknown", "may_work_later": False},
    ],
    "invoice": [
        {**ISSUED, "id": 2, "order_id": 7, "sequence": 2, "number": "INV-2026-000002", "currency": "USD",
         "issued_at": "2026-12-01 09:00:00"},
        {**ISSUED, "id": 3, "order_id": 7, "kind": "credit_note", "credits_id": 2, "series": "CN-2026",
         "number": "CN-2026-000001", "currency": "USD", "issued_at": "2026-12-02 10:00:00"},
    ],
    "refund": [
        {"id": each, "key": f"r{each}", "workspace_id": 1, "payment_id": 7, "person_id": 1,
         "amount_minor": 3360, "currency": "USD", "state": state, "refusal_code": "", "reference": "",
         "tries": 0, "created_at": "2026-12-02 09:00:00"}
        for each, state in ((1, "refused"), (2, "succeeded"))
    ],
}  # fmt: skip


def test_what_was_issued_and_paid_before_the_ledger_has_its_entries(empty_url):
    def read():
        entries = [
            (
                entry.kind,
                entry.invoice_id or entry.payment_id or entry.refund_id,
                entry.workspace_id,
                entry.amount,
                entry.made_at,
            )
            for entry in BalanceEntry.select().order_by(BalanceEntry.id)
        ]
        allocations = [
            (each.entry.kind, each.invoice_id, each.refund_id, each.amount_minor)
            for each in Allocation.select(Allocation, BalanceEntry).join(BalanceEntry).order_by(Allocation.id)
        ]
        asked = [
            ledger_books.every_document_and_payment_has_its_entry,
            ledger_books.entries_repeat_their_cause,
            ledger_books.allocations_cover_no_more_than_both_sides,
            ledger_books.paid_invoices_are_allocated_in_full,
            ledger_books.refunds_are_allocated_in_full,
        ]
        return entries, allocations, [question() for question in asked]

    def euros(minor):
        return Money(minor, "EUR")

    def dollars(minor):
        return Money(minor, "USD")

    on(empty_url, lambda: apply_until("0001"))
    on(empty_url, lambda: write(BEFORE_TIME_MOVED))
    on(empty_url, lambda: apply_until("0011"))
    on(empty_url, lambda: write(BEFORE_THE_LEDGER))
    on(empty_url, migrating.migrate)
    entries, allocations, broken = on(empty_url, read)
    paid_again_at = datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert entries == [
        ("invoice", 1, 1, euros(-3360), PAID_AT),
        ("payment", 1, 1, euros(3360), PAID_AT),
        ("invoice", 2, 1, dollars(-3360), paid_again_at),
        ("payment", 7, 1, dollars(3360), paid_again_at),
        ("credit_note", 3, 1, dollars(3360), BACK_AT),
        ("refund", 2, 1, dollars(-3360), BACK_AT),
    ]
    assert allocations == [
        ("payment", 1, None, 3360),
        ("payment", 2, None, 3360),
        ("credit_note", None, 2, 3360),
    ]
    assert broken == [0] * 5


# --- a whole database of before -------------------------------------------------------------------

BEFORE_LICENCES = "0015"
"""The last schema that knew neither licences, a balance that pays, keys, requests nor refunds of lines."""


CALLED_SINCE = {"paid_at": "given_at"}
"""Columns that have another name by now."""


def every_row(columns_of=None):
    """By table, its columns and rows; `columns_of` chooses both, by table."""
    execute, found = portal_database.database.execute_sql, {}
    for table in table_names(sort_models(ALL_MODELS)):
        if columns_of is not None and table not in columns_of:
            continue
        columns = columns_of[table] if columns_of else columns_now(table)
        listed = ", ".join(f'"{column}"' for column in columns)
        # The tables are those of the models.
        rows = execute(f'SELECT {listed} FROM "{table}" ORDER BY "id"').fetchall()
        found[table] = [dict(zip(columns, row, strict=True)) for row in rows]
    return found


def by_todays_names(columns_of):
    return {
        table: [CALLED_SINCE.get(column, column) for column in columns]
        for table, columns in columns_of.items()
    }


def named_as_today(rows_of):
    return {
        table: [{CALLED_SINCE.get(name, name): value for name, value in row.items()} for row in rows]
        for table, rows in rows_of.items()
    }


def columns_now(table):
    return [column.name for column in portal_database.database.get_columns(table)]


def as_written(row):
    """What PostgreSQL reads as JSON it does not take as such."""
    return {name: Jsonb(value) if isinstance(value, dict | list) else value for name, value in row.items()}


def test_a_database_full_of_before_licences_keeps_every_row_and_its_books(runtime, clock, empty_url):
    """Sales with taxes of four kinds, a refund, credit notes of lines, a debit on its way: 0016 and later."""
    # Nothing of it came by transfer then.
    a_past_of_everything(clock, transfers=False)
    assert_books_clean()
    now_bound, everything = portal_database.database.obj, every_row()

    def fill():
        tables = set(portal_database.database.get_tables()) & everything.keys()
        columns_of = {table: columns_now(table) for table in tables}
        write(
            {
                table: [
                    as_written({name: row[CALLED_SINCE.get(name, name)] for name in columns_of[table]})
                    for row in rows
                ]
                for table, rows in everything.items()
                if table in tables
            }
        )
        return columns_of

    on(empty_url, lambda: apply_until(BEFORE_LICENCES))
    columns_of = on(empty_url, fill)
    before = on(empty_url, lambda: every_row(columns_of))
    migrated = on(empty_url, migrating.migrate)
    after = on(empty_url, lambda: every_row(by_todays_names(columns_of)))
    broken = on(empty_url, broken_books)
    portal_database.database.initialize(now_bound)
    assert migrated == [name for name in migrating.migration_files() if name[:4] > BEFORE_LICENCES]
    assert len(before["purchase_order"]) > 5 and before["refund"] and before["credited_line"]
    assert after == named_as_today(before)
    assert broken == {}
