"""Workspace settings: what the workspace is called and where it lives."""

from typing import Any

from wtforms.validators import ValidationError

from portal.domain.vocabulary import Service, SessionBinding
from portal.words.i18n import Choices
from portal.words.i18n import lazy_gettext as _l
from portal.words.plans import SERVICE_WORDS

from .base import (
    TEXT_LENGTH,
    AmountField,
    CheckboxField,
    ChoiceField,
    HiddenTextField,
    PortalForm,
    PrintedTextField,
    TextField,
    clean_text,
)
from .time_zones import TIME_ZONE_HINT, TimeZoneField

BINDING_WORDS = {
    SessionBinding.OFF: _l("From anywhere"),
    SessionBinding.NETWORK: _l("From the network where it began, by IPv4 or IPv6"),
    SessionBinding.STRICT: _l("From the one IP address where it began"),
}


class WorkspaceSettingsForm(PortalForm):
    """`version` identifies the values that were shown.

    Of the bindings of sessions those are offered that are stricter than the installation's; without any, the
    form does not ask.
    """

    version = HiddenTextField()
    name = PrintedTextField(_l("Name of the workspace"), required=_l("Enter the name of the workspace."))
    time_zone = TimeZoneField(_l("Time zone"), description=TIME_ZONE_HINT)
    language = ChoiceField(
        _l("Language"),
        required=_l("Choose the language."),
        description=_l("For documents, and for e-mails to people who have not chosen one."),
    )
    currency = ChoiceField(
        _l("Currency"),
        required=_l("Choose the currency."),
        description=_l(
            "Prices are shown in this currency first. What you have already paid for keeps its own."
        ),
    )
    ceiling = AmountField(
        _l("Monthly ceiling for members"),
        currency_of=lambda form: form.currency.data if form.currency.data in form.currency.offered else "EUR",
        description=_l(
            "What members and administrators can spend together in a calendar month without asking, VAT "
            "included, in the currency above. Above it, they have to ask. Leave it empty for no ceiling."
        ),
    )
    session_binding = ChoiceField(
        _l("Sessions of the members"),
        description=_l(
            "Where a session may be used from. For members of several workspaces, the strictest rule applies."
        ),
    )

    def __init__(
        self,
        *args: Any,
        languages: Choices,
        currencies: Choices,
        time_zone: str,
        installed_binding: SessionBinding,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        order = list(SessionBinding)
        stricter = order[order.index(installed_binding) + 1 :]
        if stricter:
            self.session_binding.placeholder = BINDING_WORDS[installed_binding]
            self.session_binding.offer((each.value, BINDING_WORDS[each]) for each in stricter)
            if self.session_binding.data not in self.session_binding.offered:
                self.session_binding.data = self.session_binding.data if self.is_submitted() else ""
        else:
            del self.session_binding
        self.time_zone.offer_zones(time_zone)
        self.language.offer(languages)
        self.currency.offer(currencies)


class NewWorkspaceForm(PortalForm):
    """What somebody who is signed in decides about a workspace of their own before it is made."""

    name = PrintedTextField(
        _l("Name of the workspace"),
        required=_l("Enter a name for the workspace."),
        description=_l("Your company or team, for example."),
        render_kw={"autocomplete": "organization"},
    )
    language = ChoiceField(
        _l("Language"),
        required=_l("Choose the language."),
        description=_l("For documents, and for e-mails to people who have not chosen one."),
    )
    currency = ChoiceField(
        _l("Currency"),
        required=_l("Choose the currency."),
        description=_l("Prices are shown in this currency first. You can change it later."),
    )
    time_zone = TimeZoneField(_l("Time zone"), description=TIME_ZONE_HINT)

    def __init__(
        self, *args: Any, languages: Choices, currencies: Choices, proposed_zone: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.language.offer(languages)
        self.currency.offer(currencies)
        self.time_zone.offer_zones(proposed_zone)


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
