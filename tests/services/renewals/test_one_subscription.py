"""Auto-renewal through time: charged on the due date, once, announced ahead; declined, retried, given up."""

from datetime import date, timedelta

import pytest
from peewee import fn

from portal.database.connecting import transaction
from portal.domain.choices import Choice
from portal.domain.timeline import DAYS_OF_WARNING
from portal.domain.vocabulary import Interval, NoticeKind, PaymentState, SubscriptionState
from portal.models import (
    Invoice,
    Notice,
    Order,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Subscription,
    Workspace,
)
from portal.services.checkout import ordering
from portal.services.payments import charging
from portal.services.renewals import run as renewals_run
from portal.services.subscriptions import agreement, auto_renewal
from tests.books import assert_books_clean
from tests.factories import letters
from tests.licensed import bought
from tests.passing import pass_days
from tests.paying import (
    ASKS_ALWAYS,
    DECLINED_WHEN_CHARGED,
    NOT_ENOUGH_FUNDS,
    PAID,
    SILENT_CHARGED,
    SILENT_NOT_CHARGED,
    an_order,
    charged_from_now_on,
    kept_at_the_gateway,
    paid_charges,
    pay,
    the_sandbox,
    with_details,
)
from tests.renewing import renewal_orders

pytestmark = pytest.mark.both_engines


def run(clock, **options):
    return renewals_run.run_due(now=clock.now(), **options)


def subscription_of(place):
    return agreement.of_workspace(place.workspace)


def state_of(place, clock):
    return agreement.status_of(subscription_of(place), today=place.workspace.day(clock.now())).state


def bought_with(place, number=PAID, *, plan="business-5", interval=Interval.MONTH):
    """A plan with auto-renewal, paid by a card that works today."""
    payment = pay(an_order(place, plan, interval), number, auto_renewal=True)
    assert payment.state == PaymentState.SUCCEEDED
    return payment


def days_of_tries():
    tries = Payment.select().where(Payment.tried_on.is_null(False)).order_by(Payment.id)
    return [payment.tried_on for payment in tries]


def renewals():
    return list(renewal_orders().order_by(Order.id))


def test_a_renewal_is_charged_on_the_due_date_and_once(place, clock):
    bought_with(place)
    due_on = subscription_of(place).due_on
    pass_days(clock, (due_on - place.workspace.day(clock.now())).days - 1)
    assert len(paid_charges()) == 1
    pass_days(clock, 1)
    assert place.workspace.day(clock.now()) == due_on
    assert len(paid_charges()) == 2
    run(clock)
    run(clock)
    assert len(paid_charges()) == 2
    subscription = subscription_of(place)
    assert (subscription.due_on, subscription.renew_on) == (date(2027, 1, 21), date(2027, 1, 21))
    assert Invoice.select().count() == 2
    assert [letter["template"] for letter in letters()].count("renewed") == 1
    assert_books_clean()


def test_the_notice_comes_seven_days_ahead_with_date_amount_and_card(place, clock):
    bought_with(place)
    pass_days(clock, 22)
    assert letters("renewal_ahead") == []
    pass_days(clock, 1)
    [letter] = letters("renewal_ahead")
    assert (
        letter["context"]
        | {
            "renew_on": "2026-12-21",
            "total_minor": 3360,
            "currency": "EUR",
            "problem": None,
            "method": {"method": "card", "brand": "visa", "last4": "4242"},
        }
        == letter["context"]
    )
    pass_days(clock, 7)
    assert len(letters("renewal_ahead")) == 1


def test_three_months_are_three_payments_and_no_ticked_box_none(place, clock):
    bought_with(place)
    for _ in range(3):
        clock.advance(days=31)
        run(clock)
    assert len(paid_charges()) == 4
    assert_books_clean()


