"""A strict reader of calendars: RFC 5545 as far as whole days need it, and not a step further."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

LONGEST_LINE = 75
ESCAPED = re.compile(r"\\(.)")
ONCE_IN_CALENDAR = ("VERSION", "PRODID", "CALSCALE", "METHOD", "NAME", "X-WR-CALNAME")
ONCE_IN_EVENT = ("UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "URL", "CLASS", "TRANSP")


@dataclass(frozen=True)
class Event:
    uid: str
    day: date
    summary: str
    description: str
    url: str


@dataclass(frozen=True)
class Calendar:
    name: str
    events: tuple[Event, ...]


def read_calendar(content: bytes) -> Calendar:
    """Refuses, with an AssertionError, whatever a reader would have to guess."""
    lines = [_property(line) for line in _unfolded(content)]
    assert lines[0] == ("BEGIN", {}, "VCALENDAR")
    assert lines[-1] == ("END", {}, "VCALENDAR")
    own: list[tuple[str, dict[str, str], str]] = []
    events, event = [], None
    for name, parameters, value in lines[1:-1]:
        if (name, value) == ("BEGIN", "VEVENT"):
            assert event is None, "an event within an event"
            event = []
        elif (name, value) == ("END", "VEVENT"):
            assert event is not None, "an event that did not begin"
            events.append(_event(event))
            event = None
        else:
            assert name not in ("BEGIN", "END"), f"unexpected {name}:{value}"
            (own if event is None else event).append((name, parameters, value))
    assert event is None, "an event that does not end"
    found = _once(own, ONCE_IN_CALENDAR)
    assert (found["VERSION"], found["CALSCALE"], found["METHOD"]) == ("2.0", "GREGORIAN", "PUBLISH")
    assert found["NAME"] == found["X-WR-CALNAME"]
    return Calendar(_text(found["NAME"]), tuple(events))


def _unfolded(content: bytes) -> list[str]:
    assert content.endswith(b"\r\n")
    physical = content[:-2].split(b"\r\n")
    logical: list[bytes] = []
    for line in physical:
        assert len(line) <= LONGEST_LINE, f"{len(line)} octets"
        assert b"\r" not in line
        assert b"\n" not in line
        # Each part is whole characters: RFC 5545 §3.1 warns of readers that unfold after decoding.
        line.decode("utf-8")
        if line.startswith(b" "):
            logical[-1] += line[1:]
        else:
            assert line, "an empty line"
            logical.append(line)
    return [line.decode("utf-8") for line in logical]


def _property(line: str) -> tuple[str, dict[str, str], str]:
    matched = re.fullmatch(r"([A-Z-]+)((?:;[A-Z-]+=[A-Z0-9-]+)*):(.*)", line)
    assert matched, f"no property: {line!r}"
    name, parameters, value = matched.groups()
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value), "a control character"
    return name, dict(each.split("=") for each in parameters.split(";")[1:]), value


def _once(lines, names) -> dict[str, str]:
    for name in names:
        assert [each[0] for each in lines].count(name) == 1, f"{name} stands once"
    return {name: value for name, _parameters, value in lines}


def _event(lines) -> Event:
    found = _once(lines, ONCE_IN_EVENT)
    for name, parameters, _value in lines:
        assert parameters == ({"VALUE": "DATE"} if name in ("DTSTART", "DTEND") else {}), name
    day, end = (datetime.strptime(found[name], "%Y%m%d").date() for name in ("DTSTART", "DTEND"))  # noqa: DTZ007
    assert end - day == timedelta(days=1)
    assert datetime.strptime(found["DTSTAMP"], "%Y%m%dT%H%M%SZ")  # noqa: DTZ007
    return Event(
        uid=_text(found["UID"]),
        day=day,
        summary=_text(found["SUMMARY"]),
        description=_text(found.get("DESCRIPTION", "")),
        url=found["URL"],
    )


def _text(value: str) -> str:
    assert not re.search(r"(?<!\\)(?:\\\\)*[;,]", value), f"not escaped: {value!r}"

    def plain(matched: re.Match[str]) -> str:
        letter = matched.group(1)
        assert letter in "\\;,nN", f"unknown escape \\{letter}"
        return "\n" if letter in "nN" else letter

    return ESCAPED.sub(plain, value)
