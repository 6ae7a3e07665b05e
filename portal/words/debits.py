"""In how many days a SEPA direct debit is paid, and what begins then."""

from collections.abc import Sequence

from flask_babel import ngettext

from portal.domain.frozen_quote import FrozenLine
from portal.domain.vocabulary import OrderKind

from .i18n import gettext as _


def debit_words(lines: Sequence[FrozenLine], *, days: int) -> str:
    """Of an order with these lines. `days` are business days."""
    takes = ngettext(
        "A bank debit takes about %(num)d business day.",
        "A bank debit takes about %(num)d business days.",
        days,
    )
    return f"{takes} {_what_begins(lines)}"


def _what_begins(lines: Sequence[FrozenLine]) -> str:
    kinds = {line.kind for line in lines}
    if kinds == {OrderKind.RENEWAL}:
        return _("Everything works as before meanwhile.")
    if kinds != {OrderKind.BUY}:
        return _("What you ordered is yours on the day it is paid.")
    if any(line.is_licensed for line in lines):
        return _("What you ordered begins on the day it is paid, and its dates move with it.")
    return _("Your plan begins on the day it is paid, and its dates move with it.")
