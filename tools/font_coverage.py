"""Which letters each font of the documents holds, written where `printable.py` reads it.

    python -m tools.font_coverage

To run after a font was added or replaced; a test compares the table with the fonts.
"""

import gzip
import struct
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from portal.documents.coverage import COVERAGE, FONTS_FOLDER, PACKED_FOLDER


def main() -> None:
    COVERAGE.write_text(coverage_table(), encoding="ascii")


def coverage_table() -> str:
    """A line per font: its file, its family's name, its code points as hexadecimal ranges; tab-separated."""
    return "".join(
        f"{path.relative_to(FONTS_FOLDER)}\t{family_of(font)}\t{ranges_text(codes_of(font))}\n"
        for path in font_files()
        for font in [font_bytes(path)]
    )


def font_files() -> list[Path]:
    """Those of every document, then the packed ones, the smallest first: it draws what two of them hold."""
    packed = sorted(PACKED_FOLDER.glob("*.gz"), key=lambda path: (path.stat().st_size, path.name))
    return [*sorted(FONTS_FOLDER.glob("*.ttf")), *packed]


def font_bytes(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def ranges_text(codes: Iterable[int]) -> str:
    """`41-5A 61`: both ends included."""
    numbered = enumerate(sorted(codes))
    runs = ([code for _, code in run] for _, run in groupby(numbered, lambda pair: pair[1] - pair[0]))
    return " ".join(f"{run[0]:X}" if len(run) == 1 else f"{run[0]:X}-{run[-1]:X}" for run in runs)


def family_of(font: bytes) -> str:
    """Name 1 of the `name` table, in English for Windows (UTF-16)."""
    table = _tables(font)[b"name"]
    count, strings = struct.unpack_from(">HH", font, table + 2)
    for record in range(count):
        platform, _, language, name, length, offset = struct.unpack_from(
            ">HHHHHH", font, table + 6 + 12 * record
        )
        if (platform, language, name) == (3, 0x409, 1):
            start = table + strings + offset
            return font[start : start + length].decode("utf-16-be")
    raise ValueError("a font without a family name")


def codes_of(font: bytes) -> set[int]:
    """The code points in a font's `cmap` (formats 4 and 12 of the OpenType specification)."""
    cmap = _tables(font)[b"cmap"]
    codes: set[int] = set()
    for record in range(struct.unpack_from(">H", font, cmap + 2)[0]):
        subtable = cmap + struct.unpack_from(">I", font, cmap + 4 + 8 * record + 4)[0]
        match struct.unpack_from(">H", font, subtable)[0]:
            case 4:
                codes.update(_codes_of_format_4(font, subtable))
            case 12:
                groups = struct.unpack_from(">I", font, subtable + 12)[0]
                for group in range(groups):
                    first, last, _ = struct.unpack_from(">III", font, subtable + 16 + 12 * group)
                    codes.update(range(first, last + 1))
    return codes


def _codes_of_format_4(font: bytes, subtable: int) -> Iterator[int]:
    """Segments with an own glyph array may hold gaps: those codes are listed as glyph 0."""
    count = struct.unpack_from(">H", font, subtable + 6)[0] // 2
    ends_at, starts_at = subtable + 14, subtable + 16 + 2 * count
    ends = struct.unpack_from(f">{count}H", font, ends_at)
    starts = struct.unpack_from(f">{count}H", font, starts_at)
    range_offsets = struct.unpack_from(f">{count}H", font, starts_at + 4 * count)
    for segment, (first, last) in enumerate(zip(starts, ends, strict=True)):
        if first == 0xFFFF:
            continue
        if not range_offsets[segment]:
            yield from range(first, last + 1)
            continue
        glyphs_at = starts_at + 4 * count + 2 * segment + range_offsets[segment]
        for code in range(first, last + 1):
            if struct.unpack_from(">H", font, glyphs_at + 2 * (code - first))[0]:
                yield code


def _tables(font: bytes) -> dict[bytes, int]:
    count = struct.unpack_from(">H", font, 4)[0]
    return {
        font[at : at + 4]: struct.unpack_from(">I", font, at + 8)[0] for at in range(12, 12 + 16 * count, 16)
    }


if __name__ == "__main__":
    main()
