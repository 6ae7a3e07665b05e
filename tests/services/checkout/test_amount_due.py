"""What is due now, in one amount, and paying it with a saved method: once, and never more than was shown."""

from contextlib import contextmanager
from datetime import date

import pytest

from portal.domain.choices import Choice
from portal.domain.errors import NothingDue, OrderAlreadyPlaced, PortalError, QuoteChanged
from portal.domain.money import Money
from portal.domain.vocabulary import (
    DeclineCode,
    Interval,
    OrderKind,
    OrderState,
    PaymentMethodKind,
    PaymentState,
    Role,
    SubscriptionState,
    WhoMayBuy,
)
from portal.gateways.base import Declined, GatewayUnavailable, MethodFacts
from portal.models import (
    AuditEntry,
    BillingDetails,
    Invoice,
    Order,
    OrderLine,
    Payment,
    PaymentMethod,
    Price,
    Subscription,
    Workspace,
)
from portal.runtime import Runtime, current, install
from portal.services import plans
from portal.services.checkout import amount_due, cart, ordering
from portal.services.payments import charging, method_setups, methods
from portal.services.renewals import run
from portal.services.subscriptions import agreement, auto_renewal, plan_table
from tests import factories
from tests.books import assert_books_clean
from tests.factories import letters
from tests.gates import hold
from tests.passing import pass_days
from tests.paying import (
    ASKS_ALWAYS,
    DECLINED_WHEN_CHARGED,
    NOT_ENOUGH_FUNDS,
    PAID,
    SILENT_CHARGED,
    SILENT_NOT_CHARGED,
    a_place,
    an_order,
    apply_catalogue,
    as_seen_by,
    charged_from_now_on,
    kept_at_the_gateway,
    line_of,
    paid_charges,
    pay,
    the_sandbox,
    with_details,
)
from tests.services.payments.test_concurrency import at_once, faults_of
from tests.services.renewals.test_promises import schedule, sells_at

FIRST_DUE = date(2026, 12, 21)
"""Bought on 21 November 2026 by the month: Business 5, 28.00 and 20 % VAT."""
PRICE = Money(3360, "EUR")
IN_JUNE = Money(3416, "EUR")


@contextmanager
def unanswered(sandbox):
    """The gateway answers no look-up."""
    runtime = current()

    class Silent:
        def __getattr__(self, name):
            return getattr(sandbox, name)

        def fetch(self, key):
            raise GatewayUnavailable()

    install(Runtime(runtime.settings, runtime.clock, {"sandbox": Silent()}))
    try:
        yield
    finally:
        install(runtime)


def status_of(place, clock):
    return agreement.status_of(
        agreement.of_workspace(place.workspace), today=place.workspace.day(clock.now())
    )


def due(place, clock):
    return amount_due.amount_due(place, status_of(place, clock), now=clock.now())


def press(place, clock, shown=None):
    """The button of the banner, under what it shows."""
    shown = shown or due(place, clock)
    return amount_due.pay(
        place,
        place.member.person,
        method_id=str(shown.method.id),
        shown_quote_hash=shown.quote.hash,
        return_url=lambda number: f"http://127.0.0.1:8000/{number}",
        now=clock.now(),
    )


@pytest.fixture
def by_hand(place, clock):
    """Paid once, its card saved, automatic renewal switched off again."""
    pay(an_order(place), auto_renewal=True)
    auto_renewal.switch_off(place, now=clock.now())
    return place


@pytest.fixture
def failed(place, clock):
    """Its renewal was declined on the due date, softly, and is tried again the next day."""
    pay(an_order(place), auto_renewal=True)
    charged_from_now_on(NOT_ENOUGH_FUNDS)
    pass_days(clock, 30)
    assert agreement.of_workspace(place.workspace).renewal_failed_on == FIRST_DUE
    return place


# --- what is due ----------------------------------------------------------------------------------


def test_nothing_is_due_while_the_plan_is_paid(by_hand, clock):
    assert due(by_hand, clock) is None
    pass_days(clock, 30)
    assert due(by_hand, clock) is None


