"""The history: ledger and audit log put together, a page at a time, each row with the balance after it."""

from datetime import UTC, date, datetime

import pytest

from portal.database.connecting import transaction
from portal.domain.money import Money
from portal.domain.vocabulary import BalanceEntryKind, HistoryEvent, HistoryKind, PaidWith, Role
from portal.models import Invoice, Payment, Workspace
from portal.services import ledger
from portal.services.invoices import movements, statements
from portal.services.invoices.movements import EventRow, MoneyRow
from portal.services.members import invitations
from portal.services.payments import given_credits
from tests.licensed import bought
from tests.passing import pass_days
from tests.paying import a_place, an_order, buy, pay
from tests.services.payments.test_refunds import refund
from tests.services.payments.test_transfers import returning
from tests.services.test_ledger import Paper, an_invoice
from tests.transferring import an_open_invoice, assert_transfers_clean, bring, camt, paying

CHARGE, CREDIT = BalanceEntryKind.INVOICE, BalanceEntryKind.CREDIT


def euros(minor):
    return Money(minor, "EUR")


def pages(workspace, **wanted):
    """Every row, read a page at a time, the newest first."""
    rows, before = [], None
    while True:
        page = movements.page_of(workspace, before=before, **wanted)
        rows += page.rows
        if page.older is None:
            return rows
        assert page.rows
        before = page.older


def told(rows):
    return [
        (row.kind, row.amount.minor, row.after.minor) if isinstance(row, MoneyRow) else row.event
        for row in rows
    ]


@pytest.fixture
def past(place, clock):
    """A purchase, a renewal that a credit pays in part, a change that is refunded, a second credit."""
    pay(an_order(place), auto_renewal=True)
    given_credits.give(place.workspace, amount=euros(1000), reason="An outage", key="a", now=clock.now())
    pass_days(clock, 31)
    clock.advance(hours=1)
    refund(place, pay(an_order(place, "business-10")), clock)
    clock.advance(hours=1)
    given_credits.give(place.workspace, amount=euros(250), reason="Thanks", key="b", now=clock.now())
    return place


def test_an_open_invoice_is_a_row_and_so_are_the_transfer_that_pays_it_and_its_return(place, clock):
    invoice = an_open_invoice(place)
    [row] = _money(place)
    assert (row.is_open, row.method_kind, row.payer_name, row.number) == (True, None, "", invoice.number)
    line = paying(invoice, end_to_end="E2E-1")
    bring(camt(line))
    received, row = _money(place)
    assert (row.is_open, row.method_kind, received.payer_name) == (False, None, "Acme SARL")
    assert told([received, row]) == [(BalanceEntryKind.TRANSFER, -3360, 0), (CHARGE, 3360, -3360)]
    bring(camt(returning(line), number="S-2", opening=3360))
    taken, _received, row = _money(place)
    assert (row.is_open, told([taken])) == (True, [(BalanceEntryKind.TRANSFER_RETURN, 3360, -3360)])
    charges = pages(place.workspace, size=50, kind=HistoryKind.CHARGES)
    assert (charges, pages(place.workspace, size=50, kind=HistoryKind.CREDITS)) == (_money(place), [])
    statement = statements.of_month(place.workspace, date(2026, 11, 1), "EUR")
    assert dict(statement.sums) == {
        CHARGE: euros(-3360),
        BalanceEntryKind.TRANSFER: euros(3360),
        BalanceEntryKind.TRANSFER_RETURN: euros(-3360),
    }
    assert_transfers_clean()


def _money(place):
    return [row for row in pages(place.workspace, size=50) if isinstance(row, MoneyRow)]


def test_what_is_paid_at_once_is_one_row_with_the_balance_after_it(past):
    rows = [row for row in pages(past.workspace, size=50) if isinstance(row, MoneyRow)]
    last = Invoice.select().order_by(Invoice.id.desc()).get().total_minor
    assert told(rows) == [
        (CREDIT, -250, 250),
        (BalanceEntryKind.CREDIT_NOTE, -last, 0),
        (CHARGE, last, 0),
        (CHARGE, 3360, 0),
        (CREDIT, -1000, 1000),
        (CHARGE, 3360, 0),
    ]
    thanks, note, changed, _renewed, outage, first = rows
    assert (thanks.reason, outage.reason, thanks.method_kind) == ("Thanks", "An outage", None)
    assert [row.is_shared for row in rows] == [False, False, False, True, False, False]
    assert (changed.is_refunded, note.is_kept, first.is_refunded) == (True, False, False)
    assert (first.number, first.method_kind, first.last4) == ("INV-2026-000001", PaidWith.CARD, "4242")
    assert [line["en"] for line in first.lines] == ["Business 5 – monthly"]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_of_any_size_are_the_same_rows(past, size):
    assert pages(past.workspace, size=size) == pages(past.workspace, size=50)


def test_changes_stand_among_the_money_of_their_moment(past):
    rows = pages(past.workspace, size=4)
    assert [row.made_at for row in rows] == sorted((row.made_at for row in rows), reverse=True)
    begun = [row for row in rows if isinstance(row, EventRow) and row.event == HistoryEvent.PLAN_BEGUN]
    assert [(row.changes["before"], row.changes["plan"]) for row in begun] == [
        ("business-5", "business-10"),
        ("trial", "business-5"),
    ]


