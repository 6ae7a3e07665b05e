"""Credit notes for a part of an invoice: of its lines, at its rate, never above them."""

import json
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.invoice_lines import document_lines
from portal.domain.invoicing import adds_up, credit_note_facts, document_totals
from portal.domain.money import Money
from portal.domain.partial_credits import (
    is_of_its_lines,
    is_partial,
    partial_credit_note_facts,
    running_line,
)
from portal.domain.prorated_lines import CreditLine
from tests.domain.test_invoicing import as_version_1, facts, prorated, with_changed

ON = date(2027, 1, 24)
ISSUED_ON = date(2027, 1, 25)


class Credited:
    """What was credited of an invoice so far, as the services keep it."""

    def __init__(self, invoice):
        self.invoice, self.rows, self.notes = invoice, [], []

    def line(self, position):
        line = document_lines(self.invoice)[position - 1]
        rows = [(net, tax, start) for of, net, tax, start in self.rows if of == position]
        nothing = Money.zero(line.net.currency)
        return running_line(
            self.invoice,
            line,
            credited_net=sum((row[0] for row in rows), start=nothing),
            credited_tax=sum((row[1] for row in rows), start=nothing),
            credited_from=min((row[2] for row in rows), default=None),
        )

    def credit(self, days_by_position):
        """The note for the last so many days of each of these lines."""
        given_back = {
            position: CreditLine(self.line(position), days) for position, days in days_by_position.items()
        }
        note = partial_credit_note_facts(
            self.invoice, given_back, number=f"CN-2027-{len(self.notes) + 1:06}", issued_on=ISSUED_ON
        )
        for position, credit in given_back.items():
            self.rows.append((position, credit.net, credit.tax_amount, credit.period.start))
        self.notes.append(note)
        return note


def test_a_partial_credit_note_names_its_line_its_days_and_its_arithmetic():
    """12 of 31 days of 50.00 were charged: 19.35. Of these 12, 8 are given back: 12.90, + 20 % = 2.58."""
    invoice = prorated()
    before = json.dumps(invoice, sort_keys=True)
    note = Credited(invoice).credit({1: 8})
    assert (note["kind"], note["number"], note["issued_on"]) == (
        "credit_note",
        "CN-2027-000001",
        "2027-01-25",
    )
    assert note["corrects"] == {"number": "INV-2026-000001", "issued_on": "2026-11-21"}
    assert note["lines"] == [
        {
            "position": 1,
            "description": {"en": "Essential – monthly", "fr": "Essentiel – mensuel"},
            "period": {"start": "2027-01-24", "end": "2027-02-01"},
            "quantity": 5,
            "unit_minor": 1000,
            "share": {"price_minor": 1935, "days": 8, "base_days": 12},
            "net_minor": 1290,
            "rate_bp": 2000,
            "tax_minor": 258,
            "notes": {},
            "extension": None,
            "credits": {
                "position": 1,
                "start": "2027-01-20",
                "end": "2027-02-01",
                "charged_minor": 1935,
                "credited_net_minor": 0,
                "credited_tax_minor": 0,
            },
        }
    ]
    assert note["totals"] == {
        "net_minor": 1290,
        "tax_minor": 258,
        "gross_minor": 1548,
        "by_rate": [{"rate_bp": 2000, "net_minor": 1290, "tax_minor": 258}],
    }
    assert note["payment"] is None, "the money is kept"
    for same in ("seller", "buyer", "tax", "currency", "order_number", "customer_number"):
        assert note[same] == invoice[same]
    assert adds_up(note) and is_of_its_lines(note, invoice) and is_partial(note)
    assert json.loads(json.dumps(note)) == note
    assert json.dumps(invoice, sort_keys=True) == before, "the invoice is not touched"


def test_a_whole_credit_note_is_no_partial_one():
    invoice = prorated()
    note = credit_note_facts(invoice, number="CN-2027-000001", issued_on=ISSUED_ON)
    assert not is_partial(note) and not is_partial(invoice)
    assert adds_up(note)
    assert not is_of_its_lines(note, invoice)


