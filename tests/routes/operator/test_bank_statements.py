"""The operators' pages of bank statements: files sent, refused in words, and what became of each line."""

from io import BytesIO

import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from portal.models import BankCsvUpload, BankStatement, BankTransfer
from portal.runtime import current
from portal.services import ledger
from portal.services.payments import bank_statements
from portal.worker.jobs import drain_outbox
from tests.factories import a_catalogue, a_person, a_workspace, owner_of, seen_by
from tests.pages import by_testid, check_page, csrf_of, parse, spaced, text_of
from tests.paying import an_order, pay
from tests.transferring import Line, an_open_invoice, bring, camt, paying, told
from tests.visiting import facts, visit_as

# What the pages call is tested on both engines.
pytestmark = pytest.mark.engine("sqlite")
INDEX = "/operator/bank-statements"


@pytest.fixture
def place(app):
    with facts(app):
        a_catalogue()
        return seen_by(owner_of(workspace := a_workspace()), workspace)


@pytest.fixture
def staff(app, client, place):
    with facts(app):
        visit_as(client, a_person("staff@vendor.test", operator=True))
    return client


def send(staff, content, name="statement.xml"):
    page = staff.get(INDEX).text
    file = FileStorage(BytesIO(content), filename=name, name="file")
    boundary, body = encode_multipart({"csrf_token": csrf_of(page), "file": file})
    return staff.post(INDEX, data=body, content_type=f"multipart/form-data; boundary={boundary}")


def rows(response, name="transfer-row"):
    return [spaced(text_of(row)) for row in by_testid(parse(response.text), name)]


def test_a_statement_is_imported_and_its_lines_say_what_became_of_them(app, staff, place):
    with facts(app):
        invoice = an_open_invoice(place)
        content = camt(paying(invoice), Line(100, texts=["Merci <b>"]), Line(7, is_debit=True))
    answer = send(staff, content)
    assert answer.status_code == 303
    page = staff.get(answer.location)
    check_page(page)
    matched, waits, ignored = rows(page)
    assert "Matched" in matched and "Acme" in matched and invoice.number in matched
    assert "To decide" in waits and "Merci <b>" in waits
    assert "Not ours" in ignored
    only = staff.get(f"{answer.location}?show=waiting")
    assert len(rows(only)) == 1
    listing = staff.get(INDEX)
    check_page(listing)
    [row] = rows(listing, "statement-row")
    assert "statement.xml" in row and "20 November 2026" in row
    assert "Bank statements (1)" in staff.get("/operator/").text
    again = send(staff, content)
    assert again.location == answer.location
    assert "imported before" in staff.get(again.location).text
    with facts(app):
        assert BankStatement.select().count() == 1


def test_a_large_file_is_matched_by_the_worker_and_the_page_says_so(app, staff, place, monkeypatch):
    monkeypatch.setattr(bank_statements, "MATCHED_AT_ONCE", 1)
    with facts(app):
        invoice = an_open_invoice(place)
    answer = send(staff, camt(paying(invoice), Line(7, texts=["?"])))
    page = staff.get(answer.location)
    check_page(page)
    assert "2 transfers are still being matched." in page.text
    with facts(app):
        assert told() == [("received", "none")] * 2
        drain_outbox(current(), limit=100)
        assert told() == [("matched", "reference"), ("parked", "unknown")]
    assert "still being matched" not in staff.get(answer.location).text


def refusal(staff, content, name="statement.xml"):
    """What is said beside the field."""
    answer = send(staff, content, name)
    assert answer.status_code == 422
    page = check_page(answer)
    [error] = [each for each in page.iter() if each.get("id") == "file-error"]
    return spaced(text_of(error))


def test_every_bad_file_is_refused_beside_the_field_and_nothing_is_imported(app, staff):
    from tests.domain.test_bank_files import BAD

    small = {name: content for name, (content, _fault) in BAD.items() if len(content) < 10**6}
    said = {name: refusal(staff, content) for name, content in small.items()}
    with facts(app):
        assert [model.select().count() for model in (BankStatement, BankTransfer, BankCsvUpload)] == [0, 0, 0]
    assert "DOCTYPE" in said["a DOCTYPE"]
    assert (
        "do not add up: they come to 1.00 EUR, and the statement says 1.01 EUR"
        in said["a wrong closing balance"]
    )
    assert "NL91ABNA0417164300" in said["another account"]
    assert said["cut off"].startswith("Line 2:")
    assert all(said.values())


