"""Names of roles."""

from portal.domain.vocabulary import Role

from .i18n import Sentence
from .i18n import lazy_gettext as _l

ROLE_WORDS: dict[Role, Sentence] = {
    Role.OWNER: _l("Owner"),
    Role.ADMIN: _l("Administrator"),
    Role.BILLING_MANAGER: _l("Billing manager"),
    Role.MEMBER: _l("Member"),
}
