"""What an owner decides about the workspace itself."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from portal.database.connecting import transaction
from portal.domain.errors import PortalError
from portal.domain.vocabulary import SessionBinding
from portal.models import Workspace
from portal.services import audit


class SettingsChanged(PortalError):
    """Somebody changed them after they were shown: `current` (WorkspaceSettings) is what stands now."""

    current: "WorkspaceSettings"


@dataclass(frozen=True, slots=True)
class WorkspaceSettings:
    name: str
    time_zone: str
    language: str
    currency: str
    session_binding: SessionBinding | None = None
    ceiling_minor: int | None = None

    @property
    def version(self) -> str:
        """Tells these values from any others."""
        facts = json.dumps(asdict(self), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(facts.encode()).hexdigest()[:32]


def settings_of(workspace: Workspace) -> WorkspaceSettings:
    names = [field.name for field in fields(WorkspaceSettings)]
    return WorkspaceSettings(**{name: getattr(workspace, name) for name in names})


def change(workspace: Workspace, wanted: WorkspaceSettings, *, shown_version: str, now: datetime) -> bool:
    """Write `wanted` if the settings are still those that were shown. True when anything changed.

    Locks the workspace. Raises SettingsChanged, also when the other change was to another field:
    the two people should see each other's decision.
    """
    with transaction(lock=workspace):
        stored = Workspace.get_by_id(workspace.id)
        current = settings_of(stored)
        if current.version != shown_version:
            raise SettingsChanged(current=current)
        changes = _changes(current, wanted)
        if changes:
            # In the west it may still be yesterday, and its own days never go back.
            reached = stored.day(now) if wanted.time_zone != current.time_zone else stored.day_reached
            Workspace.update(**asdict(wanted), day_reached=reached).where(
                Workspace.id == workspace.id
            ).execute()
            audit.record(
                "workspace.settings_changed",
                workspace=workspace,
                subject=workspace.slug,
                changes=changes,
                now=now,
            )
    for name, value in asdict(wanted).items():
        setattr(workspace, name, value)
    if changes:
        workspace.day_reached = reached
    return bool(changes)


def _changes(current: WorkspaceSettings, wanted: WorkspaceSettings) -> Mapping[str, audit.JSONValue]:
    """`field.before` and `field.after` of each field that differs.

    What the workspace is called is not repeated in a log that outlives it: only that it changed.
    """
    changes: dict[str, audit.JSONValue] = {}
    for name, before in asdict(current).items():
        after = asdict(wanted)[name]
        if after != before and name == "name":
            changes["name.changed"] = True
        elif after != before:
            changes |= {f"{name}.before": before, f"{name}.after": after}
    return changes
