"""What a workspace has of every product, and what is on sale for it."""

import secrets
from dataclasses import replace
from datetime import date

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, Right, SubscriptionState
from portal.models import Invoice, PaymentMethod, Plan, Price, Product, Subscription
from portal.services.checkout import ordering
from portal.services.subscriptions import cancellation, products
from tests.factories import CATALOGUE
from tests.licensed import bought, tried
from tests.paying import (
    ASKS_ONCE,
    a_place,
    an_order,
    apply_catalogue,
    as_seen_by,
    buy,
    pay,
    with_details,
)


def cards(place, clock):
    return {each.own.product.code: each for each in products.subscriptions_of(place, now=clock.now())}


def for_sale(place, clock):
    return {each.product.code: each for each in products.products_for_sale(place, now=clock.now())}


def test_a_new_workspace_has_the_trial_of_its_plan_alone(place, clock):
    [office] = products.subscriptions_of(place, now=clock.now())
    assert office.own.is_workspace_plan
    assert (office.own.is_bought, office.own.trial_until) == (False, date(2026, 12, 21))
    assert (office.method, office.documents) == (None, ())


def test_licensed_products_are_on_sale_in_the_order_of_the_catalogue(place, clock):
    on_sale = for_sale(place, clock)
    assert list(on_sale) == ["meetings", "webinar", "training", "remote"]
    assert [sold.plan.code for sold in on_sale["meetings"].plans] == [
        "meetings-essential",
        "meetings-professional",
        "meetings-enterprise",
    ]
    assert on_sale["meetings"].currencies == ["EUR", "USD"]
    assert [price.interval for price in on_sale["remote"].plans[0].prices] == [Interval.YEAR] * 2


def test_the_workspace_plan_comes_first_wherever_it_stands_in_the_catalogue(place, clock):
    Product.update(position=99).where(Product.code == "office").execute()
    bought(place, "webinar-standard")
    bought(place, "meetings-essential")
    assert list(cards(place, clock)) == ["office", "meetings", "webinar"]


def test_what_was_bought_is_had_and_cannot_be_bought_again(place, clock):
    bought(place, "meetings-professional", quantity=12)
    own = for_sale(place, clock)["meetings"].own
    assert (own.is_bought, own.has_ended, own.standing.may_be_bought) == (True, False, False)
    assert (own.status.plan.code, own.status.subscription.quantity) == ("meetings-professional", 12)
    assert cards(place, clock)["meetings"].own.status.state is SubscriptionState.PAID


def test_a_trial_is_bought_from_while_it_runs_and_once_it_is_over(place, clock):
    tried(place)
    running = for_sale(place, clock)["meetings"].own
    assert (running.is_bought, running.has_ended) == (False, False)
    assert running.trial_until == date(2026, 12, 5)
    clock.advance(days=14)
    assert not cards(place, clock)["meetings"].own.has_ended
    clock.advance(days=1)
    over = cards(place, clock)["meetings"].own
    assert (over.is_bought, over.has_ended, over.trial_until) == (False, True, date(2026, 12, 5))
    assert over.standing.may_be_bought
    assert not over.standing.may_be_tried


def test_nobody_who_had_the_trial_is_offered_another(place, clock):
    untried = for_sale(place, clock)
    assert untried["meetings"].own.standing.may_be_tried
    assert not untried["remote"].own.standing.may_be_tried
    tried(place)
    bought(place, "webinar-pro")
    had = for_sale(place, clock)
    assert not had["meetings"].own.standing.may_be_tried
    assert not had["webinar"].own.standing.may_be_tried


def test_what_has_ended_stays_visible_with_its_documents_and_can_be_bought_again(place, clock):
    subscription = bought(place)
    cancellation.cancel(subscription, shown_ends_on="2026-12-21", now=clock.now())
    assert cards(place, clock)["meetings"].own.status.state is SubscriptionState.CANCELLED
    assert not for_sale(place, clock)["meetings"].own.standing.may_be_bought
    clock.advance(days=31)
    ended = cards(place, clock)["meetings"]
    assert (ended.own.is_bought, ended.own.has_ended) == (True, True)
    assert [invoice.number for invoice in ended.documents] == [Invoice.get().number]
    assert for_sale(place, clock)["meetings"].own.standing.may_be_bought


