"""The end of a workspace, by its owner or by the run after six months without a payment.

People, contacts, payment methods, billing details, the cart, purchase requests, usage and mail are erased.
Issued documents, payments, the ledger and the audit log stay under a row without a name, as long as the law
asks. Whoever belongs to no other workspace is forgotten, but for the vendor's staff: their row goes, or stays
without a name where money points at it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from portal.database.connecting import hold, is_postgresql, require_transaction, transaction, write_postponed
from portal.domain.lifecycle import OPEN_SETUP_STATES
from portal.domain.vocabulary import MemberStatus, OrderState, Role
from portal.models import (
    AuditEntry,
    AuditTrace,
    BillingDetails,
    BoughtAlone,
    CartLine,
    ChangeNotice,
    Contact,
    Licence,
    LicenceKey,
    Member,
    MethodSetup,
    NonprofitRequest,
    Notice,
    Order,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Person,
    PurchaseRequest,
    PurchaseRequestLine,
    Refund,
    Subscription,
    Workspace,
)
from portal.services import audit, letters
from portal.services.invoices import pay_links
from portal.services.members.roster import OwnersOnly
from portal.services.open_money import MoneyOnItsWay, refuse_while_money_moves
from portal.services.people import trials_taken
from portal.services.people.forgetting import (
    ERASED,
    PEOPLE,
    addresses_of,
    forget_actors,
    forget_letters,
    forget_people,
    in_parts,
)
from portal.services.places import Place

POSTPONED_FOR = timedelta(hours=1)
ADDRESSES_AT_ONCE = 10_000
"""Each group of addresses is one walk through the outbox."""


class Why(StrEnum):
    """What the audit log keeps."""

    OWNER = "owner"
    NOT_PAID = "not_paid"


def delete_by_owner(place: Place, *, now: datetime) -> bool:
    """Erase the workspace and tell its owners. True when the one who did it was forgotten with it.

    Locks the workspace; one that is deleted already is left alone. Raises MoneyOnItsWay, and OwnersOnly for
    somebody who is an owner no longer.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        if _is_deleted(workspace):
            return False
        member = Member.get_or_none(Member.id == place.member.id)
        if member is None or member.role != Role.OWNER or member.status != MemberStatus.ACTIVE:
            raise OwnersOnly(role=Role.OWNER)
        refuse_while_money_moves(workspace)
        hold(PEOPLE)
        _tell_owners(workspace, by=member.person)
        return member.person_id in _erase(workspace, why=Why.OWNER, by=member.person, now=now)


def delete_for_not_paying(workspace: Workspace, *, now: datetime) -> bool:
    """Erase the workspace, inside the run's transaction that holds its lock. False where nothing was erased.

    While the result of a payment or a refund is open, the run looks again in an hour.
    """
    require_transaction()
    if _is_deleted(workspace):
        return False
    try:
        refuse_while_money_moves(workspace)
    except MoneyOnItsWay:
        Subscription.update(look_at=now + POSTPONED_FOR).where(
            Subscription.workspace == workspace, Subscription.look_at <= now
        ).execute()
        return False
    hold(PEOPLE)
    _erase(workspace, why=Why.NOT_PAID, now=now)
    return True


def _is_deleted(workspace: Workspace) -> bool:
    return Workspace.get_by_id(workspace.id).deleted_at is not None


def _tell_owners(workspace: Workspace, *, by: Person) -> None:
    """Names and addresses are forgotten here: they stand in the letter alone, and only until it is sent."""
    for person in letters.owners(workspace):
        letters.promise(
            "workspace_deleted",
            key=f"workspace-deleted-{workspace.id}-{person.id}",
            locale=person.language or workspace.language,
            context={},
            secrets={
                "to": person.email,
                "name": person.name,
                "workspace": workspace.name,
                "by": by.name,
            },
        )


def _erase(workspace: Workspace, *, why: Why, by: Person | None = None, now: datetime) -> Sequence[int]:
    """Everything that the module's first lines say. Returns the ids of the people who are forgotten."""
    audit.record(
        "workspace.deleted",
        workspace=workspace,
        subject=workspace.slug,
        changes={"why": why.value},
        actor=by,
        now=now,
    )
    trials_taken.note(letters.owners(workspace), now=now)
    # What this transaction has just recorded and promised is forgotten too.
    write_postponed()
    involved = _people_of(workspace)
    forgotten = _belonging_nowhere_else(involved, workspace)
    _forget_mail(workspace, involved, forgotten)
    _end_subscriptions(workspace)
    _forget_requests(workspace)
    _forget_orders(workspace)
    _forget_methods(workspace, now=now)
    pay_links.forget(workspace)
    for model in (BillingDetails, ChangeNotice, CartLine, NonprofitRequest, Contact, Member):
        model.delete().where(model.workspace == workspace).execute()
    _forget_traces(workspace, forgotten)
    forget_people(forgotten)
    Workspace.update(
        name="",
        services=[],
        used_storage_bytes=0,
        deleted_at=now,
        adviser_name=None,
        adviser_email=None,
        corporate_portal_url=None,
        account_service_email=None,
        account_service_phone=None,
    ).where(Workspace.id == workspace.id).execute()
    return forgotten


# --- who ------------------------------------------------------------------------------------------


def _people_of(workspace: Workspace) -> list[int]:
    """Ids of the members, and of who bought, saved a method or had money sent back and left since."""
    ids: set[int] = set()
    for column in (Member.person, Order.person, PaymentMethod.added_by, MethodSetup.person, Refund.person):
        query = column.model.select(column).where(column.model.workspace == workspace).distinct()
        ids.update(person_id for (person_id,) in query.tuples())
    return sorted(ids)


