"""Licences that are late or blocked, paid by hand: the period that is due, once, for what was shown."""

from datetime import date

import pytest

from portal.domain.choices import Choice
from portal.domain.errors import CurrencyMismatch, NothingDue, OrderAlreadyPlaced, PortalError, QuoteChanged
from portal.domain.money import Money
from portal.domain.requests import AboveCeiling
from portal.domain.vocabulary import (
    Interval,
    OrderKind,
    PaidWith,
    PaymentState,
    Role,
    SubscriptionState,
    WhoMayBuy,
)
from portal.models import (
    BillingDetails,
    Invoice,
    Member,
    Payment,
    PaymentMethod,
    Product,
    Subscription,
    Workspace,
)
from portal.services import ledger
from portal.services.checkout import amount_due, ordering
from portal.services.renewals import run
from portal.services.subscriptions import agreement, auto_renewal, cancellation, scheduled_change
from tests import factories, paying
from tests.books import assert_books_clean
from tests.crediting import credit
from tests.factories import letters
from tests.gates import hold
from tests.licensed import bought, tried
from tests.passing import pass_days
from tests.paying import (
    DECLINED_WHEN_CHARGED,
    NOT_ENOUGH_FUNDS,
    PAID,
    SILENT_CHARGED,
    an_order,
    apply_catalogue,
    as_seen_by,
    charged_from_now_on,
    line_of,
    paid_charges,
    pay,
)
from tests.services.payments.test_concurrency import at_once, faults_of
from tests.services.renewals.test_promises import sells_at

# Meetings Essential is 11.00 a licence and month, + 20 %: 39.60 for three. Bought on 21 November 2026, it is
# paid until 21 December. The plan is Business 5 by the year, so that nothing else is due.
THREE = Money(3960, "EUR")


def meetings():
    return Product.get(Product.code == "meetings")


def status_of(place, clock, product=None):
    subscription = agreement.of_product(place.workspace, product or meetings())
    return agreement.status_of(subscription, today=place.workspace.day(clock.now()))


def due(place, clock, product=None):
    return amount_due.amount_due(place, status_of(place, clock, product), now=clock.now())


def press(place, clock, shown=None, product=None):
    """The button of the card, under what it shows."""
    shown = shown or due(place, clock, product)
    return amount_due.pay(
        place,
        place.member.person,
        product=product or meetings(),
        method_id=str(shown.method.id) if shown.method else PaidWith.BALANCE.value,
        shown_quote_hash=shown.quote.hash,
        return_url=lambda number: f"http://127.0.0.1:8000/{number}",
        now=clock.now(),
    )


def charged():
    """Beside what the plan costs."""
    return [charge.amount_minor for charge in paid_charges()][1:]


def schedule(place, clock, choice):
    shown = scheduled_change.preview(place.workspace, choice, product=meetings(), now=clock.now())
    scheduled_change.schedule(place, choice, product=meetings(), shown_hash=shown.hash, now=clock.now())


@pytest.fixture
def place(place, clock):
    pay(an_order(place, interval=Interval.YEAR), auto_renewal=True)
    return place


@pytest.fixture
def three(place):
    """Three licences that are paid by hand; the card of the plan is saved."""
    return bought(place, quantity=3)


@pytest.fixture
def failed(place, clock):
    """Three licences whose renewal was declined on the due date, softly."""
    bought(place, quantity=3, renews_with=PaymentMethod.get())
    charged_from_now_on(NOT_ENOUGH_FUNDS)
    pass_days(clock, 30)
    assert status_of(place, clock).subscription.renewal_failed_on == date(2026, 12, 21)
    return place


# --- what is due ----------------------------------------------------------------------------------


def test_nothing_is_due_while_they_are_paid_and_on_the_due_date(place, clock, three):
    assert due(place, clock) is None
    pass_days(clock, 30)
    assert due(place, clock) is None
    with pytest.raises(NothingDue):
        amount_due.order_by_oneself(place, product=meetings(), now=clock.now())


@pytest.mark.settings(PORTAL_GRACE_DAYS="5")
def test_late_the_next_period_begins_on_the_due_date(place, clock, three):
    pass_days(clock, 33)
    assert status_of(place, clock).state is SubscriptionState.LATE
    found = due(place, clock)
    assert (found.quote.total, found.method.last4, found.is_renewal) == (THREE, "4242", False)
    payment = press(place, clock)
    assert (payment.state, payment.amount) == (PaymentState.SUCCEEDED, THREE)
    line = line_of(payment.order)
    assert (line.kind, line.quantity, line.start_on, line.due_on) == (
        OrderKind.PROLONG,
        3,
        date(2026, 12, 21),
        date(2027, 1, 21),
    )
    status = status_of(place, clock)
    assert (status.state, status.due_on) == (SubscriptionState.PAID, date(2027, 1, 21))
    assert not status.subscription.auto_renewal
    assert due(place, clock) is None
    assert charged() == [3960, 3960]
    [letter] = letters("order_confirmed")[-1:]
    assert letter["attachments"]
    assert_books_clean()


