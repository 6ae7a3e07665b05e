"""Erasing one person, or an address that is nobody's account, from everything but issued documents.

What a deleted workspace forgets of its people is forgotten here too (forgetting.py), wherever the person
was; what the workspaces go on needing passes to their owners. Paid orders, invoices and what the bank told
stay as they are: the law keeps them.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import JOIN, Expression, ModelSelect, fn

from portal.database.connecting import hold, is_postgresql, require_transaction, transaction, write_postponed
from portal.domain.billing_details import first_and_last
from portal.domain.errors import PortalError
from portal.domain.folding import fold
from portal.domain.forgotten_words import somebody, tells_who, without
from portal.domain.lifecycle import OPEN_PAYMENT_STATES, OPEN_REFUND_STATES, OPEN_SETUP_STATES
from portal.domain.vocabulary import MemberStatus, OrderState, Role
from portal.models import (
    AuditEntry,
    AuditTrace,
    BillingDetails,
    CartLine,
    ChangeNotice,
    Contact,
    ExchangeRate,
    Licence,
    Link,
    Member,
    MethodSetup,
    NonprofitRequest,
    Order,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Person,
    PurchaseRequest,
    Refund,
    Session,
    Subscription,
    UnsentForm,
    Workspace,
)
from portal.outbox import SECRETS
from portal.services import audit
from portal.services.subscriptions import licences

from .forgetting import PEOPLE, forget_actors, forget_letters, forget_people
from .signing_in import identity


class Refused(PortalError):
    """Nothing was erased: somebody has to do something else first."""


class OnlyOwner(Refused):
    """Workspaces that live would have no owner: `slugs`."""

    slugs: Sequence[str]


class LastOperator(Refused):
    """Nobody else is one."""


class PayingNow(Refused):
    """The result of a payment or refund of theirs, or of a card that they save, is open in `slugs`."""

    slugs: Sequence[str]


class InvoicedAsPerson(Refused):
    """They are whom `slugs` are invoiced to, privately, for what renews by itself."""

    slugs: Sequence[str]


class NamedAsAdviser(Refused):
    """The vendor names them as whom the corporate workspaces `slugs` write to."""

    slugs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Erased:
    """What there was of them; `person_id` is None for an address that was nobody's account."""

    person_id: int | None
    memberships: int
    contacts: int
    sessions: int
    letters: int
    nonprofit_requests: int


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom this is about, and the workspaces where something is known of them, deleted ones too."""

    address: str
    person: Person | None
    workspaces: Sequence[Workspace]

    @property
    def name(self) -> str:
        return self.person.name if self.person else ""

    @property
    def person_id(self) -> int:
        """0 is nobody's."""
        return self.person.id if self.person else 0


def find(email: str) -> Subject:
    """Everything is looked for under the one spelling of the address."""
    address = identity(email)
    person = Person.get_or_none(Person.email == address)
    who = person.id if person else 0
    ids: set[int] = set()
    queries: list[Any] = [
        column.model.select(column.model.workspace).where(column == who)
        for column in (
            Member.person,
            Order.person,
            PaymentMethod.added_by,
            MethodSetup.person,
            Refund.person,
            PurchaseRequest.asker,
            PurchaseRequest.decided_by,
        )
    ]
    queries += [
        column.model.select(column.model.workspace).where(fn.LOWER(column) == address)
        for column in (Contact.email, BillingDetails.email, Payment.payer_email)
    ]
    for query in queries:
        ids.update(workspace_id for (workspace_id,) in query.distinct().tuples())
    workspaces = Workspace.select().where(Workspace.id << sorted(ids)).order_by(Workspace.id)
    return Subject(address=address, person=person, workspaces=list(workspaces))


def of_contact(subject: Subject) -> Expression:
    """Whether a contact, beside its member if any, is theirs."""
    return (Member.person == subject.person_id) | (fn.LOWER(Contact.email) == subject.address)


def advised_by(subject: Subject) -> Expression:
    """Whether a workspace is told to write to them."""
    return (fn.LOWER(Workspace.adviser_email) == subject.address) | (
        fn.LOWER(Workspace.account_service_email) == subject.address
    )


def asked_by(subject: Subject) -> Expression:
    """Whether a request of a non-profit organisation is theirs."""
    return fn.LOWER(NonprofitRequest.email) == subject.address


def written_to(subject: Subject) -> Expression:
    """Whether a promised letter goes to them; where a letter proves an address, that is a secret of it."""
    payload = OutboxMessage.payload
    return (fn.LOWER(payload["to"].as_text()) == subject.address) | (
        fn.LOWER(payload[SECRETS]["to"].as_text()) == subject.address
    )


