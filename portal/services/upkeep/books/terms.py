"""What the workspaces have is what they were sold."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from peewee import JOIN, Case, fn

from portal.domain.frozen_quote import frozen_lines
from portal.domain.vocabulary import (
    MemberStatus,
    OrderState,
    ProductKind,
    RequestState,
    Role,
)
from portal.models import (
    BoughtAlone,
    CartLine,
    Invoice,
    Member,
    Order,
    OrderLine,
    PaymentMethod,
    Plan,
    Price,
    Product,
    PurchaseRequest,
    PurchaseRequestLine,
    Refund,
    Subscription,
    SubscriptionPeriod,
    Workspace,
)

from .reading import Queries, counted, pages_of


class GivenLine(NamedTuple):
    """A line of an order that was given, with its quote. `gave` is of its period, None where it has none."""

    quote: dict[str, Any]
    position: int
    promised: tuple[object, ...]
    gave: tuple[object, ...]


def lines_that_were_paid() -> Iterator[GivenLine]:
    promised = (
        OrderLine.subscription,
        OrderLine.plan,
        OrderLine.price,
        OrderLine.start_on,
        OrderLine.base_end_on,
        OrderLine.net_minor,
        Order.currency,
    )
    gave = (
        SubscriptionPeriod.subscription,
        SubscriptionPeriod.plan,
        SubscriptionPeriod.price,
        SubscriptionPeriod.start_on,
        SubscriptionPeriod.base_end_on,
        SubscriptionPeriod.net_minor,
        SubscriptionPeriod.currency,
    )
    query = (
        OrderLine.select(OrderLine.id, Order.quote, OrderLine.position, *promised, *gave)
        .join_from(OrderLine, Order)
        .join_from(OrderLine, SubscriptionPeriod, JOIN.LEFT_OUTER)
        .where(Order.given_at.is_null(False))
    )
    for quote, position, *terms in pages_of(query, OrderLine):
        yield GivenLine(quote, position, tuple(terms[: len(promised)]), tuple(terms[len(promised) :]))


def paid_orders_gave_what_was_quoted(line: GivenLine) -> bool:
    """Each line of a paid order has its period: the first day, base and extra days, for its price.

    When it ended is asked by periods_touch_and_never_overlap.
    """
    quoted = frozen_lines(line.quote)[line.position - 1]
    extra_days = quoted.extension["extra_days"] if quoted.extension else 0
    return line.gave != line.promised or (quoted.due_on - quoted.base_end_on).days != extra_days


@counted
def workspaces_have_one_subscription_a_product() -> Queries:
    """One to the workspace plan and at most one to any other; its plan and price are the product's."""
    several = (
        Subscription.select(Subscription.workspace)
        .group_by(Subscription.workspace, Subscription.product)
        .having(fn.COUNT(Subscription.id) > 1)
    )
    of_the_plan = (
        Subscription.select(Subscription.workspace)
        .join(Product)
        .where(Product.kind == ProductKind.WORKSPACE_PLAN)
    )
    without = Workspace.select(Workspace.id).where(Workspace.id.not_in(of_the_plan))
    of_another = (
        Subscription.select(Subscription.id)
        .join_from(Subscription, Plan, on=Subscription.plan)
        .join_from(Subscription, Price, JOIN.LEFT_OUTER)
        .where((Plan.product != Subscription.product) | (Price.plan != Plan.id))
    )
    return several, without, of_another


@counted
def carts_hold_each_product_once_in_one_currency() -> Queries:
    """That it is there once the database knows; the line's plan, price and currency are the product's."""
    several = (
        CartLine.select(CartLine.workspace)
        .group_by(CartLine.workspace)
        .having(fn.COUNT(CartLine.currency.distinct()) > 1)
    )
    of_another = (
        CartLine.select(CartLine.id)
        .join_from(CartLine, Plan)
        .join_from(CartLine, Price)
        .where(
            (Plan.product != CartLine.product)
            | (Price.plan != CartLine.plan)
            | (Price.interval != CartLine.interval)
            | (Price.currency != CartLine.currency)
        )
    )
    return several, of_another


