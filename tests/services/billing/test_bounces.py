"""Mail that came back: only a genuine report marks an address, owners are told once, and nothing circles."""

import pytest

from portal.domain.vocabulary import LinkPurpose, Role
from portal.mail.reports import DeliveryReport
from portal.mail.return_address import return_address
from portal.models import AuditEntry, Contact, OutboxMessage, Person
from portal.runtime import current
from portal.services.billing import bounces, contacts
from portal.services.billing.bounces import LetterForgotten, NotOurLetter
from portal.services.people import signing_in
from tests.factories import a_contact, a_member, a_person, mailed_path
from tests.factories import letters as mailed
from tests.paying import a_place, buy

BOOKS = "books@accountant.test"
OWNER = "jeanne.martin@acme.example"
REASON = "550 5.1.1 no such mailbox"

pytestmark = pytest.mark.settings(PORTAL_BOUNCE_ADDRESS="bounces@portal.example")


def now():
    return current().clock.now()


def letter_to(address, template="order_confirmed"):
    return next(
        message
        for message in OutboxMessage.select().order_by(OutboxMessage.id.desc())
        if message.payload.get("to") == address and message.payload["template"] == template
    )


def a_report(letter, *, is_final=True, to=""):
    address = to or return_address(letter.id, letter.key, settings=current().settings)
    return DeliveryReport(addressed_to=(f"<{address}>",), is_final=is_final, reason=REASON)


def came_back(address, **options):
    return bounces.take(a_report(letter_to(address, **options)), now=now())


def addressees(template):
    return sorted(letter["to"] for letter in mailed(template))


def test_a_contact_is_marked_the_owner_is_told_and_the_others_still_get_mail(place) -> None:
    a_contact(place.workspace, BOOKS)
    a_contact(place.workspace, "other@accountant.test")
    buy(place)
    assert came_back(BOOKS)
    marked = Contact.get(Contact.email == BOOKS)
    assert (marked.bounced_at, marked.bounce_reason) == (current().clock.wall(), REASON)
    [notice] = mailed("contact_bounced")
    assert notice["to"] == OWNER
    assert (notice["context"]["address"], notice["context"]["reason"]) == (BOOKS, REASON)
    buy(place, "business-10")
    later = addressees("order_confirmed")
    assert later.count(BOOKS) == 1 and later.count("other@accountant.test") == 2 and later.count(OWNER) == 2
    [entry] = AuditEntry.select().where(AuditEntry.action == "contact.bounced")
    assert entry.subject == str(marked.id) and BOOKS not in str(entry.changes)


def test_once_confirmed_again_it_gets_mail_again(place) -> None:
    contact = a_contact(place.workspace, BOOKS)
    buy(place)
    came_back(BOOKS)
    assert contacts.send_link_again(place, contact, now=now())
    contacts.confirm(mailed_path("contact_confirmation").rpartition("/")[2], now=now())
    buy(place, "business-10")
    assert addressees("order_confirmed").count(BOOKS) == 2


def test_the_second_report_says_nothing_new(place) -> None:
    a_contact(place.workspace, BOOKS)
    buy(place)
    report = a_report(letter_to(BOOKS))
    assert bounces.take(report, now=now())
    assert not bounces.take(report, now=now())
    assert len(mailed("contact_bounced")) == 1


def test_a_late_letter_is_no_bounce(place) -> None:
    a_contact(place.workspace, BOOKS)
    buy(place)
    assert not bounces.take(a_report(letter_to(BOOKS), is_final=False), now=now())
    assert Contact.get().bounced_at is None


def test_a_report_about_a_letter_from_before_the_confirmation_is_passed_over(place, clock) -> None:
    contact = a_contact(place.workspace, BOOKS)
    buy(place)
    clock.advance_wall(days=1)
    Contact.update(confirmed_at=clock.wall()).where(Contact.id == contact.id).execute()
    assert not came_back(BOOKS)


