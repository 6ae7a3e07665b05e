"""The pricing table, written out: its rows once for each price list and language, its marks for each page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from markupsafe import Markup, escape

from portal.domain.money import Money
from portal.domain.plans import PlanCell, PlanChoice
from portal.domain.vocabulary import Interval
from portal.services.plans import ListedPlan, PriceList
from portal.services.subscriptions.plan_table import PlanTable
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import locale_code, translated
from portal.words.plans import saving_words


@dataclass(frozen=True, slots=True)
class Cell:
    """One price. `value` is what the form sends; `amount` is empty where the plan is not sold that way.

    `why_none` says why there is no amount.

    `price` is the amount with how often it is paid, "$18.00 a month", the amount marked as one.
    `saving`: what paying by the year costs less, empty for nothing and in the monthly column.
    """

    interval: Interval
    value: str
    testid: str
    amount: str
    why_none: str
    price: Markup
    saving: str


@dataclass(frozen=True, slots=True)
class PlanRow:
    code: str
    name: str
    users: str
    size: str
    free: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class PrintedTable:
    """`current`, `recommended` and `selected` are values of cells, empty for none.

    `current_plan` is the code of the plan that is had, which may be a free one.
    """

    currency: str
    rows: tuple[PlanRow, ...]
    current_plan: str
    current: str
    recommended: str
    selected: str


def print_table(table: PlanTable) -> PrintedTable:
    current = _value(table.current)
    rows = print_rows(table.listed)
    if table.own_price is not None:
        rows = tuple(_with_price(row, current, table.own_price) for row in rows)
    return PrintedTable(
        currency=table.listed.currency,
        rows=rows,
        current_plan=table.current.plan.code,
        current=current,
        recommended=_value(table.recommended),
        selected=_value(table.selected),
    )


def print_rows(listed: PriceList) -> tuple[PlanRow, ...]:
    """The rows as they are for everybody, in the reader's language."""
    return _rows_in(listed, locale_code())


@lru_cache(maxsize=64)
def _rows_in(listed: PriceList, _locale: str) -> tuple[PlanRow, ...]:
    """The locale is the reader's, and here to tell the languages apart."""
    return tuple(_row(row, listed.currency) for row in listed.rows)


def _row(row: ListedPlan, currency: str) -> PlanRow:
    size = row.plan.storage_bytes
    return PlanRow(
        code=row.plan.code,
        name=translated(row.plan.names),
        users=_users(*row.users),
        size=formatting.storage(size) if size is not None else "",
        free=row.plan.free,
        cells=tuple(_cell(row, interval, currency) for interval in Interval),
    )


def _cell(row: ListedPlan, interval: Interval, currency: str) -> Cell:
    amount = row.amounts.get(interval)
    return Cell(
        interval=interval,
        value=str(PlanChoice(row.plan.code, interval)),
        testid=f"plan-{row.plan.code}-{interval}",
        amount=formatting.money(amount) if amount is not None else "",
        why_none=_why_no_price(row, interval, currency) if amount is None else "",
        price=_price(amount, interval) if amount is not None else Markup(),
        saving=_saving(row) if interval == Interval.YEAR else "",
    )


def _why_no_price(row: ListedPlan, interval: Interval, currency: str) -> str:
    """ "Free" stands once in the row of a free plan."""
    if row.plan.free:
        return _("Free") if interval == Interval.MONTH else ""
    if not row.has_prices:
        return _("Not on sale today")
    if not row.amounts:
        return _("Not sold in %(currency)s", currency=currency)
    if interval == Interval.MONTH:
        return _("Available for yearly subscribers only")
    return _("Available for monthly subscribers only")


def _saving(row: ListedPlan) -> str:
    if set(row.amounts) != set(Interval):
        return ""
    return saving_words(monthly=row.amounts[Interval.MONTH], yearly=row.amounts[Interval.YEAR])


def _price(amount: Money, interval: Interval) -> Markup:
    words = _("%(amount)s a year") if interval == Interval.YEAR else _("%(amount)s a month")
    return escape(words) % {
        "amount": Markup('<span class="money">{}</span>').format(formatting.money(amount))
    }


def _with_price(row: PlanRow, value: str, price: Money) -> PlanRow:
    """With what the next period of the own plan costs, in its cell."""
    if all(cell.value != value for cell in row.cells):
        return row
    amount = formatting.money(price)
    if any(cell.value == value and cell.amount == amount for cell in row.cells):
        return row
    # A guaranteed price is another one: what the other interval would save is not what the list says.
    cells = tuple(
        replace(cell, amount=amount, price=_price(price, cell.interval), saving="")
        if cell.value == value
        else replace(cell, saving="")
        for cell in row.cells
    )
    return replace(row, cells=cells)


def _value(cell: PlanCell | None) -> str:
    return str(PlanChoice.of(cell)) if cell is not None and cell.interval is not None else ""


def find_cell(rows: Sequence[PlanRow], value: str) -> tuple[PlanRow, Cell]:
    """The cell that has a value, and its row."""
    return next((row, cell) for row in rows for cell in row.cells if cell.value == value)


def _users(low: int, high: int | None) -> str:
    if high is None:
        return _("%(low)s or more active users", low=low)
    if low == high:
        return _("%(number)s active users", number=low) if low != 1 else _("1 active user")
    return _("%(low)s–%(high)s active users", low=low, high=high)
