"""What a person sees and keeps of their own account: name, language, sessions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.database.connecting import transaction
from portal.domain.vocabulary import MemberStatus
from portal.models import Member, Person, Session, Workspace
from portal.runtime import current
from portal.services import audit
from portal.services.places import MENU_WORKSPACES

from .signing_in import end_sessions


@dataclass(frozen=True, slots=True)
class SessionList:
    """`older` is the cursor of the next page, None on the last one."""

    rows: Sequence[Session]
    older: int | None


def save_profile(person: Person, *, name: str, language: str, now: datetime) -> None:
    with transaction():
        Person.update(name=name, language=language).where(Person.id == person.id).execute()
        audit.record(
            "person.profile_changed",
            workspace=None,
            subject=str(person.id),
            changes={"language": language},
            actor=person,
            now=now,
        )


def list_sessions(
    person: Person, *, idle: timedelta, life: timedelta, size: int, before: int | None = None
) -> SessionList:
    """The sessions that still open a page, the one used last first: `size` of them.

    Or those used before the one whose id is `before`; one that is over by now leads to the first page. One
    query, and another for that one.
    """
    wall = current().clock.wall()
    query = Session.select().where(
        Session.person == person, Session.seen_at >= wall - idle, Session.created_at >= wall - life
    )
    last = Session.get_or_none(Session.person == person, Session.id == before) if before else None
    if last is not None:
        used_before = (Session.seen_at == last.seen_at) & (Session.id < last.id)
        query = query.where((Session.seen_at < last.seen_at) | used_before)
    found = list(query.order_by(Session.seen_at.desc(), Session.id.desc()).limit(size + 1))
    return SessionList(rows=found[:size], older=found[size - 1].id if len(found) > size else None)


def end_session(person: Person, session_id: int, *, now: datetime) -> bool:
    """End one of the person's own sessions; False when it is not theirs or already over."""
    with transaction():
        ended = Session.delete().where(Session.person == person, Session.id == session_id).execute()
        if ended:
            _record_end_of_sessions(person, ended, now=now)
    return bool(ended)


def end_other_sessions(person: Person, *, keep_session: Session | None, now: datetime) -> int:
    """End the person's sessions elsewhere. Returns how many ended."""
    with transaction():
        ended = end_sessions(person, but=keep_session)
        if ended:
            _record_end_of_sessions(person, ended, now=now)
    return ended


def _record_end_of_sessions(person: Person, count: int, *, now: datetime) -> None:
    audit.record(
        "person.sessions_ended",
        workspace=None,
        subject=str(person.id),
        changes={"sessions": count},
        actor=person,
        now=now,
    )


def workspaces_of(person: Person) -> Iterable[Workspace]:
    """Those the person can enter, by name."""
    return list(
        Workspace.select()
        .join(Member)
        .where(
            Member.person == person,
            Member.status != MemberStatus.DISABLED,
            Member.joined_at.is_null(False),
            Workspace.deleted_at.is_null(),
        )
        .order_by(Workspace.name, Workspace.id)
        .limit(MENU_WORKSPACES)
    )
