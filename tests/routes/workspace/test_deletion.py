"""Leaving: the page before it, the archive to take along, and what an address answers afterwards."""

import csv
import io
import re
import zipfile
from dataclasses import replace

import pytest

from portal.domain.money import Money
from portal.domain.vocabulary import Interval, Role
from portal.models import Document, Licence, Member, Order, Person, Session, Workspace
from portal.runtime import current
from portal.services.payments import refund_quotes, refunds
from portal.services.renewals import run
from portal.services.subscriptions import licence_keys
from portal.services.workspace import export
from portal.services.workspace.export import safe_cell
from portal.worker.jobs import drain_outbox
from tests import licensed, paying
from tests.factories import a_member, a_person, a_workspace, owner_of, seen_by
from tests.hostile import FORMULAS
from tests.licensed import tried
from tests.pages import by_testid, parse, text_of
from tests.paying import an_order, pay, reloaded
from tests.services.payments.test_from_balance import keep
from tests.transferring import an_open_invoice, bring, camt
from tests.transferring import paying as paid_by_transfer
from tests.visiting import facts, post_form, visit_as

ADDRESS = "/w/acme/settings/delete"
EXPORT = "/w/acme/settings/export"
HOME = "/?lang=en"


@pytest.fixture
def owner(app, client):
    """The browser of Acme's owner."""
    with facts(app):
        visit_as(client, owner_of(a_workspace()))
    return client


def acme() -> Workspace:
    return Workspace.get(Workspace.slug == "acme")


def bought(app, plan="business-5", **options):
    with facts(app):
        workspace = acme()
        return paying.pay(paying.an_order(seen_by(owner_of(workspace), workspace), plan), **options)


def drain(app):
    with facts(app):
        while drain_outbox(current(), limit=100).delivered:
            pass


# --- the page -------------------------------------------------------------------------------------


@pytest.mark.engine("sqlite")
def test_the_settings_lead_there(owner) -> None:
    [link] = by_testid(parse(owner.get("/w/acme/settings").text), "to-deletion")
    assert link.get("href") == ADDRESS


@pytest.mark.engine("sqlite")
def test_products_that_end_with_it_are_named(app, owner) -> None:
    with facts(app):
        place = seen_by(owner_of(acme()), acme())
        licensed.bought(place, quantity=2)
        tried(place, "webinar-standard")
    [lost] = by_testid(parse(owner.get(f"{ADDRESS}?lang=en").text), "products")
    assert text_of(lost).startswith("These products end at once: Meetings, Webinar. What is paid for them")


@pytest.mark.engine("sqlite")
def test_the_archive_comes_first_and_both_lists_are_said(owner) -> None:
    page = owner.get(f"{ADDRESS}?lang=en").text
    assert page.index("Download everything") < page.index("Delete the workspace permanently")
    for sentence in ("What is erased", "What is kept", "Saved payment methods", "for some years"):
        assert sentence in page
    assert not by_testid(parse(page), "renewal-warning")
    assert not by_testid(parse(page), "products")


@pytest.mark.engine("sqlite")
def test_automatic_renewal_is_warned_about(app, owner) -> None:
    bought(app, auto_renewal=True)
    [warning] = by_testid(parse(owner.get(f"{ADDRESS}?lang=en").text), "renewal-warning")
    assert "21 December 2026" in text_of(warning)
    assert [link.get("href") for link in warning.iter("a")] == ["/w/acme/auto-renewal"]


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("typed", ["", "acme", "Acm", "Acme ltd", "\u202eemcA", "x" * 300, "<b>Acme</b>"])
def test_another_name_deletes_nothing(app, owner, typed) -> None:
    answer = post_form(owner, ADDRESS, name=typed)
    assert answer.status_code == 422
    assert by_testid(parse(answer.text), "error-summary")
    with facts(app):
        assert acme().deleted_at is None


@pytest.mark.engine("sqlite")
def test_an_open_payment_is_said(app, owner) -> None:
    with facts(app):
        workspace = acme()
        order = paying.an_order(seen_by(owner_of(workspace), workspace))
        paying.pay(order, paying.ASKS_ONCE)
    answer = post_form(owner, f"{ADDRESS}?lang=en", name="Acme")
    assert answer.status_code == 422
    assert "is not known yet" in answer.text
    with facts(app):
        assert acme().deleted_at is None


