"""The button above every page that pays what is due: with the saved method at once, or with another card."""

import pytest

from portal.domain.vocabulary import PaymentState
from portal.models import BillingDetails, Order, Payment, Workspace
from portal.services.renewals import run
from portal.services.subscriptions import auto_renewal
from tests.factories import owner_of
from tests.pages import by_testid, parse, text_of
from tests.paying import (
    ASKS_ALWAYS,
    DECLINED_WHEN_CHARGED,
    NOT_ENOUGH_FUNDS,
    a_place,
    an_order,
    apply_catalogue,
    buy,
    charged_from_now_on,
    paid_charges,
    pay,
)
from tests.renewing import renewal_orders
from tests.services.renewals.test_promises import sells_at
from tests.visiting import facts, visit_as

pytestmark = pytest.mark.engine("sqlite")


@pytest.fixture
def place(app, client):
    """Acme on its first day of trial; the browser is its owner's."""
    with facts(app):
        place = a_place()
        visit_as(client, owner_of(place.workspace))
        return place


@pytest.fixture
def late(app, place, clock):
    """Blocked since yesterday, its card saved, automatic renewal off."""
    with facts(app):
        pay(an_order(place), auto_renewal=True)
        auto_renewal.switch_off(place, now=clock.now())
    clock.advance(days=32)
    return place


def form_of(client, page="history", *, other=False):
    """What the banner's form sends for one of its two buttons."""
    html = parse(client.get(f"/w/acme/{page}").text)
    [button] = by_testid(html, "pay-due-other" if other else "pay-due")
    [form] = [each for each in html.iter("form") if button in list(each.iter("button"))]
    fields = {each.get("name"): each.get("value") for each in form.iter("input")}
    return button.get("formaction") or form.get("action"), fields


def send(client, address, fields):
    return client.post(address, data=fields)


def test_one_click_pays_and_the_page_says_what_was_paid(app, client, late) -> None:
    address, fields = form_of(client)
    answer = send(client, address, fields)
    assert answer.status_code == 303
    page = client.get(answer.location).text
    assert "Payment complete" in page
    with facts(app):
        assert len(paid_charges()) == 2
    assert by_testid(parse(client.get("/w/acme/history").text), "state-banner") == []


def test_the_second_click_of_two_charges_nothing_and_says_so(app, client, late) -> None:
    address, fields = form_of(client)
    send(client, address, fields)
    answer = send(client, address, fields)
    [said] = by_testid(parse(client.get(answer.location).text), "flash")
    assert text_of(said) == "Nothing more was charged: nothing is due now."
    with facts(app):
        assert len(paid_charges()) == 2


def test_another_amount_than_shown_charges_nothing_and_is_shown_anew(app, client, late) -> None:
    address, fields = form_of(client)
    with facts(app):
        apply_catalogue(sells_at("business-5", 4000))
    page = parse(client.get(send(client, address, fields).location).text)
    [said] = by_testid(page, "flash")
    assert text_of(said).startswith(
        "Nothing was charged. The amount or the card has changed since you saw it"
    )
    [button] = by_testid(page, "pay-due")
    assert text_of(button) == "Pay €48.00"
    with facts(app):
        assert len(paid_charges()) == 1


@pytest.mark.parametrize("fields", [{}, {"quote": "x", "method": "x"}, {"quote": "x", "method": "٣" * 5000}])
def test_what_no_page_sends_charges_nothing(app, client, late, fields) -> None:
    _address, shown = form_of(client)
    answer = send(client, "/w/acme/checkout/amount-due", {"csrf_token": shown["csrf_token"], **fields})
    assert answer.status_code == 303
    assert answer.location.endswith("/plans")
    with facts(app):
        assert len(paid_charges()) == 1


def test_another_card_is_typed_on_the_page_that_shows_the_amount(app, client, late) -> None:
    answer = send(client, *form_of(client, other=True))
    page = client.get(answer.location).text
    assert answer.location.endswith("/review")
    assert "Order and pay €33.60" in page
    with facts(app):
        assert len(paid_charges()) == 1
        assert Order.select().count() == 2


