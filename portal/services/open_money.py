"""Whether money is on its way: what it is for is not charged, chosen or paid back beside it.

It is for the products that its order has lines of, whether the workspace subscribes to them already or is
about to. A debit that waits for days holds up no other product.
"""

from collections.abc import Iterable
from typing import Any, cast

from peewee import ModelSelect, fn

from portal.database.connecting import require_transaction
from portal.database.prepared import Parameter, Parameters, Prepared
from portal.domain.errors import OrderAlreadyPlaced, PortalError
from portal.domain.lifecycle import OPEN_PAYMENT_STATES, OPEN_REFUND_STATES
from portal.domain.vocabulary import ProductKind
from portal.models import Order, OrderLine, Payment, Plan, Product, Refund, Subscription, Workspace


class MoneyOnItsWay(PortalError):
    """The result of a payment or a refund is open: nobody can say yet what the workspace has paid."""


def open_payment(workspace: Workspace, products: Iterable[Product | int]) -> Payment | None:
    """The payment for one of these products whose result is open, with its order. One query."""
    return cast("Payment | None", _payment_for.first(workspace=workspace.id, products=_ids(products)))


def any_open_payment(workspace: Workspace) -> Payment | None:
    """A payment whose result is open, whatever it is for, with its order. One query."""
    return _open_payments(workspace, Payment, Order).join_from(Payment, Order).first()


def open_payment_of(order: Order) -> Payment | None:
    """The payment of the order whose result is open. One query."""
    return Payment.get_or_none(Payment.order == order, Payment.state << OPEN_PAYMENT_STATES)


def plan_being_paid(workspace: Workspace) -> Plan | None:
    """The workspace plan that an open payment is for: it may be the own one at any moment. One query."""
    return Plan.get_or_none(Plan.id == id_of_plan_being_paid(workspace))


def id_of_plan_being_paid(workspace: Workspace | Parameter) -> "ModelSelect[Payment]":
    """For a part of another query."""
    return (
        _open_payments(workspace, OrderLine.plan)
        .join_from(Payment, OrderLine, on=(OrderLine.order == Payment.order))
        .join_from(OrderLine, Plan)
        .join_from(Plan, Product)
        .where(Product.kind == ProductKind.WORKSPACE_PLAN)
        .limit(1)
    )


def number_of_order_being_paid(workspace: Workspace | Parameter) -> "ModelSelect[Payment]":
    """Of the open payment for the product of the query that this is a part of, had already or not."""
    plan = Plan.alias()
    return (
        _open_payments(workspace, Order.number)
        .join_from(Payment, Order)
        .join_from(Payment, OrderLine, on=(OrderLine.order == Payment.order))
        .join_from(OrderLine, plan, on=(OrderLine.plan == plan.id))
        .where(plan.product == Product.id)
        .limit(1)
    )


def licences_being_paid(workspace: Workspace, product: Product | int) -> int | None:
    """How many of the product an open payment is for: so many there may be at any moment. One query."""
    ordered = (
        _open_payments(workspace, fn.MIN(OrderLine.quantity))
        .join_from(Payment, OrderLine, on=(OrderLine.order == Payment.order))
        .join_from(OrderLine, Plan)
        .where(Plan.product == product)
        .scalar()
    )
    return None if ordered is None else int(ordered)


def state_of_open_payment(workspace: Workspace | Parameter) -> "ModelSelect[Payment]":
    """Of the payment for the subscription of the query that this is a part of."""
    return (
        _open_payments(workspace, Payment.state)
        .join_from(Payment, OrderLine, on=(OrderLine.order == Payment.order))
        .where(OrderLine.subscription == Subscription.id)
        .limit(1)
    )


def state_of_open_refund(workspace: Workspace | Parameter) -> "ModelSelect[Refund]":
    """Of the refund of a payment for the subscription of the query that this is a part of."""
    return (
        _open_refunds_of_lines(workspace, OrderLine, Refund.state)
        .where(OrderLine.subscription == Subscription.id)
        .limit(1)
    )


def _open_payments(workspace: Workspace | Parameter, *selected: Any) -> "ModelSelect[Payment]":
    """By the index of those that are looked up: what was settled is passed by."""
    return Payment.select(*selected).where(
        Payment.workspace == workspace,
        Payment.look_up_at.is_null(False),
        Payment.state << OPEN_PAYMENT_STATES,
    )


def _open_refunds(workspace: Workspace | Parameter, *selected: Any) -> "ModelSelect[Refund]":
    return Refund.select(*selected).where(Refund.workspace == workspace, Refund.state << OPEN_REFUND_STATES)


def _open_refunds_of_lines(
    workspace: Workspace | Parameter, line: Any, *selected: Any
) -> "ModelSelect[Refund]":
    """A row for each line that goes back; `line` is OrderLine or an alias of it."""
    goes_back = (line.order == Payment.order) & Refund.undoes(line)
    return (
        _open_refunds(workspace, *selected)
        .join_from(Refund, Payment)
        .join_from(Payment, line, on=goes_back, attr="line")
    )


def open_refund(workspace: Workspace, products: Iterable[Product | int]) -> Refund | None:
    """The refund of what was paid for one of these products whose result is open. One query."""
    return cast("Refund | None", _refund_for.first(workspace=workspace.id, products=_ids(products)))


def orders_in_the_way(workspace: Workspace) -> dict[int, str]:
    """Ids of the products that money is on its way for, each with the number of its order. One query."""
    return dict(_products_and_orders.rows(workspace=workspace.id))


def _ids(products: Iterable[Product | int]) -> list[int]:
    return [each.id if isinstance(each, Product) else each for each in products]


_payment_for = Prepared(
    lambda: (
        _open_payments(Parameter("workspace"), Payment, Order)
        .join_from(Payment, Order)
        .where(
            Payment.order
            << OrderLine.select(OrderLine.order).join(Plan).where(Plan.product << Parameters("products"))
        )
        .limit(1)
    )
)
_refund_for = Prepared(
    lambda: (
        _open_refunds_of_lines(Parameter("workspace"), OrderLine, Refund, Payment, Order)
        .join_from(Payment, Order)
        .join_from(OrderLine, Plan)
        .where(Plan.product << Parameters("products"))
        .limit(1)
    )
)


def _products_and_orders_query() -> "ModelSelect[Plan]":
    goes_back = OrderLine.alias()
    return (
        Plan.select(Plan.product, Order.number)
        .join_from(Plan, OrderLine, on=(OrderLine.plan == Plan.id))
        .join_from(OrderLine, Order)
        .where(
            (Order.id << _open_payments(Parameter("workspace"), Payment.order))
            | (OrderLine.id << _open_refunds_of_lines(Parameter("workspace"), goes_back, goes_back.id))
        )
        .tuples()
    )


_products_and_orders = Prepared(_products_and_orders_query)


def refuse_beside_open_money(workspace: Workspace, products: Iterable[Product | int]) -> None:
    """Before something of these products is charged, chosen or scheduled. Inside the workspace's lock.

    Raises OrderAlreadyPlaced with the order that is being paid, or paid back.
    """
    require_transaction()
    products = list(products)
    payment = open_payment(workspace, products)
    if payment is None:
        refund = open_refund(workspace, products)
        payment = refund.payment if refund is not None else None
    if payment is not None:
        raise OrderAlreadyPlaced(order=payment.order.number)


def refuse_while_money_moves(workspace: Workspace) -> None:
    """Whatever it is for. Inside the workspace's lock. Raises MoneyOnItsWay."""
    require_transaction()
    if any_open_payment(workspace) is not None or _open_refunds(workspace).exists():
        raise MoneyOnItsWay()
