"""The history with its balance: read, filtered, printed and taken away; a credit from its giving to its use.

Rows 003 of source-systems.md §8: statements and history, members read the history only, e-mail when a credit
is posted.
"""

import io
from zipfile import ZipFile

from playwright.sync_api import Page, expect

from portal.domain.money import Money
from portal.domain.vocabulary import Interval, Role
from portal.models import Invoice, OutboxMessage
from portal.runtime import current
from portal.services import ledger
from portal.services.members import invitations
from portal.services.payments import given_credits
from portal.worker import jobs
from tests.browser.reader import THE_OTHER_WAY_ROUND, WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import come_signed_in, expect_refused, heading
from tests.browser.watch import assert_looks_right, assert_nothing_is_stretched
from tests.conftest import TODAY
from tests.factories import a_member, a_person
from tests.paying import buy as paid_plan

FIVE = Money(500, "EUR")


def choose(page: Page, reader, name: str, value: str) -> None:
    page.locator(f"select[name={name}]").select_option(value)
    if not reader.scripts:
        page.locator("main form[role=search] button").click()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_the_history_is_read_filtered_and_a_statement_opened(
    page: Page, reader, acme, owner, place, clock, say
):
    with jobs.at_work():
        paid_plan(place, "business-3")
        given_credits.give(acme, amount=FIVE, reason="Panne du 3 décembre", key="k", now=clock.now())
        invitations.invite(place, emails=["new@acme.test"], role=Role.MEMBER, now=clock.now())
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/history")
    rows = page.get_by_test_id("history-row")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Panne du 3 décembre")
    expect(rows.first.get_by_test_id("balance-after")).to_contain_text("5")
    expect(page.get_by_test_id("change-row").first).to_contain_text("new@acme.test")
    assert_looks_right(page, reader)
    assert_nothing_is_stretched(page, reader)

    choose(page, reader, "kind", "credits")
    expect(rows).to_have_count(1)
    expect(page.get_by_test_id("change-row")).to_have_count(0)
    choose(page, reader, "kind", "members")
    expect(rows).to_have_count(0)
    expect(page.get_by_test_id("change-row")).to_have_count(1)
    assert_looks_right(page, reader)

    page.get_by_test_id("statement-link").click()
    expect(page.get_by_test_id("statement-row")).to_have_count(3)
    expect(page.get_by_test_id("statement-closing")).to_contain_text("5")
    assert_looks_right(page, reader)
    page.goto(f"/w/{acme.slug}/history/spending")
    expect(page.get_by_test_id("spending-chart")).to_be_visible()
    expect(page.get_by_test_id("spending-row")).to_have_count(12)
    assert_looks_right(page, reader)

    # A statement page of one document, as ever.
    page.goto(f"/w/{acme.slug}/history")
    rows.nth(1).get_by_role("link", name="INV-2026-000001").first.click()
    expect(heading(page)).to_contain_text("INV-2026-000001")