def test_blocked_it_begins_on_the_day_of_the_payment(place, clock, three):
    pass_days(clock, 40)
    assert status_of(place, clock).is_blocked
    press(place, clock)
    status = status_of(place, clock)
    assert status.state is SubscriptionState.PAID
    assert (status.subscription.started_on, status.due_on) == (date(2026, 12, 31), date(2027, 1, 31))
    assert_books_clean()


@pytest.mark.parametrize(
    ("case", "wait", "quantity", "plan", "minor", "period"),
    [
        ("fewer, late", 33, 2, "meetings-essential", 2640, (date(2026, 12, 21), date(2027, 1, 21))),
        ("fewer, blocked", 40, 2, "meetings-essential", 2640, (date(2026, 12, 31), date(2027, 1, 31))),
        ("lower plan, late", 33, 2, "meetings-essential", 2640, (date(2026, 12, 21), date(2027, 1, 21))),
    ],
)
@pytest.mark.settings(PORTAL_GRACE_DAYS="5")
def test_what_waited_for_the_due_date_is_what_is_due(place, clock, case, wait, quantity, plan, minor, period):
    bought(place, "meetings-professional" if "plan" in case else plan, quantity=3)
    schedule(place, clock, Choice(plan, Interval.MONTH, quantity))
    pass_days(clock, wait)
    assert due(place, clock).quote.total == Money(minor, "EUR")
    press(place, clock)
    found = status_of(place, clock).subscription
    assert (found.plan.code, found.quantity, found.scheduled_plan, found.scheduled_quantity) == (
        plan,
        quantity,
        None,
        None,
    )
    assert (found.started_on, found.due_on) == period
    assert_books_clean()


def test_a_failed_renewal_is_paid_for_the_price_that_was_told(failed, clock):
    apply_catalogue(sells_at("meetings-essential", 1300))
    charged_from_now_on(PAID)
    shown = due(failed, clock)
    assert (shown.quote.total, shown.is_renewal) == (THREE, True)
    payment = press(failed, clock, shown)
    assert (payment.state, line_of(payment.order).kind) == (PaymentState.SUCCEEDED, OrderKind.RENEWAL)
    found = status_of(failed, clock).subscription
    assert (found.due_on, found.renewal_failed_on, found.auto_renewal) == (date(2027, 1, 21), None, True)
    pass_days(clock, 20)
    assert charged() == [3960, 3960]
    assert_books_clean()


def for_another_card(place, clock, shown):
    return amount_due.order_for_another_card(
        place, place.member.person, product=meetings(), shown_quote_hash=shown.quote.hash, now=clock.now()
    )


@pytest.mark.parametrize("way", ["another card", "an order by oneself"])
def test_a_failed_renewal_has_one_price_on_every_way(failed, clock, way):
    """11.00 were told and 13.00 are listed by now; in Hungary the tax is 27 %: 33.00 and 8.91 for three."""
    apply_catalogue(sells_at("meetings-essential", 1300))
    BillingDetails.update(country="HU").execute()
    charged_from_now_on(PAID)
    shown = due(failed, clock)
    assert shown.quote.total == Money(4191, "EUR")
    if way == "another card":
        order = for_another_card(failed, clock, shown)
    else:
        order = amount_due.order_by_oneself(failed, product=meetings(), now=clock.now())
        order = paying.with_details(order, failed, country="HU")
    line = line_of(order)
    assert (line.kind, line.unit, line.net, order.total_minor) == (
        OrderKind.PROLONG,
        Money(1100, "EUR"),
        Money(3300, "EUR"),
        4191,
    )
    assert pay(order).state == PaymentState.SUCCEEDED
    assert charged() == [3960, 4191]
    found = status_of(failed, clock).subscription
    assert (found.due_on, found.auto_renewal, found.renewal_failed_on) == (date(2027, 1, 21), True, None)
    assert (found.announced_net_minor, found.announced_minor) == (3300, 4191)
    assert_books_clean()


