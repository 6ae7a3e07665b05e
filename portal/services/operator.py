"""What the vendor's staff look up and set right."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from email_validator import validate_email
from peewee import JOIN, fn

from portal import outbox
from portal.database.connecting import transaction
from portal.domain.folding import fold
from portal.domain.vocabulary import ProductKind
from portal.models import (
    AuditEntry,
    BillingDetails,
    Dispute,
    Order,
    Payment,
    Person,
    Plan,
    Product,
    Subscription,
    VatCheck,
    Workspace,
)
from portal.outbox import FailingMessages
from portal.services.subscriptions.agreement import SubscriptionStatus, status_of

from . import audit

MEGABYTE = 1024**2
UNITS = {"MB": MEGABYTE, "GB": 1024 * MEGABYTE, "TB": 1024 * 1024 * MEGABYTE}
LARGEST_STORAGE_BYTES = 1_000_000 * UNITS["GB"]
SIZE = re.compile(r"(0|[1-9][0-9]{0,11})(MB|GB|TB)", re.ASCII)


class StorageUnreadable(ValueError):
    """The text is no size such as 3GB, or it is more than anybody has."""


@dataclass(frozen=True, slots=True)
class WorkspaceRow:
    """A workspace with its plan today."""

    workspace: Workspace
    status: SubscriptionStatus


@dataclass(frozen=True, slots=True)
class WorkspaceList:
    """`older` is the cursor of the next page, None on the last one."""

    rows: Sequence[WorkspaceRow]
    older: int | None


def workspaces(*, search: str, before: int | None, size: int, now: datetime) -> WorkspaceList:
    """The newest workspaces first, or those older than the one whose id is `before`. One query.

    `search` is part of a name, or how a slug or a customer number begins; capitals and accents do not matter.
    """
    live = Workspace.alias()
    # The page's workspaces are chosen first: no other one is joined with anything.
    chosen = live.select(live.id).where(live.deleted_at.is_null()).order_by(live.id.desc()).limit(size + 1)
    if folded := fold(search):
        chosen = chosen.where(
            live.folded_name.contains(folded)
            | live.slug.startswith(folded)
            | live.customer_number.startswith(folded.upper())
        )
    if before is not None:
        chosen = chosen.where(live.id < before)
    query = (
        Subscription.select(Subscription, Workspace, Plan, Product)
        .join_from(Subscription, Workspace)
        .join_from(Subscription, Plan, on=Subscription.plan)
        .join_from(Subscription, Product)
        .where(Product.kind == ProductKind.WORKSPACE_PLAN, Subscription.workspace << chosen)
        .order_by(Workspace.id.desc())
    )
    rows = [WorkspaceRow(each.workspace, status_of(each, today=each.workspace.day(now))) for each in query]
    return WorkspaceList(rows=rows[:size], older=rows[size - 1].workspace.id if len(rows) > size else None)


@dataclass(frozen=True, slots=True)
class Deletion:
    """A workspace that is gone. `why` is a word of deletion.Why."""

    entry_id: int
    slug: str
    customer_number: str
    at: datetime
    why: str


def deletions(*, before: int | None, size: int) -> list[Deletion]:
    """The newest first, or those older than the audit entry whose id is `before`. One query."""
    query = (
        AuditEntry.select(AuditEntry, Workspace)
        .join(Workspace)
        .where(AuditEntry.is_deletion(), Workspace.deleted_at.is_null(False))
        .order_by(AuditEntry.id.desc())
        .limit(size)
    )
    if before is not None:
        query = query.where(AuditEntry.id < before)
    return [
        Deletion(
            entry_id=entry.id,
            slug=workspace.slug,
            customer_number=workspace.customer_number,
            at=entry.at,
            why=str(entry.changes["why"]),
        )
        for entry in query
        if (workspace := entry.workspace) is not None
    ]


def find_workspace(slug: str) -> Workspace | None:
    """One query, which also loads what `vat_number_of` tells."""
    newest = VatCheck.alias()
    said_last = newest.select(fn.MAX(newest.id)).where(
        newest.workspace == Workspace.id, newest.vat_number == BillingDetails.vat_number
    )
    return (
        Workspace.select(Workspace, BillingDetails, VatCheck)
        .join_from(Workspace, BillingDetails, JOIN.LEFT_OUTER, attr="invoiced_as")
        .join_from(BillingDetails, VatCheck, JOIN.LEFT_OUTER, on=VatCheck.id == said_last, attr="said_last")
        .where(Workspace.slug == slug, Workspace.deleted_at.is_null())
        .get_or_none()
    )


def vat_number_of(workspace: Workspace) -> tuple[str, VatCheck | None]:
    """The VAT number that a workspace found here is invoiced with, "" for none, and what VIES last said."""
    details = getattr(workspace, "invoiced_as", None)
    answer = getattr(details, "said_last", None)
    if details is None or details.id is None:
        return "", None
    return details.vat_number, answer if answer is not None and answer.id else None


@dataclass(frozen=True, slots=True)
class PaymentAttempt:
    """An order with one attempt to pay it; `payment` is None while nobody has tried."""

    order: Order
    payment: Payment | None
    is_disputed: bool


def attempts(workspace: Workspace, *, limit: int) -> list[PaymentAttempt]:
    """The newest orders first, one row for each attempt to pay; the buyer is loaded. One query.

    The orders are chosen first: each gives a row, and whatever the database knows of its tables, no other
    order is joined with its payments.
    """
    newest = Order.alias()
    chosen = (
        newest.select(newest.id).where(newest.workspace == workspace).order_by(newest.id.desc()).limit(limit)
    )
    orders = (
        Order.select(Order, Person, Payment, Dispute)
        .join_from(Order, Person)
        .join_from(Order, Payment, JOIN.LEFT_OUTER, attr="attempt")
        .join_from(Payment, Dispute, JOIN.LEFT_OUTER, attr="dispute")
        .where(Order.id << chosen)
        .order_by(Order.id.desc(), Payment.id.desc())
        .limit(limit)
    )
    found = []
    for order in orders:
        payment = getattr(order, "attempt", None)
        dispute = getattr(payment, "dispute", None)
        found.append(
            PaymentAttempt(
                order=order,
                payment=payment if payment is not None and payment.id else None,
                is_disputed=dispute is not None and bool(dispute.id),
            )
        )
    return found


def find_payment(workspace: Workspace, key: str) -> Payment | None:
    """The workspace's payment; another workspace's is None."""
    payment = Payment.get_or_none(Payment.workspace == workspace, Payment.key == key)
    if payment is not None:
        payment.workspace = workspace
    return payment


def set_used_storage(workspace: Workspace, *, used_bytes: int, now: datetime) -> int:
    """Write down how much storage the workspace uses, until its host product tells. Returns what it was.

    Locks the workspace. The plans page and every refusal read this figure.
    """
    with transaction(lock=workspace):
        before = Workspace.get_by_id(workspace.id).used_storage_bytes
        Workspace.update(used_storage_bytes=used_bytes).where(Workspace.id == workspace.id).execute()
        audit.record(
            "workspace.storage_set",
            workspace=workspace,
            subject=workspace.slug,
            changes={"before_bytes": before, "after_bytes": used_bytes},
            now=now,
        )
    workspace.used_storage_bytes = used_bytes
    return int(before)


@dataclass(frozen=True, slots=True)
class Corporate:
    """Who sells to a corporate workspace; all empty, the workspace buys on its own pages."""

    adviser_name: str
    adviser_email: str
    corporate_portal_url: str
    account_service_email: str
    account_service_phone: str


def set_corporate(workspace: Workspace, wanted: Corporate, *, now: datetime) -> bool:
    """Say who sells to the workspace instead of its own pages; True when anything changed. Locks it.

    The audit log says which entries changed and not what they say: they name people.
    """
    values = {name: value or None for name, value in asdict(wanted).items()}
    with transaction(lock=workspace):
        stored = Workspace.get_by_id(workspace.id)
        changed = [name for name, value in values.items() if getattr(stored, name) != value]
        if changed:
            Workspace.update(**values).where(Workspace.id == workspace.id).execute()
            audit.record(
                "workspace.corporate_set",
                workspace=workspace,
                subject=workspace.slug,
                changes={f"{name}.is_set": values[name] is not None for name in changed},
                now=now,
            )
    for name, value in values.items():
        setattr(workspace, name, value)
    return bool(changed)


def withhold_transfers(workspace: Workspace, *, withheld: bool, now: datetime) -> bool:
    """Whether the workspace may pay by bank transfer; True when that changed. Locks it.

    What is invoiced already stays to be paid that way.
    """
    with transaction(lock=workspace):
        changed = (
            Workspace.update(transfers_withheld=withheld)
            .where(Workspace.id == workspace.id, Workspace.transfers_withheld != withheld)
            .execute()
        )
        if changed:
            audit.record(
                "workspace.transfers_set",
                workspace=workspace,
                subject=workspace.slug,
                changes={"withheld": withheld},
                now=now,
            )
    workspace.transfers_withheld = withheld
    return bool(changed)


def read_size(text: str) -> int:
    """Bytes of `500MB`, `3GB` or `1TB`: whole numbers, 1 GB is 1024 MB. Raises StorageUnreadable."""
    found = SIZE.fullmatch(text.strip().upper().replace(" ", ""))
    size_bytes = int(found[1]) * UNITS[found[2]] if found else LARGEST_STORAGE_BYTES + 1
    if size_bytes > LARGEST_STORAGE_BYTES:
        raise StorageUnreadable(f"{text!r} is not a size like 500MB, 3GB or 1TB.")
    return size_bytes


def try_again(messages: FailingMessages, *, now: datetime, wall: datetime) -> tuple[int, int]:
    """Make promises that keep failing due at once. Returns how many are tried again, and how many given up.

    Given up is what held a single-use link, which is gone. Locks nothing; each is written once.
    """
    with transaction():
        again, given_up = outbox.try_again(messages.ids, wall=wall)
        audit.record(
            "outbox.tried_again",
            workspace=None,
            subject=messages.topic,
            changes={"again": again, "given_up": given_up},
            now=now,
        )
    return again, given_up


def add(email: str, *, now: datetime) -> Person:
    """Make the person with this address an operator, known or new. Safe to repeat.

    A new one has no password: they choose it by the link of the sign-in page. Raises
    email_validator.EmailNotValidError.
    """
    address = validate_email(email, check_deliverability=False, allow_display_name=False).normalized.lower()
    with transaction():
        person = Person.get_or_none(Person.email == address)
        if person is None:
            person = Person.create(email=address, name=address.partition("@")[0], created_at=now)
        if not person.is_operator:
            person.is_operator = True
            person.save(only=[Person.is_operator])
            audit.record("operator.added", workspace=None, subject=str(person.id), now=now)
    return person


def exists() -> bool:
    return bool(Person.select().where(Person.is_operator).exists())
