"""The way in and out, as a browser and as somebody with bad intentions go it."""

import pytest

from portal.database.connecting import connection
from portal.domain.vocabulary import MemberStatus, Role
from portal.models import Member, OutboxMessage, Person, Plan, Product, Session
from portal.runtime import current
from portal.services.members import invitations
from tests.factories import (
    PASSWORD,
    a_catalogue,
    a_member,
    a_person,
    a_workspace,
    letters,
    mailed_path,
    owner_of,
    seen_by,
)
from tests.pages import by_testid, parse
from tests.visitors import Visitor, path_of, signed_in, text_of

# The pages; what they call is tested on both engines.
pytestmark = pytest.mark.engine("sqlite")

SIGN_UP = {
    "name": "Jeanne Martin",
    "email": "jeanne@acme.test",
    "workspace_name": "Acme",
    "password": PASSWORD,
}
NEW_PASSWORD = "harbour-violin-7-kelp"
REAL_LIMITS = pytest.mark.settings(PORTAL_LIMITS="1")


@pytest.fixture(autouse=True)
def connected(app):
    with connection():
        yield


@pytest.fixture
def visitor(app):
    return Visitor(app)


def invite(workspace, email="leo@acme.test"):
    """The path of the invitation's link."""
    place = seen_by(owner_of(workspace), workspace)
    invitations.invite(place, emails=[email], role=Role.MEMBER, now=current().clock.now())
    return mailed_path("invitation")


def summary_of(response):
    return by_testid(parse(response.get_data(as_text=True)), "error-summary")


# --- signing up -----------------------------------------------------------------------------------


def test_from_sign_up_to_the_plans_of_the_own_workspace(visitor):
    a_catalogue()
    answer = visitor.post("/sign-up", SIGN_UP)
    assert path_of(answer) == "/sign-up/sent"
    assert visitor.get("/sign-up/sent").status_code == 200
    assert path_of(visitor.sign_in("jeanne@acme.test")) == "/w/acme/"
    assert path_of(visitor.get("/w/acme/")) == "/w/acme/plans"
    assert visitor.get("/w/acme/plans").status_code == 200


def test_the_language_of_the_page_becomes_the_persons_and_the_workspaces(app):
    a_catalogue()
    Visitor(app, language="fr").post("/sign-up", SIGN_UP)
    assert Person.get().language == "fr"
    assert Member.get().workspace.language == "fr"
    assert letters()[0]["locale"] == "fr"


def test_signing_up_with_a_known_address_answers_the_same(app):
    a_catalogue()
    answers = []
    for _ in range(2):
        visitor = Visitor(app)
        answer = visitor.post("/sign-up", SIGN_UP)
        answers.append(
            (answer.status_code, path_of(answer), text_of(answer), text_of(visitor.get("/sign-up/sent")))
        )
    assert answers[0] == answers[1]
    assert Person.select().count() == 1


def test_a_refused_sign_up_keeps_what_was_typed_but_the_password(visitor):
    answer = visitor.post("/sign-up", {**SIGN_UP, "password": "acme-jeanne-2026"})
    assert answer.status_code == 422
    html = answer.get_data(as_text=True)
    assert summary_of(answer)
    assert 'value="jeanne@acme.test"' in html
    assert "acme-jeanne-2026" not in html
    assert Person.select().count() == 0


HOSTILE = {
    "empty": "",
    "blank": " ",
    "NUL": "\x00",
    "NUL inside": "a\x00b",
    "right to left": "\u202egnp.exe",
    "a megabyte": "x" * 1_000_000,
    "broken charset": "\ufffd",
    "lines": "a\r\nBcc: b@c.test",
    "accents": "\u0301" * 500,
}


def test_hostile_text_is_refused_beside_its_field(visitor):
    for field in SIGN_UP:
        for name, text in HOSTILE.items():
            if (field, name) == ("password", "lines"):
                continue  # Any character makes a password.
            answer = visitor.post("/sign-up", {**SIGN_UP, field: text})
            assert answer.status_code == 422, (field, name)
            assert f'id="{field}-error"' in answer.get_data(as_text=True), (field, name)
    assert Person.select().count() == 0


