"""What every template may use: filters, names and the macros of templates/ui."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask, g
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from portal.words.i18n import locale_code, sentence

from .htmx import htmx


def register(app: Flask) -> None:
    from portal.words import formatting
    from portal.words.i18n import translated

    from .banners import banner
    from .navigation import navigation

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
