"""Who gets the letters about money in copy: added, asked, told, removed; and each address one mail."""

from datetime import timedelta

import pytest
from peewee import IntegrityError

from portal.domain.errors import LinkUnusable
from portal.domain.vocabulary import LinkPurpose, MemberStatus, Role
from portal.models import Contact, Link, Member, OutboxMessage, Person
from portal.runtime import current
from portal.services import letters
from portal.services.billing import contacts
from portal.services.billing.contacts import AlreadyContact, ContactsFull, MemberDisabled, NoSuchMember
from portal.services.members import changes
from portal.services.people import links
from tests.factories import a_contact, a_member, a_person, a_workspace, mailed_path, seen_by
from tests.factories import letters as mailed
from tests.paying import a_place, buy

BOOKS = "books@accountant.test"


def now():
    return current().clock.now()


def added(place, email=BOOKS, language="fr"):
    return contacts.add_address(place, email, language=language, now=now())


def token_of(template="contact_confirmation"):
    return mailed_path(template).rpartition("/")[2]


def addressees(template):
    return sorted(letter["to"] for letter in mailed(template))


# --- adding ---------------------------------------------------------------------------------------


def test_a_member_from_the_list_gets_the_next_letter(place) -> None:
    paul = a_member(place.workspace, a_person("paul@acme.test", name="Paul Roux", language="fr"))
    contact = contacts.add_member(place, paul.id, now=now())
    assert contact.gets_mail
    assert mailed("contact_confirmation") == []
    buy(place)
    [letter] = [each for each in mailed("order_confirmed") if each["to"] == "paul@acme.test"]
    assert letter["locale"] == "fr"
    assert letter["context"]["name"] == "Paul Roux"
    assert letter["context"]["ask_instead"] == ["Jeanne Martin"]
    assert [each["locale"] for each in letter["attachments"]] == ["fr"]


def test_an_address_gets_letters_once_somebody_there_has_agreed(place) -> None:
    contact = added(place, "Books@Accountant.test")
    assert (contact.email, contact.is_confirmed) == (BOOKS, False)
    buy(place)
    assert BOOKS not in addressees("order_confirmed")
    [asked] = mailed("contact_confirmation")
    assert (asked["to"], asked["locale"], asked["context"]["by"]) == (BOOKS, "fr", "Jeanne Martin")
    contacts.confirm(token_of(), now=now())
    buy(place, "business-10")
    assert BOOKS in addressees("order_confirmed")
    with pytest.raises(LinkUnusable):
        contacts.confirm(token_of(), now=now())


def test_a_member_whose_address_is_not_proved_is_asked_first(place) -> None:
    paul = a_member(place.workspace, a_person("paul@acme.test", proved=False), joined=False)
    assert not contacts.add_member(place, paul.id, now=now()).is_confirmed
    assert [letter["to"] for letter in mailed("contact_confirmation")] == ["paul@acme.test"]
    # A link to sign in proves the address as well.
    Person.update(email_proved_at=now()).where(Person.id == paul.person_id).execute()
    assert contacts.find_contact(place.workspace, Contact.get().id).gets_mail


def test_the_address_of_a_member_is_the_member(place) -> None:
    paul = a_member(place.workspace, a_person("paul@acme.test"))
    assert added(place, "Paul@ACME.test").member_id == paul.id


@pytest.mark.parametrize("email", [BOOKS, "BOOKS@accountant.test", "paul@acme.test"])
def test_a_contact_twice_is_refused(place, email) -> None:
    a_contact(place.workspace, BOOKS, confirmed=False)
    a_contact(place.workspace, a_member(place.workspace, a_person("paul@acme.test")))
    with pytest.raises(AlreadyContact):
        added(place, email)
    assert Contact.select().count() == 2


def test_a_disabled_member_is_refused_by_name_and_by_address(place) -> None:
    gone = a_member(place.workspace, a_person("gone@acme.test"), status=MemberStatus.DISABLED)
    with pytest.raises(MemberDisabled):
        contacts.add_member(place, gone.id, now=now())
    with pytest.raises(MemberDisabled):
        added(place, "gone@acme.test")


def test_a_member_of_another_workspace_is_nobody_here(place) -> None:
    other = Member.get(Member.workspace == a_workspace("Zenith"))
    with pytest.raises(NoSuchMember):
        contacts.add_member(place, other.id, now=now())
    assert other.id not in [member.id for member in contacts.members_to_add(place.workspace)]


def test_there_is_a_most(place, monkeypatch) -> None:
    monkeypatch.setattr(contacts, "MOST_CONTACTS", 1)
    a_contact(place.workspace)
    with pytest.raises(ContactsFull) as refused:
        added(place, "other@accountant.test")
    assert refused.value.most == 1


def test_the_database_refuses_what_no_contact_is(place) -> None:
    """An address twice, neither address nor member, both; a link to a person and a contact, or to nobody."""
    contact = a_contact(place.workspace)
    member = place.member
    wrong = (
        lambda: a_contact(place.workspace),
        lambda: Contact.create(workspace=place.workspace, created_at=now()),
        lambda: Contact.create(
            workspace=place.workspace, member=member, email="x@y.test", language="fr", created_at=now()
        ),
        lambda: a_link(person=None, contact=None),
        lambda: a_link(person=member.person_id, contact=contact),
    )
    for write in wrong:
        with pytest.raises(IntegrityError), Contact._meta.database.atomic():
            write()