def test_a_hundred_megabytes_are_refused_beside_the_field(staff):
    answer = send(staff, b"<a>" + b" " * 100 * 1024 * 1024)
    assert answer.status_code == 303
    page = staff.get(answer.location)
    assert page.status_code == 413
    assert "This file is larger than 16 MB." in page.text
    just_above = send(staff, b"<a>" + b" " * 16 * 1024 * 1024)
    assert just_above.status_code == 422
    assert "This file is larger than 16 MB." in just_above.text


def test_for_others_the_usual_limit_stands_and_the_page_does_not_exist(app, client, place):
    with facts(app):
        visit_as(client, place.member.person)
    assert client.get(INDEX).status_code == 404
    assert client.post(INDEX, data={"file": "x" * 3 * 1024 * 1024}).status_code == 413


def test_no_file_and_a_name_that_is_no_name(app, staff):
    page = staff.get(INDEX).text
    missing = staff.post(INDEX, data={"csrf_token": csrf_of(page)})
    assert (missing.status_code, "Choose a file of your bank." in missing.text) == (422, True)
    with facts(app):
        content = camt(Line(1, texts=["?"]))
    answer = send(staff, content, "../<b>\u202e" + "x" * 400 + ".xml")
    assert answer.status_code == 303
    check_page(staff.get(answer.location))


# --- CSV ------------------------------------------------------------------------------------------

TABLE = (
    "Date;Libellé;Nom;IBAN;Montant\n"
    "20/11/2026;RF94INV2026000001;Acme SARL;DE89370400440532013000;33,60\n"
    "21/11/2026;=1+1;Banque;;-3,50\n"
)


def hidden_of(page):
    """The fields of the form that imports."""
    form = next(
        form
        for form in parse(page.text).iter("form")
        if any(b.get("data-testid") == "import-rows" for b in form.iter("button"))
    )
    return {each.get("name"): each.get("value") for each in form.iter("input")}


def test_a_table_is_shown_before_anything_is_imported_and_remembered(app, staff, place):
    with facts(app):
        invoice = an_open_invoice(place)
    answer = send(staff, TABLE.encode("cp1252"), "b.csv")
    columns = staff.get(answer.location)
    check_page(columns)
    assert by_testid(parse(columns.text), "import-rows") == []
    with facts(app):
        assert BankTransfer.select().count() == 0
    chosen = "separator=%3B&has_header=y&date=1&date_format=dd%2Fmm%2Fyyyy&amount=5&decimal=%2C&currency=EUR"
    chosen += "&payer_name=3&payer_iban=4&text1=2&text2=0&debit=0&currency_column=0&reference=0"
    chosen += "&bank_reference=0&account=0"
    shown = staff.get(f"{answer.location}?{chosen}")
    check_page(shown)
    first, second = rows(shown, "preview-row")
    assert "20 November 2026" in first and "€33.60" in first
    assert "=1+1" in second
    done = staff.post(answer.location, data=hidden_of(shown))
    assert done.status_code == 303
    with facts(app):
        assert told() == [("matched", "reference"), ("ignored", "debit")]
        assert ledger.status_of(invoice).value == "paid"
        assert BankCsvUpload.select().count() == 0
    # The next one of that bank: shown at once.
    later = send(staff, TABLE.replace("20/11", "22/11").encode(), "c.csv")
    page = staff.get(later.location)
    assert "The columns are those that you chose" in page.text
    assert len(rows(page, "preview-row")) == 2
    discarded = staff.post(f"{later.location}/discard", data={"csrf_token": csrf_of(page.text)})
    assert discarded.status_code == 303
    assert staff.get(later.location).status_code == 404


