"""What a customer, an auditor and a screen reader find in the PDF of an invoice or credit note."""

import copy
import hashlib
import io
import json
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pypdf
import pytest

from portal.documents.coverage import COVERAGE, FONTS_FOLDER, PACKED_FOLDER, fonts
from portal.documents.pdf import render_invoice
from portal.documents.printable import BREAK_MARK, REPLACEMENT, printable, unprintable_letters
from portal.words.formats import long_date, money_text, rate_text, short_date
from tests.e_invoices import documents
from tools import font_coverage

FACTS = {
    "kind": "invoice",
    "number": "INV-2026-000001",
    "issued_on": "2026-11-21",
    "currency": "EUR",
    "locale_default": "fr",
    "seller": {
        "name": "Portail Logiciels SAS",
        "address": ["8 place de la Bourse", "75002 Paris", "France"],
        "country": "FR",
        "vat_number": "FR40303265045",
        "iban": "FR7630006000011234567890189",
        "bic": "AGRIFRPP",
    },
    "buyer": {
        "name": "Acme SARL",
        "contact": "Jeanne Martin",
        "address": ["12 rue des Écoles", "75011 Paris", "France"],
        "vat_number": "FR83404833048",
        "email": "compta@acme.example",
    },
    "workspace_name": "Acme",
    "customer_number": "C-000042",
    "order_number": "O-2026-000117",
    "purchase_order": None,
    "lines": [
        {
            "description": {"en": "Office Business 5, monthly", "fr": "Office Business 5, mensuel"},
            "period": {"start": "2026-11-21", "end": "2026-12-21"},
            "quantity": 1,
            "unit_minor": 3000,
            "net_minor": 3000,
            "rate_bp": 2000,
            "notes": {"en": [], "fr": []},
        }
    ],
    "totals": {
        "net_minor": 3000,
        "tax_minor": 600,
        "gross_minor": 3600,
        "by_rate": [{"rate_bp": 2000, "net_minor": 3000, "tax_minor": 600}],
    },
    "tax": {"category": "S", "reason": "seller_country", "country": "FR"},
    "payment": {
        "method": "card",
        "brand": "visa",
        "last4": "4242",
        "paid_on": "2026-11-21",
        "processor": "Portal sandbox",
    },
}


def an_invoice(*, buyer=None, seller=None, **changes):
    facts = copy.deepcopy(FACTS) | changes
    facts["buyer"] |= buyer or {}
    facts["seller"] |= seller or {}
    return facts


def an_untaxed_invoice(*, category, reason, country, **changes):
    facts = an_invoice(tax={"category": category, "reason": reason, "country": country}, **changes)
    facts["lines"][0]["rate_bp"] = 0
    untaxed = [{"rate_bp": 0, "net_minor": 3000, "tax_minor": 0}]
    facts["totals"] = {"net_minor": 3000, "tax_minor": 0, "gross_minor": 3000, "by_rate": untaxed}
    return facts


def pages_of(pdf):
    return [
        " ".join(unicodedata.normalize("NFKC", page.extract_text()).split())
        for page in pypdf.PdfReader(io.BytesIO(pdf)).pages
    ]


def text_of(facts, locale="en"):
    return " ".join(pages_of(render_invoice(facts, locale=locale)))


def test_an_english_invoice_says_who_what_when_and_how_much():
    text = text_of(an_invoice(purchase_order="PO 4711\nPurchasing, building B"))
    for words in (
        "Invoice Number INV-2026-000001",
        "Date of issue 21 November 2026",
        "Customer number C-000042",
        "Order number O-2026-000117",
        "Billed to Acme SARL Jeanne Martin 12 rue des Écoles 75011 Paris",
        "compta@acme.example",
        "Your reference PO 4711 Purchasing, building B",
        "Office Business 5, monthly From 21 Nov 2026 to 21 Dec 2026",
        "Total excluding VAT €30.00",
        "VAT 20% on €30.00 €6.00",
        "Total including VAT €36.00",
        "Paid by Visa •••• 4242 on 21 November 2026 Payment processed by Portal sandbox",
        "VAT number: FR40303265045",
        "Page 1 of 1",
    ):
        assert words in text


