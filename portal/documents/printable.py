"""Text of people made safe to print: only characters that the bundled fonts hold.

PDF/A refuses a document with a missing glyph, so what no font holds is replaced here, before typst sees it.
A form asks `unprintable_letters` first, so that nobody orders a document that says something else.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from .coverage import holders, usual

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
BREAK_MARK = "\N{ZERO WIDTH SPACE}"
LONGEST_UNBROKEN = 28
"""Characters without a space that still fit the narrowest column of free text."""

MOST_MARKS = 8
MOST_MARKS_ABOVE_OR_BELOW = 3
"""Combining marks kept on one letter; taller piles would cover the line above. A Burmese syllable has six,
beside its letter; those of the combining classes from 200 on stand above or below any letter."""
FIRST_CLASS_ABOVE_OR_BELOW = 200
VIRAMA_CLASS = 9
"""Of the signs that join a letter to the next one."""

_UNBROKEN = re.compile(
    rf"[^\s\-\u2e80-\uffef]{{{LONGEST_UNBROKEN},}}"
)  # Hyphens and East Asian text break by themselves.
_JOINED_SCRIPTS = re.compile("[\u0600-\u07ff\u0840-\u08ff\u1800-\u18af]")
_JOINERS = frozenset("\u200c\u200d\u180e")
"""They say how the letters of Persian, Indic scripts and Mongolian join; elsewhere they say nothing."""
_SEEN_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
"""Format characters that are drawn: Arabic and Syriac signs around numbers."""
_REGIONAL_INDICATOR_A = 0x1F1E6


def printable(text: str) -> str:
    """`text` on one line without control and direction characters; U+FFFD for what no font holds.

    Compatibility forms (mathematical bold) become plain letters where only those can be printed, flags become
    their two letters, and long words get a BREAK_MARK wherever they may break.
    """
    if not (text.isascii() and text.isprintable()):
        text = "".join(_printed(cluster)[0] for cluster in clusters(unicodedata.normalize("NFC", text)))
    text = " ".join(text.split())
    return _UNBROKEN.sub(lambda word: BREAK_MARK.join(_breakable(word[0])), text)


def printable_lines(text: str) -> list[str]:
    """The printable lines of `text` that are not empty."""
    return [line for line in map(printable, text.splitlines()) if line]


def unprintable_letters(text: str) -> tuple[str, ...]:
    """The letters of `text`, each once and with its marks, that a document could not print as they are read.

    What is never seen (directions, variation selectors) is not missed.
    """
    if text.isascii():
        return ()
    found = clusters(unicodedata.normalize("NFC", text))
    return tuple(dict.fromkeys(cluster for cluster in found if _printed(cluster)[1]))


def clusters(text: str) -> Iterator[str]:
    """The letters of `text`, each with the marks and joiners that follow it."""
    start = 0
    for index in range(1, len(text)):
        if not _follows(text[index]):
            yield text[start:index]
            start = index
    if text:
        yield text[start:]


def _follows(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character).startswith("M")


@lru_cache(maxsize=16_384)
def _printed(cluster: str) -> tuple[str, bool]:
    """The cluster as it is printed, and whether anything that is seen of it is lost.

    A letter and its marks are drawn from one font or not at all.
    """
    letter = cluster[0] if not _follows(cluster[0]) else ""
    printed = _printed_as(letter) if letter else ""
    shared = holders(printed[-1]) if printed else frozenset.union(*map(holders, cluster))
    is_lost = REPLACEMENT in printed
    marks = stacked = 0
    for mark in cluster[len(letter) :]:
        held = shared & holders(mark)
        if mark in _JOINERS:
            if held and not shared & usual():
                printed, shared = printed + mark, held
            continue
        if _is_unseen(mark):
            continue
        marks += 1
        stacked += unicodedata.combining(mark) >= FIRST_CLASS_ABOVE_OR_BELOW
        if held and marks <= MOST_MARKS and stacked <= MOST_MARKS_ABOVE_OR_BELOW:
            printed, shared = printed + mark, held
        else:
            is_lost = True
    return printed, is_lost


def _is_unseen(character: str) -> bool:
    """Control and direction characters, selectors of a variant or of a skin colour."""
    code = ord(character)
    return (
        character == "\0"
        or (unicodedata.category(character) == "Cf" and character not in _SEEN_FORMATS)
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0100 <= code <= 0xE01EF
        or 0x1F3FB <= code <= 0x1F3FF
    )


@lru_cache(maxsize=16_384)
def _printed_as(character: str) -> str:
    code = ord(character)
    category = unicodedata.category(character)
    if _is_unseen(character):
        return ""
    if category == "Cc" or category.startswith("Z"):
        return " "
    if category in ("Co", "Cs"):
        return REPLACEMENT
    if holders(character):
        return character
    if _REGIONAL_INDICATOR_A <= code <= _REGIONAL_INDICATOR_A + 25:
        return chr(code - _REGIONAL_INDICATOR_A + ord("A"))
    for form in ("NFKC", "NFKD"):
        plain = unicodedata.normalize(form, character)
        if plain != character and all(map(holders, plain)):
            return plain
    return REPLACEMENT


def _breakable(word: str) -> Iterator[str]:
    """The parts of a long word: its clusters, but nothing that joins is torn apart where it may be helped."""
    part = ""
    for cluster in clusters(word):
        if part and not _joins(part, cluster):
            yield part
            part = ""
        part += cluster
    yield part


def _joins(part: str, cluster: str) -> bool:
    """Whether a break between them would change how they are drawn."""
    if unicodedata.combining(part[-1]) == VIRAMA_CLASS or part[-1] in _JOINERS:
        return True
    return bool(_JOINED_SCRIPTS.match(cluster)) and len(part) < LONGEST_UNBROKEN
