"""Billing settings: whom to invoice, what documents say beside it, and who hears of changes and may buy."""

from collections import OrderedDict
from dataclasses import replace
from typing import Any

from wtforms.fields import Field

from portal.domain import legal_numbers
from portal.domain.billing_details import LONGEST_PURCHASE_ORDER, Details
from portal.domain.invoicing import ELECTRONIC_ADDRESS, FRENCH_DIRECTORY
from portal.domain.legal_numbers import LegalNumberFault, LegalNumberInvalid
from portal.domain.vocabulary import ChangeNotices, WhoMayBuy
from portal.words.i18n import Sentence
from portal.words.i18n import lazy_gettext as _l

from .base import (
    CheckboxField,
    ChoiceField,
    HiddenTextField,
    ParagraphField,
    PrintedTextField,
    RadioField,
    TextField,
    is_blank,
    stop_when_not_printable,
)
from .billing_details import DetailsForm

LONGEST_ELECTRONIC_ADDRESS = 105
TYPED_DETAILS = ("company_name", "first_name", "last_name", "street", "street2", "city", "postal_code")
"""What somebody who fills in the details types; the other fields have a value from the first."""
ORDER = (
    "version",
    "is_business",
    "company_name",
    "first_name",
    "last_name",
    "country",
    "update",
    "street",
    "street2",
    "postal_code",
    "city",
    "region",
    "legal_status",
    "legal_number",
    "vat_number",
    "tax_number",
    "electronic_address",
)
"""Of the page, for the summary of its errors; the other fields follow."""


WHO_MAY_BUY = [
    (WhoMayBuy.ANY_MEMBER.value, _l("Any full member")),
    (WhoMayBuy.BILLING.value, _l("Owners and billing managers only")),
]


class RemarksField(ParagraphField):
    """A few lines that documents print."""

    def pre_validate(self, form: Any) -> None:
        super().pre_validate(form)
        stop_when_not_printable(self.data.replace("\n", " "))


