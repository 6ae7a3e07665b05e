"""The members of a workspace: who they are, who may decide about them, and how many the plan holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from peewee import Case, ModelSelect, fn

from portal.database.prepared import Parameter, Prepared
from portal.domain.capacity import Capacity, capacity_in, tightest
from portal.domain.errors import PlanFull, PortalError
from portal.domain.folding import fold
from portal.domain.rights import rights_of
from portal.domain.vocabulary import MemberStatus, Right, Role
from portal.models import Member, Person, Plan, Workspace
from portal.services import open_money, plans
from portal.services.places import Place
from portal.services.subscriptions import agreement

PEOPLE_NAMED = 20
ADMINISTRATORS = (Role.OWNER, Role.ADMIN)


class AdministratorsFull(PortalError):
    """The plan allows `limit` administrators, owners among them, and `used` are there."""

    limit: int
    used: int


class GuestsFull(PortalError):
    """The plan allows `limit` guests and `used` are there."""

    limit: int
    used: int


class OwnersOnly(PortalError):
    """Only an owner may do this to a member with the role `role`."""

    role: Role


class MemberGone(PortalError):
    """Somebody removed the member meanwhile."""


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
            has_ceiling=workspace.has_ceiling,
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
    is_upgrader: bool
    has_joined: bool


@dataclass(frozen=True, slots=True)
class MemberPage:
    """`older` is the cursor of the next page, None on the last one."""

    rows: Sequence[MemberRow]
    older: int | None


def list_members(
    workspace: Workspace,
    *,
    search: str = "",
    status: MemberStatus | None = None,
    before: int | None = None,
    limit: int = 50,
) -> MemberPage:
    """The newest members first, those whose name or address contains `search`. One query, any size.

    Capitals and accents do not matter, on either engine alike (domain/folding.py).
    """
    newest = Member.alias()
    # The page's members are chosen first: without a search no other one is joined with their person.
    chosen = (
        newest.select(newest.id)
        .where(newest.workspace == workspace)
        .order_by(newest.id.desc())
        .limit(limit + 1)
    )
    if folded := fold(search):
        by_name = Person.folded_name.contains(folded) & newest.joined_at.is_null(False)
        chosen = chosen.join(Person).where(Person.folded_email.contains(folded) | by_name)
    if status is not None:
        chosen = chosen.where(newest.status == status)
    if before is not None:
        chosen = chosen.where(newest.id < before)
    query = Member.select(Member, Person).join(Person).where(Member.id << chosen).order_by(Member.id.desc())
    rows = [
        MemberRow(
            member_id=member.id,
            person_id=member.person_id,
            name=member.person.name if member.joined_at else "",
            email=member.person.email,
            role=Role(member.role),
            status=MemberStatus(member.status),
            is_upgrader=member.is_upgrader,
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


# --- how many -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Counts:
    """Members by status; the invited are counted as what they will be.

    `ordered_plan_id`: the plan that is being paid for, read with them.
    """

    active: int
    guest: int
    disabled: int
    ordered_plan_id: int | None = None

    @property
    def everybody(self) -> int:
        return self.active + self.guest + self.disabled


def counts_of(workspace: Workspace) -> Counts:
    """One query, answered from the index of the statuses."""
    rows = list(_counts.rows(workspace=workspace.id))
    found = {row["status"]: row["members"] for row in rows}
    ordered_plan_id = rows[0]["ordered_plan_id"] if rows else None
    return Counts(
        **{status.value: found.get(status, 0) for status in MemberStatus}, ordered_plan_id=ordered_plan_id
    )


def _counts_query() -> "ModelSelect[Member]":
    return (
        Member.select(
            Member.status,
            fn.COUNT(Member.id).alias("members"),
            open_money.id_of_plan_being_paid(Parameter("workspace")).alias("ordered_plan_id"),
        )
        .where(Member.workspace == Parameter("workspace"))
        .group_by(Member.status)
        .dicts()
    )


_counts = Prepared(_counts_query)


def capacity_of(present: Plan, counts: Counts) -> Capacity:
    """The room in the `present` plan and, while one is being paid for, in that one too."""
    binding = [present]
    if counts.ordered_plan_id is not None:
        binding.append(Plan.get_by_id(counts.ordered_plan_id))
    limits = [plans.limits_of(plan) for plan in binding]
    return capacity_in(*limits, users=counts.active, guests=counts.guest)


# --- inside the workspace's lock ------------------------------------------------------------------


def binding_plans(workspace: Workspace) -> list[Plan]:
    """Whatever comes has to fit the present plan and the one that is being paid for: either may apply soon.

    What is paid is always given (services/members/overflow.py), so nobody may slip in meanwhile.
    """
    present, ordered = agreement.of_workspace(workspace).plan, open_money.plan_being_paid(workspace)
    return [present] if ordered is None else [present, ordered]


def capacity_now(workspace: Workspace) -> Capacity:
    """The room there is, read anew: call it with the lock held."""
    return capacity_of(agreement.of_workspace(workspace).plan, counts_of(workspace))


def refuse_if_full(workspace: Workspace, role: Role) -> None:
    """Raises PlanFull, AdministratorsFull when one more user with the role is too many."""
    capacity = capacity_now(workspace)
    if capacity.is_full:
        raise PlanFull(limit=capacity.max_users, used=capacity.users)
    refuse_administrators(workspace, more=1 if role in ADMINISTRATORS else 0)


def refuse_if_full_of_guests(workspace: Workspace) -> None:
    """Raises GuestsFull."""
    capacity = capacity_now(workspace)
    if capacity.is_full_of_guests:
        raise GuestsFull(limit=capacity.max_guests, used=capacity.guests)


def refuse_administrators(workspace: Workspace, *, more: int) -> None:
    """Raises AdministratorsFull when the plan does not hold so many more; the owners count."""
    limit = tightest(plan.max_administrators for plan in binding_plans(workspace))
    if more <= 0 or limit is None:
        return
    used = plans.usage_of(workspace).administrators
    if used + more > limit:
        raise AdministratorsFull(limit=limit, used=used)


def reload_member(member: Member) -> Member:
    """The member with their person, as they are now that the lock is held. Raises MemberGone."""
    found = Member.select(Member, Person).join(Person).where(Member.id == member.id).first()
    if found is None:
        raise MemberGone()
    return found
