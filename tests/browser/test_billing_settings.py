"""Billing → Settings: company and address by country, e-mail frequency, and who may buy."""

import os
from dataclasses import replace

from playwright.sync_api import Page, expect

from portal.models import Invoice, Workspace
from portal.services.subscriptions import auto_renewal
from portal.worker import jobs
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import choose_country, come_signed_in, expect_refused, heading
from tests.browser.watch import assert_looks_right
from tests.factories import a_member, a_person, letters
from tests.paying import an_order, pay


def look(page: Page, reader, name: str) -> None:
    assert_looks_right(page, reader)
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}-{reader}.png", full_page=True)


def field(page: Page, name: str):
    return page.locator(f"[name={name}]")


def save(page: Page) -> None:
    page.get_by_test_id("save-settings").click()


def saved(page: Page, say) -> None:
    expect(page.get_by_test_id("flash")).to_contain_text(say("The settings are saved."))


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_the_company_is_said_once_and_the_next_document_has_it(page: Page, reader, acme, owner, place, say):
    """Rows 003: company name and address; country, legal status, VAT number follow it and are kept."""
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/billing")
    page.get_by_test_id("workspace-tabs").get_by_role("link", name=say("Settings"), exact=True).click()
    expect(heading(page)).to_have_text(say("Settings"))
    look(page, reader, "empty")
    choose_country(page, "DE", scripts=reader.scripts)
    expect(field(page, "legal_number")).to_have_count(0)
    choose_country(page, "FR", scripts=reader.scripts)
    expect(page.get_by_label("SIREN / SIRET")).to_be_visible()

    field(page, "company_name").fill("Acme Imprimerie")
    field(page, "first_name").fill("Jeanne")
    field(page, "last_name").fill("Martin")
    field(page, "street").fill("12 rue de la Paix")
    field(page, "postal_code").fill("75002")
    field(page, "city").fill("Paris")
    field(page, "legal_status").select_option("SARL")
    field(page, "legal_number").fill("732 829 321")
    field(page, "vat_number").fill("FR 44 732 829 320")
    field(page, "email").fill("books@acme.example")
    field(page, "email_confirm").fill("books@acme.example")
    field(page, "purchase_order").fill("PO 4711")
    save(page)
    expect_refused(page, "legal_number")
    look(page, reader, "refused")
    field(page, "legal_number").fill("732 829 320")
    save(page)
    saved(page, say)
    expect(field(page, "legal_status")).to_have_value("SARL")
    expect(field(page, "legal_number")).to_have_value("732829320")
    look(page, reader, "saved")

    with jobs.at_work():
        pay(an_order(place, company_name="Acme Imprimerie", vat_number="FR44732829320"))
        number = Invoice.get().number
    page.goto(f"/w/{acme.slug}/history")
    page.get_by_role("link", name=number).first.click()
    expect(page.locator("main")).to_contain_text("Acme Imprimerie")
    expect(page.locator("main")).to_contain_text("732829320")


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_how_often_we_write_and_who_may_buy(
    page: Page, another_browser, reader, acme, owner, place, say, clock
):
    """Rows 003: "each change" and "monthly" give the expected messages; restricted, a member is refused."""
    with jobs.at_work():
        member = a_person("paul@acme.test", name="Paul Roux")
        a_member(acme, member)
        pay(an_order(place), auto_renewal=True)
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/billing-settings")
    page.locator("[name=change_notices][value=monthly]").check()
    page.locator("[name=who_may_buy][value=billing]").check()
    save(page)
    saved(page, say)
    look(page, reader, "choices")
    with jobs.at_work():
        before = len(letters())
        auto_renewal.switch_off(replace(place, workspace=Workspace.get_by_id(acme.id)), now=clock.now())
        assert len(letters()) == before, "it waits for the first of the month"

    theirs = another_browser()
    come_signed_in(theirs, member)
    theirs.goto(f"/w/{acme.slug}/plans")
    expect(theirs.get_by_test_id("buy")).to_have_count(0)
    refused = theirs.goto(f"/w/{acme.slug}/billing-settings")
    assert refused is not None and refused.status == 403
