"""The XML of an e-invoice and the PDF around it: what others say of them, and that they say the facts."""

import io
import unicodedata

import pypdf
import pytest

from portal.documents.e_invoice import e_invoice
from portal.documents.facturx_metadata import with_facturx_metadata
from portal.documents.pdf import render_invoice
from portal.domain.invoicing import adds_up
from portal.domain.money import Money, major_string
from tests.e_invoices import IN_DINARS, MENTIONS, documents, said, without
from tests.e_invoices import facts as some_facts
from tests.judges import checked_by_qpdf, faults_of, judged

DOCUMENTS = documents()
XML = {name: e_invoice(facts) for name, facts in DOCUMENTS.items()}


def pdf_of(name, locale="fr"):
    return render_invoice(DOCUMENTS[name], locale=locale, e_invoice=XML[name])


# --- what others say ------------------------------------------------------------------------------

# Of the rest no judge says anything where it is missing: EN 16931 leaves it free. `expected` holds it.
NOBODY_MISSES = {
    "BT-8 when VAT is due", "BT-83 reference", "BT-47 SIREN of the buyer", "BT-48 VAT number of the buyer",
    "BG-26 period of the line", "BT-120 why there is no VAT", "BT-121 its code",
}  # fmt: skip
PROBES = ("card", "USD, open", "credit note: card", "reverse charge")


def test_schema_en_16931_and_the_french_rules_find_nothing_in_any_document(tmp_path):
    assert faults_of(DOCUMENTS, tmp_path / "documents") == {}


def test_a_document_without_a_mention_fails_before_others(tmp_path):
    cut = {}
    for mention in MENTIONS.keys() - NOBODY_MISSES:
        probe = next(name for name in PROBES if mention in said(XML[name]))
        cut[mention.replace("/", "-") + ".xml"] = without(XML[probe], mention)
    faults = judged(cut, tmp_path / "cut")
    assert not cut.keys() - faults.keys(), "nobody missed these"


def test_the_judges_see_a_wrong_sum_and_a_wrong_process(tmp_path):
    paid = XML["card"]
    faults = judged(
        {
            "sum.xml": paid.replace(b"<ram:GrandTotalAmount>33.60<", b"<ram:GrandTotalAmount>33.61<"),
            "process.xml": paid.replace(b"<ram:ID>S2<", b"<ram:ID>S9<"),
            "cut short.xml": paid[:-20],
        },
        tmp_path / "wrong",
    )
    assert "BR-CO-15" in " ".join(faults["sum.xml"])
    assert "BR-FR" in " ".join(faults["process.xml"])
    assert "XML" in faults["cut short.xml"][0]


# --- that it says what the facts say --------------------------------------------------------------


def day(iso):
    return iso.replace("-", "")


def amount(facts, minor, currency=None):
    return major_string(Money(minor, currency or facts["currency"]))


