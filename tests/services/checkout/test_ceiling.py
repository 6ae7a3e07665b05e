"""The monthly ceiling: how far members buy together without asking, two tabs and two members too."""

from datetime import UTC, datetime, timedelta

import pytest

from portal.domain.choices import Choice
from portal.domain.money import Money
from portal.domain.requests import AboveCeiling
from portal.domain.vocabulary import Interval, OrderState, PaymentState, RequestState, Role
from portal.models import BoughtAlone, Member, Order, Person, PurchaseRequest, Workspace
from portal.services import requests
from portal.services.checkout import cart, ceiling, ordering
from portal.services.payments import charging
from tests.asking import a_member_of, again, only_billing_buys
from tests.books import assert_books_clean
from tests.paying import (
    DECLINED,
    SILENT_CHARGED,
    a_place,
    an_order,
    paid_charges,
    pay,
    reloaded,
    with_details,
)
from tests.services.payments.test_concurrency import at_once, faults_of

# A licence by the month with 20 % VAT: 13.20.
ONE = 1_320


def left(place, clock):
    found = ceiling.allowance_here(again(place), now=clock.now())
    return None if found is None else found.left.minor


def an_order_of(place, clock, *, licences=1, plan="meetings-essential", currency="EUR"):
    choice = Choice(plan, Interval.MONTH, licences)
    return with_details(
        ordering.open_order(place, choices=[choice], currency=currency, now=clock.now()), place
    )


@pytest.fixture
def member(place):
    only_billing_buys(place.workspace, ceiling_minor=2 * ONE)
    return a_member_of(place)


def test_members_buy_as_far_as_the_ceiling_tax_included(member, clock):
    assert left(member, clock) == 2 * ONE
    pay(an_order_of(member, clock, licences=2))
    assert left(member, clock) == 0
    with pytest.raises(AboveCeiling) as refusal:
        pay(an_order_of(member, clock, plan="training-standard"))
    assert refusal.value.left == Money(0, "EUR")
    assert len(paid_charges()) == 1
    assert_books_clean()


def test_a_cent_above_the_ceiling_is_not_bought(member, clock):
    Workspace.update(ceiling_minor=ONE - 1).execute()
    order = an_order_of(member, clock)
    with pytest.raises(AboveCeiling):
        pay(order)
    assert (reloaded(order).state, BoughtAlone.select().count(), paid_charges()) == (OrderState.OPEN, 0, [])


def test_what_billing_people_buy_does_not_count(place, member, clock):
    pay(an_order_of(place, clock, licences=9))
    assert (left(member, clock), left(place, clock)) == (2 * ONE, None)


def test_all_members_share_it(place, member, clock):
    admin = a_member_of(place, "Ada Admin", role=Role.ADMIN)
    pay(an_order_of(admin, clock))
    assert left(member, clock) == ONE


def test_a_declined_payment_gives_it_back_and_an_unknown_one_holds_it(member, clock):
    order = an_order_of(member, clock)
    assert pay(order, DECLINED).state == PaymentState.DECLINED
    assert left(member, clock) == 2 * ONE
    payment = pay(reloaded(order), SILENT_CHARGED)
    assert left(member, clock) == ONE
    charging.look_up(payment, now=clock.now())
    assert left(member, clock) == ONE


def test_an_order_that_an_approver_pays_in_the_end_counts_no_more(place, member, clock):
    order = an_order_of(member, clock)
    pay(order, DECLINED)
    pay(reloaded(order), person=Person.get_by_id(place.member.person_id))
    assert (left(member, clock), BoughtAlone.select().count()) == (2 * ONE, 0)


def test_two_tabs_cannot_pass_it_together(place, member, clock):
    Workspace.update(ceiling_minor=2 * ONE - 1).execute()
    orders = [an_order_of(member, clock), an_order_of(member, clock, plan="training-standard")]
    [_mine, training] = orders
    Workspace.update(ceiling_minor=max(ONE, training.total_minor) + 1).execute()
    results = at_once([lambda order=order: pay(reloaded(order)) for order in orders])
    assert faults_of(results) == []
    assert sorted(isinstance(result, AboveCeiling) for result in results) == [False, True]
    assert len(paid_charges()) == 1
    assert_books_clean()


