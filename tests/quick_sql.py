"""The names of columns in a query, written in a fifth of the time: tests write the same SQL again and again.

To write a query takes Peewee longer than the database takes to answer it, most of it for `"t1"."name"`. The
text is the same (tests/test_quick_sql.py), and with FULL=1 Peewee writes it.
"""

from functools import cache
from typing import Any

import peewee

COLUMN_OF_PEEWEE = peewee.Column.__sql__
FIELD_OF_PEEWEE = peewee.Field.__sql__


@cache
def quoted(name: str, quotes: str) -> str:
    return name.replace(quotes[0], quotes).join(quotes)


def column_sql(column: peewee.Column, context: Any) -> Any:
    return _written(column.source, column.name, context) or COLUMN_OF_PEEWEE(column, context)


def field_sql(field: peewee.Field, context: Any) -> Any:
    table = field.model._meta.table
    return _written(table, field.column_name, context) or COLUMN_OF_PEEWEE(field.column, context)


def _written(source: Any, name: str, context: Any) -> Any:
    """The context with the column; None where it is no column of a table itself."""
    state = context.state
    quotes = state.settings.get("quote") or '""'
    if state.scope == peewee.SCOPE_VALUES:
        return context.literal(quoted(name, quotes))
    if type(source) is not peewee.Table:
        return None
    aliases = context.alias_manager
    if source._alias:
        aliases[source] = source._alias
    alias = aliases._mapping[aliases._current_index - 1].get(source) or aliases[source]
    return context.literal(f"{quoted(alias, quotes)}.{quoted(name, quotes)}")
