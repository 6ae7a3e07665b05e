"""What may be thrown away: sessions, links, unsent forms and counters whose time is over."""

from datetime import datetime, timedelta

from portal.models import LimitBucket, Link, Session, TrialTaken, UnsentForm

DEAD_SESSION_AFTER = timedelta(days=1)
"""Longer than any session lives (sessions.py); the row itself is refused long before."""
DEAD_LINK_AFTER = timedelta(days=7)


def sweep(*, wall: datetime) -> dict[str, int]:
    """Delete what is over. Returns the count of rows by table. Safe to repeat and to run twice at once."""
    return {
        "sessions": Session.delete().where(Session.created_at < wall - DEAD_SESSION_AFTER).execute(),
        "links": Link.delete().where(Link.expires_at < wall - DEAD_LINK_AFTER).execute(),
        "unsent_forms": UnsentForm.delete().where(UnsentForm.expires_at < wall).execute(),
        "trials_taken": TrialTaken.delete().where(TrialTaken.until_on <= wall.date()).execute(),
        "limit_buckets": LimitBucket.delete().where(LimitBucket.ends_at < wall).execute(),
    }
