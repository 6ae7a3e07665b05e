"""Which saved method an automatic charge asks: their order, and those that may be asked on a day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from portal.database import rows
from portal.domain.debits import is_charged_in
from portal.domain.dunning import methods_left, was_not_confirmed
from portal.domain.expiry import last_day
from portal.domain.vocabulary import DeclineCode, PaymentState
from portal.gateways.cards import expires_before
from portal.models import Order, OrderLine, Payment, PaymentMethod, Subscription, Workspace


@dataclass(frozen=True, slots=True)
class Round:
    """What was tried for one renewal. `left`: the methods that today's round may still ask, in order."""

    failed_on: date
    left: tuple[PaymentMethod, ...]
    may_try_later: bool


def methods_of(subscription: Subscription) -> list[PaymentMethod]:
    """In the order in which they are charged."""
    return in_order(saved_of(subscription.workspace_id), subscription)


def saved_of(workspace: Workspace | int) -> list[PaymentMethod]:
    """Whatever is charged first. One query."""
    return list(
        PaymentMethod.select().where(PaymentMethod.workspace == workspace, PaymentMethod.removed_at.is_null())
    )


def in_order(methods: Iterable[PaymentMethod], subscription: Subscription) -> list[PaymentMethod]:
    """The subscription's own comes first, then the preferred one, then by their ranks; stopped ones last."""

    def place(method: PaymentMethod) -> tuple[bool, bool, bool, int, int]:
        is_own = method.id == subscription.payment_method_id
        return method.stopped_at is not None, not is_own, not method.is_preferred, method.rank, method.id

    return sorted(methods, key=place)


def last_day_of(method: PaymentMethod) -> date | None:
    """The last day on which a card may be charged; None for what has no date."""
    if method.exp_month is None or method.exp_year is None:
        return None
    return last_day(month=method.exp_month, year=method.exp_year)


def is_expired(method: PaymentMethod, *, on: date) -> bool:
    """Of a card; what has no date never is."""
    if method.exp_month is None or method.exp_year is None:
        return False
    return expires_before(method.exp_month, method.exp_year, on)


def currency_of(subscription: Subscription) -> str:
    """In which it is charged: before anything was chosen that of its workspace."""
    if subscription.price is None:
        return str(subscription.workspace.currency)
    return str(subscription.price.currency)


def may_be_charged(method: PaymentMethod, *, on: date, currency: str) -> bool:
    """Whether it is asked by itself on that day for an amount in this currency: not a card that is over, nor
    what a dispute stopped, nor a bank account for what is not in euros.
    """
    return (
        method.stopped_at is None and is_charged_in(method.kind, currency) and not is_expired(method, on=on)
    )


def first_charged(methods: Iterable[PaymentMethod], *, on: date, currency: str) -> PaymentMethod | None:
    """Of `methods`, in the order of their charges, the first that may be charged on that day."""
    return next((each for each in methods if may_be_charged(each, on=on, currency=currency)), None)


def round_of(
    methods: Iterable[PaymentMethod], tries: Sequence[Payment], *, today: date, currency: str
) -> Round:
    """Where the declined `tries` for a due date stand today; `methods` in the order of their charges.

    What was not confirmed may be in a later round, since nobody refused it, after those that need no payer.
    """
    not_confirmed = {method_id_of(payment) for payment in tries if was_not_confirmed(payment.decline_code)}
    refused_for_good = {method_id_of(payment) for payment in tries if was_refused_for_good(payment)}
    tried_today = {method_id_of(payment) for payment in tries if payment.tried_on == today}
    by_id = {method.id: method for method in methods if may_be_charged(method, on=today, currency=currency)}
    in_turn = sorted(by_id, key=lambda method_id: method_id in not_confirmed)
    left = methods_left(in_turn, refused_for_good=refused_for_good, tried_today=tried_today)
    return Round(
        failed_on=min((payment.tried_on for payment in tries if payment.tried_on is not None), default=today),
        left=tuple(by_id[method_id] for method_id in left),
        may_try_later=any(method_id not in refused_for_good for method_id in by_id),
    )


def was_refused_for_good(declined: Payment) -> bool:
    """Not what may work later, nor what nobody confirmed."""
    return not declined.may_work_later and not was_not_confirmed(declined.decline_code)


def asked_next(
    subscription: Subscription, methods: Iterable[PaymentMethod], *, on: date
) -> PaymentMethod | None:
    """The first of `methods` that the renewal is charged to on that day; None: none is left to ask.

    What notices and pages name, and what the run asks.
    """
    renewal = begun_renewal(subscription)
    tries = list(declined_tries([renewal] if renewal else []))
    found = round_of(methods, tries, today=on, currency=currency_of(subscription))
    return next(iter(found.left), None)


def begun_renewal(subscription: Subscription) -> Order | None:
    """The order that renews the due date, if one was begun; a refunded one is none. One query."""
    begun = (
        Order.select()
        .join(OrderLine)
        .where(
            OrderLine.subscription == subscription,
            OrderLine.renews_on == subscription.due_on,
            OrderLine.refunded_at.is_null(),
        )
    )
    return cast("Order | None", begun.first())


def declined_tries(orders: Iterable[Order]) -> Iterable[Payment]:
    """With saved methods, in a round or by somebody's click; not what never reached the gateway."""
    ids = [order.id for order in orders]
    if not ids:
        return []
    declined = Payment.select().where(
        rows.one_of(Payment.order, ids),
        Payment.state == PaymentState.DECLINED,
        Payment.decline_code != DeclineCode.NEVER_MADE,
        Payment.method.is_null(False),
    )
    return cast("Iterable[Payment]", declined)


def method_id_of(payment: Payment) -> int:
    assert payment.method_id is not None, "a saved method was charged"
    return payment.method_id


def first_expiring(methods: Iterable[PaymentMethod], *, on: date) -> PaymentMethod | None:
    """The first of `methods` that only its date keeps from being charged on that day."""
    return next((each for each in methods if each.stopped_at is None and is_expired(each, on=on)), None)


def asked_on(subscription: Subscription, *, on: date) -> PaymentMethod | None:
    """Which method is asked on that day, for a period that nothing was tried for yet. One query."""
    return first_charged(methods_of(subscription), on=on, currency=currency_of(subscription))


def next_asked(subscription: Subscription, *, today: date) -> PaymentMethod | None:
    """Which method the next automatic charge asks, on its day; None: no saved one can be asked then.

    One query before that day.
    """
    on = max(subscription.renew_on or today, today)
    if on > today and subscription.renewal_failed_on is None:
        return asked_on(subscription, on=on)
    return asked_next(subscription, methods_of(subscription), on=on)
