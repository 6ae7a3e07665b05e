"""A smaller plan from the plans page to the due date, in a browser."""

import pytest

from portal.domain.vocabulary import Role
from portal.models import Subscription
from portal.services.subscriptions import agreement
from tests.factories import a_member, a_person, owner_of, waiting_notices
from tests.pages import by_testid, csrf_of, parse, text_of
from tests.paying import ASKS_ONCE, a_place, an_order, as_seen_by, buy, pay
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
PREVIEW = "/w/acme/plans/scheduled?price=business-3:month"
WITHDRAW = "/w/acme/plans/scheduled/withdraw"


@pytest.fixture
def place(app, client):
    """Acme on Business 10, paid by the month until 21 December; the browser is its owner's."""
    with facts(app):
        place = a_place()
        buy(place, "business-10")
        visit_as(client, owner_of(place.workspace))
        return place


def subscription_of(app, place) -> Subscription:
    with facts(app):
        found = agreement.of_workspace(place.workspace)
        found.scheduled_plan  # noqa: B018 (read while the connection is open)
        return found


def words_of(answer) -> str:
    """What a page says; dates hold together by spaces that do not break."""
    return " ".join(answer.get_data(as_text=True).split())


def confirm(client, *, price="business-3:month", shown=None):
    html = words_of(client.get(f"/w/acme/plans/scheduled?price={price}"))
    [hidden] = [each.get("value") for each in parse(html).iter("input") if each.get("name") == "shown"]
    return client.post(
        "/w/acme/plans/scheduled",
        data={"csrf_token": csrf_of(html), "price": price, "shown": shown or hidden},
    )


def test_the_button_leads_to_what_will_be_and_pays_nothing(app, client, place) -> None:
    page = words_of(client.get("/w/acme/plans?price=business-3:month"))
    [button] = by_testid(parse(page), "plan-action")
    assert text_of(button) == "Change"
    assert button.get("data-dialog-open") is None
    assert "A smaller plan begins on the due date, 21 December 2026." in page
    answer = post_form(client, "/w/acme/plans", price="business-3:month", currency="EUR")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/w/acme/plans/scheduled?price=business-3:month",
    )


def test_the_preview_says_what_is_charged_then(app, client, place) -> None:
    html = words_of(client.get(PREVIEW))
    for sentence in (
        "Until then you keep Business 10",
        "21 December 2026",
        "To be made by you",
        "€17.00 excl. VAT",
    ):
        assert sentence in html
    with facts(app):
        pay(an_order(place, "business-10"), auto_renewal=True)
    html = words_of(client.get(PREVIEW))
    assert "€20.40 including VAT on 21 January 2027" in html
    assert "Visa •••• 4242" in html


def test_confirmed_it_is_on_the_plans_page_and_can_be_withdrawn(app, client, place) -> None:
    answer = confirm(client)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/plans")
    html = words_of(client.get("/w/acme/plans"))
    assert "The Business 3 plan begins on 21 December 2026." in html
    [card] = by_testid(parse(html), "scheduled-plan")
    assert "From 21 December 2026: Business 3, monthly" in text_of(card)
    assert subscription_of(app, place).scheduled_plan.code == "business-3"

    answer = client.post("/w/acme/plans/scheduled/withdraw", data={"csrf_token": csrf_of(html)})
    assert answer.headers["Location"] == "/w/acme/plans?price=business-3:month"
    html = words_of(client.get(answer.headers["Location"]))
    assert "Change withdrawn: your plan stays as it is." in html
    assert by_testid(parse(html), "scheduled-plan") == []
    assert 'value="business-3:month" checked' in html
    assert subscription_of(app, place).scheduled_plan is None


def test_a_free_plan_that_is_withdrawn_leaves_renewal_off_and_says_so(app, client, place) -> None:
    with facts(app):
        pay(an_order(place, "business-10"), auto_renewal=True)
    post_form(client, "/w/acme/plans/free", begins_on="2027-01-21")
    assert not subscription_of(app, place).auto_renewal
    post_form(client, "/w/acme/plans/scheduled/withdraw")
    assert "Automatic renewal is off. Switch it on again" in words_of(client.get("/w/acme/plans"))
    with facts(app):
        [letter] = waiting_notices("plan_schedule_withdrawn")
    assert letter["context"]["renews"] is False


def test_withdrawn_twice_says_so(app, client, place) -> None:
    token = csrf_of(words_of(client.get("/w/acme/plans")))
    answer = client.post("/w/acme/plans/scheduled/withdraw", data={"csrf_token": token})
    assert answer.status_code == 303
    assert "There is no longer a change to withdraw." in words_of(client.get("/w/acme/plans"))


def test_a_new_one_says_what_it_replaces(client, place) -> None:
    confirm(client)
    html = words_of(client.get("/w/acme/plans/scheduled?price=business-5:month"))
    assert "It replaces Business 3" in html


def test_the_free_plan_says_what_it_replaces(client, place) -> None:
    replaces = "It replaces Business 3, which was to begin on that day."
    assert replaces not in words_of(client.get("/w/acme/plans/free"))
    confirm(client)
    assert replaces in words_of(client.get("/w/acme/plans/free"))


