"""The reader's language: `?lang`, then their choice, then the browser's."""

from flask import Flask, g, request, session
from flask_babel import Babel, get_locale
from flask_login import current_user

from .runtime import current


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


def locale_code() -> str:
    """The locale of this request or of the mail being written, as a plain code."""
    if "locale_code" not in g:
        g.locale_code = str(get_locale() or "en")
    return str(g.locale_code)


def translated(names: dict[str, str]) -> str:
    """The catalogue's own name in the reader's language (a name is data, not a message)."""
    return names.get(str(get_locale() or "en")) or names["en"]
