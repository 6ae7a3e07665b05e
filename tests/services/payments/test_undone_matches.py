"""A match that was wrong is undone: the invoice is open again, and the transfer waits for somebody."""

import pytest

from portal.database.connecting import transaction
from portal.domain.money import Money
from portal.domain.vocabulary import (
    BalanceEntryKind,
    OrderState,
    SubscriptionState,
    TransferReason,
    TransferState,
)
from portal.models import Allocation, AuditEntry, BalanceEntry, BankTransfer, Invoice
from portal.runtime import current
from portal.services import ledger
from portal.services.checkout import open_invoices
from portal.services.checkout.open_invoices import PaidInPart
from portal.services.payments import on_account, transfer_pages, transfers, undone_matches
from portal.services.payments.transfers import TransferChanged, TransferDecided
from portal.services.payments.undone_matches import MatchSpent
from portal.services.workspace import deletion
from tests.books import assert_books_clean, broken_books
from tests.factories import letters
from tests.passing import pass_days
from tests.paying import ASKS_ONCE, a_place, an_order, pay, reloaded
from tests.services.payments.test_concurrency import at_once
from tests.services.payments.test_on_account import (
    PAY_BY,
    YEARLY,
    ordered,
    paid_by_card,
    state,
    the_invoice,
    the_subscription,
)
from tests.services.payments.test_transfers import returning
from tests.transferring import bring, camt, paying

pytestmark = pytest.mark.both_engines

GIVES, TAKES = BalanceEntryKind.TRANSFER, BalanceEntryKind.TRANSFER_RETURN


def euros(minor):
    return Money(minor, "EUR")


def paid_by_transfer(place, minor=YEARLY):
    """The line, the order and the transfer that was matched with its invoice."""
    order = ordered(place)
    line = paying(the_invoice(order), minor, end_to_end="E2E-1")
    bring(camt(line))
    return line, order, the_transfer()


def the_transfer():
    return BankTransfer.select().where(~BankTransfer.is_debit).order_by(BankTransfer.id.desc()).get()


def undo(transfer, *, shown=None):
    return undone_matches.undo(
        transfer,
        reason="Two customers of one name",
        shown_hash=shown or undone_matches.preview(transfer).hash,
        now=current().clock.now(),
    )


def match(transfer, place, *invoices):
    shown = transfers.preview(transfer, workspace=place.workspace, invoices=invoices)
    return transfers.receive(
        transfer,
        workspace=place.workspace,
        invoices=invoices,
        shown_hash=shown.hash,
        now=current().clock.now(),
    )


def entries(place):
    return [(each.kind, each.amount_minor) for each in ledger.entries_of(place.workspace, "EUR")]


def test_the_invoice_is_open_again_and_the_transfer_waits(place):
    _line, order, transfer = paid_by_transfer(place, YEARLY + 500)
    before = list(BalanceEntry.select().order_by(BalanceEntry.id).dicts())
    effect = undo(transfer)
    assert [(each.covered, each.left) for each in effect.opened] == [(euros(YEARLY), euros(YEARLY))]
    assert effect.kept == euros(500)
    assert (reloaded(order).state, the_subscription().unpaid_on) == (OrderState.INVOICED, PAY_BY)
    assert (the_invoice(order).due_on, the_invoice(order).remind_on is not None) == (PAY_BY, True)
    assert [left for _invoice, left in on_account.open_of(place.workspace)] == [euros(YEARLY)]
    assert entries(place)[1:] == [(GIVES, YEARLY + 500), (TAKES, -YEARLY - 500)]
    assert list(BalanceEntry.select().order_by(BalanceEntry.id).dicts())[: len(before)] == before
    found = the_transfer()
    assert (found.state, found.reason, found.workspace) == (
        TransferState.PARKED,
        TransferReason.OPERATOR,
        None,
    )
    assert found.note == "Two customers of one name"
    assert transfer_pages.count_waiting().parked == 1
    assert transfer_pages.find(found.id).covering == ()
    [said] = AuditEntry.select().where(AuditEntry.action == "transfer.match_undone")
    assert (said.workspace_id, said.changes["invoices"]) == (place.workspace.id, the_invoice(order).number)
    assert_books_clean()