def test_a_french_invoice_says_the_same_in_french():
    text = text_of(an_invoice(), "fr")
    for words in (
        "Facture Numéro INV-2026-000001",
        "Date d’émission 21 novembre 2026",
        "Numéro de client C-000042",
        "Office Business 5, mensuel Du 21 nov. 2026 au 21 déc. 2026",
        "Total HT 30,00 €",
        "TVA 20 % sur 30,00 € 6,00 €",
        "Total TTC 36,00 €",
        "Payé par Visa •••• 4242 le 21 novembre 2026 Paiement traité par Portal sandbox",
        "Page 1 sur 1",
    ):
        assert words in text


def test_an_unknown_language_is_served_in_english():
    assert "Total including VAT" in text_of(an_invoice(), "de")
    assert render_invoice(an_invoice(), locale="fr_CA") == render_invoice(an_invoice(), locale="fr")


def test_a_description_without_the_asked_language_falls_back_to_the_default_one():
    facts = an_invoice()
    facts["lines"][0]["description"] = {"fr": "Formation"}
    assert "Formation" in text_of(facts, "en")


def test_the_iban_stands_in_the_lower_right_corner_of_every_invoice_page():
    facts = an_invoice()
    facts["lines"] *= 40
    for page in pypdf.PdfReader(io.BytesIO(render_invoice(facts, locale="fr"))).pages:
        found = []

        def note(text, outer, inner, *font, found=found):
            x, y = inner[4], inner[5]
            found.append(
                (text, x * outer[0] + y * outer[2] + outer[4], x * outer[1] + y * outer[3] + outer[5])
            )

        page.extract_text(visitor_text=note)
        for words in ("FR76", "AGRIFRPP"):
            x, y = next((x, y) for text, x, y in found if words in text and y < 100)
            assert x > page.mediabox.width / 2 and y < page.mediabox.height / 8


def test_the_same_facts_give_the_same_bytes_here_and_in_another_process():
    script = (
        "import json, sys, hashlib\n"
        "from portal.documents.pdf import render_invoice\n"
        "assert 'typst' not in sys.modules, 'typst must not be used before fork'\n"
        "print(hashlib.sha256(render_invoice(json.load(sys.stdin), locale='fr')).hexdigest())\n"
    )
    first, second = (render_invoice(an_invoice(), locale="fr") for _ in range(2))
    elsewhere = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(FACTS), capture_output=True, text=True, check=True
    )
    assert first == second
    assert elsewhere.stdout.strip() == hashlib.sha256(first).hexdigest()


def test_four_threads_render_at_once_and_get_the_same_bytes():
    invoices = [an_invoice(number=f"INV-2026-{number:06}") for number in range(24)]
    expected = [render_invoice(facts, locale="en") for facts in invoices]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda facts: render_invoice(facts, locale="en"), invoices)) == expected


def test_a_forked_child_refuses_rather_than_hangs(monkeypatch):
    render_invoice(an_invoice(), locale="en")
    monkeypatch.setattr("portal.documents.pdf.os.getpid", lambda: -1)
    with pytest.raises(RuntimeError, match="before fork"):
        render_invoice(an_invoice(), locale="en")


def test_the_document_is_tagged_titled_dated_and_claims_pdf_a_3a_and_ua_1():
    reader = pypdf.PdfReader(io.BytesIO(render_invoice(an_invoice(), locale="fr")))
    xmp = reader.trailer["/Root"]["/Metadata"].get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part>" in xmp
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in xmp
    assert "<pdfuaid:part>1</pdfuaid:part>" in xmp
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert reader.trailer["/Root"]["/Lang"].startswith("fr")
    assert reader.metadata.title == "Facture INV-2026-000001"
    assert reader.metadata.author == "Portail Logiciels SAS"
    assert reader.metadata.creation_date.date().isoformat() == "2026-11-21"


