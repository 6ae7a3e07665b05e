"""Exchange rates: what is refused without one, before anybody pays, and what is invoiced with one."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from portal.commands import doctor
from portal.domain.exchange_rates import ExchangeRate, MissingExchangeRate
from portal.domain.invoicing import adds_up
from portal.domain.vocabulary import PaymentState, VatStatus
from portal.models import ExchangeRate as KeptRate
from portal.models import Invoice, Order, OutboxMessage
from portal.runtime import current, install
from portal.services import exchange_rates
from portal.services.checkout import ordering
from portal.services.invoices import pdfs
from portal.services.payments import charging
from tests import paying
from tests.books import assert_books_clean
from tests.crediting import credit
from tests.factories import a_person

EUROPE = "European Central Bank"
TODAY = date(2026, 11, 21)


@pytest.fixture
def with_real_money(runtime):
    """The rates are those that operators keep: no make-believe one stands in."""
    settings = replace(runtime.settings, gateways=("sandbox", "another"))
    install(replace(runtime, settings=settings))
    assert not current().settings.sandbox_only


def add(on=TODAY, millionths=1_161_200, currency="USD", source=EUROPE):
    rate = ExchangeRate("EUR", currency, on, millionths, source)
    exchange_rates.add(rate, by=None, now=current().clock.now())


def the_invoice():
    return Invoice.select().order_by(Invoice.id.desc()).get()


def test_an_order_that_could_not_be_invoiced_is_refused_before_anybody_pays(with_real_money, clock):
    place = paying.a_place()
    order = paying.an_open_order(place, currency="USD")
    with pytest.raises(MissingExchangeRate) as refusal:
        paying.with_details(order, place)
    assert (refusal.value.currency, refusal.value.on) == ("USD", TODAY)
    add(on=TODAY - timedelta(days=8))
    with pytest.raises(MissingExchangeRate):
        paying.with_details(order, place)
    add(on=TODAY - timedelta(days=7))
    order = paying.with_details(order, place)
    assert paying.pay(order).state == PaymentState.SUCCEEDED
    told = the_invoice().facts["tax_in_seller_currency"]
    # 30.00 USD + 20 % = 6.00 USD; / 1.1612 = 5.167… EUR.
    assert (told["tax_minor"], told["rate_on"], told["source"]) == (517, "2026-11-14", EUROPE)
    assert_books_clean()


def test_what_was_shown_is_not_placed_once_the_rate_is_too_old(with_real_money, clock):
    add()
    place = paying.a_place()
    order = paying.an_order(place, currency="USD")
    clock.advance(days=8)
    with pytest.raises(MissingExchangeRate):
        paying.pay(order)
    with pytest.raises(MissingExchangeRate):
        ordering.refresh_quote(order, now=clock.now())
    assert paying.paid_charges() == []


def test_the_rate_that_was_added_last_counts_and_an_issued_document_keeps_its_own(with_real_money):
    add(millionths=1_000_000)
    add(millionths=2_000_000)
    place = paying.a_place()
    paying.buy(place, currency="USD")
    invoice = the_invoice()
    assert invoice.facts["tax_in_seller_currency"]["tax_minor"] == 300
    add(millionths=4_000_000)
    assert the_invoice().facts == invoice.facts
    assert KeptRate.select().count() == 3
    assert_books_clean()


@pytest.mark.parametrize(
    "details",
    [
        {"country": "US", "region": "IL", "postal_code": "62701", "city": "Springfield"},
        {
            "country": "DE",
            "vat_number": "DE136695976",
            "postal_code": "10115",
            "city": "Berlin",
            "vat_status": VatStatus.UNCHECKED,
        },
    ],
    ids=["outside the EU", "reverse charge"],
)
def test_without_vat_no_rate_is_needed(with_real_money, details):
    paying.buy(paying.a_place(), currency="USD", **details)
    facts = the_invoice().facts
    assert (facts["tax_in_seller_currency"], facts["totals"]["tax_minor"]) == (None, 0)
    assert pdfs.xml_of(the_invoice().id)


def test_money_that_was_long_on_its_way_is_invoiced_at_the_last_rate_with_its_day(with_real_money, clock):
    """The bank answers after nine days: the order was accepted while the rate held, and somebody has paid."""
    add()
    place = paying.a_place()
    payment = paying.buy(place, number=paying.SILENT_CHARGED, currency="USD")
    assert payment.state == PaymentState.UNKNOWN
    clock.advance(days=9)
    charging.look_up(payment, now=clock.now())
    facts = the_invoice().facts
    assert (facts["issued_on"], facts["tax_in_seller_currency"]["rate_on"]) == ("2026-11-30", "2026-11-21")
    assert_books_clean()


def test_an_order_from_before_rates_were_kept_is_invoiced_without_that_figure(with_real_money, clock):
    """Placed by the version before: its payer has paid and gets the invoice; it has no e-invoice."""
    add()
    place = paying.a_place()
    payment = paying.buy(place, number=paying.SILENT_CHARGED, currency="USD")
    KeptRate.delete().execute()
    charging.look_up(payment, now=clock.now())
    invoice = the_invoice()
    assert (payment.order.id, invoice.facts["tax_in_seller_currency"]) == (invoice.order_id, None)
    assert pdfs.xml_of(invoice.id) is None
    assert pdfs.pdf_of(invoice.id, "fr").startswith(b"%PDF")
    assert_books_clean()


def test_in_the_sandbox_a_make_believe_rate_stands_in_on_any_day(runtime, clock):
    clock.advance(days=400)
    paying.buy(paying.a_place(), currency="USD")
    told = the_invoice().facts["tax_in_seller_currency"]
    assert "sandbox" in told["source"] and told["rate_on"] == the_invoice().facts["issued_on"]
    assert pdfs.xml_of(the_invoice().id)
    assert_books_clean()


def test_credit_notes_tell_it_at_the_rate_of_their_invoice(with_real_money, clock):
    """6.00 USD of VAT at 1.2 are 5.00 EUR; of 10 of the 30 days it is 2.00, which are 1.67."""
    add(millionths=1_200_000)
    paying.buy(paying.a_place(), currency="USD")
    invoice = the_invoice()
    add(on=TODAY, millionths=9_000_000)
    clock.advance(days=1)
    note = credit(invoice, date(2026, 12, 11))
    told = note.facts["tax_in_seller_currency"]
    assert (note.tax_minor, told["tax_minor"], told["rate_millionths"]) == (200, 167, 1_200_000)
    assert b"<ram:ID>S1</ram:ID>" in pdfs.xml_of(note.id) and adds_up(note.facts)
    assert_books_clean()


# --- what operators are told ----------------------------------------------------------------------


def needs():
    found = exchange_rates.needs(current().settings, now=current().clock.now())
    return {need.currency: (need.last_day, need.is_urgent) for need in found}


def test_operators_see_what_is_missing_before_it_hurts(with_real_money, clock):
    paying.a_place()
    assert needs() == {"USD": (None, True)}
    told = doctor.missing_rates(current().settings, clock.now())
    assert "for USD" in told and "/operator/exchange-rates" in told
    add(on=TODAY - timedelta(days=5))
    assert doctor.missing_rates(current().settings, clock.now()) is None
    assert needs() == {"USD": (TODAY + timedelta(days=2), False)}
    clock.advance(days=1)
    assert needs() == {"USD": (TODAY + timedelta(days=2), True)}
    clock.advance(days=2)
    assert needs() == {"USD": (None, True)}


def test_nothing_is_missing_in_the_sandbox(runtime):
    paying.a_place()
    assert needs() == {"USD": (TODAY + timedelta(days=7), False)}


def test_operators_get_one_letter_a_day_until_the_rate_is_there(with_real_money, clock):
    paying.a_place()
    a_person("staff@vendor.test", operator=True)

    def letters():
        return OutboxMessage.select().where(OutboxMessage.key.startswith("exchange-rates-")).count()

    exchange_rates.tell_operators(now=clock.now())
    exchange_rates.tell_operators(now=clock.now())
    assert letters() == 1
    clock.advance(days=1)
    exchange_rates.tell_operators(now=clock.now())
    assert letters() == 2
    add(on=TODAY + timedelta(days=1))
    clock.advance(days=1)
    exchange_rates.tell_operators(now=clock.now())
    assert letters() == 2


def test_only_a_quote_that_needs_a_rate_asks_for_one(runtime):
    order = paying.an_order(paying.a_place())
    assert Order.get_by_id(order.id).quote["currency"] == "EUR"
    assert exchange_rates.for_issue(order.frozen_lines[0].tax, on=TODAY) is None
