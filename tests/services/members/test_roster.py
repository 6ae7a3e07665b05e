"""Seats are given once, owners stay, and an invitation works for whom it was sent to."""

from datetime import timedelta

import pytest

from portal.domain.errors import LinkUnusable
from portal.domain.vocabulary import MemberStatus, Right, Role, WhoMayBuy
from portal.models import AuditEntry, Link, Member, Person, Plan, Subscription, Workspace
from portal.runtime import current
from portal.services import places
from portal.services.members import changes, invitations, roster
from portal.services.members.invitations import AlreadyMembers, CapacityReached, MustSignIn
from portal.services.members.roster import AdministratorsFull, Counts, OwnersOnly
from portal.services.people import signing_in
from portal.services.people.passwords import PasswordTooCommon
from tests.factories import PASSWORD, a_member, a_person, a_workspace, letters, mailed_path, owner_of, seen_by

pytestmark = pytest.mark.usefixtures("runtime")


def now():
    return current().clock.now()


def the_place(workspace):
    return seen_by(owner_of(workspace), workspace)


def invite_all(workspace, *emails, role=Role.MEMBER, as_guests=False):
    return invitations.invite(the_place(workspace), emails=emails, role=role, as_guests=as_guests, now=now())


def invite(workspace, email="leo@acme.test", role=Role.MEMBER):
    invited = invite_all(workspace, email, role=role)
    return [*invited.users, *invited.guests][0]


def a_crowd(workspace, *, users=0, guests=0):
    """So many more, beside the owner."""
    for status, number in ((MemberStatus.ACTIVE, users), (MemberStatus.GUEST, guests)):
        for each in range(number):
            a_member(workspace, a_person(f"{status}{each}@acme.test", password=False), status=status)


def emails_of(found):
    return [member.person.email for member in found]


def token():
    return mailed_path("invitation").rpartition("/")[2]


def accept(**options):
    return invitations.accept_invitation(token(), now=now(), **{"signed_in_as": None, **options})


# --- who can --------------------------------------------------------------------------------------


def test_owners_are_named_first_among_those_who_can():
    acme = a_workspace()
    billing = a_person("billing@acme.test", name="Billing")
    a_member(acme, billing, role=Role.BILLING_MANAGER)
    a_member(acme, a_person("admin@acme.test"), role=Role.ADMIN)
    a_member(acme, a_person("gone@acme.test"), role=Role.BILLING_MANAGER, status=MemberStatus.DISABLED)
    a_member(acme, a_person("invited@acme.test"), role=Role.BILLING_MANAGER, joined=False)
    assert roster.people_with(acme, Right.REFUND) == [owner_of(acme), billing]


def test_an_upgrader_is_among_those_who_may_pay():
    acme = a_workspace()
    upgrader = a_member(acme, a_person("up@acme.test"))
    Member.update(is_upgrader=True).where(Member.id == upgrader.id).execute()
    assert upgrader.person in roster.people_with(acme, Right.REFUND)
    assert upgrader.person not in roster.people_with(acme, Right.MANAGE_MEMBERS)


def test_who_may_buy_follows_the_setting():
    acme = a_workspace()
    leo = a_member(acme, a_person("leo@acme.test")).person
    assert leo in roster.people_with(acme, Right.BUY)
    acme.who_may_buy = WhoMayBuy.BILLING
    assert leo not in roster.people_with(acme, Right.BUY)


def test_at_most_twenty_people_are_named():
    acme = a_workspace()
    for number in range(25):
        a_member(acme, a_person(f"m{number}@acme.test"))
    assert len(roster.people_with(acme, Right.SEE_PLANS)) == 20


# --- the list -------------------------------------------------------------------------------------


def test_the_list_pages_from_the_newest_and_never_shows_another_workspace():
    acme, other = a_workspace("Acme"), a_workspace("Other")
    a_member(other, a_person("stranger@other.test"))
    for number in range(4):
        a_member(acme, a_person(f"m{number}@acme.test"))
    first = roster.list_members(acme, limit=3)
    rest = roster.list_members(acme, limit=3, before=first.older)
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
    assert len(roster.list_members(acme, search=search).rows) == found


