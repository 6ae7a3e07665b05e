"""Refusals with a name.

A service raises one; the form or the page owns the sentence. Assertions are for our own mistakes,
these are for what people and prices do.
"""

from datetime import date
from inspect import get_annotations


class PortalError(Exception):
    """A refusal. A subclass declares its facts as annotations: what the sentence needs, all of it.

    They are given by keyword. Raises TypeError for one that is missing or not declared.
    """

    def __init__(self, **facts: object) -> None:
        declared = {name for kind in type(self).__mro__ for name in get_annotations(kind)}
        if declared != set(facts):
            raise TypeError(f"{type(self).__name__} takes {sorted(declared)}, not {sorted(facts)}")
        super().__init__(", ".join(f"{name}={value!r}" for name, value in facts.items()))
        self.__dict__.update(facts)


class CurrencyMismatch(PortalError):
    """Two amounts of different currencies met (`left`, `right`)."""

    left: str
    right: str


class CannotBeInvoiced(PortalError):
    """What it costs cannot be told as the law asks: operators have to mend it, and nothing is charged."""


class MissingVatRate(CannotBeInvoiced):
    """No rate for `country` is valid on the day `on`: the invoice stops, never 0 % by accident."""

    country: str
    on: date


class QuoteChanged(PortalError):
    """What the person confirmed is no longer what the order costs: `shown` and `current` quote hashes."""

    shown: str
    current: str


class NothingDue(PortalError):
    """It was paid meanwhile, or nobody can say any more what it costs."""


class OrderAlreadyPlaced(PortalError):
    """The order has a payment that succeeded or may still succeed: show its result."""

    order: str


class LimitReached(PortalError):
    """A rate limit: try again after `retry_after_seconds`."""

    retry_after_seconds: int


class LinkUnusable(PortalError):
    """The link is wrong, used or too old; which one is never told."""


class LastOwner(PortalError):
    """The only owner cannot be disabled, removed or lose the role."""


class PlanFull(PortalError):
    """The plan holds `limit` active users and `used` are there."""

    limit: int
    used: int


class InvoiceIsOpen(PortalError):
    """An invoice for the product is open: it is paid before anything else of that is bought."""

    product_code: str


class SmallerPlanWaits(PortalError):
    """A smaller plan cannot begin before the paid period is over, on `due_on`."""

    due_on: date


class ExtensionTooLong(PortalError):
    """What is left would pay for the new plan until after `latest`: no calendar goes much further."""

    latest: date


class TooEarlyToProlong(PortalError):
    """The next period can be paid from the month before `due_on`, or pays itself (`auto_renewal`)."""

    due_on: date | None
    auto_renewal: bool
