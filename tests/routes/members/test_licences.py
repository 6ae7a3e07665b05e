"""The licences page: who holds which, assigned and taken back, given to somebody else, by whom it may be."""

import pytest

from portal.database.connecting import connection
from portal.domain.vocabulary import MemberStatus, Role
from portal.models import Licence, Member, Subscription
from portal.runtime import current
from tests.attackers import PART
from tests.factories import a_member, a_person, a_workspace, owner_of, seen_by
from tests.licensed import tried
from tests.pages import by_testid, csrf_of, parse
from tests.visitors import Visitor, signed_in

# The pages; what they call is tested on both engines.
pytestmark = pytest.mark.engine("sqlite")

PAGE = "/w/acme/licences"
MEETINGS = f"{PAGE}/meetings"


@pytest.fixture(autouse=True)
def connected(app):
    with connection():
        yield


@pytest.fixture
def acme(app):
    return a_workspace("Acme")


@pytest.fixture
def owner(app, acme) -> Visitor:
    return signed_in(app, "owner@acme.test")


@pytest.fixture
def meetings(acme) -> Subscription:
    """Three licences, on trial."""
    return tried(seen_by(owner_of(acme), acme), quantity=3)


@pytest.fixture
def team(acme) -> list[Member]:
    return [
        a_member(acme, a_person(f"{name}@acme.test", name=name.title())) for name in ("ana", "bea", "cyd")
    ]


def give(subscription, *members) -> None:
    for member in members:
        Licence.create(subscription=subscription, member=member, assigned_at=current().clock.now())


def holders() -> set[int]:
    return {row.member_id for row in Licence.select()}


def text(answer) -> str:
    return " ".join(answer.get_data(as_text=True).split())


def rows(answer) -> list[str]:
    page = parse(answer.get_data(as_text=True))
    return [" ".join(" ".join(row.itertext()).split()) for row in by_testid(page, "licence-row")]


def said(answer, testid) -> list[str]:
    page = parse(answer.get_data(as_text=True))
    return [" ".join(" ".join(each.itertext()).split()) for each in by_testid(page, testid)]


def ticked(answer) -> set[str]:
    boxes = parse(answer.get_data(as_text=True)).iter("input")
    return {
        box.get("value") for box in boxes if box.get("name") == "member" and box.get("checked") is not None
    }


def ids(members) -> list[str]:
    return [str(member.id) for member in members]


def members_of(members) -> set[int]:
    return {member.id for member in members}


# --- who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "manages"),
    [(Role.OWNER, True), (Role.ADMIN, True), (Role.BILLING_MANAGER, False), (Role.MEMBER, False)],
)
def test_owners_and_admins_assign(app, acme, meetings, team, role, manages) -> None:
    a_member(acme, a_person("leo@acme.test"), role=role)
    give(meetings, team[0])
    visitor = signed_in(app, "leo@acme.test")
    page = visitor.get(PAGE)
    assert page.status_code == 200
    assert bool(rows(page)) == manages
    for path in ("assign", "take-back", f"{team[0].id}/reassign"):
        fields = {"member": ids(team), "to": ids(team)[1]}
        answer = visitor.post(f"{MEETINGS}/{path}", fields, page=PAGE)
        assert answer.status_code == (303 if manages else 403), path
        if not manages:
            assert "owner@acme.test" in text(answer)
            assert holders() == {team[0].id}
        give(meetings, *[member for member in team[:1] if member.id not in holders()])


def test_whoever_has_one_and_whoever_has_none_read_so_and_whom_to_ask(app, acme, meetings, team) -> None:
    tried(seen_by(owner_of(acme), acme), "webinar-standard")
    give(meetings, team[0])
    for member, words in (
        (team[0], "You have a licence for Meetings."),
        (team[1], "You have no licence for"),
    ):
        page = signed_in(app, member.person.email).get(PAGE)
        assert words in text(page)
        assert "You have no licence for Webinar." in text(page)
        assert "owner@acme.test" in text(page)
        assert "bea@acme.test" not in text(page), "nobody else is named"


def test_a_guest_reads_what_they_hold(app, acme, meetings) -> None:
    guest = a_member(acme, a_person("guest@acme.test"), status=MemberStatus.GUEST)
    give(meetings, guest)
    assert "You have a licence for Meetings." in text(signed_in(app, "guest@acme.test").get(PAGE))


def test_without_a_product_the_page_says_so(app, acme, owner, team) -> None:
    assert "No licences" in text(owner.get(PAGE))
    assert "no product for which you would need" in text(signed_in(app, "ana@acme.test").get(PAGE))