def expected(facts):
    """Mention → its texts, read from the facts alone."""
    seller, buyer, totals, told = (
        facts["seller"],
        facts["buyer"],
        facts["totals"],
        facts["tax_in_seller_currency"],
    )
    if told is None and facts["currency"] != seller["currency"]:
        told = {"currency": seller["currency"], "tax_minor": 0}
    is_invoice, is_open = facts["kind"] == "invoice", facts["due_minor"] > 0
    named = facts.get("replaces") if is_invoice else facts["corrects"]
    by_transfer = is_invoice and (is_open or facts["payment"]["method"] == "bank_transfer")
    category = facts["tax"]["category"]
    has_vat_numbers = category != "O"
    taxed = category == "S"

    def siren(party):
        return [(party["legal_number"] or "")[:9]] if party["legal_number"] else []

    def where(party):
        parts = [party["postal_code"], *party["street"], party["city"], party["country"], party.get("region")]
        return [" ".join(filter(None, parts))]

    rates = totals["by_rate"]
    found = {
        "BT-1 number": [facts["number"]],
        "BT-2 day of issue": [day(facts["issued_on"])],
        "BT-3 kind": ["380" if is_invoice else "381"],
        "BT-5 currency": [facts["currency"]],
        "BT-6 the seller's currency": [told["currency"]] if told else [],
        "BT-8 when VAT is due": ["5" if seller["vat_on_debits"] else "72"] if taxed else [],
        "BT-9 due day": [day(facts["due_on"])],
        "BT-23 process": ["S1" if is_open else "S2"],
        "BT-24 profile": ["urn:cen.eu:en16931:2017"],
        "BT-25 invoice that is named": [named["number"]] if named else [],
        "BT-26 its day": [day(named["issued_on"])] if named else [],
        "BT-27 seller": [seller["name"]],
        "BT-30 SIREN of the seller": siren(seller),
        "BT-31 VAT number of the seller": [seller["vat_number"]] if has_vat_numbers else [],
        "BT-34 address of the seller": [seller["electronic_address"].partition(":")[2]],
        "BG-5 where the seller is": where(seller),
        "BT-44 buyer": [buyer["name"]],
        "BT-47 SIREN of the buyer": siren(buyer),
        "BT-48 VAT number of the buyer": [buyer["vat_number"]]
        if has_vat_numbers and buyer["vat_number"]
        else [],
        "BT-49 address of the buyer": [
            (buyer["electronic_address"] or "").partition(":")[2] or buyer["email"]
        ],
        "BG-8 where the buyer is": where(buyer),
        "BT-83 reference": [facts["reference"] or facts["number"]],
        "BT-84 IBAN": [seller["iban"]] if by_transfer else [],
        "BT-106 sum of lines": [amount(facts, totals["net_minor"])],
        "BT-109 net": [amount(facts, totals["net_minor"])],
        "BT-110 VAT": [amount(facts, totals["tax_minor"])],
        "BT-111 VAT in the seller's currency": [amount(facts, told["tax_minor"], told["currency"])]
        if told
        else [],
        "BT-112 gross": [amount(facts, totals["gross_minor"])],
        "BT-113 paid": [amount(facts, totals["gross_minor"] - facts["due_minor"])],
        "BT-115 to pay": [amount(facts, facts["due_minor"])],
        "BT-118 category": [category] * len(rates),
        "BT-119 rate": [f"{part['rate_bp'] / 100:.2f}" for part in rates] if has_vat_numbers else [],
        "BT-121 its code": [] if taxed else [f"VATEX-EU-{category}"],
        "BT-126 line": [str(line["position"]) for line in facts["lines"]],
        "BT-129 quantity": [str(line["quantity"]) for line in facts["lines"]],
        "BT-131 net of the line": [amount(facts, line["net_minor"]) for line in facts["lines"]],
        "BG-26 period of the line": [
            f"{day(line['period']['start'])} {day(line['period']['end'])}" for line in facts["lines"]
        ],
        "BT-146 unit price": [amount(facts, line["unit_minor"]) for line in facts["lines"]],
        "BT-153 what was sold": [line["description"][facts["locale_default"]] for line in facts["lines"]],
    }
    return {name: texts for name, texts in found.items() if texts}


