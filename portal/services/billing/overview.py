"""What the overview and the calendar tell: what a workspace has, what comes, and with what it is paid."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import JOIN, fn

from portal.database.prepared import Parameter, Prepared
from portal.domain import forecast as forecasting
from portal.domain.forecast import Forecast, Taxation, UnpaidInvoice
from portal.domain.money import Money
from portal.domain.plans import Usage
from portal.domain.tax import Buyer
from portal.domain.vocabulary import RequestState, Right
from portal.models import (
    BillingDetails,
    CalendarAddress,
    PaymentMethod,
    PurchaseRequest,
    Subscription,
    Workspace,
)
from portal.runtime import current
from portal.services import ledger, plans
from portal.services.payments import on_account
from portal.services.places import Place
from portal.services.subscriptions import agreement, next_charge, products
from portal.services.subscriptions.next_charge import NoBillingDetails
from portal.services.subscriptions.products import OwnProduct

from . import outlooks


@dataclass(frozen=True, slots=True)
class Overview:
    """`own`: what the workspace has, had or is paying for, the workspace plan first.

    `methods` by id and `kept`, what is in the balance by currency, are empty for whoever may not know what
    pays. `usage` is what the workspace holds, where it was read. `unpaid` are its open invoices, the oldest
    first. `requests_waiting`: for whoever decides.
    """

    own: tuple[OwnProduct, ...]
    forecast: Forecast
    methods: Mapping[int, PaymentMethod]
    kept: Mapping[str, Money]
    shows_what_pays: bool
    usage: Usage | None
    unpaid: tuple[UnpaidInvoice, ...]
    requests_waiting: int
    has_calendar_address: bool


def overview_of(place: Place, *, now: datetime) -> Overview:
    """At most five queries, however many products there are, and two where an invoice is open; the prices are
    read once for a catalogue.
    """
    workspace, sale_day = place.workspace, plans.sale_day(now)
    own = products.products_had(workspace, now=now)
    statuses = [each.status for each in own if each.status is not None]
    outlooks.read_scheduled_plans([status.subscription for status in statuses], on=sale_day)
    is_scheduled = any(
        status.subscription.scheduled_plan_id and not agreement.is_licensed(status.subscription)
        for status in statuses
    )
    usage = plans.usage_of(workspace) if is_scheduled else None
    facts = _facts.rows(
        workspace=workspace.id,
        member=place.member.id,
        now=now,
    )
    methods = [row.method for row in facts if getattr(row, "method", None) is not None and row.method.id]
    kept = ledger.kept_in_each_currency(workspace)
    unpaid = tuple(_unpaid(workspace, [status.subscription for status in statuses]))
    found = forecasting.forecast(
        outlooks.outlooks(statuses, methods=methods, usage=usage, on=sale_day),
        taxation=_taxation(workspace, facts[0]),
        kept=kept,
        today=workspace.day(now),
        sale_day=sale_day,
        unpaid=unpaid,
    )
    shows_what_pays = Right.USE_SAVED_METHODS in place.may
    return Overview(
        own=tuple(own),
        forecast=found,
        methods={each.id: each for each in methods} if shows_what_pays else {},
        kept=kept if shows_what_pays else {},
        shows_what_pays=shows_what_pays,
        usage=usage,
        unpaid=unpaid,
        requests_waiting=int(facts[0].requests_waiting) if Right.APPROVE in place.may else 0,
        has_calendar_address=bool(facts[0].calendar_addresses),
    )


def _unpaid(workspace: Workspace, subscriptions: Sequence[Subscription]) -> Iterator[UnpaidInvoice]:
    owing = {each.unpaid_on: each.id for each in reversed(subscriptions) if each.unpaid_on is not None}
    for invoice, left in on_account.open_of(workspace) if owing else ():
        assert invoice.due_on is not None, "an open invoice has its day"
        # A later one of the same subscription: the subscription has the day of its oldest.
        subscription = owing.get(invoice.due_on, min(owing.values()))
        yield UnpaidInvoice(invoice.number, invoice.due_on, left, subscription)


def _taxation(workspace: Workspace, row: Any) -> Taxation | None:
    known = getattr(row, "details", None)
    if known is None or known.id is None:
        return None
    settings = current().settings
    try:
        details = next_charge.details_of(workspace, known)
    except NoBillingDetails:
        return None
    return Taxation(
        buyer=Buyer.of(details),
        seller_country=settings.seller.country,
        unchecked_counts_as_valid=settings.unchecked_vat_counts,
    )


_facts = Prepared(
    lambda: (
        Workspace.select(
            Workspace.id,
            BillingDetails,
            PaymentMethod,
            PurchaseRequest.select(fn.COUNT(PurchaseRequest.id))
            .where(
                PurchaseRequest.workspace == Parameter("workspace"),
                PurchaseRequest.state == RequestState.OPEN,
                PurchaseRequest.expires_at > Parameter("now"),
            )
            .alias("requests_waiting"),
            CalendarAddress.select(fn.COUNT(CalendarAddress.id))
            .where(CalendarAddress.member == Parameter("member"))
            .alias("calendar_addresses"),
        )
        .join_from(
            Workspace,
            BillingDetails,
            JOIN.LEFT_OUTER,
            on=(BillingDetails.workspace == Workspace.id),
            attr="details",
        )
        .join_from(
            Workspace,
            PaymentMethod,
            JOIN.LEFT_OUTER,
            on=((PaymentMethod.workspace == Workspace.id) & PaymentMethod.removed_at.is_null()),
            attr="method",
        )
        .where(Workspace.id == Parameter("workspace"))
        .order_by(PaymentMethod.id)
    )
)
