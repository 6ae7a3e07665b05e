"""Licence keys: what they look like, what is forgiven in a typed one, and which mistakes never pass."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.licence_keys import (
    LENGTH,
    RANDOM_BITS,
    SIGNS,
    ForeignSign,
    Mistyped,
    WrongLength,
    grouped,
    key_of,
    read_key,
)

BITS = st.integers(0, (1 << RANDOM_BITS) - 1)
KEYS = BITS.map(key_of)
PLACES = st.integers(0, LENGTH - 1)
# 0 as 26 signs of 0, and 1 modulo 1021 as the last two.
FIRST = "0" * 27 + "1"


def test_the_first_and_the_last_key():
    assert key_of(0) == FIRST
    assert grouped(FIRST) == "0000-0000-0000-0000-0000-0000-0001"
    assert key_of((1 << RANDOM_BITS) - 1).startswith("Z" * 26)


def test_no_sign_is_taken_for_another():
    assert len(SIGNS) == len(set(SIGNS)) == 32
    assert not set("ILOU") & set(SIGNS)
    assert RANDOM_BITS >= 128


@given(bits=BITS)
def test_every_key_is_read_as_it_is_shown(bits):
    key = key_of(bits)
    assert len(key) == LENGTH
    assert set(key) <= set(SIGNS)
    assert [len(group) for group in grouped(key).split("-")] == [4] * 7
    assert read_key(grouped(key)) == key


@given(one=BITS, other=BITS)
def test_two_keys_differ_where_their_bits_do(one, other):
    assert (key_of(one) == key_of(other)) == (one == other)


@given(key=KEYS, sign=st.sampled_from(SIGNS), place=PLACES)
def test_one_wrong_sign_never_passes(key, sign, place):
    wrong = key[:place] + sign + key[place + 1 :]
    if wrong == key:
        assert read_key(wrong) == key
    else:
        with pytest.raises(Mistyped):
            read_key(wrong)


@given(key=KEYS, one=PLACES, other=PLACES)
def test_two_signs_that_changed_places_never_pass(key, one, other):
    signs = list(key)
    signs[one], signs[other] = signs[other], signs[one]
    if "".join(signs) == key:
        assert read_key("".join(signs)) == key
    else:
        with pytest.raises(Mistyped):
            read_key("".join(signs))


@given(text=st.text(max_size=60))
def test_whatever_is_typed_is_a_key_or_refused_by_name(text):
    with contextlib.suppress(ForeignSign, WrongLength, Mistyped):
        assert len(read_key(text)) == LENGTH


@pytest.mark.parametrize(
    "typed",
    [
        grouped(FIRST),
        grouped(FIRST).lower(),
        f"  {grouped(FIRST)}\n",
        grouped(FIRST).replace("-", " "),
        grouped(FIRST).replace("-", "\u2013"),  # A word processor's dash.
        grouped(FIRST).replace("-", "\u202f"),
        grouped(FIRST).replace("-", "."),
        "o" * 27 + "l",  # What looks like a digit is one.
        "O" * 27 + "I",
        "\uff10" * 27 + "\uff11",  # Digits of the full width.
    ],
)
def test_spaces_dashes_case_and_lookalikes_are_forgiven(typed):
    assert read_key(typed) == FIRST


@pytest.mark.parametrize(
    ("typed", "signs"), [("", 0), ("  - ", 0), ("0000", 4), (FIRST + "0", 29), ("0" * 10_000, 10_000)]
)
def test_the_wrong_length_is_told_with_what_was_typed(typed, signs):
    with pytest.raises(WrongLength) as refused:
        read_key(typed)
    assert refused.value.signs == signs


@pytest.mark.parametrize(
    ("typed", "sign"), [("\U0001f511", "\U0001f511"), ("0000-U000", "U"), ("héhé", "É"), ("a@b", "@")]
)
def test_a_sign_of_no_key_is_named(typed, sign):
    with pytest.raises(ForeignSign) as refused:
        read_key(typed)
    assert refused.value.sign == sign
