"""The vendor's staff."""

from datetime import datetime

from email_validator import validate_email

from portal.database.connecting import transaction
from portal.models import Person

from . import audit


def add(email: str, *, now: datetime) -> Person:
    """Make the person with this address an operator, known or new. Safe to repeat.

    A new one has no password: they choose it by the link of the sign-in page. Raises
    email_validator.EmailNotValidError.
    """
    address = validate_email(email, check_deliverability=False, allow_display_name=False).normalized.lower()
    with transaction():
        person = Person.get_or_none(Person.email == address)
        if person is None:
            person = Person.create(email=address, name=address.partition("@")[0], created_at=now)
        if not person.is_operator:
            person.is_operator = True
            person.save(only=[Person.is_operator])
            audit.record("operator.added", workspace=None, subject=str(person.id), now=now)
    return person


def exists() -> bool:
    return bool(Person.select().where(Person.is_operator).exists())
