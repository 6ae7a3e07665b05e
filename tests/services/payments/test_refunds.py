"""Refunds: what may be sent back and until when, once and only once, and what is true afterwards."""

from datetime import UTC, date, datetime, timedelta

import pytest

from portal.database.connecting import transaction
from portal.domain.errors import OrderAlreadyPlaced
from portal.domain.plans import LimitKind
from portal.domain.vocabulary import Interval, OrderState, PaymentState, RefundState
from portal.gateways.base import GatewayUnavailable, RefundRefusal, RefundRefused, ResultUnknown
from portal.models import (
    AuditEntry,
    Invoice,
    Order,
    OutboxMessage,
    Payment,
    Person,
    Plan,
    Refund,
    Subscription,
    SubscriptionPeriod,
    Workspace,
)
from portal.runtime import Runtime, install
from portal.services import open_money
from portal.services.checkout import amount_due
from portal.services.payments import refund_quotes, refunds
from portal.services.payments.refund_quotes import NotRefundable, RefundImpossible, RefusalReason
from portal.services.payments.refunds import RefundChanged
from portal.services.subscriptions import agreement, auto_renewal
from tests.books import assert_books_clean
from tests.factories import letters
from tests.paying import (
    DISPUTED,
    SILENT_CHARGED,
    a_place,
    an_order,
    as_seen_by,
    buy,
    line_of,
    paid_charges,
    pay,
    reloaded,
    the_sandbox,
)
from tests.services.payments.test_concurrency import at_once, faults_of

pytestmark = pytest.mark.both_engines


def previewed(payment, clock):
    return refund_quotes.preview(refund_quotes.find_payment(payment.workspace, payment.key), now=clock.now())


def refund(place, payment, clock):
    """Look at what it does, and confirm."""
    shown = previewed(payment, clock).hash
    return refunds.ask_refund(place, payment, shown_hash=shown, now=clock.now())


def why_not(place, clock):
    found = refund_quotes.refundable(place.workspace, now=clock.now())
    return found.reason if isinstance(found, NotRefundable) else None


def present(place):
    """Plan, first day, due date and anchor day."""
    subscription = Subscription.get(Subscription.workspace == place.workspace)
    return subscription.plan.code, subscription.started_on, subscription.due_on, subscription.anchor_day


def periods():
    rows = SubscriptionPeriod.select().order_by(SubscriptionPeriod.id)
    return [(row.plan.code, row.start_on, row.end_on) for row in rows]


def sent_back():
    return [charge.refunded_minor for charge in paid_charges()]


def numbers():
    return [invoice.number for invoice in Invoice.select().order_by(Invoice.id)]


class Between:
    """A gateway that does something about refunds before, or instead of, the sandbox."""

    def __init__(self, sandbox, answer):
        self._sandbox, self._answer = sandbox, answer
        self.keys = []

    def __getattr__(self, name):
        return getattr(self._sandbox, name)

    def refund(self, request):
        self.keys.append(request.key)
        return self._answer(self._sandbox, request)


def behind(runtime, answer):
    gateway = Between(the_sandbox(), answer)
    install(Runtime(runtime.settings, runtime.clock, {"sandbox": gateway}))
    return gateway


def refunds_and_says_nothing(sandbox, request):
    sandbox.refund(request)
    raise ResultUnknown


def is_away(sandbox, request):
    raise GatewayUnavailable


# --- until when -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interval", "day", "possible"),
    [
        # Paid on 21 November 2026. By the year: 30 days later is 21 December.
        (Interval.YEAR, date(2026, 11, 21), True),
        (Interval.YEAR, date(2026, 12, 21), True),
        (Interval.YEAR, date(2026, 12, 22), False),
        # By the month: to 21 December, excluded.
        (Interval.MONTH, date(2026, 12, 20), True),
        (Interval.MONTH, date(2026, 12, 21), False),
    ],
)
def test_the_last_day_is_included(place, clock, interval, day, possible):
    payment = buy(place, "business-5", interval)
    clock.set(datetime(day.year, day.month, day.day, 9, tzinfo=UTC))
    assert why_not(place, clock) == (None if possible else RefusalReason.TOO_LATE)
    if not possible:
        late = refund_quotes.refundable(place.workspace, now=clock.now())
        assert late.last_day == (date(2026, 12, 21) if interval == Interval.YEAR else date(2026, 12, 20))
        with pytest.raises(RefundImpossible):
            previewed(payment, clock)
        with pytest.raises(RefundImpossible):
            refunds.ask_refund(place, payment, shown_hash="", now=clock.now())
        assert (Refund.select().count(), sent_back()) == (0, [0])


