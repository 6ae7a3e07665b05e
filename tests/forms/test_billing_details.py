"""The form of billing details: the country decides, and nothing typed is lost."""

from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.documents.printable import unprintable_letters
from portal.domain.addresses import countries, format_address, regions
from portal.domain.vocabulary import VatStatus
from portal.forms.billing_details import BillingDetailsForm
from tests.forms.conftest import sentences

LISTS = {
    "currencies": [("EUR", "EUR - Euro"), ("USD", "USD - US Dollar")],
    "payment_methods": [("card", "Visa/Mastercard/American Express/JCB/Discover"), ("paypal", "PayPal")],
    "payment_currencies": [("EUR", "EUR - Euro"), ("USD", "USD - US Dollar")],
}
FRENCH = {
    "display_currency": "EUR",
    "first_name": "Jeanne",
    "last_name": "Martin",
    "street": "12 rue de la Paix",
    "city": "Paris",
    "postal_code": "75002",
    "country": "FR",
    "email": "jeanne@example.com",
    "email_confirm": "jeanne@example.com",
    "payment_method": "card",
    "payment_currency": "EUR",
}
BUSINESS = FRENCH | {"is_business": "y", "company_name": "Acme SARL", "vat_number": "fr 40 303 265 045"}
ADDRESSES = {
    "US": {"street": "1 Market St", "city": "San Francisco", "region": "CA", "postal_code": "94105"},
    "CA": {"street": "1 rue Sainte", "city": "Montréal", "region": "QC", "postal_code": "h3z2y7"},
    "JP": {"street": "1-1-1 Marunouchi", "city": "Chiyoda-ku", "region": "13", "postal_code": "1000005"},
    "BR": {"street": "Av. Paulista 1", "city": "São Paulo", "region": "SP", "postal_code": "01310-100"},
    "IE": {"street": "1 Main St", "city": "Dublin", "region": "D", "postal_code": "d02af30"},
    "FR": {"street": "12 rue de la Paix", "city": "Paris", "postal_code": "75002"},
    "GB": {"street": "10 Downing St", "city": "London", "postal_code": "sw1a2aa"},
    "HK": {"street": "1 Nathan Rd", "region": "Kowloon"},
    "ES": {"street": "Calle Mayor 1", "city": "Madrid", "region": "M", "postal_code": "28013"},
    "DE": {"street": "Hauptstr. 1", "city": "Berlin", "postal_code": "10115"},
    "CR": {"street": "Avenida 1", "city": "San José", "region": "San José"},
}


def in_country(country):
    blank = {"street": "", "city": "", "postal_code": ""}
    return FRENCH | blank | ADDRESSES[country] | {"country": country}


def details_form(**options):
    return BillingDetailsForm(**(LISTS | {"locale": "en"} | options))


@pytest.fixture
def checked(submit):
    """The form after one submission of the fields, validated; its labels and errors can still be read."""
    contexts = []

    def check(fields, **options):
        contexts.append(submit(fields))
        contexts[-1].__enter__()
        form = details_form(**options)
        form.validate_on_submit()
        return form

    yield check
    for context in reversed(contexts):
        context.__exit__(None, None, None)


PRINTED = ("company_name", "first_name", "last_name", "street", "street2", "postal_code", "city")


@pytest.mark.parametrize("field", PRINTED)
def test_a_letter_that_no_invoice_can_print_is_refused_beside_its_field(checked, field):
    typed = BUSINESS.get(field, "")
    form = checked(BUSINESS | {field: f"{typed} 𒀀"})
    assert sentences(form)[field][0] == "Invoices cannot show 𒀀. Use other characters here."
    assert form[field].data.endswith("𒀀")


def test_a_typed_region_is_judged_like_any_other_line(checked):
    form = checked(in_country("CR") | {"region": "San José 𒀀𓀀"})
    assert sentences(form) == {"region": ["Invoices cannot show 𒀀, 𓀀. Use other characters here."]}


