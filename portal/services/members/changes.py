"""What happens to one member: another role or status, coming back, going, becoming an owner.

Every change holds the workspace's lock, so that the last seat is given once and the last owner stays. Each is
safe to repeat: what is so already is left alone, without a trace. Nobody changes themselves, but for an owner
who hands over. A guest has the role of a plain member: rights are given again when they are a user again, and
the role of an invitation that found no seat then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.database.connecting import transaction
from portal.domain.errors import LastOwner, PortalError
from portal.domain.vocabulary import MemberStatus, Role
from portal.models import Link, Member, Person, Workspace
from portal.services import audit, letters
from portal.services.people import signing_in
from portal.services.places import Place
from portal.services.subscriptions import licences

from .roster import (
    ADMINISTRATORS,
    AdministratorsFull,
    OwnersOnly,
    capacity_now,
    refuse_administrators,
    refuse_if_full,
    refuse_if_full_of_guests,
    reload_member,
    roles_to_give,
)


class NotOnYourself(PortalError):
    """Nobody locks themselves out, and nobody promotes themselves."""


class NotAUser(PortalError):
    """A guest or a disabled member has no role to change."""


class NotJoined(PortalError):
    """Whoever becomes an owner has accepted the invitation."""


# --- status ---------------------------------------------------------------------------------------


def disable(place: Place, member: Member, *, now: datetime) -> None:
    """Take the seat, every licence and every session away; an open invitation dies.

    The sessions end wherever the person is a member: a signed-in browser is never told apart by
    workspace. Raises NotOnYourself, OwnersOnly, LastOwner, MemberGone.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        member = reload_member(member)
        if member.status == MemberStatus.DISABLED:
            return
        _refuse_taking_away(place, member)
        member.status = MemberStatus.DISABLED
        member.is_upgrader = False
        member.save(only=[Member.status, Member.is_upgrader])
        _end_invitation(member)
        licences.free_of(workspace, member, now=now)
        signing_in.end_sessions(member.person)
        audit.record("member.disabled", workspace=workspace, subject=str(member.id), now=now)


def enable(place: Place, member: Member, *, as_guest: bool = False, now: datetime) -> None:
    """Give a seat back, a guest's if so wanted, but no licence. Does nothing for whoever is not disabled.

    Raises OwnersOnly, PlanFull, AdministratorsFull, GuestsFull, MemberGone.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        member = reload_member(member)
        if member.status != MemberStatus.DISABLED:
            return
        if member.role not in roles_to_give(place):
            raise OwnersOnly(role=Role(member.role))
        if as_guest:
            refuse_if_full_of_guests(workspace)
            _become_guest(member)
        else:
            refuse_if_full(workspace, Role(member.role))
            _become_user(place, member, now=now)
        audit.record(
            "member.enabled",
            workspace=workspace,
            subject=str(member.id),
            changes={"status": member.status.value},
            now=now,
        )


def make_guest(place: Place, member: Member, *, now: datetime) -> None:
    """A user gives the seat, the role and access to billing back; what they only look at stays theirs.

    Does nothing for whoever is no user. Raises NotOnYourself, OwnersOnly, LastOwner, GuestsFull, MemberGone.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        member = reload_member(member)
        if not member.is_active:
            return
        _refuse_taking_away(place, member)
        refuse_if_full_of_guests(workspace)
        role = Role(member.role)
        _become_guest(member)
        audit.record(
            "member.made_guest",
            workspace=workspace,
            subject=str(member.id),
            changes={"role": role.value},
            now=now,
        )


@dataclass(frozen=True, slots=True)
class Promoted:
    """Guests who are users now, and those who stay guests because no seat was left, with their people.

    `without_role` are those of the users who were invited as administrators and for whom the plan has no
    place as such.
    """

    users: Sequence[Member]
    guests: Sequence[Member]
    without_role: Sequence[Member] = ()


def make_users(place: Place, member_ids: Iterable[int], *, now: datetime) -> Promoted:
    """As many of these guests as fit become users, those first who have been here longest.

    Each gets the role that they were invited with, whoever gives the seat: it was decided then. Ids of
    anybody else are passed over.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        guests = list(
            Member.select(Member, Person)
            .join(Person)
            .where(
                Member.workspace == workspace,
                Member.status == MemberStatus.GUEST,
                Member.id << list(member_ids),
            )
            .order_by(Member.id)
        )
        free = capacity_now(workspace).free_users
        users = guests[:free]
        without_role = []
        for member in users:
            if not _become_user(place, member, now=now):
                without_role.append(member)
            audit.record("member.made_user", workspace=workspace, subject=str(member.id), now=now)
    return Promoted(users=users, guests=[] if free is None else guests[free:], without_role=without_role)


def remove(place: Place, member: Member, *, now: datetime) -> None:
    """The membership is gone, with its licences and open invitation; what was paid and done stays on record.

    Their sessions end when they are a member nowhere else. Raises NotOnYourself, OwnersOnly, LastOwner,
    MemberGone.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        member = reload_member(member)
        _refuse_taking_away(place, member)
        audit.record(
            "member.removed",
            workspace=workspace,
            subject=str(member.id),
            changes={"role": member.role.value, "status": member.status.value},
            now=now,
        )
        licences.free_of(workspace, member, now=now)
        member.delete_instance()
        if not _is_member_somewhere(member.person):
            signing_in.end_sessions(member.person)


