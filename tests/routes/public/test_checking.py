"""Checking a document: what we issued and to which account, told only to whoever holds it."""

import pytest

from portal.models import Invoice
from portal.services.invoices import checking
from tests import paying
from tests.pages import by_testid, parse, spaced, text_of
from tests.paying import a_place
from tests.transferring import an_open_invoice
from tests.visiting import facts


@pytest.fixture
def paid(app):
    with facts(app):
        paying.buy(a_place())
        return Invoice.get()


@pytest.fixture
def unpaid(app):
    with facts(app):
        return an_open_invoice(a_place())


def code_of(invoice):
    return invoice.facts["check"]["code"]


def asked(client, **fields):
    return client.get("/check", query_string={"lang": "en", **fields})


def told(answer):
    [found] = by_testid(parse(answer.text), "verdict")
    return spaced(text_of(found))


def test_an_open_invoice_says_how_much_until_when_and_to_which_account(client, unpaid):
    answer = asked(client, number=unpaid.number, code=code_of(unpaid))
    assert answer.status_code == 200
    for words in (
        "We issued this invoice, and it is to be paid.",
        "€33.60",
        "21 December 2026",
        "FR76 3000 6000 0112 3456 7890 189",
        "to this account and to no other",
    ):
        assert words in told(answer)


def test_a_paid_one_says_that_there_is_nothing_to_pay_and_whose_it_is_not(client, paid):
    answer = asked(client, number=paid.number, code=code_of(paid))
    assert "there is nothing to pay" in told(answer)
    assert paid.facts["buyer"]["name"] not in answer.text


@pytest.mark.parametrize(
    "change", [str.lower, lambda text: f" {text[:5]}-{text[5:]} ", lambda t: t.replace("0", "O")]
)
def test_what_was_typed_may_look_otherwise(client, paid, change):
    number = change(paid.number) if change is str.lower else paid.number.replace("-", " ")
    assert asked(client, number=number, code=change(code_of(paid))).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "0000000000"},
        {"number": "INV-2026-999999"},
        {"number": "INV"},
        {"number": "2026"},
        {"code": "é" * 40},
        {"code": "-"},
    ],
    ids=str,
)
def test_anything_else_is_not_ours(client, paid, wrong):
    answer = asked(client, **{"number": paid.number, "code": code_of(paid), **wrong})
    assert answer.status_code == 404
    assert "We issued no document" in told(answer)
    assert paid.number not in told(answer)


def test_a_document_from_before_the_codes_is_known_to_nobody(app, client, paid):
    with facts(app):
        without = {name: value for name, value in paid.facts.items() if name != "check"}
        Invoice.update(facts=without).execute()
    assert asked(client, number=paid.number, code="").status_code == 422
    assert asked(client, number=paid.number, code="-").status_code == 404


def test_both_are_asked_for(client):
    answer = asked(client, number="", code="")
    assert answer.status_code == 422
    assert "Enter the number" in answer.text and "Enter the code" in answer.text


def test_an_account_that_was_changed_since_is_told(app, client, unpaid):
    with facts(app):
        changed = {**unpaid.facts, "seller": {**unpaid.facts["seller"], "iban": "DE89370400440532013000"}}
        Invoice.update(facts=changed).execute()
        found = checking.check(unpaid.number, code_of(unpaid))
        assert found.iban_changed
    assert "Our account has changed" in told(asked(client, number=unpaid.number, code=code_of(unpaid)))
