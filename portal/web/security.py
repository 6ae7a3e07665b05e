"""Headers, hosts, cross-site requests, and who acts in a request."""

from urllib.parse import urlsplit

from flask import (
    Flask,
    Response,
    abort,
    current_app,
    has_request_context,
    make_response,
    redirect,
    request,
)
from flask_login import current_user
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import Forbidden
from werkzeug.routing import BaseConverter
from werkzeug.sansio.utils import get_current_url

from portal.runtime import current
from portal.services import audit
from portal.settings import LOOPBACK_HOSTS

from . import limits

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
HEALTH_CHECKS = ("public.healthz", "public.readyz")
MOST_BYTES_DISCARDED = 256 * 1024 * 1024
UNSAFE_METHODS = ("POST", "PUT", "PATCH", "DELETE")


class AddressPart(BaseConverter):
    """A part of an address that is no number: slugs, numbers of documents, tokens, names of files.

    Only what we print into addresses ourselves; anything else is no address of ours and reaches no query.
    """

    regex = "[A-Za-z0-9._~-]{1,120}"


class FromElsewhere(Forbidden):
    """A write that another site, or nobody knows who, made the browser send."""


# --- every request and answer ---------------------------------------------------------------------


def register(app: Flask) -> None:
    # `<slug>` in a rule means `<default:slug>`.
    app.url_map.converters["default"] = AddressPart
    audit.tell_who_acts(who_acts)
    app.before_request(refuse_foreign_hosts)
    app.before_request(lead_to_https)
    # Before the token is looked at: who came from elsewhere is not told that a form is out of date.
    app.before_request(refuse_cross_site_writes)
    # Before it too: the token stands in the form, which may come with a file.
    app.before_request(take_large_files)
    csrf.init_app(app)
    app.before_request(count_writes)
    app.after_request(add_headers)


def who_acts() -> audit.Actor:
    """The signed-in person and their address; nobody outside a request."""
    if not has_request_context():
        return audit.Actor()
    person = current_user._get_current_object() if current_user.is_authenticated else None
    return audit.Actor(person, request.remote_addr or "")


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
    elif request.host.lower() != settings.base_url.partition("://")[2]:
        abort(400)


def lead_to_https() -> Response | None:
    """Whoever reads a page of an https site in the clear is sent to the same page over https.

    Health checks come from the machine itself. Behind a proxy that does not say how it was asked we would
    lead in a circle, so a browser that shows that it came by https stays: none sends Sec-Fetch-… otherwise.
    What a proxy says that is not trusted counts here too, since it can only keep us from leading.
    """
    settings = current().settings
    if (
        not settings.is_https
        or settings.is_loopback
        or request.is_secure
        or request.method not in ("GET", "HEAD")
        or request.endpoint in HEALTH_CHECKS
        or request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip() == "https"
        or "Sec-Fetch-Site" in request.headers
    ):
        return None
    host = settings.base_url.partition("://")[2]
    return make_response(
        redirect(get_current_url("https", host, "", request.path, request.query_string), 308)
    )


def refuse_cross_site_writes() -> None:
    """Second line behind the CSRF token; behind a proxy that says nothing of https, too.

    The best witness that the browser sends decides: Origin, else Sec-Fetch-Site, else over https the page
    that the form stood on. Without any the token alone does, which no other site can know.
    """
    if request.method not in UNSAFE_METHODS or request.endpoint == "public.csp_report":
        return
    origin, site, own = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site"), _own_origin()
    if origin is not None:
        is_ours = origin == own and site != "cross-site"
    elif site is not None:
        is_ours = site in ("same-origin", "none")
    else:
        is_ours = (
            not current().settings.is_https or request.referrer is None or _origin_of(request.referrer) == own
        )
    if not is_ours:
        raise FromElsewhere


def take_large_files() -> Response | None:
    """Where a view takes files (access.takes_files), operators may send more than usual.

    What is larger still is read to its end, up to a bound, so that the browser hears the answer: the page
    itself says that the file is too large, beside its field.
    """
    view = current_app.view_functions.get(request.endpoint or "")
    largest: int | None = getattr(view, "largest_bytes", None)
    if largest is None or not (current_user.is_authenticated and current_user.is_operator):
        return None
    if request.content_length is not None and request.content_length > largest:
        left = min(request.content_length, MOST_BYTES_DISCARDED)
        while left > 0 and (piece := request.environ["wsgi.input"].read(min(left, 1 << 20))):
            left -= len(piece)
        response = make_response(redirect(f"{request.path}?refused=size", 303))
        response.headers["Connection"] = "close"
        return response
    request.max_content_length = largest
    return None


def is_same_origin() -> bool:
    """Whether the browser says that a page of this very site sent the request; silence is no yes."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if site not in (None, "same-origin"):
        return False
    return origin == _own_origin() if origin is not None else site == "same-origin"


def _own_origin() -> str:
    settings = current().settings
    return request.host_url.rstrip("/") if settings.is_loopback else settings.base_url


def _origin_of(address: str) -> str:
    """Of the address of a page; empty for what is none."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"


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
