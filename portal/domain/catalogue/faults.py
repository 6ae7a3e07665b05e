"""What is wrong with a catalogue, told so that the vendor's developer finds the place at once."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from portal.domain.errors import PortalError

from .toml_lines import Path

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN_LENGTH: Final = 40


@dataclass(frozen=True, slots=True)
class CatalogueFault:
    """To put right: `line` counts from 1; `key` is dotted, its indexes from 0; "" is the whole file."""

    filename: str
    line: int
    key: str
    sentence: str

    def __str__(self) -> str:
        where = f"{self.filename}:{self.line}: "
        return where + (f"{self.key}: {self.sentence}" if self.key else self.sentence)


class CatalogueInvalid(PortalError):
    """The catalogue cannot be applied: `faults` holds every reason, in the order of the lines."""

    faults: tuple[CatalogueFault, ...]

    def __init__(self, *, faults: tuple[CatalogueFault, ...]) -> None:
        super().__init__(faults=faults)

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


class FaultList:
    """The faults found so far in one file, and which parts of it they touch."""

    def __init__(self, filename: str, lines: Mapping[Path, int]) -> None:
        self._filename = filename
        self._lines = lines
        self._faults: list[CatalogueFault] = []
        self._tainted: set[Path] = set()

    def add(self, path: Path, sentence: str) -> None:
        self.taint(path)
        self._faults.append(CatalogueFault(self._filename, self.line(path), dotted(path), sentence))

    def line(self, path: Path) -> int:
        """The line of `path`, or of the nearest table around it when it was never written."""
        around = (path[:length] for length in range(len(path), 0, -1))
        return next((self._lines[place] for place in around if place in self._lines), 1)

    def taint(self, path: Path) -> None:
        """Say that `path`, and so every table around it, is not as it should be."""
        self._tainted.update(path[:length] for length in range(len(path) + 1))

    def is_tainted(self, path: Path) -> bool:
        """Whether `path`, or anything inside it, has a fault."""
        return path in self._tainted

    def in_order(self) -> tuple[CatalogueFault, ...]:
        return tuple(sorted(self._faults, key=lambda fault: fault.line))


def dotted(path: Path) -> str:
    """`products[0].plans[2].code`; a key that is not bare is quoted, with every odd character escaped."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        else:
            bare = _BARE_KEY.fullmatch(step) and len(step) <= _SHOWN_LENGTH
            written += f".{step if bare else shown(step)}"
    return written.removeprefix(".")


def shown(value: object) -> str:
    """The value as the developer wrote it, in ASCII and never longer than a few words."""
    match value:
        case bool():
            return f"{value}".lower()
        case int() if abs(value) >= 10**_SHOWN_LENGTH:
            return "a number far too large"
        case int() | float():
            return f"{value}"
        case str() if len(value) > _SHOWN_LENGTH:
            return json.dumps(value[:_SHOWN_LENGTH] + "...")
        case str():
            return json.dumps(value)
        case datetime():
            return f"the date and time {value.isoformat()}"
        case list():
            return "a list"
        case dict():
            return "a table"
    return f"{value}"
