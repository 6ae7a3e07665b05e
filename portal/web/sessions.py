"""Server-side sessions: the cookie holds a random token, the database its hash and everything else.

A copied cookie dies with the row: at sign-out, at a password change, after 60 idle minutes or
12 hours, and, by setting, when it comes from another network (trust.md §5.2).

Somebody who is not signed in has no row: what little they have (their language, the value behind the
CSRF tokens) stands in the cookie itself, signed, so that looking writes nothing, however many look.
"""

import hashlib
import ipaddress
import logging
import secrets
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from flask import Flask, Request, Response, g
from flask.sessions import SessionInterface, SessionMixin
from flask_login import login_user
from itsdangerous import BadSignature, URLSafeSerializer
from peewee import OperationalError
from werkzeug.datastructures import CallbackDict

from portal.database.connecting import database
from portal.database.prepared import Parameter, Prepared
from portal.domain.vocabulary import SessionBinding
from portal.models import Person, Session
from portal.runtime import current
from portal.services import letters, places

from .limits import ip_address, remember_network

IDLE_LIMIT = timedelta(minutes=60)
IDLE_LIMIT_OF_OPERATORS = timedelta(minutes=30)
ABSOLUTE_LIMIT = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
PREFIX_LENGTHS = {SessionBinding.STRICT: (32, 64), SessionBinding.NETWORK: (24, 48)}
KEPT_AT_SIGN_IN = ("language", "unsent_form")
STATIC_FILES = "/static/"
"""Below it nobody has a session: the files are the same for everybody."""

log = logging.getLogger(__name__)


class ServerSession(CallbackDict[str, Any], SessionMixin):
    """What Flask calls `session`. `row` is None for somebody who is not signed in."""

    def __init__(self, row: Session | None = None, *, stored: dict[str, Any] | None = None) -> None:
        def mark(changed: "ServerSession") -> None:
            changed.modified = True

        super().__init__(row.stored if row else stored, mark)
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
        cookie = request.cookies.get(self.get_cookie_name(app), "")
        if not cookie or request.path.startswith(STATIC_FILES):
            return ServerSession()
        if "." in cookie:
            return ServerSession(stored=_kept_by_visitor(cookie))
        try:
            database.connect(reuse_if_open=True)
            return ServerSession(_live_row(cookie, request))
        except OperationalError as error:
            # Raised again by the first hook, when a page can be shown.
            g.database_fault = error
            return ServerSession()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """A new row at sign-in, a newer one for somebody signed in, and for everybody else the cookie."""
        from flask import request

        assert isinstance(session, ServerSession)
        if request.path.startswith(STATIC_FILES):
            return
        response.vary.add("Cookie")
        if session.row is not None:
            _update(session)
        elif session.modified and "_user_id" in session:
            self._set_cookie(app, response, _insert(session))
        elif session.modified and session:
            self._set_cookie(app, response, _for_visitor(session))
        elif session.modified:
            self._set_cookie(app, response, None)

    def _set_cookie(self, app: Flask, response: Response, value: str | None) -> None:
        """None takes it away."""
        response.set_cookie(
            self.get_cookie_name(app),
            value or "",
            max_age=None if value else 0,
            expires=None if value else 0,
            path="/",
            secure=current().settings.is_https,
            httponly=True,
            samesite="Lax",
        )


def sign_in(person: Person) -> None:
    """Make this browser the person's, under a new token; the language and what was typed come along.

    From now on the account knows the network that they come from.
    """
    from flask import session

    assert isinstance(session._get_current_object(), ServerSession)  # type: ignore[attr-defined]
    kept = {name: session[name] for name in KEPT_AT_SIGN_IN if session.get(name)}
    session.clear()
    session.rotate()  # type: ignore[attr-defined]
    session.update(kept)
    login_user(person)
    remember_network(person.email)


def renew_token() -> None:
    """The same session under a new token: who has a copy of the old one has nothing."""
    from flask import session

    session.rotate()  # type: ignore[attr-defined]


def sign_out() -> None:
    from flask import session

    session.clear()
    session.rotate()  # type: ignore[attr-defined]


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _live_row(token: str, request: Request) -> Session | None:
    row = _with_person.first(token_hash=hash_token(token))
    if row is None:
        return None
    wall = current().clock.wall()
    idle_limit = IDLE_LIMIT_OF_OPERATORS if row.person.is_operator else IDLE_LIMIT
    if wall - row.seen_at > idle_limit or wall - row.created_at > ABSOLUTE_LIMIT:
        _end(row)
        return None
    if not _is_where_it_began(row, request.remote_addr or ""):
        _end(row)
        g.session_left_network = True
        letters.promise(
            "security_notice",
            key=f"other-network-{row.person.id}-{wall:%Y-%m-%d}",
            to=row.person.email,
            locale=letters.mail_locale(row.person),
            context={"name": row.person.name, "at": wall.isoformat()},
        )
        return None
    return row


