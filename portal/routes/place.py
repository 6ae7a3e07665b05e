"""What pages of a workspace load first: its day and its subscription, told to the banner too."""

from datetime import date

from portal.runtime import current
from portal.services.places import Place
from portal.web.place import status_here

__all__ = ["status_here", "today_here"]


def today_here(place: Place) -> date:
    return place.workspace.day(current().clock.now())
