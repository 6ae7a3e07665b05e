"""The prices of the table and its one button, by the plan that is had already."""

from datetime import date

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, Role, WhoMayBuy
from portal.models import Order, Price, Product, Subscription, Workspace
from portal.services.subscriptions import auto_renewal, scheduled_change
from tests.factories import CATALOGUE, a_member, a_person, a_workspace, owner_of
from tests.pages import by_testid, parse, text_of
from tests.paying import ASKS_ONCE, a_place, an_order, apply_catalogue, pay
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")


@pytest.fixture
def place(app, client):
    """Acme on its trial; the browser is its owner's."""
    with facts(app):
        place = a_place()
        visit_as(client, owner_of(place.workspace))
        return place


def plans_of(client, query: str = "", *, slug: str = "acme"):
    return parse(client.get(f"/w/{slug}/plans{query}").get_data(as_text=True))


def text_at(page, testid: str) -> str:
    [element] = by_testid(page, testid)
    return text_of(element)


def words_of(page) -> str:
    return text_of(next(page.iter("main")))


# --- the guaranteed price -------------------------------------------------------------------------


@pytest.fixture
def locked(app, place) -> None:
    """Business 5 at 28 EUR a month with automatic renewal; on the list it is 29 EUR by now."""
    with facts(app):
        Price.update(valid_from=date(2026, 11, 1)).execute()
        pay(an_order(place), auto_renewal=True)
        apply_catalogue(CATALOGUE.read_text().replace("amount_minor = 2800 }", "amount_minor = 2900 }"))


def test_the_own_plan_shows_the_price_that_its_renewal_charges(client, locked) -> None:
    page = plans_of(client)
    assert "€28.00" in text_at(page, "plan-business-5-month")
    assert "€28.00 a month excl. VAT" in words_of(page)
    assert "€29.00" not in words_of(page)
    sentence = "Your price, €28.00 a month excl. VAT, is guaranteed until 21 November 2027."
    assert text_at(page, "price-lock") == sentence


def test_a_year_is_guaranteed_by_the_year(app, client, place) -> None:
    with facts(app):
        pay(an_order(place, "business-3", Interval.YEAR), auto_renewal=True)
    sentence = "Your price, €170.00 a year excl. VAT, is guaranteed until 21 November 2028."
    assert text_at(plans_of(client), "price-lock") == sentence


def test_a_period_after_the_guarantee_costs_the_list_price_once_that_was_told(app, client, locked) -> None:
    with facts(app):
        Subscription.update(locked_until="2026-12-21").execute()
    assert "€28.00" in text_at(plans_of(client), "plan-business-5-month")
    with facts(app):
        Subscription.update(announced_net_minor=2900, announced_minor=3480).execute()
    assert "€29.00" in text_at(plans_of(client), "plan-business-5-month")


@pytest.mark.parametrize("case", ["failed", "switched off"])
def test_by_hand_a_failed_renewal_costs_what_was_told_and_anything_else_the_list_price(
    app, client, place, locked, clock, case
) -> None:
    with facts(app):
        if case == "failed":
            Subscription.update(renewal_failed_on="2026-12-21").execute()
        else:
            auto_renewal.switch_off(place, now=clock.now())
    clock.advance(days=31)
    page = plans_of(client)
    assert text_at(page, "plan-action") == "Prolong"
    shown = "€28.00" if case == "failed" else "€29.00"
    assert shown in text_at(page, "plan-business-5-month")
    assert bool(by_testid(page, "price-lock")) is (case == "failed")


# --- the non-profit plan --------------------------------------------------------------------------


@pytest.fixture
def bees(app, client) -> None:
    with facts(app):
        workspace = a_workspace("Bees", plan="nonprofit")
        visit_as(client, owner_of(workspace))


def test_a_non_profit_is_advised_to_buy_nothing(client, bees) -> None:
    page = plans_of(client, slug="bees")
    assert "Recommended" not in words_of(page)
    assert "No plan in the table is large enough" not in words_of(page)
    assert [each for each in page.iter("input") if each.get("checked") is not None] == []
    assert by_testid(page, "plan-action") == []


