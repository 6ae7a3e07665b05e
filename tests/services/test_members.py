"""Seats are given once, owners stay, and an invitation works for whom it was sent to."""

from datetime import timedelta

import pytest

from portal.domain.errors import LastOwner, LinkUnusable, PlanFull
from portal.domain.vocabulary import MemberStatus, Right, Role, WhoMayBuy
from portal.models import AuditEntry, Link, Member, Person, Session, Workspace
from portal.runtime import current
from portal.services import invitations, members, people, workspaces
from portal.services.invitations import AlreadyMember, MustSignIn
from portal.services.members import AdministratorsFull, CannotDisableYourself, OwnersOnly
from portal.services.passwords import PasswordTooCommon
from tests.factories import PASSWORD, a_member, a_person, a_workspace, letters, mailed_path, owner_of, seen_by

pytestmark = pytest.mark.usefixtures("runtime")


def now():
    return current().clock.now()


def the_place(workspace):
    return seen_by(owner_of(workspace), workspace)


def invite(workspace, email="leo@acme.test", role=Role.MEMBER):
    return invitations.invite(the_place(workspace), email=email, role=role, now=now())


def token():
    return mailed_path("invitation").rpartition("/")[2]


def accept(**options):
    return invitations.accept_invitation(token(), now=now(), **{"signed_in_as": None, **options})


def status_of(member):
    return Member.get_by_id(member.id).status


# --- who can --------------------------------------------------------------------------------------


def test_owners_are_named_first_among_those_who_can():
    acme = a_workspace()
    billing = a_person("billing@acme.test", name="Billing")
    a_member(acme, billing, role=Role.BILLING_MANAGER)
    a_member(acme, a_person("admin@acme.test"), role=Role.ADMIN)
    a_member(acme, a_person("gone@acme.test"), role=Role.BILLING_MANAGER, status=MemberStatus.DISABLED)
    a_member(acme, a_person("invited@acme.test"), role=Role.BILLING_MANAGER, joined=False)
    assert members.people_with(acme, Right.REFUND) == [owner_of(acme), billing]


def test_an_upgrader_is_among_those_who_may_pay():
    acme = a_workspace()
    upgrader = a_member(acme, a_person("up@acme.test"))
    Member.update(is_upgrader=True).where(Member.id == upgrader.id).execute()
    assert upgrader.person in members.people_with(acme, Right.REFUND)
    assert upgrader.person not in members.people_with(acme, Right.MANAGE_MEMBERS)


def test_who_may_buy_follows_the_setting():
    acme = a_workspace()
    leo = a_member(acme, a_person("leo@acme.test")).person
    assert leo in members.people_with(acme, Right.BUY)
    acme.who_may_buy = WhoMayBuy.BILLING
    assert leo not in members.people_with(acme, Right.BUY)


def test_at_most_twenty_people_are_named():
    acme = a_workspace()
    for number in range(25):
        a_member(acme, a_person(f"m{number}@acme.test"))
    assert len(members.people_with(acme, Right.SEE_PLANS)) == 20


# --- the list -------------------------------------------------------------------------------------


def test_the_list_pages_from_the_newest_and_never_shows_another_workspace():
    acme, other = a_workspace("Acme"), a_workspace("Other")
    a_member(other, a_person("stranger@other.test"))
    for number in range(4):
        a_member(acme, a_person(f"m{number}@acme.test"))
    first = members.list_members(acme, limit=3)
    rest = members.list_members(acme, limit=3, before=first.older)
    assert [row.email for row in (*first.rows, *rest.rows)] == [
        "m3@acme.test",
        "m2@acme.test",
        "m1@acme.test",
        "m0@acme.test",
        "owner@acme.test",
    ]
    assert rest.older is None


@pytest.mark.parametrize(
    ("search", "found"), [("LEO", 1), ("dupont", 1), ("acme.test", 2), ("%", 0), ("_eo", 0), ("nobody", 0)]
)
def test_the_search_looks_into_names_and_addresses_as_typed(search, found):
    acme = a_workspace()
    a_member(acme, a_person("leo@acme.test", name="Léo Dupont"))
    assert len(members.list_members(acme, search=search).rows) == found


def test_a_name_is_shown_only_once_its_owner_has_joined():
    """Else an invitation would tell the name behind any address."""
    acme = a_workspace()
    a_member(acme, a_person("leo@acme.test", name="Leo Secret"), joined=False)
    assert members.list_members(acme).rows[0].name == ""
    assert members.list_members(acme, search="secret").rows == []


