"""The workspace that a request is about."""

from datetime import date

from flask import g

from portal.runtime import current
from portal.services.places import Place
from portal.services.subscriptions import agreement
from portal.services.subscriptions.agreement import SubscriptionStatus


def status_here(place: Place) -> SubscriptionStatus:
    """The workspace plan's status today, read once for the page, its banner and its access. One query."""
    if "status" not in g:
        g.status = agreement.status_of(agreement.of_workspace(place.workspace), today=today_here(place))
    return g.status


def today_here(place: Place) -> date:
    return place.workspace.day(current().clock.now())
