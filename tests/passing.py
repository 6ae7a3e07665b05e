"""Days that pass, with the runs that have something to do."""

from bisect import bisect_left
from datetime import datetime, timedelta

from portal.database.prepared import Prepared
from portal.models import Invoice, MethodSetup, Payment, Refund
from portal.services.renewals import run
from tests.matrix import FULL


def pass_days(clock, days: int) -> None:
    """To each day with something to do, one after the other, and to the last; with FULL=1 to every day.

    That a run leaves all as it is where nothing waits, tests/services/renewals/test_run.py and the simulated
    worlds prove.
    """
    left = days
    while left:
        step = 1 if FULL else days_until_something_waits(clock.now(), at_most=left)
        clock.advance(days=step)
        clock.advance_wall(days=step)
        run.run_due(now=clock.now())
        left -= step


def days_until_something_waits(now: datetime, *, at_most: int) -> int:
    """At least one. What waits on a day waits on the next one too, as long as nobody looks."""
    return bisect_left(
        range(at_most), True, lo=1, key=lambda days: something_waits(now + timedelta(days=days))
    )


def something_waits(now: datetime) -> bool:
    """For its day, for the answer of a gateway, or to be paid."""
    if run.count_due(now) or Invoice.select().where(Invoice.remind_on <= now.date()).exists():
        return True
    return any(query.rows() for query in ASKED_AGAIN)


def _not_null(column) -> Prepared:
    return Prepared(lambda: column.model.select(column).where(column.is_null(False)).limit(1))


ASKED_AGAIN = [
    _not_null(column) for column in (Payment.look_up_at, Refund.ask_again_at, MethodSetup.look_up_at)
]
