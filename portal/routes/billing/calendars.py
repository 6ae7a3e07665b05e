"""The private address at which a member's own calendar reads the forecast."""

import hashlib
from collections.abc import Iterator

from flask import Blueprint, Response, abort, flash, g, make_response, url_for
from flask_babel import force_locale

from portal.documents.calendar_file import Entry, calendar_file
from portal.domain.forecast import Charge, Milestone
from portal.domain.vocabulary import Right
from portal.runtime import current
from portal.services.billing import calendars, overview
from portal.services.billing.overview import Overview
from portal.services.places import Place
from portal.web import limits
from portal.web.access import limited, token, workspace_right
from portal.web.htmx import redirect_after_write
from portal.web.security import DOCUMENT_POLICY
from portal.words import formatting
from portal.words.forecast import charge_words, milestone_words, pays_words
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.renewal import amount_charged

from .needs import method_names
from .overview import overview_page, shows

blueprint = Blueprint("calendars", __name__)


@blueprint.post("/w/<slug>/billing/calendar")
@workspace_right(Right.SEE_HISTORY)
def make(place: Place) -> Response:
    """The address stands on the page that answers, and nowhere after it: only its hash is kept."""
    secret = calendars.make(place, now=current().clock.now())
    address = f"{current().settings.base_url}{url_for('calendars.read', secret=secret)}"
    return overview_page(place, calendar=address)


@blueprint.post("/w/<slug>/billing/calendar/revoke")
@workspace_right(Right.SEE_HISTORY)
def revoke(place: Place) -> Response:
    if calendars.revoke(place, now=current().clock.now()):
        flash(_("The address of your calendar no longer works."), "done")
    return redirect_after_write(url_for("billing.show", slug=place.workspace.slug))


@blueprint.get("/calendar/<secret>.ics")
@token
@limited("calendar")
def read(secret: str) -> Response:
    """What its member may see today, in their language. Whatever is wrong, there is no such address."""
    place = calendars.find(secret)
    if place is None:
        # No menus, and so no form whose token would need a cookie.
        g.bare_page = True
        limits.count("token")
        abort(404)
    limits.count("calendar", account=place.member.id)
    language = place.member.person.language or place.workspace.language
    with force_locale(language):
        g.locale_code = language
        response = make_response(_calendar(place))
    response.headers["Content-Type"] = "text/calendar; charset=utf-8"
    response.headers["Content-Disposition"] = 'attachment; filename="billing.ics"'
    response.headers["Content-Security-Policy"] = DOCUMENT_POLICY
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _calendar(place: Place) -> bytes:
    now = current().clock.now()
    found = overview.overview_of(place, now=now)
    name = _("Billing of %(workspace)s", workspace=place.workspace.name)
    return calendar_file(name, _entries(place, found), made_at=now)


def _entries(place: Place, found: Overview) -> Iterator[Entry]:
    address = f"{current().settings.base_url}{url_for('billing.show', slug=place.workspace.slug)}"
    names = method_names(found)
    products = {each.status.subscription.id: each.product for each in found.own if each.status}
    for month in found.forecast.months:
        for each in month.entries:
            product = products[each.subscription]
            if isinstance(each, Charge):
                said = charge_words(each)
                summary = _("%(what)s: %(amount)s", what=said.what, amount=formatting.money(each.total))
                pays = pays_words(each, methods=names) if found.shows_what_pays else ""
                total = amount_charged(each.total, has_vat=each.has_tax)
                parts = [total, pays, said.note, _("At the prices known today, if you change nothing.")]
                what, about = "charge", f"{each.period.start}"
            elif shows(found, each):
                said = milestone_words(each, product=translated(product.names), methods=names)
                summary, parts = said.what, [said.note]
                what, about = each.kind.value, _about(each)
            else:
                continue
            yield Entry(
                uid=_uid(place, product.code, what, about),
                day=each.on,
                summary=summary,
                description="\n".join(part for part in parts if part),
                address=address,
            )


def _about(milestone: Milestone) -> str:
    """What stays the same of it: an overdue invoice stands on another day every day."""
    return milestone.invoice.number if milestone.invoice else f"{milestone.on} {milestone.method}"


def _uid(place: Place, product: str, what: str, about: str) -> str:
    """The same whenever it is asked: of a charge by the period that it pays for, whatever its day becomes."""
    seed = f"{place.workspace.slug} {product} {what} {about}"
    host = current().settings.base_url.partition("://")[2].partition(":")[0]
    return f"{hashlib.sha256(seed.encode()).hexdigest()[:32]}@{host}"
