"""From a chosen plan to a payment asked for: the order, its details, its review, its placing.

`place` is where money begins to move. It holds the workspace's lock while it makes the quote anew
and records the intent; the gateway is asked by services/payments/charging.py after the commit.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import cast

from peewee import JOIN, ModelSelect, fn

from portal.database import rows
from portal.database.connecting import require_transaction, transaction, write_postponed
from portal.database.prepared import Parameter, Prepared
from portal.domain.billing_details import Details
from portal.domain.choices import Choice
from portal.domain.debits import is_charged_in
from portal.domain.errors import OrderAlreadyPlaced, QuoteChanged
from portal.domain.pricing import Quote
from portal.domain.vocabulary import OrderState, PaymentMethodKind, Right
from portal.gateways.base import DebitAccount, TypedMethod
from portal.models import BillingDetails, Order, Payment, PaymentMethod, Person, Workspace
from portal.services import audit
from portal.services.billing import vat_checks
from portal.services.open_money import refuse_beside_open_money
from portal.services.orders import freeze, new_order_number, read_lines, take_along
from portal.services.payments import asking, charging, mandates, on_account
from portal.services.places import Place
from portal.services.subscriptions import charged_methods, next_charge
from portal.services.subscriptions.auto_renewal import methods_of

from . import quoting
from .ceiling import keep_to_ceiling


def open_order(place: Place, *, choices: Sequence[Choice], currency: str, now: datetime) -> Order:
    """An order with a frozen quote, for today's prices: a line for each choice. Raises as `current_quote`."""
    workspace = place.workspace
    with transaction(lock=workspace):
        wanted = quoting.wanted_lines(workspace, choices, currency=currency, now=now)
        quote = quoting.quote_of(workspace, wanted, now=now)
        order = Order(
            number=new_order_number(),
            workspace=workspace,
            person=place.member.person_id,
            display_currency=currency,
            created_at=now,
        )
        freeze(order, quote, wanted.subscriptions)
        audit.record(
            "order.opened",
            workspace=workspace,
            subject=order.number,
            changes={
                "plan": ", ".join(choice.plan_code for choice in choices),
                "interval": ", ".join(choice.interval for choice in choices),
                "currency": currency,
            },
            now=now,
        )
    return order


def quote_of_change(place: Place, choice: Choice, *, currency: str, now: datetime) -> Quote:
    """What a change of licences that run costs now and gives back, for the workspace's own details.

    Writes nothing. Raises as `current_quote`, and NoBillingDetails.
    """
    workspace = place.workspace
    wanted = quoting.wanted_lines(workspace, [choice], currency=currency, now=now)
    return quoting.quote_of(workspace, wanted, details=next_charge.details_of(workspace), now=now)


def open_change(place: Place, choice: Choice, *, currency: str, now: datetime) -> Order:
    """An order for a change of licences that run. It has the workspace's own details, where there are some
    that the buyer may see: then it is ready to be reviewed. Raises as `current_quote`.
    """
    with transaction(lock=place.workspace):
        order = open_order(place, choices=[choice], currency=currency, now=now)
        known = BillingDetails.get_or_none(BillingDetails.workspace == place.workspace)
        if known is None or Right.SEE_BILLING_DETAILS not in place.may:
            return order
        write_postponed()
        return save_details(
            order,
            place=place,
            details=Details.of(known),
            method_kind=PaymentMethodKind.CARD,
            currency=order.currency,
            display_currency=order.currency,
            now=now,
        )


def quote_of_order(place: Place, *, choices: Sequence[Choice], currency: str, now: datetime) -> Quote:
    """What `open_order` would freeze, or raise; nothing is made."""
    wanted = quoting.wanted_lines(place.workspace, choices, currency=currency, now=now)
    return quoting.quote_of(place.workspace, wanted, now=now)


def find_order(workspace: Workspace, number: str) -> Order | None:
    """The workspace's order with its buyer; another workspace's is None.

    `newest_payment` is the last attempt to pay it, or None.
    """
    order = _order_with_payment.first(workspace=workspace.id, number=number)
    if order is not None:
        order.workspace = workspace
        if order.newest_payment is not None:
            order.newest_payment.workspace = workspace
            order.newest_payment.order = order
            rows.take_as_read(order.newest_payment)
        rows.take_as_read(order)
    return cast("Order | None", order)