@pytest.mark.parametrize("name", ["台灣積體電路", "深圳", "ශ්\u200dරී ලංකා", "بنك", "Ŋwɛ\u0301"])
def test_names_of_other_scripts_are_taken_as_they_are(checked, name):
    form = checked(BUSINESS | {"company_name": name, "city": name})
    assert sentences(form) == {}
    assert form.answers.company_name == name


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_every_country_and_region_that_may_be_chosen_can_be_printed(locale):
    for code, name in countries(locale):
        assert unprintable_letters(name) == ()
        assert unprintable_letters("".join(region for _, region in regions(code, locale))) == ()


@pytest.mark.parametrize(
    ("country", "label", "hint"),
    [("US", "EIN", "91-1144442"), ("JP", "法人番号", "5-8356"), ("CR", "Cédula jurídica", "3-101-999999")],
)
def test_a_business_elsewhere_is_asked_for_its_number_by_its_countrys_name(checked, country, label, hint):
    form = checked(in_country(country))
    assert form.vat_number is None
    assert str(form.tax_number.label.text) == label
    assert hint in str(form.tax_number.description)


def test_where_the_name_of_the_number_is_not_known_it_is_a_tax_number(checked):
    form = checked(in_country("HK"))
    assert str(form.tax_number.label.text) == "Tax number"


@pytest.mark.parametrize("country", ["FR", "DE", "GB"])
def test_a_country_with_vat_numbers_asks_for_no_other(checked, country):
    form = checked(in_country(country) | {"is_business": "y", "company_name": "Acme", "tax_number": "1"})
    assert form.tax_number is None
    assert form.answers.tax_number == ""


def test_a_tax_number_is_optional_and_stored_as_the_country_writes_it(checked):
    business = in_country("US") | {"is_business": "y", "company_name": "Acme Inc."}
    assert checked(business).answers.tax_number == ""
    assert checked(business | {"tax_number": "911144442"}).answers.tax_number == "91-1144442"
    assert checked(in_country("US") | {"tax_number": "911144442"}).answers.tax_number == ""


@pytest.mark.parametrize(
    ("country", "typed", "sentence"),
    [
        ("US", "12", "Enter the number as it appears on your documents, for example 91-1144442."),
        ("JP", "4-8356-7825-6246", "Check this number: one of its digits is wrong."),
        ("HK", "--", "Enter the number as it appears on your documents."),
        ("HK", "𒀀1", "Invoices cannot show 𒀀. Use other characters here."),
        ("HK", "1" * 41, "Use 40 characters or fewer."),
    ],
)
def test_a_wrong_tax_number_is_refused_beside_its_field(checked, country, typed, sentence):
    business = in_country(country) | {"is_business": "y", "company_name": "Acme", "tax_number": typed}
    form = checked(business)
    assert sentences(form) == {"tax_number": [sentence]}
    assert form.tax_number.data == typed


def test_a_tax_number_of_the_country_before_is_forgotten(checked):
    typed = in_country("JP") | {"is_business": "y", "tax_number": "91-1144442", "update": "1"}
    assert checked(typed).tax_number.data == ""


def test_a_person_in_france(checked):
    form = checked(FRENCH)

    assert sentences(form) == {}
    assert form.answers.region == "75"
    assert (form.answers.company_name, form.answers.vat_number) == ("", "")
    assert format_address(form.answers, "fr") == ("12 rue de la Paix", "75002 Paris", "France")


def test_a_company_keeps_its_number_in_one_form(checked):
    form = checked(BUSINESS)

    assert sentences(form) == {}
    assert form.answers.vat_number == "FR40303265045"
    assert form.answers.company_name == "Acme SARL"


@pytest.mark.parametrize("country", ADDRESSES)
def test_an_address_of_each_kind_of_country(checked, country):
    form = checked(in_country(country))

    assert sentences(form) == {}
    assert form.answers.country == country


def test_every_starred_field_has_its_own_sentence(checked):
    form = checked({"country": "US"})

    assert sentences(form) == {
        "display_currency": ["Choose the currency to show prices in."],
        "first_name": ["Enter your first name."],
        "last_name": ["Enter your last name."],
        "street": ["Enter your address."],
        "city": ["Enter your city."],
        "region": ["Choose your state."],
        "postal_code": ["Enter your ZIP code."],
        "email": ["Enter your e-mail address."],
        "email_confirm": ["Enter your e-mail address again."],
        "payment_method": ["Choose how to pay."],
        "payment_currency": ["Choose the currency to pay in."],
    }