def test_the_last_day_ends_at_the_workspaces_own_midnight(place, clock):
    """In Paris: an hour ahead of UTC in December."""
    buy(place)
    clock.set(datetime(2026, 12, 20, 22, 59, tzinfo=UTC))
    assert why_not(place, clock) is None
    clock.set(datetime(2026, 12, 20, 23, 0, tzinfo=UTC))
    assert why_not(place, clock) == RefusalReason.TOO_LATE


def test_extra_days_do_not_prolong_the_time_for_a_refund(place, clock):
    buy(place, "business-3")
    clock.advance(days=10)
    buy(place, "business-5")
    # 1 December to 1 January; the extra days come after.
    due_on = present(place)[2]
    assert due_on > date(2027, 1, 1)
    clock.set(datetime(2026, 12, 31, 9, tzinfo=UTC))
    assert why_not(place, clock) is None
    clock.set(datetime(2027, 1, 1, 9, tzinfo=UTC))
    assert why_not(place, clock) == RefusalReason.TOO_LATE


def test_only_the_last_payment_can_be_refunded(place, clock):
    first = buy(place)
    clock.advance(days=15)
    second = buy(place)
    with pytest.raises(RefundImpossible) as refusal:
        previewed(first, clock)
    assert refusal.value.reason == RefusalReason.NOT_LAST
    refund(place, second, clock)
    # The one before it does not become the last.
    assert why_not(place, clock) == RefusalReason.REFUNDED
    with pytest.raises(RefundImpossible):
        previewed(first, clock)
    assert sent_back() == [0, second.amount_minor]
    assert_books_clean()


def test_without_a_payment_there_is_nothing_to_refund(place, clock):
    assert why_not(place, clock) == RefusalReason.NOTHING_PAID


def test_nothing_is_refunded_while_a_payment_is_open(place, clock):
    payment = buy(place)
    pay(an_order(place, "business-10"), SILENT_CHARGED)
    with pytest.raises(RefundImpossible) as refusal:
        previewed(payment, clock)
    assert refusal.value.reason == RefusalReason.MONEY_IS_OPEN


# --- what is true afterwards ----------------------------------------------------------------------


def test_a_refund_sends_the_money_back_and_undoes_the_order(place, clock):
    payment = buy(place)
    clock.advance(days=5)
    asked = refund(place, payment, clock)
    assert (asked.state, asked.amount_minor, asked.ask_again_at) == (RefundState.SUCCEEDED, 3360, None)
    assert asked.reference
    assert sent_back() == [3360]
    assert Order.get().state == OrderState.REFUNDED
    # The trial of 30 days goes on as if nothing had been bought.
    assert present(place) == ("trial", date(2026, 11, 21), date(2026, 12, 21), 21)
    assert periods() == [
        ("trial", date(2026, 11, 21), date(2026, 12, 21)),
        ("business-5", date(2026, 11, 21), date(2026, 11, 21)),
    ]
    actions = [entry.action for entry in AuditEntry.select().order_by(AuditEntry.id)]
    assert actions[-3:] == ["refund.asked", "credit_note.issued", "refund.succeeded"]
    assert_books_clean()


def test_the_credit_note_is_the_invoice_with_a_number_of_its_own(place, clock):
    payment = buy(place)
    clock.set(datetime(2026, 12, 1, 9, tzinfo=UTC))
    Workspace.update(name="Renamed").execute()
    refund(place, payment, clock)
    invoice, note = Invoice.select().order_by(Invoice.id)
    assert (note.number, note.kind, note.credits_id) == ("CN-2026-000001", "credit_note", invoice.id)
    assert (note.net_minor, note.tax_minor, note.total_minor) == (2800, 560, 3360)
    facts = note.facts
    assert facts["corrects"] == {"number": "INV-2026-000001", "issued_on": "2026-11-21"}
    assert (facts["issued_on"], facts["payment"]["paid_on"]) == ("2026-12-01", "2026-12-01")
    same = (
        "seller",
        "buyer",
        "tax",
        "totals",
        "currency",
        "workspace_name",
        "customer_number",
        "order_number",
    )
    assert {name: facts[name] for name in same} == {name: invoice.facts[name] for name in same}
    promised = OutboxMessage.select().where(OutboxMessage.topic == "prepare_documents")
    assert [message.key for message in promised.order_by(OutboxMessage.id)] == numbers()


