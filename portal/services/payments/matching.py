"""What becomes of the lines of a statement once they are written down, as domain/transfer_matching.py says.

In two turns for each batch: first what is certain, then the rest, which may know by then who pays from which
account. What the bank takes back comes last. Every act is conditional on the line's state, so that two runs
at once, or one after a crash, do each thing once.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from peewee import ModelSelect

from portal import outbox
from portal.database import rows
from portal.database.columns import Model
from portal.database.connecting import transaction
from portal.domain.bank_files.lines import BankLine
from portal.domain.transfer_matching import (
    Decision,
    Known,
    Named,
    decide,
    decide_without_invoices,
    named_by,
    taken_back,
)
from portal.domain.vocabulary import TransferReason, TransferState
from portal.models import BankStatement, BankTransfer, Invoice, Workspace
from portal.runtime import current

from . import transfers
from .transfer_facts import (
    Beside,
    as_earlier,
    earlier_transfers,
    known_beside,
    known_invoices,
    line_of,
)

M = TypeVar("M", bound=Model)

BATCH = 200
IN_ONE_GO = 1000
TOPIC = "match_transfers"
MOST_TRIED_AGAIN = 200


def match_received(statement_ids: Sequence[int], *, now: datetime, most: int | None = None) -> int:
    """Say what becomes of the lines of these statements that nobody has looked at. How many are left.

    `most`: stop after about so many, for a promise that comes again.
    """
    done = 0
    while batch := _received(statement_ids):
        if most is not None and done >= most:
            return int(_of(statement_ids).count())
        _match(batch, now=now)
        done += len(batch)
    if done:
        _try_again(now=now)
    return 0


def match_in_turns(statement_ids: Sequence[int], *, key: str, now: datetime) -> None:
    """As `match_received`, no more than a worker does in one go; the rest is promised under another key."""
    left = match_received(statement_ids, now=now, most=IN_ONE_GO)
    if left:
        with transaction():
            outbox.publish(
                TOPIC,
                key=f"{key.partition('+')[0]}+{left}",
                payload={"statement_ids": list(statement_ids)},
                now=current().clock.wall(),
            )


def _of(statement_ids: Sequence[int]) -> "ModelSelect[BankTransfer]":
    return BankTransfer.select().where(
        BankTransfer.statement << list(statement_ids), BankTransfer.state == TransferState.RECEIVED
    )


def _received(statement_ids: Sequence[int]) -> list[BankTransfer]:
    return list(_of(statement_ids).order_by(BankTransfer.id).limit(BATCH))


def _match(batch: Sequence[BankTransfer], *, now: datetime) -> None:
    """Each of the batch is decided afterwards, by us or by whoever was faster."""
    doubtful = _maybe_known(batch)
    left: list[tuple[BankTransfer, BankLine]] = []
    going_back: list[BankTransfer] = []
    plain: list[tuple[BankTransfer, Decision]] = []
    for transfer in batch:
        line = line_of(transfer)
        decision = decide_without_invoices(line)
        if decision is None and transfer.id in doubtful:
            decision = Decision(TransferState.PARKED, TransferReason.MAYBE_KNOWN)
        if decision is not None:
            plain.append((transfer, decision))
        elif line.is_debit:
            going_back.append(transfer)
        else:
            left.append((transfer, line))
    _write(plain, now=now)
    _match_credits(left, now=now)
    for transfer in going_back:
        _take_back(transfer, now=now)


def _match_credits(came: Sequence[tuple[BankTransfer, BankLine]], *, now: datetime) -> None:
    named = [named_by(line) for _transfer, line in came]
    invoices = known_invoices(named)
    open_to_doubt: list[tuple[BankTransfer, BankLine, Named]] = []
    certain: list[tuple[BankTransfer, Decision]] = []
    for (transfer, line), names in zip(came, named, strict=True):
        decision = decide(line, names, Known(invoices=invoices))
        if decision.state == TransferState.MATCHED:
            certain.append((transfer, decision))
        else:
            open_to_doubt.append((transfer, line, names))
    _receive(certain, now=now)
    if not open_to_doubt:
        return
    beside = Beside([line for _, line, _ in open_to_doubt], [names for _, _, names in open_to_doubt])
    invoices = known_invoices([names for _, _, names in open_to_doubt])
    decided = [
        (transfer, decide(line, names, known_beside(line, names, invoices, beside)))
        for transfer, line, names in open_to_doubt
    ]
    _receive([each for each in decided if each[1].state == TransferState.MATCHED], now=now)
    _write([each for each in decided if each[1].state != TransferState.MATCHED], now=now)


def _receive(decided: Sequence[tuple[BankTransfer, Decision]], *, now: datetime) -> None:
    """Into the ledger, workspace by workspace."""
    workspaces = _by_id(Workspace, {decision.workspace for _, decision in decided})
    invoices = _by_id(Invoice, {each for _, decision in decided for each in decision.invoices})
    for transfer, decision in decided:
        assert decision.workspace is not None
        try:
            transfers.receive(
                transfer,
                workspace=workspaces[decision.workspace],
                invoices=[invoices[each] for each in decision.invoices],
                reason=decision.reason,
                now=now,
            )
        except transfers.TransferDecided:
            # Somebody was faster, and it stays as they said.
            continue
        except transfers.WorkspaceGone:
            gone = Decision(
                TransferState.PARKED, TransferReason.WORKSPACE_DELETED, workspace=decision.workspace
            )
            _write([(transfer, gone)], now=now)


def _write(decided: Sequence[tuple[BankTransfer, Decision]], *, now: datetime) -> None:
    """What moves no money: set aside, proposed or parked. One transaction."""
    if not decided:
        return
    with transaction():
        for transfer, decision in decided:
            BankTransfer.update(
                state=decision.state,
                reason=decision.reason,
                workspace=decision.workspace,
                invoice_ids=list(decision.invoices),
                decided_at=now,
            ).where(BankTransfer.id == transfer.id, BankTransfer.state == transfer.state).execute()


def _take_back(taking: BankTransfer, *, now: datetime) -> None:
    """Find what it takes back; where that is not certain, somebody says so."""
    earlier = earlier_transfers(taking)
    found = taken_back(line_of(taking), [as_earlier(each) for each in earlier])
    taken = next((each for each in earlier if each.id == found), None)
    if taken is not None:
        try:
            transfers.take_back(taking, taken=taken, reason=TransferReason.TAKES_BACK, now=now)
        except (transfers.TransferDecided, transfers.TransferChanged):
            taken = None
    if taken is None:
        unknown = Decision(TransferState.PARKED, TransferReason.TAKES_BACK_UNKNOWN)
        _write([(taking, unknown)], now=now)


def _try_again(*, now: datetime) -> None:
    """What was taken back before it was told that it had come: statements come in any order."""
    waiting = (
        BankTransfer.select()
        .where(
            BankTransfer.is_waiting(),
            BankTransfer.state == TransferState.PARKED,
            BankTransfer.reason == TransferReason.TAKES_BACK_UNKNOWN,
        )
        .order_by(BankTransfer.id.desc())
        .limit(MOST_TRIED_AGAIN)
    )
    for taking in list(waiting):
        _take_back(taking, now=now)


def _by_id(model: type[M], ids: Iterable[int | None]) -> dict[int, M]:
    wanted = sorted({each for each in ids if each is not None})
    found = model.select().where(rows.one_of(model.id, wanted)) if wanted else []
    return {each.id: each for each in cast("Iterable[M]", found)}


def _maybe_known(batch: Sequence[BankTransfer]) -> set[int]:
    """Ids of those that another kind of file may have told in other words. Two queries.

    The bank names one of the two by no reference, so that nothing says whether they are the same: amount,
    day and payer are.
    """
    earlier, told_by = BankTransfer.alias(), BankStatement.alias()
    # All of one file, whose statements are of one kind.
    own_kind = BankStatement.get_by_id(batch[0].statement_id).kind
    days = [each.booked_on for each in batch]
    found: dict[tuple[object, ...], set[str]] = {}
    query = (
        earlier.select(
            earlier.amount_minor,
            earlier.booked_on,
            earlier.currency,
            earlier.is_debit,
            earlier.payer_iban,
            earlier.bank_reference,
        )
        .join(told_by, on=(earlier.statement == told_by.id))
        .where(
            earlier.amount_minor << sorted({each.amount_minor for each in batch}),
            earlier.booked_on.between(min(days), max(days)),
            told_by.kind != own_kind,
        )
        .tuples()
    )
    for *told, bank_reference in cast("Iterable[tuple[Any, ...]]", query):
        found.setdefault(tuple(told), set()).add(bank_reference)
    doubtful = set()
    for each in batch:
        facts = (each.amount_minor, each.booked_on, each.currency, each.is_debit, each.payer_iban)
        references = found.get(facts, set())
        if "" in references or (references and not each.bank_reference):
            doubtful.add(each.id)
    return doubtful