def test_a_line_of_an_invoice_from_before_lines_had_a_place_is_credited_too():
    """30 days for 28.00; 10 of them: 9.33, + 20 % = 1.87."""
    invoice = as_version_1(facts())
    note = Credited(invoice).credit({1: 10})
    assert (note["version"], note["lines"][0]["net_minor"], note["lines"][0]["tax_minor"]) == (2, 933, 187)
    assert adds_up(note) and is_of_its_lines(note, invoice)


def test_a_second_credit_says_what_was_credited_before():
    """30 days for 28.00: 10 days are 9.33 + 1.87; 5 more are 4.67, which makes 14.00 and 2.80 of tax."""
    credited = Credited(facts())
    credited.credit({1: 10})
    second = credited.credit({1: 5})
    [line] = second["lines"]
    assert line["period"] == {"start": "2026-12-06", "end": "2026-12-11"}
    assert (line["net_minor"], line["tax_minor"]) == (467, 93)
    assert (line["credits"]["credited_net_minor"], line["credits"]["credited_tax_minor"]) == (933, 187)
    assert adds_up(second) and is_of_its_lines(second, credited.invoice)


def test_the_last_day_brings_what_rounding_had_left():
    """1.00 for three days: 0.33, 0.33, and 0.34; tax 0.20 in all: 0.07, 0.06, 0.07."""
    quote = {"net_minor": 100, "tax_minor": 20, "total_minor": 120}
    dates = {"start_on": "2026-12-01", "base_end_on": "2026-12-04", "due_on": "2026-12-04"}
    credited = Credited(facts(quote={**quote, **dates}))
    notes = [credited.credit({1: 1}) for _ in range(3)]
    assert [note["totals"]["net_minor"] for note in notes] == [33, 33, 34]
    assert [note["totals"]["tax_minor"] for note in notes] == [7, 6, 7]
    assert all(adds_up(note) and is_of_its_lines(note, credited.invoice) for note in notes)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("lines", 0, "net_minor"), 1291),
        (("lines", 0, "tax_minor"), 259),
        (("lines", 0, "rate_bp"), 1900),
        (("lines", 0, "share"), None),
        (("lines", 0, "share", "days"), 9),
        (("lines", 0, "share", "base_days"), 31),
        (("lines", 0, "share", "price_minor"), 1936),
        (("lines", 0, "period", "start"), "2027-01-23"),
        (("lines", 0, "credits", "charged_minor"), 1936),
        (("lines", 0, "credits", "credited_net_minor"), 1000),
        (("lines", 0, "credits", "credited_tax_minor"), 100),
        (("lines", 0, "credits", "end"), "2027-02-02"),
        (("totals", "net_minor"), 1291),
        (("totals", "gross_minor"), 1549),
        (("totals", "by_rate", 0, "rate_bp"), 1900),
        (("lines",), []),
    ],
)
def test_a_partial_credit_that_does_not_follow_from_its_days_does_not_add_up(path, value):
    note = Credited(prorated()).credit({1: 8})
    assert not adds_up(with_changed(note, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("kind",), "invoice"),
        (("corrects", "number"), "INV-2026-000002"),
        (("corrects", "issued_on"), "2026-11-22"),
        (("buyer", "name"), "Evil"),
        (("seller", "iban"), "changed"),
        (("tax", "rate_bp"), 0),
        (("order_number",), "changed"),
        (("payment",), {"method": "card"}),
        (("currency",), "USD"),
        (("lines",), []),
        (("lines", 0, "description", "fr"), "changed"),
        (("lines", 0, "quantity"), 4),
        (("lines", 0, "unit_minor"), 1001),
        (("lines", 0, "rate_bp"), 1900),
        (("lines", 0, "credits"), None),
        (("lines", 0, "credits", "position"), 2),
        (("lines", 0, "credits", "position"), 0),
        (("lines", 0, "credits", "start"), "2027-01-19"),
        (("lines", 0, "credits", "charged_minor"), 1936),
        (("lines", 0, "credits", "credited_net_minor"), 646),
        (("lines", 0, "credits", "credited_tax_minor"), 130),
    ],
)
def test_a_partial_credit_note_is_of_its_invoice(path, value):
    invoice = prorated()
    note = Credited(invoice).credit({1: 8})
    assert is_of_its_lines(note, invoice)
    assert not is_of_its_lines(with_changed(note, path, value), invoice)


