"""The members page: who is there, who comes, who goes, and who may decide it."""

import pytest

from portal.database import connection, database
from portal.domain.vocabulary import MemberStatus, Role
from portal.models import Member, Person
from tests.factories import a_member, a_person, a_workspace, letters
from tests.pages import by_testid, parse
from tests.visitors import Visitor, path_of, signed_in

LIST = "/w/acme/members"


@pytest.fixture(autouse=True)
def connected(app):
    with connection():
        yield


@pytest.fixture
def acme(app):
    return a_workspace("Acme")


@pytest.fixture
def owner(app, acme):
    return signed_in(app, "owner@acme.test")


def rows_of(response):
    page = parse(response.get_data(as_text=True))
    return [" ".join(" ".join(row.itertext()).split()) for row in by_testid(page, "member-row")]


def text(response):
    return response.get_data(as_text=True)


# --- who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.OWNER, 200), (Role.ADMIN, 200), (Role.BILLING_MANAGER, 403), (Role.MEMBER, 403)],
)
def test_owners_and_admins_manage_members(app, acme, role, status):
    leo = a_person("leo@acme.test")
    member = a_member(acme, leo, role=role)
    other = a_member(acme, a_person("zoe@acme.test"))
    visitor = signed_in(app, "leo@acme.test")
    answer = visitor.get(LIST)
    assert answer.status_code == status
    if status == 403:
        assert "owner@acme.test" in text(answer), "the page names those who can"
        for path in (f"{other.id}/disable", f"{other.id}/enable", f"{other.id}/invite"):
            assert visitor.post(f"{LIST}/{path}", page="/me").status_code == 403
        assert visitor.post(LIST, {"email": "n@acme.test", "role": "owner"}, page="/me").status_code == 403
        assert "/w/acme/members" not in text(visitor.get("/w/acme/plans"))
    assert Member.get_by_id(other.id).status == MemberStatus.ACTIVE
    assert Member.select().count() == 3
    assert member.role == role


