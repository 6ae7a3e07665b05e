"""What somebody wants of a product, before anybody says what it costs."""

from dataclasses import dataclass

from .vocabulary import Interval


@dataclass(frozen=True, slots=True)
class Choice:
    """A plan, by the month or by the year; of a licensed product so many licences of it.

    `is_change`: licences that run become these.
    """

    plan_code: str
    interval: Interval
    quantity: int = 1
    is_change: bool = False
