"""Acme, and its owner's browser. Rows may be arranged and read back between pages."""

import pytest

from portal.database.connecting import connection
from tests import paying
from tests.factories import owner_of
from tests.visiting import seen_by


@pytest.fixture(autouse=True)
def connected(app):
    with connection():
        yield


@pytest.fixture
def acme(app):
    return paying.a_place()


@pytest.fixture
def owner(app, acme):
    return seen_by(app, owner_of(acme.workspace))
