"""Checkout, page 2, and adding a method: what is typed of a card never goes back to the page."""

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from flask_wtf import FlaskForm
from wtforms.fields import Field, StringField
from wtforms.validators import StopValidation
from wtforms.widgets import TextInput

from portal.domain.ibans import IbanFault, IbanInvalid, read_iban
from portal.domain.vocabulary import CardBrand
from portal.gateways.base import CardData, DebitAccount, TypedMethod
from portal.gateways.cards import (
    card_brand,
    expires_before,
    luhn_valid,
    normalise_number,
    security_code_length,
)
from portal.words.i18n import Sentence
from portal.words.i18n import lazy_gettext as _l

from .base import (
    CheckboxField,
    ChoiceField,
    HiddenTextField,
    PortalForm,
    RadioField,
    Requirable,
    TextField,
    UnshownInput,
)

YEARS_OFFERED = 16
HOLDER_IS_NO_NUMBER = _l("Enter the name on the card here, not its number.")
CARD_NUMBER_LIKE = re.compile(r"(?:\d\W*){12}")


class UnshownField(Requirable, StringField):
    """Digits that never go back to the page, not even after a mistake."""

    widget = UnshownInput()

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = normalise_number(str(valuelist[0]).strip()) if valuelist else ""

    def process_data(self, value: Any) -> None:
        self.data = ""

    def _value(self) -> str:
        return ""

    def pre_validate(self, form: FlaskForm) -> None:
        self.stop_when_missing(not self.data)


class MethodForm(PortalForm):
    """Of a payment method. `first_field`: beside which a decline stands; None: above the form."""

    first_field: str | None = None

    @property
    def source(self) -> TypedMethod | None:
        """What was typed here, once it is validated; None where nothing is."""
        return None


class PlaceOrderForm(MethodForm):
    """Checkout, page 2, where the payment method asks for nothing more (PayPal)."""

    auto_renewal = CheckboxField(_l("Switch on automatic renewal for this order"))
    quote = HiddenTextField(max_length=64)


