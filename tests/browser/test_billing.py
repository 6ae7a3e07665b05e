"""Billing from the menu: the overview as each sees it, and the calendar (source-systems.md §8, 003)."""

import re
from datetime import UTC, date, datetime

from playwright.sync_api import Page, expect

from portal.domain.vocabulary import Interval, Role
from portal.models import Member, PaymentMethod, Plan, Subscription, Workspace
from portal.worker import jobs
from tests.browser.reader import PAIRWISE, WITH_AND_WITHOUT_SCRIPTS, read_by, read_by_each
from tests.browser.steps import come_signed_in, heading, open_menu
from tests.browser.watch import assert_accessible, assert_fits_the_narrowest_screen
from tests.factories import a_member, a_person
from tests.licensed import bought, tried
from tests.paying import an_order, pay
from tests.reading_calendars import read_calendar

OVERVIEW = "/w/acme/billing"


def open_billing(page: Page, say) -> None:
    """Two clicks: the name of the workspace, and the entry."""
    open_menu(page, "workspace-menu").get_by_role("link", name=say("Billing"), exact=True).click()
    expect(heading(page)).to_have_text(say("Overview"))


def tabs(page: Page, say) -> list[str]:
    return page.get_by_test_id("workspace-tabs").locator("ul").nth(1).locator("a").all_inner_texts()


def several_products(place) -> None:
    pay(an_order(place, "business-10"), auto_renewal=True)
    card = PaymentMethod.get()
    bought(place, "meetings-professional", quantity=10, renews_with=card)
    bought(place, "remote-licence", quantity=2, interval=Interval.YEAR, renews_with=card)
    tried(place, "webinar-standard")


@read_by(*PAIRWISE, at_least=2)
def test_billing_is_two_clicks_away_on_every_plan(page: Page, reader, place, owner, say):
    come_signed_in(page, owner)
    for code in ("trial", "startup", "business-3", "business-50"):
        with jobs.at_work():
            due_on = None if code == "startup" else date(2026, 12, 21)
            Subscription.update(plan=Plan.get(Plan.code == code), due_on=due_on).execute()
        page.goto("/w/acme/members")
        open_billing(page, say)
        expect(page).to_have_url(re.compile(f"{OVERVIEW}$"))
        expect(page.get_by_test_id("own-office")).to_be_visible()
    with jobs.at_work():
        Subscription.update(plan=Plan.get(Plan.code == "trial")).execute()


@read_by(*PAIRWISE, at_least=2)
def test_the_overview_says_what_comes(page: Page, reader, place, owner, say):
    with jobs.at_work():
        several_products(place)
        PaymentMethod.update(exp_month=4, exp_year=2027).execute()
    come_signed_in(page, owner)
    page.goto(OVERVIEW)
    french = reader.language == "fr"
    # Business 10 at 51.00 and ten licences at 13.00, with 20 % VAT.
    expect(page.get_by_test_id("next-total")).to_have_text("217,20 €" if french else "€217.20")
    expect(page.get_by_test_id("next-day")).to_contain_text(
        "21 décembre 2026" if french else "21 December 2026"
    )
    expect(page.get_by_test_id("charge-row")).to_have_count(25)
    expect(page.get_by_role("img")).to_have_count(1)
    # The yearly licence comes after its card has expired.
    expect(page.get_by_test_id("need-method")).to_contain_text("Visa •••• 4242")
    page.get_by_test_id("need-method").get_by_role("link").click()
    expect(heading(page)).to_have_text(say("Add a payment method"))
    page.goto(OVERVIEW)
    if reader.scripts:
        assert_accessible(page)
    assert_fits_the_narrowest_screen(page)


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_an_address_for_the_calendar_is_made_shown_once_and_deleted(
    page: Page, reader, place, owner, say, app
):
    with jobs.at_work():
        several_products(place)
    come_signed_in(page, owner)
    page.goto(OVERVIEW)
    page.get_by_test_id("make-calendar").click()
    shown = page.get_by_test_id("calendar-address")
    expect(shown).to_be_visible()
    expect(heading(page)).to_have_text(say("Overview"))
    expect(page.get_by_test_id("copy-calendar")).to_be_visible(visible=reader.scripts)
    if reader.scripts:
        assert_accessible(page)
    assert_fits_the_narrowest_screen(page)
    address = shown.inner_text()
    # A program that knows nothing but the address.
    answer = page.context.request.get(address)
    assert answer.status == 200
    assert "set-cookie" not in answer.headers
    assert len(read_calendar(answer.body()).events) >= 25
    page.goto(OVERVIEW)
    expect(shown).to_have_count(0)
    expect(page.get_by_test_id("calendar")).to_contain_text(
        say(
            "You have a private calendar address. It is only shown once: if you have lost it, make a new one."
        )
    )
    page.get_by_test_id("revoke-calendar").click()
    expect(page.get_by_test_id("flash")).to_have_text(say("The address of your calendar no longer works."))
    assert page.context.request.get(address).status == 404


