"""The checkout of an order for several products says each line, and what they come to."""

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval
from portal.models import Licence, Subscription
from portal.runtime import current
from portal.services.checkout import ordering
from portal.services.subscriptions import agreement
from tests import paying
from tests.attackers import Attacker
from tests.factories import a_member, a_person, a_workspace, owner_of, seen_by
from tests.licensed import tried
from tests.pages import by_testid, parse, text_of
from tests.visiting import facts

pytestmark = pytest.mark.engine("sqlite")

CARD = {"exp_month": "12", "exp_year": "2030", "security_code": "123", "holder": "Jeanne Martin"}
LICENCES = Choice("meetings-professional", Interval.MONTH, 10)


@pytest.fixture
def acme(app):
    with facts(app):
        return a_workspace()


@pytest.fixture
def owner(app, acme):
    with facts(app):
        return Attacker(app, owner_of(acme))


def an_order_for(app, acme, *choices, with_details=True):
    with facts(app):
        place = seen_by(owner_of(acme), acme)
        order = ordering.open_order(place, choices=choices, currency="EUR", now=current().clock.now())
        return paying.with_details(order, place) if with_details else order


def marked(page, *marks):
    return {mark: [text_of(each) for each in by_testid(page, mark)] for mark in marks}


def review(owner, order):
    return parse(owner.get(f"/w/acme/checkout/{order.number}/review").text)


def place(owner, order):
    page = review(owner, order)
    fields = {**CARD, "number": paying.PAID, "quote": order.quote_hash}
    assert by_testid(page, "place-order")
    return owner.post(f"/w/acme/checkout/{order.number}/review", fields)


def test_each_line_says_its_period_its_licences_and_its_amount(app, acme, owner):
    """Business 5 by the month, and 10 × 13.00: 28.00 + 130.00 = 158.00, and 20 % VAT 31.60."""
    order = an_order_for(app, acme, Choice("business-5", Interval.MONTH), LICENCES)
    page, period = review(owner, order), "From 21 November 2026 to 21 December 2026"
    lines = [line.partition(" Why this amount?") for line in marked(page, "order-line")["order-line"]]
    assert [(said, reckoned.rpartition(" ")[2]) for said, _question, reckoned in lines] == [
        (f"Business 5, monthly {period}", "€28.00"),
        (f"Meetings Professional, monthly 10 licences at €13.00 each {period}", "€130.00"),
    ]
    assert marked(page, "order-rate", "order-period", "order-total") == {
        "order-rate": ["10 licences at €13.00 each"],
        "order-period": [period, period],
        "order-total": ["€189.60"],
    }


def test_before_the_details_are_known_the_prices_stand_in_the_currency_that_is_chosen(app, acme, owner):
    order = an_order_for(app, acme, LICENCES, with_details=False)
    here = f"/w/acme/checkout/{order.number}"
    assert "10 licences at €13.00 each" in marked(parse(owner.get(here).text), "order-line")["order-line"][0]
    dollars = parse(owner.post(here, {"display_currency": "USD", "show_price": "y"}).text)
    assert "10 licences at $14.00 each" in marked(dollars, "order-line")["order-line"][0]


def test_an_order_of_licences_stands_under_the_subscriptions(app, acme, owner):
    for choice, tab in ((LICENCES, "Subscriptions"), (Choice("business-5", Interval.MONTH), "Plans")):
        order = an_order_for(app, acme, choice)
        [tabs] = by_testid(review(owner, order), "workspace-tabs")
        assert [text_of(link) for link in tabs.iter("a") if link.get("aria-current") == "page"] == [tab]


def test_the_result_says_what_is_whose_until_when(app, acme, owner):
    order = an_order_for(app, acme, Choice("business-5", Interval.MONTH), LICENCES)
    assert place(owner, order).status_code == 303
    page = text_of(parse(owner.get(f"/w/acme/checkout/{order.number}/result").text))
    assert (
        "You can carry on working. The Business 5 plan is yours until 21 December 2026. "
        "10 licences for Meetings Professional are yours until 21 December 2026." in page
    )
    assert "Meetings Professional, monthly × 10" in page
    assert "Nothing is charged automatically: automatic renewal is off." in page
    with facts(app):
        assert {each.plan.code for each in Subscription.select()} == {"business-5", "meetings-professional"}