@pytest.mark.parametrize(
    ("instant", "number"),
    [
        # Paid on 15 December; the seller is in Paris, too.
        (datetime(2026, 12, 31, 22, 59, tzinfo=UTC), "CN-2026-000001"),
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), "CN-2027-000001"),
    ],
)
def test_the_series_is_of_the_sellers_year(place, clock, instant, number):
    clock.set(datetime(2026, 12, 15, 9, tzinfo=UTC))
    payment = buy(place)
    clock.set(instant)
    refund(place, payment, clock)
    assert numbers() == ["INV-2026-000001", number]
    assert_books_clean()


def test_whoever_pays_and_the_buyer_get_a_letter_with_the_credit_note(place, clock):
    buyer = as_seen_by(place, "Paul Petit")
    payment = buy(buyer)
    as_seen_by(place, "Alice Admin")
    refund(place, payment, clock)
    sent = letters("refunded")
    assert {letter["to"] for letter in sent} == {"paul.petit@acme.example", "jeanne.martin@acme.example"}
    note = Invoice.get(Invoice.number == "CN-2026-000001")
    assert sent[0]["attachments"] == [{"invoice_id": note.id, "locale": "en"}]
    facts = sent[0]["context"]
    assert (facts["total_minor"], facts["currency"], facts["credit_note"]) == (3360, "EUR", note.number)
    assert facts["method"] == {"method": "card", "brand": "visa", "last4": "4242"}
    assert (facts["plan_names"]["en"], facts["due_on"]) == ("Free trial", "2026-12-21")
    assert facts["ended_auto_renewal"] is False


def test_the_preview_says_what_will_be_lost(place, clock):
    payment = pay(an_order(place), auto_renewal=True)
    clock.advance(days=5)
    shown = previewed(payment, clock)
    assert (shown.payment.amount_minor, shown.last_day) == (3360, date(2026, 12, 20))
    assert (shown.plan.code, shown.due_on) == ("business-5", date(2026, 12, 21))
    assert (shown.plan_after.code, shown.due_on_after, shown.interval_after) == (
        "trial",
        date(2026, 12, 21),
        None,
    )
    assert (shown.days_lost, shown.ended_on, shown.blocked_on, shown.exceeded) == (0, None, None, ())
    assert shown.ends_auto_renewal


def test_auto_renewal_its_lock_and_what_was_scheduled_end_with_it(place, clock):
    payment = pay(an_order(place), auto_renewal=True)
    Subscription.update(
        scheduled_plan=Plan.get(Plan.code == "business-3"), scheduled_interval=Interval.MONTH
    ).execute()
    before = Subscription.get()
    assert (before.auto_renewal, before.locked_price_minor) == (True, 2800)
    assert previewed(payment, clock).unscheduled.code == "business-3"
    clock.advance(days=1)
    refund(place, payment, clock)
    after = Subscription.get()
    assert not after.auto_renewal
    assert (after.renew_on, after.announced_minor, after.renewal_failed_on) == (None, None, None)
    assert (after.scheduled_plan_id, after.scheduled_interval) == (None, None)
    assert (after.locked_price_minor, after.locked_until) == (None, None)
    assert (after.look_at, after.version) == (clock.now(), before.version + 1)
    assert [letter["context"]["ended_auto_renewal"] for letter in letters("refunded")] == [True]
    assert_books_clean()


def test_after_a_trial_that_is_past_the_workspace_is_due_now(place, clock):
    clock.advance(days=29)
    payment = buy(place)
    # 20 December to 20 January; the trial was to end on 21 December.
    clock.set(datetime(2027, 1, 10, 9, tzinfo=UTC))
    shown = previewed(payment, clock)
    assert (shown.ended_on, shown.due_on_after) == (date(2026, 12, 21), date(2027, 1, 10))
    # The due date is a usable day, and a trial has no grace.
    assert shown.blocked_on == date(2027, 1, 11)
    # 10 to 20 January.
    assert shown.days_lost == 10
    refund(place, payment, clock)
    assert present(place) == ("trial", date(2026, 11, 21), date(2027, 1, 10), 21)
    assert periods()[0] == ("trial", date(2026, 11, 21), date(2026, 12, 21))
    assert_books_clean()
    clock.advance(days=40)
    assert_books_clean()
    # Whoever comes back buys from the day on which they pay.
    buy(place)
    assert present(place)[1] == date(2027, 2, 19)
    assert_books_clean()


