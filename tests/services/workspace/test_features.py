"""Services are switched on within the plan, off always, and nobody undoes another's switch."""

import pytest

from portal.domain.vocabulary import Service
from portal.models import AuditEntry, Workspace
from portal.runtime import current
from portal.services.workspace import features
from portal.services.workspace.features import ServicesNotIncluded
from tests.factories import a_workspace

pytestmark = pytest.mark.usefixtures("runtime")


def switch(workspace, *, shown=(), wanted=()):
    return features.switch(workspace, shown=shown, wanted=wanted, now=current().clock.now())


def on(workspace):
    return features.services_of(Workspace.get_by_id(workspace.id))


def test_a_new_workspace_has_everything_off():
    assert on(a_workspace()) == frozenset()


def test_switches_are_kept_with_a_trace_of_what_changed():
    acme = a_workspace()
    assert switch(acme, wanted=[Service.SSO, Service.LDAP]) == {Service.SSO, Service.LDAP}
    assert Workspace.get_by_id(acme.id).services == ["ldap", "sso"]
    assert switch(acme, shown=on(acme), wanted=[Service.SSO]) == {Service.LDAP}
    assert on(acme) == {Service.SSO}
    traces = AuditEntry.select().where(AuditEntry.action == "workspace.services_changed")
    assert [entry.changes for entry in traces] == [{"ldap": True, "sso": True}, {"ldap": False}]


def test_saving_the_same_again_leaves_no_trace():
    acme = a_workspace()
    switch(acme, wanted=[Service.SSO])
    assert switch(acme, shown=[Service.SSO], wanted=[Service.SSO]) == frozenset()
    assert AuditEntry.select().where(AuditEntry.action == "workspace.services_changed").count() == 1


def test_two_people_at_once_never_undo_each_others_switches():
    """Both saw everything off; the second form does not say anything about what the first turned."""
    acme = a_workspace()
    switch(acme, wanted=[Service.SSO])
    switch(acme, wanted=[Service.LDAP])
    assert on(acme) == {Service.SSO, Service.LDAP}
    switch(acme, shown=[Service.LDAP], wanted=[])
    assert on(acme) == {Service.SSO}


def test_what_the_plan_lacks_is_switched_off_and_never_on():
    acme = a_workspace(plan="startup")
    with pytest.raises(ServicesNotIncluded) as refusal:
        switch(acme, wanted=[Service.SSO, Service.LDAP])
    assert refusal.value.services == {Service.SSO, Service.LDAP}
    assert on(acme) == frozenset()
    Workspace.update(services=["ldap", "sso"]).execute()
    switch(acme, shown=[Service.LDAP, Service.SSO], wanted=[Service.SSO])
    assert on(acme) == {Service.SSO}, "what is on already may stay"
