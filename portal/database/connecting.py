"""The database behind one URL: pool, pragmas, `transaction()`, request hooks, migrations.

SQLite writes with BEGIN IMMEDIATE and synchronous=FULL; PostgreSQL takes explicit row locks.
Why both: docs/adr/0004-immediate-transactions-and-the-three-step-charge.md.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar
from zlib import crc32

from flask import Flask, g, request
from peewee import Database, DatabaseProxy, IntegrityError, OperationalError, PostgresqlDatabase
from playhouse.db_url import connect

if TYPE_CHECKING:
    from portal.models import Workspace

T = TypeVar("T")
Postponed = dict[Callable[[list[Any]], None], list[Any]]

database = DatabaseProxy()
_postponed: ContextVar[Postponed | None] = ContextVar("postponed", default=None)

WAIT_SECONDS = 5
SQLITE_PRAGMAS = {
    "synchronous": 2,
    "foreign_keys": 1,
    "busy_timeout": WAIT_SECONDS * 1000,
    "trusted_schema": 0,
    "cache_size": -16000,
    "temp_store": 2,
}
POSTGRESQL_OPTIONS = "-c lock_timeout=5s -c statement_timeout=30s -c idle_in_transaction_session_timeout=60s"


class SchemaOutdated(Exception):
    """The database lacks migrations of this version; the text names them and what to run."""


def make_database(url: str) -> Database:
    """A pooled Peewee database for a sqlite:/// or postgresql:// URL."""
    if url.startswith("sqlite:"):
        return connect(
            url.replace("sqlite:", "sqlite+pool:", 1),
            pragmas=SQLITE_PRAGMAS,
            lock_type="IMMEDIATE",
            check_same_thread=False,
            max_connections=40,
            stale_timeout=300,
            timeout=WAIT_SECONDS,
            autoconnect=False,
        )
    return connect(
        re.sub(r"^postgres(ql)?:", "psycopg3+pool:", url),
        options=POSTGRESQL_OPTIONS,
        max_connections=20,
        stale_timeout=300,
        timeout=5,
        autoconnect=False,
    )


def bind(url: str) -> Database:
    """Point the models at `url`."""
    real = make_database(url)
    database.initialize(real)
    return real


def is_postgresql() -> bool:
    return isinstance(database.obj, PostgresqlDatabase)


@contextmanager
def transaction(*, lock: "Workspace | None" = None) -> Iterator[None]:
    """Everything inside is written, or nothing.

    SQLite: BEGIN IMMEDIATE, one writer at a time. PostgreSQL: `lock` names the workspace whose
    row is locked first, so that two acts on one workspace run one after the other; lock order is
    workspace → subscription → invoice. Call it in services only, with no gateway, mail or HTTP
    call inside. What was postponed is written as its last act.
    """
    around = _postponed.get()
    with database.atomic():
        if lock is not None and is_postgresql():
            model = type(lock)
            model.select(model.id).where(model.id == lock.id).for_update().execute()
        mine: Postponed = {}
        token = _postponed.set(mine)
        try:
            yield
        finally:
            _postponed.reset(token)
        if around is None:
            _write(mine)
        else:
            # Only now: what a part postponed that failed was never asked for.
            for write, items in mine.items():
                around.setdefault(write, []).extend(items)


def postpone(write: Callable[[list[T]], None], item: T) -> None:
    """Let `write` have `item` and all others like it in one go, just before the transaction's commit.

    For rows that nobody reads before the commit; whoever does calls `write_postponed` first. Outside any
    `transaction()` it is written at once.
    """
    mine = _postponed.get()
    if mine is None:
        with transaction():
            write([item])
    else:
        mine.setdefault(write, []).append(item)


def write_postponed() -> None:
    """Write now what this transaction has postponed so far."""
    mine = _postponed.get()
    if mine is not None:
        _write(mine)
        mine.clear()


def _write(postponed: "Postponed") -> None:
    for write, items in postponed.items():
        write(items)


def hold(name: str) -> None:
    """One holder of `name` at a time, until this transaction ends; for what no row stands for.

    SQLite has a single writer anyway.
    """
    if is_postgresql():
        database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (crc32(name.encode()),))


