"""What follows from the answer to a payment: the order, the plan, the invoice, the saved method, the letters.

Called by charging.py inside the transaction that records the answer; what follows for automatic
charges alone is in renewal_outcomes.py.
"""

from datetime import datetime

from portal.database import rows
from portal.database.connecting import require_transaction
from portal.domain.vocabulary import OrderState, PaidWith
from portal.gateways.base import MethodFacts
from portal.models import Order, Payment, PaymentMethod
from portal.outbox import JSON
from portal.services import audit, ledger, letters
from portal.services.invoices import issuing

from . import giving, on_account, renewal_outcomes
from .methods import known_method, new_method


def settle_paid(payment: Payment, paid_with: MethodFacts | None, *, now: datetime) -> None:
    """`payment` is loaded with the lines of its order and their subscriptions.

    `paid_with` as the gateway told it; None where the balance has paid.
    """
    require_transaction()
    order = payment.order
    if order.state != OrderState.PLACED:
        # It has its invoice, which something else may have covered meanwhile.
        on_account.settle_payment(payment, now=now)
        return
    order.state = OrderState.PAID
    if payment.method_kind == PaidWith.SEPA_DEBIT:
        giving.begin_when_paid(order, now=now)
    rows.save_later(order)
    method = _save_method(order, payment, paid_with, now=now)
    switched_on = giving.give(order, payment=payment, method=method, now=now)
    notes = giving.give_back(order, now=now)
    invoice = issuing.issue_for(order, payment=payment, now=now)
    if payment.method_kind != PaidWith.BALANCE:
        ledger.record_payment(payment, invoice, now=now)
    if order.from_balance_minor:
        ledger.cover_from_balance(invoice, order.from_balance)
    if notes:
        on_account.pay_from_balance(order.workspace, order.currency, now=now)
    audit.record(
        "payment.succeeded",
        workspace=order.workspace,
        subject=payment.key,
        changes={"order": order.number, "amount_minor": payment.amount_minor, "currency": payment.currency},
        now=now,
    )
    if order.is_renewal:
        renewal_outcomes.tell_renewed(payment, invoice)
    else:
        giving.confirm(order, [invoice, *notes], switched_on, now=now)


def settle_declined(payment: Payment, *, tell: bool, now: datetime) -> None:
    """The order is open again: the same quote may be paid another way. `tell`: the buyer gets a letter."""
    require_transaction()
    Order.update(state=OrderState.OPEN).where(
        Order.id == payment.order_id, Order.state == OrderState.PLACED
    ).execute()
    audit.record(
        "payment.declined",
        workspace=payment.workspace,
        subject=payment.key,
        changes={"order": payment.order.number, "code": payment.decline_code},
        now=now,
    )
    if payment.tried_on is not None:
        renewal_outcomes.after_decline(payment, now=now)
    elif tell:
        _tell_declined(payment)
    if payment.order.reserved_minor:
        # It no longer counts on what is kept.
        on_account.pay_from_balance(payment.workspace, payment.currency, now=now)


def ask_to_confirm(payment: Payment) -> None:
    """The payer was told to wait, and is wanted after all: the letter leads to where they confirm."""
    _write_to_payer("payment_to_confirm", payment)


def _tell_declined(payment: Payment) -> None:
    _write_to_payer(
        "payment_failed", payment, payment=letters.paid_with(payment), reason=payment.decline_code
    )


def _names_of(order: Order) -> dict[str, JSON]:
    """What was ordered, by language, in one line: `Business 5, Meetings Professional × 10`."""
    lines = [
        (line.plan_names, f" × {line.quantity}" if line.is_licensed else "") for line in order.frozen_lines
    ]
    return {
        language: ", ".join(names[language] + times for names, times in lines) for language in lines[0][0]
    }


def _write_to_payer(template: str, about: Payment, **facts: JSON) -> None:
    require_transaction()
    order = about.order
    letters.send(
        template,
        to=[order.person],
        workspace=about.workspace,
        key=f"{template.replace('_', '-')}-{about.key}",
        context={
            "order": order.number,
            "description": _names_of(order),
            "total_minor": about.amount_minor,
            "currency": about.currency,
            **facts,
        },
    )


def _save_method(
    order: Order, payment: Payment, facts: MethodFacts | None, *, now: datetime
) -> PaymentMethod | None:
    """The method that the gateway kept, as the buyer asked by ticking auto-renewal; a renewal's own."""
    if payment.method_id is not None:
        return payment.method
    if facts is None or facts.reference is None:
        return None
    known = known_method(payment.gateway, facts)
    if known is not None:
        return known
    method = new_method(
        facts,
        workspace=order.workspace,
        added_by=order.person,
        gateway=payment.gateway,
        is_preferred=not PaymentMethod.select()
        .where(PaymentMethod.workspace == order.workspace, PaymentMethod.removed_at.is_null())
        .exists(),
        now=now,
    )
    if payment.mandate_reference:
        method.mandate_reference, method.mandate_on = payment.mandate_reference, payment.mandate_on
        method.save(only=[PaymentMethod.mandate_reference, PaymentMethod.mandate_on])
    return method
