"""Milliseconds from a click on a price to the swapped summary and button, in Chromium."""

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bench.figures import Figure, Ratio
from bench.measures import PORTAL, record
from bench.places import Filled, Visitor, serving
from tests.browser.conftest import QUIET_BROWSER
from tools.setup import chromium

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#plan_action"}
CLICK = """
value => new Promise((resolve, reject) => {
  const began = performance.now();
  const swapped = new MutationObserver(() => { swapped.disconnect(); resolve(performance.now() - began); });
  swapped.observe(document.body, { childList: true, characterData: true, subtree: true });
  setTimeout(() => reject(new Error("nothing was swapped")), 5000);
  document.querySelector(`input[name=price][value="${value}"]`).click();
})
"""


def swap(place: Filled, *, clicks: int, rounds: int) -> Iterator[Figure]:
    """Portal's plans page beside the same page and fragments answered from memory, turn by turn."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET_BROWSER))
        with serving(PORTAL, place.environment, ready="/sign-in") as server:
            page = browser.new_page(base_url=server.address, locale="en-GB")
            page.goto("/sign-in")
            page.fill("input[name=email]", place.owner)
            page.fill("input[name=password]", place.password)
            page.click("[data-testid=sign-in]")
            page.goto(place.page("plans"))
            values = page.locator("input[name=price]").evaluate_all("all => all.map(each => each.value)")[:2]
            visitor = Visitor(server.address)
            visitor.sign_in(place)
            environment = record(Path(folder), list(_recorded(place, visitor, page, values)))
            with serving("bench.bare:recordings()", environment, ready=place.page("plans")) as bare:
                bare_page = browser.new_page(base_url=bare.address, locale="en-GB")
                bare_page.goto(place.page("plans"))
                ours, floor = [], []
                for _ in range(rounds):
                    own_ms, bare_ms = _medians_ms([page, bare_page], values, clicks)
                    ours.append(own_ms)
                    floor.append(bare_ms)
        browser.close()
    ratio = Ratio.of(ours, floor)
    more = {"ms": round(statistics.median(ours), 1), "bare_ms": round(statistics.median(floor), 1)}
    yield Figure(
        "click to swap / bare htmx swap",
        ratio.value,
        "×",
        ("<=", 1.5),
        place.engine,
        place.size,
        spread=ratio.spread,
        more=more,
    )


def _recorded(
    place: Filled, visitor: Visitor, page: Page, values: list[str]
) -> Iterator[tuple[str, bytes, object]]:
    """The page, the fragment of each of the two prices, and the files that the page loads."""
    path = place.page("plans")
    currency = page.locator("[name=currency]").first.input_value()
    answer = visitor.get(f"{path}?lang=en")
    yield path, answer.read(), answer.headers
    for value in values:
        answer = visitor.get(f"{path}?currency={currency}&price={value}", HTMX)
        yield f"{path} {value}", answer.read(), answer.headers
    for link in page.locator("link[rel=stylesheet], script[src]").evaluate_all(
        "all => all.map(e => e.href || e.src)"
    ):
        file = "/" + link.partition("://")[2].partition("/")[2]
        answer = visitor.get(file)
        yield file.partition("?")[0], answer.read(), answer.headers


def _medians_ms(pages: list[Page], values: list[str], clicks: int) -> list[float]:
    """Of each page, clicked in turn, so that what else the machine does slows all of them down."""
    took = [
        [page.evaluate(CLICK, values[place % len(values)]) for page in pages] for place in range(clicks + 4)
    ]
    # The first ones warm up every side.
    return [statistics.median(of_page) for of_page in zip(*took[4:], strict=True)]
