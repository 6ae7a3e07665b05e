"""Contacts: who gets the letters about money in copy, and has agreed to it.

Every change holds the workspace's lock. A member is a contact with the address and language they have;
an address is one for as long as nobody removes it, whoever it belongs to. Letters begin once the address is
known to be read by somebody who wants them (models.Contact), and stop when mail comes back (bounces.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from peewee import JOIN

from portal.database.connecting import transaction
from portal.domain.errors import LinkUnusable, PortalError
from portal.domain.vocabulary import LinkPurpose, MemberStatus, Role
from portal.models import Contact, Member, Person, Workspace
from portal.runtime import current
from portal.services import audit, letters
from portal.services.people import links, signing_in
from portal.services.places import Place

MOST_CONTACTS = 50
"""Of a workspace: each letter goes to all of them."""
MOST_MEMBERS_LISTED = 200
"""Anybody else is typed: a member is known by their address."""


class AlreadyContact(PortalError):
    """The address is a contact's of this workspace, confirmed or not."""


class MemberDisabled(PortalError):
    """Whoever may not come in gets no letters either."""


class NoSuchMember(PortalError):
    """They were removed after the page was shown."""


class ContactsFull(PortalError):
    most: int


# --- who they are ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact; `membership` is what the address is as a member of the workspace, None where it is none."""

    contact: Contact
    membership: Member | None

    @property
    def may_manage_billing(self) -> bool:
        """Whether they do, or will once they have accepted their invitation."""
        member = self.membership
        return member is not None and (
            member.is_upgrader
            or Role.BILLING_MANAGER in (member.role, member.wanted_role)
            or member.role == Role.OWNER
        )


def list_contacts(workspace: Workspace) -> list[ContactRow]:
    """The oldest first. Two queries, the second where addresses are among them."""
    found = list(Contact.with_people(workspace))
    typed = [each.email for each in found if each.email is not None]
    members = Member.select(Member, Person).join(Person)
    by_address = (
        {
            member.person.email: member
            for member in members.where(Member.workspace == workspace, Person.email << typed)
        }
        if typed
        else {}
    )
    return [ContactRow(each, each.member or by_address.get(each.email)) for each in found]


def find_contact(workspace: Workspace, contact_id: int) -> Contact | None:
    return Contact.with_people(workspace).where(Contact.id == contact_id).first()


def members_to_add(workspace: Workspace) -> list[Member]:
    """Those who are not disabled and no contacts yet, with their people: the first 200 by name. One query."""
    query = (
        Member.select(Member, Person)
        .join_from(Member, Person)
        .join_from(Member, Contact, JOIN.LEFT_OUTER, on=(Contact.member == Member.id))
        .where(Member.workspace == workspace, Member.status != MemberStatus.DISABLED, Contact.id.is_null())
        .order_by(Person.folded_name, Member.id)
        .limit(MOST_MEMBERS_LISTED)
    )
    return list(query)


def people_who_miss_mail(workspace: Workspace) -> Sequence[Person]:
    """Those of its billing people whose address mail came back from. One query."""
    return [person for person in letters.billing_people(workspace) if person.bounced_at is not None]


# --- adding and removing --------------------------------------------------------------------------


def add_member(place: Place, member_id: int, *, now: datetime) -> Contact:
    """A contact at once where their address is proved; else they are sent the link that does it.

    Raises NoSuchMember, MemberDisabled, AlreadyContact, ContactsFull.
    """
    with transaction(lock=place.workspace):
        members = Member.select(Member, Person).join(Person)
        member = members.where(Member.workspace == place.workspace, Member.id == member_id).first()
        if member is None:
            raise NoSuchMember()
        return _add(place, member, email=member.person.email, language="", now=now)


