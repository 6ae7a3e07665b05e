"""What cannot be bought or opened, and by whom; what helps (source-systems.md §1.3, §1.8)."""

import re

import pytest
from playwright.sync_api import Page, expect

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval
from portal.runtime import current
from portal.services.checkout import ordering
from portal.worker import jobs
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by, read_by_each
from tests.browser.steps import (
    buy,
    charges,
    choose_plan,
    chosen_plan,
    come_signed_in,
    expect_step,
    grow,
    heading,
    open_plans,
    pay,
    review_an_order,
)
from tests.factories import a_member, a_person, a_workspace, seen_by
from tests.paying import buy as paid_plan
from tests.paying import pay as pay_order
from tests.paying import with_details


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_plan_that_is_too_small_is_refused_with_both_figures(page: Page, reader, acme, owner, say):
    come_signed_in(page, owner)
    grow(acme, users=3, gigabytes=30)
    open_plans(page, acme)
    choose_plan(page, "business-3", scripts=reader.scripts)
    expect(chosen_plan(page)).to_contain_text("Business 3")
    page.get_by_test_id("plan-action").click()
    dialog = page.get_by_role("dialog", name=say("This plan cannot be selected"))
    users, storage = dialog.get_by_test_id("refusal-users"), dialog.get_by_test_id("refusal-storage")
    expect(users).to_contain_text(say("Maximum number of users: %(number)s.", number=3))
    expect(users).to_contain_text(say("Active users now: %(number)s.", number=4))
    expect(storage).to_contain_text("20")
    expect(storage).to_contain_text("30")
    expect(heading(page)).to_have_text(say("Plans"))
    if reader.scripts:
        dialog.get_by_role("button", name="OK").click()
        expect(dialog).to_be_hidden()

    # A member less and less storage: the plan is large enough.
    grow(acme, gigabytes=3)
    page.goto(f"/w/{acme.slug}/members")
    page.get_by_test_id("member-row").filter(has_text="Member 2").get_by_role(
        "link", name=re.compile(say("Disable"))
    ).click()
    page.get_by_test_id("disable-member").click()
    expect(page.get_by_test_id("flash")).to_contain_text("Member 2")
    open_plans(page, acme)
    expect(page.get_by_test_id("usage-users")).to_have_text("3")
    choose_plan(page, "business-3", scripts=reader.scripts)
    expect(chosen_plan(page)).to_contain_text("Business 3")
    buy(page)
    expect_step(page, "details")


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_the_address_of_a_refused_checkout_answers_the_refusal(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    made = review_an_order(page, acme, owner)
    grow(acme, users=5)
    for step in ("", "/review"):
        page.goto(f"/w/{acme.slug}/checkout/{made.number}{step}")
        dialog = page.get_by_role("dialog", name=say("This plan cannot be selected"))
        expect(dialog.get_by_test_id("refusal-users")).to_contain_text("6")
        expect(page.get_by_test_id("place-order")).to_have_count(0)


def test_a_plan_that_became_too_small_while_the_card_was_typed_is_not_charged(page: Page, acme, owner, say):
    come_signed_in(page, owner)
    review_an_order(page, acme, owner)
    grow(acme, users=5)
    pay(page)
    expect(page.get_by_role("dialog", name=say("This plan cannot be selected"))).to_be_visible()
    assert charges() == []


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_licences_that_were_bought_meanwhile_are_not_ordered_again(page: Page, acme, owner, place, say):
    """The answer is another page: it takes the place of the whole one that waited for the payment."""
    come_signed_in(page, owner)
    with jobs.at_work():
        choice = Choice("meetings-essential", Interval.MONTH, 2)
        now = current().clock.now()
        first, second = (
            with_details(ordering.open_order(place, choices=[choice], currency="EUR", now=now), place)
            for _ in range(2)
        )
    page.goto(f"/w/{acme.slug}/checkout/{second.number}/review")
    with jobs.at_work():
        pay_order(first)
    pay(page)
    expect(heading(page)).to_have_count(1)
    expect(heading(page)).to_have_text(say("This order can no longer be placed"))
    assert len(charges()) == 1
    page.get_by_role("link", name=say("Back to the subscriptions")).click()
    expect(heading(page)).to_have_text(say("Subscriptions"))


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_nothing_is_recommended_to_those_who_are_too_many(page: Page, acme, owner, say):
    grow(acme, users=100)
    come_signed_in(page, owner)
    open_plans(page, acme)
    expect(page.get_by_test_id("plan-action")).to_have_text(say("Contact us"))
    expect(page.get_by_text(say("Recommended"), exact=True)).to_have_count(0)


def test_an_invoice_is_refused_to_a_member_by_name_and_to_others_as_unknown(
    page: Page, acme, owner, say, another_browser
):
    with jobs.at_work():
        leo = a_person("leo@acme.test", name="Leo Roy", language=None)
        zoe = a_person("zoe@other.test", name="Zoé Petit", language=None)
        a_member(acme, leo)
        other = a_workspace("Other", owner=zoe)
        paid_plan(seen_by(owner, acme))

    come_signed_in(page, leo)
    open_plans(page, acme)
    expect(page.get_by_test_id("history-row")).to_have_count(1)
    expect(page.get_by_test_id("invoice-link")).to_have_count(0)
    expect(page.get_by_text(owner.email)).to_have_count(0)
    page.goto(f"/w/{acme.slug}/invoices/INV-2026-000001.pdf")
    expect(heading(page)).to_have_text(say("You do not have permission to do this"))
    expect(page.get_by_test_id("error-page")).to_contain_text(owner.name)

    stranger = another_browser()
    come_signed_in(stranger, zoe)
    for place in (acme.slug, other.slug):
        stranger.goto(f"/w/{place}/invoices/INV-2026-000001.pdf")
        expect(heading(stranger)).to_have_text(say("Page not found"))
        expect(stranger.locator("body")).not_to_contain_text("Acme")


@pytest.mark.parametrize("path", ["plans", "history", "members", "settings"])  # The last one is closed.
def test_after_the_trial_every_page_leads_to_the_plans_which_work(page: Page, acme, owner, say, clock, path):
    come_signed_in(page, owner)
    clock.advance(days=31)
    page.goto(f"/w/{acme.slug}/{path}")
    banner = page.get_by_test_id("state-banner")
    expect(banner).to_contain_text(say("The free trial is over."))
    if path in ("history", "members"):
        banner.get_by_role("link").click()
    expect(heading(page)).to_have_text(say("Plans"))
    expect(page.get_by_test_id("plan-action")).to_have_text(say("Buy now"))


def test_a_workspace_is_bought_back_after_its_trial(page: Page, acme, owner, say, clock):
    come_signed_in(page, owner)
    clock.advance(days=45)
    open_plans(page, acme)
    expect(page.get_by_test_id("plan-action")).to_have_attribute("data-kind", "danger")
    buy(page)
    review_an_order(page, acme, owner)
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    open_plans(page, acme)
    expect(page.get_by_test_id("state-banner")).to_have_count(0)
