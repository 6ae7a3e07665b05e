"""What was typed into a form whose session had ended: it is there again after signing in, for an hour.

The browser keeps a random token, the database its hash and the fields. Passwords, keys and cards are left
out, by their names and by what they look like.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta

from portal.database.connecting import transaction
from portal.domain.card_numbers import holds_card_number
from portal.models import UnsentForm
from portal.runtime import current

LIFE = timedelta(hours=1)
LONGEST = 20_000
"""Characters of all fields together; the longest form of ours has a third of that."""
MOST_FIELDS = 60
NEVER_KEPT = frozenset(
    {
        "csrf_token",
        "password",
        "current_password",
        "new_password",
        "number",
        "exp_month",
        "exp_year",
        "security_code",
        "holder",
        "iban",
        "licence_key",
    }
)

Fields = Sequence[tuple[str, str]]


def keep(fields: Fields, *, page: str, person_id: int | None) -> str | None:
    """The token under which `page` shows the fields again; None where there is nothing to keep, or too much.

    Only `person_id` gets them back; None: it is not known whose session it was, and whoever signs in next in
    this browser and may open the page gets them.
    """
    kept = [
        (name, value) for name, value in fields if name not in NEVER_KEPT and not holds_card_number(value)
    ]
    is_storable = all("\x00" not in name + value and _is_unicode(name + value) for name, value in kept)
    size = sum(len(name) + len(value) for name, value in kept)
    if not any(value.strip() for _name, value in kept) or not is_storable:
        return None
    if size > LONGEST or len(kept) > MOST_FIELDS or len(page) > UnsentForm.page.max_length:
        return None
    token = secrets.token_urlsafe(32)
    with transaction():
        UnsentForm.create(
            token_hash=_hash(token),
            person=person_id,
            page=page,
            fields=[list(pair) for pair in kept],
            expires_at=current().clock.wall() + LIFE,
        )
    return token


def find(token: str, *, page: str, person_id: int | None) -> list[tuple[str, str]]:
    """The fields kept for this page and person; empty where there are none."""
    unsent = UnsentForm.get_or_none(
        UnsentForm.token_hash == _hash(token),
        UnsentForm.page == page,
        UnsentForm.expires_at > current().clock.wall(),
    )
    if unsent is None or unsent.person_id not in (None, person_id):
        return []
    return [(str(name), str(value)) for name, value in unsent.fields]


def forget(token: str) -> None:
    with transaction():
        UnsentForm.delete().where(UnsentForm.token_hash == _hash(token)).execute()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
