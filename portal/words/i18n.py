"""The reader's language: `?lang`, then their choice, then the browser's."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from flask import Flask, g, has_request_context, request, session
from flask_babel import Babel, get_locale, get_translations
from flask_babel.speaklater import LazyString
from flask_login import current_user

from portal.runtime import current


def select_locale() -> str:
    """One of PORTAL_LOCALES for this request; a valid `?lang` is remembered in the session."""
    locales = current().settings.locales
    asked = request.args.get("lang", "")
    if asked in locales:
        if session.get("language") != asked:
            session["language"] = asked
        return asked
    if session.get("language") in locales:
        return str(session["language"])
    if current_user.is_authenticated and current_user.language in locales:
        return str(current_user.language)
    return request.accept_languages.best_match(locales) or locales[0]


def register(app: Flask) -> None:
    app.config.setdefault("BABEL_DEFAULT_LOCALE", "en")
    Babel(app, locale_selector=select_locale)


def gettext(message: str, **values: Any) -> str:
    """`message` in the reader's language. Flask-Babel would look its context up anew for each of a page."""
    text = sentence(message, locale_code())
    return text % values if values else text


class LazySentence(LazyString):
    """Text that is said when it is printed, and escaped then like any other.

    Flask-Babel's own claims to be markup, and would print what somebody typed as it is.
    """

    def __getattribute__(self, name: str) -> Any:
        if name == "__html__":
            raise AttributeError(name)
        return super().__getattribute__(name)


def lazy_gettext(message: str, **values: Any) -> LazySentence:
    """`message` in the language of whoever reads it: for forms, which are declared before anybody does."""
    return LazySentence(gettext, message, **values)


@lru_cache(maxsize=4096)
def sentence(message: str, locale: str) -> str:
    """`message` in `locale`, which is the present one. Kept: a page says some eighty."""
    return str(get_translations().ugettext(message))


def locale_code() -> str:
    """The locale of this request, looked up once, or of the mail being written, as a plain code."""
    if not has_request_context():
        return str(get_locale() or "en")
    # A page asks a hundred times: through the proxy once.
    here: Any = g._get_current_object()
    known: str | None = here.get("locale_code")
    if known is None:
        known = here.locale_code = str(get_locale() or "en")
    return known


def translated(names: Mapping[str, str]) -> str:
    """The catalogue's own name in the reader's language (a name is data, not a message)."""
    return names.get(locale_code()) or names["en"]


Sentence: TypeAlias = str | LazyString
"""A whole sentence, or a label, in the reader's language when it is shown."""


Choices: TypeAlias = Iterable[tuple[str, Sentence]]
"""(value, label) in the order of the list."""
