"""Many at once want the last seats: each is given once, on real connections of several threads."""

from collections import Counter

import pytest

from portal.domain.errors import LastOwner, PlanFull, PortalError
from portal.domain.vocabulary import MemberStatus, Role
from portal.models import Member, OutboxMessage
from portal.runtime import current
from portal.services.members import changes, invitations, roster
from portal.services.members.invitations import AlreadyMembers, CapacityReached, Invited
from tests.factories import a_member, a_person, a_workspace, owner_of, seen_by
from tests.services.payments.test_concurrency import at_once, faults_of

pytestmark = [pytest.mark.usefixtures("runtime"), pytest.mark.both_engines]
TIMES = 8


def now():
    return current().clock.now()


@pytest.fixture
def acme():
    """On a plan for three, two of whom are there, and five of six guests."""
    workspace = a_workspace(plan="business-3")
    a_member(workspace, a_person("two@acme.test", password=False))
    for number in range(5):
        guest = a_person(f"guest{number}@acme.test", password=False)
        a_member(workspace, guest, status=MemberStatus.GUEST)
    return workspace


def test_the_last_seat_and_the_last_guest_are_invited_once(acme):
    place = seen_by(owner_of(acme), acme)
    results = at_once(
        [
            lambda number=number: invitations.invite(
                place, emails=[f"new{number}@acme.test"], role=Role.MEMBER, now=now()
            )
            for number in range(TIMES)
        ]
    )
    assert faults_of(results) == []
    invited = [result for result in results if isinstance(result, Invited)]
    assert sorted((len(each.users), len(each.guests)) for each in invited) == [(0, 1), (1, 0)]
    assert sum(isinstance(result, CapacityReached) for result in results) == TIMES - 2
    assert (roster.counts_of(acme).active, roster.counts_of(acme).guest) == (3, 6)
    assert OutboxMessage.select().where(OutboxMessage.topic == "mail").count() == 2


def test_one_address_invited_by_many_takes_one_seat(acme):
    place = seen_by(owner_of(acme), acme)
    results = at_once(
        [lambda: invitations.invite(place, emails=["new@acme.test"], role=Role.MEMBER, now=now())] * TIMES
    )
    assert faults_of(results) == []
    assert Counter(type(result) for result in results) == {Invited: 1, AlreadyMembers: TIMES - 1}
    assert roster.counts_of(acme).active == 3


def test_the_same_people_are_invited_to_many_workspaces_in_any_order():
    """Each finds or makes the persons in one order, so that none waits for another for ever."""
    places = [seen_by(owner_of(each), each) for each in (a_workspace(f"W{n}") for n in range(TIMES))]
    emails = [f"new{number}@acme.test" for number in range(20)]
    results = at_once(
        [
            lambda place=place, step=step: invitations.invite(
                place, emails=emails[::step], role=Role.MEMBER, now=now()
            )
            for place, step in zip(places, (1, -1) * (TIMES // 2), strict=True)
        ]
    )
    assert [type(result) for result in results] == [Invited] * TIMES


def test_guests_and_disabled_members_do_not_take_one_seat_together(acme):
    place = seen_by(owner_of(acme), acme)
    guests = list(Member.select().where(Member.status == MemberStatus.GUEST))
    gone = [
        a_member(acme, a_person(f"gone{n}@acme.test", password=False), status=MemberStatus.DISABLED)
        for n in range(4)
    ]
    results = at_once(
        [
            *[lambda guest=guest: changes.make_users(place, [guest.id], now=now()).users for guest in guests],
            *[lambda member=member: changes.enable(place, member, now=now()) for member in gone],
        ]
    )
    assert faults_of(results) == []
    taken = sum(len(result) for result in results if isinstance(result, list)) + results.count(None)
    assert taken == 1
    assert all(isinstance(result, PlanFull) for result in results if isinstance(result, PortalError))
    assert roster.counts_of(acme).active == 3


def test_an_owner_is_left_whoever_removes_whom_first():
    acme = a_workspace()
    for number in range(3):
        a_member(acme, a_person(f"owner{number}@acme.test"), role=Role.OWNER)
    owners = list(Member.owners(acme).order_by(Member.id))
    places = [seen_by(owner.person, acme) for owner in owners]
    results = at_once(
        [
            lambda place=place, other=other: changes.remove(place, other, now=now())
            for place, other in zip(places, owners[1:] + owners[:1], strict=True)
        ]
    )
    assert faults_of(results) == []
    assert all(result is None or isinstance(result, LastOwner) for result in results)
    assert Member.owners(acme).count() >= 1
