"""Licences of a product: bought, assigned to members, taken back, given to somebody else."""

import re

from playwright.sync_api import Locator, Page, expect

from portal.models import Licence
from portal.worker import jobs
from tests import licensed
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by_each
from tests.browser.steps import come_signed_in, expect_refused, heading
from tests.browser.watch import assert_looks_right
from tests.factories import a_member, a_person

THREE = 3


def open_licences(page: Page, acme) -> None:
    page.goto(f"/w/{acme.slug}/licences")


def row_of(page: Page, name: str) -> Locator:
    return page.get_by_test_id("licence-row").filter(has_text=name)


def expect_assigned(page: Page, number: int) -> None:
    expect(page.get_by_test_id("assigned")).to_have_text(re.compile(rf"^{number}\b.*{THREE}$"))
    expect(page.get_by_test_id("free")).to_have_text(re.compile(rf"{THREE - number}$"))


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_an_owner_assigns_three_licences_and_takes_one_back(
    page: Page, reader, acme, owner, place, say, another_browser
):
    come_signed_in(page, owner)
    open_licences(page, acme)
    expect(heading(page)).to_have_text(say("Licences"))
    assert_looks_right(page, reader)
    with jobs.at_work():
        licensed.bought(place, quantity=THREE)
        people = {
            name: a_person(f"{name}@acme.test", name=f"{name.title()} Roux", language=None)
            for name in ("ana", "bea", "cyd", "dan")
        }
        for person in people.values():
            a_member(acme, person)

    # Two at once by their boxes, the third by the button of its row.
    open_licences(page, acme)
    expect_assigned(page, 0)
    assert_looks_right(page, reader)
    for name in ("Ana", "Bea"):
        row_of(page, name).get_by_role("checkbox").check()
    page.get_by_test_id("assign-selected").click()
    expect_assigned(page, 2)
    expect(page.get_by_test_id("flash")).to_contain_text("2")
    if reader.scripts:
        expect(page.get_by_test_id("flash")).to_be_focused()
    second = page.context.new_page()
    open_licences(second, acme)
    row_of(page, "Cyd").get_by_role("button", name=say("Assign")).click()
    expect(page.get_by_test_id("flash")).to_contain_text("Cyd Roux")
    if reader.scripts:
        expect(row_of(page, "Cyd").get_by_role("button")).to_be_focused()
    expect_assigned(page, 3)
    expect(page.get_by_test_id("assign-selected")).to_have_count(0)
    assert_looks_right(page, reader)

    # A colleague whose page still says that one is free is told both figures.
    row_of(second, "Dan").get_by_role("checkbox").check()
    second.get_by_test_id("assign-selected").click()
    expect_refused(second)
    expect_assigned(second, 3)
    expect(row_of(second, "Dan").get_by_role("checkbox")).to_be_checked()
    assert_looks_right(second, reader)
    second.close()

    # Bea's becomes Dan's, Ana's is taken back.
    row_of(page, "Bea").get_by_role("link", name=say("Give to someone else")).click()
    assert_looks_right(page, reader)
    page.get_by_role("radio", name="Dan Roux").check()
    page.get_by_test_id("reassign").click()
    expect(page.get_by_test_id("flash")).to_contain_text("Dan Roux")
    row_of(page, "Ana").get_by_role("button", name=say("Take back")).click()
    expect(page.get_by_test_id("flash")).to_contain_text("Ana Roux")
    expect_assigned(page, 2)
    expect(page.get_by_test_id("licence-note")).to_be_visible()
    assert_looks_right(page, reader)
    page.locator("#q").fill("dan@")
    if not reader.scripts:
        page.locator("#q").press("Enter")
    expect(page.get_by_test_id("licence-row")).to_have_count(1)

    # Dan reads that he has one, Ana that she has none and whom to ask.
    for name, has_one in (("dan", True), ("ana", False)):
        theirs = another_browser()
        come_signed_in(theirs, people[name])
        open_licences(theirs, acme)
        expect(theirs.get_by_role("main")).to_contain_text(owner.name)
        assert_looks_right(theirs, reader)
        with jobs.at_work():
            held = Licence.select().where(Licence.member << people[name].memberships).exists()
        assert held == has_one
