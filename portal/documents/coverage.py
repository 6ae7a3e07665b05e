"""Which of the bundled fonts holds which letter, read from a table: no font is opened to ask.

The table comes from `tools/font_coverage.py`; fonts of every document come first in it, then the packed ones,
which are unpacked only for a document that needs them.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

FONTS_FOLDER = Path(__file__).parent / "fonts"
PACKED_FOLDER = FONTS_FOLDER / "packed"
COVERAGE = FONTS_FOLDER / "coverage.tsv"


@dataclass(frozen=True, slots=True)
class Font:
    """`starts` and `ends` are the code points it holds, as ranges in rising order, both ends included."""

    path: Path
    family: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def is_packed(self) -> bool:
        return self.path.suffix == ".gz"

    def holds(self, code: int) -> bool:
        at = bisect_right(self.starts, code) - 1
        return at >= 0 and code <= self.ends[at]


@cache
def fonts() -> tuple[Font, ...]:
    return tuple(map(_font, COVERAGE.read_text(encoding="ascii").splitlines()))


def _font(line: str) -> Font:
    file, family, codes = line.split("\t")
    ranges = [part.split("-") for part in codes.split()]
    starts, ends = ([int(pair[side], 16) for pair in ranges] for side in (0, -1))
    return Font(FONTS_FOLDER / file, family, tuple(starts), tuple(ends))


@lru_cache(maxsize=16_384)
def holders(character: str) -> frozenset[int]:
    """The numbers, in the table's order, of the fonts that hold `character`."""
    code = ord(character)
    return frozenset(number for number, font in enumerate(fonts()) if font.holds(code))


@cache
def usual() -> frozenset[int]:
    """The numbers of the fonts that every document is set with."""
    return frozenset(number for number, font in enumerate(fonts()) if not font.is_packed)


def packed_fonts_for(clusters: Iterable[str]) -> tuple[Font, ...]:
    """The packed fonts, as few as possible, with which each cluster is drawn from one font.

    A cluster is a letter with its marks. Punctuation that many scripts share comes from a font that is
    needed anyway. What no font holds is left out.
    """
    wanted = [shared for cluster in set(clusters) if (shared := _holders_of_all(cluster)) - usual() == shared]
    needed: set[int] = set()
    for shared in sorted(filter(None, wanted), key=lambda numbers: (len(numbers), sorted(numbers))):
        if not shared & needed:
            needed.add(min(shared))
    return tuple(fonts()[number] for number in sorted(needed))


def font_of(cluster: str, packed: Sequence[Font]) -> Font | None:
    """Which of the `packed` fonts draws it; None: one of the usual ones does."""
    if _holders_of_all(cluster) & usual():
        return None
    return next((font for font in packed if all(font.holds(ord(character)) for character in cluster)), None)


def _holders_of_all(cluster: str) -> frozenset[int]:
    return frozenset.intersection(*map(holders, cluster))
