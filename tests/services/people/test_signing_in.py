"""Who comes, how they prove who they are, and what ends their sessions."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from portal.database.connecting import transaction
from portal.domain.errors import LinkUnusable
from portal.domain.vocabulary import LinkPurpose, MemberStatus, Role
from portal.models import AuditEntry, Link, Member, Person, Session, Workspace
from portal.runtime import current
from portal.services.people import account, links, signing_in, signing_up
from portal.services.people.passwords import PasswordTooCommon
from portal.services.people.signing_in import PasswordWrong
from tests.factories import (
    PASSWORD,
    a_member,
    a_person,
    a_workspace,
    letters,
    mailed_path,
    plan_of,
)

NEW_PASSWORD = "harbour-violin-7-kelp"


pytestmark = pytest.mark.usefixtures("runtime")


def now():
    return current().clock.now()


def sign_up(**changed):
    facts = {
        "name": "Jeanne Martin",
        "email": "jeanne@acme.test",
        "password": PASSWORD,
        "workspace_name": "Acme",
        "language": "fr",
        "time_zone": "Europe/Paris",
        "now": now(),
    }
    signing_up.sign_up(**{**facts, **changed})


def a_session(person, **changed):
    wall = current().clock.wall()
    facts = {
        "token_hash": f"{Session.select().count():064d}",
        "person": person,
        "stored": {},
        "ip_address": "127.0.0.1",
        "user_agent": "",
        "created_at": wall,
        "seen_at": wall,
    }
    return Session.create(**{**facts, **changed})


def token_of(template):
    return mailed_path(template).rpartition("/")[2]


# --- signing up -----------------------------------------------------------------------------------


def test_sign_up_makes_a_person_a_workspace_and_a_trial():
    sign_up(email="Jeanne@ACME.test")
    person = Person.get()
    workspace = Workspace.get()
    member = Member.get()
    assert (person.email, person.name, person.language) == ("jeanne@acme.test", "Jeanne Martin", "fr")
    assert (workspace.name, workspace.slug, workspace.language, workspace.currency) == (
        "Acme",
        "acme",
        "fr",
        "EUR",
    )
    assert (member.role, member.status, member.joined_at) == (Role.OWNER, MemberStatus.ACTIVE, now())
    assert plan_of(workspace).code == "trial"
    [letter] = letters()
    assert (letter["template"], letter["to"], letter["locale"]) == ("welcome", "jeanne@acme.test", "fr")
    assert letter["context"] == {
        "name": "Jeanne Martin",
        "workspace": "Acme",
        "slug": "acme",
        "trial_ends_on": "2026-12-21",
    }


def test_a_known_address_makes_nothing_but_a_mail_that_says_so():
    sign_up()
    sign_up(email="JEANNE@acme.test", name="Somebody Else", workspace_name="Other", password=NEW_PASSWORD)
    assert (Person.select().count(), Workspace.select().count()) == (1, 1)
    assert signing_in.authenticate("jeanne@acme.test", NEW_PASSWORD) is None
    assert letters()[-1]["template"] == "already_registered"
    assert letters()[-1]["context"] == {"name": "Jeanne Martin"}


@pytest.mark.engine("sqlite", "postgresql")
def test_two_workspaces_of_one_name_have_addresses_of_their_own():
    sign_up()
    sign_up(email="leo@acme.test")
    assert len({workspace.slug for workspace in Workspace.select()}) == 2


def test_a_password_made_of_the_workspace_is_refused_before_anything_is_written():
    with pytest.raises(PasswordTooCommon):
        sign_up(workspace_name="Brasserie du Port", password="brasserieduport-2026")
    assert Person.select().count() == 0


# --- proving who one is ---------------------------------------------------------------------------


def test_only_the_right_password_of_a_known_address_signs_in():
    person = a_person()
    assert signing_in.authenticate("JEANNE@acme.test", PASSWORD) == person
    assert signing_in.authenticate("jeanne@acme.test", PASSWORD + " ") is None
    assert signing_in.authenticate("nobody@acme.test", PASSWORD) is None
    assert signing_in.authenticate("not an address\x00", PASSWORD) is None


def test_somebody_invited_has_no_password_to_sign_in_with():
    a_person(password=False)
    assert signing_in.authenticate("jeanne@acme.test", PASSWORD) is None


def test_signing_in_renews_an_outdated_hash(real_passwords):
    person = a_person()
    older = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    Person.update(password_hash=older).execute()
    assert signing_in.authenticate(person.email, PASSWORD) == person
    assert Person.get().password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert signing_in.authenticate(person.email, PASSWORD) == person


def test_a_link_is_kept_as_a_hash_and_its_address_is_a_secret_of_the_outbox():
    person = a_person()
    signing_in.request_link(person.email, LinkPurpose.MAGIC)
    link = Link.get()
    [letter] = letters("magic_link")
    assert token_of("magic_link") not in str([link.__data__, letter["context"]])
    assert letter["context"] == {"name": "Jeanne Martin", "minutes": 15}
    assert link.expires_at - link.created_at == timedelta(minutes=15)
    assert signing_in.sign_in_by_link(token_of("magic_link"), now=now()) == (person, False)


def test_the_first_proof_of_an_address_ends_the_password_of_who_made_the_account():
    """Somebody may have signed up with another's address and wait for them to be invited (trust.md §2)."""
    person = a_person(proved=False)
    signing_in.request_link(person.email, LinkPurpose.MAGIC)
    assert signing_in.sign_in_by_link(token_of("magic_link"), now=now()) == (person, True)
    assert signing_in.authenticate(person.email, PASSWORD) is None
    assert Person.get().email_proved_at is not None


