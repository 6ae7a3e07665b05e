"""The page that corrects whom an invoice names: what it shows, what it does, and what it refuses."""

import re

import pytest

from portal.domain.vocabulary import Role
from portal.models import BillingDetails, Invoice
from tests import paying
from tests.correcting import RIGHT_NAME, corrected, settings_say
from tests.factories import owner_of
from tests.pages import by_testid, parse, text_of
from tests.transferring import ordered_on_account
from tests.visiting import seen_by
from tests.visitors import TOKEN

pytestmark = pytest.mark.engine("sqlite")
FIRST = "/w/acme/invoices/INV-2026-000001"


@pytest.fixture
def bought(acme):
    paying.buy(acme)
    settings_say(acme, company_name=RIGHT_NAME)
    return acme


def words(answer):
    return " ".join(text_of(parse(answer.get_data(as_text=True))).split())


def shown_by(page):
    [field] = parse(page.get_data(as_text=True)).findall(".//input[@name='shown']")
    return field.get("value")


def rows_of(page):
    rows = by_testid(parse(page.get_data(as_text=True)), "compared-row")
    return [" | ".join(" ".join(text_of(cell).split()) for cell in row.findall("td")) for row in rows]


def test_the_page_of_an_invoice_leads_there_and_back_to_the_new_one(bought, owner):
    [link] = by_testid(parse(owner.get(FIRST).get_data(as_text=True)), "correct-link")
    page = owner.get(link.get("href"))
    assert rows_of(page) == [f"Billed to | Acme SARL | {RIGHT_NAME}"]
    said = words(page)
    assert "A credit note for €33.60 cancels invoice INV-2026-000001 in full." in said
    assert "Nothing is charged and nothing is sent back." in said
    answer = owner.post(f"{FIRST}/correction", {"shown": shown_by(page)})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/invoices/INV-2026-000002")
    after = words(owner.get("/w/acme/invoices/INV-2026-000002"))
    assert "Invoice INV-2026-000002 replaces invoice INV-2026-000001. Both documents are mailed." in after
    assert "It replaces invoice INV-2026-000001, whose details were corrected." in after
    assert RIGHT_NAME in after
    before = owner.get(FIRST)
    assert (
        "Its details were corrected: invoice INV-2026-000002 replaces it, and credit note CN-2026-000001 "
        "cancels it in full." in words(before)
    )
    assert not by_testid(parse(before.get_data(as_text=True)), "correct-link")
    note = words(owner.get("/w/acme/invoices/CN-2026-000001"))
    assert "Invoice INV-2026-000002 replaces that one: nothing was sent back." in note


def test_in_french(bought, owner):
    owner.get("/w/acme/plans?lang=fr")
    page = owner.get(f"{FIRST}/correction?lang=fr")
    said = words(page)
    assert "Corriger la facture INV-2026-000001" in said
    assert "Rien n’est débité et rien n’est remboursé." in said
    assert rows_of(page) == [f"Facturé à | Acme SARL | {RIGHT_NAME}"]


def test_each_detail_has_its_name_and_lines(bought, owner):
    settings_say(
        bought, street="1 quai A", street2="Bât. <B>", purchase_order="PO 1\nRoom 2", email="a@b.test"
    )
    assert rows_of(owner.get(f"{FIRST}/correction")) == [
        f"Billed to | Acme SARL | {RIGHT_NAME}",
        "Address | 12 rue de la Paix75002 ParisFrance | 1 quai ABât. <B>75002 ParisFrance",
        "E-mail | compta@acme.example | a@b.test",
        "Additional remarks | nothing | PO 1Room 2",
    ]


def test_an_open_invoice_says_what_stays_to_be_paid(acme, owner):
    ordered_on_account(acme)
    settings_say(acme, company_name=RIGHT_NAME)
    page = owner.get(f"{FIRST}/correction")
    assert "What is to be paid stays the same: €214.80 by 21 December 2026." in words(page)
    owner.post(f"{FIRST}/correction", {"shown": shown_by(page)})
    assert "€214.80" in words(owner.get("/w/acme/invoices/INV-2026-000002"))
    old = words(owner.get(FIRST))
    assert "To be paid by bank transfer" not in old
    assert "StateCorrected" in old
    assert owner.get(f"{FIRST}/pay").status_code == 303


def test_nothing_differs(acme, owner):
    paying.buy(acme)
    page = owner.get(f"{FIRST}/correction")
    assert page.status_code == 200
    [said] = by_testid(parse(page.get_data(as_text=True)), "nothing-differs")
    assert "there is nothing to correct" in text_of(said)
    assert "/w/acme/billing-settings" in page.get_data(as_text=True)
    assert owner.post(f"{FIRST}/correction", {"shown": "x"}).status_code == 409
    assert Invoice.select().count() == 1


