"""The time zone proposed where only the reader's languages are known."""

from zoneinfo import ZoneInfo

import pytest

from portal.domain.time_zones import OF_LANGUAGE, OF_LARGE_COUNTRY, usual_zone


@pytest.mark.parametrize(
    ("tags", "zone"),
    [
        (["fr"], "Europe/Paris"),
        (["en"], "Europe/London"),
        (["fr-BE", "fr"], "Europe/Brussels"),
        (["fr-CH"], "Europe/Zurich"),
        (["en-US"], "America/New_York"),
        (["zh-Hant-TW"], "Asia/Taipei"),
        (["es-419", "fr"], "Europe/Paris"),
        (["de"], "UTC"),
        (["*"], "UTC"),
        (["fr_FR"], "Europe/Paris"),
        ([], "UTC"),
    ],
)
def test_the_country_of_the_best_language_decides(tags, zone):
    assert usual_zone(tags) == zone


def test_every_zone_named_exists():
    for name in (*OF_LANGUAGE.values(), *OF_LARGE_COUNTRY.values()):
        assert ZoneInfo(name).key == name
