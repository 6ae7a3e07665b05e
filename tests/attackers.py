"""Browsers that are held to nothing: they send any header, any bytes, any form, from any network.

The answers are not checked as pages (tests/pages.py): what matters here is who gets which status, and a
test asks for hundreds of them.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_from_bytes

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response

from portal.domain.vocabulary import MemberStatus, Role
from portal.models import Member, Person, Workspace
from tests import paying
from tests.factories import a_catalogue, a_member, a_person, a_workspace, owner_of, seen_by
from tests.visiting import visit_as

TOKEN = re.compile(r'X-CSRFToken(?:&#34;|"): (?:&#34;|")([^"&]+)')
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


class Attacker:
    """One browser. `person` None: a visitor. Call it outside `facts`, make it inside."""

    def __init__(self, app: Flask, person: Person | None = None, *, address: str = "127.0.0.1") -> None:
        self.client = FlaskClient(app, Response)
        self.address = address
        self.known_token = ""
        if person is not None:
            visit_as(self.client, person)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.ask("GET", path, **options)

    def post(self, path: str, fields: Mapping[str, Any] | None = None, **options: Any) -> TestResponse:
        """With a true CSRF token. A list is a repeated parameter; text may hold what is no text."""
        return self.ask("POST", path, data=encoded({"csrf_token": self.token, **(fields or {})}), **options)

    def ask(self, method: str, path: str, **options: Any) -> TestResponse:
        if "data" in options:
            options.setdefault("content_type", "application/x-www-form-urlencoded")
        return self.client.open(path, method=method, environ_base={"REMOTE_ADDR": self.address}, **options)

    @property
    def token(self) -> str:
        if not self.known_token:
            found = TOKEN.search(self.get("/terms").text)
            assert found is not None
            self.known_token = found.group(1)
        return self.known_token


def encoded(fields: Mapping[str, Any]) -> str:
    pairs = []
    for name, value in fields.items():
        for each in value if isinstance(value, list) else [value]:
            pairs.append(f"{_quoted(name)}={_quoted(each)}")
    return "&".join(pairs)


def _quoted(text: Any) -> str:
    return quote_from_bytes(str(text).encode("utf-8", "surrogatepass"))


def the_people() -> dict[str, Person | None]:
    """Acme with somebody in each role, Zenith beside it, and the vendor's staff. Acme has bought a plan."""
    a_catalogue()
    acme = a_workspace("Acme")
    found: dict[str, Person | None] = {"visitor": None, "owner": owner_of(acme)}
    for name, role, status, joined in (
        ("manager", Role.BILLING_MANAGER, MemberStatus.ACTIVE, True),
        ("upgrader", Role.MEMBER, MemberStatus.ACTIVE, True),
        ("admin", Role.ADMIN, MemberStatus.ACTIVE, True),
        ("member", Role.MEMBER, MemberStatus.ACTIVE, True),
        ("guest", Role.MEMBER, MemberStatus.GUEST, True),
        ("disabled", Role.OWNER, MemberStatus.DISABLED, True),
        ("invited", Role.ADMIN, MemberStatus.ACTIVE, False),
    ):
        found[name] = person = a_person(f"{name}@acme.test", name=f"The {name}")
        a_member(acme, person, role=role, status=status, joined=joined)
    Member.update(is_upgrader=True).where(Member.person == found["upgrader"]).execute()
    found["stranger"] = owner_of(a_workspace("Zenith"))
    found["operator"] = a_person("staff@vendor.test", operator=True)
    return found


def bought(workspace: Workspace, plan: str = "business-10") -> Any:
    """The payment of a plan that the workspace's owner has bought."""
    place = seen_by(owner_of(workspace), workspace)
    place.member.person = owner_of(workspace)
    return paying.buy(place, plan)


def an_order_of(person: Person, workspace: Workspace, plan: str = "business-20", **options: Any) -> Any:
    """With its billing details, ready to be paid."""
    place = seen_by(person, workspace)
    place.member.person = person
    return paying.an_order(place, plan, **options)
