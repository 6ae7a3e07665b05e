"""What a person sees and keeps of their own account: name, language, sessions, orders."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from peewee import JOIN

from portal.database.connecting import is_postgresql, transaction
from portal.domain.money import Money
from portal.domain.vocabulary import DocumentKind, MemberStatus, OrderKind, OrderState, Right
from portal.models import Invoice, Member, Order, Person, Plan, Session, Workspace
from portal.runtime import current
from portal.services import audit
from portal.services.places import MENU_WORKSPACES, rights_in

from .signing_in import end_sessions

SESSIONS_SHOWN = 50


def save_profile(person: Person, *, name: str, language: str, now: datetime) -> None:
    with transaction():
        Person.update(name=name, language=language).where(Person.id == person.id).execute()
        audit.record(
            "person.profile_changed",
            workspace=None,
            subject=str(person.id),
            changes={"language": language},
            actor=person,
            now=now,
        )


def list_sessions(person: Person, *, idle: timedelta, life: timedelta) -> Sequence[Session]:
    """The sessions that still open a page, the one used last first."""
    wall = current().clock.wall()
    return list(
        Session.select()
        .where(Session.person == person, Session.seen_at >= wall - idle, Session.created_at >= wall - life)
        .order_by(Session.seen_at.desc(), Session.id.desc())
        .limit(SESSIONS_SHOWN)
    )


def end_session(person: Person, session_id: int, *, now: datetime) -> bool:
    """End one of the person's own sessions; False when it is not theirs or already over."""
    with transaction():
        ended = Session.delete().where(Session.person == person, Session.id == session_id).execute()
        if ended:
            _record_end_of_sessions(person, ended, now=now)
    return bool(ended)


def end_other_sessions(person: Person, *, keep_session: Session | None, now: datetime) -> int:
    """End the person's sessions elsewhere. Returns how many ended."""
    with transaction():
        ended = end_sessions(person, but=keep_session)
        if ended:
            _record_end_of_sessions(person, ended, now=now)
    return ended


def _record_end_of_sessions(person: Person, count: int, *, now: datetime) -> None:
    audit.record(
        "person.sessions_ended",
        workspace=None,
        subject=str(person.id),
        changes={"sessions": count},
        actor=person,
        now=now,
    )


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """One line of a person's orders across workspaces.

    `total` is None until the buyer's country, and with it the tax, is known. `invoice_number` is empty
    where there is no invoice, or none that the person may download.
    """

    order_id: int
    number: str
    workspace_name: str
    slug: str
    time_zone: str
    plan_names: dict[str, str]
    state: OrderState
    is_renewal: bool
    created_at: datetime
    total: Money | None
    invoice_number: str


@dataclass(frozen=True, slots=True)
class OwnOrders:
    """`older` is the cursor of the next page, None on the last one."""

    rows: Sequence[OwnOrder]
    older: int | None


def orders_of(person: Person, *, size: int, before: int | None = None) -> OwnOrders:
    """The person's newest orders in the workspaces that they can still enter. One query.

    The orders of the page are chosen first, by the person's own index, and the rest is read for those alone:
    whatever the database knows of its tables, no other order of the person is looked at.
    """
    theirs = Order.alias()
    enterable = (
        Member.select(Member.workspace)
        .join(Workspace)
        .where(
            Member.person == person,
            Member.status == MemberStatus.ACTIVE,
            Member.joined_at.is_null(False),
            Workspace.deleted_at.is_null(),
        )
    )
    # SQLite would take the index of `workspace` alone, and sort all that it finds; PostgreSQL knows better.
    workspace = theirs.workspace if is_postgresql() else theirs.workspace + 0
    chosen = (
        theirs.select(theirs.id)
        .where(theirs.person == person, workspace << enterable)
        .order_by(theirs.id.desc())
        .limit(size + 1)
    )
    if before is not None:
        chosen = chosen.where(theirs.id < before)
    query = (
        Order.select(Order, Workspace, Plan, Member, Invoice.number)
        .join_from(Order, Workspace)
        .join_from(Order, Plan)
        .join_from(
            Order,
            Invoice,
            JOIN.LEFT_OUTER,
            # By its kind, which has an index with the order: all invoices credit nothing.
            on=((Invoice.order == Order.id) & (Invoice.kind == DocumentKind.INVOICE)),
            attr="invoice",
        )
        .join_from(
            Order,
            Member,
            on=((Member.workspace == Order.workspace) & (Member.person == Order.person)),
            attr="member",
        )
        .where(Order.id << chosen)
        .order_by(Order.id.desc())
    )
    rows = [_own_order(order, order.member, order.invoice) for order in query]  # type: ignore[attr-defined]
    return OwnOrders(rows=rows[:size], older=rows[size - 1].order_id if len(rows) > size else None)


def _own_order(order: Order, member: Member, invoice: Invoice | None) -> OwnOrder:
    """`order` with its workspace and plan; `member` is the buyer there."""
    member.workspace = order.workspace
    may_download = Right.DOWNLOAD_DOCUMENTS in rights_in(member)
    return OwnOrder(
        order_id=order.id,
        number=order.number,
        workspace_name=order.workspace.name,
        slug=order.workspace.slug,
        time_zone=order.workspace.time_zone,
        plan_names=order.plan.names,
        state=OrderState(order.state),
        is_renewal=order.kind == OrderKind.RENEWAL,
        created_at=order.created_at,
        total=Money(order.total_minor, order.currency) if order.details else None,
        invoice_number=invoice.number if invoice and may_download else "",
    )


def workspaces_of(person: Person) -> Iterable[Workspace]:
    """Those the person can enter, by name."""
    return list(
        Workspace.select()
        .join(Member)
        .where(
            Member.person == person,
            Member.status != MemberStatus.DISABLED,
            Member.joined_at.is_null(False),
            Workspace.deleted_at.is_null(),
        )
        .order_by(Workspace.name, Workspace.id)
        .limit(MENU_WORKSPACES)
    )
