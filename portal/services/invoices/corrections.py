"""Correcting whom an issued invoice names: a credit note over all of it, and a new invoice that replaces it.

Nothing is charged or sent back: what had covered the old invoice covers the new one (docs/adr/0044). The page
and the act reckon with the same function.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from portal.database.connecting import transaction
from portal.domain.billing_details import Details
from portal.domain.corrections import Difference, corrected_details, differences
from portal.domain.errors import MissingVatRate, PortalError
from portal.domain.invoicing import WITH_E_INVOICE, Paid
from portal.domain.lifecycle import OPEN_REFUND_STATES
from portal.domain.money import Money
from portal.domain.pricing import facts_hash
from portal.domain.tax import Buyer, decide_tax, tax_of
from portal.domain.vocabulary import OrderState, PaymentMethodKind, PaymentState
from portal.models import (
    BillingDetails,
    Dispute,
    Invoice,
    Order,
    Payment,
    Refund,
    Workspace,
)
from portal.outbox import JSON
from portal.runtime import current
from portal.services import audit, ledger, letters, open_money

from . import history, issuing, pay_links


class NotCorrectable(StrEnum):
    CORRECTED = "corrected"
    REFUNDED = "refunded"
    CREDITED = "credited"
    MONEY_IS_OPEN = "money_is_open"
    DISPUTED = "disputed"
    ISSUED_BEFORE = "issued_before"
    NO_DETAILS = "no_details"
    TAX_CHANGES = "tax_changes"


class CorrectionRefused(PortalError):
    """The invoice stays as it is. `newer` is the number of the one that replaced it, else ""."""

    reason: NotCorrectable
    newer: str


class CorrectionChanged(PortalError):
    """It would no longer do what was shown: `current` (Correction) is what it would do now."""

    current: "Correction"


@dataclass(frozen=True, slots=True)
class Correction:
    """What a new invoice would say otherwise, with the `details` that the settings have now.

    `paid` is that of corrections.replacing_facts, and `left` what is to be paid of the new one.
    """

    invoice: Invoice
    details: Mapping[str, Any]
    differences: tuple[Difference, ...]
    paid: Paid | None
    left: Money

    @property
    def hash(self) -> str:
        """Of everything that the person is shown."""
        return facts_hash(
            {
                "invoice": self.invoice.number,
                "differences": [[each.name, each.before, each.after] for each in self.differences],
                "left_minor": self.left.minor,
            }
        )


def preview(workspace: Workspace, invoice: Invoice, *, now: datetime) -> Correction:
    """What correcting it would do now, of the workspace's own invoice, with its order. Nine queries at most.

    Raises CorrectionRefused.
    """
    _refuse(invoice)
    known = BillingDetails.get_or_none(BillingDetails.workspace == workspace)
    if known is None:
        raise CorrectionRefused(reason=NotCorrectable.NO_DETAILS, newer="")
    facts = invoice.facts
    details = corrected_details(facts, Details.of(known).as_ordered(facts["locale_default"]))
    if not _is_taxed_alike(invoice, details, on=workspace.day(invoice.order.created_at)):
        raise CorrectionRefused(reason=NotCorrectable.TAX_CHANGES, newer="")
    covered = ledger.covered_of([invoice])[invoice.id]
    paid = _paid(invoice, covered, now=now) if facts["due_minor"] else None
    is_open = invoice.order.state == OrderState.INVOICED
    left = invoice.total - covered if is_open else Money.zero(invoice.currency)
    return Correction(invoice, details, differences(facts, details), paid, left)


def _refuse(invoice: Invoice) -> None:
    order, newer = invoice.order, ""
    reason: NotCorrectable | None = None
    payments = Payment.select(Payment.id).where(Payment.order == order)
    if invoice.replaced_by_id is not None:
        reason, newer = NotCorrectable.CORRECTED, Invoice.of_order(order).number
    elif order.state == OrderState.REFUNDED:
        reason = NotCorrectable.REFUNDED
    elif history.credit_notes_of(invoice):
        reason = NotCorrectable.CREDITED
    elif (
        open_money.open_payment_of(order) is not None
        or Refund.select().where(Refund.payment << payments, Refund.state << OPEN_REFUND_STATES).exists()
    ):
        reason = NotCorrectable.MONEY_IS_OPEN
    elif Dispute.select().where(Dispute.payment << payments).exists():
        reason = NotCorrectable.DISPUTED
    elif invoice.facts.get("version", 1) < WITH_E_INVOICE:
        reason = NotCorrectable.ISSUED_BEFORE
    if reason is not None:
        raise CorrectionRefused(reason=reason, newer=newer)


def _is_taxed_alike(invoice: Invoice, details: Mapping[str, object], *, on: date) -> bool:
    """As the quote decided it, on the day of the order."""
    try:
        decided = decide_tax(
            seller_country=invoice.facts["seller"]["country"],
            buyer=Buyer.of(details),
            on=on,
            unchecked_counts_as_valid=current().settings.unchecked_vat_counts,
        )
    except MissingVatRate:
        return False
    return decided == tax_of(invoice.facts["tax"])


def _paid(invoice: Invoice, covered: Money, *, now: datetime) -> Paid | None:
    """With what an invoice that was issued open is paid by now, in part or in full; None for nothing of it.

    A part is told as paid from the balance, whichever way it had come there.
    """
    if invoice.order.state == OrderState.INVOICED or covered < invoice.total:
        return (
            issuing.paid_from_balance(covered.minor, on=issuing.sellers_day(now)) if covered.minor else None
        )
    payment = Payment.get_or_none(Payment.order == invoice.order, Payment.state == PaymentState.SUCCEEDED)
    came = ledger.entries_covering(invoice)
    on = issuing.sellers_day(max([invoice.issued_at, *(entry.made_at for entry in came)]))
    if payment is not None:
        by_it = min(payment.amount, invoice.total)
        return issuing.paid_by(payment, on=on, from_balance_minor=(invoice.total - by_it).minor)
    if any(entry.transfer_id is not None for entry in came):
        return Paid(PaymentMethodKind.BANK_TRANSFER, brand="", last4="", on=on, processor="")
    return issuing.paid_from_balance(invoice.total_minor, on=on)


def correct(workspace: Workspace, invoice: Invoice, *, shown_hash: str, now: datetime) -> Invoice:
    """Replace the invoice, and return the new one. Locks the workspace.

    Both documents are mailed to those who pay for it. Raises CorrectionRefused; CorrectionChanged where it
    would do something else than was shown, or nothing. Nothing is written then.
    """
    with transaction(lock=workspace):
        invoice = Invoice.select(Invoice, Order).join(Order).where(Invoice.id == invoice.id).get()
        invoice.workspace = invoice.order.workspace = workspace
        planned = preview(workspace, invoice, now=now)
        if planned.hash != shown_hash or not planned.differences:
            raise CorrectionChanged(current=planned)
        credit_note, newer = issuing.issue_replacing(
            invoice, details=planned.details, paid=planned.paid, now=now
        )
        ledger.hand_over(invoice, to=newer, credit_note=credit_note)
        pay_links.lead_on(invoice, to=newer)
        audit.record(
            "invoice.corrected",
            workspace=workspace,
            subject=invoice.number,
            changes={
                "replaced_by": newer.number,
                "credit_note": credit_note.number,
                # Which ones alone: the log outlives the people whose they are.
                **{f"{each.name}.changed": True for each in planned.differences},
            },
            now=now,
        )
        _tell(planned, newer, credit_note)
    return newer


def _tell(planned: Correction, newer: Invoice, credit_note: Invoice) -> None:
    is_open = bool(planned.left.minor)
    to_pay: dict[str, JSON] = {
        "open_minor": planned.left.minor,
        "currency": planned.left.currency,
        "due_on": newer.due_on.isoformat() if newer.due_on and is_open else None,
        "reference": newer.reference if is_open else None,
    }
    letters.send(
        "invoice_corrected",
        to=letters.billing_people(newer.workspace),
        workspace=newer.workspace,
        key=f"invoice-corrected-{planned.invoice.number}",
        context={
            "number": newer.number,
            "replaced": planned.invoice.number,
            "credit_note": credit_note.number,
            **to_pay,
        },
        attachments=[newer, credit_note],
    )
