"""The sandbox's own pages: the bank's, PayPal's, the mailbox, the list of what there is to try."""

import dataclasses

import pytest
from flask.testing import FlaskClient

from portal import runtime
from portal.domain.vocabulary import OrderState, PaymentMethodKind, PaymentState
from portal.gateways.base import GatewayUnavailable
from portal.gateways.sandbox.gateway import Sandbox
from portal.gateways.sandbox.methods import MAGIC_CARDS, MAGIC_IBANS, MAGIC_PAYPAL
from portal.mail import mailbox
from portal.mail import sending as mail
from portal.models import Invoice, Order, Payment
from tests import paying
from tests.factories import a_catalogue, a_person
from tests.pages import by_testid, links_of, parse, text_of
from tests.visiting import facts, post_form, visit_as


@pytest.fixture
def shop(app):
    with facts(app):
        a_catalogue()
    return app


def asked(app, number: str | None = paying.ASKS_ALWAYS) -> Payment:
    """A payment that waits for its payer, with the address of the page."""
    kind = PaymentMethodKind.CARD if number else PaymentMethodKind.PAYPAL
    with facts(app):
        payment = paying.pay(paying.an_order(paying.a_place(), method_kind=kind), number)
        assert payment.state == PaymentState.ACTION_REQUIRED
        return payment


def page_of(payment: Payment) -> str:
    return payment.action_url.removeprefix("http://127.0.0.1:8000")


def state_of(app, payment: Payment) -> tuple[PaymentState, OrderState, int]:
    """Payment, order, and how many invoices there are."""
    with facts(app):
        found = Payment.get_by_id(payment.id)
        return found.state, Order.get_by_id(found.order_id).state, Invoice.select().count()


PAID = (PaymentState.SUCCEEDED, OrderState.PAID, 1)
DECLINED = (PaymentState.DECLINED, OrderState.OPEN, 0)
UNKNOWN = (PaymentState.UNKNOWN, OrderState.PLACED, 0)
WAITING = (PaymentState.ACTION_REQUIRED, OrderState.PLACED, 0)


# --- the bank's page ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "labels"), [("en", ["Confirm", "Refuse"]), ("fr", ["Confirmer", "Refuser"])]
)
@pytest.mark.engine("sqlite")
def test_the_bank_shows_what_is_to_be_confirmed(shop, client, language, labels) -> None:
    payment = asked(shop)
    page = parse(client.get(f"{page_of(payment)}?lang={language}").text)
    said = text_of(next(page.iter("main")))
    assert "Atelier Logiciel SAS" in said
    assert "3220" in said
    assert "33" in said  # 28.00 EUR and 20 % VAT: 33.60.
    buttons = [button for button in next(page.iter("main")).iter("button") if button.get("name") == "answer"]
    assert [text_of(button) for button in buttons] == labels


@pytest.mark.parametrize(("answer", "after"), [("confirm", PAID), ("refuse", DECLINED)])
def test_the_answer_is_known_at_once(shop, client, answer, after) -> None:
    """As the gateway's event would tell it: no need to wait for the worker."""
    payment = asked(shop)
    response = post_form(client, page_of(payment), answer=answer)
    assert (response.status_code, response.location) == (303, paying.RETURN_URL)
    assert state_of(shop, payment) == after


def test_only_the_first_answer_counts(shop, client) -> None:
    payment = asked(shop)
    post_form(client, page_of(payment), answer="confirm")
    page = client.get(page_of(payment) + "?lang=en")
    assert "This has already been answered" in page.text
    assert paying.RETURN_URL in list(links_of(parse(page.text)))
    response = post_form(client, page_of(payment), shown_at="/sign-in", answer="refuse")
    assert response.status_code == 303
    assert state_of(shop, payment) == PAID


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("answer", ["", "yes", "Confirm", "confirm\x00"])
def test_what_is_no_answer_changes_nothing(shop, client, answer) -> None:
    payment = asked(shop)
    assert post_form(client, page_of(payment), answer=answer).status_code == 400
    assert state_of(shop, payment) == WAITING


