"""The row of tabs under the workspace's name: what one may see, where one is, and one name for each page."""

from xml.etree.ElementTree import Element

import pytest

from portal.domain.vocabulary import MemberStatus, Role
from tests.factories import a_member, a_person, owner_of
from tests.pages import by_testid, parse, text_of
from tests.paying import a_place
from tests.visiting import facts, visit_as

pytestmark = pytest.mark.engine("sqlite")
BILLING = ["Overview", "Plans", "Subscriptions", "History", "Payment", "Settings", "Contacts"]
AREAS = ["Billing", "Members", "Services", "Workspace"]


@pytest.fixture
def place(app, client):
    with facts(app):
        place = a_place()
        visit_as(client, owner_of(place.workspace))
        return place


def tabs(client, path: str) -> list[Element]:
    """The links of the row, areas first, then the pages of the one that is open."""
    page = parse(client.get(path).get_data(as_text=True))
    rows = by_testid(page, "workspace-tabs")
    return list(rows[0].iter("a")) if rows else []


def names(links: list[Element]) -> list[str]:
    return [text_of(link) for link in links]


def where_one_is(links: list[Element]) -> list[str]:
    return [text_of(link) for link in links if link.get("aria-current")]


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("billing", ["Billing", "Overview"]),
        ("plans", ["Billing", "Plans"]),
        ("auto-renewal", ["Billing", "Plans"]),
        ("plans/free", ["Billing", "Plans"]),
        ("subscriptions", ["Billing", "Subscriptions"]),
        ("subscriptions/new", ["Billing", "Subscriptions"]),
        ("history", ["Billing", "History"]),
        ("payment-methods", ["Billing", "Payment"]),
        ("billing-settings", ["Billing", "Settings"]),
        ("contacts", ["Billing", "Contacts"]),
    ],
)
def test_billing_has_a_tab_for_each_of_its_pages(client, place, path, here) -> None:
    links = tabs(client, f"/w/acme/{path}")
    assert names(links) == AREAS + BILLING
    assert where_one_is(links) == here


@pytest.mark.parametrize(("path", "here"), [("services", "Services"), ("settings", "Workspace")])
def test_an_area_of_one_page_has_no_second_row(client, place, path, here) -> None:
    links = tabs(client, f"/w/acme/{path}")
    assert names(links) == AREAS
    assert where_one_is(links) == [here]


@pytest.mark.parametrize(
    ("path", "here"), [("members", ["Members", "Members"]), ("licences", ["Members", "Licences"])]
)
def test_members_and_their_licences_share_an_area(client, place, path, here) -> None:
    links = tabs(client, f"/w/acme/{path}")
    assert names(links) == [*AREAS, "Members", "Licences"]
    assert where_one_is(links) == here


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_page_has_one_name_in_its_tab_its_heading_and_its_title(client, place, language) -> None:
    for path in (
        "billing",
        "plans",
        "subscriptions",
        "history",
        "payment-methods",
        "billing-settings",
        "contacts",
        "members",
        "licences",
        "services",
        "settings",
    ):
        address = f"/w/acme/{path}?lang={language}"
        page = parse(client.get(address).get_data(as_text=True))
        heading, title = text_of(next(page.iter("h1"))), text_of(next(page.iter("title")))
        assert where_one_is(tabs(client, address))[-1] == heading, path
        assert title.startswith(f"{heading} –"), path


@pytest.mark.parametrize(("language", "name"), [("en", "Payment"), ("fr", "Paiement")])
def test_the_page_of_the_payment_methods_is_called_the_same_wherever_it_is_named(
    client, place, language, name
) -> None:
    """As sources 3 and 4 call it, and unlike the plans, which are "Payments" behind the gear."""

    def labels(path: str) -> list[str]:
        page = parse(client.get(f"/w/acme/{path}?lang={language}").get_data(as_text=True))
        return [text_of(link) for link in page.iter("a") if link.get("href") == "/w/acme/payment-methods"]

    assert labels("payment-methods") == [name, name]
    back, see = {
        "en": ("Back to the Payment page", "See the Payment page"),
        "fr": ("Retour à la page Paiement", "Voir la page Paiement"),
    }[language]
    assert labels("payment-methods/new") == [name, name, back]
    assert labels("licences") == [name, see]
    page = parse(client.get(f"/w/acme/payment-methods?lang={language}").get_data(as_text=True))
    gear = [text_of(link) for link in by_testid(page, "settings-menu")[0].iter("a")]
    assert gear[0] == {"en": "Payments", "fr": "Paiements"}[language]


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        (Role.BILLING_MANAGER, ["Billing", "Licences", *BILLING]),
        (Role.ADMIN, ["Billing", "Members", "Services", "Overview", "Plans", "Subscriptions", "History"]),
        (Role.MEMBER, ["Billing", "Licences", "Overview", "Plans", "Subscriptions", "History"]),
    ],
)
def test_what_one_may_not_open_has_no_tab(app, client, place, role, seen) -> None:
    with facts(app):
        member = a_member(place.workspace, a_person("other@acme.test"), role=role)
        visit_as(client, member.person)
    assert names(tabs(client, "/w/acme/plans")) == seen


def test_where_one_page_of_an_area_is_seen_the_tab_has_its_name(app, client, place) -> None:
    with facts(app):
        member = a_member(place.workspace, a_person("other@acme.test"))
        visit_as(client, member.person)
    links = tabs(client, "/w/acme/licences")
    assert names(links) == ["Billing", "Licences"]
    assert where_one_is(links) == ["Licences"]


def test_a_guest_has_the_way_to_their_licences_alone(app, client, place) -> None:
    with facts(app):
        guest = a_member(place.workspace, a_person("guest@acme.test"), status=MemberStatus.GUEST)
        visit_as(client, guest.person)
    assert names(tabs(client, "/w/acme/")) == ["Licences"]


def test_outside_a_workspace_there_are_no_tabs(client, place) -> None:
    assert tabs(client, "/me") == []
    assert tabs(client, "/pricing") == []
