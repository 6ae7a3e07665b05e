"""The history, ready to print: formatted once, here, for the plans page and its own."""

from dataclasses import dataclass
from typing import NamedTuple

from flask import url_for

from portal.domain.vocabulary import DocumentKind, Right
from portal.services.invoices import history
from portal.services.invoices.history import HistoryRow
from portal.services.payments.refund_quotes import LastPayment
from portal.services.places import Place
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.methods import method_words


class PaymentRow(NamedTuple):
    """A row of the history, ready to print: in a long list, what templates call is what takes the time.

    `document` says what kind of document it is, `undone` how much of an invoice was refunded, or that it was
    corrected, empty for neither. `refund` is the label of a link to `refund_url`, both empty on rows that
    have nothing to do with a refund to come. `url` is that of the statement page.
    """

    number: str
    url: str
    document: str
    is_credit_note: bool
    undone: str
    is_disputed: bool
    is_open: bool
    method: str
    payer_name: str
    payer_email: str
    date: str
    amount: str
    refund: str = ""
    refund_url: str = ""


@dataclass(frozen=True, slots=True)
class ColumnLabels:
    """Plain texts: on a narrow window they stand in every cell, and what is markup takes longer to write."""

    number: str
    method: str
    payer: str
    date: str
    amount: str
    document: str


@dataclass(frozen=True, slots=True)
class PaymentRows:
    """`older` is the cursor of the next page, None on the last one. `labels` head the columns."""

    labels: ColumnLabels
    rows: tuple[PaymentRow, ...]
    older: int | None


def payment_rows(
    place: Place, *, size: int, before: int | None = None, last: LastPayment | None = None
) -> PaymentRows:
    """`last`: the payment whose row leads to its refund, where the reader may ask for one."""
    found = history.page_of(place.workspace, size=size, before=before)
    invoices = url_for("public.enter", slug=place.workspace.slug) + "invoices"
    words = {DocumentKind.INVOICE: _("Invoice"), DocumentKind.CREDIT_NOTE: _("Credit note")}
    return PaymentRows(
        labels=ColumnLabels(
            number=_("Number"),
            method=_("Method"),
            payer=_("Paid by"),
            date=_("Date"),
            amount=_("Amount"),
            document=_("Document"),
        ),
        rows=tuple(_row(place, row, words, last, invoices) for row in found.rows),
        older=found.older,
    )


def method_shown(place: Place, kind: str, brand: str, last4: str) -> str:
    """What a document was paid with; its last digits are a billing detail."""
    return method_words(kind, brand, last4 if Right.SEE_BILLING_DETAILS in place.may else "")


def _how_far_undone(row: HistoryRow) -> str:
    if row.is_replaced:
        return _("Corrected")
    if row.is_refunded:
        return _("Refunded")
    return _("Partly refunded") if row.is_partly_refunded else ""


def _method(place: Place, row: HistoryRow) -> str:
    if row.is_kept:
        return _("Balance")
    if row.method_kind is None:
        return _("Bank transfer")
    method = method_shown(place, row.method_kind, row.brand or "", row.last4 or "")
    return _("%(method)s and balance", method=method) if row.is_shared else method


def _row(
    place: Place, row: HistoryRow, words: dict[DocumentKind, str], last: LastPayment | None, invoices: str
) -> PaymentRow:
    is_credit_note = row.kind == DocumentKind.CREDIT_NOTE
    is_current = not is_credit_note and not row.is_replaced
    is_last = last is not None and last.payment.key == row.payment_key and is_current
    return PaymentRow(
        number=row.number,
        url=f"{invoices}/{row.number}",
        document=words[row.kind],
        is_credit_note=is_credit_note,
        undone="" if is_credit_note else _how_far_undone(row),
        is_disputed=row.is_disputed and not is_credit_note,
        method=_method(place, row),
        payer_name=row.payer_name or "",
        payer_email=row.payer_email or "",
        is_open=row.is_open,
        date=formatting.instant(row.issued_at, place.workspace.time_zone),
        amount=formatting.money(row.total),
        refund=(_("Refund being confirmed") if last and last.refund else _("Refund")) if is_last else "",
        refund_url=url_for("refunds.show", slug=place.workspace.slug, key=row.payment_key) if is_last else "",
    )
