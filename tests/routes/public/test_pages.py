"""What anybody may open: the front page, prices, texts, the way in, and what machines ask."""

import json

import pytest
from peewee import OperationalError

from portal import outbox
from portal.database.connecting import database as bound
from portal.domain.vocabulary import MemberStatus, Role
from portal.models import CspReport
from portal.runtime import current
from tests.factories import a_catalogue, a_member, a_person, a_workspace
from tests.pages import by_testid, links_of, parse, text_of
from tests.visiting import facts, visit_as

TEXTS = ("/terms", "/privacy", "/security")


@pytest.fixture
def shop(app):
    with facts(app):
        a_catalogue()
    return app


# --- the front page and the prices ----------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_visitor_reads_what_is_sold(shop, client, language) -> None:
    page = parse(client.get(f"/?lang={language}").text)
    links = {link.get("href") for link in page.iter("a")}
    assert {"/pricing", "/sign-up", "/sign-in"} <= links
    assert "17" in text_of(page)


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_anybody_may_find_describes_itself(shop, client, language) -> None:
    """In one sentence of its own, and may be indexed; every other page may not."""
    told = {}
    for address in ("/", "/pricing", "/faq", "/nonprofit", "/sign-up", *TEXTS):
        named = {
            meta.get("name"): meta.get("content")
            for meta in parse(client.get(f"{address}?lang={language}").text).iter("meta")
        }
        assert "robots" not in named, address
        told[address] = named["description"]
    assert all(50 < len(each) < 170 or address in TEXTS for address, each in told.items()), told
    assert len(set(told.values())) == len(told)
    signed_out = parse(client.get("/sign-in").text)
    assert {meta.get("content") for meta in signed_out.iter("meta")} >= {"noindex"}


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("address", ["/", "/pricing", *TEXTS])
def test_public_pages_stand_without_a_catalogue(client, address) -> None:
    assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    ("currency", "month", "year"), [("EUR", "€28.00", "€280.00"), ("USD", "$30.00", "$300.00")]
)
def test_prices_are_shown_in_both_intervals_and_the_chosen_currency(
    shop, client, currency, month, year
) -> None:
    page = parse(client.get(f"/pricing?currency={currency}&lang=en").text)
    assert month in text_of(by_testid(page, "plan-business-5-month")[0])
    assert year in text_of(by_testid(page, "plan-business-5-year")[0])
    # Seen beside the users, not only read out before a price.
    assert "Business 5 · 40 GB of storage" in [text_of(cell) for cell in page.iter("small")]
    # Sold by the year only, and free.
    assert not by_testid(page, "plan-business-100-month")
    assert by_testid(page, "plan-business-100-year")
    assert not by_testid(page, "plan-startup-month")


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("currency", ["XXX", "", "eur", "EUR\x00", "💶", "A" * 5000])
def test_an_unknown_currency_shows_the_usual_one(shop, client, currency) -> None:
    response = client.get("/pricing", query_string={"currency": currency, "lang": "en"})
    assert response.status_code == 200
    assert "€28.00" in response.text


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("address", TEXTS)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_texts_are_there_in_both_languages(shop, client, address, language) -> None:
    page = parse(client.get(f"{address}?lang={language}").text)
    assert page.get("lang") == language
    assert len(text_of(page)) > 500


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("address", ["/terms", "/privacy"])
def test_the_legal_parts_say_who_has_to_write_them(shop, client, address) -> None:
    assert "To be replaced by the vendor" in client.get(f"{address}?lang=en").text


@pytest.mark.engine("sqlite")
def test_links_lead_to_the_vendor(shop, client) -> None:
    answer = client.get("/links/help")
    assert (answer.status_code, answer.location) == (303, "https://example.com/help")


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("name", ["nothing", "%00", "a" * 3000])
def test_an_unknown_link_is_not_found(shop, client, name) -> None:
    assert client.get(f"/links/{name}").status_code == 404


# --- the way in -----------------------------------------------------------------------------------