def test_what_a_non_profit_buys_ends_its_plan(client, bees) -> None:
    page = plans_of(client, "?price=business-5:month", slug="bees")
    assert text_at(page, "plan-action") == "Buy now"
    assert "Your plan for non-profit organisations ends when you buy this one." in words_of(page)


def test_while_renewal_is_on_only_who_may_switch_it_off_is_led_to_the_free_plan(app, client, place) -> None:
    link = "/w/acme/plans/free"
    with facts(app):
        pay(an_order(place), auto_renewal=True)
        leo = a_person("leo@acme.test")
        a_member(place.workspace, leo, role=Role.MEMBER)
    assert link in client.get("/w/acme/plans").get_data(as_text=True)
    with facts(app):
        visit_as(client, leo)
    assert link not in client.get("/w/acme/plans").get_data(as_text=True)
    with facts(app):
        Subscription.update(auto_renewal=False).execute()
    assert link in client.get("/w/acme/plans").get_data(as_text=True)


# --- one true sentence ----------------------------------------------------------------------------


def test_what_cannot_be_prolonged_yet_says_from_when_on(app, client, place) -> None:
    """A year paid on 21 November 2026 ends on 21 November 2027: it can be prolonged from 1 October."""
    with facts(app):
        pay(an_order(place, "business-5", interval=Interval.YEAR))
    page = plans_of(client)
    assert "You can change it with the table below, and prolong it from 1 October 2027." in words_of(page)
    assert "You can prolong it or change it" not in words_of(page)
    assert "You can prolong from 1 October 2027." in text_at(page, "plan-bar")


def test_who_may_not_buy_reads_who_may(app, client, place) -> None:
    with facts(app):
        pay(an_order(place))
        Workspace.update(who_may_buy=WhoMayBuy.BILLING).execute()
        owner = owner_of(place.workspace).name
        visit_as(client, a_member(place.workspace, a_person("member@acme.example"), role=Role.MEMBER).person)
    words = words_of(plans_of(client))
    assert f"These people can choose a plan: {owner}." in words
    assert "prolong" not in words


def test_a_plan_that_no_longer_fits_gives_way_to_the_recommended_one(app, client, place) -> None:
    """Business 5 has 40 GB; the next with more room is selected and marked."""
    with facts(app):
        pay(an_order(place))
        Workspace.update(used_storage_bytes=45 * 1024**3).execute()
    page = plans_of(client)
    [chosen] = [
        each for each in page.iter("input") if each.get("name") == "price" and each.get("checked") is not None
    ]
    assert chosen.get("value") == "business-10:month"
    assert "Recommended" in text_at(page, "plan-business-10-month")


def test_what_a_year_saves_stands_at_its_price(client, place) -> None:
    page = plans_of(client, "?currency=USD")
    assert "2 months free: you save $36.00 a year" in text_at(page, "plan-business-3-year")
    assert "save" not in text_at(page, "plan-business-3-month")


def test_a_scheduled_plan_whose_day_has_passed_did_not_begin(app, client, clock, place) -> None:
    with facts(app):
        pay(an_order(place, "business-10"))
        shown = scheduled_change.preview(
            place.workspace, Choice("business-5", Interval.MONTH), now=clock.now()
        )
        scheduled_change.schedule(
            place, Choice("business-5", Interval.MONTH), shown_hash=shown.hash, now=clock.now()
        )
    clock.advance(days=33)
    page = plans_of(client)
    assert "Business 5, monthly did not begin on 21 December 2026." in text_at(page, "scheduled-plan")
    [chosen] = [
        each for each in page.iter("input") if each.get("name") == "price" and each.get("checked") is not None
    ]
    assert chosen.get("value") == "business-10:month"


# --- beside a payment whose result is open --------------------------------------------------------


def confirming(app, place, plan: str = "business-5") -> None:
    """A payment of the owner waits for the bank."""
    with facts(app):
        pay(an_order(place, plan), ASKS_ONCE)


LATER = "You can order once the result of the payment is known."


