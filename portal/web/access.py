"""Who may open which route.

Each view declares its access with exactly one decorator of this module; `portal routes` prints
it and a test refuses a route without one.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, abort, g, redirect, request, session, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as WerkzeugResponse

from portal.domain.vocabulary import Right
from portal.services.places import Place

from .place import is_blocked_here

View = Callable[..., Any]


# What helps out of being blocked, by the address after the workspace's (source-systems §1.9).
# Every other page of a blocked workspace leads to the plans.
OPEN_WHILE_BLOCKED = frozenset(
    {
        "billing",
        "plans",
        "subscriptions",
        "checkout",
        "history",
        "invoices",
        "auto-renewal",
        "payment-methods",
        "billing-settings",
        "contacts",
        "members",
        "licences",
        "services",
        "settings/delete",
        "settings/export",
    }
)


def public(view: View) -> View:
    """Anybody may open it."""
    return _declare(view, access="public")


def token(view: View) -> View:
    """Whoever knows the secret in its address may open it; no session is asked for."""
    return _declare(view, access="token")


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


def workspace_right(right: Right | None) -> Callable[[View], View]:
    """A page of `/w/<slug>/…`, for members with the right. The view gets `place` (services/places.Place).

    None: for every member, guests too.

    Not a member: 404, exactly like a workspace that does not exist. A member without the right:
    403 with the names of those who have it. While access is blocked, what does not help out of it leads
    to the plans and does nothing.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(slug: str, *args: Any, **kwargs: Any) -> Any:
            from portal.services import places

            if not current_user.is_authenticated:
                return ask_to_sign_in()
            place = places.enter(person=current_user._get_current_object(), slug=slug)
            if place is None:
                abort(404)
            g.place = place
            if right is not None:
                refuse_without(right, place)
            if not is_open_while_blocked(str(request.url_rule)) and is_blocked_here(place):
                from .htmx import redirect_after_write

                return redirect_after_write(url_for("plans.show", slug=slug))
            return view(place, *args, **kwargs)

        return _declare(guarded, access=f"role:{right or 'any_member'}")

    return decorate


def refuse_without(right: Right, place: "Place") -> None:
    """403 with the names of those who have the right, for whoever lacks it."""
    if right not in place.may:
        g.missing_right = right
        abort(403)


def sold_here(view: View) -> View:
    """Below `workspace_right`, on what buys: a corporate workspace is refused, with who sells to it."""

    @wraps(view)
    def guarded(place: Place, *args: Any, **kwargs: Any) -> Any:
        refuse_corporate(place)
        return view(place, *args, **kwargs)

    return guarded


def refuse_corporate(place: "Place") -> None:
    """403 with the adviser of a corporate workspace, which buys nothing on these pages."""
    if place.workspace.is_corporate:
        g.is_sold_elsewhere = True
        abort(403)


def is_open_while_blocked(rule: str) -> bool:
    """Of a rule such as `/w/<slug>/plans/free`."""
    parts = rule.split("/")[3:]
    return parts[0] in OPEN_WHILE_BLOCKED or "/".join(parts[:2]) in OPEN_WHILE_BLOCKED


def _declare(view: View, *, access: str) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view


def takes_files(largest_bytes: int) -> Callable[[View], View]:
    """So much may be sent to the view, by operators alone; for everybody else the usual limit stands."""

    def decorate(view: View) -> View:
        view.largest_bytes = largest_bytes  # type: ignore[attr-defined]
        return view

    return decorate


def limited(limit: str) -> Callable[[View], View]:
    """Name the rate-limit class of a view; counting is done where the account is known."""

    def decorate(view: View) -> View:
        view.limit = limit  # type: ignore[attr-defined]
        return view

    return decorate


def ask_to_sign_in(*, back: str | None = None) -> WerkzeugResponse:
    """To the sign-in page and back after; htmx is told to load it as a page, never into a fragment.

    `back` where it is not the page that was asked for, or the one whose form was sent.
    """
    back = back or safe_next(request.full_path.rstrip("?") if request.method == "GET" else request.referrer)
    parameters: dict[str, Any] = {"next": back} if back else {}
    if g.get("session_left_network"):
        parameters["reason"] = "network"
    elif session.get("unsent_form"):
        parameters["reason"] = "unsent_form"
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
