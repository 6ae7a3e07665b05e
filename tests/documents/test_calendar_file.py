"""Calendar files: folded, escaped, and read back as they were."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.documents.calendar_file import Entry, calendar_file
from tests.reading_calendars import read_calendar

MADE_AT = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


def written(*, name="Acme", summary="Business 5", description="", day=date(2026, 12, 21)):
    entry = Entry("1@portal.test", day, summary, description, "https://portal.test/w/acme/billing")
    return calendar_file(name, [entry], made_at=MADE_AT)


def test_a_calendar_without_entries_is_a_calendar() -> None:
    assert read_calendar(calendar_file("Acme", [], made_at=MADE_AT)).events == ()


def test_the_last_day_of_a_leap_february_ends_on_the_first_of_march() -> None:
    content = written(day=date(2028, 2, 29))
    assert b"DTSTART;VALUE=DATE:20280229\r\nDTEND;VALUE=DATE:20280301\r\n" in content
    assert b"DTSTAMP:20261201T093000Z\r\n" in content


@pytest.mark.parametrize("length", [66, 67, 68, 140, 141])
def test_a_line_is_folded_at_75_octets(length) -> None:
    """`SUMMARY:` has eight."""
    [event] = read_calendar(written(summary="x" * length)).events
    assert event.summary == "x" * length


@given(text=st.text(max_size=200))
def test_any_text_is_read_back_but_for_what_no_calendar_may_hold(text) -> None:
    content = written(name=text, summary=text, description=text)
    kept = text.replace("\r\n", "\n").replace("\r", "\n")
    expected = "".join(letter for letter in kept if letter == "\n" or not _is_control(letter))
    calendar = read_calendar(content)
    assert calendar.name == expected
    assert calendar.events[0].summary == expected


def _is_control(letter: str) -> bool:
    return ord(letter) < 32 or 127 <= ord(letter) < 160 or 0xD800 <= ord(letter) <= 0xDFFF