def test_a_kind_is_shown_alone(past, clock):
    invitations.invite(past, emails=["new@acme.test"], role=Role.MEMBER, now=clock.now())
    by_kind = {kind: pages(past.workspace, size=2, kind=kind) for kind in HistoryKind}
    assert {row.kind for row in by_kind[HistoryKind.CHARGES]} == {CHARGE}
    assert {row.kind for row in by_kind[HistoryKind.CREDITS]} == {CREDIT, BalanceEntryKind.CREDIT_NOTE}
    assert {movements.is_of_members(row.event) for row in by_kind[HistoryKind.PLANS]} == {False}
    [invited] = by_kind[HistoryKind.MEMBERS]
    assert (invited.event, invited.email, invited.has_joined) == (
        HistoryEvent.MEMBER_INVITED,
        "new@acme.test",
        False,
    )
    assert sum(map(len, by_kind.values())) == len(pages(past.workspace, size=50))


def test_another_number_of_licences_is_a_change_and_the_same_is_none(place, clock):
    subscription = bought(place, "meetings-essential", quantity=3)
    [begun] = pages(place.workspace, size=9, kind=HistoryKind.PLANS)
    assert (begun.changes["before"], begun.changes["licences"]) == (None, 3)
    assert subscription.quantity == 3


def test_a_year_is_that_of_the_workspace_and_the_years_are_everything(place, clock):
    """In Auckland the year 2027 begins at 11:00 UTC of the last day of 2026."""
    Workspace.update(time_zone="Pacific/Auckland").execute()
    place.workspace.time_zone = "Pacific/Auckland"
    for key, moment in (("a", (2026, 12, 31, 10, 59, 59)), ("b", (2026, 12, 31, 11)), ("c", (2027, 6, 1))):
        clock.set(datetime(*moment, tzinfo=UTC))
        given_credits.give(place.workspace, amount=euros(100), reason=key, key=key, now=clock.now())
    found = {
        year: [row.reason for row in pages(place.workspace, size=1, year=year)]
        for year in (2025, 2026, 2027, 2028)
    }
    assert found == {2025: [], 2026: ["a"], 2027: ["c", "b"], 2028: []}
    assert [moved.reason for moved in statements.of_year(place.workspace, 2027)] == ["b", "c"]


def test_nobody_elses_rows_are_shown(past):
    other = a_place("Other", owner="Otto Other")
    assert pages(other.workspace, size=5) == []
    buy(other)
    assert len([row for row in pages(other.workspace, size=5) if isinstance(row, MoneyRow)]) == 1


def test_a_payment_and_a_refund_of_a_later_moment_have_rows_of_their_own(place, clock):
    """As an invoice that is paid by transfer will."""
    paper = Paper(place)
    order = paper.orders.pop()
    with transaction(lock=place.workspace):
        invoice = an_invoice(order, 500)
        ledger.record_document(invoice)
    clock.advance(days=3)
    paper.now = clock.now()
    paper.orders.append(order)
    payment = paper.payment(500, invoice)
    note = paper.credit_note(200, invoice)
    clock.advance(days=1)
    paper.now = clock.now()
    sent_back = paper.refund(200, payment, note)
    type(sent_back).update(credit_note=note).execute()
    rows = pages(place.workspace, size=2)
    assert told(rows) == [
        (BalanceEntryKind.REFUND, 200, 0),
        (BalanceEntryKind.CREDIT_NOTE, -200, 200),
        (BalanceEntryKind.PAYMENT, -500, 0),
        (CHARGE, 500, -500),
    ]
    assert Payment.select().count() == 1


# --- statements -----------------------------------------------------------------------------------


def test_a_month_ends_with_what_the_next_one_begins_with(past):
    november, december, january = (
        statements.of_month(past.workspace, date(year, month, 1), "EUR")
        for year, month in ((2026, 11), (2026, 12), (2027, 1))
    )
    assert november.opening == euros(0)
    assert november.closing == december.opening == euros(1000)
    assert december.closing == january.opening == january.closing == euros(250)
    for each in (november, december, january):
        assert sum(row.amount.minor for row in each.rows) == each.closing.minor - each.opening.minor
        assert sum(amount.minor for _kind, amount in each.sums) == each.closing.minor - each.opening.minor
    assert (len(january.rows), january.sums, january.is_whole) == (0, [], True)
    assert statements.of_month(past.workspace, date(2026, 12, 1), "USD").rows == []


def test_more_rows_than_a_page_prints_still_end_with_the_right_balance(past, monkeypatch):
    whole = statements.of_month(past.workspace, date(2026, 12, 1), "EUR")
    monkeypatch.setattr(statements, "MOST_ROWS", 2)
    cut = statements.of_month(past.workspace, date(2026, 12, 1), "EUR")
    assert (len(cut.rows), cut.is_whole, cut.closing, cut.sums) == (2, False, whole.closing, whole.sums)


def test_what_a_month_cost_is_its_invoices_less_its_credit_notes(past):
    months = statements.spending(past.workspace, 2026, "EUR")
    assert [each.month.month for each in months] == list(range(1, 13))
    spent = {each.month.month: each.spent.minor for each in months if each.charged.minor}
    assert spent == {11: 3360, 12: 3360}
    assert months[11].credited.minor > 0
    assert statements.spent_in(months, "EUR") == euros(6720)
    assert statements.spent_in(statements.spending(past.workspace, 2027, "EUR"), "EUR") == euros(0)


@pytest.mark.parametrize(("month", "following"), [("2026-01-01", "2026-02-01"), ("2026-12-01", "2027-01-01")])
def test_the_month_after(month, following):
    assert statements.next_month(date.fromisoformat(month)).isoformat() == following
