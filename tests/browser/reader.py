"""Who looks at a page: in which language, with or without scripts, how wide, by day or by night."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.matrix import taking_turns

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
    Reader("en", scripts=False, width=360, theme="dark"),
    Reader("fr", scripts=True, width=360, theme="dark"),
    Reader("en", scripts=True, width=360, theme="light"),
    Reader("fr", scripts=False, width=1280, theme="light"),
    Reader("en", scripts=True, width=1280, theme="dark"),
)
"""Every two of the four choices meet in one of them."""

WITH_AND_WITHOUT_SCRIPTS = (
    Reader("en", width=360),
    Reader("fr", scripts=False, width=360, theme="dark"),
)
THE_OTHER_WAY_ROUND = (Reader("fr", theme="dark"), Reader("en", scripts=False, width=360))
"""A story is read either way: over all of them, every two choices meet."""


LOOKS = {"en": ((1280, "light"), (360, "dark")), "fr": ((360, "light"), (1280, "dark"))}
"""The widths and themes in which a state of a page is looked at, shared out between the languages."""


def read_by(*readers: Reader, at_least: int = 1) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Have the story told to these readers: each of them with FULL=1, else to so many, who take turns."""

    def of(test: Callable[..., None]) -> Callable[..., None]:
        told = pytest.mark.parametrize("reader", readers, ids=str, indirect=True)(test)
        return pytest.mark.at_least(at_least)(told)

    return of


def read_by_each(*readers: Reader) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Have it told to all of these readers in every run: one of them may see what another does not."""
    return read_by(*readers, at_least=len(readers))


def share_out(items: list[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """The tests of this run, and the stories that are not told in it.

    Within a file the readers of each next story, or of its next parameters, move on by one. A story that was
    asked for by the name of its reader is told to them.
    """
    readers: dict[tuple[Path, str], list[pytest.Item]] = {}
    for item in items:
        readers.setdefault(_story_of(item), []).append(item)
    turns = {path: crc32(path.name.encode()) for path, _story in readers}
    left = set()
    for (path, _story), told_to in readers.items():
        if len(told_to) > 1:
            at_least = told_to[0].get_closest_marker("at_least").args[0]
            left |= {*told_to} - {*taking_turns(told_to, turns[path], at_least=at_least)}
            turns[path] += 1
    return [item for item in items if item not in left], [item for item in items if item in left]


def _story_of(item: pytest.Item) -> tuple[Path, str]:
    """Where it stands, and what it is called without its reader."""
    callspec = getattr(item, "callspec", None)
    if callspec is None or "reader" not in callspec.params:
        return item.path, item.nodeid
    return item.path, item.nodeid.replace(str(callspec.params["reader"]), "")
