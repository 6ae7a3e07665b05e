"""Moving money in three steps: record the intent, ask the gateway, record the answer.

A cut connection means that we do not know: the payment waits as `unknown` and is looked up by its
key, never asked anew. Every road to an answer (the call itself, a look-up, an event) ends in
`record_answer`, which changes a payment only while it still waits.
"""

import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from types import MappingProxyType
from typing import cast

from peewee import JOIN, ModelSelect

from portal.database import rows
from portal.database.connecting import (
    connection,
    is_postgresql,
    require_transaction,
    transaction,
    write_postponed,
)
from portal.database.prepared import Parameter, Parameters, Prepared
from portal.domain.lifecycle import OPEN_PAYMENT_STATES, may_become
from portal.domain.money import Money
from portal.domain.vocabulary import DeclineCode, PaidWith, PaymentMethodKind, PaymentState
from portal.gateways.base import (
    ActionRequired,
    ChargeRequest,
    Declined,
    Gateway,
    HostedRequest,
    MethodFacts,
    NeverMade,
    Outcome,
    Pending,
    ResultUnknown,
    SavedMethod,
    Succeeded,
    TypedMethod,
)
from portal.models import (
    AuditEntry,
    Order,
    OrderLine,
    Payment,
    PaymentMethod,
    Person,
    Subscription,
    Workspace,
)
from portal.runtime import current
from portal.services import audit, orders
from portal.services.subscriptions import agreement

from . import outcomes, renewal_outcomes
from .methods import cut_to_column
from .waiting import (
    ABANDONED_AFTER,
    LOOK_UP_AFTER,
    ReconcileReport,
    longest_answer,
    longest_on_its_way,
    may_have_been_looked_up,
    next_look,
    settle_each,
)

NOTHING_TOLD: Mapping[str, object] = MappingProxyType({})

log = logging.getLogger(__name__)


class AmountMismatch(Exception):
    """The gateway took another amount or currency than was asked: nothing is marked paid, a human looks."""


def begin_payment(
    order: Order,
    *,
    person: Person,
    method: PaymentMethod | None = None,
    tried_on: date | None = None,
    mandate: str = "",
    now: datetime,
) -> Payment:
    """The payment of an order that is placed. Inside the transaction that places it, and in its lock.

    An intent, written before anybody is asked: `method` is a saved one that is to be charged. Where the
    balance pays the whole of the order nobody is asked, and it is settled at once. `tried_on` is the day on
    which that happens by itself, None where the payer is there. `mandate`: the reference of the one that was
    given with it, for a debit of an account that is typed.
    """
    require_transaction()
    wall = current().clock.wall()
    if order.due.minor:
        paid = _intent(order.due, PaymentMethodKind(order.method_kind), method, wall=wall)
    else:
        paid = _from_balance(order, wall=wall)
    if mandate:
        paid |= {"mandate_reference": mandate, "mandate_on": order.workspace.day(now)}
    payment = _payment_of(order, person=person, tried_on=tried_on, wall=wall, **paid)
    if rows.is_new(order):
        # It follows its order, which is written before the commit.
        rows.save_later(payment)
    else:
        rows.save(payment)
    if payment.method_kind != PaidWith.BALANCE:
        return payment
    write_postponed()
    [payment] = _read_again([payment])
    outcomes.settle_paid(payment, None, now=now)
    return payment


def begin_payment_of_invoice(
    order: Order,
    *,
    amount: Money,
    kind: PaymentMethodKind,
    person: Person | None,
    method: PaymentMethod | None,
    now: datetime,
) -> Payment:
    """The intent to pay what is open of the order's invoice. In the workspace's lock, as `begin_payment`.

    `person` None: whoever has its pay link, of whom nothing is known before the gateway tells a name.
    """
    require_transaction()
    wall = current().clock.wall()
    payment = _payment_of(
        order, person=person, tried_on=None, wall=wall, **_intent(amount, kind, method, wall=wall)
    )
    rows.save(payment)
    audit.record(
        "invoice.payment_begun",
        workspace=order.workspace,
        subject=order.number,
        changes={
            "payment": payment.key,
            "amount_minor": amount.minor,
            "currency": amount.currency,
            "by_link": payment.by_link,
        },
        now=now,
    )
    return payment


