"""The sandbox's own SQLite file: what somebody else would know of our charges.

It holds no card number, no IBAN and no security code.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from portal.domain.vocabulary import DeclineCode, PaymentMethodKind
from portal.gateways.base import EventKind, GatewayEvent, GatewayUnavailable, RefundRefusal, ResultUnknown

from .methods import Account, Behaviour


class Operation(StrEnum):
    SETUP = "setup"
    CHARGE = "charge"
    HOSTED = "hosted"


class AttemptState(StrEnum):
    """`opened`: the hosted page waits for the payer, `asking`: 3-D Secure does, `pending`: a bank decides."""

    OPENED = "opened"
    ASKING = "asking"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One key: a set-up, a charge or a hosted payment. The fields up to `saves` never change.

    `subject` is what soft declines are counted by. `account` is None until it is recognised.
    """

    reference: str
    key: str
    operation: Operation
    fingerprint: str
    created_at: datetime
    amount_minor: int
    currency: str
    description: str
    metadata: str
    subject: str
    return_url: str
    saves: bool
    state: AttemptState
    kind: PaymentMethodKind | None
    account: Account | None = None
    method_reference: str | None = None
    code: DeclineCode | None = None
    soft: bool = False
    decided_at: datetime | None = None
    settles_at: datetime | None = None
    disputes_at: datetime | None = None
    disputed: bool = False
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True)
class Refund:
    reference: str
    key: str
    charge: str
    amount_minor: int
    created_at: datetime
    code: RefundRefusal | None


_SCHEMA = """
CREATE TABLE method (
  reference TEXT PRIMARY KEY, created_at TEXT NOT NULL, kind TEXT NOT NULL,
  behaviour TEXT, brand TEXT, last4 TEXT CHECK (length(last4) = 4),
  exp_month INTEGER, exp_year INTEGER, holder TEXT
);
CREATE TABLE attempt (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  reference TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE,
  operation TEXT NOT NULL CHECK (operation IN ('setup', 'charge', 'hosted')),
  fingerprint TEXT NOT NULL, created_at TEXT NOT NULL,
  amount_minor INTEGER NOT NULL
    CHECK (typeof(amount_minor) = 'integer' AND amount_minor >= 0)
    CHECK ((amount_minor = 0) = (operation = 'setup')),
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  description TEXT NOT NULL, metadata TEXT NOT NULL, subject TEXT NOT NULL,
  return_url TEXT NOT NULL, saves INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('opened', 'asking', 'pending', 'succeeded', 'declined')),
  kind TEXT,
  behaviour TEXT, brand TEXT, last4 TEXT CHECK (length(last4) = 4),
  exp_month INTEGER, exp_year INTEGER, holder TEXT,
  method_reference TEXT REFERENCES method (reference),
  code TEXT CHECK ((code IS NOT NULL) = (state = 'declined')), soft INTEGER NOT NULL,
  decided_at TEXT CHECK ((decided_at IS NOT NULL) = (state IN ('succeeded', 'declined'))),
  settles_at TEXT, disputes_at TEXT, disputed INTEGER NOT NULL,
  refunded_minor INTEGER NOT NULL CHECK (refunded_minor BETWEEN 0 AND amount_minor),
  CHECK (refunded_minor = 0 OR state = 'succeeded')
);
CREATE INDEX attempt_subject ON attempt (subject, kind);
CREATE INDEX attempt_settles ON attempt (settles_at) WHERE state = 'pending';
CREATE INDEX attempt_disputes ON attempt (disputes_at) WHERE disputes_at IS NOT NULL AND disputed = 0;
CREATE TABLE refund (
  reference TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, charge TEXT NOT NULL,
  amount_minor INTEGER NOT NULL, created_at TEXT NOT NULL, code TEXT
);
CREATE TABLE event (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
  occurred_at TEXT NOT NULL, reference TEXT NOT NULL, key TEXT NOT NULL, payload BLOB NOT NULL
);
CREATE TABLE secret (only INTEGER PRIMARY KEY CHECK (only = 1), webhook BLOB NOT NULL);
INSERT INTO secret VALUES (1, randomblob(32));
"""
_SCHEMA_VERSION = 1

