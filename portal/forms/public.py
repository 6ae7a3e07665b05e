"""Forms that anybody may fill in: the request for the non-profit plan."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from flask_wtf import FlaskForm
from wtforms.validators import StopValidation

from portal.words.i18n import Choices
from portal.words.i18n import lazy_gettext as _l

from .base import CheckboxField, ChoiceField, EmailField, ParagraphField, PortalForm, TextField, clean_text

ADDRESS_LENGTH = 500


HOST = re.compile(r"[^\s.@:/\\]+(\.[^\s.@:/\\]+)+")


class WebsiteField(TextField):
    """The address of a page; `https://` is put before one that has no scheme."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        text = str(valuelist[0]) if valuelist else ""
        self.data, self.fault = clean_text(text, max_length=self.max_length)
        if self.data and "://" not in self.data and is_website(f"https://{self.data}"):
            self.data = f"https://{self.data}"

    def pre_validate(self, form: FlaskForm) -> None:
        super().pre_validate(form)
        if not is_website(self.data) or len(self.data) > self.max_length:
            raise StopValidation(_l("Enter the address of a website, like https://example.org."))


def is_website(text: str) -> bool:
    """An http or https address of a named host, without a name or a password in it."""
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return False
    names_nobody = parts.username is None and parts.password is None
    is_plain = not any(sign.isspace() for sign in text) and "\\" not in text
    return parts.scheme in ("http", "https") and names_nobody and is_plain and bool(HOST.fullmatch(host))


class NonprofitForm(PortalForm):
    """`workspaces`: (slug, name) of those that the person owns; without any, the form does not ask."""

    organisation = TextField(
        _l("Name of the organisation"),
        required=_l("Enter the name of the organisation."),
        render_kw={"autocomplete": "organization"},
    )
    country = ChoiceField(
        _l("Country"),
        required=_l("Choose the country."),
        placeholder=_l("Choose from the list"),
        render_kw={"autocomplete": "country"},
    )
    registration_number = TextField(
        _l("Registration number"),
        required=_l("Enter the registration number of the organisation."),
        max_length=60,
        description=_l("The number in your country’s register: in France, the RNA, SIREN or SIRET number."),
    )
    website = WebsiteField(
        _l("Website"),
        max_length=ADDRESS_LENGTH,
        render_kw={"autocomplete": "url", "inputmode": "url", "spellcheck": "false"},
    )
    purpose = ParagraphField(
        _l("What the organisation does"),
        required=_l("Tell us what the organisation does."),
        description=_l("In a few sentences: who it is for, and what you would use the workspace for."),
        render_kw={"rows": 5},
    )
    contact_name = TextField(
        _l("Your name"), required=_l("Enter your name."), render_kw={"autocomplete": "name"}
    )
    email = EmailField(
        _l("E-mail address"),
        required=_l("Enter your e-mail address."),
        description=_l("We will send our answer there."),
    )
    workspace = ChoiceField(
        _l("Workspace"),
        placeholder=_l("None of these"),
        description=_l("The one that will get the plan. You can also create it later."),
    )
    consent = CheckboxField(
        _l(
            "We use the workspace for non-commercial purposes only, and you may keep these details to "
            "decide on the request."
        ),
        required=_l("Tick this box so that we can read the request."),
    )

    def __init__(self, *args: Any, countries: Choices, workspaces: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.country.offer(countries)
        choices = list(workspaces)
        if choices:
            self.workspace.offer(choices)
        else:
            del self.workspace


class CheckForm(PortalForm):
    """Number and code of a document, as they are printed on it. Nothing is written: it needs no token."""

    class Meta(PortalForm.Meta):
        csrf = False

    number = TextField(
        _l("Number of the document"),
        required=_l("Enter the number of the invoice or credit note."),
        max_length=40,
        description=_l("Like INV-2026-000001."),
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    code = TextField(
        _l("Code"),
        required=_l("Enter the code that is printed at the foot of the document."),
        max_length=40,
        description=_l("Ten letters and digits, at the foot of the document."),
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
