"""Whom an issued invoice names is corrected by a credit note and a new invoice; the money stays."""

from dataclasses import replace
from datetime import date

import pytest

from portal.domain.errors import PortalError, QuoteChanged
from portal.domain.money import Money
from portal.domain.vocabulary import InvoiceStatus, OrderState, PaymentState, TransferState, VatStatus
from portal.models import AuditEntry, BankTransfer, Dispute, Invoice, Link, Payment, Refund
from portal.runtime import current
from portal.services import ledger
from portal.services.checkout import open_invoices
from portal.services.invoices import checking, corrections, history, pay_links
from portal.services.invoices.corrections import CorrectionChanged, CorrectionRefused, NotCorrectable
from portal.services.payments import (
    charging,
    on_account,
    refund_quotes,
    refunds,
    transfer_pages,
    undone_matches,
)
from tests.books import assert_books_clean
from tests.correcting import RIGHT_NAME, corrected, looked_at, read, settings_say
from tests.crediting import credit
from tests.factories import letters
from tests.licensed import bought
from tests.passing import pass_days
from tests.paying import ASKS_ALWAYS, SILENT_CHARGED, a_place, buy, paid_charges, pay, reloaded
from tests.services.checkout.test_changed_licences import change
from tests.services.payments.test_concurrency import at_once, faults_of
from tests.services.payments.test_transfers import returning
from tests.transferring import a_pay_link, bring, camt, ordered_on_account, paying, told

YEARLY = 17900 + 3580
PAID_MONTHLY = 3360


def a_paid_invoice(place, **details):
    payment = buy(place, **details)
    return Invoice.get(Invoice.order == payment.order)


def documents(place):
    query = Invoice.select().where(Invoice.workspace == place.workspace).order_by(Invoice.id)
    return [(each.kind.value, each.number, each.total_minor) for each in query]


def balance(place):
    return ledger.balance_of(place.workspace, "EUR").minor


def why_not(place, invoice):
    with pytest.raises(CorrectionRefused) as refused:
        looked_at(place, invoice)
    return refused.value.reason


# --- the act --------------------------------------------------------------------------------------


def test_what_is_shown_is_what_differs_and_nothing_else(place):
    invoice = a_paid_invoice(place)
    settings_say(place, company_name=RIGHT_NAME, purchase_order="PO 4711", city="Lyon", postal_code="69001")
    shown = looked_at(place, invoice)
    assert [(each.name, each.before, each.after) for each in shown.differences] == [
        ("name", "Acme SARL", RIGHT_NAME),
        ("address", "12 rue de la Paix\n75002 Paris\nFrance", "12 rue de la Paix\n69001 Lyon\nFrance"),
        ("purchase_order", "", "PO 4711"),
    ]
    assert shown.left == Money(0, "EUR")


def test_a_paid_invoice_is_credited_and_replaced_and_nothing_is_charged_or_sent_back(place, clock):
    invoice = a_paid_invoice(place)
    clock.advance(days=3)
    before, charges = invoice.facts, paid_charges()
    newer = corrected(place, invoice, company_name=RIGHT_NAME, purchase_order="PO 4711")
    old, note = Invoice.get_by_id(invoice.id), Invoice.get(Invoice.credits == invoice)
    assert documents(place) == [
        ("invoice", "INV-2026-000001", PAID_MONTHLY),
        ("credit_note", "CN-2026-000001", PAID_MONTHLY),
        ("invoice", "INV-2026-000002", PAID_MONTHLY),
    ]
    assert (old.facts, old.replaced_by, newer.replaced_by) == (before, newer, None)
    assert newer.facts["buyer"]["name"] == RIGHT_NAME
    assert newer.facts["purchase_order"] == "PO 4711"
    assert newer.facts["replaces"] == {"number": "INV-2026-000001", "issued_on": "2026-11-21"}
    assert newer.issued_on == date(2026, 11, 24)
    for same in ("lines", "totals", "tax", "seller", "payment", "due_on", "due_minor", "version"):
        assert newer.facts[same] == before[same]
    assert newer.facts["check"]["code"] != before["check"]["code"]
    assert (note.facts["replaced_by"], note.facts["payment"]) == (newer.number, None)
    assert note.facts["buyer"]["name"] == "Acme SARL"
    assert [ledger.status_of(each) for each in (old, newer)] == [InvoiceStatus.PAID] * 2
    assert (balance(place), paid_charges()) == (0, charges)
    assert ledger.kept(place.workspace, "EUR") == Money(0, "EUR")
    assert Refund.select().count() == 0
    [told_once] = letters("invoice_corrected")
    assert [each["invoice_id"] for each in told_once["attachments"]] == [newer.id, note.id]
    assert told_once["context"]["replaced"] == "INV-2026-000001"
    [entry] = AuditEntry.select().where(AuditEntry.action == "invoice.corrected")
    assert entry.subject == "INV-2026-000001"
    assert entry.changes["name.changed"] is True
    assert RIGHT_NAME not in str(entry.changes)
    assert_books_clean()