def test_whoever_assigns_licences_is_reminded_with_a_link(app, acme, owner):
    order = an_order_for(app, acme, LICENCES)
    place(owner, order)
    [reminder] = by_testid(
        parse(owner.get(f"/w/acme/checkout/{order.number}/result").text), "assign-licences"
    )
    assert [link.get("href") for link in reminder.iter("a")] == ["/w/acme/licences"]
    plan = an_order_for(app, acme, Choice("business-5", Interval.MONTH))
    place(owner, plan)
    page = parse(owner.get(f"/w/acme/checkout/{plan.number}/result").text)
    assert by_testid(page, "assign-licences") == []


def test_a_buyer_who_assigns_none_reads_who_does(app, acme):
    with facts(app):
        buyer = a_person("leo@acme.test")
        a_member(acme, buyer)
        leo = Attacker(app, buyer)
        order = ordering.open_order(
            seen_by(buyer, acme), choices=[LICENCES], currency="EUR", now=current().clock.now()
        )
        order = paying.with_details(order, seen_by(buyer, acme))
    place(leo, order)
    page = parse(leo.get(f"/w/acme/checkout/{order.number}/result").text)
    [reminder] = by_testid(page, "assign-licences")
    assert "These people assign licences: Owner of Acme." in text_of(reminder)
    assert [link.get("href") for link in reminder.iter("a")] == ["/w/acme/licences"]


def test_fewer_licences_than_members_hold_are_not_ordered(app, acme, owner):
    with facts(app):
        own = seen_by(owner_of(acme), acme)
        trial = tried(own, "meetings-professional", quantity=2)
    order = an_order_for(app, acme, Choice("meetings-professional", Interval.MONTH, 1))
    with facts(app):
        for member in (own.member, a_member(acme, a_person("ana@acme.test", password=False))):
            Licence.create(subscription=trial, member=member, assigned_at=current().clock.now())
    fields = {**CARD, "number": paying.PAID, "quote": order.quote_hash}
    answer = owner.post(f"/w/acme/checkout/{order.number}/review", fields)
    assert answer.status_code == 422
    assert "Licences assigned to members: 2. To buy only 1, take some back first." in text_of(
        parse(answer.text)
    )


def test_licences_alone_leave_the_trial_of_the_plan_as_it_is(app, acme, owner):
    order = an_order_for(app, acme, LICENCES)
    page = review(owner, order)
    assert "the remaining days of the free trial are lost" not in text_of(page)
    assert "Change the plan" not in text_of(page)
    assert place(owner, order).status_code == 303
    with facts(app):
        assert agreement.of_workspace(acme).plan.trial


def test_in_french_one_licence_is_one(app, acme, owner):
    order = an_order_for(app, acme, Choice("meetings-essential", Interval.YEAR, 1))
    answer = owner.get(f"/w/acme/checkout/{order.number}/review?lang=fr").text
    assert "1 licence à 110,00" in text_of(parse(answer))
    assert place(owner, order).status_code == 303
    told = text_of(parse(owner.get(f"/w/acme/checkout/{order.number}/result").text))
    assert "1 licence Réunions Essentiel est à vous jusqu’au 21 novembre 2027." in told


def test_a_product_that_was_bought_meanwhile_is_not_ordered_again(app, acme, owner):
    first, second = (an_order_for(app, acme, LICENCES) for _ in range(2))
    assert place(owner, first).status_code == 303
    fields = {**CARD, "number": paying.PAID, "quote": second.quote_hash}
    answer = owner.post(f"/w/acme/checkout/{second.number}/review", fields)
    assert answer.status_code == 422
    page = parse(answer.text)
    assert "This workspace already has that product. Nothing was ordered." in text_of(page)
    assert text_of(next(page.iter("h1"))) == "This order can no longer be placed"
    [way] = by_testid(page, "nothing-to-do")
    assert [link.get("href") for link in way.iter("a")] == ["/w/acme/subscriptions"]
