"""Cancelling a licensed subscription at the end of what is paid, and taking the cancellation back before it.

The workspace plan is not cancelled: automatic renewal is switched off, or the free plan taken. Nothing is
paid back. What a renewal was to be stays on the row, unread: whoever takes the cancellation back finds
the subscription as it was.
"""

from dataclasses import dataclass
from datetime import date, datetime

from portal.database.connecting import require_transaction, transaction
from portal.domain.errors import PortalError, QuoteChanged
from portal.domain.lifecycle import CANCELLABLE
from portal.domain.money import Money
from portal.domain.vocabulary import SubscriptionState
from portal.models import PaymentMethod, Subscription
from portal.outbox import JSON
from portal.services import letters, open_money
from portal.services.audit import JSONValue

from . import agreement, changing, charged_methods, next_charge
from .agreement import SubscriptionStatus


class NotLicensed(PortalError):
    """`product_code` is the workspace plan, which is never cancelled."""

    product_code: str


class NothingToCancel(PortalError):
    """In this `state` nothing goes on by itself: a trial ends, and what has ended is over."""

    state: SubscriptionState


class CancellationOver(PortalError):
    """What was cancelled ended with `due_on`: it is bought anew."""

    due_on: date | None


def ends_on(status: SubscriptionStatus) -> date | None:
    """The last usable day of what would be cancelled today; None: it ends at once, its paid days are over.

    Whoever is late or blocked has no more days: those of grace are given to whoever goes on.
    """
    due_on = status.due_on
    return due_on if due_on is not None and status.today <= due_on else None


def cancel(subscription: Subscription, *, shown_ends_on: str, now: datetime) -> bool:
    """Let the subscription end with what is paid, with what was scheduled and its automatic renewal.

    False, and nothing changes, where it was cancelled already. `shown_ends_on` is the last usable day that
    the person was shown, empty for at once; another one raises QuoteChanged. Locks the workspace and tells
    its billing people. Raises NotLicensed, NothingToCancel, and OrderAlreadyPlaced beside an open payment or
    refund: what is paid is given, and only then is it known when it ends.
    """
    workspace = subscription.workspace
    with transaction(lock=workspace):
        found = _as_it_is_now(subscription)
        status = agreement.status_of(found, today=workspace.day(now))
        if status.state is SubscriptionState.CANCELLED:
            return False
        if status.state not in CANCELLABLE:
            raise NothingToCancel(state=status.state)
        open_money.refuse_beside_open_money(workspace, [found.product])
        last_day = ends_on(status)
        if _iso(last_day) != shown_ends_on:
            raise QuoteChanged(shown=shown_ends_on, current=_iso(last_day))
        renewed = found.auto_renewal
        dropped = _drop_what_was_scheduled(found)
        if not renewed:
            next_charge.tell_nothing(found)
        found.auto_renewal = False
        found.cancelled_at = now
        _save(
            found,
            "subscription.cancelled",
            {"ends_on": _iso(last_day), "auto_renewal": renewed, "dropped": dropped},
            now=now,
        )
        _tell("cancelled", found, {"ends_on": _iso(last_day) or None, "dropped": dropped})
    return True


def take_back(subscription: Subscription, *, now: datetime) -> bool:
    """Let a cancelled subscription go on, renewed by itself where it was before, for no more than was told.

    What was scheduled does not come back. False, and nothing changes, where it is not cancelled (any more).
    Locks the workspace and tells its billing people. Raises NotLicensed; CancellationOver once it has ended.
    """
    workspace = subscription.workspace
    with transaction(lock=workspace):
        found = _as_it_is_now(subscription)
        status = agreement.status_of(found, today=workspace.day(now))
        if status.state is SubscriptionState.ENDED:
            raise CancellationOver(due_on=found.due_on)
        if status.state is not SubscriptionState.CANCELLED:
            return False
        found.auto_renewal = found.renews_once_taken_back
        found.cancelled_at = None
        _save(
            found,
            "subscription.cancellation_taken_back",
            {
                "auto_renewal": found.auto_renewal,
                "renew_on": _iso(found.renew_on) or None,
                "announced_minor": found.announced_minor,
            },
            now=now,
        )
        _tell("cancellation_taken_back", found, _coming_charge(found))
    return True


