"""The SQL of a query's columns, held against Peewee's own."""

import pytest
from peewee import JOIN, ModelSelect, fn

from portal.database.reading import Select
from portal.models import ALL_MODELS, Member, Order, Plan, Subscription, Workspace

Pending = Plan.alias()
Named = Workspace.alias("home")

QUERIES = {
    "every table": lambda: [model.select() for model in ALL_MODELS],
    "a join": lambda: Order.select(Order, Workspace).join(Workspace).where(Order.id == 3),
    "some columns": lambda: Member.select(Member.role, Member.id).order_by(Member.id),
    "an alias beside its model": lambda: (
        Subscription.select(Subscription, Plan.code, Pending)
        .join_from(Subscription, Plan)
        .join_from(Subscription, Pending, JOIN.LEFT_OUTER, on=Subscription.scheduled_plan == Pending.id)
    ),
    "an alias with a name": lambda: Workspace.select(Named, Workspace.id).join(
        Named, on=Named.id == Workspace.id
    ),
    "functions and values": lambda: Member.select(fn.COUNT(Member.id), Member.role.alias("as"), 7, Member),
    "rows that others name": lambda: Order.select().where(
        Order.workspace << Workspace.select().where(Workspace.slug == "acme"),
        fn.EXISTS(Member.select(Member.id).where(Member.workspace == Order.workspace)),
    ),
    "a query to select from": lambda: Member.select(fn.COUNT("*")).from_(Member.select().limit(2)),
    "two of one kind": lambda: Workspace.select(Workspace.id) | Named.select(Named.id),
}


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_columns_are_named_as_peewee_names_them(database, query, monkeypatch) -> None:
    def written() -> list[object]:
        asked = query()
        return [each.sql() for each in (asked if isinstance(asked, list) else [asked])]

    ours = written()
    monkeypatch.setattr(Select, "__sql_selection__", ModelSelect.__sql_selection__)
    assert ours == written()
