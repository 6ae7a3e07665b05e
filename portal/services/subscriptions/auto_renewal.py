"""Automatic renewal, on and off: what is shown before is what is stored, and everybody who pays is told.

Of a licensed product where one is given; else of the workspace plan.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import cast

from portal.database.connecting import transaction
from portal.domain.debits import is_charged_in
from portal.domain.errors import PortalError, QuoteChanged
from portal.domain.ledger import usable
from portal.domain.lifecycle import RENEWABLE
from portal.domain.money import Money
from portal.domain.pricing import Quote, facts_hash
from portal.domain.timeline import NOTICE_DAYS
from portal.domain.vocabulary import Interval, NoticeKind, SubscriptionState
from portal.models import Notice, PaymentMethod, Product, Subscription, Workspace
from portal.services import ledger, letters
from portal.services.places import Place

from . import agreement, changing, charged_methods
from . import next_charge as subscriptions_next_charge


class NotRenewable(PortalError):
    """There is nothing to renew in this `state`, a free plan is to begin (`free_plan_waits`), or an invoice
    for it is open (`owes_invoice`).
    """

    state: SubscriptionState
    free_plan_waits: bool
    owes_invoice: bool


class NoSuchMethod(PortalError):
    """The workspace has no such saved payment method (any more); None: one is needed."""

    method_id: int | None


@dataclass(frozen=True, slots=True)
class NextCharge:
    """The next automatic charge, and the day on which it is made.

    `total`, with `tax` in it, is what is shown of it: with automatic renewal on, what was told and stored. It
    may be less than that by then, never more. `kept` is the balance as it is now, which pays first.
    """

    quote: Quote
    on: date
    total: Money
    tax: Money
    kept: Money

    @property
    def from_balance(self) -> Money:
        return usable(self.total, self.kept)

    @property
    def due(self) -> Money:
        """What the balance leaves to be charged."""
        return self.total - self.from_balance

    @property
    def needs_method(self) -> bool:
        return self.due.minor > 0

    @property
    def hash(self) -> str:
        """Identifies everything that the person was shown."""
        return facts_hash(
            {
                **self.quote.facts,
                "charged_on": self.on.isoformat(),
                "shown_minor": self.total.minor,
                "from_balance_minor": self.from_balance.minor,
            }
        )


def methods_of(workspace: Workspace, currency: str) -> list[PaymentMethod]:
    """The saved methods that may be charged by themselves in that currency, the preferred one first."""
    found = (
        PaymentMethod.select()
        .where(
            PaymentMethod.workspace == workspace,
            PaymentMethod.removed_at.is_null(),
            PaymentMethod.stopped_at.is_null(),
        )
        .order_by(PaymentMethod.is_preferred.desc(), PaymentMethod.rank, PaymentMethod.id)
    )
    return [each for each in found if is_charged_in(each.kind, currency)]


def methods_for(subscription: Subscription) -> list[PaymentMethod]:
    """Those that may be charged for it. One query."""
    return methods_of(subscription.workspace, charged_methods.currency_of(subscription))


def next_charge(workspace: Workspace, *, product: Product | None = None, now: datetime) -> NextCharge:
    """What is charged next, as if automatic renewal were on.

    Raises NotSubscribed, NotRenewable, and what `next_charge.upcoming` does.
    """
    return _switched_on(agreement.of_product_or_plan(workspace, product), now=now)


def switch_on(
    place: Place, *, product: Product | None = None, method_id: int | None, shown_hash: str, now: datetime
) -> NextCharge:
    """Let the subscription be renewed with the saved method, from the due date on; today where that is past.

    `method_id` None: with none, where the balance pays the next charge.
    No more is charged than what was shown: what was told before stays the ceiling, whatever the method and
    however its tax rose. Safe to repeat. A renewal that has failed stays failed until it is
    paid: the days on which it is tried again are those of its first failure. Raises what `next_charge` does,
    NoSuchMethod, and QuoteChanged when what was shown is no longer true.
    """
    return switch_on_in(place.workspace, product=product, method_id=method_id, shown_hash=shown_hash, now=now)


def switch_on_in(
    workspace: Workspace, *, product: Product | None, method_id: int | None, shown_hash: str, now: datetime
) -> NextCharge:
    """As `switch_on`, for whoever agreed to it before: the method was not saved yet."""
    with transaction(lock=workspace):
        subscription = agreement.of_product_or_plan(workspace, product)
        method = next((each for each in methods_for(subscription) if each.id == method_id), None)
        if method is None and method_id is not None:
            raise NoSuchMethod(method_id=method_id)
        before = (subscription.auto_renewal, subscription.payment_method_id)
        charge = _switched_on(subscription, now=now)
        if method is None and charge.needs_method:
            raise NoSuchMethod(method_id=None)
        if before == (True, method_id):
            return charge
        if charge.hash != shown_hash:
            raise QuoteChanged(shown=shown_hash, current=charge.hash)
        subscription.payment_method = method
        if subscriptions_next_charge.told_total(subscription) is None:
            subscriptions_next_charge.tell(subscription, charge.quote)
        _save(subscription, "auto_renewal.on", now=now)
        _mark_announced(subscription, charge, today=workspace.day(now))
        offer = charge.quote.only_line.offer
        tell_on(
            subscription,
            total=charge.total,
            tax=charge.tax,
            plan_names=offer.plan_names,
            interval=offer.interval,
            from_balance=charge.from_balance,
        )
    return charge


def switch_off(place: Place, *, product: Product | None = None, now: datetime) -> bool:
    """Let nothing be charged on the due date: nothing else changes before. False when it was off already.

    Raises NotSubscribed.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        subscription = agreement.of_product_or_plan(workspace, product)
        if not subscription.auto_renewal:
            return False
        subscription.auto_renewal = False
        subscription.renew_on = None
        subscriptions_next_charge.tell_nothing(subscription)
        _save(subscription, "auto_renewal.off", now=now)
        changing.tell(
            "auto_renewal_off",
            subscription,
            {
                "due_on": subscription.due_on.isoformat() if subscription.due_on else None,
                "plan_names": dict(subscription.plan.names),
                "licences": agreement.licences_of(subscription),
            },
        )
    return True


