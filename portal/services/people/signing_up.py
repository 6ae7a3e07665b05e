"""Coming: a person with a workspace of their own and its trial."""

import re
import secrets
import unicodedata
from datetime import datetime

from babel.numbers import get_territory_currencies
from peewee import IntegrityError, fn

from portal.database.connecting import require_transaction, transaction
from portal.domain.vocabulary import Role
from portal.models import Member, Person, Workspace
from portal.runtime import current
from portal.services import audit
from portal.services.subscriptions import agreement

from . import passwords
from .signing_in import _mail, identity


def sign_up(
    *, name: str, email: str, password: str, workspace_name: str, language: str, now: datetime
) -> None:
    """A person with a workspace of their own and its trial; the mail welcomes them.

    An address that is known gets nothing but a mail that says so, after the same work. Raises
    PasswordTooCommon, PasswordLengthWrong and NoTrialPlan before looking.
    """
    passwords.refuse_weak(password, words=(name, email, workspace_name))
    agreement.trial_plan()
    address = identity(email)
    password_hash = passwords.hash_password(password)
    for is_last_try in (False, True):
        try:
            with transaction():
                known = Person.get_or_none(Person.email == address)
                if known is not None:
                    _tell_already_registered(known)
                    return
                person = Person.create(
                    email=address, name=name, password_hash=password_hash, language=language, created_at=now
                )
                workspace = create(
                    name=workspace_name, owner=person, language=language, currency=usual_currency(), now=now
                )
                _welcome(person, workspace)
            return
        except IntegrityError:
            # Two at once with one address, or one name for two workspaces: the second look sees the first.
            if is_last_try:
                raise


def is_open() -> bool:
    """Whether the catalogue in force has a plan that a new workspace can begin with."""
    try:
        agreement.trial_plan()
    except agreement.NoTrialPlan:
        return False
    return True


def usual_currency() -> str:
    """The currency of the seller's country; the plans page falls back on one that is on sale."""
    return str(get_territory_currencies(current().settings.seller.country)[0])


def _welcome(person: Person, workspace: Workspace) -> None:
    trial_ends_on = agreement.of_workspace(workspace).due_on
    _mail(
        person,
        "welcome",
        key=f"welcome-{workspace.id}",
        context={
            "name": person.name,
            "workspace": workspace.name,
            "slug": workspace.slug,
            "trial_ends_on": trial_ends_on.isoformat() if trial_ends_on else "",
        },
    )


def _tell_already_registered(person: Person) -> None:
    """Once an hour at most: anybody may type the address, and it is their mailbox."""
    wall = current().clock.wall()
    _mail(
        person,
        "already_registered",
        key=f"already-registered-{person.id}-{wall:%Y-%m-%d-%H}",
        context={"name": person.name},
    )


def create(*, name: str, owner: Person, language: str, currency: str, now: datetime) -> Workspace:
    """A workspace with its owner and a running trial of the workspace plan. Inside a transaction.

    Raises NoTrialPlan.
    """
    require_transaction()
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
