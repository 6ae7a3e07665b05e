"""The ledger: an entry for every document and amount, what covers which invoice, and no row ever changed."""

import logging
import re
from datetime import timedelta
from pathlib import Path

import pytest
from peewee import IntegrityError

from portal.database.connecting import OutsideTransaction, transaction
from portal.domain.money import Money
from portal.domain.vocabulary import (
    BalanceEntryKind,
    DocumentKind,
    InvoiceStatus,
    PaymentState,
    RefundState,
)
from portal.models import Allocation, BalanceEntry, Invoice, Order, Payment, Refund, Workspace
from portal.services import ledger
from portal.services.payments import charging
from portal.services.workspace import deletion
from tests.books import assert_books_clean
from tests.corruptions import a_past_of_everything
from tests.passing import pass_days
from tests.paying import (
    ASKS_ONCE,
    DECLINED,
    SILENT_CHARGED,
    a_place,
    an_order,
    buy,
    pay,
)
from tests.services.payments.test_refunds import refund

pytestmark = pytest.mark.both_engines

INVOICE, CREDIT_NOTE = BalanceEntryKind.INVOICE, BalanceEntryKind.CREDIT_NOTE
PAYMENT, REFUND = BalanceEntryKind.PAYMENT, BalanceEntryKind.REFUND
OPEN, PART_PAID, PAID = InvoiceStatus.OPEN, InvoiceStatus.PART_PAID, InvoiceStatus.PAID


def euros(minor):
    return Money(minor, "EUR")


def told(place, currency="EUR"):
    """Kind, amount and balance after it, the oldest first."""
    return [
        (entry.kind, entry.amount_minor, entry.after_minor)
        for entry in ledger.entries_of(place.workspace, currency)
    ]


def covers():
    """Which entry covers which document or refund, and how much of it."""
    rows = Allocation.select(Allocation, BalanceEntry).join(BalanceEntry).order_by(Allocation.id)
    return [
        (row.entry.kind, "refund" if row.refund_id else row.invoice.number, row.amount_minor) for row in rows
    ]


def everything():
    """All rows as they stand, by table and id."""
    return {
        (model.__name__, row["id"]): row
        for model in (BalanceEntry, Allocation)
        for row in model.select().dicts()
    }


# --- what the portal writes today -----------------------------------------------------------------


def test_a_purchase_is_an_invoice_and_the_payment_that_covers_it(place, clock):
    payment = buy(place)
    assert told(place) == [(INVOICE, -3360, -3360), (PAYMENT, 3360, 0)]
    assert covers() == [(PAYMENT, "INV-2026-000001", 3360)]
    invoice = Invoice.get()
    assert ledger.status_of(invoice) is PAID
    assert ledger.balance_of(place.workspace, "EUR") == euros(0)
    entries = BalanceEntry.select().order_by(BalanceEntry.id)
    assert [(each.invoice_id, each.payment_id, each.refund_id) for each in entries] == [
        (invoice.id, None, None),
        (None, payment.id, None),
    ]
    assert {entry.made_at for entry in entries} == {clock.now()}
    assert_books_clean()


@pytest.mark.parametrize("number", [DECLINED, ASKS_ONCE, SILENT_CHARGED])
def test_what_did_not_arrive_is_not_in_the_ledger(place, number):
    pay(an_order(place), number)
    assert everything() == {}
    assert_books_clean()


def test_an_answer_that_comes_late_is_written_once(place, clock):
    pay(an_order(place), SILENT_CHARGED)
    clock.advance(days=1)
    for _ in range(2):
        charging.reconcile(now=clock.now())
    assert told(place) == [(INVOICE, -3360, -3360), (PAYMENT, 3360, 0)]
    assert_books_clean()