def test_columns_that_do_not_fit_say_why_and_import_nothing(app, staff):
    answer = send(staff, TABLE.encode(), "b.csv")
    base = "separator=%3B&has_header=y&date=1&date_format=yyyy-mm-dd&amount=5&decimal=%2C&currency=EUR"
    wrong = staff.get(f"{answer.location}?{base}")
    check_page(wrong)
    assert "“20/11/2026” is not a date like yyyy-mm-dd." in wrong.text
    fields = {"csrf_token": csrf_of(wrong.text), "separator": ";", "date": "1", "date_format": "yyyy-mm-dd"}
    fields |= {"amount": "5", "decimal": ",", "currency": "EUR", "has_header": "y"}
    assert staff.post(answer.location, data=fields).status_code == 422
    for garbage in ("?date=99&amount=x&separator=%00", "?date=&amount=", "?separator=xyz&date=1"):
        assert staff.get(f"{answer.location}{garbage}").status_code == 200
    assert staff.post(answer.location, data=fields | {"date": "²"}).status_code == 422
    with facts(app):
        assert BankTransfer.select().count() == 0


# --- what an operator says ------------------------------------------------------------------------


@pytest.fixture
def waiting(app, staff, place):
    """One that names nothing, over 40 EUR, beside an open invoice of 33.60."""
    with facts(app):
        invoice = an_open_invoice(place)
        bring(camt(Line(4000, texts=["Merci"])))
        return BankTransfer.get(), invoice


def address_of(transfer):
    return f"/operator/bank-transfers/{transfer.id}"


def form_of(page, testid):
    form = next(
        form
        for form in parse(page.text).iter("form")
        if any(b.get("data-testid") == testid for b in form.iter("button"))
    )
    fields = {}
    for each in form.iter("input"):
        fields.setdefault(each.get("name"), []).append(each.get("value"))
    return form.get("action"), fields


def test_it_is_found_shown_and_matched(app, staff, waiting):
    transfer, invoice = waiting
    listing = staff.get("/operator/bank-transfers")
    check_page(listing)
    assert len(rows(listing)) == 1
    for search in ("acme", "C-000001", invoice.number.lower()):
        found = staff.get(f"{address_of(transfer)}?q={search}")
        check_page(found)
        assert f"{invoice.number} of 21 November 2026, €33.60 open" in spaced(text_of(parse(found.text)))
    assert "Nothing was found" in staff.get(f"{address_of(transfer)}?q=zzz").text
    shown = staff.get(f"{address_of(transfer)}?workspace=acme&invoice={invoice.number}")
    check_page(shown)
    assert rows(shown, "covered-row") == [f"{invoice.number} €33.60 €0.00"]
    assert "€6.40" in shown.text
    action, fields = form_of(shown, "match")
    assert staff.post(action, data=fields).status_code == 303
    with facts(app):
        assert told() == [("matched", "operator")]
    # A colleague who had the page open.
    late = staff.post(action, data=fields)
    assert late.status_code == 409
    check_page(late)
    assert "somebody has decided about this transfer already" in late.text
    check_page(staff.get(address_of(transfer)))


def test_what_changed_since_is_shown_again(app, staff, waiting):
    transfer, invoice = waiting
    shown = staff.get(f"{address_of(transfer)}?workspace=acme&invoice={invoice.number}")
    action, fields = form_of(shown, "match")
    with facts(app):
        bring(camt(paying(invoice, 1000), number="S-2"))
    again = staff.post(action, data=fields)
    assert again.status_code == 409
    check_page(again)
    assert rows(again, "covered-row") == [f"{invoice.number} €23.60 €0.00"]
    action, fields = form_of(again, "match")
    assert staff.post(action, data=fields).status_code == 303


def test_it_is_set_aside_with_a_reason(app, staff, waiting):
    transfer, _invoice = waiting
    page = staff.get(address_of(transfer))
    token = csrf_of(page.text)
    empty = staff.post(f"{address_of(transfer)}/set-aside", data={"csrf_token": token, "note": " "})
    assert (empty.status_code, "Say why" in empty.text) == (422, True)
    check_page(empty)
    done = staff.post(f"{address_of(transfer)}/set-aside", data={"csrf_token": token, "note": "A <gift>"})
    assert done.status_code == 303
    after = staff.get(address_of(transfer))
    check_page(after)
    assert "A &lt;gift&gt;" in after.text