@pytest.mark.engine("sqlite")
def test_looking_changes_nothing_and_a_token_is_needed(shop, client) -> None:
    payment = asked(shop)
    client.get(page_of(payment))
    assert client.post(page_of(payment), data={"answer": "confirm"}).status_code == 400
    assert state_of(shop, payment) == WAITING


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("family", ["3ds", "paypal"])
@pytest.mark.parametrize("reference", ["nothing", "%00", "%ff", "..%2f..", "x" * 3000])
def test_an_unknown_reference_is_not_found(shop, client, family, reference) -> None:
    address = f"/sandbox/{family}/{reference}"
    assert client.get(address).status_code == 404
    fields = {"answer": "confirm", "email": "paid@paypal.example"}
    assert post_form(client, address, shown_at="/sign-in", **fields).status_code == 404


@pytest.mark.engine("sqlite")
def test_a_ledger_that_cannot_be_opened_is_a_busy_page(shop, client, monkeypatch) -> None:
    def refuse(*arguments):
        raise GatewayUnavailable("locked")

    monkeypatch.setattr(Sandbox, "challenge", refuse)
    assert client.get("/sandbox/3ds/x").status_code == 503


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(
    ("address", "leads_back"),
    [
        ("http://127.0.0.1:8000/w/acme/checkout/1/result", True),
        ("http://localhost:9000/w/acme", True),
        ("https://evil.example/", False),
        ("http://127.0.0.1@evil.example/", False),
        ("//evil.example/", False),
        ("javascript:alert(1)", False),
        ("http://127.0.0.1:8000//evil.example", False),
    ],
)
def test_the_way_back_stays_on_this_site(shop, client, monkeypatch, address, leads_back) -> None:
    monkeypatch.setattr(Sandbox, "answer_challenge", lambda self, reference, confirmed: address)
    response = post_form(client, "/sandbox/3ds/x", shown_at="/sign-in", answer="confirm")
    assert response.location == (address if leads_back else "/")


# --- PayPal ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "after"),
    [
        ("paid@paypal.example", PAID),
        ("declined@paypal.example", DECLINED),
        ("somebody@else.example", DECLINED),
        ("silent@paypal.example", PAID),
        # Nobody knows of it yet, and it is too young to be called never made.
        ("silent-unpaid@paypal.example", UNKNOWN),
    ],
)
def test_paying_with_paypal(shop, client, email, after) -> None:
    payment = asked(shop, None)
    response = post_form(client, page_of(payment), answer="confirm", email=email)
    assert (response.status_code, response.location) == (303, paying.RETURN_URL)
    assert state_of(shop, payment) == after


@pytest.mark.engine("sqlite")
def test_refusing_asks_for_no_address(shop, client) -> None:
    payment = asked(shop, None)
    assert post_form(client, page_of(payment), answer="refuse", email="").status_code == 303
    assert state_of(shop, payment) == DECLINED


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("email", ["", "nope", "a@b", "paid@paypal.example\x00x", "x" * 5000 + "@a.example"])
def test_an_address_that_is_none_is_refused(shop, client, email) -> None:
    payment = asked(shop, None)
    response = post_form(client, page_of(payment), answer="confirm", email=email)
    assert response.status_code == 422
    assert by_testid(parse(response.text), "error-summary")
    assert state_of(shop, payment) == WAITING


@pytest.mark.engine("sqlite")
def test_paypal_may_ask_the_bank(shop, client) -> None:
    payment = asked(shop, None)
    response = post_form(client, page_of(payment), answer="confirm", email="asks@paypal.example")
    assert "/sandbox/3ds/" in response.location
    assert state_of(shop, payment) == WAITING
    there = response.location.removeprefix("http://127.0.0.1:8000")
    assert post_form(client, there, answer="confirm").status_code == 303
    assert state_of(shop, payment) == PAID


# --- what there is to try -------------------------------------------------------------------------


@pytest.mark.engine("sqlite")
def test_every_number_is_listed_with_what_it_does(shop, client) -> None:
    page = text_of(parse(client.get("/sandbox/?lang=en").text))
    for entry in (*MAGIC_CARDS, *MAGIC_PAYPAL, *MAGIC_IBANS):
        assert entry.display in page
        assert entry.description in page


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("theme", ["", "light", "dark", "x"])
def test_components_are_shown_in_both_themes(shop, client, theme) -> None:
    response = client.get(f"/sandbox/components?theme={theme}&lang=en")
    assert response.status_code == 200
    assert (f'data-theme="{theme}"' in response.text) == (theme in ("light", "dark"))


