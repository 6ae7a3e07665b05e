"""A month on one page, to read and to print; and what each month of a year cost."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, abort, request, url_for

from portal.domain.money import Money
from portal.domain.vocabulary import BalanceEntryKind, Right
from portal.services import ledger
from portal.services.invoices import statements
from portal.services.invoices.statements import MonthlySpending, Statement
from portal.services.ledger import Movement
from portal.services.places import Place
from portal.web.access import workspace_right
from portal.web.bar_chart import BarChart, Measured, bar_chart
from portal.web.htmx import render
from portal.web.place import status_here, today_here
from portal.words import formatting
from portal.words.history import ENTRY_WORDS
from portal.words.i18n import gettext as _

from .history import first_year, wanted_year

blueprint = Blueprint("statements", __name__, url_prefix="/w/<slug>/history")
MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A movement. `url` leads to its document, empty where it has none."""

    date: str
    what: str
    number: str
    url: str
    note: str
    amount: str
    balance: str


@dataclass(frozen=True, slots=True)
class MonthlyStatementPage:
    """`facts` are label, text and mark. `months` and `currencies` are those to choose from.

    `left_out`: there are more rows than a page prints.
    """

    title: str
    months: list[tuple[str, str]]
    month: str
    currencies: list[str]
    currency: str
    facts: list[tuple[str, str, str]]
    opening: str
    closing: str
    rows: list[StatementRow]
    left_out: bool


@blueprint.get("/statement")
@workspace_right(Right.SEE_HISTORY)
def month(place: Place) -> Response:
    """`?month=2026-11&currency=EUR`: the current month in the workspace's currency without them."""
    status_here(place)
    months = _months(place)
    wanted = _wanted_month(months)
    currencies = _currencies(place)
    currency = _wanted_currency(currencies)
    statement = statements.of_month(place.workspace, wanted, currency)
    return render(
        "invoices/month.html",
        MonthlyStatementPage(
            title=_("Statement of %(month)s", month=formatting.month(wanted)),
            months=[(f"{each:%Y-%m}", formatting.month(each)) for each in months],
            month=f"{wanted:%Y-%m}",
            currencies=currencies,
            currency=currency,
            facts=_facts(place, statement),
            opening=formatting.money(statement.opening),
            closing=formatting.money(statement.closing),
            rows=[_row(place, each) for each in statement.rows],
            left_out=not statement.is_whole,
        ),
    )