def test_another_workspace_s_product_and_members_do_not_exist(acme, owner, meetings, team) -> None:
    other = a_workspace("Other", owner=a_person("owner@other.test"))
    stranger = a_member(other, a_person("stranger@other.test"))
    tried(seen_by(owner_of(other), other), "webinar-standard", quantity=2)
    give(meetings, team[0])
    assert owner.get(f"{PAGE}?product=webinar").status_code == 404
    for product in ("webinar", "office", "nothing"):
        assert owner.post(f"{PAGE}/{product}/assign", {"only": ids(team)[0]}, page=PAGE).status_code == 404
    for number in (str(stranger.id), "99999", "x", ""):
        for path in ("assign", "take-back"):
            answer = owner.post(f"{MEETINGS}/{path}", {"only": number}, page=PAGE)
            assert answer.status_code == 404, (path, number)
    assert owner.get(f"{MEETINGS}/{stranger.id}/reassign").status_code == 404
    path = f"{MEETINGS}/{team[0].id}/reassign"
    assert owner.post(path, {"to": str(stranger.id)}, page=PAGE).status_code == 404
    many = owner.post(f"{MEETINGS}/assign", {"member": [str(stranger.id), *ids(team[1:])]}, page=PAGE)
    assert many.status_code == 409
    assert "disabled, or no members any more" in text(many)
    assert "stranger@other.test" not in text(many)
    assert holders() == {team[0].id}


# --- the list -------------------------------------------------------------------------------------


def test_it_shows_the_figures_and_who_holds_one(owner, acme, meetings, team) -> None:
    give(meetings, team[0])
    page = owner.get(PAGE)
    assert said(page, "assigned") == ["1 of 3"]
    assert said(page, "free") == ["Free: 2"]
    assert [row.split()[0] for row in rows(page)[:3]] == ["Cyd", "Bea", "Ana"]
    assert "Licence assigned" in rows(page)[2]
    assert "Licence assigned" not in rows(page)[0]
    assert said(page, "licence-products") == [], "one product needs no table"


def test_each_product_has_its_list(owner, acme, meetings, team) -> None:
    webinar = tried(seen_by(owner_of(acme), acme), "webinar-standard", quantity=1)
    give(webinar, team[2])
    assert "Meetings" in said(owner.get(PAGE), "licence-products")[0]
    page = owner.get(f"{PAGE}?product=webinar")
    assert said(page, "assigned") == ["1 of 1"]
    assert "Licence assigned" in rows(page)[0]


def test_it_is_searched_and_sorted_by_who_has_one(owner, meetings, team) -> None:
    give(meetings, team[0])
    assert len(rows(owner.get(f"{PAGE}?holds=with"))) == 1
    assert len(rows(owner.get(f"{PAGE}?holds=without"))) == 3
    assert len(rows(owner.get(f"{PAGE}?q=BEA"))) == 1
    assert "No one by that name" in text(owner.get(f"{PAGE}?q=zzz"))
    refused = owner.get(f"{PAGE}?q=4242424242424242")
    assert refused.status_code == 422
    assert "4242424242424242" not in text(refused)


def test_older_members_are_on_the_next_page(owner, acme, meetings) -> None:
    for number in range(55):
        a_member(acme, a_person(f"m{number}@acme.test", password=False), status=MemberStatus.GUEST)
    page = owner.get(PAGE)
    [older] = [link.get("href") for link in parse(page.text).iter("a") if "before=" in link.get("href", "")]
    assert (len(rows(page)), len(rows(owner.get(older)))) == (50, 6)


# --- assigning and taking back --------------------------------------------------------------------


def test_by_the_button_of_a_row(owner, meetings, team) -> None:
    fields = {"only": ids(team)[0], "member": ids(team[1:]), "q": "a", "holds": "without", "free": "3"}
    answer = owner.post(f"{MEETINGS}/assign?before=999", fields, page=PAGE)
    assert answer.status_code == 303
    # The list where the reader was.
    assert answer.headers["Location"] == f"{PAGE}?product=meetings&q=a&holds=without&before=999"
    assert holders() == {team[0].id}, "the boxes do not count"
    assert said(owner.get(PAGE), "flash") == ["Ana now has a licence."]
    owner.post(f"{MEETINGS}/take-back", {"only": ids(team)[0]}, page=PAGE)
    assert holders() == set()
    assert said(owner.get(PAGE), "flash") == ["The licence of Ana is free again."]


def test_many_at_once(owner, meetings, team) -> None:
    owner.post(f"{MEETINGS}/assign", {"member": ids(team)}, page=PAGE)
    assert holders() == members_of(team)
    assert said(owner.get(PAGE), "flash") == ["3 members now have a licence."]
    owner.post(f"{MEETINGS}/take-back", {"member": ids(team[1:])}, page=PAGE)
    assert holders() == {team[0].id}
    assert said(owner.get(PAGE), "flash") == ["2 licences are free again."]


def test_twice_changes_nothing_more(owner, meetings, team) -> None:
    for words in ("Ana now has a licence.", "They had a licence already."):
        owner.post(f"{MEETINGS}/assign", {"only": ids(team)[0]}, page=PAGE)
        assert said(owner.get(PAGE), "flash") == [words]
    for words in ("The licence of Ana is free again.", "They had no licence any more."):
        owner.post(f"{MEETINGS}/take-back", {"only": ids(team)[0]}, page=PAGE)
        assert said(owner.get(PAGE), "flash") == [words]


