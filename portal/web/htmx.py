"""Page or fragment, decided here from the request's headers and nowhere else.

htmx 4 asks for a part with `HX-Request-Type: partial` and names the element it will replace in
`HX-Target` (`section#pricing`); the element's id is the block's name (docs/adr/0005-blocks-as-fragments.md).
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask, Response, current_app, g, make_response, redirect, render_template, request
from flask_htmx import HTMX
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from jinja2_fragments.flask import render_block
from markupsafe import Markup

from portal.words.i18n import locale_code, sentence

htmx = HTMX()
VARY = ("Cookie", "HX-Request", "HX-Request-Type", "HX-Target")


def render(template: str, *, status: int = 200, **context: Any) -> Response:
    """The whole page, or the one block of it that htmx asked for."""
    block = wanted_block(template)
    g.is_part = block is not None
    if block is None:
        response = make_response(render_template(template, **context), status)
    else:
        response = make_response(render_block(template, block, **context), status)
    response.vary.update(VARY)
    return response


def wants_part() -> bool:
    """Whether htmx asked, to put the answer into the page that it has."""
    return bool(htmx) and request.headers.get("HX-Request-Type") == "partial"


def wanted_block(template: str) -> str | None:
    """The block of `template` that the request wants alone, if it is one."""
    if not wants_part():
        return None
    target = request.headers.get("HX-Target", "").rpartition("#")[2]
    return target if target in current_app.jinja_env.get_template(template).blocks else None


def redirect_after_write(url: str) -> Response:
    """303 for a browser; for htmx the address to go to, since it would swap a followed redirect in."""
    if wants_part():
        response = make_response("", 204)
        response.headers["HX-Redirect"] = url
        return response
    return make_response(redirect(url, 303))


def register(app: Flask) -> None:
    from portal.words import formatting
    from portal.words.i18n import translated

    from .navigation import banner, navigation

    htmx.init_app(app)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        day=formatting.day, instant=formatting.instant, storage=formatting.storage, amount=formatting.money
    )
    app.jinja_env.globals.update(translated=translated, _=translate)
    with app.app_context():
        app.jinja_env.globals["ui"] = load_ui(app)

    @app.context_processor
    def page_context() -> dict[str, Any]:
        if "bare_page" in g:
            return {"locale": locale_code(), "nav": None}
        place, is_part = g.get("place"), g.get("is_part", False)
        return {
            "locale": locale_code(),
            # Around the page, never in a part of it.
            "nav": None if is_part else navigation(),
            "banner": None if is_part else banner(),
            "workspace": place.workspace if place else None,
            "may": place.may if place else frozenset(),
        }


@pass_eval_context
def translate(environment: EvalContext, message: str, /, **variables: object) -> str:
    """`_()` of the templates: the sentence is markup, what is put into it is escaped."""
    text = sentence(message, locale_code())
    if environment.autoescape:
        text = Markup(text)  # noqa: S704
    return text % variables if variables or "%" in text else text


def load_ui(app: Flask) -> SimpleNamespace:
    """Every macro of templates/ui under one name, since a block rendered alone sees no import."""
    macros = SimpleNamespace()
    folder = Path(app.root_path) / "templates" / "ui"
    for path in sorted(folder.glob("*.html")):
        module = app.jinja_env.get_template(f"ui/{path.name}").module
        for name in dir(module):
            if not name.startswith("_"):
                setattr(macros, name, getattr(module, name))
    return macros
