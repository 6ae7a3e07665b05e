"""The frozen copy of every printed fact of a document. What is not in here cannot be printed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from .frozen_quote import FrozenLine, frozen_balance, frozen_lines
from .invoice_lines import document_lines
from .vocabulary import DocumentKind, Interval, PaidWith, PaymentMethodKind

FACTS_VERSION = 2
"""How `invoice_facts` are laid out. Version 1, without this key, is read by invoice_lines.py too."""

INTERVAL_WORDS = {
    Interval.MONTH: {"en": "monthly", "fr": "mensuel"},
    Interval.YEAR: {"en": "yearly", "fr": "annuel"},
}


def invoice_facts(
    *,
    number: str,
    issued_on: date,
    quote: Mapping[str, Any],
    notes: Sequence[Mapping[str, Sequence[str]]],
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
    method_kind: PaymentMethodKind | PaidWith,
    method_brand: str,
    method_last4: str,
    paid_on: date,
    processor: str,
    from_balance_minor: int = 0,
) -> dict[str, Any]:
    """Plain JSON: dates as ISO text, amounts in minor units of `currency`, texts in every language.

    `quote` is Quote.facts, `notes` the sentences under each of its lines by language, `details` the buyer's
    details as they were when the order was placed. `from_balance_minor` of the total was paid from the
    balance, which is told only where something was.
    """
    lines = [
        _line_facts(line, its_notes, position=position)
        for position, (line, its_notes) in enumerate(zip(frozen_lines(quote), notes, strict=True), start=1)
    ]
    return {
        "version": FACTS_VERSION,
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
        "buyer": _buyer_facts(details),
        "workspace_name": workspace_name,
        "customer_number": customer_number,
        "order_number": order_number,
        "purchase_order": None,
        "lines": lines,
        "totals": {
            "net_minor": quote["net_minor"],
            "tax_minor": quote["tax_minor"],
            "gross_minor": quote["total_minor"],
            "by_rate": _by_rate(lines),
        },
        "tax": dict(quote["tax"]),
        "payment": {
            "method": method_kind.value,
            "brand": method_brand,
            "last4": method_last4,
            "paid_on": paid_on.isoformat(),
            "processor": processor,
            **({"from_balance_minor": from_balance_minor} if from_balance_minor else {}),
        },
    }


def _line_facts(line: FrozenLine, notes: Mapping[str, Sequence[str]], *, position: int) -> dict[str, Any]:
    return {
        "position": position,
        "description": {
            language: f"{name} – {INTERVAL_WORDS[line.interval][language]}"
            for language, name in line.plan_names.items()
        },
        "period": _period(line),
        "quantity": line.billed_quantity,
        "unit_minor": line.unit.minor,
        "share": line.share.facts if line.share else None,
        "net_minor": line.net.minor,
        "rate_bp": line.rate_bp,
        "tax_minor": line.tax.minor,
        "notes": {language: list(texts) for language, texts in notes.items()},
        "extension": line.extension,
    }


def _period(line: FrozenLine) -> dict[str, str]:
    return {"start": line.start_on.isoformat(), "end": line.due_on.isoformat()}


def document_totals(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The sums of the lines of a document, of which each says its tax."""
    net_minor, tax_minor = (sum(line[name] for line in lines) for name in ("net_minor", "tax_minor"))
    return {
        "net_minor": net_minor,
        "tax_minor": tax_minor,
        "gross_minor": net_minor + tax_minor,
        "by_rate": _by_rate(lines),
    }


def _by_rate(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, int]]:
    """Net and tax of each rate, in the order of the lines."""
    sums: dict[int, tuple[int, int]] = {}
    for line in lines:
        net_before, tax_before = sums.get(line["rate_bp"], (0, 0))
        sums[line["rate_bp"]] = (net_before + line["net_minor"], tax_before + line["tax_minor"])
    return [
        {"rate_bp": rate_bp, "net_minor": net_minor, "tax_minor": tax_minor}
        for rate_bp, (net_minor, tax_minor) in sums.items()
    ]


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
        "payment": sent_back_facts(
            invoice,
            issued_on=issued_on,
            kept_minor=(invoice["payment"] or {}).get("from_balance_minor", 0),
        ),
    }


