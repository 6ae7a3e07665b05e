"""What follows from the answer to an automatic charge: the next method, the next day, the letters.

Called by charging.py inside the transaction that records the answer. A round asks the methods one
after the other; a round in which none pays is followed by the next dunning day (domain/dunning.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import cast

from portal.database import rows
from portal.database.connecting import require_transaction
from portal.domain.dunning import methods_left, next_round_on
from portal.domain.vocabulary import DeclineCode, OrderState, PaymentState
from portal.models import Invoice, Order, Payment, PaymentMethod, Subscription, Workspace
from portal.outbox import JSON
from portal.runtime import current
from portal.services import letters
from portal.services.subscriptions import agreement


@dataclass(frozen=True, slots=True)
class Round:
    """What was tried for one renewal. `left`: the methods that today's round may still ask, in order."""

    failed_on: date
    left: tuple[PaymentMethod, ...]
    may_try_later: bool


def methods_of(subscription: Subscription) -> list[PaymentMethod]:
    """In the order in which they are charged."""
    methods = PaymentMethod.select().where(
        PaymentMethod.workspace == subscription.workspace_id, PaymentMethod.removed_at.is_null()
    )
    return in_order(cast("Iterable[PaymentMethod]", methods), subscription)


def in_order(methods: Iterable[PaymentMethod], subscription: Subscription) -> list[PaymentMethod]:
    """The subscription's own comes first, then the preferred one, then the oldest."""

    def rank(method: PaymentMethod) -> tuple[bool, bool, int]:
        return method.id != subscription.payment_method_id, not method.is_preferred, method.id

    return sorted(methods, key=rank)


def round_of(methods: Iterable[PaymentMethod], tries: Sequence[Payment], *, today: date) -> Round:
    """Where the declined `tries` for a due date stand today; `methods` in the order of their charges."""
    refused_for_good = {_method_id(payment) for payment in tries if not payment.may_work_later}
    tried_today = {_method_id(payment) for payment in tries if payment.tried_on == today}
    by_id = {method.id: method for method in methods}
    left = methods_left(list(by_id), refused_for_good=refused_for_good, tried_today=tried_today)
    return Round(
        failed_on=min((cast(date, payment.tried_on) for payment in tries), default=today),
        left=tuple(by_id[method_id] for method_id in left),
        may_try_later=any(method_id not in refused_for_good for method_id in by_id),
    )


def asked_next(
    subscription: Subscription, methods: Iterable[PaymentMethod], *, on: date
) -> PaymentMethod | None:
    """The first of `methods` that the renewal is charged to on that day; None: none is left to ask."""
    renewals = Order.select().where(
        Order.subscription == subscription,
        Order.renews_on == subscription.due_on,
        Order.state != OrderState.REFUNDED,
    )
    tries = list(declined_tries(cast("Iterable[Order]", renewals)))
    return next(iter(round_of(methods, tries, today=on).left), None)


def paid_instead(payment: Payment, subscription: Subscription) -> bool:
    """Whether a method has paid by itself for the subscription's own, which was declined."""
    own, method = subscription.payment_method_id, payment.method
    if payment.tried_on is None or method is None or method.id == own or method.removed_at is not None:
        return False
    # Not where somebody chose another one while the bank was asked.
    return any(_method_id(each) == own for each in declined_tries([payment.order]))


def _method_id(payment: Payment) -> int:
    assert payment.method_id is not None, "a saved method was charged"
    return payment.method_id


def after_decline(subscription: Subscription, payment: Payment, *, now: datetime) -> None:
    """Ask the next method at once, or wait for the next dunning day and say so."""
    order = payment.order
    if not subscription.auto_renewal or subscription.due_on != order.renews_on:
        # Somebody paid by hand or switched auto-renewal off meanwhile.
        return
    if payment.tried_on is None:
        # Somebody tried by hand, and sees the answer where they are.
        return
    today = payment.workspace.day(now)
    if payment.decline_code == DeclineCode.NEVER_MADE:
        # The same method is simply asked anew.
        _try_on(subscription, today, now=now)
        return
    so_far = round_of(methods_of(subscription), list(declined_tries([order])), today=payment.tried_on)
    subscription.renewal_failed_on = so_far.failed_on
    if so_far.left:
        _try_on(subscription, today, now=now)
        return
    next_on = None
    if so_far.may_try_later:
        next_on = _next_round(so_far.failed_on, today)
    _try_on(subscription, next_on, now=now)
    tell_failed(
        subscription,
        payment.workspace,
        key=f"renewal-failed-{payment.key}",
        reason=payment.decline_code,
        total=(payment.amount_minor, payment.currency),
        plan_names=dict(order.plan.names),
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
    """The bank wants the payer: the letter leads to the page on which they confirm."""
    require_transaction()
    letters.send(
        "renewal_to_confirm",
        to=letters.billing_people(payment.workspace),
        workspace=payment.workspace,
        key=f"renewal-to-confirm-{payment.key}",
        context={
            "plan_names": dict(payment.order.plan.names),
            "total_minor": payment.amount_minor,
            "currency": payment.currency,
            "method": letters.method_facts(payment.method),
            "order": payment.order.number,
        },
    )


def tell_renewed(payment: Payment, invoice: Invoice) -> None:
    require_transaction()
    order = payment.order
    letters.send(
        "renewed",
        to=letters.billing_people(payment.workspace),
        workspace=payment.workspace,
        key=f"renewed-{order.number}",
        context={
            "plan_names": dict(order.plan.names),
            "interval": order.interval.value,
            "total_minor": payment.amount_minor,
            "currency": payment.currency,
            "method": letters.method_facts(payment.method),
            "due_on": order.quote["due_on"],
        },
        attachments=[invoice],
    )


def declined_tries(orders: Iterable[Order]) -> Iterable[Payment]:
    """Those that count in a round: not what never reached the gateway, nor what somebody tried by hand."""
    ids = [order.id for order in orders]
    if not ids:
        return []
    declined = Payment.select().where(
        Payment.order << ids,
        Payment.state == PaymentState.DECLINED,
        Payment.decline_code != DeclineCode.NEVER_MADE,
        Payment.tried_on.is_null(False),
    )
    return cast("Iterable[Payment]", declined)


def _next_round(failed_on: date, today: date) -> date | None:
    return next_round_on(failed_on=failed_on, today=today, days=current().settings.dunning_days)


def _try_on(subscription: Subscription, day: date | None, *, now: datetime) -> None:
    subscription.renew_on = day
    agreement.look_soon(subscription, now=now)
    rows.save(subscription)