@pytest.mark.engine("sqlite")
def test_a_blocked_workspace_can_be_left(app, owner, clock) -> None:
    clock.advance(days=60)
    assert owner.get("/w/acme/settings").status_code == 303
    assert owner.get(ADDRESS).status_code == 200
    assert owner.get(EXPORT).status_code == 200
    assert post_form(owner, ADDRESS, name="Acme").status_code == 303


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("role", [Role.ADMIN, Role.BILLING_MANAGER, Role.MEMBER])
def test_only_owners_leave(app, client, role) -> None:
    with facts(app):
        leo = a_person("leo@acme.test")
        a_member(a_workspace(), leo, role=role)
        visit_as(client, leo)
    for address in (ADDRESS, EXPORT):
        answer = client.get(address)
        assert answer.status_code == 403
        assert "owner@acme.test" in answer.text
    assert post_form(client, ADDRESS, shown_at="/me", name="Acme").status_code == 403


def words_of(answer) -> str:
    """The page without its tokens, in which the time stands."""
    return re.sub(r"[\w-]+\.[\w-]{6}\.[\w-]{27}\b", "", answer.text)


# --- afterwards -----------------------------------------------------------------------------------


def test_it_is_gone_and_the_browser_is_a_visitors(app, owner) -> None:
    owner.get("/me?lang=fr")
    answer = post_form(owner, ADDRESS, name=" Acme ")
    assert (answer.status_code, answer.location) == (303, "/")
    page = owner.get("/")
    assert by_testid(parse(page.text), "flash")
    assert 'lang="fr"' in page.text
    assert owner.get("/me").location.startswith("/sign-in")
    with facts(app):
        workspace = acme()
        assert (workspace.name, workspace.deleted_at is None) == ("", False)
        assert Person.select().count() == Session.select().count() == Member.select().count() == 0


def test_whoever_has_another_workspace_goes_on_there(app, client) -> None:
    with facts(app):
        both = a_person()
        a_workspace("Acme", owner=both)
        a_workspace("Elsewhere", owner=both)
        visit_as(client, both)
    post_form(client, ADDRESS, name="Acme")
    assert client.get("/").location == "/w/elsewhere/"
    page = client.get("/w/elsewhere/plans?lang=en")
    assert "The workspace Acme is deleted." in text_of(by_testid(parse(page.text), "flash")[0])
    assert "/w/acme/" not in page.text


@pytest.mark.engine("sqlite")
def test_its_addresses_answer_like_those_of_none(app, client) -> None:
    with facts(app):
        both = a_person()
        a_workspace("Acme", owner=both)
        a_workspace("Elsewhere", owner=both)
        staff = a_person("staff@vendor.test", operator=True)
        visit_as(client, both)
    post_form(client, ADDRESS, name="Acme")
    client.get("/w/elsewhere/plans")
    for page in ("", "plans", "history", "members", "settings", "settings/delete", "settings/export"):
        gone, none = client.get(f"/w/acme/{page}"), client.get(f"/w/none/{page}")
        assert gone.status_code == none.status_code == 404
        assert words_of(gone).replace("/w/acme/", "/w/none/") == words_of(none)
    with facts(app):
        visit_as(client, staff)
    assert client.get("/operator/workspaces/acme").status_code == 404
    rows = by_testid(parse(client.get("/operator/deletions?lang=en").text), "deletion-row")
    assert [text_of(row) for row in rows] == ["acme C-000001 21 Nov 2026, 09:00 By an owner"]


# --- the archive ----------------------------------------------------------------------------------


def archive_of(answer) -> zipfile.ZipFile:
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    return zipfile.ZipFile(io.BytesIO(answer.data))


def rows_of(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read(name).decode("utf-8-sig"))))


def test_everything_is_in_the_archive(app, owner) -> None:
    payment = bought(app)
    drain(app)
    answer = owner.get(EXPORT)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="acme.zip"'
    archive = archive_of(answer)
    assert archive.testzip() is None
    assert archive.namelist() == [
        "payments.csv",
        "balance.csv",
        "transfers.csv",
        "members.csv",
        "contacts.csv",
        "licence_keys.csv",
        "requests.csv",
        "documents/INV-2026-000001-en.pdf",
        "documents/INV-2026-000001-fr.pdf",
        "documents/INV-2026-000001.xml",
    ]
    with facts(app):
        stored = {
            f"documents/INV-2026-000001-{row.locale}.pdf": bytes(row.content)
            for row in Document.select().where(Document.locale != Document.E_INVOICE)
        }
        assert payment.order.number
    assert {name: archive.read(name) for name in stored} == stored
    [row] = rows_of(archive, "payments.csv")
    assert row["amount"] == "33.60"
    assert (row["currency"], row["state"], row["invoice"]) == ("EUR", "succeeded", "INV-2026-000001")
    [member] = rows_of(archive, "members.csv")
    assert (member["email"], member["role"]) == ("owner@acme.test", "owner")


