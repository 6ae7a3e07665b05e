"""One's own account: what is kept, what ends, and what nobody else sees."""

import pytest

from portal.database.connecting import connection
from portal.domain.vocabulary import Interval, MemberStatus, OrderKind, OrderState, Role
from portal.models import Member, Order, Person, Session
from portal.routes.people.account import browser_words
from portal.runtime import current
from portal.services.checkout import ordering
from portal.services.people import signing_in
from tests import paying
from tests.factories import PASSWORD, a_member, a_person, a_workspace, letters, seen_by
from tests.pages import by_testid, parse, text_of
from tests.visitors import Visitor, path_of, signed_in

# The pages; what they call is tested on both engines.
pytestmark = pytest.mark.engine("sqlite")

NEW_PASSWORD = "harbour-violin-7-kelp"


@pytest.fixture(autouse=True)
def connected(app):
    with connection():
        yield


@pytest.fixture
def jeanne(app):
    return a_person("jeanne@acme.test")


@pytest.fixture
def visitor(app, jeanne):
    return signed_in(app, "jeanne@acme.test")


def text(response):
    return response.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/me", "/me/orders", "/me/password"])
def test_a_visitor_signs_in_first(app, path):
    assert path_of(Visitor(app).get(path)) == f"/sign-in?next={path}"


# --- name, language, password ---------------------------------------------------------------------


def test_name_and_language_are_kept_and_the_page_follows(visitor):
    assert path_of(visitor.post("/me", {"name": "Jeanne M.", "language": "fr"})) == "/me"
    person = Person.get()
    assert (person.name, person.language) == ("Jeanne M.", "fr")
    assert '<html lang="fr"' in text(visitor.get("/me"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a\x00b"),
        ("name", "\u202ex"),
        ("name", "x" * 201),
        ("language", ""),
        ("language", "de"),
        ("language", "\x00"),
    ],
)
def test_a_refused_profile_says_why_and_changes_nothing(visitor, field, value):
    answer = visitor.post("/me", {"name": "Jeanne M.", "language": "fr", field: value})
    assert answer.status_code == 422
    assert f'id="profile-{field}-error"' in text(answer)
    assert Person.get().name == "Jeanne Martin"


def test_fields_that_the_form_does_not_have_are_ignored(visitor):
    visitor.post("/me", {"name": "J", "language": "en", "is_operator": "1", "email": "x@y.test", "id": "7"})
    person = Person.get()
    assert (person.is_operator, person.email) == (False, "jeanne@acme.test")


def test_a_new_password_needs_the_old_one_and_ends_sessions_elsewhere(app, visitor):
    elsewhere = signed_in(app, "jeanne@acme.test")
    wrong = {"current_password": "wrong", "new_password": NEW_PASSWORD}
    answer = visitor.post("/me/password", wrong)
    assert answer.status_code == 422
    assert 'id="password-current_password-error"' in text(answer)
    assert 'value="Jeanne Martin"' in text(answer), "the other form of the page stays as it was"
    assert elsewhere.get("/me").status_code == 200
    right = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert path_of(visitor.post("/me/password", right)) == "/me"
    assert visitor.get("/me").status_code == 200
    assert path_of(elsewhere.get("/me")).startswith("/sign-in")
    assert [letter["template"] for letter in letters()] == ["password_changed"]


def test_a_weak_new_password_is_refused_beside_its_field(visitor):
    answer = visitor.post("/me/password", {"current_password": PASSWORD, "new_password": "jeannemartin-2026"})
    assert answer.status_code == 422
    assert 'id="password-new_password-error"' in text(answer)
    assert signing_in.authenticate("jeanne@acme.test", PASSWORD)


@pytest.mark.settings(PORTAL_LIMITS="1")
def test_guessing_the_current_password_is_limited(visitor):
    guess = {"current_password": "wrong", "new_password": NEW_PASSWORD}
    statuses = [visitor.post("/me/password", guess).status_code for _ in range(5)]
    assert statuses == [422] * 4 + [429], "signing in was the first try"


# --- sessions -------------------------------------------------------------------------------------


def test_sessions_are_listed_and_ended_one_by_one_and_at_once(app, visitor):
    others = [signed_in(app, "jeanne@acme.test") for _ in range(3)]
    assert len(by_testid(parse(text(visitor.get("/me"))), "session-row")) == 4
    assert "Firefox, Linux" in text(visitor.get("/me"))
    second = list(Session.select().where(Session.person.is_null(False)).order_by(Session.id))[1]
    assert path_of(visitor.post(f"/me/sessions/{second.id}/end", page="/me")) == "/me"
    assert path_of(others[0].get("/me")).startswith("/sign-in")
    assert others[1].get("/me").status_code == 200
    assert path_of(visitor.post("/me/sessions/end", page="/me")) == "/me"
    assert path_of(others[1].get("/me")).startswith("/sign-in")
    assert visitor.get("/me").status_code == 200


