"""An order paid by bank transfer: the account on its result, the invoice open until the bank tells."""

from playwright.sync_api import Page, expect

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval
from portal.models import Invoice
from portal.runtime import current
from portal.services.checkout import ordering
from portal.worker import jobs
from tests import paying
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by_each
from tests.browser.steps import come_signed_in, expect_refused, fill_in_card, go_on, heading, order
from tests.browser.watch import assert_looks_right
from tests.factories import seen_by
from tests.transferring import bring, camt
from tests.transferring import paying as transferred


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_an_order_is_paid_by_bank_transfer_and_another_by_card(page: Page, reader, acme, owner, say):
    with jobs.at_work():
        place = seen_by(owner, acme)
        opened = ordering.open_order(
            place,
            choices=[Choice("remote-licence", Interval.YEAR, 1)],
            currency="EUR",
            now=current().clock.now(),
        )
        paying.with_details(opened, place)
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/checkout/{opened.number}")
    page.locator("[name=payment_method]").select_option("bank_transfer")
    page.locator("[name=email_confirm]").fill(page.locator("[name=email]").input_value())
    go_on(page)
    expect(page.get_by_test_id("transfer")).to_be_visible()
    expect(page.locator("[name=number]")).to_have_count(0)
    expect(page.locator("[name=auto_renewal]")).to_have_count(0)
    assert_looks_right(page, reader)
    order(page)

    # Given at once; how to pay stands there.
    expect(heading(page)).to_have_text(say("Your order is placed"))
    told = page.get_by_test_id("to-pay")
    expect(told).to_contain_text("FR76 3000 6000 0112 3456 7890 189")
    expect(told).to_contain_text("RF94 INV2 0260 0000 1")
    expect(told.get_by_role("img", name=say("QR code of the transfer"))).to_be_visible()
    assert_looks_right(page, reader)
    page.goto(f"/w/{acme.slug}/subscriptions")
    page.get_by_test_id("invoice-remote").click()
    expect(page.get_by_test_id("to-pay")).to_be_visible()
    assert_looks_right(page, reader)

    # A card that is declined changes nothing, and nothing that was typed of it is kept.
    page.get_by_test_id("pay-invoice").click()
    fill_in_card(page, "4000000000000002")
    order(page)
    expect_refused(page, "number")
    expect(page.locator("[name=number]")).to_have_value("")
    assert_looks_right(page, reader)

    # The bank tells of a half, then of the rest.
    with jobs.at_work():
        invoice = Invoice.get()
        bring(camt(transferred(invoice, 10_000, bank_reference="A")))
    page.goto(f"/w/{acme.slug}/invoices/{invoice.number}")
    expect(page.get_by_test_id("to-pay")).to_contain_text(
        "114" + ("." if reader.language == "en" else ",") + "80"
    )
    with jobs.at_work():
        bring(camt(transferred(invoice, invoice.total_minor - 10_000, bank_reference="B")), "rest.xml")
    page.reload()
    expect(page.get_by_test_id("to-pay")).to_have_count(0)
    assert_looks_right(page, reader)
    page.goto(f"/w/{acme.slug}/subscriptions")
    expect(page.get_by_test_id("invoice-remote")).to_have_count(0)
