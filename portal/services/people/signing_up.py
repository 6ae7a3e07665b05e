"""Coming: a person with a workspace of their own and its trial; later, with another one."""

import re
import secrets
import unicodedata
from datetime import datetime

from babel.numbers import get_territory_currencies
from peewee import IntegrityError, fn

from portal.database.connecting import require_transaction, transaction
from portal.domain.vocabulary import LinkPurpose, Role
from portal.models import Member, Person, Workspace
from portal.runtime import current
from portal.services import audit
from portal.services.subscriptions import agreement

from . import passwords, trials_taken
from .links import LIFE_OF_LINK, PATH_OF_LINK, make_link
from .signing_in import _mail, identity

DEFAULT_TIME_ZONE = "Europe/Paris"


def sign_up(
    *,
    name: str,
    email: str,
    password: str,
    workspace_name: str,
    language: str,
    time_zone: str,
    now: datetime,
) -> None:
    """A person with a workspace of their own and its trial; the mail welcomes them.

    An address that is known gets nothing but a mail that says so, after the same work. So does, but for the
    workspace, one whose last workspace was deleted not long ago: there is no second trial, and whether there
    was a first is told in the mailbox alone. The password typed counts for nothing there, as with a known
    address. Raises PasswordTooCommon, PasswordLengthWrong and NoTrialPlan before looking.
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
                no_trial_until = trials_taken.taken_until(address, now=now)
                person = Person.create(
                    email=address,
                    name=name,
                    password_hash=None if no_trial_until else password_hash,
                    language=language,
                    created_at=now,
                )
                workspace = create(
                    name=workspace_name,
                    owner=person,
                    language=language,
                    currency=usual_currency(),
                    time_zone=time_zone,
                    now=now,
                )
                if no_trial_until:
                    _welcome_back(person, workspace)
                else:
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


def create_another(
    person: Person, *, name: str, language: str, currency: str, time_zone: str, now: datetime
) -> Workspace:
    """A workspace for somebody who is signed in, as its owner; the mail says until when its trial runs."""
    for is_last_try in (False, True):
        try:
            with transaction():
                workspace = create(
                    name=name,
                    owner=person,
                    language=language,
                    currency=currency,
                    time_zone=time_zone,
                    now=now,
                )
                _welcome(person, workspace)
        except IntegrityError:
            # Another of the same name at the same moment took the address.
            if is_last_try:
                raise
        else:
            return workspace
    raise AssertionError("the last try returns or raises")


def usual_currency() -> str:
    """The currency of the seller's country; the plans page falls back on one that is on sale."""
    return str(get_territory_currencies(current().settings.seller.country)[0])


def _welcome(person: Person, workspace: Workspace) -> None:
    subscription = agreement.of_workspace(workspace)
    has_trial = not agreement.began_without_trial(subscription)
    due_on = subscription.due_on
    _mail(
        person,
        "welcome",
        key=f"welcome-{workspace.id}",
        context={
            "name": person.name,
            "workspace": workspace.name,
            "slug": workspace.slug,
            "trial_ends_on": (due_on.isoformat() if due_on else "") if has_trial else None,
        },
    )


def _welcome_back(person: Person, workspace: Workspace) -> None:
    token, _link = make_link(person, LinkPurpose.RESET)
    _mail(
        person,
        "welcome_back",
        key=f"welcome-{workspace.id}",
        context={
            "name": person.name,
            "workspace": workspace.name,
            "slug": workspace.slug,
            "minutes": int(LIFE_OF_LINK[LinkPurpose.RESET].total_seconds() // 60),
        },
        secrets={"path": PATH_OF_LINK[LinkPurpose.RESET] + token},
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


def create(
    *,
    name: str,
    owner: Person,
    language: str,
    currency: str,
    time_zone: str = DEFAULT_TIME_ZONE,
    now: datetime,
) -> Workspace:
    """A workspace with its owner and a running trial of the workspace plan. Inside a transaction.

    The trial is over from the beginning where the owner had one in a workspace that was deleted not long ago.
    Raises NoTrialPlan.
    """
    require_transaction()
    workspace = Workspace.create(
        slug=free_slug(name),
        name=name,
        customer_number=f"new-{secrets.token_hex(6)}",
        language=language,
        currency=currency,
        time_zone=time_zone,
        created_at=now,
    )
    workspace.customer_number = f"C-{workspace.id:06d}"
    workspace.save(only=[Workspace.customer_number])
    Member.create(workspace=workspace, person=owner, role=Role.OWNER, created_at=now, joined_at=now)
    audit.record("workspace.created", workspace=workspace, subject=workspace.slug, actor=owner, now=now)
    if trials_taken.taken_until(owner.email, now=now):
        agreement.start_without_trial(workspace, now=now)
    else:
        agreement.start_trial(workspace, now=now)
    return workspace


def free_slug(name: str) -> str:
    """The name in plain letters, with a few random characters: two of one name never meet."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40] or "workspace"
    taken = Workspace.select(fn.COUNT(Workspace.id)).where(Workspace.slug == stem).scalar()
    return f"{stem}-{secrets.token_hex(3)}" if taken else stem