# --- role -----------------------------------------------------------------------------------------


def change_role(place: Place, member: Member, role: Role, *, now: datetime) -> None:
    """Another role for a user; one who becomes an owner is told by mail.

    Raises NotOnYourself, NotAUser, OwnersOnly, LastOwner, AdministratorsFull, MemberGone.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        member = reload_member(member)
        before = Role(member.role)
        if role == before:
            return
        _refuse_taking_away(place, member)
        if not member.is_active:
            raise NotAUser()
        for each in (before, role):
            if each not in roles_to_give(place):
                raise OwnersOnly(role=each)
        refuse_administrators(workspace, more=_administrators(role) - _administrators(before))
        _give_role(workspace, member, role, now=now)
        if role == Role.OWNER and member.joined_at is not None:
            _tell_new_owner(place, member, now=now)


def hand_over(place: Place, member: Member, *, own_role: Role, now: datetime) -> None:
    """Make another user an owner; the one who does it takes `own_role`, perhaps that of an owner still.

    The new owner is told by mail. Raises OwnersOnly, NotOnYourself, NotAUser, NotJoined,
    AdministratorsFull, MemberGone.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        giver, member = reload_member(place.member), reload_member(member)
        if not (giver.is_active and giver.role == Role.OWNER):
            raise OwnersOnly(role=Role.OWNER)
        if member.id == giver.id:
            raise NotOnYourself()
        if not member.is_active:
            raise NotAUser()
        if member.joined_at is None:
            raise NotJoined()
        before = Role(member.role)
        more = 1 - _administrators(before) + _administrators(own_role) - 1
        refuse_administrators(workspace, more=more)
        if before != Role.OWNER:
            _give_role(workspace, member, Role.OWNER, now=now)
            _tell_new_owner(place, member, now=now)
        if own_role != Role.OWNER:
            _give_role(workspace, giver, own_role, now=now)


def end_billing_access(place: Place, member: Member, *, now: datetime) -> None:
    """Take the upgrader's flag off; an owner does it. Raises OwnersOnly, MemberGone."""
    workspace = place.workspace
    if place.member.role != Role.OWNER:
        raise OwnersOnly(role=Role(member.role))
    with transaction(lock=workspace):
        member = reload_member(member)
        if not member.is_upgrader:
            return
        member.is_upgrader = False
        member.save(only=[Member.is_upgrader])
        audit.record("member.billing_access_ended", workspace=workspace, subject=str(member.id), now=now)


# --- what they share ------------------------------------------------------------------------------


def _refuse_taking_away(place: Place, member: Member) -> None:
    """Who loses something: never oneself, an owner by an owner only, and never the last of them."""
    if member.person_id == place.member.person_id:
        raise NotOnYourself()
    if member.role != Role.OWNER:
        return
    if place.member.role != Role.OWNER:
        raise OwnersOnly(role=Role.OWNER)
    counts = member.is_active and member.joined_at is not None
    others = Member.owners(place.workspace).where(Member.id != member.id, Member.joined_at.is_null(False))
    if counts and not others.exists():
        raise LastOwner()


def _become_guest(member: Member) -> None:
    member.status, member.role, member.is_upgrader = MemberStatus.GUEST, Role.MEMBER, False
    member.save(only=[Member.status, Member.role, Member.is_upgrader])


def _become_user(place: Place, member: Member, *, now: datetime) -> bool:
    """With the role that they were invited with; False where the plan has no place for it."""
    wanted = member.wanted_role
    member.status, member.wanted_role = MemberStatus.ACTIVE, None
    member.save(only=[Member.status, Member.wanted_role])
    if wanted is None:
        return True
    try:
        refuse_administrators(place.workspace, more=_administrators(wanted) - _administrators(member.role))
    except AdministratorsFull:
        return False
    _give_role(place.workspace, member, wanted, now=now)
    if wanted == Role.OWNER and member.joined_at is not None:
        _tell_new_owner(place, member, now=now)
    return True


def _give_role(workspace: Workspace, member: Member, role: Role, *, now: datetime) -> None:
    before, member.role = Role(member.role), role
    member.save(only=[Member.role])
    audit.record(
        "member.role_changed",
        workspace=workspace,
        subject=str(member.id),
        changes={"role.before": before.value, "role.after": role.value},
        now=now,
    )


def _tell_new_owner(place: Place, member: Member, *, now: datetime) -> None:
    letters.send(
        "owner_made",
        to=[member.person],
        workspace=place.workspace,
        key=f"owner-made-{member.id}-{now.isoformat()}",
        context={"by": Person.get_by_id(place.member.person_id).name},
    )


def _administrators(role: Role) -> int:
    return 1 if role in ADMINISTRATORS else 0


def _end_invitation(member: Member) -> None:
    Link.delete().where(Link.member == member, Link.used_at.is_null()).execute()


def _is_member_somewhere(person: Person) -> bool:
    return (
        Member.select()
        .where(
            Member.person == person, Member.status != MemberStatus.DISABLED, Member.joined_at.is_null(False)
        )
        .exists()
    )
