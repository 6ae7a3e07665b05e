"""A cart that two people fill, that says what has changed, and that one order empties."""

from datetime import date

import pytest
from playwright.sync_api import Page, expect

from portal.domain.choices import Choice
from portal.domain.money import Money
from portal.domain.vocabulary import Interval, Role
from portal.models import Plan, Product
from portal.runtime import current
from portal.services.checkout import cart
from portal.worker import jobs
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, Reader, read_by, read_by_each
from tests.browser.steps import (
    charges,
    come_signed_in,
    expect_refused,
    expect_step,
    go_on,
    heading,
    pay,
    wait_for_mail,
)
from tests.conftest import TODAY
from tests.factories import CATALOGUE, a_member, a_person, seen_by
from tests.paying import DECLINED, an_order, apply_catalogue

IN_BOTH_LANGUAGES = (Reader("en"), Reader("fr"))


@pytest.fixture
def full(acme, owner):
    """Three licences of Meetings by the month, two of Webinar by the year: 33.00 and 900.00."""
    with jobs.at_work():
        place = seen_by(owner, acme)
        for choice in (
            Choice("meetings-essential", Interval.MONTH, 3),
            Choice("webinar-standard", Interval.YEAR, 2),
        ):
            cart.add(place, choice=choice, currency="EUR", now=current().clock.now())


def open_cart(page: Page, acme) -> None:
    page.goto(f"/w/{acme.slug}/cart")


def expect_net(page: Page, written, minor: int) -> None:
    expect(page.get_by_test_id("cart-net")).to_have_text(written(Money(minor, "EUR")))


def want(page: Page, product: str, number: str, *, scripts: bool) -> None:
    page.locator(f"#{product}-quantity").fill(number)
    if scripts:
        page.keyboard.press("Tab")
    else:
        page.get_by_test_id(f"cart-{product}").get_by_test_id("cart-update").click()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_numbers_are_changed_a_line_is_removed_and_the_rest_is_ordered(
    page: Page, reader, acme, owner, full, say, written
):
    come_signed_in(page, owner)
    with jobs.at_work():
        # The workspace's billing details are known.
        an_order(seen_by(owner, acme))
    open_cart(page, acme)
    expect_net(page, written, 93_300)
    want(page, "meetings", "10", scripts=reader.scripts)
    expect_net(page, written, 101_000)
    page.locator("#meetings-plan").select_option("meetings-professional:month")
    if not reader.scripts:
        page.get_by_test_id("cart-meetings").get_by_test_id("cart-update").click()
    # 10 × 13.00: the price from ten licences on.
    expect_net(page, written, 103_000)
    page.get_by_test_id("cart-remove-webinar").click()
    expect_net(page, written, 13_000)
    page.get_by_test_id("cart-proceed").click()
    expect_step(page, "details")
    expect(page.get_by_test_id("order-line")).to_have_count(1)
    go_on(page)
    pay(page, DECLINED)
    expect_refused(page)
    open_cart(page, acme)
    expect_net(page, written, 13_000)
    page.get_by_test_id("cart-proceed").click()
    go_on(page)
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    open_cart(page, acme)
    expect(page.get_by_role("heading", name=say("The cart is empty"))).to_be_visible()
    assert len(charges()) == 1


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_two_products_are_one_order_from_the_button_to_the_licences(
    page: Page, reader, acme, owner, say, written
):
    """While the cart holds something, the last step adds to it. 2 × 450.00 a year, 2 × 99.00 a month."""
    here = f"/w/{acme.slug}"
    come_signed_in(page, owner)
    with jobs.at_work():
        place = seen_by(owner, acme)
        an_order(place)
        webinar = Choice("webinar-standard", Interval.YEAR, 2)
        cart.add(place, choice=webinar, currency="EUR", now=current().clock.now())

    # One plan: it is not asked for.
    page.goto(f"{here}/subscriptions/new?product=training")
    expect(page.locator("[name=how]")).to_have_count(2)
    page.locator("[name=how][value=buy]").check()
    page.get_by_test_id("next").click()
    for wrong in ("-1", "many"):
        page.get_by_test_id("licences").fill(wrong)
        page.get_by_test_id("next").click()
        expect_refused(page, "licences")
        expect(page.get_by_test_id("licences")).to_have_value(wrong)
    page.get_by_test_id("licences").fill("2")
    page.get_by_test_id("next").click()
    expect(page.locator("[name=interval][value=month]")).to_be_checked()
    expect(page.get_by_test_id("proceed")).to_have_count(0)
    page.get_by_test_id("add-to-cart").click()
    expect_net(page, written, 109_800)

    page.get_by_test_id("cart-proceed").click()
    go_on(page)
    expect_step(page, "review")
    expect(page.get_by_test_id("order-line")).to_have_count(2)
    training = page.get_by_test_id("order-line").filter(has_text=written(Money(9_900, "EUR")))
    for day in (TODAY.date(), date(2026, 12, 21)):
        expect(training.get_by_test_id("order-period")).to_contain_text(written(day))
    expect(training.get_by_test_id("order-rate")).to_contain_text("2")
    expect(page.get_by_test_id("order-total")).to_have_text(written(Money(131_760, "EUR")))
    page.get_by_test_id("change-order").click()
    want(page, "training", "3", scripts=reader.scripts)
    expect_net(page, written, 119_700)
    page.get_by_test_id("cart-proceed").click()
    go_on(page)
    # With 20 % VAT.
    expect(page.get_by_test_id("order-total")).to_have_text(written(Money(143_640, "EUR")))
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    assert [charge.amount_minor for charge in charges()] == [143_640]

    # At once: who is to have the licences, and until when they are paid.
    page.get_by_test_id("assign-licences").get_by_role("link").click()
    expect(page.get_by_test_id("licence-products").get_by_role("row")).to_have_count(3)
    page.goto(f"{here}/subscriptions")
    expect(page.locator("[data-testid^=subscription-]")).to_have_count(3)
    card = page.get_by_test_id("subscription-training")
    expect(card.locator(".badge")).to_have_text(say("Paid"))
    expect(card.get_by_test_id("next-payment")).to_contain_text(written(date(2026, 12, 21)))

    # In the language of the workspace, which is English.
    wait_for_mail(page, "is confirmed").get_by_role("link").first.click()
    for fact in (
        "Training – monthly",
        "3 licences",
        "Webinar Standard – yearly",
        "21 December 2026",
        "€1,436.40",
    ):
        expect(page.get_by_role("main")).to_contain_text(fact)


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_number_that_is_none_is_refused_beside_its_field(page: Page, reader, acme, owner, full, written):
    come_signed_in(page, owner)
    open_cart(page, acme)
    for wrong in ("0", "-1", "1.5", "501", "many"):
        want(page, "meetings", wrong, scripts=reader.scripts)
        expect(page.locator("#meetings-quantity-error")).to_be_visible()
        expect(page.locator("#meetings-quantity")).to_have_value(wrong)
        expect(page.get_by_test_id("error-summary")).to_be_focused()
    expect_net(page, written, 93_300)
    want(page, "meetings", "4", scripts=reader.scripts)
    expect_net(page, written, 94_400)
    expect(page.get_by_test_id("error-summary")).to_have_count(0)


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_of_two_people_the_later_one_sees_both_values(page: Page, reader, acme, owner, full, written):
    come_signed_in(page, owner)
    open_cart(page, acme)
    with jobs.at_work():
        paul = a_person("paul@acme.test", name="Paul Petit")
        a_member(acme, paul, role=Role.BILLING_MANAGER)
        cart.put(
            seen_by(paul, acme),
            choice=Choice("meetings-essential", Interval.MONTH, 5),
            shown="meetings-essential:month:3",
            currency="EUR",
            now=current().clock.now(),
        )
    want(page, "meetings", "7", scripts=reader.scripts)
    line = page.get_by_test_id("cart-meetings")
    expect(line.locator("dd").first).to_contain_text("5")
    expect(line.locator("dd").last).to_contain_text("7")
    expect(page.locator("#meetings-quantity")).to_have_value("7")
    line.get_by_test_id("cart-save").click()
    expect_net(page, written, 97_700)


