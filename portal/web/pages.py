"""What every template may use: filters, names and the macros of templates/ui."""

import contextlib
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask, g
from jinja2 import FileSystemBytecodeCache, pass_eval_context
from jinja2.bccache import Bucket
from jinja2.nodes import EvalContext
from markupsafe import Markup

from portal.words.i18n import locale_code, sentence

from .htmx import htmx


class TemplateCache(FileSystemBytecodeCache):
    """Compiled templates, kept in the data folder: compiling them is a third of a cold start.

    A template that has changed is compiled anew. A disk that takes nothing only costs time.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        super().__init__(str(folder), f"{version('jinja2')}-%s.cache")

    def load_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


def register(app: Flask, *, compiled: Path) -> None:
    """`compiled`: the folder for templates that were compiled once."""
    from portal.words import formatting
    from portal.words.i18n import translated

    from .banners import banner_above
    from .navigation import navigation
    from .place import corporate_here

    htmx.init_app(app)
    with contextlib.suppress(OSError):
        app.jinja_env.bytecode_cache = TemplateCache(compiled)
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
            "banner": None if is_part else banner_above(),
            "workspace": place.workspace if place else None,
            "may": place.may if place else frozenset(),
            "corporate": corporate_here(place) if place else None,
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
