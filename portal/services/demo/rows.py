"""Many rows at a time: ids taken beforehand, so that rows may name each other before they are written."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from peewee import fn

from ...database import database, is_postgresql
from ...models import Model

ROWS_AT_ONCE = 500
T = TypeVar("T")


def take_ids(model: type[Model], count: int) -> list[int]:
    """New ids that nobody else will get. SQLite: inside a transaction, which is the only writer."""
    if is_postgresql():
        rows = database.execute_sql(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            (model._meta.table_name, count),
        )
        return [row[0] for row in rows.fetchall()]
    first = (model.select(fn.MAX(model.id)).scalar() or 0) + 1
    return list(range(first, first + count))


def insert(model: type[Model], rows: Iterable[Mapping[str, Any]]) -> None:
    for chunk in chunks(rows):
        model.insert_many(chunk).execute()


def chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, ROWS_AT_ONCE)):
        yield chunk