def test_a_refund_sends_back_what_the_credit_note_gave(place, clock):
    payment = buy(place)
    refund(place, payment, clock)
    assert told(place) == [
        (INVOICE, -3360, -3360),
        (PAYMENT, 3360, 0),
        (CREDIT_NOTE, 3360, 3360),
        (REFUND, -3360, 0),
    ]
    assert covers() == [(PAYMENT, "INV-2026-000001", 3360), (CREDIT_NOTE, "refund", 3360)]
    assert ledger.status_of(Invoice.get(Invoice.kind == DocumentKind.INVOICE)) is PAID
    assert ledger.kept(place.workspace, "EUR") == euros(0)
    assert_books_clean()


def test_what_was_paid_in_dollars_is_no_balance_in_euros(place):
    pay(an_order(place, currency="USD"))
    assert [kind for kind, _amount, _after in told(place, "USD")] == [INVOICE, PAYMENT]
    assert told(place) == []
    assert ledger.balance_of(place.workspace, "USD") == Money(0, "USD")
    assert_books_clean()


def test_many_renewals_of_one_commit_are_each_covered_by_their_own_payment(runtime, clock):
    places = [a_place(name, owner=f"Owner {name}") for name in ("Acme", "Berlin", "Wien")]
    for each in places:
        pay(an_order(each), auto_renewal=True)
    pass_days(clock, 31)
    for each in places:
        assert told(each) == [(INVOICE, -3360, -3360), (PAYMENT, 3360, 0)] * 2
    pairs = Allocation.select(Invoice.order, Payment.order).join(Invoice)
    pairs = pairs.join_from(Allocation, BalanceEntry).join(Payment).tuples()
    assert len(pairs) == 6
    assert all(invoiced == paid for invoiced, paid in pairs)
    assert_books_clean()


def test_a_deleted_workspace_keeps_its_ledger(place, clock):
    buy(place)
    before = everything()
    deletion.delete_by_owner(place, now=clock.now())
    assert everything() == before
    assert_books_clean()


def test_what_was_written_never_changes(runtime, clock):
    """Purchases, a change, renewals, a refund, money on its way, the end of a workspace."""
    seen = {}

    class Watching(type(clock)):
        def advance(self, **span):
            nonlocal seen
            now_there = everything()
            assert {key: now_there.get(key) for key in seen} == seen
            seen = now_there
            super().advance(**span)

    clock.__class__ = Watching
    a_past_of_everything(clock)
    clock.advance(days=1)
    assert len(seen) > 15
    before = everything()
    for workspace in Workspace.select():
        with transaction(lock=workspace):
            deletion.delete_for_not_paying(workspace, now=clock.now())
    assert everything() == before


def test_nobody_else_writes_the_ledger():
    """It has no UPDATE and no DELETE; demo, history, export and books alone name its tables."""
    portal = Path(ledger.__file__).resolve().parents[1]
    named = {
        str(path.relative_to(portal))
        for path in portal.rglob("*.py")
        if re.search(r"\b(BalanceEntry|Allocation)\b", path.read_text(encoding="utf-8"))
    }
    assert named == {
        "models.py",
        "services/demo/purchases.py",
        "services/invoices/movements.py",
        "services/invoices/statements.py",
        "services/ledger.py",
        "services/upkeep/books/corrections.py",
        "services/upkeep/books/ledger.py",
        "services/upkeep/books/open_invoices.py",
        "services/workspace/export.py",
    }
    for name in named:
        text = (portal / name).read_text(encoding="utf-8")
        assert re.findall(r"\b(?:BalanceEntry|Allocation)\.(?:update|delete|replace|insert)", text) == []
    assert not re.search(r"\.(update|delete|delete_instance|save)\(", Path(ledger.__file__).read_text())


def test_an_entry_cannot_be_written_on_its_own(place):
    buy(place)
    for record in (
        lambda: ledger.record_document(Invoice.get()),
        lambda: ledger.record_payment(Payment.get(), Invoice.get(), now=Invoice.get().issued_at),
        lambda: ledger.cover_open_invoices(place.workspace, "EUR"),
    ):
        with pytest.raises(OutsideTransaction):
            record()


