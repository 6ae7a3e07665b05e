"""Letters to the people of a workspace, promised in the transaction of what they tell about."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b

from peewee import Expression, ModelSelect

from portal import outbox
from portal.database.prepared import Parameter, Prepared
from portal.domain.change_notices import mailed_from
from portal.domain.errors import PortalError
from portal.domain.vocabulary import ChangeNotices, MemberStatus, Role
from portal.mail.writing import BILLING_MAIL, CHANGE_NOTICES, names_needed
from portal.models import (
    ChangeNotice,
    Contact,
    Invoice,
    Member,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Person,
    Workspace,
)
from portal.outbox import JSON
from portal.runtime import current


class LetterIncomplete(PortalError):
    """Our own mistake: the context lacks names that the letter's template says."""

    template: str
    missing: tuple[str, ...]


def send(
    template: str,
    *,
    to: Iterable[Person],
    workspace: Workspace,
    key: str,
    context: dict[str, JSON],
    attachments: Sequence[Invoice] = (),
    copies_to: Iterable[str] = (),
    at_once: bool = False,
) -> None:
    """Promise one mail to each person, in their language. The same `key` a second time is a no-op.

    Every template gets the reader's name and the workspace's name and slug beside its own `context`.

    Billing mail (writing.BILLING_MAIL) goes in copy to the contacts of the workspace, each in their own
    language. `copies_to` are addresses that may be nobody's here: a copy in the workspace's. An address gets
    one mail, however many reasons there are, and none where mail came back from it. A copy leads to no page
    behind a sign-in: it says whom to ask instead.

    Change notices (writing.CHANGE_NOTICES) go to the billing people, whoever they are by then: at once where
    the workspace wants that and got none today, or where the day that they tell of comes before others would
    be mailed; else with others later (services/billing/digests.py). `at_once`: whatever they want.
    """
    waits = template in CHANGE_NOTICES and not at_once
    if waits and not _is_mailed_at_once(template, workspace, key=key, context=context):
        return
    people = {person.id: person for person in to}.values()
    contacts = _contacts.rows(workspace=workspace.id) if template in BILLING_MAIL else []
    copies = [
        _Copy(each.address, each.name, each.reads_in(workspace)) for each in contacts if each.gets_mail
    ] + [_Copy(address, "", workspace.language) for address in copies_to]
    here: dict[str, JSON] = {"workspace": workspace.name, "slug": workspace.slug, **context}
    reached = {each.address.casefold() for each in contacts if each.came_back_at is not None}
    for person in people:
        reached.add(person.email.casefold())
        if person.bounced_at is not None or person.is_erased:
            continue
        promise(
            template,
            key=f"{key}-{person.id}",
            to=person.email,
            locale=person.language or workspace.language,
            context={"name": person.name, **here},
            attachments=attachments,
        )
    if not copies:
        return
    ask: list[JSON] = [person.name for person in owners(workspace)]
    for copy in copies:
        folded = copy.address.casefold()
        if folded in reached:
            continue
        reached.add(folded)
        promise(
            template,
            key=f"{key}-{_short_key(folded)}",
            to=copy.address,
            locale=copy.language,
            context={"name": copy.name, "ask_instead": ask, **here},
            attachments=attachments,
        )


def _is_mailed_at_once(template: str, workspace: Workspace, *, key: str, context: dict[str, JSON]) -> bool:
    """Write the notice down, as mailed today or as waiting. The same `key` a second time is a no-op."""
    _refuse_incomplete(template, {*context, "name", "workspace", "slug"})
    if ChangeNotice.select().where(ChangeNotice.key == key).exists():
        return False
    today = workspace.day(current().clock.now())
    frequency = workspace.change_notices
    ChangeNotice.delete().where(ChangeNotice.workspace == workspace, ChangeNotice.sent_on < today).execute()
    is_first = not ChangeNotice.select().where(ChangeNotice.workspace == workspace).exists()
    at_once = (is_first and frequency is ChangeNotices.EACH) or _comes_before(
        mailed_from(today, frequency), context
    )
    ChangeNotice.create(
        workspace=workspace,
        key=key,
        template=template,
        context=context,
        noted_on=today,
        sent_on=today if at_once else None,
    )
    return at_once


def _comes_before(day: date, context: Mapping[str, JSON]) -> bool:
    """Whether what the letter tells of is there when it would be mailed on `day`: a renewal, a due date."""
    told = (context.get(name) for name in ("renew_on", "due_on"))
    return any(date.fromisoformat(each) <= day for each in told if isinstance(each, str))