def test_a_proposal_is_confirmed_or_declined(app, staff, place):
    with facts(app):
        invoice = an_open_invoice(place)
        bring(camt(Line(texts=[invoice.number]), Line(1, texts=[invoice.number])))
        first, second = BankTransfer.select().order_by(BankTransfer.id)
    page = staff.get(address_of(first))
    check_page(page)
    action, fields = form_of(page, "match")
    assert staff.post(action, data=fields).status_code == 303
    action, fields = form_of(staff.get(address_of(second)), "decline")
    assert staff.post(action, data=fields).status_code == 303
    with facts(app):
        assert told() == [("matched", "operator"), ("parked", "unknown")]


def test_what_the_bank_took_back_is_chosen(app, staff, place):
    with facts(app):
        invoice = an_open_invoice(place)
        bring(camt(paying(invoice), paying(invoice)))
        bring(camt(Line(3360, iban="", is_debit=True, is_return=True), number="S-2", opening=6720))
        taken, _other, taking = BankTransfer.select().order_by(BankTransfer.id)
    page = staff.get(address_of(taking))
    check_page(page)
    action, fields = form_of(page, "take-back")
    fields = {"csrf_token": fields["csrf_token"]}
    none = staff.post(action, data=fields)
    assert (none.status_code, "Choose the transfer" in none.text) == (422, True)
    assert staff.post(action, data=fields | {"taken": str(taken.id)}).status_code == 303
    assert staff.post(action, data=fields | {"taken": str(taken.id)}).status_code == 409
    for each in (taken, taking):
        page = staff.get(address_of(each))
        check_page(page)
        assert "See the other movement" in page.text
    with facts(app):
        assert told() == [("returned", "reference"), ("matched", "reference"), ("matched", "operator")]


def test_a_match_is_undone_after_a_look_and_with_a_reason(app, staff, waiting):
    transfer, invoice = waiting
    shown = staff.get(f"{address_of(transfer)}?workspace=acme&invoice={invoice.number}")
    action, fields = form_of(shown, "match")
    staff.post(action, data=fields)
    matched = staff.get(address_of(transfer))
    check_page(matched)
    assert f"{address_of(transfer)}/undo" in matched.text
    page = staff.get(f"{address_of(transfer)}/undo")
    check_page(page)
    assert rows(page, "opened-row") == [f"{invoice.number} 21 December 2026 €33.60"]
    assert "€6.40" in page.text
    action, fields = form_of(page, "undo-confirm")
    empty = staff.post(action, data=fields | {"note": " "})
    check_page(empty)
    assert (empty.status_code, "Say why this match was wrong." in empty.text) == (422, True)
    done = staff.post(action, data=fields | {"note": "The <other> Acme"})
    assert done.location.endswith(address_of(transfer))
    after = staff.get(done.location)
    check_page(after)
    assert "The &lt;other&gt; Acme" in after.text and "An operator undid its match." in after.text
    late = staff.post(action, data=fields | {"note": "Again"})
    assert (late.status_code, "somebody has decided" in late.text) == (409, True)
    with facts(app):
        assert told() == [("parked", "operator")]


def test_a_match_whose_money_was_spent_says_how_much_and_is_left(app, staff, place):
    with facts(app):
        invoice = an_open_invoice(place)
        bring(camt(paying(invoice, 5000)))
        transfer = BankTransfer.get()
    action, fields = form_of(staff.get(f"{address_of(transfer)}/undo"), "undo-confirm")
    with facts(app):
        pay(an_order(place, "business-10"))
    late = staff.post(action, data=fields | {"note": "Wrong"})
    assert late.status_code == 409
    check_page(late)
    page = staff.get(f"{address_of(transfer)}/undo")
    check_page(page)
    assert "€16.40 of it was spent since" in page.text and "undo-confirm" not in page.text
    with facts(app):
        assert told() == [("matched", "reference")]


def test_what_is_not_there(staff, waiting):
    transfer, _invoice = waiting
    for path in ("/operator/bank-statements/999", "/operator/bank-transfers/999", f"{INDEX}/csv/999"):
        assert staff.get(path).status_code == 404
    assert staff.get("/operator/bank-transfers/999/undo").status_code == 404
    assert staff.get(f"{address_of(transfer)}?workspace=nobody").status_code == 404
