"""The cards that are taken, who takes them, and what of them nobody else sees (source-systems.md §2, Q16)."""

from playwright.sync_api import Page, Route, expect

from portal.runtime import current
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, Reader, read_by, read_by_each
from tests.browser.steps import (
    add_card,
    charges,
    come_signed_in,
    expect_refused,
    pay,
    payments_of,
    review_an_order,
)
from tests.browser.watch import assert_looks_right
from tests.paying import DECLINED

BRANDS = {
    "Visa": ("4242 4242 4242 4242", "123"),
    "Mastercard": ("5555 5555 5555 4444", "123"),
    "American Express": ("3782 822463 10005", "1234"),
    "JCB": ("3566 0020 2036 0505", "123"),
    "Discover": ("6011 1111 1111 1117", "123"),
}
OF_NO_SUCH_BRAND = "6200 0000 0000 0005"


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_every_listed_brand_is_taken_and_no_other(page: Page, reader, acme, owner):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    processor = current().gateways["sandbox"].capabilities().processor_name
    expect(page.locator(".pay")).to_contain_text(processor)

    page.goto(f"/w/{acme.slug}/payment-methods")
    assert_looks_right(page, reader)
    for brand, (number, code) in BRANDS.items():
        add_card(page, number, code=code)
        expect(page.get_by_test_id(f"card-{number[-4:]}")).to_contain_text(brand)
    expect(page.locator("[data-testid^=card-use-]")).to_have_count(len(BRANDS) - 1)
    add_card(page, OF_NO_SUCH_BRAND)
    expect_refused(page, "number")
    expect(page.locator("[name=number]")).to_have_value("")
    assert_looks_right(page, reader)
    assert charges() == []
    assert payments_of(acme) == []


def test_a_number_is_grouped_as_on_the_card_while_it_is_typed(page: Page, acme, owner):
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/payment-methods")
    field = page.locator("[name=number]")
    for typed, shown in {
        "42": "42",
        "4242": "4242",
        "42424": "4242 4",
        "4242-4242.4242/4242": "4242 4242 4242 4242",
        "378282246310005": "3782 822463 10005",
        "3782 8224": "3782 8224",
        "4242424242424242424": "4242 4242 4242 4242 424",
    }.items():
        field.fill("")
        field.press_sequentially(typed)
        expect(field).to_have_value(shown)
    field.fill("4242424242424242")
    expect(field).to_have_value("4242 4242 4242 4242")
    field.fill("Card number: 4242424242424242")
    expect(field).to_have_value("Card number: 4242424242424242")


def test_the_cursor_stays_where_a_number_is_mended(page: Page, acme, owner):
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/payment-methods")
    field = page.locator("[name=number]")
    field.press_sequentially("4242424242424242")
    field.press("Home")
    for _digit in range(3):
        field.press("ArrowRight")
    field.press_sequentially("56")
    expect(field).to_have_value("4245 6242 4242 4242 42")
    field.press("Backspace")
    field.press("Backspace")
    expect(field).to_have_value("4242 4242 4242 4242")
    # Over the gap, in both directions.
    field.press("ArrowRight")
    field.press("Delete")
    field.press("Delete")
    expect(field).to_have_value("4242 2424 2424 242")
    field.press("Backspace")
    field.press("Backspace")
    expect(field).to_have_value("4242 4242 4242 42")


@read_by_each(Reader(), Reader("fr"))
def test_a_busy_button_says_what_it_does_and_then_the_amount_again(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    button = page.get_by_test_id("place-order")
    label = button.text_content()
    held: list[Route] = []
    page.route("**/review", lambda route: held.append(route))
    pay(page, DECLINED)
    expect(button).to_have_text(say("Paying…"))
    expect(button).to_be_disabled()
    expect(page.locator("#news")).to_have_text(say("Paying…"))
    held[0].continue_()
    expect_refused(page, "number")
    expect(button).to_have_text(label)
    expect(button).to_be_enabled()
