"""Documents of every kind, as facts, and what their e-invoices say again."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree

from portal.documents.e_invoice import NAMESPACES
from portal.domain.corrections import corrected_details, replacing_facts
from portal.domain.exchange_rates import sandbox_rate
from portal.domain.invoicing import Paid, credit_note_facts, invoice_facts
from portal.domain.partial_credits import partial_credit_note_facts
from portal.domain.prorated_lines import CreditLine
from portal.domain.vocabulary import PaidWith, PaymentMethodKind
from tests.domain.test_invoicing import DETAILS, QUOTE, REST, SELLER
from tests.domain.test_partial_credits import Credited

DAY = date(2026, 11, 21)
LATER = DAY + timedelta(days=30)
BALANCE = Paid(PaidWith.BALANCE, "", "", DAY, "", 3360)
CARD = REST["paid"]


def taxed(rate_bp: int, tax_minor: int, reason: str, country: str, category: str = "S", **more: Any):
    """The one line of 28.00, at another rate."""
    tax = {"rate_bp": rate_bp, "category": category, "reason": reason, "country": country, "territory": None}
    return {"tax_minor": tax_minor, "total_minor": 2800 + tax_minor, "tax": {**tax, **more}}


REVERSED = taxed(0, 0, "eu_business_reverse_charge", "DE", "AE")
OUTSIDE = taxed(0, 0, "outside_eu", "US", "O")
GERMAN = {
    "country": "DE", "vat_number": "DE136695976", "company_name": "Müller & Söhne GmbH", "city": "Köln",
    "postal_code": "50667", "street": "Domkloster 4",
}  # fmt: skip
AMERICAN = {
    "country": "US", "vat_number": "", "company_name": "Acme Inc.", "city": "Springfield", "region": "IL",
    "postal_code": "62701", "street": "1 Main St", "street2": "Suite <4> & \"5\"",
}  # fmt: skip
PERSON = {"is_business": False, "company_name": "", "vat_number": "", "first_name": "Zoë"}
JAPANESE = {
    **AMERICAN, "country": "JP", "company_name": "株式会社サンプル", "city": "東京", "region": "東京都",
    "postal_code": "100-0001",
}  # fmt: skip
EGYPTIAN = {**AMERICAN, "country": "EG", "company_name": "شركة المثال", "city": "القاهرة", "region": ""}
SPANISH_ISLES = taxed(0, 0, "special_territory", "ES", "O", territory="canary_islands")
IN_DINARS = {"currency": "KWD", "net_minor": 28_000, "tax_minor": 5600, "total_minor": 33_600}
IN_YEN = {"currency": "JPY"}


def facts(quote: Mapping[str, Any] | None = None, details: Mapping[str, Any] | None = None, **more: Any):
    quote = {**QUOTE, **(quote or {})}
    rate = sandbox_rate("EUR", quote["currency"], DAY) if quote["currency"] != "EUR" else None
    rest = {**REST, "exchange_rate": rate if quote["tax_minor"] else None, **more}
    buyer = {**DETAILS, **(details or {})}
    lines = [buyer["street"], buyer["street2"], f"{buyer['postal_code']} {buyer['city']}", buyer["country"]]
    return invoice_facts(quote=quote, details={**buyer, "address_lines": list(filter(None, lines))}, **rest)


def several_lines(**more: Any):
    """Two lines, of which one is for 12 of 31 days: 5 at 10.00 are 50.00, a share of them 19.35."""
    line = {
        "kind": "buy", "plan": "essential", "plan_names": {"en": "Essential", "fr": "Essentiel"},
        "price_id": 8,
        "is_licensed": True, "interval": "month", "quantity": 5, "billed_quantity": 5, "unit_minor": 1000,
        "start_on": "2026-11-21", "base_end_on": "2026-12-21", "due_on": "2026-12-21", "anchor_day": 21,
        "rate_bp": 2000, "extension": None,
    }  # fmt: skip
    whole = {**line, "net_minor": 5000, "tax_minor": 1000, "days": 30, "base_days": 30}
    share = {**line, "start_on": "2027-01-20", "due_on": "2027-02-01", "base_end_on": "2027-02-01"} | {
        "net_minor": 1935, "tax_minor": 387, "days": 12, "base_days": 31,
    }  # fmt: skip
    quote = {
        "version": 2, "currency": "EUR", "net_minor": 6935, "tax_minor": 1387, "total_minor": 8322,
        "tax": QUOTE["tax"], "lines": [whole, share],
    }  # fmt: skip
    rest = {**REST, "notes": [{"en": [], "fr": []}, {"en": ["Note."], "fr": ["Remarque."]}], **more}
    return invoice_facts(quote=quote, details=DETAILS, **rest)


def _credited(invoice: Mapping[str, Any], number: int = 1, **more: Any):
    return credit_note_facts(invoice, number=f"CN-2026-{number:06d}", issued_on=LATER)


def _of_days(invoice: Mapping[str, Any], *, kept_minor: int | None = None):
    lines = {2: CreditLine(Credited(invoice).line(2), 8)}
    return partial_credit_note_facts(
        invoice, lines, number="CN-2026-000002", issued_on=LATER, kept_minor=kept_minor
    )


def documents() -> dict[str, dict[str, Any]]:
    """Name → facts: each way to pay, each reason of the tax, each currency, open, paid, credited."""
    invoices = {
        "card": facts(),
        "card, English": facts(language="en"),
        "PayPal": facts(paid=Paid(PaymentMethodKind.PAYPAL, "", "", DAY, "PayPal")),
        "direct debit": facts(paid=Paid(PaymentMethodKind.SEPA_DEBIT, "", "3000", DAY, "Stripe")),
        "bank transfer": facts(paid=Paid(PaymentMethodKind.BANK_TRANSFER, "", "", DAY, "")),
        "balance": facts(paid=BALANCE),
        "card and balance": facts(paid=Paid(PaymentMethodKind.CARD, "visa", "4242", DAY, "", 1000)),
        "open": facts(paid=None, due_on=LATER, purchase_order="PO 4711\nBuilding B"),
        "open, English": facts(paid=None, due_on=LATER, language="en"),
        "open, a part from the balance": facts(
            paid=Paid(PaidWith.BALANCE, "", "", DAY, "", 1000), due_on=LATER
        ),
        "VAT on debits": facts(seller={**SELLER, "vat_on_debits": True}),
        "SIRET": facts(details={"legal_number": "73282932000074", "vat_number": ""}),
        "person": facts(details=PERSON),
        "person abroad": facts(taxed(2550, 714, "eu_consumer", "FI"), {**PERSON, "country": "FI"}),
        "reverse charge": facts(REVERSED, GERMAN),
        "reverse charge, English": facts(REVERSED, GERMAN, language="en"),
        "outside the EU": facts(OUTSIDE, AMERICAN),
        "outside the EU, USD": facts({**OUTSIDE, "currency": "USD"}, AMERICAN, language="en"),
        "a territory without VAT": facts(
            SPANISH_ISLES, {**PERSON, "country": "ES", "postal_code": "35001", "city": "Las Palmas"}
        ),
        "a territory with a rate": facts(
            taxed(850, 238, "special_territory", "FR", territory="reunion"), {"postal_code": "97400"}
        ),
        "nothing to pay": facts({"net_minor": 0, "tax_minor": 0, "total_minor": 0}),
        "USD": facts({"currency": "USD"}),
        "USD, open": facts({"currency": "USD"}, paid=None, due_on=LATER),
        "JPY": facts(IN_YEN),
        "Japanese": facts({**OUTSIDE, "tax": {**OUTSIDE["tax"], "country": "JP"}}, JAPANESE, language="en"),
        "Arabic": facts({**OUTSIDE, "tax": {**OUTSIDE["tax"], "country": "EG"}}, EGYPTIAN, language="en"),
        "several lines": several_lines(),
    }
    credited = (
        "card",
        "balance",
        "card and balance",
        "reverse charge",
        "outside the EU",
        "USD",
        "several lines",
    )
    notes = {f"credit note: {name}": _credited(invoices[name]) for name in credited}
    notes |= {
        f"credit note: {name}, replaced": credit_note_facts(
            invoices[name], number="CN-2026-000009", issued_on=LATER, replaced_by="INV-2026-000009"
        )
        for name in ("card", "open", "open, English")
    }
    several = invoices["several lines"]
    notes |= {
        "credit note of days, kept": _of_days(several),
        "credit note of days, sent back": _of_days(several, kept_minor=0),
        "credit note of days, a part kept": _of_days(several, kept_minor=500),
    }
    paid_since = Paid(PaymentMethodKind.BANK_TRANSFER, "", "", LATER, "")
    a_part = Paid(PaidWith.BALANCE, "", "", LATER, "", 1000)
    replacing = {
        "card, replaced": _replacing(invoices["card"]),
        "card, English, replaced": _replacing(invoices["card, English"]),
        "reverse charge, replaced": _replacing(invoices["reverse charge"], GERMAN),
        "several lines, replaced": _replacing(several),
        "open, replaced": _replacing(invoices["open"]),
        "open, replaced, paid in part": _replacing(invoices["open"], paid=a_part),
        "open, replaced, overdue": _replacing(invoices["open"], issued_on=LATER + timedelta(days=9)),
        "open, replaced, paid since": _replacing(invoices["open"], paid=paid_since),
    }
    return invoices | notes | replacing


def _replacing(
    invoice: Mapping[str, Any],
    details: Mapping[str, Any] | None = None,
    *,
    paid: Paid | None = None,
    issued_on: date = LATER,
):
    """A month later, with a purchase order and another name."""
    right = {**DETAILS, **(details or {}), "purchase_order": "PO 4712", "last_name": "Martin-Durand"}
    return replacing_facts(
        invoice,
        number="INV-2026-000009",
        issued_on=issued_on,
        details=corrected_details(invoice, right),
        paid=paid,
    )


# --- what the XML says ----------------------------------------------------------------------------

MENTIONS = {
    "BT-1 number": "rsm:ExchangedDocument/ram:ID",
    "BT-2 day of issue": "rsm:ExchangedDocument/ram:IssueDateTime",
    "BT-3 kind": "rsm:ExchangedDocument/ram:TypeCode",
    "BT-5 currency": ".//ram:InvoiceCurrencyCode",
    "BT-6 the seller's currency": ".//ram:TaxCurrencyCode",
    "BT-8 when VAT is due": ".//ram:ApplicableHeaderTradeSettlement//ram:DueDateTypeCode",
    "BT-9 due day": ".//ram:DueDateDateTime",
    "BT-23 process": ".//ram:BusinessProcessSpecifiedDocumentContextParameter",
    "BT-24 profile": ".//ram:GuidelineSpecifiedDocumentContextParameter",
    "BT-25 invoice that is named": ".//ram:InvoiceReferencedDocument/ram:IssuerAssignedID",
    "BT-26 its day": ".//ram:InvoiceReferencedDocument/ram:FormattedIssueDateTime",
    "BT-27 seller": ".//ram:SellerTradeParty/ram:Name",
    "BT-30 SIREN of the seller": ".//ram:SellerTradeParty/ram:SpecifiedLegalOrganization",
    "BT-31 VAT number of the seller": ".//ram:SellerTradeParty/ram:SpecifiedTaxRegistration",
    "BT-34 address of the seller": ".//ram:SellerTradeParty/ram:URIUniversalCommunication",
    "BG-5 where the seller is": ".//ram:SellerTradeParty/ram:PostalTradeAddress",
    "BT-44 buyer": ".//ram:BuyerTradeParty/ram:Name",
    "BT-47 SIREN of the buyer": ".//ram:BuyerTradeParty/ram:SpecifiedLegalOrganization",
    "BT-48 VAT number of the buyer": ".//ram:BuyerTradeParty/ram:SpecifiedTaxRegistration",
    "BT-49 address of the buyer": ".//ram:BuyerTradeParty/ram:URIUniversalCommunication",
    "BG-8 where the buyer is": ".//ram:BuyerTradeParty/ram:PostalTradeAddress",
    "BT-83 reference": ".//ram:ApplicableHeaderTradeSettlement/ram:PaymentReference",
    "BT-84 IBAN": ".//ram:PayeePartyCreditorFinancialAccount",
    "BT-106 sum of lines": ".//ram:SpecifiedTradeSettlementHeaderMonetarySummation/ram:LineTotalAmount",
    "BT-109 net": ".//ram:TaxBasisTotalAmount",
    "BT-110 VAT": ".//ram:TaxTotalAmount[1]",
    "BT-111 VAT in the seller's currency": ".//ram:TaxTotalAmount[2]",
    "BT-112 gross": ".//ram:GrandTotalAmount",
    "BT-113 paid": ".//ram:TotalPrepaidAmount",
    "BT-115 to pay": ".//ram:DuePayableAmount",
    "BG-23 VAT by rate": ".//ram:ApplicableHeaderTradeSettlement/ram:ApplicableTradeTax",
    "BT-118 category": ".//ram:ApplicableHeaderTradeSettlement/ram:ApplicableTradeTax/ram:CategoryCode",
    "BT-119 rate": ".//ram:ApplicableHeaderTradeSettlement/ram:ApplicableTradeTax/ram:RateApplicablePercent",
    "BT-120 why there is no VAT": ".//ram:ApplicableHeaderTradeSettlement//ram:ExemptionReason",
    "BT-121 its code": ".//ram:ApplicableHeaderTradeSettlement//ram:ExemptionReasonCode",
    "BT-126 line": ".//ram:LineID",
    "BT-129 quantity": ".//ram:BilledQuantity",
    "BT-131 net of the line": ".//ram:SpecifiedTradeSettlementLineMonetarySummation",
    "BG-26 period of the line": ".//ram:IncludedSupplyChainTradeLineItem//ram:BillingSpecifiedPeriod",
    "BT-146 unit price": ".//ram:NetPriceProductTradePrice",
    "BT-153 what was sold": ".//ram:SpecifiedTradeProduct/ram:Name",
    "PMT": "*/ram:IncludedNote[ram:SubjectCode='PMT']",
    "PMD": "*/ram:IncludedNote[ram:SubjectCode='PMD']",
    "AAB": "*/ram:IncludedNote[ram:SubjectCode='AAB']",
}
"""What an e-invoice has to say, where it applies, and where it stands."""


def said(xml: bytes) -> dict[str, list[str]]:
    """Mention → the texts of each place where it stands; a mention that is not there is not named."""
    root = ElementTree.fromstring(xml)
    found = {name: root.findall(path, NAMESPACES) for name, path in MENTIONS.items()}
    return {
        name: [" ".join(" ".join(place.itertext()).split()) for place in places]
        for name, places in found.items()
        if places
    }


def without(xml: bytes, mention: str) -> bytes:
    """The same document, the mention taken out wherever it stands."""
    root = ElementTree.fromstring(xml)
    parents = {child: parent for parent in root.iter() for child in parent}
    for place in root.findall(MENTIONS[mention], NAMESPACES):
        parents[place].remove(place)
    return ElementTree.tostring(root, encoding="utf-8")