@pytest.mark.settings(PORTAL_GRACE_DAYS="5")
def test_late_the_next_period_is_due_from_the_due_date_on(by_hand, clock):
    pass_days(clock, 31)
    found = due(by_hand, clock)
    assert status_of(by_hand, clock).state == SubscriptionState.LATE
    assert (found.quote.total, found.method.last4, found.is_renewal) == (PRICE, "4242", False)
    payment = press(by_hand, clock)
    assert (payment.state, payment.amount) == (PaymentState.SUCCEEDED, PRICE)
    assert line_of(payment.order).kind == OrderKind.PROLONG
    assert agreement.of_workspace(by_hand.workspace).due_on == date(2027, 1, 21)
    assert not agreement.of_workspace(by_hand.workspace).auto_renewal
    assert due(by_hand, clock) is None
    assert [charge.amount_minor for charge in paid_charges()] == [3360, 3360]
    assert Invoice.select().count() == 2
    assert_books_clean()


def test_blocked_the_next_period_begins_on_the_day_of_the_payment(by_hand, clock):
    pass_days(clock, 40)
    assert status_of(by_hand, clock).is_blocked
    assert due(by_hand, clock).quote.total == PRICE
    press(by_hand, clock)
    found = agreement.of_workspace(by_hand.workspace)
    assert (found.started_on, found.due_on) == (date(2026, 12, 31), date(2027, 1, 31))
    assert_books_clean()


def test_a_failed_renewal_is_paid_for_the_price_that_was_told(failed, clock):
    """The list price rises meanwhile; a payment by hand at the checkout would cost that."""
    apply_catalogue(sells_at("business-5", 4000))
    assert due(failed, clock).quote.total == PRICE
    payment = press(failed, clock, _working(failed, clock))
    assert (payment.state, payment.amount, line_of(payment.order).kind) == (
        PaymentState.SUCCEEDED,
        PRICE,
        OrderKind.RENEWAL,
    )
    found = agreement.of_workspace(failed.workspace)
    assert (found.due_on, found.renewal_failed_on, found.auto_renewal) == (date(2027, 1, 21), None, True)
    assert len(letters("renewed")) == 1
    pass_days(clock, 20)
    assert len(paid_charges()) == 2
    assert_books_clean()


@pytest.mark.parametrize("way", ["another card", "the checkout", "the cart"])
def test_a_failed_renewal_has_one_price_on_every_way(failed, clock, way):
    """28.00 were told and 40.00 are listed by now; in Hungary the tax is 27 %: 28.00 and 7.56."""
    apply_catalogue(sells_at("business-5", 4000))
    BillingDetails.update(country="HU").execute()
    shown = _working(failed, clock)
    assert shown.quote.total == Money(3556, "EUR")
    if way == "another card":
        order = amount_due.order_for_another_card(
            failed, failed.member.person, shown_quote_hash=shown.quote.hash, now=clock.now()
        )
    elif way == "the checkout":
        order = an_order(failed, country="HU")
    else:
        cart.add(failed, choice=Choice("business-5", Interval.MONTH), currency="EUR", now=clock.now())
        read = cart.read(failed, now=clock.now())
        assert (read.net, read.lines[0].difference) == (Money(2800, "EUR"), None)
        order = cart.open_order(failed, shown=read.fingerprint, now=clock.now())
        order = with_details(order, failed, country="HU")
    line = line_of(order)
    assert (line.kind, line.net, order.total_minor) == (OrderKind.PROLONG, Money(2800, "EUR"), 3556)
    assert pay(order).state == PaymentState.SUCCEEDED
    found = agreement.of_workspace(failed.workspace)
    assert (found.due_on, found.auto_renewal, found.announced_minor) == (date(2027, 1, 21), True, 3556)
    assert paid_charges()[-1].amount_minor == 3556
    assert_books_clean()


