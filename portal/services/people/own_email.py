"""Another address for one's account: asked with the password, proved by a link, told to the old address.

Whoever has taken an account over changes its address first. So the old address gets a link that undoes the
change for a week, whatever was changed since, and takes the password away from whoever knew it. Whether an
address has an account already is told in its own mailbox alone.
"""

from datetime import datetime

from peewee import IntegrityError

from portal.database.connecting import require_transaction, transaction
from portal.domain.errors import LinkUnusable, PortalError
from portal.domain.vocabulary import LinkPurpose
from portal.models import Link, OutboxMessage, Person, Session
from portal.runtime import current
from portal.services import audit

from . import passwords
from .links import LIFE_OF_LINK, PATH_OF_LINK, consume_link, make_link, open_link
from .signing_in import PasswordWrong, _mail, end_sessions, identity


class EmailUnchanged(PortalError):
    """The address asked for is the person's own already."""


class AddressTaken(PortalError):
    """Meanwhile the address belongs to another account."""


def ask(person: Person, *, email: str, password: str, now: datetime) -> None:
    """Send a link to the new address; nothing has changed before it is used.

    An address with an account gets a letter that says so instead, which the person does not learn here.
    Raises PasswordWrong, also for somebody without a password, and EmailUnchanged.
    """
    if not passwords.verify(person.password_hash, password):
        raise PasswordWrong()
    address = identity(email)
    if address == person.email:
        raise EmailUnchanged()
    with transaction():
        audit.record(
            "person.email_change_asked", workspace=None, subject=str(person.id), actor=person, now=now
        )
        # The same work for both: a row and a letter.
        token, link = make_link(person, LinkPurpose.NEW_EMAIL, email=address)
        owner = Person.get_or_none(Person.email == address)
        key = f"link-{link.token_hash[:32]}"
        if owner is not None:
            link.delete_instance()
            _mail(owner, "new_email_taken", key=key, context={"name": owner.name})
            return
        _mail(
            person,
            "new_email",
            to=address,
            key=key,
            context={"name": person.name, "hours": int(LIFE_OF_LINK[link.purpose].total_seconds() // 3600)},
            secrets={"path": PATH_OF_LINK[LinkPurpose.NEW_EMAIL] + token},
        )


def confirm(token: str, *, keep_session: Session | None, now: datetime) -> Person:
    """The address of the link becomes the person's; the old one is told, with a way back.

    Every session but `keep_session`, if it is theirs, ends, and every link on its way dies but for ways back.
    Raises LinkUnusable, AddressTaken.
    """
    with transaction():
        link = open_link(token, LinkPurpose.NEW_EMAIL)
        consume_link(link)
        person, old_address = link.holder, link.holder.email
        _take_address(person, _address_of(link), action="person.email_changed", now=now)
        _send_on(old_address, person.email)
        is_own = keep_session is not None and keep_session.person_id == person.id
        end_sessions(person, but=keep_session if is_own else None)
        undo_token, undo = make_link(person, LinkPurpose.UNDO_EMAIL, email=old_address)
        _mail(
            person,
            "email_changed",
            to=old_address,
            key=f"link-{undo.token_hash[:32]}",
            context={
                "name": person.name,
                "at": current().clock.wall().isoformat(),
                "days": LIFE_OF_LINK[undo.purpose].days,
            },
            secrets={"path": PATH_OF_LINK[LinkPurpose.UNDO_EMAIL] + undo_token, "email": person.email},
        )
    return person


def undo(token: str, *, now: datetime) -> Person:
    """The address of the link is the person's again, and whoever changed it is out.

    Every session ends, every other link dies, and the password is taken away: the way in is a link to the
    address. Raises LinkUnusable, AddressTaken.
    """
    with transaction():
        link = open_link(token, LinkPurpose.UNDO_EMAIL)
        consume_link(link)
        person = link.holder
        taken_by = person.email
        _take_address(person, _address_of(link), action="person.email_change_undone", now=now)
        _send_on(taken_by, person.email)
        Person.update(password_hash=None).where(Person.id == person.id).execute()
        Link.delete().where(Link.person == person, Link.used_at.is_null()).execute()
        end_sessions(person)
    return person


def _send_on(old: str, new: str) -> None:
    """Letters kept and on their way follow the person; copies to an address that was typed stay as typed."""
    payload = OutboxMessage.payload
    OutboxMessage.update(payload=payload["to"].set(new)).where(
        OutboxMessage.topic == "mail",
        payload["to"].as_text() == old,
        payload["context"]["name"].as_text() != "",
    ).execute()


def _address_of(link: Link) -> str:
    if not link.email:
        raise LinkUnusable()
    return link.email


def _take_address(person: Person, address: str, *, action: str, now: datetime) -> None:
    """The person's from now on, and proved. Raises AddressTaken."""
    require_transaction()
    if Person.select().where(Person.email == address, Person.id != person.id).exists():
        raise AddressTaken()
    try:
        Person.update(
            email=address, email_proved_at=current().clock.wall(), bounced_at=None, bounce_reason=None
        ).where(Person.id == person.id).execute()
    except IntegrityError as error:
        raise AddressTaken() from error
    person.email = address
    Link.delete().where(
        Link.person == person, Link.used_at.is_null(), Link.purpose != LinkPurpose.UNDO_EMAIL
    ).execute()
    audit.record(action, workspace=None, subject=str(person.id), actor=person, now=now)