@pytest.mark.parametrize(
    "name", ["{{7*7}}", "<script>alert(1)</script>", "%(workspace)s", "'; DROP TABLE person; --"]
)
def test_a_strange_name_is_kept_as_it_is_and_does_nothing(visitor, name):
    a_catalogue()
    visitor.post("/sign-up", {**SIGN_UP, "workspace_name": name, "name": name})
    visitor.sign_in("jeanne@acme.test")
    slug = Member.get().workspace.slug
    assert Member.get().workspace.name == name
    html = visitor.get(f"/w/{slug}/plans").get_data(as_text=True)
    assert "<script>alert" not in html
    assert "DROP TABLE" not in name or "DROP TABLE person" in html


@REAL_LIMITS
def test_the_fourth_sign_up_of_an_hour_waits(visitor):
    a_catalogue()
    statuses = [visitor.post("/sign-up", SIGN_UP).status_code for _ in range(4)]
    assert statuses == [303, 303, 303, 429]


# --- signing in -----------------------------------------------------------------------------------


def test_a_wrong_password_and_an_unknown_address_get_one_answer(visitor):
    a_person("jeanne@acme.test")
    wrong = visitor.sign_in("jeanne@acme.test", "not-the-password")
    unknown = visitor.sign_in("joanne@acme.test", "not-the-password")
    assert wrong.status_code == unknown.status_code == 422
    assert text_of(wrong).replace("jeanne@", "joanne@") == text_of(unknown)
    assert "not-the-password" not in text_of(wrong)


@REAL_LIMITS
@pytest.mark.parametrize("email", ["jeanne@acme.test", "nobody@acme.test"])
def test_the_sixth_try_of_five_minutes_waits_and_time_helps(app, clock, email):
    a_person("jeanne@acme.test")
    tries = [Visitor(app).sign_in(email, "wrong").status_code for _ in range(6)]
    assert tries == [422] * 5 + [429]
    assert Visitor(app).sign_in(email.upper(), "wrong").status_code == 429
    assert Visitor(app, address="192.0.2.99").sign_in(email, "wrong").status_code == 422, "another's share"
    clock.advance_wall(minutes=5)
    assert Visitor(app).sign_in(email, "wrong").status_code == 422


@REAL_LIMITS
def test_the_eleventh_try_of_one_network_waits(app):
    tries = [Visitor(app).sign_in(f"p{n}@acme.test", "wrong") for n in range(11)]
    assert [answer.status_code for answer in tries] == [422] * 10 + [429]
    assert int(tries[-1].headers["Retry-After"]) > 0


def test_signing_in_changes_the_token_of_the_session(app):
    """Who planted a token in a browser has nothing once its user has signed in."""
    a_person("jeanne@acme.test")
    victim = Visitor(app)
    victim.get("/sign-in")
    planted = victim.token
    assert planted
    victim.sign_in("jeanne@acme.test")
    assert victim.token != planted
    thief = Visitor(app)
    thief.client.set_cookie("session", planted)
    assert path_of(thief.get("/me")).startswith("/sign-in")


def test_a_copied_cookie_dies_at_sign_out(app):
    a_person("jeanne@acme.test")
    victim = signed_in(app, "jeanne@acme.test")
    thief = Visitor(app)
    thief.client.set_cookie("session", victim.token)
    assert thief.get("/me").status_code == 200
    answer = victim.post("/sign-out", page="/me")
    assert (answer.status_code, path_of(answer)) == (303, "/sign-in?reason=signed-out")
    assert answer.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert path_of(thief.get("/me")).startswith("/sign-in")
    assert path_of(victim.get("/me")).startswith("/sign-in")


def test_a_session_used_from_another_network_ends_and_the_page_says_why(app):
    a_person("jeanne@acme.test")
    victim = signed_in(app, "jeanne@acme.test", address="192.0.2.1")
    thief = Visitor(app, address="198.51.100.7")
    thief.client.set_cookie("session", victim.token)
    answer = thief.get("/me")
    assert path_of(answer) == "/sign-in?next=/me&reason=network"
    page = parse(thief.get(path_of(answer)).get_data(as_text=True))
    assert by_testid(page, "sign-in-reason")
    assert victim.get("/me").status_code == 303
    assert [letter["template"] for letter in letters()] == ["security_notice"]