def test_what_a_letter_told_of_the_renewal_is_its_price_by_hand(failed, clock):
    """12.00 were told in time, in the place of 11.00, and neither is listed any more."""
    apply_catalogue(sells_at("meetings-essential", 1200))
    Subscription.update(announced_net_minor=3600, announced_minor=4320).where(
        Subscription.product == meetings()
    ).execute()
    clock.advance(days=3)
    apply_catalogue(sells_at("meetings-essential", 1300))
    charged_from_now_on(PAID)
    assert due(failed, clock).quote.total == Money(4320, "EUR")
    order = amount_due.order_by_oneself(failed, product=meetings(), now=clock.now())
    order = paying.with_details(order, failed)
    assert order.total_minor == 4320
    assert pay(order).state == PaymentState.SUCCEEDED
    assert_books_clean()


def test_a_guaranteed_plan_that_is_sold_no_more_is_paid_by_hand_too(failed, clock):
    Subscription.update(locked_price_minor=3300, locked_until=date(2027, 11, 21)).where(
        Subscription.product == meetings()
    ).execute()
    text = factories.CATALOGUE.read_text()
    plan = 'code = "meetings-essential"\n'
    apply_catalogue(text.replace(plan, f"{plan}hidden = true\n"))
    charged_from_now_on(PAID)
    assert due(failed, clock).quote.total == THREE
    assert amount_due.may_order(failed, status_of(failed, clock), now=clock.now())
    order = amount_due.order_by_oneself(failed, product=meetings(), now=clock.now())
    order = paying.with_details(order, failed)
    assert order.total_minor == 3960
    assert pay(order).state == PaymentState.SUCCEEDED
    assert_books_clean()


def test_without_automatic_renewal_the_list_price_is_due_on_every_way(place, clock, three):
    """Nothing was told, and nothing is guaranteed: 13.00, with tax 46.80 for three."""
    apply_catalogue(sells_at("meetings-essential", 1300))
    pass_days(clock, 31)
    shown = due(place, clock)
    by_oneself = amount_due.order_by_oneself(place, product=meetings(), now=clock.now())
    totals = [
        for_another_card(place, clock, shown).total_minor,
        paying.with_details(by_oneself, place).total_minor,
    ]
    assert totals == [shown.quote.total.minor] * 2 == [4680, 4680]


@pytest.mark.parametrize("kept", ["all of it", "a part"])
def test_the_balance_pays_first(place, clock, three, kept):
    bought(place, "webinar-standard", quantity=4 if kept == "all of it" else 1)
    credit(Invoice.select().order_by(Invoice.id.desc()).get(), clock.now().date())
    balance = ledger.kept(place.workspace, "EUR")
    PaymentMethod.update(stopped_at=clock.now() if kept == "all of it" else None).execute()
    pass_days(clock, 31)
    before = charged()
    shown = due(place, clock)
    assert shown.quote.due == max(THREE - balance, Money(0, "EUR"))
    payment = press(place, clock, shown)
    assert payment.state == PaymentState.SUCCEEDED
    assert charged() == [*before, *([shown.quote.due.minor] if shown.quote.due.minor else [])]
    assert ledger.kept(place.workspace, "EUR") == max(balance - THREE, Money(0, "EUR"))
    assert_books_clean()


@pytest.mark.parametrize("case", ["on trial", "a trial that is over", "cancelled", "ended", "sold no more"])
def test_nothing_of_it_is_due(place, clock, case):
    if "trial" in case:
        tried(place)
    else:
        bought(place, quantity=3)
    if case in ("cancelled", "ended"):
        cancellation.cancel(status_of(place, clock).subscription, shown_ends_on="2026-12-21", now=clock.now())
    if case == "sold no more":
        text = factories.CATALOGUE.read_text()
        plan = 'code = "meetings-essential"\n'
        apply_catalogue(text.replace(plan, f"{plan}hidden = true\n"))
    pass_days(clock, 3 if case in ("on trial", "cancelled") else 33)
    assert due(place, clock) is None
    with pytest.raises(PortalError):
        amount_due.order_by_oneself(place, product=meetings(), now=clock.now())


def test_what_has_ended_is_bought_anew(place, clock, three):
    """Cancelled while blocked, it ends at once; what is bought then begins that day."""
    pass_days(clock, 40)
    order = amount_due.order_by_oneself(place, product=meetings(), now=clock.now())
    cancellation.cancel(status_of(place, clock).subscription, shown_ends_on="", now=clock.now())
    assert due(place, clock) is None
    with pytest.raises(NothingDue):
        ordering.current_quote(order, now=clock.now())
    again = bought(place, quantity=2)
    assert (again.started_on, again.quantity) == (date(2026, 12, 31), 2)
    assert_books_clean()