@pytest.mark.parametrize(
    ("case", "plan", "interval", "currency", "total_minor"),
    [
        ("another plan", "business-10", Interval.MONTH, "EUR", 6120),
        ("by the year", "business-5", Interval.YEAR, "EUR", 33600),
        ("in another currency", "business-5", Interval.MONTH, "USD", 3600),
    ],
)
def test_what_was_not_told_costs_the_list_price(failed, clock, case, plan, interval, currency, total_minor):
    apply_catalogue(sells_at("business-5", 4000))
    assert an_order(failed, plan, interval, currency=currency).total_minor == total_minor


def test_a_guaranteed_plan_that_is_sold_no_more_is_paid_with_another_card_too(failed, clock):
    apply_catalogue(without_plan("business-5"))
    shown = _working(failed, clock)
    order = amount_due.order_for_another_card(
        failed, failed.member.person, shown_quote_hash=shown.quote.hash, now=clock.now()
    )
    assert order.total_minor == shown.quote.total.minor == 3360
    assert pay(order).state == PaymentState.SUCCEEDED
    assert_books_clean()


def test_the_plans_page_shows_what_a_failed_renewal_costs(failed, clock):
    """What was told, not the 40.00 of the list."""
    apply_catalogue(sells_at("business-5", 4000))
    decided = plan_table.decide(
        failed,
        status_of(failed, clock),
        plans.usage_of(failed.workspace),
        wanted="",
        currency="EUR",
        skips_dialog=False,
        now=clock.now(),
    )
    assert decided.table.own_price == Money(2800, "EUR")


def _working(place, clock):
    """The card is covered again; what the banner shows of it."""
    charged_from_now_on(PAID)
    return due(place, clock)


def test_without_a_saved_method_there_is_an_amount_and_nothing_that_pays_at_once(place, clock):
    pay(an_order(place))
    pass_days(clock, 31)
    found = due(place, clock)
    assert (found.quote.total, found.method) == (PRICE, None)
    order = amount_due.order_for_another_card(
        place, place.member.person, shown_quote_hash=found.quote.hash, now=clock.now()
    )
    assert (order.state, order.total_minor, order.quote_hash) == (OrderState.OPEN, 3360, found.quote.hash)
    again = amount_due.order_for_another_card(
        place, place.member.person, shown_quote_hash=found.quote.hash, now=clock.now()
    )
    assert again.number == order.number
    assert pay(order).state == PaymentState.SUCCEEDED
    assert_books_clean()


@pytest.mark.parametrize("number", [NOT_ENOUGH_FUNDS, DECLINED_WHEN_CHARGED])
def test_only_what_may_work_later_is_offered_again(by_hand, clock, number):
    pass_days(clock, 31)
    charged_from_now_on(number)
    first = press(by_hand, clock)
    assert (first.state, Order.get_by_id(first.order_id).state) == (PaymentState.DECLINED, OrderState.OPEN)
    assert letters("payment_failed") == []
    if number == DECLINED_WHEN_CHARGED:
        assert due(by_hand, clock).method is None
    else:
        assert press(by_hand, clock).order.number == first.order.number
    assert len(paid_charges()) == 1
    assert_books_clean()


@pytest.mark.parametrize("case", ["a trial that is over", "a plan that waits", "a plan sold no more"])
def test_where_a_plan_has_to_be_chosen_there_is_no_one_amount(place, clock, case):
    if case != "a trial that is over":
        pay(an_order(place), auto_renewal=True)
        auto_renewal.switch_off(place, now=clock.now())
    if case == "a plan that waits":
        schedule(place, clock)
    if case == "a plan sold no more":
        apply_catalogue(without_plan("business-5"))
    pass_days(clock, 31)
    assert status_of(place, clock).is_blocked
    assert due(place, clock) is None


def without_plan(code):
    """The demo catalogue without one of its plans."""
    parts = factories.CATALOGUE.read_text().split("[[products.plans]]")
    return "[[products.plans]]".join(part for part in parts if f'code = "{code}"' not in part)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MEMBER])
def test_who_may_not_use_the_saved_methods_is_offered_no_amount(by_hand, clock, role):
    Workspace.update(who_may_buy=WhoMayBuy.ANY_MEMBER).execute()
    by_hand.workspace.who_may_buy = WhoMayBuy.ANY_MEMBER
    pass_days(clock, 31)
    assert due(as_seen_by(by_hand, "Mona Petit", role=role), clock) is None
    assert due(as_seen_by(by_hand, "Bill Roux", role=Role.BILLING_MANAGER), clock).quote.total == PRICE