def test_signed_in_people_go_on_to_their_workspace(app, client) -> None:
    with facts(app):
        owner = a_person()
        acme = a_workspace(owner=owner)
        visit_as(client, owner)
    first = client.get("/")
    assert (first.status_code, first.location) == (303, f"/w/{acme.slug}/")
    assert client.get(first.location).location == f"/w/{acme.slug}/plans"


def test_an_operator_goes_on_to_the_workspaces(app, client) -> None:
    with facts(app):
        visit_as(client, a_person("staff@vendor.test", operator=True))
    assert client.get("/").location == "/operator/"


def test_a_person_without_a_workspace_is_told_so(app, client) -> None:
    with facts(app):
        visit_as(client, a_person())
    response = client.get("/?lang=en")
    assert response.status_code == 200
    assert "You are not in any workspace" in response.text


@pytest.mark.engine("sqlite")
def test_an_admin_kept_from_the_plans_enters_by_the_members(app, client) -> None:
    """Hidden plans: a plain member sees neither them nor the history; 403 with the owner's name."""
    with facts(app):
        acme = a_workspace()
        acme.hides_plans_from_members = True
        acme.save()
        leo = a_person("leo@acme.test", name="Leo")
        a_member(acme, leo, role=Role.MEMBER)
        visit_as(client, leo)
    response = client.get(f"/w/{acme.slug}/")
    assert response.status_code == 403
    assert "Owner of Acme" in response.text
    # The start page would lead back here.
    assert ways_out(response.text) == ["mailto:owner@acme.test", "/me"]


@pytest.mark.engine("sqlite")
def test_a_guest_finds_a_way_out_of_every_refusal(app, client) -> None:
    """Refused, to the start page, to the guests' page: no link of the three leads to a refusal."""
    with facts(app):
        acme, other = a_workspace("Acme"), a_workspace("Other")
        guest = a_person("guest@acme.test")
        a_member(acme, guest, status=MemberStatus.GUEST)
        visit_as(client, guest)
    refused = client.get("/w/acme/plans")
    assert (refused.status_code, ways_out(refused.text)[-1]) == (403, "/")
    home = client.get("/", follow_redirects=True)
    assert (home.status_code, home.request.path) == (200, "/w/acme/")
    assert "You are a guest here" in home.text
    assert client.get("/me").status_code == 200
    with facts(app):
        a_member(other, guest)
    assert client.get("/", follow_redirects=True).request.path == "/w/other/plans"


@pytest.mark.engine("sqlite")
def test_a_guest_is_told_who_can(app, client) -> None:
    with facts(app):
        acme = a_workspace()
        guest = a_person("guest@acme.test")
        a_member(acme, guest, status=MemberStatus.GUEST)
        visit_as(client, guest)
    response = client.get(f"/w/{acme.slug}/")
    assert response.status_code == 200
    assert "You are a guest here" in response.text
    assert "Owner of Acme" in response.text


@pytest.mark.engine("sqlite")
def test_another_workspace_is_like_none(app, client) -> None:
    with facts(app):
        acme = a_workspace()
        visit_as(client, a_person("stranger@globex.test"))
    theirs, none = client.get(f"/w/{acme.slug}/"), client.get("/w/no-such-workspace/")
    assert (theirs.status_code, none.status_code) == (404, 404)


@pytest.mark.engine("sqlite")
def test_the_way_in_asks_visitors_to_sign_in(shop, client) -> None:
    answer = client.get("/w/acme/")
    assert answer.status_code == 303
    assert answer.location.startswith("/sign-in?next=")


# --- machines -------------------------------------------------------------------------------------


def test_a_site_with_nothing_to_do_is_ready(client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {
        "ready": True,
        "database": True,
        "pending_migrations": [],
        "oldest_message_seconds": 0,
        "unknown_payments": 0,
    }


def test_a_promise_kept_waiting_ten_minutes_turns_it_red(app, client, clock) -> None:
    with facts(app):
        outbox.publish("mail", key="late", payload={}, now=current().clock.wall())
    clock.advance_wall(seconds=599)
    assert client.get("/readyz").status_code == 200
    clock.advance_wall(seconds=1)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["oldest_message_seconds"] == 600


def test_a_pending_migration_turns_it_red(app, client, monkeypatch) -> None:
    monkeypatch.setattr("portal.database.migrating.pending_migrations", lambda: ["0002_more"])
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["pending_migrations"] == ["0002_more"]


@pytest.mark.engine("sqlite")
def test_without_a_database_the_process_lives_and_is_not_ready(app, client, monkeypatch) -> None:
    def refuse(*args, **kwargs):
        raise OperationalError("connection refused")

    monkeypatch.setattr(bound.obj, "connect", refuse)
    assert client.get("/healthz").json == {"alive": True}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["database"]) == (503, False)


