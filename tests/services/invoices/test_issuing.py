"""Invoices: numbered at issue without a gap, and a frozen copy of every printed fact."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from portal.domain.pricing import facts_hash
from portal.domain.vocabulary import VatStatus
from portal.models import BillingDetails, Document, Invoice, Order, Person, Plan, Workspace
from portal.runtime import Runtime, current, install
from portal.services.invoices import history, issuing, pdfs
from tests.books import assert_books_clean
from tests.paying import DECLINED, a_place, an_order, as_seen_by, buy, line_of, pay, reloaded

pytestmark = pytest.mark.both_engines


def numbers():
    return [invoice.number for invoice in Invoice.select().order_by(Invoice.id)]


def test_numbers_run_from_one_and_skip_nothing(place):
    buy(place)
    pay(an_order(place, "business-10"), DECLINED)
    buy(place, "business-10")
    buy(a_place("Other", owner="Otto Other"))
    assert numbers() == ["INV-2026-000001", "INV-2026-000002", "INV-2026-000003"]
    assert_books_clean()


@pytest.mark.parametrize(
    ("instant", "number", "issued_on"),
    [
        # The seller is in Paris: one hour ahead of UTC in winter.
        (datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC), "INV-2026-000001", "2026-12-31"),
        (datetime(2026, 12, 31, 23, 0, 0, tzinfo=UTC), "INV-2027-000001", "2027-01-01"),
    ],
)
def test_the_year_is_that_of_the_sellers_place(runtime, clock, instant, number, issued_on):
    clock.set(instant)
    buy(a_place())
    invoice = Invoice.get()
    assert (invoice.number, invoice.issued_on.isoformat()) == (number, issued_on)
    assert (invoice.facts["issued_on"], invoice.facts["payment"]["paid_on"]) == (issued_on, issued_on)
    assert_books_clean()


def test_each_year_has_a_series_of_its_own(place, clock):
    buy(place)
    clock.advance(days=60)
    buy(place)
    buy(a_place("Other", owner="Otto Other"))
    assert numbers() == ["INV-2026-000001", "INV-2027-000001", "INV-2027-000002"]
    assert_books_clean()


def test_an_invoice_is_dated_when_it_is_issued_not_when_it_was_ordered(place, clock):
    from portal.services.payments import charging

    pay(an_order(place), "4000000000000119")
    clock.advance(days=1)
    charging.reconcile(now=clock.now())
    assert Invoice.get().facts["issued_on"] == "2026-11-22"
    # What was promised stands: the period begins on the day of the order.
    assert Invoice.get().facts["lines"][0]["period"]["start"] == "2026-11-21"
    assert_books_clean()


def test_the_facts_hold_everything_that_is_printed(place):
    order = an_order(place)
    pay(order)
    facts = Invoice.get().facts
    assert facts["buyer"] == {
        "name": "Acme SARL",
        "contact": "Jeanne Martin",
        "address": ["12 rue de la Paix", "75002 Paris", "France"],
        "country": "FR",
        "vat_number": None,
        "tax_number": None,
        "email": "compta@acme.example",
        "is_business": True,
        "street": ["12 rue de la Paix"],
        "postal_code": "75002",
        "city": "Paris",
        "region": "",
        "legal_number": None,
        "electronic_address": None,
    }
    assert facts["seller"] == current().settings.seller.facts
    assert (facts["due_on"], facts["due_minor"], facts["operation"]) == ("2026-11-21", 0, "services")
    assert facts["customer_number"] == place.workspace.customer_number
    assert facts["order_number"] == order.number
    # 28.00 + 20 % of 28.00 = 28.00 + 5.60 = 33.60
    assert facts["totals"] == {
        "net_minor": 2800,
        "tax_minor": 560,
        "gross_minor": 3360,
        "by_rate": [{"rate_bp": 2000, "net_minor": 2800, "tax_minor": 560}],
    }
    assert facts["payment"] == {
        "method": "card",
        "brand": "visa",
        "last4": "4242",
        "paid_on": "2026-11-21",
        "processor": "Portal sandbox",
    }


def test_reverse_charge_names_the_buyers_number_and_no_tax(place):
    buy(place, country="DE", vat_number="DE136695976", vat_status=VatStatus.UNCHECKED)
    facts = Invoice.get().facts
    assert facts["tax"]["category"] == "AE"
    assert facts["buyer"]["vat_number"] == "DE136695976"
    assert (facts["totals"]["tax_minor"], facts["totals"]["gross_minor"]) == (0, 2800)


def test_a_tax_number_is_printed_and_remembered_and_changes_no_tax(place):
    buy(place, country="US", postal_code="94105", region="CA")
    buy(place, country="US", postal_code="94105", region="CA", tax_number="91-1144442")
    without, with_number = Invoice.select().order_by(Invoice.id)
    assert (without.facts["buyer"]["tax_number"], without.facts["tax"]) == (None, with_number.facts["tax"])
    assert with_number.facts["buyer"]["tax_number"] == "91-1144442"
    assert BillingDetails.get().tax_number == "91-1144442"


def test_the_six_figures_of_a_change_stand_on_its_invoice(place, clock):
    buy(place, "business-3")
    clock.advance(days=2)
    order = an_order(place, "business-5")
    pay(order)
    newest = Invoice.get(Invoice.order == order)
    assert newest.facts["lines"][0]["extension"] == line_of(reloaded(order)).extension


def test_nothing_that_changes_afterwards_changes_an_invoice(place, runtime):
    buy(place)
    before = Invoice.get()
    frozen = (before.facts, before.facts_hash)
    Workspace.update(name="Renamed", language="en").execute()
    BillingDetails.update(company_name="Renamed SARL").execute()
    Plan.update(names={"en": "Renamed", "fr": "Renamed"}).execute()
    Person.update(name="Renamed").execute()
    seller = replace(runtime.settings.seller, name="Renamed SAS", iban="FR0000")
    install(Runtime(replace(runtime.settings, seller=seller), runtime.clock, runtime.gateways))
    after = Invoice.get()
    assert (after.facts, after.facts_hash) == frozen
    assert facts_hash(after.facts) == after.facts_hash
    assert_books_clean()


def test_the_facts_come_back_from_the_database_as_they_were_hashed(place):
    """JSONB sorts keys, SQLite keeps text: the hash is of what is said, not of how it is stored."""
    buy(place, company_name='Ça « va » — \u202e "x" \\ 漢字 😀', street="1\true\u00a0X")
    invoice = Invoice.get()
    assert facts_hash(invoice.facts) == invoice.facts_hash
    assert invoice.facts["buyer"]["name"] == 'Ça « va » — \u202e "x" \\ 漢字 😀'
    assert_books_clean()


def test_an_invoice_is_the_order_in_every_amount(place):
    buy(place)
    invoice, order = Invoice.get(), Order.get()
    assert (invoice.net_minor, invoice.tax_minor, invoice.total_minor, invoice.currency) == (
        order.net_minor,
        order.tax_minor,
        order.total_minor,
        order.currency,
    )


def test_the_document_is_made_once_and_never_again(place, monkeypatch):
    from portal.documents import pdf

    made = []

    def render(facts, *, locale, e_invoice):
        made.append((locale, hashlib.sha256(e_invoice).hexdigest()))
        return f"%PDF {len(made)}".encode()

    monkeypatch.setattr(pdf, "render_invoice", render)
    buy(place)
    invoice = Invoice.get()
    assert pdfs.find(invoice.id, "fr") is None
    first = pdfs.pdf_of(invoice.id, "fr")
    pdfs.prepare(invoice.id)
    pdfs.prepare(invoice.id)
    assert pdfs.pdf_of(invoice.id, "fr") == first
    # Each PDF has the bytes that are stored alone.
    xml = Document.get(Document.locale == Document.E_INVOICE)
    assert sorted(made) == [("en", xml.sha256), ("fr", xml.sha256)]
    assert pdfs.xml_of(invoice.id) == bytes(xml.content)
    assert_books_clean()


def test_what_the_checkout_does_not_ask_stays_with_the_business_and_is_printed(place):
    buy(place)
    BillingDetails.update(legal_number="73282932000074", electronic_address="0225:732829320_A").execute()
    buy(place, "business-10")
    buyer = Invoice.select().order_by(Invoice.id.desc()).get().facts["buyer"]
    assert (buyer["legal_number"], buyer["electronic_address"]) == ("73282932000074", "0225:732829320_A")
    assert BillingDetails.get().legal_number == "73282932000074"
    buy(place, "business-20", company_name="Another SARL")
    buyer = Invoice.select().order_by(Invoice.id.desc()).get().facts["buyer"]
    assert (buyer["legal_number"], BillingDetails.get().legal_number) == (None, "")


def test_the_history_tells_how_each_document_was_paid_newest_first(place):
    buyer = as_seen_by(place, "Paul Petit")
    pay(an_order(place), DECLINED)
    buy(buyer)
    buy(place, "business-10")
    page = history.page_of(place.workspace, size=1)
    assert (page.rows[0].number, page.rows[0].last4) == ("INV-2026-000002", "4242")
    older = history.page_of(place.workspace, size=1, before=page.older)
    assert (older.rows[0].number, older.rows[0].total.minor, older.older) == ("INV-2026-000001", 3360, None)


def test_a_document_of_another_workspace_is_as_if_it_did_not_exist(place):
    buy(place)
    other = a_place("Other", owner="Otto Other").workspace
    assert history.find_invoice(other, "INV-2026-000001") is None
    assert history.find_invoice(place.workspace, "INV-2026-000001").workspace_id == place.workspace.id
    assert history.page_of(other, size=10).rows == []


def test_the_sellers_day_is_read_from_the_settings(runtime):
    assert issuing.sellers_day(datetime(2026, 6, 30, 22, 30, tzinfo=UTC)).isoformat() == "2026-07-01"
