"""Invitations: a seat taken at once, a link by mail, and the person who joins by it."""

from dataclasses import dataclass
from datetime import datetime

from .. import outbox
from ..database import transaction
from ..domain.errors import LinkUnusable, PortalError
from ..domain.vocabulary import LinkPurpose, MemberStatus, Role
from ..models import Link, Member, Person, Workspace
from ..runtime import current
from . import audit, links, passwords, people
from .members import OwnersOnly, refuse_if_full, reload_member, roles_to_give
from .workspaces import Place


class AlreadyMember(PortalError):
    """The address is a member's already; `status` and `has_joined` say how it stands."""


class MustSignIn(PortalError):
    """The person has a password: the invitation is accepted after signing in with it."""


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
        refuse_if_full(workspace, role)
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
        member = reload_member(member)
        if member.joined_at is not None or not member.is_active:
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


def open_invitation(token: str) -> Invitation:
    """What the link leads to. Raises LinkUnusable, for a disabled member and a deleted workspace too."""
    link = links.open_link(token, LinkPurpose.INVITATION)
    member = (
        Member.select(Member, Workspace)
        .join_from(Member, Workspace)
        .join_from(Member, Link)
        .where(
            Link.id == link.id,
            Member.status == MemberStatus.ACTIVE,
            Workspace.deleted_at.is_null(),
        )
        .first()
    )
    if member is None:
        raise LinkUnusable()
    return Invitation(link=link, person=link.person, member=member, workspace=member.workspace)


def accept_invitation(
    token: str, *, signed_in_as: Person | None, name: str = "", password: str = "", now: datetime
) -> Invitation:
    """Join. Somebody new gives a name and a password; somebody known must be signed in as themselves.

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
        if reload_member(member).status != MemberStatus.ACTIVE:
            raise LinkUnusable()
        if is_new:
            person.name, person.password_hash = name, password_hash
            person.email_proved_at = current().clock.wall()
            person.save(only=[Person.name, Person.password_hash, Person.email_proved_at])
        member.joined_at = now
        member.save(only=[Member.joined_at])
        audit.record("member.joined", workspace=workspace, subject=str(member.id), actor=person, now=now)
    return invitation


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
        key=f"link-{link.token_hash[:32]}",
        payload={
            "template": "invitation",
            "to": member.person.email,
            "locale": people.mail_locale(member.person),
            "context": {"inviter": inviter.name, "workspace": place.workspace.name, "hours": hours},
            outbox.SECRETS: {"path": links.PATH_OF_LINK[LinkPurpose.INVITATION] + token},
        },
        now=current().clock.wall(),
    )
