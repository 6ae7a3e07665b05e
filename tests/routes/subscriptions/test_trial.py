"""The pages of the trial of a licensed product: its form, what confirms it, and what comes after."""

import pytest

from portal.domain.vocabulary import Role, SubscriptionState, WhoMayBuy
from portal.models import Payment, Plan, Product, Subscription, Workspace
from portal.runtime import current
from portal.services.subscriptions import agreement, cancellation
from tests.factories import a_member, a_person, letters, owner_of
from tests.licensed import bought, tried
from tests.pages import by_testid, csrf_of, parse, text_of
from tests.paying import SILENT_CHARGED, a_place, as_seen_by, pay
from tests.services.subscriptions.test_product_trials import an_order_of_licences
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
TRIAL = "/w/acme/subscriptions/trial/meetings"
BUYING = "/w/acme/subscriptions/new?product=meetings&how=buy"


@pytest.fixture
def place(app, client):
    """Acme on its first day of trial; the browser is its owner's."""
    with facts(app):
        place = a_place()
        visit_as(client, owner_of(place.workspace))
        return place


def words_of(answer) -> str:
    """What a page says; dates hold together by spaces that do not break."""
    return " ".join(answer.get_data(as_text=True).split())


def said(answer, testid) -> list[str]:
    return [" ".join(text_of(each).split()) for each in by_testid(parse(words_of(answer)), testid)]


def start(client, *, plan="meetings-essential", licences="3", shown_at=TRIAL):
    fields = {"plan": plan, "licences": licences}
    return post_form(client, TRIAL, shown_at=shown_at, **{k: v for k, v in fields.items() if v is not None})


def state(app, place) -> SubscriptionState | None:
    with facts(app):
        found = agreement.of_product(place.workspace, Product.get(Product.code == "meetings"))
        today = place.workspace.day(current().clock.now())
        return agreement.status_of(found, today=today).state if found else None


# --- starting -------------------------------------------------------------------------------------


def test_started_it_is_confirmed_with_what_how_many_and_until_when(app, client, place) -> None:
    answer = start(client)
    assert (answer.status_code, answer.headers["Location"]) == (303, TRIAL)
    page = client.get(TRIAL)
    assert [said(page, mark) for mark in ("trial-plan", "trial-licences", "trial-until")] == [
        ["Meetings Essential"],
        ["3"],
        ["5 December 2026"],
    ]
    html = words_of(page)
    assert "Your trial of Meetings has started" in html
    assert "there is nothing to cancel, and nothing is charged automatically." in html
    [link] = by_testid(parse(html), "subscribe-now")
    assert link.get("href") == f"{BUYING}&plan=meetings-essential&licences=3&step=licences"
    [reminder] = by_testid(parse(html), "assign-licences")
    assert [link.get("href") for link in reminder.iter("a")] == ["/w/acme/licences?product=meetings"]
    assert state(app, place) is SubscriptionState.TRIAL
    with facts(app):
        assert (len(letters("product_trial_started")), Payment.select().count()) == (1, 0)


def test_the_form_says_how_many_for_how_long_and_that_it_costs_nothing(client, place) -> None:
    html = words_of(client.get(TRIAL))
    assert "Free for 14 days, without payment details." in html
    assert "You can try up to 5 licences." in html
    assert "There is one trial of Meetings for each workspace." in html
    plans = [each.get("value") for each in parse(html).iter("input") if each.get("name") == "plan"]
    assert plans == ["meetings-essential", "meetings-professional", "meetings-enterprise"]


def test_a_product_with_one_plan_asks_for_no_plan(app, client, place) -> None:
    address = "/w/acme/subscriptions/trial/training"
    html = words_of(client.get(address))
    assert [each for each in parse(html).iter("input") if each.get("name") == "plan"] == []
    assert post_form(client, address, licences="1").headers["Location"] == address
    with facts(app):
        found = Subscription.select().join(Plan).where(Plan.code == "training-standard").get()
        assert (found.quantity, found.price_id) == (1, None)


def test_two_clicks_lead_to_the_same_trial(app, client, place) -> None:
    token = csrf_of(words_of(client.get(TRIAL)))
    fields = {"csrf_token": token, "plan": "meetings-essential", "licences": "2"}
    answers = [client.post(TRIAL, data=fields) for _ in range(2)]
    assert [(each.status_code, each.headers["Location"]) for each in answers] == [(303, TRIAL)] * 2
    with facts(app):
        assert len(letters("product_trial_started")) == 1


def test_any_member_may_start_one_where_any_member_may_buy(app, client, place) -> None:
    with facts(app):
        member = a_person("mona@acme.test")
        a_member(place.workspace, member)
        visit_as(client, member)
    assert start(client).status_code == 303
    with facts(app):
        told = {letter["to"] for letter in letters("product_trial_started")}
        assert told == {"mona@acme.test", owner_of(place.workspace).email}


def test_who_may_not_is_told_who_may(app, client, place) -> None:
    with facts(app):
        Workspace.update(who_may_buy=WhoMayBuy.BILLING).execute()
        member = a_person("mona@acme.test")
        a_member(place.workspace, member)
        visit_as(client, member)
    answer = client.get(TRIAL)
    assert answer.status_code == 403
    assert owner_of_name(app, place) in words_of(answer)
    answer = post_form(client, TRIAL, shown_at="/w/acme/plans", plan="meetings-essential", licences="1")
    assert (answer.status_code, state(app, place)) == (403, None)


