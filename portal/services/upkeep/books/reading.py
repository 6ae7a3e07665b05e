"""Reading many rows, a bounded number in memory, and asking several questions about each of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any, Generic, TypeVar, cast

from peewee import JOIN, SQL, Select, fn

from portal.database.columns import Model
from portal.database.connecting import database, is_postgresql
from portal.domain.errors import PortalError

T = TypeVar("T")
ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """Questions about the same rows, read once for all of them: each says whether a row is broken."""

    rows: Callable[[], Iterable[T]]
    questions: tuple[Callable[[T], bool], ...]

    @property
    def names(self) -> list[str]:
        return [question.__name__ for question in self.questions]

    def answers(self) -> dict[str, int]:
        broken = dict.fromkeys(self.names, 0)
        for row in self.rows():
            for question in self.questions:
                broken[question.__name__] += _is_broken(question, row)
        return broken


Queries = Any
"""A query or several of them: each row that one finds breaks the rule."""


def counted(queries_of: Callable[[], Queries]) -> Callable[[], int]:
    """A question whose queries are always the same. Their SQL is written once for each engine.

    To write it takes Peewee longer than the database takes to answer.
    """
    written: dict[bool, list[tuple[str, list[Any]]]] = {}

    @wraps(queries_of)
    def count() -> int:
        engine = is_postgresql()
        if engine not in written:
            asked = queries_of()
            written[engine] = [_count_of(each) for each in (asked if isinstance(asked, tuple) else [asked])]
        return sum(database.execute_sql(sql, values).fetchone()[0] for sql, values in written[engine])

    return count


def _count_of(query: Any) -> tuple[str, list[Any]]:
    """The SQL that counts the rows of the query, and its values."""
    rows = query.order_by().alias("found")
    return Select([rows], [fn.COUNT(SQL("1"))]).bind(database.obj).sql()


def _is_broken(question: Callable[[T], bool], row: T) -> bool:
    """A row that the question cannot even be asked about is broken."""
    try:
        return question(row)
    except (ArithmeticError, AttributeError, LookupError, PortalError, TypeError, ValueError):
        return True


def rows_of(
    model: type[Model],
    *columns: Any,
    where: Any = None,
    beside: type[Model] | None = None,
    at_once: int | None = None,
) -> Iterator[tuple[Any, ...]]:
    """The columns of every row, by id, a bounded number of rows in memory at a time."""
    query = model.select(model.id, *columns)
    if beside is not None:
        query = query.join(beside, JOIN.LEFT_OUTER)
    if where is not None:
        query = query.where(where)
    return pages_of(query, model, at_once=at_once)


def pages_of(query: Any, model: type[Model], *, at_once: int | None = None) -> Iterator[tuple[Any, ...]]:
    """The rows of a query whose first column is the model's id, without that id, in its order."""
    newest, at_once = 0, at_once or ROWS_AT_ONCE
    while True:
        page = query.where(model.id > newest).order_by(model.id).limit(at_once)
        batch = cast("list[tuple[Any, ...]]", list(page.tuples()))
        for row_id, *row in batch:
            newest = row_id
            yield tuple(row)
        if len(batch) < at_once:
            return
