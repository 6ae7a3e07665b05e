"""Credits: money that an operator gives to a workspace, with a reason that its people read.

It is kept in the balance and pays what is open at once and then what comes next, before any card
(docs/adr/0029); it is never paid out. A
credit that was a mistake is taken back as far as it is unused, by an entry against it (docs/adr/0038).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.database.connecting import transaction, write_postponed
from portal.domain import ledger as rules
from portal.domain.errors import PortalError
from portal.domain.money import Money
from portal.models import Credit, Price, Subscription, Workspace
from portal.outbox import JSON
from portal.services import audit, ledger, letters

from . import on_account


class WorkspaceGone(PortalError):
    """It was deleted: nobody would use what is given."""

    slug: str


class FormUsed(PortalError):
    """The form with this key has given something else already."""

    key: str


class WithdrawalChanged(PortalError):
    """Another amount than was shown can be taken back by now; it may be nothing."""

    shown: Money
    now: Money


@dataclass(frozen=True, slots=True)
class GivenCredit:
    """A credit, what was taken back of it, and `left`: what could be now, 0 for nothing."""

    credit: Credit
    taken_back: Money
    left: Money

    @property
    def next_key(self) -> str:
        """Of what is taken back of it next: the same until something is."""
        return f"back-{self.credit.id}-{self.taken_back.minor}"


def currencies(workspace: Workspace) -> tuple[list[str], list[str]]:
    """Those in which a credit may be given, and of them those in which its subscriptions are charged.

    Something is sold in each. Two queries.
    """
    sold = Price.select(Price.currency).distinct().order_by(Price.currency).tuples()
    prices = Price.select(Price.currency).distinct().join(Subscription, on=(Subscription.price == Price.id))
    charged = prices.where(Subscription.workspace == workspace).order_by(Price.currency).tuples()
    return _texts(sold), _texts(charged)


def _texts(rows: Any) -> list[str]:
    return [text for (text,) in rows]


def of_workspace(workspace: Workspace, *, most: int) -> list[GivenCredit]:
    """The newest first. Two queries, and one for each currency."""
    rows = Credit.select().where(Credit.workspace == workspace, Credit.takes_back.is_null())
    return _as_they_stand(workspace, list(rows.order_by(Credit.id.desc()).limit(most)))


def find(workspace: Workspace, key: str) -> GivenCredit | None:
    """The workspace's credit; another workspace's, and what took one back, is None."""
    credit = Credit.get_or_none(Credit.workspace == workspace, Credit.key == key, Credit.takes_back.is_null())
    return None if credit is None else _as_they_stand(workspace, [credit])[0]


def _as_they_stand(workspace: Workspace, given: Sequence[Credit]) -> list[GivenCredit]:
    if not given:
        return []
    left = ledger.left_of_credits(given)
    kept = {currency: ledger.kept(workspace, currency) for currency in {each.currency for each in given}}
    taken_back = {credit.id: Money.zero(credit.currency) for credit in given}
    for withdrawal in Credit.select().where(Credit.takes_back << list(taken_back)):
        assert withdrawal.takes_back_id is not None, "that is how it was found"
        taken_back[withdrawal.takes_back_id] += withdrawal.amount
    return [
        GivenCredit(
            credit=credit,
            taken_back=taken_back[credit.id],
            left=rules.withdrawable(left[credit.id], kept[credit.currency]),
        )
        for credit in given
    ]


def give(workspace: Workspace, *, amount: Money, reason: str, key: str, now: datetime) -> Credit:
    """Keep `amount`, more than 0, for the workspace, where it pays what is open. The same `key` gives once.

    Blocked ones may get it: it may be what helps them out. Locks the workspace; mails its billing people.
    Raises WorkspaceGone and FormUsed.
    """
    with transaction(lock=workspace):
        known = Credit.get_or_none(Credit.key == key)
        if known is not None:
            is_same = known.workspace_id == workspace.id and known.takes_back_id is None
            if not is_same or (known.amount, known.reason) != (amount, reason):
                raise FormUsed(key=key)
            return known
        stored = Workspace.get_by_id(workspace.id)
        if stored.deleted_at is not None:
            raise WorkspaceGone(slug=workspace.slug)
        credit = Credit.create(
            key=key,
            workspace=workspace,
            currency=amount.currency,
            amount_minor=amount.minor,
            reason=reason,
            made_at=now,
        )
        _write_down(credit, "credit.given", "credit_posted", now=now)
    return credit


def take_back(credit: Credit, *, shown: Money, reason: str, key: str, now: datetime) -> Credit:
    """What is unused of a credit is no longer kept: all of it, which has to be the amount that was shown.

    Locks the workspace; mails its billing people. Raises WithdrawalChanged and FormUsed.
    """
    workspace = credit.workspace
    with transaction(lock=workspace):
        known = Credit.get_or_none(Credit.key == key)
        if known is not None:
            if known.takes_back_id != credit.id:
                raise FormUsed(key=key)
            return known
        [given] = _as_they_stand(workspace, [credit])
        if given.left != shown or not shown.minor:
            raise WithdrawalChanged(shown=shown, now=given.left)
        withdrawal = Credit.create(
            key=key,
            workspace=workspace,
            currency=shown.currency,
            amount_minor=shown.minor,
            reason=reason,
            takes_back=credit,
            made_at=now,
        )
        _write_down(withdrawal, "credit.taken_back", "credit_taken_back", now=now)
    return withdrawal


def _write_down(credit: Credit, action: str, template: str, *, now: datetime) -> None:
    """The entry, the trace and the letters of a new row."""
    workspace = credit.workspace
    ledger.record_credit(credit)
    paid = []
    if credit.takes_back_id is None:
        # The letter about the credit says what it paid.
        paid = on_account.pay_from_balance(workspace, credit.currency, tell=False, now=now)
    changes: dict[str, audit.JSONValue] = {"amount_minor": credit.amount_minor, "currency": credit.currency}
    if credit.takes_back_id is not None:
        changes["of"] = credit.takes_back.key
    audit.record(action, workspace=workspace, subject=credit.key, changes=changes, now=now)
    write_postponed()
    balance = ledger.balance_of(workspace, credit.currency)
    context: dict[str, JSON] = {
        "amount_minor": credit.amount_minor,
        "currency": credit.currency,
        "reason": credit.reason,
        "balance_minor": balance.minor,
    }
    if credit.takes_back_id is None:
        context["covered"] = on_account.told(paid)
    letters.send(
        template,
        to=letters.billing_people(workspace),
        workspace=workspace,
        key=f"{template.replace('_', '-')}-{credit.id}",
        context=context,
    )
