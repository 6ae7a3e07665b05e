"""A wrong name on an invoice: the settings are put right, what differs is read, a new invoice replaces it."""

from playwright.sync_api import Page, expect

from portal.models import Invoice
from portal.worker import jobs
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import come_signed_in, heading
from tests.browser.watch import assert_looks_right
from tests.correcting import RIGHT_NAME, settings_say
from tests.paying import buy as paid_plan
from tests.transferring import ordered_on_account


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_misspelled_company_is_put_right_on_a_new_invoice(page: Page, reader, acme, owner, place, say):
    with jobs.at_work():
        paid_plan(place, "business-3")
    first = f"/w/{acme.slug}/invoices/INV-2026-000001"
    come_signed_in(page, owner)
    page.goto(first)
    assert_looks_right(page, reader)
    page.get_by_test_id("correct-link").click()
    expect(page.get_by_test_id("nothing-differs")).to_be_visible()
    assert_looks_right(page, reader)

    with jobs.at_work():
        settings_say(place, company_name=RIGHT_NAME, street2="Bâtiment B", purchase_order="PO 4711")
    page.reload()
    expect(page.get_by_test_id("compared-row")).to_have_count(3)
    expect(page.get_by_test_id("compared-row").first).to_contain_text(RIGHT_NAME)
    assert_looks_right(page, reader)

    # Somebody changes the settings while it is read.
    with jobs.at_work():
        settings_say(place, company_name="Acme Monde SARL")
    page.get_by_test_id("correct-confirm").click()
    expect(page.get_by_test_id("error-summary")).to_be_visible()
    expect(page.get_by_test_id("compared-row").first).to_contain_text("Acme Monde SARL")
    assert_looks_right(page, reader)

    page.get_by_test_id("correct-confirm").click()
    expect(heading(page)).to_contain_text("INV-2026-000002")
    expect(page.get_by_test_id("replaces")).to_contain_text("INV-2026-000001")
    assert_looks_right(page, reader)
    page.goto(first)
    expect(page.get_by_test_id("credit-notes")).to_contain_text("INV-2026-000002")
    expect(page.get_by_test_id("correct-link")).to_have_count(0)
    assert_looks_right(page, reader)
    page.goto(f"{first}/correction")
    expect(page.get_by_test_id("newer")).to_contain_text("INV-2026-000002")
    assert_looks_right(page, reader)
    page.goto(f"/w/{acme.slug}/history")
    expect(page.get_by_text(say("Corrected"), exact=True)).to_have_count(1)
    expect(page.get_by_test_id("refund-link")).to_have_count(1)
    assert_looks_right(page, reader)


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_an_open_invoice_is_to_be_paid_under_its_new_number(page: Page, reader, acme, owner, place):
    with jobs.at_work():
        ordered_on_account(place)
        settings_say(place, company_name=RIGHT_NAME)
        number = Invoice.get().number
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/invoices/{number}/correction")
    expect(page.get_by_test_id("compared-row")).to_have_count(1)
    assert_looks_right(page, reader)
    page.get_by_test_id("correct-confirm").click()
    expect(page.get_by_test_id("to-pay")).to_contain_text("INV2 0260 0000 2")
    assert_looks_right(page, reader)
