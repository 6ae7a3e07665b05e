"""Paying an open invoice: what is open of it, in one payment. By who is signed in, or by its pay link."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from portal.database.connecting import require_transaction, transaction
from portal.domain.errors import NothingDue, OrderAlreadyPlaced, PortalError, QuoteChanged
from portal.domain.money import Money
from portal.domain.vocabulary import OrderState, PaymentMethodKind, PaymentState, Right
from portal.gateways.base import TypedMethod
from portal.models import Invoice, Order, Payment, PaymentMethod, Person, Workspace
from portal.runtime import current
from portal.services import open_money, orders
from portal.services.invoices import pay_links
from portal.services.payments import asking, charging, on_account
from portal.services.places import Place
from portal.services.subscriptions import charged_methods
from portal.services.subscriptions.auto_renewal import methods_of

from . import ordering


@dataclass(frozen=True, slots=True)
class InvoiceToPay:
    """What is `left` of an open invoice, and the order whose payment is being confirmed, if any.

    `was_charged`: a gateway has paid a part of it. An order has one payment that succeeded, so that the rest,
    which the bank took back of a transfer, is paid by transfer again.
    """

    invoice: Invoice
    left: Money
    being_paid: str | None
    was_charged: bool


class PaidInPart(PortalError):
    """By a payment of the order: what is left of its invoice is paid by bank transfer."""


def to_pay(workspace: Workspace, number: str) -> InvoiceToPay | None:
    """The workspace's invoice of that number; None where there is none, or nothing of it is open."""
    invoice = (
        Invoice.select(Invoice, Order)
        .join(Order)
        .where(
            Invoice.workspace == workspace,
            Invoice.number == number,
            Invoice.is_current(),
            Order.state == OrderState.INVOICED,
        )
        .first()
    )
    if invoice is None:
        return None
    invoice.workspace = invoice.order.workspace = workspace
    left = on_account.open_part(invoice)
    if left.minor <= 0:
        return None
    live = _live_payment_of(invoice)
    is_waiting = live is not None and live.is_open
    return InvoiceToPay(
        invoice,
        left,
        being_paid=invoice.order.number if is_waiting else None,
        was_charged=live is not None and not is_waiting,
    )


def takes_card(invoice: Invoice) -> bool:
    """Whether a card or saved method may pay what is open of it: once for each order.

    One has paid already where the transfer that had paid the rest was taken back. One query.
    """
    live = _live_payment_of(invoice)
    return live is None or live.is_open


def _live_payment_of(invoice: Invoice) -> Payment | None:
    """The one payment of its order that was not declined, if any."""
    found: Payment | None = Payment.get_or_none(
        Payment.order == invoice.order_id, Payment.state != PaymentState.DECLINED
    )
    return found


def methods_for(place: Place, invoice: Invoice, *, now: datetime) -> list[PaymentMethod]:
    """The saved methods that may pay it at once, for whoever may use them. One query."""
    if Right.USE_SAVED_METHODS not in place.may:
        return []
    today = place.workspace.day(now)
    return [
        each
        for each in methods_of(place.workspace, invoice.currency)
        if not charged_methods.is_expired(each, on=today)
    ]


def pay(
    workspace: Workspace,
    number: str,
    *,
    person: Person,
    card: TypedMethod | None,
    method: PaymentMethod | None,
    shown: str,
    return_url: str,
    now: datetime,
) -> Payment:
    """Charge what is open of the invoice, with the card that was typed or the saved `method`.

    `shown` is `shown_as` of what the payer saw. The payment is `created` still where the gateway takes its
    time (payments/asking.py). Raises GatewayBusy; NothingDue once it is covered; OrderAlreadyPlaced beside a
    payment that is being confirmed; PaidInPart beside one that has paid; QuoteChanged where something else is
    open of it by now, or the method was removed. Nothing is charged then.
    """
    asking.refuse_when_busy()
    kind = PaymentMethodKind(method.kind) if method else PaymentMethodKind.CARD
    with transaction(lock=workspace):
        payment = _begin(workspace, number, person=person, kind=kind, method=method, shown=shown, now=now)
    return ordering.ask(payment, card=card, save=False, return_url=return_url, now=now)


def pay_by_link(
    token: str,
    *,
    kind: PaymentMethodKind,
    card: TypedMethod | None,
    shown: str,
    return_url: Callable[[str], str],
    now: datetime,
) -> Payment:
    """Charge what is open of the invoice that the link leads to, for whoever has it. Nothing is saved.

    `card` is None for a kind that is entered on the gateway's own page. `return_url` gives the absolute
    address for the token that the gateway gets. Raises as `pay`, and LinkUnusable.
    """
    asking.refuse_when_busy()
    workspace = pay_links.find(token, now=now).invoice.workspace
    with transaction(lock=workspace):
        # It may have been withdrawn since.
        invoice = pay_links.find(token, now=now).invoice
        payment = _begin(workspace, invoice.number, person=None, kind=kind, method=None, shown=shown, now=now)
        way_back = pay_links.make_way_back(invoice, now=now)
    return ordering.ask(payment, card=card, save=False, return_url=return_url(way_back), now=now)


def declined_by_link(order: Order) -> Payment | None:
    """The newest attempt to pay it, where that came by a link and was declined. One query."""
    newest = Payment.select().where(Payment.order == order).order_by(Payment.id.desc()).first()
    is_declined = newest is not None and newest.by_link and newest.state == PaymentState.DECLINED
    return newest if is_declined else None


def kinds_by_link() -> list[PaymentMethodKind]:
    """What a gateway takes of somebody who is not signed in: no debit, which needs a mandate that is kept."""
    offered = {kind for gateway in current().gateways.values() for kind in gateway.capabilities().kinds}
    return [kind for kind in (PaymentMethodKind.CARD, PaymentMethodKind.PAYPAL) if kind in offered]


def is_typed_here(kind: PaymentMethodKind) -> bool:
    """Whether our own page asks for it, and not the gateway's."""
    return kind not in charging.gateway_for(kind).capabilities().hosted


def _begin(
    workspace: Workspace,
    number: str,
    *,
    person: Person | None,
    kind: PaymentMethodKind,
    method: PaymentMethod | None,
    shown: str,
    now: datetime,
) -> Payment:
    require_transaction()
    due = to_pay(workspace, number)
    if due is None:
        raise NothingDue()
    if due.being_paid is not None:
        raise OrderAlreadyPlaced(order=due.being_paid)
    if due.was_charged:
        raise PaidInPart()
    order = due.invoice.order
    orders.read_lines([order])
    open_money.refuse_beside_open_money(workspace, [line.plan.product_id for line in order.lines])
    is_gone = method is not None and method not in methods_of(workspace, due.invoice.currency)
    if shown != shown_as(due.left) or is_gone:
        raise QuoteChanged(shown=shown, current=shown_as(due.left))
    return charging.begin_payment_of_invoice(
        order, amount=due.left, kind=kind, person=person, method=method, now=now
    )


def shown_as(left: Money) -> str:
    """What a form keeps of the amount that it showed."""
    return f"{left.minor} {left.currency}"