# --- inviting -------------------------------------------------------------------------------------


def test_an_invitation_takes_the_seat_and_lets_nobody_in_yet():
    acme = a_workspace()
    member = invite(acme, email="Leo@ACME.test")
    assert (member.person.email, member.person.password_hash, member.joined_at) == (
        "leo@acme.test",
        None,
        None,
    )
    assert workspaces.enter(person=member.person, slug=acme.slug) is None
    [letter] = letters("invitation")
    assert letter["context"] == {"inviter": "Owner of Acme", "workspace": "Acme", "hours": 48}
    link = Link.get()
    assert link.expires_at - link.created_at == timedelta(hours=48)


def test_somebody_new_joins_with_a_name_and_a_password():
    acme = a_workspace()
    member = invite(acme)
    accept(name="Leo Durand", password=PASSWORD)
    leo = people.authenticate("leo@acme.test", PASSWORD)
    assert leo.name == "Leo Durand"
    assert workspaces.enter(person=leo, slug=acme.slug).member == member


def test_a_weak_password_does_not_use_the_invitation_up():
    invite(a_workspace("Brasserie"))
    with pytest.raises(PasswordTooCommon):
        accept(name="Leo", password="brasserie-2026")
    accept(name="Leo", password=PASSWORD)


def test_somebody_known_joins_only_signed_in_as_themselves():
    """Who holds the link holds a mailbox; whoever made the account may be somebody else."""
    leo = a_person("leo@acme.test")
    acme = a_workspace()
    invite(acme)
    with pytest.raises(MustSignIn):
        accept()
    with pytest.raises(MustSignIn):
        accept(signed_in_as=owner_of(acme))
    accept(signed_in_as=leo)
    assert workspaces.enter(person=leo, slug=acme.slug) is not None


def test_an_invitation_works_once_and_within_48_hours(clock):
    leo = a_person("leo@acme.test")
    acme = a_workspace()
    invite(acme)
    clock.advance_wall(hours=48)
    with pytest.raises(LinkUnusable):
        accept(signed_in_as=leo)
    invitations.invite_again(the_place(acme), Member.get(Member.person == leo), now=now())
    accept(signed_in_as=leo)
    with pytest.raises(LinkUnusable):
        accept(signed_in_as=leo)


def test_inviting_again_ends_the_older_link_and_takes_no_second_seat():
    acme = a_workspace(plan="business-3")
    member = invite(acme)
    older = token()
    invitations.invite_again(the_place(acme), member, now=now())
    assert Member.select().where(Member.workspace == acme).count() == 2
    with pytest.raises(LinkUnusable):
        invitations.open_invitation(older)
    invitations.open_invitation(token())


def test_invitations_to_two_workspaces_live_side_by_side():
    first, second = a_workspace("First"), a_workspace("Second")
    invite(first)
    older = token()
    invite(second)
    assert invitations.open_invitation(older).workspace == first
    assert invitations.open_invitation(token()).workspace == second


def test_a_deleted_workspace_cannot_be_joined():
    acme = a_workspace()
    invite(acme)
    Workspace.update(deleted_at=now()).execute()
    with pytest.raises(LinkUnusable):
        invitations.open_invitation(token())


@pytest.mark.parametrize(
    ("status", "joined"),
    [(MemberStatus.ACTIVE, True), (MemberStatus.ACTIVE, False), (MemberStatus.DISABLED, True)],
)
def test_a_member_is_not_invited_twice(status, joined):
    acme = a_workspace()
    a_member(acme, a_person("leo@acme.test"), status=status, joined=joined)
    with pytest.raises(AlreadyMember) as refusal:
        invite(acme)
    assert (refusal.value.status, refusal.value.has_joined) == (status, joined)
    assert letters("invitation") == []


def test_a_full_plan_refuses_the_next_member_with_both_figures():
    acme = a_workspace(plan="business-3")
    invite(acme, "second@acme.test")
    invite(acme, "third@acme.test")
    with pytest.raises(PlanFull) as refusal:
        invite(acme, "fourth@acme.test")
    assert (refusal.value.limit, refusal.value.used) == (3, 3)
    assert Person.get_or_none(Person.email == "fourth@acme.test") is None


