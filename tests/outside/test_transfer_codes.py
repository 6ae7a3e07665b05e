"""The QR code of an open invoice, read off the PDF by others, as a banking app would."""

import json
import shutil
import subprocess

import pytest

from portal.documents.e_invoice import e_invoice
from portal.documents.pdf import render_invoice
from portal.documents.transfer_code import has_transfer_code
from portal.domain.money import Money
from tests.e_invoices import documents
from tests.judges import PYTHON, skip_without_judges

READ = """
import json, sys, zxingcpp
head = sys.stdin.buffer.read()
kind, size, _depth, pixels = head.split(b"\\n", 3)
width, height = map(int, size.split())
image = memoryview(pixels).cast("B", (height, width))
print(json.dumps([found.text for found in zxingcpp.read_barcodes(image)]))
"""


def codes_on(pdf: bytes, folder) -> list[str]:
    path = folder / "invoice.pdf"
    path.write_bytes(pdf)
    page = subprocess.run(
        ["pdftoppm", "-gray", "-r", "150", "-singlefile", str(path)], capture_output=True, check=True
    )
    done = subprocess.run([PYTHON, "-c", READ], input=page.stdout, capture_output=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def others():
    skip_without_judges()
    if shutil.which("pdftoppm") is None:
        pytest.skip("pdftoppm is not installed (poppler-utils)")


def an_open_one():
    return next(
        facts
        for facts in documents().values()
        if facts["kind"] == "invoice" and facts["due_minor"] and facts["currency"] == "EUR"
    )


@pytest.mark.parametrize("locale", ["en", "fr"])
def test_the_code_says_what_the_invoice_asks_for(tmp_path, locale):
    facts = an_open_one()
    [code] = codes_on(render_invoice(facts, locale=locale, e_invoice=e_invoice(facts)), tmp_path)
    amount = f"{facts['due_minor'] // 100}.{facts['due_minor'] % 100:02d}"
    seller = facts["seller"]
    assert code.rstrip().splitlines() == [
        "BCD",
        "002",
        "1",
        "SCT",
        seller["bic"],
        seller["name"],
        seller["iban"],
        "EUR" + amount.removesuffix(".00").rstrip("0") if "." in amount else amount,
        "",
        facts["reference"],
    ]


def test_a_paid_invoice_has_none(tmp_path):
    facts = next(each for each in documents().values() if each["kind"] == "invoice" and not each["due_minor"])
    assert codes_on(render_invoice(facts, locale="en", e_invoice=e_invoice(facts)), tmp_path) == []


def test_it_is_for_euros_alone():
    assert not has_transfer_code(Money(2400, "USD"))
    assert not has_transfer_code(Money(0, "EUR"))
