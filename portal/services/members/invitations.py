"""Invitations: a seat taken at once, a link by mail, and the person who joins by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.database.connecting import transaction
from portal.domain.capacity import Capacity, admit
from portal.domain.errors import LinkUnusable, PortalError
from portal.domain.vocabulary import LinkPurpose, MemberStatus, Role
from portal.models import Link, Member, Person, Workspace
from portal.services import audit, letters
from portal.services.people import links, passwords, signing_in
from portal.services.places import Place

from .roster import (
    ADMINISTRATORS,
    OwnersOnly,
    capacity_now,
    refuse_administrators,
    reload_member,
    roles_to_give,
)


class AlreadyMembers(PortalError):
    """Some of the addresses are members' already: `members`, with their people, say how each stands."""

    members: Sequence[Member]


class CapacityReached(PortalError):
    """No seat for the addresses `refused`, neither as users nor as guests; `capacity` has the figures."""

    refused: Sequence[str]
    capacity: Capacity


class MustSignIn(PortalError):
    """The person has a password: the invitation is accepted after signing in with it."""


@dataclass(frozen=True, slots=True)
class Invited:
    """Who took a seat. `repeated`: addresses that were named more than once, and are invited once."""

    users: Sequence[Member]
    guests: Sequence[Member]
    repeated: Sequence[str]


def invite(
    place: Place,
    *,
    emails: Sequence[str],
    role: Role,
    as_guests: bool = False,
    names: Mapping[str, str] | None = None,
    now: datetime,
) -> Invited:
    """Members who take their seats at once, in the order given, and join by the link of the mail.

    When the plan holds no more users, the rest become guests, as plain members until there is a seat: the
    `role` is theirs then. Everybody is invited or nobody. An unknown address becomes a person without a
    password, called as `names` says of the address as it stands in `emails`. Raises
    OwnersOnly, AlreadyMembers, NoRoom, AdministratorsFull.
    """
    if role not in roles_to_give(place):
        raise OwnersOnly(role=role)
    workspace = place.workspace
    named = [signing_in.identity(email) for email in emails]
    addresses = list(dict.fromkeys(named))
    with transaction(lock=workspace):
        capacity = capacity_now(workspace)
        admitted = admit(capacity, len(addresses), as_guests=as_guests)
        _refuse_members(workspace, addresses)
        if admitted.refused:
            raise CapacityReached(refused=addresses[-admitted.refused :], capacity=capacity)
        if role in ADMINISTRATORS:
            refuse_administrators(workspace, more=admitted.users)
        called = {signing_in.identity(email): name for email, name in (names or {}).items()}
        persons = _people_of(addresses, names=called, language=workspace.language, now=now)
        members = []
        for number, address in enumerate(addresses):
            is_user = number < admitted.users
            member = Member.create(
                workspace=workspace,
                person=persons[address],
                role=role if is_user else Role.MEMBER,
                status=MemberStatus.ACTIVE if is_user else MemberStatus.GUEST,
                wanted_role=None if is_user or role == Role.MEMBER else role,
                created_at=now,
            )
            _send_invitation(place, member)
            audit.record(
                "member.invited",
                workspace=workspace,
                subject=str(member.id),
                changes={"role": member.role.value, "status": member.status.value},
                now=now,
            )
            members.append(member)
    repeated = [address for address in addresses if named.count(address) > 1]
    return Invited(users=members[: admitted.users], guests=members[admitted.users :], repeated=repeated)


def invite_again(place: Place, member: Member, *, now: datetime) -> None:
    """Another mail to somebody who has not joined; the older link dies. Does nothing once they have."""
    with transaction(lock=place.workspace):
        member = reload_member(member)
        if member.joined_at is not None or member.status == MemberStatus.DISABLED:
            return
        _send_invitation(place, member)
        audit.record("member.invited_again", workspace=place.workspace, subject=str(member.id), now=now)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an invitation's link leads to."""

    link: Link
    person: Person
    member: Member
    workspace: Workspace

    @property
    def is_for_somebody_new(self) -> bool:
        return self.person.password_hash is None

    @property
    def proposed_name(self) -> str:
        """As whoever invited them called them; empty where nobody did."""
        return "" if self.person.name == nameless(self.person.email) else self.person.name