def test_another_workspace_and_its_members_do_not_exist(app, owner):
    strangers = a_member(a_workspace("Other"), a_person("stranger@other.test"))
    paths = [
        "/w/other/members",
        "/w/nowhere/members",
        f"{LIST}/{strangers.id}/disable",
        f"{LIST}/999999/disable",
    ]
    answers = [owner.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {404}
    for path in ("disable", "enable", "invite"):
        assert owner.post(f"{LIST}/{strangers.id}/{path}", page=LIST).status_code == 404
        assert owner.post(f"/w/other/members/{strangers.id}/{path}", page=LIST).status_code == 404
    assert (
        owner.post("/w/other/members", {"email": "n@x.test", "role": "member"}, page=LIST).status_code == 404
    )
    assert Member.get_by_id(strangers.id).status == MemberStatus.ACTIVE


@pytest.mark.parametrize("number", ["0", "-1", "99999999999999999999", "1.5", "x", "%00", "1%20OR%201=1"])
def test_a_made_up_number_of_a_member_is_not_found(owner, number):
    assert owner.get(f"{LIST}/{number}/disable").status_code == 404


def test_a_visitor_signs_in_first(app, acme):
    assert path_of(Visitor(app).get(LIST)) == "/sign-in?next=/w/acme/members"


# --- the list -------------------------------------------------------------------------------------


def test_each_member_has_a_row_with_role_and_state(acme, owner):
    a_member(acme, a_person("leo@acme.test", name="Leo Durand"), role=Role.ADMIN)
    a_member(acme, a_person("new@acme.test", name="Hidden"), joined=False)
    a_member(acme, a_person("zoe@acme.test", name="Zoe"), status=MemberStatus.DISABLED)
    assert rows_of(owner.get(LIST)) == [
        "Zoe zoe@acme.test Member Disabled Enable Zoe",
        "new@acme.test Member Invited Invite again new@acme.test Disable new@acme.test",
        "Leo Durand leo@acme.test Administrator Active Disable Leo Durand",
        "Owner of Acme You owner@acme.test Owner Active",
    ]


def test_the_list_is_searched_and_paged_as_a_fragment_too(acme, owner, monkeypatch):
    monkeypatch.setattr("portal.routes.members.ROWS_OF_A_PAGE", 2)
    for number in range(3):
        a_member(acme, a_person(f"m{number}@acme.test", name=f"Member {number}"))
    first = owner.get(LIST)
    assert len(rows_of(first)) == 2
    older = list(Member.select().order_by(Member.id.desc()))[1].id
    assert f"before={older}" in text(first)
    assert [row.split()[1] for row in rows_of(owner.get(f"{LIST}?before={older}"))] == ["0", "of"]
    owner.headers |= {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#member_list"}
    fragment = owner.get(f"{LIST}?q=m1@")
    assert "<h1" not in text(fragment)
    assert text(fragment).count("member-row") == 1


@pytest.mark.parametrize(
    "query", ["q=%00", "q=%ED%A0%80", "q=%25", "q=" + "x" * 5000, "before=x", "before=" + "9" * 40, "q=é"]
)
def test_a_strange_search_is_answered(owner, query):
    assert owner.get(f"{LIST}?{query}").status_code == 200


def test_the_list_takes_as_many_queries_for_many_members(acme, owner, monkeypatch):
    for number in range(60):
        a_member(acme, a_person(f"m{number}@acme.test"))
    executed = []
    original = database.obj.execute_sql

    def counted(sql, *arguments, **options):
        executed.append(sql)
        return original(sql, *arguments, **options)

    monkeypatch.setattr(database.obj, "execute_sql", counted)
    assert owner.get(LIST).status_code == 200
    questions = [sql for sql in executed if sql.startswith("SELECT")]
    assert len(questions) <= 6, "\n".join(questions)


# --- inviting -------------------------------------------------------------------------------------


def test_an_invitation_is_sent_and_shown(owner):
    answer = owner.post(LIST, {"email": "leo@acme.test", "role": "member"})
    assert path_of(answer) == LIST
    page = owner.get(LIST)
    assert by_testid(parse(text(page)), "flash")
    assert "leo@acme.test Member Invited" in rows_of(page)[0]
    assert [letter["to"] for letter in letters("invitation")] == ["leo@acme.test"]


@pytest.mark.parametrize(
    ("email", "role"),
    [
        ("", "member"),
        ("not an address", "member"),
        ("leo@acme.test", ""),
        ("leo@acme.test", "emperor"),
        ("leo@acme.test\x00", "member"),
        ("a@acme.test\r\nBcc: b@c.test", "member"),
        ("owner@acme.test", "member"),
    ],
)
def test_what_cannot_be_invited_is_said_beside_its_field(owner, email, role):
    answer = owner.post(LIST, {"email": email, "role": role})
    assert answer.status_code == 422
    assert by_testid(parse(text(answer)), "error-summary")
    assert Member.select().count() == 1


def test_an_admin_cannot_send_the_role_of_an_owner(app, acme):
    a_member(acme, a_person("admin@acme.test"), role=Role.ADMIN)
    admin = signed_in(app, "admin@acme.test")
    for role in ("owner", "billing_manager"):
        assert admin.post(LIST, {"email": "leo@acme.test", "role": role}).status_code == 422
    assert Person.get_or_none(Person.email == "leo@acme.test") is None


def test_a_full_plan_says_both_figures_and_the_way_out(app):
    a_workspace("Acme", plan="business-3")
    owner = signed_in(app, "owner@acme.test")
    for name in ("two", "three"):
        owner.post(LIST, {"email": f"{name}@acme.test", "role": "member"})
    page = text(owner.get(LIST))
    assert "3 of 3" in page
    assert 'name="role"' not in page
    answer = owner.post(LIST, {"email": "four@acme.test", "role": "member"})
    assert answer.status_code == 422
    assert "Your plan holds 3 active users and 3 are there." in text(answer)


@pytest.mark.settings(PORTAL_LIMITS="1")
def test_the_21st_invitation_of_a_day_waits(owner, clock):
    for number in range(20):
        clock.advance_wall(seconds=1)
        assert owner.post(LIST, {"email": f"m{number}@acme.test", "role": "member"}).status_code == 303
    assert owner.post(LIST, {"email": "m20@acme.test", "role": "member"}).status_code == 429


# --- disabling and enabling -----------------------------------------------------------------------


def test_disabling_asks_first_and_ends_the_session(app, acme, owner):
    member = a_member(acme, a_person("leo@acme.test", name="Leo"))
    leo = signed_in(app, "leo@acme.test")
    assert "Disable Leo?" in text(owner.get(f"{LIST}/{member.id}/disable"))
    assert leo.get("/w/acme/plans").status_code == 200
    assert path_of(owner.post(f"{LIST}/{member.id}/disable")) == LIST
    assert path_of(leo.get("/w/acme/plans")).startswith("/sign-in")
    assert path_of(owner.post(f"{LIST}/{member.id}/enable", page=LIST)) == LIST
    leo.sign_in("leo@acme.test")
    assert leo.get("/w/acme/plans").status_code == 200


def test_disabling_oneself_and_the_last_owner_is_refused_in_words(app, acme, owner):
    mine = Member.get()
    admin = a_member(acme, a_person("admin@acme.test"), role=Role.ADMIN)
    answer = owner.post(f"{LIST}/{mine.id}/disable")
    assert answer.status_code == 422
    assert "You cannot disable yourself." in text(answer)
    answer = signed_in(app, "admin@acme.test").post(f"{LIST}/{mine.id}/disable")
    assert answer.status_code == 422
    assert "Only an owner can do this" in text(answer)
    assert admin.is_active


def test_enabling_into_a_full_plan_is_refused_with_both_figures(app):
    acme = a_workspace("Acme", plan="business-3")
    member = a_member(acme, a_person("leo@acme.test"), status=MemberStatus.DISABLED)
    for name in ("two", "three"):
        a_member(acme, a_person(f"{name}@acme.test"))
    owner = signed_in(app, "owner@acme.test")
    answer = owner.post(f"{LIST}/{member.id}/enable", page=LIST)
    assert answer.status_code == 422
    assert "Your plan holds 3 active users and 3 are there." in text(answer)


def test_the_page_speaks_french(app, acme):
    owner = Visitor(app, language="fr")
    owner.sign_in("owner@acme.test")
    owner.get(f"{LIST}?lang=fr")
    assert '<html lang="fr"' in text(owner.get(LIST))
