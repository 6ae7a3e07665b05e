"""The fields and sentences that every form shares.


Text is trimmed, composed (NFC) and refused when it holds signs that cannot be printed or that turn the
line around: a name has to be harmless in a page, a PDF, a CSV and a log line. What was typed is shown
again with its sentence; refused signs are left out of it; secrets are never shown again.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import flash, g, request, session
from flask_login import current_user
from flask_wtf import FlaskForm
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from wtforms.fields import BooleanField, Field, StringField
from wtforms.fields.choices import SelectChoice, SelectField
from wtforms.validators import StopValidation
from wtforms.widgets import HiddenInput, ListWidget, PasswordInput, RadioInput, TextArea, TextInput

from portal.documents.printable import unprintable_letters
from portal.domain.card_numbers import holds_card_number, without_card_numbers
from portal.domain.money import Money, exponent, read_amount
from portal.services.people import unsent_forms
from portal.services.people.passwords import LONGEST, SHORTEST
from portal.words.formatting import amount_as_typed
from portal.words.i18n import Choices, Sentence
from portal.words.i18n import lazy_gettext as _l

LONGEST_TYPED_AMOUNT = 40
TEXT_LENGTH = 200
EMAIL_LENGTH = 254
LARGEST_QUANTITY = 100_000
LONGEST_SHOWN_AGAIN = 20_000
"""Of a text that is far too long."""
MOST_LETTERS_NAMED = 5

UNPRINTABLE = re.compile(
    "["
    "\\x00-\\x1f\\x7f-\\x9f"  # Control characters, line ends among them.
    "\\u2028\\u2029"  # Line and paragraph separators.
    "\\u202a-\\u202e\\u2066-\\u2069"  # Embeddings, overrides and isolates of direction.
    "\\ud800-\\udfff"  # Lone halves of pairs.
    "\\ufffd\\ufdd0-\\ufdef"  # What a broken charset leaves, and noncharacters.
    + "".join(f"\\U{plane:04x}fffe-\\U{plane:04x}ffff" for plane in range(17))
    + "]"
)
INVISIBLE_ENDS = "\u200b\u2060\ufeff"
UNSEEN = frozenset(("Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Mn", "Mc", "Me"))
"""Categories of blanks, controls, joiners and marks."""
BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and a symbol by category, and yet nothing to see."""

CARD_NUMBER_SENTENCE = _l(
    "A card number was typed here. We removed it and did not keep it: card numbers belong in the "
    "payment form only."
)
TYPED_BEFORE = _l(
    "Nothing was sent, because your session had ended. What you typed is still here: check it, then send it."
)
UNPRINTABLE_SENTENCE = _l("Check this text: characters that cannot be printed were removed from it.")


@dataclass(frozen=True, slots=True)
class Problem:
    """A line of the error summary; an empty `field_id` speaks of the whole form."""

    field_id: str
    sentence: Sentence


