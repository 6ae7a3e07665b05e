"""Operators import what the bank tells, and say what becomes of what is not certain."""

import pytest
from playwright.sync_api import Page, expect

from portal.models import BankTransfer
from portal.services.upkeep import books
from portal.worker import jobs
from tests.browser.reader import THE_OTHER_WAY_ROUND, WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import come_signed_in
from tests.browser.watch import assert_looks_right
from tests.factories import a_person
from tests.transferring import (
    NOTHING_WAS_GIVEN,
    Line,
    an_open_invoice,
    bring,
    camt,
    paying,
)


@pytest.fixture(autouse=True, scope="module")
def all_other_questions():
    """The books are asked at the end, but for the one that forbids an open invoice today."""
    check = books.check
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            books,
            "check",
            lambda: [each for each in check() if each.name not in NOTHING_WAS_GIVEN],
        )
        yield


def come_to_the_statements(page: Page) -> None:
    with jobs.at_work():
        staff = a_person("staff@vendor.test", name="Sam Staff", operator=True, language=None)
    come_signed_in(page, staff)
    page.goto("/operator/")
    page.get_by_test_id("bank-statements").click()


def send(page: Page, content: bytes, name: str = "statement.xml") -> None:
    page.locator("[name=file]").set_input_files({"name": name, "mimeType": "text/plain", "buffer": content})
    page.get_by_test_id("import-file").click()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_statement_is_imported_and_what_is_not_certain_is_decided(page: Page, reader, acme, place):
    with jobs.at_work():
        first, second = an_open_invoice(place), an_open_invoice(place)
        content = camt(
            paying(first),
            Line(texts=["Rechnung November"]),
            Line(4000, texts=["Merci"], iban="", name="B. de Vries"),
            Line(77, texts=["?"], iban="", name="A stranger with a rather long name, Limited"),
        )
    come_to_the_statements(page)
    assert_looks_right(page, reader)
    send(page, content[:-30])
    expect(page.locator("#file-error")).to_be_visible()
    assert_looks_right(page, reader)
    send(page, content)
    rows = page.get_by_test_id("transfer-row")
    expect(rows).to_have_count(4)
    expect(rows.nth(0)).to_contain_text(first.number)
    assert_looks_right(page, reader)
    # The proposal is right.
    rows.nth(1).locator("a[href*='/bank-transfers/']").click()
    expect(page.get_by_test_id("covered-row")).to_contain_text(second.number)
    assert_looks_right(page, reader)
    page.get_by_test_id("match").click()
    # Another one is found by the customer.
    page.get_by_test_id("transfer-row").nth(0).locator("a[href*='/bank-transfers/']").click()
    page.locator("#q").fill(acme.customer_number)
    page.get_by_test_id("search").click()
    expect(page.get_by_test_id("found-workspace")).to_have_count(1)
    assert_looks_right(page, reader)
    page.get_by_test_id("choose").click()
    expect(page.get_by_test_id("effect")).to_be_visible()
    page.get_by_test_id("match").click()
    # The last one is nobody's.
    page.get_by_test_id("transfer-row").nth(0).locator("a[href*='/bank-transfers/']").click()
    page.get_by_test_id("set-aside").click()
    expect(page.locator("#note-error")).to_be_visible()
    page.locator("[name=note]").fill("A gift")
    page.get_by_test_id("set-aside").click()
    expect(page.get_by_test_id("transfer-row")).to_have_count(4)
    with jobs.at_work():
        states = [each.state.value for each in BankTransfer.select().order_by(BankTransfer.id)]
    assert states == ["matched", "matched", "matched", "ignored"]


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_match_that_was_wrong_is_undone(page: Page, reader, acme, place):
    with jobs.at_work():
        invoice = an_open_invoice(place)
        bring(camt(paying(invoice, 4000)))
        transfer = BankTransfer.get()
    come_to_the_statements(page)
    page.goto(f"/operator/bank-transfers/{transfer.id}")
    page.get_by_test_id("undo-match").click()
    expect(page.get_by_test_id("opened-row")).to_contain_text(invoice.number)
    assert_looks_right(page, reader)
    page.get_by_test_id("undo-confirm").click()
    expect(page.locator("#note-error")).to_be_visible()
    assert_looks_right(page, reader)
    page.locator("[name=note]").fill("Two customers of one name")
    page.get_by_test_id("undo-confirm").click()
    expect(page.get_by_test_id("set-aside")).to_be_visible()
    assert_looks_right(page, reader)
    with jobs.at_work():
        assert BankTransfer.get().workspace is None


TABLE = "Date;Libellé;Nom;Montant\n20/11/2026;{};Acme SARL;33,60\n21/11/2026;=1+1;Banque;-3,50\n"


@read_by(*THE_OTHER_WAY_ROUND)
def test_the_columns_of_a_table_are_named_before_it_is_imported(page: Page, reader, place):
    with jobs.at_work():
        reference = paying(an_open_invoice(place)).reference
    come_to_the_statements(page)
    send(page, TABLE.format(reference).encode("cp1252"), "b.csv")
    expect(page.locator("[name=amount]")).to_have_value("4")
    assert_looks_right(page, reader)
    page.locator("[name=decimal]").select_option(".")
    page.get_by_test_id("show-rows").click()
    expect(page.get_by_test_id("error-summary")).to_contain_text("33,60")
    assert_looks_right(page, reader)
    page.locator("[name=decimal]").select_option(",")
    page.get_by_test_id("show-rows").click()
    expect(page.get_by_test_id("preview-row")).to_have_count(2)
    assert_looks_right(page, reader)
    page.get_by_test_id("import-rows").click()
    rows = page.get_by_test_id("transfer-row")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("INV-2026-000001")
