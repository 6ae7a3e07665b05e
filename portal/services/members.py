"""The members of a workspace: who they are, who joins, who is disabled and comes back.

Every change holds the workspace's lock, so that the last seat is given once and the last owner stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from peewee import Case

from .. import outbox
from ..database import transaction
from ..domain.errors import LastOwner, LinkUnusable, PlanFull, PortalError
from ..domain.rights import rights_of
from ..domain.vocabulary import LinkPurpose, MemberStatus, Right, Role
from ..models import Link, Member, Person, Plan, Workspace
from ..runtime import current
from . import audit, links, passwords, people, plans, subscriptions
from .workspaces import Place

PEOPLE_NAMED = 20
ADMINISTRATORS = (Role.OWNER, Role.ADMIN)


class AlreadyMember(PortalError):
    """The address is a member's already; `status` and `has_joined` say how it stands."""


class AdministratorsFull(PortalError):
    """The plan allows `limit` administrators, owners among them, and `used` are there."""


class OwnersOnly(PortalError):
    """Only an owner may do this to a member with the role `role`."""


class CannotDisableYourself(PortalError):
    """Nobody locks themselves out."""


class MustSignIn(PortalError):
    """The person has a password: the invitation is accepted after signing in with it."""


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
class Seats:
    """How much of the plan is used. A limit that is None is no limit."""

    used: int
    limit: int | None
    administrators: int
    administrators_limit: int | None

    @property
    def is_full(self) -> bool:
        return self.limit is not None and self.used >= self.limit


def seats_of(workspace: Workspace, plan: Plan) -> Seats:
    usage = plans.usage_of(workspace)
    return Seats(
        used=usage.active_users,
        limit=plan.max_users,
        administrators=usage.administrators,
        administrators_limit=plan.max_administrators,
    )


# --- joining --------------------------------------------------------------------------------------


def invite(place: Place, *, email: str, role: Role, now: datetime) -> Member:
    """A member who takes a seat at once and joins by the link of the mail.

    An unknown address becomes a person without a password. Raises OwnersOnly, AlreadyMember,
    PlanFull, AdministratorsFull.
    """
    if role not in roles_to_give(place):
        raise OwnersOnly(role=role)
    workspace = place.workspace
    with transaction(lock=workspace):
        person = _person_of(people.identity(email), language=workspace.language, now=now)
        known = Member.get_or_none(Member.workspace == workspace, Member.person == person)
        if known is not None:
            raise AlreadyMember(
                status=MemberStatus(known.status), has_joined=known.joined_at is not None, member_id=known.id
            )
        _refuse_if_full(workspace, role)
        member = Member.create(workspace=workspace, person=person, role=role, created_at=now)
        _send_invitation(place, member)
        audit.record(
            "member.invited",
            workspace=workspace,
            subject=str(member.id),
            changes={"role": role.value},
            now=now,
        )
    return member


def invite_again(place: Place, member: Member, *, now: datetime) -> None:
    """Another mail to somebody who has not joined; the older link dies. Does nothing once they have."""
    with transaction(lock=place.workspace):
        member = _reload(member)
        if member.joined_at is not None or not member.is_active:
            return
        _send_invitation(place, member)
        audit.record("member.invited_again", workspace=place.workspace, subject=str(member.id), now=now)


def open_invitation(token: str) -> Link:
    """The link with its person, member and workspace. Raises LinkUnusable, for a disabled member too."""
    link = links.open_link(token, LinkPurpose.INVITATION)
    member = (
        Member.select(Member, Workspace)
        .join(Workspace)
        .where(
            Member.id == link.member_id,
            Member.status == MemberStatus.ACTIVE,
            Workspace.deleted_at.is_null(),
        )
        .first()
    )
    if member is None:
        raise LinkUnusable()
    member.person = link.person
    link.member = member
    return link


