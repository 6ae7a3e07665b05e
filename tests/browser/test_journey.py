"""The whole way from the trial to the invoice, as every kind of reader goes it."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from portal.worker import jobs
from tests.browser.reader import PAIRWISE, WITH_AND_WITHOUT_SCRIPTS, Reader, read_by
from tests.browser.steps import (
    FRENCH_COMPANY,
    GERMAN_COMPANY,
    Buyer,
    buy,
    change_price,
    charges,
    choose_country,
    choose_currency,
    choose_plan,
    chosen_plan,
    come_signed_in,
    confirm,
    download,
    empty_the_form,
    expect_refused,
    expect_step,
    fill_in,
    fill_in_card,
    go_on,
    heading,
    newest_order,
    open_plans,
    order,
    pay,
    plan,
    reconcile,
    refuse,
    review_an_order,
    sign_in,
    sign_out,
    starred_text_fields,
    wait_for_mail,
)
from tests.factories import PASSWORD, a_member, a_person
from tests.paying import (
    ASKS_ALWAYS,
    ASKS_ONCE,
    DECLINED,
    DECLINED_WHEN_CHARGED,
    EXPIRED,
    NOT_ENOUGH_FUNDS,
    the_sandbox,
)

WITHOUT_SCRIPTS = Reader("en", scripts=False)
SMALL_AND_DARK = Reader("fr", width=360, theme="dark")
ORDER_CHANGED = "Nothing was charged. The order has changed since you saw it: please check it again."
NOT_A_NUMBER = "4242 4242 4242 4241"


@read_by(*PAIRWISE, at_least=2)
def test_from_the_trial_to_the_invoice(page: Page, reader, acme, owner, say):
    scripts = reader.scripts
    buyer = FRENCH_COMPANY if reader.language == "fr" else GERMAN_COMPANY
    due = "28,00" if reader.language == "fr" else "€28.00"

    # The plans: use, the recommended one, a choice, another currency.
    sign_in(page, owner)
    expect(heading(page)).to_have_text(say("Plans"))
    expect(page.get_by_test_id("usage-users")).to_have_text("1")
    expect(page.get_by_test_id("usage-storage")).to_contain_text("10")
    expect(plan(page, "business-3")).to_contain_text(say("Recommended"))
    expect(plan(page, "business-3").get_by_role("radio")).to_be_checked()
    expect(in_orange(page)).to_have_count(0)
    expect(page.get_by_test_id("history-row")).to_have_count(0)
    choose_plan(page, "business-5", scripts=scripts)
    expect(chosen_plan(page)).to_contain_text("Business 5")
    expect(page.get_by_test_id("plan-action")).to_have_text(say("Buy now"))
    choose_currency(page, "USD", scripts=scripts)
    expect(plan(page, "business-5")).to_contain_text("30")
    expect(chosen_plan(page)).to_contain_text("30,00" if reader.language == "fr" else "$30.00")
    choose_currency(page, "EUR", scripts=scripts)
    expect(chosen_plan(page)).to_contain_text(due)

    # The "Buy" dialog: closing it stays, OK goes on.
    page.get_by_test_id("plan-action").click()
    if scripts:
        dialog = page.get_by_role("dialog", name=say("Buy"))
        expect(dialog).to_be_visible()
        dialog.get_by_role("button", name=say("Close")).click()
        expect(dialog).to_be_hidden()
    else:
        expect(heading(page)).to_have_text(say("Buy"))
        page.get_by_role("link", name=say("Back to the plans")).click()
        expect(plan(page, "business-5").get_by_role("radio")).to_be_checked()
    expect(heading(page)).to_have_text(say("Plans"))
    buy(page)

    # Billing details: nothing filled in, then mistakes, then right.
    expect(heading(page)).to_have_text(say("Billing details"))
    expect(page.locator("[name=is_business]")).not_to_be_checked()
    expect(page.locator("[name=company_name]")).to_be_hidden()
    empty_the_form(page)
    go_on(page)
    expect_refused(page, *starred_text_fields(page))
    expect(page.locator("[name=payment_method]")).to_have_value("card")

    choose_country(page, "US", scripts=scripts)
    expect(page.locator("select[name=region] option[value=CA]")).to_have_text(re.compile("Californi[ae]"))
    choose_country(page, "CA", scripts=scripts)
    expect(page.locator("select[name=region] option[value=AB]")).to_have_text("Alberta")
    expect(page.locator("select[name=region] option[value=CA]")).to_have_count(0)

    fill_in(page, buyer, scripts=scripts)
    page.locator("[name=email_confirm]").fill("other@acme.test")
    page.locator("[name=vat_number]").fill(buyer.vat_number[:-1] + str((int(buyer.vat_number[-1]) + 1) % 10))
    go_on(page)
    expect_refused(page, "email_confirm", "vat_number")
    expect(page.locator("[name=email_confirm]")).to_have_value("other@acme.test")
    expect(page.locator("[name=street]")).to_have_value(buyer.address["street"])
    page.locator("[name=is_business]").uncheck()
    expect(page.locator("[name=vat_number]")).to_be_hidden()
    fill_in(page, buyer, scripts=scripts)
    expect(page.locator("[name=company_name]")).to_be_visible()
    go_on(page)

    # Review: the recap, a way back that keeps everything, mistakes in the card.
    expect_step(page, "review")
    expect(heading(page)).to_have_text(say("Review and pay"))
    for text in (
        buyer.company,
        buyer.address["street"],
        buyer.address["city"],
        buyer.email,
        buyer.vat_number,
    ):
        expect(page.locator(".facts").first).to_contain_text(text)
    page.get_by_role("link", name=say("the billing details")).click()
    expect(page.locator("[name=city]")).to_have_value(buyer.address["city"])
    expect(page.locator("[name=is_business]")).to_be_checked()
    go_on(page)
    expect_step(page, "review")
    total = page.get_by_test_id("order-total")
    expect(total).to_contain_text("33,60" if reader.language == "fr" else "€28.00")
    expect(page.locator("[name=auto_renewal]")).not_to_be_checked()
    fill_in_card(page, NOT_A_NUMBER, month="01", year="2026", code="12")
    order(page)
    expect_refused(page, "number", "exp_month", "security_code")
    expect(page.locator("[name=number]")).to_have_value("")
    expect(page.locator("[name=holder]")).to_have_value("Jeanne Martin")

    # A declined card keeps the form, but no digit of the card.
    pay(page, DECLINED)
    expect_refused(page, "number")
    for sentence in (
        "Your bank declined the card and did not say why.",
        "Use another card, or contact your bank.",
    ):
        expect(page.get_by_test_id("error-summary")).to_contain_text(say(sentence))
    expect(page.locator("[name=number]")).to_have_value("")
    expect(page.locator("[name=security_code]")).to_have_value("")
    expect(page.locator("[name=holder]")).to_have_value("Jeanne Martin")
    expect(total).to_be_visible()

    # Paid.
    pay(page)
    expect_step(page, "result")
    expect(heading(page)).to_have_text(say("Payment complete"))
    assert [charge.amount_minor for charge in charges()] == [3360 if reader.language == "fr" else 2800]
    page.get_by_role("link", name=say("Back to the plans")).click()
    expect(plan(page, "business-5")).to_contain_text(say("Your plan"))
    expect(in_orange(page)).to_have_count(1)
    expect(page.get_by_test_id("usage-users")).to_contain_text("5")
    row = page.get_by_test_id("history-row")
    expect(row).to_have_count(1)
    for text in ("INV-2026-000001", "Visa", "4242", "Jeanne Martin", buyer.email):
        expect(row).to_contain_text(text)

    # The invoice: the same bytes each time, on the page, and in the mail.
    once = download(page, page.get_by_test_id("invoice-link"))
    open_plans(page, acme)
    assert once.startswith(b"%PDF")
    assert download(page, page.get_by_test_id("invoice-link")) == once
    row.get_by_role("link", name="INV-2026-000001").first.click()
    expect(heading(page)).to_contain_text("INV-2026-000001")
    expect(page.get_by_test_id("order-total")).to_contain_text(
        "33,60" if reader.language == "fr" else "€28.00"
    )
    wait_for_mail(page, newest_order(acme).number).get_by_role("link").click()
    attached = download(page, page.get_by_role("link", name="INV-2026-000001.pdf"))
    assert attached.startswith(b"%PDF")

    # Out.
    open_plans(page, acme)
    sign_out(page)
    expect(heading(page)).to_have_text(say("Sign in"))
    page.go_back()
    expect(heading(page)).to_have_text(say("Sign in"))


@read_by(WITHOUT_SCRIPTS, SMALL_AND_DARK)
def test_signing_up_leads_to_a_trial_workspace(page: Page, reader, live_server, say):
    page.goto("/")
    page.get_by_role("link", name=say("Try it free")).first.click()
    page.get_by_test_id("sign-up").click()
    expect_refused(page, "name", "email", "workspace_name", "password")
    for name, text in {
        "name": "Noé Brun",
        "email": "noe@brun.test",
        "workspace_name": "Atelier Brun",
        "password": PASSWORD,
    }.items():
        page.locator(f"[name={name}]").fill(text)
    page.get_by_test_id("sign-up").click()
    expect(heading(page)).to_have_text(say("Check your inbox"))
    wait_for_mail(page, "Atelier Brun").get_by_role("link").click()
    page.get_by_role("link", name="/w/").first.click()
    page.locator("[name=email]").fill("noe@brun.test")
    page.locator("[name=password]").fill("something else")
    page.get_by_test_id("sign-in").click()
    expect_refused(page)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_test_id("sign-in").click()
    expect(heading(page)).to_have_text(say("Plans"))
    expect(page.get_by_test_id("workspace-menu").locator("summary")).to_have_text("Atelier Brun")


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_bank_that_asks_is_told_no_and_then_yes(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    pay(page, ASKS_ONCE)
    expect(heading(page)).to_have_text(say("Confirm the payment"))
    refuse(page)
    expect_step(page, "result")
    expect(heading(page)).to_have_text(say("Nothing was charged"))
    page.get_by_role("link", name=say("Pay another way")).click()
    expect_step(page, "details")
    expect(page.locator("[name=payment_method]")).to_be_in_viewport()
    go_on(page)
    expect_step(page, "review")
    pay(page, ASKS_ALWAYS)
    expect(heading(page)).to_have_text(say("Confirm the payment"))
    confirm(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    assert len(charges()) == 1


def test_a_payment_left_at_the_bank_can_be_made_another_way(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    pay(page, ASKS_ALWAYS)
    expect(heading(page)).to_have_text(say("Confirm the payment"))
    page.goto(f"/w/{acme.slug}/checkout/{newest_order(acme).number}/result")
    expect(heading(page)).to_have_text(say("Your bank asks you to confirm"))
    page.get_by_role("button", name=say("Pay another way")).click()
    expect_step(page, "details")
    go_on(page)
    expect_step(page, "review")
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    assert len(charges()) == 1


def test_a_browser_closed_at_the_bank_changes_nothing(page: Page, acme, owner, say, another_browser):
    """The bank heard "yes"; nobody came back. The worker finds out, and the mail is sent."""
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    pay(page, ASKS_ALWAYS)
    expect(heading(page)).to_have_text(say("Confirm the payment"))
    at_the_bank = page.url.rpartition("/")[2]
    page.context.close()
    the_sandbox().answer_challenge(at_the_bank, confirmed=True)
    reconcile()
    later = another_browser()
    come_signed_in(later, owner)
    open_plans(later, acme)
    expect(later.get_by_test_id("history-row")).to_have_count(1)
    expect(wait_for_mail(later, newest_order(acme).number)).to_be_visible()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_paypal_is_paid_on_its_own_page(page: Page, reader, acme, owner, say):
    come_signed_in(page, owner)
    open_plans(page, acme)
    buy(page)
    fill_in(page, Buyer(), scripts=reader.scripts)
    page.locator("[name=payment_method]").select_option("paypal")
    go_on(page)
    expect_step(page, "review")
    expect(page.locator("[name=number]")).to_have_count(0)
    order(page)
    expect(heading(page)).to_have_text(say("Pay with PayPal"))
    confirm(page)
    expect_refused(page, "email")
    page.locator("[name=email]").fill("paid@paypal.example")
    confirm(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    page.get_by_role("link", name=say("Back to the plans")).click()
    expect(page.get_by_test_id("history-row")).to_contain_text("PayPal")
    assert len(charges()) == 1


@pytest.mark.parametrize("number", [DECLINED, NOT_ENOUGH_FUNDS, EXPIRED, DECLINED_WHEN_CHARGED])
def test_a_refused_card_keeps_the_form_and_no_digit(page: Page, acme, owner, number):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    pay(page, number)
    expect_refused(page)
    for name in ("number", "security_code"):
        expect(page.locator(f"[name={name}]")).to_have_value("")
    expect(page.locator("[name=exp_year]")).to_have_value("2030")
    expect(page.locator("[name=holder]")).to_have_value("Jeanne Martin")
    assert number not in page.content()
    assert [charge.state for charge in charges()] == []


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_price_that_changed_is_shown_before_anything_is_charged(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    expect(page.get_by_test_id("order-total")).to_contain_text(re.compile("33[.,]60"))
    change_price("business-5", from_minor=2800, to_minor=3200)
    pay(page)
    expect_refused(page)
    expect(page.get_by_test_id("error-summary")).to_contain_text(say(ORDER_CHANGED))
    expect(page.get_by_test_id("order-total")).to_contain_text(re.compile("38[.,]40"))
    expect(page.get_by_test_id("place-order")).to_contain_text(re.compile("38[.,]40"))
    assert charges() == []
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    assert [charge.amount_minor for charge in charges()] == [3840]


def test_automatic_renewal_is_told_wherever_it_counts(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    fill_in_card(page)
    page.locator("[name=auto_renewal]").check()
    order(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    expect(page.locator("#outcome")).to_contain_text("Automatic renewal: €33.60 including VAT on")
    open_plans(page, acme)
    expect(page.get_by_test_id("plan-action")).to_be_disabled()
    expect(page.get_by_test_id("plan-action")).to_have_text(say("Automatic renewal is on"))


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_the_dialog_stays_away_for_the_person_who_waved_it_off(
    page: Page, reader, acme, owner, another_browser
):
    with jobs.at_work():
        leo = a_person("leo@acme.test", name="Leo Roy", language=None)
        a_member(acme, leo)
    come_signed_in(page, owner)
    open_plans(page, acme)
    page.get_by_test_id("plan-action").click()
    if reader.scripts:
        with page.expect_response("**/me/buy-dialog"):
            page.locator("[name=skip_dialog]").check()
    else:
        page.locator("[name=skip_dialog]").check()
        page.get_by_test_id("buy-ok").click()
    open_plans(page, acme)
    page.get_by_test_id("plan-action").click()
    expect_step(page, "details")

    beside = another_browser()
    come_signed_in(beside, leo)
    open_plans(beside, acme)
    beside.get_by_test_id("plan-action").click()
    expect(beside.get_by_test_id("buy-ok")).to_be_visible()


def test_the_display_currency_changes_the_price_at_once(page: Page, acme, owner):
    come_signed_in(page, owner)
    open_plans(page, acme)
    choose_plan(page, "business-5")
    expect(chosen_plan(page)).to_contain_text("Business 5")
    buy(page)
    expect(page.locator(".order")).to_contain_text("€28.00")
    page.locator("[name=first_name]").fill("Jeanne")
    page.locator("[name=display_currency]").select_option("USD")
    expect(page.locator(".order")).to_contain_text("$30.00")
    expect(page.locator("[name=first_name]")).to_have_value("Jeanne")
    fill_in(page, Buyer())
    page.locator("[name=payment_currency]").select_option("USD")
    go_on(page)
    expect(page.get_by_test_id("order-total")).to_have_text("$36.00")


def in_orange(page: Page) -> Locator:
    """What is marked as the plan that is being paid."""
    return page.locator(".plan-price[data-state=current]")
