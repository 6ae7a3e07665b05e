"""The private address of a member's calendar of charges: 256 random bits, kept as a hash (trust.md §5.3)."""

from datetime import datetime

from portal.database.connecting import transaction
from portal.domain.vocabulary import MemberStatus, Right
from portal.models import CalendarAddress, Member, Person, Workspace
from portal.services import audit, places
from portal.services.places import Place
from portal.services.tokens import hash_of, new_token

SHOWS = frozenset({Right.SEE_PLANS, Right.SEE_HISTORY})
"""What the calendar tells is what these pages tell: whoever loses one of them loses the calendar."""


def make(place: Place, *, now: datetime) -> str:
    """A new token, which nobody can read again. The one before it, if any, is worth nothing from now on."""
    token = new_token()
    with transaction(lock=place.workspace):
        before = CalendarAddress.delete().where(CalendarAddress.member == place.member).execute()
        CalendarAddress.create(member=place.member, token_hash=hash_of(token), created_at=now)
        audit.record(
            "calendar.made",
            workspace=place.workspace,
            subject=str(place.member.id),
            changes={"replaced": bool(before)},
            now=now,
        )
    return token


def revoke(place: Place, *, now: datetime) -> bool:
    """False where there was none."""
    with transaction(lock=place.workspace):
        gone = CalendarAddress.delete().where(CalendarAddress.member == place.member).execute()
        if gone:
            audit.record("calendar.revoked", workspace=place.workspace, subject=str(place.member.id), now=now)
    return bool(gone)


def find(token: str) -> Place | None:
    """Where whoever made the address stands today; None if they lost what it shows, as for no address.

    One query.
    """
    found = (
        CalendarAddress.select(CalendarAddress, Member, Workspace, Person)
        .join(Member)
        .join_from(Member, Workspace)
        .join_from(Member, Person)
        .where(
            CalendarAddress.token_hash == hash_of(token),
            Member.status == MemberStatus.ACTIVE,
            Member.joined_at.is_null(False),
            Workspace.deleted_at.is_null(),
        )
        .first()
    )
    if found is None:
        return None
    member = found.member
    may = places.rights_in(member)
    return Place(member.workspace, member, may, others=()) if may >= SHOWS else None
