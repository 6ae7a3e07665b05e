"""The credit note for a part of an invoice: which of its lines it credits, and how much (docs/adr/0026).

Amounts are positive, at the rate and for the reason of the invoice, whatever both are today. Several may
name one invoice; together they never credit more than was charged, line by line.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from .frozen_quote import DayShare
from .invoice_lines import CreditedBefore, DocumentLine, document_lines
from .invoicing import (
    WITH_E_INVOICE,
    credited_tax_in_seller_currency,
    document_totals,
    due_facts,
    sent_back_facts,
    without_replacing,
)
from .money import Money
from .prorated_lines import CreditLine, RunningLine
from .tax import tax_of
from .vocabulary import DocumentKind

FACTS_VERSION = 2
"""The first in which a line says what it credits: such a credit note on an earlier invoice has it all the
same. On a later one it has the version of its invoice, whose facts it repeats."""
OWN = {
    "version",
    "kind",
    "number",
    "issued_on",
    "due_on",
    "due_minor",
    "reference",
    "corrects",
    "check",
    "lines",
    "totals",
    "tax_in_seller_currency",
    "payment",
    "replaces",
}
"""What such a credit note says of itself; all else it says as its invoice does."""


def line_key(number: str, position: int) -> str:
    """What RunningLine and CreditLine call a line of the document of that number."""
    return f"{number}/{position}"


def running_line(
    invoice: Mapping[str, Any],
    line: DocumentLine,
    *,
    credited_net: Money,
    credited_tax: Money,
    credited_from: date | None,
) -> RunningLine:
    """A line of the frozen facts of an invoice as it stands after what was credited of it."""
    return RunningLine(
        key=line_key(invoice["number"], line.position),
        period=line.period,
        quantity=line.quantity,
        unit=line.unit,
        net=line.net,
        tax=tax_of(invoice["tax"]),
        credited_net=credited_net,
        credited_tax=credited_tax,
        credited_from=credited_from,
    )


def partial_credit_note_facts(
    invoice: Mapping[str, Any],
    credited: Mapping[int, CreditLine],
    *,
    number: str,
    issued_on: date,
    kept_minor: int | None = None,
) -> dict[str, Any]:
    """The facts of a credit note for some lines of the frozen `invoice`, named by their positions.

    The money is kept for the workspace: it has no payment. Unless it is that of a refund: then so much of it
    as `kept_minor` is kept, and the rest was sent back. Buyer, seller and tax are the invoice's.
    """
    lines = [
        _line_facts(invoice["lines"][of_line - 1], of_line, credit, position=position)
        for position, (of_line, credit) in enumerate(credited.items(), start=1)
    ]
    totals = document_totals(lines)
    due_minor = totals["gross_minor"] if kept_minor is None else kept_minor
    has_e_invoice = invoice.get("version", 1) >= WITH_E_INVOICE
    return {
        **without_replacing(invoice),
        "version": max(FACTS_VERSION, invoice.get("version", 1)),
        "kind": DocumentKind.CREDIT_NOTE.value,
        "number": number,
        "issued_on": issued_on.isoformat(),
        **due_facts(invoice, issued_on=issued_on, due_minor=due_minor),
        "corrects": {"number": invoice["number"], "issued_on": invoice["issued_on"]},
        "lines": lines,
        "totals": totals,
        **(
            {"tax_in_seller_currency": credited_tax_in_seller_currency(invoice, totals["tax_minor"])}
            if has_e_invoice
            else {}
        ),
        "payment": None
        if kept_minor is None
        else sent_back_facts(invoice, issued_on=issued_on, kept_minor=kept_minor),
    }


def _line_facts(
    invoiced: Mapping[str, Any], of_line: int, credit: CreditLine, *, position: int
) -> dict[str, Any]:
    line = credit.line
    before = CreditedBefore(of_line, line.period, line.net, line.credited_net, line.credited_tax)
    return {
        "position": position,
        "description": dict(invoiced["description"]),
        "period": {"start": credit.period.start.isoformat(), "end": credit.period.end.isoformat()},
        "quantity": line.quantity,
        "unit_minor": line.unit.minor,
        "share": DayShare(line.net, credit.unused_days, line.period.days).facts,
        "net_minor": credit.net.minor,
        "rate_bp": credit.tax.rate_bp,
        "tax_minor": credit.tax_amount.minor,
        "notes": {},
        "extension": None,
        "credits": before.facts,
    }


def is_partial(facts: Mapping[str, Any]) -> bool:
    """Whether it is a credit note of lines, and not one that undoes a whole invoice."""
    return any("credits" in line for line in facts["lines"])


def is_of_its_lines(
    credit_note: Mapping[str, Any], invoice: Mapping[str, Any], *, sent_back_minor: int | None = None
) -> bool:
    """Whether a partial credit note says of its lines and of all else what its invoice says.

    And of its money that so much of it was sent back as `sent_back_minor`; None: all of it is kept.

    Each of its lines is one of the invoice, once, and never above what was left of it. Whether as much was
    left as it says, earlier credit notes tell; whether it adds up, `adds_up`.
    """
    invoiced = document_lines(invoice)
    lines = document_lines(credit_note)
    positions = [line.credits.position for line in lines if line.credits]
    return (
        credit_note["kind"] == DocumentKind.CREDIT_NOTE.value
        and credit_note["corrects"] == {name: invoice[name] for name in ("number", "issued_on")}
        and credit_note["payment"] == _money_facts(credit_note, invoice, sent_back_minor)
        and credit_note.get("tax_in_seller_currency")
        == credited_tax_in_seller_currency(invoice, credit_note["totals"]["tax_minor"])
        and all(credit_note[name] == value for name, value in invoice.items() if name not in OWN)
        and len(positions) == len(lines) == len({*positions}) > 0
        and all(0 < position <= len(invoiced) for position in positions)
        and all(
            _is_of_the_line(line, printed, invoiced[position - 1], invoice["lines"][position - 1])
            for line, printed, position in zip(lines, credit_note["lines"], positions, strict=True)
        )
    )


def _money_facts(
    credit_note: Mapping[str, Any], invoice: Mapping[str, Any], sent_back_minor: int | None
) -> dict[str, Any] | None:
    if sent_back_minor is None:
        return None
    kept_minor = credit_note["totals"]["gross_minor"] - sent_back_minor
    issued_on = date.fromisoformat(credit_note["issued_on"])
    return sent_back_facts(invoice, issued_on=issued_on, kept_minor=kept_minor)


def _is_of_the_line(
    line: DocumentLine, printed: Mapping[str, Any], invoiced: DocumentLine, sold: Mapping[str, Any]
) -> bool:
    before = line.credits
    return (
        before is not None
        and printed["description"] == sold["description"]
        and (line.quantity, line.unit, line.rate_bp) == (invoiced.quantity, invoiced.unit, invoiced.rate_bp)
        and (before.charged, before.period) == (invoiced.net, invoiced.period)
        and before.net + line.net <= invoiced.net
        and before.tax + line.tax <= invoiced.tax
    )