MENTIONS = {
    "fr": ("Autoliquidation — article 283-2 du CGI / article 196", "non applicable", "TVA du pays du client"),
    "en": ("Reverse charge — Article 196", "not applicable", "VAT of the customer’s country"),
}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_tax_mention_is_printed_where_it_is_due_and_nowhere_else(language):
    seller = {"country": "FR" if language == "fr" else "IE"}
    reverse_charge, untaxed, consumer = MENTIONS[language]
    german = {"category": "S", "reason": "eu_consumer", "country": "DE"}
    cases = {
        "seller country": (an_invoice(seller=seller), ()),
        "reverse charge": (
            an_untaxed_invoice(
                category="AE", reason="eu_business_reverse_charge", country="DE", seller=seller
            ),
            (reverse_charge,),
        ),
        "outside": (
            an_untaxed_invoice(category="O", reason="outside_eu", country="US", seller=seller),
            (untaxed,),
        ),
        "Canary Islands": (
            an_untaxed_invoice(category="O", reason="special_territory", country="ES", seller=seller),
            (untaxed,),
        ),
        "consumer": (an_invoice(seller=seller, tax=german), (consumer,)),
    }
    for name, (facts, expected) in cases.items():
        text = text_of(facts, language)
        assert {mention for mention in MENTIONS[language] if mention in text} == set(expected), name


def test_a_french_seller_writes_autoliquidation_in_english_too():
    facts = an_untaxed_invoice(category="AE", reason="eu_business_reverse_charge", country="DE")
    assert "Autoliquidation (reverse charge) — Article 283-2" in text_of(facts, "en")


def test_a_special_territory_with_its_own_rate_is_not_called_untaxed():
    reunion = {"category": "S", "reason": "special_territory", "country": "FR"}
    facts = an_invoice(tax=reunion)
    facts["lines"][0]["rate_bp"] = facts["totals"]["by_rate"][0]["rate_bp"] = 850
    text = text_of(facts, "fr")
    assert "TVA 8,5 % sur 30,00 €" in text
    assert "Taux de TVA applicable dans le territoire du client." in text
    assert "non applicable" not in text


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(an_invoice(), True, id="French seller, business"),
        pytest.param(an_invoice(buyer={"vat_number": None}), False, id="French seller, consumer"),
        pytest.param(
            an_invoice(buyer={"vat_number": None, "is_business": True}),
            True,
            id="business without VAT number",
        ),
        pytest.param(an_invoice(seller={"country": "DE"}), False, id="German seller"),
        pytest.param(
            an_invoice(kind="credit_note", corrects={"number": "INV-1", "issued_on": "2026-11-03"}),
            False,
            id="credit note",
        ),
    ],
)
def test_late_payment_terms_stand_on_french_invoices_to_businesses(facts, expected):
    assert ("indemnité forfaitaire de recouvrement de 40,00 €" in text_of(facts, "fr")) is expected


def test_a_credit_note_names_the_invoice_that_it_corrects_and_asks_for_no_money():
    corrected = {"number": "INV-2026-000001", "issued_on": "2026-11-03"}
    facts = an_invoice(kind="credit_note", number="CN-2026-000001", corrects=corrected)
    text = text_of(facts, "fr")
    assert "Avoir Numéro CN-2026-000001" in text
    assert "Rectifie la facture INV-2026-000001 Émise le 3 novembre 2026" in text
    assert "Remboursé sur Visa •••• 4242 le 21 novembre 2026" in text
    assert "Cet avoir modifie la facture INV-2026-000001 du 3 novembre 2026 (article 289, I-5 du CGI" in text
    assert "IBAN" not in text
    assert "-36,00" not in text
    english = text_of(facts | {"payment": None}, "en")
    assert "Credit note" in english and "Credited to your balance" in english
    assert "This credit note amends invoice INV-2026-000001 of 3 November 2026 (Article 289, I-5" in english
    german = text_of(facts | {"seller": facts["seller"] | {"country": "DE"}}, "en")
    assert "of 3 November 2026 (Article 219, Directive 2006/112/EC)" in german


