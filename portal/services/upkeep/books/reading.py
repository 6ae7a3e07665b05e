"""Reading many rows, a bounded number in memory."""

from collections.abc import Iterator
from typing import Any, cast

from peewee import JOIN

from portal.database.columns import Model

ROWS_AT_ONCE = 1000


def rows_of(
    model: type[Model],
    *columns: Any,
    where: Any = None,
    beside: type[Model] | None = None,
    at_once: int | None = None,
) -> Iterator[tuple[Any, ...]]:
    """The columns of every row, by id, a bounded number of rows in memory at a time."""
    newest, at_once = 0, at_once or ROWS_AT_ONCE
    while True:
        query = model.select(model.id, *columns).where(model.id > newest).order_by(model.id).limit(at_once)
        if beside is not None:
            query = query.join(beside, JOIN.LEFT_OUTER)
        if where is not None:
            query = query.where(where)
        batch = cast("list[tuple[Any, ...]]", list(query.tuples()))
        for row_id, *row in batch:
            newest = row_id
            yield tuple(row)
        if len(batch) < at_once:
            return
