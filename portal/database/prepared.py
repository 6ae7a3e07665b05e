"""Queries of every page, whose SQL is written once for each engine and not anew for each request.

Peewee takes longer to write the SQL of a page's queries than the database takes to answer them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from peewee import ModelSelect, ModelUpdate, Node

from .columns import Model, UTCDateTimeField
from .connecting import database, is_postgresql
from .reading import leave_out_needless

ModelT = TypeVar("ModelT", bound=Model)


class Parameter(Node):
    """Where a value goes that only the request knows: `Member.person == Parameter("person")`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __sql__(self, ctx: Any) -> Any:
        ctx._values.append(self)
        return ctx.literal(ctx.state.param or "?")


class Parameters(Parameter):
    """Where values go, however many: `Plan.id << Parameters("plans")`. Without any nothing is found."""

    @property
    def mark(self) -> str:
        """Stands in the SQL until it is known how many there are."""
        return f"/*{self.name}*/"

    def __sql__(self, ctx: Any) -> Any:
        ctx._values.append(self)
        return ctx.literal(f"({self.mark})")


def _padded(values: Collection[object]) -> list[object]:
    """Filled with NULLs, which equal nothing, to a power of two: a database learns few statements then."""
    size = 1 << max(len(values) - 1, 0).bit_length()
    return [*values, *[None] * (size - len(values))]


class Prepared:
    """A query with parameters. `build` is called once; the rows are those of the query that it returns.

    The values of parameters go to the database as they are: ids, texts, days, and no model; but an instant as
    its columns keep it.
    """

    def __init__(self, build: Callable[[], "ModelSelect[Any] | ModelUpdate"]) -> None:
        self._build = build
        self._written: dict[bool, tuple[Any, str, list[Any]]] = {}
        self._readers: dict[bool, Callable[[Any], Any]] = {}

    def rows(self, **values: object) -> list[Any]:
        """Every row, read now."""
        query, sql, parameters = self._for_this_engine()
        cursor = database.execute_sql(*_filled(sql, parameters, values))
        found = cursor.fetchall()
        return list(map(self._reader(query, cursor), found)) if found else []

    def execute(self, **values: object) -> None:
        """For a query that changes rows and answers nothing."""
        _query, sql, parameters = self._for_this_engine()
        database.execute_sql(*_filled(sql, parameters, values))

    def first(self, **values: object) -> Any:
        """The first row, or None."""
        return next(iter(self.rows(**values)), None)

    def _for_this_engine(self) -> tuple[Any, str, list[Any]]:
        engine = is_postgresql()
        if engine not in self._written:
            query = self._build()
            sql, parameters = query.sql()
            self._written[engine] = (query, sql, list(parameters))
        return self._written[engine]

    def _reader(self, query: Any, cursor: Any) -> Callable[[Any], Any]:
        """What makes a model of a row: Peewee finds out anew for each answer which column is which field."""
        engine = is_postgresql()
        if engine not in self._readers:
            wrapper = query._get_cursor_wrapper(cursor)
            wrapper.initialize()
            leave_out_needless(wrapper)
            wrapper.cursor = None
            self._readers[engine] = wrapper.process_row
        return self._readers[engine]


def _filled(sql: str, parameters: Sequence[object], values: Mapping[str, Any]) -> tuple[str, list[object]]:
    """The statement and what goes with it."""
    filled: list[object] = []
    for each in parameters:
        if isinstance(each, Parameters):
            several = _padded(values[each.name])
            sql = sql.replace(each.mark, ", ".join(["%s" if is_postgresql() else "?"] * len(several)))
            filled += several
        elif isinstance(each, Parameter):
            value = values[each.name]
            filled.append(_INSTANT.db_value(value) if isinstance(value, datetime) else value)
        else:
            filled.append(each)
    return sql, filled


_INSTANT = UTCDateTimeField()


def by_ids(model: type[ModelT], ids: Collection[int]) -> dict[int, ModelT]:
    """The rows with these ids, by id. One query."""
    return {row.id: row for row in _with_ids(model).rows(ids=ids)}


@cache
def _with_ids(model: type[Model]) -> Prepared:
    return Prepared(lambda: model.select().where(model.id << Parameters("ids")))
