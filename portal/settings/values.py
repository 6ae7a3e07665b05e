"""What one variable may say: each reader gives the value back, or refuses it in one sentence that names it.

Nothing is guessed: an empty variable is a slip of whatever fills it in, not a wish for the default.
Passwords and keys never stand in a sentence.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence

LONGEST_SHOWN = 60
LONGEST_LINE = 200
MOST_LINES = 8
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
DECIMAL = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)


class SettingsError(Exception):
    """A variable that is missing, unreadable or contradicts another; the text names it, in one line."""


def shown(text: str) -> str:
    """A value for a sentence: quoted, on one line, not too long."""
    return repr(text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…")


def is_printed(text: str) -> bool:
    """Whether each character leaves a mark or a blank, a no-break space too, and none steers the others."""
    return all(character.isprintable() or unicodedata.category(character) == "Zs" for character in text)


class Reader:
    """Reads variables and remembers which ones were asked for. Every method raises SettingsError."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.names: set[str] = set()

    def text(self, name: str, default: str) -> str:
        """One line of text without blanks around it."""
        text = self._raw(name, default)
        if any(ord(character) < 32 or ord(character) == 127 for character in text):
            raise SettingsError(f"{name} must be one line of text, without tabs or line breaks.")
        return text

    def line(self, name: str, default: str) -> str:
        """Text that is printed: a name."""
        text = self.text(name, default)
        if len(text) > LONGEST_LINE:
            raise SettingsError(f"{name} must not be longer than {LONGEST_LINE} characters.")
        return text

    def lines(self, name: str, default: str) -> tuple[str, ...]:
        r"""The lines of an address, between which stands a line break or the two characters `\n`."""
        text = self._raw(name, default).replace("\\n", "\n").replace("\r\n", "\n")
        lines = tuple(line.strip() for line in text.split("\n"))
        if text and not all(lines):
            raise SettingsError(f"{name} has an empty line; write its lines with one \\n between them.")
        if len(lines) > MOST_LINES or any(len(line) > LONGEST_LINE for line in lines):
            raise SettingsError(f"{name} must be at most {MOST_LINES} lines of {LONGEST_LINE} characters.")
        if not all(map(is_printed, lines)):
            raise SettingsError(f"{name} has a character that cannot be printed, such as a tab.")
        return lines

    def words(self, name: str, default: str) -> tuple[str, ...]:
        """A list with commas between its words; none where the default is none and nothing is set."""
        text = self.text(name, default)
        if not text:
            return ()
        words = tuple(word.strip() for word in text.split(","))
        if not all(words):
            raise SettingsError(f"{name} has a comma with nothing beside it: write a list such as a,b,c.")
        return words

    def words_of(self, name: str, default: str, known: Sequence[str]) -> tuple[str, ...]:
        """A list of words that are known, each once."""
        words = self.words(name, default)
        for word in words:
            if word not in known:
                raise SettingsError(f"{name} names {shown(word)}; known are {', '.join(known)}.")
        _refuse_repeats(name, words)
        return words

    def one_of(self, name: str, default: str, known: Sequence[str]) -> str:
        text = self.text(name, default)
        if text not in known:
            raise SettingsError(f"{name} must be one of {', '.join(known)}, not {shown(text)}.")
        return text

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        text = self.text(name, str(default))
        if not WHOLE_NUMBER.fullmatch(text) or not least <= int(text) <= most:
            raise SettingsError(f"{name} must be a whole number from {least} to {most}, not {shown(text)}.")
        return int(text)

    def decimal(self, name: str, default: float, *, least: float, most: float) -> float:
        text = self.text(name, str(default))
        if not DECIMAL.fullmatch(text) or not least <= float(text) <= most:
            raise SettingsError(
                f"{name} must be a number from {least:g} to {most:g}, such as {default:g}, not {shown(text)}."
            )
        return float(text)

    def rising_days(self, name: str, default: str, *, most: int) -> tuple[int, ...]:
        """Days after an event, each later than the one before it."""
        words = self.words(name, default)
        if all(WHOLE_NUMBER.fullmatch(word) for word in words):
            days = tuple(int(word) for word in words)
            if all(earlier < later <= most for earlier, later in zip((0, *days), days, strict=False)):
                return days
        raise SettingsError(
            f"{name} must be days from 1 to {most}, each later than the one before, such as {default}, "
            f"not {shown(','.join(words))}."
        )

    def _raw(self, name: str, default: str) -> str:
        self.names.add(name)
        text = self.environ.get(name, default).strip()
        if default and not text:
            raise SettingsError(f"{name} is empty: give it a value, or leave it out for {shown(default)}.")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise SettingsError(f"{name} must be text in UTF-8.") from None
        return text


def _refuse_repeats(name: str, words: Sequence[str]) -> None:
    for index, word in enumerate(words):
        if word in words[:index]:
            raise SettingsError(f"{name} names {shown(word)} twice.")
