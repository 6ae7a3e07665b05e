"""Settings of the workspace: who may change them, what is kept, and what two people do to each other."""

import pytest

from portal.domain.vocabulary import Role, SessionBinding
from portal.models import AuditEntry, Workspace
from portal.services.workspace import settings as workspace_settings
from portal.services.workspace.settings import SettingsChanged, WorkspaceSettings
from tests.factories import a_member, a_person, a_workspace, owner_of
from tests.pages import by_testid, csrf_of, parse, text_of
from tests.visiting import facts, post_form, visit_as

ADDRESS = "/w/acme/settings"
FIELDS = {
    "name": "Acme Nouvelle",
    "time_zone": "America/Montreal",
    "language": "fr",
    "currency": "USD",
}


@pytest.fixture
def owner(app, client):
    """The browser of Acme's owner."""
    with facts(app):
        visit_as(client, owner_of(a_workspace()))
    return client


def version_of(html: str) -> str:
    fields = {field.get("name"): field.get("value") for field in parse(html).iter("input")}
    return fields["version"]


def save(client, **changed):
    """Send the form as it stands on the page, with some fields changed."""
    version = version_of(client.get(ADDRESS).text)
    return post_form(client, ADDRESS, **{"version": version, **FIELDS, **changed})


def settings_now(app) -> WorkspaceSettings:
    with facts(app):
        return workspace_settings.settings_of(Workspace.get(Workspace.slug == "acme"))


def test_everything_is_saved_and_written_down(app, owner) -> None:
    answer = save(owner)
    assert (answer.status_code, answer.location) == (303, ADDRESS)
    assert settings_now(app) == WorkspaceSettings(
        name="Acme Nouvelle",
        time_zone="America/Montreal",
        language="fr",
        currency="USD",
    )
    with facts(app):
        entry = AuditEntry.get(AuditEntry.action == "workspace.settings_changed")
        assert entry.changes["name.changed"] is True
        assert "Acme" not in str(entry.changes)
        assert entry.changes["currency.after"] == "USD"
        assert "customer_number" not in entry.changes
    page = parse(owner.get(ADDRESS).text)
    assert by_testid(page, "flash")
    assert "C-000001" in text_of(page)


@pytest.mark.settings(PORTAL_SESSION_BINDING="network")
def test_an_owner_asks_for_stricter_sessions_and_never_for_looser_ones(app, owner) -> None:
    selects = parse(owner.get(ADDRESS).text).iter("select")
    select = next(each for each in selects if each.get("name") == "session_binding")
    assert [option.get("value") for option in select.iter("option")] == ["", "strict"]
    assert save(owner, session_binding="off").status_code == 422
    assert save(owner, session_binding="strict").status_code == 303
    assert settings_now(app).session_binding == SessionBinding.STRICT
    assert save(owner, session_binding="").status_code == 303
    assert settings_now(app).session_binding is None


@pytest.mark.settings(PORTAL_SESSION_BINDING="strict")
def test_where_nothing_is_stricter_the_form_does_not_ask_and_keeps_what_was_chosen(app, owner) -> None:
    with facts(app):
        Workspace.update(session_binding=SessionBinding.NETWORK).execute()
    assert "session_binding" not in owner.get(ADDRESS).text
    assert save(owner, session_binding="off").status_code == 303
    assert settings_now(app).session_binding == SessionBinding.NETWORK


