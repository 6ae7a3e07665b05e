"""`python -m bench.pdf COUNT`: milliseconds of each invoice PDF and of each bare typst document, as JSON."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from portal.documents.coverage import FONTS_FOLDER
from portal.documents.pdf import PDF_STANDARDS, render_invoice


class Bare:
    """One page with our fonts and to the same standards, by typst alone."""

    def __init__(self) -> None:
        import typst

        page = Path(__file__).with_name("bare.typ")
        fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS_FOLDER)]
        )
        self._compiler = typst.Compiler(
            str(page), root=str(page.parent), font_paths=fonts, ignore_system_fonts=True
        )

    def compile(self, number: str) -> None:
        self._compiler.compile(
            sys_inputs={"number": number},
            pdf_standards=PDF_STANDARDS,
            format="pdf",
            timestamp=datetime(2026, 11, 21, tzinfo=UTC),
        )


def main(count: int) -> None:
    bare = Bare()
    ours, floor = [], []
    for number in range(-5, count):
        invoice = facts(f"INV-2026-{number + 10:06d}")
        began = time.perf_counter()
        render_invoice(invoice, locale="en")
        between = time.perf_counter()
        bare.compile(invoice["number"])
        # The first ones load fonts.
        if number >= 0:
            ours.append((between - began) * 1000)
            floor.append((time.perf_counter() - between) * 1000)
    print(json.dumps({"ours": ours, "bare": floor}))


def facts(number: str) -> dict:
    line = {
        "description": {"en": "Business 5 – monthly", "fr": "Business 5 – mensuel"},
        "period": {"start": "2026-11-21", "end": "2026-12-21"},
        "quantity": 1,
        "unit_minor": 2800,
        "net_minor": 2800,
        "rate_bp": 2000,
        "extension": None,
    }
    return {
        "kind": "invoice",
        "number": number,
        "issued_on": "2026-11-21",
        "currency": "EUR",
        "locale_default": "fr",
        "seller": {
            "name": "Atelier Logiciel SAS",
            "address": ["24 rue des Tanneurs", "69002 Lyon", "France"],
            "country": "FR",
            "vat_number": "FR40303265045",
            "iban": "FR7630006000011234567890189",
            "bic": "AGRIFRPP",
        },
        "buyer": {
            "name": "Acme SARL",
            "contact": "Jeanne Carvallon",
            "address": ["12 rue des Tilleuls", "75011 Paris", "France"],
            "country": "FR",
            "vat_number": "FR40303265045",
            "email": "jeanne@acme.example",
            "is_business": True,
        },
        "workspace_name": "Acme",
        "customer_number": "C-000042",
        "order_number": "7k2mw9qa3xzt",
        "purchase_order": None,
        "lines": [line] * 3,
        "totals": {
            "net_minor": 8400,
            "tax_minor": 1680,
            "gross_minor": 10080,
            "by_rate": [{"rate_bp": 2000, "net_minor": 8400, "tax_minor": 1680}],
        },
        "tax": {
            "rate_bp": 2000,
            "category": "S",
            "reason": "seller_country",
            "country": "FR",
            "territory": None,
        },
        "payment": {
            "method": "card",
            "brand": "visa",
            "last4": "4242",
            "paid_on": "2026-11-21",
            "processor": "Portal sandbox",
        },
    }


if __name__ == "__main__":
    main(int(sys.argv[1]))
