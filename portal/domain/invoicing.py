"""The frozen copy of every printed fact of a document. What is not in here cannot be printed."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from .vocabulary import DocumentKind, Interval, PaymentMethodKind

INTERVAL_WORDS = {
    Interval.MONTH: {"en": "monthly", "fr": "mensuel"},
    Interval.YEAR: {"en": "yearly", "fr": "annuel"},
}


def invoice_facts(
    *,
    number: str,
    issued_on: date,
    quote: Mapping[str, Any],
    notes: Mapping[str, Sequence[str]],
    details: Mapping[str, Any],
    seller_name: str,
    seller_address: Sequence[str],
    seller_country: str,
    seller_vat_number: str,
    iban: str,
    bic: str,
    workspace_name: str,
    customer_number: str,
    order_number: str,
    language: str,
    method_kind: PaymentMethodKind,
    method_brand: str,
    method_last4: str,
    paid_on: date,
    processor: str,
) -> dict[str, Any]:
    """Plain JSON: dates as ISO text, amounts in minor units of `currency`, texts in every language.

    `quote` is Quote.facts, `notes` the sentences under its line by language, `details` the buyer's
    details as they were when the order was placed.
    """
    rate_bp = quote["tax"]["rate_bp"]
    return {
        "kind": DocumentKind.INVOICE.value,
        "number": number,
        "issued_on": issued_on.isoformat(),
        "currency": quote["currency"],
        "locale_default": language,
        "seller": {
            "name": seller_name,
            "address": list(seller_address),
            "country": seller_country,
            "vat_number": seller_vat_number,
            "iban": iban,
            "bic": bic,
        },
        "buyer": {
            "name": details["company_name"] if details["is_business"] else buyer_name(details),
            "contact": buyer_name(details) if details["is_business"] else None,
            "address": list(details["address_lines"]),
            "country": details["country"],
            "vat_number": details["vat_number"] or None,
            "email": details["email"],
            "is_business": details["is_business"],
        },
        "workspace_name": workspace_name,
        "customer_number": customer_number,
        "order_number": order_number,
        "purchase_order": None,
        "lines": [
            {
                "description": {
                    language: f"{name} – {INTERVAL_WORDS[Interval(quote['interval'])][language]}"
                    for language, name in quote["plan_names"].items()
                },
                "period": {"start": quote["start_on"], "end": quote["due_on"]},
                "quantity": 1,
                "unit_minor": quote["net_minor"],
                "net_minor": quote["net_minor"],
                "rate_bp": rate_bp,
                "notes": {language: list(texts) for language, texts in notes.items()},
                "extension": quote["extension"],
            }
        ],
        "totals": {
            "net_minor": quote["net_minor"],
            "tax_minor": quote["tax_minor"],
            "gross_minor": quote["total_minor"],
            "by_rate": [
                {"rate_bp": rate_bp, "net_minor": quote["net_minor"], "tax_minor": quote["tax_minor"]},
            ],
        },
        "tax": dict(quote["tax"]),
        "payment": {
            "method": method_kind.value,
            "brand": method_brand,
            "last4": method_last4,
            "paid_on": paid_on.isoformat(),
            "processor": processor,
        },
    }


def credit_note_facts(invoice: Mapping[str, Any], *, number: str, issued_on: date) -> dict[str, Any]:
    """The facts of the credit note that undoes a whole invoice; `invoice` is the frozen facts of that one.

    Amounts stay positive, and buyer, seller and tax are the invoice's, whatever has changed since. What was
    said under its lines, such as extra days, is no longer so and is left out.
    """
    return {
        **invoice,
        "kind": DocumentKind.CREDIT_NOTE.value,
        "number": number,
        "issued_on": issued_on.isoformat(),
        "corrects": {"number": invoice["number"], "issued_on": invoice["issued_on"]},
        "lines": [{**line, "notes": {}, "extension": None} for line in invoice["lines"]],
        "payment": {**invoice["payment"], "paid_on": issued_on.isoformat()},
    }


def buyer_name(details: Mapping[str, Any]) -> str:
    return f"{details['first_name']} {details['last_name']}"
