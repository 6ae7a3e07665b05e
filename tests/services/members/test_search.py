"""Searching members and workspaces: capitals and accents do not matter, alike on both engines."""

from dataclasses import replace

import pytest

from portal.database.connecting import transaction
from portal.domain.vocabulary import Role
from portal.models import Person, Workspace
from portal.runtime import current
from portal.services import operator
from portal.services.members import invitations, roster
from portal.services.people import account, own_email
from portal.services.workspace import settings as workspace_settings
from tests.factories import PASSWORD, a_member, a_person, a_workspace, mailed_path, owner_of, seen_by

pytestmark = pytest.mark.usefixtures("runtime")

FOUND = [
    # what the person is called, what is typed
    ("Élodie Durand", "elodie"),
    ("Elodie Durand", "ÉLODIE"),
    ("Straßer", "STRASSER"),
    ("İpek Yılmaz", "ipek yilmaz"),
    ("Œuvre Sociale", "oeuvre"),
    ("Ａｄａ", "ada"),
    ("Łukasz", "lukasz"),
    ("Ada\u00a0Lovelace", "ada love"),
    ("100% Pur", "100%"),
    ("a_b", "a_b"),
]
NOT_FOUND = [("Ada", "%"), ("Ada", "_da"), ("Ada", "A%a"), ("Ada", "\\"), ("axb", "a_b")]


def now():
    return current().clock.now()


@pytest.mark.parametrize(("name", "typed"), FOUND)
def test_members_and_workspaces_are_found_however_they_are_written(name, typed):
    acme = a_workspace(name.replace("\u00a0", " "), owner=a_person("owner@other.test", name="Somebody"))
    a_member(acme, a_person("x1@acme.test", name=name))
    assert [row.name for row in roster.list_members(acme, search=typed).rows] == [name]
    assert len(operator.workspaces(search=typed, before=None, size=5, now=now()).rows) == 1


@pytest.mark.parametrize(("name", "typed"), NOT_FOUND)
def test_what_is_typed_is_no_pattern(name, typed):
    acme = a_workspace("Zenith", owner=a_person("owner@other.test", name="Somebody"))
    a_member(acme, a_person("x1@acme.test", name=name))
    assert roster.list_members(acme, search=typed).rows == []
    assert operator.workspaces(search=typed, before=None, size=5, now=now()).rows == []


def test_an_address_with_an_accent_is_found_without_it():
    acme = a_workspace()
    a_member(acme, a_person("bob@m\u00fcller.example", name="Bob"))
    assert len(roster.list_members(acme, search="muller").rows) == 1


def test_every_change_of_a_name_or_an_address_is_found_at_once():
    acme = a_workspace()
    owner = owner_of(acme)
    place = seen_by(owner, acme)
    account.save_profile(owner, name="Renée", language="fr", now=now())
    named = {"leo@acme.test": "L\u00e9o"}
    invitations.invite(place, emails=list(named), names=named, role=Role.MEMBER, now=now())
    shown = workspace_settings.settings_of(acme)
    wanted = replace(shown, name="\u00c9t\u00e9")
    workspace_settings.change(acme, wanted, shown_version=shown.version, now=now())
    own_email.ask(Person.get_by_id(owner.id), email="new@m\u00fcller.example", password=PASSWORD, now=now())
    own_email.confirm(mailed_path("new_email").rpartition("/")[2], keep_session=None, now=now())
    with transaction():
        person = Person.get(Person.email == "leo@acme.test")
        person.name = "L\u00e9on"
        person.save(only=[Person.name])
    rows = {row.email: (row.folded_name, row.folded_email) for row in Person.select()}
    assert rows == {
        "new@m\u00fcller.example": ("renee", "new@muller.example"),
        "leo@acme.test": ("leon", "leo@acme.test"),
    }
    assert Workspace.get().folded_name == "ete"
