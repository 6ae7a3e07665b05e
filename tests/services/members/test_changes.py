"""Members change, go and come back: seats are given once, an owner stays, nobody changes themselves."""

import pytest

from portal.domain.errors import LastOwner, LinkUnusable, PlanFull
from portal.domain.vocabulary import MemberStatus, Right, Role
from portal.models import AuditEntry, Link, Member, Person, Session
from portal.runtime import current
from portal.services import places
from portal.services.members import changes, invitations, roster
from portal.services.members.changes import NotAUser, NotJoined, NotOnYourself
from portal.services.members.roster import AdministratorsFull, GuestsFull, MemberGone, OwnersOnly
from tests.factories import a_member, a_person, a_workspace, letters, mailed_path, owner_of, seen_by

pytestmark = pytest.mark.usefixtures("runtime")


def now():
    return current().clock.now()


def the_place(workspace):
    return seen_by(owner_of(workspace), workspace)


def the_admin(workspace):
    admin = a_person("admin@acme.test", name="The admin")
    a_member(workspace, admin, role=Role.ADMIN)
    return seen_by(admin, workspace)


def invite(workspace, *emails, **options):
    invited = invitations.invite(the_place(workspace), emails=emails, role=Role.MEMBER, now=now(), **options)
    return [*invited.users, *invited.guests][-1]


def a_crowd(workspace, *, users=0, guests=0):
    """So many more, beside the owner; the last of them."""
    made = [
        a_member(workspace, a_person(f"{status}{each}@acme.test", password=False), status=status)
        for status, number in ((MemberStatus.ACTIVE, users), (MemberStatus.GUEST, guests))
        for each in range(number)
    ]
    return made[-1]


def a_leo(workspace, **options):
    return a_member(workspace, a_person("leo@acme.test", name="Leo"), **options)


def a_session(person):
    wall = current().clock.wall()
    return Session.create(
        token_hash=f"{person.id:064d}",
        person=person,
        stored={},
        ip_address="127.0.0.1",
        user_agent="",
        created_at=wall,
        seen_at=wall,
    )


def as_it_is(member):
    return Member.get_by_id(member.id)


def status_of(member):
    return as_it_is(member).status


def flagged(member):
    Member.update(is_upgrader=True).where(Member.id == member.id).execute()
    return member


def actions(workspace):
    return [
        entry.action
        for entry in AuditEntry.select().where(AuditEntry.workspace == workspace).order_by(AuditEntry.id)
    ]


# --- disabling and enabling -----------------------------------------------------------------------


def test_disabling_frees_the_seat_and_ends_sessions_and_the_open_invitation():
    acme = a_workspace(plan="business-3")
    member = flagged(a_leo(acme))
    a_session(member.person)
    invited = invite(acme, "zoe@acme.test")
    changes.disable(the_place(acme), member, now=now())
    changes.disable(the_place(acme), invited, now=now())
    assert Session.select().count() == 0
    assert not as_it_is(member).is_upgrader
    with pytest.raises(LinkUnusable):
        invitations.open_invitation(mailed_path("invitation").rpartition("/")[2])
    invite(acme, "new@acme.test", "newer@acme.test")
    assert roster.counts_of(acme).guest == 0


def test_enabling_needs_a_free_seat():
    acme = a_workspace(plan="business-3")
    member = a_leo(acme, status=MemberStatus.DISABLED)
    last = a_crowd(acme, users=2)
    with pytest.raises(PlanFull) as refusal:
        changes.enable(the_place(acme), member, now=now())
    assert (refusal.value.limit, refusal.value.used) == (3, 3)
    changes.disable(the_place(acme), last, now=now())
    changes.enable(the_place(acme), member, now=now())
    assert status_of(member) == MemberStatus.ACTIVE


def test_in_a_full_plan_a_disabled_member_comes_back_as_a_guest_within_the_cap():
    acme = a_workspace(plan="business-3")
    leo, zoe = (
        a_member(acme, a_person(f"{name}@acme.test"), role=Role.BILLING_MANAGER, status=MemberStatus.DISABLED)
        for name in ("leo", "zoe")
    )
    a_crowd(acme, users=2, guests=5)
    changes.enable(the_place(acme), leo, as_guest=True, now=now())
    assert (status_of(leo), as_it_is(leo).role) == (MemberStatus.GUEST, Role.MEMBER)
    with pytest.raises(GuestsFull) as refusal:
        changes.enable(the_place(acme), zoe, as_guest=True, now=now())
    assert (refusal.value.limit, refusal.value.used) == (6, 6)


