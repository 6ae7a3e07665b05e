"""The members of a workspace: who they are, who is disabled and comes back.

Every change holds the workspace's lock, so that the last seat is given once and the last owner stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from peewee import Case

from ..database import transaction
from ..domain.errors import LastOwner, PlanFull, PortalError
from ..domain.rights import rights_of
from ..domain.vocabulary import MemberStatus, Right, Role
from ..models import Link, Member, Person, Plan, Workspace
from . import audit, people, plans, subscriptions
from .workspaces import Place

PEOPLE_NAMED = 20
ADMINISTRATORS = (Role.OWNER, Role.ADMIN)


class AdministratorsFull(PortalError):
    """The plan allows `limit` administrators, owners among them, and `used` are there."""


class OwnersOnly(PortalError):
    """Only an owner may do this to a member with the role `role`."""


class CannotDisableYourself(PortalError):
    """Nobody locks themselves out."""


# --- looking --------------------------------------------------------------------------------------


def people_with(workspace: Workspace, right: Right) -> list[Person]:
    """Up to 20 people who have the right here, owners first."""

    def has(role: Role, *, is_upgrader: bool = False) -> bool:
        return right in rights_of(
            role=role,
            status=MemberStatus.ACTIVE,
            is_upgrader=is_upgrader,
            who_may_buy=workspace.who_may_buy,
            hides_plans_from_members=workspace.hides_plans_from_members,
        )

    able = Member.role << [role for role in Role if has(role)]
    if has(Role.MEMBER, is_upgrader=True):
        able |= Member.is_upgrader
    owners_first = Case(None, [(Member.role == Role.OWNER, 0)], 1)
    query = (
        Member.select(Member, Person)
        .join(Person)
        .where(
            Member.workspace == workspace,
            Member.status == MemberStatus.ACTIVE,
            Member.joined_at.is_null(False),
            able,
        )
        .order_by(owners_first, Member.id)
        .limit(PEOPLE_NAMED)
    )
    return [member.person for member in query]


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member as the list shows them. The name is empty until they join: it is theirs to tell."""

    member_id: int
    person_id: int
    name: str
    email: str
    role: Role
    status: MemberStatus
    has_joined: bool


@dataclass(frozen=True, slots=True)
class MemberPage:
    """`older` is the cursor of the next page, None on the last one."""

    rows: Sequence[MemberRow]
    older: int | None


def list_members(
    workspace: Workspace, *, search: str = "", before: int | None = None, limit: int = 50
) -> MemberPage:
    """The newest members first, those whose name or address contains `search`. One query, any size."""
    query = (
        Member.select(Member, Person)
        .join(Person)
        .where(Member.workspace == workspace)
        .order_by(Member.id.desc())
        .limit(limit + 1)
    )
    if search:
        by_name = Person.name.contains(search) & Member.joined_at.is_null(False)
        query = query.where(Person.email.contains(search.lower()) | by_name)
    if before is not None:
        query = query.where(Member.id < before)
    rows = [
        MemberRow(
            member_id=member.id,
            person_id=member.person_id,
            name=member.person.name if member.joined_at else "",
            email=member.person.email,
            role=Role(member.role),
            status=MemberStatus(member.status),
            has_joined=member.joined_at is not None,
        )
        for member in query
    ]
    return MemberPage(rows=rows[:limit], older=rows[limit - 1].member_id if len(rows) > limit else None)


def find_member(workspace: Workspace, member_id: int) -> Member | None:
    """The workspace's member with their person; another workspace's is None."""
    return (
        Member.select(Member, Person)
        .join(Person)
        .where(Member.workspace == workspace, Member.id == member_id)
        .first()
    )


def roles_to_give(place: Place) -> tuple[Role, ...]:
    """What the person may make of somebody whom they invite: an admin gives no right that they lack."""
    if place.member.role == Role.OWNER:
        return (Role.MEMBER, Role.BILLING_MANAGER, Role.ADMIN, Role.OWNER)
    return (Role.MEMBER, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Room:
    """How much of the plan is used. A limit that is None is no limit."""

    used: int
    limit: int | None
    administrators: int
    administrators_limit: int | None

    @property
    def is_full(self) -> bool:
        return self.limit is not None and self.used >= self.limit


def room_of(workspace: Workspace, plan: Plan) -> Room:
    usage = plans.usage_of(workspace)
    return Room(
        used=usage.active_users,
        limit=plan.max_users,
        administrators=usage.administrators,
        administrators_limit=plan.max_administrators,
    )


# --- leaving and coming back ----------------------------------------------------------------------


def disable(place: Place, member: Member, *, now: datetime) -> None:
    """Take the seat and every session away; an open invitation dies. Safe to repeat.

    The sessions end wherever the person is a member: a signed-in browser is never told apart by
    workspace. Raises CannotDisableYourself, OwnersOnly, LastOwner.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        member = reload_member(member)
        if member.status == MemberStatus.DISABLED:
            return
        if member.person_id == place.member.person_id:
            raise CannotDisableYourself()
        if member.role == Role.OWNER:
            _refuse_touching_owner(place, member)
        member.status = MemberStatus.DISABLED
        member.is_upgrader = False
        member.save(only=[Member.status, Member.is_upgrader])
        Link.delete().where(Link.member == member, Link.used_at.is_null()).execute()
        people.end_sessions(member.person)
        audit.record("member.disabled", workspace=workspace, subject=str(member.id), now=now)


def enable(place: Place, member: Member, *, now: datetime) -> None:
    """Give a seat back. Safe to repeat. Raises OwnersOnly, PlanFull, AdministratorsFull."""
    workspace = place.workspace
    with transaction(lock=workspace):
        member = reload_member(member)
        if member.status != MemberStatus.DISABLED:
            return
        if member.role not in roles_to_give(place):
            raise OwnersOnly(role=Role(member.role))
        refuse_if_full(workspace, Role(member.role))
        member.status = MemberStatus.ACTIVE
        member.save(only=[Member.status])
        audit.record("member.enabled", workspace=workspace, subject=str(member.id), now=now)


def _refuse_touching_owner(place: Place, member: Member) -> None:
    if place.member.role != Role.OWNER:
        raise OwnersOnly(role=Role.OWNER)
    others = Member.owners(place.workspace).where(Member.id != member.id, Member.joined_at.is_null(False))
    if member.joined_at is not None and not others.exists():
        raise LastOwner()


def refuse_if_full(workspace: Workspace, role: Role) -> None:
    """Inside the workspace's lock. Raises PlanFull, AdministratorsFull."""
    room = room_of(workspace, subscriptions.of_workspace(workspace).plan)
    if room.is_full:
        raise PlanFull(limit=room.limit, used=room.used)
    limit = room.administrators_limit
    if role in ADMINISTRATORS and limit is not None and room.administrators >= limit:
        raise AdministratorsFull(limit=limit, used=room.administrators)


def reload_member(member: Member) -> Member:
    """The member with their person, as they are now that the lock is held."""
    return Member.select(Member, Person).join(Person).where(Member.id == member.id).get()
