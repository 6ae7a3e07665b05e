"""A bare application: forms need a request, a language, and whether somebody is signed in."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from flask import Flask, request
from flask_babel import Babel
from flask_login import LoginManager

from portal.forms.base import PortalForm

Submission = Callable[..., AbstractContextManager[object]]


@pytest.fixture(scope="session")
def forms_app() -> Flask:
    app = Flask("forms")
    app.config.update(SECRET_KEY="only for tests", WTF_CSRF_ENABLED=False, TESTING=True)
    LoginManager(app).user_loader(lambda person_id: None)
    Babel(app, locale_selector=lambda: request.args.get("lang", "en"))
    return app


@pytest.fixture
def in_request(forms_app: Flask) -> Iterator[None]:
    """Inside a GET request."""
    with forms_app.test_request_context("/"):
        yield


@pytest.fixture
def submit(forms_app: Flask) -> Submission:
    """`with submit({"city": "Paris"}):` is inside a POST of these fields."""

    def posted(fields: dict[str, object], **request_options: object) -> AbstractContextManager[object]:
        return forms_app.test_request_context("/", method="POST", data=fields, **request_options)

    return posted


def sentences(form: PortalForm) -> dict[str, list[str]]:
    """Field → its errors in English, as a page would show them."""
    return {name: [str(error) for error in errors] for name, errors in form.errors.items()}