def _belonging_nowhere_else(people: Sequence[int], workspace: Workspace) -> list[int]:
    """Those of the people whom no other workspace counts as a member, invited ones too; never staff.

    Their rows stay locked: nobody invites them elsewhere meanwhile.
    """
    found: list[int] = []
    for part in in_parts(people):
        if is_postgresql():
            list(Person.select(Person.id).where(Person.id << part).order_by(Person.id).for_update())
        elsewhere = Member.select(Member.person).where(Member.person << part, Member.workspace != workspace)
        nowhere = Person.select(Person.id).where(
            Person.id << part, Person.id.not_in(elsewhere), ~Person.is_operator
        )
        found += [person_id for (person_id,) in nowhere.tuples()]
    return found


# --- what -----------------------------------------------------------------------------------------


def _forget_mail(workspace: Workspace, involved: Sequence[int], forgotten: Sequence[int]) -> None:
    """All letters to those who are forgotten, and what is kept of letters sent to others about the workspace.

    To somebody who stays, a letter on its way still goes out, but for an invitation: it would lead nowhere.
    A copy to an address that was only typed is nobody's who stays.
    """
    payload = OutboxMessage.payload
    reader = payload["to"].as_text()
    is_over = OutboxMessage.done_at.is_null(False) | OutboxMessage.parked_at.is_null(False)
    is_invitation = payload["template"].as_text() == "invitation"
    is_copy = payload["context"]["name"].as_text() == ""
    is_kept = (payload["context"]["slug"].as_text() == workspace.slug) & (is_over | is_copy)
    for addresses in list(in_parts(addresses_of(forgotten), ADDRESSES_AT_ONCE)) or [[]]:
        forget_letters(is_kept | (reader << addresses))
    for addresses in in_parts(addresses_of(set(involved) - set(forgotten)), ADDRESSES_AT_ONCE):
        is_about = payload["context"]["workspace"].as_text() == workspace.name
        forget_letters((reader << addresses) & is_about & (is_over | is_invitation))


def _end_subscriptions(workspace: Workspace) -> None:
    """Nothing is due any more, and nothing was said."""
    mine = Subscription.select(Subscription.id).where(Subscription.workspace == workspace)
    Notice.delete().where(Notice.subscription << mine).execute()
    Licence.delete().where(Licence.subscription << mine).execute()
    LicenceKey.delete().where(LicenceKey.subscription << mine).execute()
    Subscription.update(
        auto_renewal=False,
        payment_method=None,
        renew_on=None,
        announced_minor=None,
        announced_net_minor=None,
        scheduled_plan=None,
        scheduled_interval=None,
        scheduled_quantity=None,
        look_at=None,
        version=Subscription.version + 1,
    ).where(Subscription.workspace == workspace).execute()


def _forget_requests(workspace: Workspace) -> None:
    """What was asked for, and by whom; an order that came of it stays."""
    mine = PurchaseRequest.select(PurchaseRequest.id).where(PurchaseRequest.workspace == workspace)
    PurchaseRequestLine.delete().where(PurchaseRequestLine.request << mine).execute()
    for model in (PurchaseRequest, BoughtAlone):
        model.delete().where(model.workspace == workspace).execute()


def _forget_orders(workspace: Workspace) -> None:
    """Quotes that nobody tried to pay go; the details of who paid stay, as they are on the invoice."""
    unpaid = (Order.workspace == workspace) & (Order.state == OrderState.OPEN)
    tried = Payment.select(Payment.order).where(Payment.workspace == workspace)
    Order.delete().where(unpaid, Order.id.not_in(tried)).execute()
    Order.update(details=None).where(unpaid).execute()
    Payment.update(payer_name="", payer_email="", action_url="", mandate_reference="", mandate_on=None).where(
        Payment.workspace == workspace
    ).execute()


def _forget_methods(workspace: Workspace, *, now: datetime) -> None:
    """A method that a payment points at stays as a row that says nothing; how it was saved goes.

    One whose result is open stays to be declined when its answer comes.
    """
    MethodSetup.delete().where(
        MethodSetup.workspace == workspace, MethodSetup.state.not_in(OPEN_SETUP_STATES)
    ).execute()
    used = Payment.select(Payment.method).where(Payment.workspace == workspace, Payment.method.is_null(False))
    PaymentMethod.delete().where(
        PaymentMethod.workspace == workspace, PaymentMethod.id.not_in(used)
    ).execute()
    for method in PaymentMethod.select(PaymentMethod.id).where(PaymentMethod.workspace == workspace):
        PaymentMethod.update(
            reference=f"{ERASED}-{method.id}",
            brand="",
            last4="",
            exp_month=None,
            exp_year=None,
            holder="",
            is_preferred=False,
            mandate_reference="",
            mandate_on=None,
            expiry_look_at=None,
            removed_at=now,
        ).where(PaymentMethod.id == method.id).execute()


def _forget_traces(workspace: Workspace, people: Sequence[int]) -> None:
    """Who did what, in the workspace's own entries and in all those of the forgotten; staff stays named."""
    entries = AuditEntry.select(AuditEntry.id).where(AuditEntry.workspace == workspace)
    staff = Person.select(Person.id).where(Person.is_operator)
    forget_actors(
        (AuditTrace.entry << entries) & (AuditTrace.person.is_null() | AuditTrace.person.not_in(staff))
    )
    for part in in_parts(people):
        forget_actors(AuditTrace.person << part)