@counted
def requests_are_approved_by_paid_orders() -> Queries:
    """An order that a request became is paid exactly when it is approved, and of the same workspace.

    A request has lines, each of one price; what was bought under a ceiling is of its own workspace.
    """
    ordered = PurchaseRequest.select(PurchaseRequest.id).join(Order)
    is_paid = Order.state << (OrderState.INVOICED, OrderState.PAID, OrderState.REFUNDED)
    is_approved = PurchaseRequest.state == RequestState.APPROVED
    unlike_their_order = ordered.where(
        (is_approved & ~is_paid)
        | ((PurchaseRequest.state == RequestState.OPEN) & is_paid)
        | (Order.workspace != PurchaseRequest.workspace)
    )
    empty = PurchaseRequest.select(PurchaseRequest.id).where(
        PurchaseRequest.id.not_in(PurchaseRequestLine.select(PurchaseRequestLine.request))
    )
    of_another = (
        PurchaseRequestLine.select(PurchaseRequestLine.id)
        .join_from(PurchaseRequestLine, PurchaseRequest)
        .join_from(PurchaseRequestLine, Plan)
        .join_from(PurchaseRequestLine, Price)
        .where(
            (Plan.product != PurchaseRequestLine.product)
            | (Price.plan != PurchaseRequestLine.plan)
            | (Price.interval != PurchaseRequestLine.interval)
            | (Price.currency != PurchaseRequest.currency)
        )
    )
    alone = BoughtAlone.select(BoughtAlone.id).join(Order).where(Order.workspace != BoughtAlone.workspace)
    return unlike_their_order, empty, of_another, alone


@counted
def renewals_wait_for_their_due_date() -> Queries:
    """With auto-renewal on, nothing is charged before the due date, and only to a method of the workspace.

    A charge always comes, but for one that has failed: what was forgotten would be blocked one day.

    With it off, nothing is charged, and nothing was announced; what is cancelled keeps both, for whoever
    takes the cancellation back.
    """
    waits = Subscription.renew_on.is_null() | (Subscription.renew_on >= Subscription.due_on)
    comes = Subscription.renew_on.is_null(False) | Subscription.renewal_failed_on.is_null(False)
    own = PaymentMethod.id.is_null() | (PaymentMethod.workspace == Subscription.workspace)
    is_right = Case(
        None,
        [
            (
                Subscription.auto_renewal,
                Subscription.due_on.is_null(False) & Subscription.price.is_null(False) & waits & comes & own,
            )
        ],
        (Subscription.renew_on.is_null() & Subscription.announced_minor.is_null())
        | (Subscription.cancelled_at.is_null(False) & waits),
    )
    return (
        Subscription.select(Subscription.id)
        .join(PaymentMethod, JOIN.LEFT_OUTER, on=(Subscription.payment_method == PaymentMethod.id))
        .where(~is_right)
    )


@counted
def cancelled_subscriptions_wait_for_nothing() -> Queries:
    """No renewal and no change is to come of them, and there is a day on which they end. All are licensed."""
    return (
        Subscription.select(Subscription.id)
        .join(Product)
        .where(
            Subscription.cancelled_at.is_null(False),
            Subscription.auto_renewal
            | Subscription.scheduled_plan.is_null(False)
            | Subscription.scheduled_interval.is_null(False)
            | Subscription.scheduled_quantity.is_null(False)
            | Subscription.due_on.is_null()
            | (Product.kind != ProductKind.LICENSED),
        )
    )


@counted
def workspaces_have_an_owner() -> Queries:
    """Somebody active, in each that was not deleted."""
    owned = Member.select(Member.workspace).where(
        Member.role == Role.OWNER, Member.status == MemberStatus.ACTIVE
    )
    return Workspace.select(Workspace.id).where(Workspace.deleted_at.is_null(), Workspace.id.not_in(owned))


@counted
def active_users_fit_their_plan() -> Queries:
    """Workspaces with more active users than their plan holds.

    Unless the newest document of the plan's orders is the credit note of a refund: that may have given a
    small one back.
    """
    newest = (
        Invoice.select(fn.MAX(Invoice.id))
        .join_from(Invoice, OrderLine, on=(OrderLine.order == Invoice.order))
        .join_from(OrderLine, Plan)
        .join_from(Plan, Product)
        .where(Product.kind == ProductKind.WORKSPACE_PLAN)
        .group_by(Invoice.workspace)
    )
    just_refunded = Refund.select(Refund.workspace).where(Refund.credit_note << newest)
    return (
        Member.select(Member.workspace)
        .join(Subscription, on=(Subscription.workspace == Member.workspace))
        .join(Plan, on=(Subscription.plan == Plan.id))
        .where(
            Member.status == MemberStatus.ACTIVE,
            Plan.max_users.is_null(False),
            Member.workspace.not_in(just_refunded),
        )
        .group_by(Member.workspace, Plan.id, Plan.max_users)
        .having(fn.COUNT(Member.id) > Plan.max_users)
    )
