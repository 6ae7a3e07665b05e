"""The history, ready to print: formatted once, here, for the plans page and its own."""

from dataclasses import dataclass

from .. import formatting
from ..money_words import method_words
from ..services import history
from ..services.workspaces import Place


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A row of the history, ready to print: in a long list, what templates call is what takes the time."""

    number: str
    method: str
    payer_name: str
    payer_email: str
    date: str
    amount: str


@dataclass(frozen=True, slots=True)
class PaymentRows:
    """`older` is the cursor of the next page, None on the last one."""

    rows: tuple[PaymentRow, ...]
    older: int | None


def payment_rows(place: Place, *, size: int, before: int | None = None) -> PaymentRows:
    found = history.page_of(place.workspace, size=size, before=before)
    zone = place.workspace.time_zone
    rows = tuple(
        PaymentRow(
            number=row.number,
            method=method_words(row.method_kind, row.brand, row.last4),
            payer_name=row.payer_name,
            payer_email=row.payer_email,
            date=formatting.instant(row.issued_at, zone),
            amount=formatting.money(row.total),
        )
        for row in found.rows
    )
    return PaymentRows(rows, found.older)
