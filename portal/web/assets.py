"""Static files: the stylesheets joined in memory into one, every address carrying a hash of its bytes.

The vendor's accent colour is the end of the stylesheet, its logo one more file (portal/settings/brand.py).
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flask import Flask, Response, abort, request

from portal.runtime import current
from portal.settings import Brand

STATIC = Path(__file__).resolve().parents[2] / "static"
FIRST_STYLESHEETS = ("tokens.css", "base.css")
LOGO_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
"""Opened on its own, a logo may do nothing but show its colours."""
FILES = {"htmx": "vendor/htmx.min.js", "js": "js/portal.js"}
A_YEAR = 31536000


@dataclass(frozen=True)
class Asset:
    name: str
    content: bytes
    content_type: str
    policy: str | None = None

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.content, 9, mtime=0)

    @cached_property
    def address(self) -> str:
        return f"/static/{self.name}?v={hashlib.sha256(self.content).hexdigest()[:10]}"


def load_assets(brand: Brand) -> dict[str, Asset]:
    """By the short name that templates use: css, htmx, js, and logo where there is one."""
    sheets = [STATIC / "css" / name for name in FIRST_STYLESHEETS]
    sheets += sorted(path for path in (STATIC / "css").glob("*.css") if path.name not in FIRST_STYLESHEETS)
    styles = [*(path.read_bytes() for path in sheets), accent_style(brand)]
    assets = {"css": Asset("portal.css", b"\n".join(styles), "text/css; charset=utf-8")}
    for short, name in FILES.items():
        assets[short] = Asset(name, (STATIC / name).read_bytes(), "text/javascript; charset=utf-8")
    if brand.logo is not None:
        assets["logo"] = Asset(brand.logo.name, brand.logo.content, brand.logo.media_type, LOGO_POLICY)
    return assets


def accent_style(brand: Brand) -> bytes:
    """The vendor's colour for our blue, in the layer of tokens.css, so that print still has black."""
    if brand.accent is None:
        return b""
    light, dark = brand.accent.light, brand.accent.dark
    return f"@layer tokens {{ :root {{ --accent: light-dark({light}, {dark}); }} }}\n".encode()


def register(app: Flask) -> None:
    brand = current().settings.brand
    assets = load_assets(brand)
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
        if found.policy is not None:
            response.headers["Content-Security-Policy"] = found.policy
        response.headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable"
        response.vary.add("Accept-Encoding")
        return response

    serve.access = "public"  # type: ignore[attr-defined]
    app.add_url_rule("/static/<path:name>", "static", serve)
    app.jinja_env.globals["asset"] = asset
    app.jinja_env.globals["brand"] = brand
