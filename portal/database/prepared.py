"""Queries of every page, whose SQL is written once for each engine and not anew for each request.

Peewee takes longer to write the SQL of a page's queries than the database takes to answer them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from peewee import Field, ModelSelect, ModelUpdate, Node

from .connecting import database, is_postgresql


class Parameter(Node):
    """Where a value goes that only the request knows: `Member.person == Slot("person")`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __sql__(self, ctx: Any) -> Any:
        ctx._values.append(self)
        return ctx.literal(ctx.state.param or "?")


PLAIN = {"AUTO", "BIGINT", "CHAR", "INT", "TEXT", "VARCHAR"}
"""Kinds of columns whose values both drivers hand over as what they are."""


def _needed(converter: Any) -> Any:
    """What makes a value of a column's; None where the driver's own value is it."""
    field = getattr(converter, "__self__", None)
    if isinstance(field, Field) and field.field_type in PLAIN:
        return None if type(field).python_value is Field.python_value else converter
    return converter


def _leave_out_needless(wrapper: Any) -> None:
    """Spare Peewee's reader of rows the calls that would give back what they are given."""
    wrapper.converters = [_needed(converter) for converter in wrapper.converters]
    wrapper.convert = [place for place, each in enumerate(wrapper.converters) if each is not None]
    wrapper.no_convert = [place for place, each in enumerate(wrapper.converters) if each is None]
    if hasattr(wrapper, "_row_spec"):
        wrapper._row_spec = tuple(
            (place, key, column, _needed(converter)) for place, key, column, converter in wrapper._row_spec
        )


class Prepared:
    """A query with parameters. `build` is called once; the rows are those of the query that it returns.

    The values of parameters go to the database as they are: ids, texts, days; no model and no instant.
    """

    def __init__(self, build: Callable[[], "ModelSelect[Any] | ModelUpdate"]) -> None:
        self._build = build
        self._written: dict[bool, tuple[Any, str, list[Any]]] = {}
        self._readers: dict[bool, Callable[[Any], Any]] = {}

    def rows(self, **values: object) -> list[Any]:
        """Every row, read now."""
        query, sql, parameters = self._for_this_engine()
        cursor = database.execute_sql(sql, self._filled(parameters, values))
        found = cursor.fetchall()
        return list(map(self._reader(query, cursor), found)) if found else []

    def execute(self, **values: object) -> None:
        """For a query that changes rows and answers nothing."""
        _query, sql, parameters = self._for_this_engine()
        database.execute_sql(sql, self._filled(parameters, values))

    def first(self, **values: object) -> Any:
        """The first row, or None."""
        return next(iter(self.rows(**values)), None)

    def _filled(self, parameters: Sequence[object], values: Mapping[str, object]) -> list[object]:
        return [values[each.name] if isinstance(each, Parameter) else each for each in parameters]

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
            _leave_out_needless(wrapper)
            wrapper.cursor = None
            self._readers[engine] = wrapper.process_row
        return self._readers[engine]
