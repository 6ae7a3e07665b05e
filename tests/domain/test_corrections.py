"""What differs between an invoice and the right details, and the facts of the documents that put it right."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.corrections import (
    COMPARED,
    OWN,
    Difference,
    corrected_details,
    differences,
    is_replaced_by,
    replacing_facts,
)
from portal.domain.invoicing import Paid, adds_up, credit_note_facts, mirrors
from portal.domain.partial_credits import partial_credit_note_facts
from portal.domain.prorated_lines import CreditLine
from portal.domain.vocabulary import PaidWith, PaymentMethodKind
from tests.domain.test_invoicing import DETAILS, facts
from tests.domain.test_partial_credits import Credited

DAY = date(2026, 12, 1)
DUE = date(2026, 12, 21)
NUMBER = "INV-2026-000007"


def from_balance(minor):
    return Paid(PaidWith.BALANCE, "", "", DAY, "", minor)


def replaced(invoice, *, paid=None, **details):
    return replacing_facts(
        invoice, number=NUMBER, issued_on=DAY, details=right(invoice, **details), paid=paid
    )


def right(invoice, **details):
    return corrected_details(invoice, {**DETAILS, **details})


def its_note(invoice):
    return credit_note_facts(invoice, number="CN-2026-000001", issued_on=DAY, replaced_by=NUMBER)


# --- what differs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({}, []),
        ({"company_name": "Acme"}, [("name", "Acme SARL", "Acme")]),
        ({"first_name": "Jean"}, [("contact", "Jeanne Martin", "Jean Martin")]),
        ({"email": "a@b.test"}, [("email", "compta@acme.example", "a@b.test")]),
        ({"purchase_order": "PO 1\nRoom 2"}, [("purchase_order", "", "PO 1\nRoom 2")]),
        # French: the SIREN in its VAT number names it where it gave no number of its own.
        (
            {"vat_number": "FR83404833048"},
            [
                ("legal_number", "303265045", "404833048"),
                ("vat_number", "FR40303265045", "FR83404833048"),
                ("electronic_address", "0225:303265045", "0225:404833048"),
            ],
        ),
        # A person has no contact beside their name.
        (
            {"is_business": False, "company_name": "", "vat_number": ""},
            [
                ("name", "Acme SARL", "Jeanne Martin"),
                ("contact", "Jeanne Martin", ""),
                ("legal_number", "303265045", ""),
                ("vat_number", "FR40303265045", ""),
                ("electronic_address", "0225:303265045", ""),
            ],
        ),
    ],
)
def test_what_would_be_said_otherwise(details, expected):
    invoice = facts()
    found = differences(invoice, right(invoice, **details))
    assert list(found) == [Difference(*each) for each in expected]


def test_an_address_that_did_not_move_stays_as_it_was_printed():
    """How a country writes its addresses, or what it is called, may have changed since."""
    invoice = facts()
    otherwise = {"address_lines": ["12 RUE DE LA PAIX", "75002 PARIS", "FRANCE"]}
    assert differences(invoice, right(invoice, **otherwise)) == ()
    moved = right(invoice, **otherwise, street="13 rue de la Paix")
    [found] = differences(invoice, moved)
    assert (found.name, found.after) == ("address", "12 RUE DE LA PAIX\n75002 PARIS\nFRANCE")


# --- the new invoice ------------------------------------------------------------------------------


def test_a_paid_invoice_is_paid_as_it_was():
    invoice = facts()
    newer = replaced(invoice, company_name="Acme", purchase_order="PO 1")
    assert newer["replaces"] == {"number": "INV-2026-000001", "issued_on": "2026-11-21"}
    assert (newer["number"], newer["issued_on"]) == (NUMBER, "2026-12-01")
    assert (newer["due_on"], newer["due_minor"]) == ("2026-11-21", 0)
    assert newer["payment"] == invoice["payment"]
    assert (newer["buyer"]["name"], newer["purchase_order"]) == ("Acme", "PO 1")
    assert newer["reference"] != invoice["reference"]
    assert is_replaced_by(invoice, newer) and adds_up(newer)


OPEN_CASES = {
    # name: (paid by now, what is said of it: to pay, due day, method, of it from the balance)
    "nothing of it": (None, 3360, "2026-12-21", None, 0),
    "a part of it": (from_balance(1000), 2360, "2026-12-21", "balance", 1000),
    "all of it, from the balance": (from_balance(3360), 0, "2026-12-01", "balance", 3360),
    "by transfer": (
        Paid(PaymentMethodKind.BANK_TRANSFER, "", "", DAY, ""), 0, "2026-12-01", "bank_transfer", 0,
    ),
    "by card, a part from the balance": (
        Paid(PaymentMethodKind.CARD, "visa", "4242", DAY, "Sandbox", 360), 0, "2026-12-01", "card", 360,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OPEN_CASES)
def test_an_open_invoice_is_told_as_it_stands_now(case):
    paid, due_minor, due_on, method, from_balance_minor = OPEN_CASES[case]
    invoice = facts(paid=None, due_on=DUE)
    newer = replaced(invoice, paid=paid)
    payment = newer["payment"] or {}
    assert (newer["due_minor"], newer["due_on"], payment.get("method")) == (due_minor, due_on, method)
    assert payment.get("from_balance_minor", 0) == from_balance_minor
    assert is_replaced_by(invoice, newer) and adds_up(newer)


def test_one_that_is_overdue_asks_for_its_money_on_its_own_day():
    """French law knows no due day before the day of the invoice (BR-FR-CO-07)."""
    invoice = facts(paid=None, due_on=date(2026, 11, 25))
    newer = replaced(invoice)
    assert newer["due_on"] == newer["issued_on"] == "2026-12-01"
    assert is_replaced_by(invoice, newer)


@pytest.mark.parametrize("name", sorted({"lines", "totals", "tax", "seller", "customer_number", "version"}))
def test_a_new_invoice_that_says_something_else_of_the_sale_replaces_nothing(name):
    invoice = facts()
    assert not is_replaced_by(invoice, {**replaced(invoice), name: "another"})


@pytest.mark.parametrize("name", ["due_on", "due_minor", "payment"])
def test_how_it_was_paid_may_be_told_anew_of_an_open_invoice_alone(name):
    paid, still_open = facts(), facts(paid=None, due_on=DUE)
    assert not is_replaced_by(paid, {**replaced(paid), name: "another"})
    assert is_replaced_by(still_open, {**replaced(still_open), name: "another"})


def test_it_may_be_replaced_in_turn():
    first = facts()
    second = replaced(first, company_name="Acme")
    third = replacing_facts(second, number="INV-2026-000009", issued_on=DAY, details=right(second), paid=None)
    assert third["replaces"]["number"] == NUMBER
    assert is_replaced_by(second, third) and not is_replaced_by(first, third)


# --- its credit note ------------------------------------------------------------------------------


@pytest.mark.parametrize("invoice", [facts(), facts(paid=None, due_on=DUE), facts(paid=from_balance(3360))])
def test_the_credit_note_of_a_replaced_invoice_keeps_all_of_it(invoice):
    note = its_note(invoice)
    assert (note["payment"], note["due_minor"], note["replaced_by"]) == (None, 3360, NUMBER)
    assert "was_to_be_paid" not in note
    assert mirrors(note, invoice) and adds_up(note)
    assert not mirrors({**note, "payment": invoice["payment"] or {"method": "card"}}, invoice)
    assert not mirrors({**note, "buyer": {}}, invoice)


def test_a_credit_note_on_a_replacing_invoice_replaces_nothing():
    newer = replaced(facts())
    whole = credit_note_facts(newer, number="CN-2026-000002", issued_on=DAY)
    some_days = partial_credit_note_facts(
        newer, {1: CreditLine(Credited(newer).line(1), 8)}, number="CN-2026-000003", issued_on=DAY
    )
    for note in (whole, its_note(newer), some_days):
        assert "replaces" not in note
        assert note["corrects"]["number"] == NUMBER
    assert mirrors(whole, newer) and mirrors(its_note(newer), newer)


# --- always ---------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)


@given(
    company_name=TEXT,
    first_name=TEXT,
    street=TEXT,
    email=TEXT,
    purchase_order=TEXT,
    paid_minor=st.one_of(st.none(), st.integers(1, 3360)),
    is_open=st.booleans(),
    days=st.integers(0, 400),
)
def test_whatever_is_corrected_the_sale_stays_and_both_documents_cancel_out(
    company_name, first_name, street, email, purchase_order, paid_minor, is_open, days
):
    details = {
        "company_name": company_name, "first_name": first_name, "street": street, "email": email,
        "purchase_order": purchase_order, "address_lines": [street, "75002 Paris", "France"],
    }  # fmt: skip
    invoice = facts(paid=None, due_on=DUE) if is_open else facts()
    issued_on = date(2026, 11, 21) + timedelta(days=days)
    wanted = right(invoice, **details)
    paid = from_balance(paid_minor) if paid_minor and is_open else None
    newer = replacing_facts(invoice, number=NUMBER, issued_on=issued_on, details=wanted, paid=paid)
    note = credit_note_facts(invoice, number="CN-2026-000001", issued_on=issued_on, replaced_by=NUMBER)
    assert adds_up(newer) and adds_up(note)
    assert is_replaced_by(invoice, newer) and mirrors(note, invoice)
    assert newer["totals"] == note["totals"] == invoice["totals"]
    assert {name for name, value in invoice.items() if newer[name] != value} <= OWN
    # What differs is what was shown, and with the same details again nothing is left to correct.
    shown = {each.name for each in differences(invoice, wanted)}
    before, after = invoice["buyer"], newer["buyer"]
    assert {name for name in COMPARED if name in after and before[name] != after[name]} <= shown
    assert differences(newer, corrected_details(newer, wanted)) == ()
