"""Signing up and in, links, accepting an invitation, and one's own account."""

from typing import Any

from portal.services.people.passwords import LONGEST, SHORTEST, Weakness
from portal.words.i18n import lazy_gettext as _l

from .base import ChoiceField, EmailField, PasswordField, PortalForm, PrintedTextField, TextField
from .time_zones import TIME_ZONE_HINT, TimeZoneField

USERNAME = {"autocomplete": "username", "inputmode": "email", "spellcheck": "false"}
"""Of an address beside a password: what password managers file the password under."""
EMAIL_IS_OWN = _l("This is already your address.")
NAME_REQUIRED = _l("Enter your name.")
EMAIL_REQUIRED = _l("Enter your e-mail address.")
NEW_PASSWORD_HINT = _l(
    "At least %(shortest)s characters. A few unrelated words work well.", shortest=SHORTEST
)
PASSWORD_TOO_COMMON = {
    Weakness.PATTERN: _l(
        "This password is easy to guess: its characters run in sequence or repeat. Use a few unrelated words."
    ),
    Weakness.COMMON: _l(
        "This password is easy to guess: it is a common password with little added. Use a few "
        "unrelated words."
    ),
    Weakness.KNOWN: _l(
        "This password is easy to guess: without the words that others would try first (%(words)s), "
        "little of it is left. Use a few other words."
    ),
}
PASSWORD_LENGTH_WRONG = _l(
    "Use a password of %(shortest)s to %(longest)s characters.", shortest=SHORTEST, longest=LONGEST
)
NOT_RIGHT = _l("The e-mail address or password is incorrect.")
SHUT_OUT = _l("Your access has been disabled. Ask an administrator of your workspace to enable it again.")
CURRENT_NOT_RIGHT = _l("This is not your current password.")
NO_COOKIE = _l(
    "Your browser sent no cookie with the form: the page was open for too long, or cookies are "
    "blocked for this site. Nothing was sent: please try again."
)
OPEN_TOO_LONG = _l("The page was open for too long. Nothing was sent: please try again.")


class SignUpForm(PortalForm):
    name = TextField(_l("Your name"), required=NAME_REQUIRED, render_kw={"autocomplete": "name"})
    email = EmailField(_l("E-mail address"), required=EMAIL_REQUIRED, render_kw=USERNAME)
    workspace_name = PrintedTextField(
        _l("Name of the workspace"),
        required=_l("Enter a name for the workspace."),
        description=_l("Your company or team, for example."),
        render_kw={"autocomplete": "organization"},
    )
    password = PasswordField(_l("Password"), description=NEW_PASSWORD_HINT)
    time_zone = TimeZoneField(_l("Time zone of the workspace"), description=TIME_ZONE_HINT)

    def __init__(self, *args: Any, proposed_zone: str, **kwargs: Any) -> None:
        super().__init__(*args, data={"time_zone": proposed_zone}, **kwargs)
        self.time_zone.offer_zones(proposed_zone)


class SignInForm(PortalForm):
    email = EmailField(_l("E-mail address"), required=EMAIL_REQUIRED, render_kw=USERNAME)
    password = PasswordField(_l("Password"), new=False)


class EmailForm(PortalForm):
    """Ask for a link by mail."""

    email = EmailField(_l("E-mail address"), required=EMAIL_REQUIRED)


class NewPasswordForm(PortalForm):
    password = PasswordField(_l("New password"), description=NEW_PASSWORD_HINT)


class JoinForm(PortalForm):
    """Somebody new accepts an invitation."""

    name = TextField(_l("Your name"), required=NAME_REQUIRED, render_kw={"autocomplete": "name"})
    password = PasswordField(_l("Password"), description=NEW_PASSWORD_HINT)


class ProfileForm(PortalForm):
    name = TextField(_l("Your name"), required=NAME_REQUIRED, render_kw={"autocomplete": "name"})
    language = ChoiceField(
        _l("Language"),
        required=_l("Choose a language."),
        description=_l("For the pages you see and the e-mails you get."),
    )


class NewEmailForm(PortalForm):
    email = EmailField(
        _l("New e-mail address"),
        required=_l("Enter the new e-mail address."),
        description=_l("We will send a link there. Your address changes once you use it."),
    )
    current_password = PasswordField(_l("Current password"), new=False)


class ChangePasswordForm(PortalForm):
    current_password = PasswordField(_l("Current password"), new=False)
    new_password = PasswordField(_l("New password"), description=NEW_PASSWORD_HINT)
