"""People as mail programs, spreadsheets and hands write them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portal.domain.addressees import read_addressees

LOVELACE = ("ada@x.example", "Lovelace, Ada")
NAMELESS = [("ada@x.example", ""), ("bob@x.example", "")]
ADA, BOB = ("ada@x.example", "Ada"), ("bob@x.example", "Bob")

PASTED = {
    "a mail program": ("Ada <ada@x.example>; Bob <bob@x.example>", [ADA, BOB]),
    "commas": ("Ada <ada@x.example>, Bob <bob@x.example>", [ADA, BOB]),
    "a line each": ("Ada <ada@x.example>\r\nBob <bob@x.example>\r\n", [ADA, BOB]),
    "blanks only": ("Ada <ada@x.example> Bob <bob@x.example>", [ADA, BOB]),
    "no names": ("ada@x.example bob@x.example", NAMELESS),
    "a comma in quotes": ('"Lovelace, Ada" <ada@x.example>, Bob <bob@x.example>', [LOVELACE, BOB]),
    "a comma without quotes": (
        "Lovelace, Ada <ada@x.example>; Bob <bob@x.example>", [LOVELACE, BOB],
    ),
    "a semicolon and brackets in quotes": ('"A; <B> @" <ada@x.example>', [("ada@x.example", "A; <B> @")]),
    "quotes in quotes": ('"Ada ""Al"" L" <ada@x.example>', [("ada@x.example", 'Ada "Al" L')]),
    "single quotes": ("'Ada' <ada@x.example>;", [ADA]),
    "an apostrophe": ("O'Neil <ada@x.example>", [("ada@x.example", "O'Neil")]),
    "the address as its name": ("ada@x.example <ada@x.example>", [("ada@x.example", "")]),
    "the address as its name in quotes": ('"ada@x.example" <ada@x.example>', [("ada@x.example", "")]),
    "a link": ("Ada <mailto:ada@x.example> MAILTO:bob@x.example", [ADA, ("bob@x.example", "")]),
    "a column": ("E-mail\nada@x.example  \nbob@x.example\t\n\n", NAMELESS),
    "a column with quotes": ('"E-mail"\n"ada@x.example"\n"bob@x.example"', NAMELESS),
    "a French heading": ("Adresse électronique\nada@x.example", [("ada@x.example", "")]),
    "two columns": ("Nom\tCourriel\nAda\tada@x.example\nBob\tbob@x.example", [ADA, BOB]),
    "the address first": ("ada@x.example\tAda\nbob@x.example\tBob", [ADA, BOB]),
    "three columns": ("Ada\tLovelace\tada@x.example", [("ada@x.example", "Ada Lovelace")]),
    "a row of addresses": ("ada@x.example\tbob@x.example", NAMELESS),
    "a file with commas": ("Name,Email\nAda,ada@x.example\nBob,bob@x.example", [ADA, BOB]),
    "a French file": ("Nom;E-mail\nAda;ada@x.example\nBob;bob@x.example", [ADA, BOB]),
    "cells with a comma in them": ('"Lovelace, Ada <ada@x.example>"\n"Bob <bob@x.example>"', [LOVELACE, BOB]),
    "a mark of order": ("\ufeffada@x.example", [("ada@x.example", "")]),
    "nothing": (" \n;,\t ", []),
}  # fmt: skip


@pytest.mark.parametrize("case", PASTED)
def test_everybody_is_read_with_their_name(case):
    text, people = PASTED[case]
    assert [(each.email, each.name) for each in read_addressees(text)] == people


WRONG = {
    "a word": ("nobody, Bob <bob@x.example>", "nobody"),
    "a word among addresses": ("ada@x.example nobody", "nobody"),
    "an open bracket": ("Ada <ada@x.example", "<ada@x.example"),
    "an open quote": ('"Ada ada@x.example', "Ada"),
    "two addresses for one": ("bob@x.example <ada@x.example>", "bob@x.example"),
    "a heading further down": ("ada@x.example\nE-mail", "E-mail"),
    "nothing in brackets": ("Ada <>", "<>"),
    "marks of a page": ("ada@x.example, <b>dan</b>", "<b>dan</b>"),
    "a bracket too many": ("Ada <ada@x.example>>", ">"),
}


@pytest.mark.parametrize("case", WRONG)
def test_no_piece_is_lost_in_silence(case):
    text, piece = WRONG[case]
    assert piece in [each.email for each in read_addressees(text)]


@given(st.text(alphabet="ab@<>\",;\t\n 'x.", max_size=60))
@example('";@"\t<;@')
def test_any_text_is_read_and_every_address_of_it_found(text):
    """A name in quotes may have an @ in it, and be that of two people in one cell."""
    found = " ".join(each.email for each in read_addressees(text))
    assert found.count("@") <= text.count("@")
    if '"' not in text and "<" not in text and ">" not in text:
        assert found.count("@") == text.count("@")


@pytest.mark.parametrize("unit", ["a@b ", "<a@b>", "a@b,", '"a" <a@b>;', "a@b\t"])
def test_a_very_long_text_is_read_to_its_end(unit):
    """A reader whose time grew as the square would not come back."""
    assert len(read_addressees(unit * 20_000)) == 20_000