def test_saving_what_stands_changes_nothing(app, owner) -> None:
    before = settings_now(app)
    unchanged = {
        "name": before.name,
        "time_zone": before.time_zone,
        "language": before.language,
        "currency": before.currency,
    }
    version = version_of(owner.get(ADDRESS).text)
    assert post_form(owner, ADDRESS, version=version, **unchanged).status_code == 303
    with facts(app):
        assert not AuditEntry.select().where(AuditEntry.action == "workspace.settings_changed").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " \u200b "),
        ("name", "x" * 201),
        ("name", "Acme\x00"),
        ("name", "Acme\u202egnp"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("language", "de"),
        ("currency", "XXX"),
        ("currency", "usd"),
    ],
)
def test_wrong_input_is_refused_beside_its_field(app, owner, field, value) -> None:
    before = settings_now(app)
    answer = save(owner, **{field: value})
    page = parse(answer.text)
    assert answer.status_code == 422
    assert by_testid(page, "error-summary")
    assert settings_now(app) == before
    typed = {control.get("name"): control.get("value") for control in page.iter("input")}
    assert typed["name"] == FIELDS["name"] or field == "name"


def test_the_second_of_two_is_shown_both_values(app, owner) -> None:
    """Two owners open the page; the first saves, the second is refused, looks, and saves knowingly."""
    html = owner.get(ADDRESS + "?lang=en").text
    shown, token = version_of(html), csrf_of(html)
    assert save(owner, name="Acme First").status_code == 303
    mine = {**FIELDS, "name": "Acme Second", "csrf_token": token}
    refused = owner.post(ADDRESS, data={**mine, "version": shown})
    assert refused.status_code == 409
    assert settings_now(app).name == "Acme First"
    said = text_of(parse(refused.text))
    assert "Acme First" in said and "Acme Second" in said
    again = owner.post(ADDRESS, data={**mine, "version": version_of(refused.text)})
    assert again.status_code == 303
    assert settings_now(app).name == "Acme Second"


def test_the_service_refuses_what_was_not_shown(app, owner, clock) -> None:
    with facts(app):
        acme = Workspace.get(Workspace.slug == "acme")
        wanted = workspace_settings.settings_of(acme)
        with pytest.raises(SettingsChanged) as refusal:
            workspace_settings.change(acme, wanted, shown_version="x", now=clock.now())
        assert refusal.value.current == wanted


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("version", ["", "x" * 100_000, "\x00"])
def test_a_forged_version_is_no_longer_current(app, owner, version) -> None:
    before = settings_now(app)
    assert post_form(owner, ADDRESS, **{**FIELDS, "version": version}).status_code in (409, 422)
    assert settings_now(app) == before


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("role", [Role.ADMIN, Role.BILLING_MANAGER, Role.MEMBER])
def test_others_are_told_who_can(app, client, role) -> None:
    with facts(app):
        acme = a_workspace()
        leo = a_person("leo@acme.test", name="Leo")
        a_member(acme, leo, role=role)
        visit_as(client, leo)
    assert "Owner of Acme" in client.get(ADDRESS).text
    answer = post_form(client, ADDRESS, shown_at="/me", **FIELDS)
    assert answer.status_code == 403
    assert settings_now(app).name == "Acme"


@pytest.mark.engine("sqlite")
def test_strangers_find_nothing(app, client) -> None:
    with facts(app):
        a_workspace()
        visit_as(client, a_person("stranger@globex.test"))
    assert client.get(ADDRESS).status_code == 404
    assert post_form(client, ADDRESS, shown_at="/me", **FIELDS).status_code == 404


@pytest.mark.engine("sqlite")
def test_without_a_token_nothing_is_saved(app, owner) -> None:
    assert owner.post(ADDRESS, data=FIELDS).status_code == 400
    assert settings_now(app).name == "Acme"


@pytest.mark.engine("sqlite")
def test_a_zone_that_the_list_lacks_stays_what_it_is(app, owner) -> None:
    with facts(app):
        Workspace.update(time_zone="CET").where(Workspace.slug == "acme").execute()
    assert save(owner, time_zone="CET").status_code == 303
    assert settings_now(app).time_zone == "CET"


def test_a_name_that_invoices_cannot_show_is_refused(app, owner) -> None:
    answer = save(owner, name="Acme 𓀀")
    assert answer.status_code == 422
    assert "Invoices cannot show 𓀀. Use other characters here." in answer.text
    assert settings_now(app).name != "Acme 𓀀"
