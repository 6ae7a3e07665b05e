"""The forecast is what the renewals charge: foretold once, then lived day by day on both engines."""

from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval
from portal.models import Invoice, OrderLine, PaymentMethod, Product, Subscription
from portal.runtime import current
from portal.services.billing import overview
from portal.services.renewals import run
from portal.services.subscriptions import agreement, scheduled_change
from tests.crediting import credit
from tests.licensed import bought, tried
from tests.paying import an_order, apply_catalogue, pay
from tests.renewing import renewal_orders
from tests.services.renewals.test_promises import sells_at

MONTH, YEAR = Interval.MONTH, Interval.YEAR


@dataclass(frozen=True)
class Charged:
    subscription: int
    on: date
    net_minor: int
    total_minor: int
    from_balance_minor: int
    method: int | None
    begins_on: date
    due_on: date


def foretold(place):
    found = overview.overview_of(place, now=current().clock.now()).forecast
    return [
        Charged(
            each.subscription,
            each.on,
            each.net.minor,
            each.total.minor,
            each.from_balance.minor,
            each.method,
            each.period.start,
            each.period.end,
        )
        for each in found.charges
    ]


def charged(place):
    """What the renewals have really taken, in the order in which they did."""
    found = []
    for order in renewal_orders().order_by(OrderLine.id):
        [line], [payment] = order.lines, order.payments
        found.append(
            Charged(
                line.subscription_id,
                place.workspace.day(order.given_at),
                order.net_minor,
                order.total_minor,
                order.from_balance_minor,
                payment.method_id,
                line.start_on,
                line.end_on,
            )
        )
    return sorted(found, key=lambda each: (each.on, each.subscription))


def live_a_year(place, clock):
    """From one moment at which the run has something to do to the next."""
    today = place.workspace.day(clock.now())
    last = agreement.first_moment(place.workspace, today.replace(year=today.year + 1, day=today.day))
    while (now := clock.now()) <= last:
        run.run_due(now=now)
        due = Subscription.select(Subscription.look_at).where(Subscription.look_at.is_null(False))
        soonest = min((each.look_at for each in due), default=last)
        clock.set(max(soonest, now + timedelta(hours=1)))
        clock.advance_wall(hours=1)


def schedule(place, choice, product=None):
    now = current().clock.now()
    shown = scheduled_change.preview(place.workspace, choice, product=product, now=now)
    scheduled_change.schedule(place, choice, product=product, shown_hash=shown.hash, now=now)


def renewed(place, plan="business-5", interval=MONTH):
    """With its one card, which is good beyond the year."""
    pay(an_order(place, plan, interval), auto_renewal=True)
    return PaymentMethod.get()


def no_guarantee():
    Subscription.update(locked_until=date(2026, 11, 21)).where(
        Subscription.locked_until.is_null(False)
    ).execute()


# --- lives ----------------------------------------------------------------------------------------


def a_month_end(place, clock):
    clock.set(clock.now().replace(year=2027, month=1, day=31))
    renewed(place)


def several_products(place, clock):
    card = renewed(place)
    bought(place, quantity=3, renews_with=card)
    bought(place, "remote-licence", interval=YEAR, renews_with=card)
    bought(place, "training-standard", quantity=2)
    tried(place, "webinar-standard")


def a_smaller_plan_waits(place, clock):
    renewed(place, "business-10")
    schedule(place, Choice("business-3", MONTH))


def a_year_in_place_of_a_month_waits(place, clock):
    renewed(place, "business-10")
    schedule(place, Choice("business-5", YEAR))


def fewer_licences_wait(place, clock):
    card = renewed(place)
    bought(place, quantity=10, renews_with=card)
    schedule(place, Choice("meetings-essential", MONTH, 8), Product.get(Product.code == "meetings"))


def the_list_price_has_risen(place, clock):
    renewed(place)
    no_guarantee()
    apply_catalogue(sells_at("business-5", 4000))


def the_list_price_has_fallen(place, clock):
    renewed(place)
    apply_catalogue(sells_at("business-5", 2000))


def a_guarantee_ends_in_the_middle(place, clock):
    renewed(place)
    Subscription.update(locked_until=date(2027, 4, 21)).where(
        Subscription.locked_until.is_null(False)
    ).execute()
    apply_catalogue(sells_at("business-5", 4000))


def a_guarantee_ends_after_february(place, clock):
    """28 days before 21 March nobody can be told of a rise any more: it is the one of April."""
    renewed(place)
    Subscription.update(locked_until=date(2027, 3, 1)).where(
        Subscription.locked_until.is_null(False)
    ).execute()
    apply_catalogue(sells_at("business-5", 4000))


def a_balance_pays_first(place, clock):
    """What was given back of other licences stays in the balance, and pays the renewals of both."""
    card = renewed(place)
    bought(place, quantity=2, renews_with=card)
    bought(place, "training-standard", quantity=4)
    credit(Invoice.select().order_by(Invoice.id.desc()).get(), clock.now().date())


def a_second_currency(place, clock):
    pay(an_order(place, currency="USD"), auto_renewal=True)
    bought(place, quantity=2, renews_with=PaymentMethod.get())


LIVES = [
    a_month_end,
    several_products,
    a_smaller_plan_waits,
    a_year_in_place_of_a_month_waits,
    fewer_licences_wait,
    the_list_price_has_risen,
    the_list_price_has_fallen,
    a_guarantee_ends_in_the_middle,
    a_guarantee_ends_after_february,
    a_balance_pays_first,
    a_second_currency,
]


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
def test_a_year_of_renewals_charges_what_was_foretold(place, clock, life):
    life(place, clock)
    expected = foretold(place)
    assert expected
    live_a_year(place, clock)
    assert charged(place) == expected
