"""An open invoice by its pay link, as somebody sees it whom nobody knows; and as its owner ends the link."""

import re

import pytest

from portal.domain.vocabulary import OrderState, Role
from portal.models import AuditEntry, Document, Link, Order, Payment, PaymentMethod, Person
from portal.runtime import current
from portal.services.invoices import pay_links
from portal.services.payments import on_account
from tests import paying
from tests.attackers import Attacker
from tests.factories import a_member, a_person, a_workspace, owner_of, seen_by
from tests.pages import by_testid, parse, said_at, spaced
from tests.transferring import a_pay_link, bring, camt, ordered_on_account
from tests.transferring import paying as transferred
from tests.visiting import facts, post_form, visit_as

INVOICE = "/w/acme/invoices/INV-2026-000001"
CARD = {
    "number": "4242424242424242",
    "exp_month": "12",
    "exp_year": "2030",
    "security_code": "123",
    "holder": "Ada Roux",
}
WHOLE = {"quote": "21480 EUR"}


@pytest.fixture
def acme(app):
    with facts(app):
        return a_workspace()


@pytest.fixture
def invoice(app, acme):
    """Of 214.80 EUR, in a workspace with a saved card."""
    with facts(app):
        place = seen_by(owner_of(acme), acme)
        invoice = ordered_on_account(place)
        paying.pay(paying.an_order(place), auto_renewal=True)
        assert PaymentMethod.select().count() == 1
        return invoice


@pytest.fixture
def path(app, invoice):
    with facts(app):
        return a_pay_link(invoice)


@pytest.fixture
def owner(app, acme):
    with facts(app):
        return Attacker(app, owner_of(acme))


def state_of(app, invoice):
    with facts(app):
        return Order.get_by_id(invoice.order_id).state


def test_it_shows_the_invoice_and_how_to_pay_it_and_nothing_else(app, client, path, acme):
    answer = client.get(f"{path}?lang=en")
    page = answer.text
    shown = said_at(page, "to-pay-by-link")
    assert "Invoice INV-2026-000001" in page
    assert "€214.80 is to be paid by 21 December 2026." in spaced(page)
    assert "Acme SARL" in shown and "Remote" in shown
    assert said_at(page, "place-order") == "Pay €214.80"
    assert said_at(page, "pay-paypal") == "Pay €214.80 with PayPal"
    assert "FR76 3000 6000 0112 3456 7890 189" in said_at(page, "to-pay") and "<svg" in page
    for secret in ("4242", "saved", "/w/acme", "compta@acme.example", "auto_renewal"):
        assert secret not in page, secret
    assert (answer.headers["Referrer-Policy"], answer.headers["X-Robots-Tag"]) == ("same-origin", "noindex")
    assert answer.headers["Cache-Control"] == "no-store"
    assert '<meta name="robots" content="noindex">' in page
    # It opens nothing else.
    for other in ("/w/acme/history", INVOICE, f"{INVOICE}.pdf", "/w/acme/plans"):
        assert client.get(other).headers["Location"].startswith("/sign-in")


def test_it_speaks_the_language_of_the_letter_and_can_be_switched(client, path):
    french = client.get(f"{path}?lang=fr").text
    assert '<html lang="fr"' in french and "Payer par carte" in french
    [switch] = re.findall(rf'href="({path}\?lang=en)"', french)
    assert "Pay by card" in client.get(switch).text
    assert "Pay by card" in client.get(path).text


def test_a_card_pays_it_and_the_page_says_so(app, client, path, invoice):
    answer = post_form(client, f"{path}?lang=fr", **WHOLE, **CARD)
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    page = client.get(path).text
    assert "La facture INV-2026-000001 est payée" in page
    assert "La totalité de 214,80 € est payée" in spaced(page)
    assert not by_testid(parse(page), "place-order") and not by_testid(parse(page), "to-pay")
    assert state_of(app, invoice) == OrderState.PAID
    again = client.post(path, data={"csrf_token": token_of(page), **WHOLE, **CARD})
    assert (again.status_code, again.headers["Location"]) == (303, path)
    assert "Rien d’autre n’a été débité" in client.get(path).text
    with facts(app):
        assert PaymentMethod.select().count() == 1, "no card is kept"
        [entry] = AuditEntry.select().where(AuditEntry.action == "invoice.payment_begun")
        assert entry.changes["by_link"] is True


