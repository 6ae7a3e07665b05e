"""An order for several products: one payment and one invoice, and each line gives what it says."""

from datetime import date, timedelta

import pytest

from portal.database.connecting import transaction
from portal.domain.errors import OrderAlreadyPlaced
from portal.domain.pricing import Offer, PresentTerms, WantedLine, make_quote
from portal.domain.tax import Buyer
from portal.domain.vocabulary import Interval, OrderState, PaymentState, SubscriptionState
from portal.models import Invoice, OrderLine, Payment, Plan, Product, Subscription, SubscriptionPeriod
from portal.services import open_money, orders, plans
from portal.services.checkout import ordering
from portal.services.payments import charging, refund_quotes
from portal.services.subscriptions import agreement
from tests.books import assert_books_clean, broken_books
from tests.factories import letters
from tests.paying import (
    ASKS_ONCE,
    PAID,
    RETURN_URL,
    SILENT_CHARGED,
    a_card,
    an_order,
    paid_charges,
    pay,
    reloaded,
)

TODAY = date(2026, 11, 21)


def licences(code, quantity, interval=Interval.MONTH):
    """A first purchase of a licensed product."""
    plan = Plan.get(Plan.code == code)
    price = next(each for each in plan.prices if (each.interval, each.currency) == (interval, "EUR"))
    offer = Offer(plan.id, code, plan.names, interval, price.id, price.volume_price.unit_amount(quantity))
    never = PresentTerms(code, None, SubscriptionState.TRIAL, None, TODAY.day)
    return WantedLine(never, offer, quantity)


def the_plan(place, code="business-5"):
    subscription = agreement.of_workspace(place.workspace)
    on_sale = plans.plans_on_sale(subscription.product, on=TODAY)
    offer = plans.offer_of(on_sale, plan_code=code, interval=Interval.MONTH, currency="EUR")
    status = agreement.status_of(subscription, today=TODAY)
    return WantedLine(agreement.present_terms_of(status), offer)


def an_order_for(place, wanted, subscriptions, clock):
    """With the details of a buyer who had an order for the workspace plan in mind."""
    order = reloaded(an_order(place))
    quote = make_quote(
        wanted,
        buyer=Buyer.of(order.details),
        seller_country="FR",
        unchecked_counts_as_valid=True,
        on=TODAY,
        reviewed={"details": order.details, "method_kind": order.method_kind.value},
    )
    with transaction(lock=place.workspace):
        orders.freeze(order, quote, subscriptions)
    return order


def place_it(order, clock, number=PAID, *, auto_renewal=False):
    with transaction(lock=order.workspace):
        order = reloaded(order)
        order.auto_renewal = auto_renewal
        payment = ordering.record_placed(order, person=order.person, now=clock.now())
    return charging.ask(
        payment, card=a_card(number), save=auto_renewal, return_url=RETURN_URL, now=clock.now()
    )


@pytest.fixture
def both(place, clock):
    """Business 5 and three licences of Meetings Essential by the year, not paid yet."""
    wanted = [the_plan(place), licences("meetings-essential", 3, Interval.YEAR)]
    return an_order_for(place, wanted, [agreement.of_workspace(place.workspace), None], clock)


def of_product(code):
    return Subscription.select().join(Product).where(Product.code == code).first()


def test_each_line_gives_its_product_for_one_payment_and_one_invoice(place, clock, both):
    payment = place_it(both, clock)
    assert (payment.state, len(paid_charges())) == (PaymentState.SUCCEEDED, 1)
    assert payment.amount_minor == both.total_minor == sum(line.total_minor for line in reloaded(both).lines)
    office, meetings = of_product("office"), of_product("meetings")
    assert (office.plan.code, office.quantity, office.due_on) == ("business-5", 1, date(2026, 12, 21))
    assert (meetings.plan.code, meetings.quantity, meetings.due_on) == (
        "meetings-essential",
        3,
        date(2027, 11, 21),
    )
    [invoice] = Invoice.select()
    printed = invoice.facts["lines"]
    assert [(line["quantity"], line["quantity"] * line["unit_minor"]) for line in printed] == [
        (1, 2800),
        (3, printed[1]["net_minor"]),
    ]
    assert sum(line["net_minor"] for line in printed) == invoice.net_minor
    # The buyer, and the address of the billing details.
    assert len(letters("order_confirmed")) == 2
    assert_books_clean()


def test_the_line_of_a_first_purchase_names_its_subscription_once_it_is_paid(place, clock, both):
    assert [line.subscription_id is None for line in reloaded(both).lines] == [False, True]
    place_it(both, clock)
    meetings = of_product("meetings")
    [line] = OrderLine.select().where(OrderLine.plan == meetings.plan)
    assert line.subscription_id == meetings.id
    assert SubscriptionPeriod.get(SubscriptionPeriod.subscription == meetings).line == line


