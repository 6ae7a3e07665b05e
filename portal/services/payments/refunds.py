"""Sending a payment back, or what one line of it cost: record the intent, ask the gateway, record the answer.

A gateway that does not say leaves the refund `unknown`; it is asked again under the same key, which sends
money back once, however often it is asked. What follows from the answer is written with it, in one
transaction: the lines of the order, the credit note, each subscription as it was before, the letters.
"""

import logging
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial

from peewee import JOIN, Expression, ModelSelect

from portal import outbox
from portal.database.connecting import transaction
from portal.database.prepared import Parameter, Prepared
from portal.domain.errors import PortalError
from portal.domain.lifecycle import OPEN_REFUND_STATES
from portal.domain.vocabulary import OrderState, ProductKind, RefundState
from portal.gateways.base import (
    Refunded,
    RefundOutcome,
    RefundRefusal,
    RefundRefused,
    RefundRequest,
    ResultUnknown,
)
from portal.models import (
    Invoice,
    Order,
    OrderLine,
    Payment,
    Person,
    Plan,
    Product,
    Refund,
    Subscription,
    Workspace,
)
from portal.runtime import current
from portal.services import audit, ledger, letters
from portal.services.invoices import issuing
from portal.services.places import Place
from portal.services.subscriptions import agreement, restoring
from portal.services.subscriptions.restoring import Restored

from . import asking, line_refunds, on_account, refund_quotes
from .waiting import ReconcileReport, next_look, settle_each

ASK_AGAIN_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))

log = logging.getLogger(__name__)


class RefundChanged(PortalError):
    """What the person confirmed is no longer what a refund would do: `shown` and `current` hashes."""

    shown: str
    current: str


def live_refund(payment: Payment, line: OrderLine | None = None) -> Refund | None:
    """The refund of the line that succeeded or may still; of the whole payment without one."""
    return Refund.get_or_none(Refund.payment == payment, _is_of(line), Refund.state != RefundState.REFUSED)


def newest_refund_of_plan(payment: Payment) -> Refund | None:
    """Of the whole payment or of its line for the workspace plan, refused ones too; with its credit note."""
    return (
        Refund.select(Refund, Invoice)
        .join_from(Refund, Invoice, JOIN.LEFT_OUTER, on=Refund.credit_note)
        .join_from(Refund, OrderLine, JOIN.LEFT_OUTER, on=Refund.line)
        .join_from(OrderLine, Plan, JOIN.LEFT_OUTER)
        .join_from(Plan, Product, JOIN.LEFT_OUTER)
        .where(
            Refund.payment == payment,
            Refund.line.is_null() | (Product.kind == ProductKind.WORKSPACE_PLAN),
        )
        .order_by(Refund.id.desc())
        .first()
    )


def _is_of(line: OrderLine | None) -> Expression:
    return Refund.line.is_null() if line is None else (Refund.line == line)


# --- asking ---------------------------------------------------------------------------------------


def ask_refund(place: Place, payment: Payment, *, shown_hash: str, now: datetime) -> Refund:
    """Of the last payment for the workspace plan, by its own people. Asks the gateway once.

    One that was asked for already is returned as it stands. Raises GatewayBusy; RefundImpossible;
    RefundChanged when it would no longer do what was shown. Nothing is recorded or asked then.
    """
    return _ask_once(
        payment,
        None,
        by=place.member.person_id,
        look=lambda: refund_quotes.preview(payment, now=now),
        shown_hash=shown_hash,
        now=now,
    )


def ask_refund_of_line(
    payment: Payment, line: OrderLine | None, *, by: Person, shown_hash: str, now: datetime
) -> Refund:
    """Of one line of the order, or of all of it (None), by the vendor's staff. As `ask_refund`."""
    return _ask_once(
        payment,
        line,
        by=by.id,
        look=lambda: line_refunds.preview(payment, line, now=now),
        shown_hash=shown_hash,
        now=now,
    )


def _ask_once(
    payment: Payment,
    line: OrderLine | None,
    *,
    by: int,
    look: Callable[[], refund_quotes.Preview | line_refunds.LinesPreview],
    shown_hash: str,
    now: datetime,
) -> Refund:
    asking.refuse_when_busy()
    workspace, wall = payment.workspace, current().clock.wall()
    with transaction(lock=workspace):
        asked = live_refund(payment, line)
        if asked is not None:
            return asked
        planned = look()
        if planned.hash != shown_hash:
            raise RefundChanged(shown=shown_hash, current=planned.hash)
        refund = Refund.create(
            key=uuid.uuid4().hex,
            workspace=workspace,
            payment=payment,
            line=line,
            person=by,
            amount_minor=planned.amount.minor,
            currency=payment.currency,
            ask_again_at=wall + ASK_AGAIN_AFTER[0],
            created_at=wall,
        )
        audit.record(
            "refund.asked",
            workspace=workspace,
            subject=refund.key,
            changes={
                "payment": payment.key,
                "amount_minor": refund.amount_minor,
                "currency": refund.currency,
                **({"line": line.position} if line else {}),
            },
            now=now,
        )
    return asking.in_time(
        lambda request: _ask(refund, is_awaited=request.is_awaited, now=now),
        otherwise=lambda: Refund.get_by_id(refund.id),
    )


