"""Inviting people, their roles, and the workspace's services."""

from collections.abc import Sequence
from typing import Any

from flask_wtf import FlaskForm
from wtforms.fields import StringField
from wtforms.validators import StopValidation
from wtforms.widgets import TextArea

from portal.domain.addressees import read_addressees
from portal.domain.capacity import Capacity
from portal.domain.card_numbers import holds_card_number, without_card_numbers
from portal.domain.vocabulary import MemberStatus
from portal.words.i18n import Choices
from portal.words.i18n import gettext as _
from portal.words.i18n import lazy_gettext as _l
from portal.words.people import ROLE_WORDS

from .base import (
    CARD_NUMBER_SENTENCE,
    LONGEST_SHOWN_AGAIN,
    TEXT_LENGTH,
    UNPRINTABLE,
    UNPRINTABLE_SENTENCE,
    ChoiceField,
    PortalForm,
    RadioField,
    Requirable,
    clean_text,
    is_email,
)

MOST_AT_ONCE = 50
LONGEST_TEXT = 30_000
"""Characters; so many people with the longest names and addresses have fewer."""
LONGEST_SHOWN = 80


class EmailsField(Requirable, StringField):
    """People as they are pasted (domain/addressees.py). `data` has their addresses as typed, in that order.

    `names` has the name of each address that stood with one. The whole text typed is kept. Refused with the
    name of each piece that is no address, and above MOST_AT_ONCE.
    """

    widget = TextArea()

    def process_data(self, value: Any) -> None:
        self.data: list[str] = []
        self.names: dict[str, str] = {}
        self.typed = ""
        self.held_card_number = False

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        text = str(valuelist[0])[:LONGEST_SHOWN_AGAIN] if valuelist else ""
        lines = text.splitlines()
        cells = ([UNPRINTABLE.sub("", cell) for cell in line.split("\t")] for line in lines)
        self.typed = "\n".join("\t".join(line) for line in cells)
        self.held_card_number = holds_card_number(self.typed)
        self.typed = without_card_numbers(self.typed)
        self.is_printable = not any(UNPRINTABLE.search(line.replace("\t", " ")) for line in lines)
        self.is_short = len(self.typed) <= LONGEST_TEXT
        people = read_addressees(self.typed) if self.is_short else []
        self.data = [person.email for person in people]
        self.names = {
            person.email: name
            for person in reversed(people)
            if (name := clean_text(person.name, max_length=TEXT_LENGTH)[0][:TEXT_LENGTH])
        }

    def pre_validate(self, form: FlaskForm) -> None:
        if self.held_card_number:
            raise StopValidation(CARD_NUMBER_SENTENCE)
        if not self.is_short:
            raise StopValidation(_l("You can invite at most %(most)s people at once.", most=MOST_AT_ONCE))
        self.stop_when_missing(not self.data)
        if len(self.data) > MOST_AT_ONCE:
            raise StopValidation(
                _l(
                    "You can invite at most %(most)s people at once: there are %(number)s addresses here.",
                    most=MOST_AT_ONCE,
                    number=len(self.data),
                )
            )
        wrong = [piece for piece in self.data if not is_email(piece)]
        if wrong:
            # A lazy sentence is markup to Jinja. This one repeats what was typed: said now, it is escaped.
            raise StopValidation(
                _(
                    "These are not e-mail addresses in the correct format, "
                    "like name@example.com: %(pieces)s.",
                    pieces=listed(wrong),
                )
            )
        if not self.is_printable:
            raise StopValidation(UNPRINTABLE_SENTENCE)

    def _value(self) -> str:
        return self.typed


def listed(texts: Sequence[str]) -> str:
    """`a@b.test, c@d.test`, each cut where it would never end."""
    return ", ".join(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…" for text in texts)


class InviteForm(PortalForm):
    """`roles` are those that the inviting person may give; `capacity` says whether users or guests may come.

    `locked` are the statuses that nobody can be invited with. They stay in the list: where the last seat
    was taken after the page was shown, the service has the figures.
    """

    emails = EmailsField(
        _l("E-mail addresses"),
        required=_l("Enter the e-mail address of the person you are inviting."),
        description=_l(
            "One or more, up to %(most)s, with or without names. You can paste them from your mail "
            "program or from a spreadsheet column.",
            most=MOST_AT_ONCE,
        ),
        render_kw={"rows": 3, "autocomplete": "off", "inputmode": "email", "spellcheck": "false"},
    )
    status = RadioField(_l("Invite as"), required=_l("Choose an option from the list."))
    role = ChoiceField(_l("Role"), required=_l("Choose a role."))

    def __init__(self, *args: Any, roles: Choices, capacity: Capacity, **kwargs: Any) -> None:
        first = MemberStatus.GUEST if capacity.is_full else MemberStatus.ACTIVE
        super().__init__(*args, data={"status": first.value}, **kwargs)
        self.role.offer(roles)
        self.status.offer(
            [(MemberStatus.ACTIVE.value, _l("Users")), (MemberStatus.GUEST.value, _l("Guests"))]
        )
        full = {MemberStatus.ACTIVE: capacity.is_full, MemberStatus.GUEST: capacity.is_full_of_guests}
        self.locked = [status.value for status, is_full in full.items() if is_full]


class RoleForm(PortalForm):
    role = ChoiceField(_l("Role"), required=_l("Choose a role."))

    def __init__(self, *args: Any, roles: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.role.offer(roles)


class HandOverForm(PortalForm):
    """`own_role` is what the present owner becomes."""

    own_role = ChoiceField(_l("Your own role afterwards"), required=_l("Choose a role."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.own_role.offer((role.value, words) for role, words in ROLE_WORDS.items())
