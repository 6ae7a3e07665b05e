"""The database behind one URL: pool, pragmas, `transaction()`, request hooks, migrations.

SQLite writes with BEGIN IMMEDIATE and synchronous=FULL; PostgreSQL takes explicit row locks.
Why both: docs/adr/0004-immediate-transactions-and-the-three-step-charge.md.
"""

import errno
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from select import POLLIN, poll
from typing import Any, TypeVar
from zlib import crc32

from flask import Flask, g, request
from peewee import Database, DatabaseProxy, InterfaceError, Model, OperationalError, PostgresqlDatabase
from playhouse.pool import PooledPostgresqlDatabase, PooledSqliteDatabase

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


# Written as the driver's own adapter writes it, which is a function of Python's.
sqlite3.register_adapter(datetime, str)

# What SQLite says of a file that is locked, cannot be written or read, is damaged, or has no room left.
SQLITE_STORAGE_CODES = {5, 6, 8, 10, 11, 13, 14, 26}
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


class OutsideTransaction(RuntimeError):
    """Our own mistake: a part of an act was called on its own, and could have been written alone."""


class PostgreSQLPool(PooledPostgresqlDatabase):
    """Peewee's, which asks the server at the begin of each request whether it is still there.

    A server that ends a connection says so, and what it said waits to be read: only then is it asked.
    """

    def _is_closed(self, connection: Any) -> bool:
        if not connection.closed:
            waiting = poll()
            waiting.register(connection.fileno(), POLLIN)
            if not waiting.poll(0):
                return False
        return bool(super()._is_closed(connection))


def make_database(url: str) -> Database:
    """A pooled Peewee database for a sqlite:/// or postgresql:// URL. Raises OSError where no file can be."""
    if url.startswith("sqlite:"):
        file = Path(url.removeprefix("sqlite:///"))
        make_private(file)
        return PooledSqliteDatabase(
            str(file),
            pragmas=SQLITE_PRAGMAS,
            lock_type="IMMEDIATE",
            check_same_thread=False,
            max_connections=40,
            stale_timeout=300,
            timeout=WAIT_SECONDS,
            autoconnect=False,
        )
    return PostgreSQLPool(
        # Read by libpq, as it reads the queue's; Peewee knows it by this beginning alone.
        re.sub(r"^postgres:", "postgresql:", url),
        prefer_psycopg3=True,
        options=POSTGRESQL_OPTIONS,
        max_connections=20,
        stale_timeout=300,
        timeout=5,
        autoconnect=False,
    )


def make_private(file: Path) -> None:
    """Make the file if it is not there, for its owner alone. Raises OSError.

    SQLite gives the files that it puts beside it the same mode.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def bind(url: str) -> Database:
    """Point the models at `url`."""
    real = make_database(url)
    database.initialize(real)
    return real


def storage_failed(error: BaseException | None) -> bool:
    """Whether a database or a disk is behind the error, and not a mistake of ours.

    The first cause counts too: a disk without room ends SQLite's transaction by itself, and then the rollback
    fails in its turn. SQLite tells a mistake in a statement and a full disk with the same class of error.
    """
    while error is not None:
        cause = error.__cause__ or error.__context__
        if isinstance(error, sqlite3.Error):
            code = getattr(error, "sqlite_errorcode", None)
            if code is not None and code & 0xFF in SQLITE_STORAGE_CODES:
                return True
        elif isinstance(error, (OperationalError, InterfaceError)):
            if not isinstance(cause, sqlite3.Error):
                return True
        elif isinstance(error, OSError) and error.errno in DISK_ERRORS:
            return True
        error = cause
    return False


def is_postgresql() -> bool:
    return isinstance(database.obj, PostgresqlDatabase)


@contextmanager
def transaction(*, lock: Model | None = None) -> Iterator[None]:
    """Everything inside is written, or nothing.

    SQLite: BEGIN IMMEDIATE, one writer at a time. PostgreSQL: `lock` is the workspace whose
    row is locked first, so that two acts on one workspace run one after the other; lock order is
    workspace → subscription → invoice. Call it in services only, with no gateway, mail or HTTP
    call inside. What was postponed is written as its last act. A thread without a connection has one
    for the length of the transaction.
    """
    around = _postponed.get()
    with connection(), database.atomic():
        if lock is not None and is_postgresql():
            key = lock._meta.primary_key
            type(lock).select(key).where(key == lock.get_id()).for_update().execute()
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


@contextmanager
def snapshot() -> Iterator[None]:
    """Everything inside is read as it was at its first query, whatever others write meanwhile. Read only."""
    kind = "REPEATABLE READ READ ONLY" if is_postgresql() else "DEFERRED"
    with connection(), database.obj.transaction(kind):
        if is_postgresql():
            # What is reckoned between two queries of a long reading may take longer.
            database.execute_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield


def require_transaction() -> None:
    """First line of what is only right as a part of its caller's act. Raises OutsideTransaction."""
    if not database.obj.in_transaction():
        raise OutsideTransaction(
            "call this inside `with transaction():`, where the rest of the act is written"
        )


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
