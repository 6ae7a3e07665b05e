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

    `method` is the id of the saved one that is charged at once, and `method_words` name it; another card has
    a button below. Both are empty where none could pay: then the one button leads to the fields of a card.
    `what` says of licences which period of what is paid. `mark` ends the test ids of the buttons.
    """

    label: str
    quote: str
    method: str
    method_words: str
    pay_address: str
    card_address: str
    what: str = ""
    mark: str = ""


def payment_due(place: Place, due: AmountDue, *, product: str = "") -> PaymentDue:
    """`product`: the code of the licensed product, empty for the workspace plan."""
    method, words = str(due.method.id) if due.method else "", ""
    if not due.quote.due.minor:
        method, words = PaidWith.BALANCE.value, method_words(PaidWith.BALANCE, "", "")
    elif due.method is not None:
        words = method_words(due.method.kind, due.method.brand, due.method.last4)
    charged = due.quote.due if due.quote.due.minor else due.quote.total
    routes, slug = "licences_due" if product else "amount_due", place.workspace.slug
    return PaymentDue(
        label=_("Pay %(total)s", total=formatting.money(charged)),
        quote=due.quote.hash,
        method=method,
        method_words=words,
        pay_address=url_for(f"{routes}.pay", slug=slug, product=product or None),
        card_address=url_for(f"{routes}.with_another_card", slug=slug, product=product or None),
        what=_what(due.quote.only_line) if product else "",
        mark=f"-{product}" if product else "",
    )


def _what(line: QuotedLine) -> str:
    return _(
        "For %(plan)s, from %(start)s to %(end)s.",
        plan=priced_name(line.offer.plan_names, line.offer.interval, line.quantity),
        start=formatting.day(line.period.start),
        end=formatting.day(line.due_on),
    )