def test_it_may_be_corrected_again_and_the_old_ones_lead_to_the_one_that_stands(place):
    first = a_paid_invoice(place)
    second = corrected(place, first)
    third = corrected(place, second, company_name="Acme Monde SARL")
    assert why_not(place, first) is why_not(place, second) is NotCorrectable.CORRECTED
    with pytest.raises(CorrectionRefused) as refused:
        looked_at(place, first)
    assert refused.value.newer == third.number
    code = first.facts["check"]["code"]
    assert checking.check(first.number, code).replaced_by == third.number
    assert checking.check(third.number, third.facts["check"]["code"]).replaced_by == ""
    assert history.invoice_of(third.order) == third
    assert_books_clean()


def test_what_nothing_differs_of_stays(place):
    invoice = a_paid_invoice(place)
    shown = looked_at(place, invoice)
    assert shown.differences == ()
    with pytest.raises(CorrectionChanged):
        corrections.correct(place.workspace, invoice, shown_hash=shown.hash, now=current().clock.now())
    assert len(documents(place)) == 1


def test_what_was_changed_since_it_was_shown_is_shown_anew(place):
    invoice = a_paid_invoice(place)
    settings_say(place, company_name=RIGHT_NAME)
    shown = looked_at(place, invoice).hash
    with pytest.raises(CorrectionChanged) as changed:
        corrected(place, invoice, shown=shown, company_name="Acme Monde SARL")
    assert changed.value.current.differences[0].after == "Acme Monde SARL"
    assert len(documents(place)) == 1
    assert letters("invoice_corrected") == []


def test_a_part_that_the_balance_paid_is_told_again(place, clock):
    bought(place, quantity=3)
    clock.advance(days=10)
    credit(Invoice.get(), date(2026, 12, 11))
    kept = balance(place)
    assert kept > 0
    payment = buy(place)
    invoice = Invoice.get(Invoice.order == payment.order)
    newer = corrected(place, invoice)
    assert newer.facts["payment"]["from_balance_minor"] == kept
    assert newer.facts["payment"] == invoice.facts["payment"]
    assert balance(place) == 0
    assert_books_clean()


# --- open invoices --------------------------------------------------------------------------------


def test_an_open_invoice_is_open_under_its_new_number(place):
    invoice = ordered_on_account(place)
    link = a_pay_link(invoice).rpartition("/")[2]
    newer = corrected(place, invoice)
    old = Invoice.get_by_id(invoice.id)
    assert (newer.due_on, newer.remind_on, newer.reminded_on) == (
        invoice.due_on,
        invoice.remind_on,
        invoice.reminded_on,
    )
    assert (old.remind_on, old.reference) == (None, invoice.reference)
    assert newer.reference == newer.facts["reference"] != invoice.reference
    assert newer.facts["due_minor"] == YEARLY
    assert on_account.open_of(place.workspace) == [(newer, Money(YEARLY, "EUR"))]
    assert balance(place) == -YEARLY
    assert pay_links.find(link, now=current().clock.now()).invoice == newer
    assert Link.select().where(Link.invoice == invoice).count() == 0
    assert a_pay_link(invoice) and Link.select().where(Link.invoice == newer).count() == 2
    assert open_invoices.to_pay(place.workspace, invoice.number) is None
    [letter] = letters("invoice_corrected")
    assert letter["context"]["open_minor"] == YEARLY
    assert letter["context"]["reference"] == newer.reference
    assert checking.check(old.number, old.facts["check"]["code"]).left.minor == 0
    assert_books_clean()