def _order_and_payment() -> "ModelSelect[Order]":
    other = Payment.alias()
    newest = other.select(fn.MAX(other.id)).where(other.order == Order.id)
    return (
        Order.select(Order, Person, Payment)
        .join_from(Order, Person)
        .join_from(Order, Payment, JOIN.LEFT_OUTER, on=(Payment.id == newest), attr="newest_payment")
        .where(Order.workspace == Parameter("workspace"), Order.number == Parameter("number"))
    )


_order_with_payment = Prepared(_order_and_payment)


def remembered_details(workspace: Workspace) -> dict[str, object] | None:
    """The workspace's own billing details, by the names of their fields; None while there are none."""
    known = BillingDetails.select().where(BillingDetails.workspace == workspace).dicts().first()
    return dict(known) if known else None


def save_details(
    order: Order,
    *,
    place: Place,
    details: Details,
    method_kind: PaymentMethodKind,
    currency: str,
    display_currency: str,
    now: datetime,
) -> Order:
    """Keep the details and freeze the quote that they lead to, tax included.

    Raises OrderAlreadyPlaced, PlanNotOffered, PlanTooSmall, CurrencyMismatch, CannotBeInvoiced, NotInEuros.
    """
    workspace = place.workspace
    if not is_charged_in(method_kind, currency):
        raise mandates.NotInEuros()
    with transaction(lock=workspace):
        order = _reload(order)
        _refuse_if_placed(order)
        known = BillingDetails.get_or_none(BillingDetails.workspace == workspace)
        if known is not None and Right.SEE_BILLING_DETAILS in place.may:
            details = details.beside(Details.of(known))
        order.details = details.as_ordered(workspace.language)
        order.method_kind = method_kind
        order.display_currency = display_currency
        wanted = quoting.wanted_again(order, currency=currency, now=now)
        quote = quoting.quote_again(order, wanted, now=now)
        freeze(order, quote, wanted.subscriptions)
        _remember_details(place, known, details)
        vat_checks.promise(workspace, details.vat_number)
        audit.record("order.details", workspace=workspace, subject=order.number, now=now)
    return order


def current_quote(order: Order, *, now: datetime) -> Quote:
    """What the order costs now.

    Raises PlanNotOffered, PlanTooSmall, SmallerPlanWaits, TooEarlyToProlong, LicencesOutOfRange,
    LicencesBelowAssigned, AlreadySubscribed, CurrencyMismatch, ExtensionTooLong, CannotBeInvoiced; of
    licences that run NotChangeable, NothingChanges, ChangeWaits; of those that are due NothingDue.
    """
    return quoting.quote_again(order, quoting.wanted_again(order, currency=order.currency, now=now), now=now)


def refresh_quote(order: Order, *, now: datetime) -> Order:
    """Freeze what the order costs now, because it will be shown. Raises as `current_quote` does."""
    with transaction(lock=order.workspace):
        order = _reload(order)
        if order.state == OrderState.OPEN:
            wanted = quoting.wanted_again(order, currency=order.currency, now=now)
            freeze(order, quoting.quote_again(order, wanted, now=now), wanted.subscriptions)
    return order


