"""Whether a document that somebody holds is ours, and what it says: against forged account numbers."""

import hmac
from dataclasses import dataclass
from datetime import date

from portal.domain.check_codes import read_code
from portal.domain.creditor_reference import compact
from portal.domain.money import Money
from portal.domain.vocabulary import DocumentKind, OrderState
from portal.models import Invoice, Order
from portal.runtime import current
from portal.services import ledger


@dataclass(frozen=True, slots=True)
class CheckedDocument:
    """What is true of a document today. `left` is to be paid of it until `due_on`, 0 of most.

    `iban` is the account that it asks to be paid to, empty for none; `iban_changed` where the vendor has
    another one by now. `replaced_by` is the number of the invoice that corrects it, empty for none.
    """

    kind: DocumentKind
    number: str
    issued_on: date
    total: Money
    left: Money
    due_on: date | None
    iban: str
    iban_changed: bool
    replaced_by: str


def check(number: str, code: str) -> CheckedDocument | None:
    """The document of that number whose code it is; None for any other. Three queries at most.

    The number is read as `compact` does, so that dashes and small letters do not matter.
    """
    plain = compact(number)
    found = Invoice.select(Invoice, Order).join(Order).where(Invoice.number == _as_issued(plain)).first()
    kept = (found.facts.get("check") or {}).get("code", "") if found is not None else ""
    if not hmac.compare_digest(read_code(code).encode(), kept.encode()) or not kept:
        return None
    facts, nothing = found.facts, Money.zero(found.currency)
    is_replaced = found.replaced_by_id is not None
    is_invoice = found.kind == DocumentKind.INVOICE
    is_open = is_invoice and not is_replaced and found.order.state == OrderState.INVOICED
    iban = facts["seller"].get("iban") or "" if is_invoice else ""
    return CheckedDocument(
        kind=DocumentKind(found.kind),
        number=found.number,
        issued_on=found.issued_on,
        total=found.total,
        left=found.total - ledger.covered_of([found])[found.id] if is_open else nothing,
        due_on=found.due_on if is_open else None,
        iban=iban,
        iban_changed=bool(iban) and compact(iban) != compact(current().settings.seller.iban),
        replaced_by=Invoice.of_order(found.order_id).number if is_replaced else "",
    )


def _as_issued(plain: str) -> str:
    """`INV2026000001` as it was issued: letters, year, sequence. Any other text is no number of ours."""
    letters = plain.rstrip("0123456789")
    digits = plain[len(letters) :]
    return f"{letters}-{digits[:4]}-{digits[4:]}"
