"""What Babel knows of languages, without what nobody here says: 3 MB of each process."""

from typing import Any, cast

from babel import localedata
from babel.core import get_global

UNSAID = (
    "compact_currency_formats",
    "compact_decimal_formats",
    "compound_unit_patterns",
    "currency_names_plural",
    "date_fields",
    "interval_formats",
    "languages",
    "meta_zones",
    "scripts",
    "time_zones",
    "unit_display_names",
    "unit_patterns",
    "variants",
)
"""Names of units, languages and time zones; "in two days", "3 US dollars", "1 to 4 May", "2 thousand"."""

UNASKED = (
    "likely_subtags",
    "meta_zones",
    "territory_languages",
    "territory_zones",
    "windows_zone_mapping",
    "zone_aliases",
    "zone_territories",
)
"""For languages that are named without their script, for who speaks what where, for names of time zones."""


def keep_what_is_said(locales: tuple[str, ...]) -> None:
    """Load these languages now, and let go of the rest before other modules take their place in memory."""
    for locale in ("root", *locales):
        localedata.load(locale).update({name: {} for name in UNSAID})
    for name in UNASKED:
        cast(dict[str, Any], get_global(cast(Any, name))).clear()
