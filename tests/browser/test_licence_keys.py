"""A licence key: read on its page, entered into the product, replaced."""

from playwright.sync_api import Page, expect

from portal.domain.vocabulary import Interval
from portal.worker import jobs
from tests import licensed
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by_each
from tests.browser.steps import come_signed_in, expect_refused, heading
from tests.browser.watch import assert_looks_right

REMOTE = {"en": "Remote", "fr": "Accès à distance"}


def enter(page: Page, key: str) -> None:
    page.goto("/sandbox/licence-key")
    page.locator("[name=licence_key]").fill(key)
    page.get_by_test_id("activate").click()


@read_by_each(*WITH_AND_WITHOUT_SCRIPTS)
def test_an_owner_activates_the_product_and_replaces_its_key(page: Page, reader, acme, owner, place, say):
    name = REMOTE[reader.language]
    with jobs.at_work():
        licensed.bought(place, "remote-licence", interval=Interval.YEAR)
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/subscriptions")
    page.get_by_test_id("key-remote").click()
    expect(heading(page)).to_have_text(say("Licence key for %(product)s", product=name))
    expect(page.get_by_test_id("key-activation")).to_have_text(say("Not activated yet"))
    assert_looks_right(page, reader)
    first = page.get_by_test_id("licence-key").inner_text()
    if reader.scripts:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_test_id("copy-key").click()
        expect(page.get_by_test_id("copy-key")).to_have_text(say("Copied"))
        assert page.evaluate("navigator.clipboard.readText()") == first
    else:
        expect(page.get_by_test_id("copy-key")).to_be_hidden()

    # A typing mistake is told beside the field, and what was typed stays there.
    wrong = ("1" if first[0] != "1" else "2") + first[1:]
    enter(page, wrong)
    expect_refused(page)
    expect(page.locator("[name=licence_key]")).to_have_value(wrong)
    assert_looks_right(page, reader)

    # Pasted in lower case and with spaces, it activates the product.
    enter(page, first.lower().replace("-", " "))
    expect(heading(page)).to_have_text(say("%(product)s is activated", product=name))
    expect(page.get_by_test_id("activated-workspace")).to_have_text(acme.name)
    assert_looks_right(page, reader)
    page.goto(f"/w/{acme.slug}/subscriptions/remote/licence-key")
    expect(page.get_by_test_id("key-activation")).not_to_have_text(say("Not activated yet"))
    assert_looks_right(page, reader)

    # Another tab has the question open when the key is replaced.
    page.get_by_test_id("replace-key").click()
    assert_looks_right(page, reader)
    second = page.context.new_page()
    second.goto(f"/w/{acme.slug}/subscriptions/remote/licence-key/replace")
    page.get_by_test_id("replace-confirm").click()
    expect(page.get_by_test_id("flash")).to_contain_text(name)
    expect(page.get_by_test_id("key-activation")).to_have_text(say("Not activated yet"))
    expect(page.get_by_test_id("licence-key")).not_to_have_text(first)
    new = page.get_by_test_id("licence-key").inner_text()
    second.get_by_test_id("replace-confirm").click()
    expect_refused(second)
    expect(second.get_by_test_id("key-ending")).to_have_text(new[-4:])
    assert_looks_right(second, reader)
    second.close()

    # The old one is dead, the new one works.
    enter(page, first)
    expect_refused(page)
    assert_looks_right(page, reader)
    enter(page, new)
    expect(page.get_by_test_id("activated-workspace")).to_have_text(acme.name)
