"""The mandates of SEPA direct debits: their references, given with a method that is added or with a payment.

A reference is counted by what asked for one, also where nothing came of it: it was shown to somebody.
"""

from portal.database.connecting import require_transaction
from portal.domain.errors import PortalError
from portal.models import MethodSetup, Payment, Workspace


class MandateChanged(PortalError):
    """The mandate that was ticked has another reference than it would get: somebody gave one meanwhile."""


class NotInEuros(PortalError):
    """Debits are made in euros, and something else was to be paid with one."""


def next_mandate(workspace: Workspace) -> str:
    """The reference of the next mandate that the workspace gives: C-000042-M1. Two queries."""
    given = sum(
        model.select().where(model.workspace == workspace, model.mandate_on.is_null(False)).count()
        for model in (MethodSetup, Payment)
    )
    return f"{workspace.customer_number}-M{given + 1}"


def refuse_another_mandate(workspace: Workspace, shown: str) -> None:
    """Before one is written down as given. Inside the workspace's lock. Raises MandateChanged."""
    require_transaction()
    if shown != next_mandate(workspace):
        raise MandateChanged()
