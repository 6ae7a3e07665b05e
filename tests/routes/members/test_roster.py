"""The members page: who is there, who comes, who goes, and who may decide it."""

import pytest

from portal.database.connecting import connection, database
from portal.domain.vocabulary import MemberStatus, Role
from portal.models import Member, Person
from tests.factories import a_member, a_person, a_workspace, letters
from tests.pages import by_testid, parse
from tests.visitors import Visitor, path_of, signed_in

# The pages; what they call is tested on both engines.
pytestmark = pytest.mark.engine("sqlite")

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


def flashes(response):
    return [" ".join("".join(each.itertext()).split()) for each in by_testid(parse(text(response)), "flash")]


def inputs(response, name):
    return [each for each in parse(text(response)).iter("input") if each.get("name") == name]


def chosen(response, name):
    [value] = [each.get("value") for each in inputs(response, name) if each.get("checked") is not None]
    return value


def locked(response, name):
    return [each.get("value") for each in inputs(response, name) if each.get("disabled") is not None]


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
        for path in ("", "/disable", "/enable", "/invite", "/guest", "/remove", "/hand-over"):
            assert visitor.post(f"{LIST}/{other.id}{path}", page="/me").status_code == 403
        assert visitor.post(f"{LIST}/users", {"member": str(other.id)}, page="/me").status_code == 403
        assert visitor.post(LIST, {"emails": "n@acme.test", "role": "owner"}, page="/me").status_code == 403
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
    for path in ("", "/disable", "/enable", "/invite", "/guest", "/remove", "/hand-over", "/billing-access"):
        assert owner.post(f"{LIST}/{strangers.id}{path}", page=LIST).status_code == 404
        assert owner.post(f"/w/other/members/{strangers.id}{path}", page=LIST).status_code == 404
    assert (
        owner.post("/w/other/members", {"emails": "n@x.test", "role": "member"}, page=LIST).status_code == 404
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
    a_member(acme, a_person("gone@acme.test"), status=MemberStatus.DISABLED, joined=False)
    assert rows_of(owner.get(LIST)) == [
        "gone@acme.test Member Invitation withdrawn Enable gone@acme.test",
        "Zoe zoe@acme.test Member Disabled Enable Zoe",
        "new@acme.test Member Invited Send the invitation again new@acme.test Disable new@acme.test",
        "Leo Durand leo@acme.test Administrator Active Disable Leo Durand",
        "Owner of Acme You owner@acme.test Owner Active",
    ]


def test_the_page_of_an_invitation_that_was_withdrawn_says_so_and_leads_back(acme, owner):
    ada = a_member(acme, a_person("ada@acme.test"), joined=False)
    owner.post(f"{LIST}/{ada.id}/disable", page=f"{LIST}/{ada.id}")
    assert "Invitation withdrawn" in text(owner.get(f"{LIST}/{ada.id}"))
    owner.post(f"{LIST}/{ada.id}/enable", {"status": "active"}, page=f"{LIST}/{ada.id}")
    page = text(owner.get(f"{LIST}/{ada.id}"))
    assert "Invited" in page
    assert "Send the invitation again" in page
    assert "Invitation withdrawn" not in page


def test_the_list_is_narrowed_to_a_status_with_the_number_of_each(acme, owner):
    for name, status in (
        ("ada", MemberStatus.GUEST),
        ("bob", MemberStatus.GUEST),
        ("cat", MemberStatus.DISABLED),
    ):
        a_member(acme, a_person(f"{name}@acme.test", name=name), status=status)
    page = text(owner.get(LIST))
    for label in ("Everyone (4)", "Active (1)", "Guests (2)", "Disabled (1)"):
        assert label in page
    assert rows_of(owner.get(f"{LIST}?status=guest")) == [
        "bob bob@acme.test – Guest Disable bob",
        "ada ada@acme.test – Guest Disable ada",
    ]
    assert len(rows_of(owner.get(f"{LIST}?status=disabled&q=cat"))) == 1
    assert "No one by that name" in text(owner.get(f"{LIST}?status=disabled&q=ada"))
    assert 'name="status" value="guest"' in text(owner.get(f"{LIST}?status=guest"))


@pytest.mark.parametrize(("status", "sentence"), [("guest", "No guests"), ("disabled", "Nobody is disabled")])
def test_an_empty_status_says_so(owner, status, sentence):
    assert sentence in text(owner.get(f"{LIST}?status={status}"))


def test_the_list_is_searched_and_paged_as_a_fragment_too(acme, owner, monkeypatch):
    monkeypatch.setattr("portal.routes.members.roster.ROWS_OF_A_PAGE", 2)
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
    "query",
    [
        "status=emperor",
        "status=%00",
        "q=%00",
        "q=%ED%A0%80",
        "q=%25",
        "q=" + "x" * 5000,
        "before=x",
        "before=" + "9" * 40,
        "q=é",
    ],
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
    answer = owner.post(LIST, {"emails": "leo@acme.test", "role": "member"})
    assert path_of(answer) == LIST
    page = owner.get(LIST)
    assert by_testid(parse(text(page)), "flash")
    assert "leo@acme.test Member Invited" in rows_of(page)[0]
    assert [letter["to"] for letter in letters("invitation")] == ["leo@acme.test"]


@pytest.mark.parametrize(
    ("emails", "role"),
    [
        ("", "member"),
        (" ,;\n", "member"),
        ("not an address", "member"),
        ("leo@acme.test", ""),
        ("leo@acme.test", "emperor"),
        ("leo@acme.test\x00", "member"),
        ("a@acme.test\r\nBcc: b@c.test", "member"),
        ("owner@acme.test", "member"),
    ],
)
def test_what_cannot_be_invited_is_said_beside_its_field(owner, emails, role):
    answer = owner.post(LIST, {"emails": emails, "role": role})
    assert answer.status_code == 422
    assert by_testid(parse(text(answer)), "error-summary")
    assert Member.select().count() == 1


def test_several_are_invited_however_they_are_written(owner):
    typed = "ada@acme.test, bob@acme.test;cat@acme.test dan@acme.test\r\n\teve@acme.test\r\nADA@acme.test,"
    assert owner.post(LIST, {"emails": typed, "role": "member"}).status_code == 303
    page = owner.get(LIST)
    assert flashes(page) == [
        "5 people are invited as users.",
        "Listed twice, invited once: ada@acme.test.",
    ]
    assert [letter["to"].partition("@")[0] for letter in letters("invitation")] == [
        "ada",
        "bob",
        "cat",
        "dan",
        "eve",
    ]


def test_each_bad_address_is_named_and_what_was_typed_is_kept(owner):
    typed = "ada@acme.test\nbob@\ncat@acme.test, <b>dan</b>"
    answer = owner.post(LIST, {"emails": typed, "role": "admin", "status": "guest"})
    assert answer.status_code == 422
    [field] = [each for each in parse(text(answer)).iter("textarea") if each.get("name") == "emails"]
    assert field.text.strip() == typed
    assert field.get("aria-describedby") == "emails-hint emails-error"
    assert "like name@example.com: bob@, &lt;b&gt;dan&lt;/b&gt;." in text(answer)
    assert chosen(answer, "status") == "guest"
    assert Member.select().count() == 1


def test_fifty_at_once_and_no_more(owner):
    fifty = [f"m{number}@acme.test" for number in range(50)]
    answer = owner.post(LIST, {"emails": " ".join([*fifty, "one@more.test"]), "role": "member"})
    assert answer.status_code == 422
    assert "You can invite at most 50 people at once: there are 51 addresses here." in text(answer)
    assert owner.post(LIST, {"emails": " ".join(fifty), "role": "member"}).status_code == 303
    assert len(letters("invitation")) == 50


def test_members_among_the_invited_are_named_with_what_to_do(acme, owner):
    a_member(acme, a_person("ada@acme.test"))
    a_member(acme, a_person("bob@acme.test"), joined=False)
    a_member(acme, a_person("cat@acme.test"), status=MemberStatus.DISABLED)
    a_member(acme, a_person("dan@acme.test"), status=MemberStatus.DISABLED, joined=False)
    everybody = "ada@acme.test bob@acme.test cat@acme.test dan@acme.test new@acme.test"
    answer = owner.post(LIST, {"emails": everybody, "role": "member"})
    assert answer.status_code == 422
    for sentence in (
        "Already members: ada@acme.test.",
        "Already invited: bob@acme.test. Invite them again from the list.",
        "Disabled members: cat@acme.test. Enable them in the list.",
        "Invitation withdrawn: dan@acme.test. Enable them in the list, then send the invitation again.",
    ):
        assert sentence in text(answer)
    assert Person.get_or_none(Person.email == "new@acme.test") is None


def test_an_admin_cannot_send_the_role_of_an_owner(app, acme):
    a_member(acme, a_person("admin@acme.test"), role=Role.ADMIN)
    admin = signed_in(app, "admin@acme.test")
    for role in ("owner", "billing_manager"):
        assert admin.post(LIST, {"emails": "leo@acme.test", "role": role}).status_code == 422
    assert Person.get_or_none(Person.email == "leo@acme.test") is None


# --- a plan that fills up -------------------------------------------------------------------------


@pytest.fixture
def three(app):
    """A plan for three, of whom one is there."""
    return a_workspace("Acme", plan="business-3")


def note(response):
    return [
        " ".join("".join(each.itertext()).split()) for each in by_testid(parse(text(response)), "room-note")
    ]


def test_the_form_says_before_what_becomes_of_those_who_are_too_many(three, app):
    owner = signed_in(app, "owner@acme.test")
    page = owner.get(LIST)
    assert note(page) == [
        (
            "There is room for 2 more users. Anyone after that joins as a guest, "
            "who can view but not change anything."
        )
    ]
    assert chosen(page, "status") == "active"
    owner.post(LIST, {"emails": "two@acme.test three@acme.test", "role": "member"})
    page = owner.get(LIST)
    assert "3 of 3" in text(page)
    assert note(page) == [
        (
            "All user places are taken. Anyone you invite now joins as a guest, "
            "who can view but not change anything."
        )
    ]
    assert chosen(page, "status") == "guest"
    assert locked(page, "status") == ["active"]


def test_the_answer_says_after_who_became_a_guest(three, app):
    owner = signed_in(app, "owner@acme.test")
    owner.post(LIST, {"emails": "a@acme.test b@acme.test c@acme.test d@acme.test", "role": "admin"})
    page = owner.get(LIST)
    assert flashes(page) == [
        "2 people are invited as users.",
        "2 people are invited as guests, because all user places are taken: c@acme.test, d@acme.test.",
    ]
    assert [row.partition(" Send the invitation again")[0] for row in rows_of(page)][:3] == [
        "d@acme.test – Invited as a guest",
        "c@acme.test – Invited as a guest",
        "b@acme.test Administrator Invited",
    ]


def test_the_seventh_guest_of_three_users_is_refused_by_name_with_every_figure(three, app):
    owner = signed_in(app, "owner@acme.test")
    eight = [f"m{number}@acme.test" for number in range(8)]
    assert owner.post(LIST, {"emails": " ".join(eight), "role": "member"}).status_code == 303
    page = owner.get(LIST)
    assert note(page) == ["All places in your plan are taken, for users and for guests."]
    assert 'name="emails"' not in text(page)
    answer = owner.post(LIST, {"emails": "late@acme.test", "role": "member"})
    assert answer.status_code == 422
    assert (
        "Nobody was invited. Your plan is for 3 active users and 6 guests; you have 3 and 6. "
        "There is no place for: late@acme.test."
    ) in text(answer)
    assert "late@acme.test</textarea>" in text(answer)


def test_the_free_plan_says_that_it_has_no_guests(app):
    acme = a_workspace("Acme", plan="startup")
    owner = signed_in(app, "owner@acme.test")
    assert locked(owner.get(LIST), "status") == ["guest"]
    assert "Your plan does not include guests." in text(owner.get(LIST))
    for number in range(4):
        a_member(acme, a_person(f"m{number}@acme.test"))
    assert note(owner.get(LIST)) == ["All user places are taken, and your plan does not include guests."]
    answer = owner.post(LIST, {"emails": "late@acme.test", "role": "member"})
    assert answer.status_code == 422
    assert "is for 5 active users and no guests, and you have 5 users" in text(answer)


@pytest.mark.parametrize(("plan", "kind"), [("business-5", "primary"), ("business-10", "secondary")])
def test_a_larger_plan_comes_first_with_fewer_than_five_places_left(app, plan, kind):
    a_workspace("Acme", plan=plan)
    [button] = by_testid(parse(text(signed_in(app, "owner@acme.test").get(LIST))), "update-plan")
    assert (button.get("href"), button.get("data-kind")) == ("/w/acme/plans", kind)


def test_a_trial_says_nothing_of_places(owner):
    page = owner.get(LIST)
    assert note(page) == []
    assert locked(page, "status") == []


@pytest.mark.settings(PORTAL_LIMITS="1")
def test_the_21st_invitation_of_a_day_waits(owner, clock):
    for number in range(20):
        clock.advance_wall(seconds=1)
        assert owner.post(LIST, {"emails": f"m{number}@acme.test", "role": "member"}).status_code == 303
    assert owner.post(LIST, {"emails": "m20@acme.test", "role": "member"}).status_code == 429


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
    assert "You cannot do this to yourself." in text(answer)
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
    assert "Your plan is for 3 active users, and you have 3." in text(answer)


def test_in_a_full_plan_the_page_of_a_disabled_member_offers_a_guest_s_place(app, three):
    leo = a_member(three, a_person("leo@acme.test", name="Leo"), status=MemberStatus.DISABLED)
    for name in ("two", "three"):
        a_member(three, a_person(f"{name}@acme.test"))
    owner = signed_in(app, "owner@acme.test")
    assert rows_of(owner.get(f"{LIST}?status=disabled")) == [
        "Leo leo@acme.test Member Disabled Enable as a guest Leo"
    ]
    page = text(owner.get(f"{LIST}/{leo.id}"))
    assert "Enable as a guest" in page
    assert "Enable as a user" not in page
    assert path_of(owner.post(f"{LIST}/{leo.id}/enable", {"status": "guest"}, page=LIST)) == LIST
    assert flashes(owner.get(LIST)) == ["Leo is back as a guest."]
    assert Member.get_by_id(leo.id).status == MemberStatus.GUEST


@pytest.mark.parametrize("status", ["admin", "disabled", "", "GUEST"])
def test_a_word_that_is_no_status_enables_nobody(acme, owner, status):
    leo = a_member(acme, a_person("leo@acme.test"), status=MemberStatus.DISABLED)
    assert owner.post(f"{LIST}/{leo.id}/enable", {"status": status}, page=LIST).status_code == 422
    assert Member.get_by_id(leo.id).status == MemberStatus.DISABLED


# --- guests ---------------------------------------------------------------------------------------


def test_a_guest_finds_who_can_make_them_a_user(app, acme):
    a_member(acme, a_person("guest@acme.test"), status=MemberStatus.GUEST)
    a_member(acme, a_person("admin@acme.test", name="Ada Min"), role=Role.ADMIN)
    guest = Visitor(app)
    answer = guest.sign_in("guest@acme.test")
    assert path_of(answer) == "/w/acme/"
    page = guest.get("/w/acme/")
    assert page.status_code == 200
    assert by_testid(parse(text(page)), "guest-page")
    for name in ("Owner of Acme", "Ada Min", "admin@acme.test"):
        assert name in text(page)
    refused = guest.get("/w/acme/plans")
    assert refused.status_code == 403
    assert "You are a guest in this workspace, and guests can only view." in text(refused)
    assert "admin@acme.test" in text(refused)


def test_a_user_becomes_a_guest_and_a_user_again(app, acme, owner):
    leo = a_member(acme, a_person("leo@acme.test", name="Leo"), role=Role.ADMIN)
    page = f"{LIST}/{leo.id}"
    assert "Make Leo a guest?" in text(owner.get(f"{page}/guest"))
    assert path_of(owner.post(f"{page}/guest")) == LIST
    assert flashes(owner.get(LIST)) == ["Leo is now a guest."]
    assert signed_in(app, "leo@acme.test").get(LIST).status_code == 403
    assert path_of(owner.post(f"{LIST}/users", {"member": str(leo.id)}, page=page)) == LIST
    assert flashes(owner.get(LIST)) == ["Leo is now a user."]


def test_of_several_guests_as_many_become_users_as_fit(app, three):
    guests = [
        a_member(three, a_person(f"{name}@acme.test", name=name.title()), status=MemberStatus.GUEST)
        for name in ("ada", "bob", "cat")
    ]
    owner = signed_in(app, "owner@acme.test")
    page = owner.get(LIST)
    assert [box.get("value") for box in inputs(page, "member")] == [str(each.id) for each in reversed(guests)]
    ticked = [str(each.id) for each in guests]
    answer = owner.post(f"{LIST}/users", {"member": [*ticked, "x", "\x00", "9" * 30]}, page=LIST)
    assert path_of(answer) == LIST
    page = owner.get(LIST)
    assert flashes(page) == [
        "2 guests are now users.",
        "All user places are taken, so these people stay guests: Cat. Choose a larger plan, then try again.",
    ]
    assert [Member.get_by_id(each.id).status for each in guests] == [
        MemberStatus.ACTIVE,
        MemberStatus.ACTIVE,
        MemberStatus.GUEST,
    ]
    assert "make-users" not in text(page)
    assert "no guest can become a user" in text(page)


def test_without_a_tick_nothing_is_changed(acme, owner):
    a_member(acme, a_person("guest@acme.test"), status=MemberStatus.GUEST)
    assert path_of(owner.post(f"{LIST}/users", page=LIST)) == LIST
    assert flashes(owner.get(LIST)) == ["Nothing was changed: tick the guests who are to become users."]


# --- one member -----------------------------------------------------------------------------------


def test_a_role_is_changed_on_the_page_of_the_member(acme, owner):
    leo = a_member(acme, a_person("leo@acme.test", name="Leo"))
    page = f"{LIST}/{leo.id}"
    assert path_of(owner.post(page, {"role": "admin"})) == page
    assert flashes(owner.get(page)) == ["Leo now has this role: Administrator."]
    assert Member.get_by_id(leo.id).role == Role.ADMIN
    for role in ("emperor", "", "OWNER"):
        answer = owner.post(page, {"role": role})
        assert answer.status_code == 422
        assert by_testid(parse(text(answer)), "error-summary")


def test_an_admin_sees_no_act_that_would_be_refused(app, acme):
    a_member(acme, a_person("admin@acme.test"), role=Role.ADMIN)
    payer = a_member(acme, a_person("payer@acme.test", name="Payer"), role=Role.BILLING_MANAGER)
    Member.update(is_upgrader=True).where(Member.id == payer.id).execute()
    leo = a_member(acme, a_person("leo@acme.test", name="Leo"))
    admin = signed_in(app, "admin@acme.test")
    of_owner = text(admin.get(f"{LIST}/{Member.owners(acme).get().id}"))
    for testid in ("save-role", "make-guest", "remove", "hand-over"):
        assert testid not in of_owner
    assert "save-role" not in text(admin.get(f"{LIST}/{payer.id}"))
    of_leo = text(admin.get(f"{LIST}/{leo.id}"))
    assert "save-role" in of_leo
    assert "hand-over" not in of_leo
    assert 'value="owner"' not in of_leo
    for act in ("hand-over", "billing-access"):
        refused = admin.get(f"{LIST}/{leo.id}/{act}")
        assert refused.status_code == 403
        assert "owner@acme.test" in text(refused)


def test_nobody_acts_on_themselves(acme, owner):
    mine = Member.get()
    page = text(owner.get(f"{LIST}/{mine.id}"))
    for testid in ("save-role", "make-guest", "remove", "hand-over", "Disable"):
        assert testid not in page
    for act in ("", "/disable", "/guest", "/remove", "/hand-over"):
        answer = owner.post(f"{LIST}/{mine.id}{act}", {"role": "member", "own_role": "member"}, page=LIST)
        assert answer.status_code == 422, act
        assert "You cannot do this to yourself." in text(answer)
    assert (Member.get().role, Member.get().status) == (Role.OWNER, MemberStatus.ACTIVE)


def test_ownership_is_handed_over_and_the_giver_finds_a_page_that_is_theirs(app, acme, owner):
    leo = a_member(acme, a_person("leo@acme.test", name="Leo"))
    page = f"{LIST}/{leo.id}/hand-over"
    assert "Make Leo an owner?" in text(owner.get(page))
    assert owner.post(page, {"own_role": "emperor"}).status_code == 422
    answer = owner.post(page, {"own_role": "member"})
    assert path_of(answer) == "/w/acme/"
    assert path_of(owner.get("/w/acme/")) == "/w/acme/plans"
    assert owner.get(LIST).status_code == 403
    assert signed_in(app, "leo@acme.test").get("/w/acme/settings").status_code == 200
    assert [letter["to"] for letter in letters("owner_made")] == ["leo@acme.test"]


def test_billing_access_is_shown_and_an_owner_ends_it(app, acme, owner):
    leo = a_member(acme, a_person("leo@acme.test", name="Leo"))
    Member.update(is_upgrader=True).where(Member.id == leo.id).execute()
    assert rows_of(owner.get(LIST))[0] == "Leo leo@acme.test Member Billing access Active Disable Leo"
    page = f"{LIST}/{leo.id}"
    assert "end-billing-access" in text(owner.get(page))
    assert "End the billing access of Leo?" in text(owner.get(f"{page}/billing-access"))
    assert path_of(owner.post(f"{page}/billing-access")) == page
    assert "Billing access" not in text(owner.get(page)).partition("</main>")[0].partition("flash")[0]
    assert not Member.get_by_id(leo.id).is_upgrader


def test_a_member_is_removed_after_a_question(app, acme, owner):
    leo = a_member(acme, a_person("leo@acme.test", name="Leo"))
    visitor = signed_in(app, "leo@acme.test")
    page = f"{LIST}/{leo.id}/remove"
    assert "Remove Leo?" in text(owner.get(page))
    assert path_of(owner.post(page)) == LIST
    assert flashes(owner.get(LIST)) == ["Leo is no longer a member."]
    assert owner.get(page).status_code == 404
    assert path_of(visitor.get("/w/acme/plans")).startswith("/sign-in")


@pytest.mark.parametrize("path", ["", "/guest", "/remove", "/hand-over", "/billing-access", "/disable"])
def test_the_pages_speak_french(app, acme, path):
    leo = a_member(acme, a_person("leo@acme.test", name="Leo"))
    owner = Visitor(app, language="fr")
    owner.sign_in("owner@acme.test")
    assert '<html lang="fr"' in text(owner.get(f"{LIST}/{leo.id}{path}?lang=fr"))


def test_the_page_speaks_french(app, acme):
    owner = Visitor(app, language="fr")
    owner.sign_in("owner@acme.test")
    owner.get(f"{LIST}?lang=fr")
    assert '<html lang="fr"' in text(owner.get(LIST))


# --- a card number in the search ------------------------------------------------------------------


def test_a_card_number_is_refused_beside_the_search_and_shown_nowhere(owner):
    answer = owner.get("/w/acme/members?q=4242+4242+4242+4242")
    assert answer.status_code == 422
    assert 'aria-describedby="q-error"' in text(answer)
    assert "A card number was typed here." in text(answer)
    assert "4242" not in text(answer)