def sent_back_facts(invoice: Mapping[str, Any], *, issued_on: date, kept_minor: int) -> dict[str, Any] | None:
    """What a credit note says of its money, that went back the way it had come.

    `kept_minor` of its total the balance had paid, and keeps.
    None where the invoice was open: it is what is owed that becomes less.
    """
    if invoice["payment"] is None:
        return None
    paid = {name: value for name, value in invoice["payment"].items() if name != "from_balance_minor"}
    kept = {"from_balance_minor": kept_minor} if kept_minor else {}
    return {**paid, "paid_on": issued_on.isoformat(), **kept}


def adds_up(facts: Mapping[str, Any]) -> bool:
    """Whether the frozen amounts follow from quantities, unit prices, days and rates (docs/adr/0001).

    Each line is its quantity times its unit, or a share of that, its tax rounded half up by itself; a rate's
    sums and the totals are sums of lines, and net + tax = gross. A line of a partial credit note is a share
    of what was charged, and brings the tax credited in all to that on the net credited in all.
    """
    lines = document_lines(facts)
    amounts = [
        {"rate_bp": line.rate_bp, "net_minor": line.net.minor, "tax_minor": line.tax.minor} for line in lines
    ]
    return bool(lines) and all(line.adds_up for line in lines) and facts["totals"] == document_totals(amounts)


def is_of_the_sale(
    facts: Mapping[str, Any],
    *,
    quote: Mapping[str, Any],
    details: Mapping[str, Any],
    order_number: str,
    customer_number: str,
    method_kind: PaidWith,
    method_brand: str,
    method_last4: str,
) -> bool:
    """Whether the frozen facts of an invoice are those of this order, its buyer and its payment.

    Not asked: amounts (see `adds_up`), what seller and workspace were called that day, how things are worded.
    A fact that was not yet printed when the invoice was issued is none that it lacks.
    """
    buyer = _buyer_facts(details)
    sold, balance = frozen_lines(quote), frozen_balance(quote)
    return (
        all(buyer.get(name) == value for name, value in facts["buyer"].items() if name in buyer)
        and (facts["order_number"], facts["customer_number"]) == (order_number, customer_number)
        and len(facts["lines"]) == len(sold)
        and all(_is_of_the_line(*pair) for pair in zip(facts["lines"], sold, strict=True))
        and facts["tax"] == quote["tax"]
        and [facts["payment"][name] for name in ("method", "brand", "last4")]
        == [method_kind.value, method_brand, method_last4]
        and facts["payment"].get("from_balance_minor", 0) == (balance.used.minor if balance else 0)
    )


def _is_of_the_line(printed: Mapping[str, Any], line: FrozenLine) -> bool:
    return (
        all(name in printed["description"][language] for language, name in line.plan_names.items())
        and printed["period"] == _period(line)
        and [printed[name] for name in ("quantity", "rate_bp", "extension")]
        == [line.billed_quantity, line.rate_bp, line.extension]
        and printed.get("share") == (line.share.facts if line.share else None)
    )


def mirrors(credit_note: Mapping[str, Any], invoice: Mapping[str, Any]) -> bool:
    """Whether a credit note says what its invoice said, but for its own name, its day and what is over."""
    own = {"kind", "number", "issued_on", "lines", "payment"}
    return (
        credit_note["kind"] == DocumentKind.CREDIT_NOTE.value
        and credit_note["corrects"] == {name: invoice[name] for name in ("number", "issued_on")}
        and all(credit_note[name] == value for name, value in invoice.items() if name not in own)
        and _lasting(credit_note) == _lasting(invoice)
    )


def _lasting(facts: Mapping[str, Any]) -> tuple[object, ...]:
    """Lines and payment without what a credit note leaves out or has of its own."""
    own = {"notes", "extension", "paid_on"}
    parts = (*facts["lines"], facts["payment"] or {})
    return tuple({name: value for name, value in part.items() if name not in own} for part in parts)


def _buyer_facts(details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": details["company_name"] if details["is_business"] else buyer_name(details),
        "contact": buyer_name(details) if details["is_business"] else None,
        "address": list(details["address_lines"]),
        "country": details["country"],
        "vat_number": details["vat_number"] or None,
        "tax_number": details.get("tax_number") or None,
        "email": details["email"],
        "is_business": details["is_business"],
    }


def buyer_name(details: Mapping[str, Any]) -> str:
    return f"{details['first_name']} {details['last_name']}"
