"""What pages say of purchase requests and of the monthly ceiling."""

from portal.domain.money import Money
from portal.domain.requests import Allowance
from portal.domain.vocabulary import RequestState

from . import formatting
from .i18n import gettext as _


def request_words(state: RequestState) -> str:
    return {
        RequestState.OPEN: _("Waiting for a decision"),
        RequestState.APPROVED: _("Approved"),
        RequestState.DECLINED: _("Declined"),
        RequestState.EXPIRED: _("Expired"),
        RequestState.WITHDRAWN: _("Withdrawn"),
    }[state]


def allowance_sentence(allowance: Allowance, amount: Money) -> str:
    """How far members buy without asking, beside what costs `amount`."""
    left, ceiling = formatting.money(allowance.left), formatting.money(allowance.ceiling)
    if amount.currency != allowance.ceiling.currency:
        return _(
            "Members buy without asking in %(currency)s only, so this has to be asked for.",
            currency=allowance.ceiling.currency,
        )
    if allowance.covers(amount):
        return _("You can spend %(left)s more this month without asking, VAT included.", left=left)
    if allowance.left.minor == 0:
        return _(
            "Members have already spent the %(ceiling)s that they can spend this month without asking.",
            ceiling=ceiling,
        )
    return _(
        "This costs more than members can still spend this month without asking: %(left)s of %(ceiling)s, "
        "VAT included.",
        left=left,
        ceiling=ceiling,
    )
