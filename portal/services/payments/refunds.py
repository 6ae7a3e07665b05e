"""Sending the last payment back, in three steps: record the intent, ask the gateway, record the answer.

A gateway that does not say leaves the refund `unknown`; it is asked again under the same key, which sends
money back once, however often it is asked. What follows from the answer is written with it, in one
transaction: the order, the credit note, the subscription as it was before, the letters.
"""

import logging
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import cast

from peewee import ModelSelect

from portal import outbox
from portal.database.connecting import transaction
from portal.domain.errors import PortalError
from portal.domain.lifecycle import OPEN_REFUND_STATES
from portal.domain.vocabulary import OrderState, RefundState
from portal.gateways.base import (
    Refunded,
    RefundOutcome,
    RefundRefusal,
    RefundRefused,
    RefundRequest,
    ResultUnknown,
)
from portal.models import Order, OrderLine, Payment, Refund, Workspace
from portal.runtime import current
from portal.services import audit, ledger, letters
from portal.services.invoices import issuing
from portal.services.places import Place
from portal.services.subscriptions import agreement, restoring

from . import asking
from .refund_quotes import preview
from .waiting import ReconcileReport, next_look, settle_each

ASK_AGAIN_AFTER = (timedelta(minutes=1), timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))

log = logging.getLogger(__name__)


class RefundChanged(PortalError):
    """What the person confirmed is no longer what a refund would do: `shown` and `current` hashes."""

    shown: str
    current: str


def live_refund(payment: Payment) -> Refund | None:
    """The refund of the payment that succeeded or may still."""
    return Refund.get_or_none(Refund.payment == payment, Refund.state != RefundState.REFUSED)


def newest_refund(payment: Payment) -> Refund | None:
    """Refused ones too."""
    return Refund.select().where(Refund.payment == payment).order_by(Refund.id.desc()).first()


# --- asking ---------------------------------------------------------------------------------------


def ask_refund(place: Place, payment: Payment, *, shown_hash: str, now: datetime) -> Refund:
    """Record the intent, then ask the gateway, once. One that was asked for already is returned as it stands.

    Raises GatewayBusy; RefundImpossible; RefundChanged when it would no longer do what was shown. Nothing is
    recorded or asked then.
    """
    asking.refuse_when_busy()
    workspace, wall = place.workspace, current().clock.wall()
    with transaction(lock=workspace):
        asked = live_refund(payment)
        if asked is not None:
            return asked
        planned = preview(payment, now=now)
        if planned.hash != shown_hash:
            raise RefundChanged(shown=shown_hash, current=planned.hash)
        refund = Refund.create(
            key=uuid.uuid4().hex,
            workspace=workspace,
            payment=payment,
            person=place.member.person_id,
            amount_minor=payment.amount_minor,
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
            },
            now=now,
        )
    return asking.in_time(
        lambda request: _ask(refund, is_awaited=request.is_awaited, now=now),
        otherwise=lambda: Refund.get_by_id(refund.id),
    )


def look_up_due_refunds(*, limit: int, now: datetime) -> ReconcileReport:
    """Ask again for the refunds whose time has come, a bounded number of them, each under its own key."""
    wall = current().clock.wall()
    due = _waiting().where(Refund.ask_again_at <= wall).order_by(Refund.ask_again_at, Refund.id)
    return _ask_each(due.limit(limit), now=now)


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
    """The order is as if it had never been paid, but for its two documents."""
    payment, order, workspace = refund.payment, refund.payment.order, refund.workspace
    subscription = agreement.of_workspace(workspace)
    ended_auto_renewal = subscription.auto_renewal
    restored = restoring.without(order, subscription=subscription, today=workspace.day(now))
    order.state = OrderState.REFUNDED
    order.save(only=[Order.state])
    OrderLine.update(refunded_at=now).where(OrderLine.order == order).execute()
    restoring.restore(subscription, order, restored, now=now)
    credit_note = issuing.issue_credit_note(order, now=now)
    ledger.record_refund(refund, credit_note=credit_note, now=now)
    due_on = subscription.due_on.isoformat() if subscription.due_on else None
    audit.record(
        "refund.succeeded",
        workspace=workspace,
        subject=refund.key,
        changes={
            "order": order.number,
            "amount_minor": refund.amount_minor,
            "currency": refund.currency,
            "credit_note": credit_note.number,
            "plan": subscription.plan.code,
            "due_on": due_on,
        },
        now=now,
    )
    outbox.publish(
        "prepare_documents",
        key=credit_note.number,
        payload={"invoice_id": credit_note.id},
        now=current().clock.wall(),
    )
    letters.send(
        "refunded",
        to=[order.person, *letters.billing_people(workspace)],
        workspace=workspace,
        key=f"refunded-{refund.key}",
        context={
            "total_minor": refund.amount_minor,
            "currency": refund.currency,
            "method": letters.paid_with(payment),
            "credit_note": credit_note.number,
            "plan_names": cast("dict[str, outbox.JSON]", dict(subscription.plan.names)),
            "due_on": due_on,
            "ended_auto_renewal": ended_auto_renewal,
        },
        attachments=[credit_note],
    )


def _tell_refused(refund: Refund, code: RefundRefusal) -> None:
    letters.send(
        "refund_refused",
        to=[refund.person, *letters.billing_people(refund.workspace)],
        workspace=refund.workspace,
        key=f"refund-refused-{refund.key}",
        context={
            "total_minor": refund.amount_minor,
            "currency": refund.currency,
            "method": letters.paid_with(refund.payment),
            "reason": code.value,
        },
    )
