"""Adding a subscription, from the button to the card of what was paid, as every kind of reader goes it."""

import re

import pytest
from playwright.sync_api import Page, expect

from portal.services.subscriptions import cancellation
from portal.worker import jobs
from tests.browser.reader import LOOKS, PAIRWISE, WITH_AND_WITHOUT_SCRIPTS, Reader, read_by, read_by_each
from tests.browser.steps import (
    FRENCH_COMPANY,
    come_signed_in,
    expect_refused,
    expect_step,
    fill_in,
    go_on,
    heading,
    pay,
)
from tests.browser.watch import assert_accessible, assert_fits_the_narrowest_screen
from tests.licensed import bought, tried
from tests.paying import an_order
from tests.paying import pay as pay_order

NEW = "/w/acme/subscriptions/new"
PROFESSIONAL = "meetings-professional"


def question(page: Page):
    return page.locator("#step-title")


def choose(page: Page, value: str) -> None:
    page.locator(f"main input[type=radio][value={value}]").check()


def go_next(page: Page) -> None:
    page.get_by_test_id("next").click()


def total(page: Page):
    return page.get_by_test_id("running-total")


@read_by(*PAIRWISE, at_least=2)
def test_licences_of_a_product_from_the_button_to_the_card(page: Page, reader, acme, owner, say):
    french = reader.language == "fr"
    come_signed_in(page, owner)
    page.goto("/w/acme/subscriptions")
    expect(heading(page)).to_have_text(say("Subscriptions"))
    page.get_by_test_id("add-subscription").click()
    expect(heading(page)).to_have_text(say("Add a subscription"))
    page.get_by_test_id("product-meetings").get_by_role("link").click()

    expect(question(page)).to_contain_text("Réunions" if french else "Meetings")
    choose(page, "buy")
    go_next(page)
    choose(page, PROFESSIONAL)
    expect(page.get_by_role("row")).to_have_count(7)
    if reader.scripts:
        expect(total(page)).to_contain_text("15,00" if french else "15.00")
    go_next(page)

    expect(question(page)).to_have_text(
        say(
            "%(plan)s: how many licences do you need?",
            plan="Réunions Professionnel" if french else "Meetings Professional",
        )
    )
    page.get_by_test_id("licences").fill("0")
    go_next(page)
    expect_refused(page, "licences")
    expect(page.get_by_test_id("licences")).to_have_value("0")
    page.get_by_test_id("licences").fill("12")
    if reader.scripts:
        expect(total(page)).to_contain_text("156,00" if french else "156.00")
    go_next(page)

    expect(page.locator("[name=interval][value=month]")).to_be_checked()
    expect(total(page)).to_contain_text("156,00" if french else "156.00")
    choose(page, "year")
    if reader.scripts:
        expect(total(page)).to_contain_text("560,00" if french else "1,560.00")
    proceed = page.get_by_test_id("proceed")
    expect(proceed).to_have_text("Passer au paiement" if french else "Proceed to checkout")
    proceed.click()

    expect_step(page, "details")
    expect(page.locator(".order")).to_contain_text("560,00" if french else "1,560.00")
    fill_in(page, FRENCH_COMPANY, scripts=reader.scripts)
    go_on(page)
    expect_step(page, "review")
    # With 20 % VAT.
    expect(page.get_by_test_id("order-total")).to_contain_text("872,00" if french else "1,872.00")
    pay(page)
    expect_step(page, "result")

    page.get_by_role("link", name=say("Back to the subscriptions")).click()
    cards = page.locator("[data-testid^=subscription-]")
    expect(cards).to_have_count(2)
    card = page.get_by_test_id("subscription-meetings")
    expect(card.get_by_test_id("licences")).to_have_text(
        "0 attribuée sur 12" if french else "0 of 12 assigned"
    )
    expect(card.get_by_test_id("cycle")).to_have_text(say("Yearly"))
    expect(card.get_by_role("link", name=re.compile("INV-2026"))).to_be_visible()
    page.goto(f"{NEW}?product=meetings")
    expect(page).to_have_url(re.compile("/subscriptions#subscription-meetings$"))


@read_by(*WITH_AND_WITHOUT_SCRIPTS, at_least=2)
def test_back_keeps_what_was_chosen(page: Page, reader, acme, owner):
    come_signed_in(page, owner)
    page.goto(f"{NEW}?product=meetings&how=buy")
    choose(page, PROFESSIONAL)
    go_next(page)
    page.get_by_test_id("licences").fill("12")
    if reader.scripts:
        expect(page).to_have_url(re.compile("licences=12"))
    go_next(page)
    expect(page.get_by_test_id("proceed")).to_be_visible()
    page.go_back()
    expect(page.get_by_test_id("licences")).to_have_value("12")
    page.go_back()
    expect(page.locator(f"input[type=radio][value={PROFESSIONAL}]")).to_be_checked()
    page.go_forward()
    expect(page.get_by_test_id("licences")).to_have_value("12")
    page.go_forward()
    expect(page.get_by_test_id("proceed")).to_be_visible()
    # The steps that are done lead back too.
    page.locator(".steps a").last.click()
    expect(page.get_by_test_id("licences")).to_have_value("12")


