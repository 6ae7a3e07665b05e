"""Paying less, paying no more, going away: the free plans, refunds, deletion (source-systems.md §8)."""

import io
import re
from datetime import date, timedelta
from zipfile import ZipFile

from playwright.sync_api import Page, expect

from portal.domain.vocabulary import Interval, MemberStatus, Role, Service
from portal.models import Member, Person, Workspace
from portal.runtime import current
from portal.worker import jobs
from tests.browser.reader import THE_OTHER_WAY_ROUND, WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import (
    buy,
    charges,
    come_signed_in,
    come_to,
    download,
    expect_refused,
    expect_step,
    go_on,
    grow,
    heading,
    open_plans,
    pay,
    payments_of,
    wait_for_mail,
)
from tests.browser.watch import assert_looks_right
from tests.factories import a_member, a_person
from tests.paying import an_order
from tests.paying import buy as paid_plan
from tests.paying import pay as pay_for

BOUGHT = date(2026, 11, 21)
DUE = date(2026, 12, 21)
SIX_MONTHS_LATER = date(2027, 6, 21)
MOST_MEMBERS = 1000
LIMITS = ("users", "storage", "guests", "administrators")


# --- Business → Startup ---------------------------------------------------------------------------


def expect_in_the_way(page: Page, *conditions: str) -> None:
    """What the checklist of the free plan says is not as it must be, in its order."""
    lines = page.locator(".checklist [data-state=unmet]")
    expect(lines).to_have_count(len(conditions))
    for number, condition in enumerate(conditions):
        expect(lines.nth(number)).to_have_attribute("data-testid", f"condition-{condition}")


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_the_free_plan_names_everything_in_its_way_and_begins_when_nothing_is(
    page: Page, reader, acme, owner, say, another_browser
):
    grow(acme, users=5, gigabytes=3)
    with jobs.at_work():
        a_member(acme, a_person("gina@acme.test", password=False), status=MemberStatus.GUEST)
        a_member(acme, a_person("adam@acme.test", password=False), role=Role.ADMIN)
        switch_on(acme, *Service)
    come_signed_in(page, owner)
    open_plans(page, acme)
    page.locator("a[href$='plans/free']").click()
    in_the_way = [*LIMITS, *(service.value for service in Service)]
    expect_in_the_way(page, *in_the_way)
    confirm = page.get_by_test_id("free-plan-confirm")
    expect(confirm).to_have_count(0)
    assert_looks_right(page, reader)

    # Each alone is enough to refuse it, and is named.
    mends = {
        "users": lambda: disable(acme, "member1@acme.test", "member2@acme.test"),
        "storage": lambda: grow(acme, gigabytes=2),
        "guests": lambda: disable(acme, "gina@acme.test"),
        "administrators": lambda: disable(acme, "adam@acme.test"),
    }
    for limit, mend in mends.items():
        mend()
        in_the_way.remove(limit)
        page.reload()
        expect_in_the_way(page, *in_the_way)
    while in_the_way:
        page.locator(f"[data-testid=condition-{in_the_way[0]}] a").click()
        page.locator(f"[name={in_the_way[0]}]").uncheck()
        page.get_by_test_id("save-services").click()
        expect(page.get_by_test_id("flash")).to_be_visible()
        in_the_way.pop(0)
        page.goto(f"/w/{acme.slug}/plans/free")
        expect_in_the_way(page, *in_the_way)

    # Switched on again beside the open page: refused when it is confirmed, by name.
    with jobs.at_work():
        switch_on(acme, Service.SSO)
    confirm.click()
    expect(page.get_by_test_id("error-summary")).to_be_visible()
    expect_in_the_way(page, Service.SSO.value)
    with jobs.at_work():
        switch_on(acme)
    page.goto(f"/w/{acme.slug}/plans/free")
    assert_looks_right(page, reader)
    confirm.click()
    expect(page.get_by_test_id("flash")).to_contain_text("Startup")

    # Free, without a due date; and without guests and services from now on.
    expect(page.locator(".page-header")).not_to_contain_text(re.compile("202[67]"))
    expect(page.get_by_test_id("usage-users")).to_have_text(re.compile("^4.*5$"))
    assert_looks_right(page, reader)
    page.goto(f"/w/{acme.slug}/services")
    expect(page.locator("[name=ldap]")).to_be_disabled()
    assert_looks_right(page, reader)
    assert payments_of(acme) == []


def switch_on(acme: Workspace, *services: Service) -> None:
    """These services and no others."""
    codes = [service.value for service in services]
    Workspace.update(services=codes).where(Workspace.id == acme.id).execute()


def disable(acme: Workspace, *addresses: str) -> None:
    with jobs.at_work():
        people = Person.select(Person.id).where(Person.email << list(addresses))
        Member.update(status=MemberStatus.DISABLED).where(Member.person << people).execute()


# --- refunds --------------------------------------------------------------------------------------


