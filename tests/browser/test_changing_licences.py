"""Licences that run: more of them now, fewer on the due date, a year that leaves something in the balance."""

from playwright.sync_api import Page, expect

from portal.domain.vocabulary import Interval
from portal.worker import jobs
from tests import licensed
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by_each
from tests.browser.steps import come_signed_in, expect_refused, fill_in_card, heading
from tests.browser.watch import assert_looks_right


def see_cost(page: Page, *, licences: str, interval: str | None = None) -> None:
    page.locator("#licences").fill(licences)
    if interval is not None:
        page.locator(f"input[name=interval][value={interval}]").check()
    page.get_by_test_id("see-cost").click()


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_more_now_fewer_later_and_back_again(page: Page, reader, acme, owner, place, say):
    come_signed_in(page, owner)
    with jobs.at_work():
        licensed.bought(place, quantity=3)
        licensed.bought(place, "webinar-standard", quantity=2, interval=Interval.YEAR)

    # What is no number is said beside its field, and kept.
    page.goto(f"/w/{acme.slug}/subscriptions")
    page.get_by_test_id("change-meetings").click()
    expect(heading(page)).to_be_visible()
    assert_looks_right(page, reader)
    see_cost(page, licences="1.5")
    expect_refused(page)
    expect(page.locator("#licences")).to_have_value("1.5")
    assert_looks_right(page, reader)

    # Two more, from today on: 3 × 11.00 come back, 5 × 11.00 are charged.
    see_cost(page, licences="5")
    expect(page.locator("#preview-title")).to_be_focused()
    expect(page.locator("#preview-title")).to_be_in_viewport()
    expect(page.get_by_test_id("credit")).to_contain_text("39")
    expect(page.get_by_test_id("due-now")).to_contain_text("26")
    assert_looks_right(page, reader)
    page.get_by_test_id("change-confirm").click()
    expect(page.get_by_test_id("due-now")).to_contain_text("26")
    query = "plan=meetings-essential&licences=5&interval=month"
    back = f"/w/{acme.slug}/subscriptions/meetings/change?{query}"
    expect(page.get_by_test_id("change-order")).to_have_attribute("href", back)
    assert_looks_right(page, reader)
    fill_in_card(page)
    page.get_by_test_id("place-order").click()
    expect(page.get_by_test_id("invoice-link")).to_be_visible()
    assert_looks_right(page, reader)

    # Three fewer, on the due date; taken back.
    page.goto(f"/w/{acme.slug}/subscriptions/meetings/change")
    see_cost(page, licences="2")
    expect(page.get_by_test_id("change-confirm")).to_be_visible()
    assert_looks_right(page, reader)
    page.get_by_test_id("change-confirm").click()
    card = page.get_by_test_id("subscription-meetings")
    expect(card.get_by_test_id("standing")).to_contain_text("2")
    assert_looks_right(page, reader)
    page.get_by_test_id("change-meetings").click()
    expect(page.get_by_test_id("waiting")).to_be_visible()
    assert_looks_right(page, reader)
    page.get_by_test_id("withdraw").click()
    expect(card.get_by_test_id("standing")).to_have_count(0)

    # From a year to months: nothing is charged, and the rest is kept.
    page.goto(f"/w/{acme.slug}/subscriptions/webinar/change")
    see_cost(page, licences="2", interval="month")
    expect(page.get_by_test_id("kept-on")).to_be_visible()
    assert_looks_right(page, reader)
    page.get_by_test_id("change-confirm").click()
    expect(page.get_by_test_id("place-order")).to_be_visible()
    assert_looks_right(page, reader)
    page.get_by_test_id("place-order").click()
    expect(page.get_by_test_id("invoice-link")).to_be_visible()
    page.get_by_test_id("invoice-link").wait_for()
    assert_looks_right(page, reader)