def test_a_refunded_change_gives_the_earlier_plan_back_with_its_extra_days(place, clock):
    buy(place, "business-3")
    clock.advance(days=10)
    buy(place, "business-5")
    before = present(place)
    assert before[2] > date(2027, 1, 1), "extra days"
    clock.advance(days=5)
    payment = buy(place, "business-10")
    larger = present(place)
    clock.advance(days=2)
    shown = previewed(payment, clock)
    assert (shown.plan_after.code, shown.due_on_after) == ("business-5", before[2])
    assert shown.days_lost == max(0, (larger[2] - before[2]).days)
    refund(place, payment, clock)
    assert present(place) == before
    assert_books_clean()
    # And what is left of it still counts at the next change.
    buy(place, "business-10")
    assert line_of(Order.select().order_by(Order.id.desc()).get()).extension["unused_days"] > 0
    assert_books_clean()


def test_a_refunded_prolongation_ends_what_had_not_begun(place, clock):
    buy(place)
    before = present(place)
    clock.advance(days=15)
    payment = buy(place)
    assert present(place)[2] == date(2027, 1, 21)
    assert previewed(payment, clock).days_lost == 31
    refund(place, payment, clock)
    assert present(place) == before
    assert periods()[-1] == ("business-5", date(2026, 12, 21), date(2026, 12, 21))
    assert_books_clean()
    # The empty period of the refunded order counts for nothing.
    buy(place, "business-10")
    assert_books_clean()


def test_the_earlier_plan_that_has_become_too_small_is_given_back_and_said(place, clock):
    buy(place, "business-3")
    payment = buy(place, "business-10")
    for name in ("Ann A", "Bob B", "Cid C", "Dan D"):
        as_seen_by(place, name)
    [exceeded] = previewed(payment, clock).exceeded
    assert (exceeded.limit, exceeded.allowed, exceeded.used) == (LimitKind.USERS, 3, 5)
    refund(place, payment, clock)
    assert present(place)[0] == "business-3"
    assert_books_clean()


def test_bought_again_after_a_refund_and_refunded_again(place, clock):
    refund(place, buy(place), clock)
    clock.advance(days=1)
    payment = buy(place, "business-10", Interval.YEAR)
    assert present(place)[0] == "business-10"
    refund(place, payment, clock)
    assert present(place) == ("trial", date(2026, 11, 21), date(2026, 12, 21), 21)
    assert numbers() == ["INV-2026-000001", "CN-2026-000001", "INV-2026-000002", "CN-2026-000002"]
    assert_books_clean()


def test_a_free_plan_that_began_since_stays(place, clock):
    """Only the order is undone: a later act of the operator is not."""
    payment = buy(place)
    clock.advance(days=2)
    nonprofit = Plan.get(Plan.code == "nonprofit")
    today = place.workspace.day(clock.now())
    with transaction():
        SubscriptionPeriod.update(end_on=today).where(SubscriptionPeriod.end_on > today).execute()
        SubscriptionPeriod.create(
            subscription=Subscription.get(), plan=nonprofit, start_on=today, created_at=clock.now()
        )
        Subscription.update(plan=nonprofit, price=None, started_on=today, due_on=None).execute()
    refund(place, payment, clock)
    assert present(place)[::2] == ("nonprofit", None)
    assert_books_clean()


# --- what was shown -------------------------------------------------------------------------------


def test_nothing_is_asked_when_something_else_was_shown(place, clock):
    payment = buy(place)
    shown = previewed(payment, clock).hash
    as_seen_by(place, "Paul Petit")
    assert previewed(payment, clock).hash == shown, "of no consequence"
    clock.advance(days=31 - 1 - 1)
    pay(an_order(place))
    newest = Payment.select().order_by(Payment.id.desc()).get()
    other = previewed(newest, clock).hash
    assert other != shown
    with pytest.raises(RefundChanged):
        refunds.ask_refund(place, newest, shown_hash=shown, now=clock.now())
    with pytest.raises(RefundImpossible):
        refunds.ask_refund(place, payment, shown_hash=shown, now=clock.now())
    assert Refund.select().count() == 0
    assert sent_back() == [0, 0]


def test_another_workspaces_payment_is_as_if_it_did_not_exist(place, clock):
    payment = buy(place)
    other = a_place("Other", owner="Otto Other").workspace
    assert refund_quotes.find_payment(other, payment.key) is None
    assert refund_quotes.last_payment(other) is None


