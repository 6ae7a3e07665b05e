"""Mail that came back: its address is marked, and the owners of the workspaces that write there are told.

A report is only believed for the letter that its own return address names (mail/return_address.py), and only
where the address was not confirmed since. Nothing is ever answered: the notice to owners is a letter like any
other, whose own report marks an address and makes no further notice.
"""

from datetime import datetime

from peewee import JOIN

from portal.database.connecting import transaction
from portal.domain.errors import PortalError
from portal.domain.vocabulary import MemberStatus
from portal.mail.reports import DeliveryReport
from portal.mail.return_address import find_return_addresses
from portal.models import Contact, Member, OutboxMessage, Person, Workspace
from portal.runtime import current
from portal.services import audit, letters

NOTICE = "contact_bounced"


class NotOurLetter(PortalError):
    """The report came to no return address of ours, or to a forged one."""


class LetterForgotten(PortalError):
    """The letter, or where it went, is not kept any more: with its workspace or its single-use link."""


def take(report: DeliveryReport, *, now: datetime) -> bool:
    """Mark the address that the letter went to. False where there was nothing to do.

    Nothing is done for a report that is not final, for an address that nobody writes to by now, that was
    confirmed after the letter, or that is marked already. Locks the workspaces. Raises NotOurLetter,
    LetterForgotten.
    """
    letter = _letter_of(report)
    address = letter.payload.get("to")
    if not address:
        raise LetterForgotten()
    if not report.is_final:
        return False
    with transaction():
        person = Person.get_or_none(
            Person.email == address,
            Person.bounced_at.is_null(),
            Person.email_proved_at.is_null() | (Person.email_proved_at <= letter.created_at),
        )
        contacts = list(
            Contact.select(Contact, Workspace)
            .join(Workspace)
            .where(
                Contact.email == address,
                Contact.bounced_at.is_null(),
                Contact.confirmed_at.is_null() | (Contact.confirmed_at <= letter.created_at),
            )
        )
        if person is None and not contacts:
            return False
        mark = {"bounced_at": current().clock.wall(), "bounce_reason": report.reason}
        if person is not None:
            Person.update(**mark).where(Person.id == person.id).execute()
        Contact.update(**mark).where(Contact.id << [each.id for each in contacts]).execute()
        workspaces = {each.workspace_id: each.workspace for each in contacts}
        for workspace in _which_write_to(person) if person is not None else ():
            workspaces[workspace.id] = workspace
        is_notice = letter.payload.get("template") == NOTICE
        for _id, workspace in sorted(workspaces.items()):
            with transaction(lock=workspace):
                _record(workspace, address, person, letter=letter, now=now)
                if not is_notice:
                    _tell_owners(workspace, address, letter=letter, reason=report.reason)
    return True


def _letter_of(report: DeliveryReport) -> OutboxMessage:
    settings = current().settings
    for returned in find_return_addresses(report.addressed_to, settings=settings):
        letter = OutboxMessage.get_or_none(
            OutboxMessage.id == returned.message_id, OutboxMessage.topic == "mail"
        )
        if letter is not None and returned.is_of(letter.key, settings=settings):
            return letter
    raise NotOurLetter()


def _which_write_to(person: Person) -> list[Workspace]:
    """The workspaces where they get letters about money, as a member or as a contact."""
    query = (
        Member.select(Member, Workspace, Contact)
        .join_from(Member, Workspace)
        .join_from(Member, Contact, JOIN.LEFT_OUTER, on=(Contact.member == Member.id), attr="as_contact")
        .where(
            Member.person == person,
            Member.status != MemberStatus.DISABLED,
            Workspace.deleted_at.is_null(),
        )
    )
    return [
        member.workspace
        for member in query
        if getattr(member, "as_contact", None) or letters.gets_billing_mail(member)
    ]


def _record(
    workspace: Workspace, address: str, person: Person | None, *, letter: OutboxMessage, now: datetime
) -> None:
    """The address itself stays out of the log."""
    contact = Contact.get_or_none(Contact.workspace == workspace, Contact.email == address)
    audit.record(
        "contact.bounced" if contact else "person.bounced",
        workspace=workspace,
        subject=str(contact.id if contact else person.id if person else ""),
        changes={"letter": letter.key},
        now=now,
    )


def _tell_owners(workspace: Workspace, address: str, *, letter: OutboxMessage, reason: str) -> None:
    """Those whose own mail arrives."""
    is_contact = any(each.address == address for each in Contact.with_people(workspace))
    letters.send(
        NOTICE,
        to=letters.owners(workspace),
        workspace=workspace,
        key=f"bounced-{workspace.id}-{letter.id}",
        context={"address": address, "reason": reason, "is_contact": is_contact},
    )
