"""Who fits into a plan: users, guests beside them, the disabled, and what is offered to how many."""

import re
from datetime import date, timedelta

from playwright.sync_api import Locator, Page, expect

from portal.domain.vocabulary import MemberStatus
from portal.worker import jobs
from tests.browser.reader import THE_OTHER_WAY_ROUND, WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import (
    come_signed_in,
    come_to,
    expect_refused,
    grow,
    heading,
    open_plans,
    plan,
    sign_in,
    wait_for_mail,
)
from tests.browser.watch import assert_looks_right
from tests.factories import PASSWORD, a_member, a_person
from tests.paying import buy as paid_plan

TRIAL_ENDS = date(2026, 12, 21)


def open_members(page: Page, acme) -> None:
    page.goto(f"/w/{acme.slug}/members")


def open_invitations(page: Page) -> None:
    if not page.locator("[name=emails]").is_visible():
        page.get_by_test_id("invite-open").click()


def invite(page: Page, *addresses: str) -> None:
    open_invitations(page)
    page.locator("[name=emails]").fill("\n".join(addresses))
    page.get_by_test_id("invite").click()


def row_of(page: Page, name: str) -> Locator:
    return page.get_by_test_id("member-row").filter(has_text=name)


# --- guests ---------------------------------------------------------------------------------------


@read_by(*THE_OTHER_WAY_ROUND)
def test_whoever_comes_to_a_full_plan_is_a_guest_who_only_looks_on(
    page: Page, reader, acme, owner, place, say, another_browser
):
    grow(acme, users=2)
    with jobs.at_work():
        paid_plan(place, "business-3")
    come_signed_in(page, owner)
    open_members(page, acme)
    expect(page.get_by_test_id("room-note")).to_be_visible()
    expect(page.locator("[name=status][value=active]")).to_be_disabled()
    expect(page.locator("[name=status][value=guest]")).to_be_checked()
    assert_looks_right(page, reader)
    invite(page, "gina@acme.test")
    expect(page.get_by_test_id("flash")).to_be_visible()
    expect(page.get_by_test_id("usage-users")).to_have_text(re.compile("^3"))
    expect(page.get_by_test_id("usage-guests")).to_have_text(re.compile("^1"))

    # Gina joins, and finds nothing that could be changed.
    theirs = another_browser()
    wait_for_mail(theirs, "has invited you to Acme").get_by_role("link").click()
    theirs.get_by_role("link", name="/invitation/").first.click()
    theirs.locator("[name=name]").fill("Gina Vidal")
    theirs.locator("[name=password]").fill(PASSWORD)
    assert_looks_right(theirs, reader)
    theirs.get_by_test_id("accept-invitation").click()
    expect(theirs.get_by_test_id("guest-page")).to_contain_text(owner.name)
    assert_looks_right(theirs, reader)
    for path in ("plans", "members", "history", "services", "settings"):
        theirs.goto(f"/w/{acme.slug}/{path}")
        expect(heading(theirs)).to_have_text(say("You do not have permission to do this"))

    # Back in front of the list: she is a guest there.
    open_members(page, acme)
    expect(row_of(page, "Gina Vidal").locator("[data-state=guest]")).to_be_visible()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_two_guests_for_each_user_of_the_plan_and_users_once_it_is_larger(
    page: Page, reader, acme, owner, place, say
):
    grow(acme, users=2)
    with jobs.at_work():
        paid_plan(place, "business-3")
    come_signed_in(page, owner)
    open_members(page, acme)
    invite(page, *(f"guest{n}@acme.test" for n in range(1, 6)))
    expect(page.get_by_test_id("usage-guests")).to_have_text(re.compile("^5.*6$"))

    # Two colleagues invite at once: the sixth guest fits, the seventh is refused by name.
    second = page.context.new_page()
    open_members(second, acme)
    invite(page, "guest6@acme.test")
    expect(page.get_by_test_id("usage-guests")).to_have_text(re.compile("^6.*6$"))
    expect(page.get_by_test_id("invite")).to_have_count(0)
    expect(page.get_by_test_id("update-plan")).to_be_visible()
    assert_looks_right(page, reader)
    invite(second, "guest7@acme.test")
    expect_refused(second, "emails")
    expect(second.locator("#emails-error")).to_contain_text("guest7@acme.test")
    assert_looks_right(second, reader)
    second.close()
    open_members(page, acme)
    expect(page.get_by_test_id("member-row")).to_have_count(9)
    expect(row_of(page, "guest1@").get_by_role("checkbox")).to_have_count(0)

    # A larger plan has two places more for users: of three who are ticked, the first two get them.
    with jobs.at_work():
        paid_plan(place, "business-5")
    open_members(page, acme)
    for number in (1, 2, 3):
        row_of(page, f"guest{number}@").get_by_role("checkbox").check()
    assert_looks_right(page, reader)
    page.get_by_test_id("make-users").click()
    expect(page.get_by_test_id("flash").last).to_contain_text("guest3@acme.test")
    expect(page.get_by_test_id("usage-users")).to_have_text(re.compile("^5.*5$"))
    expect(page.get_by_test_id("usage-guests")).to_have_text(re.compile("^4.*10$"))
    expect(page.get_by_test_id("make-users")).to_have_count(0)
    assert_looks_right(page, reader)


