"""Billing settings: whom to invoice from the next document on, how often to write, and who buys and sees.

Documents have a copy of what stood here when they were issued, so nothing here changes one.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from portal.database.connecting import transaction
from portal.domain.billing_details import Details
from portal.domain.errors import PortalError
from portal.domain.vocabulary import ChangeNotices, Right, VatStatus, WhoMayBuy
from portal.models import BillingDetails, Workspace
from portal.services import audit
from portal.services.places import Place

from . import vat_checks


class BillingSettingsChanged(PortalError):
    """Somebody changed them after they were shown: `current` (BillingSettings) is what stands now."""

    current: "BillingSettings"


@dataclass(frozen=True, slots=True)
class BillingSettings:
    """`details` is None while nobody has said whom to invoice."""

    details: Details | None
    change_notices: ChangeNotices
    who_may_buy: WhoMayBuy
    hides_plans_from_members: bool

    @property
    def version(self) -> str:
        """Tells what people typed and chose from anything else. What the register answers changes nothing."""
        facts = asdict(self)
        if facts["details"] is not None:
            del facts["details"]["vat_status"]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def settings_of(workspace: Workspace) -> BillingSettings:
    """One query."""
    known = BillingDetails.get_or_none(BillingDetails.workspace == workspace)
    return BillingSettings(
        details=Details.of(known) if known else None,
        change_notices=workspace.change_notices,
        who_may_buy=workspace.who_may_buy,
        hides_plans_from_members=workspace.hides_plans_from_members,
    )


def change(place: Place, wanted: BillingSettings, *, shown_version: str, now: datetime) -> bool:
    """Write `wanted` if the settings are still those that were shown. True when anything changed.

    Who buys and who sees stays as it is unless an owner asks. A VAT number that stays keeps what the register
    said of it. Locks the workspace. Raises BillingSettingsChanged, also when the other change was to another
    field: the two people should see each other's decision.
    """
    with transaction(lock=place.workspace):
        stored = Workspace.get_by_id(place.workspace.id)
        current = settings_of(stored)
        if current.version != shown_version:
            raise BillingSettingsChanged(current=current)
        wanted = _as_allowed(place, wanted, current)
        if wanted.details is not None:
            vat_checks.promise(place.workspace, wanted.details.vat_number)
        changed = _changed(current, wanted)
        if not changed:
            return False
        if wanted.details is not None and wanted.details != current.details:
            _write_details(place.workspace, wanted.details)
        Workspace.update(
            change_notices=wanted.change_notices,
            who_may_buy=wanted.who_may_buy,
            hides_plans_from_members=wanted.hides_plans_from_members,
        ).where(Workspace.id == stored.id).execute()
        audit.record(
            "billing.settings_changed",
            workspace=place.workspace,
            subject=place.workspace.slug,
            changes=changed,
            now=now,
        )
    return True


def _as_allowed(place: Place, wanted: BillingSettings, current: BillingSettings) -> BillingSettings:
    if Right.MANAGE_WORKSPACE not in place.may:
        wanted = replace(
            wanted,
            who_may_buy=current.who_may_buy,
            hides_plans_from_members=current.hides_plans_from_members,
        )
    if wanted.details is None or current.details is None:
        return wanted
    is_same = wanted.details.vat_number and wanted.details.vat_number == current.details.vat_number
    status = current.details.vat_status if is_same else _status_of(wanted.details)
    return replace(wanted, details=replace(wanted.details, vat_status=status))


def _status_of(details: Details) -> VatStatus:
    return VatStatus.UNCHECKED if details.vat_number else VatStatus.NONE


def _write_details(workspace: Workspace, details: Details) -> None:
    values = asdict(details)
    if not BillingDetails.update(**values).where(BillingDetails.workspace == workspace).execute():
        BillingDetails.create(workspace=workspace, **values)


def _changed(current: BillingSettings, wanted: BillingSettings) -> dict[str, audit.JSONValue]:
    """Of details only which ones changed: the log outlives the people whose they are."""
    changes: dict[str, audit.JSONValue] = {}
    before = asdict(current.details) if current.details else {}
    for name, value in (asdict(wanted.details) if wanted.details else {}).items():
        if value != before.get(name):
            changes[f"{name}.changed"] = True
    for name in ("change_notices", "who_may_buy", "hides_plans_from_members"):
        earlier, later = getattr(current, name), getattr(wanted, name)
        if earlier != later:
            changes |= {f"{name}.before": earlier, f"{name}.after": later}
    return changes
