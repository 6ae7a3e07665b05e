"""Messages that keep failing: what the worker could not send or make, why, and a way to try again."""

from flask import Blueprint, Response, flash, request, url_for

from portal import outbox
from portal.outbox import FailingMessages
from portal.runtime import current
from portal.services import operator
from portal.web.access import operators_only
from portal.web.htmx import redirect_after_write, render
from portal.words.i18n import gettext as _

blueprint = Blueprint("messages", __name__, url_prefix="/operator/messages")
ROWS_SHOWN = 50


@blueprint.get("")
@operators_only
def index() -> Response:
    groups = outbox.failing(current().clock.wall())
    return render(
        "operator/messages.html", rows=[(row, topic_words(row.topic)) for row in groups[:ROWS_SHOWN]]
    )


@blueprint.post("")
@operators_only
def try_again() -> Response:
    """Those of one row; the worker does it within seconds."""
    runtime = current()
    wall = runtime.clock.wall()
    found = _group(request.form.get("group", ""), outbox.failing(wall))
    if found is None:
        flash(
            _("Nothing was changed: these messages no longer fail, or now fail for another reason."), "error"
        )
        return redirect_after_write(url_for("messages.index"))
    again, given_up = operator.try_again(found, now=runtime.clock.now(), wall=wall)
    flash(_("Messages tried again now: %(number)s.", number=again), "done")
    if given_up:
        said = _(
            "E-mails given up: %(number)s. Their single-use links no longer work; the recipients can ask "
            "for new ones.",
            number=given_up,
        )
        flash(said, "done")
    return redirect_after_write(url_for("messages.index"))


def topic_words(topic: str) -> str:
    """What the worker was to do; a topic of a later version says itself."""
    return {
        "mail": _("Send an e-mail"),
        "prepare_documents": _("Produce a document"),
        "prepare_year": _("Produce the documents of a year"),
        "look_up_payment": _("Look up a payment"),
        "run_due": _("Do what is due"),
        "match_transfers": _("Match bank transfers"),
    }.get(topic, topic)


def _group(name: str, groups: list[FailingMessages]) -> FailingMessages | None:
    return next((each for each in groups if each.group == name), None)
