"""The history of a workspace: what moved its balance and what changed beside it, newest first.

Keyset pages of two lists, the ledger and the audit log, put together by their moments: no count, and the
balance after each row stands in the ledger. What was paid, or sent back, in the moment of its document is in
the document's row; what came later has a row of its own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

from peewee import JOIN, SQL, Case, Join, ModelSelect, fn

from portal.database.prepared import Parameter, Prepared
from portal.domain.money import Money
from portal.domain.vocabulary import (
    BalanceEntryKind,
    DocumentKind,
    HistoryEvent,
    HistoryKind,
    OrderState,
    PaidWith,
    PaymentState,
    RefundState,
)
from portal.models import (
    AuditEntry,
    BalanceEntry,
    BankTransfer,
    Credit,
    Dispute,
    Invoice,
    Member,
    Order,
    Payment,
    Person,
    Plan,
    Refund,
    Workspace,
)

AFTER_ALL = 2**31 - 1
"""No id is above it: the first page is the one before it."""
EVENT_KINDS = {HistoryKind.PLANS, HistoryKind.MEMBERS}
OF_MEMBERS = ("member.", "licence.")
MONEY_ENDS = 24
EVENT_ENDS = 30
"""Columns of a row: whether it is money, those of an entry, those of an act; of both id, kind and moment."""


class Cursor(NamedTuple):
    """Where a page ends: below these ids of the ledger and of the audit log the next one begins."""

    entry: int
    event: int


class MoneyRow(NamedTuple):
    """An entry with what it is about. `after` is the balance in its currency, what was paid at once included.

    `amount` is what it cost: of a charge above 0, of what was given back below. `lines` are the texts of the
    first two lines of a document, by language. What follows, to `is_replaced`, is of a document: `is_open`,
    to be paid; `is_replaced` by an invoice with other details, which has all else that is said of its order;
    `method_kind` and what follows of a payment or refund, None and empty where there is none. Of a bank
    transfer there is the name of its payer alone.
    """

    entry_id: int
    kind: BalanceEntryKind
    made_at: datetime
    amount: Money
    after: Money
    number: str
    lines: tuple[Mapping[str, str], ...]
    is_refunded: bool
    is_partly_refunded: bool
    is_disputed: bool
    is_kept: bool
    is_shared: bool
    is_open: bool
    is_replaced: bool
    method_kind: PaidWith | None
    brand: str
    last4: str
    payer_name: str
    payer_email: str
    payment_key: str
    reason: str


class EventRow(NamedTuple):
    """A change without an amount. `name` and `email` are of the member that it is about, None where gone.

    `plan` and `before` are the names of the plans that `changes` has the codes of, by language, where it has.
    """

    event_id: int
    event: HistoryEvent
    made_at: datetime
    changes: Mapping[str, Any]
    plan: Mapping[str, str] | None
    before: Mapping[str, str] | None
    name: str | None
    email: str | None
    has_joined: bool


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """`older` is where the next page begins, None on the last one."""

    rows: Sequence[MoneyRow | EventRow]
    older: Cursor | None


def page_of(
    workspace: Workspace,
    *,
    size: int,
    kind: HistoryKind | None = None,
    year: int | None = None,
    before: Cursor | None = None,
) -> HistoryPage:
    """The newest `size` rows, or those below a cursor; of one kind, or of a year of the workspace's own days.

    One query.
    """
    cursor = before or Cursor(AFTER_ALL, AFTER_ALL)
    since, until = year_bounds(workspace, year) if year is not None else (None, None)
    wanted: dict[str, object] = {"workspace": workspace.id, "size": size + 1}
    if since is not None:
        wanted |= {"since": since, "until": until}
    found = _rows(kind, year is not None).rows(before_entry=cursor.entry, before_event=cursor.event, **wanted)
    found.sort(key=lambda row: row[1], reverse=True)
    money = [_money_row(*row[1:MONEY_ENDS]) for row in found if row[0]]
    events = [_event_row(*row[1:4], *row[MONEY_ENDS:]) for row in found if not row[0]]
    return _together(money, events, size, cursor)


def year_bounds(workspace: Workspace, year: int) -> tuple[datetime, datetime]:
    """The instants at which a year of the workspace begins and the next one does."""
    return first_instant(workspace, date(year, 1, 1)), first_instant(workspace, date(year + 1, 1, 1))


def first_instant(workspace: Workspace, day: date) -> datetime:
    """At which a day of the workspace begins."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(workspace.time_zone)).astimezone(UTC)


