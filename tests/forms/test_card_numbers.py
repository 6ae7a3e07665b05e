"""A card number that slips into a free field of a form is refused beside it, and neither kept nor shown."""

import importlib
import pkgutil

import pytest
from wtforms.fields import FileField, SubmitField
from wtforms.fields.core import UnboundField

import portal.forms
from portal.forms.base import (
    CARD_NUMBER_SENTENCE,
    CheckboxField,
    ChoiceField,
    HiddenTextField,
    PasswordField,
    PortalForm,
    QuantityField,
    RadioField,
    TextField,
    clean_text,
)
from portal.forms.billing_details import BillingDetailsForm, RegionField
from portal.forms.cards import HOLDER_IS_NO_NUMBER, UnshownField
from portal.forms.members import EmailsField
from tests.forms.conftest import sentences

NUMBER = "4242 4242 4242 4242"

# Nobody types freely into these, or what is typed is never shown and kept as a hash or not at all.
NOT_FREE = (
    HiddenTextField,
    PasswordField,
    ChoiceField,
    RadioField,
    CheckboxField,
    UnshownField,
    SubmitField,
    # A file is read by the page, and shown as what was read of it alone.
    FileField,
)
FREE = (TextField, QuantityField, EmailsField)


def forms_of(kind=PortalForm):
    for each in kind.__subclasses__():
        yield each
        yield from forms_of(each)


def free_fields():
    for module in pkgutil.iter_modules(portal.forms.__path__):
        importlib.import_module(f"portal.forms.{module.name}")
    for form in sorted({form for form in forms_of() if form.__module__.startswith("portal.")}, key=str):
        for name, field in vars(form).items():
            if isinstance(field, UnboundField) and not issubclass(field.field_class, NOT_FREE):
                yield pytest.param(field, id=f"{form.__name__}.{name}")


@pytest.mark.parametrize("field", list(free_fields()))
def test_every_free_field_refuses_a_card_number(submit, field):
    assert issubclass(field.field_class, FREE), "a new kind of field has to take card numbers out"
    alone = type("Alone", (PortalForm,), {"field": field})
    for typed in (NUMBER, f"Rue {NUMBER} Paris"):
        with submit({"field": typed}):
            form = alone()
            assert not form.validate()
            [sentence] = sentences(form)["field"]
            assert sentence in (str(CARD_NUMBER_SENTENCE), str(HOLDER_IS_NO_NUMBER))
            assert "4242" not in f"{form.field.data} {form.field()} {sentence}"


def test_the_rest_of_what_was_typed_is_kept():
    assert clean_text(f"Acme {NUMBER} Ltd", max_length=60) == ("Acme  Ltd", CARD_NUMBER_SENTENCE)


def test_a_number_over_two_lines_of_a_paragraph_is_found(submit):
    from portal.forms.operator import RefuseForm

    with submit({"reason": "card: 4242 4242\n4242 4242"}):
        form = RefuseForm()
        assert not form.validate()
        assert "4242" not in form.reason.data


def test_a_hidden_value_of_the_page_may_look_like_anything(submit):
    from portal.forms.cards import PlaceOrderForm

    with submit({"quote": "4242424242424242"}):
        form = PlaceOrderForm()
        assert form.validate()
        assert form.quote.data == "4242424242424242"


@pytest.mark.parametrize("business", ["y", ""])
def test_billing_details_show_no_number_again(submit, business):
    """Also in a region that is typed, and in fields that a private person leaves out."""
    fields = dict.fromkeys(("company_name", "vat_number", "street", "city", "region", "first_name"), NUMBER)
    with submit({**fields, "country": "GB", "is_business": business}):
        form = BillingDetailsForm(currencies=[], payment_methods=[], payment_currencies=[], locale="en")
        assert not form.validate()
        assert "4242" not in "".join(str(field()) for field in form)


def test_a_region_that_is_typed_is_cleaned_like_any_text(submit):
    class Rules:
        region_is_typed = True
        country = "XX"

    class RegionForm(PortalForm):
        region = RegionField("Region")

    with submit({"region": NUMBER}):
        form = RegionForm()
        form.region.offer_for(Rules, "en")
        assert not form.validate()
        assert sentences(form) == {"region": [str(CARD_NUMBER_SENTENCE)]}
        assert "4242" not in str(form.region())


ALLOWED = {
    "a SIRET": ("registration_number", "732 829 320 00074"),
    "a SIRET that begins like a card": ("registration_number", "30326504500017"),
    "an RNA": ("registration_number", "W751234567"),
}


@pytest.mark.parametrize(("name", "typed"), ALLOWED.values(), ids=ALLOWED)
def test_numbers_of_organisations_are_no_cards(submit, name, typed):
    from portal.forms.public import NonprofitForm

    with submit({name: typed}):
        form = NonprofitForm(countries=[], workspaces=[])
        form.validate()
        assert name not in form.errors
        assert form[name].data == typed
