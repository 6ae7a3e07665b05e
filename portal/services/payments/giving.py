"""What an order brings: its periods and licences, the credit notes for what it gives back, its letters.

Once it is paid (outcomes.py), or once it is taken on account (on_account.py). Inside their transaction.
"""

from collections.abc import Sequence
from datetime import datetime

from portal.database.connecting import require_transaction
from portal.domain.errors import CannotBeInvoiced
from portal.domain.frozen_quote import FrozenCredit, frozen_balance
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.pricing import Quote
from portal.domain.vocabulary import OrderKind, PaymentMethodKind, ProductKind, Right
from portal.models import BoughtAlone, Invoice, Member, Order, OrderLine, Payment, PaymentMethod, Subscription
from portal.services import audit, letters, orders, places, request_ends
from portal.services.invoices import crediting, issuing
from portal.services.members import overflow
from portal.services.subscriptions import agreement, auto_renewal, licence_keys, next_charge

from . import renewal_outcomes
from .methods import charge_first


def give(
    order: Order, *, payment: Payment | None, method: PaymentMethod | None, now: datetime
) -> list[OrderLine]:
    """What each line promises. Returns the lines that automatic renewal came with. Whoever calls saves the
    order.

    It is loaded with its lines and their subscriptions. `payment` has paid for it, with `method` if that is
    saved; None where its invoice is open.
    """
    require_transaction()
    order.given_at = now
    if not order.is_renewal:
        orders.forget_taken_along(order)
        request_ends.approve_paid(order, now=now)
    return [line for line in order.lines if _give(line, payment, method=method, now=now)]


def begin_when_paid(order: Order, *, now: datetime) -> None:
    """What would have begun on the day of the order begins today: a debit takes its days, which nobody is
    charged for. Before it is given, with its lines and their subscriptions.

    What follows a period that runs, or changes it, has the days that were shown with what it gives back.
    """
    today = order.workspace.day(now)
    late = [line for line in order.lines if line.start_on < today and _begins_when_paid(line)]
    if late:
        orders.begin_on(order, late, today)


def _begins_when_paid(line: OrderLine) -> bool:
    frozen, had = line.frozen, line.subscription
    if frozen.kind == OrderKind.RENEWAL or frozen.extension is not None or frozen.share is not None:
        return False
    if frozen.kind == OrderKind.BUY:
        return True
    # Access was blocked, or the payment so late that nothing was left.
    return had is not None and had.due_on is not None and line.start_on > had.due_on


def _give(line: OrderLine, payment: Payment | None, *, method: PaymentMethod | None, now: datetime) -> bool:
    """What one line brings. Returns whether automatic renewal came with it."""
    order = line.order
    had = line.subscription
    subscription = had or agreement.begin_paid(line, now=now)
    subscription.pays_by_transfer = order.method_kind == PaymentMethodKind.BANK_TRANSFER
    renewed_by_itself, other_plan = subscription.auto_renewal, subscription.plan_id != line.plan_id
    if payment is not None and renewal_outcomes.paid_instead(payment, subscription):
        charge_first(subscription, payment.method, now=now)
    _write_down_change(had, line, now=now)
    agreement.apply_paid_line(subscription, line, method=method, now=now)
    licence_keys.give(subscription, now=now)
    if subscription.product.kind == ProductKind.WORKSPACE_PLAN:
        if line.kind != OrderKind.RENEWAL:
            _mark_upgrader(order)
        if other_plan:
            overflow.make_guests(order, line.plan, now=now)
    return subscription.auto_renewal and not renewed_by_itself


def _write_down_change(subscription: Subscription | None, line: OrderLine, *, now: datetime) -> None:
    """That another plan begins, or another number of licences; what is prolonged as it is has its invoice.

    Before it is applied. `subscription` is None where the product is bought for the first time.
    """
    frozen = line.frozen
    before = subscription.plan.code if subscription is not None else None
    had = subscription.quantity if subscription is not None and frozen.is_licensed else None
    if (before, had) != (frozen.plan_code, frozen.licences):
        changes: dict[str, audit.JSONValue] = {
            "plan": frozen.plan_code,
            "before": before,
            "licences": frozen.licences,
            "licences.before": had,
        }
        audit.record(
            "plan.begun", workspace=line.order.workspace, subject=line.order.number, changes=changes, now=now
        )


