"""Every address that writes asks for the token of the session that sends the form, before anything else runs.

The addresses are those of the application itself: one that is added tomorrow is asked too.
"""

from functools import wraps

import pytest
from flask import Response

from portal.web.security import UNSAFE_METHODS
from tests.attackers import PART, Attacker, encoded
from tests.factories import a_person, a_workspace, owner_of
from tests.matrix import share
from tests.visiting import facts

pytestmark = [pytest.mark.engine("sqlite"), pytest.mark.settings(PORTAL_LIMITS="1000000")]

EXEMPT = {"public.csp_report"}
"""Browsers send reports by themselves; what is in one is counted, and nothing else."""
SITES = {"http": "http://localhost", "https": "https://billing.example"}
REACHED = "X-Reached"
A_VALUE = {"IntegerConverter": 1, "AddressPart": "acme"}


@pytest.fixture
def writes(app):
    """Every address that writes, as (endpoint, method, path); its view only says that it was reached."""
    adapter, found = app.url_map.bind(""), []
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods & set(UNSAFE_METHODS)):
            values = {name: A_VALUE[type(rule._converters[name]).__name__] for name in rule.arguments}
            found.append((rule.endpoint, method, adapter.build(rule.endpoint, values, method=method)))
    for endpoint, _method, _path in found:
        app.view_functions[endpoint] = only_says_so(app.view_functions[endpoint])
    assert len(found) > 40
    return found


def only_says_so(view):
    @wraps(view)
    def reached(**values):
        return Response(headers={REACHED: "yes"})

    return reached


@pytest.fixture
def people(app):
    with facts(app):
        return {
            "owner": owner_of(a_workspace()),
            "operator": a_person("staff@vendor.test", operator=True),
            "somebody else": a_person("else@acme.test"),
        }


def reached_by(browser, writes, *, site, fields, **options):
    """The endpoints that took this form."""
    headers = {"Origin": site, "Referer": f"{site}/", **options.pop("headers", {})}
    return {
        endpoint
        for endpoint, method, path in writes
        if browser.ask(
            method, path, base_url=site, data=encoded(fields), headers=headers, **options
        ).headers.get(REACHED)
    }


def token_of(browser, *, site):
    browser.known_token = ""
    page = browser.get("/terms", base_url=site).text.replace("&#34;", '"')
    return page.partition('X-CSRFToken": "')[2].partition('"')[0]


def a_browser(app, person, *, site):
    """With a session on that site: over https the cookie has the prefix that ties it to the host."""
    with facts(app):
        browser = Attacker(app, person)
    if person is not None and site == SITES["https"]:
        token = browser.client.get_cookie("session").value
        browser.client.set_cookie("__Host-session", token, domain="billing.example", secure=True)
    return browser


def ask_everything(app, writes, people, *, site):
    """What each kind of browser reached with each kind of token that is not its own."""
    strangers = (a_browser(app, people["somebody else"], site=site), a_browser(app, None, site=site))
    foreign = [token_of(stranger, site=site) for stranger in strangers]
    assert all(foreign)
    holes = {}
    for who in ("visitor", "owner", "operator"):
        browser = a_browser(app, people.get(who), site=site)
        assert browser.get("/me/orders", base_url=site).status_code == (303 if who == "visitor" else 200)
        own = token_of(browser, site=site)
        for token in ["", own[:-1], *foreign]:
            in_form = reached_by(browser, writes, site=site, fields={"csrf_token": token})
            in_header = {**PART, "X-CSRFToken": token}
            in_part = reached_by(browser, writes, site=site, fields={}, headers=in_header)
            holes[who, token] = (in_form | in_part) - EXEMPT
        # The same browser with its own token comes through everywhere: it is the token that was missing.
        assert reached_by(browser, writes, site=site, fields={"csrf_token": own}) == {
            endpoint for endpoint, _method, _path in writes
        }
    return {asked: reached for asked, reached in holes.items() if reached}


def test_over_http_no_write_is_taken_without_the_token_of_its_own_session(app, writes, people):
    assert ask_everything(app, writes, people, site=SITES["http"]) == {}


@pytest.mark.settings(PORTAL_BASE_URL=SITES["https"])
def test_over_https_no_write_is_taken_without_the_token_of_its_own_session(app, writes, people):
    """Some of the addresses: which one is asked makes no difference to what https adds."""
    assert ask_everything(app, share(writes, 0, shares=5), people, site=SITES["https"]) == {}


def test_only_what_is_written_down_here_is_exempt(app, writes):
    visitor = Attacker(app)
    assert reached_by(visitor, writes, site=SITES["http"], fields={}) == EXEMPT