def test_a_password_chosen_by_a_link_proves_the_address_and_stays():
    person = a_person(proved=False)
    signing_in.request_link(person.email, LinkPurpose.RESET)
    signing_in.reset_password(token_of("reset_link"), "another long enough one", now=now())
    signing_in.request_link(person.email, LinkPurpose.MAGIC)
    assert signing_in.sign_in_by_link(token_of("magic_link"), now=now()) == (person, False)
    assert signing_in.authenticate(person.email, "another long enough one") == person


@pytest.mark.engine("sqlite", "postgresql")
def test_a_link_works_once():
    person = a_person()
    signing_in.request_link(person.email, LinkPurpose.MAGIC)
    token = token_of("magic_link")
    links.open_link(token, LinkPurpose.MAGIC)
    signing_in.sign_in_by_link(token, now=now())
    with pytest.raises(LinkUnusable):
        signing_in.sign_in_by_link(token, now=now())
    with pytest.raises(LinkUnusable):
        links.open_link(token, LinkPurpose.MAGIC)


@pytest.mark.engine("sqlite", "postgresql")
def test_two_clicks_at_once_use_a_link_once():
    person = a_person()
    signing_in.request_link(person.email, LinkPurpose.MAGIC)
    first = links.open_link(token_of("magic_link"), LinkPurpose.MAGIC)
    second = links.open_link(token_of("magic_link"), LinkPurpose.MAGIC)
    with transaction():
        links.consume_link(first)
    with pytest.raises(LinkUnusable), transaction():
        links.consume_link(second)


def test_a_link_is_over_after_15_minutes(clock):
    a_person()
    signing_in.request_link("jeanne@acme.test", LinkPurpose.MAGIC)
    clock.advance_wall(minutes=15)
    with pytest.raises(LinkUnusable):
        links.open_link(token_of("magic_link"), LinkPurpose.MAGIC)


def test_business_time_does_not_age_a_link(clock):
    a_person()
    signing_in.request_link("jeanne@acme.test", LinkPurpose.MAGIC)
    clock.advance(days=31)
    links.open_link(token_of("magic_link"), LinkPurpose.MAGIC)


