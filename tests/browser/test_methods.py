"""The rows of sources 3 and 4 about payment methods, told in a browser (source-systems.md §8)."""

import re

from playwright.sync_api import Page, expect

from portal.domain.vocabulary import Interval, Role
from portal.services.invoices import history
from portal.worker import jobs
from tests.browser.reader import THE_OTHER_WAY_ROUND, WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import (
    add_card,
    charges,
    come_signed_in,
    confirm,
    expect_refused,
    fill_in_card,
    open_menu,
    payments_of,
    refuse,
)
from tests.browser.watch import assert_looks_right
from tests.factories import a_member, a_person, seen_by
from tests.licensed import bought
from tests.paying import ASKS_ONCE, DECLINED, PAID
from tests.services.payments.test_on_account import ordered as on_account_order

IBAN = "DE46 9999 9999 0000 0042 42"
IBAN_MISTYPED = "DE46 9999 9999 0000 0042 24"
MASTERCARD = "5555555555554444"
JCB = "3566002020360505"
KINDS = {"card": 0, "paypal": 1, "sepa_debit": 2}


def open_methods(page: Page, workspace, say) -> None:
    """Behind the gear, under the name that the tab has."""
    page.goto(f"/w/{workspace.slug}/plans")
    menu = open_menu(page, "settings-menu")
    menu.get_by_role("link", name=say("Payment"), exact=True).click()


def add(page: Page, kind: str = "card") -> None:
    page.get_by_test_id("add-method").click()
    tab = page.locator("#adding nav a").nth(KINDS[kind])
    tab.click()
    expect(page.locator(f"#adding nav a[href$='kind={kind}']")).to_have_attribute("aria-current", "page")


def save(page: Page) -> None:
    page.get_by_test_id("save-method").click()


def listed(page: Page) -> list[str]:
    rows = page.locator("tr[data-testid^=card-]")
    return [row.get_attribute("data-testid").removeprefix("card-") for row in rows.all()]


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_method_of_each_kind_is_added_and_none_is_charged(page: Page, reader, acme, owner, say):
    come_signed_in(page, owner)
    open_methods(page, acme, say)
    add(page)
    assert_looks_right(page, reader)
    expect(page.get_by_test_id("save-method")).to_have_text(say("Save"))
    expect(page.locator("#adding")).not_to_contain_text(say("Bank transfer"))
    fill_in_card(page, DECLINED)
    save(page)
    expect_refused(page, "number")
    fill_in_card(page, ASKS_ONCE)
    save(page)
    confirm(page)
    expect(page.locator("h1")).to_have_text(say("The card is saved"))

    open_methods(page, acme, say)
    add(page, "sepa_debit")
    assert_looks_right(page, reader)
    page.locator("[name=iban]").fill(IBAN_MISTYPED)
    page.locator("[name=holder]").fill("Jeanne Martin")
    save(page)
    expect_refused(page, "iban", "agreed")
    expect(page.locator("[name=iban]")).to_have_value(IBAN_MISTYPED)
    assert_looks_right(page, reader)
    page.locator("[name=iban]").fill(IBAN)
    page.locator("[name=agreed]").check()
    save(page)
    expect(page.get_by_test_id("card-4242")).to_contain_text(f"{acme.customer_number}-M1")

    add(page, "paypal")
    assert_looks_right(page, reader)
    save(page)
    page.locator("[name=email]").fill("paid@paypal.example")
    confirm(page)
    expect(page.locator("h1")).to_have_text(say("The payment method is saved"))
    assert_looks_right(page, reader)
    open_methods(page, acme, say)
    assert listed(page) == ["3155", "4242", "paypal"]
    assert_looks_right(page, reader)
    assert charges() == []
    assert payments_of(acme) == []


