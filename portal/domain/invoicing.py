"""The frozen copy of every printed fact of a document. What is not in here cannot be printed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from .creditor_reference import rf_reference
from .exchange_rates import ExchangeRate
from .frozen_quote import FrozenLine, frozen_balance, frozen_lines
from .invoice_lines import document_lines
from .legal_numbers import is_french, number_in_vat_number, siren_of
from .money import Money, exponent
from .vocabulary import DocumentKind, Interval, NoEInvoice, PaidWith, PaymentMethodKind

FACTS_VERSION = 3
"""How `invoice_facts` are laid out. Version 1, without this key, is read by invoice_lines.py too; version 2
lacks what e-invoices need: addresses in parts, legal numbers, due day, reference, the seller's currency."""
WITH_E_INVOICE = 3
MOST_DECIMALS = 2
"""Of an amount in EN 16931 (BR-DEC-01 and the following)."""
SERVICES = "services"
"""The category of what is sold, which French law has every invoice name."""
FRENCH_DIRECTORY = "0225"
"""The scheme of electronic addresses in the directory of French e-invoicing; they begin with a SIREN."""
ELECTRONIC_ADDRESS = re.compile(r"[0-9A-Z]{2,4}:[!-~]{1,100}")
"""The code of its scheme (EAS), a colon, and the address: 0225:303265045."""

INTERVAL_WORDS = {
    Interval.MONTH: {"en": "monthly", "fr": "mensuel"},
    Interval.YEAR: {"en": "yearly", "fr": "annuel"},
}


@dataclass(frozen=True, slots=True)
class Paid:
    """With what an invoice was paid when it was issued, and `from_balance_minor` of it from the balance.

    `method` BALANCE: nothing but that part was paid.
    """

    method: PaymentMethodKind | PaidWith
    brand: str
    last4: str
    on: date
    processor: str
    from_balance_minor: int = 0

    def paid_of(self, gross_minor: int) -> int:
        return self.from_balance_minor if self.method.value == PaidWith.BALANCE else gross_minor

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "method": self.method.value,
            "brand": self.brand,
            "last4": self.last4,
            "paid_on": self.on.isoformat(),
            "processor": self.processor,
            **({"from_balance_minor": self.from_balance_minor} if self.from_balance_minor else {}),
        }


def invoice_facts(
    *,
    number: str,
    issued_on: date,
    due_on: date,
    quote: Mapping[str, Any],
    notes: Sequence[Mapping[str, Sequence[str]]],
    details: Mapping[str, Any],
    seller: Mapping[str, Any],
    workspace_name: str,
    customer_number: str,
    order_number: str,
    language: str,
    paid: Paid | None,
    exchange_rate: ExchangeRate | None = None,
    purchase_order: str = "",
) -> dict[str, Any]:
    """Plain JSON: dates as ISO text, amounts in minor units of `currency`, texts in every language.

    `quote` is Quote.facts, `notes` the sentences under each of its lines by language, `details` the buyer's
    details as they were when the order was placed, `seller` those of SellerSettings.facts. `paid` is None on
    an invoice that is open: `due_on` is the last day to pay it, else the day on which it was paid. VAT in
    another currency than the seller's needs the `exchange_rate`; without one the facts say no such figure.
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
        "due_on": due_on.isoformat(),
        "reference": rf_reference(number),
        "operation": SERVICES,
        "currency": quote["currency"],
        "locale_default": language,
        "seller": {
            name: list(value) if isinstance(value, tuple) else value for name, value in seller.items()
        },
        "buyer": buyer_facts(details),
        "workspace_name": workspace_name,
        "customer_number": customer_number,
        "order_number": order_number,
        "purchase_order": purchase_order or None,
        "lines": lines,
        "totals": {
            "net_minor": quote["net_minor"],
            "tax_minor": quote["tax_minor"],
            "gross_minor": quote["total_minor"],
            "by_rate": _by_rate(lines),
        },
        "due_minor": quote["total_minor"] - (paid.paid_of(quote["total_minor"]) if paid else 0),
        "tax": dict(quote["tax"]),
        "tax_in_seller_currency": exchange_rate and tax_in_seller_currency(exchange_rate, quote["tax_minor"]),
        "payment": paid and paid.facts,
    }


def tax_in_seller_currency(rate: ExchangeRate, tax_minor: int) -> dict[str, Any]:
    """What the VAT of a document in the rate's currency is in the seller's, and by which rate."""
    return {
        "currency": rate.base,
        "tax_minor": rate.in_base(Money(tax_minor, rate.currency)).minor,
        "rate_millionths": rate.millionths,
        "rate_on": rate.on.isoformat(),
        "source": rate.source,
    }


def credited_tax_in_seller_currency(invoice: Mapping[str, Any], tax_minor: int) -> dict[str, Any] | None:
    """That of a credit note on the frozen `invoice`: at the rate of the invoice, whatever it is today."""
    rate = _rate_of(invoice)
    return tax_in_seller_currency(rate, tax_minor) if rate else None


def needs_exchange_rate(currency: str, *, tax_minor: int, seller_currency: str) -> bool:
    """Whether a document in `currency` has to tell its VAT in the seller's own."""
    return currency != seller_currency and tax_minor > 0


