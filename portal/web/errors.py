"""Error pages: one template, a sentence each; a server error shows a reference number and nothing else.

htmx, which asked for a part of a page, gets the sentence for the place of messages and leaves the part alone.

The words by status are in templates/ui/error.html.
"""

import logging
import secrets

from flask import Flask, Response, current_app, g, make_response, render_template, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from portal.database.connecting import storage_failed
from portal.domain.errors import LimitReached
from portal.domain.vocabulary import MemberStatus, Right
from portal.services.payments.asking import GatewayBusy
from portal.words.i18n import gettext as _

from .access import ask_to_sign_in
from .htmx import VARY, redirect_after_write, wants_part
from .security import FromElsewhere
from .unsent_forms import keep_typed

log = logging.getLogger(__name__)
RETRY_WHEN_BUSY_SECONDS = 5
RETRY_WHEN_GATEWAY_BUSY_SECONDS = 30


def register(app: Flask) -> None:
    app.register_error_handler(CSRFError, csrf_page)
    app.register_error_handler(FromElsewhere, elsewhere_page)
    app.register_error_handler(LimitReached, limit_page)
    app.register_error_handler(GatewayBusy, gateway_busy_page)
    app.register_error_handler(HTTPException, http_page)
    app.register_error_handler(Exception, fault_page)


def http_page(error: HTTPException) -> Response:
    if error.response is not None:
        return make_response(error.response)
    original = getattr(error, "original_exception", None)
    if original is not None:
        # The answer was ready and the session could not be written.
        return fault_page(original)
    status = error.code or 500
    response = page(
        status,
        people=people_who_can() if status == 403 else (),
        sentence=_why_refused(status),
        action=way_out(status),
    )
    if status == 405 and getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(error.valid_methods)  # type: ignore[attr-defined]
    return response


def csrf_page(error: CSRFError) -> Response:
    """The token belongs to a session that is over: sign in again, or the form anew, with what was typed."""
    view = current_app.view_functions.get(request.endpoint or "")
    kept_for = keep_typed()
    if not current_user.is_authenticated and getattr(view, "access", "public") != "public":
        return make_response(ask_to_sign_in(back=kept_for))
    if kept_for is not None:
        return redirect_after_write(kept_for)
    return page(400)


def elsewhere_page(error: FromElsewhere) -> Response:
    """Nothing is wrong with the reader's role, so it is not what the page speaks of."""
    return page(403, sentence=_("This form was not sent from a page of this site, so nothing was done."))


def limit_page(error: LimitReached) -> Response:
    response = page(429)
    response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def gateway_busy_page(error: GatewayBusy) -> Response:
    response = page(
        503,
        sentence=_(
            "The payment service is slow to answer at the moment. Nothing was charged or changed: please "
            "try again in a minute."
        ),
    )
    response.headers["Retry-After"] = str(RETRY_WHEN_GATEWAY_BUSY_SECONDS)
    return response


def busy_page(error: Exception) -> Response:
    """The database, or a disk, does not do what it is asked: nothing was written, and it may work soon."""
    reference = secrets.token_hex(4)
    g.bare_page = True
    log.warning("the storage did not answer, %s: %s", reference, str(error).strip())
    response = page(503, reference=reference)
    response.headers["Retry-After"] = str(RETRY_WHEN_BUSY_SECONDS)
    return response


def fault_page(error: Exception) -> Response:
    """The page without anything that could fail again: no menus, no database."""
    if storage_failed(error):
        return busy_page(error)
    reference = secrets.token_hex(4)
    g.bare_page = True
    log.error("unexpected fault %s", reference, exc_info=error)
    return page(500, reference=reference)


def people_who_can() -> list[tuple[str, str]]:
    """Name and e-mail of the members who have the right that was missing."""
    if "place" not in g or "missing_right" not in g:
        return []
    from portal.services.members.roster import people_with

    # Nobody gives a guest one right: whoever manages members makes them a user.
    right = Right.MANAGE_MEMBERS if is_guest(403) else g.missing_right
    return [(person.name, person.email) for person in people_with(g.place.workspace, right)]


def _why_refused(status: int) -> str | None:
    """None where the usual sentence says it."""
    if status == 403 and "is_sold_elsewhere" in g:
        return _("You cannot buy for this workspace on these pages. Please contact the people below.")
    if is_guest(status):
        return _("You are a guest in this workspace, and guests can only view.")
    return None


def is_guest(status: int) -> bool:
    """Whether that is why the page was refused."""
    return status == 403 and "place" in g and g.place.member.status == MemberStatus.GUEST


def way_out(status: int) -> tuple[str, str] | None:
    """Label and address of what the reader can do; None for the start page, unless that was refused."""
    if status == 403 and request.endpoint == "public.enter":
        return _("My account"), url_for("account.show")
    return None


def page(
    status: int,
    *,
    people: object = (),
    reference: str | None = None,
    sentence: str | None = None,
    action: tuple[str, str] | None = None,
) -> Response:
    template = "error/message.html" if wants_part() else "error/page.html"
    html = render_template(
        template, status=status, people=people, reference=reference, sentence=sentence, action=action
    )
    response = make_response(html, status)
    response.vary.update(VARY)
    if wants_part():
        response.headers["HX-Retarget"] = "#refusal"
        response.headers["HX-Reswap"] = "innerHTML"
    return response
