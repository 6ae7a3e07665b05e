"""The rows of the demo's customers: people, team, details, saved methods, subscriptions."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from portal.database.rows import chunks, take_ids
from portal.gateways.base import MethodFacts, Succeeded
from portal.models import (
    AuditEntry,
    AuditTrace,
    BillingDetails,
    Contact,
    Member,
    PaymentMethod,
    Person,
    Subscription,
    SubscriptionPeriod,
    Workspace,
)
from portal.services import audit

from .accounts import Account
from .rows import insert


class Written:
    """Ids of what was written, by slug; the tables refer to each other by them."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        slugs = [account.slug for account in accounts]
        self.workspaces = dict(zip(slugs, take_ids(Workspace, len(slugs)), strict=True))
        self.subscriptions = dict(zip(slugs, take_ids(Subscription, len(slugs)), strict=True))
        self.owners: dict[str, int] = {}
        self.methods: dict[str, int] = {}


def write_accounts(
    accounts: Sequence[Account],
    *,
    password_hash: str,
    product_id: int,
    plan_ids: Mapping[str, int],
    paid: Mapping[str, Succeeded],
) -> Written:
    """Workspaces with their people, details, saved methods and subscriptions. `paid` is by order number."""
    written = Written(accounts)
    insert(Workspace, (_workspace(each, written) for each in accounts))
    for chunk in chunks(accounts):
        _write_people(chunk, written, password_hash=password_hash)
    insert(BillingDetails, (_details(each, written) for each in accounts if each.details))
    for account in accounts:
        if account.renews and account.purchases:
            _write_method(account, written, paid[account.purchases[-1].number])
    insert(Subscription, (_subscription(each, written, plan_ids, product_id) for each in accounts))
    insert(SubscriptionPeriod, (_first_period(each, written, plan_ids) for each in accounts))
    insert(SubscriptionPeriod, (_free_period(each, written, plan_ids) for each in accounts if each.plan.free))
    return written


def write_contact(account: Account, written: Written, *, wall: datetime) -> None:
    """An accountant outside the workspace, who has agreed to get its letters about money."""
    Contact.create(
        workspace=written.workspaces[account.slug],
        email=f"accounts@accountant-of-{account.slug}.example",
        language=account.language,
        added_by=written.owners[account.slug],
        created_at=wall,
        confirmed_at=wall,
    )


def _workspace(account: Account, written: Written) -> dict[str, Any]:
    workspace_id = written.workspaces[account.slug]
    return {
        "id": workspace_id,
        "slug": account.slug,
        "name": account.name,
        "customer_number": f"C-{workspace_id:06d}",
        "language": account.language,
        "currency": account.currency,
        "used_storage_bytes": account.used_storage_bytes,
        "services": [service.value for service in account.services],
        "created_at": account.created_at,
    }


def _write_people(accounts: Sequence[Account], written: Written, *, password_hash: str) -> None:
    """People, their team, and the first entry of each workspace's journal."""
    members = [(account, member) for account in accounts for member in account.members]
    ids = take_ids(Person, len(members))
    insert(
        Person,
        (
            {
                "id": person_id,
                "email": member.email,
                "name": member.name,
                "password_hash": password_hash,
                "language": account.language,
                "created_at": member.since,
                "email_proved_at": member.since,
            }
            for (account, member), person_id in zip(members, ids, strict=True)
        ),
    )
    insert(
        Member,
        (
            {
                "workspace": written.workspaces[account.slug],
                "person": person_id,
                "role": member.role,
                "status": member.status,
                "created_at": member.since,
                "joined_at": member.since,
            }
            for (account, member), person_id in zip(members, ids, strict=True)
        ),
    )
    for (account, member), person_id in zip(members, ids, strict=True):
        if member is account.owner:
            written.owners[account.slug] = person_id
    _write_journal(accounts, written)


