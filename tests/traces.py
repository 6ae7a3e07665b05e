"""Somebody who left traces in every table that knows people, for tests of what is kept of them."""

from typing import Any

from portal.database.connecting import transaction
from portal.domain.vocabulary import LinkPurpose, Role
from portal.models import (
    AuditEntry,
    AuditTrace,
    CalendarAddress,
    ChangeNotice,
    MethodSetup,
    PaymentMethod,
    Person,
    Plan,
    Price,
    PurchaseRequest,
    PurchaseRequestLine,
    Session,
    UnsentForm,
)
from portal.services import letters as services_letters
from portal.services.billing import contacts
from portal.services.members import invitations
from portal.services.people import own_email, signing_in
from portal.services.places import Place
from portal.services.subscriptions import licences
from tests import paying
from tests.factories import (
    PASSWORD,
    a_contact,
    a_member,
    a_nonprofit_request,
    a_person,
    a_workspace,
    seen_by,
)
from tests.licensed import bought

ADDRESS = "serine@canary.test"
CANARIES = (
    "Sérine",
    "S\\u00e9rine",
    "serine@canary.test",
    "Serine@Canary.test",
    "Kanarievogel",
    "new@canary.test",
    "198.51.100.7",
    "Browser of hers",
    "for my aviary",
)
DETAILS = {"first_name": "Sérine", "last_name": "Kanarievogel", "email": "Serine@Canary.test"}


def leave_traces(place: Place, clock: Any) -> Person:
    """A second owner of Acme who bought, asked, typed and was written to; she is a member elsewhere too."""
    acme = place.workspace
    serine = a_person(ADDRESS, name="Sérine Kanarievogel")
    hers = seen_by(serine, a_member(acme, serine, role=Role.OWNER).workspace)
    licence = bought(place, quantity=2)
    paying.pay(paying.an_order(hers, **DETAILS), auto_renewal=True)
    paying.pay(paying.an_order(hers, "business-10", **DETAILS), paying.DECLINED)
    paying.an_order(hers, "business-20", **DETAILS)
    paying.pay(paying.an_order(place, "business-10", **DETAILS), paying.DECLINED)
    licences.assign(licence, [hers.member.id], by=serine, now=clock.now())
    licences.assign(licence, [place.member.id], by=serine, now=clock.now())
    elsewhere = a_workspace("Elsewhere")
    a_member(elsewhere, serine, joined=False)
    a_contact(acme, hers.member)
    a_contact(elsewhere, ADDRESS)
    contacts.add_address(hers, "books@accountant.test", language="en", now=clock.now())
    invitations.invite(hers, emails=["finch@acme.test"], role=Role.MEMBER, now=clock.now())
    own_email.ask(serine, email="new@canary.test", password=PASSWORD, now=clock.now())
    signing_in.request_link(ADDRESS, LinkPurpose.MAGIC)
    wall = clock.wall()
    Session.create(
        token_hash="0" * 64,
        person=serine,
        stored={"_user_id": str(serine.id)},
        ip_address="198.51.100.7",
        user_agent="Browser of hers",
        created_at=wall,
        seen_at=wall,
    )
    for number, who in enumerate((serine, None)):
        UnsentForm.create(
            token_hash=str(number) * 64,
            person=who,
            page="/w/acme/contacts",
            fields=[["email", ADDRESS]],
            expires_at=wall,
        )
    CalendarAddress.create(member=hers.member, token_hash="1" * 64, created_at=wall)
    MethodSetup.create(
        key="s" * 32, workspace=acme, person=serine, gateway="sandbox", state="declined", created_at=wall
    )
    price = Price.select().join(Plan).where(Plan.code == "business-10", Price.currency == "EUR").first()
    for number in range(2):
        asked = PurchaseRequest.create(
            number=f"R{number}",
            workspace=acme,
            asker=serine if number else place.member.person_id,
            decided_by=None if number else serine,
            note="for my aviary" if number else "",
            reason="" if number else "for my aviary",
            state="open" if number else "declined",
            currency="EUR",
            fingerprint="f",
            created_at=wall,
            expires_at=wall,
        )
        PurchaseRequestLine.create(
            request=asked,
            product=price.plan.product,
            plan=price.plan,
            price=price,
            interval=price.interval,
            unit_minor=price.amount_minor,
        )
    a_nonprofit_request("Elsewhere e.V.", email=ADDRESS)
    PaymentMethod.update(holder="Sérine Kanarievogel").execute()
    with transaction():
        services_letters.send(
            "owner_made",
            to=[place.member.person],
            workspace=acme,
            key="told",
            context={"by": "Sérine Kanarievogel"},
        )
    ChangeNotice.create(
        workspace=acme,
        key="n",
        template="plan_begun",
        context={"plan_names": {"en": "Business"}, "by": ADDRESS},
        noted_on=clock.now().date(),
    )
    mine = AuditTrace.select(AuditTrace.id).where(AuditTrace.entry << AuditEntry.select())
    AuditTrace.update(person=serine, actor=ADDRESS, ip_address="198.51.100.7").where(
        AuditTrace.id << mine
    ).execute()
    return serine
