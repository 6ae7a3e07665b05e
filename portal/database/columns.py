"""Kinds of columns whose rule the database knows too, and the base of every table."""

from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from peewee import AutoField, BigIntegerField, CharField, Check, DateTimeField, Field, FieldAccessor
from peewee import JSONField as PeeweeJSONField
from peewee import Model as PeeweeModel

from portal.domain.folding import fold

from .connecting import database
from .reading import Select

SHORTEST_MOMENT = len("2026-12-01 00:00:00")
LONGEST_FOLDED = 800
"""One sign of a name may become several; of the longest names the end is not searched."""


class UTCDateTimeField(DateTimeField):
    """Aware in, aware out, on both engines; a naive datetime is our own mistake."""

    def db_value(self, value: datetime | None) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return super().db_value(
            (value if value.tzinfo is UTC else value.astimezone(UTC)).replace(tzinfo=None)
        )

    def python_value(self, value: Any) -> datetime | None:
        if type(value) is str and len(value) >= SHORTEST_MOMENT:
            # As SQLite keeps it; Peewee tries one format after the other.
            value = datetime.fromisoformat(value)
        else:
            value = super().python_value(value)
        if value is not None and value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value


class JSONField(PeeweeJSONField):
    """JSON text on SQLite, JSONB on PostgreSQL."""


class Checked(Field):
    """A column whose rule is told to the database too: SQLite alone would keep 'abc' in an integer column."""

    def rule(self, column: str) -> str:
        raise NotImplementedError

    def bind(self, model: Any, name: str, set_attribute: bool = True) -> None:
        column = self.column_name or name
        self.constraints = [*(self.constraints or []), Check(self.rule(f'"{column}"'))]
        super().bind(model, name, set_attribute)


class ShortText(Checked, CharField):
    """Text of at most `max_length` characters."""

    def rule(self, column: str) -> str:
        return f"length({column}) <= {self.max_length}"


class WholeNumber(Checked, BigIntegerField):
    """An integer; a fraction is our own mistake, which PostgreSQL alone would round."""

    def rule(self, column: str) -> str:
        return f"{column} = CAST({column} AS BIGINT)"

    def db_value(self, value: Any) -> Any:
        if value is not None and type(value) is not int:
            raise TypeError(f"{self.name} is a whole number, not {value!r}")
        return value


class MinorUnits(WholeNumber):
    """A whole amount in minor units of the currency beside it."""


class CurrencyCode(Checked, CharField):
    """An ISO 4217 code."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=3, **options)

    def rule(self, column: str) -> str:
        return f"length({column}) = 3 AND {column} = upper({column})"


class VocabularyWord(Checked, CharField):
    """One value of an enum of domain/vocabulary.py."""

    def __init__(self, words: type[StrEnum], **options: Any) -> None:
        self.words = words
        self._by_value = {word.value: word for word in words}
        super().__init__(max_length=max(len(value) for value in words), **options)

    def rule(self, column: str) -> str:
        listed = ", ".join(f"'{value}'" for value in self.words)
        return f"{column} IN ({listed})"

    def python_value(self, value: Any) -> Any:
        # In a list, calling the enum takes longer than reading the row.
        return None if value is None else self._by_value.get(value) or self.words(value)


class FoldedText(ShortText):
    """Another column of the row without capitals and accents, for searching. Written with it, by itself.

    NULL in rows that are older than the column, until the migration has folded them.
    """

    def __init__(self, *, of: str) -> None:
        self.of = of
        super().__init__(max_length=LONGEST_FOLDED, null=True)


@cache
def _kept_as_given(model: type[PeeweeModel]) -> frozenset[str]:
    """The columns whose attribute does nothing but keep the value."""
    return frozenset(name for name in model._meta.fields if type(model.__dict__.get(name)) is FieldAccessor)


class Model(PeeweeModel):
    id = AutoField()

    class Meta:
        database = database
        legacy_table_names = False

    def __init__(self, *, __no_default__: Any = False, **columns: Any) -> None:
        """As Peewee's, which makes a call of Python's for each column, also where it only keeps a value."""
        super().__init__(__no_default__=__no_default__)
        if columns:
            for name in columns.keys() - _kept_as_given(type(self)):
                setattr(self, name, columns.pop(name))
            self.__data__.update(columns)
            self._dirty.update(columns)  # type: ignore[attr-defined]

    if not TYPE_CHECKING:

        @classmethod
        def select(cls, *fields: Any) -> Any:
            return Select(cls, fields or cls._meta.sorted_fields, is_default=not fields)

    @classmethod
    def insert(cls, values: Any = None, /, **named: Any) -> Any:
        return super().insert(cls._with_folded(values, named))

    @classmethod
    def insert_many(cls, rows: Any, fields: Any = None) -> Any:
        return super().insert_many(
            [cls._with_folded(row, {}) for row in rows] if not fields else rows, fields
        )

    @classmethod
    def update(cls, values: Any = None, /, **named: Any) -> Any:
        return super().update(cls._with_folded(values, named))

    @classmethod
    def _with_folded(cls, values: Any, named: dict[str, Any]) -> dict[Any, Any]:
        """What is written, with the folded copy of each column that has one."""
        written = {**(values or {}), **named}
        for field in cls._meta.sorted_fields:
            if isinstance(field, FoldedText):
                text = written.get(field.of, written.get(cls._meta.fields[field.of]))
                if text is not None:
                    # Under the name that a copied row has it by already: one column, once.
                    key = field.name if field.name in written else field
                    written[key] = fold(text)[:LONGEST_FOLDED]
        return written