def test_one_card_that_was_refused_for_good_pays_for_something_else(place, clock, three):
    webinar = Product.get(Product.code == "webinar")
    bought(place, "webinar-standard")
    pass_days(clock, 31)
    charged_from_now_on(DECLINED_WHEN_CHARGED)
    assert press(place, clock).state == PaymentState.DECLINED
    statuses = [status_of(place, clock), status_of(place, clock, webinar)]
    found = amount_due.amounts_due(place, statuses, now=clock.now())
    methods = [found[status.subscription.id].method for status in statuses]
    assert methods == [None, PaymentMethod.get()]


# --- once, and never more than was shown ----------------------------------------------------------


def test_what_was_paid_meanwhile_is_not_charged_again(place, clock, three):
    pass_days(clock, 31)
    shown = due(place, clock)
    press(place, clock, shown)
    with pytest.raises(NothingDue):
        press(place, clock, shown)
    assert charged() == [3960, 3960]


@pytest.mark.parametrize("change", ["price", "method", "balance", "day"])
@pytest.mark.settings(PORTAL_GRACE_DAYS="1")
def test_another_amount_method_or_period_than_shown_charges_nothing(place, clock, three, change):
    pass_days(clock, 31)
    shown = due(place, clock)
    if change == "price":
        apply_catalogue(sells_at("meetings-essential", 1000))
    elif change == "method":
        PaymentMethod.update(stopped_at=clock.now()).execute()
    elif change == "balance":
        bought(place, "webinar-standard")
        credit(Invoice.select().order_by(Invoice.id.desc()).get(), clock.now().date())
    else:
        # Blocked by now: the period would begin today.
        clock.advance(days=2)
    before = charged()
    with pytest.raises(QuoteChanged):
        press(place, clock, shown)
    assert charged() == before


@pytest.mark.parametrize("is_failed", [False, True])
def test_eight_clicks_at_once_are_one_charge(request, place, clock, is_failed):
    if is_failed:
        request.getfixturevalue("failed")
        charged_from_now_on(PAID)
    else:
        bought(place, quantity=3)
        pass_days(clock, 31)
    shown = due(place, clock)
    results = at_once([lambda: press(place, clock, shown)] * 8)
    assert faults_of(results) == []
    assert [each.state for each in results if isinstance(each, Payment)] == [PaymentState.SUCCEEDED]
    assert charged() == [3960, 3960]
    assert_books_clean()


def test_a_click_beside_the_run_is_refused(failed, clock):
    """The next day's round has asked already, and waits for its answer."""
    charged_from_now_on(PAID)
    shown, gate = due(failed, clock), hold("charge")
    clock.advance(days=1)
    clock.advance_wall(days=1)

    def click():
        gate.wait_for_requests()
        try:
            return press(failed, clock, shown)
        finally:
            gate.open()

    results = at_once([click, lambda: run.run_due(now=clock.now())])
    assert faults_of(results) == []
    assert isinstance(results[0], OrderAlreadyPlaced)
    assert charged() == [3960, 3960]
    assert_books_clean()


def test_switched_on_while_it_is_paid_by_hand_it_is_charged_once(place, clock):
    """Renewal on charges today what is late; whoever pays by hand before the run is charged in its place."""
    bought(place, quantity=3)
    Workspace.update(time_zone="UTC").execute()
    Product.update(grace_days=5).where(Product.code == "meetings").execute()
    pass_days(clock, 31)
    shown = due(place, clock)
    charge = auto_renewal.next_charge(place.workspace, product=meetings(), now=clock.now())
    auto_renewal.switch_on(
        place,
        product=meetings(),
        method_id=PaymentMethod.get().id,
        shown_hash=charge.hash,
        now=clock.now(),
    )
    assert due(place, clock) is None
    with pytest.raises(NothingDue):
        press(place, clock, shown)
    pass_days(clock, 1)
    assert charged() == [3960, 3960]
    assert status_of(place, clock).due_on == date(2027, 1, 21)
    assert_books_clean()


def test_no_answer_is_looked_up_and_nothing_is_charged_beside_it(place, clock, three):
    pass_days(clock, 31)
    charged_from_now_on(SILENT_CHARGED)
    shown = due(place, clock)
    payment = press(place, clock, shown)
    assert payment.state == PaymentState.UNKNOWN
    assert due(place, clock) is None
    for act in (
        lambda: press(place, clock, shown),
        lambda: amount_due.order_by_oneself(place, product=meetings(), now=clock.now()),
    ):
        with pytest.raises(OrderAlreadyPlaced):
            act()
    pass_days(clock, 3)
    assert Payment.get_by_id(payment.id).state == PaymentState.SUCCEEDED
    assert charged() == [3960, 3960]
    assert_books_clean()