def test_the_list_is_narrowed_to_a_status_and_its_pages_too():
    acme = a_workspace()
    a_crowd(acme, users=2, guests=3)
    first = roster.list_members(acme, status=MemberStatus.GUEST, limit=2)
    rest = roster.list_members(acme, status=MemberStatus.GUEST, limit=2, before=first.older)
    assert [row.email for row in (*first.rows, *rest.rows)] == [f"guest{n}@acme.test" for n in (2, 1, 0)]
    assert rest.older is None


def test_members_are_counted_by_status_and_the_invited_as_what_they_will_be():
    acme = a_workspace(plan="business-3")
    a_crowd(acme, guests=2)
    a_member(acme, a_person("gone@acme.test"), status=MemberStatus.DISABLED)
    a_crowd(a_workspace("Other"), users=5)
    invite_all(acme, "a@acme.test", "b@acme.test", "c@acme.test")
    counts = roster.counts_of(acme)
    assert counts == Counts(active=3, guest=3, disabled=1)
    assert counts.everybody == 7


def test_a_name_is_shown_only_once_its_owner_has_joined():
    """Else an invitation would tell the name behind any address."""
    acme = a_workspace()
    a_member(acme, a_person("leo@acme.test", name="Leo Secret"), joined=False)
    assert roster.list_members(acme).rows[0].name == ""
    assert roster.list_members(acme, search="secret").rows == []


# --- inviting -------------------------------------------------------------------------------------


def test_an_invitation_takes_the_seat_and_lets_nobody_in_yet():
    acme = a_workspace()
    member = invite(acme, email="Leo@ACME.test")
    assert (member.person.email, member.person.password_hash, member.joined_at) == (
        "leo@acme.test",
        None,
        None,
    )
    assert places.enter(person=member.person, slug=acme.slug) is None
    [letter] = letters("invitation")
    assert letter["context"] == {"inviter": "Owner of Acme", "workspace": "Acme", "hours": 48}
    link = Link.get()
    assert link.expires_at - link.created_at == timedelta(hours=48)


def test_somebody_new_joins_with_a_name_and_a_password():
    acme = a_workspace()
    member = invite(acme)
    accept(name="Leo Durand", password=PASSWORD)
    leo = signing_in.authenticate("leo@acme.test", PASSWORD)
    assert leo.name == "Leo Durand"
    assert places.enter(person=leo, slug=acme.slug).member == member


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
    assert places.enter(person=leo, slug=acme.slug) is not None


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
    [
        (MemberStatus.ACTIVE, True),
        (MemberStatus.ACTIVE, False),
        (MemberStatus.GUEST, True),
        (MemberStatus.DISABLED, True),
    ],
)
def test_a_member_is_not_invited_twice(status, joined):
    """Nor anybody beside them: the whole list is looked at again."""
    acme = a_workspace()
    leo = a_member(acme, a_person("leo@acme.test"), status=status, joined=joined)
    with pytest.raises(AlreadyMembers) as refusal:
        invite_all(acme, "new@acme.test", "Leo@Acme.Test")
    assert refusal.value.members == [leo]
    assert letters("invitation") == []
    assert Member.select().where(Member.workspace == acme).count() == 2


def test_several_are_invited_at_once_and_whoever_is_named_twice_once():
    acme = a_workspace()
    invited = invite_all(acme, "leo@acme.test", "zoe@acme.test", "LEO@acme.test")
    assert emails_of(invited.users) == ["leo@acme.test", "zoe@acme.test"]
    assert invited.repeated == ["leo@acme.test"]
    assert [letter["to"] for letter in letters("invitation")] == ["leo@acme.test", "zoe@acme.test"]
    traces = AuditEntry.select().where(AuditEntry.action == "member.invited")
    assert [entry.changes for entry in traces] == [{"role": "member", "status": "active"}] * 2