class BillingSettingsForm(DetailsForm):
    """`version` identifies the values that were shown.

    The legal status is asked where the country has several in its own words, the number where it has one.
    `may_decide`: an owner, who alone decides who buys and who sees. `has_details` False: none are kept yet,
    and as long as none are typed none are asked for (`gives_details`).
    """

    version = HiddenTextField()
    legal_status = ChoiceField(_l("Legal status"), placeholder=_l("Choose from the list"))
    legal_number = PrintedTextField(
        _l("Company number"), max_length=legal_numbers.LONGEST, render_kw={"autocomplete": "off"}
    )
    electronic_address = TextField(
        _l("Electronic address for e-invoices"),
        max_length=LONGEST_ELECTRONIC_ADDRESS,
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    purchase_order = RemarksField(
        _l("Additional remarks"),
        max_length=LONGEST_PURCHASE_ORDER,
        description=_l("Printed on invoices as you type it: a purchase order number, for example."),
        render_kw={"rows": 3},
    )
    change_notices = RadioField(
        _l("E-mail frequency"),
        required=_l("Choose how often to write."),
        choices=[
            (ChangeNotices.EACH.value, _l("At each change")),
            (ChangeNotices.MONTHLY.value, _l("Once a month")),
        ],
    )
    who_may_buy = RadioField(
        _l("Who may buy"),
        required=_l("Choose who may buy."),
        choices=WHO_MAY_BUY,
    )
    hides_plans_from_members = CheckboxField(
        _l("Hide plans and history from ordinary members"),
        description=_l("Administrators and people who manage billing still see them."),
    )

    def __init__(self, *args: Any, has_details: bool, may_decide: bool, **kwargs: Any) -> None:
        self.has_details = has_details
        self.may_decide = may_decide
        super().__init__(*args, **kwargs)

    @property
    def gives_details(self) -> bool:
        """Whether there is somebody to invoice: always, once there was."""
        return self.has_details or any(not is_blank(self._text(name)) for name in TYPED_DETAILS)

    def for_country(self, country: str, locale: str) -> None:
        names = sorted(self._every_field, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
        self._every_field: OrderedDict[str, Field] = OrderedDict(
            (name, self._every_field[name]) for name in names
        )
        super().for_country(country, locale)
        for name in ("legal_status", "legal_number", "who_may_buy", "hides_plans_from_members"):
            setattr(self, name, self._fields.get(name))
        if self.legal_status is not None:
            self.legal_status.offer((status, status) for status in legal_numbers.legal_statuses(country))
        if self.legal_number is not None:
            self.legal_number.label.text = legal_numbers.legal_number_label(country)
            self.legal_number.description = _l(
                "For example %(example)s", example=legal_numbers.legal_number_example(country)
            )
        self.electronic_address.description = (
            _l("For example 0225:732829320. If you leave this empty, your SIREN is used.")
            if legal_numbers.is_french(country)
            else _l("The code of its scheme, a colon and the address. Leave it empty if you have none.")
        )

    def _absent_beside_address(self, country: str) -> set[str]:
        absent = set() if self.may_decide else {"who_may_buy", "hides_plans_from_members"}
        if not legal_numbers.legal_statuses(country):
            absent.add("legal_status")
        if not legal_numbers.takes_legal_number(country):
            absent.add("legal_number")
        return absent

    def validate(self, extra_validators: Any = None) -> bool:
        is_valid = super().validate(extra_validators)
        if self.wants_update or self.gives_details:
            return is_valid
        for name, field in self._fields.items():
            if name not in ("purchase_order", "change_notices", "who_may_buy", "hides_plans_from_members"):
                field.errors = []
        if self.purchase_order.data and not self.purchase_order.errors:
            self.add_error("company_name", _l("Enter whom to invoice as well: remarks are printed with it."))
        return not self.errors

    @property
    def answers(self) -> Details:
        details = super().answers
        number = self._text("legal_number") if details.is_business else ""
        return replace(
            details,
            legal_status=self._text("legal_status") if details.is_business else "",
            legal_number=legal_numbers.check_legal_number(details.country, number) if number else "",
            electronic_address=self.electronic_address.data if details.is_business else "",
            purchase_order=self.purchase_order.data,
        )

    def _check_business(self) -> None:
        super()._check_business()
        if self.legal_number is not None and self.legal_number.data and not self.legal_number.errors:
            try:
                legal_numbers.check_legal_number(self.country.data, self.legal_number.data)
            except LegalNumberInvalid as refusal:
                self.add_error("legal_number", _legal_sentence(self.country.data, refusal.reason))
        address = self.electronic_address
        if address.data and not address.errors and not ELECTRONIC_ADDRESS.fullmatch(address.data):
            self.add_error(
                "electronic_address",
                _l("Enter the code of the scheme, a colon and the address, for example 0225:732829320."),
            )

    def _pass_over(self, *names: str) -> None:
        super()._pass_over(*names, "legal_status", "legal_number", "electronic_address")

    def _forget_what_no_longer_applies(self) -> None:
        super()._forget_what_no_longer_applies()
        if self.legal_status is not None and self.legal_status.data not in self.legal_status.offered:
            self.legal_status.data = ""
        if self.legal_number is not None and self.legal_number.data:
            try:
                legal_numbers.check_legal_number(self.country.data, self.legal_number.data)
            except LegalNumberInvalid:
                self.legal_number.data = ""
        if self.electronic_address.data.startswith(f"{FRENCH_DIRECTORY}:") and not legal_numbers.is_french(
            self.country.data
        ):
            self.electronic_address.data = ""


def _legal_sentence(country: str, reason: LegalNumberFault) -> Sentence:
    if reason is LegalNumberFault.CHECKSUM:
        return _l("Check this number: one of its digits is wrong.")
    return _l(
        "Enter the number as it appears on your documents, for example %(example)s.",
        example=legal_numbers.legal_number_example(country),
    )