def waiting_notices(workspace: Workspace) -> "ModelSelect[ChangeNotice]":
    """Change notices that were not mailed yet, the oldest first."""
    return (
        ChangeNotice.select()
        .where(ChangeNotice.workspace == workspace, ChangeNotice.sent_on.is_null())
        .order_by(ChangeNotice.id)
    )


@dataclass(frozen=True, slots=True)
class _Copy:
    address: str
    name: str
    language: str


def promise(
    template: str,
    *,
    key: str,
    locale: str,
    context: dict[str, JSON],
    to: str = "",
    secrets: Mapping[str, JSON] | None = None,
    attachments: Sequence[Invoice] = (),
) -> None:
    """One letter to one address; the same `key` a second time is a no-op.

    `secrets` are wiped once it is sent; without `to` the address is one of them. Raises LetterIncomplete
    where the template says a name that neither has: here and now, not in the worker hours later.
    """
    payload: dict[str, JSON] = {"template": template, "to": to, "locale": locale, "context": context}
    _refuse_incomplete(template, {*context, *(secrets or ())} | ({"facts"} if attachments else set()))
    if secrets:
        payload[outbox.SECRETS] = dict(secrets)
    if attachments:
        payload["attachments"] = [{"invoice_id": invoice.id, "locale": locale} for invoice in attachments]
    outbox.publish("mail", key=key, payload=payload, now=current().clock.wall())


def _refuse_incomplete(template: str, given: Collection[str]) -> None:
    if missing := names_needed(template) - set(given):
        raise LetterIncomplete(template=template, missing=tuple(sorted(missing)))


def context_of(key: str, reader: Person) -> dict[str, JSON] | None:
    """What the letter of that `key` said to `reader` (see `send`); None where they got none. One query."""
    sent = OutboxMessage.get_or_none(OutboxMessage.topic == "mail", OutboxMessage.key == f"{key}-{reader.id}")
    return None if sent is None else dict(sent.payload["context"])


def tell_operators(template: str, *, key: str, context: dict[str, JSON]) -> None:
    """Promise one mail to each of the vendor's staff, with their name beside `context`.

    The same `key` a second time is a no-op.
    """
    for operator in Person.select().where(Person.is_operator).order_by(Person.id):
        promise(
            template,
            key=f"{key}-{operator.id}",
            to=operator.email,
            locale=mail_locale(operator),
            context={"name": operator.name, **context},
        )


def _short_key(address: str) -> str:
    """An address is longer than a key may be; the letter a keeps it apart from the ids of people."""
    return "a" + blake2b(address.encode(), digest_size=8).hexdigest()


def billing_people(workspace: Workspace) -> list[Person]:
    """Whom billing mail goes to: owners, billing managers and upgraders who have joined.

    With what a letter needs of them alone: name, address, language, whether mail came back.
    """
    return _may_pay.rows(workspace=workspace.id)


def gets_billing_mail(member: Member) -> bool:
    """Whether they are one of the above."""
    is_payer = member.role in (Role.OWNER, Role.BILLING_MANAGER) or member.is_upgrader
    return bool(is_payer and member.is_active and member.joined_at is not None)


def owners(workspace: Workspace) -> list[Person]:
    return _owners.rows(workspace=workspace.id)


def method_facts(method: PaymentMethod | None) -> JSON:
    """What a letter says of a method."""
    if method is None:
        return None
    return {"method": method.kind.value, "brand": method.brand, "last4": method.last4}


def paid_with(payment: Payment) -> JSON:
    """What a letter says of the method of a payment, which may not be saved."""
    return {"method": payment.method_kind.value, "brand": payment.brand, "last4": payment.last4}


def _people(which: Expression) -> "ModelSelect[Person]":
    return (
        Person.select(Person.id, Person.email, Person.name, Person.language, Person.bounced_at)
        .join(Member)
        .where(
            Member.workspace == Parameter("workspace"),
            Member.status == MemberStatus.ACTIVE,
            Member.joined_at.is_null(False),
            which,
        )
        .order_by(Member.id)
    )


_may_pay = Prepared(lambda: _people((Member.role << [Role.OWNER, Role.BILLING_MANAGER]) | Member.is_upgrader))
_owners = Prepared(lambda: _people(Member.role == Role.OWNER))
_contacts = Prepared(lambda: Contact.with_people(Parameter("workspace")))


def mail_locale(person: Person) -> str:
    """The language that mail to the person is written in."""
    locales = current().settings.locales
    return person.language if person.language in locales else locales[0]
