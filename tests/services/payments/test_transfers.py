"""Money by bank transfer: what becomes of each line, in the ledger and in the letters."""

from dataclasses import replace
from datetime import timedelta

import pytest

from portal.database.connecting import transaction
from portal.domain.creditor_reference import rf_reference
from portal.domain.money import Money
from portal.domain.vocabulary import InvoiceStatus, OrderState, TransferReason
from portal.models import AuditEntry, BalanceEntry, BankStatement, BankTransfer, Invoice, OutboxMessage
from portal.outbox import Delivery
from portal.runtime import current
from portal.services import ledger
from portal.services.payments import bank_statements, matching, on_account, transfer_decisions, transfers
from portal.services.payments.bank_statements import StatementKnown
from portal.services.payments.transfers import TransferChanged, TransferDecided, WorkspaceGone
from portal.services.workspace import deletion
from portal.worker.handlers import HANDLERS
from tests.factories import letters
from tests.paying import a_place, buy
from tests.services.payments.test_concurrency import at_once
from tests.transferring import (
    BEA_IBAN,
    DAY,
    Line,
    an_open_invoice,
    assert_transfers_clean,
    bring,
    camt,
    paying,
    told,
)

pytestmark = pytest.mark.both_engines

OPEN, PART_PAID, PAID = InvoiceStatus.OPEN, InvoiceStatus.PART_PAID, InvoiceStatus.PAID
A_DAY = timedelta(days=1)


def balance(place):
    return ledger.balance_of(place.workspace, "EUR").minor


def statuses(*invoices):
    return [ledger.status_of(each) for each in invoices]


def the_transfer(**columns):
    query = BankTransfer.select()
    for name, value in columns.items():
        query = query.where(getattr(BankTransfer, name) == value)
    return query.order_by(BankTransfer.id.desc()).get()


def returning(line, **changed):
    return replace(line, is_debit=True, is_return=True, booked_on=DAY + A_DAY, **changed)


# --- matched at once ------------------------------------------------------------------------------


def test_the_reference_pays_the_invoice_and_its_people_are_told(place):
    invoice = an_open_invoice(place)
    bring(camt(paying(invoice)))
    assert told() == [("matched", "reference")]
    assert statuses(invoice) == [PAID]
    assert balance(place) == 0
    [letter] = letters("transfer_received")
    assert letter["context"]["covered"] == [
        {"number": invoice.number, "covered_minor": 3360, "left_minor": 0}
    ]
    assert letter["context"]["kept_minor"] == 0
    assert [each["invoice_id"] for each in letter["attachments"]] == [invoice.id]
    [entry] = AuditEntry.select().where(AuditEntry.action == "transfer.matched")
    assert (entry.workspace, entry.changes["invoices"]) == (place.workspace, invoice.number)
    assert_transfers_clean()


def test_a_part_leaves_the_rest_open_and_a_second_one_pays_it(place):
    invoice = an_open_invoice(place)
    bring(camt(paying(invoice, 1000)))
    assert (statuses(invoice), balance(place)) == ([PART_PAID], -2360)
    bring(camt(paying(invoice, 2360), number="S-2", opening=1000))
    assert (statuses(invoice), balance(place)) == ([PAID], 0)
    assert_transfers_clean()


def test_what_is_too_much_is_kept(place):
    invoice = an_open_invoice(place)
    bring(camt(paying(invoice, 5000)))
    assert (statuses(invoice), balance(place)) == ([PAID], 1640)
    [letter] = letters("transfer_received")
    assert letter["context"]["kept_minor"] == 1640
    assert_transfers_clean()


def test_one_transfer_pays_several_invoices_the_oldest_first(place):
    first, second = an_open_invoice(place), an_open_invoice(place)
    text = f"{second.number} and {rf_reference(first.number)}, thanks"
    bring(camt(Line(5000, texts=[text])))
    assert statuses(first, second) == [PAID, PART_PAID]
    assert balance(place) == 5000 - 2 * 3360
    assert_transfers_clean()