def token_of(page):
    return re.search(r'X-CSRFToken(?:&#34;|"): (?:&#34;|")([^"&]+)', page).group(1)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    {
        "declined": ({"number": "4000000000000002"}, "declined"),
        "a wrong digit": ({"number": "4242424242424241"}, "one of its digits is wrong"),
        "no holder": ({"holder": ""}, "Enter the name as it appears on the card."),
        "nothing": (dict.fromkeys(CARD, ""), "Enter the number of your card."),
    }.values(),
)
def test_what_is_wrong_stands_beside_its_field(app, client, path, invoice, changed, sentence):
    answer = post_form(client, f"{path}?lang=en", **WHOLE, **(CARD | changed))
    assert answer.status_code == 422
    assert sentence in said_at(answer.text, "error-summary")
    assert "4242424242424241" not in answer.text
    assert state_of(app, invoice) == OrderState.INVOICED


def test_a_saved_method_is_never_charged(app, client, path, invoice):
    with facts(app):
        saved, before = str(PaymentMethod.get().id), len(paying.paid_charges())
    answer = post_form(client, path, **WHOLE, method=saved)
    assert answer.status_code == 422
    with facts(app):
        assert len(paying.paid_charges()) == before


def test_another_amount_than_was_shown_is_shown_anew(app, client, path):
    page = client.get(f"{path}?lang=en").text
    with facts(app):
        invoice = pay_links.find(path.rpartition("/")[2], now=current().clock.now()).invoice
        bring(camt(transferred(invoice, 10_000)))
    answer = client.post(path, data={"csrf_token": token_of(page), **WHOLE, **CARD})
    assert answer.status_code == 409
    assert "What is to be paid has changed" in answer.text
    assert said_at(answer.text, "place-order") == "Pay €114.80"
    assert "Paid already" in answer.text


@pytest.mark.parametrize("answer", ["confirm", "refuse"])
def test_the_bank_asks_and_leads_back_by_a_link_of_its_own(app, client, path, invoice, answer):
    asked = post_form(client, f"{path}?lang=en", **WHOLE, **(CARD | {"number": paying.ASKS_ONCE}))
    assert asked.status_code == 303 and "/sandbox/3ds/" in asked.headers["Location"]
    waits = client.get(path).text
    assert "Confirm the payment" in waits and not by_testid(parse(waits), "place-order")
    back = post_form(client, asked.headers["Location"].partition("8000")[2], answer=answer)
    way_back = "/pay/" + back.headers["Location"].rpartition("/pay/")[2]
    assert way_back != path
    page = client.get(way_back).text
    if answer == "confirm":
        assert "Invoice INV-2026-000001 is paid" in page
        assert state_of(app, invoice) == OrderState.PAID
    else:
        assert by_testid(parse(page), "place-order")
        assert "error-summary" in page, "why, to who comes back"
        assert "error-summary" not in client.get(path).text, "and to nobody else"


def test_a_payment_that_waits_is_given_up_to_pay_another_way(app, client, path, invoice):
    post_form(client, f"{path}?lang=en", **WHOLE, **(CARD | {"number": paying.ASKS_ONCE}))
    left = post_form(client, f"{path}/leave", shown_at=path)
    assert (left.status_code, left.headers["Location"]) == (303, path)
    assert by_testid(parse(client.get(path).text), "place-order")
    assert post_form(client, path, **WHOLE, **CARD).status_code == 303
    assert state_of(app, invoice) == OrderState.PAID


def test_what_the_owner_is_paying_is_neither_shown_nor_stopped(app, client, owner, path, invoice):
    asked = owner.post(f"{INVOICE}/pay", {**WHOLE, **CARD, "method": "new", "number": paying.ASKS_ONCE})
    challenge = asked.headers["Location"]
    answer = client.get(f"{path}?lang=en")
    assert "A payment is being confirmed" in answer.text and challenge not in answer.text
    assert answer.headers["Refresh"] == "20"
    token = {"csrf_token": token_of(answer.text)}
    assert client.post(f"{path}/leave", data=token).status_code == 303
    with facts(app):
        assert [payment.state for payment in Payment.select().where(Payment.order == invoice.order_id)] == [
            "action_required"
        ]
    assert client.post(path, data={**token, **WHOLE, **CARD}).headers["Location"] == path
    with facts(app):
        assert Payment.select().where(Payment.order == invoice.order_id).count() == 1


def test_paid_by_the_owner_it_says_paid_to_whoever_has_the_form_open(app, client, owner, path):
    page = client.get(f"{path}?lang=en").text
    with facts(app):
        method = str(PaymentMethod.get().id)
    assert owner.post(f"{INVOICE}/pay", {**WHOLE, "method": method}).status_code == 303
    answer = client.post(path, data={"csrf_token": token_of(page), **WHOLE, **CARD})
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    paid = client.get(path).text
    assert "Nothing more was charged" in paid and "Invoice INV-2026-000001 is paid" in paid
    assert "4242" not in paid and "Visa" not in paid
    with facts(app):
        assert sorted(charge.amount_minor for charge in paying.paid_charges()) == [3360, 21480]