IN_WORDS = {"BG-23 VAT by rate", "BT-120 why there is no VAT", "PMT", "PMD", "AAB"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_xml_says_what_the_facts_say(name):
    facts = DOCUMENTS[name]
    assert adds_up(facts)
    found = said(XML[name])
    assert {mention: found[mention] for mention in found.keys() - IN_WORDS} == expected(facts)
    assert {"PMT", "PMD", "AAB", "BG-23 VAT by rate"} <= found.keys()
    assert ("BT-120 why there is no VAT" in found) == (facts["tax"]["category"] != "S")


def test_a_replacing_invoice_and_the_credit_note_say_what_happens_in_words():
    newer, note = XML["card, replaced"].decode(), XML["credit note: card, replaced"].decode()
    assert "Cette facture remplace la facture INV-2026-000001 du 21 novembre 2026" in newer
    assert "le montant revient à la facture INV-2026-000009" in note
    assert "solde" not in note
    assert (
        "the amount goes to invoice INV-2026-000009" in XML["credit note: open, English, replaced"].decode()
    )


def test_a_line_of_some_days_says_what_is_not_charged():
    """5 × 10.00 less 30.65 are the 19.35 of 12 of 31 days."""
    xml = XML["several lines"].decode()
    assert xml.count("<ram:SpecifiedTradeAllowanceCharge>") == 1
    assert "<ram:ActualAmount>30.65</ram:ActualAmount>" in xml and "12 jours sur 31" in xml


def test_the_xml_is_in_the_language_of_the_order():
    assert "Pas d’escompte" in XML["card"].decode() and "No discount" in XML["card, English"].decode()


def test_the_same_facts_make_the_same_bytes_and_those_of_before_none():
    assert {name: e_invoice(facts) for name, facts in documents().items()} == XML
    with pytest.raises(ValueError, match="has no e-invoice"):
        e_invoice({**DOCUMENTS["card"], "version": 2})
    with pytest.raises(ValueError, match="no_exchange_rate"):
        e_invoice({**DOCUMENTS["USD"], "tax_in_seller_currency": None})
    with pytest.raises(ValueError, match="too_many_decimals"):
        e_invoice(some_facts(IN_DINARS))


def test_what_xml_cannot_say_is_left_out():
    facts = DOCUMENTS["card"]
    buyer = {**facts["buyer"], "name": "Acme\x0b \ud800<&>\uffff SARL"}
    assert said(e_invoice({**facts, "buyer": buyer}))["BT-44 buyer"] == ["Acme <&> SARL"]


# --- the PDF --------------------------------------------------------------------------------------


def test_the_pdf_holds_the_same_xml_under_the_name_of_factur_x(tmp_path):
    pdf = pdf_of("card")
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    assert reader.attachments == {"factur-x.xml": [XML["card"]]}
    [embedded] = reader.trailer["/Root"]["/AF"]
    assert (embedded["/AFRelationship"], embedded["/F"]) == ("/Alternative", "factur-x.xml")
    metadata = reader.trailer["/Root"]["/Metadata"].get_data().decode()
    for told in ("<fx:DocumentFileName>factur-x.xml<", "<fx:ConformanceLevel>EN 16931<", "<pdfaid:part>3<"):
        assert metadata.count(told) == 1
    assert judged({"card.pdf": pdf, "open.pdf": pdf_of("open")}, tmp_path / "pdfs") == {}


@pytest.mark.parametrize("name", ["card", "Arabic", "several lines"])
def test_qpdf_finds_nothing_wrong(name, tmp_path):
    assert checked_by_qpdf(pdf_of(name), tmp_path) == ""


def test_the_same_document_has_the_same_bytes():
    assert pdf_of("USD, open") == pdf_of("USD, open")
    assert pdf_of("card", "en") != pdf_of("card", "fr")


@pytest.mark.parametrize("pdf", [b"", b"%PDF-1.7\n", render_invoice(DOCUMENTS["card"], locale="fr")[:-400]])
def test_a_file_that_is_laid_out_otherwise_is_refused(pdf):
    with pytest.raises(ValueError, match=r"no PDF|no metadata"):
        with_facturx_metadata(pdf)


def text_of(name, locale="fr"):
    pages = pypdf.PdfReader(io.BytesIO(pdf_of(name, locale))).pages
    return " ".join(" ".join(unicodedata.normalize("NFKC", page.extract_text()) for page in pages).split())


PRINTED = {
    ("card", "fr"): ("SIREN : 303265045", "Payé par Visa •••• 4242 le 21 novembre 2026"),
    ("open", "fr"): (
        "Échéance 21 décembre 2026",
        "À payer avant le 21 décembre 2026 inclus : 33,60 €",
        "avec la référence RF94 INV2 0260 0000 1",
        "Référence RF94 INV2 0260 0000 1",
        "IBAN FR76 3000 6000 0112 3456 7890 189",
    ),
    ("open, a part from the balance", "en"): (
        "To pay by 21 December 2026: €23.60", "Paid from your balance: €10.00",
        "quoting RF94 INV2 0260 0000 1",
    ),
    ("VAT on debits", "fr"): ("Option pour le paiement de la taxe d’après les débits.",),
    ("SIRET", "fr"): ("SIRET : 73282932000074",),
    ("USD", "fr"): (
        "TVA en EUR : 4,83 € (1 EUR = 1,16 USD au 21 novembre 2026 ; source : bac à sable / sandbox).",
    ),
    ("USD", "en"): ("VAT in EUR: €4.83 (1 EUR = 1.16 USD on 21 November 2026;",),
    ("Japanese", "en"): ("株式会社サンプル", "100-0001"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "locale"), PRINTED)
def test_the_pdf_prints_what_readers_and_the_law_want(name, locale):
    text = text_of(name, locale)
    for words in PRINTED[name, locale]:
        assert words in text


def test_a_paid_invoice_asks_for_nothing():
    assert "RF94" not in text_of("card") and "Échéance" not in text_of("card")
    assert "débits" not in text_of("card")