def a_link(**whose):
    Link.create(
        token_hash="x" * 64,
        purpose=LinkPurpose.CONTACT,
        created_at=now(),
        expires_at=now() + timedelta(days=1),
        **whose,
    )


# --- who gets what --------------------------------------------------------------------------------


def test_each_address_gets_one_mail_whatever_it_is(place) -> None:
    """The owner is a contact too, and the address of the billing details is one: they are mailed once."""
    a_contact(place.workspace, place.member)
    a_contact(place.workspace, "compta@acme.example", language="fr")
    a_contact(place.workspace, BOOKS, language="en")
    a_contact(place.workspace, "waits@accountant.test", confirmed=False)
    buy(place)
    assert addressees("order_confirmed") == [BOOKS, "compta@acme.example", "jeanne.martin@acme.example"]
    locales = {letter["to"]: letter["locale"] for letter in mailed("order_confirmed")}
    assert (locales[BOOKS], locales["compta@acme.example"]) == ("en", "fr")
    owners = [letter for letter in mailed("order_confirmed") if letter["to"].startswith("jeanne")]
    assert "ask_instead" not in owners[0]["context"]


def test_what_is_not_about_money_goes_to_no_contact(place) -> None:
    a_contact(place.workspace)
    letters.send(
        "trial_last_day",
        to=letters.owners(place.workspace),
        workspace=place.workspace,
        key="last-day",
        context={"due_on": "2026-12-21"},
    )
    assert addressees("trial_last_day") == ["jeanne.martin@acme.example"]


def test_the_same_letter_again_reaches_nobody_twice(place) -> None:
    contact = a_contact(place.workspace)
    for _ in range(2):
        letters.send(
            "plan_begun",
            to=letters.billing_people(place.workspace),
            workspace=place.workspace,
            key="plan-begun-1",
            context={"plan_names": {"en": "Startup", "fr": "Startup"}},
        )
        # Removed and added again they are the same reader.
        contacts.remove(place, contact, now=now())
        contact = a_contact(place.workspace)
    assert addressees("plan_begun") == [BOOKS, "jeanne.martin@acme.example"]


def test_a_contact_of_one_workspace_hears_nothing_of_another(place) -> None:
    a_contact(a_place("Zenith", owner="Ada Zen").workspace)
    buy(place)
    assert BOOKS not in addressees("order_confirmed")


def test_a_disabled_member_gets_nothing_and_a_removed_one_is_no_contact(place) -> None:
    paul = a_member(place.workspace, a_person("paul@acme.test"))
    contacts.add_member(place, paul.id, now=now())
    changes.disable(place, paul, now=now())
    buy(place)
    assert "paul@acme.test" not in addressees("order_confirmed")
    changes.remove(place, paul, now=now())
    assert contacts.list_contacts(place.workspace) == []


# --- again, and no more ---------------------------------------------------------------------------


def test_another_link_ends_the_older_one(place) -> None:
    contact = added(place)
    older = token_of()
    assert contacts.send_link_again(place, contact, now=now())
    with pytest.raises(LinkUnusable):
        contacts.open_confirmation(older)
    assert contacts.open_confirmation(token_of()).workspace.name == "Acme"
    contacts.confirm(token_of(), now=now())
    assert not contacts.send_link_again(place, contact, now=now())


def test_a_link_is_good_for_its_days_and_dies_with_its_contact(place, clock) -> None:
    contact = added(place)
    clock.advance_wall(days=links.LIFE_OF_LINK[LinkPurpose.CONTACT].days)
    with pytest.raises(LinkUnusable):
        contacts.confirm(token_of(), now=now())
    contacts.send_link_again(place, contact, now=now())
    contacts.remove(place, contact, now=now())
    contacts.remove(place, contact, now=now())
    with pytest.raises(LinkUnusable):
        contacts.confirm(token_of(), now=now())
    assert Link.select().where(Link.purpose == LinkPurpose.CONTACT).count() == 0


def test_a_link_of_another_purpose_confirms_nobody(place) -> None:
    with pytest.raises(LinkUnusable):
        contacts.confirm("nothing", now=now())
    added(place)
    with pytest.raises(LinkUnusable):
        links.open_link(token_of(), LinkPurpose.MAGIC)


def test_the_list_says_who_may_manage_billing(place) -> None:
    a_contact(place.workspace, "books@accountant.test")
    a_contact(place.workspace, "manager@acme.test")
    a_member(place.workspace, a_person("manager@acme.test"), role=Role.BILLING_MANAGER)
    a_contact(place.workspace, a_member(place.workspace, a_person("paul@acme.test")))
    rows = contacts.list_contacts(place.workspace)
    assert [(row.contact.address, row.may_manage_billing) for row in rows] == [
        (BOOKS, False),
        ("manager@acme.test", True),
        ("paul@acme.test", False),
    ]


def test_deleting_the_workspace_forgets_contacts_and_what_is_on_its_way_to_them(place) -> None:
    from portal.services.workspace import deletion

    a_contact(place.workspace, place.member)
    a_contact(place.workspace)
    added(place, "waits@accountant.test")
    buy(place)
    assert deletion.delete_by_owner(seen_by(place.member.person, place.workspace), now=now())
    assert Contact.select().count() == 0
    assert Link.select().count() == 0
    for message in OutboxMessage.select():
        assert "accountant.test" not in str(message.payload)
