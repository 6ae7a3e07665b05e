"""Days that pass, with the run of each."""

from portal.database.prepared import Prepared
from portal.models import Invoice, MethodSetup, Payment, Refund
from portal.runtime import current
from portal.services.renewals import run
from tests.matrix import FULL


def pass_days(clock, days: int) -> None:
    """One by one. Of runs that find nothing there is the last one alone: with FULL=1 there is one each day.

    To find nothing takes a run ten times as long as to see that nothing waits. That it then leaves all
    as it is, tests/services/renewals/test_run.py and the simulated worlds prove.
    """
    for left in reversed(range(days)):
        clock.advance(days=1)
        clock.advance_wall(days=1)
        if FULL or not left or something_waits():
            run.run_due(now=clock.now())


def something_waits() -> bool:
    """For its day, for the answer of a gateway, or to be paid."""
    now = current().clock.now()
    if run.count_due(now) or Invoice.select().where(Invoice.remind_on <= now.date()).exists():
        return True
    return any(query.rows() for query in ASKED_AGAIN)


def _not_null(column) -> Prepared:
    return Prepared(lambda: column.model.select(column).where(column.is_null(False)).limit(1))


ASKED_AGAIN = [
    _not_null(column) for column in (Payment.look_up_at, Refund.ask_again_at, MethodSetup.look_up_at)
]
