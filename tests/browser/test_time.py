"""What time does to a plan: prolonged, changed, renewed, late, blocked and back (source-systems.md §8)."""

import re
from datetime import date, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from portal.domain.money import Money
from portal.services.subscriptions import auto_renewal
from portal.worker import jobs
from tests.browser.reader import THE_OTHER_WAY_ROUND, WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import (
    Buyer,
    add_card,
    buy,
    change_price,
    charges,
    choose_currency,
    choose_plan,
    chosen_plan,
    come_signed_in,
    come_to,
    expect_step,
    fill_in,
    fill_in_card,
    go_on,
    heading,
    open_plans,
    order,
    pay,
    payments_of,
    plan,
    review_an_order,
    wait_for_mail,
)
from tests.browser.watch import assert_looks_right, assert_nothing_is_stretched
from tests.factories import a_person
from tests.paying import DECLINED_WHEN_CHARGED, an_order
from tests.paying import buy as paid_plan
from tests.paying import pay as pay_for

NEW_CARD = "5555 5555 5555 4444"
# Bought on 21 November, the first day of each test.
DUE = date(2026, 12, 21)


def standing(page: Page) -> Locator:
    """The sentences on the current plan."""
    return page.locator(".page-header")


def rows(page: Page) -> Locator:
    """The lines of the payment history."""
    return page.get_by_test_id("history-row")


# --- by hand --------------------------------------------------------------------------------------


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_the_current_plan_is_prolonged(page: Page, reader, acme, owner, place, say, written):
    with jobs.at_work():
        paid_plan(place, "business-5")
    come_signed_in(page, owner)
    open_plans(page, acme)
    expect(standing(page)).to_contain_text(written(DUE))

    # Another plan ticked is a change, the current one is prolonged.
    button = page.get_by_test_id("plan-action")
    choose_plan(page, "business-10", scripts=reader.scripts)
    expect(button).to_have_text(say("Change"))
    choose_plan(page, "business-5", scripts=reader.scripts)
    expect(button).to_have_text(say("Prolong"))
    buy(page)
    go_on(page)
    expect_step(page, "review")
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))

    # The due date is later, and the history has the new payment.
    open_plans(page, acme)
    expect(standing(page)).to_contain_text(written(date(2027, 1, 21)))
    expect(rows(page)).to_have_count(2)
    for text in ("INV-2026-000002", "Visa", "4242", "Jeanne Martin", "compta@acme.example", "2026"):
        expect(rows(page).first).to_contain_text(text)
    expect(rows(page).first.locator(".money")).to_have_text(re.compile(r"33[.,]60"))
    expect(rows(page).first.get_by_test_id("invoice-link")).to_contain_text(say("Invoice"))
    expect(button).to_be_disabled()


@read_by(*THE_OTHER_WAY_ROUND)
def test_what_is_left_of_the_old_plan_becomes_days_of_a_larger_one(
    page: Page, reader, acme, owner, place, say, written, clock
):
    """The example of the source: 18 USD paid on 1 January, 30 USD on the 3rd, due on 19 February."""
    come_to(clock, date(2027, 1, 1))
    with jobs.at_work():
        paid_plan(place, "business-3", currency="USD")
    come_to(clock, date(2027, 1, 3))
    come_signed_in(page, owner)
    open_plans(page, acme)
    expect(page.get_by_test_id("usage-users")).to_contain_text("3")
    choose_plan(page, "business-5", scripts=reader.scripts)
    expect(page.get_by_test_id("plan-action")).to_have_text(say("Change"))
    buy(page)
    go_on(page)
    expect_step(page, "review")
    due = written(date(2027, 2, 19))
    for mark, figure in {
        "quote-rate-old": "0[.,]58",
        "quote-rate-new": "0[.,]9[67]",
        "quote-unused": "^28$",
        "quote-credit": "16[.,]2",
        "quote-days": "^16",
        "quote-due": due,
        "order-total": "36[.,]00",
    }.items():
        expect(page.get_by_test_id(mark)).to_have_text(re.compile(figure))
    expect(page.locator(".order")).to_contain_text(written(date(2027, 1, 3)))
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))

    # It applies at once, until the day that was shown.
    open_plans(page, acme)
    expect(plan(page, "business-5")).to_contain_text(say("Your plan"))
    expect(page.get_by_test_id("usage-users")).to_contain_text("5")
    expect(standing(page)).to_contain_text(due)
    assert [charge.amount_minor for charge in charges()] == [2160, 3600]


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_year_is_paid_in_advance_and_changed_for_months_knowingly(
    page: Page, reader, acme, owner, say, written, clock
):
    """180 USD on 1 January 2027; 18 USD on 1 July buy two days more: said before they are paid."""
    scripts = reader.scripts
    come_to(clock, date(2027, 1, 1))
    come_signed_in(page, owner)
    open_plans(page, acme)
    choose_currency(page, "USD", scripts=scripts)
    choose_plan(page, "business-3", "year", scripts=scripts)
    expect(chosen_plan(page)).to_contain_text(re.compile(r"180[.,]00"))
    buy(page)
    fill_in(page, Buyer(), scripts=scripts)
    go_on(page)
    expect_step(page, "review")
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    open_plans(page, acme)
    expect(standing(page)).to_contain_text(written(date(2028, 1, 1)))

    come_to(clock, date(2027, 7, 1))
    open_plans(page, acme)
    choose_plan(page, "business-3", scripts=scripts)
    expect(page.get_by_test_id("plan-action")).to_have_text(say("Change"))
    buy(page)
    warning = page.get_by_test_id("little-gain")
    for text in (re.compile(r"18[.,]00"), " 2 ", written(date(2028, 1, 1)), written(date(2028, 1, 3))):
        expect(warning).to_contain_text(text)
    assert_looks_right(page, reader)
    go_on(page)
    expect_step(page, "review")
    expect(warning).to_be_visible()
    expect(page.get_by_test_id("quote-unused")).to_have_text("183")
    expect(page.get_by_test_id("quote-days")).to_have_text(re.compile("^155"))
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    open_plans(page, acme)
    expect(standing(page)).to_contain_text(written(date(2028, 1, 3)))


