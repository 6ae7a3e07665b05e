"""What the run knows of a batch of subscriptions before it looks at them: one query for each kind of row."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar, cast

from portal.database.rows import one_of
from portal.domain.lifecycle import OPEN_PAYMENT_STATES, OPEN_REFUND_STATES
from portal.domain.vocabulary import NoticeKind
from portal.models import (
    BillingDetails,
    Notice,
    Order,
    OrderLine,
    Payment,
    PaymentMethod,
    Person,
    Refund,
    Subscription,
)
from portal.services import ledger
from portal.services.subscriptions import charged_methods

T = TypeVar("T")


@dataclass(slots=True)
class RenewalFacts:
    """What stands around one subscription, as it is under the lock.

    `said` are the letters about its due date and the day of each; `renewal` is the order that renews it
    then, with the tries that were `declined`; `open_payment` and `refund_is_open` tell of money whose result
    is open. `methods` are all that are saved, in no order. `kept_in` are the currencies in which the balance
    of the workspace may pay.
    """

    said: dict[NoticeKind, date] = field(default_factory=dict)
    open_payment: Payment | None = None
    refund_is_open: bool = False
    renewal: Order | None = None
    declined: Sequence[Payment] = ()
    methods: Sequence[PaymentMethod] = ()
    billing_details: BillingDetails | None = None
    kept_in: Collection[str] = ()


def read_facts(subscriptions: Sequence[Subscription]) -> dict[int, RenewalFacts]:
    """By the ids of the subscriptions, which are loaded with their workspaces. Eight queries at most."""
    ids = [subscription.id for subscription in subscriptions]
    workspaces = [subscription.workspace_id for subscription in subscriptions]
    said = _said(ids)
    waiting = {payment.line.subscription_id: payment for payment in _open_payments(workspaces)}
    refunding = {refund.payment.line.subscription_id for refund in _open_refunds(workspaces)}
    renewals = {line.subscription_id: line.order for line in _renewals(ids)}
    declined = _by("order_id", charged_methods.declined_tries(renewals.values()))
    methods = _by(
        "workspace_id",
        PaymentMethod.select(PaymentMethod, Person.id, Person.name, Person.email)
        .join(Person)
        .where(one_of(PaymentMethod.workspace, workspaces), PaymentMethod.removed_at.is_null()),
    )
    details = _by("workspace_id", BillingDetails.select().where(one_of(BillingDetails.workspace, workspaces)))
    kept_in: dict[int, list[str]] = defaultdict(list)
    for workspace, currency in ledger.where_something_is_kept(workspaces):
        kept_in[workspace].append(currency)
    found = {}
    for subscription in subscriptions:
        at = subscription.workspace_id
        renewal = renewals.get(subscription.id)
        found[subscription.id] = RenewalFacts(
            said=said[subscription.id],
            open_payment=waiting.get(subscription.id),
            refund_is_open=subscription.id in refunding,
            renewal=renewal,
            declined=declined.get(renewal.id, []) if renewal else [],
            methods=methods.get(at, []),
            billing_details=_first(details, at),
            kept_in=kept_in[at],
        )
    return found


def _said(ids: Sequence[int]) -> Mapping[int, dict[NoticeKind, date]]:
    said: dict[int, dict[NoticeKind, date]] = defaultdict(dict)
    about_the_due_date = (
        Notice.select(Notice, Subscription.id)
        .join(Subscription)
        .where(one_of(Subscription.id, ids), Notice.about_on == Subscription.due_on)
    )
    for notice in cast("Iterable[Notice]", about_the_due_date):
        said[notice.subscription.id][notice.kind] = notice.said_on
    return said


def _open_payments(workspaces: Sequence[int]) -> Iterable[Any]:
    """Those that wait for their result, once for each `line` of a subscription. By the index of open ones.

    A first purchase has none yet.
    """
    return (
        Payment.select(Payment, OrderLine.subscription)
        .join(OrderLine, on=(OrderLine.order == Payment.order), attr="line")
        .where(
            one_of(Payment.workspace, workspaces),
            Payment.look_up_at.is_null(False),
            Payment.state << OPEN_PAYMENT_STATES,
            OrderLine.subscription.is_null(False),
        )
    )


def _open_refunds(workspaces: Sequence[int]) -> Iterable[Any]:
    """Those that wait for their result, one for each `line` that goes back."""
    return (
        Refund.select(Refund.id, OrderLine.subscription)
        .join(Payment)
        .join_from(
            Payment,
            OrderLine,
            on=((OrderLine.order == Payment.order) & Refund.undoes(OrderLine)),
            attr="line",
        )
        .where(
            one_of(Refund.workspace, workspaces),
            Refund.state << OPEN_REFUND_STATES,
            OrderLine.subscription.is_null(False),
        )
    )


def _renewals(ids: Sequence[int]) -> Iterable[OrderLine]:
    """The renewals of the due dates that were begun, each with its order; a refunded one is none."""
    return cast(
        "Iterable[OrderLine]",
        OrderLine.select(OrderLine, Order)
        .join_from(OrderLine, Order)
        .join_from(OrderLine, Subscription)
        .where(
            one_of(Subscription.id, ids),
            OrderLine.renews_on == Subscription.due_on,
            OrderLine.refunded_at.is_null(),
        ),
    )


def _by(name: str, rows: Iterable[T]) -> dict[int, list[T]]:
    found: dict[int, list[T]] = defaultdict(list)
    for row in rows:
        found[getattr(row, name)].append(row)
    return dict(found)


def _first(rows: Mapping[int, list[T]], key: int) -> T | None:
    return rows[key][0] if key in rows else None