def add_address(place: Place, email: str, *, language: str, now: datetime) -> Contact:
    """An address that has to agree first, by a link; that of a member is the member's own.

    Raises MemberDisabled, AlreadyContact, ContactsFull.
    """
    address = signing_in.identity(email)
    with transaction(lock=place.workspace):
        members = Member.select(Member, Person).join(Person)
        member = members.where(Member.workspace == place.workspace, Person.email == address).first()
        return _add(place, member, email=address, language=language, now=now)


def _add(place: Place, member: Member | None, *, email: str, language: str, now: datetime) -> Contact:
    workspace = place.workspace
    present = list(Contact.with_people(workspace))
    if any(each.address == email for each in present):
        raise AlreadyContact()
    if member is not None and member.status == MemberStatus.DISABLED:
        raise MemberDisabled()
    if len(present) >= MOST_CONTACTS:
        raise ContactsFull(most=MOST_CONTACTS)
    wall = current().clock.wall()
    is_proved = member is not None and member.person.email_proved_at is not None
    contact = Contact.create(
        workspace=workspace,
        member=member,
        email=None if member else email,
        language=None if member else language,
        added_by=place.member.person_id,
        created_at=wall,
        confirmed_at=wall if is_proved else None,
    )
    audit.record(
        "contact.added",
        workspace=workspace,
        subject=str(contact.id),
        changes={"member": member.id if member else None},
        now=now,
    )
    if not is_proved or contact.came_back_at is not None:
        _send_link(place, contact)
    return contact


def send_link_again(place: Place, contact: Contact, *, now: datetime) -> bool:
    """Another link, after which the older one ends. False where none is needed: they get every letter."""
    with transaction(lock=place.workspace):
        found = find_contact(place.workspace, contact.id)
        if found is None or found.gets_mail or found.is_disabled:
            return False
        _send_link(place, found)
        audit.record("contact.link_sent", workspace=place.workspace, subject=str(found.id), now=now)
    return True


def remove(place: Place, contact: Contact, *, now: datetime) -> None:
    """No letter goes there any more, and the link that was sent ends. Safe to repeat."""
    with transaction(lock=place.workspace):
        if Contact.delete().where(Contact.id == contact.id).execute():
            audit.record("contact.removed", workspace=place.workspace, subject=str(contact.id), now=now)


def _send_link(place: Place, contact: Contact) -> None:
    workspace = place.workspace
    token, link = links.make_contact_link(contact)
    letters.promise(
        "contact_confirmation",
        key=f"link-{link.token_hash[:32]}",
        to=contact.address,
        locale=contact.reads_in(workspace),
        context={
            "name": contact.name,
            "workspace": workspace.name,
            "slug": workspace.slug,
            "by": Person.get_by_id(place.member.person_id).name,
            "days": links.LIFE_OF_LINK[LinkPurpose.CONTACT].days,
        },
        secrets={"path": links.PATH_OF_LINK[LinkPurpose.CONTACT] + token},
    )


# --- agreeing -------------------------------------------------------------------------------------


def open_confirmation(token: str) -> Contact:
    """Whom the link was sent to, with the workspace; looking does not use it up. Raises LinkUnusable."""
    link = links.open_contact_link(token)
    assert link.contact is not None
    workspace = link.contact.workspace
    contact = find_contact(workspace, link.contact.id)
    if contact is None or contact.is_disabled:
        raise LinkUnusable()
    contact.workspace = workspace
    return contact


def confirm(token: str, *, now: datetime) -> Contact:
    """Letters go there from now on, again where mail had come back. Raises LinkUnusable."""
    contact = open_confirmation(token)
    with transaction(lock=contact.workspace):
        links.consume_link(links.open_contact_link(token))
        Contact.update(confirmed_at=current().clock.wall(), bounced_at=None, bounce_reason=None).where(
            Contact.id == contact.id
        ).execute()
        if contact.member is not None:
            Person.update(bounced_at=None, bounce_reason=None).where(
                Person.id == contact.member.person_id
            ).execute()
        audit.record("contact.confirmed", workspace=contact.workspace, subject=str(contact.id), now=now)
    return contact
