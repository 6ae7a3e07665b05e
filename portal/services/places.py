"""A workspace: made, entered, seen from where a person stands in it."""

from dataclasses import dataclass
from typing import cast

from portal.database.connecting import require_transaction
from portal.database.prepared import Parameter, Prepared
from portal.domain.rights import rights_of
from portal.domain.vocabulary import MemberStatus, Right, SessionBinding
from portal.models import Member, Person, Workspace

MENU_WORKSPACES = 20


@dataclass(frozen=True, slots=True)
class Place:
    """A person in a workspace: what every page of `/w/<slug>/` starts from."""

    workspace: Workspace
    member: Member
    may: frozenset[Right]
    others: tuple[Workspace, ...]

    @property
    def buys(self) -> bool:
        """Whether the person buys on these pages; in a corporate workspace nobody does."""
        return Right.BUY in self.may and not self.workspace.is_corporate


def enter(*, person: Person, slug: str) -> Place | None:
    """The person's place in the workspace, or None as if it did not exist. One query.

    A disabled member, and an invited one who has not joined, has no place.
    """
    memberships = _memberships.rows(person=person.id, slug=slug)
    if not memberships or memberships[0].workspace.slug != slug:
        return None
    member = memberships[0]
    return Place(
        workspace=member.workspace,
        member=member,
        may=rights_in(member),
        others=tuple(other.workspace for other in memberships[1:]),
    )


_memberships = Prepared(
    lambda: (
        Member.select(Member, Workspace)
        .join(Workspace)
        .where(
            Member.person == Parameter("person"),
            Member.status != MemberStatus.DISABLED,
            Member.joined_at.is_null(False),
            Workspace.deleted_at.is_null(),
        )
        .order_by((Workspace.slug == Parameter("slug")).desc(), Workspace.name)
        .limit(MENU_WORKSPACES)
    )
)


def membership(workspace: Workspace | int, person: Person | int) -> Member | None:
    """As it is now that the workspace's lock is held, with the workspace; None for a stranger. One query."""
    require_transaction()
    members = Member.select(Member, Workspace).join(Workspace)
    found = members.where(Member.workspace == workspace, Member.person == person).first()
    return cast("Member | None", found)


def may_still(place: Place, right: Right) -> bool:
    """Whether whoever came in may do it now that the workspace's lock is held. One query."""
    member = membership(place.workspace, place.member.person_id)
    return member is not None and right in rights_in(member)


def rights_in(member: Member) -> frozenset[Right]:
    return rights_of(
        role=member.role,
        status=member.status,
        is_upgrader=member.is_upgrader,
        who_may_buy=member.workspace.who_may_buy,
        hides_plans_from_members=member.workspace.hides_plans_from_members,
        has_ceiling=member.workspace.has_ceiling,
    )


def home_of(person: Person) -> Workspace | None:
    """The workspace a person lands on after signing in: the one they joined first, as a guest at the last."""
    return (
        Workspace.select()
        .join(Member)
        .where(
            Member.person == person,
            Member.status != MemberStatus.DISABLED,
            Member.joined_at.is_null(False),
            Workspace.deleted_at.is_null(),
        )
        .order_by(Member.status == MemberStatus.GUEST, Member.id)
        .first()
    )


def bindings_wanted(person: Person) -> list[SessionBinding]:
    """How the workspaces that the person can enter want sessions bound; those without a wish say nothing."""
    query = (
        Workspace.select(Workspace.session_binding)
        .join(Member)
        .where(
            Member.person == person,
            Member.status != MemberStatus.DISABLED,
            Member.joined_at.is_null(False),
            Workspace.deleted_at.is_null(),
            Workspace.session_binding.is_null(False),
        )
        .distinct()
    )
    return [SessionBinding(workspace.session_binding) for workspace in query]


def is_shut_out(person: Person) -> bool:
    """Whether every workspace that knows the person has disabled them: there is nothing to sign in to.

    Not so for staff, nor for somebody whom no workspace knows.
    """
    if person.is_operator:
        return False
    statuses = [row.status for row in Member.select(Member.status).where(Member.person == person)]
    return bool(statuses) and all(status == MemberStatus.DISABLED for status in statuses)
