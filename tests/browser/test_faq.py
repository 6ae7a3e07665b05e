"""The questions: opened one by one, all at once, by an address; with scripts and without."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.reader import LOOKS, PAIRWISE, WITH_AND_WITHOUT_SCRIPTS, Reader, read_by
from tests.browser.watch import NARROWEST, assert_accessible, assert_fits_the_narrowest_screen
from tests.matrix import taking_turns

QUESTIONS = 22
# Just wide enough for the table to be one, with its nine columns.
NARROWEST_TABLE = 640


def question(page: Page, number: int) -> Locator:
    return page.locator("details", has=page.locator(f"#q{number}"))


def opened(page: Page) -> Locator:
    return page.locator("#questions details[open]")


def fold(page: Page, state: str) -> Locator:
    """« Développer tout » (open) or « Réduire tout » (closed)."""
    return page.locator(f"[data-fold={state}]")


@read_by(*PAIRWISE)
def test_all_answers_are_shown_and_hidden(page: Page, live_server, reader):
    page.goto("/faq")
    expect(page.locator("#questions details")).to_have_count(QUESTIONS)
    expect(opened(page)).to_have_count(0)
    question(page, 3).locator("summary").click()
    expect(page.locator("#q3")).to_be_visible()
    expect(opened(page)).to_have_count(1)
    fold(page, "open").click()
    expect(opened(page)).to_have_count(QUESTIONS)
    expect(page.locator("#q22")).to_be_visible()
    question(page, 22).locator("summary").click()
    expect(opened(page)).to_have_count(QUESTIONS - 1)
    fold(page, "closed").click()
    expect(opened(page)).to_have_count(0)
    # A script does it on the page; without one the address does.
    expect(page).to_have_url(re.compile(r"/faq$" if reader.scripts else r"/faq\?open=none$"))


def test_with_scripts_the_server_is_not_asked_again(page: Page, live_server, watch):
    page.goto("/faq", wait_until="networkidle")
    asked = len(watch.asked)
    fold(page, "open").click()
    expect(opened(page)).to_have_count(QUESTIONS)
    assert len(watch.asked) == asked


@pytest.mark.parametrize("address", ["/faq#q7", "/faq?open=7#q7", "/faq?open=7"])
@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_an_address_opens_its_question(page: Page, live_server, address):
    page.goto(address)
    expect(page.get_by_test_id("worked-example")).to_be_visible()
    expect(opened(page)).to_have_count(1)
    if "#" in address:
        expect(question(page, 7).locator("summary")).to_be_in_viewport()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_one_answer_leads_to_another(page: Page, live_server):
    page.goto("/faq?open=6")
    page.locator("#q6 a").click()
    expect(page.get_by_test_id("worked-example")).to_be_visible()
    expect(opened(page)).to_have_count(2)


def test_the_questions_are_opened_by_keyboard_alone(page: Page, live_server):
    page.goto("/faq")
    fold(page, "closed").focus()
    page.keyboard.press("Tab")
    expect(question(page, 1).locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#q1")).to_be_visible()
    fold(page, "open").focus()
    page.keyboard.press("Enter")
    expect(opened(page)).to_have_count(QUESTIONS)
    expect(fold(page, "open")).to_be_focused()


@read_by(Reader("en"), Reader("fr"))
def test_the_page_in_every_look(page: Page, live_server, reader):
    for turn, address in enumerate(("/faq", "/faq?open=all")):
        page.goto(address)
        for width, theme in taking_turns(LOOKS[reader.language], turn):
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=theme)
            assert_accessible(page)
        assert_fits_the_narrowest_screen(page)
    page.set_viewport_size({"width": NARROWEST_TABLE, "height": 800})
    assert page.evaluate("() => document.documentElement.scrollWidth") == NARROWEST_TABLE


@pytest.mark.parametrize(
    ("width", "display"), [(NARROWEST, "block"), (NARROWEST_TABLE - 1, "block"), (NARROWEST_TABLE, "table")]
)
def test_the_example_becomes_cards_on_a_small_screen(page: Page, live_server, width, display):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto("/faq?open=7")
    expect(page.get_by_test_id("worked-example")).to_have_css("display", display)