# --- once, and never more than was shown ----------------------------------------------------------


def test_what_was_paid_meanwhile_is_not_charged_again(by_hand, clock):
    pass_days(clock, 31)
    shown = due(by_hand, clock)
    press(by_hand, clock, shown)
    with pytest.raises(NothingDue):
        press(by_hand, clock, shown)
    assert len(paid_charges()) == 2


@pytest.mark.parametrize("change", ["price", "method", "stopped"])
def test_another_amount_or_method_than_shown_charges_nothing(by_hand, clock, change):
    pass_days(clock, 31)
    shown = due(by_hand, clock)
    if change == "price":
        apply_catalogue(sells_at("business-5", 2900))
    elif change == "stopped":
        PaymentMethod.update(stopped_at=clock.now()).execute()
    else:
        methods.remove(by_hand, PaymentMethod.get(), now=clock.now())
    with pytest.raises(QuoteChanged):
        press(by_hand, clock, shown)
    assert len(paid_charges()) == 1
    assert Payment.select().count() == 1


def assert_eight_clicks_are_one_charge(place, clock):
    shown = _working(place, clock)
    results = at_once([lambda: press(place, clock, shown)] * 8)
    assert faults_of(results) == []
    assert [each.state for each in results if isinstance(each, Payment)] == [PaymentState.SUCCEEDED]
    assert all(isinstance(each, (Payment, PortalError)) for each in results)
    assert (len(paid_charges()), Invoice.select().count()) == (2, 2)
    assert_books_clean()


def test_eight_clicks_at_once_for_a_late_plan_are_one_charge(by_hand, clock):
    pass_days(clock, 31)
    assert_eight_clicks_are_one_charge(by_hand, clock)


def test_eight_clicks_at_once_for_a_failed_renewal_are_one_charge(failed, clock):
    assert_eight_clicks_are_one_charge(failed, clock)


def test_a_click_while_the_run_charges_is_refused_and_the_other_way_round(failed, clock):
    """The next day's round has asked already and waits for its answer."""
    shown = _working(failed, clock)
    gate = hold("charge")
    clock.advance(days=1)
    clock.advance_wall(days=1)
    results = at_once([lambda: _open_the_gate_after(gate, failed, clock, shown), lambda: _run(clock)])
    assert faults_of(results) == []
    assert isinstance(results[0], OrderAlreadyPlaced)
    assert len(paid_charges()) == 2
    assert_books_clean()


def _run(clock):
    return run.run_due(now=clock.now())


def _open_the_gate_after(gate, place, clock, shown):
    gate.wait_for_requests()
    try:
        return press(place, clock, shown)
    finally:
        gate.open()


def test_no_answer_is_looked_up_and_no_round_charges_beside_it(failed, clock):
    charged_from_now_on(SILENT_CHARGED)
    payment = press(failed, clock)
    assert payment.state == PaymentState.UNKNOWN
    assert agreement.of_workspace(failed.workspace).open_payment_state == PaymentState.UNKNOWN
    pass_days(clock, 3)
    assert len(paid_charges()) == 2
    assert Payment.get_by_id(payment.id).state == PaymentState.SUCCEEDED
    assert agreement.of_workspace(failed.workspace).open_payment_state is None
    assert_books_clean()


def test_the_bank_asks_whoever_pressed_the_button_and_no_letter_is_written(failed, clock):
    charged_from_now_on(ASKS_ALWAYS)
    payment = press(failed, clock)
    assert (payment.state, payment.tried_on) == (PaymentState.ACTION_REQUIRED, None)
    assert letters("renewal_to_confirm") == []
    the_sandbox().answer_challenge(payment.action_url.rpartition("/")[2], confirmed=True)
    assert charging.look_up(payment, now=clock.now()).state == PaymentState.SUCCEEDED
    assert agreement.of_workspace(failed.workspace).due_on == date(2027, 1, 21)
    assert_books_clean()


