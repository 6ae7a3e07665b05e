"""The rows of the history, ready to print."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flask import url_for

from portal.domain.vocabulary import BalanceEntryKind, Right
from portal.services.invoices.movements import EventRow, MoneyRow, is_of_members
from portal.services.payments.refund_quotes import LastPayment
from portal.services.places import Place
from portal.words import formatting
from portal.words.history import ENTRY_WORDS, event_words
from portal.words.i18n import gettext as _
from portal.words.i18n import locale_code

from .rows import method_shown

TRANSFERS = (BalanceEntryKind.TRANSFER, BalanceEntryKind.TRANSFER_RETURN)
DOCUMENTS = (BalanceEntryKind.INVOICE, BalanceEntryKind.CREDIT_NOTE)


class Row(NamedTuple):
    """A row of the history: what templates call is what takes the time, so everything is text here.

    `is_event`: without amounts, and then `what` says it all. `url` is that of the statement page, empty where
    there is no document; `document` what its PDF is called. `note` says more of what it is about. `badges`
    are words about a charge, each with its state. `refund` is the label of a link to `refund_url`.
    """

    date: str
    what: str
    is_event: bool = False
    number: str = ""
    url: str = ""
    document: str = ""
    note: str = ""
    badges: tuple[tuple[str, str], ...] = ()
    method: str = ""
    payer: str = ""
    amount: str = ""
    balance: str = ""
    refund: str = ""
    refund_url: str = ""


def history_rows(place: Place, found: Sequence[MoneyRow | EventRow], last: LastPayment | None) -> list[Row]:
    """`last`: the payment whose row leads to its refund, where the reader may ask for one."""
    invoices = url_for("public.enter", slug=place.workspace.slug) + "invoices"
    words = {kind: str(text) for kind, text in ENTRY_WORDS.items()}
    return [
        _event(place, row) if isinstance(row, EventRow) else _money(place, row, words, last, invoices)
        for row in found
    ]


def _event(place: Place, row: EventRow) -> Row:
    who = _who(place, row) if is_of_members(row.event) else ""
    return Row(
        date=formatting.instant(row.made_at, place.workspace.time_zone),
        what=event_words(row.event, row.changes, plan_names=row.plan, names_before=row.before, who=who),
        is_event=True,
    )


def _who(place: Place, row: EventRow) -> str:
    """A name, for those who see the list of members or the billing details; it is told once they joined."""
    if not {Right.MANAGE_MEMBERS, Right.SEE_BILLING_DETAILS} & place.may:
        return _("A member")
    return (row.name if row.has_joined else row.email) or _("A former member")


def _money(
    place: Place,
    row: MoneyRow,
    words: Mapping[BalanceEntryKind, str],
    last: LastPayment | None,
    invoices: str,
) -> Row:
    is_invoice, is_document = row.kind == BalanceEntryKind.INVOICE, row.kind in DOCUMENTS
    is_current = is_invoice and not row.is_replaced
    is_last = last is not None and is_current and last.payment.key == row.payment_key
    return Row(
        date=formatting.instant(row.made_at, place.workspace.time_zone),
        what=words[row.kind],
        number=row.number,
        url=f"{invoices}/{row.number}" if is_document else "",
        document=words[row.kind] if is_document else "",
        note=row.reason or _lines(row),
        badges=_badges(row),
        method=_method(place, row),
        payer=row.payer_name or row.payer_email,
        amount=formatting.money(row.amount),
        balance=formatting.money(row.after),
        refund=(_("Refund being confirmed") if last and last.refund else _("Refund")) if is_last else "",
        refund_url=url_for("refunds.show", slug=place.workspace.slug, key=row.payment_key) if is_last else "",
    )


def _lines(row: MoneyRow) -> str:
    if not row.lines:
        return ""
    locale = locale_code()
    first = row.lines[0].get(locale) or row.lines[0]["en"]
    return _("%(line)s and more", line=first) if len(row.lines) > 1 else first


def _badges(row: MoneyRow) -> tuple[tuple[str, str], ...]:
    found = []
    if row.is_replaced:
        found.append((_("Corrected"), ""))
    if row.is_refunded or row.is_partly_refunded:
        found.append((_("Refunded") if row.is_refunded else _("Partly refunded"), ""))
    if row.is_open:
        found.append((_("To be paid"), "waiting"))
    if row.is_disputed:
        found.append((_("Disputed"), "failed"))
    return tuple(found)


def _method(place: Place, row: MoneyRow) -> str:
    """What it was paid with, or sent back to; nothing of a credit, which only the balance keeps.

    Nor of an invoice that no payment has paid: what covers it later has a row of its own.
    """
    if row.is_kept:
        return _("Balance")
    if row.kind in TRANSFERS:
        return _("Bank transfer")
    if row.method_kind is None:
        return ""
    method = method_shown(place, row.method_kind, row.brand, row.last4)
    return _("%(method)s and balance", method=method) if row.is_shared else method
