"""Many at once, on real connections of several threads and processes: one charge, one invoice, no gap."""

import sqlite3
import threading
import time
from datetime import date

import psycopg
import pytest
from peewee import OperationalError

from portal.database import connecting as portal_database
from portal.domain.errors import LinkUnusable, NothingDue, OrderAlreadyPlaced, PortalError, QuoteChanged
from portal.domain.vocabulary import OrderState, PaymentMethodKind, PaymentState
from portal.models import (
    AuditEntry,
    Invoice,
    Member,
    OrderLine,
    Payment,
    Price,
    Subscription,
    SubscriptionPeriod,
)
from portal.runtime import current
from portal.services.checkout import open_invoices
from portal.services.invoices import issuing, pay_links
from portal.services.payments import charging
from tests.books import assert_books_clean, broken_books
from tests.factories import CATALOGUE
from tests.matrix import FULL
from tests.paying import (
    RETURN_URL,
    SILENT_CHARGED,
    a_card,
    a_place,
    an_order,
    apply_catalogue,
    paid_charges,
    pay,
    reloaded,
    the_sandbox,
)
from tests.processes import in_processes
from tests.transferring import a_pay_link, ordered_on_account

pytestmark = pytest.mark.both_engines

TIMES = 50
INVOICES = 200 if FULL else 80
PROCESSES = 4
LONGEST_SECONDS = 60


def at_once(acts):
    """Run the acts in a thread each, let go together; what each returned or raised, in order."""
    barrier = threading.Barrier(len(acts))
    results = [None] * len(acts)

    def run(place, act):
        barrier.wait()
        try:
            with portal_database.connection():
                results[place] = act()
        except Exception as error:  # noqa: BLE001
            results[place] = error

    threads = [threading.Thread(target=run, args=each, daemon=True) for each in enumerate(acts)]
    for thread in threads:
        thread.start()
    give_up_at = time.monotonic() + LONGEST_SECONDS
    for thread in threads:
        thread.join(timeout=max(0, give_up_at - time.monotonic()))
        assert not thread.is_alive(), "the threads wait for each other"
    return results


def states_of(results):
    return [result.state for result in results if isinstance(result, Payment)]


def faults_of(results):
    return [error for error in results if isinstance(error, Exception) and not isinstance(error, PortalError)]


# --- one order ------------------------------------------------------------------------------------


def test_fifty_submits_of_one_order_are_one_charge(place):
    order = an_order(place)
    results = at_once([lambda: pay(reloaded(order))] * TIMES)
    assert faults_of(results) == []
    assert states_of(results) == [PaymentState.SUCCEEDED]
    refused = [result for result in results if isinstance(result, OrderAlreadyPlaced)]
    assert {refusal.order for refusal in refused} == {order.number}
    assert len(refused) == TIMES - 1
    assert (len(the_sandbox().charges()), Invoice.select().count()) == (1, 1)
    assert_books_clean()


def test_the_owner_and_whoever_has_the_link_pay_at_once_and_one_of_them_does(place):
    invoice = ordered_on_account(place)
    token = a_pay_link(invoice).rpartition("/")[2]
    whole = f"{invoice.total_minor} EUR"

    def by_owner():
        return open_invoices.pay(
            place.workspace,
            invoice.number,
            person=place.member.person,
            card=a_card(),
            method=None,
            shown=whole,
            return_url=RETURN_URL,
            now=current().clock.now(),
        )

    results = at_once([by_owner, lambda: by_link(token, whole)] * 4)
    assert faults_of(results) == []
    assert states_of(results) == [PaymentState.SUCCEEDED]
    assert {type(result) for result in results} <= {Payment, OrderAlreadyPlaced, NothingDue}
    assert [charge.amount_minor for charge in paid_charges()] == [invoice.total_minor]
    assert_books_clean()


def test_a_link_that_is_withdrawn_while_it_pays_has_paid_or_has_not(place):
    invoice = ordered_on_account(place)
    token, whole = a_pay_link(invoice).rpartition("/")[2], f"{invoice.total_minor} EUR"

    def withdraw():
        return pay_links.withdraw(place.workspace, invoice, now=current().clock.now())

    withdrawn, paid = at_once([withdraw, lambda: by_link(token, whole)])
    assert withdrawn is True
    assert isinstance(paid, Payment | LinkUnusable)
    assert len(paid_charges()) == isinstance(paid, Payment)
    assert_books_clean()