def test_the_payments_are_dated_by_the_clock_that_the_other_lists_go_by(app, owner) -> None:
    """The sandbox's clock is 40 days ahead of the machine's; then the card is declined by itself."""
    with facts(app):
        current().clock.advance(days=40)
    bought(app, auto_renewal=True)
    with facts(app):
        paying.charged_from_now_on(paying.DECLINED_WHEN_CHARGED)
        current().clock.advance(days=31)
        run.run_due(now=current().clock.now())
    drain(app)
    archive = archive_of(owner.get(EXPORT))
    paid, declined = rows_of(archive, "payments.csv")
    assert (paid["state"], declined["state"]) == ("succeeded", "declined")
    assert paid["at"] == rows_of(archive, "balance.csv")[0]["at"] == "2026-12-31T09:00:00+00:00"
    assert declined["at"] == "2027-01-31"


@pytest.mark.parametrize(("language", "separator", "amount"), [("en", ",", "33.60"), ("fr", ";", "33,60")])
def test_the_lists_open_in_a_spreadsheet_of_the_readers_language(
    app, owner, language, separator, amount
) -> None:
    bought(app)
    drain(app)
    archive = archive_of(owner.get(f"{EXPORT}?lang={language}"))
    for name in ("payments.csv", "balance.csv", "members.csv"):
        text = archive.read(name).decode("utf-8")
        assert text.startswith("\ufeff")
        heads, row = list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=separator))[:2]
        assert len(heads) == len(row) > 5
        assert dict(zip(heads, row, strict=True)).get("amount", amount).removeprefix("-") == amount


@pytest.mark.parametrize(
    ("minor", "currency", "english", "french"),
    [
        (123456, "EUR", "1234.56", "1234,56"),
        (-500, "EUR", "-5.00", "-5,00"),  # A number is no formula.
        (1990, "JPY", "1990", "1990"),
        (1990, "KWD", "1.990", "1,990"),
    ],
)
def test_an_amount_is_a_number_of_the_language(minor, currency, english, french) -> None:
    money = Money(minor, currency)
    assert [export.cell(money, export.SIGNS[language]) for language in ("en", "fr")] == [english, french]


def test_documents_that_were_never_made_are_made_first(app, owner) -> None:
    bought(app)
    answer = owner.get(EXPORT)
    assert (answer.status_code, answer.headers["Refresh"]) == (202, "5")
    drain(app)
    assert len(archive_of(owner.get(EXPORT)).namelist()) == 10


def test_many_documents_come_in_parts(app, owner, monkeypatch) -> None:
    monkeypatch.setattr(export, "DOCUMENTS_OF_A_PART", 2)
    for plan in ("business-5", "business-10", "business-20"):
        bought(app, plan)
    drain(app)
    links = [link.get("href") for link in by_testid(parse(owner.get(ADDRESS).text), "export")]
    assert links == [f"{EXPORT}?part=1", f"{EXPORT}?part=2"]
    first, second = (archive_of(owner.get(link)).namelist() for link in links)
    assert (len(first), len(second)) == (7 + 6, 3)
    assert not set(first) & set(second)


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("part", ["0", "2", "-1", "x", "1e3", "", "²", "9" * 30, "%00"])
def test_a_part_that_is_not_there_is_not_found(owner, part) -> None:
    assert owner.get(f"{EXPORT}?part={part}").status_code == 404


@pytest.mark.engine("sqlite")
def test_no_cell_is_a_formula(app, owner) -> None:
    with facts(app):
        for number, formula in enumerate(FORMULAS):
            person = a_person(f"n{number}@acme.test", name=formula)
            a_member(acme(), person)
    names = {row["name"] for row in rows_of(archive_of(owner.get(EXPORT)), "members.csv")}
    assert names >= {safe_cell(formula) for formula in FORMULAS}
    assert not any(name.startswith(export.FORMULA_SIGNS) for name in names)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1", "'=1"),
        ("-1", "'-1"),
        ("\t=1", "'\t=1"),
        ("a=1", "a=1"),
        (None, ""),
        ("36.00", "36.00"),
        (3, "3"),
    ],
)
def test_a_cell_is_made_safe(value, cell) -> None:
    assert safe_cell(value) == cell


