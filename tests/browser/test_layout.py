"""What stays in sight, and that it covers nothing which is read, filled in or reached by keyboard."""

import pytest
from playwright.sync_api import Locator, Page, expect

from portal.domain.vocabulary import MemberStatus
from portal.worker import jobs
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, Reader, read_by_each
from tests.browser.steps import come_signed_in, expect_step, open_plans
from tests.factories import a_member, a_person, seen_by
from tests.paying import ASKS_ONCE, an_open_order, an_order, pay

NARROWEST_IN_FRENCH = Reader("fr", width=320)


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS, NARROWEST_IN_FRENCH)
def test_a_phone_shows_the_button_of_the_plans_from_the_first_view_on(page: Page, acme, owner):
    come_signed_in(page, owner)
    open_plans(page, acme)
    button = page.get_by_test_id("plan-action")
    expect(button).to_be_in_viewport(ratio=1)
    page.locator("[name=price][value='business-100:year']").focus()
    bar_top = _top(page.locator(".plan-bar > .plan-action"))
    assert _bottom(page.locator("label:has(:focus)")) <= bar_top
    last = page.get_by_role("contentinfo").get_by_role("link").last
    # At once: a key would move the page step by step.
    page.evaluate("() => scrollTo({top: document.documentElement.scrollHeight, behavior: 'instant'})")
    expect(last).to_be_in_viewport(ratio=1)
    assert _bottom(last) <= bar_top


@read_by_each(Reader("fr"), Reader("en", theme="dark"), NARROWEST_IN_FRENCH, Reader("fr", width=360))
def test_a_price_that_has_the_focus_is_covered_by_nothing(page: Page, acme, owner):
    """On a wide and low window too, down the table and up again, with notes in the bar at its foot."""
    come_signed_in(page, owner)
    with jobs.at_work():
        pay(an_order(seen_by(owner, acme), "business-10"), auto_renewal=True)
    is_wide = page.evaluate("innerWidth > 640")
    if is_wide:
        page.set_viewport_size({"width": 800, "height": 720})
    open_plans(page, acme)
    # A phone has the button alone at its foot.
    bar = page.locator(".plan-bar" if is_wide else ".plan-bar > .plan-action")
    tabs = page.get_by_test_id("workspace-tabs")
    prices = page.locator("[name=price]").all()
    for price in [*prices, *prices[::-1]]:
        price.focus()
        cell = page.locator("label:has(:focus)")
        assert _bottom(tabs) <= _top(cell)
        assert _bottom(cell) <= _top(bar)


def test_what_went_wrong_is_read_below_the_table_that_it_is_about(page: Page, acme, owner):
    """The bar would fill a low window with it."""
    come_signed_in(page, owner)
    page.set_viewport_size({"width": 800, "height": 720})
    open_plans(page, acme)
    with jobs.at_work():
        pay(an_order(seen_by(owner, acme)), ASKS_ONCE)
    page.get_by_test_id("plan-action").click()
    page.get_by_test_id("buy-ok").click()
    problem = page.get_by_test_id("error-summary")
    expect(problem).to_be_in_viewport(ratio=1)
    assert _bottom(page.locator(".plan-table")) <= _top(problem)


@read_by_each(NARROWEST_IN_FRENCH, Reader("en", width=320), Reader("fr", width=360))
def test_a_phone_shows_all_the_areas_of_a_workspace_at_once(page: Page, acme, owner):
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/settings")
    tabs = page.get_by_test_id("workspace-tabs").get_by_role("link")
    expect(tabs).not_to_have_count(0)
    for tab in tabs.all():
        expect(tab).to_be_in_viewport(ratio=1)


def test_the_order_stays_below_the_tabs(page: Page, acme, owner):
    come_signed_in(page, owner)
    with jobs.at_work():
        order = an_open_order(seen_by(owner, acme))
    page.goto(f"/w/{acme.slug}/checkout/{order.number}")
    expect_step(page, "details")
    page.set_viewport_size({"width": 1280, "height": 720})
    page.get_by_test_id("continue").focus()
    tabs, card = page.get_by_test_id("workspace-tabs"), page.locator(".order")
    assert _top(tabs) == 0
    assert _top(card) >= _bottom(tabs)


def test_the_list_of_members_has_the_width_of_the_page_until_somebody_invites(page: Page, acme, owner):
    come_signed_in(page, owner)
    with jobs.at_work():
        a_member(acme, a_person("ines@acme.test", name="Inès Roux"), status=MemberStatus.GUEST)
    page.goto(f"/w/{acme.slug}/members")
    table, header = page.get_by_role("table"), page.locator(".page-header")
    assert _box(table)["width"] == _box(header)["width"]
    page.get_by_test_id("invite-open").click()
    form = page.locator("#invite")
    expect(form.locator("[name=emails]")).to_be_visible()
    assert _box(table)["x"] + _box(table)["width"] <= _box(form)["x"]


@read_by_each(Reader("fr", width=360), Reader("en", width=1280))
def test_names_of_members_begin_at_one_line(page: Page, acme, owner):
    """A guest has a box before the name, and others have none."""
    come_signed_in(page, owner)
    with jobs.at_work():
        a_member(acme, a_person("ines@acme.test", name="Inès Roux"), status=MemberStatus.GUEST)
        a_member(acme, a_person("paul@acme.test", name="Paul Roy"))
    page.goto(f"/w/{acme.slug}/members")
    names = page.get_by_test_id("member-row").locator("a[href*='/members/']:not(.button)")
    expect(names).to_have_count(2)
    assert len({_box(name)["x"] for name in names.all()}) == 1
    box = page.locator("[name=member]")
    assert _box(box)["x"] < _box(names.first)["x"]
    beside = _box(page.get_by_role("link", name="Inès Roux", exact=True))
    assert _top(box) < beside["y"] + beside["height"] / 2 < _bottom(box)


@pytest.mark.parametrize("width", [320, 360])
def test_a_phone_offers_to_invite_before_the_list(page: Page, acme, owner, width):
    come_signed_in(page, owner)
    with jobs.at_work():
        a_member(acme, a_person("ines@acme.test", name="Inès Roux"))
    page.set_viewport_size({"width": width, "height": 740})
    page.goto(f"/w/{acme.slug}/members")
    expect(page.get_by_test_id("invite-open")).to_be_in_viewport(ratio=1)


@read_by_each(NARROWEST_IN_FRENCH, Reader("en", width=1280))
def test_a_choice_is_read_to_its_end_and_a_star_stays_with_its_word(page: Page, acme, owner):
    come_signed_in(page, owner)
    with jobs.at_work():
        order = an_open_order(seen_by(owner, acme))
    page.goto(f"/w/{acme.slug}/checkout/{order.number}")
    method = page.locator("[name=payment_method]")
    assert method.evaluate("box => box.scrollWidth <= box.clientWidth")
    for star in page.locator("label .star[aria-hidden]").all():
        assert star.evaluate("star => star.previousSibling.data.endsWith('\\u00a0')")


def _box(locator: Locator) -> dict[str, float]:
    box = locator.bounding_box()
    assert box is not None
    return box


def _top(locator: Locator) -> float:
    return _box(locator)["y"]


def _bottom(locator: Locator) -> float:
    return _top(locator) + _box(locator)["height"]
