"""What an operator says of a transfer that waits, beside giving it to somebody (transfers.py)."""

from datetime import datetime

from portal.database.connecting import transaction
from portal.domain.vocabulary import TransferReason, TransferState
from portal.models import BankTransfer
from portal.services import audit

from .transfers import TransferDecided, settle


def decline_proposal(transfer: BankTransfer, *, now: datetime) -> None:
    """Not the one that was proposed: it waits for somebody to say whose it is. Raises TransferDecided."""
    with transaction():
        found = _waiting(transfer, TransferState.TO_CONFIRM)
        found.workspace, found.invoice_ids = None, []
        settle(found, TransferState.PARKED, TransferReason.UNKNOWN, now=now)
        _record("transfer.parked", found, now=now)


def set_aside(transfer: BankTransfer, *, note: str, now: datetime) -> None:
    """None of ours, for the reason that `note` gives; it is kept. Raises TransferDecided."""
    with transaction():
        found = _waiting(transfer, TransferState.TO_CONFIRM, TransferState.PARKED)
        found.workspace, found.invoice_ids, found.note = None, [], note
        settle(found, TransferState.IGNORED, TransferReason.NOT_OURS, now=now)
        _record("transfer.set_aside", found, now=now)


def _waiting(transfer: BankTransfer, *states: TransferState) -> BankTransfer:
    found = BankTransfer.get_by_id(transfer.id)
    if found.state != transfer.state or found.state not in states:
        raise TransferDecided(state=found.state)
    return found


def _record(action: str, transfer: BankTransfer, *, now: datetime) -> None:
    audit.record(
        action,
        workspace=None,
        subject=str(transfer.id),
        changes={"amount_minor": transfer.amount_minor, "currency": transfer.currency},
        now=now,
    )
