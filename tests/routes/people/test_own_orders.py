"""One's own orders: how far each has come, in words, and what nobody finished left out."""

import pytest

from portal.database.connecting import connection
from portal.domain.vocabulary import MemberStatus, OrderKind, OrderState, Role
from portal.models import Member, Order, Payment
from portal.runtime import current
from portal.services.payments import charging
from tests import paying
from tests.factories import a_member, a_person, a_workspace, seen_by
from tests.pages import by_testid, parse, text_of
from tests.visitors import signed_in

# The pages; what they call is tested on both engines.
pytestmark = pytest.mark.engine("sqlite")

ORDERS = "/me/orders"
ALL = "/me/orders?unfinished=show"


@pytest.fixture(autouse=True)
def connected(app):
    with connection():
        yield


@pytest.fixture
def jeanne(app):
    return a_person("jeanne@acme.test")


@pytest.fixture
def acme(jeanne):
    return seen_by(jeanne, a_workspace("Acme", owner=jeanne))


@pytest.fixture
def visitor(app, jeanne):
    return signed_in(app, "jeanne@acme.test")


def text(response):
    return response.get_data(as_text=True)


def rows_of(response):
    return by_testid(parse(text(response)), "order-row")


def note_of(response):
    """What the page says of orders that nobody finished, and where its link leads; None for nothing."""
    found = by_testid(parse(text(response)), "not-finished")
    return (text_of(found[0]), found[0].find("a").get("href")) if found else None


# --- whose ----------------------------------------------------------------------------------------


def test_my_orders_are_mine_across_the_workspaces_that_i_can_enter(jeanne, acme, visitor):
    other = a_workspace("Other")
    a_member(other, jeanne)
    leo = a_person("leo@acme.test")
    a_member(acme.workspace, leo)
    mine = [paying.an_open_order(acme), paying.an_open_order(seen_by(jeanne, other))]
    theirs = paying.an_open_order(seen_by(leo, acme.workspace))
    page = text(visitor.get(ALL))
    assert all(order.number in page for order in mine)
    assert theirs.number not in page
    Member.update(status=MemberStatus.DISABLED).where(
        Member.workspace == other, Member.person == jeanne
    ).execute()
    page = text(visitor.get(ALL))
    assert mine[0].number in page
    assert mine[1].number not in page


def test_an_order_has_no_amount_before_the_tax_is_known_and_an_invoice_once_it_is_paid(jeanne, acme, visitor):
    paying.buy(acme)
    paying.an_open_order(acme)
    rows = rows_of(visitor.get(ALL))
    assert [text_of(row).split(" ")[-1] for row in rows] == ["–", "INV-2026-000001"]
    assert "Paid in full €33.60" in text_of(rows[1])
    [link] = by_testid(rows[1], "invoice-link")
    assert link.get("href") == "/w/acme/invoices/INV-2026-000001.pdf"
    # A colleague took the right away: the order is still theirs to see, its invoice is not.
    a_member(acme.workspace, a_person("second@acme.test"), role=Role.OWNER)
    Member.update(role=Role.MEMBER).where(Member.person == jeanne).execute()
    assert list(by_testid(parse(text(visitor.get(ORDERS))), "invoice-link")) == []


# --- how far they have come -----------------------------------------------------------------------


def try_with(number):
    return lambda place: paying.pay(paying.an_order(place), number)


def leave(place):
    give_up(try_with(paying.ASKS_ONCE)(place))


def be_declined_and_leave(place):
    order = try_with(paying.DECLINED)(place).order
    give_up(paying.pay(paying.reloaded(order), paying.ASKS_ONCE))


def give_up(payment):
    charging.give_up(payment, now=current().clock.now())


def be_refunded(place):
    paying.buy(place)
    Order.update(state=OrderState.REFUNDED).execute()


def lose_the_request(place):
    """The silent card that is not charged, looked up once the request can no longer be on its way."""
    payment = try_with(paying.SILENT_NOT_CHARGED)(place)
    current().clock.advance_wall(minutes=5)
    charging.look_up(Payment.get_by_id(payment.id), now=current().clock.now())


def be_renewed_in_vain(place):
    """A renewal for which nobody could be asked."""
    order = paying.an_order(place)
    order.quote["lines"][0]["kind"] = OrderKind.RENEWAL
    order.save()


