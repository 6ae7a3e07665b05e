"""Another address for an account: asked, proved, told, and undone by its owner."""

from datetime import timedelta

import pytest

from portal.database.connecting import transaction
from portal.domain.errors import LinkUnusable
from portal.domain.vocabulary import LinkPurpose
from portal.models import AuditEntry, Link, OutboxMessage, Person, Session
from portal.runtime import current
from portal.services import letters as service_letters
from portal.services.people import links, own_email, signing_in
from portal.services.people.own_email import AddressTaken, EmailUnchanged
from portal.services.people.signing_in import PasswordWrong
from tests.factories import PASSWORD, a_person, a_workspace, letters, mailed_path

pytestmark = pytest.mark.usefixtures("runtime")
OLD, NEW = "jeanne@acme.test", "jeanne@new.test"


def now():
    return current().clock.now()


@pytest.fixture
def jeanne(runtime):
    return a_person(OLD)


def ask(person, email=NEW, password=PASSWORD):
    own_email.ask(person, email=email, password=password, now=now())


def token_of(template):
    return mailed_path(template).rpartition("/")[2]


def confirm(token=None, keep_session=None):
    return own_email.confirm(token or token_of("new_email"), keep_session=keep_session, now=now())


def address(person):
    return Person.get_by_id(person.id).email


def a_session(person, number=0):
    wall = current().clock.wall()
    return Session.create(
        token_hash=f"{number:064d}",
        person=person,
        stored={},
        ip_address="127.0.0.1",
        user_agent="",
        created_at=wall,
        seen_at=wall,
    )


def test_nothing_changes_before_the_link_is_used(jeanne):
    ask(jeanne, "Jeanne@NEW.test")
    assert address(jeanne) == OLD
    [letter] = letters("new_email")
    assert letter["to"] == NEW
    links.open_link(token_of("new_email"), LinkPurpose.NEW_EMAIL)
    assert address(jeanne) == OLD


def test_the_link_gives_the_address_proves_it_and_ends_other_sessions(jeanne):
    Person.update(email_proved_at=None).execute()
    here, elsewhere = a_session(jeanne, 1), a_session(jeanne, 2)
    ask(jeanne)
    confirm(keep_session=here)
    changed = Person.get_by_id(jeanne.id)
    assert (changed.email, changed.email_proved_at) == (NEW, current().clock.wall())
    assert changed.folded_email == NEW
    assert [session.id for session in Session.select()] == [here.id]
    assert signing_in.authenticate(NEW, PASSWORD) == jeanne
    assert signing_in.authenticate(OLD, PASSWORD) is None
    assert elsewhere.id != here.id
    acts = AuditEntry.select().where(AuditEntry.action.startswith("person.")).order_by(AuditEntry.id)
    assert [entry.action for entry in acts] == [
        "person.email_change_asked",
        "person.email_changed",
    ]


def test_the_session_of_somebody_else_is_not_kept_nor_ended(jeanne):
    """The link was opened in a browser that another person is signed in with."""
    leo = a_person("leo@acme.test")
    mine, theirs = a_session(jeanne, 1), a_session(leo, 2)
    ask(jeanne)
    confirm(keep_session=theirs)
    assert [session.id for session in Session.select()] == [theirs.id]
    assert mine.id != theirs.id


@pytest.mark.parametrize("password", ["", "wrong-violin-7-kelp", PASSWORD + " "])
def test_without_the_password_nothing_is_sent(jeanne, password):
    with pytest.raises(PasswordWrong):
        ask(jeanne, password=password)
    assert not letters()
    assert not Link.select().exists()


def test_who_has_no_password_chooses_one_first(runtime):
    with pytest.raises(PasswordWrong):
        ask(a_person("invited@acme.test", password=False))


def test_ones_own_address_in_capitals_is_no_change(jeanne):
    with pytest.raises(EmailUnchanged):
        ask(jeanne, OLD.upper())


def test_an_address_with_an_account_is_told_there_alone(jeanne):
    leo = a_person("leo@acme.test", name="Leo")
    assert ask(jeanne, "leo@acme.test") is None
    assert [(letter["template"], letter["to"]) for letter in letters()] == [
        ("new_email_taken", "leo@acme.test")
    ]
    assert letters()[0]["context"]["name"] == leo.name
    assert not Link.select().exists()


