"""The end of a workspace. (Beginning; helper LEAVE completes it.)"""

from datetime import datetime

from ..models import Subscription, Workspace
from . import audit


def delete_for_not_paying(workspace: Workspace, *, now: datetime) -> None:
    """Inside the run's transaction."""
    Workspace.update(deleted_at=now).where(Workspace.id == workspace.id).execute()
    Subscription.update(look_at=None, auto_renewal=False, renew_on=None).where(
        Subscription.workspace == workspace
    ).execute()
    audit.record("workspace.deleted", workspace=workspace, subject=workspace.slug, now=now)
