"""The subscriptions page: a card for each product, with what can be done about it today and nothing else."""

from datetime import date

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, Role, WhoMayBuy
from portal.models import PaymentMethod, Product, Workspace
from portal.services.checkout import ordering
from portal.services.subscriptions import cancellation
from tests.factories import a_member, a_person, owner_of
from tests.licensed import bought, tried
from tests.pages import by_testid, links_of, parse, text_of
from tests.paying import ASKS_ONCE, a_place, an_order, buy, pay, with_details
from tests.visiting import facts, visit_as

pytestmark = pytest.mark.engine("sqlite")
PAGE = "/w/acme/subscriptions"


@pytest.fixture
def place(app, client):
    """Acme on its first day of trial; the browser is its owner's."""
    with facts(app):
        place = a_place()
        visit_as(client, owner_of(place.workspace))
        return place


def page_of(client, query: str = ""):
    answer = client.get(PAGE + query)
    assert answer.status_code == 200
    return parse(answer.text)


def card_of(page, code: str):
    [card] = by_testid(page, f"subscription-{code}")
    return card


def facts_of(page, code: str) -> dict[str, str]:
    card = card_of(page, code)
    marks = ("tier", "licences", "cycle", "rate", "next-payment", "method")
    return {mark: text_of(found) for mark in marks for found in by_testid(card, mark)}


def acts_of(page, code: str) -> dict[str, str]:
    """Labels and addresses of what the card offers."""
    card = card_of(page, code)
    return {text_of(link): link.get("href") for link in card.iter("a") if link.get("class") == "button"}


def as_member(app, client, place, *, role: Role = Role.MEMBER):
    with facts(app):
        leo = a_person("leo@acme.test", name="Leo Roy")
        a_member(place.workspace, leo, role=role)
        visit_as(client, leo)


# --- where it stands ------------------------------------------------------------------------------


def test_it_has_one_name_in_the_tabs_the_title_and_the_heading(client, place):
    for language, name in (("en", "Subscriptions"), ("fr", "Mes produits")):
        page = page_of(client, f"?lang={language}")
        [tabs] = by_testid(page, "workspace-tabs")
        pages = [text_of(link) for link in tabs.iter("a")]
        plans = pages.index("Plans")
        assert pages[plans + 1] == name
        assert [text_of(link) for link in tabs.iter("a") if link.get("aria-current") == "page"] == [name]
        assert text_of(next(page.iter("h1"))) == name
        [gear] = by_testid(page, "settings-menu")
        assert name in [text_of(link) for link in gear.iter("a")]


def test_it_can_be_opened_while_the_workspace_is_blocked(client, place, clock):
    clock.advance(days=31)
    page = page_of(client)
    assert "The free trial ended on 21 December 2026." in text_of(card_of(page, "office"))
    assert client.get(f"{PAGE}/new").status_code == 200


# --- what a card says -----------------------------------------------------------------------------


def test_the_trial_of_the_workspace_plan_leads_to_the_plans(client, place):
    page = page_of(client)
    assert "30 days left: the free trial ends on 21 December 2026." in text_of(card_of(page, "office"))
    assert acts_of(page, "office") == {"See the plans": "/w/acme/plans"}
    assert facts_of(page, "office") == {}


def test_the_workspace_plan_comes_first_with_its_next_charge(app, client, place):
    with facts(app):
        pay(an_order(place), auto_renewal=True)
        bought(place, "webinar-standard")
    page = page_of(client)
    names = [
        element.get("data-testid")
        for element in page.iter("section")
        if (element.get("data-testid") or "").startswith("subscription-")
    ]
    assert names == ["subscription-office", "subscription-webinar"]
    assert facts_of(page, "office") == {
        "tier": "Business 5",
        "cycle": "Monthly",
        "rate": "€28.00 a month excl. VAT",
        "next-payment": "€33.60 including VAT on 21 December 2026",
        "method": "Visa •••• 4242",
    }


def test_a_bought_product_says_tier_licences_cycle_price_and_next_payment(app, client, place):
    """12 × 13.00 = 156.00, from ten licences on; with 20 % VAT 187.20."""
    with facts(app):
        pay(an_order(place), auto_renewal=True)
        bought(place, "meetings-professional", quantity=12, renews_with=PaymentMethod.get())
    page = page_of(client)
    assert facts_of(page, "meetings") == {
        "tier": "Meetings Professional",
        "licences": "0 of 12 assigned",
        "cycle": "Monthly",
        "rate": "€156.00 a month excl. VAT (€13.00 per licence)",
        "next-payment": "€187.20 including VAT on 21 December 2026",
        "method": "Visa •••• 4242",
    }
    assert acts_of(page, "meetings") == {
        "Assign licences": "/w/acme/licences?product=meetings",
        "Change the subscription": "/w/acme/subscriptions/meetings/change",
        "Switch automatic renewal off": "/w/acme/subscriptions/meetings/auto-renewal",
        "Payment": "/w/acme/payment-methods",
        "Cancel the subscription": "/w/acme/subscriptions/meetings/cancel",
    }
    assert "Paid" in text_of(card_of(page, "meetings"))


