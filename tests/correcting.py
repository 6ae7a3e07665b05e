"""Correcting whom an invoice names, told as facts: the settings as they are now, and the act."""

from typing import Any

from portal.models import BillingDetails, Invoice, Order
from portal.runtime import current
from portal.services.invoices import corrections
from portal.services.places import Place

RIGHT_NAME = "Acme Europe SARL"


def settings_say(place: Place, **details: Any) -> None:
    BillingDetails.update(**details).where(BillingDetails.workspace == place.workspace).execute()


def read(place: Place, invoice: Invoice) -> Invoice:
    """As a page reads it."""
    found = Invoice.select(Invoice, Order).join(Order).where(Invoice.id == invoice.id).get()
    found.workspace = found.order.workspace = place.workspace
    return found


def looked_at(place: Place, invoice: Invoice) -> corrections.Correction:
    return corrections.preview(place.workspace, read(place, invoice), now=current().clock.now())


def corrected(place: Place, invoice: Invoice, *, shown: str = "", **details: Any) -> Invoice:
    """The new invoice; without other details the company is named right."""
    settings_say(place, **(details or {"company_name": RIGHT_NAME}))
    return corrections.correct(
        place.workspace,
        read(place, invoice),
        shown_hash=shown or looked_at(place, invoice).hash,
        now=current().clock.now(),
    )
