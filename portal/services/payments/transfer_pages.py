"""What the operators' pages show of statements and transfers. Each a bounded number of queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from peewee import JOIN, SQL, ModelSelect, fn

from portal.database import rows
from portal.domain.money import Money
from portal.domain.vocabulary import DocumentKind, TransferState
from portal.models import BankStatement, BankTransfer, Invoice, Workspace
from portal.services import ledger, operator
from portal.services.ledger import Covering

MOST_WORKSPACES_FOUND = 10
MOST_INVOICES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many transfers wait for an operator."""

    to_confirm: int = 0
    parked: int = 0

    @property
    def count(self) -> int:
        return self.to_confirm + self.parked


def count_waiting() -> Waiting:
    """One query, over the index of those that wait alone."""
    query = (
        BankTransfer.select(BankTransfer.state, fn.COUNT(SQL("1")))
        .where(BankTransfer.is_waiting())
        .group_by(BankTransfer.state)
        .tuples()
    )
    found = dict(cast("Iterable[tuple[TransferState, int]]", query))
    return Waiting(
        to_confirm=found.get(TransferState.TO_CONFIRM, 0), parked=found.get(TransferState.PARKED, 0)
    )


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A statement, and how many of its lines stand how."""

    statement: BankStatement
    states: dict[TransferState, int]

    @property
    def new(self) -> int:
        """Of its lines, those that no earlier file had told."""
        return sum(self.states.values())

    def count(self, *states: TransferState) -> int:
        return sum(self.states.get(state, 0) for state in states)


def statements(*, before: int | None, size: int) -> list[StatementRow]:
    """The newest first, or those older than the one whose id is `before`. Two queries."""
    query = BankStatement.select().order_by(BankStatement.id.desc()).limit(size)
    if before is not None:
        query = query.where(BankStatement.id < before)
    found = list(query)
    states = _states({each.id for each in found})
    return [StatementRow(each, states.get(each.id, {})) for each in found]


def find_statement(statement_id: int) -> StatementRow | None:
    """Two queries."""
    found = BankStatement.get_or_none(BankStatement.id == statement_id)
    return None if found is None else StatementRow(found, _states({found.id}).get(found.id, {}))


def _states(statement_ids: Iterable[int]) -> dict[int, dict[TransferState, int]]:
    found: dict[int, dict[TransferState, int]] = {}
    query = (
        BankTransfer.select(BankTransfer.statement, BankTransfer.state, fn.COUNT(SQL("1")))
        .where(rows.one_of(BankTransfer.statement, statement_ids))
        .group_by(BankTransfer.statement, BankTransfer.state)
        .tuples()
    )
    for statement_id, state, count in cast("Iterable[tuple[int, TransferState, int]]", query):
        found.setdefault(statement_id, {})[state] = count
    return found


@dataclass(frozen=True, slots=True)
class TransferRow:
    """A transfer with its workspace, and which invoices it covers."""

    transfer: BankTransfer
    covering: Sequence[Covering]


def transfers_of(
    statement_id: int, *, states: Sequence[TransferState], after: int, size: int
) -> list[TransferRow]:
    """Lines of a statement in the order of its file, after the one whose id is `after`. Two queries."""
    query = _with_workspace().where(BankTransfer.statement == statement_id, BankTransfer.id > after)
    if states:
        query = query.where(BankTransfer.state << list(states))
    return _rows(list(query.order_by(BankTransfer.id).limit(size)))


def waiting(*, after: int, size: int) -> list[TransferRow]:
    """Those that wait for an operator, the oldest first. Two queries."""
    query = _with_workspace().where(BankTransfer.is_waiting(), BankTransfer.id > after)
    return _rows(list(query.order_by(BankTransfer.id).limit(size)))


def find(transfer_id: int) -> TransferRow | None:
    """With its workspace, its statement and what it takes back. Two queries."""
    found = (
        BankTransfer.select(BankTransfer, Workspace, BankStatement)
        .join_from(BankTransfer, Workspace, JOIN.LEFT_OUTER)
        .join_from(BankTransfer, BankStatement)
        .where(BankTransfer.id == transfer_id)
        .first()
    )
    return None if found is None else _rows([found])[0]


def rows_of(transfers: Sequence[BankTransfer]) -> list[TransferRow]:
    """Of these, which have their workspaces. One query."""
    return _rows(transfers)


def taken_back_by(transfer: BankTransfer) -> BankTransfer | None:
    """The line by which the bank took it back."""
    return BankTransfer.get_or_none(BankTransfer.takes_back == transfer)


def _with_workspace() -> Any:
    return BankTransfer.select(BankTransfer, Workspace).join(Workspace, JOIN.LEFT_OUTER)


def _rows(found: Sequence[BankTransfer]) -> list[TransferRow]:
    covering = ledger.covered_by(found) if found else {}
    return [TransferRow(each, covering.get(each.id, ())) for each in found]


# --- whose it may be ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkspaceFound:
    """A workspace, and what is open of its invoices in the transfer's currency, the oldest first."""

    workspace: Workspace
    still_open: Sequence[tuple[Invoice, Money]]


