"""The statement page of an invoice: every figure as it was when the invoice was issued."""

from dataclasses import replace
from datetime import date

import pytest

from portal.documents.e_invoice import e_invoice
from portal.domain.exchange_rates import ExchangeRate
from portal.domain.vocabulary import Role
from portal.models import Document, Invoice, Order
from portal.runtime import current, install
from portal.services import exchange_rates
from portal.services.invoices import pdfs
from portal.services.payments import refund_quotes, refunds
from tests import paying
from tests.crediting import credit
from tests.pages import by_testid, parse, text_of
from tests.visiting import seen_by

# The pages; what they call is tested on both engines.
pytestmark = pytest.mark.engine("sqlite")

MARKS = ("quote-rate-old", "quote-rate-new", "quote-unused", "quote-credit", "quote-days", "quote-due")


def figures_on(answer):
    """The text of each mark that the page has, in their order."""
    page = parse(answer.get_data(as_text=True))
    return [(mark, text_of(found)) for mark in MARKS for found in by_testid(page, mark)]


def a_change(place, clock):
    """Ten days into Business 3, Business 5 is reviewed."""
    paying.buy(place, "business-3")
    clock.advance(days=10)
    return paying.an_order(place, "business-5")


def statement(visitor, number):
    return visitor.get(f"/w/acme/invoices/{number}")


def test_the_e_invoice_is_beside_the_pdf_for_those_who_may_download(app, acme, owner):
    paying.buy(acme)
    invoice = Invoice.get()
    page = statement(owner, invoice.number).get_data(as_text=True)
    [link] = by_testid(parse(page), "xml-link")
    assert link.get("href") == f"/w/acme/invoices/{invoice.number}.xml"
    assert "303265045" not in page, "the buyer of these tests has no VAT number"
    waiting = owner.get(f"/w/acme/invoices/{invoice.number}.xml")
    assert (waiting.status_code, waiting.headers["Refresh"]) == (202, "2")
    pdfs.prepare(invoice.id)
    answer = owner.get(f"/w/acme/invoices/{invoice.number}.xml")
    assert answer.data == e_invoice(invoice.facts) == pdfs.xml_of(invoice.id)
    assert answer.headers["Content-Type"] == "application/xml"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{invoice.number}.xml"'
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    colleague = seen_by(app, paying.as_seen_by(acme, "Leo Roy", role=Role.MEMBER).member.person)
    assert colleague.get(f"/w/acme/invoices/{invoice.number}.xml").status_code == 403
    assert not by_testid(parse(statement(colleague, invoice.number).get_data(as_text=True)), "xml-link")
    assert owner.get("/w/acme/invoices/INV-2026-000099.xml").status_code == 404


def test_a_document_from_before_e_invoices_says_so_and_keeps_its_pdf(acme, owner):
    paying.buy(acme)
    invoice = Invoice.get()
    Invoice.update(facts={**invoice.facts, "version": 2}).execute()
    answer = owner.get(f"/w/acme/invoices/{invoice.number}.xml")
    assert answer.status_code == 404
    assert "issued before we made e-invoices" in answer.get_data(as_text=True)
    assert not by_testid(parse(statement(owner, invoice.number).get_data(as_text=True)), "xml-link")
    pdfs.prepare(invoice.id)
    assert [document.locale for document in Document.select().order_by(Document.locale)] == ["en", "fr"]


def test_vat_in_the_sellers_currency_is_on_the_page(acme, owner):
    paying.buy(acme, currency="USD")
    page = text_of(parse(statement(owner, "INV-2026-000001").get_data(as_text=True)))
    # 6.00 / 1.16 = 5.172…
    assert "That VAT in EUR€5.17" in " ".join(page.split())


def test_a_change_is_told_with_the_six_figures_that_its_buyer_saw(app, acme, owner, clock):
    order = a_change(acme, clock)
    shown = figures_on(owner.get(f"/w/acme/checkout/{order.number}/review"))
    # €17.00 for the 30 days from 21 November, 0.566… a day: 19 follow the day of the change, 10.766….
    # €28.00 for the 31 days from 1 December, 0.903… a day: 11.92 days, whole ones only, after 1 January.
    assert [text for _mark, text in shown] == ["€0.57", "€0.90", "19", "€10.77", "11", "12 January 2027"]
    paying.pay(order)
    assert figures_on(statement(owner, "INV-2026-000002")) == shown
    # A colleague who may not see billing details sees what was paid for all the same.
    colleague = seen_by(app, paying.as_seen_by(acme, "Leo Roy", role=Role.MEMBER).member.person)
    assert figures_on(statement(colleague, "INV-2026-000002")) == shown