def test_without_auto_renewal_nothing_is_charged_and_it_is_late_then_blocked(place, clock):
    pay(an_order(place))
    pass_days(clock, 31)
    assert len(paid_charges()) == 1
    assert state_of(place, clock) == SubscriptionState.BLOCKED
    assert [notice.kind for notice in Notice.select().order_by(Notice.id)] == [
        NoticeKind.DUE_SOON,
        NoticeKind.BLOCKED,
    ]


def test_after_a_long_absence_one_renewal_is_charged_and_the_next_announced(place, clock):
    bought_with(place)
    clock.advance(days=100)
    run(clock)
    run(clock)
    assert len(paid_charges()) == 2
    today = place.workspace.day(clock.now())
    assert subscription_of(place).renew_on == today + timedelta(days=7)
    assert letters("renewal_ahead")[-1]["context"]["renew_on"] == str(today + timedelta(days=7))
    pass_days(clock, 6)
    assert len(paid_charges()) == 2
    pass_days(clock, 1)
    assert len(paid_charges()) == 3
    pass_days(clock, 7)
    assert len(paid_charges()) == 4
    assert state_of(place, clock) == SubscriptionState.PAID
    assert_books_clean()


def test_a_soft_decline_is_tried_again_on_the_dunning_days(place, clock):
    bought_with(place)
    spoil(place, NOT_ENOUGH_FUNDS)
    pass_days(clock, 30)
    assert (days_of_tries(), state_of(place, clock)) == ([date(2026, 12, 21)], SubscriptionState.PAID)
    pass_days(clock, 1)
    assert state_of(place, clock) == SubscriptionState.LATE
    pass_days(clock, 3)
    assert days_of_tries() == [date(2026, 12, 21), date(2026, 12, 22), date(2026, 12, 24)]
    # The card of the sandbox pays at its second retry.
    assert state_of(place, clock) == SubscriptionState.PAID
    assert subscription_of(place).due_on == date(2027, 1, 21)
    assert len(letters("renewal_failed")) == 2
    assert_books_clean()


def test_after_an_absence_no_letter_promises_a_day_that_is_past(place, clock):
    bought_with(place)
    spoil(place, NOT_ENOUGH_FUNDS)
    pass_days(clock, 30)
    clock.advance(days=60)
    clock.advance_wall(days=60)
    run(clock)
    first, later = letters("renewal_failed")
    assert (first["context"]["usable_until"], later["context"]["usable_until"]) == ("2027-01-04", None)


def spoil(place, number):
    """From now on the workspace's card behaves like that one of the sandbox."""
    first = PaymentMethod.get(PaymentMethod.workspace == place.workspace)
    saved = a_saved(place, number)
    PaymentMethod.update(removed_at=first.created_at).where(PaymentMethod.id == first.id).execute()
    Subscription.update(payment_method=saved).execute()
    return saved


def a_saved(place, number):
    facts = kept_at_the_gateway(number)
    return PaymentMethod.create(
        workspace=place.workspace,
        added_by=place.member.person_id,
        gateway="sandbox",
        reference=facts.reference,
        kind=facts.kind,
        brand=facts.brand,
        last4=facts.last4,
        exp_month=facts.exp_month,
        exp_year=facts.exp_year,
        holder=facts.holder,
        created_at=place.workspace.created_at,
    )


def test_a_hard_decline_is_not_tried_again_and_asks_for_another_card(place, clock):
    bought_with(place)
    spoil(place, DECLINED_WHEN_CHARGED)
    pass_days(clock, 44)
    assert Payment.select().where(Payment.tried_on.is_null(False)).count() == 1
    [letter] = letters("renewal_failed")
    assert (letter["context"]["asks_new_card"], letter["context"]["next_try_on"]) == (True, None)
    assert state_of(place, clock) == SubscriptionState.LATE
    pass_days(clock, 1)
    assert state_of(place, clock) == SubscriptionState.BLOCKED
    assert_books_clean()