def _payment_of(
    order: Order, *, person: Person | None, tried_on: date | None, wall: datetime, **paid: object
) -> Payment:
    return Payment(
        key=uuid.uuid4().hex,
        workspace=order.workspace,
        order=order,
        tried_on=tried_on,
        currency=order.currency,
        payer_name=person.name if person else "",
        payer_email=order.details["email"] if person else "",
        by_link=person is None,
        created_at=wall,
        **paid,
    )


def _intent(
    amount: Money, kind: PaymentMethodKind, method: PaymentMethod | None, *, wall: datetime
) -> dict[str, object]:
    return {
        "amount_minor": amount.minor,
        "method_kind": method.kind if method else kind,
        "gateway": method.gateway if method else gateway_for(kind).name,
        "method": method,
        "brand": method.brand if method else "",
        "last4": method.last4 if method else "",
        "look_up_at": wall + longest_on_its_way(),
    }


def _from_balance(order: Order, *, wall: datetime) -> dict[str, object]:
    """Paid already, and by nothing that a gateway moved: its name stands for that of a gateway."""
    return {
        "amount_minor": order.total_minor,
        "method_kind": PaidWith.BALANCE,
        "gateway": PaidWith.BALANCE.value,
        "state": PaymentState.SUCCEEDED,
        "settled_at": wall,
    }


def ask(
    payment: Payment,
    *,
    card: TypedMethod | None,
    save: bool,
    return_url: str,
    is_awaited: Callable[[], bool] = lambda: True,
    now: datetime,
) -> Payment:
    """Ask the gateway under the payment's own key and record what it says; `unknown` if it does not say.

    `is_awaited` says, once there is an answer, whether the payer sees it where they are. Needs no connection
    while the gateway is waited for.

    A process that was held up for so long that the payment may have been looked up meanwhile, and
    its order opened again, asks no more: it looks the payment up like everybody else.
    """
    if payment.method_kind == PaidWith.BALANCE:
        return payment
    if may_have_been_looked_up(payment):
        return look_up(payment, now=now)
    gateway = current().gateways[payment.gateway]
    try:
        outcome = _ask(gateway, payment, card=card, save=save, return_url=return_url)
    except ResultUnknown:
        return _record_silence(payment, now=now)
    try:
        return record_answer(payment, outcome, tell=not is_awaited(), now=now)
    except AmountMismatch:
        # Told to the operators; to the payer it is a payment that is not confirmed.
        with connection():
            return Payment.get_by_id(payment.id)


def find_by_reference(gateway: str, reference: str) -> Payment | None:
    """The payment that the gateway knows by this reference, with its workspace."""
    return cast(
        "Payment | None",
        Payment.select(Payment, Workspace)
        .join(Workspace)
        .where(Payment.gateway == gateway, Payment.reference == reference)
        .first(),
    )


def charge_saved(payment: Payment, *, return_url: str) -> Outcome:
    """Charge the payment's saved method, its payer away or there. Reads and writes no table.

    Order, workspace and method are loaded. Raises ResultUnknown.
    """
    assert payment.method is not None, "a saved method is charged"
    source = SavedMethod(payment.method.reference)
    is_away = payment.tried_on is not None
    return _charge(payment, source, save=False, return_url=return_url, off_session=is_away)


def _ask(
    gateway: Gateway, payment: Payment, *, card: TypedMethod | None, save: bool, return_url: str
) -> Outcome:
    if payment.method is not None:
        return charge_saved(payment, return_url=return_url)
    if payment.method_kind not in gateway.capabilities().hosted:
        assert card is not None, "what has no page of its own is typed here"
        return _charge(payment, card, save=save, return_url=return_url, off_session=False)
    return gateway.open_hosted(
        HostedRequest(
            key=payment.key,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            description=_description(payment),
            metadata=_metadata(payment),
            kind=payment.method_kind,
            save=save,
            return_url=return_url,
        )
    )


def _charge(
    payment: Payment, source: TypedMethod | SavedMethod, *, save: bool, return_url: str, off_session: bool
) -> Outcome:
    gateway = current().gateways[payment.gateway]
    return gateway.charge(
        ChargeRequest(
            key=payment.key,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            description=_description(payment),
            metadata=_metadata(payment),
            source=source,
            save=save,
            return_url=return_url,
            off_session=off_session,
        )
    )


