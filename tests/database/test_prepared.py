"""Prepared queries answer what Peewee's own would."""

import pytest
from peewee import JOIN

from portal.database.prepared import Parameter, Prepared
from portal.models import Member, Person, Plan, Price, Subscription, Workspace
from tests.factories import a_workspace
from tests.visiting import facts


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
