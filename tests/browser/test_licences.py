"""Licences of a product: tried without a card, cancelled at the end of what is paid, and kept after all."""

from playwright.sync_api import Page, expect

from portal.models import PaymentMethod, Subscription
from portal.runtime import current
from portal.services.subscriptions import auto_renewal
from portal.worker import jobs
from tests.browser.reader import WITH_AND_WITHOUT_SCRIPTS, read_by
from tests.browser.steps import charges, come_signed_in, expect_refused, payments_of, wait_for_mail
from tests.browser.watch import assert_looks_right
from tests.factories import seen_by
from tests.licensed import bought
from tests.paying import an_order, pay


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_a_product_is_tried_without_a_card_and_once(page: Page, reader, acme, owner):
    come_signed_in(page, owner)
    trial = f"/w/{acme.slug}/subscriptions/trial/meetings"
    page.goto(trial)
    assert_looks_right(page, reader)
    page.locator("[name=licences]").fill("6")
    page.get_by_test_id("start-trial").click()
    expect_refused(page, "licences")
    expect(page.locator("#plan-error")).to_be_visible()
    assert_looks_right(page, reader)

    page.locator("[name=plan][value=meetings-professional]").check()
    page.locator("[name=licences]").fill("5")
    page.get_by_test_id("start-trial").click()
    expect(page.get_by_test_id("trial-licences")).to_have_text("5")
    expect(page.get_by_test_id("trial-until")).to_contain_text("2026")
    assert_looks_right(page, reader)

    # There is nothing to cancel.
    page.goto(f"/w/{acme.slug}/subscriptions/meetings/cancel")
    expect(page.get_by_test_id("cancel-confirm")).to_have_count(0)
    page.get_by_test_id("nothing-to-do").get_by_role("link").first.click()
    expect(page).to_have_url(f"{page.url.partition('/w/')[0]}{trial}")
    # In the language of the workspace, which is English.
    wait_for_mail(page, "Your trial of Meetings has started")
    assert payments_of(acme) == []


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_licences_are_cancelled_and_kept_after_all(page: Page, reader, acme, owner, say):
    with jobs.at_work():
        place = seen_by(owner, acme)
        pay(an_order(place), auto_renewal=True)
        auto_renewal.switch_off(place, now=current().clock.now())
        meetings = bought(place, quantity=3, renews_with=PaymentMethod.get())
    paid = len(charges())
    come_signed_in(page, owner)
    here = f"/w/{acme.slug}/subscriptions/meetings"

    # By the keyboard alone: the way out comes after the act, and neither is done by looking.
    page.goto(f"{here}/cancel")
    assert_looks_right(page, reader)
    page.get_by_test_id("cancel-leave").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("cancel")).to_have_count(0)
    page.goto(f"{here}/cancel")
    page.get_by_test_id("cancel-confirm").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("cancelled-state")).to_have_text(say("Cancellation pending"))
    assert_looks_right(page, reader)

    page.get_by_test_id("take-back").click()
    expect(page.get_by_test_id("resumed-method")).to_contain_text("4242")
    assert_looks_right(page, reader)
    page.get_by_test_id("take-back-confirm").click()
    expect(page.get_by_test_id("flash")).to_be_visible()
    with jobs.at_work():
        found = Subscription.get_by_id(meetings.id)
        assert (found.cancelled_at, found.auto_renewal) == (None, True)
    assert len(charges()) == paid


@read_by(*WITH_AND_WITHOUT_SCRIPTS)
def test_automatic_renewal_of_licences_is_switched_on_and_off(page: Page, reader, acme, owner, say):
    with jobs.at_work():
        place = seen_by(owner, acme)
        pay(an_order(place), auto_renewal=True)
        meetings = bought(place, quantity=3)
    come_signed_in(page, owner)
    page.goto(f"/w/{acme.slug}/subscriptions")
    page.get_by_test_id("renewal-meetings").click()
    assert_looks_right(page, reader)
    page.get_by_test_id("auto-renewal-on").click()
    expect(page.get_by_test_id("flash")).to_contain_text("21")
    assert_looks_right(page, reader)
    page.get_by_test_id("renewal-meetings").click()
    assert_looks_right(page, reader)
    page.get_by_test_id("auto-renewal-off").click()
    expect(page.get_by_test_id("renewal-meetings")).to_have_text(say("Switch automatic renewal on"))
    with jobs.at_work():
        assert not Subscription.get_by_id(meetings.id).auto_renewal