def test_another_method_is_asked_in_the_same_round(place, clock):
    bought_with(place)
    spoil(place, DECLINED_WHEN_CHARGED)
    backup = a_saved(place, "5555555555554444")
    pass_days(clock, 30)
    tries = list(Payment.select().where(Payment.tried_on.is_null(False)).order_by(Payment.id))
    assert [(each.state, each.method_id) for each in tries][1:] == [(PaymentState.SUCCEEDED, backup.id)]
    assert (letters("renewal_failed"), len(letters("renewed"))) == ([], 1)
    assert_books_clean()


def test_a_new_card_is_charged_at_once(place, clock):
    bought_with(place)
    spoil(place, DECLINED_WHEN_CHARGED)
    pass_days(clock, 32)
    a_saved(place, "5555555555554444")
    with transaction():
        agreement.retry_with_new_method(place.workspace, now=clock.now())
    run(clock)
    assert state_of(place, clock) == SubscriptionState.PAID
    assert len(renewals()) == 1
    assert_books_clean()


def test_each_card_that_is_declined_is_told_on_the_same_day_too(place, clock):
    bought_with(place)
    spoil(place, DECLINED_WHEN_CHARGED)
    pass_days(clock, 30)
    a_saved(place, NOT_ENOUGH_FUNDS)
    with transaction():
        agreement.retry_with_new_method(place.workspace, now=clock.now())
    run(clock)
    run(clock)
    assert [letter["context"]["method"]["last4"] for letter in letters("renewal_failed")] == ["0341", "9995"]
    assert_books_clean()


def test_a_new_card_promises_the_run_only_where_a_renewal_waits(place, clock):
    bought_with(place)
    with transaction():
        agreement.retry_with_new_method(place.workspace, now=clock.now())
    promised = OutboxMessage.select().where(OutboxMessage.topic == "run_due")
    assert promised.count() == 0
    spoil(place, DECLINED_WHEN_CHARGED)
    pass_days(clock, 30)
    a_saved(place, "5555555555554444")
    with transaction():
        agreement.retry_with_new_method(place.workspace, now=clock.now())
    assert (promised.count(), len(paid_charges())) == (1, 1)


def test_silence_is_looked_up_and_never_asked_anew(place, clock):
    bought_with(place)
    spoil(place, SILENT_CHARGED)
    pass_days(clock, 29)
    clock.advance(days=1)
    run(clock)
    waiting = Payment.get(Payment.tried_on.is_null(False))
    assert waiting.state == PaymentState.UNKNOWN
    assert state_of(place, clock) == SubscriptionState.PAID
    clock.advance_wall(minutes=5)
    run(clock)
    assert Payment.get_by_id(waiting.id).state == PaymentState.SUCCEEDED
    assert len(paid_charges()) == 2
    assert_books_clean()


def test_what_the_gateway_never_heard_of_is_asked_again_and_is_no_decline(place, clock):
    bought_with(place)
    spoil(place, SILENT_NOT_CHARGED)
    pass_days(clock, 29)
    clock.advance(days=1)
    run(clock)
    clock.advance_wall(minutes=10)
    run(clock)
    assert subscription_of(place).renewal_failed_on is None
    assert letters("renewal_failed") == []
    assert Payment.select().where(Payment.tried_on.is_null(False)).count() == 2
    assert_books_clean()


def test_a_bank_that_asks_for_the_payer_is_a_letter_with_a_way_to_pay(place, clock):
    bought_with(place)
    spoil_asking(place)
    pass_days(clock, 30)
    [letter] = letters("renewal_to_confirm")
    payment = Payment.get(Payment.tried_on.is_null(False))
    assert letter["context"]["order"] == payment.order.number
    assert payment.state == PaymentState.ACTION_REQUIRED
    assert state_of(place, clock) == SubscriptionState.PAID
    the_sandbox().answer_challenge(payment.action_url.rpartition("/")[2], confirmed=True)
    charging.look_up(Payment.get_by_id(payment.id), now=clock.now())
    assert subscription_of(place).due_on == date(2027, 1, 21)
    assert_books_clean()


