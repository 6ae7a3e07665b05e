"""Schema migrations: one SQL file per change and engine, applied in order, once."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

from peewee import IntegrityError, OperationalError

from portal.domain.folding import fold

from .columns import LONGEST_FOLDED
from .connecting import WAIT_SECONDS, connection, database, is_postgresql


class SchemaOutdated(Exception):
    """The database lacks migrations of this version; the text names them and what to run."""


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
                if name in AFTERWARDS:
                    AFTERWARDS[name]()
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


def _fold_names() -> None:
    """What is searched by its folded copy (columns.FoldedText), of the rows that were there before it."""
    for table, column in (("person", "name"), ("person", "email"), ("workspace", "name")):
        mark = database.param
        rows = database.execute_sql(f'SELECT "id", "{column}" FROM "{table}"').fetchall()  # noqa: S608
        for row_id, text in rows:
            database.execute_sql(
                f'UPDATE "{table}" SET "folded_{column}" = {mark} WHERE "id" = {mark}',  # noqa: S608
                (fold(text)[:LONGEST_FOLDED], row_id),
            )


MIGRATION_SECONDS = 3600
"""After that long waiting for another process that migrates SQLite, a process gives up."""

AFTERWARDS = {"0005_people": _fold_names}
"""What SQL cannot say, done in the transaction of its migration."""


@contextmanager
def _migration_lock() -> Iterator[None]:
    """PostgreSQL: an advisory lock that dies with the connection. SQLite: BEGIN IMMEDIATE serves.

    SQLite changes a table by making it anew, which its foreign keys must not hinder: they are off
    meanwhile, as its manual says, and every reference is checked before the commit.

    A page gives up after seconds; a migration, and waiting for another one, take as long as the rows need.
    """
    if not is_postgresql():
        _switch_to_wal()
        with (
            _set("PRAGMA busy_timeout = {}", MIGRATION_SECONDS * 1000, back=WAIT_SECONDS * 1000),
            _set("PRAGMA foreign_keys = {}", "OFF", back="ON"),
        ):
            yield
        return
    with _set("SET statement_timeout = {}", 0, back="DEFAULT"):
        with _set("SET lock_timeout = {}", 0, back="DEFAULT"):
            database.execute_sql("SELECT pg_advisory_lock(7067826501)")
        try:
            yield
        finally:
            database.execute_sql("SELECT pg_advisory_unlock(7067826501)")


@contextmanager
def _set(statement: str, value: object, *, back: object) -> Iterator[None]:
    """A setting of the connection, for the length of the block."""
    database.execute_sql(statement.format(value))
    try:
        yield
    finally:
        database.execute_sql(statement.format(back))


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