def test_the_list_of_the_balance_has_every_movement_and_what_is_kept_after_it(
    app, owner, monkeypatch
) -> None:
    """Two licences for 26.40, half of which is given back; the plan for 33.60 takes 13.20 of that.

    It is refunded: 20.40 go back to the card. Read a row at a time.
    """
    monkeypatch.setattr(export, "ROWS_AT_ONCE", 1)
    with facts(app):
        place, clock = seen_by(owner_of(acme()), acme()), current().clock
        keep(place, clock)
        payment = pay(reloaded(an_order(place, "business-5")))
        shown = refund_quotes.preview(payment, now=clock.now()).hash
        refunds.ask_refund(place, payment, shown_hash=shown, now=clock.now())
        numbers = [order.number for order in Order.select().order_by(Order.id)]
    drain(app)
    rows = rows_of(archive_of(owner.get(EXPORT)), "balance.csv")
    assert [(row["kind"], row["document"], row["amount"], row["balance"]) for row in rows] == [
        ("invoice", "INV-2026-000001", "-26.40", "-26.40"),
        ("payment", "", "26.40", "0.00"),
        ("credit_note", "CN-2026-000001", "13.20", "13.20"),
        ("invoice", "INV-2026-000002", "-33.60", "-20.40"),
        ("payment", "", "20.40", "0.00"),
        ("credit_note", "CN-2026-000002", "33.60", "33.60"),
        ("refund", "CN-2026-000002", "-20.40", "13.20"),
    ]
    assert [numbers.index(row["order"]) for row in rows] == [0, 0, 0, 1, 1, 1, 1]
    assert {row["currency"] for row in rows} == {"EUR"}


def test_the_lists_know_what_came_by_transfer_and_what_was_taken_back(app, owner, monkeypatch) -> None:
    """Read a row at a time; what a payer wrote is no formula of a spreadsheet."""
    monkeypatch.setattr(export, "ROWS_AT_ONCE", 1)
    with facts(app):
        place = seen_by(owner_of(acme()), acme())
        invoice = an_open_invoice(place)
        line = paid_by_transfer(invoice, 5000, name="=1+1", end_to_end="E2E-1")
        bring(camt(line))
        bring(camt(replace(line, is_debit=True, is_return=True), number="S-2", opening=5000))
    drain(app)
    archive = archive_of(owner.get(EXPORT))
    rows = rows_of(archive, "balance.csv")
    assert [(row["kind"], row["order"] != "", row["amount"], row["balance"]) for row in rows] == [
        ("invoice", True, "-33.60", "-33.60"),
        ("transfer", False, "50.00", "16.40"),
        ("transfer_return", False, "-50.00", "-33.60"),
    ]
    came, went = rows_of(archive, "transfers.csv")
    assert (came["payer_name"], came["amount"], came["state"]) == ("'=1+1", "50.00", "returned")
    assert came["invoices"] == invoice.number
    assert (went["amount"], went["state"]) == ("-50.00", "matched")


def test_the_list_of_members_says_which_licences_they_hold(app, owner) -> None:
    with facts(app):
        place = seen_by(owner_of(acme()), acme())
        for plan in ("webinar-standard", "meetings-essential"):
            Licence.create(
                subscription=tried(place, plan), member=place.member, assigned_at=current().clock.now()
            )
    [member] = rows_of(archive_of(owner.get(EXPORT)), "members.csv")
    assert member["licences"] == "meetings, webinar"


def test_the_list_of_licence_keys_has_their_moments_and_no_key(app, owner) -> None:
    with facts(app):
        place = seen_by(owner_of(acme()), acme())
        remote = licensed.bought(place, "remote-licence", interval=Interval.YEAR)
        remote.workspace = place.workspace
        first = licence_keys.live_key(remote)
        now = current().clock.now()
        typed = licence_keys.text_of(first)
        licence_keys.activate(typed, now=now)
        licence_keys.replace(remote, shown=first.id, by=owner_of(acme()), now=now)
        shown = [typed, licence_keys.text_of(licence_keys.live_key(remote))]
    drain(app)
    archive = archive_of(owner.get(EXPORT))
    at = now.isoformat()
    assert rows_of(archive, "licence_keys.csv") == [
        {"product": "remote", "made_at": at, "activated_at": at, "replaced_at": at},
        {"product": "remote", "made_at": at, "activated_at": "", "replaced_at": ""},
    ]
    read = archive.read("licence_keys.csv").decode()
    assert not any(key in read.replace("-", "") for key in shown)
