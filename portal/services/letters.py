"""Letters to the people of a workspace, promised in the transaction of what they tell about."""

from collections.abc import Iterable, Sequence
from typing import cast

from .. import outbox
from ..domain.vocabulary import MemberStatus, Role
from ..models import Invoice, Member, PaymentMethod, Person, Workspace
from ..outbox import JSON
from ..runtime import current


def send(
    template: str,
    *,
    to: Iterable[Person],
    workspace: Workspace,
    key: str,
    context: dict[str, JSON],
    attachments: Sequence[Invoice] = (),
) -> None:
    """Promise one mail to each person, in their language. The same `key` a second time is a no-op.

    Every template gets the reader's name and the workspace's name and slug beside its own `context`.
    """
    wall = current().clock.wall()
    for person in {person.id: person for person in to}.values():
        locale = person.language or workspace.language
        outbox.publish(
            "mail",
            key=f"{key}-{person.id}",
            payload={
                "template": template,
                "to": person.email,
                "locale": locale,
                "context": {
                    "name": person.name,
                    "workspace": workspace.name,
                    "slug": workspace.slug,
                    **context,
                },
                "attachments": [{"invoice_id": invoice.id, "locale": locale} for invoice in attachments],
            },
            now=wall,
        )


def billing_people(workspace: Workspace) -> list[Person]:
    """Whom billing mail goes to: owners, billing managers and upgraders who have joined."""
    may_pay = (Member.role << [Role.OWNER, Role.BILLING_MANAGER]) | Member.is_upgrader
    return _people(workspace, may_pay)


def owners(workspace: Workspace) -> list[Person]:
    return _people(workspace, Member.role == Role.OWNER)


def method_facts(method: PaymentMethod | None) -> JSON:
    """What a letter says of a method."""
    if method is None:
        return None
    return {"method": method.kind.value, "brand": method.brand, "last4": method.last4}


def _people(workspace: Workspace, which: object) -> list[Person]:
    members = (
        Member.select(Member, Person)
        .join(Person)
        .where(
            Member.workspace == workspace,
            Member.status == MemberStatus.ACTIVE,
            Member.joined_at.is_null(False),
            which,
        )
        .order_by(Member.id)
    )
    return [member.person for member in cast("Iterable[Member]", members)]
