"""A browser in a few words: it keeps its session and sends forms with the token of their page."""

import re
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from werkzeug.test import TestResponse

from portal.database.connecting import database
from tests.factories import PASSWORD

TOKEN = re.compile(r'"X-CSRFToken": "([^"]+)"')


class Visitor:
    """One browser at one network address. The database stays open between its requests."""

    def __init__(self, app: Flask, *, address: str = "127.0.0.1", language: str = "en") -> None:
        self.client = app.test_client()
        self.environ = {"REMOTE_ADDR": address}
        self.headers = {"Accept-Language": language, "User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}

    def get(self, path: str, **options: Any) -> TestResponse:
        return self._open("GET", path, **options)

    def post(
        self, path: str, fields: dict[str, Any] | None = None, *, page: str | None = None
    ) -> TestResponse:
        """Send the form of `page` (else of `path` itself) to `path`."""
        html = self.get(page or path).get_data(as_text=True)
        token = TOKEN.search(html.replace("&#34;", '"'))
        return self.send(path, {"csrf_token": token.group(1) if token else "", **(fields or {})})

    def send(self, path: str, fields: dict[str, str | list[str]]) -> TestResponse:
        """Exactly these fields, text that is no text included; a list sends its field several times."""
        texts = [
            (name, text.encode("utf-8", "surrogatepass"))
            for name, value in fields.items()
            for text in ([value] if isinstance(value, str) else value)
        ]
        body = urlencode(texts)
        return self._open("POST", path, data=body, content_type="application/x-www-form-urlencoded")

    def sign_in(self, email: str, password: str = PASSWORD, *, back_to: str = "") -> TestResponse:
        path = f"/sign-in?next={back_to}" if back_to else "/sign-in"
        return self.post(path, {"email": email, "password": password})

    @property
    def token(self) -> str | None:
        cookie = self.client.get_cookie("session")
        return cookie.value if cookie else None

    def _open(self, method: str, path: str, **options: Any) -> TestResponse:
        try:
            return self.client.open(
                path, method=method, environ_base=self.environ, headers=self.headers, **options
            )
        finally:
            # The end of a request hands the connection back; the test goes on reading.
            database.connect(reuse_if_open=True)


def signed_in(app: Flask, email: str, **options: Any) -> Visitor:
    """A browser of somebody who has just signed in."""
    visitor = Visitor(app, **options)
    assert visitor.sign_in(email).status_code == 303
    return visitor


def path_of(response: TestResponse) -> str:
    """Where an answer sends the browser."""
    return response.headers["Location"]


def text_of(response: TestResponse) -> str:
    """The words of a page, without what changes at every request."""
    html = response.get_data(as_text=True)
    html = re.sub(r'(X-CSRFToken&#34;: &#34;|X-CSRFToken": "|name="csrf_token"[^>]*value=")[^"&]+', "", html)
    return re.sub(r"\s+", " ", html)
