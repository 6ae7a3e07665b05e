"""The letters about changes that wait to be mailed together: once a day or once a month (letters.send)."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta

from portal.database.connecting import transaction
from portal.database.prepared import Parameter, Prepared
from portal.domain.change_notices import mailed_from
from portal.domain.errors import CannotBeInvoiced
from portal.domain.periods import add_months
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.vocabulary import ChangeNotices, SubscriptionState
from portal.models import ChangeNotice, Subscription, Workspace
from portal.outbox import JSON
from portal.services import letters
from portal.services.subscriptions import agreement, next_charge
from portal.services.subscriptions.next_charge import NoBillingDetails

FARTHEST_EAST = timedelta(hours=14)
"""Where a day begins first, before UTC."""


def send_due(*, limit: int, now: datetime) -> int:
    """Mail what has waited long enough, for at most `limit` workspaces; how many that were.

    Each in one transaction under its lock: what waits is mailed once. Nothing is lost when the frequency
    changes meanwhile, since what waits is asked for by its day alone.
    """
    sent = 0
    for workspace in _waiting(now):
        if sent == limit:
            break
        with transaction(lock=workspace):
            sent += _send(Workspace.get_by_id(workspace.id), now=now)
    return sent


def _waiting(now: datetime) -> list[Workspace]:
    """Where something may be due; their own days decide. Those that waited longest first."""
    latest = (now + FARTHEST_EAST).date()
    notices = _unsent.rows(latest=latest, first_of_month=latest.replace(day=1))
    return list({notice.workspace.id: notice.workspace for notice in notices}.values())


_unsent = Prepared(
    lambda: (
        ChangeNotice.select(ChangeNotice, Workspace)
        .join(Workspace)
        .where(
            ChangeNotice.sent_on.is_null(),
            (Workspace.change_notices == ChangeNotices.EACH) & (ChangeNotice.noted_on < Parameter("latest"))
            | (ChangeNotice.noted_on < Parameter("first_of_month")),
        )
        .order_by(ChangeNotice.noted_on, ChangeNotice.id)
    )
)


def _send(workspace: Workspace, *, now: datetime) -> bool:
    today = workspace.day(now)
    waiting = list(letters.waiting_notices(workspace))
    frequency = workspace.change_notices
    if not any(mailed_from(notice.noted_on, frequency) <= today for notice in waiting):
        return False
    is_monthly = frequency is ChangeNotices.MONTHLY
    if len(waiting) == 1 and not is_monthly:
        template, context = waiting[0].template, dict(waiting[0].context)
        letters.send(
            template,
            to=letters.billing_people(workspace),
            workspace=workspace,
            key=waiting[0].key,
            context=context,
            at_once=True,
        )
    else:
        letters.send(
            "changes",
            to=letters.billing_people(workspace),
            workspace=workspace,
            # The key of a change is never used again, as its id may be.
            key=f"changes-{waiting[-1].key}",
            context={
                "changes": _facts(waiting),
                "coming": _coming(workspace, today=today, now=now) if is_monthly else None,
            },
        )
    ChangeNotice.update(sent_on=today).where(ChangeNotice.id << [each.id for each in waiting]).execute()
    return True


def _facts(notices: Sequence[ChangeNotice]) -> JSON:
    return [
        {"on": each.noted_on.isoformat(), "template": each.template, "context": dict(each.context)}
        for each in notices
    ]


def _coming(workspace: Workspace, *, today: date, now: datetime) -> JSON:
    """What is renewed, or ends, until the same day of the next month."""
    until = add_months(today, 1, anchor_day=today.day)
    coming: list[JSON] = []
    for subscription in agreement.all_of(workspace):
        on = subscription.renew_on or subscription.due_on
        state = agreement.status_of(subscription, today=today).state
        if on is not None and today <= on < until and state is not SubscriptionState.ENDED:
            coming.append(_what_comes(subscription, on, now=now))
    return coming


def _what_comes(subscription: Subscription, on: date, *, now: datetime) -> JSON:
    quote = None
    if subscription.renew_on is not None:
        with suppress(PlanTooSmall, PlanNotOffered, NoBillingDetails, CannotBeInvoiced):
            quote = next_charge.upcoming(subscription, now=now)
    return {
        "on": on.isoformat(),
        "plan_names": dict(subscription.plan.names),
        "total_minor": quote.total.minor if quote else None,
        "tax_minor": quote.tax_amount.minor if quote else None,
        "currency": quote.total.currency if quote else None,
    }
