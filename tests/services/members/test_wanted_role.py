"""The role that somebody was invited with is theirs once there is a seat."""

import pytest

from portal.domain.vocabulary import MemberStatus, Role
from portal.models import Member, Person, Plan
from portal.runtime import current
from portal.services.members import changes, invitations, roster
from tests.factories import PASSWORD, a_member, a_person, a_workspace, letters, mailed_path, owner_of, seen_by

pytestmark = pytest.mark.usefixtures("runtime")


def now():
    return current().clock.now()


@pytest.fixture
def acme(runtime):
    """Three seats, all taken."""
    workspace = a_workspace(plan="business-3")
    for each in range(2):
        a_member(workspace, a_person(f"user{each}@acme.test", password=False))
    return workspace


def invited(acme, role=Role.ADMIN, email="leo@acme.test", **options):
    found = invitations.invite(seen_by(owner_of(acme), acme), emails=[email], role=role, now=now(), **options)
    return [*found.users, *found.guests][0]


def a_seat(acme):
    """Somebody goes."""
    member = Member.get(Member.person == Person.get(Person.email == "user0@acme.test"))
    changes.disable(seen_by(owner_of(acme), acme), roster.reload_member(member), now=now())


def made_user(acme, member):
    promoted = changes.make_users(seen_by(owner_of(acme), acme), [member.id], now=now())
    return promoted, Member.get_by_id(member.id)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.BILLING_MANAGER, Role.OWNER, Role.MEMBER])
def test_a_guest_for_lack_of_a_seat_gets_the_role_with_the_seat(acme, role):
    member = invited(acme, role)
    assert (member.status, member.role) == (MemberStatus.GUEST, Role.MEMBER)
    a_seat(acme)
    _promoted, after = made_user(acme, member)
    assert (after.status, after.role, after.wanted_role) == (MemberStatus.ACTIVE, role, None)


def test_who_has_joined_meanwhile_and_becomes_an_owner_is_told(acme):
    member = invited(acme, Role.OWNER)
    token = mailed_path("invitation").rpartition("/")[2]
    invitations.accept_invitation(
        token, signed_in_as=None, name="Leo", password=PASSWORD, language="en", now=now()
    )
    a_seat(acme)
    made_user(acme, member)
    assert [letter["to"] for letter in letters("owner_made")] == ["leo@acme.test"]


def test_where_the_plan_has_no_place_for_an_administrator_they_are_members_and_named(acme):
    member = invited(acme)
    a_seat(acme)
    Plan.update(max_administrators=1).where(Plan.code == "business-3").execute()
    promoted, after = made_user(acme, member)
    assert (after.status, after.role) == (MemberStatus.ACTIVE, Role.MEMBER)
    assert [each.id for each in promoted.without_role] == [member.id]


def test_who_was_made_a_guest_gave_the_role_up(acme):
    admin = Member.get(Member.person == Person.get(Person.email == "user1@acme.test"))
    Member.update(role=Role.ADMIN).where(Member.id == admin.id).execute()
    changes.make_guest(seen_by(owner_of(acme), acme), roster.reload_member(admin), now=now())
    _promoted, after = made_user(acme, admin)
    assert (after.status, after.role) == (MemberStatus.ACTIVE, Role.MEMBER)


def test_a_disabled_guest_who_comes_back_as_a_user_has_the_role_too(acme):
    member = invited(acme)
    place = seen_by(owner_of(acme), acme)
    changes.disable(place, roster.reload_member(member), now=now())
    a_seat(acme)
    changes.enable(place, roster.reload_member(member), now=now())
    assert Member.get_by_id(member.id).role == Role.ADMIN


def test_the_name_that_was_pasted_goes_to_the_new_person_alone(acme):
    a_person("known@acme.test", name="Known Already")
    names = {"New@acme.test": "Ada Lovelace", "known@acme.test": "Somebody Else"}
    invitations.invite(
        seen_by(owner_of(acme), acme),
        emails=["New@acme.test", "known@acme.test", "bare@acme.test"],
        names=names,
        role=Role.MEMBER,
        now=now(),
    )
    called = {person.email: person.name for person in Person.select()}
    assert called["new@acme.test"] == "Ada Lovelace"
    assert called["known@acme.test"] == "Known Already"
    assert called["bare@acme.test"] == "bare"
    proposed = {}
    for letter in letters("invitation"):
        found = invitations.open_invitation(letter["secrets"]["path"].rpartition("/")[2])
        proposed[letter["to"]] = found.proposed_name
    assert (proposed["new@acme.test"], proposed["bare@acme.test"]) == ("Ada Lovelace", "")
