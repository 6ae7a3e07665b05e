"""The history with its balance, the statement of a month, what months cost, and a year to take away."""

import csv
import hashlib
import io
from datetime import UTC, datetime
from zipfile import ZipFile

import pytest

from portal.database.connecting import database
from portal.domain.money import Money
from portal.domain.vocabulary import Role
from portal.models import Document, Invoice, OutboxMessage
from portal.runtime import current
from portal.services.members import invitations
from portal.services.payments import given_credits
from tests import paying
from tests.attackers import PART
from tests.factories import owner_of
from tests.pages import by_testid, parse, spaced, text_of
from tests.visiting import seen_by

# The pages; what they call is tested on both engines.
pytestmark = pytest.mark.engine("sqlite")


def a_reader(app, acme, role):
    return seen_by(app, paying.as_seen_by(acme, "Leo Roy", role=role).member.person)


def part_of(visitor, path, target):
    """What htmx gets for one element of a page."""
    try:
        return visitor.client.get(path, headers={**PART, "HX-Target": target})
    finally:
        # The end of a request hands the connection back; the test goes on reading.
        database.connect(reuse_if_open=True)


def credited(acme, clock, reason="An outage", minor=1000, key="k"):
    given_credits.give(acme.workspace, amount=Money(minor, "EUR"), reason=reason, key=key, now=clock.now())


def rows(answer, mark="history-row"):
    return [spaced(text_of(row)) for row in by_testid(parse(answer.text), mark)]


def balances(answer):
    return [text_of(each) for each in by_testid(parse(answer.text), "balance-after")]


# --- the history ----------------------------------------------------------------------------------


def test_each_row_has_the_balance_after_it_and_a_credit_its_reason(acme, owner, clock):
    credited(acme, clock, "<b>An outage</b>")
    clock.advance(hours=1)
    paying.buy(acme)
    page = owner.get("/w/acme/history")
    charge, credit = rows(page)
    assert "INV-2026-000001" in charge and "Business 5 – monthly" in charge and "€33.60" in charge
    assert "Visa •••• 4242 and balance" in charge
    assert "<b>An outage</b>" in credit and "−€10.00" in credit
    assert "<b>An outage</b>" not in page.text
    assert balances(page) == ["€0.00", "€10.00"]
    assert rows(page, "change-row")[0].endswith("Free trial became Business 5")


def test_pages_follow_each_other_and_nonsense_is_the_first(acme, owner, clock):
    for number in range(52):
        credited(acme, clock, f"Reason {number}", 100, key=f"k{number}")
    first = owner.get("/w/acme/history")
    assert len(rows(first)) == 50 and balances(first)[0] == "€52.00"
    [older] = by_testid(parse(first.text), "older")
    last = owner.get(older.get("href"))
    assert balances(last) == ["€2.00", "€1.00"]
    assert by_testid(parse(last.text), "older") == []
    for nonsense in ("1", "1-", "-1", "a-b", "1-2-3", "٣-1", "99999999999-1"):
        assert rows(owner.get(f"/w/acme/history?before={nonsense}")) == rows(first)
    assert rows(owner.get("/w/acme/history?before=9999999999-9999999999")) == rows(first)


def test_filters_keep_to_a_year_and_a_kind(acme, owner, clock):
    clock.set(datetime(2026, 12, 30, 9, tzinfo=UTC))
    credited(acme, clock)
    clock.set(datetime(2027, 1, 2, 9, tzinfo=UTC))
    paying.buy(acme)
    assert len(rows(owner.get("/w/acme/history?year=2026"))) == 1
    assert len(rows(owner.get("/w/acme/history?year=2027"))) == 1
    assert len(rows(owner.get("/w/acme/history?year=&kind="))) == 2
    page = owner.get("/w/acme/history?kind=credits")
    assert ["Credit" in row for row in rows(page)] == [True]
    assert "selected" in page.text.partition('value="credits"')[2].partition(">")[0]
    nothing = owner.get("/w/acme/history?kind=members")
    assert rows(nothing) == [] and "Nothing here" in nothing.text
    part = part_of(owner, "/w/acme/history?kind=plans", "section#ledger")
    assert part.text.lstrip().startswith("<section") and part.text.count('data-testid="change-row"') == 1


