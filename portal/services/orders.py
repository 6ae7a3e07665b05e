"""An order: its number, its quote, the lines that repeat it, and what it takes out of the cart."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import date

from portal.database import rows
from portal.database.connecting import require_transaction
from portal.database.prepared import Parameters, Prepared
from portal.domain.frozen_quote import begun_on
from portal.domain.pricing import Quote, facts_hash
from portal.models import CartLine, Order, OrderLine, Plan, Subscription

ORDER_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"


ORDER_NUMBER_LENGTH = 12


def new_order_number() -> str:
    return "".join(secrets.choice(ORDER_ALPHABET) for _ in range(ORDER_NUMBER_LENGTH))


def freeze(
    order: Order, quote: Quote, subscriptions: Sequence[Subscription | None], *, renews_on: date | None = None
) -> None:
    """Let the order and its lines say what `quote` says, and save them. Inside the workspace's lock.

    New lines have no id before the commit, nor has the order of a renewal: those come by the hundred.

    `subscriptions` are those of the quote's lines, in their order, None for a first purchase. `renews_on`:
    the due date that a renewal is for.
    """
    require_transaction()
    order.currency = quote.currency
    order.quote = quote.facts
    order.quote_hash = quote.hash
    order.net_minor = quote.net.minor
    order.tax_minor = quote.tax_amount.minor
    order.total_minor = quote.total.minor
    order.from_balance_minor, order.reserved_minor = quote.from_balance.minor, quote.reserved.minor
    is_new = order.id is None
    if renews_on is None:
        rows.save(order)
    else:
        rows.save_later(order)
    known = [] if is_new else list(_lines_of([order]))
    if len(known) > len(quote.lines):
        surplus = [line.id for line in known[len(quote.lines) :]]
        OrderLine.delete().where(OrderLine.id << surplus).execute()
    lines = []
    for position, quoted in enumerate(quote.lines, start=1):
        is_known = position <= len(known)
        line = known[position - 1] if is_known else OrderLine(order=order, position=position)
        line.kind = quoted.kind
        line.subscription = subscriptions[position - 1]
        line.plan_id, line.price_id = quoted.offer.plan_id, quoted.offer.price_id
        line.interval, line.quantity = quoted.offer.interval, quoted.quantity
        line.start_on, line.base_end_on, line.end_on = quoted.period.start, quoted.period.end, quoted.due_on
        line.anchor_day = quoted.anchor_day
        line.net_minor, line.tax_minor = quoted.net.minor, quoted.tax_amount.minor
        line.renews_on = renews_on
        rows.save_later(line)
        lines.append(line)
    order.lines = lines


def begin_on(order: Order, lines: Sequence[OrderLine], day: date) -> None:
    """Let these lines of the order, and its quote, be for a whole period from that day. Whoever calls saves
    the order.
    """
    require_transaction()
    order.quote = begun_on(order.quote, [line.position for line in lines], day)
    order.quote_hash = facts_hash(order.quote)
    for line in lines:
        frozen = line.frozen
        line.start_on, line.base_end_on, line.end_on = frozen.start_on, frozen.base_end_on, frozen.due_on
        line.anchor_day = frozen.anchor_day
        rows.save_later(line)


def take_along(order: Order) -> None:
    """The cart's lines for the products of an order that is placed now, whatever they say by then.

    They are out of sight while its payment is open. Nothing has to put them back: the line of an order that
    is open again, because its payment was declined, is in the cart.
    """
    require_transaction()
    products = Plan.select(Plan.product).where(Plan.id << [line.plan_id for line in order.lines])
    CartLine.update(order=order).where(
        CartLine.workspace == order.workspace, CartLine.product << products
    ).execute()


def forget_taken_along(order: Order) -> None:
    """What the order took out of the cart is the workspace's now."""
    require_transaction()
    CartLine.delete().where(CartLine.order == order).execute()


def read_lines(orders: Iterable[Order]) -> None:
    """Each order gets its lines, with their plans. One query."""
    by_id = {order.id: order for order in orders}
    if not by_id:
        return
    lines: dict[int, list[OrderLine]] = {order_id: [] for order_id in by_id}
    for line in _lines_of(by_id.values()):
        line.order = by_id[line.order_id]
        lines[line.order_id].append(line)
    for order_id, theirs in lines.items():
        by_id[order_id].lines = theirs


def _lines_of(orders: Iterable[Order]) -> Iterable[OrderLine]:
    return _lines_with_plans.rows(orders=[order.id for order in orders])


_lines_with_plans = Prepared(
    lambda: (
        OrderLine.select(OrderLine, Plan)
        .join(Plan)
        .where(OrderLine.order << Parameters("orders"))
        .order_by(OrderLine.order, OrderLine.position)
    )
)
