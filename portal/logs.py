"""Logs on standard error: text for a person at a terminal, one JSON object a line otherwise.

No record can begin a line of its own: CR, LF and other control characters of a message are
escaped. Times are UTC.
"""

import json
import logging
import secrets
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from flask import Flask

request_id: ContextVar[str] = ContextVar("request_id", default="")

QUIET_BELOW_WARNING = ("huey", "huey.consumer", "peewee", "fontTools")
_OURS = "portal"


class JSONFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request": request_id.get(),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in entry.items() if value}, ensure_ascii=True)


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        request = f" [{request_id.get()}]" if request_id.get() else ""
        head = f"{_time(record)} {record.levelname.lower()} {record.name}{request}"
        line = f"{head} {escaped(record.getMessage())}"
        if record.exc_info:
            # Indented, so that a line of the trace is never taken for a record.
            trace = self.formatException(record.exc_info)
            line += "".join("\n    " + escaped(part) for part in trace.splitlines())
        return line


class StandardError(logging.Handler):
    """Whatever standard error is at that moment: a test or a daemon may have put another in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)  # noqa: T201
        except (OSError, ValueError):
            self.handleError(record)


def escaped(text: str) -> str:
    """`text` with control characters as `\\n`, `\\x1b` and the like."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def configure(level: int = logging.INFO) -> None:
    """Send every record to standard error. Calling it again changes nothing but the level."""
    root = logging.getLogger()
    root.setLevel(level)
    if not any(handler.get_name() == _OURS for handler in root.handlers):
        handler = StandardError()
        handler.set_name(_OURS)
        handler.setFormatter(TextFormatter() if sys.stderr.isatty() else JSONFormatter())
        root.addHandler(handler)
    for name in QUIET_BELOW_WARNING:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def register(app: Flask) -> None:
    """Give each request an id of its own, never one that the client sent."""

    @app.before_request
    def begin() -> None:
        request_id.set(secrets.token_hex(8))

    @app.teardown_request
    def end(error: BaseException | None) -> None:
        request_id.set("")


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
