"""Payments that their payers had taken back by their banks: read from the gateways, once, and told.

The money is the gateway's and the bank's matter. Here a dispute stops automatic charges to the method that
paid, and everybody who must know is told.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import cast

from portal.database import rows
from portal.database.connecting import require_transaction, transaction
from portal.gateways.base import EventKind, Gateway, GatewayEvent, MethodFacts, ResultUnknown, Succeeded
from portal.models import Dispute, GatewayCursor, Order, Payment, PaymentMethod, Workspace
from portal.outbox import JSON
from portal.runtime import current
from portal.services import audit, letters
from portal.services.subscriptions import agreement

EVENTS_AT_ONCE = 100
MOST_PAGES = 100

log = logging.getLogger(__name__)


def read_events(*, now: datetime) -> int:
    """Read what the gateways tell since the last time, a bounded number of it; how many disputes are new.

    Safe to repeat and to run twice at once. A gateway that does not answer is asked again by the next run.
    """
    return sum(_read_events_of(gateway, now=now) for gateway in current().gateways.values())


def _read_events_of(gateway: Gateway, *, now: datetime) -> int:
    found = 0
    for _page in range(MOST_PAGES):
        cursor = GatewayCursor.get_or_none(GatewayCursor.name == gateway.name)
        since = cursor.event_id if cursor is not None else None
        try:
            events = gateway.events_since(since, limit=EVENTS_AT_ONCE)
            found += sum(_deal_with(gateway, event, now=now) for event in events)
        except ResultUnknown as silence:
            log.warning("the events of %s cannot be read now: %s", gateway.name, silence)
            return found
        if events:
            _remember(gateway, events[-1].id)
        if len(events) < EVENTS_AT_ONCE:
            return found
    return found


def _remember(gateway: Gateway, event_id: str) -> None:
    with transaction():
        GatewayCursor.insert(name=gateway.name, event_id=event_id).on_conflict(
            conflict_target=[GatewayCursor.name], update={GatewayCursor.event_id: event_id}
        ).execute()


def _deal_with(gateway: Gateway, event: GatewayEvent, *, now: datetime) -> bool:
    """Whether it told a dispute that was not known. Nothing in it is believed: the charge is fetched."""
    if event.kind is not EventKind.CHARGE_DISPUTED or event.key is None:
        return False
    payment = (
        Payment.select(Payment, Workspace)
        .join(Workspace)
        .where(Payment.gateway == gateway.name, Payment.key == event.key)
        .first()
    )
    if payment is None:
        log.error("%s: a dispute of a charge that is not ours, event %s", gateway.name, event.id)
        return False
    if Dispute.select().where(Dispute.payment == payment).exists():
        return False
    outcome = gateway.fetch(event.key)
    if not isinstance(outcome, Succeeded) or not outcome.disputed:
        log.error("%s: event %s tells a dispute, the charge none", gateway.name, event.id)
        return False
    return record(payment, event, outcome.method, now=now)


def record(payment: Payment, event: GatewayEvent, method: MethodFacts | None, *, now: datetime) -> bool:
    """Write the dispute down with what follows from it, in one transaction. False where it was known.

    Locks the workspace: a charge that is being recorded comes before or after.
    """
    with transaction(lock=payment.workspace):
        payment = (
            Payment.select(Payment, Order, Workspace)
            .join_from(Payment, Order)
            .join_from(Payment, Workspace)
            .where(Payment.id == payment.id)
            .get()
        )
        if Dispute.select().where(Dispute.payment == payment).exists():
            return False
        Dispute.create(
            workspace=payment.workspace,
            payment=payment,
            event_id=event.id,
            payload=event.payload.decode("utf-8", "replace").replace("\x00", ""),
            opened_at=event.occurred_at,
            created_at=now,
        )
        stopped = _stop(payment, method, now=now)
        audit.record(
            "payment.disputed",
            workspace=payment.workspace,
            subject=payment.key,
            changes={
                "order": payment.order.number,
                "amount_minor": payment.amount_minor,
                "currency": payment.currency,
                "methods_stopped": len(stopped),
            },
            now=now,
        )
        _tell(payment, is_stopped=bool(stopped))
    return True


def _stop(payment: Payment, facts: MethodFacts | None, *, now: datetime) -> list[PaymentMethod]:
    """Stop the saved method that paid, and those that are the same card or account."""
    require_transaction()
    saved = cast(
        "Iterable[PaymentMethod]",
        PaymentMethod.select().where(
            PaymentMethod.workspace == payment.workspace_id,
            PaymentMethod.removed_at.is_null(),
            PaymentMethod.stopped_at.is_null(),
        ),
    )
    stopped = [method for method in saved if _is_what_paid(method, payment, facts)]
    PaymentMethod.update(stopped_at=now).where(PaymentMethod.id << [each.id for each in stopped]).execute()
    if stopped:
        for subscription in agreement.all_of(payment.workspace):
            agreement.look_soon(subscription, now=now)
            rows.save(subscription)
    return stopped


def _is_what_paid(method: PaymentMethod, payment: Payment, facts: MethodFacts | None) -> bool:
    if method.id == payment.method_id:
        return True
    if facts is None or method.gateway != payment.gateway:
        return False
    if method.reference == facts.reference:
        return True
    looks = (facts.kind, facts.brand or "", facts.last4 or "", facts.exp_month, facts.exp_year)
    mine = (method.kind, method.brand, method.last4, method.exp_month, method.exp_year)
    # Who has been forgotten is not named there any more: better stopped once too often.
    return looks == mine and method.holder in ("", facts.holder)


def of_workspace(workspace: Workspace) -> list[Dispute]:
    """The newest first, with their payments. One query."""
    return list(
        Dispute.select(Dispute, Payment)
        .join(Payment)
        .where(Dispute.workspace == workspace)
        .order_by(Dispute.id.desc())
    )


def of_payment(payment: Payment) -> Dispute | None:
    return Dispute.get_or_none(Dispute.payment == payment)


def _tell(payment: Payment, *, is_stopped: bool) -> None:
    """Those who pay, and the vendor's staff, who hear of a workspace that is deleted too."""
    workspace = payment.workspace
    amount: dict[str, JSON] = {"total_minor": payment.amount_minor, "currency": payment.currency}
    if workspace.deleted_at is None:
        letters.send(
            "payment_disputed",
            to=letters.billing_people(workspace),
            workspace=workspace,
            key=f"payment-disputed-{payment.key}",
            context={
                **amount,
                "method": letters.paid_with(payment),
                "order": payment.order.number,
                "is_stopped": is_stopped,
            },
        )
    letters.tell_operators(
        "dispute_to_handle",
        key=f"dispute-to-handle-{payment.key}",
        context={
            **amount,
            "customer_number": workspace.customer_number,
            "slug": workspace.slug if workspace.deleted_at is None else None,
            "order": payment.order.number,
        },
    )