def test_sign_out_is_no_link(visitor):
    assert visitor.get("/sign-out").status_code == 405


def test_signing_out_after_the_session_is_over_is_no_error(app, clock):
    a_person("jeanne@acme.test")
    visitor = signed_in(app, "jeanne@acme.test")
    clock.advance_wall(hours=12, seconds=1)
    answer = visitor.send("/sign-out", {"csrf_token": "old"})
    assert path_of(answer) == "/sign-in?reason=signed-out"


def test_a_form_that_was_open_too_long_comes_back_with_what_was_typed(visitor):
    answer = visitor.send("/sign-in", {"csrf_token": "old", "email": "jeanne@acme.test"})
    assert answer.status_code == 422
    assert 'value="jeanne@acme.test"' in answer.get_data(as_text=True)


def test_a_post_from_another_site_is_refused(app):
    a_person("jeanne@acme.test")
    visitor = Visitor(app)
    visitor.get("/sign-in")
    visitor.headers["Origin"] = "https://evil.example"
    assert visitor.sign_in("jeanne@acme.test").status_code == 403


# --- where signing in leads -----------------------------------------------------------------------


def test_signing_in_leads_back_to_the_page_that_was_asked_for(visitor):
    a_workspace("Acme", owner=a_person("jeanne@acme.test"))
    asked = visitor.get("/w/acme/plans?currency=USD")
    assert path_of(asked) == "/sign-in?next=/w/acme/plans?currency%3DUSD"
    answer = visitor.post(path_of(asked), {"email": "jeanne@acme.test", "password": PASSWORD})
    assert path_of(answer) == "/w/acme/plans?currency=USD"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "http://evil.example/",
        "//evil.example",
        "///evil.example",
        "////evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "\\\\evil.example",
        "http:///evil.example",
        "http:evil.example",
        "https:/evil.example",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "/%09/evil.example",
        "%09//evil.example",
        "/\t/evil.example",
        "\t//evil.example",
        "/\r\nLocation: https://evil.example",
        "http://localhost@evil.example",
        "http://localhost.evil.example",
        "http://evil.example#http://localhost/",
        "//localhost@evil.example",
        " //evil.example",
        "/\x00/evil.example",
        "evil.example",
    ],
)
@pytest.mark.engine("sqlite")
def test_no_target_leads_to_another_site(app, visitor, target):
    a_workspace("Acme", owner=a_person("jeanne@acme.test"))
    with app.test_request_context():
        path = app.url_for("people.sign_in", next=target)
    answer = visitor.post(path, {"email": "jeanne@acme.test", "password": PASSWORD})
    assert path_of(answer) == "/w/acme/"
    assert path_of(visitor.get(path)) == "/w/acme/"


def test_who_is_signed_in_needs_no_sign_in_page(app):
    a_workspace("Acme", owner=a_person("jeanne@acme.test"))
    visitor = signed_in(app, "jeanne@acme.test")
    assert path_of(visitor.get("/sign-in")) == path_of(visitor.get("/sign-up")) == "/w/acme/"


def test_somebody_without_a_workspace_and_an_operator_have_a_place_to_land(app):
    a_person("alone@acme.test")
    a_person("op@portal.test", operator=True)
    alone, operator = Visitor(app), Visitor(app)
    assert path_of(alone.sign_in("alone@acme.test")) == path_of(operator.sign_in("op@portal.test")) == "/"
    assert alone.get("/").status_code == 200
    assert path_of(operator.get("/")) == "/operator/"


# --- links by mail --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/sign-in/link", "/reset"])
def test_asking_for_a_link_tells_nothing_about_the_address(visitor, path):
    a_person("jeanne@acme.test")
    known = visitor.post(path, {"email": "jeanne@acme.test"})
    unknown = visitor.post(path, {"email": "nobody@acme.test"})
    assert (known.status_code, path_of(known), text_of(known)) == (
        unknown.status_code,
        path_of(unknown),
        text_of(unknown),
    )
    assert [letter["to"] for letter in letters()] == ["jeanne@acme.test"]
    assert visitor.get(path_of(known)).status_code == 200