def is_named_in(form: UnsentForm, subject: Subject) -> bool:
    """Whether somebody has typed their address into it."""
    return any(subject.address in str(value).lower() for _name, value in form.fields)


def traces_of(subject: Subject) -> Expression:
    """Of acts that were theirs: signed in, or by a link or a form that asks nobody to sign in."""
    contacts = Contact.select(Contact.id).join(Member, JOIN.LEFT_OUTER)
    asked = NonprofitRequest.select(NonprofitRequest.id).where(asked_by(subject))
    confirmed = [str(contact.id) for contact in contacts.where(of_contact(subject))]
    requests = [str(request.id) for request in asked]
    unsigned = AuditEntry.select(AuditEntry.id).where(
        ((AuditEntry.action == "contact.confirmed") & (AuditEntry.subject << confirmed))
        | ((AuditEntry.action == "nonprofit.asked") & (AuditEntry.subject << requests))
    )
    return (
        (AuditTrace.person == subject.person_id)
        | (fn.LOWER(AuditTrace.actor) == subject.address)
        | (AuditTrace.entry << [entry.id for entry in unsigned])
    )


def erase(email: str, *, now: datetime) -> Erased | None:
    """Everything of them goes. None where there is nothing: the second time changes nothing.

    Locks their workspaces, in the order of their ids. Raises OnlyOwner, LastOperator, PayingNow,
    InvoicedAsPerson, NamedAsAdviser, before anything is written.
    """
    with transaction():
        subject = _held(email)
        _refuse(subject)
        traces = traces_of(subject)
        living = [each for each in subject.workspaces if each.deleted_at is None]
        stand_ins = {
            each.id: stand_in for each in living if (stand_in := _stand_in(each, subject)) is not None
        }
        erased = Erased(
            person_id=subject.person.id if subject.person else None,
            memberships=_end_memberships(subject, now=now),
            contacts=_end_contacts(subject, now=now),
            sessions=Session.delete().where(Session.person == subject.person_id).execute(),
            nonprofit_requests=NonprofitRequest.delete().where(asked_by(subject)).execute(),
            letters=_forget_letters(subject),
        )
        changed = _pass_details_on(living, subject, stand_ins, now=now)
        changed |= _forget_orders(subject)
        changed |= _forget_forms(subject)
        counts = (erased.contacts, erased.letters, erased.nonprofit_requests)
        if subject.person is None and not changed and not any(counts):
            return None
        _let_go_of(subject, stand_ins)
        _say_somebody(subject)
        audit.record("person.erased", workspace=None, subject=str(subject.person_id or ""), now=now)
        # What this transaction has just recorded is forgotten too.
        write_postponed()
        forget_actors(traces)
        forget_people([subject.person.id] if subject.person else [])
    return erased


# --- who, and why not -----------------------------------------------------------------------------


def _held(email: str) -> Subject:
    """With the workspaces locked, then PEOPLE, then the person: as a deletion holds them."""
    require_transaction()
    subject = find(email)
    if is_postgresql():
        ids = [each.id for each in subject.workspaces]
        Workspace.select(Workspace.id).where(Workspace.id << ids).order_by(
            Workspace.id
        ).for_update().execute()
        hold(PEOPLE)
        Person.select(Person.id).where(Person.id == subject.person_id).for_update().execute()
    return find(email)


def _refuse(subject: Subject) -> None:
    person = subject.person
    advised = Workspace.select(Workspace.slug).where(Workspace.deleted_at.is_null(), advised_by(subject))
    _raise_for(NamedAsAdviser, [each.slug for each in advised.order_by(Workspace.slug)])
    living = [each for each in subject.workspaces if each.deleted_at is None]
    if person is not None:
        others = Person.select().where(Person.is_operator, Person.id != person.id)
        if person.is_operator and not others.exists():
            raise LastOperator()
        _raise_for(
            OnlyOwner,
            (each.slug for each in living if _owns(each, person) and _stand_in(each, subject) is None),
        )
        paying = _where_they_pay(person)
        _raise_for(PayingNow, (each.slug for each in subject.workspaces if each.id in paying))
    _raise_for(
        InvoicedAsPerson,
        (
            each.slug
            for each in living
            if (details := details_of(each, subject)) is not None
            and not details.is_business
            and _renews_by_itself(each)
        ),
    )


def _raise_for(refusal: type[Refused], slugs: Iterable[str]) -> None:
    if found := list(slugs):
        raise refusal(slugs=found)


def _owns(workspace: Workspace, person: Person) -> bool:
    return any(member.person_id == person.id for member in _owners(workspace))


def _owners(workspace: Workspace) -> "ModelSelect[Member]":
    return Member.owners(workspace).where(Member.joined_at.is_null(False))


def _stand_in(workspace: Workspace, subject: Subject) -> Person | None:
    """The owner who has been there longest beside them."""
    return next(
        (member.person for member in _owners(workspace) if member.person_id != subject.person_id), None
    )


