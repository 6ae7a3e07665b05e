"""Promises to send something, and the log of who did what."""

from portal.models import AuditEntry, OutboxMessage
from portal.services import audit

from .reading import Queries, counted


@counted
def promises_are_kept_or_tried_again() -> Queries:
    """Parked ones wait for an operator: somebody was told nothing, or has no document."""
    return OutboxMessage.select(OutboxMessage.id).where(OutboxMessage.parked_at.is_null(False))


def audit_entries_are_chained() -> int:
    """Each entry of a workspace follows the one before it, and its digest is what its facts give."""
    broken = 0
    before: tuple[int | None, int, str] | None = None
    rows = AuditEntry.select().order_by(AuditEntry.workspace, AuditEntry.sequence, AuditEntry.id)
    for entry in rows.iterator():
        if before is None or before[0] != entry.workspace_id:
            before = (entry.workspace_id, 0, "")
        broken += entry.sequence != before[1] + 1 or not audit.holds(entry, previous=before[2])
        before = (entry.workspace_id, entry.sequence, entry.digest)
    return broken
