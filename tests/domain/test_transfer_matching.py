"""Whose a transfer is, by what its texts name: a table of named cases, and what holds for all of them."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.bank_files.lines import BankLine
from portal.domain.creditor_reference import (
    compact,
    cut_references,
    invoice_numbers,
    referenced_numbers,
    rf_reference,
)
from portal.domain.money import Money
from portal.domain.transfer_matching import (
    EarlierTransfer,
    Known,
    KnownInvoice,
    decide,
    decide_without_invoices,
    named_by,
    taken_back,
)
from portal.domain.vocabulary import TransferReason, TransferState

DAY = date(2026, 11, 20)
ACME, BERLIN = 1, 2
FIRST, SECOND, THEIRS = "INV-2026-000001", "INV-2026-000002", "INV-2026-000003"
# mod 97-10 of INV2026000001RF: 94, so that RF94INV2026000001 is right.
RF = "RF94INV2026000001"


def euros(minor):
    return Money(minor, "EUR")


INVOICES = {
    FIRST: KnownInvoice(1, FIRST, ACME, "C-000042", euros(3360)),
    SECOND: KnownInvoice(2, SECOND, ACME, "C-000042", euros(1200)),
    THEIRS: KnownInvoice(3, THEIRS, BERLIN, "C-000007", euros(3360)),
}


def a_line(*texts, minor=3360, reference="", **facts):
    return BankLine(
        amount=euros(minor), is_debit=False, booked_on=DAY, texts=tuple(texts), reference=reference, **facts
    )


def decided(line, *, invoices=INVOICES, **known):
    return decide(line, named_by(line), Known(invoices=invoices, **known))


def outcome(decision):
    return decision.state.value, decision.reason.value, decision.invoices


REFERENCE = ("matched", "reference", (1,))
NUMBERS = ("matched", "numbers", (1,))
UNKNOWN = ("parked", "unknown", ())

CASES = {
    "the structured reference": (a_line(reference=RF), REFERENCE),
    "in groups of four": (a_line(reference="RF94 INV2 0260 0000 1"), REFERENCE),
    "in small letters": (a_line("rf94inv2026000001"), REFERENCE),
    "inside a sentence": (a_line(f"Zahlung {RF}, danke"), REFERENCE),
    "with dashes and spaces of a human": (a_line("RF 94 inv-2026-000001"), REFERENCE),
    "cut into two lines by the bank": (a_line("Paiement facture RF94INV20", "26000001 merci"), REFERENCE),
    "cut into three": (a_line("RF9", "4INV2026", "000001"), REFERENCE),
    "digits that follow": (a_line(f"{RF} 24 rue des Tanneurs"), REFERENCE),
    "as the payer's own reference": (a_line(end_to_end_id=RF), REFERENCE),
    "part of the amount": (a_line(reference=RF, minor=1000), REFERENCE),
    "more than the amount": (a_line(reference=RF, minor=9999), REFERENCE),
    "two references": (
        a_line(f"{RF} {rf_reference(SECOND)}", minor=4560),
        ("matched", "reference", (1, 2)),
    ),
    "a reference and the number of another": (a_line(f"{SECOND} {RF}"), ("matched", "reference", (1, 2))),
    "references of two workspaces": (
        a_line(f"{RF} {rf_reference(THEIRS)}"),
        ("parked", "several_workspaces", ()),
    ),
    "a reference with a wrong digit": (a_line("RF95INV2026000001"), ("to_confirm", "invoice_number", (1,))),
    "without its last sign": (a_line("RF94INV202600000"), ("matched", "cut_reference", (1,))),
    "without its last three signs": (a_line("RF94INV2026000"), ("matched", "cut_reference", (1,))),
    "without its end, another amount": (
        a_line("RF94INV202600000", minor=1),
        ("to_confirm", "cut_reference", (1,)),
    ),
    "too little of it": (a_line("RF94INV20260"), UNKNOWN),
    "customer and invoice number": (a_line("C-000042 INV-2026-000001"), NUMBERS),
    "without dashes": (a_line("client c000042 facture inv2026000001"), NUMBERS),
    "with spaces": (a_line("C 000042 / INV 2026 000001"), NUMBERS),
    "cut in the middle": (a_line("Facture INV-2026-00", "0001 client C-0000", "42"), NUMBERS),
    "another customer's number": (a_line("C-000007 INV-2026-000001"), ("to_confirm", "invoice_number", (1,))),
    "the invoice number alone": (a_line("INV-2026-000001"), ("to_confirm", "invoice_number", (1,))),
    "invoice numbers of two workspaces": (
        a_line(f"{FIRST} {THEIRS}"),
        ("parked", "several_workspaces", ()),
    ),
    "an invoice that does not exist": (a_line("C-000042 INV-2026-000099"), UNKNOWN),
    "nothing": (a_line(), UNKNOWN),
    "another currency": (
        replace(a_line(reference=RF), amount=Money(3360, "USD")),
        ("parked", "wrong_currency", ()),
    ),
}


@pytest.mark.parametrize(("line", "expected"), CASES.values(), ids=CASES)
def test_whose_a_transfer_is(line, expected):
    assert outcome(decided(line)) == expected


OPEN = [INVOICES[FIRST], INVOICES[SECOND]]


@pytest.mark.parametrize(
    ("line", "known", "expected"),
    [
        (
            a_line(),
            {"paid_from": frozenset({ACME}), "still_open": OPEN},
            ("to_confirm", "account_and_amount", (1,)),
        ),
        (a_line(minor=77), {"paid_from": frozenset({ACME}), "still_open": OPEN}, UNKNOWN),
        (
            a_line(),
            {"customers": frozenset({ACME}), "still_open": OPEN},
            ("to_confirm", "customer_and_amount", (1,)),
        ),
        # The account has paid for two workspaces, and either owes so much.
        (
            a_line(),
            {"paid_from": frozenset({ACME, BERLIN}), "still_open": [*OPEN, INVOICES[THEIRS]]},
            UNKNOWN,
        ),
        (a_line(), {"still_open": OPEN}, UNKNOWN),
    ],
    ids=["a known account", "another amount", "a named customer", "two workspaces", "nobody's account"],
)
def test_what_is_only_likely_is_proposed(line, known, expected):
    assert outcome(decided(line, invoices={}, **known)) == expected


def test_a_workspace_that_is_gone_gets_nothing():
    gone = {FIRST: replace(INVOICES[FIRST], is_deleted=True)}
    assert outcome(decided(a_line(reference=RF), invoices=gone)) == ("parked", "workspace_deleted", ())


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"is_debit": True}, (TransferState.IGNORED, TransferReason.DEBIT)),
        ({"amount": euros(0)}, (TransferState.IGNORED, TransferReason.NOTHING)),
        ({"goes_back": True}, (TransferState.PARKED, TransferReason.SENT_BACK_TO_US)),
        ({"is_batch": True}, (TransferState.PARKED, TransferReason.BATCH)),
        ({"is_debit": True, "goes_back": True}, None),
        ({}, None),
    ],
)
def test_what_a_line_is_by_itself(facts, expected):
    decision = decide_without_invoices(replace(a_line(reference=RF), **facts))
    assert (decision and (decision.state, decision.reason)) == expected


def earlier(key=1, **facts):
    usual = {
        "booked_on": DAY,
        "bank_reference": "",
        "end_to_end_id": "",
        "reference": "",
        "payer_iban": "",
        "texts": (),
    }
    return EarlierTransfer(id=key, **usual | facts)


@pytest.mark.parametrize(
    ("facts", "known", "expected"),
    [
        ({"end_to_end_id": "E1"}, [earlier(end_to_end_id="E1"), earlier(2, end_to_end_id="E2")], 1),
        ({"end_to_end_id": "E1"}, [earlier(end_to_end_id="E1"), earlier(2, end_to_end_id="E1")], None),
        ({"bank_reference": "B1"}, [earlier(bank_reference="B1")], 1),
        ({"reference": "rf94 inv2026000001"}, [earlier(reference=RF)], 1),
        ({"payer_iban": "DE1"}, [earlier(payer_iban="DE1"), earlier(2, payer_iban="DE2")], 1),
        ({"payer_iban": "DE1"}, [earlier(payer_iban="DE1"), earlier(2, payer_iban="DE1")], None),
        ({"end_to_end_id": "NOTPROVIDED"}, [earlier(end_to_end_id="NOTPROVIDED")], None),
        ({"end_to_end_id": "E1"}, [earlier(end_to_end_id="E1", booked_on=date(2026, 11, 21))], None),
        ({}, [earlier()], None),
    ],
    ids=[
        "the payer's reference",
        "two of one reference",
        "the bank's reference",
        "the structured reference",
        "the account",
        "two of one account",
        "a reference that says nothing",
        "one that came later",
        "nothing in common",
    ],
)
def test_what_the_bank_takes_back(facts, known, expected):
    line = replace(a_line(), is_debit=True, goes_back=True, **facts)
    assert taken_back(line, known) == expected


def test_the_account_with_the_same_words_tells_two_apart():
    line = replace(a_line("AC04", "November"), is_debit=True, goes_back=True, payer_iban="DE1")
    known = [
        earlier(1, payer_iban="DE1", texts=("October",)),
        earlier(2, payer_iban="DE1", texts=("November",)),
    ]
    assert taken_back(line, known) == 2


# --- what holds for all of them -------------------------------------------------------------------

numbers = st.builds(
    lambda year, sequence: f"INV-{year}-{sequence:06d}", st.integers(2000, 2099), st.integers(1, 9_999_999)
)
noise = st.text(alphabet="abcXYZ äß./,:;'0123456789", max_size=30)


@given(numbers)
def test_a_reference_is_right_by_the_standard_and_names_its_invoice(number):
    from stdnum import iso11649

    reference = rf_reference(number)
    assert iso11649.validate(reference) == reference
    assert number in referenced_numbers(compact(reference))


@given(numbers, noise, noise, st.data())
def test_however_it_is_written_and_cut_it_is_found(number, before, after, data):
    spelt = "".join(sign + data.draw(st.sampled_from(["", "", " ", "-"])) for sign in rf_reference(number))
    # No digit right behind: a longer number would be another invoice.
    text = f"{before} {spelt.lower()} x{after}"
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
    lines = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
    assert number in named_by(a_line(*lines)).referenced


@given(numbers.filter(lambda number: len(number) == 15), st.integers(1, 3))
def test_what_the_bank_cut_off_is_among_the_few_that_it_can_be(number, lost):
    [cut] = cut_references(compact(rf_reference(number))[:-lost])
    assert number in cut.numbers
    assert len(cut.numbers) <= 12


@given(numbers, st.integers(0, 96))
def test_wrong_check_digits_are_no_reference(number, digits):
    reference = rf_reference(number)
    wrong = f"RF{digits:02d}{reference[4:]}"
    if wrong != reference and len(number) == 15:
        assert number not in referenced_numbers(wrong)
        assert number in invoice_numbers(wrong)


@given(st.lists(noise, max_size=4), st.integers(1, 10**9))
def test_money_is_given_to_nobody_by_chance(texts, minor):
    decision = decided(a_line(*texts, minor=minor))
    assert decision.state in (TransferState.PARKED, TransferState.TO_CONFIRM)
    if decision.state is TransferState.TO_CONFIRM:
        assert decision.workspace is not None
