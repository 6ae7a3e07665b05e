"""Every page and every state of one: axe finds nothing, and nothing has to be scrolled sideways.

The four looks (wide or small, light or dark) are shared out between the two languages, and take turns from
one state to the next; 320 px is looked at in every state. A page is loaded once and looked at in each way,
since nothing but the style sheet depends on it.
"""

from itertools import count

import pytest
from playwright.sync_api import Page, expect

from portal.database.connecting import transaction
from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, LinkPurpose, MemberStatus, PaymentMethodKind, Role
from portal.models import CartLine, Plan, Product
from portal.runtime import current
from portal.services.checkout import cart
from portal.services.people.links import make_link
from portal.worker import jobs
from tests.browser.reader import LOOKS, Reader, read_by
from tests.browser.steps import (
    FRENCH_COMPANY,
    choose_plan,
    chosen_plan,
    come_signed_in,
    expect_refused,
    expect_step,
    fill_in,
    go_on,
    grow,
    heading,
    open_menu,
    open_plans,
    order,
    pay,
    review_an_order,
    wait_for_mail,
)
from tests.browser.watch import assert_accessible, assert_fits_the_narrowest_screen
from tests.factories import a_member, a_person, seen_by
from tests.matrix import taking_turns
from tests.paying import ASKS_ALWAYS, DECLINED, SILENT_CHARGED, an_open_order, an_order
from tests.paying import buy as paid_plan

IN_BOTH_LANGUAGES = read_by(Reader("en"), Reader("fr"))


@pytest.fixture
def look(page: Page, reader: Reader):
    """Look at the page as it is now, in every way; `name` is for whoever reads a failure."""

    turn = count()

    def at(name: str, page: Page = page) -> None:
        for width, theme in taking_turns(LOOKS[reader.language], next(turn)):
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=theme)
            assert_accessible(page)
        assert_fits_the_narrowest_screen(page)
        page.set_viewport_size({"width": 1280, "height": 900})

    return at


@IN_BOTH_LANGUAGES
def test_what_visitors_see(page: Page, live_server, look):
    for path in ("/", "/pricing", "/terms", "/privacy", "/security", "/no-such-page", "/sandbox/"):
        page.goto(path)
        look(path)
    page.goto("/sandbox/mailbox")
    look("an empty mailbox")
    page.goto("/sandbox/components")
    look("components")
    page.locator("[data-dialog-open]").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look("a dialog")


@IN_BOTH_LANGUAGES
def test_the_ways_in(page: Page, acme, owner, look):
    for path, button in {
        "/sign-in": "sign-in",
        "/sign-up": "sign-up",
        "/sign-in/link": "send-link",
        "/reset": "send-link",
    }.items():
        page.goto(path)
        look(path)
        page.get_by_test_id(button).click()
        expect_refused(page)
        look(f"{path} refused")
    page.locator("[name=email]").fill(owner.email)
    page.get_by_test_id("send-link").click()
    expect(page.locator("form .field")).to_have_count(0)
    look("a link is sent")
    page.goto("/sign-up/sent")
    look("signed up")
    page.goto("/sign-in?next=/me")
    look("sent to sign in")
    with jobs.at_work(), transaction():
        magic, reset = (make_link(owner, purpose)[0] for purpose in (LinkPurpose.MAGIC, LinkPurpose.RESET))
    page.goto(f"/sign-in/link/{magic}")
    look("a link to sign in with")
    page.goto(f"/reset/{reset}")
    look("a new password")
    page.get_by_test_id("save-password").click()
    expect_refused(page, "password")
    look("a new password refused")
    page.goto("/reset/unknown")
    look("a link that is of no use")


@IN_BOTH_LANGUAGES
def test_the_plans_page_in_its_states(page: Page, acme, owner, look, clock):
    come_signed_in(page, owner)
    open_plans(page, acme)
    look("on trial")
    for menu in ("workspace-menu", "settings-menu"):
        open_menu(page, menu)
        look(f"{menu} open")
    page.get_by_test_id("plan-action").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look("the Buy dialog")

    grow(acme, users=3, gigabytes=30)
    open_plans(page, acme)
    choose_plan(page, "business-3")
    expect(chosen_plan(page)).to_contain_text("Business 3")
    look("a plan that is too small")
    page.get_by_test_id("plan-action").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look("the refusal")
    grow(acme, users=120, named="colleague")
    open_plans(page, acme)
    look("no plan is large enough")

    clock.advance(days=27)
    open_plans(page, acme)
    look("the trial ends")
    clock.advance(days=10)
    open_plans(page, acme)
    look("the trial is over")


