"""The pages of a workspace that somebody left for good: they open, and call nobody by a placeholder."""

import pytest

from portal.database.connecting import connection
from portal.models import Person
from portal.services.people import erasure
from tests import paying
from tests.factories import a_person
from tests.traces import leave_traces
from tests.visiting import visit_as

pytestmark = pytest.mark.engine("sqlite")

PAGES = (
    "",
    "plans",
    "history",
    "history?show=all",
    "subscriptions",
    "payment-methods",
    "billing-settings",
    "contacts",
    "members",
    "licences",
    "requests",
    "requests/R0",
    "requests/R1",
    "settings",
    "cart",
)


@pytest.fixture(autouse=True)
def connected(app):
    with connection():
        yield


def test_every_page_opens_without_them(app, client, clock):
    place = paying.a_place()
    gone = leave_traces(place, clock)
    erasure.erase(gone.email, now=clock.now())
    visit_as(client, place.member.person)
    said = {}
    for page in PAGES:
        answer = client.get(f"/w/acme/{page}", follow_redirects=True)
        assert answer.status_code == 200, page
        said[page] = answer.text
    assert "Someone who has left" in said["requests"]
    assert "erased" not in " ".join(said.values()).lower().replace("is erased", "")


def test_operators_read_that_the_buyer_has_left(app, client, clock):
    place = paying.a_place()
    gone = leave_traces(place, clock)
    erasure.erase(gone.email, now=clock.now())
    visit_as(client, a_person("staff@vendor.test", operator=True))
    page = client.get("/operator/workspaces/acme")
    assert page.status_code == 200
    assert "Someone who has left" in page.text
    assert Person.erased_address(gone.id) not in page.text
