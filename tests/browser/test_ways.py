"""The ways to the payments page, and the page by keyboard alone."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import (
    chosen_plan,
    come_signed_in,
    expect_step,
    heading,
    open_menu,
    open_plans,
)

WAYS = {"settings-menu": "Payments", "workspace-menu": "Billing"}
# Billing begins with its overview; the plans are the tab beside it.
LEADS_TO = {"settings-menu": "Plans", "workspace-menu": "Overview"}
MOST_TABS = 60


@pytest.mark.parametrize("menu", WAYS)
@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_menu_leads_to_the_payments_page(page: Page, acme, owner, say, menu):
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/members")
    open_menu(page, menu).get_by_role("link", name=say(WAYS[menu]), exact=True).click()
    expect(heading(page)).to_have_text(say(LEADS_TO[menu]))
    expect(open_menu(page, menu).locator("[aria-current=page]")).to_have_text(say(WAYS[menu]))
    if LEADS_TO[menu] != "Plans":
        # Closed again: it lies over the tabs.
        page.get_by_test_id(menu).locator("summary").click()
        page.get_by_test_id("workspace-tabs").get_by_role("link", name=say("Plans"), exact=True).click()
        expect(heading(page)).to_have_text(say("Plans"))


@pytest.mark.parametrize("menu", WAYS)
def test_the_keyboard_alone_leads_to_each_menu_s_page(page: Page, acme, owner, say, menu):
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/members")
    tab_to(page, page.get_by_test_id(menu).locator("summary"))
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_test_id(menu).get_by_role("link", name=say(WAYS[menu]), exact=True))
    page.keyboard.press("Enter")
    expect(heading(page)).to_have_text(say(LEADS_TO[menu]))


def test_escape_closes_a_menu_and_gives_the_focus_back(page: Page, acme, owner):
    come_signed_in(page, owner)
    open_plans(page, acme)
    summary = page.get_by_test_id("settings-menu").locator("summary")
    tab_to(page, summary)
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("settings-menu").get_by_role("link").first).to_be_hidden()
    expect(summary).to_be_focused()


def test_a_plan_is_chosen_and_ordered_by_keyboard_alone(page: Page, acme, owner):
    """The focus stays where it was when the part of the page around it is swapped."""
    come_signed_in(page, owner)
    open_plans(page, acme)
    radios = page.locator("[name=price]")
    tab_to(page, radios.and_(page.locator(":checked")))
    with page.expect_response(lambda response: "price=" in response.url):
        page.keyboard.press("ArrowDown")
    expect(page.locator("[name=price]:checked")).to_be_focused()
    tab_to(page, page.get_by_test_id("plan-action"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    tab_to(page, page.get_by_test_id("buy-ok"))
    page.keyboard.press("Enter")
    expect_step(page, "details")


def test_of_quick_choices_the_last_one_counts(page: Page, acme, owner, say):
    """The frame follows the choice itself; what belongs to an earlier choice never comes after it."""
    come_signed_in(page, owner)
    open_plans(page, acme)
    page.locator("[name=price][value='business-3:month']").focus()
    for _press in range(4):
        page.keyboard.press("ArrowDown")
    chosen = page.locator("[name=price]:checked")
    expect(chosen).to_have_value("business-10:month")
    expect(chosen_plan(page)).to_contain_text("Business 10")
    expect(chosen).to_be_focused()


def test_the_first_tab_offers_to_skip_to_the_content(page: Page, live_server):
    page.goto("/pricing")
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus; it must then show it."""
    for _press in range(MOST_TABS):
        page.keyboard.press("Tab")
        if target.evaluate("target => target === document.activeElement"):
            break
    expect(target).to_be_focused()
    expect(target).to_have_css("outline-style", "solid")