def _metadata(payment: Payment) -> dict[str, str]:
    facts = {"workspace": payment.workspace.customer_number, "order": payment.order.number}
    return {**facts, "mandate": payment.mandate_reference} if payment.mandate_reference else facts


def _description(payment: Payment) -> str:
    names = ", ".join(line.plan_names["en"] for line in payment.order.frozen_lines)
    return f"{names} ({payment.order.number})"


def look_up(payment: Payment, *, now: datetime) -> Payment:
    """Ask the gateway how a waiting payment stands, by our key; moves no money.

    That it was never made is believed only when the request can no longer be on its way.
    """
    gateway = current().gateways[payment.gateway]
    asked_at = current().clock.wall()
    try:
        outcome = gateway.fetch(payment.key)
    except ResultUnknown:
        return _record_silence(payment, now=now)
    if isinstance(outcome, NeverMade) and asked_at < payment.created_at + longest_answer():
        return _record_silence(payment, now=now)
    return record_answer(payment, outcome, now=now)


def give_up(payment: Payment, *, now: datetime) -> Payment:
    """Close a payment that waits for the payer, so that the order can be paid another way."""
    gateway = current().gateways[payment.gateway]
    try:
        outcome = gateway.cancel(payment.key)
    except ResultUnknown:
        return _record_silence(payment, now=now)
    return record_answer(payment, outcome, now=now)


def record_answer(payment: Payment, outcome: Outcome, *, tell: bool = False, now: datetime) -> Payment:
    """Write down what the gateway said, with everything that follows from it, in one transaction.

    `tell`: the payer was told to wait, and learns by a letter of a decline or that they have to confirm.

    Does nothing when the payment no longer waits: two roads to one answer have one effect.
    Raises AmountMismatch, after writing it down: the payment is unknown then, and not paid.
    """
    with transaction(lock=payment.workspace):
        [payment] = _read_again([payment])
        _write_answer(payment, outcome, tell=tell, now=now)
    if _is_mismatch(payment, outcome):
        raise AmountMismatch(f"payment {payment.key}: asked for {payment.amount}, got {outcome}")
    return payment


def record_answers(answers: Sequence[tuple[Payment, Outcome | None]], *, now: datetime) -> int:
    """Write down many answers in one commit; None is silence. Returns how many payments are settled.

    One that cannot be written must not keep the others waiting: then each is written on its own.
    """
    try:
        with transaction():
            _lock_workspaces(payment.workspace_id for payment, _outcome in answers)
            written = _read_again([payment for payment, _outcome in answers])
            for payment, (_asked, outcome) in zip(written, answers, strict=True):
                _write_answer(payment, outcome, now=now)
    except Exception:
        # The boundary: money has moved, and what can be written down is.
        if len(answers) == 1:
            log.exception("payment %s: the answer cannot be written", answers[0][0].key)
            return 0
        return sum(record_answers([answer], now=now) for answer in answers)
    return sum(not payment.is_open for payment in written)


def _lock_workspaces(ids: Iterable[int]) -> None:
    """In the order of their ids, so that two processes never wait for each other. PostgreSQL only."""
    if is_postgresql():
        wanted = sorted(set(ids))
        list(
            Workspace.select(Workspace.id)
            .where(rows.one_of(Workspace.id, wanted))
            .order_by(Workspace.id)
            .for_update()
        )


_payments_with_orders = Prepared(
    lambda: (
        Payment.select(Payment, Order, Workspace, PaymentMethod)
        .join_from(Payment, Order)
        .join_from(Payment, Workspace)
        .join_from(Payment, PaymentMethod, JOIN.LEFT_OUTER)
        .where(Payment.id << Parameters("payments"))
    )
)


def _read_again(asked: Sequence[Payment]) -> list[Payment]:
    """The same payments now that the locks are held, each with its order's lines and their subscriptions."""
    found = _payments_with_orders.rows(payments=[payment.id for payment in asked])
    by_id: dict[int, Payment] = {payment.id: payment for payment in found}
    orders.read_lines(payment.order for payment in by_id.values())
    for payment in by_id.values():
        payment.order.workspace = payment.workspace
    agreement.read_subscriptions(line for payment in by_id.values() for line in payment.order.lines)
    return [by_id[payment.id] for payment in asked]