@pytest.mark.parametrize("quoted", ["reference", "number"])
def test_a_transfer_that_quotes_the_old_one_pays_the_new_one(place, quoted):
    invoice = ordered_on_account(place)
    newer = corrected(place, invoice)
    line = paying(invoice)
    if quoted == "number":
        named = f"{invoice.number} {place.workspace.customer_number}"
        line = replace(line, reference="", texts=(named,))
    bring(camt(line))
    assert told()[0][0] == "matched"
    assert reloaded(newer.order).state == OrderState.PAID
    assert on_account.open_part(newer).minor == 0
    transfer = BankTransfer.get()
    assert [each.number for each in ledger.covered_by([transfer])[transfer.id]] == [newer.number]
    assert_books_clean()


def test_one_that_is_paid_in_part_asks_for_the_rest(place):
    invoice = ordered_on_account(place)
    bring(camt(paying(invoice, 10000)))
    newer = corrected(place, invoice)
    assert newer.facts["due_minor"] == YEARLY - 10000
    assert newer.facts["payment"]["from_balance_minor"] == 10000
    assert newer.facts["due_on"] == invoice.facts["due_on"]
    bring(camt(paying(newer, YEARLY - 10000), number="S-2", opening=10000))
    assert reloaded(newer.order).state == OrderState.PAID
    assert balance(place) == 0
    assert_books_clean()


def test_one_that_was_paid_by_transfer_says_so(place):
    invoice = ordered_on_account(place)
    bring(camt(paying(invoice)))
    newer = corrected(place, invoice)
    assert (newer.facts["due_minor"], newer.facts["payment"]["method"]) == (0, "bank_transfer")
    assert newer.facts["due_on"] == newer.facts["payment"]["paid_on"] == "2026-11-21"
    assert newer.remind_on is None
    assert_books_clean()


def test_one_that_was_paid_by_card_later_says_so(place, clock):
    invoice = ordered_on_account(place)
    clock.advance(days=2)
    payment = open_invoices.pay(
        place.workspace,
        invoice.number,
        person=place.member.person,
        card=_card(),
        method=None,
        shown=f"{YEARLY} EUR",
        return_url="http://127.0.0.1/back",
        now=clock.now(),
    )
    assert payment.state == PaymentState.SUCCEEDED
    newer = corrected(place, invoice)
    assert newer.facts["payment"]["last4"] == "4242"
    assert newer.facts["payment"]["paid_on"] == "2026-11-23"
    assert_books_clean()


def _card():
    from tests.paying import a_card

    return a_card()


def test_it_is_reminded_of_as_the_old_one_would_have_been(place, clock):
    invoice = ordered_on_account(place)
    newer = corrected(place, invoice)
    pass_days(clock, 24)
    [letter] = letters("invoice_reminder")
    assert letter["context"]["number"] == newer.number
    assert letter["attachments"][0]["invoice_id"] == newer.id
    assert_books_clean()


def test_a_page_of_operators_that_names_the_old_one_finds_the_new_one(place):
    invoice = ordered_on_account(place)
    newer = corrected(place, invoice)
    assert transfer_pages.invoices_of(place.workspace, [invoice.number]) == [newer]
    assert transfer_pages.invoices_by_id([invoice.id, newer.id]) == [newer]
    [found] = transfer_pages.search(invoice.number, currency="EUR", now=current().clock.now())
    assert [each for each, _left in found.still_open] == [newer]


# --- afterwards -----------------------------------------------------------------------------------