def test_another_hash_is_shown_again_and_changes_nothing(app, client, place) -> None:
    answer = confirm(client, shown="0" * 64)
    assert answer.status_code == 409
    assert "Nothing was changed." in words_of(answer)
    assert subscription_of(app, place).scheduled_plan is None


def test_what_does_not_fit_is_refused_with_both_figures(app, client, place) -> None:
    with facts(app):
        for name in ("Anna A", "Boris B", "Chloe C"):
            as_seen_by(place, name)
    for answer in (
        client.get(PREVIEW),
        post_form(client, "/w/acme/plans/scheduled", shown_at="/w/acme/plans", price="business-3:month"),
    ):
        assert answer.status_code == 422
        [refusal] = by_testid(parse(words_of(answer)), "refusal-users")
        assert text_of(refusal) == "Maximum number of users: 3. Active users now: 4."


@pytest.mark.parametrize(
    "price", ["business-20:month", "business-10:year", "", "nonsense", "startup:month", "trial:month"]
)
def test_what_is_no_smaller_plan_is_chosen_on_the_plans_page(client, place, price) -> None:
    answer = client.get(f"/w/acme/plans/scheduled?price={price}")
    assert answer.status_code in (303, 422)
    if answer.status_code == 303:
        assert answer.headers["Location"].startswith("/w/acme/plans")


def test_with_automatic_renewal_only_who_may_charge_the_card_changes_the_charge(app, client, place) -> None:
    with facts(app):
        member = a_person("mona@acme.test")
        a_member(place.workspace, member)
        pay(an_order(place, "business-10"), auto_renewal=True)
        visit_as(client, member)
    for answer in (
        client.get(PREVIEW),
        post_form(client, "/w/acme/plans/scheduled", shown_at="/w/acme/plans", price="business-3:month"),
        post_form(client, "/w/acme/plans/scheduled/withdraw", shown_at="/w/acme/plans"),
        client.get("/w/acme/plans/free"),
        post_form(client, "/w/acme/plans/free", shown_at="/w/acme/plans"),
    ):
        assert answer.status_code == 403
        assert "Jeanne Martin" in words_of(answer)


def test_a_plan_that_has_become_too_small_is_told_on_every_page(app, client, place) -> None:
    confirm(client)
    with facts(app):
        for name in ("Anna A", "Boris B", "Chloe C"):
            as_seen_by(place, name)
    for path in ("plans", "history", "members", "settings"):
        [banner] = by_testid(parse(words_of(client.get(f"/w/acme/{path}"))), "state-banner")
        assert "The Business 3 plan cannot begin on 21 December 2026." in text_of(banner)
    [obstacle] = by_testid(parse(words_of(client.get("/w/acme/plans"))), "obstacle-users")
    assert text_of(obstacle) == "Maximum number of users: 3. Active users now: 4."


def test_from_the_due_date_on_the_scheduled_plan_is_chosen_to_be_paid(app, client, place, clock) -> None:
    confirm(client)
    assert 'value="business-10:month" checked' in words_of(client.get("/w/acme/plans"))
    clock.advance(days=30)
    assert 'value="business-3:month" checked' in words_of(client.get("/w/acme/plans"))
    answer = post_form(client, "/w/acme/plans", price="business-3:month", currency="EUR", confirmed="1")
    assert "/checkout/" in answer.headers["Location"]


def test_an_admin_who_may_buy_may_change_too(app, client, place) -> None:
    with facts(app):
        admin = a_person("ada@acme.test")
        a_member(place.workspace, admin, role=Role.ADMIN)
        visit_as(client, admin)
    assert confirm(client).status_code == 303


# --- beside open money ----------------------------------------------------------------------------

LATER = "You can change the plan once the result of the payment is known."


def test_beside_an_open_payment_nothing_is_scheduled_or_withdrawn(app, client, place) -> None:
    assert confirm(client).status_code == 303
    assert by_testid(parse(words_of(client.get("/w/acme/plans"))), "schedule-withdraw")
    with facts(app):
        pay(an_order(place, "business-20"), ASKS_ONCE)
    [card] = by_testid(parse(words_of(client.get("/w/acme/plans"))), "scheduled-plan")
    assert LATER in text_of(card)
    assert by_testid(card, "schedule-withdraw") == []
    page = words_of(client.get(PREVIEW))
    assert LATER in page
    assert by_testid(parse(page), "schedule-confirm") == []
    # Sent from pages that were open before.
    for answer in (confirm(client), post_form(client, WITHDRAW, shown_at="/w/acme/plans")):
        assert answer.status_code == 409
        assert LATER in words_of(answer)
    assert subscription_of(app, place).scheduled_plan.code == "business-3"


def test_a_member_who_may_not_withdraw_is_not_told_when_they_could(app, client, place) -> None:
    with facts(app):
        pay(an_order(place, "business-10"), auto_renewal=True)
    assert confirm(client).status_code == 303
    with facts(app):
        pay(an_order(place, "business-20"), ASKS_ONCE)
        visit_as(client, as_seen_by(place, "Leo Durand").member.person)
    [card] = by_testid(parse(words_of(client.get("/w/acme/plans"))), "scheduled-plan")
    assert LATER not in text_of(card)
    assert by_testid(card, "schedule-withdraw") == []
