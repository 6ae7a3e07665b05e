"""An open invoice paid by the link of its letter, in a browser that nobody is signed in with."""

import re

from playwright.sync_api import Page, expect

from portal.models import Invoice
from portal.worker import jobs
from tests import paying
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by_each
from tests.browser.steps import (
    charges,
    come_signed_in,
    confirm,
    expect_refused,
    fill_in_card,
    heading,
    order,
    pay,
    refuse,
    wait_for_mail,
)
from tests.browser.watch import assert_looks_right
from tests.factories import a_contact, a_person
from tests.transferring import ordered_on_account

BOOKS = "books@accountant.example"


def open_the_link(page: Page, reader, number: str) -> None:
    """That of the accountant's letter; the letter is in the language of the workspace."""
    page.goto("/sandbox/mailbox")
    wait_for_mail(page, "is confirmed").get_by_role("link").click()
    page.get_by_role("link", name="/pay/").first.click()
    expect(heading(page)).to_contain_text(number)
    if reader.language == "fr":
        page.get_by_role("link", name="Français").click()


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_an_accountant_pays_by_the_link_of_the_letter_and_the_owner_withdraws_it(
    page: Page, another_browser, reader, acme, owner, place, say
):
    with jobs.at_work():
        a_contact(acme, BOOKS, language="en")
        ordered_on_account(place)
        number = Invoice.get().number
    theirs = another_browser()
    open_the_link(theirs, reader, number)
    link = theirs.url
    expect(theirs.get_by_test_id("to-pay")).to_contain_text("RF94 INV2 0260 0000 1")
    expect(theirs.get_by_test_id("to-pay")).to_be_visible()
    assert_looks_right(theirs, reader)

    pay(theirs, paying.DECLINED)
    expect_refused(theirs, "number")
    expect(theirs.locator("[name=number]")).to_have_value("")
    assert_looks_right(theirs, reader)

    # The bank asks, and is refused once.
    pay(theirs, paying.ASKS_ONCE)
    refuse(theirs)
    expect(theirs.locator("#number-error")).to_be_visible()
    assert_looks_right(theirs, reader)
    fill_in_card(theirs, paying.ASKS_ONCE)
    order(theirs)
    expect(theirs).to_have_url(re.compile("/sandbox/3ds/"))
    other = theirs.context.new_page()
    other.goto(link)
    expect(heading(other)).to_have_text(say("Confirm the payment"))
    assert_looks_right(other, reader)
    confirm(theirs)
    expect(heading(theirs)).to_have_text(say("Invoice %(number)s is paid", number=number))
    expect(theirs.get_by_test_id("place-order")).to_have_count(0)
    assert_looks_right(theirs, reader)
    other.reload()
    expect(heading(other)).to_have_text(say("Invoice %(number)s is paid", number=number))
    assert [charge.amount_minor for charge in charges()] == [21480]

    # It still shows the invoice, until the owner withdraws it.
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/invoices/{number}")
    expect(page.get_by_test_id("to-pay")).to_have_count(0)
    assert_looks_right(page, reader)
    page.get_by_test_id("withdraw-pay-link").click()
    expect(page.get_by_test_id("flash")).to_have_text(say("No link to this invoice works any more."))
    theirs.goto(link)
    expect(heading(theirs)).to_have_text(say("This link does not work any more"))
    assert_looks_right(theirs, reader)


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_the_owner_makes_a_link_and_somebody_pays_with_paypal(
    page: Page, another_browser, reader, acme, owner, place, say
):
    with jobs.at_work():
        number = ordered_on_account(place).number
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/invoices/{number}")
    page.get_by_test_id("make-pay-link").click()
    address = page.get_by_test_id("pay-link-address").inner_text()
    assert_looks_right(page, reader)
    theirs = another_browser()
    theirs.goto(address)
    theirs.get_by_test_id("pay-paypal").click()
    theirs.locator("[name=email]").fill("paid@paypal.example")
    confirm(theirs)
    expect(heading(theirs)).to_have_text(say("Invoice %(number)s is paid", number=number))
    assert theirs.url != address
    with jobs.at_work():
        staff = a_person("staff@vendor.test", operator=True, language=None)
    vendor = another_browser()
    come_signed_in(vendor, staff)
    vendor.goto(f"/operator/workspaces/{acme.slug}")
    vendor.get_by_test_id("pay-links").click()
    assert_looks_right(vendor, reader)
    vendor.get_by_test_id("pay-link-row").get_by_role("button").click()
    expect(vendor.get_by_test_id("pay-link-row")).to_have_count(0)
    assert_looks_right(vendor, reader)
    theirs.goto(address)
    expect(heading(theirs)).to_have_text(say("This link does not work any more"))
    page.goto(f"/w/{acme.slug}/history")
    expect(page.get_by_test_id("history-row").filter(has_text="PayPal").first).to_be_visible()
