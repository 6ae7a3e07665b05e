"""Visiting pages as somebody: a session made without the sign-in page, forms posted with their own token."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.database.connecting import connection
from portal.models import Person, Session
from portal.runtime import current
from portal.web.sessions import hash_token
from tests.pages import csrf_of
from tests.visitors import Visitor


@contextmanager
def facts(app: Flask) -> Iterator[None]:
    """Where rows are arranged and read back. No page may be asked for inside: it would share this context."""
    with app.app_context(), connection():
        yield


def visit_as(client: FlaskClient, person: Person) -> None:
    """Make the browser the person's; inside `facts`."""
    token = f"a-session-of-{person.id}"
    wall = current().clock.wall()
    Session.create(
        token_hash=hash_token(token),
        person=person,
        stored={"_user_id": str(person.id), "_fresh": True},
        ip_address="127.0.0.1",
        user_agent="a test",
        created_at=wall,
        seen_at=wall,
    )
    client.set_cookie("session", token)


def seen_by(app: Flask, person: Person) -> Visitor:
    """A browser of the person's; inside `facts`."""
    visitor = Visitor(app)
    visit_as(visitor.client, person)
    return visitor


def post_form(
    client: FlaskClient, address: str, *, shown_at: str | None = None, **fields: Any
) -> TestResponse:
    """Fill in the form of the page `shown_at` (`address` itself by default) and send it to `address`."""
    page = client.get(shown_at or address)
    return client.post(address, data={"csrf_token": csrf_of(page.get_data(as_text=True)), **fields})
