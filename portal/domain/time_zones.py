"""The time zone to propose to somebody of whom only the languages that they read are known."""

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

OF_LANGUAGE = {"en": "Europe/London", "fr": "Europe/Paris"}
OF_LARGE_COUNTRY = {
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "CN": "Asia/Shanghai",
    "DE": "Europe/Berlin",
    "ES": "Europe/Madrid",
    "MX": "America/Mexico_City",
    "NZ": "Pacific/Auckland",
    "PT": "Europe/Lisbon",
    "US": "America/New_York",
}
"""Countries of several zones: the one in which most of their people live."""


def usual_zone(language_tags: Sequence[str]) -> str:
    """Of tags such as `fr-BE`, the best first: the zone of the country, else of the language, else UTC."""
    for tag in language_tags:
        language, _hyphen, country = tag.replace("_", "-").partition("-")
        zone = _zone_of(country.rpartition("-")[2].upper()) or OF_LANGUAGE.get(language.lower())
        if zone:
            return zone
    return "UTC"


def _zone_of(country: str) -> str | None:
    if country in OF_LARGE_COUNTRY:
        return OF_LARGE_COUNTRY[country]
    zones = _zones_by_country().get(country, ())
    return zones[0] if len(zones) == 1 else None


@lru_cache
def _zones_by_country() -> dict[str, tuple[str, ...]]:
    """From the list of the time zone database: country, position, zone, remark."""
    found: dict[str, tuple[str, ...]] = {}
    listed = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    for line in listed.splitlines():
        if line and not line.startswith("#"):
            country, _position, zone, *_remark = line.split("\t")
            found[country] = (*found.get(country, ()), zone)
    return found