def _write_journal(accounts: Sequence[Account], written: Written) -> None:
    ids = take_ids(AuditEntry, len(accounts))
    entries = []
    for account, entry_id in zip(accounts, ids, strict=True):
        entry = AuditEntry(
            id=entry_id,
            workspace=written.workspaces[account.slug],
            sequence=1,
            at=account.created_at,
            action="workspace.created",
            subject=account.slug,
            changes={},
        )
        entry.digest = audit.digest(entry, previous="")
        entries.append(entry)
    insert(AuditEntry, [entry.__data__ for entry in entries])
    insert(
        AuditTrace,
        (
            {"entry": entry.id, "person": written.owners[account.slug], "actor": account.owner.email}
            for account, entry in zip(accounts, entries, strict=True)
        ),
    )


def _details(account: Account, written: Written) -> dict[str, Any]:
    assert account.details is not None
    values = asdict(account.details)
    return {"workspace": written.workspaces[account.slug], **values}


def _write_method(account: Account, written: Written, outcome: Succeeded) -> None:
    """The method that the gateway kept with the newest order."""
    facts = outcome.method
    assert facts is not None, "a charge that saves its method tells it"
    assert facts.reference is not None, "a charge that saves its method tells it"
    method = PaymentMethod.create(
        workspace=written.workspaces[account.slug],
        added_by=written.owners[account.slug],
        gateway="sandbox",
        reference=facts.reference,
        kind=facts.kind,
        brand=facts.brand or "",
        last4=facts.last4 or "",
        exp_month=facts.exp_month,
        exp_year=facts.exp_year,
        holder=facts.holder,
        is_preferred=True,
        expiry_look_at=_first_look(facts),
        created_at=account.purchases[-1].at,
    )
    written.methods[account.slug] = method.id


def _first_look(facts: MethodFacts) -> datetime | None:
    """A month before a card expires, about."""
    if facts.exp_month is None or facts.exp_year is None:
        return None
    return datetime(facts.exp_year, facts.exp_month, 1, tzinfo=UTC)


def _subscription(
    account: Account, written: Written, plan_ids: Mapping[str, int], product_id: int
) -> dict[str, Any]:
    newest = account.purchases[-1].quote.only_line if account.purchases else None
    told = account.purchases[-1].quote if account.slug in written.methods else None
    started_on = account.created_at.date()
    return {
        "id": written.subscriptions[account.slug],
        "workspace": written.workspaces[account.slug],
        "product": product_id,
        "plan": plan_ids[newest.offer.plan_code if newest else account.plan.code],
        "price": newest.offer.price_id if newest else None,
        "started_on": newest.period.start if newest else started_on,
        "due_on": newest.due_on if newest else None if account.plan.free else account.trial_ends_on,
        "anchor_day": newest.anchor_day if newest else started_on.day,
        "auto_renewal": account.slug in written.methods,
        "payment_method": written.methods.get(account.slug),
        "renew_on": told.only_line.due_on if told else None,
        "announced_minor": told.total.minor if told else None,
        "announced_net_minor": told.net.minor if told else None,
        "look_at": account.created_at,
        "version": 1 + len(account.purchases),
        "created_at": account.created_at,
    }


def _first_period(account: Account, written: Written, plan_ids: Mapping[str, int]) -> dict[str, Any]:
    """The trial, cut short where a plan was bought in it."""
    end_on = account.trial_ends_on
    if account.purchases:
        bought_on = account.purchases[0].quote.only_line.period.start
        end_on = min(bought_on, end_on or bought_on)
    return {
        "subscription": written.subscriptions[account.slug],
        "plan": plan_ids[account.trial.code],
        "start_on": account.created_at.date(),
        "base_end_on": account.trial_ends_on,
        "end_on": end_on,
        "created_at": account.created_at,
    }


def _free_period(account: Account, written: Written, plan_ids: Mapping[str, int]) -> dict[str, Any]:
    return {
        "subscription": written.subscriptions[account.slug],
        "plan": plan_ids[account.plan.code],
        "start_on": account.trial_ends_on or account.created_at.date(),
        "created_at": account.created_at,
    }
