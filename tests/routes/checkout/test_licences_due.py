"""The button on the card of licences that are due: a saved method at once, another card, or one's own."""

import pytest

from portal.domain.vocabulary import Interval, PaymentState, Role, WhoMayBuy
from portal.models import Order, OrderLine, Payment, PaymentMethod, Workspace
from portal.services.renewals import run
from tests.factories import a_member, a_person, owner_of
from tests.licensed import bought
from tests.pages import by_testid, parse, text_of
from tests.paying import (
    DECLINED_WHEN_CHARGED,
    NOT_ENOUGH_FUNDS,
    a_place,
    an_order,
    apply_catalogue,
    charged_from_now_on,
    paid_charges,
    pay,
)
from tests.services.payments.test_from_balance import keep
from tests.services.renewals.test_promises import sells_at
from tests.visiting import facts, visit_as

pytestmark = pytest.mark.engine("sqlite")
PAGE = "/w/acme/subscriptions"
CARD = f"{PAGE}#subscription-meetings"
DUE = f"{PAGE}/meetings/amount-due"


@pytest.fixture
def place(app, client):
    """Acme on Business 5 by the year, its card saved; the browser is its owner's."""
    with facts(app):
        place = a_place()
        pay(an_order(place, interval=Interval.YEAR), auto_renewal=True)
        visit_as(client, owner_of(place.workspace))
        return place


@pytest.fixture
def late(app, place, clock):
    """Three licences that were due yesterday and are blocked: 39.60 EUR with VAT."""
    with facts(app):
        bought(place, quantity=3)
    clock.advance(days=31)
    return place


def card_of(client, query=""):
    [card] = by_testid(parse(client.get(PAGE + query).text), "subscription-meetings")
    return card


def form_of(client, *, button="pay-due"):
    """What the card's form sends for one of its buttons."""
    card = card_of(client)
    [pressed] = by_testid(card, f"{button}-meetings")
    [form] = [each for each in card.iter("form") if pressed in list(each.iter("button"))]
    fields = {each.get("name"): each.get("value") for each in form.iter("input")}
    return pressed.get("formaction") or form.get("action"), fields


def send(client, address, fields):
    return client.post(address, data=fields)


def flashed(client, answer):
    [said] = by_testid(parse(client.get(answer.location.partition("#")[0]).text), "flash")
    return text_of(said)


def test_the_card_says_what_is_due_and_one_click_pays_it(app, client, late) -> None:
    card = card_of(client)
    assert "The payment was due on 21 December 2026. Access is blocked." in text_of(card)
    assert text_of(by_testid(card, "pay-due-meetings")[0]) == "Pay €39.60"
    assert text_of(by_testid(card, "what-is-due-meetings")[0]) == (
        "For Meetings Essential, 3 licences, monthly, from 22 December 2026 to 22 January 2027."
    )
    assert "At once, with Visa •••• 4242." in text_of(card)
    answer = send(client, *form_of(client))
    page = client.get(answer.location).text
    assert "Payment complete" in page
    assert "3 licences for Meetings Essential are yours until" in page
    with facts(app):
        assert len(paid_charges()) == 3
    assert by_testid(card_of(client), "pay-due-meetings") == []
    assert by_testid(card_of(client), "order-due-meetings") == []


def test_in_french(client, late) -> None:
    card = text_of(card_of(client, "?lang=fr"))
    assert "Payer 39,60 €" in card
    assert "Pour Réunions Essentiel, 3 licences, mensuel, du 22 décembre 2026 au 22 janvier 2027." in card


@pytest.mark.settings(PORTAL_GRACE_DAYS="5")
def test_late_it_says_until_when_it_works(client, late) -> None:
    assert "The payment was due on 21 December 2026. Access will be blocked on 27 December 2026. " in text_of(
        card_of(client)
    )


def test_the_second_click_of_two_charges_nothing_and_says_so(app, client, late) -> None:
    address, fields = form_of(client)
    send(client, address, fields)
    answer = send(client, address, fields)
    assert answer.location == CARD
    assert flashed(client, answer) == "Nothing more was charged: nothing is due now."
    with facts(app):
        assert len(paid_charges()) == 3


def test_another_amount_than_shown_charges_nothing_and_is_shown_anew(app, client, late) -> None:
    address, fields = form_of(client)
    with facts(app):
        apply_catalogue(sells_at("meetings-essential", 2000))
    answer = send(client, address, fields)
    assert answer.location == CARD
    assert flashed(client, answer).startswith("Nothing was charged. The amount or the card has changed")
    assert text_of(by_testid(card_of(client), "pay-due-meetings")[0]) == "Pay €72.00"
    with facts(app):
        assert len(paid_charges()) == 2


@pytest.mark.parametrize(
    ("days", "licences", "label", "how", "charges"),
    [
        (0, 3, "Pay €39.60", "At once, from your balance. No card is charged.", 0),
        (15, 2, "Pay €13.20", "At once, with Visa •••• 4242. Your balance pays the remaining €13.20.", 1),
    ],
)
def test_the_balance_pays_first_and_the_card_says_so(
    app, client, place, clock, days, licences, label, how, charges
) -> None:
    """All that was paid for them was given back, or half of it."""
    with facts(app):
        keep(place, clock, days=days, licences=licences)
        before = len(paid_charges())
    clock.advance(days=31 - days)
    card = card_of(client)
    assert text_of(by_testid(card, "pay-due-meetings")[0]) == label
    assert how in text_of(card)
    assert len(by_testid(card, "pay-due-other-meetings")) == charges
    assert "Payment complete" in client.get(send(client, *form_of(client)).location).text
    with facts(app):
        assert len(paid_charges()) == before + charges


