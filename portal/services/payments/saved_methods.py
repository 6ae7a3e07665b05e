"""Rows for the methods that a gateway keeps for us."""

from datetime import datetime

from portal.gateways.base import MethodFacts
from portal.models import PaymentMethod
from portal.models import Person
from portal.models import Workspace

LONGEST_NAME = 200


def known_method(gateway: str, facts: MethodFacts) -> PaymentMethod | None:
    """The row of the method that the gateway keeps under that reference."""
    return PaymentMethod.get_or_none(
        PaymentMethod.gateway == gateway, PaymentMethod.reference == facts.reference
    )


def new_method(
    facts: MethodFacts,
    *,
    workspace: Workspace,
    added_by: Person | int,
    gateway: str,
    is_preferred: bool = False,
    now: datetime,
) -> PaymentMethod:
    """A row for a method that the gateway keeps, with what may be shown of it."""
    return PaymentMethod.create(
        workspace=workspace,
        added_by=added_by,
        gateway=gateway,
        reference=facts.reference,
        kind=facts.kind,
        brand=facts.brand or "",
        last4=facts.last4 or "",
        exp_month=facts.exp_month,
        exp_year=facts.exp_year,
        holder=what_fits(facts.holder),
        is_preferred=is_preferred,
        created_at=now,
    )


def what_fits(text: str) -> str:
    """What the column can hold of a text of the gateway's: money that moved is recorded, whatever it says."""
    return text.replace("\x00", "")[:LONGEST_NAME]