@pytest.mark.parametrize(
    ("locale", "newer_says", "note_says"),
    [
        (
            "en",
            ["Replaces invoice", "This invoice replaces invoice INV-2026-000001 of", "Paid by Visa"],
            ["Corrects invoice", "Nothing is sent back: the amount goes to invoice INV-2026-000009"],
        ),
        (
            "fr",
            ["Remplace la facture", "Cette facture remplace la facture INV-2026-000001 du", "Payé par Visa"],
            ["Rectifie la facture", "le montant revient à la facture INV-2026-000009"],
        ),
    ],
)
def test_the_documents_of_a_correction_name_each_other(locale, newer_says, note_says):
    issued = documents()
    newer = text_of(issued["card, replaced"], locale)
    note = text_of(issued["credit note: card, replaced"], locale)
    assert [each for each in [*newer_says, "PO 4712"] if each not in " ".join(newer.split())] == []
    assert [each for each in note_says if each not in " ".join(note.split())] == []
    assert "balance" not in note and "solde" not in note


def a_prorated_invoice():
    """5 at 10.00 for 12 of 31 days, and a whole period after it."""
    facts = an_invoice(version=2)
    share = {"price_minor": 5000, "days": 12, "base_days": 31}
    [line] = facts["lines"]
    whole = {"position": 2, "share": None, "tax_minor": 600}
    period = {"start": "2027-01-20", "end": "2027-02-01"}
    sold = {"quantity": 5, "unit_minor": 1000, "net_minor": 1935, "tax_minor": 387, "period": period}
    facts["lines"] = [line | sold | {"position": 1, "share": share}, line | whole]
    return facts


def test_a_prorated_line_says_of_how_many_days_it_is():
    english, french = (text_of(a_prorated_invoice(), language) for language in ("en", "fr"))
    assert (
        "1. Office Business 5, monthly From 20 Jan 2027 to 1 Feb 2027 "
        "12 of 31 days; for the whole period: €50.00 5 €10.00 20% €19.35"
    ) in english
    assert "2. Office Business 5, monthly From 21 Nov 2026 to 21 Dec 2026 1 €30.00" in english
    assert "12 jours sur 31 ; pour la période entière : 50,00 €" in french


def test_a_line_that_stands_alone_has_no_number():
    facts = a_prorated_invoice()
    del facts["lines"][1]
    assert "1. Office" not in text_of(facts)


def a_partial_credit_note(*, days=8, base_days=12, credited_before=0):
    facts = a_prorated_invoice() | {"kind": "credit_note", "number": "CN-2027-000001", "payment": None}
    facts["corrects"] = {"number": "INV-2027-000001", "issued_on": "2027-01-20"}
    line = facts["lines"][0] | {"net_minor": 1290, "tax_minor": 258}
    line["share"] = {"price_minor": 1935, "days": days, "base_days": base_days}
    line["credits"] = {"position": 2, "credited_net_minor": credited_before}
    return facts | {"lines": [line]}


def test_a_partial_credit_note_names_the_line_and_the_days_and_keeps_the_money():
    english, french = (text_of(a_partial_credit_note(), language) for language in ("en", "fr"))
    assert "Credit on invoice INV-2027-000001 of 20 January 2027, line 2" in english
    assert "8 of 12 days; charged for all of them: €19.35" in english
    assert "Credited to your balance" in english
    assert "Credited before" not in english and "Refunded" not in english
    assert "Avoir sur la facture INV-2027-000001 du 20 janvier 2027, ligne 2" in french
    assert "8 jours sur 12 ; facturé pour l’ensemble : 19,35 €" in french
    assert "Crédité sur votre solde" in french


