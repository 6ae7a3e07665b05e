"""What was typed outlives the session: there again after signing in, for whom and where it was typed."""

import importlib
import pkgutil
from datetime import timedelta
from urllib.parse import urlencode

import pytest

import portal.forms
from portal.domain.vocabulary import Role
from portal.forms.base import PasswordField, PortalForm, UnshownInput
from portal.forms.cards import CardForm
from portal.models import Member, Session, UnsentForm
from portal.services.people import unsent_forms
from tests.factories import PASSWORD, a_catalogue, a_member, a_person, a_workspace
from tests.pages import csrf_of, parse
from tests.visiting import facts
from tests.visitors import Visitor, path_of, signed_in

pytestmark = pytest.mark.engine("sqlite")
OWN = {"Origin": "http://localhost"}
INVITE = {"emails": "Ada <ada@x.example>, bob@x.example", "status": "guest", "role": "admin"}
SETTINGS = {
    "name": "Acm\u00e9 2",
    "time_zone": "Asia/Tokyo",
    "language": "fr",
    "currency": "USD",
}
NONPROFIT = {
    "organisation": "Les Amis du canal",
    "country": "FR",
    "registration_number": "W751234567",
    "website": "https://canal.test",
    "purpose": "We look after\nthe banks.",
    "contact_name": "Claire",
    "email": "claire@canal.test",
}
LONG_FORMS = {
    "/w/acme/members": INVITE,
    "/w/acme/settings": SETTINGS,
    "/nonprofit": NONPROFIT,
    "/me": {"name": "Jeanne M.", "language": "fr"},
    "/me/workspaces/new": {"name": "Third", "language": "fr", "currency": "USD", "time_zone": "Asia/Tokyo"},
}


@pytest.fixture
def jeanne(app):
    with facts(app):
        a_catalogue()
        owner = a_person("jeanne@acme.test")
        acme = a_workspace(owner=owner)
        a_member(acme, a_person("leo@acme.test", name="Leo"), role=Role.OWNER)
    return signed_in(app, "jeanne@acme.test")


def token_of(browser, address):
    return csrf_of(browser.get(address).get_data(as_text=True))


def send(browser, address, fields, *, token, headers=OWN):
    return browser.client.post(
        address,
        data={"csrf_token": token, **fields},
        headers={**browser.headers, "Referer": f"http://localhost{address}", **headers},
        environ_base=browser.environ,
    )


def end_of_session(app):
    with facts(app):
        Session.update(seen_at=Session.get().seen_at - timedelta(hours=2)).execute()


def shown(browser, address):
    """What stands in the fields of the page, by name."""
    document = parse(browser.get(address).get_data(as_text=True))
    values = {}
    for element in document.iter():
        kind, name = element.get("type"), element.get("name")
        if element.tag == "textarea":
            values[name] = (element.text or "").strip("\n")
        elif element.tag == "input" and kind in ("checkbox", "radio"):
            if "checked" in element.attrib:
                values[name] = element.get("value")
        elif element.tag == "input" and name:
            values.setdefault(name, element.get("value"))
    for select in document.iter("select"):
        for option in select.iter("option"):
            if "selected" in option.attrib:
                values[select.get("name")] = option.get("value")
    return values


@pytest.mark.parametrize("address", LONG_FORMS)
def test_what_was_typed_is_there_again_after_signing_in(app, jeanne, address):
    token = token_of(jeanne, address)
    end_of_session(app)
    way_in = path_of(send(jeanne, address, LONG_FORMS[address], token=token))
    if address != "/nonprofit":
        assert way_in.startswith("/sign-in?next=")
        assert "kept for an hour" in jeanne.get(way_in).get_data(as_text=True)
        # A slip of the finger on the way does not lose it.
        assert jeanne.post(way_in, {"email": "jeanne@acme.test", "password": "wrong"}).status_code == 422
        back = path_of(jeanne.post(way_in, {"email": "jeanne@acme.test", "password": PASSWORD}))
        assert back == address
    values = shown(jeanne, address)
    assert {name: values.get(name) for name in LONG_FORMS[address]} == LONG_FORMS[address]
    assert "What you typed is still here" in jeanne.get(address).get_data(as_text=True)


def test_choices_that_stand_in_an_address_are_in_it_again(app, jeanne):
    """Once: whoever begins anew is not led back to them."""
    address = "/w/acme/subscriptions/new"
    chosen = {
        "product": "meetings",
        "how": "buy",
        "plan": "meetings-professional",
        "licences": "12",
        "interval": "year",
    }
    token = token_of(jeanne, address)
    end_of_session(app)
    way_in = path_of(send(jeanne, address, chosen, token=token))
    assert path_of(jeanne.post(way_in, {"email": "jeanne@acme.test", "password": PASSWORD})) == address
    again = path_of(jeanne.get(address))
    assert again == f"{address}?{urlencode(chosen)}"
    html = jeanne.get(again).get_data(as_text=True)
    assert "What you typed is still here" in html
    assert "proceed" in html
    assert jeanne.get(address).status_code == 200


def test_it_was_not_sent_before_and_is_sent_by_its_reader(app, jeanne):
    address = "/w/acme/members"
    token = token_of(jeanne, address)
    end_of_session(app)
    way_in = path_of(send(jeanne, address, INVITE, token=token))
    jeanne.post(way_in, {"email": "jeanne@acme.test", "password": PASSWORD})
    with facts(app):
        assert Member.select().count() == 2
    answer = jeanne.post(address, INVITE)
    assert answer.status_code == 303
    with facts(app):
        assert not UnsentForm.select().exists()
    assert shown(jeanne, address)["emails"] == ""


