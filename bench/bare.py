"""What Portal is compared with: the same server and libraries with nothing of ours in between.

`recordings()` answers what Portal answered, from memory; `empty()` is Flask and Peewee with one row.
"""

import json
import os
from pathlib import Path

from flask import Flask, Response, request


def recordings() -> Flask:
    """The recorded bytes for each address; a part asked for by htmx is told by its name and price."""
    app = Flask(__name__, static_folder=None)
    recorded = {}
    folder = Path(os.environ["BENCH_RECORDINGS"])
    for entry in json.loads((folder / "index.json").read_text()):
        recorded[entry["key"]] = ((folder / entry["file"]).read_bytes(), entry["content_type"])

    @app.get("/<path:path>")
    def answer(path: str) -> Response:
        part = request.args.get("price", "") if "HX-Request" in request.headers else ""
        content, content_type = recorded[f"/{path} {part}".strip()]
        return Response(content, content_type=content_type)

    return app


def empty() -> Flask:
    """An application that opens its SQLite file and answers a row of it."""
    from peewee import IntegerField, Model, SqliteDatabase

    database = SqliteDatabase(os.environ["BENCH_DATABASE"])

    class Row(Model):
        number = IntegerField()

        class Meta:
            pass

    Row.bind(database)
    database.connect()
    database.create_tables([Row])
    Row.get_or_create(number=1)
    database.close()
    app = Flask(__name__)

    @app.get("/")
    def answer() -> str:
        with database.connection_context():
            return str(Row.get().number)

    return app
