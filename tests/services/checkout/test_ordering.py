"""From a plan to a payment asked for: the quote is frozen, and nobody pays for what they did not see."""

from datetime import date, timedelta

import pytest

from portal.domain.errors import (
    CurrencyMismatch,
    MissingVatRate,
    OrderAlreadyPlaced,
    QuoteChanged,
    SmallerPlanWaits,
    TooEarlyToProlong,
)
from portal.domain.money import Money
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.vocabulary import (
    Interval,
    OrderKind,
    OrderState,
    PaymentMethodKind,
    PaymentState,
    Role,
    SubscriptionState,
    VatStatus,
)
from portal.models import Order, Payment, Price, Subscription, SubscriptionPeriod, Workspace
from portal.services import plans
from portal.services.checkout import ordering
from portal.services.subscriptions import agreement
from tests.books import assert_books_clean
from tests.factories import CATALOGUE
from tests.paying import (
    DECLINED,
    SILENT_CHARGED,
    a_place,
    an_open_order,
    an_order,
    apply_catalogue,
    as_seen_by,
    buy,
    known_details,
    line_of,
    paid_charges,
    pay,
    reloaded,
    the_sandbox,
    with_details,
)

pytestmark = pytest.mark.both_engines


def dearer(amount_before="amount_minor = 2800 }", amount_after="amount_minor = 2900 }"):
    """The demo catalogue with another price of Business 5 by the month in euros."""
    text = CATALOGUE.read_text()
    assert text.count(amount_before) == 1
    return text.replace(amount_before, amount_after)


def on_sale_for_long():
    """A price that is replaced on its first day is another rule (test_catalogue_service.py)."""
    Price.update(valid_from=date(2026, 11, 1)).execute()


def without(plan_code):
    """The demo catalogue without a plan."""
    parts = CATALOGUE.read_text().split("[[products.plans]]")
    return "[[products.plans]]".join(part for part in parts if f'code = "{plan_code}"' not in part)


def status_of(place, clock):
    today = place.workspace.day(clock.now())
    return agreement.status_of(agreement.of_workspace(place.workspace), today=today)


def periods_of(place):
    subscription = agreement.of_workspace(place.workspace)
    rows = SubscriptionPeriod.select().where(SubscriptionPeriod.subscription == subscription)
    return [(row.start_on, row.end_on) for row in rows.order_by(SubscriptionPeriod.id)]


# --- the order and its details --------------------------------------------------------------------


def test_an_order_is_the_frozen_price_of_today_before_tax(place):
    order = an_open_order(place)
    assert (line_of(order).kind, order.state) == (OrderKind.BUY, OrderState.OPEN)
    assert (order.net_minor, order.tax_minor, order.total_minor, order.currency) == (2800, 0, 2800, "EUR")
    assert order.quote["tax"] is None
    assert (line_of(order).start_on, line_of(order).due_on) == (date(2026, 11, 21), date(2026, 12, 21))
    assert_books_clean()


def test_details_bring_the_tax_and_the_total(place):
    # 28.00 × 20 % = 5.60; 28.00 + 5.60 = 33.60
    order = an_order(place)
    assert (order.net_minor, order.tax_minor, order.total_minor) == (2800, 560, 3360)
    assert order.quote["tax"]["reason"] == "seller_country"
    assert_books_clean()


def test_the_payment_currency_may_differ_from_the_one_shown(place):
    order = an_open_order(place, currency="EUR")
    order = with_details(order, place, currency="USD")
    # 30.00 USD + 20 % = 36.00 USD
    assert (order.display_currency, order.currency, order.total_minor) == ("EUR", "USD", 3600)


def test_the_first_details_become_those_of_the_workspace(place):
    an_order(place, company_name="Acme SARL")
    assert known_details(place).company_name == "Acme SARL"


def test_details_of_somebody_without_the_right_do_not_replace_those_of_the_workspace(place):
    an_order(place, company_name="Acme SARL")
    an_order(as_seen_by(place, "Paul Petit"), company_name="Paul Petit EI")
    assert known_details(place).company_name == "Acme SARL"
    an_order(as_seen_by(place, "Berthe Billet", role=Role.BILLING_MANAGER), company_name="Acme SAS")
    assert known_details(place).company_name == "Acme SAS"


