"""A trial that is given more days by the vendor's staff."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from portal.database.connecting import transaction
from portal.domain.errors import PortalError
from portal.models import SubscriptionPeriod, Workspace
from portal.services import letters

from . import agreement, changing
from .agreement import SubscriptionStatus


class NotOnTrial(PortalError):
    """The workspace has a plan, or a trial without an end: there is nothing to extend."""

    plan_code: str


class TrialChanged(PortalError):
    """The due date is no longer the one `shown`: somebody extended the trial meanwhile, to `due_on`."""

    shown: date | None
    due_on: date | None


@dataclass(frozen=True, slots=True)
class TrialExtension:
    """More days, `starts_on` to `due_on`: the running trial goes on, one that is over begins again today."""

    starts_on: date
    due_on: date


def extension_of(status: SubscriptionStatus, *, days: int) -> TrialExtension | None:
    """What `days` more would give today; None where there is no trial with an end."""
    if not status.plan.trial or status.due_on is None:
        return None
    starts_on = max(status.due_on, status.today)
    return TrialExtension(starts_on=starts_on, due_on=starts_on + timedelta(days=days))


def extend(workspace: Workspace, *, days: int, shown_due_on: str, now: datetime) -> date:
    """Let the trial end `days` later, today being the first of them where it is over. The new due date.

    Access comes back at once, and the letters before the end are written for the new one. `shown_due_on` is
    the ISO day that was shown as its end. Locks the workspace and tells the owners. Raises NotOnTrial,
    TrialChanged.
    """
    with transaction(lock=workspace):
        subscription = agreement.of_workspace(workspace)
        status = agreement.status_of(subscription, today=workspace.day(now))
        extension = extension_of(status, days=days)
        if extension is None:
            raise NotOnTrial(plan_code=status.plan.code)
        before = subscription.due_on
        assert before is not None, "a trial that can be extended ends"
        if before.isoformat() != shown_due_on:
            raise TrialChanged(shown=shown_due_on, due_on=before)
        SubscriptionPeriod.create(
            subscription=subscription,
            plan=subscription.plan,
            start_on=extension.starts_on,
            base_end_on=extension.due_on,
            end_on=extension.due_on,
            created_at=now,
        )
        subscription.due_on = extension.due_on
        changing.save(subscription, now=now)
        changing.record(
            "trial.extended",
            subscription,
            {
                "days": days,
                "due_on.before": before.isoformat(),
                "due_on.after": extension.due_on.isoformat(),
            },
            now=now,
        )
        letters.send(
            "trial_extended",
            to=letters.owners(workspace),
            workspace=workspace,
            key=f"trial-extended-{subscription.id}-{subscription.version}",
            context={"due_on": extension.due_on.isoformat()},
        )
    return extension.due_on
