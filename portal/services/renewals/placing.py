"""The order that renews a subscription, placed with the intent to charge a saved method."""

from datetime import datetime

from portal.database.connecting import require_transaction
from portal.domain.pricing import Quote
from portal.domain.vocabulary import OrderState, PaymentMethodKind
from portal.models import Member, Order, OrderLine, Payment, PaymentMethod, Person, Subscription
from portal.services import audit, orders
from portal.services.payments import charging


def place(
    subscription: Subscription,
    quote: Quote,
    details: dict[str, object],
    order: Order | None,
    *,
    method: PaymentMethod | None,
    by_hand: Person | None = None,
    now: datetime,
) -> Payment:
    """The intent to charge `method` for the renewal; `order` if one was begun. In the workspace's lock.

    Paid at once where the balance pays the whole of `quote`: then no `method` is needed. `by_hand` is the
    payer who pressed a button. Without one the charge is automatic, and the payer is whoever added the
    method, else whoever has paid for the subscription last.
    """
    require_transaction()
    workspace = subscription.workspace
    payer = by_hand or (method.added_by if method else last_payer(subscription))
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
    order.method_kind = method.kind if method else PaymentMethodKind.CARD
    order.state = OrderState.PLACED
    orders.freeze(order, quote, [subscription], renews_on=subscription.due_on)
    order.workspace = workspace
    payment = charging.begin_payment(order, person=payer, method=method, tried_on=tried_on, now=now)
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


def last_payer(subscription: Subscription) -> Person:
    """Who has paid for it last, or ordered it on account; an owner for somebody who is forgotten.

    One query, and another for the owner.
    """
    payer = (
        Person.select()
        .join(Order, on=(Order.person == Person.id))
        .join(OrderLine)
        .where(OrderLine.subscription == subscription, Order.given_at.is_null(False))
        .order_by(Order.given_at.desc(), Order.id.desc())
        .get()
    )
    return Member.owners(subscription.workspace).get().person if payer.is_erased else payer