@pytest.mark.parametrize("days", [0, 31], ids=["on the trial", "blocked"])
def test_beside_an_open_payment_nothing_is_offered_and_nothing_is_red(
    app, client, place, clock, days
) -> None:
    confirming(app, place)
    clock.advance(days=days)
    page = plans_of(client, "?price=business-10:month")
    [button] = by_testid(page, "plan-action")
    assert (text_of(button), button.get("disabled") is not None) == ("Buy now", True)
    assert button.get("data-kind") == "primary"
    assert LATER in text_at(page, "plan-bar")
    assert "Choose the plan that suits you best. The recommended" not in words_of(page)


def test_beside_an_open_payment_a_choice_makes_no_order(app, client, place) -> None:
    confirming(app, place)
    answer = post_form(client, "/w/acme/plans", price="business-10:month", currency="EUR", confirmed="1")
    assert answer.status_code == 409
    assert LATER in text_at(parse(answer.get_data(as_text=True)), "error-summary")
    with facts(app):
        assert Order.select().count() == 1


def test_who_pays_by_hand_is_not_told_to_prolong_beside_an_open_payment(app, client, place) -> None:
    with facts(app):
        pay(an_order(place))
    confirming(app, place, "business-10")
    page = plans_of(client)
    assert "You can prolong it or change it" not in words_of(page)
    assert LATER in words_of(page) and LATER in text_at(page, "plan-bar")


def test_a_renewal_that_waits_for_the_bank_promises_no_next_payment(app, client, place, clock) -> None:
    with facts(app):
        pay(an_order(place), auto_renewal=True)
    confirming(app, place, "business-10")
    clock.advance(days=31)
    bar = text_at(plans_of(client), "plan-bar")
    assert "on the due date" not in bar
    assert LATER in bar


def test_a_due_date_that_is_past_is_no_day_of_the_next_payment(app, client, place, clock) -> None:
    with facts(app):
        pay(an_order(place), auto_renewal=True)
    assert "The next payment is made automatically on the due date." in text_at(plans_of(client), "plan-bar")
    clock.advance(days=31)
    bar = text_at(plans_of(client), "plan-bar")
    assert "The next payment is made automatically." in bar


# --- late is not blocked --------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["late", "blocked"])
def test_what_is_blocked_is_not_called_late(app, client, place, clock, state) -> None:
    with facts(app):
        pay(an_order(place))
        Product.update(grace_days=10 if state == "late" else 0).execute()
    clock.advance(days=32)
    page = plans_of(client)
    is_late = state == "late"
    assert ("The payment is late." in words_of(page)) is is_late
    assert ("Access is blocked until a plan is paid for." in words_of(page)) is not is_late
    bar = text_at(page, "plan-bar")
    assert "€28.00 a month excl. VAT" in bar
    assert "This pays what was due on 21 December 2026." in bar


# --- while another plan waits ---------------------------------------------------------------------


@pytest.fixture
def waiting(app, place, clock) -> None:
    """On Business 10 with automatic renewal; Business 5 begins on 21 December."""
    with facts(app):
        pay(an_order(place, "business-10"), auto_renewal=True)
        choice = Choice("business-5", Interval.MONTH)
        shown = scheduled_change.preview(place.workspace, choice, now=clock.now())
        scheduled_change.schedule(place, choice, shown_hash=shown.hash, now=clock.now())


def test_the_next_payment_is_that_of_the_plan_that_waits(client, waiting) -> None:
    bar = text_at(plans_of(client), "plan-bar")
    assert "The next payment, on 21 December 2026, is for Business 5, monthly." in bar
    assert "on the due date" not in bar


def test_a_guarantee_that_ends_with_the_change_is_not_promised(app, client, place, clock, waiting) -> None:
    assert by_testid(plans_of(client), "price-lock") == []
    with facts(app):
        scheduled_change.withdraw(place, now=clock.now())
    assert "guaranteed until" in text_at(plans_of(client), "price-lock")


CANCELS = "The change to Business 5 on 21 December 2026 is cancelled by this order."


def test_a_bigger_plan_says_what_it_cancels(client, waiting) -> None:
    assert CANCELS in text_at(plans_of(client, "?price=business-20:month"), "plan-bar")
    for own in ("", "?price=business-3:month"):
        assert "cancelled" not in text_at(plans_of(client, own), "plan-bar")
    french = client.get("/w/acme/plans?price=business-20:month&lang=fr").get_data(as_text=True)
    assert "Cette commande annule le passage à Business 5 prévu le" in french
