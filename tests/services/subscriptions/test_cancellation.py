"""Cancelled at the end of what is paid, and taken back before it: what stays, and what is told."""

from datetime import date

import pytest

from portal.database.connecting import transaction
from portal.domain.errors import QuoteChanged
from portal.domain.pricing import Offer, WantedLine, make_quote
from portal.domain.tax import Buyer
from portal.domain.vocabulary import NoticeKind, OrderState, SubscriptionState
from portal.models import (
    AuditEntry,
    Notice,
    Order,
    OrderLine,
    PaymentMethod,
    Plan,
    Subscription,
    Workspace,
)
from portal.runtime import current
from portal.services import orders
from portal.services.renewals import run
from portal.services.subscriptions import agreement, auto_renewal, cancellation, next_charge
from portal.services.subscriptions.cancellation import CancellationOver, NothingToCancel, NotLicensed
from tests.books import broken_books
from tests.factories import letters
from tests.licensed import bought, tried
from tests.passing import pass_days
from tests.paying import SILENT_CHARGED, an_order, buy, pay
from tests.renewing import renewal_orders

CANCELLED, ENDED, PAID = SubscriptionState.CANCELLED, SubscriptionState.ENDED, SubscriptionState.PAID
DUE_ON = date(2026, 12, 21)
ABOUT_RENEWALS = {"renewals_wait_for_their_due_date", "cancelled_subscriptions_wait_for_nothing"}


@pytest.fixture
def card(place, clock) -> PaymentMethod:
    """The saved card of a workspace on Business 5 until 21 December, which is not renewed by itself."""
    pay(an_order(place), auto_renewal=True)
    auto_renewal.switch_off(place, now=clock.now())
    return PaymentMethod.get()


@pytest.fixture
def meetings(place, card) -> Subscription:
    """Three licences until 21 December, renewed by themselves: 33.00 EUR and 20 %."""
    return bought(place, quantity=3, renews_with=card)


def reloaded(subscription) -> Subscription:
    [found] = agreement.with_catalogue(Subscription.select().where(Subscription.id == subscription.id))
    found.workspace = Workspace.get_by_id(found.workspace_id)
    return found


def state(subscription, clock) -> SubscriptionState:
    found = reloaded(subscription)
    return agreement.status_of(found, today=found.workspace.day(clock.now())).state


def cancel(subscription, clock, *, shown="2026-12-21") -> bool:
    return cancellation.cancel(subscription, shown_ends_on=shown, now=clock.now())


def take_back(subscription, clock) -> bool:
    return cancellation.take_back(subscription, now=clock.now())


def columns_of(subscription):
    """All that is stored of it but when it is looked at and how often it was changed."""
    row = Subscription.select().where(Subscription.id == subscription.id).dicts().get()
    return {name: value for name, value in row.items() if name not in ("look_at", "version")}


def entries(action):
    return [entry.changes for entry in AuditEntry.select().where(AuditEntry.action == action)]


def said(template):
    return letters(template)[-1]["context"]


def quote_to_buy(subscription, clock):
    """The same plan again, by the month."""
    today = subscription.workspace.day(clock.now())
    price = subscription.price
    offer = Offer(
        plan_id=price.plan_id,
        plan_code=subscription.plan.code,
        plan_names=subscription.plan.names,
        interval=price.interval,
        price_id=price.id,
        amount=price.amount,
    )
    present = agreement.present_terms_of(agreement.status_of(subscription, today=today))
    return make_quote(
        [WantedLine(present, offer)],
        buyer=Buyer.of(next_charge.details_of(subscription.workspace)),
        seller_country=current().settings.seller.country,
        unchecked_counts_as_valid=True,
        on=today,
    )


# --- cancelling -----------------------------------------------------------------------------------


def test_access_stays_until_the_end_of_what_is_paid(meetings, clock):
    assert cancel(meetings, clock)
    assert state(meetings, clock) is CANCELLED
    clock.advance(days=30)
    assert state(meetings, clock) is CANCELLED, "the due date is usable"
    clock.advance(days=1)
    assert state(meetings, clock) is ENDED
    found = reloaded(meetings)
    assert agreement.status_of(found, today=DUE_ON).blocked_on == date(2026, 12, 22)


def test_it_is_told_and_written_down(meetings, clock):
    cancel(meetings, clock)
    [entry] = entries("subscription.cancelled")
    assert entry == {
        "product": "meetings",
        "plan": "meetings-essential",
        "quantity": 3,
        "ends_on": "2026-12-21",
        "auto_renewal": True,
        "dropped": False,
    }
    told = said("cancelled")
    assert (told["product_names"]["fr"], told["ends_on"], told["quantity"], told["dropped"]) == (
        "Réunions",
        "2026-12-21",
        3,
        False,
    )
    found = reloaded(meetings)
    assert (found.auto_renewal, found.cancelled_at, found.version) == (False, clock.now(), 3)
    assert found.look_at == clock.now()
    assert not set(broken_books()) & ABOUT_RENEWALS


