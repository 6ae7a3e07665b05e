"""Partial credit notes: of the lines of an invoice, at its rate, never above them, numbered without a gap."""

from dataclasses import replace
from datetime import date

import pytest

from portal.database.connecting import OutsideTransaction, transaction
from portal.domain.money import Money
from portal.domain.pricing import facts_hash
from portal.domain.prorated_lines import CreditLine
from portal.domain.vocabulary import DocumentKind, OrderState, RefundState
from portal.models import AuditEntry, CreditedLine, Invoice, Order, Payment, Refund
from portal.services.invoices import crediting, history, issuing
from portal.services.payments import refund_quotes, refunds
from portal.services.payments.refund_quotes import NotRefundable, RefundImpossible, RefusalReason
from tests.books import assert_books_clean
from tests.crediting import credit, days_from, issue
from tests.domain.test_invoicing import PRORATED, PRORATED_QUOTE
from tests.paying import a_place, an_order, buy, pay

pytestmark = pytest.mark.both_engines

# business-5 is 28.00 a month, + 20 % = 5.60; bought on 21 November 2026 it pays for 30 days.


@pytest.fixture
def invoice(place):
    buy(place)
    return Invoice.get()


def credited_lines():
    return [
        (row.credit_note.number, row.invoice.number, row.position, row.start_on, row.net_minor, row.tax_minor)
        for row in CreditedLine.select().order_by(CreditedLine.id)
    ]


def test_the_unused_days_are_credited_at_the_rate_of_the_invoice(invoice, clock):
    """20 of 30 days: 28.00 × 20 / 30 = 18.666… → 18.67, + 20 % = 3.73."""
    clock.advance(days=10)
    note = credit(invoice, date(2026, 12, 1))
    assert (note.kind, note.number, note.series) == (DocumentKind.CREDIT_NOTE, "CN-2026-000001", "CN-2026")
    assert (note.net_minor, note.tax_minor, note.total_minor) == (1867, 373, 2240)
    assert (note.credits_id, note.order_id, note.workspace_id) == (
        invoice.id,
        invoice.order_id,
        invoice.workspace_id,
    )
    assert facts_hash(note.facts) == note.facts_hash
    assert credited_lines() == [
        ("CN-2026-000001", "INV-2026-000001", 1, date(2026, 12, 1), 1867, 373),
    ]
    issued = AuditEntry.get(AuditEntry.action == "credit_note.issued")
    assert issued.changes["credits"] == "INV-2026-000001"
    assert Order.get().state == OrderState.PAID
    assert_books_clean()


def test_several_credit_notes_name_one_invoice_and_end_on_its_line(invoice):
    """28.00 and 5.60: 9.33 + 1.87, then 9.33 + 1.86, then the rest."""
    notes = [credit(invoice, day) for day in (date(2026, 12, 11), date(2026, 12, 1), date(2026, 11, 21))]
    assert [(note.net_minor, note.tax_minor) for note in notes] == [(933, 187), (933, 186), (934, 187)]
    assert sum(note.total_minor for note in notes) == invoice.total_minor
    assert [note.number for note in history.credit_notes_of(invoice)] == [note.number for note in notes]
    [line] = crediting.running_lines(invoice)
    assert (line.credited_net, line.credited_tax) == (line.net, line.tax_amount)
    assert days_from(invoice, date(2026, 11, 21)) == []
    assert_books_clean()


def test_a_line_stands_as_its_credits_left_it(invoice):
    [untouched] = crediting.running_lines(invoice)
    assert (untouched.key, untouched.credited_net.minor, untouched.credited_from) == (
        "INV-2026-000001/1",
        0,
        None,
    )
    credit(invoice, date(2026, 12, 11))
    [line] = crediting.running_lines(invoice)
    assert (line.credited_net.minor, line.credited_tax.minor, line.credited_from) == (
        933,
        187,
        date(2026, 12, 11),
    )
    assert line.days_left(date(2026, 12, 1)) == 10


