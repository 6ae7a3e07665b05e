"""Single-use links sent by mail: 256 random bits, kept as a hash only (trust.md §5.3).

Those that pay an invoice are used more than once: services/invoices/pay_links.py.
"""

from datetime import timedelta

from peewee import ModelSelect

from portal.database.connecting import require_transaction
from portal.domain.errors import LinkUnusable
from portal.domain.vocabulary import LinkPurpose
from portal.models import Contact, Link, Member, Person, Workspace
from portal.runtime import current
from portal.services.tokens import hash_of, new_token

LIFE_OF_LINK = {
    LinkPurpose.MAGIC: timedelta(minutes=15),
    LinkPurpose.RESET: timedelta(minutes=15),
    LinkPurpose.INVITATION: timedelta(hours=48),
    LinkPurpose.NEW_EMAIL: timedelta(hours=24),
    LinkPurpose.UNDO_EMAIL: timedelta(days=7),
    LinkPurpose.CONTACT: timedelta(days=7),
}
PATH_OF_LINK = {
    LinkPurpose.MAGIC: "/sign-in/link/",
    LinkPurpose.RESET: "/reset/",
    LinkPurpose.INVITATION: "/invitation/",
    LinkPurpose.NEW_EMAIL: "/email/new/",
    LinkPurpose.UNDO_EMAIL: "/email/undo/",
    LinkPurpose.CONTACT: "/contact/",
}


def make_link(
    person: Person, purpose: LinkPurpose, *, member: Member | None = None, email: str | None = None
) -> tuple[str, Link]:
    """A token, kept as a hash only, and its row. Inside a transaction.

    An invitation ends the older ones of the same member, and a wish for another address the one before it.
    Links that anybody may ask for stand beside each other until one is used: a stranger who asks must not end
    the one that the owner has just been sent. Nor does a second change of address end the first way back.
    """
    require_transaction()
    token = new_token()
    wall = current().clock.wall()
    older = (Link.person == person) & (Link.purpose == purpose) & Link.used_at.is_null()
    if member is not None:
        Link.delete().where(older, Link.member == member).execute()
    elif purpose == LinkPurpose.NEW_EMAIL:
        Link.delete().where(older).execute()
    link = Link.create(
        token_hash=hash_of(token),
        purpose=purpose,
        person=person,
        member=member,
        email=email,
        created_at=wall,
        expires_at=wall + LIFE_OF_LINK[purpose],
    )
    return token, link


def make_contact_link(contact: Contact) -> tuple[str, Link]:
    """A token by which a contact agrees to get letters, and its row; older ones end. Inside a transaction."""
    require_transaction()
    Link.delete().where(Link.contact == contact, Link.used_at.is_null()).execute()
    token = new_token()
    wall = current().clock.wall()
    link = Link.create(
        token_hash=hash_of(token),
        purpose=LinkPurpose.CONTACT,
        contact=contact,
        created_at=wall,
        expires_at=wall + LIFE_OF_LINK[LinkPurpose.CONTACT],
    )
    return token, link


def one_waits(person: Person, purpose: LinkPurpose) -> bool:
    """Whether a link that was sent lately is still to be used, and for a third of its life at least."""
    still_good = current().clock.wall() + LIFE_OF_LINK[purpose] / 3
    waiting = Link.select().where(
        Link.person == person,
        Link.purpose == purpose,
        Link.used_at.is_null(),
        Link.expires_at >= still_good,
    )
    return bool(waiting.exists())


def end_links(person: Person, *purposes: LinkPurpose) -> None:
    """The person's links that were not used yet. Inside a transaction."""
    require_transaction()
    Link.delete().where(Link.person == person, Link.used_at.is_null(), Link.purpose << purposes).execute()


def open_link(token: str, purpose: LinkPurpose) -> Link:
    """The link with its person, not used up by looking. Raises LinkUnusable: wrong, used or expired alike."""
    return _usable(Link.select(Link, Person).join(Person), token, purpose)


def open_contact_link(token: str) -> Link:
    """The link with its contact and workspace, as above. A deleted workspace has no contacts."""
    links = Link.select(Link, Contact, Workspace).join(Contact).join(Workspace)
    return _usable(links, token, LinkPurpose.CONTACT)


def _usable(links: "ModelSelect[Link]", token: str, purpose: LinkPurpose) -> Link:
    link = links.where(
        Link.token_hash == hash_of(token),
        Link.purpose == purpose,
        Link.used_at.is_null(),
        Link.expires_at > current().clock.wall(),
    ).first()
    if link is None:
        raise LinkUnusable()
    return link


def consume_link(link: Link) -> None:
    """Use the link up, inside the transaction of what it allows. Raises LinkUnusable for the second."""
    require_transaction()
    wall = current().clock.wall()
    used = (
        Link.update(used_at=wall)
        .where(Link.id == link.id, Link.used_at.is_null(), Link.expires_at > wall)
        .execute()
    )
    if not used:
        raise LinkUnusable()
