"""A first plan is paid by SEPA direct debit: ordered today, given when the bank has paid."""

from playwright.sync_api import Page, expect

from portal.domain.vocabulary import PaymentMethodKind
from portal.runtime import current
from portal.services.payments import charging
from portal.worker import jobs
from tests.browser.reader import THE_OTHER_WAY_ROUND, WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import (
    FRENCH_COMPANY,
    buy,
    charges,
    choose_plan,
    come_signed_in,
    expect_refused,
    expect_step,
    fill_in,
    go_on,
    heading,
    open_plans,
    order,
    payments_of,
)
from tests.browser.watch import assert_looks_right
from tests.factories import seen_by
from tests.paying import an_order

IBAN = "DE46 9999 9999 0000 0042 42"
IBAN_DECLINED = "DE66 9999 9999 0000 0000 02"


def give_mandate(page: Page, iban: str = IBAN) -> None:
    page.locator("[name=iban]").fill(iban)
    page.locator("[name=holder]").fill("Jeanne Martin")
    page.locator("[name=agreed]").check()


def the_bank_decides(clock) -> None:
    """A business day later, as the worker learns it."""
    clock.advance(days=1)
    with jobs.at_work():
        for payment in charging._waiting():
            charging.look_up(payment, now=current().clock.now())


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_first_plan_is_paid_from_a_bank_account(page: Page, reader, acme, owner, say, clock):
    come_signed_in(page, owner)
    open_plans(page, acme)
    choose_plan(page, "business-5", scripts=reader.scripts)
    buy(page)
    fill_in(page, FRENCH_COMPANY, scripts=reader.scripts)
    page.locator("[name=payment_method]").select_option("sepa_debit")
    page.locator("[name=payment_currency]").select_option("USD")
    go_on(page)
    expect_refused(page, "payment_currency")
    page.locator("[name=payment_currency]").select_option("EUR")
    go_on(page)
    expect_step(page, "review")
    assert_looks_right(page, reader)
    expect(page.get_by_test_id("mandate")).to_contain_text(f"{acme.customer_number}-M1")
    page.locator("[name=iban]").fill(IBAN)
    order(page)
    expect_refused(page, "holder", "agreed")
    give_mandate(page)
    order(page)
    expect_step(page, "result")
    expect(heading(page)).to_have_text(say("Your bank debit is on its way"))
    expect(page.locator("#outcome")).to_contain_text(
        say("Your plan begins on the day it is paid, and its dates move with it.")
    )
    assert_looks_right(page, reader)
    page.goto(f"/w/{acme.slug}/billing")
    expect(page.get_by_test_id("state-banner")).to_contain_text(
        say("Your plan begins on the day it is paid, and its dates move with it.")
    )
    assert_looks_right(page, reader)
    the_bank_decides(clock)
    page.go_back()
    page.reload()
    expect(heading(page)).to_have_text(say("Payment complete"))
    assert len(charges()) == len(payments_of(acme)) == 1


@read_by(*THE_OTHER_WAY_ROUND)
def test_a_debit_that_comes_back_is_paid_another_way(page: Page, reader, acme, owner, say, clock):
    come_signed_in(page, owner)
    with jobs.at_work():
        made = an_order(seen_by(owner, acme), method_kind=PaymentMethodKind.SEPA_DEBIT)
    page.goto(f"/w/{acme.slug}/checkout/{made.number}/review")
    give_mandate(page, IBAN_DECLINED)
    order(page)
    expect(heading(page)).to_have_text(say("Your bank debit is on its way"))
    the_bank_decides(clock)
    page.reload()
    expect(heading(page)).to_have_text(say("Nothing was charged"))
    assert_looks_right(page, reader)
    page.get_by_role("link", name=say("Pay another way")).click()
    expect_step(page, "details")
    go_on(page)
    expect_refused(page, "iban")
    expect(page.locator("[name=agreed]")).not_to_be_checked()
    expect(page.get_by_test_id("mandate")).to_contain_text(f"{acme.customer_number}-M2")