def test_what_is_too_much_pays_what_else_is_open_and_a_return_opens_both_again(place):
    named, other = an_open_invoice(place), an_open_invoice(place)
    line = paying(named, 5000, end_to_end="E2E-1")
    bring(camt(line))
    assert (statuses(named, other), balance(place)) == ([PAID, PART_PAID], 5000 - 2 * 3360)
    [letter] = letters("transfer_received")
    assert [(each["number"], each["covered_minor"]) for each in letter["context"]["covered"]] == [
        (named.number, 3360),
        (other.number, 1640),
    ]
    bring(camt(paying(other, 1720), number="S-2", opening=5000))
    assert statuses(named, other) == [PAID, PAID]
    bring(camt(returning(line), number="S-3", opening=6720))
    assert (statuses(named, other), balance(place)) == ([OPEN, PART_PAID], 1720 - 2 * 3360)
    assert [each.order.state for each in Invoice.select().order_by(Invoice.id)] == [OrderState.INVOICED] * 2
    assert_transfers_clean()


def test_what_a_later_invoice_was_paid_with_is_open_again_after_a_return(place):
    first = an_open_invoice(place)
    line = paying(first, 5000, end_to_end="E2E-1")
    bring(camt(line))
    later = an_open_invoice(place)
    with transaction(lock=place.workspace):
        on_account.pay_from_balance(place.workspace, "EUR", now=current().clock.now())
    bring(camt(paying(later, 1720), number="S-2", opening=5000))
    assert statuses(first, later) == [PAID, PAID]
    bring(camt(returning(line), number="S-3", opening=6720))
    assert [each.order.state for each in Invoice.select().order_by(Invoice.id)] == [OrderState.INVOICED] * 2
    assert_transfers_clean()


def test_a_second_payment_after_a_card_is_kept(place):
    buy(place)
    bring(camt(paying(Invoice.get())))
    assert (told(), balance(place)) == ([("matched", "reference")], 3360)
    [letter] = letters("transfer_received")
    assert letter["context"]["covered"] == []
    assert_transfers_clean()


def test_customer_and_invoice_number_pay_too(place):
    invoice = an_open_invoice(place)
    customer = place.workspace.customer_number.replace("-", " ").lower()
    bring(camt(Line(texts=[f"our ref {customer} / inv 2026 {invoice.sequence:06d}"])))
    assert told() == [("matched", "numbers")]
    assert statuses(invoice) == [PAID]
    assert_transfers_clean()


def test_several_transfers_of_one_entry_are_each_their_own(place):
    invoice, other = an_open_invoice(place), an_open_invoice(a_place("Berlin", owner="Bea Berg"))
    bring(camt(parts=[[paying(invoice), paying(other, iban=BEA_IBAN), Line(100, texts=["?"])]]))
    assert told() == [("matched", "reference"), ("matched", "reference"), ("parked", "unknown")]
    assert statuses(invoice, other) == [PAID, PAID]
    assert [each.part for each in BankTransfer.select().order_by(BankTransfer.id)] == [1, 2, 3]
    assert_transfers_clean()


# --- proposed, parked, ignored --------------------------------------------------------------------


