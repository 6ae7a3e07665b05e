"""Page or fragment, decided here from the request's headers and nowhere else.

htmx 4 asks for a part with `HX-Request-Type: partial` and names the element it will replace in
`HX-Target` (`section#pricing`); the element's id is the block's name (docs/adr/0005-blocks-as-fragments.md).
"""

from dataclasses import fields
from typing import Any

from flask import Response, current_app, g, make_response, redirect, render_template, request
from flask_htmx import HTMX

htmx = HTMX()
VARY = ("Cookie", "HX-Request", "HX-Request-Type", "HX-Target")


def render(template: str, page: Any = None, *, status: int = 200, **context: Any) -> Response:
    """The whole page, or the one block of it that htmx asked for.

    `page` is the page's one object, a frozen dataclass whose fields are the names that the template
    reads; a page of a few names may give them by keyword instead.
    """
    if page is not None:
        context |= {field.name: getattr(page, field.name) for field in fields(page)}
    block = wanted_block(template)
    g.is_part = block is not None
    if block is None:
        response = make_response(render_template(template, **context), status)
    else:
        response = make_response(block_text(template, block, context), status)
    if block is None and wants_part():
        # Another page answers a part of this one: it takes the place of all of it.
        response.headers["HX-Retarget"] = "body"
        response.headers["HX-Reswap"] = "innerHTML"
    response.vary.update(VARY)
    return response


def block_text(template: str, block: str, context: dict[str, Any]) -> str:
    """One block of a template, with what `render_template` gives to all of it."""
    current_app.update_template_context(context)
    found = current_app.jinja_env.get_template(template)
    try:
        return "".join(found.blocks[block](found.new_context(context)))
    except Exception:  # noqa: BLE001
        # The boundary: Jinja raises it anew, with a traceback that names the lines of the template.
        found.environment.handle_exception()


def wants_part() -> bool:
    """Whether htmx asked, to put the answer into the page that it has."""
    return bool(htmx) and request.headers.get("HX-Request-Type") == "partial"


def wanted_block(template: str) -> str | None:
    """The block of `template` that the request wants alone, if it is one."""
    if not wants_part():
        return None
    target = request.headers.get("HX-Target", "").rpartition("#")[2]
    return target if target in current_app.jinja_env.get_template(template).blocks else None


def redirect_after_write(url: str) -> Response:
    """303 for a browser; for htmx the address to go to, since it would swap a followed redirect in."""
    if wants_part():
        response = make_response("", 204)
        response.headers["HX-Redirect"] = url
        return response
    return make_response(redirect(url, 303))
