"""What follows from the answer to an automatic charge: the next method, the next day, the letters.

Called by charging.py inside the transaction that records the answer. A round asks the methods one
after the other; a round in which none pays is followed by the next dunning day (domain/dunning.py).
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from portal.database import rows
from portal.database.connecting import require_transaction
from portal.domain.dunning import next_round_on, request_stands_until, was_not_confirmed
from portal.domain.lifecycle import blocked_on
from portal.domain.vocabulary import DeclineCode, PaymentState
from portal.models import Invoice, Order, OrderLine, Payment, Subscription, Workspace
from portal.outbox import JSON
from portal.runtime import current
from portal.services import letters
from portal.services.subscriptions import agreement, next_charge
from portal.services.subscriptions.charged_methods import declined_tries, method_id_of, methods_of, round_of

NOT_CONFIRMED = "not_confirmed"
"""The reason that letters give where the bank asked for the payer in vain."""


def paid_instead(payment: Payment, subscription: Subscription) -> bool:
    """Whether another saved method has paid for the subscription's own, which was declined."""
    own, method = subscription.payment_method_id, payment.method
    if method is None or method.id == own or method.removed_at is not None:
        return False
    # Not where somebody chose another one while the bank was asked.
    return any(method_id_of(each) == own for each in declined_tries([payment.order]))


def renewed_by(payment: Payment) -> tuple[OrderLine, Subscription]:
    """The line of an automatic charge and the one subscription that it renews, both loaded."""
    [line] = payment.order.lines
    assert line.subscription is not None, "what is renewed is subscribed to"
    return line, line.subscription


def after_decline(payment: Payment, *, now: datetime) -> None:
    """Ask the next method at once, or wait for the next dunning day and say so."""
    order, (line, subscription) = payment.order, renewed_by(payment)
    if not subscription.auto_renewal or subscription.due_on != line.renews_on:
        # Somebody paid by hand or switched auto-renewal off meanwhile.
        return
    assert payment.tried_on is not None, "an automatic charge has its day"
    today = payment.workspace.day(now)
    if payment.decline_code == DeclineCode.NEVER_MADE:
        # The same method is simply asked anew.
        _try_on(subscription, today, now=now)
        return
    so_far = round_of(
        methods_of(subscription),
        list(declined_tries([order])),
        today=payment.tried_on,
        currency=payment.currency,
    )
    subscription.renewal_failed_on = so_far.failed_on
    if so_far.left:
        _try_on(subscription, today, now=now)
        return
    not_confirmed = was_not_confirmed(payment.decline_code)
    next_on = None
    if so_far.may_try_later:
        # A request is closed because the next round's day has come: that one is counted from its own day.
        next_on = _next_round(so_far.failed_on, payment.tried_on if not_confirmed else today)
    _try_on(subscription, next_on, now=now)
    if not_confirmed and next_on is not None and next_on <= today:
        # It is asked for anew at once, with a letter that says so.
        return
    tell_failed(
        subscription,
        payment.workspace,
        key=f"renewal-failed-{payment.key}",
        reason=NOT_CONFIRMED if not_confirmed else payment.decline_code,
        total=(payment.amount_minor, payment.currency),
        plan_names=dict(line.plan.names),
        method=letters.paid_with(payment),
        asks_new_card=not so_far.may_try_later,
        today=today,
    )


def fail_without_asking(
    subscription: Subscription,
    workspace: Workspace,
    *,
    reason: str,
    limits: list[JSON] | None = None,
    order: Order | None = None,
    now: datetime,
) -> None:
    """Nothing can be charged today: it waits, late, as after a decline.

    `reason` is `too_small`, `not_sold` or `no_method`.
    """
    today = subscription.workspace.day(now)
    subscription.renewal_failed_on = subscription.renewal_failed_on or today
    _try_on(subscription, _next_round(subscription.renewal_failed_on, today), now=now)
    plan = subscription.scheduled_plan or subscription.plan
    currency = subscription.price.currency if subscription.price is not None else None
    tell_failed(
        subscription,
        workspace,
        key=f"renewal-failed-{subscription.id}-{subscription.due_on}-{today}",
        reason=reason,
        total=(order.total_minor, order.currency) if order else (subscription.announced_minor, currency),
        plan_names=dict(plan.names),
        method=None,
        asks_new_card=reason == "no_method",
        limits=limits,
        today=today,
    )