def _together(money: list[MoneyRow], events: list[EventRow], size: int, cursor: Cursor) -> HistoryPage:
    """Each list keeps its own order; beside each other the later one comes first, money before an event."""
    rows: list[MoneyRow | EventRow] = []
    entry, event = 0, 0
    while len(rows) < size and (entry < len(money) or event < len(events)):
        is_money = event == len(events) or (
            entry < len(money) and money[entry].made_at >= events[event].made_at
        )
        if is_money:
            rows.append(money[entry])
            entry += 1
        else:
            rows.append(events[event])
            event += 1
    if entry == len(money) and event == len(events):
        return HistoryPage(rows, None)
    older = Cursor(
        money[entry - 1].entry_id if entry else cursor.entry,
        events[event - 1].event_id if event else cursor.event,
    )
    return HistoryPage(rows, older)


@cache
def _rows(kind: HistoryKind | None, is_of_year: bool) -> Prepared:
    """Both lists in one answer, in no order."""
    if kind in EVENT_KINDS:
        return Prepared(lambda: _events_query(kind, is_of_year=is_of_year))
    if kind is not None:
        return Prepared(lambda: _entries_query(kind, is_of_year=is_of_year))
    return Prepared(lambda: _both(is_of_year=is_of_year))


def _both(*, is_of_year: bool) -> "ModelSelect[BalanceEntry]":
    entries, events = _entries_query(None, is_of_year=is_of_year), _events_query(None, is_of_year=is_of_year)
    return cast("ModelSelect[BalanceEntry]", entries.union_all(events).tuples())


def _nulls(count: int) -> list[SQL]:
    return [SQL("NULL")] * count


# --- the ledger -----------------------------------------------------------------------------------


def _money_row(
    entry_id: int,
    word: str,
    made_at: Any,
    amount_minor: int,
    currency: str,
    own_after: int,
    after_with_partner: int | None,
    number: str | None,
    first_line: Mapping[str, str] | None,
    second_line: Mapping[str, str] | None,
    order_state: OrderState | None,
    replaced_by: int | None,
    from_balance_minor: int | None,
    is_disputed: int,
    has_refunds: int,
    was_sent_back: int,
    method_kind: PaidWith | None,
    brand: str | None,
    last4: str | None,
    payer_name: str | None,
    payer_email: str | None,
    payment_key: str | None,
    reason: str | None,
) -> MoneyRow:
    kind = BalanceEntryKind(word)
    is_invoice, is_credit_note = kind == BalanceEntryKind.INVOICE, kind == BalanceEntryKind.CREDIT_NOTE
    is_current = is_invoice and replaced_by is None
    is_refunded = is_current and order_state == OrderState.REFUNDED
    return MoneyRow(
        entry_id,
        kind,
        _instant(made_at),
        Money(-amount_minor, currency),
        Money(own_after if after_with_partner is None else after_with_partner, currency),
        number or "",
        tuple(line for line in (first_line, second_line) if line),
        is_refunded,
        is_current and bool(has_refunds) and not is_refunded,
        is_current and bool(is_disputed),
        is_credit_note and not was_sent_back,
        is_invoice and 0 < (from_balance_minor or 0) < -amount_minor,
        is_current and order_state == OrderState.INVOICED,
        replaced_by is not None,
        method_kind,
        brand or "",
        last4 or "",
        payer_name or "",
        payer_email or "",
        payment_key or "",
        reason or "",
    )


def _instant(stored: Any) -> datetime:
    """Of a chosen entry Peewee does not know which column a value is of."""
    instant = BalanceEntry.made_at.python_value(stored)
    assert isinstance(instant, datetime)
    return instant