def test_enabling_an_admin_needs_room_for_an_administrator():
    acme = a_workspace(plan="startup")
    admin = a_leo(acme, role=Role.ADMIN, status=MemberStatus.DISABLED)
    with pytest.raises(AdministratorsFull):
        changes.enable(the_place(acme), admin, now=now())


# --- users and guests -----------------------------------------------------------------------------


def test_a_user_who_becomes_a_guest_gives_seat_role_and_billing_access_back():
    acme = a_workspace(plan="business-3")
    leo = flagged(a_leo(acme, role=Role.ADMIN))
    a_session(leo.person)
    changes.make_guest(the_place(acme), leo, now=now())
    there = as_it_is(leo)
    assert (there.status, there.role, there.is_upgrader) == (MemberStatus.GUEST, Role.MEMBER, False)
    assert seen_by(leo.person, acme).may == frozenset()
    assert Session.select().count() == 1, "they may go on looking"
    assert roster.counts_of(acme).active == 1


def test_the_guest_cap_holds_for_users_who_become_guests_too():
    acme = a_workspace(plan="business-3")
    leo = a_leo(acme)
    a_crowd(acme, guests=6)
    with pytest.raises(GuestsFull):
        changes.make_guest(the_place(acme), leo, now=now())
    startup = a_workspace("Startup", plan="startup")
    zoe = a_member(startup, a_person("zoe@acme.test"))
    with pytest.raises(GuestsFull) as refusal:
        changes.make_guest(the_place(startup), zoe, now=now())
    assert refusal.value.limit == 0


def test_as_many_guests_become_users_as_fit_and_the_others_are_named():
    acme = a_workspace(plan="business-5")
    a_crowd(acme, users=2, guests=4)
    guests = list(Member.select().where(Member.status == MemberStatus.GUEST).order_by(Member.id))
    wanted = [guest.id for guest in reversed(guests[1:])]
    promoted = changes.make_users(the_place(acme), wanted, now=now())
    assert list(promoted.users) == guests[1:3]
    assert list(promoted.guests) == guests[3:]
    assert [status_of(guest) for guest in guests] == [
        MemberStatus.GUEST,
        MemberStatus.ACTIVE,
        MemberStatus.ACTIVE,
        MemberStatus.GUEST,
    ]
    assert actions(acme).count("member.made_user") == 2


def test_on_trial_every_guest_becomes_a_user():
    acme = a_workspace()
    a_crowd(acme, guests=10)
    everybody = [member.id for member in Member.select()]
    promoted = changes.make_users(the_place(acme), everybody, now=now())
    assert (len(promoted.users), len(promoted.guests)) == (10, 0)


def test_only_guests_of_this_workspace_become_users():
    acme, other = a_workspace(), a_workspace("Other")
    theirs = a_member(other, a_person("zoe@other.test"), status=MemberStatus.GUEST)
    disabled = a_leo(acme, status=MemberStatus.DISABLED)
    promoted = changes.make_users(the_place(acme), [theirs.id, disabled.id, 999_999], now=now())
    assert (promoted.users, promoted.guests) == ([], [])
    assert (status_of(theirs), status_of(disabled)) == (MemberStatus.GUEST, MemberStatus.DISABLED)


# --- roles ----------------------------------------------------------------------------------------

GIVERS = {
    # (who, role before, role after) that an admin may not do: what they lack they neither give nor take.
    "an admin makes no owner": (Role.MEMBER, Role.OWNER),
    "an admin makes no billing manager": (Role.MEMBER, Role.BILLING_MANAGER),
    "an admin takes no owner down": (Role.OWNER, Role.MEMBER),
    "an admin takes no billing manager away": (Role.BILLING_MANAGER, Role.MEMBER),
}


@pytest.mark.parametrize(("before", "after"), GIVERS.values(), ids=GIVERS)
def test_owners_alone_decide_about_owners_and_billing_managers(before, after):
    acme = a_workspace()
    leo = a_leo(acme, role=before)
    with pytest.raises(OwnersOnly):
        changes.change_role(the_admin(acme), leo, after, now=now())
    changes.change_role(the_place(acme), leo, after, now=now())
    assert as_it_is(leo).role == after


def test_a_new_role_leaves_its_trace_and_counts_at_once():
    acme = a_workspace()
    leo = a_leo(acme)
    changes.change_role(the_place(acme), leo, Role.ADMIN, now=now())
    assert Right.MANAGE_MEMBERS in seen_by(leo.person, acme).may
    entry = AuditEntry.get(AuditEntry.action == "member.role_changed")
    assert entry.changes == {"role.before": "member", "role.after": "admin"}
    changes.change_role(the_place(acme), leo, Role.ADMIN, now=now())
    assert actions(acme).count("member.role_changed") == 1