def test_what_has_changed_since_is_shown_anew(bought, owner):
    shown = shown_by(owner.get(f"{FIRST}/correction"))
    settings_say(bought, company_name="Acme Monde SARL")
    answer = owner.post(f"{FIRST}/correction", {"shown": shown})
    assert answer.status_code == 409
    assert "Nothing was corrected. Something has changed since you saw this page" in words(answer)
    assert rows_of(answer) == ["Billed to | Acme SARL | Acme Monde SARL"]
    assert owner.post(f"{FIRST}/correction", {"shown": shown_by(answer)}).status_code == 303


def test_the_second_of_two_is_led_to_the_new_one(bought, owner):
    shown = shown_by(owner.get(f"{FIRST}/correction"))
    assert owner.post(f"{FIRST}/correction", {"shown": shown}).status_code == 303
    answer = owner.post(f"{FIRST}/correction", {"shown": shown})
    assert answer.status_code == 409
    [newer] = by_testid(parse(answer.get_data(as_text=True)), "newer")
    assert [each.get("href") for each in newer.iter("a")] == ["/w/acme/invoices/INV-2026-000002"]
    assert Invoice.select().count() == 3


def test_with_htmx_the_part_is_swapped(bought, owner):
    page = owner.get(f"{FIRST}/correction")
    part = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "correction"}
    settings_say(bought, company_name="Acme Monde SARL")
    token = TOKEN.search(page.get_data(as_text=True).replace("&#34;", '"')).group(1)
    owner.headers |= part
    answer = owner.send(f"{FIRST}/correction", {"csrf_token": token, "shown": shown_by(page)})
    assert answer.status_code == 409
    assert "<html" not in answer.get_data(as_text=True)
    assert 'id="correction"' in answer.get_data(as_text=True)


def test_another_tax_is_refused_in_a_sentence(bought, owner):
    settings_say(bought, country="US", region="NY", postal_code="10001", city="New York")
    page = owner.get(f"{FIRST}/correction")
    assert page.status_code == 200
    assert "another VAT would apply, so the amount would change. Please contact us." in words(page)
    assert owner.post(f"{FIRST}/correction", {"shown": "x"}).status_code == 409


def test_without_billing_details_it_says_so(bought, owner):
    BillingDetails.delete().execute()
    assert "do not say yet whom to invoice" in words(owner.get(f"{FIRST}/correction"))


def test_what_is_no_invoice_of_theirs_is_not_there(app, bought, owner):
    corrected(bought, Invoice.get())
    assert owner.get("/w/acme/invoices/CN-2026-000001/correction").status_code == 404
    assert owner.get("/w/acme/invoices/INV-2026-000009/correction").status_code == 404
    other = seen_by(app, owner_of(paying.a_place("Berta", owner="Berta Berg").workspace))
    assert other.get("/w/berta/invoices/INV-2026-000002/correction").status_code == 404
    assert other.get(f"{FIRST}/correction").status_code == 404
    colleague = seen_by(app, paying.as_seen_by(bought, "Leo Roy", role=Role.ADMIN).member.person)
    assert colleague.get(f"{FIRST}/correction").status_code == 403
    assert not by_testid(
        parse(colleague.get("/w/acme/invoices/INV-2026-000002").get_data(as_text=True)), "correct-link"
    )


def test_the_history_shows_all_three_and_one_refund(bought, owner):
    corrected(bought, Invoice.get())
    page = parse(owner.get("/w/acme/history").get_data(as_text=True))
    rows = [" ".join(text_of(row).split()) for row in by_testid(page, "history-row")]
    numbers = [re.search(r"(INV|CN)-2026-[0-9]{6}", row)[0] for row in rows]
    assert numbers == ["INV-2026-000002", "CN-2026-000001", "INV-2026-000001"]
    assert ["Corrected" in row for row in rows] == [False, False, True]
    assert len(by_testid(page, "refund-link")) == 1
    assert "refund-link" in str(
        [each.get("data-testid") for each in by_testid(page, "history-row")[0].iter()]
    )
    plans = parse(owner.get("/w/acme/plans").get_data(as_text=True))
    corrected_there = [row for row in by_testid(plans, "history-row") if "Corrected" in text_of(row)]
    assert len(corrected_there) == 1


def test_whoever_holds_the_old_one_learns_the_new_number(app, bought, owner):
    first = Invoice.get()
    corrected(bought, first)
    code = first.facts["check"]["code"]
    page = words(owner.get(f"/check?number={first.number}&code={code}"))
    assert "invoice INV-2026-000002 has replaced it since" in page
    assert "Do not pay this one." in page
