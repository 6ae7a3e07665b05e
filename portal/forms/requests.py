"""Asking for a purchase, and saying no."""

from portal.domain.requests import LONGEST_NOTE
from portal.words.i18n import lazy_gettext as _l

from .base import HiddenTextField, ParagraphField, PortalForm


class AskForm(PortalForm):
    """`shown` is the fingerprint of the cart that was shown; of an order nothing is sent along."""

    shown = HiddenTextField()
    note = ParagraphField(
        _l("Note"),
        max_length=LONGEST_NOTE,
        description=_l("What it is for. The people who decide read it in an e-mail and here."),
        render_kw={"rows": 3},
    )


class DeclineForm(PortalForm):
    reason = ParagraphField(
        _l("Reason"),
        max_length=LONGEST_NOTE,
        description=_l("Quoted word for word in the e-mail to the person who asked."),
        render_kw={"rows": 3},
    )