_ACCOUNT = [field.name for field in fields(Account) if field.name != "kind"]
_ATTEMPT = [field.name for field in fields(Attempt) if field.name != "account"]
_REFUND = [field.name for field in fields(Refund)]


class Book:
    """The tables, inside one open transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def attempt_by_key(self, key: str) -> Attempt | None:
        return _first(_attempt, self._db.execute("SELECT * FROM attempt WHERE key = ?", [key]))

    def attempt_by_reference(self, reference: str) -> Attempt | None:
        sql = "SELECT * FROM attempt WHERE reference = ?"
        return _first(_attempt, self._db.execute(sql, [reference]))

    def attempts(self) -> list[Attempt]:
        """All of them, oldest first."""
        return [_attempt(row) for row in self._db.execute("SELECT * FROM attempt ORDER BY seq")]

    def attempts_to_settle(self, now: datetime) -> list[Attempt]:
        sql = "SELECT * FROM attempt WHERE state = 'pending' AND settles_at <= ? ORDER BY settles_at, seq"
        return [_attempt(row) for row in self._db.execute(sql, [_text(now)])]

    def attempts_to_dispute(self, now: datetime) -> list[Attempt]:
        """Those of which the payer has not had all the money back."""
        sql = """
          SELECT * FROM attempt
          WHERE disputes_at IS NOT NULL AND disputed = 0 AND disputes_at <= ?
            AND refunded_minor < amount_minor
          ORDER BY disputes_at, seq
        """
        return [_attempt(row) for row in self._db.execute(sql, [_text(now)])]

    def soft_declines(self, attempt: Attempt) -> int:
        """Soft declines of this kind of method for the attempt's subject since it was last paid."""
        sql = """
          SELECT count(*) FROM attempt
          WHERE subject = :subject AND kind = :kind AND state = 'declined' AND soft AND seq > (
            SELECT coalesce(max(seq), 0) FROM attempt
            WHERE subject = :subject AND kind = :kind AND state = 'succeeded'
          )
        """
        (count,) = self._db.execute(sql, {"subject": attempt.subject, "kind": attempt.kind}).fetchone()
        return int(count)

    def write_attempt(self, attempt: Attempt) -> None:
        """Insert, or replace by reference."""
        account = attempt.account
        values: dict[str, object] = {name: getattr(attempt, name) for name in _ATTEMPT}
        values |= {name: None if account is None else getattr(account, name) for name in _ACCOUNT}
        updates = ", ".join(f"{name} = excluded.{name}" for name in values)
        self._insert("attempt", values, f"ON CONFLICT (reference) DO UPDATE SET {updates}")

    def forget_attempt(self, attempt: Attempt) -> None:
        self._db.execute("DELETE FROM attempt WHERE reference = ?", [attempt.reference])

    def method(self, reference: str) -> Account | None:
        return _first(_account, self._db.execute("SELECT * FROM method WHERE reference = ?", [reference]))

    def add_method(self, reference: str, account: Account, at: datetime) -> None:
        values: dict[str, object] = {"reference": reference, "created_at": at, "kind": account.kind}
        self._insert("method", values | {name: getattr(account, name) for name in _ACCOUNT})

    def refund_by_key(self, key: str) -> Refund | None:
        return _first(_refund, self._db.execute("SELECT * FROM refund WHERE key = ?", [key]))

    def add_refund(self, refund: Refund) -> None:
        self._insert("refund", dict(zip(_REFUND, astuple(refund), strict=True)))

    def add_event(self, event: GatewayEvent) -> None:
        self._insert("event", {field.name: getattr(event, field.name) for field in fields(event)})

    def events_after(self, event_id: str | None, limit: int) -> Sequence[GatewayEvent]:
        sql = """
          SELECT * FROM event
          WHERE seq > coalesce((SELECT seq FROM event WHERE id = ?), 0) ORDER BY seq LIMIT ?
        """
        return [_event(row) for row in self._db.execute(sql, [event_id, limit])]

    def webhook_secret(self) -> bytes:
        (secret,) = self._db.execute("SELECT webhook FROM secret").fetchone()
        return bytes(secret)

    def _insert(self, table: str, values: Mapping[str, object], conflict: str = "") -> None:
        names, places = ", ".join(values), ", ".join("?" * len(values))
        # Table and columns are this module's own words, the values are bound.
        sql = f"INSERT INTO {table} ({names}) VALUES ({places}) {conflict}"  # noqa: S608
        self._db.execute(sql, [_text(v) if isinstance(v, datetime) else v for v in values.values()])


