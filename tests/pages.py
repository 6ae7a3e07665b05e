"""The harness that every page goes through: `client` in a test checks each answer it gets.

A page: valid HTML5, one h1 that starts the title, landmarks, labels, no duplicate id, nothing inline,
the headers of a page. And once for each template: every block that an element carries the name of is
asked for alone, as htmx would, and must be the page's own element.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Any
from xml.etree.ElementTree import Element, tostring

import html5lib
from flask import Flask, template_rendered
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Reporting-Endpoints": 'csp="/csp-report"',
}
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
}
UNLABELLED = {"hidden", "submit", "button", "reset", "image"}
TOKEN = re.compile(r'(name="csrf_token"[^>]*value="|X-CSRFToken(?:&#34;|"): (?:&#34;|"))[^"&]*')
# What no rule of a page asks for: words, and values that lead somewhere or stand in a field.
WORDS = re.compile(r">[^<>]*[^<>\s][^<>]*<")
VALUES = re.compile(r' (href|action|formaction|value|datetime|content|src)="[^"]+"')
TITLES = re.compile(r"<(title|h1)\b[^>]*>.*?</\1>", re.DOTALL)
_fragments_seen: set[tuple[str, str]] = set()
# To parse a page takes longer than to make it, and many tests come by one of the same shape.
_pages_seen: set[tuple[bytes, str, bool]] = set()


class PageClient(FlaskClient):
    """A browser that refuses a page with a fault in it."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        templates: list[str] = []

        def note(sender: Flask, template: Any, **extra: Any) -> None:
            if template.name:
                templates.append(template.name)

        with template_rendered.connected_to(note, self.application):
            response = super().open(*args, **kwargs)
        if response.mimetype != "text/html" or response.status_code in (204, 301, 302, 303, 304, 308):
            return response
        if response.request.headers.get("HX-Request-Type") == "partial":
            check_fragment(response.get_data(as_text=True))
            return response
        check_headers(response)
        template = templates[-1] if templates else ""
        seen = (
            shape_of(response.get_data(as_text=True)),
            template,
            response.request.method == "GET" and response.status_code == 200,
        )
        if seen in _pages_seen:
            return response
        page = check_page(response)
        if seen[2] and template:
            self.check_blocks(response, page, template)
        _pages_seen.add(seen)
        return response

    def check_blocks(self, response: TestResponse, page: Element, template: str) -> None:
        """Ask for each block alone; the element of a fragment has the block's name as its id."""
        blocks = self.application.jinja_env.get_template(template).blocks
        for element in list(page.iter()):
            name = element.get("id", "")
            if name not in blocks or (template, name) in _fragments_seen:
                continue
            _fragments_seen.add((template, name))
            headers = {
                "HX-Request": "true",
                "HX-Request-Type": "partial",
                "HX-Target": f"{element.tag}#{name}",
                "Accept-Language": response.request.headers.get("Accept-Language", ""),
            }
            path = response.request.full_path.rstrip("?")
            address = {"REMOTE_ADDR": response.request.environ.get("REMOTE_ADDR", "")}
            fragment = super().open(path, headers=headers, environ_base=address)
            assert fragment.status_code == 200, f"{path} alone as #{name}: {fragment.status}"
            alone = [
                found for found in parse_fragment(fragment.get_data(as_text=True)) if found.get("id") == name
            ]
            assert len(alone) == 1, f"the block {name} of {template} is not one element with its id"
            assert plain(alone[0]) == plain(element), (
                f"{template}: the block {name} alone differs from the page"
            )
            assert "HX-Target" in fragment.vary


def check_page(response: TestResponse) -> Element:
    """Every rule of a page's text; the parsed document."""
    html = response.get_data(as_text=True)
    page = parse(html)
    where = f"{response.request.method} {response.request.path} ({response.status_code})"
    headings = [text_of(heading) for heading in page.iter("h1")]
    assert len(headings) == 1, f"{where}: h1 are {headings}"
    title = text_of(next(page.iter("title")))
    assert title.startswith(headings[0]), f"{where}: the title {title!r} does not start with {headings[0]!r}"
    assert page.get("lang") in ("fr", "en"), f"{where}: no language"
    for landmark in ("header", "main", "footer"):
        assert next(page.iter(landmark), None) is not None, f"{where}: no {landmark}"
    check_elements(page, where)
    return page


