"""A page does not wait for a silent gateway: a thread asks, and what it hears is written down once."""

import threading

import pytest

from portal.domain.errors import OrderAlreadyPlaced
from portal.domain.vocabulary import OrderState, PaymentState, RefundState, SetupState
from portal.models import AuditEntry, AuditTrace, MethodSetup, Order, Payment, Refund
from portal.runtime import current
from portal.services import audit
from portal.services.payments import asking, charging, method_setups, refund_quotes, refunds
from portal.services.payments.asking import GatewayBusy
from tests.books import assert_books_clean
from tests.factories import letters
from tests.gates import LONGEST_SECONDS, hold
from tests.paying import ASKS_ONCE, DECLINED, PAID, a_card, an_order, buy, paid_charges, pay, reloaded
from tests.processes import DYING, exit_code_of
from tests.services.payments.test_concurrency import at_once

pytestmark = pytest.mark.both_engines

LONG, SHORT = float(LONGEST_SECONDS), 0.01


@pytest.fixture
def threads(monkeypatch):
    """`threads(patience, of=4)`: serve pages with so many threads; returns how to await each end."""

    def serve(patience, of=4):
        monkeypatch.setattr(asking, "PATIENCE_SECONDS", patience)
        monkeypatch.setattr(asking, "PATIENCE_OF_ONE_THREAD_SECONDS", patience)
        ended = threading.Semaphore(0)
        monkeypatch.setattr(asking, "_after", ended.release)
        asking.serve_pages(request_threads=of)
        return lambda count=1: [ended.acquire(timeout=LONGEST_SECONDS) for _ in range(count)]

    yield serve
    asking.ask_here()


def test_the_page_is_answered_while_the_gateway_is_silent(place, threads):
    until_ended = threads(SHORT)
    gate, order = hold("charge"), an_order(place)
    payment = pay(order)
    assert (payment.state, reloaded(order).state) == (PaymentState.CREATED, OrderState.PLACED)
    gate.wait_for_requests()
    assert_books_clean()
    gate.open()
    assert until_ended() == [True]
    assert (Payment.get().state, reloaded(order).state) == (PaymentState.SUCCEEDED, OrderState.PAID)
    assert len(paid_charges()) == 1
    assert_books_clean()


def test_no_connection_is_held_while_the_gateway_is_waited_for(place, threads):
    until_ended = threads(SHORT)
    gate = hold("charge")
    pay(an_order(place))
    gate.open()
    assert until_ended() == [True]
    assert gate.connections == [False]


def test_an_answer_in_time_is_the_page_s_own(place, threads):
    threads(LONG)
    assert pay(an_order(place)).state == PaymentState.SUCCEEDED
    assert letters("payment_failed") == []


def test_a_second_submit_lands_on_the_first_while_it_is_asked_for(place, threads):
    until_ended = threads(SHORT)
    gate, order = hold("charge"), an_order(place)
    pay(order)
    with pytest.raises(OrderAlreadyPlaced):
        pay(reloaded(order))
    assert charging.reconcile(now=current().clock.now()).asked == 0
    gate.open()
    assert until_ended() == [True]
    assert len(paid_charges()) == 1


@pytest.mark.parametrize(("patience", "told"), [(SHORT, 1), (LONG, 0)])
def test_a_decline_is_told_by_a_letter_where_the_page_has_left(place, threads, patience, told):
    until_ended = threads(patience)
    order = an_order(place)
    gate = hold("charge") if patience == SHORT else None
    pay(order, DECLINED)
    if gate is not None:
        gate.open()
    assert until_ended() == [True]
    assert (Payment.get().state, reloaded(order).state) == (PaymentState.DECLINED, OrderState.OPEN)
    assert len(letters("payment_failed")) == told


def test_half_of_the_threads_wait_at_most(database, runtime, threads):
    """Two of four wait for as long as it takes; the others are answered at once."""
    from tests.paying import a_place

    until_ended = threads(LONG)
    orders = [an_order(a_place(f"W{n}", owner=f"Owner {n}")) for n in range(6)]
    gate = hold("charge")
    answered = threading.Semaphore(0)

    def submit(order):
        payment = pay(order)
        answered.release()
        return payment.state

    results: list[object] = []
    thread = threading.Thread(
        target=lambda: results.extend(at_once([lambda order=order: submit(order) for order in orders]))
    )
    thread.start()
    assert [answered.acquire(timeout=LONGEST_SECONDS) for _ in range(4)] == [True] * 4
    assert not answered.acquire(blocking=False)
    gate.open()
    thread.join(LONGEST_SECONDS)
    assert sorted(results) == sorted([PaymentState.CREATED] * 4 + [PaymentState.SUCCEEDED] * 2)
    assert until_ended(6) == [True] * 6
    assert len(paid_charges()) == 6
    assert_books_clean()


