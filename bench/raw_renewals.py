"""The floor of a renewal: the rows that a run has written, taken out and written again by plain SQL.

Two commits each, as a renewal that is safe from a kill needs: the intent, then the answer. No reads, no
decisions, statements written beforehand.
"""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from portal.database.connecting import SQLITE_PRAGMAS

Row = dict[str, Any]
WRITTEN = (
    "purchase_order",
    "order_line",
    "payment",
    "subscription_period",
    "invoice",
    "balance_entry",
    "allocation",
    "audit_entry",
    "audit_trace",
    "outbox_message",
)
BY_THE_INTENT = "renewal.placed"
CHANGED = (
    "due_on",
    "started_on",
    "renew_on",
    "announced_minor",
    "price_id",
    "look_at",
    "version",
    "locked_until",
)


class Raw:
    """One connection of the driver's own to the database of the run."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite:")
        if self.is_sqlite:
            self.connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
            for name, value in SQLITE_PRAGMAS.items():
                self.connection.execute(f"PRAGMA {name} = {value}")
            self.begin = "BEGIN IMMEDIATE"
        else:
            import psycopg

            self.connection = psycopg.connect(url, autocommit=True)
            self.begin = "BEGIN"
        self.mark = "?" if self.is_sqlite else "%s"

    def highest_ids(self) -> dict[str, int]:
        return {
            table: self.connection.execute(f'SELECT coalesce(max(id), 0) FROM "{table}"').fetchone()[0]
            for table in WRITTEN
        }

    def take_out(self, since: dict[str, int]) -> dict[str, list[Row]]:
        """Remove what was written since, and return it."""
        taken = {table: self._rows(f'SELECT * FROM "{table}" WHERE id > {since[table]}') for table in WRITTEN}
        for table in reversed(WRITTEN):
            self.connection.execute(f'DELETE FROM "{table}" WHERE id > {since[table]}')
        return taken

    def _rows(self, sql: str) -> list[Row]:
        cursor = self.connection.execute(f"{sql} ORDER BY id")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, map(self._value, row), strict=True)) for row in cursor.fetchall()]

    def _value(self, value: Any) -> Any:
        """As the driver takes it back."""
        if self.is_sqlite or not isinstance(value, dict | list):
            return value
        from psycopg.types.json import Jsonb

        return Jsonb(value)

    def seconds_for(self, taken: dict[str, list[Row]]) -> float:
        """How long it takes to write the same rows again, one renewal after the other."""
        series = taken["invoice"][0]["series"]
        renewals = [list(self._statements(renewal, series)) for renewal in self._each(taken)]
        began = time.perf_counter()
        for intent, answer in renewals:
            for part in (intent, answer):
                with self._commit() as execute:
                    for sql, values in part:
                        execute(sql, values)
        return time.perf_counter() - began

    @contextmanager
    def _commit(self) -> Iterator[Callable[..., object]]:
        self.connection.execute(self.begin)
        yield self.connection.execute
        self.connection.execute("COMMIT")

    def _each(self, taken: dict[str, list[Row]]) -> Iterator[dict[str, list[Row]]]:
        """The rows of each renewal. Which letter is whose does not matter: nothing refers to one."""
        by_workspace: dict[int, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
        whose_order = {row["id"]: row["workspace_id"] for row in taken["purchase_order"]}
        order_of_line = {row["id"]: row["order_id"] for row in taken["order_line"]}
        whose_entry = {row["id"]: row["workspace_id"] for row in taken["audit_entry"]}
        whose_balance = {row["id"]: row["workspace_id"] for row in taken["balance_entry"]}
        whose: dict[str, Callable[[Row], int]] = {
            "order_line": lambda row: whose_order[row["order_id"]],
            "subscription_period": lambda row: whose_order[order_of_line[row["line_id"]]],
            "allocation": lambda row: whose_balance[row["entry_id"]],
            "audit_trace": lambda row: whose_entry[row["entry_id"]],
        }
        for table in WRITTEN[:-1]:
            for row in taken[table]:
                by_workspace[whose.get(table, lambda row: row["workspace_id"])(row)][table].append(row)
        letters = taken["outbox_message"]
        each = len(letters) // len(by_workspace)
        for number, rows in enumerate(by_workspace.values()):
            yield {**rows, "outbox_message": letters[number * each : (number + 1) * each]}

    def _statements(self, rows: dict[str, list[Row]], series: str) -> Iterator[list[tuple[str, list[Any]]]]:
        [order], [payment], [subscription] = rows["purchase_order"], rows["payment"], self._subscription(rows)
        placed = [row for row in rows["audit_entry"] if row["action"] == BY_THE_INTENT]
        ids = {row["id"] for row in placed}
        yield [
            self._insert("purchase_order", {**order, "state": "placed", "given_at": None}),
            *(self._insert("order_line", line) for line in rows["order_line"]),
            self._insert("payment", {**payment, "state": "created", "look_up_at": payment["created_at"]}),
            *(self._insert("audit_entry", row) for row in placed),
            *(self._insert("audit_trace", row) for row in rows["audit_trace"] if row["entry_id"] in ids),
            self._update("subscription", subscription, ("look_at", "renewal_failed_on")),
        ]
        [period] = rows["subscription_period"]
        cut = f"UPDATE subscription_period SET end_on = {self.mark} WHERE subscription_id = {self.mark}"
        yield [
            self._update("payment", payment, ("state", "settled_at", "look_up_at", "reference")),
            self._update("purchase_order", order, ("state", "given_at")),
            (
                f"{cut} AND end_on > {self.mark}",
                [period["start_on"], period["subscription_id"], period["start_on"]],
            ),
            self._insert("subscription_period", period),
            self._update("subscription", subscription, CHANGED),
            (f"UPDATE number_series SET next_number = next_number + 1 WHERE name = {self.mark}", [series]),
            *(self._insert("invoice", row) for row in rows["invoice"]),
            *(self._insert("balance_entry", row) for row in rows["balance_entry"]),
            *(self._insert("allocation", row) for row in rows["allocation"]),
            *(self._insert("audit_entry", row) for row in rows["audit_entry"] if row["id"] not in ids),
            *(self._insert("audit_trace", row) for row in rows["audit_trace"] if row["entry_id"] not in ids),
            *(self._insert("outbox_message", row) for row in rows["outbox_message"]),
        ]

    def _subscription(self, rows: dict[str, list[Row]]) -> list[Row]:
        subscription_id = rows["subscription_period"][0]["subscription_id"]
        return self._rows(f"SELECT * FROM subscription WHERE id = {subscription_id}")

    def _insert(self, table: str, row: Row) -> tuple[str, list[Any]]:
        slots = ", ".join([self.mark] * len(row))
        return f'INSERT INTO "{table}" ({", ".join(row)}) VALUES ({slots})', list(row.values())

    def _update(self, table: str, row: Row, columns: tuple[str, ...]) -> tuple[str, list[Any]]:
        parts = ", ".join(f"{column} = {self.mark}" for column in columns)
        values = [row[column] for column in (*columns, "id")]
        return f'UPDATE "{table}" SET {parts} WHERE id = {self.mark}', values
