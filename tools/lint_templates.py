"""What no template may hold: anything our Content-Security-Policy blocks, and habits of htmx 2.

    python -m tools.lint_templates [FILE …]

Rules and their reasons: docs/adr/0005, and the migration notes that htmx 4 ships.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parent.parent / "portal" / "templates"
# Mails carry a style sheet that is made inline when they are sent; no policy applies to them.
MAIL_FOLDER = "email"

JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)

POLICY_RULES = {
    r"<style\b": "put it into a style sheet: <style> is blocked",
    r"\sstyle\s*=": "use a class or a data attribute: style= is blocked",
    r"<script\b(?![^>]*\ssrc\s*=)": "put it into a file: a script without src is blocked",
}
RULES = {
    r"<[^>]*\son[a-z]+\s*=": "use an event listener in our script file: on…= is blocked",
    r"\shx-on\b": "use an event listener in our script file: hx-on is evaluated, so blocked",
    r"\b(?:js|javascript):": "values are not evaluated: js: and javascript: are blocked",
    r"\shx-trigger(?::\w+)*\s*=\s*(\"[^\"]*\[|'[^']*\[)": "a trigger filter in […] is evaluated, so blocked",
    r"\s(?:hx-(?:get|post|put|patch|delete)|action)\s*=\s*[\"']https?:": "use a relative URL",
    r"\shx-(?:vars|params|prompt|ext|disinherit|inherit|request|history|history-elt)\s*=": "gone from htmx 4",
    r"\shx-disabled-elt\s*=": "htmx 4 calls it hx-disable",
    r"\shx-delete\s*=": "htmx 4 sends no form with it, so no CSRF token: use hx-post",
    r"\s(?:sse|ws)-(?:connect|swap|close|send)\s*=": "gone from htmx 4",
    r"\b(?:show|scroll):[^:\s\"']+:(?:top|bottom)": "htmx 4 writes show:top showTarget:#id",
    r"\bhtmx:[a-z]+[A-Z]\w*": "htmx 4 names events htmx:after:swap, not htmx:afterSwap",
}
JINJA_RULES = {
    r"\|\s*safe\b": "escape it, or make Markup where it is built",
    r"\{%-?\s*autoescape\s+false": "escaping stays on",
    r"\bif\s+htmx\b": "render() decides between page and fragment",
}


def faults(path: Path) -> Iterator[tuple[int, str]]:
    """Each line number, from 1, and what is wrong there."""
    text = path.read_text(encoding="utf-8")
    without_comments = re.sub(r"\{#.*?#\}", _blank, text, flags=re.DOTALL)
    html = JINJA.sub(_blank, text)
    rules = RULES if MAIL_FOLDER in path.parts else POLICY_RULES | RULES
    for pattern, advice in rules.items():
        for match in re.finditer(pattern, html):
            yield _line(html, match.end() - 1), advice
    for pattern, advice in JINJA_RULES.items():
        for match in re.finditer(pattern, without_comments):
            yield _line(text, match.start()), advice


def _blank(match: re.Match[str]) -> str:
    """The same number of lines and no words, so that attributes built by Jinja are not read as ours."""
    return re.sub(r"[^\n]", "_", match.group())


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def main(arguments: list[str]) -> int:
    paths = [Path(name) for name in arguments] or sorted(TEMPLATES.rglob("*.html"))
    found = 0
    for path in paths:
        for line, advice in sorted(faults(path)):
            print(f"{path}:{line}: {advice}")
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