@REAL_LIMITS
@pytest.mark.parametrize("email", ["jeanne@acme.test", "nobody@acme.test"])
def test_the_fourth_link_of_an_hour_waits(visitor, email):
    a_person("jeanne@acme.test")
    statuses = [visitor.post("/reset", {"email": email}).status_code for _ in range(4)]
    assert statuses == [303, 303, 303, 429]


def test_opening_a_link_signs_nobody_in_and_the_button_does_once(app, visitor):
    """Mail scanners open every link."""
    a_workspace("Acme", owner=a_person("jeanne@acme.test"))
    visitor.post("/sign-in/link", {"email": "jeanne@acme.test"})
    path = mailed_path("magic_link")
    scanner = Visitor(app)
    for _ in range(2):
        assert scanner.get(path).status_code == 200
    assert Session.select().where(Session.person.is_null(False)).count() == 0
    assert path_of(visitor.post(path)) == "/w/acme/"
    assert visitor.get("/me").status_code == 200
    assert Visitor(app).get(path).status_code == 404


def test_wrong_used_and_expired_links_get_one_answer(app, clock):
    a_person("jeanne@acme.test")
    Visitor(app).post("/reset", {"email": "jeanne@acme.test"})
    expired = mailed_path("reset_link")
    clock.advance_wall(minutes=16)
    Visitor(app).post("/reset", {"email": "jeanne@acme.test"})
    used = mailed_path("reset_link")
    Visitor(app).post(used, {"password": NEW_PASSWORD})
    answers = [
        Visitor(app).get(path)
        for path in (expired, used, "/reset/made-up", "/reset/%00", "/reset/" + "x" * 3000)
    ]
    # The links to the other language hold the token of the page itself.
    bodies = {text_of(answer).replace(answer.request.path, "") for answer in answers[:3]}
    assert {answer.status_code for answer in answers} == {404}
    assert len(bodies) == 1


def test_a_reset_asks_for_a_good_password_and_ends_every_session(app, visitor):
    a_person("jeanne@acme.test")
    elsewhere = signed_in(app, "jeanne@acme.test")
    visitor.post("/reset", {"email": "jeanne@acme.test"})
    path = mailed_path("reset_link")
    for bad in ("", "short", "password123456", "x" * 129):
        answer = visitor.post(path, {"password": bad})
        assert answer.status_code == 422
        assert 'id="password-error"' in answer.get_data(as_text=True)
    assert path_of(visitor.post(path, {"password": NEW_PASSWORD})) == "/sign-in"
    assert path_of(elsewhere.get("/me")).startswith("/sign-in")
    assert visitor.sign_in("jeanne@acme.test").status_code == 422
    assert visitor.sign_in("jeanne@acme.test", NEW_PASSWORD).status_code == 303


@REAL_LIMITS
def test_guessing_tokens_is_limited(visitor):
    statuses = [visitor.get(f"/reset/{n}").status_code for n in range(21)]
    assert statuses == [404] * 20 + [429]


# --- invitations ----------------------------------------------------------------------------------


def test_somebody_new_joins_and_is_in(app, visitor):
    a_workspace("Acme")
    path = invite(Member.get().workspace)
    assert "leo@acme.test" in visitor.get(path).get_data(as_text=True)
    refused = visitor.post(path, {"name": "", "password": "acme-2026-acme"})
    assert refused.status_code == 422
    answer = visitor.post(path, {"name": "Leo Durand", "password": NEW_PASSWORD})
    assert path_of(answer) == "/w/acme/"
    assert visitor.get("/w/acme/plans").status_code == 200
    assert Visitor(app).get(path).status_code == 404


def test_somebody_known_signs_in_and_comes_back_to_join(visitor):
    a_person("leo@acme.test")
    a_workspace("Acme")
    path = invite(Member.get().workspace)
    assert path_of(visitor.post(path)) == f"/sign-in?next={path}"
    assert path_of(visitor.sign_in("leo@acme.test", back_to=path)) == path
    assert path_of(visitor.post(path)) == "/w/acme/"
    assert visitor.get("/w/acme/plans").status_code == 200