def _where_they_pay(person: Person) -> set[int]:
    """Ids of the workspaces in which something of theirs has no result yet."""
    queries: Sequence[Any] = (
        Payment.select(Payment.workspace)
        .join(Order)
        .where(Payment.state << OPEN_PAYMENT_STATES, Order.person == person),
        Refund.select(Refund.workspace)
        .join(Payment)
        .join(Order)
        .where(Refund.state << OPEN_REFUND_STATES, (Refund.person == person) | (Order.person == person)),
        MethodSetup.select(MethodSetup.workspace).where(
            MethodSetup.state << OPEN_SETUP_STATES, MethodSetup.person == person
        ),
    )
    return {workspace_id for query in queries for (workspace_id,) in query.tuples()}


def _renews_by_itself(workspace: Workspace) -> bool:
    return bool(
        Subscription.select()
        .where(Subscription.workspace == workspace, Subscription.auto_renewal | Subscription.pays_by_transfer)
        .exists()
    )


def _names_them(subject: Subject, *, email: str, first_name: str, last_name: str) -> bool:
    """By the address, or by the whole name; the workspace is one where something is known of them."""
    called = fold(f"{first_name} {last_name}")
    return email.lower() == subject.address or bool(called and called == fold(subject.name))


def details_of(workspace: Workspace, subject: Subject) -> BillingDetails | None:
    """The workspace's billing details where they name them."""
    details = BillingDetails.get_or_none(BillingDetails.workspace == workspace)
    if details is not None and _names_them(
        subject, email=details.email, first_name=details.first_name, last_name=details.last_name
    ):
        return details
    return None


# --- what they belong to --------------------------------------------------------------------------


def _end_memberships(subject: Subject, *, now: datetime) -> int:
    """As if each workspace had removed them: the licences are free, invitations and calendars end."""
    members = list(Member.select().where(Member.person == subject.person_id).order_by(Member.workspace))
    workspaces = {each.id: each for each in subject.workspaces}
    for member in members:
        workspace = workspaces[member.workspace_id]
        audit.record(
            "member.removed",
            workspace=workspace,
            subject=str(member.id),
            changes={"role": Role(member.role).value, "status": MemberStatus(member.status).value},
            now=now,
        )
        licences.free_of(workspace, member, now=now)
        member.delete_instance()
    return len(members)


def _end_contacts(subject: Subject, *, now: datetime) -> int:
    """Addresses alone: a member's contact has gone with the membership."""
    contacts = list(
        Contact.select(Contact, Workspace)
        .join(Workspace)
        .where(fn.LOWER(Contact.email) == subject.address)
        .order_by(Contact.id)
    )
    for contact in contacts:
        audit.record("contact.removed", workspace=contact.workspace, subject=str(contact.id), now=now)
        contact.delete_instance()
    return len(contacts)


def _pass_details_on(
    living: Sequence[Workspace], subject: Subject, stand_ins: dict[int, Person], *, now: datetime
) -> bool:
    """A business stays invoiced, with an owner's name and address; a private buyer's details go.

    True where there were any. Whatever renews by itself to a private buyer was refused.
    """
    found = [details for each in living if (details := details_of(each, subject)) is not None]
    for details in found:
        workspace = details.workspace
        stand_in = stand_ins.get(workspace.id)
        if details.is_business and stand_in is not None:
            first_name, last_name = first_and_last(stand_in.name)
            changed = {"first_name": first_name, "last_name": last_name, "email": stand_in.email}
            BillingDetails.update(**changed).where(BillingDetails.id == details.id).execute()
            changes: dict[str, audit.JSONValue] = {f"{name}.changed": True for name in changed}
        else:
            details.delete_instance()
            changes = {"details.erased": True}
        audit.record(
            "billing.settings_changed",
            workspace=workspace,
            subject=workspace.slug,
            changes=changes,
            now=now,
        )
    return bool(found)


def _let_go_of(subject: Subject, stand_ins: dict[int, Person]) -> None:
    """What stays without them: methods that others charge, requests, carts, licences given to others."""
    who = subject.person_id
    for workspace_id, stand_in in stand_ins.items():
        # Whoever added the method is the payer of what is charged to it by itself.
        PaymentMethod.update(added_by=stand_in).where(
            PaymentMethod.added_by == who, PaymentMethod.workspace == workspace_id
        ).execute()
    for column in (Licence.assigned_by, CartLine.added_by, Contact.added_by, ExchangeRate.added_by):
        column.model.update({column: None}).where(column == who).execute()
    PurchaseRequest.update(asker=None, note="").where(PurchaseRequest.asker == who).execute()
    PurchaseRequest.update(decided_by=None, reason="").where(PurchaseRequest.decided_by == who).execute()


