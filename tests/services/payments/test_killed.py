"""The portal is killed by SIGKILL at each point of a payment or refund; what is written after is the truth.

Nothing in the product helps: the script of the killed process wraps the gateway, or the outbox, and
ends its own process there (trust.md §3, F1–F3).
"""

import signal

import pytest

from portal import outbox
from portal.domain.vocabulary import OrderState, PaymentState, RefundState
from portal.models import Invoice, OutboxMessage, Payment, Refund, Subscription
from portal.services.payments import charging, refunds
from tests.books import assert_books_clean
from tests.factories import letters
from tests.paying import an_order, paid_charges, pay, reloaded, the_sandbox
from tests.processes import DYING, exit_code_of

pytestmark = pytest.mark.both_engines

PLACE = (
    DYING
    + """
from portal import outbox

die_in("charge")

if facts["point"] == "while the answer is written":
    outbox.publish = die

order = ordering.find_order(Workspace.get_by_id(facts["workspace"]), facts["order"])
pay(order, facts["number"])
if facts["point"] == "before the letter":
    def die_in_the_post(delivery):
        die()
    handlers = {"mail": die_in_the_post, "prepare_documents": die_in_the_post}
    outbox.drain(wall=clock.wall, lease_seconds=60, handlers=handlers)
"""
)


def killed_while_placing(place, environment, point, *, number="4242424242424242"):
    order = an_order(place, email="jeanne.martin@acme.example")
    code = exit_code_of(
        PLACE, environment, point=point, workspace=place.workspace.id, order=order.number, number=number
    )
    assert code == -signal.SIGKILL
    return order


def reconciled(clock):
    clock.advance_wall(minutes=2)
    return charging.reconcile(now=clock.now())


def is_paid_exactly_once(order):
    assert reloaded(order).state == OrderState.PAID
    assert [charge.amount_minor for charge in paid_charges()] == [order.total_minor]
    assert [invoice.number for invoice in Invoice.select()] == ["INV-2026-000001"]
    assert Subscription.get().plan.code == "business-5"
    assert len(letters("order_confirmed")) == 1
    assert OutboxMessage.select().where(OutboxMessage.topic == "prepare_documents").count() == 1
    assert_books_clean()


def drained(clock, kept):
    note = {topic: lambda delivery: kept.append(delivery.key) for topic in ("mail", "prepare_documents")}
    return outbox.drain(wall=clock.wall, lease_seconds=60, handlers=note)


def test_killed_before_the_gateway_read_nothing_was_made_and_the_order_is_open(place, environment, clock):
    order = killed_while_placing(place, environment, "before the gateway reads")
    assert (Payment.get().state, the_sandbox().charges()) == (PaymentState.CREATED, [])
    assert reloaded(order).state == OrderState.PLACED
    assert_books_clean()
    # Somebody may be asking at this moment: not yet.
    assert charging.reconcile(now=clock.now()).asked == 0
    assert reconciled(clock).settled == 1
    assert (reloaded(order).state, Payment.get().decline_code) == (OrderState.OPEN, "never_made")
    assert (letters(), the_sandbox().charges()) == ([], [])
    assert_books_clean()
    assert pay(reloaded(order)).state == PaymentState.SUCCEEDED
    is_paid_exactly_once(order)


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize("point", ["after the gateway charged", "while the answer is written"])
def test_killed_between_the_charge_and_our_record_it_is_paid_once(place, environment, clock, point):
    order = killed_while_placing(place, environment, point)
    assert (Payment.get().state, len(paid_charges())) == (PaymentState.CREATED, 1)
    assert (reloaded(order).state, Invoice.select().count(), letters()) == (OrderState.PLACED, 0, [])
    assert_books_clean()
    assert reconciled(clock).settled == 1
    is_paid_exactly_once(order)
    assert reconciled(clock).asked == 0
    is_paid_exactly_once(order)


def test_killed_between_the_charge_and_our_record_the_worker_finds_it_alone(place, environment, clock):
    order = killed_while_placing(place, environment, "after the gateway charged")
    assert charging.look_up_due(limit=10, now=clock.now()).asked == 0
    clock.advance_wall(minutes=5)
    assert charging.look_up_due(limit=10, now=clock.now()).settled == 1
    is_paid_exactly_once(order)


def test_killed_after_the_challenge_was_asked_the_payer_may_still_confirm(place, environment, clock):
    order = killed_while_placing(place, environment, "after the gateway charged", number="4000000000003220")
    assert reconciled(clock).settled == 0
    payment = Payment.get()
    assert payment.state == PaymentState.ACTION_REQUIRED
    the_sandbox().answer_challenge(payment.action_url.rpartition("/")[2], confirmed=True)
    assert reconciled(clock).settled == 1
    is_paid_exactly_once(order)


def test_killed_after_the_record_the_letters_go_out_once(place, environment, clock):
    order = killed_while_placing(place, environment, "before the letter")
    is_paid_exactly_once(order)
    kept = []
    # One promise is still leased to the dead process.
    assert drained(clock, kept).delivered == 1
    clock.advance_wall(minutes=2)
    assert drained(clock, kept).delivered == 1
    assert drained(clock, kept).delivered == 0
    assert len(set(kept)) == 2
    is_paid_exactly_once(order)


# --- a refund -------------------------------------------------------------------------------------

REFUND = (
    DYING
    + """
from portal.services.payments import refund_quotes, refunds
from tests import factories

die_in("refund")

if facts["point"] == "while the answer is written":
    from portal.services import letters
    letters.send = die

workspace = Workspace.get_by_id(facts["workspace"])
place = factories.seen_by(factories.owner_of(workspace), workspace)
payment = refund_quotes.find_payment(workspace, facts["payment"])
shown = refund_quotes.preview(payment, now=clock.now()).hash
refunds.ask_refund(place, payment, shown_hash=shown, now=clock.now())
"""
)


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize(
    ("point", "gone"),
    [
        ("before the gateway reads", 0),
        ("after the gateway refunded", 3360),
        ("while the answer is written", 3360),
    ],
)
def test_killed_while_refunding_the_money_goes_back_once(place, environment, clock, point, gone):
    order = an_order(place)
    payment = pay(order)
    code = exit_code_of(REFUND, environment, point=point, workspace=place.workspace.id, payment=payment.key)
    assert code == -signal.SIGKILL
    assert (Refund.get().state, reloaded(order).state) == (RefundState.CREATED, OrderState.PAID)
    assert [charge.refunded_minor for charge in paid_charges()] == [gone]
    assert Invoice.select().count() == 1
    assert_books_clean()
    assert refunds.look_up_due_refunds(limit=10, now=clock.now()).asked == 0
    clock.advance_wall(minutes=1)
    assert refunds.look_up_due_refunds(limit=10, now=clock.now()).settled == 1
    assert refunds.reconcile(now=clock.now()).asked == 0
    assert [charge.refunded_minor for charge in paid_charges()] == [3360]
    assert (reloaded(order).state, Subscription.get().plan.code) == (OrderState.REFUNDED, "trial")
    assert [invoice.number for invoice in Invoice.select().order_by(Invoice.id)] == [
        "INV-2026-000001",
        "CN-2026-000001",
    ]
    assert len(letters("refunded")) == 1
    assert_books_clean()