def test_the_focus_is_on_the_question_of_the_step_that_came(page: Page, acme, owner):
    come_signed_in(page, owner)
    page.goto(f"{NEW}?product=meetings&how=buy")
    choose(page, PROFESSIONAL)
    page.get_by_test_id("next").press("Enter")
    expect(page.get_by_test_id("licences")).to_be_visible()
    expect(question(page)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("licences")).to_be_focused()
    # What is typed is followed by the total, and keeps the focus.
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("10")
    expect(total(page)).to_contain_text("€130.00")
    expect(page.get_by_test_id("licences")).to_be_focused()
    expect(page.locator("#news")).to_contain_text("Meetings Professional, 10 licences: €130.00 a month")


@read_by(*WITH_AND_WITHOUT_SCRIPTS, at_least=2)
def test_a_trial_from_the_button_to_its_confirmation(page: Page, reader, acme, owner, say):
    """No card, no checkout: « Commencer l’évaluation » leads to the page that says until when."""
    come_signed_in(page, owner)
    page.goto(f"{NEW}?product=meetings")
    choose(page, "try")
    go_next(page)
    choose(page, PROFESSIONAL)
    go_next(page)
    expect(page.locator("[name=interval]")).to_have_count(0)
    page.get_by_test_id("licences").fill("3")
    page.get_by_test_id("start-trial").click()
    expect(page).to_have_url(re.compile("/subscriptions/trial/meetings$"))
    expect(page.locator("main")).to_contain_text("3")
    page.goto("/w/acme/subscriptions")
    card = page.get_by_test_id("subscription-meetings")
    expect(card).to_contain_text(say("On trial"))
    expect(card.get_by_test_id("act-meetings")).to_be_visible()


@pytest.fixture
def look(page: Page, reader):
    def at() -> None:
        for width, theme in LOOKS[reader.language]:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=theme)
            assert_accessible(page)
        assert_fits_the_narrowest_screen(page)

    return at


@read_by_each(Reader("en"), Reader("fr"))
def test_every_step_and_every_card_is_accessible_and_fits(page: Page, acme, owner, place, look, clock):
    come_signed_in(page, owner)
    chosen = f"{NEW}?product=meetings&how=buy&plan={PROFESSIONAL}&licences=12"
    for path in (
        "/w/acme/subscriptions",
        NEW,
        f"{NEW}?product=meetings",
        f"{NEW}?product=meetings&how=buy",
        f"{chosen}&step=licences",
        chosen,
        f"{NEW}?product=meetings&how=buy&plan={PROFESSIONAL}&licences=501",
        f"{NEW}?product=meetings&how=try&plan={PROFESSIONAL}",
    ):
        page.goto(path)
        look()
    with jobs.at_work():
        payment = pay_order(an_order(place), auto_renewal=True)
        method = payment.order.workspace.payment_methods.get()
        bought(place, PROFESSIONAL, quantity=12, renews_with=method)
        tried(place, "webinar-pro")
        ended = bought(place, "training-standard")
        cancellation.cancel(ended, shown_ends_on=ended.due_on.isoformat(), now=clock.now())
    for path in ("/w/acme/subscriptions", NEW):
        page.goto(path)
        look()
    clock.advance(days=31)
    page.goto("/w/acme/subscriptions")
    look()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_the_currency_is_chosen_on_the_way_and_kept(page: Page, reader, acme, owner):
    come_signed_in(page, owner)
    page.goto(NEW)
    currency = page.get_by_test_id("currency")

    def show_dollars() -> None:
        currency.select_option("USD")
        if not reader.scripts:
            page.get_by_test_id("show-prices").click()

    show_dollars()
    expect(page.get_by_test_id("product-training")).to_contain_text("$")
    expect(currency).to_have_value("USD")
    page.get_by_test_id("product-training").get_by_role("link").click()
    if page.locator("main input[type=radio][value=buy]").count():
        choose(page, "buy")
        go_next(page)
    expect(total(page)).to_contain_text("$")
    page.get_by_test_id("licences").fill("2")
    currency.focus()
    currency.select_option("EUR")
    if reader.scripts:
        # What was typed stays, and so does the focus.
        expect(total(page)).to_contain_text("€")
        expect(page.get_by_test_id("licences")).to_have_value("2")
        expect(currency).to_be_focused()
    else:
        page.get_by_test_id("show-prices").click()
        expect(page.get_by_test_id("licences")).to_have_value("2")
    if reader.scripts:
        assert_accessible(page)
    show_dollars()
    expect(total(page)).to_contain_text("$")
    go_next(page)
    expect(page).to_have_url(re.compile("currency=USD"))
    expect(total(page)).to_contain_text("$")
    assert_fits_the_narrowest_screen(page)
    page.get_by_test_id("proceed").click()
    expect_step(page, "details")
    expect(page.locator(".order")).to_contain_text("$")
