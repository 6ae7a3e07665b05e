"""The page on which licences that run are changed: what is shown, what is refused, what it leads to."""

import pytest

from portal.domain.vocabulary import Interval, OrderState, Role
from portal.models import Order, Payment, PaymentMethod, Plan, Product, Subscription
from portal.services import ledger
from portal.services.subscriptions import agreement
from tests import paying
from tests.asking import only_billing_buys
from tests.books import assert_books_clean
from tests.factories import a_member, a_person, owner_of, seen_by
from tests.licensed import bought, tried
from tests.pages import by_testid, parse, text_of
from tests.paying import a_place, an_order, pay
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
CHANGE = "/w/acme/subscriptions/meetings/change"
HERE = {"plan": "meetings-essential", "licences": "5", "interval": "month"}


@pytest.fixture
def acme(app):
    """Three licences of Meetings, paid for by Jeanne Martin until 21 December."""
    with facts(app):
        place = a_place()
        bought(place, quantity=3)
        return place.workspace


@pytest.fixture
def owner(app, client, acme):
    with facts(app):
        visit_as(client, owner_of(acme))
    return client


def asked(client, **choice):
    return client.get(CHANGE, query_string={**HERE, **choice})


def text(response, mark):
    [found] = by_testid(parse(response.text), mark)
    return text_of(found)


def order_now(client, review, **typed):
    """The button of the review page, with the order as it is shown there."""
    page = parse(client.get(review).text)
    [quote] = [each.get("value") for each in page.iter("input") if each.get("name") == "quote"]
    return post_form(client, review, shown_at=review, quote=quote, **typed)


def words_of(response):
    """What a page says; dates hold together by spaces that do not break."""
    return " ".join(response.text.split())


def test_the_choice_begins_with_what_there_is(app, acme, owner):
    page = owner.get(CHANGE)
    assert page.status_code == 200
    assert text(page, "present-licences") == "0 of 3 assigned"
    assert by_testid(parse(page.text), "change-confirm") == []


def test_what_begins_now_is_shown_with_its_credit_and_its_arithmetic(app, acme, owner, clock):
    clock.advance(days=10)
    page = asked(owner)
    assert text(page, "due-now").endswith("€17.60")
    assert "20 of 30 days, invoice INV-2026-000001" in text(page, "credit")
    assert "€33.00 × 20 ÷ 30 = €22.00" in words_of(page)
    assert "5 × €11.00 = €55.00 for the whole period" in words_of(page)
    assert "€55.00 × 20 ÷ 30 = €36.67" in words_of(page)
    assert "€36.67 × 20% = €7.33" in words_of(page)
    with facts(app):
        assert Order.select().count() == 1


def test_a_plan_or_a_cycle_is_asked_for_only_where_there_are_several(app, acme, owner):
    with facts(app):
        bought(seen_by(owner_of(acme), acme), "training-standard")
        bought(seen_by(owner_of(acme), acme), "remote-licence", interval=Interval.YEAR)
    for product, kind in (("meetings", "radio"), ("training", "hidden")):
        page = parse(owner.get(f"/w/acme/subscriptions/{product}/change").text)
        assert {each.get("type") for each in page.iter("input") if each.get("name") == "plan"} == {kind}
    cycles = parse(owner.get("/w/acme/subscriptions/remote/change").text).iter("input")
    assert [(each.get("type"), each.get("value")) for each in cycles if each.get("name") == "interval"] == [
        ("hidden", "year")
    ]
    answer = owner.get(
        "/w/acme/subscriptions/training/change?plan=training-standard&licences=2&interval=month"
    )
    assert by_testid(parse(answer.text), "change-confirm")


def test_what_was_shown_is_what_is_charged(app, acme, owner, clock):
    clock.advance(days=10)
    client = owner
    answer = post_form(client, CHANGE, shown_at=CHANGE, **HERE)
    assert answer.status_code == 303
    with facts(app):
        order = Order.select().order_by(Order.id.desc()).get()
        assert (order.state, order.due.minor) == (OrderState.OPEN, 1760)
    review = answer.headers["Location"]
    assert review.endswith("/review")
    page = client.get(review)
    assert text(page, "due-now").endswith("€17.60")
    assert "Order and pay €17.60" in words_of(page)
    card = {
        "number": "4242 4242 4242 4242",
        "exp_month": "12",
        "exp_year": "2030",
        "security_code": "123",
        "holder": "Jeanne Martin",
    }
    order_now(client, review, **card)
    with facts(app):
        payment = Payment.select().order_by(Payment.id.desc()).get()
        assert payment.amount_minor == 1760
        product = Product.get(Product.code == "meetings")
        assert agreement.of_product(acme, product).quantity == 5
        assert_books_clean()
    result = client.get(review.replace("/review", "/result"))
    assert "€26.40" in words_of(result)
    assert "Visa •••• 4242 and balance" in words_of(client.get("/w/acme/history"))
    assert text(client.get("/w/acme/invoices/INV-2026-000002"), "rate") == "5 licences at €11.00 each"


