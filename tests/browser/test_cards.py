"""The cards that are taken, who takes them, and what of them nobody else sees (source-systems.md §2, Q16)."""

from playwright.sync_api import Page, expect

from portal.runtime import current
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import (
    add_card,
    charges,
    come_signed_in,
    expect_refused,
    payments_of,
    review_an_order,
)
from tests.browser.watch import assert_looks_right

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