@IN_BOTH_LANGUAGES
def test_pages_of_a_workspace_that_pays(page: Page, acme, owner, look, clock, another_browser):
    with jobs.at_work():
        place = seen_by(owner, acme)
        paid_plan(place, "business-5", Interval.MONTH)
    come_signed_in(page, owner)
    open_plans(page, acme)
    look("paid")
    page.goto(f"/w/{acme.slug}/billing")
    look("overview of what is paid by hand")
    page.goto(f"/w/{acme.slug}/history")
    look("history")
    page.goto(f"/w/{acme.slug}/invoices/INV-2026-000001")
    look("statement")
    page.goto("/me/orders")
    look("my orders")
    clock.advance(days=3)
    review_an_order(page, acme, owner, "business-10")
    expect(page.get_by_test_id("quote-days")).to_be_visible()
    look("the six figures of a change")
    clock.advance(days=40)
    open_plans(page, acme)
    look("late")
    page.goto(f"/w/{acme.slug}/billing")
    look("overview of what is late")

    with jobs.at_work():
        leo = a_person("leo@acme.test", name="Leo Roy", language=None)
        a_member(acme, leo)
    member = another_browser()
    come_signed_in(member, leo)
    member.goto(f"/w/{acme.slug}/invoices/INV-2026-000001.pdf")
    look("not allowed", member)
    member.goto(f"/w/{acme.slug}/history")
    look("history of a member", member)


@IN_BOTH_LANGUAGES
def test_the_pages_of_a_person_and_of_a_workspace(page: Page, acme, owner, look, another_browser):
    come_signed_in(page, owner)
    for path in ("/me", "/me/orders", f"/w/{acme.slug}/history", f"/w/{acme.slug}/settings"):
        page.goto(path)
        look(path)
    page.goto("/me")
    page.get_by_test_id("change-password").click()
    expect_refused(page)
    look("a password refused")
    page.goto(f"/w/{acme.slug}/settings")
    page.locator("[name=name]").fill("")
    page.locator("form.card button[type=submit]").click()
    expect_refused(page, "name")
    look("settings refused")

    grow(acme, users=2)
    with jobs.at_work():
        a_member(
            acme, a_person("ines@acme.test", name="Inès Roux", password=False), status=MemberStatus.GUEST
        )
        gone = a_person("paul.with.a.rather.long.name@department.acme.test", name="Paul", password=False)
        disabled = a_member(acme, gone, role=Role.BILLING_MANAGER, status=MemberStatus.DISABLED)
        a_member(acme, a_person("new@acme.test", name="", password=False), joined=False)
    page.goto(f"/w/{acme.slug}/members")
    look("members")
    page.get_by_test_id("invite-open").click()
    page.get_by_test_id("invite").click()
    expect_refused(page, "emails")
    look("an invitation refused")
    page.goto(f"/w/{acme.slug}/members/{disabled.id - 1}/disable")
    look("disable?")

    with jobs.at_work():
        nobody = a_person("nobody@acme.test", name="Nobody", language=None)
    alone = another_browser()
    come_signed_in(alone, nobody)
    alone.goto("/")
    look("in no workspace", alone)


