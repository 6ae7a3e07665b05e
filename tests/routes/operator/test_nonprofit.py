"""The request of a non-profit organisation: the form for anybody, the decision for the vendor's staff."""

import pytest

from portal.domain.vocabulary import NonprofitState
from portal.models import NonprofitRequest, Workspace
from portal.runtime import current
from portal.services.subscriptions import nonprofit
from tests import paying
from tests.factories import (
    a_catalogue,
    a_nonprofit_request,
    a_person,
    a_workspace,
    letters,
    owner_of,
    plan_of,
)
from tests.pages import by_testid, links_of, parse, text_of
from tests.visiting import facts, post_form, visit_as

FIELDS = {
    "organisation": "Les Amis du canal",
    "country": "FR",
    "registration_number": "W751234567",
    "website": "canal.example",
    "purpose": "We look after the canal.\r\n\r\nIn our free time.",
    "contact_name": "Claire Vasseur",
    "email": "Claire@Canal.test",
    "consent": "y",
}
MAKE_ONE = "If you have no workspace yet, create one: it will get the plan."


@pytest.fixture
def staff(app, client):
    """The browser of an operator."""
    with facts(app):
        a_catalogue()
        visit_as(client, a_person("staff@vendor.test", name="Sam Staff", operator=True))
    return client


def values_of(html: str) -> dict[str, str]:
    page = parse(html)
    values = {field.get("name"): field.get("value", "") for field in page.iter("input")}
    for select in page.iter("select"):
        chosen = [option for option in select.iter("option") if option.get("selected") is not None]
        values[select.get("name")] = chosen[0].get("value") if chosen else ""
    return values


# --- asking ---------------------------------------------------------------------------------------


def test_anybody_may_ask(app, client) -> None:
    assert MAKE_ONE in client.get("/nonprofit?lang=en").text
    answer = post_form(client, "/nonprofit", **FIELDS)
    assert (answer.status_code, answer.location) == (303, "/nonprofit/sent")
    page = client.get(answer.location)
    assert page.status_code == 200
    assert MAKE_ONE in page.text
    assert "/sign-up" in links_of(parse(page.text))
    with facts(app):
        request = NonprofitRequest.get()
        assert request.email == "claire@canal.test"
        assert request.website == "https://canal.example"
        assert request.purpose == "We look after the canal.\n\nIn our free time."
        assert request.workspace is None
        assert [letter["to"] for letter in letters("nonprofit_received")] == ["claire@canal.test"]


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("organisation", ""),
        ("country", "XX"),
        ("country", ""),
        ("registration_number", "x" * 61),
        ("website", "javascript:alert(1)"),
        ("website", "https://user:secret@evil.example"),
        ("website", "ftp://canal.example"),
        ("website", "https://[::1"),
        ("website", "https://canal.example:x"),
        ("website", "not an address"),
        ("website", "https://localhost"),
        ("website", "https://canal.example/" + "x" * 500),
        ("purpose", " "),
        ("purpose", "x" * 2001),
        ("purpose", "\n" * 5000 + "x"),
        ("purpose", "a\u202eb"),
        ("contact_name", ""),
        ("email", "nobody"),
        ("consent", ""),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(app, client, field, value) -> None:
    fields = {name: text for name, text in {**FIELDS, field: value}.items() if name != "consent" or text}
    answer = post_form(client, "/nonprofit", **fields)
    assert answer.status_code == 422
    page = parse(answer.text)
    assert [link.get("href") for link in by_testid(page, "error-summary")[0].iter("a")] == [f"#{field}"]
    assert any(element.get("id") == f"{field}-error" for element in page.iter())
    with facts(app):
        assert NonprofitRequest.select().count() == 0


@pytest.mark.engine("sqlite")
def test_an_owner_need_not_type_what_is_known(app, client) -> None:
    with facts(app):
        visit_as(client, owner_of(a_workspace()))
    values = values_of(client.get("/nonprofit").text)
    assert values["email"] == "owner@acme.test"
    assert values["contact_name"] == "Owner of Acme"
    assert (values["organisation"], values["workspace"]) == ("Acme", "acme")
    sent = post_form(client, "/nonprofit", **FIELDS, workspace="acme")
    pages = [client.get(f"{path}?lang=en").text for path in ("/nonprofit", sent.location)]
    assert not any(MAKE_ONE in page or "/sign-up" in page for page in pages)
    with facts(app):
        assert NonprofitRequest.get().workspace.slug == "acme"


@pytest.mark.engine("sqlite")
def test_nobody_asks_for_the_workspace_of_others(app, client) -> None:
    with facts(app):
        a_workspace("Zenith")
        visit_as(client, owner_of(a_workspace()))
    assert post_form(client, "/nonprofit", **FIELDS, workspace="zenith").status_code == 422
    with facts(app):
        visit_as(client, a_person("alone@acme.test"))
    assert "workspace" not in values_of(client.get("/nonprofit").text)
    assert post_form(client, "/nonprofit", **FIELDS, workspace="zenith").status_code == 303
    with facts(app):
        assert NonprofitRequest.get().workspace is None


@pytest.mark.engine("sqlite")
@pytest.mark.settings(PORTAL_LIMITS="1")
def test_nobody_floods_a_mailbox(app, client) -> None:
    answers = [
        post_form(client, "/nonprofit", **{**FIELDS, "organisation": f"Club {n}"}).status_code
        for n in range(4)
    ]
    assert answers == [303, 303, 303, 429]