def test_a_country_without_a_known_rate_stops_the_order(place):
    order = an_open_order(place)
    with pytest.raises(MissingVatRate):
        with_details(order, place, country="fr")
    assert reloaded(order).details is None


@pytest.mark.parametrize(
    ("plan", "interval", "currency"),
    [
        ("business-6", Interval.MONTH, "EUR"),
        ("business-5", Interval.MONTH, "XXX"),
        ("business-5", Interval.MONTH, "eur"),
        ("business-100", Interval.MONTH, "EUR"),
        ("startup", Interval.MONTH, "EUR"),
        ("trial", Interval.MONTH, "EUR"),
        ("nonprofit", Interval.YEAR, "EUR"),
        ("meetings-essential", Interval.MONTH, "XXX"),
        ("", Interval.MONTH, ""),
    ],
)
def test_what_is_not_on_sale_cannot_be_ordered(place, plan, interval, currency):
    with pytest.raises(PlanNotOffered):
        an_open_order(place, plan, interval, currency=currency)
    assert Order.select().count() == 0


def test_an_order_of_another_workspace_is_as_if_it_did_not_exist(place):
    order = an_order(place)
    assert ordering.find_order(a_place("Other", owner="Otto Other").workspace, order.number) is None


# --- too small ------------------------------------------------------------------------------------


def test_a_plan_below_the_use_is_refused_with_both_figures(place):
    for name in ("Ada A", "Bob B", "Cyd C"):
        as_seen_by(place, name)
    with pytest.raises(PlanTooSmall) as refused:
        an_open_order(place, "business-3")
    [violation] = refused.value.exceeded_limits
    assert (violation.limit, violation.allowed, violation.used) == ("users", 3, 4)


def test_users_who_came_meanwhile_refuse_the_payment(place):
    order = an_order(place, "business-3")
    for name in ("Ada A", "Bob B", "Cyd C"):
        as_seen_by(place, name)
    with pytest.raises(PlanTooSmall):
        pay(order)
    assert (reloaded(order).state, Payment.select().count(), the_sandbox().charges()) == (
        OrderState.OPEN,
        0,
        [],
    )
    assert_books_clean()


def test_storage_that_grew_meanwhile_refuses_the_payment(place):
    """The page read the workspace before; the use that counts is the one under the lock."""
    order = an_order(place, "business-3")
    Workspace.update(used_storage_bytes=21 * 1024**3).where(Workspace.id == place.workspace.id).execute()
    with pytest.raises(PlanTooSmall) as refused:
        pay(order)
    assert refused.value.exceeded_limits[0].used == 21 * 1024**3
    assert the_sandbox().charges() == []


# --- what was shown is what is charged ------------------------------------------------------------


def refused_with_a_new_quote(order, *, shown=None):
    """Nothing was charged, and the order shows the new quote, which can be paid."""
    before = order.quote_hash
    with pytest.raises(QuoteChanged) as changed:
        pay(order, shown=shown)
    assert the_sandbox().charges() == []
    assert Payment.select().count() == 0
    fresh = reloaded(order)
    assert (fresh.state, fresh.quote_hash) == (OrderState.OPEN, changed.value.current)
    assert changed.value.shown == (shown or before)
    assert_books_clean()
    return fresh


def test_a_price_that_rose_meanwhile_is_shown_before_it_is_charged(place):
    order = an_order(place)
    on_sale_for_long()
    apply_catalogue(dearer())
    order = refused_with_a_new_quote(order)
    assert (order.net_minor, order.total_minor) == (2900, 3480)
    assert pay(order).state == PaymentState.SUCCEEDED
    assert [charge.amount_minor for charge in paid_charges()] == [3480]
    assert_books_clean()


def test_a_price_that_fell_meanwhile_is_shown_too(place):
    order = an_order(place)
    on_sale_for_long()
    apply_catalogue(dearer(amount_after="amount_minor = 2700 }"))
    assert refused_with_a_new_quote(order).total_minor == 3240