def test_a_refund_credits_the_new_one(place, clock):
    invoice = a_paid_invoice(place)
    newer = corrected(place, invoice)
    last = refund_quotes.last_payment(place.workspace).payment
    refund = refunds.ask_refund(
        place, last, shown_hash=refund_quotes.preview(last, now=clock.now()).hash, now=clock.now()
    )
    note = Invoice.get(Invoice.credits == newer)
    assert Refund.get_by_id(refund.id).credit_note == note
    assert "replaces" not in note.facts
    assert note.facts["corrects"]["number"] == newer.number
    assert balance(place) == 0
    assert why_not(place, newer) is NotCorrectable.REFUNDED
    assert_books_clean()


def test_a_transfer_that_the_bank_takes_back_opens_the_new_one(place):
    invoice = ordered_on_account(place)
    line = paying(invoice, end_to_end="E2E-1")
    bring(camt(line))
    newer = corrected(place, invoice)
    bring(camt(returning(line), number="S-2", opening=YEARLY))
    assert on_account.open_of(place.workspace) == [(newer, Money(YEARLY, "EUR"))]
    assert balance(place) == -YEARLY
    again = corrected(place, newer, company_name="Acme Monde SARL")
    assert on_account.open_of(place.workspace) == [(again, Money(YEARLY, "EUR"))]
    bring(camt(paying(invoice), number="S-3", opening=0))
    assert on_account.open_of(place.workspace) == []
    assert_books_clean()


def test_a_match_is_undone_as_if_the_invoice_had_always_had_its_new_number(place):
    invoice = ordered_on_account(place)
    bring(camt(paying(invoice)))
    newer = corrected(place, invoice)
    transfer = BankTransfer.get()
    shown = undone_matches.preview(transfer)
    assert [(each.invoice, each.left.minor) for each in shown.opened] == [(newer, YEARLY)]
    assert shown.spent.minor == 0
    undone_matches.undo(transfer, reason="Two of one name", shown_hash=shown.hash, now=current().clock.now())
    assert BankTransfer.get().state == TransferState.PARKED
    assert on_account.open_of(place.workspace) == [(newer, Money(YEARLY, "EUR"))]
    assert_books_clean()


def test_a_match_that_was_undone_before_is_no_hindrance(place):
    invoice = ordered_on_account(place)
    bring(camt(paying(invoice)))
    transfer = BankTransfer.get()
    shown = undone_matches.preview(transfer)
    undone_matches.undo(transfer, reason="Two of one name", shown_hash=shown.hash, now=current().clock.now())
    newer = corrected(place, invoice)
    assert on_account.open_of(place.workspace) == [(newer, Money(YEARLY, "EUR"))]
    assert_books_clean()


def test_a_change_of_licences_gives_back_of_the_new_one(place, clock):
    bought(place, quantity=3)
    newer = corrected(place, Invoice.get())
    clock.advance(days=10)
    pay(change(place, clock))
    assert Invoice.get(Invoice.credits == newer).total_minor == 2640
    assert why_not(place, newer) is NotCorrectable.CREDITED
    assert_books_clean()


def test_a_change_that_was_shown_before_is_shown_anew(place, clock):
    bought(place, quantity=3)
    clock.advance(days=10)
    order = change(place, clock)
    newer = corrected(place, Invoice.select().first())
    with pytest.raises(QuoteChanged):
        pay(order)
    pay(reloaded(order))
    assert Invoice.get(Invoice.credits == newer).total_minor == 2640
    assert_books_clean()


def test_a_change_whose_payment_was_on_its_way_gives_back_of_the_new_one(place, clock):
    bought(place, quantity=3)
    clock.advance(days=10)
    payment = pay(change(place, clock), SILENT_CHARGED)
    newer = corrected(place, Invoice.get())
    clock.advance(minutes=5)
    charging.look_up(payment, now=clock.now())
    assert Payment.get_by_id(payment.id).state == PaymentState.SUCCEEDED
    assert Invoice.get(Invoice.credits == newer).total_minor == 2640
    assert_books_clean()


# --- refusals -------------------------------------------------------------------------------------