def tell_failed(
    subscription: Subscription,
    workspace: Workspace,
    *,
    key: str,
    reason: str,
    total: tuple[int | None, str | None],
    plan_names: dict[str, JSON],
    method: JSON,
    asks_new_card: bool,
    limits: list[JSON] | None = None,
    today: date,
) -> None:
    total_minor, currency = total
    letters.send(
        "renewal_failed",
        to=letters.billing_people(workspace),
        workspace=workspace,
        key=key,
        context={
            "plan_names": plan_names,
            "licences": next_charge.next_licences(subscription),
            "total_minor": total_minor,
            "currency": currency,
            "method": method,
            "reason": reason,
            "next_try_on": subscription.renew_on.isoformat() if subscription.renew_on else None,
            "usable_until": _last_usable_day(subscription, today),
            "asks_new_card": asks_new_card,
            "limits": limits or [],
        },
    )


def _last_usable_day(subscription: Subscription, today: date) -> str | None:
    """The last day on which everything works; None where it is past, after an absence."""
    blocked_on = agreement.status_of(subscription, today=today).blocked_on
    assert blocked_on is not None, "what is renewed has a due date"
    last = blocked_on - timedelta(days=1)
    return last.isoformat() if last >= today else None


def ask_to_confirm(payment: Payment) -> None:
    """The bank wants the payer: the letter leads to the page on which they confirm, and says until when."""
    require_transaction()
    line, subscription = renewed_by(payment)
    letters.send(
        "renewal_to_confirm",
        to=letters.billing_people(payment.workspace),
        workspace=payment.workspace,
        key=f"renewal-to-confirm-{payment.key}",
        context={
            "plan_names": dict(line.plan.names),
            "licences": line.frozen.licences,
            "total_minor": payment.amount_minor,
            "currency": payment.currency,
            "method": letters.method_facts(payment.method),
            "order": payment.order.number,
            "confirm_until": confirmable_until(payment, subscription).isoformat(),
        },
    )


def confirmable_until(payment: Payment, subscription: Subscription) -> date:
    """The last day on which the renewal can be confirmed: rounds ask anew until then. One query."""
    asked_on = payment.tried_on
    assert asked_on is not None, "an automatic charge has its day"
    tries = declined_tries([payment.order])
    return _last_day(subscription, failed_on=min([asked_on, *_days_of(tries)]), asked_on=asked_on)


def request_is_over(
    payment: Payment, subscription: Subscription, declined: Iterable[Payment], *, today: date
) -> bool:
    """Whether a request that nobody confirmed gives way to the next round, or its last day is past."""
    asked_on = payment.tried_on
    assert asked_on is not None, "an automatic charge has its day"
    failed_on = min([asked_on, *_days_of(declined)])
    stands_until = request_stands_until(
        asked_on=asked_on,
        failed_on=failed_on,
        last_usable=_last_day(subscription, failed_on=failed_on, asked_on=asked_on),
        days=current().settings.dunning_days,
    )
    return today > stands_until


def _days_of(tries: Iterable[Payment]) -> list[date]:
    return [payment.tried_on for payment in tries if payment.tried_on is not None]


def _last_day(subscription: Subscription, *, failed_on: date, asked_on: date) -> date:
    """The last day with access after a first failure on `failed_on`, or that of the request if later."""
    assert subscription.due_on is not None, "what is renewed has a due date"
    first_without = blocked_on(
        subscription.due_on,
        agreement.grace_days(subscription),
        renewal_failed_on=failed_on,
        dunning_days=current().settings.dunning_days,
    )
    return max(asked_on, first_without - timedelta(days=1))


def newest_failure(subscription: Subscription) -> Payment | None:
    """The newest try of the renewal that failed; None where nothing could be tried. One query."""
    return (
        Payment.select(Payment)
        .join(OrderLine, on=(OrderLine.order == Payment.order))
        .where(
            OrderLine.subscription == subscription,
            OrderLine.renews_on == subscription.due_on,
            Payment.state == PaymentState.DECLINED,
            Payment.decline_code != DeclineCode.NEVER_MADE,
            Payment.tried_on.is_null(False),
        )
        .order_by(Payment.id.desc())
        .first()
    )


def tell_renewed(payment: Payment, invoice: Invoice) -> None:
    require_transaction()
    order, (line, subscription) = payment.order, renewed_by(payment)
    licences = agreement.licences_of(subscription)
    letters.send(
        "renewed",
        to=letters.billing_people(payment.workspace),
        workspace=payment.workspace,
        key=f"renewed-{order.number}",
        context={
            "plan_names": dict(line.plan.names),
            "licences": licences,
            "line_licences": [licences],
            "interval": line.interval.value,
            "total_minor": payment.amount_minor,
            "currency": payment.currency,
            "method": letters.paid_with(payment),
            "due_on": line.end_on.isoformat(),
        },
        attachments=[invoice],
    )


def _next_round(failed_on: date, today: date) -> date | None:
    return next_round_on(failed_on=failed_on, today=today, days=current().settings.dunning_days)


def _try_on(subscription: Subscription, day: date | None, *, now: datetime) -> None:
    subscription.renew_on = day
    agreement.look_soon(subscription, now=now)
    rows.save(subscription)
