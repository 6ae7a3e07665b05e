"""The frozen copy of every printed fact."""

import json
from dataclasses import replace
from datetime import date

import pytest

from portal.domain.exchange_rates import ExchangeRate
from portal.domain.invoice_lines import document_lines
from portal.domain.invoicing import (
    Paid,
    adds_up,
    credit_note_facts,
    invoice_facts,
    is_of_the_sale,
    mirrors,
    why_no_e_invoice,
)
from portal.domain.pricing import facts_hash
from portal.domain.vocabulary import NoEInvoice, PaidWith, PaymentMethodKind

QUOTE = {
    "kind": "buy",
    "plan": "business-5",
    "plan_names": {"en": "Business 5", "fr": "Business 5"},
    "interval": "month",
    "price_id": 7,
    "currency": "EUR",
    "net_minor": 2800,
    "tax_minor": 560,
    "total_minor": 3360,
    "start_on": "2026-11-21",
    "base_end_on": "2026-12-21",
    "due_on": "2026-12-21",
    "anchor_day": 21,
    "tax": {"rate_bp": 2000, "category": "S", "reason": "seller_country", "country": "FR", "territory": None},
    "extension": None,
}
DETAILS = {
    "is_business": True,
    "company_name": "Acme SARL",
    "vat_number": "FR40303265045",
    "first_name": "Jeanne",
    "last_name": "Martin",
    "country": "FR",
    "email": "compta@acme.example",
    "address_lines": ["12 rue de la Paix", "75002 Paris", "France"],
    "street": "12 rue de la Paix",
    "street2": "",
    "postal_code": "75002",
    "city": "Paris",
    "region": "",
}
SELLER = {
    "name": "Atelier Logiciel SAS",
    "address": ("24 rue des Tanneurs", "69002 Lyon"),
    "country": "FR",
    "vat_number": "FR40303265045",
    "iban": "FR7630006000011234567890189",
    "bic": "AGRIFRPP",
    "street": ("24 rue des Tanneurs",),
    "postal_code": "69002",
    "city": "Lyon",
    "legal_number": "303265045",
    "electronic_address": "0225:303265045",
    "vat_on_debits": False,
    "currency": "EUR",
}
REST = {
    "notes": [{"en": ("Extra days: 15.",), "fr": ("Jours : 15.",)}],
    "number": "INV-2026-000001",
    "issued_on": date(2026, 11, 21),
    "due_on": date(2026, 11, 21),
    "seller": SELLER,
    "workspace_name": "Acme",
    "customer_number": "C-000042",
    "order_number": "abc",
    "language": "fr",
    "paid": Paid(PaymentMethodKind.CARD, "visa", "4242", date(2026, 11, 21), "Portal sandbox"),
}


def facts(*, quote=None, details=None, **rest):
    return invoice_facts(
        quote={**QUOTE, **(quote or {})}, details={**DETAILS, **(details or {})}, **{**REST, **rest}
    )


def test_details_from_before_tax_numbers_make_the_same_facts():
    assert "tax_number" not in DETAILS
    assert facts()["buyer"]["tax_number"] is None
    assert facts(details={"tax_number": "91-1144442"})["buyer"]["tax_number"] == "91-1144442"


def test_the_line_is_described_in_every_language_and_adds_up():
    made = facts()
    [line] = made["lines"]
    assert line["description"] == {"en": "Business 5 – monthly", "fr": "Business 5 – mensuel"}
    assert line["period"] == {"start": "2026-11-21", "end": "2026-12-21"}
    assert line["quantity"] * line["unit_minor"] == line["net_minor"] == made["totals"]["net_minor"]
    assert made["totals"]["net_minor"] + made["totals"]["tax_minor"] == made["totals"]["gross_minor"]
    assert sum(rate["tax_minor"] for rate in made["totals"]["by_rate"]) == made["totals"]["tax_minor"]


def test_a_year_says_so():
    assert facts(quote={"interval": "year"})["lines"][0]["description"]["fr"] == "Business 5 – annuel"


def test_a_business_is_named_by_its_company_and_a_person_by_their_name():
    assert (facts()["buyer"]["name"], facts()["buyer"]["contact"]) == ("Acme SARL", "Jeanne Martin")
    person = facts(details={"is_business": False, "company_name": "", "vat_number": ""})["buyer"]
    assert (person["name"], person["contact"], person["vat_number"]) == ("Jeanne Martin", None, None)


