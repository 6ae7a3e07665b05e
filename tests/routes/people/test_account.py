"""One's own account: what is kept, what ends, and what nobody else sees."""

import pytest

from portal.database.connecting import connection
from portal.models import Person, Session
from portal.routes.people.account import browser_words
from portal.services.people import signing_in
from tests.factories import PASSWORD, a_person, letters
from tests.pages import by_testid, parse
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


def test_sessions_come_in_pages_and_those_of_a_later_page_can_be_ended_too(app, clock, visitor, monkeypatch):
    monkeypatch.setattr("portal.routes.people.account.SESSIONS_OF_A_PAGE", 2)
    others = [signed_in(app, "jeanne@acme.test") for _ in range(2)]
    clock.advance_wall(minutes=5)
    visitor.get("/me")
    first = visitor.get("/me")
    assert len(by_testid(parse(text(first)), "session-row")) == 2
    links = {"".join(a.itertext()): a.get("href") for a in parse(text(first)).iter("a")}
    link = links["Older sessions"]
    older = visitor.get(link)
    assert len(by_testid(parse(text(older)), "session-row")) == 1
    assert "Older sessions" not in text(older)
    assert by_testid(parse(text(older)), "end-other-sessions")
    assert path_of(visitor.post("/me/sessions/end", page=link)) == "/me"
    assert all(path_of(other.get("/me")).startswith("/sign-in") for other in others)


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


# --- habits ---------------------------------------------------------------------------------------


def test_the_buy_dialog_is_waved_off_and_called_back(visitor):
    assert visitor.post("/me/buy-dialog", {"skip_dialog": "1"}, page="/me").status_code == 204
    assert Person.get().skips_buy_dialog
    assert visitor.post("/me/buy-dialog", page="/me").status_code == 204
    assert not Person.get().skips_buy_dialog