STATES = {
    "paid": (paying.buy, "Paid in full", ""),
    "refunded": (be_refunded, "Paid back", ""),
    "waits for the payer": (try_with(paying.ASKS_ONCE), "Waiting for you to confirm", ""),
    "not answered": (try_with(paying.SILENT_CHARGED), "Being confirmed", ""),
    "declined": (
        try_with(paying.DECLINED),
        "Payment declined",
        "Your bank declined the card and did not say why.",
    ),
    "declined, with a reason": (
        try_with(paying.NOT_ENOUGH_FUNDS),
        "Payment declined",
        "There is not enough money in the account.",
    ),
    "declined, then left": (
        be_declined_and_leave,
        "Payment not confirmed",
        "You left before it was confirmed.",
    ),
    "never asked": (lose_the_request, "Not paid", "The request did not reach the bank."),
    "a renewal that could not be tried": (be_renewed_in_vain, "Not paid", ""),
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")
def test_an_order_says_how_far_it_has_come_and_why_no_money_moved(acme, visitor, name):
    act, words, reason = STATES[name]
    act(acme)
    answer = visitor.get(ORDERS)
    [row] = rows_of(answer)
    assert f"{words}{reason} €33.60" in text_of(row)
    assert note_of(answer) is None
    assert row.find(".//a").get("href") == f"/w/acme/checkout/{Order.get().number}/result"


@pytest.mark.parametrize("act", [paying.an_open_order, paying.an_order, leave])
def test_an_order_that_nobody_finished_is_hidden_and_can_be_shown(acme, visitor, act):
    act(acme)
    answer = visitor.get(ORDERS)
    assert rows_of(answer) == []
    assert "No finished order" in text(answer)
    assert note_of(answer) == ("1 order that you did not finish is hidden. Show it", ALL)
    shown = visitor.get(ALL)
    [row] = rows_of(shown)
    assert "Not finished" in text_of(row)
    assert note_of(shown) == ("Hide orders that you did not finish", ORDERS)
    # The link of the order leads back to where it was left.
    assert visitor.client.get(row.find(".//a").get("href"), follow_redirects=True).status_code == 200


def test_a_renewal_says_that_it_is_one(acme, visitor):
    be_renewed_in_vain(acme)
    assert "Automatic renewal" in text(visitor.get(ORDERS))


# --- pages ----------------------------------------------------------------------------------------


def test_orders_come_in_pages_with_what_is_not_finished_left_out_of_each(acme, visitor, monkeypatch):
    monkeypatch.setattr("portal.routes.people.own_orders.ROWS_OF_A_PAGE", 2)
    orders = [paying.an_open_order(acme) for _ in range(8)]
    for order in (orders[0], orders[5], orders[7]):
        Order.update(state=OrderState.PAID).where(Order.id == order.id).execute()
    first = visitor.get(ORDERS)
    assert [text_of(row).split(" ")[0] for row in rows_of(first)] == [orders[7].number, orders[5].number]
    assert note_of(first)[0].startswith("2 orders that you did not finish are hidden. Show them")
    # Four orders are looked at for a page of two.
    following = f"/me/orders?before={orders[4].id}"
    assert f'href="{following}"' in text(first)
    second = visitor.get(following)
    assert [text_of(row).split(" ")[0] for row in rows_of(second)] == [orders[0].number]
    assert note_of(second) == (
        "3 orders that you did not finish are hidden. Show them",
        f"/me/orders?before={orders[4].id}&unfinished=show",
    )
    assert "Older orders" not in text(second)


def test_a_page_that_shows_all_is_followed_by_such_a_page(acme, visitor, monkeypatch):
    monkeypatch.setattr("portal.routes.people.own_orders.ROWS_OF_A_PAGE", 2)
    orders = [paying.an_open_order(acme) for _ in range(3)]
    first = visitor.get(ALL)
    assert len(rows_of(first)) == 2
    assert f'href="/me/orders?before={orders[1].id}&amp;unfinished=show"' in text(first)
    assert len(rows_of(visitor.get(f"/me/orders?before={orders[1].id}&unfinished=show"))) == 1


@pytest.mark.parametrize("query", ["before=x", "unfinished=x", "unfinished=", "before=1"])
def test_nonsense_in_the_address_is_the_plain_list(acme, visitor, query):
    assert visitor.get(f"/me/orders?{query}").status_code == 200


def test_no_order_yet_is_said_in_words(visitor):
    answer = visitor.get(ORDERS)
    assert "No order yet" in text(answer)
    assert note_of(answer) is None