class NewCardForm(MethodForm):
    """A card to pay with or to keep. Number and code are never shown again."""

    first_field = "number"
    number = UnshownField(
        _l("Card number"),
        required=_l("Enter the number of your card."),
        render_kw={"autocomplete": "cc-number", "inputmode": "numeric", "data-card-number": True},
    )
    exp_month = ChoiceField(
        _l("Expiry month"),
        choices=[(f"{month:02}", f"{month:02}") for month in range(1, 13)],
        placeholder=_l("Month"),
        required=_l("Choose the month in which your card expires."),
        render_kw={"autocomplete": "cc-exp-month"},
    )
    exp_year = ChoiceField(
        _l("Expiry year"),
        placeholder=_l("Year"),
        required=_l("Choose the year in which your card expires."),
        render_kw={"autocomplete": "cc-exp-year"},
    )
    security_code = UnshownField(
        _l("Security code"),
        description=_l("CVV2/CVC2: 3 digits on the back; 4 on the front of an American Express."),
        required=_l("Enter the security code of your card."),
        render_kw={"autocomplete": "cc-csc", "inputmode": "numeric"},
    )
    holder = TextField(
        _l("Name on the card"),
        required=_l("Enter the name as it appears on the card."),
        card_number_sentence=HOLDER_IS_NO_NUMBER,
        max_length=100,
        render_kw={"autocomplete": "cc-name"},
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        years = range(today.year, today.year + YEARS_OFFERED)
        self.exp_year.offer((str(year), str(year)) for year in years)

    @property
    def brand(self) -> CardBrand | None:
        return card_brand(self.number.data)

    @property
    def source(self) -> TypedMethod | None:
        return CardData(
            number=self.number.data,
            exp_month=int(self.exp_month.data),
            exp_year=int(self.exp_year.data),
            security_code=self.security_code.data,
            holder=self.holder.data,
        )

    def validate_number(self, field: Field) -> None:
        if not (field.data.isascii() and field.data.isdigit()):
            raise StopValidation(_l("Enter the card number using digits only; spaces are allowed."))
        if not luhn_valid(field.data):
            raise StopValidation(_l("Check the card number: one of its digits is wrong."))
        if self.brand is None:
            raise StopValidation(
                _l("Enter a Visa, Mastercard, American Express, JCB or Discover card number.")
            )

    def validate_security_code(self, field: Field) -> None:
        right_length = security_code_length(self.brand)
        lengths = {right_length} if self.brand else {3, 4}
        if not (field.data.isascii() and field.data.isdigit() and len(field.data) in lengths):
            raise StopValidation(_l("Enter the %(length)s digits of the security code.", length=right_length))

    def validate_holder(self, field: Field) -> None:
        """A number that slipped into the wrong field is not shown again either."""
        if CARD_NUMBER_LIKE.search(field.data):
            field.data = ""
            raise StopValidation(HOLDER_IS_NO_NUMBER)

    def validate(self, extra_validators: dict[str, list[Callable[..., None]]] | None = None) -> bool:
        super().validate(extra_validators)
        if not (self.exp_month.errors or self.exp_year.errors) and self._is_over():
            self.add_error("exp_month", _l("This card has expired: check the date, or use another card."))
        return not self.errors

    def _is_over(self) -> bool:
        return expires_before(int(self.exp_month.data), int(self.exp_year.data), self.today)


class IbanField(HiddenTextField):
    """`data` is the IBAN without blanks once it is right; what was typed is shown again, to be mended.

    Its digits may look like those of a card.
    """

    widget = TextInput()

    def pre_validate(self, form: FlaskForm) -> None:
        super().pre_validate(form)
        try:
            self.data = read_iban(self.data)
        except IbanInvalid as invalid:
            if invalid.reason == IbanFault.OUTSIDE_SEPA:
                raise StopValidation(
                    _l("Accounts of this country cannot be debited. Enter an IBAN of the SEPA area.")
                ) from None
            raise StopValidation(
                _l(
                    "Check the IBAN: a letter or digit is wrong or missing. One looks like %(example)s.",
                    example=IBAN_EXAMPLE,
                )
            ) from None


IBAN_EXAMPLE = "FR76 3000 6000 0112 3456 7890 189"


class NewDebitForm(MethodForm):
    """A bank account to debit, with the mandate for it. `mandate` is the reference that the page showed."""

    first_field = "iban"
    iban = IbanField(
        _l("IBAN"),
        required=_l("Enter the IBAN of the account to debit."),
        max_length=50,
        render_kw={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"},
    )
    holder = TextField(
        _l("Name of the account holder"),
        required=_l("Enter the name of the account holder."),
        max_length=70,
        render_kw={"autocomplete": "name"},
    )
    agreed = CheckboxField(_l("I give this mandate"), required=_l("Tick the box to give the mandate."))
    mandate = HiddenTextField(max_length=35)

    @property
    def source(self) -> TypedMethod | None:
        return DebitAccount(iban=self.iban.data, holder=self.holder.data)

    def ask_anew(self, mandate: str) -> None:
        """The reference that was shown is another's by now: the box is to be ticked beside this one."""
        self.mandate.data, self.agreed.data = mandate, False


class HostedMethodForm(MethodForm):
    """A method that is entered on the gateway's own page."""


class CardForm(NewCardForm, PlaceOrderForm):
    """Checkout, page 2, for a card that is typed here. Automatic renewal is never ticked beforehand."""


class DebitForm(NewDebitForm, PlaceOrderForm):
    """Checkout, page 2, for a bank account that is typed here."""


NEW_CARD = NEW_ACCOUNT = "new"
"""What is chosen where none of the saved ones is."""


class _WithSaved(MethodForm):
    """One of the saved methods, or `another` that is typed here, in the fields `typed`."""

    method = RadioField(_l("Pay with"), required=_l("Choose how to pay."))
    another: tuple[str, Sentence]
    typed: tuple[str, ...]

    def __init__(
        self,
        *args: Any,
        saved: Sequence[tuple[str, Sentence]],
        data: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, data={"method": saved[0][0], **(data or {})}, **kwargs)
        self.method.offer([*saved, self.another])
        if self.is_submitted() and not self.method.raw_data:
            # Sent from a page on which none was saved yet: what was typed there pays, and nothing else.
            self.method.data = self.another[0]

    @property
    def saved_method(self) -> str:
        """The one that is chosen; empty for what is typed."""
        return "" if self.method.data == self.another[0] else str(self.method.data or "")

    @property
    def source(self) -> TypedMethod | None:
        return None if self.saved_method else super().source

    def validate(self, extra_validators: dict[str, list[Callable[..., None]]] | None = None) -> bool:
        """Nothing that is typed of another one is looked at where a saved one pays."""
        is_right = super().validate(extra_validators)
        if not self.saved_method or self.method.errors:
            return is_right
        for name in self.typed:
            self[name].errors = []
        return not self.errors


class CardOrSavedForm(_WithSaved, CardForm):
    """Checkout, page 2, where cards are saved."""

    another = (NEW_CARD, _l("Another card"))
    typed = ("number", "exp_month", "exp_year", "security_code", "holder")


class DebitOrSavedForm(_WithSaved, DebitForm):
    """Checkout, page 2, where bank accounts are saved."""

    another = (NEW_ACCOUNT, _l("Another bank account"))
    typed = ("iban", "holder", "agreed", "mandate")