def open_invitation(token: str) -> Invitation:
    """What the link leads to. Raises LinkUnusable, for a disabled member and a deleted workspace too."""
    link = links.open_link(token, LinkPurpose.INVITATION)
    member = (
        Member.select(Member, Workspace)
        .join_from(Member, Workspace)
        .join_from(Member, Link)
        .where(
            Link.id == link.id,
            Member.status != MemberStatus.DISABLED,
            Workspace.deleted_at.is_null(),
        )
        .first()
    )
    if member is None:
        raise LinkUnusable()
    return Invitation(link=link, person=link.holder, member=member, workspace=member.workspace)


def accept_invitation(
    token: str,
    *,
    signed_in_as: Person | None,
    name: str = "",
    password: str = "",
    language: str = "",
    now: datetime,
) -> Invitation:
    """Join with the seat that the invitation took, as a user or a guest.

    Somebody new gives a name, a password and the language that they read the invitation in, else it stays the
    workspace's; somebody known must be signed in as themselves.

    A known person's mailbox alone does not do: the account may have been made by somebody else, and
    its password would open the workspace. Raises LinkUnusable, MustSignIn, PasswordTooCommon,
    PasswordLengthWrong.
    """
    invitation = open_invitation(token)
    person, member, workspace = invitation.person, invitation.member, invitation.workspace
    is_new = invitation.is_for_somebody_new
    if not is_new and (signed_in_as is None or signed_in_as.id != person.id):
        raise MustSignIn()
    password_hash = ""
    if is_new:
        passwords.refuse_weak(password, words=(name, person.email, workspace.name))
        password_hash = passwords.hash_password(password)
    with transaction(lock=workspace):
        links.consume_link(invitation.link)
        if reload_member(member).status == MemberStatus.DISABLED:
            raise LinkUnusable()
        if is_new:
            person.name, person.password_hash = name, password_hash
            person.language = language or person.language
            person.save(only=[Person.name, Person.password_hash, Person.language])
            signing_in.prove_address(person)
        member.joined_at = now
        member.save(only=[Member.joined_at])
        audit.record("member.joined", workspace=workspace, subject=str(member.id), actor=person, now=now)
    return invitation


def _refuse_members(workspace: Workspace, addresses: Sequence[str]) -> None:
    known = list(
        Member.select(Member, Person)
        .join(Person)
        .where(Member.workspace == workspace, Person.email << list(addresses))
        .order_by(Member.id)
    )
    if known:
        raise AlreadyMembers(members=known)


def _people_of(
    addresses: Sequence[str], *, names: Mapping[str, str], language: str, now: datetime
) -> dict[str, Person]:
    """By address. Two workspaces may invite one new address at once: the second takes the first's person.

    In one order for all: two that invite the same people would otherwise wait for each other.
    """
    rows = [
        {
            "email": address,
            "name": names.get(address) or nameless(address),
            "language": language,
            "created_at": now,
        }
        for address in sorted(addresses)
    ]
    Person.insert_many(rows).on_conflict(action="NOTHING", conflict_target=[Person.email]).execute()
    return {person.email: person for person in Person.select().where(Person.email << list(addresses))}


def nameless(address: str) -> str:
    """What somebody is called until they say it, or whoever invites them does."""
    return address.partition("@")[0][:200]


def _send_invitation(place: Place, member: Member) -> None:
    token, link = links.make_link(member.person, LinkPurpose.INVITATION, member=member)
    inviter = Person.get_by_id(place.member.person_id)
    hours = int(links.LIFE_OF_LINK[LinkPurpose.INVITATION].total_seconds() // 3600)
    letters.promise(
        "invitation",
        key=f"link-{link.token_hash[:32]}",
        to=member.person.email,
        locale=letters.mail_locale(member.person),
        context={
            "inviter": inviter.name,
            "workspace": place.workspace.name,
            "hours": hours,
        },
        secrets={"path": links.PATH_OF_LINK[LinkPurpose.INVITATION] + token},
    )