def test_a_tick_renews_every_line_by_itself(place, clock, both):
    place_it(both, clock, auto_renewal=True)
    renewed = {each.plan.code: (each.renew_on, each.announced_minor) for each in Subscription.select()}
    lines = {line.plan.code: (line.end_on, line.total_minor) for line in reloaded(both).lines}
    assert renewed == lines
    assert len(letters("auto_renewal_on")) == 2
    assert_books_clean()


def test_a_decline_gives_nothing_and_the_order_can_be_paid_again(place, clock, both):
    place_it(both, clock, "4000000000000002")
    assert (of_product("meetings"), reloaded(both).state) == (None, OrderState.OPEN)
    place_it(reloaded(both), clock)
    assert of_product("meetings").quantity == 3
    assert_books_clean()


def test_ten_licences_cost_what_their_tier_says(place, clock):
    """Meetings Professional: 9 × 15.00 = 135.00, 10 × 13.00 = 130.00."""
    nine = an_order_for(place, [licences("meetings-professional", 9)], [None], clock)
    assert nine.net_minor == 13_500
    ten = an_order_for(place, [licences("meetings-professional", 10)], [None], clock)
    assert ten.net_minor == 13_000
    place_it(ten, clock)
    assert_books_clean()


# --- money on its way -----------------------------------------------------------------------------


def refusal(place, *codes):
    """Whether an order for these products is refused now, and for which order."""
    products = [Product.get(Product.code == code) for code in codes]
    with transaction(lock=place.workspace):
        try:
            open_money.refuse_beside_open_money(place.workspace, products)
        except OrderAlreadyPlaced as placed:
            return placed.order
    return None


def test_an_open_payment_holds_up_its_own_products_and_no_other(place, clock):
    order = an_order_for(place, [licences("meetings-essential", 3)], [None], clock)
    place_it(order, clock, ASKS_ONCE)
    assert refusal(place, "meetings") == refusal(place, "office", "meetings") == order.number
    assert refusal(place, "office") is refusal(place, "webinar") is None
    assert agreement.of_workspace(place.workspace).open_payment_state is None
    assert open_money.plan_being_paid(place.workspace) is None


def test_the_workspace_plan_is_bought_beside_a_silent_payment_for_another_product(place, clock):
    licensed = place_it(
        an_order_for(place, [licences("webinar-standard", 1)], [None], clock), clock, SILENT_CHARGED
    )
    assert licensed.is_open
    assert pay(an_order(place)).state == PaymentState.SUCCEEDED
    clock.advance_wall(minutes=5)
    assert charging.look_up(Payment.get_by_id(licensed.id), now=clock.now()).state == PaymentState.SUCCEEDED
    assert {each.plan.code for each in Subscription.select()} == {"business-5", "webinar-standard"}
    assert_books_clean()


def test_a_payment_for_the_plan_and_a_product_holds_up_both(place, clock, both):
    place_it(both, clock, ASKS_ONCE)
    assert refusal(place, "office") == refusal(place, "meetings") == both.number
    assert open_money.plan_being_paid(place.workspace).code == "business-5"
    assert agreement.of_workspace(place.workspace).open_payment_state == PaymentState.ACTION_REQUIRED
    with pytest.raises(OrderAlreadyPlaced):
        pay(an_order(place, "business-10"))


def test_two_open_payments_for_one_product_are_a_fault_of_the_books(place, clock):
    for _ in range(2):
        place_it(an_order_for(place, [licences("meetings-essential", 1)], [None], clock), clock, ASKS_ONCE)
    assert "products_wait_for_one_payment_at_most" in broken_books()


def test_paid_twice_by_a_fault_a_product_is_subscribed_to_once(place, clock):
    """What was paid is always given: the second purchase begins no second subscription."""
    first, second = (
        an_order_for(place, [licences("meetings-essential", quantity)], [None], clock) for quantity in (1, 2)
    )
    place_it(first, clock)
    place_it(second, clock)
    [meetings] = Subscription.select().join(Product).where(Product.code == "meetings")
    assert meetings.quantity == 2


def test_owners_are_offered_a_refund_of_their_plan_and_never_of_licences(place, clock):
    place_it(an_order_for(place, [licences("meetings-essential", 3)], [None], clock), clock)
    assert refund_quotes.last_payment(place.workspace) is None
    plan = pay(an_order(place))
    place_it(an_order_for(place, [licences("webinar-standard", 1)], [None], clock), clock)
    last = refund_quotes.last_payment(place.workspace)
    assert (last.payment, last.last_day) == (plan, date(2026, 12, 20))
    assert clock.now().date() + timedelta(days=29) == last.last_day