def test_what_the_payer_left_at_their_bank_does_not_stop_the_rounds(failed, clock):
    charged_from_now_on(ASKS_ALWAYS)
    left = press(failed, clock)
    _working(failed, clock)
    pass_days(clock, 5)
    assert Payment.get_by_id(left.id).state == PaymentState.DECLINED
    assert agreement.of_workspace(failed.workspace).due_on == date(2027, 1, 21)
    assert len(paid_charges()) == 2
    assert_books_clean()


def test_somebody_else_of_billing_pays_with_the_owners_card(failed, clock):
    bill = as_seen_by(failed, "Bill Roux", role=Role.BILLING_MANAGER)
    payment = press(bill, clock, _working(bill, clock))
    assert payment.order.person == bill.member.person
    assert payment.state == PaymentState.SUCCEEDED
    assert OrderLine.select().where(OrderLine.renews_on == FIRST_DUE).count() == 1


def test_yearly_and_other_currencies_too(place, clock):
    pay(an_order(place, "business-10", Interval.YEAR, currency="USD"), auto_renewal=True)
    auto_renewal.switch_off(place, now=clock.now())
    clock.advance(days=366)
    found = due(place, clock)
    assert press(place, clock, found).amount == found.quote.total
    assert {charge.amount_minor for charge in paid_charges()} == {found.quote.total.minor}


# --- what strangers found -------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["the button", "a card that is added"])
def test_what_is_paid_before_its_day_has_the_tax_of_today(runtime, clock, act):
    """Estonia: 22 % until the end of June 2025, 24 % from July on; the next round is on 1 July."""
    Price.update(valid_from=date(2025, 1, 1)).execute()
    clock.advance(days=(date(2025, 5, 28) - clock.now().date()).days)
    place = a_place("Tallinn")
    pay(
        an_order(
            place, country="EE", is_business=False, company_name="", postal_code="10111", city="Tallinn"
        ),
        auto_renewal=True,
    )
    charged_from_now_on(DECLINED_WHEN_CHARGED if act == "a card that is added" else NOT_ENOUGH_FUNDS)
    pass_days(clock, 31)
    found = agreement.of_workspace(place.workspace)
    assert found.renewal_failed_on == date(2025, 6, 28)
    Subscription.update(renew_on=date(2025, 7, 1)).execute()
    if act == "the button":
        shown = _working(place, clock)
        assert shown.quote.total == IN_JUNE
        assert press(place, clock, shown).amount == IN_JUNE
    else:
        found = agreement.of_workspace(place.workspace)
        assert method_setups.waiting_renewal(found, now=clock.now()) == IN_JUNE


@pytest.mark.parametrize("then", ["never made", "declined later"])
def test_whoever_was_told_to_wait_gets_a_letter_of_the_decline(failed, clock, then):
    charged_from_now_on(SILENT_NOT_CHARGED)
    payment = press(failed, clock)
    assert payment.state == PaymentState.UNKNOWN
    if then == "never made":
        clock.advance_wall(minutes=10)
        charging.look_up_due(limit=10, now=clock.now())
    else:
        answer = Declined(DeclineCode.DECLINED, soft=True, method=None)
        charging.record_answer(payment, answer, now=clock.now())
    assert Payment.get_by_id(payment.id).state == PaymentState.DECLINED
    assert len(letters("payment_failed")) == 1


def test_nobody_is_blocked_while_the_result_of_their_click_is_open(failed, clock):
    """The money was taken, and the gateway does not say so until after the last day of the rounds."""
    charged_from_now_on(SILENT_CHARGED)
    payment = press(failed, clock)
    assert payment.state == PaymentState.UNKNOWN
    with unanswered(the_sandbox()):
        pass_days(clock, 16)
        assert status_of(failed, clock).state == SubscriptionState.PAID
        assert letters("blocked") == []
    charging.look_up(payment, now=clock.now())
    assert agreement.of_workspace(failed.workspace).due_on == date(2027, 1, 21)
    assert_books_clean()


