"""Automatic renewal of licences, switched on and off in a browser."""

import pytest

from portal.domain.vocabulary import SubscriptionState
from portal.models import AuditEntry, PaymentMethod, Product, Subscription
from portal.runtime import current
from portal.services.renewals import run
from portal.services.subscriptions import agreement, auto_renewal, cancellation
from tests.books import assert_books_clean
from tests.factories import owner_of, waiting_notices
from tests.licensed import bought, tried
from tests.pages import by_testid, parse, text_of
from tests.paying import a_place, an_order, pay
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
CARDS = "/w/acme/subscriptions"
PAGE = f"{CARDS}/meetings/auto-renewal"


@pytest.fixture
def place(app, client):
    """Acme on Business 5, renewed by a saved card; the browser is its owner's."""
    with facts(app):
        place = a_place()
        pay(an_order(place), auto_renewal=True)
        visit_as(client, owner_of(place.workspace))
        return place


@pytest.fixture
def meetings(app, place) -> Subscription:
    """Three licences until 21 December, not renewed by themselves: 39.60 EUR with VAT."""
    with facts(app):
        return bought(place, quantity=3)


def words_of(answer) -> str:
    """What a page says; dates hold together by spaces that do not break."""
    return " ".join(answer.text.split())


def switch_on(client, **changed):
    page = parse(client.get(PAGE).text)
    sent = {each.get("name"): each.get("value") for each in page.iter("input")}
    return client.post(f"{PAGE}/on", data={**sent, **changed})


def reloaded(app, subscription: Subscription) -> Subscription:
    with facts(app):
        return Subscription.get_by_id(subscription.id)


def state(app, place) -> SubscriptionState:
    with facts(app):
        found = agreement.of_product(place.workspace, Product.get(Product.code == "meetings"))
        return agreement.status_of(found, today=place.workspace.day(current().clock.now())).state


def test_the_card_leads_to_it_and_back(app, client, place, meetings) -> None:
    [link] = by_testid(parse(client.get(CARDS).text), "renewal-meetings")
    assert (text_of(link), link.get("href")) == ("Switch automatic renewal on", PAGE)
    html = words_of(client.get(PAGE))
    for words in (
        "Automatic renewal: Meetings",
        "Licences",
        "Would be renewed on",
        "21 December 2026",
        "€39.60 including VAT",
        "Back to the subscriptions",
    ):
        assert words in html
    answer = switch_on(client)
    assert (answer.status_code, answer.headers["Location"]) == (303, CARDS)
    html = words_of(client.get(CARDS))
    assert "Automatic renewal of Meetings is on: €39.60 on 21 December 2026." in html
    [link] = by_testid(parse(html), "renewal-meetings")
    assert text_of(link) == "Switch automatic renewal off"


def test_on_it_is_renewed_for_what_was_shown(app, client, place, meetings, clock) -> None:
    with facts(app):
        plan = agreement.of_workspace(place.workspace)
        before = (plan.version, plan.auto_renewal, plan.announced_minor)
    switch_on(client)
    found = reloaded(app, meetings)
    assert (found.auto_renewal, found.announced_minor, found.renew_on) == (True, 3960, meetings.due_on)
    clock.advance(days=31)
    with facts(app):
        plan = agreement.of_workspace(place.workspace)
        assert (plan.version, plan.auto_renewal, plan.announced_minor) == before
        run.run_due(now=clock.now())
        assert_books_clean()
    assert reloaded(app, meetings).due_on > meetings.due_on
    assert state(app, place) is SubscriptionState.PAID


def test_off_only_the_licences_are_not_renewed(app, client, place, meetings) -> None:
    switch_on(client)
    html = words_of(client.get(PAGE))
    assert "nothing changes before 21 December 2026: the licences work until then" in html
    answer = post_form(client, f"{PAGE}/off", shown_at=PAGE)
    assert (answer.status_code, answer.headers["Location"]) == (303, CARDS)
    assert "Automatic renewal of Meetings is off. It is paid until 21 December 2026." in words_of(
        client.get(CARDS)
    )
    assert not reloaded(app, meetings).auto_renewal
    with facts(app):
        assert agreement.of_workspace(place.workspace).auto_renewal
        [entry] = AuditEntry.select().where(AuditEntry.action == "auto_renewal.off")
        assert entry.changes["product"] == "meetings"
        assert len(waiting_notices("auto_renewal_off")) == 1
    post_form(client, f"{PAGE}/off", shown_at=PAGE)
    assert "Automatic renewal was already off." in words_of(client.get(CARDS))


def test_late_licences_are_paid_by_switching_it_on(app, client, place, meetings, clock) -> None:
    with facts(app):
        Product.update(grace_days=5).where(Product.code == "meetings").execute()
    clock.advance(days=33)
    assert state(app, place) is SubscriptionState.LATE
    switch_on(client)
    with facts(app):
        run.run_due(now=clock.now())
    assert state(app, place) is SubscriptionState.PAID


def test_another_charge_than_was_shown_is_shown_again(app, client, place, meetings) -> None:
    assert switch_on(client, shown="0" * 64).status_code == 409
    assert not reloaded(app, meetings).auto_renewal


def test_what_cannot_be_renewed_says_why(app, client, place, meetings, clock) -> None:
    with facts(app):
        tried(place, "webinar-standard")
    assert "There is nothing to renew" in words_of(client.get(f"{CARDS}/webinar/auto-renewal"))
    with facts(app):
        cancellation.cancel(meetings, shown_ends_on=meetings.due_on.isoformat(), now=clock.now())
    html = words_of(client.get(PAGE))
    assert "The subscription is cancelled: there is nothing to renew." in html
    assert by_testid(parse(html), "auto-renewal-on") == []
    assert by_testid(parse(client.get(CARDS).text), "renewal-meetings") == []


def test_blocked_licences_say_what_helps(app, client, place, meetings, clock) -> None:
    clock.advance(days=60)
    assert state(app, place) is SubscriptionState.BLOCKED
    html = words_of(client.get(PAGE))
    assert "Pay for the licences first, on the Subscriptions page: then you can switch" in html


@pytest.mark.parametrize("product", ["training", "business", "nothing"])
def test_what_the_workspace_does_not_have_is_not_found(client, place, product) -> None:
    assert client.get(f"{CARDS}/{product}/auto-renewal").status_code == 404


def test_a_product_never_had_has_nothing_to_switch(app, place, clock) -> None:
    with facts(app):
        training = Product.get(Product.code == "training")
        with pytest.raises(agreement.NotSubscribed):
            auto_renewal.switch_off(place, product=training, now=clock.now())
        assert PaymentMethod.select().count() == 1
