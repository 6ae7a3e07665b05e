"""The button that pays what is due: in the banner for the workspace plan, on its card for licences."""

from dataclasses import dataclass

from flask import url_for

from portal.domain.pricing import QuotedLine
from portal.domain.vocabulary import PaidWith
from portal.services.checkout.amount_due import AmountDue
from portal.services.places import Place
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.methods import method_words
from portal.words.plans import priced_name


@dataclass(frozen=True, slots=True)
class PaymentDue:
    """The button that pays what is due. `quote` is the hash of what it shows.

    `method` is the id of the saved one that is charged at once, or stands for the balance, and `how` says
    what pays. Both are empty where none could: then the one button leads to the fields of a card.
    `takes_card`: another card has a button below.
    `what` says of licences which period of what is paid. `mark` ends the test ids of the buttons.
    """

    label: str
    quote: str
    method: str
    how: str
    takes_card: bool
    pay_address: str
    card_address: str
    what: str = ""
    mark: str = ""


def payment_due(place: Place, due: AmountDue, *, product: str = "") -> PaymentDue:
    """`product`: the code of the licensed product, empty for the workspace plan."""
    method = str(due.method.id) if due.method else ""
    is_charged = due.quote.due.minor > 0
    charged = due.quote.due if is_charged else due.quote.total
    routes, slug = "licences_due" if product else "amount_due", place.workspace.slug
    return PaymentDue(
        label=_("Pay %(total)s", total=formatting.money(charged)),
        quote=due.quote.hash,
        method=method if is_charged else PaidWith.BALANCE.value,
        how=_how(due),
        takes_card=is_charged,
        pay_address=url_for(f"{routes}.pay", slug=slug, product=product or None),
        card_address=url_for(f"{routes}.with_another_card", slug=slug, product=product or None),
        what=_what(due.quote.only_line) if product else "",
        mark=f"-{product}" if product else "",
    )


def _how(due: AmountDue) -> str:
    kept = due.quote.from_balance
    if not due.quote.due.minor:
        return _("At once, from your balance. No card is charged.")
    if due.method is None:
        return ""
    method = method_words(due.method.kind, due.method.brand, due.method.last4)
    if kept.minor:
        return _(
            "At once, with %(method)s. Your balance pays the remaining %(kept)s.",
            method=method,
            kept=formatting.money(kept),
        )
    return _("At once, with %(method)s.", method=method)


def _what(line: QuotedLine) -> str:
    return _(
        "For %(plan)s, from %(start)s to %(end)s.",
        plan=priced_name(line.offer.plan_names, line.offer.interval, line.quantity),
        start=formatting.day(line.period.start),
        end=formatting.day(line.due_on),
    )
