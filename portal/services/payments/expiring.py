"""Saved cards that expire while something is charged to them: who is told, and when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import cast

from portal.database.connecting import transaction
from portal.database.prepared import Parameter, Prepared
from portal.domain.expiry import expires_soon, look_on, notice_due
from portal.models import MethodNotice, PaymentMethod, Subscription, Workspace
from portal.outbox import JSON
from portal.services import letters
from portal.services.subscriptions import agreement, charged_methods, next_charge

from .methods import find_method


def expiring(
    subscriptions: Iterable[Subscription], methods: Sequence[PaymentMethod], *, today: date
) -> dict[int, list[Subscription]]:
    """By method those that expire within a month, each with what is charged to it. Without a query."""
    found: dict[int, list[Subscription]] = {}
    for subscription in subscriptions:
        method = _charged_for(subscription, methods, on=today)
        last = charged_methods.last_day_of(method) if method else None
        if method is not None and last is not None and expires_soon(last, today=today):
            found.setdefault(method.id, []).append(subscription)
    return found


def _charged_for(
    subscription: Subscription, methods: Sequence[PaymentMethod], *, on: date
) -> PaymentMethod | None:
    """None where nothing is to be charged by itself, or nothing can be."""
    scheduled = subscription.scheduled_plan if subscription.scheduled_plan_id else None
    if not subscription.auto_renewal or subscription.renew_on is None or (scheduled and scheduled.free):
        return None
    return charged_methods.first_charged(
        charged_methods.in_order(methods, subscription),
        on=on,
        currency=charged_methods.currency_of(subscription),
    )


@dataclass(frozen=True, slots=True)
class After:
    """What is charged instead of a card that is over: the one `method`, or None where they differ.

    `nothing_left`: something has nothing left that it could be charged to.
    """

    method: PaymentMethod | None
    nothing_left: bool


def charged_after(paid: Iterable[Subscription], methods: Sequence[PaymentMethod], *, last: date) -> After:
    """After the `last` day of the card that pays for `paid`. Without a query."""
    nexts = [_charged_for(each, methods, on=last + timedelta(days=1)) for each in paid]
    is_the_same = len({each.id if each else 0 for each in nexts}) == 1
    return After(nexts[0] if is_the_same else None, nothing_left=None in nexts)


def tell_due(*, limit: int, now: datetime) -> int:
    """Send the letters about cards that expire, looking at no more than `limit` cards. Returns how many.

    Safe to repeat and to run twice at once: each is sent once about the last day of its card.
    """
    return sum(_look_at(method, now=now) for method in _due.rows(now=now, limit=limit))


_due = Prepared(
    lambda: (
        PaymentMethod.select(PaymentMethod, Workspace)
        .join(Workspace)
        .where(PaymentMethod.expiry_look_at <= Parameter("now"))
        .order_by(PaymentMethod.expiry_look_at, PaymentMethod.id)
        .limit(Parameter("limit"))
    )
)


def _look_at(method: PaymentMethod, *, now: datetime) -> bool:
    """Whether a letter was due and written."""
    workspace = method.workspace
    today = workspace.day(now)
    with transaction(lock=workspace):
        fresh = find_method(workspace, method.id)
        last = charged_methods.last_day_of(fresh) if fresh else None
        if fresh is None or last is None:
            _look_again(method, None)
            return False
        kind = notice_due(last, today=today)
        about = (MethodNotice.method == fresh) & (MethodNotice.about_on == last) & (MethodNotice.kind == kind)
        is_said = kind is not None and MethodNotice.select().where(about).exists()
        is_written = False
        if kind is not None and not is_said:
            methods = charged_methods.saved_of(workspace)
            paid = expiring(agreement.all_of(workspace), methods, today=today).get(fresh.id)
            if paid:
                MethodNotice.create(method=fresh, kind=kind, about_on=last, said_on=today)
                _tell(fresh, paid, methods, last=last, kind=kind)
                is_said = is_written = True
        _look_again(fresh, look_on(last, today=today, is_said=is_said))
    return is_written


def _look_again(method: PaymentMethod, day: date | None) -> None:
    at = agreement.first_moment(method.workspace, day) if day else None
    PaymentMethod.update(expiry_look_at=at).where(PaymentMethod.id == method.id).execute()


def _tell(
    method: PaymentMethod,
    paid: Sequence[Subscription],
    methods: Sequence[PaymentMethod],
    *,
    last: date,
    kind: str,
) -> None:
    workspace = method.workspace
    after = charged_after(paid, methods, last=last)
    days = [cast("date", each.renew_on) for each in paid if cast("date", each.renew_on) > last]
    letters.send(
        "method_expiring",
        to=letters.billing_people(workspace),
        workspace=workspace,
        key=f"method-{kind}-{method.id}-{last}",
        context={
            "method": letters.method_facts(method),
            "last_day": last.isoformat(),
            "charged_on": min(days).isoformat() if days else None,
            "paid": [_terms(each) for each in paid],
            "instead": letters.method_facts(after.method),
            "nothing_left": after.nothing_left,
        },
    )


def _terms(subscription: Subscription) -> dict[str, JSON]:
    """Of the next period."""
    plan, interval = next_charge.next_terms(subscription)
    return {
        "plan_names": dict(plan.names),
        "interval": interval.value,
        "licences": next_charge.next_licences(subscription),
    }
