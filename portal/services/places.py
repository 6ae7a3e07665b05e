"""A workspace: made, entered, seen from where a person stands in it."""

import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from peewee import fn

from portal.database.prepared import Prepared
from portal.database.prepared import Slot
from portal.domain.rights import rights_of
from portal.domain.vocabulary import MemberStatus
from portal.domain.vocabulary import Right
from portal.domain.vocabulary import Role
from portal.models import Member
from portal.models import Person
from portal.models import Workspace

from . import audit
from .subscriptions import agreement

MENU_WORKSPACES = 20


@dataclass(frozen=True, slots=True)
class Place:
    """A person in a workspace: what every page of `/w/<slug>/` starts from."""

    workspace: Workspace
    member: Member
    may: frozenset[Right]
    others: tuple[Workspace, ...]


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
            Member.person == Slot("person"),
            Member.status != MemberStatus.DISABLED,
            Member.joined_at.is_null(False),
            Workspace.deleted_at.is_null(),
        )
        .order_by((Workspace.slug == Slot("slug")).desc(), Workspace.name)
        .limit(MENU_WORKSPACES)
    )
)


def rights_in(member: Member) -> frozenset[Right]:
    return rights_of(
        role=member.role,
        status=member.status,
        is_upgrader=member.is_upgrader,
        who_may_buy=member.workspace.who_may_buy,
        hides_plans_from_members=member.workspace.hides_plans_from_members,
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


def is_shut_out(person: Person) -> bool:
    """Whether every workspace that knows the person has disabled them: there is nothing to sign in to.

    Not so for staff, nor for somebody whom no workspace knows.
    """
    if person.is_operator:
        return False
    statuses = [row.status for row in Member.select(Member.status).where(Member.person == person)]
    return bool(statuses) and all(status == MemberStatus.DISABLED for status in statuses)


def create(*, name: str, owner: Person, language: str, currency: str, now: datetime) -> Workspace:
    """A workspace with its owner and a running trial of the workspace plan. Inside a transaction."""
    workspace = Workspace.create(
        slug=free_slug(name),
        name=name,
        customer_number=f"new-{secrets.token_hex(6)}",
        language=language,
        currency=currency,
        created_at=now,
    )
    workspace.customer_number = f"C-{workspace.id:06d}"
    workspace.save(only=[Workspace.customer_number])
    Member.create(workspace=workspace, person=owner, role=Role.OWNER, created_at=now, joined_at=now)
    audit.record("workspace.created", workspace=workspace, subject=workspace.slug, actor=owner, now=now)
    agreement.start_trial(workspace, now=now)
    return workspace


def free_slug(name: str) -> str:
    """The name in plain letters, with a few random characters: two of one name never meet."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40] or "workspace"
    taken = Workspace.select(fn.COUNT(Workspace.id)).where(Workspace.slug == stem).scalar()
    return f"{stem}-{secrets.token_hex(3)}" if taken else stem