@pytest.mark.parametrize(("kept_minor", "told"), [(0, {}), (322, {"from_balance_minor": 322})])
def test_the_note_of_a_refund_says_what_went_back_and_what_is_kept(kept_minor, told):
    """All 12 days of line 1: 19.35 + 3.87 = 23.22."""
    invoice = prorated()
    whole = {1: CreditLine(Credited(invoice).line(1), 12)}
    note = partial_credit_note_facts(
        invoice, whole, number="CN-2027-000001", issued_on=ISSUED_ON, kept_minor=kept_minor
    )
    assert note["payment"] == invoice["payment"] | {"paid_on": "2027-01-25"} | told
    assert is_of_its_lines(note, invoice, sent_back_minor=2322 - kept_minor)
    assert not is_of_its_lines(note, invoice, sent_back_minor=2321 - kept_minor)
    assert not is_of_its_lines(note, invoice)


def test_no_line_is_credited_twice_by_one_note():
    invoice = prorated()
    note = Credited(invoice).credit({1: 4})
    twice = note | {"lines": [note["lines"][0], note["lines"][0] | {"position": 2}]}
    assert not is_of_its_lines(twice, invoice)


# --- whatever is split ----------------------------------------------------------------------------


@st.composite
def invoices(draw):
    """One to three whole lines at one rate, of any length and price."""
    made = facts()
    made["tax"] |= {"rate_bp": draw(st.sampled_from([0, 550, 1900, 2000, 2500]))}
    lines = []
    for position in range(1, draw(st.integers(1, 3)) + 1):
        quantity, unit = draw(st.integers(1, 500)), draw(st.integers(1, 5000))
        start = date(2027, 1, 1) + timedelta(days=draw(st.integers(0, 60)))
        end = start + timedelta(days=draw(st.integers(1, 366)))
        net = Money(quantity * unit, "EUR")
        lines.append(
            made["lines"][0]
            | {
                "position": position,
                "quantity": quantity,
                "unit_minor": unit,
                "net_minor": net.minor,
                "rate_bp": made["tax"]["rate_bp"],
                "tax_minor": net.split(part=made["tax"]["rate_bp"], whole=10_000).minor,
                "period": {"start": start.isoformat(), "end": end.isoformat()},
            }
        )
    made |= {"lines": lines, "totals": document_totals(lines)}
    assert adds_up(made)
    return made


@given(invoices(), st.data())
def test_partial_credits_never_exceed_a_line_and_the_last_lands_on_it(invoice, data):
    credited = Credited(invoice)
    lines = document_lines(invoice)
    left = {line.position: line.period.days for line in lines}
    while any(left.values()):
        wanted = {}
        for position, days in left.items():
            if days:
                taken = data.draw(st.one_of(st.integers(0, days), st.just(days)))
                if CreditLine(credited.line(position), taken).net.minor > 0:
                    wanted[position] = taken
        if not wanted:
            # Nothing left that is worth a unit, or no days drawn: the rest at once.
            wanted = {
                position: days
                for position, days in left.items()
                if days and CreditLine(credited.line(position), days).net.minor > 0
            }
        if not wanted:
            break
        note = credited.credit(wanted)
        assert adds_up(note) and is_of_its_lines(note, invoice)
        for position, days in wanted.items():
            left[position] -= days
        for line in lines:
            standing = credited.line(line.position)
            assert standing.credited_net <= line.net and standing.credited_tax <= line.tax
    for line in lines:
        standing = credited.line(line.position)
        assert (standing.credited_net, standing.credited_tax) == (line.net, line.tax)