def test_without_a_country_the_general_form_asks_for_it(checked):
    assert sentences(checked(FRENCH | {"country": ""})) == {"country": ["Choose your country."]}
    assert sentences(checked(FRENCH | {"country": "XX"})) == {"country": ["Choose an option from the list."]}


@pytest.mark.parametrize(
    ("country", "absent", "region_label", "postal_label"),
    [
        ("FR", set(), "Region / department", "Postal code"),
        ("US", {"vat_number"}, "State", "ZIP code"),
        ("GB", {"region"}, None, "Postcode"),
        ("IE", set(), "County", "Eircode"),
        ("HK", {"postal_code", "vat_number"}, "Area", None),
        ("JP", {"vat_number"}, "Prefecture", "Postal code"),
        ("IT", set(), "Province or region", "Postal code (CAP)"),
        ("AE", {"postal_code", "city", "vat_number"}, "Emirate", None),
    ],
)
def test_labels_and_fields_follow_the_country(in_request, country, absent, region_label, postal_label):
    form = details_form(data={"country": country})

    assert {name for name in ("city", "postal_code", "region", "vat_number") if name not in form} == absent
    assert all(getattr(form, name) is None for name in absent)
    assert region_label == (str(form.region.label.text) if form.region else None)
    assert postal_label == (str(form.postal_code.label.text) if form.postal_code else None)
    assert form.address_fields[0].short_name == "street"


def test_another_country_brings_the_fields_back(in_request):
    form = details_form(data={"country": "HK"})
    form.for_country("FR", "fr")

    assert form.postal_code is not None
    assert form.region.offered[:2] == ("01", "02")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_country_makes_a_form(in_request, language):
    form = details_form(locale=language)
    for country, _name in countries(language):
        form.for_country(country, language)
        assert all(str(field.label.text) for field in form.address_fields)
        assert form.region is None or form.region.free_text or form.region.offered


def test_a_region_is_needed_where_post_needs_it(checked):
    assert sentences(checked(in_country("US") | {"region": ""})) == {"region": ["Choose your state."]}
    assert sentences(checked(in_country("IE") | {"region": ""})) == {}
    assert sentences(checked(in_country("CR") | {"region": ""})) == {
        "region": ["Enter your province, region or island."]
    }


def test_a_region_is_one_of_the_country(checked):
    assert sentences(checked(in_country("US") | {"region": "75"})) == {
        "region": ["Choose an option from the list."]
    }
    assert checked(in_country("US") | {"region": "california"}).answers.region == "CA"


def test_a_postal_code_is_one_of_the_country(checked):
    assert sentences(checked(FRENCH | {"postal_code": "7500"})) == {
        "postal_code": ["Enter a postal code from this country, for example 33380."]
    }
    assert sentences(checked(in_country("US") | {"postal_code": "10001"})) == {
        "postal_code": ["Check the postal code and the region: this code belongs to another region."]
    }


def test_a_postal_code_is_stored_as_its_country_writes_it(checked):
    assert checked(in_country("GB")).answers.postal_code == "SW1A 2AA"
    assert checked(FRENCH | {"postal_code": " 75\u00a0002 "}).answers.postal_code == "75002"


@pytest.mark.parametrize("again", ["JEANNE@Example.com", "  jeanne@example.com "])
def test_the_second_email_is_compared_trimmed_and_without_case(checked, again):
    assert sentences(checked(FRENCH | {"email_confirm": again})) == {}


def test_another_second_email_is_refused(checked):
    form = checked(FRENCH | {"email_confirm": "jean@example.com"})

    assert sentences(form) == {"email_confirm": ["Enter the same e-mail address twice."]}


def test_the_second_email_is_never_filled_in_beforehand(in_request):
    assert details_form(data={"email": "jeanne@example.com"}).email_confirm.data == ""
    assert details_form(data={"email": "j@x.test"}, known_email="j@x.test").email_confirm.data == ""