def by_link(token, shown):
    return open_invoices.pay_by_link(
        token,
        kind=PaymentMethodKind.CARD,
        card=a_card(),
        shown=shown,
        return_url=str,
        now=current().clock.now(),
    )


def test_fifty_submits_whose_result_is_unknown_are_one_charge(place, clock):
    order = an_order(place)
    results = at_once([lambda: pay(reloaded(order), SILENT_CHARGED)] * TIMES)
    assert faults_of(results) == []
    assert states_of(results) == [PaymentState.UNKNOWN]
    assert len(the_sandbox().charges()) == 1
    at_once([lambda: charging.reconcile(now=clock.now())] * 8)
    assert (reloaded(order).state, len(paid_charges())) == (OrderState.PAID, 1)
    assert_books_clean()


def test_fifty_submits_in_four_processes_are_one_charge(place, environment):
    order = an_order(place)
    script = """
import threading
from portal.domain.errors import OrderAlreadyPlaced
workspace = Workspace.get_by_id(facts["workspace"])
outcomes = []
def submit():
    with database.connection():
        order = ordering.find_order(workspace, facts["order"])
        try:
            outcomes.append(pay(order).state)
        except OrderAlreadyPlaced:
            outcomes.append("already placed")
threads = [threading.Thread(target=submit) for _ in range(13)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(json.dumps(outcomes))
"""
    outcomes = in_processes(4, script, environment, workspace=place.workspace.id, order=order.number)
    said = [outcome for each in outcomes for outcome in each]
    assert sorted(said) == ["already placed"] * 51 + ["succeeded"]
    assert (len(the_sandbox().charges()), Invoice.select().count()) == (1, 1)
    assert_books_clean()


def test_two_orders_in_two_tabs_are_one_charge(place):
    """Each buys from the trial; whoever is second finds another quote, or a payment on its way."""
    orders = [an_order(place), an_order(place, "business-10")] * 5
    results = at_once([lambda order=order: pay(reloaded(order)) for order in orders])
    assert faults_of(results) == []
    assert states_of(results) == [PaymentState.SUCCEEDED]
    refused = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(refusal, PortalError) for refusal in refused)
    assert len(paid_charges()) == 1
    assert_books_clean()


def test_eight_answers_to_one_payment_are_one_invoice(place, clock):
    order = an_order(place)
    payment = pay(order, SILENT_CHARGED)
    results = at_once([lambda: charging.look_up(Payment.get_by_id(payment.id), now=clock.now())] * 8)
    assert faults_of(results) == []
    assert set(states_of(results)) == {PaymentState.SUCCEEDED}
    assert Invoice.select().count() == 1
    assert AuditEntry.select().where(AuditEntry.action == "payment.succeeded").count() == 1
    assert_books_clean()


def test_giving_up_and_confirming_at_once_end_the_same_way_on_both_sides(place, clock):
    order = an_order(place)
    payment = pay(order, "4000000000003220")
    reference = payment.action_url.rpartition("/")[2]
    at_once(
        [
            lambda: charging.give_up(Payment.get_by_id(payment.id), now=clock.now()),
            lambda: the_sandbox().answer_challenge(reference, confirmed=True),
            lambda: charging.look_up(Payment.get_by_id(payment.id), now=clock.now()),
        ]
    )
    charging.reconcile(now=clock.now())
    assert (reloaded(order).state == OrderState.PAID) == (len(paid_charges()) == 1)
    assert_books_clean()


def test_a_catalogue_applied_while_ordering_leaves_no_price_in_between(place):
    """Each order is charged for what it showed, or shows another price and charges nothing."""
    Price.update(valid_from=date(2026, 11, 1)).execute()
    others = [a_place(f"Other {n}", owner=f"Otto {n}") for n in range(8)]
    orders = [an_order(each) for each in others]
    text = CATALOGUE.read_text().replace("amount_minor = 2800 }", "amount_minor = 2900 }")
    results = at_once(
        [
            *[lambda order=order: pay(reloaded(order)) for order in orders],
            lambda: apply_catalogue(text),
        ]
    )
    assert faults_of(results) == []
    assert all(isinstance(result, Payment | QuoteChanged | None) for result in results)
    assert {charge.amount_minor for charge in paid_charges()} <= {3360}
    for order in orders:
        if reloaded(order).state == OrderState.OPEN:
            assert reloaded(order).net_minor == 2900
            pay(reloaded(order))
    assert_books_clean()


# --- numbers --------------------------------------------------------------------------------------


