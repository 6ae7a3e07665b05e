"""What tests/quick_sql.py writes is, letter for letter, what Peewee writes."""

import peewee
import pytest
from peewee import JOIN, PostgresqlDatabase, SqliteDatabase, Table

from portal import models
from portal.models import Member, Order, Person, Workspace
from tests import quick_sql

MODELS = sorted(
    (each for each in vars(models).values() if isinstance(each, type) and issubclass(each, peewee.Model)),
    key=lambda model: model.__name__,
)
ENGINES = [SqliteDatabase(None), PostgresqlDatabase(None)]


def queries(*, locks):
    """Of every model what is asked of it, and each way in which a table may be named."""
    for model in MODELS:
        key = model._meta.primary_key
        yield model.select().where(key == 1).order_by(key.desc())
        beside = model.select().where(key << model.select(key).where(key > 3))
        yield beside.for_update(of=model) if locks else beside
        yield model.insert({key: 1})
        yield model.update({key: 2}).where(key == 1)
        yield model.delete().where(key << [1, 2]).returning(key)
        other = model.alias()
        yield model.select(model, other).join(other, JOIN.LEFT_OUTER, on=other._meta.primary_key == key)
    named = Person.alias("named")
    yield Member.select(Member, Workspace, named).join(Workspace).switch(Member).join(named)
    yield Order.select(peewee.fn.COUNT(Order.id).filter(Order.id > 1)).group_by(Order.workspace)
    yield Person.insert(email="a@b.example").on_conflict(
        conflict_target=[Person.email], update={Person.name: peewee.EXCLUDED.name}
    )
    inner = Workspace.select(Workspace.id.alias("x")).alias("inner")
    yield Workspace.select(inner.c.x).join(inner, on=inner.c.x == Workspace.id)
    yield Workspace.select(Workspace.id) | Workspace.select(Workspace.id).where(Workspace.id == 3)
    table = Table('odd "name', ("id", 'a"b'))
    yield table.select(getattr(table, 'a"b')).where(table.id == 1)
    aliased = table.alias("other")
    yield table.select(aliased.id).join(aliased, on=aliased.id == table.id)


def written(database):
    """Text and values of each query; values as Python shows them: wrappers of a driver are never equal."""
    contexts = [database.get_sql_context().sql(query) for query in queries(locks=database.for_update)]
    return [(text, repr(values)) for text, values in (context.query() for context in contexts)]


@pytest.mark.parametrize("database", ENGINES, ids=["sqlite", "postgresql"])
def test_every_query_is_what_peewee_writes(database, monkeypatch):
    monkeypatch.setattr(peewee.Column, "__sql__", quick_sql.column_sql)
    monkeypatch.setattr(peewee.Field, "__sql__", quick_sql.field_sql)
    quick = written(database)
    monkeypatch.setattr(peewee.Column, "__sql__", quick_sql.COLUMN_OF_PEEWEE)
    monkeypatch.setattr(peewee.Field, "__sql__", quick_sql.FIELD_OF_PEEWEE)
    assert quick == written(database)
    assert len(quick) > 6 * len(MODELS) > 100