def accept_invitation(
    token: str, *, signed_in_as: Person | None, name: str = "", password: str = "", now: datetime
) -> Member:
    """Join. Somebody new gives a name and a password; somebody known must be signed in as themselves.

    A known person's mailbox alone does not do: the account may have been made by somebody else, and
    its password would open the workspace. Raises LinkUnusable, MustSignIn, PasswordTooCommon,
    PasswordLengthWrong.
    """
    link = open_invitation(token)
    member, person = link.member, link.person
    is_new = person.password_hash is None
    if not is_new and (signed_in_as is None or signed_in_as.id != person.id):
        raise MustSignIn(email=person.email)
    password_hash = ""
    if is_new:
        passwords.refuse_weak(password, words=(name, person.email, member.workspace.name))
        password_hash = passwords.hash_password(password)
    with transaction(lock=member.workspace):
        links.consume_link(link)
        if is_new:
            person.name, person.password_hash = name, password_hash
            person.save(only=[Person.name, Person.password_hash])
        member.joined_at = now
        member.save(only=[Member.joined_at])
        audit.record(
            "member.joined", workspace=member.workspace, subject=str(member.id), actor=person, now=now
        )
    return member


def _person_of(address: str, *, language: str, now: datetime) -> Person:
    """Two workspaces may invite one new address at once: the second takes the first's person."""
    Person.insert(
        email=address, name=address.partition("@")[0][:200], language=language, created_at=now
    ).on_conflict(action="NOTHING", conflict_target=[Person.email]).execute()
    return Person.get(Person.email == address)


def _send_invitation(place: Place, member: Member) -> None:
    token, link = links.make_link(member.person, LinkPurpose.INVITATION, member=member)
    inviter = Person.get_by_id(place.member.person_id)
    hours = int(links.LIFE_OF_LINK[LinkPurpose.INVITATION].total_seconds() // 3600)
    outbox.publish(
        "mail",
        key=f"link-{link.id}",
        payload={
            "template": "invitation",
            "to": member.person.email,
            "locale": people.mail_locale(member.person),
            "context": {"inviter": inviter.name, "workspace": place.workspace.name, "hours": hours},
            outbox.SECRETS: {"path": links.PATH_OF_LINK[LinkPurpose.INVITATION] + token},
        },
        now=current().clock.wall(),
    )


# --- leaving and coming back ----------------------------------------------------------------------


def disable(place: Place, member: Member, *, now: datetime) -> None:
    """Take the seat and every session away; an open invitation dies. Safe to repeat.

    The sessions end wherever the person is a member: a signed-in browser is never told apart by
    workspace. Raises CannotDisableYourself, OwnersOnly, LastOwner.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        member = _reload(member)
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
        member = _reload(member)
        if member.status != MemberStatus.DISABLED:
            return
        if member.role not in roles_to_give(place):
            raise OwnersOnly(role=Role(member.role))
        _refuse_if_full(workspace, Role(member.role))
        member.status = MemberStatus.ACTIVE
        member.save(only=[Member.status])
        audit.record("member.enabled", workspace=workspace, subject=str(member.id), now=now)


def _refuse_touching_owner(place: Place, member: Member) -> None:
    if place.member.role != Role.OWNER:
        raise OwnersOnly(role=Role.OWNER)
    others = Member.owners(place.workspace).where(Member.id != member.id, Member.joined_at.is_null(False))
    if member.joined_at is not None and not others.exists():
        raise LastOwner()


def _refuse_if_full(workspace: Workspace, role: Role) -> None:
    seats = seats_of(workspace, subscriptions.of_workspace(workspace).plan)
    if seats.is_full:
        raise PlanFull(limit=seats.limit, used=seats.used)
    limit = seats.administrators_limit
    if role in ADMINISTRATORS and limit is not None and seats.administrators >= limit:
        raise AdministratorsFull(limit=limit, used=seats.administrators)


def _reload(member: Member) -> Member:
    """The member as it is now that the lock is held."""
    fresh = find_member(member.workspace, member.id)
    assert fresh is not None
    return fresh
