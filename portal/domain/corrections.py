"""Wrong details on an issued invoice: what differs from the right ones, and the facts of its replacement.

Only whom it names and the buyer's own reference are corrected. Lines, amounts, tax and seller stay, so that
the credit note over the old invoice and the new one cancel each other out (docs/adr/0044).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from .creditor_reference import rf_reference
from .invoicing import Paid, buyer_facts

ADDRESS = ("street", "postal_code", "city", "region", "country")
COMPARED = (
    "name",
    "contact",
    "address",
    "email",
    "legal_number",
    "vat_number",
    "tax_number",
    "electronic_address",
    "purchase_order",
)
"""What is said of a buyer, in the order in which a document says it."""
OWN = {
    "number",
    "issued_on",
    "due_on",
    "due_minor",
    "reference",
    "buyer",
    "purchase_order",
    "payment",
    "check",
    "replaces",
}
"""What an invoice that replaces another says of itself; all else it says as that one does."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that the invoice says as `before` and would say as `after`; "" where nothing is said."""

    name: str
    before: str
    after: str


def corrected_details(invoice: Mapping[str, Any], details: Mapping[str, Any]) -> dict[str, Any]:
    """`details`, as an order keeps them, with the address as it is printed where nothing of it changed.

    How a country writes addresses may have changed since, which is no mistake of the buyer's.
    """
    printed, wanted = invoice["buyer"], buyer_facts(details)
    if all(printed[name] == wanted[name] for name in ADDRESS):
        return {**details, "address_lines": list(printed["address"])}
    return dict(details)


def differences(invoice: Mapping[str, Any], details: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What a new invoice would say otherwise, with `details` from `corrected_details`."""
    before = {**invoice["buyer"], "purchase_order": invoice["purchase_order"]}
    after = {**buyer_facts(details), "purchase_order": details.get("purchase_order")}
    return tuple(
        Difference(name, _text(before[name]), _text(after[name]))
        for name in COMPARED
        if _text(before[name]) != _text(after[name]) or (name == "address" and _moved(before, after))
    )


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """To another place that is written alike: an e-invoice has the parts of an address."""
    return any(before[name] != after[name] for name in ADDRESS)


def _text(value: Any) -> str:
    return "\n".join(value) if isinstance(value, list) else str(value or "")


def replacing_facts(
    invoice: Mapping[str, Any],
    *,
    number: str,
    issued_on: date,
    details: Mapping[str, Any],
    paid: Paid | None,
) -> dict[str, Any]:
    """The facts of the invoice that replaces the frozen `invoice`, for the same sale, with these `details`.

    One that was paid when it was issued is paid as it was. Of one that was to be paid, `paid` is what has
    paid it by now: in part with the balance, or all of it; None where nothing has.
    """
    gross_minor = invoice["totals"]["gross_minor"]
    due_minor = gross_minor - (paid.paid_of(gross_minor) if paid else 0)
    money: dict[str, Any] = {}
    if invoice["due_minor"]:
        money = {
            "due_minor": due_minor,
            "payment": paid and paid.facts,
            "due_on": _due_on(invoice, paid, due_minor, issued_on=issued_on).isoformat(),
        }
    return {
        **invoice,
        **money,
        "number": number,
        "issued_on": issued_on.isoformat(),
        "reference": rf_reference(number),
        "buyer": buyer_facts(details),
        "purchase_order": details.get("purchase_order") or None,
        "replaces": {"number": invoice["number"], "issued_on": invoice["issued_on"]},
    }


def _due_on(invoice: Mapping[str, Any], paid: Paid | None, due_minor: int, *, issued_on: date) -> date:
    """The day on which it was paid, where nothing is left; else that of the old invoice.

    No invoice can ask for money before its own day (BR-FR-CO-07). Whoever is late stays so all the same: that
    is asked of the old day, which the new invoice's row keeps.
    """
    if paid is not None and not due_minor:
        return paid.on
    return max(date.fromisoformat(invoice["due_on"]), issued_on)


def is_replaced_by(invoice: Mapping[str, Any], newer: Mapping[str, Any]) -> bool:
    """Whether `newer` says that it replaces the invoice, and all else as that one but what it corrects."""
    kept = {"due_on", "due_minor", "payment"} if not invoice["due_minor"] else set()
    own = OWN - kept
    return (
        newer["replaces"] == {name: invoice[name] for name in ("number", "issued_on")}
        and newer["reference"] == rf_reference(newer["number"])
        and all(newer[name] == value for name, value in invoice.items() if name not in own)
    )