def check_headers(response: TestResponse) -> None:
    where = f"{response.request.method} {response.request.path} ({response.status_code})"
    for name, value in HEADERS.items():
        assert response.headers.get(name) == value, f"{where}: {name} is {response.headers.get(name)}"
    policy = {part.strip() for part in response.headers["Content-Security-Policy"].split(";")}
    assert policy >= POLICY, f"{where}: the policy lacks {POLICY - policy}"
    assert "unsafe" not in response.headers["Content-Security-Policy"], where
    assert "Cookie" in response.vary, f"{where}: Vary lacks Cookie"


def check_fragment(html: str) -> None:
    elements = parse_fragment(html)
    assert elements, "an empty fragment"
    for element in elements:
        check_elements(element, "fragment", whole=False)


def check_elements(page: Element, where: str, *, whole: bool = True) -> None:
    ids = Counter(element.get("id") for element in page.iter() if element.get("id") is not None)
    doubled = [name for name, times in ids.items() if times > 1 or not name]
    assert not doubled, f"{where}: doubled or empty ids {doubled}"
    labelled = {label.get("for") for label in page.iter("label")}
    inside_labels = {id(control) for label in page.iter("label") for control in label.iter()}
    for element in page.iter():
        if not isinstance(element.tag, str):
            continue
        for name in element.attrib:
            assert not name.startswith("on") and name != "style", f"{where}: {name}= on <{element.tag}>"
        assert element.tag != "style", f"{where}: <style>"
        assert element.tag != "script" or element.get("src"), f"{where}: an inline script"
        if element.tag in ("input", "select", "textarea") and element.get("type") not in UNLABELLED:
            named = element.get("id") in labelled or id(element) in inside_labels or element.get("aria-label")
            assert named, f"{where}: <{element.tag} name={element.get('name')}> has no label"
        if element.tag in ("a", "button"):
            assert text_of(element) or element.get("aria-label"), f"{where}: an empty <{element.tag}>"
        if element.tag == "img":
            assert element.get("alt") is not None, f"{where}: an image without alt"
        if whole:
            for name in ("aria-describedby", "aria-labelledby", "aria-controls"):
                for target in (element.get(name) or "").split():
                    assert target in ids, f"{where}: {name}={target} leads nowhere"
            if element.tag == "form" and (element.get("method") or "").lower() == "post":
                names = {field.get("name") for field in element.iter("input")}
                assert "csrf_token" in names, f"{where}: a form without its token"


def shape_of(html: str) -> bytes:
    """Equal for two pages of which no rule of a page holds for one alone.

    A sign that should have been escaped makes another shape: it begins a tag, or ends a value.
    """
    shape = WORDS.sub(">words<", VALUES.sub(r' \1="value"', without_tokens(html)))
    titles = [match.group() for match in TITLES.finditer(html)]
    return sha256("".join([shape, *titles]).encode()).digest()


@lru_cache(maxsize=4)
def parse(html: str) -> Element:
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    page = parser.parse(html)
    assert not parser.errors, f"not HTML5: {parser.errors[:3]}"
    return page


def parse_fragment(html: str) -> list[Element]:
    """The elements at the top of a fragment."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    return [element for element in parser.parseFragment(html) if isinstance(element.tag, str)]


def text_of(element: Element) -> str:
    return spaced("".join(element.itertext()))


def spaced(text: str) -> str:
    """Any white space as one space: a date holds spaces that do not break."""
    return " ".join(text.split())


def plain(element: Element) -> str:
    """The element alone as text; white space and the time in a token are not its content."""
    tail, element.tail = element.tail, None
    text = re.sub(r"\s+", " ", tostring(element, encoding="unicode"))
    element.tail = tail
    return without_tokens(text)


def without_tokens(html: str) -> str:
    return TOKEN.sub(r"\1", html)


def links_of(page: Element) -> Iterator[str]:
    for link in page.iter("a"):
        yield link.get("href", "")


def csrf_of(html: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', html)
    assert found, "no form on the page"
    return found.group(1)


def by_testid(page: Element, testid: str) -> list[Element]:
    return [element for element in page.iter() if element.get("data-testid") == testid]


def said_at(html: str, testid: str) -> str:
    """The text of the only element with that mark."""
    [found] = by_testid(parse(html), testid)
    return text_of(found)