def pay_with(place: Place, *, product: Product | None = None, method_id: int, now: datetime) -> None:
    """Charge this subscription alone to the saved method from now on, and the others as before.

    Safe to repeat. Raises NotSubscribed, NoSuchMethod for one that may not be charged by itself.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        subscription = agreement.of_product_or_plan(workspace, product)
        method = next((each for each in methods_for(subscription) if each.id == method_id), None)
        if method is None or charged_methods.is_expired(method, on=workspace.day(now)):
            raise NoSuchMethod(method_id=method_id)
        if subscription.payment_method_id != method_id:
            subscription.payment_method = method
            _save(subscription, "auto_renewal.method", now=now)


def tell_on(
    subscription: Subscription,
    *,
    total: Money,
    tax: Money,
    plan_names: Mapping[str, str],
    interval: Interval,
    from_balance: Money | None = None,
    at_once: bool = False,
) -> None:
    """The mail that automatic renewal is on, with day, amount and method. In the transaction of the act.

    `total` is the next charge with `tax` in it, and `from_balance` what the balance pays of it as it is now;
    workspace, `renew_on` and `payment_method` are set and saved. `at_once`: it came with a purchase.
    """
    renew_on = cast(date, subscription.renew_on)
    methods = charged_methods.methods_of(subscription)
    method = charged_methods.asked_next(subscription, methods, on=renew_on)
    expiring = None if method else charged_methods.first_expiring(methods, on=renew_on)
    changing.tell(
        "auto_renewal_on",
        subscription,
        {
            "renew_on": renew_on.isoformat(),
            "total_minor": total.minor,
            "tax_minor": tax.minor,
            "currency": total.currency,
            "plan_names": dict(plan_names),
            "licences": subscriptions_next_charge.next_licences(subscription),
            "interval": interval.value,
            "method": letters.method_facts(method),
            "expiring": letters.method_facts(expiring),
            "from_balance_minor": from_balance.minor if from_balance else 0,
        },
        at_once=at_once,
    )


def _switched_on(subscription: Subscription, *, now: datetime) -> NextCharge:
    """Switches it on, unsaved: price lock and dates are then those of the charge itself."""
    today = subscription.workspace.day(now)
    status = agreement.status_of(subscription, today=today)
    scheduled, due_on = subscription.scheduled_plan, subscription.due_on
    free_plan_waits = scheduled is not None and scheduled.free
    owes_invoice = subscription.unpaid_on is not None
    cannot = subscription.price is None or due_on is None or free_plan_waits or owes_invoice
    if status.state not in RENEWABLE or cannot:
        raise NotRenewable(state=status.state, free_plan_waits=free_plan_waits, owes_invoice=owes_invoice)
    assert due_on is not None, "what cannot be renewed was refused"
    if not subscription.auto_renewal:
        subscription.auto_renewal = True
        subscription.pays_by_transfer = False
        subscription.renew_on = max(due_on, today)
    on = max(subscription.renew_on or due_on, today)
    quote = subscriptions_next_charge.upcoming(subscription, now=now)
    return NextCharge(
        quote=quote,
        on=on,
        total=subscriptions_next_charge.told_total(subscription) or quote.total,
        tax=subscriptions_next_charge.told_tax(subscription) or quote.tax_amount,
        kept=ledger.kept(subscription.workspace, quote.currency),
    )


def _mark_announced(subscription: Subscription, charge: NextCharge, *, today: date) -> None:
    """Whoever switches it on in the last week has been told what the letter of that week says."""
    if today >= charge.on - timedelta(days=NOTICE_DAYS):
        Notice.insert(
            subscription=subscription,
            kind=NoticeKind.RENEWAL_AHEAD,
            about_on=subscription.due_on,
            said_on=today,
        ).on_conflict_ignore().execute()


def _save(subscription: Subscription, action: str, *, now: datetime) -> None:
    changing.save(subscription, now=now)
    changing.record(
        action,
        subscription,
        {
            "product": subscription.product.code,
            "renew_on": subscription.renew_on.isoformat() if subscription.renew_on else None,
            "announced_minor": subscription.announced_minor,
            "method": subscription.payment_method_id,
        },
        now=now,
    )
