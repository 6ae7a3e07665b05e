"""The workspace that a request is about."""

from flask import g

from portal.runtime import current
from portal.services.subscriptions import Status
from portal.services.workspaces import Place


def status_here(place: "Place") -> "Status":
    """The workspace plan's status today, read once for the page, its banner and its access. One query."""
    from portal.services import subscriptions

    if "status" not in g:
        today = place.workspace.day(current().clock.now())
        g.status = subscriptions.status_of(subscriptions.of_workspace(place.workspace), today=today)
    return g.status