@read_by(*THE_OTHER_WAY_ROUND)
def test_a_year_can_be_refunded_for_thirty_days_and_only_as_the_last_payment(
    page: Page, reader, acme, owner, place, written, clock
):
    with jobs.at_work():
        first = paid_plan(place, "business-3", Interval.YEAR)
        paid_plan(place, "business-5", Interval.YEAR)
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/history")
    expect(page.get_by_test_id("history-row")).to_have_count(2)
    link = page.get_by_test_id("refund-link")
    expect(link).to_have_count(1)
    expect(page.get_by_test_id("history-row").first.get_by_test_id("refund-link")).to_be_visible()

    # The older payment has an address too.
    page.goto(f"/w/{acme.slug}/history/refunds/{first.key}")
    expect(page.get_by_test_id("error-summary")).to_be_visible()
    expect(page.get_by_test_id("refund-confirm")).to_have_count(0)
    assert_looks_right(page, reader)

    # Day 30 is possible; the page that stays open over night is refused on day 31.
    last_day = BOUGHT + timedelta(days=30)
    come_to(clock, last_day)
    page.goto(f"/w/{acme.slug}/history")
    link.click()
    expect(page.locator("#refund")).to_contain_text(written(last_day))
    expect(page.get_by_test_id("refund-after")).to_contain_text("Business 3")
    come_to(clock, last_day + timedelta(days=1))
    page.get_by_test_id("refund-confirm").click()
    expect(page.get_by_test_id("error-summary")).to_contain_text(written(last_day))
    expect(page.get_by_test_id("refund-confirm")).to_have_count(0)
    assert_looks_right(page, reader)
    page.goto(f"/w/{acme.slug}/history")
    expect(link).to_have_count(0)
    assert [charge.state for charge in charges()] == ["succeeded", "succeeded"]


# --- deletion -------------------------------------------------------------------------------------


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_an_owner_takes_everything_along_and_deletes_the_workspace(
    page: Page, reader, acme, owner, place, written, clock, another_browser
):
    with jobs.at_work():
        pay_for(an_order(place, "business-5"), auto_renewal=True)
        staff = a_person("staff@vendor.test", name="Sam Staff", operator=True, language=None)
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/settings")
    page.get_by_test_id("to-deletion").click()
    expect(page.get_by_test_id("delete-workspace")).to_be_visible()

    # Automatic renewal is warned about, with the day and the way to stop it alone.
    warning = page.get_by_test_id("renewal-warning")
    expect(warning).to_contain_text(written(DUE))
    expect(warning.get_by_role("link")).to_have_attribute("href", f"/w/{acme.slug}/auto-renewal")
    assert_looks_right(page, reader)

    # Everything in one archive.
    names = ZipFile(io.BytesIO(download(page, page.get_by_test_id("export")))).namelist()
    assert {"payments.csv", "members.csv", "documents/INV-2026-000001-fr.pdf"} <= set(names)

    # The name is typed, or nothing happens.
    page.goto(f"/w/{acme.slug}/settings/delete")
    page.locator("[name=name]").fill("Acne")
    page.get_by_test_id("delete-workspace").click()
    expect_refused(page, "name")
    assert_looks_right(page, reader)
    page.locator("[name=name]").fill("Acme")
    page.get_by_test_id("delete-workspace").click()
    expect(page.get_by_test_id("flash")).to_contain_text("Acme")
    expect(page.get_by_test_id("workspace-menu")).to_have_count(0)
    assert_looks_right(page, reader)
    page.goto(f"/w/{acme.slug}/plans")
    expect(page).to_have_url(re.compile("/sign-in"))
    expect(wait_for_mail(page, "Acme was deleted")).to_be_visible()

    # Nothing more is charged, and the vendor knows why.
    come_to(clock, DUE, DUE + timedelta(days=40))
    assert len(charges()) == 1
    theirs = another_browser()
    come_signed_in(theirs, staff)
    theirs.goto("/operator/deletions")
    expect(theirs.get_by_test_id("deletion-row")).to_contain_text(acme.slug)
    assert_looks_right(theirs, reader)


