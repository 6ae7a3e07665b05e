"""The next automatic charge as the pages tell it: when, how much, with what, what for."""

from dataclasses import dataclass
from datetime import date, datetime

from peewee import JOIN

from portal.database.prepared import Parameter, Prepared
from portal.domain.errors import CannotBeInvoiced
from portal.domain.money import Money
from portal.domain.plans import PlanNotOffered, PlanTooSmall, Usage
from portal.domain.vocabulary import Interval
from portal.models import BillingDetails, PaymentMethod
from portal.services import ledger
from portal.services.subscriptions import charged_methods, next_charge, scheduled_change
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.services.subscriptions.next_charge import NoBillingDetails


@dataclass(frozen=True, slots=True)
class ComingCharge:
    """`total` with its VAT, if any. `method` None: there is none that could be charged.

    `lacks_method`: and there has to be one, since the balance does not pay it whole.
    """

    on: date
    total: Money
    has_vat: bool
    plan_names: dict[str, str]
    interval: Interval
    method: PaymentMethod | None
    lacks_method: bool


def coming_charge(status: SubscriptionStatus, usage: Usage, *, now: datetime) -> ComingCharge | None:
    """None where no charge comes by itself, or nobody can say which. One query, mostly.

    A renewal that has failed, or is being made, has letters and a banner of its own: another charge beside it
    would be a second one.
    """
    subscription, on = status.subscription, status.subscription.renew_on
    if subscription.open_payment_state is not None:
        return None
    waiting = scheduled_change.waiting_plan(status)
    if on is None or on < status.today or not status.renews_by_itself or (waiting and waiting.plan.free):
        return None
    if waiting is not None:
        # As it was read already, so that it is not read anew.
        subscription.scheduled_plan = waiting.plan
    found = _details_and_methods.rows(workspace=subscription.workspace_id)
    if not found:
        return None
    methods = [row.method for row in found if getattr(row, "method", None) is not None and row.method.id]
    try:
        details = next_charge.details_of(subscription.workspace, found[0])
        quote = next_charge.upcoming(subscription, details=details, usage=usage, now=now)
    except (PlanTooSmall, PlanNotOffered, NoBillingDetails, CannotBeInvoiced):
        return None
    in_turn = charged_methods.in_order(methods, subscription)
    method = charged_methods.first_charged(in_turn, on=on, currency=quote.currency)
    return ComingCharge(
        on=on,
        # What was told is the ceiling, and all that a page may say.
        total=next_charge.told_total(subscription) or quote.total,
        has_vat=(next_charge.told_tax(subscription) or quote.tax_amount).minor > 0,
        plan_names=dict(quote.only_line.offer.plan_names),
        interval=quote.only_line.offer.interval,
        method=method,
        lacks_method=method is None and bool(ledger.beside_balance(quote, subscription.workspace).due.minor),
    )


_details_and_methods = Prepared(
    lambda: (
        BillingDetails.select(BillingDetails, PaymentMethod)
        .join(
            PaymentMethod,
            JOIN.LEFT_OUTER,
            on=((PaymentMethod.workspace == BillingDetails.workspace) & PaymentMethod.removed_at.is_null()),
            attr="method",
        )
        .where(BillingDetails.workspace == Parameter("workspace"))
    )
)
