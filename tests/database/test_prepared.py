"""Prepared queries answer what Peewee's own would."""

import pytest
from peewee import JOIN

from portal.database.prepared import Parameter, Parameters, Prepared, by_ids
from portal.models import Member, Person, Plan, Price, Subscription, Workspace
from tests.factories import a_workspace
from tests.visiting import facts

pytestmark = pytest.mark.both_engines


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize("model", [Workspace, Member, Person, Subscription])
def test_every_kind_of_column_is_read_alike(app, model) -> None:
    """Texts and whole numbers pass as they are; words, dates, instants, flags and JSON are made of them."""
    with facts(app):
        a_workspace()
        [expected] = model.select().limit(1).tuples()
        [found] = Prepared(lambda: model.select().limit(Parameter("size")).tuples()).rows(size=1)
        assert list(map(type, found)) == list(map(type, expected))
        assert found == expected


def test_a_model_is_read_alike(app) -> None:
    with facts(app):
        a_workspace()
        query = lambda: Member.select(Member, Workspace).join(Workspace).limit(1)  # noqa: E731
        [found], [expected] = Prepared(query).rows(), list(query())
        assert found.__data__ == expected.__data__
        assert found.workspace.__data__ == expected.workspace.__data__
        assert type(found.role) is type(expected.role)


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8])
def test_as_many_values_as_there_are(app, count) -> None:
    """Three are written as four, of which one equals nothing; none finds nothing."""
    with facts(app):
        slugs = [a_workspace(f"Acme {number}").slug for number in range(count)]
        a_workspace("Nobody asks for this one")
        query = Prepared(
            lambda: Workspace.select(Workspace.slug).where(Workspace.slug << Parameters("slugs"))
        )
        for _ in range(2):
            assert sorted(row.slug for row in query.rows(slugs=slugs)) == sorted(slugs)
        assert [row.slug for row in query.rows(slugs=["no-such-slug"])] == []


def test_rows_by_their_ids(app) -> None:
    with facts(app):
        first, second = a_workspace("Acme"), a_workspace("Bolt")
        found = by_ids(Workspace, {first.id, second.id, second.id + 1})
        assert {key: row.slug for key, row in found.items()} == {first.id: "acme", second.id: "bolt"}
        assert by_ids(Workspace, ()) == {}


def test_a_join_is_read_as_its_parts_are(app) -> None:
    with facts(app):
        a_workspace()
        [found] = (
            Subscription.select(Subscription, Plan, Price)
            .join_from(Subscription, Plan, on=Subscription.plan)
            .join_from(Subscription, Price, JOIN.LEFT_OUTER)
        )
        assert found.__data__ == Subscription.get().__data__
        assert found.plan.__data__ == Plan.get_by_id(found.plan_id).__data__
        # A trial has no price, and nobody asks for it again.
        assert found.__rel__["price"] is None
        assert not (found.dirty_fields or found.plan.dirty_fields)