def test_the_newest_documents_of_each_product_are_told_and_no_others(place, clock):
    buy(place)
    for number in range(4):
        subscription = bought(place)
        if number == 0:
            bought(place, "webinar-standard")
        cancellation.cancel(subscription, shown_ends_on=subscription.due_on.isoformat(), now=clock.now())
        clock.advance(days=32)
    numbers = [invoice.number for invoice in cards(place, clock)["meetings"].documents]
    # 1 is the plan's and 3 that of the webinar: 2, 4, 5 and 6 are left, of which three are shown.
    assert numbers == ["INV-2027-000002", "INV-2027-000001", "INV-2026-000004"]
    assert [invoice.number for invoice in cards(place, clock)["webinar"].documents] == ["INV-2026-000003"]
    assert cards(place, clock)["office"].documents == ()


def test_a_product_that_is_being_paid_for_is_on_the_page_before_it_is_had(place, clock):
    order = ordering.open_order(
        place, choices=[Choice("training-standard", Interval.MONTH, 2)], currency="EUR", now=clock.now()
    )
    order = with_details(order, place)
    pay(order, ASKS_ONCE)
    training = cards(place, clock)["training"].own
    assert (training.status, training.order_being_paid) == (None, order.number)
    assert for_sale(place, clock)["training"].own.order_being_paid == order.number
    assert for_sale(place, clock)["meetings"].own.order_being_paid == ""


def test_what_others_have_or_pay_for_is_not_told(place, clock):
    bought(a_place("Zenith", owner="Zoe Roy"), "meetings-enterprise", quantity=7)
    assert list(cards(place, clock)) == ["office"]
    assert for_sale(place, clock)["meetings"].own.status is None


def test_the_method_that_is_charged_next_is_told_to_who_may_use_it(place, clock):
    pay(an_order(place), auto_renewal=True)
    card = PaymentMethod.get()
    bought(place, renews_with=card)
    bought(place, "webinar-standard")
    found = cards(place, clock)
    assert (found["office"].method, found["meetings"].method) == (card, card)
    assert found["webinar"].method is None
    member = as_seen_by(place, "Leo Roy")
    assert {each.method for each in cards(member, clock).values()} == {None}


def test_documents_are_for_those_who_see_the_history(place, clock):
    bought(place)
    leo = as_seen_by(place, "Leo Roy")
    assert cards(leo, clock)["meetings"].documents
    assert not cards(replace(leo, may=leo.may - {Right.SEE_HISTORY}), clock)["meetings"].documents


@pytest.mark.parametrize("kept", ["subscribed", "free to buy"])
def test_a_withdrawn_product_is_shown_to_those_who_have_it_and_sold_to_nobody(place, clock, kept):
    if kept == "subscribed":
        bought(place, "training-standard")
    text = CATALOGUE.read_text()
    start = text.index('[[products]]\ncode = "training"')
    apply_catalogue(text[:start] + text[text.index('[[products]]\ncode = "remote"') :])
    assert "training" not in for_sale(place, clock)
    assert ("training" in cards(place, clock)) == (kept == "subscribed")


def test_hidden_withdrawn_and_unpriced_plans_are_not_sold(place, clock):
    hidden, withdrawn, unpriced = "meetings-essential", "meetings-professional", "meetings-enterprise"
    Plan.update(hidden=True).where(Plan.code == hidden).execute()
    Plan.update(withdrawn=True).where(Plan.code == withdrawn).execute()
    theirs = Price.plan << Plan.select().where(Plan.code == unpriced)
    Price.update(valid_until=date(2026, 11, 21)).where(theirs).execute()
    Product.update(revision=secrets.token_hex(16)).execute()
    assert "meetings" not in for_sale(place, clock)


def test_a_price_of_tomorrow_is_not_sold_today(place, clock):
    Price.update(valid_from=date(2026, 11, 22)).execute()
    Product.update(revision=secrets.token_hex(16)).execute()
    assert for_sale(place, clock) == {}
    clock.advance(days=1)
    assert len(for_sale(place, clock)) == 4


def test_a_refund_of_the_only_payment_leaves_a_card_that_has_ended(place, clock):
    subscription = bought(place)
    Subscription.update(price=None, due_on=date(2026, 11, 22)).where(
        Subscription.id == subscription.id
    ).execute()
    own = cards(place, clock)["meetings"].own
    assert (own.is_bought, own.has_ended, own.trial_until) == (False, True, None)
    assert own.standing.may_be_bought
