"""The last payment sent back: what it undoes is read, confirmed and true afterwards (source-systems §2.4)."""

from playwright.sync_api import Page, expect

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval
from portal.gateways.base import ResultUnknown
from portal.models import Refund
from portal.runtime import Runtime, current, install
from portal.services.checkout import ordering
from portal.services.payments import refunds
from portal.worker import jobs
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import come_signed_in
from tests.browser.watch import assert_looks_right
from tests.factories import a_person
from tests.paying import buy as paid_plan
from tests.paying import pay, with_details


def open_refund(page: Page, acme) -> None:
    page.goto(f"/w/{acme.slug}/history")
    page.get_by_test_id("refund-link").click()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_the_last_payment_is_sent_back_and_the_earlier_plan_is_there_again(
    page: Page, reader, acme, owner, place
):
    with jobs.at_work():
        paid_plan(place, "business-3")
        paid_plan(place, "business-10")
    come_signed_in(page, owner)
    open_refund(page, acme)
    expect(page.get_by_test_id("refund-after")).to_contain_text("Business 3")
    expect(page.get_by_test_id("refund-method")).to_contain_text("4242")
    assert_looks_right(page, reader)
    page.get_by_test_id("refund-confirm").click()
    download = page.get_by_test_id("invoice-link")
    expect(download).to_have_attribute("href", f"/w/{acme.slug}/invoices/CN-2026-000001.pdf")
    assert_looks_right(page, reader)
    page.goto(f"/w/{acme.slug}/history")
    newest = page.get_by_test_id("history-row").first
    expect(newest).to_contain_text("CN-2026-000001")
    expect(newest.locator(".money")).to_contain_text("\N{MINUS SIGN}")
    expect(page.get_by_test_id("refund-link")).to_have_count(0)
    assert_looks_right(page, reader)
    newest.get_by_role("link", name="CN-2026-000001").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("CN-2026-000001")
    assert_looks_right(page, reader)


class Silent:
    def __init__(self, sandbox):
        self._sandbox = sandbox

    def __getattr__(self, name):
        return getattr(self._sandbox, name)

    def refund(self, request):
        raise ResultUnknown


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_refund_without_an_answer_is_followed_until_there_is_one(page: Page, reader, acme, owner, place):
    with jobs.at_work():
        paid_plan(place)
    usual = current()
    install(Runtime(usual.settings, usual.clock, {"sandbox": Silent(usual.gateways["sandbox"])}))
    come_signed_in(page, owner)
    open_refund(page, acme)
    page.get_by_test_id("refund-confirm").click()
    expect(page.locator("#outcome")).to_be_visible()
    expect(page.get_by_test_id("invoice-link")).to_have_count(0)
    assert_looks_right(page, reader)
    install(usual)
    with jobs.at_work():
        assert Refund.get().state == "unknown"
        refunds.reconcile(now=usual.clock.now())
    # The page finds out by itself.
    expect(page.get_by_test_id("invoice-link")).to_be_visible()


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_an_operator_sends_one_line_back(page: Page, reader, acme, place):
    with jobs.at_work():
        choices = [Choice("business-5", Interval.MONTH), Choice("meetings-essential", Interval.YEAR, 3)]
        opened = ordering.open_order(place, choices=choices, currency="EUR", now=current().clock.now())
        pay(with_details(opened, place))
        staff = a_person("staff@vendor.test", name="Sam Staff", operator=True, language=None)
    come_signed_in(page, staff)
    page.goto(f"/operator/workspaces/{acme.slug}")
    page.get_by_test_id("payment-row").first.locator("a").click()
    lines = page.get_by_test_id("refund-line")
    expect(lines).to_have_count(2)
    assert_looks_right(page, reader)
    lines.nth(1).get_by_role("link").click()
    expect(page.get_by_test_id("refund-invoice")).to_contain_text("INV-2026-000001")
    assert_looks_right(page, reader)
    page.get_by_test_id("refund-confirm").click()
    expect(lines.nth(1)).to_contain_text("CN-2026-000001")
    expect(lines.nth(0).get_by_role("link")).to_be_visible()
    assert_looks_right(page, reader)
