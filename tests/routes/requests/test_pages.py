"""Purchase requests in a browser: what is refused, who sees them, and what is said."""

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, OrderKind, RequestState
from portal.models import PurchaseRequest, Workspace
from portal.runtime import current
from portal.services.checkout import ordering
from tests import paying
from tests.asking import a_member_of, a_request, only_billing_buys
from tests.factories import owner_of, seen_by
from tests.licensed import bought
from tests.pages import by_testid, parse, text_of
from tests.paying import a_place
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
MEETINGS = Choice("meetings-essential", Interval.MONTH, 3)
REQUESTS, CART = "/w/acme/requests", "/w/acme/cart"


@pytest.fixture
def asker(app):
    """A member of Acme, where only the owner spends."""
    with facts(app):
        place = a_place()
        only_billing_buys(place.workspace)
        return a_member_of(place)


@pytest.fixture
def asked(app, asker):
    with facts(app):
        return a_request(asker, MEETINGS, note="For the fair")


def words_of(response):
    return " ".join(response.text.split())


def visit(app, client, place):
    with facts(app):
        visit_as(client, place.member.person)
    return client


def owner(app, client):
    with facts(app):
        visit_as(client, owner_of(Workspace.get(Workspace.slug == "acme")))
    return client


def state_of(app, request):
    with facts(app):
        return PurchaseRequest.get_by_id(request.id).state


def ask(client, **typed):
    page = parse(client.get(CART).text)
    [form] = [each for each in page.iter("form") if each.get("action") == REQUESTS]
    [shown] = [each.get("value") for each in form.iter("input") if each.get("name") == "shown"]
    return post_form(client, REQUESTS, shown_at=CART, **{"shown": shown, **typed})


def fill_the_cart(client):
    choices = {"product": "meetings", "plan": "meetings-essential", "licences": "3", "interval": "month"}
    address = "/w/acme/subscriptions/new"
    return post_form(client, address, shown_at=f"{address}?product=meetings", **choices, cart="y")


def test_the_cart_is_asked_for_with_its_note(app, client, asker):
    visit(app, client, asker)
    assert fill_the_cart(client).status_code == 303
    answer = ask(client, note="For the fair ☀")
    assert answer.status_code == 303
    page = client.get(answer.headers["Location"])
    assert "For the fair ☀" in page.text
    assert "Jeanne Martin" in page.text
    # The same form once more has nothing left to ask for.
    with facts(app):
        assert PurchaseRequest.select().count() == 1


@pytest.mark.parametrize("note", ["x" * 10_000, "\x00", "a\x07b"])
def test_a_note_that_cannot_be_kept_is_said_beside_it(app, client, asker, note):
    visit(app, client, asker)
    fill_the_cart(client)
    answer = ask(client, note=note)
    assert answer.status_code in (303, 422)
    if answer.status_code == 422:
        assert 'id="note-error"' in answer.text


def test_an_empty_cart_is_not_asked_for(app, client, asker):
    visit(app, client, asker)
    answer = post_form(client, REQUESTS, shown_at="/w/acme/subscriptions/new", shown="", note="")
    assert answer.status_code == 409
    with facts(app):
        assert PurchaseRequest.select().count() == 0


def test_a_cart_that_changed_since_is_shown_again(app, client, asker):
    visit(app, client, asker)
    fill_the_cart(client)
    assert ask(client, shown="another").status_code == 409
    with facts(app):
        assert PurchaseRequest.select().count() == 0


def test_somebody_elses_is_as_if_there_were_none(app, client, asked):
    with facts(app):
        other = a_place("Bravo", owner="Bo Berg")
        colleague = a_member_of(seen_by(owner_of(asked.workspace), asked.workspace), "Cleo Colleague")
    for reader in (other, colleague):
        visit(app, client, reader)
        for number in (asked.number, "nothing"):
            assert client.get(f"{REQUESTS}/{number}").status_code == 404
    assert asked.number not in client.get(REQUESTS).text


def test_the_asker_withdraws_and_decides_nothing(app, client, asker, asked):
    visit(app, client, asker)
    address = f"{REQUESTS}/{asked.number}"
    assert post_form(client, f"{address}/approve", shown_at=address).status_code == 403
    assert post_form(client, f"{address}/decline", shown_at=address, reason="no").status_code == 403
    post_form(client, f"{address}/withdraw", shown_at=address)
    assert state_of(app, asked) == RequestState.WITHDRAWN


def test_what_was_decided_is_decided_once(app, client, asked):
    owner(app, client)
    address = f"{REQUESTS}/{asked.number}"
    post_form(client, f"{address}/decline", shown_at=address, reason="Next year")
    assert state_of(app, asked) == RequestState.DECLINED
    for act in ("approve", "decline", "withdraw"):
        answer = post_form(client, f"{address}/{act}", shown_at=address, reason="again")
        assert answer.status_code in (403, 404, 409), act
    assert state_of(app, asked) == RequestState.DECLINED
    assert "Next year" in client.get(address).text


def test_what_cannot_be_bought_any_more_is_named(app, client, asked):
    with facts(app):
        bought(seen_by(owner_of(asked.workspace), asked.workspace), quantity=2)
    page = owner(app, client).get(f"{REQUESTS}/{asked.number}")
    assert page.status_code == 200
    [gone] = by_testid(parse(page.text), "request-gone")
    assert "Meetings" in text_of(gone)


def test_after_fourteen_days_nobody_approves_it(app, client, clock, asked):
    clock.advance(days=14)
    owner(app, client)
    address = f"{REQUESTS}/{asked.number}"
    answer = post_form(client, f"{address}/approve", shown_at=address)
    assert answer.status_code == 409
    assert "Expired" in client.get(address).text


def test_a_change_of_licences_above_the_ceiling_is_made_by_those_who_may(app, client, asker):
    with facts(app):
        place = seen_by(owner_of(asker.workspace), asker.workspace)
        bought(place, quantity=3)
        only_billing_buys(asker.workspace, ceiling_minor=100)
        order = ordering.open_order(
            place,
            choices=[Choice("meetings-essential", Interval.MONTH, 9, OrderKind.CHANGE)],
            currency="EUR",
            now=current().clock.now(),
        )
        order.person = asker.member.person
        order.save()
    visit(app, client, asker)
    address = f"{REQUESTS}/orders/{order.number}"
    # Before it has details it is not reviewed, and not asked for.
    assert post_form(client, address, shown_at=CART, note="").status_code == 303
    with facts(app):
        paying.with_details(paying.reloaded(order), place)
    answer = post_form(client, address, shown_at=CART, note="")
    assert answer.status_code == 409
    assert "Jeanne Martin" in answer.text
    with facts(app):
        assert PurchaseRequest.select().count() == 0


@pytest.mark.parametrize("typed", ["-1", "1.234", "much", "9" * 21, "1e3", "NaN"])
def test_what_is_no_ceiling_is_said_beside_it_and_kept(app, client, typed):
    with facts(app):
        visit_as(client, a_place().member.person)
    page = parse(client.get("/w/acme/settings").text)
    sent = {
        each.get("name"): each.get("value", "")
        for each in page.iter("input")
        if each.get("name") and each.get("type") not in ("radio", "checkbox")
    }
    answer = client.post("/w/acme/settings", data={**sent, "ceiling": typed})
    assert answer.status_code == 422
    assert 'id="ceiling-error"' in answer.text
    assert f'value="{typed}"' in answer.text
