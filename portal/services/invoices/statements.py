"""What a month did to the balance of a workspace, in one currency, and what each month of a year cost.

Months and years are the workspace's own. Each entry of the ledger is of one month, and what is kept at the
end of one is what was kept at the start of the next (movements.newest_before).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from peewee import SQL, Case, fn

from portal.domain.money import Money, total
from portal.domain.vocabulary import BalanceEntryKind
from portal.models import BalanceEntry, Workspace
from portal.services import ledger
from portal.services.ledger import Movement

from .movements import first_instant, newest_before, year_bounds

ROWS_AT_ONCE = 500
MOST_ROWS = 1000
"""Of a month on one page; the list of the year has all of them."""


@dataclass(frozen=True, slots=True)
class Statement:
    """`opening` was kept (owed, below 0) at the start, `closing` at the end. `is_whole`: no row is left out.

    `sums` are what came of each kind, in the ledger's sign; those of nothing are left out.
    """

    month: date
    currency: str
    opening: Money
    closing: Money
    rows: Sequence[Movement]
    sums: Sequence[tuple[BalanceEntryKind, Money]]
    is_whole: bool


def of_month(workspace: Workspace, month: date, currency: str) -> Statement:
    """`month` is its first day. Four queries."""
    after, until = _bounds(
        workspace, first_instant(workspace, month), first_instant(workspace, next_month(month))
    )
    movements = ledger.movements_of(
        workspace, at_once=MOST_ROWS + 1, after=after, until=until, currency=currency
    )
    rows = [moved for moved, _count in zip(movements, range(MOST_ROWS + 1), strict=False)]
    is_whole = len(rows) <= MOST_ROWS
    return Statement(
        month=month,
        currency=currency,
        opening=_balance_at(workspace, currency, after),
        closing=rows[-1].balance if rows and is_whole else _balance_at(workspace, currency, until),
        rows=rows[:MOST_ROWS],
        sums=_sums(workspace, currency, after, until),
        is_whole=is_whole,
    )


def next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def of_year(workspace: Workspace, year: int) -> Iterator[Movement]:
    """Everything of a year, in every currency, the oldest first."""
    after, until = _bounds(workspace, *year_bounds(workspace, year))
    return ledger.movements_of(workspace, at_once=ROWS_AT_ONCE, after=after, until=until)


@dataclass(frozen=True, slots=True)
class MonthlySpending:
    """What was charged in a month and given back by credit note, both 0 or more and tax included."""

    month: date
    charged: Money
    credited: Money

    @property
    def spent(self) -> Money:
        return self.charged - self.credited


def spending(workspace: Workspace, year: int, currency: str) -> list[MonthlySpending]:
    """Each month of a year; what operators gave is no less spent. Two queries."""
    months = [date(year, number, 1) for number in range(1, 13)]
    starts = [first_instant(workspace, month) for month in (*months, date(year + 1, 1, 1))]
    after, until = _bounds(workspace, starts[0], starts[-1])
    number = Case(None, [(BalanceEntry.made_at < end, place) for place, end in enumerate(starts[1:])], 12)
    found = (
        BalanceEntry.select(number.alias("number"), BalanceEntry.kind, fn.SUM(BalanceEntry.amount_minor))
        .where(
            BalanceEntry.workspace == workspace,
            BalanceEntry.currency == currency,
            BalanceEntry.kind << (BalanceEntryKind.INVOICE, BalanceEntryKind.CREDIT_NOTE),
            BalanceEntry.id > after,
            BalanceEntry.id <= until,
        )
        # By its place: PostgreSQL takes the same figures bound twice for two columns.
        .group_by(SQL("1"), BalanceEntry.kind)
        .tuples()
    )
    sums = {
        (min(int(place), 11), kind): abs(int(minor))
        for place, kind, minor in cast("list[tuple[int, BalanceEntryKind, int]]", list(found))
    }
    return [
        MonthlySpending(
            month=month,
            charged=Money(sums.get((place, BalanceEntryKind.INVOICE), 0), currency),
            credited=Money(sums.get((place, BalanceEntryKind.CREDIT_NOTE), 0), currency),
        )
        for place, month in enumerate(months)
    ]


def spent_in(months: Sequence[MonthlySpending], currency: str) -> Money:
    return total((each.spent for each in months), currency)


def _bounds(workspace: Workspace, since: datetime, until: datetime) -> tuple[int, int]:
    """The ids of the last entries before both instants. One query."""
    found = Workspace.select(newest_before(workspace.id, since), newest_before(workspace.id, until))
    [(after, last)] = cast("list[tuple[int, int]]", list(found.where(Workspace.id == workspace.id).tuples()))
    return after, last


def _balance_at(workspace: Workspace, currency: str, entry_id: int) -> Money:
    newest = ledger.newest_balance(workspace, currency).where(BalanceEntry.id <= entry_id)
    return Money(newest.scalar() or 0, currency)


def _sums(
    workspace: Workspace, currency: str, after: int, until: int
) -> list[tuple[BalanceEntryKind, Money]]:
    found = (
        BalanceEntry.select(BalanceEntry.kind, fn.SUM(BalanceEntry.amount_minor))
        .where(
            BalanceEntry.workspace == workspace,
            BalanceEntry.currency == currency,
            BalanceEntry.id > after,
            BalanceEntry.id <= until,
        )
        .group_by(BalanceEntry.kind)
        .tuples()
    )
    sums = dict(cast("list[tuple[BalanceEntryKind, int]]", list(found)))
    return [(kind, Money(int(sums[kind]), currency)) for kind in BalanceEntryKind if sums.get(kind)]