def test_a_known_account_with_the_amount_is_only_proposed(place):
    first, second = an_open_invoice(place), an_open_invoice(place)
    bring(camt(paying(first), Line(texts=["Rechnung November"])))
    assert told() == [("matched", "reference"), ("to_confirm", "account_and_amount")]
    waiting = the_transfer(state="to_confirm")
    assert (waiting.workspace, waiting.invoice_ids) == (place.workspace, [second.id])
    assert statuses(first, second) == [PAID, OPEN]
    assert len(letters("transfer_received")) == 1
    assert_transfers_clean()


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (Line(texts=["Merci pour tout"]), ("parked", "unknown")),
        (Line(texts=["INV-2026-000001"]), ("to_confirm", "invoice_number")),
        (Line(texts=["customer C-000001"]), ("to_confirm", "customer_and_amount")),
        (Line(3361, texts=["customer C-000001"]), ("parked", "unknown")),
        (Line(reference="RF94INV2026000001", currency="USD"), ("parked", "wrong_currency")),
        (Line(is_debit=True, texts=["Bank fees INV-2026-000001"]), ("ignored", "debit")),
        (Line(0, reference="RF94INV2026000001"), ("ignored", "nothing")),
        (Line(reference="RF94INV2026000001", is_return=True), ("parked", "sent_back_to_us")),
        (Line(is_debit=True, is_return=True), ("parked", "takes_back_unknown")),
    ],
    ids=lambda each: each[1] if isinstance(each, tuple) else "",
)
def test_what_is_not_certain_waits_or_is_kept_aside(place, line, outcome):
    invoice = an_open_invoice(place)
    assert invoice.number == "INV-2026-000001"
    bring(camt(line, opening=None))
    assert told() == [outcome]
    assert statuses(invoice) == [OPEN]
    assert letters("transfer_received") == []
    assert BalanceEntry.select().count() == 1
    assert_transfers_clean()


def test_a_workspace_that_is_gone_gets_nothing(place, clock):
    buy(place)
    invoice = Invoice.get()
    deletion.delete_by_owner(place, now=clock.now())
    bring(camt(paying(invoice)))
    assert told() == [("parked", "workspace_deleted")]
    with pytest.raises(WorkspaceGone):
        transfers.receive(the_transfer(), workspace=place.workspace, invoices=[invoice], now=clock.now())
    assert told() == [("parked", "workspace_deleted")]
    assert_transfers_clean()


# --- the same again, in any order -----------------------------------------------------------------


def test_the_same_statement_twice_does_nothing(place):
    invoice = an_open_invoice(place)
    content = camt(paying(invoice), Line(5, texts=["?"]))
    bring(content)
    before = list(BankTransfer.select().dicts())
    with pytest.raises(StatementKnown):
        bring(content)
    # With other bytes, as a bank writes it again.
    with pytest.raises(StatementKnown):
        bring(content.replace(b"<GrpHdr>", b"  <GrpHdr>"))
    assert list(BankTransfer.select().dicts()) == before
    assert BankStatement.select().count() == 1
    assert_transfers_clean()


@pytest.mark.parametrize("with_references", [True, False])
def test_a_notification_and_the_statement_tell_one_transfer(place, with_references):
    invoice = an_open_invoice(place)
    reference = "BANK-1" if with_references else ""
    line = paying(invoice, bank_reference=reference)
    bring(camt(line, version="054.001.04", number="N-1"))
    imported = bring(camt(line, version="053.001.08", number="S-1"))
    assert (imported.new, imported.known) == (0, 1)
    assert (told(), balance(place)) == ([("matched", "reference")], 0)
    assert_transfers_clean()


def test_two_that_are_alike_in_one_statement_are_two(place):
    an_open_invoice(place)
    line = Line(100, texts=["?"], bank_reference="")
    bring(camt(line, line))
    assert BankTransfer.select().count() == 2
    imported = bring(camt(line, line, version="054.001.02", number="N-1"))
    assert imported.new == 0


def test_two_that_are_alike_in_two_statements_are_looked_at(place):
    invoice = an_open_invoice(place)
    line = paying(invoice, bank_reference="")
    bring(camt(line, number="S-1"))
    bring(camt(line, line, number="S-2", opening=3360))
    assert told() == [("matched", "reference"), ("parked", "maybe_known"), ("matched", "reference")]
    assert balance(place) == 3360
    assert_transfers_clean()


