"""Whether money of a workspace is on its way: then nothing else of it is charged, paid back or deleted."""

from typing import Any

from peewee import ModelSelect

from portal.database.connecting import require_transaction
from portal.database.prepared import Parameter
from portal.domain.errors import OrderAlreadyPlaced, PortalError
from portal.domain.lifecycle import OPEN_PAYMENT_STATES, OPEN_REFUND_STATES
from portal.models import Order, OrderLine, Payment, Plan, Refund, Workspace


class MoneyOnItsWay(PortalError):
    """The result of a payment or a refund is open: nobody can say yet what the workspace has paid."""


def open_payment(workspace: Workspace) -> Payment | None:
    """The payment whose result is open, with its order. One query."""
    return _open_payments(workspace, Payment, Order).join(Order).first()


def plan_being_paid(workspace: Workspace) -> Plan | None:
    """The plan that an open payment is for: it may be the workspace's at any moment. One query."""
    return Plan.get_or_none(Plan.id == id_of_plan_being_paid(workspace))


def id_of_plan_being_paid(workspace: Workspace | Parameter) -> "ModelSelect[Payment]":
    """For a part of another query."""
    of_the_order = OrderLine.order == Payment.order
    return _open_payments(workspace, OrderLine.plan).join(OrderLine, on=of_the_order).limit(1)


def state_of_open_payment(workspace: Workspace | Parameter) -> "ModelSelect[Payment]":
    """For a part of another query."""
    return _open_payments(workspace, Payment.state).limit(1)


def state_of_open_refund(workspace: Workspace | Parameter) -> "ModelSelect[Refund]":
    """For a part of another query."""
    return (
        Refund.select(Refund.state)
        .where(Refund.workspace == workspace, Refund.state << OPEN_REFUND_STATES)
        .limit(1)
    )


def _open_payments(workspace: Workspace | Parameter, *selected: Any) -> "ModelSelect[Payment]":
    """At most one. By the index of those that are looked up: what was settled is passed by."""
    return Payment.select(*selected).where(
        Payment.workspace == workspace,
        Payment.look_up_at.is_null(False),
        Payment.state << OPEN_PAYMENT_STATES,
    )


def open_refund(workspace: Workspace) -> Refund | None:
    """The refund whose result is open, with its payment. One query."""
    return (
        Refund.select(Refund, Payment)
        .join(Payment)
        .where(Refund.workspace == workspace, Refund.state << OPEN_REFUND_STATES)
        .first()
    )


def refuse_beside_open_money(workspace: Workspace) -> None:
    """Before something is charged, chosen or scheduled. Inside the workspace's lock.

    Raises OrderAlreadyPlaced with the order that is being paid, or paid back.
    """
    require_transaction()
    payment = open_payment(workspace)
    if payment is None:
        refund = open_refund(workspace)
        payment = refund.payment if refund is not None else None
    if payment is not None:
        raise OrderAlreadyPlaced(order=payment.order.number)


def refuse_while_money_moves(workspace: Workspace) -> None:
    """Inside the workspace's lock. Raises MoneyOnItsWay."""
    require_transaction()
    if open_payment(workspace) is not None or open_refund(workspace) is not None:
        raise MoneyOnItsWay()
