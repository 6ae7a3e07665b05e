"""What nobody sees on a page: its console, its requests, its scripts. And what axe sees."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Request, Route

from portal.models import CspReport
from portal.worker import jobs
from tests.browser.reader import Reader

STATIC = Path(__file__).resolve().parents[2] / "static"
# Chromium says this of each 4xx page, which is what some tests ask for; a 5xx is never expected.
EXPECTED_ON_A_CONSOLE = re.compile(
    r"Failed to load resource: the server responded with a status of 4\d\d "
    r"|Autofocus processing was blocked"
)
NARROWEST = 320
TALL = 3000
EDGES = """() => ["body > header", ".workspace-tabs", ".workspace-tabs ul:last-child", "main", ".site-footer"]
  .map((part) => document.querySelector(part).getBoundingClientRect())
  .map((box) => [Math.round(box.top), Math.round(box.bottom)])"""
TOO_WIDE = """() => {
  const root = document.documentElement, width = root.clientWidth;
  if (root.scrollWidth <= width) return null;
  const parts = [...document.querySelectorAll("body *")]
    .filter((part) => part.getBoundingClientRect().right > width && !part.closest(".visually-hidden"))
    .map((part) => `<${part.localName} class="${part.className}">`);
  return `${root.scrollWidth} px: ${parts.slice(0, 5).join(" | ")}`;
}"""


class Watch:
    """Everything that the browsers of one test said and asked for."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.said: list[str] = []
        self.asked: list[Request] = []

    def over(self, context: BrowserContext) -> BrowserContext:
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.said.append(f"uncaught: {error.error}"))
        context.on("request", lambda request: self.asked.append(request))
        return context

    def _hear(self, message: ConsoleMessage) -> None:
        suspicious = message.type in ("error", "warning") or "Content Security Policy" in message.text
        if suspicious and not EXPECTED_ON_A_CONSOLE.match(message.text):
            self.said.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def assert_nothing_wrong(self) -> None:
        assert not self.said, f"on the console: {self.said}"
        strangers = {
            request.url
            for request in self.asked
            if not request.url.startswith((f"{self.address}/", "data:", "about:"))
        }
        assert not strangers, f"pages asked other places: {strangers}"
        unknown = self.scripts() - known_scripts()
        assert not unknown, f"scripts that are not in the inventory: {unknown}"
        with jobs.at_work():
            reports = [f"{row.directive} {row.blocked} on {row.page}" for row in CspReport.select()]
        assert not reports, f"the browser reported {reports}"

    def scripts(self) -> set[str]:
        """The paths of the scripts that pages loaded."""
        return {urlsplit(request.url).path for request in self.asked if request.resource_type == "script"}


def known_scripts() -> set[str]:
    """The inventory: our one script, and what static/vendor.json lists."""
    vendored = [entry["file"] for entry in json.loads((STATIC / "vendor.json").read_text())]
    return {f"/static/{name}" for name in ("js/portal.js", *vendored)}


# Text that has the very colour of what is behind it axe leaves undecided, as if it were hidden on purpose.
VIOLATIONS = """() => axe.run(document, {
  resultTypes: ["violations", "incomplete"], preload: false
}).then(found => {
  const unseen = found.incomplete.map(rule => ({...rule, nodes: rule.nodes.filter(
    node => node.any.some(check => check.data && check.data.messageKey === "equalRatio"))}));
  return [...found.violations, ...unseen.filter(rule => rule.nodes.length)];
})"""


def assert_accessible(page: Page) -> None:
    """Axe finds nothing on the page as it is shown now. Scripts must be on."""
    found = while_it_stands_still(page, _violations)
    faults = [
        f"{violation['id']}: {violation['help']} {[node['target'] for node in violation['nodes']][:5]}"
        for violation in found
    ]
    assert not faults, f"{page.url}: {faults}"


def _violations(page: Page) -> Any:
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return page.evaluate(VIOLATIONS)


def while_it_stands_still(page: Page, look: Callable[[Page], Any]) -> Any:
    """What `look` sees. Where a page refreshes itself, its requests wait meanwhile, and it stays.

    A refresh that was under way may still take the page from under the first look, never from the second.
    """
    waiting: list[Route] = []

    def hold_back(route: Route, request: Request) -> None:
        if request.is_navigation_request() or "hx-request" in request.headers:
            waiting.append(route)
        else:
            route.continue_()

    page.route("**/*", hold_back)
    try:
        try:
            return look(page)
        except Error as gone:
            if "context was destroyed" not in gone.message:
                raise
            page.wait_for_load_state()
            return look(page)
    finally:
        for route in waiting:
            route.continue_()
        page.unroute("**/*", hold_back)


def assert_fits_the_narrowest_screen(page: Page) -> None:
    """No sideways scrolling at 320 px (WCAG 1.4.10)."""
    page.set_viewport_size({"width": NARROWEST, "height": 740})
    too_wide = while_it_stands_still(page, lambda page: page.evaluate(TOO_WIDE))
    assert too_wide is None, f"{page.url} does not fit {NARROWEST} px: {too_wide}"


def assert_nothing_is_stretched(page: Page, reader: Reader) -> None:
    """In a window taller than the page: the content follows the tabs, and the footer ends the window."""
    page.set_viewport_size({**reader.context_options["viewport"], "height": TALL})
    header, tabs, last_row, main, footer = page.evaluate(EDGES)
    assert (header[1], tabs[1], main[1]) == (tabs[0], main[0], footer[0])
    assert tabs[1] - last_row[1] <= 1
    assert footer[1] == TALL
    page.set_viewport_size(reader.context_options["viewport"])


def assert_looks_right(page: Page, reader: Reader) -> None:
    """As it is shown now: nothing for axe, which needs scripts, and nothing too wide at 320 px."""
    if reader.scripts:
        assert_accessible(page)
    assert_fits_the_narrowest_screen(page)
    page.set_viewport_size(reader.context_options["viewport"])