def test_the_credit_note_of_a_refunded_line_says_what_went_back_and_what_is_kept():
    facts = a_partial_credit_note(days=12)
    assert facts["totals"]["gross_minor"] == 3600
    paid = an_invoice()["payment"] | {"from_balance_minor": 322}
    text = text_of(facts | {"payment": paid})
    assert "Refunded to Visa •••• 4242 on 21 November 2026" in text
    assert "€32.78; the other €3.22 is kept in your balance" in text
    assert "Credited to your balance" not in text


def test_what_was_credited_before_is_said():
    facts = a_partial_credit_note(credited_before=645)
    assert "Credited before: €6.45" in text_of(facts)
    assert "Déjà crédité : 6,45 €" in text_of(facts, "fr")


@pytest.mark.parametrize(
    ("days", "base_days", "english", "french"),
    [(1, 31, "1 of 31 days", "1 jour sur 31"), (1, 1, "1 of 1 day;", "1 jour sur 1 ;")],
)
def test_one_day_is_no_days(days, base_days, english, french):
    facts = a_partial_credit_note(days=days, base_days=base_days)
    assert english in text_of(facts)
    assert french in text_of(facts, "fr")


@pytest.mark.parametrize(
    ("country", "number", "english", "french"),
    [
        ("US", "91-1144442", "Tax number (EIN): 91-1144442", "Numéro fiscal (EIN) : 91-1144442"),
        ("JP", "5-8356", "Tax number (法人番号): 5-8356", "Numéro fiscal (法人番号) : 5-8356"),
        ("HK", "12345678", "Tax number: 12345678", "Numéro fiscal : 12345678"),
    ],
)
def test_a_tax_number_is_printed_by_its_countrys_name(country, number, english, french):
    facts = an_invoice(buyer={"country": country, "vat_number": None, "tax_number": number})
    assert english in text_of(facts, "en")
    assert french in text_of(facts, "fr")


def test_an_unpaid_invoice_says_how_to_pay_it():
    text = text_of(an_invoice(payment=None, due_on="2026-12-05"))
    assert "To pay by 5 December 2026: €36.00" in text
    assert "IBAN FR76 3000 6000 0112 3456 7890 189 · BIC AGRIFRPP, quoting INV-2026-000001" in text


@pytest.mark.parametrize(
    ("payment", "expected"),
    [
        ({"method": "paypal", "paid_on": "2026-11-21"}, "Payé par PayPal le 21 novembre 2026"),
        ({"method": "sepa_debit", "paid_on": "2026-11-21"}, "Payé par prélèvement SEPA le"),
        ({"method": "bank_transfer", "paid_on": "2026-11-21"}, "Payé par virement bancaire le"),
        ({"method": "card", "paid_on": "2026-11-21"}, "Payé par carte le"),
        (
            {"method": "card", "brand": "jcb", "last4": "0505", "paid_on": "2026-11-21"},
            "Payé par JCB •••• 0505",
        ),
    ],
)
def test_each_way_to_pay_has_its_words(payment, expected):
    assert expected in text_of(an_invoice(payment=payment), "fr")


def test_the_figures_of_an_extension_are_repeated_under_the_line():
    facts = an_invoice()
    facts["lines"][0]["notes"] = {"en": ["28 unused days", "New due date: 19 February 2027"], "fr": []}
    assert "28 unused days New due date: 19 February 2027" in text_of(facts, "en")