def why_no_e_invoice(facts: Mapping[str, Any]) -> NoEInvoice | None:
    """Why the document has no XML; None where it has."""
    if facts.get("version", 1) < WITH_E_INVOICE:
        return NoEInvoice.ISSUED_BEFORE
    if exponent(facts["currency"]) > MOST_DECIMALS:
        return NoEInvoice.TOO_MANY_DECIMALS
    if facts["tax_in_seller_currency"] is None and needs_exchange_rate(
        facts["currency"],
        tax_minor=facts["totals"]["tax_minor"],
        seller_currency=facts["seller"]["currency"],
    ):
        return NoEInvoice.NO_EXCHANGE_RATE
    return None


def _rate_of(facts: Mapping[str, Any]) -> ExchangeRate | None:
    told = facts.get("tax_in_seller_currency")
    return told and ExchangeRate(
        base=told["currency"],
        currency=facts["currency"],
        on=date.fromisoformat(told["rate_on"]),
        millionths=told["rate_millionths"],
        source=told["source"],
    )


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


def credit_note_facts(
    invoice: Mapping[str, Any], *, number: str, issued_on: date, replaced_by: str = ""
) -> dict[str, Any]:
    """The facts of the credit note that undoes a whole invoice; `invoice` is the frozen facts of that one.

    Amounts stay positive, and buyer, seller and tax are the invoice's, whatever has changed since. What was
    said under its lines, such as extra days, is no longer so and is left out. `replaced_by` is the number of
    the invoice of the same day that says the same with the right details, and takes all of its amount.
    """
    if replaced_by or invoice.get("due_minor", 0):
        # It was to be paid, or is invoiced again: nothing goes back, and whatever was paid of it is kept.
        kept_minor, payment = invoice["totals"]["gross_minor"], None
    else:
        kept_minor = invoice["payment"].get("from_balance_minor", 0)
        payment = sent_back_facts(invoice, issued_on=issued_on, kept_minor=kept_minor)
    if replaced_by:
        why_kept: dict[str, Any] = {"replaced_by": replaced_by}
    else:
        why_kept = {"was_to_be_paid": True} if payment is None else {}
    return {
        **without_replacing(invoice),
        "kind": DocumentKind.CREDIT_NOTE.value,
        "number": number,
        "issued_on": issued_on.isoformat(),
        **due_facts(invoice, issued_on=issued_on, due_minor=kept_minor),
        "corrects": {"number": invoice["number"], "issued_on": invoice["issued_on"]},
        "lines": [{**line, "notes": {}, "extension": None} for line in invoice["lines"]],
        "payment": payment,
        **why_kept,
    }