def _entries_query(kind: HistoryKind | None, *, is_of_year: bool) -> "ModelSelect[BalanceEntry]":
    shown: Any = _chosen(kind, is_of_year=is_of_year).alias("shown")
    paid, partner, sent_back, later = (
        Payment.alias(),
        BalanceEntry.alias(),
        Refund.alias(),
        BalanceEntry.alias(),
    )
    its_payment = paid.select(paid.id).where(
        paid.order == Invoice.order, paid.state == PaymentState.SUCCEEDED
    )
    its_refund = sent_back.select(sent_back.id).where(
        sent_back.credit_note == Invoice.id, sent_back.state == RefundState.SUCCEEDED
    )
    at_its_moment = partner.select(partner.id).where(partner.made_at == shown.c.made_at)
    at_once = Case(
        shown.c.kind,
        [
            (BalanceEntryKind.INVOICE.value, at_its_moment.where(partner.payment == Payment.id)),
            (BalanceEntryKind.CREDIT_NOTE.value, at_its_moment.where(partner.refund == Refund.id)),
        ],
        None,
    )
    # Joined to the chosen ones alone: without statistics PostgreSQL would join every entry first.
    source: Any = shown
    for model, on in (
        (Invoice, Invoice.id == shown.c.invoice_id),
        (Credit, Credit.id == shown.c.credit_id),
        (BankTransfer, BankTransfer.id == shown.c.transfer_id),
        (Order, Order.id == Invoice.order),
        (Refund, Refund.id == fn.COALESCE(shown.c.refund_id, its_refund)),
        (Payment, Payment.id == fn.COALESCE(shown.c.payment_id, Refund.payment, its_payment)),
        (Dispute, Dispute.payment == Payment.id),
        (later, later.id == at_once),
    ):
        source = Join(source, model, JOIN.LEFT_OUTER, on)
    return (
        BalanceEntry.select(
            SQL("1"),
            shown.c.id,
            # Under another name: beside it stand the acts of the audit log, which are words of another list.
            shown.c.kind.alias("word"),
            shown.c.made_at,
            shown.c.amount_minor,
            shown.c.currency,
            shown.c.after_minor,
            later.after_minor,
            Invoice.number,
            Invoice.facts["lines"][0]["description"],
            Invoice.facts["lines"][1]["description"],
            Order.state,
            Invoice.replaced_by,
            Order.from_balance_minor,
            Dispute.id.is_null(False),
            fn.EXISTS(
                sent_back.select(sent_back.id).where(
                    sent_back.payment == Payment.id, sent_back.state == RefundState.SUCCEEDED
                )
            ),
            Refund.id.is_null(False),
            Payment.method_kind,
            Payment.brand,
            Payment.last4,
            fn.COALESCE(Payment.payer_name, BankTransfer.payer_name),
            Payment.payer_email,
            Payment.key,
            Credit.reason,
            *_nulls(EVENT_ENDS - MONEY_ENDS),
        )
        .from_(source)
        .tuples()
    )


def _chosen(kind: HistoryKind | None, *, is_of_year: bool) -> "ModelSelect[BalanceEntry]":
    entry = BalanceEntry.alias()
    chosen = (
        entry.select()
        .where(
            entry.workspace == Parameter("workspace"), entry.id < Parameter("before_entry"), _has_a_row(entry)
        )
        .order_by(entry.id.desc())
        .limit(Parameter("size"))
    )
    if is_of_year:
        chosen = chosen.where(
            entry.id > newest_before(Parameter("workspace"), Parameter("since")),
            entry.id <= newest_before(Parameter("workspace"), Parameter("until")),
        )
    if kind == HistoryKind.CREDITS:
        return chosen.where(BalanceEntry.is_beside_charges())
    if kind == HistoryKind.CHARGES:
        return chosen.where(~BalanceEntry.is_beside_charges())
    return chosen


def newest_before(workspace: Any, instant: Any) -> Any:
    """The id of the last entry before an instant, 0 where there is none: a part of another query.

    Periods between such ids touch and never overlap, so that each entry is of one month and of one year.
    """
    entry = BalanceEntry.alias()
    newest = (
        entry.select(entry.id)
        .where(entry.workspace == workspace, entry.made_at < instant)
        .order_by(entry.made_at.desc(), entry.id.desc())
        .limit(1)
    )
    return fn.COALESCE(newest, 0)


