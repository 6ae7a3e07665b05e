"""What the first payment method offers: to pay the invoices of yearly licences by itself from now on.

Offered, and never ticked beforehand. What was agreed to waits with the set-up until the method is saved;
nothing comes of it where it is not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.domain.errors import PortalError
from portal.domain.vocabulary import Interval, Right
from portal.models import MethodSetup, PaymentMethod, Product, Subscription
from portal.services.places import Place
from portal.services.subscriptions import agreement, auto_renewal
from portal.services.subscriptions.auto_renewal import NextCharge


@dataclass(frozen=True, slots=True)
class Offered:
    """Licences of a product that would be renewed every year, and the charge that is made next."""

    product: Product
    charge: NextCharge


def offered_renewals(
    place: Place, subscriptions: Iterable[Subscription], methods: Sequence[PaymentMethod], *, now: datetime
) -> list[Offered]:
    """None where a method is saved already, and for whoever may not switch automatic renewal on.

    `subscriptions` and `methods`: all of the workspace. Without a query where nothing is yearly.
    """
    workspace = place.workspace
    if Right.AUTO_RENEWAL not in place.may or methods:
        return []
    offered = []
    for each in subscriptions:
        is_yearly = each.price is not None and each.price.interval == Interval.YEAR
        if each.auto_renewal or not is_yearly or not agreement.is_licensed(each):
            continue
        try:
            charge = auto_renewal.next_charge(workspace, product=each.product, now=now)
        except PortalError:
            # There is nothing to renew, or an invoice for it is open: that is said on its own page.
            continue
        offered.append(Offered(each.product, charge))
    return offered


def as_agreed(offered: Sequence[Offered]) -> list[Mapping[str, str]]:
    """What a set-up keeps of the renewals that were ticked: product, and what was shown of its charge."""
    return [{"product": each.product.code, "shown": each.charge.hash} for each in offered]


def switch_on_agreed(setup: MethodSetup, *, now: datetime) -> None:
    """Once its method is saved, inside that transaction. What is no longer as it was shown stays off."""
    assert setup.method is not None, "a set-up that is done has saved a method"
    for agreed in setup.renews or []:
        product = agreement.licensed_product(agreed["product"])
        if product is None:
            continue
        try:
            auto_renewal.switch_on_in(
                setup.workspace,
                product=product,
                method_id=setup.method.id,
                shown_hash=agreed["shown"],
                now=now,
            )
        except PortalError:
            # Its page says how it is, and so does the answer to whoever agreed.
            continue


def agreed_products(setup: MethodSetup) -> tuple[list[Product], list[Product]]:
    """Of a set-up that is done: the products that renew themselves now, as agreed, and those that do not."""
    codes = {agreed["product"] for agreed in setup.renews or []}
    asked = [each for each in agreement.all_of(setup.workspace) if each.product.code in codes]
    return (
        [each.product for each in asked if each.auto_renewal],
        [each.product for each in asked if not each.auto_renewal],
    )