def test_whoever_becomes_an_owner_is_told():
    acme = a_workspace()
    leo = a_leo(acme)
    changes.change_role(the_place(acme), leo, Role.OWNER, now=now())
    [letter] = letters("owner_made")
    assert letter["to"] == "leo@acme.test"
    assert letter["context"] == {"name": "Leo", "workspace": "Acme", "slug": "acme", "by": "Owner of Acme"}


def test_the_free_plan_takes_no_second_administrator():
    acme = a_workspace(plan="startup")
    with pytest.raises(AdministratorsFull):
        changes.change_role(the_place(acme), a_leo(acme), Role.ADMIN, now=now())


@pytest.mark.parametrize("status", [MemberStatus.GUEST, MemberStatus.DISABLED])
def test_only_users_have_a_role_to_change(status):
    acme = a_workspace()
    with pytest.raises(NotAUser):
        changes.change_role(the_place(acme), a_leo(acme, status=status), Role.ADMIN, now=now())


# --- owners ---------------------------------------------------------------------------------------

TAKING_AWAY = {
    "disable": lambda place, member: changes.disable(place, member, now=now()),
    "make a guest": lambda place, member: changes.make_guest(place, member, now=now()),
    "remove": lambda place, member: changes.remove(place, member, now=now()),
    "change the role": lambda place, member: changes.change_role(place, member, Role.MEMBER, now=now()),
}
every_way = pytest.mark.parametrize("take_away", TAKING_AWAY.values(), ids=TAKING_AWAY)


@every_way
def test_nobody_does_it_to_themselves(take_away):
    acme = a_workspace()
    for place in (the_place(acme), the_admin(acme)):
        with pytest.raises(NotOnYourself):
            take_away(place, place.member)


@every_way
def test_an_admin_does_not_do_it_to_an_owner(take_away):
    acme = a_workspace()
    a_leo(acme, role=Role.OWNER)
    with pytest.raises(OwnersOnly):
        take_away(the_admin(acme), the_place(acme).member)


@pytest.mark.engine("sqlite", "postgresql")
@every_way
def test_the_last_owner_stays_when_two_owners_do_it_to_each_other(take_away):
    acme = a_workspace()
    second = a_leo(acme, role=Role.OWNER)
    mine, theirs = the_place(acme), seen_by(second.person, acme)
    take_away(mine, theirs.member)
    with pytest.raises(LastOwner):
        take_away(theirs, mine.member)
    there = as_it_is(mine.member)
    assert (there.status, there.role) == (MemberStatus.ACTIVE, Role.OWNER)


@every_way
def test_an_owner_who_has_not_joined_is_no_last_owner_to_rely_on(take_away):
    acme = a_workspace()
    second = a_leo(acme, role=Role.OWNER)
    a_member(acme, a_person("late@acme.test"), role=Role.OWNER, joined=False)
    mine, theirs = the_place(acme), seen_by(second.person, acme)
    take_away(mine, theirs.member)
    with pytest.raises(LastOwner):
        take_away(theirs, mine.member)


def test_an_admin_brings_no_former_owner_back_and_removes_none():
    acme = a_workspace()
    former = a_leo(acme, role=Role.OWNER, status=MemberStatus.DISABLED)
    admin = the_admin(acme)
    for as_guest in (False, True):
        with pytest.raises(OwnersOnly):
            changes.enable(admin, former, as_guest=as_guest, now=now())
    with pytest.raises(OwnersOnly):
        changes.remove(admin, former, now=now())
    changes.remove(the_place(acme), former, now=now())


@pytest.mark.parametrize("own_role", [Role.OWNER, Role.ADMIN, Role.MEMBER])
def test_ownership_is_handed_over_and_the_giver_becomes_what_they_choose(own_role):
    acme = a_workspace()
    leo, place = a_leo(acme), the_place(acme)
    changes.hand_over(place, leo, own_role=own_role, now=now())
    assert (as_it_is(leo).role, as_it_is(place.member).role) == (Role.OWNER, own_role)
    assert [letter["to"] for letter in letters("owner_made")] == ["leo@acme.test"]
    assert actions(acme).count("member.role_changed") == (1 if own_role == Role.OWNER else 2)


def test_an_owner_may_step_down_when_there_is_another():
    acme = a_workspace()
    leo, place = a_leo(acme, role=Role.OWNER), the_place(acme)
    changes.hand_over(place, leo, own_role=Role.MEMBER, now=now())
    assert as_it_is(place.member).role == Role.MEMBER
    assert letters("owner_made") == []


