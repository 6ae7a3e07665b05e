"""What may be thrown away: sessions, links, unsent forms, counters, and files that nobody imported."""

from datetime import datetime, timedelta

from portal.models import BankCsvUpload, LimitBucket, Link, Session, TrialTaken, UnsentForm

DEAD_SESSION_AFTER = timedelta(days=1)
"""Longer than any session lives (sessions.py); the row itself is refused long before."""
DEAD_LINK_AFTER = timedelta(days=7)
CSV_KEPT_FOR = timedelta(days=7)
"""Of a bank's file whose columns nobody has named: it is full of what customers paid."""


def sweep(*, wall: datetime) -> dict[str, int]:
    """Delete what is over. Returns the count of rows by table. Safe to repeat and to run twice at once."""
    return {
        "sessions": Session.delete().where(Session.created_at < wall - DEAD_SESSION_AFTER).execute(),
        "links": Link.delete().where(Link.expires_at < wall - DEAD_LINK_AFTER).execute(),
        "unsent_forms": UnsentForm.delete().where(UnsentForm.expires_at < wall).execute(),
        "trials_taken": TrialTaken.delete().where(TrialTaken.until_on <= wall.date()).execute(),
        "csv_uploads": BankCsvUpload.delete()
        .where(BankCsvUpload.uploaded_at < wall - CSV_KEPT_FOR)
        .execute(),
        "limit_buckets": LimitBucket.delete().where(LimitBucket.ends_at < wall).execute(),
    }