def test_cancelled_twice_is_told_once(meetings, clock):
    assert cancel(meetings, clock)
    assert not cancel(meetings, clock)
    assert not cancel(meetings, clock, shown="2027-01-21")
    assert (len(letters("cancelled")), len(entries("subscription.cancelled"))) == (1, 1)


def test_what_is_cancelled_is_neither_charged_nor_dunned_and_deletes_nothing(place, meetings, clock):
    """For ten months: its workspace is on a plan that is paid for a year."""
    Subscription.update(due_on=date(2027, 11, 21)).where(Subscription.workspace == place.workspace).where(
        Subscription.id != meetings.id
    ).execute()
    cancel(meetings, clock)
    before = len(letters())
    pass_days(clock, 300)
    assert len(letters()) == before
    assert renewal_orders().count() == Notice.select().count() == 0
    assert reloaded(meetings).look_at is None
    assert Workspace.get_by_id(place.workspace.id).deleted_at is None


def test_a_scheduled_change_is_dropped(place, card, clock):
    meetings = bought(
        place,
        "meetings-professional",
        quantity=10,
        scheduled_plan=Plan.get(Plan.code == "meetings-essential"),
        scheduled_interval="month",
        scheduled_quantity=2,
    )
    cancel(meetings, clock)
    found = reloaded(meetings)
    assert (found.scheduled_plan_id, found.scheduled_interval, found.scheduled_quantity) == (None,) * 3
    assert said("cancelled")["dropped"]
    take_back(meetings, clock)
    assert reloaded(meetings).scheduled_quantity is None
    assert (reloaded(meetings).auto_renewal, said("cancellation_taken_back")["renews"]) == (False, False)


def test_with_a_scheduled_change_the_next_charge_is_that_of_what_runs(place, card, clock):
    """Told was that of two licences, 22.00 EUR; ten cost 13.00 each by their tier."""
    meetings = bought(
        place,
        "meetings-professional",
        quantity=10,
        renews_with=card,
        scheduled_quantity=2,
        announced_minor=2640,
        announced_net_minor=2200,
    )
    cancel(meetings, clock)
    take_back(meetings, clock)
    found = reloaded(meetings)
    assert (found.auto_renewal, found.renew_on) == (True, DUE_ON)
    assert (found.announced_minor, found.announced_net_minor) == (None, 13000)
    told = said("cancellation_taken_back")
    assert (told["renews"], told["total_minor"], told["renew_on"]) == (True, None, None)


def test_whoever_is_late_has_no_more_days(meetings, clock, runtime):
    """Renewed by hand, since it failed: on the third day after the due date."""
    Subscription.update(auto_renewal=False, renew_on=None, announced_minor=None).execute()
    Subscription.update(renewal_failed_on=DUE_ON).where(Subscription.id == meetings.id).execute()
    clock.advance(days=33)
    assert state(meetings, clock) is SubscriptionState.LATE
    with pytest.raises(QuoteChanged) as refused:
        cancel(meetings, clock)
    assert (refused.value.shown, refused.value.current) == ("2026-12-21", "")
    assert cancel(meetings, clock, shown="")
    assert state(meetings, clock) is ENDED
    assert said("cancelled")["ends_on"] is None
    with pytest.raises(CancellationOver):
        take_back(meetings, clock)


def test_on_the_due_date_it_ends_with_the_day(meetings, clock):
    clock.advance(days=30)
    assert cancel(meetings, clock)
    assert state(meetings, clock) is CANCELLED
    run.run_due(now=clock.now())
    # The purchase, and no renewal.
    assert OrderLine.select().where(OrderLine.subscription == meetings).count() == 1


def test_what_was_shown_has_to_be_its_end_still(meetings, clock):
    with pytest.raises(QuoteChanged) as refused:
        cancel(meetings, clock, shown="2027-01-21")
    assert refused.value.current == "2026-12-21"
    assert (state(meetings, clock), len(letters("cancelled"))) == (PAID, 0)


def test_a_trial_ends_by_itself(place, clock):
    meetings = tried(place)
    with pytest.raises(NothingToCancel) as refused:
        cancel(meetings, clock, shown="2026-12-05")
    assert refused.value.state is SubscriptionState.TRIAL
    assert not take_back(meetings, clock)


@pytest.mark.parametrize("act", [lambda row, clock: cancel(row, clock), take_back])
def test_the_workspace_plan_is_never_cancelled(place, clock, act):
    buy(place)
    with pytest.raises(NotLicensed) as refused:
        act(agreement.of_workspace(place.workspace), clock)
    assert refused.value.product_code == "office"


def test_an_open_payment_for_another_product_hinders_no_cancellation(place, meetings, clock):
    pay(an_order(place, "business-10"), SILENT_CHARGED)
    assert cancel(meetings, clock)
    assert state(meetings, clock) is CANCELLED


# --- taking back ----------------------------------------------------------------------------------


