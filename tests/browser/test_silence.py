"""A bank that does not answer: the page says so, follows it, and tells the truth once it is known."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import (
    charges,
    come_signed_in,
    expect_step,
    go_on,
    heading,
    open_plans,
    pay,
    payments_of,
    reconcile,
    review_an_order,
)
from tests.paying import SILENT_CHARGED, SILENT_NOT_CHARGED

pytestmark = pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_charge_without_an_answer_becomes_paid_while_the_page_waits(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    pay(page, SILENT_CHARGED)
    expect_step(page, "result")
    expect(heading(page)).to_have_text(say("Your payment is being confirmed"))
    expect(page.get_by_test_id("invoice-link")).to_have_count(0)
    reconcile()
    expect(heading(page)).to_have_text(say("Payment complete"))
    expect(page).to_have_title(f"{say('Payment complete')} – Portal")
    open_plans(page, acme)
    expect(page.get_by_test_id("history-row")).to_have_count(1)
    assert len(charges()) == len(payments_of(acme)) == 1


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_charge_that_never_was_can_be_paid_another_way(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    pay(page, SILENT_NOT_CHARGED)
    expect(heading(page)).to_have_text(say("Your payment is being confirmed"))
    reconcile()
    expect(heading(page)).to_have_text(say("Nothing was charged"))
    page.get_by_role("link", name=say("Pay another way")).click()
    go_on(page)
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    assert len(charges()) == 1
