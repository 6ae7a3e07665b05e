"""Credits by operators: given once, used before the card, taken back as far as they are unused."""

from datetime import timedelta
from threading import Thread

import pytest
from peewee import IntegrityError

from portal.database.connecting import connection, transaction
from portal.domain.choices import Choice
from portal.domain.frozen_quote import frozen_balance
from portal.domain.money import Money
from portal.domain.vocabulary import (
    BalanceEntryKind,
    Interval,
    MemberStatus,
    OrderKind,
    OrderState,
    PaidWith,
    PaymentState,
    Role,
    SubscriptionState,
)
from portal.models import (
    AuditEntry,
    BalanceEntry,
    Credit,
    Invoice,
    Order,
    OutboxMessage,
    Payment,
    Product,
    Workspace,
)
from portal.services import ledger
from portal.services.checkout import ordering
from portal.services.payments import charging, given_credits, on_account
from portal.services.payments.given_credits import FormUsed, WithdrawalChanged, WorkspaceGone
from portal.services.workspace import deletion
from tests.books import assert_books_clean
from tests.factories import a_member, a_person
from tests.licensed import bought
from tests.passing import pass_days
from tests.paying import ASKS_ONCE, SILENT_CHARGED, a_place, an_order, buy, pay, reloaded, with_details
from tests.services.payments.test_on_account import (
    PAY_BY,
    YEARLY,
    ordered,
    paid_by_card,
    state,
    the_invoice,
    the_subscription,
)
from tests.services.payments.test_refunds import refund
from tests.transferring import bring, camt, paying

pytestmark = pytest.mark.both_engines


def euros(minor):
    return Money(minor, "EUR")


def give(place, minor=500, *, key="form-1", reason="The outage of 3 December", currency="EUR", now=None):
    return given_credits.give(
        place.workspace,
        amount=Money(minor, currency),
        reason=reason,
        key=key,
        now=now or place.workspace.created_at,
    )


def take_back(credit, minor, *, key="form-2"):
    return given_credits.take_back(
        credit, shown=Money(minor, credit.currency), reason="A mistake", key=key, now=credit.made_at
    )


def mails(template):
    found = OutboxMessage.select().where(OutboxMessage.topic == "mail").order_by(OutboxMessage.id)
    return [each.payload for each in found if each.payload["template"] == template]


def entries(place):
    return [
        (each.kind, each.amount_minor, each.after_minor) for each in ledger.entries_of(place.workspace, "EUR")
    ]


def test_a_credit_is_kept_with_its_reason_written_down_and_mailed(place):
    buys = a_member(place.workspace, a_person("bill@acme.example"), role=Role.BILLING_MANAGER)
    a_member(place.workspace, a_person("mia@acme.example"))
    a_member(place.workspace, a_person("gone@acme.example"), role=Role.OWNER, status=MemberStatus.DISABLED)
    credit = give(place)
    assert ledger.kept(place.workspace, "EUR") == euros(500)
    assert entries(place) == [(BalanceEntryKind.CREDIT, 500, 500)]
    [said] = AuditEntry.select().where(AuditEntry.action == "credit.given")
    assert (said.subject, said.changes) == ("form-1", {"amount_minor": 500, "currency": "EUR"})
    letters = mails("credit_posted")
    assert len(letters) == 2 and buys.person.email in {each["to"] for each in letters}
    assert letters[0]["context"]["reason"] == credit.reason == "The outage of 3 December"
    assert letters[0]["context"]["balance_minor"] == 500
    assert_books_clean()


def test_the_same_form_gives_once(place):
    assert give(place) == give(place)
    assert ledger.kept(place.workspace, "EUR") == euros(500)
    assert len(mails("credit_posted")) == 1
    for changed in ({"minor": 600}, {"reason": "Another"}):
        with pytest.raises(FormUsed):
            give(place, **changed)
    with pytest.raises(FormUsed):
        give(a_place("Other", owner="Otto Other"))
    assert Credit.select().count() == 1
    assert_books_clean()


