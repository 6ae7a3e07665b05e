"""The plans page in parts: what a new choice, or a new currency, replaces."""

import pytest

from portal.models import Subscription, Workspace
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