def _write_answer(
    payment: Payment,
    outcome: Outcome | None,
    *,
    tell: bool = False,
    now: datetime,
) -> None:
    """What record_answer does, inside its transaction, with the payment as it is there."""
    require_transaction()
    wall = current().clock.wall()
    # The page said that we would write; whoever is still at the page sees the answer there.
    letter_is_due = tell or payment.state in (PaymentState.UNKNOWN, PaymentState.PENDING)
    match outcome:
        case None:
            _move(payment, PaymentState.UNKNOWN, wall=wall)
            _look_up_later(payment, wall=wall)
        case Succeeded() if _is_mismatch(payment, outcome):
            _report(payment, "payment.mismatch", outcome, now=now)
            _move(payment, PaymentState.UNKNOWN, wall=wall)
            _look_up_later(payment, wall=wall)
        case Succeeded():
            told = {"reference": outcome.reference, **_method_facts(outcome.method)}
            if _move(payment, PaymentState.SUCCEEDED, told, wall=wall):
                outcomes.settle_paid(payment, outcome.method, now=now)
            elif payment.state == PaymentState.DECLINED:
                _report(payment, "payment.succeeded_after_decline", outcome, now=now)
        case Declined(code=code, soft=soft, method=method):
            told = {"decline_code": code.value, "may_work_later": soft, **_method_facts(method)}
            if _move(payment, PaymentState.DECLINED, told, wall=wall):
                outcomes.settle_declined(payment, tell=letter_is_due, now=now)
        case NeverMade():
            told = {"decline_code": DeclineCode.NEVER_MADE, "may_work_later": True}
            if _move(payment, PaymentState.DECLINED, told, wall=wall):
                outcomes.settle_declined(payment, tell=letter_is_due, now=now)
        case ActionRequired(url=url, reference=reference):
            told = {"action_url": url, "reference": reference}
            moved = _move(payment, PaymentState.ACTION_REQUIRED, told, wall=wall)
            if moved and payment.tried_on is not None:
                renewal_outcomes.ask_to_confirm(payment)
            elif moved and letter_is_due:
                outcomes.ask_to_confirm(payment)
            _look_up_later(payment, wall=wall)
        case Pending(reference=reference):
            _move(payment, PaymentState.PENDING, {"reference": reference}, wall=wall)
            _look_up_later(payment, wall=wall)


def _is_mismatch(payment: Payment, outcome: Outcome | None) -> bool:
    if not isinstance(outcome, Succeeded):
        return False
    return (outcome.amount_minor, outcome.currency) != (payment.amount_minor, payment.currency)


def look_up_due(*, limit: int, now: datetime) -> ReconcileReport:
    """Ask about the waiting payments whose next look-up has come, a bounded number of them."""
    return _settle_each(_due.rows(wall=current().clock.wall(), limit=limit), look_up, now=now)


_due = Prepared(
    lambda: (
        _waiting()
        .where(Payment.look_up_at <= Parameter("wall"))
        .order_by(Payment.look_up_at, Payment.id)
        .limit(Parameter("limit"))
    )
)


def give_up_abandoned(*, limit: int, now: datetime) -> int:
    """Close payments that have waited for their payer for a day, so that the order can be paid; how many.

    A renewal that still may be confirmed waits by the calendar (renewals/one_subscription.py).
    """
    wall = current().clock.wall()
    abandoned = _abandoned.rows(
        begun_before=wall - ABANDONED_AFTER, latest_look_up=wall + LOOK_UP_AFTER[-1], limit=limit
    )
    return _settle_each(abandoned, give_up, now=now).settled


def _abandoned_query() -> "ModelSelect[Payment]":
    waits_by_the_calendar = Subscription.auto_renewal & (Subscription.due_on == OrderLine.renews_on)
    return (
        _waiting()
        # A renewal has one line; what was ordered by hand may have several, and is given up once.
        .join_from(
            Payment,
            OrderLine,
            JOIN.LEFT_OUTER,
            on=((OrderLine.order == Payment.order) & OrderLine.renews_on.is_null(False)),
        )
        .join_from(OrderLine, Subscription, JOIN.LEFT_OUTER)
        .where(
            Payment.tried_on.is_null() | ~waits_by_the_calendar,
            Payment.state == PaymentState.ACTION_REQUIRED,
            Payment.created_at < Parameter("begun_before"),
            # True of each that waits: by its index, those that were settled are passed by.
            Payment.look_up_at <= Parameter("latest_look_up"),
        )
        .order_by(Payment.id)
        .limit(Parameter("limit"))
    )