@pytest.mark.engine("sqlite", "postgresql")
def test_two_clicks_at_once_give_once(place):
    results = []

    def click():
        with connection():
            results.append(give(place).id)

    clicks = [Thread(target=click) for _ in range(4)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert len(set(results)) == 1 and len(results) == 4
    assert ledger.kept(place.workspace, "EUR") == euros(500)
    assert_books_clean()


def test_a_renewal_uses_the_credit_before_the_card(place, clock):
    pay(an_order(place), auto_renewal=True)
    give(place, 1000, now=clock.now())
    pass_days(clock, 31)
    renewed = Payment.select().order_by(Payment.id.desc()).get()
    assert renewed.amount == euros(2360)
    assert Order.get_by_id(renewed.order_id).from_balance_minor == 1000
    assert ledger.kept(place.workspace, "EUR") == euros(0)
    assert ledger.balance_of(place.workspace, "EUR") == euros(0)
    assert_books_clean()


def test_a_credit_that_is_enough_pays_a_whole_renewal_without_the_card(place, clock):
    pay(an_order(place), auto_renewal=True)
    give(place, 5000, now=clock.now())
    pass_days(clock, 31)
    renewed = Payment.select().order_by(Payment.id.desc()).get()
    assert renewed.method_kind == PaidWith.BALANCE
    assert ledger.kept(place.workspace, "EUR") == euros(5000 - 3360)
    assert_books_clean()


def test_a_purchase_by_hand_uses_it_too(place, clock):
    give(place, 1000, now=clock.now())
    payment = pay(an_order(place))
    assert payment.amount == euros(2360)
    assert ledger.status_of(Invoice.get()) == "paid"
    assert_books_clean()


# --- what is open already -------------------------------------------------------------------------


def test_it_pays_an_open_invoice_as_a_transfer_would(place, clock):
    order = ordered(place)
    credit = give(place, YEARLY + 5000, now=clock.now())
    assert (reloaded(order).state, on_account.open_of(place.workspace)) == (OrderState.PAID, [])
    assert (the_subscription().unpaid_on, the_invoice(order).remind_on) == (None, None)
    assert ledger.kept(place.workspace, "EUR") == euros(5000)
    [given] = given_credits.of_workspace(place.workspace, most=5)
    assert (given.credit, given.left) == (credit, euros(5000))
    [letter] = mails("credit_posted")
    number = the_invoice(order).number
    assert letter["context"]["covered"] == [{"number": number, "covered_minor": YEARLY, "left_minor": 0}]
    assert letter["context"]["balance_minor"] == 5000
    assert (mails("invoice_paid"), mails("paid_from_balance")) == ([], [])
    assert AuditEntry.select().where(AuditEntry.action == "invoice.paid").count() == 1
    [used] = AuditEntry.select().where(AuditEntry.action == "balance.used")
    assert (used.subject, used.changes["amount_minor"]) == (number, YEARLY)
    pass_days(clock, 60)
    assert (mails("invoice_reminder"), state(place)) == ([], SubscriptionState.PAID)
    assert_books_clean()


def test_what_is_not_enough_pays_a_part_and_the_rest_is_asked_for(place, clock):
    order = ordered(place)
    give(place, 1000, now=clock.now())
    [(invoice, left)] = on_account.open_of(place.workspace)
    assert (left, state(place)) == (euros(YEARLY - 1000), SubscriptionState.PAID)
    pass_days(clock, 24)
    assert [each["context"]["open_minor"] for each in mails("invoice_reminder")] == [YEARLY - 1000]
    give(place, YEARLY - 1000, key="form-2", now=clock.now())
    assert reloaded(order).state == OrderState.PAID
    assert ledger.balance_of(place.workspace, "EUR") == euros(0)
    bring(camt(paying(invoice)))
    assert ledger.kept(place.workspace, "EUR") == euros(YEARLY), "a transfer that comes later is kept"
    assert_books_clean()


def test_who_is_blocked_by_an_open_invoice_is_let_in_again(place, clock):
    ordered(place)
    pass_days(clock, 45)
    assert state(place) is SubscriptionState.BLOCKED
    give(place, YEARLY - 1, now=clock.now())
    assert state(place) is SubscriptionState.BLOCKED
    give(place, 1, key="form-2", now=clock.now())
    assert state(place) is SubscriptionState.PAID
    assert_books_clean()


def test_the_next_period_is_given_once_a_credit_has_paid_for_it(place, clock):
    ordered(place)
    give(place, YEARLY, now=clock.now())
    pass_days(clock, 335)
    [(_invoice, left)] = on_account.open_of(place.workspace)
    due_on = the_subscription().due_on
    give(place, left.minor, key="form-2", now=clock.now())
    assert the_subscription().due_on.year == due_on.year + 1
    assert_books_clean()


def test_the_oldest_due_is_paid_first_and_what_is_left_pays_the_next(place, clock):
    first = ordered(place)
    clock.advance(days=1)
    Product.update(bank_transfer=True).where(Product.code == "training").execute()
    second = ordered(place, plan="training-standard")
    Invoice.update(due_on=PAY_BY - timedelta(days=1)).where(Invoice.order == second).execute()
    owed = the_invoice(second).total_minor
    give(place, owed + 1000, now=clock.now())
    assert (reloaded(second).state, on_account.open_part(the_invoice(first))) == (
        OrderState.PAID,
        euros(YEARLY - 1000),
    )
    [letter] = mails("credit_posted")
    assert [each["left_minor"] for each in letter["context"]["covered"]] == [0, YEARLY - 1000]


def test_what_a_placed_order_counts_on_pays_nothing_else_until_it_is_declined(place, clock):
    give(place, 1000, now=clock.now())
    waiting = pay(an_order(place), ASKS_ONCE)
    order = ordered(place)
    give(place, 300, key="form-2", now=clock.now())
    assert on_account.open_part(the_invoice(order)) == euros(YEARLY - 300)
    assert_books_clean()
    charging.give_up(waiting, now=clock.now())
    assert on_account.open_part(the_invoice(order)) == euros(YEARLY - 1300)
    [letter] = mails("paid_from_balance")
    assert letter["context"]["covered"] == [
        {"number": the_invoice(order).number, "covered_minor": 1000, "left_minor": YEARLY - 1300}
    ]
    assert_books_clean()


def test_a_card_that_was_asked_before_the_credit_came_is_kept_and_nothing_is_given_twice(place, clock):
    order = ordered(place)
    waiting = paid_by_card(place, the_invoice(order), number=SILENT_CHARGED)
    give(place, YEARLY, now=clock.now())
    assert reloaded(order).state == OrderState.PAID
    due_on = the_subscription().due_on
    clock.advance(days=1)
    charging.reconcile(now=clock.now())
    assert Payment.get_by_id(waiting.id).state == PaymentState.SUCCEEDED
    assert ledger.kept(place.workspace, "EUR") == euros(YEARLY)
    assert (Invoice.select().count(), the_subscription().due_on) == (1, due_on)
    assert_books_clean()


def test_only_what_covers_nothing_is_taken_back(place, clock):
    order = ordered(place)
    credit = give(place, YEARLY + 700, now=clock.now())
    for wrong in (YEARLY + 700, 701):
        with pytest.raises(WithdrawalChanged):
            take_back(credit, wrong)
    take_back(credit, 700)
    assert (reloaded(order).state, ledger.kept(place.workspace, "EUR")) == (OrderState.PAID, euros(0))
    assert_books_clean()


def test_while_more_is_owed_than_kept_it_pays_that_first_and_cannot_be_taken_back(place, clock):
    ordered(place)
    credit = give(place, 1000, now=clock.now())
    assert pay(an_order(place)).amount == euros(3360)
    with pytest.raises(WithdrawalChanged):
        take_back(credit, 1000)
    assert_books_clean()


def test_what_stays_of_a_refund_pays_what_is_open(place, clock):
    give(place, 1000, now=clock.now())
    payment = pay(an_order(place))
    order = ordered(place)
    refund(place, payment, clock)
    assert on_account.open_part(the_invoice(order)) == euros(YEARLY - 1000)
    [letter] = mails("paid_from_balance")
    assert letter["context"]["used_minor"] == 1000
    assert_books_clean()


def test_what_a_change_gives_back_beyond_itself_pays_what_is_open(place, clock):
    """From a year to a month of more: the order is paid by it, and the rest pays the older debt."""
    bought(place, "meetings-essential", quantity=9, interval=Interval.YEAR)
    order = ordered(place)
    choice = Choice("meetings-professional", Interval.MONTH, 9, OrderKind.CHANGE)
    opened = ordering.open_order(place, choices=[choice], currency="EUR", now=clock.now())
    changed = with_details(opened, place)
    left_of_it = frozen_balance(changed.quote).credited.minor - changed.from_balance_minor
    assert left_of_it > 0
    pay(changed, None)
    assert on_account.open_part(the_invoice(order)).minor == max(YEARLY - left_of_it, 0)
    assert_books_clean()


def test_a_deleted_workspace_pays_nothing_from_what_is_kept(place, clock):
    ordered(place)
    pass_days(clock, 1)
    deletion.delete_by_owner(place, now=clock.now())
    with transaction(lock=place.workspace):
        assert on_account.pay_from_balance(place.workspace, "EUR", now=clock.now()) == []
    assert_books_clean()


def test_a_credit_in_another_currency_waits(place, clock):
    pay(an_order(place), auto_renewal=True)
    give(place, 1000, currency="USD", now=clock.now())
    pass_days(clock, 31)
    assert Payment.select().order_by(Payment.id.desc()).get().amount == euros(3360)
    assert ledger.balances(place.workspace) == [euros(0), Money(1000, "USD")]
    assert given_credits.currencies(place.workspace) == (["EUR", "USD"], ["EUR"])
    assert_books_clean()


def test_a_blocked_workspace_gets_one_and_a_deleted_one_does_not(place, clock):
    buy(place)
    pass_days(clock, 60)
    give(place, now=clock.now())
    assert ledger.kept(place.workspace, "EUR") == euros(500)
    deletion.delete_by_owner(place, now=clock.now())
    with pytest.raises(WorkspaceGone):
        give(place, key="later", now=clock.now())
    assert Credit.select().count() == 1
    assert_books_clean()


def test_what_is_unused_is_taken_back_and_no_more(place, clock):
    credit = give(place, 5000, now=clock.now())
    pay(an_order(place))
    [given] = given_credits.of_workspace(place.workspace, most=5)
    assert (given.left, given.taken_back) == (euros(1640), euros(0))
    for wrong in (5000, 1641, 1, 0):
        with pytest.raises(WithdrawalChanged):
            take_back(credit, wrong)
    withdrawal = take_back(credit, 1640)
    assert take_back(credit, 1640) == withdrawal
    assert entries(place)[-1] == (BalanceEntryKind.WITHDRAWAL, -1640, 0)
    [given] = given_credits.of_workspace(place.workspace, most=5)
    assert (given.left, given.taken_back) == (euros(0), euros(1640))
    with pytest.raises(WithdrawalChanged):
        take_back(credit, 0, key="form-3")
    assert [each["context"]["reason"] for each in mails("credit_taken_back")] == ["A mistake"]
    assert AuditEntry.select().where(AuditEntry.action == "credit.taken_back").count() == 1
    assert given_credits.find(place.workspace, "form-2") is None
    assert_books_clean()


def test_what_a_payment_on_its_way_counts_on_is_not_taken_back(place, clock):
    credit = give(place, 1000, now=clock.now())
    pay(an_order(place), ASKS_ONCE)
    [given] = given_credits.of_workspace(place.workspace, most=5)
    assert given.left == euros(0)
    with pytest.raises(WithdrawalChanged):
        take_back(credit, 1000)
    assert_books_clean()


def test_what_was_taken_back_covers_nothing_later(place, clock):
    take_back(give(place, 1000, now=clock.now()), 1000)
    give(place, 700, key="form-3", now=clock.now())
    payment = pay(an_order(place))
    assert payment.amount == euros(2660)
    used = {each.entry.credit.key for each in BalanceEntry.get(kind="credit").allocations}
    assert used == {"form-1"}
    assert_books_clean()


def test_the_balances_stay_apart_by_workspace_and_currency(place, clock):
    other = a_place("Other", owner="Otto Other")
    for minor, where, currency in (
        (100, place, "EUR"),
        (20, other, "EUR"),
        (3, place, "USD"),
        (4, place, "EUR"),
    ):
        give(where, minor, key=f"{minor}", currency=currency)
    assert ledger.balances(place.workspace) == [euros(104), Money(3, "USD")]
    assert ledger.balances(other.workspace) == [euros(20)]
    assert ledger.balances(a_place("Third", owner="Tina Third").workspace) == []
    assert_books_clean()


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize(
    "columns", [{"amount_minor": 0}, {"amount_minor": -5}, {"reason": ""}, {"key": "form-1"}]
)
def test_the_database_refuses_a_credit_of_nothing_without_a_reason_or_twice(place, columns):
    give(place)
    facts = {
        "key": "k",
        "workspace": Workspace.get(),
        "currency": "EUR",
        "amount_minor": 5,
        "reason": "r",
        "made_at": place.workspace.created_at,
    }
    with pytest.raises(IntegrityError), transaction():
        Credit.create(**facts | columns)