@read_by(*PAIRWISE)
def test_a_member_who_upgraded_has_the_same_access(page: Page, reader, place, say):
    with jobs.at_work():
        leo = a_person("leo@acme.test", name="Leo Roy", language=None)
        a_member(place.workspace, leo)
        several_products(place)
        Member.update(is_upgrader=True).where(Member.person == leo).execute()
    come_signed_in(page, leo)
    page.goto("/w/acme/licences")
    open_billing(page, say)
    names = ("Overview", "Plans", "Subscriptions", "History", "Payment", "Settings", "Contacts")
    assert tabs(page, say) == [say(name) for name in names]
    expect(page.get_by_test_id("forecast")).to_contain_text("Visa •••• 4242")


@read_by(*PAIRWISE)
def test_a_member_reads_and_does_nothing_and_an_owner_can_take_it_away(page: Page, reader, place, say):
    with jobs.at_work():
        leo = a_person("leo@acme.test", name="Leo Roy", language=None)
        a_member(place.workspace, leo, role=Role.MEMBER)
        several_products(place)
    come_signed_in(page, leo)
    page.goto("/w/acme/licences")
    open_billing(page, say)
    assert tabs(page, say) == [say(name) for name in ("Overview", "Plans", "Subscriptions", "History")]
    expect(page.get_by_test_id("charge-row")).to_have_count(25)
    expect(page.locator("main")).not_to_contain_text("Visa")
    page.goto("/w/acme/history")
    expect(page.get_by_test_id("history-row").first).to_be_visible()
    assert page.goto("/w/acme/payment-methods").status == 403
    with jobs.at_work():
        Workspace.update(hides_plans_from_members=True).execute()
    for path in ("billing", "history", "plans"):
        assert page.goto(f"/w/acme/{path}").status == 403


@read_by(*PAIRWISE)
def test_the_overview_helps_out_of_being_blocked(page: Page, reader, place, owner, clock):
    with jobs.at_work():
        pay(an_order(place))
    clock.set(datetime(2027, 1, 15, 9, 0, tzinfo=UTC))
    come_signed_in(page, owner)
    page.goto(OVERVIEW)
    expect(page.get_by_test_id("state-banner")).to_have_count(1)
    expect(page.get_by_test_id("needs").get_by_test_id("pay-due")).to_be_visible()
    if reader.scripts:
        assert_accessible(page)


@read_by(*PAIRWISE)
def test_the_overview_leads_to_the_plans_once_the_trial_is_over(page: Page, reader, place, owner, clock, say):
    clock.set(datetime(2027, 1, 15, 9, 0, tzinfo=UTC))
    come_signed_in(page, owner)
    page.goto(OVERVIEW)
    expect(page.get_by_test_id("needs").get_by_role("link", name=say("See the plans"))).to_be_visible()
    if reader.scripts:
        assert_accessible(page)
