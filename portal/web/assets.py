"""Static files: the stylesheets joined in memory into one, every address carrying a hash of its bytes."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flask import Flask, Response, abort, request

STATIC = Path(__file__).resolve().parents[2] / "static"
FIRST_STYLESHEETS = ("tokens.css", "base.css")
FILES = {"htmx": "vendor/htmx.min.js", "js": "js/portal.js"}
A_YEAR = 31536000


@dataclass(frozen=True)
class Asset:
    name: str
    content: bytes
    content_type: str

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.content, 9, mtime=0)

    @cached_property
    def address(self) -> str:
        return f"/static/{self.name}?v={hashlib.sha256(self.content).hexdigest()[:10]}"


def load_assets() -> dict[str, Asset]:
    """By the short name that templates use: css, htmx, js."""
    sheets = [STATIC / "css" / name for name in FIRST_STYLESHEETS]
    sheets += sorted(path for path in (STATIC / "css").glob("*.css") if path.name not in FIRST_STYLESHEETS)
    assets = {
        "css": Asset(
            "portal.css", b"\n".join(path.read_bytes() for path in sheets), "text/css; charset=utf-8"
        )
    }
    for short, name in FILES.items():
        assets[short] = Asset(name, (STATIC / name).read_bytes(), "text/javascript; charset=utf-8")
    return assets


def register(app: Flask) -> None:
    assets = load_assets()
    by_name = {asset.name: asset for asset in assets.values()}

    def asset(short: str) -> str:
        return assets[short].address

    def serve(name: str) -> Response:
        found = by_name.get(name)
        if found is None:
            abort(404)
        compressed = "gzip" in request.headers.get("Accept-Encoding", "")
        response = Response(
            found.compressed if compressed else found.content, content_type=found.content_type
        )
        if compressed:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable"
        response.vary.add("Accept-Encoding")
        return response

    serve.access = "public"  # type: ignore[attr-defined]
    app.add_url_rule("/static/<path:name>", "static", serve)
    app.jinja_env.globals["asset"] = asset