def test_a_member_sees_amounts_and_no_name_digit_or_document(app, acme, owner, clock):
    invitations.invite(acme, emails=["secret@acme.test"], role=Role.MEMBER, now=clock.now())
    paying.buy(acme)
    seen = owner.get("/w/acme/history").text
    assert "secret@acme.test was invited" in seen and "4242" in seen
    leo = a_reader(app, acme, Role.MEMBER)
    page = leo.get("/w/acme/history")
    assert "€33.60" in spaced(page.text) and balances(page) == ["€0.00"]
    assert "A member was invited" in page.text
    for hidden in ("secret@", "4242", "owner@", ".pdf", "history/download", "Ada"):
        assert hidden not in text_of(next(parse(page.text).iter("main"))) + page.text.partition("<main")[2]
    statement = leo.get("/w/acme/history/statement")
    assert len(rows(statement, "statement-row")) == 2 and "4242" not in statement.text
    assert leo.get("/w/acme/history/download/2026.csv").status_code == 403


# --- the statement of a month ---------------------------------------------------------------------


def test_a_statement_goes_from_the_first_balance_to_the_last(acme, owner, clock):
    credited(acme, clock)
    clock.set(datetime(2026, 12, 5, 9, tzinfo=UTC))
    paying.buy(acme)
    page = owner.get("/w/acme/history/statement?month=2026-12")
    marks = {
        name: text_of(by_testid(parse(page.text), f"statement-{name}")[0])
        for name in ("opening", "invoice", "payment", "closing", "customer")
    }
    assert marks == {
        "opening": "€10.00",
        "invoice": "−€33.60",
        "payment": "€23.60",
        "closing": "€0.00",
        "customer": acme.workspace.customer_number,
    }
    assert len(rows(page, "statement-row")) == 2
    november = owner.get("/w/acme/history/statement?month=2026-11")
    assert "Balance at the end of 30 November 2026" in spaced(november.text)
    assert "An outage" in rows(november, "statement-row")[0]
    french = owner.get("/w/acme/history/statement?month=2026-12&lang=fr")
    assert "Relevé mensuel" in french.text and "décembre" in french.text


@pytest.mark.parametrize(
    "query", ["month=2026-13", "month=2020-01", "month=x", "currency=JPY", "month=2027-01"]
)
def test_a_month_or_currency_that_is_not_there_is_not_found(acme, owner, query):
    assert owner.get(f"/w/acme/history/statement?{query}").status_code == 404


def test_without_any_row_the_pages_say_so(acme, owner):
    assert "Nothing in this month" in owner.get("/w/acme/history/statement").text
    assert "Nothing was spent" in owner.get("/w/acme/history/spending").text
    assert "There is no document of 2026" in owner.get("/w/acme/history/download").text
    assert owner.get("/w/acme/history/download/2026.zip").status_code == 404


def test_spending_is_drawn_with_a_title_a_text_and_a_table(acme, owner, clock):
    paying.buy(acme)
    credited(acme, clock)
    page = owner.get("/w/acme/history/spending")
    assert len(by_testid(parse(page.text), "spending-row")) == 12
    assert text_of(by_testid(parse(page.text), "spending-total")[0]) == "€33.60"
    assert 'aria-labelledby="spending-chart-title spending-chart-description"' in page.text
    assert "most in November 2026: €33.60" in spaced(page.text)
    assert page.text.count("<rect ") == 1 and 'height="132"/>' in page.text
    assert "style=" not in page.text.partition("<main")[2]


# --- a year to take away --------------------------------------------------------------------------


def listed(answer, separator=","):
    return list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig")), delimiter=separator))