def test_its_documents_come_without_a_sign_in(app, client, path, invoice):
    assert "being prepared" in client.get(f"{path}.pdf?lang=en").text
    with facts(app):
        for locale in (*current().settings.locales, Document.E_INVOICE):
            Document.create(
                invoice=invoice.id,
                locale=locale,
                content=b"%PDF of it",
                sha256="x" * 64,
                created_at=current().clock.wall(),
            )
    for ending, kind in (("pdf", "application/pdf"), ("xml", "application/xml")):
        answer = client.get(f"{path}.{ending}")
        assert (answer.data, answer.headers["Content-Type"]) == (b"%PDF of it", kind)
        assert answer.headers["X-Robots-Tag"] == "noindex"


# --- its end --------------------------------------------------------------------------------------


def test_withdrawn_and_unknown_are_answered_alike_and_a_new_one_works(app, client, owner, path):
    with facts(app):
        visit_as(client, owner_of(a_workspace("Other")))
    answer = owner.post(f"{INVOICE}/pay-link")
    new = said_at(answer.text, "pay-link-address").removeprefix("http://127.0.0.1:8000")
    assert new not in owner.get(INVOICE).text, "it is shown once"
    assert client.get(new).status_code == 200
    gone, unknown = client.get(f"{path}?lang=en"), client.get(f"/pay/{'x' * 43}?lang=en")
    assert (gone.status_code, unknown.status_code) == (404, 404)
    assert "This link does not work any more" in gone.text
    assert plain(gone.text, path) == plain(unknown.text, f"/pay/{'x' * 43}")
    assert owner.post(f"{INVOICE}/pay-link/withdraw").headers["Location"] == INVOICE
    assert "No link to this invoice works any more." in owner.get(INVOICE).text
    for act in (new, f"{new}.pdf", f"{new}.xml"):
        assert client.get(act).status_code == 404
    assert post_form(client, new, shown_at="/terms", **WHOLE, **CARD).status_code == 404
    with facts(app):
        assert not Link.select().where(Link.invoice.is_null(False)).exists()
        assert len(paying.paid_charges()) == 1


def plain(page, path):
    return re.sub(r"(X-CSRFToken|csrf_token)[^>]*", "", page).replace(path, "it")


def test_it_is_withdrawn_while_the_card_is_typed(app, client, owner, path, invoice):
    page = client.get(path).text
    owner.post(f"{INVOICE}/pay-link/withdraw")
    answer = client.post(path, data={"csrf_token": token_of(page), **WHOLE, **CARD})
    assert answer.status_code == 404
    assert state_of(app, invoice) == OrderState.INVOICED


@pytest.mark.parametrize("role", [Role.BILLING_MANAGER, Role.ADMIN, Role.MEMBER])
def test_who_says_who_gets_billing_mail_withdraws_it(app, acme, path, role):
    with facts(app):
        person = a_person("somebody@acme.test")
        a_member(acme, person, role=role)
        visitor = Attacker(app, person)
    may = role == Role.BILLING_MANAGER
    assert ("withdraw-pay-link" in visitor.get(INVOICE).text) == may
    assert visitor.post(f"{INVOICE}/pay-link/withdraw").status_code == (303 if may else 403)


def test_operators_withdraw_it_too(app, acme, path, client):
    with facts(app):
        staff = a_person("staff@vendor.test")
        Person.update(is_operator=True).where(Person.id == staff.id).execute()
        operator = Attacker(app, staff)
    page = "/operator/workspaces/acme/pay-links"
    assert page in operator.get("/operator/workspaces/acme").text
    assert "INV-2026-000001" in said_at(operator.get(page).text, "pay-link-row")
    act = f"{page}/INV-2026-000001/withdraw"
    assert operator.post(act).headers["Location"] == page
    assert "No invoice of this workspace can be opened by a link now." in operator.get(page).text
    assert operator.post(act.replace("000001", "000099")).status_code == 404
    assert client.get(path).status_code == 404


def test_nothing_is_made_for_what_is_paid(app, owner, invoice):
    with facts(app):
        bring(camt(transferred(invoice)))
        assert on_account.open_of(invoice.workspace) == []
    assert owner.post(f"{INVOICE}/pay-link").headers["Location"] == INVOICE
    assert 'data-testid="pay-link"' not in owner.get(INVOICE).text