def test_too_many_are_refused_with_both_figures_and_stay_ticked(owner, meetings, team) -> None:
    give(meetings, team[0])
    everybody = ids(Member.select())
    answer = owner.post(f"{MEETINGS}/assign", {"member": everybody, "free": "2"}, page=PAGE)
    assert answer.status_code == 422
    assert "3 licences were to be assigned. 2 are free." in text(answer)
    assert ticked(answer) == set(everybody)
    assert holders() == {team[0].id}


def test_somebody_was_faster(owner, meetings, team) -> None:
    give(meetings, team[0])
    fields = {"member": ids(Member.select()), "free": "3"}
    answer = owner.post(f"{MEETINGS}/assign", fields, page=PAGE)
    assert answer.status_code == 409
    words = "when you opened this page 3 licences were free. Now 2 are free. 3 licences were to be assigned."
    assert words in text(answer)
    assert said(answer, "free") == ["Free: 2"]
    assert holders() == {team[0].id}


@pytest.mark.parametrize("chosen", [{}, {"member": "x"}, {"member": ["", "-1", "1 OR 1"]}])
def test_nobody_chosen_is_refused_in_words(owner, meetings, team, chosen) -> None:
    for path in ("assign", "take-back"):
        answer = owner.post(f"{MEETINGS}/{path}", chosen, page=PAGE)
        assert answer.status_code == 422
        assert "select the members first" in text(answer)


def test_more_than_a_page_holds_are_refused(owner, meetings, team) -> None:
    chosen = {"member": [str(number) for number in range(1, 60)]}
    assert owner.post(f"{MEETINGS}/assign", chosen, page=PAGE).status_code == 422
    assert holders() == set()


def test_what_has_ended_is_taken_back_and_not_assigned(owner, meetings, team, clock) -> None:
    give(meetings, *team[:2])
    clock.advance(days=20)
    page = owner.get(PAGE)
    assert "This product has ended: no licence can be assigned." in text(page)
    assert by_testid(parse(page.text), "assign-selected") == []
    answer = owner.post(f"{MEETINGS}/assign", {"only": ids(team)[2], "free": "1"}, page=PAGE)
    assert answer.status_code == 409
    answer = owner.post(f"{MEETINGS}/{team[0].id}/reassign", {"to": ids(team)[2]}, page=PAGE)
    assert answer.status_code == 409
    assert owner.post(f"{MEETINGS}/take-back", {"only": ids(team)[0]}, page=PAGE).status_code == 303
    assert holders() == {team[1].id}
    assert 'type="checkbox"' in owner.get(PAGE).text
    owner.post(f"{MEETINGS}/take-back", {"only": ids(team)[1]}, page=PAGE)
    # Nothing can be done with a tick any more.
    assert 'type="checkbox"' not in owner.get(PAGE).text


def test_with_htmx_the_part_says_what_was_done(owner, meetings, team) -> None:
    page = owner.get(PAGE)
    answer = owner.client.post(
        f"{MEETINGS}/assign",
        data={"csrf_token": csrf_of(page.text), "only": ids(team)[0], "free": "3"},
        headers={**PART, "HX-Target": "div#product_licences"},
    )
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<div id="product_licences"')
    assert "Ana now has a licence." in text(answer)
    assert ">1 of 3<" in text(answer)


# --- to somebody else -----------------------------------------------------------------------------


def test_a_licence_is_given_to_somebody_else(owner, meetings, team) -> None:
    give(meetings, team[0], team[1])
    path = f"{MEETINGS}/{team[0].id}/reassign"
    page = owner.get(path)
    assert "Cyd" in text(page)
    offered = {each.get("value") for each in parse(page.text).iter("input") if each.get("name") == "to"}
    assert str(team[1].id) not in offered, "who has one is not offered one"
    answer = owner.post(path, {"to": ids(team)[2]})
    assert answer.status_code == 303
    assert holders() == {team[1].id, team[2].id}
    assert said(owner.get(PAGE), "flash") == ["The licence of Ana is now that of Cyd."]


def test_what_cannot_be_given_says_why(owner, meetings, team) -> None:
    give(meetings, team[0], team[1])
    path = f"{MEETINGS}/{team[0].id}/reassign"
    assert owner.post(path).status_code == 422
    taken = owner.post(path, {"to": ids(team)[1]})
    assert (taken.status_code, "has a licence of their own already" in text(taken)) == (409, True)
    Licence.delete().where(Licence.member == team[0]).execute()
    gone = owner.post(path, {"to": ids(team)[2]}, page=PAGE)
    assert (gone.status_code, "somebody took it back" in text(gone)) == (409, True)
    assert owner.get(path).status_code == 303
    assert holders() == {team[1].id}


# --- members who go -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["disable", "remove"])
def test_whoever_asks_to_disable_or_remove_is_told_of_the_licences(owner, meetings, team, path) -> None:
    give(meetings, team[0])
    words = "Their licences become free."
    assert words in text(owner.get(f"/w/acme/members/{team[0].id}/{path}"))
    assert words not in text(owner.get(f"/w/acme/members/{team[1].id}/{path}"))
    assert owner.post(f"/w/acme/members/{team[0].id}/{path}").status_code == 303
    assert holders() == set()
