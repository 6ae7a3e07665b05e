"""The Contacts page: somebody added from the list or typed, another link, removal, an invitation."""

import pytest

from portal.domain.vocabulary import LinkPurpose, MemberStatus, Role
from portal.models import Contact, Member, Person
from portal.runtime import current
from portal.services.people import links
from tests.factories import a_contact, a_member, a_person, a_workspace, letters, mailed_path, owner_of
from tests.pages import by_testid, parse, text_of
from tests.paying import a_place
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
PAGE = "/w/acme/contacts"
BOOKS = "books@accountant.test"


@pytest.fixture
def place(app, client):
    with facts(app):
        place = a_place()
        visit_as(client, owner_of(place.workspace))
        return place


def rows(client, language="en"):
    page = parse(client.get(f"{PAGE}?lang={language}").get_data(as_text=True))
    return [" ".join(text_of(row).split()) for row in by_testid(page, "contact-row")]


def flashed(client):
    page = parse(client.get(PAGE).get_data(as_text=True))
    return [text_of(each).strip() for each in by_testid(page, "flash")]


def test_a_member_from_the_list_is_a_contact_at_once(app, client, place) -> None:
    with facts(app):
        paul = a_member(place.workspace, a_person("paul@acme.test", name="Paul Roux"))
    page = client.get(PAGE).get_data(as_text=True)
    assert "Paul Roux (paul@acme.test)" in page
    answer = post_form(client, PAGE, member=paul.id, email="", language="en")
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    assert flashed(client) == ["paul@acme.test now gets every billing e-mail."]
    [row] = rows(client)
    assert row.startswith("Paul Rouxpaul@acme.test English Gets every e-mail")
    assert "Paul Roux (paul@acme.test)" not in client.get(PAGE).get_data(as_text=True)