@read_by(*THE_OTHER_WAY_ROUND)
def test_who_does_not_pay_is_warned_after_six_months_and_gone_a_week_later(
    page: Page, reader, acme, owner, clock
):
    come_signed_in(page, owner)
    come_to(clock, SIX_MONTHS_LATER - timedelta(days=1))
    open_plans(page, acme)
    expect(page.get_by_test_id("plan-action")).to_be_enabled()
    come_to(clock, SIX_MONTHS_LATER)
    wait_for_mail(page, "Acme will be deleted on 28 June 2027").get_by_role("link").click()
    expect(heading(page)).to_contain_text("Acme")
    assert_looks_right(page, reader)
    come_to(clock, SIX_MONTHS_LATER + timedelta(days=6))
    open_plans(page, acme)
    expect(page.get_by_test_id("plan-action")).to_be_enabled()
    come_to(clock, SIX_MONTHS_LATER + timedelta(days=7))
    open_plans(page, acme)
    expect(page).to_have_url(re.compile("/sign-in"))
    with jobs.at_work():
        assert Workspace.get_by_id(acme.id).name == ""
        assert not Person.select().where(Person.id == owner.id).exists()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_paying_after_five_months_brings_everything_back(
    page: Page, reader, acme, owner, place, say, written, clock
):
    grow(acme, users=2, gigabytes=7)
    with jobs.at_work():
        paid_plan(place, "business-5")
    come_signed_in(page, owner)
    paid_on = date(2027, 5, 21)
    come_to(clock, DUE + timedelta(days=1), paid_on)
    page.goto(f"/w/{acme.slug}/settings")
    expect(heading(page)).to_have_text(say("Plans"))
    buy(page)
    go_on(page)
    expect_step(page, "review")
    expect(page.locator(".order")).to_contain_text(written(paid_on))
    pay(page)
    expect(heading(page)).to_have_text(say("Payment complete"))
    page.goto(f"/w/{acme.slug}/members")
    expect(page.get_by_test_id("member-row")).to_have_count(3)
    expect(page.get_by_test_id("state-banner")).to_have_count(0)
    open_plans(page, acme)
    expect(page.get_by_test_id("usage-storage")).to_contain_text(re.compile("^7"))
    expect(page.get_by_test_id("history-row")).to_have_count(2)
    come_to(clock, SIX_MONTHS_LATER, SIX_MONTHS_LATER + timedelta(days=7))
    open_plans(page, acme)
    expect(heading(page)).to_have_text(say("Plans"))


# --- non-profit -----------------------------------------------------------------------------------


@read_by(*THE_OTHER_WAY_ROUND)
def test_a_non_profit_organisation_asks_and_gets_its_plan(
    page: Page, reader, acme, owner, place, say, another_browser
):
    with jobs.at_work():
        paid_plan(place, "business-5")
        staff = a_person("staff@vendor.test", name="Sam Staff", operator=True, language=None)
    come_signed_in(page, owner)
    page.goto("/nonprofit")
    expect(page.locator("[name=organisation]")).to_have_value("Acme")
    page.locator("[name=organisation]").fill("")
    page.get_by_test_id("send-nonprofit").click()
    expect_refused(page, "organisation", "country", "registration_number", "purpose", "consent")
    assert_looks_right(page, reader)
    page.locator("[name=organisation]").fill("Les Amis du canal")
    page.locator("[name=country]").select_option("FR")
    page.locator("[name=registration_number]").fill("W751234567")
    page.locator("[name=purpose]").fill("Nous prenons soin des berges du canal.")
    page.locator("[name=consent]").check()
    page.get_by_test_id("send-nonprofit").click()
    expect(page).to_have_url(re.compile("/nonprofit/sent$"))
    assert_looks_right(page, reader)
    expect(wait_for_mail(page, "Les Amis du canal")).to_be_visible()

    theirs = another_browser()
    come_signed_in(theirs, staff)
    theirs.goto("/operator/nonprofit")
    assert_looks_right(theirs, reader)
    theirs.get_by_test_id("nonprofit-row").get_by_role("link").click()
    expect(theirs.locator("[name=slug]")).to_have_value(acme.slug)
    assert_looks_right(theirs, reader)
    theirs.get_by_test_id("accept-nonprofit").click()
    expect(theirs.get_by_test_id("decision")).to_contain_text("Sam Staff")
    assert_looks_right(theirs, reader)

    # No date, no price, no figure to compare with.
    open_plans(page, acme)
    expect(page.locator(".page-header")).not_to_contain_text(re.compile("202[67]"))
    expect(page.get_by_test_id("usage-users")).to_have_text("1")
    expect(page.get_by_test_id("usage-storage")).to_contain_text(re.compile("2.G[Bo]"))
    assert_looks_right(page, reader)

    # A thousand users and every service; whoever comes then only looks on.
    fill_up(acme)
    page.goto(f"/w/{acme.slug}/services")
    page.locator("[name=ldap]").check()
    page.get_by_test_id("save-services").click()
    expect(page.locator("[name=ldap]")).to_be_checked()
    page.goto(f"/w/{acme.slug}/members")
    expect(page.get_by_test_id("usage-users")).to_have_text(re.compile(r"^1.?000 .* 1.?000$"))
    expect(page.locator("[name=status][value=active]")).to_be_disabled()
    page.get_by_test_id("invite-open").click()
    page.locator("[name=emails]").fill("one.more@canal.test")
    page.get_by_test_id("invite").click()
    expect(page.get_by_test_id("usage-guests")).to_have_text(re.compile("^1 "))


def fill_up(acme: Workspace) -> None:
    """As many users as the plan for non-profits has places, the owner among them."""
    now = current().clock.now()
    with jobs.at_work():
        people = [
            {"email": f"m{n}@canal.test", "name": f"Member {n}", "created_at": now}
            for n in range(1, MOST_MEMBERS)
        ]
        Person.insert_many(people).execute()
        joined = Person.select(Person.id).where(
            Person.email.startswith("m"), Person.name.startswith("Member")
        )
        Member.insert_many(
            [
                {
                    "workspace": acme,
                    "person": person.id,
                    "role": Role.MEMBER,
                    "status": MemberStatus.ACTIVE,
                    "created_at": now,
                    "joined_at": now,
                }
                for person in joined
            ]
        ).execute()
