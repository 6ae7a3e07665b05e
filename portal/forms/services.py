"""The switches of the services page."""

from typing import Any

from portal.domain.vocabulary import Service
from portal.words.i18n import lazy_gettext as _l
from portal.words.plans import SERVICE_WORDS

from .base import CheckboxField, HiddenTextField, PortalForm


class ServicesForm(PortalForm):
    """A switch for each service, named by its code. `shown` are the codes that were on, with blanks between.

    A switch for what the plan lacks is locked while it is off.
    """

    shown = HiddenTextField()
    ldap = CheckboxField(SERVICE_WORDS[Service.LDAP])
    sso = CheckboxField(SERVICE_WORDS[Service.SSO])
    automatic_backup = CheckboxField(SERVICE_WORDS[Service.AUTOMATIC_BACKUP])
    custom_dns = CheckboxField(SERVICE_WORDS[Service.CUSTOM_DNS])
    external_services = CheckboxField(
        SERVICE_WORDS[Service.EXTERNAL_SERVICES],
        description=_l("Electronic signature and telephony, for example."),
    )

    def __init__(self, *args: Any, switched_on: frozenset[Service], **kwargs: Any) -> None:
        codes = [service.value for service in Service if service in switched_on]
        data = {"shown": " ".join(codes), **dict.fromkeys(codes, True)}
        super().__init__(*args, data=data, **kwargs)

    @property
    def was_on(self) -> frozenset[Service]:
        codes = (self.shown.data or "").split()
        return frozenset(service for service in Service if service.value in codes)

    @property
    def wanted(self) -> frozenset[Service]:
        return frozenset(service for service in Service if self[service.value].data)
