"""Cancelling licences and taking that back, in a browser: what is said before and after."""

import pytest

from portal.domain.vocabulary import SubscriptionState
from portal.models import PaymentMethod, Plan, Product, Subscription
from portal.runtime import current
from portal.services.subscriptions import agreement, auto_renewal, cancellation
from tests.factories import a_member, a_person, letters, owner_of
from tests.licensed import bought, tried
from tests.pages import by_testid, parse, text_of
from tests.paying import SILENT_CHARGED, a_place, an_order, pay
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
CANCEL = "/w/acme/subscriptions/meetings/cancel"
TAKE_BACK = "/w/acme/subscriptions/meetings/take-back"
DUE = "2026-12-21"
CANCELLED, PAID, ENDED = SubscriptionState.CANCELLED, SubscriptionState.PAID, SubscriptionState.ENDED


@pytest.fixture
def place(app, client):
    """Acme on Business 5, paid by a saved card; the browser is its owner's."""
    with facts(app):
        place = a_place()
        pay(an_order(place), auto_renewal=True)
        auto_renewal.switch_off(place, now=current().clock.now())
        visit_as(client, owner_of(place.workspace))
        return place


@pytest.fixture
def meetings(app, place) -> Subscription:
    """Three licences until 21 December, renewed by themselves: 39.60 EUR with VAT."""
    with facts(app):
        return bought(place, quantity=3, renews_with=PaymentMethod.get())


def words_of(answer) -> str:
    """What a page says; dates hold together by spaces that do not break."""
    return " ".join(answer.get_data(as_text=True).split())


def said(answer, testid) -> list[str]:
    return [" ".join(text_of(each).split()) for each in by_testid(parse(words_of(answer)), testid)]


def state(app, place, code="meetings") -> SubscriptionState:
    with facts(app):
        found = agreement.of_product(place.workspace, Product.get(Product.code == code))
        return agreement.status_of(found, today=place.workspace.day(current().clock.now())).state


def cancel(client, *, shown=DUE, shown_at=CANCEL):
    return post_form(client, CANCEL, shown_at=shown_at, ends_on=shown)


def hidden_day(page) -> list[str]:
    return [
        each.get("value") for each in parse(words_of(page)).iter("input") if each.get("name") == "ends_on"
    ]


# --- cancelling -----------------------------------------------------------------------------------


def test_the_question_says_the_last_day_what_stays_and_that_nothing_is_refunded(client, meetings) -> None:
    page = client.get(CANCEL)
    html = words_of(page)
    assert "Cancel Meetings?" in html
    assert [said(page, mark) for mark in ("cancel-plan", "cancel-licences", "cancel-ends-on")] == [
        ["Meetings Essential"],
        ["3"],
        ["21 December 2026"],
    ]
    assert "everything works as before, with 3 licences." in html
    assert "Nothing more is charged for it, and nothing is refunded." in html
    assert "You can take the cancellation back until that day." in html
    assert "scheduled" not in html
    assert said(page, "cancel-confirm") == ["Yes, cancel"]
    assert said(page, "cancel-leave") == ["Do not cancel"]
    assert hidden_day(page) == [DUE]


def test_cancelled_it_is_confirmed_with_the_end_and_told(app, client, place, meetings) -> None:
    answer = cancel(client)
    assert (answer.status_code, answer.headers["Location"]) == (303, CANCEL)
    page = client.get(CANCEL)
    assert "Everything works as before until the end of 21 December 2026." in words_of(page)
    assert said(page, "cancelled-state") == ["Cancellation pending"]
    [link] = by_testid(parse(words_of(page)), "take-back")
    assert link.get("href") == TAKE_BACK
    assert state(app, place) is CANCELLED
    with facts(app):
        assert len(letters("cancelled")) == 1
    # A second click.
    answer = cancel(client, shown_at="/w/acme/plans")
    assert (answer.status_code, answer.headers["Location"]) == (303, CANCEL)
    with facts(app):
        assert len(letters("cancelled")) == 1


@pytest.mark.parametrize("shown", ["", "2026-12-20", "tomorrow"])
def test_another_day_than_was_shown_is_shown_again(app, client, place, meetings, shown) -> None:
    answer = cancel(client, shown=shown)
    assert answer.status_code == 409
    assert "the last day is no longer the one you saw" in words_of(answer)
    assert hidden_day(answer) == [DUE]
    assert state(app, place) is PAID