def test_two_changes_faster_than_the_answers_are_both_kept(page: Page, acme, owner, full, written):
    come_signed_in(page, owner)
    open_cart(page, acme)
    with page.expect_response(f"**/w/{acme.slug}/cart/meetings"):
        page.locator("#meetings-quantity").fill("10")
        page.keyboard.press("Tab")
        page.locator("#meetings-plan").select_option("meetings-professional:month")
    expect_net(page, written, 103_000)
    expect(page.get_by_test_id("error-summary")).to_have_count(0)


@read_by(*IN_BOTH_LANGUAGES)
def test_what_has_changed_since_is_said(page: Page, acme, owner, full, written, say):
    come_signed_in(page, owner)
    open_cart(page, acme)
    with jobs.at_work():
        apply_catalogue(
            CATALOGUE.read_text().replace(
                'currency = "EUR", amount_minor = 1100 }', 'currency = "EUR", amount_minor = 1200 }'
            )
        )
        Plan.update(hidden=True).where(Plan.code == "webinar-standard").execute()
        Product.update(revision="another").execute()
    page.get_by_test_id("cart-proceed").click()
    expect(page.get_by_test_id("error-summary")).to_be_focused()
    expect(page.get_by_test_id("cart-difference")).to_contain_text(written(Money(1_200, "EUR")))
    expect(page.get_by_test_id("cart-problem")).to_have_count(1)
    expect(page.get_by_test_id("cart-proceed")).to_have_count(0)
    page.locator("#webinar-plan").select_option("webinar-pro:year")
    # 3 × 12.00 and 2 × 920.00.
    expect_net(page, written, 187_600)
    page.get_by_test_id("cart-proceed").click()
    expect_step(page, "details")


@read_by_each(Reader("fr", width=320), Reader("en", width=320, theme="dark"))
def test_nothing_is_scrolled_sideways(page: Page, acme, owner, full):
    come_signed_in(page, owner)
    open_cart(page, acme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
