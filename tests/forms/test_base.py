"""The fields keep what was typed, refuse what cannot be stored, and say what to do in a sentence."""

import pytest
from flask import render_template_string
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from portal.forms.base import (
    CheckboxField,
    ChoiceField,
    EmailField,
    HiddenTextField,
    PasswordField,
    PortalForm,
    QuantityField,
    TextField,
    UnshownInput,
    clean_text,
    is_blank,
)
from tests.forms.conftest import sentences


class EveryFieldForm(PortalForm):
    name = TextField("Name", required="Enter your name.")
    note = TextField("Note", max_length=20)
    email = EmailField("E-mail", required="Enter your e-mail address.")
    password = PasswordField("Password")
    licences = QuantityField("Licences", maximum=1000)
    interval = ChoiceField(
        "Interval", choices=[("month", "Monthly"), ("year", "Yearly")], required="Choose one."
    )
    agree = CheckboxField("I agree")
    code = TextField("Code", widget=UnshownInput())
    token = HiddenTextField()


GOOD = {
    "name": "Jeanne",
    "email": "jeanne@example.com",
    "password": "correct horse battery",
    "licences": "5",
    "interval": "month",
}


def form_of(changes):
    return EveryFieldForm(MultiDict(GOOD | changes))


def errors_of(changes):
    form = form_of(changes)
    form.validate()
    return sentences(form)


def test_a_good_submission_has_no_error(in_request):
    form = form_of({})

    assert form.validate()
    assert form.licences.data == 5


HOSTILE_TEXTS = {
    "NUL": "Jean\x00ne",
    "line end": "Jeanne\r\nBcc: all@example.com",
    "tabulation inside": "Jeanne\tMartin",
    "C1 control": "Jean\x9bne",
    "right-to-left override": "Jeanne \u202egpj.exe",
    "isolate": "Jeanne\u2066x\u2069",
    "lone surrogate": "Jean\ud800ne",
    "line separator": "Jean\u2028ne",
    "replacement sign of a broken charset": "Jos\ufffd",
    "noncharacter": "Jean\uffffne",
    "noncharacter of another plane": "Jean\U0001fffene",
}


