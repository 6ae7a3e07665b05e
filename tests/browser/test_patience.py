"""A bank that takes its time: the page is there at once, follows, and leads to where the payer confirms."""

import pytest
from playwright.sync_api import Page, expect

from portal.services.payments import asking
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import (
    come_signed_in,
    expect_step,
    go_on,
    heading,
    open_plans,
    pay,
    payments_of,
    review_an_order,
)
from tests.gates import hold
from tests.paying import ASKS_ONCE, DECLINED


@pytest.fixture
def gate(live_server, monkeypatch):
    """Charges wait for the test; nobody's page waits for them."""
    monkeypatch.setattr(asking, "PATIENCE_SECONDS", 0.01)
    asking.serve_pages(request_threads=4)
    gate = hold("charge")
    yield gate
    gate.open()
    asking.ask_here()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_the_payer_is_led_to_the_bank_once_it_asks_for_them(page: Page, acme, owner, say, gate):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    pay(page, ASKS_ONCE)
    expect_step(page, "result")
    expect(heading(page)).to_have_text(say("Your payment is being confirmed"))
    gate.open()
    page.wait_for_url("**/sandbox/3ds/**")
    page.get_by_role("button", name=say("Confirm")).click()
    expect(heading(page)).to_have_text(say("Payment complete"))
    assert len(payments_of(acme)) == 1


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_decline_is_said_on_the_page_that_waited(page: Page, acme, owner, say, gate):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    pay(page, DECLINED)
    expect(heading(page)).to_have_text(say("Your payment is being confirmed"))
    gate.open()
    expect(heading(page)).to_have_text(say("Nothing was charged"))
    page.get_by_role("link", name=say("Pay another way")).click()
    go_on(page)
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_other_pages_are_answered_while_the_bank_is_silent(page: Page, acme, owner, say, gate):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    pay(page)
    gate.wait_for_requests()
    expect(heading(page)).to_have_text(say("Your payment is being confirmed"))
    open_plans(page, acme)
    expect(page.get_by_test_id("plan-action")).to_be_visible()
    assert [payment.state for payment in payments_of(acme)] == ["created"]
