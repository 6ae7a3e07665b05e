"""Text of people made safe to print: only characters that the bundled fonts hold.

PDF/A refuses a document with a missing glyph, so what no font holds is replaced here, before typst sees it.
"""

import re
import struct
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

FONTS_FOLDER = Path(__file__).parent / "fonts"

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
BREAK_MARK = "\N{ZERO WIDTH SPACE}"
LONGEST_UNBROKEN = 28
"""Characters without a space that still fit the narrowest column of free text."""

MOST_MARKS = 3
"""Combining marks kept on one letter; taller piles would cover the line above."""

_UNBROKEN = re.compile(
    rf"[^\s\-\u2e80-\uffef]{{{LONGEST_UNBROKEN},}}"
)  # Hyphens and East Asian text break by themselves.
_REGIONAL_INDICATOR_A = 0x1F1E6


def printable(text: str) -> str:
    """`text` on one line without control, direction and joining characters; U+FFFD for what no font holds.

    Compatibility forms (mathematical bold, full width) become plain letters where only those can be printed,
    flags become their two letters, and long words get a BREAK_MARK wherever they may break.
    """
    if not (text.isascii() and text.isprintable()):
        composed = unicodedata.normalize("NFC", text)
        text = "".join(_without_stray_marks("".join(map(_printed_as, composed))))
    text = " ".join(text.split())
    return _UNBROKEN.sub(lambda word: BREAK_MARK.join(_clusters(word[0])), text)


def printable_lines(text: str) -> list[str]:
    """The printable lines of `text` that are not empty."""
    return [line for line in map(printable, text.splitlines()) if line]


@lru_cache(maxsize=16_384)
def _printed_as(character: str) -> str:
    code = ord(character)
    category = unicodedata.category(character)
    if character == "\0" or category == "Cf" or 0xFE00 <= code <= 0xFE0F or 0x1F3FB <= code <= 0x1F3FF:
        return ""
    if category == "Cc" or category.startswith("Z"):
        return " "
    if code in _held_codes():
        return character
    if _REGIONAL_INDICATOR_A <= code <= _REGIONAL_INDICATOR_A + 25:
        return chr(code - _REGIONAL_INDICATOR_A + ord("A"))
    for form in ("NFKC", "NFKD"):
        plain = "".join(c for c in unicodedata.normalize(form, character) if ord(c) in _held_codes())
        if plain:
            return plain
    return "" if category.startswith("M") else REPLACEMENT


def _clusters(word: str) -> Iterator[str]:
    """The letters of `word`, each with its combining marks."""
    start = 0
    for index in range(1, len(word)):
        if not unicodedata.combining(word[index]):
            yield word[start:index]
            start = index
    yield word[start:]


def _without_stray_marks(text: str) -> Iterator[str]:
    """`text` less the combining marks that share no font with their letter, and all above MOST_MARKS.

    A letter and its marks are drawn from one font or not at all.
    """
    holders = frozenset(range(len(_fonts())))
    marks = 0
    for character in text:
        if not unicodedata.category(character).startswith("M"):
            holders, marks = _holders(character), 0
            yield character
        elif marks < MOST_MARKS and (shared := holders & _holders(character)):
            holders, marks = shared, marks + 1
            yield character


@lru_cache(maxsize=16_384)
def _holders(character: str) -> frozenset[int]:
    return frozenset(number for number, codes in enumerate(_fonts()) if ord(character) in codes)


@cache
def _held_codes() -> frozenset[int]:
    return frozenset().union(*_fonts())


@cache
def _fonts() -> tuple[set[int], ...]:
    """The code points of each bundled font."""
    return tuple(_codes_of(path.read_bytes()) for path in sorted(FONTS_FOLDER.glob("*.ttf")))


def _codes_of(font: bytes) -> set[int]:
    """The code points in a TrueType file's `cmap` (formats 4 and 12 of the OpenType specification)."""
    tables = struct.unpack_from(">H", font, 4)[0]
    offsets = {
        font[at : at + 4]: struct.unpack_from(">I", font, at + 8)[0] for at in range(12, 12 + 16 * tables, 16)
    }
    cmap = offsets[b"cmap"]
    codes: set[int] = set()
    for record in range(struct.unpack_from(">H", font, cmap + 2)[0]):
        subtable = cmap + struct.unpack_from(">I", font, cmap + 4 + 8 * record + 4)[0]
        match struct.unpack_from(">H", font, subtable)[0]:
            case 4:
                codes |= _codes_of_format_4(font, subtable)
            case 12:
                groups = struct.unpack_from(">I", font, subtable + 12)[0]
                for group in range(groups):
                    first, last, _ = struct.unpack_from(">III", font, subtable + 16 + 12 * group)
                    codes.update(range(first, last + 1))
    return codes


def _codes_of_format_4(font: bytes, subtable: int) -> set[int]:
    """Segments with an own glyph array may hold gaps; the bundled subsets list those codes as glyph 0."""
    count = struct.unpack_from(">H", font, subtable + 6)[0] // 2
    ends_at, starts_at = subtable + 14, subtable + 16 + 2 * count
    ends = struct.unpack_from(f">{count}H", font, ends_at)
    starts = struct.unpack_from(f">{count}H", font, starts_at)
    range_offsets = struct.unpack_from(f">{count}H", font, starts_at + 4 * count)
    codes: set[int] = set()
    for segment, (first, last) in enumerate(zip(starts, ends, strict=True)):
        if first == 0xFFFF:
            continue
        if not range_offsets[segment]:
            codes.update(range(first, last + 1))
            continue
        glyphs_at = starts_at + 4 * count + 2 * segment + range_offsets[segment]
        for code in range(first, last + 1):
            if struct.unpack_from(">H", font, glyphs_at + 2 * (code - first))[0]:
                codes.add(code)
    return codes
