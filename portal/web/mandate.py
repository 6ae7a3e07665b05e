"""The mandate of a SEPA direct debit, as it stands beside the box that gives it."""

from dataclasses import dataclass

from portal.runtime import current
from portal.services.places import Place
from portal.web.place import today_here
from portal.words import formatting
from portal.words.i18n import gettext as _


@dataclass(frozen=True, slots=True)
class Mandate:
    """Its sentences, and its facts: label and text of each."""

    text: tuple[str, ...]
    facts: list[tuple[str, str]]


def mandate_of(reference: str, place: Place, *, processor: str) -> Mandate:
    """The text of a SEPA Core mandate (EPC016-06), with its reference."""
    seller = current().settings.seller.name
    return Mandate(
        text=(
            _(
                "By giving this mandate, you authorise (A) %(seller)s to send instructions to your bank, "
                "through %(processor)s, to debit your account, and (B) your bank to debit your account in "
                "accordance with these instructions.",
                seller=seller,
                processor=processor,
            ),
            _(
                "You are entitled to a refund from your bank under the terms of your agreement with it. A "
                "refund must be claimed within 8 weeks of the day on which your account was debited."
            ),
        ),
        facts=[
            (_("Mandate reference"), reference),
            (_("Date"), formatting.day(today_here(place))),
            (_("Creditor"), seller),
        ],
    )
