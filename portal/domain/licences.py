"""Licences of a product and the members that hold them: who may, how many are free, what idle ones cost.

A licence is free, or assigned to one member. Guests hold them too: what a guest may not do is a matter of the
workspace plan, and a licence is paid for by itself. Nobody who is disabled holds one.
"""

from dataclasses import dataclass

from .errors import PortalError
from .lifecycle import WITHOUT_ACCESS
from .money import Money
from .vocabulary import MemberStatus, SubscriptionState
from .volume_price import VolumePrice


class NotEnoughLicences(PortalError):
    """`wanted` licences were to be assigned, and `free` are: nobody gets one."""

    wanted: int
    free: int


class NotAssignable(PortalError):
    """In this `state` of its subscription nobody can use the product; licences are only taken back."""

    state: SubscriptionState


def may_hold(status: MemberStatus) -> bool:
    """Whether a member may have a licence; an invited one may, who has not joined yet."""
    return status != MemberStatus.DISABLED


def free_licences(*, quantity: int, being_paid: int | None, assigned: int) -> int:
    """How many of `quantity` may still be assigned.

    An open payment may leave as few as are `being_paid` at any moment, so that they have to do as well; None:
    no payment is open.
    """
    lasting = quantity if being_paid is None else min(quantity, being_paid)
    return max(0, lasting - assigned)


def check_assignment(*, wanted: int, free: int, state: SubscriptionState) -> None:
    """All `wanted` or none. Raises NotAssignable, NotEnoughLicences."""
    if state in WITHOUT_ACCESS:
        raise NotAssignable(state=state)
    if wanted > free:
        raise NotEnoughLicences(wanted=wanted, free=free)


@dataclass(frozen=True, slots=True)
class Saving:
    """`returned` licences less from the next period on cost so much less each period, before tax."""

    returned: int
    amount: Money


def saving_of(price: VolumePrice, *, quantity: int, assigned: int) -> Saving | None:
    """The most that returning idle licences saves; None where nothing is idle, or where it saves nothing.

    At least one licence stays. The volume price of what is left decides, so that returning fewer may save
    more (product.md §3): ten may cost less than nine. Of equal savings the one that keeps more licences.
    """
    fewest = max(assigned, 1)
    if fewest >= quantity:
        return None
    # Within a tier fewer cost less: the cheapest number is the fewest, or the first of a tier.
    firsts = [tier.from_licences for tier in price.tiers if fewest < tier.from_licences < quantity]
    cheapest = min([fewest, *firsts], key=lambda left: (price.amount(left).minor, -left))
    amount = price.amount(quantity) - price.amount(cheapest)
    return Saving(quantity - cheapest, amount) if amount.minor > 0 else None