def test_the_session_that_left_its_network_keeps_it_too(app, jeanne):
    address = "/w/acme/settings"
    token = token_of(jeanne, address)
    jeanne.environ = {"REMOTE_ADDR": "203.0.113.7"}
    way_in = path_of(send(jeanne, address, SETTINGS, token=token))
    assert "reason=network" in way_in
    jeanne.post(way_in, {"email": "jeanne@acme.test", "password": PASSWORD})
    assert shown(jeanne, address)["name"] == SETTINGS["name"]


def test_nobody_else_gets_it_who_signs_in_in_the_same_browser(app, jeanne):
    address = "/w/acme/members"
    token = token_of(jeanne, address)
    end_of_session(app)
    way_in = path_of(send(jeanne, address, INVITE, token=token))
    jeanne.post(way_in, {"email": "leo@acme.test", "password": PASSWORD})
    assert shown(jeanne, address)["emails"] == ""


def test_no_other_browser_gets_it(app, jeanne):
    address = "/w/acme/members"
    token = token_of(jeanne, address)
    end_of_session(app)
    send(jeanne, address, INVITE, token=token)
    assert shown(signed_in(app, "jeanne@acme.test"), address)["emails"] == ""


def test_it_is_gone_after_an_hour(app, clock, jeanne):
    address = "/w/acme/members"
    token = token_of(jeanne, address)
    end_of_session(app)
    way_in = path_of(send(jeanne, address, INVITE, token=token))
    clock.advance_wall(hours=1)
    jeanne.post(way_in, {"email": "jeanne@acme.test", "password": PASSWORD})
    assert shown(jeanne, address)["emails"] == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-site"},
        {},
    ],
)
def test_another_site_plants_nothing(app, jeanne, headers):
    end_of_session(app)
    send(jeanne, "/w/acme/members", INVITE, token="none", headers=headers)
    with facts(app):
        assert not UnsentForm.select().exists()


def test_with_a_newer_session_of_ones_own_the_form_comes_back_filled(app, jeanne):
    """Signed in again in another tab: the first one's token is worth nothing, what was typed is."""
    address = "/w/acme/members"
    answer = send(jeanne, address, INVITE, token="of another session")
    assert path_of(answer) == address
    assert shown(jeanne, address)["emails"] == INVITE["emails"]


def test_htmx_is_sent_to_sign_in_as_a_page_and_keeps_it(app, jeanne):
    address = "/w/acme/settings"
    token = token_of(jeanne, address)
    end_of_session(app)
    app.test_client_class = None  # The answer is no fragment.
    browser = app.test_client()
    browser.set_cookie("session", jeanne.token)
    jeanne.client = browser
    parts = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "form#settings_form"}
    answer = send(jeanne, address, SETTINGS, token=token, headers=OWN | parts)
    assert answer.status_code == 401
    jeanne.post(answer.headers["HX-Redirect"], {"email": "jeanne@acme.test", "password": PASSWORD})
    assert shown(jeanne, address)["name"] == SETTINGS["name"]


def test_a_password_is_not_kept(app, jeanne):
    token = token_of(jeanne, "/me")
    end_of_session(app)
    send(jeanne, "/me/password", {"current_password": PASSWORD, "new_password": "x" * 20}, token=token)
    send(jeanne, "/me/email", {"current_password": PASSWORD, "email": "new@acme.test"}, token=token)
    with facts(app):
        assert [unsent.fields for unsent in UnsentForm.select()] == [[["email", "new@acme.test"]]]


@pytest.mark.parametrize("typed", ["4242 4242 4242 4242", "my card: 4242-4242-4242-4242", "5555555555554444"])
def test_what_looks_like_a_card_is_not_kept_whatever_the_field(database, at_work, typed):
    assert unsent_forms.keep([("purpose", typed)], page="/nonprofit", person_id=None) is None
    assert not UnsentForm.select().exists()


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [("name", " ")],
        [("name", "x" * 30_000)],
        [(f"n{number}", "x") for number in range(100)],
        [("name", "a\x00b")],
        [("name", "\ud800")],
    ],
)
def test_nothing_empty_endless_or_broken_is_kept(database, at_work, fields):
    assert unsent_forms.keep(fields, page="/me", person_id=None) is None


def every_form():
    for module in pkgutil.iter_modules(portal.forms.__path__):
        importlib.import_module(f"portal.forms.{module.name}")
    waiting = [PortalForm]
    while waiting:
        form = waiting.pop()
        waiting += form.__subclasses__()
        yield form


def test_every_secret_field_of_every_form_is_known():
    secret = set()
    for form in every_form():
        for name in dir(form):
            field = getattr(form, name, None)
            kind = getattr(field, "field_class", None)
            if kind and (
                issubclass(kind, PasswordField) or isinstance(getattr(kind, "widget", None), UnshownInput)
            ):
                secret.add(name)
    assert {"password", "number", "security_code"} <= secret
    assert secret <= unsent_forms.NEVER_KEPT
    card = {name for name in dir(CardForm) if hasattr(getattr(CardForm, name, None), "field_class")}
    assert card - {"auto_renewal", "quote"} <= unsent_forms.NEVER_KEPT


def test_a_visitor_of_a_form_for_everybody_loses_nothing_either(app):
    visitor = Visitor(app)
    visitor.get("/nonprofit?lang=en")
    answer = send(visitor, "/nonprofit", NONPROFIT, token="too old")
    assert path_of(answer) == "/nonprofit"
    assert shown(visitor, "/nonprofit")["purpose"] == NONPROFIT["purpose"]
