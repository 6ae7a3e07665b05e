"""What follows once money covers an open invoice."""

from collections.abc import Sequence
from datetime import datetime

from portal.models import Invoice


def after_covered(invoices: Sequence[Invoice], *, now: datetime) -> None:
    """What a covered invoice lets go on: called with those of which a transfer has just covered something.

    Inside the transaction that wrote it down and in the workspace's lock, with the ledger written: whoever
    asks `ledger.status_of` is told the truth. Nothing follows as long as every invoice is of an order that is
    given once it is paid.
    """