def owner_of_name(app, place) -> str:
    with facts(app):
        return owner_of(place.workspace).name


# --- refused beside the field ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("licences", "sentence"),
    [
        ("", "Enter how many licences you want to try."),
        ("0", "Enter a whole number from 1 to 5."),
        ("6", "Enter a whole number from 1 to 5."),
        ("two", "Enter a whole number from 1 to 5."),
        (None, "Enter how many licences you want to try."),
    ],
)
def test_the_number_is_refused_beside_its_field(app, client, place, licences, sentence) -> None:
    answer = start(client, licences=licences)
    assert answer.status_code == 422
    page = parse(words_of(answer))
    [error] = [each for each in page.iter() if each.get("id") == "licences-error"]
    assert sentence in text_of(error)
    [field] = [each for each in page.iter("input") if each.get("name") == "licences"]
    assert (field.get("value"), field.get("aria-invalid")) == (licences or "", "true")
    assert state(app, place) is None


@pytest.mark.parametrize("plan", ["", "webinar-standard", "business-5", None])
def test_the_plan_is_refused_beside_its_field(app, client, place, plan) -> None:
    answer = start(client, plan=plan)
    assert answer.status_code == 422
    assert by_testid(parse(words_of(answer)), "error-summary")
    assert 'id="plan-error"' in words_of(answer)
    assert state(app, place) is None


def test_a_plan_that_is_sent_for_the_only_one_is_refused_in_sight(client, place) -> None:
    address = "/w/acme/subscriptions/trial/training"
    answer = post_form(client, address, plan="meetings-essential", licences="1")
    assert answer.status_code == 422
    assert 'id="plan-error"' in words_of(answer)


# --- no longer possible ---------------------------------------------------------------------------


def test_over_it_says_so_and_leads_to_buying(app, client, place, clock) -> None:
    with facts(app):
        tried(place)
    clock.advance(days=15)
    page = client.get(TRIAL)
    assert page.status_code == 200
    html = words_of(page)
    assert "Your trial of Meetings is over" in html
    assert "yours was free until 5 December 2026." in html
    [link] = by_testid(parse(html), "subscribe-now")
    assert link.get("href") == BUYING
    answer = start(client, shown_at="/w/acme/plans")
    assert (answer.status_code, "Your trial of Meetings is over" in words_of(answer)) == (409, True)


def test_what_is_subscribed_to_is_not_tried(app, client, place) -> None:
    with facts(app):
        bought(place)
    answer = client.get(TRIAL)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/subscriptions")
    answer = start(client, shown_at="/w/acme/plans")
    assert answer.status_code == 409
    assert "You have Meetings already." in words_of(answer)


def test_after_a_purchase_without_a_trial_that_has_ended_it_can_be_had(app, client, place, clock) -> None:
    with facts(app):
        meetings = bought(place)
        cancellation.cancel(meetings, shown_ends_on="2026-12-21", now=clock.now())
        Subscription.update(due_on=None).where(Subscription.id != meetings.id).execute()
    clock.advance(days=31)
    assert start(client).headers["Location"] == TRIAL
    assert state(app, place) is SubscriptionState.TRIAL


@pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")
def test_beside_an_open_payment_it_waits(app, client, place, clock) -> None:
    with facts(app):
        pay(an_order_of_licences(place, clock), SILENT_CHARGED)
    answer = start(client, shown_at="/w/acme/plans")
    assert answer.status_code == 409
    assert "You can start the trial once the result of the payment is known." in words_of(answer)
    assert state(app, place) is None


def test_a_blocked_workspace_pays_for_its_plan_first(app, client, place, clock) -> None:
    clock.advance(days=31)
    for answer in (client.get(TRIAL), start(client, shown_at="/w/acme/plans")):
        assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/plans")
    assert state(app, place) is None


@pytest.mark.parametrize("product", ["nothing", "office", "remote", "a" * 200])
def test_what_is_not_given_to_try_is_no_page(client, place, product) -> None:
    assert client.get(f"/w/acme/subscriptions/trial/{product}").status_code == 404


def test_a_trial_that_the_vendor_has_taken_back_is_refused_with_a_sentence(app, client, place) -> None:
    with facts(app):
        Product.update(trial_days=0).where(Product.code == "meetings").execute()
    answer = start(client, shown_at="/w/acme/plans")
    assert answer.status_code == 409
    assert "There is no free trial of this product." in words_of(answer)


def test_another_workspace_s_trial_is_no_page_and_begins_none_there(app, client, place) -> None:
    with facts(app):
        zenith = a_place("Zenith", owner="Zoe Zenith")
        as_seen_by(zenith, "Ada Admin", role=Role.ADMIN)
        tried(zenith)
    address = "/w/zenith/subscriptions/trial/webinar"
    assert client.get("/w/zenith/subscriptions/trial/meetings").status_code == 404
    answer = post_form(client, address, shown_at="/w/acme/plans", plan="webinar-standard", licences="1")
    assert answer.status_code == 404
