"""What a first visit costs: requests, bytes as they travel, scripts (performance.md)."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.steps import come_signed_in, heading
from tests.browser.watch import known_scripts

MOST_REQUESTS = 6
MOST_BYTES = 60_000
MOST_SCRIPT_BYTES = 18_000


@pytest.mark.parametrize("path", ["/", "/pricing", "/sign-in", "/w/acme/plans"])
def test_a_first_visit_is_small(page: Page, acme, owner, watch, path):
    if path.startswith("/w/"):
        come_signed_in(page, owner)
    answers: list[Response] = []
    page.on("response", lambda response: answers.append(response))
    page.goto(path, wait_until="networkidle")
    expect(heading(page)).to_be_visible()
    travelled = {response.url: response.request.sizes()["responseBodySize"] for response in answers}
    scripts = {url: size for url, size in travelled.items() if urlsplit(url).path in known_scripts()}
    assert len(travelled) <= MOST_REQUESTS, travelled
    assert sum(travelled.values()) <= MOST_BYTES, travelled
    assert sum(scripts.values()) <= MOST_SCRIPT_BYTES, scripts
    assert watch.scripts() == known_scripts()
