"""A calendar of whole days as a file: RFC 5545, with the name and the pace of RFC 7986.

Lines end with CRLF and are folded at 75 octets, never inside a character. What a text holds is data: no
line break in it begins a property.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from unicodedata import category

LONGEST_LINE = 75
"""Octets without the line break (RFC 5545 §3.1)."""
PRODUCT = "-//Portal//Billing//EN"


@dataclass(frozen=True, slots=True)
class Entry:
    """`uid` stays when day or words change: it is the same entry then."""

    uid: str
    day: date
    summary: str
    description: str
    address: str


def calendar_file(name: str, entries: Iterable[Entry], *, made_at: datetime) -> bytes:
    """`made_at` is aware; readers are asked to come back once a day."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"NAME:{_text(name)}",
        f"X-WR-CALNAME:{_text(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:P1D",
        "X-PUBLISHED-TTL:P1D",
    ]
    for entry in entries:
        lines += _entry(entry, made_at)
    lines.append("END:VCALENDAR")
    return b"".join(part + b"\r\n" for line in lines for part in _folded(line))


def _entry(entry: Entry, made_at: datetime) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{_text(entry.uid)}"
    yield f"DTSTAMP:{made_at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    yield f"DTSTART;VALUE=DATE:{entry.day:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{entry.day + timedelta(days=1):%Y%m%d}"
    yield f"SUMMARY:{_text(entry.summary)}"
    if entry.description:
        yield f"DESCRIPTION:{_text(entry.description)}"
    yield f"URL:{entry.address}"
    yield "CLASS:PRIVATE"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _text(text: str) -> str:
    """Escaped (§3.3.11); control characters but the line break, which no text may hold, are left out."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    plain = "".join(letter for letter in plain if letter == "\n" or category(letter) not in ("Cc", "Cs"))
    for letter in ("\\", ";", ","):
        plain = plain.replace(letter, f"\\{letter}")
    return plain.replace("\n", "\\n")


def _folded(line: str) -> Iterator[bytes]:
    """Its octets, each part but the first begun with a space, which counts."""
    part = b""
    for letter in line:
        octets = letter.encode("utf-8", "replace")
        if len(part) + len(octets) > LONGEST_LINE:
            yield part
            part = b" "
        part += octets
    yield part
