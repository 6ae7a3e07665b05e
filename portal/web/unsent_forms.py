"""A form that was sent with a token of a session that is over: what was typed waits for its reader."""

from flask import current_app, g, request, session
from flask_login import current_user
from werkzeug.exceptions import HTTPException

from portal.domain.errors import LimitReached
from portal.services.people import unsent_forms

from . import limits
from .access import safe_next
from .security import is_same_origin

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


def keep_typed() -> str | None:
    """Keep the fields of this POST for the page it was sent from. That page; None where nothing was kept.

    Only what this site's own pages sent, counted like any other write.
    """
    if request.method != "POST" or request.mimetype not in FORM_TYPES or not is_same_origin():
        return None
    page = _page_of_form()
    if page is None:
        return None
    try:
        limits.count("write")
    except LimitReached:
        return None
    view = current_app.view_functions.get(request.endpoint or "")
    person_id = current_user.id if current_user.is_authenticated else g.get("ended_session_of")
    if getattr(view, "access", "public") == "public":
        # The page comes back at once, to whoever has sent it.
        person_id = None
    fields = list(request.form.items(multi=True))
    token = unsent_forms.keep(fields, page=page, person_id=person_id)
    if token is None:
        return None
    session["unsent_form"] = token
    return page


def _page_of_form() -> str | None:
    """Where the form stands: the page before, if it is one of ours, else the address that it was sent to."""
    for target in (safe_next(request.referrer), request.path):
        path = (target or "").partition("?")[0]
        if path and _can_be_read(path):
            return path
    return None


def _can_be_read(path: str) -> bool:
    try:
        current_app.url_map.bind("").match(path, method="GET")
    except HTTPException:
        return False
    return True