class Ledger:
    """The file, for many threads and processes at once. Made on first use, readable by its owner only."""

    def __init__(self, path: Path, *, wait_seconds: float) -> None:
        self._path = path
        self._wait_seconds = wait_seconds

    @contextmanager
    def transaction(self) -> Iterator[Book]:
        """One immediate transaction, durable when it returns.

        Raises GatewayUnavailable when nothing was written (file locked for `wait_seconds`, not writable,
        not a database), ResultUnknown when the commit itself failed.
        """
        # A connection each time: it belongs to no other thread and survives no fork.
        try:
            connection = self._connect()
        except (sqlite3.Error, OSError) as error:
            raise GatewayUnavailable(f"the sandbox's ledger cannot be opened: {error}") from error
        try:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield Book(connection)
            except sqlite3.OperationalError as error:
                raise GatewayUnavailable(f"the sandbox's ledger cannot be written: {error}") from error
            try:
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise ResultUnknown(f"the sandbox's ledger failed at commit: {error}") from error
        finally:
            # Closing rolls back whatever was not committed.
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self._path, timeout=self._wait_seconds, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.executescript(
                "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL"
            )
            if _version(connection) != _SCHEMA_VERSION:
                self._create(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _create(self, connection: sqlite3.Connection) -> None:
        # The switch to WAL does not wait for other connections by itself.
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        connection.execute("BEGIN IMMEDIATE")
        version = _version(connection)
        if version not in (0, _SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"the ledger is of version {version}, this code of {_SCHEMA_VERSION}")
        if version == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        connection.execute("COMMIT")


Row = TypeVar("Row")


def _first(read: Callable[[sqlite3.Row], Row], rows: sqlite3.Cursor) -> Row | None:
    row = rows.fetchone()
    return None if row is None else read(row)


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _text(at: datetime) -> str:
    """Fixed width, UTC: texts compare as the instants do. Naive datetimes are refused."""
    if at.tzinfo is None:
        raise ValueError("a naive datetime")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _account(row: sqlite3.Row) -> Account | None:
    if row["behaviour"] is None:
        return None
    return Account(
        kind=PaymentMethodKind(row["kind"]),
        behaviour=Behaviour(row["behaviour"]),
        brand=row["brand"],
        last4=row["last4"],
        exp_month=row["exp_month"],
        exp_year=row["exp_year"],
        holder=row["holder"],
    )


def _attempt(row: sqlite3.Row) -> Attempt:
    return Attempt(
        reference=row["reference"],
        key=row["key"],
        operation=Operation(row["operation"]),
        fingerprint=row["fingerprint"],
        created_at=datetime.fromisoformat(row["created_at"]),
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        description=row["description"],
        metadata=row["metadata"],
        subject=row["subject"],
        return_url=row["return_url"],
        saves=bool(row["saves"]),
        state=AttemptState(row["state"]),
        kind=None if row["kind"] is None else PaymentMethodKind(row["kind"]),
        account=_account(row),
        method_reference=row["method_reference"],
        code=None if row["code"] is None else DeclineCode(row["code"]),
        soft=bool(row["soft"]),
        decided_at=_instant(row["decided_at"]),
        settles_at=_instant(row["settles_at"]),
        disputes_at=_instant(row["disputes_at"]),
        disputed=bool(row["disputed"]),
        refunded_minor=row["refunded_minor"],
    )


def _refund(row: sqlite3.Row) -> Refund:
    return Refund(
        reference=row["reference"],
        key=row["key"],
        charge=row["charge"],
        amount_minor=row["amount_minor"],
        created_at=datetime.fromisoformat(row["created_at"]),
        code=None if row["code"] is None else RefundRefusal(row["code"]),
    )


def _event(row: sqlite3.Row) -> GatewayEvent:
    return GatewayEvent(
        id=row["id"],
        kind=EventKind(row["kind"]),
        occurred_at=datetime.fromisoformat(row["occurred_at"]),
        reference=row["reference"],
        key=row["key"],
        payload=bytes(row["payload"]),
    )
