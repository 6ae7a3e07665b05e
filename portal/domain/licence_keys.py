"""How a licence key is written, and how what somebody typed is read.

A key is 130 random bits as 26 signs, and two more that show a typing mistake: the number that all 28 write
leaves 1 when it is divided by 1021, as that of an IBAN does by 97. 1021 is prime and larger than 32, so that
one wrong sign, or two that changed places anywhere in the key, never pass (docs/adr/0030).
"""

import re
import unicodedata

from .errors import PortalError

SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Digits and letters without I, L, O and U: none is taken for another, and no word comes of them."""
RANDOM_BITS = 130
LENGTH = 28
GROUP = 4
_CHECK_SIGNS = 2
_MODULUS = 1021
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})
_PARTING = re.compile(r"[\s\-\u2010-\u2015\u2212_.]+")
_VALUES = {sign: value for value, sign in enumerate(SIGNS)}


class ForeignSign(PortalError):
    """`sign` is in no key."""

    sign: str


class WrongLength(PortalError):
    """`signs` were typed; a key has LENGTH."""

    signs: int


class Mistyped(PortalError):
    """As long as a key and of its signs, and yet no key: one of them is wrong, or two changed places."""


def key_of(bits: int) -> str:
    """The key that RANDOM_BITS random bits make, without its dashes."""
    assert 0 <= bits < 1 << RANDOM_BITS, "as many bits as a key has signs for"
    shifted = bits << 5 * _CHECK_SIGNS
    number = shifted + (1 - shifted) % _MODULUS
    return "".join(SIGNS[number >> 5 * place & 31] for place in reversed(range(LENGTH)))


def grouped(key: str) -> str:
    """As it is shown: groups of four, with a dash between them."""
    return "-".join(key[start : start + GROUP] for start in range(0, len(key), GROUP))


def read_key(text: str) -> str:
    """The key in what was typed or pasted; spaces, dashes and small letters are forgiven.

    So are the letters that look like a digit: O is read as 0, I and L as 1. Raises ForeignSign, WrongLength,
    Mistyped.
    """
    folded = _PARTING.sub("", unicodedata.normalize("NFKC", text)).upper().translate(_READ_AS)
    if foreign := next((sign for sign in folded if sign not in _VALUES), None):
        raise ForeignSign(sign=foreign)
    if len(folded) != LENGTH:
        raise WrongLength(signs=len(folded))
    number = 0
    for sign in folded:
        number = number << 5 | _VALUES[sign]
    if number % _MODULUS != 1:
        raise Mistyped()
    return folded