def test_the_period_runs_to_the_due_date_with_its_extra_days():
    # 3 January + 1 month = 3 February; + 16 extra days = 19 February
    extension = {"extra_days": 16, "unused_days": 28}
    line = facts(
        quote={
            "start_on": "2027-01-03",
            "base_end_on": "2027-02-03",
            "due_on": "2027-02-19",
            "extension": extension,
        }
    )["lines"][0]
    assert line["period"] == {"start": "2027-01-03", "end": "2027-02-19"}
    assert line["extension"] == extension


def without(facts, *names):
    return {name: value for name, value in facts.items() if name not in names}


def as_version_2(made):
    """As the facts were before there were e-invoices."""
    parts = ("street", "postal_code", "city", "legal_number", "electronic_address")
    return without(made, "due_on", "reference", "operation", "due_minor", "tax_in_seller_currency") | {
        "version": 2,
        "seller": without(made["seller"], *parts, "vat_on_debits", "currency"),
        "buyer": without(made["buyer"], *parts, "region"),
    }


def as_version_1(made):
    """As the facts were before a line said where it stands and what its tax is."""
    lines = [without(line, "position", "share", "tax_minor") for line in made["lines"]]
    return without(as_version_2(made), "version") | {"lines": lines}


OF_VERSION_1 = "890a4999b0dfdccd5898e5c507ca7406abbb1a2b335f87bac12bb82c3f6811c6"
ITS_CREDIT_NOTE = "47a803dcb006207349b5293625d05a38da5618fc8672049edc67c13ebb74cae8"


def test_what_was_issued_before_lines_had_a_place_is_read_and_credited_as_it_was():
    """The hashes are those that the code of before these lines made of the same facts."""
    made = as_version_1(facts())
    note = credit_note_facts(made, number="CN-2026-000001", issued_on=date(2026, 12, 1))
    assert (facts_hash(made), facts_hash(note)) == (OF_VERSION_1, ITS_CREDIT_NOTE)
    assert adds_up(made) and adds_up(note) and mirrors(note, made) and sold(made)
    assert document_lines(made) == document_lines(facts())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("lines", 0, "net_minor"), 2801),
        (("lines", 0, "quantity"), 2),
        (("lines", 0, "rate_bp"), 1900),
        (("lines",), []),
        (("totals", "tax_minor"), 561),
        (("totals", "by_rate", 0, "net_minor"), 1),
    ],
)
def test_what_was_issued_before_lines_had_a_place_adds_up_or_does_not(path, value):
    assert not adds_up(with_changed(as_version_1(facts()), path, value))


# 5 licences at 10.00 for 12 of 31 days: 50.00 × 12 / 31 = 19.3548… → 19.35, + 20 % = 3.87
PRORATED = {
    "kind": "change",
    "plan": "essential",
    "plan_names": {"en": "Essential", "fr": "Essentiel"},
    "interval": "month",
    "is_licensed": True,
    "price_id": 7,
    "quantity": 5,
    "billed_quantity": 5,
    "unit_minor": 1000,
    "net_minor": 1935,
    "rate_bp": 2000,
    "tax_minor": 387,
    "start_on": "2027-01-20",
    "base_end_on": "2027-02-01",
    "due_on": "2027-02-01",
    "anchor_day": 1,
    "extension": None,
    "days": 12,
    "base_days": 31,
}
PRORATED_QUOTE = {
    "version": 2,
    "currency": "EUR",
    "lines": [PRORATED],
    "net_minor": 1935,
    "tax_minor": 387,
    "total_minor": 2322,
    "tax": QUOTE["tax"],
}


def prorated(**changed):
    return invoice_facts(
        quote={**PRORATED_QUOTE, "lines": [{**PRORATED, **changed}]}, details=DETAILS, **REST
    )


def test_a_prorated_line_keeps_its_arithmetic():
    made = prorated()
    [line] = made["lines"]
    assert (line["position"], line["quantity"], line["unit_minor"]) == (1, 5, 1000)
    assert line["share"] == {"price_minor": 5000, "days": 12, "base_days": 31}
    assert (line["net_minor"], line["tax_minor"]) == (1935, 387)
    assert line["period"] == {"start": "2027-01-20", "end": "2027-02-01"}
    assert adds_up(made)
    assert sold(made, quote=PRORATED_QUOTE)
    assert not sold(made, quote={**PRORATED_QUOTE, "lines": [{**PRORATED, "base_days": 30}]})