def test_two_members_cannot_pass_it_together(place, member, clock):
    other = a_member_of(place, "Olga Other")
    orders = [an_order_of(member, clock), an_order_of(other, clock, plan="training-standard")]
    Workspace.update(ceiling_minor=max(order.total_minor for order in orders) + 1).execute()
    results = at_once([lambda order=order: pay(reloaded(order)) for order in orders])
    assert faults_of(results) == []
    assert sorted(isinstance(result, AboveCeiling) for result in results) == [False, True]


@pytest.mark.parametrize(
    ("time_zone", "bought", "read", "spent"),
    [
        # 23:30 on 30 November in Paris, half an hour later.
        ("Europe/Paris", datetime(2026, 11, 30, 22, 30, tzinfo=UTC), timedelta(minutes=29), ONE),
        ("Europe/Paris", datetime(2026, 11, 30, 22, 30, tzinfo=UTC), timedelta(minutes=30), 0),
        ("America/New_York", datetime(2026, 11, 30, 22, 30, tzinfo=UTC), timedelta(hours=6), ONE),
        ("America/New_York", datetime(2026, 11, 30, 22, 30, tzinfo=UTC), timedelta(hours=7), 0),
    ],
)
def test_the_month_is_that_of_the_workspace(member, clock, time_zone, bought, read, spent):
    Workspace.update(time_zone=time_zone).execute()
    member = again_with(member, time_zone=time_zone)
    clock.set(bought)
    pay(an_order_of(member, clock))
    clock.set(bought + read)
    assert left(member, clock) == 2 * ONE - spent


def again_with(place, **changed):
    for name, value in changed.items():
        setattr(place.workspace, name, value)
    return again(place)


def test_another_currency_has_to_be_asked_for(member, clock):
    with pytest.raises(AboveCeiling):
        pay(an_order_of(member, clock, currency="USD"))


def test_the_ceiling_that_stands_when_the_order_is_placed_decides(member, clock):
    order = an_order_of(member, clock)
    Workspace.update(ceiling_minor=None).execute()
    with pytest.raises(AboveCeiling):
        pay(order)
    Workspace.update(ceiling_minor=ONE).execute()
    assert pay(order).state == PaymentState.SUCCEEDED


def test_whoever_buys_the_plan_under_the_ceiling_stays_under_it(member, clock):
    Workspace.update(ceiling_minor=1_000_000).execute()
    pay(an_order(member))
    assert not Member.get_by_id(member.member.id).is_upgrader
    assert left(member, clock) is not None


def test_what_is_above_it_is_asked_for_from_its_order(place, member, clock):
    """The cart's line is asked for with it, and the same order twice is one request."""
    order = an_order_of(member, clock, licences=5)
    cart.add(member, choice=Choice("meetings-essential", Interval.MONTH, 5), currency="EUR", now=clock.now())
    asked = requests.ask_for_order(member, order, note="Five of them", now=clock.now())
    assert requests.ask_for_order(member, order, note="", now=clock.now()).number == asked.number
    assert (PurchaseRequest.select().count(), cart.is_empty(place.workspace)) == (1, True)
    found = requests.find(place, asked.number, now=clock.now())
    assert found.net == Money(5_500, "EUR")
    paid = requests.open_as_order(place, asked.number, now=clock.now())
    pay(with_details(paid, place), person=Person.get_by_id(place.member.person_id))
    assert requests.find(member, asked.number, now=clock.now()).state is RequestState.APPROVED
    assert left(member, clock) == 2 * ONE
    assert Order.select().count() == 2
    assert_books_clean()


def test_a_workspace_has_its_own_ceiling(member, clock):
    other = a_place("Zenith", owner="Zoe Zenith")
    only_billing_buys(other.workspace, ceiling_minor=ONE)
    theirs = a_member_of(other, "Zed Zenith")
    pay(an_order_of(member, clock))
    assert left(theirs, clock) == ONE