# --- by itself ------------------------------------------------------------------------------------


@read_by(*THE_OTHER_WAY_ROUND)
def test_a_smaller_plan_waits_for_the_due_date(page: Page, reader, acme, owner, place, say, written, clock):
    with jobs.at_work():
        pay_for(an_order(place, "business-10"), auto_renewal=True)
    come_signed_in(page, owner)

    # No credit now, a smaller charge then: said before it is confirmed.
    open_plans(page, acme)
    choose_plan(page, "business-5", scripts=reader.scripts)
    expect(page.get_by_test_id("plan-action")).to_have_text(say("Change"))
    page.get_by_test_id("plan-action").click()
    expect(page).to_have_url(re.compile("/plans/scheduled"))
    for text in ("Business 5", written(DUE), re.compile(r"33[.,]60"), "4242"):
        expect(page.locator(".facts")).to_contain_text(text)
    assert_looks_right(page, reader)
    page.get_by_test_id("schedule-confirm").click()
    waiting = page.get_by_test_id("scheduled-plan")
    expect(waiting).to_contain_text("Business 5")
    expect(waiting).to_contain_text(written(DUE))
    assert_looks_right(page, reader)

    # Withdrawn with one click, and back with two.
    page.get_by_test_id("schedule-withdraw").click()
    expect(page.get_by_test_id("flash")).to_contain_text("Business 5")
    expect(waiting).to_have_count(0)
    page.get_by_test_id("plan-action").click()
    page.get_by_test_id("schedule-confirm").click()
    expect(waiting).to_be_visible()
    expect(plan(page, "business-10")).to_contain_text(say("Your plan"))

    come_to(clock, DUE - timedelta(days=7), DUE)
    open_plans(page, acme)
    expect(plan(page, "business-5")).to_contain_text(say("Your plan"))
    expect(waiting).to_have_count(0)
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first.locator(".money")).to_have_text(re.compile(r"33[.,]60"))
    assert [charge.amount_minor for charge in charges()] == [6120, 3360]


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_automatic_renewal_is_switched_off_and_on_again(
    page: Page, reader, acme, owner, place, written, clock
):
    with jobs.at_work():
        pay_for(an_order(place, "business-5"), auto_renewal=True)
    come_signed_in(page, owner)

    def switch(way: str) -> None:
        open_plans(page, acme)
        standing(page).locator("a[href$=auto-renewal]").click()
        button = page.get_by_test_id(f"auto-renewal-{way}")
        expect(button).to_be_visible()
        assert_looks_right(page, reader)
        button.click()
        expect(page.get_by_test_id("flash")).to_contain_text(written(DUE))

    # Off: greyed no more, and still on for what is paid.
    open_plans(page, acme)
    expect(page.get_by_test_id("plan-action")).to_be_disabled()
    switch("off")
    expect(page.get_by_test_id("plan-action")).to_be_enabled()
    expect(plan(page, "business-5").get_by_role("radio")).to_be_checked()
    expect(wait_for_mail(page, "Automatic renewal is off")).to_be_visible()

    # On again, with the saved card: charged on the due date.
    switch("on")
    come_to(clock, DUE - timedelta(days=7), DUE)
    assert len(charges()) == 2

    # Off: the next due date is not charged.
    open_plans(page, acme)
    standing(page).locator("a[href$=auto-renewal]").click()
    page.get_by_test_id("auto-renewal-off").click()
    come_to(clock, date(2027, 1, 21), date(2027, 1, 22))
    assert len(charges()) == 2