def test_all_days_of_a_period_are_no_share():
    """As a purchase is charged: its facts name both numbers of days, which are the same."""
    whole = {"days": 31, "base_days": 31, "net_minor": 5000, "tax_minor": 1000}
    [line] = prorated(**whole)["lines"]
    assert line["share"] is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("lines", 0, "net_minor"), 1936),
        (("lines", 0, "tax_minor"), 388),
        (("lines", 0, "unit_minor"), 1001),
        (("lines", 0, "quantity"), 4),
        (("lines", 0, "share"), None),
        (("lines", 0, "share", "days"), 11),
        (("lines", 0, "share", "base_days"), 30),
        (("lines", 0, "share", "price_minor"), 5001),
        (("lines", 0, "period", "end"), "2027-02-02"),
    ],
)
def test_a_prorated_line_that_does_not_follow_from_its_days_does_not_add_up(path, value):
    assert adds_up(prorated())
    assert not adds_up(with_changed(prorated(), path, value))


def test_a_line_that_stands_elsewhere_than_it_says_is_none():
    with pytest.raises(ValueError, match="not where it says"):
        adds_up(with_changed(facts(), ("lines", 0, "position"), 2))


def test_the_facts_are_plain_json():
    assert json.loads(json.dumps(facts())) == facts()


def test_the_facts_are_a_copy():
    """Who changes the quote or the details afterwards does not change the invoice."""
    details = {**DETAILS, "address_lines": ["old"]}
    quote = {**QUOTE, "tax": dict(QUOTE["tax"])}
    made = invoice_facts(quote=quote, details=details, **REST)
    before = facts_hash(made)
    details["address_lines"].append("new")
    quote["tax"]["rate_bp"] = 0
    assert facts_hash(made) == before


@pytest.mark.parametrize(
    "changed",
    [
        *({name: "changed"} for name in REST if type(REST[name]) is str),
        {"issued_on": date(2026, 11, 22)},
        {"due_on": date(2026, 11, 22)},
        {"paid": None},
        {"paid": replace(REST["paid"], on=date(2026, 11, 22))},
        {"paid": replace(REST["paid"], method=PaymentMethodKind.PAYPAL)},
        *({"seller": {**SELLER, name: "changed"}} for name in SELLER),
        {"exchange_rate": ExchangeRate("CHF", "EUR", date(2026, 11, 20), 1_070_000, "ECB")},
        *(
            {"details": {name: "changed"}}
            for name in (
                *("company_name", "vat_number", "first_name", "last_name", "country", "email"),
                *("street", "postal_code", "city", "region", "legal_number", "electronic_address"),
            )
        ),
        {"details": {"address_lines": ["changed"]}},
        {"details": {"is_business": False}},
        *({"quote": {name: 1}} for name in ("net_minor", "tax_minor", "total_minor")),
        *({"quote": {name: "2030-01-01"}} for name in ("start_on", "due_on")),
        {"quote": {"currency": "USD"}},
        {"quote": {"interval": "year"}},
        {"quote": {"plan_names": {"en": "X", "fr": "X"}}},
        {"quote": {"tax": {**QUOTE["tax"], "category": "AE"}}},
    ],
    ids=str,
)
def test_every_printed_fact_counts_in_the_hash(changed):
    assert facts_hash(facts(**changed)) != facts_hash(facts())


def test_a_credit_note_is_the_whole_invoice_under_another_number():
    invoice = facts(quote={"extension": {"extra_days": 15}})
    before = json.dumps(invoice, sort_keys=True)
    note = credit_note_facts(invoice, number="CN-2026-000001", issued_on=date(2026, 12, 1))
    assert (note["kind"], note["number"], note["issued_on"]) == (
        "credit_note",
        "CN-2026-000001",
        "2026-12-01",
    )
    assert note["corrects"] == {"number": "INV-2026-000001", "issued_on": "2026-11-21"}
    for same in ("seller", "buyer", "tax", "totals", "currency", "order_number", "customer_number"):
        assert note[same] == invoice[same]
    # The money went back on the day of the credit note, to the method that paid.
    assert note["payment"] == invoice["payment"] | {"paid_on": "2026-12-01"}
    # Nothing is extended any more.
    [line] = note["lines"]
    assert (line["notes"], line["extension"], line["net_minor"]) == ({}, None, 2800)
    assert json.dumps(invoice, sort_keys=True) == before, "the invoice is not touched"


