"""Billing details by the country's own rules: on page 1 of the checkout, and wherever else they are asked."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from flask_babel import get_locale
from flask_wtf import FlaskForm
from wtforms.fields import Field, SubmitField
from wtforms.validators import StopValidation
from wtforms.widgets import Select, TextInput

from portal.domain import addresses, tax_numbers, vat_numbers
from portal.domain.addresses import AddressFault, AddressRules
from portal.domain.billing_details import Details
from portal.domain.tax_numbers import TaxNumberFault, TaxNumberInvalid
from portal.domain.vat_numbers import VatNumberFault, VatNumberInvalid
from portal.domain.vocabulary import VatStatus
from portal.words.i18n import Choices, Sentence
from portal.words.i18n import lazy_gettext as _l

from .addresses import CITY_WORDS, POSTAL_CODE_WORDS, REGION_WORDS, TYPED_REGION_MISSING, AddressWords
from .base import (
    CheckboxField,
    ChoiceField,
    EmailField,
    PortalForm,
    PrintedTextField,
    TextField,
    clean_text,
    is_blank,
    stop_when_not_printable,
)

REGION_LENGTH = 100


EMAIL_NOT_REPEATED = _l("Enter your e-mail address again.")
REGION_DERIVED = _l("If you leave this empty, it is taken from the postal code.")
DEFAULT_RULES = AddressRules(
    country="",
    fields=("street", "street2", "postal_code", "city"),
    required=frozenset({"street", "city"}),
    region_label="province",
    region_is_typed=False,
    city_label="city",
    postal_code_label="postal",
    postal_code_pattern="",
    postal_code_examples=(),
)
"""While no country is chosen."""


class RegionField(ChoiceField):
    """A drop-down of the country's regions, or a text field where it has no list of them.

    `data` is the region's code; a name that was sent instead is taken for its code.
    """

    def __init__(self, label: Sentence | None = None, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.free_text = False
        self.fault: Sentence | None = None

    def offer_for(self, rules: AddressRules, locale: str) -> None:
        self.free_text = rules.region_is_typed
        self.widget = TextInput() if self.free_text else Select()
        if self.free_text:
            self.data, self.fault = clean_text(self.data, max_length=REGION_LENGTH)
            return
        self.data = addresses.match_region(rules.country, self.data) or self.data
        self.offer(addresses.regions(rules.country, locale))

    def pre_validate(self, form: FlaskForm) -> None:
        if not self.free_text:
            super().pre_validate(form)
            return
        if self.fault is not None:
            raise StopValidation(self.fault)
        self.stop_when_missing(is_blank(self.data))
        stop_when_not_printable(self.data)

    def _value(self) -> str:
        return str(self.data)


class DetailsForm(PortalForm):
    """Whom to invoice.

    Labels, lists and needs follow the country. A field that the country's addresses do not have is None,
    like any field removed from a form. "Update the form" (`wants_update`) shows the form of the country
    just chosen, with what was typed and without errors. `known_email` was typed twice before: it is not
    asked a second time unless it changes.
    """

    is_business = CheckboxField(_l("I represent a company"))
    company_name = PrintedTextField(_l("Company name"), render_kw={"autocomplete": "organization"})
    vat_number = TextField(
        _l("VAT number"), max_length=vat_numbers.LONGEST_TYPED, render_kw={"autocomplete": "off"}
    )
    tax_number = PrintedTextField(
        _l("Tax number"), max_length=tax_numbers.LONGEST, render_kw={"autocomplete": "off"}
    )
    first_name = PrintedTextField(
        _l("First name"), required=_l("Enter your first name."), render_kw={"autocomplete": "given-name"}
    )
    last_name = PrintedTextField(
        _l("Last name"), required=_l("Enter your last name."), render_kw={"autocomplete": "family-name"}
    )
    country = ChoiceField(
        _l("Country"),
        placeholder=_l("Choose a country"),
        required=_l("Choose your country."),
        render_kw={"autocomplete": "country"},
    )
    update = SubmitField(_l("Update the form"), render_kw={"formnovalidate": True})
    street = PrintedTextField(
        _l("Address"), required=_l("Enter your address."), render_kw={"autocomplete": "address-line1"}
    )
    street2 = PrintedTextField(_l("Address, second line"), render_kw={"autocomplete": "address-line2"})
    postal_code = PrintedTextField(
        _l("Postal code"), max_length=addresses.LONGEST_POSTAL_CODE, render_kw={"autocomplete": "postal-code"}
    )
    city = PrintedTextField(_l("City"), render_kw={"autocomplete": "address-level2"})
    region = RegionField(
        _l("Province or region"),
        placeholder=_l("Choose from the list"),
        render_kw={"autocomplete": "address-level1"},
    )
    email = EmailField(_l("E-mail"), required=_l("Enter your e-mail address."))
    email_confirm = TextField(
        _l("Confirm the e-mail"),
        required=EMAIL_NOT_REPEATED,
        max_length=254,
        render_kw={"autocomplete": "email", "inputmode": "email", "spellcheck": "false"},
    )

    def __init__(self, *args: Any, known_email: str = "", locale: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known_email = known_email
        language = locale or str(get_locale() or "en")
        self.country.offer(addresses.countries(language))
        if known_email:
            self.email_confirm.required = None
            self.email_confirm.description = _l("Only if you change the address.")
        self._every_field: OrderedDict[str, Field] = OrderedDict(self._fields)
        self.for_country(self.country.data, language)
        if self.wants_update:
            self._forget_what_no_longer_applies()

    @property
    def wants_update(self) -> bool:
        """Whether the form is only to be shown again, for the country just chosen."""
        return self.is_submitted() and bool(self.update.data)

    @property
    def address_fields(self) -> tuple[Field, ...]:
        """The address's fields in the order of the country's own lines."""
        return tuple(self[name] for name in self.rules.fields)

    def for_country(self, country: str, locale: str) -> None:
        """Labels, lists, needs and absent fields of `country`; general ones when it is no country."""
        self.rules = _rules_or_default(country)
        absent = {"postal_code", "city", "region"} - set(self.rules.fields)
        if not vat_numbers.takes_vat_number(country):
            absent.add("vat_number")
        if not tax_numbers.takes_tax_number(country):
            absent.add("tax_number")
        absent |= self._absent_beside_address(country)
        self._fields: OrderedDict[str, Field] = OrderedDict(
            (name, f) for name, f in self._every_field.items() if name not in absent
        )
        for name in ("postal_code", "city", "region", "vat_number", "tax_number"):
            setattr(self, name, self._fields.get(name))
        if self.region is not None:
            words = REGION_WORDS.get(self.rules.region_label, REGION_WORDS["province"])
            self._ask(self.region, words)
            if self.rules.region_is_typed:
                self.region.required = TYPED_REGION_MISSING
            self.region.description = REGION_DERIVED if country == "FR" else ""
            self.region.offer_for(self.rules, locale)
        if self.postal_code is not None:
            self._ask(self.postal_code, POSTAL_CODE_WORDS[self.rules.postal_code_label])
            self.postal_code.description = _example(self.rules)
        if self.city is not None:
            self._ask(self.city, CITY_WORDS[self.rules.city_label])
        if self.vat_number is not None:
            self.vat_number.description = _l(
                "%(local_name)s, for example %(example)s",
                local_name=_capitalised(vat_numbers.vat_label(country)),
                example=vat_numbers.vat_example(country),
            )

        if self.tax_number is not None:
            self._name_tax_number(country)

    def _absent_beside_address(self, country: str) -> set[str]:
        """Fields of a form of its own that nobody in `country` is asked for."""
        return set()

    def _name_tax_number(self, country: str) -> None:
        """By what the country itself calls it, in its own words, where we know."""
        self.tax_number.label.text = tax_numbers.tax_number_label(country) or _l("Tax number")
        example = tax_numbers.tax_number_example(country)
        self.tax_number.description = (
            _l(
                "Your company’s tax number, for example %(example)s. It is printed on the invoice.",
                example=example,
            )
            if example
            else _l("If your company has one. It is printed on the invoice.")
        )

    def validate(self, extra_validators: dict[str, list[Callable[..., None]]] | None = None) -> bool:
        """Always False, without errors, when only an update is wanted."""
        if self.wants_update:
            return False
        super().validate(extra_validators)
        if self.is_business.data:
            self._check_business()
        else:
            self._pass_over("company_name", "vat_number", "tax_number")
        self._check_address()
        self._check_email_confirm()
        return not self.errors

    @property
    def answers(self) -> Details:
        """Call it on a valid form only."""
        business = bool(self.is_business.data)
        country = self.country.data
        postal_code = addresses.normalise_postal_code(country, self._text("postal_code"))
        typed_vat_number = self._text("vat_number") if business else ""
        vat_number = vat_numbers.check_vat_number(country, typed_vat_number) if typed_vat_number else ""
        typed_tax_number = self._text("tax_number") if business else ""
        tax_number = tax_numbers.check_tax_number(country, typed_tax_number) if typed_tax_number else ""
        return Details(
            is_business=business,
            company_name=self.company_name.data if business else "",
            vat_number=vat_number,
            # The register is asked later.
            vat_status=VatStatus.UNCHECKED if vat_number else VatStatus.NONE,
            first_name=self.first_name.data,
            last_name=self.last_name.data,
            street=self.street.data,
            street2=self._text("street2"),
            postal_code=postal_code,
            city=self._text("city"),
            region=self._text("region") or addresses.region_from_postal_code(country, postal_code),
            country=country,
            email=self.email.data,
            tax_number=tax_number,
        )

    def _text(self, name: str) -> str:
        return str(self._fields[name].data) if name in self._fields else ""

    def _ask(self, field: Field, words: AddressWords) -> None:
        field.label.text = words.label
        field.required = words.missing if field.short_name in self.rules.required else None

    def _pass_over(self, *names: str) -> None:
        for name in names:
            if name in self._fields:
                self[name].errors = []

    def _check_business(self) -> None:
        if not self.company_name.errors and is_blank(self.company_name.data):
            self.add_error("company_name", _l("Enter the name of your company."))
        self._check_tax_number()
        if self.vat_number is None or self.vat_number.errors or not self.vat_number.data:
            return
        try:
            vat_numbers.check_vat_number(self.country.data, self.vat_number.data)
        except VatNumberInvalid as refusal:
            self.add_error("vat_number", _vat_sentence(self.country.data, refusal.reason))

    def _check_tax_number(self) -> None:
        if self.tax_number is None or self.tax_number.errors or not self.tax_number.data:
            return
        try:
            tax_numbers.check_tax_number(self.country.data, self.tax_number.data)
        except TaxNumberInvalid as refusal:
            self.add_error("tax_number", _tax_sentence(self.country.data, refusal.reason))

    def _check_address(self) -> None:
        if self.country.errors:
            return
        typed = {name: self._text(name) for name in ("street", "street2", "city", "postal_code", "region")}
        for name, fault in addresses.validate_address(country=self.country.data, **typed).items():
            if not self[name].errors:
                self.add_error(name, self._address_sentence(name, fault))

    def _address_sentence(self, name: str, fault: AddressFault) -> Sentence:
        if fault is AddressFault.MISMATCH:
            return _l("Check the postal code and the region: this code belongs to another region.")
        if fault is AddressFault.REQUIRED:
            return self[name].required
        if name == "postal_code":
            example = self.rules.postal_code_examples[0] if self.rules.postal_code_examples else ""
            return _l("Enter a postal code from this country, for example %(example)s.", example=example)
        return _l("Choose an option from the list.")

    def _check_email_confirm(self) -> None:
        if self.email.errors or self.email_confirm.errors:
            return
        if is_blank(self.email_confirm.data):
            if self.email.data.casefold() != self.known_email.casefold():
                self.add_error("email_confirm", EMAIL_NOT_REPEATED)
            return
        if self.email.data.casefold() != self.email_confirm.data.casefold():
            self.add_error("email_confirm", _l("Enter the same e-mail address twice."))

    def _forget_what_no_longer_applies(self) -> None:
        """A region, a VAT number or a tax number of the country chosen before."""
        if self.tax_number is not None and self.tax_number.data:
            try:
                tax_numbers.check_tax_number(self.country.data, self.tax_number.data)
            except TaxNumberInvalid:
                self.tax_number.data = ""
        if (
            self.region is not None
            and not self.region.free_text
            and self.region.data not in self.region.offered
        ):
            self.region.data = ""
        if self.vat_number is None or not self.vat_number.data:
            return
        try:
            vat_numbers.check_vat_number(self.country.data, self.vat_number.data)
        except VatNumberInvalid as refusal:
            if refusal.reason is VatNumberFault.COUNTRY:
                self.vat_number.data = ""


class BillingDetailsForm(DetailsForm):
    """Checkout, page 1 (« Coordonnées de facturation »): whom to invoice, and how they pay."""

    display_currency = ChoiceField(
        _l("Display currency"), required=_l("Choose the currency to show prices in.")
    )
    show_price = SubmitField(_l("Show the price"), render_kw={"formnovalidate": True})
    payment_method = ChoiceField(_l("Payment method"), required=_l("Choose how to pay."))
    payment_currency = ChoiceField(_l("Payment currency"), required=_l("Choose the currency to pay in."))

    def __init__(
        self,
        *args: Any,
        currencies: Choices,
        payment_methods: Choices,
        payment_currencies: Choices,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.display_currency.offer(currencies)
        self.payment_method.offer(payment_methods)
        self.payment_currency.offer(payment_currencies)

    @property
    def wants_update(self) -> bool:
        """Also for the currency just chosen."""
        return super().wants_update or (self.is_submitted() and bool(self.show_price.data))


def _rules_or_default(country: str) -> AddressRules:
    try:
        return addresses.address_rules(country)
    except addresses.UnknownCountry:
        return DEFAULT_RULES


def _capitalised(text: str) -> str:
    """At the beginning of a sentence; the rest keeps its own capitals."""
    return text[:1].upper() + text[1:]


def _example(rules: AddressRules) -> Sentence:
    if not rules.postal_code_examples:
        return ""
    return _l("For example %(example)s", example=rules.postal_code_examples[0])


def _tax_sentence(country: str, reason: TaxNumberFault) -> Sentence:
    if reason is TaxNumberFault.CHECKSUM:
        return _l("Check this number: one of its digits is wrong.")
    example = tax_numbers.tax_number_example(country)
    if not example:
        return _l("Enter the number as it appears on your documents.")
    return _l("Enter the number as it appears on your documents, for example %(example)s.", example=example)


def _vat_sentence(country: str, reason: VatNumberFault) -> Sentence:
    example = vat_numbers.vat_example(country)
    if reason is VatNumberFault.CHECKSUM:
        return _l("Check the VAT number: one of its digits is wrong.")
    if reason is VatNumberFault.COUNTRY:
        return _l("Enter a VAT number from the country you chose, for example %(example)s.", example=example)
    return _l(
        "Enter the VAT number as it appears on your documents, for example %(example)s.", example=example
    )
