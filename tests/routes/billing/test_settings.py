"""Billing settings: fields by country, values for the next document, two people who do not overwrite."""

import pytest

from portal.domain.vocabulary import ChangeNotices, Role, WhoMayBuy
from portal.models import AuditEntry, BillingDetails, Invoice, Member, VatCheck, Workspace
from portal.services.subscriptions import agreement
from tests.factories import a_member, a_person, owner_of
from tests.pages import by_testid, csrf_of, parse, text_of
from tests.paying import a_place, an_open_order, an_order, pay
from tests.visiting import facts, post_form, visit_as

PAGE = "/w/acme/billing-settings"
FIELDS = {
    "is_business": "y",
    "company_name": "Acme SARL",
    "first_name": "Jeanne",
    "last_name": "Martin",
    "country": "FR",
    "street": "12 rue de la Paix",
    "postal_code": "75002",
    "city": "Paris",
    "legal_status": "SARL",
    "legal_number": "732 829 320 00074",
    "vat_number": "fr 44 732 829 320",
    "email": "books@acme.test",
    "email_confirm": "books@acme.test",
    "purchase_order": "PO 4711\r\nBâtiment B",
    "change_notices": "each",
    "who_may_buy": "any_member",
}


@pytest.fixture
def place(app, client):
    with facts(app):
        place = a_place()
        visit_as(client, owner_of(place.workspace))
        return place


def version_of(html):
    return {field.get("name"): field.get("value") for field in parse(html).iter("input")}["version"]


def save(client, **changed):
    version = version_of(client.get(PAGE).text)
    return post_form(client, PAGE, **{**FIELDS, "version": version, **changed})


def controls(html):
    page = parse(html)
    return {each.get("name") for tag in ("input", "select", "textarea") for each in page.iter(tag)}


def test_the_next_document_has_what_is_saved_and_no_earlier_one(app, client, place) -> None:
    with facts(app):
        pay(an_order(place))
        before = Invoice.get().facts
    answer = save(client)
    assert (answer.status_code, answer.location) == (303, PAGE)
    with facts(app):
        known = BillingDetails.get()
        assert (known.legal_number, known.legal_status) == ("73282932000074", "SARL")
        assert (known.vat_number, known.vat_status) == ("FR44732829320", "unchecked")
        assert Invoice.get().facts == before
        pay(an_order(place, company_name="Acme SARL", vat_number="FR44732829320"))
        earlier, later = Invoice.select().order_by(Invoice.id)
        assert earlier.facts == before and before["purchase_order"] is None
        assert later.facts["purchase_order"] == "PO 4711\nBâtiment B"
        assert later.facts["buyer"]["legal_number"] == "73282932000074"
        assert AuditEntry.get(AuditEntry.action == "billing.settings_changed").changes["legal_number.changed"]
        assert "Paix" not in str(AuditEntry.get(AuditEntry.action == "billing.settings_changed").changes)


@pytest.mark.parametrize(
    ("country", "has", "lacks", "label"),
    [
        ("FR", {"legal_status", "legal_number", "vat_number"}, {"tax_number"}, "SIREN / SIRET"),
        ("CH", {"legal_status", "legal_number", "vat_number"}, {"tax_number"}, "IDE / UID"),
        ("DE", {"vat_number"}, {"legal_status", "legal_number", "tax_number"}, "USt-IdNr."),
        ("AU", {"tax_number"}, {"legal_status", "legal_number", "vat_number"}, "ABN"),
        ("CA", {"tax_number", "region"}, {"legal_number", "vat_number"}, "GST/HST"),
    ],
)
def test_the_fields_follow_the_country(client, place, country, has, lacks, label) -> None:
    answer = post_form(client, PAGE, **{**FIELDS, "country": country, "update": "y"})
    assert answer.status_code == 200
    names = controls(answer.text)
    assert has <= names and not lacks & names
    assert label in text_of(parse(answer.text))