def with_changed(made, path, value):
    """A deep copy with one value changed; `path` is its way."""
    copy = json.loads(json.dumps(made))
    at = copy
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("lines", 0, "net_minor"), 2801),
        (("lines", 0, "unit_minor"), 2799),
        (("lines", 0, "quantity"), 2),
        (("lines", 0, "rate_bp"), 1900),
        (("lines", 0, "tax_minor"), 561),
        (("lines",), []),
        (("totals", "net_minor"), 2801),
        (("totals", "tax_minor"), 561),
        (("totals", "gross_minor"), 3361),
        (("totals", "by_rate"), []),
        (("totals", "by_rate", 0, "rate_bp"), 1900),
        (("totals", "by_rate", 0, "tax_minor"), 561),
    ],
)
def test_amounts_that_do_not_follow_from_each_other_do_not_add_up(path, value):
    assert adds_up(facts())
    assert not adds_up(with_changed(facts(), path, value))


def test_lines_of_one_rate_are_rounded_one_by_one_and_summed():
    """25 × 20 % = 5; 3 × 20 % = 0.6 → 1, twice: 5 + 1 + 1 = 7, though 31 × 20 % = 6.2."""
    made = facts()
    [line] = made["lines"]
    made["lines"] = [
        {**line, "position": position, "unit_minor": minor, "net_minor": minor, "tax_minor": tax}
        for position, minor, tax in ((1, 25, 5), (2, 3, 1), (3, 3, 1))
    ]
    sums = {"net_minor": 31, "tax_minor": 7}
    made["totals"] = {**sums, "gross_minor": 38, "by_rate": [{"rate_bp": 2000, **sums}]}
    assert adds_up(made)


def test_half_a_unit_of_tax_goes_up_in_any_currency():
    """5 JPY × 10 % = 0.5 → 1."""
    quote = {"net_minor": 5, "tax_minor": 1, "total_minor": 6, "currency": "JPY"}
    assert adds_up(facts(quote={**quote, "tax": {**QUOTE["tax"], "rate_bp": 1000}}))


def sold(made, **changed):
    sale = {"quote": QUOTE, "details": DETAILS, "order_number": "abc", "customer_number": "C-000042"}
    paid = {"method_kind": PaymentMethodKind.CARD, "method_brand": "visa", "method_last4": "4242"}
    return is_of_the_sale(made, **{**sale, **paid, **changed})


def test_an_invoice_is_of_its_order_its_buyer_and_its_payment():
    assert sold(facts())
    assert not sold(facts(), order_number="abd")
    assert not sold(facts(), customer_number="C-000043")
    assert not sold(facts(), method_last4="0000")
    assert not sold(facts(), details={**DETAILS, "company_name": "Evil"})
    assert not sold(facts(), quote={**QUOTE, "due_on": "2026-12-22"})
    assert not sold(facts(), quote={**QUOTE, "tax": {**QUOTE["tax"], "reason": "eu_consumer"}})


def test_a_fact_that_an_old_invoice_did_not_print_is_none_that_it_lacks():
    made = facts()
    del made["buyer"]["contact"]
    assert sold(made)


@pytest.mark.parametrize(
    "path", [("tax", "rate_bp"), ("buyer", "name"), ("lines", 0, "net_minor"), ("corrects", "number")]
)
def test_a_credit_note_mirrors_its_invoice_in_everything_that_lasts(path):
    invoice = facts(quote={"extension": {"extra_days": 15}})
    note = credit_note_facts(invoice, number="CN-2026-000001", issued_on=date(2026, 12, 1))
    assert mirrors(note, invoice)
    assert not mirrors(with_changed(note, path, "changed"), invoice)


# --- what e-invoices need -------------------------------------------------------------------------


def test_what_was_issued_before_e_invoices_is_read_and_credited_as_it_was():
    """The hash is that of the facts that the code of before e-invoices made of the same sale."""
    made = as_version_2(facts())
    assert facts_hash(made) == OF_VERSION_2
    note = credit_note_facts(made, number="CN-2026-000001", issued_on=date(2026, 12, 1))
    assert note.keys() - made.keys() == {"corrects"}
    assert adds_up(made) and adds_up(note) and mirrors(note, made) and sold(made)
    assert why_no_e_invoice(made) == why_no_e_invoice(as_version_1(facts())) == NoEInvoice.ISSUED_BEFORE


