"""What the gateways list is what our books say, for those that can list it."""

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
    payments = {
        key: (state, amount_minor, currency)
        for key, state, amount_minor, currency in rows_of(
            Payment, Payment.key, Payment.state, Payment.amount_minor, Payment.currency
        )
    }
    broken = 0
    for _name, charges in _listed_charges():
        for charge in charges:
            state, *asked = payments.get(charge.key, (PaymentState.DECLINED,))
            broken += state == PaymentState.DECLINED or asked != [charge.amount_minor, charge.currency]
    return broken


def succeeded_payments_are_charges() -> int:
    """Each payment that a gateway took is one that it lists, where it can."""
    broken = 0
    for name, charges in _listed_charges():
        keys = {charge.key for charge in charges}
        succeeded = (Payment.gateway == name) & (Payment.state == PaymentState.SUCCEEDED)
        broken += sum(key not in keys for (key,) in rows_of(Payment, Payment.key, where=succeeded))
    return broken


def refunds_are_as_the_gateway_has_them() -> int:
    """Each charge sent back what our refunds say; one whose result is open may have gone back or not."""
    sent_back: dict[str, int] = {}
    may_have_gone: dict[str, int] = {}
    states = (RefundState.SUCCEEDED, *REFUND_WAITS)
    rows = rows_of(
        Refund, Payment.key, Refund.state, Refund.amount_minor, where=Refund.state << states, beside=Payment
    )
    for key, state, amount_minor in rows:
        sums = sent_back if state == RefundState.SUCCEEDED else may_have_gone
        sums[key] = sums.get(key, 0) + amount_minor
    return sum(
        charge.refunded_minor
        not in (ours := sent_back.get(charge.key, 0), ours + may_have_gone.get(charge.key, 0))
        for _name, charges in _listed_charges()
        for charge in charges
    )


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