def test_four_processes_issue_many_invoices_without_a_gap(place, environment):
    placed_copies(an_order(place), count=INVOICES)
    keys = [key for (key,) in Payment.select(Payment.key).order_by(Payment.id).tuples()]
    script = """
from portal.services.payments import charging
from portal.gateways.base import Succeeded
mine = facts["keys"][facts["share"] :: 4]
for key in mine:
    payment = Payment.get(Payment.key == key)
    outcome = Succeeded(f"charge {key}", payment.amount_minor, payment.currency, clock.now(), None)
    charging.record_answer(payment, outcome, now=clock.now())
print(json.dumps(len(mine)))
"""
    assert in_processes(PROCESSES, script, environment, keys=keys) == [INVOICES // PROCESSES] * PROCESSES
    numbers = [number for (number,) in Invoice.select(Invoice.number).order_by(Invoice.id).tuples()]
    assert numbers == [f"INV-2026-{n:06d}" for n in range(1, INVOICES + 1)]
    assert_books_clean_but_for_the_charges()


def placed_copies(order, *, count):
    """So many placed orders, each of a workspace of its own with a trial, each with an intent to pay."""
    subscription = Subscription.get(Subscription.workspace == order.workspace)
    rows = {
        Member: Member.get(Member.workspace == order.workspace),
        Subscription: subscription,
        OrderLine: OrderLine.get(OrderLine.order == order),
        SubscriptionPeriod: SubscriptionPeriod.get(SubscriptionPeriod.subscription == subscription),
    }
    with portal_database.transaction():
        for n in range(count):
            workspace = copy_of(order.workspace, slug=f"w{n}", customer_number=f"C-1{n:05d}")
            copy_of(rows[Member], workspace=workspace)
            own = copy_of(rows[Subscription], workspace=workspace)
            copy_of(rows[SubscriptionPeriod], subscription=own)
            placed = copy_of(order, workspace=workspace, number=f"o{n}", state=OrderState.PLACED)
            copy_of(rows[OrderLine], order=placed, subscription=own)
            charging.begin_payment(placed, person=order.person, now=order.created_at)


def copy_of(row, **changed):
    values = {name: value for name, value in row.__data__.items() if name != "id"}
    return type(row).create(**values | changed)


def assert_books_clean_but_for_the_charges():
    """The answers of that test were made up, the sandbox never heard of them."""
    assert set(broken_books()) == {"succeeded_payments_are_charges"}


def test_a_number_goes_back_when_its_invoice_fails(place, clock, monkeypatch):
    order = an_order(place)
    payment = pay(order, SILENT_CHARGED)
    issue = issuing.issue_for

    def issue_and_fail(*args, **options):
        issue(*args, **options)
        raise RuntimeError("no power")

    monkeypatch.setattr(issuing, "issue_for", issue_and_fail)
    with pytest.raises(RuntimeError):
        charging.look_up(Payment.get_by_id(payment.id), now=clock.now())
    monkeypatch.undo()
    assert Invoice.select().count() == 0
    charging.look_up(Payment.get_by_id(payment.id), now=clock.now())
    assert [invoice.number for invoice in Invoice.select()] == ["INV-2026-000001"]
    assert_books_clean()


# --- a database that is busy ----------------------------------------------------------------------


@pytest.mark.engine("sqlite")
def test_a_locked_database_charges_nothing(place, database_url, database):
    """F39: after the wait the submit fails whole, and the next one is the first."""
    order = an_order(place)
    database.execute_sql("PRAGMA busy_timeout = 100")
    other = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError, match="locked"):
        pay(order)
    other.execute("ROLLBACK")
    other.close()
    assert (the_sandbox().charges(), Payment.select().count()) == ([], 0)
    assert pay(order).state == PaymentState.SUCCEEDED
    assert_books_clean()


@pytest.mark.engine("postgresql")
def test_a_locked_workspace_charges_nothing(place, database_url, database):
    order = an_order(place)
    database.execute_sql("SET lock_timeout = '100ms'")
    with psycopg.connect(database_url) as other:
        other.execute("SELECT id FROM workspace FOR UPDATE")
        with pytest.raises(OperationalError, match="lock timeout"):
            pay(order)
        other.rollback()
    database.execute_sql("SET lock_timeout = '5s'")
    assert (the_sandbox().charges(), Payment.select().count()) == ([], 0)
    assert pay(order).state == PaymentState.SUCCEEDED
    assert_books_clean()