def test_nobody_waits_after_the_gateway_let_somebody_down(runtime, threads, monkeypatch):
    from tests.paying import a_place

    until_ended = threads(SHORT, of=1)
    orders = [an_order(a_place(f"W{n}", owner=f"Owner {n}")) for n in range(2)]
    gate = hold("charge")
    assert pay(orders[0]).state == PaymentState.CREATED
    monkeypatch.setattr(asking._threads, "_patience", LONG)
    assert pay(orders[1]).state == PaymentState.CREATED
    gate.open()
    assert until_ended(2) == [True, True]


def test_more_than_may_wait_is_refused_before_anything_is_recorded(place, threads, monkeypatch):
    until_ended = threads(SHORT)
    monkeypatch.setattr(asking, "MOST_HANDED_OVER", 1)
    gate, order = hold("charge", "begin_setup"), an_order(place)
    pay(order)
    with pytest.raises(GatewayBusy):
        pay(reloaded(order))
    with pytest.raises(GatewayBusy):
        add_card(place)
    assert (Payment.select().count(), MethodSetup.select().count()) == (1, 0)
    gate.open()
    assert until_ended() == [True]


def test_a_bank_that_asks_for_the_payer_is_written_down_after_the_page_left(place, threads):
    until_ended = threads(SHORT)
    gate = hold("charge")
    pay(an_order(place), ASKS_ONCE)
    gate.open()
    assert until_ended() == [True]
    payment = Payment.get()
    assert payment.state == PaymentState.ACTION_REQUIRED
    assert payment.action_url.startswith("http")


def test_whoever_paid_stands_in_the_audit_log(place, threads):
    until_ended = threads(SHORT)
    gate, order = hold("charge"), an_order(place)
    with audit.acting_as(audit.Actor(order.person, "192.0.2.1")):
        pay(order)
    gate.open()
    assert until_ended() == [True]
    trace = AuditTrace.select().join(AuditEntry).where(AuditEntry.action == "payment.succeeded").get()
    assert (trace.person, trace.ip_address) == (order.person, "192.0.2.1")


# --- the other requests of pages ------------------------------------------------------------------


def add_card(place):
    return method_setups.begin_adding(
        place,
        a_card(PAID),
        result_address=lambda key: f"http://127.0.0.1:8000/{key}",
        now=current().clock.now(),
    )


def test_a_card_is_saved_after_the_page_left(place, threads):
    until_ended = threads(SHORT)
    gate = hold("begin_setup")
    assert add_card(place).state == SetupState.CREATED
    gate.open()
    assert until_ended() == [True]
    assert MethodSetup.get().state == SetupState.DONE


def test_a_refund_is_made_after_the_page_left(place, threads):
    payment = buy(place)
    until_ended = threads(SHORT)
    gate, now = hold("refund"), current().clock.now()
    shown = refund_quotes.preview(payment, now=now).hash
    asked = refunds.ask_refund(place, payment, shown_hash=shown, now=now)
    assert asked.state == RefundState.CREATED
    gate.open()
    assert until_ended() == [True]
    assert (Refund.get().state, Order.get().state) == (RefundState.SUCCEEDED, OrderState.REFUNDED)
    assert_books_clean()


# --- a process that dies --------------------------------------------------------------------------

LEFT_AND_KILLED = (
    DYING
    + """
import threading
from portal.services.payments import asking

asking.PATIENCE_SECONDS = 0.01
asking.serve_pages(request_threads=4)
left = threading.Event()
die_in("charge")
order = ordering.find_order(Workspace.get_by_id(facts["workspace"]), facts["order"])
real = current().gateways["sandbox"].sandbox.charge
current().gateways["sandbox"].sandbox.charge = lambda request: (left.wait(60), real(request))[1]
assert pay(order).state == "created"
left.set()
threading.Event().wait(60)
"""
)


def test_a_process_that_dies_while_its_thread_asks_leaves_one_charge_to_be_found(place, environment, clock):
    order = an_order(place)
    code = exit_code_of(
        LEFT_AND_KILLED,
        environment,
        point="after the gateway moved money",
        workspace=place.workspace.id,
        order=order.number,
    )
    assert (code, Payment.get().state) == (-9, PaymentState.CREATED)
    clock.advance_wall(minutes=2)
    assert charging.reconcile(now=clock.now()).settled == 1
    assert (reloaded(order).state, len(paid_charges())) == (OrderState.PAID, 1)
    assert_books_clean()
