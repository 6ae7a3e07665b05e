"""Headers, hosts, cross-site requests, and who may open which route.

Each view declares its access with exactly one decorator of this module; `portal routes` prints
it and a test refuses a route without one.
"""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, abort, g, redirect, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFProtect
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.domain.vocabulary import Right
from portal.runtime import current
from portal.settings import LOOPBACK_HOSTS

from . import limits

if TYPE_CHECKING:
    from portal.services.subscriptions import Status
    from portal.services.workspaces import Place

View = Callable[..., Any]
csrf = CSRFProtect()

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; frame-src 'none'; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; "
)
REPORTING = "report-uri /csp-report; report-to csp"
DOCUMENT_POLICY = "sandbox; default-src 'none'"
PERMISSIONS_POLICY = (
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), "
    "publickey-credentials-get=(self), publickey-credentials-create=(self)"
)
# What helps out of being blocked, by the address after the workspace's (source-systems §1.9).
# Every other page of a blocked workspace leads to the plans.
OPEN_WHILE_BLOCKED = frozenset(
    {
        "plans",
        "checkout",
        "history",
        "invoices",
        "auto-renewal",
        "payment-methods",
        "billing-settings",
        "contacts",
        "members",
        "services",
        "settings/delete",
        "settings/export",
    }
)
HEALTH_CHECKS = ("public.healthz", "public.readyz")
UNSAFE_METHODS = ("POST", "PUT", "PATCH", "DELETE")


class Word(BaseConverter):
    """A part of an address that is no number: slugs, numbers of documents, tokens, names of files.

    Only what we print into addresses ourselves; anything else is no address of ours and reaches no query.
    """

    regex = "[A-Za-z0-9._~-]{1,120}"


# --- who may open a route -------------------------------------------------------------------------


def public(view: View) -> View:
    """Anybody may open it."""
    return _declare(view, access="public")


def signed_in(view: View) -> View:
    """Anybody with a session may open it; others are sent to sign in and come back after."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not current_user.is_authenticated:
            return ask_to_sign_in()
        return view(*args, **kwargs)

    return _declare(guarded, access="session")


def operators_only(view: View) -> View:
    """The vendor's staff; for others the address does not exist."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not current_user.is_authenticated:
            return ask_to_sign_in()
        if not current_user.is_operator:
            abort(404)
        return view(*args, **kwargs)

    return _declare(guarded, access="role:operator")


def workspace_right(right: Right) -> Callable[[View], View]:
    """A page of `/w/<slug>/…`, for members with the right. The view gets `place` (services/workspaces.Place).

    Not a member: 404, exactly like a workspace that does not exist. A member without the right:
    403 with the names of those who have it. While access is blocked, what does not help out of it leads
    to the plans and does nothing.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(slug: str, *args: Any, **kwargs: Any) -> Any:
            from portal.services import workspaces

            if not current_user.is_authenticated:
                return ask_to_sign_in()
            place = workspaces.enter(person=current_user._get_current_object(), slug=slug)
            if place is None:
                abort(404)
            g.place = place
            refuse_without(right, place)
            if not is_open_while_blocked(str(request.url_rule)) and status_here(place).is_blocked:
                from .htmx import redirect_after_write

                return redirect_after_write(url_for("plans.show", slug=slug))
            return view(place, *args, **kwargs)

        return _declare(guarded, access=f"role:{right}")

    return decorate


def refuse_without(right: Right, place: "Place") -> None:
    """403 with the names of those who have the right, for whoever lacks it."""
    if right not in place.may:
        g.missing_right = right
        abort(403)


def is_open_while_blocked(rule: str) -> bool:
    """Of a rule such as `/w/<slug>/plans/free`."""
    parts = rule.split("/")[3:]
    return parts[0] in OPEN_WHILE_BLOCKED or "/".join(parts[:2]) in OPEN_WHILE_BLOCKED


def status_here(place: "Place") -> "Status":
    """The workspace plan's status today, read once for the page, its banner and its access. One query."""
    from portal.services import subscriptions

    if "status" not in g:
        today = place.workspace.day(current().clock.now())
        g.status = subscriptions.status_of(subscriptions.of_workspace(place.workspace), today=today)
    return g.status


def _declare(view: View, *, access: str) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view


def limited(limit: str) -> Callable[[View], View]:
    """Name the rate-limit class of a view; counting is done where the account is known."""

    def decorate(view: View) -> View:
        view.limit = limit  # type: ignore[attr-defined]
        return view

    return decorate


def ask_to_sign_in() -> WerkzeugResponse:
    """To the sign-in page and back after; htmx is told to load it as a page, never into a fragment."""
    back = safe_next(request.full_path.rstrip("?") if request.method == "GET" else request.referrer)
    parameters: dict[str, Any] = {"next": back} if back else {}
    if g.get("session_left_network"):
        parameters["reason"] = "network"
    address = url_for("people.sign_in", **parameters)
    if request.headers.get("HX-Request"):
        response = Response("", 401)
        response.headers["HX-Redirect"] = address
        return response
    return redirect(address, 303)


def safe_next(target: str | None) -> str | None:
    """The path of `target` if it stays on this site, else None.

    Only a path that starts with one slash and a plain character passes: `//host`, `/\\host`,
    control characters and every scheme are refused (trust.md §4, B8).
    """
    if not target:
        return None
    own = request.host_url.rstrip("/")
    path = target.removeprefix(own)
    plain = path.isprintable() and path.isascii() and "\\" not in path
    if plain and path.startswith("/") and not path.startswith("//") and "/%09" not in path[:6].lower():
        return path
    return None


# --- every request and answer ---------------------------------------------------------------------


def register(app: Flask) -> None:
    # `<slug>` in a rule means `<default:slug>`.
    app.url_map.converters["default"] = Word
    csrf.init_app(app)
    app.before_request(refuse_foreign_hosts)
    app.before_request(refuse_cross_site_writes)
    app.before_request(count_writes)
    app.after_request(add_headers)


def refuse_foreign_hosts() -> None:
    """Only the host of PORTAL_BASE_URL; where that is a loopback address, any loopback host and port.

    Health checks come by address, and their answers build no link.
    """
    if request.endpoint in HEALTH_CHECKS:
        return
    settings = current().settings
    name = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
    if settings.is_loopback:
        if name not in LOOPBACK_HOSTS:
            abort(400)
    elif request.host != settings.base_url.partition("://")[2]:
        abort(400)


def refuse_cross_site_writes() -> None:
    """Second line behind the CSRF token; behind a proxy that says nothing of https, too."""
    if request.method not in UNSAFE_METHODS or request.endpoint == "public.csp_report":
        return
    settings = current().settings
    own = request.host_url.rstrip("/") if settings.is_loopback else settings.base_url
    if request.headers.get("Sec-Fetch-Site") == "cross-site" or request.headers.get("Origin", own) != own:
        abort(403)


def count_writes() -> None:
    """Reports have a limit of their own: any site can make a browser send them."""
    if request.method in UNSAFE_METHODS and request.endpoint != "public.csp_report":
        account = current_user.id if current_user.is_authenticated else None
        limits.count("write", account=account)


def add_headers(response: Response) -> Response:
    settings = current().settings
    headers = response.headers
    policy = CONTENT_SECURITY_POLICY
    if settings.is_https:
        policy += "upgrade-insecure-requests; "
        headers.setdefault("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
    headers.setdefault("Content-Security-Policy", policy + REPORTING)
    headers.setdefault("Reporting-Endpoints", 'csp="/csp-report"')
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
    headers.setdefault("Cache-Control", "no-store")
    return response
