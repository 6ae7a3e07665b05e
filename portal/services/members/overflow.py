"""Who has no seat in a plan that was paid: they become guests, and are told so.

While a payment is open nothing may come that does not fit the plan it is for (roster.binding_plans). What was
there before, or a limit that the vendor lowered meanwhile, is settled here: what was paid is always given.
"""

from collections.abc import Sequence
from datetime import datetime

from portal.database.connecting import require_transaction
from portal.domain.capacity import ActiveUser, who_become_guests
from portal.domain.vocabulary import MemberStatus, Role
from portal.models import Member, Order, Person, Plan, Workspace
from portal.outbox import JSON
from portal.services import audit, letters


def make_guests(order: Order, plan: Plan, *, now: datetime) -> Sequence[Member]:
    """Take the seats that `plan`, which the `order` paid for, does not have; those who are guests now.

    Inside the transaction that marks it paid, with the workspace's lock. Each of them is told by mail if they
    have joined, and everybody who may pay is told their names.
    """
    require_transaction()
    workspace = order.workspace
    if plan.max_users is None:
        return []
    members = {member.id: member for member in _users(workspace)}
    users = [
        ActiveUser(member.id, Role(member.role), member.role == Role.BILLING_MANAGER or member.is_upgrader)
        for member in members.values()
    ]
    guests = [members[member_id] for member_id in who_become_guests(users, max_users=plan.max_users)]
    for member in guests:
        role = Role(member.role)
        member.status, member.role, member.is_upgrader = MemberStatus.GUEST, Role.MEMBER, False
        member.save(only=[Member.status, Member.role, Member.is_upgrader])
        audit.record(
            "member.made_guest",
            workspace=workspace,
            subject=str(member.id),
            changes={"role": role.value, "order": order.number},
            now=now,
        )
    if guests:
        _tell(order, plan, guests)
    return guests


def told_guests(order: Order, reader: Person) -> list[str]:
    """The names of those whose seat went with this order, as the letter told them to `reader`. One query."""
    context = letters.context_of(_key(order), reader)
    return [] if context is None else [str(name) for name in _listed(context["people"])]


def _users(workspace: Workspace) -> list[Member]:
    return list(
        Member.select(Member, Person)
        .join(Person)
        .where(Member.workspace == workspace, Member.status == MemberStatus.ACTIVE)
        .order_by(Member.id)
    )


def _tell(order: Order, plan: Plan, guests: Sequence[Member]) -> None:
    workspace = order.workspace
    words: dict[str, JSON] = {"plan_names": dict(plan.names), "limit": plan.max_users}
    letters.send(
        "became_guests",
        to=[order.person, *letters.billing_people(workspace)],
        workspace=workspace,
        key=_key(order),
        context={
            **words,
            "people": [member.person.name if member.joined_at else member.person.email for member in guests],
        },
    )
    letters.send(
        "made_guest",
        to=[member.person for member in guests if member.joined_at is not None],
        workspace=workspace,
        key=f"made-guest-{order.number}",
        context=words,
    )


def _key(order: Order) -> str:
    return f"became-guests-{order.number}"


def _listed(value: object) -> list[object]:
    assert isinstance(value, list), "the letter names them"
    return value