def test_a_link_serves_its_own_purpose_alone():
    a_person()
    signing_in.request_link("jeanne@acme.test", LinkPurpose.MAGIC)
    with pytest.raises(LinkUnusable):
        signing_in.reset_password(token_of("magic_link"), NEW_PASSWORD, now=now())


def test_a_new_link_leaves_the_older_ones_alone_and_the_first_that_is_used_ends_them():
    """Anybody may ask for one in the name of the owner."""
    a_person()
    signing_in.request_link("jeanne@acme.test", LinkPurpose.MAGIC)
    older = token_of("magic_link")
    signing_in.request_link("jeanne@acme.test", LinkPurpose.RESET)
    signing_in.request_link("jeanne@acme.test", LinkPurpose.MAGIC)
    newer = token_of("magic_link")
    links.open_link(newer, LinkPurpose.MAGIC)
    signing_in.sign_in_by_link(older, now=now())
    with pytest.raises(LinkUnusable):
        links.open_link(newer, LinkPurpose.MAGIC)
    links.open_link(token_of("reset_link"), LinkPurpose.RESET)


def test_a_password_that_was_reset_ends_every_link():
    a_person()
    for purpose in (LinkPurpose.MAGIC, LinkPurpose.RESET, LinkPurpose.RESET):
        signing_in.request_link("jeanne@acme.test", purpose)
    first, second = (letter["secrets"]["path"].rsplit("/", 1)[-1] for letter in letters("reset_link"))
    signing_in.reset_password(first, NEW_PASSWORD, now=now())
    for token, purpose in ((second, LinkPurpose.RESET), (token_of("magic_link"), LinkPurpose.MAGIC)):
        with pytest.raises(LinkUnusable):
            links.open_link(token, purpose)


@pytest.mark.parametrize("token", ["", "x", "x" * 5000, "\x00", "\ud800", "été", "' OR 1=1 --"])
def test_a_made_up_token_opens_nothing(token):
    with pytest.raises(LinkUnusable):
        links.open_link(token, LinkPurpose.MAGIC)


def test_an_unknown_address_gets_no_link():
    signing_in.request_link("nobody@acme.test", LinkPurpose.MAGIC)
    assert (Link.select().count(), letters()) == (0, [])


def test_an_operator_gets_no_link_to_sign_in_but_may_choose_a_new_password():
    a_person("op@portal.test", operator=True)
    signing_in.request_link("op@portal.test", LinkPurpose.MAGIC)
    assert letters() == []
    signing_in.request_link("op@portal.test", LinkPurpose.RESET)
    assert len(letters("reset_link")) == 1


def test_somebody_who_became_an_operator_meanwhile_cannot_use_the_link():
    person = a_person()
    signing_in.request_link(person.email, LinkPurpose.MAGIC)
    Person.update(is_operator=True).execute()
    with pytest.raises(LinkUnusable):
        signing_in.sign_in_by_link(token_of("magic_link"), now=now())


# --- a new password -------------------------------------------------------------------------------


def test_a_reset_ends_every_session_and_every_link_and_is_mailed():
    person = a_person()
    a_session(person)
    signing_in.request_link(person.email, LinkPurpose.MAGIC)
    signing_in.request_link(person.email, LinkPurpose.RESET)
    signing_in.reset_password(token_of("reset_link"), NEW_PASSWORD, now=now())
    assert signing_in.authenticate(person.email, NEW_PASSWORD) == person
    assert signing_in.authenticate(person.email, PASSWORD) is None
    assert Session.select().count() == 0
    assert letters()[-1]["template"] == "password_changed"
    with pytest.raises(LinkUnusable):
        signing_in.sign_in_by_link(token_of("magic_link"), now=now())


def test_a_refused_password_leaves_the_link_usable():
    person = a_person()
    signing_in.request_link(person.email, LinkPurpose.RESET)
    with pytest.raises(PasswordTooCommon):
        signing_in.reset_password(token_of("reset_link"), "jeanne-martin-2026", now=now())
    signing_in.reset_password(token_of("reset_link"), NEW_PASSWORD, now=now())