def test_another_tax_is_not_a_correction(place):
    invoice = a_paid_invoice(place)
    settings_say(place, country="DE", postal_code="10115", city="Berlin")
    assert why_not(place, invoice) is NotCorrectable.TAX_CHANGES


def test_reverse_charge_stays_where_the_number_does(place):
    """20 % or none: a number that the register refused would be another tax."""
    invoice = a_paid_invoice(
        place, country="DE", vat_number="DE136695976", vat_status=VatStatus.VALID, postal_code="10115"
    )
    newer = corrected(place, invoice, company_name="Acme GmbH")
    settings_say(place, vat_status=VatStatus.INVALID)
    assert why_not(place, newer) is NotCorrectable.TAX_CHANGES
    assert_books_clean()


def test_what_is_being_paid_waits(place):
    invoice = ordered_on_account(place)
    from tests.paying import a_card

    open_invoices.pay(
        place.workspace,
        invoice.number,
        person=place.member.person,
        card=a_card(ASKS_ALWAYS),
        method=None,
        shown=f"{YEARLY} EUR",
        return_url="http://127.0.0.1/back",
        now=current().clock.now(),
    )
    assert why_not(place, invoice) is NotCorrectable.MONEY_IS_OPEN


def test_what_was_credited_in_part_disputed_or_issued_long_ago_stays(place, clock):
    bought(place, quantity=3)
    first = Invoice.get()
    old = dict(first.facts, version=2)
    Invoice.update(facts=old).where(Invoice.id == first.id).execute()
    assert why_not(place, first) is NotCorrectable.ISSUED_BEFORE
    Invoice.update(facts=first.facts).where(Invoice.id == first.id).execute()
    payment = Payment.get()
    dispute = Dispute.create(
        workspace=place.workspace,
        payment=payment,
        event_id="e",
        payload="",
        opened_at=clock.now(),
        created_at=clock.now(),
    )
    assert why_not(place, first) is NotCorrectable.DISPUTED
    dispute.delete_instance()
    clock.advance(days=10)
    credit(first, date(2026, 12, 11))
    assert why_not(place, first) is NotCorrectable.CREDITED


# --- at once --------------------------------------------------------------------------------------


def test_two_people_at_once_are_one_correction(place):
    invoice = a_paid_invoice(place)
    settings_say(place, company_name=RIGHT_NAME)
    shown = looked_at(place, invoice).hash

    def act():
        return corrections.correct(
            place.workspace, read(place, invoice), shown_hash=shown, now=current().clock.now()
        )

    results = at_once([act] * 4)
    assert faults_of(results) == []
    assert sum(isinstance(each, Invoice) for each in results) == 1
    assert {each.reason for each in results if isinstance(each, PortalError)} == {NotCorrectable.CORRECTED}
    assert len(documents(place)) == 3
    assert_books_clean()


def test_a_correction_beside_a_refund_has_one_effect(place, clock):
    invoice = a_paid_invoice(place)
    settings_say(place, company_name=RIGHT_NAME)
    shown = looked_at(place, invoice).hash
    last = refund_quotes.last_payment(place.workspace).payment
    refund_shown = refund_quotes.preview(last, now=clock.now()).hash

    def correct():
        return corrections.correct(place.workspace, read(place, invoice), shown_hash=shown, now=clock.now())

    def refund():
        return refunds.ask_refund(place, last, shown_hash=refund_shown, now=clock.now())

    done, sent = at_once([correct, refund])
    assert isinstance(sent, Refund), sent
    assert isinstance(done, Invoice | CorrectionRefused), done
    note = Invoice.select().where(Invoice.id == Refund.get().credit_note_id).get()
    assert note.credits == (done if isinstance(done, Invoice) else invoice)
    assert len(documents(place)) == (4 if isinstance(done, Invoice) else 2)
    assert balance(place) == 0
    assert_books_clean()


def test_another_workspace_keeps_what_it_has(place):
    other = a_place("Berta", owner="Berta Berg")
    theirs = a_paid_invoice(other)
    corrected(place, a_paid_invoice(place))
    assert documents(other) == [("invoice", theirs.number, PAID_MONTHLY)]
    assert_books_clean()