_abandoned = Prepared(_abandoned_query)


def reconcile(*, now: datetime) -> ReconcileReport:
    """Ask about every payment whose result is open, but those that are being asked for at this moment."""
    asked_before = current().clock.wall() - longest_on_its_way()
    settled_enough = (Payment.state != PaymentState.CREATED) | (Payment.created_at < asked_before)
    return _settle_each(_waiting().where(settled_enough), look_up, now=now)


def _settle_each(
    waiting: Iterable[Payment], act: Callable[..., Payment], *, now: datetime
) -> ReconcileReport:
    return settle_each(
        waiting,
        partial(act, now=now),
        record_silence=partial(_record_silence, now=now),
        still_open=OPEN_PAYMENT_STATES,
    )


def _waiting() -> "ModelSelect[Payment]":
    return Payment.select(Payment, Workspace).join(Workspace).where(Payment.state << OPEN_PAYMENT_STATES)


def gateway_for(kind: PaymentMethodKind) -> Gateway:
    """The first configured gateway that offers this kind of method."""
    for gateway in current().gateways.values():
        if kind in gateway.capabilities().kinds:
            return gateway
    raise LookupError(f"no gateway offers {kind}")


def debit_days() -> int:
    """About how many business days a direct debit takes to be paid."""
    return gateway_for(PaymentMethodKind.SEPA_DEBIT).capabilities().debit_days


def _move(
    payment: Payment, state: PaymentState, told: Mapping[str, object] = NOTHING_TOLD, *, wall: datetime
) -> bool:
    """Change the state where the table of transitions allows it and the row is as we read it.

    `told` are the columns that the gateway's answer fills.
    """
    before = payment.state
    if not may_become(before, state):
        return False
    payment.state = state
    if state in (PaymentState.SUCCEEDED, PaymentState.DECLINED):
        payment.settled_at, payment.look_up_at = wall, None
    for column, value in told.items():
        setattr(payment, column, value)
    return rows.save(payment, only_if=(Payment.state, before))


def _record_silence(payment: Payment, *, now: datetime) -> Payment:
    """The gateway did not say: wait as `unknown`, and look the payment up later and later, never for ever."""
    with transaction(lock=payment.workspace):
        [payment] = _read_again([payment])
        _write_answer(payment, None, now=now)
    return payment


def _look_up_later(payment: Payment, *, wall: datetime) -> None:
    """The next look-up of a waiting payment, later and later, once a day in the end and never forgotten."""
    if not payment.is_open:
        return
    payment.look_up_at = wall + next_look(LOOK_UP_AFTER, payment.look_ups)
    payment.look_ups += 1
    rows.save(payment)


def _report(payment: Payment, action: str, outcome: Succeeded, *, now: datetime) -> None:
    """Money that our books cannot take: said once in the audit log, and in the process's log each time."""
    log.error("%s: payment %s, %d %s", action, payment.key, outcome.amount_minor, outcome.currency)
    write_postponed()
    said = AuditEntry.select().where(
        AuditEntry.workspace == payment.workspace,
        AuditEntry.action == action,
        AuditEntry.subject == payment.key,
    )
    if not said.exists():
        audit.record(
            action,
            workspace=payment.workspace,
            subject=payment.key,
            changes={
                "asked_minor": payment.amount_minor,
                "got_minor": outcome.amount_minor,
                "currency": outcome.currency,
                "reference": outcome.reference,
            },
            now=now,
        )


def _method_facts(method: MethodFacts | None) -> dict[str, object]:
    """The columns of a payment that say how it was made; a name that the gateway does not tell is kept."""
    if method is None:
        return {}
    payer = cut_to_column(method.holder)
    return {
        "brand": method.brand or "",
        "last4": method.last4 or "",
        **({"payer_name": payer} if payer else {}),
    }