def test_a_scheduled_change_and_a_price_guarantee_are_named(app, client, place) -> None:
    with facts(app):
        method = PaymentMethod.get()
        bought(
            place,
            "meetings-professional",
            quantity=10,
            renews_with=method,
            scheduled_plan=Plan.get(Plan.code == "meetings-essential"),
            scheduled_interval="month",
            scheduled_quantity=2,
            locked_price_minor=13000,
            locked_until="2027-11-21",
        )
    html = words_of(client.get(CANCEL))
    assert "The change that was scheduled will not begin, and does not come back." in html
    assert "Your price guarantee ends with the subscription." in html


@pytest.mark.settings(PORTAL_GRACE_DAYS="10")
def test_whoever_is_late_is_told_that_it_ends_at_once(app, client, place, clock) -> None:
    with facts(app):
        bought(place, quantity=3)
    clock.advance(days=33)
    page = client.get(CANCEL)
    assert said(page, "cancel-ends-on") == ["Today, at once"]
    assert "What was paid ended on 21 December 2026" in words_of(page)
    assert "works as before" not in words_of(page)
    answer = cancel(client, shown=hidden_day(page)[0])
    assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/subscriptions")
    assert "Meetings is cancelled and has ended." in words_of(client.get("/w/acme/subscriptions"))
    assert state(app, place) is ENDED


@pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")
def test_beside_an_open_payment_it_waits_and_says_so(app, client, place, clock) -> None:
    with facts(app):
        bought(place)
        clock.advance(days=30)
        order = prolonged(place, clock)
        pay(order, SILENT_CHARGED)
    page = client.get(CANCEL)
    sentence = "You can cancel once the result of the payment is known."
    assert sentence in words_of(page)
    assert by_testid(parse(words_of(page)), "cancel-confirm") == []
    answer = cancel(client, shown_at="/w/acme/plans")
    assert (answer.status_code, sentence in words_of(answer)) == (409, True)
    assert state(app, place) is PAID


def prolonged(place, clock):
    """An order that names the subscription, as the one for its next period does."""
    meetings = Subscription.select().join(Product).where(Product.code == "meetings").get()
    other = an_order(place, "business-10")
    [line] = other.lines
    line.subscription = meetings
    line.plan = meetings.plan
    line.save()
    return other


# --- what cannot be cancelled ---------------------------------------------------------------------


def test_a_trial_ends_by_itself(app, client, place) -> None:
    with facts(app):
        tried(place)
    for answer in (client.get(CANCEL), cancel(client, shown_at="/w/acme/plans")):
        assert answer.status_code == 409
        html = words_of(answer)
        assert "There is nothing to cancel for Meetings" in html
        assert "It is a free trial, which ends by itself on 5 December 2026." in html
        assert "/w/acme/subscriptions/trial/meetings" in html
    assert state(app, place) is SubscriptionState.TRIAL


def test_what_has_ended_is_over(app, client, place, meetings, clock) -> None:
    with facts(app):
        cancellation.cancel(meetings, shown_ends_on=DUE, now=clock.now())
        Subscription.update(due_on="2027-12-21").where(Subscription.id != meetings.id).execute()
    clock.advance(days=31)
    for answer in (client.get(CANCEL), cancel(client, shown_at="/w/acme/plans")):
        assert answer.status_code == 409
        assert "The subscription has ended. Nothing more is charged for it." in words_of(answer)
    for answer in (client.get(TAKE_BACK), post_form(client, TAKE_BACK, shown_at="/w/acme/plans")):
        assert answer.status_code == 409
        assert "the cancellation can no longer be taken back" in words_of(answer)
        assert "/w/acme/subscriptions/new?product=meetings" in words_of(answer)
    assert state(app, place) is ENDED


@pytest.mark.parametrize("page", ["cancel", "take-back"])
@pytest.mark.parametrize("product", ["office", "webinar", "nothing"])
def test_what_the_workspace_has_not_or_never_cancels_is_no_page(client, meetings, page, product) -> None:
    address = f"/w/acme/subscriptions/{product}/{page}"
    assert client.get(address).status_code == 404
    assert post_form(client, address, shown_at="/w/acme/plans", ends_on=DUE).status_code == 404