def test_who_was_told_that_it_paid_is_told_that_it_was_a_mistake(place):
    _line, order, transfer = paid_by_transfer(place)
    undo(transfer)
    [letter] = letters("transfer_match_undone")
    assert letter["context"]["opened"] == [
        {"number": the_invoice(order).number, "left_minor": YEARLY, "due_on": PAY_BY.isoformat()}
    ]


def test_nobody_is_told_where_nothing_was_paid(place):
    bring(camt(paying(the_invoice(ordered(place)), end_to_end="A")))
    bring(camt(paying(Invoice.get(), 700, end_to_end="B"), number="S-2", opening=None))
    transfer = the_transfer()
    assert ledger.kept(place.workspace, "EUR") == euros(700)
    undo(transfer)
    assert (ledger.kept(place.workspace, "EUR"), letters("transfer_match_undone")) == (euros(0), [])
    assert_books_clean()


def test_it_is_matched_with_the_right_one_then_and_undone_there_too(place):
    other = a_place("Other", owner="Otto Other")
    theirs = ordered(other)
    _line, order, transfer = paid_by_transfer(place)
    undo(transfer)
    match(the_transfer(), other, the_invoice(theirs))
    assert (reloaded(order).state, reloaded(theirs).state) == (OrderState.INVOICED, OrderState.PAID)
    assert (the_transfer().note, len(letters("transfer_received"))) == ("", 2)
    assert [each.number for each in transfer_pages.find(transfer.id).covering] == [the_invoice(theirs).number]
    assert_books_clean()
    undo(the_transfer())
    match(the_transfer(), place, the_invoice(order))
    assert (reloaded(order).state, reloaded(theirs).state) == (OrderState.PAID, OrderState.INVOICED)
    assert entries(place)[1:] == [(GIVES, YEARLY), (TAKES, -YEARLY), (GIVES, YEARLY)]
    assert_books_clean()
    undo(the_transfer())
    assert ledger.balance_of(place.workspace, "EUR") == euros(-YEARLY)
    assert_books_clean()


def test_the_bank_takes_back_what_was_undone_and_what_was_matched_again(place):
    line, order, transfer = paid_by_transfer(place)
    undo(transfer)
    match(the_transfer(), place, the_invoice(order))
    bring(camt(returning(line), number="S-2", opening=YEARLY))
    assert (the_transfer().state, reloaded(order).state) == (TransferState.RETURNED, OrderState.INVOICED)
    assert [kind for kind, _minor in entries(place)[1:]] == [GIVES, TAKES, GIVES, TAKES]
    assert_books_clean()


def test_nobodys_transfer_is_taken_back_by_the_bank_after_an_undoing(place):
    line, _order, transfer = paid_by_transfer(place)
    undo(transfer)
    bring(camt(returning(line), number="S-2", opening=YEARLY))
    assert the_transfer().state == TransferState.RETURNED
    assert len(entries(place)) == 3
    assert_books_clean()


def test_what_was_spent_since_is_refused_with_the_amount(place):
    _line, order, transfer = paid_by_transfer(place, YEARLY + 5000)
    pay(an_order(place))
    effect = undone_matches.preview(transfer)
    assert (effect.spent, effect.kept) == (euros(3360), euros(1640))
    with pytest.raises(MatchSpent) as refused:
        undo(transfer)
    assert refused.value.spent == euros(3360)
    assert (the_transfer().state, reloaded(order).state) == (TransferState.MATCHED, OrderState.PAID)
    assert_books_clean()


def test_so_is_what_a_placed_order_counts_on(place):
    _line, _order, transfer = paid_by_transfer(place, YEARLY + 1000)
    pay(an_order(place), ASKS_ONCE)
    assert undone_matches.preview(transfer).spent == euros(1000)
    with pytest.raises(MatchSpent):
        undo(transfer)
    assert_books_clean()


