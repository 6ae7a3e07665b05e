"""The trial of a licensed product: begun without a payment, had once, ended by itself, and bought."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.database.connecting import database
from portal.domain.buying import AlreadySubscribed, AlreadyTried, LicencesOutOfRange, TrialNotOffered
from portal.domain.choices import Choice
from portal.domain.errors import OrderAlreadyPlaced
from portal.domain.plans import PlanNotOffered
from portal.domain.vocabulary import Interval, MemberStatus, NoticeKind, Role, SubscriptionState, WhoMayBuy
from portal.models import (
    AuditEntry,
    Member,
    Notice,
    Payment,
    Plan,
    Price,
    Product,
    Subscription,
    SubscriptionPeriod,
    Workspace,
)
from portal.services.checkout import ordering
from portal.services.subscriptions import agreement, cancellation, product_trials
from portal.services.subscriptions.cancellation import CancellationOver, NothingToCancel
from portal.services.subscriptions.product_trials import PlanIsBlocked
from portal.services.workspace import deletion
from tests.books import assert_books_clean
from tests.conftest import TODAY
from tests.factories import a_member, a_person, letters, owner_of, seen_by
from tests.licensed import bought, tried
from tests.passing import pass_days
from tests.paying import SILENT_CHARGED, a_place, buy, pay, reloaded, with_details
from tests.services.payments.test_concurrency import at_once, faults_of

TRIAL, PAID, ENDED = SubscriptionState.TRIAL, SubscriptionState.PAID, SubscriptionState.ENDED
TRIAL_UNTIL = date(2026, 12, 5)
CLICKS = 8
REFUSALS = (AlreadyTried, AlreadySubscribed, NothingToCancel, CancellationOver, product_trials.PlanIsBlocked)


def start(place, clock, *, product="meetings", plan="meetings-essential", licences=3):
    return product_trials.start(
        place, product_code=product, plan_code=plan, licences=licences, now=clock.now()
    )


def found_again(place, code="meetings") -> Subscription:
    product = Product.get(Product.code == code)
    found = agreement.of_product(Workspace.get_by_id(place.workspace.id), product)
    assert found is not None
    return found


def status(place, clock, code="meetings"):
    return agreement.status_of(found_again(place, code), today=place.workspace.day(clock.now()))


def nothing_was_begun() -> bool:
    """No row, no letter, no entry of a trial of Meetings."""
    rows = Subscription.select().join(Product).where(Product.code == "meetings").count()
    return (rows, letters("product_trial_started"), trials_in_the_log()) == (0, [], [])


def trials_in_the_log():
    return [entry.changes for entry in AuditEntry.select().where(AuditEntry.action == "trial.started")]


def an_order_of_licences(place, clock, quantity=3):
    choices = [Choice("meetings-essential", Interval.MONTH, quantity)]
    order = ordering.open_order(place, choices=choices, currency="EUR", now=clock.now())
    return with_details(order, place)


# --- starting -------------------------------------------------------------------------------------


def test_it_begins_today_costs_nothing_and_has_an_end(place, clock):
    """14 days from 21 November."""
    start(place, clock)
    found = found_again(place)
    assert (found.plan.code, found.price_id, found.quantity) == ("meetings-essential", None, 3)
    assert (found.started_on, found.due_on, found.trial_until) == (
        date(2026, 11, 21),
        TRIAL_UNTIL,
        TRIAL_UNTIL,
    )
    assert (found.auto_renewal, found.renew_on, found.cancelled_at, found.version) == (False, None, None, 1)
    assert found.look_at == clock.now()
    [period] = SubscriptionPeriod.select().where(SubscriptionPeriod.subscription == found)
    assert (period.start_on, period.base_end_on, period.end_on) == (
        date(2026, 11, 21),
        TRIAL_UNTIL,
        TRIAL_UNTIL,
    )
    assert (period.price_id, period.line_id, period.net_minor) == (None, None, 0)
    assert (status(place, clock).state, Payment.select().count()) == (TRIAL, 0)
    assert_books_clean()


def test_its_last_day_is_a_whole_one(place, clock):
    start(place, clock)
    clock.advance(days=14)
    assert status(place, clock).state is TRIAL
    clock.advance(days=1)
    assert status(place, clock).state is ENDED
    assert status(place, clock).blocked_on == date(2026, 12, 6)


def test_it_is_told_and_written_down(place, clock):
    start(place, clock)
    [entry] = trials_in_the_log()
    assert entry == {
        "product": "meetings",
        "plan": "meetings-essential",
        "quantity": 3,
        "trial_until": "2026-12-05",
    }
    [letter] = letters("product_trial_started")
    said = letter["context"]
    assert (said["product"], said["product_names"]["fr"], said["plan_names"]["en"]) == (
        "meetings",
        "Réunions",
        "Meetings Essential",
    )
    assert (said["quantity"], said["trial_until"]) == (3, "2026-12-05")


def test_whoever_asked_and_the_billing_people_are_told_each_once(place, clock):
    workspace = place.workspace
    a_member(workspace, a_person("bill@acme.test"), role=Role.BILLING_MANAGER)
    a_member(workspace, a_person("idle@acme.test"))
    member = a_person("mona@acme.test")
    a_member(workspace, member)
    start(seen_by(member, workspace), clock)
    told = sorted(letter["to"] for letter in letters("product_trial_started"))
    assert told == sorted(["bill@acme.test", "mona@acme.test", owner_of(workspace).email])


def test_another_product_and_another_workspace_have_trials_of_their_own(place, clock):
    start(place, clock)
    start(place, clock, product="webinar", plan="webinar-standard", licences=2)
    other = a_place("Zenith", owner="Zoe Zenith")
    start(other, clock)
    assert Subscription.select().where(Subscription.trial_until.is_null(False)).count() == 3
    assert_books_clean()


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("licences", [0, -1, 6, 10**9])
def test_as_many_licences_as_the_vendor_gives_to_try(place, clock, licences):
    with pytest.raises(LicencesOutOfRange) as refused:
        start(place, clock, licences=licences)
    assert (refused.value.wanted, refused.value.most) == (licences, 5)
    assert nothing_was_begun()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(licences=st.integers(min_value=-5, max_value=12), tier=st.sampled_from(["essential", "enterprise"]))
@pytest.mark.engine("sqlite")
def test_what_is_given_to_try_is_what_was_asked_or_nothing(place, clock, licences, tier):
    with database.atomic() as rolled_back:
        try:
            found = start(place, clock, plan=f"meetings-{tier}", licences=licences)
        except LicencesOutOfRange:
            assert not 1 <= licences <= 5
            assert Subscription.select().count() == 1
        else:
            assert 1 <= licences <= 5
            assert (found.quantity, found.plan.code) == (licences, f"meetings-{tier}")
        rolled_back.rollback()


@pytest.mark.parametrize(
    "plan", ["", "nothing", "webinar-standard", "business-5", "trial", "meetings-essential "]
)
def test_a_plan_of_this_product_that_is_on_sale(place, clock, plan):
    with pytest.raises(PlanNotOffered):
        start(place, clock, plan=plan)
    assert nothing_was_begun()


@pytest.mark.parametrize("columns", [{"hidden": True}, {"withdrawn": True}])
def test_no_plan_that_was_taken_from_sale(place, clock, columns):
    Plan.update(**columns).where(Plan.code == "meetings-essential").execute()
    Product.update(revision="anew").execute()
    with pytest.raises(PlanNotOffered):
        start(place, clock)
    assert nothing_was_begun()


def test_no_plan_without_a_price(place, clock):
    """It could not be kept after the trial."""
    plan = Plan.get(Plan.code == "meetings-essential")
    Price.update(valid_until=date(2026, 11, 21)).where(Price.plan == plan).execute()
    Product.update(revision="anew").execute()
    with pytest.raises(PlanNotOffered):
        start(place, clock)
    assert nothing_was_begun()


@pytest.mark.parametrize(
    ("product", "plan"),
    [("remote", "remote-licence"), ("office", "business-5"), ("nothing", "meetings-essential")],
)
def test_a_product_that_is_not_given_to_try(place, clock, product, plan):
    with pytest.raises(TrialNotOffered) as refused:
        start(place, clock, product=product, plan=plan, licences=1)
    assert refused.value.product_code == product


def test_no_product_that_was_withdrawn(place, clock):
    Product.update(withdrawn=True).where(Product.code == "meetings").execute()
    with pytest.raises(TrialNotOffered):
        start(place, clock)
    assert nothing_was_begun()


@pytest.mark.parametrize("days", [0, 14, 15, 400])
def test_once_is_enough_whoever_asks_and_for_whatever_plan(place, clock, days):
    workspace = place.workspace
    Workspace.update(who_may_buy=WhoMayBuy.ANY_MEMBER).execute()
    other = a_person("mona@acme.test")
    a_member(workspace, other)
    tried(place)
    before = found_again(place)
    clock.advance(days=days)
    for asking, plan in ((place, "meetings-essential"), (seen_by(other, workspace), "meetings-enterprise")):
        with pytest.raises(AlreadyTried) as refused:
            start(asking, clock, plan=plan)
        assert refused.value.product_code == "meetings"
    assert found_again(place).__data__ == before.__data__
    assert len(trials_in_the_log()) == 1


def test_the_owner_who_left_and_came_again_has_had_it(place, clock):
    tried(place)
    Member.update(status=MemberStatus.DISABLED).where(Member.id == place.member.id).execute()
    newcomer = a_person("new@acme.test")
    a_member(place.workspace, newcomer, role=Role.OWNER)
    with pytest.raises(AlreadyTried):
        start(seen_by(newcomer, place.workspace), clock)


def test_what_is_subscribed_to_is_not_tried(place, clock):
    meetings = bought(place)
    with pytest.raises(AlreadySubscribed):
        start(place, clock)
    cancellation.cancel(meetings, shown_ends_on="2026-12-21", now=clock.now())
    with pytest.raises(AlreadySubscribed):
        start(place, clock)
    assert trials_in_the_log() == []


def test_not_beside_a_payment_whose_result_is_open(place, clock):
    pay(an_order_of_licences(place, clock), SILENT_CHARGED)
    with pytest.raises(OrderAlreadyPlaced):
        start(place, clock)
    assert nothing_was_begun()


def test_not_in_a_workspace_that_was_deleted_meanwhile(place, clock):
    deletion.delete_by_owner(place, now=clock.now())
    with pytest.raises(TrialNotOffered):
        start(place, clock)


# --- several at once ------------------------------------------------------------------------------


def test_many_clicks_begin_one_trial(place, clock):
    results = at_once([lambda: start(place, clock)] * CLICKS)
    assert faults_of(results) == []
    refused = [each for each in results if isinstance(each, AlreadyTried)]
    assert len(refused) == CLICKS - 1
    assert (len(letters("product_trial_started")), len(trials_in_the_log())) == (1, 1)
    assert (
        SubscriptionPeriod.select().where(SubscriptionPeriod.subscription == found_again(place)).count() == 1
    )
    assert_books_clean()


# --- what time brings -----------------------------------------------------------------------------


def test_its_letters_come_and_nothing_else_happens(place, clock):
    Subscription.update(due_on=date(2028, 1, 1)).execute()
    SubscriptionPeriod.update(end_on=date(2028, 1, 1), base_end_on=date(2028, 1, 1)).execute()
    start(place, clock)
    before = found_again(place)
    pass_days(clock, 240)
    said = Notice.select().where(Notice.subscription == before).order_by(Notice.said_on)
    assert [(notice.kind, notice.said_on) for notice in said] == [
        (NoticeKind.TRIAL_ENDING, date(2026, 11, 30)),
        (NoticeKind.TRIAL_LAST_DAY, date(2026, 12, 5)),
        (NoticeKind.TRIAL_OVER, date(2026, 12, 6)),
    ]
    after = found_again(place)
    assert (status(place, clock).state, after.look_at, after.version) == (ENDED, None, before.version)
    assert (after.due_on, after.trial_until, after.price_id) == (TRIAL_UNTIL, TRIAL_UNTIL, None)
    assert Payment.select().count() == 0
    assert Workspace.get_by_id(place.workspace.id).deleted_at is None
    assert_books_clean()


# --- bought ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [0, 5, 14])
def test_bought_in_time_it_ends_and_its_days_are_not_added(place, clock, days):
    tried(place, quantity=5)
    clock.advance(days=days)
    bought(place, quantity=2)
    today = place.workspace.day(clock.now())
    found = found_again(place)
    assert (found.started_on, found.quantity, found.trial_until) == (today, 2, TRIAL_UNTIL)
    assert status(place, clock).state is PAID
    trial, paid = (
        SubscriptionPeriod.select()
        .where(SubscriptionPeriod.subscription == found)
        .order_by(SubscriptionPeriod.id)
    )
    assert (trial.end_on, paid.start_on) == (today, today)
    pass_days(clock, 16)
    assert not Notice.select().where(Notice.subscription == found, Notice.said_on > today).exists()
    with pytest.raises(AlreadySubscribed):
        start(place, clock)
    assert_books_clean()


@pytest.mark.parametrize("days", [15, 200])
def test_bought_after_its_end_the_same_row_goes_on(place, clock, days):
    first = tried(place)
    clock.advance(days=days)
    second = bought(place, "meetings-professional", quantity=7)
    assert (second.id, second.trial_until) == (first.id, TRIAL_UNTIL)
    assert status(place, clock).state is PAID
    trial, paid = (
        SubscriptionPeriod.select()
        .where(SubscriptionPeriod.subscription == first)
        .order_by(SubscriptionPeriod.id)
    )
    assert (trial.end_on, paid.start_on) == (TRIAL_UNTIL, place.workspace.day(clock.now()))
    assert_books_clean()


def test_after_a_purchase_that_has_ended_there_is_no_second_trial(place, clock):
    tried(place)
    meetings = bought(place)
    cancellation.cancel(meetings, shown_ends_on="2026-12-21", now=clock.now())
    clock.advance(days=31)
    assert status(place, clock).state is ENDED
    with pytest.raises(AlreadyTried):
        start(place, clock)
    assert_books_clean()


def test_whoever_bought_without_a_trial_may_try_once_it_has_ended(place, clock):
    """On the same row: the first trial of this workspace is still to be had."""
    meetings = bought(place, quantity=40)
    cancellation.cancel(meetings, shown_ends_on="2026-12-21", now=clock.now())
    clock.advance(days=60)
    with pytest.raises(PlanIsBlocked):
        start(place, clock, plan="meetings-enterprise", licences=2)
    buy(place)
    found = start(place, clock, plan="meetings-enterprise", licences=2)
    assert found.id == meetings.id
    again = found_again(place)
    assert (again.price_id, again.cancelled_at, again.quantity, again.locked_until) == (None, None, 2, None)
    assert status(place, clock).state is TRIAL
    assert_books_clean()
    clock.advance(days=15)
    assert status(place, clock).state is ENDED
    bought(place)
    assert status(place, clock).state is PAID
    assert_books_clean()


def test_an_order_that_was_opened_before_the_trial_can_be_paid_during_it(place, clock):
    order = an_order_of_licences(place, clock)
    start(place, clock)
    pay(reloaded(order))
    found = found_again(place)
    assert (found.quantity, found.trial_until, status(place, clock).state) == (3, TRIAL_UNTIL, PAID)
    assert_books_clean()


def try_it(place, clock):
    start(place, clock, licences=2)


def buy_it(place, clock):
    bought(place, quantity=3)


def cancel_it(place, clock):
    found = status(place, clock)
    last_day = cancellation.ends_on(found)
    cancellation.cancel(
        found.subscription, shown_ends_on=last_day.isoformat() if last_day else "", now=clock.now()
    )


def take_it_back(place, clock):
    cancellation.take_back(found_again(place), now=clock.now())


ACTS = (try_it, buy_it, cancel_it, take_it_back)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=st.lists(st.tuples(st.integers(0, 20), st.sampled_from(ACTS)), min_size=1, max_size=6))
@pytest.mark.engine("sqlite")
def test_in_whatever_order_it_is_tried_bought_and_cancelled_the_books_hold(place, clock, life):
    """Each act, so many days after the one before, is carried out or refused by name."""
    number = Workspace.select().count()
    clock.set(TODAY)
    here = a_place(f"Place {number}", owner=f"Owner {number}")
    for days, act in life:
        clock.advance(days=days)
        known = Subscription.get_or_none(
            Subscription.workspace == here.workspace, Subscription.plan << plans_of_meetings()
        )
        if known is None and act in (cancel_it, take_it_back):
            continue
        before = status(here, clock).state if known else None
        was_tried = known is not None and known.trial_until is not None
        try:
            act(here, clock)
        except REFUSALS:
            assert known is None or status(here, clock).state is before
            continue
        after = status(here, clock).state
        if act is try_it:
            assert (was_tried, after) == (False, TRIAL)
            assert before in (None, ENDED)
        elif act is buy_it:
            assert after is PAID
            assert before in (None, TRIAL, ENDED)
    begun = AuditEntry.select().where(
        AuditEntry.action == "trial.started", AuditEntry.workspace == here.workspace
    )
    assert begun.count() <= 1
    assert_books_clean()


def plans_of_meetings():
    return Plan.select(Plan.id).join(Product).where(Product.code == "meetings")


# --- the end of the workspace ---------------------------------------------------------------------


def test_a_deleted_workspace_keeps_its_trial_as_a_row_that_waits_for_nothing(place, clock):
    start(place, clock)
    deletion.delete_by_owner(place, now=clock.now())
    assert letters("product_trial_started") == []
    row = Subscription.select().where(Subscription.trial_until.is_null(False)).get()
    assert row.look_at is None
    pass_days(clock, 20)
    assert letters("product_trial_over") == []
    assert_books_clean()