def without_replacing(invoice: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of an invoice but for the one that it replaces: a credit note replaces none."""
    return {name: value for name, value in invoice.items() if name != "replaces"}


def due_facts(invoice: Mapping[str, Any], *, issued_on: date, due_minor: int) -> dict[str, Any]:
    """What a credit note says of what is still due of it: so much is kept, and nothing is asked for.

    Nothing where its invoice does not say it either.
    """
    if invoice.get("version", 1) < WITH_E_INVOICE:
        return {}
    return {"due_on": issued_on.isoformat(), "due_minor": due_minor, "reference": None}


def sent_back_facts(invoice: Mapping[str, Any], *, issued_on: date, kept_minor: int) -> dict[str, Any]:
    """What a credit note says of its money, that went back the way it had come.

    `kept_minor` of its total the balance had paid, and keeps.
    """
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
    rate = _rate_of(facts)
    return (
        bool(lines)
        and all(line.adds_up for line in lines)
        and facts["totals"] == document_totals(amounts)
        and (
            rate is None
            or facts["tax_in_seller_currency"] == tax_in_seller_currency(rate, facts["totals"]["tax_minor"])
        )
        and (facts.get("version", 1) < WITH_E_INVOICE or facts["due_minor"] == _left_to_pay(facts))
    )


def _left_to_pay(facts: Mapping[str, Any]) -> int:
    """Of an invoice what had not been paid when it was issued; of a credit note what is kept."""
    payment, gross_minor = facts["payment"], int(facts["totals"]["gross_minor"])
    if payment is None:
        return gross_minor
    from_balance_minor = int(payment.get("from_balance_minor", 0))
    if facts["kind"] == DocumentKind.CREDIT_NOTE:
        return from_balance_minor
    return gross_minor - from_balance_minor if payment["method"] == PaidWith.BALANCE else 0


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
    A fact that was not yet printed when the invoice was issued is none that it lacks. With what an invoice
    was paid that was issued open, it does not say.
    """
    buyer = buyer_facts(details)
    sold, balance = frozen_lines(quote), frozen_balance(quote)
    payment = facts["payment"] or {}
    return (
        all(buyer.get(name) == value for name, value in facts["buyer"].items() if name in buyer)
        and (facts["order_number"], facts["customer_number"]) == (order_number, customer_number)
        and len(facts["lines"]) == len(sold)
        and all(_is_of_the_line(*pair) for pair in zip(facts["lines"], sold, strict=True))
        and facts["tax"] == quote["tax"]
        and (
            facts.get("due_minor", 0) > 0
            or [payment.get(name) for name in ("method", "brand", "last4")]
            == [method_kind.value, method_brand, method_last4]
        )
        and payment.get("from_balance_minor", 0) == (balance.used.minor if balance else 0)
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
    own = {"kind", "number", "issued_on", "due_on", "due_minor", "reference", "check", "lines", "payment"}
    own |= {"replaces"}
    is_replaced = "replaced_by" in credit_note
    return (
        credit_note["kind"] == DocumentKind.CREDIT_NOTE.value
        and credit_note["corrects"] == {name: invoice[name] for name in ("number", "issued_on")}
        and all(credit_note[name] == value for name, value in invoice.items() if name not in own)
        and _lasting(credit_note, is_kept=is_replaced) == _lasting(invoice, is_kept=is_replaced)
        and not (is_replaced and credit_note["payment"])
    )


def _lasting(facts: Mapping[str, Any], *, is_kept: bool) -> tuple[object, ...]:
    """Lines and payment without what a credit note leaves out or has of its own.

    `is_kept`: the invoice is replaced, and its credit note sends nothing back.
    """
    own = {"notes", "extension", "paid_on"}
    was_open = (
        is_kept
        or facts["payment"] is None
        or (facts["kind"] == DocumentKind.INVOICE and facts.get("due_minor", 0))
    )
    parts = (*facts["lines"], {} if was_open else facts["payment"])
    return tuple({name: value for name, value in part.items() if name not in own} for part in parts)


def buyer_facts(details: Mapping[str, Any]) -> dict[str, Any]:
    """What a document says of its buyer, of details as an order keeps them.

    A French business is named by the SIREN in its VAT number where it has given no legal number."""
    legal_number = ""
    if details["is_business"]:
        legal_number = details.get("legal_number") or number_in_vat_number(
            details["country"], details["vat_number"]
        )
    return {
        "name": details["company_name"] if details["is_business"] else buyer_name(details),
        "contact": buyer_name(details) if details["is_business"] else None,
        "address": list(details["address_lines"]),
        "country": details["country"],
        "vat_number": details["vat_number"] or None,
        "tax_number": details.get("tax_number") or None,
        "email": details["email"],
        "is_business": details["is_business"],
        "street": [line for line in (details["street"], details["street2"]) if line],
        "postal_code": details["postal_code"],
        "city": details["city"],
        "region": details["region"],
        "legal_number": legal_number or None,
        "electronic_address": details.get("electronic_address")
        or electronic_address(details["country"], legal_number)
        or None,
    }


def electronic_address(country: str, legal_number: str) -> str:
    """`0225:` and the SIREN, where French e-invoicing finds a business that names no other; else "" ."""
    siren = siren_of(legal_number) if is_french(country) else ""
    return f"{FRENCH_DIRECTORY}:{siren}" if siren else ""


def buyer_name(details: Mapping[str, Any]) -> str:
    return f"{details['first_name']} {details['last_name']}"