def test_taken_back_everything_is_as_it_was(meetings, clock):
    before = columns_of(meetings)
    cancel(meetings, clock)
    clock.advance(days=30)
    assert take_back(meetings, clock)
    assert columns_of(meetings) == before
    assert state(meetings, clock) is PAID


def test_taken_back_what_was_renewed_by_hand_is(place, card, clock):
    meetings = bought(place, quantity=3)
    before = columns_of(meetings)
    cancel(meetings, clock)
    assert take_back(meetings, clock)
    assert columns_of(meetings) == before
    assert not said("cancellation_taken_back")["renews"]


def test_a_renewal_that_failed_today_goes_on_with_its_next_round(meetings, clock):
    Subscription.update(renewal_failed_on=DUE_ON, renew_on=date(2026, 12, 22)).where(
        Subscription.id == meetings.id
    ).execute()
    before = columns_of(meetings)
    clock.advance(days=30)
    cancel(meetings, clock)
    assert take_back(meetings, clock)
    assert columns_of(meetings) == before


def test_taking_back_is_told_with_the_next_charge(meetings, clock):
    """3 at 11.00 EUR and 20 %."""
    cancel(meetings, clock)
    take_back(meetings, clock)
    told = said("cancellation_taken_back")
    assert (told["renew_on"], told["total_minor"], told["tax_minor"], told["currency"]) == (
        "2026-12-21",
        3960,
        660,
        "EUR",
    )
    assert (told["renews"], told["method"]["last4"], told["due_on"]) == (True, "4242", "2026-12-21")
    [entry] = entries("subscription.cancellation_taken_back")
    assert (entry["auto_renewal"], entry["renew_on"], entry["announced_minor"]) == (True, "2026-12-21", 3960)


def test_taken_back_twice_is_told_once(meetings, clock):
    cancel(meetings, clock)
    assert take_back(meetings, clock)
    assert not take_back(meetings, clock)
    assert len(letters("cancellation_taken_back")) == 1


def test_what_has_ended_is_neither_taken_back_nor_cancelled_again(meetings, clock):
    cancel(meetings, clock)
    clock.advance(days=31)
    with pytest.raises(CancellationOver) as refused:
        take_back(meetings, clock)
    assert refused.value.due_on == DUE_ON
    with pytest.raises(NothingToCancel):
        cancel(meetings, clock)
    assert len(letters("cancelled")) == 1


def test_taken_back_its_renewal_is_announced_again(place, card, clock):
    """One licence, as next_charge.py reckons it: a notice seven days before the due date."""
    meetings = bought(place, renews_with=card)
    cancel(meetings, clock)
    pass_days(clock, 5)
    take_back(meetings, clock)
    pass_days(clock, 19)
    ahead = [notice.said_on for notice in Notice.select().where(Notice.subscription == meetings)]
    assert ahead == [date(2026, 12, 14)]
    assert said("renewal_ahead")["total_minor"] == 1320


def test_whoever_pays_goes_on(place, card, clock):
    """Bought anew after the end: the same row, with the trial that it had."""
    meetings = bought(place, renews_with=card, trial_until=date(2026, 11, 21))
    cancel(meetings, clock)
    clock.advance(days=40)
    row = reloaded(meetings)
    with transaction(lock=place.workspace):
        quote = quote_to_buy(row, clock)
        order = Order(
            number="again", workspace=place.workspace, person=place.member.person_id, state=OrderState.PAID,
            display_currency="EUR", created_at=clock.now(),
        )  # fmt: skip
        orders.freeze(order, quote, [row])
        [line] = order.lines
        agreement.apply_paid_line(row, line, method=None, now=clock.now())
    found = reloaded(meetings)
    assert (found.cancelled_at, found.auto_renewal, found.announced_net_minor) == (None, False, None)
    assert (state(meetings, clock), found.trial_until) == (PAID, date(2026, 11, 21))
    assert (found.started_on, found.due_on) == (date(2026, 12, 31), date(2027, 1, 31))


# --- the trial of a product -----------------------------------------------------------------------


def test_the_letters_of_a_trial_go_by_its_own_end_and_nothing_follows(place, clock):
    """14 days from 21 November: 5 December. The workspace itself is on a plan."""
    buy(place)
    meetings = tried(place)
    pass_days(clock, 26)
    notices = Notice.select().where(Notice.subscription == meetings).order_by(Notice.said_on)
    assert [(notice.kind, notice.said_on) for notice in notices] == [
        (NoticeKind.TRIAL_ENDING, date(2026, 11, 30)),
        (NoticeKind.TRIAL_LAST_DAY, date(2026, 12, 5)),
        (NoticeKind.TRIAL_OVER, date(2026, 12, 6)),
    ]
    for template in ("product_trial_ending", "product_trial_last_day", "product_trial_over"):
        [letter] = letters(template)
        assert letter["context"]["trial_until"] == "2026-12-05"
    assert letters("trial_ending") == letters("trial_over") == []
    assert (state(meetings, clock), reloaded(meetings).look_at) == (ENDED, None)
    assert reloaded(meetings).trial_until == date(2026, 12, 5)
