"""What somebody wants of a product, before anybody says what it costs."""

from dataclasses import dataclass

from .vocabulary import Interval, OrderKind


@dataclass(frozen=True, slots=True)
class Choice:
    """A plan, by the month or by the year; of a licensed product so many licences of it.

    `kind` says of licences what becomes of them: bought from today on, changed while they run, or prolonged
    by the period that is due. That of the workspace plan follows from where it stands (pricing.order_kind).
    """

    plan_code: str
    interval: Interval
    quantity: int = 1
    kind: OrderKind = OrderKind.BUY
