"""Money that came by bank transfer goes into the ledger of its workspace, and out of it if it is taken back.

`preview` and `receive` are one reckoning over the same rows. Each takes the workspace's lock, and the
transfer's own state decides who was first: of two who say so at once, one has it and the other is told.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from portal.database import rows
from portal.database.connecting import transaction
from portal.database.prepared import Parameter, Prepared
from portal.domain.errors import PortalError
from portal.domain.ledger import Part, allocate
from portal.domain.lifecycle import TRANSFER_TRANSITIONS
from portal.domain.money import Money, total
from portal.domain.pricing import facts_hash
from portal.domain.vocabulary import DocumentKind, TransferReason, TransferState
from portal.models import BankTransfer, Invoice, Workspace
from portal.outbox import JSON
from portal.services import audit, ledger, letters

from . import on_account
from .on_account import CoveredInvoice


class TransferDecided(PortalError):
    """Somebody else was faster: its `state` is another by now."""

    state: TransferState


class TransferChanged(PortalError):
    """What it covers is no longer what was shown."""


class WorkspaceGone(PortalError):
    """It was deleted: nothing is received for it any more."""


@dataclass(frozen=True, slots=True)
class TransferPreview:
    """What a transfer does: which invoices it covers, in this order, and what is kept in the balance."""

    transfer: BankTransfer
    workspace: Workspace
    invoices: tuple[CoveredInvoice, ...]
    kept: Money
    hash: str = field(compare=False, default="")

    @property
    def covered(self) -> list[CoveredInvoice]:
        """Those of which it covers something."""
        return [each for each in self.invoices if each.covered.minor > 0]


def preview(transfer: BankTransfer, *, workspace: Workspace, invoices: Sequence[Invoice]) -> TransferPreview:
    """Those of `invoices` are covered first that are the workspace's and in the transfer's currency.

    What they leave of it pays whatever else is open there, the oldest due first. A query, or three.
    """
    fitting = [
        each
        for each in invoices
        if each.workspace_id == workspace.id
        and each.currency == transfer.currency
        and each.kind == DocumentKind.INVOICE
    ]
    before = ledger.covered_of(fitting) if fitting else {}
    still_open = {each.id: each.total - before[each.id] for each in fitting}
    named = len(fitting)
    if total(still_open.values(), transfer.currency) < transfer.amount:
        beside = {
            part.key: part.amount
            for part in ledger.open_parts(workspace, transfer.currency)
            if part.key not in still_open
        }
        still_open |= beside
        fitting += on_account.in_order(beside)
    shares = allocate(
        [Part(transfer.id, transfer.amount)], [Part(each.id, still_open[each.id]) for each in fitting]
    )
    covered = {share.target: share.amount for share in shares}
    nothing = Money.zero(transfer.currency)
    lines = tuple(
        CoveredInvoice(
            each,
            covered.get(each.id, nothing),
            still_open[each.id] - covered.get(each.id, nothing),
        )
        for place, each in enumerate(fitting)
        if place < named or each.id in covered
    )
    kept = transfer.amount - total((each.covered for each in lines), transfer.currency)
    return TransferPreview(transfer, workspace, lines, kept, _hash_of(transfer, workspace, lines, kept))


def receive(
    transfer: BankTransfer,
    *,
    workspace: Workspace,
    invoices: Sequence[Invoice],
    reason: TransferReason = TransferReason.OPERATOR,
    shown_hash: str | None = None,
    now: datetime,
) -> TransferPreview:
    """Write the transfer into the ledger, where it covers these invoices first, then what else is open.

    The rest is kept. Locks the workspace. `shown_hash` is that of the preview that somebody confirms; None if
    nobody looked. Those who pay for the workspace are told.
    Raises TransferDecided, TransferChanged, WorkspaceGone.
    """
    with transaction(lock=workspace):
        transfer = _to_become(TransferState.MATCHED, transfer)
        [workspace] = _workspace.rows(id=workspace.id)
        if workspace.deleted_at is not None:
            raise WorkspaceGone
        effect = preview(transfer, workspace=workspace, invoices=invoices)
        if shown_hash is not None and shown_hash != effect.hash:
            raise TransferChanged
        transfer.workspace, transfer.note = workspace, ""
        shown = {each.invoice.id for each in effect.invoices}
        transfer.invoice_ids = [each.id for each in invoices if each.id in shown]
        settle(transfer, TransferState.MATCHED, reason, now=now)
        ledger.record_transfer(transfer, covers=[each.invoice for each in effect.invoices], now=now)
        audit.record(
            "transfer.matched",
            workspace=workspace,
            subject=str(transfer.id),
            changes={
                "amount_minor": transfer.amount_minor,
                "currency": transfer.currency,
                "reason": reason.value,
                "invoices": ", ".join(each.invoice.number for each in effect.covered),
                "kept_minor": effect.kept.minor,
            },
            now=now,
        )
        # The letter says which invoices are paid.
        on_account.settle_covered(workspace, tell=False, now=now)
        _tell_received(effect)
    return effect


def take_back(taking: BankTransfer, *, taken: BankTransfer, reason: TransferReason, now: datetime) -> None:
    """The bank took `taken` back by `taking`: what it covered is open again, what was kept is gone.

    Locks the workspace that it was given to, if it was. Its people are told. Raises TransferDecided, and
    TransferChanged where the two are not the same amount.
    """
    with transaction(lock=(locked := taken.workspace)):
        taking, taken = _to_become(TransferState.MATCHED, taking), _to_become(TransferState.RETURNED, taken)
        is_other_money = taking.amount != taken.amount or taken.is_debit or not taking.is_debit
        if is_other_money or taken.workspace_id != (locked.id if locked is not None else None):
            raise TransferChanged
        was_given = taken.state == TransferState.MATCHED
        taking.takes_back = taken
        if not was_given:
            # Only proposed, or known and not given to it.
            taken.workspace, taken.invoice_ids = None, []
        taking.workspace = taken.workspace
        settle(taken, TransferState.RETURNED, taken.reason, now=now)
        settle(taking, TransferState.MATCHED, reason, now=now)
        if was_given and taken.workspace is not None:
            paid = ledger.paid_by(taken)
            ledger.record_transfer_return(taking, taken=taken, now=now)
            on_account.pay_from_balance(taken.workspace, taken.currency, now=now)
            on_account.open_again(taken.workspace, paid, now=now)
        audit.record(
            "transfer.taken_back",
            workspace=taken.workspace,
            subject=str(taken.id),
            changes={"amount_minor": taken.amount_minor, "currency": taken.currency, "by": taking.id},
            now=now,
        )
        if was_given:
            _tell_taken_back(taken, taking)


def settle(transfer: BankTransfer, state: TransferState, reason: TransferReason, *, now: datetime) -> None:
    """Write down what became of it, unless somebody was faster. Raises TransferDecided.

    Inside the transaction of all that follows from it, which is gone then too.
    """
    before = transfer.state
    transfer.state, transfer.reason, transfer.decided_at = state, reason, now
    if not rows.save(transfer, only_if=(BankTransfer.state, before)):
        raise TransferDecided(state=before)


def _to_become(state: TransferState, transfer: BankTransfer) -> BankTransfer:
    """As it stands now, if it is as the caller saw it, and may become that. Raises TransferDecided."""
    [found] = _transfer.rows(id=transfer.id)
    if found.state != transfer.state or state not in TRANSFER_TRANSITIONS[found.state]:
        raise TransferDecided(state=found.state)
    return found


# Asked for each line of a statement.
_workspace = Prepared(lambda: Workspace.select().where(Workspace.id == Parameter("id")))
_transfer = Prepared(lambda: BankTransfer.select().where(BankTransfer.id == Parameter("id")))


def _hash_of(
    transfer: BankTransfer, workspace: Workspace, lines: Sequence[CoveredInvoice], kept: Money
) -> str:
    return facts_hash(
        {
            "transfer": transfer.id,
            "state": transfer.state,
            "workspace": workspace.id,
            "covered": [[each.invoice.id, each.covered.minor, each.left.minor] for each in lines],
            "kept_minor": kept.minor,
        }
    )


# --- telling --------------------------------------------------------------------------------------


def told_of(transfer: BankTransfer) -> dict[str, JSON]:
    """What every letter about a transfer says of it."""
    return {
        "total_minor": transfer.amount_minor,
        "currency": transfer.currency,
        "booked_on": transfer.booked_on.isoformat(),
    }


def _tell_received(effect: TransferPreview) -> None:
    """Those who pay, with the invoices that it covers; the worker makes them where they are missing."""
    transfer, workspace = effect.transfer, effect.workspace
    letters.send(
        "transfer_received",
        to=letters.billing_people(workspace),
        workspace=workspace,
        # It may be matched once more, after somebody has undone it.
        key=f"transfer-received-{uuid.uuid4().hex}",
        context={
            **told_of(transfer),
            "payer": transfer.payer_name,
            "covered": on_account.told(effect.covered),
            "kept_minor": effect.kept.minor,
        },
        attachments=[each.invoice for each in effect.covered],
    )


def _tell_taken_back(taken: BankTransfer, taking: BankTransfer) -> None:
    workspace = taken.workspace
    if workspace is None or workspace.deleted_at is not None:
        return
    letters.send(
        "transfer_taken_back",
        to=letters.billing_people(workspace),
        workspace=workspace,
        key=f"transfer-taken-back-{taken.id}",
        context={
            **told_of(taken),
            "taken_back_on": taking.booked_on.isoformat(),
            "payer": taken.payer_name,
        },
    )