@pytest.mark.parametrize("typed", ["", "0", "-1", "1.5", "many", "9" * 21, "501", "  "])
def test_what_is_no_number_of_licences_is_said_beside_it(app, acme, owner, typed):
    page = asked(owner, licences=typed)
    assert page.status_code == 422
    assert by_testid(parse(page.text), "change-confirm") == []


@pytest.mark.parametrize(
    ("choice", "status"),
    [
        ({"plan": "webinar-standard"}, 422),
        ({"plan": "nothing"}, 422),
        ({"plan": ""}, 422),
        ({"interval": "week"}, 422),
        ({"interval": ""}, 422),
        ({"licences": "3"}, 422),
    ],
)
def test_what_is_not_sold_or_is_there_already(app, acme, owner, choice, status):
    client = owner
    assert asked(client, **choice).status_code == status
    with facts(app):
        before = Order.select().count()
    answer = post_form(client, CHANGE, shown_at=CHANGE, **{**HERE, **choice})
    assert answer.status_code == status
    with facts(app):
        assert Order.select().count() == before


def test_fewer_wait_and_are_confirmed_as_they_were_shown(app, acme, owner):
    client = owner
    page = asked(client, licences="2")
    assert page.status_code == 200
    assert "Begins on 21 December 2026" in words_of(page)
    shown = next(each.get("value") for each in parse(page.text).iter("input") if each.get("name") == "shown")
    changed = post_form(client, CHANGE, shown_at=CHANGE, **{**HERE, "licences": "2", "shown": "another"})
    assert changed.status_code == 409
    answer = post_form(client, CHANGE, shown_at=CHANGE, **{**HERE, "licences": "2", "shown": shown})
    assert answer.status_code == 303
    card = client.get("/w/acme/subscriptions")
    assert "From 21 December 2026 you will have: Meetings Essential, 2 licences, monthly." in words_of(card)
    post_form(client, f"{CHANGE}/withdraw", shown_at=CHANGE)
    with facts(app):
        product = Product.get(Product.code == "meetings")
        assert agreement.of_product(acme, product).scheduled_quantity is None


def test_while_it_renews_itself_only_those_who_may_spend_change_it(app, client, acme):
    with facts(app):
        colleague = a_person("colleague@acme.test", name="Colleague")
        a_member(acme, colleague, role=Role.MEMBER)
        pay(an_order(seen_by(owner_of(acme), acme)), auto_renewal=True)
        found = Subscription.get(Subscription.quantity == 3)
        found.auto_renewal, found.payment_method, found.renew_on = True, PaymentMethod.get(), found.due_on
        found.save()
        visit_as(client, colleague)
    assert client.get(CHANGE).status_code == 403
    assert post_form(client, CHANGE, shown_at="/w/acme/subscriptions", **HERE).status_code == 403
    with facts(app):
        visit_as(client, owner_of(acme))
    review = post_form(client, CHANGE, shown_at=CHANGE, **HERE).headers["Location"]
    [stays_on] = by_testid(parse(client.get(review).text), "renewal-stays-on")
    off = "/w/acme/subscriptions/meetings/auto-renewal"
    assert [link.get("href") for link in stays_on.iter("a")] == [off]


def test_nobody_elses_and_nothing_that_is_not_there(app, client, acme):
    with facts(app):
        other = a_place("Bravo", owner="Bo Berg")
        visit_as(client, other.member.person)
    assert client.get(CHANGE).status_code == 404
    with facts(app):
        visit_as(client, owner_of(acme))
    assert client.get("/w/acme/subscriptions/webinar/change").status_code == 404
    assert client.get("/w/acme/subscriptions/nothing/change").status_code == 404