def test_another_workspace_s_is_no_page(app, client, place) -> None:
    with facts(app):
        zenith = a_place("Zenith", owner="Zoe Zenith")
        bought(zenith)
    for page in ("cancel", "take-back"):
        # Neither there, nor here for a product that only they have.
        for slug in ("zenith", "acme"):
            address = f"/w/{slug}/subscriptions/meetings/{page}"
            assert client.get(address).status_code == 404
            assert post_form(client, address, shown_at="/w/acme/plans", ends_on=DUE).status_code == 404


def test_who_may_only_buy_is_told_who_may_cancel(app, client, place, meetings) -> None:
    """Any full member may buy here, with a method of their own."""
    with facts(app):
        member = a_person("mona@acme.test")
        a_member(place.workspace, member)
        visit_as(client, member)
        owner = owner_of(place.workspace).name
    for address in (CANCEL, TAKE_BACK):
        for answer in (
            client.get(address),
            post_form(client, address, shown_at="/w/acme/plans", ends_on=DUE),
        ):
            assert (answer.status_code, owner in words_of(answer)) == (403, True)
    assert state(app, place) is PAID


def test_a_blocked_workspace_can_still_cancel(app, client, place, meetings, clock) -> None:
    """Otherwise its licences would be charged for ever."""
    clock.advance(days=40)
    with facts(app):
        Subscription.update(due_on="2027-12-21", renew_on="2027-12-21").where(
            Subscription.id == meetings.id
        ).execute()
    assert cancel(client, shown="2027-12-21").status_code == 303
    assert state(app, place) is CANCELLED


# --- taking back ----------------------------------------------------------------------------------


def test_taking_back_says_what_is_charged_when_and_with_what(app, client, place, meetings) -> None:
    cancel(client)
    page = client.get(TAKE_BACK)
    assert "Keep Meetings?" in words_of(page)
    assert said(page, "next-payment") == ["€39.60 including VAT on 21 December 2026"]
    assert said(page, "resumed-method") == ["Visa •••• 4242"]
    answer = post_form(client, TAKE_BACK)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/subscriptions")
    assert "The cancellation is taken back: Meetings goes on." in words_of(
        client.get("/w/acme/subscriptions")
    )
    assert state(app, place) is PAID
    with facts(app):
        found = Subscription.get_by_id(meetings.id)
        assert (found.auto_renewal, len(letters("cancellation_taken_back"))) == (True, 1)


def test_without_automatic_renewal_nothing_is_charged(app, client, place) -> None:
    with facts(app):
        bought(place, quantity=3)
    cancel(client)
    page = client.get(TAKE_BACK)
    assert "Automatic renewal stays off" in words_of(page)
    assert said(page, "next-payment") == []


def test_what_nobody_was_told_is_told_before_it_is_charged(app, client, place) -> None:
    """A scheduled change was dropped, and its charge was what was told."""
    with facts(app):
        bought(
            place,
            "meetings-professional",
            quantity=10,
            renews_with=PaymentMethod.get(),
            scheduled_quantity=2,
            announced_minor=2640,
            announced_net_minor=2200,
        )
    cancel(client)
    page = client.get(TAKE_BACK)
    assert "We will write to you with date and amount before anything is charged." in words_of(page)
    assert said(page, "next-payment") == []


def test_without_a_card_that_can_be_charged_the_page_says_so(app, client, place, meetings) -> None:
    cancel(client)
    with facts(app):
        PaymentMethod.update(stopped_at=current().clock.now()).execute()
    page = client.get(TAKE_BACK)
    assert "No saved method can be charged." in words_of(page)
    assert said(page, "resumed-method") == []


def test_what_is_not_cancelled_is_not_taken_back(app, client, place, meetings) -> None:
    for answer in (client.get(TAKE_BACK), post_form(client, TAKE_BACK, shown_at="/w/acme/plans")):
        assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/subscriptions")
    sentence = "Meetings is not cancelled: there is nothing to take back."
    assert sentence in words_of(client.get("/w/acme/subscriptions"))
    with facts(app):
        assert letters("cancellation_taken_back") == []


# --- French ---------------------------------------------------------------------------------------


def test_the_pages_are_french_for_a_reader_of_french(client, meetings) -> None:
    html = words_of(client.get(CANCEL + "?lang=fr"))
    assert "Résilier l’abonnement à Réunions" in html
    assert "Oui, résilier" in html and "Ne pas résilier" in html
    cancel(client)
    html = words_of(client.get(CANCEL))
    assert "Réunions : abonnement résilié" in html
    assert "Résiliation en attente" in html