def test_the_session_of_somebody_else_does_not_exist(app, visitor):
    a_person("leo@acme.test")
    leo = signed_in(app, "leo@acme.test")
    theirs = Session.get(Session.person == Person.get(Person.email == "leo@acme.test"))
    assert visitor.post(f"/me/sessions/{theirs.id}/end", page="/me").status_code == 404
    assert visitor.post(f"/me/sessions/{2**40}/end", page="/me").status_code == 404
    assert leo.get("/me").status_code == 200


def test_a_session_is_over_after_60_idle_minutes_and_after_12_hours(app, clock, jeanne):
    visitor = signed_in(app, "jeanne@acme.test")
    for _ in range(12):
        clock.advance_wall(minutes=59)
        assert visitor.get("/me").status_code == 200
    clock.advance_wall(minutes=13)
    assert visitor.get("/me").status_code == 303
    visitor.sign_in("jeanne@acme.test")
    clock.advance_wall(minutes=61)
    assert visitor.get("/me").status_code == 303


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0) Chrome/141.0 Safari/537.36 Edg/141.0",
            "Edge, Windows",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/18.0 Safari/605.1.15", "Safari, macOS"),
        ("Mozilla/5.0 (Linux; Android 16) Chrome/141.0 Mobile Safari/537.36", "Chrome, Android"),
        ("curl/8.0", "Another program"),
        ("", "Another program"),
    ],
)
@pytest.mark.engine("sqlite")
def test_a_browser_is_called_as_its_owner_calls_it(app, user_agent, words):
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert browser_words(user_agent) == words


# --- orders and habits ----------------------------------------------------------------------------


def an_order(person, workspace):
    return ordering.open_order(
        seen_by(person, workspace),
        plan_code="business-5",
        interval=Interval.MONTH,
        currency="EUR",
        now=current().clock.now(),
    )


def test_my_orders_are_mine_across_the_workspaces_that_i_can_enter(app, jeanne, visitor):
    acme, other = a_workspace("Acme", owner=jeanne), a_workspace("Other")
    a_member(other, jeanne)
    leo = a_person("leo@acme.test")
    a_member(acme, leo)
    mine = [an_order(jeanne, acme), an_order(jeanne, other)]
    theirs = an_order(leo, acme)
    page = text(visitor.get("/me/orders"))
    assert all(order.number in page for order in mine)
    assert theirs.number not in page
    Member.update(status=MemberStatus.DISABLED).where(
        Member.workspace == other, Member.person == jeanne
    ).execute()
    page = text(visitor.get("/me/orders"))
    assert mine[0].number in page
    assert mine[1].number not in page


def test_an_order_has_no_amount_before_the_tax_is_known_and_an_invoice_once_it_is_paid(jeanne, visitor):
    acme = a_workspace("Acme", owner=jeanne)
    place = seen_by(jeanne, acme)
    paying.buy(place)
    an_order(jeanne, acme)
    rows = by_testid(parse(text(visitor.get("/me/orders"))), "order-row")
    assert [text_of(row).split(" ")[-1] for row in rows] == ["–", "INV-2026-000001"]
    assert "Paid in full €33.60" in text_of(rows[1])
    [link] = by_testid(rows[1], "invoice-link")
    assert link.get("href") == "/w/acme/invoices/INV-2026-000001.pdf"
    # A colleague took the right away: the order is still theirs to see, its invoice is not.
    a_member(acme, a_person("second@acme.test"), role=Role.OWNER)
    Member.update(role=Role.MEMBER).where(Member.person == jeanne).execute()
    assert list(by_testid(parse(text(visitor.get("/me/orders"))), "invoice-link")) == []


def test_a_refunded_order_is_told_as_such(jeanne, visitor):
    paying.buy(seen_by(jeanne, a_workspace("Acme", owner=jeanne)))
    Order.update(state=OrderState.REFUNDED).execute()
    assert "Paid back" in text(visitor.get("/me/orders"))


def test_a_renewal_that_failed_is_told_as_such(jeanne, visitor):
    an_order(jeanne, a_workspace("Acme", owner=jeanne))
    Order.update(kind=OrderKind.RENEWAL).execute()
    page = text(visitor.get("/me/orders"))
    assert "Renewal not paid" in page
    assert "Not ordered yet" not in page


def test_orders_come_in_pages(jeanne, visitor, monkeypatch):
    monkeypatch.setattr("portal.routes.people.account.ROWS_OF_A_PAGE", 2)
    acme = a_workspace("Acme", owner=jeanne)
    orders = [an_order(jeanne, acme) for _ in range(3)]
    first = visitor.get("/me/orders")
    assert len(by_testid(parse(text(first)), "order-row")) == 2
    rest = visitor.get(f"/me/orders?before={orders[1].id}")
    assert len(by_testid(parse(text(rest)), "order-row")) == 1
    assert visitor.get("/me/orders?before=x").status_code == 200


def test_no_order_yet_is_said_in_words(visitor):
    assert "No order yet" in text(visitor.get("/me/orders"))


def test_the_buy_dialog_is_waved_off_and_called_back(visitor):
    assert visitor.post("/me/buy-dialog", {"skip_dialog": "1"}, page="/me").status_code == 204
    assert Person.get().skips_buy_dialog
    assert visitor.post("/me/buy-dialog", page="/me").status_code == 204
    assert not Person.get().skips_buy_dialog
