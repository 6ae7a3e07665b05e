"""How people are forgotten: the one mechanism behind a deleted workspace and an erased person.

Whoever calls holds PEOPLE and has ended what the people belong to: memberships first, people last.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from peewee import Case

from portal.models import (
    AuditTrace,
    Link,
    MethodSetup,
    NonprofitRequest,
    Order,
    OutboxMessage,
    PaymentMethod,
    Person,
    Refund,
    Session,
    UnsentForm,
)
from portal.services import audit

PEOPLE = "people"
"""Held before anything is written: two acts that share people come one after the other."""
ERASED = "erased"
ROWS_AT_ONCE = 500
T = TypeVar("T")


def forget_people(people: Sequence[int]) -> None:
    """The row goes, or loses everything that tells who it was where money still points at it."""
    for part in in_parts(people):
        for model in (Session, Link, UnsentForm):
            model.delete().where(model.person << part).execute()
        needed: set[int] = set()
        for column in (
            Order.person,
            PaymentMethod.added_by,
            MethodSetup.person,
            Refund.person,
            NonprofitRequest.decided_by,
        ):
            query = column.model.select(column).where(column << part).distinct()
            needed.update(person_id for (person_id,) in query.tuples())
        for person_id in needed:
            Person.update(
                email=Person.erased_address(person_id),
                name="",
                password_hash=None,
                language=None,
                is_operator=False,
                skips_buy_dialog=False,
                email_proved_at=None,
                bounced_at=None,
                bounce_reason=None,
            ).where(Person.id == person_id).execute()
        Person.delete().where(Person.id << [each for each in part if each not in needed]).execute()


def forget_letters(which: object) -> int:
    """Sent or not. Returns how many."""
    return int(OutboxMessage.delete().where(OutboxMessage.topic == "mail", which).execute())


def forget_actors(which: object) -> None:
    """The portal's own acts stay the portal's."""
    actor = Case(None, [(AuditTrace.actor == audit.PORTAL, audit.PORTAL)], ERASED)
    AuditTrace.update(person=None, actor=actor, ip_address="").where(which).execute()


def addresses_of(people: Iterable[int]) -> list[str]:
    return [
        email
        for part in in_parts(list(people))
        for (email,) in Person.select(Person.email).where(Person.id << part).tuples()
    ]


def in_parts(things: Sequence[T], size: int = ROWS_AT_ONCE) -> Iterator[Sequence[T]]:
    return (things[first : first + size] for first in range(0, len(things), size))
