"""The choice of a time zone."""

from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from portal.words.i18n import Sentence
from portal.words.i18n import lazy_gettext as _l

from .base import ChoiceField

NAMELESS_REGIONS = ("Etc/", "SystemV/", "US/", "posix/", "right/")
TIME_ZONE_HINT = _l("Due dates, invoices and the history follow this time zone.")


class TimeZoneField(ChoiceField):
    """One of the zones of the time zone database, by region and city."""

    def __init__(self, label: Sentence | None = None, **kwargs: Any) -> None:
        super().__init__(label, required=_l("Choose the time zone."), **kwargs)

    def offer_zones(self, kept: str) -> None:
        """Every city, and `kept` whatever it is."""
        self.offer((name, name.replace("_", " ")) for name in time_zones(kept))


@lru_cache(maxsize=32)
def time_zones(kept: str) -> tuple[str, ...]:
    """Region/City names in order, UTC first, with `kept` among them whatever it is."""
    cities = {zone for zone in available_timezones() if "/" in zone and not zone.startswith(NAMELESS_REGIONS)}
    return ("UTC", *sorted(cities | {kept} - {"UTC"}))