def test_a_trial_takes_everybody():
    acme = a_workspace()
    for number in range(30):
        invite(acme, f"m{number}@acme.test")


def test_the_free_plan_has_one_administrator():
    acme = a_workspace(plan="startup")
    with pytest.raises(AdministratorsFull) as refusal:
        invite(acme, role=Role.ADMIN)
    assert (refusal.value.limit, refusal.value.used) == (1, 1)
    invite(acme, role=Role.MEMBER)


@pytest.mark.parametrize("role", [Role.OWNER, Role.BILLING_MANAGER])
def test_an_admin_gives_no_right_that_they_lack(role):
    acme = a_workspace()
    admin = a_person("admin@acme.test")
    a_member(acme, admin, role=Role.ADMIN)
    with pytest.raises(OwnersOnly):
        invitations.invite(seen_by(admin, acme), email="leo@acme.test", role=role, now=now())


# --- disabling and enabling -----------------------------------------------------------------------


def test_disabling_frees_the_seat_and_ends_sessions_and_the_open_invitation():
    acme = a_workspace(plan="business-3")
    member = a_member(acme, a_person("leo@acme.test"))
    Member.update(is_upgrader=True).where(Member.id == member.id).execute()
    wall = current().clock.wall()
    Session.create(
        token_hash="0" * 64,
        person=member.person,
        stored={},
        ip_address="127.0.0.1",
        user_agent="",
        created_at=wall,
        seen_at=wall,
    )
    invited = invite(acme, "zoe@acme.test")
    members.disable(the_place(acme), member, now=now())
    members.disable(the_place(acme), invited, now=now())
    assert Session.select().count() == 0
    assert not Member.get_by_id(member.id).is_upgrader
    with pytest.raises(LinkUnusable):
        invitations.open_invitation(token())
    invite(acme, "new@acme.test")
    invite(acme, "newer@acme.test")


def test_enabling_needs_a_free_seat():
    acme = a_workspace(plan="business-3")
    member = a_member(acme, a_person("leo@acme.test"), status=MemberStatus.DISABLED)
    invite(acme, "second@acme.test")
    third = invite(acme, "third@acme.test")
    with pytest.raises(PlanFull):
        members.enable(the_place(acme), member, now=now())
    members.disable(the_place(acme), third, now=now())
    members.enable(the_place(acme), member, now=now())
    assert status_of(member) == MemberStatus.ACTIVE


def test_enabling_an_admin_needs_room_for_an_administrator():
    acme = a_workspace(plan="startup")
    admin = a_member(acme, a_person("a@acme.test"), role=Role.ADMIN, status=MemberStatus.DISABLED)
    with pytest.raises(AdministratorsFull):
        members.enable(the_place(acme), admin, now=now())


def test_nobody_disables_themselves():
    acme = a_workspace()
    place = the_place(acme)
    with pytest.raises(CannotDisableYourself):
        members.disable(place, place.member, now=now())


def test_the_last_owner_stays_when_two_owners_disable_each_other():
    acme = a_workspace()
    second = a_person("second@acme.test")
    a_member(acme, second, role=Role.OWNER)
    mine, theirs = the_place(acme), seen_by(second, acme)
    members.disable(mine, theirs.member, now=now())
    with pytest.raises(LastOwner):
        members.disable(theirs, mine.member, now=now())
    assert status_of(mine.member) == MemberStatus.ACTIVE


def test_an_admin_neither_disables_an_owner_nor_brings_one_back():
    acme = a_workspace()
    admin = a_person("admin@acme.test")
    a_member(acme, admin, role=Role.ADMIN)
    former = a_member(acme, a_person("former@acme.test"), role=Role.OWNER, status=MemberStatus.DISABLED)
    place = seen_by(admin, acme)
    with pytest.raises(OwnersOnly):
        members.disable(place, the_place(acme).member, now=now())
    with pytest.raises(OwnersOnly):
        members.enable(place, former, now=now())


def test_repeating_changes_nothing():
    acme = a_workspace()
    member = a_member(acme, a_person("leo@acme.test"))
    for _ in range(2):
        members.disable(the_place(acme), member, now=now())
    for _ in range(2):
        members.enable(the_place(acme), member, now=now())
    traces = [entry.action for entry in AuditEntry.select().where(AuditEntry.workspace == acme)]
    assert traces.count("member.disabled") == traces.count("member.enabled") == 1