def search(text: str, *, currency: str, now: datetime) -> list[WorkspaceFound]:
    """Workspaces by name, address, customer number or the number of an invoice. Three queries."""
    by_number = (
        Invoice.select(Invoice, Workspace)
        .join(Workspace)
        .where(Invoice.number == text.strip().upper(), Workspace.deleted_at.is_null())
        .first()
    )
    if by_number is not None:
        return [found_of(by_number.workspace, currency=currency)]
    listed = operator.workspaces(search=text, before=None, size=MOST_WORKSPACES_FOUND, now=now)
    workspaces = [each.workspace for each in listed.rows]
    still_open = _still_open([each.id for each in workspaces], currency=currency)
    return [WorkspaceFound(each, still_open.get(each.id, ())) for each in workspaces]


def found_of(workspace: Workspace, *, currency: str) -> WorkspaceFound:
    """One query."""
    still_open = _still_open([workspace.id], currency=currency)
    return WorkspaceFound(workspace, still_open.get(workspace.id, ()))


def invoices_of(workspace: Workspace, numbers: Sequence[str]) -> list[Invoice]:
    """The workspace's own of these numbers, the oldest first, or what replaced them since. One query."""
    named = Invoice.alias()
    return _standing(
        named.select(named.order).where(
            named.workspace == workspace,
            named.kind == DocumentKind.INVOICE,
            named.number << list(numbers)[:MOST_INVOICES_SHOWN],
        )
    )


def invoices_by_id(ids: Sequence[int]) -> list[Invoice]:
    """The oldest first, or what replaced them since. One query."""
    named = Invoice.alias()
    return _standing(named.select(named.order).where(rows.one_of(named.id, ids))) if ids else []


def _standing(orders: "ModelSelect[Invoice]") -> list[Invoice]:
    """The invoices of these orders that stand, the oldest first."""
    return list(Invoice.select().where(Invoice.order << orders, Invoice.is_current()).order_by(Invoice.id))


def _still_open(workspace_ids: Sequence[int], *, currency: str) -> dict[int, list[tuple[Invoice, Money]]]:
    found: dict[int, list[tuple[Invoice, Money]]] = {}
    left = Invoice.total_minor - ledger.sum_covered(Invoice)
    query = (
        Invoice.select(Invoice, left.alias("left_minor"))
        .where(
            rows.one_of(Invoice.workspace, workspace_ids),
            Invoice.is_current(),
            Invoice.currency == currency,
            left > 0,
        )
        .order_by(Invoice.id)
        .limit(MOST_WORKSPACES_FOUND * MOST_INVOICES_SHOWN)
    )
    for invoice in cast("Iterable[Any]", query):
        still_open = Money(int(invoice.left_minor), invoice.currency)
        found.setdefault(invoice.workspace_id, []).append((invoice, still_open))
    return {key: invoices[:MOST_INVOICES_SHOWN] for key, invoices in found.items()}