def test_a_plan_that_was_withdrawn_meanwhile_cannot_be_paid(place):
    order = an_order(place)
    apply_catalogue(without("business-5"))
    with pytest.raises(PlanNotOffered):
        pay(order)
    assert (reloaded(order).state, the_sandbox().charges()) == (OrderState.OPEN, [])
    assert_books_clean()


def test_a_quote_of_yesterday_is_made_anew(place, clock):
    order = an_order(place)
    clock.advance(days=1)
    assert line_of(refused_with_a_new_quote(order)).start_on == date(2026, 11, 22)


def test_midnight_is_that_of_the_workspace(place, clock):
    """23:30 UTC is the next day in Paris."""
    order = an_order(place)
    clock.advance(hours=14, minutes=30)
    refused_with_a_new_quote(order)


def test_a_tax_country_that_changed_in_another_tab_is_shown_first(place):
    order = an_order(place)
    shown = order.quote_hash
    with_details(order, place, country="DE", is_business=False)
    fresh = refused_with_a_new_quote(reloaded(order), shown=shown)
    assert fresh.quote["tax"]["rate_bp"] == 1900


def test_an_address_that_changed_in_another_tab_is_shown_first(place):
    """Same amounts, another name on the invoice: that too was reviewed."""
    order = an_order(place)
    shown = order.quote_hash
    with_details(order, place, company_name="Somebody Else SARL")
    refused_with_a_new_quote(reloaded(order), shown=shown)


def test_a_method_that_changed_in_another_tab_is_shown_first(place):
    order = an_order(place)
    shown = order.quote_hash
    with_details(order, place, method_kind=PaymentMethodKind.PAYPAL)
    refused_with_a_new_quote(reloaded(order), shown=shown)


@pytest.mark.parametrize("shown", ["0" * 64, "x", "\x00", "é" * 64])
def test_a_forged_quote_charges_nothing(place, shown):
    refused_with_a_new_quote(an_order(place), shown=shown)


def test_an_order_without_details_cannot_be_placed(place):
    order = an_open_order(place)
    with pytest.raises(QuoteChanged):
        pay(order)
    assert the_sandbox().charges() == []


def test_the_preview_is_the_act(place, clock):
    """What the review page computes is, to the last field, what place_order froze and charged."""
    order = an_order(place)
    preview = ordering.current_quote(order, now=clock.now())
    payment = pay(order)
    paid = reloaded(order)
    assert paid.quote == preview.facts
    assert (payment.amount, Money(paid.total_minor, paid.currency)) == (preview.total, preview.total)
    assert [charge.amount_minor for charge in paid_charges()] == [preview.total.minor]
    assert status_of(place, clock).due_on == preview.only_line.due_on


def test_showing_the_order_again_freezes_what_it_costs_now(place, clock):
    order = an_order(place)
    clock.advance(days=2)
    assert line_of(ordering.refresh_quote(order, now=clock.now())).start_on == date(2026, 11, 23)
    assert_books_clean()


def test_a_paid_order_is_not_quoted_anew(place, clock):
    order = an_order(place)
    pay(order)
    clock.advance(days=2)
    assert line_of(ordering.refresh_quote(order, now=clock.now())).start_on == date(2026, 11, 21)
    assert_books_clean()


# --- once -----------------------------------------------------------------------------------------


def test_a_paid_order_cannot_be_placed_again(place):
    order = an_order(place)
    pay(order)
    with pytest.raises(OrderAlreadyPlaced) as refused:
        pay(order)
    assert refused.value.order == order.number
    assert len(paid_charges()) == 1
    assert_books_clean()


def test_details_of_a_paid_order_stay_as_they_are(place):
    order = an_order(place)
    pay(order)
    with pytest.raises(OrderAlreadyPlaced):
        with_details(order, place, company_name="Too Late SARL")
    assert reloaded(order).details["company_name"] == "Acme SARL"


def test_while_a_payment_is_unknown_no_other_order_of_the_workspace_is_paid(place):
    first, second = an_order(place), an_order(place, "business-10")
    assert pay(first, SILENT_CHARGED).state == PaymentState.UNKNOWN
    with pytest.raises(OrderAlreadyPlaced) as refused:
        pay(second)
    assert refused.value.order == first.number
    assert len(the_sandbox().charges()) == 1
    assert_books_clean()