def _end(row: Session) -> None:
    """Whose it was is remembered for this request: only they get back what it brings (unsent_forms.py)."""
    g.ended_session_of = row.person_id
    row.delete_instance()


_with_person = Prepared(
    lambda: Session.select(Session, Person).join(Person).where(Session.token_hash == Parameter("token_hash"))
)


def _is_where_it_began(row: Session, address: str) -> bool:
    """Whether the session may be used from there, as its person's workspaces and the installation want it.

    Under `network` a browser with both IPv4 and IPv6 comes by either, as its operating system likes: the
    first address of the second kind is taken for its own, and later ones are held against that.
    """
    if address == row.ip_address:
        return True
    assert row.person is not None, "a visitor has no row"
    binding = binding_of(row.person)
    if same_network(row.ip_address, address, binding):
        return True
    if binding != SessionBinding.NETWORK or not _is_of_other_kind(row.ip_address, address):
        return False
    if row.other_ip_address is None:
        # Of two requests at once from two places, one is first.
        taken = (
            Session.update(other_ip_address=address)
            .where(Session.id == row.id, Session.other_ip_address.is_null())
            .execute()
        )
        if taken:
            return True
        row.other_ip_address = Session.get_by_id(row.id).other_ip_address or ""
    return same_network(row.other_ip_address, address, binding)


def binding_of(person: Person) -> SessionBinding:
    """The strictest that the installation and the person's workspaces ask for. One query."""
    installed = SessionBinding(current().settings.session_binding)
    return strictest([installed, *places.bindings_wanted(person)])


def strictest(bindings: Iterable[SessionBinding]) -> SessionBinding:
    return max(bindings, key=list(SessionBinding).index)


def same_network(one: str, other: str, binding: SessionBinding) -> bool:
    """Whether two addresses count as the same place under the binding."""
    if binding == SessionBinding.OFF:
        return True
    first, second = ip_address(one), ip_address(other)
    if first is None or second is None:
        return one == other
    if first.version != second.version:
        return False
    length = PREFIX_LENGTHS[binding][0 if first.version == 4 else 1]
    return second in ipaddress.ip_network(f"{first}/{length}", strict=False)


def _is_of_other_kind(one: str, other: str) -> bool:
    first, second = ip_address(one), ip_address(other)
    return first is not None and second is not None and first.version != second.version


def _insert(session: ServerSession) -> str:
    from flask import request

    token = secrets.token_urlsafe(32)
    wall = current().clock.wall()
    session.row = Session.create(
        token_hash=hash_token(token),
        person=int(session["_user_id"]),
        stored=dict(session),
        ip_address=request.remote_addr or "",
        user_agent=printable(request.user_agent.string)[:200],
        created_at=wall,
        seen_at=wall,
    )
    return token


def _update(session: ServerSession) -> None:
    """What was answered stays answered: a database that cannot be written now costs a message or a minute."""
    assert session.row is not None
    wall = current().clock.wall()
    changes: dict[Any, Any] = {}
    if session.modified:
        changes[Session.stored] = dict(session)
    if wall - session.row.seen_at > SEEN_EVERY:
        changes[Session.seen_at] = wall
    if changes:
        try:
            Session.update(changes).where(Session.id == session.row.id).execute()
        except OperationalError as error:
            log.warning("a session was not written: %s", error)


# --- visitors -------------------------------------------------------------------------------------


def _for_visitor(session: ServerSession) -> str:
    """Signed, not hidden: it holds nothing that its owner may not read, and opens nothing."""
    until = current().clock.wall() + ABSOLUTE_LIMIT
    return _signature().dumps([int(until.timestamp()), dict(session)])


def _kept_by_visitor(cookie: str) -> dict[str, Any]:
    try:
        until, kept = _signature().loads(cookie)
    except BadSignature:
        return {}
    return dict(kept) if current().clock.wall().timestamp() < until else {}


def _signature() -> URLSafeSerializer:
    settings = current().settings
    return URLSafeSerializer(
        [*settings.secret_key_fallbacks, settings.secret_key],
        salt="visitor",
        signer_kwargs={"digest_method": hashlib.sha256},
    )


def printable(text: str) -> str:
    return "".join(_printable_characters(text))


def _printable_characters(text: str) -> Iterator[str]:
    for character in text:
        if character.isprintable():
            yield character
