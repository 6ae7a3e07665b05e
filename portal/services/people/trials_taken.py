"""One free trial for one owner: whoever deletes a workspace and comes back does not begin another at once.

What is kept of an owner is a keyed hash of the address, for as long as the privacy page says. It tells
nothing without the key, and nobody is told before they have proved that the address is theirs.
"""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from portal.database.connecting import require_transaction
from portal.models import Person, TrialTaken
from portal.runtime import current

KEPT_FOR_DAYS = 365
"""As the privacy page says."""


def note(owners: Iterable[Person], *, now: datetime) -> None:
    """Their workspace is being deleted. Inside the transaction of the deletion; the latest day counts."""
    require_transaction()
    until_on = now.date() + timedelta(days=KEPT_FOR_DAYS)
    hashes = sorted({_hash(owner.email, key=current().settings.secret_key) for owner in owners})
    TrialTaken.delete().where(TrialTaken.address_hash << hashes).execute()
    for address_hash in hashes:
        TrialTaken.create(address_hash=address_hash, until_on=until_on)


def taken_until(email: str, *, now: datetime) -> date | None:
    """The day from which the address gets a trial again; None where it gets one now."""
    settings = current().settings
    hashes = [_hash(email, key=key) for key in (settings.secret_key, *settings.secret_key_fallbacks)]
    found = (
        TrialTaken.select()
        .where(TrialTaken.address_hash << hashes, TrialTaken.until_on > now.date())
        .order_by(TrialTaken.until_on.desc())
        .first()
    )
    return found.until_on if found else None


def _hash(email: str, *, key: str) -> str:
    own_key = hashlib.sha256(b"trial taken" + key.encode()).digest()
    return hmac.new(own_key, email.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