@pytest.mark.parametrize(
    ("email", "again", "refused"),
    [
        ("jeanne@example.com", "", []),
        ("JEANNE@example.com", " ", []),
        ("jeanne@example.com", "jeanne@example.com", []),
        ("jeanne@example.com", "jean@example.com", ["Enter the same e-mail address twice."]),
        ("jean@example.com", "", ["Enter your e-mail address again."]),
        ("jean@example.com", "jean@example.com", []),
    ],
)
def test_an_email_that_is_known_is_typed_a_second_time_only_when_it_changes(submit, email, again, refused):
    with submit(FRENCH | {"email": email, "email_confirm": again}):
        form = details_form(known_email="jeanne@example.com")
        form.validate_on_submit()

        assert sentences(form).get("email_confirm", []) == refused
        assert form.email_confirm.data == again.strip()


def test_a_company_needs_its_name_and_may_leave_the_number_out(checked):
    form = checked(BUSINESS | {"company_name": " ", "vat_number": ""})

    assert sentences(form) == {"company_name": ["Enter the name of your company."]}


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("FR41303265045", "Check the VAT number: one of its digits is wrong."),
        ("12", "Enter the VAT number as it appears on your documents, for example FR40303265045."),
        ("DE136695976", "Enter a VAT number from the country you chose, for example FR40303265045."),
    ],
)
def test_a_wrong_vat_number_is_refused_and_kept(checked, typed, sentence):
    form = checked(BUSINESS | {"vat_number": typed})

    assert sentences(form) == {"vat_number": [sentence]}
    assert form.vat_number.data == typed


def test_what_a_person_left_in_the_company_fields_does_not_matter(checked):
    form = checked(FRENCH | {"company_name": "x\x00" * 300, "vat_number": "nonsense"})

    assert sentences(form) == {}
    assert (form.answers.company_name, form.answers.vat_number) == ("", "")


def test_nothing_typed_is_lost(checked):
    form = checked(BUSINESS | {"email_confirm": "other@example.com", "street2": "Bât. <B>", "region": "92"})

    page = unescape("".join(field() for field in form))
    for typed in (
        "Acme SARL",
        "fr 40 303 265 045",
        "Jeanne",
        "12 rue de la Paix",
        "Bât. <B>",
        "other@example.com",
    ):
        assert f'value="{typed}"' in page
    assert '<option selected value="92">' in page
    assert '<option selected value="FR">' in page


def test_update_shows_the_regions_of_the_new_country_without_errors(checked):
    form = checked({"country": "CA", "region": "75", "update": "y", "first_name": "Jeanne"}, locale="fr")

    assert form.wants_update
    assert sentences(form) == {}
    assert form.first_name.data == "Jeanne"
    assert form.region.data == ""
    assert "Colombie-Britannique" in form.region()
    assert "formnovalidate" in form.update()


def test_update_drops_a_vat_number_of_another_country_only(checked):
    assert checked(BUSINESS | {"country": "DE", "update": "y"}).vat_number.data == ""
    assert checked(BUSINESS | {"update": "y"}).vat_number.data == "fr 40 303 265 045"


def test_a_field_of_no_interest_to_the_form_is_not_read(checked):
    form = checked(FRENCH | {"is_admin": "1", "amount_paid": "0", "vat_status": "valid"})

    assert sentences(form) == {}
    assert form.answers.vat_status == VatStatus.NONE


@settings(deadline=None)
@given(text=st.text(max_size=250), country=st.sampled_from(["FR", "US", "JP", "HK", "CR", "GB"]))
def test_no_text_in_the_details_raises(forms_app, text, country):
    fields = dict.fromkeys([*BUSINESS, "street2", "region"], text.encode("utf-8", "replace").decode())
    with forms_app.test_request_context("/", method="POST", data=fields | {"country": country}):
        form = details_form()
        form.validate_on_submit()
        "".join(field() for field in form).encode()
        assert [str(problem.sentence) for problem in form.problems]


@settings(deadline=None)
@given(country=st.text(max_size=8))
def test_no_country_raises(forms_app, country):
    fields = FRENCH | {"country": country.encode("utf-8", "replace").decode()}
    with forms_app.test_request_context("/", method="POST", data=fields):
        details_form().validate_on_submit()
