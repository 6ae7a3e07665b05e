"""Rows written by SQL that is put together once for each model, engine and set of columns.

For what the run and the checkout write by the thousand: Peewee takes ten times longer to write an INSERT or
UPDATE than the database takes to carry it out.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

import peewee
from peewee import (
    OP,
    SQL,
    BooleanField,
    CharField,
    DateField,
    Expression,
    Field,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from .columns import JSONField, Model
from .connecting import database, is_postgresql, postpone, require_transaction

ROWS_AT_ONCE = 500
TAKEN_AS_IT_IS: dict[type[Field], type] = {
    ForeignKeyField: int,
    IntegerField: int,
    CharField: str,
    TextField: str,
    DateField: date,
    BooleanField: bool,
}
"""What the drivers take as it is: to ask the column each time takes longer than to store the value."""
T = TypeVar("T")


def save(row: Model, *, only_if: tuple[Field, object] | None = None) -> bool:
    """Write a new row, which has its id afterwards, or the changed columns of one that has an id.

    `only_if`: a column with what must still stand there. Returns whether it was written.
    """
    if is_new(row):
        _insert(row)
        return True
    if not row.dirty_fields:
        return True
    column, expected = only_if or (type(row).id, row.id)
    names = tuple(row.dirty_field_names)
    sql = _update_sql(type(row), names, column.name, postgresql=is_postgresql())
    values = [*_values(row, names), row.id, column.db_value(expected)]
    written = database.execute_sql(sql, values)
    take_as_read(row)
    return bool(written.rowcount)


def save_later(row: Model) -> None:
    """As `save`, but together with all others of the transaction, just before its commit (see `postpone`).

    Nobody may need the row's id, or read the row from the database, before; another new row may refer to it
    that is saved after it in the same way.
    """
    postpone(_save_all, row)


def take_as_read(row: Model) -> None:
    """The row stands in the database as it is here: nothing of it waits to be saved."""
    row._dirty.clear()  # type: ignore[attr-defined]


def insert_all(new: Sequence[Model], *, unless_known: tuple[str, ...] = ()) -> None:
    """Write new rows of one model, all with an id taken beforehand or all without; they get none here.

    `unless_known`: the columns by which one may be there already, and stays as it is.
    """
    for chunk in chunks(new):
        model, with_id = type(chunk[0]), not is_new(chunk[0])
        names = _names(model, with_id=with_id)
        head, slots = _insert_sql(model, with_id=with_id, postgresql=is_postgresql())
        # Not OR IGNORE: on SQLite that would also swallow a row that breaks a CHECK.
        tail = f" ON CONFLICT ({', '.join(unless_known)}) DO NOTHING" if unless_known else ""
        values = [value for row in chunk for value in _values(row, names)]
        database.execute_sql(head + ", ".join([slots] * len(chunk)) + tail, values)


def take_ids(model: type[Model], count: int) -> list[int]:
    """New ids that nobody else will get. SQLite: inside a transaction, which is the only writer."""
    require_transaction()
    if is_postgresql():
        rows = database.execute_sql(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            (model._meta.table_name, count),
        )
        return [row[0] for row in rows.fetchall()]
    newest = database.execute_sql(f'SELECT MAX(id) FROM "{model._meta.table_name}"').fetchone()[0]  # noqa: S608
    first = (newest or 0) + 1
    return list(range(first, first + count))


def one_of(field: Field, ids: Iterable[int]) -> Expression:
    """`field << ids`, for many: Peewee takes longer to write each slot than the database to read its row."""
    listed = ", ".join(map(str, map(int, ids)))
    return Expression(field, OP.IN, SQL(f"({listed})")) if listed else field << []


def chunks(things: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(things)
    while chunk := list(islice(remaining, ROWS_AT_ONCE)):
        yield chunk


def _save_all(rows: Sequence[Model]) -> None:
    """The new ones of each model in one statement, then the changed ones by what was changed of them."""
    new: dict[type[Model], list[Model]] = {}
    changes: dict[str, list[list[Any]]] = {}
    for row in rows:
        if is_new(row):
            new.setdefault(type(row), []).append(row)
        elif names := tuple(row.dirty_field_names):
            sql = _update_sql(type(row), names, "id", postgresql=is_postgresql())
            changes.setdefault(sql, []).append([*_values(row, names), row.id, row.id])
            take_as_read(row)
    for group in new.values():
        for row in group:
            _refer_to_new(row)
        if len(group) == 1:
            _insert(group[0])
            continue
        for row, row_id in zip(group, take_ids(type(group[0]), len(group)), strict=True):
            row.id = row_id
            take_as_read(row)
        insert_all(group)
    for sql, values in changes.items():
        # Peewee has no executemany of its own: its errors are raised as it raises those of one statement.
        with peewee.__exception_wrapper__:  # type: ignore[attr-defined]
            database.cursor().executemany(sql, values)


def _refer_to_new(row: Model) -> None:
    """The ids of what the row refers to that had none when it was said, and has been written since."""
    for name, other in row.__rel__.items():
        if other is not None and row.__data__.get(name) is None:
            row.__data__[name] = other.id


def is_new(row: Model) -> bool:
    """Whether it has no id yet: it was not written, or waits for the commit."""
    return row.__data__.get("id") is None


def _insert(row: Model) -> None:
    head, slots = _insert_sql(type(row), with_id=False, postgresql=is_postgresql())
    values = _values(row, _names(type(row), with_id=False))
    [(row.id,)] = database.execute_sql(f"{head}{slots} RETURNING id", values).fetchall()
    take_as_read(row)


@lru_cache
def _names(model: type[Model], *, with_id: bool) -> tuple[str, ...]:
    fields = model._meta.sorted_fields
    return tuple(field.name for field in fields if with_id or field is not model._meta.primary_key)


@lru_cache
def _insert_sql(model: type[Model], *, with_id: bool, postgresql: bool) -> tuple[str, str]:
    """The statement up to its values, and the slots of one row's."""
    fields = [model._meta.fields[name] for name in _names(model, with_id=with_id)]
    columns = ", ".join(f'"{field.column_name}"' for field in fields)
    slots = ", ".join(_slot(field, postgresql=postgresql) for field in fields)
    return f'INSERT INTO "{model._meta.table_name}" ({columns}) VALUES ', f"({slots})"  # noqa: S608


