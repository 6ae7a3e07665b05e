"""Saved payment methods: chosen, removed, and which is charged instead.

method_setups.py adds them; subscriptions/charged_methods.py has the order in which they are charged.
"""

from collections.abc import Iterable
from datetime import date, datetime

from peewee import fn

from portal.database.connecting import transaction
from portal.domain.errors import PortalError
from portal.domain.expiry import last_day, look_on
from portal.gateways.base import MethodFacts
from portal.models import PaymentMethod, Person, Subscription, Workspace
from portal.services import audit
from portal.services.places import Place
from portal.services.subscriptions import agreement, changing
from portal.services.subscriptions.charged_methods import currency_of, is_expired, may_be_charged, methods_of


class MethodGone(PortalError):
    """Somebody removed the method meanwhile."""


class MethodExpired(PortalError):
    """The card is over: it cannot be the one that is charged."""


class MethodStopped(PortalError):
    """A payment with it was disputed: nothing is charged to it by itself any more."""


class MethodNeeded(PortalError):
    """Automatic renewal is on and no other method could be charged instead."""


# --- looking --------------------------------------------------------------------------------------


def find_method(workspace: Workspace, method_id: int) -> PaymentMethod | None:
    """The workspace's saved method; None for a removed one, and for those of others."""
    return PaymentMethod.get_or_none(
        PaymentMethod.workspace == workspace,
        PaymentMethod.id == method_id,
        PaymentMethod.removed_at.is_null(),
    )


def charged_instead(subscription: Subscription, method: PaymentMethod, *, on: date) -> PaymentMethod | None:
    """Which method is the first to be charged once `method` is removed; None when there is none.

    Raises MethodNeeded where automatic renewal would be left with nothing that may be charged.
    """
    others = [each for each in methods_of(subscription) if each.id != method.id]
    currency = currency_of(subscription)
    usable = [each for each in others if may_be_charged(each, on=on, currency=currency)]
    if subscription.auto_renewal and not usable:
        raise MethodNeeded()
    return next(iter(usable or others), None)


def all_charged_instead(
    subscriptions: Iterable[Subscription], method: PaymentMethod, *, on: date
) -> dict[int, PaymentMethod | None]:
    """The same of each of them, by its id, in their order. Raises MethodNeeded."""
    return {each.id: charged_instead(each, method, on=on) for each in subscriptions}


# --- choosing and removing ------------------------------------------------------------------------


def choose(place: Place, method: PaymentMethod, *, now: datetime) -> None:
    """Charge this method first from now on. Safe to repeat. Raises MethodGone, MethodExpired,
    MethodStopped.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        method = _reload(method)
        if method.stopped_at is not None:
            raise MethodStopped()
        if is_expired(method, on=workspace.day(now)):
            raise MethodExpired()
        subscriptions = agreement.all_of(workspace)
        if any(methods_of(subscription)[0].id != method.id for subscription in subscriptions):
            for subscription in subscriptions:
                charge_first(subscription, method, now=now)
            record_act("payment_method.chosen", workspace, method, now=now)


def move(place: Place, method: PaymentMethod, *, to: int, now: datetime) -> None:
    """Let the method be the one that is asked after `to` others, from 1: who is first is chosen, not moved.

    Safe to repeat: it names the place, whatever stood there. Beyond the last place is the last. The ones that
    a dispute stopped have none. Raises MethodGone.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        method = _reload(method)
        before = [
            each.id for each in methods_of(agreement.of_workspace(workspace)) if each.stopped_at is None
        ]
        if method.id not in before[1:]:
            return
        after = [each for each in before if each != method.id]
        after.insert(max(1, to), method.id)
        for rank, method_id in enumerate(after):
            PaymentMethod.update(rank=rank).where(PaymentMethod.id == method_id).execute()
        if after != before:
            record_act("payment_method.moved", workspace, method, now=now)


