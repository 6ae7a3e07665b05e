"""Invoice facts to the XML of an e-invoice: UN/CEFACT CII in the profile EN 16931, the same bytes each time.

The order of elements is the schema's. BT and BG numbers are those of EN 16931-1; what French law asks
beyond it is in the reform's specifications (XP Z12-012): kind of process in BT-23, notes PMT, PMD and AAB
in BG-1.
Amounts are printed as the facts hold them, never computed, but for the part of a line's price that is not
charged.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any
from xml.etree import ElementTree

from babel import Locale

from portal.domain.exchange_rates import rate_text
from portal.domain.invoicing import why_no_e_invoice
from portal.domain.legal_numbers import is_french, register_of, siren_of
from portal.domain.money import Money, major_string
from portal.domain.tax import BASIS_POINTS
from portal.domain.vocabulary import DocumentKind, PaymentMethodKind, TaxCategory
from portal.words.formats import long_date, money_text

from .labels import LABELS, amendment, earlier, language_of, late_payment_notes, tax_mention
from .notes import share_notes

GUIDELINE = "urn:cen.eu:en16931:2017"
NAMESPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}
TYPE_CODES = {DocumentKind.INVOICE: "380", DocumentKind.CREDIT_NOTE: "381"}
DEPOSITED_SERVICES, PAID_SERVICES = "S1", "S2"
"""BT-23: an invoice of services that is to be paid, or was paid when it was issued."""
PIECE = "C62"
MEANS = {
    PaymentMethodKind.CARD.value: "48",
    PaymentMethodKind.PAYPAL.value: "68",
    PaymentMethodKind.SEPA_DEBIT.value: "59",
}
"""BT-81, UNTDID 4461, by method; what the balance takes, or a bank gave back, clears between the two."""
CLEARING, TRANSFER = "97", "58"
EXEMPTIONS = {TaxCategory.REVERSE_CHARGE: "VATEX-EU-AE", TaxCategory.OUTSIDE_SCOPE: "VATEX-EU-O"}
DUE_ON_INVOICE, DUE_ON_PAYMENT = "5", "72"
"""BT-8, UNTDID 2005: VAT is due with the invoice (on debits), or with the payment."""
RECOVERY_CHARGE_MINOR = 4000
"""Forty euros: code de commerce, article D. 441-5."""
VAT_SCHEME, MAIL_SCHEME = "VA", "EM"

for _prefix, _uri in NAMESPACES.items():
    ElementTree.register_namespace(_prefix, _uri)


def e_invoice(facts: Mapping[str, Any]) -> bytes:
    """The XML of an issued document, in the language in which it was ordered.

    Raises ValueError for one that has none: ask `why_no_e_invoice` first.
    """
    if reason := why_no_e_invoice(facts):
        raise ValueError(f"{facts['number']} has no e-invoice: {reason}")
    root = ElementTree.Element(_name("rsm:CrossIndustryInvoice"))
    _context(_add(root, "rsm:ExchangedDocumentContext"), facts)
    _document(_add(root, "rsm:ExchangedDocument"), facts)
    trade = _add(root, "rsm:SupplyChainTradeTransaction")
    for line in facts["lines"]:
        _line(_add(trade, "ram:IncludedSupplyChainTradeLineItem"), line, facts)
    _agreement(_add(trade, "ram:ApplicableHeaderTradeAgreement"), facts)
    _delivery(_add(trade, "ram:ApplicableHeaderTradeDelivery"), facts)
    _settlement(_add(trade, "ram:ApplicableHeaderTradeSettlement"), facts)
    ElementTree.indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="utf-8") + b"\n"


def _context(parent: ElementTree.Element, facts: Mapping[str, Any]) -> None:
    process = PAID_SERVICES if facts["due_minor"] == 0 else DEPOSITED_SERVICES
    _add(_add(parent, "ram:BusinessProcessSpecifiedDocumentContextParameter"), "ram:ID", process)
    _add(_add(parent, "ram:GuidelineSpecifiedDocumentContextParameter"), "ram:ID", GUIDELINE)


def _document(parent: ElementTree.Element, facts: Mapping[str, Any]) -> None:
    _add(parent, "ram:ID", facts["number"])
    _add(parent, "ram:TypeCode", TYPE_CODES[facts["kind"]])
    _date(parent, "ram:IssueDateTime", facts["issued_on"])
    for code, text in _notes(facts):
        note = _add(parent, "ram:IncludedNote")
        _add(note, "ram:Content", text)
        if code:
            _add(note, "ram:SubjectCode", code)


def _notes(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """BG-1: what the document's small print says, each with its code of UNTDID 4451, "" where it has none."""
    language = _language(facts)
    labels = LABELS[language]
    named = earlier(facts)
    amends = amendment(facts, labels, date=long_date(named["issued_on"], language) if named else "")
    notes = [("", amends)] if amends else []
    recovery_charge = money_text(RECOVERY_CHARGE_MINOR, "EUR", language)
    notes += late_payment_notes(facts, labels, recovery_charge=recovery_charge)
    if told := facts["tax_in_seller_currency"]:
        notes.append(("", exchange_words(facts, told, labels, language)))
    return notes


