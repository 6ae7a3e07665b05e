"""People and workspaces that read as facts: `a_member(acme, a_person("leo@acme.test"), role=Role.ADMIN)`."""

from functools import cache
from pathlib import Path
from typing import Any

from portal.database.connecting import transaction
from portal.domain.vocabulary import MemberStatus, Role
from portal.models import (
    ChangeNotice,
    Contact,
    Member,
    NonprofitRequest,
    OutboxMessage,
    Person,
    Plan,
    Subscription,
    Workspace,
)
from portal.runtime import current
from portal.services import catalogue, places
from portal.services.people import passwords, signing_up
from portal.services.places import Place
from portal.services.subscriptions import agreement, nonprofit

CATALOGUE = Path(__file__).resolve().parent.parent / "catalogue.toml"
PASSWORD = "garden-cello-42-moss"


def a_catalogue() -> None:
    """The demo catalogue, on sale from today; as it is where there is one."""
    if Plan.select().exists():
        return
    catalogue.apply(CATALOGUE.read_text(), filename="catalogue.toml", now=current().clock.now())


def a_person(
    email: str = "jeanne@acme.test",
    *,
    name: str = "Jeanne Martin",
    password: bool = True,
    operator: bool = False,
    language: str = "en",
    proved: bool = True,
) -> Person:
    """Somebody who can sign in with PASSWORD; without a password, somebody who was only invited.

    Not `proved`: no link sent to the address was used yet.
    """
    return Person.create(
        email=email,
        name=name,
        password_hash=shared_hash() if password else None,
        language=language,
        is_operator=operator,
        created_at=current().clock.now(),
        email_proved_at=current().clock.wall() if proved else None,
    )


@cache
def shared_hash() -> str:
    """One hash for everybody: making one takes longer than most tests."""
    return passwords.hash_password(PASSWORD)


def a_workspace(name: str = "Acme", *, owner: Person | None = None, plan: str | None = None) -> Workspace:
    """A workspace on trial with its owner; or on the plan named, paid until the end of the trial."""
    a_catalogue()
    owner = owner or a_person(f"owner@{name.lower()}.test", name=f"Owner of {name}")
    with transaction():
        workspace = signing_up.create(
            name=name, owner=owner, language="en", currency="EUR", now=current().clock.now()
        )
    if plan is not None:
        Subscription.update(plan=Plan.get(Plan.code == plan)).where(
            Subscription.workspace == workspace
        ).execute()
    return workspace


def a_member(
    workspace: Workspace,
    person: Person,
    *,
    role: Role = Role.MEMBER,
    status: MemberStatus = MemberStatus.ACTIVE,
    joined: bool = True,
) -> Member:
    now = current().clock.now()
    return Member.create(
        workspace=workspace,
        person=person,
        role=role,
        status=status,
        created_at=now,
        joined_at=now if joined else None,
    )


def a_contact(
    workspace: Workspace,
    who: str | Member = "books@accountant.test",
    *,
    language: str = "fr",
    confirmed: bool = True,
) -> Contact:
    """An address, or a member, who gets the letters about money in copy."""
    wall = current().clock.wall()
    is_address = isinstance(who, str)
    return Contact.create(
        workspace=workspace,
        member=None if is_address else who,
        email=who if is_address else None,
        language=language if is_address else None,
        created_at=wall,
        confirmed_at=wall if confirmed else None,
    )


def a_nonprofit_request(
    organisation: str = "Les Amis du canal",
    *,
    email: str = "claire@canal.test",
    workspace: Workspace | None = None,
) -> NonprofitRequest:
    """One that waits for a decision."""
    answers = nonprofit.Answers(
        organisation=organisation,
        country="FR",
        contact_name="Claire Vasseur",
        email=email,
        website="https://canal.test",
        registration_number="W751234567",
        purpose="We look after the banks of the canal.",
    )
    return nonprofit.ask(answers, workspace=workspace, language="en", now=current().clock.now())


def seen_by(person: Person, workspace: Workspace) -> Place:
    """The workspace from where the person stands in it."""
    place = places.enter(person=person, slug=workspace.slug)
    assert place is not None
    return place


def owner_of(workspace: Workspace) -> Person:
    return Member.owners(workspace).get().person


def plan_of(workspace: Workspace) -> Plan:
    return agreement.of_workspace(workspace).plan


def letters(template: str | None = None) -> list[dict[str, Any]]:
    """What was promised to the mail, oldest first."""
    rows = OutboxMessage.select().where(OutboxMessage.topic == "mail").order_by(OutboxMessage.id)
    return [row.payload for row in rows if template in (None, row.payload["template"])]


def waiting_notices(template: str | None = None) -> list[dict[str, Any]]:
    """Template and context of what waits to be mailed with other changes, oldest first."""
    rows = ChangeNotice.select().where(ChangeNotice.sent_on.is_null()).order_by(ChangeNotice.id)
    return [
        {"template": row.template, "context": row.context} for row in rows if template in (None, row.template)
    ]


def mailed_path(template: str) -> str:
    """The address in the newest letter of that kind."""
    return letters(template)[-1]["secrets"]["path"]