def _as_it_is_now(subscription: Subscription) -> Subscription:
    """Read anew under the lock, with product, plan and price. Raises NotLicensed."""
    require_transaction()
    [found] = agreement.with_catalogue(Subscription.select().where(Subscription.id == subscription.id))
    found.workspace = subscription.workspace
    if not agreement.is_licensed(found):
        raise NotLicensed(product_code=found.product.code)
    return found


def _drop_what_was_scheduled(subscription: Subscription) -> bool:
    """Whether there was something. The next charge, should one come, is then that of what runs, as paid."""
    scheduled = (
        subscription.scheduled_plan_id,
        subscription.scheduled_interval,
        subscription.scheduled_quantity,
    )
    if scheduled == (None, None, None):
        return False
    subscription.scheduled_plan = subscription.scheduled_interval = subscription.scheduled_quantity = None
    if subscription.auto_renewal:
        price = subscription.price
        assert price is not None, "only what was bought is cancelled"
        # What was told is about other terms; its letter comes before the charge.
        next_charge.tell_nothing(subscription)
        subscription.announced_net_minor = price.volume_price.amount(subscription.quantity).minor
    return True


@dataclass(frozen=True, slots=True)
class WhatGoesOn:
    """What comes of a cancellation that is taken back. `renews`: by itself, as it did before.

    `charged_on` and `total`, of which `tax` is VAT, are what was told of the next charge; None: nobody was
    told of one yet. `method` is the saved one that it asks, None where none can be asked or nothing was told.
    """

    renews: bool
    charged_on: date | None
    total: Money | None
    tax: Money | None
    method: PaymentMethod | None


def what_goes_on(subscription: Subscription) -> WhatGoesOn:
    """Of one that is cancelled, or was until just now. Three queries at most."""
    price, renew_on = subscription.price, subscription.renew_on
    assert price is not None, "only what was bought is cancelled"
    renews = subscription.auto_renewal or subscription.renews_once_taken_back
    total, net = subscription.announced_minor, subscription.announced_net_minor
    if not renews or total is None or net is None or renew_on is None:
        return WhatGoesOn(renews=renews, charged_on=None, total=None, tax=None, method=None)
    methods = charged_methods.methods_of(subscription)
    return WhatGoesOn(
        renews=True,
        charged_on=renew_on,
        total=Money(total, price.currency),
        tax=Money(total - net, price.currency),
        method=charged_methods.asked_next(subscription, methods, on=renew_on),
    )


def _coming_charge(subscription: Subscription) -> dict[str, JSON]:
    """What the letter says of the next charge; `total_minor` None: nobody was told of one yet."""
    price, then = subscription.price, what_goes_on(subscription)
    assert price is not None, "only what was bought is cancelled"
    return {
        "due_on": _iso(subscription.due_on),
        "interval": price.interval.value,
        "renews": then.renews,
        "renew_on": _iso(then.charged_on) or None,
        "total_minor": then.total.minor if then.total else None,
        "tax_minor": then.tax.minor if then.tax else None,
        "currency": price.currency,
        "method": letters.method_facts(then.method),
    }


def _save(subscription: Subscription, action: str, changes: dict[str, JSONValue], *, now: datetime) -> None:
    changing.save(subscription, now=now)
    of_what = {
        "product": subscription.product.code,
        "plan": subscription.plan.code,
        "quantity": subscription.quantity,
    }
    changing.record(action, subscription, {**of_what, **changes}, now=now)


def _tell(template: str, subscription: Subscription, context: dict[str, JSON]) -> None:
    of_what = {
        "product": subscription.product.code,
        "product_names": dict(subscription.product.names),
        "plan_names": dict(subscription.plan.names),
        "quantity": subscription.quantity,
    }
    changing.tell(template, subscription, {**of_what, **context})


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""
