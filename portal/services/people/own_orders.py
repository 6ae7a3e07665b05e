"""What a person ordered in the workspaces that they can enter, newest first. Keyset pages, any length."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from peewee import ModelSelect, Select

from portal.database.connecting import is_postgresql
from portal.domain.lifecycle import order_progress
from portal.domain.money import Money
from portal.domain.vocabulary import (
    MemberStatus,
    OrderProgress,
    OrderState,
    PaymentState,
    Right,
)
from portal.models import Dispute, Invoice, Member, Order, Payment, Person, Workspace
from portal.services.places import rights_in

PAGES_LOOKED_AT = 2
"""Of so many pages of orders one page is chosen; what is not finished may fill them all."""


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """One line of a person's orders across workspaces.

    `names` are those of its plans, each by language. `decline_code` is that of the newest attempt to pay,
    empty for none. `total` is None until the buyer's country, and with it the tax, is known. `invoice_number`
    is empty where there is no invoice, or none that the person may download.
    """

    order_id: int
    number: str
    workspace_name: str
    slug: str
    time_zone: str
    names: list[Mapping[str, str]]
    progress: OrderProgress
    decline_code: str
    is_renewal: bool
    created_at: datetime
    total: Money | None
    invoice_number: str


@dataclass(frozen=True, slots=True)
class OwnOrders:
    """`older` is the cursor of the next page, None on the last one.

    `not_finished` counts the orders of this page's stretch of time that nobody finished, shown or left out.
    """

    rows: Sequence[OwnOrder]
    not_finished: int
    older: int | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """An order of the stretch that a page looks at."""

    order_id: int
    progress: OrderProgress
    decline_code: str

    @property
    def is_finished(self) -> bool:
        return self.progress != OrderProgress.NOT_FINISHED


def orders_of(
    person: Person, *, size: int, before: int | None = None, with_not_finished: bool = False
) -> OwnOrders:
    """The person's newest orders, or those older than the one whose id is `before`. Four queries.

    What is not finished is left out unless it is asked for. A page looks at a bounded stretch of orders and
    may show fewer than `size` of them, none even, with more to come: so it costs the same at any length.
    """
    stretch = size if with_not_finished else PAGES_LOOKED_AT * size
    found = list(_newest(person, before=before).limit(stretch + 1))
    seen = _with_progress(found[:stretch])
    shown = [each for each in seen if with_not_finished or each.is_finished]
    older = seen[-1].order_id if len(found) > stretch else None
    if len(shown) > size:
        older = last = shown[size - 1].order_id
        seen = [each for each in seen if each.order_id >= last]
    return OwnOrders(
        rows=_rows(shown[:size]),
        not_finished=sum(not each.is_finished for each in seen),
        older=older,
    )


def _newest(person: Person, *, before: int | None) -> "ModelSelect[Order]":
    """Found by the person's own index, one after the other: no other order of theirs is looked at.

    Where they may enter is found once, before: whatever PostgreSQL believes of its tables, it does not go
    through the members of a workspace for each order.
    """
    enterable = (
        Member.select(Member.workspace)
        .join(Workspace)
        .where(
            Member.person == person,
            Member.status == MemberStatus.ACTIVE,
            Member.joined_at.is_null(False),
            Workspace.deleted_at.is_null(),
        )
        .cte("enterable", materialized=True)
    )
    # SQLite would take the index of `workspace` alone, and sort all that it finds; PostgreSQL knows better.
    workspace = Order.workspace if is_postgresql() else Order.workspace + 0
    query = (
        Order.select(Order.id, Order.workspace, Order.quote, Order.state)
        .with_cte(enterable)
        .where(Order.person == person, workspace << Select((enterable,), (enterable.c.workspace_id,)))
        .order_by(Order.id.desc())
    )
    return query if before is None else query.where(Order.id < before)


def _with_progress(orders: Iterable[Order]) -> list[_Seen]:
    orders = list(orders)
    unpaid = [order.id for order in orders if order.state in (OrderState.OPEN, OrderState.PLACED)]
    tries: dict[int, list[tuple[PaymentState, str]]] = defaultdict(list)
    if unpaid:
        asked = Payment.select(Payment.order, Payment.state, Payment.decline_code)
        for payment in asked.where(Payment.order << unpaid).order_by(Payment.id):
            tries[payment.order_id].append((payment.state, payment.decline_code))
    disputed = _disputed_in({order.workspace_id for order in orders if order.state == OrderState.PAID})
    return [
        _Seen(
            order_id=order.id,
            progress=order_progress(
                order.state,
                tries[order.id],
                is_renewal=order.is_renewal,
                is_disputed=order.id in disputed,
            ),
            decline_code=tries[order.id][-1][1] if tries[order.id] else "",
        )
        for order in orders
    ]


def _disputed_in(workspaces: Collection[int]) -> set[int]:
    """The orders of the workspaces whose payment was disputed.

    By the workspace, of which there are few, and few disputes in each: asked for many orders, PostgreSQL
    without statistics would read all payments.
    """
    if not workspaces:
        return set()
    found = (
        Dispute.select(Dispute.id, Payment.order).join(Payment).where(Dispute.workspace << list(workspaces))
    )
    return {dispute.payment.order_id for dispute in found}


def _rows(shown: Sequence[_Seen]) -> list[OwnOrder]:
    if not shown:
        return []
    seen = {each.order_id: each for each in shown}
    # One look at an index for each: joined, PostgreSQL without statistics would read all invoices.
    number = Invoice.select(Invoice.number).where(Invoice.order == Order.id, Invoice.is_current()).limit(1)
    query = (
        Order.select(Order, Workspace, Member, number.alias("invoice_number"))
        .join_from(Order, Workspace)
        .join_from(
            Order,
            Member,
            on=((Member.workspace == Order.workspace) & (Member.person == Order.person)),
            attr="member",
        )
        .where(Order.id << list(seen))
        .order_by(Order.id.desc())
    )
    return [_row(order, seen[order.id]) for order in query]


def _row(order: Order, seen: _Seen) -> OwnOrder:
    """`order` with its workspace and the number of its invoice, and its buyer's membership there."""
    member: Member = order.member  # type: ignore[attr-defined]
    invoice_number: str | None = order.invoice_number  # type: ignore[attr-defined]
    member.workspace = order.workspace
    may_download = Right.DOWNLOAD_DOCUMENTS in rights_in(member)
    return OwnOrder(
        order_id=order.id,
        number=order.number,
        workspace_name=order.workspace.name,
        slug=order.workspace.slug,
        time_zone=order.workspace.time_zone,
        names=[line.plan_names for line in order.frozen_lines],
        progress=seen.progress,
        decline_code=seen.decline_code,
        is_renewal=order.is_renewal,
        created_at=order.created_at,
        total=Money(order.total_minor, order.currency) if order.details else None,
        invoice_number=invoice_number if invoice_number and may_download else "",
    )
