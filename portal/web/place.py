"""The workspace that a request is about."""

from flask import g

from portal.runtime import current
from portal.services.places import Place
from portal.services.subscriptions.agreement import Status


def status_here(place: "Place") -> "Status":
    """The workspace plan's status today, read once for the page, its banner and its access. One query."""
    from portal.services.subscriptions import agreement

    if "status" not in g:
        today = place.workspace.day(current().clock.now())
        g.status = agreement.status_of(agreement.of_workspace(place.workspace), today=today)
    return g.status
