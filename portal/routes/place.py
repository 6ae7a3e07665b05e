"""What pages of a workspace load first: its day and its subscription, told to the banner too."""

from datetime import date

from flask import g

from ..runtime import current
from ..services import subscriptions
from ..services.workspaces import Place


def status_here(place: Place) -> subscriptions.Status:
    """The workspace plan's status today; kept for the banner of the same page."""
    if "status" not in g:
        subscription = subscriptions.of_workspace(place.workspace)
        g.status = subscriptions.status_of(subscription, today=today_here(place))
    return g.status


def today_here(place: Place) -> date:
    return place.workspace.day(current().clock.now())
