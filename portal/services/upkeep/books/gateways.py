"""What the gateways list is what our books say, for those that can list it.

While people pay, a gateway may be ahead of what was read of our books or behind. We write down what we will
ask for before we ask, and what was answered after: each question reads both in the order in which that cannot
look like a fault.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from portal.domain.vocabulary import PaymentState, RefundState
from portal.models import Dispute, Payment, Refund
from portal.runtime import current

from .money import REFUND_WAITS
from .reading import rows_of

CHARGED = "succeeded"


class ListedCharge(Protocol):
    """One charge as its gateway has it; `state` is "succeeded" once the money is ours."""

    @property
    def key(self) -> str: ...
    @property
    def amount_minor(self) -> int: ...
    @property
    def currency(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def refunded_minor(self) -> int: ...
    @property
    def disputed(self) -> bool: ...


@runtime_checkable
class ListsCharges(Protocol):
    """A gateway that can list every charge it ever made for us."""

    def charges(self) -> Sequence[ListedCharge]: ...


def charges_are_in_the_books() -> int:
    """Each charge of a gateway that lists them is one payment of that amount, succeeded or still waiting."""
    listed = list(_listed_charges())
    payments = {
        key: (state, amount_minor, currency)
        for key, state, amount_minor, currency in rows_of(
            Payment, Payment.key, Payment.state, Payment.amount_minor, Payment.currency
        )
    }
    broken = 0
    for _name, charges in listed:
        for charge in charges:
            state, *asked = payments.get(charge.key, (PaymentState.DECLINED,))
            broken += state == PaymentState.DECLINED or asked != [charge.amount_minor, charge.currency]
    return broken


def succeeded_payments_are_charges() -> int:
    """Each payment that a gateway took is one that it lists, where it can."""
    succeeded: dict[str, set[str]] = {}
    is_paid = Payment.state == PaymentState.SUCCEEDED
    for name, key in rows_of(Payment, Payment.gateway, Payment.key, where=is_paid):
        succeeded.setdefault(name, set()).add(key)
    return sum(
        len(succeeded.get(name, set()) - {charge.key for charge in charges})
        for name, charges in _listed_charges()
    )


def refunds_are_as_the_gateway_has_them() -> int:
    """Each charge sent back what our refunds say; one whose result is open may have gone back or not."""
    before = _sums_sent_back()
    listed = list(_listed_charges())
    after = _sums_sent_back()
    return sum(
        charge.refunded_minor not in {sum_ for sums in (before, after) for sum_ in sums.get(charge.key, {0})}
        for _name, charges in listed
        for charge in charges
    )


def _sums_sent_back() -> dict[str, set[int]]:
    """By the key of its payment, what may have gone back of it: with and without what waits for a result."""
    sent_back: dict[str, int] = {}
    may_have_gone: dict[str, int] = {}
    states = (RefundState.SUCCEEDED, *REFUND_WAITS)
    rows = rows_of(
        Refund, Payment.key, Refund.state, Refund.amount_minor, where=Refund.state << states, beside=Payment
    )
    for key, state, amount_minor in rows:
        sums = sent_back if state == RefundState.SUCCEEDED else may_have_gone
        sums[key] = sums.get(key, 0) + amount_minor
    return {
        key: {sent_back.get(key, 0), sent_back.get(key, 0) + may_have_gone.get(key, 0)}
        for key in sent_back.keys() | may_have_gone.keys()
    }


def disputes_are_as_the_gateway_has_them() -> int:
    """Each dispute that was told is one of the gateway, which may have more that are not told yet."""
    told = {key for (key,) in rows_of(Dispute, Payment.key, beside=Payment)}
    return sum(
        charge.key in told and not charge.disputed
        for _name, charges in _listed_charges()
        for charge in charges
    )


def _listed_charges() -> Iterator[tuple[str, list[ListedCharge]]]:
    for name, gateway in current().gateways.items():
        if isinstance(gateway, ListsCharges):
            yield name, [charge for charge in gateway.charges() if charge.state == CHARGED]