def test_the_figures_are_those_of_the_invoice_whatever_has_changed_since(acme, owner, clock):
    paying.pay(a_change(acme, clock))
    before = figures_on(statement(owner, "INV-2026-000002"))
    order = Order.select().order_by(Order.id.desc()).get()
    order.quote["lines"][0]["extension"]["unused_days"] = 99
    order.quote["lines"][0]["due_on"] = "2030-01-01"
    order.save()
    assert figures_on(statement(owner, "INV-2026-000002")) == before


def test_a_purchase_and_a_credit_note_have_no_such_figures(acme, owner, clock):
    payment = paying.pay(a_change(acme, clock))
    bought = statement(owner, "INV-2026-000001")
    assert (bought.status_code, figures_on(bought)) == (200, [])
    refundable = refund_quotes.find_payment(acme.workspace, payment.key)
    shown = refund_quotes.preview(refundable, now=clock.now())
    refunds.ask_refund(acme, payment, shown_hash=shown.hash, now=clock.now())
    undone = statement(owner, "CN-2026-000001")
    assert (undone.status_code, figures_on(undone)) == (200, [])
    assert "became days" not in undone.get_data(as_text=True)


def test_the_history_has_what_was_paid_and_nothing_that_was_declined(acme, owner, clock):
    order = paying.pay(paying.an_order(acme), paying.DECLINED).order
    page = owner.get("/w/acme/history").get_data(as_text=True)
    assert "No payment yet" in page
    paying.pay(paying.reloaded(order))
    rows = by_testid(parse(owner.get("/w/acme/history").get_data(as_text=True)), "history-row")
    assert ["4242" in text_of(row) for row in rows] == [True]


# --- who reads the digits of a card ---------------------------------------------------------------

PAGES = ("history", "plans", "invoices/INV-2026-000001", "invoices/CN-2026-000001")


@pytest.mark.parametrize(
    ("role", "digits"),
    [(Role.MEMBER, ""), (Role.ADMIN, "4242"), (Role.BILLING_MANAGER, "4242")],
)
def test_the_last_digits_of_a_card_are_for_those_who_see_billing_details(app, acme, role, digits, clock):
    payment = paying.buy(acme)
    shown = refund_quotes.preview(refund_quotes.find_payment(acme.workspace, payment.key), now=clock.now())
    refunds.ask_refund(acme, payment, shown_hash=shown.hash, now=clock.now())
    reader = seen_by(app, paying.as_seen_by(acme, "Leo Roy", role=role).member.person)
    for page in PAGES:
        answer = reader.get(f"/w/acme/{page}")
        said = text_of(next(parse(answer.get_data(as_text=True)).iter("main")))
        assert answer.status_code == 200
        assert ("4242" in said, "Visa" in said) == (bool(digits), True), page


@pytest.mark.parametrize(
    ("role", "said"),
    [
        (Role.MEMBER, "Automatic renewal: €33.60 including VAT on 21 December 2026, for Business 5"),
        (Role.ADMIN, "Automatic renewal: €33.60 including VAT on 21 December 2026, for Business 5"),
        (Role.BILLING_MANAGER, "on 21 December 2026 with Visa •••• 4242, for Business 5"),
    ],
)
def test_the_saved_card_of_the_next_charge_is_for_those_who_may_use_it(app, acme, role, said):
    paying.pay(paying.an_order(acme), auto_renewal=True)
    place = paying.as_seen_by(acme, "Leo Roy", role=role)
    reader = seen_by(app, place.member.person)
    assert said in " ".join(text_of(parse(reader.get("/w/acme/plans").get_data(as_text=True))).split())
    # The review of a larger plan says that the renewal stays on.
    order = paying.an_order(place, "business-10")
    review = text_of(parse(reader.get(f"/w/acme/checkout/{order.number}/review").get_data(as_text=True)))
    assert "Automatic renewal: €61.20" in review
    assert ("with Visa •••• 4242" in review) is (role == Role.BILLING_MANAGER)