def remove(place: Place, method: PaymentMethod, *, now: datetime) -> PaymentMethod | None:
    """Forget the method, and charge the next one instead, for each subscription; the plan's is returned.

    Its row stays, since payments name it. Raises MethodGone, MethodNeeded.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        method = _reload(method)
        subscriptions = agreement.all_of(workspace)
        instead = all_charged_instead(subscriptions, method, on=workspace.day(now))
        take_away(method, now=now)
        # The workspace plan's comes last: what it is charged to is preferred.
        for each in reversed(subscriptions):
            next_one = instead[each.id]
            if next_one is None or method.is_preferred or each.payment_method_id == method.id:
                charge_first(each, next_one, now=now)
        record_act("payment_method.removed", workspace, method, now=now)
    # The workspace plan's, which comes first.
    return next(iter(instead.values()))


def _reload(method: PaymentMethod) -> PaymentMethod:
    """As it is now that the lock is held."""
    fresh = find_method(method.workspace, method.id)
    if fresh is None:
        raise MethodGone()
    return fresh


# --- what both need, inside the transaction of the act --------------------------------------------


def charge_first(subscription: Subscription, method: PaymentMethod | None, *, now: datetime) -> None:
    PaymentMethod.update(is_preferred=False).where(
        PaymentMethod.workspace == subscription.workspace_id, PaymentMethod.is_preferred
    ).execute()
    if method is not None:
        PaymentMethod.update(is_preferred=True).where(PaymentMethod.id == method.id).execute()
    subscription.payment_method = method
    changing.save(subscription, now=now)


def take_away(method: PaymentMethod, *, now: datetime) -> None:
    PaymentMethod.update(removed_at=now, is_preferred=False).where(PaymentMethod.id == method.id).execute()


def record_act(action: str, workspace: Workspace, method: PaymentMethod, *, now: datetime) -> None:
    audit.record(
        action,
        workspace=workspace,
        subject=f"payment method {method.id}",
        changes={"kind": method.kind.value, "brand": method.brand, "last4": method.last4},
        now=now,
    )


LONGEST_NAME = 200


def known_method(gateway: str, facts: MethodFacts) -> PaymentMethod | None:
    """The row of the method that the gateway keeps under that reference."""
    return PaymentMethod.get_or_none(
        PaymentMethod.gateway == gateway, PaymentMethod.reference == facts.reference
    )


def new_method(
    facts: MethodFacts,
    *,
    workspace: Workspace,
    added_by: Person | int,
    gateway: str,
    is_preferred: bool = False,
    now: datetime,
) -> PaymentMethod:
    """A row for a method that the gateway keeps, with what may be shown of it."""
    return PaymentMethod.create(
        workspace=workspace,
        added_by=added_by,
        gateway=gateway,
        reference=facts.reference,
        kind=facts.kind,
        brand=facts.brand or "",
        last4=facts.last4 or "",
        exp_month=facts.exp_month,
        exp_year=facts.exp_year,
        holder=cut_to_column(facts.holder),
        is_preferred=is_preferred,
        rank=_last_rank(workspace),
        expiry_look_at=_first_look(workspace, facts, now=now),
        created_at=now,
    )


def _first_look(workspace: Workspace, facts: MethodFacts, *, now: datetime) -> datetime | None:
    """When to look whether somebody is to be told that the card expires."""
    if facts.exp_month is None or facts.exp_year is None:
        return None
    last = last_day(month=facts.exp_month, year=facts.exp_year)
    day = look_on(last, today=workspace.day(now), is_said=False)
    return agreement.first_moment(workspace, day) if day else None


def _last_rank(workspace: Workspace) -> int:
    """Of what is saved: a new one is the younger of two that have it."""
    of_workspace = (PaymentMethod.workspace == workspace) & PaymentMethod.removed_at.is_null()
    return PaymentMethod.select(fn.MAX(PaymentMethod.rank)).where(of_workspace).scalar() or 0


def cut_to_column(text: str) -> str:
    """What the column can hold of a text of the gateway's: money that moved is recorded, whatever it says."""
    return text.replace("\x00", "")[:LONGEST_NAME]