@pytest.mark.parametrize("typed", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_unprintable_signs_are_refused_and_left_out(in_request, typed):
    form = form_of({"name": typed})

    assert not form.validate()
    assert [str(error) for error in form.name.errors] == [
        "Check this text: characters that cannot be printed were removed from it."
    ]
    assert clean_text(form.name.data, max_length=200) == (form.name.data, None)
    form.name().encode()


HARMLESS_TEXTS = {
    "markup": "<script>alert(1)</script>",
    "attribute breaker": "\" onfocus='x' hx-get=\"/x",
    "template": "{{7*7}}{% x %}${7}",
    "SQL": "Robert'); DROP TABLE person;--",
    "formula": "=1+1",
    "percent": "%(name)s %s %%",
    "emoji family": "👨‍👩‍👧",
    "four-byte name": "𠮷野家",
    "Turkish": "İıß",
    "Arabic": "محمد",
    "Persian with a joiner": "علی‌رضا",
    "private use": "\ue000",
}


@pytest.mark.parametrize("typed", HARMLESS_TEXTS.values(), ids=HARMLESS_TEXTS)
def test_harmless_text_comes_back_as_typed(in_request, typed):
    form = form_of({"name": typed})

    assert form.validate(), form.errors
    assert form.name.data == typed
    assert "<script" not in form.name() and ' hx-get="' not in form.name()


@pytest.mark.parametrize(
    "blank", ["", "   ", "\u00a0", "\u200b", "\ufeff", "\u3164", "\u2800", "\u0301", "\u200d"]
)
def test_text_that_shows_nothing_is_missing(in_request, blank):
    assert errors_of({"name": blank}) == {"name": ["Enter your name."]}


def test_text_is_trimmed_and_composed(in_request):
    assert form_of({"name": " \ufeffRene\u0301 \n"}).name.data == "René"


def test_length_counts_composed_characters(in_request):
    assert form_of({"note": "e\u0301" * 20}).validate()
    assert errors_of({"note": "x" * 21}) == {"note": ["Use 20 characters or fewer."]}
    assert form_of({"note": "x" * 21}).note.data == "x" * 21


def test_a_very_long_chain_of_accents_is_refused_unread(in_request):
    assert errors_of({"name": "a" + "\u0301\u0316" * 50_000}) == {"name": ["Use 200 characters or fewer."]}


def test_a_missing_field_is_empty_even_when_a_value_was_given(in_request):
    form = EveryFieldForm(MultiDict(), data=GOOD)

    assert not form.validate()
    assert form.name.data == ""
    assert form.email.data == ""


GOOD_EMAILS = ["a@example.com", "a+tag@x.fr", "Jeanne.Martin@Example.COM", "a@müller.de", "a@demo.test"]
BAD_EMAILS = {
    "no at": "jeanne",
    "two at": "a@b@c.fr",
    "no dot": "a@b",
    "display name": "Jeanne <a@x.fr>",
    "quoted": '"a b"@x.fr',
    "comment": "a(x)@x.fr",
    "trailing dot": "a@x.fr.",
    "two dots": "a..b@x.fr",
    "address literal": "a@[127.0.0.1]",
    "local": "a@mail.local",
    "accent before the at": "é@x.fr",
    "header": "a@x.fr\r\nBcc: b@x.fr",
    "encoded header": "a@x.fr%0aBcc",
    "list": "a@x.fr, b@x.fr",
    "too long": "a" * 64 + "@" + "b" * 190 + ".fr",
    "long local part": "a" * 65 + "@x.fr",
}


@pytest.mark.parametrize("typed", GOOD_EMAILS)
def test_an_email_is_kept_as_typed(in_request, typed):
    form = form_of({"email": f" {typed} "})

    assert form.validate(), form.errors
    assert form.email.data == typed


@pytest.mark.parametrize("typed", BAD_EMAILS.values(), ids=BAD_EMAILS)
def test_a_bad_email_has_one_sentence(in_request, typed):
    assert list(errors_of({"email": typed})) == ["email"]
    assert len(errors_of({"email": typed})["email"]) == 1


def test_a_password_is_not_trimmed_and_never_shown_again(in_request):
    form = form_of({"password": "  twelve chars  "})

    assert form.validate()
    assert form.password.data == "  twelve chars  "
    assert "twelve" not in form.password() and "twelve" not in form.password(value=form.password.data)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Enter your password."),
        ("x" * 11, "Use a password of at least 12 characters."),
        ("x" * 129, "Use a password of 128 characters or fewer."),
        ("x" * 12 + "\ud800", "Type the password again: part of it could not be read."),
    ],
)
def test_a_password_has_12_to_128_characters(in_request, typed, sentence):
    assert errors_of({"password": typed}) == {"password": [sentence]}


def test_signing_in_asks_for_no_length(in_request):
    class SignInForm(PortalForm):
        password = PasswordField("Password", new=False)

    assert SignInForm(MultiDict({"password": "short"})).validate()


@pytest.mark.parametrize(("typed", "value"), [("1", 1), (" 5 ", 5), ("1000", 1000), ("007", 7)])
def test_a_quantity_is_ascii_digits(in_request, typed, value):
    form = form_of({"licences": typed})

    assert form.validate()
    assert form.licences.data == value


@pytest.mark.parametrize(
    "typed",
    [
        "0", "-1", "−1", "1001", "1.5", "1,5", "1e3", "1_000", "1 000", "+5", "0x10", "５", "٥", "½", "²",
        "10**9", "1" * 400, "3 OR 1=1", "NaN", "true", "[5]", '{"$gt":0}', "5 EUR",
    ],
)  # fmt: skip
def test_any_other_quantity_is_refused_and_shown_again(in_request, typed):
    form = form_of({"licences": typed})

    assert not form.validate()
    assert [str(error) for error in form.licences.errors] == ["Enter a whole number from 1 to 1000."]
    assert form.licences.typed == typed