def test_an_owner_s_own_address_stops_letters_about_money_until_they_use_a_link(place) -> None:
    ada = a_member(place.workspace, a_person("ada@acme.test", name="Ada Second"), role=Role.OWNER)
    buy(place)
    assert came_back("ada@acme.test")
    assert [(each["to"], each["context"]["is_contact"]) for each in mailed("contact_bounced")] == [
        (OWNER, False)
    ]
    assert [person.email for person in contacts.people_who_miss_mail(place.workspace)] == ["ada@acme.test"]
    buy(place, "business-10")
    assert addressees("order_confirmed").count("ada@acme.test") == 1
    # What the person asks for themselves is sent, and proves the address.
    signing_in.request_link("ada@acme.test", LinkPurpose.MAGIC)
    signing_in.sign_in_by_link(mailed_path("magic_link").rpartition("/")[2], now=now())
    assert Person.get_by_id(ada.person_id).bounced_at is None


def test_a_marked_owner_does_not_get_a_copy_by_another_name_either(place) -> None:
    """The address of the billing details is the owner's own, and they are a contact too."""
    a_contact(place.workspace, place.member)
    buy(place, email=OWNER)
    came_back(OWNER)
    buy(place, "business-10", email=OWNER)
    assert addressees("order_confirmed").count(OWNER) == 1


def test_the_owners_of_each_workspace_that_writes_there_are_told(place) -> None:
    other = a_place("Zenith", owner="Zoe Zenith")
    for each in (place, other):
        a_contact(each.workspace, BOOKS)
    buy(place)
    assert came_back(BOOKS)
    assert Contact.select().where(Contact.bounced_at.is_null()).count() == 0
    assert addressees("contact_bounced") == [OWNER, "zoe.zenith@acme.example"]


def test_a_notice_that_comes_back_makes_no_further_notice(place) -> None:
    a_member(place.workspace, a_person("ada@acme.test"), role=Role.OWNER)
    a_contact(place.workspace, BOOKS)
    buy(place)
    came_back(BOOKS)
    assert len(mailed("contact_bounced")) == 2
    assert came_back("ada@acme.test", template="contact_bounced")
    assert Person.get(Person.email == "ada@acme.test").bounced_at is not None
    assert len(mailed("contact_bounced")) == 2


def test_a_link_to_a_wrong_address_marks_the_contact_that_it_was_for(place) -> None:
    contacts.add_address(place, "nobody@accountant.test", language="en", now=now())
    assert came_back("nobody@accountant.test", template="contact_confirmation")
    assert len(mailed("contact_bounced")) == 1


def test_an_address_that_was_only_typed_is_nobodys_to_mark(place) -> None:
    buy(place)
    assert not came_back("compta@acme.example")
    assert mailed("contact_bounced") == []


def test_a_forged_return_address_is_nobodys(place) -> None:
    a_contact(place.workspace, BOOKS)
    buy(place)
    letter = letter_to(BOOKS)
    genuine = return_address(letter.id, letter.key, settings=current().settings)
    local, domain = genuine.split("@")
    other = letter_to(OWNER)
    for forged in (
        f"bounces+{letter.id}-{'a' * 20}@{domain}",
        f"bounces+{letter.id}@{domain}",
        f"bounces+{other.id}-{local.rpartition('-')[2]}@{domain}",
        f"bounces+999999999999-{local.rpartition('-')[2]}@{domain}",
        f"{local}@elsewhere.example",
        f"{local}@{domain}.evil.example",
        f"x{genuine}",
        "bounces@portal.example",
        "",
    ):
        with pytest.raises(NotOurLetter):
            bounces.take(a_report(letter, to=forged or "nobody@portal.example"), now=now())
    assert Contact.get().bounced_at is None
    # Mail servers on the way may change the case.
    assert bounces.take(a_report(letter, to=genuine.upper()), now=now())


def test_a_letter_whose_address_is_forgotten_marks_nobody(place) -> None:
    buy(place)
    letter = letter_to(OWNER)
    OutboxMessage.update(payload={"template": "order_confirmed"}).where(
        OutboxMessage.id == letter.id
    ).execute()
    with pytest.raises(LetterForgotten):
        bounces.take(a_report(letter), now=now())
