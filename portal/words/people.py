"""Names of roles, and of people who are forgotten."""

from portal.domain.vocabulary import Role

from .i18n import Sentence
from .i18n import gettext as _
from .i18n import lazy_gettext as _l

ROLE_WORDS: dict[Role, Sentence] = {
    Role.OWNER: _l("Owner"),
    Role.ADMIN: _l("Administrator"),
    Role.BILLING_MANAGER: _l("Billing manager"),
    Role.MEMBER: _l("Member"),
}


def somebody(name: str) -> str:
    """As others read of a person; nothing is left of whoever was forgotten."""
    return name or _("Someone who has left")