def test_an_invoice_says_how_much_of_it_was_credited_and_by_which_notes(acme, owner):
    """28.00 + 5.60 for 30 days: 10 days are 11.20, 10 more 11.19; the last 10 are still hers."""
    paying.buy(acme)
    invoice = Invoice.get()
    first = credit(invoice, date(2026, 12, 11))
    answer = statement(owner, invoice.number)
    assert said_of_credits(answer) == "€11.20 of it was credited: see credit note CN-2026-000001."
    credit(invoice, date(2026, 12, 1))
    page = parse(statement(owner, invoice.number).get_data(as_text=True))
    [sentence] = by_testid(page, "credit-notes")
    assert text_of(sentence) == (
        "€22.39 of it was credited: see credit notes CN-2026-000001, CN-2026-000002."
    )
    assert f"/w/acme/invoices/{first.number}" in statement(owner, invoice.number).get_data(as_text=True)


def test_a_partial_credit_note_names_its_line_and_days_and_where_the_money_is(acme, owner):
    paying.buy(acme)
    note = credit(Invoice.get(), date(2026, 12, 11))
    answer = statement(owner, note.number)
    assert said_of_credits(answer) == "It credits a part of invoice INV-2026-000001."
    page = parse(answer.get_data(as_text=True))
    assert [text_of(found) for found in by_testid(page, "share")] == [
        "Credit on invoice INV-2026-000001 of 21 November 2026, line 1",
        "10 of 30 days; charged for all of them: €28.00",
    ]
    text = answer.get_data(as_text=True)
    assert "Credited to" in text and "Balance" in text and "4242" not in text
    listed = owner.get("/w/acme/history").get_data(as_text=True)
    # A payment of which a part was credited is not sent back, and nobody is told that it can be.
    assert "refund-link" not in listed and "can be refunded" not in listed
    assert "Balance" in listed and note.number in listed


def test_lines_have_their_numbers_and_days_where_there_are_several(acme, owner):
    """Credit notes name them."""
    paying.buy(acme)
    invoice = Invoice.get()
    assert "1. Business 5" not in statement(owner, invoice.number).get_data(as_text=True)
    [line] = invoice.facts["lines"]
    share = {"price_minor": 5600, "days": 15, "base_days": 30}
    facts = invoice.facts | {"lines": [line, line | {"position": 2, "share": share}]}
    Invoice.update(facts=facts).execute()
    page = parse(statement(owner, invoice.number).get_data(as_text=True))
    assert "1. Business 5 – monthly" in text_of(page) and "2. Business 5 – monthly" in text_of(page)
    assert [text_of(found) for found in by_testid(page, "share")] == [
        "15 of 30 days; for the whole period: €56.00"
    ]


def said_of_credits(answer):
    [sentence] = by_testid(parse(answer.get_data(as_text=True)), "credit-notes")
    return text_of(sentence)


# --- without an exchange rate ---------------------------------------------------------------------


def test_an_order_that_cannot_be_invoiced_is_refused_in_words_on_every_page_of_the_checkout(
    app, acme, owner, runtime, clock
):
    """In the sandbox a rate stands in; here none does, and the one that held grows old meanwhile."""
    settings = current().settings
    install(replace(current(), settings=replace(settings, gateways=("sandbox", "another"))))
    exchange_rates.add(
        ExchangeRate("EUR", "USD", date(2026, 11, 20), 1_160_000, "ECB"), by=None, now=clock.now()
    )
    order = paying.an_order(acme, currency="USD")
    review = f"/w/acme/checkout/{order.number}/review"
    assert owner.get(review).status_code == 200
    clock.advance(days=10)
    typed = {**order.details, "email_confirm": order.details["email"], "is_business": "y"}
    chosen = {"payment_method": "card", "payment_currency": "USD", "display_currency": "USD"}
    card = {"exp_month": "12", "exp_year": "2030", "security_code": "123", "holder": "Jeanne Martin"}
    answers = {
        "details": owner.post(f"/w/acme/checkout/{order.number}", {**typed, **chosen}),
        "review": owner.get(review),
        "order": owner.post(review, {**card, "number": paying.PAID, "quote": order.quote_hash}),
    }
    for page, answer in answers.items():
        assert answer.status_code in (200, 422), (page, answer.status_code)
        assert "We cannot invoice in USD at the moment" in answer.get_data(as_text=True), page
    assert paying.paid_charges() == [] and Invoice.select().count() == 0