def _has_a_row(entry: Any) -> Any:
    """Whether it is not told in the row of its document.

    One look at an index for each entry: a plain EXISTS PostgreSQL may answer from a list of all documents.
    """
    paid, sent_back, document = Payment.alias(), Refund.alias(), Invoice.alias()
    its_invoice = (
        paid.select(paid.id)
        .join(document, on=((document.order == paid.order) & (document.kind == DocumentKind.INVOICE)))
        .where(paid.id == entry.payment, document.issued_at == entry.made_at)
        .limit(1)
    )
    its_credit_note = (
        sent_back.select(sent_back.id)
        .join(document, on=(document.id == sent_back.credit_note))
        .where(sent_back.id == entry.refund, document.issued_at == entry.made_at)
        .limit(1)
    )
    told_there = Case(
        entry.kind,
        [
            (BalanceEntryKind.PAYMENT.value, its_invoice),
            (BalanceEntryKind.REFUND.value, its_credit_note),
        ],
        None,
    )
    return told_there.is_null()


# --- the audit log --------------------------------------------------------------------------------


def _event_row(
    event_id: int,
    action: str,
    made_at: Any,
    changes: Any,
    plan: Any,
    before: Any,
    name: str | None,
    email: str | None,
    has_joined: int,
) -> EventRow:
    return EventRow(
        event_id,
        HistoryEvent(action),
        _instant(made_at),
        _mapping(changes) or {},
        _mapping(plan),
        _mapping(before),
        name,
        email,
        bool(has_joined),
    )


def _mapping(value: Any) -> Mapping[str, Any] | None:
    """Beside the columns of another table Peewee does not know that SQLite's text is JSON."""
    return json.loads(value) if isinstance(value, str) else value


def _events_query(kind: HistoryKind | None, *, is_of_year: bool) -> "ModelSelect[AuditEntry]":
    shown = AuditEntry.alias()
    ids = (
        shown.select(shown.id)
        .where(
            shown.workspace == Parameter("workspace"),
            shown.id < Parameter("before_event"),
            AuditEntry.is_in_history(),
        )
        .order_by(shown.id.desc())
        .limit(Parameter("size"))
    )
    if is_of_year:
        ids = ids.where(shown.at >= Parameter("since"), shown.at < Parameter("until"))
    if kind is not None:
        of_kind = [
            each.value for each in HistoryEvent if is_of_members(each) == (kind == HistoryKind.MEMBERS)
        ]
        ids = ids.where(shown.action << of_kind)
    # Of these acts alone the subject is the id of a member.
    is_of_member = AuditEntry.action.startswith("member.") | AuditEntry.action.startswith("licence.")
    member_id = Case(None, [(is_of_member, AuditEntry.subject.cast("INTEGER"))], None)
    before = Plan.alias()
    return (
        AuditEntry.select(
            SQL("0"),
            AuditEntry.id,
            AuditEntry.action,
            AuditEntry.at,
            *_nulls(MONEY_ENDS - 4),
            AuditEntry.changes,
            Plan.names,
            before.names,
            Person.name,
            Person.email,
            Member.joined_at.is_null(False),
        )
        .join_from(AuditEntry, Member, JOIN.LEFT_OUTER, on=(Member.id == member_id))
        .join_from(Member, Person, JOIN.LEFT_OUTER, on=(Member.person == Person.id))
        .join_from(AuditEntry, Plan, JOIN.LEFT_OUTER, on=(AuditEntry.changes["plan"].as_text() == Plan.code))
        .join_from(
            AuditEntry, before, JOIN.LEFT_OUTER, on=(AuditEntry.changes["before"].as_text() == before.code)
        )
        .where(AuditEntry.id << ids)
        .tuples()
    )


def is_of_members(event: HistoryEvent) -> bool:
    """Whether it is about members and licences; else it is about a plan."""
    return event.value.startswith(OF_MEMBERS)
