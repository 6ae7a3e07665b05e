"""What is invoiced and not paid yet is open, and the subscriptions say so."""

from datetime import date

from peewee import JOIN, fn

from portal.domain.vocabulary import DocumentKind, OrderState
from portal.models import Allocation, Invoice, Order, OrderLine, Subscription, Workspace
from portal.services import ledger

from .reading import Queries, counted


@counted
def invoiced_orders_are_not_covered() -> Queries:
    """Their invoice has a day until which to pay it and a reference, and something of it is open.

    Once it is covered the order is paid: nobody is reminded of it.
    """
    covered = (
        Allocation.select(
            Allocation.invoice.alias("invoice_id"), fn.SUM(Allocation.amount_minor).alias("amount")
        )
        .where(Allocation.invoice.is_null(False))
        .group_by(Allocation.invoice)
        .alias("covered")
    )
    invoiced = (
        Invoice.select(Invoice.id)
        .join_from(Invoice, Order)
        .join_from(Invoice, covered, JOIN.LEFT_OUTER, on=(covered.c.invoice_id == Invoice.id))
        .where(
            Invoice.is_current(),
            Order.state == OrderState.INVOICED,
            Invoice.due_on.is_null()
            | Invoice.reference.is_null()
            | (fn.COALESCE(covered.c.amount, 0) >= Invoice.total_minor),
        )
    )
    reminded = (
        Invoice.select(Invoice.id)
        .join(Order)
        .where(Invoice.remind_on.is_null(False), (Order.state != OrderState.INVOICED) | ~Invoice.is_current())
    )
    return invoiced, reminded


@counted
def subscriptions_owe_what_is_open() -> Queries:
    """Each says until when its oldest open invoice can be paid in time, and nothing where none is open."""
    oldest = (
        Invoice.select(fn.MIN(Invoice.due_on))
        .join_from(Invoice, Order)
        .join_from(Order, OrderLine)
        .where(
            OrderLine.subscription == Subscription.id,
            Order.state == OrderState.INVOICED,
            Invoice.is_current(),
        )
    )
    never = date(9999, 12, 31)
    return Subscription.select(Subscription.id).where(
        fn.COALESCE(Subscription.unpaid_on, never) != fn.COALESCE(oldest, never)
    )


@counted
def nothing_is_kept_beside_what_it_could_pay() -> Queries:
    """Where money is kept that no placed order counts on, nothing is open in its currency.

    All that gives less all that takes is what is kept less what is open, in each currency of a workspace.
    """
    every = Invoice.alias()
    of_its_kind = (
        (every.workspace == Invoice.workspace)
        & (every.currency == Invoice.currency)
        & (every.kind == DocumentKind.INVOICE)
    )
    invoiced = every.select(fn.SUM(every.total_minor)).where(of_its_kind)
    covered = Allocation.select(fn.SUM(Allocation.amount_minor)).join(
        every, on=(Allocation.invoice == every.id)
    )
    balance = ledger.newest_balance(Invoice.workspace, Invoice.currency)
    reserved = ledger.sum_reserved(Invoice.workspace, Invoice.currency)
    kept = (fn.COALESCE(balance, 0) + invoiced - fn.COALESCE(covered.where(of_its_kind), 0)) - fn.COALESCE(
        reserved, 0
    )
    return (
        Invoice.select(Invoice.id)
        .join_from(Invoice, Order)
        .join_from(Invoice, Workspace)
        .where(
            Invoice.is_current(),
            Order.state == OrderState.INVOICED,
            Workspace.deleted_at.is_null(),
            kept > 0,
        )
    )