def test_another_workspace_pays_meanwhile(place):
    pay(an_order(place), SILENT_CHARGED)
    assert buy(a_place("Other", owner="Otto Other")).state == PaymentState.SUCCEEDED
    assert_books_clean()


def test_two_tabs_with_an_order_each_buy_one_plan(place):
    """The second order was quoted before the first was paid: it is now a prolonging, and far too early."""
    first, second = an_order(place), an_order(place)
    pay(first)
    with pytest.raises((QuoteChanged, TooEarlyToProlong)):
        pay(second)
    assert len(paid_charges()) == 1
    assert_books_clean()


def test_a_declined_order_is_open_again_and_a_second_attempt_pays(place):
    order = an_order(place)
    first = pay(order, DECLINED)
    assert (first.state, reloaded(order).state) == (PaymentState.DECLINED, OrderState.OPEN)
    assert_books_clean()
    second = pay(reloaded(order))
    assert (second.state, second.key != first.key) == (PaymentState.SUCCEEDED, True)
    assert len(paid_charges()) == 1
    assert_books_clean()


# --- what a payment gives -------------------------------------------------------------------------


def test_buying_from_a_trial_begins_today_and_ends_the_trial(place, clock):
    clock.advance(days=3)
    buy(place)
    status = status_of(place, clock)
    assert (status.state, status.plan.code, status.due_on) == (
        SubscriptionState.PAID,
        "business-5",
        date(2026, 12, 24),
    )
    assert periods_of(place) == [
        (date(2026, 11, 21), date(2026, 11, 24)),
        (date(2026, 11, 24), date(2026, 12, 24)),
    ]
    assert_books_clean()


def test_buying_after_the_trial_is_over_begins_on_the_day_of_the_payment(place, clock):
    clock.advance(days=40)
    assert status_of(place, clock).state == SubscriptionState.BLOCKED
    buy(place)
    assert status_of(place, clock).due_on == date(2027, 1, 31)
    assert_books_clean()


def test_prolonging_begins_at_the_due_date(place, clock):
    buy(place)
    clock.advance(days=20)
    order = an_order(place)
    assert line_of(order).kind == OrderKind.PROLONG
    pay(order)
    assert status_of(place, clock).due_on == date(2027, 1, 21)
    assert periods_of(place)[1:] == [
        (date(2026, 11, 21), date(2026, 12, 21)),
        (date(2026, 12, 21), date(2027, 1, 21)),
    ]
    assert_books_clean()


def test_prolonging_remembers_the_anchor_day(runtime, clock):
    clock.set(clock.now() + timedelta(days=71))  # 31 January 2027
    place = a_place()
    buy(place)
    assert status_of(place, clock).due_on == date(2027, 2, 28)
    clock.advance(days=20)
    buy(place)
    assert status_of(place, clock).due_on == date(2027, 3, 31)
    assert_books_clean()


@pytest.mark.settings(PORTAL_GRACE_DAYS="10")
def test_paying_late_within_the_grace_days_begins_at_the_due_date(place, clock):
    buy(place)
    clock.advance(days=35)  # 26 December: five days late.
    assert status_of(place, clock).state == SubscriptionState.LATE
    buy(place)
    assert status_of(place, clock).due_on == date(2027, 1, 21)
    assert_books_clean()


def test_paying_when_blocked_begins_on_the_day_of_the_payment(place, clock):
    buy(place)
    clock.advance(days=35)
    assert status_of(place, clock).state == SubscriptionState.BLOCKED
    buy(place)
    assert status_of(place, clock).due_on == date(2027, 1, 26)
    assert_books_clean()


