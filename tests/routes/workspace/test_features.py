"""The services page: switches that the plan allows, saved with a word, locked with a reason."""

import pytest

from portal.database.connecting import connection
from portal.domain.vocabulary import Role
from portal.models import Member, Workspace
from tests.factories import a_member, a_person, a_workspace
from tests.pages import by_testid, parse
from tests.visitors import path_of, signed_in

# The pages; what they call is tested on both engines.
pytestmark = pytest.mark.engine("sqlite")

PAGE = "/w/acme/services"


@pytest.fixture(autouse=True)
def connected(app):
    with connection():
        yield


@pytest.fixture
def owner(app):
    a_workspace("Acme")
    return signed_in(app, "owner@acme.test")


def text(response):
    return response.get_data(as_text=True)


def switches(response):
    """`on`, `off` or `locked` by the name of each."""
    boxes = [each for each in parse(text(response)).iter("input") if each.get("type") == "checkbox"]
    return {
        box.get("name"): "locked"
        if box.get("disabled") is not None
        else "on"
        if box.get("checked") is not None
        else "off"
        for box in boxes
    }


def services():
    return Workspace.get(Workspace.slug == "acme").services


def test_each_service_has_a_switch_in_the_menu_s_page(owner):
    assert set(switches(owner.get(PAGE)).items()) == {
        (name, "off") for name in ("ldap", "sso", "automatic_backup", "custom_dns", "external_services")
    }
    menu = text(owner.get("/w/acme/plans"))
    assert menu.count(f'href="{PAGE}"') == 3, "in the menu, in the tabs and behind the gear"


def test_switches_are_saved_and_shown(owner):
    assert path_of(owner.post(PAGE, {"shown": "", "sso": "y", "ldap": "y"})) == PAGE
    page = owner.get(PAGE)
    assert "The services are saved." in text(page)
    assert services() == ["ldap", "sso"]
    assert switches(page)["sso"] == "on"
    owner.post(PAGE, {"shown": "ldap sso", "sso": "y"})
    assert services() == ["sso"]
    owner.post(PAGE, {"shown": "sso", "sso": "y"})
    assert "Nothing was changed." in text(owner.get(PAGE))


def test_what_the_plan_lacks_is_locked_and_refused_by_name(app):
    a_workspace("Acme", plan="startup")
    owner = signed_in(app, "owner@acme.test")
    page = owner.get(PAGE)
    assert set(switches(page).values()) == {"locked"}
    assert text(page).count("Not included in the Startup plan.") == 5
    answer = owner.post(PAGE, {"shown": "", "ldap": "y"})
    assert answer.status_code == 422
    assert "LDAP directory: not included in the Startup plan." in text(answer)
    assert by_testid(parse(text(answer)), "error-summary")
    assert services() == []


def test_what_the_plan_no_longer_includes_can_be_switched_off(app):
    a_workspace("Acme", plan="startup")
    Workspace.update(services=["ldap", "sso"]).execute()
    owner = signed_in(app, "owner@acme.test")
    page = owner.get(PAGE)
    assert (switches(page)["ldap"], switches(page)["custom_dns"]) == ("on", "locked")
    assert "Once it is off, you cannot switch it on again." in text(page)
    owner.post(PAGE, {"shown": "ldap sso", "sso": "y"})
    assert services() == ["sso"]
    assert switches(owner.get(PAGE))["ldap"] == "locked"


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.OWNER, 200), (Role.ADMIN, 200), (Role.BILLING_MANAGER, 403), (Role.MEMBER, 403)],
)
def test_owners_and_admins_switch_services(app, owner, role, status):
    acme = Workspace.get(Workspace.slug == "acme")
    a_member(acme, a_person("leo@acme.test"), role=role)
    leo = signed_in(app, "leo@acme.test")
    assert leo.get(PAGE).status_code == status
    answer = leo.post(PAGE, {"shown": "", "sso": "y"}, page="/me")
    assert answer.status_code == (303 if status == 200 else 403)
    assert services() == (["sso"] if status == 200 else [])
    assert Member.select().count() == 2


@pytest.mark.parametrize("shown", ["emperor", "\x00", "ldap" * 500, "sso sso ,,, LDAP"])
def test_a_made_up_list_of_what_was_shown_breaks_nothing(owner, shown):
    assert owner.post(PAGE, {"shown": shown}).status_code in (303, 422)
    assert services() == []