def test_a_trial_is_bought_first(app, client):
    with facts(app):
        place = a_place()
        tried(place)
        visit_as(client, place.member.person)
    page = client.get(CHANGE)
    assert page.status_code == 409
    assert "Subscribe now" in words_of(page)


def test_what_is_left_of_a_year_is_kept_and_shown(app, acme, owner):
    with facts(app):
        place = seen_by(owner_of(acme), acme)
        bought(place, "webinar-standard", quantity=2, interval=Interval.YEAR)
    client = owner
    address = "/w/acme/subscriptions/webinar/change"
    choice = {"plan": "webinar-standard", "licences": "2", "interval": "month"}
    answer = post_form(client, address, shown_at=address, **choice)
    review = answer.headers["Location"]
    page = client.get(review)
    assert "Your balance pays for this order" in words_of(page)
    assert 'name="number"' not in page.text
    order_now(client, review)
    with facts(app):
        kept = ledger.balance_of(acme, "EUR")
        assert kept.minor == 108000 - 10800
        assert_books_clean()
    assert "In your balance: €972.00" in words_of(client.get("/w/acme/payment-methods"))
    deletion = words_of(client.get("/w/acme/settings/delete"))
    assert "What is in your balance, €972.00, is lost." in deletion


def test_idle_licences_lead_to_where_they_are_returned_and_what_is_returned_is_said(app, owner):
    page = owner.get("/w/acme/licences?product=meetings")
    [link] = by_testid(parse(page.text), "return-licences")
    assert link.get("href") == f"{CHANGE}?plan=meetings-essential&licences=1&interval=month"
    change = owner.get(link.get("href"))
    assert "Begins on 21 December 2026" in words_of(change)
    shown = next(
        each.get("value") for each in parse(change.text).iter("input") if each.get("name") == "shown"
    )
    post_form(owner, CHANGE, shown_at=CHANGE, **{**HERE, "licences": "1", "shown": shown})
    page = owner.get("/w/acme/licences?product=meetings")
    assert text(page, "licence-note").startswith("From 21 December 2026 there will be 1 licence")
    assert by_testid(parse(page.text), "return-licences") == []


def test_what_was_chosen_before_it_renewed_itself_is_paid_by_those_who_may_spend(app, client, acme):
    with facts(app):
        colleague = a_person("colleague@acme.test", name="Colleague")
        a_member(acme, colleague, role=Role.MEMBER)
        visit_as(client, colleague)
    answer = post_form(client, CHANGE, shown_at=CHANGE, **HERE)
    assert answer.status_code == 303
    with facts(app):
        order = Order.select().order_by(Order.id.desc()).get()
        paying.with_details(order, seen_by(colleague, acme))
        pay(an_order(seen_by(owner_of(acme), acme)), auto_renewal=True)
        found = Subscription.get(Subscription.quantity == 3)
        found.auto_renewal, found.payment_method, found.renew_on = True, PaymentMethod.get(), found.due_on
        found.save()
    assert client.get(f"/w/acme/checkout/{order.number}/review").status_code == 403


def test_what_is_no_longer_sold_says_so(app, owner):
    with facts(app):
        Plan.update(withdrawn=True).where(Plan.code.startswith("meetings-")).execute()
        Product.update(revision="without any plan of Meetings").execute()
    page = owner.get(CHANGE)
    assert page.status_code == 409
    assert "It is no longer sold" in words_of(page)


def test_whoever_buys_up_to_the_ceiling_decides_nothing_for_later(app, client, acme):
    """Neither schedules nor withdraws: neither would ever meet the ceiling."""
    with facts(app):
        only_billing_buys(acme, ceiling_minor=1_000_000)
        colleague = a_person("colleague@acme.test", name="Colleague")
        a_member(acme, colleague, role=Role.MEMBER)
        visit_as(client, colleague)
    cards = client.get("/w/acme/subscriptions")
    assert by_testid(parse(cards.text), "change-meetings") == []
    fewer = {**HERE, "licences": "1"}
    assert client.get(CHANGE, query_string=fewer).status_code == 403
    assert post_form(client, CHANGE, shown_at="/w/acme/cart", **fewer).status_code == 403
    assert post_form(client, f"{CHANGE}/withdraw", shown_at="/w/acme/cart").status_code == 403
    with facts(app):
        assert Subscription.get(Subscription.quantity == 3).scheduled_quantity is None