def test_the_rate_is_that_of_the_invoice_whatever_it_is_today(place, monkeypatch):
    """Bought by an Austrian consumer at 20 %; whatever the rates say afterwards is not asked."""
    buy(place, is_business=False, company_name="", country="AT")
    invoice = Invoice.get()
    monkeypatch.setattr("portal.domain.tax.standard_rate", lambda *_args, **_named: 1 / 0)
    note = credit(invoice, date(2026, 12, 11))
    assert note.facts["tax"] == invoice.facts["tax"]
    assert note.facts["tax"]["reason"] == "eu_consumer"
    assert (note.net_minor, note.tax_minor) == (933, 187)


def test_a_credit_note_and_the_invoice_of_the_change_are_one_act(place):
    """An invoice for new terms with a prorated line: 12 of 31 days of 50.00 are 19.35, + 3.87."""
    payment = buy(place)
    invoice = Invoice.get()
    order = an_order(place, "business-10")
    order.quote = PRORATED_QUOTE
    now = invoice.issued_at
    with transaction(lock=place.workspace):
        note = issue(invoice, days_from(invoice, date(2026, 12, 1)))
        charged = issuing.issue_for(order, payment=payment, now=now)
    assert (note.number, charged.number) == ("CN-2026-000001", "INV-2026-000002")
    [line] = charged.facts["lines"]
    assert line["share"] == {"price_minor": 5000, "days": 12, "base_days": 31}
    assert (charged.net_minor, charged.tax_minor) == (PRORATED["net_minor"], PRORATED["tax_minor"])
    [running] = crediting.running_lines(charged)
    assert (running.net.minor, running.quantity, running.unit.minor) == (1935, 5, 1000)


def test_a_change_that_fails_takes_no_number(invoice):
    class Fails(Exception):
        pass

    with pytest.raises(Fails), transaction(lock=invoice.workspace):
        issue(invoice, days_from(invoice, date(2026, 12, 1)))
        raise Fails
    assert (Invoice.select().count(), CreditedLine.select().count()) == (1, 0)
    assert credit(invoice, date(2026, 12, 1)).number == "CN-2026-000001"
    assert_books_clean()


def test_it_is_a_part_of_an_act(invoice, clock):
    with pytest.raises(OutsideTransaction):
        issuing.issue_partial_credit_note(invoice, days_from(invoice, date(2026, 12, 1)), now=clock.now())


# --- refusals -------------------------------------------------------------------------------------


def refused(invoice, credit_lines, error):
    before = Invoice.select().count(), CreditedLine.select().count()
    with pytest.raises(error) as refusal, transaction(lock=invoice.workspace):
        issue(invoice, credit_lines)
    assert (Invoice.select().count(), CreditedLine.select().count()) == before
    assert_books_clean()
    return refusal.value


def test_what_was_reckoned_before_another_credit_is_refused(invoice):
    stale = days_from(invoice, date(2026, 12, 11))
    credit(invoice, date(2026, 12, 16))
    refusal = refused(invoice, stale, crediting.LineCreditedSince)
    assert (refusal.invoice, refusal.position) == ("INV-2026-000001", 1)


def test_more_than_is_left_of_a_line_is_refused(invoice):
    """20 days were reckoned of all 30; since then 15 of them were credited, and 14.00 are left."""
    stale = days_from(invoice, date(2026, 12, 1))
    credit(invoice, date(2026, 12, 6))
    refusal = refused(invoice, stale, crediting.CreditExceedsLine)
    assert (refusal.invoice, refusal.position, refusal.left_minor) == ("INV-2026-000001", 1, 1400)


def test_more_than_was_charged_is_refused(invoice):
    [line] = crediting.running_lines(invoice)
    dearer = CreditLine(replace(line, net=line.net * 2, unit=line.unit * 2), 30)
    assert refused(invoice, [dearer], crediting.CreditExceedsLine).left_minor == 2800


def test_more_tax_than_was_charged_is_refused(invoice):
    [line] = crediting.running_lines(invoice)
    taxed = CreditLine(replace(line, tax=replace(line.tax, rate_bp=2500)), 30)
    refused(invoice, [taxed], crediting.CreditExceedsLine)


def test_another_rate_is_refused(invoice):
    [line] = crediting.running_lines(invoice)
    refused(
        invoice,
        [CreditLine(replace(line, tax=replace(line.tax, rate_bp=0)), 30)],
        crediting.LineCreditedSince,
    )


