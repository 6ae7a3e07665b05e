"""Portal: the self-service billing portal that a software vendor puts beside its product."""

import gzip
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from .clock import Clock, ShiftedClock, SystemClock
from .database.driver import leave_out_postgresql
from .settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from portal.gateways.base import Gateway

COMPRESS_FROM_BYTES = 1000


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> Flask:
    """The site. Raises SettingsError, SchemaOutdated and ClockUnusable with a sentence for the operator."""
    from .words.cldr import keep_what_is_said

    settings = settings or read_settings()
    keep_what_is_said(settings.locales)
    leave_out_postgresql(settings.database_url, settings.queue_url)
    run_with(settings, clock or default_clock(settings))
    return make_site(settings)


def run_with(settings: Settings, clock: Clock) -> None:
    """From now on this process works with these settings, their database and this clock."""
    from . import runtime
    from .database import connecting as database
    from .database import migrating

    require_printable_names(settings)
    runtime.install(runtime.Runtime(settings, clock, make_gateways(settings, clock)))
    database.bind(settings.database_url)
    migrating.require_current_schema()


def require_printable_names(settings: Settings) -> None:
    """Every letter of what each document says of the vendor is in one of its fonts. Raises SettingsError."""
    named = {
        "PORTAL_SELLER_NAME": settings.seller.name,
        "PORTAL_SELLER_ADDRESS": "".join(settings.seller.address),
        "PORTAL_BRAND_NAME": settings.brand.name,
    }
    for name, text in named.items():
        if text.isascii():
            continue
        from .documents.printable import unprintable_letters

        if letters := unprintable_letters(text):
            raise SettingsError(f"{name} has {', '.join(letters)}, which invoices cannot show: leave it out.")


def make_site(settings: Settings) -> Flask:
    """The site's addresses, pages and habits. What may change while it stands, it asks the runtime for."""
    from flask_login import LoginManager
    from werkzeug.middleware.proxy_fix import ProxyFix

    from . import logs, routes
    from .database import connecting as database
    from .models import Person
    from .web import assets, errors, pages, security, sessions
    from .words import i18n
    from .worker import wake

    # Static files have a route of their own (assets.py), so Flask's is switched off.
    app = Flask(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.secret_key_fallbacks),
        SESSION_COOKIE_NAME="__Host-session" if settings.is_https else "session",
        WTF_CSRF_TIME_LIMIT=None,
        # It wants a Referer, which some browsers never send; security.py asks for better witnesses.
        WTF_CSRF_SSL_STRICT=False,
        MAX_CONTENT_LENGTH=2 * 1024 * 1024,
        MAX_FORM_PARTS=1000,
        TEMPLATES_AUTO_RELOAD=False,
    )
    app.session_interface = sessions.DatabaseSessions()
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]

    logs.register(app)
    database.register_request_hooks(app)
    login = LoginManager(app)
    login.session_protection = None  # our sessions bind to the network themselves

    @login.user_loader
    def load_person(person_id: str) -> Person | None:
        from flask import session

        row = getattr(session, "row", None)
        return row.person if row is not None and str(row.person_id) == person_id else None

    i18n.register(app)
    pages.register(app, compiled=settings.data_dir / "templates")
    assets.register(app)
    security.register(app)
    errors.register(app)
    routes.register(app, settings)
    wake.register(app)
    app.after_request(compress)
    return app


def default_clock(settings: Settings) -> Clock:
    """Movable where no real money can move. Raises ClockUnusable for a file that says no time."""
    if not settings.sandbox_only:
        return SystemClock()
    movable = ShiftedClock(settings.clock_file)
    movable.offset()
    return movable


def make_gateways(settings: Settings, clock: Clock) -> "dict[str, Gateway]":
    """The configured gateways by name, in order of preference."""
    from portal.gateways.sandbox.gateway import Sandbox

    sandbox = Sandbox(
        settings.data_dir / "sandbox.sqlite",
        base_url=settings.base_url,
        now=clock.now,
        timeout_seconds=settings.gateway_timeout_seconds,
    )
    return {"sandbox": sandbox}


def compress(response: Response) -> Response:
    """Gzip for pages: 19 KB become 1.6 KB in a tenth of a millisecond. Documents are compressed already."""
    if (
        "gzip" not in request.headers.get("Accept-Encoding", "")
        or response.direct_passthrough
        or "Content-Encoding" in response.headers
        or response.mimetype not in ("text/html", "application/json", "text/csv")
        or len(response.get_data()) < COMPRESS_FROM_BYTES
    ):
        return response
    response.set_data(gzip.compress(response.get_data(), 4, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return response
