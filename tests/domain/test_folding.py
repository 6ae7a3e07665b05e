"""Two writings that a reader takes for one word are one word to a search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.folding import fold

SAME = {
    "capitals": ("ACME Ltd", "acme ltd"),
    "accents": ("Élodie Ångström", "elodie angstrom"),
    "composed or not": ("e\u0301cole", "\u00e9cole"),
    "sharp s": ("Straße", "STRASSE"),
    "dotted I": ("İstanbul", "istanbul"),
    "dotless i": ("Diyarbakır", "diyarbakir"),
    "ligature": ("Œuvre", "oeuvre"),
    "Danish": ("Søren Kjær", "soren kjaer"),
    "Polish": ("Łódź", "lodz"),
    "full width": ("Ａｃｍｅ１２", "acme12"),
    "printed ligature": ("ﬁnance", "finance"),
    "Greek end of a word": ("ΟΔΟΣ", "οδός"),
    "apostrophe": ("L’Atelier", "l'atelier"),
    "blanks": ("Acme\u00a0 Ltd", "acme ltd"),
    "soft hyphen": ("Ac\u00adme", "acme"),
}


@pytest.mark.parametrize("case", SAME)
def test_a_reader_takes_both_for_one_word(case):
    one, other = SAME[case]
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"), [("acme", "acne"), ("o'neil", "oneil"), ("a%", "ab"), ("a_", "ab")]
)
def test_other_words_stay_other_words(one, other):
    assert fold(one) != fold(other)


@given(st.text(max_size=40))
def test_folding_again_and_capitals_change_nothing(text):
    folded = fold(text)
    assert fold(folded) == folded
    assert fold(text.upper().lower()) == fold(text.upper())
