"""On which line of a TOML text each key stands.

`tomllib` says what a text means and forgets where; a fault found afterwards needs its line. This
scanner walks a text that `tomllib` has already accepted, so it only has to find its way: it never
interprets a value and never judges.
"""

import re
import tomllib
from bisect import bisect_left

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACES = re.compile(r"[ \t]*")
_BASIC = r'"(?:\\.|[^"\\])*"'
_LITERAL = r"'[^']*'"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED_KEY = re.compile(f"{_BASIC}|{_LITERAL}")
# A multi-line string may end with one or two quotes of its own before the closing three.
_STRING = re.compile(
    "|".join([r'"""(?:\\.|[^\\])*?""""{0,2}', r"'''.*?''''{0,2}", _BASIC, _LITERAL]), re.DOTALL
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, of every key, table header and array element of a valid TOML text.

    A path mixes keys and indexes from 0: `("products", 0, "plans", 2, "code")`. A table has the line
    of its own header, or of the first key that implies it.
    """
    return _Scanner(text).document()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self._newlines = [found.start() for found in re.finditer("\n", text)]
        self._last_index: dict[Path, int] = {}

    def document(self) -> dict[Path, int]:
        table: Path = ()
        self._take(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._take(_BLANK)
        return self.lines

    def _header(self) -> Path:
        line = self._line()
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        *parents, last = self._key()
        path: Path = ()
        for parent in parents:
            path += (parent,)
            self.lines.setdefault(path, line)
            # A header goes on inside the newest element of an array of tables.
            if path in self._last_index:
                path += (self._last_index[path],)
        path += (last,)
        if brackets == 2:
            self.lines.setdefault(path, line)
            self._last_index[path] = self._last_index.get(path, -1) + 1
            path += (self._last_index[path],)
        self.lines[path] = line
        self.at += brackets
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._key():
            path += (key,)
            self.lines.setdefault(path, line)
        self.at += 1  # The equals sign.
        self._take(_SPACES)
        self._value(path)

    def _key(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._take(_SPACES)
            if self.text[self.at] in "\"'":
                keys.extend(tomllib.loads(f"{self._take(_QUOTED_KEY)} = 0"))
            else:
                keys.append(self._take(_BARE_KEY))
            self._take(_SPACES)
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _value(self, path: Path) -> None:
        match self.text[self.at]:
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._take(_STRING)
            case _:
                self._take(_SCALAR)

    def _array(self, path: Path) -> None:
        self.at += 1
        index = 0
        self._take(_BLANK)
        while self.text[self.at] != "]":
            if self.text[self.at] == ",":
                self.at += 1
            else:
                self.lines[(*path, index)] = self._line()
                self._value((*path, index))
                index += 1
            self._take(_BLANK)
        self.at += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        self._take(_BLANK)
        while self.text[self.at] != "}":
            if self.text[self.at] == ",":
                self.at += 1
            else:
                self._pair(path)
            self._take(_BLANK)
        self.at += 1

    def _line(self) -> int:
        return bisect_left(self._newlines, self.at) + 1

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        assert found, f"the scanner lost its way on line {self._line()}"
        self.at = found.end()
        return found[0]