def test_lines_of_another_invoice_lines_named_twice_and_no_lines_are_mistakes(invoice):
    buy(a_place("Other", owner="Otto Other"))
    others = days_from(Invoice.get(Invoice.number == "INV-2026-000002"), date(2026, 12, 1))
    own = days_from(invoice, date(2026, 12, 1))
    nothing = [CreditLine(own[0].line, 0)]
    for wrong in (others, [*own, *own], [], nothing):
        refused(invoice, wrong, ValueError)


def test_what_was_paid_back_is_not_credited_again(place, invoice, clock):
    last = Payment.get()
    shown = refund_quotes.preview(last, now=clock.now()).hash
    lines = days_from(invoice, date(2026, 12, 1))
    refunds.ask_refund(place, last, shown_hash=shown, now=clock.now())
    refused(invoice, lines, crediting.InvoiceUndone)


def test_nothing_is_credited_while_a_refund_may_still_succeed(invoice, clock):
    payment = Payment.get()
    refund = Refund.create(
        key="r",
        workspace=payment.workspace,
        payment=payment,
        person=payment.order.person,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        state=RefundState.UNKNOWN,
        ask_again_at=clock.now(),
        created_at=clock.now(),
    )
    lines = days_from(invoice, date(2026, 12, 1))
    with pytest.raises(crediting.InvoiceUndone), transaction(lock=invoice.workspace):
        issue(invoice, lines)
    refund.state, refund.ask_again_at, refund.settled_at = RefundState.REFUSED, None, clock.now()
    refund.save()
    with transaction(lock=invoice.workspace):
        issue(invoice, lines)


def test_a_payment_whose_invoice_was_credited_in_part_is_not_sent_back(place, invoice, clock):
    payment = Payment.get()
    shown = refund_quotes.preview(payment, now=clock.now()).hash
    credit(invoice, date(2026, 12, 1))
    found = refund_quotes.refundable(place.workspace, now=clock.now())
    assert found == NotRefundable(RefusalReason.PARTLY_CREDITED)
    with pytest.raises(RefundImpossible):
        refunds.ask_refund(place, payment, shown_hash=shown, now=clock.now())
    assert Refund.select().count() == 0
    assert_books_clean()


@pytest.mark.parametrize("on", [date(2026, 12, 1), date(2026, 11, 21)], ids=["a part", "all of it"])
def test_the_whole_is_not_credited_once_a_part_was(invoice, clock, on):
    credit(invoice, on)
    with pytest.raises(crediting.InvoicePartlyCredited), transaction(lock=invoice.workspace):
        issuing.issue_credit_note(invoice.order, now=clock.now())
    assert_books_clean()


# --- the history ----------------------------------------------------------------------------------


def test_the_history_has_an_invoice_once_however_often_it_was_credited(place, invoice):
    credit(invoice, date(2026, 12, 11))
    credit(invoice, date(2026, 12, 1))
    rows = history.page_of(place.workspace, size=10).rows
    assert [(row.number, row.total, row.is_refunded, row.is_kept) for row in rows] == [
        ("CN-2026-000002", Money(-1119, "EUR"), False, True),
        ("CN-2026-000001", Money(-1120, "EUR"), False, True),
        ("INV-2026-000001", Money(3360, "EUR"), False, False),
    ]


def test_the_credit_note_of_a_refund_is_no_kept_one(place, invoice, clock):
    last = Payment.get()
    shown = refund_quotes.preview(last, now=clock.now()).hash
    refunds.ask_refund(place, last, shown_hash=shown, now=clock.now())
    rows = history.page_of(place.workspace, size=10).rows
    assert [(row.kind, row.is_refunded, row.is_kept) for row in rows] == [
        (DocumentKind.CREDIT_NOTE, True, False),
        (DocumentKind.INVOICE, True, False),
    ]


def test_documents_of_others_stay_theirs(invoice):
    other = a_place("Other", owner="Otto Other")
    pay(an_order(other))
    credit(invoice, date(2026, 12, 1))
    assert [row.number for row in history.page_of(other.workspace, size=10).rows] == ["INV-2026-000002"]