def test_one_cause_has_one_entry(place):
    buy(place)
    before = everything()
    with pytest.raises(IntegrityError), transaction(lock=place.workspace):
        ledger.record_payment(Payment.get(), Invoice.get(), now=Invoice.get().issued_at)
    with pytest.raises(IntegrityError), transaction(lock=place.workspace):
        ledger.record_document(Invoice.get())
    assert everything() == before


def test_a_failed_act_leaves_no_entry(place, monkeypatch):
    def fails(*args, **kwargs):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(charging.outcomes.audit, "record", fails)
    with pytest.raises(RuntimeError):
        buy(place)
    assert everything() == {}


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize(
    "columns",
    [
        {"kind": INVOICE, "amount_minor": 1},
        {"kind": CREDIT_NOTE, "amount_minor": -1},
        {"kind": PAYMENT, "amount_minor": -1},
        {"kind": INVOICE, "invoice": None},
        {"kind": PAYMENT},
        {"payment": 1},
    ],
)
def test_the_database_refuses_a_wrong_sign_and_a_wrong_cause(place, columns):
    invoice = an_invoice(an_order(place), 100)
    facts = {
        "workspace": place.workspace,
        "currency": "EUR",
        "amount_minor": -100,
        "after_minor": -100,
        "kind": INVOICE,
        "invoice": invoice,
        "made_at": invoice.issued_at,
    }
    with pytest.raises(IntegrityError), transaction():
        BalanceEntry.create(**facts | columns)


# --- what the ledger is ready for -----------------------------------------------------------------


def an_invoice(order, minor, *, credited=None, kind=DocumentKind.INVOICE, currency="EUR"):
    """A document over so much; its facts are nobody's business here."""
    number = f"{kind}-{Invoice.select().count() + 1}"
    return Invoice.create(
        workspace=order.workspace,
        order=order,
        credits=credited,
        kind=kind,
        series=kind,
        sequence=Invoice.select().count() + 1,
        number=number,
        issued_on=order.created_at.date(),
        issued_at=order.created_at,
        currency=currency,
        net_minor=minor,
        tax_minor=0,
        total_minor=minor,
        facts={},
        facts_hash="",
    )


class Paper:
    """Documents and money of one workspace, written straight into the ledger, each with its own order."""

    def __init__(self, place):
        self.place, self.now = place, place.workspace.created_at
        self.orders = [an_order(place) for _ in range(8)]

    def invoice(self, minor, currency="EUR"):
        with transaction(lock=self.place.workspace):
            document = an_invoice(self.orders.pop(), minor, currency=currency)
            ledger.record_document(document)
        return document

    def credit_note(self, minor, credited):
        with transaction(lock=self.place.workspace):
            document = an_invoice(self.orders.pop(), minor, credited=credited, kind=DocumentKind.CREDIT_NOTE)
            ledger.record_document(document)
        return document

    def payment(self, minor, invoice):
        with transaction(lock=self.place.workspace):
            order = self.orders.pop()
            payment = Payment.create(
                key=order.number,
                workspace=order.workspace,
                order=order,
                gateway="sandbox",
                amount_minor=minor,
                currency=invoice.currency,
                state=PaymentState.SUCCEEDED,
                method_kind=order.method_kind,
                created_at=self.now,
            )
            ledger.record_payment(payment, invoice, now=self.now)
        return payment

    def refund(self, minor, payment, credit_note=None):
        with transaction(lock=self.place.workspace):
            sent_back = Refund.create(
                key=f"refund of {payment.id}",
                workspace=self.place.workspace,
                payment=payment,
                person=Order.get().person,
                amount_minor=minor,
                currency="EUR",
                state=RefundState.SUCCEEDED,
                created_at=self.now,
            )
            ledger.record_refund(sent_back, credit_note=credit_note, now=self.now)
        return sent_back

    def cover(self, currency="EUR"):
        with transaction(lock=self.place.workspace):
            covered = ledger.cover_open_invoices(self.place.workspace, currency)
        return sum(amount.minor for amount in covered.values())

    @property
    def balance(self):
        return ledger.balance_of(self.place.workspace, "EUR").minor