def test_the_published_example_of_a_change(runtime, clock):
    """18 USD on 1 January, 30 USD on 3 January: due 19 February (source-systems.md §3.1)."""
    clock.set(clock.now() + timedelta(days=41))  # 1 January 2027
    place = a_place()
    buy(place, "business-3", currency="USD")
    clock.advance(days=2)
    order = an_order(place, "business-5", currency="USD")
    # 28 days × 18/31 = 504/31 = 16.26; 504/31 ÷ 30/31 = 16.8 → 16 days; 3 February + 16 = 19 February
    assert line_of(order).kind == OrderKind.CHANGE
    assert (order.net_minor, line_of(order).extension["unused_days"]) == (3000, 28)
    assert (line_of(order).extension["extra_days"], line_of(order).due_on) == (16, date(2027, 2, 19))
    pay(order)
    assert status_of(place, clock).due_on == date(2027, 2, 19)
    assert periods_of(place)[1:] == [
        (date(2027, 1, 1), date(2027, 1, 3)),
        (date(2027, 1, 3), date(2027, 2, 19)),
    ]
    assert Subscription.get().anchor_day == 19
    assert_books_clean()


def test_a_change_takes_a_prepaid_period_with_it(place, clock):
    """Both periods are cut: the running one today, the one to come to nothing."""
    buy(place, "business-3")
    clock.advance(days=20)
    buy(place, "business-3")
    clock.advance(days=1)  # 12 December: 8 days left of the first, 31 of the second.
    order = an_order(place, "business-5")
    # 8 × 17/30 + 31 × 17/31 = 21.533…; ÷ 28/31 = 23.84 → 23 days; 12 January + 23 = 4 February
    assert (line_of(order).extension["unused_days"], line_of(order).extension["extra_days"]) == (39, 23)
    pay(order)
    assert periods_of(place) == [
        (date(2026, 11, 21), date(2026, 11, 21)),
        (date(2026, 11, 21), date(2026, 12, 12)),
        (date(2026, 12, 21), date(2026, 12, 21)),
        (date(2026, 12, 12), date(2027, 2, 4)),
    ]
    assert_books_clean()


def test_a_change_from_two_prepaid_years_to_a_short_month_keeps_the_books(place, clock):
    """The emptied period begins long after the new due date."""
    buy(place, "business-3", Interval.YEAR)
    clock.advance(days=340)
    buy(place, "business-3", Interval.YEAR)
    buy(place, "business-100", Interval.YEAR)
    assert status_of(place, clock).due_on < date(2028, 11, 21)
    assert_books_clean()


def test_two_changes_on_one_day_lose_nothing_but_that_day(place, clock):
    buy(place, "business-3")
    clock.advance(days=2)
    buy(place, "business-5")
    buy(place, "business-10")
    assert len(paid_charges()) == 3
    assert status_of(place, clock).plan.code == "business-10"
    assert_books_clean()


def test_a_change_on_the_due_date_has_nothing_left(place, clock):
    buy(place)
    clock.advance(days=30)
    order = an_order(place, "business-10")
    assert (line_of(order).kind, line_of(order).extension) == (OrderKind.CHANGE, None)
    assert line_of(order).due_on == date(2027, 1, 21)
    pay(order)
    assert_books_clean()


def test_the_currency_of_a_running_period_cannot_be_changed(place):
    buy(place)
    with pytest.raises(CurrencyMismatch):
        an_open_order(place, "business-10", currency="USD")


def test_a_smaller_plan_waits_for_the_due_date(place, clock):
    buy(place, "business-10")
    with pytest.raises(SmallerPlanWaits):
        an_open_order(place, "business-5")
    clock.advance(days=31)
    assert line_of(an_open_order(place, "business-5")).kind == OrderKind.CHANGE


def test_prolonging_far_ahead_is_refused(place, clock):
    buy(place)
    clock.advance(days=20)  # 11 December
    buy(place)  # until 21 January: the next month, so the period after it may be paid too
    buy(place)  # until 21 February
    with pytest.raises(TooEarlyToProlong):
        an_open_order(place)


def test_reverse_charge_is_charged_net(place):
    # 28.00 + 0 % = 28.00
    order = an_order(place, country="DE", vat_number="DE136695976", vat_status=VatStatus.UNCHECKED)
    payment = pay(order)
    assert (payment.amount_minor, reloaded(order).quote["tax"]["category"]) == (2800, "AE")
    assert_books_clean()


def test_what_is_on_sale_is_counted_with_the_use_of_today(place):
    assert plans.usage_of(place.workspace).storage_bytes == 0
    Workspace.update(used_storage_bytes=5).execute()
    assert plans.usage_of(place.workspace).storage_bytes == 5
