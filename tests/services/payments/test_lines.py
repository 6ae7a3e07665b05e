"""An order for several products: one payment and one invoice, and each line gives what it says."""

from datetime import date, timedelta

import pytest

from portal.database.connecting import transaction
from portal.domain.buying import AlreadySubscribed, LicencesOutOfRange
from portal.domain.choices import Choice
from portal.domain.errors import CurrencyMismatch, OrderAlreadyPlaced, QuoteChanged
from portal.domain.plans import PlanNotOffered
from portal.domain.vocabulary import Interval, OrderState, PaymentState
from portal.models import Invoice, Order, OrderLine, Payment, Product, Subscription, SubscriptionPeriod
from portal.services import open_money
from portal.services.checkout import ordering
from portal.services.payments import charging, refund_quotes
from portal.services.renewals import run
from portal.services.subscriptions import agreement
from tests.books import assert_books_clean, broken_books
from tests.factories import CATALOGUE, letters
from tests.paying import (
    ASKS_ONCE,
    DECLINED,
    RETURN_URL,
    SILENT_CHARGED,
    a_card,
    an_order,
    apply_catalogue,
    paid_charges,
    pay,
    reloaded,
    with_details,
)

MONTH, YEAR = Interval.MONTH, Interval.YEAR
MEETINGS = Choice("meetings-essential", YEAR, 3)


def an_order_for(place, clock, *choices, currency="EUR"):
    """Ready to be reviewed and paid."""
    opened = ordering.open_order(place, choices=choices, currency=currency, now=clock.now())
    return with_details(opened, place)


@pytest.fixture
def both(place, clock):
    """Business 5 and three licences of Meetings Essential by the year, not paid yet."""
    return an_order_for(place, clock, Choice("business-5", MONTH), MEETINGS)


def of_product(code):
    return Subscription.select().join(Product).where(Product.code == code).first()


def test_each_line_gives_its_product_for_one_payment_and_one_invoice(place, clock, both):
    payment = pay(both)
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
    pay(both)
    meetings = of_product("meetings")
    [line] = OrderLine.select().where(OrderLine.plan == meetings.plan)
    assert line.subscription_id == meetings.id
    assert SubscriptionPeriod.get(SubscriptionPeriod.subscription == meetings).line == line


def test_a_tick_renews_every_line_by_itself(place, clock, both):
    pay(both, auto_renewal=True)
    renewed = {each.plan.code: (each.renew_on, each.announced_minor) for each in Subscription.select()}
    lines = {line.plan.code: (line.end_on, line.total_minor) for line in reloaded(both).lines}
    assert renewed == lines
    assert len(letters("auto_renewal_on")) == 2
    assert_books_clean()


def test_a_decline_gives_nothing_and_the_order_can_be_paid_again(place, clock, both):
    pay(both, DECLINED)
    assert (of_product("meetings"), reloaded(both).state) == (None, OrderState.OPEN)
    pay(reloaded(both))
    assert of_product("meetings").quantity == 3
    assert_books_clean()


def test_ten_licences_cost_what_their_tier_says(place, clock):
    """Meetings Professional: 9 × 15.00 = 135.00, 10 × 13.00 = 130.00."""
    nine = an_order_for(place, clock, Choice("meetings-professional", MONTH, 9))
    assert nine.net_minor == 13_500
    ten = an_order_for(place, clock, Choice("meetings-professional", MONTH, 10))
    assert ten.net_minor == 13_000
    pay(ten)
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
    order = an_order_for(place, clock, MEETINGS)
    pay(order, ASKS_ONCE)
    assert refusal(place, "meetings") == refusal(place, "office", "meetings") == order.number
    assert refusal(place, "office") is refusal(place, "webinar") is None
    assert agreement.of_workspace(place.workspace).open_payment_state is None
    assert open_money.plan_being_paid(place.workspace) is None


def test_the_workspace_plan_is_bought_beside_a_silent_payment_for_another_product(place, clock):
    licensed = pay(an_order_for(place, clock, Choice("webinar-standard", MONTH)), SILENT_CHARGED)
    assert licensed.is_open
    assert pay(an_order(place)).state == PaymentState.SUCCEEDED
    clock.advance_wall(minutes=5)
    assert charging.look_up(Payment.get_by_id(licensed.id), now=clock.now()).state == PaymentState.SUCCEEDED
    assert {each.plan.code for each in Subscription.select()} == {"business-5", "webinar-standard"}
    assert_books_clean()


def test_a_payment_for_the_plan_and_a_product_holds_up_both(place, clock, both):
    pay(both, ASKS_ONCE)
    assert refusal(place, "office") == refusal(place, "meetings") == both.number
    assert open_money.plan_being_paid(place.workspace).code == "business-5"
    assert agreement.of_workspace(place.workspace).open_payment_state == PaymentState.ACTION_REQUIRED
    with pytest.raises(OrderAlreadyPlaced):
        pay(an_order(place, "business-10"))