def _months(place: Place) -> list[date]:
    """From that in which the workspace began to the present one, the newest first."""
    today = today_here(place)
    first = min(place.workspace.day(place.workspace.created_at), today)
    count = (today.year - first.year) * 12 + today.month - first.month + 1
    newest = today.year * 12 + today.month - 1
    return [date(each // 12, each % 12 + 1, 1) for each in range(newest, newest - count, -1)]


def _wanted_month(months: list[date]) -> date:
    text = request.args.get("month", "")
    if not text:
        return months[0]
    found = MONTH.fullmatch(text)
    wanted = next((each for each in months if found and f"{each:%Y-%m}" == text), None)
    return wanted or abort(404)


def _currencies(place: Place) -> list[str]:
    """Those of the balance, the one that the workspace reads prices in first; that one where it has none."""
    own = place.workspace.currency
    found = [each.currency for each in ledger.balances(place.workspace)] or [own]
    return sorted(found, key=lambda each: (each != own, each))


def _wanted_currency(currencies: list[str]) -> str:
    text = request.args.get("currency", "")
    if not text:
        return currencies[0]
    return text if text in currencies else abort(404)


def _facts(place: Place, statement: Statement) -> list[tuple[str, str, str]]:
    labels = {
        BalanceEntryKind.INVOICE: _("Invoiced"),
        BalanceEntryKind.CREDIT_NOTE: _("Credit notes"),
        BalanceEntryKind.PAYMENT: _("Paid"),
        BalanceEntryKind.REFUND: _("Sent back"),
        BalanceEntryKind.CREDIT: _("Credits"),
        BalanceEntryKind.WITHDRAWAL: _("Credits taken back"),
        BalanceEntryKind.TRANSFER: _("Bank transfers"),
        BalanceEntryKind.TRANSFER_RETURN: _("Bank transfers taken back"),
    }
    last = statements.next_month(statement.month)
    return [
        (_("Workspace"), place.workspace.name, "statement-workspace"),
        (_("Customer number"), place.workspace.customer_number, "statement-customer"),
        (
            _("Balance on %(date)s", date=formatting.day(statement.month)),
            formatting.money(statement.opening),
            "statement-opening",
        ),
        *((labels[kind], formatting.money(amount), f"statement-{kind}") for kind, amount in statement.sums),
        (
            _("Balance today")
            if last > today_here(place)
            else _(
                "Balance at the end of %(date)s", date=formatting.day(date.fromordinal(last.toordinal() - 1))
            ),
            formatting.money(statement.closing),
            "statement-closing",
        ),
    ]


def _row(place: Place, moved: Movement) -> StatementRow:
    slug = place.workspace.slug
    return StatementRow(
        date=formatting.day(place.workspace.day(moved.made_at)),
        what=str(ENTRY_WORDS[moved.kind]),
        number=moved.document,
        url=url_for("history.statement", slug=slug, number=moved.document) if moved.document else "",
        note=moved.reason or (_("Order %(number)s", number=moved.order) if moved.order else ""),
        amount=formatting.money(moved.amount),
        balance=formatting.money(moved.balance),
    )


# --- spending -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MonthRow:
    """A month of the table below the chart. `url` leads to its statement, empty where it has none."""

    month: str
    url: str
    charged: str
    credited: str
    spent: str


@dataclass(frozen=True, slots=True)
class SpendingPage:
    """What each month of a year cost, in one currency."""

    years: list[str]
    year: str
    currencies: list[str]
    currency: str
    total: str
    is_empty: bool
    chart: BarChart
    rows: list[MonthRow]


@blueprint.get("/spending")
@workspace_right(Right.SEE_HISTORY)
def spending(place: Place) -> Response:
    """`?year=2026&currency=EUR`, tax included; the present year without one."""
    status_here(place)
    today = today_here(place)
    years = list(range(today.year, first_year(place) - 1, -1))
    year, currencies = wanted_year(years) or today.year, _currencies(place)
    currency = _wanted_currency(currencies)
    months = statements.spending(place.workspace, year, currency)
    with_statement = {f"{each:%Y-%m}" for each in _months(place)}
    total = formatting.money(statements.spent_in(months, currency))
    return render(
        "invoices/spending.html",
        SpendingPage(
            years=[str(each) for each in years],
            year=str(year),
            currencies=currencies,
            currency=currency,
            total=total,
            is_empty=not any(each.charged.minor or each.credited.minor for each in months),
            chart=_chart(months, year, total),
            rows=[
                MonthRow(
                    month=formatting.month(each.month),
                    url=url_for(
                        ".month", slug=place.workspace.slug, month=f"{each.month:%Y-%m}", currency=currency
                    )
                    if f"{each.month:%Y-%m}" in with_statement
                    else "",
                    charged=formatting.money(each.charged),
                    credited=_negative(each.credited),
                    spent=formatting.money(each.spent),
                )
                for each in months
            ],
        ),
    )


def _negative(amount: Money) -> str:
    return formatting.money(-amount)


def _chart(months: Sequence[MonthlySpending], year: int, total: str) -> BarChart:
    """A month in which more was credited than charged has no bar."""
    largest = max(months, key=lambda each: each.spent.minor)
    values = []
    for each in months:
        name, text = formatting.month(each.month), formatting.money(each.spent)
        short, letter = formatting.short_month(each.month)
        values.append(Measured(max(each.spent.minor, 0), short, letter, "", text, f"{name}: {text}"))
    return bar_chart(
        values,
        mark="spending-chart",
        title=_("Spending by month in %(year)s, in %(currency)s", year=year, currency=largest.spent.currency),
        description=_(
            "%(total)s in all; most in %(month)s: %(amount)s. The table below has each month.",
            total=total,
            month=formatting.month(largest.month),
            amount=formatting.money(largest.spent),
        ),
    )
