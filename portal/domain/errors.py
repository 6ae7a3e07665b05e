"""Refusals with a name.

A service raises one; the form or the page owns the sentence. Assertions are for our own mistakes,
these are for what people and prices do.
"""


class PortalError(Exception):
    """A refusal. Keyword arguments become attributes and are what the sentence needs."""

    def __init__(self, **facts: object) -> None:
        super().__init__(", ".join(f"{name}={value!r}" for name, value in facts.items()))
        self.__dict__.update(facts)


class CurrencyMismatch(PortalError):
    """Two amounts of different currencies met (`left`, `right`)."""


class MissingVatRate(PortalError):
    """No rate for `country` is valid on the day `on`: the invoice stops, never 0 % by accident."""


class PlanTooSmall(PortalError):
    """`plan_code` cannot hold the workspace: `violations` names each limit with both figures."""


class PlanNotOffered(PortalError):
    """The plan, interval or currency `wanted` has no price on sale today."""


class QuoteChanged(PortalError):
    """What the person confirmed is no longer what the order costs: `shown` and `current` quote hashes."""


class OrderAlreadyPlaced(PortalError):
    """The order has a payment that succeeded or may still succeed: show its result."""


class LimitReached(PortalError):
    """A rate limit: try again after `retry_after_seconds`."""


class LinkUnusable(PortalError):
    """The link is wrong, used or too old; which one is never told."""


class LastOwner(PortalError):
    """The only owner cannot be disabled, removed or lose the role."""


class PlanFull(PortalError):
    """The plan holds `limit` active users and `used` are there."""


class SmallerPlanWaits(PortalError):
    """A smaller plan cannot begin before the paid period is over, on `due_on`."""


class ExtensionTooLong(PortalError):
    """What is left would pay for the new plan until after `latest`: no calendar goes much further."""


class TooEarlyToProlong(PortalError):
    """The next period can be paid from the month before `due_on`, or pays itself (`auto_renewal`)."""
