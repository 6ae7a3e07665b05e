"""How the columns of a query are named and the models of a join made, with fewer calls than Peewee makes."""

from typing import Any

from peewee import Field, FieldAlias, ModelCursorWrapper, ModelObjectCursorWrapper, ModelSelect

PLAIN = {"AUTO", "BIGINT", "CHAR", "INT", "TEXT", "VARCHAR"}
"""Kinds of columns whose values both drivers hand over as what they are."""


def _needed(converter: Any) -> Any:
    """What makes a value of a column's; None where the driver's own value is it."""
    field = getattr(converter, "__self__", None)
    if isinstance(field, Field) and field.field_type in PLAIN:
        return None if type(field).python_value is Field.python_value else converter
    return converter


def leave_out_needless(wrapper: Any) -> None:
    """Spare Peewee's reader of rows the calls that would give back what they are given."""
    wrapper.converters = [_needed(converter) for converter in wrapper.converters]
    wrapper.convert = [place for place, each in enumerate(wrapper.converters) if each is not None]
    wrapper.no_convert = [place for place, each in enumerate(wrapper.converters) if each is None]
    if hasattr(wrapper, "_row_spec"):
        wrapper._row_spec = tuple(
            (place, key, column, _needed(converter)) for place, key, column, converter in wrapper._row_spec
        )


class JoinedRows(ModelCursorWrapper):
    """Models of a joined row, each with all of its columns at once."""

    _constructor_list: Any
    _row_spec: Any
    _dest_reachable: Any

    def initialize(self) -> None:
        super().initialize()
        leave_out_needless(self)
        assert all(is_model for _key, _constructor, is_model in self._constructor_list), "no subqueries"
        self._kept: dict[Any, list[tuple[int, str, Any]]] = {key: [] for key in self.key_to_constructor}
        self._others: list[tuple[int, Any, str, Any]] = []
        for place, key, column, converter in self._row_spec:
            owner = key if key in self._kept else self.model
            if column in self.key_to_constructor[owner][0]._meta.fields:
                self._kept[owner].append((place, column, converter))
            else:
                self._others.append((place, owner, column, converter))

    def process_row(self, row: Any) -> Any:
        """As Peewee's own; what a left join did not find is None."""
        made: dict[Any, Any] = {}
        found = set()
        for key, constructor, _is_model in self._constructor_list:
            # As its constructor makes one of nothing.
            made[key] = one = constructor.__new__(constructor)
            data: dict[str, Any] = {}
            one.__data__, one.__rel__, one._dirty = data, {}, set()
            for place, column, convert in self._kept[key]:
                value = row[place]
                if value is not None:
                    found.add(key)
                data[column] = value if convert is None else convert(value)
        for place, key, column, convert in self._others:
            if row[place] is not None:
                found.add(key)
            setattr(made[key], column, row[place] if convert is None else convert(row[place]))
        for source, attribute, target, _is_dict, is_outer, is_key in self.src_to_dest:
            is_found = target in found or bool(self._dest_reachable.get(target, frozenset()) & found)
            if not is_found and not is_outer:
                continue
            if is_outer and target not in found and source not in found:
                continue
            if is_found:
                setattr(made[source], attribute, made[target])
            elif is_key:
                made[source].__rel__[attribute] = None
            else:
                setattr(made[source], attribute, None)
        for one in made.values():
            one._dirty.clear()
        return made[self.model]


def _written_by(ctx: Any, table: Any) -> str:
    """How the query calls the table. Nothing is added to its text."""
    start = len(ctx._sql)
    with ctx.scope_column():
        ctx.sql(table)
    name = "".join(ctx._sql[start:])
    del ctx._sql[start:]
    return name


SQL_OF_A_COLUMN = {Field.__sql__, FieldAlias.__sql__}
"""What writes the name of a column's table and its own, and nothing else."""


class Select(ModelSelect):
    """A query whose columns are named and whose models are made in one go each."""

    _returning: Any
    _from_list: Any
    _joins: Any

    def __sql_selection__(self, ctx: Any, is_subquery: bool = False) -> Any:
        if is_subquery:
            return super().__sql_selection__(ctx, is_subquery)
        names: dict[Any, str] = {}
        for place, node in enumerate(self._returning):
            comma = ", " if place else ""
            if isinstance(node, Field) and type(node).__sql__ in SQL_OF_A_COLUMN:
                table = node.model
                if table not in names:
                    names[table] = _written_by(ctx, table)
                ctx.literal(f'{comma}{names[table]}."{node.column_name}"')
            else:
                ctx.literal(comma).sql(node)
        return ctx

    def _get_model_cursor_wrapper(self, cursor: Any) -> Any:
        wrapper = super()._get_model_cursor_wrapper(cursor)  # type: ignore[misc]
        if isinstance(wrapper, ModelObjectCursorWrapper):
            return wrapper
        return JoinedRows(cursor, self.model, self._returning, self._from_list, self._joins)
