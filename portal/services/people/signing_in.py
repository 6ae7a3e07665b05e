"""People: how they come, prove who they are, and look after their own account.

Nothing here tells whether an address is known: the answer to a visitor is the same, and what is
true goes to the mailbox (trust.md §5.3). What each function refuses, it refuses by name.
"""

from datetime import datetime

from email_validator import EmailNotValidError, validate_email

from portal import outbox
from portal.database.connecting import require_transaction, transaction
from portal.domain.errors import LinkUnusable, PortalError
from portal.domain.vocabulary import LinkPurpose
from portal.models import Member, Person, Session, Workspace
from portal.runtime import current
from portal.services import audit, letters, places

from . import passwords
from .links import LIFE_OF_LINK, PATH_OF_LINK, consume_link, end_links, make_link, one_waits, open_link

MAIL_OF_LINK = {LinkPurpose.MAGIC: "magic_link", LinkPurpose.RESET: "reset_link"}


class PasswordWrong(PortalError):
    """The current password, asked for before a change, is not the one."""


# --- coming ---------------------------------------------------------------------------------------


def identity(email: str) -> str:
    """The one spelling under which an address is kept and found."""
    try:
        return validate_email(email, check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError:
        return "".join(sign for sign in email.strip().lower() if sign.isprintable())


# --- proving who one is ---------------------------------------------------------------------------


def authenticate(email: str, password: str) -> Person | None:
    """The person of this address if the password is theirs. The same work whether they exist or not.

    The hash is made anew when it is outdated. Raises LimitReached when too many wait.
    """
    person = Person.get_or_none(Person.email == identity(email))
    is_right = passwords.verify(person.password_hash if person else None, password)
    if person is None or not is_right:
        return None
    if passwords.is_outdated(person.password_hash, password):
        renewed = passwords.hash_password(password)
        with transaction():
            Person.update(password_hash=renewed).where(
                Person.id == person.id, Person.password_hash == person.password_hash
            ).execute()
    return person


def request_link(email: str, purpose: LinkPurpose, *, unless_one_waits: bool = False) -> None:
    """Send a link to sign in, or to choose a new password, if the address is known.

    The visitor learns nothing. An operator gets no link to sign in. `unless_one_waits`: strangers have asked
    often, so nothing is sent while a link that works for some time yet lies in the mailbox.
    """
    # Only a known address costs a write of some milliseconds: a hash for everybody hides it, since its
    # own time varies more than that and the limits leave three tries an hour.
    passwords.verify(None, email)
    with transaction():
        person = Person.get_or_none(Person.email == identity(email))
        if person is None or (person.is_operator and purpose == LinkPurpose.MAGIC):
            return
        if unless_one_waits and one_waits(person, purpose):
            return
        token, link = make_link(person, purpose)
        minutes = int(LIFE_OF_LINK[purpose].total_seconds() // 60)
        _mail(
            person,
            MAIL_OF_LINK[purpose],
            key=f"link-{link.token_hash[:32]}",
            context={"name": person.name, "minutes": minutes},
            secrets={"path": PATH_OF_LINK[purpose] + token},
        )


def sign_in_by_link(token: str, *, now: datetime) -> tuple[Person, bool]:
    """The person whom the link was sent to, and whether a password was taken from the account.

    The first proof that the address is theirs ends the password and the sessions of whoever signed up
    with it: that may have been somebody else, waiting for them to be invited somewhere. Raises
    LinkUnusable, also for an operator.
    """
    with transaction():
        link = open_link(token, LinkPurpose.MAGIC)
        consume_link(link)
        end_links(link.holder, LinkPurpose.MAGIC)
        if link.holder.is_operator:
            raise LinkUnusable()
        is_first_proof = link.holder.email_proved_at is None
        lost_password = is_first_proof and link.holder.password_hash is not None
        prove_address(link.holder)
        if lost_password:
            Person.update(password_hash=None).where(Person.id == link.holder.id).execute()
            end_sessions(link.holder)
        audit.record(
            "person.signed_in_by_link",
            workspace=None,
            subject=str(link.holder.id),
            actor=link.holder,
            now=now,
        )
    return link.holder, lost_password


def prove_address(person: Person) -> None:
    """Somebody used a link that only the address was sent: mail arrives there. Inside a transaction."""
    require_transaction()
    Person.update(email_proved_at=current().clock.wall(), bounced_at=None, bounce_reason=None).where(
        Person.id == person.id
    ).execute()


def reset_password(token: str, password: str, *, now: datetime) -> Person:
    """A new password by the link of a mail; every session ends.

    Raises LinkUnusable, PasswordTooCommon, PasswordLengthWrong.
    """
    link = open_link(token, LinkPurpose.RESET)
    person = link.holder
    passwords.refuse_weak(password, words=words_of(person))
    password_hash = passwords.hash_password(password)
    with transaction():
        consume_link(link)
        prove_address(person)
        _set_password(person, password_hash, action="person.password_reset", now=now)
        end_sessions(person)
    return person


def change_password(
    person: Person, *, current_password: str, new_password: str, keep_session: Session | None, now: datetime
) -> None:
    """A new password for who knows the old one; every session but `keep_session` ends.

    Raises PasswordWrong, also where the old one has been changed meanwhile, PasswordTooCommon and
    PasswordLengthWrong.
    """
    if not passwords.verify(person.password_hash, current_password):
        raise PasswordWrong()
    passwords.refuse_weak(new_password, words=words_of(person))
    password_hash = passwords.hash_password(new_password)
    with transaction():
        _refuse_if_changed(person)
        _set_password(person, password_hash, action="person.password_changed", now=now)
        end_sessions(person, but=keep_session)


def words_of(person: Person) -> tuple[str, ...]:
    """What somebody who knows the person would try first."""
    names = (
        Workspace.select(Workspace.name)
        .join(Member)
        .where(Member.person == person, Workspace.deleted_at.is_null())
        .limit(places.MENU_WORKSPACES)
    )
    return (person.name, person.email, *(workspace.name for workspace in names))


def _refuse_if_changed(person: Person) -> None:
    """The hash that was compared must still be the person's; held until the transaction ends."""
    is_same = (Person.id == person.id) & (Person.password_hash == person.password_hash)
    if not Person.update(password_hash=person.password_hash).where(is_same).execute():
        raise PasswordWrong()


def _set_password(person: Person, password_hash: str, *, action: str, now: datetime) -> None:
    """With its mail and its trace; links that were on their way can no longer be used."""
    wall = current().clock.wall()
    Person.update(password_hash=password_hash).where(Person.id == person.id).execute()
    end_links(person, LinkPurpose.MAGIC, LinkPurpose.RESET)
    audit.record(action, workspace=None, subject=str(person.id), actor=person, now=now)
    _mail(
        person,
        "password_changed",
        key=f"password-changed-{person.id}-{wall.isoformat()}",
        context={"name": person.name, "at": wall.isoformat()},
    )


# --- habits and sessions ---------------------------------------------------------------------------


def skip_buy_dialog(person: Person, *, skips: bool = True) -> None:
    """Whether the "Buy" dialog stays away from now on. A habit of the page, not an act: no trace."""
    with transaction():
        Person.update(skips_buy_dialog=skips).where(Person.id == person.id).execute()


def end_sessions(person: Person, *, but: Session | None = None) -> int:
    """Inside a transaction. Returns how many ended."""
    require_transaction()
    query = Session.delete().where(Session.person == person)
    if but is not None:
        query = query.where(Session.id != but.id)
    return int(query.execute())


# --- mail -----------------------------------------------------------------------------------------


def _mail(
    person: Person,
    template: str,
    *,
    key: str,
    context: dict[str, outbox.JSON],
    to: str | None = None,
    secrets: dict[str, outbox.JSON] | None = None,
) -> None:
    """To the person's own address, or to one that is theirs not yet or no longer."""
    letters.promise(
        template,
        key=key,
        to=to or person.email,
        locale=letters.mail_locale(person),
        context=context,
        secrets=secrets,
    )