def test_without_a_saved_method_the_button_leads_there(app, client, place, clock) -> None:
    with facts(app):
        buy(place)
    clock.advance(days=32)
    address, fields = form_of(client)
    assert "method" not in fields
    assert send(client, address, fields).location.endswith("/review")


@pytest.mark.parametrize("other", [False, True])
def test_for_a_failed_renewal_a_card_is_added_and_charged(app, client, place, clock, other) -> None:
    with facts(app):
        pay(an_order(place), auto_renewal=True)
        if not other:
            charged_from_now_on(DECLINED_WHEN_CHARGED)
    clock.advance(days=30)
    with facts(app):
        if other:
            charged_from_now_on(NOT_ENOUGH_FUNDS)
        run.run_due(now=clock.now())
    answer = send(client, *form_of(client, other=other))
    assert answer.location.endswith("/payment-methods#adding")
    page = client.get("/w/acme/payment-methods").text
    assert "Add the card and pay €33.60" in page


def test_where_the_bank_asks_the_browser_goes_there(app, client, late) -> None:
    with facts(app):
        charged_from_now_on(ASKS_ALWAYS)
    answer = send(client, *form_of(client))
    with facts(app):
        payment = Payment.get(Payment.state == PaymentState.ACTION_REQUIRED)
        assert answer.location == payment.action_url


def test_a_decline_is_told_with_its_reason_and_the_ways_out(app, client, late) -> None:
    with facts(app):
        charged_from_now_on(DECLINED_WHEN_CHARGED)
    page = client.get(send(client, *form_of(client)).location).text
    assert "Nothing was charged" in page
    # Said of the saved card, and not beside the fields of another one.
    review = client.get(send(client, *form_of(client)).location)
    assert by_testid(parse(review.text), "error-summary") == []
    assert "Pay another way" in page
    # That card was refused for good: it is not offered again.
    assert "method" not in form_of(client)[1]


def test_a_failed_renewal_has_one_price_on_every_way(app, client, place, clock) -> None:
    """The list price rose meanwhile; what was told is charged, by the button and by another card."""
    with facts(app):
        pay(an_order(place), auto_renewal=True)
        charged_from_now_on(NOT_ENOUGH_FUNDS)
    clock.advance(days=30)
    with facts(app):
        run.run_due(now=clock.now())
        apply_catalogue(sells_at("business-5", 4000))
    result = client.get(send(client, *form_of(client)).location)
    assert "Pay another way" not in result.text
    assert "payment-methods#adding" in result.text
    with facts(app):
        number = Payment.select().order_by(Payment.id.desc()).first().order.number
    for page in ("", "/review"):
        answer = client.get(f"/w/acme/checkout/{number}{page}")
        assert (answer.status_code, answer.location) == (303, "/w/acme/payment-methods#adding")
    assert "Add the card and pay €33.60" in client.get("/w/acme/payment-methods").text
    assert text_of(by_testid(parse(client.get("/w/acme/payment-methods").text), "pay-due")[0]) == "Pay €33.60"


def test_a_plan_that_became_too_small_is_refused_in_words_where_another_card_needs_an_order(
    app, client, place, clock
) -> None:
    """Its tax rose, so that no card is charged as soon as it is added; by hand the use is looked at."""
    with facts(app):
        pay(an_order(place, country="DE", is_business=False, company_name=""), auto_renewal=True)
        charged_from_now_on(NOT_ENOUGH_FUNDS)
    clock.advance(days=30)
    with facts(app):
        run.run_due(now=clock.now())
        BillingDetails.update(country="FR").execute()
        Workspace.update(used_storage_bytes=41 * 1024**3).execute()
    answer = send(client, *form_of(client, other=True))
    assert answer.status_code == 422
    assert by_testid(parse(answer.text), "refusal-storage")


def test_the_page_of_a_renewal_does_not_say_that_its_invoice_went_to_the_address_of_the_order(
    app, client, place, clock
) -> None:
    with facts(app):
        pay(an_order(place), auto_renewal=True)
    clock.advance(days=30)
    with facts(app):
        run.run_due(now=clock.now())
        number = renewal_orders().get().number
    page = client.get(f"/w/acme/checkout/{number}/result").text
    assert "INV-2026-000002" in page
    assert "sent to" not in page
