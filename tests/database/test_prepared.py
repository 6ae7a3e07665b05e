"""Prepared queries answer what Peewee's own would."""

import pytest

from portal.database.prepared import Parameter, Prepared
from portal.models import Member, Person, Subscription, Workspace
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