@pytest.mark.engine("sqlite", "postgresql")
def test_an_address_taken_after_the_link_was_sent_stays_whose_it_is(jeanne):
    ask(jeanne)
    leo = a_person(NEW)
    with pytest.raises(AddressTaken):
        confirm()
    assert (address(jeanne), address(leo)) == (OLD, NEW)


@pytest.mark.engine("sqlite", "postgresql")
def test_a_link_works_once_and_for_a_day(jeanne, clock):
    ask(jeanne)
    token = token_of("new_email")
    confirm(token)
    with pytest.raises(LinkUnusable):
        confirm(token)
    ask(Person.get_by_id(jeanne.id), "third@acme.test")
    clock.advance_wall(days=1)
    with pytest.raises(LinkUnusable):
        confirm()


def test_a_second_wish_ends_the_first(jeanne):
    ask(jeanne, "first@acme.test")
    first = token_of("new_email")
    ask(jeanne, "second@acme.test")
    with pytest.raises(LinkUnusable):
        confirm(first)
    assert confirm().email == "second@acme.test"


@pytest.mark.parametrize("purpose", [LinkPurpose.MAGIC, LinkPurpose.RESET])
def test_links_that_the_old_mailbox_holds_die(jeanne, purpose):
    signing_in.request_link(OLD, purpose)
    token = mailed_path(signing_in.MAIL_OF_LINK[purpose]).rpartition("/")[2]
    ask(jeanne)
    confirm()
    with pytest.raises(LinkUnusable):
        links.open_link(token, purpose)


def test_the_link_of_another_purpose_gives_no_address(jeanne):
    signing_in.request_link(OLD, LinkPurpose.MAGIC)
    with pytest.raises(LinkUnusable):
        confirm(token_of("magic_link"))
    ask(jeanne)
    with pytest.raises(LinkUnusable):
        own_email.undo(token_of("new_email"), now=now())


def test_the_old_address_is_told_and_takes_the_account_back(jeanne):
    ask(jeanne)
    confirm()
    [told] = letters("email_changed")
    assert (told["to"], told["secrets"]["email"]) == (OLD, NEW)
    a_session(jeanne, 3)
    signing_in.request_link(NEW, LinkPurpose.RESET)
    own_email.undo(token_of("email_changed"), now=now())
    assert address(jeanne) == OLD
    assert not Session.select().exists()
    assert not Link.select().where(Link.used_at.is_null()).exists()
    # Whoever changed it knew the password.
    assert signing_in.authenticate(OLD, PASSWORD) is None
    assert signing_in.authenticate(NEW, PASSWORD) is None


def test_two_changes_in_a_row_do_not_end_the_first_way_back(jeanne):
    """Else a thief would only have to change it twice."""
    ask(jeanne)
    confirm()
    way_back = token_of("email_changed")
    thief = Person.get_by_id(jeanne.id)
    ask(thief, "thief@elsewhere.test")
    confirm()
    own_email.undo(way_back, now=now())
    assert address(jeanne) == OLD
    with pytest.raises(LinkUnusable):
        own_email.undo(token_of("email_changed"), now=now())


def test_the_way_back_is_open_for_a_week(jeanne, clock):
    ask(jeanne)
    confirm()
    clock.advance_wall(days=7)
    with pytest.raises(LinkUnusable):
        own_email.undo(token_of("email_changed"), now=now())


def test_letters_on_their_way_follow_the_person_and_typed_addresses_stay(jeanne):
    acme = a_workspace(owner=jeanne)
    with transaction():
        service_letters.send(
            "trial_last_day",
            to=[jeanne],
            workspace=acme,
            key="k",
            context={"due_on": "2026-12-21"},
        )
        service_letters.send(
            "trial_last_day",
            to=[],
            workspace=acme,
            key="copy",
            context={"due_on": "2026-12-21"},
            copies_to=[OLD],
        )
    ask(jeanne)
    confirm()
    assert [letter["to"] for letter in letters("trial_last_day")] == [NEW, OLD]
    assert OutboxMessage.select().where(OutboxMessage.payload["to"].as_text() == OLD).count() == 2


@pytest.mark.engine("sqlite", "postgresql")
def test_of_two_who_confirm_at_once_one_does(jeanne):
    ask(jeanne)
    token = token_of("new_email")
    link = links.open_link(token, LinkPurpose.NEW_EMAIL)
    confirm(token)
    with pytest.raises(LinkUnusable), transaction():
        links.consume_link(link)
    assert links.LIFE_OF_LINK[LinkPurpose.UNDO_EMAIL] == timedelta(days=7)