@pytest.mark.engine("sqlite")
def test_robots_are_kept_out_of_what_is_not_public(client) -> None:
    assert "Disallow: /w/" in client.get("/robots.txt").text
    assert client.get("/favicon.ico").status_code == 204


# --- reports of the policy ------------------------------------------------------------------------

OLD = {
    "csp-report": {
        "violated-directive": "script-src 'self'",
        "blocked-uri": "https://evil.example/a.js?token=secret",
        "document-uri": "http://127.0.0.1:8000/w/acme/plans?x=1",
    }
}
NEW = [
    {
        "type": "csp-violation",
        "body": {
            "effectiveDirective": "script-src",
            "blockedURL": "https://evil.example/b.js",
            "documentURL": "http://127.0.0.1:8000/w/globex/plans",
        },
    },
    {"type": "deprecation", "body": {}},
]


def report(client, body) -> int:
    raw = body if isinstance(body, bytes | str) else json.dumps(body)
    return client.post("/csp-report", data=raw, content_type="application/csp-report").status_code


def counted(app) -> list[tuple[str, str, str, int]]:
    with facts(app):
        return [(row.directive, row.blocked, row.page, row.reports) for row in CspReport.select()]


def test_both_formats_count_as_one_violation_of_one_rule(app, client) -> None:
    """Paths, names of workspaces and queries are not kept: three addresses, one row."""
    assert [report(client, OLD), report(client, NEW), report(client, OLD)] == [204, 204, 204]
    assert counted(app) == [("script-src", "https://evil.example", "/w/<slug>/plans", 3)]


@pytest.mark.parametrize(
    "body",
    [
        {"csp-report": {}},
        {"csp-report": {"violated-directive": 7, "blocked-uri": [], "document-uri": None}},
        {"csp-report": {"violated-directive": "<b>", "blocked-uri": "\x00", "document-uri": "http:/nowhere"}},
        {"csp-report": {"blocked-uri": "javascript:alert(1)", "document-uri": "x" * 5000}},
        {"csp-report": {"blocked-uri": "http://[oops", "document-uri": "http://127.0.0.1/%ff\ud800"}},
    ],
)
def test_nonsense_is_counted_as_other(app, client, body) -> None:
    assert report(client, body) == 204
    assert counted(app) == [("other", "other", "other", 1)]


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(
    ("body", "status"),
    [("", 400), ("{", 400), ("7", 400), ("{}", 400), (b"\xff\xfe", 400), ("[[[[", 400), ("x" * 8193, 413)],
)
def test_what_is_no_report_is_refused(app, client, body, status) -> None:
    assert report(client, body) == status
    assert counted(app) == []


@pytest.mark.engine("sqlite")
@pytest.mark.settings(PORTAL_LIMITS="1")
def test_reports_are_limited(app, client) -> None:
    codes = [report(client, OLD) for _ in range(61)]
    assert codes[-1] == 429


@pytest.mark.engine("sqlite")
def test_a_full_table_counts_on_but_does_not_grow(app, client, monkeypatch) -> None:
    monkeypatch.setattr("portal.services.upkeep.csp_reports.MOST_ROWS", 1)
    report(client, OLD)
    report(client, {"csp-report": {"violated-directive": "style-src", "blocked-uri": "inline"}})
    report(client, OLD)
    assert [row[3] for row in counted(app)] == [2]


def ways_out(page: str) -> list[str]:
    """Where the links of an error page lead."""
    [part] = by_testid(parse(page), "error-page")
    return list(links_of(part))