@pytest.mark.parametrize(
    ("minor", "currency", "english", "french"),
    [
        (3000, "EUR", "€30.00", "30,00 €"),
        (123456789, "EUR", "€1,234,567.89", "1 234 567,89 €"),
        (3000, "JPY", "¥3,000", "3 000 JPY"),
        (3000, "KWD", "KWD 3.000", "3,000 KWD"),
        (1, "KWD", "KWD 0.001", "0,001 KWD"),
        (150, "IQD", "IQD 0.150", "0,150 IQD"),  # CLDR would drop the decimals; ISO 4217 has three.
        (-5, "USD", "-$0.05", "-0,05 $US"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(minor, currency, english, french):
    assert unicodedata.normalize("NFKC", money_text(minor, currency, "en")) == english
    assert unicodedata.normalize("NFKC", money_text(minor, currency, "fr")) == french


@pytest.mark.parametrize(
    ("rate_bp", "french"), [(2000, "20 %"), (850, "8,5 %"), (2550, "25,5 %"), (1, "0,01 %"), (0, "0 %")]
)
def test_a_rate_has_no_needless_zero(rate_bp, french):
    assert unicodedata.normalize("NFKC", rate_text(rate_bp, "fr")) == french


def test_the_first_of_a_month_is_written_as_in_french() -> None:
    assert (long_date("2027-01-01", "fr"), short_date("2027-01-01", "fr")) == (
        "1er janvier 2027",
        "1er janv. 2027",
    )
    assert (long_date("2027-01-11", "fr"), long_date("2027-01-01", "en")) == (
        "11 janvier 2027",
        "1 January 2027",
    )


@pytest.mark.parametrize(("currency", "gross"), [("JPY", "¥3,600"), ("KWD", "KWD 3.600")])
def test_currencies_of_none_and_three_decimals_are_printed(currency, gross):
    assert f"Total including VAT {gross}" in text_of(an_invoice(currency=currency))


def test_ninety_lines_take_several_pages_each_with_the_table_header_and_its_number():
    facts = an_invoice()
    facts["lines"] *= 90
    pages = pages_of(render_invoice(facts, locale="en"))
    assert len(pages) > 2
    for number, page in enumerate(pages, start=1):
        assert f"Page {number} of {len(pages)}" in page
        assert ("Description Qty Unit price VAT Net amount" in page) == ("Office Business" in page)
        assert "INV-2026-000001" in page
    assert sum(page.count("Office Business 5, monthly") for page in pages) == 90


HOSTILE = {
    "typst code": '#read("/etc/passwd") #import "@preview/a:1.0.0" #panic()',
    "typst markup": "$x$ *bold* _it_ `raw` <label> @ref = Heading // comment /* */ ~ --- \\u{41} \\",
    "template": "{page} {pages} {number} {0.__class__} %(x)s ${7*7} {{7*7}}",
    "html": '<b>"O\'Neil" & Sons</b>',
    "emoji": "Rocket 🚀 😀 ❤️ 👩‍💻 👍🏽 🇫🇷",
    "unassigned emoji": "🫨 🪿 🦣",
    "east asian": "株式会社テスト 北京软件有限公司 삼성전자 臺灣",
    "right to left": "שירותי תוכנה بع شركة الاختبار للبرمجيات",
    "override": "invoice\u202egnp.exe\u2066\u2069",
    "other scripts": "हिन्दी ภาษาไทย ქართული Հայերեն 𝐁𝐨𝐥𝐝 ꧁꧂",
    "marks": "Z" + "\u0301" * 500 + "algo" + "☺\u035e" + "、\u0301",
    "control": "a\x00b\x07c\x1b[0m\u2028d\u2029e\ufefff\ufffe",
    "surrogate": "lone \ud800 \udfff",
    "private use": "\ue000\U0010fffd",
    "300 letters": "W" * 300,
    "300 characters": "Société à responsabilité limitée " * 9,
    "300 accents": "é" * 300,
    "spaces only": " \t\n\u00a0\u3000",
    "empty": "",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_people_type_is_printed_as_text(name):
    facts = an_invoice(
        buyer={"name": name, "contact": name, "address": [name], "email": name, "vat_number": name},
        seller={"name": name, "address": [name], "vat_number": name, "iban": name, "bic": name},
        workspace_name=name,
        purchase_order=name,
    )
    facts["lines"][0]["description"] = {"en": name}
    facts["lines"][0]["notes"] = {"en": [name]}
    text = text_of(facts)
    assert "INV-2026-000001" in text and "€36.00" in text
    assert "root:" not in text


@pytest.mark.parametrize("case", ["typst code", "typst markup", "template", "html"])
def test_markup_comes_out_as_it_was_typed(case):
    text = text_of(an_invoice(buyer={"name": HOSTILE[case]}))
    assert HOSTILE[case].replace(" ", "") in text.replace(" ", "")


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("Acme", "Acme"),
        ("a\x00b", "ab"),
        ("two\nlines\tand  spaces ", "two lines and spaces"),
        ("\u202etxt.exe", "txt.exe"),
        ("𝐁𝐨𝐥𝐝 ＡＢ 🇫🇷", "Bold ＡＢ FR"),
        ("e\u0301", "é"),
        ("\ud800", REPLACEMENT),
        ("👍🏽", "👍"),
        ("株式会社", "株式会社"),
    ],
)
def test_only_characters_that_the_fonts_hold_are_printed(typed, printed):
    assert printable(typed) == printed


def test_a_long_word_may_break_without_leaving_a_trace_in_copied_text():
    assert printable("x" * 30).count(BREAK_MARK) == 29
    text = pypdf.PdfReader(io.BytesIO(render_invoice(an_invoice(workspace_name="x" * 90), locale="en")))
    assert BREAK_MARK not in text.pages[0].extract_text()


def names_of_the_scripts():
    """Names of companies, sound or not, in every script that people write their addresses in."""
    lines = Path(__file__).with_name("names.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)


@pytest.mark.parametrize("script", names_of_the_scripts())
def test_a_name_of_every_script_is_printed_whole(script):
    name = names_of_the_scripts()[script]
    assert unprintable_letters(name) == ()
    assert printable(name) == unicodedata.normalize("NFC", name)
    text = text_of(an_invoice(buyer={"name": name}))
    # As sets of characters: pypdf gives those of a joined syllable twice and turns lines from right to left.
    assert set(unicodedata.normalize("NFKC", name)) <= set(text)
    assert REPLACEMENT not in text


UNJOINED = ["Cyrillic", "Armenian", "Georgian", "Amharic", "Tifinagh", "Japanese", "Korean"]
CHINESE = ["Traditional Chinese", "Simplified Chinese", "Hong Kong", "Rare Chinese"]


@pytest.mark.parametrize("script", [*UNJOINED, *CHINESE])
def test_a_name_is_copied_out_of_the_document_as_it_was_typed(script):
    name = names_of_the_scripts()[script]
    pdf = render_invoice(an_invoice(buyer={"name": name}), locale="fr")
    copied = pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text()
    assert name.replace(" ", "") in copied.replace(" ", "")


def test_a_letter_and_its_marks_are_drawn_from_one_font_that_holds_them_all():
    # Inter has the accent and not the letter: left to itself, typst draws the accent alone.
    pdf = render_invoice(an_invoice(buyer={"name": "Ŋw\u025b\u0301"}), locale="en")
    drawn = {}

    def note(text, outer, inner, font, size):
        for letter in text:
            drawn.setdefault(letter, set()).add(font and font["/BaseFont"].split("+")[-1])

    pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text(visitor_text=note)
    assert drawn["\u025b"] == drawn["\u0301"] == {"NotoSansDisplay-Regular"}


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("Acme", ()),
        ("Œuvre №\u202f1 – “Łódź”", ()),
        ("台灣積體電路 深圳", ()),
        ("می‌خواهم ශ්‍රී", ()),
        ("मराठी र्‍या", ()),
        ("𝐁𝐨𝐥𝐝 ＡＢ ﬁ 🇫🇷", ()),  # Printed as plain letters.
        ("葛\U000e0100城", ()),  # A variant selector is not seen.
        ("\u200fשלום\u200e", ()),
        ("👍🏽", ()),
        ("e" + "\u0301" * 3, ()),
        ("Z" + "\u0301" * 5, ("Ź" + "\u0301" * 4,)),
        ("Acme 𒀀𒀀 Ltd 𓀀", ("𒀀", "𓀀")),
        ("\ue000", ("\ue000",)),
        ("a\U0010ffffb", ("\U0010ffff",)),
        ("", ()),
    ],
)
def test_the_letters_that_no_font_holds_are_named(text, lost):
    assert unprintable_letters(text) == lost
    # A pile of accents is only shortened.
    assert bool(lost) == (REPLACEMENT in printable(text) or "Z" in text)


def test_chinese_characters_take_the_shapes_of_the_buyers_country():
    shapes = {
        country: render_invoice(an_invoice(buyer={"name": "骨直", "country": country}), locale="en")
        for country in ("CN", "SG", "TW", "HK", "JP", "KR")
    }
    assert shapes["CN"] == shapes["SG"]
    assert len(set(shapes.values())) == 5


def test_a_document_that_needs_no_packed_font_unpacks_none(monkeypatch):
    monkeypatch.setattr("portal.documents.pdf._unpacked", None)
    render_invoice(an_invoice(buyer={"name": "Œuvre Ελλάδα Заря 😀", "country": "JP"}), locale="fr")


# As they were before fonts were packed: whatever is added, they keep their bytes.
SHA256 = {
    "Acme SARL": "4cda0b785d936c875612a4f225721c6c7a19b7e712df853f82cd91ddaf514a5d",
    "Société Générale Œuvre Ærø Łódź – “x” €": (
        "f74c9f1e04c87cbfc92819d9b49a4b3ccd29c35168037fd3cb8a2f5cc8cb3eff"
    ),
    "ООО Ромашка": "f315b868dd759d21164af3f0ce484b86847c60452d892477940b64b8891937dd",
}


@pytest.mark.parametrize("name", SHA256)
def test_a_document_in_latin_greek_or_cyrillic_letters_keeps_its_bytes(name):
    pdf = render_invoice(an_invoice(buyer={"name": name}), locale="en")
    assert hashlib.sha256(pdf).hexdigest() == SHA256[name]


@pytest.mark.parametrize("number", range(len(fonts())), ids=[font.family for font in fonts()])
def test_every_character_of_the_bundled_fonts_can_be_printed(number):
    font = fonts()[number]
    ranges = zip(font.starts, font.ends, strict=True)
    codes = [code for start, end in ranges for code in range(start, end + 1)]
    codes = codes[:: max(1, len(codes) // 3000)]  # Chinese: every fifteenth; all of them take a minute.
    facts = an_invoice()
    facts["lines"] = [
        facts["lines"][0]
        | {"description": {"en": " ".join(map(chr, codes[start : start + 100]))}, "notes": {}}
        for start in range(0, len(codes), 100)
    ]
    render_invoice(facts, locale="en")


def test_both_weights_of_the_text_face_hold_the_same_characters():
    regular, semi_bold = (font for font in fonts() if font.family.startswith("Inter"))
    assert (regular.starts, regular.ends) == (semi_bold.starts, semi_bold.ends)


def test_the_table_says_what_the_fonts_hold():
    assert COVERAGE.read_text(encoding="ascii") == font_coverage.coverage_table()


def test_the_fonts_stay_small_and_come_with_their_licence():
    usual, packed = (
        sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        for folder in (FONTS_FOLDER, PACKED_FOLDER)
    )
    assert usual < 500_000
    assert packed < 13_000_000
    assert (FONTS_FOLDER / "OFL.txt").exists()