@pytest.mark.parametrize("fields", [{}, {"quote": "x", "method": "x"}, {"quote": "x", "method": "٣" * 5000}])
@pytest.mark.parametrize("way", ["", "/another-card"])
def test_what_no_page_sends_charges_nothing(app, client, late, fields, way) -> None:
    token = form_of(client)[1]["csrf_token"]
    answer = send(client, f"{DUE}{way}", {"csrf_token": token, **fields})
    assert (answer.status_code, answer.location) == (303, CARD)
    with facts(app):
        assert len(paid_charges()) == 2


@pytest.mark.parametrize("product", ["webinar", "office", "nothing", "x" * 3000])
@pytest.mark.parametrize("way", ["", "/another-card", "/order"])
def test_what_the_workspace_does_not_have_is_not_there(client, late, product, way) -> None:
    token = form_of(client)[1]["csrf_token"]
    answer = send(client, f"{PAGE}/{product}/amount-due{way}", {"csrf_token": token})
    assert answer.status_code == 404


def test_another_card_is_typed_on_the_page_that_shows_the_amount(app, client, late) -> None:
    answer = send(client, *form_of(client, button="pay-due-other"))
    assert answer.location.endswith("/review")
    page = client.get(answer.location).text
    assert "Order and pay €39.60" in page
    # What runs late is changed once it is paid.
    assert "Change the order" not in page
    with facts(app):
        assert len(paid_charges()) == 2


def test_for_a_failed_renewal_a_card_is_added_and_charged(app, client, place, clock) -> None:
    with facts(app):
        bought(place, quantity=3, renews_with=PaymentMethod.get())
        bought(place, "webinar-standard", renews_with=PaymentMethod.get())
        charged_from_now_on(DECLINED_WHEN_CHARGED)
    clock.advance(days=30)
    with facts(app):
        while run.count_due(clock.now()):
            run.run_due(now=clock.now())
        apply_catalogue(sells_at("meetings-essential", 2000))
    card = card_of(client)
    assert text_of(by_testid(card, "pay-due-meetings")[0]) == "Pay €39.60"
    answer = send(client, *form_of(client))
    assert answer.location.endswith("/payment-methods#adding")
    page = client.get("/w/acme/payment-methods").text
    assert "The renewals that are waiting, together €" in page


def test_a_failed_renewal_has_one_price_on_every_way(app, client, place, clock) -> None:
    with facts(app):
        bought(place, quantity=3, renews_with=PaymentMethod.get())
        charged_from_now_on(NOT_ENOUGH_FUNDS)
    clock.advance(days=30)
    with facts(app):
        run.run_due(now=clock.now())
        apply_catalogue(sells_at("meetings-essential", 2000))
    result = client.get(send(client, *form_of(client)).location)
    assert "Pay another way" not in result.text
    assert "payment-methods#adding" in result.text
    with facts(app):
        number = Payment.select().order_by(Payment.id.desc()).first().order.number
        assert Payment.select().where(Payment.state == PaymentState.DECLINED).count() == 2
    for page in ("", "/review"):
        answer = client.get(f"/w/acme/checkout/{number}{page}")
        assert (answer.status_code, answer.location) == (303, "/w/acme/payment-methods#adding")
    assert "Add the card and pay €39.60" in client.get("/w/acme/payment-methods").text


def test_who_may_not_use_saved_methods_orders_with_a_card_of_their_own(app, client, late) -> None:
    with facts(app):
        leo = a_person("leo@acme.test", name="Leo Roy")
        a_member(late.workspace, leo, role=Role.MEMBER)
        Workspace.update(who_may_buy=WhoMayBuy.BILLING).execute()
        visit_as(client, leo)
    assert by_testid(card_of(client), "order-due-meetings") == []
    assert client.post(f"{DUE}/order").status_code in (400, 403)
    with facts(app):
        Workspace.update(who_may_buy=WhoMayBuy.ANY_MEMBER).execute()
    assert by_testid(card_of(client), "pay-due-meetings") == []
    answer = send(client, *form_of(client, button="order-due"))
    with facts(app):
        order = Order.select().order_by(Order.id.desc()).first()
        assert OrderLine.get(OrderLine.order == order).kind == "prolong"
    assert answer.location == f"/w/acme/checkout/{order.number}"
    page = client.get(answer.location).text
    assert "3 licences" in page
    assert "compta@acme.example" not in page


def test_a_corporate_workspace_pays_for_what_it_has(app, client, late) -> None:
    with facts(app):
        Workspace.update(adviser_name="Ada Low").execute()
    answer = send(client, *form_of(client, button="pay-due-other"))
    assert "Order and pay €39.60" in client.get(answer.location).text
    assert send(client, *form_of(client)).location.endswith("/result")
    with facts(app):
        assert len(paid_charges()) == 3


def test_the_pages_of_licences_that_are_due_lead_to_it(client, late) -> None:
    page = client.get(f"{PAGE}/meetings/change")
    assert page.status_code == 409
    assert CARD in page.text
    assert "Pay for the licences first" in client.get(f"{PAGE}/meetings/auto-renewal").text
