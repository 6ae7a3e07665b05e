"""The monthly ceiling: how far the members of a workspace buy together without asking (docs/adr/0031).

Amounts are what is paid, tax included, of orders that are placed or paid; one that was declined or paid back
does not count. The month is the calendar month of the workspace's own days.
"""

from datetime import datetime

from peewee import fn

from portal.database.connecting import require_transaction
from portal.domain.money import Money
from portal.domain.requests import AboveCeiling, Allowance, month_of
from portal.domain.vocabulary import OrderState, Right
from portal.models import BoughtAlone, Order, Person, Workspace
from portal.services import places
from portal.services.places import Place


def allowance_here(place: Place, *, now: datetime) -> Allowance | None:
    """What is left for this person to buy without asking; None for whoever may approve, or may not buy.

    One query where there is a ceiling.
    """
    if Right.APPROVE in place.may or not place.buys:
        return None
    return allowance_of(place.workspace, now=now)


def allowance_of(workspace: Workspace, *, now: datetime) -> Allowance | None:
    """None without a ceiling. Orders in another currency than the workspace's cannot be counted."""
    ceiling = workspace.ceiling
    if ceiling is None:
        return None
    month = month_of(workspace.day(now))
    spent = (
        BoughtAlone.select(fn.COALESCE(fn.SUM(Order.total_minor), 0))
        .join(Order)
        .where(
            BoughtAlone.workspace == workspace,
            BoughtAlone.bought_on >= month.start,
            BoughtAlone.bought_on < month.end,
            Order.state << (OrderState.PLACED, OrderState.PAID),
            Order.currency == ceiling.currency,
        )
        .scalar()
    )
    return Allowance(ceiling=ceiling, spent=Money(int(spent), ceiling.currency))


def keep_to_ceiling(order: Order, *, person: Person, now: datetime) -> None:
    """Count the order that `person` is about to place, or raise AboveCeiling. Inside the workspace's lock.

    Rights and ceiling are read anew: two tabs, or two members, cannot pass it together.
    """
    require_transaction()
    member = places.membership(order.workspace_id, person)
    BoughtAlone.delete().where(BoughtAlone.order == order).execute()
    if member is None or Right.APPROVE in (may := places.rights_in(member)):
        return
    amount = Money(order.total_minor, order.currency)
    allowance = allowance_of(member.workspace, now=now) if Right.BUY in may else None
    if allowance is None or not allowance.covers(amount):
        left = allowance.left if allowance is not None else Money.zero(order.currency)
        raise AboveCeiling(amount=amount, left=left)
    BoughtAlone.create(order=order, workspace=member.workspace, bought_on=member.workspace.day(now))
