"""A log line is one line, whatever somebody typed."""

import io
import json
import logging
import sys

import pytest
from flask import Flask

from portal import logs

EVIL = "name\r\n2026-11-21 error portal forged\x1b[2J\u2028end"


def a_record(message, **options):
    return logging.LogRecord(
        "portal.test", logging.WARNING, "x.py", 1, message, (), **{"exc_info": None} | options
    )


@pytest.mark.parametrize("formatter", [logs.TextFormatter(), logs.JSONFormatter()])
def test_nothing_typed_begins_a_line_of_its_own(formatter):
    line = formatter.format(a_record(EVIL))
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line


def test_a_json_line_holds_message_trace_and_request():
    logs.request_id.set("abc")
    try:
        raise ValueError("odd")
    except ValueError:
        entry = json.loads(logs.JSONFormatter().format(a_record("a fault", exc_info=sys.exc_info())))
    finally:
        logs.request_id.set("")
    assert (entry["message"], entry["level"], entry["request"]) == ("a fault", "warning", "abc")
    assert entry["trace"].endswith("ValueError: odd")
    assert entry["at"].endswith("+00:00")


def test_the_lines_of_a_trace_are_indented():
    try:
        raise ValueError(EVIL)
    except ValueError:
        text = logs.TextFormatter().format(a_record("a fault", exc_info=sys.exc_info()))
    head, *trace = text.split("\n")
    assert "a fault" in head
    assert trace and all(line.startswith("    ") for line in trace)


def test_records_go_to_standard_error_once(monkeypatch):
    stream = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(sys, "stderr", stream)
    before, level = list(root.handlers), root.level
    root.handlers = [handler for handler in before if handler.get_name() != "portal"]
    try:
        logs.configure()
        logs.configure()
        logging.getLogger("portal.test").info("once")
    finally:
        root.handlers, root.level = before, level
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["once"]


def test_each_request_has_an_id_of_its_own():
    app = Flask("portal")
    logs.register(app)
    app.add_url_rule("/", view_func=lambda: logs.request_id.get())
    client = app.test_client()
    first, second = (client.get("/", headers={"X-Request-Id": "mine"}).text for _ in range(2))
    assert len(first) == 16
    assert first != second
    assert logs.request_id.get() == ""