# --- the disabled ---------------------------------------------------------------------------------


@read_by(*THE_OTHER_WAY_ROUND)
def test_a_disabled_user_is_out_at_once_and_not_counted(
    page: Page, reader, acme, owner, say, another_browser
):
    with jobs.at_work():
        leo = a_person("leo@acme.test", name="Leo Roy", language=None)
        a_member(acme, leo)
    theirs = another_browser()
    sign_in(theirs, leo)
    expect(heading(theirs)).to_have_text(say("Plans"))
    come_signed_in(page, owner)
    open_members(page, acme)
    expect(page.get_by_test_id("usage-users")).to_have_text("2")
    row_of(page, "Leo Roy").locator("a[href$=disable]").click()
    disable = page.get_by_test_id("disable-member")
    expect(disable).to_be_visible()
    assert_looks_right(page, reader)
    disable.click()
    expect(page.get_by_test_id("flash")).to_contain_text("Leo Roy")
    expect(page.get_by_test_id("usage-users")).to_have_text("1")
    open_plans(page, acme)
    expect(page.get_by_test_id("usage-users")).to_have_text("1")

    # The open session has ended, and a new one is refused.
    open_plans(theirs, acme)
    expect(heading(theirs)).to_have_text(say("Sign in"))
    sign_in(theirs, leo)
    expect(theirs.get_by_test_id("error-summary")).to_contain_text(
        say("Your access has been disabled. Ask an administrator of your workspace to enable it again.")
    )

    # Enabled again from the list.
    open_members(page, acme)
    row_of(page, "Leo Roy").locator("[formaction$=enable]").click()
    expect(page.get_by_test_id("usage-users")).to_have_text("2")
    sign_in(theirs, leo)
    open_plans(theirs, acme)
    expect(heading(theirs)).to_have_text(say("Plans"))


# --- the trial ------------------------------------------------------------------------------------


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_on_trial_anybody_may_come_and_the_offer_fits_those_who_did(
    page: Page, reader, acme, owner, say, clock
):
    grow(acme, users=100)
    come_signed_in(page, owner)
    open_members(page, acme)
    expect(page.get_by_test_id("room-note")).to_have_count(0)
    invite(page, "one.more@acme.test")
    expect(page.get_by_test_id("usage-users")).to_have_text("102")
    open_plans(page, acme)
    expect(page.get_by_test_id("plan-action")).to_have_text(say("Contact us"))

    # At the end there are four.
    leave(acme, all_but=4)
    come_to(clock, TRIAL_ENDS - timedelta(days=5), TRIAL_ENDS)
    expect(wait_for_mail(page, "The trial of Acme ends on 21 December 2026")).to_be_visible()
    open_plans(page, acme)
    expect(page.get_by_test_id("state-banner")).to_be_visible()
    expect(page.get_by_test_id("usage-users")).to_have_text("4")
    expect(plan(page, "business-5").get_by_role("radio")).to_be_checked()
    expect(plan(page, "business-5")).to_contain_text(say("Recommended"))
    assert_looks_right(page, reader)

    # And the offer follows them.
    for users, code in ((2, "business-3"), (1, "business-3")):
        leave(acme, all_but=users)
        open_plans(page, acme)
        expect(plan(page, code).get_by_role("radio")).to_be_checked()


def leave(acme, *, all_but: int) -> None:
    """Everybody is disabled but for the first so many."""
    from portal.models import Member

    with jobs.at_work():
        stay = Member.select(Member.id).where(Member.workspace == acme).order_by(Member.id).limit(all_but)
        staying = [member.id for member in stay]
        gone = Member.update(status=MemberStatus.DISABLED)
        gone.where(Member.workspace == acme, Member.id.not_in(staying)).execute()
