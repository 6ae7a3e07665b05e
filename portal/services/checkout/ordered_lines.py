"""Which lines of the cart an order takes along: out of sight while its payment is open, gone once it is paid.

Nothing puts them back: the line of an order that is open again, because its payment was declined, is in
the cart.
"""

from portal.database.connecting import require_transaction
from portal.models import CartLine, Order, Plan


def take_along(order: Order) -> None:
    """Every line of the products that the order is for, whatever it says by now: they are being bought."""
    require_transaction()
    products = Plan.select(Plan.product).where(Plan.id << [line.plan_id for line in order.lines])
    CartLine.update(order=order).where(
        CartLine.workspace == order.workspace, CartLine.product << products
    ).execute()


def forget(order: Order) -> None:
    """What the order took along is the workspace's now."""
    require_transaction()
    CartLine.delete().where(CartLine.order == order).execute()