# --- deciding -------------------------------------------------------------------------------------


def ask(app, **options) -> int:
    with facts(app):
        return a_nonprofit_request(**options).id


@pytest.mark.engine("sqlite")
def test_the_list_shows_what_waits(app, staff) -> None:
    number = ask(app)
    assert "Non-profit requests (1)" in staff.get("/operator/?lang=en").text
    rows = by_testid(parse(staff.get("/operator/nonprofit?lang=en").text), "nonprofit-row")
    assert [text_of(row) for row in rows] == ["Les Amis du canal France 21 Nov 2026, 09:00 To decide"]
    post_form(
        staff, f"/operator/nonprofit/{number}/refuse", shown_at=f"/operator/nonprofit/{number}", reason="No."
    )
    assert not by_testid(parse(staff.get("/operator/nonprofit").text), "nonprofit-row")
    assert len(by_testid(parse(staff.get("/operator/nonprofit?show=all").text), "nonprofit-row")) == 1


@pytest.mark.engine("sqlite")
def test_the_list_goes_on_where_the_page_ended(app, staff, monkeypatch) -> None:
    monkeypatch.setattr("portal.routes.operator.nonprofit.ROWS_OF_A_PAGE", 2)
    with facts(app):
        for name in ("One", "Two", "Three"):
            a_nonprofit_request(name)
    first = parse(staff.get("/operator/nonprofit?lang=en").text)
    older = [link.get("href") for link in first.iter("a") if text_of(link) == "Older requests"]
    assert len(by_testid(first, "nonprofit-row")) == 2
    assert len(by_testid(parse(staff.get(older[0]).text), "nonprofit-row")) == 1
    assert staff.get("/operator/nonprofit?before=1").status_code == 200


def test_accepted_for_the_workspace_that_was_named(app, staff) -> None:
    with facts(app):
        number = a_nonprofit_request(workspace=a_workspace()).id
    address = f"/operator/nonprofit/{number}"
    assert values_of(staff.get(address).text)["slug"] == "acme"
    answer = post_form(staff, f"{address}/accept", shown_at=address, slug="acme")
    assert (answer.status_code, answer.location) == (303, address)
    page = staff.get(f"{address}?lang=en")
    assert "Sam Staff accepted this request" in text_of(by_testid(parse(page.text), "decision")[0])
    assert not by_testid(parse(page.text), "accept-nonprofit")
    with facts(app):
        assert plan_of(Workspace.get(Workspace.slug == "acme")).code == "nonprofit"


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("slug", ["", "nobody", "Acme", "x" * 61, "' OR 1=1 --", "\x00"])
def test_a_workspace_that_is_not_there_is_refused(app, staff, slug) -> None:
    with facts(app):
        a_workspace()
    number = ask(app)
    address = f"/operator/nonprofit/{number}"
    answer = post_form(staff, f"{address}/accept", shown_at=address, slug=slug)
    assert answer.status_code == 422
    assert any(element.get("id") == "slug-error" for element in parse(answer.text).iter())
    with facts(app):
        assert NonprofitRequest.get().state == NonprofitState.RECEIVED


@pytest.mark.engine("sqlite")
def test_a_workspace_that_is_too_large_is_told_with_figures(app, staff) -> None:
    with facts(app):
        acme = a_workspace()
        Workspace.update(used_storage_bytes=3 * 1024**3).execute()
        number = a_nonprofit_request(workspace=acme).id
    address = f"/operator/nonprofit/{number}"
    answer = post_form(staff, f"{address}/accept?lang=en", shown_at=address, slug="acme")
    assert answer.status_code == 422
    assert "Maximum storage: 2\N{NO-BREAK SPACE}GB." in answer.text


@pytest.mark.engine("sqlite")
def test_an_open_payment_is_told(app, staff) -> None:
    with facts(app):
        place = paying.a_place()
        paying.pay(paying.an_order(place), paying.ASKS_ONCE)
        number = a_nonprofit_request(workspace=place.workspace).id
    address = f"/operator/nonprofit/{number}"
    answer = post_form(staff, f"{address}/accept?lang=en", shown_at=address, slug="acme")
    assert answer.status_code == 422
    assert "not confirmed yet" in answer.text


def test_the_second_decision_learns_who_made_the_first(app, staff) -> None:
    number = ask(app)
    address = f"/operator/nonprofit/{number}"
    with facts(app):
        a_workspace()
        other = a_person("other@vendor.test", name="Olga Other", operator=True)
    html = staff.get(address).text
    with facts(app):
        nonprofit.refuse(nonprofit.find(number), reason="No.", by=other, now=current().clock.now())
    token = values_of(html)["csrf_token"]
    for act, fields in (("accept", {"slug": "acme"}), ("refuse", {"reason": "No, no."})):
        answer = staff.post(f"{address}/{act}?lang=en", data={"csrf_token": token, **fields})
        assert answer.status_code == 409
        assert "Olga Other refused this request" in answer.text
    with facts(app):
        assert NonprofitRequest.get().reason == "No."
        assert plan_of(Workspace.get(Workspace.slug == "acme")).trial


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("number", ["999", "0", "-1", "x", "9" * 20])
def test_an_unknown_request_is_not_found(staff, number) -> None:
    assert staff.get(f"/operator/nonprofit/{number}").status_code == 404