def test_a_click_that_waits_for_its_payer_buys_no_time(failed, clock):
    charged_from_now_on(ASKS_ALWAYS)
    assert press(failed, clock).state == PaymentState.ACTION_REQUIRED
    clock.advance(days=14)
    assert status_of(failed, clock).state == SubscriptionState.LATE
    clock.advance(days=1)
    assert status_of(failed, clock).is_blocked


def test_a_card_that_a_click_saw_refused_for_good_is_in_no_later_round(failed, clock):
    charged_from_now_on(DECLINED_WHEN_CHARGED)
    assert press(failed, clock).state == PaymentState.DECLINED
    before = len(the_sandbox().charges())
    pass_days(clock, 8)
    assert len(the_sandbox().charges()) == before
    assert [letter["context"]["reason"] for letter in letters("renewal_failed")][-1] == "no_method"


def test_neither_an_old_order_nor_another_time_zone_brings_a_refused_card_back(by_hand, clock):
    clock.advance(days=25)
    left = an_order(by_hand)
    pass_days(clock, 6)
    charged_from_now_on(DECLINED_WHEN_CHARGED)
    assert press(by_hand, clock).order.number != left.number
    assert due(by_hand, clock).method is None
    Workspace.update(time_zone="America/New_York").execute()
    by_hand.workspace.time_zone = "America/New_York"
    assert due(by_hand, clock).method is None


def test_another_card_is_a_card_where_paypal_is_saved(by_hand, clock):
    PaymentMethod.update(kind=PaymentMethodKind.PAYPAL, brand="", last4="").execute()
    pass_days(clock, 31)
    shown = due(by_hand, clock)
    order = amount_due.order_for_another_card(
        by_hand, by_hand.member.person, shown_quote_hash=shown.quote.hash, now=clock.now()
    )
    assert order.method_kind == PaymentMethodKind.CARD
    assert pay(order).state == PaymentState.SUCCEEDED


def test_the_card_that_paid_is_charged_first_from_then_on(failed, clock):
    charged_from_now_on(DECLINED_WHEN_CHARGED)
    pass_days(clock, 1)
    second = methods.new_method(
        MethodFacts(
            reference=kept_at_the_gateway(PAID).reference,
            kind=PaymentMethodKind.CARD,
            brand="mastercard",
            last4="4444",
            exp_month=12,
            exp_year=2030,
            holder="Jeanne Martin",
        ),
        workspace=failed.workspace,
        added_by=failed.member.person,
        gateway="sandbox",
        now=clock.now(),
    )
    assert due(failed, clock).method == second
    assert press(failed, clock).state == PaymentState.SUCCEEDED
    assert agreement.of_workspace(failed.workspace).payment_method == second


def test_the_order_of_another_card_stands_in_the_audit_log(by_hand, clock):
    pass_days(clock, 31)
    order = amount_due.order_for_another_card(
        by_hand, by_hand.member.person, shown_quote_hash=due(by_hand, clock).quote.hash, now=clock.now()
    )
    assert (
        AuditEntry.select()
        .where(AuditEntry.action == "order.opened", AuditEntry.subject == order.number)
        .exists()
    )


def test_the_order_of_another_card_is_for_the_plan_that_was_scheduled(place, clock):
    """Its tax rose, so that no card is charged as soon as it is added."""
    pay(an_order(place, country="DE", is_business=False, company_name=""), auto_renewal=True)
    schedule(place, clock)
    charged_from_now_on(NOT_ENOUGH_FUNDS)
    pass_days(clock, 30)
    BillingDetails.update(country="FR").execute()
    clock.advance(days=1)
    shown = due(place, clock)
    assert shown.is_renewal
    order = amount_due.order_for_another_card(
        place, place.member.person, shown_quote_hash=shown.quote.hash, now=clock.now()
    )
    assert [line.plan.code for line in order.lines] == [line_of(order).plan_code] == ["business-3"]
    assert order.total_minor == shown.quote.total.minor
    assert ordering.current_quote(order, now=clock.now()).hash == order.quote_hash
