"""A plan with how it is paid, as the pages name it."""

from portal.domain.vocabulary import Interval, Service

from .i18n import Sentence, translated
from .i18n import gettext as _
from .i18n import lazy_gettext as _l


def priced_name(names: dict[str, str], interval: Interval | None) -> str:
    """`Business 5, monthly`; a free plan has its name alone. `names` are the catalogue's, by language."""
    name = translated(names)
    if interval is None:
        return name
    if interval == Interval.YEAR:
        return _("%(plan)s, yearly", plan=name)
    return _("%(plan)s, monthly", plan=name)


SERVICE_WORDS: dict[Service, Sentence] = {
    Service.LDAP: _l("LDAP directory"),
    Service.SSO: _l("Single sign-on"),
    Service.AUTOMATIC_BACKUP: _l("Automatic backup"),
    Service.CUSTOM_DNS: _l("A domain name of your own (DNS)"),
    Service.EXTERNAL_SERVICES: _l("External services"),
}