def test_a_batch_that_was_told_as_a_sum_is_replaced_by_its_transfers(place):
    invoice, other = an_open_invoice(place), an_open_invoice(place)
    parts = [[replace(paying(invoice), bank_reference="B-1"), paying(other)]]
    whole = camt(Line(6720, bank_reference="B-1", texts=["2 transfers"]))
    whole = whole.replace(b"<NtryDtls>", b"<NtryDtls><Btch><NbOfTxs>2</NbOfTxs></Btch>", 1)
    whole = whole.partition(b"<TxDtls>")[0] + whole.partition(b"</TxDtls>")[2]
    bring(whole)
    assert told() == [("parked", "batch")]
    bring(camt(version="054.001.08", number="N-1", parts=parts))
    assert told() == [("ignored", "detailed"), ("matched", "reference"), ("matched", "reference")]
    assert (statuses(invoice, other), balance(place)) == ([PAID, PAID], 0)
    assert bring(camt(version="054.001.08", number="N-2", parts=parts)).new == 0
    assert_transfers_clean()


# --- taken back -----------------------------------------------------------------------------------


def test_what_the_bank_takes_back_is_open_again(place):
    invoice = an_open_invoice(place)
    line = paying(invoice, 5000, end_to_end="E2E-1")
    bring(camt(line))
    bring(camt(returning(line), number="S-2", opening=5000))
    assert told() == [("returned", "reference"), ("matched", "takes_back")]
    assert (statuses(invoice), balance(place)) == ([OPEN], -3360)
    [letter] = letters("transfer_taken_back")
    assert letter["context"]["total_minor"] == 5000
    kinds = [(each.kind.value, each.amount_minor) for each in BalanceEntry.select().order_by(BalanceEntry.id)]
    assert kinds == [("invoice", -3360), ("transfer", 5000), ("transfer_return", -5000)]
    assert_transfers_clean()


def test_it_can_be_paid_again_and_what_else_is_kept_pays_what_is_open_again(place):
    invoice = an_open_invoice(place)
    first, second = paying(invoice, 2000, end_to_end="A"), paying(invoice, 2000, end_to_end="B")
    bring(camt(first, second))
    assert (statuses(invoice), balance(place)) == ([PAID], 640)
    bring(camt(returning(first), number="S-2", opening=4000))
    # What was kept of the second one pays the invoice as far as it goes.
    assert (statuses(invoice), balance(place)) == ([PART_PAID], -1360)
    assert ledger.covered_of([invoice])[invoice.id] == Money(2000, "EUR")
    bring(camt(paying(invoice, 1360), number="S-3", opening=2000))
    assert (statuses(invoice), balance(place)) == ([PAID], 0)
    assert_transfers_clean()


def test_told_that_it_went_before_it_came(place):
    invoice = an_open_invoice(place)
    line = paying(invoice, end_to_end="E2E-1")
    bring(camt(returning(line), number="S-2", opening=3360))
    assert told() == [("parked", "takes_back_unknown")]
    bring(camt(line))
    assert told() == [("matched", "takes_back"), ("returned", "reference")]
    assert (statuses(invoice), balance(place)) == ([OPEN], -3360)
    assert_transfers_clean()


def test_what_nobody_was_given_can_be_taken_back(place):
    line = Line(100, texts=["?"], end_to_end="E2E-1")
    bring(camt(line))
    bring(camt(returning(line), number="S-2", opening=100))
    assert told() == [("returned", "unknown"), ("matched", "takes_back")]
    assert BalanceEntry.select().count() == 0
    assert_transfers_clean()


def test_a_reversal_says_so_in_its_own_way(place):
    invoice = an_open_invoice(place)
    line = paying(invoice, end_to_end="E2E-1")
    bring(camt(line))
    reversal = replace(line, is_debit=True, is_reversal=True, booked_on=DAY + A_DAY)
    bring(camt(reversal, number="S-2", opening=3360))
    assert told() == [("returned", "reference"), ("matched", "takes_back")]
    assert_transfers_clean()


