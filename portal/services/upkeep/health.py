"""Whether this installation can serve: what `/readyz` says to whatever watches it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from peewee import PeeweeException

from portal import outbox
from portal.database import connecting as database
from portal.database import migrating
from portal.domain.vocabulary import PaymentState
from portal.models import Payment

OLDEST_PROMISE = timedelta(minutes=10)
"""A promise that waits longer means that no worker runs (trust.md F26)."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What was found. After `database` False nothing else could be asked.

    `oldest_message_seconds` is 0 when nothing waits. `unknown_payments` is told and never red: they
    solve themselves, and a site without them would be no readier.
    """

    database: bool
    pending_migrations: tuple[str, ...] = ()
    oldest_message_seconds: int = 0
    unknown_payments: int = 0

    @property
    def is_ready(self) -> bool:
        keeps_promises = self.oldest_message_seconds < OLDEST_PROMISE.total_seconds()
        return self.database and not self.pending_migrations and keeps_promises


def readiness(*, wall: datetime) -> Readiness:
    """Four questions to the database; never raises for a database that does not answer."""
    try:
        with database.connection():
            pending = migrating.pending_migrations()
            if pending:
                # Tables of a newer version may not be there to be asked.
                return Readiness(database=True, pending_migrations=tuple(pending))
            oldest = outbox.oldest_due_at(wall)
            unknown = Payment.select().where(Payment.state == PaymentState.UNKNOWN).count()
    except PeeweeException:
        return Readiness(database=False)
    waits = int((wall - oldest).total_seconds()) if oldest else 0
    return Readiness(database=True, oldest_message_seconds=waits, unknown_payments=unknown)
