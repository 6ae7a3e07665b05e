"""Who is to get the letters about money in copy: a member from the list, or an address."""

from typing import Any

from portal.words.i18n import Choices
from portal.words.i18n import lazy_gettext as _l

from .base import ChoiceField, EmailField, PortalForm


class ContactForm(PortalForm):
    """Either `member`, the id of one of those offered, or `email` with the `language` to write in."""

    member = ChoiceField(_l("Member"), placeholder=_l("Somebody who is not in this list"))
    email = EmailField(_l("E-mail address"))
    language = ChoiceField(_l("Language of the e-mails"), required=_l("Choose the language."))

    def __init__(self, *args: Any, members: Choices, languages: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.member.offer(members)
        self.language.offer(languages)

    def validate(self, extra_validators: Any = None) -> bool:
        if not super().validate(extra_validators):
            return False
        if not self.member.data and not self.email.data:
            self.add_error("email", _l("Choose a member, or enter an e-mail address."))
        elif self.member.data and self.email.data:
            self.add_error("email", _l("Choose a member or enter an e-mail address, not both."))
        return not self.errors
