"""The plans page in parts: what a new choice, or a new currency, replaces."""

import secrets

import pytest

from portal.domain.vocabulary import Interval
from portal.models import Plan, Price, Product, Subscription, Workspace
from tests.attackers import PART, Attacker
from tests.factories import a_catalogue, a_workspace, owner_of
from tests.pages import parse, text_of
from tests.paying import a_place, an_order, pay
from tests.visiting import facts


@pytest.fixture
def owner(app) -> Attacker:
    with facts(app):
        a_catalogue()
        return Attacker(app, owner_of(a_workspace()))


def part(browser: Attacker, name: str, query: str) -> str:
    answer = browser.get(f"/w/acme/plans?{query}", headers={**PART, "HX-Target": f"div#{name}"})
    assert answer.status_code == 200
    return answer.text


def test_a_new_choice_replaces_what_stands_below_the_table(owner) -> None:
    html = part(owner, "plan_action", "currency=EUR&price=business-20:year")
    assert "Business 20" in html
    assert 'data-testid="plan-action"' in html
    assert 'id="buy"' in html
    assert "<table" not in html
    assert "csrf_token" not in html


def test_a_choice_that_is_too_small_brings_its_refusal(app, owner) -> None:
    with facts(app):
        Workspace.update(used_storage_bytes=30 * 1024**3).execute()
    html = part(owner, "plan_action", "currency=EUR&price=business-3:month")
    assert 'data-testid="refusal-storage"' in html
    assert 'id="buy"' not in html


def test_a_new_currency_replaces_the_table_too(owner) -> None:
    html = part(owner, "plan_form", "currency=USD&price=business-20:year")
    assert "<table" in html
    assert 'value="business-20:year" checked' in html
    assert 'id="plan_action"' in html


def cell_of(html: str, plan: str, column: int) -> str:
    """What a visitor reads in the plan's cell; column 1 is the month, 2 the year."""
    [row] = [row for row in parse(html).iter("tr") if plan in text_of(row)]
    return text_of(list(row)[column])


@pytest.fixture
def with_prices(app, owner):
    """The owner, after the price rows of `where` were made to end before today, as time does it."""

    def left(where) -> Attacker:
        with facts(app):
            Price.update(valid_until="2026-11-01").where(~where).execute()
            Product.update(revision=secrets.token_hex(16)).execute()
        return owner

    return left


PATHS = ["/w/acme/plans", "/pricing"]


@pytest.mark.parametrize("path", PATHS)
def test_a_plan_without_a_yearly_price_says_monthly(with_prices, path) -> None:
    html = with_prices(Price.interval == Interval.MONTH).get(path).text
    assert "monthly subscribers only" in cell_of(html, "6–10 active users", 2)
    assert "yearly subscribers only" not in html


@pytest.mark.parametrize("path", PATHS)
def test_a_plan_without_a_price_today_is_not_offered_and_says_so(with_prices, path) -> None:
    big = Plan.select(Plan.id).where(Plan.code == "business-100")
    html = with_prices(Price.plan.not_in(big)).get(path).text
    assert html.count("Not on sale today") == 2
    assert "business-100:" not in html


@pytest.mark.parametrize("path", PATHS)
def test_plans_that_share_no_currency_any_more_are_shown_in_each(with_prices, path) -> None:
    big = Plan.select(Plan.id).where(Plan.code == "business-100")
    big_in_dollars = Price.plan.in_(big) & (Price.currency == "USD")
    left = with_prices(big_in_dollars | (Price.plan.not_in(big) & (Price.currency == "EUR")))
    euros, dollars = (left.get(f"{path}?currency={code}").text for code in ("EUR", "USD"))
    assert euros.count("Not sold in EUR") == 2
    assert 'data-testid="plan-business-100-year"' in dollars
    assert 'data-testid="plan-business-5-month"' in euros


@pytest.mark.parametrize("path", PATHS)
def test_when_every_price_is_over_the_pages_still_stand(with_prices, path) -> None:
    html = with_prices(Price.id < 0).get(path).text
    assert html.count("Not on sale today") == 12


def test_what_has_no_price_today_cannot_be_ordered(with_prices) -> None:
    left = with_prices(Price.currency == "USD")
    answer = left.post("/w/acme/plans", {"price": "business-5:month", "currency": "EUR", "confirmed": "1"})
    assert answer.status_code == 422


def test_a_free_plan_says_so_once(owner) -> None:
    for path in ("/w/acme/plans", "/pricing"):
        html = owner.get(path).text
        assert html.count('<span class="plan-none">Free</span>') == 1, path


RENEWS = (
    "Automatic renewal: €33.60 including VAT on 21 December 2026 with Visa •••• 4242, for Business 5, "
    "monthly."
)


@pytest.mark.parametrize(
    ("failed_on", "renew_on", "days", "said"),
    [
        (None, "2026-12-21", 0, RENEWS),
        ("2026-12-21", None, 30, "Automatic renewal is on."),
        ("2026-12-21", "2026-12-22", 30, "Automatic renewal is on."),
        (None, "2026-12-21", 32, "Automatic renewal is on."),
    ],
    ids=["ahead", "failed for good", "tried again", "not settled yet"],
)
def test_a_next_payment_is_told_only_where_one_is_to_come(
    app, clock, failed_on, renew_on, days, said
) -> None:
    """Due on 21 December."""
    with facts(app):
        place = a_place()
        pay(an_order(place), auto_renewal=True)
        Subscription.update(renewal_failed_on=failed_on, renew_on=renew_on).execute()
        browser = Attacker(app, owner_of(place.workspace))
    clock.advance(days=days)
    page = text_of(parse(browser.get("/w/acme/plans").text))
    assert said in page
    assert ("Automatic renewal: " in page) is (said == RENEWS)


@pytest.mark.parametrize(
    "chosen",
    [
        {"price": "business-3:week", "currency": "EUR"},
        {"price": "business-3", "currency": "EUR"},
        {"price": "business-4:month", "currency": "EUR"},
        {"price": "business-3:month", "currency": "XXX"},
        {"price": "business-3:month", "currency": "eur"},
    ],
)
@pytest.mark.parametrize("button", [{"show": "1"}, {"confirmed": "1"}, {}])
def test_an_unknown_word_is_refused_and_never_guessed(owner, chosen, button) -> None:
    answer = owner.post("/w/acme/plans", {**chosen, **button})
    assert answer.status_code == 422
    assert "This plan is not on sale in this form today." in answer.text


def test_a_known_choice_is_shown_without_a_script(owner) -> None:
    chosen = {"price": "business-20:year", "currency": "USD", "show": "1"}
    answer = owner.post("/w/acme/plans", chosen)
    assert answer.status_code == 200
    assert 'value="business-20:year" checked' in answer.text