def look_up_due_refunds(*, limit: int, now: datetime) -> ReconcileReport:
    """Ask again for the refunds whose time has come, a bounded number of them, each under its own key."""
    return _ask_each(_due.rows(wall=current().clock.wall(), limit=limit), now=now)


_due = Prepared(
    lambda: (
        _waiting()
        .where(Refund.ask_again_at <= Parameter("wall"))
        .order_by(Refund.ask_again_at, Refund.id)
        .limit(Parameter("limit"))
    )
)


def reconcile(*, now: datetime) -> ReconcileReport:
    """Ask again for every refund whose result is open, whenever its turn."""
    return _ask_each(_waiting().order_by(Refund.id), now=now)


def _waiting() -> "ModelSelect[Refund]":
    return (
        Refund.select(Refund, Payment, Workspace)
        .join_from(Refund, Payment)
        .join_from(Refund, Workspace)
        .where(Refund.state << OPEN_REFUND_STATES)
    )


def _ask_each(waiting: Iterable[Refund], *, now: datetime) -> ReconcileReport:
    return settle_each(
        waiting,
        partial(_ask, now=now),
        record_silence=lambda refund: record_answer(refund, None, now=now),
        still_open=OPEN_REFUND_STATES,
    )


def _ask(refund: Refund, *, is_awaited: Callable[[], bool] = lambda: True, now: datetime) -> Refund:
    payment = refund.payment
    request = RefundRequest(key=refund.key, charge=payment.reference, amount_minor=refund.amount_minor)
    outcome: RefundOutcome | None
    try:
        outcome = current().gateways[payment.gateway].refund(request)
    except ResultUnknown:
        outcome = None
    return record_answer(refund, outcome, tell=not is_awaited(), now=now)


# --- the answer -----------------------------------------------------------------------------------


def record_answer(
    refund: Refund, outcome: RefundOutcome | None, *, tell: bool = False, now: datetime
) -> Refund:
    """Write down what the gateway said, with everything that follows; None: it did not say.

    `tell`: whoever asked was told to wait, and learns of a refusal by a letter.

    Does nothing when the refund no longer waits: two roads to one answer have one effect.
    """
    with transaction(lock=refund.workspace):
        refund = (
            Refund.select(Refund, Payment, Order, Workspace)
            .join_from(Refund, Payment)
            .join_from(Payment, Order)
            .join_from(Refund, Workspace)
            .where(Refund.id == refund.id)
            .get()
        )
        refund.payment.workspace = refund.payment.order.workspace = refund.workspace
        if not refund.is_open:
            return refund
        match outcome:
            case Refunded(reference=reference, amount_minor=refund.amount_minor):
                _settle(refund, RefundState.SUCCEEDED, reference=reference)
                _undo(refund, now=now)
            case Refunded(amount_minor=other):
                # Money that our books cannot take: nothing is undone, and a human looks.
                log.error("refund %s: asked for %d and got %d", refund.key, refund.amount_minor, other)
                _ask_later(refund)
            case RefundRefused(code=code):
                # The page said that we would write; whoever has just asked sees the answer there.
                if tell or refund.state == RefundState.UNKNOWN:
                    _tell_refused(refund, code)
                _settle(refund, RefundState.REFUSED, refusal_code=code.value)
                audit.record(
                    "refund.refused",
                    workspace=refund.workspace,
                    subject=refund.key,
                    changes={"payment": refund.payment.key, "code": code.value},
                    now=now,
                )
            case None:
                _ask_later(refund)
    return refund


def _settle(refund: Refund, state: RefundState, *, reference: str = "", refusal_code: str = "") -> None:
    refund.state, refund.reference, refund.refusal_code = state, reference, refusal_code
    refund.settled_at, refund.ask_again_at = current().clock.wall(), None
    refund.save()


def _ask_later(refund: Refund) -> None:
    """Later and later, once a day in the end and never forgotten."""
    refund.state = RefundState.UNKNOWN
    refund.ask_again_at = current().clock.wall() + next_look(ASK_AGAIN_AFTER, refund.tries)
    refund.tries += 1
    refund.save()


