"""Where licences stand on the day of a change: their terms, and which invoices pay for them."""

from collections.abc import Iterator
from datetime import date
from typing import cast

from portal.domain.errors import PortalError
from portal.domain.licence_terms import LicenceTerms
from portal.domain.plans import has_days_left
from portal.domain.prorated_lines import RunningLine
from portal.domain.proration import PresentLicences
from portal.domain.vocabulary import Interval, OrderState, SubscriptionState
from portal.models import Invoice, Order, OrderLine, Price, Subscription
from portal.services.invoices import crediting

from .agreement import SubscriptionStatus


class NotChangeable(PortalError):
    """Licences in this `state` are bought, paid or taken back first; only what runs is changed."""

    state: SubscriptionState


def refuse_unless_changeable(status: SubscriptionStatus) -> None:
    """Raises NotChangeable."""
    runs = status.subscription.price is not None and status.state is SubscriptionState.PAID
    if not runs or not has_days_left(status.state, status.due_on, today=status.today):
        raise NotChangeable(state=status.state)


def present_licences(status: SubscriptionStatus) -> PresentLicences:
    """Two queries for each invoice that pays for days to come, of which there are as many as changes since.

    Raises NotChangeable.
    """
    refuse_unless_changeable(status)
    subscription = status.subscription
    return PresentLicences(
        terms=terms_of(subscription),
        due_on=cast(date, subscription.due_on),
        anchor_day=subscription.anchor_day,
        lines=tuple(_running_lines(subscription, today=status.today)),
    )


def terms_of(subscription: Subscription) -> LicenceTerms:
    """What runs, at the price that was paid."""
    price = cast(Price, subscription.price)
    return LicenceTerms(
        plan_code=subscription.plan.code,
        position=subscription.plan.position,
        interval=Interval(price.interval),
        quantity=subscription.quantity,
        unit=price.volume_price.unit_amount(subscription.quantity),
        price_unit=price.unit,
    )


def _running_lines(subscription: Subscription, *, today: date) -> Iterator[RunningLine]:
    paid = (
        OrderLine.select(OrderLine.order, OrderLine.position)
        .join(Order)
        .where(
            OrderLine.subscription == subscription,
            OrderLine.end_on > today,
            Order.state == OrderState.PAID,
            OrderLine.refunded_at.is_null(),
        )
        .order_by(OrderLine.id)
        .tuples()
    )
    for order_id, position in cast("list[tuple[int, int]]", list(paid)):
        invoice = Invoice.of_order(order_id)
        line = crediting.running_lines(invoice)[position - 1]
        if line.days_left(today):
            yield line