def test_ownership_goes_to_nobody_who_is_not_there():
    acme = a_workspace()
    place = the_place(acme)
    for refusal, member in (
        (NotJoined, a_member(acme, a_person("a@acme.test"), joined=False)),
        (NotAUser, a_member(acme, a_person("b@acme.test"), status=MemberStatus.GUEST)),
        (NotAUser, a_member(acme, a_person("c@acme.test"), status=MemberStatus.DISABLED)),
        (NotOnYourself, place.member),
    ):
        with pytest.raises(refusal):
            changes.hand_over(place, member, own_role=Role.MEMBER, now=now())
    assert as_it_is(place.member).role == Role.OWNER


def test_two_owners_who_step_down_for_each_other_leave_one():
    acme = a_workspace()
    second = a_leo(acme, role=Role.OWNER)
    mine, theirs = the_place(acme), seen_by(second.person, acme)
    changes.hand_over(mine, second, own_role=Role.MEMBER, now=now())
    changes.hand_over(theirs, mine.member, own_role=Role.MEMBER, now=now())
    assert [owner.person.email for owner in Member.owners(acme)] == ["owner@acme.test"]
    with pytest.raises(OwnersOnly):
        changes.hand_over(theirs, mine.member, own_role=Role.MEMBER, now=now())


def test_on_the_free_plan_ownership_moves_on_whole():
    """One administrator, the owner among them: the giver keeps neither role."""
    acme = a_workspace(plan="startup")
    leo, place = a_leo(acme), the_place(acme)
    for own_role in (Role.OWNER, Role.ADMIN):
        with pytest.raises(AdministratorsFull):
            changes.hand_over(place, leo, own_role=own_role, now=now())
    changes.hand_over(place, leo, own_role=Role.MEMBER, now=now())
    assert as_it_is(leo).role == Role.OWNER


def test_an_owner_takes_billing_access_away():
    acme = a_workspace()
    leo = flagged(a_leo(acme))
    assert Right.REFUND in seen_by(leo.person, acme).may
    with pytest.raises(OwnersOnly):
        changes.end_billing_access(the_admin(acme), leo, now=now())
    for _ in range(2):
        changes.end_billing_access(the_place(acme), leo, now=now())
    assert Right.REFUND not in seen_by(leo.person, acme).may
    assert actions(acme).count("member.billing_access_ended") == 1


# --- removing -------------------------------------------------------------------------------------


def test_removing_ends_membership_invitation_and_sessions_and_keeps_the_person():
    acme = a_workspace(plan="business-3")
    leo, zoe = a_leo(acme), invite(acme, "zoe@acme.test")
    a_session(leo.person)
    path = mailed_path("invitation")
    for member in (leo, zoe):
        changes.remove(the_place(acme), member, now=now())
    assert places.enter(person=leo.person, slug=acme.slug) is None
    assert (Session.select().count(), Link.select().count()) == (0, 0)
    with pytest.raises(LinkUnusable):
        invitations.open_invitation(path.rpartition("/")[2])
    assert Person.select().where(Person.email << ["leo@acme.test", "zoe@acme.test"]).count() == 2
    entry = AuditEntry.get(AuditEntry.action == "member.removed")
    assert (entry.subject, entry.changes) == (str(leo.id), {"role": "member", "status": "active"})
    invite(acme, "leo@acme.test")


def test_a_member_of_two_workspaces_stays_signed_in_to_the_other():
    acme, other = a_workspace(), a_workspace("Other")
    leo = a_leo(acme)
    a_member(other, leo.person)
    a_session(leo.person)
    changes.remove(the_place(acme), leo, now=now())
    assert Session.select().count() == 1
    assert places.enter(person=leo.person, slug=other.slug) is not None


@pytest.mark.engine("sqlite", "postgresql")
@every_way
def test_whoever_was_removed_meanwhile_is_gone(take_away):
    acme = a_workspace()
    leo = a_leo(acme)
    changes.remove(the_place(acme), leo, now=now())
    with pytest.raises(MemberGone):
        take_away(the_place(acme), leo)


def test_repeating_changes_nothing():
    acme = a_workspace()
    leo = a_leo(acme)
    for _ in range(2):
        changes.disable(the_place(acme), leo, now=now())
    for _ in range(2):
        changes.enable(the_place(acme), leo, now=now())
    for _ in range(2):
        changes.make_guest(the_place(acme), leo, now=now())
    for _ in range(2):
        changes.make_users(the_place(acme), [leo.id], now=now())
    assert actions(acme)[-4:] == [
        "member.disabled",
        "member.enabled",
        "member.made_guest",
        "member.made_user",
    ]
