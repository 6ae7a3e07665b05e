"""Queries of every page, whose SQL is written once for each engine and not anew for each request.

Peewee takes longer to write the SQL of a page's queries than the database takes to answer them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from peewee import ModelSelect, ModelUpdate, Node

from .connecting import database, is_postgresql
from .reading import leave_out_needless


class Parameter(Node):
    """Where a value goes that only the request knows: `Member.person == Slot("person")`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __sql__(self, ctx: Any) -> Any:
        ctx._values.append(self)
        return ctx.literal(ctx.state.param or "?")


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
            leave_out_needless(wrapper)
            wrapper.cursor = None
            self._readers[engine] = wrapper.process_row
        return self._readers[engine]