def spoil_asking(place):
    """A card that asks for its payer each time; it had to be confirmed when it was saved."""
    from portal.domain.vocabulary import PaymentMethodKind
    from portal.gateways.base import SetupRequest
    from tests.paying import a_card

    sandbox = the_sandbox()
    request = SetupRequest(
        key="setup-asks",
        currency="EUR",
        description="card",
        metadata={},
        kind=PaymentMethodKind.CARD,
        source=a_card(ASKS_ALWAYS),
        return_url="http://127.0.0.1/back",
    )
    asked = sandbox.begin_setup(request)
    sandbox.answer_challenge(asked.url.rpartition("/")[2], confirmed=True)
    facts = sandbox.fetch("setup-asks").method
    PaymentMethod.update(reference=facts.reference, last4=facts.last4).execute()


@pytest.mark.parametrize("limit", [0, None])
def test_a_run_without_work_does_nothing(place, clock, limit):
    bought_with(place)
    run(clock)
    assert run(clock, limit=limit).get("renew", 0) == 0


def test_a_first_purchase_that_waits_holds_up_no_renewal(place, clock):
    """Its line is of no subscription yet; the bank has not confirmed the payment when the plan is due."""
    bought_with(place)
    due_on = subscription_of(place).due_on
    pass_days(clock, (due_on - place.workspace.day(clock.now())).days)
    opened = ordering.open_order(
        place, choices=[Choice("meetings-essential", Interval.MONTH, 3)], currency="EUR", now=clock.now()
    )
    waiting = pay(with_details(opened, place), ASKS_ALWAYS)
    assert waiting.state == PaymentState.ACTION_REQUIRED
    Subscription.update(look_at=clock.now()).execute()
    assert "faults" not in run(clock)
    assert state_of(place, clock) == SubscriptionState.PAID
    assert subscription_of(place).due_on > due_on


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize("first", ["plan", "licences"])
def test_a_workspace_that_is_deleted_is_not_charged_in_the_same_run(place, clock, first):
    """On the day of its deletion a card is added in the morning: whatever the run looks at first."""
    pay(an_order(place), auto_renewal=True)
    auto_renewal.switch_off(place, now=clock.now())
    meetings = bought(place, quantity=3, renews_with=PaymentMethod.get())
    PaymentMethod.update(stopped_at=clock.now()).execute()
    deletion_on = None
    while deletion_on is None or clock.now().date() < deletion_on:
        run(clock)
        clock.advance(days=1)
        clock.advance_wall(days=1)
        said = Notice.get_or_none(Notice.kind == NoticeKind.DELETION_AHEAD)
        deletion_on = said.said_on + timedelta(days=DAYS_OF_WARNING) if said else None
    # The method outlives the deletion where a payment points at it.
    newest = Payment.select(fn.MAX(Payment.id))
    Payment.update(method=PaymentMethod.get()).where(Payment.id == newest).execute()
    PaymentMethod.update(stopped_at=None).execute()
    with transaction(lock=place.workspace):
        agreement.retry_with_new_method(place.workspace, now=clock.now())
    if first == "licences":
        plan = Subscription.get(Subscription.id != meetings.id)
        sooner = Subscription.update(look_at=plan.look_at - timedelta(seconds=1))
        sooner.where(Subscription.id == meetings.id).execute()
    charges = len(paid_charges())
    run(clock)
    is_deleted = Workspace.get_by_id(place.workspace.id).deleted_at is not None
    assert not is_deleted or len(paid_charges()) == charges


def test_a_guaranteed_price_ends_with_its_currency(place, clock):
    pay(an_order(place), auto_renewal=True)
    charged_from_now_on(NOT_ENOUGH_FUNDS)
    pass_days(clock, 31)
    assert pay(an_order(place, currency="USD")).state == PaymentState.SUCCEEDED
    assert auto_renewal.next_charge(place.workspace, now=clock.now()).total.currency == "USD"
