"""What can be told of a card from its number and date alone, for the checkout form."""

import re
import unicodedata
from datetime import date

from portal.domain.card_numbers import check_digit_holds
from portal.domain.vocabulary import CardBrand

_FULL_WIDTH_DIGITS = {0xFF10 + digit: str(digit) for digit in range(10)}
_SEPARATING_CATEGORIES = frozenset(("Zs", "Zl", "Zp", "Cc", "Cf", "Pd"))
"""Blanks, controls, marks that nobody sees, and dashes."""
_OTHER_SEPARATORS = frozenset("./_·\u2212\u2044\uff0e\uff0f\ufe0e\ufe0f")
_LABEL = re.compile(r"(?=\D*[^\W\d_])\D*[^\w](?=\d)")


def without_separators(text: str) -> str:
    """A number as typed or pasted, without its grouping: spaces, dashes, dots, slashes, invisible marks.

    Full-width digits become ASCII digits. Anything else stays, so that whoever checks the number refuses it.
    """
    kept = (sign for sign in text if sign not in _OTHER_SEPARATORS and not _separates(sign))
    return "".join(kept).translate(_FULL_WIDTH_DIGITS)


def _separates(sign: str) -> bool:
    return unicodedata.category(sign) in _SEPARATING_CATEGORIES


def normalise_number(text: str) -> str:
    """The digits of a card number or security code, also with the words that were copied with it.

    « N° de carte : 4242 … » loses what stands before the digits, where more than a letter parts the two;
    letters among the digits or after them stay, so that `luhn_valid` refuses them.
    """
    label = _LABEL.match(text)
    return without_separators(text[label.end() :] if label else text)


def luhn_valid(number: str) -> bool:
    """12 to 19 ASCII digits of which the last is the check digit (ISO/IEC 7812-1, annex B)."""
    if not (12 <= len(number) <= 19 and number.isascii() and number.isdigit()):
        return False
    return check_digit_holds(number)


def card_brand(number: str) -> CardBrand | None:
    """The scheme whose numbers start so and are as long; None for a number of any other scheme.

    Ranges as the schemes publish them; `number` is normalised, its check digit is not looked at.
    """
    if not (number.isascii() and number.isdigit()) or len(number) > 19:
        return None
    length, head2, head3, head4 = len(number), int(number[:2]), int(number[:3]), int(number[:4])
    if number[0] == "4" and length in (13, 16, 19):
        return CardBrand.VISA
    if (51 <= head2 <= 55 or 2221 <= head4 <= 2720) and length == 16:
        return CardBrand.MASTERCARD
    if head2 in (34, 37) and length == 15:
        return CardBrand.AMEX
    if 3528 <= head4 <= 3589 and length >= 16:
        return CardBrand.JCB
    if (head4 == 6011 or 644 <= head3 <= 649 or head2 == 65) and length >= 16:
        return CardBrand.DISCOVER
    return None


def security_code_length(brand: CardBrand | None) -> int:
    """Digits of the security code: 4 on an American Express card, 3 on every other."""
    return 4 if brand is CardBrand.AMEX else 3


def expires_before(month: int, year: int, on: date) -> bool:
    """Whether a card with this date is over on the day `on`. It is good until the last day of its month.

    `year` has four digits. Raises ValueError for a month that does not exist.
    """
    if not 1 <= month <= 12:
        raise ValueError("a month is 1 to 12")
    return (year, month) < (on.year, on.month)