# --- the gateway ----------------------------------------------------------------------------------


def test_eight_submits_at_once_are_one_refund_and_one_credit_note(place, runtime, clock):
    payment = buy(place)
    shown = previewed(payment, clock).hash
    gateway = behind(runtime, lambda sandbox, request: sandbox.refund(request))

    def submit():
        return refunds.ask_refund(place, Payment.get_by_id(payment.id), shown_hash=shown, now=clock.now()).key

    results = at_once([submit] * 8)
    assert faults_of(results) == []
    assert len(set(results)) == len(gateway.keys) == 1
    assert numbers() == ["INV-2026-000001", "CN-2026-000001"]
    assert sent_back() == [3360]
    assert_books_clean()


@pytest.mark.parametrize(
    ("answer", "gone"), [(refunds_and_says_nothing, 3360), (is_away, 0)], ids=["it went back", "it did not"]
)
def test_a_gateway_that_does_not_say_is_asked_again_under_the_same_key(place, runtime, clock, answer, gone):
    payment = buy(place)
    order = reloaded(Order.get())
    sandbox = the_sandbox()
    gateway = behind(runtime, answer)
    asked = refund(place, payment, clock)
    assert (asked.state, sent_back()) == (RefundState.UNKNOWN, [gone])
    # Nothing else has changed.
    assert (reloaded(order).state, present(place)[0]) == (OrderState.PAID, "business-5")
    assert (numbers(), letters("refunded")) == (["INV-2026-000001"], [])
    assert open_money.open_refund(place.workspace, [Subscription.get().product]) == asked
    assert why_not(place, clock) == RefusalReason.BEING_REFUNDED
    assert_books_clean()
    # 1 minute, 5 minutes, an hour, a day, then every day.
    waits = []
    for _ in range(5):
        before = Refund.get().ask_again_at
        waits.append(before - clock.wall())
        assert refunds.look_up_due_refunds(limit=10, now=clock.now()).asked == 0
        clock.advance_wall(seconds=waits[-1].total_seconds())
        assert refunds.look_up_due_refunds(limit=10, now=clock.now()).asked == 1
    assert waits == [
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(hours=1),
        timedelta(days=1),
        timedelta(days=1),
    ]
    assert len(set(gateway.keys)) == 1
    install(Runtime(runtime.settings, runtime.clock, {"sandbox": sandbox}))
    clock.advance_wall(days=1)
    report = refunds.look_up_due_refunds(limit=10, now=clock.now())
    assert (report.asked, report.settled) == (1, 1)
    assert sent_back() == [3360]
    assert (Refund.get().state, numbers()[-1]) == (RefundState.SUCCEEDED, "CN-2026-000001")
    assert open_money.open_refund(place.workspace, [Subscription.get().product]) is None
    assert refunds.look_up_due_refunds(limit=10, now=clock.now()).asked == 0
    assert_books_clean()


def test_reconcile_does_not_wait_for_its_turn(place, runtime, clock):
    payment = buy(place)
    behind(runtime, refunds_and_says_nothing)
    refund(place, payment, clock)
    install(runtime)
    assert refunds.reconcile(now=clock.now()).settled == 1
    assert numbers()[-1] == "CN-2026-000001"
    assert_books_clean()


def test_a_refund_that_cannot_be_settled_does_not_keep_the_others_waiting(place, runtime, clock, caplog):
    places = [place, a_place("Other", owner="Otto Other")]
    payments = [buy(each) for each in places]
    behind(runtime, is_away)
    first, _second = (refund(each, payment, clock) for each, payment in zip(places, payments, strict=True))

    def fails_for_the_first(sandbox, request):
        if request.key == first.key:
            raise RuntimeError("no power")
        return sandbox.refund(request)

    install(runtime)
    behind(runtime, fails_for_the_first)
    clock.advance_wall(minutes=2)
    report = refunds.look_up_due_refunds(limit=10, now=clock.now())
    assert (report.asked, report.settled, report.failed) == (2, 1, 1)
    assert Refund.get_by_id(first.id).state == RefundState.UNKNOWN
    install(runtime)
    assert_books_clean()


