"""What is kept of a person, as they get it: complete, and without a secret."""

import json

from peewee import ForeignKeyField

from portal.domain.vocabulary import LinkPurpose, Role
from portal.models import (
    ALL_MODELS,
    AuditTrace,
    CartLine,
    Contact,
    ExchangeRate,
    Licence,
    Link,
    Member,
    MethodSetup,
    NonprofitRequest,
    Order,
    PaymentMethod,
    Person,
    PurchaseRequest,
    Refund,
    Session,
    UnsentForm,
)
from portal.services.billing import contacts
from portal.services.members import invitations
from portal.services.people import own_email, personal_data, signing_in
from portal.services.people.account import save_profile
from tests import paying
from tests.factories import (
    PASSWORD,
    a_member,
    a_nonprofit_request,
    a_person,
    a_workspace,
    seen_by,
    shared_hash,
)
from tests.licensed import bought

ADDRESS = "serine@canary.test"
PARTS_OF_COLUMNS = {
    Member.person: "memberships",
    Contact.added_by: "contacts",
    Session.person: "sessions",
    Link.person: "links",
    UnsentForm.person: "unsent_forms",
    PaymentMethod.added_by: "payment_methods",
    MethodSetup.person: "saved_method_attempts",
    Licence.assigned_by: "licences",
    Order.person: "orders",
    CartLine.added_by: "cart_lines",
    PurchaseRequest.asker: "purchase_requests",
    PurchaseRequest.decided_by: "purchase_requests",
    Refund.person: "refunds",
    ExchangeRate.added_by: "exchange_rates",
    NonprofitRequest.decided_by: "nonprofit_requests",
    AuditTrace.person: "audit",
}
"""Where each column that names a person comes out; a new one has to be exported, and erased, too."""


def exported(clock, email=ADDRESS):
    found = personal_data.export(email, now=clock.now())
    return found if found is None else json.loads(json.dumps(found))


def test_every_column_that_names_a_person_is_exported(place, clock):
    columns = {
        field
        for model in ALL_MODELS
        for field in model._meta.sorted_fields
        if isinstance(field, ForeignKeyField) and field.rel_model is Person
    }
    assert columns == set(PARTS_OF_COLUMNS)
    person = place.member.person
    assert set(PARTS_OF_COLUMNS.values()) <= set(exported(clock, person.email))


def test_it_is_all_there_and_no_secret(place, clock):
    serine = a_person(ADDRESS, name="Sérine Kanarievogel")
    hers = seen_by(serine, a_member(place.workspace, serine, role=Role.OWNER).workspace)
    a_member(a_workspace("Elsewhere"), serine, joined=False)
    paying.pay(paying.an_order(hers, first_name="Sérine", email=ADDRESS), auto_renewal=True)
    bought(place)
    Session.create(
        token_hash="0" * 64,
        person=serine,
        stored={"csrf": "secret-of-a-session"},
        ip_address="198.51.100.7",
        user_agent="Firefox",
        created_at=clock.wall(),
        seen_at=clock.wall(),
    )
    own_email.ask(serine, email="new@canary.test", password=PASSWORD, now=clock.now())
    signing_in.request_link(ADDRESS, LinkPurpose.MAGIC)
    save_profile(serine, name="Sérine Kanarievogel", language="fr", now=clock.now())
    a_nonprofit_request("Elsewhere e.V.", email=ADDRESS)
    found = exported(clock)
    assert (found["version"], found["made_at"], found["email"]) == (1, clock.now().isoformat(), ADDRESS)
    assert (found["account"]["name"], found["account"]["has_password"]) == ("Sérine Kanarievogel", True)
    assert [each["workspace"] for each in found["memberships"]] == ["acme"]
    assert [each["workspace"] for each in found["invitations"]] == ["elsewhere"]
    assert [each["email"] for each in found["addresses"]] == [ADDRESS, "new@canary.test"]
    assert found["sessions"][0]["ip_address"] == "198.51.100.7"
    assert found["orders"][0]["billing_details"]["first_name"] == "Sérine"
    assert [each["state"] for each in found["payments"]] == ["succeeded"]
    assert [each["last4"] for each in found["payment_methods"]] == ["4242"]
    assert found["billing_details"] == [], "somebody else's were typed last"
    assert [each["organisation"] for each in found["nonprofit_requests"]] == ["Elsewhere e.V."]
    assert [each["action"] for each in found["settings_changes"]] == ["person.profile_changed"]
    assert {"magic_link", "nonprofit_received"} <= {each["letter"] for each in found["letters"]}
    assert "person.email_change_asked" in [each["action"] for each in found["audit"] if each["was_theirs"]]
    text = json.dumps(found)
    for secret in (shared_hash(), "0" * 64, "secret-of-a-session", "/sign-in/link/", "token_hash"):
        assert secret not in text


def test_nobody_else_is_in_it(place, clock):
    serine = a_person(ADDRESS, name="Sérine Kanarievogel")
    a_member(place.workspace, serine)
    paying.buy(place)
    contacts.add_address(place, "books@accountant.test", language="en", now=clock.now())
    text = json.dumps(exported(clock))
    for other in ("Jeanne", "jeanne", "accountant", "4242"):
        assert other not in text


def test_a_contact_and_an_old_invitation_have_theirs(place, clock):
    contacts.add_address(place, "books@accountant.test", language="en", now=clock.now())
    found = exported(clock, "Books@accountant.test")
    assert found["account"] is None
    assert [each["workspace"] for each in found["contacts"]] == ["acme"]
    assert [each["letter"] for each in found["letters"]] == ["contact_confirmation"]
    invitations.invite(place, emails=["finch@acme.test"], role=Role.MEMBER, now=clock.now())
    assert exported(clock, "finch@acme.test")["invitations"][0]["workspace"] == "acme"
    assert exported(clock, "nobody@nowhere.test") is None
