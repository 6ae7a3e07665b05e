"""Workspace settings: what the workspace is called, where it lives, and who may buy for it."""

from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from wtforms.validators import ValidationError

from portal.domain.vocabulary import Service, WhoMayBuy
from portal.words.i18n import Choices
from portal.words.i18n import lazy_gettext as _l
from portal.words.plans import SERVICE_WORDS

from .base import (
    TEXT_LENGTH,
    CheckboxField,
    ChoiceField,
    HiddenTextField,
    PortalForm,
    RadioField,
    TextField,
    clean_text,
)

NAMELESS_REGIONS = ("Etc/", "SystemV/", "US/", "posix/", "right/")


class WorkspaceSettingsForm(PortalForm):
    """`version` identifies the values that were shown."""

    version = HiddenTextField()
    name = TextField(_l("Name of the workspace"), required=_l("Enter the name of the workspace."))
    time_zone = ChoiceField(
        _l("Time zone"),
        required=_l("Choose the time zone."),
        description=_l("Days begin and end by its clock: due dates, invoices, the history."),
    )
    language = ChoiceField(
        _l("Language"),
        required=_l("Choose the language."),
        description=_l("For documents, and for e-mails to people who have not chosen one."),
    )
    currency = ChoiceField(
        _l("Currency"),
        required=_l("Choose the currency."),
        description=_l("Prices are shown in it first. What is paid already keeps its own."),
    )
    who_may_buy = RadioField(
        _l("Who may buy"),
        required=_l("Choose who may buy."),
        choices=[
            (WhoMayBuy.ANY_MEMBER.value, _l("Any full member")),
            (WhoMayBuy.BILLING.value, _l("Owners and billing managers only")),
        ],
    )
    hides_plans_from_members = CheckboxField(
        _l("Hide plans and history from plain members"),
        description=_l("Admins and billing people still see them."),
    )

    def __init__(
        self, *args: Any, languages: Choices, currencies: Choices, time_zone: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.time_zone.offer((name, name.replace("_", " ")) for name in time_zones(time_zone))
        self.language.offer(languages)
        self.currency.offer(currencies)


class DeleteWorkspaceForm(PortalForm):
    """Asks for the name of the workspace, so that nobody deletes one by a slip of the finger."""

    name = TextField(
        _l("Name of the workspace"),
        required=_l("Type the name of the workspace."),
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )

    def __init__(self, *args: Any, workspace_name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workspace_name = workspace_name

    def validate_name(self, field: TextField) -> None:
        wanted, _fault = clean_text(self.workspace_name, max_length=TEXT_LENGTH)
        if field.data != wanted:
            raise ValidationError(_l("This is not the name of the workspace: %(name)s.", name=wanted))


@lru_cache(maxsize=32)
def time_zones(kept: str) -> tuple[str, ...]:
    """Region/City names in order, UTC first, with `kept` among them whatever it is."""
    cities = {zone for zone in available_timezones() if "/" in zone and not zone.startswith(NAMELESS_REGIONS)}
    return ("UTC", *sorted(cities | {kept} - {"UTC"}))


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
