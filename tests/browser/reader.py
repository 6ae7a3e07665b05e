"""Who looks at a page: in which language, with or without scripts, how wide, by day or by night."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

LOCALES = {"en": "en-GB", "fr": "fr-FR"}


@dataclass(frozen=True, slots=True)
class Reader:
    """`width` in CSS pixels; `theme` is light or dark."""

    language: str = "en"
    scripts: bool = True
    width: int = 1280
    theme: str = "light"

    def __str__(self) -> str:
        return f"{self.language}-{'scripts' if self.scripts else 'plain'}-{self.width}-{self.theme}"

    @property
    def context_options(self) -> Mapping[str, Any]:
        """What Playwright is told of them."""
        return {
            "locale": LOCALES[self.language],
            "timezone_id": "Europe/Paris",
            "java_script_enabled": self.scripts,
            "viewport": {"width": self.width, "height": 900 if self.width > 640 else 740},
            "color_scheme": self.theme,
        }


PAIRWISE = (
    Reader("fr", scripts=False, width=1280, theme="light"),
    Reader("fr", scripts=True, width=360, theme="dark"),
    Reader("en", scripts=False, width=360, theme="dark"),
    Reader("en", scripts=True, width=1280, theme="dark"),
    Reader("en", scripts=True, width=360, theme="light"),
)
"""Every two of the four choices meet in one of them."""

WITH_AND_WITHOUT_SCRIPTS = (Reader("en"), Reader("fr", scripts=False, width=360, theme="dark"))
THE_OTHER_WAY_ROUND = (Reader("fr"), Reader("en", scripts=False, width=360, theme="dark"))
"""A story is read either way: over a file of them, every two choices meet."""


def read_by(*readers: Reader) -> pytest.MarkDecorator:
    """Run the test once for each reader."""
    return pytest.mark.parametrize("reader", readers, ids=str, indirect=True)