@contextmanager
def connection() -> Iterator[None]:
    """A connection from the pool for the length of the block, kept if one is open already."""
    opened = database.connect(reuse_if_open=True)
    try:
        yield
    finally:
        if opened and not database.is_closed():
            database.close()


def register_request_hooks(app: Flask) -> None:
    """Take a connection when a request asks for one of our pages, and hand it back after."""

    @app.before_request
    def open_connection() -> None:
        if "database_fault" in g:
            raise g.database_fault
        if request.endpoint != "static":
            database.connect(reuse_if_open=True)

    @app.teardown_request
    def close_connection(error: BaseException | None) -> None:
        if not database.is_closed():
            database.close()


# --- migrations -------------------------------------------------------------------------------
# One file per change and engine, `NNNN_name.<engine>.sql`, statements separated by a line `;`.


def engine_name() -> str:
    return "postgresql" if is_postgresql() else "sqlite"


def migration_files() -> dict[str, str]:
    """Name of each migration for this engine and its SQL, in order."""
    suffix = f".{engine_name()}.sql"
    folder = resources.files("portal").joinpath("migrations")
    files = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(suffix))
    return {name.removesuffix(suffix): folder.joinpath(name).read_text() for name in files}


def applied_migrations() -> set[str]:
    if not database.table_exists("schema_migration"):
        return set()
    return {row[0] for row in database.execute_sql("SELECT name FROM schema_migration").fetchall()}


def pending_migrations() -> list[str]:
    applied = applied_migrations()
    return [name for name in migration_files() if name not in applied]


def migrate() -> list[str]:
    """Apply what is pending, each file in its own transaction; two processes never at once.

    Returns the names applied. Killed half-way, the file is not applied and the next run repeats it.
    """
    done = []
    with connection(), _migration_lock():
        for name, sql in migration_files().items():
            with database.atomic():
                database.execute_sql(
                    "CREATE TABLE IF NOT EXISTS schema_migration (name VARCHAR(200) PRIMARY KEY)"
                )
                # The lock is held from here on, so a process that waited for it sees our row.
                if name in applied_migrations():
                    continue
                for statement in sql.split("\n;\n"):
                    if statement.strip():
                        database.execute_sql(statement)
                _refuse_broken_references(name)
                insert = f"INSERT INTO schema_migration (name) VALUES ({database.param})"  # noqa: S608
                database.execute_sql(insert, (name,))
            done.append(name)
    return done


def _refuse_broken_references(name: str) -> None:
    if not is_postgresql():
        broken = database.execute_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise IntegrityError(f"{name}: {len(broken)} rows would refer to nothing")


@contextmanager
def _migration_lock() -> Iterator[None]:
    """PostgreSQL: an advisory lock that dies with the connection. SQLite: BEGIN IMMEDIATE serves.

    SQLite changes a table by making it anew, which its foreign keys must not hinder: they are off
    meanwhile, as its manual says, and every reference is checked before the commit.
    """
    if not is_postgresql():
        _switch_to_wal()
        database.execute_sql("PRAGMA foreign_keys = OFF")
        try:
            yield
        finally:
            database.execute_sql("PRAGMA foreign_keys = ON")
        return
    database.execute_sql("SELECT pg_advisory_lock(7067826501)")
    try:
        yield
    finally:
        database.execute_sql("SELECT pg_advisory_unlock(7067826501)")


def _switch_to_wal() -> None:
    """Readers and a writer never wait for each other. Kept in the file, so said once for each process.

    Unlike everything else the switch does not wait for its turn by itself.
    """
    if is_postgresql():
        return
    give_up_at = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            database.execute_sql("PRAGMA journal_mode = WAL")
            return
        except OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)


def require_current_schema() -> None:
    """Refuse to serve on a schema older than the code. Raises SchemaOutdated."""
    with connection():
        _switch_to_wal()
        pending = pending_migrations()
    if pending:
        raise SchemaOutdated(f"Run `portal migrate`: {', '.join(pending)} not applied.")