def test_a_refused_refund_changes_nothing_and_may_be_asked_again(place, runtime, clock):
    payment = buy(place)
    before = present(place)
    behind(runtime, lambda sandbox, request: RefundRefused(RefundRefusal.DISPUTED))
    asked = refund(place, payment, clock)
    assert (asked.state, asked.refusal_code) == (RefundState.REFUSED, "disputed")
    assert (asked.ask_again_at, asked.settled_at) == (None, clock.wall())
    assert (present(place), Order.get().state, numbers()) == (before, OrderState.PAID, ["INV-2026-000001"])
    assert letters("refunded") + letters("refund_refused") == []
    assert AuditEntry.select().where(AuditEntry.action == "refund.refused").count() == 1
    assert_books_clean()
    install(runtime)
    again = refund(place, payment, clock)
    assert (again.state, again.key != asked.key) == (RefundState.SUCCEEDED, True)
    assert_books_clean()


@pytest.mark.parametrize("works_for_the_vendor_too", [False, True])
def test_whoever_was_told_to_wait_is_told_of_the_refusal(place, runtime, clock, works_for_the_vendor_too):
    payment = buy(place)
    Person.update(is_operator=works_for_the_vendor_too).execute()
    behind(runtime, is_away)
    refund(place, payment, clock)
    install(runtime)
    behind(runtime, lambda sandbox, request: RefundRefused(RefundRefusal.DISPUTED))
    clock.advance_wall(minutes=2)
    assert refunds.look_up_due_refunds(limit=10, now=clock.now()).settled == 1
    [letter] = letters("refund_refused")
    assert (letter["context"]["reason"], letter["context"]["total_minor"]) == ("disputed", 3360)
    assert letters("refunded") + letters("refund_to_handle") == []
    assert numbers() == ["INV-2026-000001"]
    assert_books_clean()


def test_a_disputed_payment_is_not_sent_back_a_second_time(place, clock):
    payment = pay(an_order(place), DISPUTED)
    clock.advance(days=2)
    asked = refund(place, payment, clock)
    assert (asked.state, asked.refusal_code) == (RefundState.REFUSED, "disputed")
    assert_books_clean()


def test_a_gateway_that_sends_another_amount_back_is_not_believed(place, runtime, clock, caplog):
    payment = buy(place)

    def half(sandbox, request):
        from portal.gateways.base import Refunded

        return Refunded("r", request.amount_minor // 2, clock.now())

    behind(runtime, half)
    assert refund(place, payment, clock).state == RefundState.UNKNOWN
    assert "asked for 3360 and got 1680" in caplog.text
    assert numbers() == ["INV-2026-000001"]


def test_eight_answers_to_one_refund_are_one_credit_note(place, runtime, clock):
    payment = buy(place)
    behind(runtime, refunds_and_says_nothing)
    refund(place, payment, clock)
    install(runtime)
    results = at_once([lambda: refunds.reconcile(now=clock.now()).asked] * 8)
    assert faults_of(results) == []
    assert numbers() == ["INV-2026-000001", "CN-2026-000001"]
    assert len(letters("refunded")) == 1
    assert_books_clean()


def test_while_its_result_is_open_nothing_new_is_charged(place, runtime, clock):
    payment = buy(place)
    order = an_order(place, "business-10")
    behind(runtime, refunds_and_says_nothing)
    refund(place, payment, clock)
    with pytest.raises(OrderAlreadyPlaced) as refusal:
        pay(order)
    assert refusal.value.order == payment.order.number
    assert (len(paid_charges()), reloaded(order).state) == (1, OrderState.OPEN)
    install(runtime)
    refunds.reconcile(now=clock.now())
    assert pay(an_order(place, "business-10")).state == PaymentState.SUCCEEDED
    assert_books_clean()


def test_what_is_due_is_not_offered_while_its_result_is_open(place, runtime, clock):
    """Asked back on the last day on which that is possible, without an answer, and due by then."""

    def standing():
        return agreement.status_of(
            agreement.of_workspace(place.workspace), today=place.workspace.day(clock.now())
        )

    def due():
        return amount_due.amount_due(place, standing(), now=clock.now())

    payment = pay(an_order(place), auto_renewal=True)
    auto_renewal.switch_off(place, now=clock.now())
    clock.advance(days=29)
    behind(runtime, is_away)
    refund(place, payment, clock)
    clock.advance(days=2)
    subscription = standing().subscription
    assert (subscription.open_refund_state, subscription.waits_for_refund) == (RefundState.UNKNOWN, True)
    assert due() is None
    behind(runtime, lambda _sandbox, _request: RefundRefused(RefundRefusal.NOT_CAPTURED))
    refunds.reconcile(now=clock.now())
    assert agreement.of_workspace(place.workspace).open_refund_state is None
    assert due().quote.total.minor == 3360
    assert_books_clean()