def test_the_overflow_of_a_full_plan_becomes_guests_in_the_order_of_the_list():
    acme = a_workspace(plan="business-3")
    invited = invite_all(acme, *(f"{letter}@acme.test" for letter in "dcba"), role=Role.ADMIN)
    assert emails_of(invited.users) == ["d@acme.test", "c@acme.test"]
    assert emails_of(invited.guests) == ["b@acme.test", "a@acme.test"]
    assert {member.role for member in invited.users} == {Role.ADMIN}
    # A role would give rights on the day when they become users, unseen.
    assert {(member.role, member.status) for member in invited.guests} == {(Role.MEMBER, MemberStatus.GUEST)}


def test_the_seventh_guest_of_a_plan_for_three_is_refused_by_name_and_nobody_invited():
    acme = a_workspace(plan="business-3")
    a_crowd(acme, users=2, guests=5)
    with pytest.raises(CapacityReached) as refusal:
        invite_all(acme, "sixth@acme.test", "seventh@acme.test")
    assert refusal.value.refused == ["seventh@acme.test"]
    capacity = refusal.value.capacity
    assert (capacity.users, capacity.max_users, capacity.guests, capacity.max_guests) == (3, 3, 5, 6)
    assert Person.get_or_none(Person.email == "sixth@acme.test") is None
    assert letters("invitation") == []
    assert emails_of(invite_all(acme, "sixth@acme.test").guests) == ["sixth@acme.test"]


def test_the_free_plan_has_no_guests():
    acme = a_workspace(plan="startup")
    a_crowd(acme, users=4)
    with pytest.raises(CapacityReached):
        invite_all(acme, "sixth@acme.test")
    with pytest.raises(CapacityReached):
        invite_all(acme, "sixth@acme.test", as_guests=True)


def test_guests_may_be_wanted_while_users_would_fit():
    acme = a_workspace(plan="business-3")
    invited = invite_all(acme, "leo@acme.test", as_guests=True)
    assert (emails_of(invited.users), emails_of(invited.guests)) == ([], ["leo@acme.test"])


def test_an_accepted_invitation_keeps_the_seat_that_it_took():
    """Though the plan is smaller by now."""
    leo = a_person("leo@acme.test")
    acme = a_workspace(plan="business-5")
    a_crowd(acme, users=3)
    invite(acme)
    Subscription.update(plan=Plan.get(Plan.code == "business-3")).execute()
    accept(signed_in_as=leo)
    assert Member.get(Member.person == leo).status == MemberStatus.ACTIVE


def test_an_invited_guest_joins_and_has_no_rights():
    leo = a_person("leo@acme.test")
    acme = a_workspace(plan="business-3")
    a_crowd(acme, users=2)
    member = invite(acme)
    invitations.invite_again(the_place(acme), member, now=now())
    accept(signed_in_as=leo)
    place = seen_by(leo, acme)
    assert (place.member.status, place.may) == (MemberStatus.GUEST, frozenset())


def test_an_invited_guest_who_became_a_user_meanwhile_joins_as_one():
    leo = a_person("leo@acme.test")
    acme = a_workspace(plan="business-3")
    member = invite_all(acme, "leo@acme.test", as_guests=True).guests[0]
    changes.make_users(the_place(acme), [member.id], now=now())
    accept(signed_in_as=leo)
    assert Right.SEE_PLANS in seen_by(leo, acme).may


def test_a_trial_takes_everybody():
    acme = a_workspace()
    invited = invite_all(acme, *(f"m{number}@acme.test" for number in range(50)))
    assert len(invited.users) == 50


def test_the_free_plan_has_one_administrator():
    acme = a_workspace(plan="startup")
    with pytest.raises(AdministratorsFull) as refusal:
        invite(acme, role=Role.ADMIN)
    assert (refusal.value.limit, refusal.value.used) == (1, 1)
    assert letters("invitation") == []
    invite(acme, role=Role.MEMBER)


@pytest.mark.parametrize("role", [Role.OWNER, Role.BILLING_MANAGER])
def test_an_admin_gives_no_right_that_they_lack(role):
    acme = a_workspace()
    admin = a_person("admin@acme.test")
    a_member(acme, admin, role=Role.ADMIN)
    with pytest.raises(OwnersOnly):
        invitations.invite(seen_by(admin, acme), emails=["leo@acme.test"], role=role, now=now())