class PortalForm(FlaskForm):
    """CSRF from Flask-WTF; reads the posted form only (never JSON or files).

    `id_prefix` keeps the ids apart, not the names, where two forms of a page have the same fields.
    """

    class Meta(FlaskForm.Meta):
        def wrap_formdata(self, form: FlaskForm, formdata: Any) -> MultiDict[str, str] | None:
            """An empty post is a submission with every field missing, not an unsubmitted form.

            What was typed when a session had ended stands in the form again, unsubmitted.
            """
            if formdata is None or isinstance(formdata, MultiDict):
                return formdata
            if not form.is_submitted():
                return typed_before(form)
            leave_unsent()
            return request.form

        def render_field(self, field: Field, render_kw: dict[str, Any]) -> Markup:
            """No `required` attribute: the server's sentences come in the reader's language, all at once."""
            attributes: dict[str, Any] = {"required": False}
            if isinstance(field.widget, HiddenInput):
                attributes["id"] = False
            return Markup(super().render_field(field, attributes | render_kw))  # noqa: S704 (a widget's own)

    def __init__(self, *args: Any, id_prefix: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if id_prefix:
            for field in self:
                field.id = field.label.field_id = f"{id_prefix}-{field.id}"

    def add_error(self, field: str | None, sentence: Sentence) -> None:
        """Beside the field named, or on the whole form for None or a field that it does not show."""
        if field is None or field not in self:
            self.form_errors.append(sentence)
        else:
            self[field].errors = [*self[field].errors, sentence]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every error in the order of the page, for the summary. A hidden field has no id to link to."""
        of_form = [Problem("", sentence) for sentence in self.form_errors]
        of_fields = [
            Problem("" if isinstance(field.widget, HiddenInput) else field.id, sentence)
            for field in self
            for sentence in field.errors
        ]
        return (*of_form, *of_fields)


def typed_before(form: FlaskForm) -> MultiDict[str, str] | None:
    """What was typed into this form before its reader had to sign in again; None mostly.

    It stays until a form is sent: a page that is read twice shows it twice.
    """
    token = session.get("unsent_form")
    if not token or request.method != "GET" or "HX-Request" in request.headers:
        return None
    person_id = current_user.id if current_user.is_authenticated else None
    fields = unsent_forms.find(token, page=request.path, person_id=person_id)
    known = [pair for pair in fields if pair[0] in form]
    if len(known) * 2 <= len(fields):
        # Another form of the page; or none.
        return None
    if "told_of_unsent" not in g:
        g.told_of_unsent = True
        flash(str(TYPED_BEFORE), "done")
    return MultiDict(known)


def leave_unsent() -> None:
    """A form was sent with the token of this session: whatever waited was seen, or is not wanted."""
    if "unsent_form" in session and current_user.is_authenticated:
        unsent_forms.forget(session.pop("unsent_form"))


class Requirable(Field):
    """A field whose `required` is the sentence that asks for it, or None when it may stay empty."""

    def __init__(
        self, label: Sentence | None = None, *, required: Sentence | None = None, **kwargs: Any
    ) -> None:
        super().__init__(label, **kwargs)
        self.required = required

    @property
    def required(self) -> Sentence | None:
        return self._required

    @required.setter
    def required(self, sentence: Sentence | None) -> None:
        self._required = sentence
        self.flags.required = sentence is not None

    def stop_when_missing(self, missing: bool) -> None:
        """Ends validation when there is nothing to look at, with the sentence if one is set."""
        if missing:
            raise StopValidation(self.required)


class TextField(Requirable, StringField):
    """One line. `data` is trimmed NFC text, `""` when nothing was sent, never None."""

    def __init__(
        self,
        label: Sentence | None = None,
        *,
        required: Sentence | None = None,
        max_length: int = TEXT_LENGTH,
        card_number_sentence: Sentence = CARD_NUMBER_SENTENCE,
        **kwargs: Any,
    ) -> None:
        super().__init__(label, required=required, **kwargs)
        self.max_length = max_length
        self.card_number_sentence = card_number_sentence
        self.fault: Sentence | None = None

    def process_data(self, value: Any) -> None:
        self.data = "" if value is None else str(value)

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        self.data, self.fault = clean_text(str(valuelist[0]) if valuelist else "", max_length=self.max_length)

    def pre_validate(self, form: FlaskForm) -> None:
        if self.fault is not None:
            is_card = self.fault is CARD_NUMBER_SENTENCE
            raise StopValidation(self.card_number_sentence if is_card else self.fault)
        self.stop_when_missing(is_blank(self.data))


class PrintedTextField(TextField):
    """A line that an invoice prints: refused, with the letters named, where no font of ours holds them."""

    def pre_validate(self, form: FlaskForm) -> None:
        super().pre_validate(form)
        stop_when_not_printable(self.data)


class HiddenTextField(TextField):
    """What the page itself put there: nobody types into it, and a hash may look like anything."""

    widget = HiddenInput()

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        text = str(valuelist[0]) if valuelist else ""
        self.data, self.fault = clean_text(text, max_length=self.max_length, may_hold_card_number=True)


class EmailField(TextField):
    """Keeps what was typed. Syntax only: no name, no quoted or accented local part, no look-up."""

    def __init__(self, label: Sentence | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("render_kw", {"autocomplete": "email", "inputmode": "email", "spellcheck": "false"})
        super().__init__(label, max_length=EMAIL_LENGTH, **kwargs)

    def pre_validate(self, form: FlaskForm) -> None:
        super().pre_validate(form)
        if not is_email(self.data):
            raise StopValidation(_l("Enter an e-mail address in the correct format, like name@example.com."))


class UnshownInput(TextInput):
    """A text input whose value never goes back to the page."""

    def __call__(self, field: Field, **kwargs: Any) -> Markup:
        return Markup(super().__call__(field, **(kwargs | {"value": ""})))  # noqa: S704 (the widget's own)


class PasswordField(Requirable, StringField):
    """As typed to the last blank; never shown again. `new=False` for signing in: any length but too long."""

    widget = PasswordInput()

    def __init__(
        self,
        label: Sentence | None = None,
        *,
        required: Sentence | None = None,
        new: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("render_kw", {"autocomplete": "new-password" if new else "current-password"})
        super().__init__(label, required=required or _l("Enter your password."), **kwargs)
        shortest, self.longest = SHORTEST, LONGEST
        self.shortest = shortest if new else 1

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        self.data = str(valuelist[0]) if valuelist else ""

    def pre_validate(self, form: FlaskForm) -> None:
        typed = self.data or ""
        self.stop_when_missing(not typed)
        if len(typed) > self.longest:
            raise StopValidation(
                _l("Use a password of %(longest)s characters or fewer.", longest=self.longest)
            )
        if len(typed) < self.shortest:
            raise StopValidation(
                _l("Use a password of at least %(shortest)s characters.", shortest=self.shortest)
            )
        if not _is_unicode(typed):
            raise StopValidation(_l("Type the password again: part of it could not be read."))


class QuantityField(Requirable, StringField):
    """A count from `minimum` to `maximum`, both included. `data` is the int, or None; the text typed is kept.

    ASCII digits only: `1e3`, `1_000`, `１０`, `+5` and a repeated parameter are refused.
    """

    def __init__(
        self,
        label: Sentence | None = None,
        *,
        minimum: int = 1,
        maximum: int = LARGEST_QUANTITY,
        required: Sentence | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("render_kw", {"inputmode": "numeric", "autocomplete": "off"})
        super().__init__(label, required=required or _l("Enter a whole number."), **kwargs)
        self.minimum, self.maximum = minimum, maximum
        self.typed = ""
        self.fault: Sentence | None = None

    def process_data(self, value: Any) -> None:
        self.data = value
        self.typed = "" if value is None else str(value)

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        self.data = None
        text = str(valuelist[0]) if valuelist else ""
        self.typed, self.fault = clean_text(text, max_length=TEXT_LENGTH)
        longest = len(str(self.maximum))
        digits = self.typed.lstrip("0") or self.typed[:1]
        if len(valuelist) == 1 and re.fullmatch(f"[0-9]{{1,{longest}}}", digits):
            self.data = int(digits)

    def pre_validate(self, form: FlaskForm) -> None:
        if self.fault is CARD_NUMBER_SENTENCE:
            raise StopValidation(self.fault)
        self.stop_when_missing(not self.typed)
        if self.data is None or not self.minimum <= self.data <= self.maximum:
            raise StopValidation(
                _l(
                    "Enter a whole number from %(minimum)s to %(maximum)s.",
                    minimum=self.minimum,
                    maximum=self.maximum,
                )
            )

    def _value(self) -> str:
        return self.typed


class AmountField(TextField):
    """An amount of money above nothing in the currency that `currency_of` finds; what was typed is kept.

    `minor` is it in minor units once it is validated; None while nothing was typed.
    """

    def __init__(
        self, label: Sentence | None = None, *, currency_of: Callable[[Any], str], **kwargs: Any
    ) -> None:
        kwargs.setdefault("render_kw", {"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(label, max_length=LONGEST_TYPED_AMOUNT, **kwargs)
        self.currency_of = currency_of
        self.minor: int | None = None

    def pre_validate(self, form: FlaskForm) -> None:
        super().pre_validate(form)
        self.minor = None
        if not self.data:
            return
        currency = self.currency_of(form)
        amount = read_amount(self.data, currency)
        if amount is None:
            example = amount_as_typed(Money(120 * 10 ** exponent(currency), currency))
            raise StopValidation(
                _l("Enter an amount in %(currency)s, like %(example)s.", currency=currency, example=example)
            )
        if amount.minor == 0:
            raise StopValidation(_l("Enter an amount above zero, or leave the field empty."))
        self.minor = amount.minor


class ChoiceField(Requirable, SelectField):
    """One of `choices`, (value, label) pairs. `data` is the value; `""` when none is chosen.

    With `placeholder`, an empty first choice that says what to do. When the field is not sent at all
    the given value stands, as for any drop-down of WTForms.
    """

    def __init__(
        self,
        label: Sentence | None = None,
        *,
        choices: Choices = (),
        required: Sentence | None = None,
        placeholder: Sentence | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(label, required=required, choices=[], **kwargs)
        self.placeholder = placeholder
        self.offer(choices)

    def offer(self, choices: Choices) -> None:
        """Replaces the list; what was chosen stays chosen if it is in the new one."""
        first: Choices = [("", self.placeholder)] if self.placeholder is not None else []
        self.choices = [SelectChoice(value=value, label=label) for value, label in (*first, *choices)]

    @property
    def offered(self) -> tuple[str, ...]:
        return tuple(choice.value for choice in self.choices if choice.value)

    def process_data(self, value: Any) -> None:
        self.data = "" if value is None else str(value)

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        if valuelist:
            self.data = str(valuelist[0])

    def pre_validate(self, form: FlaskForm) -> None:
        self.stop_when_missing(not self.data)
        if self.data not in self.offered or len(self.raw_data or ()) > 1:
            raise StopValidation(_l("Choose an option from the list."))


class CheckboxField(Requirable, BooleanField):
    """`data` is a bool; with `required`, it has to be ticked."""

    def pre_validate(self, form: FlaskForm) -> None:
        self.stop_when_missing(not self.data)

    def _value(self) -> str:
        return "y"


def clean_text(
    text: str, *, max_length: int, may_hold_card_number: bool = False
) -> tuple[str, Sentence | None]:
    """The text as it may be stored and shown, and the sentence that refuses it if it may not be stored.

    A card number is taken out, for whatever it was typed.

    Too long a text is not composed: NFC of a long chain of accents takes time that grows as its square.
    """
    printable = UNPRINTABLE.sub("", text.strip()).strip().strip(INVISIBLE_ENDS).strip()
    too_long = _l("Use %(max_length)s characters or fewer.", max_length=max_length)
    if len(printable) > 2 * max_length:
        return without_card_numbers(printable[:LONGEST_SHOWN_AGAIN]), too_long
    composed = unicodedata.normalize("NFC", printable)
    if not may_hold_card_number and holds_card_number(composed):
        return without_card_numbers(composed).strip(), CARD_NUMBER_SENTENCE
    if len(composed) > max_length:
        return composed, too_long
    if UNPRINTABLE.search(text.strip()):
        return composed, UNPRINTABLE_SENTENCE
    return composed, None


def stop_when_not_printable(text: str) -> None:
    """Ends validation when a letter of `text` would be missing from an invoice."""
    if letters := unprintable_letters(text):
        named = ", ".join(letters[:MOST_LETTERS_NAMED]) + (" …" if len(letters) > MOST_LETTERS_NAMED else "")
        raise StopValidation(
            _l("Invoices cannot show %(letters)s. Use other characters here.", letters=named)
        )


def is_blank(text: str | None) -> bool:
    """Whether nothing of it would be seen on paper: blanks, marks and joiners alone."""
    return all(unicodedata.category(sign) in UNSEEN or sign in BLANK_LETTERS for sign in text or "")


def is_email(text: str) -> bool:
    from email_validator import EmailNotValidError, validate_email

    try:
        # A .test address is accepted as any other: demonstrations and tests use it.
        validate_email(
            text, check_deliverability=False, allow_smtputf8=False, strict=True, test_environment=True
        )
    except EmailNotValidError:
        return False
    return True


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class RadioField(ChoiceField):
    """A ChoiceField whose choices are all seen at once."""

    widget = ListWidget(prefix_label=False)
    option_widget = RadioInput()


LONGEST_PARAGRAPH = 2000
MOST_LINES = 200


class ParagraphField(TextField):
    """Several lines, each cleaned like any other text; `data` has a line feed between them."""

    widget = TextArea()

    def __init__(
        self, label: Sentence | None = None, *, max_length: int = LONGEST_PARAGRAPH, **kwargs: Any
    ) -> None:
        super().__init__(label, max_length=max_length, **kwargs)

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        text = str(valuelist[0]) if valuelist else ""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").split("\n")
        cleaned = [clean_text(line, max_length=self.max_length) for line in lines[:MOST_LINES]]
        self.data = "\n".join(line for line, _fault in cleaned).strip()[:LONGEST_SHOWN_AGAIN]
        self.fault = next((fault for _line, fault in cleaned if fault), None)
        if holds_card_number(self.data):
            self.data, self.fault = without_card_numbers(self.data), CARD_NUMBER_SENTENCE
        if len(lines) > MOST_LINES or len(self.data) > self.max_length:
            self.fault = _l(
                "Use %(max_length)s characters or fewer, in at most %(lines)s lines.",
                max_length=self.max_length,
                lines=MOST_LINES,
            )