def test_another_country_drops_what_no_longer_applies(client, place) -> None:
    html = post_form(client, PAGE, **{**FIELDS, "country": "SE", "update": "y"}).text
    for gone in ("732 829 320", "fr 44", 'value="SARL"'):
        assert gone not in html
    assert "Acme SARL" in html and "PO 4711" in html


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"legal_number": "732 829 321"}, "one of its digits is wrong"),
        ({"legal_number": "12"}, "for example 732 829 320"),
        ({"legal_status": "GmbH"}, "Choose an option from the list."),
        ({"vat_number": "FR 45 732 829 320"}, "one of its digits is wrong"),
        ({"electronic_address": "nowhere"}, "the code of the scheme, a colon and the address"),
        ({"purchase_order": "4242 4242 4242 4242"}, "A card number was typed here."),
        ({"purchase_order": "PO 𓀀"}, "Invoices cannot show 𓀀."),
        ({"purchase_order": "x" * 301}, "Use 300 characters or fewer"),
        ({"company_name": ""}, "Enter the name of your company."),
        ({"postal_code": "ABC"}, "Enter a postal code from this country"),
        ({"change_notices": "never"}, "Choose an option from the list."),
        ({"who_may_buy": "nobody"}, "Choose an option from the list."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(app, client, place, changed, sentence) -> None:
    answer = save(client, **changed)
    assert answer.status_code == 422
    assert sentence in text_of(parse(answer.text))
    [name] = changed
    assert by_testid(parse(answer.text), "error-summary")
    with facts(app):
        assert not BillingDetails.select().exists(), name


def test_a_private_person_has_no_numbers(app, client, place) -> None:
    answer = save(client, is_business="", legal_number="12", vat_number="x", electronic_address="y")
    assert answer.status_code == 303
    with facts(app):
        known = BillingDetails.get()
        assert (known.company_name, known.legal_number, known.vat_number) == ("", "", "")
        assert (known.legal_status, known.electronic_address) == ("", "")


def test_who_buys_and_how_often_we_write_need_no_address(app, client, place) -> None:
    blank = dict.fromkeys(FIELDS, "") | {"is_business": "y", "country": "FR"}
    chosen = {"change_notices": "monthly", "who_may_buy": "billing", "hides_plans_from_members": "y"}
    assert save(client, **blank | chosen).status_code == 303
    with facts(app):
        acme = Workspace.get(Workspace.slug == "acme")
        assert acme.change_notices is ChangeNotices.MONTHLY
        assert acme.who_may_buy is WhoMayBuy.BILLING and acme.hides_plans_from_members
        assert not BillingDetails.select().exists()
    remarks = save(client, **blank | chosen | {"purchase_order": "PO 1"})
    assert remarks.status_code == 422 and "Enter whom to invoice as well" in remarks.text


@pytest.mark.parametrize("role", [Role.BILLING_MANAGER, Role.MEMBER], ids=["billing manager", "upgrader"])
def test_only_an_owner_decides_who_buys(app, client, place, role) -> None:
    with facts(app):
        paul = a_person("paul@acme.test", name="Paul Roux")
        a_member(place.workspace, paul, role=role)
        Member.update(is_upgrader=role == Role.MEMBER).where(Member.person == paul).execute()
        visit_as(client, paul)
    page = client.get(PAGE).text
    assert "who_may_buy" not in controls(page)
    assert "Only an owner can change this." in page and "Any full member" in page
    answer = save(client, who_may_buy="billing", hides_plans_from_members="y", change_notices="monthly")
    assert answer.status_code == 303
    with facts(app):
        acme = Workspace.get(Workspace.slug == "acme")
        assert acme.who_may_buy is WhoMayBuy.ANY_MEMBER and not acme.hides_plans_from_members
        assert acme.change_notices is ChangeNotices.MONTHLY


def test_the_second_of_two_is_shown_both_values(app, client, place) -> None:
    html = client.get(PAGE).text
    shown, token = version_of(html), csrf_of(html)
    assert save(client, company_name="Acme First").status_code == 303
    mine = {**FIELDS, "company_name": "Acme Second", "csrf_token": token}
    refused = client.post(PAGE, data={**mine, "version": shown})
    assert refused.status_code == 409
    said = text_of(parse(refused.text))
    assert "Acme First" in said and "Acme Second" in said
    with facts(app):
        assert BillingDetails.get().company_name == "Acme First"
    assert client.post(PAGE, data={**mine, "version": version_of(refused.text)}).status_code == 303
    with facts(app):
        assert BillingDetails.get().company_name == "Acme Second"


def test_saving_what_stands_changes_nothing(app, client, place) -> None:
    assert save(client).status_code == 303
    assert save(client, email_confirm="").status_code == 303
    assert "Nothing was changed." in client.get(PAGE).text
    with facts(app):
        assert AuditEntry.select().where(AuditEntry.action == "billing.settings_changed").count() == 1


def test_it_is_open_while_blocked(app, client, place, clock) -> None:
    with facts(app):
        pay(an_order(place))
    clock.advance(days=120)
    with facts(app):
        assert agreement.of_workspace(place.workspace)
    assert client.get(PAGE).status_code == 200


def test_the_checkout_begins_with_them(app, client, place) -> None:
    assert save(client).status_code == 303
    with facts(app):
        number = an_open_order(place).number
    html = client.get(f"/w/acme/checkout/{number}").text
    assert 'value="12 rue de la Paix"' in html and 'value="FR44732829320"' in html


def test_where_nobody_asks_the_register_nothing_is_said_of_it(client, place) -> None:
    assert save(client).status_code == 303
    assert not by_testid(parse(client.get(PAGE).text), "register-says")


@pytest.mark.settings(PORTAL_VIES_URL="http://127.0.0.1:9/check-vat-number")
def test_the_page_says_what_the_register_said(app, client, place, clock) -> None:
    assert save(client).status_code == 303
    assert "has not answered about FR44732829320" in client.get(PAGE).text
    with facts(app):
        answer = {"workspace": place.workspace, "vat_number": "FR44732829320", "answered_at": clock.now()}
        VatCheck.create(is_valid=True, consultation_number="WAPI1", **answer)
    assert "(consultation number WAPI1)" in client.get(PAGE).text
    with facts(app):
        VatCheck.create(is_valid=False, consultation_number="", **answer)
    assert "did not know FR44732829320" in client.get(PAGE).text
