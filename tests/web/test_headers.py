"""The headers of every kind of answer, to the letter of trust.md §5.1, and whom the site answers at all."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from portal.models import Document, Invoice, Session, Workspace
from portal.runtime import current
from tests.attackers import PART, Attacker, an_order_of, bought, encoded
from tests.factories import PASSWORD, a_workspace, owner_of
from tests.visiting import facts

ROOT = Path(__file__).resolve().parents[2]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; frame-src 'none'; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; "
)
REPORTS = "report-uri /csp-report; report-to csp"
EVERYWHERE = {
    "Content-Security-Policy": POLICY + REPORTS,
    "Reporting-Endpoints": 'csp="/csp-report"',
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "camera=(), microphone=(), geolocation=(), payment=(), usb=(), "
        "publickey-credentials-get=(self), publickey-credentials-create=(self)"
    ),
    "Cache-Control": "no-store",
}
HTML = "text/html; charset=utf-8"
OF_A_PART = {"Cookie", "HX-Request", "HX-Request-Type", "HX-Target"}
HTTPS = {"PORTAL_BASE_URL": "https://billing.example"}
SITE = "https://billing.example"
OVER_HTTPS = {"Sec-Fetch-Site": "none"}
"""Which a browser says over https alone."""

pytestmark = pytest.mark.engine("sqlite")


@pytest.fixture
def owner(app) -> Attacker:
    with facts(app):
        return Attacker(app, owner_of(a_workspace()))


def differences(response, **changed: str | None) -> dict[str, object]:
    """Every header of the table that is not as it says; None for one that must be absent."""
    expected = {**EVERYWHERE, **{name.replace("_", "-"): value for name, value in changed.items()}}
    return {
        name: response.headers.getlist(name)
        for name, value in expected.items()
        if response.headers.getlist(name) != ([] if value is None else [value])
    }


# --- kinds of answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/terms", "/pricing", "/sign-in", "/w/acme/plans", "/w/acme/history", "/me", "/sandbox/"]
)
def test_a_page(app, owner, path) -> None:
    response = (Attacker(app) if path == "/sign-in" else owner).get(path)
    assert response.status_code == 200
    assert differences(response, Content_Type=HTML, Strict_Transport_Security=None) == {}
    assert set(response.vary) >= OF_A_PART


def test_a_part_of_a_page(owner) -> None:
    response = owner.get("/w/acme/plans", headers={**PART, "HX-Target": "form#plan_form"})
    assert not response.text.startswith("<!doctype")
    assert differences(response, Content_Type=HTML) == {}
    assert set(response.vary) >= OF_A_PART


def test_a_redirect(app, owner) -> None:
    for response in (owner.get("/w/acme/"), Attacker(app).get("/me"), owner.get("/w/acme")):
        assert response.status_code in (303, 308)
        assert differences(response) == {}


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nothing", 404), ("/w/zenith/plans", 404), ("/w/acme/plans/", 404), ("/sign-out", 405)],
)
def test_an_error_page(owner, path, status) -> None:
    response = owner.get(path)
    assert response.status_code == status
    assert differences(response, Content_Type=HTML) == {}
    assert set(response.allow) == ({"POST", "OPTIONS"} if status == 405 else set())
    assert "Cookie" in response.vary


@pytest.mark.faults_expected
def test_the_page_of_a_fault_says_a_number_and_nothing_else(app, owner, monkeypatch) -> None:
    def breaks() -> None:
        raise ZeroDivisionError("the secret of line 7")

    app.testing = False
    monkeypatch.setitem(app.view_functions, "public.terms", breaks)
    page = owner.get("/terms")
    part = owner.get("/terms", headers={**PART, "HX-Target": "main"})
    for response in (page, part):
        assert response.status_code == 500
        assert differences(response, Content_Type=HTML) == {}
        assert "secret" not in response.text
        assert "ZeroDivision" not in response.text
        assert "Traceback" not in response.text
    assert part.headers["HX-Retarget"] == "#refusal"
    assert "<html" not in part.text


def test_json(owner) -> None:
    response = owner.get("/healthz")
    assert differences(response, Content_Type="application/json") == {}


def test_a_document(app, owner) -> None:
    """No script, no form, no frame; never shown inside the site; not kept by anybody on the way."""
    with facts(app):
        bought(Workspace.get())
        invoice = Invoice.get()
    number = invoice.number
    preparing = owner.get(f"/w/acme/invoices/{number}.pdf")
    assert (preparing.status_code, preparing.headers["Refresh"]) == (202, "2")
    with facts(app):
        for locale in current().settings.locales:
            Document.create(
                invoice=invoice, locale=locale, content=b"%PDF", sha256="", created_at=current().clock.wall()
            )
    document = owner.get(f"/w/acme/invoices/{number}.pdf")
    assert (
        differences(
            document,
            Content_Type="application/pdf",
            Content_Security_Policy="sandbox; default-src 'none'",
            Content_Disposition=f'attachment; filename="{number}.pdf"',
        )
        == {}
    )
    assert "Cookie" in document.vary


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/static/portal.css", "text/css; charset=utf-8"),
        ("/static/js/portal.js", "text/javascript; charset=utf-8"),
        ("/static/vendor/htmx.min.js", "text/javascript; charset=utf-8"),
    ],
)
def test_a_static_file_is_the_same_for_everybody(app, owner, path, kind) -> None:
    response = owner.get(path)
    kept = "public, max-age=31536000, immutable"
    assert differences(response, Content_Type=kind, Cache_Control=kept, Set_Cookie=None) == {}
    assert set(response.vary) == {"Accept-Encoding"}
    assert owner.get("/static/nothing.css").status_code == 404
    assert owner.get("/static/../portal/settings.py").status_code == 404
    assert owner.get("/me").status_code == 200, "a static file that is missing ends no session"


def test_signing_out_clears_the_browser(owner) -> None:
    response = owner.post("/sign-out")
    assert response.headers["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert differences(response) == {}


def test_nothing_tells_what_serves(owner) -> None:
    for path in ("/terms", "/nothing", "/healthz"):
        assert not {"X-Powered-By", "X-AspNet-Version", "Via"} & set(owner.get(path).headers.keys())


# --- https ----------------------------------------------------------------------------------------


@pytest.mark.settings(**HTTPS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_over_https_the_browser_is_told_to_stay_there(app, scheme) -> None:
    """Also behind a proxy that does not say how it was asked."""
    visitor = Attacker(app)
    response = visitor.get("/terms", base_url=f"{scheme}://billing.example", headers=OVER_HTTPS)
    assert (
        differences(
            response,
            Strict_Transport_Security="max-age=63072000; includeSubDomains",
            Content_Security_Policy=POLICY + "upgrade-insecure-requests; " + REPORTS,
        )
        == {}
    )
    name, _, flags = response.headers["Set-Cookie"].partition("=")
    assert name == "__Host-session"
    assert set(flags.split("; ")[1:]) == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}


def test_over_http_on_ones_own_machine_the_cookie_has_no_prefix(app) -> None:
    response = Attacker(app).get("/terms")
    name, _, flags = response.headers["Set-Cookie"].partition("=")
    assert name == "session"
    assert set(flags.split("; ")[1:]) == {"HttpOnly", "Path=/", "SameSite=Lax"}


# --- which hosts ----------------------------------------------------------------------------------


def test_on_ones_own_machine_any_name_and_port_of_it_will_do(app) -> None:
    for host in ("127.0.0.1", "127.0.0.1:5555", "localhost:8000", "localhost", "[::1]:8000"):
        assert Attacker(app).get("/terms", headers={"Host": host}).status_code == 200, host


FOREIGN = [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost:80@evil.example",
    "evil.example:localhost",
    "billing.example.evil.example",
    "billing.example:81",
    "billing.example.",
    "0.0.0.0",
    "169.254.169.254",
    "[::ffff:127.0.0.1]",
    "2130706433",
    "a b",
    "\xff",
    "billing.example\tx",
]


def test_a_foreign_host_is_refused(app) -> None:
    for host in FOREIGN:
        for path in ("/terms", "/nothing", "/sign-in", "/w/acme/plans"):
            response = Attacker(app).get(path, headers={"Host": host})
            assert response.status_code == 400, host
            assert "evil.example" not in response.text


@pytest.mark.settings(**HTTPS)
def test_on_a_public_site_only_its_own_name_will_do(app) -> None:
    for host in [*FOREIGN, "localhost", "127.0.0.1"]:
        assert Attacker(app).get("/terms", headers={"Host": host}).status_code == 400, host
    for host in ("billing.example", "Billing.Example"):
        assert Attacker(app).get("/terms", headers={"Host": host, **OVER_HTTPS}).status_code == 200, host


@pytest.mark.settings(**HTTPS)
def test_a_page_asked_for_in_the_clear_leads_to_the_same_page_over_https(app) -> None:
    for path in (
        "/terms",
        "/sign-in?next=/me%0d%0aX:%20y",
        "/nothing/%C3%A9",
        "/w/acme/plans?a=1&b=%26",
    ):
        answer = Attacker(app).get(path, base_url="http://billing.example")
        assert answer.status_code == 308, path
        assert answer.headers["Location"] == SITE + path
    for path in ("/healthz", "/readyz"):
        assert Attacker(app).get(path, base_url="http://10.0.0.2:8000").status_code in (200, 503), path
    assert Attacker(app).get("/terms", base_url="http://evil.example").status_code == 400


@pytest.mark.settings(PORTAL_TRUSTED_PROXIES="1", **HTTPS)
def test_behind_a_proxy_its_word_of_https_decides(app) -> None:
    clear = {"X-Forwarded-Proto": "http", "Host": "billing.example"}
    assert Attacker(app).get("/terms", headers=clear).headers["Location"] == f"{SITE}/terms"
    assert Attacker(app).get("/terms", headers={**clear, "X-Forwarded-Proto": "https"}).status_code == 200


@pytest.mark.settings(**HTTPS)
def test_behind_a_proxy_that_is_not_trusted_no_page_leads_in_a_circle(app) -> None:
    """Browsers send Sec-Fetch-Site over https alone; what the proxy says can only keep us from leading."""
    for headers in (OVER_HTTPS, {"X-Forwarded-Proto": "https"}):
        assert (
            Attacker(app).get("/terms", base_url="http://billing.example", headers=headers).status_code == 200
        )


@pytest.mark.settings(PORTAL_BASE_URL="HTTPS://Billing.Example:443/")
def test_a_base_url_is_answered_however_it_was_written(app) -> None:
    assert Attacker(app).get("/terms", base_url=SITE).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-Port": "444"},
        {"X-Forwarded-Prefix": "/evil", "X-Script-Name": "/evil"},
        {"X-Original-URL": "/operator/", "X-Rewrite-URL": "/operator/"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"Forwarded": "for=10.0.0.1;host=evil.example;proto=https"},
    ],
)
def test_without_a_proxy_its_headers_count_for_nothing(app, owner, headers) -> None:
    plain, forged = owner.get("/w/acme/plans"), owner.get("/w/acme/plans", headers=headers)
    assert forged.status_code == 200
    assert "evil" not in forged.text
    assert len(forged.text) == len(plain.text)
    assert owner.get("/w/acme", headers=headers).headers["Location"].endswith("/w/acme/")
    assert "evil" not in owner.get("/w/acme", headers=headers).headers["Location"]


# --- which address the browser has ----------------------------------------------------------------


def address_of_a_session(app, headers) -> str:
    visitor = Attacker(app, address="10.0.0.9")
    with facts(app):
        email = owner_of(a_workspace()).email
    answer = visitor.post("/sign-in", {"email": email, "password": PASSWORD}, headers=headers)
    assert answer.status_code == 303
    with facts(app):
        return Session.get().ip_address


FORGED = {"X-Forwarded-For": "203.0.113.7, 198.51.100.4", "X-Real-IP": "203.0.113.7"}


def test_without_a_proxy_the_address_is_the_peers(app) -> None:
    assert address_of_a_session(app, FORGED) == "10.0.0.9"


@pytest.mark.settings(PORTAL_TRUSTED_PROXIES="1")
def test_behind_one_proxy_the_address_is_what_that_one_saw(app) -> None:
    """What stands before it in the header, the visitor wrote."""
    assert address_of_a_session(app, FORGED) == "198.51.100.4"


@pytest.mark.settings(PORTAL_TRUSTED_PROXIES="2")
def test_behind_two_proxies_the_address_is_what_the_outer_one_saw(app) -> None:
    assert address_of_a_session(app, FORGED) == "203.0.113.7"


@pytest.mark.settings(PORTAL_TRUSTED_PROXIES="1", **HTTPS)
def test_behind_a_proxy_its_host_is_checked_too(app) -> None:
    own = {"X-Forwarded-Host": "billing.example", "X-Forwarded-Proto": "https"}
    assert Attacker(app).get("/terms", headers={**own, "Host": "10.0.0.2:8000"}).status_code == 200
    foreign = {**own, "X-Forwarded-Host": "evil.example"}
    assert Attacker(app).get("/terms", headers=foreign, base_url=SITE).status_code == 400


# --- writes from elsewhere ------------------------------------------------------------------------


def test_a_write_from_another_site_is_refused(app, owner) -> None:
    """With a true token, that is: the second line behind it."""
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost:9999"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ):
        refused = owner.post("/me/buy-dialog", {"skip_dialog": "y"}, headers=headers)
        assert refused.status_code == 403, headers
    with facts(app):
        assert not owner_of(Workspace.get()).skips_buy_dialog


def test_a_write_from_this_site_is_not(owner) -> None:
    own = {"Origin": "http://localhost"}
    for headers in ({}, own, own | {"Sec-Fetch-Site": "same-origin"}):
        assert owner.post("/me/buy-dialog", {"skip_dialog": "y"}, headers=headers).status_code == 204


@pytest.mark.settings(**HTTPS)
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://billing.example", 422),
        ("http://billing.example", 403),
        ("https://billing.example:444", 403),
        ("https://evil.billing.example", 403),
        ("null", 403),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_on_a_public_site_the_origin_is_its_own_address(app, scheme, origin, status) -> None:
    """Whatever the proxy says of https, and without a Referer, which some browsers never send."""
    visitor = an_https_visitor(app, scheme)
    answer = visitor.post("/sign-in", {}, headers={"Origin": origin}, base_url=f"{scheme}://billing.example")
    assert answer.status_code == status
    assert ("n’a pas été envoyé depuis une page de ce site" in answer.text) == (status == 403)


def an_https_visitor(app, scheme: str = "https") -> Attacker:
    visitor = Attacker(app)
    page = visitor.get("/terms", base_url=f"{scheme}://billing.example", headers=OVER_HTTPS)
    visitor.known_token = page.text.partition('X-CSRFToken": "')[2].partition('"')[0]
    return visitor


@pytest.mark.settings(**HTTPS)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 422),
        ({"Sec-Fetch-Site": "same-origin"}, 422),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "nonsense"}, 403),
        ({"Referer": f"{SITE}/sign-in"}, 422),
        ({"Referer": "https://evil.example/"}, 403),
        ({"Referer": "https://billing.example.evil.example/"}, 403),
        ({"Referer": "http://billing.example/"}, 403),
        ({"Referer": "https://[billing"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Referer": "https://evil.example/"}, 422),
    ],
)
def test_without_an_origin_the_next_best_witness_decides(app, headers, status) -> None:
    assert an_https_visitor(app).post("/sign-in", {}, headers=headers, base_url=SITE).status_code == status


@pytest.mark.settings(**HTTPS)
def test_one_signs_in_over_https_without_a_referer(app) -> None:
    with facts(app):
        email = owner_of(a_workspace()).email
    fields = {"email": email, "password": PASSWORD}
    answer = an_https_visitor(app).post("/sign-in", fields, headers={"Origin": SITE}, base_url=SITE)
    assert answer.status_code == 303


@pytest.mark.settings(**HTTPS)
def test_a_form_without_a_cookie_is_told_so(app) -> None:
    visitor = an_https_visitor(app)
    for path in ("/sign-in", "/sign-up"):
        with_one = visitor.ask("POST", path, data="csrf_token=old", base_url=SITE)
        assert "aucun cookie" not in with_one.text and "ouverte depuis trop longtemps" in with_one.text
        without = Attacker(app).ask("POST", path, data="csrf_token=old", base_url=SITE)
        assert "n’a joint aucun cookie au formulaire" in without.text


# --- CSRF -----------------------------------------------------------------------------------------

WRITES = [
    "/me",
    "/me/password",
    "/me/buy-dialog",
    "/me/sessions/end",
    "/w/acme/plans",
    "/w/acme/members",
    "/w/acme/members/users",
    "/w/acme/members/1/hand-over",
    "/w/acme/services",
    "/w/acme/settings",
    "/w/acme/checkout/x/review",
    "/w/acme/checkout/x/leave",
    "/sandbox/3ds/x",
    "/sandbox/paypal/x",
    "/operator/workspaces/acme",
]
TOKENS = ["", "x", "\x00", "\ud800", "x" * 10_000, "a.b.c", "IjEyMyI.aaaa.bbbb", ["", "x"]]


def test_without_its_token_a_form_is_refused(app, owner) -> None:
    with facts(app):
        other = Attacker(app)
    tokens = [*TOKENS, other.token]
    for path in WRITES:
        for token in tokens:
            answer = owner.ask("POST", path, data=encoded({"csrf_token": token}))
            assert answer.status_code == 400, (path, token)
        as_json = {"data": '{"csrf_token": "x"}', "content_type": "application/json"}
        for options in ({}, {"headers": {"X-CSRFToken": "x"}}, as_json):
            assert owner.ask("POST", path, **options).status_code == 400, (path, options)


def test_after_the_session_is_over_a_form_leads_to_the_sign_in_page(app, owner) -> None:
    back = {"Referer": "http://localhost/w/acme/plans?currency=EUR"}
    fields = {"csrf_token": owner.token}
    with facts(app):
        Session.delete().execute()
    for path in WRITES:
        if path.startswith("/sandbox"):
            continue
        page = owner.post(path, fields, headers=back)
        assert page.status_code == 303, path
        assert page.headers["Location"] == "/sign-in?next=/w/acme/plans?currency%3DEUR"
        part = owner.post(path, fields, headers={**PART, **back})
        assert (part.status_code, part.data) == (401, b""), path
        assert part.headers["HX-Redirect"] == page.headers["Location"]


def test_the_way_in_explains_a_token_that_is_over(app) -> None:
    for path in ("/sign-in", "/sign-up", "/sign-in/link", "/reset", "/sign-out", "/reset/token"):
        answer = Attacker(app).ask("POST", path, data="csrf_token=x&email=jeanne@acme.test")
        assert answer.status_code in (303, 422), path


def test_who_is_still_signed_in_is_not_told_otherwise(owner) -> None:
    """Signing out with the token of an older session does nothing; the page says so."""
    answer = owner.ask("POST", "/sign-out", data="csrf_token=old")
    assert "signed-out" not in answer.headers.get("Location", "")
    assert owner.get("/me").status_code == 200


def test_tokens_of_one_session_differ_from_second_to_second(owner) -> None:
    """Of a compressed page that repeats what was asked, one could guess a text that never changes letter by
    letter (BREACH). The signature is another one a second later, and a token is worth nothing without it."""
    first = owner.token
    owner.known_token = ""
    time.sleep(1.1)
    second = owner.token
    assert first.rpartition(".")[2] != second.rpartition(".")[2]


# --- who else reads them --------------------------------------------------------------------------


ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "http:///evil.example",
    "https://evil.example",
    "http://localhost@evil.example/",
    "http://localhost.evil.example/",
    "http://localhost//evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/%09/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "evil.example",
    "?next=//evil.example",
    "/x\r\nSet-Cookie: a=b",
    "/\u2028",
    "/\x00",
    "/é",
    "",
    "x" * 100_000,
]


def test_signing_in_leads_nowhere_else(app) -> None:
    with facts(app):
        a_workspace()
    fields = {"email": "owner@acme.test", "password": PASSWORD}
    for target in ELSEWHERE:
        visitor = Attacker(app)
        page = visitor.get("/sign-in", query_string={"next": target})
        assert page.status_code == 200
        if len(target) > 2:
            assert target not in page.text.partition("<main")[2]
        answer = visitor.post("/sign-in", fields, query_string={"next": target})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/"), target


def test_the_way_back_after_signing_in_stays_here(app) -> None:
    visitor = Attacker(app)
    for referrer in ("https://evil.example/w/", "http://localhost.evil.example/", "//evil.example/"):
        answer = visitor.post("/me/buy-dialog", headers={"Referer": referrer})
        assert answer.headers["Location"] == "/sign-in"


def test_a_payment_returns_to_this_site_whatever_host_asked(app, owner) -> None:
    with facts(app):
        order = an_order_of(owner_of(Workspace.get()), Workspace.get(), "business-5")
    evil = {"X-Forwarded-Host": "evil.example"}
    review = f"/w/acme/checkout/{order.number}/review"
    card = {
        "number": "4000002500003155",
        "exp_month": "12",
        "exp_year": "2030",
        "security_code": "123",
        "holder": "J",
        "quote": order.quote_hash,
        "return_url": "https://evil.example/",
        "next": "https://evil.example/",
    }
    asked = owner.post(review, card, headers=evil)
    assert asked.status_code == 303
    reference = asked.headers["Location"].rpartition("/")[2]
    back = owner.post(
        f"/sandbox/3ds/{reference}", {"answer": "confirm", "return_url": "https://evil.example/"}
    )
    assert back.headers["Location"] == f"http://localhost/w/acme/checkout/{order.number}/result"


# --- the real server ------------------------------------------------------------------------------


@pytest.fixture
def gunicorn(environment):
    """The address of `portal serve`, as it is started for real."""
    process = subprocess.Popen(
        [sys.executable, "-m", "portal.commands.cli", "serve", "--port=0", "--workers=1"],
        cwd=ROOT,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().rpartition("http://")[2].strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def test_the_server_tells_no_version_and_refuses_what_is_no_request(gunicorn) -> None:
    def ask(method, path, headers=(), body=None):
        connection = http.client.HTTPConnection(gunicorn, timeout=30)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=any(name == "Host" for name, _ in headers))
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            answer.read()
            return answer

    page = ask("GET", "/terms")
    assert page.status == 200
    assert "/" not in (page.getheader("Server") or "")
    assert page.getheader("Content-Security-Policy") == POLICY + REPORTS
    assert ask("GET", "/terms", [("Host", "evil.example")]).status == 400
    assert ask("GET", "http://evil.example/terms").status in (200, 400)
    assert ask("TRACE", "/terms").status == 405
    assert ask("GET", "/" + "x" * 9000).status in (400, 414)
    assert ask("GET", "/terms", [("X-Long", "x" * 100_000)]).status == 431
    assert ask("GET", "/terms", [(f"X-{n}", "x") for n in range(200)]).status in (400, 431)
    assert ask("GET", "/terms", [("Cookie", "; ".join(f"session=c{n}" for n in range(100)))]).status == 200
    assert ask("POST", "/sign-in", [("Content-Length", "3000000")], b"x" * 3_000_000).status == 413
    smuggled = [("Content-Length", "5"), ("Transfer-Encoding", "chunked")]
    assert ask("POST", "/sign-in", smuggled, b"0\r\n\r\nX").status == 400
    forwarded = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example"), ("SCRIPT_NAME", "/x")]
    assert ask("GET", "/terms", forwarded).status == 200
