"""Everything that is due at a moment, in one run that may be repeated, doubled or missed."""

from datetime import datetime

from ..runtime import current
from . import housekeeping, payments


def run_due(*, now: datetime, limit: int) -> dict[str, int]:
    """Settle what can be settled at `now`, at most `limit` of each kind. Returns what was done, by name.

    Safe to run twice, at once, and after any absence: each part takes what is due from the database.
    """
    looked_up = payments.look_up_due(limit=limit, now=now)
    abandoned = payments.give_up_abandoned(limit=limit, now=now)
    swept = housekeeping.sweep(wall=current().clock.wall())
    return {
        "payments_looked_up": looked_up.asked,
        "payments_settled": looked_up.settled,
        "payments_given_up": abandoned,
        **{f"swept_{name}": rows for name, rows in swept.items()},
    }