def test_a_password_made_of_a_workspace_of_the_person_is_refused():
    person = a_person()
    a_workspace("Brasserie du Port", owner=person)
    with pytest.raises(PasswordTooCommon):
        signing_in.change_password(
            person,
            current_password=PASSWORD,
            new_password="brasserieduport-2026",
            keep_session=None,
            now=now(),
        )


def test_a_change_needs_the_current_password_and_ends_the_other_sessions():
    person, other = a_person(), a_person("leo@acme.test")
    kept, ended, foreign = a_session(person), a_session(person), a_session(other)
    with pytest.raises(PasswordWrong):
        signing_in.change_password(
            person, current_password="wrong", new_password=NEW_PASSWORD, keep_session=kept, now=now()
        )
    signing_in.change_password(
        person, current_password=PASSWORD, new_password=NEW_PASSWORD, keep_session=kept, now=now()
    )
    assert {row.id for row in Session.select()} == {kept.id, foreign.id}
    assert ended.id not in {row.id for row in Session.select()}
    assert signing_in.authenticate(person.email, NEW_PASSWORD) == person
    assert letters()[-1]["template"] == "password_changed"


# --- one's own account ----------------------------------------------------------------------------


def test_only_live_sessions_are_listed(clock):
    person = a_person()
    wall = clock.wall()
    live = a_session(person, seen_at=wall - timedelta(minutes=59))
    a_session(person, seen_at=wall - timedelta(minutes=61))
    a_session(person, created_at=wall - timedelta(hours=13))
    found = account.list_sessions(person, idle=timedelta(minutes=60), life=timedelta(hours=12), size=5)
    assert ([row.id for row in found.rows], found.older) == ([live.id], None)


def test_the_sessions_come_in_pages_the_one_used_last_first(clock):
    """Two were used at the same moment; the order of their beginning is another one."""
    person, wall = a_person(), clock.wall()
    minutes = (3, 1, 2, 2, 5)
    ids = [a_session(person, seen_at=wall - timedelta(minutes=each)).id for each in minutes]
    a_session(a_person("leo@acme.test"))

    def page(before):
        return account.list_sessions(
            person, idle=timedelta(minutes=60), life=timedelta(hours=12), size=2, before=before
        )

    before, seen = None, []
    while not seen or before is not None:
        found = page(before)
        seen.append([row.id for row in found.rows])
        before = found.older
    assert seen == [[ids[1], ids[3]], [ids[2], ids[0]], [ids[4]]]
    # The session that the link names has ended since.
    account.end_session(person, ids[3], now=now())
    assert [row.id for row in page(ids[3]).rows] == [ids[1], ids[2]]


def test_nobody_ends_the_session_of_somebody_else():
    person, other = a_person(), a_person("leo@acme.test")
    theirs = a_session(other)
    assert not account.end_session(person, theirs.id, now=now())
    assert account.end_session(other, theirs.id, now=now())
    assert not account.end_session(other, theirs.id, now=now())


def test_the_workspaces_of_a_person_are_those_that_they_can_enter():
    person = a_person()
    a_workspace("Acme", owner=person)
    a_member(a_workspace("Invited"), person, joined=False)
    a_member(a_workspace("Disabled"), person, status=MemberStatus.DISABLED)
    assert [workspace.name for workspace in account.workspaces_of(person)] == ["Acme"]


def test_every_act_leaves_a_trace():
    person = a_person()
    signing_in.change_password(
        person, current_password=PASSWORD, new_password=NEW_PASSWORD, keep_session=None, now=now()
    )
    account.save_profile(person, name="Jeanne M.", language="en", now=now())
    traces = [entry.action for entry in AuditEntry.select().where(AuditEntry.subject == str(person.id))]
    assert traces == ["person.password_changed", "person.profile_changed"]
