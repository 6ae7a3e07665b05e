"""The licences of a product and who holds them: assigned, taken back, given to another, many at once.

Every change holds the workspace's lock, so that no licence is given twice, and is safe to repeat: what is so
already is left alone, without a trace. Many at once is all or nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from peewee import JOIN, Case, ModelSelect, fn

from portal.database import rows
from portal.database.connecting import require_transaction, transaction
from portal.database.prepared import Parameter, Prepared
from portal.domain.errors import PortalError
from portal.domain.folding import fold
from portal.domain.licences import (
    Saving,
    check_assignment,
    free_licences,
    may_hold,
    saving_of,
)
from portal.domain.lifecycle import RENEWABLE, WITHOUT_ACCESS
from portal.domain.vocabulary import MemberStatus, ProductKind
from portal.models import Licence, Member, Person, Plan, Price, Product, Subscription, Workspace
from portal.services import audit, open_money

from . import agreement
from .agreement import SubscriptionStatus
from .cancellation import NotLicensed


class CannotHoldLicence(PortalError):
    """`members` of those who were chosen are disabled, or no members any more."""

    members: int


class LicenceGone(PortalError):
    """Somebody took the licence back meanwhile: there is nothing to hand on."""


class HasLicence(PortalError):
    """Whoever was to get the licence has one already: two would be one too many."""


# --- looking --------------------------------------------------------------------------------------


def assigned(subscription: Subscription) -> int:
    """How many of its licences members hold: fewer are not bought. One query."""
    return int(Licence.select().where(Licence.subscription == subscription).count())


def assigned_by_product(workspace: Workspace) -> dict[int, int]:
    """The same of each product that members hold licences of, by the product's id. One query."""
    counted = (
        Licence.select(Subscription.product, fn.COUNT(Licence.id))
        .join(Subscription)
        .where(Subscription.workspace == workspace)
        .group_by(Subscription.product)
    )
    return dict(cast("Iterable[tuple[int, int]]", counted.tuples()))


@dataclass(frozen=True, slots=True)
class ProductLicences:
    """A licensed product of a workspace on one day. `free`: how many may still be assigned."""

    status: SubscriptionStatus
    assigned: int
    free: int

    @property
    def subscription(self) -> Subscription:
        return self.status.subscription

    @property
    def product(self) -> Product:
        return self.status.subscription.product

    @property
    def paid(self) -> int:
        return int(self.subscription.quantity)

    @property
    def idle(self) -> int:
        """Paid for and assigned to nobody."""
        return max(0, self.paid - self.assigned)

    @property
    def is_assignable(self) -> bool:
        return self.status.state not in WITHOUT_ACCESS

    @property
    def saving(self) -> Saving | None:
        """What fewer licences would save each period, by the price that was paid; None where none would.

        Only of what goes on as it is: a trial costs nothing, and what is to change has another price.
        """
        subscription = self.subscription
        goes_on = (subscription.scheduled_plan_id, subscription.scheduled_interval) == (None, None)
        if subscription.price is None or self.status.state not in RENEWABLE or not goes_on:
            return None
        quantity = subscription.scheduled_quantity or self.paid
        return saving_of(subscription.price.volume_price, quantity=quantity, assigned=self.assigned)


def all_of(workspace: Workspace, *, today: date) -> list[ProductLicences]:
    """Of each product whose licences members hold, in the catalogue's order; those with keys are not.

    One query, and one more for each product of which a payment is open.
    """
    found = []
    for subscription in _licensed.rows(workspace=workspace.id):
        subscription.workspace = workspace
        found.append(_counted(subscription, int(cast(Any, subscription).assigned_licences), today=today))
    return found


_licensed = Prepared(
    lambda: (
        Subscription.select(
            Subscription,
            Plan,
            Product,
            Price,
            open_money.state_of_open_payment(Parameter("workspace")).alias("open_payment_state"),
            open_money.state_of_open_refund(Parameter("workspace")).alias("open_refund_state"),
            Licence.select(fn.COUNT(Licence.id))
            .where(Licence.subscription == Subscription.id)
            .alias("assigned_licences"),
        )
        .join_from(Subscription, Plan, on=Subscription.plan)
        .join_from(Subscription, Product)
        .join_from(Subscription, Price, JOIN.LEFT_OUTER)
        .where(
            Subscription.workspace == Parameter("workspace"),
            Product.kind == ProductKind.LICENSED,
            ~Product.licence_keys,
        )
        .order_by(Product.position, Product.id)
    )
)