@pytest.fixture
def paper(place):
    return Paper(place)


def statuses(*invoices):
    return [ledger.status_of(invoice) for invoice in invoices]


def test_a_part_that_arrives_pays_a_part(paper):
    invoice = paper.invoice(1000)
    assert statuses(invoice) == [OPEN]
    paper.payment(400, invoice)
    assert (statuses(invoice), paper.balance) == ([PART_PAID], -600)
    paper.payment(600, invoice)
    assert (statuses(invoice), paper.balance) == ([PAID], 0)


def test_what_is_paid_too_much_is_kept_for_the_next_invoice(paper):
    first = paper.invoice(1000)
    paper.payment(1500, first)
    assert (statuses(first), paper.balance) == ([PAID], 500)
    assert ledger.kept(paper.place.workspace, "EUR") == euros(500)
    second = paper.invoice(800)
    assert paper.cover() == 500
    assert (statuses(first, second), paper.balance) == ([PAID, PART_PAID], -300)
    assert paper.cover() == 0


def test_an_invoice_paid_twice_keeps_the_second_payment(paper):
    invoice = paper.invoice(1000)
    paper.payment(1000, invoice)
    paper.payment(1000, invoice)
    assert (statuses(invoice), paper.balance, len(covers())) == ([PAID], 1000, 1)


def test_a_credit_note_covers_what_is_open_of_its_invoice_and_keeps_the_rest(paper):
    invoice = paper.invoice(1000)
    paper.payment(700, invoice)
    paper.credit_note(500, invoice)
    assert (statuses(invoice), paper.balance) == ([PAID], 200)
    assert [(kind, minor) for kind, _number, minor in covers()] == [(PAYMENT, 700), (CREDIT_NOTE, 300)]


def test_credits_pay_the_oldest_open_invoice_first(paper):
    paid = paper.invoice(3000)
    paper.payment(3300, paid)
    older, newer = paper.invoice(600), paper.invoice(600)
    paper.credit_note(500, paid)
    assert paper.cover() == 800
    assert (statuses(older, newer), paper.balance) == ([PAID, PART_PAID], -400)
    assert [(kind, minor) for kind, _number, minor in covers()] == [
        (PAYMENT, 3000),
        (PAYMENT, 300),
        (CREDIT_NOTE, 300),
        (CREDIT_NOTE, 200),
    ]


def test_an_older_debt_comes_before_a_new_order(paper):
    paid = paper.invoice(1000)
    paper.payment(1000, paid)
    paper.credit_note(300, paid)
    paper.invoice(200)
    assert ledger.kept(paper.place.workspace, "EUR") == euros(100)
    paper.invoice(1000)
    assert ledger.kept(paper.place.workspace, "EUR") == euros(0)


def test_what_was_sent_back_pays_for_nothing_more(paper):
    """Two credits; the first one's money left: the next invoice is covered by the second."""
    invoice, another = paper.invoice(1000), paper.invoice(500)
    payment = paper.payment(1000, invoice)
    paper.payment(500, another)
    paper.refund(400, payment, paper.credit_note(400, invoice))
    kept = paper.credit_note(250, another)
    following = paper.invoice(900)
    assert paper.cover() == 250
    [last] = Allocation.select().where(Allocation.invoice == following)
    assert last.entry.invoice_id == kept.id
    assert paper.balance == -650


def test_what_was_paid_too_much_is_sent_back_without_a_credit_note(paper):
    invoice = paper.invoice(1000)
    payment = paper.payment(1200, invoice)
    paper.refund(200, payment)
    assert (statuses(invoice), paper.balance) == ([PAID], 0)
    assert covers()[-1] == (PAYMENT, "refund", 200)


