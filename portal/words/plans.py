"""A plan with how it is paid, as the pages name it."""

from portal.domain.vocabulary import Interval

from .i18n import gettext as _
from .i18n import translated


def priced_name(names: dict[str, str], interval: Interval | None) -> str:
    """`Business 5, monthly`; a free plan has its name alone. `names` are the catalogue's, by language."""
    name = translated(names)
    if interval is None:
        return name
    if interval == Interval.YEAR:
        return _("%(plan)s, yearly", plan=name)
    return _("%(plan)s, monthly", plan=name)
