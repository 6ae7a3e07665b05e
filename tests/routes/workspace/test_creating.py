"""A workspace of one's own: from the menu, from one's own page, and for whom no workspace knows."""

import re
from datetime import UTC, datetime

import pytest

from portal.models import Member, TrialTaken, Workspace
from portal.runtime import current
from portal.services.members import changes, roster
from portal.services.workspace import deletion
from tests.factories import CATALOGUE, a_catalogue, a_member, a_person, a_workspace, owner_of, seen_by
from tests.pages import by_testid, links_of, parse
from tests.paying import apply_catalogue
from tests.visiting import facts, post_form, visit_as
from tests.visitors import Visitor

pytestmark = pytest.mark.engine("sqlite")
ADDRESS = "/me/workspaces/new"
FIELDS = {"name": "Zenith", "language": "fr", "currency": "USD", "time_zone": "Asia/Tokyo"}


def test_a_workspace_is_made_and_entered(app, client):
    with facts(app):
        a_catalogue()
        visit_as(client, a_person())
    answer = post_form(client, ADDRESS, **FIELDS)
    assert (answer.status_code, answer.location) == (303, "/w/zenith/")
    assert client.get("/w/zenith/plans").status_code == 200
    with facts(app):
        made = Workspace.get()
    assert (made.name, made.language, made.currency, made.time_zone) == tuple(FIELDS.values())


def test_who_was_removed_from_the_only_workspace_becomes_a_customer(app, client):
    with facts(app):
        acme, leo = a_workspace(), a_person("leo@acme.test")
        member = a_member(acme, leo)
        changes.remove(seen_by(owner_of(acme), acme), roster.reload_member(member), now=current().clock.now())
        visit_as(client, leo)
    start = parse(client.get("/").get_data(as_text=True))
    assert by_testid(start, "to-new-workspace")[0].get("href") == ADDRESS
    assert post_form(client, ADDRESS, **FIELDS).location == "/w/zenith/"
    assert client.get("/").location == "/w/zenith/"


@pytest.mark.parametrize("page", ["/me", "/w/acme/plans", "/w/acme/"])
def test_the_way_to_it_stands_in_the_menu(app, client, page):
    """A guest too may have a workspace of their own."""
    with facts(app):
        acme = a_workspace()
        visit_as(client, owner_of(acme))
    answer = client.get(page, follow_redirects=True)
    assert ADDRESS in list(links_of(parse(answer.get_data(as_text=True))))


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", " ", "Enter a name for the workspace."),
        ("name", "x" * 201, "Use 200 characters or fewer."),
        ("currency", "XXX", "Choose an option from the list."),
        ("time_zone", "Mars/Olympus", "Choose an option from the list."),
        ("language", "de", "Choose an option from the list."),
    ],
)
def test_bad_input_is_told_beside_its_field(app, client, field, value, sentence):
    with facts(app):
        a_catalogue()
        visit_as(client, a_person())
    answer = post_form(client, ADDRESS, **{**FIELDS, field: value})
    assert answer.status_code == 422
    page = parse(answer.get_data(as_text=True))
    [error] = [element for element in page.iter() if element.get("id") == f"{field}-error"]
    assert sentence in "".join(error.itertext())
    with facts(app):
        assert not Workspace.select().exists()


def test_the_language_of_the_reader_proposes_the_time_zone(app):
    proposed = {}
    for wanted in ("fr-BE,fr;q=0.9", "en-US,en;q=0.8", "fr", "de-DE,en;q=0.5"):
        html = Visitor(app, language=wanted).get("/sign-up").get_data(as_text=True)
        select = next(each for each in parse(html).iter("select") if each.get("name") == "time_zone")
        proposed[wanted] = [each.get("value") for each in select.iter("option") if "selected" in each.attrib]
        assert "data-own-time-zone" in select.attrib
    assert proposed == {
        "fr-BE,fr;q=0.9": ["Europe/Brussels"],
        "en-US,en;q=0.8": ["America/New_York"],
        "fr": ["Europe/Paris"],
        "de-DE,en;q=0.5": ["Europe/London"],
    }


def test_the_time_zone_chosen_at_sign_up_is_the_workspaces(app):
    with facts(app):
        a_catalogue()
    visitor = Visitor(app)
    fields = {
        "name": "Jeanne",
        "email": "jeanne@acme.test",
        "workspace_name": "Acme",
        "password": "harbour-violin-7-kelp",
        "time_zone": "Pacific/Auckland",
    }
    refused = visitor.post("/sign-up", {**fields, "password": "short"})
    select = next(
        each
        for each in parse(refused.get_data(as_text=True)).iter("select")
        if each.get("name") == "time_zone"
    )
    # What was chosen stays: the browser proposes nothing over it.
    assert "data-own-time-zone" not in select.attrib
    assert [each.get("value") for each in select.iter("option") if "selected" in each.attrib] == [
        "Pacific/Auckland"
    ]
    visitor.post("/sign-up", fields)
    assert Workspace.get().time_zone == "Pacific/Auckland"


def test_a_workspace_without_a_trial_says_why_on_its_pages(app, client):
    with facts(app):
        jeanne = a_person()
        a_member(a_workspace("Other"), jeanne)
        acme = a_workspace(owner=jeanne)
        deletion.delete_by_owner(seen_by(jeanne, acme), now=current().clock.now())
        assert TrialTaken.select().count() == 1
        visit_as(client, jeanne)
    post_form(client, ADDRESS, **FIELDS)
    page = client.get("/w/zenith/plans?lang=en")
    assert page.status_code == 200
    assert "This workspace begins without a free trial." in page.get_data(as_text=True)
    assert "The free trial is over" not in page.get_data(as_text=True)
    assert client.get("/w/zenith/members").status_code == 200
    with facts(app):
        assert Member.select().where(Member.workspace == Workspace.get(slug="zenith")).count() == 1


def test_currencies_are_those_on_sale_on_the_day_of_the_seller(app, client, clock):
    """Dollars from 1 December on: in Paris that day begins at 23:00 UTC."""
    dollars = re.compile(r'(currency = "USD", amount_minor = \d+) }')
    offered = []
    with facts(app):
        apply_catalogue(dollars.sub(r"\1, valid_from = 2026-12-01 }", CATALOGUE.read_text()))
        visit_as(client, a_person())
    for hour in (22, 23):
        clock.set(datetime(2026, 11, 30, hour, 30, tzinfo=UTC))
        page = parse(client.get(ADDRESS).get_data(as_text=True))
        select = next(each for each in page.iter("select") if each.get("name") == "currency")
        offered.append([option.get("value") for option in select.iter("option")])
    assert offered == [["EUR"], ["EUR", "USD"]]


@pytest.mark.parametrize("page", [ADDRESS, "/sign-up"])
def test_a_name_that_invoices_cannot_show_is_refused(app, page):
    visitor = Visitor(app)
    fields = {**FIELDS, "name": "Acme 𓀀"}
    if page == "/sign-up":
        fields = {
            "name": "Noor",
            "email": "noor@acme.test",
            "workspace_name": "Acme 𓀀",
            "password": "harbour-violin-7-kelp",
            "time_zone": "Europe/Paris",
        }
    with facts(app):
        a_catalogue()
        if page == ADDRESS:
            visit_as(visitor.client, a_person())
    answer = visitor.post(page, fields)
    assert answer.status_code == 422
    assert "Invoices cannot show 𓀀. Use other characters here." in answer.text
    with facts(app):
        assert not Workspace.select().exists()
