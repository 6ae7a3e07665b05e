"""A member asks for what they may not buy, whoever may approve pays for it, and both are told."""

import re

from playwright.sync_api import Page, expect

from portal.domain.choices import Choice
from portal.domain.money import Money
from portal.domain.vocabulary import Interval
from portal.models import Member, Person, Workspace
from portal.worker import jobs
from tests.asking import a_member_of, a_request, again, only_billing_buys
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, Reader, read_by
from tests.browser.steps import Buyer, charges, come_signed_in, expect_step, fill_in, go_on, pay
from tests.browser.watch import assert_looks_right
from tests.factories import letters, seen_by
from tests.paying import PAID, an_order

MEETINGS = Choice("meetings-essential", Interval.MONTH, 3)
NOTE = "For the fair in Lyon, until spring ☀"


def the_asker(acme, owner, *, ceiling_minor: int | None = None) -> Person:
    with jobs.at_work():
        only_billing_buys(acme, ceiling_minor=ceiling_minor)
        place = a_member_of(seen_by(owner, acme))
        # The workspace's billing details are known.
        an_order(seen_by(owner, acme))
        # They read in the language of their browser.
        Person.update(language=None).where(Person.id == place.member.person_id).execute()
        return Person.get_by_id(place.member.person_id)


def choose_meetings(page: Page, acme, *, may_try: bool = False) -> None:
    """Three licences of the smallest plan, by the month; whoever may buy may try them first."""
    page.goto(f"/w/{acme.slug}/subscriptions")
    page.get_by_test_id("add-subscription").click()
    page.get_by_test_id("product-meetings").get_by_role("link").click()
    if may_try:
        page.locator("[name=how][value=buy]").check()
        page.get_by_test_id("next").click()
    page.locator("[name=plan][value=meetings-essential]").check()
    page.get_by_test_id("next").click()
    page.get_by_test_id("licences").fill("3")
    page.get_by_test_id("next").click()
    page.locator("[name=interval][value=month]").check()
    page.get_by_test_id("add-to-cart").click()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_member_asks_an_owner_approves_and_pays_and_both_are_told(
    page: Page, another_browser, reader, acme, owner, say, written
):
    asker = the_asker(acme, owner)
    come_signed_in(page, asker)
    choose_meetings(page, acme)
    expect(page.get_by_test_id("cart-proceed")).to_have_count(0)
    expect(page.get_by_test_id("deciders")).to_contain_text(owner.name)
    assert_looks_right(page, reader)
    page.locator("[name=note]").fill(NOTE)
    page.get_by_test_id("ask-for-it").click()
    expect(page).to_have_url(re.compile(r"/requests/[a-z0-9]+$"))
    expect(page.get_by_test_id("request-note")).to_have_text(NOTE)
    expect(page.get_by_test_id("deciders")).to_have_text(owner.name)
    expect(page.get_by_test_id("approve-request")).to_have_count(0)
    assert_looks_right(page, reader)
    address = page.url

    theirs = another_browser()
    come_signed_in(theirs, owner)
    theirs.goto(f"/w/{acme.slug}/subscriptions")
    theirs.get_by_test_id("requests-link").click()
    assert_looks_right(theirs, reader)
    theirs.get_by_test_id("request-row").get_by_role("link").click()
    expect(theirs.get_by_test_id("net-seen")).to_have_text(written(Money(3_300, "EUR")))
    assert_looks_right(theirs, reader)
    theirs.get_by_test_id("approve-request").click()
    expect_step(theirs, "details")
    go_on(theirs)
    pay(theirs, PAID)
    expect_step(theirs, "result")
    [charge] = charges()
    # 3 × 11.00 with 20 % VAT.
    assert charge.amount_minor == 3_960

    page.goto(address)
    expect(page.locator(".badge")).to_have_text(say("Approved"))
    expect(page.get_by_test_id("decision")).to_contain_text(owner.name)
    with jobs.at_work():
        [asked] = letters("request_to_decide")
        [approved] = letters("request_approved")
    assert (asked["to"], approved["to"]) == (owner.email, asker.email)


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_request_is_declined_with_a_reason_and_another_is_withdrawn(
    page: Page, another_browser, reader, acme, owner, say
):
    asker = the_asker(acme, owner)
    with jobs.at_work():
        place = seen_by(asker, acme)
        refused = a_request(place, MEETINGS, note=NOTE)
        taken_back = a_request(place, Choice("webinar-standard", Interval.YEAR, 2))
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/requests/{refused.number}")
    page.locator("[name=reason]").fill("Next year")
    page.get_by_test_id("decline-request").click()
    expect(page.get_by_test_id("request-reason")).to_have_text("Next year")
    expect(page.locator(".badge")).to_have_text(say("Declined"))
    assert_looks_right(page, reader)
    theirs = another_browser()
    come_signed_in(theirs, asker)
    theirs.goto(f"/w/{acme.slug}/requests/{taken_back.number}")
    theirs.get_by_test_id("withdraw-request").click()
    expect(theirs.locator(".badge")).to_have_text(say("Withdrawn"))
    # Somebody whose page is old.
    page.goto(f"/w/{acme.slug}/requests/{taken_back.number}")
    expect(page.get_by_test_id("approve-request")).to_have_count(0)


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_member_buys_alone_to_the_ceiling_and_asks_above_it(page: Page, reader, acme, owner, say, written):
    # Three licences with VAT are 39.60.
    asker = the_asker(acme, owner, ceiling_minor=5_000)
    come_signed_in(page, asker)
    choose_meetings(page, acme, may_try=True)
    expect(page.get_by_test_id("allowance")).to_contain_text(written(Money(5_000, "EUR")))
    assert_looks_right(page, reader)
    page.get_by_test_id("cart-proceed").click()
    expect_step(page, "details")
    # Members do not see the workspace's own details.
    fill_in(page, Buyer(), scripts=reader.scripts)
    go_on(page)
    pay(page, PAID)
    expect_step(page, "result")
    assert [charge.amount_minor for charge in charges()] == [3_960]

    with jobs.at_work():
        order = an_order(again(seen_by(asker, acme)), "business-5")
    page.goto(f"/w/{acme.slug}/checkout/{order.number}/review")
    expect(page.get_by_test_id("allowance")).to_contain_text(written(Money(1_040, "EUR")))
    expect(page.get_by_test_id("place-order")).to_have_count(0)
    assert_looks_right(page, reader)
    page.locator("[name=note]").fill(NOTE)
    page.get_by_test_id("ask-for-it").click()
    expect(page).to_have_url(re.compile(r"/requests/[a-z0-9]+$"))
    expect(page.get_by_test_id("request-note")).to_have_text(NOTE)
    assert len(charges()) == 1


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_corporate_workspace_is_led_to_its_adviser_and_may_still_ask(
    page: Page, another_browser, reader, acme, owner, say
):
    asker = the_asker(acme, owner)
    with jobs.at_work():
        staff = Person.create(
            email="staff@vendor.test", name="Sam Staff", is_operator=True, created_at=acme.created_at
        )
    come_signed_in(page, staff)
    page.goto(f"/operator/workspaces/{acme.slug}")
    page.locator("[name=adviser_name]").fill("Inès Conseil")
    page.locator("[name=adviser_email]").fill("ines@vendor.test")
    page.locator("[name=corporate_portal_url]").fill("http://portal.vendor.test")
    page.get_by_test_id("save-corporate").click()
    expect(page.get_by_test_id("error-summary")).to_be_visible()
    expect(page.locator("[name=corporate_portal_url]")).to_have_value("http://portal.vendor.test")
    page.locator("[name=corporate_portal_url]").fill("https://portal.vendor.test")
    page.get_by_test_id("save-corporate").click()
    expect(page.get_by_test_id("flash")).to_be_visible()
    assert_looks_right(page, reader)
    with jobs.at_work():
        assert Workspace.get_by_id(acme.id).is_corporate

    theirs = another_browser()
    come_signed_in(theirs, owner)
    theirs.goto(f"/w/{acme.slug}/plans")
    expect(theirs.get_by_test_id("adviser")).to_contain_text("Inès Conseil")
    expect(theirs.get_by_test_id("plan-action")).to_have_count(0)
    assert_looks_right(theirs, reader)
    with jobs.at_work():
        request = a_request(seen_by(asker, acme), MEETINGS)
    theirs.goto(f"/w/{acme.slug}/requests/{request.number}")
    theirs.get_by_test_id("approve-request").click()
    expect(theirs.locator(".badge")).to_have_text(say("Approved"))
    assert_looks_right(theirs, reader)
    assert charges() == []
    with jobs.at_work():
        assert Member.select().where(Member.workspace == acme).count() == 2