@read_by(*THE_OTHER_WAY_ROUND)
def test_whoever_leaves_has_saved_nothing(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    open_methods(page, acme, say)
    add(page)
    fill_in_card(page)
    page.get_by_role("link", name=say("Back to the Payment page")).click()
    assert listed(page) == []
    add(page, "paypal")
    save(page)
    refuse(page)
    expect(page.locator("h1")).to_have_text(say("The payment method was not saved"))
    open_methods(page, acme, say)
    add(page, "paypal")
    save(page)
    # The window of PayPal is closed.
    expect(page).to_have_url(re.compile("/sandbox/paypal/"))
    open_methods(page, acme, say)
    assert listed(page) == []


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_the_tick_the_arrows_and_the_cross(page: Page, reader, acme, owner, say):
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/payment-methods")
    for number in (PAID, MASTERCARD, JCB):
        add_card(page, number)
        expect(page.get_by_test_id(f"card-{number[-4:]}")).to_be_visible()
    page.get_by_test_id("card-up-0505").click()
    expect(page.get_by_test_id("card-down-0505")).to_be_visible()
    assert listed(page) == ["4242", "0505", "4444"]
    page.get_by_test_id("card-use-4444").click()
    expect(page.get_by_test_id("card-4444")).to_contain_text(say("Charged first"))
    assert listed(page) == ["4444", "4242", "0505"]
    assert_looks_right(page, reader)
    page.get_by_test_id("card-remove-4444").click()
    expect(page.get_by_test_id("remove-card")).to_be_visible()
    page.get_by_role("link", name=say("Cancel")).click()
    assert listed(page) == ["4444", "4242", "0505"]
    page.get_by_test_id("card-remove-4444").click()
    page.get_by_test_id("remove-card").click()
    expect(page.get_by_test_id("card-4242")).to_contain_text(say("Charged first"))
    assert listed(page) == ["4242", "0505"]


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_from_the_licences_page_it_is_a_dialog_with_the_same_data(page: Page, reader, acme, owner, say):
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/licences")
    expect(page.get_by_test_id("licence-methods")).to_contain_text(say("No payment method is saved"))
    assert_looks_right(page, reader)
    page.get_by_test_id("add-method").click()
    if reader.scripts:
        # Closing stores nothing, whatever was typed.
        dialog = page.locator("dialog#add-method")
        expect(dialog).to_be_visible()
        assert_looks_right(page, reader)
        fill_in_card(page)
        dialog.locator("[data-dialog-close]").click()
        expect(dialog).to_be_hidden()
        page.reload()
        expect(page.get_by_test_id("licence-methods")).to_contain_text(say("No payment method is saved"))
        page.get_by_test_id("add-method").click()
        fill_in_card(page, DECLINED)
        save(page)
        expect_refused(page, "number")
        expect(dialog).to_be_visible()
    page.locator("#adding nav a").nth(KINDS["sepa_debit"]).click()
    page.locator("[name=iban]").fill(IBAN)
    page.locator("[name=holder]").fill("Jeanne Martin")
    page.locator("[name=agreed]").check()
    save(page)
    expect(page.get_by_test_id("card-4242")).to_contain_text(f"{acme.customer_number}-M1")
    page.goto(f"/w/{acme.slug}/licences")
    expect(page.get_by_test_id("licence-methods")).to_contain_text("4242")


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_an_invited_billing_manager_adds_a_card_on_a_phone(page: Page, reader, acme, owner, say):
    with jobs.at_work():
        person = a_person("compta@acme.test", name="Ana Compta", language=None)
        a_member(acme, person, role=Role.BILLING_MANAGER)
    come_signed_in(page, person)
    page.goto(f"/w/{acme.slug}/billing")
    page.get_by_test_id("workspace-tabs").get_by_role("link", name=say("Payment"), exact=True).click()
    assert_looks_right(page, reader)
    add_card(page, PAID)
    expect(page.get_by_test_id("flash")).to_contain_text("4242")
    assert listed(page) == ["4242"]


@read_by(*THE_OTHER_WAY_ROUND)
def test_the_first_method_offers_to_pay_yearly_licences(page: Page, reader, acme, owner, say):
    with jobs.at_work():
        place = seen_by(owner, acme)
        bought(place, interval=Interval.YEAR)
        invoice = history.invoice_of(on_account_order(place))
    come_signed_in(page, owner)
    paid = len(charges())
    box = page.locator("[name=renew]")
    if reader.scripts:
        # The dialog asks for what it offers once it is open.
        page.goto(f"/w/{acme.slug}/licences")
        page.get_by_test_id("add-method").click()
        expect(page.locator("dialog#add-method").get_by_test_id("renewals").locator(box)).to_be_visible()
        assert_looks_right(page, reader)
    page.goto(f"/w/{acme.slug}/payment-methods/new")
    expect(box).to_have_count(1)
    expect(box).not_to_be_checked()
    expect(page.get_by_test_id("open-invoices")).to_contain_text(invoice.number)
    assert_looks_right(page, reader)
    box.check()
    fill_in_card(page, DECLINED)
    save(page)
    expect_refused(page, "number")
    expect(box).to_be_checked()
    # Whoever leaves has switched nothing on.
    page.goto(f"/w/{acme.slug}/payment-methods/new")
    expect(box).not_to_be_checked()
    box.check()
    fill_in_card(page)
    save(page)
    product = "Réunions" if reader.language == "fr" else "Meetings"
    flash = say("Automatic renewal of %(product)s is on.", product=product)
    expect(page.get_by_test_id("flash")).to_contain_text(flash)
    page.get_by_test_id("add-method").click()
    expect(box).to_have_count(0)
    page.get_by_test_id("open-invoices").get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"/invoices/{invoice.number}/pay$"))
    assert len(charges()) == paid
