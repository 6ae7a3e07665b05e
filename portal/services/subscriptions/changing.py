"""Writing down a change of one subscription: its row, its trace in the audit log, and the letter about it."""

from collections.abc import Mapping
from datetime import datetime

from portal.database.connecting import require_transaction
from portal.models import Subscription
from portal.outbox import JSON
from portal.services import audit, letters
from portal.services.audit import JSONValue

from . import agreement


def save(subscription: Subscription, *, now: datetime) -> None:
    """As its next version, which the next run looks at. In the transaction of the change."""
    require_transaction()
    agreement.look_soon(subscription, now=now)
    subscription.version += 1
    subscription.save()


def record(
    action: str, subscription: Subscription, changes: Mapping[str, JSONValue], *, now: datetime
) -> None:
    """Beside the change, in its transaction."""
    workspace = subscription.workspace
    audit.record(action, workspace=workspace, subject=workspace.slug, changes=changes, now=now)


def tell(
    template: str, subscription: Subscription, context: Mapping[str, JSON], *, at_once: bool = False
) -> None:
    """The billing people of the workspace, once for each version: after `save`.

    `at_once`: whatever the workspace wants of change notices.
    """
    letters.send(
        template,
        to=letters.billing_people(subscription.workspace),
        workspace=subscription.workspace,
        key=f"{template.replace('_', '-')}-{subscription.id}-{subscription.version}",
        context=dict(context),
        at_once=at_once,
    )