OF_VERSION_2 = "01bc8096e8bab7e89a8142c5c7fbe284b99010939c7cd7e418ca2146ac995f9a"


LEFT_TO_PAY = {
    "paid by card": (REST["paid"], 0),
    "paid by card and balance": (replace(REST["paid"], from_balance_minor=1000), 0),
    "paid from the balance": (Paid(PaidWith.BALANCE, "", "", date(2026, 11, 21), "", 3360), 0),
    "open": (None, 3360),
    "open, a part paid from the balance": (
        Paid(PaidWith.BALANCE, "", "", date(2026, 11, 21), "", 1000),
        2360,
    ),
}


@pytest.mark.parametrize("case", LEFT_TO_PAY)
def test_what_is_left_to_pay_follows_from_what_was_paid(case):
    paid, due_minor = LEFT_TO_PAY[case]
    made = facts(paid=paid, due_on=date(2026, 12, 21))
    assert (made["due_minor"], adds_up(made)) == (due_minor, True)
    assert not adds_up(with_changed(made, ("due_minor",), due_minor + 1))


USD = {"currency": "USD"}
RATE = ExchangeRate("EUR", "USD", date(2026, 11, 20), 1_161_200, "European Central Bank")


def test_vat_in_another_currency_is_told_in_the_sellers_at_a_rate_with_its_day_and_source():
    made = facts(quote=USD, exchange_rate=RATE)
    # 5.60 USD at 1.1612 are 4.8226… EUR.
    assert made["tax_in_seller_currency"] == {
        "currency": "EUR",
        "tax_minor": 482,
        "rate_millionths": 1_161_200,
        "rate_on": "2026-11-20",
        "source": "European Central Bank",
    }
    assert why_no_e_invoice(made) is None and adds_up(made)
    assert not adds_up(with_changed(made, ("tax_in_seller_currency", "tax_minor"), 483))
    assert why_no_e_invoice(facts(quote=USD)) == NoEInvoice.NO_EXCHANGE_RATE
    untaxed = {**USD, "tax_minor": 0, "total_minor": 2800, "tax": {**QUOTE["tax"], "rate_bp": 0}}
    assert why_no_e_invoice(facts(quote=untaxed)) is None
    note = credit_note_facts(made, number="CN-2026-000001", issued_on=date(2027, 3, 1))
    assert note["tax_in_seller_currency"] == made["tax_in_seller_currency"] and mirrors(note, made)


def test_a_credit_note_asks_for_nothing_and_keeps_what_the_balance_had_paid():
    made = facts(paid=replace(REST["paid"], from_balance_minor=1000))
    note = credit_note_facts(made, number="CN-2026-000001", issued_on=date(2026, 12, 1))
    assert (note["due_on"], note["due_minor"], note["reference"]) == ("2026-12-01", 1000, None)
    assert adds_up(note) and mirrors(note, made)


def test_what_pays_an_open_invoice_later_is_not_in_its_facts():
    made = facts(paid=None)
    assert sold(made) and sold(made, method_kind=PaidWith.CARD, method_last4="0000")
    assert credit_note_facts(made, number="CN-2026-000001", issued_on=date(2026, 12, 1))["payment"] is None


BUYERS = {
    "a French business by its VAT number": ({}, "303265045", "0225:303265045"),
    "a French business by what it gave": (
        {"legal_number": "73282932000074"}, "73282932000074", "0225:732829320"
    ),
    "an address of its own": (
        {"electronic_address": "0225:303265045_COMPTA"}, "303265045", "0225:303265045_COMPTA"
    ),
    "a VAT number that holds no SIREN": ({"vat_number": ""}, None, None),
    "a German business": ({"country": "DE", "vat_number": "DE136695976"}, None, None),
    "a person": ({"is_business": False, "vat_number": "", "legal_number": "732829320"}, None, None),
}  # fmt: skip


@pytest.mark.parametrize("case", BUYERS)
def test_a_buyer_is_named_by_its_number_and_reached_at_its_address(case):
    details, number, address = BUYERS[case]
    buyer = facts(details=details)["buyer"]
    assert (buyer["legal_number"], buyer["electronic_address"]) == (number, address)