def _undo(refund: Refund, *, now: datetime) -> None:
    """Each line is as if it had never been paid, but for its two documents; so is the order with its last."""
    payment, order, workspace = refund.payment, refund.payment.order, refund.workspace
    lines = line_refunds.lines_undone(refund)
    if refund.line_id is None:
        credit_note = issuing.issue_credit_note(order, now=now)
    else:
        [line] = lines
        credit_note = issuing.issue_credit_note_of_line(line, sent_back=refund.amount, now=now)
    subscriptions = [line.subscription for line in lines if line.subscription is not None]
    ended_auto_renewal = any(subscription.auto_renewal for subscription in subscriptions)
    left: list[outbox.JSON] = []
    periods = restoring.periods_of(subscriptions)
    for line, subscription in zip(lines, subscriptions, strict=True):
        restored = restoring.without(
            line, subscription=subscription, periods=periods[subscription.id], today=workspace.day(now)
        )
        line.refunded_at = now
        line.save(only=[OrderLine.refunded_at])
        restoring.restore(subscription, line, restored, now=now)
        left.append(_what_is_left(line, subscription, restored))
    if all(line.refunded_at is not None for line in order.lines):
        order.state = OrderState.REFUNDED
        order.save(only=[Order.state])
    refund.credit_note = credit_note
    refund.save(only=[Refund.credit_note])
    ledger.record_refund(refund, credit_note=credit_note, now=now)
    audit.record(
        "refund.succeeded",
        workspace=workspace,
        subject=refund.key,
        changes={
            "order": order.number,
            "amount_minor": refund.amount_minor,
            "currency": refund.currency,
            "credit_note": credit_note.number,
            "lines": ", ".join(line.plan.code for line in lines),
            "plan": ", ".join(each.plan.code for each in subscriptions),
            "due_on": ", ".join(each.due_on.isoformat() for each in subscriptions if each.due_on) or None,
        },
        now=now,
    )
    is_of_plan = not any(agreement.is_licensed(each) for each in subscriptions)
    letters.send(
        "refunded" if is_of_plan else "products_refunded",
        to=[order.person, *letters.billing_people(workspace)],
        workspace=workspace,
        key=f"refunded-{refund.key}",
        context={
            "plan_names": dict(subscriptions[0].plan.names),
            "due_on": subscriptions[0].due_on.isoformat() if subscriptions[0].due_on else None,
            "total_minor": refund.amount_minor,
            "currency": refund.currency,
            "method": letters.paid_with(payment),
            "credit_note": credit_note.number,
            "ended_auto_renewal": ended_auto_renewal,
            "kept_minor": credit_note.total_minor - refund.amount_minor,
            "left": left,
        },
        attachments=[credit_note],
    )
    if credit_note.total_minor != refund.amount_minor:
        on_account.pay_from_balance(workspace, refund.currency, now=now)


def _what_is_left(line: OrderLine, subscription: Subscription, restored: Restored) -> dict[str, outbox.JSON]:
    """What a letter says of a subscription whose `line` was undone, once it is as it was before."""
    return {
        "sold_names": dict(line.frozen.plan_names),
        "has_ended": restored.has_ended,
        "plan_names": dict(subscription.plan.names),
        "licences": agreement.licences_of(subscription),
        "due_on": subscription.due_on.isoformat() if subscription.due_on else None,
    }


def _tell_refused(refund: Refund, code: RefundRefusal) -> None:
    """Those on whose side it was asked for: who pays for the workspace, or the vendor's staff."""
    workspace, payers = refund.workspace, letters.billing_people(refund.workspace)
    facts: dict[str, outbox.JSON] = {
        "total_minor": refund.amount_minor,
        "currency": refund.currency,
        "method": letters.paid_with(refund.payment),
        "reason": code.value,
    }
    if not refund.person.is_operator or refund.person in payers:
        letters.send(
            "refund_refused",
            to=[refund.person, *payers],
            workspace=workspace,
            key=f"refund-refused-{refund.key}",
            context=facts,
        )
        return
    order = refund.payment.order
    invoice = Invoice.of_order(order)
    letters.tell_operators(
        "refund_to_handle",
        key=f"refund-to-handle-{refund.key}",
        context={
            **facts,
            "by": refund.person.name,
            "workspace": workspace.name,
            "slug": workspace.slug,
            "customer_number": workspace.customer_number,
            "order": order.number,
            "invoice": invoice.number,
            "payment": refund.payment.key,
        },
    )
