"""A transfer that an operator matched with the wrong workspace or invoice comes back to those that wait.

By an entry against it, as where the bank takes it back: what it had covered is open again with its old due
date. What was spent since is refused: the workspace would owe what it was told is paid (docs/adr/0039).
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from portal.database.connecting import transaction
from portal.domain.errors import PortalError
from portal.domain.ledger import Part, allocate
from portal.domain.money import Money
from portal.domain.pricing import facts_hash
from portal.domain.vocabulary import TransferReason, TransferState
from portal.models import BankTransfer, Workspace
from portal.outbox import JSON
from portal.services import audit, ledger, letters

from . import on_account
from .on_account import CoveredInvoice
from .transfers import TransferChanged, TransferDecided, settle, told_of


class MatchSpent(PortalError):
    """So much of its money was used since."""

    spent: Money


@dataclass(frozen=True, slots=True)
class UndonePreview:
    """What undoing a match does. Of each invoice in `opened` the transfer `covered` a part; `left` is what is
    to be paid of it then, 0 where other money of the balance covers it at once. `kept` goes from the balance.
    Where something was `spent` nothing can be undone.
    """

    transfer: BankTransfer
    workspace: Workspace
    opened: tuple[CoveredInvoice, ...]
    kept: Money
    spent: Money
    hash: str = field(compare=False, default="")


def may_be_undone(transfer: BankTransfer) -> bool:
    """Whether it is money that came and that somebody has."""
    return transfer.state == TransferState.MATCHED and not transfer.is_debit


def preview(transfer: BankTransfer) -> UndonePreview:
    """Of one that `may_be_undone`, with its workspace."""
    workspace = transfer.workspace
    assert workspace is not None, "what is matched is somebody's"
    use = ledger.use_of(transfer, workspace)
    invoices = on_account.in_order(use.covers)
    covered = ledger.covered_of(invoices)
    opened = {each.id: each.total - covered[each.id] + use.covers[each.id] for each in invoices}
    free = ledger.free_beside_orders(workspace, transfer.currency) - use.left
    for share in allocate(
        [Part(0, max(Money.zero(transfer.currency), free))],
        [Part(each, left) for each, left in opened.items()],
    ):
        opened[share.target] -= share.amount
    lines = tuple(CoveredInvoice(each, use.covers[each.id], opened[each.id]) for each in invoices)
    facts = {
        "transfer": transfer.id,
        "state": transfer.state,
        "workspace": workspace.id,
        "opened": [[each.invoice.id, each.covered.minor, each.left.minor] for each in lines],
        "kept_minor": use.left.minor,
        "spent_minor": use.spent.minor,
    }
    return UndonePreview(transfer, workspace, lines, use.left, use.spent, facts_hash(facts))


def undo(transfer: BankTransfer, *, reason: str, shown_hash: str, now: datetime) -> UndonePreview:
    """The transfer is nobody's again, and waits for somebody to say whose it is; `reason` is kept with it.

    Locks the workspace that had it, whose people get a letter where one had said that an invoice was paid.
    Raises TransferDecided; TransferChanged where it would do something else than was shown; MatchSpent.
    """
    with transaction(lock=(locked := transfer.workspace)):
        found = BankTransfer.get_by_id(transfer.id)
        if not may_be_undone(found) or locked is None or found.workspace_id != locked.id:
            raise TransferDecided(state=found.state)
        effect = preview(found)
        if effect.spent.minor:
            raise MatchSpent(spent=effect.spent)
        if effect.hash != shown_hash:
            raise TransferChanged
        workspace, paid = effect.workspace, ledger.paid_by(found)
        ledger.record_match_undone(found, now=now)
        found.workspace, found.invoice_ids, found.note = None, [], reason
        settle(found, TransferState.PARKED, TransferReason.OPERATOR, now=now)
        on_account.pay_from_balance(workspace, found.currency, tell=False, now=now)
        on_account.open_again(workspace, paid, now=now)
        audit.record(
            "transfer.match_undone",
            workspace=workspace,
            subject=str(found.id),
            changes={
                "amount_minor": found.amount_minor,
                "currency": found.currency,
                "reason": reason,
                "invoices": ", ".join(each.invoice.number for each in effect.opened),
                "kept_minor": effect.kept.minor,
            },
            now=now,
        )
        if effect.opened and workspace.deleted_at is None:
            _tell(effect)
    return effect


def _tell(effect: UndonePreview) -> None:
    workspace = effect.workspace
    opened: list[JSON] = [
        {
            "number": each.invoice.number,
            "left_minor": each.left.minor,
            "due_on": each.invoice.due_on.isoformat() if each.invoice.due_on else None,
        }
        for each in effect.opened
    ]
    letters.send(
        "transfer_match_undone",
        to=letters.billing_people(workspace),
        workspace=workspace,
        # It may be undone more than once.
        key=f"transfer-match-undone-{uuid.uuid4().hex}",
        context={**told_of(effect.transfer), "opened": opened},
    )
