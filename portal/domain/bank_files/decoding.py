"""Bytes to text: by the mark at the beginning, by what an XML file says of itself, else UTF-8."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE

from .lines import LARGEST_BYTES, Fault, refuse

MARKS = ((BOM_UTF8, "utf-8-sig"), (BOM_UTF16_LE, "utf-16"), (BOM_UTF16_BE, "utf-16"))
DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "windows-1252",
    "cp1252": "windows-1252",
}
"""What a bank's file may say that it is written in. All else is refused rather than guessed."""


def xml_text(content: bytes) -> str:
    """Raises BankFileRefused: empty, too large, another encoding than it says, or one that we do not read."""
    refuse_size(content)
    encoding = _marked(content) or _without_mark(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise refuse(Fault.ENCODING, found=encoding) from None


def csv_text(content: bytes) -> str:
    """UTF-8 or UTF-16 by its mark, UTF-8 where it is that, else what spreadsheets write in Western Europe."""
    refuse_size(content)
    encoding = _marked(content)
    if encoding is None and b"\x00" in content:
        raise refuse(Fault.ENCODING, found="UTF-8")
    try:
        return content.decode(encoding or "utf-8").replace("\x00", "")
    except UnicodeDecodeError:
        if encoding is not None:
            raise refuse(Fault.ENCODING, found=encoding) from None
    try:
        return content.decode("windows-1252")
    except UnicodeDecodeError:
        raise refuse(Fault.ENCODING, found="windows-1252") from None


def refuse_size(content: bytes) -> None:
    if not content.strip():
        raise refuse(Fault.EMPTY)
    if len(content) > LARGEST_BYTES:
        raise refuse(Fault.TOO_LARGE, expected=str(LARGEST_BYTES // 1024**2))


def looks_like_xml(content: bytes) -> bool:
    """By the first sign that is no blank, in whichever encoding."""
    start = content[:400]
    for mark, _encoding in MARKS:
        start = start.removeprefix(mark)
    return start.replace(b"\x00", b"").lstrip().startswith(b"<")


def _marked(content: bytes) -> str | None:
    return next((encoding for mark, encoding in MARKS if content.startswith(mark)), None)


def _without_mark(content: bytes) -> str:
    if content[:4] == b"<\x00?\x00":
        return "utf-16-le"
    if content[:4] == b"\x00<\x00?":
        return "utf-16-be"
    declared = DECLARED.match(content[:400])
    if declared is None:
        return "utf-8"
    name = declared[1].decode("ascii").lower()
    if name not in ENCODINGS:
        raise refuse(Fault.ENCODING, found=name)
    return ENCODINGS[name]