def test_a_repeated_quantity_is_refused(in_request):
    form = EveryFieldForm(MultiDict([*GOOD.items(), ("licences", "100")]))

    assert not form.validate()
    assert list(form.errors) == ["licences"]


@pytest.mark.parametrize("typed", ["week", "MONTH", "month ", "1"])
def test_a_choice_is_one_of_the_list(in_request, typed):
    assert errors_of({"interval": typed}) == {"interval": ["Choose an option from the list."]}


def test_no_choice_has_the_sentence_of_the_field(in_request):
    assert errors_of({"interval": ""}) == {"interval": ["Choose one."]}


def test_a_given_object_fills_the_page(in_request):
    html = EveryFieldForm(data=GOOD | {"agree": True, "code": "1234"})

    assert 'value="Jeanne"' in html.name()
    assert 'value="5"' in html.licences()
    assert "selected" in html.interval()
    assert "checked" in html.agree()
    assert "1234" not in html.code()


def test_the_browser_is_not_asked_to_validate(in_request):
    form = form_of({})

    assert form.name.flags.required and not form.note.flags.required
    assert "required" not in form.name() + form.licences() + form.interval()
    assert "maxlength" not in form.note()


def test_a_template_shows_fields_as_markup_and_their_text_escaped(in_request):
    form = form_of({"name": "<b>"})
    page = render_template_string(
        "{{ form.name() }}{{ form.name }}{{ form.code() }}{{ form.token() }}", form=form
    )

    assert page.count("<input") == 4
    assert page.count('value="&lt;b&gt;"') == 2


def test_ids_differ_between_two_forms_of_a_page_and_names_do_not(in_request):
    first, second = EveryFieldForm(id_prefix="add"), EveryFieldForm(id_prefix="edit")

    assert {field.id for field in first}.isdisjoint(field.id for field in second)
    assert first.name.name == second.name.name == "name"
    assert str(first.name.label) == '<label for="add-name">Name</label>'
    assert "id=" not in first.token()


def test_added_errors_stand_beside_their_field_or_on_the_form(in_request):
    form = form_of({"name": ""})
    form.validate()
    form.add_error("email", "This address is already a contact.")
    form.add_error(None, "The price has changed.")
    form.add_error("unknown", "Something else.")

    assert [(problem.field_id, str(problem.sentence)) for problem in form.problems] == [
        ("", "The price has changed."),
        ("", "Something else."),
        ("name", "Enter your name."),
        ("email", "This address is already a contact."),
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"json": {"name": {"$gt": 0}, "licences": [5]}},
        {"json": [1, 2]},
        {"data": b"\xff\xfe", "content_type": "application/x-www-form-urlencoded"},
        {"data": "", "content_type": "text/plain"},
    ],
    ids=["JSON object", "JSON list", "broken charset", "empty"],
)
def test_a_body_that_is_no_form_is_an_empty_submission(forms_app, options):
    with forms_app.test_request_context("/", method="POST", **options):
        form = EveryFieldForm(data=GOOD)

        assert not form.validate_on_submit()
        assert form.name.data == ""


@settings(deadline=None)
@given(text=st.text(max_size=300))
def test_no_text_raises(forms_app, text):
    with forms_app.test_request_context("/"):
        form = EveryFieldForm(MultiDict(dict.fromkeys((*GOOD, "note", "agree", "code", "token"), text)))
        form.validate()
        "".join(field() for field in form).encode()
        assert text not in form.password() or len(text) < 12


@settings(deadline=None)
@given(text=st.text(max_size=300))
def test_cleaning_twice_changes_nothing(text):
    cleaned, _fault = clean_text(text, max_length=200)

    assert clean_text(cleaned, max_length=200)[0] == cleaned
    assert is_blank(cleaned) == is_blank(cleaned + " ")


def test_a_form_without_its_token_is_refused(forms_app):
    with forms_app.test_request_context("/", method="POST", data=GOOD):
        form = EveryFieldForm(meta={"csrf": True})

        assert not form.validate_on_submit()
        assert [problem.field_id for problem in form.problems] == [""]
        assert form.name.data == "Jeanne"
