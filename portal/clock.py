"""The two clocks. `now()` is business time, movable in the sandbox; `wall()` is never moved.

`wall()` serves sessions, tokens, limits, leases, signatures and back-off. Nothing else in the
project may ask the machine for the time (tests/test_architecture.py).
"""

import json
import logging
import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

FURTHEST_SECONDS = 200 * 365 * 86_400
"""From the machine's time, either way: beyond, calendars run out of years."""

log = logging.getLogger(__name__)


class ClockUnusable(Exception):
    """The file of the sandbox's clock says no time, or one too far away; the text says what to do."""


class Clock(Protocol):
    def now(self) -> datetime:
        """Business time, aware, UTC."""
        ...

    def wall(self) -> datetime:
        """The machine's time, aware, UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return self.wall()

    def wall(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """Both clocks stand still until told to move; the wall moves only by `advance_wall`."""

    def __init__(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)
        self._wall = self._now

    def now(self) -> datetime:
        return self._now

    def wall(self) -> datetime:
        return self._wall

    def set(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)

    def advance(self, **delta: float) -> None:
        """Move business time, e.g. `advance(days=31)`."""
        self._now += timedelta(**delta)

    def advance_wall(self, **delta: float) -> None:
        self._wall += timedelta(**delta)


class ShiftedClock:
    """The sandbox's clock: the machine's time plus an offset kept in a file that every process reads."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._read_at_mtime_ns: int | None = None
        self._offset: timedelta | None = None

    def now(self) -> datetime:
        return self.wall() + self.offset()

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def offset(self) -> timedelta:
        """How far business time is ahead of the machine's; zero without a file.

        A file that breaks after it was read once changes nothing: time goes on. Raises ClockUnusable for one
        that was never right.
        """
        try:
            mtime_ns = self.file.stat().st_mtime_ns
        except FileNotFoundError:
            self._read_at_mtime_ns, self._offset = None, timedelta(0)
            return self._offset
        if self._offset is None or mtime_ns != self._read_at_mtime_ns:
            try:
                self._offset = self._read()
            except ClockUnusable as fault:
                if self._offset is None:
                    raise
                log.error("%s", fault)
            self._read_at_mtime_ns = mtime_ns
        return self._offset

    def _read(self) -> timedelta:
        try:
            ahead_seconds = json.loads(self.file.read_bytes())["ahead_seconds"]
            if abs(ahead_seconds) <= FURTHEST_SECONDS:
                return timedelta(seconds=ahead_seconds)
        except (OSError, ValueError, TypeError, LookupError):
            pass
        raise ClockUnusable(f"The clock's file {str(self.file)!r} says no time: run `portal clock real`.")

    def set(self, now: datetime) -> None:
        self._write((now - self.wall()).total_seconds())

    def advance(self, **delta: float) -> None:
        self._write((self.offset() + timedelta(**delta)).total_seconds())

    def reset(self) -> None:
        self.file.unlink(missing_ok=True)

    def _write(self, ahead_seconds: float) -> None:
        """Replace the file at once: another process never reads half of it. Raises ClockUnusable."""
        if abs(ahead_seconds) > FURTHEST_SECONDS:
            raise ClockUnusable("The clock cannot be moved more than 200 years away from the machine's.")
        self.file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.file.parent, prefix=".clock-")
        with os.fdopen(handle, "w") as file:
            json.dump({"ahead_seconds": ahead_seconds}, file)
        Path(name).replace(self.file)
