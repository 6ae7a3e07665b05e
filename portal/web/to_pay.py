"""What is open of an invoice and how to transfer it, ready to print."""

from dataclasses import dataclass

from flask import url_for
from markupsafe import Markup

from portal.documents.transfer_code import has_transfer_code, transfer_code
from portal.domain.money import Money
from portal.domain.vocabulary import Right
from portal.models import Invoice
from portal.runtime import current
from portal.services.checkout import open_invoices
from portal.services.places import Place
from portal.words import formatting
from portal.words.i18n import gettext as _


@dataclass(frozen=True, slots=True)
class ToPay:
    """`lead` says how much is to be paid and until when. `rows` of the transfer; `code` its QR code, empty
    for none. `pay_at`: the address of where it is paid by card instead, empty where none may.
    """

    lead: str
    is_late: bool
    rows: list[tuple[str, str]]
    code: Markup
    pay_at: str


def to_pay_of(invoice: Invoice, left: Money, *, place: Place | None) -> ToPay:
    """`place`: the reader's, in whose day it is late; None where nobody is signed in."""
    assert invoice.due_on is not None, "an open invoice has its day"
    seller = current().settings.seller
    workspace = invoice.workspace
    is_late = invoice.due_on < workspace.day(current().clock.now())
    amount = formatting.money(left)
    code = ""
    if has_transfer_code(left):
        code = transfer_code(
            name=seller.name, iban=seller.iban, bic=seller.bic, amount=left, reference=invoice.reference
        )
    may_pay = (
        place is not None
        and {Right.BUY, Right.SEE_BILLING_DETAILS} <= place.may
        and open_invoices.takes_card(invoice)
    )
    day = formatting.day(invoice.due_on)
    return ToPay(
        lead=_("%(amount)s was to be paid by %(date)s.", amount=amount, date=day)
        if is_late
        else _("%(amount)s is to be paid by %(date)s.", amount=amount, date=day),
        is_late=is_late,
        rows=[
            (_("Account holder"), seller.name),
            ("IBAN", formatting.in_fours(seller.iban)),
            ("BIC", seller.bic),
            (_("Reference"), formatting.in_fours(invoice.reference)),
            (_("Amount"), amount),
        ],
        # Made of nothing that somebody typed but the vendor's own name, which is in the pattern alone.
        code=Markup(code),  # noqa: S704
        pay_at=url_for("open_invoices.pay", slug=workspace.slug, number=invoice.number) if may_pay else "",
    )
