"""The order that renews a subscription, placed with the intent to charge a saved method."""

from datetime import datetime

from portal.database.connecting import require_transaction
from portal.domain.pricing import Quote
from portal.domain.vocabulary import OrderState
from portal.models import Order, Payment, PaymentMethod, Person, Subscription
from portal.runtime import current
from portal.services import audit, orders
from portal.services.payments import charging


def place(
    subscription: Subscription,
    quote: Quote,
    details: dict[str, object],
    order: Order | None,
    *,
    method: PaymentMethod,
    by_hand: Person | None = None,
    now: datetime,
) -> Payment:
    """The intent to charge `method` for the renewal; `order` if one was begun. In the workspace's lock.

    `by_hand` is the payer who pressed a button. Without one the charge is automatic, and whoever added the
    method is the payer.
    """
    require_transaction()
    workspace, payer = subscription.workspace, by_hand or method.added_by
    tried_on = None if by_hand else workspace.day(now)
    if order is None:
        order = Order(
            number=orders.new_order_number(),
            workspace=workspace,
            display_currency=quote.currency,
            auto_renewal=True,
            created_at=now,
        )
    order.person = payer
    order.details = details
    order.method_kind = method.kind
    order.state = OrderState.PLACED
    orders.freeze(order, quote, [subscription], renews_on=subscription.due_on)
    order.workspace = workspace
    payment = charging.record_intent(
        order, person=payer, method=method, tried_on=tried_on, wall=current().clock.wall()
    )
    audit.record(
        "renewal.placed",
        workspace=workspace,
        subject=order.number,
        changes={
            "payment": payment.key,
            "total_minor": order.total_minor,
            "currency": order.currency,
            "renews_on": str(subscription.due_on),
        },
        now=now,
    )
    return payment