def test_two_that_it_could_be_are_for_an_operator(place, clock):
    first, second = an_open_invoice(place), an_open_invoice(place)
    bring(camt(paying(first), paying(second)))
    bring(
        camt(Line(is_debit=True, is_return=True, texts=["AC04"], booked_on=DAY), number="S-2", opening=6720)
    )
    taking = the_transfer(state="parked")
    taken = BankTransfer.select().order_by(BankTransfer.id)[1]
    transfers.take_back(taking, taken=taken, reason=TransferReason.OPERATOR, now=clock.now())
    assert statuses(first, second) == [PAID, OPEN]
    with pytest.raises(TransferDecided):
        transfers.take_back(taking, taken=taken, reason=TransferReason.OPERATOR, now=clock.now())
    assert_transfers_clean()


# --- what an operator says ------------------------------------------------------------------------


def a_parked_transfer(minor=3360):
    bring(camt(Line(minor, texts=["Merci"], iban=BEA_IBAN)))
    return the_transfer(state="parked")


def test_an_operator_gives_it_to_a_workspace_as_was_shown(place, clock):
    invoice, transfer = an_open_invoice(place), a_parked_transfer()
    shown = transfers.preview(transfer, workspace=place.workspace, invoices=[invoice])
    assert [(each.covered.minor, each.left.minor) for each in shown.invoices] == [(3360, 0)]
    done = transfers.receive(
        transfer,
        workspace=place.workspace,
        invoices=[invoice],
        shown_hash=shown.hash,
        now=clock.now(),
    )
    assert done == shown
    assert (told(), statuses(invoice)) == ([("matched", "operator")], [PAID])
    assert len(letters("transfer_received")) == 1
    assert_transfers_clean()


def test_what_comes_in_a_currency_that_nothing_is_sold_in_is_kept_in_it(place, clock):
    bring(camt(Line(3360, texts=["Merci"], iban=BEA_IBAN, currency="CHF")))
    transfer = the_transfer(state="parked")
    shown = transfers.preview(transfer, workspace=place.workspace, invoices=[])
    transfers.receive(
        transfer, workspace=place.workspace, invoices=[], shown_hash=shown.hash, now=clock.now()
    )
    francs = Money(3360, "CHF")
    assert ledger.balances(place.workspace) == [francs]
    assert ledger.kept_in_each_currency(place.workspace) == {"CHF": francs}
    assert_transfers_clean()


def test_what_changed_since_is_shown_again(place, clock):
    invoice, transfer = an_open_invoice(place), a_parked_transfer()
    shown = transfers.preview(transfer, workspace=place.workspace, invoices=[invoice])
    bring(camt(paying(invoice, 1000), number="S-2"))
    with pytest.raises(TransferChanged):
        transfers.receive(
            transfer,
            workspace=place.workspace,
            invoices=[invoice],
            shown_hash=shown.hash,
            now=clock.now(),
        )
    assert told()[0] == ("parked", "unknown")
    assert_transfers_clean()


def test_another_workspaces_invoice_is_never_covered(place, clock):
    theirs = an_open_invoice(a_place("Berlin", owner="Bea Berg"))
    transfer = a_parked_transfer()
    transfers.receive(transfer, workspace=place.workspace, invoices=[theirs], now=clock.now())
    assert (statuses(theirs), balance(place)) == ([OPEN], 3360)
    assert_transfers_clean()


def test_a_proposal_is_declined_and_the_transfer_set_aside(place, clock):
    an_open_invoice(place)
    bring(camt(Line(texts=["INV-2026-000001"])))
    transfer = the_transfer(state="to_confirm")
    transfer_decisions.decline_proposal(transfer, now=clock.now())
    assert told() == [("parked", "unknown")]
    assert the_transfer().workspace is None
    transfer_decisions.set_aside(the_transfer(), note="A gift of the landlord", now=clock.now())
    assert told() == [("ignored", "not_ours")]
    assert the_transfer().note == "A gift of the landlord"
    with pytest.raises(TransferDecided):
        transfer_decisions.set_aside(transfer, note="Again", now=clock.now())
    # It was ours after all.
    transfers.receive(the_transfer(), workspace=place.workspace, invoices=[], now=clock.now())
    assert (told(), balance(place)) == ([("matched", "operator")], 0)
    assert_transfers_clean()