def give_back(order: Order, *, now: datetime) -> list[Invoice]:
    """The credit notes for what the quote gives back of earlier invoices, in the order of their issue."""
    balance = frozen_balance(order.quote)
    by_invoice: dict[str, list[FrozenCredit]] = {}
    for credit in balance.credits if balance else ():
        by_invoice.setdefault(credit.invoice, []).append(credit)
    notes = []
    for number, told in by_invoice.items():
        named = Invoice.get(Invoice.workspace == order.workspace, Invoice.number == number)
        # Its details may have been corrected while the payment was on its way.
        invoice = Invoice.of_order(named.order_id)
        invoice.workspace = order.workspace
        lines = crediting.as_frozen(invoice, told)
        notes.append(issuing.issue_partial_credit_note(invoice, lines, now=now))
    return notes


def confirm(
    order: Order, documents: Sequence[Invoice], switched_on: Sequence[OrderLine], *, now: datetime
) -> None:
    """The letters of an order that somebody placed: what was bought, and that it renews itself."""
    letters.send(
        "order_confirmed",
        to=[order.person, *letters.owners(order.workspace)],
        workspace=order.workspace,
        key=f"order-confirmed-{order.number}",
        context={
            "line_licences": [line.licences for line in order.frozen_lines],
            "assigns_licences": any(_are_assigned(line) for line in order.lines),
        },
        attachments=documents,
        copies_to=[order.details["email"]],
    )
    for line in switched_on:
        _tell_switched_on(line, now=now)


def _are_assigned(line: OrderLine) -> bool:
    """Its licences are of use to nobody until members hold them; those with keys are not assigned."""
    assert line.subscription is not None, "what is paid has begun"
    product = line.subscription.product
    return bool(product.kind == ProductKind.LICENSED and not product.licence_keys)


def _tell_switched_on(line: OrderLine, *, now: datetime) -> None:
    """Automatic renewal came with the order: the next charge is that of the same terms, or of what waits.

    Who prolongs before a smaller plan was told no amount of that one yet. This letter does, and it is the
    ceiling: not the amount that was paid for the larger plan. Like the rest of a purchase it does not wait.
    """
    subscription, frozen = line.subscription, line.frozen
    assert subscription is not None, "a paid line has its subscription"
    waiting = _charge_of_what_waits(subscription, line, now=now)
    offer = waiting.only_line.offer if waiting else None
    if waiting is not None:
        next_charge.tell(subscription, waiting)
    auto_renewal.tell_on(
        subscription,
        total=waiting.total if waiting else frozen.price_with_tax,
        tax=waiting.tax_amount if waiting else frozen.tax_on_price,
        plan_names=offer.plan_names if offer else line.plan.names,
        interval=offer.interval if offer else line.interval,
        at_once=True,
    )


def _charge_of_what_waits(subscription: Subscription, line: OrderLine, *, now: datetime) -> Quote | None:
    """None where nothing waits that is paid for, or nobody can say what it will cost."""
    scheduled = subscription.scheduled_plan
    if line.kind != OrderKind.PROLONG or scheduled is None or scheduled.free:
        return None
    try:
        return next_charge.upcoming(subscription, now=now)
    except (PlanNotOffered, PlanTooSmall, next_charge.NoBillingDetails, CannotBeInvoiced):
        return None


def _mark_upgrader(order: Order) -> None:
    """A member who paid for the plan keeps access to billing, until disabled (product.md §2, note 1).

    Not under the workspace's ceiling: who bought that little would have none from then on.
    """
    if BoughtAlone.select().where(BoughtAlone.order == order).exists():
        return
    member = Member.get_or_none(Member.workspace == order.workspace, Member.person == order.person)
    if member is not None and member.is_active:
        member.workspace = order.workspace
        if Right.MANAGE_PAYMENT_METHODS not in places.rights_in(member):
            Member.update(is_upgrader=True).where(Member.id == member.id).execute()