@read_by(Reader("en", width=360), Reader("fr"))
def test_a_note_that_is_typed_stays_while_the_cart_is_changed(page: Page, reader, acme, owner, written):
    """With scripts the cart's numbers are swapped below the reader's hands."""
    come_signed_in(page, the_asker(acme, owner))
    choose_meetings(page, acme)
    note = page.locator("[name=note]")
    note.fill(NOTE)
    page.locator("#meetings-quantity").fill("4")
    page.locator("#meetings-plan").focus()
    expect(page.get_by_test_id("cart-net")).to_have_text(written(Money(4_400, "EUR")))
    expect(note).to_have_value(NOTE)
    # While the answer is under way the note is being written.
    page.locator("#meetings-quantity").fill("5")
    note.press("End")
    page.keyboard.type(" :)")
    expect(page.get_by_test_id("cart-net")).to_have_text(written(Money(5_500, "EUR")))
    expect(note).to_have_value(f"{NOTE} :)")
    # A refusal beside the number leaves it too.
    page.locator("#meetings-quantity").fill("0")
    page.locator("#meetings-plan").focus()
    expect(page.locator("#meetings-quantity-error")).to_be_visible()
    expect(note).to_have_value(f"{NOTE} :)")
    page.locator("#meetings-quantity").fill("5")
    page.locator("#meetings-plan").focus()
    expect(page.locator("#meetings-quantity-error")).to_have_count(0)
    page.get_by_test_id("ask-for-it").click()
    expect(page.get_by_test_id("request-note")).to_have_text(f"{NOTE} :)")