@read_by(*THE_OTHER_WAY_ROUND)
def test_ticked_it_is_paid_every_month_for_the_guaranteed_price(
    page: Page, reader, acme, owner, say, written, clock
):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    fill_in_card(page)
    page.locator("[name=auto_renewal]").check()
    order(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    open_plans(page, acme)
    lock_ends = date(2027, 11, 21)
    expect(standing(page)).to_contain_text(written(lock_ends))
    change_price("business-5", from_minor=2800, to_minor=3200)

    # Three months are three payments, each with its line and its letter.
    months = [date(2026, 12, 21), date(2027, 1, 21), date(2027, 2, 21)]
    for number, month in enumerate(months, start=2):
        come_to(clock, month - timedelta(days=7), month)
        open_plans(page, acme)
        expect(rows(page)).to_have_count(number)
    expect(standing(page)).to_contain_text(written(date(2027, 3, 21)))
    expect(standing(page)).to_contain_text(written(lock_ends))
    assert_looks_right(page, reader)
    wait_for_mail(page, "is renewed until 21 March 2027")
    expect(page.get_by_test_id("mail-row").filter(has_text="is renewed until")).to_have_count(3)

    # Others pay the new price already; this plan does from the day on which the promise ends.
    for month in range(3, 11):
        come_to(clock, date(2027, month, 14), date(2027, month, 21))
    come_to(clock, lock_ends - timedelta(days=30))
    expect(wait_for_mail(page, "the price of your plan rises on 21 November 2027")).to_be_visible()
    come_to(clock, lock_ends - timedelta(days=7), lock_ends)
    assert [charge.amount_minor for charge in charges()] == [3360] * 12 + [3840]
    open_plans(page, acme)
    expect(standing(page)).not_to_contain_text(written(lock_ends))


@pytest.mark.settings(PORTAL_GRACE_DAYS="3")
@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_not_ticked_nothing_is_charged_and_it_is_late_blocked_and_back(
    page: Page, reader, acme, owner, place, say, written, clock
):
    with jobs.at_work():
        paid_plan(place, "business-5")
    change_price("business-5", from_minor=2800, to_minor=3200)
    come_signed_in(page, owner)
    banner = page.get_by_test_id("state-banner")

    # The due date itself is a working day.
    come_to(clock, DUE - timedelta(days=7), DUE)
    page.goto(f"/w/{acme.slug}/settings")
    expect(banner).to_have_count(0)
    assert len(charges()) == 1

    # The three days after it are usable, and each page says until when.
    come_to(clock, DUE + timedelta(days=1))
    page.goto(f"/w/{acme.slug}/settings")
    expect(banner).to_contain_text(written(DUE + timedelta(days=4)))
    assert_looks_right(page, reader)

    # Then every page leads to the plans, or helps out of it: each holds the button with the amount.
    come_to(clock, DUE + timedelta(days=4))
    for path in ("members", "services", "history", "settings"):
        page.goto(f"/w/{acme.slug}/{path}")
        expect(banner.get_by_test_id("pay-due")).to_have_text(
            say("Pay %(total)s", total=written(Money(3840, "EUR")))
        )
    expect(heading(page)).to_have_text(say("Plans"))
    assert_looks_right(page, reader)
    button = page.get_by_test_id("plan-action")
    expect(button).to_have_text(say("Prolong"))
    expect(button).to_have_attribute("data-kind", "danger")

    # Paying brings everything back, for the price of today. What is known is not asked again.
    page.get_by_test_id("pay-due").click()
    expect_step(page, "review")
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    page.goto(f"/w/{acme.slug}/settings")
    expect(heading(page)).not_to_have_text(say("Plans"))
    expect(banner).to_have_count(0)
    assert [charge.amount_minor for charge in charges()] == [3360, 3840]


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_what_is_due_is_paid_with_the_saved_card_in_one_click(
    page: Page, reader, acme, owner, place, say, written, clock
):
    with jobs.at_work():
        pay_for(an_order(place, "business-5"), auto_renewal=True)
        auto_renewal.switch_off(place, now=clock.now())
    come_signed_in(page, owner)
    come_to(clock, DUE + timedelta(days=3))
    page.goto(f"/w/{acme.slug}/history")
    button = page.get_by_test_id("pay-due")
    expect(page.get_by_test_id("state-banner")).to_contain_text("4242")
    expect(page.get_by_test_id("pay-due-other")).to_have_text(say("Use another card"))
    assert_looks_right(page, reader)
    assert_nothing_is_stretched(page, reader)
    button.dblclick()
    expect(heading(page)).to_have_text(say("Payment complete"))
    page.goto(f"/w/{acme.slug}/history")
    expect(page.get_by_test_id("state-banner")).to_have_count(0)
    expect(rows(page)).to_have_count(2)
    assert [charge.amount_minor for charge in charges()] == [3360, 3360]


@read_by(*THE_OTHER_WAY_ROUND)
def test_a_renewal_that_failed_is_told_and_a_new_card_is_charged(
    page: Page, reader, acme, owner, place, written, clock
):
    with jobs.at_work():
        pay_for(an_order(place, "business-5"), auto_renewal=True)
    come_signed_in(page, owner)

    # Another card takes the place of the first one; it will be refused.
    page.goto(f"/w/{acme.slug}/payment-methods")
    expect(page.get_by_test_id("card-4242")).to_be_visible()
    add_card(page, DECLINED_WHEN_CHARGED)
    expect(page.get_by_test_id("card-0341")).to_be_visible()
    assert_looks_right(page, reader)
    page.get_by_test_id("card-use-0341").click()
    expect(page.get_by_test_id("flash")).to_contain_text("0341")
    page.get_by_test_id("card-remove-4242").click()
    expect(page.get_by_test_id("remove-card")).to_be_visible()
    assert_looks_right(page, reader)
    page.get_by_test_id("remove-card").click()
    expect(page.get_by_test_id("card-4242")).to_have_count(0)
    assert len(charges()) == 1

    # The only card left cannot go while it is to be charged.
    page.get_by_test_id("card-remove-0341").click()
    expect(page.get_by_test_id("method-needed")).to_be_visible()
    assert_looks_right(page, reader)

    come_to(clock, DUE - timedelta(days=7), DUE, DUE + timedelta(days=1))
    open_plans(page, acme)
    banner = page.get_by_test_id("state-banner")
    # Usable for fourteen days more.
    expect(banner).to_contain_text(written(DUE + timedelta(days=15)))
    expect(rows(page)).to_have_count(1)
    assert_looks_right(page, reader)
    expect(wait_for_mail(page, "the renewal needs another payment method")).to_be_visible()

    # That card was refused for good: the button leads to another one.
    open_plans(page, acme)
    page.get_by_test_id("pay-due").click()
    add_card(page, NEW_CARD)
    expect(page.get_by_test_id("card-4444")).to_be_visible()
    # The worker was told, and charges it at once.
    wait_for_mail(page, "is renewed until 21 January 2027")
    open_plans(page, acme)
    expect(banner).to_have_count(0)
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text("4444")
    expect(standing(page)).to_contain_text(written(date(2027, 1, 21)))
    assert [charge.amount_minor for charge in charges()] == [3360, 3360]
    assert len(payments_of(acme)) == 3


# --- on trial -------------------------------------------------------------------------------------


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_trial_is_extended_by_an_operator(page: Page, reader, acme, owner, written, clock, another_browser):
    with jobs.at_work():
        staff = a_person("staff@vendor.test", name="Sam Staff", operator=True, language=None)
    come_signed_in(page, owner)
    come_to(clock, DUE + timedelta(days=1))
    open_plans(page, acme)
    expect(page.get_by_test_id("state-banner")).to_be_visible()

    theirs = another_browser()
    come_signed_in(theirs, staff)
    theirs.goto(f"/operator/workspaces/{acme.slug}")
    theirs.locator("[name=days]").fill("20")
    until = written(DUE + timedelta(days=21))
    if reader.scripts:
        expect(theirs.locator("#trial_form")).to_contain_text(until)
    assert_looks_right(theirs, reader)
    theirs.get_by_test_id("extend-trial").click()
    expect(theirs.get_by_test_id("flash")).to_contain_text(until)

    open_plans(page, acme)
    expect(page.get_by_test_id("state-banner")).to_have_count(0)
    expect(standing(page)).to_contain_text(until)
    expect(wait_for_mail(page, "has been extended until")).to_be_visible()