def test_an_address_is_sent_a_link_that_anybody_may_use_once(app, client, place) -> None:
    assert post_form(client, PAGE, member="", email=BOOKS, language="fr").status_code == 303
    assert "They get the billing e-mails once they have used it." in flashed(client)[0]
    assert rows(client)[0].startswith("books@accountant.test Français Not confirmed yet Send the link again")
    with facts(app):
        path = mailed_path("contact_confirmation")
    stranger = app.test_client()
    page = stranger.get(f"{path}?lang=en")
    assert "Get the billing e-mails of Acme" in page.text and BOOKS in page.text
    answer = post_form(stranger, path)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/contact-confirmed")
    assert "Your address is confirmed" in stranger.get("/contact-confirmed?lang=en").text
    assert stranger.get(path).status_code == 404
    assert rows(client)[0].startswith("books@accountant.test Français Gets every e-mail")


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({}, "email", "Choose a member, or enter an e-mail address."),
        ({"email": "nonsense"}, "email", "Enter an e-mail address in the correct format"),
        ({"email": "a@b.test\r\nBcc: c@d.test"}, "email", "Check this text"),
        ({"email": BOOKS.upper()}, "email", "This address is a billing contact already."),
        ({"email": "gone@acme.test"}, "email", "This is the address of a disabled member."),
        ({"email": "x@y.test", "member": "{paul}"}, "email", "not both"),
        ({"member": "999999"}, "member", "Choose an option from the list."),
        ({"member": "{gone}"}, "member", "Choose an option from the list."),
        ({"email": "x@y.test", "language": "de"}, "language", "Choose an option from the list."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(app, client, place, fields, field, sentence) -> None:
    with facts(app):
        ids = {
            "paul": a_member(place.workspace, a_person("paul@acme.test")).id,
            "gone": a_member(place.workspace, a_person("gone@acme.test"), status=MemberStatus.DISABLED).id,
        }
        a_contact(place.workspace, BOOKS)
    sent = {"member": "", "email": "", "language": "en"} | {
        name: text.format(**ids) for name, text in fields.items()
    }
    answer = post_form(client, PAGE, **sent)
    assert answer.status_code == 422
    page = parse(answer.text)
    [beside] = [each for each in page.iter() if each.get("id") == f"{field}-error"]
    assert sentence in text_of(beside)
    with facts(app):
        assert Contact.select().count() == 1


def test_removal_is_asked_first(app, client, place) -> None:
    with facts(app):
        contact = a_contact(place.workspace, BOOKS)
    assert f"Remove {BOOKS}?" in client.get(f"{PAGE}/{contact.id}/remove").text
    assert post_form(client, f"{PAGE}/{contact.id}/remove").status_code == 303
    assert flashed(client) == [f"{BOOKS} is no longer a billing contact."]
    assert rows(client) == []
    assert client.get(f"{PAGE}/{contact.id}/remove").status_code == 404


def test_another_link_is_sent_where_one_is_needed(app, client, place) -> None:
    with facts(app):
        contact = a_contact(place.workspace, BOOKS, confirmed=False)
    assert post_form(client, f"{PAGE}/{contact.id}/link", shown_at=PAGE).status_code == 303
    with facts(app):
        assert [each["to"] for each in letters("contact_confirmation")] == [BOOKS]


def test_what_came_back_is_told_on_the_page(app, client, place) -> None:
    with facts(app):
        wall = current().clock.wall()
        contact = a_contact(place.workspace, BOOKS)
        Contact.update(bounced_at=wall, bounce_reason="550 <b>no</b>").where(
            Contact.id == contact.id
        ).execute()
        Person.update(bounced_at=wall).where(Person.id == place.member.person_id).execute()
    page = client.get(PAGE).get_data(as_text=True)
    assert "Our e-mails to Jeanne Martin come back" in page
    assert "E-mail came back" in page and "550 &lt;b&gt;no&lt;/b&gt;" in page
    assert "Send the link again" in rows(client)[0]


def test_an_owner_lets_a_contact_manage_billing(app, client, place) -> None:
    with facts(app):
        contact = a_contact(place.workspace, BOOKS)
    assert "Let them manage billing" in rows(client)[0]
    assert f"Let {BOOKS} manage billing?" in client.get(f"{PAGE}/{contact.id}/invite").text
    assert post_form(client, f"{PAGE}/{contact.id}/invite").status_code == 303
    assert "Invited to manage billing" in rows(client)[0]
    with facts(app):
        invited = Member.get(Member.person == Person.get(Person.email == BOOKS))
        assert (invited.role, invited.joined_at) == (Role.BILLING_MANAGER, None)
        assert [each["to"] for each in letters("invitation")] == [BOOKS]
    answer = post_form(client, f"{PAGE}/{contact.id}/invite")
    assert answer.status_code == 422 and "They are a member already." in answer.text


def test_a_member_s_role_is_changed_on_their_own_page_and_by_owners_alone(app, client, place) -> None:
    with facts(app):
        paul = a_member(place.workspace, a_person("paul@acme.test"))
        contact = a_contact(place.workspace, paul)
        manager = a_member(place.workspace, a_person("manager@acme.test"), role=Role.BILLING_MANAGER)
    assert f'href="/w/acme/members/{paul.id}"' in client.get(PAGE).text
    assert client.get(f"{PAGE}/{contact.id}/invite").status_code == 404
    with facts(app):
        visit_as(client, manager.person)
    assert "Change their role" not in client.get(PAGE).text


def test_contacts_of_another_workspace_do_not_exist(app, client, place) -> None:
    with facts(app):
        other = a_contact(a_workspace("Zenith"), BOOKS)
    for act in ("remove", "invite", "link"):
        assert post_form(client, f"{PAGE}/{other.id}/{act}", shown_at=PAGE).status_code == 404
    assert client.get(f"{PAGE}/2147483648/remove").status_code == 404


@pytest.mark.settings(PORTAL_LIMITS="1")
def test_twenty_a_day_and_no_more(app, client, place) -> None:
    for number in range(20):
        sent = post_form(client, PAGE, member="", email=f"c{number}@accountant.test", language="en")
        assert sent.status_code == 303
    refused = post_form(client, PAGE, member="", email="one-more@accountant.test", language="en")
    assert refused.status_code == 429


def test_another_link_is_no_way_in(app, client, place) -> None:
    with facts(app):
        from portal.database.connecting import transaction

        with transaction():
            token, _link = links.make_link(owner_of(place.workspace), LinkPurpose.MAGIC)
    assert client.get(f"/contact/{token}").status_code == 404