@pytest.mark.engine("sqlite", "postgresql")
def test_of_two_operators_at_once_one_has_it_and_the_other_is_told(place, clock):
    invoice, other = an_open_invoice(place), a_place("Berlin", owner="Bea Berg")
    theirs = an_open_invoice(other)
    transfer, now = a_parked_transfer(), clock.now()

    def give(workspace, invoices):
        return lambda: transfers.receive(transfer, workspace=workspace, invoices=invoices, now=now)

    acts = [give(place.workspace, [invoice]), give(other.workspace, [theirs])] * 3
    results = at_once([*acts, lambda: transfer_decisions.set_aside(transfer, note="?", now=now)])
    assert None in results or sum(isinstance(each, transfers.TransferPreview) for each in results) == 1
    refused = [each for each in results if isinstance(each, Exception)]
    assert len(refused) == len(results) - 1
    assert all(isinstance(each, TransferDecided) for each in refused), refused
    assert BalanceEntry.select().where(BalanceEntry.transfer.is_null(False)).count() <= 1
    assert_transfers_clean()


@pytest.mark.engine("sqlite", "postgresql")
def test_one_file_imported_by_several_at_once_is_there_once(place, clock):
    invoice = an_open_invoice(place)
    content, now = camt(paying(invoice), Line(7, texts=["?"])), clock.now()

    def come():
        imported = bank_statements.take_file(content, file_name="s.xml", now=now)
        matching.match_received([each.id for each in imported.statements], now=now)

    results = at_once([come] * 4)
    assert [type(each) for each in results if each is not None] == [StatementKnown] * 3
    assert sorted(told()) == [("matched", "reference"), ("parked", "unknown")]
    assert_transfers_clean()


@pytest.mark.engine("sqlite", "postgresql")
def test_matched_by_several_at_once_each_line_is_matched_once(place, clock):
    invoices = [an_open_invoice(place) for _ in range(4)]
    now = clock.now()
    imported = bank_statements.take_file(camt(*map(paying, invoices)), file_name="s.xml", now=now)
    ids = [each.id for each in imported.statements]
    assert at_once([lambda: matching.match_received(ids, now=now)] * 4) == [0] * 4
    assert told() == [("matched", "reference")] * 4
    assert len(letters("transfer_received")) == 4
    assert_transfers_clean()


def test_the_worker_does_what_an_import_left(place, clock):
    invoice = an_open_invoice(place)
    bank_statements.take_file(camt(paying(invoice)), file_name="s.xml", now=clock.now())
    assert told() == [("received", "none")]
    [promise] = OutboxMessage.select().where(OutboxMessage.topic == matching.TOPIC)
    delivery = Delivery(
        promise.id, promise.topic, promise.key, promise.payload, attempt=1, promised_at=promise.created_at
    )
    for _ in range(2):
        HANDLERS[matching.TOPIC](delivery)
    assert told() == [("matched", "reference")]
    assert_transfers_clean()


def test_the_worker_matches_a_large_file_in_several_turns(place, clock, monkeypatch):
    monkeypatch.setattr(matching, "BATCH", 1)
    monkeypatch.setattr(matching, "IN_ONE_GO", 2)
    lines = [Line(n, texts=["?"]) for n in range(1, 6)]
    imported = bank_statements.take_file(camt(*lines), file_name="s.xml", now=clock.now())
    ids = [each.id for each in imported.statements]
    keys = set()
    for left in (3, 1, 0):
        matching.match_in_turns(ids, key=max(keys, default="sha"), now=clock.now())
        assert [state for state, _reason in told()].count("received") == left
        keys = {
            each.key for each in OutboxMessage.select() if each.topic == matching.TOPIC and "+" in each.key
        }
    assert keys == {"sha+3", "sha+1"}
    assert told() == [("parked", "unknown")] * 5
