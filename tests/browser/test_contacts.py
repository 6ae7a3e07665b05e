"""Billing contacts: a member from the list, an address without an account, and what both of them get."""

import pytest
from playwright.sync_api import Page, expect

from portal.mail.reports import DeliveryReport
from portal.mail.return_address import return_address
from portal.models import OutboxMessage
from portal.runtime import current
from portal.services.billing import bounces
from portal.services.subscriptions import agreement
from portal.worker import jobs
from tests.browser.reader import THE_OTHER_WAY_ROUND, WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import (
    come_signed_in,
    come_to,
    expect_refused,
    heading,
    open_menu,
    wait_for_mail,
)
from tests.browser.watch import assert_looks_right
from tests.factories import a_contact, a_member, a_person, letters
from tests.paying import an_order, pay

BOOKS = "books@accountant.example"


def row(page: Page, text: str):
    return page.get_by_test_id("contact-row").filter(has_text=text)


def open_contacts(page: Page, acme) -> None:
    page.goto(f"/w/{acme.slug}/contacts")


def open_the_form(page: Page) -> None:
    form = page.locator("#adding_contact")
    if form.get_attribute("open") is None:
        page.get_by_test_id("add-contact-open").click()


def add(page: Page, *, member: str = "", email: str = "", language: str = "en") -> None:
    open_the_form(page)
    if member:
        page.locator("[name=member]").select_option(label=member)
    page.locator("[name=email]").fill(email)
    page.locator("[name=language]").select_option(language)
    page.get_by_test_id("add-contact").click()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_member_and_an_address_are_added_and_get_what_the_owner_gets(
    page: Page, another_browser, reader, acme, owner, place, say, clock
):
    """Rows 003: a member from the list, a free address, in copy of all billing e-mails, a charged card."""
    with jobs.at_work():
        a_member(acme, a_person("paul@acme.test", name="Paul Roux"))
        pay(an_order(place), auto_renewal=True)
        renewed_on = agreement.of_workspace(acme).renew_on
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/plans")
    open_menu(page, "settings-menu").get_by_role("link", name=say("Contacts")).click()
    expect(heading(page)).to_have_text(say("Contacts"))
    assert_looks_right(page, reader)

    add(page, member="Paul Roux (paul@acme.test)")
    expect(page.get_by_test_id("flash")).to_contain_text("paul@acme.test")
    expect(row(page, "Paul Roux")).to_contain_text(say("Gets every e-mail"))
    add(page, email="nonsense")
    expect_refused(page, "email")
    assert_looks_right(page, reader)
    page.locator("[name=email]").fill(BOOKS)
    page.get_by_test_id("add-contact").click()
    expect(row(page, BOOKS)).to_contain_text(say("Not confirmed yet"))
    add(page, email=BOOKS.upper())
    expect_refused(page, "email")
    assert_looks_right(page, reader)

    # Somebody there agrees, in a browser that nobody is signed in with.
    theirs = another_browser()
    wait_for_mail(theirs, "Do you want to get the billing e-mails of Acme?").get_by_role("link").click()
    theirs.get_by_role("link", name="/contact/").first.click()
    expect(heading(theirs)).to_have_text(say("Get the billing e-mails of %(workspace)s", workspace="Acme"))
    assert_looks_right(theirs, reader)
    theirs.get_by_test_id("confirm-contact").click()
    expect(theirs.get_by_test_id("contact-confirmed")).to_be_visible()
    assert_looks_right(theirs, reader)

    # The saved card is charged: the same letter in all mailboxes, with the invoice.
    come_to(clock, renewed_on)
    with jobs.at_work():
        told = letters("renewed")
    assert sorted(letter["to"] for letter in told) == sorted([owner.email, "paul@acme.test", BOOKS])
    assert len({str(letter["attachments"][0]["invoice_id"]) for letter in told}) == 1
    wait_for_mail(theirs, "Acme is renewed until").get_by_role("link").click()
    open_contacts(page, acme)
    expect(row(page, BOOKS)).to_contain_text(say("Gets every e-mail"))
    assert_looks_right(page, reader)
    row(page, BOOKS).get_by_role("link", name=say("Remove")).click()
    assert_looks_right(page, reader)
    page.get_by_test_id("remove-contact").click()
    expect(row(page, BOOKS)).to_have_count(0)


@pytest.mark.settings(PORTAL_BOUNCE_ADDRESS="bounces@portal.example")
@read_by(*THE_OTHER_WAY_ROUND)
def test_mail_that_comes_back_is_told_and_the_address_confirmed_again(
    page: Page, reader, acme, owner, place, say
):
    with jobs.at_work():
        a_contact(acme, BOOKS, language="en")
        pay(an_order(place))
        letter = next(
            each
            for each in OutboxMessage.select().order_by(OutboxMessage.id)
            if each.payload.get("to") == BOOKS
        )
        report = DeliveryReport(
            addressed_to=(return_address(letter.id, letter.key, settings=current().settings),),
            is_final=True,
            reason="550 5.1.1 <books@accountant.example>: no such mailbox",
        )
        assert bounces.take(report, now=current().clock.now())
    come_signed_in(page, owner)
    wait_for_mail(page, f"our e-mail to {BOOKS} came back").get_by_role("link").click()
    page.get_by_role("link", name=f"/w/{acme.slug}/contacts").first.click()
    expect(row(page, BOOKS)).to_contain_text(say("E-mail came back"))
    expect(row(page, BOOKS)).to_contain_text("no such mailbox")
    assert_looks_right(page, reader)
    row(page, BOOKS).get_by_role("button", name=say("Send the link again")).click()
    expect(page.get_by_test_id("flash")).to_contain_text(BOOKS)
    # Or they are let in to look after it themselves.
    row(page, BOOKS).get_by_role("link", name=say("Let them manage billing")).click()
    assert_looks_right(page, reader)
    page.get_by_test_id("invite-contact").click()
    expect(row(page, BOOKS)).to_contain_text(say("Invited to manage billing"))
    assert_looks_right(page, reader)