def exchange_words(
    facts: Mapping[str, Any], told: Mapping[str, Any], labels: Mapping[str, str], language: str
) -> str:
    """The VAT in the seller's currency, with its rate and whose it is."""
    return labels["tax_in_seller_currency"].format(
        amount=money_text(told["tax_minor"], told["currency"], language),
        base=told["currency"],
        rate=rate_text(told["rate_millionths"]).replace(".", labels["decimal_mark"]),
        currency=facts["currency"],
        date=long_date(told["rate_on"], language),
        source=told["source"],
    )


def _line(parent: ElementTree.Element, line: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    language, currency = _language(facts), facts["currency"]
    document = _add(parent, "ram:AssociatedDocumentLineDocument")
    _add(document, "ram:LineID", str(line["position"]))
    shares = share_notes(line, facts, language)
    said = [*shares, *(line["notes"].get(language) or ())]
    if said:
        _add(_add(document, "ram:IncludedNote"), "ram:Content", " ".join(said))
    _add(_add(parent, "ram:SpecifiedTradeProduct"), "ram:Name", _described(line, facts))
    price = _add(_add(parent, "ram:SpecifiedLineTradeAgreement"), "ram:NetPriceProductTradePrice")
    _add(price, "ram:ChargeAmount", _amount(line["unit_minor"], currency))
    delivery = _add(parent, "ram:SpecifiedLineTradeDelivery")
    _add(delivery, "ram:BilledQuantity", str(line["quantity"]), unitCode=PIECE)
    settlement = _add(parent, "ram:SpecifiedLineTradeSettlement")
    tax = _add(settlement, "ram:ApplicableTradeTax")
    _add(tax, "ram:TypeCode", "VAT")
    _category(tax, facts, line["rate_bp"])
    period = _add(settlement, "ram:BillingSpecifiedPeriod")
    _date(period, "ram:StartDateTime", line["period"]["start"])
    _date(period, "ram:EndDateTime", line["period"]["end"])
    not_charged = line["quantity"] * line["unit_minor"] - line["net_minor"]
    if not_charged:
        # Some of its days; the rest of the whole price is none of this document's.
        allowance = _add(settlement, "ram:SpecifiedTradeAllowanceCharge")
        _add(_add(allowance, "ram:ChargeIndicator"), "udt:Indicator", "false")
        _add(allowance, "ram:ActualAmount", _amount(not_charged, currency))
        _add(allowance, "ram:Reason", shares[-1] if shares else "")
    total = _add(settlement, "ram:SpecifiedTradeSettlementLineMonetarySummation")
    _add(total, "ram:LineTotalAmount", _amount(line["net_minor"], currency))


def _described(line: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    texts: Mapping[str, str] = line["description"]
    return texts.get(_language(facts)) or next(iter(texts.values()))


def _agreement(parent: ElementTree.Element, facts: Mapping[str, Any]) -> None:
    _add(parent, "ram:BuyerReference", facts["customer_number"])
    seller, buyer = facts["seller"], facts["buyer"]
    _party(_add(parent, "ram:SellerTradeParty"), seller, facts, mail="")
    _party(_add(parent, "ram:BuyerTradeParty"), buyer, facts, mail=buyer["email"])
    if facts["purchase_order"]:
        order = _add(parent, "ram:BuyerOrderReferencedDocument")
        _add(order, "ram:IssuerAssignedID", " ".join(facts["purchase_order"].split()))


def _party(
    parent: ElementTree.Element, party: Mapping[str, Any], facts: Mapping[str, Any], *, mail: str
) -> None:
    # EN 16931, BR-O-02: what is outside the scope of VAT names no VAT number.
    vat_number = None if _category_of(facts) == TaxCategory.OUTSIDE_SCOPE else party["vat_number"]
    if not party["legal_number"] and party["vat_number"] and not vat_number:
        _add(parent, "ram:ID", party["vat_number"])
    _add(parent, "ram:Name", party["name"])
    if number := party["legal_number"]:
        # France names a business by its SIREN, and the establishment by its SIRET.
        register = register_of(party["country"])
        shown = siren_of(number) if is_french(party["country"]) else number
        legal = _add(parent, "ram:SpecifiedLegalOrganization")
        _add(legal, "ram:ID", shown, **({"schemeID": register} if register else {}))
    if party.get("contact"):
        contact = _add(parent, "ram:DefinedTradeContact")
        _add(contact, "ram:PersonName", party["contact"])
    address = _add(parent, "ram:PostalTradeAddress")
    if party["postal_code"]:
        _add(address, "ram:PostcodeCode", party["postal_code"])
    for tag, line in zip(("ram:LineOne", "ram:LineTwo", "ram:LineThree"), party["street"], strict=False):
        _add(address, tag, line)
    if party["city"]:
        _add(address, "ram:CityName", party["city"])
    _add(address, "ram:CountryID", party["country"])
    if party.get("region"):
        _add(address, "ram:CountrySubDivisionName", party["region"])
    scheme, _colon, where = (party["electronic_address"] or f"{MAIL_SCHEME}:{mail}").partition(":")
    if where:
        online = _add(parent, "ram:URIUniversalCommunication")
        _add(online, "ram:URIID", where, schemeID=scheme)
    if vat_number:
        registration = _add(parent, "ram:SpecifiedTaxRegistration")
        _add(registration, "ram:ID", vat_number, schemeID=VAT_SCHEME)


def _delivery(parent: ElementTree.Element, facts: Mapping[str, Any]) -> None:
    """BG-13: the schema wants it, and no element may be empty. Services reach their buyer's country."""
    party = _add(parent, "ram:ShipToTradeParty")
    _add(_add(party, "ram:PostalTradeAddress"), "ram:CountryID", facts["buyer"]["country"])


def _settlement(parent: ElementTree.Element, facts: Mapping[str, Any]) -> None:
    currency, totals, in_theirs = facts["currency"], facts["totals"], _tax_in_seller_currency(facts)
    _add(parent, "ram:PaymentReference", facts["reference"] or facts["number"])
    if in_theirs:
        _add(parent, "ram:TaxCurrencyCode", in_theirs.currency)
    _add(parent, "ram:InvoiceCurrencyCode", currency)
    _means(_add(parent, "ram:SpecifiedTradeSettlementPaymentMeans"), facts)
    for part in totals["by_rate"]:
        _tax(_add(parent, "ram:ApplicableTradeTax"), part, facts)
    _terms(_add(parent, "ram:SpecifiedTradePaymentTerms"), facts)
    sums = _add(parent, "ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    _add(sums, "ram:LineTotalAmount", _amount(totals["net_minor"], currency))
    _add(sums, "ram:TaxBasisTotalAmount", _amount(totals["net_minor"], currency))
    _add(sums, "ram:TaxTotalAmount", _amount(totals["tax_minor"], currency), currencyID=currency)
    if in_theirs:
        _add(sums, "ram:TaxTotalAmount", major_string(in_theirs), currencyID=in_theirs.currency)
    _add(sums, "ram:GrandTotalAmount", _amount(totals["gross_minor"], currency))
    _add(sums, "ram:TotalPrepaidAmount", _amount(totals["gross_minor"] - facts["due_minor"], currency))
    _add(sums, "ram:DuePayableAmount", _amount(facts["due_minor"], currency))
    if named := earlier(facts):
        invoice = _add(parent, "ram:InvoiceReferencedDocument")
        _add(invoice, "ram:IssuerAssignedID", named["number"])
        _date(invoice, "ram:FormattedIssueDateTime", named["issued_on"], prefix="qdt")


def _tax_in_seller_currency(facts: Mapping[str, Any]) -> Money | None:
    """BT-111, which the French rules want in every other currency; no VAT is none at any rate."""
    own, told = facts["seller"]["currency"], facts["tax_in_seller_currency"]
    if told:
        return Money(told["tax_minor"], told["currency"])
    return Money.zero(own) if own != facts["currency"] else None


def _means(parent: ElementTree.Element, facts: Mapping[str, Any]) -> None:
    """How it was paid, or what it is to be paid to."""
    payment, seller = facts["payment"], facts["seller"]
    method, is_invoice = payment["method"] if payment else None, facts["kind"] == DocumentKind.INVOICE
    if is_invoice and (facts["due_minor"] or method == PaymentMethodKind.BANK_TRANSFER):
        _add(parent, "ram:TypeCode", TRANSFER)
        account = _add(parent, "ram:PayeePartyCreditorFinancialAccount")
        _add(account, "ram:IBANID", seller["iban"])
        bank = _add(parent, "ram:PayeeSpecifiedCreditorFinancialInstitution")
        _add(bank, "ram:BICID", seller["bic"])
        return
    _add(parent, "ram:TypeCode", MEANS.get(method or "", CLEARING))
    if method == PaymentMethodKind.CARD and payment["last4"]:
        _add(_add(parent, "ram:ApplicableTradeSettlementFinancialCard"), "ram:ID", payment["last4"])


def _tax(parent: ElementTree.Element, part: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    currency, category = facts["currency"], _category_of(facts)
    language = _language(facts)
    country = facts["tax"]["country"]
    name = Locale.parse(language).territories.get(country, country)
    _add(parent, "ram:CalculatedAmount", _amount(part["tax_minor"], currency))
    _add(parent, "ram:TypeCode", "VAT")
    if category in EXEMPTIONS:
        mention = tax_mention(facts, LABELS[language], country_name=name)
        _add(parent, "ram:ExemptionReason", mention or "")
    _add(parent, "ram:BasisAmount", _amount(part["net_minor"], currency))
    _add(parent, "ram:CategoryCode", category.value)
    if category in EXEMPTIONS:
        _add(parent, "ram:ExemptionReasonCode", EXEMPTIONS[category])
    else:
        on_debits = facts["seller"]["vat_on_debits"]
        _add(parent, "ram:DueDateTypeCode", DUE_ON_INVOICE if on_debits else DUE_ON_PAYMENT)
    _rate(parent, category, part["rate_bp"])


def _terms(parent: ElementTree.Element, facts: Mapping[str, Any]) -> None:
    if facts["kind"] == DocumentKind.CREDIT_NOTE and facts["due_minor"]:
        sentence = "replaced" if "replaced_by" in facts else "credited"
        description = LABELS[_language(facts)][sentence].format(number=facts.get("replaced_by"))
        _add(parent, "ram:Description", description)
    _date(parent, "ram:DueDateDateTime", facts["due_on"])


def _category(parent: ElementTree.Element, facts: Mapping[str, Any], rate_bp: int) -> None:
    category = _category_of(facts)
    _add(parent, "ram:CategoryCode", category.value)
    _rate(parent, category, rate_bp)


def _rate(parent: ElementTree.Element, category: TaxCategory, rate_bp: int) -> None:
    """BR-O-05: what is outside the scope of VAT has no rate, not even of 0."""
    if category != TaxCategory.OUTSIDE_SCOPE:
        whole, after = divmod(rate_bp * 100, BASIS_POINTS)
        _add(parent, "ram:RateApplicablePercent", f"{whole}.{after // 100:02d}")


def _category_of(facts: Mapping[str, Any]) -> TaxCategory:
    return TaxCategory(facts["tax"]["category"])


def _language(facts: Mapping[str, Any]) -> str:
    return language_of(facts["locale_default"])


def _amount(minor: int, currency: str) -> str:
    return major_string(Money(minor, currency))


def _date(parent: ElementTree.Element, tag: str, iso: str, *, prefix: str = "udt") -> None:
    _add(_add(parent, tag), f"{prefix}:DateTimeString", f"{date.fromisoformat(iso):%Y%m%d}", format="102")


def _add(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, _name(tag), attributes)
    if text:
        element.text = "".join(filter(_is_xml, text))
    return element


def _is_xml(character: str) -> bool:
    """XML 1.0 has no control characters but three, no lone surrogates and no U+FFFE, U+FFFF."""
    code = ord(character)
    return code >= 32 and not 0xD800 <= code <= 0xDFFF and code not in (0xFFFE, 0xFFFF)


def _name(tag: str) -> str:
    prefix, _colon, name = tag.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{name}"