def _counted(subscription: Subscription, held: int, *, today: date) -> ProductLicences:
    being_paid = None
    if subscription.open_payment_state is not None:
        being_paid = open_money.licences_being_paid(subscription.workspace, subscription.product_id)
    # Those that are returned on the due date are given to nobody before.
    lasting = min(subscription.quantity, subscription.scheduled_quantity or subscription.quantity)
    free = free_licences(quantity=lasting, being_paid=being_paid, assigned=held)
    if subscription.open_refund_state is not None:
        # It may leave fewer at any moment, and was looked at with those that were assigned then.
        free = 0
    return ProductLicences(agreement.status_of(subscription, today=today), assigned=held, free=free)


def products_held_by(member: Member) -> set[int]:
    """Ids of the subscriptions of which the member has a licence. One query."""
    return {licence.subscription_id for licence in Licence.select().where(Licence.member == member)}


@dataclass(frozen=True, slots=True)
class LicenceRow:
    """A member who may hold a licence, and whether they do. The name is empty until they join."""

    member_id: int
    name: str
    email: str
    status: MemberStatus
    has_joined: bool
    holds: bool


@dataclass(frozen=True, slots=True)
class LicencePage:
    """`older` is the cursor of the next page, None on the last one."""

    rows: Sequence[LicenceRow]
    older: int | None


def list_members(
    subscription: Subscription,
    *,
    search: str = "",
    holds: bool | None = None,
    before: int | None = None,
    limit: int = 50,
) -> LicencePage:
    """The newest members first, with or without a licence where `holds` says so. One query, any size."""
    chosen = _chosen(subscription, search=search, holds=holds, before=before).limit(limit + 1)
    query = Member.select(Member, Person).join(Person).where(Member.id << chosen).order_by(Member.id.desc())
    if holds is None:
        has_one = Case(None, [(Licence.id.is_null(False), 1)], 0)
        theirs = (Licence.member == Member.id) & (Licence.subscription == subscription.id)
        query = query.select_extend(has_one.alias("has_one"))
        query = query.join_from(Member, Licence, JOIN.LEFT_OUTER, on=theirs)
    found = [
        LicenceRow(
            member_id=member.id,
            name=member.person.name if member.joined_at else "",
            email=member.person.email,
            status=MemberStatus(member.status),
            has_joined=member.joined_at is not None,
            holds=bool(cast(Any, member).has_one) if holds is None else holds,
        )
        for member in query
    ]
    return LicencePage(rows=found[:limit], older=found[limit - 1].member_id if len(found) > limit else None)


def _chosen(
    subscription: Subscription, *, search: str, holds: bool | None, before: int | None
) -> "ModelSelect[Any]":
    """Ids of the page's members: as in members/roster.py they are chosen before anybody is joined to them.

    Those who have a licence are found by it, however many others there are.
    """
    newest, held = Member.alias(), Licence.alias()
    if holds:
        member_id = held.member
        chosen: ModelSelect[Any] = held.select(member_id).where(held.subscription == subscription.id)
    else:
        member_id = newest.id
        chosen = newest.select(member_id).where(
            newest.workspace == subscription.workspace_id, newest.status != MemberStatus.DISABLED
        )
    if holds is False:
        theirs = held.select(held.id).where(held.subscription == subscription.id, held.member == newest.id)
        chosen = chosen.where(~fn.EXISTS(theirs))
    if folded := fold(search):
        if holds:
            chosen = chosen.join(newest, on=(held.member == newest.id))
        by_name = Person.folded_name.contains(folded) & newest.joined_at.is_null(False)
        chosen = chosen.join(Person, on=(newest.person == Person.id)).where(
            Person.folded_email.contains(folded) | by_name
        )
    if before is not None:
        chosen = chosen.where(member_id < before)
    return chosen.order_by(member_id.desc())


# --- changing -------------------------------------------------------------------------------------


def assign(
    subscription: Subscription, member_ids: Iterable[int], *, by: Person, now: datetime
) -> list[Member]:
    """A licence for each of them, or for nobody. Returns those who had none, with their people.

    Locks the workspace. Raises NotLicensed, NotAssignable, NotEnoughLicences, CannotHoldLicence.
    """
    workspace = subscription.workspace
    with transaction(lock=workspace):
        present = _as_it_is_now(subscription, now=now)
        members = _members(workspace, member_ids)
        holding = _holders(present.subscription, [member.id for member in members])
        without = [member for member in members if member.id not in holding]
        check_assignment(wanted=len(without), free=present.free, state=present.status.state)
        _give(present, without, by=by, now=now)
    return without


