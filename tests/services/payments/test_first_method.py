"""The first payment method of yearly licences: what it offers, and what becomes of that once it is saved."""

import pytest

from portal.domain.vocabulary import Interval, PaymentMethodKind, SetupState
from portal.models import BillingDetails, MethodSetup, PaymentMethod, Subscription
from portal.services.payments import first_method, method_setups
from portal.services.renewals import run
from portal.services.subscriptions import agreement, charged_methods
from tests.books import assert_books_clean
from tests.factories import letters
from tests.licensed import bought
from tests.paying import DECLINED, a_card, paid_charges
from tests.services.payments.test_method_setups import PAYPAL, answered
from tests.services.payments.test_on_account import ordered


def offered(place, clock):
    subscriptions = agreement.all_of(place.workspace)
    methods = charged_methods.saved_of(place.workspace)
    return first_method.offered_renewals(place, subscriptions, methods, now=clock.now())


def add(place, clock, *, kind=PaymentMethodKind.CARD, source=None, renews=()):
    return method_setups.begin_adding(
        place,
        source,
        kind=kind,
        renews=renews,
        result_address=lambda key: f"http://127.0.0.1:8000/back/{key}",
        now=clock.now(),
    )


def licences():
    return Subscription.get(Subscription.quantity == 1, Subscription.price.is_null(False))


def test_yearly_licences_are_offered_with_the_charge_that_is_agreed_to(place, clock):
    subscription = bought(place, interval=Interval.YEAR)
    [offer] = offered(place, clock)
    assert offer.product.id == subscription.product_id
    assert offer.charge.on == subscription.due_on
    add(place, clock, source=a_card(), renews=[offer])
    after = licences()
    assert (after.auto_renewal, after.payment_method_id) == (True, PaymentMethod.get().id)
    assert (after.renew_on, after.announced_minor) == (offer.charge.on, offer.charge.total.minor)
    assert len(letters("auto_renewal_on")) >= 1
    assert len(paid_charges()) == 1, "nothing but the purchase"
    clock.advance(days=366)
    run.run_due(now=clock.now())
    assert [charge.amount_minor for charge in paid_charges()] == [offer.charge.total.minor] * 2
    assert_books_clean()


def test_what_is_not_ticked_stays_off(place, clock):
    bought(place, interval=Interval.YEAR)
    add(place, clock, source=a_card())
    assert not licences().auto_renewal
    assert offered(place, clock) == [], "it is no longer the first"


def test_monthly_licences_are_not_offered(place, clock):
    bought(place)
    assert offered(place, clock) == []


def test_licences_with_an_open_invoice_are_not(place, clock):
    ordered(place)
    assert offered(place, clock) == []


def test_a_method_that_is_refused_leaves_nothing_on(place, clock):
    bought(place, interval=Interval.YEAR)
    setup = add(place, clock, source=a_card(DECLINED), renews=offered(place, clock))
    assert (setup.state, licences().auto_renewal) == (SetupState.DECLINED, False)


@pytest.mark.parametrize("confirmed", [True, False])
def test_what_was_agreed_to_waits_for_paypal(place, clock, confirmed):
    bought(place, interval=Interval.YEAR)
    setup = add(place, clock, kind=PAYPAL, renews=offered(place, clock))
    assert not licences().auto_renewal
    answered(setup, confirmed=confirmed)
    assert licences().auto_renewal is confirmed
    assert_books_clean()


def test_what_costs_something_else_by_then_stays_off(place, clock):
    bought(place, interval=Interval.YEAR)
    setup = add(place, clock, kind=PAYPAL, renews=offered(place, clock))
    BillingDetails.update(country="CH").execute()
    done = answered(setup)
    assert (done.state, licences().auto_renewal) == (SetupState.DONE, False)
    renewed, left = first_method.agreed_products(MethodSetup.get_by_id(setup.id))
    assert (renewed, [each.id for each in left]) == ([], [licences().product_id])