# --- what was bought ------------------------------------------------------------------------------


def _forget_orders(subject: Subject) -> bool:
    """As a deletion: quotes that nobody tried to pay go, and the details of who paid stay on paid orders.

    True where something was forgotten.
    """
    here = [each.id for each in subject.workspaces]
    who = subject.person_id
    tried = Payment.select(Payment.order).where(Payment.workspace << here)
    own = (Order.person == who) & (Order.state == OrderState.OPEN)
    forgotten = Order.delete().where(own, Order.id.not_in(tried)).execute()
    forgotten += Order.update(details=None).where(own, Order.details.is_null(False)).execute()
    others = Order.select(Order.id, Order.details).where(
        Order.workspace << here, Order.state == OrderState.OPEN, Order.details.is_null(False)
    )
    naming = [
        order.id
        for order in others
        if _names_them(
            subject, **{name: order.details[name] for name in ("email", "first_name", "last_name")}
        )
    ]
    forgotten += Order.update(details=None).where(Order.id << naming).execute()
    theirs = Payment.order << Order.select(Order.id).where(Order.person == who)
    Payment.update(action_url="").where(theirs).execute()
    same_address = fn.LOWER(Payment.payer_email) == subject.address
    forgotten += (
        Payment.update(payer_name="", payer_email="")
        .where(theirs | same_address, (Payment.payer_email != "") | (Payment.payer_name != ""))
        .execute()
    )
    same_holder = fn.LOWER(PaymentMethod.holder) == subject.address
    if subject.name:
        same_name = (Payment.workspace << here) & (Payment.payer_name == subject.name)
        forgotten += Payment.update(payer_name="").where(same_name).execute()
        same_holder |= (PaymentMethod.workspace << here) & (PaymentMethod.holder == subject.name)
    PaymentMethod.update(holder="").where((PaymentMethod.added_by == who) | same_holder).execute()
    return forgotten > 0


# --- what was written -----------------------------------------------------------------------------


def _forget_letters(subject: Subject) -> int:
    """Every letter to them, sent or waiting; also those that asked another mailbox to prove itself theirs."""
    asked = Link.select(Link.token_hash).where(
        (Link.person == subject.person_id) | (fn.LOWER(Link.email) == subject.address)
    )
    keys = [f"link-{link.token_hash[:32]}" for link in asked]
    Link.delete().where(fn.LOWER(Link.email) == subject.address).execute()
    return forget_letters(written_to(subject) | (OutboxMessage.key << keys))


def _forget_forms(subject: Subject) -> bool:
    """What somebody typed about them and has not sent yet: rows of an hour."""
    naming = [form.id for form in UnsentForm.select() if is_named_in(form, subject)]
    return bool(UnsentForm.delete().where(UnsentForm.id << naming).execute())


def _say_somebody(subject: Subject) -> None:
    """Letters to others, and notices that wait to be mailed, say that it was somebody who has left.

    The address is known anywhere; a name only in the workspaces where they were, for others have it too.
    """
    payload = OutboxMessage.payload
    here = [each.slug for each in subject.workspaces]
    called = [each.name for each in subject.workspaces if each.name]
    is_here = (payload["context"]["slug"].as_text() << here) | (
        payload["context"]["workspace"].as_text() << called
    )
    which = _says(payload, subject.address)
    if tells_who(subject.name):
        which |= is_here & _says(payload, subject.name)
    letters = list(OutboxMessage.select().where(OutboxMessage.topic == "mail", which))
    for letter in letters:
        instead = somebody(str(letter.payload.get("locale")))
        is_about = letter.payload["context"].get("slug") in here
        is_about |= letter.payload["context"].get("workspace") in called
        cleared = {
            part: without(
                letter.payload[part],
                address=subject.address,
                name=subject.name if is_about else "",
                instead=instead,
            )
            for part in ("context", SECRETS)
            if part in letter.payload
        }
        OutboxMessage.update(payload={**letter.payload, **cleared}).where(
            OutboxMessage.id == letter.id
        ).execute()
    for workspace in subject.workspaces:
        for notice in ChangeNotice.select().where(ChangeNotice.workspace == workspace):
            context = without(
                notice.context,
                address=subject.address,
                name=subject.name,
                instead=somebody(workspace.language),
            )
            if context != notice.context:
                ChangeNotice.update(context=context).where(ChangeNotice.id == notice.id).execute()


def _says(column: object, words: str) -> object:
    """Whether the JSON of the column has the words, with letters beyond ASCII as they are or escaped."""
    text = column.cast("text")  # type: ignore[attr-defined]
    plain, escaped = (json.dumps(words, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True))
    return text.contains(plain) | text.contains(escaped)
