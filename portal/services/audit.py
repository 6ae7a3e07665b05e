"""One row for each act, in the act's own transaction, chained so that a missing row shows.

What is cut from the end of a chain shows in nothing: the next entry follows whatever is last by then. Only a
copy elsewhere tells (docs/operating.md).
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from peewee import ModelSelect, fn

from portal.database import rows
from portal.database.connecting import hold, postpone, require_transaction
from portal.database.prepared import Parameters, Prepared
from portal.domain.pricing import in_one_spelling
from portal.models import AuditEntry, AuditTrace, Person, Workspace
from portal.runtime import current

JSONValue = str | int | bool | None
PORTAL = "portal"
"""The actor of what nobody did."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does what is being done, and from which address; nobody where the portal itself acts."""

    person: Person | None = None
    ip_address: str = ""


_who_acts: Callable[[], Actor] = Actor
_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


def tell_who_acts(tell: Callable[[], Actor]) -> None:
    """`tell` is asked at each act from now on, in this process."""
    global _who_acts
    _who_acts = tell


def who_acts() -> Actor:
    return _acting.get() or _who_acts()


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Inside, `actor` acts: for a thread that finishes what a request has begun."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def record(
    action: str,
    *,
    workspace: Workspace | None,
    subject: str,
    changes: Mapping[str, JSONValue] | None = None,
    actor: Person | None = None,
    now: datetime,
) -> None:
    """Write the act down. Call inside the act's transaction, which holds the workspace's lock.

    `actor` where it is not whoever `tell_who_acts` names: somebody who is signing in just now.
    """
    require_transaction()
    acting = who_acts()
    actor = actor or acting.person
    entry = AuditEntry(
        workspace=workspace, at=now, action=action, subject=subject, changes=dict(changes or {})
    )
    trace = AuditTrace(
        person=actor,
        actor=actor.email if actor else PORTAL,
        ip_address=acting.ip_address,
    )
    postpone(_write, (entry, trace))


def _write(acts: list[tuple[AuditEntry, AuditTrace]]) -> None:
    """Every act of a transaction, each chained to the one before it of the same workspace."""
    newest = _newest_entries({entry.workspace_id for entry, _trace in acts})
    for (entry, trace), entry_id in zip(acts, rows.take_ids(AuditEntry, len(acts)), strict=True):
        before = newest.get(entry.workspace_id)
        entry.sequence = before.sequence + 1 if before else 1
        entry.digest = digest(entry, previous=before.digest if before else "")
        entry.id, trace.entry = entry_id, entry
        newest[entry.workspace_id] = entry
    rows.insert_all([entry for entry, _trace in acts])
    rows.insert_all([trace for _entry, trace in acts])


def _newest_entries(workspaces: set[int | None]) -> dict[int | None, AuditEntry]:
    """The end of each workspace's chain; None is the chain of what belongs to no workspace."""
    ends = _ends_of_chains.rows(workspaces=[each for each in workspaces if each is not None])
    newest: dict[int | None, AuditEntry] = {entry.workspace_id: entry for entry in ends}
    if None in workspaces:
        hold("audit")
        of_none = AuditEntry.select().where(AuditEntry.workspace.is_null())
        newest[None] = of_none.order_by(AuditEntry.sequence.desc()).first()
    return newest


def _ends_of_chains_query() -> "ModelSelect[AuditEntry]":
    other = AuditEntry.alias()
    return (
        AuditEntry.select(AuditEntry.workspace, AuditEntry.sequence, AuditEntry.digest)
        .join(Workspace)
        .where(
            Workspace.id << Parameters("workspaces"),
            # For each workspace one look at the index, however long its chain has become.
            AuditEntry.sequence
            == other.select(fn.MAX(other.sequence)).where(other.workspace == Workspace.id),
        )
    )


_ends_of_chains = Prepared(_ends_of_chains_query)


def holds(entry: AuditEntry, *, previous: str) -> bool:
    """Whether the entry's digest is what its facts give, under the present key or one it replaced."""
    settings = current().settings
    return any(
        hmac.compare_digest(entry.digest, digest(entry, previous=previous, key=key))
        for key in (settings.secret_key, *settings.secret_key_fallbacks)
    )


def digest(entry: AuditEntry, *, previous: str, key: str | None = None) -> str:
    """Keyed digest of an entry and of all before it: nobody without the key can rewrite one.

    `key` None: PORTAL_SECRET_KEY.
    """
    facts = in_one_spelling(
        [
            entry.workspace_id,
            entry.sequence,
            entry.at.isoformat(),
            entry.action,
            entry.subject,
            entry.changes,
            previous,
        ]
    )
    own_key = hashlib.sha256(b"audit" + (key or current().settings.secret_key).encode()).digest()
    return hmac.digest(own_key, facts, "sha256").hex()