@pytest.mark.engine("sqlite")
@pytest.mark.settings(PORTAL_BASE_URL="https://portal.example")
def test_where_others_reach_the_site_components_are_not_served(shop, client) -> None:
    assert client.get("/sandbox/components", base_url="https://portal.example").status_code == 404


# --- the mailbox ----------------------------------------------------------------------------------

TEXT = "Sign in here:\nhttp://127.0.0.1:8000/link/abc_def-1.\n\nAgain: http://127.0.0.1:8000/link/abc_def-1"


def a_letter(app, **changed) -> str:
    """Its name in the mailbox."""
    with facts(app):
        wall = runtime.current().clock.wall()
        facts_of_it = {
            "key": "mail:1",
            "to": "jeanne@acme.test",
            "subject": "Your sign-in link",
            "text": TEXT,
            "html": "<!doctype html><title>Mail</title><h1>Mail</h1><script>alert(1)</script>",
            "locale": "en",
            "promised_at": wall,
            "attachments": (mail.Attachment("INV-2026-000001.pdf", b"%PDF-1.7 x"),),
        }
        mail.send(mail.MailMessage(**{**facts_of_it, **changed}))
        return mailbox.read_mailbox(runtime.current().settings.data_dir)[0].name


@pytest.mark.engine("sqlite")
def test_an_empty_mailbox_says_so(shop, client) -> None:
    assert "No e-mail yet" in client.get("/sandbox/mailbox?lang=en").text


@pytest.mark.engine("sqlite")
def test_a_letter_can_be_read_and_its_link_followed(shop, client) -> None:
    name = a_letter(shop)
    listed = parse(client.get("/sandbox/mailbox").text)
    assert f"/sandbox/mailbox/{name}" in list(links_of(listed))
    page = parse(client.get(f"/sandbox/mailbox/{name}?lang=en").text)
    assert list(links_of(page)).count("http://127.0.0.1:8000/link/abc_def-1") == 1
    assert "Again:" in text_of(page)


@pytest.mark.engine("sqlite")
def test_a_letters_html_is_shut_in(shop) -> None:
    """A document of its own, not a page: scripts, forms and everything from outside are off."""
    response = FlaskClient(shop).get(f"/sandbox/mailbox/{a_letter(shop)}/html")
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-popups; default-src 'none'")
    assert "script" not in policy and "allow-scripts" not in policy


@pytest.mark.engine("sqlite")
def test_an_attachment_is_downloaded(shop, client) -> None:
    name = a_letter(shop)
    response = client.get(f"/sandbox/mailbox/{name}/0")
    assert response.data == b"%PDF-1.7 x"
    assert response.headers["Content-Disposition"] == "attachment; filename=INV-2026-000001.pdf"
    assert response.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert client.get(f"/sandbox/mailbox/{name}/1").status_code == 404


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("name", ["nothing", "..%2fsecret_key", "%00", "x" * 3000])
def test_another_file_is_no_letter(shop, client, name) -> None:
    for address in (
        f"/sandbox/mailbox/{name}",
        f"/sandbox/mailbox/{name}/html",
        f"/sandbox/mailbox/{name}/0",
    ):
        assert client.get(address).status_code == 404


@pytest.mark.engine("sqlite")
@pytest.mark.settings(PORTAL_BASE_URL="https://portal.example")
def test_where_others_reach_the_site_letters_are_for_operators(shop, client) -> None:
    """They hold links that sign people in."""
    address = f"/sandbox/mailbox/{a_letter(shop)}"
    at = {"base_url": "https://portal.example"}
    for path in ("/sandbox/mailbox", address, f"{address}/html", f"{address}/0"):
        assert client.get(path, **at).status_code == 303


@pytest.mark.engine("sqlite")
def test_a_site_that_sends_its_mail_says_so(shop, client, monkeypatch) -> None:
    here = runtime.current()
    sends = dataclasses.replace(here.settings, smtp_url="smtp://127.0.0.1:2525")
    monkeypatch.setattr(runtime, "_current", dataclasses.replace(here, settings=sends))
    assert "PORTAL_SMTP_URL" in client.get("/sandbox/mailbox?lang=en").text


@pytest.mark.engine("sqlite")
def test_the_pages_of_the_sandbox_need_no_session(shop, client) -> None:
    with facts(shop):
        visit_as(client, a_person())
    for path in ("/sandbox/", "/sandbox/mailbox", "/sandbox/components"):
        assert client.get(path).status_code == 200
