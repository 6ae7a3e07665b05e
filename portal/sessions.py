"""Server-side sessions: the cookie holds a random token, the database its hash and everything else.

A copied cookie dies with the row: at sign-out, at a password change, after 60 idle minutes or
12 hours, and, by setting, when it comes from another network (trust.md §5.2).
"""

import hashlib
import ipaddress
import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from flask import Flask, Request, Response, g
from flask.sessions import SessionInterface, SessionMixin
from flask_login import login_user
from peewee import JOIN, OperationalError
from werkzeug.datastructures import CallbackDict

from . import outbox
from .database import database
from .models import Person, Session
from .runtime import current

IDLE_LIMIT = timedelta(minutes=60)
IDLE_LIMIT_OF_OPERATORS = timedelta(minutes=30)
ABSOLUTE_LIMIT = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
PREFIX_LENGTHS = {"strict": (32, 64), "network": (24, 48)}


class ServerSession(CallbackDict[str, Any], SessionMixin):
    """What Flask calls `session`. `row` is None until something is stored."""

    def __init__(self, row: Session | None) -> None:
        def mark(changed: "ServerSession") -> None:
            changed.modified = True

        super().__init__(row.stored if row else None, mark)
        self.row = row
        self.token: str | None = None
        self.modified = False
        self.accessed = True

    def rotate(self) -> None:
        """Leave the old token behind: whoever knows it has nothing from now on."""
        if self.row is not None:
            self.row.delete_instance()
        self.row = None
        self.modified = True


class DatabaseSessions(SessionInterface):
    def open_session(self, app: Flask, request: Request) -> ServerSession:
        """Flask opens the session before any hook, so the connection is taken here."""
        token = request.cookies.get(self.get_cookie_name(app), "")
        if not token:
            return ServerSession(None)
        try:
            database.connect(reuse_if_open=True)
            return ServerSession(_live_row(token, request))
        except OperationalError as error:
            # Raised again by the first hook, when a page can be shown.
            g.database_fault = error
            return ServerSession(None)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        assert isinstance(session, ServerSession)
        response.vary.add("Cookie")
        name = self.get_cookie_name(app)
        if session.row is None and session.modified and session:
            token = _insert(session)
            response.set_cookie(
                name, token, path="/", secure=current().settings.is_https, httponly=True, samesite="Lax"
            )
        elif session.row is None and session.modified:
            response.delete_cookie(
                name, path="/", secure=current().settings.is_https, httponly=True, samesite="Lax"
            )
        elif session.row is not None:
            _update(session)


def sign_in(person: Person) -> None:
    """Make this browser the person's, under a new token; what the visitor had before is gone but their language."""
    from flask import session

    assert isinstance(session._get_current_object(), ServerSession)  # type: ignore[attr-defined]
    language = session.get("language")
    session.clear()
    session.rotate()  # type: ignore[attr-defined]
    if language:
        session["language"] = language
    login_user(person)


def sign_out() -> None:
    from flask import session

    session.clear()
    session.rotate()  # type: ignore[attr-defined]


def end_sessions(person: Person, *, except_row: Session | None = None) -> int:
    """Sign the person out everywhere (but here). Returns how many sessions ended."""
    query = Session.delete().where(Session.person == person)
    if except_row is not None:
        query = query.where(Session.id != except_row.id)
    return query.execute()


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _live_row(token: str, request: Request) -> Session | None:
    row = (
        Session.select(Session, Person)
        .join(Person, JOIN.LEFT_OUTER)
        .where(Session.token_hash == hash_token(token))
        .first()
    )
    if row is None:
        return None
    wall = current().clock.wall()
    idle_limit = IDLE_LIMIT_OF_OPERATORS if row.person and row.person.is_operator else IDLE_LIMIT
    if wall - row.seen_at > idle_limit or wall - row.created_at > ABSOLUTE_LIMIT:
        row.delete_instance()
        return None
    if row.person and not same_network(row.ip_address, request.remote_addr or ""):
        row.delete_instance()
        g.session_left_network = True
        outbox.publish(
            "mail",
            key=f"other-network-{row.person.id}-{wall:%Y-%m-%d}",
            payload={
                "template": "security_notice",
                "to": row.person.email,
                "locale": row.person.language or current().settings.locales[0],
                "context": {"name": row.person.name, "at": wall.isoformat()},
            },
            now=wall,
        )
        return None
    return row


def same_network(one: str, other: str) -> bool:
    """Whether two addresses count as the same place under PORTAL_SESSION_BINDING."""
    binding = current().settings.session_binding
    if binding == "off":
        return True
    try:
        first, second = ipaddress.ip_address(one), ipaddress.ip_address(other)
    except ValueError:
        return one == other
    if first.version != second.version:
        return False
    length = PREFIX_LENGTHS[binding][0 if first.version == 4 else 1]
    return second in ipaddress.ip_network(f"{first}/{length}", strict=False)


def _insert(session: ServerSession) -> str:
    from flask import request

    token = secrets.token_urlsafe(32)
    wall = current().clock.wall()
    user_id = session.get("_user_id")
    session.row = Session.create(
        token_hash=hash_token(token),
        person=int(user_id) if user_id else None,
        stored=dict(session),
        ip_address=request.remote_addr or "",
        user_agent=printable(request.user_agent.string)[:200],
        created_at=wall,
        seen_at=wall,
    )
    return token


def _update(session: ServerSession) -> None:
    assert session.row is not None
    wall = current().clock.wall()
    changes: dict[Any, Any] = {}
    if session.modified:
        changes[Session.stored] = dict(session)
    if wall - session.row.seen_at > SEEN_EVERY:
        changes[Session.seen_at] = wall
    if changes:
        Session.update(changes).where(Session.id == session.row.id).execute()


def printable(text: str) -> str:
    return "".join(_printable_characters(text))


def _printable_characters(text: str) -> Iterator[str]:
    for character in text:
        if character.isprintable():
            yield character
