"""However often somebody presses "Order", and from wherever: one charge (trust.md §3, F28–F36)."""

from playwright.sync_api import Page, expect

from portal.models import Session
from portal.worker import jobs
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by_each
from tests.browser.steps import (
    charges,
    choose_plan,
    come_signed_in,
    expect_refused,
    expect_step,
    fill_in_card,
    heading,
    newest_order,
    open_plans,
    order,
    pay,
    payments_of,
    plan,
    review_an_order,
    send_sign_in,
)
from tests.paying import ASKS_ALWAYS


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_double_click_pays_once(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    fill_in_card(page)
    page.get_by_test_id("place-order").dblclick()
    expect_step(page, "result")
    expect(heading(page)).to_have_text(say("Payment complete"))
    assert len(charges()) == len(payments_of(acme)) == 1


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_enter_pressed_again_and_again_pays_once(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    fill_in_card(page)
    page.locator("[name=holder]").focus()
    for _time in range(3):
        page.keyboard.down("Enter")
    expect_step(page, "result")
    expect(heading(page)).to_have_text(say("Payment complete"))
    assert len(charges()) == len(payments_of(acme)) == 1


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_the_second_tab_of_an_order_lands_on_the_result_of_the_first(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    second = page.context.new_page()
    second.goto(page.url)
    fill_in_card(second)
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    order(second)
    expect(heading(second)).to_have_text(say("Payment complete"))
    expect(second).to_have_url(page.url)
    assert len(charges()) == len(payments_of(acme)) == 1


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_while_one_order_is_open_at_the_bank_another_one_leads_to_it(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    first = review_an_order(page, acme, owner, "business-5")
    second = page.context.new_page()
    review_an_order(second, acme, owner, "business-10")
    pay(page, ASKS_ALWAYS)
    expect(heading(page)).to_have_text(say("Confirm the payment"))
    pay(second)
    expect(heading(second)).to_have_text(say("Your bank asks you to confirm"))
    assert first.number in second.url
    assert len(payments_of(acme)) == 1


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_after_one_order_is_paid_the_other_shows_its_new_price_first(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner, "business-5")
    second = page.context.new_page()
    review_an_order(second, acme, owner, "business-10")
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    pay(second)
    expect_refused(second)
    expect(second.get_by_test_id("quote-days")).to_be_visible()
    assert len(charges()) == 1


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_going_back_after_paying_leads_to_the_result_again(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    page.go_back()
    if page.get_by_test_id("place-order").is_visible():
        pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    expect_step(page, "result")
    page.goto(f"/w/{acme.slug}/checkout/{newest_order(acme).number}")
    expect_step(page, "result")
    assert len(charges()) == len(payments_of(acme)) == 1


def test_a_session_that_ended_meanwhile_leads_to_the_sign_in_page_and_back(page: Page, acme, owner, say):
    """And never a sign-in form inside a part of the page."""
    come_signed_in(page, owner)
    open_plans(page, acme)
    with jobs.at_work():
        Session.delete().execute()
    plan(page, "business-10").click()
    expect(heading(page)).to_have_text(say("Sign in"))
    expect(page.get_by_test_id("workspace-menu")).to_have_count(0)
    send_sign_in(page, owner)
    expect(heading(page)).to_have_text(say("Plans"))


def test_a_part_of_a_page_is_a_whole_page_when_it_is_opened(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    open_plans(page, acme)
    with page.expect_response(lambda response: "price=" in response.url) as swapped:
        choose_plan(page, "business-10")
    page.goto(swapped.value.url)
    expect(heading(page)).to_have_text(say("Plans"))
    expect(page.locator(".plan-action")).to_contain_text("Business 10")
