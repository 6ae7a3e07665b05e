"""The whole way, from the trial to the invoice, as every kind of reader goes it (source-systems.md §8, rows 000)."""

from playwright.sync_api import Page, expect

from tests.browser.reader import PAIRWISE, WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import (
    FRENCH_COMPANY,
    GERMAN_COMPANY,
    buy,
    charges,
    choose_country,
    choose_currency,
    choose_plan,
    chosen_plan,
    come_signed_in,
    confirm,
    download,
    expect_refused,
    expect_step,
    fill_in,
    fill_in_card,
    go_on,
    heading,
    open_plans,
    order,
    pay,
    plan,
    reach_review,
    refuse,
    sign_in,
    sign_out,
    starred_text_fields,
    wait_for_mail,
)
from tests.factories import PASSWORD
from tests.paying import ASKS_ALWAYS, ASKS_ONCE, DECLINED, DECLINED_WHEN_CHARGED, EXPIRED, NOT_ENOUGH_FUNDS

NOT_A_NUMBER = "4242 4242 4242 4241"


@read_by(*PAIRWISE)
def test_from_the_trial_to_the_invoice(page: Page, reader, acme, owner, say):
    scripts = reader.scripts
    buyer = FRENCH_COMPANY if reader.language == "fr" else GERMAN_COMPANY
    due = "28,00" if reader.language == "fr" else "€28.00"

    # The plans: use, the recommended one, a choice, another currency.
    sign_in(page, owner)
    expect(heading(page)).to_have_text(say("Payments"))
    expect(page.get_by_test_id("usage-users")).to_have_text("1")
    expect(page.get_by_test_id("usage-storage")).to_contain_text("10")
    expect(plan(page, "business-3")).to_contain_text(say("Recommended"))
    expect(plan(page, "business-3").get_by_role("radio")).to_be_checked()
    expect(plan_in_orange(page)).to_have_count(0)
    expect(page.get_by_test_id("history-row")).to_have_count(0)
    choose_plan(page, "business-5", scripts=scripts)
    expect(chosen_plan(page)).to_contain_text("Business 5")
    expect(page.get_by_test_id("plan-action")).to_have_text(say("Buy now"))
    choose_currency(page, "USD", scripts=scripts)
    expect(plan(page, "business-5")).to_contain_text("30")
    expect(chosen_plan(page)).to_contain_text("$" if reader.language == "fr" else "US$30.00")
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
    expect(heading(page)).to_have_text(say("Payments"))
    buy(page)

    # Billing details: nothing filled in, then mistakes, then right.
    expect(heading(page)).to_have_text(say("Billing details"))
    expect(page.locator("[name=is_business]")).not_to_be_checked()
    expect(page.locator("[name=company_name]")).to_be_hidden()
    for name in starred_text_fields(page):
        field = page.locator(f"[name={name}]")
        field.fill("") if field.evaluate("field => field.localName") == "input" else None
    go_on(page)
    expect_refused(page, *starred_text_fields(page))
    expect(page.locator("[name=payment_method]")).to_have_value("card")

    choose_country(page, "US", scripts=scripts)
    expect(page.locator("select[name=region] option[value=CA]")).to_have_text(["California", "Californie"][0])
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
    for text in (buyer.company, buyer.address["street"], buyer.address["city"], buyer.email, buyer.vat_number):
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
    expect_refused(page)
    expect(page.get_by_test_id("error-summary")).to_contain_text(say("Nothing was charged"))
    expect(page.locator("[name=number]")).to_have_value("")
    expect(page.locator("[name=security_code]")).to_have_value("")
    expect(page.locator("[name=holder]")).to_have_value("Jeanne Martin")
    expect(total).to_be_visible()
    assert all(charge.state == "declined" for charge in [])

    # Paid.
    pay(page)
    expect_step(page, "result")
    expect(heading(page)).to_have_text(say("It is done"))
    assert [charge.amount_minor for charge in charges()] == [3360 if reader.language == "fr" else 2800]
    page.get_by_role("link", name=say("Back to the plans")).click()
    expect(plan(page, "business-5")).to_contain_text(say("Your plan"))
    expect(plan_in_orange(page)).to_have_count(1)
    expect(page.get_by_test_id("usage-users")).to_contain_text("5")
    row = page.get_by_test_id("history-row")
    expect(row).to_have_count(1)
    for text in ("INV-2026-000001", "Visa", "4242", "Jeanne Martin", buyer.email):
        expect(row).to_contain_text(text)

    # The invoice: the same bytes each time, on the page, and in the mail.
    once, again = (download(page, page.get_by_test_id("invoice-link")) for _time in range(2))
    assert once.startswith(b"%PDF")
    assert once == again
    row.get_by_role("link", name="INV-2026-000001").first.click()
    expect(heading(page)).to_contain_text("INV-2026-000001")
    expect(page.get_by_test_id("order-total")).to_contain_text("33,60" if reader.language == "fr" else "€28.00")
    wait_for_mail(page, "INV-2026-000001").get_by_role("link").click()
    attached = download(page, page.get_by_role("link", name="INV-2026-000001.pdf"))
    assert attached.startswith(b"%PDF")

    # Out.
    open_plans(page, acme)
    sign_out(page)
    expect(heading(page)).to_have_text(say("Sign in"))
    page.go_back()
    expect(heading(page)).to_have_text(say("Sign in"))


def plan_in_orange(page: Page):
    return page.locator(".plan-price[data-state=current]")
