"""The cart: what is chosen and not yet ordered, and what has become of it since it was chosen."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from .choices import Choice
from .errors import PortalError
from .money import Money


class CartChanged(PortalError):
    """Somebody changed the line of this product first: `mine` was not written over `theirs`.

    `theirs` is what the line says now. None on either side: it is removed, or was to be.
    """

    product_code: str
    mine: Choice | None
    theirs: Choice | None


class CartNotAsShown(PortalError):
    """The cart, or a price in it, is no longer what was shown before it was to be ordered."""


@dataclass(frozen=True, slots=True)
class PriceDifference:
    """What one unit cost when the line was last chosen, and what it costs today."""

    seen: Money
    now: Money


def price_difference(seen: Money, now: Money) -> PriceDifference | None:
    """None where the price is the same. A cart has one currency: another one here is our own mistake."""
    if seen.currency != now.currency:
        raise ValueError(f"a cart has one currency, not {seen.currency} and {now.currency}")
    return None if seen == now else PriceDifference(seen, now)


def version_of(choice: Choice) -> str:
    """Tells what a line says from anything else that it could say."""
    return f"{choice.plan_code}:{choice.interval}:{choice.quantity}"


def fingerprint(lines: Iterable[tuple[str, Money | None]]) -> str:
    """Identifies a cart as it is shown: of each line its version, and today's price; None: not for sale."""
    text = "\n".join(f"{version} {price.minor if price else '-'}" for version, price in lines)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
