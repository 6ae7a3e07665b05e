"""The services of a workspace that are switched on: what the product offers, and what plan rules look at."""

from collections.abc import Iterable
from datetime import datetime

from portal.database.connecting import transaction
from portal.domain.errors import PortalError
from portal.domain.vocabulary import Service
from portal.models import Workspace
from portal.services import audit, plans
from portal.services.members import roster


class ServicesNotIncluded(PortalError):
    """The workspace's plan, or the one being paid for, does not include `services`: they stay off."""

    services: frozenset[Service]


def services_of(workspace: Workspace) -> frozenset[Service]:
    return frozenset(Service(code) for code in workspace.services)


def switch(
    workspace: Workspace, *, shown: Iterable[Service], wanted: Iterable[Service], now: datetime
) -> frozenset[Service]:
    """Turn the switches in which `wanted` differs from what was `shown`; the others stay as they are now.

    So two people at once never undo each other's switches. Returns those that changed. Locks the
    workspace. Raises ServicesNotIncluded.
    """
    turned = frozenset(shown) ^ frozenset(wanted)
    with transaction(lock=workspace):
        before = services_of(Workspace.get_by_id(workspace.id))
        after = (before - turned) | (turned & frozenset(wanted))
        included = frozenset.intersection(
            *(plans.limits_of(plan).services for plan in roster.binding_plans(workspace))
        )
        if missing := after - before - included:
            raise ServicesNotIncluded(services=missing)
        if after != before:
            codes = [service.value for service in Service if service in after]
            Workspace.update(services=codes).where(Workspace.id == workspace.id).execute()
            audit.record(
                "workspace.services_changed",
                workspace=workspace,
                subject=workspace.slug,
                changes={service.value: service in after for service in Service if service in before ^ after},
                now=now,
            )
    return before ^ after
