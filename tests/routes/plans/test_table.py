"""The prices of the table and its one button, by the plan that is had already."""

from datetime import date

import pytest

from portal.domain.vocabulary import Interval, Role
from portal.models import Price, Subscription
from tests.factories import CATALOGUE, a_member, a_person, a_workspace, owner_of
from tests.pages import by_testid, parse, text_of
from tests.paying import a_place, an_order, apply_catalogue, pay
from tests.visiting import facts, visit_as

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


def test_a_period_that_begins_when_the_guarantee_is_over_costs_the_list_price(app, client, locked) -> None:
    with facts(app):
        Subscription.update(locked_until="2026-12-21").execute()
    assert "€29.00" in text_at(plans_of(client), "plan-business-5-month")


def test_after_a_failed_renewal_paying_by_hand_costs_the_list_price(app, client, locked, clock) -> None:
    with facts(app):
        Subscription.update(renewal_failed_on="2026-12-21").execute()
    clock.advance(days=31)
    page = plans_of(client)
    assert text_at(page, "plan-action") == "Prolong"
    assert "€29.00" in text_at(page, "plan-business-5-month")
    assert by_testid(page, "price-lock") == []


# --- the non-profit plan --------------------------------------------------------------------------


@pytest.fixture
def bees(app, client) -> None:
    with facts(app):
        workspace = a_workspace("Bees", plan="nonprofit")
        visit_as(client, owner_of(workspace))


def test_a_non_profit_is_advised_to_buy_nothing(client, bees) -> None:
    page = plans_of(client, slug="bees")
    assert "Recommended" not in words_of(page)
    assert "No plan of the table is large enough" not in words_of(page)
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