def test_a_refund_takes_the_credit_note_first_and_then_what_the_payment_has_left(paper):
    invoice = paper.invoice(1000)
    payment = paper.payment(1100, invoice)
    paper.refund(350, payment, paper.credit_note(300, invoice))
    assert covers()[1:] == [(CREDIT_NOTE, "refund", 300), (PAYMENT, "refund", 50)]
    assert paper.balance == 50


def test_everything_of_one_act_may_be_written_together(paper):
    """An invoice, what pays it twice over, its credit note and the refund, in one transaction."""
    with transaction(lock=paper.place.workspace):
        invoice = paper.invoice(1000)
        payment = paper.payment(1000, invoice)
        paper.payment(300, invoice)
        paper.refund(1000, payment, paper.credit_note(1000, invoice))
    assert (statuses(invoice), paper.balance) == ([PAID], 300)
    assert [(kind, minor) for kind, _number, minor in covers()] == [(PAYMENT, 1000), (CREDIT_NOTE, 1000)]


def test_an_invoice_over_nothing_is_paid(paper):
    assert statuses(paper.invoice(0)) == [PAID]


def test_what_is_kept_of_another_workspace_pays_nothing(paper):
    other = Paper(a_place("Other", owner="Otto Other"))
    other.payment(900, other.invoice(100))
    invoice = paper.invoice(500)
    assert paper.cover() == 0
    assert statuses(invoice) == [OPEN]


def test_what_is_kept_in_another_currency_pays_nothing(paper):
    paper.payment(900, paper.invoice(100, currency="USD"))
    invoice = paper.invoice(500)
    assert (paper.cover(), paper.cover("USD")) == (0, 0)
    assert statuses(invoice) == [OPEN]
    assert ledger.kept(paper.place.workspace, "EUR") == euros(0)
    assert ledger.kept(paper.place.workspace, "USD") == Money(800, "USD")


def test_an_invoice_is_covered_in_the_transaction_that_issues_it(paper):
    paper.payment(1500, paper.invoice(1000))
    with transaction(lock=paper.place.workspace):
        document = an_invoice(paper.orders.pop(), 300)
        ledger.record_document(document)
        covered = ledger.cover_open_invoices(paper.place.workspace, "EUR")
    assert covered == {document.id: euros(300)}
    assert (statuses(document), paper.balance) == ([PAID], 200)


def test_what_is_covered_in_the_act_is_counted_when_its_payment_is_written(paper):
    """A part from the balance, the rest from the gateway, and not a unit twice."""
    paper.payment(1200, paper.invoice(1000))
    with transaction(lock=paper.place.workspace):
        document = an_invoice(paper.orders.pop(), 500)
        ledger.record_document(document)
        ledger.cover_open_invoices(paper.place.workspace, "EUR")
        payment = paper.payment(400, document)
    assert (statuses(document), paper.balance) == ([PAID], 100)
    assert ledger.covered_of([document]) == {document.id: euros(500)}
    [rest] = Allocation.select().where(Allocation.invoice == document, Allocation.amount_minor == 300)
    assert rest.entry.payment_id == payment.id


def test_a_purchase_reads_what_is_kept_once_and_writes_the_ledger_in_two_statements(place, caplog):
    order = an_order(place)
    with caplog.at_level(logging.DEBUG, logger="peewee"):
        pay(order)
    about = [text for text in caplog.messages if "balance_entry" in text or "allocation" in text]
    written = [text for text in about if "INSERT" in text]
    assert len(written) == 2
    # What is left reserves ids.
    assert len([text for text in about if "SUM" in text]) == 1
    others = [text for text in about if text not in written and "SUM" not in text]
    assert all("id" in text and "amount_minor" not in text for text in others)
    assert_books_clean()


def test_a_new_entry_has_the_moment_of_its_act(place, clock):
    buy(place)
    clock.advance(hours=5)
    refund(place, Payment.get(), clock)
    moments = [entry.made_at for entry in ledger.entries_of(place.workspace, "EUR")]
    assert moments == [clock.now() - timedelta(hours=5)] * 2 + [clock.now()] * 2