@IN_BOTH_LANGUAGES
def test_the_cart_in_its_states(page: Page, acme, owner, look):
    come_signed_in(page, owner)
    here = f"/w/{acme.slug}/cart"
    page.goto(here)
    look("an empty cart")
    with jobs.at_work():
        place, now = seen_by(owner, acme), current().clock.now()
        for plan in ("business-5", "meetings-essential", "training-standard"):
            cart.add(place, choice=Choice(plan, Interval.MONTH), currency="EUR", now=now)
    page.goto(here)
    look("a cart")
    with jobs.at_work():
        CartLine.update(quantity=2, unit_minor=1, added_by=None).execute()
        Plan.update(hidden=True).where(Plan.code == "training-standard").execute()
        Product.update(revision="another").execute()
    page.locator("#meetings-quantity").fill("7")
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("cart-save")).to_be_visible()
    look("somebody else was first, prices changed, one cannot be ordered")
    page.goto(here)
    page.locator("#meetings-quantity").fill("0")
    page.keyboard.press("Tab")
    expect(page.locator("#meetings-quantity-error")).to_be_visible()
    look("a number refused")


@pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")
@IN_BOTH_LANGUAGES
def test_the_checkout_in_its_states(page: Page, acme, owner, look):
    come_signed_in(page, owner)
    with jobs.at_work():
        made = an_open_order(seen_by(owner, acme))
    page.goto(f"/w/{acme.slug}/checkout/{made.number}")
    look("details")
    go_on(page)
    expect_refused(page)
    look("details refused")
    fill_in(page, FRENCH_COMPANY)
    page.locator("[name=vat_number]").fill("FR40303265046")
    go_on(page)
    expect_refused(page, "vat_number")
    look("a company's details refused")
    fill_in(page, FRENCH_COMPANY)
    go_on(page)
    expect_step(page, "review")
    look("review")
    order(page)
    expect_refused(page, "number")
    look("review refused")
    pay(page, DECLINED)
    expect_refused(page)
    look("declined")
    pay(page, ASKS_ALWAYS)
    expect(page.locator("button[value=confirm]")).to_be_visible()
    look("the bank's page")
    page.goto(f"/w/{acme.slug}/checkout/{made.number}/result")
    look("the bank asks")
    page.locator("form[action$=leave] button").click()
    expect_step(page, "details")
    look("another way to pay")
    go_on(page)
    expect_step(page, "review")
    pay(page, SILENT_CHARGED)
    expect_step(page, "result")
    look("being confirmed")


@IN_BOTH_LANGUAGES
def test_paypal_the_result_and_the_letter(page: Page, acme, owner, look):
    come_signed_in(page, owner)
    with jobs.at_work():
        made = an_order(seen_by(owner, acme), method_kind=PaymentMethodKind.PAYPAL)
    page.goto(f"/w/{acme.slug}/checkout/{made.number}/review")
    look("review with PayPal")
    order(page)
    expect(page.locator("button[value=confirm]")).to_be_visible()
    look("PayPal's page")
    page.locator("button[value=refuse]").click()
    expect_step(page, "result")
    look("nothing was charged")
    page.goto(f"/w/{acme.slug}/checkout/{made.number}/review")
    order(page)
    page.locator("[name=email]").fill("paid@paypal.example")
    page.locator("button[value=confirm]").click()
    expect(page.get_by_test_id("invoice-link")).to_be_visible()
    look("it is done")
    letter = wait_for_mail(page, made.number)
    look("mailbox")
    letter.get_by_role("link").click()
    expect(heading(page)).to_contain_text(made.number)
    look("a letter")


@IN_BOTH_LANGUAGES
def test_what_operators_see(page: Page, acme, owner, look):
    with jobs.at_work():
        paid_plan(seen_by(owner, acme))
        staff = a_person("staff@vendor.test", name="Sam Staff", operator=True, language=None)
    come_signed_in(page, staff)
    page.goto("/operator/")
    look("workspaces")
    page.get_by_test_id("workspace-row").get_by_role("link").first.click()
    expect(heading(page)).to_have_text("Acme")
    look("one of them")
    page.locator("[name=amount]").fill("much")
    page.locator("#storage_form button[type=submit]").click()
    expect_refused(page, "amount")
    look("storage refused")
    page.goto("/operator/exchange-rates")
    page.locator("[name=rate]").fill("much")
    page.get_by_test_id("add-rate").click()
    expect_refused(page, "rate")
    look("rate refused")
    page.locator("[name=rate]").fill("1.1612")
    page.get_by_test_id("add-rate").click()
    expect(page.get_by_test_id("rate-row")).to_have_count(1)
    look("rates")