def test_what_else_is_kept_covers_the_invoice_at_once(place):
    _line, order, _transfer = paid_by_transfer(place)
    bring(camt(paying(the_invoice(order), 1000, end_to_end="B"), number="S-2", opening=None))
    first = BankTransfer.get(BankTransfer.amount_minor == YEARLY)
    [opened] = undone_matches.preview(first).opened
    assert (opened.covered, opened.left) == (euros(YEARLY), euros(YEARLY - 1000))
    undo(first)
    assert [left for _invoice, left in on_account.open_of(place.workspace)] == [opened.left]
    [letter] = letters("transfer_match_undone")
    assert letter["context"]["opened"][0]["left_minor"] == YEARLY - 1000
    assert letters("paid_from_balance") == []
    assert_books_clean()


def test_after_its_due_date_it_is_late_and_blocked_as_it_was(place, clock):
    _line, _order, transfer = paid_by_transfer(place)
    pass_days(clock, 60)
    assert state(place) is SubscriptionState.PAID
    undo(transfer)
    assert state(place) is SubscriptionState.BLOCKED
    assert_books_clean()


def test_a_card_pays_it_then(place):
    _line, order, transfer = paid_by_transfer(place)
    undo(transfer)
    paid_by_card(place, the_invoice(order))
    assert reloaded(order).state == OrderState.PAID
    assert_books_clean()


def test_no_second_card_pays_what_a_transfer_no_longer_does(place):
    """An order has one payment at most; the rest is transferred, or given."""
    _line, order, transfer = paid_by_transfer(place, 1000)
    paid_by_card(place, the_invoice(order))
    undo(transfer)
    assert not open_invoices.takes_card(the_invoice(order))
    with pytest.raises(PaidInPart):
        paid_by_card(place, the_invoice(order))
    match(the_transfer(), place, the_invoice(order))
    assert reloaded(order).state == OrderState.PAID
    assert_books_clean()


def test_what_changed_since_is_shown_again(place):
    _line, order, transfer = paid_by_transfer(place)
    shown = undone_matches.preview(transfer).hash
    bring(camt(paying(the_invoice(order), 1000, end_to_end="B"), number="S-2", opening=None))
    with pytest.raises(TransferChanged):
        undo(transfer, shown=shown)
    assert_books_clean()


def test_what_is_nobodys_or_was_taken_back_has_no_match_to_undo(place):
    line, _order, transfer = paid_by_transfer(place)
    shown = undone_matches.preview(transfer).hash
    undo(transfer)
    with pytest.raises(TransferDecided):
        undo(transfer, shown=shown)
    bring(camt(returning(line), number="S-2", opening=YEARLY))
    assert not any(undone_matches.may_be_undone(each) for each in BankTransfer.select())


def test_of_a_deleted_workspace_it_comes_back_without_a_letter(place, clock):
    _line, _order, transfer = paid_by_transfer(place)
    deletion.delete_by_owner(place, now=clock.now())
    undo(BankTransfer.get_by_id(transfer.id))
    assert (the_transfer().state, letters("transfer_match_undone")) == (TransferState.PARKED, [])
    assert_books_clean()


@pytest.mark.engine("sqlite", "postgresql")
def test_of_two_operators_at_once_one_undoes_it(place):
    _line, _order, transfer = paid_by_transfer(place)
    shown = undone_matches.preview(transfer).hash
    outcomes = at_once([lambda: undo(transfer, shown=shown)] * 2)
    assert sorted(type(each).__name__ for each in outcomes) == ["TransferDecided", "UndonePreview"]
    assert entries(place)[1:] == [(GIVES, YEARLY), (TAKES, -YEARLY)]
    assert_books_clean()


@pytest.mark.parametrize(
    "breach",
    [
        lambda: BalanceEntry.delete().where(BalanceEntry.kind == TAKES).execute(),
        lambda: BankTransfer.update(state="matched", workspace=1).execute(),
    ],
)
def test_the_books_see_a_transfer_that_is_where_it_is_not(place, breach):
    _line, _order, transfer = paid_by_transfer(place)
    undo(transfer)
    with transaction():
        Allocation.delete().where(Allocation.amount_minor < 0).execute()
        breach()
    assert "entries_repeat_their_cause" in broken_books()