def past_the_guards(order, clock, number):
    """Placed and asked for as if nobody had looked at what else is open."""
    with transaction(lock=order.workspace):
        payment = ordering.record_placed(reloaded(order), person=order.person, now=clock.now())
    return charging.ask(payment, card=a_card(number), save=False, return_url=RETURN_URL, now=clock.now())


def test_two_open_payments_for_one_product_are_a_fault_of_the_books(place, clock):
    for order in [an_order_for(place, clock, MEETINGS) for _ in range(2)]:
        past_the_guards(order, clock, ASKS_ONCE)
    assert "products_wait_for_one_payment_at_most" in broken_books()


def test_paid_twice_by_a_fault_a_product_is_subscribed_to_once(place, clock):
    """What was paid is always given: the second purchase begins no second subscription."""
    orders = [an_order_for(place, clock, Choice("meetings-essential", MONTH, each)) for each in (1, 2)]
    for order in orders:
        past_the_guards(order, clock, "4242424242424242")
    [meetings] = Subscription.select().join(Product).where(Product.code == "meetings")
    assert meetings.quantity == 2


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", [0, -1, 501, 10**20])
def test_so_many_licences_are_not_sold(place, clock, quantity):
    with pytest.raises(LicencesOutOfRange) as refused:
        an_order_for(place, clock, Choice("meetings-essential", MONTH, quantity))
    assert (refused.value.wanted, refused.value.most) == (quantity, 500)
    assert Order.select().count() == 0


def test_what_is_subscribed_to_is_changed_and_not_bought_again(place, clock):
    first, second = an_order_for(place, clock, MEETINGS), an_order_for(place, clock, MEETINGS)
    pay(first)
    with pytest.raises(AlreadySubscribed):
        an_order_for(place, clock, Choice("meetings-professional", MONTH, 1))
    with pytest.raises(AlreadySubscribed):
        pay(reloaded(second))
    assert len(paid_charges()) == 1
    assert_books_clean()


@pytest.mark.parametrize("code", ["meetings-gone", "trial", "startup", ""])
def test_what_is_not_sold_is_not_ordered_beside_what_is(place, clock, code):
    with pytest.raises(PlanNotOffered):
        an_order_for(place, clock, MEETINGS, Choice(code, MONTH))
    assert Order.select().count() == 0


def test_a_price_that_changed_since_it_was_shown_is_not_charged(place, clock, both):
    text = CATALOGUE.read_text()
    assert 'currency = "EUR", amount_minor = 11000' in text
    apply_catalogue(
        text.replace('currency = "EUR", amount_minor = 11000', 'currency = "EUR", amount_minor = 12000')
    )
    with pytest.raises(QuoteChanged):
        pay(both)
    second = next(line for line in reloaded(both).lines if line.position == 2)
    assert (paid_charges(), second.net_minor) == ([], 36_000)
    pay(reloaded(both))
    assert_books_clean()


def test_the_plan_that_runs_keeps_its_currency_and_another_product_may_have_another(place, clock):
    pay(an_order(place))
    with pytest.raises(CurrencyMismatch):
        an_order_for(place, clock, Choice("business-10", MONTH), MEETINGS, currency="USD")
    pay(an_order_for(place, clock, MEETINGS, currency="USD"))
    assert {each.price.currency for each in Subscription.select()} == {"EUR", "USD"}
    assert_books_clean()


def test_a_renewal_of_licences_costs_their_tier_and_comes_on_their_own_day(place, clock):
    """Bought in November by the month: 10 × 13.00 and 20 % VAT again on 21 December."""
    pay(an_order_for(place, clock, Choice("meetings-professional", MONTH, 10)), auto_renewal=True)
    for _ in range(32):
        clock.advance(days=1)
        run.run_due(now=clock.now())
    assert [charge.amount_minor for charge in paid_charges()] == [15_600, 15_600]
    assert of_product("meetings").due_on == date(2027, 1, 21)
    assert len(letters("renewed")) == len(letters("renewal_ahead")) == 1
    assert_books_clean()


def test_a_payment_for_several_products_is_not_sent_back_as_a_whole(place, clock, both):
    """The licences are not refunded, and the plan's share of a payment has no way back yet."""
    payment = pay(both)
    assert refund_quotes.refundable(place.workspace, now=clock.now()).reason == "several_products"
    with pytest.raises(refund_quotes.RefundImpossible):
        refund_quotes.preview(payment, now=clock.now())


def test_owners_are_offered_a_refund_of_their_plan_and_never_of_licences(place, clock):
    pay(an_order_for(place, clock, MEETINGS))
    assert refund_quotes.last_payment(place.workspace) is None
    plan = pay(an_order(place))
    pay(an_order_for(place, clock, Choice("webinar-standard", MONTH)))
    last = refund_quotes.last_payment(place.workspace)
    assert (last.payment, last.last_day) == (plan, date(2026, 12, 20))
    assert clock.now().date() + timedelta(days=29) == last.last_day