def test_without_automatic_renewal_it_says_until_when_it_is_paid(app, client, place):
    with facts(app):
        bought(place, "remote-licence", interval=Interval.YEAR)
    found = facts_of(page_of(client), "remote")
    assert found["next-payment"] == "Automatic renewal is off. Paid until 21 November 2027."
    assert (found["cycle"], found["rate"]) == ("Yearly", "€179.00 a year excl. VAT")
    assert "method" not in found


def test_a_renewal_that_failed_promises_no_date(app, client, place):
    with facts(app):
        pay(an_order(place), auto_renewal=True)
        bought(place, renews_with=PaymentMethod.get(), renewal_failed_on=date(2026, 11, 21))
    assert facts_of(page_of(client), "meetings")["next-payment"] == "The renewal is not paid yet."


def test_a_running_trial_says_the_days_left_and_offers_to_subscribe(app, client, place, clock):
    with facts(app):
        tried(place)
    page = page_of(client)
    assert "14 days left: the free trial ends on 5 December 2026." in text_of(card_of(page, "meetings"))
    way = f"{PAGE}/new?product=meetings&how=buy&plan=meetings-essential&licences=1&step=licences"
    assigning = "/w/acme/licences?product=meetings"
    assert acts_of(page, "meetings") == {"Subscribe now": way, "Assign licences": assigning}
    assert facts_of(page, "meetings") == {"tier": "Meetings Essential", "licences": "0 of 1 assigned"}
    clock.advance(days=13)
    assert "1 day left" in text_of(card_of(page_of(client), "meetings"))
    clock.advance(days=1)
    assert "The free trial ends today." in text_of(card_of(page_of(client), "meetings"))
    clock.advance(days=1)
    page = page_of(client)
    assert "The free trial ended on 5 December 2026." in text_of(card_of(page, "meetings"))
    assert (acts_of(page, "meetings"), facts_of(page, "meetings")) == ({"Subscribe now": way}, {})


def test_what_is_cancelled_says_when_it_ends_and_what_ended_keeps_its_documents(app, client, place, clock):
    with facts(app):
        cancellation.cancel(bought(place, quantity=2), shown_ends_on="2026-12-21", now=clock.now())
    page = page_of(client)
    assert "Cancellation pending" in text_of(card_of(page, "meetings"))
    assert "It ends on 21 December 2026, and nothing more is charged." in text_of(card_of(page, "meetings"))
    assert "next-payment" not in facts_of(page, "meetings")
    clock.advance(days=31)
    page = page_of(client)
    assert "It ended on 21 December 2026." in text_of(card_of(page, "meetings"))
    assert facts_of(page, "meetings") == {"tier": "Meetings Essential", "licences": "2"}
    again = f"{PAGE}/new?product=meetings&how=buy&plan=meetings-essential&licences=2&step=licences"
    assert acts_of(page, "meetings") == {"Subscribe again": again}
    assert "/w/acme/invoices/INV-2026-000001" in list(links_of(card_of(page, "meetings")))


@pytest.mark.parametrize(("grace_days", "state", "more"), [(30, "late", ""), (0, "blocked", "is blocked.")])
def test_a_payment_that_is_due_says_since_when(app, client, place, clock, grace_days, state, more):
    with facts(app):
        buy(place, "business-5", Interval.YEAR)
        bought(place)
        Product.update(grace_days=grace_days).where(Product.code == "meetings").execute()
    clock.advance(days=35)
    card = card_of(page_of(client), "meetings")
    assert card.get("data-state") == state
    assert "The payment was due on 21 December 2026." in text_of(card)
    assert more in text_of(card)


def test_a_first_payment_that_is_open_has_a_card_already(app, client, place, clock):
    with facts(app):
        choices = [Choice("training-standard", Interval.MONTH, 2)]
        order = ordering.open_order(place, choices=choices, currency="EUR", now=clock.now())
        pay(with_details(order, place), ASKS_ONCE)
    card = card_of(page_of(client), "training")
    assert "It begins as soon as the payment is confirmed." in text_of(card)
    assert list(card.iter("a")) == []


# --- who sees what --------------------------------------------------------------------------------


def test_a_member_who_may_buy_is_offered_the_same(app, client, place):
    as_member(app, client, place)
    page = page_of(client)
    assert by_testid(page, "add-subscription")


def test_a_member_who_may_not_buy_asks_and_reads_who_decides(app, client, place):
    with facts(app):
        tried(place)
        Workspace.update(who_may_buy=WhoMayBuy.BILLING).execute()
    as_member(app, client, place)
    page = page_of(client)
    assert by_testid(page, "add-subscription")
    decides = "You can ask for a subscription. These people decide: Jeanne Martin."
    assert decides in text_of(next(page.iter("main")))
    asking = f"{PAGE}/new?product=meetings&how=buy&plan=meetings-essential&licences=1&step=licences"
    assert acts_of(page, "meetings") == {"Ask for licences": asking}
    assert client.get(f"{PAGE}/new").status_code == 200


def test_the_method_is_told_to_those_alone_who_may_use_it(app, client, place):
    with facts(app):
        pay(an_order(place), auto_renewal=True)
    as_member(app, client, place)
    page = page_of(client)
    assert "method" not in facts_of(page, "office")
    assert "4242" not in text_of(next(page.iter("main")))