def test_the_list_of_a_year_is_safe_to_open_and_its_numbers_are_numbers(acme, owner, clock):
    for number, sign in enumerate(("=1+1", "+1", "-1", "@SUM(A1)", "\N{FULLWIDTH EQUALS SIGN}1")):
        credited(acme, clock, sign, 100, key=f"k{number}")
    paying.buy(acme)
    answer = owner.get("/w/acme/history/download/2026.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="acme-2026.csv"'
    assert answer.headers["Content-Type"].startswith("text/csv")
    head, *body = listed(answer)
    assert head == ["Date", "Kind", "Document", "Order", "Amount", "Currency", "Balance", "Reason"]
    assert all(row[-1].startswith("'") for row in body[:5])
    assert [row[4] for row in body] == ["1.00"] * 5 + ["-33.60", "28.60"]
    assert [row[6] for row in body][-2:] == ["-28.60", "0.00"]
    assert (body[-2][1], body[-2][2]) == ("Invoice", "INV-2026-000001")
    head, *body = listed(owner.get("/w/acme/history/download/2026.csv?lang=fr"), ";")
    assert (head[0], head[4], body[-2][1], body[-2][4]) == ("Date", "Montant", "Facture", "-33,60")


@pytest.mark.parametrize("year", ["2025", "2027", "x", "20260", "2026%0a"])
def test_a_year_that_is_not_the_workspaces_is_not_found(acme, owner, year):
    for path in (f"/w/acme/history/download/{year}.csv", f"/w/acme/history/download/{year}.zip"):
        assert owner.get(path).status_code == 404
    assert owner.post("/w/acme/history/download", {"year": year}).status_code == 404


def test_the_documents_of_a_year_are_asked_for_followed_and_downloaded(acme, owner, clock):
    paying.buy(acme)
    OutboxMessage.delete().execute()
    page = owner.get("/w/acme/history/download")
    assert text_of(by_testid(parse(page.text), "archive-progress")[0]) == "0 of 1"
    assert "Refresh" not in page.headers
    answer = owner.post("/w/acme/history/download", {"year": "2026"})
    assert answer.headers["Location"] == "/w/acme/history/download?year=2026&waits=1"
    [asked] = OutboxMessage.select()
    assert asked.payload == {"workspace_id": acme.workspace.id, "year": 2026, "locale": "en"}
    waits = owner.get(answer.headers["Location"])
    assert waits.headers["Refresh"] == "3" and "every 2s" in waits.text
    assert owner.get("/w/acme/history/download/2026.zip").status_code == 303
    content = b"%PDF-1.7"
    Document.create(
        invoice=Invoice.get(),
        locale="en",
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        created_at=current().clock.wall(),
    )
    part = part_of(owner, answer.headers["Location"], "div#archive")
    assert "every 2s" not in part.text and "Refresh" not in part.headers
    assert 'href="/w/acme/history/download/2026.zip"' in part.text
    with owner.get("/w/acme/history/download/2026.zip") as download:
        assert download.headers["Content-Disposition"] == "attachment; filename=acme-2026.zip"
        packed = io.BytesIO(download.get_data())
    with ZipFile(packed) as archive:
        assert archive.read("2026/INV-2026-000001.pdf") == content
    # Nobody has asked for the French ones.
    french = owner.get("/w/acme/history/download?lang=fr")
    assert text_of(by_testid(parse(french.text), "archive-progress")[0]) == "0 sur 1"


def test_nobody_elses_year_is_packed(app, acme, owner):
    paying.buy(acme)
    other = paying.a_place("Other", owner="Otto Other")
    stranger = seen_by(app, owner_of(other.workspace))
    for path in ("download", "download/2026.csv", "download/2026.zip", "statement", "spending"):
        assert stranger.get(f"/w/acme/history/{path}").status_code == 404
        assert "INV-2026-000001" not in stranger.get(f"/w/other/history/{path}").text