# --- with a card that is typed --------------------------------------------------------------------


def test_another_card_pays_an_order_for_the_same_period(place, clock, three):
    pass_days(clock, 31)
    shown = due(place, clock)
    orders = [
        amount_due.order_for_another_card(
            place, place.member.person, product=meetings(), shown_quote_hash=shown.quote.hash, now=clock.now()
        )
        for _click in range(2)
    ]
    assert len({order.number for order in orders}) == 1
    assert orders[-1].quote_hash == shown.quote.hash
    assert pay(orders[-1], auto_renewal=True).state == PaymentState.SUCCEEDED
    found = status_of(place, clock).subscription
    assert (found.auto_renewal, found.renew_on, found.announced_minor) == (True, found.due_on, 3960)
    assert_books_clean()


def test_an_order_that_was_left_open_is_not_paid_after_the_period_was(place, clock, three):
    pass_days(clock, 31)
    shown = due(place, clock)
    left = amount_due.order_for_another_card(
        place, place.member.person, product=meetings(), shown_quote_hash=shown.quote.hash, now=clock.now()
    )
    other = paying.with_details(
        amount_due.order_by_oneself(place, product=meetings(), now=clock.now()), place
    )
    assert pay(other).state == PaymentState.SUCCEEDED
    with pytest.raises(NothingDue):
        pay(left)
    assert charged() == [3960, 3960]


def test_a_member_pays_with_a_card_of_their_own(place, clock, three):
    Workspace.update(who_may_buy=WhoMayBuy.ANY_MEMBER).execute()
    place.workspace.who_may_buy = WhoMayBuy.ANY_MEMBER
    leo = as_seen_by(place, "Leo Roy", role=Role.MEMBER)
    pass_days(clock, 31)
    assert due(leo, clock) is None
    assert amount_due.may_order(leo, status_of(place, clock), now=clock.now())
    order = amount_due.order_by_oneself(leo, product=meetings(), now=clock.now())
    assert order.details is None
    assert pay(paying.with_details(order, leo)).state == PaymentState.SUCCEEDED
    assert_books_clean()


def test_and_no_further_than_the_ceiling(place, clock, three):
    Workspace.update(ceiling_minor=3000).execute()
    place.workspace.ceiling_minor = 3000
    leo = as_seen_by(place, "Leo Roy", role=Role.MEMBER)
    pass_days(clock, 31)
    order = amount_due.order_by_oneself(leo, product=meetings(), now=clock.now())
    with pytest.raises(AboveCeiling):
        pay(paying.with_details(order, leo))
    assert charged() == [3960]


def test_what_is_due_cannot_be_ordered_as_something_else(place, clock, three):
    """Bought anew, or for another number: what the workspace has is paid for first."""
    pass_days(clock, 31)
    for choice in (
        Choice("meetings-essential", Interval.MONTH, 3),
        Choice("meetings-essential", Interval.MONTH, 2, OrderKind.PROLONG),
        Choice("meetings-essential", Interval.YEAR, 3, OrderKind.PROLONG),
        Choice("meetings-essential", Interval.MONTH, 4, OrderKind.CHANGE),
        Choice("webinar-standard", Interval.MONTH, 1, OrderKind.PROLONG),
    ):
        with pytest.raises(PortalError):
            ordering.open_order(place, choices=[choice], currency="EUR", now=clock.now())
    assert Subscription.select().count() == 2


def test_what_is_due_is_paid_in_the_currency_of_its_price(failed, clock):
    """A guaranteed price, and what was told, is an amount of one currency."""
    order = amount_due.order_by_oneself(failed, product=meetings(), now=clock.now())
    with pytest.raises(CurrencyMismatch):
        paying.with_details(order, failed, currency="USD")
    assert pay(paying.with_details(order, failed)).state == PaymentState.SUCCEEDED


def test_whoever_was_demoted_while_the_click_waited_charges_nothing(place, clock, three):
    pass_days(clock, 31)
    shown = due(place, clock)
    Member.update(role=Role.MEMBER).where(Member.id == place.member.id).execute()
    with pytest.raises(QuoteChanged):
        press(place, clock, shown)
    assert charged() == [3960]