@lru_cache
def _update_sql(model: type[Model], names: tuple[str, ...], expected: str, *, postgresql: bool) -> str:
    """Changes the fields of these names of one row, if what is expected still stands in it."""
    fields = [model._meta.fields[name] for name in names]
    parts = ", ".join(f'"{field.column_name}" = {_slot(field, postgresql=postgresql)}' for field in fields)
    mark = "%s" if postgresql else "?"
    where = f'id = {mark} AND "{model._meta.fields[expected].column_name}" = {mark}'
    return f'UPDATE "{model._meta.table_name}" SET {parts} WHERE {where}'  # noqa: S608


def _slot(field: Field, *, postgresql: bool) -> str:
    if postgresql:
        return "%s"
    return "json(?)" if isinstance(field, JSONField) else "?"


def _values(row: Model, names: tuple[str, ...]) -> list[Any]:
    """As the driver takes them, in this order."""
    data: dict[str, Any] = row.__data__
    return [
        value if (value := data.get(name)) is None or type(value) is as_it_is else convert(value)
        for name, as_it_is, convert in _writers(type(row), names, postgresql=is_postgresql())
    ]


@lru_cache
def _writers(
    model: type[Model], names: tuple[str, ...], *, postgresql: bool
) -> list[tuple[str, type | None, Callable[[Any], Any]]]:
    """For each column the type that the driver takes as it is, and what makes a value of another type fit."""
    fields = [model._meta.fields[name] for name in names]
    return [
        (
            field.name,
            next((own for kind, own in TAKEN_AS_IT_IS.items() if isinstance(field, kind)), None),
            # Peewee gives SQLite's JSON as a call of json() around its text.
            json.dumps if isinstance(field, JSONField) and not postgresql else field.db_value,
        )
        for field in fields
    ]
