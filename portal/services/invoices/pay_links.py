"""Pay links: whoever has one reads and pays a single open invoice, without signing in (docs/adr/0042).

256 random bits, kept as a hash only. Each letter has its own, made when it is sent. They live side by side
until somebody withdraws them all, or for a while after the invoice was settled: an end that follows from the
business, so that it is reckoned by the business clock and not by the machine's.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from peewee import Expression

from portal.database.connecting import require_transaction, transaction
from portal.domain.errors import LinkUnusable
from portal.domain.vocabulary import DocumentKind, LinkPurpose, OrderState
from portal.models import Invoice, Link, Order, Workspace
from portal.runtime import current
from portal.services import audit
from portal.services.tokens import hash_of, new_token

PATH = "/pay/"
LIVES_ON = timedelta(days=60)
"""After the invoice was paid, or credited whole (trust.md §5.3)."""
WAY_BACK_LIVES = timedelta(days=1)
"""As long as a payment waits for its payer (payments/waiting.py)."""


@dataclass(frozen=True, slots=True)
class PayLink:
    """What a link leads to. `is_way_back`: a gateway sent the payer back with it; no letter has it."""

    invoice: Invoice
    is_way_back: bool


def find(token: str, *, now: datetime) -> PayLink:
    """With the order and the workspace of the invoice. One query.

    Raises LinkUnusable: withdrawn, over, unknown and of a deleted workspace alike.
    """
    link = (
        Link.select(Link, Invoice, Order, Workspace)
        .join_from(Link, Invoice)
        .join_from(Invoice, Order)
        .join_from(Invoice, Workspace)
        .where(
            Link.token_hash == hash_of(token),
            Link.purpose == LinkPurpose.PAY,
            Workspace.deleted_at.is_null(),
            _lives(now),
        )
        .first()
    )
    if link is None:
        raise LinkUnusable()
    link.invoice.order.workspace = link.invoice.workspace
    is_open = link.invoice.order.state == OrderState.INVOICED
    return PayLink(link.invoice, is_way_back=is_open and link.expires_at is not None)


def have_living(invoice: Invoice, *, now: datetime) -> bool:
    """Whether some link to it works. One query."""
    return bool(Link.select().where(Link.invoice == invoice, _lives(now)).exists())


def invoices_with_living(workspace: Workspace, *, now: datetime) -> list[Invoice]:
    """Those of the workspace that some link leads to, the newest first. One query."""
    linked = Link.select(Link.invoice).where(Link.purpose == LinkPurpose.PAY, _lives(now))
    return list(
        Invoice.select()
        .where(Invoice.workspace == workspace, Invoice.id << linked)
        .order_by(Invoice.id.desc())
    )


def _lives(now: datetime) -> Expression:
    return Link.expires_at.is_null() | (Link.expires_at > now)


# --- making ---------------------------------------------------------------------------------------


def make_for_letter(invoice: Invoice) -> str | None:
    """A new path to pay it, or what replaced it since; None where nothing is to be paid of it by now, as the
    letter comes late.

    Committed before the letter leaves. One whose letter cannot be sent is known to nobody.
    """
    with transaction():
        order = Order.get_by_id(invoice.order_id)
        if order.state != OrderState.INVOICED or invoice.kind != DocumentKind.INVOICE:
            return None
        return PATH + _make(Invoice.of_order(order))


def make_way_back(invoice: Invoice, *, now: datetime) -> str:
    """The token that a gateway sends the payer back with: the link of the letter stays with its reader."""
    require_transaction()
    return _make(invoice, until=now + WAY_BACK_LIVES)


def replace(workspace: Workspace, invoice: Invoice, *, now: datetime) -> str:
    """The path of a new link, which nobody can read again. Every older one is worth nothing from now on."""
    with transaction(lock=workspace):
        replaced = _delete(invoice)
        path = PATH + _make(invoice)
        audit.record(
            "pay_link.made",
            workspace=workspace,
            subject=invoice.number,
            changes={"replaced": bool(replaced)},
            now=now,
        )
    return path


def _make(invoice: Invoice, *, until: datetime | None = None) -> str:
    token = new_token()
    Link.create(
        token_hash=hash_of(token),
        purpose=LinkPurpose.PAY,
        invoice=invoice,
        created_at=current().clock.wall(),
        expires_at=until,
    )
    return token


def lead_on(invoice: Invoice, *, to: Invoice) -> None:
    """Its links lead to the one that replaces it. In the correction's transaction."""
    require_transaction()
    Link.update(invoice=to).where(Link.invoice == invoice).execute()


# --- ending ---------------------------------------------------------------------------------------


def withdraw(workspace: Workspace, invoice: Invoice, *, now: datetime) -> bool:
    """No link to it works any more, whoever has one. False where there was none."""
    with transaction(lock=workspace):
        gone = _delete(invoice)
        if gone:
            audit.record("pay_link.withdrawn", workspace=workspace, subject=invoice.number, now=now)
    return bool(gone)


def _delete(invoice: Invoice) -> int:
    return int(Link.delete().where(Link.invoice == invoice).execute())


def end_after_settling(invoice: Invoice, *, now: datetime) -> None:
    """It is paid or cancelled: for a while its links still say so. In that transaction."""
    require_transaction()
    Link.update(expires_at=now + LIVES_ON).where(Link.invoice == invoice, Link.expires_at.is_null()).execute()


def forget(workspace: Workspace) -> None:
    """Those of all its invoices. In the transaction that deletes the workspace."""
    require_transaction()
    Link.delete().where(
        Link.invoice << Invoice.select(Invoice.id).where(Invoice.workspace == workspace)
    ).execute()