def take_back(subscription: Subscription, member_ids: Iterable[int], *, now: datetime) -> list[Member]:
    """Whoever of them has a licence has none then, in any state of the subscription; they are returned.

    Locks the workspace. Ids of anybody else are passed over: they have none. Raises NotLicensed.
    """
    workspace = subscription.workspace
    with transaction(lock=workspace):
        present = _as_it_is_now(subscription, now=now)
        holding = _holders(present.subscription, list(member_ids))
        members = list(_people_in(workspace, holding))
        _take(present.subscription, members, now=now)
    return members


def reassign(
    subscription: Subscription, holder_id: int, to_id: int, *, by: Person, now: datetime
) -> tuple[Member, Member]:
    """The licence of one member becomes another's in one act. Both are returned, with their people.

    Locks the workspace. Raises NotLicensed, NotAssignable, LicenceGone, HasLicence, CannotHoldLicence.
    """
    workspace = subscription.workspace
    with transaction(lock=workspace):
        present = _as_it_is_now(subscription, now=now)
        [receiver] = _members(workspace, [to_id])
        holding = _holders(present.subscription, [holder_id, to_id])
        if holder_id not in holding:
            raise LicenceGone()
        if to_id in holding:
            raise HasLicence()
        check_assignment(wanted=1, free=1, state=present.status.state)
        [holder] = _people_in(workspace, [holder_id])
        _take(present.subscription, [holder], now=now)
        _give(present, [receiver], by=by, now=now)
    return holder, receiver


def free_of(workspace: Workspace, member: Member, *, now: datetime) -> None:
    """Whoever is disabled or goes holds no licence; coming back gives none. Inside the workspace's lock."""
    require_transaction()
    theirs = Licence.select(Licence.subscription).where(Licence.member == member)
    held = Subscription.select(Subscription, Product).join(Product).where(Subscription.id << theirs)
    for subscription in held.order_by(Subscription.id):
        subscription.workspace = workspace
        _take(subscription, [member], now=now)


def _as_it_is_now(subscription: Subscription, *, now: datetime) -> ProductLicences:
    """Counted anew under the lock. Raises NotLicensed."""
    require_transaction()
    workspace = subscription.workspace
    found = next(each for each in agreement.all_of(workspace) if each.id == subscription.id)
    if not agreement.is_licensed(found):
        raise NotLicensed(product_code=found.product.code)
    return _counted(found, assigned(found), today=workspace.day(now))


def _members(workspace: Workspace, member_ids: Iterable[int]) -> list[Member]:
    """Those who may hold a licence. Raises CannotHoldLicence where one of the ids is not such a member's."""
    wanted = set(member_ids)
    able = [member for member in _people_in(workspace, wanted) if may_hold(MemberStatus(member.status))]
    if len(able) < len(wanted):
        raise CannotHoldLicence(members=len(wanted) - len(able))
    return able


def _people_in(workspace: Workspace, member_ids: Iterable[int]) -> "ModelSelect[Member]":
    return (
        Member.select(Member, Person)
        .join(Person)
        .where(Member.workspace == workspace, Member.id << list(member_ids))
        .order_by(Member.id)
    )


def _holders(subscription: Subscription, member_ids: Sequence[int]) -> set[int]:
    """Which of the members have a licence of the subscription."""
    query = Licence.select().where(Licence.subscription == subscription, Licence.member << list(member_ids))
    return {licence.member_id for licence in query}


def _give(present: ProductLicences, members: Sequence[Member], *, by: Person, now: datetime) -> None:
    rows.insert_all(
        [
            Licence(subscription=present.subscription, member=member, assigned_at=now, assigned_by=by)
            for member in members
        ]
    )
    _record("licence.assigned", present.subscription, members, now=now)


def _take(subscription: Subscription, members: Sequence[Member], *, now: datetime) -> None:
    Licence.delete().where(
        Licence.subscription == subscription, Licence.member << [member.id for member in members]
    ).execute()
    _record("licence.taken_back", subscription, members, now=now)


def _record(action: str, subscription: Subscription, members: Sequence[Member], *, now: datetime) -> None:
    for member in members:
        audit.record(
            action,
            workspace=subscription.workspace,
            subject=str(member.id),
            changes={"product": subscription.product.code},
            now=now,
        )