@read_by(*THE_OTHER_WAY_ROUND)
def test_a_year_is_taken_away(page: Page, reader, acme, owner, place, say):
    with jobs.at_work():
        paid_plan(place, "business-3", Interval.YEAR)
        # As demo data, whose documents nobody has asked for yet.
        waits = (OutboxMessage.topic == "prepare_documents") & OutboxMessage.done_at.is_null()
        OutboxMessage.update(done_at=current().clock.wall()).where(waits).execute()
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/history")
    page.get_by_test_id("archive-link").click()
    expect(heading(page)).to_have_text(say("Download a year"))
    assert_looks_right(page, reader)
    with page.expect_download() as listed:
        page.get_by_test_id("year-csv").click()
    assert listed.value.suggested_filename == f"acme-{TODAY.year}.csv"
    if page.get_by_test_id("archive-ask").count():
        page.get_by_test_id("archive-ask").click()
    link = page.get_by_test_id("year-zip")
    expect(link).to_be_visible(timeout=30_000)
    assert_looks_right(page, reader)
    with page.expect_download() as packed:
        link.click()
    with ZipFile(io.BytesIO(packed.value.path().read_bytes())) as archive:
        assert archive.namelist() == [f"{TODAY.year}/INV-2026-000001.pdf"]
        assert archive.read(archive.namelist()[0]).startswith(b"%PDF")


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_members_read_the_history_only_and_an_owner_can_take_it_away(
    page: Page, reader, acme, owner, place, another_browser
):
    with jobs.at_work():
        paid_plan(place, "business-3")
        leo = a_person("leo@acme.test", name="Leo Roy", language=None)
        a_member(acme, leo)
    come_signed_in(page, leo)
    page.goto(f"/w/{acme.slug}/history")
    expect(page.get_by_test_id("history-row")).to_have_count(1)
    expect(page.get_by_test_id("invoice-link")).to_have_count(0)
    expect(page.get_by_test_id("archive-link")).to_have_count(0)
    expect(page.locator("main")).not_to_contain_text("4242")
    expect(page.locator("main")).not_to_contain_text(owner.email)
    assert_looks_right(page, reader)
    page.get_by_test_id("history-row").get_by_role("link", name="INV-2026-000001").click()
    expect(heading(page)).to_contain_text("INV-2026-000001")
    with jobs.at_work():
        number = Invoice.get().number
    for path in (
        f"invoices/{number}.pdf",
        "history/download",
        "history/download/2026.csv",
        "payment-methods",
    ):
        assert page.request.get(f"/w/{acme.slug}/{path}").status == 403
    with jobs.at_work():
        type(acme).update(hides_plans_from_members=True).execute()
    for path in ("history", "history/statement", "history/spending", f"invoices/{number}"):
        assert page.request.get(f"/w/{acme.slug}/{path}").status == 403


@read_by(*THE_OTHER_WAY_ROUND)
def test_a_credit_is_given_once_mailed_shown_and_used_before_the_card(
    page: Page, reader, acme, owner, place, clock, another_browser, say, written
):
    with jobs.at_work():
        staff = a_person("staff@vendor.test", operator=True, language=None)
    come_signed_in(page, staff)
    page.goto(f"/operator/workspaces/{acme.slug}")
    page.get_by_test_id("credits").click()
    assert_looks_right(page, reader)
    page.get_by_test_id("credit-check").click()
    expect_refused(page)
    assert_looks_right(page, reader)
    page.locator("[name=amount]").fill("5")
    page.locator("[name=reason]").fill("Merci de votre patience")
    page.get_by_test_id("credit-check").click()
    expect(page.get_by_test_id("credit-after")).to_have_text(written(FIVE))
    assert_looks_right(page, reader)
    page.get_by_test_id("credit-confirm").dblclick()
    expect(page.get_by_test_id("credit-row")).to_have_count(1)
    assert_looks_right(page, reader)
    with jobs.at_work():
        assert ledger.kept(acme, "EUR") == FIVE

    # The owner's mailbox, and their history.
    page.goto("/sandbox/mailbox")
    expect(page.locator("main")).to_contain_text("5.00")
    customer = another_browser()
    come_signed_in(customer, owner)
    customer.goto(f"/w/{acme.slug}/history")
    expect(customer.get_by_test_id("history-row")).to_contain_text("Merci de votre patience")
    with jobs.at_work():
        charged = paid_plan(place, "business-3")
        assert charged.amount == Invoice.get().total - FIVE
    customer.reload()
    expect(customer.get_by_test_id("balance-after").first).to_have_text(written(Money(0, "EUR")))

    # What is used is not taken back.
    page.goto(f"/operator/workspaces/{acme.slug}/credits")
    expect(page.get_by_test_id("credit-row")).to_contain_text(say("Used"))
    expect(page.get_by_test_id("credit-row").get_by_role("link")).to_have_count(0)
