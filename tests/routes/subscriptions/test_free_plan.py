"""The page of the free plan: the whole checklist, and the one button."""

import pytest

from portal.domain.vocabulary import Role, Service
from portal.models import Workspace
from portal.services.subscriptions import agreement
from tests.factories import a_member, a_person, a_workspace, owner_of
from tests.pages import by_testid, csrf_of, parse, text_of
from tests.paying import ASKS_ONCE, a_place, an_order, as_seen_by, buy, pay
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
FREE = "/w/acme/plans/free"


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


def plan_of(app, place) -> str:
    with facts(app):
        return agreement.of_workspace(place.workspace).plan.code


def conditions_of(html) -> dict[str, str]:
    page = parse(html)
    return {
        item.get("data-testid").removeprefix("condition-"): item.get("data-state")
        for item in page.iter("li")
        if (item.get("data-testid") or "").startswith("condition-")
    }


def test_the_table_leads_to_it_without_a_radio_button(client, place) -> None:
    page = parse(words_of(client.get("/w/acme/plans")))
    assert [text_of(link) for link in page.iter("a") if link.get("href") == FREE] == [
        "Continue with the free plan"
    ]
    assert not [each for each in page.iter("input") if (each.get("value") or "").startswith("startup")]


def test_every_condition_is_shown_met_and_taken_at_once(app, client, place) -> None:
    html = words_of(client.get(FREE))
    assert conditions_of(html) == dict.fromkeys(
        ["users", "storage", "guests", "administrators", *(service.value for service in Service)], "met"
    )
    assert "the remaining days of the free trial are lost" in html
    answer = post_form(client, FREE, begins_on="")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/plans")
    html = words_of(client.get("/w/acme/plans"))
    assert "The Startup plan has begun. There is nothing to pay." in html
    assert "You are using the free plan." in html
    assert FREE not in html
    assert plan_of(app, place) == "startup"
    # There is nothing more to take.
    for answer in (client.get(FREE), post_form(client, FREE, shown_at="/w/acme/plans", begins_on="")):
        assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/plans")
    assert "You already use the free plan." in words_of(client.get("/w/acme/plans"))


def test_each_unmet_condition_has_both_figures_and_leads_to_where_it_is_mended(app, client, place) -> None:
    with facts(app):
        as_seen_by(place, "Ada Admin", role=Role.ADMIN)
        Workspace.update(services=["ldap"], used_storage_bytes=3 * 1024**3).execute()
    html = words_of(client.get(FREE))
    page = parse(html)
    unmet = {kind for kind, state in conditions_of(html).items() if state == "unmet"}
    assert unmet == {"administrators", "storage", "ldap"}
    expected = {
        "administrators": ("Maximum number of administrators: 1. Administrators now: 2.", "/w/acme/members"),
        "storage": (
            "Maximum storage: 2\N{NO-BREAK SPACE}GB. Storage used now: 3\N{NO-BREAK SPACE}GB.",
            "/links/help",
        ),
        "ldap": ("LDAP directory: must be off. It is on.", "/w/acme/services"),
    }
    for kind, (sentence, address) in expected.items():
        [line] = by_testid(page, f"condition-{kind}")
        assert " ".join(sentence.split()) in " ".join(text_of(line).split())
        assert [link.get("href") for link in line.iter("a")] == [address]
    assert by_testid(page, "free-plan-confirm") == []
    # The server says the same to whoever sends the form all the same.
    answer = post_form(client, FREE, shown_at="/w/acme/plans", begins_on="")
    assert answer.status_code == 422
    assert conditions_of(words_of(answer))["ldap"] == "unmet"
    assert plan_of(app, place) == "trial"


def test_who_may_not_mend_it_gets_no_link(app, client, place) -> None:
    with facts(app):
        member = a_person("mona@acme.test")
        a_member(place.workspace, member)
        Workspace.update(services=["ldap"]).execute()
        visit_as(client, member)
    [line] = by_testid(parse(words_of(client.get(FREE))), "condition-ldap")
    assert list(line.iter("a")) == []


def test_from_a_paid_plan_it_waits_for_the_due_date(app, client, place) -> None:
    with facts(app):
        buy(place, "business-3")
    html = words_of(client.get(FREE))
    assert "You keep Business 3 until 21 December 2026. Nothing is refunded" in html
    assert post_form(client, FREE, begins_on="2026-12-21").status_code == 303
    html = words_of(client.get("/w/acme/plans"))
    assert "From 21 December 2026: Startup" in html
    assert plan_of(app, place) == "business-3"
    html = words_of(client.get(FREE))
    assert "The Startup plan begins on 21 December 2026." in html
    assert by_testid(parse(html), "free-plan-confirm") == []
    answer = client.post(
        "/w/acme/plans/scheduled/withdraw",
        data={"csrf_token": csrf_of(words_of(client.get("/w/acme/plans")))},
    )
    assert answer.headers["Location"] == "/w/acme/plans"


def test_another_day_than_was_shown_is_shown_again(app, client, place) -> None:
    with facts(app):
        buy(place, "business-3")
    for shown in ("", "2026-12-20", "tomorrow"):
        assert post_form(client, FREE, begins_on=shown).status_code == 409


def test_a_workspace_that_never_paid_comes_back_with_it(app, client, place, clock) -> None:
    clock.advance(days=60)
    assert "The free trial is over." in words_of(client.get(FREE))
    assert post_form(client, FREE, begins_on="").status_code == 303
    assert "The free trial is over." not in words_of(client.get("/w/acme/plans"))


def test_a_non_profit_has_its_own_plan_already(app, client) -> None:
    with facts(app):
        workspace = a_workspace("Bees", plan="nonprofit")
        visit_as(client, owner_of(workspace))
    assert client.get("/w/bees/plans/free").headers["Location"] == "/w/bees/plans"
    sentence = "Your plan for non-profit organisations is free already."
    assert sentence in words_of(client.get("/w/bees/plans"))


# --- beside open money ----------------------------------------------------------------------------


def test_beside_an_open_payment_it_is_not_offered_and_the_page_says_why(app, client, place) -> None:
    with facts(app):
        pay(an_order(place), ASKS_ONCE)
    assert FREE not in words_of(client.get("/w/acme/plans"))
    page = words_of(client.get(FREE))
    assert "You can change the plan once the result of the payment is known." in page
    assert by_testid(parse(page), "free-plan-confirm") == []
    assert "the remaining days of the free trial are lost" not in page
    # Sent from a page that was open before.
    answer = post_form(client, FREE, begins_on="")
    assert answer.status_code == 409
    assert "You can change the plan once the result of the payment is known." in words_of(answer)
    assert plan_of(app, place) == "trial"