def place_order(
    order: Order,
    *,
    person: Person,
    card: TypedMethod | None,
    method: PaymentMethod | None = None,
    mandate: str = "",
    auto_renewal: bool,
    shown_quote_hash: str,
    return_url: str,
    now: datetime,
) -> Payment | None:
    """Record the intent to pay, then ask the gateway, once. `card` is what was typed, None for a hosted page.

    `method`: a saved one that pays, read from `payable_methods`. `mandate`: the reference of the one that was
    shown to whoever gave it, for an account that was typed.

    None where it is paid by bank transfer: what was ordered is given, and its invoice open. Nobody is asked
    where the balance pays. The payment is `created` still where the gateway takes its time
    (payments/asking.py). Raises GatewayBusy
    before anything is recorded; OrderAlreadyPlaced when a payment of this workspace is paid for this order or
    still open (`order` names whose result to show); QuoteChanged when what was shown is no longer true: the
    order then holds the new quote and nothing was charged; AboveCeiling for a member who has to ask first;
    TransfersNotOffered; MandateChanged.
    """
    asking.refuse_when_busy()
    changed: QuoteChanged | None = None
    payment: Payment | None = None
    with transaction(lock=order.workspace):
        order = _reload(order)
        _refuse_if_placed(order)
        refuse_beside_open_money(order.workspace, [line.plan.product_id for line in order.lines])
        wanted = quoting.wanted_again(order, currency=order.currency, now=now)
        quote = quoting.quote_again(order, wanted, now=now)
        is_gone = method is not None and method not in methods_of(order.workspace, order.currency)
        if quote.hash != shown_quote_hash or quote.tax is None or is_gone:
            changed = QuoteChanged(shown=shown_quote_hash, current=quote.hash)
            freeze(order, quote, wanted.subscriptions)
        else:
            keep_to_ceiling(order, person=person, now=now)
            if isinstance(card, DebitAccount):
                mandates.refuse_another_mandate(order.workspace, mandate)
            order.auto_renewal = auto_renewal
            if order.due.minor and order.method_kind == PaymentMethodKind.BANK_TRANSFER:
                on_account.accept(order, person=person, now=now)
            else:
                payment = record_placed(
                    order,
                    person=person,
                    method=method,
                    mandate=mandate if isinstance(card, DebitAccount) else "",
                    now=now,
                )
    if changed is not None:
        raise changed
    if payment is None:
        return None
    return ask(payment, card=card, save=auto_renewal, return_url=return_url, now=now)


PAID_WITH_SAVED = (PaymentMethodKind.CARD, PaymentMethodKind.SEPA_DEBIT)


def payable_methods(place: Place, order: Order, *, now: datetime) -> list[PaymentMethod]:
    """The saved cards, or accounts, that may pay the order at once, the one that is charged first before the
    others.

    None for whoever may not use them, and for an order that is paid another way. One query.
    """
    if Right.USE_SAVED_METHODS not in place.may or order.method_kind not in PAID_WITH_SAVED:
        return []
    today = place.workspace.day(now)
    return [
        each
        for each in methods_of(place.workspace, order.currency)
        if each.kind == order.method_kind and not charged_methods.is_expired(each, on=today)
    ]


def record_placed(
    order: Order,
    *,
    person: Person,
    method: PaymentMethod | None = None,
    mandate: str = "",
    now: datetime,
) -> Payment:
    """The order is placed, with the intent to pay it; `method` is the saved one that is to be charged.

    Paid at once where the balance pays the whole. Inside the workspace's lock, once what was shown is known
    to be true.
    """
    require_transaction()
    order.state = OrderState.PLACED
    order.person = person
    order.save()
    take_along(order)
    payment = charging.begin_payment(order, person=person, method=method, mandate=mandate, now=now)
    audit.record(
        "order.placed",
        workspace=order.workspace,
        subject=order.number,
        changes={"payment": payment.key, "total_minor": order.total_minor, "currency": order.currency},
        now=now,
    )
    return payment


def ask(payment: Payment, *, card: TypedMethod | None, save: bool, return_url: str, now: datetime) -> Payment:
    """Ask the gateway for what the intent says, once. `created` still where it takes its time."""
    return asking.in_time(
        lambda request: charging.ask(
            payment,
            card=card,
            save=save,
            return_url=return_url,
            is_awaited=request.is_awaited,
            now=now,
        ),
        otherwise=lambda: Payment.get_by_id(payment.id),
    )


def _reload(order: Order) -> Order:
    """The order as it is now that the lock is held."""
    fresh = find_order(order.workspace, order.number)
    assert fresh is not None
    read_lines([fresh])
    return fresh


def _refuse_if_placed(order: Order) -> None:
    if order.state != OrderState.OPEN:
        raise OrderAlreadyPlaced(order=order.number)


def _remember_details(place: Place, known: BillingDetails | None, details: Details) -> None:
    """They become the workspace's own when the buyer may change those, or when there are none yet."""
    values = asdict(details)
    if known is None:
        BillingDetails.create(workspace=place.workspace, **values)
    elif Right.BILLING_SETTINGS in place.may:
        BillingDetails.update(**values).where(BillingDetails.id == known.id).execute()
