"""Paying an open invoice by card or with a saved method: what is open of it, in one payment."""

from dataclasses import dataclass
from datetime import datetime

from portal.database.connecting import transaction
from portal.domain.errors import NothingDue, OrderAlreadyPlaced, QuoteChanged
from portal.domain.money import Money
from portal.domain.vocabulary import DocumentKind, OrderState, PaymentMethodKind, PaymentState, Right
from portal.gateways.base import CardData
from portal.models import Invoice, Order, Payment, PaymentMethod, Person, Workspace
from portal.services import open_money, orders
from portal.services.payments import asking, charging, on_account
from portal.services.places import Place
from portal.services.subscriptions import charged_methods
from portal.services.subscriptions.auto_renewal import methods_of

from . import ordering


@dataclass(frozen=True, slots=True)
class InvoiceToPay:
    """What is `left` of an open invoice, and the order whose payment is being confirmed, if any."""

    invoice: Invoice
    left: Money
    being_paid: str | None


def to_pay(workspace: Workspace, number: str) -> InvoiceToPay | None:
    """The workspace's invoice of that number; None where there is none, nothing of it is open, or no card may
    pay it.
    """
    invoice = (
        Invoice.select(Invoice, Order)
        .join(Order)
        .where(
            Invoice.workspace == workspace,
            Invoice.number == number,
            Invoice.kind == DocumentKind.INVOICE,
            Order.state == OrderState.INVOICED,
        )
        .first()
    )
    if invoice is None:
        return None
    invoice.workspace = invoice.order.workspace = workspace
    left = on_account.open_part(invoice)
    if left.minor <= 0 or not takes_card(invoice):
        return None
    waiting = open_money.open_payment_of(invoice.order)
    return InvoiceToPay(invoice, left, invoice.order.number if waiting is not None else None)


def takes_card(invoice: Invoice) -> bool:
    """Whether a card or saved method may pay what is open of it: once for each order.

    One has paid already where the transfer that had paid the rest was taken back. One query.
    """
    paid = Payment.select().where(Payment.order == invoice.order_id, Payment.state == PaymentState.SUCCEEDED)
    return not paid.exists()


def methods_for(place: Place, *, now: datetime) -> list[PaymentMethod]:
    """The saved methods that may pay it at once, for whoever may use them. One query."""
    if Right.USE_SAVED_METHODS not in place.may:
        return []
    today = place.workspace.day(now)
    return [each for each in methods_of(place.workspace) if charged_methods.may_be_charged(each, on=today)]


def pay(
    workspace: Workspace,
    number: str,
    *,
    person: Person,
    card: CardData | None,
    method: PaymentMethod | None,
    shown: str,
    return_url: str,
    now: datetime,
) -> Payment:
    """Charge what is open of the invoice, with the card that was typed or the saved `method`.

    `shown` is `shown_as` of what the payer saw. The payment is `created` still where the gateway takes its
    time (payments/asking.py). Raises GatewayBusy; NothingDue once it is covered; OrderAlreadyPlaced beside a
    payment that is being confirmed; QuoteChanged where something else is open of it by now, or the method was
    removed. Nothing is charged then.
    """
    asking.refuse_when_busy()
    with transaction(lock=workspace):
        due = to_pay(workspace, number)
        if due is None:
            raise NothingDue()
        if due.being_paid is not None:
            raise OrderAlreadyPlaced(order=due.being_paid)
        order = due.invoice.order
        orders.read_lines([order])
        open_money.refuse_beside_open_money(workspace, [line.plan.product_id for line in order.lines])
        is_gone = method is not None and method not in methods_of(workspace)
        if shown != shown_as(due.left) or is_gone:
            raise QuoteChanged(shown=shown, current=shown_as(due.left))
        payment = charging.begin_payment_of_invoice(
            order,
            amount=due.left,
            kind=PaymentMethodKind(method.kind) if method else PaymentMethodKind.CARD,
            person=person,
            method=method,
            now=now,
        )
    return ordering.ask(payment, card=card, save=False, return_url=return_url, now=now)


def shown_as(left: Money) -> str:
    """What a form keeps of the amount that it showed."""
    return f"{left.minor} {left.currency}"
