"""Licensed subscriptions that read as facts: `bought(place, plan="meetings-essential", quantity=1)`.

What is bought is ordered and paid, and what is tried is begun as by its button.
"""

from typing import Any

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, PaymentState
from portal.models import PaymentMethod, Plan, Subscription
from portal.runtime import current
from portal.services.checkout import ordering
from portal.services.places import Place
from portal.services.subscriptions import product_trials
from tests import factories, paying

TRIAL_DAYS = 14


def catalogue_with(more: int) -> str:
    """The catalogue and that many licensed products p0, p1 … more, each with one plan: `p0-standard`."""
    text = factories.CATALOGUE.read_text()
    start = text.index('[[products]]\ncode = "training"')
    copied = text[start : text.index('[[products]]\ncode = "remote"')]
    return text + "".join(copied.replace('code = "training', f'code = "p{n}') for n in range(more))


def bought(
    place: Place,
    plan: str = "meetings-essential",
    *,
    quantity: int = 1,
    interval: Interval = Interval.MONTH,
    renews_with: PaymentMethod | None = None,
    **columns: Any,
) -> Subscription:
    """Bought today for one interval; renewed by itself with that method. VAT is 20 %."""
    opened = ordering.open_order(
        place, choices=[Choice(plan, interval, quantity)], currency="EUR", now=current().clock.now()
    )
    order = paying.with_details(opened, place)
    payment = paying.pay(order)
    assert payment.state == PaymentState.SUCCEEDED
    [line] = paying.reloaded(order).lines
    if renews_with is not None:
        columns = {
            "auto_renewal": True,
            "payment_method": renews_with,
            "renew_on": line.end_on,
            "announced_minor": line.total_minor,
            "announced_net_minor": line.net_minor,
            **columns,
        }
    if columns:
        Subscription.update(**columns).where(Subscription.id == line.subscription_id).execute()
    return Subscription.get_by_id(line.subscription_id)


def tried(place: Place, plan: str = "meetings-essential", *, quantity: int = 1) -> Subscription:
    """On trial from today for TRIAL_DAYS."""
    product = Plan.get(Plan.code == plan).product
    started = product_trials.start(
        place, product_code=product.code, plan_code=plan, licences=quantity, now=current().clock.now()
    )
    return Subscription.get_by_id(started.id)
