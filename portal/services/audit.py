"""One row for each act, in the act's own transaction, chained so that a missing row shows."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime

from flask import has_request_context, request
from flask_login import current_user

from ..database import hold
from ..models import AuditEntry, AuditTrace, Person, Workspace
from ..runtime import current

JSONValue = str | int | bool | None


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

    `actor` defaults to the signed-in person; without one the portal itself acted.
    """
    if actor is None and has_request_context() and current_user.is_authenticated:
        actor = current_user._get_current_object()
    if workspace is None:
        hold("audit")
    newest = (
        AuditEntry.select(AuditEntry.sequence, AuditEntry.digest)
        .where(AuditEntry.workspace == workspace if workspace else AuditEntry.workspace.is_null())
        .order_by(AuditEntry.sequence.desc())
        .first()
    )
    sequence = newest.sequence + 1 if newest else 1
    entry = AuditEntry(
        workspace=workspace,
        sequence=sequence,
        at=now,
        action=action,
        subject=subject,
        changes=dict(changes or {}),
    )
    entry.digest = digest(entry, previous=newest.digest if newest else "")
    entry.save(force_insert=True)
    AuditTrace.create(
        entry=entry,
        person=actor,
        actor=actor.email if actor else "portal",
        ip_address=(request.remote_addr or "") if has_request_context() else "",
    )


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
    facts = json.dumps(
        [
            entry.workspace_id,
            entry.sequence,
            entry.at.isoformat(),
            entry.action,
            entry.subject,
            entry.changes,
            previous,
        ],
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    own_key = hashlib.sha256(b"audit" + (key or current().settings.secret_key).encode()).digest()
    return hmac.new(own_key, facts.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