def test_somebody_else_cannot_take_an_invitation(app):
    a_person("leo@acme.test")
    a_person("other@acme.test")
    a_workspace("Acme")
    path = invite(Member.get().workspace)
    other = signed_in(app, "other@acme.test")
    assert other.get(path).status_code == 200
    other.post(path, page="/me")
    assert Member.get(Member.person == Person.get(Person.email == "leo@acme.test")).joined_at is None
    assert other.get("/w/acme/plans").status_code == 404


def test_a_new_operator_signs_in_by_password_after_joining(visitor):
    a_person("op@portal.test", operator=True, password=False)
    a_workspace("Acme")
    path = invite(Member.get().workspace, "op@portal.test")
    visitor.post(path, {"name": "Op", "password": NEW_PASSWORD})
    assert path_of(visitor.get("/w/acme/plans")).startswith("/sign-in")


def test_whom_every_workspace_has_disabled_is_told_so_after_a_mailed_link_too(visitor):
    leo = a_person("leo@acme.test")
    a_member(a_workspace(), leo, status=MemberStatus.DISABLED)
    visitor.post("/sign-in/link", {"email": "leo@acme.test"})
    answer = visitor.post(mailed_path("magic_link"))
    assert (answer.status_code, path_of(answer)) == (303, "/sign-in")
    assert "disabled" in text_of(visitor.get("/sign-in"))
    assert not Session.select().where(Session.person == leo).exists()


def test_a_disabled_member_finds_the_link_unusable_and_the_workspace_gone(app, visitor):
    workspace = a_workspace("Acme")
    path = invite(workspace)
    person = a_person("zoe@acme.test")
    member = a_member(workspace, person)
    zoe = signed_in(app, "zoe@acme.test")
    owner = signed_in(app, "owner@acme.test")
    owner.post(f"/w/acme/members/{member.id}/disable")
    leo = Member.get(Member.person == Person.get(Person.email == "leo@acme.test"))
    owner.post(f"/w/acme/members/{leo.id}/disable")
    assert path_of(zoe.get("/w/acme/plans")).startswith("/sign-in")
    refused = zoe.sign_in("zoe@acme.test")
    assert refused.status_code == 422
    assert "Your access has been disabled." in refused.get_data(as_text=True)
    assert visitor.get(path).status_code == 404


def test_whoever_still_belongs_somewhere_signs_in_and_finds_the_other_workspace_gone(app, visitor):
    acme, other = a_workspace("Acme"), a_workspace("Other")
    zoe = a_person("zoe@acme.test")
    a_member(acme, zoe, status=MemberStatus.DISABLED)
    a_member(other, zoe)
    assert visitor.sign_in("zoe@acme.test").status_code == 303
    assert visitor.get("/w/acme/plans").status_code == 404


def test_no_letter_holds_a_token_outside_its_secrets():
    a_workspace("Acme")
    path = invite(Member.get().workspace)
    token = path.rpartition("/")[2]
    [row] = OutboxMessage.select().where(OutboxMessage.payload.cast("text").contains(token))
    assert token not in str(row.payload["context"])
    assert token in str(row.payload["secrets"])


@pytest.mark.parametrize("gone", ["no plan is the trial", "the trial plan is withdrawn", "no catalogue"])
def test_without_a_trial_plan_sign_up_says_that_it_is_closed(app, visitor, gone):
    a_catalogue()
    if gone == "no plan is the trial":
        Plan.update(trial=False).execute()
    elif gone == "the trial plan is withdrawn":
        Plan.update(withdrawn=True).where(Plan.trial).execute()
    else:
        Product.update(withdrawn=True).execute()
    page = visitor.get("/sign-up")
    assert (page.status_code, "Sign-up is closed for now" in page.text) == (200, True)
    answer = visitor.post("/sign-up", SIGN_UP)
    assert (answer.status_code, "Sign-up is closed for now" in answer.text) == (409, True)
    assert Person.select().where(Person.email == SIGN_UP["email"]).count() == 0
